/*
 * The settler: a thread of its own, so that nobody who needs the log's other
 * background work waits for it. Where it cannot keep up, writers wait for it.
 */
#include <limits.h>

#include "base/error.h"
#include "base/mark.h"
#include "engine/handle.h"

enum { PAUSE_NS = 1000000000 };

/* A writer waits no longer for one segment: whatever holds the settler up. */
static const int64_t throttle_ns = 1000000000;

static bool is_stopping(stet *s)
{
    return atomic_load_explicit(&s->is_stopping, memory_order_acquire) != 0;
}

stet_status stet__settle_once(stet *s, unsigned flags, uint64_t below,
                              stet_settle_answer *out, stet_error *err)
{
    stet_log *log = s->log;
    stet_error cause = {0};
    *out = (stet_settle_answer){0};
    if (log->ops->settle == NULL) {
        return STET_OK;
    }
    stet__turn_take(s->os, &s->settle_turn);
    stet_status st = log->ops->settle(log, flags, below, out, &cause);
    if (st == STET_OK && out->needs_turn) {
        stet__pipeline_work_begin(&s->pipeline);
        st =
            log->ops->settle(log, flags | STET_SETTLE_TURN, below, out, &cause);
        stet__pipeline_work_end(&s->pipeline);
    }
    stet__turn_give(s->os, &s->settle_turn);
    if (st == STET_E_IO && stet__is_log_poisoned(s)) {
        stet__pipeline_poison(&s->pipeline, &cause);
    }
    if (st != STET_OK && err != NULL) {
        *err = cause;
    }
    atomic_fetch_add_explicit(&s->settled_word, 1, memory_order_release);
    s->os->futex_wake(s->os, &s->settled_word, INT_MAX);
    return st;
}

static void settle(void *ctx)
{
    stet *s = ctx;
    while (!is_stopping(s)) {
        uint32_t word =
            atomic_load_explicit(&s->settler_word, memory_order_acquire);
        stet_settle_answer answer = {0};
        stet_status st = STET_OK;
        if (!stet__pipeline_is_poisoned(&s->pipeline)) {
            st = stet__settle_once(s, 0, 0, &answer, NULL);
        }
        if (answer.is_more && st == STET_OK) {
            continue;
        }
        int64_t pause = s->os->monotonic(s->os) + PAUSE_NS;
        int64_t due = answer.due;
        s->os->futex_wait(s->os, &s->settler_word, word,
                          due == 0 || due > pause ? pause : due);
    }
}

stet_status stet__settler_start(stet *s, stet_error *err)
{
    if (s->log->ops->settle == NULL) {
        return STET_OK;
    }
    int rc = s->os->thread_start(s->os, settle, s, &s->settler);
    if (rc != 0) {
        return stet__fail(err, STET_E_NOMEM, -rc, "start the settler thread");
    }
    s->has_settler = true;
    return STET_OK;
}

void stet__settler_poke(stet *s)
{
    atomic_fetch_add_explicit(&s->settler_word, 1, memory_order_release);
    s->os->futex_wake(s->os, &s->settler_word, 1);
}

void stet__settler_stop(stet *s)
{
    if (s->has_settler) {
        stet__settler_poke(s);
        s->os->thread_join(s->os, s->settler);
        s->has_settler = false;
    }
}

/* Wait for a piece of settling, or do it where nobody else does. */
static bool wait_for_piece(stet *s, uint32_t word, int64_t end)
{
    if (s->has_settler) {
        stet__settler_poke(s);
        s->os->futex_wait(s->os, &s->settled_word, word, end);
        return true;
    }
    stet_settle_answer answer = {0};
    return stet__settle_once(s, 0, 0, &answer, NULL) == STET_OK &&
           answer.is_more;
}

void stet__settler_throttle(stet *s, size_t need)
{
    const stet_log_ops *ops = s->log->ops;
    if (ops->is_pressed == NULL || !ops->is_pressed(s->log, need)) {
        return;
    }
    STET_MARK("settler.throttles");
    int64_t begin = s->os->monotonic(s->os);
    int64_t now = begin;
    bool is_on = true;
    while (is_on && now - begin < throttle_ns &&
           !stet__pipeline_is_poisoned(&s->pipeline)) {
        uint32_t word =
            atomic_load_explicit(&s->settled_word, memory_order_acquire);
        is_on = ops->is_pressed(s->log, need) &&
                wait_for_piece(s, word, begin + throttle_ns);
        now = s->os->monotonic(s->os);
    }
    /* Relaxed: numbers to look at. */
    atomic_fetch_add_explicit(&s->throttled, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&s->throttled_ns, (uint64_t)(now - begin),
                              memory_order_relaxed);
}
