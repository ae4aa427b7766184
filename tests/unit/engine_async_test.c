/* Writes that nobody waits for: tickets, callbacks, handles of no thread. */
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "engine/handle.h"
#include "lib/store_under_test.h"

static stet_ticket write_async(store_under_test *t, const char *id,
                               stet_written *out)
{
    stet_error err = {0};
    stet_ticket ticket = {0};
    stet_change c = {
        .verb = STET_VERB_APPEND, .id = stet_str(id), .payload = stet_str("p")};
    stet_batch b = {.changes = &c, .change_count = 1};
    assert_status(stet_commit_async(t->s, &b, out, &ticket, &err), STET_OK,
                  &err);
    return ticket;
}

static void reopen_without_threads(store_under_test *t)
{
    store_close(t);
    t->opts.flags = STET_NO_THREADS;
    store_open(t);
}

static void step_until_idle(store_under_test *t)
{
    stet_error err = {0};
    bool is_more = true;
    while (is_more) {
        assert_status(stet_step(t->s, &is_more, &err), STET_OK, &err);
    }
}

/* ---- tickets ---- */

/* The seq is known at once; the rest can be waited or asked for. */
static void test_a_ticket_is_waited_for_or_asked(void **state)
{
    store_under_test *t = *state;
    stet_error err = {0};
    stet_written w = {0};
    for (uint64_t i = 1; i <= 100; i++) {
        stet_ticket ticket = write_async(t, "m", &w);
        assert_int_equal(w.seq, i);
        assert_int_equal(w.position, i);
        assert_int_equal(ticket.seq, i);
        assert_int_equal(ticket.position, i);
        assert_int_equal(ticket.repeat, 0);
        if (i % 10 == 0) {
            assert_status(stet_wait(t->s, ticket, 0, &err), STET_OK, &err);
            assert_int_equal(stet_ticket_status(t->s, ticket), STET_OK);
        }
    }
    assert_status(stet_exists(t->s, stet_str("m"), NULL, &w.seq, &err), STET_OK,
                  &err);
    assert_int_equal(w.seq, 100);
}

/* The handle's own thread gets on with it: nobody need wait or call. */
static void test_a_write_becomes_durable_without_a_wait(void **state)
{
    store_under_test *t = *state;
    stet_ticket last = {0};
    for (int i = 0; i < 50; i++) {
        last = write_async(t, "m", NULL);
    }
    while (stet_ticket_status(t->s, last) == STET_E_BUSY) {
        t->os.yield(&t->os);
    }
    assert_int_equal(stet_ticket_status(t->s, last), STET_OK);
}

/* Two callers, and a thread that cannot be made while both want it. */
typedef struct thread_shortage {
    stet_os os; /* as it was */
    store_under_test *t;
    _Atomic bool is_armed;
    const _Atomic uint32_t *phase; /* the committer's; set before is_short */
    _Atomic bool is_short;
    _Atomic bool is_second_waiting;
    _Atomic bool is_second_done;
    bool was_second_early; /* done before the first had heard of the lack */
    stet_status second;
    stet_ticket ticket;
    uint64_t thread;
} thread_shortage;

static thread_shortage shortage;

static void write_second(void *ctx)
{
    thread_shortage *x = ctx;
    stet_change c = {.verb = STET_VERB_APPEND, .id = stet_str("second")};
    stet_batch b = {.changes = &c, .change_count = 1};
    x->second = stet_commit_async(x->t->s, &b, NULL, &x->ticket, NULL);
    atomic_store(&x->is_second_done, true);
}

static void scarce_wait(stet_os *os, _Atomic uint32_t *word, uint32_t expected,
                        int64_t deadline_ns)
{
    if (atomic_load(&shortage.is_short) && word == shortage.phase) {
        atomic_store(&shortage.is_second_waiting, true);
    }
    shortage.os.futex_wait(os, word, expected, deadline_ns);
}

static int scarce_start(stet_os *os, stet_os_thread_fn fn, void *ctx,
                        uint64_t *out_thread)
{
    thread_shortage *x = &shortage;
    if (!atomic_exchange(&x->is_armed, false)) {
        return x->os.thread_start(os, fn, ctx, out_thread);
    }
    x->phase = &x->t->s->committer_phase;
    atomic_store(&x->is_short, true);
    assert_int_equal(x->os.thread_start(os, write_second, x, &x->thread), 0);
    while (!atomic_load(&x->is_second_waiting) &&
           !atomic_load(&x->is_second_done)) {
        os->yield(os);
    }
    x->was_second_early = atomic_load(&x->is_second_done);
    return -EAGAIN;
}

/* A ticket is a promise that somebody writes: none is given without. */
static void test_no_ticket_is_given_while_nobody_would_lead_it(void **state)
{
    store_under_test *t = *state;
    store_close(t);
    shortage = (thread_shortage){.os = t->os, .t = t};
    t->os.thread_start = scarce_start;
    t->os.futex_wait = scarce_wait;
    store_open(t);
    atomic_store(&shortage.is_armed, true);
    stet_change c = {.verb = STET_VERB_APPEND, .id = stet_str("first")};
    stet_batch b = {.changes = &c, .change_count = 1};
    stet_ticket ticket = {0};
    stet_error err = {0};
    assert_status(stet_commit_async(t->s, &b, NULL, &ticket, &err),
                  STET_E_NOMEM, &err);
    assert_names(&err, "start the committer thread");
    t->os.thread_join(&t->os, shortage.thread);
    assert_false(shortage.was_second_early);
    assert_int_equal(shortage.second, STET_OK);
    while (stet_ticket_status(t->s, shortage.ticket) == STET_E_BUSY) {
        t->os.yield(&t->os);
    }
    assert_int_equal(stet_ticket_status(t->s, shortage.ticket), STET_OK);
    store_claim_missing(t, "first");
}

/* What is not durable is not there, for any way of reading. */
static void test_a_pending_write_is_seen_by_nobody(void **state)
{
    store_under_test *t = *state;
    stet_error err = {0};
    reopen_without_threads(t);
    (void)store_save(t, "m", "1");
    stet_ticket ticket = write_async(t, "m", NULL);
    (void)write_async(t, "new", NULL);
    assert_int_equal(stet_ticket_status(t->s, ticket), STET_E_BUSY);
    const stet_state *got = store_load(t, "m");
    assert_int_equal(got->seq, 1);
    stet_state_release(got);
    store_claim_missing(t, "new");
    store_claim_missing_at(t, "m", at_seq(2));
    store_claim_state_at(t, "m", at_position(2), "1");
    stet_info info = {0};
    assert_status(stet_get_info(t->s, &info, &err), STET_OK, &err);
    assert_int_equal(info.events, 1);
    assert_int_equal(info.machines, 1);
    step_until_idle(t);
    assert_int_equal(stet_ticket_status(t->s, ticket), STET_OK);
    got = store_load(t, "m");
    assert_int_equal(got->seq, 2);
    stet_state_release(got);
    got = store_load(t, "new");
    stet_state_release(got);
}

/* A conflict with a pending write is told only when that one is certain. */
static void test_a_refusal_by_a_pending_write_waits_for_it(void **state)
{
    store_under_test *t = *state;
    stet_error err = {0};
    reopen_without_threads(t);
    stet_ticket ticket = write_async(t, "m", NULL);
    assert_int_equal(stet_ticket_status(t->s, ticket), STET_E_BUSY);
    assert_status(
        stet_create(t->s, stet_str("m"), stet_str("x"), NULL, NULL, &err),
        STET_E_EXISTS, &err);
    assert_int_equal(stet_ticket_status(t->s, ticket), STET_OK);
}

static void hear_nothing(void *ctx, stet_ticket ticket, stet_status st)
{
    (void)ctx;
    (void)ticket;
    (void)st;
}

/* A ticket that no write gave is never durable, and no reason to wait. */
static void test_a_ticket_of_no_write_is_refused(void **state)
{
    store_under_test *t = *state;
    stet_error err = {0};
    stet_ticket real = write_async(t, "m", NULL);
    const uint64_t positions[] = {real.position + 1, UINT64_MAX};
    for (size_t i = 0; i < sizeof positions / sizeof positions[0]; i++) {
        stet_ticket none = {.position = positions[i]};
        assert_status(stet_wait(t->s, none, 0, &err), STET_E_INVALID, &err);
        assert_names(&err, "ticket");
        assert_int_equal(stet_ticket_status(t->s, none), STET_E_INVALID);
        assert_status(stet_on_durable(t->s, none, hear_nothing, NULL, &err),
                      STET_E_INVALID, &err);
    }
    /* A zeroed one waits for nothing: "the newest so far" of who wrote none. */
    stet_ticket zero = {0};
    assert_status(stet_wait(t->s, zero, 0, &err), STET_OK, &err);
    assert_int_equal(stet_ticket_status(t->s, zero), STET_OK);
    assert_status(stet_wait(t->s, real, -1, &err), STET_E_INVALID, &err);
    assert_names(&err, "timeout_ns");
    assert_status(stet_on_durable(t->s, real, NULL, NULL, &err), STET_E_INVALID,
                  &err);
    assert_status(stet_wait(t->s, real, INT64_MAX, &err), STET_OK, &err);
    assert_int_equal(stet_poll(t->s), 0);
}

/* Closing a handle loses nothing that was taken. */
static void test_close_finishes_what_is_pending(void **state)
{
    store_under_test *t = *state;
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 20; i++) {
            (void)write_async(t, "m", NULL);
        }
        store_reopen(t);
        const stet_state *got = store_load(t, "m");
        assert_int_equal(got->seq, 20 * (round + 1));
        stet_state_release(got);
        reopen_without_threads(t);
    }
}

/* ---- callbacks ---- */

typedef struct listener {
    store_under_test *t;
    stet_ticket tickets[200];
    stet_status statuses[200];
    size_t count;
    bool writes_more;
} listener;

static void tell(void *ctx, stet_ticket ticket, stet_status st)
{
    listener *told = ctx;
    told->tickets[told->count] = ticket;
    told->statuses[told->count] = st;
    told->count++;
    if (told->writes_more) { /* callbacks may call the library */
        told->writes_more = false;
        (void)store_save(told->t, "from a callback", "x");
    }
}

static bool is_readable(store_under_test *t)
{
    struct pollfd p = {.fd = stet_poll_fd(t->s), .events = POLLIN};
    return poll(&p, 1, 0) == 1;
}

/* An event loop sleeps on the descriptor and calls stet_poll when it wakes. */
static void test_callbacks_come_in_order_from_poll_alone(void **state)
{
    store_under_test *t = *state;
    stet_error err = {0};
    listener told = {.t = t, .writes_more = true};
    stet_ticket tickets[100];
    for (size_t i = 0; i < 100; i++) {
        tickets[i] = write_async(t, i % 3 == 0 ? "a" : "b", NULL);
    }
    for (size_t i = 100; i > 0; i--) { /* asked for in another order */
        assert_status(stet_on_durable(t->s, tickets[i - 1], tell, &told, &err),
                      STET_OK, &err);
    }
    struct pollfd p = {.fd = stet_poll_fd(t->s), .events = POLLIN};
    assert_true(p.fd >= 0);
    while (told.count < 100) {
        assert_int_equal(poll(&p, 1, 10000), 1);
        size_t before = told.count;
        size_t called = stet_poll(t->s);
        assert_int_equal(told.count, before + called);
    }
    for (size_t i = 0; i < 100; i++) {
        assert_int_equal(told.tickets[i].position, tickets[i].position);
        assert_int_equal(told.statuses[i], STET_OK);
    }
    store_claim_state(t, "from a callback", "x");
    assert_int_equal(stet_poll(t->s), 0);
    assert_false(is_readable(t));
}

/* What was due before anybody asked for the descriptor is shown by it, too. */
static void test_the_descriptor_shows_what_is_due_already(void **state)
{
    store_under_test *t = *state;
    stet_error err = {0};
    listener told = {.t = t};
    stet_ticket ticket = write_async(t, "m", NULL);
    assert_status(stet_on_durable(t->s, ticket, tell, &told, &err), STET_OK,
                  &err);
    assert_status(stet_wait(t->s, ticket, 0, &err), STET_OK, &err);
    assert_true(is_readable(t));
    assert_int_equal(stet_poll(t->s), 1);
    assert_false(is_readable(t));
    assert_status(stet_on_durable(t->s, ticket, tell, &told, &err), STET_OK,
                  &err);
    assert_true(is_readable(t)); /* durable already: due at once */
    assert_int_equal(stet_poll(t->s), 1);
    assert_false(is_readable(t));
}

/* Nothing is due while the write is under way. */
static void test_no_callback_comes_before_its_write_is_durable(void **state)
{
    store_under_test *t = *state;
    stet_error err = {0};
    listener told = {.t = t};
    reopen_without_threads(t);
    assert_false(is_readable(t));
    stet_ticket ticket = write_async(t, "m", NULL);
    assert_status(stet_on_durable(t->s, ticket, tell, &told, &err), STET_OK,
                  &err);
    assert_false(is_readable(t));
    assert_int_equal(stet_poll(t->s), 0);
    step_until_idle(t);
    assert_true(is_readable(t));
    assert_int_equal(stet_poll(t->s), 1);
    assert_int_equal(told.tickets[0].position, ticket.position);
}

/* ---- no threads ---- */

/* Without threads the application's steps do all of the work. */
static void test_a_handle_without_threads_lives_by_its_steps(void **state)
{
    store_under_test *t = *state;
    t->opts.segment_bytes = 64 * 1024;
    reopen_without_threads(t);
    stet_error err = {0};
    for (int i = 0; i < 300; i++) {
        stet_ticket ticket = write_async(t, "m", NULL);
        if (i % 3 == 0) {
            bool is_more = true;
            assert_status(stet_step(t->s, &is_more, &err), STET_OK, &err);
            assert_int_equal(stet_ticket_status(t->s, ticket), STET_OK);
        }
        if (i % 50 == 0) {
            step_until_idle(t);
        }
    }
    (void)store_save(t, "m", "end"); /* a synchronous write leads by itself */
    const stet_state *got = store_load(t, "m");
    assert_int_equal(got->seq, 301);
    stet_state_release(got);
    assert_status(stet_sync(t->s, &err), STET_OK, &err);
}

/* A level above the store's own is reached for this write and told. */
static void test_a_write_may_ask_for_more_than_the_stores_level(void **state)
{
    store_under_test *t = *state;
    stet_error err = {0};
    stet_written w = {0};
    stet_write_opts o = {.level = STET_LEVEL_DISK};
    assert_status(stet_save(t->s, stet_str("m"), stet_str("x"), NULL, &w, &err),
                  STET_OK, &err);
    assert_int_equal(w.level, STET_LEVEL_OS);
    assert_status(stet_save(t->s, stet_str("m"), stet_str("x"), &o, &w, &err),
                  STET_OK, &err);
    assert_int_equal(w.level, STET_LEVEL_DISK);
    o.level = STET_LEVEL_MEMORY; /* a lower one is answered at the store's */
    assert_status(stet_save(t->s, stet_str("m"), stet_str("x"), &o, &w, &err),
                  STET_OK, &err);
    assert_int_equal(w.level, STET_LEVEL_OS);
}

/* A store that cannot keep what is asked for says so, and does nothing. */
static void test_no_level_is_promised_that_is_not_reached(void **state)
{
    store_under_test *t = *state;
    stet_error err = {0};
    bool is_memory = !t->is_kept;
    stet_write_opts o = {.level = STET_LEVEL_DISK};
    assert_status(stet_save(t->s, stet_str("m"), stet_str("x"), &o, NULL, &err),
                  is_memory ? STET_E_INVALID : STET_OK, &err);
    if (is_memory) {
        assert_names(&err,
                     "level disk is asked for; this store reaches memory");
    }
    o.level = (stet_level)4;
    assert_status(stet_save(t->s, stet_str("m"), stet_str("y"), &o, NULL, &err),
                  STET_E_INVALID, &err);
    stet_change c = {.verb = STET_VERB_SAVE, .id = stet_str("m")};
    stet_batch b = {.changes = &c, .change_count = 1, .level = STET_LEVEL_DISK};
    stet_ticket ticket = {0};
    assert_status(stet_commit_async(t->s, &b, NULL, &ticket, &err),
                  STET_E_INVALID, &err);
    assert_names(&err, "level disk");
    if (is_memory) {
        store_claim_missing(t, "m");
    } else {
        store_claim_state(t, "m", "x");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_BOTH_STORES(test_a_ticket_is_waited_for_or_asked),
        ON_BOTH_STORES(test_a_write_becomes_durable_without_a_wait),
        ON_BOTH_STORES(test_no_ticket_is_given_while_nobody_would_lead_it),
        ON_BOTH_STORES(test_a_pending_write_is_seen_by_nobody),
        ON_BOTH_STORES(test_a_refusal_by_a_pending_write_waits_for_it),
        ON_BOTH_STORES(test_a_ticket_of_no_write_is_refused),
        ON_EMBEDDED_STORE(test_close_finishes_what_is_pending),
        ON_BOTH_STORES(test_callbacks_come_in_order_from_poll_alone),
        ON_BOTH_STORES(test_the_descriptor_shows_what_is_due_already),
        ON_BOTH_STORES(test_no_callback_comes_before_its_write_is_durable),
        ON_BOTH_STORES(test_a_handle_without_threads_lives_by_its_steps),
        ON_EMBEDDED_STORE(test_a_write_may_ask_for_more_than_the_stores_level),
        ON_BOTH_STORES(test_no_level_is_promised_that_is_not_reached),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
