#include "base/checksum.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/rng.h"

typedef uint32_t (*crc_fn)(uint32_t crc, const void *ptr, size_t len);

static const crc_fn crcs[] = {stet__crc32c, stet__crc32c_soft};

/* Files are read by programs that know CRC32C only from its RFC. */
static void test_crc32c_gives_the_vectors_of_rfc_3720(void **state)
{
    (void)state;
    uint8_t zeros[32] = {0};
    uint8_t ones[32];
    uint8_t rising[32];
    uint8_t falling[32];
    memset(ones, 0xff, sizeof ones);
    for (uint8_t i = 0; i < 32; i++) {
        rising[i] = i;
        falling[i] = (uint8_t)(31 - i);
    }
    static const uint8_t read_pdu[48] = {
        0x01, 0xc0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,    0, 0, 0, 0,
        0x14, 0,    0, 0, 0, 0, 4, 0, 0, 0, 0, 0x14, 0, 0, 0, 0x18,
        0x28, 0,    0, 0, 0, 0, 0, 0, 2, 0, 0, 0,    0, 0, 0, 0};
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(crcs[i](0, zeros, 32), 0x8a9136aa);
        assert_int_equal(crcs[i](0, ones, 32), 0x62a8ab43);
        assert_int_equal(crcs[i](0, rising, 32), 0x46dd794e);
        assert_int_equal(crcs[i](0, falling, 32), 0x113fdb5c);
        assert_int_equal(crcs[i](0, read_pdu, 48), 0xd9963a56);
        assert_int_equal(crcs[i](0, "123456789", 9), 0xe3069283);
        assert_int_equal(crcs[i](0, NULL, 0), 0);
    }
}

/* The definition, bit by bit. */
static uint32_t crc_by_bits(uint32_t crc, const uint8_t *p, size_t len)
{
    crc = ~crc;
    for (size_t i = 0; i < len; i++) {
        crc ^= p[i];
        for (int bit = 0; bit < 8; bit++) {
            crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0x82f63b78 : 0);
        }
    }
    return ~crc;
}

/*
 * A file that one machine wrote is checked on another: all three must agree at
 * each length and alignment, among them those where the fast ways change gear.
 */
static void test_fast_crc32c_equals_the_definition(void **state)
{
    (void)state;
    enum { LEN_MAX = 3200 };
    rng r = {4};
    uint8_t *bytes = malloc(LEN_MAX + 16);
    assert_non_null(bytes);
    rng_fill(&r, bytes, LEN_MAX + 16);
    for (size_t len = 0; len <= LEN_MAX; len++) {
        const uint8_t *p = bytes + rng_below(&r, 16);
        uint32_t start = (uint32_t)rng_next(&r);
        uint32_t wanted = crc_by_bits(start, p, len);
        assert_int_equal(stet__crc32c(start, p, len), wanted);
        assert_int_equal(stet__crc32c_soft(start, p, len), wanted);
    }
    free(bytes);
}

/* Frames are summed piece by piece as they are filled. */
static void test_crc32c_goes_on_where_it_stopped(void **state)
{
    (void)state;
    enum { LEN = 5000 };
    rng r = {5};
    uint8_t bytes[LEN];
    rng_fill(&r, bytes, LEN);
    uint32_t whole = stet__crc32c(0, bytes, LEN);
    for (int round = 0; round < 500; round++) {
        uint32_t crc = 0;
        for (size_t at = 0; at < LEN;) {
            size_t len = 1 + rng_below(&r, LEN - at);
            crc = crcs[rng_below(&r, 2)](crc, bytes + at, len);
            at += len;
        }
        assert_int_equal(crc, whole);
    }
}

/* State names on disk must mean the same in every build. */
static void test_hashes_give_the_vectors_of_xxh3(void **state)
{
    (void)state;
    static const uint8_t empty128[16] = {0x99, 0xaa, 0x06, 0xd3, 0x01, 0x47,
                                         0x98, 0xd8, 0x60, 0x01, 0xc3, 0x24,
                                         0x46, 0x8d, 0x49, 0x7f};
    uint8_t out[16];
    assert_true(stet__hash64("", 0) == 0x2d06800538d394c2);
    assert_true(stet__hash64_seed("", 0, 0) == 0x2d06800538d394c2);
    assert_true(stet__hash64_seed("", 0, 1) != 0x2d06800538d394c2);
    stet__hash128("", 0, 0, out);
    assert_memory_equal(out, empty128, sizeof out);
    stet__hash128("", 0, 1, out);
    assert_memory_not_equal(out, empty128, sizeof out);
}

/* Users compare these with what sha256sum prints. */
static void test_sha256_gives_the_vectors_of_fips_180(void **state)
{
    (void)state;
    static const uint8_t abc[32] = {
        0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea, 0x41, 0x41, 0x40,
        0xde, 0x5d, 0xae, 0x22, 0x23, 0xb0, 0x03, 0x61, 0xa3, 0x96, 0x17,
        0x7a, 0x9c, 0xb4, 0x10, 0xff, 0x61, 0xf2, 0x00, 0x15, 0xad};
    static const uint8_t empty[32] = {
        0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4,
        0xc8, 0x99, 0x6f, 0xb9, 0x24, 0x27, 0xae, 0x41, 0xe4, 0x64, 0x9b,
        0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55};
    uint8_t out[STET_SHA256_BYTES];
    stet__sha256("abc", 3, out);
    assert_memory_equal(out, abc, sizeof out);
    stet__sha256(NULL, 0, out);
    assert_memory_equal(out, empty, sizeof out);
}

/* One hasher takes text after text, and none of them shows in the next. */
static void test_a_hasher_gives_what_one_call_gives(void **state)
{
    (void)state;
    uint8_t text[300];
    uint8_t due[STET_SHA256_BYTES];
    uint8_t got[STET_SHA256_BYTES];
    stet_hasher *h = stet__hasher_create();
    assert_non_null(h);
    for (size_t len = 0; len <= sizeof text; len += 7) {
        memset(text, (int)len, sizeof text);
        stet__sha256(text, len, due);
        stet__hasher_sha256(h, text, len, got);
        assert_memory_equal(got, due, sizeof due);
    }
    stet__hasher_destroy(h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_crc32c_gives_the_vectors_of_rfc_3720),
        cmocka_unit_test(test_fast_crc32c_equals_the_definition),
        cmocka_unit_test(test_crc32c_goes_on_where_it_stopped),
        cmocka_unit_test(test_hashes_give_the_vectors_of_xxh3),
        cmocka_unit_test(test_sha256_gives_the_vectors_of_fips_180),
        cmocka_unit_test(test_a_hasher_gives_what_one_call_gives),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
