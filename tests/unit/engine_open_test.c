/* Opening and closing: URLs, options, modes, what a store says of itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "lib/store_under_test.h"

static void claim_refused(const char *url, const stet_opts *opts,
                          stet_status want, const char *named)
{
    stet *s = NULL;
    stet_error err = {0};
    assert_status(stet_open(url, opts, &s, &err), want, &err);
    assert_null(s);
    assert_names(&err, named);
    assert_true(strncmp(err.text, "open", 4) == 0);
}

/* ---- URLs ---- */

/* A wrong URL is told as what it is, and what there is instead. */
static void test_a_url_that_names_no_store_is_refused(void **state)
{
    (void)state;
    claim_refused(NULL, NULL, STET_E_INVALID, "no store named");
    claim_refused("", NULL, STET_E_INVALID, "no store named");
    claim_refused("redis://host", NULL, STET_E_UNSUPPORTED,
                  "no store for redis: in this build; there are stet:, "
                  "memory: and backup:");
    claim_refused("memory:name", NULL, STET_E_INVALID, "memory:name");
    claim_refused("stet:", NULL, STET_E_INVALID, "stet:");
}

/* A plain path is the embedded store, and so is one that looks like a URL. */
static void test_a_path_opens_the_embedded_store(void **state)
{
    store_under_test *t = *state;
    (void)store_save(t, "m", "x");
    store_close(t);
    stet_error err = {0};
    stet *s = NULL;
    const stet_state *got = NULL;
    assert_status(stet_open(t->url + strlen("stet:"), NULL, &s, &err), STET_OK,
                  &err);
    assert_status(stet_load(s, stet_str("m"), NULL, &got, &err), STET_OK, &err);
    assert_says(got->state_data, "x");
    stet_state_release(got);
    assert_status(stet_close(s, &err), STET_OK, &err);
}

/* ---- options ---- */

/* Out of range is told by name and range; nothing is opened. */
static void test_an_option_out_of_range_is_named(void **state)
{
    (void)state;
    stet_opts o = STET_OPTS_INIT;
    const struct {
        uint32_t *field;
        uint32_t value;
        const char *name;
    } narrow[] = {
        {&o.state_bytes_max, 16 * 1024 * 1024 + 1, "state_bytes_max"},
        {&o.batch_events_max, 65537, "batch_events_max"},
        {&o.batch_bytes_max, 32 * 1024 * 1024 + 1, "batch_bytes_max"},
        {&o.batch_bytes_max, 1, "batch_bytes_max"},
        {&o.segment_bytes, 4096, "segment_bytes"},
        {&o.segment_bytes, 64 * 1024 + 1, "segment_bytes is 65537; a multiple"},
        {&o.frames_in_flight, 17, "frames_in_flight"},
        {&o.base_events, 65537, "base_events"},
        {&o.callbacks_max, UINT32_MAX, "callbacks_max"},
    };
    for (size_t i = 0; i < sizeof narrow / sizeof narrow[0]; i++) {
        *narrow[i].field = narrow[i].value;
        claim_refused("memory:", &o, STET_E_INVALID, narrow[i].name);
        *narrow[i].field = 0;
    }
    o.cache_bytes = 1;
    claim_refused("memory:", &o, STET_E_INVALID, "cache_bytes is 1");
    o.cache_bytes = 0;
    o.memory_bytes_max = 1;
    claim_refused("memory:", &o, STET_E_INVALID, "memory_bytes_max is 1");
    o.memory_bytes_max = 0;
    o.queue_bytes = 1;
    claim_refused("memory:", &o, STET_E_INVALID, "queue_bytes is 1");
    o.queue_bytes = 0;
    o.name_pointers = "current_state";
    claim_refused("memory:", &o, STET_E_INVALID,
                  "name_pointers \"current_state\"");
    o.name_pointers = NULL;
    o.flags = 1u << 31;
    claim_refused("memory:", &o, STET_E_INVALID, "flags");
    o.flags = 0;
    o.mode = (stet_open_mode)9;
    claim_refused("memory:", &o, STET_E_INVALID, "mode");
}

/* Who asks for what survives a power cut is not given what survives nothing. */
static void test_a_store_that_reaches_less_than_asked_for_is_refused(void **s)
{
    (void)s;
    stet_opts o = STET_OPTS_INIT;
    o.level = STET_LEVEL_OS;
    claim_refused("memory:", &o, STET_E_INVALID,
                  "level os is asked for; this store reaches memory");
}

static stet_status reduce(void *ctx, stet_slice state, stet_slice payload,
                          stet_output *out)
{
    (void)ctx;
    (void)state;
    (void)payload;
    (void)out;
    return STET_OK;
}

/* A reducer that could never be found again is refused before it is used. */
static void test_a_reducer_needs_a_name_a_version_and_a_function(void **state)
{
    (void)state;
    char name[257] = "";
    memset(name, 'n', 256);
    const stet_reducer_def bad[] = {
        {NULL, 1, reduce, NULL}, {"", 1, reduce, NULL},
        {name, 1, reduce, NULL}, {"r", 0, reduce, NULL},
        {"r", 1, NULL, NULL},    {"good", 1, reduce, NULL},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        const stet_reducer_def defs[] = {{"good", 1, reduce, NULL}, bad[i]};
        stet_opts o = STET_OPTS_INIT;
        o.reducers = defs;
        o.reducer_count = 2;
        claim_refused("memory:", &o, STET_E_INVALID, "reducer 1");
    }
    stet_opts o = STET_OPTS_INIT;
    o.reducer_count = 1;
    claim_refused("memory:", &o, STET_E_INVALID, "reducer_count is 1");
    o.reducers = bad;
    o.reducer_count = STET_REDUCERS_MAX + 1;
    claim_refused("memory:", &o, STET_E_INVALID, "at most 1024 reducers");
}

/* Options of an older or a newer caller. */
typedef struct newer_opts {
    stet_opts known;
    uint64_t unknown;
} newer_opts;

/* A library may be newer or older than who calls it. */
static void test_options_of_other_versions_are_understood(void **state)
{
    (void)state;
    stet *s = NULL;
    stet_error err = {0};
    newer_opts o = {.known = {.struct_size = sizeof(newer_opts)}};
    assert_status(stet_open("memory:", &o.known, &s, &err), STET_OK, &err);
    assert_status(stet_close(s, &err), STET_OK, &err);
    s = NULL;
    o.unknown = 1;
    claim_refused("memory:", &o.known, STET_E_UNSUPPORTED,
                  "an option that this version does not know");
    /* One that knows no more than its size and mode. */
    o.known.struct_size = offsetof(stet_opts, level);
    o.known.segment_bytes = 1; /* beyond what it says it has */
    assert_status(stet_open("memory:", &o.known, &s, &err), STET_OK, &err);
    assert_status(stet_close(s, &err), STET_OK, &err);
    o.known.struct_size = 0;
    claim_refused("memory:", &o.known, STET_E_INVALID, "struct_size");
}

/* The same for what other calls take. */
static void test_options_of_reads_grow_like_those_of_open(void **state)
{
    store_under_test *t = *state;
    stet_error err = {0};
    (void)store_save(t, "a", "1");
    (void)store_save(t, "a", "2");
    /* Newer: as large as any, the rest zero but for the last byte. */
    union {
        stet_read_opts read;
        stet_history_opts history;
        stet_scan_opts scan;
        stet_keys_opts keys;
        stet_checkpoint_opts checkpoint;
        uint8_t bytes[256];
    } o = {.bytes = {0}};
    stet_history *h = NULL;
    stet_keys *keys = NULL;
    const stet_state *got = NULL;
    const stet_flow *flow = NULL;
    for (int is_said = 0; is_said < 2; is_said++) {
        stet_status want = is_said == 1 ? STET_E_UNSUPPORTED : STET_OK;
        o.read.struct_size = sizeof o;
        o.bytes[sizeof o - 1] = (uint8_t)is_said;
        assert_status(stet_load(t->s, stet_str("a"), &o.read, &got, &err), want,
                      &err);
        assert_status(
            stet_history_open(t->s, stet_str("a"), &o.history, &h, &err), want,
            &err);
        assert_status(
            stet_checkpoint_set(t->s, stet_str("a"), &o.checkpoint, NULL, &err),
            want, &err);
        assert_status(stet_keys_open(t->s, &o.keys, &keys, &err), want, &err);
        assert_status(stet_flow_discover(t->s, &o.scan, &flow, &err), want,
                      &err);
        if (is_said == 0) {
            stet_state_release(got);
            stet_history_close(h);
            stet_keys_close(keys);
            stet_flow_free(flow);
        }
        assert_status(stet_scan_open(t->s, &o.scan, &h, &err), want, &err);
        if (is_said == 0) {
            stet_history_close(h);
        }
    }
    /* Older: what it has not is default, whatever lies behind it. */
    memset(&o, 0xff, sizeof o);
    o.read = (stet_read_opts){
        .struct_size = offsetof(stet_read_opts, ns), .at = at_seq(1), .ns = 9};
    assert_status(stet_load(t->s, stet_str("a"), &o.read, &got, &err), STET_OK,
                  &err);
    assert_says(got->state_data, "1");
    stet_state_release(got);
}

/* The same for what a call fills: nothing behind the caller's is written to. */
static void test_numbers_are_told_to_other_versions(void **state)
{
    store_under_test *t = *state;
    stet_error err = {0};
    stet_info known = {0};
    (void)store_save(t, "a", "1");
    assert_status(stet_get_info(t->s, &known, &err), STET_OK, &err);
    assert_int_equal(known.events, 1);
    struct {
        stet_info info;
        uint8_t behind[64];
    } o;
    uint8_t untouched[sizeof o];
    memset(untouched, 0xff, sizeof untouched);
    const size_t sizes[] = {0, offsetof(stet_info, machines),
                            offsetof(stet_info, uuid), sizeof(stet_info),
                            sizeof o};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        memcpy(&o, untouched, sizeof o);
        o.info.struct_size = sizes[i];
        assert_status(stet_get_info(t->s, &o.info, &err), STET_OK, &err);
        assert_int_equal(o.info.struct_size, sizes[i]);
        size_t both =
            sizes[i] == 0 || sizes[i] > sizeof known ? sizeof known : sizes[i];
        const size_t said = sizeof known.struct_size;
        assert_memory_equal((uint8_t *)&o + said, (uint8_t *)&known + said,
                            both - said);
        assert_memory_equal((uint8_t *)&o + both, untouched, sizeof o - both);
    }
}

/* The same of the report of verifying, which an older program has shorter. */
static void test_a_report_is_filled_as_far_as_it_goes(void **state)
{
    store_under_test *t = *state;
    stet_error err = {0};
    stet_verify_report known = {0};
    (void)store_save(t, "a", "{}");
    assert_status(stet_verify(t->s, NULL, NULL, &known, &err), STET_OK, &err);
    stet_verify_report older;
    memset(&older, 0xff, sizeof older);
    older.struct_size = offsetof(stet_verify_report, machines);
    assert_status(stet_verify(t->s, NULL, NULL, &older, &err), STET_OK, &err);
    assert_int_equal(older.records, known.records);
    assert_int_equal(older.records, 1);
    assert_int_equal(older.machines, UINT64_MAX);
}

/* ---- modes ---- */

/* A mistyped path is not answered with an empty store. */
static void test_a_mode_that_does_not_create_finds_nothing(void **state)
{
    store_under_test *t = *state;
    char url[700];
    (void)snprintf(url, sizeof url, "%s/none", t->dir.path);
    stet_opts o = STET_OPTS_INIT;
    o.mode = STET_OPEN_EXISTING;
    claim_refused(url, &o, STET_E_NOT_FOUND, "none");
    o.mode = STET_OPEN_READONLY;
    claim_refused(url, &o, STET_E_NOT_FOUND, "none");
    claim_refused("memory:", &o, STET_E_NOT_FOUND, "memory");
}

/* Two writers would overwrite each other; readers may come. */
static void test_one_writes_and_others_read(void **state)
{
    store_under_test *t = *state;
    stet_error err = {0};
    (void)store_save(t, "m", "x");
    stet_opts o = STET_OPTS_INIT;
    claim_refused(t->url, &o, STET_E_LOCKED, t->url);
    o.mode = STET_OPEN_READONLY;
    store_close(t);
    stet *reader = NULL;
    assert_status(stet_open(t->url, &o, &reader, &err), STET_OK, &err);
    const stet_state *got = NULL;
    assert_status(stet_load(reader, stet_str("m"), NULL, &got, &err), STET_OK,
                  &err);
    assert_says(got->state_data, "x");
    stet_state_release(got);
    stet_info info = {0};
    assert_status(stet_get_info(reader, &info, &err), STET_OK, &err);
    assert_true(info.is_readonly);
    assert_status(
        stet_save(reader, stet_str("m"), stet_str("y"), NULL, NULL, &err),
        STET_E_READONLY, &err);
    assert_names(&err, "the store was opened read-only");
    assert_status(stet_checkpoint_set(reader, stet_str("m"), NULL, NULL, &err),
                  STET_E_READONLY, &err);
    assert_status(stet_reindex(reader, NULL, &err), STET_E_READONLY, &err);
    bool is_more = true;
    assert_status(stet_step(reader, &is_more, &err), STET_OK, &err);
    assert_false(is_more);
    assert_status(stet_sync(reader, &err), STET_OK, &err);
    assert_status(stet_close(reader, &err), STET_OK, &err);
}

/* ---- what it says of itself ---- */

/* Numbers that people and monitors rest on. */
static void test_a_store_tells_its_numbers(void **state)
{
    store_under_test *t = *state;
    stet_error err = {0};
    stet_info info = {0};
    assert_status(stet_get_info(t->s, &info, &err), STET_OK, &err);
    assert_int_equal(info.events, 0);
    assert_int_equal(info.machines, 0);
    (void)store_save(t, "a", "12345");
    (void)store_save(t, "b", "123");
    (void)store_save(t, "b", "1");
    stet_change c = {.verb = STET_VERB_SAVE, .id = stet_str("c"), .ns = 200};
    (void)store_write(t, &c);
    assert_status(stet_delete(t->s, stet_str("a"), NULL, NULL, &err), STET_OK,
                  &err);
    assert_status(stet_get_info(t->s, &info, &err), STET_OK, &err);
    assert_int_equal(info.events, 5);
    assert_int_equal(info.machines, 2);
    assert_int_equal(info.state_raw_bytes, 5 + 3 + 1);
    assert_true(info.log_bytes > 0);
    assert_true(info.cache_used_bytes > 0);
    assert_false(info.is_readonly);
    assert_false(info.is_poisoned);
    assert_string_equal(info.driver, t->is_kept ? "embedded" : "memory");
    assert_int_equal(info.level,
                     t->is_kept ? STET_LEVEL_OS : STET_LEVEL_MEMORY);
    assert_int_equal(strlen(info.uuid), t->is_kept ? 36 : 0);
    assert_string_equal(stet_version(), "0.1.0");
}

/* Names of codes, for logs and people; never NULL. */
static void test_every_code_has_a_name(void **state)
{
    (void)state;
    assert_string_equal(stet_event_kind_name(STET_EVENT_FORKED), "forked");
    assert_string_equal(stet_event_kind_name((stet_event_kind)0), "unknown");
    assert_string_equal(stet_transition_type_name(STET_TYPE_NONE), "");
    assert_string_equal(stet_transition_type_name(STET_TYPE_ADMIN_OVERRIDE),
                        "admin_override");
    assert_string_equal(stet_reducer_name(STET_REDUCER_ASSIGN), "assign");
    assert_string_equal(stet_level_name(STET_LEVEL_OS), "os");
    for (int i = 1; i <= 10; i++) {
        assert_string_not_equal(stet_event_kind_name((stet_event_kind)i),
                                "unknown");
    }
    for (int i = 0; i <= 6; i++) {
        assert_string_not_equal(stet_reducer_name((stet_reducer)i), "unknown");
    }
}

/* Closing nothing is no mistake. */
static void test_close_accepts_none(void **state)
{
    (void)state;
    stet_error err = {.status = STET_E_IO};
    assert_status(stet_close(NULL, &err), STET_OK, &err);
    assert_int_equal(err.status, STET_OK);
    stet_keys_close(NULL);
    stet_history_close(NULL);
    stet_flow_free(NULL);
    stet_buffer_free(NULL);
}

/* Work that takes long can be stopped by who looks on: at the n-th look. */
static bool stop(void *ctx, uint64_t done, uint64_t total)
{
    (void)done;
    (void)total;
    return --*(int *)ctx > 0;
}

/* A store that is sound says so, with what it looked at. */
static void test_verify_counts_what_it_read(void **state)
{
    store_under_test *t = *state;
    stet_error err = {0};
    stet_verify_report report = {0};
    for (int i = 0; i < 5; i++) {
        (void)store_save(t, "a", "{}");
        (void)store_save(t, "b", "{}");
    }
    assert_status(stet_verify(t->s, NULL, NULL, &report, &err), STET_OK, &err);
    assert_int_equal(report.records, 10);
    assert_int_equal(report.machines, 2);
    assert_true(report.frames > 0);
    for (int looks = 1; looks <= 2; looks++) { /* at a segment; a machine */
        int left = looks;
        assert_status(stet_verify(t->s, stop, &left, &report, &err),
                      STET_E_PARTIAL, &err);
        assert_names(&err, "stopped on request after 10 records");
        assert_int_equal(report.machines, looks - 1);
    }
    uint64_t rebuilt = 99;
    assert_status(stet_reindex(t->s, &rebuilt, &err), STET_OK, &err);
    assert_true(rebuilt != 99);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_url_that_names_no_store_is_refused),
        ON_EMBEDDED_STORE(test_a_path_opens_the_embedded_store),
        cmocka_unit_test(test_an_option_out_of_range_is_named),
        cmocka_unit_test(
            test_a_store_that_reaches_less_than_asked_for_is_refused),
        cmocka_unit_test(test_a_reducer_needs_a_name_a_version_and_a_function),
        cmocka_unit_test(test_options_of_other_versions_are_understood),
        ON_BOTH_STORES(test_options_of_reads_grow_like_those_of_open),
        ON_BOTH_STORES(test_numbers_are_told_to_other_versions),
        ON_BOTH_STORES(test_a_report_is_filled_as_far_as_it_goes),
        ON_EMBEDDED_STORE(test_a_mode_that_does_not_create_finds_nothing),
        ON_EMBEDDED_STORE(test_one_writes_and_others_read),
        ON_BOTH_STORES(test_a_store_tells_its_numbers),
        cmocka_unit_test(test_every_code_has_a_name),
        cmocka_unit_test(test_close_accepts_none),
        ON_BOTH_STORES(test_verify_counts_what_it_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
