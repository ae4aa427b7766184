#include "engine/before.h"

#include <string.h>

#include "base/assert.h"
#include "base/error.h"
#include "engine/plan.h"
#include "engine/replay.h"

/* ---- the machine's head ---- */

/* A head as the table keeps it, from what a replay of the log gave. */
static stet_head *head_of_replayed(stet *s, const stet_replayed *r)
{
    stet_slice name = {NULL, 0};
    if (r->box != NULL) {
        name = r->box->view.current_state;
    }
    stet_head *head = stet__head_create(&s->alloc, name);
    if (head == NULL) {
        return NULL;
    }
    head->seq = r->point.seq;
    head->position = r->point.position;
    head->occurred_max = r->point.occurred_max;
    head->depth = r->depth;
    head->body_bytes = r->body_bytes;
    head->file = r->file;
    head->turns = r->turns;
    head->is_deleted = r->is_deleted;
    head->box = r->box;
    if (r->box != NULL) {
        head->state_bytes = r->box->view.state_data.len;
        /* Relaxed: only a hint; unknown is learned when asked. */
        head->shape = (stet_shape)atomic_load_explicit(&r->box->shape,
                                                       memory_order_relaxed);
    }
    return head;
}

static stet_status replay_newest(stet *s, stet_bench *bench,
                                 stet_machine_key key, stet_replayed *out,
                                 stet_error *err)
{
    uint64_t watermark = stet__watermark(&s->pipeline);
    stet_bound bound = {STET_BY_POSITION, watermark - 1, 0};
    stet_replay_of of = {.key = key, .is_as_stored = true};
    stet_status st =
        s->log->ops->seek(s->log, key, bound, watermark, &of.point, err);
    return st == STET_OK ? stet__replay(s, bench, &of, out, err) : st;
}

/*
 * The newest event is gone: not by retention, which leaves heads, but since the
 * store was salvaged. The next event stands on nothing, as behind a deletion.
 */
static stet_status lost_head(stet *s, stet_machine_key key, stet_replayed *out,
                             stet_error *err)
{
    uint64_t watermark = stet__watermark(&s->pipeline);
    stet_bound bound = {STET_BY_POSITION, watermark - 1, 0};
    *out = (stet_replayed){.owner = key.id, .is_deleted = true};
    stet__error_reset(err);
    return s->log->ops->seek(s->log, key, bound, watermark, &out->point, err);
}

/* Read the newest durable head of a machine; NULL: never written. */
static stet_status read_head(stet *s, stet_bench *bench, stet_machine_key key,
                             stet_head **out, stet_error *err)
{
    *out = NULL;
    stet_replayed r = {0};
    stet_status st = STET_E_GONE;
    /* It was the head when it was looked for. */
    for (int tries = 0; st == STET_E_GONE && tries < STET_REPLAY_TRIES;
         tries++) {
        st = replay_newest(s, bench, key, &r, err);
    }
    if (st == STET_E_GONE) {
        st = lost_head(s, key, &r, err);
    }
    if (st == STET_E_NOT_FOUND) {
        stet__error_reset(err);
        return STET_OK;
    }
    if (st != STET_OK) {
        return st;
    }
    *out = head_of_replayed(s, &r);
    if (*out == NULL) {
        stet__box_unref(r.box);
        return stet__fail(err, STET_E_NOMEM, 0, "head of a machine");
    }
    return STET_OK;
}

/* A head that nobody could fold: readers who try are told of the damage. */
static stet_status unread_head(stet *s, stet_machine_key key, stet_head **out,
                               stet_error *err)
{
    uint64_t watermark = stet__watermark(&s->pipeline);
    stet_bound bound = {STET_BY_POSITION, watermark - 1, 0};
    stet_point point = {0};
    stet__error_reset(err);
    stet_status st =
        s->log->ops->seek(s->log, key, bound, watermark, &point, err);
    if (st != STET_OK) {
        return st;
    }
    *out = stet__head_create(&s->alloc, (stet_slice){NULL, 0});
    if (*out == NULL) {
        return stet__fail(err, STET_E_NOMEM, 0, "head of a machine");
    }
    (*out)->seq = point.seq;
    (*out)->position = point.position;
    (*out)->occurred_max = point.occurred_max;
    (*out)->depth = UINT32_MAX;
    return STET_OK;
}

static stet_status make_resident(stet *s, stet_bench *bench,
                                 stet_machine_key key, bool may_be_damaged,
                                 stet_entry **out, stet_error *err)
{
    *out = NULL;
    while (*out == NULL) {
        uint64_t evictions = 0;
        *out = stet__table_pin(&s->table, key, &evictions);
        if (*out != NULL) {
            return STET_OK;
        }
        stet_head *head = NULL;
        stet_status st = read_head(s, bench, key, &head, err);
        if (may_be_damaged && stet_status_kind(st) == STET_KIND_DATA) {
            st = unread_head(s, key, &head, err);
        }
        if (st == STET_OK) {
            st = stet__table_insert(&s->table, key, evictions, head, out, err);
        }
        if (st != STET_OK) {
            return st;
        }
    }
    return STET_OK;
}

stet_status stet__resident(stet *s, stet_bench *bench, stet_machine_key key,
                           stet_entry **out, stet_error *err)
{
    return make_resident(s, bench, key, false, out, err);
}

stet_status stet__resident_unread(stet *s, stet_bench *bench,
                                  stet_machine_key key, stet_entry **out,
                                  stet_error *err)
{
    return make_resident(s, bench, key, true, out, err);
}

void stet__view_take(stet *s, stet_plan *plan)
{
    if (plan->before != NULL) {
        stet__head_view(plan->before->head, &plan->view);
    } else if (plan->is_viewed) {
        plan->is_viewed = false;
    } else {
        stet__table_view(&s->table, plan->claim.entry, &plan->view);
    }
}

bool stet__is_there(const stet_head_view *v)
{
    return v->is_written && !v->is_deleted;
}

/* ---- the state before ---- */

/* The state of a resident machine as `view` saw it. */
static stet_status state_of_entry(stet *s, stet_bench *bench,
                                  const stet_plan *plan, stet_box **out,
                                  stet_error *err)
{
    stet_stamp stamp;
    stet_found f =
        stet__table_peek_pending(&s->table, plan->claim.entry, &stamp);
    if (f.head.seq != plan->view.seq || f.lookup == STET_LOOKUP_DELETED) {
        stet__box_unref(f.box);
        return STET_E_BUSY; /* it moved on; the plan is stale */
    }
    if (f.lookup == STET_LOOKUP_STATE) {
        *out = f.box;
        return STET_OK;
    }
    if (f.lookup == STET_LOOKUP_CARRIED) {
        *out = stet__carry(&s->table, &f, &stamp);
        stet__box_unref(f.box);
        return *out != NULL ? STET_OK
                            : stet__fail(err, STET_E_NOMEM, 0, "state of %s",
                                         stet__id_text(plan->change->id).text);
    }
    if (f.head.position >= stet__watermark(&s->pipeline)) {
        stet__box_unref(f.box);
        return STET_E_BUSY;
    }
    stet_replayed r = {0};
    stet_replay_of of = {.key = stet__entry_key(plan->claim.entry),
                         .point = f.head,
                         .anchor = f.box,
                         .is_as_stored = true};
    stet_status st = stet__replay(s, bench, &of, &r, err);
    stet__box_unref(f.box);
    if (st == STET_E_GONE) {
        return STET_E_BUSY; /* it moved on, and was dropped */
    }
    if (st == STET_OK) {
        STET_ASSERT(r.box != NULL);
        stet__table_attach(&s->table, plan->claim.entry, f.head.position,
                           r.box);
        *out = r.box;
    }
    return st;
}

/* The state under the first plan of a batch for a machine; NULL: none. */
static stet_status state_under(stet *s, stet_bench *bench,
                               const stet_plan *oldest, stet_box **out,
                               stet_error *err)
{
    const stet_change *c = oldest->change;
    if (c->verb == STET_VERB_FORK) {
        stet_replayed parent = {0};
        stet_replay_of of = {.key = {c->parent, c->ns},
                             .point = oldest->fork_point};
        stet_status st = stet__replay(s, bench, &of, &parent, err);
        *out = parent.box;
        return st;
    }
    return stet__is_there(&oldest->view)
               ? state_of_entry(s, bench, oldest, out, err)
               : STET_OK;
}

/*
 * Fold what earlier plans of this batch do to the machine, up to and with
 * `last`. Their records hold what a step needs; the state under them is the
 * entry's, or in a box of theirs.
 */
stet_status stet__state_after(stet *s, stet_bench *bench, const stet_plan *last,
                              stet_box **out, stet_error *err)
{
    const stet_plan *oldest = last;
    while (oldest->head->box == NULL && oldest->before != NULL) {
        oldest = oldest->before;
    }
    stet_box *from = NULL;
    const stet_plan *at = oldest;
    if (oldest->head->box != NULL) {
        from = stet__box_ref(oldest->head->box);
        at = oldest == last ? NULL : oldest->after;
    } else {
        stet_status st = state_under(s, bench, oldest, &from, err);
        if (st != STET_OK) {
            return st;
        }
    }
    stet_folding f;
    stet__folding_init(&f, s, bench, stet__entry_key(last->claim.entry), from);
    stet_status st = STET_OK;
    while (st == STET_OK && at != NULL) {
        st = stet__folding_step(&f, &at->record,
                                stet__change_time(at->change, STET_TIME_UNSET),
                                err);
        at = at == last ? NULL : at->after;
    }
    if (st == STET_OK) {
        st = stet__folding_box(&f, out, err);
    }
    stet__box_unref(from);
    return st;
}

stet_status stet__state_before(stet *s, stet_bench *bench,
                               const stet_plan *plan, stet_box **out,
                               stet_error *err)
{
    *out = NULL;
    if (!stet__is_there(&plan->view)) {
        return STET_OK;
    }
    return plan->before != NULL
               ? stet__state_after(s, bench, plan->before, out, err)
               : state_of_entry(s, bench, plan, out, err);
}

stet_box *stet__state_at_hand(stet *s, const stet_plan *plan)
{
    if (!stet__is_there(&plan->view)) {
        return NULL;
    }
    if (plan->before != NULL) {
        stet_box *box = plan->before->head->box;
        return box == NULL ? NULL : stet__box_ref(box);
    }
    stet_stamp stamp;
    stet_found f =
        stet__table_peek_pending(&s->table, plan->claim.entry, &stamp);
    stet_box *box = NULL;
    if (f.head.seq == plan->view.seq && f.lookup == STET_LOOKUP_STATE) {
        box = stet__box_ref(f.box);
    } else if (f.head.seq == plan->view.seq &&
               f.lookup == STET_LOOKUP_CARRIED) {
        box = stet__carry(&s->table, &f, &stamp);
    }
    stet__box_unref(f.box);
    return box;
}
