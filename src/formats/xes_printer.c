#include <stdio.h>

#include "base/bytes.h"
#include "base/timetext.h"
#include "base/utf8.h"
#include "formats/base64.h"
#include "formats/jsontext.h"
#include "formats/keyset.h"
#include "formats/parser.h"
#include "formats/printer_impl.h"

/*
 * An attribute value goes out as text up to this size, which escaping may make
 * six times as long, and in base64 above: so it stays under what a parser
 * takes.
 */
enum { XES_TEXT_BYTES_MAX = 4 * 1024 * 1024 };

_Static_assert(XES_TEXT_BYTES_MAX * 6L < STET_ITEM_BYTES_MAX,
               "an escaped value reads back");

static void begin(stet_printer *p)
{
    static const char *const extensions[][2] = {
        {"Concept", "concept"}, {"Time", "time"}, {"Organizational", "org"}};
    stet__buf_put_str(&p->out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
                               "<log xes.version=\"1.0\" xes.features=\"\" "
                               "xmlns=\"http://www.xes-standard.org/\">\n");
    for (size_t i = 0; i < sizeof extensions / sizeof extensions[0]; i++) {
        stet__buf_printf(&p->out,
                         "  <extension name=\"%s\" prefix=\"%s\" uri=\""
                         "http://www.xes-standard.org/%s.xesext\"/>\n",
                         extensions[i][0], extensions[i][1], extensions[i][1]);
    }
    stet__buf_put_str(
        &p->out, "  <classifier name=\"Activity\" keys=\"concept:name\"/>\n");
}

static void end(stet_printer *p)
{
    stet__buf_put_str(&p->out, "</log>\n");
}

/* The escape of a byte in an attribute value, or NULL when it needs none. */
static const char *escape_of(char c)
{
    switch (c) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '"':
        return "&quot;";
    case '\t': /* as they are, XML would make spaces of these three */
        return "&#9;";
    case '\n':
        return "&#10;";
    case '\r':
        return "&#13;";
    default:
        return NULL;
    }
}

static void put_escaped(stet_buf *out, stet_slice text)
{
    const char *bytes = text.len == 0 ? "" : text.ptr;
    size_t plain = 0; /* where what is not yet appended begins */
    for (size_t i = 0; i < text.len; i++) {
        const char *escape = escape_of(bytes[i]);
        if (escape != NULL) {
            stet__buf_put(out, bytes + plain, i - plain);
            stet__buf_put_str(out, escape);
            plain = i + 1;
        }
    }
    stet__buf_put(out, bytes + plain, text.len - plain);
}

/* Can XML 1.0 hold the text at all, and we read it back? */
static bool is_printable(stet_slice text)
{
    const uint8_t *b = text.ptr;
    if (text.len > XES_TEXT_BYTES_MAX || !stet__utf8_is_valid(text)) {
        return false;
    }
    for (size_t i = 0; i < text.len; i++) {
        bool is_control =
            b[i] < 0x20 && b[i] != '\t' && b[i] != '\n' && b[i] != '\r';
        bool is_noncharacter = b[i] == 0xef && b[i + 1] == 0xbf &&
                               b[i + 2] >= 0xbe; /* U+FFFE, U+FFFF */
        if (is_control || is_noncharacter) {
            return false;
        }
    }
    return true;
}

/* The head of a trace, or an event in it: where attributes go. */
typedef struct place {
    stet_printer *p;
    const stet_item *item;
    bool is_head;
    stet_buf canonical; /* the JSON that a parser will make of what was put */
} place;

static void put_attribute(place *at, const char *tag, stet_slice key,
                          stet_slice value)
{
    stet_buf *out = &at->p->out;
    stet__buf_printf(out, "%s<%s key=\"", at->is_head ? "    " : "      ", tag);
    put_escaped(out, key);
    stet__buf_put_str(out, "\" value=\"");
    put_escaped(out, value);
    stet__buf_put_str(out, "\"/>\n");
}

/* Put a field in our own words: "stet:FIELD". */
static void put_own(place *at, stet_field field, stet_slice value)
{
    bool is_text = is_printable(value);
    char key[64];
    int len = snprintf(key, sizeof key, "stet:%s%s", stet__field_name(field),
                       is_text ? "" : "_base64");
    stet_slice name = stet_slice_of(key, (size_t)len);
    stet_buf base64;
    stet__buf_init(&base64, &at->p->alloc);
    if (!is_text) {
        stet__base64_put(&base64, value);
        value = stet__buf_slice(&base64);
    }
    put_attribute(at, "string", name, value);
    at->p->out.is_failed |= base64.is_failed;
    stet__buf_deinit(&base64);
}

/* Put a field in our own words unless a parser would have it from others. */
static void put_own_unless(place *at, stet_field field, stet_slice implied)
{
    stet_slice value = stet__item_slice(at->item, field);
    if (!stet__slice_eq(value, implied)) {
        put_own(at, field, value);
    }
}

static bool is_integer(stet_slice number)
{
    const char *text = number.ptr;
    size_t i = 0;
    while (i < number.len && strchr("-0123456789", text[i]) != NULL) {
        i++;
    }
    return i == number.len;
}

/* The element for a JSON value, or NULL when XES has none for it. */
static const char *tag_of(const stet_jsontext_member *m)
{
    int64_t ns = 0;
    const char *text = m->text.ptr;
    switch (m->type) {
    case STET_JSONTEXT_BOOL:
        return "boolean";
    case STET_JSONTEXT_NUMBER:
        return is_integer(m->text) ? "int" : "float";
    case STET_JSONTEXT_STRING:
        return m->text.len > 10 && text[10] == 'T' &&
                       stet__time_parse_rfc3339(m->text, &ns)
                   ? "date"
                   : "string";
    case STET_JSONTEXT_NULL:
    case STET_JSONTEXT_LIST:
    case STET_JSONTEXT_OBJECT:
        break;
    }
    return NULL;
}

static bool begins_with(stet_slice text, const char *beginning)
{
    size_t len = strlen(beginning);
    return text.len >= len && memcmp(text.ptr, beginning, len) == 0;
}

/* Would a parser take an attribute of that key for a field? */
static bool is_taken(const place *at, stet_slice key)
{
    static const char *const of_events[] = {"concept:name", "org:resource",
                                            "time:timestamp"};
    for (size_t i = 0; !at->is_head && i < 3; i++) {
        if (stet__slice_eq(key, stet_str(of_events[i]))) {
            return true;
        }
    }
    return begins_with(key, "stet:");
}

static void put_member(place *at, const stet_jsontext_member *m,
                       const char *tag)
{
    stet_buf *json = &at->canonical;
    stet__buf_put_u8(json, json->len == 0 ? '{' : ',');
    stet__jsontext_put_string(json, m->name);
    stet__buf_put_u8(json, ':');
    if (m->type == STET_JSONTEXT_STRING) {
        stet__jsontext_put_string(json, m->text);
    } else {
        stet__buf_put_slice(json, m->text);
    }
    put_attribute(at, tag, m->name, m->text);
}

/* A trace has one name, and that is the id. */
static bool is_other_name(const place *at, const stet_jsontext_member *m)
{
    return at->is_head && stet__slice_eq(m->name, stet_str("concept:name")) &&
           (m->type != STET_JSONTEXT_STRING ||
            !stet__slice_eq(m->text, stet__buf_slice(&at->p->id)));
}

/*
 * Put the members of an object that XES can say. What is left out, or would be
 * written otherwise by a parser, shows in `canonical`.
 */
static void put_members(place *at, stet_slice json)
{
    stet_printer *p = at->p;
    stet_jsontext_object o;
    stet_jsontext_member m;
    stet_status st = stet__jsontext_open(&o, json, &p->arena, NULL);
    p->out.is_failed |= st == STET_E_NOMEM;
    stet__buf_reset(&p->keys);
    /* One place is left for the trace's name. */
    size_t left = STET_XES_ATTRIBUTES_MAX - 1;
    while (st == STET_OK && left > 0 && stet__jsontext_next(&o, &m)) {
        const char *tag = tag_of(&m);
        if (tag != NULL && !is_taken(at, m.name) && !is_other_name(at, &m) &&
            is_printable(m.name) && is_printable(m.text) &&
            stet__keyset_add(&p->keys, 0, m.name)) {
            put_member(at, &m, tag);
            left--;
        }
    }
}

/* Put the name of a trace, unless it was a member of the state. */
static void put_trace_name(place *at)
{
    stet_slice id = stet__buf_slice(&at->p->id);
    stet_jsontext_member m = {.name = stet_str("concept:name"),
                              .raw = id,
                              .text = id,
                              .type = STET_JSONTEXT_STRING};
    if (stet__keyset_add(&at->p->keys, 0, m.name)) {
        put_member(at, &m, "string");
    }
}

/* Put a payload, or a state, as attributes, and whole where those differ. */
static void put_payload(place *at)
{
    const stet_item *item = at->item;
    stet_slice payload = item->change.payload;
    stet__buf_init(&at->canonical, &at->p->alloc);
    put_members(at, payload);
    if (at->is_head) {
        put_trace_name(at);
    }
    if (at->canonical.len > 0) {
        stet__buf_put_u8(&at->canonical, '}');
    }
    at->p->out.is_failed |= at->canonical.is_failed || at->p->keys.is_failed;
    bool is_empty_state =
        payload.len == 0 && stet__kind_holds_state(item->kind);
    if (is_empty_state ||
        !stet__slice_eq(payload, stet__buf_slice(&at->canonical))) {
        put_own(at, STET_FIELD_PAYLOAD, payload);
    }
    stet__buf_deinit(&at->canonical);
}

/* The fields for which neither XES nor the place has a word. */
static void put_rest(place *at)
{
    static const stet_field rest[] = {
        STET_FIELD_TYPE,         STET_FIELD_REDUCER,
        STET_FIELD_ERROR,        STET_FIELD_CORRELATION,
        STET_FIELD_CAUSATION,    STET_FIELD_DURATION_MS,
        STET_FIELD_PHASE_CHANGE, STET_FIELD_EVENT_ID,
        STET_FIELD_VERSION,      STET_FIELD_STATE_TYPE,
        STET_FIELD_METADATA,     STET_FIELD_MACHINE_METADATA,
    };
    for (size_t i = 0; i < sizeof rest / sizeof rest[0]; i++) {
        stet_slice value = stet__printer_value(at->p, at->item, rest[i]);
        if (value.len > 0) {
            put_own(at, rest[i], value);
        }
    }
}

/* Put a created event as the head of its trace. */
static void put_head(place *at)
{
    static const stet_field fields[] = {STET_FIELD_FROM, STET_FIELD_TO,
                                        STET_FIELD_ACTION, STET_FIELD_ACTOR};
    stet_slice none = stet_slice_of(NULL, 0);
    put_payload(at);
    stet_slice time = stet__printer_value(at->p, at->item, STET_FIELD_TS);
    if (time.len > 0) {
        put_own(at, STET_FIELD_TS, time);
    }
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        put_own_unless(at, fields[i], none);
    }
    put_rest(at);
}

/* What a miner of processes takes as the event's name; empty for none. */
static stet_slice name_of(const stet_item *item)
{
    const stet_change *c = &item->change;
    if (c->action.len > 0 && is_printable(c->action)) {
        return c->action;
    }
    if (c->to_state.len > 0 && is_printable(c->to_state)) {
        return c->to_state;
    }
    return item->kind == STET_EVENT_TRANSITIONED
               ? stet_slice_of(NULL, 0)
               : stet_str(stet_event_kind_name(item->kind));
}

static void put_actor(place *at)
{
    stet_slice actor = at->item->change.actor_id;
    if (actor.len > 0 && is_printable(actor)) {
        put_attribute(at, "string", stet_str("org:resource"), actor);
    } else {
        put_own_unless(at, STET_FIELD_ACTOR, stet_slice_of(NULL, 0));
    }
}

static void put_event(place *at)
{
    stet_printer *p = at->p;
    stet_slice name = name_of(at->item);
    stet__buf_put_str(&p->out, "    <event>\n");
    if (name.len > 0) {
        put_attribute(at, "string", stet_str("concept:name"), name);
    }
    stet_slice time = stet__printer_value(p, at->item, STET_FIELD_TS);
    if (time.len > 0) {
        put_attribute(at, "date", stet_str("time:timestamp"), time);
    }
    put_actor(at);
    if (at->item->kind != STET_EVENT_TRANSITIONED) {
        put_own(at, STET_FIELD_KIND,
                stet_str(stet_event_kind_name(at->item->kind)));
    }
    /* Where it is the state before, the store finds it by itself. */
    put_own_unless(at, STET_FIELD_FROM, stet__buf_slice(&p->state_name));
    put_own_unless(at, STET_FIELD_TO, name);
    put_own_unless(at, STET_FIELD_ACTION, name);
    put_rest(at);
    put_payload(at);
    stet__buf_put_str(&p->out, "    </event>\n");
}

static void begin_machine(stet_printer *p)
{
    stet__buf_put_str(&p->out, "  <trace>\n");
}

static void put(stet_printer *p, const stet_item *item)
{
    place at = {.p = p, .item = item};
    at.is_head = p->items == 0 && item->kind == STET_EVENT_CREATED;
    if (at.is_head) {
        put_head(&at);
        return;
    }
    if (p->items == 0) {
        place head = {.p = p, .item = item, .is_head = true};
        put_attribute(&head, "string", stet_str("concept:name"),
                      stet__buf_slice(&p->id));
        put_attribute(&head, "boolean", stet_str("stet:created"),
                      stet_str("false"));
    }
    put_event(&at);
}

static void end_machine(stet_printer *p)
{
    stet__buf_put_str(&p->out, "  </trace>\n");
}

const stet_printer_ops stet__xes_printer_ops = {
    .begin = begin,
    .begin_machine = begin_machine,
    .put = put,
    .end_machine = end_machine,
    .end = end,
};
