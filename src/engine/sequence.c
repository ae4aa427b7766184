/*
 * The sequenced section: what is decided one batch at a time.
 *
 * Under `seq`: judge expected versions, conditions and the key against pending
 * heads, find room, give seqs and positions, write record heads, link the new
 * heads. No I/O, no hash of a body, no callback; memory was taken before, or is
 * what is lacked (stet_lack).
 */
#include <string.h>

#include "base/assert.h"
#include "base/error.h"
#include "base/mark.h"
#include "core/image.h"
#include "engine/deferred.h"
#include "engine/job.h"

enum {
    /* Head of a record without id and name: fixed fields and varints. */
    STET_RECORD_HEAD_FIXED = 96,
};

/* The head a plan goes on: of the plan before it, or of the machine. */
static stet_head *head_before(const stet_plan *plan)
{
    return plan->before != NULL ? plan->before->head
                                : plan->claim.entry->newest;
}

/* ---- judging ---- */

static bool is_expected(stet_expect expect, const stet_head *newest)
{
    bool is_there = newest != NULL && !newest->is_deleted;
    switch (expect.kind) {
    case STET_EXPECT_ANY:
        return true;
    case STET_EXPECT_NONE:
        return !is_there;
    case STET_EXPECT_EXISTS:
        return is_there;
    case STET_EXPECT_EXACT:
        return is_there && newest->seq == expect.seq;
    }
    return false;
}

/* What a verb expects by itself. */
static stet_expect expectation_of(const stet_change *c)
{
    stet_expect expect = c->expect;
    if (expect.kind == STET_EXPECT_ANY &&
        (c->verb == STET_VERB_CREATE || c->verb == STET_VERB_FORK)) {
        expect.kind = STET_EXPECT_NONE;
    }
    if (expect.kind == STET_EXPECT_ANY && c->verb == STET_VERB_DELETE) {
        expect.kind = STET_EXPECT_EXISTS;
    }
    return expect;
}

static stet_status refuse(stet_job *job, stet_slice id, stet_expect expect,
                          const stet_head *newest, stet_error *err)
{
    job->judged = newest == NULL ? 0 : newest->position;
    stet_id_text name = stet__id_text(id);
    if (expect.kind == STET_EXPECT_NONE) {
        return stet__fail(err, STET_E_EXISTS, 0, "%s is there, at seq %llu",
                          name.text, (unsigned long long)newest->seq);
    }
    if (newest == NULL || newest->is_deleted) {
        return stet__fail(err, STET_E_NOT_FOUND, 0, "%s is not there",
                          name.text);
    }
    return stet__fail(err, STET_E_CONFLICT, 0,
                      "%s is at seq %llu, not at the expected %llu", name.text,
                      (unsigned long long)newest->seq,
                      (unsigned long long)expect.seq);
}

static stet_status judge_locked(stet_job *job, stet_error *err)
{
    for (size_t i = 0; i < job->batch->condition_count; i++) {
        const stet_condition *c = &job->batch->conditions[i];
        const stet_head *newest = job->conditions[i]->newest;
        if (!is_expected(c->expect, newest)) {
            return refuse(job, c->id, c->expect, newest, err);
        }
    }
    for (size_t i = 0; i < job->batch->change_count; i++) {
        const stet_plan *plan = &job->plans[i];
        if (plan->before != NULL) {
            continue;
        }
        stet_expect expect = expectation_of(plan->change);
        const stet_head *newest = plan->claim.entry->newest;
        if (!is_expected(expect, newest)) {
            return refuse(job, plan->change->id, expect, newest, err);
        }
        if (plan->change->verb == STET_VERB_FORK && newest != NULL) {
            job->judged = newest->position;
            return stet__fail(err, STET_E_EXISTS, 0,
                              "%s was used before; a fork needs a new id",
                              stet__id_text(plan->change->id).text);
        }
    }
    return STET_OK;
}

/* Is the key on the ring, or was the log asked too long ago? */
static stet_status judge_key_locked(stet_job *job, stet_lack *lack)
{
    if (job->key_item == NULL) {
        return STET_OK;
    }
    stet_keyring *ring = &job->s->keys;
    const stet_key_item *known = stet__keyring_find(ring, job->key.key);
    if (known != NULL) {
        STET_MARK("sequence.key_on_the_ring");
        job->repeats = known->position;
        return STET_OK;
    }
    if (job->keys_seen_below < ring->floor) {
        STET_MARK("sequence.key_looked_up_too_early");
        lack->is_stale = true;
        return STET_E_BUSY;
    }
    lack->ring_slots = stet__keyring_wants(ring);
    return lack->ring_slots == 0 ? STET_OK : STET_E_BUSY;
}

/* Was less left since, of what this rests on? */
static bool is_outdated(const stet_job *job, uint64_t seen)
{
    /* Relaxed: it only changes under `seq`. */
    return seen !=
           atomic_load_explicit(&job->s->pins.cuts, memory_order_relaxed);
}

/* Does something wait that would have to go first? */
static bool meets_backlog_locked(const stet_job *job)
{
    /* Relaxed: it rises under `seq`. */
    if (job->carried == 0 && atomic_load_explicit(&job->s->deferred.count,
                                                  memory_order_relaxed) == 0) {
        return false;
    }
    for (size_t i = 0; i < job->batch->change_count; i++) {
        const stet_plan *plan = &job->plans[i];
        const stet_backlog *waits = plan->claim.entry->backlog;
        if (plan->before == NULL &&
            (waits != plan->backlog ||
             (waits != NULL && waits->count != plan->backlog_count))) {
            return true;
        }
    }
    return false;
}

static bool is_any_stale(const stet_job *job)
{
    if (job->cuts_seen != 0 && is_outdated(job, job->cuts_seen)) {
        return true;
    }
    for (size_t i = 0; i < job->batch->change_count; i++) {
        const stet_plan *plan = &job->plans[i];
        if (plan->before == NULL &&
            stet__plan_is_stale(job->s, plan, plan->claim.entry->newest)) {
            return true;
        }
        if (plan->change->verb == STET_VERB_FORK &&
            is_outdated(job, plan->cuts_seen)) {
            STET_MARK("sequence.fork_of_what_was_cut");
            return true;
        }
    }
    return false;
}

/* ---- placing ---- */

static stet_slice from_of(const stet_plan *plan, const stet_head *before)
{
    stet_slice given = plan->change->from_state;
    if (given.len > 0 || plan->change->verb != STET_VERB_TRANSITION ||
        before == NULL || before->is_deleted) {
        return given;
    }
    return stet_slice_of(before->name, before->name_bytes);
}

static size_t bound_of(const stet_plan *plan)
{
    stet_slice from = from_of(plan, head_before(plan));
    return STET_RECORD_HEAD_FIXED + plan->change->id.len + from.len +
           plan->tail_bytes;
}

/* Where the lineage stands before this plan; zero for a new machine. */
static stet_point point_before(const stet_plan *plan, const stet_head *before)
{
    if (plan->change->verb == STET_VERB_FORK) {
        return plan->fork_point;
    }
    if (before == NULL) {
        return (stet_point){0, 0, INT64_MIN};
    }
    return (stet_point){before->seq, before->position, before->occurred_max};
}

static void set_record(stet_plan *plan, const stet_head *before,
                       uint64_t position, int64_t recorded)
{
    stet_record *r = &plan->record;
    stet_point point = point_before(plan, before);
    int64_t occurred = stet__change_time(plan->change, recorded);
    int64_t max = point.occurred_max > occurred ? point.occurred_max : occurred;
    r->seq = point.seq + 1;
    r->back = point.position == 0 ? 0 : position - point.position;
    bool is_base = (r->flags & STET_RECORD_BASE) != 0;
    uint64_t depth = plan->change->verb == STET_VERB_FORK ? plan->view.depth
                     : before == NULL                     ? 0
                                                          : before->depth;
    r->depth = is_base ? 0 : depth + 1;
    r->occurred_delta = occurred - recorded;
    r->occurred_max_over = (uint64_t)(max - occurred);
    if (r->occurred_max_over != 0) {
        r->flags |= STET_RECORD_HAS_OCCURRED_MAX;
    }
    r->from = from_of(plan, before);
    if (r->from.len > 0) {
        r->flags |= STET_RECORD_HAS_FROM;
    }
}

/* When the machine was made that an earlier change of this batch made. */
static int64_t created_before(const stet_head *h)
{
    while (h->box == NULL) {
        h = h->older;
    }
    return h->box->view.created_at;
}

/* Tell a state what only sequencing knows. */
static void stamp_box(stet_box *box, const stet_head *h,
                      const stet_head *before, int64_t occurred,
                      int64_t recorded)
{
    stet_state *v = &box->view;
    v->seq = h->seq;
    v->position = h->position;
    v->updated_at = occurred;
    v->recorded_at = recorded;
    if (v->created_at == STET_TIME_UNSET) {
        bool is_made_now = before == NULL || before->is_deleted;
        v->created_at = is_made_now ? occurred : created_before(before);
    }
}

/* What the table keeps of the event. */
static void set_head(stet_plan *plan, const stet_head *before,
                     uint64_t position, const stet_frame *frame)
{
    stet_head *h = plan->head;
    const stet_record *r = &plan->record;
    int64_t occurred = frame->recorded + r->occurred_delta;
    bool is_base = (r->flags & STET_RECORD_BASE) != 0;
    bool is_fork = plan->change->verb == STET_VERB_FORK;
    h->seq = r->seq;
    h->position = position;
    h->occurred_max = occurred + (int64_t)r->occurred_max_over;
    h->occurred = occurred;
    h->recorded = frame->recorded;
    h->depth = r->depth;
    h->state_bytes = stet__plan_state_bytes(
        plan, before == NULL ? plan->view.state_bytes : before->state_bytes);
    h->file = frame->file;
    if (!is_base) {
        uint64_t bytes = is_fork || before == NULL ? plan->view.body_bytes
                                                   : before->body_bytes;
        uint32_t turns =
            is_fork || before == NULL ? plan->view.turns : before->turns;
        h->body_bytes = bytes + r->body.len;
        h->turns = turns + (before != NULL && before->file != frame->file);
    }
    if (h->box != NULL) {
        stamp_box(h->box, h, before, occurred, frame->recorded);
    }
}

static void place_locked(stet_job *job, stet_plan *plan, uint64_t position,
                         size_t *used)
{
    stet *s = job->s;
    const stet_frame *frame = &job->room.group->frame;
    stet_head *before = head_before(plan);
    stet__plan_settle(plan, before);
    set_record(plan, before, position, frame->recorded);
    uint8_t *at = job->room.at + *used;
    size_t head_bytes = stet__record_put_head(&plan->record, plan->tail_bytes,
                                              plan->tail_crc, at);
    plan->at = at + head_bytes;
    *used += head_bytes + plan->tail_bytes;
    set_head(plan, before, position, frame);
    job->written[plan - job->plans] = (stet_written){
        .seq = plan->head->seq, .position = position, .level = s->start.level};
    /* Changes of the machine behind it in the batch look past it already. */
    plan->head->older = before;
    plan->claim.head = plan->head;
}

/* Give the machines their heads. */
static void link_heads_locked(stet_job *job)
{
    stet_head *gone = stet__table_link_all(&job->s->table, &job->claims);
    while (gone != NULL) {
        stet_head *older = gone->older;
        gone->older = job->garbage;
        job->garbage = gone;
        gone = older;
    }
    for (size_t i = 0; i < job->batch->change_count; i++) {
        job->plans[i].head = NULL;
    }
}

/* What waited is about to be written. */
static void end_backlogs_locked(stet_job *job)
{
    for (size_t i = 0; i < job->carried; i += job->plans[i].backlog_count) {
        stet_backlog *backlog = job->plans[i].backlog;
        stet__backlog_end_locked(backlog);
        backlog->next = job->emptied;
        job->emptied = backlog;
    }
}

static void count_locked(stet_counters *c, const stet_plan *plan)
{
    if (plan->change->ns != STET_STORE_NAMESPACE) {
        c->saves++;
        c->bases += (plan->record.flags & STET_RECORD_BASE) != 0;
        c->restores += plan->change->verb == STET_VERB_RESTORE;
        c->raw_bytes += plan->change->payload.len;
    }
}

static void place_batch_locked(stet_job *job)
{
    size_t count = job->batch->change_count;
    size_t used = 0;
    for (size_t i = 0; i < count; i++) {
        stet_plan *plan = &job->plans[i];
        plan->record.flags |= i == 0 ? STET_RECORD_BATCH_FIRST : 0;
        plan->record.flags |= i + 1 == count ? STET_RECORD_BATCH_LAST : 0;
        place_locked(job, plan, job->room.first_position + i, &used);
        count_locked(&job->s->counters, plan);
    }
    link_heads_locked(job);
    end_backlogs_locked(job);
    stet__pipeline_take_locked(&job->s->pipeline, &job->room, used,
                               (uint32_t)count);
    if (job->is_pin) {
        job->s->pins.last = job->room.first_position + count - 1;
    }
    if (job->key_item != NULL) {
        job->key_item->position = job->room.first_position + job->carried;
        stet__keyring_put(&job->s->keys, job->key_item);
        job->key_item = NULL;
        job->old_keys = stet__keyring_trim(&job->s->keys,
                                           stet__watermark(&job->s->pipeline));
    }
}

static stet_status sequence_locked(stet_job *job, stet_lack *lack,
                                   stet_error *err)
{
    job->judged = 0;
    stet_status st = judge_key_locked(job, lack);
    if (st != STET_OK || job->repeats != 0) {
        return st;
    }
    if (meets_backlog_locked(job)) {
        STET_MARK("sequence.met_a_backlog");
        lack->met_backlog = true;
        return STET_E_BUSY;
    }
    st = judge_locked(job, err);
    if (st != STET_OK) {
        return st;
    }
    if (job->is_pin && job->s->pins.is_gate_closed) {
        STET_MARK("sequence.gate_is_closed");
        lack->is_gate_closed = true;
        return STET_E_BUSY;
    }
    if (is_any_stale(job)) {
        STET_MARK("sequence.stale_plan");
        lack->is_stale = true;
        return STET_E_BUSY;
    }
    for (size_t i = 0; i < job->batch->change_count; i++) {
        lack->room_bytes += bound_of(&job->plans[i]);
    }
    if (job->queued_most != 0 &&
        stet__pipeline_refuses_locked(&job->s->pipeline, lack->room_bytes,
                                      job->queued_most)) {
        lack->is_shed = true;
        return STET_E_BUSY;
    }
    st = stet__pipeline_room_locked(&job->s->pipeline, lack->room_bytes,
                                    &job->room, err);
    if (st == STET_OK) {
        place_batch_locked(job);
    }
    return st;
}

bool stet__job_meets_backlog(const stet_job *job)
{
    stet_pipeline *p = &job->s->pipeline;
    stet__mutex_lock(p->os, &p->seq);
    bool is_met = meets_backlog_locked(job);
    stet__mutex_unlock(p->os, &p->seq);
    return is_met;
}

void stet__job_find_key(stet_job *job)
{
    stet_pipeline *p = &job->s->pipeline;
    stet__mutex_lock(p->os, &p->seq);
    const stet_key_item *known =
        stet__keyring_find(&job->s->keys, job->key.key);
    job->repeats = known == NULL ? 0 : known->position;
    stet__mutex_unlock(p->os, &p->seq);
}

stet_status stet__job_grow_ring(stet_job *job, size_t slots, stet_error *err)
{
    stet_pipeline *p = &job->s->pipeline;
    stet_map map;
    if (!stet__map_init_slots(&map, &job->s->alloc, slots)) {
        return stet__fail(err, STET_E_NOMEM, 0, "idempotency key");
    }
    stet__mutex_lock(p->os, &p->seq);
    stet__keyring_grow(&job->s->keys, &map);
    stet__mutex_unlock(p->os, &p->seq);
    stet__map_deinit(&map);
    return STET_OK;
}

stet_status stet__job_sequence(stet_job *job, stet_lack *lack, stet_error *err)
{
    stet_pipeline *p = &job->s->pipeline;
    *lack = (stet_lack){0};
    stet__mutex_lock(p->os, &p->seq);
    stet_status st = sequence_locked(job, lack, err);
    stet__mutex_unlock(p->os, &p->seq);
    return st;
}
