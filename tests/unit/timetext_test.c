#include "base/timetext.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "lib/rng.h"

static const int64_t second = 1000000000;

static void assert_formats(int64_t ns, const char *wanted)
{
    char out[STET_TIME_TEXT_MAX];
    stet__time_format(ns, out);
    assert_string_equal(out, wanted);
}

static void assert_parses(const char *text, int64_t wanted)
{
    int64_t ns = 1;
    assert_true(stet__time_parse(stet_str(text), &ns));
    assert_true(ns == wanted);
}

/* What is exported is imported again, to the nanosecond. */
static void test_every_time_reads_back_from_its_text(void **state)
{
    (void)state;
    rng r = {11};
    for (int round = 0; round < 100000; round++) {
        static const int64_t units[] = {1, 1000, 1000000, 1000000000};
        int64_t unit = units[rng_below(&r, 4)];
        int64_t ns = (int64_t)rng_next(&r) / unit * unit;
        char text[STET_TIME_TEXT_MAX];
        int64_t back = 0;
        stet__time_format(ns, text);
        assert_true(stet__time_parse_rfc3339(stet_str(text), &back));
        assert_true(back == ns);
    }
}

/* The C library's calendar is the oracle for ours. */
static void test_text_is_what_the_c_library_says(void **state)
{
    (void)state;
    rng r = {12};
    for (int round = 0; round < 100000; round++) {
        time_t seconds = (time_t)((int64_t)rng_next(&r) / second);
        struct tm tm;
        char wanted[64];
        assert_non_null(gmtime_r(&seconds, &tm));
        assert_true(strftime(wanted, sizeof wanted, "%Y-%m-%dT%H:%M:%SZ", &tm));
        assert_formats((int64_t)seconds * second, wanted);
    }
}

/* Day numbers have no gap and no repeat, over 600 years of leap days. */
static void test_days_follow_each_other(void **state)
{
    (void)state;
    static const unsigned days[] = {31, 28, 31, 30, 31, 30,
                                    31, 31, 30, 31, 30, 31};
    int64_t wanted = stet__days_from_civil(1699, 12, 31) + 1;
    for (int64_t year = 1700; year < 2300; year++) {
        bool is_leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
        for (unsigned month = 1; month <= 12; month++) {
            unsigned last = days[month - 1] + (month == 2 && is_leap);
            for (unsigned day = 1; day <= last; day++) {
                assert_true(stet__days_from_civil(year, month, day) ==
                            wanted++);
            }
        }
    }
    assert_int_equal(stet__days_from_civil(1970, 1, 1), 0);
    assert_int_equal(stet__days_from_civil(2000, 2, 29), 11016);
    assert_int_equal(stet__days_from_civil(0, 3, 1), -719468);
}

/* The last and first times that 64 bits hold, and one beyond each. */
static void test_the_range_ends_where_64_bits_end(void **state)
{
    (void)state;
    assert_formats(INT64_MAX, "2262-04-11T23:47:16.854775807Z");
    assert_formats(INT64_MIN, "1677-09-21T00:12:43.145224192Z");
    assert_parses("2262-04-11T23:47:16.854775807Z", INT64_MAX);
    assert_parses("1677-09-21T00:12:43.145224192Z", INT64_MIN);
    assert_parses("9223372036.854775807", INT64_MAX);
    assert_parses("-9223372036.854775808", INT64_MIN);
    static const char *const beyond[] = {
        "2262-04-11T23:47:16.854775808Z",
        "1677-09-21T00:12:43.145224191Z",
        "9223372036.854775808",
        "-9223372036.854775809",
        "9223372037",
        "-9223372037",
        "9999-12-31T23:59:59Z",
        "0000-01-01T00:00:00Z",
        "99999999999999999999",
        "-9223372036854775808",
        "18446744073709551616",
    };
    for (size_t i = 0; i < sizeof beyond / sizeof beyond[0]; i++) {
        int64_t ns = 7;
        assert_false(stet__time_parse(stet_str(beyond[i]), &ns));
        assert_int_equal(ns, 7);
    }
}

/* As many fraction digits as are needed, in the groups that people read. */
static void test_fraction_is_as_long_as_needed(void **state)
{
    (void)state;
    assert_formats(0, "1970-01-01T00:00:00Z");
    assert_formats(500000000, "1970-01-01T00:00:00.500Z");
    assert_formats(1000, "1970-01-01T00:00:00.000001Z");
    assert_formats(10, "1970-01-01T00:00:00.000000010Z");
    assert_formats(-1, "1969-12-31T23:59:59.999999999Z");
    assert_formats(1795152248 * second, "2026-11-20T05:24:08Z");
}

/* The forms that the RFC and other programs' logs use. */
static void test_the_forms_of_rfc_3339_are_read(void **state)
{
    (void)state;
    int64_t t = 1795152248 * second;
    assert_parses("2026-11-20T05:24:08Z", t);
    assert_parses("2026-11-20t05:24:08z", t);
    assert_parses("2026-11-20 05:24:08Z", t);
    assert_parses("2026-11-20T06:24:08+01:00", t);
    assert_parses("2026-11-19T23:54:08-05:30", t);
    assert_parses("2026-11-20T05:24:08-00:00", t);
    assert_parses("2026-11-20T05:24:08.5Z", t + 500000000);
    assert_parses("2026-11-20T05:24:08.123456789999Z", t + 123456789);
    assert_parses("2026-11-20T05:24:08.000000001+00:00", t + 1);
    assert_parses("2000-02-29T00:00:00Z", 951782400 * second);
}

/* A time that was guessed is worse than none. */
static void test_anything_else_is_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        "2026-11-20",
        "2026-11-20T05:24Z",
        "2026-11-20T05:24:08",
        "2026-11-20T05:24:08.Z",
        "2026-11-20T05:24:08,5Z",
        "2026-11-20T05:24:08Z ",
        " 2026-11-20T05:24:08Z",
        "2026-11-20T05:24:08+0100",
        "2026-11-20T05:24:08+01",
        "2026-11-20T05:24:08+24:00",
        "2026-11-20T05:24:08+00:60",
        "2026-11-20T24:00:00Z",
        "2026-11-20T05:60:08Z",
        "2026-11-20T05:24:60Z",
        "2016-12-31T23:59:60Z",
        "2026-13-20T05:24:08Z",
        "2026-00-20T05:24:08Z",
        "2026-11-31T05:24:08Z",
        "2026-11-00T05:24:08Z",
        "2026-02-29T05:24:08Z",
        "1900-02-29T05:24:08Z",
        "2026-1-20T05:24:08Z",
        "26-11-20T05:24:08Z",
        "2026/11/20T05:24:08Z",
        "2026-11-20_05:24:08Z",
        "+2026-11-20T05:24:08Z",
        "20261120T052408Z",
        "1e9",
        ".5",
        "5.",
        "-",
        "+",
        "--5",
        "0x10",
        "1 ",
        " 1",
        "1.5.5",
        "nan",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        int64_t ns = 7;
        assert_false(stet__time_parse(stet_str(texts[i]), &ns));
        assert_int_equal(ns, 7);
    }
    int64_t ns = 7;
    assert_false(stet__time_parse(stet_slice_of("12\0", 3), &ns));
    assert_false(stet__time_parse_rfc3339(stet_str("1268753493"), &ns));
    assert_false(stet__time_parse_unix(stet_str("2026-11-20T05:24:08Z"), &ns));
}

/* Event logs of older programs count seconds. */
static void test_unix_seconds_are_read(void **state)
{
    (void)state;
    assert_parses("0", 0);
    assert_parses("-0", 0);
    assert_parses("1268753493.5", 1268753493 * second + 500000000);
    assert_parses("+1268753493", 1268753493 * second);
    assert_parses("-1.5", -1500000000);
    assert_parses("-0.000000001", -1);
    assert_parses("0.1234567899", 123456789);
    assert_parses("00000000000000000000000001", second);
}

/* Texts are slices: what lies behind them is not theirs. */
static void test_reading_stops_at_the_end_of_the_slice(void **state)
{
    (void)state;
    static const char text[] = "2026-11-20T05:24:08.5+01:00";
    int64_t ns = 7;
    for (size_t len = 0; len < sizeof text - 1; len++) {
        assert_false(stet__time_parse_rfc3339(stet_slice_of(text, len), &ns));
        assert_int_equal(ns, 7);
    }
    assert_true(stet__time_parse_unix(stet_slice_of("12345", 2), &ns));
    assert_true(ns == 12 * second);
    assert_false(stet__time_parse(stet_slice_of(NULL, 0), &ns));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_time_reads_back_from_its_text),
        cmocka_unit_test(test_text_is_what_the_c_library_says),
        cmocka_unit_test(test_days_follow_each_other),
        cmocka_unit_test(test_the_range_ends_where_64_bits_end),
        cmocka_unit_test(test_fraction_is_as_long_as_needed),
        cmocka_unit_test(test_the_forms_of_rfc_3339_are_read),
        cmocka_unit_test(test_anything_else_is_refused),
        cmocka_unit_test(test_unix_seconds_are_read),
        cmocka_unit_test(test_reading_stops_at_the_end_of_the_slice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
