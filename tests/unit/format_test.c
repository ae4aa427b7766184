#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "formats/format.h"

static void test_a_file_name_tells_its_format(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        const char *format; /* NULL: none */
    } cases[] = {
        {"receipt.xes", "xes"},
        {"receipt.xes.gz", "xes"},
        {"a/b.c/R.XES.GZ", "xes"},
        {"log.csv", "csv"},
        {"log.csv.gz", "csv"},
        {"x.jsonl", "jsonl"},
        {"x.ndjson.gz", "jsonl"},
        {"x.json", NULL},
        {"csv", NULL},
        {"-", NULL},
        {"", NULL},
        {".gz", NULL},
        {"log.csv.bz2", NULL},
        {"xes.gz/log", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        stet_format format;
        bool is_known = stet__format_of_path(stet_str(cases[i].path), &format);
        assert_int_equal(is_known, cases[i].format != NULL);
        if (is_known) {
            assert_string_equal(stet__format_name(format), cases[i].format);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_file_name_tells_its_format),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
