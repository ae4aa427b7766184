#include "sim/oracle.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/checksum.h"
#include "core/record.h"
#include "engine/handle.h"

void oracle_init(oracle *o, world *w)
{
    *o = (oracle){.w = w};
    model_init(&o->m, w->s.seed);
}

void oracle_deinit(oracle *o)
{
    free(o->batches);
    free(o->calls);
    free(o->checkpoints);
    free(o->sightings);
    free(o->glimpses);
    model_deinit(&o->m);
}

static void *grown(void *list, size_t count, size_t *cap, size_t item_bytes)
{
    if (count < *cap) {
        return list;
    }
    *cap = *cap == 0 ? 64 : *cap * 2;
    void *moved = realloc(list, *cap * item_bytes);
    if (moved == NULL) {
        abort();
    }
    return moved;
}

/* ---- what clients tell ---- */

size_t oracle_add_batch(oracle *o, const stet_batch *from)
{
    stet_arena *arena = &o->m.arena;
    stet_batch *b = stet__arena_alloc(arena, sizeof *b);
    stet_change *changes =
        stet__arena_alloc(arena, from->change_count * sizeof *changes);
    size_t number = o->batch_count;
    memcpy(changes, from->changes, from->change_count * sizeof *changes);
    for (size_t i = 0; i < from->change_count; i++) {
        char text[32];
        int len = snprintf(text, sizeof text, "%zu.%zu", number, i);
        changes[i].causation_id =
            stet__arena_copy(arena, stet_slice_of(text, (size_t)len));
    }
    *b = *from;
    b->changes = changes;
    o->batches =
        grown(o->batches, o->batch_count, &o->batch_cap, sizeof(stet_batch *));
    o->batches[o->batch_count++] = b;
    return number;
}

size_t oracle_begin(oracle *o, size_t batch_number)
{
    o->calls = grown(o->calls, o->call_count, &o->call_cap, sizeof(call));
    o->calls[o->call_count] = (call){
        .batch = o->batches[batch_number],
        .number = batch_number,
        .began = ++o->w->instant,
        .floor = o->floor,
    };
    return o->call_count++;
}

static void raise_floor(oracle *o, uint64_t position)
{
    o->floor = position > o->floor ? position : o->floor;
}

void oracle_placed(oracle *o, size_t idx, const stet_written *out)
{
    call *c = &o->calls[idx];
    memcpy(c->out, out, c->batch->change_count * sizeof *out);
    c->is_placed = true;
}

static call_outcome outcome_of(stet_status st)
{
    return st == STET_OK                             ? CALL_DONE
           : stet_status_kind(st) == STET_KIND_MAYBE ? CALL_UNKNOWN
                                                     : CALL_REFUSED;
}

void oracle_end(oracle *o, size_t idx, stet_status st, const stet_written *out,
                bool is_synced)
{
    call *c = &o->calls[idx];
    c->ended = ++o->w->instant;
    c->status = st;
    c->outcome = outcome_of(st);
    if (st == STET_OK) {
        c->is_synced = is_synced;
        oracle_placed(o, idx, out);
        raise_floor(o, out[c->batch->change_count - 1].position);
        o->acknowledged += c->batch->change_count;
    }
}

void oracle_deferred(oracle *o, size_t idx, stet_status st)
{
    call *c = &o->calls[idx];
    c->ended = ++o->w->instant;
    c->status = st;
    c->outcome = st == STET_OK ? CALL_UNKNOWN : outcome_of(st);
    c->is_deferred = st == STET_OK;
    c->is_justified = true; /* by what may be gone by now */
}

void oracle_flushed(oracle *o, uint64_t began, bool is_synced)
{
    for (size_t i = 0; i < o->call_count; i++) {
        call *c = &o->calls[i];
        if (c->is_deferred && c->outcome == CALL_UNKNOWN && c->ended < began) {
            c->outcome = CALL_DONE;
            c->is_synced = is_synced;
            o->acknowledged++;
        }
    }
}

size_t oracle_set_checkpoint(oracle *o, const model_checkpoint *what)
{
    o->checkpoints = grown(o->checkpoints, o->checkpoint_count,
                           &o->checkpoint_cap, sizeof(checkpoint_call));
    o->checkpoints[o->checkpoint_count] =
        (checkpoint_call){.what = *what, .set_began = ++o->w->instant};
    return o->checkpoint_count++;
}

bool oracle_delete_checkpoint(oracle *o, size_t number)
{
    checkpoint_call *c = &o->checkpoints[number];
    if (!c->is_set || c->delete_began != 0) {
        return false;
    }
    c->delete_began = ++o->w->instant;
    c->delete_outcome = CALL_UNKNOWN;
    return true;
}

void oracle_checkpoint_set(oracle *o, size_t number, stet_status st)
{
    o->checkpoints[number].set_outcome = outcome_of(st);
}

void oracle_checkpoint_deleted(oracle *o, size_t number, stet_status st)
{
    checkpoint_call *c = &o->checkpoints[number];
    c->delete_outcome = outcome_of(st);
    if (c->delete_outcome == CALL_REFUSED) {
        c->delete_began = 0; /* may be tried again */
    }
}

void oracle_synced(oracle *o, uint64_t began)
{
    oracle_flushed(o, began, true);
    for (size_t i = 0; i < o->call_count; i++) {
        call *c = &o->calls[i];
        c->is_synced =
            c->is_synced || (c->outcome == CALL_DONE && c->ended < began);
    }
}

void oracle_closed(oracle *o)
{
    oracle_synced(o, UINT64_MAX);
}

void oracle_power_cut(oracle *o)
{
    for (size_t i = 0; i < o->call_count; i++) {
        call *c = &o->calls[i];
        if (c->outcome == CALL_DONE && !c->is_synced) {
            c->outcome = CALL_UNKNOWN;
        }
    }
    for (size_t i = 0; i < o->checkpoint_count; i++) {
        checkpoint_call *c = &o->checkpoints[i];
        bool is_os = o->w->s.opts.level == STET_LEVEL_OS;
        c->set_outcome = is_os && !c->is_set ? CALL_UNKNOWN : c->set_outcome;
        c->delete_outcome =
            is_os && !c->is_deleted ? CALL_UNKNOWN : c->delete_outcome;
    }
    if (o->w->s.opts.level == STET_LEVEL_OS) {
        o->sighting_count = 0; /* of what may be gone */
        for (size_t i = 0; i < o->call_count; i++) {
            call *c = &o->calls[i];
            c->is_justified = c->outcome == CALL_REFUSED;
        }
    }
}

/* ---- answers ---- */

sighting oracle_look(oracle *o, const question *asked)
{
    return (sighting){
        .asked = *asked,
        .began = ++o->w->instant,
        .floor = o->floor,
    };
}

void oracle_seen(oracle *o, const sighting *begun, const answer *told)
{
    sighting s = *begun;
    s.ended = ++o->w->instant;
    s.digest = told->digest;
    raise_floor(o, told->position);
    o->sightings = grown(o->sightings, o->sighting_count, &o->sighting_cap,
                         sizeof(sighting));
    o->sightings[o->sighting_count++] = s;
}

static bool is_as_seen(const oracle *o, const sighting *s)
{
    return question_answer(&s->asked, &o->m) == s->digest;
}

void oracle_glimpsed(oracle *o, const stet_logged *record)
{
    o->glimpses =
        grown(o->glimpses, o->glimpse_count, &o->glimpse_cap, sizeof(glimpse));
    o->glimpses[o->glimpse_count++] = (glimpse){
        .position = record->position,
        .digest = stet__hash64_seed(record->bytes.ptr, record->bytes.len, 0),
    };
}

/* ---- moments ---- */

static bool is_refused_so(oracle *o, const stet_batch *b, stet_status st)
{
    model_verdict v;
    model_judge(&o->m, b, &v);
    return (v.refusals & (uint64_t)1 << st) != 0;
}

/*
 * Is the answer right for what the batch does to one machine? Changes are
 * prepared one after the other: what the first one fails on later on is no
 * reason that another one was told before.
 */
static bool is_one_refused_so(oracle *o, const call *c, size_t first)
{
    stet_change changes[MODEL_BATCH_MAX];
    const stet_change *all = c->batch->changes;
    stet_batch b = *c->batch;
    b.changes = changes;
    b.change_count = 0;
    for (size_t i = first; i < c->batch->change_count; i++) {
        if (all[i].ns == all[first].ns &&
            stet__slice_eq(all[i].id, all[first].id)) {
            changes[b.change_count++] = all[i];
        }
    }
    return is_refused_so(o, &b, c->status);
}

/* There is no such checkpoint, or there was no state. */
static bool is_restore_refused(const oracle *o, const call *c)
{
    const stet_change *what = c->batch->changes;
    const model_machine *mm = model_find(&o->m, what->ns, what->id);
    const stet_at at = {.kind = STET_AT_CHECKPOINT, .name = c->restores};
    return c->restores.len > 0 && c->status == STET_E_NOT_FOUND &&
           (mm == NULL || !model_is_there(mm, model_prefix(&o->m, mm, &at)));
}

static bool is_justified_now(oracle *o, const call *c)
{
    size_t count = c->batch->change_count;
    bool is_justified =
        is_refused_so(o, c->batch, c->status) || is_restore_refused(o, c);
    for (size_t i = 0; count > 1 && i < count && !is_justified; i++) {
        is_justified = is_one_refused_so(o, c, i);
    }
    return is_justified;
}

/* Is the answer one that the content of the store has to justify? */
static bool needs_reason(const call *c)
{
    return c->outcome == CALL_REFUSED &&
           (stet_status_kind(c->status) == STET_KIND_NO ||
            stet_status_kind(c->status) == STET_KIND_CALLER);
}

static bool has_change(const stet_batch *b, uint8_t ns, stet_slice id)
{
    for (size_t i = 0; i < b->change_count; i++) {
        const stet_change *c = &b->changes[i];
        if (c->ns == ns && stet__slice_eq(c->id, id)) {
            return true;
        }
    }
    return false;
}

/* May a batch, now taken, have given the call another answer? */
static bool is_touched(const call *c, const stet_batch *taken)
{
    const stet_batch *b = c->batch;
    for (size_t i = 0; i < b->condition_count; i++) {
        if (has_change(taken, b->conditions[i].ns, b->conditions[i].id)) {
            return true;
        }
    }
    for (size_t i = 0; i < b->change_count; i++) {
        const stet_change *of = &b->changes[i];
        if (has_change(taken, of->ns, of->id) ||
            has_change(taken, of->ns, of->parent)) {
            return true;
        }
    }
    return b->key.len > 0 && stet__slice_eq(b->key, taken->key);
}

/*
 * Everything up to the model's last position is there now, and no more. What
 * was taken last is a batch, or else (NULL) a checkpoint.
 */
static void look_at_moment(oracle *o, const stet_batch *taken)
{
    uint64_t now = o->m.log_count;
    for (size_t i = 0; i < o->call_count; i++) {
        call *c = &o->calls[i];
        bool is_due = needs_reason(c) && !c->is_justified && c->floor <= now;
        if (is_due &&
            (!c->is_judged || taken == NULL || is_touched(c, taken))) {
            c->is_justified = is_justified_now(o, c);
            c->is_judged = true;
        }
    }
    for (size_t i = 0; i < o->sighting_count; i++) {
        sighting *s = &o->sightings[i];
        if (!s->is_justified && s->floor <= now) {
            s->is_justified = is_as_seen(o, s);
        }
    }
}

static _Noreturn void fail_sighting(const oracle *o, const sighting *s)
{
    world_fail(o->w, "the %s of %.*s was told as it never was",
               question_name(&s->asked), (int)s->asked.id.len,
               (const char *)s->asked.id.ptr);
}

/* What is not justified by now, before a call that began then, never will. */
static void expire(const oracle *o, uint64_t began)
{
    for (size_t i = 0; i < o->call_count; i++) {
        const call *c = &o->calls[i];
        if (needs_reason(c) && !c->is_justified && c->ended < began) {
            world_fail(o->w, "batch %zu was answered %s without a reason",
                       c->number, stet_status_name(c->status));
        }
    }
    for (size_t i = 0; i < o->sighting_count; i++) {
        const sighting *s = &o->sightings[i];
        if (!s->is_justified && s->ended < began) {
            fail_sighting(o, s);
        }
    }
}

/* ---- what is there ---- */

/* A record as it lies in the log. */
typedef struct found {
    size_t number; /* of the batch, or of the checkpoint */
    size_t idx;    /* of the change in its batch */
    uint64_t seq;
    int64_t recorded;
    bool is_checkpoint; /* set, or with `is_deletion` deleted */
    bool is_deletion;
    bool is_first; /* of what was written together */
    bool is_last;
} found;

/* The number in the name of a checkpoint, which ends the record's id. */
static bool read_checkpoint(const stet_record *r, found *out)
{
    char text[32] = {0};
    size_t from = r->id.len;
    const char *id = r->id.ptr;
    while (from > 0 && id[from - 1] != '#') {
        from--;
    }
    if (from == 0 || r->id.len - from >= sizeof text) {
        return false;
    }
    memcpy(text, id + from, r->id.len - from);
    out->is_checkpoint = true;
    out->is_deletion = r->kind == STET_EVENT_DELETED;
    return sscanf(text, "%zu", &out->number) == 1;
}

/* Batch and index, which the causation id says. */
static bool read_change(const oracle *o, const stet_record *r, found *out)
{
    char text[32] = {0};
    if (r->causation.len >= sizeof text) {
        return false;
    }
    memcpy(text, r->causation.ptr, r->causation.len);
    return sscanf(text, "%zu.%zu", &out->number, &out->idx) == 2 &&
           out->number < o->batch_count;
}

static bool read_record(const oracle *o, const stet_logged *l, found *out)
{
    stet_record r = {0};
    size_t bytes = 0;
    stet_error err = {0};
    if (stet__record_parse(l->bytes, &r, &bytes, &err) != STET_OK) {
        return false;
    }
    *out = (found){.seq = r.seq,
                   .recorded = l->recorded,
                   .is_first = (r.flags & STET_RECORD_BATCH_FIRST) != 0,
                   .is_last = (r.flags & STET_RECORD_BATCH_LAST) != 0};
    return r.ns > STET_NAMESPACE_MAX ? read_checkpoint(&r, out)
                                     : read_change(o, &r, out);
}

/* All records from a position on. */
static found *read_all(const oracle *o, stet *s, uint64_t from, uint64_t end)
{
    found *all = calloc((size_t)(end - from) + 1, sizeof *all);
    stet_log_reader *reader = s->log->ops->reader_create(s->log);
    stet_error err = {0};
    for (uint64_t at = from; at < end; at++) {
        stet_logged l = {0};
        if (s->log->ops->reader_read(reader, at, &l, &err) != STET_OK) {
            world_fail(o->w, "position %" PRIu64 ": %s", at, err.text);
        }
        if (!read_record(o, &l, &all[at - from])) {
            world_fail(o->w, "position %" PRIu64 " holds what nobody wrote",
                       at);
        }
    }
    s->log->ops->reader_destroy(reader);
    return all;
}

/* The call that wrote the batch found at a position. */
static call *find_call(oracle *o, size_t number, uint64_t position)
{
    call *unknown = NULL;
    for (size_t i = 0; i < o->call_count; i++) {
        call *c = &o->calls[i];
        if (c->number != number || c->is_found ||
            (c->is_placed &&
             (c->out[0].position != position || c->out[0].is_repeat))) {
            continue;
        }
        if (c->outcome == CALL_DONE) {
            return c;
        }
        if (c->outcome == CALL_UNKNOWN && unknown == NULL) {
            unknown = c;
        }
    }
    return unknown;
}

/*
 * Where the batch of an event begins and ends: with what was deferred another
 * call may be part of it. Inside a call nothing does.
 */
static void set_borders(oracle *o, const found *f, size_t count)
{
    model_event **events = &o->m.log[o->m.log_count - count];
    for (size_t i = 0; i < count; i++) {
        if ((i > 0 && f[i].is_first) || (i + 1 < count && f[i].is_last)) {
            world_fail(o->w, "batch %zu is parted", f->number);
        }
    }
    if (!f[0].is_first) {
        events[0]->said.flags &= ~(uint32_t)STET_EVENT_BATCH_FIRST;
    }
    if (!f[count - 1].is_last) {
        events[count - 1]->said.flags &= ~(uint32_t)STET_EVENT_BATCH_LAST;
    }
}

/* What was deferred to its machines before it began is there. */
static void check_order(const oracle *o, const call *c)
{
    for (size_t i = 0; i < o->call_count; i++) {
        const call *d = &o->calls[i];
        if (d->is_deferred && !d->is_found && d->ended < c->began &&
            has_change(c->batch, d->batch->changes->ns,
                       d->batch->changes->id)) {
            world_fail(o->w, "batch %zu overtook batch %zu, deferred before it",
                       c->number, d->number);
        }
    }
}

/*
 * A call is there; one that took along what was deferred expected what it did
 * of the machines before that.
 */
static void judge(oracle *o, const call *c, const found *f, model_verdict *out)
{
    stet_change changes[MODEL_BATCH_MAX];
    stet_batch b = *c->batch;
    if (!f->is_first) {
        for (size_t i = 0; i < b.change_count; i++) {
            changes[i] = b.changes[i];
            changes[i].expect = (stet_expect){0};
        }
        b.changes = changes;
        b.condition_count = 0;
    }
    if (!f->is_first && !o->may_carry) {
        world_fail(o->w, "batch %zu is part of another", f->number);
    }
    model_judge(&o->m, &b, out);
}

static const stet_batch *take_batch(oracle *o, const found *f,
                                    uint64_t position)
{
    call *c = find_call(o, f->number, position);
    if (c == NULL) {
        world_fail(o->w,
                   "position %" PRIu64 " holds batch %zu, which was refused, "
                   "lost before, or placed elsewhere",
                   position, f->number);
    }
    if (position <= c->floor) {
        world_fail(o->w,
                   "batch %zu is at position %" PRIu64 ", below %" PRIu64
                   ", which was told before it was begun",
                   f->number, position, c->floor);
    }
    expire(o, c->began);
    check_order(o, c);
    model_verdict v;
    judge(o, c, f, &v);
    if (v.refusals != 0 || v.repeats_at != 0) {
        world_fail(o->w,
                   "batch %zu at position %" PRIu64 " should not be there "
                   "(statuses %" PRIx64 ", repeats %" PRIu64 ")",
                   f->number, position, v.refusals, v.repeats_at);
    }
    for (size_t i = 0; i < c->batch->change_count; i++) {
        if (f[i].is_checkpoint || f[i].number != f->number || f[i].idx != i) {
            world_fail(o->w, "batch %zu at position %" PRIu64 " is not whole",
                       f->number, position);
        }
        if (f[i].seq != v.seqs[i] ||
            (c->is_placed && c->out[i].seq != v.seqs[i])) {
            world_fail(o->w, "change %zu of batch %zu has another seq", i,
                       f->number);
        }
    }
    model_take(&o->m, c->batch, &v);
    for (size_t i = 0; i < c->batch->change_count; i++) {
        model_stamp(&o->m, f[i].recorded);
    }
    set_borders(o, f, c->batch->change_count);
    c->is_found = true;
    if (!f[c->batch->change_count - 1].is_last && !c->is_deferred) {
        world_fail(o->w, "batch %zu goes on into another", f->number);
    }
    o->may_carry = !f[c->batch->change_count - 1].is_last;
    return c->batch;
}

/* Checkpoints have names of their own, so each is set and deleted once. */
static void take_checkpoint(oracle *o, const found *f, uint64_t position)
{
    checkpoint_call *c =
        f->number < o->checkpoint_count ? &o->checkpoints[f->number] : NULL;
    bool *is_there = c == NULL        ? NULL
                     : f->is_deletion ? &c->is_deleted
                                      : &c->is_set;
    if (c == NULL || *is_there || (f->is_deletion && !c->is_set)) {
        world_fail(o->w, "position %" PRIu64 " holds checkpoint %zu %s",
                   position, f->number, f->is_deletion ? "deleted" : "set");
    }
    expire(o, f->is_deletion ? c->delete_began : c->set_began);
    o->may_carry = false;
    *is_there = true;
    if (f->is_deletion) {
        model_checkpoint_drop(&o->m, c->what.ns, c->what.id, c->what.name);
    } else {
        model_checkpoint_put(&o->m, &c->what);
    }
    model_stamp(&o->m, f->recorded);
}

/* A repeat is answered as the first call was; its batch is there once. */
static void check_repeat(oracle *o, const call *c)
{
    model_verdict v;
    model_judge(&o->m, c->batch, &v);
    for (size_t i = 0; i < c->batch->change_count; i++) {
        if (v.repeats_at == 0 || v.positions[i] != c->out[i].position ||
            v.seqs[i] != c->out[i].seq) {
            world_fail(o->w, "batch %zu was answered as a repeat of another",
                       c->number);
        }
    }
}

static void check_acknowledged(oracle *o)
{
    for (size_t i = 0; i < o->call_count; i++) {
        const call *c = &o->calls[i];
        if (c->outcome == CALL_DONE && c->out[0].is_repeat) {
            check_repeat(o, c);
        } else if (c->outcome == CALL_DONE && !c->is_found) {
            world_fail(o->w,
                       "batch %zu was acknowledged at position %" PRIu64
                       " and is lost; %zu are there",
                       c->number, c->out[0].position, o->m.log_count);
        }
    }
}

/* What was acknowledged is there; what was refused, or not begun, is not. */
static void check_checkpoints(oracle *o)
{
    for (size_t i = 0; i < o->checkpoint_count; i++) {
        checkpoint_call *c = &o->checkpoints[i];
        bool is_set_wrong = (c->set_outcome == CALL_DONE && !c->is_set) ||
                            (c->set_outcome == CALL_REFUSED && c->is_set);
        bool is_deleted_wrong =
            (c->delete_outcome == CALL_DONE && !c->is_deleted) ||
            (c->delete_outcome == CALL_REFUSED && c->is_deleted);
        if (is_set_wrong || is_deleted_wrong) {
            world_fail(o->w, "checkpoint %zu is %s, %s", i,
                       c->is_set ? "set" : "not set",
                       c->is_deleted ? "deleted" : "not deleted");
        }
        /* Known from here on, however it was answered. */
        c->set_outcome = c->is_set ? CALL_DONE : CALL_REFUSED;
        c->delete_outcome = c->is_deleted ? CALL_DONE : CALL_REFUSED;
    }
}

/* What another process was shown is there, and the same. */
static void check_glimpses(oracle *o, stet *s)
{
    stet_log_reader *reader = s->log->ops->reader_create(s->log);
    for (size_t i = 0; i < o->glimpse_count; i++) {
        const glimpse *g = &o->glimpses[i];
        stet_logged l = {0};
        stet_error err = {0};
        if (s->log->ops->reader_read(reader, g->position, &l, &err) !=
                STET_OK ||
            stet__hash64_seed(l.bytes.ptr, l.bytes.len, 0) != g->digest) {
            world_fail(o->w,
                       "position %" PRIu64
                       " was shown to another process and is not the same: %s",
                       g->position, err.text);
        }
    }
    s->log->ops->reader_destroy(reader);
    o->glimpse_count = 0;
}

/* Is it about what was settled before it was asked? */
static bool is_about_the_past(const oracle *o, const question *q)
{
    if (q->kind != QUESTION_STATE && q->kind != QUESTION_SEQ) {
        return false;
    }
    const model_machine *mm = model_find(&o->m, q->ns, q->id);
    if (mm == NULL) { /* one that is forked later has a past, too */
        return false;
    }
    return q->read.at.kind == STET_AT_POSITION ||
           (q->read.at.kind == STET_AT_SEQ && q->read.at.seq <= mm->count);
}

void oracle_forget(oracle *o)
{
    for (size_t i = 0; i < o->sighting_count; i++) {
        const sighting *s = &o->sightings[i];
        if (is_about_the_past(o, &s->asked) && !is_as_seen(o, s)) {
            fail_sighting(o, s);
        }
    }
    for (size_t i = 0; i < o->checkpoint_count; i++) {
        checkpoint_call *c = &o->checkpoints[i];
        c->set_outcome = c->is_set ? CALL_DONE : CALL_REFUSED;
        c->delete_outcome = c->is_deleted ? CALL_DONE : CALL_REFUSED;
    }
    o->call_count = 0;
    o->sighting_count = 0;
    o->glimpse_count = 0;
    o->floor = o->m.log_count;
}

void oracle_settle(oracle *o, stet *s)
{
    uint64_t shown = o->m.log_count;
    uint64_t end = stet__watermark(&s->pipeline);
    if (end <= shown) {
        world_fail(o->w, "%" PRIu64 " events are there of %" PRIu64 " shown",
                   end - 1, shown);
    }
    found *all = read_all(o, s, shown + 1, end);
    o->may_carry = false;
    look_at_moment(o, NULL);
    uint64_t at = 0;
    while (shown + at + 1 < end) {
        const stet_batch *taken = NULL;
        if (all[at].is_checkpoint) {
            take_checkpoint(o, &all[at], shown + at + 1);
        } else {
            taken = take_batch(o, &all[at], shown + at + 1);
        }
        at = o->m.log_count - shown;
        look_at_moment(o, taken);
    }
    free(all);
    expire(o, UINT64_MAX);
    check_acknowledged(o);
    check_checkpoints(o);
    check_glimpses(o, s);
    o->call_count = 0;
    o->sighting_count = 0;
    o->floor = o->m.log_count;
}
