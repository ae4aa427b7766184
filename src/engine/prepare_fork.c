/* Forks and deletions: events without a payload that begin or end a state. */
#include "base/error.h"
#include "core/image.h"
#include "engine/prepare.h"
#include "engine/replay.h"

stet_status stet__prep_delete(stet_prep *p, stet_error *err)
{
    p->plan->record.form = STET_BODY_NONE;
    p->plan->record.flags |= STET_RECORD_BASE;
    stet_status st = stet__prep_make_head(p, STET_SHAPE_OBJECT, err);
    if (st == STET_OK) {
        p->plan->head->is_deleted = true;
    }
    return st;
}

/* Find the point of the parent that a fork begins at. */
static stet_status find_parent(stet_prep *p, stet_replayed *out,
                               stet_slice *out_name, stet_error *err)
{
    const stet_change *c = p->change;
    stet_machine_key parent = {c->parent, c->ns};
    stet_bound bound = {STET_BY_SEQ, c->parent_seq, 0};
    stet_point point = {0};
    stet_status st =
        p->s->log->ops->seek(p->s->log, parent, bound,
                             stet__watermark(&p->s->pipeline), &point, err);
    if (st == STET_OK && point.seq == c->parent_seq) {
        stet_replay_of of = {.key = parent, .point = point};
        st = stet__replay_head(p->s, p->bench, &of, out, out_name, err);
    } else if (st == STET_OK) {
        st = STET_E_NOT_FOUND;
    }
    if (st == STET_E_NOT_FOUND || (st == STET_OK && out->is_deleted)) {
        return stet__fail(err, STET_E_NOT_FOUND, 0,
                          "%s has no state at seq %llu to fork from",
                          stet__id_text(c->parent).text,
                          (unsigned long long)c->parent_seq);
    }
    return st;
}

stet_status stet__prep_fork(stet_prep *p, stet_error *err)
{
    stet_plan *plan = p->plan;
    if (plan->before != NULL) {
        return stet__fail(err, STET_E_EXISTS, 0,
                          "%s is changed before in this batch; a fork needs a "
                          "new id",
                          stet__id_text(p->change->id).text);
    }
    /* Acquire: what is found from here on is what was left by those cuts. */
    plan->cuts_seen =
        atomic_load_explicit(&p->s->pins.cuts, memory_order_acquire);
    /* What the reader holds since an earlier attempt may be from before. */
    p->s->log->ops->reader_rest(p->bench->reader);
    stet_replayed parent = {0};
    stet_status st = find_parent(p, &parent, &p->name, err);
    if (st != STET_OK) {
        return st;
    }
    plan->record.form = STET_BODY_NONE;
    /* The record before this one may be one that the parent inherited. */
    plan->record.parent_id = parent.owner;
    plan->record.parent_ns = p->change->ns;
    plan->record.parent_seq = p->change->parent_seq;
    stet__prep_set_tag(&plan->record, STET_TAG_PARENT);
    plan->fork_point = parent.point;
    plan->view.depth = parent.depth;
    plan->view.body_bytes = parent.body_bytes;
    plan->view.turns = parent.turns;
    /* One append, whatever the parent's state: who asks for it folds it. */
    plan->view.state_bytes = p->s->opts.state_bytes_max;
    return stet__prep_make_head(p, STET_SHAPE_UNKNOWN, err);
}
