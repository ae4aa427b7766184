#include "engine/event.h"

#include "base/glob.h"
#include "engine/lost.h"

static stet_reducer reducer_of(const stet_record *r)
{
    switch (r->form) {
    case STET_BODY_NONE:
        return STET_REDUCER_NONE;
    case STET_BODY_WHOLE:
    case STET_BODY_DELTA:
        return STET_REDUCER_SET;
    case STET_BODY_MERGE:
        return STET_REDUCER_MERGE;
    case STET_BODY_ASSIGN:
        return STET_REDUCER_ASSIGN;
    case STET_BODY_PATCH:
        return STET_REDUCER_PATCH;
    case STET_BODY_CUSTOM:
        return STET_REDUCER_CUSTOM;
    }
    return STET_REDUCER_NONE;
}

static uint32_t flags_of(const stet_record *r, stet_status lost)
{
    uint32_t flags = 0;
    flags |= (r->flags & STET_RECORD_PHASE_CHANGE) != 0
                 ? (uint32_t)STET_EVENT_PHASE_CHANGE
                 : 0;
    flags |= (r->flags & STET_RECORD_BASE) != 0 ? (uint32_t)STET_EVENT_BASE : 0;
    flags |= (r->flags & STET_RECORD_BATCH_FIRST) != 0
                 ? (uint32_t)STET_EVENT_BATCH_FIRST
                 : 0;
    flags |= (r->flags & STET_RECORD_BATCH_LAST) != 0
                 ? (uint32_t)STET_EVENT_BATCH_LAST
                 : 0;
    flags |= lost == STET_E_ERASED ? (uint32_t)STET_EVENT_ERASED : 0;
    flags |= lost == STET_E_GONE ? (uint32_t)STET_EVENT_GONE : 0;
    return flags;
}

/*
 * Member by member: of a literal compilers make all of it in registers, which
 * run out, before they store it.
 */
void stet__event_of(const stet_record *r, stet_status lost,
                    stet_event_place place, stet_event *out)
{
    out->reducer = reducer_of(r);
    bool has_payload = lost == STET_OK && out->reducer != STET_REDUCER_SET;
    out->state_machine_id = r->id;
    out->from_state = r->from;
    out->to_state = r->to;
    out->action = r->action;
    out->payload = has_payload ? r->body : stet_slice_of(NULL, 0);
    out->actor_id = r->actor;
    out->correlation_id = r->correlation;
    out->causation_id = r->causation;
    out->error = r->error;
    out->metadata = r->metadata;
    out->event_id = r->event_id;
    out->version = r->version;
    out->state_type = r->state_type;
    out->reducer_name = r->reducer_name;
    out->reducer_version = r->reducer_version;
    out->flags = flags_of(r, lost);
    out->timestamp = place.recorded + r->occurred_delta;
    out->recorded_at = place.recorded;
    out->duration_ns = (int64_t)r->duration_ns;
    out->seq = r->seq;
    out->position = place.position;
    out->kind = r->kind;
    out->type = r->type;
    out->ns = r->ns;
    out->state = NULL;
}

/*
 * Does a stub stand for an event that a salvage lost, and nobody knows whose?
 * It may be any that is looked for.
 */
static bool is_nobodys(const stet_record *r)
{
    return r->ns == STET_STORE_NAMESPACE && stet__record_is_dropped(r) &&
           r->id.len > 0 && *(const char *)r->id.ptr == STET_NOBODYS_ID;
}

static bool is_wanted(const stet_event_filter *f, const stet_record *r)
{
    if (stet__record_is_dropped(r) && !f->with_gone) {
        return false;
    }
    if (is_nobodys(r)) {
        return true;
    }
    return r->ns >= f->ns && r->ns <= f->ns_last &&
           (f->kinds == 0 || (f->kinds & 1u << r->kind) != 0) &&
           (f->pattern.len == 0 || stet__glob_match(f->pattern, r->id));
}

stet_status stet__event_look(stet_event_look *look, uint64_t position,
                             bool *out_is_wanted, stet_error *err)
{
    stet_logged l = {0};
    size_t bytes = 0;
    stet_status st =
        look->s->log->ops->reader_read(look->bench->reader, position, &l, err);
    if (st == STET_OK) {
        st = stet__record_parse(l.bytes, &look->record, &bytes, err);
    }
    if (st != STET_OK) {
        return st;
    }
    stet_record *r = &look->record;
    *out_is_wanted = is_wanted(&look->filter, r);
    if (*out_is_wanted) {
        if (is_nobodys(r)) {
            r->id = stet_slice_of(NULL, 0);
        }
        stet_event_place place = {l.recorded, position};
        stet__event_of(r, stet__lost_of(look->s, r), place, &look->lent);
    }
    return STET_OK;
}
