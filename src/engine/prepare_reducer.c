/*
 * Reducers: how each makes a record of a change. The whole state (set), folds
 * that wait until they are read (merge, assign), folds that can fail and are
 * done now (patch, custom), and none.
 */
#include "base/error.h"
#include "core/fold.h"
#include "core/json.h"
#include "engine/prepare.h"
#include "engine/replay.h"

enum {
    /* A delta this many times smaller than its state needs no comparison. */
    STET_DELTA_CLEAR_WIN = 16,
    /* States up to this stay folded: a base then needs no reading. */
    STET_KEEP_FOLDED_BYTES = 1024,
};

/* Choose between a delta against the state before and the whole state. */
static stet_status choose_body(stet_prep *p, stet_error *err)
{
    stet_record *r = &p->plan->record;
    stet_slice raw = p->change->payload;
    bool is_base = stet__prep_wants_base(p);
    stet_slice prefix = stet__prep_prior_data(p);
    size_t delta_bytes = SIZE_MAX;
    if (!is_base && raw.len >= STET_PACK_BYTES_MIN && prefix.len > 0) {
        stet_status st =
            stet__zstd_pack(p->bench->z, prefix, raw, &p->folded, err);
        if (st != STET_OK) {
            return st;
        }
        delta_bytes = p->folded.len;
    }
    if (delta_bytes > raw.len / STET_DELTA_CLEAR_WIN) {
        stet_status st = stet__prep_pack(p, raw, &r->is_packed, &r->body, err);
        if (st != STET_OK) {
            return st;
        }
    }
    if (delta_bytes <= raw.len / STET_DELTA_CLEAR_WIN ||
        delta_bytes <= r->body.len / 2) {
        r->form = STET_BODY_DELTA;
        r->is_packed = true;
        r->body = stet__buf_slice(&p->folded);
        p->plan->is_bound = true;
    } else {
        r->form = STET_BODY_WHOLE;
        if (stet__prep_can_restate(p)) {
            stet__prep_restate(p);
        }
    }
    if (r->is_packed) {
        r->raw_bytes = raw.len;
        stet__prep_set_tag(r, STET_TAG_RAW_BYTES);
    }
    return STET_OK;
}

/*
 * A restored event says all there is of the machine: what it was not given is
 * cleared, by an empty value.
 */
static void say_all(stet_prep *p)
{
    if (p->change->verb == STET_VERB_RESTORE && !stet__prep_must_be_base(p)) {
        stet__prep_set_tag(&p->plan->record, STET_TAG_STATE_TYPE);
        stet__prep_set_tag(&p->plan->record, STET_TAG_VERSION);
        stet__prep_set_tag(&p->plan->record, STET_TAG_MACHINE_METADATA);
    }
}

stet_status stet__prep_set(stet_prep *p, stet_error *err)
{
    stet_slice raw = p->change->payload;
    stet_status st = STET_OK;
    if (!p->mode.is_plain || stet__prep_must_be_base(p)) {
        st = stet__prep_want_prior(p, err);
        if (st != STET_OK && st != STET_E_BUSY) {
            return st;
        }
    }
    st = stet__prep_settle_name(p, raw, STET_NAME_IN_PAYLOAD, err);
    say_all(p);
    if (st == STET_OK) {
        st = choose_body(p, err);
    }
    stet__prep_set_check(&p->plan->record, raw);
    if (st == STET_OK) {
        st = stet__prep_make_head(p, STET_SHAPE_UNKNOWN, err);
    }
    return st == STET_OK
               ? stet__prep_keep_result(p, raw, STET_SHAPE_UNKNOWN, err)
               : st;
}

static stet_status not_an_object(const stet_prep *p, const char *what,
                                 stet_error *err)
{
    return stet__fail(err, STET_E_INVALID, 0,
                      "%s of %s is not a JSON object; save a whole state "
                      "instead",
                      what, stet__id_text(p->change->id).text);
}

/* Learn whether the state before takes a fold. */
static stet_status check_shape(stet_prep *p, stet_error *err)
{
    stet_head_view *v = &p->plan->view;
    if (!stet__is_there(v)) {
        return STET_OK;
    }
    if (v->shape == STET_SHAPE_UNKNOWN) {
        stet_status st = stet__prep_want_prior(p, err);
        if (st != STET_OK) {
            return st;
        }
        v->shape = stet__box_shape(p->prior);
    }
    if (v->shape == STET_SHAPE_UNKNOWN) {
        return stet__prep_nomem(p, err);
    }
    return v->shape == STET_SHAPE_OBJECT ? STET_OK
                                         : not_an_object(p, "the state", err);
}

static stet_status check_payload(const stet_prep *p, stet_error *err)
{
    stet_json_kind kind = STET_JSON_OTHER;
    stet_status st =
        stet__json_check(&p->s->alloc, p->change->payload, &kind, err);
    if (st != STET_OK) {
        return stet__wrap(err, st, "payload for %s",
                          stet__id_text(p->change->id).text);
    }
    return kind == STET_JSON_OBJECT ? STET_OK
                                    : not_an_object(p, "the payload", err);
}

/* Fold onto the state before, which is at hand, and keep what that gives. */
static stet_status fold_now(stet_prep *p, stet_reducer reducer, bool is_base,
                            stet_error *err)
{
    stet_slice payload = p->change->payload;
    stet_status st =
        reducer == STET_REDUCER_MERGE
            ? stet__fold_merge(&p->s->alloc, stet__prep_prior_data(p), payload,
                               &p->folded, err)
            : stet__fold_assign(&p->s->alloc, stet__prep_prior_data(p), payload,
                                &p->folded, err);
    stet_slice state = stet__buf_slice(&p->folded);
    if (st == STET_OK) {
        st = stet__prep_check_size(p, state, err);
    }
    if (st == STET_OK && is_base) {
        st = stet__prep_put_base_state(p, state, err);
    }
    return st == STET_OK
               ? stet__prep_keep_result(p, state, STET_SHAPE_OBJECT, err)
               : st;
}

/* Have the state before if that costs nothing. */
static void take_prior_at_hand(stet_prep *p)
{
    if (!p->is_prior_known) {
        p->prior = stet__state_at_hand(p->s, p->plan);
        p->is_prior_known = p->prior != NULL;
    }
}

/* Is the state before at hand, and cheap to fold onto? */
static bool is_cheap(stet_prep *p)
{
    if (!p->mode.is_plain) {
        take_prior_at_hand(p);
    }
    return p->is_prior_known &&
           stet__prep_prior_data(p).len + p->change->payload.len <=
               STET_KEEP_FOLDED_BYTES;
}

/*
 * Merges and assignments are folded when they are read; now only where a base
 * is due, where the state might become too large, or where that is cheap.
 */
stet_status stet__prep_fold(stet_prep *p, stet_reducer reducer, stet_error *err)
{
    stet_slice payload = p->change->payload;
    stet_record *r = &p->plan->record;
    uint64_t most = p->plan->view.state_bytes + payload.len;
    bool is_large = most > p->s->opts.state_bytes_max;
    bool is_base = false;
    stet_status st = check_payload(p, err);
    if (st == STET_OK) {
        st = check_shape(p, err);
    }
    if (st == STET_OK) {
        st = stet__prep_decide_base(p, &is_base, err);
    }
    if (st == STET_OK && is_large) {
        p->plan->is_bound = true;
        st = stet__prep_want_prior(p, err);
    }
    if (st == STET_OK) {
        st = stet__prep_settle_name(p, payload, STET_NAME_IN_PAYLOAD, err);
    }
    if (st != STET_OK) {
        return st;
    }
    r->form =
        reducer == STET_REDUCER_MERGE ? STET_BODY_MERGE : STET_BODY_ASSIGN;
    r->body = payload;
    st = stet__prep_make_head(p, STET_SHAPE_OBJECT, err);
    return st == STET_OK && (is_base || is_large || is_cheap(p))
               ? fold_now(p, reducer, is_base, err)
               : st;
}

/* Patches and reducers of the application can fail: they are folded now. */
stet_status stet__prep_computed(stet_prep *p, stet_reducer reducer,
                                stet_error *err)
{
    const stet_change *c = p->change;
    stet_record *r = &p->plan->record;
    stet_status st = stet__prep_want_prior(p, err);
    if (st != STET_OK) {
        return st;
    }
    r->body = c->payload;
    p->plan->is_bound = true;
    stet_shape shape = STET_SHAPE_UNKNOWN;
    if (reducer == STET_REDUCER_PATCH) {
        r->form = STET_BODY_PATCH;
        shape = STET_SHAPE_OBJECT;
        st = stet__fold_patch(&p->s->alloc, stet__prep_prior_data(p),
                              c->payload, &p->folded, err);
    } else {
        r->form = STET_BODY_CUSTOM;
        r->reducer_name = c->reducer_name;
        r->reducer_version = c->reducer_version;
        stet__prep_set_tag(r, STET_TAG_REDUCER);
        st = stet__reduce(p->s, r, stet__prep_prior_data(p), &p->folded, err);
    }
    if (st != STET_OK) {
        return stet__wrap(err, st, "%s", stet__id_text(c->id).text);
    }
    stet_slice state = stet__buf_slice(&p->folded);
    st = stet__prep_check_size(p, state, err);
    if (st == STET_OK) {
        st = stet__prep_settle_name(p, state, STET_NAME_IN_RESULT, err);
    }
    if (st == STET_OK) {
        st = stet__prep_make_head(p, shape, err);
    }
    if (st == STET_OK && stet__prep_wants_base(p)) {
        st = stet__prep_put_base_state(p, state, err);
    }
    stet__prep_set_check(r, state);
    return st == STET_OK ? stet__prep_keep_result(p, state, shape, err) : st;
}

/* Does a change give the machine more than a name? */
static bool sets_parts(const stet_change *c)
{
    return c->state_type.len + c->version.len + c->machine_metadata.len > 0;
}

stet_status stet__prep_none(stet_prep *p, stet_error *err)
{
    const stet_change *c = p->change;
    stet_record *r = &p->plan->record;
    r->form = STET_BODY_NONE;
    r->body = c->payload;
    bool is_base = false;
    stet_status st = stet__prep_decide_base(p, &is_base, err);
    if (st == STET_OK) {
        st = stet__prep_settle_name(p, (stet_slice){NULL, 0},
                                    STET_NAME_IN_PAYLOAD, err);
    }
    if (st != STET_OK) {
        return st;
    }
    /* A machine that begins with a transition begins with an object. */
    bool is_object =
        stet__prep_must_be_base(p) &&
        (c->verb == STET_VERB_TRANSITION || c->verb == STET_VERB_UPDATE);
    stet_slice state = is_object ? stet_str("{}") : stet__prep_prior_data(p);
    stet_shape shape = stet__prep_must_be_base(p)
                           ? STET_SHAPE_OBJECT /* also empty */
                           : p->plan->view.shape;
    st = stet__prep_make_head(p, shape, err);
    if (st == STET_OK && is_base) {
        st = stet__prep_put_base_state(p, state, err);
        return st == STET_OK ? stet__prep_keep_result(p, state, shape, err)
                             : st;
    }
    if (st == STET_OK) {
        p->plan->head->is_carried = !sets_parts(c);
    }
    return st;
}
