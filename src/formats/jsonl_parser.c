#include "base/bytes.h"
#include "base/error.h"
#include "formats/jsontext.h"
#include "formats/parser_impl.h"

/*
 * A line that lies whole in what was fed is parsed where it is; only one that
 * is cut by the end of a piece is put together in `line`.
 */
typedef struct jsonl_parser {
    stet_parser base;
    stet_buf line;     /* the beginning of a line whose end has not come */
    uint64_t line_no;  /* of the last whole line */
    stet_buf metadata; /* the item's, with members that had no meaning */
} jsonl_parser;

static stet_status init(stet_parser *base, stet_error *err)
{
    (void)err;
    jsonl_parser *p = (jsonl_parser *)base;
    stet__buf_init(&p->line, &base->alloc);
    stet__buf_init(&p->metadata, &base->alloc);
    return STET_OK;
}

static void deinit(stet_parser *base)
{
    jsonl_parser *p = (jsonl_parser *)base;
    stet__buf_deinit(&p->line);
    stet__buf_deinit(&p->metadata);
}

static bool is_blank(stet_slice line)
{
    const char *p = line.ptr;
    for (size_t i = 0; i < line.len; i++) {
        if (p[i] == '\0' || strchr(" \t\r", p[i]) == NULL) {
            return false;
        }
    }
    return true;
}

static bool fits(stet_field_form form, stet_jsontext_type type)
{
    switch (form) {
    case STET_FORM_TEXT:
        return type == STET_JSONTEXT_STRING;
    case STET_FORM_TIME:
        return type == STET_JSONTEXT_STRING || type == STET_JSONTEXT_NUMBER;
    case STET_FORM_NUMBER:
        return type == STET_JSONTEXT_NUMBER;
    case STET_FORM_BOOL:
        return type == STET_JSONTEXT_BOOL;
    case STET_FORM_OBJECT:
        return type == STET_JSONTEXT_OBJECT;
    case STET_FORM_JSON:
        return true;
    }
    return false;
}

static stet_status take_field(stet_parser *p, stet_field_name name,
                              const stet_jsontext_member *m, stet_error *err)
{
    static const char *const wants[] = {
        [STET_FORM_TEXT] = "a string",
        [STET_FORM_TIME] = "a string or a number",
        [STET_FORM_NUMBER] = "a number",
        [STET_FORM_BOOL] = "true or false",
        [STET_FORM_OBJECT] = "an object",
        [STET_FORM_JSON] = "JSON",
    };
    /* null says "not given", but a state may well be null. */
    if (m->type == STET_JSONTEXT_NULL && name.field != STET_FIELD_STATE) {
        return STET_OK;
    }
    stet_field_form form =
        name.is_base64 ? STET_FORM_TEXT : stet__field_form(name.field);
    if (!fits(form, m->type)) {
        return stet__fail(err, STET_E_INVALID, 0, "%s is not %s",
                          stet__field_name(name.field), wants[form]);
    }
    stet_slice value = form == STET_FORM_JSON ? m->raw : m->text;
    return stet__item_set(&p->item, name, value, &p->arena, err);
}

/* Find a member of an object that was parsed before. */
static bool has_member(stet_slice object, stet_slice name, stet_arena *arena)
{
    stet_jsontext_object o;
    stet_jsontext_member m;
    if (stet__jsontext_open(&o, object, arena, NULL) != STET_OK) {
        return false;
    }
    while (stet__jsontext_next(&o, &m)) {
        if (stet__slice_eq(m.name, name)) {
            return true;
        }
    }
    return false;
}

/* Append to an object that has its opening brace, not yet its closing one. */
static void put_member(stet_buf *out, const stet_jsontext_member *m)
{
    if (out->len > 1) {
        stet__buf_put_u8(out, ',');
    }
    stet__jsontext_put_string(out, m->name);
    stet__buf_put_u8(out, ':');
    stet__buf_put_slice(out, m->raw);
}

/* Append the line's members that are no field and not in `own`. */
static stet_status put_unknown(jsonl_parser *p, stet_slice line, stet_slice own,
                               stet_error *err)
{
    stet_jsontext_object o;
    stet_jsontext_member m;
    stet_status st = stet__jsontext_open(&o, line, &p->base.arena, err);
    while (st == STET_OK && stet__jsontext_next(&o, &m)) {
        stet_field_name known;
        if (stet__field_find(m.name, &known)) {
            continue;
        }
        if (has_member(own, m.name, &p->base.arena)) {
            stet__parser_ignore(&p->base, m.name);
        } else {
            put_member(&p->metadata, &m);
        }
    }
    return st;
}

/* Make the event's metadata anew: its own members, then the unknown ones. */
static stet_status keep_unknown(jsonl_parser *p, stet_slice line,
                                stet_error *err)
{
    stet_change *c = &p->base.item.change;
    stet_slice own = c->metadata.len > 0 ? c->metadata : stet_str("{}");
    stet_jsontext_object o;
    stet_jsontext_member m;
    stet__buf_reset(&p->metadata);
    stet__buf_put_u8(&p->metadata, '{');
    stet_status st = stet__jsontext_open(&o, own, &p->base.arena, err);
    while (st == STET_OK && stet__jsontext_next(&o, &m)) {
        put_member(&p->metadata, &m);
    }
    if (st == STET_OK) {
        st = put_unknown(p, line, own, err);
    }
    stet__buf_put_u8(&p->metadata, '}');
    c->metadata = stet__buf_slice(&p->metadata);
    return st == STET_OK ? stet__parser_check(&p->metadata, err) : st;
}

/* The type of a transition that names none, by what else it says. */
static stet_status derive_type(stet_parser *base, stet_error *err)
{
    static const struct {
        const char *mark;
        stet_transition_type type;
    } marks[] = {
        {"is_timeout", STET_TYPE_TIMEOUT},
        {"is_error_recovery", STET_TYPE_ERROR_RECOVERY},
        {"is_admin", STET_TYPE_ADMIN_OVERRIDE},
    };
    enum { MARKS = sizeof marks / sizeof marks[0] };
    stet_change *c = &base->item.change;
    bool is_set[MARKS] = {false};
    stet_jsontext_object o = {0};
    stet_jsontext_member m;
    if (c->metadata.len > 0) {
        stet_status st =
            stet__jsontext_open(&o, c->metadata, &base->arena, err);
        if (st != STET_OK) {
            return stet__wrap(err, st, "metadata");
        }
    }
    while (stet__jsontext_next(&o, &m)) {
        for (size_t i = 0; i < MARKS; i++) {
            is_set[i] |= stet__slice_eq(m.name, stet_str(marks[i].mark)) &&
                         stet__slice_eq(m.raw, stet_str("true"));
        }
    }
    bool is_system =
        c->actor_id.len >= 6 && memcmp(c->actor_id.ptr, "system", 6) == 0;
    c->type = is_system ? STET_TYPE_SYSTEM_EVENT : STET_TYPE_USER_ACTION;
    for (size_t i = MARKS; i-- > 0;) {
        c->type = is_set[i] ? marks[i].type : c->type;
    }
    return STET_OK;
}

/* What a line without a kind is; false when it has nothing to go by. */
static bool guess_kind(const stet_item *item, stet_event_kind *out)
{
    static const stet_field moves[] = {STET_FIELD_FROM, STET_FIELD_TO,
                                       STET_FIELD_ACTION, STET_FIELD_PAYLOAD};
    if (stet__item_has(item, STET_FIELD_KIND)) {
        *out = item->kind;
        return true;
    }
    if (stet__item_has(item, STET_FIELD_STATE)) {
        *out = STET_EVENT_SAVED;
        return true;
    }
    for (size_t i = 0; i < sizeof moves / sizeof moves[0]; i++) {
        if (stet__item_has(item, moves[i])) {
            *out = STET_EVENT_TRANSITIONED;
            return true;
        }
    }
    return false;
}

/* Set the item's fields from the members of a line. */
static stet_status take_members(jsonl_parser *p, stet_slice line,
                                stet_error *err)
{
    stet_parser *base = &p->base;
    stet_jsontext_object o;
    stet_jsontext_member m;
    bool has_unknown = false;
    stet_status st = stet__jsontext_open(&o, line, &base->arena, err);
    while (st == STET_OK && stet__jsontext_next(&o, &m)) {
        stet_field_name name;
        if (stet__field_find(m.name, &name)) {
            st = take_field(base, name, &m, err);
        } else if (base->opts->keep_unknown) {
            has_unknown = true;
        } else {
            stet__parser_ignore(base, m.name);
        }
    }
    return st == STET_OK && has_unknown ? keep_unknown(p, line, err) : st;
}

static stet_status take_line(jsonl_parser *p, stet_slice line, stet_error *err)
{
    stet_parser *base = &p->base;
    p->line_no++;
    if (is_blank(line)) {
        return STET_OK;
    }
    stet__parser_begin_item(base, p->line_no);
    stet_event_kind kind = STET_EVENT_SAVED;
    stet_status st = take_members(p, line, err);
    if (st == STET_OK && !guess_kind(&base->item, &kind)) {
        st = stet__fail(err, STET_E_INVALID, 0,
                        "neither a state nor a transition");
    }
    if (st == STET_OK && kind == STET_EVENT_TRANSITIONED &&
        !stet__item_has(&base->item, STET_FIELD_TYPE)) {
        st = derive_type(base, err);
    }
    if (st != STET_OK) {
        return stet__parser_fail_at(p->line_no, st, err);
    }
    return stet__parser_give(base, &base->item, kind, err);
}

/* Keep the beginning of a line until its end comes. */
static stet_status keep_piece(jsonl_parser *p, stet_slice piece,
                              stet_error *err)
{
    if (piece.len > STET_ITEM_BYTES_MAX - p->line.len) {
        stet_status st =
            stet__fail(err, STET_E_TOO_LARGE, 0, "a line of more than %d bytes",
                       STET_ITEM_BYTES_MAX);
        return stet__parser_fail_at(p->line_no + 1, st, err);
    }
    stet__buf_put_slice(&p->line, piece);
    return stet__parser_check(&p->line, err);
}

/* Take a line whose last bytes are given. */
static stet_status end_line(jsonl_parser *p, stet_slice last, stet_error *err)
{
    if (p->line.len == 0 && last.len <= STET_ITEM_BYTES_MAX) {
        return take_line(p, last, err);
    }
    stet_status st = keep_piece(p, last, err);
    if (st == STET_OK) {
        st = take_line(p, stet__buf_slice(&p->line), err);
    }
    stet__buf_reset(&p->line);
    return st;
}

static stet_status feed(stet_parser *base, stet_slice bytes, stet_error *err)
{
    jsonl_parser *p = (jsonl_parser *)base;
    const char *at = bytes.ptr;
    const char *end = at + bytes.len;
    stet_status st = STET_OK;
    while (st == STET_OK && at < end) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        const char *stop = newline == NULL ? end : newline;
        stet_slice piece = stet_slice_of(at, (size_t)(stop - at));
        st = newline == NULL ? keep_piece(p, piece, err)
                             : end_line(p, piece, err);
        at = newline == NULL ? end : newline + 1;
    }
    return st;
}

/* The last line may lack its newline. */
static stet_status finish(stet_parser *base, stet_error *err)
{
    jsonl_parser *p = (jsonl_parser *)base;
    return p->line.len == 0 ? STET_OK
                            : end_line(p, stet_slice_of(NULL, 0), err);
}

const stet_parser_ops stet__jsonl_parser_ops = {
    .struct_bytes = sizeof(jsonl_parser),
    .init = init,
    .deinit = deinit,
    .feed = feed,
    .finish = finish,
};
