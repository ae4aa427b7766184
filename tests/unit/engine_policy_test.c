/*
 * Policies: what is durable at once, and what becomes of the rest.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "engine/handle.h"
#include "lib/failalloc.h"
#include "lib/memdisk.h"
#include "lib/rng.h"
#include "lib/store_under_test.h"

#define SECOND ((int64_t)1000000000)

/* Nothing is durable at once. */
#define ALL_OFF                                                                \
    {                                                                          \
        STET_SWITCH_OFF, STET_SWITCH_OFF, STET_SWITCH_OFF, STET_SWITCH_OFF, 0  \
    }

static const stet_policy all_off = ALL_OFF;

static const stet_machine_rule deferring = {.policy = ALL_OFF};

static void reopen_with(store_under_test *t, const stet_machine_rule *rule)
{
    t->opts.rules = rule;
    t->opts.rule_count = rule == NULL ? 0 : 1;
    if (t->is_kept) {
        store_reopen(t);
    } else {
        store_close(t);
        store_open(t);
    }
}

/* Commit one change under a policy of its own (NULL: the rule's). */
static stet_status commit_by(store_under_test *t, stet_change c,
                             const stet_policy *policy, stet_written *out,
                             stet_error *err)
{
    c.id = c.id.len > 0 ? c.id : stet_str("m");
    stet_batch b = {.changes = &c, .change_count = 1, .policy = policy};
    return stet_commit(t->s, &b, out, err);
}

static void defer(store_under_test *t, stet_change c)
{
    stet_error err;
    stet_written w = {0};
    assert_status(commit_by(t, c, NULL, &w, &err), STET_OK, &err);
    assert_int_equal(w.level, STET_LEVEL_MEMORY);
    assert_int_equal(w.seq, 0);
    assert_int_equal(w.position, 0);
}

static void defer_update(store_under_test *t, const char *id, const char *text)
{
    defer(t, (stet_change){.verb = STET_VERB_UPDATE,
                           .id = stet_str(id),
                           .payload = stet_str(text)});
}

static uint64_t waiting(store_under_test *t)
{
    stet_error err;
    stet_info info = {0};
    assert_status(stet_get_info(t->s, &info, &err), STET_OK, &err);
    return info.deferred;
}

static void claim_with_deferred(store_under_test *t, const char *id,
                                const char *text, uint64_t seq)
{
    stet_error err;
    const stet_state *state = NULL;
    stet_read_opts o = {.with_deferred = true};
    uint64_t seen = 0;
    assert_status(stet_load(t->s, stet_str(id), &o, &state, &err), STET_OK,
                  &err);
    assert_says(state->state_data, text);
    assert_int_equal(state->seq, seq);
    stet_state_release(state);
    assert_status(stet_exists(t->s, stet_str(id), &o, &seen, &err), STET_OK,
                  &err);
    assert_int_equal(seen, seq);
}

static void flush(store_under_test *t)
{
    stet_error err;
    assert_status(stet_flush(t->s, &err), STET_OK, &err);
    assert_int_equal(waiting(t), 0);
}

/* ---- what is durable at once ---- */

/* The classes of a change, once more: bits of the four switches. */
static unsigned classes_of(const stet_change *c)
{
    unsigned classes = 0;
    switch (c->verb) {
    case STET_VERB_TRANSITION:
        classes = 1;
        break;
    case STET_VERB_FAIL:
        classes = 4;
        break;
    case STET_VERB_CREATE:
    case STET_VERB_DELETE:
    case STET_VERB_RESTORE:
        return 16; /* which no switch turns off */
    default:
        classes = 2;
        break;
    }
    classes |= c->error.len > 0 ? 4 : 0;
    return classes | ((c->flags & STET_CHANGE_PHASE) != 0 ? 8 : 0);
}

/*
 * Each verb, with and without an error and a phase change, under each of the
 * sixteen policies: it is durable at once if one of its classes is on.
 */
static void test_a_write_waits_only_if_all_its_classes_are_off(void **state)
{
    store_under_test *t = *state;
    stet_error err;
    static const stet_verb verbs[] = {STET_VERB_SAVE,   STET_VERB_TRANSITION,
                                      STET_VERB_UPDATE, STET_VERB_PATCH,
                                      STET_VERB_APPEND, STET_VERB_FAIL,
                                      STET_VERB_RESTORE};
    (void)store_save(t, "m", "{}");
    for (unsigned i = 0; i < sizeof verbs / sizeof *verbs * 4 * 16; i++) {
        unsigned on = i % 16;
        stet_change c = {.verb = verbs[i / 64]};
        c.payload = c.verb == STET_VERB_FAIL    ? stet_str("")
                    : c.verb == STET_VERB_PATCH ? stet_str("[]")
                                                : stet_str("{}");
        c.error = (i / 16 & 1) != 0 ? stet_str("oh") : stet_str("");
        c.flags = (i / 16 & 2) != 0 ? STET_CHANGE_PHASE : 0;
        stet_policy policy = {
            (on & 1) != 0 ? STET_SWITCH_ON : STET_SWITCH_OFF,
            (on & 2) != 0 ? STET_SWITCH_DEFAULT : STET_SWITCH_OFF,
            (on & 4) != 0 ? STET_SWITCH_ON : STET_SWITCH_OFF,
            (on & 8) != 0 ? STET_SWITCH_DEFAULT : STET_SWITCH_OFF,
            STET_NEVER,
        };
        stet_written w = {0};
        assert_status(commit_by(t, c, &policy, &w, &err), STET_OK, &err);
        bool is_at_once = (classes_of(&c) & (on | 16)) != 0;
        assert_int_equal(w.seq != 0, is_at_once);
        assert_int_equal(waiting(t) == 0, is_at_once);
        flush(t);
    }
}

/* What asks for an answer that holds is not deferred. */
static void test_who_asks_for_more_than_a_policy_gets_it(void **state)
{
    store_under_test *t = *state;
    stet_error err;
    reopen_with(t, &deferring);
    stet_change c = {
        .verb = STET_VERB_SAVE, .id = stet_str("m"), .payload = stet_str("{}")};
    stet_condition condition = {.id = stet_str("n"),
                                .expect = {.kind = STET_EXPECT_NONE}};
    stet_change two[] = {c, c};
    stet_batch keyed = {.changes = &c, .change_count = 1, .key = stet_str("k")};
    stet_batch leveled = {.changes = &c, .change_count = 1};
    leveled.level = t->is_kept ? STET_LEVEL_OS : STET_LEVEL_MEMORY;
    stet_batch conditioned = {.changes = &c,
                              .change_count = 1,
                              .conditions = &condition,
                              .condition_count = 1};
    stet_batch both = {.changes = two, .change_count = 2};
    const stet_batch *batches[] = {&keyed, &leveled, &conditioned, &both};
    for (size_t i = 0; i < 4; i++) {
        stet_written w[2] = {{0}};
        assert_status(stet_commit(t->s, batches[i], w, &err), STET_OK, &err);
        assert_int_not_equal(w[0].seq, 0);
        assert_int_equal(waiting(t), 0);
    }
    c.expect = (stet_expect){STET_EXPECT_EXISTS, 0};
    stet_written w = {0};
    assert_status(commit_by(t, c, NULL, &w, &err), STET_OK, &err);
    assert_int_equal(w.seq, 6);
    c.expect = (stet_expect){0};
    stet_policy on = {0};
    assert_status(commit_by(t, c, &on, &w, &err), STET_OK, &err);
    assert_int_equal(w.seq, 7);
}

/* A wrong policy is told, whether or not anything would be deferred. */
static void test_a_policy_that_means_nothing_is_refused(void **state)
{
    store_under_test *t = *state;
    stet_error err;
    stet_change c = {.verb = STET_VERB_SAVE, .payload = stet_str("{}")};
    stet_policy policy = {.persist_on_update = (stet_switch)3};
    assert_status(commit_by(t, c, &policy, NULL, &err), STET_E_INVALID, &err);
    policy = (stet_policy){.persist_interval_ns = -2};
    assert_status(commit_by(t, c, &policy, NULL, &err), STET_E_INVALID, &err);
    assert_names(&err, "persist_interval_ns");
    stet_machine_rule rules[] = {{.strategy = (stet_strategy)9},
                                 {.pattern = "[", .ns = 0},
                                 {.base_events = 70000},
                                 {.ns = 255},
                                 {.policy = policy}};
    store_close(t);
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        stet *s = NULL;
        t->opts.rules = &rules[i];
        t->opts.rule_count = 1;
        stet_status st = stet__open_on(&t->os, t->url, &t->opts, &s, &err);
        assert_status(st, STET_E_INVALID, &err);
        assert_names(&err, "rule 0");
    }
    t->opts.rules = NULL;
    stet *s = NULL;
    assert_status(stet__open_on(&t->os, t->url, &t->opts, &s, &err),
                  STET_E_INVALID, &err);
    t->opts.rule_count = 0;
    store_open(t);
}

/* ---- who sees what ---- */

/* No answer that rests on a deferred write unless somebody asks for those. */
static void test_only_loads_that_ask_see_what_waits(void **state)
{
    store_under_test *t = *state;
    stet_error err;
    (void)store_save(t, "m", "{\"a\":1}");
    reopen_with(t, &deferring);
    if (!t->is_kept) {
        stet_written w;
        stet_policy on = {0};
        stet_change c = {.verb = STET_VERB_SAVE,
                         .payload = stet_str("{\"a\":1}")};
        assert_status(commit_by(t, c, &on, &w, &err), STET_OK, &err);
    }
    defer_update(t, "m", "{\"b\":2}");
    defer_update(t, "new", "{\"c\":3}");
    store_claim_state(t, "m", "{\"a\":1}");
    store_claim_missing(t, "new");
    claim_with_deferred(t, "m", "{\"a\":1,\"b\":2}", 2);
    claim_with_deferred(t, "new", "{\"c\":3}", 1);
    stet_slice ids[] = {stet_str("m"), stet_str("new"), stet_str("none")};
    const stet_state *out[3];
    stet_read_opts o = {.with_deferred = true};
    assert_status(stet_load_many(t->s, ids, 3, &o, out, &err), STET_OK, &err);
    assert_says(out[0]->state_data, "{\"a\":1,\"b\":2}");
    assert_says(out[1]->state_data, "{\"c\":3}");
    assert_null(out[2]);
    stet_state_release(out[0]);
    stet_state_release(out[1]);
    o.at = at_seq(1);
    assert_status(stet_load_many(t->s, ids, 1, &o, out, &err), STET_E_INVALID,
                  &err);
    flush(t);
    store_claim_state(t, "m", "{\"a\":1,\"b\":2}");
    store_claim_state(t, "new", "{\"c\":3}");
    claim_with_deferred(t, "m", "{\"a\":1,\"b\":2}", 2);
}

typedef struct told {
    uint64_t seq;
    char action[16];
    char payload[64];
    int64_t timestamp;
    uint32_t flags;
} told;

static size_t read_history(store_under_test *t, const char *id, told *out,
                           size_t room)
{
    stet_error err;
    stet_history *h = NULL;
    const stet_event *e = NULL;
    size_t count = 0;
    assert_status(stet_history_open(t->s, stet_str(id), NULL, &h, &err),
                  STET_OK, &err);
    while (stet_history_next(h, &e, &err) == STET_OK && count < room) {
        told *o = &out[count++];
        *o =
            (told){.seq = e->seq, .timestamp = e->timestamp, .flags = e->flags};
        (void)snprintf(o->action, sizeof o->action, "%.*s", (int)e->action.len,
                       (const char *)e->action.ptr);
        (void)snprintf(o->payload, sizeof o->payload, "%.*s",
                       (int)e->payload.len, (const char *)e->payload.ptr);
    }
    stet_history_close(h);
    return count;
}

/* Waiting loses nothing: not an event, not the order, not when it occurred. */
static void test_each_deferred_write_becomes_an_event_of_its_own(void **state)
{
    store_under_test *t = *state;
    int64_t times[20];
    reopen_with(t, &deferring);
    for (int i = 0; i < 20; i++) {
        char payload[32];
        char action[16];
        (void)snprintf(payload, sizeof payload, "{\"n\":%d}", i);
        (void)snprintf(action, sizeof action, "act%d", i);
        times[i] = store_now(t);
        defer(t, (stet_change){.verb = STET_VERB_TRANSITION,
                               .payload = stet_str(payload),
                               .action = stet_str(action)});
        store_advance(t, SECOND);
    }
    assert_int_equal(waiting(t), 20);
    store_advance(t, 60 * SECOND);
    flush(t);
    told events[32];
    assert_int_equal(read_history(t, "m", events, 32), 20);
    for (int i = 0; i < 20; i++) {
        char payload[32];
        char action[16];
        (void)snprintf(payload, sizeof payload, "{\"n\":%d}", i);
        (void)snprintf(action, sizeof action, "act%d", i);
        assert_int_equal(events[i].seq, i + 1);
        assert_string_equal(events[i].payload, payload);
        assert_string_equal(events[i].action, action);
        assert_in_range(events[i].timestamp - times[i], 0, SECOND);
    }
    assert_true((events[0].flags & STET_EVENT_BATCH_FIRST) != 0);
    assert_true((events[19].flags & STET_EVENT_BATCH_LAST) != 0);
    assert_true((events[10].flags &
                 (STET_EVENT_BATCH_FIRST | STET_EVENT_BATCH_LAST)) == 0);
}

/* ---- the next durable write ---- */

/*
 * It takes along what waits, in one batch and in order; what it expects it
 * expects of the machine as readers knew it.
 */
static void test_the_next_durable_write_takes_along_what_waits(void **state)
{
    store_under_test *t = *state;
    stet_error err;
    stet_policy on = {0};
    stet_written w[2] = {{0}};
    reopen_with(t, &deferring);
    stet_change save = {.verb = STET_VERB_SAVE, .payload = stet_str("{}")};
    assert_status(commit_by(t, save, &on, w, &err), STET_OK, &err);
    defer_update(t, "m", "{\"a\":1}");
    defer_update(t, "m", "{\"b\":2}");
    defer_update(t, "n", "{\"c\":3}");
    stet_change changes[] = {
        {.verb = STET_VERB_UPDATE,
         .id = stet_str("m"),
         .payload = stet_str("{\"d\":4}"),
         .expect = {STET_EXPECT_EXACT, 2}},
        {.verb = STET_VERB_CREATE,
         .id = stet_str("o"),
         .payload = stet_str("{}")},
    };
    stet_batch batch = {.changes = changes, .change_count = 2};
    assert_status(stet_commit(t->s, &batch, w, &err), STET_E_CONFLICT, &err);
    assert_int_equal(waiting(t), 3);
    changes[0].expect.seq = 1;
    batch.key = stet_str("once");
    assert_status(stet_commit(t->s, &batch, w, &err), STET_OK, &err);
    assert_int_equal(w[0].seq, 4);
    assert_int_equal(w[1].seq, 1);
    assert_int_equal(w[1].position, w[0].position + 1);
    assert_int_equal(waiting(t), 1);
    store_claim_state(t, "m", "{\"a\":1,\"b\":2,\"d\":4}");
    store_claim_missing(t, "n");
    told events[8];
    assert_int_equal(read_history(t, "m", events, 8), 4);
    assert_true((events[1].flags & STET_EVENT_BATCH_FIRST) != 0);
    assert_true((events[3].flags & STET_EVENT_BATCH_LAST) == 0);
    /* A repeat says the same, also where something waits again. */
    defer_update(t, "m", "{\"e\":5}");
    stet_written again[2] = {{0}};
    assert_status(stet_commit(t->s, &batch, again, &err), STET_OK, &err);
    for (int i = 0; i < 2; i++) {
        assert_true(again[i].is_repeat);
        assert_int_equal(again[i].seq, w[i].seq);
        assert_int_equal(again[i].position, w[i].position);
    }
    assert_int_equal(waiting(t), 2);
    flush(t);
    store_claim_state(t, "m", "{\"a\":1,\"b\":2,\"d\":4,\"e\":5}");
}

/* What only makes sense on top of what waits is judged there. */
static void test_a_durable_write_is_judged_on_top_of_what_waits(void **state)
{
    store_under_test *t = *state;
    stet_error err;
    stet_written w = {0};
    stet_policy on = {0};
    reopen_with(t, &deferring);
    defer_update(t, "m", "{\"a\":1}");
    stet_change create = {.verb = STET_VERB_CREATE, .payload = stet_str("{}")};
    assert_status(commit_by(t, create, NULL, &w, &err), STET_E_EXISTS, &err);
    store_claim_state(t, "m", "{\"a\":1}"); /* what it rests on is durable */
    defer_update(t, "m", "{\"b\":1}");
    stet_change patch = {
        .verb = STET_VERB_PATCH,
        .payload =
            stet_str("[{\"op\":\"replace\",\"path\":\"/a\",\"value\":2}]")};
    assert_status(commit_by(t, patch, &on, &w, &err), STET_OK, &err);
    assert_int_equal(w.seq, 3);
    store_claim_state(t, "m", "{\"a\":2,\"b\":1}");
    defer_update(t, "n", "{}");
    stet_change delete = {.verb = STET_VERB_DELETE, .id = stet_str("n")};
    assert_status(commit_by(t, delete, NULL, &w, &err), STET_OK, &err);
    assert_int_equal(w.seq, 2);
    store_claim_missing(t, "n");
}

/* A refusal is told when it is deferred, and then nothing of it waits. */
static void test_what_cannot_be_stored_is_not_deferred(void **state)
{
    store_under_test *t = *state;
    stet_error err;
    reopen_with(t, &deferring);
    defer_update(t, "m", "{\"a\":1}");
    stet_change wrong[] = {
        {.verb = STET_VERB_PATCH,
         .payload = stet_str("[{\"op\":\"remove\",\"path\":\"/b\"}]")},
        {.verb = STET_VERB_UPDATE, .payload = stet_str("[]")},
        {.verb = STET_VERB_UPDATE, .payload = stet_str("{")},
        {.verb = STET_VERB_SAVE, .id = stet_str("\n")},
        {.verb = STET_VERB_SAVE, .metadata = stet_str("{")},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        stet_written w = {0};
        assert_status(commit_by(t, wrong[i], NULL, &w, &err), STET_E_INVALID,
                      &err);
        assert_int_equal(waiting(t), 1);
    }
    claim_with_deferred(t, "m", "{\"a\":1}", 1);
    flush(t);
    store_claim_state(t, "m", "{\"a\":1}");
}

/* ---- when ---- */

static _Atomic int64_t monotonic_now;

static int64_t fake_monotonic(stet_os *os)
{
    (void)os;
    return atomic_load(&monotonic_now);
}

static bool step(store_under_test *t)
{
    stet_error err;
    bool is_more = false;
    assert_status(stet_step(t->s, &is_more, &err), STET_OK, &err);
    return is_more;
}

static void open_stepped(store_under_test *t, const stet_machine_rule *rules,
                         size_t count)
{
    store_close(t);
    atomic_store(&monotonic_now, SECOND);
    t->os.monotonic = fake_monotonic;
    t->opts.flags = STET_NO_THREADS;
    t->opts.rules = rules;
    t->opts.rule_count = count;
    store_open(t);
}

/* Not before its time, not after it, and each by its own rule. */
static void test_what_waits_is_written_at_its_interval(void **state)
{
    store_under_test *t = *state;
    stet_machine_rule rules[] = {
        {.pattern = "slow*", .policy = ALL_OFF},
        {.pattern = "quick*", .policy = ALL_OFF},
        {.pattern = "never*", .policy = ALL_OFF},
    };
    rules[1].policy.persist_interval_ns = 5 * SECOND;
    rules[2].policy.persist_interval_ns = STET_NEVER;
    open_stepped(t, rules, 3);
    defer_update(t, "slow1", "{\"a\":1}");
    defer_update(t, "never1", "{\"a\":1}");
    atomic_fetch_add(&monotonic_now, 2 * SECOND);
    defer_update(t, "quick1", "{\"a\":1}");
    defer_update(t, "slow1", "{\"b\":2}"); /* due with the first one */
    atomic_fetch_add(&monotonic_now, 5 * SECOND - 1);
    (void)step(t);
    assert_int_equal(waiting(t), 4);
    atomic_fetch_add(&monotonic_now, 1);
    assert_true(step(t));
    assert_int_equal(waiting(t), 3);
    store_claim_state(t, "quick1", "{\"a\":1}");
    atomic_fetch_add(&monotonic_now, 23 * SECOND - 1);
    (void)step(t);
    store_claim_missing(t, "slow1");
    atomic_fetch_add(&monotonic_now, 1);
    (void)step(t);
    store_claim_state(t, "slow1", "{\"a\":1,\"b\":2}");
    atomic_fetch_add(&monotonic_now, 1000000 * SECOND);
    (void)step(t);
    assert_int_equal(waiting(t), 1);
    store_claim_missing(t, "never1");
    flush(t);
    store_claim_state(t, "never1", "{\"a\":1}");
}

/* A call that waits less long than what waits already takes that along. */
static void test_the_shortest_interval_of_what_waits_counts(void **state)
{
    store_under_test *t = *state;
    stet_error err;
    stet_machine_rule rules[] = {
        {.pattern = "s*",
         .strategy = STET_STRATEGY_SNAPSHOT_ONLY,
         .policy = ALL_OFF},
        {.policy = ALL_OFF},
    };
    rules[1].policy.persist_interval_ns = STET_NEVER;
    open_stepped(t, rules, 2);
    static const char *const ids[] = {"s1", "m1"};
    for (int i = 0; i < 2; i++) {
        stet_policy soon = ALL_OFF;
        soon.persist_interval_ns = SECOND;
        stet_change c = {.verb = STET_VERB_UPDATE,
                         .id = stet_str(ids[i]),
                         .payload = stet_str("{\"b\":2}")};
        defer_update(t, ids[i], "{\"a\":1}");
        assert_status(commit_by(t, c, &soon, NULL, &err), STET_OK, &err);
        defer_update(t, ids[i], "{\"c\":3}");
        atomic_fetch_add(&monotonic_now, SECOND - 1);
        (void)step(t);
        store_claim_missing(t, ids[i]);
        atomic_fetch_add(&monotonic_now, 1);
        (void)step(t);
        store_claim_state(t, ids[i], "{\"a\":1,\"b\":2,\"c\":3}");
    }
}

/* A close and a sync leave nothing behind. */
static void test_a_close_writes_what_waits(void **state)
{
    store_under_test *t = *state;
    stet_error err;
    reopen_with(t, &deferring);
    defer_update(t, "m", "{\"a\":1}");
    assert_status(stet_sync(t->s, &err), STET_OK, &err);
    assert_int_equal(waiting(t), 0);
    defer_update(t, "m", "{\"b\":2}");
    defer_update(t, "n", "{\"c\":3}");
    store_reopen(t);
    store_claim_state(t, "m", "{\"a\":1,\"b\":2}");
    store_claim_state(t, "n", "{\"c\":3}");
}

/* ---- limits ---- */

/* Beyond its limit memory takes no more: the write is durable, all in order. */
static void test_a_full_backlog_is_written(void **state)
{
    store_under_test *t = *state;
    stet_error err;
    t->opts.deferred_bytes = 4096;
    reopen_with(t, &deferring);
    char text[1100] = "{\"x\":\"";
    memset(text + 6, 'x', 1000);
    memcpy(text + 1006, "\"}", 3);
    unsigned at_once = 0;
    for (int i = 0; i < 40; i++) {
        char id[8];
        (void)snprintf(id, sizeof id, "m%d", i % 3);
        stet_change c = {.verb = STET_VERB_UPDATE,
                         .id = stet_str(id),
                         .payload = stet_str(text)};
        stet_written w = {0};
        assert_status(commit_by(t, c, NULL, &w, &err), STET_OK, &err);
        at_once += w.seq != 0;
        assert_true(waiting(t) <= 3);
    }
    assert_in_range(at_once, 5, 35);
    char large[5000] = "{\"y\":\"";
    memset(large + 6, 'y', 4900);
    memcpy(large + 4906, "\"}", 3);
    stet_written w = {0};
    stet_change c = {.verb = STET_VERB_UPDATE, .payload = stet_str(large)};
    assert_status(commit_by(t, c, NULL, &w, &err), STET_OK, &err);
    assert_int_equal(w.seq, 1);
    flush(t);
    told events[20];
    size_t all = read_history(t, "m0", events, 20) +
                 read_history(t, "m1", events, 20) +
                 read_history(t, "m2", events, 20);
    assert_int_equal(all, 40);
}

/* What waits and what is asked for need not fit into one batch. */
static void test_what_is_too_much_for_a_batch_is_written_before(void **state)
{
    store_under_test *t = *state;
    stet_error err;
    t->opts.batch_events_max = 6;
    reopen_with(t, &deferring);
    for (int i = 0; i < 4; i++) {
        defer_update(t, "a", "{\"n\":1}");
        defer_update(t, "b", "{\"n\":1}");
    }
    stet_change changes[3] = {
        {.verb = STET_VERB_UPDATE, .id = stet_str("b")},
        {.verb = STET_VERB_UPDATE, .id = stet_str("c")},
        {.verb = STET_VERB_UPDATE, .id = stet_str("a")},
    };
    for (int i = 0; i < 3; i++) {
        changes[i].payload = stet_str("{\"last\":true}");
    }
    stet_written w[3] = {{0}};
    stet_batch batch = {.changes = changes, .change_count = 3};
    assert_status(stet_commit(t->s, &batch, w, &err), STET_OK, &err);
    assert_int_equal(w[0].seq, 5);
    assert_int_equal(w[1].seq, 1);
    assert_int_equal(w[2].seq, 5);
    assert_int_equal(w[2].position, w[0].position + 2);
    store_claim_state(t, "a", "{\"n\":1,\"last\":true}");
    /* More wait than a batch holds: the last of them are written with it. */
    for (int i = 0; i < 12; i++) {
        stet_change c = {.verb = STET_VERB_UPDATE,
                         .id = stet_str("d"),
                         .payload = stet_str("{}")};
        assert_status(commit_by(t, c, NULL, w, &err), STET_OK, &err);
    }
    flush(t);
    told events[16];
    assert_int_equal(read_history(t, "d", events, 16), 12);
}

/* ---- snapshot_only ---- */

/* Where only the newest state counts one event stands for all that waited. */
static void test_snapshot_only_writes_what_came_of_it(void **state)
{
    store_under_test *t = *state;
    stet_error err;
    static const stet_machine_rule rule = {
        .strategy = STET_STRATEGY_SNAPSHOT_ONLY, .policy = ALL_OFF};
    reopen_with(t, &rule);
    defer(t, (stet_change){.verb = STET_VERB_TRANSITION,
                           .payload = stet_str("{\"a\":1}"),
                           .to_state = stet_str("one"),
                           .version = stet_str("2.0.0"),
                           .machine_metadata = stet_str("{\"k\":1}")});
    defer_update(t, "m", "{\"b\":2}");
    defer(t, (stet_change){.verb = STET_VERB_TRANSITION,
                           .payload = stet_str("{\"a\":null}"),
                           .to_state = stet_str("two"),
                           .action = stet_str("go")});
    assert_int_equal(waiting(t), 1);
    claim_with_deferred(t, "m", "{\"b\":2}", 1);
    flush(t);
    told events[4];
    assert_int_equal(read_history(t, "m", events, 4), 1);
    assert_string_equal(events[0].action, "go");
    const stet_state *s = store_load(t, "m");
    assert_says(s->state_data, "{\"b\":2}");
    assert_says(s->current_state, "two");
    assert_says(s->version, "2.0.0");
    assert_says(s->metadata, "{\"k\":1}");
    stet_state_release(s);
    defer(t, (stet_change){.verb = STET_VERB_FAIL, .error = stet_str("oh")});
    defer(t, (stet_change){.verb = STET_VERB_FAIL, .error = stet_str("no")});
    assert_status(stet_flush(t->s, &err), STET_OK, &err);
    store_claim_state(t, "m", "{\"b\":2}");
    assert_int_equal(read_history(t, "m", events, 4), 2);
}

/* ---- against a store that defers nothing ---- */

static stet_change random_change(rng *r, char *payload, size_t room)
{
    static const stet_verb verbs[] = {STET_VERB_SAVE,   STET_VERB_TRANSITION,
                                      STET_VERB_UPDATE, STET_VERB_PATCH,
                                      STET_VERB_APPEND, STET_VERB_FAIL,
                                      STET_VERB_DELETE, STET_VERB_CREATE};
    stet_change c = {.verb = verbs[rng_below(r, 8)]};
    unsigned n = (unsigned)rng_below(r, 5);
    if (c.verb == STET_VERB_PATCH) {
        (void)snprintf(payload, room, "[{\"op\":\"remove\",\"path\":\"/m%u\"}]",
                       n);
    } else {
        (void)snprintf(payload, room, "{\"m%u\":%u}", n,
                       (unsigned)rng_below(r, 100));
    }
    c.payload = c.verb == STET_VERB_FAIL || c.verb == STET_VERB_DELETE
                    ? stet_str("")
                    : stet_str(payload);
    c.error = rng_below(r, 8) == 0 ? stet_str("oh") : stet_str("");
    c.to_state = rng_below(r, 4) == 0 && c.verb != STET_VERB_DELETE
                     ? stet_str("name")
                     : stet_str("");
    c.flags = rng_below(r, 8) == 0 ? STET_CHANGE_PHASE : 0;
    c.timestamp = 1 + (int64_t)rng_below(r, 1000);
    return c;
}

static void claim_same_histories(store_under_test *a, store_under_test *b,
                                 const char *id)
{
    static told x[512];
    static told y[512];
    size_t count = read_history(a, id, x, 512);
    assert_int_equal(read_history(b, id, y, 512), count);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(x[i].seq, y[i].seq);
        assert_string_equal(x[i].payload, y[i].payload);
        assert_int_equal(x[i].timestamp, y[i].timestamp);
    }
}

/*
 * The same calls to a store that defers at random and to one that never does:
 * the same answers, the same states to who asks, in the end the same histories.
 */
static void test_deferring_changes_no_answer(void **state)
{
    store_under_test *t = *state;
    store_under_test plain;
    stet_error err;
    store_init_memory(&plain);
    store_open(&plain);
    for (uint64_t seed = 1; seed <= 20; seed++) {
        rng r = {seed};
        char id[16];
        for (int i = 0; i < 200; i++) {
            char payload[64];
            stet_change c = random_change(&r, payload, sizeof payload);
            (void)snprintf(id, sizeof id, "s%d-%d", (int)seed,
                           (int)rng_below(&r, 3));
            c.id = stet_str(id);
            stet_policy policy = all_off;
            policy.persist_on_error = (stet_switch)rng_below(&r, 3);
            policy.persist_on_transition = (stet_switch)rng_below(&r, 3);
            stet_status want = commit_by(&plain, c, NULL, NULL, &err);
            stet_status got = commit_by(t, c, &policy, NULL, &err);
            assert_status(got, want, &err);
            const stet_state *x = NULL;
            const stet_state *y = NULL;
            stet_read_opts o = {.with_deferred = true};
            got = stet_load(t->s, c.id, &o, &x, &err);
            want = stet_load(plain.s, c.id, NULL, &y, &err);
            assert_int_equal(got, want);
            if (got == STET_OK) {
                assert_true(stet__slice_eq(x->state_data, y->state_data));
                assert_true(stet__slice_eq(x->current_state, y->current_state));
                assert_int_equal(x->seq, y->seq);
                assert_int_equal(x->updated_at, y->updated_at);
                assert_int_equal(x->created_at, y->created_at);
                stet_state_release(x);
                stet_state_release(y);
            }
        }
        if (seed % 2 == 0) {
            flush(t);
            for (int i = 0; i < 3; i++) {
                (void)snprintf(id, sizeof id, "s%d-%d", (int)seed, i);
                claim_same_histories(t, &plain, id);
            }
        }
    }
    store_deinit(&plain);
}

/* ---- threads ---- */

enum { THREADS = 4, ROUNDS = 300 };

typedef struct deferrer {
    store_under_test *t;
    unsigned idx;
    _Atomic uint32_t *wrong;
} deferrer;

/* Counts in a member of its own; every few writes are durable at once. */
static void defer_many(void *ctx)
{
    deferrer *d = ctx;
    for (int i = 1; i <= ROUNDS; i++) {
        char payload[32];
        char action[16];
        (void)snprintf(payload, sizeof payload, "{\"t%u\":%d}", d->idx, i);
        (void)snprintf(action, sizeof action, "%u", d->idx);
        stet_change c = {.verb = STET_VERB_UPDATE,
                         .id = stet_str("shared"),
                         .payload = stet_str(payload),
                         .action = stet_str(action)};
        stet_policy on = {0};
        stet_written w = {0};
        stet_error err;
        stet_status st = commit_by(d->t, c, i % 7 == 0 ? &on : NULL, &w, &err);
        bool is_right = st == STET_OK && (w.seq != 0) == (i % 7 == 0);
        if (i % 50 == 0) {
            is_right = stet_flush(d->t->s, &err) == STET_OK && is_right;
        }
        atomic_fetch_add(d->wrong, is_right ? 0 : 1);
    }
}

/* Whoever writes beside whom: all is there, each one's in his order. */
static void test_many_defer_to_one_machine(void **state)
{
    store_under_test *t = *state;
    _Atomic uint32_t wrong = 0;
    deferrer crew[THREADS];
    uint64_t threads[THREADS];
    reopen_with(t, &deferring);
    for (unsigned i = 0; i < THREADS; i++) {
        crew[i] = (deferrer){t, i, &wrong};
        assert_int_equal(
            t->os.thread_start(&t->os, defer_many, &crew[i], &threads[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        t->os.thread_join(&t->os, threads[i]);
    }
    assert_int_equal(wrong, 0);
    flush(t);
    static told events[THREADS * ROUNDS + 1];
    size_t count = read_history(t, "shared", events, THREADS * ROUNDS + 1);
    assert_int_equal(count, THREADS * ROUNDS);
    int last[THREADS] = {0};
    for (size_t i = 0; i < count; i++) {
        unsigned who = 0;
        int n = 0;
        assert_int_equal(sscanf(events[i].payload, "{\"t%u\":%d}", &who, &n),
                         2);
        assert_true(who < THREADS);
        assert_int_equal(n, ++last[who]);
    }
}

/* ---- failures ---- */

/* With each allocation failing once: told, and all that was taken is there. */
static void test_a_lack_of_memory_loses_no_deferred_write(void **state)
{
    (void)state;
    for (size_t nth = 1;; nth++) {
        memdisk *disk = memdisk_create(nth);
        stet *s = NULL;
        stet_error err;
        failalloc f;
        static const stet_machine_rule rules[] = {
            {.pattern = "one",
             .strategy = STET_STRATEGY_SNAPSHOT_ONLY,
             .policy = ALL_OFF},
            {.policy = ALL_OFF}};
        failalloc_init(&f, 0);
        stet_opts o = STET_OPTS_INIT;
        o.flags = STET_NO_THREADS;
        o.rules = rules;
        o.rule_count = 2;
        o.allocator = failalloc_allocator(&f);
        assert_status(stet__open_on(memdisk_os(disk), "stet:d", &o, &s, &err),
                      STET_OK, &err);
        f.nth = atomic_load(&f.calls) + nth;
        unsigned taken = 0;
        static const char *const ids[] = {"m", "n", "one"};
        for (int i = 0; i < 9; i++) {
            stet_change c = {.verb = STET_VERB_TRANSITION,
                             .id = stet_str(ids[i % 3]),
                             .payload = stet_str("{\"a\":1}")};
            stet_policy on = {0};
            stet_batch b = {.changes = &c,
                            .change_count = 1,
                            .policy = i == 7 ? &on : NULL};
            stet_status st = stet_commit(s, &b, NULL, &err);
            assert_true(st == STET_OK || st == STET_E_NOMEM);
            taken += st == STET_OK && i % 3 != 2;
        }
        stet_status st = stet_flush(s, &err);
        assert_true(st == STET_OK || st == STET_E_NOMEM);
        bool is_hit = f.is_hit;
        f.nth = 0;
        assert_status(stet_flush(s, &err), STET_OK, &err);
        stet_info info = {0};
        assert_status(stet_get_info(s, &info, &err), STET_OK, &err);
        assert_int_equal(info.deferred, 0);
        uint64_t seqs = 0;
        for (int i = 0; i < 2; i++) {
            uint64_t seq = 0;
            stet_status there =
                stet_exists(s, stet_str(ids[i]), NULL, &seq, &err);
            assert_true(there == STET_OK || taken == 0);
            seqs += seq;
        }
        assert_int_equal(seqs, taken);
        assert_status(stet_close(s, &err), STET_OK, &err);
        failalloc_assert_clean(&f);
        memdisk_destroy(disk);
        if (!is_hit) {
            break;
        }
    }
}

/* A full disk keeps what waits waiting, and a close tells of it. */
static void test_a_full_disk_keeps_what_waits(void **state)
{
    (void)state;
    store_under_test t;
    stet_error err;
    store_init_simulated(&t);
    t.opts.rules = &deferring;
    t.opts.rule_count = 1;
    t.opts.segment_bytes = 16384;
    store_open(&t);
    memdisk_set_space(t.disk, memdisk_used(t.disk));
    static char text[30000] = "{\"x\":\"";
    memset(text + 6, 'x', 29000);
    memcpy(text + 29006, "\"}", 3);
    defer_update(&t, "m", text);
    assert_status(stet_flush(t.s, &err), STET_E_NOSPACE, &err);
    assert_int_equal(waiting(&t), 1);
    memdisk_set_space(t.disk, UINT64_MAX);
    flush(&t);
    store_claim_state(&t, "m", text);
    store_deinit(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_BOTH_STORES(test_a_write_waits_only_if_all_its_classes_are_off),
        ON_BOTH_STORES(test_who_asks_for_more_than_a_policy_gets_it),
        ON_BOTH_STORES(test_a_policy_that_means_nothing_is_refused),
        ON_BOTH_STORES(test_only_loads_that_ask_see_what_waits),
        ON_BOTH_STORES(test_each_deferred_write_becomes_an_event_of_its_own),
        ON_BOTH_STORES(test_the_next_durable_write_takes_along_what_waits),
        ON_BOTH_STORES(test_a_durable_write_is_judged_on_top_of_what_waits),
        ON_BOTH_STORES(test_what_cannot_be_stored_is_not_deferred),
        ON_BOTH_STORES(test_what_waits_is_written_at_its_interval),
        ON_BOTH_STORES(test_the_shortest_interval_of_what_waits_counts),
        ON_EMBEDDED_STORE(test_a_close_writes_what_waits),
        ON_BOTH_STORES(test_a_full_backlog_is_written),
        ON_BOTH_STORES(test_what_is_too_much_for_a_batch_is_written_before),
        ON_BOTH_STORES(test_snapshot_only_writes_what_came_of_it),
        ON_BOTH_STORES(test_deferring_changes_no_answer),
        ON_BOTH_STORES(test_many_defer_to_one_machine),
        cmocka_unit_test(test_a_lack_of_memory_loses_no_deferred_write),
        cmocka_unit_test(test_a_full_disk_keeps_what_waits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
