#include "engine/plan.h"

#include <string.h>

#include "base/assert.h"
#include "base/checksum.h"
#include "base/error.h"
#include "base/utf8.h"
#include "core/fold.h"
#include "core/image.h"
#include "core/json.h"
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

/* One preparation: the plan and what belongs to this attempt only. */
typedef struct work {
    stet *s;
    stet_bench *bench;
    stet_plan *plan;
    stet_plan_mode mode;
    stet_box *prior;     /* the state before, once it was asked for */
    bool is_prior_known; /* asked for and got, or known to be none */
    stet_slice name;     /* the state's name after the event */
    stet_buf named;      /* holds a name found in JSON */
    stet_buf packed;     /* holds a packed body */
    stet_buf folded;     /* holds a result */
} work;

static const stet_change *change_of(const work *w)
{
    return w->plan->change;
}

static void set_tag(stet_record *r, stet_record_tag tag)
{
    r->tags |= 1u << tag;
}

static stet_status out_of_memory(const work *w, stet_error *err)
{
    return stet__fail(err, STET_E_NOMEM, 0, "event of %zu bytes",
                      change_of(w)->payload.len);
}

static stet_status want_prior(work *w, stet_error *err)
{
    if (w->is_prior_known) {
        return STET_OK;
    }
    stet_status st =
        stet__state_before(w->s, w->bench, w->plan, &w->prior, err);
    w->is_prior_known = st == STET_OK;
    return st;
}

/* Have the state before if that costs nothing. */
static void take_prior_at_hand(work *w)
{
    if (!w->is_prior_known) {
        w->prior = stet__state_at_hand(w->s, w->plan);
        w->is_prior_known = w->prior != NULL;
    }
}

static stet_slice prior_data(const work *w)
{
    return w->prior == NULL ? (stet_slice){NULL, 0} : w->prior->view.state_data;
}

/* ---- names ---- */

/* Look for a name in JSON; one found counts when it is 1 to 255 bytes. */
static stet_status find_name(const work *w, stet_slice json, stet_buf *room,
                             stet_slice *out, stet_error *err)
{
    *out = (stet_slice){NULL, 0};
    if (json.len == 0) {
        return STET_OK;
    }
    stet_status st = stet__json_string_at(
        &w->s->alloc, json, stet_str(w->s->opts.name_pointers), room);
    if (st == STET_E_NOMEM) {
        return out_of_memory(w, err);
    }
    if (st == STET_OK && room->len <= STET_NAME_BYTES_MAX) {
        *out = stet__buf_slice(room);
    }
    return STET_OK;
}

/* Is this the name in the state before? Then the event does not give it. */
static stet_status is_name_in_prior(const work *w, stet_slice name, bool *out,
                                    stet_error *err)
{
    stet_buf room;
    stet_slice before = {NULL, 0};
    stet__buf_init(&room, &w->s->alloc);
    stet_status st = find_name(w, prior_data(w), &room, &before, err);
    *out = stet__slice_eq(before, name);
    stet__buf_deinit(&room);
    return st;
}

static void set_name(work *w, stet_slice name)
{
    w->name = name;
    w->plan->record.to = name;
    set_tag(&w->plan->record, STET_TAG_TO);
}

/* What the bytes given to settle_name are. */
typedef enum name_source {
    NAME_IN_PAYLOAD = 1,
    NAME_IN_RESULT = 2, /* most of which may be older than the event */
} name_source;

/*
 * Settle the name after the event: the call's, else one that the event puts
 * into `json`, else the one before. A restored event has the call's or none.
 */
static stet_status settle_name(work *w, stet_slice json, name_source source,
                               stet_error *err)
{
    const stet_head_view *v = &w->plan->view;
    const stet_change *c = change_of(w);
    if (c->to_state.len > 0 ||
        (c->verb == STET_VERB_RESTORE && stet__is_there(v))) {
        set_name(w, c->to_state);
        return STET_OK;
    }
    if (stet__is_there(v)) {
        w->name = stet_slice_of(v->name, v->name_bytes);
    }
    if (c->verb == STET_VERB_RESTORE) {
        return STET_OK;
    }
    stet_slice found = {NULL, 0};
    stet_status st = find_name(w, json, &w->named, &found, err);
    bool is_old = found.len == 0 || stet__slice_eq(found, w->name);
    if (st == STET_OK && !is_old && source == NAME_IN_RESULT) {
        st = is_name_in_prior(w, found, &is_old, err);
    }
    if (st == STET_OK && !is_old) {
        set_name(w, found);
    }
    return st;
}

/* ---- bases ---- */

static bool must_be_base(const work *w)
{
    return !stet__is_there(&w->plan->view);
}

static bool is_base_due(const work *w)
{
    const stet_head_view *v = &w->plan->view;
    const stet_opts *o = &w->s->opts;
    return v->depth + 1 >= o->base_events ||
           v->body_bytes + change_of(w)->payload.len >= o->base_bytes ||
           v->turns >= STET_BASE_TURNS;
}

/*
 * Could the record restate what came before? Not while that is unknown, and not
 * for a machine made in this very batch without a time: when it was made is
 * settled only when the batch is sequenced.
 */
static bool can_restate(const work *w)
{
    return must_be_base(w) ||
           (w->is_prior_known && w->prior->view.created_at != STET_TIME_UNSET);
}

/*
 * Decide whether the event carries a base, and have the state before at hand if
 * so. A base that is due waits while the state is not at hand, up to a limit;
 * then STET_E_BUSY asks the caller to wait for the head to be durable.
 */
static stet_status decide_base(work *w, bool *out, stet_error *err)
{
    *out = must_be_base(w);
    if (*out) {
        return want_prior(w, err);
    }
    if (!is_base_due(w)) {
        return STET_OK;
    }
    bool is_overdue = w->plan->view.depth + 1 >=
                      (uint64_t)w->s->opts.base_events * STET_BASE_PATIENCE;
    if (w->mode.is_plain && !is_overdue) {
        return STET_OK;
    }
    stet_status st = want_prior(w, err);
    if (st == STET_E_BUSY && !is_overdue) {
        return STET_OK;
    }
    *out = st == STET_OK && can_restate(w);
    return st;
}

/* Make the record restate what a fold needs from before. */
static void restate(work *w)
{
    stet_record *r = &w->plan->record;
    r->flags |= STET_RECORD_BASE;
    w->plan->is_bound = true;
    if (w->prior == NULL) {
        return;
    }
    const stet_state *v = &w->prior->view;
    if ((r->tags & (1u << STET_TAG_TO)) == 0 && w->name.len > 0) {
        r->base_name = w->name;
        set_tag(r, STET_TAG_BASE_NAME);
    }
    if ((r->tags & (1u << STET_TAG_STATE_TYPE)) == 0 && v->state_type.len > 0) {
        r->base_type = v->state_type;
        set_tag(r, STET_TAG_BASE_TYPE);
    }
    if ((r->tags & (1u << STET_TAG_VERSION)) == 0 && v->version.len > 0) {
        r->base_version = v->version;
        set_tag(r, STET_TAG_BASE_VERSION);
    }
    if ((r->tags & (1u << STET_TAG_MACHINE_METADATA)) == 0 &&
        v->metadata.len > 0) {
        r->base_metadata = v->metadata;
        set_tag(r, STET_TAG_BASE_METADATA);
    }
    r->created_at = v->created_at;
    set_tag(r, STET_TAG_CREATED_AT);
}

static void set_check(stet_record *r, stet_slice state)
{
    r->check = stet__hash64(state.ptr, state.len);
    set_tag(r, STET_TAG_CHECK);
}

/* Pack without a prefix where that saves bytes. */
static stet_status pack(work *w, stet_slice raw, bool *out_packed,
                        stet_slice *out, stet_error *err)
{
    *out_packed = false;
    *out = raw;
    if (raw.len < STET_PACK_BYTES_MIN) {
        return STET_OK;
    }
    stet__buf_reset(&w->packed);
    stet_status st = stet__zstd_pack(w->bench->z, (stet_slice){NULL, 0}, raw,
                                     &w->packed, err);
    if (st == STET_OK && w->packed.len < raw.len) {
        *out_packed = true;
        *out = stet__buf_slice(&w->packed);
    }
    return st;
}

static stet_status check_size(const work *w, stet_slice state, stet_error *err)
{
    if (state.len <= w->s->opts.state_bytes_max) {
        return STET_OK;
    }
    return stet__fail(err, STET_E_TOO_LARGE, 0,
                      "the state of %s folds to %zu bytes; the limit "
                      "state_bytes_max is %u",
                      stet__id_text(change_of(w)->id).text, state.len,
                      w->s->opts.state_bytes_max);
}

/* Put the resulting state into the base's tag. */
static stet_status put_base_state(work *w, stet_slice state, stet_error *err)
{
    stet_record *r = &w->plan->record;
    stet_status st = check_size(w, state, err);
    if (st != STET_OK) {
        return st;
    }
    restate(w);
    set_check(r, state);
    if (state.len == 0) {
        return STET_OK;
    }
    st = pack(w, state, &r->is_base_packed, &r->base_state, err);
    r->base_raw_bytes = state.len;
    set_tag(r, STET_TAG_BASE_STATE);
    return st;
}

/* ---- results ---- */

static stet_slice chosen(stet_slice given, const work *w, size_t member)
{
    if (given.len > 0 || w->prior == NULL ||
        change_of(w)->verb == STET_VERB_RESTORE) {
        return given;
    }
    return *(const stet_slice *)((const char *)&w->prior->view + member);
}

/* Keep the resulting state in memory, where all of it is known. */
static stet_status keep_result(work *w, stet_slice data, stet_shape shape,
                               stet_error *err)
{
    if (!w->is_prior_known && !must_be_base(w)) {
        return STET_OK;
    }
    const stet_change *c = change_of(w);
    bool is_lent = w->prior != NULL && data.len > 0 &&
                   data.ptr == w->prior->view.state_data.ptr;
    stet_box_parts parts = {
        .lender = is_lent ? w->prior : NULL,
        .ns = c->ns,
        .id = c->id,
        .data = data,
        .name = w->name,
        .type = chosen(c->state_type, w, offsetof(stet_state, state_type)),
        .version = chosen(c->version, w, offsetof(stet_state, version)),
        .metadata =
            chosen(c->machine_metadata, w, offsetof(stet_state, metadata)),
        .created_at = w->prior == NULL ? stet__change_time(c, STET_TIME_UNSET)
                                       : w->prior->view.created_at,
    };
    stet_box *box = stet__box_create(&w->s->alloc, &parts);
    if (box == NULL) {
        return out_of_memory(w, err);
    }
    atomic_store_explicit(&box->shape, (uint32_t)shape, memory_order_relaxed);
    w->plan->head->box = box;
    return STET_OK;
}

static stet_status make_head(work *w, stet_shape shape, stet_error *err)
{
    w->plan->head = stet__heads_take(&w->bench->heads, &w->s->alloc, w->name);
    if (w->plan->head == NULL) {
        return out_of_memory(w, err);
    }
    w->plan->head->shape = shape;
    return STET_OK;
}

/* ---- one function a reducer ---- */

/* Choose between a delta against the state before and the whole state. */
static stet_status choose_body(work *w, stet_error *err)
{
    stet_record *r = &w->plan->record;
    stet_slice raw = change_of(w)->payload;
    bool is_base = can_restate(w) && (must_be_base(w) || is_base_due(w));
    stet_slice prefix = prior_data(w);
    size_t delta_bytes = SIZE_MAX;
    if (!is_base && raw.len >= STET_PACK_BYTES_MIN && prefix.len > 0) {
        stet_status st =
            stet__zstd_pack(w->bench->z, prefix, raw, &w->folded, err);
        if (st != STET_OK) {
            return st;
        }
        delta_bytes = w->folded.len;
    }
    if (delta_bytes > raw.len / STET_DELTA_CLEAR_WIN) {
        stet_status st = pack(w, raw, &r->is_packed, &r->body, err);
        if (st != STET_OK) {
            return st;
        }
    }
    if (delta_bytes <= raw.len / STET_DELTA_CLEAR_WIN ||
        delta_bytes <= r->body.len / 2) {
        r->form = STET_BODY_DELTA;
        r->is_packed = true;
        r->body = stet__buf_slice(&w->folded);
        w->plan->is_bound = true;
    } else {
        r->form = STET_BODY_WHOLE;
        if (can_restate(w)) {
            restate(w);
        }
    }
    if (r->is_packed) {
        r->raw_bytes = raw.len;
        set_tag(r, STET_TAG_RAW_BYTES);
    }
    return STET_OK;
}

/*
 * A restored event says all there is of the machine: what it was not given is
 * cleared, by an empty value.
 */
static void say_all(work *w)
{
    if (change_of(w)->verb == STET_VERB_RESTORE && !must_be_base(w)) {
        set_tag(&w->plan->record, STET_TAG_STATE_TYPE);
        set_tag(&w->plan->record, STET_TAG_VERSION);
        set_tag(&w->plan->record, STET_TAG_MACHINE_METADATA);
    }
}

static stet_status prepare_set(work *w, stet_error *err)
{
    stet_slice raw = change_of(w)->payload;
    stet_status st = STET_OK;
    if (!w->mode.is_plain || must_be_base(w)) {
        st = want_prior(w, err);
        if (st != STET_OK && st != STET_E_BUSY) {
            return st;
        }
    }
    st = settle_name(w, raw, NAME_IN_PAYLOAD, err);
    say_all(w);
    if (st == STET_OK) {
        st = choose_body(w, err);
    }
    set_check(&w->plan->record, raw);
    if (st == STET_OK) {
        st = make_head(w, STET_SHAPE_UNKNOWN, err);
    }
    return st == STET_OK ? keep_result(w, raw, STET_SHAPE_UNKNOWN, err) : st;
}

static stet_status not_an_object(const work *w, const char *what,
                                 stet_error *err)
{
    return stet__fail(err, STET_E_INVALID, 0,
                      "%s of %s is not a JSON object; save a whole state "
                      "instead",
                      what, stet__id_text(change_of(w)->id).text);
}

/* Learn whether the state before takes a fold. */
static stet_status check_shape(work *w, stet_error *err)
{
    stet_head_view *v = &w->plan->view;
    if (!stet__is_there(v)) {
        return STET_OK;
    }
    if (v->shape == STET_SHAPE_UNKNOWN) {
        stet_status st = want_prior(w, err);
        if (st != STET_OK) {
            return st;
        }
        v->shape = stet__box_shape(w->prior);
    }
    if (v->shape == STET_SHAPE_UNKNOWN) {
        return out_of_memory(w, err);
    }
    return v->shape == STET_SHAPE_OBJECT ? STET_OK
                                         : not_an_object(w, "the state", err);
}

static stet_status check_payload(const work *w, stet_error *err)
{
    stet_json_kind kind = STET_JSON_OTHER;
    stet_status st =
        stet__json_check(&w->s->alloc, change_of(w)->payload, &kind, err);
    if (st != STET_OK) {
        return stet__wrap(err, st, "payload for %s",
                          stet__id_text(change_of(w)->id).text);
    }
    return kind == STET_JSON_OBJECT ? STET_OK
                                    : not_an_object(w, "the payload", err);
}

/* Fold onto the state before, which is at hand, and keep what that gives. */
static stet_status fold_now(work *w, stet_reducer reducer, bool is_base,
                            stet_error *err)
{
    stet_slice payload = change_of(w)->payload;
    stet_status st = reducer == STET_REDUCER_MERGE
                         ? stet__fold_merge(&w->s->alloc, prior_data(w),
                                            payload, &w->folded, err)
                         : stet__fold_assign(&w->s->alloc, prior_data(w),
                                             payload, &w->folded, err);
    stet_slice state = stet__buf_slice(&w->folded);
    if (st == STET_OK) {
        st = check_size(w, state, err);
    }
    if (st == STET_OK && is_base) {
        st = put_base_state(w, state, err);
    }
    return st == STET_OK ? keep_result(w, state, STET_SHAPE_OBJECT, err) : st;
}

/* Is the state before at hand, and cheap to fold onto? */
static bool is_cheap(work *w)
{
    if (!w->mode.is_plain) {
        take_prior_at_hand(w);
    }
    return w->is_prior_known && prior_data(w).len + change_of(w)->payload.len <=
                                    STET_KEEP_FOLDED_BYTES;
}

/*
 * Merges and assignments are folded when they are read; now only where a base
 * is due, where the state might become too large, or where that is cheap.
 */
static stet_status prepare_fold(work *w, stet_reducer reducer, stet_error *err)
{
    stet_slice payload = change_of(w)->payload;
    stet_record *r = &w->plan->record;
    uint64_t most = w->plan->view.state_bytes + payload.len;
    bool is_large = most > w->s->opts.state_bytes_max;
    bool is_base = false;
    stet_status st = check_payload(w, err);
    if (st == STET_OK) {
        st = check_shape(w, err);
    }
    if (st == STET_OK) {
        st = decide_base(w, &is_base, err);
    }
    if (st == STET_OK && is_large) {
        w->plan->is_bound = true;
        st = want_prior(w, err);
    }
    if (st == STET_OK) {
        st = settle_name(w, payload, NAME_IN_PAYLOAD, err);
    }
    if (st != STET_OK) {
        return st;
    }
    r->form =
        reducer == STET_REDUCER_MERGE ? STET_BODY_MERGE : STET_BODY_ASSIGN;
    r->body = payload;
    st = make_head(w, STET_SHAPE_OBJECT, err);
    return st == STET_OK && (is_base || is_large || is_cheap(w))
               ? fold_now(w, reducer, is_base, err)
               : st;
}

/* Patches and reducers of the application can fail: they are folded now. */
static stet_status prepare_computed(work *w, stet_reducer reducer,
                                    stet_error *err)
{
    const stet_change *c = change_of(w);
    stet_record *r = &w->plan->record;
    stet_status st = want_prior(w, err);
    if (st != STET_OK) {
        return st;
    }
    r->body = c->payload;
    w->plan->is_bound = true;
    stet_shape shape = STET_SHAPE_UNKNOWN;
    if (reducer == STET_REDUCER_PATCH) {
        r->form = STET_BODY_PATCH;
        shape = STET_SHAPE_OBJECT;
        st = stet__fold_patch(&w->s->alloc, prior_data(w), c->payload,
                              &w->folded, err);
    } else {
        r->form = STET_BODY_CUSTOM;
        r->reducer_name = c->reducer_name;
        r->reducer_version = c->reducer_version;
        set_tag(r, STET_TAG_REDUCER);
        st = stet__reduce(w->s, r, prior_data(w), &w->folded, err);
    }
    if (st != STET_OK) {
        return stet__wrap(err, st, "%s", stet__id_text(c->id).text);
    }
    stet_slice state = stet__buf_slice(&w->folded);
    st = check_size(w, state, err);
    if (st == STET_OK) {
        st = settle_name(w, state, NAME_IN_RESULT, err);
    }
    if (st == STET_OK) {
        st = make_head(w, shape, err);
    }
    if (st == STET_OK && can_restate(w) &&
        (must_be_base(w) || is_base_due(w))) {
        st = put_base_state(w, state, err);
    }
    set_check(r, state);
    return st == STET_OK ? keep_result(w, state, shape, err) : st;
}

/* Does a change give the machine more than a name? */
static bool sets_parts(const stet_change *c)
{
    return c->state_type.len + c->version.len + c->machine_metadata.len > 0;
}

static stet_status prepare_none(work *w, stet_error *err)
{
    const stet_change *c = change_of(w);
    stet_record *r = &w->plan->record;
    r->form = STET_BODY_NONE;
    r->body = c->payload;
    bool is_base = false;
    stet_status st = decide_base(w, &is_base, err);
    if (st == STET_OK) {
        st = settle_name(w, (stet_slice){NULL, 0}, NAME_IN_PAYLOAD, err);
    }
    if (st != STET_OK) {
        return st;
    }
    /* A machine that begins with a transition begins with an object. */
    bool is_object = must_be_base(w) && (c->verb == STET_VERB_TRANSITION ||
                                         c->verb == STET_VERB_UPDATE);
    stet_slice state = is_object ? stet_str("{}") : prior_data(w);
    stet_shape shape = must_be_base(w) ? STET_SHAPE_OBJECT /* also empty */
                                       : w->plan->view.shape;
    st = make_head(w, shape, err);
    if (st == STET_OK && is_base) {
        st = put_base_state(w, state, err);
        return st == STET_OK ? keep_result(w, state, shape, err) : st;
    }
    if (st == STET_OK) {
        w->plan->head->is_carried = !sets_parts(c);
    }
    return st;
}

static stet_status prepare_delete(work *w, stet_error *err)
{
    w->plan->record.form = STET_BODY_NONE;
    w->plan->record.flags |= STET_RECORD_BASE;
    stet_status st = make_head(w, STET_SHAPE_OBJECT, err);
    if (st == STET_OK) {
        w->plan->head->is_deleted = true;
    }
    return st;
}

/* Find the point of the parent that a fork begins at. */
static stet_status find_parent(work *w, stet_replayed *out, stet_error *err)
{
    const stet_change *c = change_of(w);
    stet_machine_key parent = {c->parent, c->ns};
    stet_bound bound = {STET_BY_SEQ, c->parent_seq, 0};
    stet_point point = {0};
    stet_status st =
        w->s->log->ops->seek(w->s->log, parent, bound,
                             stet__watermark(&w->s->pipeline), &point, err);
    if (st == STET_OK && point.seq == c->parent_seq) {
        stet_replay_of of = {parent, point, NULL};
        st = stet__replay(w->s, w->bench, &of, out, err);
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

static stet_status prepare_fork(work *w, stet_error *err)
{
    stet_plan *plan = w->plan;
    if (plan->before != NULL) {
        return stet__fail(err, STET_E_EXISTS, 0,
                          "%s is changed before in this batch; a fork needs a "
                          "new id",
                          stet__id_text(change_of(w)->id).text);
    }
    stet_replayed parent = {0};
    stet_status st = find_parent(w, &parent, err);
    if (st != STET_OK) {
        return st;
    }
    w->prior = parent.box;
    w->is_prior_known = true;
    plan->record.form = STET_BODY_NONE;
    /* The record before this one may be one that the parent inherited. */
    plan->record.parent_id = parent.owner;
    plan->record.parent_ns = change_of(w)->ns;
    plan->record.parent_seq = change_of(w)->parent_seq;
    set_tag(&plan->record, STET_TAG_PARENT);
    plan->fork_point = parent.point;
    plan->view.depth = parent.depth;
    plan->view.body_bytes = parent.body_bytes;
    plan->view.turns = parent.turns;
    w->name = parent.box->view.current_state;
    st = make_head(w, STET_SHAPE_UNKNOWN, err);
    return st == STET_OK
               ? keep_result(w, prior_data(w), STET_SHAPE_UNKNOWN, err)
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
            set_tag(r, texts[i].tag);
        }
    }
    if (c->type != STET_TYPE_NONE) {
        r->type = c->type;
        set_tag(r, STET_TAG_TYPE);
    }
    if (c->duration_ns > 0) {
        r->duration_ns = (uint64_t)c->duration_ns;
        set_tag(r, STET_TAG_DURATION);
    }
    if ((c->flags & STET_CHANGE_PHASE) != 0) {
        r->flags |= STET_RECORD_PHASE_CHANGE;
    }
}

static stet_status dispatch(work *w, stet_error *err)
{
    const stet_change *c = change_of(w);
    if (c->verb == STET_VERB_DELETE) {
        return prepare_delete(w, err);
    }
    if (c->verb == STET_VERB_FORK) {
        return prepare_fork(w, err);
    }
    stet_reducer reducer = reducer_of(c);
    switch (reducer) {
    case STET_REDUCER_SET:
        return prepare_set(w, err);
    case STET_REDUCER_MERGE:
    case STET_REDUCER_ASSIGN:
        return prepare_fold(w, reducer, err);
    case STET_REDUCER_PATCH:
    case STET_REDUCER_CUSTOM:
        return prepare_computed(w, reducer, err);
    case STET_REDUCER_DEFAULT:
    case STET_REDUCER_NONE:
        return prepare_none(w, err);
    }
    return STET_E_INVALID;
}

static stet_status encode_tail(work *w, stet_error *err)
{
    stet_plan *plan = w->plan;
    stet_record *r = &plan->record;
    size_t body_bytes = r->body.len;
    size_t room = stet__record_tail_bytes_max(r);
    if (room > plan->tail_room) {
        plan->tail = stet__arena_alloc(&w->bench->batch, room);
        plan->tail_room = plan->tail == NULL ? 0 : room;
    }
    if (room > plan->tail_room) {
        return out_of_memory(w, err);
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
        set_tag(&plan->record, STET_TAG_KEY);
    }
    copy_change(&plan->record, plan->change);
    stet__view_take(s, plan);

    work w = {.s = s, .bench = bench, .plan = plan, .mode = mode};
    stet__buf_init(&w.named, &s->alloc);
    stet__buf_init(&w.packed, &s->alloc);
    stet__buf_init(&w.folded, &s->alloc);
    stet_status st = dispatch(&w, err);
    if (st == STET_OK) {
        st = encode_tail(&w, err);
    }
    if (st == STET_OK) {
        foresee_head(plan);
    }
    stet__box_unref(w.prior);
    stet__buf_deinit(&w.named);
    stet__buf_deinit(&w.packed);
    stet__buf_deinit(&w.folded);
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
