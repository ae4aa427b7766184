/* Every limit at its edge, and refusals that name what was wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "lib/rng.h"
#include "lib/store_under_test.h"

/* A text of one repeated character; the caller frees it. */
static char *text_of(size_t len, char c)
{
    char *text = malloc(len + 1);
    assert_non_null(text);
    memset(text, c, len);
    text[len] = '\0';
    return text;
}

static void reopen_with(store_under_test *t, stet_opts opts)
{
    store_close(t);
    opts.level = t->opts.level;
    t->opts = opts;
    store_open(t);
}

/* ---- ids and names ---- */

static stet_status save_id(store_under_test *t, stet_slice id, uint8_t ns,
                           stet_error *err)
{
    stet_write_opts o = {.more = {.ns = ns}};
    return stet_save(t->s, id, stet_str("x"), &o, NULL, err);
}

/* An id goes into keys, listings and error texts, on every store alike. */
static void test_an_id_is_1_to_255_bytes_of_printable_utf8(void **state)
{
    store_under_test *t = *state;
    stet_error err = {0};
    char *id = text_of(256, 'i');
    assert_status(save_id(t, stet_slice_of(id, 256), 0, &err), STET_E_INVALID,
                  &err);
    assert_names(&err, "id iiii");
    assert_names(&err, "has 256 bytes; the limit is 255");
    assert_status(save_id(t, stet_slice_of(id, 255), 0, &err), STET_OK, &err);
    store_claim_state(t, id + 1, "x");
    assert_status(save_id(t, stet_str(""), 0, &err), STET_E_INVALID, &err);
    assert_names(&err, "the id is empty");
    static const char *const bad[] = {"a\nb", "\x7f",     "a\tb",
                                      "\xff", "\xc0\x80", "\xed\xa0\x80"};
    for (size_t i = 0; i < 6; i++) {
        assert_status(save_id(t, stet_str(bad[i]), 0, &err), STET_E_INVALID,
                      &err);
        assert_names(&err, "is not UTF-8 without control characters");
        const stet_state *got = NULL;
        assert_status(stet_load(t->s, stet_str(bad[i]), NULL, &got, &err),
                      STET_E_INVALID, &err);
    }
    assert_status(save_id(t, stet_slice_of("a\0b", 3), 0, &err), STET_E_INVALID,
                  &err);
    assert_status(save_id(t, stet_str("\xf0\x9f\x82\xa1 / ?*"), 254, &err),
                  STET_OK, &err);
    assert_status(save_id(t, stet_str("m"), 255, &err), STET_E_INVALID, &err);
    assert_names(&err, "namespace 255 is the store's own");
    free(id);
}

/* Names of states, actions and the like have one limit and are told apart. */
static void test_a_name_is_at_most_255_bytes_of_utf8(void **state)
{
    store_under_test *t = *state;
    char *name = text_of(256, 'n');
    stet_change c = {.verb = STET_VERB_SAVE, .id = stet_str("m")};
    const struct {
        stet_slice *field;
        const char *what;
    } fields[] = {
        {&c.from_state, "from_state"},
        {&c.to_state, "to_state"},
        {&c.action, "action"},
        {&c.actor_id, "actor_id"},
        {&c.correlation_id, "correlation_id"},
        {&c.causation_id, "causation_id"},
        {&c.event_id, "event_id"},
        {&c.state_type, "state_type"},
        {&c.version, "version"},
    };
    stet_batch b = {.changes = &c, .change_count = 1};
    stet_error err = {0};
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        *fields[i].field = stet_slice_of(name, 256);
        assert_status(stet_commit(t->s, &b, NULL, &err), STET_E_INVALID, &err);
        assert_names(&err, fields[i].what);
        *fields[i].field = stet_str("\xff");
        assert_status(stet_commit(t->s, &b, NULL, &err), STET_E_INVALID, &err);
        assert_names(&err, fields[i].what);
        *fields[i].field = stet_slice_of(name, 255);
        assert_status(stet_commit(t->s, &b, NULL, &err), STET_OK, &err);
    }
    const stet_state *got = store_load(t, "m");
    assert_true(stet__slice_eq(got->current_state, stet_slice_of(name, 255)));
    stet_state_release(got);
    free(name);
}

/* Metadata is promised to be JSON to whoever reads it. */
static void test_metadata_is_json_or_refused(void **state)
{
    store_under_test *t = *state;
    stet_error err = {0};
    stet_change c = {.verb = STET_VERB_SAVE,
                     .id = stet_str("m"),
                     .metadata = stet_str("{\"a\":")};
    stet_batch b = {.changes = &c, .change_count = 1};
    assert_status(stet_commit(t->s, &b, NULL, &err), STET_E_INVALID, &err);
    assert_names(&err, "metadata");
    c.metadata = stet_str("");
    c.machine_metadata = stet_str("{} {}");
    assert_status(stet_commit(t->s, &b, NULL, &err), STET_E_INVALID, &err);
    assert_names(&err, "machine_metadata");
    store_claim_missing(t, "m");
}

/* ---- sizes ---- */

/* 16 MiB is promised, and one byte more is refused, not cut. */
static void test_a_state_of_16_mib_is_kept_and_no_more(void **state)
{
    store_under_test *t = *state;
    size_t most = 16 * 1024 * 1024;
    char *text = text_of(most + 1, 'a');
    for (size_t i = 0; i < most; i += 7) {
        text[i] = (char)('a' + (i * 2654435761u >> 13) % 26);
    }
    stet_error err = {0};
    assert_status(stet_save(t->s, stet_str("m"), stet_slice_of(text, most + 1),
                            NULL, NULL, &err),
                  STET_E_TOO_LARGE, &err);
    assert_names(&err, "16777217 bytes for m; the limit state_bytes_max");
    for (int i = 0; i < 2; i++) {
        assert_status(stet_save(t->s, stet_str("m"), stet_slice_of(text, most),
                                NULL, NULL, &err),
                      STET_OK, &err);
        text[100]++; /* the next one is a delta */
    }
    text[100]--;
    const stet_state *got = store_load_at(t, "m", at_seq(2));
    assert_true(stet__slice_eq(got->state_data, stet_slice_of(text, most)));
    stet_state_release(got);
    free(text);
}

/* Add members of 30 bytes by `verb` until that is refused; how many fit. */
static int grow(store_under_test *t, const char *id, stet_change change,
                const char *payload)
{
    stet_error err = {0};
    stet_status st = STET_OK;
    int count = 0;
    stet_batch b = {.changes = &change, .change_count = 1};
    (void)store_save(t, id, "{}");
    for (; st == STET_OK && count < 200; count++) {
        char text[128];
        (void)snprintf(text, sizeof text, "%.*s%d%s",
                       (int)strcspn(payload, "#"), payload, count % 10,
                       payload + strcspn(payload, "#") + 1);
        change.id = stet_str(id);
        change.payload = stet_str(text);
        st = stet_commit(t->s, &b, NULL, &err);
        const stet_state *got = store_load(t, id);
        assert_true(got->state_data.len <= 100);
        stet_state_release(got);
    }
    assert_status(st, STET_E_TOO_LARGE, &err);
    assert_names(&err, id);
    assert_names(&err, "state_bytes_max is 100");
    return count - 1;
}

/* However a state comes to be, what would be too large to save is refused. */
static void test_no_reducer_makes_a_state_over_the_limit(void **state)
{
    store_under_test *t = *state;
    stet_opts opts = STET_OPTS_INIT;
    opts.state_bytes_max = 100;
    reopen_with(t, opts);
    static const char member[] = "{\"n#\":\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\"}";
    static const char patch[] = "[{\"op\":\"add\",\"path\":\"/n#\",\"value\":"
                                "\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\"}]";
    stet_change merge = {.verb = STET_VERB_UPDATE};
    stet_change assign = {.verb = STET_VERB_TRANSITION,
                          .reducer = STET_REDUCER_ASSIGN};
    stet_change patched = {.verb = STET_VERB_PATCH};
    assert_int_equal(grow(t, "merged", merge, member), 2);
    assert_int_equal(grow(t, "assigned", assign, member), 2);
    assert_int_equal(grow(t, "patched", patched, patch), 2);
    /* What makes it smaller, or no larger, is taken. */
    stet_error err = {0};
    for (int i = 0; i < 100; i++) {
        assert_status(stet_update(t->s, stet_str("merged"),
                                  stet_str("{\"n1\":7,\"n2\":[1,2,3,4,5]}"),
                                  NULL, NULL, &err),
                      STET_OK, &err);
    }
    assert_int_equal(grow(t, "merged", merge, member), 2);
}

/* Nor do writers who each alone would stay below it. */
static void test_pending_merges_do_not_add_up_to_too_much(void **state)
{
    store_under_test *t = *state;
    stet_opts opts = STET_OPTS_INIT;
    opts.state_bytes_max = 100;
    opts.flags = STET_NO_THREADS;
    reopen_with(t, opts);
    stet_error err = {0};
    stet_status st = STET_OK;
    (void)store_save(t, "m", "{}");
    for (int i = 0; st == STET_OK && i < 200; i++) {
        char text[32];
        (void)snprintf(text, sizeof text, "{\"n%d\":%d}", i, i);
        stet_change c = {.verb = STET_VERB_UPDATE,
                         .id = stet_str("m"),
                         .payload = stet_str(text)};
        stet_batch b = {.changes = &c, .change_count = 1};
        stet_ticket ticket = {0};
        st = stet_commit_async(t->s, &b, NULL, &ticket, &err);
    }
    assert_status(st, STET_E_TOO_LARGE, &err);
    assert_status(stet_sync(t->s, &err), STET_OK, &err);
    const stet_state *got = store_load(t, "m");
    assert_in_range(got->state_data.len, 85, 100);
    stet_state_release(got);
}

/* A batch that could never be written is told so, by either limit. */
static void test_a_batch_has_at_most_so_many_events_and_bytes(void **state)
{
    store_under_test *t = *state;
    stet_opts opts = STET_OPTS_INIT;
    opts.batch_events_max = 3;
    opts.batch_bytes_max = 4096;
    reopen_with(t, opts);
    char noise[3000];
    rng r = {3};
    rng_fill(&r, noise, sizeof noise);
    stet_change c[4] = {
        {.verb = STET_VERB_SAVE, .id = stet_str("a"), .payload = stet_str("1")},
        {.verb = STET_VERB_SAVE, .id = stet_str("b"), .payload = stet_str("2")},
        {.verb = STET_VERB_SAVE, .id = stet_str("c"), .payload = stet_str("3")},
        {.verb = STET_VERB_SAVE, .id = stet_str("d"), .payload = stet_str("4")},
    };
    stet_batch b = {.changes = c, .change_count = 4};
    stet_error err = {0};
    assert_status(stet_commit(t->s, &b, NULL, &err), STET_E_TOO_LARGE, &err);
    assert_names(&err, "a batch of 4 changes");
    assert_names(&err, "batch_events_max 3");
    b.change_count = 0;
    assert_status(stet_commit(t->s, &b, NULL, &err), STET_E_INVALID, &err);
    b.change_count = 3;
    assert_status(stet_commit(t->s, &b, NULL, &err), STET_OK, &err);
    c[0].payload = stet_slice_of(noise, 3000);
    assert_status(stet_commit(t->s, &b, NULL, &err), STET_OK, &err);
    c[1].payload = stet_slice_of(noise + 1000, 2000);
    c[2].payload = stet_slice_of(noise, 2100);
    assert_status(stet_commit(t->s, &b, NULL, &err), STET_E_TOO_LARGE, &err);
    assert_names(&err, "batch_bytes_max is 4096");
    store_claim_state(t, "b", "2");
    store_claim_state(t, "c", "3");
    store_claim_missing(t, "d");
}

/* 65,536 events are one batch, wholly there. */
static void test_the_largest_batch_is_kept_whole(void **state)
{
    store_under_test *t = *state;
    size_t most = STET_BATCH_EVENTS_MAX;
    stet_change *c = calloc(most + 1, sizeof *c);
    assert_non_null(c);
    char ids[97][8];
    for (size_t i = 0; i < 97; i++) {
        (void)snprintf(ids[i], sizeof ids[i], "m%zu", i);
    }
    for (size_t i = 0; i <= most; i++) {
        c[i].verb = STET_VERB_APPEND;
        c[i].id = stet_str(ids[i % 97]);
        c[i].payload = stet_str("p");
    }
    stet_error err = {0};
    stet_batch b = {.changes = c, .change_count = most + 1};
    assert_status(stet_commit(t->s, &b, NULL, &err), STET_E_TOO_LARGE, &err);
    b.change_count = most;
    assert_status(stet_commit(t->s, &b, NULL, &err), STET_OK, &err);
    for (size_t i = 0; i < 97; i++) {
        const stet_state *got = store_load(t, ids[i]);
        assert_int_equal(got->seq, most / 97 + (i < most % 97));
        stet_state_release(got);
    }
    free(c);
}

/* A key is a name of the caller's choice, of bounded length. */
static void test_a_key_has_at_most_1024_bytes(void **state)
{
    store_under_test *t = *state;
    char *key = text_of(1025, 'k');
    stet_write_opts o = {.key = stet_slice_of(key, 1025)};
    stet_error err = {0};
    assert_status(stet_save(t->s, stet_str("m"), stet_str("x"), &o, NULL, &err),
                  STET_E_INVALID, &err);
    assert_names(&err, "the key has 1025 bytes; the limit is 1024");
    o.key.len = 1024;
    assert_status(stet_save(t->s, stet_str("m"), stet_str("x"), &o, NULL, &err),
                  STET_OK, &err);
    free(key);
}

static void never(void *ctx, stet_ticket ticket, stet_status st)
{
    (void)ctx;
    (void)ticket;
    (void)st;
}

/* Whoever never polls is told, before memory runs out. */
static void test_callbacks_wait_in_a_bounded_queue(void **state)
{
    store_under_test *t = *state;
    stet_opts opts = STET_OPTS_INIT;
    opts.callbacks_max = 2;
    reopen_with(t, opts);
    stet_error err = {0};
    stet_ticket ticket = {0};
    stet_change c = {.verb = STET_VERB_SAVE, .id = stet_str("m")};
    stet_batch b = {.changes = &c, .change_count = 1};
    assert_status(stet_commit_async(t->s, &b, NULL, &ticket, &err), STET_OK,
                  &err);
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 2; i++) {
            assert_status(stet_on_durable(t->s, ticket, never, NULL, &err),
                          STET_OK, &err);
        }
        assert_status(stet_on_durable(t->s, ticket, never, NULL, &err),
                      STET_E_BUSY, &err);
        assert_names(&err, "2 callbacks wait already");
        assert_status(stet_wait(t->s, ticket, 0, &err), STET_OK, &err);
        assert_int_equal(stet_poll(t->s), 2);
    }
}

/* ---- misuse of verbs ---- */

static const struct {
    stet_change c;
    stet_status st;
    const char *named;
} senseless[] = {
    {{.verb = (stet_verb)0}, STET_E_INVALID, "verb 0"},
    {{.verb = (stet_verb)11}, STET_E_INVALID, "verb 11"},
    {{.verb = STET_VERB_SAVE, .reducer = STET_REDUCER_MERGE},
     STET_E_INVALID,
     "reducer merge"},
    {{.verb = STET_VERB_DELETE, .reducer = STET_REDUCER_SET},
     STET_E_INVALID,
     "reducer set"},
    {{.verb = STET_VERB_APPEND, .reducer = (stet_reducer)7},
     STET_E_INVALID,
     "reducer"},
    {{.verb = STET_VERB_APPEND, .reducer = STET_REDUCER_CUSTOM},
     STET_E_INVALID,
     "needs a name and a version"},
    {{.verb = STET_VERB_SAVE, .type = (stet_transition_type)6},
     STET_E_INVALID,
     "transition type 6"},
    {{.verb = STET_VERB_SAVE, .duration_ns = -1},
     STET_E_INVALID,
     "out of range"},
    {{.verb = STET_VERB_SAVE, .timestamp = INT64_MIN},
     STET_E_INVALID,
     "out of range"},
    {{.verb = STET_VERB_SAVE, .timestamp = INT64_MAX},
     STET_E_INVALID,
     "out of range"},
    {{.verb = STET_VERB_SAVE, .struct_size = 8},
     STET_E_UNSUPPORTED,
     "a change of 8 bytes"},
    {{.verb = STET_VERB_FORK}, STET_E_INVALID, "the id is empty"},
    {{.verb = STET_VERB_SAVE, .flags = 4}, STET_E_INVALID, "flags 0x4"},
    {{.verb = STET_VERB_SAVE, .expect = {(stet_expect_kind)4, 0}},
     STET_E_INVALID,
     "expectation of kind 4"},
    {{.verb = STET_VERB_CREATE, .expect = {STET_EXPECT_EXISTS, 0}},
     STET_E_INVALID,
     "a create or fork expects"},
    {{.verb = STET_VERB_FORK, .expect = {STET_EXPECT_EXACT, 1}},
     STET_E_INVALID,
     "a create or fork expects"},
    {{.verb = STET_VERB_DELETE, .expect = {STET_EXPECT_NONE, 0}},
     STET_E_INVALID,
     "a delete cannot expect"},
    {{.verb = STET_VERB_DELETE, .payload = {"x", 1}},
     STET_E_INVALID,
     "no payload"},
    {{.verb = STET_VERB_FORK, .to_state = {"x", 1}},
     STET_E_INVALID,
     "no to_state"},
    {{.verb = STET_VERB_FAIL, .error = {"\xff", 1}},
     STET_E_INVALID,
     "error is not UTF-8"},
};

/* A field that makes no sense for a verb is a mistake, not a wish. */
static void test_a_change_that_makes_no_sense_is_refused(void **state)
{
    store_under_test *t = *state;
    for (size_t i = 0; i < sizeof senseless / sizeof senseless[0]; i++) {
        stet_change c = senseless[i].c;
        stet_error err = {0};
        stet_batch b = {.changes = &c, .change_count = 1};
        c.id = stet_str("m");
        assert_status(stet_commit(t->s, &b, NULL, &err), senseless[i].st, &err);
        assert_names(&err, senseless[i].named);
    }
    stet_change c = {.verb = STET_VERB_SAVE, .id = stet_str("m")};
    stet_condition odd = {.id = stet_str("m"),
                          .expect = {(stet_expect_kind)-1, 0}};
    stet_batch b = {.changes = &c,
                    .change_count = 1,
                    .conditions = &odd,
                    .condition_count = 1};
    stet_error err = {0};
    assert_status(stet_commit(t->s, &b, NULL, &err), STET_E_INVALID, &err);
    store_claim_missing(t, "m");
    stet_history *h = NULL;
    assert_status(stet_history_open(t->s, stet_str("m"), NULL, &h, &err),
                  STET_E_NOT_FOUND, &err);
}

/* Times that are far apart still make one history. */
static void test_times_as_far_as_they_may_be_are_kept(void **state)
{
    store_under_test *t = *state;
    int64_t far = ((int64_t)1 << 62) - 1;
    stet_change c = {.verb = STET_VERB_SAVE,
                     .id = stet_str("m"),
                     .payload = stet_str("late"),
                     .timestamp = far};
    (void)store_write(t, &c);
    c.timestamp = -far;
    c.payload = stet_str("early");
    (void)store_write(t, &c);
    const stet_state *got = store_load(t, "m");
    assert_int_equal(got->updated_at, -far);
    assert_int_equal(got->created_at, far);
    stet_state_release(got);
    store_claim_state_at(t, "m", at_time(far), "early");
    store_claim_missing_at(t, "m", at_time(far - 1));
}

/* ---- settling ---- */

static stet_info info_of(store_under_test *t)
{
    stet_error err = {0};
    stet_info info = {0};
    assert_status(stet_get_info(t->s, &info, &err), STET_OK, &err);
    return info;
}

/*
 * Who outruns the settler is slowed to its pace, a segment at a time, and told
 * so by a number.
 */
static void test_writers_wait_for_the_settler_beyond_a_limit(void **state)
{
    store_under_test *t = *state;
    stet_opts opts = {.struct_size = sizeof opts,
                      .flags = STET_NO_THREADS,
                      .segment_bytes = 16384,
                      .settle_segments = 1};
    reopen_with(t, opts);
    uint64_t most = info_of(t).segments_max;
    assert_int_equal(most, 16);
    stet_info info = {0};
    for (int i = 0; i < 200; i++) {
        stet_error err = {0};
        assert_status(
            stet_save(t->s, stet_str("m"), stet_str("x"), NULL, NULL, &err),
            STET_OK, &err);
        info = info_of(t);
        assert_true(info.throttled == 0 || info.segments > most / 2);
        assert_true(info.segments <= most + 6); /* 3 have no index yet */
    }
    assert_true(info.throttled > 10);
    store_reopen(t);
    assert_int_equal(info_of(t).throttled, 0);
    store_claim_state(t, "m", "x");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_BOTH_STORES(test_an_id_is_1_to_255_bytes_of_printable_utf8),
        ON_BOTH_STORES(test_a_name_is_at_most_255_bytes_of_utf8),
        ON_BOTH_STORES(test_metadata_is_json_or_refused),
        ON_BOTH_STORES(test_a_state_of_16_mib_is_kept_and_no_more),
        ON_BOTH_STORES(test_no_reducer_makes_a_state_over_the_limit),
        ON_BOTH_STORES(test_pending_merges_do_not_add_up_to_too_much),
        ON_BOTH_STORES(test_a_batch_has_at_most_so_many_events_and_bytes),
        ON_BOTH_STORES(test_the_largest_batch_is_kept_whole),
        ON_BOTH_STORES(test_a_key_has_at_most_1024_bytes),
        ON_BOTH_STORES(test_callbacks_wait_in_a_bounded_queue),
        ON_BOTH_STORES(test_a_change_that_makes_no_sense_is_refused),
        ON_BOTH_STORES(test_times_as_far_as_they_may_be_are_kept),
        ON_EMBEDDED_STORE(test_writers_wait_for_the_settler_beyond_a_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
