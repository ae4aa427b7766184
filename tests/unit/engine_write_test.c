/* What each way of writing does to a machine, in the words of the API. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "lib/store_under_test.h"

/* ---- states ---- */

/* A save is of bytes: whoever wants JSON normalised does that himself. */
static void test_a_save_keeps_the_very_bytes(void **state)
{
    store_under_test *t = *state;
    static const char bytes[] = "\0\xff not JSON \0";
    static const char blanks[] = " { \"b\" : 1 , \"a\":1.50e1 }\n";
    const stet_slice saves[] = {
        stet_slice_of(bytes, sizeof bytes),
        stet_str(blanks),
        stet_str(""),
        stet_str("{\"same\":1,\"same\":2}"),
    };
    stet_error err = {0};
    for (size_t i = 0; i < 4; i++) {
        assert_status(
            stet_save(t->s, stet_str("m"), saves[i], NULL, NULL, &err), STET_OK,
            &err);
        const stet_state *got = store_load(t, "m");
        assert_true(stet__slice_eq(got->state_data, saves[i]));
        stet_state_release(got);
    }
    for (uint64_t i = 0; i < 4; i++) {
        const stet_state *got = store_load_at(t, "m", at_seq(i + 1));
        assert_true(stet__slice_eq(got->state_data, saves[i]));
        stet_state_release(got);
    }
}

/* A deleted machine is gone from now on, not from the past. */
static void test_delete_hides_the_present_and_keeps_past_and_seq(void **state)
{
    store_under_test *t = *state;
    stet_error err = {0};
    stet_written w = {0};
    assert_int_equal(store_save(t, "m", "{\"phase\":\"old\"}"), 1);
    assert_status(stet_delete(t->s, stet_str("m"), NULL, &w, &err), STET_OK,
                  &err);
    assert_int_equal(w.seq, 2);
    store_claim_missing(t, "m");
    store_claim_missing_at(t, "m", at_seq(2));
    store_claim_state_at(t, "m", at_seq(1), "{\"phase\":\"old\"}");
    assert_status(stet_delete(t->s, stet_str("m"), NULL, &w, &err),
                  STET_E_NOT_FOUND, &err);
    assert_names(&err, "m is not there");

    assert_int_equal(store_save(t, "m", "new"), 3);
    const stet_state *got = store_load(t, "m");
    assert_says(got->state_data, "new");
    assert_says(got->current_state, ""); /* its name went with it */
    stet_state_release(got);
    store_claim_missing_at(t, "m", at_seq(2));
}

/* ---- names ---- */

static void claim_name(store_under_test *t, const char *id, const char *name)
{
    const stet_state *got = store_load(t, id);
    assert_says(got->current_state, name);
    stet_state_release(got);
}

/* Whoever says it in the call is right; then the state's own words count. */
static void test_the_name_is_the_calls_then_current_state_then_phase(void **s)
{
    store_under_test *t = *s;
    stet_change c = {
        .verb = STET_VERB_SAVE,
        .id = stet_str("m"),
        .payload = stet_str("{\"phase\":\"p\",\"current_state\":\"c\"}"),
        .to_state = stet_str("call"),
    };
    (void)store_write(t, &c);
    claim_name(t, "m", "call");
    c.to_state = stet_str("");
    (void)store_write(t, &c);
    claim_name(t, "m", "c");
    (void)store_save(t, "m", "{\"phase\":\"p\"}");
    claim_name(t, "m", "p");
    (void)store_save(t, "m", "{\"current_state\":7,\"phase\":\"text\"}");
    claim_name(t, "m", "text");
    c = (stet_change){.verb = STET_VERB_UPDATE,
                      .id = stet_str("m"),
                      .payload = stet_str("{\"current_state\":\"merged\"}")};
    (void)store_write(t, &c);
    claim_name(t, "m", "merged");
}

/* A machine does not lose its name because one save is silent about it. */
static void test_a_write_that_names_none_keeps_the_name(void **state)
{
    store_under_test *t = *state;
    static const char *const silent[] = {"[]", "no JSON", "",
                                         "{\"current_state\":\"\"}",
                                         "{\"current_state\":null}"};
    (void)store_save(t, "m", "{\"current_state\":\"named\"}");
    for (size_t i = 0; i < 5; i++) {
        (void)store_save(t, "m", silent[i]);
        claim_name(t, "m", "named");
    }
    stet_change c = {.verb = STET_VERB_TRANSITION, .id = stet_str("m")};
    (void)store_write(t, &c);
    claim_name(t, "m", "named");
}

/* Other applications keep the name elsewhere. */
static void test_where_the_name_is_looked_for_is_an_option(void **state)
{
    store_under_test *t = *state;
    store_close(t);
    t->opts.name_pointers = "/game/state /kind";
    store_open(t);
    (void)store_save(t, "m",
                     "{\"phase\":\"no\",\"game\":{\"state\":\"deal\"}}");
    claim_name(t, "m", "deal");
    (void)store_save(t, "m", "{\"phase\":\"no\",\"kind\":\"poker\"}");
    claim_name(t, "m", "poker");
    (void)store_save(t, "m", "{\"phase\":\"no\"}");
    claim_name(t, "m", "poker");
}

/*
 * A patch is asked what it changed, not what is there: else it would undo the
 * name that an earlier transition gave.
 */
static void test_a_patch_names_the_state_only_where_it_changes_it(void **state)
{
    store_under_test *t = *state;
    stet_change c = {.verb = STET_VERB_TRANSITION,
                     .id = stet_str("m"),
                     .to_state = stet_str("over")};
    (void)store_save(t, "m", "{\"phase\":\"play\"}");
    (void)store_write(t, &c);
    const struct {
        const char *patch;
        const char *name;
    } steps[] = {
        {"[{\"op\":\"add\",\"path\":\"/x\",\"value\":1}]", "over"},
        {"[{\"op\":\"replace\",\"path\":\"/phase\",\"value\":\"deal\"}]",
         "deal"},
        {"[{\"op\":\"remove\",\"path\":\"/phase\"}]", "deal"},
        {"[{\"op\":\"add\",\"path\":\"/phase\",\"value\":\"play\"}]", "play"},
    };
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        stet_change patch = {.verb = STET_VERB_PATCH,
                             .id = stet_str("m"),
                             .payload = stet_str(steps[i].patch)};
        (void)store_write(t, &patch);
        const stet_state *got = store_load(t, "m");
        assert_says(got->current_state, steps[i].name);
        stet_state_release(got);
    }
}

/* ---- reducers ---- */

static void apply(store_under_test *t, stet_reducer reducer, const char *before,
                  const char *payload, const char *after)
{
    stet_change c = {.verb = STET_VERB_TRANSITION,
                     .reducer = reducer,
                     .id = stet_str("m"),
                     .payload = stet_str(payload)};
    (void)store_save(t, "m", before);
    (void)store_write(t, &c);
    store_claim_state(t, "m", after);
    /* Also where the state is not in memory any more. */
    (void)store_save(t, "m", "other");
    const stet_state *got = store_load(t, "m");
    stet_at at = at_seq(got->seq - 1);
    stet_state_release(got);
    store_claim_state_at(t, "m", at, after);
}

/* The rule of assign and the standard's differ in null. */
static void test_assign_keeps_null_where_merge_removes(void **state)
{
    store_under_test *t = *state;
    apply(t, STET_REDUCER_ASSIGN, "{\"a\":1,\"b\":{\"x\":1}}",
          "{\"a\":null,\"b\":{\"y\":2}}", "{\"a\":null,\"b\":{\"y\":2}}");
    apply(t, STET_REDUCER_MERGE, "{\"a\":1,\"b\":{\"x\":1}}",
          "{\"a\":null,\"b\":{\"y\":2}}", "{\"b\":{\"x\":1,\"y\":2}}");
}

/* The cases of RFC 7386, appendix A, that go from object to object. */
static void test_merge_follows_rfc_7386(void **state)
{
    static const char *const cases[][3] = {
        {"{\"a\":\"b\"}", "{\"a\":\"c\"}", "{\"a\":\"c\"}"},
        {"{\"a\":\"b\"}", "{\"b\":\"c\"}", "{\"a\":\"b\",\"b\":\"c\"}"},
        {"{\"a\":\"b\"}", "{\"a\":null}", "{}"},
        {"{\"a\":\"b\",\"b\":\"c\"}", "{\"a\":null}", "{\"b\":\"c\"}"},
        {"{\"a\":[\"b\"]}", "{\"a\":\"c\"}", "{\"a\":\"c\"}"},
        {"{\"a\":\"c\"}", "{\"a\":[\"b\"]}", "{\"a\":[\"b\"]}"},
        {"{\"a\":{\"b\":\"c\"}}", "{\"a\":{\"b\":\"d\",\"c\":null}}",
         "{\"a\":{\"b\":\"d\"}}"},
        {"{\"a\":[{\"b\":\"c\"}]}", "{\"a\":[1]}", "{\"a\":[1]}"},
        {"{\"e\":null}", "{\"a\":1}", "{\"e\":null,\"a\":1}"},
        {"{}", "{\"a\":{\"bb\":{\"ccc\":null}}}", "{\"a\":{\"bb\":{}}}"},
    };
    store_under_test *t = *state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        apply(t, STET_REDUCER_MERGE, cases[i][0], cases[i][1], cases[i][2]);
        apply(t, STET_REDUCER_DEFAULT, cases[i][0], cases[i][1], cases[i][2]);
    }
}

/* What cannot be folded is refused before anything is stored. */
static void test_folds_of_what_is_no_object_store_nothing(void **state)
{
    store_under_test *t = *state;
    stet_error err = {0};
    (void)store_save(t, "list", "[1]");
    assert_status(
        stet_update(t->s, stet_str("list"), stet_str("{}"), NULL, NULL, &err),
        STET_E_INVALID, &err);
    assert_names(&err, "the state of list is not a JSON object");
    (void)store_save(t, "m", "{\"a\":1}");
    static const char *const payloads[] = {
        "[1]", "{\"a\":", "{\"a\":1,\"a\":1}", "7", "\"x\""};
    for (size_t i = 0; i < 5; i++) {
        assert_status(stet_update(t->s, stet_str("m"), stet_str(payloads[i]),
                                  NULL, NULL, &err),
                      STET_E_INVALID, &err);
        assert_names(&err, "m");
    }
    assert_status(stet_patch(t->s, stet_str("m"),
                             stet_str("[{\"op\":\"remove\",\"path\":\"/b\"}]"),
                             NULL, NULL, &err),
                  STET_E_INVALID, &err);
    assert_names(&err, "m");
    assert_int_equal(store_save(t, "m", "next"), 2);
    assert_int_equal(store_save(t, "list", "next"), 2);
}

/* A machine may begin with any verb; with a move it begins as an object. */
static void test_a_machine_begins_with_any_write(void **state)
{
    store_under_test *t = *state;
    stet_change c = {.verb = STET_VERB_TRANSITION,
                     .id = stet_str("moved"),
                     .to_state = stet_str("lobby")};
    assert_int_equal(store_write(t, &c), 1);
    store_claim_state(t, "moved", "{}");
    claim_name(t, "moved", "lobby");
    c.id = stet_str("merged");
    c.payload = stet_str("{\"a\":{\"b\":null}}");
    assert_int_equal(store_write(t, &c), 1);
    store_claim_state(t, "merged", "{\"a\":{}}");
    c = (stet_change){.verb = STET_VERB_APPEND,
                      .id = stet_str("appended"),
                      .payload = stet_str("raw")};
    assert_int_equal(store_write(t, &c), 1);
    store_claim_state(t, "appended", "");
    c = (stet_change){.verb = STET_VERB_FAIL,
                      .id = stet_str("failed"),
                      .error = stet_str("it broke")};
    assert_int_equal(store_write(t, &c), 1);
    store_claim_state(t, "failed", "");
}

/* ---- what is said about a machine ---- */

/* Type, version and metadata stay until they are set again. */
static void test_what_is_said_of_a_machine_stays(void **state)
{
    store_under_test *t = *state;
    stet_change c = {
        .verb = STET_VERB_CREATE,
        .id = stet_str("m"),
        .payload = stet_str("{}"),
        .state_type = stet_str("cards"),
        .version = stet_str("1.2.0"),
        .machine_metadata = stet_str("{\"owner\": \"ann\"}"),
        .metadata = stet_str("{\"of\":\"the event\"}"),
        .timestamp = 5000,
    };
    (void)store_write(t, &c);
    stet_change moved = {.verb = STET_VERB_TRANSITION,
                         .id = stet_str("m"),
                         .version = stet_str("2.0.0"),
                         .timestamp = 4000};
    (void)store_write(t, &moved);
    const stet_state *got = store_load(t, "m");
    assert_says(got->state_type, "cards");
    assert_says(got->version, "2.0.0");
    assert_says(got->metadata, "{\"owner\": \"ann\"}");
    assert_int_equal(got->created_at, 5000);
    assert_int_equal(got->updated_at, 4000);
    assert_true(got->recorded_at >= STORE_CLOCK);
    stet_state_release(got);

    moved.machine_metadata = stet_str("[]");
    (void)store_write(t, &moved);
    got = store_load(t, "m");
    assert_says(got->metadata, "[]");
    assert_says(got->state_type, "cards");
    stet_state_release(got);
}

/* An event keeps all that was said of it, and where it came from. */
static void test_an_event_keeps_all_that_was_said_of_it(void **state)
{
    store_under_test *t = *state;
    stet_change c = {
        .verb = STET_VERB_TRANSITION,
        .type = STET_TYPE_TIMEOUT,
        .flags = STET_CHANGE_PHASE,
        .id = stet_str("m"),
        .payload = stet_str(" {\"a\":1} "),
        .to_state = stet_str("over"),
        .action = stet_str("expire"),
        .actor_id = stet_str("system"),
        .correlation_id = stet_str("game"),
        .causation_id = stet_str("e1"),
        .error = stet_str("too late"),
        .metadata = stet_str("{\"x\":1}"),
        .event_id = stet_str("e2"),
        .timestamp = 7,
        .duration_ns = 9,
    };
    (void)store_save(t, "m", "{\"phase\":\"play\"}");
    (void)store_write(t, &c);
    stet_error err = {0};
    stet_history_opts o = {.from_seq = 2};
    stet_history *h = NULL;
    const stet_event *e = NULL;
    assert_status(stet_history_open(t->s, stet_str("m"), &o, &h, &err), STET_OK,
                  &err);
    assert_status(stet_history_next(h, &e, &err), STET_OK, &err);
    assert_int_equal(e->kind, STET_EVENT_TRANSITIONED);
    assert_int_equal(e->type, STET_TYPE_TIMEOUT);
    assert_int_equal(e->reducer, STET_REDUCER_MERGE);
    assert_true((e->flags & STET_EVENT_PHASE_CHANGE) != 0);
    assert_says(e->payload, " {\"a\":1} ");
    assert_says(e->from_state, "play");
    assert_says(e->to_state, "over");
    assert_says(e->action, "expire");
    assert_says(e->actor_id, "system");
    assert_says(e->correlation_id, "game");
    assert_says(e->causation_id, "e1");
    assert_says(e->error, "too late");
    assert_says(e->metadata, "{\"x\":1}");
    assert_says(e->event_id, "e2");
    assert_int_equal(e->timestamp, 7);
    assert_int_equal(e->duration_ns, 9);
    stet_history_close(h);
}

/* 1970 is a time, although 0 means that none is given. */
static void test_the_epoch_is_a_time_when_it_is_meant(void **state)
{
    store_under_test *t = *state;
    stet_change c = {.verb = STET_VERB_SAVE,
                     .id = stet_str("m"),
                     .payload = stet_str("{}"),
                     .flags = STET_CHANGE_EPOCH};
    for (int i = 0; i < 200; i++) {
        (void)store_write(t, &c);
    }
    const stet_state *got = store_load(t, "m");
    assert_int_equal(got->created_at, 0);
    assert_int_equal(got->updated_at, 0);
    stet_state_release(got);
    c.flags = 0;
    (void)store_write(t, &c);
    got = store_load(t, "m");
    assert_int_equal(got->created_at, 0);
    assert_true(got->updated_at >= STORE_CLOCK);
    stet_state_release(got);
}

/* ---- expected versions ---- */

static stet_status save_expecting(store_under_test *t, stet_expect_kind kind,
                                  uint64_t seq, stet_error *err)
{
    stet_write_opts o = {.more = {.expect = {kind, seq}}};
    return stet_save(t->s, stet_str("m"), stet_str("x"), &o, NULL, err);
}

/* Optimistic writers rest on this: who lost hears so and changed nothing. */
static void test_a_write_happens_only_to_the_machine_it_expects(void **state)
{
    store_under_test *t = *state;
    stet_error err = {0};
    assert_status(save_expecting(t, STET_EXPECT_EXISTS, 0, &err),
                  STET_E_NOT_FOUND, &err);
    assert_status(save_expecting(t, STET_EXPECT_EXACT, 0, &err),
                  STET_E_NOT_FOUND, &err);
    assert_status(save_expecting(t, STET_EXPECT_NONE, 0, &err), STET_OK, &err);
    assert_status(save_expecting(t, STET_EXPECT_NONE, 0, &err), STET_E_EXISTS,
                  &err);
    assert_names(&err, "m is there, at seq 1");
    assert_status(
        stet_create(t->s, stet_str("m"), stet_str("x"), NULL, NULL, &err),
        STET_E_EXISTS, &err);
    assert_status(save_expecting(t, STET_EXPECT_EXACT, 2, &err),
                  STET_E_CONFLICT, &err);
    assert_names(&err, "m is at seq 1, not at the expected 2");
    assert_status(save_expecting(t, STET_EXPECT_EXACT, 1, &err), STET_OK, &err);
    assert_status(save_expecting(t, STET_EXPECT_EXISTS, 0, &err), STET_OK,
                  &err);
    assert_status(stet_delete(t->s, stet_str("m"), NULL, NULL, &err), STET_OK,
                  &err);
    assert_status(save_expecting(t, STET_EXPECT_EXACT, 4, &err),
                  STET_E_NOT_FOUND, &err);
    assert_status(save_expecting(t, STET_EXPECT_NONE, 0, &err), STET_OK, &err);
    const stet_state *got = store_load(t, "m");
    assert_int_equal(got->seq, 5);
    stet_state_release(got);
}

/* ---- reducers of the application ---- */

static stet_status add_bytes(void *ctx, stet_slice state, stet_slice payload,
                             stet_output *out)
{
    (*(int *)ctx)++;
    stet_output_put(out, state);
    stet_output_put(out, payload);
    return payload.len == 1 ? STET_E_CONFLICT : STET_OK;
}

static stet_status drop_all(void *ctx, stet_slice state, stet_slice payload,
                            stet_output *out)
{
    (void)ctx;
    (void)state;
    (void)payload;
    (void)out;
    return STET_OK;
}

static void add(store_under_test *t, const char *payload)
{
    stet_change c = {.verb = STET_VERB_APPEND,
                     .reducer = STET_REDUCER_CUSTOM,
                     .reducer_name = stet_str("add"),
                     .reducer_version = 3,
                     .id = stet_str("m"),
                     .payload = stet_str(payload)};
    (void)store_write(t, &c);
}

static void open_with_reducers(store_under_test *t,
                               const stet_reducer_def *reducers, size_t count)
{
    store_close(t);
    t->opts.reducers = reducers;
    t->opts.reducer_count = count;
    store_open(t);
}

/* A reducer's refusal is the write's answer, and names the reducer. */
static void test_a_reducer_of_the_application_may_refuse(void **state)
{
    store_under_test *t = *state;
    int calls = 0;
    const stet_reducer_def defs[] = {{"add", 3, add_bytes, &calls}};
    open_with_reducers(t, defs, 1);
    add(t, "ab");
    add(t, "cd");
    store_claim_state(t, "m", "abcd");
    stet_change c = {.verb = STET_VERB_APPEND,
                     .reducer = STET_REDUCER_CUSTOM,
                     .reducer_name = stet_str("add"),
                     .reducer_version = 3,
                     .id = stet_str("m"),
                     .payload = stet_str("x")};
    stet_batch b = {.changes = &c, .change_count = 1};
    stet_error err = {0};
    assert_status(stet_commit(t->s, &b, NULL, &err), STET_E_CONFLICT, &err);
    assert_names(&err, "reducer add");
    c.reducer_version = 4;
    assert_status(stet_commit(t->s, &b, NULL, &err), STET_E_UNSUPPORTED, &err);
    assert_names(&err, "reducer add version 4");
    store_claim_state(t, "m", "abcd");
    assert_true(calls >= 3);
}

/*
 * A history says by itself how it folds: what is registered under the same
 * name, or what is the default, is no part of it.
 */
static void test_replay_uses_the_reducers_that_were_recorded(void **state)
{
    store_under_test *t = *state;
    int calls = 0;
    const stet_reducer_def before[] = {{"add", 3, add_bytes, &calls}};
    open_with_reducers(t, before, 1);
    add(t, "ab");
    add(t, "cd");
    add(t, "ef");
    (void)store_save(t, "later", "{}");

    const stet_reducer_def after[] = {{"add", 4, drop_all, NULL},
                                      {"add", 3, add_bytes, &calls},
                                      {"add", 2, drop_all, NULL}};
    t->opts.name_pointers = "/elsewhere";
    t->opts.base_events = 2;
    open_with_reducers(t, after, 3);
    store_claim_state(t, "m", "abcdef");
    store_claim_state_at(t, "m", at_seq(2), "abcd");

    open_with_reducers(t, after, 1);
    stet_error err = {0};
    const stet_state *got = NULL;
    assert_status(stet_load(t->s, stet_str("m"), NULL, &got, &err),
                  STET_E_UNSUPPORTED, &err);
    assert_names(&err, "reducer add version 3 is not registered");
    assert_names(&err, "m");
    store_claim_state(t, "later", "{}"); /* others are not concerned */
    store_claim_state_at(t, "m", at_seq(1), "ab"); /* nor is a whole state */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_BOTH_STORES(test_a_save_keeps_the_very_bytes),
        ON_BOTH_STORES(test_delete_hides_the_present_and_keeps_past_and_seq),
        ON_BOTH_STORES(
            test_the_name_is_the_calls_then_current_state_then_phase),
        ON_BOTH_STORES(test_a_write_that_names_none_keeps_the_name),
        ON_BOTH_STORES(test_a_patch_names_the_state_only_where_it_changes_it),
        ON_BOTH_STORES(test_where_the_name_is_looked_for_is_an_option),
        ON_BOTH_STORES(test_assign_keeps_null_where_merge_removes),
        ON_BOTH_STORES(test_merge_follows_rfc_7386),
        ON_BOTH_STORES(test_folds_of_what_is_no_object_store_nothing),
        ON_BOTH_STORES(test_a_machine_begins_with_any_write),
        ON_BOTH_STORES(test_what_is_said_of_a_machine_stays),
        ON_BOTH_STORES(test_an_event_keeps_all_that_was_said_of_it),
        ON_BOTH_STORES(test_the_epoch_is_a_time_when_it_is_meant),
        ON_BOTH_STORES(test_a_write_happens_only_to_the_machine_it_expects),
        ON_BOTH_STORES(test_a_reducer_of_the_application_may_refuse),
        ON_EMBEDDED_STORE(test_replay_uses_the_reducers_that_were_recorded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
