/* What the cache may keep, and what the queue does when it is full. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "engine/handle.h"
#include "lib/failalloc.h"
#include "lib/rng.h"
#include "lib/store_under_test.h"

enum { MACHINES = 300 };

static const int64_t second = 1000000000;

typedef struct machine_id {
    char text[16];
} machine_id;

static machine_id id_of(size_t n)
{
    machine_id id;
    (void)snprintf(id.text, sizeof id.text, "m%zu", n);
    return id;
}

static stet_metrics metrics_of(store_under_test *t)
{
    stet_metrics m = {.struct_size = sizeof m};
    stet_get_metrics(t->s, &m);
    return m;
}

static void reopen(store_under_test *t)
{
    store_close(t);
    store_open(t);
}

static void save_all(store_under_test *t)
{
    for (size_t i = 0; i < MACHINES; i++) {
        (void)store_save(t, id_of(i).text, "{\"a\":1}");
    }
}

static void load(store_under_test *t, size_t n)
{
    stet_state_release(store_load(t, id_of(n).text));
}

/* ---- limits ---- */

static void claim_refused(store_under_test *t, const char *what)
{
    stet_error err = {0};
    stet *s = NULL;
    assert_status(stet__open_on(&t->os, "memory:", &t->opts, &s, &err),
                  STET_E_INVALID, &err);
    assert_names(&err, what);
}

/* An option has limits, and says so by its name. */
static void test_options_have_limits(void **state)
{
    store_under_test *t = *state;
    t->opts.cache_entries = STET_TABLE_STRIPES - 1;
    claim_refused(t, "cache_entries");
    t->opts.cache_entries = STET_TABLE_STRIPES;
    t->opts.cache_ttl_ns = -1;
    claim_refused(t, "cache_ttl_ns");
    t->opts.cache_ttl_ns = 1;
    t->opts.queue_full = (stet_queue_full)3;
    claim_refused(t, "queue_full");
    t->opts.queue_full = STET_QUEUE_SHED;
    reopen(t);
}

/* However many machines there are, and whatever their size. */
static void test_the_cache_holds_no_more_machines_than_allowed(void **state)
{
    store_under_test *t = *state;
    t->opts.cache_entries = 20;
    t->opts.flags = STET_NO_THREADS;
    reopen(t);
    save_all(t);
    for (size_t i = 0; i < MACHINES; i++) {
        load(t, i);
        assert_true(metrics_of(t).cache_entries <= 20);
    }
    stet_metrics m = metrics_of(t);
    assert_true(m.cache_entries >= 10);
    assert_true(m.evictions >= MACHINES - 20);
}

static _Atomic int64_t clock_now;

static int64_t read_clock(stet_os *os)
{
    (void)os;
    return atomic_load(&clock_now);
}

/* A machine is read again once its time is over; until then it is not. */
static void test_a_machine_leaves_the_cache_when_its_time_is_over(void **state)
{
    store_under_test *t = *state;
    store_close(t);
    t->os.monotonic = read_clock;
    t->opts.cache_ttl_ns = 10 * second;
    t->opts.flags = STET_NO_THREADS;
    store_open(t);
    (void)store_save(t, "m0", "1");
    atomic_fetch_add(&clock_now, 10 * second - 1);
    load(t, 0);
    assert_int_equal(metrics_of(t).cache_misses, 0);
    (void)store_save(t, "m0", "2"); /* a write begins it anew */
    atomic_fetch_add(&clock_now, 10 * second - 1);
    load(t, 0);
    assert_int_equal(metrics_of(t).cache_misses, 0);
    atomic_fetch_add(&clock_now, 1);
    store_claim_state(t, "m0", "2");
    assert_int_equal(metrics_of(t).cache_misses, 1);
    assert_int_equal(metrics_of(t).evictions, 1);
    load(t, 0);
    assert_int_equal(metrics_of(t).cache_misses, 1);
}

/* Off means that each load asks the store, and nothing stays behind. */
static void test_without_a_cache_every_load_reads(void **state)
{
    store_under_test *t = *state;
    t->opts.flags = STET_NO_CACHE | STET_NO_THREADS;
    reopen(t);
    for (int i = 0; i < 5; i++) {
        (void)store_save(t, "m0", i % 2 == 0 ? "even" : "odd");
        store_claim_state(t, "m0", i % 2 == 0 ? "even" : "odd");
        load(t, 0);
    }
    stet_metrics m = metrics_of(t);
    assert_int_equal(m.total_loads, 10);
    assert_int_equal(m.cache_misses, 10);
    assert_int_equal(m.cache_entries, 0);
}

/* ---- what is hot ---- */

static void load_hot(store_under_test *t)
{
    for (size_t i = 0; i < 8; i++) {
        load(t, i);
    }
}

static void read_history(store_under_test *t, size_t n)
{
    stet_error err = {0};
    stet_history_opts opts = {.flags = STET_HISTORY_STATES};
    stet_history *h = NULL;
    const stet_event *e = NULL;
    assert_status(
        stet_history_open(t->s, stet_str(id_of(n).text), &opts, &h, &err),
        STET_OK, &err);
    assert_status(stet_history_next(h, &e, &err), STET_OK, &err);
    stet_history_close(h);
}

/* Reading what is long ago takes nothing from what is needed now. */
static void test_cold_history_never_evicts_what_is_hot(void **state)
{
    store_under_test *t = *state;
    stet_error err = {0};
    t->opts.cache_entries = 64;
    t->opts.flags = STET_NO_THREADS;
    reopen(t);
    save_all(t);
    for (size_t i = 0; i < MACHINES; i++) {
        machine_id id = id_of(i);
        stet_checkpoint_opts name = {.name = stet_str("then")};
        assert_status(
            stet_checkpoint_set(t->s, stet_str(id.text), &name, NULL, &err),
            STET_OK, &err);
    }
    load_hot(t);
    stet_metrics before = metrics_of(t);
    for (size_t i = 8; i < MACHINES; i++) {
        machine_id id = id_of(i);
        stet_state_release(store_load_at(t, id.text, at_seq(1)));
        stet_state_release(store_load_at(t, id.text, at_name("then")));
        read_history(t, i);
        assert_status(stet_exists(t->s, stet_str(id.text), NULL, NULL, &err),
                      STET_OK, &err);
    }
    load_hot(t);
    stet_metrics after = metrics_of(t);
    assert_int_equal(after.evictions, before.evictions);
    assert_int_equal(after.cache_misses, before.cache_misses);
    assert_int_equal(after.cache_hits, before.cache_hits + 8);
}

/* ---- what is true ---- */

static void write_any(store_under_test *t, rng *r, const char *id)
{
    static const stet_verb verbs[] = {STET_VERB_SAVE,    STET_VERB_TRANSITION,
                                      STET_VERB_UPDATE,  STET_VERB_APPEND,
                                      STET_VERB_FAIL,    STET_VERB_DELETE,
                                      STET_VERB_RESTORE, STET_VERB_PATCH};
    char payload[64];
    stet_error err = {0};
    stet_change c = {.id = stet_str(id)};
    c.verb = verbs[rng_below(r, sizeof verbs / sizeof verbs[0])];
    (void)snprintf(payload, sizeof payload, "{\"n\":%zu}", rng_below(r, 1000));
    if (c.verb == STET_VERB_PATCH) {
        (void)snprintf(payload, sizeof payload,
                       "[{\"op\":\"add\",\"path\":\"/p\",\"value\":%zu}]",
                       rng_below(r, 1000));
    }
    if (c.verb == STET_VERB_FAIL) {
        c.error = stet_str("failed");
    } else if (c.verb != STET_VERB_DELETE) {
        c.payload = stet_str(payload);
    }
    stet_batch b = {.changes = &c, .change_count = 1};
    stet_status st = stet_commit(t->s, &b, NULL, &err);
    assert_true(st == STET_OK || st == STET_E_NOT_FOUND ||
                st == STET_E_INVALID);
}

/* The newest state of the cache is the one that the log folds to. */
static void claim_load_is_the_logs(store_under_test *t, const char *id)
{
    stet_error err = {0};
    const stet_state *hot = NULL;
    const stet_state *logged = NULL;
    stet_read_opts now = {.at = at_time(INT64_MAX)};
    stet_status st = stet_load(t->s, stet_str(id), NULL, &hot, &err);
    assert_status(stet_load(t->s, stet_str(id), &now, &logged, &err), st, &err);
    if (st == STET_OK) {
        assert_int_equal(hot->seq, logged->seq);
        assert_int_equal(hot->state_data.len, logged->state_data.len);
        assert_memory_equal(hot->state_data.ptr, logged->state_data.ptr,
                            hot->state_data.len);
        stet_state_release(hot);
        stet_state_release(logged);
    }
}

/* No write leaves an older state behind in a cache of whatever kind. */
static void test_every_write_is_seen_whatever_the_cache(void **state)
{
    store_under_test *t = *state;
    const stet_opts caches[] = {
        {.cache_bytes = 0},
        {.cache_bytes = 4096},
        {.cache_entries = STET_TABLE_STRIPES},
        {.cache_ttl_ns = 1},
        {.flags = STET_NO_CACHE},
    };
    for (size_t i = 0; i < sizeof caches / sizeof caches[0]; i++) {
        rng r = {i};
        t->opts.cache_bytes = caches[i].cache_bytes;
        t->opts.cache_entries = caches[i].cache_entries;
        t->opts.cache_ttl_ns = caches[i].cache_ttl_ns;
        t->opts.flags = caches[i].flags;
        reopen(t);
        for (int n = 0; n < 200; n++) {
            machine_id id = id_of(rng_below(&r, 5));
            write_any(t, &r, id.text);
            claim_load_is_the_logs(t, id.text);
        }
    }
}

/* ---- the queue ---- */

static stet_status write_async(store_under_test *t, stet_error *err)
{
    static const char payload[] = "a hundred bytes or so, of which a queue of "
                                  "a few thousand soon is as full as it gets";
    stet_change c = {.verb = STET_VERB_APPEND,
                     .id = stet_str("m"),
                     .payload = stet_str(payload)};
    stet_batch b = {.changes = &c, .change_count = 1};
    stet_ticket ticket = {0};
    return stet_commit_async(t->s, &b, NULL, &ticket, err);
}

static void reopen_with_queue(store_under_test *t, stet_queue_full full,
                              uint32_t flags)
{
    t->opts.queue_bytes = 8192;
    t->opts.queue_full = full;
    t->opts.flags = flags;
    reopen(t);
}

/* Write until one is refused; gives how many were taken. */
static uint64_t fill_queue(store_under_test *t)
{
    stet_error err = {0};
    uint64_t taken = 0;
    stet_status st = write_async(t, &err);
    for (; st == STET_OK; st = write_async(t, &err)) {
        taken++;
    }
    assert_status(st, STET_E_BUSY, &err);
    assert_names(&err, "queue");
    return taken;
}

static void claim_events(store_under_test *t, uint64_t count)
{
    stet_error err = {0};
    uint64_t seq = 0;
    assert_status(stet_sync(t->s, &err), STET_OK, &err);
    assert_status(stet_exists(t->s, stet_str("m"), NULL, &seq, &err), STET_OK,
                  &err);
    assert_int_equal(seq, count);
}

/* Refused at once and not stored; once there is room it is taken. */
static void test_a_full_queue_refuses_if_told_so(void **state)
{
    store_under_test *t = *state;
    stet_error err = {0};
    reopen_with_queue(t, STET_QUEUE_REFUSE, STET_NO_THREADS);
    uint64_t taken = fill_queue(t);
    stet_metrics m = metrics_of(t);
    assert_true(m.queue_bytes > 8192 / 4 * 3 && m.queue_bytes <= 8192);
    assert_int_equal(m.queue_refused, 1);
    stet_change c = {
        .verb = STET_VERB_APPEND, .id = stet_str("m"), .payload = {0}};
    char large[1000];
    memset(large, 'x', sizeof large);
    c.payload = stet_slice_of(large, sizeof large);
    stet_batch b = {.changes = &c, .change_count = 1};
    assert_status(stet_commit(t->s, &b, NULL, &err), STET_E_BUSY, &err);
    assert_int_equal(metrics_of(t).queue_refused, 2);
    claim_events(t, taken);
    assert_status(write_async(t, &err), STET_OK, &err);
    claim_events(t, taken + 1);
}

/* What nobody waits for goes first; who waits finds room that was left. */
static void test_a_full_queue_sheds_what_nobody_waits_for(void **state)
{
    store_under_test *t = *state;
    reopen_with_queue(t, STET_QUEUE_SHED, STET_NO_THREADS);
    uint64_t taken = fill_queue(t);
    stet_metrics m = metrics_of(t);
    assert_true(m.queue_bytes > 8192 / 2 && m.queue_bytes <= 8192 / 4 * 3);
    (void)store_save(t, "m", "a write that waits");
    assert_int_equal(metrics_of(t).queue_refused, 1);
    claim_events(t, taken + 1);
}

/* By default whoever comes waits, and all of it is stored. */
static void test_a_full_queue_blocks_by_default(void **state)
{
    store_under_test *t = *state;
    stet_error err = {0};
    reopen_with_queue(t, STET_QUEUE_BLOCK, 0);
    for (int i = 0; i < 300; i++) {
        assert_status(write_async(t, &err), STET_OK, &err);
        assert_true(metrics_of(t).queue_bytes <= 8192);
    }
    assert_int_equal(metrics_of(t).queue_refused, 0);
    claim_events(t, 300);
}

typedef struct writer {
    store_under_test *t;
    uint64_t thread;
    uint64_t taken;
    uint64_t refused;
} writer;

static void write_many(void *ctx)
{
    writer *w = ctx;
    for (int i = 0; i < 500; i++) {
        stet_status st = write_async(w->t, NULL);
        w->taken += st == STET_OK;
        w->refused += st == STET_E_BUSY;
    }
}

/* Beside each other: what was taken is stored once, what was refused never. */
static void test_refusals_store_nothing_under_threads(void **state)
{
    store_under_test *t = *state;
    enum { WRITERS = 4 };
    writer writers[WRITERS];
    reopen_with_queue(t, STET_QUEUE_REFUSE, 0);
    for (size_t i = 0; i < WRITERS; i++) {
        writers[i] = (writer){.t = t};
        assert_int_equal(t->os.thread_start(&t->os, write_many, &writers[i],
                                            &writers[i].thread),
                         0);
    }
    uint64_t taken = 0;
    for (size_t i = 0; i < WRITERS; i++) {
        t->os.thread_join(&t->os, writers[i].thread);
        assert_int_equal(writers[i].taken + writers[i].refused, 500);
        taken += writers[i].taken;
    }
    assert_true(taken > 0);
    claim_events(t, taken);
}

/* ---- many at once ---- */

enum { MANY_MAX = 400 };

static _Atomic uint64_t reads;

static int64_t count_read(stet_os *os, int fd, void *ptr, size_t len,
                          uint64_t off)
{
    atomic_fetch_add(&reads, 1);
    return stet__os_posix()->pread(os, fd, ptr, len, off);
}

/* What a call costs, in things that can be counted. */
typedef struct cost {
    uint64_t allocations;
    uint64_t reads;
} cost;

static cost cost_so_far(failalloc *f)
{
    return (cost){atomic_load(&f->calls), atomic_load(&reads)};
}

static cost cost_of_save(store_under_test *t, failalloc *f, size_t count)
{
    static machine_id ids[MANY_MAX];
    static stet_change changes[MANY_MAX];
    stet_error err = {0};
    for (size_t i = 0; i < count; i++) {
        ids[i] = id_of(i);
        changes[i] = (stet_change){.verb = STET_VERB_SAVE,
                                   .id = stet_str(ids[i].text),
                                   .payload = stet_str("{\"a\":1}")};
    }
    cost before = cost_so_far(f);
    assert_status(stet_save_many(t->s, changes, count, NULL, NULL, &err),
                  STET_OK, &err);
    cost after = cost_so_far(f);
    return (cost){after.allocations - before.allocations,
                  after.reads - before.reads};
}

static cost cost_of_load(store_under_test *t, failalloc *f, size_t count)
{
    static machine_id ids[MANY_MAX];
    stet_slice names[MANY_MAX];
    const stet_state *states[MANY_MAX];
    stet_error err = {0};
    for (size_t i = 0; i < count; i++) {
        ids[i] = id_of(i);
        names[i] = stet_str(ids[i].text);
    }
    cost before = cost_so_far(f);
    assert_status(stet_load_many(t->s, names, count, NULL, states, &err),
                  STET_OK, &err);
    cost after = cost_so_far(f);
    for (size_t i = 0; i < count; i++) {
        assert_non_null(states[i]);
        stet_state_release(states[i]);
    }
    return (cost){after.allocations - before.allocations,
                  after.reads - before.reads};
}

/* Have all of it on disk, and nothing in memory; a memory store is as it is. */
static void make_cold(store_under_test *t)
{
    stet_error err = {0};
    if (t->is_kept) {
        store_reopen(t);
        assert_status(stet_compact(t->s, &err), STET_OK, &err);
        store_reopen(t);
    }
}

/* Twice as many cost twice as much, but for what a call costs by itself. */
static void claim_linear(cost half, cost whole)
{
    assert_true(whole.allocations <= 2 * half.allocations + 64);
    assert_true(whole.reads <= 2 * half.reads + 16);
}

/* Work is counted, not timed: for each key the same, cached or not. */
static void test_many_at_once_cost_as_many_times_one(void **state)
{
    store_under_test *t = *state;
    failalloc f;
    failalloc_init(&f, 0);
    store_close(t);
    t->os.pread = count_read;
    t->opts.allocator = failalloc_allocator(&f);
    t->opts.flags = STET_NO_THREADS | STET_NO_CACHE;
    store_open(t);
    (void)cost_of_save(t, &f, MANY_MAX); /* now each id has a history */
    cost half = cost_of_save(t, &f, MANY_MAX / 2);
    claim_linear(half, cost_of_save(t, &f, MANY_MAX));
    make_cold(t);
    half = cost_of_load(t, &f, MANY_MAX / 2);
    make_cold(t);
    cost whole = cost_of_load(t, &f, MANY_MAX);
    claim_linear(half, whole);
    assert_true(!t->is_kept || whole.reads > 0);
    store_close(t);
    failalloc_assert_clean(&f);
    t->opts.allocator = (stet_allocator){NULL, NULL};
    store_open(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_BOTH_STORES(test_options_have_limits),
        ON_BOTH_STORES(test_the_cache_holds_no_more_machines_than_allowed),
        ON_BOTH_STORES(test_a_machine_leaves_the_cache_when_its_time_is_over),
        ON_BOTH_STORES(test_without_a_cache_every_load_reads),
        ON_BOTH_STORES(test_cold_history_never_evicts_what_is_hot),
        ON_BOTH_STORES(test_every_write_is_seen_whatever_the_cache),
        ON_BOTH_STORES(test_a_full_queue_refuses_if_told_so),
        ON_BOTH_STORES(test_a_full_queue_sheds_what_nobody_waits_for),
        ON_BOTH_STORES(test_a_full_queue_blocks_by_default),
        ON_BOTH_STORES(test_refusals_store_nothing_under_threads),
        ON_BOTH_STORES(test_many_at_once_cost_as_many_times_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
