/* The engine over a log whose writes are held back or fail. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine/handle.h"
#include "lib/fakelog.h"
#include "lib/rng.h"
#include "lib/store_under_test.h"

/* A store behind a fake log. */
typedef struct fixture {
    store_under_test *t;
    fakelog log;
} fixture;

/* The handle's own thread stands aside while the log behind it changes. */
static void begin(fixture *x, store_under_test *t)
{
    stet *s = t->s;
    stet_error err = {0};
    x->t = t;
    stet__keeper_stop(s);
    fakelog_wrap(&x->log, &t->os, s->log);
    atomic_store(&s->is_stopping, 0);
    if (s->has_keeper) {
        assert_status(stet__keeper_start(s, &err), STET_OK, &err);
    }
}

static void end(fixture *x)
{
    assert_int_equal(atomic_load(&x->log.broken), 0);
    stet_error err = {0};
    stet *s = x->t->s;
    bool is_poisoned = stet__pipeline_is_poisoned(&s->pipeline);
    x->t->s = NULL;
    assert_status(stet_close(s, &err), is_poisoned ? STET_E_IO : STET_OK, &err);
}

/* Fail the write of the next frame. */
static void fail_next(fixture *x)
{
    atomic_store(&x->log.fails, (uint64_t)1 << atomic_load(&x->log.sealed));
}

/* Hold the write of the next frame back. */
static void hold_next(fixture *x)
{
    atomic_store(&x->log.held, (uint64_t)1 << atomic_load(&x->log.sealed));
}

/* A write on a thread of its own. */
typedef struct writer {
    fixture *x;
    stet_change change;
    stet_slice key;
    uint64_t thread;
    _Atomic uint32_t is_done;
    stet_status st;
    uint64_t watermark; /* when it was answered */
    stet_written out;
} writer;

static void write_it(void *ctx)
{
    writer *w = ctx;
    stet *s = w->x->t->s;
    stet_batch b = {.changes = &w->change, .change_count = 1, .key = w->key};
    w->st = stet_commit(s, &b, &w->out, NULL);
    w->watermark = stet__watermark(&s->pipeline);
    atomic_store(&w->is_done, 1);
}

static void start(writer *w, fixture *x, const stet_change *change)
{
    *w = (writer){.x = x, .change = *change, .key = w->key};
    stet_os *os = &x->t->os;
    assert_int_equal(os->thread_start(os, write_it, w, &w->thread), 0);
}

static void join(writer *w)
{
    w->x->t->os.thread_join(&w->x->t->os, w->thread);
}

static stet_change save_of(const char *id, const char *text)
{
    return (stet_change){
        .verb = STET_VERB_SAVE, .id = stet_str(id), .payload = stet_str(text)};
}

/* Let others run for a while; nothing rests on how long. */
static void dally(const fixture *x)
{
    for (int i = 0; i < 200; i++) {
        x->t->os.yield(&x->t->os);
    }
}

/* ---- what may vanish is not told ---- */

static const stet_change create_m = {
    .verb = STET_VERB_CREATE, .id = {"m", 1}, .payload = {"other", 5}};

static const stet_change update_m = {
    .verb = STET_VERB_UPDATE, .id = {"m", 1}, .payload = {"{\"a\":1}", 7}};

/* What is refused because of the state "x" of m, and how. */
static const struct {
    const stet_change *change;
    stet_status st;
} refused[] = {
    {&create_m, STET_E_EXISTS},  /* judged when it is sequenced */
    {&update_m, STET_E_INVALID}, /* when it is prepared */
};

/* Begin a save that stays pending, and behind it what that save refuses. */
static void start_both(fixture *x, writer *first, writer *second, size_t idx)
{
    hold_next(x);
    *first = (writer){0};
    *second = (writer){0};
    stet_change save = save_of("m", "x");
    start(first, x, &save);
    fakelog_await_writing(&x->log, 1);
    start(second, x, refused[idx].change);
    dally(x);
}

/* No answer reveals what may vanish, a refusal neither. */
static void test_a_refusal_waits_for_the_write_it_rests_on(void **state)
{
    fixture x;
    begin(&x, *state);
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        writer first;
        writer second;
        start_both(&x, &first, &second, i);
        assert_int_equal(atomic_load(&second.is_done), 0);
        fakelog_let_go(&x.log, UINT64_MAX);
        join(&first);
        join(&second);
        assert_int_equal(first.st, STET_OK);
        assert_int_equal(second.st, refused[i].st);
        assert_true(second.watermark > first.out.position);
    }
    end(&x);
}

/*
 * The write it rests on is lost: then the refusal is not true, either. What was
 * refused is not stored, whatever becomes of the other one.
 */
static void test_a_refusal_is_readonly_where_its_reason_was_lost(void **state)
{
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        fixture x;
        begin(&x, *state);
        fail_next(&x);
        writer first;
        writer second;
        start_both(&x, &first, &second, i);
        fakelog_let_go(&x.log, UINT64_MAX);
        join(&first);
        join(&second);
        assert_int_equal(first.st, STET_E_UNKNOWN);
        assert_int_equal(first.out.seq, 0); /* as it was before the call */
        assert_int_equal(second.st, STET_E_READONLY);
        store_claim_missing(x.t, "m");
        end(&x);
        if (i == 0) {
            store_open(x.t);
        }
    }
}

/* The same for a repeat: it may not be told a seq that may vanish. */
static void test_a_repeat_waits_for_the_first_call(void **state)
{
    for (int fails = 0; fails < 2; fails++) {
        fixture x;
        begin(&x, *state);
        hold_next(&x);
        if (fails == 1) {
            fail_next(&x);
        }
        stet_slice key = stet_str(fails == 1 ? "lost" : "kept");
        writer first = {.key = key};
        writer again = {.key = key};
        stet_change save = save_of("m", "x");
        start(&first, &x, &save);
        fakelog_await_writing(&x.log, 1);
        start(&again, &x, &save);
        dally(&x);
        assert_int_equal(atomic_load(&again.is_done), 0);
        fakelog_let_go(&x.log, UINT64_MAX);
        join(&first);
        join(&again);
        assert_int_equal(first.st, fails == 1 ? STET_E_UNKNOWN : STET_OK);
        assert_int_equal(again.st, first.st);
        assert_int_equal(again.out.is_repeat, fails == 0);
        end(&x);
        if (fails == 0) {
            store_open(x.t);
        }
    }
}

/* Readers beside a slow write see what was there before it. */
static void test_readers_do_not_wait_for_writes(void **state)
{
    fixture x;
    begin(&x, *state);
    (void)store_save(x.t, "m", "1");
    hold_next(&x);
    writer w = {0};
    stet_change save = save_of("m", "2");
    start(&w, &x, &save);
    fakelog_await_writing(&x.log, 1);
    store_claim_state(x.t, "m", "1");
    store_claim_state_at(x.t, "m", at_position(2), "1");
    store_claim_missing_at(x.t, "m", at_seq(2));
    fakelog_let_go(&x.log, UINT64_MAX);
    join(&w);
    store_claim_state(x.t, "m", "2");
    end(&x);
}

/* ---- what was prepared for another head ---- */

/* What happens to the machine between preparing and sequencing a write. */
typedef struct intruder {
    fixture *x;
    stet_change change;
} intruder;

static void intrude(void *ctx)
{
    intruder *i = ctx;
    i->x->log.on_room = NULL;
    (void)store_write(i->x->t, &i->change);
}

/* Write `late` to m, which `early` changes after `late` was prepared. */
static void overtake(fixture *x, const stet_change *late,
                     const stet_change *early, const char *after)
{
    stet_change begin_with = save_of("m", "{\"n\":1,\"phase\":\"one\"}");
    (void)store_write(x->t, &begin_with);
    intruder i = {.x = x, .change = *early};
    x->log.on_room = intrude;
    x->log.ctx = &i;
    atomic_store(&x->log.busy, 1);
    (void)store_write(x->t, late);
    assert_null(x->log.on_room);
    store_claim_state(x->t, "m", after);
    const stet_state *got = store_load(x->t, "m");
    store_claim_state_at(x->t, "m", at_seq(got->seq), after);
    stet_state_release(got);
}

/*
 * A record that was made for a state which is no longer the last one would fold
 * to something that nobody wrote.
 */
static void test_what_was_prepared_for_an_old_head_is_made_anew(void **state)
{
    store_under_test *t = *state;
    store_close(t);
    t->opts.flags = STET_NO_THREADS;
    t->opts.base_events = 2;
    store_open(t);
    fixture x;
    begin(&x, t);
    const char *large = "{\"n\":1,\"phase\":\"one\",\"x\":\"................"
                        "..................................................."
                        "\"}";
    const stet_change early[] = {
        save_of("m", "{\"n\":5,\"m\":6,\"phase\":\"one\"}"),
        {.verb = STET_VERB_DELETE, .id = stet_str("m")},
        {.verb = STET_VERB_TRANSITION,
         .id = stet_str("m"),
         .to_state = stet_str("moved")},
    };
    const stet_change late[] = {
        {.verb = STET_VERB_PATCH,
         .id = stet_str("m"),
         .payload = stet_str("[{\"op\":\"add\",\"path\":\"/p\",\"value\":0}]")},
        {.verb = STET_VERB_UPDATE,
         .id = stet_str("m"),
         .payload = stet_str("{\"p\":0}")},
        {.verb = STET_VERB_APPEND, .id = stet_str("m")},
        save_of("m", large),
    };
    const char *after[4][3] = {
        {"{\"n\":5,\"m\":6,\"phase\":\"one\",\"p\":0}", "{\"p\":0}",
         "{\"n\":1,\"phase\":\"one\",\"p\":0}"},
        {"{\"n\":5,\"m\":6,\"phase\":\"one\",\"p\":0}", "{\"p\":0}",
         "{\"n\":1,\"phase\":\"one\",\"p\":0}"},
        {"{\"n\":5,\"m\":6,\"phase\":\"one\"}", "",
         "{\"n\":1,\"phase\":\"one\"}"},
        {large, large, large},
    };
    for (size_t i = 0; i < 4; i++) {
        for (size_t k = 0; k < 3; k++) {
            overtake(&x, &late[i], &early[k], after[i][k]);
        }
    }
    stet_error err = {0};
    stet_verify_report report = {0};
    assert_status(stet_verify(t->s, NULL, NULL, &report, &err), STET_OK, &err);
    end(&x);
}

/* Two merges that both fit alone do not both happen when they do not. */
static void test_a_merge_that_was_overtaken_is_measured_anew(void **state)
{
    store_under_test *t = *state;
    stet_error err = {0};
    store_close(t);
    t->opts.flags = STET_NO_THREADS;
    t->opts.state_bytes_max = 100;
    store_open(t);
    fixture x;
    begin(&x, t);
    static const char first[] = "{\"a\":\"..................................."
                                "...............\"}";
    static const char second[] = "{\"b\":\".................................."
                                 "................\"}";
    stet_change early = {.verb = STET_VERB_UPDATE,
                         .id = stet_str("m"),
                         .payload = stet_str(first)};
    intruder i = {.x = &x, .change = early};
    (void)store_save(t, "m", "{}");
    x.log.on_room = intrude;
    x.log.ctx = &i;
    atomic_store(&x.log.busy, 1);
    assert_status(
        stet_update(t->s, stet_str("m"), stet_str(second), NULL, NULL, &err),
        STET_E_TOO_LARGE, &err);
    assert_null(x.log.on_room);
    store_claim_state(t, "m", first);
    end(&x);
}

/* ---- after a failed write ---- */

typedef struct listener {
    size_t count;
    stet_status statuses[8];
} listener;

static void listen(void *ctx, stet_ticket ticket, stet_status st)
{
    (void)ticket;
    listener *l = ctx;
    l->statuses[l->count++] = st;
}

/* The handle says unknown, then read-only; what is durable it still gives. */
static void test_a_failed_write_stops_writing_and_not_reading(void **state)
{
    fixture x;
    begin(&x, *state);
    stet_error err = {0};
    stet_written w = {0};
    stet_change merge = {.verb = STET_VERB_UPDATE,
                         .id = stet_str("m"),
                         .payload = stet_str("{\"a\":1}")};
    (void)store_save(x.t, "m", "{}");
    (void)store_write(x.t, &merge);
    fail_next(&x);
    assert_status(
        stet_save(x.t->s, stet_str("m"), stet_str("lost"), NULL, &w, &err),
        STET_E_UNKNOWN, &err);
    assert_names(&err, "the test fails this write");
    assert_names(&err, "reopen the store");
    assert_int_equal(err.os_errno, 5);
    assert_status(
        stet_save(x.t->s, stet_str("m"), stet_str("late"), NULL, &w, &err),
        STET_E_READONLY, &err);
    assert_names(&err, "the test fails this write");
    assert_names(&err, "reopen the store");
    assert_int_equal(err.os_errno, 5);
    store_claim_state(x.t, "m", "{\"a\":1}");
    store_claim_missing_at(x.t, "m", at_seq(3));
    stet_info info = {0};
    assert_status(stet_get_info(x.t->s, &info, &err), STET_OK, &err);
    assert_true(info.is_poisoned);
    assert_int_equal(info.events, 2);
    assert_int_not_equal(stet_sync(x.t->s, &err), STET_OK);
    end(&x);
}

/* Whoever did not wait hears of it all the same: by ticket and by callback. */
static void test_lost_tickets_say_unknown(void **state)
{
    fixture x;
    begin(&x, *state);
    stet_error err = {0};
    listener heard = {0};
    stet_ticket tickets[2] = {{0}};
    hold_next(&x);
    fail_next(&x);
    for (size_t i = 0; i < 2; i++) {
        stet_change save = save_of(i == 0 ? "a" : "b", "x");
        stet_batch b = {.changes = &save, .change_count = 1};
        assert_status(stet_commit_async(x.t->s, &b, NULL, &tickets[i], &err),
                      STET_OK, &err);
        assert_status(stet_on_durable(x.t->s, tickets[i], listen, &heard, &err),
                      STET_OK, &err);
    }
    fakelog_await_writing(&x.log, 1);
    assert_int_equal(stet_poll(x.t->s), 0);
    fakelog_let_go(&x.log, UINT64_MAX);
    for (size_t i = 0; i < 2; i++) {
        assert_status(stet_wait(x.t->s, tickets[i], 0, &err), STET_E_UNKNOWN,
                      &err);
        assert_int_equal(stet_ticket_status(x.t->s, tickets[i]),
                         STET_E_UNKNOWN);
    }
    assert_int_equal(stet_poll(x.t->s), 2);
    assert_int_equal(heard.statuses[0], STET_E_UNKNOWN);
    assert_int_equal(heard.statuses[1], STET_E_UNKNOWN);
    end(&x);
}

/* Of many writes each one is told what became of it. */
static void test_save_many_tells_which_are_unknown(void **state)
{
    fixture x;
    begin(&x, *state);
    stet_error err = {0};
    fail_next(&x);
    stet_change c[3] = {save_of("a", "1"), save_of("", "2"), save_of("c", "3")};
    stet_status each[3];
    assert_int_not_equal(stet_save_many(x.t->s, c, 3, NULL, each, &err),
                         STET_OK);
    assert_int_equal(each[0], STET_E_UNKNOWN);
    assert_int_equal(each[1], STET_E_INVALID);
    assert_true(each[2] == STET_E_UNKNOWN || each[2] == STET_E_READONLY);
    end(&x);
}

/* What was durable before a write failed is not called unknown. */
static void test_save_many_tells_which_are_safe(void **state)
{
    store_under_test *t = *state;
    store_close(t);
    t->opts.queue_bytes = 4096; /* so that each goes by itself */
    store_open(t);
    fixture x;
    begin(&x, t);
    stet_error err = {0};
    char text[3001] = ""; /* which does not pack */
    rng r = {1};
    for (size_t i = 0; i + 1 < sizeof text; i++) {
        text[i] = (char)(1 + rng_below(&r, 127));
    }
    atomic_store(&x.log.fails, (uint64_t)2 << atomic_load(&x.log.sealed));
    stet_change c[3] = {save_of("a", text), save_of("b", text),
                        save_of("c", text)};
    stet_status each[3];
    stet_written out[3];
    assert_status(stet_save_many(t->s, c, 3, out, each, &err), STET_E_READONLY,
                  &err);
    assert_int_equal(each[0], STET_OK);
    assert_int_equal(each[1], STET_E_UNKNOWN);
    assert_int_equal(each[2], STET_E_READONLY);
    assert_int_equal(out[0].seq, 1);
    store_claim_state(t, "a", text);
    end(&x);
}

/* A wait may be bounded; the write goes on all the same. */
static void test_a_wait_ends_in_time(void **state)
{
    fixture x;
    begin(&x, *state);
    stet_error err = {0};
    stet_ticket ticket = {0};
    stet_change c = save_of("m", "x");
    stet_batch b = {.changes = &c, .change_count = 1};
    hold_next(&x);
    assert_status(stet_commit_async(x.t->s, &b, NULL, &ticket, &err), STET_OK,
                  &err);
    fakelog_await_writing(&x.log, 1);
    assert_status(stet_wait(x.t->s, ticket, 1, &err), STET_E_TIMEOUT, &err);
    assert_names(&err, "position 1 is not durable yet");
    fakelog_let_go(&x.log, UINT64_MAX);
    assert_status(stet_wait(x.t->s, ticket, INT64_MAX, &err), STET_OK, &err);
    end(&x);
}

/* What is lost is no part of the history that a reopened store goes on with. */
static void test_a_reopened_store_goes_on_after_a_lost_write(void **state)
{
    fixture x;
    begin(&x, *state);
    stet_error err = {0};
    (void)store_save(x.t, "m", "1");
    fail_next(&x);
    assert_status(
        stet_save(x.t->s, stet_str("m"), stet_str("lost"), NULL, NULL, &err),
        STET_E_UNKNOWN, &err);
    end(&x);
    store_open(x.t);
    store_claim_state(x.t, "m", "1");
    assert_int_equal(store_save(x.t, "m", "2"), 2);
    stet_verify_report report = {0};
    assert_status(stet_verify(x.t->s, NULL, NULL, &report, &err), STET_OK,
                  &err);
}

/* ---- after a failed sync ---- */

/* A write that asked for more than the store's level did not get it. */
static void test_a_failed_sync_is_the_answer_of_who_asked_for_disk(void **state)
{
    fixture x;
    begin(&x, *state);
    stet_error err = {0};
    stet_written w = {0};
    stet_write_opts o = {.level = STET_LEVEL_DISK};
    atomic_store(&x.log.sync_fails, 1);
    assert_status(stet_save(x.t->s, stet_str("m"), stet_str("x"), &o, &w, &err),
                  STET_E_UNKNOWN, &err);
    atomic_store(&x.log.sync_fails, 0);
    assert_status(
        stet_save(x.t->s, stet_str("m"), stet_str("x"), NULL, &w, &err),
        STET_E_READONLY, &err);
    assert_status(stet_reindex(x.t->s, NULL, &err), STET_E_READONLY, &err);
    assert_names(&err, "reopen");
    end(&x);
}

/* A repeat that asks for more than the first call did gets it, or is told. */
static void test_a_repeat_that_asks_for_disk_is_synced(void **state)
{
    fixture x;
    begin(&x, *state);
    stet_error err = {0};
    stet_written w = {0};
    stet_write_opts o = {.key = stet_str("k")};
    assert_status(stet_save(x.t->s, stet_str("m"), stet_str("x"), &o, &w, &err),
                  STET_OK, &err);
    o.level = STET_LEVEL_DISK;
    w = (stet_written){0};
    assert_status(stet_save(x.t->s, stet_str("m"), stet_str("x"), &o, &w, &err),
                  STET_OK, &err);
    assert_true(w.is_repeat);
    assert_int_equal(w.level, STET_LEVEL_DISK);
    assert_int_equal(atomic_load(&x.log.syncs), 1);
    (void)store_save(x.t, "m", "y");
    atomic_store(&x.log.sync_fails, 1);
    w = (stet_written){0};
    assert_status(stet_save(x.t->s, stet_str("m"), stet_str("x"), &o, &w, &err),
                  STET_E_UNKNOWN, &err);
    assert_int_equal(w.seq, 0);
    atomic_store(&x.log.sync_fails, 0);
    end(&x);
}

/* A full disk is no fault: the write is refused, and the next one may pass. */
static void test_a_full_disk_refuses_and_forgets(void **state)
{
    store_under_test *t = *state;
    store_close(t);
    t->opts.segment_bytes = 64 * 1024;
    t->opts.flags = STET_NO_THREADS;
    store_open(t);
    fixture x;
    begin(&x, t);
    stet_error err = {0};
    atomic_store(&x.log.room_status, STET_E_NOSPACE);
    stet_status st = STET_OK;
    uint64_t count = 0;
    for (; st == STET_OK && count < 200; count++) {
        st = stet_append(t->s, stet_str("m"), stet_str("p"), NULL, NULL, &err);
    }
    assert_status(st, STET_E_NOSPACE, &err);
    assert_status(
        stet_append(t->s, stet_str("new"), stet_str("p"), NULL, NULL, &err),
        STET_E_NOSPACE, &err);
    store_claim_missing(t, "new");
    atomic_store(&x.log.room_status, STET_OK);
    stet_written w = {0};
    assert_status(
        stet_append(t->s, stet_str("m"), stet_str("p"), NULL, &w, &err),
        STET_OK, &err);
    assert_int_equal(w.seq, count);
    end(&x);
}

/* Break or mend all files whose names end so. */
static void break_files(memdisk *disk, const char *suffix, size_t bytes)
{
    const char *names[100];
    size_t count = memdisk_names(disk, names, 100);
    for (size_t i = 0; i < count; i++) {
        if (strstr(names[i], suffix) != NULL) {
            memdisk_break(disk, names[i], 0, bytes);
        }
    }
}

/* A file that cannot be read just now is no reason to stop writing. */
static void test_a_failed_read_in_compacting_poisons_nothing(void **state)
{
    (void)state;
    store_under_test t = {0};
    stet_error err = {0};
    store_init_simulated(&t);
    t.opts.segment_bytes = 16384;
    store_open(&t);
    for (int i = 0; i < 20; i++) {
        assert_status(
            stet_append(t.s, stet_str("m"), stet_str("p"), NULL, NULL, &err),
            STET_OK, &err);
    }
    store_reopen(&t);
    break_files(t.disk, ".seg", 16384);
    assert_status(stet_compact(t.s, &err), STET_E_IO, &err);
    break_files(t.disk, ".seg", 0);
    assert_status(
        stet_append(t.s, stet_str("m"), stet_str("p"), NULL, NULL, &err),
        STET_OK, &err);
    assert_status(stet_compact(t.s, &err), STET_OK, &err);
    store_deinit(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_BOTH_STORES(test_a_refusal_waits_for_the_write_it_rests_on),
        ON_BOTH_STORES(test_a_refusal_is_readonly_where_its_reason_was_lost),
        ON_BOTH_STORES(test_a_repeat_waits_for_the_first_call),
        ON_BOTH_STORES(test_readers_do_not_wait_for_writes),
        ON_BOTH_STORES(test_what_was_prepared_for_an_old_head_is_made_anew),
        ON_BOTH_STORES(test_a_merge_that_was_overtaken_is_measured_anew),
        ON_BOTH_STORES(test_a_failed_write_stops_writing_and_not_reading),
        ON_BOTH_STORES(test_lost_tickets_say_unknown),
        ON_BOTH_STORES(test_save_many_tells_which_are_unknown),
        ON_BOTH_STORES(test_save_many_tells_which_are_safe),
        ON_EMBEDDED_STORE(test_a_reopened_store_goes_on_after_a_lost_write),
        ON_EMBEDDED_STORE(
            test_a_failed_sync_is_the_answer_of_who_asked_for_disk),
        ON_EMBEDDED_STORE(test_a_repeat_that_asks_for_disk_is_synced),
        ON_BOTH_STORES(test_a_wait_ends_in_time),
        ON_BOTH_STORES(test_a_full_disk_refuses_and_forgets),
        cmocka_unit_test(test_a_failed_read_in_compacting_poisons_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
