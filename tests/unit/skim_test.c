#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "core/json.h"
#include "core/skim.h"
#include "lib/rng.h"

static const char both[] = "/current_state /phase";

static bool is_certain(const char *text, const char *pointers,
                       const char *known)
{
    return stet__skim_says_no_other(stet_str(text), stet_str(pointers),
                                    stet_str(known));
}

/* What makes saves quick: states that begin with a name that they had. */
static void test_a_name_at_the_front_is_certain(void **state)
{
    (void)state;
    assert_true(is_certain("{\"current_state\":\"a\"}", both, "a"));
    assert_true(is_certain(" {\n\t\"current_state\" :\r \"a\" , \"x\" : [1] }",
                           both, "a"));
    assert_true(is_certain("{\"id\":\"m:1\",\"turn\": 17 ,\"is_on\":true,"
                           "\"current_state\":\"a\",\"phase\":\"b\",\"x\":{}}",
                           both, "a"));
    assert_true(is_certain("{\"phase\":\"a\"}", "/phase", "a"));
}

/* Each of these may give another name, or does. */
static void test_another_name_is_never_ruled_out_wrongly(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "{\"current_state\":\"b\"}",
        "{\"phase\":\"b\"}",
        "{\"current_state\":\"a\",\"current_state\":\"a\",\"phase\":\"b\"}",
        "{\"current_state\":\"a\",\"\\u0063urrent_state\":1,\"phase\":\"b\"}",
        "{\"current_state\":\"a\\u0062\"}",
        "{\"x\":{\"current_state\":\"a\"},\"phase\":\"b\"}",
        "{\"x\":[{\"y\":1,\"current_state\":\"a\"}],\"phase\":\"b\"}",
        "{\"x\":\"\\\",\",\"current_state\":\"a\"}",
        "{\"current_state\":1,\"phase\":\"b\"}",
        "[\"current_state\",\"a\"]",
        "",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        assert_false(is_certain(texts[i], both, "a"));
    }
    assert_false(is_certain("{\"current_state\":\"\"}", both, ""));
    assert_false(is_certain("{\"x\":{\"y\":\"a\"}}", "/x/y", "a"));
    assert_false(is_certain("{\"a~b\":\"a\"}", "/a~0b", "a"));
    assert_false(is_certain("{\"\":\"a\"}", "/", "a"));
}

/* Members of a few kinds, some of which leave no JSON behind. */
static void put_text(rng *r, stet_buf *out)
{
    static const char *const parts[] = {
        "\"p\":\"a\"",
        "\"p\":\"a\"",
        "\"p\" : \"b\"",
        "\"p\":1",
        "\"q\":\"b\"",
        "\"q\":\"a\"",
        "\"x\":\"p\"",
        "\"x\":null ",
        "\"x\":{\"p\":\"a\"}",
        "\"x\":[\"p\"]",
        "\"y\":\"\\\"\"",
        "\"p\"",
        "\"\\u0070\":\"b\"",
        "\"y\":[",
        "]",
        "\"",
    };
    enum { PARTS = sizeof parts / sizeof *parts };
    stet__buf_reset(out);
    stet__buf_put_str(out, rng_below(r, 20) == 0 ? "[" : "{");
    for (size_t left = rng_below(r, 4); left > 0; left--) {
        stet__buf_put_str(out, parts[rng_below(r, PARTS)]);
        stet__buf_put_str(out, rng_below(r, 20) == 0 ? "" : ",");
    }
    stet__buf_put_str(out, parts[rng_below(r, PARTS)]);
    stet__buf_put_str(out, rng_below(r, 20) == 0 ? "" : "}");
}

/* The promise itself, over texts of all kinds: reading them agrees. */
static void test_reading_never_finds_what_was_ruled_out(void **state)
{
    (void)state;
    enum { TEXTS = 100000, CERTAIN_MIN = 3000, NAMED_MIN = 2000 };
    rng r = {.state = 3};
    size_t certain = 0;
    size_t named = 0;
    stet_buf text;
    stet_buf found;
    stet__buf_init(&text, &stet__heap);
    stet__buf_init(&found, &stet__heap);
    for (size_t i = 0; i < TEXTS; i++) {
        put_text(&r, &text);
        stet_slice json = stet__buf_slice(&text);
        stet_slice pointers = stet_str("/p /q");
        if (!stet__skim_says_no_other(json, pointers, stet_str("a"))) {
            continue;
        }
        stet__buf_reset(&found);
        stet_status st =
            stet__json_string_at(&stet__heap, json, pointers, &found);
        assert_true(st == STET_E_NOT_FOUND ||
                    stet__slice_eq(stet__buf_slice(&found), stet_str("a")));
        certain++;
        named += st == STET_OK ? 1 : 0;
    }
    assert_true(certain > CERTAIN_MIN && named > NAMED_MIN);
    stet__buf_deinit(&text);
    stet__buf_deinit(&found);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_name_at_the_front_is_certain),
        cmocka_unit_test(test_another_name_is_never_ruled_out_wrongly),
        cmocka_unit_test(test_reading_never_finds_what_was_ruled_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
