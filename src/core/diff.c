#include "core/diff.h"

#include "base/assert.h"
#include "base/error.h"
#include "core/json.h"
#include "core/pointer.h"

/* Two containers of one kind, being compared. */
typedef struct level {
    const stet_value *a;
    const stet_value *b;
    size_t path_bytes; /* of the pointer to them */
    uint32_t at;       /* the next item of a, or of b when a is done */
    uint32_t common;   /* in arrays: end of what is compared in pairs */
    uint32_t suffix;   /* in arrays: how many are alike at the end */
    bool is_a_done;
} level;

typedef struct differ {
    level stack[STET_JSON_DEPTH_MAX];
    uint32_t depth;
    stet_buf path; /* the pointer to what is being compared */
    stet_buf *out;
    bool is_begun; /* an operation was written */
} differ;

/* Write an operation on `path`; `value` NULL: it has none. */
static void write_operation(differ *d, const char *op, const stet_value *value)
{
    stet__buf_printf(d->out,
                     "%s{\"op\":\"%s\",\"path\":", d->is_begun ? "," : "", op);
    stet__json_write_string(stet__buf_slice(&d->path), d->out);
    if (value != NULL) {
        stet__buf_put_str(d->out, ",\"value\":");
        stet__json_write(value, d->out);
    }
    stet__buf_put_u8(d->out, '}');
    d->is_begun = true;
}

/* Find what is alike at both ends of two arrays. */
static void trim(level *l)
{
    uint32_t least = l->a->live < l->b->live ? l->a->live : l->b->live;
    while (l->at < least &&
           stet__value_eq(l->a->items[l->at], l->b->items[l->at])) {
        l->at++;
    }
    while (l->suffix < least - l->at &&
           stet__value_eq(l->a->items[l->a->live - 1 - l->suffix],
                          l->b->items[l->b->live - 1 - l->suffix])) {
        l->suffix++;
    }
    l->common = least - l->suffix;
}

/* Compare what `path` leads to; what containers contain comes later. */
static void compare(differ *d, const stet_value *a, const stet_value *b)
{
    if (a->kind == b->kind && stet__value_is_container(a)) {
        STET_ASSERT(d->depth < STET_JSON_DEPTH_MAX);
        level *l = &d->stack[d->depth++];
        *l = (level){.a = a, .b = b, .path_bytes = d->path.len};
        if (a->kind == STET_VALUE_ARRAY) {
            trim(l);
        }
    } else if (!stet__value_eq(a, b)) {
        write_operation(d, "replace", b);
    }
}

/* One step through two objects; false at their end. */
static bool step_object(differ *d, level *l)
{
    if (!l->is_a_done) {
        const stet_value *in_a = stet__value_next(l->a, &l->at);
        if (in_a == NULL) {
            l->is_a_done = true;
            l->at = 0;
            return true;
        }
        const stet_value *in_b = stet__value_member(l->b, in_a->name);
        stet__pointer_put_name(&d->path, in_a->name);
        if (in_b == NULL) {
            write_operation(d, "remove", NULL);
        } else {
            compare(d, in_a, in_b);
        }
        return true;
    }
    const stet_value *in_b = stet__value_next(l->b, &l->at);
    if (in_b != NULL && stet__value_member(l->a, in_b->name) == NULL) {
        stet__pointer_put_name(&d->path, in_b->name);
        write_operation(d, "add", in_b);
    }
    return in_b != NULL;
}

/*
 * One step through two arrays; false at their end. What `a` has more is removed
 * at one index again and again, what `b` has more is added at rising ones.
 */
static bool step_array(differ *d, level *l)
{
    uint32_t at = l->at++;
    if (at < l->common) {
        stet__pointer_put_index(&d->path, at);
        compare(d, l->a->items[at], l->b->items[at]);
    } else if (at < l->a->live - l->suffix) {
        stet__pointer_put_index(&d->path, l->common);
        write_operation(d, "remove", NULL);
    } else if (at < l->b->live - l->suffix) {
        stet__pointer_put_index(&d->path, at);
        write_operation(d, "add", l->b->items[at]);
    } else {
        return false;
    }
    return true;
}

static void write_patch(differ *d, const stet_value *a, const stet_value *b)
{
    stet__buf_put_u8(d->out, '[');
    if (a->kind == STET_VALUE_OBJECT && b->kind == STET_VALUE_OBJECT) {
        compare(d, a, b);
    } else if (!stet__value_eq(a, b)) {
        write_operation(d, "replace", b);
    }
    while (d->depth > 0 && !d->path.is_failed) {
        level *l = &d->stack[d->depth - 1];
        d->path.len = l->path_bytes;
        bool has_more = l->a->kind == STET_VALUE_OBJECT ? step_object(d, l)
                                                        : step_array(d, l);
        d->depth -= has_more ? 0 : 1;
    }
    stet__buf_put_u8(d->out, ']');
}

/* Make `out` what it was where writing failed. */
static stet_status finish(stet_buf *out, size_t len, bool is_failed,
                          stet_error *err)
{
    if (is_failed || out->is_failed) {
        out->len = len;
        out->is_failed = false;
        return stet__fail(err, STET_E_NOMEM, 0, "no memory to compare states");
    }
    return STET_OK;
}

static stet_status read_state(stet_doc *d, stet_slice state, stet_value **out)
{
    stet_slice text = state.len == 0 ? stet_str("{}") : state;
    return stet__json_read(d, text, SIZE_MAX, out, NULL);
}

stet_status stet__diff_json(const stet_allocator *alloc, stet_slice a,
                            stet_slice b, stet_buf *out, stet_error *err)
{
    STET_ASSERT(!out->is_failed);
    size_t len = out->len;
    stet_doc doc;
    stet_value *root_a = NULL;
    stet_value *root_b = NULL;
    stet__doc_init(&doc, alloc);
    stet_status st = read_state(&doc, a, &root_a);
    if (st == STET_OK) {
        st = read_state(&doc, b, &root_b);
    }
    if (st == STET_OK) {
        differ d = {.out = out};
        stet__buf_init(&d.path, alloc);
        write_patch(&d, root_a, root_b);
        st = finish(out, len, d.path.is_failed, err);
        stet__buf_deinit(&d.path);
    } else if (st == STET_E_NOMEM) {
        st = finish(out, len, true, err);
    } else {
        st = stet__diff_bytes(a, b, out, err);
    }
    stet__doc_deinit(&doc);
    return st;
}

stet_status stet__diff_bytes(stet_slice a, stet_slice b, stet_buf *out,
                             stet_error *err)
{
    STET_ASSERT(!out->is_failed);
    const uint8_t *p = a.ptr;
    const uint8_t *q = b.ptr;
    size_t least = a.len < b.len ? a.len : b.len;
    size_t prefix = 0;
    size_t suffix = 0;
    size_t len = out->len;
    while (prefix < least && p[prefix] == q[prefix]) {
        prefix++;
    }
    while (suffix < least - prefix &&
           p[a.len - 1 - suffix] == q[b.len - 1 - suffix]) {
        suffix++;
    }
    stet__buf_printf(out, "{\"bytes_before\":%zu,\"bytes_after\":%zu,", a.len,
                     b.len);
    if (a.len == b.len && prefix == a.len) {
        stet__buf_put_str(out, "\"first_difference\":null,");
    } else {
        stet__buf_printf(out, "\"first_difference\":%zu,", prefix);
    }
    stet__buf_printf(out, "\"common_suffix\":%zu}", suffix);
    return finish(out, len, false, err);
}
