/*
 * Strategies: what each keeps, and what can be asked then. One machine lives
 * the same life under each, is settled, and is asked the same questions.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "lib/store_under_test.h"

enum { EVENTS = 30, KEPT = 5, NAMED = 12 };

static void write_life(store_under_test *t, const char *id)
{
    for (int i = 1; i <= EVENTS; i++) {
        char json[32];
        stet_error err;
        (void)snprintf(json, sizeof json, "{\"n\":%d}", i);
        stet_change c = {.verb = i % 3 == 0 ? STET_VERB_TRANSITION
                                            : STET_VERB_UPDATE,
                         .id = stet_str(id),
                         .payload = stet_str(json)};
        assert_int_equal(store_write(t, &c), i);
        if (i == NAMED) {
            stet_checkpoint_opts o = {.name = stet_str("named")};
            assert_status(
                stet_checkpoint_set(t->s, stet_str(id), &o, NULL, &err),
                STET_OK, &err);
        }
        store_advance(t, 1000000);
    }
}

static const char *state_at(int seq)
{
    static char text[32];
    (void)snprintf(text, sizeof text, "{\"n\":%d}", seq);
    return text;
}

/* Of a store at rest all is settled, the last segment, too. */
static void settle(store_under_test *t)
{
    stet_error err;
    store_reopen(t);
    assert_status(stet_compact(t->s, &err), STET_OK, &err);
}

/* Is the state at a seq exact, or does the store say that it is gone? */
static bool is_there(store_under_test *t, const char *id, int seq)
{
    stet_error err;
    const stet_state *s = NULL;
    stet_read_opts o = {.at = at_seq((uint64_t)seq)};
    stet_status st = stet_load(t->s, stet_str(id), &o, &s, &err);
    if (st == STET_OK) {
        assert_says(s->state_data, state_at(seq));
        stet_state_release(s);
        return true;
    }
    assert_status(st, STET_E_GONE, &err);
    assert_names(&err, "after it is");
    return false;
}

static size_t count_events(store_under_test *t, const char *id)
{
    stet_error err;
    stet_history *h = NULL;
    const stet_event *e = NULL;
    size_t count = 0;
    assert_status(stet_history_open(t->s, stet_str(id), NULL, &h, &err),
                  STET_OK, &err);
    while (stet_history_next(h, &e, &err) == STET_OK) {
        count++;
    }
    stet_history_close(h);
    return count;
}

typedef struct question {
    stet_strategy strategy;
    bool has_limit;      /* of KEPT events */
    int oldest;          /* seq from which on all is there */
    const char *version; /* of every state */
} question;

/*
 * The table: without a limit only snapshot_only lets anything go; with one
 * hybrid and versioned do, event_sourced never. What has a name stays.
 */
static void test_what_each_strategy_keeps(void **state)
{
    store_under_test *t = *state;
    static const question table[] = {
        {STET_STRATEGY_DEFAULT, false, 1, ""},
        {STET_STRATEGY_DEFAULT, true, EVENTS - KEPT, ""},
        {STET_STRATEGY_SNAPSHOT_ONLY, false, EVENTS, ""},
        {STET_STRATEGY_SNAPSHOT_ONLY, true, EVENTS, ""},
        {STET_STRATEGY_EVENT_SOURCED, false, 1, ""},
        {STET_STRATEGY_EVENT_SOURCED, true, 1, ""},
        {STET_STRATEGY_HYBRID, false, 1, ""},
        {STET_STRATEGY_HYBRID, true, EVENTS - KEPT, ""},
        {STET_STRATEGY_VERSIONED, false, 1, "1.0.0"},
        {STET_STRATEGY_VERSIONED, true, EVENTS - KEPT, "1.0.0"},
    };
    static const stet_retention_rule limit = {.keep_events = KEPT};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        const question *q = &table[i];
        stet_error err;
        char id[16];
        char pattern[16];
        (void)snprintf(id, sizeof id, "m%zu", i);
        (void)snprintf(pattern, sizeof pattern, "m%zu", i);
        stet_machine_rule rule = {.pattern = pattern, .strategy = q->strategy};
        t->opts.rules = &rule;
        t->opts.rule_count = 1;
        t->opts.retention = &limit;
        t->opts.retention_count = q->has_limit ? 1 : 0;
        store_reopen(t);
        write_life(t, id);
        settle(t);
        for (int again = 0; again < 2; again++) {
            for (int seq = 1; seq <= EVENTS; seq++) {
                assert_int_equal(is_there(t, id, seq),
                                 seq >= q->oldest || seq == NAMED);
            }
            store_claim_state(t, id, state_at(EVENTS));
            store_claim_state_at(t, id, at_name("named"), state_at(NAMED));
            int kept = EVENTS - q->oldest + 1 + (q->oldest > NAMED);
            assert_int_equal(count_events(t, id), kept);
            const stet_state *s = store_load(t, id);
            assert_says(s->version, q->version);
            stet_state_release(s);
            assert_status(stet_verify(t->s, NULL, NULL, NULL, &err), STET_OK,
                          &err);
            t->opts.rules = NULL;
            t->opts.rule_count = 0;
            t->opts.retention_count = 0;
            store_reopen(t);
        }
    }
}

typedef struct talk {
    unsigned warnings;
    char text[256];
} talk;

static void hear(void *ctx, stet_log_level level, const char *text)
{
    talk *heard = ctx;
    if (level == STET_LOG_WARNING && strstr(text, "event_sourced") != NULL) {
        heard->warnings++;
        (void)snprintf(heard->text, sizeof heard->text, "%s", text);
    }
}

/* Who sets a limit that is not followed hears of it, once. */
static void test_a_limit_that_is_not_followed_is_warned_of(void **state)
{
    store_under_test *t = *state;
    talk heard = {0};
    static const stet_retention_rule limit = {.keep_events = KEPT};
    static const stet_machine_rule rule = {
        .pattern = "s*", .strategy = STET_STRATEGY_EVENT_SOURCED};
    t->opts.log = hear;
    t->opts.log_ctx = &heard;
    t->opts.rules = &rule;
    t->opts.rule_count = 1;
    t->opts.retention = &limit;
    t->opts.retention_count = 1;
    store_reopen(t);
    write_life(t, "s1");
    write_life(t, "s2");
    write_life(t, "other");
    settle(t);
    assert_int_equal(heard.warnings, 1);
    assert_non_null(strstr(heard.text, "s1"));
    assert_true(is_there(t, "s1", 1));
    assert_true(is_there(t, "s2", 1));
    assert_false(is_there(t, "other", 1));
}

/* Of several rules the first that matches an id is the machine's. */
static void test_the_first_rule_that_matches_decides(void **state)
{
    store_under_test *t = *state;
    stet_error err;
    static const stet_machine_rule rules[] = {
        {.pattern = "bot:keep*", .strategy = STET_STRATEGY_EVENT_SOURCED},
        {.pattern = "bot:*", .strategy = STET_STRATEGY_SNAPSHOT_ONLY},
        {.pattern = "bot:v*", .strategy = STET_STRATEGY_VERSIONED},
        {.ns = 7, .strategy = STET_STRATEGY_VERSIONED},
    };
    t->opts.rules = rules;
    t->opts.rule_count = 4;
    store_reopen(t);
    write_life(t, "bot:keep1");
    write_life(t, "bot:v1");
    write_life(t, "human");
    settle(t);
    assert_true(is_there(t, "bot:keep1", 1));
    assert_false(is_there(t, "bot:v1", 1));
    assert_true(is_there(t, "human", 1));
    const stet_state *s = store_load(t, "bot:v1");
    assert_says(s->version, "");
    stet_state_release(s);
    stet_change c = {.verb = STET_VERB_SAVE,
                     .id = stet_str("x"),
                     .ns = 7,
                     .payload = stet_str("{}")};
    assert_int_equal(store_write(t, &c), 1);
    stet_read_opts o = {.ns = 7};
    assert_status(stet_load(t->s, stet_str("x"), &o, &s, &err), STET_OK, &err);
    assert_says(s->version, "1.0.0");
    stet_state_release(s);
}

/* A version that is given stays, one that is not is the first, for ever. */
static void test_every_state_of_a_versioned_machine_has_one(void **state)
{
    store_under_test *t = *state;
    static const stet_machine_rule rule = {.strategy = STET_STRATEGY_VERSIONED};
    t->opts.rules = &rule;
    t->opts.rule_count = 1;
    store_close(t);
    store_open(t);
    static const stet_verb verbs[] = {STET_VERB_SAVE,       STET_VERB_CREATE,
                                      STET_VERB_TRANSITION, STET_VERB_UPDATE,
                                      STET_VERB_APPEND,     STET_VERB_FAIL};
    for (int i = 0; i < 6; i++) {
        char id[8];
        (void)snprintf(id, sizeof id, "m%d", i);
        stet_change c = {.verb = verbs[i], .id = stet_str(id)};
        c.payload = c.verb == STET_VERB_FAIL ? stet_str("") : stet_str("{}");
        (void)store_write(t, &c);
        const stet_state *s = store_load(t, id);
        assert_says(s->version, "1.0.0");
        stet_state_release(s);
        c = (stet_change){.verb = STET_VERB_SAVE,
                          .id = stet_str(id),
                          .payload = stet_str("{\"a\":1}"),
                          .version = stet_str("2.1.0")};
        (void)store_write(t, &c);
        c.version = stet_str("");
        (void)store_write(t, &c);
        s = store_load(t, id);
        assert_says(s->version, "2.1.0");
        stet_state_release(s);
        s = store_load_at(t, id, at_seq(1));
        assert_says(s->version, "1.0.0");
        stet_state_release(s);
    }
}

/* How often a machine has a base is its rule's to say. */
static void test_bases_come_as_often_as_the_rule_says(void **state)
{
    store_under_test *t = *state;
    static const stet_machine_rule rules[] = {
        {.pattern = "often", .base_events = 5},
        {.pattern = "seldom", .base_events = 25}};
    t->opts.rules = rules;
    t->opts.rule_count = 2;
    t->opts.base_events = 10;
    store_close(t);
    store_open(t);
    static const char *const ids[] = {"often", "usual", "seldom"};
    static const int every[] = {5, 10, 25};
    for (int i = 0; i < 3; i++) {
        stet_error err;
        stet_history *h = NULL;
        const stet_event *e = NULL;
        write_life(t, ids[i]);
        assert_status(stet_history_open(t->s, stet_str(ids[i]), NULL, &h, &err),
                      STET_OK, &err);
        while (stet_history_next(h, &e, &err) == STET_OK) {
            bool is_due = e->seq % (uint64_t)every[i] == 1;
            assert_int_equal((e->flags & STET_EVENT_BASE) != 0, is_due);
        }
        stet_history_close(h);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_EMBEDDED_STORE(test_what_each_strategy_keeps),
        ON_EMBEDDED_STORE(test_a_limit_that_is_not_followed_is_warned_of),
        ON_EMBEDDED_STORE(test_the_first_rule_that_matches_decides),
        ON_BOTH_STORES(test_every_state_of_a_versioned_machine_has_one),
        ON_BOTH_STORES(test_bases_come_as_often_as_the_rule_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
