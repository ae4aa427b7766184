#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <zlib.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/outside.h"
#include "formats/gunzip.h"
#include "lib/failalloc.h"
#include "lib/rng.h"

enum { TEXT_BYTES = 300 * 1000 };

/* What comes out, up to a piece that is refused. */
typedef struct sink {
    stet_buf out;
    size_t pieces;
    size_t fail_at; /* from 1; 0: none */
    size_t longest;
} sink;

static stet_status take(void *ctx, stet_slice bytes, stet_error *err)
{
    sink *s = ctx;
    if (++s->pieces == s->fail_at) {
        return stet__fail(err, STET_E_NOSPACE, 0, "refused");
    }
    s->longest = bytes.len > s->longest ? bytes.len : s->longest;
    stet__buf_put_slice(&s->out, bytes);
    return STET_OK;
}

/* Push an input through in pieces of `piece` bytes. */
static stet_status run(sink *s, const stet_allocator *alloc, stet_slice input,
                       size_t piece, stet_error *err)
{
    const char *at = input.ptr;
    stet_gunzip *g = NULL;
    stet__buf_reset(&s->out);
    s->pieces = 0;
    stet_status st = stet__gunzip_create(alloc, take, s, &g, err);
    for (size_t i = 0; st == STET_OK && i < input.len; i += piece) {
        size_t left = input.len - i;
        st = stet__gunzip_feed(
            g, stet_slice_of(at + i, left < piece ? left : piece), err);
    }
    if (st == STET_OK) {
        st = stet__gunzip_finish(g, err);
    }
    stet__gunzip_destroy(g);
    return st;
}

static void begin(sink *s)
{
    *s = (sink){0};
    stet__buf_init(&s->out, &stet__heap);
}

/* Text that compresses, and some that does not. */
static void make_text(stet_buf *out, size_t bytes)
{
    rng r = {7};
    stet__buf_init(out, &stet__heap);
    while (out->len < bytes) {
        stet__buf_printf(out, "event %zu of machine %zu\n", out->len,
                         (size_t)rng_next(&r));
    }
}

/* Append a gzip member to `out`. */
static void compress_to(stet_buf *out, stet_slice text)
{
    z_stream z = {0};
    assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, 31, 8, 0), Z_OK);
    size_t bound = deflateBound(&z, text.len);
    uint8_t *at = stet__buf_extend(out, bound);
    assert_non_null(at);
    z.next_in = (uint8_t *)(uintptr_t)text.ptr;
    z.avail_in = (unsigned)text.len;
    z.next_out = at;
    z.avail_out = (unsigned)bound;
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    stet__outside_sets(at, z.total_out);
    out->len -= z.avail_out;
    assert_int_equal(deflateEnd(&z), Z_OK);
}

static void assert_out(const sink *s, stet_slice want)
{
    assert_int_equal(s->out.len, want.len);
    assert_memory_equal(s->out.ptr, want.ptr, want.len);
}

/* Files without gzip are read through the same pipe. */
static void test_what_is_not_gzip_goes_through_as_it_is(void **state)
{
    (void)state;
    static const char *const texts[] = {"",      "\x1f",        "a",
                                        "\x1fz", "\x1f\x8c...", "{\"id\":1}\n"};
    sink s;
    begin(&s);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        for (size_t piece = 1; piece < 4; piece++) {
            assert_int_equal(
                run(&s, &stet__heap, stet_str(texts[i]), piece, NULL), STET_OK);
            assert_int_equal(s.out.len, strlen(texts[i]));
            if (s.out.len > 0) {
                assert_memory_equal(s.out.ptr, texts[i], s.out.len);
            }
        }
    }
    stet__buf_deinit(&s.out);
}

/* The pieces that come in make no difference to what goes out. */
static void test_gzip_is_inflated_in_pieces_of_any_size(void **state)
{
    (void)state;
    static const size_t sizes[] = {1, 2, 3, 1000, 1 << 20};
    stet_buf text;
    stet_buf gzip;
    sink s;
    begin(&s);
    make_text(&text, TEXT_BYTES);
    stet__buf_init(&gzip, &stet__heap);
    compress_to(&gzip, stet__buf_slice(&text));
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        assert_int_equal(
            run(&s, &stet__heap, stet__buf_slice(&gzip), sizes[i], NULL),
            STET_OK);
        assert_out(&s, stet__buf_slice(&text));
        assert_true(s.longest <= STET_GUNZIP_BYTES);
    }
    stet__buf_deinit(&s.out);
    stet__buf_deinit(&text);
    stet__buf_deinit(&gzip);
}

/* Logs that are appended to day by day are many members in one file. */
static void test_several_members_are_one_stream(void **state)
{
    (void)state;
    stet_buf gzip;
    sink s;
    begin(&s);
    stet__buf_init(&gzip, &stet__heap);
    compress_to(&gzip, stet_str("one\n"));
    compress_to(&gzip, stet_str(""));
    compress_to(&gzip, stet_str("two\n"));
    stet__buf_put(&gzip, "\0\0\0\0", 4); /* as tapes fill up their blocks */
    for (size_t piece = 1; piece <= gzip.len; piece++) {
        assert_int_equal(
            run(&s, &stet__heap, stet__buf_slice(&gzip), piece, NULL), STET_OK);
        assert_out(&s, stet_str("one\ntwo\n"));
    }
    stet__buf_deinit(&s.out);
    stet__buf_deinit(&gzip);
}

/* A download that broke off must not pass for a short log. */
static void test_gzip_that_is_cut_short_is_told_at_every_length(void **state)
{
    (void)state;
    stet_buf gzip;
    sink s;
    begin(&s);
    stet__buf_init(&gzip, &stet__heap);
    compress_to(&gzip, stet_str("one two three four\n"));
    for (size_t len = 2; len < gzip.len; len++) {
        char want[80];
        stet_error err = {0};
        snprintf(want, sizeof want, "broken gzip at byte %zu: it is cut short",
                 len);
        assert_int_equal(
            run(&s, &stet__heap, stet_slice_of(gzip.ptr, len), len, &err),
            STET_E_CORRUPT);
        assert_string_equal(err.text, want);
    }
    stet__buf_deinit(&s.out);
    stet__buf_deinit(&gzip);
}

/* Each member ends with a checksum, so no changed byte gives other content. */
static void test_changed_bytes_are_found(void **state)
{
    (void)state;
    enum { HEADER_BYTES = 10 }; /* its time and system may be anything */
    static const char text[] = "one two three four\n";
    stet_buf gzip;
    sink s;
    begin(&s);
    stet__buf_init(&gzip, &stet__heap);
    compress_to(&gzip, stet_str(text));
    size_t found = 0;
    for (size_t i = HEADER_BYTES; i < gzip.len; i++) {
        stet_error err = {0};
        gzip.ptr[i] ^= 0x10;
        stet_status st = run(&s, &stet__heap, stet__buf_slice(&gzip), 7, &err);
        gzip.ptr[i] ^= 0x10;
        if (st == STET_OK) { /* a bit that only fills up a byte */
            assert_out(&s, stet_str(text));
            continue;
        }
        found++;
        assert_int_equal(st, STET_E_CORRUPT);
        assert_memory_equal(err.text, "broken gzip at byte ", 20);
    }
    assert_true(found >= gzip.len - HEADER_BYTES - 1);
    stet__buf_put_str(&gzip, "x");
    stet_error err = {0};
    assert_int_equal(run(&s, &stet__heap, stet__buf_slice(&gzip), 7, &err),
                     STET_E_CORRUPT);
    assert_non_null(strstr(err.text, "other bytes behind its end"));
    stet__buf_deinit(&s.out);
    stet__buf_deinit(&gzip);
}

/* How a broken file comes in makes no difference to what is read of it. */
static void test_what_stands_before_a_break_is_given(void **state)
{
    (void)state;
    enum { HEADER_BYTES = 10 };
    stet_buf gzip;
    stet_buf text;
    sink whole;
    sink pieces;
    begin(&whole);
    begin(&pieces);
    make_text(&text, 400);
    stet__buf_init(&gzip, &stet__heap);
    compress_to(&gzip, stet__buf_slice(&text));
    size_t given = 0;
    for (size_t i = HEADER_BYTES; i < gzip.len; i++) {
        gzip.ptr[i] ^= 0x55;
        stet_slice input = stet__buf_slice(&gzip);
        stet_status st = run(&whole, &stet__heap, input, gzip.len, NULL);
        assert_int_equal(run(&pieces, &stet__heap, input, 1, NULL), st);
        gzip.ptr[i] ^= 0x55;
        assert_out(&pieces, stet__buf_slice(&whole.out));
        given += whole.out.len;
    }
    assert_true(given > 0);
    stet__buf_deinit(&whole.out);
    stet__buf_deinit(&pieces.out);
    stet__buf_deinit(&gzip);
    stet__buf_deinit(&text);
}

/* An error of the parser ends the reading, and is told as it is. */
static void test_a_refused_piece_ends_the_stream(void **state)
{
    (void)state;
    stet_buf text;
    stet_buf gzip;
    sink s;
    begin(&s);
    make_text(&text, TEXT_BYTES);
    stet__buf_init(&gzip, &stet__heap);
    compress_to(&gzip, stet__buf_slice(&text));
    s.fail_at = 3;
    stet_error err = {0};
    assert_int_equal(
        run(&s, &stet__heap, stet__buf_slice(&gzip), 1 << 20, &err),
        STET_E_NOSPACE);
    assert_string_equal(err.text, "refused");
    assert_int_equal(s.pieces, 3);
    stet__buf_deinit(&s.out);
    stet__buf_deinit(&text);
    stet__buf_deinit(&gzip);
}

static void test_each_allocation_may_fail(void **state)
{
    (void)state;
    stet_buf gzip;
    sink s;
    begin(&s);
    stet__buf_init(&gzip, &stet__heap);
    compress_to(&gzip, stet_str("one two three four\n"));
    for (size_t nth = 1;; nth++) {
        failalloc f;
        failalloc_init(&f, nth);
        stet_allocator a = failalloc_allocator(&f);
        stet_status st = run(&s, &a, stet__buf_slice(&gzip), 1 << 20, NULL);
        assert_int_equal(st, f.is_hit ? STET_E_NOMEM : STET_OK);
        failalloc_assert_clean(&f);
        if (!f.is_hit) {
            break;
        }
    }
    stet__buf_deinit(&s.out);
    stet__buf_deinit(&gzip);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_not_gzip_goes_through_as_it_is),
        cmocka_unit_test(test_gzip_is_inflated_in_pieces_of_any_size),
        cmocka_unit_test(test_several_members_are_one_stream),
        cmocka_unit_test(test_gzip_that_is_cut_short_is_told_at_every_length),
        cmocka_unit_test(test_changed_bytes_are_found),
        cmocka_unit_test(test_what_stands_before_a_break_is_given),
        cmocka_unit_test(test_a_refused_piece_ends_the_stream),
        cmocka_unit_test(test_each_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
