#include "engine/job.h"

#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/checksum.h"
#include "base/error.h"
#include "base/mark.h"
#include "core/image.h"
#include "engine/deferred.h"
#include "engine/own.h"

/* ---- the key ---- */

static void hash_slice(uint64_t *hash, stet_slice s)
{
    *hash = stet__hash64_seed(s.ptr, s.len, *hash + s.len);
}

static uint64_t hash_number(uint64_t hash, uint64_t number)
{
    uint8_t bytes[8]; /* the check is kept on disk */
    stet__put_u64le(bytes, number);
    return stet__hash64_seed(bytes, sizeof(bytes), hash);
}

/*
 * What the caller said of the point that a fork begins at. Any but a seq leads
 * elsewhere once the parent goes on, while a repeat still says the same.
 */
static uint64_t parent_check(const stet_change *c, const stet_at *at)
{
    if (at == NULL) {
        return c->parent_seq;
    }
    uint64_t hash = (uint64_t)at->kind;
    switch (at->kind) {
    case STET_AT_SEQ:
        return c->parent_seq;
    case STET_AT_NEWEST:
        break;
    case STET_AT_TIME:
    case STET_AT_RECORDED:
        return hash_number(hash, (uint64_t)at->time);
    case STET_AT_POSITION:
        return hash_number(hash, at->seq);
    case STET_AT_CHECKPOINT:
        hash_slice(&hash, at->name);
        break;
    }
    return hash_number(hash, 0); /* as it is it might be a seq */
}

/* A hash of all that the caller said, for telling a repeat from a mistake. */
static uint64_t content_check(const stet_job *job)
{
    const stet_batch *in = job->batch;
    uint64_t hash = in->change_count - job->carried;
    for (size_t i = job->carried; i < in->change_count; i++) {
        const stet_change *c = &in->changes[i];
        const uint64_t numbers[] = {
            (uint64_t)c->verb,
            (uint64_t)c->reducer,
            (uint64_t)c->type,
            c->flags,
            c->ns,
            (uint64_t)c->timestamp,
            (uint64_t)c->duration_ns,
            parent_check(c, job->fork_at),
            c->reducer_version,
        };
        const stet_slice texts[] = {
            c->id,       c->payload,          c->from_state,
            c->to_state, c->action,           c->actor_id,
            c->error,    c->correlation_id,   c->causation_id,
            c->metadata, c->event_id,         c->state_type,
            c->version,  c->machine_metadata, c->reducer_name,
            c->parent,
        };
        for (size_t k = 0; k < sizeof(numbers) / sizeof(numbers[0]); k++) {
            hash = hash_number(hash, numbers[k]);
        }
        for (size_t k = 0; k < sizeof(texts) / sizeof(texts[0]); k++) {
            hash_slice(&hash, texts[k]);
        }
    }
    return hash;
}

static stet_status prepare_key(stet_job *job, stet_error *err)
{
    stet_slice key = job->batch->key;
    if (key.len == 0) {
        return STET_OK;
    }
    if (key.len > STET_KEY_BYTES_MAX) {
        return stet__fail(err, STET_E_INVALID, 0,
                          "the key has %zu bytes; the limit is %d", key.len,
                          STET_KEY_BYTES_MAX);
    }
    stet_plan *first = &job->plans[job->carried];
    stet__hash128(key.ptr, key.len, first->change->ns, job->key.key);
    job->key.check = content_check(job);
    first->key = &job->key;
    job->key_item = stet__alloc(&job->s->alloc, sizeof(*job->key_item));
    if (job->key_item == NULL) {
        return stet__fail(err, STET_E_NOMEM, 0, "idempotency key");
    }
    memcpy(job->key_item->key, job->key.key, sizeof(job->key.key));
    job->key_item->check = job->key.check;
    return STET_OK;
}

/* Ask the log for the key; sets `repeats` when it is there. */
static stet_status look_up_key(stet_job *job, stet_error *err)
{
    if (job->key_item == NULL) {
        return STET_OK;
    }
    uint64_t watermark = stet__watermark(&job->s->pipeline);
    stet_status st = job->s->log->ops->find_key(job->s->log, job->key.key,
                                                watermark, &job->repeats, err);
    job->keys_seen_below = watermark;
    if (st == STET_E_NOT_FOUND) {
        stet__error_reset(err);
        job->repeats = 0;
        return STET_OK;
    }
    return st;
}

/* ---- what a batch touches ---- */

static bool is_plan_of(const void *item, const void *key)
{
    return ((const stet_plan *)item)->claim.entry == key;
}

/* Pin every machine: those in memory together, the others one by one. */
static stet_status pin_machines(stet_job *job, stet_error *err)
{
    size_t count = job->batch->change_count;
    for (size_t i = 0; i < count; i++) {
        stet_plan *plan = &job->plans[i];
        plan->claim.key =
            (stet_machine_key){plan->change->id, plan->change->ns};
        plan->claim.view = &plan->view;
        stet__claims_add(&job->claims, &plan->claim);
    }
    stet__table_pin_all(&job->s->table, &job->claims);
    for (size_t i = 0; i < count; i++) {
        stet_claim *claim = &job->plans[i].claim;
        job->plans[i].is_viewed = claim->entry != NULL;
        stet_status st = claim->entry != NULL
                             ? STET_OK
                             : stet__resident(job->s, job->bench, claim->key,
                                              &claim->entry, err);
        if (st != STET_OK) {
            return st;
        }
    }
    return STET_OK;
}

/* Tie together the changes of one machine. */
static stet_status link_plans(stet_job *job, stet_error *err)
{
    stet_map *last = &job->bench->touched;
    size_t count = job->batch->change_count;
    for (size_t i = 0; count > 1 && i < count; i++) {
        stet_plan *plan = &job->plans[i];
        uint64_t hash = plan->claim.hash;
        plan->before =
            stet__map_find(last, hash, plan->claim.entry, is_plan_of);
        if (plan->before != NULL) {
            plan->before->after = plan;
            bool was_there = stet__map_remove(last, hash, plan->before);
            STET_ASSERT(was_there);
        }
        if (!stet__map_reserve(last)) {
            return stet__fail(err, STET_E_NOMEM, 0, "batch of %zu changes",
                              count);
        }
        stet__map_put(last, hash, plan);
    }
    return STET_OK;
}

static stet_status pin_conditions(stet_job *job, stet_error *err)
{
    for (size_t i = 0; i < job->batch->condition_count; i++) {
        const stet_condition *c = &job->batch->conditions[i];
        stet_machine_key key = {c->id, c->ns};
        stet_status st = stet__id_check(c->id, c->ns, err);
        if (st == STET_OK) {
            st = stet__expect_check(c->expect, err);
        }
        if (st == STET_OK) {
            st = stet__resident(job->s, job->bench, key, &job->conditions[i],
                                err);
        }
        if (st != STET_OK) {
            return st;
        }
    }
    return STET_OK;
}

static stet_status check_batch(stet *s, const stet_batch *batch,
                               stet_error *err)
{
    if (batch->change_count == 0 ||
        batch->change_count > s->opts.batch_events_max) {
        return stet__fail(
            err, batch->change_count == 0 ? STET_E_INVALID : STET_E_TOO_LARGE,
            0, "a batch of %zu changes; 1 to batch_events_max %u are allowed",
            batch->change_count, s->opts.batch_events_max);
    }
    if (batch->condition_count > s->opts.batch_events_max) {
        return stet__fail(err, STET_E_TOO_LARGE, 0,
                          "%zu conditions; %u are allowed",
                          batch->condition_count, s->opts.batch_events_max);
    }
    if (s->start.is_readonly) {
        return stet__fail(err, STET_E_READONLY, 0,
                          "the store was opened read-only");
    }
    stet_level reach = s->start.level == STET_LEVEL_MEMORY ? STET_LEVEL_MEMORY
                                                           : STET_LEVEL_DISK;
    if (batch->level < STET_LEVEL_DEFAULT || batch->level > reach) {
        return stet__fail(err, STET_E_INVALID, 0,
                          "level %s is asked for; this store reaches %s",
                          stet_level_name(batch->level),
                          stet_level_name(reach));
    }
    stet_status st = batch->policy == NULL
                         ? STET_OK
                         : stet__policy_check(batch->policy, err);
    for (size_t i = 0; st == STET_OK && i < batch->change_count; i++) {
        st = stet__change_check(s, &batch->changes[i], err);
    }
    return st;
}

/* A bench, and the memory that it has for a batch. */
static bool take_bench(stet_job *job)
{
    const stet_batch *b = job->batch;
    job->bench = stet__bench_take(&job->s->benches);
    if (job->bench == NULL) {
        return false;
    }
    /* No overflow: batch_events_max was looked at before. */
    size_t pins_bytes = b->condition_count * sizeof(stet_entry *);
    job->plans = stet__arena_alloc(&job->bench->batch,
                                   b->change_count * sizeof(stet_plan));
    for (size_t i = 0; job->plans != NULL && i < b->change_count; i++) {
        stet__plan_init(job->s, &job->plans[i], &b->changes[i]);
    }
    if (job->plans == NULL || pins_bytes == 0) {
        return job->plans != NULL;
    }
    job->conditions = stet__arena_alloc(&job->bench->batch, pins_bytes);
    if (job->conditions != NULL) {
        memset(job->conditions, 0, pins_bytes);
    }
    return job->conditions != NULL;
}

static bool take_answers(stet_job *job)
{
    size_t count = job->batch->change_count;
    job->written =
        count == 1 ? &job->one
                   : stet__alloc(&job->s->alloc, count * sizeof(stet_written));
    return job->written != NULL;
}

/* Tell the plans that begin with what was deferred. */
static void bind_backlogs(stet_job *job, const stet_taken *taken)
{
    stet_plan *plan = job->plans;
    for (size_t i = 0; i < taken->backlog_count; i++) {
        plan->backlog = taken->backlogs[i];
        plan->backlog_count = taken->counts[i];
        plan += taken->counts[i];
    }
}

stet_status stet__job_init(stet_job *job, stet *s, const stet_batch *batch,
                           const stet_taken *taken, const stet_at *fork_at,
                           stet_error *err)
{
    *job = (stet_job){.s = s,
                      .batch = batch,
                      .carried = taken == NULL ? 0 : taken->carried,
                      .fork_at = fork_at};
    STET_ASSERT(fork_at == NULL || batch->change_count - job->carried == 1);
    for (size_t i = 0; i < batch->change_count; i++) {
        const stet_change *c = &batch->changes[i];
        job->is_pin =
            job->is_pin || c->verb == STET_VERB_FORK ||
            (c->ns == STET_STORE_NAMESPACE && stet__own_is_pin(c->id));
    }
    stet_status st = check_batch(s, batch, err);
    if (st == STET_OK && !(take_answers(job) && take_bench(job))) {
        st = stet__fail(err, STET_E_NOMEM, 0, "batch of %zu changes",
                        batch->change_count);
    }
    if (st == STET_OK) {
        st = prepare_key(job, err);
    }
    if (st != STET_OK) {
        return st;
    }
    if (taken != NULL) {
        bind_backlogs(job, taken);
    }
    st = pin_machines(job, err);
    if (st == STET_OK) {
        st = link_plans(job, err);
    }
    return st == STET_OK ? pin_conditions(job, err) : st;
}

static void give_heads(stet_job *job)
{
    while (job->garbage != NULL) {
        stet_head *older = job->garbage->older;
        stet__heads_give(&job->bench->heads, &job->s->alloc, job->garbage);
        job->garbage = older;
    }
}

void stet__job_rest(stet_job *job)
{
    stet *s = job->s;
    if (job->bench == NULL) {
        return;
    }
    size_t count = job->plans == NULL ? 0 : job->batch->change_count;
    for (size_t i = 0; i < count; i++) {
        stet__plan_deinit(s, job->bench, &job->plans[i]);
        if (job->plans[i].claim.entry != NULL) {
            stet__table_unpin(&s->table, job->plans[i].claim.entry);
        }
    }
    count = job->conditions == NULL ? 0 : job->batch->condition_count;
    for (size_t i = 0; i < count; i++) {
        if (job->conditions[i] != NULL) {
            stet__table_unpin(&s->table, job->conditions[i]);
        }
    }
    give_heads(job);
    stet__bench_give(&s->benches, job->bench);
    job->plans = NULL;
    job->conditions = NULL;
    job->bench = NULL;
}

void stet__job_deinit(stet_job *job)
{
    const stet_allocator *a = &job->s->alloc;
    stet__job_rest(job);
    while (job->emptied != NULL) {
        stet_backlog *next = job->emptied->next;
        stet__backlog_unref(job->emptied);
        job->emptied = next;
    }
    stet__free(a, job->key_item, sizeof(stet_key_item));
    stet__key_items_free(a, job->old_keys);
    if (job->written != &job->one) {
        stet__free(a, job->written,
                   job->batch->change_count * sizeof(stet_written));
    }
}

/* ---- running ---- */

/* The newest head that preparing has looked at; 0: none. */
static uint64_t newest_seen(const stet_job *job)
{
    uint64_t newest = 0;
    for (size_t i = 0; i < job->batch->change_count; i++) {
        if (job->plans[i].view.position > newest) {
            newest = job->plans[i].view.position;
        }
    }
    return newest;
}

stet_status stet__job_await(const stet_job *job, uint64_t position,
                            stet_error *err)
{
    if (position == 0) {
        return STET_OK;
    }
    STET_MARK("job.waits_for_a_head");
    stet_status st =
        stet__pipeline_wait(&job->s->pipeline, NULL, position, 0, err);
    /* That write's outcome is unknown; this one's is known: not stored. */
    return st == STET_OK
               ? STET_OK
               : stet__wrap(err, STET_E_READONLY, "the write before this one");
}

stet_status stet__job_refuse(const stet_job *job, stet_status st,
                             stet_error *err)
{
    stet_error lost = {0};
    stet_status waited = stet__job_await(job, job->judged, &lost);
    if (waited != STET_OK && err != NULL) {
        *err = lost;
    }
    return waited == STET_OK ? st : waited;
}

/* Prepare all plans, in order: a later one may build on an earlier one. */
static stet_status prepare_once(stet_job *job, stet_plan_mode mode,
                                size_t *out_bytes, stet_error *err)
{
    *out_bytes = 0;
    for (size_t i = 0; i < job->batch->change_count; i++) {
        stet_plan *plan = &job->plans[i];
        stet_status st =
            stet__plan_prepare(job->s, job->bench, plan, mode, err);
        stet__arena_reset(&job->bench->arena);
        if (st != STET_OK) {
            return st;
        }
        *out_bytes += plan->tail_bytes;
    }
    return STET_OK;
}

/* Prepare, again while states are waited for and attempts are left. */
static stet_status prepare_plans(stet_job *job, stet_error *err)
{
    size_t bytes = 0;
    stet_status st = STET_E_BUSY;
    while (st == STET_E_BUSY && job->attempts < STET_ATTEMPTS_MAX) {
        stet_plan_mode mode = {.is_plain =
                                   job->attempts >= STET_ATTEMPTS_SMALL};
        job->attempts++;
        if (job->deferral != NULL) {
            stet__deferral_begin(job);
        }
        st = prepare_once(job, mode, &bytes, err);
        if (st == STET_E_BUSY) {
            stet_status waited = stet__job_await(job, newest_seen(job), err);
            st = waited == STET_OK ? STET_E_BUSY : waited;
        }
    }
    if (st == STET_OK && bytes > job->s->opts.batch_bytes_max) {
        return stet__fail(err, STET_E_TOO_LARGE, 0,
                          "the batch encodes to %zu bytes; the limit "
                          "batch_bytes_max is %u",
                          bytes, job->s->opts.batch_bytes_max);
    }
    return st;
}

static void fill(stet_job *job)
{
    for (size_t i = 0; i < job->batch->change_count; i++) {
        const stet_plan *plan = &job->plans[i];
        memcpy(plan->at, plan->tail, plan->tail_bytes);
    }
    stet__pipeline_filled(&job->s->pipeline, job->room.group);
}

/*
 * Sequence what was prepared, making room as often as it takes. STET_E_BUSY: a
 * head moved, prepare again.
 */
static stet_status sequence(stet_job *job, stet_error *err)
{
    for (;;) {
        stet_lack lack;
        stet_status st = stet__job_sequence(job, &lack, err);
        job->met_backlog = lack.met_backlog;
        job->is_shed = lack.is_shed;
        if (st != STET_E_BUSY || lack.is_stale || lack.met_backlog ||
            lack.is_shed) {
            return st;
        }
        if (lack.is_gate_closed) {
            stet__pipeline_work_await(&job->s->pipeline);
            continue;
        }
        if (lack.ring_slots > 0) {
            st = stet__job_grow_ring(job, lack.ring_slots, err);
        } else {
            stet__settler_throttle(job->s, lack.room_bytes);
            st = stet__pipeline_make_room(&job->s->pipeline, lack.room_bytes,
                                          err);
        }
        if (st != STET_OK) {
            return st;
        }
    }
}

/*
 * A batch that cannot be prepared may still be a repeat: what it fails on is
 * then what the first call with its key did, which the log does not show yet.
 * Ring before log: what leaves the ring is in the log already.
 */
static stet_status refuse_unless_repeat(stet_job *job, stet_status st,
                                        stet_error *err)
{
    if (job->key_item == NULL) {
        return st;
    }
    stet__job_find_key(job);
    if (job->repeats == 0 && look_up_key(job, NULL) != STET_OK) {
        return st;
    }
    if (job->repeats != 0) {
        stet__error_reset(err);
        return STET_OK;
    }
    return st;
}

/* Is another attempt of any use? */
static bool may_try_again(const stet_job *job)
{
    return job->attempts < STET_ATTEMPTS_MAX && !job->met_backlog &&
           !job->is_shed && (job->deferral == NULL || !job->deferral->is_full);
}

stet_status stet__job_run(stet_job *job, stet_error *err)
{
    stet_status st = STET_E_BUSY;
    while (st == STET_E_BUSY && may_try_again(job)) {
        st = look_up_key(job, err);
        if (st != STET_OK || job->repeats != 0) {
            return st;
        }
        st = prepare_plans(job, err);
        if (st != STET_OK && st != STET_E_BUSY) {
            /* Perhaps it is right on what waits to be written. */
            job->met_backlog =
                job->deferral == NULL && stet__job_meets_backlog(job);
            job->is_refused_on_carried = job->carried > 0;
            job->judged = newest_seen(job);
            return job->met_backlog ? STET_E_BUSY
                                    : refuse_unless_repeat(job, st, err);
        }
        if (st == STET_OK) {
            st = job->deferral == NULL ? sequence(job, err)
                                       : stet__deferral_append(job, err);
        }
    }
    if (st == STET_OK && job->repeats == 0 && job->deferral == NULL) {
        fill(job);
    }
    if (job->is_shed) {
        return stet__fail(err, STET_E_BUSY, 0,
                          "the queue of writes is full; try again");
    }
    if (st == STET_E_BUSY) {
        return stet__fail(err, STET_E_BUSY, 0,
                          "%s is written by too many at once; try again",
                          stet__id_text(job->batch->changes[0].id).text);
    }
    return st;
}
