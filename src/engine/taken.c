/*
 * Taking: backlogs go in front of a batch that met them, or become one
 * themselves when they are flushed.
 */
#include <string.h>

#include "base/error.h"
#include "base/mark.h"
#include "engine/deferred.h"

/* A backlog that could not be committed is tried again after that. */
static const int64_t retry_ns = 1000000000;

/* ---- taking ---- */

static size_t turn_of(const stet_entry *e)
{
    return e->hash % STET_DEFERRED_TURNS;
}

/* In one order, so that nobody waits in a circle. */
static void take_turns(stet_taken *t, uint32_t turns)
{
    for (size_t i = 0; i < STET_DEFERRED_TURNS; i++) {
        if ((turns & (1u << i)) != 0) {
            stet__turn_take(t->s->os, &t->s->deferred.turns[i]);
        }
    }
    t->turns = turns;
}

void stet__taken_give_turns(stet_taken *t)
{
    for (size_t i = 0; i < STET_DEFERRED_TURNS; i++) {
        if ((t->turns & (1u << i)) != 0) {
            stet__turn_give(t->s->os, &t->s->deferred.turns[i]);
        }
    }
    t->turns = 0;
}

static void reset(stet_taken *t)
{
    const stet_allocator *a = &t->s->alloc;
    stet__taken_give_turns(t);
    for (size_t i = 0; i < t->backlog_count; i++) {
        stet__backlog_unref(t->backlogs[i]);
    }
    stet__free(a, t->changes, t->batch.change_count * sizeof *t->changes);
    stet__free(a, t->backlogs, t->backlogs_max * sizeof *t->backlogs);
    stet__free(a, t->counts, t->backlogs_max * sizeof *t->counts);
    stet__free(a, t->asked, t->backlogs_max * sizeof *t->asked);
    *t = (stet_taken){.s = t->s};
}

void stet__taken_deinit(stet_taken *t)
{
    if (t->s != NULL) {
        reset(t);
    }
}

static bool make_room(stet_taken *t, size_t backlogs)
{
    const stet_allocator *a = &t->s->alloc;
    t->backlogs_max = backlogs;
    t->backlogs = stet__alloc(a, backlogs * sizeof *t->backlogs);
    t->counts = stet__alloc(a, backlogs * sizeof *t->counts);
    t->asked = stet__alloc(a, backlogs * sizeof *t->asked);
    return t->backlogs != NULL && t->counts != NULL && t->asked != NULL;
}

static void add_locked(stet_taken *t, stet_backlog *b, size_t asked)
{
    t->backlogs[t->backlog_count] = stet__backlog_ref(b);
    t->counts[t->backlog_count] = b->count;
    t->asked[t->backlog_count] = asked;
    t->backlog_count++;
    t->carried += b->count;
}

static stet_status nomem(stet_error *err)
{
    return stet__fail(err, STET_E_NOMEM, 0, "deferred writes");
}

/*
 * Make the batch: what waited, then what is asked for (nullable). What that
 * expects of a machine holds of it before the batch.
 */
static stet_status build(stet_taken *t, const stet_batch *asked,
                         stet_error *err)
{
    size_t more = asked == NULL ? 0 : asked->change_count;
    t->changes =
        stet__alloc_zeroed(&t->s->alloc, t->carried + more, sizeof *t->changes);
    if (t->changes == NULL) {
        return nomem(err);
    }
    t->batch = (stet_batch){.struct_size = sizeof t->batch};
    if (asked != NULL) {
        t->batch = *asked;
    }
    t->batch.changes = t->changes;
    t->batch.change_count = t->carried + more;
    stet_change *at = t->changes;
    for (size_t i = 0; i < t->backlog_count; i++) {
        const stet_deferred_item *item = t->backlogs[i]->first;
        stet_change *first = at;
        for (size_t k = 0; k < t->counts[i]; k++, item = item->next) {
            *at++ = item->change;
        }
        if (asked != NULL) {
            first->expect = asked->changes[t->asked[i]].expect;
        }
    }
    if (more > 0) {
        memcpy(at, asked->changes, more * sizeof *at);
    }
    return STET_OK;
}

/* The backlogs of a job's machines, in the order of its changes. */
static stet_backlog *backlog_at(const stet_job *job, size_t i)
{
    const stet_plan *plan = &job->plans[i];
    return plan->before == NULL ? plan->claim.entry->backlog : NULL;
}

static uint32_t turns_of(const stet_job *job, size_t *out_backlogs)
{
    stet_pipeline *p = &job->s->pipeline;
    uint32_t turns = 0;
    *out_backlogs = 0;
    stet__mutex_lock(p->os, &p->seq);
    for (size_t i = 0; i < job->batch->change_count; i++) {
        const stet_backlog *b = backlog_at(job, i);
        turns |= b == NULL ? 0 : 1u << turn_of(b->entry);
        *out_backlogs += b != NULL;
    }
    stet__mutex_unlock(p->os, &p->seq);
    return turns;
}

/* Those whose turns are held; what came meanwhile is met again. */
static size_t collect(stet_taken *t, const stet_job *job)
{
    stet_pipeline *p = &job->s->pipeline;
    size_t bytes = 0;
    stet__mutex_lock(p->os, &p->seq);
    for (size_t i = 0; i < job->batch->change_count; i++) {
        stet_backlog *b = backlog_at(job, i);
        if (b != NULL && t->backlog_count < t->backlogs_max &&
            (t->turns & (1u << turn_of(b->entry))) != 0) {
            add_locked(t, b, i);
            bytes += b->bytes;
        }
    }
    stet__mutex_unlock(p->os, &p->seq);
    return bytes;
}

static size_t payload_bytes(const stet_batch *batch)
{
    size_t bytes = 0;
    for (size_t i = 0; i < batch->change_count; i++) {
        bytes += stet__deferred_bytes(&batch->changes[i]);
    }
    return bytes;
}

static stet_status flush_one(stet_backlog *b, stet_error *err);

stet_status stet__taken_flush(stet_taken *t, stet_error *err)
{
    stet_status st = STET_OK;
    stet__taken_give_turns(t);
    for (size_t i = 0; i < t->backlog_count && st == STET_OK; i++) {
        st = flush_one(t->backlogs[i], err);
    }
    reset(t);
    return st;
}

stet_status stet__taken_collect(stet_taken *t, const stet_job *job,
                                stet_error *err)
{
    const stet_opts *o = &job->s->opts;
    size_t backlogs = 0;
    uint32_t turns = turns_of(job, &backlogs);
    *t = (stet_taken){.s = job->s};
    if (backlogs == 0) { /* it was taken by somebody else */
        return STET_OK;
    }
    if (!make_room(t, backlogs)) {
        return nomem(err);
    }
    take_turns(t, turns);
    size_t bytes = collect(t, job);
    if (t->backlog_count == 0) { /* likewise, meanwhile */
        reset(t);
        return STET_OK;
    }
    if (t->carried + job->batch->change_count > o->batch_events_max ||
        bytes + payload_bytes(job->batch) > o->batch_bytes_max) {
        STET_MARK("deferred.flushed_apart");
        return stet__taken_flush(t, err);
    }
    return build(t, job->batch, err);
}

/* ---- flushing ---- */

/* Take one backlog, if it is still its machine's. */
static stet_status take_one(stet_taken *t, stet_backlog *b, stet_error *err)
{
    stet *s = b->s;
    if (!make_room(t, 1)) {
        return nomem(err);
    }
    take_turns(t, 1u << turn_of(b->entry));
    stet__mutex_lock(s->os, &s->pipeline.seq);
    if (b->entry->backlog == b) {
        add_locked(t, b, 0);
    }
    stet__mutex_unlock(s->os, &s->pipeline.seq);
    return t->backlog_count == 0 ? STET_OK : build(t, NULL, err);
}

/* Commit what waits for one machine, unless somebody else does. */
static stet_status flush_one(stet_backlog *b, stet_error *err)
{
    stet_taken t = {.s = b->s};
    stet_status st = STET_E_BUSY;
    for (int i = 0; st == STET_E_BUSY && i < STET_ATTEMPTS_MAX; i++) {
        stet__error_reset(err);
        st = take_one(&t, b, err);
        if (st == STET_OK && t.backlog_count > 0) {
            st = stet__commit_taken(b->s, &t, err);
        }
        reset(&t);
    }
    return st;
}

/* Which backlogs are flushed. */
typedef struct flush {
    int64_t due;    /* those due until then */
    uint64_t round; /* and not tried in this round yet */
} flush;

/* The next one, referenced; NULL: `*out_due` is when there will be one. */
static stet_backlog *next_of(stet *s, const flush *f, int64_t *out_due)
{
    stet_backlog *found = NULL;
    *out_due = INT64_MAX;
    stet__mutex_lock(s->os, &s->pipeline.seq);
    for (size_t i = 0; i < s->deferred.list_count && found == NULL; i++) {
        stet_backlog *b = s->deferred.lists[i].first;
        while (b != NULL && b->due <= f->due && b->round == f->round) {
            b = b->next; /* it could not be committed */
        }
        if (b != NULL && b->due <= f->due) {
            b->round = f->round;
            found = stet__backlog_ref(b);
        } else if (b != NULL && b->due < *out_due) {
            *out_due = b->due;
        }
    }
    stet__mutex_unlock(s->os, &s->pipeline.seq);
    return found;
}

static stet_status flush_in_turn(stet *s, const flush *f, bool *out_did,
                                 int64_t *out_due, stet_error *err)
{
    stet_status first = STET_OK;
    stet_backlog *b = NULL;
    while ((b = next_of(s, f, out_due)) != NULL) {
        stet_error own = {0};
        stet_status st = flush_one(b, &own);
        if (st != STET_OK && f->due < INT64_MAX) {
            stet__backlog_put_off(b, f->due + retry_ns);
        }
        if (st != STET_OK && first == STET_OK) {
            first = st;
            if (err != NULL) {
                *err = own;
            }
        }
        *out_did = *out_did || st == STET_OK;
        stet__backlog_unref(b);
    }
    return first;
}

static stet_status flush_until(stet *s, int64_t due, bool *out_did,
                               int64_t *out_due, stet_error *err)
{
    stet_deferred *d = &s->deferred;
    *out_did = false;
    stet__turn_take(s->os, &d->flush_turn);
    flush f = {.due = due, .round = ++d->round};
    stet_status st = flush_in_turn(s, &f, out_did, out_due, err);
    stet__turn_give(s->os, &d->flush_turn);
    return st;
}

stet_status stet__deferred_step(stet *s, bool *out_did, int64_t *out_due,
                                stet_error *err)
{
    *out_did = false;
    *out_due = 0;
    /* Relaxed: who defers wakes the keeper after it. */
    if (atomic_load_explicit(&s->deferred.count, memory_order_relaxed) == 0) {
        return STET_OK;
    }
    stet_status st =
        flush_until(s, s->os->monotonic(s->os), out_did, out_due, err);
    *out_due = *out_due == INT64_MAX ? 0 : *out_due;
    return st;
}

stet_status stet__deferred_flush(stet *s, stet_error *err)
{
    bool did = false;
    int64_t due = 0;
    stet_status st = flush_until(s, INT64_MAX, &did, &due, err);
    /* What others took along may be on its way. */
    stet_status waited =
        stet__pipeline_drain(&s->pipeline, st == STET_OK ? err : NULL);
    return st == STET_OK ? waited : st;
}
