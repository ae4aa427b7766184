#include <inttypes.h>

#include <expat.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/error.h"
#include "base/sized.h"
#include "formats/jsontext.h"
#include "formats/keyset.h"
#include "formats/parser_impl.h"
#include "formats/xes_level.h"

enum {
    /*
     * Elements in elements, the log itself included. An attribute in an
     * attribute takes two levels of JSON, and what is stored must stay
     * foldable.
     */
    XES_DEPTH_MAX = 32,
    XES_FEED_BYTES_MAX = 1024 * 1024 /* at once, since expat counts in int */
};

_Static_assert(2 * (XES_DEPTH_MAX - 3) < STET_JSON_DEPTH_MAX,
               "attributes nest below log, trace and event only");

/*
 * A trace is given as created at the end of its first event, whose time it
 * takes, or at its own end.
 */
typedef struct xes_parser {
    stet_parser base; /* its item and arena are the event's */
    XML_Parser xml;
    uint64_t fed;   /* bytes */
    uint64_t heard; /* `fed` when expat last had something whole */
    stet_xes_level levels[XES_DEPTH_MAX];
    size_t depth;
    stet_buf keys; /* {u32 length, bytes} of open levels, to find repeats */

    uint64_t traces;
    stet_arena trace_arena;
    stet_item trace;  /* from its begin to when it is given */
    stet_buf id;      /* the trace's */
    stet_buf state;   /* the trace's attributes */
    stet_buf payload; /* the event's attributes */
    stet_slice name;  /* the event's concept:name */
    bool has_name;
    bool is_created; /* a created event belongs to the trace */
    bool is_given;   /* and was given, or must not be */

    /* Set while expat runs, since its handlers return nothing. */
    stet_status status;
    stet_error *err;
} xes_parser;

/* An element's attributes in the sense of XML, as far as XES knows them. */
typedef struct element {
    stet_slice tag; /* without a namespace prefix */
    stet_slice key;
    stet_slice value;
    stet_slice keys; /* of a classifier */
    bool has_value;
} element;

static uint64_t line_of(const xes_parser *p)
{
    return XML_GetCurrentLineNumber(p->xml);
}

static void stop(xes_parser *p, stet_status st)
{
    STET_ASSERT(st != STET_OK);
    if (p->status == STET_OK) {
        p->status = st;
        (void)XML_StopParser(p->xml, XML_FALSE); /* fails when stopped before */
    }
}

/* Stop when `st` says so, with the line in front. */
static void stop_at_line(xes_parser *p, stet_status st)
{
    if (st != STET_OK) {
        stop(p, stet__parser_fail_at(line_of(p), st, p->err));
    }
}

static stet_xes_level *top(xes_parser *p)
{
    return p->depth == 0 ? NULL : &p->levels[p->depth - 1];
}

/* Is the innermost trace or event an event? */
static bool is_in_event(const xes_parser *p)
{
    return p->depth > 2 && p->levels[2].kind == STET_XES_EVENT;
}

static stet_buf *json_of(xes_parser *p)
{
    return is_in_event(p) ? &p->payload : &p->state;
}

/* Open a level, or stop. */
static void push(xes_parser *p, stet_xes_kind kind)
{
    if (p->depth == XES_DEPTH_MAX) {
        stop_at_line(p, stet__fail(p->err, STET_E_TOO_LARGE, 0,
                                   "more than %d elements in each other",
                                   XES_DEPTH_MAX));
        return;
    }
    p->levels[p->depth++] =
        (stet_xes_level){.kind = kind, .keys_offset = p->keys.len};
}

static void skip(xes_parser *p, const char *name)
{
    if (name != NULL) {
        stet__parser_ignore(&p->base, stet_str(name));
    }
    push(p, STET_XES_SKIPPED);
}

static void begin_trace(xes_parser *p)
{
    p->traces++;
    stet__arena_reset(&p->trace_arena);
    stet__item_reset(&p->trace, line_of(p));
    stet__buf_reset(&p->id);
    stet__buf_reset(&p->state);
    p->is_created = true;
    p->is_given = false;
    push(p, STET_XES_TRACE);
}

static void begin_event(xes_parser *p)
{
    stet__parser_begin_item(&p->base, line_of(p));
    stet__buf_reset(&p->payload);
    p->has_name = false;
    push(p, STET_XES_EVENT);
}

/* An attribute's key may be there once, but in a list. */
static stet_status take_key(xes_parser *p, const stet_xes_level *in,
                            stet_slice key)
{
    if (in->kind == STET_XES_LIST) {
        return STET_OK;
    }
    if (in->children == STET_XES_ATTRIBUTES_MAX) {
        return stet__fail(p->err, STET_E_TOO_LARGE, 0,
                          "more than %d attributes", STET_XES_ATTRIBUTES_MAX);
    }
    if (!stet__keyset_add(&p->keys, in->keys_offset, key)) {
        int shown = key.len < 64 ? (int)key.len : 64;
        return stet__fail(p->err, STET_E_INVALID, 0,
                          "the attribute \"%.*s\" is given twice", shown,
                          (const char *)key.ptr);
    }
    return stet__parser_check(&p->keys, p->err);
}

/* The level that takes the children of the innermost one. */
static stet_xes_level *parent_level(xes_parser *p)
{
    stet_xes_level *in = top(p);
    return in->kind == STET_XES_VALUES ? in - 1 : in;
}

/* Write an attribute into the JSON and open a level for its own. */
static void begin_attribute(xes_parser *p, const element *e, stet_xes_kind kind)
{
    stet_xes_level *in = parent_level(p);
    stet_buf *json = json_of(p);
    bool is_in_list = in->kind == STET_XES_LIST;
    stet_status st = take_key(p, in, e->key);
    if (st == STET_OK && json->len > STET_ITEM_BYTES_MAX) {
        st =
            stet__fail(p->err, STET_E_TOO_LARGE, 0,
                       "more than %d bytes of attributes", STET_ITEM_BYTES_MAX);
    }
    if (st != STET_OK) {
        stop_at_line(p, st);
        return;
    }
    stet__xes_open_child(json, in);
    if (is_in_list) {
        stet__buf_put_u8(json, '{');
    }
    stet__jsontext_put_string(json, e->key);
    stet__buf_put_u8(json, ':');
    size_t value_offset = json->len;
    if (kind == STET_XES_SCALAR) {
        stet__xes_put_value(json, e->tag, e->value);
    }
    stop_at_line(p, stet__parser_check(json, p->err));
    push(p, kind);
    if (p->status == STET_OK) {
        top(p)->is_in_list = is_in_list;
        top(p)->value_offset = value_offset;
    }
}

/* Copy a value, which expat lends for the handler's call only. */
static bool keep(xes_parser *p, stet_arena *arena, stet_slice *value)
{
    *value = stet__arena_copy(arena, *value);
    if (value->ptr == NULL) {
        stop(p, stet__fail(p->err, STET_E_NOMEM, 0, "parse an item"));
    }
    return value->ptr != NULL;
}

static void set_field(xes_parser *p, stet_field_name name, stet_slice value)
{
    bool is_event = is_in_event(p);
    stet_arena *arena = is_event ? &p->base.arena : &p->trace_arena;
    stet_item *item = is_event ? &p->base.item : &p->trace;
    if (keep(p, arena, &value)) {
        stop_at_line(p, stet__item_set(item, name, value, arena, p->err));
    }
}

/* Take "stet:FIELD"; false when the key is none. */
static bool take_own(xes_parser *p, const element *e)
{
    static const char prefix[] = "stet:";
    size_t len = sizeof prefix - 1;
    stet_field_name name;
    if (e->key.len < len || memcmp(e->key.ptr, prefix, len) != 0) {
        return false;
    }
    stet_slice rest =
        stet_slice_of((const char *)e->key.ptr + len, e->key.len - len);
    if (!is_in_event(p) && stet__slice_eq(rest, stet_str("created"))) {
        p->is_created = !stet__slice_eq(e->value, stet_str("false"));
        return true;
    }
    if (!stet__field_find(rest, &name) || name.field == STET_FIELD_ID) {
        return false;
    }
    set_field(p, name, e->value);
    return true;
}

/* Take an attribute of an event that is a field; false when it is none. */
static bool take_event_field(xes_parser *p, const element *e)
{
    if (stet__slice_eq(e->key, stet_str("concept:name"))) {
        stet_slice name = e->value;
        stop_at_line(p, p->has_name ? stet__fail(p->err, STET_E_INVALID, 0,
                                                 "concept:name is given twice")
                                    : STET_OK);
        p->has_name = keep(p, &p->base.arena, &name);
        p->name = name;
        return true;
    }
    stet_field_name field = {STET_FIELD_ACTOR, false};
    if (stet__slice_eq(e->key, stet_str("time:timestamp"))) {
        field.field = STET_FIELD_TS;
    } else if (!stet__slice_eq(e->key, stet_str("org:resource"))) {
        return take_own(p, e);
    }
    set_field(p, field, e->value);
    return true;
}

/* Take what a trace's attribute says besides being part of the state. */
static bool take_trace_field(xes_parser *p, const element *e)
{
    if (stet__slice_eq(e->key, stet_str("concept:name"))) {
        stet__buf_put_slice(&p->id, e->value);
        return false;
    }
    return take_own(p, e);
}

static void take_attribute(xes_parser *p, const element *e)
{
    stet_xes_kind kind = stet__xes_attribute_kind(e->tag);
    const stet_xes_level *in = top(p);
    if (kind == STET_XES_SKIPPED) {
        stet__parser_ignore(&p->base, e->tag);
        push(p, STET_XES_SKIPPED);
        return;
    }
    if (e->key.ptr == NULL || (kind == STET_XES_SCALAR && !e->has_value)) {
        stop_at_line(p, stet__fail(p->err, STET_E_INVALID, 0,
                                   "an attribute without a %s",
                                   e->key.ptr == NULL ? "key" : "value"));
        return;
    }
    if (in->kind == STET_XES_TRACE && p->is_given) {
        stop_at_line(p,
                     stet__fail(p->err, STET_E_INVALID, 0,
                                "an attribute of a trace behind its events"));
        return;
    }
    bool is_field = kind == STET_XES_SCALAR &&
                    ((in->kind == STET_XES_EVENT && take_event_field(p, e)) ||
                     (in->kind == STET_XES_TRACE && take_trace_field(p, e)));
    if (is_field) {
        push(p, STET_XES_FIELD);
    } else {
        begin_attribute(p, e, kind);
    }
}

/* What stands in the log beside its traces says nothing about a machine. */
static void take_in_log(xes_parser *p, const element *e)
{
    if (stet__slice_eq(e->tag, stet_str("trace"))) {
        begin_trace(p);
    } else if (stet__slice_eq(e->tag, stet_str("extension"))) {
        skip(p, NULL); /* declares a prefix, holds no data */
    } else if (stet__slice_eq(e->tag, stet_str("global"))) {
        skip(p, "global");
    } else if (stet__slice_eq(e->tag, stet_str("classifier"))) {
        /* That an event is called by its name is what is done anyway. */
        bool is_usual = stet__slice_eq(e->keys, stet_str("concept:name"));
        skip(p, is_usual ? NULL : "classifier");
    } else if (stet__slice_eq(e->tag, stet_str("event"))) {
        skip(p, "event outside of a trace");
    } else {
        bool is_attribute =
            stet__xes_attribute_kind(e->tag) != STET_XES_SKIPPED;
        skip(p, is_attribute ? "attribute of the log" : "unknown element");
    }
}

static void take_root(xes_parser *p, const element *e)
{
    if (!stet__slice_eq(e->tag, stet_str("log"))) {
        stop_at_line(p, stet__fail(p->err, STET_E_INVALID, 0,
                                   "not XES: the document is not a <log>"));
        return;
    }
    push(p, STET_XES_LOG);
}

static void take_element(xes_parser *p, const element *e)
{
    if (p->depth == 0) {
        take_root(p, e);
        return;
    }
    switch (top(p)->kind) {
    case STET_XES_LOG:
        take_in_log(p, e);
        break;
    case STET_XES_TRACE:
        if (stet__slice_eq(e->tag, stet_str("event"))) {
            begin_event(p);
        } else {
            take_attribute(p, e);
        }
        break;
    case STET_XES_LIST:
        if (stet__slice_eq(e->tag, stet_str("values"))) {
            push(p, STET_XES_VALUES);
        } else {
            take_attribute(p, e);
        }
        break;
    case STET_XES_EVENT:
    case STET_XES_SCALAR:
    case STET_XES_CONTAINER:
    case STET_XES_VALUES:
        take_attribute(p, e);
        break;
    case STET_XES_FIELD:
        skip(p, "attribute of a name, time or actor");
        break;
    case STET_XES_SKIPPED:
        push(p, STET_XES_SKIPPED);
        break;
    }
}

/* Give the trace's created event, unless it was given or is none. */
static void give_trace(xes_parser *p)
{
    stet_change *c = &p->trace.change;
    if (p->id.len == 0) {
        stet__buf_printf(&p->id, "trace-%" PRIu64, p->traces);
    }
    stet__xes_close_children(&p->state, &p->levels[1]);
    if (p->state.len == 0) {
        stet__buf_put_str(&p->state, "{}");
    }
    stet_status st = stet__parser_check(&p->state, p->err);
    if (st == STET_OK) {
        st = stet__parser_check(&p->id, p->err);
    }
    bool is_wanted = p->is_created && !p->is_given;
    p->is_given = true;
    if (st == STET_OK && is_wanted) {
        c->id = stet__buf_slice(&p->id);
        if (!stet__item_has(&p->trace, STET_FIELD_PAYLOAD)) {
            c->payload = stet__buf_slice(&p->state);
            p->trace.given |= 1U << STET_FIELD_PAYLOAD;
        }
        st = stet__parser_give(&p->base, &p->trace, STET_EVENT_CREATED, p->err);
    }
    if (st != STET_OK) {
        stop(p, st);
    }
}

static void end_event(xes_parser *p)
{
    stet_item *item = &p->base.item;
    stet_change *c = &item->change;
    if (!p->is_given && p->is_created &&
        !stet__item_has(&p->trace, STET_FIELD_TS)) {
        p->trace.change.timestamp = c->timestamp;
        p->trace.change.flags |= c->flags & STET_CHANGE_EPOCH;
    }
    if (!p->is_given) {
        give_trace(p);
    }
    stet__xes_close_children(&p->payload, top(p));
    stet_status st = stet__parser_check(&p->payload, p->err);
    if (p->status != STET_OK || st != STET_OK) {
        stop(p, p->status != STET_OK ? p->status : st);
        return;
    }
    c->id = stet__buf_slice(&p->id);
    if (p->has_name && !stet__item_has(item, STET_FIELD_TO)) {
        c->to_state = p->name;
    }
    if (p->has_name && !stet__item_has(item, STET_FIELD_ACTION)) {
        c->action = p->name;
    }
    if (p->payload.len > 0 && !stet__item_has(item, STET_FIELD_PAYLOAD)) {
        c->payload = stet__buf_slice(&p->payload);
        item->given |= 1U << STET_FIELD_PAYLOAD;
    }
    st = stet__parser_give(&p->base, item, STET_EVENT_TRANSITIONED, p->err);
    if (st != STET_OK) {
        stop(p, st);
    }
}

static stet_slice local_name(const char *name)
{
    const char *colon = strchr(name, ':');
    return stet_str(colon == NULL ? name : colon + 1);
}

static void XMLCALL on_start(void *ctx, const char *name, const char **atts)
{
    xes_parser *p = ctx;
    p->heard = p->fed;
    if (p->status != STET_OK) {
        return;
    }
    element e = {.tag = local_name(name)};
    for (size_t i = 0; atts[i] != NULL; i += 2) {
        if (strcmp(atts[i], "key") == 0) {
            e.key = stet_str(atts[i + 1]);
        } else if (strcmp(atts[i], "value") == 0) {
            e.value = stet_str(atts[i + 1]);
            e.has_value = true;
        } else if (strcmp(atts[i], "keys") == 0) {
            e.keys = stet_str(atts[i + 1]);
        }
    }
    take_element(p, &e);
}

static void XMLCALL on_end(void *ctx, const char *name)
{
    (void)name; /* expat has checked that it is the one that is open */
    xes_parser *p = ctx;
    p->heard = p->fed;
    if (p->status != STET_OK) {
        return;
    }
    STET_ASSERT(p->depth > 0);
    const stet_xes_level *ended = top(p);
    switch (ended->kind) {
    case STET_XES_TRACE:
        if (!p->is_given) {
            give_trace(p);
        }
        break;
    case STET_XES_EVENT:
        end_event(p);
        break;
    case STET_XES_SCALAR:
    case STET_XES_CONTAINER:
    case STET_XES_LIST:
        stet__xes_close_children(json_of(p), ended);
        break;
    case STET_XES_LOG:
    case STET_XES_VALUES:
    case STET_XES_FIELD:
    case STET_XES_SKIPPED:
        break;
    }
    p->keys.len = ended->keys_offset;
    p->depth--;
}

/* Text, comments and all that has no meaning in XES. */
static void XMLCALL on_other(void *ctx, const char *text, int bytes)
{
    (void)text, (void)bytes;
    xes_parser *p = ctx;
    p->heard = p->fed;
}

/*
 * Declared entities can make a small file large and a local file public. Where
 * the declarations are in another file, which is not read, expat would leave a
 * reference to one out of a value in silence.
 */
static void XMLCALL on_doctype(void *ctx, const char *name,
                               const char *system_id, const char *public_id,
                               int has_declarations)
{
    (void)name, (void)public_id;
    xes_parser *p = ctx;
    if (has_declarations || system_id != NULL) {
        stop_at_line(p, stet__fail(p->err, STET_E_INVALID, 0,
                                   "the file declares a document type"));
    }
}

/* Expat's hooks for memory carry no context: it is the heap's. */

static void *heap_alloc(size_t bytes)
{
    return stet__sized_alloc(&stet__heap, bytes);
}

static void *heap_realloc(void *ptr, size_t bytes)
{
    return stet__sized_realloc(&stet__heap, ptr, bytes);
}

static void heap_free(void *ptr)
{
    stet__sized_free(&stet__heap, ptr);
}

static const XML_Memory_Handling_Suite heap = {heap_alloc, heap_realloc,
                                               heap_free};

static stet_status init(stet_parser *base, stet_error *err)
{
    xes_parser *p = (xes_parser *)base;
    stet__arena_init(&p->trace_arena, &base->alloc);
    stet__buf_init(&p->keys, &base->alloc);
    stet__buf_init(&p->id, &base->alloc);
    stet__buf_init(&p->state, &base->alloc);
    stet__buf_init(&p->payload, &base->alloc);
    p->xml = XML_ParserCreate_MM(NULL, &heap, NULL);
    if (p->xml == NULL) {
        return stet__fail(err, STET_E_NOMEM, 0, "open a parser");
    }
    XML_SetUserData(p->xml, p);
    XML_SetElementHandler(p->xml, on_start, on_end);
    XML_SetDefaultHandler(p->xml, on_other);
    XML_SetStartDoctypeDeclHandler(p->xml, on_doctype);
    return STET_OK;
}

static void deinit(stet_parser *base)
{
    xes_parser *p = (xes_parser *)base;
    XML_ParserFree(p->xml); /* accepts NULL */
    stet__arena_deinit(&p->trace_arena);
    stet__buf_deinit(&p->keys);
    stet__buf_deinit(&p->id);
    stet__buf_deinit(&p->state);
    stet__buf_deinit(&p->payload);
}

static stet_status parse(xes_parser *p, stet_slice bytes, bool is_last,
                         stet_error *err)
{
    p->err = err;
    enum XML_Status answer =
        XML_Parse(p->xml, bytes.ptr, (int)bytes.len, is_last);
    p->err = NULL;
    if (p->status != STET_OK) {
        return p->status;
    }
    if (answer == XML_STATUS_OK) {
        return STET_OK;
    }
    enum XML_Error code = XML_GetErrorCode(p->xml);
    if (code == XML_ERROR_NO_MEMORY) {
        return stet__fail(err, STET_E_NOMEM, 0, "parse XML");
    }
    return stet__fail(err, STET_E_INVALID, 0, "line %" PRIu64 ": not XML: %s",
                      line_of(p), XML_ErrorString(code));
}

/* Expat keeps a tag until its end comes; it must come some time. */
static stet_status check_tag(const xes_parser *p, stet_error *err)
{
    if (p->fed - p->heard <= STET_ITEM_BYTES_MAX) {
        return STET_OK;
    }
    return stet__fail(err, STET_E_TOO_LARGE, 0,
                      "line %" PRIu64 ": a tag of more than %d bytes",
                      line_of(p), STET_ITEM_BYTES_MAX);
}

static stet_status feed(stet_parser *base, stet_slice bytes, stet_error *err)
{
    xes_parser *p = (xes_parser *)base;
    stet_status st = STET_OK;
    while (st == STET_OK && bytes.len > 0) {
        size_t len =
            bytes.len < XES_FEED_BYTES_MAX ? bytes.len : XES_FEED_BYTES_MAX;
        st = parse(p, stet_slice_of(bytes.ptr, len), false, err);
        p->fed += len;
        if (st == STET_OK) {
            st = check_tag(p, err);
        }
        bytes = stet_slice_of((const char *)bytes.ptr + len, bytes.len - len);
    }
    return st;
}

static stet_status finish(stet_parser *base, stet_error *err)
{
    return parse((xes_parser *)base, stet_slice_of("", 0), true, err);
}

const stet_parser_ops stet__xes_parser_ops = {
    .struct_bytes = sizeof(xes_parser),
    .init = init,
    .deinit = deinit,
    .feed = feed,
    .finish = finish,
};
