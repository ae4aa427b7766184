#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "lib/itemdump.h"

static const char *dump_of(itemdump *d, stet_slice input, size_t piece)
{
    itemdump_deinit(d);
    itemdump_init(d);
    stet_status st = itemdump_parse(d, STET_FORMAT_XES, input, piece);
    if (st != STET_OK) {
        stet__buf_printf(&d->text, "%s: %s\n", stet_status_name(st),
                         d->err.text);
    }
    return itemdump_text(d);
}

static void assert_gives(const char *input, const char *items)
{
    itemdump d;
    itemdump_init(&d);
    assert_string_equal(dump_of(&d, stet_str(input), 0), items);
    itemdump_deinit(&d);
}

/* Does the input, put into a log, give the items? */
static void assert_log_gives(const char *inner, const char *items)
{
    char input[4096];
    int len = snprintf(input, sizeof input, "<log>%s</log>", inner);
    assert_true(len > 0 && (size_t)len < sizeof input);
    assert_gives(input, items);
}

static const char receipt[] =
    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
    "<!-- a comment -->\n"
    "<log xes.version=\"1.0\" xmlns=\"http://www.xes-standard.org/\">\n"
    "\t<extension name=\"Time\" prefix=\"time\" uri=\"u\"/>\n"
    "\t<global scope=\"trace\"><string key=\"concept:name\" value=\"X\"/>"
    "</global>\n"
    "\t<classifier name=\"A\" keys=\"concept:name\"/>"
    "<classifier name=\"B\" keys=\"concept:name lifecycle:transition\"/>\n"
    "\t<float key=\"average\" value=\"4.13\"><int key=\"n\" value=\"1\"/>"
    "</float>\n"
    "\t<trace>\n"
    "\t\t<date key=\"startdate\" value=\"2011-10-11T13:42:22.688+02:00\"/>\n"
    "\t\t<string key=\"concept:name\" value=\"case-10011\"/>\n"
    "\t\t<string key=\"channel\" value=\"Inter&quot;net &#233;\"/>\n"
    "\t\t<event>\n"
    "\t\t\t<string key=\"org:group\" value=\"Group 1\"/>\n"
    "\t\t\t<string key=\"org:resource\" value=\"Resource21\"/>\n"
    "\t\t\t<string key=\"concept:name\" value=\"Confirmation\"/>\n"
    "\t\t\t<date key=\"time:timestamp\" "
    "value=\"2011-10-11T13:45:40.276+02:00\"/>\n"
    "\t\t\t<int key=\"points\" value=\"3\"/>\n"
    "\t\t</event>\n"
    "\t\t<event>\n"
    "\t\t\t<string key=\"concept:name\" value=\"T02\"/>\n"
    "\t\t\t<date key=\"time:timestamp\" "
    "value=\"2011-10-12T08:26:25.398+02:00\"/>\n"
    "\t\t</event>\n"
    "\t</trace>\n"
    "</log>\n";

static const char receipt_items[] =
    "8 created id=case-10011 ts=2011-10-11T11:45:40.276Z "
    "state={\"startdate\":\"2011-10-11T13:42:22.688+02:00\","
    "\"concept:name\":\"case-10011\","
    "\"channel\":\"Inter\\\"net \xc3\xa9\"}\n"
    "12 transitioned id=case-10011 ts=2011-10-11T11:45:40.276Z to=Confirmation "
    "action=Confirmation actor=Resource21 "
    "payload={\"org:group\":\"Group 1\",\"points\":3}\n"
    "19 transitioned id=case-10011 ts=2011-10-12T06:26:25.398Z to=T02 "
    "action=T02\n";

/* The meaning of a log, as far as all logs share it. */
static void test_a_trace_is_a_machine_and_an_event_a_transition(void **state)
{
    (void)state;
    assert_gives(receipt, receipt_items);
}

/* Expat and gzip hand on pieces that end anywhere. */
static void test_pieces_make_no_difference(void **state)
{
    (void)state;
    for (size_t piece = 1; piece < sizeof receipt; piece++) {
        itemdump d;
        itemdump_init(&d);
        assert_string_equal(dump_of(&d, stet_str(receipt), piece),
                            receipt_items);
        itemdump_deinit(&d);
    }
}

/* A user must learn what a log said that no machine can hold. */
static void test_what_stands_outside_of_traces_is_counted(void **state)
{
    (void)state;
    itemdump d;
    itemdump_init(&d);
    (void)dump_of(&d, stet_str(receipt), 0);
    assert_int_equal(d.ignored.count, 3);
    assert_string_equal(d.ignored.names[0], "global");
    assert_string_equal(d.ignored.names[1], "classifier");
    assert_string_equal(d.ignored.names[2], "attribute of the log");
    itemdump_deinit(&d);
}

/* Numbers and truth stay what they are only where JSON has a form for them. */
static void test_values_become_json_of_their_type(void **state)
{
    (void)state;
    assert_log_gives("<trace><string key='concept:name' value='a'/><event>"
                     "<int key='i' value='-7'/><int key='j' value='+7'/>"
                     "<int key='k' value='007'/><float key='f' value='35.0'/>"
                     "<float key='g' value='1.5E-7'/>"
                     "<float key='h' value='NaN'/><float key='l' value='.5'/>"
                     "<boolean key='b' value='true'/>"
                     "<boolean key='c' value='TRUE'/><id key='d' value='12'/>"
                     "<string key='s' value='12'/></event></trace>",
                     "1 created id=a state={\"concept:name\":\"a\"}\n"
                     "1 transitioned id=a payload={\"i\":-7,\"j\":\"+7\","
                     "\"k\":\"007\",\"f\":35.0,\"g\":1.5E-7,\"h\":\"NaN\","
                     "\"l\":\".5\",\"b\":true,\"c\":\"TRUE\",\"d\":\"12\","
                     "\"s\":\"12\"}\n");
}

/* Attributes in attributes, lists and containers lose nothing. */
static void test_nested_attributes_are_kept(void **state)
{
    (void)state;
    assert_log_gives(
        "<trace><string key='concept:name' value='a'/>"
        "<int key='cost' value='5'><string key='unit' value='EUR'>"
        "<boolean key='old' value='false'/></string>"
        "<int key='vat' value='1'/></int>"
        "<list key='tags'><values><string key='t' value='x'/>"
        "<string key='t' value='y'><int key='n' value='1'/></string></values>"
        "</list><list key='bare'><int key='n' value='1'/></list>"
        "<list key='none'/><container key='box'><int key='n' value='2'/>"
        "</container><container key='empty'/><int key='vat' "
        "value='3'/></trace>",
        "1 created id=a state={\"concept:name\":\"a\",\"cost\":{\"value\":5,"
        "\"children\":{\"unit\":{\"value\":\"EUR\",\"children\":{\"old\":false}"
        "},\"vat\":1}},\"tags\":[{\"t\":\"x\"},{\"t\":{\"value\":\"y\","
        "\"children\":{\"n\":1}}}],\"bare\":[{\"n\":1}],\"none\":[],"
        "\"box\":{\"children\":{\"n\":2}},\"empty\":{\"children\":{}},"
        "\"vat\":3}\n");
}

/* Some logs have prefixed elements, no names, no times, no events. */
static void test_sparse_logs_are_taken_as_they_are(void **state)
{
    (void)state;
    assert_gives("<x:log xmlns:x='u'><x:trace/><x:trace><x:event/></x:trace>"
                 "<x:trace><x:string key='concept:name' value=''/></x:trace>"
                 "</x:log>",
                 "1 created id=trace-1 state={}\n"
                 "1 created id=trace-2 state={}\n"
                 "1 transitioned id=trace-2\n"
                 "1 created id=trace-3 state={\"concept:name\":\"\"}\n");
    assert_gives("<log/>", "");
}

static void test_times_of_many_forms_are_read(void **state)
{
    (void)state;
    static const char *const times[][2] = {
        {"2011-10-11T13:42:22.688+02:00", "2011-10-11T11:42:22.688Z"},
        {"2011-10-11T13:42:22.688+0200", "2011-10-11T11:42:22.688Z"},
        {"2011-10-11T13:42:22-05", "2011-10-11T18:42:22Z"},
        {"2011-10-11T13:42:22", "2011-10-11T13:42:22Z"},
        {"2011-10-11 13:42:22.5", "2011-10-11T13:42:22.500Z"},
        {"2011-10-11", "2011-10-11T00:00:00Z"},
        {"1970-01-01T00:00:00Z", "1970-01-01T00:00:00Z"},
    };
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
        char inner[512];
        char items[512];
        snprintf(inner, sizeof inner,
                 "<trace><string key='concept:name' value='a'/><event><date "
                 "key='time:timestamp' value='%s'/></event></trace>",
                 times[i][0]);
        snprintf(items, sizeof items,
                 "1 created id=a ts=%s state={\"concept:name\":\"a\"}\n"
                 "1 transitioned id=a ts=%s\n",
                 times[i][1], times[i][1]);
        assert_log_gives(inner, items);
    }
}

/* Our own words come back as what they were, and beat what implies them. */
static void test_own_attributes_are_fields(void **state)
{
    (void)state;
    assert_log_gives(
        "<trace><string key='concept:name' value='a'/>"
        "<string key='stet:payload' value='[1, 2]'/>"
        "<string key='stet:ts' value='2020-01-01T00:00:00Z'/>"
        "<string key='stet:actor' value='me'/>"
        "<event><string key='concept:name' value='go'/>"
        "<string key='x' value='1'/>"
        "<date key='time:timestamp' value='2021-01-01T00:00:00Z'/>"
        "<string key='stet:to' value='there'/>"
        "<string key='stet:from' value='here'/>"
        "<string key='stet:payload' value='{ }'/>"
        "<string key='stet:type' value='timeout'/></event>"
        "<event><string key='stet:kind' value='saved'/>"
        "<string key='concept:name' value='saved'/>"
        "<string key='stet:action' value=''/><string key='stet:to' value=''/>"
        "<string key='stet:payload_base64' value='/w=='/></event></trace>"
        "<trace><string key='concept:name' value='b'/>"
        "<boolean key='stet:created' value='false'/><event>"
        "<string key='concept:name' value='go'/></event></trace>",
        "1 created id=a ts=2020-01-01T00:00:00Z actor=me state=[1, 2]\n"
        "1 transitioned id=a ts=2021-01-01T00:00:00Z from=here to=there "
        "action=go type=timeout payload={ }\n"
        "1 saved id=a state=\xff\n"
        "1 transitioned id=b to=go action=go\n");
}

/* An input that is wrong must say where, whatever is wrong with it. */
static void test_a_malformed_log_is_told_by_its_line(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"<log>\n<trace>\n</log>", "line 3: not XML: mismatched tag"},
        {"<log>", "line 1: not XML: no element found"},
        {"\n", "line 2: not XML: no element found"},
        {"{\"id\":1}", "line 1: not XML: not well-formed (invalid token)"},
        {"<html/>", "line 1: not XES: the document is not a <log>"},
        {"<log><trace>\n<string value='x'/></trace></log>",
         "line 2: an attribute without a key"},
        {"<log><trace>\n<string key='x'/></trace></log>",
         "line 2: an attribute without a value"},
        {"<log><trace><int key='x' value='1'/>\n<int key='x' value='2'/>"
         "</trace></log>",
         "line 2: the attribute \"x\" is given twice"},
        {"<log><trace><event><string key='concept:name' value='1'/>\n"
         "<string key='concept:name' value='1'/></event></trace></log>",
         "line 2: concept:name is given twice"},
        {"<log><trace><event>\n<date key='time:timestamp' value='soon'/>"
         "</event></trace></log>",
         "line 2: ts cannot be \"soon\""},
        {"<log><trace>\n<string key='concept:name' value='a&#10;b'/>\n</trace>"
         "</log>",
         "line 1: the id has control characters or is not UTF-8"},
        {"<log><trace><event/>\n<int key='x' value='1'/></trace></log>",
         "line 2: an attribute of a trace behind its events"},
        {"<!DOCTYPE log [\n<!ENTITY a 'aaaa'>]><log/>",
         "line 1: the file declares a document type"},
        {"<!DOCTYPE log [\n<!ENTITY a SYSTEM '/etc/passwd'>]><log/>",
         "line 1: the file declares a document type"},
        {"<!DOCTYPE log SYSTEM 'a.dtd'>\n<log><trace>"
         "<string key='concept:name' value='a&b;c'/></trace></log>",
         "line 1: the file declares a document type"},
        {"<log>&a;</log>", "line 1: not XML: undefined entity"},
        {"<!DOCTYPE log><log>&a;</log>", "line 1: not XML: undefined entity"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        itemdump d;
        itemdump_init(&d);
        assert_int_not_equal(
            itemdump_parse(&d, STET_FORMAT_XES, stet_str(cases[i][0]), 0),
            STET_OK);
        assert_string_equal(d.err.text, cases[i][1]);
        itemdump_deinit(&d);
    }
}

/* What came before the fault was given, what comes after it is not. */
static void test_items_before_a_fault_are_given(void **state)
{
    (void)state;
    assert_gives("<log><trace><string key='concept:name' value='a'/><event/>"
                 "</trace>\n<trace><event><int/></event></trace>"
                 "<trace/></log>",
                 "1 created id=a state={\"concept:name\":\"a\"}\n"
                 "1 transitioned id=a\n"
                 "STET_E_INVALID: line 2: an attribute without a key\n");
}

/* An error of the store is no error of the file. */
static void test_a_refused_item_ends_the_parse_with_that_status(void **state)
{
    (void)state;
    for (size_t nth = 1; nth <= 3; nth++) {
        itemdump d;
        itemdump_init(&d);
        d.fail_at = nth;
        assert_int_equal(
            itemdump_parse(&d, STET_FORMAT_XES, stet_str(receipt), 0),
            STET_E_NOSPACE);
        assert_string_equal(d.err.text, "refused");
        assert_int_equal(d.items, nth);
        itemdump_deinit(&d);
    }
}

/* What nests deeper could never be folded, so it is refused at once. */
static void test_nesting_has_a_limit(void **state)
{
    (void)state;
    for (int depth = 29; depth <= 30; depth++) {
        stet_buf b;
        stet__buf_init(&b, &stet__heap);
        stet__buf_put_str(&b, "<log><trace><event>");
        for (int i = 0; i < depth; i++) {
            stet__buf_put_str(&b, "<int key='x' value='1'>");
        }
        for (int i = 0; i < depth; i++) {
            stet__buf_put_str(&b, "</int>");
        }
        stet__buf_put_str(&b, "</event></trace></log>");
        itemdump d;
        itemdump_init(&d);
        stet_status st =
            itemdump_parse(&d, STET_FORMAT_XES, stet__buf_slice(&b), 0);
        assert_string_equal(
            d.err.text,
            depth == 29 ? "" : "line 1: more than 32 elements in each other");
        assert_int_equal(st, depth == 29 ? STET_OK : STET_E_TOO_LARGE);
        itemdump_deinit(&d);
        stet__buf_deinit(&b);
    }
}

static void test_the_number_of_attributes_has_a_limit(void **state)
{
    (void)state;
    for (int count = 1024; count <= 1025; count++) {
        stet_buf b;
        stet__buf_init(&b, &stet__heap);
        stet__buf_put_str(&b, "<log><trace>");
        for (int i = 0; i < count; i++) {
            stet__buf_printf(&b, "<int key='%d' value='1'/>", i);
        }
        stet__buf_put_str(&b, "</trace></log>");
        itemdump d;
        itemdump_init(&d);
        stet_status st =
            itemdump_parse(&d, STET_FORMAT_XES, stet__buf_slice(&b), 0);
        assert_string_equal(
            d.err.text,
            count == 1024 ? "" : "line 1: more than 1024 attributes");
        assert_int_equal(st, count == 1024 ? STET_OK : STET_E_TOO_LARGE);
        itemdump_deinit(&d);
        stet__buf_deinit(&b);
    }
}

/* A tag that never ends must not fill the memory. */
static void test_a_tag_over_the_limit_is_refused(void **state)
{
    (void)state;
    stet_buf b;
    stet__buf_init(&b, &stet__heap);
    stet__buf_put_str(&b, "<log><trace><string key='x' value='");
    uint8_t *fill = stet__buf_extend(&b, STET_ITEM_BYTES_MAX + 1024 * 1024);
    assert_non_null(fill);
    memset(fill, 'x', STET_ITEM_BYTES_MAX + 1024 * 1024);
    itemdump d;
    itemdump_init(&d);
    assert_int_equal(
        itemdump_parse(&d, STET_FORMAT_XES, stet__buf_slice(&b), 0),
        STET_E_TOO_LARGE);
    assert_string_equal(d.err.text,
                        "line 1: a tag of more than 33554432 bytes");
    itemdump_deinit(&d);
    stet__buf_deinit(&b);
}

/* Only what must be kept whole has a limit: text between tags is not. */
static void test_text_and_comments_may_be_long(void **state)
{
    (void)state;
    static char text[1024 * 1024];
    memset(text, ' ', sizeof text);
    memcpy(text, "<!-- and -->", 12);
    stet_buf b;
    stet__buf_init(&b, &stet__heap);
    stet__buf_put_str(&b, "<log>");
    for (size_t len = 0; len <= STET_ITEM_BYTES_MAX; len += sizeof text) {
        stet__buf_put(&b, text, sizeof text);
    }
    stet__buf_put_str(&b, "<trace/></log>");
    itemdump d;
    itemdump_init(&d);
    assert_string_equal(dump_of(&d, stet__buf_slice(&b), sizeof text),
                        "1 created id=trace-1 state={}\n");
    itemdump_deinit(&d);
    stet__buf_deinit(&b);
}

typedef struct counts {
    size_t created;
    size_t transitioned;
} counts;

static counts count_kinds(itemdump *d)
{
    counts c = {0};
    const char *at = itemdump_text(d);
    for (; *at != '\0'; at = strchr(at, '\n') + 1) {
        const char *kind = strchr(at, ' ') + 1;
        c.created += strncmp(kind, "created ", 8) == 0;
        c.transitioned += strncmp(kind, "transitioned ", 13) == 0;
    }
    return c;
}

static void check_real(const char *name, counts want, const char *first)
{
    itemdump d;
    itemdump_init(&d);
    stet_status st = STET_OK;
    if (!itemdump_parse_real(&d, STET_FORMAT_XES, name, 64 * 1024, &st)) {
        itemdump_deinit(&d);
        skip();
    }
    assert_string_equal(d.err.text, "");
    assert_int_equal(st, STET_OK);
    counts got = count_kinds(&d);
    assert_int_equal(got.created, want.created);
    assert_int_equal(got.transitioned, want.transitioned);
    assert_memory_equal(itemdump_text(&d), first, strlen(first));
    itemdump_deinit(&d);
}

static void test_the_receipt_log_arrives_whole(void **state)
{
    (void)state;
    check_real("receipt.xes.gz", (counts){1434, 8577},
               "1798 created id=case-10011 ts=2011-10-11T11:45:40.276Z "
               "state={\"startdate\":\"2011-10-11T13:42:22.688+02:00\","
               "\"responsible\":\"Resource21\",\"enddate_planned\":"
               "\"2011-12-06T13:41:31.788+01:00\",\"department\":\"General\","
               "\"group\":\"Group 2\",\"concept:name\":\"case-10011\","
               "\"deadline\":\"2011-12-06T13:41:31.788+01:00\","
               "\"channel\":\"Internet\"}\n"
               "1807 transitioned id=case-10011 ts=2011-10-11T11:45:40.276Z "
               "to=Confirmation of receipt action=Confirmation of receipt "
               "actor=Resource21 payload={\"org:group\":\"Group 1\","
               "\"concept:instance\":\"task-42933\","
               "\"lifecycle:transition\":\"complete\"}\n");
}

static void test_the_road_traffic_log_arrives_whole(void **state)
{
    (void)state;
    check_real("roadtraffic100.xes.gz", (counts){100, 390}, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_trace_is_a_machine_and_an_event_a_transition),
        cmocka_unit_test(test_pieces_make_no_difference),
        cmocka_unit_test(test_what_stands_outside_of_traces_is_counted),
        cmocka_unit_test(test_values_become_json_of_their_type),
        cmocka_unit_test(test_nested_attributes_are_kept),
        cmocka_unit_test(test_sparse_logs_are_taken_as_they_are),
        cmocka_unit_test(test_times_of_many_forms_are_read),
        cmocka_unit_test(test_own_attributes_are_fields),
        cmocka_unit_test(test_a_malformed_log_is_told_by_its_line),
        cmocka_unit_test(test_items_before_a_fault_are_given),
        cmocka_unit_test(test_a_refused_item_ends_the_parse_with_that_status),
        cmocka_unit_test(test_nesting_has_a_limit),
        cmocka_unit_test(test_the_number_of_attributes_has_a_limit),
        cmocka_unit_test(test_a_tag_over_the_limit_is_refused),
        cmocka_unit_test(test_text_and_comments_may_be_long),
        cmocka_unit_test(test_the_receipt_log_arrives_whole),
        cmocka_unit_test(test_the_road_traffic_log_arrives_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
