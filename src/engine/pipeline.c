#include "engine/pipeline.h"

#include <limits.h>
#include <string.h>

#include "base/assert.h"
#include "base/error.h"
#include "base/mark.h"

void stet__pipeline_init(stet_pipeline *p, stet_os *os, stet_log *log,
                         const stet_log_start *start,
                         const stet_pipeline_opts *opts)
{
    memset(p, 0, sizeof(*p));
    STET_ASSERT(opts->depth >= 1 && opts->depth + 2 <= STET_GROUPS_MAX);
    p->os = os;
    p->log = log;
    p->depth = opts->depth;
    p->queue_bytes = opts->queue_bytes;
    stet__mutex_init(&p->seq, STET_RANK_SEQ);
    p->next_position = start->next_position;
    p->last_recorded = start->last_recorded;
    p->level = start->level;
    atomic_init(&p->watermark, start->next_position);
    atomic_init(&p->synced, start->next_position);
}

uint64_t stet__watermark(const stet_pipeline *p)
{
    /* Acquire: the records below it were filled and indexed before. */
    return atomic_load_explicit(&p->watermark, memory_order_acquire);
}

bool stet__pipeline_is_poisoned(const stet_pipeline *p)
{
    return atomic_load_explicit(&p->is_poisoned, memory_order_acquire) != 0;
}

static stet_group *group_at(stet_pipeline *p, uint32_t place)
{
    return &p->groups[(p->first + place) % STET_GROUPS_MAX];
}

/* The newest group if it still takes records, else NULL. */
static stet_group *open_group_locked(stet_pipeline *p)
{
    if (p->count == 0) {
        return NULL;
    }
    stet_group *g = group_at(p, p->count - 1);
    return g->state == STET_GROUP_OPEN ? g : NULL;
}

/* Moves that the drawing allows; LOST is reached from any but FREE. */
static void move(stet_group *g, stet_group_state to)
{
    static const stet_group_state next[] = {
        [STET_GROUP_FREE] = STET_GROUP_OPEN,
        [STET_GROUP_OPEN] = STET_GROUP_CLOSED,
        [STET_GROUP_CLOSED] = STET_GROUP_WRITING,
        [STET_GROUP_WRITING] = STET_GROUP_WRITTEN,
        [STET_GROUP_WRITTEN] = STET_GROUP_FREE,
        [STET_GROUP_LOST] = STET_GROUP_LOST,
    };
    STET_ASSERT(to == next[g->state] ||
                (to == STET_GROUP_LOST && g->state != STET_GROUP_FREE));
    g->state = to;
}

static int64_t stamp_locked(stet_pipeline *p)
{
    int64_t now = p->os->now(p->os);
    int64_t stamp = now > p->last_recorded ? now : p->last_recorded + 1;
    p->last_recorded = stamp;
    return stamp;
}

static stet_status open_group_for_locked(stet_pipeline *p, size_t bytes,
                                         stet_group **out, stet_error *err)
{
    if (p->count == p->depth + 1) {
        return STET_E_BUSY;
    }
    stet_frame frame = {0};
    stet_status st =
        p->log->ops->frame_open(p->log, bytes, p->next_position, &frame, err);
    if (st != STET_OK) {
        return st;
    }
    STET_ASSERT(frame.cap >= bytes);
    stet_group *g = group_at(p, p->count);
    p->count++;
    move(g, STET_GROUP_OPEN);
    g->frame = frame;
    g->frame.recorded = stamp_locked(p);
    g->used = 0;
    g->events = 0;
    g->limit = frame.cap;
    if (g->limit > STET_GROUP_BYTES_MAX) {
        g->limit = bytes > STET_GROUP_BYTES_MAX ? bytes : STET_GROUP_BYTES_MAX;
    }
    *out = g;
    return STET_OK;
}

/*
 * Once it is poisoned: what that means to this caller, and the cause. A log
 * that refuses, because another thread failed a moment before, tells none.
 */
static stet_status tell_cause(const stet_pipeline *p, stet_status st,
                              const char *what, stet_error *err)
{
    if (p->cause.status == STET_E_READONLY) {
        return stet__fail(err, st, 0, "%s; reopen the store", what);
    }
    st = stet__fail(err, st, 0, "%s (%s); reopen the store", what,
                    p->cause.text);
    if (err != NULL) {
        err->os_errno = p->cause.os_errno;
    }
    return st;
}

/* Is there no place for `bytes` before something is published? */
static bool is_full_locked(const stet_pipeline *p, size_t bytes, uint64_t most)
{
    return p->count > 0 && p->queued_bytes + bytes > most;
}

bool stet__pipeline_refuses_locked(stet_pipeline *p, size_t bytes,
                                   uint64_t most)
{
    bool is_refused =
        !stet__pipeline_is_poisoned(p) && is_full_locked(p, bytes, most);
    p->refused += is_refused;
    return is_refused;
}

stet_status stet__pipeline_room_locked(stet_pipeline *p, size_t bytes,
                                       stet_room *out, stet_error *err)
{
    if (stet__pipeline_is_poisoned(p)) {
        return tell_cause(p, STET_E_READONLY, "an earlier write or sync failed",
                          err);
    }
    if (is_full_locked(p, bytes, p->queue_bytes)) {
        STET_MARK("pipeline.queue_full");
        p->full_waits++;
        return STET_E_BUSY;
    }
    stet_group *g = open_group_locked(p);
    if (g != NULL && g->limit - g->used < bytes) {
        STET_MARK("pipeline.group_full");
        g->limit = g->used; /* full: nobody may overtake this batch */
        return STET_E_BUSY;
    }
    if (g == NULL) {
        stet_status st = open_group_for_locked(p, bytes, &g, err);
        if (st != STET_OK) {
            return st;
        }
    }
    out->group = g;
    out->at = g->frame.records + g->used;
    out->recorded = g->frame.recorded;
    out->first_position = p->next_position;
    return STET_OK;
}

void stet__pipeline_take_locked(stet_pipeline *p, stet_room *room, size_t bytes,
                                uint32_t events)
{
    stet_group *g = room->group;
    STET_ASSERT(g->state == STET_GROUP_OPEN && bytes <= g->limit - g->used);
    g->used += bytes;
    g->events += events;
    p->queued_bytes += bytes;
    p->taken_bytes += bytes;
    p->next_position += events;
    /* Relaxed: the leader reads it after it took seq. */
    atomic_fetch_add_explicit(&g->fillers, 1, memory_order_relaxed);
}

void stet__pipeline_filled(stet_pipeline *p, stet_group *group)
{
    /* Release the bytes to the leader, who acquires in await_fillers. */
    if (atomic_fetch_sub_explicit(&group->fillers, 1, memory_order_release) ==
        1) {
        p->os->futex_wake(p->os, &group->fillers, 1);
    }
}

static void await_fillers(stet_pipeline *p, stet_group *g)
{
    uint32_t left = 0;
    while ((left = atomic_load_explicit(&g->fillers, memory_order_acquire)) !=
           0) {
        STET_MARK("pipeline.leader_waits_for_filler");
        p->os->futex_wait(p->os, &g->fillers, left, 0);
    }
}

static void wake(stet_pipeline *p, stet_group *g, int count)
{
    /* Release: a sleeper that sees the new word sees why. */
    atomic_fetch_add_explicit(&g->word, 1, memory_order_release);
    p->os->futex_wake(p->os, &g->word, count);
}

void stet__pipeline_nudge(stet_pipeline *p)
{
    /*
     * Release what was published; acquire what was set up by those who nudged
     * to be told of it from now on.
     */
    atomic_fetch_add_explicit(&p->progress, 1, memory_order_acq_rel);
    p->os->futex_wake(p->os, &p->progress, INT_MAX);
}

static void announce(stet_pipeline *p, bool has_work)
{
    stet__pipeline_nudge(p);
    if (p->on_publish != NULL) {
        p->on_publish(p->ctx, has_work);
    }
}

static bool may_lead_locked(stet_pipeline *p, bool is_eager)
{
    const stet_group *g = open_group_locked(p);
    if (g == NULL || g->events == 0 || p->is_sealing || p->is_paused ||
        p->in_flight >= p->depth) {
        return false;
    }
    if (p->in_flight == 0) {
        return true;
    }
    if (g->frame.is_turn) {
        STET_MARK("pipeline.turn_waits");
        return false; /* keeps (3) */
    }
    return is_eager || g->used >= STET_GROUP_WORTH_BYTES || g->limit == g->used;
}

/* Close the open group if it may be led. Its leader is the caller. */
static stet_group *close_for_lead(stet_pipeline *p, bool is_eager)
{
    stet_group *g = NULL;
    stet__mutex_lock(p->os, &p->seq);
    if (!stet__pipeline_is_poisoned(p) && may_lead_locked(p, is_eager)) {
        g = open_group_locked(p);
        p->log->ops->frame_close(p->log, &g->frame, g->used, g->events);
        move(g, STET_GROUP_CLOSED);
        p->in_flight++;
        p->is_sealing = true;
    }
    stet__mutex_unlock(p->os, &p->seq);
    return g;
}

void stet__pipeline_poison(stet_pipeline *p, const stet_error *cause)
{
    stet__mutex_lock(p->os, &p->seq);
    if (!stet__pipeline_is_poisoned(p)) {
        p->cause = *cause;
    }
    /* Release: whoever sees it sees the watermark that stays. */
    atomic_store_explicit(&p->is_poisoned, 1, memory_order_release);
    for (uint32_t i = 0; i < p->count; i++) {
        STET_MARK("pipeline.group_lost");
        move(group_at(p, i), STET_GROUP_LOST);
    }
    stet__mutex_unlock(p->os, &p->seq);
    for (uint32_t i = 0; i < STET_GROUPS_MAX; i++) {
        wake(p, &p->groups[i], INT_MAX);
    }
    announce(p, false);
}

/* What one publish did; the wakes follow without the lock. */
typedef struct publication {
    stet_group *done[STET_GROUPS_MAX];
    uint32_t done_count;
    stet_group *leadable; /* an open group: one who waits for it should lead */
    uint64_t watermark;
    bool has_work;
} publication;

/* Move the watermark over the longest prefix of WRITTEN groups. */
static void publish_locked(stet_pipeline *p, publication *out)
{
    out->watermark = stet__watermark(p);
    while (p->count > 0 && group_at(p, 0)->state == STET_GROUP_WRITTEN) {
        stet_group *g = group_at(p, 0);
        STET_ASSERT(g->frame.first_position == out->watermark);
        out->watermark += g->events;
        out->has_work = out->has_work || g->frame.has_work;
        out->done[out->done_count++] = g;
        move(g, STET_GROUP_FREE);
        p->queued_bytes -= g->used;
        p->frame_bytes += g->frame.length;
        p->first = (p->first + 1) % STET_GROUPS_MAX;
        p->count--;
        p->in_flight--;
    }
    uint64_t synced =
        p->level == STET_LEVEL_DISK
            ? out->watermark
            : atomic_load_explicit(&p->synced, memory_order_relaxed);
    /* The log first: what readers are shown, it must have. */
    p->log->ops->published(p->log, out->watermark, synced);
    atomic_store_explicit(&p->synced, synced, memory_order_release);
    /* Release: pairs with stet__watermark. Keeps (1). */
    atomic_store_explicit(&p->watermark, out->watermark, memory_order_release);
    out->leadable = may_lead_locked(p, false) ? open_group_locked(p) : NULL;
}

static void written(stet_pipeline *p, stet_group *g)
{
    publication pub = {0};
    stet__mutex_lock(p->os, &p->seq);
    if (g->state == STET_GROUP_WRITING) {
        move(g, STET_GROUP_WRITTEN);
        publish_locked(p, &pub);
    }
    stet__mutex_unlock(p->os, &p->seq);
    if (pub.done_count == 0) {
        return;
    }
    for (uint32_t i = 0; i < pub.done_count; i++) {
        wake(p, pub.done[i], INT_MAX);
    }
    if (pub.leadable != NULL) {
        wake(p, pub.leadable, 1);
    }
    announce(p, pub.has_work);
}

/* The next group may be sealed: its leader may have waited for that alone. */
static void sealed(stet_pipeline *p, stet_group *g)
{
    stet__mutex_lock(p->os, &p->seq);
    p->is_sealing = false;
    if (g->state == STET_GROUP_CLOSED) {
        move(g, STET_GROUP_WRITING);
    }
    stet_group *next = may_lead_locked(p, false) ? open_group_locked(p) : NULL;
    stet__mutex_unlock(p->os, &p->seq);
    if (next != NULL) {
        wake(p, next, 1);
    }
}

/* Write a sealed frame; how long that takes is told where there is a sync. */
static stet_status write_frame(stet_pipeline *p, stet_group *g, stet_error *err)
{
    if (p->level == STET_LEVEL_MEMORY) {
        return p->log->ops->frame_write(p->log, &g->frame, err);
    }
    int64_t begun = p->os->monotonic(p->os);
    stet_status st = p->log->ops->frame_write(p->log, &g->frame, err);
    stet__tally_add(&p->write_ns, (uint64_t)(p->os->monotonic(p->os) - begun));
    return st;
}

bool stet__pipeline_lead(stet_pipeline *p, bool is_eager)
{
    stet_group *g = close_for_lead(p, is_eager);
    if (g == NULL) {
        return false;
    }
    await_fillers(p, g);
    uint64_t durable = atomic_load_explicit(&p->synced, memory_order_acquire);
    stet_error cause = {0};
    stet_status st =
        p->log->ops->frame_seal(p->log, &g->frame, durable, &cause);
    sealed(p, g);
    if (st == STET_OK && !stet__pipeline_is_poisoned(p)) {
        stet__tally_add(&p->group_events, g->events);
        st = write_frame(p, g, &cause);
    }
    if (st != STET_OK) {
        stet__pipeline_poison(p, &cause);
        return true;
    }
    written(p, g);
    return true;
}

/* Is the outcome of `position` known? */
static bool is_settled(stet_pipeline *p, uint64_t position, stet_status *out,
                       stet_error *err)
{
    if (position < stet__watermark(p)) {
        *out = STET_OK;
        return true;
    }
    if (stet__pipeline_is_poisoned(p)) {
        /* The watermark may have moved between the two looks. */
        if (position < stet__watermark(p)) {
            *out = STET_OK;
            return true;
        }
        *out =
            tell_cause(p, STET_E_UNKNOWN, "the write or its sync failed", err);
        return true;
    }
    return false;
}

static bool is_late(stet_pipeline *p, int64_t deadline_ns)
{
    return deadline_ns != 0 && p->os->monotonic(p->os) >= deadline_ns;
}

bool stet__pipeline_gave(stet_pipeline *p, uint64_t position)
{
    if (position < stet__watermark(p)) {
        return true;
    }
    stet__mutex_lock(p->os, &p->seq);
    bool was_given = position < p->next_position;
    stet__mutex_unlock(p->os, &p->seq);
    return was_given;
}

stet_status stet__pipeline_wait(stet_pipeline *p, stet_group *group,
                                uint64_t position, int64_t deadline_ns,
                                stet_error *err)
{
    _Atomic uint32_t *futex = group == NULL ? &p->progress : &group->word;
    stet_status st = STET_OK;
    for (;;) {
        /* Before the looks: what changes after them changes the word. */
        uint32_t word = atomic_load_explicit(futex, memory_order_acquire);
        if (is_settled(p, position, &st, err)) {
            return st;
        }
        if (stet__pipeline_lead(p, false)) {
            continue;
        }
        if (is_late(p, deadline_ns)) {
            return stet__fail(err, STET_E_TIMEOUT, 0,
                              "position %llu is not durable yet",
                              (unsigned long long)position);
        }
        p->os->futex_wait(p->os, futex, word, deadline_ns);
    }
}

stet_status stet__pipeline_await(stet_pipeline *p,
                                 const stet_pipeline_more *more,
                                 stet_error *err)
{
    for (;;) {
        /* Before the looks: what changes after them changes the word. */
        uint32_t word =
            atomic_load_explicit(&p->progress, memory_order_acquire);
        if (atomic_load_explicit(more->stop, memory_order_acquire) != 0) {
            return STET_DONE;
        }
        bool is_poisoned = stet__pipeline_is_poisoned(p);
        if (more->position < stet__watermark(p)) {
            return STET_OK;
        }
        if (is_poisoned) {
            return tell_cause(p, STET_E_READONLY,
                              "an earlier write or sync failed", err);
        }
        if (more->deadline_ns == 0 || is_late(p, more->deadline_ns)) {
            return stet__fail(err, STET_E_TIMEOUT, 0,
                              "nothing is at position %llu yet",
                              (unsigned long long)more->position);
        }
        p->os->futex_wait(p->os, &p->progress, word, more->deadline_ns);
    }
}

int64_t stet__pipeline_deadline(stet_pipeline *p, int64_t timeout_ns)
{
    if (timeout_ns == 0) {
        return 0;
    }
    int64_t now = p->os->monotonic(p->os);
    return timeout_ns < INT64_MAX - now ? now + timeout_ns : INT64_MAX;
}

void stet__pipeline_work_begin(stet_pipeline *p)
{
    stet__turn_take(p->os, &p->work);
}

void stet__pipeline_work_end(stet_pipeline *p)
{
    stet__turn_give(p->os, &p->work);
}

void stet__pipeline_work_await(stet_pipeline *p)
{
    stet__pipeline_work_begin(p);
    stet__pipeline_work_end(p);
}

stet_status stet__pipeline_make_room(stet_pipeline *p, size_t bytes,
                                     stet_error *err)
{
    uint32_t word = atomic_load_explicit(&p->progress, memory_order_acquire);
    stet__mutex_lock(p->os, &p->seq);
    bool is_full = open_group_locked(p) != NULL || p->count == p->depth + 1 ||
                   is_full_locked(p, bytes, p->queue_bytes);
    stet__mutex_unlock(p->os, &p->seq);
    if (is_full) {
        if (!stet__pipeline_lead(p, true) && !stet__pipeline_is_poisoned(p)) {
            p->os->futex_wait(p->os, &p->progress, word, 0);
        }
        return STET_OK;
    }
    stet__pipeline_work_begin(p);
    stet_error cause = {0};
    stet_status st = p->log->ops->make_room(p->log, bytes, &cause);
    stet__pipeline_work_end(p);
    if (st == STET_E_BUSY) {
        /*
         * What is in flight changes the word. What came since may be of one who
         * leads only when he waits, and waits for this caller first.
         */
        if (!stet__pipeline_lead(p, true)) {
            p->os->futex_wait(p->os, &p->progress, word, 0);
        }
        return STET_OK;
    }
    if (st != STET_OK && st != STET_E_NOSPACE && st != STET_E_NOMEM) {
        stet__pipeline_poison(p, &cause);
    }
    if (st != STET_OK && err != NULL) {
        *err = cause;
    }
    return st;
}

/* Keep new frames from being written until nothing is in flight. */
static void pause(stet_pipeline *p)
{
    bool is_idle = false;
    while (!is_idle) {
        uint32_t word =
            atomic_load_explicit(&p->progress, memory_order_acquire);
        stet__mutex_lock(p->os, &p->seq);
        p->is_paused = true;
        is_idle = p->in_flight == 0 || stet__pipeline_is_poisoned(p);
        stet__mutex_unlock(p->os, &p->seq);
        if (!is_idle) {
            STET_MARK("pipeline.sync_waits_for_frames");
            p->os->futex_wait(p->os, &p->progress, word, 0);
        }
    }
}

static void resume(stet_pipeline *p)
{
    stet__mutex_lock(p->os, &p->seq);
    p->is_paused = false;
    stet_group *g = may_lead_locked(p, false) ? open_group_locked(p) : NULL;
    stet__mutex_unlock(p->os, &p->seq);
    if (g != NULL) {
        wake(p, g, 1);
    }
    announce(p, false);
}

/* Wait for what was sequenced until now, below `*out_end`. */
static stet_status drain(stet_pipeline *p, uint64_t *out_end, stet_error *err)
{
    stet__mutex_lock(p->os, &p->seq);
    *out_end = p->next_position;
    stet__mutex_unlock(p->os, &p->seq);
    return *out_end > 1 ? stet__pipeline_wait(p, NULL, *out_end - 1, 0, err)
                        : STET_OK;
}

stet_status stet__pipeline_drain(stet_pipeline *p, stet_error *err)
{
    uint64_t end = 0;
    return drain(p, &end, err);
}

stet_status stet__pipeline_sync(stet_pipeline *p, stet_error *err)
{
    uint64_t end = 0;
    stet_status st = drain(p, &end, err);
    if (st != STET_OK ||
        atomic_load_explicit(&p->synced, memory_order_acquire) >= end) {
        return st;
    }
    stet__pipeline_work_begin(p);
    pause(p);
    uint64_t watermark = stet__watermark(p);
    stet_error cause = {0};
    st = stet__pipeline_is_poisoned(p) ? STET_E_IO
                                       : p->log->ops->sync(p->log, &cause);
    if (st == STET_OK) {
        atomic_store_explicit(&p->synced, watermark, memory_order_release);
        p->log->ops->published(p->log, watermark, watermark);
    } else {
        stet__pipeline_poison(p, &cause); /* which may be so already */
        st = tell_cause(p, STET_E_UNKNOWN, "a sync failed", err);
    }
    resume(p);
    stet__pipeline_work_end(p);
    return st;
}

stet_pipeline_sums stet__pipeline_sums(stet_pipeline *p)
{
    stet__mutex_lock(p->os, &p->seq);
    stet_pipeline_sums sums = {
        .queued_events = p->next_position - stet__watermark(p),
        .queued_bytes = p->queued_bytes,
        .taken_bytes = p->taken_bytes,
        .frame_bytes = p->frame_bytes,
        .full_waits = p->full_waits,
        .refused = p->refused,
    };
    stet__mutex_unlock(p->os, &p->seq);
    return sums;
}

bool stet__pipeline_has_work(stet_pipeline *p)
{
    stet__mutex_lock(p->os, &p->seq);
    bool has_work = !stet__pipeline_is_poisoned(p) && may_lead_locked(p, false);
    stet__mutex_unlock(p->os, &p->seq);
    return has_work;
}
