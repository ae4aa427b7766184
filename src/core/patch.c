#include "core/patch.h"

#include "base/assert.h"
#include "base/bytes.h"
#include "base/error.h"
#include "core/pointer.h"

enum { SHOWN_MAX = 96 };

typedef struct patcher patcher;

typedef struct operation {
    const char *name;
    stet_status (*apply)(patcher *p, stet_slice path);
} operation;

/* A patch at one of its operations. */
struct patcher {
    stet_doc *doc;
    stet_value **root;
    stet_copy_budget copies;
    const stet_value *members; /* of the operation */
    const operation *operation;
    uint32_t index;
    stet_error *err;
};

/* Where a pointer leads. */
typedef struct place {
    stet_value *container; /* NULL: `value` is the document */
    stet_value *value;     /* NULL: nothing is there */
    stet_slice token;      /* the last one, decoded */
    uint32_t depth;        /* how many containers are around it */
} place;

static stet_status fail(const patcher *p, const char *why)
{
    return stet__fail(p->err, STET_E_INVALID, 0, "operation %u: %s", p->index,
                      why);
}

/* How much of a pointer to show, cut between characters. */
static int shown_bytes(stet_slice pointer)
{
    const uint8_t *p = pointer.ptr;
    size_t len = pointer.len;
    if (len > SHOWN_MAX) {
        len = SHOWN_MAX;
        while (len > 0 && (p[len] & 0xc0) == 0x80) {
            len--;
        }
    }
    return (int)len;
}

static stet_status fail_at(const patcher *p, stet_status status,
                           stet_slice pointer, const char *why)
{
    int shown = shown_bytes(pointer);
    return stet__fail(p->err, status, 0, "operation %u: %s \"%.*s\": %s",
                      p->index, p->operation->name, shown,
                      shown == 0 ? "" : (const char *)pointer.ptr, why);
}

static stet_status fail_nomem(const patcher *p)
{
    return stet__fail(p->err, STET_E_NOMEM, 0,
                      "operation %u: no memory to apply it", p->index);
}

/* What an operation says. */

static stet_status get_string(const patcher *p, const char *name,
                              stet_slice *out)
{
    const stet_value *v = stet__value_member(p->members, stet_str(name));
    if (v == NULL || v->kind != STET_VALUE_STRING) {
        return stet__fail(p->err, STET_E_INVALID, 0,
                          "operation %u: no string \"%s\"", p->index, name);
    }
    *out = v->text;
    return STET_OK;
}

static stet_status get_pointer(const patcher *p, const char *name,
                               stet_slice *out)
{
    stet_slice text = stet_slice_of(NULL, 0);
    stet_status st = get_string(p, name, &text);
    if (st == STET_OK && !stet__pointer_is_valid(text)) {
        return stet__fail(p->err, STET_E_INVALID, 0,
                          "operation %u: \"%s\" is no json pointer", p->index,
                          name);
    }
    if (st == STET_OK) {
        *out = text;
    }
    return st;
}

static stet_status get_value(const patcher *p, stet_value **out)
{
    stet_value *v = stet__value_member(p->members, stet_str("value"));
    if (v == NULL) {
        return fail(p, "no \"value\"");
    }
    *out = v;
    return STET_OK;
}

/* Places. */

/* Find a place; its container must be there, the value itself need not. */
static stet_status find(const patcher *p, stet_slice pointer, place *out)
{
    place at = {.value = *p->root};
    stet_slice rest = pointer;
    stet_slice token;
    while (stet__pointer_next(&rest, &token)) {
        if (at.value == NULL || !stet__value_is_container(at.value)) {
            return fail_at(p, STET_E_INVALID, pointer, "nothing is there");
        }
        at.container = at.value;
        at.depth++;
        at.token = stet__pointer_decode(token, &p->doc->arena);
        if (at.token.ptr == NULL) {
            return fail_nomem(p);
        }
        at.value = stet__value_step(at.container, at.token);
    }
    *out = at;
    return STET_OK;
}

static stet_status find_value(const patcher *p, stet_slice pointer, place *out)
{
    stet_status st = find(p, pointer, out);
    if (st == STET_OK && out->value == NULL) {
        return fail_at(p, STET_E_INVALID, pointer, "nothing is there");
    }
    return st;
}

/* The index of an element that is there. */
static uint32_t index_of(const place *at)
{
    uint32_t index = 0;
    bool is_index = stet__pointer_index(at->token, &index);
    STET_ASSERT(is_index && at->container->items[index] == at->value);
    return index;
}

static stet_status check_depth(const patcher *p, stet_slice path,
                               const place *at, const stet_value *v)
{
    if (at->depth + stet__value_height(v) > STET_JSON_DEPTH_MAX) {
        return fail_at(p, STET_E_TOO_LARGE, path, "nests too deep");
    }
    return STET_OK;
}

static stet_status insert(const patcher *p, stet_slice path, const place *at,
                          stet_value *v)
{
    uint32_t live = at->container->live;
    uint32_t index = live;
    bool is_end = stet__slice_eq(at->token, stet_str("-"));
    if (!is_end && (!stet__pointer_index(at->token, &index) || index > live)) {
        return fail_at(p, STET_E_INVALID, path, "no such index");
    }
    return stet__value_insert(p->doc, at->container, index, v) ? STET_OK
                                                               : fail_nomem(p);
}

static stet_status add(const patcher *p, stet_slice path, stet_value *v)
{
    place at;
    stet_status st = find(p, path, &at);
    if (st == STET_OK) {
        st = check_depth(p, path, &at, v);
    }
    if (st != STET_OK) {
        return st;
    }
    if (at.container == NULL) {
        *p->root = v;
        return STET_OK;
    }
    if (at.container->kind == STET_VALUE_ARRAY) {
        return insert(p, path, &at, v);
    }
    v->name = at.token;
    return stet__value_put(p->doc, at.container, v) ? STET_OK : fail_nomem(p);
}

static stet_status take_away(const patcher *p, stet_slice pointer,
                             stet_value **out)
{
    place at;
    stet_status st = find_value(p, pointer, &at);
    if (st != STET_OK) {
        return st;
    }
    if (at.container == NULL) {
        return fail_at(p, STET_E_INVALID, pointer, "the document must stay");
    }
    if (at.container->kind == STET_VALUE_ARRAY) {
        stet__value_remove_element(at.container, index_of(&at));
    } else {
        stet__value_remove_member(at.container, at.value);
    }
    *out = at.value;
    return STET_OK;
}

/* The operations. */

static stet_status apply_add(patcher *p, stet_slice path)
{
    stet_value *v = NULL;
    stet_status st = get_value(p, &v);
    return st == STET_OK ? add(p, path, v) : st;
}

static stet_status apply_remove(patcher *p, stet_slice path)
{
    stet_value *v = NULL;
    return take_away(p, path, &v);
}

static stet_status apply_replace(patcher *p, stet_slice path)
{
    stet_value *v = NULL;
    place at;
    stet_status st = get_value(p, &v);
    if (st == STET_OK) {
        st = find_value(p, path, &at);
    }
    if (st == STET_OK) {
        st = check_depth(p, path, &at, v);
    }
    if (st != STET_OK) {
        return st;
    }
    if (at.container == NULL) {
        *p->root = v;
    } else if (at.container->kind == STET_VALUE_ARRAY) {
        at.container->items[index_of(&at)] = v;
    } else {
        v->name = at.token;
        bool is_put = stet__value_put(p->doc, at.container, v);
        STET_ASSERT(is_put); /* in a place that was taken */
    }
    return STET_OK;
}

static stet_status apply_move(patcher *p, stet_slice path)
{
    stet_slice from = stet_slice_of(NULL, 0);
    stet_value *v = NULL;
    stet_status st = get_pointer(p, "from", &from);
    if (st == STET_OK && stet__pointer_is_inside(path, from)) {
        return fail_at(p, STET_E_INVALID, path, "is inside what is moved");
    }
    if (st == STET_OK) {
        st = take_away(p, from, &v);
    }
    return st == STET_OK ? add(p, path, v) : st;
}

static stet_status apply_copy(patcher *p, stet_slice path)
{
    stet_slice from = stet_slice_of(NULL, 0);
    place at;
    stet_value *v = NULL;
    stet_status st = get_pointer(p, "from", &from);
    if (st == STET_OK) {
        st = find_value(p, from, &at);
    }
    if (st != STET_OK) {
        return st;
    }
    st = stet__value_copy(p->doc, at.value, &p->copies, &v);
    if (st == STET_E_TOO_LARGE) {
        return fail_at(p, st, path, "the patch copies too much");
    }
    return st == STET_OK ? add(p, path, v) : fail_nomem(p);
}

static stet_status apply_test(patcher *p, stet_slice path)
{
    stet_value *v = NULL;
    place at;
    stet_status st = get_value(p, &v);
    if (st == STET_OK) {
        st = find_value(p, path, &at);
    }
    if (st == STET_OK && !stet__value_eq(at.value, v)) {
        return fail_at(p, STET_E_INVALID, path, "the value differs");
    }
    return st;
}

static const operation operations[] = {
    {"add", apply_add},   {"remove", apply_remove}, {"replace", apply_replace},
    {"move", apply_move}, {"copy", apply_copy},     {"test", apply_test},
};

static const operation *find_operation(stet_slice name)
{
    for (size_t i = 0; i < sizeof operations / sizeof *operations; i++) {
        if (stet__slice_eq(name, stet_str(operations[i].name))) {
            return &operations[i];
        }
    }
    return NULL;
}

static stet_status apply_one(patcher *p)
{
    stet_slice op = stet_slice_of(NULL, 0);
    stet_slice path = stet_slice_of(NULL, 0);
    if (p->members->kind != STET_VALUE_OBJECT) {
        return fail(p, "not an object");
    }
    stet_status st = get_string(p, "op", &op);
    if (st != STET_OK) {
        return st;
    }
    p->operation = find_operation(op);
    if (p->operation == NULL) {
        return fail(p, "\"op\" is none of add, remove, replace, move, copy, "
                       "test");
    }
    st = get_pointer(p, "path", &path);
    return st == STET_OK ? p->operation->apply(p, path) : st;
}

stet_status stet__patch_apply(stet_doc *d, stet_value **root,
                              const stet_value *patch, stet_error *err)
{
    patcher p = {.doc = d, .root = root, .err = err};
    p.copies.values = STET_PATCH_COPY_VALUES_MAX;
    p.copies.text_bytes = STET_PATCH_COPY_TEXT_BYTES_MAX;
    if (patch->kind != STET_VALUE_ARRAY) {
        return stet__fail(err, STET_E_INVALID, 0, "not an array of operations");
    }
    stet_status st = STET_OK;
    uint32_t at = 0;
    while (st == STET_OK &&
           (p.members = stet__value_next(patch, &at)) != NULL) {
        st = apply_one(&p);
        p.index++;
    }
    return st;
}
