#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "lib/failalloc.h"
#include "lib/memdisk.h"
#include "lib/rounds.h"
#include "lib/store_under_test.h"

enum {
    EVENTS = 40, /* of a machine: save, then merges */
    KEPT = 5,
};

static const stet_retention_rule keep_few = {.keep_events = KEPT};

/* What each merge writes: one member more, so each state tells all before. */
static void write_events(store_under_test *t, const char *id, int from, int to)
{
    for (int i = from; i <= to; i++) {
        char json[64];
        (void)snprintf(json, sizeof json, "{\"m%d\":%d}", i, i);
        stet_change change = {
            .verb = i == 1 ? STET_VERB_SAVE : STET_VERB_UPDATE,
            .id = stet_str(id),
            .payload = stet_str(json),
        };
        assert_int_equal(store_write(t, &change), i);
    }
}

static const char *state_text(int seq)
{
    static char text[EVENTS * 16];
    size_t used = 0;
    for (int i = 1; i <= seq; i++) {
        used += (size_t)snprintf(text + used, sizeof text - used,
                                 "%s\"m%d\":%d", i == 1 ? "{" : ",", i, i);
    }
    (void)snprintf(text + used, sizeof text - used, "}");
    return text;
}

static void claim_there(store_under_test *t, const char *id, int seq)
{
    store_claim_state_at(t, id, at_seq((uint64_t)seq), state_text(seq));
}

static void claim_lost(store_under_test *t, const char *id, int seq,
                       stet_status status, const char *next)
{
    stet_error err;
    const stet_state *state = NULL;
    stet_read_opts opts = {.at = at_seq((uint64_t)seq)};
    assert_status(stet_load(t->s, stet_str(id), &opts, &state, &err), status,
                  &err);
    char text[64];
    (void)snprintf(text, sizeof text, "seq %d of %s was", seq, id);
    assert_names(&err, text);
    assert_names(&err, next);
}

static void settle_with(store_under_test *t, const stet_retention_rule *rule)
{
    stet_error err;
    t->opts.retention = rule;
    t->opts.retention_count = rule == NULL ? 0 : 1;
    store_reopen(t);
    assert_status(stet_compact(t->s, &err), STET_OK, &err);
    assert_status(stet_verify(t->s, NULL, NULL, NULL, &err), STET_OK, &err);
}

static size_t count_events(store_under_test *t, const char *id,
                           uint64_t *out_first)
{
    stet_error err;
    stet_history *h = NULL;
    const stet_event *e = NULL;
    size_t count = 0;
    stet_history_opts opts = {.flags = STET_HISTORY_STATES};
    assert_status(stet_history_open(t->s, stet_str(id), &opts, &h, &err),
                  STET_OK, &err);
    stet_status st = STET_OK;
    while ((st = stet_history_next(h, &e, &err)) == STET_OK) {
        *out_first = count == 0 ? e->seq : *out_first;
        count++;
    }
    assert_status(st, STET_DONE, &err);
    stet_history_close(h);
    return count;
}

/* Whoever asks for nothing loses nothing, however often it is settled. */
static void test_without_a_rule_nothing_goes(void **state)
{
    store_under_test *t = *state;
    uint64_t first = 0;
    write_events(t, "m", 1, EVENTS);
    for (int i = 0; i < 2; i++) {
        settle_with(t, NULL);
        for (int seq = 1; seq <= EVENTS; seq++) {
            claim_there(t, "m", seq);
        }
        assert_int_equal(count_events(t, "m", &first), EVENTS);
    }
}

/* What is kept is exact, what is not says so, and where history begins. */
static void test_events_behind_the_newest_go(void **state)
{
    store_under_test *t = *state;
    uint64_t first = 0;
    write_events(t, "m", 1, EVENTS);
    settle_with(t, &keep_few);
    for (int i = 0; i < 2; i++) {
        for (int seq = 1; seq < EVENTS - KEPT; seq++) {
            claim_lost(t, "m", seq, STET_E_GONE, "after it is 35");
        }
        for (int seq = EVENTS - KEPT; seq <= EVENTS; seq++) {
            claim_there(t, "m", seq);
        }
        assert_int_equal(count_events(t, "m", &first), KEPT + 1);
        assert_int_equal(first, EVENTS - KEPT);
        settle_with(t, NULL); /* gone is gone */
    }
    write_events(t, "m", EVENTS + 1, EVENTS + 10);
    settle_with(t, &keep_few);
    claim_lost(t, "m", EVENTS, STET_E_GONE, "after it is 45");
    claim_there(t, "m", EVENTS + 5);
}

/* By time, too, the answer is the event that was there then, or GONE. */
static void test_no_neighbour_answers_for_what_is_gone(void **state)
{
    store_under_test *t = *state;
    stet_error err;
    int64_t times[EVENTS + 1];
    for (int i = 1; i <= EVENTS; i++) {
        write_events(t, "m", i, i);
        times[i] = store_now(t);
        store_advance(t, 1000000);
    }
    settle_with(t, &keep_few);
    for (int i = 1; i <= EVENTS; i++) {
        const stet_state *s = NULL;
        stet_read_opts opts = {.at = at_time(times[i])};
        stet_status st = stet_load(t->s, stet_str("m"), &opts, &s, &err);
        assert_status(st, i < EVENTS - KEPT ? STET_E_GONE : STET_OK, &err);
        if (st == STET_OK) {
            assert_says(s->state_data, state_text(i));
            stet_state_release(s);
        }
        opts.at = at_recorded(times[i]);
        st = stet_load(t->s, stet_str("m"), &opts, &s, &err);
        assert_status(st, i < EVENTS - KEPT ? STET_E_GONE : STET_OK, &err);
        if (st == STET_OK) {
            stet_state_release(s);
        }
    }
}

/* Old events go by when they were recorded. */
static void test_old_events_go(void **state)
{
    store_under_test *t = *state;
    const int64_t day = (int64_t)86400 * 1000000000;
    stet_retention_rule rule = {.keep_ns = day, .pattern = "m*"};
    write_events(t, "m", 1, 20);
    write_events(t, "n", 1, 20);
    store_advance(t, 2 * day);
    write_events(t, "m", 21, EVENTS);
    settle_with(t, &rule);
    claim_lost(t, "m", 20, STET_E_GONE, "after it is 21");
    claim_there(t, "m", 21);
    claim_there(t, "n", 1);
    store_advance(t, 2 * day);
    settle_with(t, &rule);
    claim_lost(t, "m", EVENTS - 1, STET_E_GONE, "after it is 40");
    claim_there(t, "m", EVENTS);
}

/* A name for a state is a promise that it can be had. */
static void test_checkpoints_pin_what_they_name(void **state)
{
    store_under_test *t = *state;
    stet_error err;
    write_events(t, "m", 1, 20);
    stet_checkpoint_opts opts = {.name = stet_str("seven"), .at = at_seq(7)};
    assert_status(stet_checkpoint_set(t->s, stet_str("m"), &opts, NULL, &err),
                  STET_OK, &err);
    opts = (stet_checkpoint_opts){.name = stet_str("all")};
    assert_status(stet_checkpoint_set(t->s, stet_str(""), &opts, NULL, &err),
                  STET_OK, &err);
    write_events(t, "m", 21, EVENTS);
    settle_with(t, &keep_few);
    claim_lost(t, "m", 6, STET_E_GONE, "after it is 7");
    claim_there(t, "m", 7);
    claim_lost(t, "m", 8, STET_E_GONE, "after it is 20");
    claim_there(t, "m", 20);
    store_claim_state_at(t, "m", at_name("seven"), state_text(7));
    store_claim_state_at(t, "m", at_name("all"), state_text(20));
    assert_status(
        stet_checkpoint_delete(t->s, stet_str("m"), 0, stet_str("seven"), &err),
        STET_OK, &err);
    settle_with(t, &keep_few);
    claim_lost(t, "m", 7, STET_E_GONE, "after it is 20");
}

static void fork_at(store_under_test *t, const char *parent, const char *id,
                    uint64_t seq, stet_status status)
{
    stet_error err;
    stet_fork_opts opts = {.at = at_seq(seq)};
    assert_status(
        stet_fork(t->s, stet_str(parent), stet_str(id), &opts, NULL, &err),
        status, &err);
}

/* A fork's history is its own to keep, also what it shares. */
static void test_forks_keep_what_they_share(void **state)
{
    store_under_test *t = *state;
    stet_retention_rule rules[] = {{.pattern = "m", .keep_events = KEPT},
                                   {.pattern = "few", .keep_events = 2}};
    write_events(t, "m", 1, 30);
    fork_at(t, "m", "all", 10, STET_OK);
    fork_at(t, "m", "few", 20, STET_OK);
    write_events(t, "m", 31, EVENTS);
    t->opts.retention = rules;
    t->opts.retention_count = 2;
    for (int i = 0; i < 2; i++) {
        stet_error err;
        store_reopen(t);
        assert_status(stet_compact(t->s, &err), STET_OK, &err);
        assert_status(stet_verify(t->s, NULL, NULL, NULL, &err), STET_OK, &err);
        for (int seq = 1; seq <= 10; seq++) {
            claim_there(t, "all", seq);
            claim_there(t, "m", seq);
        }
        claim_lost(t, "m", 11, STET_E_GONE, "after it is 19");
        claim_lost(t, "few", 18, STET_E_GONE, "after it is 19");
        claim_there(t, "few", 19);
        claim_there(t, "few", 20);
        claim_lost(t, "m", 21, STET_E_GONE, "after it is 35");
        store_claim_state(t, "all", state_text(10));
        store_claim_state(t, "few", state_text(20));
        fork_at(t, "m", "late", 25, STET_E_GONE);
    }
}

/* A hold beats every rule, and erasing. */
static void test_a_hold_keeps_everything(void **state)
{
    store_under_test *t = *state;
    stet_error err;
    const stet_hold *hold = NULL;
    stet_holds *list = NULL;
    write_events(t, "m", 1, EVENTS);
    assert_status(
        stet_hold_set(t->s, stet_str("case \"7\""), stet_str("m"), 0, &err),
        STET_OK, &err);
    assert_status(
        stet_hold_set(t->s, stet_str("case \"7\""), stet_str("m"), 0, &err),
        STET_E_EXISTS, &err);
    assert_status(stet_hold_set(t->s, stet_str("x"), stet_str("none"), 0, &err),
                  STET_E_NOT_FOUND, &err);
    assert_status(stet_erase(t->s, stet_str("m"), 0, 3, &err), STET_E_HELD,
                  &err);
    assert_names(&err, "held by case");
    assert_status(stet_holds_open(t->s, &list, &err), STET_OK, &err);
    assert_status(stet_holds_next(list, &hold, &err), STET_OK, &err);
    assert_says(hold->name, "case \"7\"");
    assert_says(hold->state_machine_id, "m");
    assert_status(stet_holds_next(list, &hold, &err), STET_DONE, &err);
    stet_holds_close(list);
    settle_with(t, &keep_few);
    for (int seq = 1; seq <= EVENTS; seq++) {
        claim_there(t, "m", seq);
    }
    assert_status(stet_hold_release(t->s, stet_str("case \"7\""), &err),
                  STET_OK, &err);
    assert_status(stet_hold_release(t->s, stet_str("case \"7\""), &err),
                  STET_E_NOT_FOUND, &err);
    settle_with(t, &keep_few);
    claim_lost(t, "m", 1, STET_E_GONE, "after it is 35");
}

/* Erased is erased at once, on every way to it, and stays so. */
static void test_what_is_erased_is_not_shown(void **state)
{
    store_under_test *t = *state;
    stet_error err;
    uint64_t first = 0;
    write_events(t, "m", 1, EVENTS);
    fork_at(t, "m", "f", 9, STET_OK);
    assert_status(stet_erase(t->s, stet_str("m"), 0, 10, &err), STET_OK, &err);
    for (int i = 0; i < 3; i++) {
        for (int seq = 1; seq <= 10; seq++) {
            claim_lost(t, "m", seq, STET_E_ERASED, "after it is 11");
        }
        claim_lost(t, "f", 9, STET_E_ERASED, "after it is 10");
        fork_at(t, "m", "late", 10, STET_E_ERASED);
        for (int seq = 11; seq <= EVENTS; seq++) {
            claim_there(t, "m", seq);
        }
        store_claim_state(t, "f", state_text(9));
        assert_int_equal(count_events(t, "m", &first), EVENTS);
        settle_with(t, NULL);
    }
    assert_status(stet_erase(t->s, stet_str("m"), 0, 5, &err), STET_OK, &err);
    claim_lost(t, "m", 10, STET_E_ERASED, "after it is 11");
}

/*
 * A fork in another file is told by the erased event until it is a base of its
 * own: the event waits for that, then it goes for good.
 */
static void test_an_erasure_waits_for_a_fork_in_another_file(void **state)
{
    (void)state;
    static const char json[] = "{\"secret\":1}";
    store_under_test t;
    stet_error err;
    store_init_simulated(&t);
    t.opts.segment_bytes = 16384;
    store_open(&t);
    store_save(&t, "m", json);
    store_save(&t, "m", "{\"n\":2}");
    for (int i = 0; i < 200; i++) {
        store_save(&t, "other", state_text(30));
    }
    assert_status(stet_compact(t.s, &err), STET_OK, &err);
    fork_at(&t, "m", "f", 1, STET_OK);
    assert_status(stet_erase(t.s, stet_str("m"), 0, 1, &err), STET_OK, &err);
    for (int i = 0; i < 3; i++) {
        assert_status(stet_compact(t.s, &err), STET_OK, &err);
        assert_status(stet_verify(t.s, NULL, NULL, NULL, &err), STET_OK, &err);
        claim_lost(&t, "m", 1, STET_E_ERASED, "after it is 2");
        store_claim_state(&t, "m", "{\"n\":2}");
        store_claim_state(&t, "f", json);
    }
    store_deinit(&t);
}

/* An erasure that was refused has hidden nothing. */
static void test_without_memory_nothing_is_erased(void **state)
{
    store_under_test *t = *state;
    failalloc f;
    stet_status st = STET_E_NOMEM;
    failalloc_init(&f, 0);
    t->opts.allocator = failalloc_allocator(&f);
    store_reopen(t);
    write_events(t, "m", 1, 4);
    for (size_t n = 1; st != STET_OK; n++) {
        stet_error err;
        f.nth = f.calls + n;
        f.is_hit = false;
        st = stet_erase(t->s, stet_str("m"), 0, 2, &err);
        f.nth = 0;
        if (st != STET_OK) {
            assert_int_equal(st, STET_E_NOMEM);
            claim_there(t, "m", 1);
        }
    }
    claim_lost(t, "m", 1, STET_E_ERASED, "after it is 3");
    t->opts.allocator = (stet_allocator){0};
    store_reopen(t);
    claim_lost(t, "m", 2, STET_E_ERASED, "after it is 3");
}

typedef struct eraser {
    stet *s;
    uint64_t up_to;
    stet_status status;
    bool is_shown; /* what it was told is erased */
} eraser;

static void *erase_and_look(void *arg)
{
    eraser *e = arg;
    const stet_state *got = NULL;
    stet_read_opts opts = {.at = at_seq(e->up_to)};
    e->status = stet_erase(e->s, stet_str("m"), 0, e->up_to, NULL);
    e->is_shown =
        stet_load(e->s, stet_str("m"), &opts, &got, NULL) != STET_E_ERASED;
    stet_state_release(got);
    return NULL;
}

/* Erasures at one time are each as if alone: the farthest one counts. */
static void test_erasures_at_one_time_add_up(void **state)
{
    enum { THREADS = 8 };
    store_under_test *t = *state;
    pthread_t threads[THREADS];
    eraser erasers[THREADS];
    write_events(t, "m", 1, EVENTS);
    for (uint64_t i = 0; i < THREADS; i++) {
        erasers[i] = (eraser){.s = t->s, .up_to = 1 + i * 5 % THREADS};
        assert_int_equal(
            pthread_create(&threads[i], NULL, erase_and_look, &erasers[i]), 0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(erasers[i].status, STET_OK);
        assert_false(erasers[i].is_shown);
    }
    for (int i = 0; i < 2; i++) {
        claim_lost(t, "m", THREADS, STET_E_ERASED, "after it is 9");
        claim_there(t, "m", THREADS + 1);
        store_reopen(t);
    }
}

/* The history lists an erased event, without what it said. */
static void test_the_history_tells_what_was_erased(void **state)
{
    store_under_test *t = *state;
    stet_error err;
    write_events(t, "m", 1, 4);
    assert_status(stet_erase(t->s, stet_str("m"), 0, 2, &err), STET_OK, &err);
    for (int i = 0; i < 2; i++) {
        stet_history *h = NULL;
        const stet_event *e = NULL;
        stet_history_opts opts = {.flags = STET_HISTORY_STATES};
        assert_status(stet_history_open(t->s, stet_str("m"), &opts, &h, &err),
                      STET_OK, &err);
        for (uint64_t seq = 1; seq <= 4; seq++) {
            bool is_erased = seq <= 2;
            assert_status(stet_history_next(h, &e, &err), STET_OK, &err);
            assert_int_equal(e->seq, seq);
            assert_int_equal((e->flags & STET_EVENT_ERASED) != 0, is_erased);
            assert_int_equal(e->state == NULL, is_erased);
            assert_int_equal(e->payload.len == 0, is_erased);
        }
        stet_history_close(h);
        settle_with(t, NULL);
    }
}

/* The proof of a machine, checked; how many events it is of, and its text. */
static uint64_t prove(store_under_test *t, const char *id, stet_buf *out)
{
    stet_error err;
    stet_proof *proof = NULL;
    stet_slice line = {0};
    stet_chain_head head = {0};
    stet_proof_check *check = NULL;
    stet_status st = STET_OK;
    stet__buf_reset(out);
    assert_status(stet_proof_open(t->s, stet_str(id), 0, &proof, &head, &err),
                  STET_OK, &err);
    assert_status(stet_proof_check_open(NULL, NULL, &check, &err), STET_OK,
                  &err);
    while ((st = stet_proof_next(proof, &line, &err)) == STET_OK) {
        stet__buf_put_slice(out, line);
        assert_status(stet_proof_check_feed(check, line, &err), STET_OK, &err);
    }
    assert_status(st, STET_DONE, &err);
    assert_status(stet_proof_check_finish(check, &err), STET_OK, &err);
    stet_proof_check_close(check);
    stet_proof_close(proof);
    return head.seq;
}

static bool holds(const stet_buf *text, const char *part)
{
    return memmem(text->ptr, text->len, part, strlen(part)) != NULL;
}

static void get_head(store_under_test *t, const char *id, stet_chain_head *out)
{
    stet_error err;
    assert_status(stet_get_chain_head(t->s, stet_str(id), 0, out, &err),
                  STET_OK, &err);
}

/*
 * Whoever wrote down where the chain ended can still prove what is left against
 * it, and reads nothing of what was erased in the proof.
 */
static void test_proofs_outlive_what_is_taken(void **state)
{
    store_under_test *t = *state;
    stet_error err;
    stet_chain_head before;
    stet_chain_head after;
    stet_buf text;
    const char *body = "7b226d33223a337d"; /* {"m3":3} */
    stet__buf_init(&text, &stet__heap);
    write_events(t, "m", 1, EVENTS);
    settle_with(t, NULL);
    get_head(t, "m", &before);
    assert_int_equal(prove(t, "m", &text), EVENTS);
    assert_true(holds(&text, body));
    assert_status(stet_erase(t->s, stet_str("m"), 0, 10, &err), STET_OK, &err);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(prove(t, "m", &text), EVENTS);
        assert_false(holds(&text, body));
        assert_true(holds(&text, "\"commitment\""));
        settle_with(t, NULL);
        get_head(t, "m", &after);
        assert_memory_equal(after.hash, before.hash, sizeof before.hash);
    }
    settle_with(t, &keep_few);
    assert_int_equal(prove(t, "m", &text), EVENTS);
    assert_true(holds(&text, "\"cut\":34"));
    get_head(t, "m", &after);
    assert_memory_equal(after.hash, before.hash, sizeof before.hash);
    stet__buf_deinit(&text);
}

/* What cannot be erased is refused before anything is written. */
static void test_the_newest_state_is_not_erased(void **state)
{
    store_under_test *t = *state;
    stet_error err;
    write_events(t, "m", 1, 5);
    fork_at(t, "m", "f", 3, STET_OK);
    assert_status(stet_erase(t->s, stet_str("m"), 0, 5, &err), STET_E_INVALID,
                  &err);
    assert_status(stet_erase(t->s, stet_str("m"), 0, 0, &err), STET_E_INVALID,
                  &err);
    assert_status(stet_erase(t->s, stet_str("f"), 0, 3, &err), STET_E_INVALID,
                  &err);
    assert_names(&err, "inherited");
    assert_status(stet_erase(t->s, stet_str("x"), 0, 3, &err), STET_E_NOT_FOUND,
                  &err);
    stet_change gone = {.verb = STET_VERB_DELETE, .id = stet_str("m")};
    assert_int_equal(store_write(t, &gone), 6);
    assert_status(stet_erase(t->s, stet_str("m"), 0, 5, &err), STET_OK, &err);
    settle_with(t, NULL);
    claim_lost(t, "m", 5, STET_E_ERASED, "after it is 6");
    store_claim_missing(t, "m");
    stet_change again = {.verb = STET_VERB_UPDATE,
                         .id = stet_str("m"),
                         .payload = stet_str("{\"new\":1}")};
    assert_int_equal(store_write(t, &again), 7);
    store_claim_state(t, "m", "{\"new\":1}");
}

/* The first answer is the answer for ever, also of an event that went. */
static void test_a_repeat_is_answered_though_its_event_is_gone(void **state)
{
    store_under_test *t = *state;
    stet_error err;
    stet_written first = {0};
    stet_written again = {0};
    stet_write_opts opts = {.key = stet_str("once")};
    assert_status(stet_save(t->s, stet_str("m"), stet_str("{\"m1\":1}"), &opts,
                            &first, &err),
                  STET_OK, &err);
    write_events(t, "m", 2, EVENTS);
    settle_with(t, &keep_few);
    claim_lost(t, "m", 1, STET_E_GONE, "after it is 35");
    assert_status(stet_save(t->s, stet_str("m"), stet_str("{\"m1\":1}"), &opts,
                            &again, &err),
                  STET_OK, &err);
    assert_true(again.is_repeat);
    assert_int_equal(again.seq, first.seq);
    assert_int_equal(again.position, first.position);
    assert_status(
        stet_save(t->s, stet_str("m"), stet_str("2"), &opts, NULL, &err),
        STET_E_INVALID, &err);
}

/* Keeps the payload before the last one, too. */
static stet_status keep_two(void *ctx, stet_slice state, stet_slice payload,
                            stet_output *out)
{
    (void)ctx;
    stet_output_put(out, payload);
    if (state.len > 0) {
        stet_output_put(out, stet_str(" "));
        stet_output_put(out, stet_slice_of(state.ptr, 1));
    }
    return STET_OK;
}

static void hear(void *ctx, stet_log_level level, const char *text)
{
    if (level == STET_LOG_WARNING &&
        strstr(text, "nothing is dropped") != NULL) {
        ++*(int *)ctx;
    }
}

/* Who lacks the application's reducer drops nothing, and is told why. */
static void test_what_cannot_be_folded_stays(void **state)
{
    store_under_test *t = *state;
    stet_error err;
    int warnings = 0;
    const stet_reducer_def def = {"two", 1, keep_two, NULL};
    t->opts.reducers = &def;
    t->opts.reducer_count = 1;
    t->opts.log = hear;
    t->opts.log_ctx = &warnings;
    store_reopen(t);
    for (int i = 0; i < EVENTS; i++) {
        char digit[] = {(char)('a' + i % 26), 0};
        stet_change change = {
            .verb = STET_VERB_UPDATE,
            .reducer = STET_REDUCER_CUSTOM,
            .reducer_name = stet_str("two"),
            .reducer_version = 1,
            .id = stet_str("m"),
            .payload = stet_str(digit),
        };
        assert_int_equal(store_write(t, &change), i + 1);
    }
    t->opts.reducer_count = 0;
    t->opts.retention = &keep_few;
    t->opts.retention_count = 1;
    store_reopen(t);
    assert_status(stet_compact(t->s, &err), STET_OK, &err);
    assert_int_equal(warnings, 1);
    t->opts.reducer_count = 1;
    settle_with(t, NULL);
    store_claim_state_at(t, "m", at_seq(2), "b a");
    settle_with(t, &keep_few);
    claim_lost(t, "m", 34, STET_E_GONE, "after it is 35");
    store_claim_state_at(t, "m", at_seq(35), "i h");
    store_claim_state(t, "m", "n m");
}

/* A store that is about to drop events, at rest: a fork keeps some of them. */
static void begin_dropping(store_under_test *t)
{
    store_init_simulated(t);
    store_open(t);
    write_events(t, "m", 1, EVENTS);
    fork_at(t, "m", "f", 10, STET_OK);
    stet_error err;
    assert_status(stet_hold_set(t->s, stet_str("h"), stet_str("f"), 0, &err),
                  STET_OK, &err);
    assert_status(stet_erase(t->s, stet_str("m"), 0, 3, &err), STET_E_HELD,
                  &err);
    assert_status(stet_hold_release(t->s, stet_str("h"), &err), STET_OK, &err);
    assert_status(stet_erase(t->s, stet_str("m"), 0, 7, &err), STET_OK, &err);
    store_close(t);
    t->opts.retention = &keep_few;
    t->opts.retention_count = 1;
}

/* What a rule keeps and what was erased, however far the dropping came. */
static void claim_kept(store_under_test *t)
{
    for (int seq = EVENTS - KEPT; seq <= EVENTS; seq++) {
        claim_there(t, "m", seq);
    }
    claim_lost(t, "f", 7, STET_E_ERASED, "after it is 8");
    claim_there(t, "f", 8);
    claim_there(t, "f", 10);
    store_claim_state(t, "f", state_text(10));
}

static void claim_dropped(store_under_test *t)
{
    claim_kept(t);
    claim_lost(t, "m", 5, STET_E_GONE, "after it is 8");
    claim_lost(t, "m", 34, STET_E_GONE, "after it is 35");
}

/* Without memory nothing goes that is needed, and the next attempt goes on. */
static void test_each_allocation_may_fail(void **state)
{
    (void)state;
    store_under_test t;
    begin_dropping(&t);
    bool is_hit = true;
    for (size_t nth = 1; is_hit; nth++) {
        failalloc f;
        stet_error err;
        failalloc_init(&f, 0);
        stet_allocator real = t.opts.allocator;
        t.opts.allocator = failalloc_allocator(&f);
        store_open(&t);
        f.calls = 0;
        f.nth = nth;
        stet_status st = stet_compact(t.s, &err);
        is_hit = f.is_hit;
        assert_true(st == STET_OK || (is_hit && st == STET_E_NOMEM));
        f.nth = 0;
        claim_kept(&t);
        store_close(&t);
        failalloc_assert_clean(&f);
        t.opts.allocator = real;
    }
    store_open(&t);
    claim_dropped(&t);
    store_deinit(&t);
}

/* What cannot be read or written just now goes later. */
static void test_each_call_may_fail(void **state)
{
    (void)state;
    static const struct {
        memdisk_call call;
        int os_errno;
    } faults[] = {{MEMDISK_READ, EIO},
                  {MEMDISK_WRITE, ENOSPC},
                  {MEMDISK_OPEN, EMFILE},
                  {MEMDISK_SIZE, EIO},
                  {MEMDISK_RANDOM, EIO}};
    store_under_test t;
    begin_dropping(&t);
    memdisk *first = t.disk;
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        bool has_failed = true;
        for (unsigned nth = 1; has_failed; nth += rounds_stride() + nth / 30) {
            stet_error err;
            t.disk = memdisk_copy(first);
            store_open(&t);
            memdisk_fail_at(t.disk, faults[i].call, nth, faults[i].os_errno);
            stet_status st = stet_compact(t.s, &err);
            has_failed = memdisk_has_failed(t.disk);
            memdisk_fail_at(t.disk, faults[i].call, 0, 0);
            assert_true(st == STET_OK || has_failed);
            claim_kept(&t);
            store_reopen(&t);
            assert_status(stet_compact(t.s, &err), STET_OK, &err);
            claim_dropped(&t);
            store_close(&t);
            memdisk_destroy(t.disk);
        }
    }
    t.disk = first;
    store_deinit(&t);
}

/* Compact segments that nobody looked at; false: `nth` was not reached. */
static bool compact_without_memory(size_t nth)
{
    store_under_test t;
    stet_error err;
    failalloc f;
    failalloc_init(&f, 0);
    store_init_simulated(&t);
    t.opts.segment_bytes = 16384;
    t.opts.retention = &keep_few;
    t.opts.retention_count = 1;
    t.opts.allocator = failalloc_allocator(&f);
    store_open(&t);
    write_events(&t, "m", 1, EVENTS);
    fork_at(&t, "m", "f", 10, STET_OK);
    f.calls = 0;
    f.nth = nth;
    stet_status st = stet_compact(t.s, &err);
    bool is_hit = f.is_hit;
    assert_true(st == STET_OK || (is_hit && st == STET_E_NOMEM));
    f.nth = 0;
    assert_status(stet_compact(t.s, &err), STET_OK, &err);
    for (int seq = EVENTS - KEPT; seq <= EVENTS; seq++) {
        claim_there(&t, "m", seq);
    }
    claim_there(&t, "f", 7);
    claim_there(&t, "f", 10);
    claim_lost(&t, "m", 12, STET_E_GONE, "was dropped");
    store_deinit(&t);
    failalloc_assert_clean(&f);
    return is_hit;
}

/* A list that lacks memory is not taken for a list of nothing. */
static void test_a_first_compaction_without_memory_drops_no_more(void **state)
{
    (void)state;
    for (size_t nth = 1; compact_without_memory(nth);) {
        nth++;
    }
}

enum { PINNERS = 2, PINS = 60 };

/* Names and forks what a rule is about to drop. */
typedef struct pinner {
    store_under_test *t;
    int number;
    pthread_t thread;
} pinner;

static void pin_some(pinner *p, int i)
{
    stet *s = p->t->s;
    char name[32];
    stet_error err;
    const stet_state *state = NULL;
    (void)snprintf(name, sizeof name, "p%d-%d", p->number, i);
    uint64_t head = 0;
    assert_int_equal(stet_exists(s, stet_str("m"), NULL, &head, &err), STET_OK);
    stet_at at = at_seq(head > 3 ? head - 3 : 1);
    stet_status st;
    if (i % 2 == 0) {
        stet_fork_opts opts = {.at = at};
        st = stet_fork(s, stet_str("m"), stet_str(name), &opts, NULL, &err);
        if (st == STET_OK) {
            st = stet_load(s, stet_str(name), NULL, &state, &err);
            assert_status(st, STET_OK, &err);
        }
    } else {
        stet_checkpoint_opts opts = {.name = stet_str(name), .at = at};
        st = stet_checkpoint_set(s, stet_str("m"), &opts, NULL, &err);
        if (st == STET_OK) {
            stet_read_opts read = {.at = at_name(name)};
            st = stet_load(s, stet_str("m"), &read, &state, &err);
            assert_status(st, STET_OK, &err);
        }
    }
    stet_state_release(state);
    assert_true(st == STET_OK || st == STET_E_GONE);
}

static void *pin(void *ctx)
{
    pinner *p = ctx;
    for (int i = 0; i < PINS; i++) {
        pin_some(p, i);
    }
    return NULL;
}

/* Whatever was pinned while things were dropped can be had ever after. */
static void test_what_is_pinned_in_time_stays(void **state)
{
    store_under_test *t = *state;
    stet_error err;
    pinner pinners[PINNERS];
    const stet_retention_rule keep_two_events = {.pattern = "m",
                                                 .keep_events = 2};
    t->opts.segment_bytes = 16 * 1024;
    t->opts.settle_segments = 2;
    t->opts.retention = &keep_two_events;
    t->opts.retention_count = 1;
    store_reopen(t);
    write_events(t, "m", 1, 10);
    for (int i = 0; i < PINNERS; i++) {
        pinners[i] = (pinner){.t = t, .number = i};
        assert_int_equal(
            pthread_create(&pinners[i].thread, NULL, pin, &pinners[i]), 0);
    }
    for (int i = 11; i <= EVENTS; i++) {
        write_events(t, "m", i, i);
        assert_status(stet_compact(t->s, &err), STET_OK, &err);
    }
    for (int i = 0; i < PINNERS; i++) {
        assert_int_equal(pthread_join(pinners[i].thread, NULL), 0);
    }
    store_reopen(t);
    assert_status(stet_compact(t->s, &err), STET_OK, &err);
    assert_status(stet_verify(t->s, NULL, NULL, NULL, &err), STET_OK, &err);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_EMBEDDED_STORE(test_without_a_rule_nothing_goes),
        ON_EMBEDDED_STORE(test_events_behind_the_newest_go),
        ON_EMBEDDED_STORE(test_no_neighbour_answers_for_what_is_gone),
        ON_EMBEDDED_STORE(test_old_events_go),
        ON_EMBEDDED_STORE(test_checkpoints_pin_what_they_name),
        ON_EMBEDDED_STORE(test_forks_keep_what_they_share),
        ON_EMBEDDED_STORE(test_a_hold_keeps_everything),
        ON_EMBEDDED_STORE(test_what_is_erased_is_not_shown),
        ON_EMBEDDED_STORE(test_without_memory_nothing_is_erased),
        ON_EMBEDDED_STORE(test_erasures_at_one_time_add_up),
        ON_EMBEDDED_STORE(test_the_history_tells_what_was_erased),
        ON_EMBEDDED_STORE(test_proofs_outlive_what_is_taken),
        ON_EMBEDDED_STORE(test_a_repeat_is_answered_though_its_event_is_gone),
        ON_EMBEDDED_STORE(test_what_cannot_be_folded_stays),
        cmocka_unit_test(test_an_erasure_waits_for_a_fork_in_another_file),
        cmocka_unit_test(test_each_allocation_may_fail),
        cmocka_unit_test(test_a_first_compaction_without_memory_drops_no_more),
        cmocka_unit_test(test_each_call_may_fail),
        ON_EMBEDDED_STORE(test_what_is_pinned_in_time_stays),
        ON_EMBEDDED_STORE(test_the_newest_state_is_not_erased),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
