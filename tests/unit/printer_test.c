#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "base/error.h"
#include "formats/printer.h"
#include "lib/failalloc.h"
#include "lib/itemdump.h"
#include "lib/rng.h"

static const stet_format formats[] = {STET_FORMAT_XES, STET_FORMAT_CSV,
                                      STET_FORMAT_JSONL};

/* Items of one machine after the other, printed as they come. */
typedef struct printing {
    stet_printer *printer;
    stet_buf out;
    stet_buf machine; /* the id of the newest item */
    size_t fail_at;   /* refuse this piece of output, from 1; 0: none */
    size_t pieces;
} printing;

static stet_status take_output(void *ctx, stet_slice bytes, stet_error *err)
{
    printing *p = ctx;
    if (++p->pieces == p->fail_at) {
        return stet__fail(err, STET_E_IO, 0, "refused");
    }
    stet__buf_put_slice(&p->out, bytes);
    return STET_OK;
}

static stet_status begin(printing *p, const stet_allocator *alloc,
                         stet_format format)
{
    *p = (printing){0};
    stet__buf_init(&p->out, &stet__heap);
    stet__buf_init(&p->machine, &stet__heap);
    return stet__printer_create(alloc, format, take_output, p, &p->printer,
                                NULL);
}

/* A stet_item_fn. */
static stet_status print_item(void *ctx, const stet_item *item, stet_error *err)
{
    printing *p = ctx;
    stet_status st = STET_OK;
    if (!stet__slice_eq(item->change.id, stet__buf_slice(&p->machine))) {
        stet__buf_reset(&p->machine);
        stet__buf_put_slice(&p->machine, item->change.id);
        st = stet__printer_machine(p->printer, item->change.id, err);
    }
    return st == STET_OK ? stet__printer_item(p->printer, item, err) : st;
}

static void end(printing *p)
{
    stet__printer_destroy(p->printer);
    stet__buf_deinit(&p->out);
    stet__buf_deinit(&p->machine);
}

static const char *text_of(stet_buf *b)
{
    stet__buf_put_u8(b, '\0');
    b->len--;
    return (const char *)b->ptr;
}

/* Print the items of a JSON Lines text in another format. */
static stet_status convert(printing *p, const char *lines, stet_error *err)
{
    stet_parser_opts opts = {.next = print_item, .ctx = p};
    stet_parser *parser = NULL;
    stet_status st = stet__parser_create(&stet__heap, STET_FORMAT_JSONL, &opts,
                                         &parser, err);
    if (st == STET_OK) {
        st = stet__parser_feed(parser, stet_str(lines), err);
    }
    if (st == STET_OK) {
        st = stet__parser_finish(parser, err);
    }
    stet__parser_destroy(parser);
    return st == STET_OK ? stet__printer_finish(p->printer, err) : st;
}

static void dump_lines(itemdump *d, const char *lines)
{
    itemdump_init(d);
    d->has_lines = false;
    d->has_from = true;
    stet_status st = itemdump_parse(d, STET_FORMAT_JSONL, stet_str(lines), 0);
    assert_string_equal(d->err.text, "");
    assert_int_equal(st, STET_OK);
}

/* Does a text of items come back the same from each format? */
static void assert_survives(const char *lines)
{
    itemdump want;
    dump_lines(&want, lines);
    for (size_t f = 0; f < sizeof formats / sizeof formats[0]; f++) {
        printing p;
        assert_int_equal(begin(&p, &stet__heap, formats[f]), STET_OK);
        assert_int_equal(convert(&p, lines, NULL), STET_OK);
        itemdump got;
        itemdump_init(&got);
        got.has_lines = false;
        got.has_from = true;
        stet_status st =
            itemdump_parse(&got, formats[f], stet__buf_slice(&p.out), 0);
        assert_string_equal(got.err.text, "");
        assert_int_equal(st, STET_OK);
        assert_string_equal(itemdump_text(&got), itemdump_text(&want));
        assert_int_equal(got.text.len, want.text.len);
        assert_memory_equal(got.text.ptr, want.text.ptr, want.text.len);
        itemdump_deinit(&got);
        end(&p);
    }
    itemdump_deinit(&want);
}

/* Does a text of items print so? */
static void assert_prints(stet_format format, const char *lines,
                          const char *want)
{
    printing p;
    assert_int_equal(begin(&p, &stet__heap, format), STET_OK);
    assert_int_equal(convert(&p, lines, NULL), STET_OK);
    assert_string_equal(text_of(&p.out), want);
    end(&p);
}

static const char machine[] =
    "{\"id\":\"a\",\"ts\":1,\"kind\":\"created\",\"actor\":\"<me>\","
    "\"state\":{\"n\":1,\"s\":\"x & \\\"y\\\"\",\"l\":[1]}}\n"
    "{\"id\":\"a\",\"ts\":2.5,\"to\":\"go\",\"action\":\"go\","
    "\"type\":\"\",\"payload\":{\"amount\":35.0,\"ok\":true,"
    "\"at\":\"2011-10-11T13:42:22+02:00\"}}\n"
    "{\"id\":\"a\",\"ts\":3,\"from\":\"go\",\"to\":\"stop\",\"action\":"
    "\"halt\","
    "\"actor\":\"system\"}\n"
    "{\"id\":\"b\",\"ts\":4,\"state\":[1, 2]}\n";

/* What other tools see in XES: the usual attributes with their types. */
static void test_xes_says_what_it_can_in_the_usual_words(void **state)
{
    (void)state;
    assert_prints(
        STET_FORMAT_XES, machine,
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
        "<log xes.version=\"1.0\" xes.features=\"\" "
        "xmlns=\"http://www.xes-standard.org/\">\n"
        "  <extension name=\"Concept\" prefix=\"concept\" "
        "uri=\"http://www.xes-standard.org/concept.xesext\"/>\n"
        "  <extension name=\"Time\" prefix=\"time\" "
        "uri=\"http://www.xes-standard.org/time.xesext\"/>\n"
        "  <extension name=\"Organizational\" prefix=\"org\" "
        "uri=\"http://www.xes-standard.org/org.xesext\"/>\n"
        "  <classifier name=\"Activity\" keys=\"concept:name\"/>\n"
        "  <trace>\n"
        "    <int key=\"n\" value=\"1\"/>\n"
        "    <string key=\"s\" value=\"x &amp; &quot;y&quot;\"/>\n"
        "    <string key=\"concept:name\" value=\"a\"/>\n"
        "    <string key=\"stet:payload\" "
        "value=\"{&quot;n&quot;:1,&quot;s&quot;:&quot;x &amp; "
        "\\&quot;y\\&quot;&quot;,&quot;l&quot;:[1]}\"/>\n"
        "    <string key=\"stet:ts\" value=\"1970-01-01T00:00:01Z\"/>\n"
        "    <string key=\"stet:actor\" value=\"&lt;me&gt;\"/>\n"
        "    <event>\n"
        "      <string key=\"concept:name\" value=\"go\"/>\n"
        "      <date key=\"time:timestamp\" "
        "value=\"1970-01-01T00:00:02.500Z\"/>\n"
        "      <float key=\"amount\" value=\"35.0\"/>\n"
        "      <boolean key=\"ok\" value=\"true\"/>\n"
        "      <date key=\"at\" value=\"2011-10-11T13:42:22+02:00\"/>\n"
        "    </event>\n"
        "    <event>\n"
        "      <string key=\"concept:name\" value=\"halt\"/>\n"
        "      <date key=\"time:timestamp\" value=\"1970-01-01T00:00:03Z\"/>\n"
        "      <string key=\"org:resource\" value=\"system\"/>\n"
        "      <string key=\"stet:to\" value=\"stop\"/>\n"
        "      <string key=\"stet:type\" value=\"system_event\"/>\n"
        "    </event>\n"
        "  </trace>\n"
        "  <trace>\n"
        "    <string key=\"concept:name\" value=\"b\"/>\n"
        "    <boolean key=\"stet:created\" value=\"false\"/>\n"
        "    <event>\n"
        "      <string key=\"concept:name\" value=\"saved\"/>\n"
        "      <date key=\"time:timestamp\" value=\"1970-01-01T00:00:04Z\"/>\n"
        "      <string key=\"stet:kind\" value=\"saved\"/>\n"
        "      <string key=\"stet:to\" value=\"\"/>\n"
        "      <string key=\"stet:action\" value=\"\"/>\n"
        "      <string key=\"stet:payload\" value=\"[1, 2]\"/>\n"
        "    </event>\n"
        "  </trace>\n"
        "</log>\n");
}

static void test_csv_begins_with_the_usual_columns(void **state)
{
    (void)state;
    assert_prints(
        STET_FORMAT_CSV, machine,
        "case_id,activity,timestamp,resource,stet:kind,stet:from,stet:to,"
        "stet:action,stet:type,stet:reducer,stet:error,stet:correlation,"
        "stet:causation,stet:duration_ms,stet:phase_change,stet:event_id,"
        "stet:version,stet:state_type,stet:metadata,stet:machine_metadata,"
        "stet:payload,stet:payload_base64\r\n"
        "a,created,1970-01-01T00:00:01Z,<me>,created,,,,,,,,,,,,,,,,"
        "\"{\"\"n\"\":1,\"\"s\"\":\"\"x & "
        "\\\"\"y\\\"\"\"\",\"\"l\"\":[1]}\",\r\n"
        "a,go,1970-01-01T00:00:02.500Z,,transitioned,,go,go,,,,,,,,,,,,,"
        "\"{\"\"amount\"\":35.0,\"\"ok\"\":true,"
        "\"\"at\"\":\"\"2011-10-11T13:42:22+02:00\"\"}\",\r\n"
        "a,halt,1970-01-01T00:00:03Z,system,transitioned,go,stop,halt,"
        "system_event,,,,,,,,,,,,,\r\n"
        "b,saved,1970-01-01T00:00:04Z,,saved,,,,,,,,,,,,,,,,\"[1, 2]\",\r\n");
}

static void test_json_lines_hold_a_line_for_each_event(void **state)
{
    (void)state;
    assert_prints(
        STET_FORMAT_JSONL, machine,
        "{\"id\":\"a\",\"ts\":\"1970-01-01T00:00:01Z\",\"kind\":\"created\","
        "\"actor\":\"<me>\",\"state\":{\"n\":1,\"s\":\"x & \\\"y\\\"\","
        "\"l\":[1]}}\n"
        "{\"id\":\"a\",\"ts\":\"1970-01-01T00:00:02.500Z\","
        "\"kind\":\"transitioned\",\"to\":\"go\",\"action\":\"go\",\"type\":"
        "\"\",\"payload\":{\"amount\":35.0,\"ok\":true,"
        "\"at\":\"2011-10-11T13:42:22+02:00\"}}\n"
        "{\"id\":\"a\",\"ts\":\"1970-01-01T00:00:03Z\","
        "\"kind\":\"transitioned\",\"from\":\"go\",\"to\":\"stop\","
        "\"action\":\"halt\",\"actor\":\"system\",\"type\":\"system_event\"}\n"
        "{\"id\":\"b\",\"ts\":\"1970-01-01T00:00:04Z\",\"kind\":\"saved\","
        "\"state\":[1, 2]}\n");
}

/* Every field, and every shape in which a format could lose one. */
static void test_what_was_printed_reads_back_the_same(void **state)
{
    (void)state;
    assert_survives(
        "{\"id\":\"all\",\"ts\":0,\"kind\":\"created\",\"to\":\"x\","
        "\"action\":\"new\",\"actor\":\"p\",\"error\":\"e\",\"correlation\":"
        "\"c\",\"causation\":\"d\",\"duration_ms\":0.000001,\"phase_change\":"
        "true,\"event_id\":\"i\",\"version\":\"1.2.3\",\"state_type\":\"t\","
        "\"metadata\":{\"m\": [1]},\"machine_metadata\":{\"n\":\"\\u0001\"},"
        "\"state\":{\"concept:name\":\"all\",\"x\":1}}\n"
        "{\"id\":\"all\",\"ts\":-1.5,\"from\":\"odd\",\"to\":\"y\",\"action\":"
        "\"\\u0001\\ufffe\",\"actor\":\"\\n\\ufffe\",\"type\":\"admin_"
        "override\","
        "\"reducer\":\"assign\",\"error\":\"a\\nb\\tc\\r\",\"duration_ms\":"
        "86400000.5,\"payload\":{\"k\":null}}\n"
        "{\"id\":\"all\",\"from\":\"y\",\"to\":\"\\ufffe\",\"type\":\"\"}\n"
        "{\"id\":\"all\",\"to\":\"\",\"action\":\"only\",\"type\":\"\"}\n"
        "{\"id\":\"all\",\"to\":\"only\",\"type\":\"timeout\"}\n"
        "{\"id\":\"all\",\"kind\":\"transitioned\",\"type\":\"\"}\n"
        "{\"id\":\"all\",\"kind\":\"saved\",\"to\":\"z\",\"state\":null}\n"
        "{\"id\":\"all\",\"kind\":\"saved\",\"state_base64\":\"\"}\n"
        "{\"id\":\"all\",\"kind\":\"saved\",\"state_base64\":\"/wA=\"}\n"
        "{\"id\":\"all\",\"kind\":\"saved\",\"state_base64\":\"IHt9\"}\n"
        "{\"id\":\"all\",\"kind\":\"saved\",\"state_base64\":\"ewp9\"}\n"
        "{\"id\":\"all\",\"kind\":\"saved\",\"state\":{}}\n"
        "{\"id\":\"all\",\"kind\":\"updated\",\"payload\":{\"a\":{}}}\n"
        "{\"id\":\"all\",\"kind\":\"updated\",\"reducer\":\"patch\","
        "\"payload\":[{\"op\":\"remove\",\"path\":\"/a\"}]}\n"
        "{\"id\":\"all\",\"kind\":\"appended\",\"payload_base64\":\"bnVsbA==\"}"
        "\n"
        "{\"id\":\"all\",\"kind\":\"appended\",\"payload\":\"text\"}\n"
        "{\"id\":\"all\",\"kind\":\"failed\",\"error\":\"no\",\"payload\":{}}\n"
        "{\"id\":\"all\",\"kind\":\"failed\",\"error\":\"\\r\"}\n"
        "{\"id\":\"all\",\"kind\":\"failed\",\"error\":\"\\n\"}\n"
        "{\"id\":\"all\",\"kind\":\"deleted\"}\n"
        "{\"id\":\"all\",\"kind\":\"restored\",\"state\":{\"a\":1}}\n"
        "{\"id\":\"bare\",\"kind\":\"created\",\"state\":{}}\n"
        "{\"id\":\"late \xc3\xa9, \\\"<&>'\\\"\",\"kind\":\"created\","
        "\"state\":{\"concept:name\":\"other\",\"stet:to\":\"x\"}}\n"
        "{\"id\":\"late \xc3\xa9, \\\"<&>'\\\"\",\"to\":\"x\",\"type\":\"\","
        "\"payload\":{\"concept:name\":\"n\",\"org:resource\":\"r\","
        "\"time:timestamp\":\"t\",\"stet:kind\":\"saved\"}}\n"
        "{\"id\":\"no create\",\"to\":\"x\",\"action\":\"x\",\"type\":\"\","
        "\"payload\":{\"a\":\"1\",\"b\":1,\"c\":1.0,\"d\":-0,\"e\":1e3,"
        "\"f\":false,\"g\":\"\",\"h\":\"\xc3\xa9\"}}\n"
        "{\"id\":\"no create\",\"kind\":\"appended\",\"payload\":"
        "{\"twice\":1,\"twice\":2}}\n"
        "{\"id\":\"last\",\"kind\":\"saved\",\"state\":{\"a\\u0001\":1}}\n");
}

static void put_random_value(rng *r, stet_buf *out, size_t depth)
{
    static const char *const plain[] = {
        "null",        "true",    "-0",           "12",
        "1.50",        "1E+9",    "\"\"",         "\"a b\"",
        "\"\\n\"",     "\"<&>\"", "\"\xc3\xa9\"", "\"\\u00e9\"",
        "\"\\ufffe\"", "[]",      "{}",           "\"2011-10-11T13:42:22Z\""};
    size_t kinds = sizeof plain / sizeof plain[0];
    size_t kind = rng_below(r, depth < 3 ? kinds + 2 : kinds);
    if (kind < kinds) {
        stet__buf_put_str(out, plain[kind]);
        return;
    }
    stet__buf_put_str(out, kind == kinds ? "[" : "{");
    for (size_t i = rng_below(r, 4); i > 0; i--) {
        if (kind > kinds) {
            stet__buf_printf(out, "\"k%zu\": ", i);
        }
        put_random_value(r, out, depth + 1);
        stet__buf_put_str(out, i > 1 ? "," : "");
    }
    stet__buf_put_str(out, kind == kinds ? "]" : "}");
}

static void put_random_object(rng *r, stet_buf *out)
{
    static const char *const names[] = {"concept:name", "org:group", "a",
                                        "\xc3\xa9",     "stet:x",    "<&>",
                                        "b c",          "\\t"};
    size_t first = rng_below(r, 8);
    stet__buf_put_u8(out, '{');
    for (size_t i = rng_below(r, 8); i > 0; i--) {
        stet__buf_printf(out, "\"%s\":%s", names[(first + i) % 8],
                         rng_below(r, 8) == 0 ? " " : "");
        put_random_value(r, out, 0);
        stet__buf_put_str(out, i > 1 ? "," : "");
    }
    stet__buf_put_u8(out, '}');
}

/* Whatever a payload or a state holds, each format brings it back. */
static void test_random_histories_read_back_the_same(void **state)
{
    (void)state;
    rng r = {20261120};
    for (int round = 0; round < 300; round++) {
        stet_buf lines;
        stet__buf_init(&lines, &stet__heap);
        for (int i = 0; i < 6; i++) {
            bool is_save = rng_below(&r, 3) == 0;
            stet__buf_printf(&lines, "{\"id\":\"m%d\",\"ts\":%d,%s",
                             round + i / 3, i,
                             i % 3 == 0 ? "\"kind\":\"created\",\"state\":"
                             : is_save  ? "\"state\":"
                                        : "\"to\":\"s\",\"payload\":");
            put_random_object(&r, &lines);
            stet__buf_put_str(&lines, "}\n");
        }
        assert_survives(text_of(&lines));
        stet__buf_deinit(&lines);
    }
}

/* Large values cost more in XML than a parser takes, so they go in base64. */
static void test_a_large_state_reads_back_the_same(void **state)
{
    (void)state;
    stet_buf lines;
    stet__buf_init(&lines, &stet__heap);
    for (int size = 3; size <= 7; size += 4) {
        stet__buf_printf(&lines,
                         "{\"id\":\"m%d\",\"kind\":\"created\","
                         "\"state\":{\"x\":\"",
                         size);
        size_t len = (size_t)size * 1024 * 1024;
        uint8_t *fill = stet__buf_extend(&lines, len);
        assert_non_null(fill);
        memset(fill, '&', len);
        stet__buf_put_str(&lines, "\"}}\n");
    }
    assert_survives(text_of(&lines));
    stet__buf_deinit(&lines);
}

/* An object may have more members than XES attributes. */
static void test_a_wide_state_reads_back_the_same(void **state)
{
    (void)state;
    stet_buf lines;
    stet__buf_init(&lines, &stet__heap);
    stet__buf_put_str(&lines, "{\"id\":\"a\",\"kind\":\"created\",\"state\":{");
    for (int i = 0; i < 2000; i++) {
        stet__buf_printf(&lines, "%s\"k%d\":%d", i > 0 ? "," : "", i, i);
    }
    stet__buf_put_str(&lines, "}}\n");
    assert_survives(text_of(&lines));
    stet__buf_deinit(&lines);
}

/* Print a real log in XES and read it back; returns what was printed. */
static void check_real(const char *name)
{
    itemdump want;
    itemdump_init(&want);
    want.has_lines = false;
    stet_status st = STET_OK;
    if (!itemdump_parse_real(&want, STET_FORMAT_XES, name, 4096, &st)) {
        itemdump_deinit(&want);
        skip();
    }
    assert_int_equal(st, STET_OK);
    printing p;
    assert_int_equal(begin(&p, &stet__heap, STET_FORMAT_XES), STET_OK);
    want.then = print_item;
    want.then_ctx = &p;
    stet__buf_reset(&want.text);
    assert_true(itemdump_parse_real(&want, STET_FORMAT_XES, name, 4096, &st));
    assert_int_equal(st, STET_OK);
    assert_int_equal(stet__printer_finish(p.printer, NULL), STET_OK);
    /* All of a log can be said in the words of XES. */
    assert_null(strstr(text_of(&p.out), "stet:payload"));

    itemdump got;
    itemdump_init(&got);
    got.has_lines = false;
    assert_int_equal(
        itemdump_parse(&got, STET_FORMAT_XES, stet__buf_slice(&p.out), 0),
        STET_OK);
    assert_string_equal(itemdump_text(&got), itemdump_text(&want));
    itemdump_deinit(&got);
    itemdump_deinit(&want);
    end(&p);
}

static void test_the_receipt_log_reads_back_the_same(void **state)
{
    (void)state;
    check_real("receipt.xes.gz");
}

static void test_the_road_traffic_log_reads_back_the_same(void **state)
{
    (void)state;
    check_real("roadtraffic100.xes.gz");
}

static void test_a_file_without_machines_is_whole(void **state)
{
    (void)state;
    for (size_t f = 0; f < sizeof formats / sizeof formats[0]; f++) {
        printing p;
        assert_int_equal(begin(&p, &stet__heap, formats[f]), STET_OK);
        assert_int_equal(stet__printer_finish(p.printer, NULL), STET_OK);
        itemdump d;
        itemdump_init(&d);
        assert_int_equal(
            itemdump_parse(&d, formats[f], stet__buf_slice(&p.out), 0),
            STET_OK);
        assert_int_equal(d.items, 0);
        itemdump_deinit(&d);
        end(&p);
    }
}

/* A full disk at the other end must end the export. */
static void test_refused_output_ends_the_printing(void **state)
{
    (void)state;
    for (size_t f = 0; f < sizeof formats / sizeof formats[0]; f++) {
        printing p;
        stet_error err = {0};
        assert_int_equal(begin(&p, &stet__heap, formats[f]), STET_OK);
        p.fail_at = 1;
        assert_int_equal(convert(&p, machine, &err), STET_E_IO);
        assert_string_equal(err.text, "refused");
        end(&p);
    }
}

/* Without memory nothing wrong is printed, and nothing leaks. */
static void test_each_allocation_may_fail(void **state)
{
    (void)state;
    for (size_t f = 0; f < sizeof formats / sizeof formats[0]; f++) {
        for (size_t nth = 1;; nth++) {
            failalloc fail;
            failalloc_init(&fail, nth);
            stet_allocator a = failalloc_allocator(&fail);
            printing p;
            stet_status st = begin(&p, &a, formats[f]);
            if (st == STET_OK) {
                st = convert(&p, machine, NULL);
            }
            assert_int_equal(st, fail.is_hit ? STET_E_NOMEM : STET_OK);
            end(&p);
            failalloc_assert_clean(&fail);
            if (!fail.is_hit) {
                break;
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_xes_says_what_it_can_in_the_usual_words),
        cmocka_unit_test(test_csv_begins_with_the_usual_columns),
        cmocka_unit_test(test_json_lines_hold_a_line_for_each_event),
        cmocka_unit_test(test_what_was_printed_reads_back_the_same),
        cmocka_unit_test(test_random_histories_read_back_the_same),
        cmocka_unit_test(test_a_large_state_reads_back_the_same),
        cmocka_unit_test(test_a_wide_state_reads_back_the_same),
        cmocka_unit_test(test_the_receipt_log_reads_back_the_same),
        cmocka_unit_test(test_the_road_traffic_log_reads_back_the_same),
        cmocka_unit_test(test_a_file_without_machines_is_whole),
        cmocka_unit_test(test_refused_output_ends_the_printing),
        cmocka_unit_test(test_each_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
