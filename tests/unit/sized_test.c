#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/sized.h"
#include "lib/failalloc.h"

/* The allocator under a handle checks the size it is given back. */
static void test_a_block_is_freed_with_the_size_it_had(void **state)
{
    (void)state;
    failalloc f;
    failalloc_init(&f, 0);
    stet_allocator a = failalloc_allocator(&f);
    for (size_t bytes = 0; bytes < 100; bytes++) {
        char *block = stet__sized_alloc(&a, bytes);
        assert_non_null(block);
        memset(block, 7, bytes);
        stet__sized_free(&a, block);
    }
    stet__sized_free(&a, NULL);
    failalloc_assert_clean(&f);
}

/* Libraries keep any type in a block, also after it grew. */
static void test_a_grown_block_keeps_bytes_and_alignment(void **state)
{
    (void)state;
    failalloc f;
    failalloc_init(&f, 0);
    stet_allocator a = failalloc_allocator(&f);
    char *block = stet__sized_realloc(&a, NULL, 5);
    memcpy(block, "state", 5);
    block = stet__sized_realloc(&a, block, 500);
    assert_memory_equal(block, "state", 5);
    assert_int_equal((uintptr_t)block % _Alignof(max_align_t), 0);
    block = stet__sized_realloc(&a, block, 3);
    assert_memory_equal(block, "sta", 3);
    stet__sized_free(&a, block);
    failalloc_assert_clean(&f);
}

/* A library told that there is no memory still frees what it had. */
static void test_a_failed_growth_leaves_the_block(void **state)
{
    (void)state;
    failalloc f;
    failalloc_init(&f, 2);
    stet_allocator a = failalloc_allocator(&f);
    char *block = stet__sized_alloc(&a, 5);
    memcpy(block, "state", 5);
    assert_null(stet__sized_realloc(&a, block, 500));
    assert_null(stet__sized_realloc(&a, block, SIZE_MAX));
    assert_memory_equal(block, "state", 5);
    stet__sized_free(&a, block);
    failalloc_assert_clean(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_block_is_freed_with_the_size_it_had),
        cmocka_unit_test(test_a_grown_block_keeps_bytes_and_alignment),
        cmocka_unit_test(test_a_failed_growth_leaves_the_block),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
