#include "formats/jsontext.h"

#include <inttypes.h>

#include <yyjson.h>

#include "base/assert.h"
#include "base/error.h"
#include "base/outside.h"

static void *arena_malloc(void *ctx, size_t bytes)
{
    void *ptr = stet__arena_alloc(ctx, bytes);
    stet__outside_sets(ptr, bytes);
    return ptr;
}

static void *arena_realloc(void *ctx, void *ptr, size_t old_bytes, size_t bytes)
{
    void *moved = arena_malloc(ctx, bytes);
    if (moved != NULL) {
        memcpy(moved, ptr, old_bytes < bytes ? old_bytes : bytes);
    }
    return moved;
}

/* The arena frees everything at once. */
static void arena_free(void *ctx, void *ptr)
{
    (void)ctx;
    (void)ptr;
}

static stet_status parse(stet_slice text, stet_arena *arena,
                         yyjson_val **out_root, stet_error *err)
{
    yyjson_alc alc = {arena_malloc, arena_realloc, arena_free, arena};
    yyjson_read_err why = {0};
    /* The cast is safe: only reading in place writes to its input. */
    yyjson_doc *doc = yyjson_read_opts((char *)(uintptr_t)text.ptr, text.len,
                                       YYJSON_READ_NUMBER_AS_RAW, &alc, &why);
    if (doc != NULL) {
        *out_root = yyjson_doc_get_root(doc);
        return STET_OK;
    }
    if (why.code == YYJSON_READ_ERROR_MEMORY_ALLOCATION) {
        return stet__fail(err, STET_E_NOMEM, 0, "parse %zu bytes of JSON",
                          text.len);
    }
    return stet__fail(err, STET_E_INVALID, 0, "not JSON: %s at byte %zu",
                      why.msg, why.pos + 1);
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static const char *skip_space(const char *p, const char *end)
{
    while (p < end && is_space(*p)) {
        p++;
    }
    return p;
}

/* The end of the string that opens at `p`, behind its closing quote. */
static const char *skip_string(const char *p, const char *end)
{
    STET_ASSERT(p < end && *p == '"');
    p++;
    while (p < end && *p != '"') {
        p += *p == '\\' ? 2 : 1;
    }
    STET_ASSERT(p < end);
    return p + 1;
}

static bool is_bracket(char c, char opening, char closing)
{
    return c == opening || c == closing;
}

/* The end of the list or object that opens at `p`. */
static const char *skip_nested(const char *p, const char *end)
{
    size_t depth = 0;
    do {
        STET_ASSERT(p < end);
        if (*p == '"') {
            p = skip_string(p, end);
            continue;
        }
        if (is_bracket(*p, '{', '[')) {
            depth++;
        } else if (is_bracket(*p, '}', ']')) {
            depth--;
        }
        p++;
    } while (depth > 0);
    return p;
}

/*
 * The end of the value at `p`. The text was parsed before, so that it is enough
 * to know where strings end and how brackets nest.
 */
static const char *skip_value(const char *p, const char *end)
{
    STET_ASSERT(p < end);
    if (*p == '"') {
        return skip_string(p, end);
    }
    if (is_bracket(*p, '{', '[')) {
        return skip_nested(p, end);
    }
    while (p < end && *p != ',' && !is_bracket(*p, '}', ']') && !is_space(*p)) {
        p++;
    }
    return p;
}

static stet_jsontext_type type_of(const yyjson_val *value)
{
    switch (yyjson_get_type((yyjson_val *)(uintptr_t)value)) {
    case YYJSON_TYPE_NULL:
        return STET_JSONTEXT_NULL;
    case YYJSON_TYPE_BOOL:
        return STET_JSONTEXT_BOOL;
    case YYJSON_TYPE_STR:
        return STET_JSONTEXT_STRING;
    case YYJSON_TYPE_ARR:
        return STET_JSONTEXT_LIST;
    case YYJSON_TYPE_OBJ:
        return STET_JSONTEXT_OBJECT;
    default:
        return STET_JSONTEXT_NUMBER; /* kept raw */
    }
}

stet_status stet__jsontext_open(stet_jsontext_object *o, stet_slice text,
                                stet_arena *arena, stet_error *err)
{
    yyjson_val *root = NULL;
    stet_status st = parse(text, arena, &root, err);
    if (st != STET_OK) {
        return st;
    }
    if (!yyjson_is_obj(root)) {
        return stet__fail(err, STET_E_INVALID, 0, "JSON, but not an object");
    }
    const char *ptr = text.ptr;
    o->end = ptr + text.len;
    o->ptr = skip_space(ptr, o->end) + 1;
    o->left = yyjson_obj_size(root);
    o->item = unsafe_yyjson_get_first(root);
    return STET_OK;
}

bool stet__jsontext_next(stet_jsontext_object *o, stet_jsontext_member *out)
{
    if (o->left == 0) {
        return false;
    }
    yyjson_val *name = (yyjson_val *)(uintptr_t)o->item;
    yyjson_val *value = name + 1;
    const char *p = skip_string(skip_space(o->ptr, o->end), o->end);
    p = skip_space(p, o->end);
    STET_ASSERT(*p == ':');
    p = skip_space(p + 1, o->end);
    const char *value_end = skip_value(p, o->end);

    out->name = stet_slice_of(yyjson_get_str(name), yyjson_get_len(name));
    out->raw = stet_slice_of(p, (size_t)(value_end - p));
    out->type = type_of(value);
    out->text =
        out->type == STET_JSONTEXT_STRING
            ? stet_slice_of(yyjson_get_str(value), yyjson_get_len(value))
            : out->raw;

    o->ptr = skip_space(value_end, o->end) + 1; /* the comma, or the end */
    o->item = unsafe_yyjson_get_next(value);
    o->left--;
    return true;
}

stet_status stet__jsontext_check(stet_slice text, stet_arena *arena,
                                 stet_error *err)
{
    yyjson_val *root = NULL;
    return parse(text, arena, &root, err);
}

/* Skip at least one digit; NULL when there is none. */
static const char *skip_digits(const char *p, const char *end)
{
    const char *start = p;
    while (p < end && *p >= '0' && *p <= '9') {
        p++;
    }
    return p > start ? p : NULL;
}

bool stet__jsontext_is_number(stet_slice text)
{
    const char *p = text.len == 0 ? "" : text.ptr;
    const char *end = p + text.len;
    if (p < end && *p == '-') {
        p++;
    }
    if (p < end && *p == '0') {
        p++; /* and no digit after it */
    } else {
        p = skip_digits(p, end);
    }
    if (p != NULL && p < end && *p == '.') {
        p = skip_digits(p + 1, end);
    }
    if (p != NULL && p < end && (*p == 'e' || *p == 'E')) {
        p++;
        p += p < end && (*p == '+' || *p == '-');
        p = skip_digits(p, end);
    }
    return p != NULL && p == end;
}

/* Append the escape of a character that may not stand in a string. */
static void put_escape(stet_buf *out, char c)
{
    static const char letters[] = "\"\\\b\f\n\r\t";
    static const char escapes[] = "\"\\bfnrt";
    const char *letter = c == '\0' ? NULL : strchr(letters, c);
    if (letter != NULL) {
        stet__buf_put_u8(out, '\\');
        stet__buf_put_u8(out, (uint8_t)escapes[letter - letters]);
    } else {
        stet__buf_printf(out, "\\u%04x", (unsigned)(unsigned char)c);
    }
}

void stet__jsontext_put_string(stet_buf *out, stet_slice text)
{
    const char *p = text.len == 0 ? "" : text.ptr;
    const char *end = p + text.len;
    const char *plain = p; /* what is not yet appended */
    stet__buf_put_u8(out, '"');
    for (; p < end; p++) {
        if ((unsigned char)*p >= 0x20 && *p != '"' && *p != '\\') {
            continue;
        }
        stet__buf_put(out, plain, (size_t)(p - plain));
        put_escape(out, *p);
        plain = p + 1;
    }
    stet__buf_put(out, plain, (size_t)(p - plain));
    stet__buf_put_u8(out, '"');
}
