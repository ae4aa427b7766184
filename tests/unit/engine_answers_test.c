/* What calls answer when what they rest on gives way. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"
#include "engine/job.h"
#include "lib/fakelog.h"
#include "lib/store_under_test.h"

/* A store without threads, behind a fake log. */
typedef struct fixture {
    store_under_test *t;
    fakelog log;
    int intrusions; /* writes that came between */
} fixture;

static void begin(fixture *x, store_under_test *t)
{
    store_close(t);
    t->opts.flags = STET_NO_THREADS;
    store_open(t);
    x->t = t;
    fakelog_wrap(&x->log, &t->os, t->s->log);
}

/* The log in front of the store's lives no longer than the test. */
static void end(fixture *x)
{
    assert_int_equal(atomic_load(&x->log.broken), 0);
    store_close(x->t);
}

/* ---- many loads ---- */

static fixture *interrupted; /* by writes, when the log is first asked */

/* Write to each of the machines once, then go on as the log would. */
static stet_status seek_later(stet_log *log, stet_machine_key key,
                              stet_bound bound, uint64_t below, stet_point *out,
                              stet_error *err)
{
    fixture *x = interrupted;
    x->log.ops.seek = x->log.real->seek;
    (void)store_save(x->t, "a", "2");
    (void)store_save(x->t, "b", "2");
    (void)store_save(x->t, "new", "2");
    stet_error own = {0};
    assert_status(stet_delete(x->t->s, stet_str("gone"), NULL, NULL, &own),
                  STET_OK, &own);
    return x->log.real->seek(log, key, bound, below, out, err);
}

/*
 * Who loads an order and its items at once wants what belongs together, even
 * while somebody writes them.
 */
static void test_load_many_shows_one_moment(void **state)
{
    fixture x = {0};
    store_under_test *t = *state;
    (void)store_save(t, "a", "1");
    (void)store_save(t, "b", "1");
    (void)store_save(t, "gone", "1");
    begin(&x, t); /* opens anew: nothing is in memory, so the log is asked */
    interrupted = &x;
    x.log.ops.seek = seek_later;
    const stet_slice ids[] = {stet_str("a"), stet_str("b"), stet_str("new"),
                              stet_str("gone")};
    const stet_state *got[4] = {NULL};
    stet_error err = {0};
    assert_status(stet_load_many(t->s, ids, 4, NULL, got, &err), STET_OK, &err);
    assert_ptr_equal(x.log.ops.seek, x.log.real->seek);
    assert_says(got[0]->state_data, "1");
    assert_says(got[1]->state_data, "1");
    assert_null(got[2]);
    assert_non_null(got[3]);
    assert_says(got[3]->state_data, "1");
    for (size_t i = 0; i < 4; i++) {
        stet_state_release(got[i]);
    }
    assert_status(stet_load_many(t->s, ids, 4, NULL, got, &err), STET_OK, &err);
    for (size_t i = 0; i < 3; i++) {
        assert_says(got[i]->state_data, "2");
        stet_state_release(got[i]);
    }
    assert_null(got[3]);
    end(&x);
}

/* ---- writers who are out-raced ---- */

/* Saves m each time when another write of m was prepared. */
static void come_between(void *ctx)
{
    fixture *x = ctx;
    x->log.on_room = NULL;
    (void)store_save(x->t, "m", "{\"first\":true}");
    x->log.on_room = come_between;
    atomic_store(&x->log.busy, 1);
}

/* It is told so, in the end, and nothing of it is there. */
static void test_a_write_that_is_always_overtaken_is_busy(void **state)
{
    fixture x;
    begin(&x, *state);
    stet_error err = {0};
    stet_written w = {0};
    (void)store_save(x.t, "m", "{}");
    x.log.ctx = &x;
    x.log.on_room = come_between;
    atomic_store(&x.log.busy, 1);
    assert_status(stet_patch(x.t->s, stet_str("m"),
                             stet_str("[{\"op\":\"add\",\"path\":\"/late\","
                                      "\"value\":1}]"),
                             NULL, &w, &err),
                  STET_E_BUSY, &err);
    assert_names(&err, "m is written by too many at once");
    assert_int_equal(w.seq, 0);
    x.log.on_room = NULL;
    atomic_store(&x.log.busy, 0);
    store_claim_state(x.t, "m", "{\"first\":true}");
    stet_history *h = NULL;
    const stet_event *e = NULL;
    assert_status(stet_history_open(x.t->s, stet_str("m"), NULL, &h, &err),
                  STET_OK, &err);
    while (stet_history_next(h, &e, &err) == STET_OK) {
        assert_int_equal(e->kind, STET_EVENT_SAVED);
    }
    stet_history_close(h);
    end(&x);
}

/* Merges into m, unfolded and pending, each time when a patch was prepared. */
static void merge_between(void *ctx)
{
    fixture *x = ctx;
    x->log.on_room = NULL;
    stet_error err = {0};
    stet_ticket ticket = {0};
    stet_change c = {.verb = STET_VERB_UPDATE,
                     .id = stet_str("m"),
                     .payload = stet_str("{\"n\":1}")};
    stet_batch b = {.changes = &c, .change_count = 1};
    assert_status(stet_commit_async(x->t->s, &b, NULL, &ticket, &err), STET_OK,
                  &err);
    x->intrusions++;
    x->log.on_room = merge_between;
    atomic_store(&x->log.busy, 1);
}

/*
 * A patch that must wait for a state and is then overtaken all the same takes
 * two preparations a time: they count as two, so its end comes half as late.
 */
static void test_waits_and_overtakings_are_counted_together(void **state)
{
    fixture x = {0};
    begin(&x, *state);
    char text[2048]; /* too large to be kept folded */
    (void)snprintf(text, sizeof text, "{\"x\":\"%01500d\"}", 0);
    (void)store_save(x.t, "m", text);
    x.log.ctx = &x;
    x.log.on_room = merge_between;
    atomic_store(&x.log.busy, 1);
    stet_error err = {0};
    assert_status(
        stet_patch(x.t->s, stet_str("m"), stet_str("[]"), NULL, NULL, &err),
        STET_E_BUSY, &err);
    x.log.on_room = NULL;
    atomic_store(&x.log.busy, 0);
    assert_int_equal(x.intrusions, STET_ATTEMPTS_MAX / 2);
    end(&x);
}

/* ---- reads that fail ---- */

static stet_status failure; /* what the log's reads answer now */

static stet_status failing_seek(stet_log *log, stet_machine_key key,
                                stet_bound bound, uint64_t below,
                                stet_point *out, stet_error *err)
{
    (void)log;
    (void)key;
    (void)bound;
    (void)below;
    (void)out;
    return stet__fail(err, failure, 0, "3.seg at offset 4096");
}

static stet_status failing_heads(stet_log *log, const stet_heads_range *range,
                                 stet_log_cursor **out, stet_error *err)
{
    (void)log;
    (void)range;
    (void)out;
    return stet__fail(err, failure, 0, "3.seg at offset 4096");
}

static void claim_told(stet_status st, const stet_error *err)
{
    assert_status(st, failure, err);
    assert_names(err, "3.seg at offset 4096");
}

/* Claim that each call tells of the failure and gives nothing out. */
static void claim_reads_fail(stet *s)
{
    stet_error err = {0};
    const stet_state *state = NULL;
    stet_history *h = NULL;
    stet_keys *keys = NULL;
    stet_checkpoints *list = NULL;
    stet_info info = {.events = 99};
    uint64_t number = 99;
    stet_slice m = stet_str("m");
    stet_read_opts first = {.at = at_seq(1)};
    claim_told(stet_load(s, m, &first, &state, &err), &err);
    claim_told(stet_exists(s, m, &first, &number, &err), &err);
    claim_told(stet_history_open(s, m, NULL, &h, &err), &err);
    claim_told(stet_compare(s, m, m, 0, &number, &err), &err);
    claim_told(stet_keys_open(s, NULL, &keys, &err), &err);
    claim_told(stet_checkpoints_open(s, m, 0, &list, &err), &err);
    claim_told(stet_get_info(s, &info, &err), &err);
    assert_null(state);
    assert_null(h);
    assert_null(keys);
    assert_null(list);
    assert_int_equal(number, 99);
    assert_int_equal(info.events, 99);
}

/* The same for writes of a machine that is not in memory. */
static void claim_writes_fail(stet *s, stet_slice far)
{
    stet_error err = {0};
    stet_written w = {0};
    stet_slice one = stet_str("{}");
    stet_checkpoint_name name = {"as it was"};
    stet_checkpoint_opts o = {.at = at_seq(1)};
    claim_told(stet_save(s, far, one, NULL, &w, &err), &err);
    claim_told(stet_delete(s, far, NULL, &w, &err), &err);
    claim_told(stet_fork(s, stet_str("m"), far, NULL, &w, &err), &err);
    claim_told(stet_checkpoint_set(s, stet_str("m"), &o, &name, &err), &err);
    claim_told(stet_checkpoint_restore(s, stet_str("m"), stet_str("name"), NULL,
                                       &w, &err),
               &err);
    assert_int_equal(w.seq, 0);
    assert_string_equal(name.text, "as it was");
}

/* A read that fails is neither a not-found nor a reason to stop the store. */
static void test_a_failed_read_is_told_and_stores_nothing(void **state)
{
    fixture x;
    begin(&x, *state);
    stet *s = x.t->s;
    (void)store_save(x.t, "m", "1");
    const stet_status failures[] = {STET_E_IO, STET_E_CORRUPT, STET_E_NOMEM,
                                    STET_E_GONE};
    const char *const far[] = {"a", "b", "c", "d"};
    const stet_log_ops sound = x.log.ops;
    for (size_t i = 0; i < sizeof failures / sizeof failures[0]; i++) {
        failure = failures[i];
        x.log.ops.seek = failing_seek;
        x.log.ops.heads_open = failing_heads;
        claim_reads_fail(s);
        claim_writes_fail(s, stet_str(far[i]));
        x.log.ops.seek = sound.seek;
        x.log.ops.heads_open = sound.heads_open;
        store_claim_missing(x.t, far[i]); /* which is in memory now */
        store_claim_state(x.t, "m", "1");
    }
    assert_int_equal(store_save(x.t, "a", "2"), 1);
    end(&x);
}

/* ---- closing ---- */

/* Who closes over a write under way is told when that one may be lost. */
static void test_close_tells_of_writes_that_may_be_lost(void **state)
{
    fixture x;
    begin(&x, *state);
    stet *s = x.t->s;
    stet_error err = {0};
    stet_ticket ticket = {0};
    stet_change c = {.verb = STET_VERB_SAVE, .id = stet_str("m")};
    stet_batch b = {.changes = &c, .change_count = 1};
    assert_status(stet_commit_async(s, &b, NULL, &ticket, &err), STET_OK, &err);
    atomic_store(&x.log.fails, 1);
    x.t->s = NULL;
    assert_status(stet_close(s, &err), STET_E_UNKNOWN, &err);
    assert_names(&err, "reopen");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_BOTH_STORES(test_a_write_that_is_always_overtaken_is_busy),
        ON_BOTH_STORES(test_waits_and_overtakings_are_counted_together),
        ON_EMBEDDED_STORE(test_load_many_shows_one_moment),
        ON_BOTH_STORES(test_a_failed_read_is_told_and_stores_nothing),
        ON_BOTH_STORES(test_close_tells_of_writes_that_may_be_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
