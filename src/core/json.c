#include "core/json.h"

#include <string.h>

#include <yyjson.h>

#include "base/assert.h"
#include "base/error.h"
#include "base/sized.h"
#include "core/pointer.h"

/* Reading: yyjson knows the grammar, build() the limits and the names. */

/* yyjson's memory: its array of values. Strings stay in our copy of a text. */
typedef struct scratch {
    const stet_allocator *alloc;
    size_t bytes_max; /* growing further means too many values */
    bool is_over;
} scratch;

static void *scratch_alloc(void *ctx, size_t bytes)
{
    return stet__sized_alloc(((scratch *)ctx)->alloc, bytes);
}

static void *scratch_realloc(void *ctx, void *ptr, size_t old_bytes,
                             size_t bytes)
{
    scratch *s = ctx;
    (void)old_bytes;
    if (bytes > s->bytes_max) {
        s->is_over = true;
        return NULL;
    }
    return stet__sized_realloc(s->alloc, ptr, bytes);
}

static void scratch_free(void *ctx, void *ptr)
{
    stet__sized_free(((scratch *)ctx)->alloc, ptr);
}

/*
 * The array yyjson may grow to: a member is two of its values, and it at most
 * doubles when full. The first array, a guess from the text's length, is no
 * more than three times the text.
 */
static size_t scratch_bytes_max(size_t values_max)
{
    const size_t spare = 4096;
    size_t bytes = 0;
    if (!stet__mul(values_max, 4 * sizeof(yyjson_val), &bytes) ||
        !stet__add(bytes, spare, &bytes)) {
        return SIZE_MAX;
    }
    return bytes;
}

typedef struct reader {
    stet_doc *doc;
    stet_slice text; /* the caller's */
    char *copy;      /* its copy in the arena, which strings point into */
    size_t values_left;
    size_t values_max;
    stet_error *err;
} reader;

static stet_status fail_nomem(stet_error *err)
{
    return stet__fail(err, STET_E_NOMEM, 0, "no memory to read json");
}

static stet_status fail_too_many(const reader *r)
{
    return stet__fail(r->err, STET_E_TOO_LARGE, 0,
                      "json has more than %zu values", r->values_max);
}

/* Where the first container begins that is nested too deep. */
static size_t too_deep_at(stet_slice text)
{
    const char *p = text.ptr;
    size_t depth = 0;
    size_t i = 0;
    while (i < text.len && depth <= STET_JSON_DEPTH_MAX) {
        char c = p[i++];
        if (c == '[' || c == '{') {
            depth++;
        } else if (c == ']' || c == '}') {
            depth--;
        } else if (c == '"') {
            while (i < text.len && p[i] != '"') {
                i += p[i] == '\\' ? 2 : 1;
            }
            i++;
        }
    }
    return i - 1;
}

static stet_status fail_twin(const reader *r, const stet_value *twin)
{
    const char *name = twin->name.ptr;
    int shown =
        (int)(twin->name.len < STET_ERROR_TEXT_MAX ? twin->name.len
                                                   : STET_ERROR_TEXT_MAX);
    return stet__fail(r->err, STET_E_INVALID, 0,
                      "json byte %zu: a second member \"%.*s\"",
                      (size_t)(name - r->copy), shown, name);
}

static stet_value_kind kind_of(yyjson_val *from)
{
    switch (yyjson_get_type(from)) {
    case YYJSON_TYPE_NULL:
        return STET_VALUE_NULL;
    case YYJSON_TYPE_BOOL:
        return yyjson_is_true(from) ? STET_VALUE_TRUE : STET_VALUE_FALSE;
    case YYJSON_TYPE_STR:
        return STET_VALUE_STRING;
    case YYJSON_TYPE_ARR:
        return STET_VALUE_ARRAY;
    case YYJSON_TYPE_OBJ:
        return STET_VALUE_OBJECT;
    default:
        STET_ASSERT(yyjson_is_raw(from)); /* every number, as asked for */
        return STET_VALUE_NUMBER;
    }
}

/* Fill in one value without what it contains, for which there is room then. */
static stet_status fill(reader *r, yyjson_val *from, stet_value *v)
{
    size_t len = yyjson_get_len(from);
    v->kind = kind_of(from);
    if (v->kind == STET_VALUE_STRING) {
        v->text = stet_slice_of(yyjson_get_str(from), len);
    } else if (v->kind == STET_VALUE_NUMBER) {
        v->text = stet_slice_of(yyjson_get_raw(from), len);
    } else if (stet__value_is_container(v)) {
        if (len > r->values_left) {
            return fail_too_many(r);
        }
        r->values_left -= len;
        if (!stet__value_make_room(r->doc, v, (uint32_t)len)) {
            return fail_nomem(r->err);
        }
    }
    return STET_OK;
}

typedef struct level {
    stet_value *container;
    stet_value *items; /* all of them, to be filled and placed in turn */
} level;

typedef struct levels {
    level at[STET_JSON_DEPTH_MAX];
    uint32_t depth;
} levels;

static stet_status enter(reader *r, levels *stack, stet_value *container)
{
    if (stack->depth == STET_JSON_DEPTH_MAX) {
        return stet__fail(r->err, STET_E_TOO_LARGE, 0,
                          "json byte %zu: nested more than %d deep",
                          too_deep_at(r->text), STET_JSON_DEPTH_MAX);
    }
    level *l = &stack->at[stack->depth++];
    *l = (level){.container = container};
    if (container->room > 0) {
        size_t bytes = container->room * sizeof *l->items;
        l->items = stet__arena_alloc(&r->doc->arena, bytes);
        if (l->items == NULL) {
            return fail_nomem(r->err);
        }
        memset(l->items, 0, bytes);
    }
    return STET_OK;
}

static stet_status leave(reader *r, levels *stack)
{
    stet_value *container = stack->at[--stack->depth].container;
    stet_value *twin = NULL;
    if (container->kind != STET_VALUE_OBJECT) {
        return STET_OK;
    }
    if (!stet__value_finish(r->doc, container, &twin)) {
        return fail_nomem(r->err);
    }
    return twin == NULL ? STET_OK : fail_twin(r, twin);
}

/*
 * Turn yyjson's values into ours. They stand in one array in the order of the
 * text: a container before what it contains, a name before its value.
 */
static stet_status build(reader *r, yyjson_val *from, stet_value *root)
{
    levels stack = {.depth = 0};
    stet_status st = fill(r, from++, root);
    if (st == STET_OK && stet__value_is_container(root)) {
        st = enter(r, &stack, root);
    }
    while (st == STET_OK && stack.depth > 0) {
        const level *top = &stack.at[stack.depth - 1];
        stet_value *container = top->container;
        if (container->used == container->room) {
            st = leave(r, &stack);
            continue;
        }
        stet_value *v = &top->items[container->used];
        if (container->kind == STET_VALUE_OBJECT) {
            v->name = stet_slice_of(yyjson_get_str(from), yyjson_get_len(from));
            from++;
        }
        stet__value_place(container, v);
        st = fill(r, from++, v);
        if (st == STET_OK && stet__value_is_container(v)) {
            st = enter(r, &stack, v);
        }
    }
    return st;
}

static char *copy_padded(stet_arena *arena, stet_slice text)
{
    size_t bytes = 0;
    if (!stet__add(text.len, YYJSON_PADDING_SIZE, &bytes)) {
        return NULL;
    }
    char *copy = stet__arena_alloc(arena, bytes);
    if (copy != NULL && text.len > 0) {
        memcpy(copy, text.ptr, text.len);
    }
    if (copy != NULL) {
        memset(copy + text.len, 0, YYJSON_PADDING_SIZE);
    }
    return copy;
}

static stet_status fail_read(const reader *r, const scratch *s,
                             const yyjson_read_err *why)
{
    if (s->is_over) {
        return fail_too_many(r);
    }
    if (why->code == YYJSON_READ_ERROR_MEMORY_ALLOCATION) {
        return fail_nomem(r->err);
    }
    return stet__fail(r->err, STET_E_INVALID, 0, "json byte %zu: %s", why->pos,
                      why->msg);
}

/* Parse a padded copy in place; the document lives as long as the copy. */
static yyjson_doc *read_raw(scratch *s, char *copy, size_t len,
                            yyjson_read_err *why)
{
    yyjson_alc alc = {.malloc = scratch_alloc,
                      .realloc = scratch_realloc,
                      .free = scratch_free,
                      .ctx = s};
    return yyjson_read_opts(
        copy, len, YYJSON_READ_INSITU | YYJSON_READ_NUMBER_AS_RAW, &alc, why);
}

stet_status stet__json_read(stet_doc *d, stet_slice text, size_t values_max,
                            stet_value **out, stet_error *err)
{
    STET_ASSERT(values_max > 0);
    reader r = {.doc = d, .text = text, .err = err};
    r.values_max = values_max;
    r.values_left = values_max - 1;
    r.copy = copy_padded(&d->arena, text);
    stet_value *root = stet__value_new(d, STET_VALUE_NULL);
    if (r.copy == NULL || root == NULL) {
        return fail_nomem(err);
    }
    scratch s = {.alloc = d->arena.alloc};
    s.bytes_max = scratch_bytes_max(values_max);
    yyjson_read_err why = {.code = YYJSON_READ_SUCCESS};
    yyjson_doc *read = read_raw(&s, r.copy, text.len, &why);
    if (read == NULL) {
        return fail_read(&r, &s, &why);
    }
    stet_status st = build(&r, yyjson_doc_get_root(read), root);
    yyjson_doc_free(read);
    if (st == STET_OK) {
        *out = root;
    }
    return st;
}

/* Writing. */

/* The letter behind the backslash, 'u' for none of its own, 0: no escape. */
static const char escapes[256] = {
    'u', 'u', 'u', 'u', 'u', 'u',         'u',           'u', 'b',
    't', 'n', 'u', 'f', 'r', 'u',         'u',           'u', 'u',
    'u', 'u', 'u', 'u', 'u', 'u',         'u',           'u', 'u',
    'u', 'u', 'u', 'u', 'u', ['"'] = '"', ['\\'] = '\\',
};

/* How many bytes from the front need no escape. */
static size_t plain_bytes(const uint8_t *p, size_t len)
{
    size_t i = 0;
    while (i < len && escapes[p[i]] == 0) {
        i++;
    }
    return i;
}

static void write_escaped(uint8_t c, stet_buf *out)
{
    static const char hex[] = "0123456789abcdef";
    char letter = escapes[c];
    char text[6] = {'\\', letter, '0', '0', hex[c >> 4], hex[c & 15]};
    stet__buf_put(out, text, letter == 'u' ? sizeof text : 2);
}

static void write_with_escapes(const uint8_t *p, size_t left, stet_buf *out)
{
    stet__buf_put_u8(out, '"');
    while (left > 0) {
        size_t plain = plain_bytes(p, left);
        stet__buf_put(out, p, plain);
        p += plain;
        left -= plain;
        if (left > 0) {
            write_escaped(*p++, out);
            left--;
        }
    }
    stet__buf_put_u8(out, '"');
}

void stet__json_write_string(stet_slice s, stet_buf *out)
{
    if (plain_bytes(s.ptr, s.len) < s.len) {
        write_with_escapes(s.ptr, s.len, out);
        return;
    }
    uint8_t *to = stet__buf_extend(out, s.len + 2);
    if (to != NULL) {
        *to++ = '"';
        if (s.len > 0) {
            memcpy(to, s.ptr, s.len);
        }
        to[s.len] = '"';
    }
}

/* Write a scalar, or what opens a container. */
static void write_front(const stet_value *v, stet_buf *out)
{
    switch (v->kind) {
    case STET_VALUE_NULL:
        stet__buf_put(out, "null", 4);
        break;
    case STET_VALUE_FALSE:
        stet__buf_put(out, "false", 5);
        break;
    case STET_VALUE_TRUE:
        stet__buf_put(out, "true", 4);
        break;
    case STET_VALUE_NUMBER:
        stet__buf_put_slice(out, v->text);
        break;
    case STET_VALUE_STRING:
        stet__json_write_string(v->text, out);
        break;
    case STET_VALUE_ARRAY:
        stet__buf_put_u8(out, '[');
        break;
    case STET_VALUE_OBJECT:
        stet__buf_put_u8(out, '{');
        break;
    }
}

void stet__json_write(const stet_value *v, stet_buf *out)
{
    struct {
        const stet_value *in;
        uint32_t at;
    } stack[STET_JSON_DEPTH_MAX] = {{.in = v}};
    uint32_t depth = stet__value_is_container(v) ? 1 : 0;
    bool is_first = true; /* in its container */
    write_front(v, out);
    while (depth > 0) {
        const stet_value *in = stack[depth - 1].in;
        v = stet__value_next(in, &stack[depth - 1].at);
        if (v == NULL) {
            stet__buf_put_u8(out, in->kind == STET_VALUE_OBJECT ? '}' : ']');
            is_first = false;
            depth--;
            continue;
        }
        if (!is_first) {
            stet__buf_put_u8(out, ',');
        }
        if (in->kind == STET_VALUE_OBJECT) {
            stet__json_write_string(v->name, out);
            stet__buf_put_u8(out, ':');
        }
        write_front(v, out);
        is_first = stet__value_is_container(v);
        if (is_first) {
            STET_ASSERT(depth < STET_JSON_DEPTH_MAX);
            stack[depth].in = v;
            stack[depth++].at = 0;
        }
    }
}

/* Questions about a text. */

stet_status stet__json_check(const stet_allocator *a, stet_slice text,
                             stet_json_kind *out_kind, stet_error *err)
{
    stet_doc d;
    stet_value *v = NULL;
    stet__doc_init(&d, a);
    stet_status st = stet__json_read(&d, text, STET_JSON_VALUES_MAX, &v, err);
    if (st == STET_OK) {
        *out_kind = v->kind == STET_VALUE_OBJECT  ? STET_JSON_OBJECT
                    : v->kind == STET_VALUE_ARRAY ? STET_JSON_ARRAY
                                                  : STET_JSON_OTHER;
    }
    stet__doc_deinit(&d);
    return st;
}

/* Take the first of pointers separated by spaces; false: none is left. */
static bool next_pointer(stet_slice *rest, stet_slice *out)
{
    const char *p = rest->ptr;
    if (rest->len == 0) {
        return false;
    }
    const char *space = memchr(p, ' ', rest->len);
    size_t len = space == NULL ? rest->len : (size_t)(space - p);
    size_t taken = space == NULL ? len : len + 1;
    *out = stet_slice_of(p, len);
    *rest = stet_slice_of(p + taken, rest->len - taken);
    return true;
}

bool stet__json_pointers_are_valid(stet_slice pointers)
{
    stet_slice pointer;
    while (next_pointer(&pointers, &pointer)) {
        if (pointer.len == 0 || !stet__pointer_is_valid(pointer)) {
            return false;
        }
    }
    return true;
}

/*
 * Could the text have a member that one of the pointers ends with? Spares most
 * texts that have none the reading. A name may hide behind escapes only where
 * there are backslashes.
 */
static bool may_have(stet_slice text, stet_slice pointers)
{
    stet_slice pointer;
    if (text.len == 0) {
        return false;
    }
    if (memchr(text.ptr, '\\', text.len) != NULL) {
        return true;
    }
    while (next_pointer(&pointers, &pointer)) {
        stet_slice token = stet_slice_of(NULL, 0);
        while (stet__pointer_next(&pointer, &token)) {
        }
        uint32_t index = 0;
        if (memchr(token.ptr, '~', token.len) != NULL ||
            stet__pointer_index(token, &index) ||
            memmem(text.ptr, text.len, token.ptr, token.len) != NULL) {
            return true;
        }
    }
    return false;
}

/* The only member of that name; NULL: none, or it is not clear which. */
static yyjson_val *only_member(yyjson_val *object, stet_slice name)
{
    yyjson_val *found = NULL;
    yyjson_obj_iter at = yyjson_obj_iter_with(object);
    for (yyjson_val *key = yyjson_obj_iter_next(&at); key != NULL;
         key = yyjson_obj_iter_next(&at)) {
        if (!yyjson_equals_strn(key, name.ptr, name.len)) {
            continue;
        }
        if (found != NULL) {
            return NULL;
        }
        found = yyjson_obj_iter_get_val(key);
    }
    return found;
}

/* What a pointer leads to; NULL: nothing. False: no memory. */
static bool find_at(yyjson_val *root, stet_slice pointer, stet_arena *arena,
                    yyjson_val **out)
{
    stet_slice token;
    while (root != NULL && stet__pointer_next(&pointer, &token)) {
        stet_slice name = stet__pointer_decode(token, arena);
        uint32_t index = 0;
        if (name.ptr == NULL) {
            return false;
        }
        if (yyjson_is_obj(root)) {
            root = only_member(root, name);
        } else {
            root = stet__pointer_index(name, &index)
                       ? yyjson_arr_get(root, index)
                       : NULL; /* also of what is no array */
        }
    }
    *out = root;
    return true;
}

static stet_status string_in(yyjson_val *root, stet_slice pointers,
                             stet_arena *arena, stet_buf *out)
{
    stet_slice pointer;
    while (next_pointer(&pointers, &pointer)) {
        yyjson_val *v = NULL;
        if (!find_at(root, pointer, arena, &v)) {
            return STET_E_NOMEM;
        }
        if (yyjson_is_str(v)) {
            stet__buf_put(out, yyjson_get_str(v), yyjson_get_len(v));
            bool is_put = !out->is_failed;
            out->is_failed = false;
            return is_put ? STET_OK : STET_E_NOMEM;
        }
    }
    return STET_E_NOT_FOUND;
}

/* Not stet__json_read: of a large text a document takes five times as long. */
stet_status stet__json_string_at(const stet_allocator *a, stet_slice text,
                                 stet_slice pointers, stet_buf *out)
{
    STET_ASSERT(!out->is_failed);
    if (!may_have(text, pointers)) {
        return STET_E_NOT_FOUND;
    }
    stet_arena arena;
    stet__arena_init(&arena, a);
    char *copy = copy_padded(&arena, text);
    stet_status st = copy == NULL ? STET_E_NOMEM : STET_E_NOT_FOUND;
    yyjson_read_err why = {.code = YYJSON_READ_SUCCESS};
    scratch s = {.alloc = a,
                 .bytes_max = scratch_bytes_max(STET_JSON_VALUES_MAX)};
    yyjson_doc *doc = copy == NULL ? NULL : read_raw(&s, copy, text.len, &why);
    if (doc != NULL) {
        st = string_in(yyjson_doc_get_root(doc), pointers, &arena, out);
        yyjson_doc_free(doc);
    } else if (why.code == YYJSON_READ_ERROR_MEMORY_ALLOCATION && !s.is_over) {
        st = STET_E_NOMEM;
    }
    stet__arena_deinit(&arena);
    return st;
}
