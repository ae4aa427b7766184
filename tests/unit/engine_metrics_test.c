/* What a handle counts of its own work, and what is told of a machine. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/record.h"
#include "engine/handle.h"
#include "lib/rng.h"
#include "lib/store_under_test.h"

static stet_metrics metrics_of(store_under_test *t)
{
    stet_metrics m = {.struct_size = sizeof m};
    stet_get_metrics(t->s, &m);
    return m;
}

static stet_machine_metrics machine_of(store_under_test *t, const char *id)
{
    stet_error err = {0};
    stet_machine_metrics m = {.struct_size = sizeof m};
    assert_status(stet_get_machine_metrics(t->s, stet_str(id), 0, &m, &err),
                  STET_OK, &err);
    return m;
}

static void reopen_with(store_under_test *t, uint64_t cache_bytes,
                        uint32_t flags)
{
    store_close(t);
    t->opts.cache_bytes = cache_bytes;
    t->opts.flags = flags;
    store_open(t);
}

/* A monotonic clock that only its looks move on, and the test. */
static _Atomic int64_t ticks;

static int64_t tick(stet_os *os)
{
    (void)os;
    return atomic_fetch_add(&ticks, 1000);
}

/* Nobody else looks at the clock, or sleeps by it: there are no threads. */
static void reopen_under_ticks(store_under_test *t)
{
    store_close(t);
    t->os.monotonic = tick;
    t->opts.flags = STET_NO_THREADS;
    store_open(t);
}

static void load_missing(store_under_test *t, const char *id)
{
    const stet_state *state = NULL;
    stet_error err = {0};
    assert_status(stet_load(t->s, stet_str(id), NULL, &state, &err),
                  STET_E_NOT_FOUND, &err);
}

static void release(const stet_state *state)
{
    stet_state_release(state);
}

/* ---- counts ---- */

/* A batch counts as its changes, and what was refused as nothing. */
static void test_each_change_that_is_stored_is_a_save(void **state)
{
    store_under_test *t = *state;
    stet_error err = {0};
    (void)store_save(t, "a", "{\"n\":1}");
    stet_change two[] = {
        {.verb = STET_VERB_UPDATE,
         .id = stet_str("a"),
         .payload = stet_str("{\"n\":2}")},
        {.verb = STET_VERB_APPEND,
         .id = stet_str("b"),
         .payload = stet_str("x")},
    };
    stet_batch batch = {.changes = two, .change_count = 2};
    assert_status(stet_commit(t->s, &batch, NULL, &err), STET_OK, &err);
    assert_status(stet_save_many(t->s, two, 2, NULL, NULL, &err), STET_OK,
                  &err);
    two[0].expect = (stet_expect){.kind = STET_EXPECT_NONE};
    assert_status(stet_commit(t->s, &batch, NULL, &err), STET_E_EXISTS, &err);
    stet_metrics m = metrics_of(t);
    assert_int_equal(m.total_saves, 5);
    assert_int_equal(m.raw_bytes, 3 * 7 + 2);
    assert_int_equal(m.failed_operations, 0);
    assert_true(m.encoded_bytes > 0);
    assert_true(m.written_bytes >= m.encoded_bytes);
    assert_true(m.compression_ratio * (double)m.encoded_bytes -
                    (double)m.raw_bytes <
                1);
}

/* A NO is an answer; what is wrong with the call or the machine is a failure.
 */
static void test_failures_are_not_the_answers_that_say_no(void **state)
{
    store_under_test *t = *state;
    stet_error err = {0};
    const stet_state *found = NULL;
    stet_slice id = stet_str("m");
    stet_read_opts bad = {.at = {.kind = STET_AT_CHECKPOINT, .name = id}};
    load_missing(t, "m");
    assert_status(stet_delete(t->s, id, NULL, NULL, &err), STET_E_NOT_FOUND,
                  &err);
    assert_int_equal(metrics_of(t).failed_operations, 0);
    assert_status(stet_update(t->s, id, stet_str("no json"), NULL, NULL, &err),
                  STET_E_INVALID, &err);
    assert_int_equal(metrics_of(t).failed_operations, 1);
    bad.at.name = stet_slice_of("", 0);
    assert_status(stet_load(t->s, id, &bad, &found, &err), STET_E_INVALID,
                  &err);
    assert_int_equal(metrics_of(t).failed_operations, 2);
    assert_int_equal(metrics_of(t).total_saves, 0);
}

/* A hit reads and folds nothing; a load at a point never asks the cache. */
static void test_loads_are_hits_or_misses(void **state)
{
    store_under_test *t = *state;
    (void)store_save(t, "m", "1");
    release(store_load(t, "m"));
    release(store_load(t, "m"));
    load_missing(t, "other");
    load_missing(t, "other");
    stet_metrics m = metrics_of(t);
    assert_int_equal(m.total_loads, 4);
    assert_int_equal(m.cache_hits, 3);
    assert_int_equal(m.cache_misses, 1);
    assert_int_equal(m.history_loads, 0);
    release(store_load_at(t, "m", at_seq(1)));
    m = metrics_of(t);
    assert_int_equal(m.total_loads, 4);
    assert_int_equal(m.history_loads, 1);
}

/* A handle counts for itself: what it finds on disk is cold, and not its own.
 */
static void test_a_fresh_handle_begins_at_nothing(void **state)
{
    store_under_test *t = *state;
    (void)store_save(t, "m", "1");
    store_reopen(t);
    stet_metrics m = metrics_of(t);
    assert_int_equal(m.total_saves, 0);
    assert_int_equal(m.total_loads, 0);
    release(store_load(t, "m"));
    release(store_load(t, "m"));
    m = metrics_of(t);
    assert_int_equal(m.cache_misses, 1);
    assert_int_equal(m.cache_hits, 1);
}

/* Bases and restored events are what the history shows as such. */
static void test_snapshots_and_recoveries_are_those_of_the_history(void **state)
{
    store_under_test *t = *state;
    stet_error err = {0};
    t->opts.base_events = 4;
    reopen_with(t, 0, 0);
    char text[64];
    for (int i = 0; i < 20; i++) {
        (void)snprintf(text, sizeof text, "{\"n\":%d,\"k\":\"the same\"}", i);
        (void)store_save(t, "m", text);
    }
    stet_change back = {.verb = STET_VERB_RESTORE,
                        .id = stet_str("m"),
                        .payload = stet_str("{\"n\":1}")};
    (void)store_write(t, &back);
    stet_metrics m = metrics_of(t);
    uint64_t bases = 0;
    stet_history *h = NULL;
    const stet_event *e = NULL;
    assert_status(stet_history_open(t->s, stet_str("m"), NULL, &h, &err),
                  STET_OK, &err);
    while (stet_history_next(h, &e, &err) == STET_OK) {
        bases += (e->flags & STET_EVENT_BASE) != 0;
    }
    stet_history_close(h);
    assert_true(bases > 1);
    assert_int_equal(m.total_snapshots, bases);
    assert_int_equal(m.total_recoveries, 1);
    assert_int_equal(machine_of(t, "m").total_snapshots, bases);
    assert_int_equal(machine_of(t, "m").total_recoveries, 1);
}

/* What the store writes for itself is no user's save. */
static void test_the_stores_own_machines_are_not_counted(void **state)
{
    store_under_test *t = *state;
    stet_error err = {0};
    (void)store_save(t, "m", "1");
    stet_metrics before = metrics_of(t);
    stet_checkpoint_opts opts = {.name = stet_str("c")};
    assert_status(stet_checkpoint_set(t->s, stet_str("m"), &opts, NULL, &err),
                  STET_OK, &err);
    release(store_load_at(t, "m", at_name("c")));
    stet_metrics m = metrics_of(t);
    assert_int_equal(m.total_saves, before.total_saves);
    assert_int_equal(m.save_ns.count, before.save_ns.count);
    assert_int_equal(m.total_loads, before.total_loads);
    assert_int_equal(m.load_ns.count, before.load_ns.count);
    assert_int_equal(m.history_loads, 1);
}

/* ---- times ---- */

/* Those are timed that waited; the clock of the test ticks at each look. */
static void test_writes_that_wait_are_timed(void **state)
{
    store_under_test *t = *state;
    stet_error err = {0};
    reopen_under_ticks(t);
    for (int i = 0; i < 10; i++) {
        (void)store_save(t, "m", "1");
    }
    stet_change c = {
        .verb = STET_VERB_SAVE, .id = stet_str("m"), .payload = stet_str("2")};
    stet_batch b = {.changes = &c, .change_count = 1};
    stet_ticket ticket = {0};
    assert_status(stet_commit_async(t->s, &b, NULL, &ticket, &err), STET_OK,
                  &err);
    stet_metrics m = metrics_of(t);
    assert_int_equal(m.total_saves, 11);
    assert_int_equal(m.save_ns.count, 10);
    assert_true(m.save_ns.p50 >= 1000 * 31 / 32 && m.save_ns.p50 < 100000);
    assert_true(m.save_ns.p99 >= m.save_ns.p50);
    assert_true(m.save_ns.p999 >= m.save_ns.p99);
    assert_true(m.average_save_time_ms == m.save_ns.mean / 1e6);
    assert_true(machine_of(t, "m").average_save_time_ms ==
                m.average_save_time_ms);
}

/* Of each stripe the first load is timed, and then each 64th. */
static void test_one_load_in_64_is_timed(void **state)
{
    store_under_test *t = *state;
    reopen_under_ticks(t);
    (void)store_save(t, "m", "1");
    for (int i = 0; i < 129; i++) {
        release(store_load(t, "m"));
    }
    stet_metrics m = metrics_of(t);
    assert_int_equal(m.total_loads, 129);
    assert_int_equal(m.load_ns.count, 3);
    assert_true(m.load_ns.mean == 1000);
    assert_true(machine_of(t, "m").average_load_time_ms ==
                m.average_load_time_ms);
}

/* Frames are what is synced; a memory store syncs nothing. */
static void test_frames_tell_how_many_events_shared_a_sync(void **state)
{
    store_under_test *t = *state;
    stet_error err = {0};
    reopen_with(t, 0, STET_NO_THREADS);
    stet_change c[3] = {{.verb = STET_VERB_SAVE}};
    for (size_t i = 0; i < 3; i++) {
        c[i] = (stet_change){.verb = STET_VERB_SAVE,
                             .id = stet_str("m"),
                             .payload = stet_str("x")};
    }
    (void)store_save(t, "m", "1");
    assert_status(stet_save_many(t->s, c, 3, NULL, NULL, &err), STET_OK, &err);
    stet_metrics m = metrics_of(t);
    assert_int_equal(m.batch_events.count, 2);
    assert_true(m.batch_events.mean == 2);
    assert_int_equal(m.batch_events.p999, 3);
    assert_int_equal(m.sync_ns.count, t->is_kept ? 2 : 0);
}

/* ---- what is there now ---- */

/* The queue is what nobody wrote yet. */
static void test_the_queue_is_what_is_not_durable(void **state)
{
    store_under_test *t = *state;
    stet_error err = {0};
    reopen_with(t, 0, STET_NO_THREADS);
    stet_change c = {
        .verb = STET_VERB_SAVE, .id = stet_str("m"), .payload = stet_str("x")};
    stet_batch b = {.changes = &c, .change_count = 1};
    stet_ticket ticket = {0};
    for (int i = 0; i < 5; i++) {
        assert_status(stet_commit_async(t->s, &b, NULL, &ticket, &err), STET_OK,
                      &err);
    }
    stet_metrics m = metrics_of(t);
    assert_int_equal(m.queue_events, 5);
    assert_true(m.queue_bytes > 0);
    assert_int_equal(m.queue_bytes, m.encoded_bytes);
    assert_status(stet_sync(t->s, &err), STET_OK, &err);
    m = metrics_of(t);
    assert_int_equal(m.queue_events, 0);
    assert_int_equal(m.queue_bytes, 0);
}

/* The cache tells what it has and what it let go. */
static void test_the_cache_tells_what_left_it(void **state)
{
    store_under_test *t = *state;
    enum { MACHINES = 200 };
    reopen_with(t, 16 * 4096, 0);
    char id[16];
    for (int i = 0; i < MACHINES; i++) {
        (void)snprintf(id, sizeof id, "m%d", i);
        (void)store_save(t, id, "a state of some bytes, so that there are few");
    }
    stet_metrics m = metrics_of(t);
    assert_true(m.evictions > 0);
    assert_int_equal(m.cache_entries + m.evictions, MACHINES);
    stet_info info = {0};
    stet_error err = {0};
    assert_status(stet_get_info(t->s, &info, &err), STET_OK, &err);
    assert_int_equal(m.cache_bytes, info.cache_used_bytes);
}

/* Time goes on by the monotonic clock alone. */
static void test_uptime_is_since_the_handle_was_opened(void **state)
{
    store_under_test *t = *state;
    reopen_under_ticks(t);
    int64_t begun = t->s->counters.opened;
    atomic_fetch_add(&ticks, (int64_t)3600 * 1000000000);
    int64_t now = atomic_load(&ticks);
    assert_int_equal(metrics_of(t).uptime_ns, now - begun);
}

/* A program that was built against less gets less. */
static void test_a_smaller_struct_takes_what_it_knows(void **state)
{
    store_under_test *t = *state;
    (void)store_save(t, "m", "1");
    stet_metrics m;
    memset(&m, 0xab, sizeof m);
    m.struct_size = offsetof(stet_metrics, total_loads);
    stet_get_metrics(t->s, &m);
    assert_int_equal(m.total_saves, 1);
    assert_int_equal(m.total_loads, 0xabababababababab);
}

/* ---- one machine ---- */

/* What its history tells is there after a reopen, what was counted is not. */
static void
test_a_machine_tells_its_history_and_its_time_in_memory(void **state)
{
    store_under_test *t = *state;
    (void)store_save(t, "m", "1");
    stet_change failed = {.verb = STET_VERB_FAIL,
                          .id = stet_str("m"),
                          .error = stet_str("it broke")};
    (void)store_write(t, &failed);
    release(store_load(t, "m"));
    stet_machine_metrics m = machine_of(t, "m");
    assert_int_equal(m.total_saves, 2);
    assert_int_equal(m.failed_operations, 1);
    assert_true(m.is_cached);
    assert_int_equal(m.total_loads, 1);
    assert_int_equal(m.cache_hits + m.cache_misses, 1);
    store_reopen(t);
    m = machine_of(t, "m");
    assert_int_equal(m.total_saves, 2);
    assert_int_equal(m.failed_operations, 1);
    assert_false(m.is_cached);
    assert_int_equal(m.total_loads, 0);
    release(store_load(t, "m"));
    release(store_load(t, "m"));
    m = machine_of(t, "m");
    assert_true(m.is_cached);
    assert_int_equal(m.cache_misses, 1);
    assert_int_equal(m.cache_hits, 1);
}

/* Nobody gets numbers of nothing, and asking counts nothing. */
static void test_a_machine_that_was_never_written_has_no_numbers(void **state)
{
    store_under_test *t = *state;
    stet_error err = {0};
    stet_machine_metrics m = {.total_saves = 77};
    assert_status(stet_get_machine_metrics(t->s, stet_str("none"), 0, &m, &err),
                  STET_E_NOT_FOUND, &err);
    assert_status(stet_get_machine_metrics(t->s, stet_str("m"),
                                           STET_STORE_NAMESPACE, &m, &err),
                  STET_E_INVALID, &err);
    assert_int_equal(m.total_saves, 77);
    (void)store_save(t, "m", "1");
    (void)machine_of(t, "m");
    assert_int_equal(metrics_of(t).total_loads, 0);
}

/* ---- threads ---- */

enum { READERS = 4, LOADS = 3000, MACHINES = 64 };

typedef struct reader {
    store_under_test *t;
    uint64_t seed;
    uint64_t thread;
    stet_status st;
} reader;

static void load_many_times(void *ctx)
{
    reader *r = ctx;
    rng random = {r->seed};
    char id[16];
    r->st = STET_OK;
    for (int i = 0; i < LOADS && r->st == STET_OK; i++) {
        const stet_state *state = NULL;
        (void)snprintf(id, sizeof id, "m%zu", rng_below(&random, MACHINES));
        r->st = stet_load(r->t->s, stet_str(id), NULL, &state, NULL);
        if (r->st == STET_OK) {
            stet_state_release(state);
        }
    }
}

/* No load is lost or counted twice, and at no moment do the sums differ. */
static void test_hits_and_misses_are_all_loads_under_threads(void **state)
{
    store_under_test *t = *state;
    char id[16];
    for (int i = 0; i < MACHINES; i++) {
        (void)snprintf(id, sizeof id, "m%d", i);
        (void)store_save(t, id, "some state that takes room in a small cache");
    }
    if (t->is_kept) {
        reopen_with(t, 4096, 0); /* so that many are misses */
    }
    reader readers[READERS];
    for (size_t i = 0; i < READERS; i++) {
        readers[i] = (reader){.t = t, .seed = i};
        assert_int_equal(t->os.thread_start(&t->os, load_many_times,
                                            &readers[i], &readers[i].thread),
                         0);
    }
    stet_metrics m = metrics_of(t);
    while (m.total_loads < (uint64_t)READERS * LOADS / 2) {
        assert_int_equal(m.total_loads, m.cache_hits + m.cache_misses);
        t->os.yield(&t->os);
        m = metrics_of(t);
    }
    for (size_t i = 0; i < READERS; i++) {
        t->os.thread_join(&t->os, readers[i].thread);
        assert_int_equal(readers[i].st, STET_OK);
    }
    m = metrics_of(t);
    assert_int_equal(m.total_loads, READERS * LOADS);
    assert_int_equal(m.cache_hits + m.cache_misses, READERS * LOADS);
    assert_true(t->is_kept == (m.cache_misses > 0));
}

/* ---- prometheus ---- */

/* The value of the sample that begins so; it must be there. */
static double sample_of(const stet_buffer *text, const char *name)
{
    char want[128];
    (void)snprintf(want, sizeof want, "\n%s ", name);
    const char *at = strstr(text->ptr, want);
    assert_non_null(at);
    return strtod(at + strlen(want), NULL);
}

static stet_buffer prometheus_of(store_under_test *t)
{
    stet_buffer out = {0};
    stet_error err = {0};
    assert_status(stet_metrics_prometheus(t->s, &out, &err), STET_OK, &err);
    char *text = malloc(out.len + 1);
    assert_non_null(text);
    memcpy(text, out.ptr, out.len);
    text[out.len] = '\0';
    stet_buffer copy = {.ptr = text, .len = out.len};
    stet_buffer_free(&out);
    assert_null(out.ptr);
    return copy;
}

/* A scrape says what the API says; its histograms end with all there is. */
static void test_a_scrape_says_the_same(void **state)
{
    store_under_test *t = *state;
    for (int i = 0; i < 20; i++) {
        (void)store_save(t, "m", "{\"some\":\"state\"}");
        release(store_load(t, "m"));
    }
    stet_metrics m = metrics_of(t);
    stet_buffer text = prometheus_of(t);
    assert_true(sample_of(&text, "stet_saves_total") == 20);
    assert_true(sample_of(&text, "stet_loads_total") == 20);
    assert_true(sample_of(&text, "stet_cache_hits_total") == 20);
    assert_true(sample_of(&text, "stet_store_events") == 20);
    assert_true(sample_of(&text, "stet_encoded_bytes_total") ==
                (double)m.encoded_bytes);
    assert_true(sample_of(&text, "stet_save_duration_seconds_count") == 20);
    assert_true(
        sample_of(&text, "stet_save_duration_seconds_bucket{le=\"+Inf\"}") ==
        20);
    assert_true(sample_of(&text, "stet_batch_events_sum") == 20);
    assert_true(sample_of(&text, "stet_batch_events_bucket{le=\"1\"}") == 20);
    double mean = sample_of(&text, "stet_save_duration_seconds_sum") / 20;
    assert_true(mean * 1e3 - m.average_save_time_ms < 1e-6);
    assert_true(m.average_save_time_ms - mean * 1e3 < 1e-6);
    free(text.ptr);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_BOTH_STORES(test_each_change_that_is_stored_is_a_save),
        ON_BOTH_STORES(test_failures_are_not_the_answers_that_say_no),
        ON_BOTH_STORES(test_loads_are_hits_or_misses),
        ON_EMBEDDED_STORE(test_a_fresh_handle_begins_at_nothing),
        ON_BOTH_STORES(test_snapshots_and_recoveries_are_those_of_the_history),
        ON_BOTH_STORES(test_the_stores_own_machines_are_not_counted),
        ON_BOTH_STORES(test_writes_that_wait_are_timed),
        ON_BOTH_STORES(test_one_load_in_64_is_timed),
        ON_BOTH_STORES(test_frames_tell_how_many_events_shared_a_sync),
        ON_BOTH_STORES(test_the_queue_is_what_is_not_durable),
        ON_BOTH_STORES(test_the_cache_tells_what_left_it),
        ON_BOTH_STORES(test_uptime_is_since_the_handle_was_opened),
        ON_BOTH_STORES(test_a_smaller_struct_takes_what_it_knows),
        ON_EMBEDDED_STORE(
            test_a_machine_tells_its_history_and_its_time_in_memory),
        ON_BOTH_STORES(test_a_machine_that_was_never_written_has_no_numbers),
        ON_BOTH_STORES(test_hits_and_misses_are_all_loads_under_threads),
        ON_BOTH_STORES(test_a_scrape_says_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
