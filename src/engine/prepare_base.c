/*
 * Bases: whether an event carries one, and what that restates of the state
 * before.
 */
#include "base/error.h"
#include "engine/prepare.h"

enum {
    /* A base may wait this many times base_events for a state at hand. */
    STET_BASE_PATIENCE = 4,
    STET_BASE_TURNS = 8, /* segment changes between bases */
};

stet_status stet__prep_want_prior(stet_prep *p, stet_error *err)
{
    if (p->is_prior_known) {
        return STET_OK;
    }
    stet_status st =
        stet__state_before(p->s, p->bench, p->plan, &p->prior, err);
    if (stet_status_kind(st) == STET_KIND_DATA && p->plan->instead != NULL) {
        stet__error_reset(err);
        p->prior = stet__box_ref(p->plan->instead);
        st = STET_OK;
    }
    p->is_prior_known = st == STET_OK;
    return st;
}

stet_slice stet__prep_prior_data(const stet_prep *p)
{
    return p->prior == NULL ? (stet_slice){NULL, 0} : p->prior->view.state_data;
}

bool stet__prep_must_be_base(const stet_prep *p)
{
    return !stet__is_there(&p->plan->view);
}

/* Records from one base to the next. */
static uint32_t base_events(const stet_prep *p)
{
    uint32_t own = p->plan->rule->base_events;
    return own != 0 ? own : p->s->opts.base_events;
}

static bool is_base_due(const stet_prep *p)
{
    const stet_head_view *v = &p->plan->view;
    return v->depth + 1 >= base_events(p) ||
           v->body_bytes + p->change->payload.len >= p->s->opts.base_bytes ||
           v->turns >= STET_BASE_TURNS;
}

/*
 * Not while what came before is unknown, and not for a machine made in this
 * very batch without a time: when it was made is settled only when the batch is
 * sequenced.
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
 * A base that is due waits while the state is not at hand, up to a limit; then
 * STET_E_BUSY asks the caller to wait for the head to be durable.
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
                      (uint64_t)base_events(p) * STET_BASE_PATIENCE;
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
