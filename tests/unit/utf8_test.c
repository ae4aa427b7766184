#include "base/utf8.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static bool is_valid(const uint8_t *p, size_t len)
{
    return stet__utf8_is_valid(stet_slice_of(p, len));
}

/* Encode in `len` bytes, 2 to 4, whether or not that is the right length. */
static void encode(uint32_t point, size_t len, uint8_t out[4])
{
    static const uint8_t leads[] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (size_t i = len - 1; i > 0; i--) {
        out[i] = (uint8_t)(0x80 | (point & 0x3f));
        point >>= 6;
    }
    out[0] = (uint8_t)(leads[len] | point);
}

static size_t shortest(uint32_t point)
{
    return point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
}

/*
 * A character has one encoding and a surrogate none: else an id that a check
 * refused could come back in other bytes.
 */
static void test_each_character_is_valid_in_its_shortest_form_only(void **state)
{
    (void)state;
    for (uint32_t point = 0; point < 0x200000; point++) {
        bool is_char = point <= 0x10ffff && (point < 0xd800 || point > 0xdfff);
        uint8_t bytes[4] = {(uint8_t)point};
        if (point < 0x80) {
            assert_true(is_valid(bytes, 1));
        }
        for (size_t len = 2; len <= 4; len++) {
            if (len < shortest(point)) {
                continue;
            }
            encode(point, len, bytes);
            assert_int_equal(is_valid(bytes, len),
                             is_char && len == shortest(point));
        }
    }
}

/* The edges of every byte range that RFC 3629 names, in every place. */
static void test_no_other_bytes_are_valid(void **state)
{
    (void)state;
    static const uint8_t edges[] = {0x00, 0x7f, 0x80, 0x8f, 0x90,
                                    0x9f, 0xa0, 0xbf, 0xc0, 0xff};
    size_t pairs = 0;
    size_t triples = 0;
    for (unsigned lead = 0xc0; lead <= 0xff; lead++) {
        for (unsigned second = 0; second <= 0xff; second++) {
            uint8_t p[4] = {(uint8_t)lead, (uint8_t)second};
            pairs += is_valid(p, 2);
            for (unsigned third = 0; third <= 0xff; third++) {
                p[2] = (uint8_t)third;
                triples += lead >= 0xe0 && is_valid(p, 3);
            }
        }
        for (size_t i = 0; i < 1000; i++) {
            uint8_t p[4] = {(uint8_t)lead, edges[i / 100], edges[i / 10 % 10],
                            edges[i % 10]};
            bool is_tail = (p[2] & 0xc0) == 0x80 && (p[3] & 0xc0) == 0x80;
            bool is_second = lead == 0xf0   ? p[1] >= 0x90 && p[1] < 0xc0
                             : lead == 0xf4 ? p[1] >= 0x80 && p[1] < 0x90
                                            : (p[1] & 0xc0) == 0x80;
            if (lead >= 0xf0) {
                assert_int_equal(is_valid(p, 4),
                                 lead <= 0xf4 && is_tail && is_second);
            }
        }
    }
    assert_int_equal(pairs, 0x800 - 0x80);
    assert_int_equal(triples, 0x10000 - 0x800 - 0x800);
    for (unsigned lone = 0x80; lone <= 0xff; lone++) {
        uint8_t p = (uint8_t)lone;
        assert_false(is_valid(&p, 1));
    }
}

/* A text that ends inside a character is not read beyond. */
static void test_cut_characters_are_invalid(void **state)
{
    (void)state;
    static const char text[] = "a\xc3\xa4\xe2\x82\xac\xf0\x9f\x8e\xb2";
    static const bool is_whole[] = {1, 1, 0, 1, 0, 0, 1, 0, 0, 0, 1};
    for (size_t len = 0; len < sizeof text; len++) {
        uint8_t *copy = malloc(len + 1);
        assert_non_null(copy);
        copy = realloc(copy, len == 0 ? 1 : len);
        assert_non_null(copy);
        memcpy(copy, text, len);
        assert_int_equal(is_valid(copy, len), is_whole[len]);
        free(copy);
    }
    assert_true(is_valid(NULL, 0));
}

/* Ids are printed in terminals and logs, which control characters steer. */
static void test_printable_text_has_no_control_characters(void **state)
{
    (void)state;
    for (uint32_t point = 0; point < 0x100; point++) {
        uint8_t bytes[4] = {(uint8_t)point};
        size_t len = point < 0x80 ? 1 : 2;
        if (len == 2) {
            encode(point, len, bytes);
        }
        bool is_control = point < 0x20 || (point >= 0x7f && point <= 0x9f);
        assert_true(is_valid(bytes, len));
        assert_int_equal(stet__utf8_is_printable(stet_slice_of(bytes, len)),
                         !is_control);
    }
    assert_true(stet__utf8_is_printable(stet_str("game:\xf0\x9f\x8e\xb2 1")));
    assert_false(stet__utf8_is_printable(stet_str("a\nb")));
    assert_false(stet__utf8_is_printable(stet_str("a\xff")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            test_each_character_is_valid_in_its_shortest_form_only),
        cmocka_unit_test(test_no_other_bytes_are_valid),
        cmocka_unit_test(test_cut_characters_are_invalid),
        cmocka_unit_test(test_printable_text_has_no_control_characters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
