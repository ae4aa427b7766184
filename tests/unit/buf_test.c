#include "base/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "lib/failalloc.h"
#include "lib/rng.h"

enum { MODEL_BYTES = 8192 };

/* What the buffer should hold. */
typedef struct model {
    uint8_t bytes[MODEL_BYTES];
    size_t len;
} model;

static void model_put(model *m, const void *ptr, size_t len)
{
    memcpy(m->bytes + m->len, ptr, len);
    m->len += len;
}

static void assert_holds(const stet_buf *b, const model *m)
{
    stet_slice s = stet__buf_slice(b);
    assert_int_equal(s.len, m->len);
    assert_true(s.len == 0 || memcmp(s.ptr, m->bytes, s.len) == 0);
}

/* Append one random thing to both. */
static void put_any(rng *r, stet_buf *b, model *m)
{
    uint64_t v = rng_next(r) >> rng_below(r, 64);
    uint8_t bytes[200];
    char text[24];
    size_t len = rng_below(r, sizeof bytes);
    rng_fill(r, bytes, len);
    switch (rng_below(r, 6)) {
    case 0:
        stet__buf_put(b, bytes, len);
        model_put(m, bytes, len);
        break;
    case 1:
        stet__buf_put_u8(b, (uint8_t)v);
        stet__buf_put_u16le(b, (uint16_t)v);
        bytes[0] = (uint8_t)v;
        stet__put_u16le(bytes + 1, (uint16_t)v);
        model_put(m, bytes, 3);
        break;
    case 2:
        stet__buf_put_u32le(b, (uint32_t)v);
        stet__buf_put_u64le(b, v);
        stet__put_u32le(bytes, (uint32_t)v);
        stet__put_u64le(bytes + 4, v);
        model_put(m, bytes, 12);
        break;
    case 3:
        stet__buf_put_varint(b, v);
        model_put(m, bytes, (size_t)(stet__put_varint(bytes, v) - bytes));
        break;
    case 4:
        stet__buf_printf(b, "%020llu", (unsigned long long)v);
        (void)snprintf(text, sizeof text, "%020llu", (unsigned long long)v);
        model_put(m, text, 20);
        break;
    default:
        memcpy(stet__buf_extend(b, len), bytes, len);
        model_put(m, bytes, len);
        break;
    }
}

/* Everything written to a file passes through here. */
static void test_content_is_what_was_appended(void **state)
{
    (void)state;
    rng r = {6};
    for (int round = 0; round < 200; round++) {
        failalloc f;
        failalloc_init(&f, 0);
        stet_allocator a = failalloc_allocator(&f);
        model m = {.len = 0};
        stet_buf b;
        stet__buf_init(&b, &a);
        while (m.len + 256 < MODEL_BYTES) {
            put_any(&r, &b, &m);
            assert_holds(&b, &m);
            if (rng_below(&r, 64) == 0) {
                stet__buf_reset(&b);
                m.len = 0;
            }
            if (rng_below(&r, 64) == 0) {
                break;
            }
        }
        stet__buf_deinit(&b);
        failalloc_assert_clean(&f);
    }
}

/* A caller appends many times and checks once, so nothing may slip in after. */
static void test_failed_append_leaves_what_was_there_and_sticks(void **state)
{
    (void)state;
    for (size_t nth = 1;; nth++) {
        failalloc f;
        failalloc_init(&f, nth);
        stet_allocator a = failalloc_allocator(&f);
        stet_buf b;
        stet__buf_init(&b, &a);
        uint8_t i = 0;
        for (; i < 200; i++) {
            stet_buf before = b;
            stet__buf_put_u64le(&b, i);
            if (b.is_failed) {
                assert_int_equal(b.len, before.len);
                break;
            }
        }
        assert_int_equal(b.is_failed, f.is_hit);
        assert_int_equal(b.len, i * (size_t)8);
        for (uint8_t k = 0; k < i; k++) {
            assert_int_equal(stet__get_u64le(b.ptr + k * (size_t)8), k);
        }
        if (f.is_hit) {
            stet__buf_put_u8(&b, 1);
            stet__buf_put_varint(&b, 1);
            stet__buf_printf(&b, "x");
            assert_null(stet__buf_extend(&b, 0));
            assert_false(stet__buf_reserve(&b, 0));
            assert_int_equal(b.len, i * (size_t)8);
            stet__buf_reset(&b);
            stet__buf_put_u8(&b, 1);
            assert_false(b.is_failed);
        }
        stet__buf_deinit(&b);
        failalloc_assert_clean(&f);
        if (!f.is_hit) {
            break;
        }
    }
}

/* A length that comes from a file must not wrap the sum. */
static void test_append_that_overflows_fails(void **state)
{
    (void)state;
    stet_buf b;
    stet__buf_init(&b, &stet__heap);
    stet__buf_put_str(&b, "abc");
    assert_null(stet__buf_extend(&b, SIZE_MAX - 2));
    assert_true(b.is_failed);
    assert_int_equal(b.len, 3);
    stet__buf_deinit(&b);
}

/* NULL is how `extend` says that there is no memory, and only that. */
static void test_extend_by_nothing_gives_a_place(void **state)
{
    (void)state;
    stet_buf b;
    stet__buf_init(&b, &stet__heap);
    assert_non_null(stet__buf_extend(&b, 0));
    assert_int_equal(b.len, 0);
    stet__buf_put(&b, NULL, 0);
    stet__buf_put_slice(&b, stet_slice_of(NULL, 0));
    assert_int_equal(stet__buf_slice(&b).len, 0);
    stet__buf_deinit(&b);
}

/* The text may be longer than any room that was left, its NUL never counts. */
static void test_formatted_text_fits_at_any_length(void **state)
{
    (void)state;
    for (int len = 0; len < 300; len++) {
        stet_buf b;
        stet__buf_init(&b, &stet__heap);
        stet__buf_put_str(&b, "<");
        stet__buf_printf(&b, "%*s", len, "");
        stet__buf_put_str(&b, ">");
        assert_int_equal(b.len, len + 2);
        assert_int_equal(b.ptr[0], '<');
        for (int i = 0; i < len; i++) {
            assert_int_equal(b.ptr[i + 1], ' ');
        }
        assert_int_equal(b.ptr[len + 1], '>');
        stet__buf_deinit(&b);
    }
}

/* The taker frees; the buffer must have forgotten, and go on. */
static void test_take_hands_over_and_starts_anew(void **state)
{
    (void)state;
    failalloc f;
    failalloc_init(&f, 0);
    stet_allocator a = failalloc_allocator(&f);
    stet_buf b;
    stet__buf_init(&b, &a);
    stet__buf_put_str(&b, "taken");
    size_t len = 0;
    size_t cap = 0;
    uint8_t *ptr = stet__buf_take(&b, &len, &cap);
    stet__buf_put_str(&b, "other");
    assert_int_equal(len, 5);
    assert_memory_equal(ptr, "taken", 5);
    assert_memory_equal(b.ptr, "other", 5);
    stet__free(&a, ptr, cap);
    stet__buf_deinit(&b);
    failalloc_assert_clean(&f);
}

/* Cleanup blocks run over objects that were never begun. */
static void test_deinit_accepts_a_zeroed_and_a_deinited_one(void **state)
{
    (void)state;
    stet_buf b = {0};
    stet__buf_deinit(&b);
    stet__buf_init(&b, &stet__heap);
    stet__buf_put_u8(&b, 1);
    stet__buf_deinit(&b);
    stet__buf_deinit(&b);
    assert_null(b.ptr);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_content_is_what_was_appended),
        cmocka_unit_test(test_failed_append_leaves_what_was_there_and_sticks),
        cmocka_unit_test(test_append_that_overflows_fails),
        cmocka_unit_test(test_extend_by_nothing_gives_a_place),
        cmocka_unit_test(test_formatted_text_fits_at_any_length),
        cmocka_unit_test(test_take_hands_over_and_starts_anew),
        cmocka_unit_test(test_deinit_accepts_a_zeroed_and_a_deinited_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
