#include "base/arena.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "lib/failalloc.h"
#include "lib/rng.h"

enum { PIECES_MAX = 500 };

typedef struct piece {
    uint8_t *ptr;
    size_t len;
    uint8_t fill;
} piece;

static void assert_intact(const piece *pieces, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < pieces[i].len; k++) {
            assert_int_equal(pieces[i].ptr[k], pieces[i].fill);
        }
    }
}

/* Small mostly, now and then more than any block holds. */
static size_t any_len(rng *r)
{
    size_t bits = rng_below(r, 20);
    return rng_below(r, (size_t)1 << bits);
}

/* Pieces of one arena never share a byte, whatever their sizes. */
static void test_pieces_are_aligned_and_apart(void **state)
{
    (void)state;
    static piece pieces[PIECES_MAX];
    rng r = {13};
    failalloc f;
    failalloc_init(&f, 0);
    stet_allocator alloc = failalloc_allocator(&f);
    stet_arena a;
    stet__arena_init(&a, &alloc);
    for (int round = 0; round < 5; round++) {
        for (size_t i = 0; i < PIECES_MAX; i++) {
            piece *p = &pieces[i];
            *p = (piece){.len = any_len(&r), .fill = (uint8_t)i};
            p->ptr = stet__arena_alloc(&a, p->len);
            assert_non_null(p->ptr);
            assert_int_equal((uintptr_t)p->ptr % 16, 0);
            memset(p->ptr, p->fill, p->len);
        }
        assert_intact(pieces, PIECES_MAX);
        stet__arena_reset(&a);
    }
    stet__arena_deinit(&a);
    failalloc_assert_clean(&f);
}

/* A loop that resets each time must come to rest on one block. */
static void test_reset_keeps_one_block_to_go_on_with(void **state)
{
    (void)state;
    failalloc f;
    failalloc_init(&f, 0);
    stet_allocator alloc = failalloc_allocator(&f);
    stet_arena a;
    stet__arena_init(&a, &alloc);
    stet__arena_reset(&a);
    for (int i = 0; i < 100; i++) {
        assert_non_null(stet__arena_alloc(&a, 1000));
    }
    stet__arena_reset(&a);
    assert_int_equal(f.blocks, 1);
    size_t calls = f.calls;
    for (int i = 0; i < 30; i++) {
        assert_non_null(stet__arena_alloc(&a, 1000));
    }
    assert_int_equal(f.calls, calls);
    stet__arena_deinit(&a);
    failalloc_assert_clean(&f);
}

/* One large request must not waste what is left for small ones. */
static void test_large_piece_leaves_the_newest_block_in_use(void **state)
{
    (void)state;
    failalloc f;
    failalloc_init(&f, 0);
    stet_allocator alloc = failalloc_allocator(&f);
    stet_arena a;
    stet__arena_init(&a, &alloc);
    assert_non_null(stet__arena_alloc(&a, 100));
    assert_int_equal(f.bytes, 4096);
    assert_non_null(stet__arena_alloc(&a, 1 << 20));
    size_t calls = f.calls;
    assert_non_null(stet__arena_alloc(&a, 100));
    assert_int_equal(f.calls, calls);
    assert_in_range(f.bytes, 4096 + (1 << 20), 4096 + (1 << 20) + 64);
    stet__arena_deinit(&a);
    failalloc_assert_clean(&f);
}

/* Blocks double, so that many small pieces take few calls of the heap. */
static void test_small_pieces_take_few_blocks(void **state)
{
    (void)state;
    failalloc f;
    failalloc_init(&f, 0);
    stet_allocator alloc = failalloc_allocator(&f);
    stet_arena a;
    stet__arena_init(&a, &alloc);
    for (int i = 0; i < (1 << 20) / 16; i++) {
        void *ptr = stet__arena_alloc(&a, 16);
        assert_non_null(ptr);
        memset(ptr, 0, 16); /* to the last byte of each block */
    }
    /* 4 KiB to 256 KiB are 508 KiB in seven, the rest comes in 256 KiB. */
    assert_int_equal(f.calls, 7 + 3);
    stet__arena_deinit(&a);
    failalloc_assert_clean(&f);
}

/* No memory: what was given stays, and the arena goes on when there is some. */
static void test_failed_allocation_changes_nothing(void **state)
{
    (void)state;
    static piece pieces[PIECES_MAX];
    for (size_t nth = 1;; nth++) {
        failalloc f;
        failalloc_init(&f, nth);
        stet_allocator alloc = failalloc_allocator(&f);
        rng r = {14};
        stet_arena a;
        stet__arena_init(&a, &alloc);
        for (size_t i = 0; i < PIECES_MAX; i++) {
            piece *p = &pieces[i];
            bool was_hit = f.is_hit;
            *p = (piece){.len = any_len(&r) / 16, .fill = (uint8_t)i};
            p->ptr = stet__arena_alloc(&a, p->len);
            if (p->ptr == NULL) {
                assert_true(f.is_hit && !was_hit);
                assert_intact(pieces, i);
                p->ptr = stet__arena_alloc(&a, p->len);
            }
            assert_non_null(p->ptr);
            memset(p->ptr, p->fill, p->len);
        }
        assert_intact(pieces, PIECES_MAX);
        stet__arena_deinit(&a);
        failalloc_assert_clean(&f);
        if (!f.is_hit) {
            break;
        }
    }
}

/* Copies are used as C strings too; an empty one is not "no memory". */
static void test_copy_ends_in_nul_and_is_never_null(void **state)
{
    (void)state;
    failalloc f;
    failalloc_init(&f, 2);
    stet_allocator alloc = failalloc_allocator(&f);
    stet_arena a;
    stet__arena_init(&a, &alloc);
    char text[] = "game:1";
    stet_slice copy = stet__arena_copy(&a, stet_str(text));
    stet_slice empty = stet__arena_copy(&a, stet_slice_of(NULL, 0));
    text[0] = 'X';
    assert_int_equal(copy.len, 6);
    assert_string_equal((const char *)copy.ptr, "game:1");
    assert_non_null(empty.ptr);
    assert_string_equal((const char *)empty.ptr, "");
    char big[8000] = "";
    assert_null(stet__arena_copy(&a, stet_slice_of(big, sizeof big)).ptr);
    stet__arena_deinit(&a);
    failalloc_assert_clean(&f);
}

/* A length from a file must not wrap into a small piece. */
static void test_sizes_that_overflow_give_none(void **state)
{
    (void)state;
    failalloc f;
    failalloc_init(&f, 0);
    stet_allocator alloc = failalloc_allocator(&f);
    stet_arena a;
    stet__arena_init(&a, &alloc);
    for (size_t less = 0; less < 100; less++) {
        size_t len = SIZE_MAX - less;
        assert_null(stet__arena_alloc(&a, len));
        assert_null(stet__arena_copy(&a, stet_slice_of("x", len)).ptr);
    }
    stet__arena_deinit(&a);
    failalloc_assert_clean(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pieces_are_aligned_and_apart),
        cmocka_unit_test(test_reset_keeps_one_block_to_go_on_with),
        cmocka_unit_test(test_large_piece_leaves_the_newest_block_in_use),
        cmocka_unit_test(test_small_pieces_take_few_blocks),
        cmocka_unit_test(test_failed_allocation_changes_nothing),
        cmocka_unit_test(test_copy_ends_in_nul_and_is_never_null),
        cmocka_unit_test(test_sizes_that_overflow_give_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
