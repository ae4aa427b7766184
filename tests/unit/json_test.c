#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "core/json.h"
#include "lib/failalloc.h"
#include "lib/json_random.h"

static stet_status check(const char *text, stet_error *err)
{
    stet_json_kind kind = STET_JSON_OTHER;
    return stet__json_check(&stet__heap, stet_str(text), &kind, err);
}

static stet_json_kind kind_of(const char *text)
{
    stet_json_kind kind = 0;
    assert_int_equal(stet__json_check(&stet__heap, stet_str(text), &kind, NULL),
                     STET_OK);
    return kind;
}

/* Only objects are merged into; the kind decides what a write may do. */
static void test_the_kind_of_a_text_is_told(void **state)
{
    (void)state;
    assert_int_equal(kind_of(" {\"a\":[]} "), STET_JSON_OBJECT);
    assert_int_equal(kind_of("[{}]"), STET_JSON_ARRAY);
    assert_int_equal(kind_of("null"), STET_JSON_OTHER);
    assert_int_equal(kind_of("-0.5e+10"), STET_JSON_OTHER);
    assert_int_equal(kind_of("\"{}\""), STET_JSON_OTHER);
}

/* What one reader takes and another refuses would split histories. */
static void test_what_is_not_rfc_8259_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        " ",
        "{",
        "{}}",
        "{} {}",
        "[1,]",
        "{\"a\":1,}",
        "{a:1}",
        "{'a':1}",
        "[1 2]",
        "01",
        "+1",
        "1.",
        ".5",
        "1e",
        "- 1",
        "0x10",
        "NaN",
        "Infinity",
        "nul",
        "True",
        "\"\t\"",
        "\"\\x41\"",
        "\"\\u12g4\"",
        "\"",
        "/* */ 1",
        "1 // one",
        ("\xef\xbb\xbf"
         "1"),
        "\"\\ud800\"",
        "\"\\udc00\\ud800\"",
        "\"\\ud83d\\u0041\"",
        "\"\xff\"",
        "\"\xc0\x80\"",
        "\"\xed\xa0\x80\"",
        "\"\xe2\x82\"",
        "\"\xf4\x90\x80\x80\"",
        "{\"\xff\":1}",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        stet_error err = {.status = STET_OK};
        assert_int_equal(check(bad[i], &err), STET_E_INVALID);
        assert_int_equal(err.status, STET_E_INVALID);
        assert_int_equal(strncmp(err.text, "json byte ", 10), 0);
    }
    stet_json_kind kind = STET_JSON_OTHER;
    assert_int_equal(
        stet__json_check(&stet__heap, stet_slice_of("1\0", 2), &kind, NULL),
        STET_E_INVALID);
}

/* Someone must find the byte in a text of megabytes. */
static void test_errors_name_the_byte(void **state)
{
    (void)state;
    stet_error err;
    assert_int_equal(check("{\"a\":tru}", &err), STET_E_INVALID);
    assert_non_null(strstr(err.text, "json byte 5: "));
    assert_int_equal(check("{\"a\":1,\"b\":{\"c\":1,\"c\":2}}", &err),
                     STET_E_INVALID);
    assert_string_equal(err.text, "json byte 19: a second member \"c\"");
    assert_int_equal(check("{} x", &err), STET_E_INVALID);
    assert_non_null(strstr(err.text, "json byte 3: "));
}

/* Readers differ on which of two members of a name counts. */
static void test_a_name_twice_is_refused_in_any_spelling(void **state)
{
    (void)state;
    assert_int_equal(check("{\"a\":1,\"\\u0061\":2}", NULL), STET_E_INVALID);
    assert_int_equal(check("[[{\"\":1,\"\":2}]]", NULL), STET_E_INVALID);
    assert_int_equal(check("{\"a\":1,\"A\":2,\"a\\u0000\":3}", NULL), STET_OK);
    stet_buf buf;
    stet__buf_init(&buf, &stet__heap);
    /* Both ways of looking for twins: few members, and many. */
    for (int count = 2; count < 40; count++) {
        for (int twin = 0; twin < count; twin++) {
            stet__buf_reset(&buf);
            stet__buf_put_u8(&buf, '{');
            for (int i = 0; i < count; i++) {
                stet__buf_printf(&buf, "\"n%d\":[],", i);
            }
            stet__buf_printf(&buf, "\"n%d\":{}}%c", twin, 0);
            assert_int_equal(check((const char *)buf.ptr, NULL),
                             STET_E_INVALID);
        }
    }
    stet__buf_deinit(&buf);
}

static void put_times(stet_buf *buf, const char *text, size_t times)
{
    for (size_t i = 0; i < times; i++) {
        stet__buf_put_str(buf, text);
    }
}

static stet_status check_buf(const stet_buf *buf, stet_error *err)
{
    stet_json_kind kind = STET_JSON_OTHER;
    return stet__json_check(&stet__heap, stet__buf_slice(buf), &kind, err);
}

/* Every walk over values has a stack of 64. */
static void test_the_65th_level_is_refused_and_named(void **state)
{
    (void)state;
    stet_buf buf;
    stet__buf_init(&buf, &stet__heap);
    put_times(&buf, "[", STET_JSON_DEPTH_MAX);
    put_times(&buf, "]", STET_JSON_DEPTH_MAX);
    assert_int_equal(check_buf(&buf, NULL), STET_OK);

    static const char *const inner[] = {"[]", "{}", "[1]", "{\"a\":1}"};
    for (size_t i = 0; i < 4; i++) {
        stet_error err;
        stet__buf_reset(&buf);
        stet__buf_put_str(&buf, "[\"]\\\"[[\",");
        put_times(&buf, "[", STET_JSON_DEPTH_MAX - 1);
        stet__buf_put_str(&buf, inner[i]);
        put_times(&buf, "]", STET_JSON_DEPTH_MAX);
        assert_int_equal(check_buf(&buf, &err), STET_E_TOO_LARGE);
        assert_string_equal(err.text, "json byte 72: nested more than 64 deep");
    }
    stet__buf_reset(&buf);
    put_times(&buf, "[", 1000000);
    put_times(&buf, "]", 1000000);
    assert_int_equal(check_buf(&buf, NULL), STET_E_TOO_LARGE);
    stet__buf_deinit(&buf);
}

/* Memory for values is many times their text. */
static void test_the_millionth_value_is_the_last(void **state)
{
    (void)state;
    stet_buf buf;
    stet__buf_init(&buf, &stet__heap);
    stet__buf_put_str(&buf, "[1");
    put_times(&buf, ",1", STET_JSON_VALUES_MAX - 2);
    stet__buf_put_str(&buf, "]");
    assert_int_equal(check_buf(&buf, NULL), STET_OK);

    buf.len--;
    stet__buf_put_str(&buf, ",1]");
    stet_error err;
    assert_int_equal(check_buf(&buf, &err), STET_E_TOO_LARGE);
    assert_string_equal(err.text, "json has more than 1000000 values");

    buf.len--;
    put_times(&buf, ",1", 6 * STET_JSON_VALUES_MAX);
    stet__buf_put_str(&buf, "]");
    failalloc f;
    failalloc_init(&f, 0);
    stet_allocator a = failalloc_allocator(&f);
    stet_json_kind kind = STET_JSON_OTHER;
    assert_int_equal(stet__json_check(&a, stet__buf_slice(&buf), &kind, NULL),
                     STET_E_TOO_LARGE);
    assert_true(f.bytes_max < (size_t)200 << 20);
    failalloc_assert_clean(&f);
    stet__buf_deinit(&buf);
}

static void assert_written(const char *text, const char *want)
{
    stet_doc d;
    stet_buf out;
    stet_value *v = NULL;
    stet__doc_init(&d, &stet__heap);
    stet__buf_init(&out, &stet__heap);
    assert_int_equal(stet__json_read(&d, stet_str(text), 1000, &v, NULL),
                     STET_OK);
    stet__json_write(v, &out);
    assert_int_equal(out.len, strlen(want));
    assert_memory_equal(out.ptr, want, out.len);
    stet__buf_deinit(&out);
    stet__doc_deinit(&d);
}

/* The written form is part of the format: other readers must reach it. */
static void test_texts_are_written_in_one_way(void **state)
{
    (void)state;
    assert_written(" [ 1.0e+2 , -0,1e400 ,\n18446744073709551616 ] ",
                   "[1.0e+2,-0,1e400,18446744073709551616]");
    assert_written("{ \"b\" : { } , \"a\" : [ [ ] , null ] }",
                   "{\"b\":{},\"a\":[[],null]}");
    assert_written("\"\\u0022\\u005c\\/\\b\\f\\n\\r\\t\\u000b\\u001F\\u007f\"",
                   "\"\\\"\\\\/\\b\\f\\n\\r\\t\\u000b\\u001f\x7f\"");
    assert_written("\"\\u00e4\\ud83d\\ude00\\u2028<>&'\"",
                   "\"\xc3\xa4\xf0\x9f\x98\x80\xe2\x80\xa8<>&'\"");
    assert_written("true", "true");
    assert_written("[false,\"\"]", "[false,\"\"]");
}

/* Writing and reading lose nothing, and what was written stays as it is. */
static void test_a_written_text_reads_back_equal(void **state)
{
    (void)state;
    rng r = {.state = 7};
    stet_buf text;
    stet_buf once;
    stet_buf twice;
    stet__buf_init(&text, &stet__heap);
    stet__buf_init(&once, &stet__heap);
    stet__buf_init(&twice, &stet__heap);
    for (int i = 0; i < 2000; i++) {
        stet_doc d;
        stet_value *a = NULL;
        stet_value *b = NULL;
        stet__doc_init(&d, &stet__heap);
        stet__buf_reset(&text);
        stet__buf_reset(&once);
        stet__buf_reset(&twice);
        json_random_value(&r, 6, &text);
        assert_int_equal(
            stet__json_read(&d, stet__buf_slice(&text), 100000, &a, NULL),
            STET_OK);
        stet__json_write(a, &once);
        assert_int_equal(
            stet__json_read(&d, stet__buf_slice(&once), 100000, &b, NULL),
            STET_OK);
        stet__json_write(b, &twice);
        assert_true(stet__value_eq(a, b));
        assert_true(
            stet__slice_eq(stet__buf_slice(&once), stet__buf_slice(&twice)));
        stet__doc_deinit(&d);
    }
    stet__buf_deinit(&text);
    stet__buf_deinit(&once);
    stet__buf_deinit(&twice);
}

static void assert_string_at(const char *text, const char *pointers,
                             const char *want)
{
    stet_buf out;
    stet__buf_init(&out, &stet__heap);
    stet_status st = stet__json_string_at(&stet__heap, stet_str(text),
                                          stet_str(pointers), &out);
    assert_int_equal(st, want == NULL ? STET_E_NOT_FOUND : STET_OK);
    if (want != NULL) {
        assert_int_equal(out.len, strlen(want));
        assert_memory_equal(out.ptr, want, out.len);
    }
    stet__buf_deinit(&out);
}

/* The state's name: current_state, else phase, wherever options say. */
static void test_the_first_pointer_to_a_string_wins(void **state)
{
    (void)state;
    static const char both[] = "/current_state /phase";
    assert_string_at("{\"phase\":\"a\",\"current_state\":\"b\"}", both, "b");
    assert_string_at("{\"phase\":\"a\"}", both, "a");
    assert_string_at("{\"phase\":\"a\",\"current_state\":7}", both, "a");
    assert_string_at("{\"x\":{\"phase\":\"a\"}}", both, NULL);
    assert_string_at("{\"x\":\"phase\"}", both, NULL);
    assert_string_at("{\"x\":1}", both, NULL);
    assert_string_at("", both, NULL);
    assert_string_at("{\"x\":[{},{\"y~/\":\"\\u00e4\\n\"}]}", "/x/1/y~0~1",
                     "\xc3\xa4\n");
    assert_string_at("{\"\":\"e\"}", "/", "e");
    assert_string_at("{\"phase\":\"\"}", both, "");
}

/* The cheap look before reading must not miss a name that is spelled out. */
static void test_a_name_behind_escapes_is_found(void **state)
{
    (void)state;
    assert_string_at("{\"ph\\u0061se\":\"a\"}", "/phase", "a");
    assert_string_at("{\"a\\/b\":\"a\"}", "/a~1b", "a");
}

/* A save's bytes are opaque: anything may be there, and then has no name. */
static void test_no_name_is_found_in_what_is_not_json(void **state)
{
    (void)state;
    assert_string_at("{\"phase\":\"a\"", "/phase", NULL);
    assert_string_at("phase", "/phase", NULL);
    assert_string_at("{\"phase\":\"a\"}x", "/phase", NULL);
    assert_string_at("{\"phase\":\"\xff\"}", "/phase", NULL);
}

/* Of two members of one name nobody knows which was meant. */
static void test_a_name_that_is_there_twice_is_not_taken(void **state)
{
    (void)state;
    assert_string_at("{\"phase\":\"a\",\"phase\":\"b\"}", "/phase", NULL);
    assert_string_at("{\"x\":{\"p\":\"a\"},\"x\":{}}", "/x/p", NULL);
    assert_string_at("{\"phase\":\"a\",\"x\":{\"y\":1,\"y\":2}}", "/phase",
                     "a");
    assert_string_at("[7,[\"a\"]]", "/1/0", "a");
    assert_string_at("[7,[\"a\"]]", "/1/1 /01/0 /2 /0/0", NULL);
}

/* An option with a typing error is refused when the store is opened. */
static void test_pointer_lists_are_checked(void **state)
{
    (void)state;
    assert_true(stet__json_pointers_are_valid(stet_str("")));
    assert_true(stet__json_pointers_are_valid(stet_str("/a")));
    assert_true(stet__json_pointers_are_valid(stet_str("/a /b/0 /c~1")));
    assert_false(stet__json_pointers_are_valid(stet_str("a")));
    assert_false(stet__json_pointers_are_valid(stet_str("/a  /b")));
    assert_false(stet__json_pointers_are_valid(stet_str(" /a")));
    assert_false(stet__json_pointers_are_valid(stet_str("/a b")));
    assert_false(stet__json_pointers_are_valid(stet_str("/~")));
}

/* Without memory the answer is NOMEM, never "not JSON" or "no name". */
static void test_no_memory_is_told_from_no_json(void **state)
{
    (void)state;
    rng r = {.state = 3};
    stet_buf text;
    stet__buf_init(&text, &stet__heap);
    stet__buf_put_str(&text, "{\"x~\":\"found\",\"y\":[");
    for (int i = 0; i < 40; i++) {
        json_random_object(&r, 5, &text);
        stet__buf_put_u8(&text, ',');
    }
    stet__buf_put_str(&text, "0]}");
    stet_slice slice = stet__buf_slice(&text);
    for (size_t nth = 1;; nth++) {
        failalloc f;
        failalloc_init(&f, nth);
        stet_allocator a = failalloc_allocator(&f);
        stet_json_kind kind = STET_JSON_OTHER;
        stet_error err = {.status = STET_OK};
        stet_status st = stet__json_check(&a, slice, &kind, &err);
        assert_int_equal(st, f.is_hit ? STET_E_NOMEM : STET_OK);
        assert_int_equal(err.status, st);
        failalloc_assert_clean(&f);
        if (!f.is_hit) {
            break;
        }
    }
    for (size_t nth = 1;; nth++) {
        failalloc f;
        failalloc_init(&f, nth);
        stet_allocator a = failalloc_allocator(&f);
        stet_buf out;
        stet__buf_init(&out, &a);
        stet_status st =
            stet__json_string_at(&a, slice, stet_str("/z /x~0"), &out);
        assert_int_equal(st, f.is_hit ? STET_E_NOMEM : STET_OK);
        stet__buf_deinit(&out);
        failalloc_assert_clean(&f);
        if (!f.is_hit) {
            break;
        }
    }
    stet__buf_deinit(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_kind_of_a_text_is_told),
        cmocka_unit_test(test_what_is_not_rfc_8259_is_refused),
        cmocka_unit_test(test_errors_name_the_byte),
        cmocka_unit_test(test_a_name_twice_is_refused_in_any_spelling),
        cmocka_unit_test(test_the_65th_level_is_refused_and_named),
        cmocka_unit_test(test_the_millionth_value_is_the_last),
        cmocka_unit_test(test_texts_are_written_in_one_way),
        cmocka_unit_test(test_a_written_text_reads_back_equal),
        cmocka_unit_test(test_the_first_pointer_to_a_string_wins),
        cmocka_unit_test(test_a_name_behind_escapes_is_found),
        cmocka_unit_test(test_no_name_is_found_in_what_is_not_json),
        cmocka_unit_test(test_a_name_that_is_there_twice_is_not_taken),
        cmocka_unit_test(test_pointer_lists_are_checked),
        cmocka_unit_test(test_no_memory_is_told_from_no_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
