#include "cli/json_out.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* What is written while a test runs. */
typedef struct page {
    json_out j;
    char *text; /* after page_end */
    size_t len;
} page;

static void page_begin(page *p)
{
    FILE *out = open_memstream(&p->text, &p->len);
    assert_non_null(out);
    p->j = json_out_to(out);
}

/* Compare with all that was written, and free it. */
static void page_end(page *p, const char *expected)
{
    assert_int_equal(fclose(p->j.out), 0);
    assert_string_equal(p->text, expected);
    free(p->text);
}

/* Commas and names are the writer's work, at every depth. */
static void test_nesting_needs_no_care(void **state)
{
    (void)state;
    page p;
    page_begin(&p);
    json_begin_object(&p.j, NULL);
    json_begin_list(&p.j, "empty");
    json_end_list(&p.j);
    json_begin_list(&p.j, "list");
    json_u64(&p.j, NULL, UINT64_MAX);
    json_begin_object(&p.j, NULL);
    json_end_object(&p.j);
    json_null(&p.j, NULL);
    json_end_list(&p.j);
    json_bool(&p.j, "yes", true);
    json_position(&p.j, "position", 7);
    json_end_object(&p.j);
    json_end_line(&p.j);
    json_str(&p.j, NULL, stet_str("next"));
    page_end(&p, "{\"empty\":[],\"list\":[18446744073709551615,{},null],"
                 "\"yes\":true,\"position\":\"7\"}\n\"next\"");
}

/* What JSON forbids in a string is escaped; the rest is left as it is. */
static void test_strings_are_escaped(void **state)
{
    (void)state;
    page p;
    page_begin(&p);
    json_str(&p.j, NULL, stet_slice_of("a\"b\\c\n\0\x1f\x7f\xc3\xa9", 11));
    page_end(&p, "\"a\\\"b\\\\c\\u000a\\u0000\\u001f\x7f\xc3\xa9\"");
}

/* A name may come from anywhere; the line stays valid JSON. */
static void test_text_that_is_not_utf8_is_marked(void **state)
{
    (void)state;
    page p;
    page_begin(&p);
    json_str(&p.j, NULL, stet_str("a\xff\xed\xa0\x80z\xc3"));
    page_end(&p, "\"a\\ufffd\\ufffd\\ufffd\\ufffdz\\ufffd\"");
}

/* An absent member is null, left out or empty, as its reader expects. */
static void test_empty_text_has_three_forms(void **state)
{
    (void)state;
    page p;
    page_begin(&p);
    json_begin_object(&p.j, NULL);
    json_str(&p.j, "a", stet_str(NULL));
    json_str_or_null(&p.j, "b", stet_str(""));
    json_str_if(&p.j, "c", stet_str(""));
    json_embed_if(&p.j, "d", stet_str(""));
    json_end_object(&p.j);
    page_end(&p, "{\"a\":\"\",\"b\":null}");
}

/* A number reads back as the same double, and short where it can be. */
static void test_doubles_read_back(void **state)
{
    (void)state;
    static const double numbers[] = {0.1, 1.0 / 3, 1e300, 0, 86400.5};
    static const char *const texts[] = {"0.1", "0.33333333333333331", "1e+300",
                                        "0", "86400.5"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        page p;
        page_begin(&p);
        json_double(&p.j, NULL, numbers[i]);
        page_end(&p, texts[i]);
    }
}

/* Times are the text that every other tool reads. */
static void test_times_are_rfc_3339(void **state)
{
    (void)state;
    page p;
    page_begin(&p);
    json_time(&p.j, NULL, 1500000000);
    page_end(&p, "\"1970-01-01T00:00:01.500Z\"");
}

/* One value, one line: white space outside strings goes, inside it stays. */
static void test_embedded_json_is_on_one_line(void **state)
{
    (void)state;
    page p;
    page_begin(&p);
    json_begin_object(&p.j, NULL);
    json_embed(&p.j, "a",
               stet_str("{ \"k\\\\\" :\t[ 1.50,\r\n \" \\\" \" ] }\n"));
    json_embed(&p.j, "b", stet_str(" 1e999 "));
    json_end_object(&p.j);
    page_end(&p, "{\"a\":{\"k\\\\\":[1.50,\" \\\" \"]},\"b\":1e999}");
}

/* Bytes that are no JSON must not break the line that holds them. */
static void test_other_bytes_are_embedded_in_base64(void **state)
{
    (void)state;
    page p;
    page_begin(&p);
    json_begin_object(&p.j, NULL);
    json_embed(&p.j, "a", stet_str("{\"x\":1}}"));
    json_embed(&p.j, "b", stet_slice_of("\0\xff", 2));
    json_embed(&p.j, "c", stet_str(""));
    json_end_object(&p.j);
    page_end(&p, "{\"a_base64\":\"eyJ4IjoxfX0=\",\"b_base64\":\"AP8=\","
                 "\"c_base64\":\"\"}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nesting_needs_no_care),
        cmocka_unit_test(test_strings_are_escaped),
        cmocka_unit_test(test_text_that_is_not_utf8_is_marked),
        cmocka_unit_test(test_empty_text_has_three_forms),
        cmocka_unit_test(test_doubles_read_back),
        cmocka_unit_test(test_times_are_rfc_3339),
        cmocka_unit_test(test_embedded_json_is_on_one_line),
        cmocka_unit_test(test_other_bytes_are_embedded_in_base64),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
