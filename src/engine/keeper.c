/*
 * The handle's own threads.
 *
 * The keeper does the log's background work but for settling (settler.c); the
 * committer flushes what asynchronous writers left. Both are loops around one
 * step that stet_step does too, for handles without threads.
 */
#include <inttypes.h>
#include <limits.h>

#include <stet/write.h>

#include "base/error.h"
#include "engine/deferred.h"

enum { STET_KEEPER_PAUSE_NS = 1000000000 };

static bool is_stopping(stet *s)
{
    return atomic_load_explicit(&s->is_stopping, memory_order_acquire) != 0;
}

static void poke(stet *s, _Atomic uint32_t *word)
{
    atomic_fetch_add_explicit(word, 1, memory_order_release);
    s->os->futex_wake(s->os, word, 1);
}

void stet__keeper_poke(stet *s)
{
    poke(s, &s->keeper_word);
}

/* One piece of the log's background work. */
static stet_status work_once(stet *s, bool *out_more, int64_t *out_due,
                             stet_error *err)
{
    stet_error cause = {0};
    stet__pipeline_work_begin(&s->pipeline);
    stet_status st = s->log->ops->step(s->log, out_more, out_due, &cause);
    stet__pipeline_work_end(&s->pipeline);
    if (st != STET_OK && st != STET_E_NOSPACE && st != STET_E_NOMEM) {
        stet__pipeline_poison(&s->pipeline, &cause);
    }
    if (st != STET_OK && err != NULL) {
        *err = cause;
    }
    return st;
}

/* Nobody waits for them: what goes wrong is talked of, and tried again. */
static void write_deferred(stet *s, int64_t *out_due)
{
    bool did = false;
    stet_error cause = {0};
    stet_status st = stet__deferred_step(s, &did, out_due, &cause);
    if (st != STET_OK && s->opts.log != NULL) {
        s->opts.log(s->opts.log_ctx, STET_LOG_WARNING, cause.text);
    }
}

static void keep(void *ctx)
{
    stet *s = ctx;
    while (!is_stopping(s)) {
        uint32_t word =
            atomic_load_explicit(&s->keeper_word, memory_order_acquire);
        bool is_more = false;
        int64_t due = 0;
        int64_t flush_due = 0;
        stet_status st = STET_OK;
        if (!stet__pipeline_is_poisoned(&s->pipeline)) {
            write_deferred(s, &flush_due);
            st = work_once(s, &is_more, &due, NULL);
        }
        if (is_more && st == STET_OK) {
            stet__settler_poke(s); /* it may have sealed a segment */
            continue;
        }
        int64_t pause = s->os->monotonic(s->os) + STET_KEEPER_PAUSE_NS;
        due = due == 0 || due > pause || st != STET_OK ? pause : due;
        due = flush_due != 0 && flush_due < due ? flush_due : due;
        s->os->futex_wait(s->os, &s->keeper_word, word, due);
    }
}

static void lead_for_others(void *ctx)
{
    stet *s = ctx;
    while (!is_stopping(s)) {
        uint32_t word =
            atomic_load_explicit(&s->committer_word, memory_order_acquire);
        if (stet__pipeline_lead(&s->pipeline, false)) {
            continue;
        }
        /* Before the last look: who brings work after it sees an idle one. */
        atomic_store_explicit(&s->is_committer_idle, 1, memory_order_seq_cst);
        if (!stet__pipeline_lead(&s->pipeline, false)) {
            s->os->futex_wait(s->os, &s->committer_word, word, 0);
        }
        atomic_store_explicit(&s->is_committer_idle, 0, memory_order_relaxed);
    }
}

stet_status stet__keeper_start(stet *s, stet_error *err)
{
    int rc = s->os->thread_start(s->os, keep, s, &s->keeper);
    if (rc != 0) {
        return stet__fail(err, STET_E_NOMEM, -rc, "start the keeper thread");
    }
    s->has_keeper = true;
    return stet__settler_start(s, err);
}

/* Leave the phase of starting, and tell those who wait for its end. */
static void end_start(stet *s, stet_committer_phase phase)
{
    /* Release: who sees it running may join `committer`. */
    atomic_store_explicit(&s->committer_phase, phase, memory_order_release);
    s->os->futex_wake(s->os, &s->committer_phase, INT_MAX);
}

static stet_status start_committer(stet *s, stet_error *err)
{
    int rc = s->os->thread_start(s->os, lead_for_others, s, &s->committer);
    end_start(s, rc == 0 ? STET_COMMITTER_RUNS : STET_COMMITTER_NONE);
    return rc == 0 ? STET_OK
                   : stet__fail(err, STET_E_NOMEM, -rc,
                                "start the committer thread");
}

stet_status stet__committer_start(stet *s, stet_error *err)
{
    while (s->has_keeper) {
        uint32_t phase =
            atomic_load_explicit(&s->committer_phase, memory_order_acquire);
        if (phase == STET_COMMITTER_RUNS) {
            return STET_OK;
        }
        if (phase == STET_COMMITTER_STARTS) {
            s->os->futex_wait(s->os, &s->committer_phase, phase, 0);
        } else if (atomic_compare_exchange_strong_explicit(
                       &s->committer_phase, &phase, STET_COMMITTER_STARTS,
                       memory_order_acquire, memory_order_acquire)) {
            return start_committer(s, err);
        }
    }
    return STET_OK;
}

void stet__committer_poke(stet *s)
{
    /* After the work was sequenced, see lead_for_others. */
    if (atomic_load_explicit(&s->is_committer_idle, memory_order_seq_cst) !=
            0 &&
        stet__pipeline_has_work(&s->pipeline)) {
        /* Relaxed: of several who see it idle one wake is enough. */
        atomic_store_explicit(&s->is_committer_idle, 0, memory_order_relaxed);
        poke(s, &s->committer_word);
    }
}

void stet__keeper_stop(stet *s)
{
    /* Release: the threads see it when they see their word move. */
    atomic_store_explicit(&s->is_stopping, 1, memory_order_release);
    if (s->has_keeper) {
        stet__keeper_poke(s);
        s->os->thread_join(s->os, s->keeper);
    }
    stet__settler_stop(s);
    if (atomic_load_explicit(&s->committer_phase, memory_order_acquire) ==
        STET_COMMITTER_RUNS) {
        poke(s, &s->committer_word);
        s->os->thread_join(s->os, s->committer);
    }
}

/* ---- public ---- */

stet_status stet_step(stet *s, bool *out_more, stet_error *err)
{
    stet__error_reset(err);
    bool is_more = stet__pipeline_lead(&s->pipeline, false);
    stet_status st = STET_OK;
    int64_t due = 0;
    bool may_work =
        !s->start.is_readonly && !stet__pipeline_is_poisoned(&s->pipeline);
    if (!is_more && may_work) {
        st = stet__deferred_step(s, &is_more, &due, err);
    }
    if (st == STET_OK && !is_more && may_work) {
        stet_settle_answer answer = {0};
        st = work_once(s, &is_more, &due, err);
        if (st == STET_OK && !is_more) {
            st = stet__settle_once(s, 0, 0, &answer, err);
            is_more = answer.is_more;
        }
        if (st == STET_OK && !is_more && !s->projectors.has_thread) {
            is_more = stet__projectors_step(s);
        }
    }
    if (st == STET_OK && out_more != NULL) {
        *out_more = is_more;
    }
    return st;
}

stet_status stet_sync(stet *s, stet_error *err)
{
    stet__error_reset(err);
    stet_status st = stet__deferred_flush(s, err);
    stet_status synced =
        stet__pipeline_sync(&s->pipeline, st == STET_OK ? err : NULL);
    return st == STET_OK ? synced : st;
}

stet_status stet_flush(stet *s, stet_error *err)
{
    stet__error_reset(err);
    return stet__deferred_flush(s, err);
}

/* Did this handle give the ticket? Another one's write never comes here. */
static stet_status check_ticket(stet *s, stet_ticket ticket, stet_error *err)
{
    if (stet__pipeline_gave(&s->pipeline, ticket.position)) {
        return STET_OK;
    }
    return stet__fail(err, STET_E_INVALID, 0,
                      "no write of this handle has the ticket %" PRIu64,
                      ticket.position);
}

stet_status stet_wait(stet *s, stet_ticket ticket, int64_t timeout_ns,
                      stet_error *err)
{
    stet__error_reset(err);
    if (timeout_ns < 0) {
        return stet__fail(err, STET_E_INVALID, 0,
                          "timeout_ns is %" PRId64 "; 0 waits for ever",
                          timeout_ns);
    }
    stet_status st = check_ticket(s, ticket, err);
    if (st != STET_OK) {
        return st;
    }
    int64_t deadline = stet__pipeline_deadline(&s->pipeline, timeout_ns);
    return stet__pipeline_wait(&s->pipeline, NULL, ticket.position, deadline,
                               err);
}

stet_status stet_ticket_status(stet *s, stet_ticket ticket)
{
    stet_status st = check_ticket(s, ticket, NULL);
    if (st != STET_OK) {
        return st;
    }
    if (ticket.position < stet__watermark(&s->pipeline)) {
        return STET_OK;
    }
    bool is_poisoned = stet__pipeline_is_poisoned(&s->pipeline);
    /* The watermark may have moved between the two looks. */
    if (ticket.position < stet__watermark(&s->pipeline)) {
        return STET_OK;
    }
    return is_poisoned ? STET_E_UNKNOWN : STET_E_BUSY;
}

stet_status stet_on_durable(stet *s, stet_ticket ticket, stet_durable_fn fn,
                            void *ctx, stet_error *err)
{
    stet__error_reset(err);
    stet_callback item = {ticket, fn, ctx};
    stet_status st = fn == NULL
                         ? stet__fail(err, STET_E_INVALID, 0, "no callback")
                         : check_ticket(s, ticket, err);
    if (st == STET_OK) {
        st = stet__callbacks_add(&s->callbacks, &item, err);
    }
    if (st == STET_OK) {
        stet__callbacks_notify(&s->callbacks, stet__watermark(&s->pipeline),
                               stet__pipeline_is_poisoned(&s->pipeline));
    }
    return st;
}

size_t stet_poll(stet *s)
{
    size_t called = 0;
    stet__callbacks_begin(&s->callbacks);
    stet_callback item;
    while (stet__callbacks_take(&s->callbacks, stet__watermark(&s->pipeline),
                                stet__pipeline_is_poisoned(&s->pipeline),
                                &item)) {
        item.fn(item.ctx, item.ticket, stet_ticket_status(s, item.ticket));
        called++;
    }
    return called;
}

int stet_poll_fd(stet *s)
{
    int fd = stet__callbacks_fd(&s->callbacks);
    /* What was due before there was a descriptor shows on it, too. */
    stet__callbacks_notify(&s->callbacks, stet__watermark(&s->pipeline),
                           stet__pipeline_is_poisoned(&s->pipeline));
    return fd;
}
