/*
 * The way of an attempt: take what the change says as it is, let the verb's
 * reducer prepare the rest (prepare.h names the parts), encode the tail.
 */
#include "engine/plan.h"

#include <string.h>

#include "base/assert.h"
#include "base/checksum.h"
#include "base/error.h"
#include "engine/prepare.h"

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

/* A machine that is made without a version has its strategy's. */
static void set_first_version(stet_plan *plan)
{
    const char *version = stet__traits_of(plan->rule)->version;
    stet_record *r = &plan->record;
    bool is_made = !stet__is_there(&plan->view) &&
                   plan->change->verb <= STET_VERB_FAIL; /* those can */
    if (is_made && version != NULL && r->version.len == 0) {
        r->version = stet_str(version);
        stet__prep_set_tag(r, STET_TAG_VERSION);
    }
}

/*
 * What a verb expects by itself, of what the batch did to the machine before;
 * what it expects of the store is judged when it is sequenced.
 */
static stet_status check_before(const stet_prep *p, stet_error *err)
{
    bool is_there = stet__is_there(&p->plan->view);
    if (p->plan->before == NULL) {
        return STET_OK;
    }
    if (p->change->verb == STET_VERB_CREATE && is_there) {
        return stet__fail(err, STET_E_EXISTS, 0,
                          "%s is there by a change before it in this batch",
                          stet__id_text(p->change->id).text);
    }
    if (p->change->verb == STET_VERB_DELETE && !is_there) {
        return stet__fail(err, STET_E_NOT_FOUND, 0,
                          "%s is deleted by a change before it in this batch",
                          stet__id_text(p->change->id).text);
    }
    return STET_OK;
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
    set_first_version(plan);

    stet_prep p = {.s = s,
                   .bench = bench,
                   .plan = plan,
                   .change = plan->change,
                   .mode = mode};
    stet__buf_init(&p.named, &s->alloc);
    stet__buf_init(&p.packed, &s->alloc);
    stet__buf_init(&p.folded, &s->alloc);
    stet_status st = check_before(&p, err);
    if (st == STET_OK) {
        st = dispatch(&p, err);
    }
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

void stet__plan_init(const stet *s, stet_plan *plan, const stet_change *change)
{
    memset(plan, 0, offsetof(stet_plan, view));
    stet__head_view(NULL, &plan->view);
    plan->change = change;
    plan->rule =
        stet__rule_of(&s->opts, (stet_machine_key){change->id, change->ns});
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
