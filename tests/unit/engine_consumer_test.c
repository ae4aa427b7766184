/*
 * Named consumers: each event at least once, in order, whatever happens to the
 * process; and one that nobody can deal with stops nobody.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "engine/handle.h"
#include "lib/store_under_test.h"

#define SECOND ((int64_t)1000000000)

static stet_consumer *open_it(store_under_test *t,
                              const stet_consumer_opts *opts)
{
    stet_error err;
    stet_consumer *c = NULL;
    assert_status(stet_consumer_open(t->s, stet_str("mail"), opts, &c, &err),
                  STET_OK, &err);
    return c;
}

static void close_it(stet_consumer *c)
{
    stet_error err;
    assert_status(stet_consumer_close(c, &err), STET_OK, &err);
}

static stet_delivery claim_fetch(stet_consumer *c, uint64_t position,
                                 const char *id, uint32_t attempt)
{
    stet_error err;
    stet_delivery d = {0};
    assert_status(stet_consumer_fetch(c, 0, &d, &err), STET_OK, &err);
    assert_int_equal(d.event->position, position);
    assert_says(d.event->state_machine_id, id);
    assert_int_equal(d.attempt, attempt);
    return d;
}

static void claim_nothing(stet_consumer *c)
{
    stet_error err;
    stet_delivery d = {0};
    assert_status(stet_consumer_fetch(c, 0, &d, &err), STET_E_TIMEOUT, &err);
}

static stet_level ack(stet_consumer *c, uint64_t position)
{
    stet_error err;
    stet_level level = STET_LEVEL_DEFAULT;
    assert_status(stet_consumer_ack(c, position, &level, &err), STET_OK, &err);
    return level;
}

static bool nack(stet_consumer *c, const char *reason)
{
    stet_error err;
    bool is_parked = false;
    assert_status(stet_consumer_nack(c, stet_str(reason), &is_parked, &err),
                  STET_OK, &err);
    return is_parked;
}

/* The one consumer there is; claims that there is one. */
static stet_consumers *look(store_under_test *t, const stet_consumer_info **out)
{
    stet_error err;
    stet_consumers *list = NULL;
    assert_status(stet_consumers_open(t->s, stet_str("mail"), &list, &err),
                  STET_OK, &err);
    assert_status(stet_consumers_next(list, out, &err), STET_OK, &err);
    return list;
}

static void claim_acked(store_under_test *t, uint64_t position)
{
    const stet_consumer_info *info = NULL;
    stet_consumers *list = look(t, &info);
    assert_int_equal(info->acked_position, position);
    stet_consumers_close(list);
}

/* ---- at least once ---- */

/* The heart of it: no event is lost between two who work on them. */
static void test_what_was_not_acknowledged_comes_again(void **state)
{
    store_under_test *t = *state;
    store_save(t, "a", "1");
    store_save(t, "b", "1");
    store_save(t, "a", "2");
    stet_consumer *c = open_it(t, NULL);
    claim_fetch(c, 1, "a", 1);
    claim_fetch(c, 2, "b", 1);
    claim_fetch(c, 3, "a", 1);
    claim_nothing(c);
    assert_int_equal(ack(c, 2), t->is_kept ? STET_LEVEL_OS : STET_LEVEL_MEMORY);
    ack(c, 1); /* told before: changes nothing */
    close_it(c);
    claim_acked(t, 2);
    c = open_it(t, NULL);
    claim_fetch(c, 3, "a", 1);
    ack(c, 3);
    claim_nothing(c);
    close_it(c);
    c = open_it(t, NULL);
    claim_nothing(c);
    close_it(c);
}

/* What it was made for stays with the name. */
static void test_a_consumer_keeps_its_choice_of_events(void **state)
{
    store_under_test *t = *state;
    store_save(t, "a", "1");
    store_save(t, "b", "1");
    stet_change other = {.verb = STET_VERB_SAVE,
                         .ns = 7,
                         .id = stet_str("b"),
                         .payload = stet_str("1")};
    store_write(t, &other);
    stet_consumer_opts all = {.pattern = stet_str("b"),
                              .flags = STET_CONSUMER_ALL_NAMESPACES};
    close_it(open_it(t, &all));
    stet_consumer *c =
        open_it(t, &(stet_consumer_opts){.flags = STET_CONSUMER_EXISTING});
    claim_fetch(c, 2, "b", 1);
    claim_fetch(c, 3, "b", 1);
    claim_nothing(c);
    close_it(c);
    store_save(t, "b", "2");
    stet_error err;
    assert_status(stet_consumer_open(
                      t->s, stet_str("late"),
                      &(stet_consumer_opts){.flags = STET_CONSUMER_FROM_END},
                      &c, &err),
                  STET_OK, &err);
    claim_nothing(c);
    store_save(t, "a", "2");
    assert_int_equal(claim_fetch(c, 7, "a", 1).event->seq, 2);
    close_it(c);
}

/* A power cut takes nothing back that was acknowledged, and gives the rest. */
static void test_a_crash_keeps_what_was_acknowledged(void **state)
{
    (void)state;
    for (unsigned nth = 1;; nth++) {
        store_under_test t;
        stet_error err;
        stet_delivery d = {0};
        uint64_t acked = 0;
        store_init_simulated(&t);
        store_open(&t);
        for (int i = 0; i < 3; i++) {
            store_save(&t, "a", "x");
        }
        stet_consumer *c =
            open_it(&t, &(stet_consumer_opts){.attempts_max = 1});
        memdisk_die_at(t.disk, nth);
        for (int i = 0; i < 3; i++) {
            if (stet_consumer_fetch(c, 0, &d, &err) != STET_OK) {
                break;
            }
            uint64_t position = d.event->position;
            bool is_parked = false;
            stet_status st =
                position == 2
                    ? stet_consumer_nack(c, stet_str("bad"), &is_parked, &err)
                    : stet_consumer_ack(c, position, NULL, &err);
            if (st != STET_OK) {
                break;
            }
            acked = position;
        }
        (void)stet_consumer_close(c, NULL); /* on a dead disk, perhaps */
        bool is_over = !memdisk_is_dead(t.disk);
        store_abandon(&t);
        memdisk_die_at(t.disk, 0);
        memdisk_crash(t.disk, true);
        store_open(&t);
        const stet_consumer_info *info = NULL;
        stet_consumers *list = look(&t, &info);
        /* What was not answered may be there, too: one event more. */
        assert_in_range(info->acked_position, acked, acked + 1);
        assert_int_equal(info->parked_count, info->acked_position >= 2);
        uint64_t left = 3 - info->acked_position;
        stet_consumers_close(list);
        c = open_it(&t, NULL);
        for (uint64_t i = 0; i < left; i++) {
            claim_fetch(c, 4 - left + i, "a", 1);
        }
        claim_nothing(c);
        close_it(c);
        store_deinit(&t);
        if (is_over) {
            break;
        }
    }
}

/* An answer says whether it survives; what is waiting is written in the end. */
static void test_acknowledgements_are_written_together_where_asked(void **state)
{
    store_under_test *t = *state;
    stet_level level = t->is_kept ? STET_LEVEL_OS : STET_LEVEL_MEMORY;
    stet_consumer_opts three = {.acks_a_write = 3};
    for (int i = 0; i < 6; i++) {
        store_save(t, "a", "x");
    }
    stet_consumer *c = open_it(t, &three);
    uint64_t before = stet__watermark(&t->s->pipeline);
    for (uint64_t i = 1; i <= 6; i++) {
        claim_fetch(c, i, "a", 1);
    }
    assert_int_equal(ack(c, 1), STET_LEVEL_MEMORY);
    assert_int_equal(ack(c, 2), STET_LEVEL_MEMORY);
    claim_acked(t, 0);
    assert_int_equal(ack(c, 3), level);
    claim_acked(t, 3);
    ack(c, 4);
    stet_error err;
    assert_status(stet_consumer_flush(c, &err), STET_OK, &err);
    claim_acked(t, 4);
    ack(c, 5);
    close_it(c);
    claim_acked(t, 5);
    assert_int_equal(stet__watermark(&t->s->pipeline), before + 3);
}

/* ---- giving back ---- */

/* It and all behind it wait for the store's clock, also in the next process. */
static void test_what_is_given_back_comes_again_after_the_delay(void **state)
{
    store_under_test *t = *state;
    stet_consumer_opts opts = {.retry_ns = 60 * SECOND};
    store_save(t, "a", "1");
    store_save(t, "b", "1");
    store_save(t, "c", "1");
    stet_consumer *c = open_it(t, &opts);
    claim_fetch(c, 1, "a", 1);
    claim_fetch(c, 2, "b", 1);
    claim_fetch(c, 3, "c", 1);
    ack(c, 1);
    assert_false(nack(c, "no line"));
    claim_nothing(c);
    close_it(c);
    if (t->is_kept) {
        store_reopen(t);
    }
    const stet_consumer_info *info = NULL;
    stet_consumers *list = look(t, &info);
    assert_int_equal(info->acked_position, 1);
    assert_int_equal(info->retry_position, 2);
    assert_int_equal(info->retry_attempts, 1);
    assert_says(info->retry_reason, "no line");
    stet_consumers_close(list);
    c = open_it(t, &opts);
    claim_nothing(c);
    store_advance(t, 60 * SECOND);
    claim_fetch(c, 2, "b", 2);
    claim_fetch(c, 3, "c", 1);
    ack(c, 3);
    close_it(c);
    list = look(t, &info);
    assert_int_equal(info->retry_position, 0);
    assert_int_equal(info->retry_reason.len, 0);
    stet_consumers_close(list);
}

/* A clock that was set back delays nothing for longer than the delay. */
static void test_a_clock_set_back_holds_nothing_up(void **state)
{
    store_under_test *t = *state;
    stet_consumer_opts opts = {.retry_ns = SECOND};
    store_save(t, "a", "1");
    stet_consumer *c = open_it(t, &opts);
    claim_fetch(c, 1, "a", 1);
    assert_false(nack(c, ""));
    store_advance(t, -3600 * SECOND);
    claim_nothing(c);
    store_advance(t, SECOND);
    claim_fetch(c, 1, "a", 2);
    close_it(c);
}

/* Somebody who waits gets it when it is due, not when something is written. */
static void test_who_waits_is_given_what_falls_due(void **state)
{
    store_under_test *t = *state;
    stet_error err;
    stet_delivery d = {0};
    store_save(t, "a", "1");
    stet_consumer *c = open_it(t, &(stet_consumer_opts){.retry_ns = 1000000});
    claim_fetch(c, 1, "a", 1);
    assert_false(nack(c, ""));
    assert_status(stet_consumer_fetch(c, STET_FEED_FOREVER, &d, &err), STET_OK,
                  &err);
    assert_int_equal(d.event->position, 1);
    assert_int_equal(d.attempt, 2);
    close_it(c);
}

/* One bad event does not stop the rest; that it is missing is told. */
static void test_an_event_nobody_can_deal_with_is_parked(void **state)
{
    store_under_test *t = *state;
    stet_error err;
    stet_consumer_opts opts = {.attempts_max = 2, .retry_ns = 1};
    store_save(t, "bad", "1");
    store_save(t, "good", "1");
    store_save(t, "bad", "2");
    stet_consumer *c = open_it(t, &opts);
    claim_fetch(c, 1, "bad", 1);
    assert_false(nack(c, "first"));
    claim_fetch(c, 1, "bad", 2);
    assert_true(nack(c, "it is \"poison\""));
    assert_int_equal(claim_fetch(c, 2, "good", 1).parked_position, 0);
    assert_int_equal(claim_fetch(c, 3, "bad", 1).parked_position, 1);
    ack(c, 3);
    close_it(c);
    if (t->is_kept) {
        store_reopen(t);
    }
    store_save(t, "bad", "3");
    c = open_it(t, &opts);
    stet_parkeds *list = NULL;
    const stet_parked *parked = NULL;
    assert_status(stet_parkeds_open(t->s, stet_str("mail"), &list, &err),
                  STET_OK, &err);
    assert_status(stet_parkeds_next(list, &parked, &err), STET_OK, &err);
    assert_int_equal(parked->position, 1);
    assert_int_equal(parked->seq, 1);
    assert_int_equal(parked->attempts, 2);
    assert_says(parked->state_machine_id, "bad");
    assert_says(parked->reason, "it is \"poison\"");
    assert_status(stet_parkeds_next(list, &parked, &err), STET_DONE, &err);
    stet_parkeds_close(list);
    uint64_t next = stet__watermark(&t->s->pipeline) - 1;
    assert_int_equal(claim_fetch(c, next, "bad", 1).parked_position, 1);
    assert_status(stet_consumer_release(c, 1, &err), STET_OK, &err);
    assert_status(stet_consumer_release(c, 1, &err), STET_E_NOT_FOUND, &err);
    assert_status(stet_consumer_reset(c, next - 1, &err), STET_OK, &err);
    assert_int_equal(claim_fetch(c, next, "bad", 1).parked_position, 0);
    close_it(c);
}

/* The list has an end; who reaches it is told, and loses nothing. */
static void test_no_more_than_so_many_events_are_parked(void **state)
{
    store_under_test *t = *state;
    stet_error err;
    for (int i = 0; i <= STET_CONSUMER_PARKED_MAX; i++) {
        store_save(t, "a", "x");
    }
    stet_consumer *c = open_it(t, &(stet_consumer_opts){.attempts_max = 1});
    for (uint64_t i = 1; i <= STET_CONSUMER_PARKED_MAX; i++) {
        claim_fetch(c, i, "a", 1);
        assert_true(nack(c, ""));
    }
    uint64_t last = STET_CONSUMER_PARKED_MAX + 1;
    claim_fetch(c, last, "a", 1);
    assert_status(stet_consumer_nack(c, stet_str(""), NULL, &err),
                  STET_E_TOO_LARGE, &err);
    assert_status(stet_consumer_release(c, 5, &err), STET_OK, &err);
    assert_true(nack(c, ""));
    claim_nothing(c);
    close_it(c);
    assert_status(stet_consumer_delete(t->s, stet_str("mail"), &err), STET_OK,
                  &err);
    const stet_consumer_info *info = NULL;
    close_it(open_it(t, NULL));
    stet_consumers *list = look(t, &info);
    assert_int_equal(info->parked_count, 0);
    assert_int_equal(info->acked_position, 0);
    stet_consumers_close(list);
}

/* ---- who may ---- */

/* Two who acknowledged each other's events would lose some. */
static void test_a_consumer_is_one_callers_at_a_time(void **state)
{
    store_under_test *t = *state;
    stet_error err;
    stet_consumer *c = open_it(t, NULL);
    stet_consumer *other = NULL;
    assert_status(
        stet_consumer_open(t->s, stet_str("mail"), NULL, &other, &err),
        STET_E_LOCKED, &err);
    assert_names(&err, "mail");
    assert_status(stet_consumer_delete(t->s, stet_str("mail"), &err),
                  STET_E_LOCKED, &err);
    assert_status(
        stet_consumer_open(t->s, stet_str("mail2"), NULL, &other, &err),
        STET_OK, &err);
    close_it(other);
    close_it(c);
    close_it(open_it(t, NULL));
}

/* Nothing that makes no sense is taken for something else. */
static void test_what_makes_no_sense_is_refused(void **state)
{
    store_under_test *t = *state;
    stet_error err;
    stet_consumer *c = NULL;
    char reason[STET_CONSUMER_REASON_BYTES_MAX + 1];
    memset(reason, 'r', sizeof reason);
    const stet_consumer_opts wrong[] = {
        {.attempts_max = STET_CONSUMER_ATTEMPTS_MAX + 1},
        {.acks_a_write = STET_CONSUMER_ACKS_MAX + 1},
        {.retry_ns = -1},
        {.flags = 1u << 3},
        {.pattern = stet_str("\xff")},
        {.from_position = 9},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_status(
            stet_consumer_open(t->s, stet_str("mail"), &wrong[i], &c, &err),
            STET_E_INVALID, &err);
    }
    stet_consumer_opts existing = {.flags = STET_CONSUMER_EXISTING};
    assert_status(
        stet_consumer_open(t->s, stet_str("mail"), &existing, &c, &err),
        STET_E_NOT_FOUND, &err);
    assert_status(stet_consumer_open(t->s, stet_str(""), NULL, &c, &err),
                  STET_E_INVALID, &err);
    assert_status(stet_consumer_delete(t->s, stet_str("mail"), &err),
                  STET_E_NOT_FOUND, &err);
    uint64_t lag = 0;
    assert_status(stet_consumer_lag(t->s, stet_str("mail"), 0, &lag, &err),
                  STET_E_NOT_FOUND, &err);
    store_save(t, "a", "1");
    c = open_it(
        t, &(stet_consumer_opts){.attempts_max = STET_CONSUMER_ATTEMPTS_MAX,
                                 .acks_a_write = STET_CONSUMER_ACKS_MAX});
    assert_status(stet_consumer_ack(c, 1, NULL, &err), STET_E_INVALID, &err);
    assert_status(stet_consumer_nack(c, stet_str(""), NULL, &err),
                  STET_E_INVALID, &err);
    assert_status(stet_consumer_reset(c, 3, &err), STET_E_INVALID, &err);
    claim_fetch(c, 1, "a", 1);
    assert_status(
        stet_consumer_nack(c, stet_slice_of(reason, sizeof reason), NULL, &err),
        STET_E_INVALID, &err);
    assert_status(stet_consumer_nack(
                      c, stet_slice_of(reason, sizeof reason - 1), NULL, &err),
                  STET_OK, &err);
    close_it(c);
    stet_consumer_opts others = {.pattern = stet_str("b")};
    assert_status(stet_consumer_open(t->s, stet_str("mail"), &others, &c, &err),
                  STET_E_INVALID, &err);
    assert_names(&err, "for other events");
}

/* Who reads only cannot say how far he is: so he does not begin. */
static void test_a_readonly_handle_has_no_consumers_but_lists_them(void **state)
{
    store_under_test *t = *state;
    stet_error err;
    stet_consumer *c = NULL;
    store_save(t, "a", "1");
    store_save(t, "a", "2");
    close_it(open_it(t, NULL));
    store_close(t);
    t->opts.mode = STET_OPEN_READONLY;
    store_open(t);
    assert_status(stet_consumer_open(t->s, stet_str("mail"), NULL, &c, &err),
                  STET_E_READONLY, &err);
    claim_acked(t, 0);
    uint64_t lag = 0;
    assert_status(stet_consumer_lag(t->s, stet_str("mail"), 0, &lag, &err),
                  STET_OK, &err);
    assert_int_equal(lag, 2);
}

/* ---- looking ---- */

/* Operators see who is how far behind; positions are cheap, events exact. */
static void test_the_list_says_how_far_each_one_is(void **state)
{
    store_under_test *t = *state;
    stet_error err;
    stet_consumer *c = NULL;
    const stet_consumer_info *info = NULL;
    stet_consumers *list = NULL;
    stet_consumer_opts opts = {.pattern = stet_str("b*")};
    for (int i = 0; i < 4; i++) {
        store_save(t, i % 2 == 0 ? "a" : "b", "x");
    }
    assert_status(stet_consumer_open(t->s, stet_str("all"), NULL, &c, &err),
                  STET_OK, &err);
    claim_fetch(c, 1, "a", 1);
    ack(c, 1);
    close_it(c);
    close_it(open_it(t, &opts));
    assert_status(stet_consumers_open(t->s, stet_str(""), &list, &err), STET_OK,
                  &err);
    assert_status(stet_consumers_next(list, &info, &err), STET_OK, &err);
    assert_says(info->name, "all");
    assert_int_equal(info->acked_position, 1);
    assert_int_equal(info->positions_behind, 6);
    assert_status(stet_consumers_next(list, &info, &err), STET_OK, &err);
    assert_says(info->name, "mail");
    assert_says(info->pattern, "b*");
    assert_int_equal(info->positions_behind, 7);
    assert_status(stet_consumers_next(list, &info, &err), STET_DONE, &err);
    stet_consumers_close(list);
    uint64_t lag = 0;
    assert_status(stet_consumer_lag(t->s, stet_str("mail"), 0, &lag, &err),
                  STET_OK, &err);
    assert_int_equal(lag, 2);
    assert_status(stet_consumer_lag(t->s, stet_str("all"), 2, &lag, &err),
                  STET_OK, &err);
    assert_int_equal(lag, 2);
}

/* Acknowledging all the time must not keep retention from ever dropping. */
static void test_a_consumer_pins_nothing(void **state)
{
    store_under_test *t = *state;
    store_save(t, "a", "1");
    uint64_t pinned = t->s->pins.last;
    stet_consumer *c = open_it(t, &(stet_consumer_opts){.attempts_max = 1});
    claim_fetch(c, 1, "a", 1);
    assert_true(nack(c, ""));
    store_save(t, "a", "2");
    claim_fetch(c, 5, "a", 1);
    ack(c, 5);
    close_it(c);
    assert_int_equal(t->s->pins.last, pinned);
}

/* ---- threads ---- */

typedef struct waiter {
    stet_consumer *c;
    stet_status status;
} waiter;

static void wait_for_one(void *ctx)
{
    waiter *w = ctx;
    stet_delivery d = {0};
    w->status = stet_consumer_fetch(w->c, STET_FEED_FOREVER, &d, NULL);
}

/* No thread is left behind when a program ends, with or without an event. */
static void
test_a_waiter_wakes_when_something_comes_or_it_is_stopped(void **state)
{
    store_under_test *t = *state;
    stet_error err;
    waiter w = {
        .c = open_it(t, &(stet_consumer_opts){.retry_ns = 3600 * SECOND})};
    uint64_t thread = 0;
    assert_int_equal(t->os.thread_start(&t->os, wait_for_one, &w, &thread), 0);
    store_save(t, "a", "1");
    t->os.thread_join(&t->os, thread);
    assert_int_equal(w.status, STET_OK);
    assert_false(nack(w.c, ""));
    assert_int_equal(t->os.thread_start(&t->os, wait_for_one, &w, &thread), 0);
    stet_consumer_stop(w.c);
    t->os.thread_join(&t->os, thread);
    assert_int_equal(w.status, STET_DONE);
    assert_status(stet_consumer_reset(w.c, 0, &err), STET_OK, &err);
    close_it(w.c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_BOTH_STORES(test_what_was_not_acknowledged_comes_again),
        ON_BOTH_STORES(test_a_consumer_keeps_its_choice_of_events),
        cmocka_unit_test(test_a_crash_keeps_what_was_acknowledged),
        ON_BOTH_STORES(test_acknowledgements_are_written_together_where_asked),
        ON_BOTH_STORES(test_what_is_given_back_comes_again_after_the_delay),
        ON_BOTH_STORES(test_a_clock_set_back_holds_nothing_up),
        ON_BOTH_STORES(test_who_waits_is_given_what_falls_due),
        ON_BOTH_STORES(test_an_event_nobody_can_deal_with_is_parked),
        ON_BOTH_STORES(test_no_more_than_so_many_events_are_parked),
        ON_BOTH_STORES(test_a_consumer_is_one_callers_at_a_time),
        ON_BOTH_STORES(test_what_makes_no_sense_is_refused),
        ON_EMBEDDED_STORE(
            test_a_readonly_handle_has_no_consumers_but_lists_them),
        ON_BOTH_STORES(test_the_list_says_how_far_each_one_is),
        ON_BOTH_STORES(test_a_consumer_pins_nothing),
        ON_BOTH_STORES(
            test_a_waiter_wakes_when_something_comes_or_it_is_stopped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
