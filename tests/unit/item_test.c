#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "formats/item.h"

static void assert_slice(stet_slice got, const char *want)
{
    assert_int_equal(got.len, strlen(want));
    assert_memory_equal(got.len > 0 ? got.ptr : "", want, got.len);
}

static void assert_puts(const stet_item *item, stet_field field,
                        const char *want)
{
    stet_buf out;
    stet__buf_init(&out, &stet__heap);
    stet__item_put(item, field, &out);
    assert_slice(stet__buf_slice(&out), want);
    stet__buf_deinit(&out);
}

/* Set one field of a new item from a text. */
static stet_status set(stet_item *item, const char *name, const char *text)
{
    static stet_arena arena;
    stet_field_name field;
    stet__arena_init(&arena, &stet__heap);
    stet__item_reset(item, 1);
    assert_true(stet__field_find(stet_str(name), &field));
    stet_status st = stet__item_set(item, field, stet_str(text), &arena, NULL);
    stet__arena_deinit(&arena);
    return st;
}

/* Readers and writers must agree on every field. */
static void test_each_field_is_found_by_the_name_writers_use(void **state)
{
    (void)state;
    for (int f = 0; f < STET_FIELD_COUNT; f++) {
        char name[64];
        stet_field_name found;
        snprintf(name, sizeof name, "%s", stet__field_name((stet_field)f));
        assert_true(stet__field_find(stet_str(name), &found));
        assert_int_equal(found.field, f);
        assert_false(found.is_base64);
        snprintf(name, sizeof name, "%s_base64",
                 stet__field_name((stet_field)f));
        assert_true(stet__field_find(stet_str(name), &found));
        assert_int_equal(found.field, f);
        assert_true(found.is_base64);
    }
    stet_field_name found;
    assert_false(stet__field_find(stet_str("rev"), &found));
    assert_false(stet__field_find(stet_str("_base64"), &found));
    assert_false(stet__field_find(stet_str(""), &found));
}

/* Floating point would turn some of these into their neighbours. */
static void test_durations_are_exact(void **state)
{
    (void)state;
    static const struct {
        const char *ms;
        int64_t ns;
        const char *back;
    } cases[] = {
        {"0", 0, ""},
        {"1", 1000000, "1"},
        {"0.000001", 1, "0.000001"},
        {"12.5", 12500000, "12.5"},
        {"0.1234569", 123456, "0.123456"},
        {"9007199254.740993", 9007199254740993, "9007199254.740993"},
        {"9223372036854.775807", INT64_MAX, "9223372036854.775807"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        stet_item item;
        assert_int_equal(set(&item, "duration_ms", cases[i].ms), STET_OK);
        assert_true(item.change.duration_ns == cases[i].ns);
        assert_puts(&item, STET_FIELD_DURATION_MS, cases[i].back);
    }
    static const char *const wrong[] = {
        "", "-1", "1.", ".5", "1e3", "1,5", "1.2.3", "9223372036854.775808"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        stet_item item;
        assert_int_equal(set(&item, "duration_ms", wrong[i]), STET_E_INVALID);
    }
}

/* 1970 is a time like any other, and not "now". */
static void test_the_epoch_is_a_time(void **state)
{
    (void)state;
    stet_item item;
    assert_int_equal(set(&item, "ts", "1970-01-01T00:00:00Z"), STET_OK);
    assert_int_equal(item.change.flags, STET_CHANGE_EPOCH);
    assert_puts(&item, STET_FIELD_TS, "1970-01-01T00:00:00Z");
    stet__item_reset(&item, 1);
    assert_puts(&item, STET_FIELD_TS, "");
}

/* A name that a store would refuse is refused here, where the line is known. */
static void test_names_are_bounded(void **state)
{
    (void)state;
    char name[STET_NAME_BYTES_MAX + 2];
    memset(name, 'x', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    for (size_t len = STET_NAME_BYTES_MAX; len <= STET_NAME_BYTES_MAX + 1;
         len++) {
        stet_item item;
        stet_error err = {0};
        stet__item_reset(&item, 1);
        item.change.id = stet_str("a");
        item.change.to_state = stet_slice_of(name, len);
        stet_status st =
            stet__item_finish(&item, STET_EVENT_TRANSITIONED, &err);
        assert_string_equal(err.text, len == STET_NAME_BYTES_MAX
                                          ? ""
                                          : "to has 256 bytes, 255 at most");
        assert_int_equal(st,
                         len == STET_NAME_BYTES_MAX ? STET_OK : STET_E_INVALID);
    }
}

static stet_event event_of(stet_event_kind kind, stet_reducer reducer,
                           const char *payload)
{
    stet_event e = {.kind = kind,
                    .reducer = reducer,
                    .state_machine_id = stet_str("m"),
                    .payload = stet_str(payload),
                    .timestamp = 5};
    return e;
}

/* Each kind of event comes back as the change that writes it again. */
static void test_an_event_is_the_change_that_writes_it(void **state)
{
    (void)state;
    static const struct {
        stet_event_kind kind;
        stet_reducer reducer;
        const char *payload;
        stet_verb verb;
        stet_reducer want;
        const char *bytes; /* of the change; the state is "S" */
    } cases[] = {
        {STET_EVENT_CREATED, STET_REDUCER_SET, "", STET_VERB_CREATE,
         STET_REDUCER_DEFAULT, "S"},
        {STET_EVENT_SAVED, STET_REDUCER_SET, "", STET_VERB_SAVE,
         STET_REDUCER_DEFAULT, "S"},
        {STET_EVENT_RESTORED, STET_REDUCER_SET, "", STET_VERB_RESTORE,
         STET_REDUCER_DEFAULT, "S"},
        {STET_EVENT_TRANSITIONED, STET_REDUCER_MERGE, "{}",
         STET_VERB_TRANSITION, STET_REDUCER_DEFAULT, "{}"},
        {STET_EVENT_TRANSITIONED, STET_REDUCER_NONE, "", STET_VERB_TRANSITION,
         STET_REDUCER_DEFAULT, ""},
        {STET_EVENT_TRANSITIONED, STET_REDUCER_NONE, "{}", STET_VERB_TRANSITION,
         STET_REDUCER_NONE, "{}"},
        {STET_EVENT_TRANSITIONED, STET_REDUCER_MERGE, "", STET_VERB_TRANSITION,
         STET_REDUCER_DEFAULT, ""},
        {STET_EVENT_TRANSITIONED, STET_REDUCER_SET, "", STET_VERB_TRANSITION,
         STET_REDUCER_SET, "S"},
        {STET_EVENT_TRANSITIONED, STET_REDUCER_ASSIGN, "{}",
         STET_VERB_TRANSITION, STET_REDUCER_ASSIGN, "{}"},
        {STET_EVENT_UPDATED, STET_REDUCER_MERGE, "{}", STET_VERB_UPDATE,
         STET_REDUCER_DEFAULT, "{}"},
        {STET_EVENT_UPDATED, STET_REDUCER_PATCH, "[]", STET_VERB_PATCH,
         STET_REDUCER_DEFAULT, "[]"},
        {STET_EVENT_APPENDED, STET_REDUCER_NONE, "x", STET_VERB_APPEND,
         STET_REDUCER_DEFAULT, "x"},
        {STET_EVENT_APPENDED, STET_REDUCER_MERGE, "{}", STET_VERB_APPEND,
         STET_REDUCER_MERGE, "{}"},
        {STET_EVENT_FAILED, STET_REDUCER_NONE, "", STET_VERB_FAIL,
         STET_REDUCER_DEFAULT, ""},
        {STET_EVENT_DELETED, STET_REDUCER_NONE, "", STET_VERB_DELETE,
         STET_REDUCER_DEFAULT, ""},
        {STET_EVENT_FORKED, STET_REDUCER_NONE, "", STET_VERB_APPEND,
         STET_REDUCER_DEFAULT, ""},
        {STET_EVENT_MIGRATED, STET_REDUCER_SET, "", STET_VERB_SAVE,
         STET_REDUCER_DEFAULT, "S"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        stet_state after = {.state_data = stet_str("S")};
        stet_event e =
            event_of(cases[i].kind, cases[i].reducer, cases[i].payload);
        e.state = &after;
        stet_item item;
        stet__item_of_event(&item, &e, stet_slice_of(NULL, 0));
        assert_int_equal(item.change.verb, cases[i].verb);
        assert_int_equal(item.change.reducer, cases[i].want);
        assert_slice(item.change.payload, cases[i].bytes);
        assert_int_equal(item.change.timestamp, 5);
    }
}

/* A fork's history is printed in full; what it was stays to be seen. */
static void test_a_fork_becomes_a_raw_event_of_that_name(void **state)
{
    (void)state;
    stet_event e = event_of(STET_EVENT_FORKED, STET_REDUCER_NONE, "");
    stet_item item;
    stet__item_of_event(&item, &e, stet_slice_of(NULL, 0));
    assert_int_equal(item.kind, STET_EVENT_APPENDED);
    assert_slice(item.change.action, "forked");
}

/* An event does not say that it set the machine's metadata; states do. */
static void test_machine_metadata_is_named_where_it_changed(void **state)
{
    (void)state;
    stet_state after = {.metadata = stet_str("{\"a\":1}")};
    stet_event e = event_of(STET_EVENT_TRANSITIONED, STET_REDUCER_NONE, "");
    e.state = &after;
    stet_item item;
    stet__item_of_event(&item, &e, stet_slice_of(NULL, 0));
    assert_slice(item.change.machine_metadata, "{\"a\":1}");
    stet__item_of_event(&item, &e, stet_str("{\"a\":1}"));
    assert_slice(item.change.machine_metadata, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_field_is_found_by_the_name_writers_use),
        cmocka_unit_test(test_durations_are_exact),
        cmocka_unit_test(test_the_epoch_is_a_time),
        cmocka_unit_test(test_names_are_bounded),
        cmocka_unit_test(test_an_event_is_the_change_that_writes_it),
        cmocka_unit_test(test_a_fork_becomes_a_raw_event_of_that_name),
        cmocka_unit_test(test_machine_metadata_is_named_where_it_changed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
