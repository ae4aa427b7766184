#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "lib/itemdump.h"

/* What an input gives: the items, then the error if there was one. */
static const char *dump_of(itemdump *d, const char *input, size_t piece)
{
    itemdump_deinit(d);
    itemdump_init(d);
    stet_status st =
        itemdump_parse(d, STET_FORMAT_JSONL, stet_str(input), piece);
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
    assert_string_equal(dump_of(&d, input, 0), items);
    itemdump_deinit(&d);
}

/* The state is whatever bytes stand there: spaces, escapes, number forms. */
static void test_a_state_is_the_exact_bytes_of_its_value(void **state)
{
    (void)state;
    assert_gives("{\"id\":\"a\",\"ts\":1,\"state\":{ \"x\" : 1.50,\"y\":[ ]}}\n"
                 "{ \"state\" :  \"\\u0041}\\\"\" , \"id\" : \"a\" }\n"
                 "{\"id\":\"a\",\"state\":null}\n"
                 "{\"id\":\"a\",\"state\":-1E+400}",
                 "1 saved id=a ts=1970-01-01T00:00:01Z "
                 "state={ \"x\" : 1.50,\"y\":[ ]}\n"
                 "2 saved id=a state=\"\\u0041}\\\"\"\n"
                 "3 saved id=a state=null\n"
                 "4 saved id=a state=-1E+400\n");
}

/* Names in the line may be escaped or in the long form of the documents. */
static void test_a_field_has_two_names_however_they_are_written(void **state)
{
    (void)state;
    assert_gives(
        "{\"state_machine_id\":\"a\",\"timestamp\":\"2026-01-02T03:04:05."
        "678Z\","
        "\"from_state\":\"x\",\"to_state\":\"y\",\"\\u0061ction\":\"go\","
        "\"actor_id\":\"p1\",\"correlation_id\":\"c\",\"causation_id\":\"d\"}"
        "\n",
        "1 transitioned id=a ts=2026-01-02T03:04:05.678Z from=x to=y action=go "
        "actor=p1 type=user_action correlation=c causation=d\n");
}

static void test_every_field_of_an_event_arrives(void **state)
{
    (void)state;
    assert_gives(
        "{\"id\":\"a\",\"from\":\"x\",\"to\":\"y\",\"action\":\"go\","
        "\"type\":\"timeout\",\"reducer\":\"assign\",\"error\":\"late\","
        "\"duration_ms\":12.000345,\"phase_change\":true,\"event_id\":\"e\","
        "\"version\":\"1.0.0\",\"state_type\":\"game\",\"metadata\":{\"m\":1},"
        "\"machine_metadata\":{\"n\":2},\"payload\":{\"p\":null}}\n"
        "{\"id\":\"a\",\"kind\":\"created\",\"state_base64\":\"/w==\"}\n"
        "{\"id\":\"a\",\"kind\":\"updated\",\"payload\":{}}\n"
        "{\"id\":\"a\",\"kind\":\"updated\",\"reducer\":\"patch\","
        "\"payload\":[]}\n"
        "{\"id\":\"a\",\"kind\":\"appended\",\"payload\":3}\n"
        "{\"id\":\"a\",\"kind\":\"failed\",\"error\":\"no\"}\n"
        "{\"id\":\"a\",\"kind\":\"restored\",\"state\":{}}\n"
        "{\"id\":\"a\",\"kind\":\"deleted\"}\n",
        "1 transitioned id=a from=x to=y action=go type=timeout reducer=assign "
        "error=late duration_ms=12.000345 phase_change=true event_id=e "
        "version=1.0.0 state_type=game metadata={\"m\":1} "
        "machine_metadata={\"n\":2} payload={\"p\":null}\n"
        "2 created id=a state=\xff\n"
        "3 updated id=a payload={}\n"
        "4 updated id=a reducer=patch payload=[]\n"
        "5 appended id=a payload=3\n"
        "6 failed id=a error=no\n"
        "7 restored id=a state={}\n"
        "8 deleted id=a\n");
}

/* The order of the marks is the rule; only true counts as set. */
static void test_an_absent_type_is_derived_in_the_stated_order(void **state)
{
    (void)state;
    static const struct {
        const char *rest;
        const char *type;
    } cases[] = {
        {"\"metadata\":{\"is_admin\":true,\"is_timeout\":true}", "timeout"},
        {"\"metadata\":{\"is_admin\":true,\"is_error_recovery\":true}",
         "error_recovery"},
        {"\"actor\":\"system\",\"metadata\":{\"is_admin\":true}",
         "admin_override"},
        {"\"actor\":\"system:clock\"", "system_event"},
        {"\"actor\":\"system\",\"metadata\":{\"is_timeout\":false}",
         "system_event"},
        {"\"actor\":\"sys\"", "user_action"},
        {"\"metadata\":{\"nested\":{\"is_timeout\":true}}", "user_action"},
        {"\"type\":\"admin_override\",\"metadata\":{\"is_timeout\":true}",
         "admin_override"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char line[256];
        char want[64];
        snprintf(line, sizeof line, "{\"id\":\"a\",\"to\":\"b\",%s}",
                 cases[i].rest);
        snprintf(want, sizeof want, " type=%s", cases[i].type);
        itemdump d;
        itemdump_init(&d);
        assert_non_null(strstr(dump_of(&d, line, 0), want));
        itemdump_deinit(&d);
    }
}

/* Only transitions have a type, and one that says none has none. */
static void test_no_type_is_derived_where_there_is_none(void **state)
{
    (void)state;
    assert_gives("{\"id\":\"a\",\"state\":1,\"actor\":\"system\"}\n"
                 "{\"id\":\"a\",\"to\":\"b\",\"type\":\"\"}\n",
                 "1 saved id=a actor=system state=1\n"
                 "2 transitioned id=a to=b\n");
}

/* A user must learn that data was left out, and may keep it. */
static void test_unknown_members_are_told_or_kept(void **state)
{
    (void)state;
    const char *input =
        "{\"id\":\"a\",\"rev\":\"1f\",\"state\":{}}\n"
        "{\"id\":\"a\",\"rev\":[ 2],\"metadata\":{\"m\":1},\"z\":{},"
        "\"m\":2,\"state\":{}}\n";
    itemdump d;
    itemdump_init(&d);
    assert_int_equal(itemdump_parse(&d, STET_FORMAT_JSONL, stet_str(input), 0),
                     STET_OK);
    assert_int_equal(d.ignored.count, 4);
    assert_int_equal(d.ignored.name_count, 3);
    assert_string_equal(d.ignored.names[0], "rev");
    assert_string_equal(d.ignored.names[1], "z");
    assert_string_equal(d.ignored.names[2], "m");
    itemdump_deinit(&d);

    itemdump_init(&d);
    stet_parser_opts opts = {.keep_unknown = true};
    assert_int_equal(
        itemdump_parse_opts(&d, STET_FORMAT_JSONL, &opts, stet_str(input), 0),
        STET_OK);
    assert_string_equal(itemdump_text(&d),
                        "1 saved id=a metadata={\"rev\":\"1f\"} state={}\n"
                        "2 saved id=a metadata={\"m\":1,\"rev\":[ 2],\"z\":{}} "
                        "state={}\n");
    assert_int_equal(d.ignored.count, 1);
    assert_string_equal(d.ignored.names[0], "m");
    itemdump_deinit(&d);
}

/* What stands before the broken line has been given, and its line is named. */
static void test_a_malformed_line_is_told_by_its_number(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        const char *error;
    } cases[] = {
        {"{\"id\":\"a\"", "not JSON: "},
        {"[1]", "JSON, but not an object"},
        {"{\"id\":\"a\",\"state\":1} x", "not JSON: "},
        {"{\"id\":\"a\",\"state\":tru}", "not JSON: "},
        {"{\"id\":\"a\",\"state\":\"\xff\"}", "not JSON: "},
        {"{\"id\":\"a\",\"state\":01}", "not JSON: "},
        {"{\"state\":1}", "no id"},
        {"{\"id\":\"\",\"state\":1}", "no id"},
        {"{\"id\":7,\"state\":1}", "id is not a string"},
        {"{\"id\":\"a\\n\",\"state\":1}", "the id has control characters"},
        {"{\"id\":\"a\"}", "neither a state nor a transition"},
        {"{\"id\":\"a\",\"id\":\"b\",\"state\":1}", "id is given twice"},
        {"{\"id\":\"a\",\"state\":1,\"state_base64\":\"\"}",
         "state is given twice"},
        {"{\"id\":\"a\",\"ts\":\"soon\",\"state\":1}", "ts cannot be \"soon\""},
        {"{\"id\":\"a\",\"ts\":true,\"state\":1}",
         "ts is not a string or a number"},
        {"{\"id\":\"a\",\"ts\":1e9,\"state\":1}", "ts cannot be \"1e9\""},
        {"{\"id\":\"a\",\"kind\":\"melted\"}", "kind cannot be \"melted\""},
        {"{\"id\":\"a\",\"kind\":\"forked\"}",
         "a forked event cannot be imported"},
        {"{\"id\":\"a\",\"kind\":\"saved\"}", "a saved event without a state"},
        {"{\"id\":\"a\",\"kind\":\"failed\",\"state\":1}",
         "a failed event with a state"},
        {"{\"id\":\"a\",\"to\":\"b\",\"payload\":[1]}",
         "the payload is not a JSON object"},
        {"{\"id\":\"a\",\"to\":\"b\",\"reducer\":\"custom\"}",
         "reducer cannot be \"custom\""},
        {"{\"id\":\"a\",\"to\":\"b\",\"metadata\":[]}",
         "metadata is not an object"},
        {"{\"id\":\"a\",\"to\":\"b\",\"duration_ms\":1e3}",
         "duration_ms cannot be \"1e3\""},
        {"{\"id\":\"a\",\"state_base64\":\"A\"}", "state_base64 is not base64"},
        {"{\"id\":\"a\",\"state\":1,\"payload\":{}}",
         "both a state and a payload"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char input[256];
        char want[256];
        snprintf(input, sizeof input, "{\"id\":\"ok\",\"state\":1}\n\n%s\n",
                 cases[i].line);
        snprintf(want, sizeof want,
                 "1 saved id=ok state=1\nSTET_E_INVALID: line 3: %s",
                 cases[i].error);
        itemdump d;
        itemdump_init(&d);
        const char *got = dump_of(&d, input, 0);
        if (strncmp(got, want, strlen(want)) != 0) {
            fail_msg("%s gave %s", cases[i].line, got);
        }
        itemdump_deinit(&d);
    }
}

/* An error of the store is no error of the line. */
static void test_a_refused_item_ends_the_parse_with_that_status(void **state)
{
    (void)state;
    itemdump d;
    itemdump_init(&d);
    d.fail_at = 2;
    const char *input =
        "{\"id\":\"a\",\"state\":1}\n{\"id\":\"b\",\"state\":1}\n"
        "{\"id\":\"c\",\"state\":1}\n";
    assert_int_equal(itemdump_parse(&d, STET_FORMAT_JSONL, stet_str(input), 0),
                     STET_E_NOSPACE);
    assert_string_equal(d.err.text, "refused");
    assert_string_equal(itemdump_text(&d), "1 saved id=a state=1\n");
    itemdump_deinit(&d);
}

/* Files come in pieces that end anywhere. */
static void test_pieces_make_no_difference(void **state)
{
    (void)state;
    const char *input =
        "\xef\xbb\xbf{\"id\":\"a\",\"state\":{\"k\":\"\xc3\xa9\\n\"}}\r\n"
        "\r\n  \n"
        "{\"id\":\"b\",\"to\":\"x\",\"payload\":{\"a\":[{\"b\":\"]\"}]}}\n"
        "{\"id\":\"c\",\"state\":\"last\"}";
    const char *want = "1 saved id=a state={\"k\":\"\xc3\xa9\\n\"}\n"
                       "4 transitioned id=b to=x type=user_action "
                       "payload={\"a\":[{\"b\":\"]\"}]}\n"
                       "5 saved id=c state=\"last\"\n";
    for (size_t piece = 1; piece <= strlen(input); piece++) {
        itemdump d;
        itemdump_init(&d);
        assert_string_equal(dump_of(&d, input, piece), want);
        itemdump_deinit(&d);
    }
}

/* Memory follows the longest line, so lines have a limit. */
static void test_a_line_over_the_limit_is_refused(void **state)
{
    (void)state;
    size_t len = STET_ITEM_BYTES_MAX + 64;
    stet_buf b;
    stet__buf_init(&b, &stet__heap);
    stet__buf_put_str(&b,
                      "{\"id\":\"a\",\"state\":1}\n{\"id\":\"a\",\"state\":\"");
    uint8_t *fill = stet__buf_extend(&b, len);
    assert_non_null(fill);
    memset(fill, 'x', len);
    stet__buf_put_str(&b, "\"}\n");
    for (size_t piece = 0; piece <= 1 << 20; piece += 1 << 20) {
        itemdump d;
        itemdump_init(&d);
        assert_int_equal(
            itemdump_parse(&d, STET_FORMAT_JSONL, stet__buf_slice(&b), piece),
            STET_E_TOO_LARGE);
        assert_string_equal(d.err.text, "line 2: a line of more than 33554432 "
                                        "bytes");
        assert_int_equal(d.items, 1);
        itemdump_deinit(&d);
    }
    stet__buf_deinit(&b);
}

/* The real input: versions of a manifest, in order, nothing else in them. */
static void test_the_manifests_arrive_as_588_saves(void **state)
{
    (void)state;
    itemdump d;
    itemdump_init(&d);
    stet_status st = STET_OK;
    if (!itemdump_parse_real(&d, STET_FORMAT_JSONL,
                             "express_package_json.jsonl.gz", 64 * 1024, &st)) {
        itemdump_deinit(&d);
        skip();
    }
    assert_string_equal(d.err.text, "");
    assert_int_equal(st, STET_OK);
    assert_int_equal(d.items, 588);
    assert_int_equal(d.ignored.count, 588);
    assert_string_equal(d.ignored.names[0], "rev");
    const char *first = "1 saved id=package.json ts=2010-03-16T15:31:33Z "
                        "state={\"name\":\"Express\",";
    assert_memory_equal(itemdump_text(&d), first, strlen(first));
    itemdump_deinit(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_state_is_the_exact_bytes_of_its_value),
        cmocka_unit_test(test_a_field_has_two_names_however_they_are_written),
        cmocka_unit_test(test_every_field_of_an_event_arrives),
        cmocka_unit_test(test_an_absent_type_is_derived_in_the_stated_order),
        cmocka_unit_test(test_no_type_is_derived_where_there_is_none),
        cmocka_unit_test(test_unknown_members_are_told_or_kept),
        cmocka_unit_test(test_a_malformed_line_is_told_by_its_number),
        cmocka_unit_test(test_a_refused_item_ends_the_parse_with_that_status),
        cmocka_unit_test(test_pieces_make_no_difference),
        cmocka_unit_test(test_a_line_over_the_limit_is_refused),
        cmocka_unit_test(test_the_manifests_arrive_as_588_saves),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
