#include "engine/deferred.h"

#include <string.h>

#include "base/assert.h"
#include "base/error.h"
#include "base/mark.h"
#include "core/image.h"

/* ---- items ---- */

/* The slices of a change, which a copy has behind it. */
static stet_slice *slice_of(stet_change *c, size_t i)
{
    stet_slice *slices[] = {
        &c->id,       &c->payload,        &c->from_state,
        &c->to_state, &c->action,         &c->actor_id,
        &c->error,    &c->correlation_id, &c->causation_id,
        &c->metadata, &c->event_id,       &c->state_type,
        &c->version,  &c->reducer_name,   &c->machine_metadata,
        &c->parent,
    };
    return i < sizeof(slices) / sizeof(slices[0]) ? slices[i] : NULL;
}

size_t stet__deferred_bytes(const stet_change *change)
{
    stet_change c = *change;
    size_t bytes = sizeof(stet_deferred_item);
    for (size_t i = 0; slice_of(&c, i) != NULL; i++) {
        if (!stet__add(bytes, slice_of(&c, i)->len, &bytes)) {
            return SIZE_MAX;
        }
    }
    return bytes;
}

/* Copy a change, which occurs now if it does not say when. */
static stet_deferred_item *item_create(stet *s, const stet_change *change)
{
    size_t bytes = stet__deferred_bytes(change);
    stet_deferred_item *item = stet__alloc(&s->alloc, bytes);
    if (item == NULL) {
        return NULL;
    }
    *item = (stet_deferred_item){.bytes = bytes, .change = *change};
    char *at = (char *)(item + 1);
    for (size_t i = 0; slice_of(&item->change, i) != NULL; i++) {
        stet_slice *slice = slice_of(&item->change, i);
        if (slice->len > 0) {
            memcpy(at, slice->ptr, slice->len);
        }
        slice->ptr = at;
        at += slice->len;
    }
    item->change.timestamp = stet__change_time(change, s->os->now(s->os));
    item->change.flags |= STET_CHANGE_EPOCH; /* it is given, 1970 or not */
    return item;
}

static void item_free(stet *s, stet_deferred_item *item)
{
    if (item != NULL) {
        stet__free(&s->alloc, item, item->bytes);
    }
}

/* ---- backlogs ---- */

static stet_backlog *backlog_create(stet *s, stet_entry *entry)
{
    stet_backlog *b = stet__alloc_zeroed(&s->alloc, 1, sizeof *b);
    if (b != NULL) {
        b->s = s;
        b->entry = entry;
        atomic_init(&b->refs, 1);
    }
    return b;
}

stet_backlog *stet__backlog_ref(stet_backlog *b)
{
    /* Relaxed: who refers to it got it under `seq`. */
    atomic_fetch_add_explicit(&b->refs, 1, memory_order_relaxed);
    return b;
}

void stet__backlog_unref(stet_backlog *b)
{
    /* Release and acquire: what others did with it comes before the end. */
    if (b == NULL ||
        atomic_fetch_sub_explicit(&b->refs, 1, memory_order_acq_rel) > 1) {
        return;
    }
    stet *s = b->s;
    while (b->first != NULL) {
        stet_deferred_item *next = b->first->next;
        item_free(s, b->first);
        b->first = next;
    }
    stet__head_destroy(&s->alloc, b->head);
    if (b->entry != NULL) {
        stet__table_unpin(&s->table, b->entry);
    }
    stet__free(&s->alloc, b, sizeof *b);
}

/* Of one rule all wait as long: the newest is the last to be due. */
static void link_locked(stet_backlog *b)
{
    stet_backlog *before = b->list->last;
    while (before != NULL && before->due > b->due) {
        before = before->prev;
    }
    b->prev = before;
    b->next = before == NULL ? b->list->first : before->next;
    *(b->prev == NULL ? &b->list->first : &b->prev->next) = b;
    *(b->next == NULL ? &b->list->last : &b->next->prev) = b;
}

static void unlink_locked(stet_backlog *b)
{
    *(b->prev == NULL ? &b->list->first : &b->prev->next) = b->next;
    *(b->next == NULL ? &b->list->last : &b->next->prev) = b->prev;
}

static void count_locked(stet_deferred *d, uint64_t more, uint64_t fewer)
{
    /* Relaxed: changed under `seq` alone. */
    uint64_t count = atomic_load_explicit(&d->count, memory_order_relaxed);
    STET_ASSERT(count + more >= fewer);
    atomic_store_explicit(&d->count, count + more - fewer,
                          memory_order_relaxed);
}

void stet__backlog_end_locked(stet_backlog *b)
{
    stet_deferred *d = &b->s->deferred;
    STET_ASSERT(b->entry->backlog == b && d->bytes >= b->bytes);
    unlink_locked(b);
    b->entry->backlog = NULL;
    d->bytes -= b->bytes;
    count_locked(d, 0, b->count);
}

void stet__backlog_put_off(stet_backlog *b, int64_t due)
{
    stet__mutex_lock(b->s->os, &b->s->pipeline.seq);
    if (b->entry->backlog == b) {
        unlink_locked(b);
        b->due = due;
        link_locked(b);
    }
    stet__mutex_unlock(b->s->os, &b->s->pipeline.seq);
}

/* ---- deferring ---- */

bool stet__may_defer(const stet *s, const stet_batch *b)
{
    const stet_change *c = b->changes;
    if ((s->opts.rule_count == 0 && b->policy == NULL) ||
        b->change_count != 1 || b->condition_count != 0 || b->key.len != 0 ||
        b->level != STET_LEVEL_DEFAULT || c->expect.kind != STET_EXPECT_ANY) {
        return false;
    }
    stet_machine_key key = {c->id, c->ns};
    const stet_policy *policy =
        b->policy != NULL ? b->policy : &stet__rule_of(&s->opts, key)->policy;
    return !stet__policy_is_at_once(policy, c);
}

static const stet_policy *policy_of(const stet_job *job)
{
    return job->batch->policy != NULL ? job->batch->policy
                                      : &job->plans[0].rule->policy;
}

void stet__deferral_begin(stet_job *job)
{
    stet_deferral *d = job->deferral;
    stet_pipeline *p = &job->s->pipeline;
    stet_plan *plan = &job->plans[0];
    stet__backlog_unref(d->onto);
    item_free(job->s, d->sum);
    d->sum = NULL;
    stet__mutex_lock(p->os, &p->seq);
    d->onto = plan->claim.entry->backlog;
    if (d->onto != NULL) {
        (void)stet__backlog_ref(d->onto); /* under `seq`, so that it is there */
    }
    stet__mutex_unlock(p->os, &p->seq);
    plan->before = NULL;
    if (d->onto != NULL) {
        stet__plan_init(job->s, &d->under, plan->change);
        d->under.head = d->onto->head;
        d->under.claim.entry = plan->claim.entry;
        d->under.after = plan;
        plan->before = &d->under;
    }
}

/* Does one event stand for all that waits? */
static bool is_coalesced(const stet_job *job)
{
    return stet__traits_of(job->plans[0].rule)->is_coalesced;
}

/* Have the state after the plan, with what a reader may ask of it. */
static stet_status fold_result(stet_job *job, stet_error *err)
{
    stet_plan *plan = &job->plans[0];
    const stet_backlog *onto = job->deferral->onto;
    stet_box *box = plan->head->box;
    if (box == NULL) {
        stet_status st = stet__state_after(job->s, job->bench, plan, &box, err);
        if (st != STET_OK) {
            return st;
        }
        plan->head->box = box;
    }
    plan->head->is_carried = false;
    bool takes_place = onto != NULL && is_coalesced(job);
    plan->head->seq = plan->view.seq + (takes_place ? 0 : 1);
    stet_state *v = &box->view;
    v->seq = plan->head->seq;
    v->position = 0;
    v->updated_at = plan->change->timestamp;
    v->recorded_at = job->s->os->now(job->s->os);
    if (v->created_at == STET_TIME_UNSET) {
        v->created_at = onto == NULL ? plan->change->timestamp
                                     : onto->head->box->view.created_at;
    }
    return STET_OK;
}

/* What stands for all that waits where only the newest state counts. */
static stet_deferred_item *coalesce(stet_job *job)
{
    const stet_state *v = &job->plans[0].head->box->view;
    stet_change c = job->deferral->item->change;
    c.verb = c.verb == STET_VERB_TRANSITION ? c.verb : STET_VERB_SAVE;
    c.reducer = STET_REDUCER_SET;
    c.payload = v->state_data;
    c.to_state = v->current_state;
    c.state_type = v->state_type;
    c.version = v->version;
    c.machine_metadata = v->metadata;
    c.reducer_name = (stet_slice){NULL, 0};
    c.reducer_version = 0;
    return item_create(job->s, &c);
}

static stet_backlogs *list_of(const stet_job *job)
{
    const stet *s = job->s;
    size_t rule = (size_t)(job->plans[0].rule - s->opts.rules);
    bool is_own = job->batch->policy != NULL || rule >= s->opts.rule_count;
    return &s->deferred.lists[is_own ? s->opts.rule_count : rule];
}

/* Does it begin a backlog, or one in the place of another? */
static bool begins_backlog(const stet_job *job)
{
    return job->deferral->onto == NULL || is_coalesced(job);
}

/* Make what appending will need; under `seq` nothing is allocated. */
static bool make_ready(stet_job *job)
{
    stet_deferral *d = job->deferral;
    stet *s = job->s;
    d->due = stet__policy_due(policy_of(job), s->os->monotonic(s->os));
    if (!begins_backlog(job)) {
        return true;
    }
    if (d->fresh == NULL) {
        d->fresh = backlog_create(s, NULL);
    }
    if (d->onto != NULL) {
        d->sum = coalesce(job);
    }
    if (d->fresh == NULL || (d->onto != NULL && d->sum == NULL)) {
        return false;
    }
    d->fresh->list = d->onto == NULL ? list_of(job) : d->onto->list;
    d->fresh->due = d->onto == NULL ? d->due : d->onto->due;
    return true;
}

/* Has anything come between preparing and now? */
static bool has_moved_locked(const stet_job *job)
{
    const stet_plan *plan = &job->plans[0];
    const stet_entry *entry = plan->claim.entry;
    const stet_backlog *onto = job->deferral->onto;
    if (entry->backlog != onto) {
        return true;
    }
    uint64_t seq = entry->newest == NULL ? 0 : entry->newest->seq;
    return onto == NULL && seq != plan->view.seq;
}

/* What goes into the backlog. */
static stet_deferred_item **item_of(stet_deferral *d)
{
    return d->sum != NULL ? &d->sum : &d->item;
}

static bool has_room_locked(const stet_job *job)
{
    const stet *s = job->s;
    stet_deferral *d = job->deferral;
    size_t bytes = (*item_of(d))->bytes;
    size_t others = d->onto == NULL ? 0 : d->onto->bytes;
    if (begins_backlog(job)) {
        return s->deferred.bytes - others + bytes <= s->opts.deferred_bytes &&
               bytes <= s->opts.batch_bytes_max / 2;
    }
    return s->deferred.bytes + bytes <= s->opts.deferred_bytes &&
           others + bytes <= s->opts.batch_bytes_max / 2 &&
           d->onto->count + 1 < s->opts.batch_events_max;
}

static void append_locked(stet_job *job, stet_backlog *b)
{
    if (job->deferral->due < b->due) { /* its policy waits less long */
        unlink_locked(b);
        b->due = job->deferral->due;
        link_locked(b);
    }
    stet_deferred_item **item = item_of(job->deferral);
    stet_plan *plan = &job->plans[0];
    *(b->last == NULL ? &b->first : &b->last->next) = *item;
    b->last = *item;
    b->count++;
    b->bytes += (*item)->bytes;
    job->s->deferred.bytes += (*item)->bytes;
    count_locked(&job->s->deferred, 1, 0);
    *item = NULL;
    stet_head *older = b->head;
    b->head = plan->head;
    plan->head = older; /* goes with the plan */
}

/* Put a new backlog in its place, instead of `onto` if there is one. */
static void replace_locked(stet_job *job)
{
    stet_deferral *d = job->deferral;
    stet_backlog *b = d->fresh;
    b->entry = job->plans[0].claim.entry;
    if (d->onto != NULL) {
        stet__backlog_end_locked(d->onto);
        d->onto->next = NULL;
        job->emptied = d->onto; /* the entry's reference */
    }
    stet__table_pin_again(b->entry);
    b->entry->backlog = b;
    link_locked(b);
    append_locked(job, b);
    d->fresh = NULL;
}

stet_status stet__deferral_append(stet_job *job, stet_error *err)
{
    stet_deferral *d = job->deferral;
    stet *s = job->s;
    stet_status st = fold_result(job, err);
    if (st == STET_E_BUSY) {
        st = stet__job_await(job, job->plans[0].view.position, err);
        return st == STET_OK ? STET_E_BUSY : st;
    }
    if (st == STET_OK && !make_ready(job)) {
        st = stet__fail(err, STET_E_NOMEM, 0, "defer a write to %s",
                        stet__id_text(job->plans[0].change->id).text);
    }
    if (st != STET_OK) {
        return st;
    }
    bool is_sooner = true;
    stet__mutex_lock(s->os, &s->pipeline.seq);
    d->is_full = !has_room_locked(job);
    if (has_moved_locked(job) || d->is_full) {
        st = STET_E_BUSY;
    } else if (begins_backlog(job)) {
        replace_locked(job);
    } else {
        is_sooner = d->due < d->onto->due;
        append_locked(job, d->onto);
    }
    stet__mutex_unlock(s->os, &s->pipeline.seq);
    if (st == STET_OK && is_sooner) {
        stet__keeper_poke(s); /* it may be due before he wakes */
    }
    return st;
}

static stet_status run_deferral(stet *s, const stet_batch *batch,
                                stet_deferral *d, stet_error *err)
{
    stet_job job;
    stet_batch own = *batch;
    own.changes = &d->item->change;
    stet_status st = stet__job_init(&job, s, &own, NULL, NULL, err);
    if (st == STET_OK) {
        job.deferral = d;
        st = stet__job_run(&job, err);
        if (st != STET_OK && !d->is_full) {
            st = stet__job_refuse(&job, st, err);
        }
    }
    stet__job_deinit(&job);
    return st;
}

stet_status stet__defer(stet *s, const stet_batch *batch, stet_written *out,
                        bool *out_is_full, stet_error *err)
{
    const stet_change *c = batch->changes;
    stet_deferral d = {0};
    *out_is_full = stet__deferred_bytes(c) > s->opts.deferred_bytes;
    if (*out_is_full) {
        return STET_OK;
    }
    stet_status st = stet__change_check(s, c, err);
    if (st == STET_OK) {
        d.item = item_create(s, c);
        if (d.item == NULL) {
            st = stet__fail(err, STET_E_NOMEM, 0, "defer a write to %s",
                            stet__id_text(c->id).text);
        }
    }
    if (st != STET_OK) {
        return st;
    }
    uint64_t hash = stet__machine_hash((stet_machine_key){c->id, c->ns});
    stet_turn *turn = &s->deferred.turns[hash % STET_DEFERRED_TURNS];
    stet__turn_take(s->os, turn);
    st = run_deferral(s, batch, &d, err);
    stet__turn_give(s->os, turn);
    *out_is_full = d.is_full && st != STET_OK;
    item_free(s, d.item);
    item_free(s, d.sum);
    stet__backlog_unref(d.onto);
    stet__backlog_unref(d.fresh);
    if (st == STET_OK && out != NULL) {
        *out = (stet_written){.level = STET_LEVEL_MEMORY};
    }
    if (*out_is_full) {
        stet__error_reset(err);
        return STET_OK;
    }
    return st;
}

/* ---- looking ---- */

stet_box *stet__deferred_state(stet *s, stet_machine_key key)
{
    stet_box *box = NULL;
    uint64_t evictions = 0;
    stet_entry *e = stet__table_pin(&s->table, key, &evictions);
    if (e == NULL) {
        return NULL;
    }
    stet__mutex_lock(s->os, &s->pipeline.seq);
    if (e->backlog != NULL) {
        box = stet__box_ref(e->backlog->head->box);
    }
    stet__mutex_unlock(s->os, &s->pipeline.seq);
    stet__table_unpin(&s->table, e);
    return box;
}

/* ---- life ---- */

stet_status stet__deferred_init(stet *s, stet_error *err)
{
    stet_deferred *d = &s->deferred;
    d->list_count = s->opts.rule_count + 1;
    d->lists = stet__alloc_zeroed(&s->alloc, d->list_count, sizeof *d->lists);
    return d->lists != NULL
               ? STET_OK
               : stet__fail(err, STET_E_NOMEM, 0, "lists of deferred writes");
}

static void drop(stet *s, stet_backlog *b)
{
    stet__mutex_lock(s->os, &s->pipeline.seq);
    stet__backlog_end_locked(b);
    stet__mutex_unlock(s->os, &s->pipeline.seq);
    stet__backlog_unref(b);
}

void stet__deferred_deinit(stet *s)
{
    stet_deferred *d = &s->deferred;
    for (size_t i = 0; d->lists != NULL && i < d->list_count; i++) {
        while (d->lists[i].first != NULL) {
            drop(s, d->lists[i].first);
        }
    }
    stet__free(&s->alloc, d->lists, d->list_count * sizeof *d->lists);
    d->lists = NULL;
}
