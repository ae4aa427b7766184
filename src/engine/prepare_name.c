/* Names: which one the state has after an event. */
#include "base/error.h"
#include "core/json.h"
#include "core/skim.h"
#include "engine/prepare.h"

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
    if (stet__skim_says_no_other(json, stet_str(p->s->opts.name_pointers),
                                 p->name)) {
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
