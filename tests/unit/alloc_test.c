#include "base/alloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lib/failalloc.h"

/* Every size in the library is made through these: a wrap is a short block. */
static void test_sizes_that_overflow_are_refused(void **state)
{
    (void)state;
    size_t out = 7;
    assert_false(stet__mul(SIZE_MAX / 2 + 1, 2, &out));
    assert_false(stet__add(SIZE_MAX, 1, &out));
    assert_int_equal(out, 7);
    assert_true(stet__mul(SIZE_MAX / 2, 2, &out));
    assert_true(out == SIZE_MAX - 1);
    assert_true(stet__add(SIZE_MAX - 1, 1, &out));
    assert_true(out == SIZE_MAX);
}

/* A table that overflows its size must not become a small one. */
static void test_zeroed_memory_is_zero_and_of_the_whole_size(void **state)
{
    (void)state;
    failalloc f;
    failalloc_init(&f, 0);
    stet_allocator a = failalloc_allocator(&f);
    assert_null(stet__alloc_zeroed(&a, SIZE_MAX / 2, 4));
    assert_int_equal(f.calls, 0);
    uint8_t *p = stet__alloc_zeroed(&a, 100, 3);
    assert_non_null(p);
    assert_int_equal(f.bytes, 300);
    for (size_t i = 0; i < 300; i++) {
        assert_int_equal(p[i], 0);
    }
    stet__free(&a, p, 300);
    failalloc_assert_clean(&f);
}

/* The caller still owns, and frees, a block that could not grow. */
static void test_failed_resize_keeps_the_block(void **state)
{
    (void)state;
    failalloc f;
    failalloc_init(&f, 2);
    stet_allocator a = failalloc_allocator(&f);
    char *p = stet__alloc(&a, 6);
    assert_non_null(p);
    memcpy(p, "stays", 6);
    assert_null(stet__realloc(&a, p, 6, 6000));
    assert_string_equal(p, "stays");
    p = stet__realloc(&a, p, 6, 6000);
    assert_non_null(p);
    assert_string_equal(p, "stays");
    stet__free(&a, p, 6000);
    failalloc_assert_clean(&f);
}

/* A zeroed stet_allocator is what a caller without wishes passes. */
static void test_an_allocator_without_function_is_the_heap(void **state)
{
    (void)state;
    stet_allocator none = {0};
    char *p = stet__realloc(&none, stet__alloc(&none, 8), 8, 80);
    assert_non_null(p);
    memset(p, 1, 80);
    stet__free(&stet__heap, p, 80);
    stet__free(&none, NULL, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sizes_that_overflow_are_refused),
        cmocka_unit_test(test_zeroed_memory_is_zero_and_of_the_whole_size),
        cmocka_unit_test(test_failed_resize_keeps_the_block),
        cmocka_unit_test(test_an_allocator_without_function_is_the_heap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
