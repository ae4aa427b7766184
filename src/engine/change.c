/* Checks of a change that depend on the change alone. */
#include <string.h>

#include "base/error.h"
#include "base/utf8.h"
#include "core/json.h"
#include "engine/plan.h"

/* Times further out would not leave room for differences. */
#define STET_TIME_FAR ((int64_t)1 << 62)

stet_id_text stet__id_text(stet_slice id)
{
    stet_id_text out = {{0}};
    size_t n = 0;
    const uint8_t *p = id.ptr;
    for (size_t i = 0; i < id.len && n + 4 < sizeof(out.text); i++) {
        if (i + 1 < id.len && n + 8 >= sizeof(out.text)) {
            memcpy(out.text + n, "...", 3);
            n += 3;
            break;
        }
        out.text[n++] = p[i] < 0x20 || p[i] == 0x7f ? '?' : (char)p[i];
    }
    return out;
}

stet_status stet__id_check(stet_slice id, uint8_t ns, stet_error *err)
{
    if (ns == STET_STORE_NAMESPACE) {
        return stet__fail(err, STET_E_INVALID, 0,
                          "namespace 255 is the store's own; use 0 to 254");
    }
    if (id.len == 0) {
        return stet__fail(err, STET_E_INVALID, 0, "the id is empty");
    }
    if (id.len > STET_ID_BYTES_MAX) {
        return stet__fail(err, STET_E_INVALID, 0,
                          "id %s has %zu bytes; the limit is %d",
                          stet__id_text(id).text, id.len, STET_ID_BYTES_MAX);
    }
    if (!stet__utf8_is_printable(id)) {
        return stet__fail(err, STET_E_INVALID, 0,
                          "id %s is not UTF-8 without control characters",
                          stet__id_text(id).text);
    }
    return STET_OK;
}

static stet_status check_names(const stet_change *c, stet_error *err)
{
    const struct {
        const char *what;
        stet_slice text;
    } names[] = {
        {"from_state", c->from_state},
        {"to_state", c->to_state},
        {"action", c->action},
        {"actor_id", c->actor_id},
        {"correlation_id", c->correlation_id},
        {"causation_id", c->causation_id},
        {"event_id", c->event_id},
        {"state_type", c->state_type},
        {"version", c->version},
        {"reducer_name", c->reducer_name},
    };
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (names[i].text.len > STET_NAME_BYTES_MAX) {
            return stet__fail(
                err, STET_E_INVALID, 0, "%s has %zu bytes; the limit is %d",
                names[i].what, names[i].text.len, STET_NAME_BYTES_MAX);
        }
        if (!stet__utf8_is_valid(names[i].text)) {
            return stet__fail(err, STET_E_INVALID, 0, "%s is not UTF-8",
                              names[i].what);
        }
    }
    return stet__utf8_is_valid(c->error)
               ? STET_OK
               : stet__fail(err, STET_E_INVALID, 0, "error is not UTF-8");
}

static stet_status check_json(stet *s, const char *what, stet_slice text,
                              stet_error *err)
{
    if (text.len == 0) {
        return STET_OK;
    }
    stet_json_kind kind = STET_JSON_OTHER;
    stet_status st = stet__json_check(&s->alloc, text, &kind, err);
    return st == STET_OK ? st : stet__wrap(err, st, "%s", what);
}

static bool takes_reducer(stet_verb verb, stet_reducer reducer)
{
    switch (verb) {
    case STET_VERB_SAVE:
    case STET_VERB_CREATE:
    case STET_VERB_RESTORE:
        return reducer == STET_REDUCER_DEFAULT || reducer == STET_REDUCER_SET;
    case STET_VERB_TRANSITION:
    case STET_VERB_APPEND:
    case STET_VERB_UPDATE:
        return reducer <= STET_REDUCER_CUSTOM;
    case STET_VERB_PATCH:
        return reducer == STET_REDUCER_DEFAULT || reducer == STET_REDUCER_PATCH;
    case STET_VERB_FAIL:
    case STET_VERB_DELETE:
    case STET_VERB_FORK:
        return reducer == STET_REDUCER_DEFAULT || reducer == STET_REDUCER_NONE;
    }
    return false;
}

stet_status stet__expect_check(stet_expect expect, stet_error *err)
{
    return expect.kind >= STET_EXPECT_ANY && expect.kind <= STET_EXPECT_EXACT
               ? STET_OK
               : stet__fail(err, STET_E_INVALID, 0, "expectation of kind %d",
                            (int)expect.kind);
}

/* Does what the caller expects leave the verb its meaning? */
static bool takes_expectation(stet_verb verb, stet_expect_kind kind)
{
    switch (verb) {
    case STET_VERB_CREATE:
    case STET_VERB_FORK: /* they make a machine */
        return kind == STET_EXPECT_ANY || kind == STET_EXPECT_NONE;
    case STET_VERB_DELETE:
        return kind != STET_EXPECT_NONE;
    case STET_VERB_SAVE:
    case STET_VERB_TRANSITION:
    case STET_VERB_UPDATE:
    case STET_VERB_PATCH:
    case STET_VERB_APPEND:
    case STET_VERB_FAIL:
    case STET_VERB_RESTORE:
        return true;
    }
    return false;
}

/* What goes with some verbs only. */
static stet_status check_fit(const stet_change *c, stet_error *err)
{
    if (!takes_reducer(c->verb, c->reducer)) {
        return stet__fail(err, STET_E_INVALID, 0,
                          "reducer %s does not go with this verb",
                          stet_reducer_name(c->reducer));
    }
    stet_status st = stet__expect_check(c->expect, err);
    if (st != STET_OK) {
        return st;
    }
    if (!takes_expectation(c->verb, c->expect.kind)) {
        return stet__fail(err, STET_E_INVALID, 0,
                          c->verb == STET_VERB_DELETE
                              ? "a delete cannot expect that there is nothing"
                              : "a create or fork expects that there is "
                                "nothing, and no more");
    }
    bool is_stateless =
        c->verb == STET_VERB_DELETE || c->verb == STET_VERB_FORK;
    if (is_stateless && (c->payload.len > 0 || c->to_state.len > 0)) {
        return stet__fail(err, STET_E_INVALID, 0,
                          "a delete or fork takes no payload and no to_state");
    }
    return STET_OK;
}

static stet_status check_form(const stet_change *c, stet_error *err)
{
    if (c->struct_size != 0 && c->struct_size != sizeof(*c)) {
        return stet__fail(err, STET_E_UNSUPPORTED, 0,
                          "a change of %zu bytes; this library's has %zu",
                          c->struct_size, sizeof(*c));
    }
    if (c->verb < STET_VERB_SAVE || c->verb > STET_VERB_FORK) {
        return stet__fail(err, STET_E_INVALID, 0, "verb %d", (int)c->verb);
    }
    if ((c->flags & ~(uint32_t)(STET_CHANGE_PHASE | STET_CHANGE_EPOCH)) != 0) {
        return stet__fail(err, STET_E_INVALID, 0, "flags 0x%x of a change",
                          c->flags);
    }
    stet_status st = check_fit(c, err);
    if (st != STET_OK) {
        return st;
    }
    if (c->reducer == STET_REDUCER_CUSTOM &&
        (c->reducer_name.len == 0 || c->reducer_version == 0)) {
        return stet__fail(err, STET_E_INVALID, 0,
                          "a custom reducer needs a name and a version");
    }
    if (c->type < STET_TYPE_NONE || c->type > STET_TYPE_ADMIN_OVERRIDE) {
        return stet__fail(err, STET_E_INVALID, 0, "transition type %d",
                          (int)c->type);
    }
    if (c->timestamp >= STET_TIME_FAR || c->timestamp <= -STET_TIME_FAR ||
        c->duration_ns < 0) {
        return stet__fail(err, STET_E_INVALID, 0,
                          "timestamp or duration is out of range");
    }
    return STET_OK;
}

int64_t stet__change_time(const stet_change *c, int64_t otherwise)
{
    bool is_given = c->timestamp != 0 || (c->flags & STET_CHANGE_EPOCH) != 0;
    return is_given ? c->timestamp : otherwise;
}

stet_status stet__change_check(stet *s, const stet_change *c, stet_error *err)
{
    stet_status st = check_form(c, err);
    if (st == STET_OK && c->ns != STET_STORE_NAMESPACE) {
        st = stet__id_check(c->id, c->ns, err);
        if (st == STET_OK && c->verb == STET_VERB_FORK) {
            st = stet__id_check(c->parent, c->ns, err);
        }
    }
    if (st == STET_OK && c->payload.len > s->opts.state_bytes_max) {
        st = stet__fail(err, STET_E_TOO_LARGE, 0,
                        "%zu bytes for %s; the limit state_bytes_max is %u",
                        c->payload.len, stet__id_text(c->id).text,
                        s->opts.state_bytes_max);
    }
    if (st == STET_OK) {
        st = check_names(c, err);
    }
    if (st == STET_OK) {
        st = check_json(s, "metadata", c->metadata, err);
    }
    if (st == STET_OK) {
        st = check_json(s, "machine_metadata", c->machine_metadata, err);
    }
    return st;
}
