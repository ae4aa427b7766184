#include "formats/item.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/error.h"
#include "base/timetext.h"
#include "base/utf8.h"
#include "formats/base64.h"

typedef struct field_def {
    const char *name;
    const char *alias; /* or NULL */
    stet_field_form form;
    size_t offset; /* of its slice in stet_change; 0: it is none, but has */
    bool (*set)(stet_item *item, stet_slice text);
    void (*put)(const stet_item *item, stet_buf *out);
} field_def;

static bool is_text(stet_slice s, const char *text)
{
    return text != NULL && stet__slice_eq(s, stet_str(text));
}

/* The digits "+0200" or "+02" at the end of a time, without the colon. */
static size_t bare_offset_bytes(stet_slice text)
{
    const char *p = text.ptr;
    for (size_t len = 3; len <= 5; len += 2) {
        /* Behind a clock, so that the "-11" of a bare date is not meant. */
        if (text.len > len + 10 &&
            (p[text.len - len] == '+' || p[text.len - len] == '-')) {
            return len;
        }
    }
    return 0;
}

/* Logs leave out what RFC 3339 demands: the colon, the offset, the clock. */
static bool parse_time(stet_slice text, int64_t *out_ns)
{
    char full[64];
    const char *p = text.ptr;
    if (stet__time_parse(text, out_ns)) {
        return true;
    }
    if (text.len < 10 || text.len > sizeof full - 16) {
        return false;
    }
    size_t offset = bare_offset_bytes(text);
    int head = (int)(text.len - (offset == 5 ? 2 : 0));
    const char *rest = "Z";
    if (text.len == 10) {
        rest = "T00:00:00Z";
    } else if (offset == 5) {
        rest = ":";
    } else if (offset == 3) {
        rest = ":00";
    }
    int len = snprintf(full, sizeof full, "%.*s%s%.*s", head, p, rest,
                       (int)text.len - head, p + head);
    STET_ASSERT(len > 0 && (size_t)len < sizeof full);
    return stet__time_parse_rfc3339(stet_slice_of(full, (size_t)len), out_ns);
}

static bool set_time(stet_item *item, stet_slice text)
{
    stet_change *c = &item->change;
    if (!parse_time(text, &c->timestamp)) {
        return false;
    }
    if (c->timestamp == 0) {
        c->flags |= STET_CHANGE_EPOCH;
    }
    return true;
}

static bool set_kind(stet_item *item, stet_slice text)
{
    for (int k = STET_EVENT_CREATED; k <= STET_EVENT_DELETED; k++) {
        if (is_text(text, stet_event_kind_name((stet_event_kind)k))) {
            item->kind = (stet_event_kind)k;
            return true;
        }
    }
    return false;
}

/* An empty text is a type that is known to be none. */
static bool set_type(stet_item *item, stet_slice text)
{
    for (int t = STET_TYPE_NONE; t <= STET_TYPE_ADMIN_OVERRIDE; t++) {
        if (is_text(text, stet_transition_type_name((stet_transition_type)t))) {
            item->change.type = (stet_transition_type)t;
            return true;
        }
    }
    return false;
}

/* Custom ones are functions of an application, which no file can bring. */
static bool set_reducer(stet_item *item, stet_slice text)
{
    for (int r = STET_REDUCER_NONE; r <= STET_REDUCER_PATCH; r++) {
        if (is_text(text, stet_reducer_name((stet_reducer)r))) {
            item->change.reducer = (stet_reducer)r;
            return true;
        }
    }
    return false;
}

static bool set_phase_change(stet_item *item, stet_slice text)
{
    if (is_text(text, "true")) {
        item->change.flags |= STET_CHANGE_PHASE;
        return true;
    }
    return is_text(text, "false");
}

/*
 * Milliseconds to nanoseconds, exactly: the decimal point moves, no floating
 * point takes part. Places beyond the sixth are cut.
 */
static bool set_duration(stet_item *item, stet_slice text)
{
    const char *p = text.ptr;
    int64_t ns = 0;
    size_t places = 0;
    bool has_point = false;
    for (size_t i = 0; i < text.len; i++) {
        if (p[i] == '.' && !has_point && i > 0) {
            has_point = true;
            continue;
        }
        if (p[i] < '0' || p[i] > '9') {
            return false;
        }
        if (has_point && ++places > 6) {
            continue;
        }
        if (__builtin_mul_overflow(ns, 10, &ns) ||
            __builtin_add_overflow(ns, p[i] - '0', &ns)) {
            return false;
        }
    }
    for (; places < 6; places++) {
        if (__builtin_mul_overflow(ns, 10, &ns)) {
            return false;
        }
    }
    item->change.duration_ns = ns;
    return text.len > 0 && p[text.len - 1] != '.';
}

static void put_time(const stet_item *item, stet_buf *out)
{
    const stet_change *c = &item->change;
    char text[STET_TIME_TEXT_MAX];
    if (c->timestamp != 0 || (c->flags & STET_CHANGE_EPOCH) != 0) {
        stet__time_format(c->timestamp, text);
        stet__buf_put_str(out, text);
    }
}

static void put_kind(const stet_item *item, stet_buf *out)
{
    stet__buf_put_str(out, stet_event_kind_name(item->kind));
}

static void put_type(const stet_item *item, stet_buf *out)
{
    stet__buf_put_str(out, stet_transition_type_name(item->change.type));
}

static void put_reducer(const stet_item *item, stet_buf *out)
{
    const stet_change *c = &item->change;
    if (c->verb == STET_VERB_PATCH) {
        stet__buf_put_str(out, stet_reducer_name(STET_REDUCER_PATCH));
    } else if (c->reducer != STET_REDUCER_DEFAULT) {
        stet__buf_put_str(out, stet_reducer_name(c->reducer));
    }
}

static void put_duration(const stet_item *item, stet_buf *out)
{
    int64_t ns = item->change.duration_ns;
    char text[40];
    if (ns <= 0) {
        return;
    }
    int len = snprintf(text, sizeof text, "%" PRId64 ".%06" PRId64,
                       ns / 1000000, ns % 1000000);
    STET_ASSERT(len > 0 && (size_t)len < sizeof text);
    while (text[len - 1] == '0') {
        len--;
    }
    stet__buf_put(out, text, (size_t)(text[len - 1] == '.' ? len - 1 : len));
}

static void put_phase_change(const stet_item *item, stet_buf *out)
{
    if ((item->change.flags & STET_CHANGE_PHASE) != 0) {
        stet__buf_put_str(out, "true");
    }
}

#define SLICE(member) offsetof(stet_change, member), NULL, NULL

static const field_def defs[STET_FIELD_COUNT] = {
    [STET_FIELD_ID] = {"id", "state_machine_id", STET_FORM_TEXT, SLICE(id)},
    [STET_FIELD_TS] = {"ts", "timestamp", STET_FORM_TIME, 0, set_time,
                       put_time},
    [STET_FIELD_KIND] = {"kind", NULL, STET_FORM_TEXT, 0, set_kind, put_kind},
    [STET_FIELD_FROM] = {"from", "from_state", STET_FORM_TEXT,
                         SLICE(from_state)},
    [STET_FIELD_TO] = {"to", "to_state", STET_FORM_TEXT, SLICE(to_state)},
    [STET_FIELD_ACTION] = {"action", NULL, STET_FORM_TEXT, SLICE(action)},
    [STET_FIELD_ACTOR] = {"actor", "actor_id", STET_FORM_TEXT, SLICE(actor_id)},
    [STET_FIELD_TYPE] = {"type", NULL, STET_FORM_TEXT, 0, set_type, put_type},
    [STET_FIELD_REDUCER] = {"reducer", NULL, STET_FORM_TEXT, 0, set_reducer,
                            put_reducer},
    [STET_FIELD_ERROR] = {"error", NULL, STET_FORM_TEXT, SLICE(error)},
    [STET_FIELD_CORRELATION] = {"correlation", "correlation_id", STET_FORM_TEXT,
                                SLICE(correlation_id)},
    [STET_FIELD_CAUSATION] = {"causation", "causation_id", STET_FORM_TEXT,
                              SLICE(causation_id)},
    [STET_FIELD_DURATION_MS] = {"duration_ms", NULL, STET_FORM_NUMBER, 0,
                                set_duration, put_duration},
    [STET_FIELD_PHASE_CHANGE] = {"phase_change", NULL, STET_FORM_BOOL, 0,
                                 set_phase_change, put_phase_change},
    [STET_FIELD_EVENT_ID] = {"event_id", NULL, STET_FORM_TEXT, SLICE(event_id)},
    [STET_FIELD_VERSION] = {"version", NULL, STET_FORM_TEXT, SLICE(version)},
    [STET_FIELD_STATE_TYPE] = {"state_type", NULL, STET_FORM_TEXT,
                               SLICE(state_type)},
    [STET_FIELD_METADATA] = {"metadata", NULL, STET_FORM_OBJECT,
                             SLICE(metadata)},
    [STET_FIELD_MACHINE_METADATA] = {"machine_metadata", NULL, STET_FORM_OBJECT,
                                     SLICE(machine_metadata)},
    [STET_FIELD_PAYLOAD] = {"payload", NULL, STET_FORM_JSON, SLICE(payload)},
    [STET_FIELD_STATE] = {"state", "state_data", STET_FORM_JSON,
                          SLICE(payload)},
};

_Static_assert(STET_FIELD_COUNT <= 32, "item.given has a bit for each field");

static const char base64_suffix[] = "_base64";

bool stet__field_find(stet_slice name, stet_field_name *out)
{
    size_t suffix = sizeof base64_suffix - 1;
    const char *p = name.ptr;
    bool is_base64 = name.len > suffix &&
                     memcmp(p + name.len - suffix, base64_suffix, suffix) == 0;
    stet_slice plain =
        stet_slice_of(p, is_base64 ? name.len - suffix : name.len);
    for (int f = 0; f < STET_FIELD_COUNT; f++) {
        if (is_text(plain, defs[f].name) || is_text(plain, defs[f].alias)) {
            *out = (stet_field_name){(stet_field)f, is_base64};
            return true;
        }
    }
    return false;
}

const char *stet__field_name(stet_field field)
{
    return defs[field].name;
}

stet_field_form stet__field_form(stet_field field)
{
    return defs[field].form;
}

bool stet__kind_holds_state(stet_event_kind kind)
{
    return kind == STET_EVENT_CREATED || kind == STET_EVENT_SAVED ||
           kind == STET_EVENT_RESTORED;
}

void stet__item_reset(stet_item *item, uint64_t line)
{
    *item = (stet_item){.change = {.struct_size = sizeof(stet_change)},
                        .line = line};
}

bool stet__item_has(const stet_item *item, stet_field field)
{
    return (item->given >> field & 1U) != 0;
}

/* The slice of a field that has one. */
static stet_slice *slice_of(stet_change *change, stet_field field)
{
    STET_ASSERT(defs[field].offset != 0);
    return (stet_slice *)(void *)((char *)change + defs[field].offset);
}

stet_slice stet__item_slice(const stet_item *item, stet_field field)
{
    const char *change = (const char *)&item->change;
    STET_ASSERT(defs[field].offset != 0);
    return *(const stet_slice *)(const void *)(change + defs[field].offset);
}

stet_status stet__item_set(stet_item *item, stet_field_name name,
                           stet_slice text, stet_arena *arena, stet_error *err)
{
    const char *label = defs[name.field].name;
    if (stet__item_has(item, name.field)) {
        return stet__fail(err, STET_E_INVALID, 0, "%s is given twice", label);
    }
    stet_slice plain = text;
    if (name.is_base64) {
        if (!stet__base64_decode(text, arena, &plain)) {
            return stet__fail(err, STET_E_INVALID, 0, "%s%s is not base64",
                              label, base64_suffix);
        }
        if (plain.ptr == NULL) {
            return stet__fail(err, STET_E_NOMEM, 0, "decode %s", label);
        }
    }
    const field_def *def = &defs[name.field];
    if (def->set == NULL) {
        *slice_of(&item->change, name.field) = plain;
    } else if (!def->set(item, plain)) {
        int shown = plain.len < 64 ? (int)plain.len : 64;
        return stet__fail(err, STET_E_INVALID, 0, "%s cannot be \"%.*s\"",
                          label, shown, (const char *)plain.ptr);
    }
    item->given |= 1U << name.field;
    return STET_OK;
}

static bool verb_of_kind(stet_event_kind kind, stet_verb *out)
{
    switch (kind) {
    case STET_EVENT_CREATED:
        *out = STET_VERB_CREATE;
        return true;
    case STET_EVENT_SAVED:
        *out = STET_VERB_SAVE;
        return true;
    case STET_EVENT_TRANSITIONED:
        *out = STET_VERB_TRANSITION;
        return true;
    case STET_EVENT_UPDATED:
        *out = STET_VERB_UPDATE;
        return true;
    case STET_EVENT_APPENDED:
        *out = STET_VERB_APPEND;
        return true;
    case STET_EVENT_FAILED:
        *out = STET_VERB_FAIL;
        return true;
    case STET_EVENT_RESTORED:
        *out = STET_VERB_RESTORE;
        return true;
    case STET_EVENT_DELETED:
        *out = STET_VERB_DELETE;
        return true;
    case STET_EVENT_FORKED:
    case STET_EVENT_MIGRATED:
        break;
    }
    return false;
}

/* Will the payload be folded as the members of an object? */
static bool folds_members(const stet_change *c)
{
    bool is_folded =
        c->verb == STET_VERB_TRANSITION || c->verb == STET_VERB_UPDATE;
    return (is_folded && c->reducer == STET_REDUCER_DEFAULT) ||
           c->reducer == STET_REDUCER_MERGE ||
           c->reducer == STET_REDUCER_ASSIGN;
}

static bool opens_object(stet_slice json)
{
    const char *p = json.ptr;
    size_t i = 0;
    while (i < json.len && strchr(" \t\r\n", p[i]) != NULL && p[i] != '\0') {
        i++;
    }
    return i < json.len && p[i] == '{';
}

static stet_status check_payload(const stet_item *item, stet_error *err)
{
    bool has_state = stet__item_has(item, STET_FIELD_STATE);
    bool has_payload = stet__item_has(item, STET_FIELD_PAYLOAD);
    const char *kind = stet_event_kind_name(item->kind);
    if (has_state && has_payload) {
        return stet__fail(err, STET_E_INVALID, 0, "both a state and a payload");
    }
    if (stet__kind_holds_state(item->kind)) {
        return has_state || has_payload
                   ? STET_OK
                   : stet__fail(err, STET_E_INVALID, 0,
                                "a %s event without a state", kind);
    }
    if (has_state) {
        return stet__fail(err, STET_E_INVALID, 0, "a %s event with a state",
                          kind);
    }
    if (item->change.payload.len > 0 && folds_members(&item->change) &&
        !opens_object(item->change.payload)) {
        return stet__fail(err, STET_E_INVALID, 0,
                          "the payload is not a JSON object");
    }
    return STET_OK;
}

/* Names are bounded in a store; here the line is known. */
static stet_status check_names(const stet_item *item, stet_error *err)
{
    for (int f = STET_FIELD_FROM; f < STET_FIELD_PAYLOAD; f++) {
        const field_def *def = &defs[f];
        bool is_name = def->form == STET_FORM_TEXT && def->set == NULL &&
                       f != STET_FIELD_ERROR;
        if (!is_name) {
            continue;
        }
        stet_slice name = stet__item_slice(item, (stet_field)f);
        if (name.len > STET_NAME_BYTES_MAX) {
            return stet__fail(err, STET_E_INVALID, 0,
                              "%s has %zu bytes, %d at most", def->name,
                              name.len, STET_NAME_BYTES_MAX);
        }
        if (!stet__utf8_is_valid(name)) {
            return stet__fail(err, STET_E_INVALID, 0, "%s is not UTF-8",
                              def->name);
        }
    }
    return STET_OK;
}

stet_status stet__item_finish(stet_item *item, stet_event_kind otherwise,
                              stet_error *err)
{
    stet_change *c = &item->change;
    if (!stet__item_has(item, STET_FIELD_KIND)) {
        item->kind = otherwise;
    }
    if (!verb_of_kind(item->kind, &c->verb)) {
        return stet__fail(err, STET_E_INVALID, 0,
                          "a %s event cannot be imported",
                          stet_event_kind_name(item->kind));
    }
    if (c->verb == STET_VERB_UPDATE && c->reducer == STET_REDUCER_PATCH) {
        c->verb = STET_VERB_PATCH;
        c->reducer = STET_REDUCER_DEFAULT;
    }
    if (c->id.len == 0) {
        return stet__fail(err, STET_E_INVALID, 0, "no id");
    }
    if (!stet__utf8_is_printable(c->id)) {
        return stet__fail(err, STET_E_INVALID, 0,
                          "the id has control characters or is not UTF-8");
    }
    stet_status st = check_names(item, err);
    return st == STET_OK ? check_payload(item, err) : st;
}

/* What the verb does with its payload when the change names no reducer. */
static stet_reducer reducer_of_verb(const stet_change *c)
{
    bool is_folded =
        c->verb == STET_VERB_TRANSITION || c->verb == STET_VERB_UPDATE;
    return is_folded && c->payload.len > 0 ? STET_REDUCER_MERGE
                                           : STET_REDUCER_NONE;
}

/* Kinds that no change can write come back as what they do to the state. */
static void adopt_kind(stet_item *item, const stet_event *event)
{
    bool is_foreign = event->kind == STET_EVENT_FORKED ||
                      event->kind == STET_EVENT_MIGRATED ||
                      (event->flags & STET_EVENT_ERASED) != 0;
    item->kind = event->kind;
    if (is_foreign) {
        item->kind = event->kind == STET_EVENT_MIGRATED &&
                             event->reducer == STET_REDUCER_SET &&
                             (event->flags & STET_EVENT_ERASED) == 0
                         ? STET_EVENT_SAVED
                         : STET_EVENT_APPENDED;
        if (item->change.action.len == 0) {
            item->change.action = stet_str(stet_event_kind_name(event->kind));
        }
    }
    bool has_verb = verb_of_kind(item->kind, &item->change.verb);
    STET_ASSERT(has_verb);
}

static void adopt_payload(stet_change *c, stet_event_kind kind,
                          const stet_event *event)
{
    if ((event->flags & STET_EVENT_ERASED) != 0) {
        return;
    }
    c->payload = event->payload;
    if (event->reducer == STET_REDUCER_SET && event->state != NULL) {
        c->payload = event->state->state_data;
    }
    if (stet__kind_holds_state(kind) || kind == STET_EVENT_DELETED) {
        return;
    }
    if (c->verb == STET_VERB_UPDATE && event->reducer == STET_REDUCER_PATCH) {
        c->verb = STET_VERB_PATCH;
        return;
    }
    /* Without a payload, none and merge are the same. */
    bool is_default =
        event->reducer == reducer_of_verb(c) ||
        (c->payload.len == 0 && event->reducer == STET_REDUCER_MERGE);
    c->reducer = is_default ? STET_REDUCER_DEFAULT : event->reducer;
}

void stet__item_of_event(stet_item *item, const stet_event *event,
                         stet_slice metadata_before)
{
    stet__item_reset(item, 0);
    stet_change *c = &item->change;
    *c = (stet_change){
        .struct_size = sizeof *c,
        .type = event->type,
        .ns = event->ns,
        .id = event->state_machine_id,
        .from_state = event->from_state,
        .to_state = event->to_state,
        .action = event->action,
        .actor_id = event->actor_id,
        .correlation_id = event->correlation_id,
        .causation_id = event->causation_id,
        .error = event->error,
        .metadata = event->metadata,
        .event_id = event->event_id,
        .state_type = event->state_type,
        .version = event->version,
        .timestamp = event->timestamp,
        .duration_ns = event->duration_ns,
    };
    if ((event->flags & STET_EVENT_PHASE_CHANGE) != 0) {
        c->flags |= STET_CHANGE_PHASE;
    }
    if (event->timestamp == 0) {
        c->flags |= STET_CHANGE_EPOCH;
    }
    if (event->state != NULL &&
        !stet__slice_eq(event->state->metadata, metadata_before)) {
        c->machine_metadata = event->state->metadata;
    }
    adopt_kind(item, event);
    adopt_payload(c, item->kind, event);
}

void stet__item_put(const stet_item *item, stet_field field, stet_buf *out)
{
    if (defs[field].put != NULL) {
        defs[field].put(item, out);
    } else {
        stet__buf_put_slice(out, stet__item_slice(item, field));
    }
}
