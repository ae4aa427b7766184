#include "stores/embedded/unpacked.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "lib/failalloc.h"
#include "os/os.h"

static stet_slice content_of(uint32_t number)
{
    static uint8_t bytes[STET_UNPACKED_BYTES_MAX + 1];
    memset(bytes, (int)number, sizeof bytes);
    return stet_slice_of(bytes, 100 + number);
}

static void keep(stet_unpacked *u, const stet_allocator *a, uint32_t file,
                 uint32_t number)
{
    stet_unpacked_block *b =
        stet__unpacked_keep(u, a, file, number, content_of(number));
    assert_non_null(b);
    stet__unpacked_unref(b);
}

static bool is_kept(stet_unpacked *u, uint32_t file, uint32_t number)
{
    stet_unpacked_block *b = stet__unpacked_find(u, file, number);
    stet_slice due = content_of(number);
    if (b != NULL) {
        assert_int_equal(b->len, due.len);
        assert_memory_equal(b->bytes, due.ptr, due.len);
    }
    stet__unpacked_unref(b);
    return b != NULL;
}

/* What is looked at stays, what nobody looks at goes: memory is bounded. */
static void test_the_block_used_longest_ago_goes_first(void **state)
{
    (void)state;
    failalloc f;
    stet_unpacked u;
    failalloc_init(&f, 0);
    stet_allocator a = failalloc_allocator(&f);
    stet__unpacked_init(&u, stet__os_posix());
    for (uint32_t i = 0; i < STET_UNPACKED_BLOCKS; i++) {
        keep(&u, &a, 7, i);
    }
    assert_true(is_kept(&u, 7, 0));
    assert_false(is_kept(&u, 8, 0));
    keep(&u, &a, 8, 0);
    keep(&u, &a, 8, 1);
    assert_true(is_kept(&u, 8, 0));
    assert_true(is_kept(&u, 8, 1));
    assert_true(is_kept(&u, 7, 0));
    assert_false(is_kept(&u, 7, 1));
    assert_false(is_kept(&u, 7, 2));
    assert_true(is_kept(&u, 7, 3));
    stet__unpacked_deinit(&u);
    failalloc_assert_clean(&f);
}

/* A reader is at work in a block: that must not go under it. */
static void test_a_block_that_is_held_outlives_its_place(void **state)
{
    (void)state;
    failalloc f;
    stet_unpacked u;
    failalloc_init(&f, 0);
    stet_allocator a = failalloc_allocator(&f);
    stet__unpacked_init(&u, stet__os_posix());
    stet_unpacked_block *held =
        stet__unpacked_keep(&u, &a, 1, 1, content_of(1));
    keep(&u, &a, 1, 1); /* another reader was as fast */
    for (uint32_t i = 2; i < 2 + STET_UNPACKED_BLOCKS; i++) {
        keep(&u, &a, 1, i);
    }
    assert_false(is_kept(&u, 1, 1));
    stet__unpacked_deinit(&u);
    assert_memory_equal(held->bytes, content_of(1).ptr, held->len);
    stet__unpacked_unref(held);
    failalloc_assert_clean(&f);
}

/* Keeping is a favour: without it a reader has its own copy. */
static void test_what_is_too_long_or_finds_no_memory_is_not_kept(void **state)
{
    (void)state;
    failalloc f;
    stet_unpacked u;
    failalloc_init(&f, 1);
    stet_allocator a = failalloc_allocator(&f);
    stet__unpacked_init(&u, stet__os_posix());
    stet_slice longest = content_of(3);
    longest.len = STET_UNPACKED_BYTES_MAX + 1;
    assert_null(stet__unpacked_keep(&u, &a, 1, 1, longest));
    assert_null(stet__unpacked_keep(&u, &a, 1, 1, content_of(1)));
    assert_true(f.is_hit);
    assert_false(is_kept(&u, 1, 1));
    longest.len = STET_UNPACKED_BYTES_MAX;
    stet_unpacked_block *b = stet__unpacked_keep(&u, &a, 1, 1, longest);
    assert_non_null(b);
    stet__unpacked_unref(b);
    stet__unpacked_deinit(&u);
    failalloc_assert_clean(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_block_used_longest_ago_goes_first),
        cmocka_unit_test(test_a_block_that_is_held_outlives_its_place),
        cmocka_unit_test(test_what_is_too_long_or_finds_no_memory_is_not_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
