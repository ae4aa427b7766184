#include "engine/plan.h"

#include <string.h>

#include "base/assert.h"
#include "base/checksum.h"
#include "base/error.h"
#include "base/utf8.h"
#include "core/fold.h"
#include "core/image.h"
#include "core/json.h"
#include "engine/prepare.h"
#include "engine/replay.h"

enum {
    /* Below this a state is stored as it is: packing saves too little. */
    STET_PACK_BYTES_MIN = 64,
    /* A delta this many times smaller than its state needs no comparison. */
    STET_DELTA_CLEAR_WIN = 16,
    /* A base may wait this many times base_events for a state at hand. */
    STET_BASE_PATIENCE = 4,
    STET_BASE_TURNS = 8, /* segment changes between bases */
    /* States up to this stay folded: a base then needs no reading. */
    STET_KEEP_FOLDED_BYTES = 1024,
};

void stet__prep_set_tag(stet_record *r, stet_record_tag tag)
{
    r->tags |= 1u << tag;
}

stet_status stet__prep_nomem(const stet_prep *p, stet_error *err)
{
    return stet__fail(err, STET_E_NOMEM, 0, "event of %zu bytes",
                      p->change->payload.len);
}

stet_status stet__prep_want_prior(stet_prep *p, stet_error *err)
{
    if (p->is_prior_known) {
        return STET_OK;
    }
    stet_status st =
        stet__state_before(p->s, p->bench, p->plan, &p->prior, err);
    p->is_prior_known = st == STET_OK;
    return st;
}

/* Have the state before if that costs nothing. */
static void take_prior_at_hand(stet_prep *p)
{
    if (!p->is_prior_known) {
        p->prior = stet__state_at_hand(p->s, p->plan);
        p->is_prior_known = p->prior != NULL;
    }
}

stet_slice stet__prep_prior_data(const stet_prep *p)
{
    return p->prior == NULL ? (stet_slice){NULL, 0} : p->prior->view.state_data;
}

/* ---- names ---- */

/* Look for a name in JSON; one found counts when it is 1 to 255 bytes. */
static stet_status find_name(const stet_prep *p, stet_slice json,
                             stet_buf *room, stet_slice *out, stet_error *err)
{
    *out = (stet_slice){NULL, 0};
    if (json.len == 0) {
        return STET_OK;
    }
    stet_status st = stet__json_string_at(
        &p->s->alloc, json, stet_str(p->s->opts.name_pointers), room);
    if (st == STET_E_NOMEM) {
        return stet__prep_nomem(p, err);
    }
    if (st == STET_OK && room->len <= STET_NAME_BYTES_MAX) {
        *out = stet__buf_slice(room);
    }
    return STET_OK;
}

/* Is this the name in the state before? Then the event does not give it. */
static stet_status is_name_in_prior(const stet_prep *p, stet_slice name,
                                    bool *out, stet_error *err)
{
    stet_buf room;
    stet_slice before = {NULL, 0};
    stet__buf_init(&room, &p->s->alloc);
    stet_status st =
        find_name(p, stet__prep_prior_data(p), &room, &before, err);
    *out = stet__slice_eq(before, name);
    stet__buf_deinit(&room);
    return st;
}

static void set_name(stet_prep *p, stet_slice name)
{
    p->name = name;
    p->plan->record.to = name;
    stet__prep_set_tag(&p->plan->record, STET_TAG_TO);
}

/*
 * Settle the name after the event: the call's, else one that the event puts
 * into `json`, else the one before. A restored event has the call's or none.
 */
stet_status stet__prep_settle_name(stet_prep *p, stet_slice json,
                                   stet_name_source source, stet_error *err)
{
    const stet_head_view *v = &p->plan->view;
    const stet_change *c = p->change;
    if (c->to_state.len > 0 ||
        (c->verb == STET_VERB_RESTORE && stet__is_there(v))) {
        set_name(p, c->to_state);
        return STET_OK;
    }
    if (stet__is_there(v)) {
        p->name = stet_slice_of(v->name, v->name_bytes);
    }
    if (c->verb == STET_VERB_RESTORE) {
        return STET_OK;
    }
    stet_slice found = {NULL, 0};
    stet_status st = find_name(p, json, &p->named, &found, err);
    bool is_old = found.len == 0 || stet__slice_eq(found, p->name);
    if (st == STET_OK && !is_old && source == STET_NAME_IN_RESULT) {
        st = is_name_in_prior(p, found, &is_old, err);
    }
    if (st == STET_OK && !is_old) {
        set_name(p, found);
    }
    return st;
}

/* ---- bases ---- */

bool stet__prep_must_be_base(const stet_prep *p)
{
    return !stet__is_there(&p->plan->view);
}

static bool is_base_due(const stet_prep *p)
{
    const stet_head_view *v = &p->plan->view;
    const stet_opts *o = &p->s->opts;
    return v->depth + 1 >= o->base_events ||
           v->body_bytes + p->change->payload.len >= o->base_bytes ||
           v->turns >= STET_BASE_TURNS;
}

/*
 * Could the record restate what came before? Not while that is unknown, and not
 * for a machine made in this very batch without a time: when it was made is
 * settled only when the batch is sequenced.
 */
bool stet__prep_can_restate(const stet_prep *p)
{
    return stet__prep_must_be_base(p) ||
           (p->is_prior_known && p->prior->view.created_at != STET_TIME_UNSET);
}

bool stet__prep_wants_base(const stet_prep *p)
{
    return stet__prep_can_restate(p) &&
           (stet__prep_must_be_base(p) || is_base_due(p));
}

/*
 * Decide whether the event carries a base, and have the state before at hand if
 * so. A base that is due waits while the state is not at hand, up to a limit;
 * then STET_E_BUSY asks the caller to wait for the head to be durable.
 */
stet_status stet__prep_decide_base(stet_prep *p, bool *out, stet_error *err)
{
    *out = stet__prep_must_be_base(p);
    if (*out) {
        return stet__prep_want_prior(p, err);
    }
    if (!is_base_due(p)) {
        return STET_OK;
    }
    bool is_overdue = p->plan->view.depth + 1 >=
                      (uint64_t)p->s->opts.base_events * STET_BASE_PATIENCE;
    if (p->mode.is_plain && !is_overdue) {
        return STET_OK;
    }
    stet_status st = stet__prep_want_prior(p, err);
    if (st == STET_E_BUSY && !is_overdue) {
        return STET_OK;
    }
    *out = st == STET_OK && stet__prep_can_restate(p);
    return st;
}

/* Make the record restate what a fold needs from before. */
void stet__prep_restate(stet_prep *p)
{
    stet_record *r = &p->plan->record;
    r->flags |= STET_RECORD_BASE;
    p->plan->is_bound = true;
    if (p->prior == NULL) {
        return;
    }
    const stet_state *v = &p->prior->view;
    if ((r->tags & (1u << STET_TAG_TO)) == 0 && p->name.len > 0) {
        r->base_name = p->name;
        stet__prep_set_tag(r, STET_TAG_BASE_NAME);
    }
    if ((r->tags & (1u << STET_TAG_STATE_TYPE)) == 0 && v->state_type.len > 0) {
        r->base_type = v->state_type;
        stet__prep_set_tag(r, STET_TAG_BASE_TYPE);
    }
    if ((r->tags & (1u << STET_TAG_VERSION)) == 0 && v->version.len > 0) {
        r->base_version = v->version;
        stet__prep_set_tag(r, STET_TAG_BASE_VERSION);
    }
    if ((r->tags & (1u << STET_TAG_MACHINE_METADATA)) == 0 &&
        v->metadata.len > 0) {
        r->base_metadata = v->metadata;
        stet__prep_set_tag(r, STET_TAG_BASE_METADATA);
    }
    r->created_at = v->created_at;
    stet__prep_set_tag(r, STET_TAG_CREATED_AT);
}

void stet__prep_set_check(stet_record *r, stet_slice state)
{
    r->check = stet__hash64(state.ptr, state.len);
    stet__prep_set_tag(r, STET_TAG_CHECK);
}

/* Pack without a prefix where that saves bytes. */
stet_status stet__prep_pack(stet_prep *p, stet_slice raw, bool *out_packed,
                            stet_slice *out, stet_error *err)
{
    *out_packed = false;
    *out = raw;
    if (raw.len < STET_PACK_BYTES_MIN) {
        return STET_OK;
    }
    stet__buf_reset(&p->packed);
    stet_status st = stet__zstd_pack(p->bench->z, (stet_slice){NULL, 0}, raw,
                                     &p->packed, err);
    if (st == STET_OK && p->packed.len < raw.len) {
        *out_packed = true;
        *out = stet__buf_slice(&p->packed);
    }
    return st;
}

stet_status stet__prep_check_size(const stet_prep *p, stet_slice state,
                                  stet_error *err)
{
    if (state.len <= p->s->opts.state_bytes_max) {
        return STET_OK;
    }
    return stet__fail(err, STET_E_TOO_LARGE, 0,
                      "the state of %s folds to %zu bytes; the limit "
                      "state_bytes_max is %u",
                      stet__id_text(p->change->id).text, state.len,
                      p->s->opts.state_bytes_max);
}

/* Put the resulting state into the base's tag. */
stet_status stet__prep_put_base_state(stet_prep *p, stet_slice state,
                                      stet_error *err)
{
    stet_record *r = &p->plan->record;
    stet_status st = stet__prep_check_size(p, state, err);
    if (st != STET_OK) {
        return st;
    }
    stet__prep_restate(p);
    stet__prep_set_check(r, state);
    if (state.len == 0) {
        return STET_OK;
    }
    st = stet__prep_pack(p, state, &r->is_base_packed, &r->base_state, err);
    r->base_raw_bytes = state.len;
    stet__prep_set_tag(r, STET_TAG_BASE_STATE);
    return st;
}

/* ---- results ---- */

static stet_slice chosen(stet_slice given, const stet_prep *p, size_t member)
{
    if (given.len > 0 || p->prior == NULL ||
        p->change->verb == STET_VERB_RESTORE) {
        return given;
    }
    return *(const stet_slice *)((const char *)&p->prior->view + member);
}

/* Keep the resulting state in memory, where all of it is known. */
stet_status stet__prep_keep_result(stet_prep *p, stet_slice data,
                                   stet_shape shape, stet_error *err)
{
    if (!p->is_prior_known && !stet__prep_must_be_base(p)) {
        return STET_OK;
    }
    const stet_change *c = p->change;
    bool is_lent = p->prior != NULL && data.len > 0 &&
                   data.ptr == p->prior->view.state_data.ptr;
    stet_box_parts parts = {
        .lender = is_lent ? p->prior : NULL,
        .ns = c->ns,
        .id = c->id,
        .data = data,
        .name = p->name,
        .type = chosen(c->state_type, p, offsetof(stet_state, state_type)),
        .version = chosen(c->version, p, offsetof(stet_state, version)),
        .metadata =
            chosen(c->machine_metadata, p, offsetof(stet_state, metadata)),
        .created_at = p->prior == NULL ? stet__change_time(c, STET_TIME_UNSET)
                                       : p->prior->view.created_at,
    };
    stet_box *box = stet__box_create(&p->s->alloc, &parts);
    if (box == NULL) {
        return stet__prep_nomem(p, err);
    }
    atomic_store_explicit(&box->shape, (uint32_t)shape, memory_order_relaxed);
    p->plan->head->box = box;
    return STET_OK;
}

stet_status stet__prep_make_head(stet_prep *p, stet_shape shape,
                                 stet_error *err)
{
    p->plan->head = stet__heads_take(&p->bench->heads, &p->s->alloc, p->name);
    if (p->plan->head == NULL) {
        return stet__prep_nomem(p, err);
    }
    p->plan->head->shape = shape;
    return STET_OK;
}

/* ---- one function a reducer ---- */

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
                               stet_error *err)
{
    const stet_change *c = p->change;
    stet_machine_key parent = {c->parent, c->ns};
    stet_bound bound = {STET_BY_SEQ, c->parent_seq, 0};
    stet_point point = {0};
    stet_status st =
        p->s->log->ops->seek(p->s->log, parent, bound,
                             stet__watermark(&p->s->pipeline), &point, err);
    if (st == STET_OK && point.seq == c->parent_seq) {
        stet_replay_of of = {parent, point, NULL};
        st = stet__replay(p->s, p->bench, &of, out, err);
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
    stet_replayed parent = {0};
    stet_status st = find_parent(p, &parent, err);
    if (st != STET_OK) {
        return st;
    }
    p->prior = parent.box;
    p->is_prior_known = true;
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
    p->name = parent.box->view.current_state;
    st = stet__prep_make_head(p, STET_SHAPE_UNKNOWN, err);
    return st == STET_OK ? stet__prep_keep_result(p, stet__prep_prior_data(p),
                                                  STET_SHAPE_UNKNOWN, err)
                         : st;
}

/* ---- all of it ---- */

static stet_event_kind kind_of(stet_verb verb)
{
    static const stet_event_kind kinds[] = {
        [STET_VERB_SAVE] = STET_EVENT_SAVED,
        [STET_VERB_CREATE] = STET_EVENT_CREATED,
        [STET_VERB_TRANSITION] = STET_EVENT_TRANSITIONED,
        [STET_VERB_UPDATE] = STET_EVENT_UPDATED,
        [STET_VERB_PATCH] = STET_EVENT_UPDATED,
        [STET_VERB_APPEND] = STET_EVENT_APPENDED,
        [STET_VERB_FAIL] = STET_EVENT_FAILED,
        [STET_VERB_DELETE] = STET_EVENT_DELETED,
        [STET_VERB_RESTORE] = STET_EVENT_RESTORED,
        [STET_VERB_FORK] = STET_EVENT_FORKED,
    };
    STET_ASSERT(verb >= STET_VERB_SAVE && verb <= STET_VERB_FORK);
    return kinds[verb];
}

static stet_reducer reducer_of(const stet_change *c)
{
    if (c->reducer != STET_REDUCER_DEFAULT) {
        return c->reducer;
    }
    switch (c->verb) {
    case STET_VERB_SAVE:
    case STET_VERB_CREATE:
    case STET_VERB_RESTORE:
        return STET_REDUCER_SET;
    case STET_VERB_TRANSITION:
        return c->payload.len > 0 ? STET_REDUCER_MERGE : STET_REDUCER_NONE;
    case STET_VERB_UPDATE:
        return STET_REDUCER_MERGE;
    case STET_VERB_PATCH:
        return STET_REDUCER_PATCH;
    case STET_VERB_APPEND:
    case STET_VERB_FAIL:
    case STET_VERB_DELETE:
    case STET_VERB_FORK:
        return STET_REDUCER_NONE;
    }
    return STET_REDUCER_NONE;
}

/* What the record takes from the change as it is. */
static void copy_change(stet_record *r, const stet_change *c)
{
    const struct {
        stet_slice from;
        stet_slice *to;
        stet_record_tag tag;
    } texts[] = {
        {c->event_id, &r->event_id, STET_TAG_EVENT_ID},
        {c->metadata, &r->metadata, STET_TAG_METADATA},
        {c->state_type, &r->state_type, STET_TAG_STATE_TYPE},
        {c->version, &r->version, STET_TAG_VERSION},
        {c->action, &r->action, STET_TAG_ACTION},
        {c->actor_id, &r->actor, STET_TAG_ACTOR},
        {c->correlation_id, &r->correlation, STET_TAG_CORRELATION},
        {c->causation_id, &r->causation, STET_TAG_CAUSATION},
        {c->error, &r->error, STET_TAG_ERROR},
        {c->machine_metadata, &r->machine_metadata, STET_TAG_MACHINE_METADATA},
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        if (texts[i].from.len > 0) {
            *texts[i].to = texts[i].from;
            stet__prep_set_tag(r, texts[i].tag);
        }
    }
    if (c->type != STET_TYPE_NONE) {
        r->type = c->type;
        stet__prep_set_tag(r, STET_TAG_TYPE);
    }
    if (c->duration_ns > 0) {
        r->duration_ns = (uint64_t)c->duration_ns;
        stet__prep_set_tag(r, STET_TAG_DURATION);
    }
    if ((c->flags & STET_CHANGE_PHASE) != 0) {
        r->flags |= STET_RECORD_PHASE_CHANGE;
    }
}

static stet_status dispatch(stet_prep *p, stet_error *err)
{
    const stet_change *c = p->change;
    if (c->verb == STET_VERB_DELETE) {
        return stet__prep_delete(p, err);
    }
    if (c->verb == STET_VERB_FORK) {
        return stet__prep_fork(p, err);
    }
    stet_reducer reducer = reducer_of(c);
    switch (reducer) {
    case STET_REDUCER_SET:
        return stet__prep_set(p, err);
    case STET_REDUCER_MERGE:
    case STET_REDUCER_ASSIGN:
        return stet__prep_fold(p, reducer, err);
    case STET_REDUCER_PATCH:
    case STET_REDUCER_CUSTOM:
        return stet__prep_computed(p, reducer, err);
    case STET_REDUCER_DEFAULT:
    case STET_REDUCER_NONE:
        return stet__prep_none(p, err);
    }
    return STET_E_INVALID;
}

static stet_status encode_tail(stet_prep *p, stet_error *err)
{
    stet_plan *plan = p->plan;
    stet_record *r = &plan->record;
    size_t body_bytes = r->body.len;
    size_t room = stet__record_tail_bytes_max(r);
    if (room > plan->tail_room) {
        plan->tail = stet__arena_alloc(&p->bench->batch, room);
        plan->tail_room = plan->tail == NULL ? 0 : room;
    }
    if (room > plan->tail_room) {
        return stet__prep_nomem(p, err);
    }
    plan->tail_bytes = stet__record_put_tail(r, plan->tail);
    plan->tail_crc = stet__crc32c(0, plan->tail, plan->tail_bytes);
    /*
     * What a later change of the batch may fold lives on in the plan: the body
     * in the tail, a name that was found in the head. A base is not folded
     * again; it has its state in a box.
     */
    r->body =
        stet_slice_of(plan->tail + (plan->tail_bytes - body_bytes), body_bytes);
    if ((r->tags & (1u << STET_TAG_TO)) != 0) {
        STET_ASSERT(plan->head->name_bytes == r->to.len);
        r->to = stet_slice_of(plan->head->name, plan->head->name_bytes);
    }
    return STET_OK;
}

/* The same from the form of the body, whatever state was prepared against. */
static uint64_t state_bytes_of_form(const stet_plan *plan, uint64_t before)
{
    switch (plan->record.form) {
    case STET_BODY_WHOLE:
    case STET_BODY_DELTA:
        return plan->change->payload.len;
    case STET_BODY_MERGE:
    case STET_BODY_ASSIGN:
        /* A fold writes no member longer than it read it. */
        return before + plan->record.body.len;
    case STET_BODY_NONE:
    case STET_BODY_PATCH:
    case STET_BODY_CUSTOM:
        break;
    }
    return before;
}

uint64_t stet__plan_state_bytes(const stet_plan *plan, uint64_t before)
{
    return plan->head->box != NULL ? plan->head->box->view.state_data.len
                                   : state_bytes_of_form(plan, before);
}

/* What the next change of this batch counts on; sequencing sets it anew. */
static void foresee_head(stet_plan *plan)
{
    plan->head->state_bytes =
        stet__plan_state_bytes(plan, plan->view.state_bytes);
    if ((plan->record.flags & STET_RECORD_BASE) == 0) {
        plan->head->depth = plan->view.depth + 1;
        plan->head->body_bytes = plan->view.body_bytes + plan->record.body.len;
        plan->head->turns = plan->view.turns;
    }
}

static void drop_attempt(stet *s, stet_bench *bench, stet_plan *plan)
{
    stet__heads_give(&bench->heads, &s->alloc, plan->head);
    stet__box_unref(plan->outdated);
    plan->head = NULL;
    plan->outdated = NULL;
    plan->is_bound = false;
}

stet_status stet__plan_prepare(stet *s, stet_bench *bench, stet_plan *plan,
                               stet_plan_mode mode, stet_error *err)
{
    drop_attempt(s, bench, plan);
    plan->record = (stet_record){.kind = kind_of(plan->change->verb),
                                 .ns = plan->change->ns,
                                 .id = plan->change->id};
    if (plan->key != NULL) {
        memcpy(plan->record.key, plan->key->key, sizeof(plan->key->key));
        plan->record.key_check = plan->key->check;
        stet__prep_set_tag(&plan->record, STET_TAG_KEY);
    }
    copy_change(&plan->record, plan->change);
    stet__view_take(s, plan);

    stet_prep p = {.s = s,
                   .bench = bench,
                   .plan = plan,
                   .change = plan->change,
                   .mode = mode};
    stet__buf_init(&p.named, &s->alloc);
    stet__buf_init(&p.packed, &s->alloc);
    stet__buf_init(&p.folded, &s->alloc);
    stet_status st = dispatch(&p, err);
    if (st == STET_OK) {
        st = encode_tail(&p, err);
    }
    if (st == STET_OK) {
        foresee_head(plan);
    }
    stet__box_unref(p.prior);
    stet__buf_deinit(&p.named);
    stet__buf_deinit(&p.packed);
    stet__buf_deinit(&p.folded);
    return st;
}

void stet__plan_init(stet_plan *plan, const stet_change *change)
{
    memset(plan, 0, offsetof(stet_plan, view));
    stet__head_view(NULL, &plan->view);
    plan->change = change;
}

void stet__plan_deinit(stet *s, stet_bench *bench, stet_plan *plan)
{
    drop_attempt(s, bench, plan);
}

bool stet__plan_is_stale(const stet *s, const stet_plan *plan,
                         const stet_head *newest)
{
    const stet_head_view *v = &plan->view;
    uint64_t seq = newest == NULL ? 0 : newest->seq;
    if (seq == v->seq) {
        return false;
    }
    /* Later changes of the batch may be bound to what this one was. */
    if (plan->is_bound || plan->after != NULL || newest == NULL ||
        !v->is_written || newest->is_deleted != v->is_deleted ||
        newest->shape != v->shape) {
        return true;
    }
    if (newest->state_bytes > v->state_bytes &&
        state_bytes_of_form(plan, newest->state_bytes) >
            s->opts.state_bytes_max) {
        return true; /* too large, perhaps: to be folded and seen */
    }
    return !stet__slice_eq(stet_slice_of(newest->name, newest->name_bytes),
                           stet_slice_of(v->name, v->name_bytes));
}

void stet__plan_settle(stet_plan *plan, const stet_head *newest)
{
    bool has_moved = newest != NULL && newest->seq != plan->view.seq;
    if (has_moved && plan->before == NULL) {
        STET_ASSERT(!plan->is_bound && plan->outdated == NULL);
        plan->outdated = plan->head->box;
        plan->head->box = NULL;
    }
}
