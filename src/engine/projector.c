/* Who folds projections: writers, a thread, and callers of stet_step. */
#include "base/error.h"
#include "engine/handle.h"

/* After a failure; else the next publish wakes it. */
#define STET_PROJECTOR_PAUSE_NS ((int64_t)1000000000)

/* Fold one piece of each that `is_wanted`; is there more at once? */
static bool run_all_locked(stet *s, bool (*is_wanted)(stet_projection_mode *),
                           bool *out_failed)
{
    bool is_more = false;
    stet_projection *p = s->projectors.first;
    while (p != NULL) {
        stet_projection_mode *mode = stet__projection_mode(p);
        bool has_more = false;
        if (is_wanted(mode) &&
            stet__projection_run(p, &has_more, NULL) != STET_OK) {
            *out_failed = true;
            has_more = false;
        }
        is_more = is_more || has_more;
        p = mode->next;
    }
    return is_more;
}

static bool is_inline(stet_projection_mode *mode)
{
    return mode->is_inline;
}

static bool is_background(stet_projection_mode *mode)
{
    return mode->is_background;
}

void stet__projectors_follow(stet *s)
{
    /* Relaxed: who opens one folds what was written before that by himself. */
    if (atomic_load_explicit(&s->projectors.inline_count,
                             memory_order_relaxed) == 0) {
        return;
    }
    bool has_failed = false;
    stet__turn_take(s->os, &s->projectors.turn);
    while (run_all_locked(s, is_inline, &has_failed) && !has_failed) {
    }
    stet__turn_give(s->os, &s->projectors.turn);
}

static bool step(stet *s, bool *out_failed)
{
    if (atomic_load_explicit(&s->projectors.background_count,
                             memory_order_relaxed) == 0) {
        return false;
    }
    stet__turn_take(s->os, &s->projectors.turn);
    bool is_more = run_all_locked(s, is_background, out_failed);
    stet__turn_give(s->os, &s->projectors.turn);
    return is_more;
}

bool stet__projectors_step(stet *s)
{
    bool has_failed = false;
    return step(s, &has_failed);
}

/* Have the thread look again, also where nothing was published. */
static void wake(stet *s)
{
    atomic_store_explicit(&s->projectors.is_woken, 1, memory_order_release);
    stet__pipeline_nudge(&s->pipeline);
}

/*
 * The thread of the background. What it saves is published too, and wakes it
 * once more, for nothing: its own events are none that it folds.
 */
static void project(void *ctx)
{
    stet *s = ctx;
    stet_projectors *all = &s->projectors;
    stet_pipeline_more more = {.stop = &all->is_woken};
    stet_status st = STET_OK;
    while (st != STET_E_READONLY &&
           atomic_load_explicit(&all->is_stopping, memory_order_acquire) == 0) {
        bool has_failed = false;
        /* Acquire: who woke it is seen by the look that follows. */
        (void)atomic_exchange_explicit(&all->is_woken, 0, memory_order_acq_rel);
        more.position = stet__watermark(&s->pipeline);
        if (step(s, &has_failed)) {
            continue;
        }
        if (has_failed) {
            more.position = UINT64_MAX;
        }
        more.deadline_ns = stet__pipeline_deadline(
            &s->pipeline, has_failed ? STET_PROJECTOR_PAUSE_NS : INT64_MAX);
        st = stet__pipeline_await(&s->pipeline, &more, NULL);
    }
}

stet_status stet__projectors_add(stet *s, stet_projection *p, stet_error *err)
{
    stet_projectors *all = &s->projectors;
    stet_projection_mode *mode = stet__projection_mode(p);
    stet__turn_take(s->os, &all->turn);
    mode->next = all->first;
    all->first = p;
    atomic_fetch_add_explicit(&all->inline_count, mode->is_inline,
                              memory_order_relaxed);
    atomic_fetch_add_explicit(&all->background_count, mode->is_background,
                              memory_order_relaxed);
    int rc = 0;
    if (mode->is_background && !all->has_thread &&
        (s->opts.flags & STET_NO_THREADS) == 0) {
        rc = s->os->thread_start(s->os, project, s, &all->thread);
        all->has_thread = rc == 0;
    }
    stet__turn_give(s->os, &all->turn);
    wake(s);
    return rc == 0 ? STET_OK
                   : stet__fail(err, STET_E_NOMEM, -rc,
                                "start the thread of projections");
}

void stet__projectors_remove(stet *s, stet_projection *p)
{
    stet_projectors *all = &s->projectors;
    stet_projection_mode *mode = stet__projection_mode(p);
    stet__turn_take(s->os, &all->turn);
    stet_projection **link = &all->first;
    while (*link != NULL && *link != p) {
        link = &stet__projection_mode(*link)->next;
    }
    if (*link != NULL) {
        *link = mode->next;
        atomic_fetch_sub_explicit(&all->inline_count, mode->is_inline,
                                  memory_order_relaxed);
        atomic_fetch_sub_explicit(&all->background_count, mode->is_background,
                                  memory_order_relaxed);
    }
    stet__turn_give(s->os, &all->turn);
}

void stet__projectors_stop(stet *s)
{
    atomic_store_explicit(&s->projectors.is_stopping, 1, memory_order_release);
    if (s->projectors.has_thread) {
        wake(s);
        s->os->thread_join(s->os, s->projectors.thread);
    }
}
