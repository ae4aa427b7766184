/* The public writes: every one of them is a batch through stet__commit. */
#include <string.h>

#include <stet/write.h>

#include "base/error.h"
#include "base/mark.h"
#include "engine/deferred.h"

/* ---- repeats ---- */

static stet_status foreign_key(const stet_job *job, stet_error *err)
{
    const stet_change *first = &job->batch->changes[job->carried];
    return stet__fail(err, STET_E_INVALID, 0,
                      "the key of %s was used for other content",
                      stet__id_text(first->id).text);
}

/* Of its changes, those that the caller asked for. */
static size_t asked_count(const stet_job *job)
{
    return job->batch->change_count - job->carried;
}

/* Read the i-th event of the batch that had the key first, once durable. */
static stet_status read_repeated(stet_job *job, size_t i, stet_record *out,
                                 stet_error *err)
{
    stet *s = job->s;
    uint64_t position = job->repeats + i;
    stet_status st = stet__pipeline_wait(&s->pipeline, NULL, position, 0, NULL);
    if (st != STET_OK) {
        return stet__fail(err, st, 0, "the first call with this key");
    }
    stet_logged l = {0};
    size_t bytes = 0;
    st = s->log->ops->reader_read(job->bench->reader, position, &l, err);
    return st == STET_OK ? stet__record_parse(l.bytes, out, &bytes, err) : st;
}

/* Answer as the first call with this key was answered. */
static stet_status answer_repeat(stet_job *job, stet_error *err)
{
    for (size_t i = 0; i < asked_count(job); i++) {
        stet_record r = {0};
        stet_status st = read_repeated(job, i, &r, err);
        if (st != STET_OK) {
            return st;
        }
        /* Equal checks mean equal batches, so the others are there too. */
        if (i == 0 && r.key_check != job->key.check) {
            return foreign_key(job, err);
        }
        job->written[job->carried + i] =
            (stet_written){.seq = r.seq,
                           .position = job->repeats + i,
                           .level = job->s->start.level,
                           .is_repeat = true};
    }
    return STET_OK;
}

/* ---- committing ---- */

/* Sync where the call asks for more than the store's level. */
static stet_status raise_level(stet_job *job, stet_error *err)
{
    stet *s = job->s;
    if (job->batch->level <= s->start.level) {
        return STET_OK;
    }
    STET_MARK("write.level_raised");
    stet_status st = stet__pipeline_sync(&s->pipeline, err);
    for (size_t i = 0; st == STET_OK && i < job->batch->change_count; i++) {
        job->written[i].level = STET_LEVEL_DISK;
    }
    return st;
}

/* Wait until what was sequenced, or repeated, is as durable as was asked. */
static stet_status finish(stet_job *job, stet_error *err)
{
    const stet_written *last = &job->written[job->batch->change_count - 1];
    stet_status st = STET_OK;
    if (job->repeats == 0) {
        st = stet__pipeline_wait(&job->s->pipeline, job->room.group,
                                 last->position, 0, err);
    }
    return st == STET_OK ? raise_level(job, err) : st;
}

static void give(const stet_job *job, stet_written *out, stet_ticket *ticket)
{
    for (size_t i = 0; out != NULL && i < asked_count(job); i++) {
        out[i] = job->written[job->carried + i];
    }
    if (ticket != NULL) {
        const stet_written *last = &job->written[job->batch->change_count - 1];
        *ticket =
            (stet_ticket){last->position, last->seq, job->repeats != 0 ? 1 : 0};
    }
}

/*
 * Run a job that was begun, and give its answers. Once it is sequenced others
 * may defer again to what was `taken` (nullable).
 */
static stet_status run(stet_job *job, stet_taken *taken, stet_written *out,
                       stet_ticket *ticket, stet_error *err)
{
    stet_status st = stet__job_run(job, err);
    if (taken != NULL) {
        stet__taken_give_turns(taken);
    }
    if (st != STET_OK) {
        st = job->met_backlog ? st : stet__job_refuse(job, st, err);
    } else if (job->repeats != 0) {
        st = answer_repeat(job, err);
    } else {
        stet__job_rest(job);
        if (ticket != NULL) {
            stet__committer_poke(job->s);
        }
    }
    if (st == STET_OK && ticket == NULL) {
        st = finish(job, err);
    }
    if (st == STET_OK) {
        give(job, out, ticket);
    }
    return st;
}

/* Who asks for what, and gets which answers. */
typedef struct request {
    const stet_batch *batch;
    const stet_at *fork_at;
    stet_written *out;
    stet_ticket *ticket;
    bool is_async; /* nobody waits for it */
} request;

/* What may be queued before a write is refused; 0: it waits. */
static uint64_t queued_most(const stet *s, bool is_async)
{
    switch (s->opts.queue_full) {
    case STET_QUEUE_BLOCK:
        return 0;
    case STET_QUEUE_REFUSE:
        return s->opts.queue_bytes;
    case STET_QUEUE_SHED:
        return is_async ? s->opts.queue_bytes / 4 * 3 : 0;
    }
    return 0;
}

/* Commit, with what was taken of deferred writes in front. */
static stet_status commit_once(stet *s, const request *q, stet_taken *taken,
                               bool *out_again, stet_error *err)
{
    stet_job job;
    bool is_taken = taken->backlog_count > 0;
    stet_status st =
        stet__job_init(&job, s, is_taken ? &taken->batch : q->batch,
                       is_taken ? taken : NULL, q->fork_at, err);
    if (st == STET_OK) {
        job.queued_most = queued_most(s, q->is_async);
        st = run(&job, taken, q->out, q->ticket, err);
    }
    bool is_met = job.met_backlog;
    bool is_refused = job.is_refused_on_carried;
    *out_again = is_met || is_refused;
    if (*out_again) {
        stet__error_reset(err);
        st = is_met && !is_taken ? stet__taken_collect(taken, &job, err)
                                 : STET_OK;
    }
    stet__job_deinit(&job);
    if (is_refused) {
        st = stet__taken_flush(taken, err);
    } else if (is_met && is_taken) {
        /* It has changed: look again at what is asked for alone. */
        stet__taken_deinit(taken);
    }
    return st;
}

static stet_status commit_now(stet *s, const request *q, stet_error *err)
{
    stet_taken taken = {0};
    bool is_again = true;
    stet_status st = STET_OK;
    for (int i = 0; st == STET_OK && is_again && i < STET_ATTEMPTS_MAX; i++) {
        st = commit_once(s, q, &taken, &is_again, err);
    }
    stet__taken_deinit(&taken);
    return st == STET_OK && is_again
               ? stet__fail(err, STET_E_BUSY, 0,
                            "%s is written by too many at once; try again",
                            stet__id_text(q->batch->changes[0].id).text)
               : st;
}

/* Commit; what the caller waits for is timed. */
static stet_status commit_timed(stet *s, const request *q, stet_error *err)
{
    int64_t begun = q->ticket == NULL ? s->os->monotonic(s->os) : 0;
    stet_status st = commit_now(s, q, err);
    if (st == STET_OK && q->ticket == NULL) {
        const stet_change *c = q->batch->changes;
        stet__metrics_saved(s, (stet_machine_key){c->id, c->ns},
                            q->batch->change_count == 1, begun);
    }
    return st;
}

static stet_status commit(stet *s, const request *q, stet_error *err)
{
    bool is_full = true;
    stet_status st = STET_OK;
    if (stet__may_defer(s, q->batch)) {
        st = stet__defer(s, q->batch, q->out, &is_full, err);
    }
    if (st == STET_OK && is_full) {
        st = commit_timed(s, q, err);
        /* What the store writes for itself, projections too, is not theirs. */
        if (st == STET_OK && q->ticket == NULL &&
            q->batch->changes[0].ns != STET_STORE_NAMESPACE) {
            stet__projectors_follow(s);
        }
    }
    if (st != STET_OK || is_full) {
        return stet__metrics_note(s, st);
    }
    if (q->ticket != NULL) {
        *q->ticket = (stet_ticket){0};
    }
    return STET_OK;
}

stet_status stet__commit_taken(stet *s, stet_taken *taken, stet_error *err)
{
    stet_job job;
    stet_status st = stet__job_init(&job, s, &taken->batch, taken, NULL, err);
    if (st == STET_OK) {
        st = run(&job, taken, NULL, NULL, err);
    }
    stet__job_deinit(&job);
    return st;
}

stet_status stet__commit_onto_damage(stet *s, const stet_batch *batch,
                                     stet_box *instead, stet_written *out,
                                     stet_error *err)
{
    stet_machine_key key = {batch->changes[0].id, batch->changes[0].ns};
    stet_entry *entry = NULL;
    stet_job job;
    stet_bench *bench = stet__bench_take(&s->benches);
    if (bench == NULL) {
        return stet__fail(err, STET_E_NOMEM, 0, "restore");
    }
    stet_status st = stet__resident_unread(s, bench, key, &entry, err);
    stet__bench_give(&s->benches, bench);
    if (st != STET_OK) {
        return st;
    }
    st = stet__job_init(&job, s, batch, NULL, NULL, err);
    if (st == STET_OK) {
        job.plans[0].instead = instead;
        st = run(&job, NULL, out, NULL, err);
    }
    stet__job_deinit(&job);
    stet__table_unpin(&s->table, entry);
    return st;
}

stet_status stet__commit_pin(stet *s, const stet_batch *batch,
                             uint64_t cuts_seen, stet_error *err)
{
    stet_job job;
    stet_status st = stet__job_init(&job, s, batch, NULL, NULL, err);
    if (st == STET_OK) {
        job.cuts_seen = cuts_seen;
        st = run(&job, NULL, NULL, NULL, err);
    }
    stet__job_deinit(&job);
    return st;
}

stet_status stet__commit(stet *s, const stet_batch *batch, stet_written *out,
                         stet_ticket *ticket, stet_error *err)
{
    request q = {.batch = batch, .out = out, .ticket = ticket};
    return commit(s, &q, err);
}

static stet_status check_user_batch(const stet_batch *batch, stet_error *err)
{
    if (batch == NULL ||
        (batch->struct_size != 0 && batch->struct_size != sizeof(*batch))) {
        return stet__fail(err, STET_E_UNSUPPORTED, 0,
                          "a batch of another size than this library's");
    }
    for (size_t i = 0; i < batch->change_count; i++) {
        if (batch->changes[i].ns == STET_STORE_NAMESPACE) {
            return stet__id_check(batch->changes[i].id, batch->changes[i].ns,
                                  err);
        }
    }
    return STET_OK;
}

stet_status stet_commit(stet *s, const stet_batch *batch, stet_written *out,
                        stet_error *err)
{
    stet__error_reset(err);
    stet_status st = check_user_batch(batch, err);
    return st == STET_OK ? stet__commit(s, batch, out, NULL, err) : st;
}

stet_status stet_commit_async(stet *s, const stet_batch *batch,
                              stet_written *out, stet_ticket *ticket,
                              stet_error *err)
{
    stet__error_reset(err);
    stet_status st = check_user_batch(batch, err);
    if (st == STET_OK && batch->level > s->start.level) {
        /* A ticket is a position: it knows of no level but the store's. */
        st = stet__fail(err, STET_E_INVALID, 0,
                        "level %s is asked for; without a wait this store "
                        "reaches %s",
                        stet_level_name(batch->level),
                        stet_level_name(s->start.level));
    }
    if (st == STET_OK) {
        st = stet__committer_start(s, err);
    }
    request q = {
        .batch = batch, .out = out, .ticket = ticket, .is_async = true};
    return st == STET_OK ? commit(s, &q, err) : st;
}

/* ---- single writes ---- */

stet_status stet__write_opts_check(const stet_write_opts *opts, stet_error *err)
{
    if (opts == NULL || opts->struct_size == 0 ||
        opts->struct_size == sizeof(*opts)) {
        return STET_OK;
    }
    return stet__fail(err, STET_E_UNSUPPORTED, 0,
                      "write options of another size than this library's");
}

static stet_status write_one(stet *s, const stet_change *what,
                             const stet_at *fork_at,
                             const stet_write_opts *opts, stet_written *out,
                             stet_error *err)
{
    stet__error_reset(err);
    stet_status st = stet__write_opts_check(opts, err);
    if (st != STET_OK) {
        return st;
    }
    stet_change change = {0};
    stet_batch batch = {.struct_size = sizeof(batch)};
    if (opts != NULL) {
        change = opts->more;
        batch.key = opts->key;
        batch.level = opts->level;
        batch.policy = opts->policy;
    }
    change.struct_size = sizeof(change);
    change.verb = what->verb;
    change.id = what->id;
    change.parent = what->parent;
    change.parent_seq = what->parent_seq;
    if (what->verb != STET_VERB_TRANSITION) {
        change.payload = what->payload;
    }
    batch.changes = &change;
    batch.change_count = 1;
    st = check_user_batch(&batch, err);
    request q = {.batch = &batch, .fork_at = fork_at, .out = out};
    return st == STET_OK ? commit(s, &q, err) : st;
}

stet_status stet__write_one(stet *s, const stet_change *what,
                            const stet_write_opts *opts, stet_written *out,
                            stet_error *err)
{
    return write_one(s, what, NULL, opts, out, err);
}

stet_status stet__write_fork(stet *s, const stet_change *what,
                             const stet_at *at, const stet_write_opts *opts,
                             stet_written *out, stet_error *err)
{
    return write_one(s, what, at, opts, out, err);
}

stet_status stet_save(stet *s, stet_slice id, stet_slice state_data,
                      const stet_write_opts *opts, stet_written *out,
                      stet_error *err)
{
    stet_change what = {
        .verb = STET_VERB_SAVE, .id = id, .payload = state_data};
    return stet__write_one(s, &what, opts, out, err);
}

stet_status stet_create(stet *s, stet_slice id, stet_slice state_data,
                        const stet_write_opts *opts, stet_written *out,
                        stet_error *err)
{
    stet_change what = {
        .verb = STET_VERB_CREATE, .id = id, .payload = state_data};
    return stet__write_one(s, &what, opts, out, err);
}

stet_status stet_transition(stet *s, stet_slice id, const stet_write_opts *opts,
                            stet_written *out, stet_error *err)
{
    stet_change what = {.verb = STET_VERB_TRANSITION, .id = id};
    return stet__write_one(s, &what, opts, out, err);
}

stet_status stet_update(stet *s, stet_slice id, stet_slice merge_patch,
                        const stet_write_opts *opts, stet_written *out,
                        stet_error *err)
{
    stet_change what = {
        .verb = STET_VERB_UPDATE, .id = id, .payload = merge_patch};
    return stet__write_one(s, &what, opts, out, err);
}

stet_status stet_patch(stet *s, stet_slice id, stet_slice json_patch,
                       const stet_write_opts *opts, stet_written *out,
                       stet_error *err)
{
    stet_change what = {
        .verb = STET_VERB_PATCH, .id = id, .payload = json_patch};
    return stet__write_one(s, &what, opts, out, err);
}

stet_status stet_append(stet *s, stet_slice id, stet_slice payload,
                        const stet_write_opts *opts, stet_written *out,
                        stet_error *err)
{
    stet_change what = {.verb = STET_VERB_APPEND, .id = id, .payload = payload};
    return stet__write_one(s, &what, opts, out, err);
}

stet_status stet_delete(stet *s, stet_slice id, const stet_write_opts *opts,
                        stet_written *out, stet_error *err)
{
    stet_change what = {.verb = STET_VERB_DELETE, .id = id};
    return stet__write_one(s, &what, opts, out, err);
}

/* Tell of one change of many; the first refusal is the call's answer. */
static stet_status note(stet_status first, stet_status st, stet_status *each,
                        const stet_error *own, stet_error *err)
{
    if (each != NULL) {
        *each = st;
    }
    if (st != STET_OK && first == STET_OK && err != NULL) {
        *err = *own;
    }
    return first == STET_OK ? st : first;
}

/* Sequence all, so that they share flushes; then wait for the last. */
stet_status stet_save_many(stet *s, const stet_change *changes, size_t count,
                           stet_written *out, stet_status *each,
                           stet_error *err)
{
    stet__error_reset(err);
    stet_status first = STET_OK;
    stet_error own = {0};
    stet_ticket last = {0};
    for (size_t i = 0; i < count; i++) {
        stet_batch batch = {.struct_size = sizeof(batch),
                            .changes = &changes[i],
                            .change_count = 1};
        stet_ticket ticket = {0};
        stet_status st = check_user_batch(&batch, &own);
        if (st == STET_OK) {
            st = stet__commit(s, &batch, out == NULL ? NULL : &out[i], &ticket,
                              &own);
        }
        last = st == STET_OK && ticket.position > last.position ? ticket : last;
        first = note(first, st, each == NULL ? NULL : &each[i], &own, err);
    }
    if (last.position == 0) {
        return first;
    }
    stet_status st =
        stet__pipeline_wait(&s->pipeline, NULL, last.position, 0, &own);
    if (st == STET_OK) {
        stet__projectors_follow(s);
    }
    for (size_t i = 0; st != STET_OK && each != NULL && i < count; i++) {
        bool is_safe =
            out != NULL && out[i].position < stet__watermark(&s->pipeline);
        each[i] = each[i] == STET_OK && !is_safe ? st : each[i];
    }
    return note(first, st, NULL, &own, err);
}
