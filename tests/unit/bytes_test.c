#include "base/bytes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "lib/rng.h"

/* A value of any magnitude, each bit length equally likely. */
static uint64_t any_u64(rng *r)
{
    return rng_next(r) >> rng_below(r, 64);
}

/* The format is fixed: files move between machines of either byte order. */
static void test_integers_lie_least_significant_byte_first(void **state)
{
    (void)state;
    uint8_t p[8];
    stet__put_u16le(p, 0x0102);
    assert_memory_equal(p, "\2\1", 2);
    assert_int_equal(stet__get_u16le(p), 0x0102);
    stet__put_u32le(p, 0xf1020304);
    assert_memory_equal(p, "\4\3\2\xf1", 4);
    assert_int_equal(stet__get_u32le(p), 0xf1020304);
    stet__put_u64le(p, 0xf102030405060708);
    assert_memory_equal(p, "\x8\7\6\5\4\3\2\xf1", 8);
    assert_true(stet__get_u64le(p) == 0xf102030405060708);
}

/* Every value that is written is read back, from exactly its own bytes. */
static void test_varint_reads_back_what_was_written(void **state)
{
    (void)state;
    rng r = {1};
    for (int round = 0; round < 100000; round++) {
        uint64_t v = any_u64(&r);
        uint8_t p[STET_VARINT_BYTES_MAX];
        size_t len = (size_t)(stet__put_varint(p, v) - p);
        assert_int_equal(len, stet__varint_bytes(v));
        stet_reader in = stet__reader_of(stet_slice_of(p, len));
        assert_true(stet__read_varint(&in) == v);
        assert_false(in.is_bad);
        assert_int_equal(stet__read_left(&in), 0);
        for (size_t cut = 0; cut < len; cut++) {
            in = stet__reader_of(stet_slice_of(p, cut));
            assert_true(stet__read_varint(&in) == 0);
            assert_true(in.is_bad);
        }
    }
}

/* A varint is decoded another way where more bytes follow: the same value. */
static void test_varint_does_not_depend_on_what_follows(void **state)
{
    (void)state;
    rng r = {6};
    for (int round = 0; round < 100000; round++) {
        uint64_t v = any_u64(&r);
        uint8_t p[2 * STET_VARINT_BYTES_MAX];
        size_t len = (size_t)(stet__put_varint(p, v) - p);
        memset(p + len, (int)(rng_next(&r) & 0xff), sizeof p - len);
        stet_reader in = stet__reader_of(stet_slice_of(p, sizeof p));
        assert_true(stet__read_varint(&in) == v);
        assert_false(in.is_bad);
        assert_int_equal(stet__read_left(&in), sizeof p - len);
    }
}

/* The edges of each length are where an off-by-one would sit. */
static void test_varint_grows_a_byte_each_seven_bits(void **state)
{
    (void)state;
    assert_int_equal(stet__varint_bytes(0), 1);
    for (size_t bytes = 1; bytes < STET_VARINT_BYTES_MAX; bytes++) {
        uint64_t over = (uint64_t)1 << (7 * bytes);
        assert_int_equal(stet__varint_bytes(over - 1), bytes);
        assert_int_equal(stet__varint_bytes(over), bytes + 1);
    }
    assert_int_equal(stet__varint_bytes(UINT64_MAX), 10);
}

/* A second encoding of a value would have a second checksum and hash. */
static void test_varint_has_one_encoding(void **state)
{
    (void)state;
    rng r = {2};
    for (int round = 0; round < 200000; round++) {
        uint8_t p[12];
        for (size_t i = 0; i < sizeof p; i++) {
            uint8_t low = (uint8_t)(rng_below(&r, 4) == 0 ? 0 : rng_next(&r));
            p[i] = (uint8_t)(low | (rng_below(&r, 8) != 0 ? 0x80 : 0));
        }
        stet_reader in = stet__reader_of(stet_slice_of(p, sizeof p));
        uint64_t v = stet__read_varint(&in);
        if (!in.is_bad) {
            uint8_t again[STET_VARINT_BYTES_MAX];
            size_t len = (size_t)(stet__put_varint(again, v) - again);
            assert_int_equal(len, sizeof p - stet__read_left(&in));
            assert_memory_equal(again, p, len);
        }
    }
}

/* What is refused, by name: padded, above 64 bits, and never ending. */
static void test_varint_refuses_what_is_not_shortest(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t len;
        bool is_good;
    } cases[] = {
        {"\x00", 1, true},
        {"\x80\x00", 2, false},
        {"\xff\x00", 2, false},
        {"\x80\x01", 2, true},
        {"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 10, true},
        {"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 10, false},
        {"\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01", 11, false},
        {"", 0, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        stet_reader in =
            stet__reader_of(stet_slice_of(cases[i].bytes, cases[i].len));
        (void)stet__read_varint(&in); /* whether it is good is the claim */
        assert_int_equal(in.is_bad, !cases[i].is_good);
    }
}

/* Small differences of either sign are what most signed fields hold. */
static void test_zigzag_keeps_small_magnitudes_small(void **state)
{
    (void)state;
    static const int64_t values[] = {0, -1, 1, -2, 2};
    for (uint64_t i = 0; i < 5; i++) {
        assert_true(stet__zigzag(values[i]) == i);
        assert_true(stet__unzigzag(i) == values[i]);
    }
    assert_true(stet__zigzag(INT64_MIN) == UINT64_MAX);
    assert_true(stet__unzigzag(UINT64_MAX) == INT64_MIN);
    assert_true(stet__unzigzag(UINT64_MAX - 1) == INT64_MAX);
    rng r = {3};
    for (int round = 0; round < 10000; round++) {
        uint8_t p[STET_VARINT_BYTES_MAX];
        int64_t v = (int64_t)any_u64(&r) * (round % 2 == 0 ? 1 : -1);
        size_t len = (size_t)(stet__put_varint(p, stet__zigzag(v)) - p);
        stet_reader in = stet__reader_of(stet_slice_of(p, len));
        assert_true(stet__read_signed(&in) == v);
    }
}

/* Decoders check once at the end; until then a bad reader gives nothing. */
static void test_read_past_the_end_is_bad_for_good(void **state)
{
    (void)state;
    static const uint8_t p[9] = {1, 2, 3, 4, 5, 6, 7, 8, 9};
    for (size_t len = 0; len < 8; len++) {
        /* A copy of its own, so that a sanitizer sees a read beyond it. */
        uint8_t *copy = malloc(len + 1);
        assert_non_null(copy);
        memcpy(copy, p, len);
        stet_reader in = stet__reader_of(stet_slice_of(copy, len));
        assert_true(stet__read_u64le(&in) == 0);
        assert_true(in.is_bad);
        assert_int_equal(stet__read_u8(&in), 0);
        assert_int_equal(stet__read_u16le(&in), 0);
        assert_int_equal(stet__read_u32le(&in), 0);
        assert_true(stet__read_varint(&in) == 0);
        assert_int_equal(stet__read_bytes(&in, 0).len, 0);
        assert_int_equal(stet__read_bytes(&in, 1).len, 0);
        assert_int_equal(stet__read_left(&in), 0);
        assert_true(in.is_bad);
        free(copy);
    }
}

/* A decoder that meets a wrong value says so, and reads nothing more. */
static void test_reader_marked_bad_gives_nothing(void **state)
{
    (void)state;
    static const uint8_t p[] = {1, 2, 3, 4, 5, 6, 7, 8, 9};
    stet_reader in = stet__reader_of(stet_slice_of(p, sizeof p));
    in.is_bad = true;
    assert_int_equal(stet__read_u8(&in), 0);
    in = stet__reader_of(stet_slice_of(p, sizeof p));
    in.is_bad = true;
    assert_true(stet__read_varint(&in) == 0);
    assert_int_equal(stet__read_left(&in), 0);
    assert_true(in.is_bad);
}

/* Fields come off in order, and lent bytes are the ones in place. */
static void test_reader_takes_fields_off_the_front(void **state)
{
    (void)state;
    static const uint8_t p[] = {1, 2, 0, 3, 0, 0, 0, 4, 0,    0, 0,
                                0, 0, 0, 0, 5, 9, 9, 9, 0x81, 1};
    stet_reader in = stet__reader_of(stet_slice_of(p, sizeof p));
    assert_int_equal(stet__read_u8(&in), 1);
    assert_int_equal(stet__read_u16le(&in), 2);
    assert_int_equal(stet__read_u32le(&in), 3);
    assert_true(stet__read_u64le(&in) == 4);
    stet_slice lent = stet__read_bytes(&in, 4);
    assert_ptr_equal(lent.ptr, p + 15);
    assert_int_equal(lent.len, 4);
    assert_true(stet__read_varint(&in) == 129);
    assert_int_equal(stet__read_left(&in), 0);
    assert_false(in.is_bad);
    (void)stet__read_bytes(&in, SIZE_MAX); /* whether it is bad is the claim */
    assert_true(in.is_bad);
}

/* An empty slice may point nowhere, which C gives no arithmetic for. */
static void test_empty_slices_need_no_pointer(void **state)
{
    (void)state;
    stet_slice none = {0};
    stet_reader in = stet__reader_of(none);
    assert_int_equal(stet__read_left(&in), 0);
    assert_int_equal(stet__read_bytes(&in, 0).len, 0);
    assert_false(in.is_bad);
    assert_true(stet__slice_eq(none, stet_str("")));
    assert_false(stet__slice_eq(none, stet_str("a")));
    assert_int_equal(stet__slice_cmp(none, stet_str("")), 0);
    assert_true(stet__slice_cmp(none, stet_str("a")) < 0);
}

/* Sorted files and range scans rest on this order. */
static void test_slices_order_by_unsigned_bytes_then_length(void **state)
{
    (void)state;
    static const char *const rising[] = {"",    "a", "a\x01", "aa",   "ab",
                                         "ab1", "b", "\x7f",  "\x80", "\xff"};
    for (size_t i = 0; i < 10; i++) {
        for (size_t j = 0; j < 10; j++) {
            stet_slice a = stet_str(rising[i]);
            stet_slice b = stet_str(rising[j]);
            int order = stet__slice_cmp(a, b);
            assert_int_equal((order > 0) - (order < 0), (i > j) - (i < j));
            assert_int_equal(stet__slice_eq(a, b), i == j);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_integers_lie_least_significant_byte_first),
        cmocka_unit_test(test_varint_reads_back_what_was_written),
        cmocka_unit_test(test_varint_does_not_depend_on_what_follows),
        cmocka_unit_test(test_varint_grows_a_byte_each_seven_bits),
        cmocka_unit_test(test_varint_has_one_encoding),
        cmocka_unit_test(test_varint_refuses_what_is_not_shortest),
        cmocka_unit_test(test_zigzag_keeps_small_magnitudes_small),
        cmocka_unit_test(test_read_past_the_end_is_bad_for_good),
        cmocka_unit_test(test_reader_marked_bad_gives_nothing),
        cmocka_unit_test(test_reader_takes_fields_off_the_front),
        cmocka_unit_test(test_empty_slices_need_no_pointer),
        cmocka_unit_test(test_slices_order_by_unsigned_bytes_then_length),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
