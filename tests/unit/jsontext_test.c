#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "formats/jsontext.h"
#include "lib/rng.h"

/* List an object's members as "name type raw text", one a line. */
static void list_members(stet_buf *out, stet_slice text)
{
    stet_arena arena;
    stet_jsontext_object o;
    stet_jsontext_member m;
    stet__arena_init(&arena, &stet__heap);
    assert_int_equal(stet__jsontext_open(&o, text, &arena, NULL), STET_OK);
    while (stet__jsontext_next(&o, &m)) {
        stet__buf_put_slice(out, m.name);
        stet__buf_printf(out, " %d ", (int)m.type);
        stet__buf_put_slice(out, m.raw);
        stet__buf_put_u8(out, ' ');
        stet__buf_put_slice(out, m.text);
        stet__buf_put_u8(out, '\n');
    }
    stet__arena_deinit(&arena);
}

static void assert_lists(const char *text, const char *want)
{
    stet_buf out;
    stet__buf_init(&out, &stet__heap);
    list_members(&out, stet_str(text));
    stet__buf_put_u8(&out, '\0');
    assert_string_equal((const char *)out.ptr, want);
    stet__buf_deinit(&out);
}

/* States are stored from here: not a byte more or less than the value. */
static void test_a_member_is_given_with_its_exact_bytes(void **state)
{
    (void)state;
    assert_lists(" { \"a\" : 1.50 ,\t\"b\":\"x\\\"}\\u0041\",\"c\":\n"
                 "[1,{\"d\":\"]\"} ] , \"e\\n\":{ },\"f\":null,\"g\":true} ",
                 "a 3 1.50 1.50\n"
                 "b 4 \"x\\\"}\\u0041\" x\"}A\n"
                 "c 5 [1,{\"d\":\"]\"} ] [1,{\"d\":\"]\"} ]\n"
                 "e\n 6 { } { }\n"
                 "f 1 null null\n"
                 "g 2 true true\n");
    assert_lists("{}", "");
    assert_lists("{\"a\":\"\\\\\",\"b\":\"\\\\\\\"\"}",
                 "a 4 \"\\\\\" \\\nb 4 \"\\\\\\\"\" \\\"\n");
}

/* Numbers are kept as text, so none is too large or too exact. */
static void test_numbers_of_any_size_are_kept(void **state)
{
    (void)state;
    assert_lists("{\"a\":18446744073709551617,\"b\":1e999,\"c\":-0.10}",
                 "a 3 18446744073709551617 18446744073709551617\n"
                 "b 3 1e999 1e999\n"
                 "c 3 -0.10 -0.10\n");
}

static void test_depth_costs_no_stack(void **state)
{
    (void)state;
    enum { DEPTH = 200 * 1000 };
    stet_buf text;
    stet_buf out;
    stet__buf_init(&text, &stet__heap);
    stet__buf_init(&out, &stet__heap);
    stet__buf_put_str(&text, "{\"a\":");
    for (int i = 0; i < DEPTH; i++) {
        stet__buf_put_u8(&text, '[');
    }
    for (int i = 0; i < DEPTH; i++) {
        stet__buf_put_u8(&text, ']');
    }
    stet__buf_put_u8(&text, '}');
    list_members(&out, stet__buf_slice(&text));
    assert_int_equal(out.len, 2 * (2 * DEPTH + 1) + 4);
    stet__buf_deinit(&text);
    stet__buf_deinit(&out);
}

static void test_what_is_not_json_is_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {"",
                                        "{",
                                        "{\"a\"}",
                                        "{\"a\":1,}",
                                        "{'a':1}",
                                        "{a:1}",
                                        "{}{}",
                                        "{\"a\":+1}",
                                        "[1] x",
                                        "{\"a\":\"\x80\"}",
                                        "nul",
                                        "\"\n\"",
                                        "{\"a\":.5}",
                                        "{\"a\":1.}",
                                        "{\"a\":\"\\ud800\"}",
                                        "/**/1",
                                        "{\"a\":NaN}"};
    stet_arena arena;
    stet__arena_init(&arena, &stet__heap);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        stet_error err = {0};
        assert_int_equal(stet__jsontext_check(stet_str(texts[i]), &arena, &err),
                         STET_E_INVALID);
        assert_memory_equal(err.text, "not JSON: ", 10);
    }
    /* The place is counted from 1, as an editor does. */
    stet_error err = {0};
    assert_int_equal(
        stet__jsontext_check(stet_str("{\"a\":NaN}"), &arena, &err),
        STET_E_INVALID);
    assert_non_null(strstr(err.text, " at byte 6"));
    stet_jsontext_object o;
    assert_int_equal(stet__jsontext_open(&o, stet_str("[]"), &arena, NULL),
                     STET_E_INVALID);
    assert_int_equal(stet__jsontext_check(stet_str(" [1] "), &arena, NULL),
                     STET_OK);
    stet__arena_deinit(&arena);
}

/* The rule of RFC 8259, section 6, against a parser that knows it. */
static void test_a_number_is_what_a_parser_takes_for_one(void **state)
{
    (void)state;
    static const char letters[] = "0019-+.eE";
    rng r = {3};
    stet_arena arena;
    stet__arena_init(&arena, &stet__heap);
    size_t numbers = 0;
    for (int round = 0; round < 20000; round++) {
        char text[8];
        size_t len = rng_below(&r, sizeof text);
        for (size_t i = 0; i < len; i++) {
            text[i] = letters[rng_below(&r, sizeof letters - 1)];
        }
        stet_slice s = stet_slice_of(text, len);
        stet__arena_reset(&arena);
        bool is_number = stet__jsontext_check(s, &arena, NULL) == STET_OK;
        assert_int_equal(stet__jsontext_is_number(s), is_number);
        numbers += is_number;
    }
    assert_true(numbers > 100);
    assert_false(stet__jsontext_is_number(stet_str(" 1")));
    assert_false(stet__jsontext_is_number(stet_str("1 ")));
    assert_false(stet__jsontext_is_number(stet_str("true")));
    stet__arena_deinit(&arena);
}

/* Whatever the text, reading what was written gives it back. */
static void test_a_written_string_reads_back(void **state)
{
    (void)state;
    char text[0x80 + 2];
    for (size_t i = 0; i < 0x80; i++) {
        text[i] = (char)i;
    }
    memcpy(text + 0x80, "\xc3\xa9", 2);
    stet_buf out;
    stet__buf_init(&out, &stet__heap);
    stet__buf_put_str(&out, "{\"a\":");
    stet__jsontext_put_string(&out, stet_slice_of(text, sizeof text));
    stet__buf_put_str(&out, ",\"b\":");
    stet__jsontext_put_string(&out, stet_slice_of(NULL, 0));
    stet__buf_put_u8(&out, '}');

    stet_arena arena;
    stet_jsontext_object o;
    stet_jsontext_member m;
    stet__arena_init(&arena, &stet__heap);
    assert_int_equal(
        stet__jsontext_open(&o, stet__buf_slice(&out), &arena, NULL), STET_OK);
    assert_true(stet__jsontext_next(&o, &m));
    assert_int_equal(m.text.len, sizeof text);
    assert_memory_equal(m.text.ptr, text, sizeof text);
    assert_true(stet__jsontext_next(&o, &m));
    assert_int_equal(m.text.len, 0);
    assert_false(stet__jsontext_next(&o, &m));
    stet__arena_deinit(&arena);
    stet__buf_deinit(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_member_is_given_with_its_exact_bytes),
        cmocka_unit_test(test_numbers_of_any_size_are_kept),
        cmocka_unit_test(test_depth_costs_no_stack),
        cmocka_unit_test(test_what_is_not_json_is_refused),
        cmocka_unit_test(test_a_number_is_what_a_parser_takes_for_one),
        cmocka_unit_test(test_a_written_string_reads_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
