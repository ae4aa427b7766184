/*
 * Feeds: every event once, in order of position, whoever writes or settles
 * meanwhile; and nothing that is not durable.
 */
#include <inttypes.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "engine/handle.h"
#include "lib/store_under_test.h"

enum {
    WRITERS = 4,
    ROUNDS = 150,
};

static stet_feed *open_feed(store_under_test *t, const stet_feed_opts *opts)
{
    stet_error err;
    stet_feed *feed = NULL;
    assert_status(stet_feed_open(t->s, opts, &feed, &err), STET_OK, &err);
    return feed;
}

static const stet_event *next_of(stet_feed *feed)
{
    stet_error err;
    const stet_event *event = NULL;
    assert_status(stet_feed_next(feed, 0, &event, &err), STET_OK, &err);
    return event;
}

static void claim_none(stet_feed *feed, stet_status status)
{
    stet_error err;
    const stet_event *event = NULL;
    assert_status(stet_feed_next(feed, 0, &event, &err), status, &err);
    assert_null(event);
}

static void claim_next(stet_feed *feed, uint64_t position, const char *id,
                       uint64_t seq)
{
    const stet_event *event = next_of(feed);
    assert_int_equal(event->position, position);
    assert_says(event->state_machine_id, id);
    assert_int_equal(event->seq, seq);
    assert_int_equal(event->flags & (STET_EVENT_GONE | STET_EVENT_ERASED), 0);
}

/* Those that are there come first, then each as it is written. */
static void test_it_catches_up_and_goes_on(void **state)
{
    store_under_test *t = *state;
    store_save(t, "a", "1");
    store_save(t, "b", "1");
    stet_feed *feed = open_feed(t, NULL);
    claim_next(feed, 1, "a", 1);
    claim_next(feed, 2, "b", 1);
    claim_none(feed, STET_E_TIMEOUT);
    store_save(t, "a", "2");
    claim_next(feed, 3, "a", 2);
    claim_none(feed, STET_E_TIMEOUT);
    assert_int_equal(stet_feed_position(feed), 4);
    stet_feed_close(feed);
}

/* A cursor kept elsewhere loses and repeats nothing. */
static void test_it_goes_on_where_another_stood(void **state)
{
    store_under_test *t = *state;
    for (int i = 0; i < 5; i++) {
        store_save(t, i % 2 == 0 ? "a" : "b", "x");
    }
    stet_feed *feed = open_feed(t, &(stet_feed_opts){.pattern = stet_str("a")});
    claim_next(feed, 1, "a", 1);
    stet_feed_opts opts = {.from_position = stet_feed_position(feed),
                           .pattern = stet_str("a")};
    stet_feed_close(feed);
    feed = open_feed(t, &opts);
    claim_next(feed, 3, "a", 2);
    claim_next(feed, 5, "a", 3);
    claim_none(feed, STET_E_TIMEOUT);
    stet_feed_close(feed);
}

/* What the store writes for itself is none of a user's events. */
static void
test_it_gives_what_was_asked_for_and_nothing_of_the_stores(void **state)
{
    store_under_test *t = *state;
    stet_error err;
    stet_change other = {.verb = STET_VERB_SAVE,
                         .ns = STET_NAMESPACE_MAX,
                         .id = stet_str("a"),
                         .payload = stet_str("x")};
    store_save(t, "a", "x");
    assert_status(stet_checkpoint_set(t->s, stet_str("a"), NULL, NULL, &err),
                  STET_OK, &err);
    store_write(t, &other);
    other.verb = STET_VERB_DELETE;
    other.payload = stet_slice_of(NULL, 0);
    store_write(t, &other);
    stet_feed *all =
        open_feed(t, &(stet_feed_opts){.flags = STET_FEED_ALL_NAMESPACES});
    stet_feed *one = open_feed(t, &(stet_feed_opts){.ns = STET_NAMESPACE_MAX});
    stet_feed *deleted =
        open_feed(t, &(stet_feed_opts){.ns = STET_NAMESPACE_MAX,
                                       .kinds = 1u << STET_EVENT_DELETED});
    stet_feed *live =
        open_feed(t, &(stet_feed_opts){.flags = STET_FEED_FROM_END});
    claim_next(all, 1, "a", 1);
    claim_next(all, 3, "a", 1);
    claim_next(all, 4, "a", 2);
    claim_next(one, 3, "a", 1);
    claim_next(one, 4, "a", 2);
    claim_next(deleted, 4, "a", 2);
    store_save(t, "a", "y");
    claim_next(live, 5, "a", 2);
    stet_feed *feeds[] = {all, one, deleted, live};
    for (size_t i = 0; i < sizeof feeds / sizeof *feeds; i++) {
        if (i == 0) {
            claim_next(all, 5, "a", 2);
        }
        claim_none(feeds[i], STET_E_TIMEOUT);
        stet_feed_close(feeds[i]);
    }
}

/* A feed that cannot keep its promise is not opened. */
static void test_what_makes_no_sense_is_refused(void **state)
{
    store_under_test *t = *state;
    stet_error err;
    stet_feed *feed = NULL;
    store_save(t, "a", "x");
    const stet_feed_opts wrong[] = {
        {.from_position = 3}, /* the next one is 2 */
        {.from_position = 1, .flags = STET_FEED_FROM_END},
        {.flags = 1u << 2},
        {.kinds = 1u << 0},
        {.kinds = 1u << (STET_EVENT_DELETED + 1)},
        {.flags = STET_FEED_ALL_NAMESPACES, .ns = 1},
        {.ns = STET_NAMESPACE_MAX + 1},
        {.pattern = stet_str("[")},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_status(stet_feed_open(t->s, &wrong[i], &feed, &err),
                      STET_E_INVALID, &err);
        assert_null(feed);
    }
    feed = open_feed(t, &(stet_feed_opts){.from_position = 2});
    const stet_event *event = NULL;
    assert_status(stet_feed_next(feed, -1, &event, &err), STET_E_INVALID, &err);
    claim_none(feed, STET_E_TIMEOUT);
    stet_feed_close(feed);
}

/* A gap is seen: what went is told, at its position. */
static void test_what_was_dropped_or_erased_is_told(void **state)
{
    store_under_test *t = *state;
    stet_error err;
    const stet_retention_rule keep_one = {.pattern = "a", .keep_events = 1};
    t->opts.retention = &keep_one;
    t->opts.retention_count = 1;
    store_reopen(t);
    for (int i = 0; i < 4; i++) {
        store_save(t, "a", "SECRET-A");
        store_save(t, "b", "SECRET-B");
    }
    assert_status(stet_erase(t->s, stet_str("b"), 0, 2, &err), STET_OK, &err);
    store_reopen(t);
    assert_status(stet_compact(t->s, &err), STET_OK, &err);
    stet_feed *feed = open_feed(t, NULL);
    for (uint64_t position = 1; position <= 8; position++) {
        bool is_a = position % 2 == 1;
        const stet_event *event = next_of(feed);
        assert_int_equal(event->position, position);
        assert_says(event->state_machine_id, is_a ? "a" : "b");
        assert_int_equal(event->seq, (position + 1) / 2);
        assert_int_equal(event->kind, STET_EVENT_SAVED);
        uint32_t lost = event->flags & (STET_EVENT_GONE | STET_EVENT_ERASED);
        if (is_a) {
            assert_int_equal(lost, event->seq < 3 ? STET_EVENT_GONE : 0);
        } else {
            assert_int_equal(lost, event->seq <= 2 ? STET_EVENT_ERASED : 0);
        }
    }
    claim_none(feed, STET_E_TIMEOUT);
    stet_feed_close(feed);
}

/* A write that may yet vanish is not shown, however near it is. */
static void test_nothing_shows_before_it_is_durable(void **state)
{
    store_under_test *t = *state;
    stet_error err;
    stet_ticket ticket = {0};
    store_close(t);
    t->opts.flags = STET_NO_THREADS;
    store_open(t);
    stet_feed *feed = open_feed(t, NULL);
    stet_change change = {
        .verb = STET_VERB_SAVE, .id = stet_str("a"), .payload = stet_str("x")};
    stet_batch batch = {.changes = &change, .change_count = 1};
    assert_status(stet_commit_async(t->s, &batch, NULL, &ticket, &err), STET_OK,
                  &err);
    claim_none(feed, STET_E_TIMEOUT);
    const stet_event *event = NULL;
    assert_status(stet_feed_next(feed, 1000, &event, &err), STET_E_TIMEOUT,
                  &err);
    assert_status(stet_step(t->s, NULL, &err), STET_OK, &err);
    claim_next(feed, 1, "a", 1);
    stet_feed_close(feed);
}

/* Others write what a read-only handle was not opened with. */
static void test_a_readonly_handle_gives_what_it_sees(void **state)
{
    store_under_test *t = *state;
    store_save(t, "a", "x");
    store_close(t);
    t->opts.mode = STET_OPEN_READONLY;
    store_open(t);
    stet_feed *feed = open_feed(t, NULL);
    claim_next(feed, 1, "a", 1);
    claim_none(feed, STET_DONE);
    claim_none(feed, STET_DONE);
    stet_feed_close(feed);
}

/* No wait outlives the hope: a handle that gave up writing says so. */
static void test_a_poisoned_handle_gives_all_and_says_so(void **state)
{
    (void)state;
    store_under_test t;
    stet_error err;
    store_init_simulated(&t);
    store_open(&t);
    store_save(&t, "a", "x");
    stet_feed *feed = open_feed(&t, NULL);
    memdisk_fail_at(t.disk, MEMDISK_WRITE, 1, 5);
    assert_status(
        stet_save(t.s, stet_str("a"), stet_str("y"), NULL, NULL, &err),
        STET_E_UNKNOWN, &err);
    claim_next(feed, 1, "a", 1);
    const stet_event *event = NULL;
    assert_status(stet_feed_next(feed, STET_FEED_FOREVER, &event, &err),
                  STET_E_READONLY, &err);
    assert_names(&err, "earlier write or sync failed");
    stet_feed_close(feed);
    store_abandon(&t);
    store_deinit(&t);
}

/* A read that fails is tried again: it leaves no gap. */
static void test_a_failed_read_is_no_gap(void **state)
{
    (void)state;
    store_under_test t;
    stet_error err;
    store_init_simulated(&t);
    store_open(&t);
    store_save(&t, "a", "x");
    store_save(&t, "b", "x");
    store_reopen(&t); /* sealed: read from the disk */
    assert_status(stet_compact(t.s, &err), STET_OK, &err);
    stet_feed *feed = open_feed(&t, NULL);
    memdisk_fail_at(t.disk, MEMDISK_READ, 1, 5);
    claim_none(feed, STET_E_IO);
    assert_true(memdisk_has_failed(t.disk));
    claim_next(feed, 1, "a", 1);
    claim_next(feed, 2, "b", 1);
    stet_feed_close(feed);
    store_deinit(&t);
}

/* ---- descriptors ---- */

static bool is_readable(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    return poll(&p, 1, 0) == 1;
}

/* An event loop hears of every event, and sleeps where there is none. */
static void test_a_descriptor_turns_readable_with_an_event(void **state)
{
    store_under_test *t = *state;
    store_save(t, "a", "x");
    stet_feed *feed = open_feed(t, NULL);
    stet_feed *other = open_feed(t, NULL);
    int fd = stet_feed_fd(feed);
    assert_true(fd >= 0);
    assert_int_equal(stet_feed_fd(feed), fd);
    assert_true(stet_feed_fd(other) >= 0);
    assert_true(is_readable(fd)); /* it may have one */
    claim_next(feed, 1, "a", 1);
    claim_none(feed, STET_E_TIMEOUT);
    assert_false(is_readable(fd));
    store_save(t, "a", "y");
    assert_true(is_readable(fd));
    claim_next(feed, 2, "a", 2);
    claim_none(feed, STET_E_TIMEOUT);
    assert_false(is_readable(fd));
    stet_feed_close(feed);
    store_save(t, "a", "z");
    assert_true(is_readable(stet_feed_fd(other)));
    stet_feed_close(other);
}

/* ---- threads ---- */

/* A thread that waits in a feed, and what it was told. */
typedef struct waiter {
    stet_feed *feed;
    stet_status status;
    uint64_t position;
} waiter;

static void wait_in_feed(void *ctx)
{
    waiter *w = ctx;
    const stet_event *event = NULL;
    w->status = stet_feed_next(w->feed, STET_FEED_FOREVER, &event, NULL);
    w->position = w->status == STET_OK ? event->position : 0;
}

/* Somebody who waits for ever hears of the next write, and of the end. */
static void
test_a_waiter_wakes_when_something_is_written_or_it_is_stopped(void **state)
{
    store_under_test *t = *state;
    waiter w = {.feed = open_feed(t, NULL)};
    uint64_t thread = 0;
    assert_int_equal(t->os.thread_start(&t->os, wait_in_feed, &w, &thread), 0);
    store_save(t, "a", "x");
    t->os.thread_join(&t->os, thread);
    assert_int_equal(w.status, STET_OK);
    assert_int_equal(w.position, 1);
    assert_int_equal(t->os.thread_start(&t->os, wait_in_feed, &w, &thread), 0);
    stet_feed_stop(w.feed);
    t->os.thread_join(&t->os, thread);
    assert_int_equal(w.status, STET_DONE);
    store_save(t, "a", "y");
    claim_none(w.feed, STET_DONE);
    stet_feed_close(w.feed);
}

/* One of those that write at once. */
typedef struct writer {
    store_under_test *t;
    size_t idx;
    uint64_t thread;
    bool is_right;
} writer;

static void write_own(void *ctx)
{
    writer *w = ctx;
    char id[8];
    (void)snprintf(id, sizeof id, "w%zu", w->idx);
    w->is_right = true;
    for (uint64_t i = 1; i <= ROUNDS; i++) {
        stet_written written = {0};
        stet_status st = stet_append(w->t->s, stet_str(id),
                                     stet_str("some bytes of a payload"), NULL,
                                     &written, NULL);
        w->is_right = w->is_right && st == STET_OK && written.seq == i;
    }
}

/* One that reads along. */
typedef struct follower {
    stet_feed *feed;
    uint64_t thread;
    uint64_t seqs[WRITERS];
    uint64_t last;
    bool is_right;
} follower;

static void follow(void *ctx)
{
    follower *f = ctx;
    f->is_right = true;
    for (int left = WRITERS * ROUNDS; f->is_right && left > 0; left--) {
        const stet_event *e = NULL;
        f->is_right =
            stet_feed_next(f->feed, STET_FEED_FOREVER, &e, NULL) == STET_OK;
        if (!f->is_right) {
            return;
        }
        size_t idx = (size_t)(((const char *)e->state_machine_id.ptr)[1] - '0');
        f->is_right = idx < WRITERS && e->seq == f->seqs[idx] + 1 &&
                      e->position == f->last + 1;
        f->seqs[idx % WRITERS] = e->seq;
        f->last = e->position;
    }
}

static void begin_following(store_under_test *t, follower *f)
{
    f->feed = open_feed(t, NULL);
    assert_int_equal(t->os.thread_start(&t->os, follow, f, &f->thread), 0);
}

static void claim_followed(store_under_test *t, follower *f)
{
    const stet_event *event = NULL;
    t->os.thread_join(&t->os, f->thread);
    assert_true(f->is_right);
    for (size_t i = 0; i < WRITERS; i++) {
        assert_int_equal(f->seqs[i], ROUNDS);
    }
    assert_int_equal(stet_feed_next(f->feed, 0, &event, NULL), STET_E_TIMEOUT);
    stet_feed_close(f->feed);
}

/* Each position once and each machine's seqs without a gap, live or late. */
static void test_there_is_no_gap_beside_writers_and_settling(void **state)
{
    store_under_test *t = *state;
    writer writers[WRITERS];
    follower early = {0};
    follower late = {0};
    store_close(t);
    t->opts.segment_bytes = 16 * 1024;
    t->opts.settle_segments = 2;
    store_open(t);
    begin_following(t, &early);
    for (size_t i = 0; i < WRITERS; i++) {
        writers[i] = (writer){.t = t, .idx = i};
        assert_int_equal(t->os.thread_start(&t->os, write_own, &writers[i],
                                            &writers[i].thread),
                         0);
    }
    t->os.thread_join(&t->os, writers[0].thread);
    begin_following(t, &late);
    for (size_t i = 1; i < WRITERS; i++) {
        t->os.thread_join(&t->os, writers[i].thread);
    }
    for (size_t i = 0; i < WRITERS; i++) {
        assert_true(writers[i].is_right);
    }
    claim_followed(t, &early);
    claim_followed(t, &late);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_BOTH_STORES(test_it_catches_up_and_goes_on),
        ON_BOTH_STORES(test_it_goes_on_where_another_stood),
        ON_BOTH_STORES(
            test_it_gives_what_was_asked_for_and_nothing_of_the_stores),
        ON_BOTH_STORES(test_what_makes_no_sense_is_refused),
        ON_EMBEDDED_STORE(test_what_was_dropped_or_erased_is_told),
        ON_BOTH_STORES(test_nothing_shows_before_it_is_durable),
        ON_EMBEDDED_STORE(test_a_readonly_handle_gives_what_it_sees),
        cmocka_unit_test(test_a_poisoned_handle_gives_all_and_says_so),
        cmocka_unit_test(test_a_failed_read_is_no_gap),
        ON_BOTH_STORES(test_a_descriptor_turns_readable_with_an_event),
        ON_BOTH_STORES(
            test_a_waiter_wakes_when_something_is_written_or_it_is_stopped),
        ON_BOTH_STORES(test_there_is_no_gap_beside_writers_and_settling),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
