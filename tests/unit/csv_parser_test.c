#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "lib/itemdump.h"

static const char *dump_of(itemdump *d, const stet_parser_opts *opts,
                           const char *input, size_t piece)
{
    itemdump_deinit(d);
    itemdump_init(d);
    stet_status st =
        itemdump_parse_opts(d, STET_FORMAT_CSV, opts, stet_str(input), piece);
    if (st != STET_OK) {
        stet__buf_printf(&d->text, "%s: %s\n", stet_status_name(st),
                         d->err.text);
    }
    return itemdump_text(d);
}

static void assert_gives(const char *input, const char *items)
{
    itemdump d;
    stet_parser_opts none = {0};
    itemdump_init(&d);
    assert_string_equal(dump_of(&d, &none, input, 0), items);
    itemdump_deinit(&d);
}

/* The usual columns are found; all others are payload; empty is not there. */
static void test_a_row_is_a_transition(void **state)
{
    (void)state;
    assert_gives("case_id,activity,timestamp,resource,cost,note\n"
                 "c1,Register,2011-10-11T13:45:40.276+02:00,Ann,5,\n"
                 "c2,Check,1268753493,,,\n",
                 "2 transitioned id=c1 ts=2011-10-11T11:45:40.276Z to=Register "
                 "action=Register actor=Ann payload={\"cost\":\"5\"}\n"
                 "3 transitioned id=c2 ts=2010-03-16T15:31:33Z to=Check "
                 "action=Check\n");
}

/* A spreadsheet's first line may be nothing but commas. */
static void test_a_header_without_names_is_refused(void **state)
{
    (void)state;
    assert_gives(",,\na,b,c\n",
                 "STET_E_INVALID: line 1: two columns are called \"\"\n");
}

static void test_the_usual_columns_have_many_names(void **state)
{
    (void)state;
    static const char *const headers[] = {
        "case:concept:name,concept:name,time:timestamp,org:resource",
        "Case ID,Activity,Complete Timestamp,Resource",
        "CASE,ACTIVITY,END_TIMESTAMP,USER",
    };
    for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++) {
        char input[256];
        snprintf(input, sizeof input, "%s\na,b,1,c\n", headers[i]);
        assert_gives(input, "2 transitioned id=a ts=1970-01-01T00:00:01Z to=b "
                            "action=b actor=c\n");
    }
}

/* Of two columns that could be meant, the other one stays payload. */
static void test_columns_can_be_named(void **state)
{
    (void)state;
    stet_parser_opts opts = {.case_column = stet_str("room"),
                             .activity_column = stet_str("what"),
                             .timestamp_column = stet_str("when"),
                             .resource_column = stet_str("who")};
    itemdump d;
    itemdump_init(&d);
    assert_string_equal(
        dump_of(&d, &opts, "case_id,room,what,when,who\n1,r,w,2,p\n", 0),
        "2 transitioned id=r ts=1970-01-01T00:00:02Z to=w "
        "action=w actor=p payload={\"case_id\":\"1\"}\n");
    itemdump_deinit(&d);
}

static const char quoted[] = "\xef\xbb\xbf\"case_id\",activity,timestamp,"
                             "\"a \"\"b\"\", c\"\r\n"
                             "1,\"x, y\",1,\"two\r\nlines\n\"\r\n"
                             "\r\n"
                             "\"2\",\"\"\"\",2,\"\"\n"
                             "3,\xc3\xa9,3,\t\x01\\";

static const char quoted_items[] =
    "2 transitioned id=1 ts=1970-01-01T00:00:01Z to=x, y action=x, y "
    "payload={\"a \\\"b\\\", c\":\"two\\r\\nlines\\n\"}\n"
    "6 transitioned id=2 ts=1970-01-01T00:00:02Z to=\" action=\"\n"
    "7 transitioned id=3 ts=1970-01-01T00:00:03Z to=\xc3\xa9 action=\xc3\xa9 "
    "payload={\"a \\\"b\\\", c\":\"\\t\\u0001\\\\\"}\n";

/* RFC 4180 in full: quotes, line ends in cells, either line end, a mark. */
static void test_quoted_cells_are_what_was_meant(void **state)
{
    (void)state;
    assert_gives(quoted, quoted_items);
}

/* Files come in pieces that end anywhere. */
static void test_pieces_make_no_difference(void **state)
{
    (void)state;
    stet_parser_opts none = {0};
    for (size_t piece = 1; piece < sizeof quoted; piece++) {
        itemdump d;
        itemdump_init(&d);
        assert_string_equal(dump_of(&d, &none, quoted, piece), quoted_items);
        itemdump_deinit(&d);
    }
}

/* A text that only begins like a byte order mark is text. */
static void test_half_a_mark_is_text(void **state)
{
    (void)state;
    stet_parser_opts none = {0};
    const char *input = "\xef\xbc\x88,case,activity,time\nv,1,2,3\n";
    for (size_t piece = 1; piece < 5; piece++) {
        itemdump d;
        itemdump_init(&d);
        assert_string_equal(
            dump_of(&d, &none, input, piece),
            "2 transitioned id=1 ts=1970-01-01T00:00:03Z to=2 action=2 "
            "payload={\"\xef\xbc\x88\":\"v\"}\n");
        itemdump_deinit(&d);
    }
}

/* Our own columns come back as what they were. */
static void test_own_columns_are_fields(void **state)
{
    (void)state;
    assert_gives("case_id,activity,timestamp,stet:kind,stet:to,stet:action,"
                 "stet:payload,stet:payload_base64,x\n"
                 "a,saved,1,saved,,,\" [1]\",,9\n"
                 "a,go,2,,there,go,,,\n"
                 "a,saved,3,saved,s,,,/w==,\n"
                 "a,saved,4,saved,,,,,\n",
                 "2 saved id=a ts=1970-01-01T00:00:01Z state= [1]\n"
                 "3 transitioned id=a ts=1970-01-01T00:00:02Z to=there "
                 "action=go\n"
                 "4 saved id=a ts=1970-01-01T00:00:03Z to=s state=\xff\n"
                 "5 saved id=a ts=1970-01-01T00:00:04Z\n");
}

/* An input that is wrong must say where, whatever is wrong with it. */
static void test_a_malformed_file_is_told_by_its_line(void **state)
{
    (void)state;
    static const char head[] = "case,activity,time,x\nok,b,1,\n";
    static const char first[] = "2 transitioned id=ok ts=1970-01-01T00:00:01Z "
                                "to=b action=b\n";
    static const char *const rows[][2] = {
        {"a,b,1\n", "line 3: 3 columns, but the header has 4"},
        {"\"\"\n", "line 3: 1 columns, but the header has 4"},
        {"\n\na,b,1,,\n", "line 5: 5 columns, but the header has 4"},
        {"a,b,1,\"x\ny\" z\n", "line 4: text behind a closing quote"},
        {"a,b,1,x\"y\n", "line 3: a quote inside a cell without quotes"},
        {"a,\"b\n\n,1,\n", "line 3: a quote that is not closed"},
        {"a,b,1,x\ry\n", "line 3: a carriage return without a line feed"},
        {"a,b,soon,\n", "line 3: ts cannot be \"soon\""},
        {",b,1,\n", "line 3: no id"},
        {"a,b,1,\xff\n", "line 3: the column \"x\" is not UTF-8"},
        {"\"a\tb\",b,1,\n",
         "line 3: the id has control characters or is not UTF-8"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char input[256];
        char want[256];
        snprintf(input, sizeof input, "%s%s", head, rows[i][0]);
        snprintf(want, sizeof want, "%sSTET_E_INVALID: %s\n", first,
                 rows[i][1]);
        assert_gives(input, want);
    }
}

static void test_a_header_that_does_not_serve_is_refused(void **state)
{
    (void)state;
    stet_parser_opts none = {0};
    stet_parser_opts named = {.resource_column = stet_str("who")};
    stet_parser_opts same = {.activity_column = stet_str("case")};
    const struct {
        const stet_parser_opts *opts;
        const char *header;
        const char *error;
    } cases[] = {
        {&none, "", "line 1: no header"},
        {&none, "\n\n", "line 1: no header"},
        {&none, "id,b\n", "line 1: no case column among id, b"},
        {&none, "case,b\n", "line 1: no activity column among case, b"},
        {&none, "case,activity\n",
         "line 1: no timestamp column among case, activity"},
        {&named, "case,activity,time\n",
         "line 1: no resource column \"who\" among case, activity, time"},
        {&same, "case,activity,time\n",
         "line 1: the column \"case\" has two meanings"},
        {&none, "case,activity,time,x,x\n",
         "line 1: two columns are called \"x\""},
        {&none, "case,activity,time,\xff\n",
         "line 1: the name of column 4 is not UTF-8"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char want[256];
        snprintf(want, sizeof want, "STET_E_INVALID: %s\n", cases[i].error);
        itemdump d;
        itemdump_init(&d);
        assert_string_equal(dump_of(&d, cases[i].opts, cases[i].header, 0),
                            want);
        itemdump_deinit(&d);
    }
}

/* An open quote must not swallow the memory with the file. */
static void test_a_row_over_the_limit_is_refused(void **state)
{
    (void)state;
    stet_buf b;
    stet__buf_init(&b, &stet__heap);
    stet__buf_put_str(&b, "case,activity,time\na,b,1\nc,\"");
    uint8_t *fill = stet__buf_extend(&b, STET_ITEM_BYTES_MAX);
    assert_non_null(fill);
    memset(fill, 'x', STET_ITEM_BYTES_MAX);
    itemdump d;
    itemdump_init(&d);
    assert_int_equal(
        itemdump_parse(&d, STET_FORMAT_CSV, stet__buf_slice(&b), 1024 * 1024),
        STET_E_TOO_LARGE);
    assert_string_equal(d.err.text,
                        "line 3: a row of more than 33554432 bytes");
    assert_int_equal(d.items, 1);
    itemdump_deinit(&d);
    stet__buf_deinit(&b);
}

static void test_the_number_of_columns_has_a_limit(void **state)
{
    (void)state;
    for (int more = 1021; more <= 1022; more++) {
        stet_buf b;
        stet__buf_init(&b, &stet__heap);
        stet__buf_put_str(&b, "case,activity,time");
        for (int i = 0; i < more; i++) {
            stet__buf_printf(&b, ",c%d", i);
        }
        itemdump d;
        itemdump_init(&d);
        stet_status st =
            itemdump_parse(&d, STET_FORMAT_CSV, stet__buf_slice(&b), 0);
        assert_string_equal(
            d.err.text, more == 1021 ? "" : "line 1: more than 1024 columns");
        assert_int_equal(st, more == 1021 ? STET_OK : STET_E_TOO_LARGE);
        itemdump_deinit(&d);
        stet__buf_deinit(&b);
    }
}

/* An error of the store is no error of the row. */
static void test_a_refused_item_ends_the_parse_with_that_status(void **state)
{
    (void)state;
    itemdump d;
    itemdump_init(&d);
    d.fail_at = 2;
    assert_int_equal(
        itemdump_parse(&d, STET_FORMAT_CSV,
                       stet_str("case,activity,time\na,b,1\nc,d,2\ne,f,3\n"),
                       0),
        STET_E_NOSPACE);
    assert_string_equal(d.err.text, "refused");
    assert_int_equal(d.items, 2);
    itemdump_deinit(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_row_is_a_transition),
        cmocka_unit_test(test_a_header_without_names_is_refused),
        cmocka_unit_test(test_the_usual_columns_have_many_names),
        cmocka_unit_test(test_columns_can_be_named),
        cmocka_unit_test(test_quoted_cells_are_what_was_meant),
        cmocka_unit_test(test_pieces_make_no_difference),
        cmocka_unit_test(test_half_a_mark_is_text),
        cmocka_unit_test(test_own_columns_are_fields),
        cmocka_unit_test(test_a_malformed_file_is_told_by_its_line),
        cmocka_unit_test(test_a_header_that_does_not_serve_is_refused),
        cmocka_unit_test(test_a_row_over_the_limit_is_refused),
        cmocka_unit_test(test_the_number_of_columns_has_a_limit),
        cmocka_unit_test(test_a_refused_item_ends_the_parse_with_that_status),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
