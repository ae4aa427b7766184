#include "lib/model_event.h"

#include <string.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "core/fold.h"
#include "core/json.h"

static const stet_slice nothing = {NULL, 0};

/* ---- reducers of the application ---- */

/* One of them, as a function of two texts alone. */
typedef struct pure {
    stet_status (*fn)(stet_slice state, stet_slice payload, stet_buf *out);
} pure;

/* The state and the payload behind it, but at most the last 100 bytes. */
static stet_status reduce_tail(stet_slice state, stet_slice payload,
                               stet_buf *out)
{
    stet_buf all;
    stet__buf_init(&all, &stet__heap);
    stet__buf_put_slice(&all, state);
    stet__buf_put_slice(&all, payload);
    size_t skip = all.len > 100 ? all.len - 100 : 0;
    stet__buf_put(out, all.ptr + skip, all.len - skip);
    stet__buf_deinit(&all);
    return STET_OK;
}

/* An object that names the state; refuses a payload of odd length. */
static stet_status reduce_count(stet_slice state, stet_slice payload,
                                stet_buf *out)
{
    stet__buf_printf(out, "{\"phase\":\"c%zu\",\"n\":%zu}", state.len % 3,
                     state.len + payload.len);
    return payload.len % 2 == 0 ? STET_OK : STET_E_CONFLICT;
}

/* Nothing is left. */
static stet_status reduce_clear(stet_slice state, stet_slice payload,
                                stet_buf *out)
{
    (void)state;
    (void)payload;
    (void)out;
    return STET_OK;
}

static pure last = {reduce_tail};
static pure counter = {reduce_count};
static pure none = {reduce_clear};

static stet_status call(void *ctx, stet_slice state, stet_slice payload,
                        stet_output *out)
{
    stet_buf made;
    stet__buf_init(&made, &stet__heap);
    stet_status st = ((const pure *)ctx)->fn(state, payload, &made);
    stet_output_put(out, stet__buf_slice(&made));
    stet__buf_deinit(&made);
    return st;
}

const stet_reducer_def model_reducers[MODEL_REDUCERS] = {
    {"tail", 1, call, &last},
    {"count", 2, call, &counter},
    {"clear", 1, call, &none},
};

static stet_status reduce(const stet_change *c, stet_slice state, stet_buf *out)
{
    for (size_t i = 0; i < MODEL_REDUCERS; i++) {
        const stet_reducer_def *def = &model_reducers[i];
        if (stet__slice_eq(c->reducer_name, stet_str(def->name)) &&
            c->reducer_version == def->version) {
            return ((const pure *)def->ctx)->fn(state, c->payload, out);
        }
    }
    return STET_E_UNSUPPORTED;
}

/* ---- one change ---- */

static stet_reducer reducer_of(const stet_change *c)
{
    static const stet_reducer by_verb[] = {
        [STET_VERB_SAVE] = STET_REDUCER_SET,
        [STET_VERB_CREATE] = STET_REDUCER_SET,
        [STET_VERB_TRANSITION] = STET_REDUCER_MERGE,
        [STET_VERB_UPDATE] = STET_REDUCER_MERGE,
        [STET_VERB_PATCH] = STET_REDUCER_PATCH,
        [STET_VERB_APPEND] = STET_REDUCER_NONE,
        [STET_VERB_FAIL] = STET_REDUCER_NONE,
        [STET_VERB_DELETE] = STET_REDUCER_NONE,
        [STET_VERB_RESTORE] = STET_REDUCER_SET,
        [STET_VERB_FORK] = STET_REDUCER_NONE,
    };
    if (c->reducer != STET_REDUCER_DEFAULT) {
        return c->reducer;
    }
    if (c->verb == STET_VERB_TRANSITION && c->payload.len == 0) {
        return STET_REDUCER_NONE;
    }
    return by_verb[c->verb];
}

static stet_event_kind kind_of(stet_verb verb)
{
    static const stet_event_kind by_verb[] = {
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
    return by_verb[verb];
}

static bool is_object(stet_slice state)
{
    stet_json_kind kind = STET_JSON_OTHER;
    return state.len == 0 ||
           (stet__json_check(&stet__heap, state, &kind, NULL) == STET_OK &&
            kind == STET_JSON_OBJECT);
}

/* The state after a change of `state`, in the arena. */
static stet_status fold(stet_arena *arena, const stet_change *c,
                        stet_slice state, stet_slice *out)
{
    stet_buf made;
    stet__buf_init(&made, &stet__heap);
    stet_status st = STET_OK;
    switch (reducer_of(c)) {
    case STET_REDUCER_DEFAULT:
    case STET_REDUCER_NONE:
        *out = state;
        return STET_OK;
    case STET_REDUCER_SET:
        *out = c->payload;
        return STET_OK;
    case STET_REDUCER_MERGE:
        st = is_object(state)
                 ? stet__fold_merge(&stet__heap, state, c->payload, &made, NULL)
                 : STET_E_INVALID;
        break;
    case STET_REDUCER_ASSIGN:
        st = is_object(state) ? stet__fold_assign(&stet__heap, state,
                                                  c->payload, &made, NULL)
                              : STET_E_INVALID;
        break;
    case STET_REDUCER_PATCH:
        st = stet__fold_patch(&stet__heap, state, c->payload, &made, NULL);
        break;
    case STET_REDUCER_CUSTOM:
        st = reduce(c, state, &made);
        break;
    }
    *out = stet__arena_copy(arena, stet__buf_slice(&made));
    stet__buf_deinit(&made);
    return st;
}

/* The name that a JSON text gives to its state, in the arena; or nothing. */
static stet_slice name_in(stet_arena *arena, stet_slice json)
{
    stet_buf name;
    stet__buf_init(&name, &stet__heap);
    stet_slice found = nothing;
    if (stet__json_string_at(&stet__heap, json,
                             stet_str("/current_state /phase"),
                             &name) == STET_OK &&
        name.len <= STET_NAME_BYTES_MAX) {
        found = stet__arena_copy(arena, stet__buf_slice(&name));
    }
    stet__buf_deinit(&name);
    return found;
}

/* The name that an event puts into the state, where it was not before. */
static stet_slice name_put(stet_arena *arena, const model_event *e)
{
    stet_slice found = name_in(arena, e->data);
    bool was_there = e->before != NULL &&
                     stet__slice_eq(found, name_in(arena, e->before->data));
    return was_there ? nothing : found;
}

static stet_slice name_found(stet_arena *arena, const stet_change *c,
                             const model_event *e)
{
    switch (reducer_of(c)) {
    case STET_REDUCER_SET:
    case STET_REDUCER_MERGE:
    case STET_REDUCER_ASSIGN:
        return name_in(arena, c->payload);
    case STET_REDUCER_PATCH:
    case STET_REDUCER_CUSTOM:
        return name_put(arena, e);
    case STET_REDUCER_DEFAULT:
    case STET_REDUCER_NONE:
        break;
    }
    return nothing;
}

static stet_slice either(stet_slice given, stet_slice old)
{
    return given.len > 0 ? given : old;
}

/* What the event says: all that the caller said, and what follows from it. */
static void say(const stet_change *c, const model_event *before, model_event *e)
{
    stet_reducer reducer = reducer_of(c);
    e->said = (stet_event){
        .state_machine_id = c->id,
        .ns = c->ns,
        .kind = kind_of(c->verb),
        .type = c->type,
        .reducer = reducer,
        .reducer_name = c->reducer_name,
        .reducer_version = c->reducer_version,
        .from_state = c->from_state,
        .action = c->action,
        .payload = reducer == STET_REDUCER_SET ? nothing : c->payload,
        .actor_id = c->actor_id,
        .correlation_id = c->correlation_id,
        .causation_id = c->causation_id,
        .error = c->error,
        .metadata = c->metadata,
        .event_id = c->event_id,
        .version = c->version,
        .state_type = c->state_type,
        .timestamp = c->timestamp,
        .duration_ns = c->duration_ns,
        .flags = (c->flags & STET_CHANGE_PHASE) != 0
                     ? (uint32_t)STET_EVENT_PHASE_CHANGE
                     : 0,
    };
    if (c->from_state.len == 0 && c->verb == STET_VERB_TRANSITION &&
        before != NULL) {
        e->said.from_state = before->name;
    }
    e->has_time = c->timestamp != 0 || (c->flags & STET_CHANGE_EPOCH) != 0;
}

static void settle_name(stet_arena *arena, const stet_change *c, model_event *e)
{
    if (c->verb == STET_VERB_RESTORE) {
        e->name = e->said.to_state = c->to_state;
        return;
    }
    stet_slice old = e->before == NULL ? nothing : e->before->name;
    stet_slice found = name_found(arena, c, e);
    e->name = either(c->to_state, either(found, old));
    e->said.to_state = c->to_state;
    if (c->to_state.len == 0 && found.len > 0 && !stet__slice_eq(found, old)) {
        e->said.to_state = found;
    }
}

stet_status model_event_make(stet_arena *arena, const stet_change *c,
                             const model_event *before, model_event **out)
{
    model_event *e = stet__arena_alloc(arena, sizeof *e);
    memset(e, 0, sizeof *e);
    say(c, before, e);
    e->before = before;
    e->is_there = c->verb != STET_VERB_DELETE;
    stet_status st =
        fold(arena, c, before == NULL ? nothing : before->data, &e->data);
    if (st != STET_OK) {
        return st;
    }
    /* A machine that begins with a transition begins with an object. */
    if (before == NULL && reducer_of(c) == STET_REDUCER_NONE &&
        (c->verb == STET_VERB_TRANSITION || c->verb == STET_VERB_UPDATE)) {
        e->data = stet_str("{}");
    }
    settle_name(arena, c, e);
    /* A restored event says all there is of the machine. */
    const model_event *old = c->verb == STET_VERB_RESTORE ? NULL : before;
    e->type = either(c->state_type, old == NULL ? nothing : old->type);
    e->version = either(c->version, old == NULL ? nothing : old->version);
    e->metadata =
        either(c->machine_metadata, old == NULL ? nothing : old->metadata);
    *out = e;
    return STET_OK;
}
