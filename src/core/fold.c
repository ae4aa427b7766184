#include "core/fold.h"

#include "base/assert.h"
#include "base/error.h"
#include "core/json.h"
#include "core/patch.h"

struct stet_folder {
    const stet_allocator *alloc;
    stet_doc doc;
    stet_value *state; /* an object, or NULL */
};

static stet_status fail_nomem(stet_error *err)
{
    return stet__fail(err, STET_E_NOMEM, 0, "no memory to fold");
}

/* The reducers, on values of one doc. */

typedef struct merge_level {
    stet_value *into;
    const stet_value *from;
    uint32_t at; /* in from */
} merge_level;

/* What a member that is an object is merged into; NULL: no memory. */
static stet_value *object_at(stet_doc *d, stet_value *into, stet_slice name)
{
    stet_value *old = stet__value_member(into, name);
    if (old != NULL && old->kind == STET_VALUE_OBJECT) {
        return old;
    }
    stet_value *fresh = stet__value_new(d, STET_VALUE_OBJECT);
    if (fresh == NULL) {
        return NULL;
    }
    fresh->name = name;
    return stet__value_put(d, into, fresh) ? fresh : NULL;
}

static void remove_named(stet_value *object, stet_slice name)
{
    stet_value *member = stet__value_member(object, name);
    if (member != NULL) {
        stet__value_remove_member(object, member);
    }
}

/*
 * The result nests no deeper than the deeper of the two: what is put somewhere
 * was as deep in `patch`.
 */
static bool merge(stet_doc *d, stet_value *state, const stet_value *patch)
{
    merge_level stack[STET_JSON_DEPTH_MAX] = {{.into = state, .from = patch}};
    uint32_t depth = 1;
    while (depth > 0) {
        merge_level *top = &stack[depth - 1];
        stet_value *member = stet__value_next(top->from, &top->at);
        if (member == NULL) {
            depth--;
        } else if (member->kind == STET_VALUE_NULL) {
            remove_named(top->into, member->name);
        } else if (member->kind == STET_VALUE_OBJECT) {
            STET_ASSERT(depth < STET_JSON_DEPTH_MAX);
            stet_value *into = object_at(d, top->into, member->name);
            if (into == NULL) {
                return false;
            }
            stack[depth++] = (merge_level){.into = into, .from = member};
        } else if (!stet__value_put(d, top->into, member)) {
            return false;
        }
    }
    return true;
}

static bool assign(stet_doc *d, stet_value *state, const stet_value *payload)
{
    uint32_t at = 0;
    stet_value *member = NULL;
    while ((member = stet__value_next(payload, &at)) != NULL) {
        if (!stet__value_put(d, state, member)) {
            return false;
        }
    }
    return true;
}

static stet_status patch(stet_folder *f, const stet_value *payload,
                         stet_error *err)
{
    stet_value *root = f->state;
    stet_status st = stet__patch_apply(&f->doc, &root, payload, err);
    if (st == STET_OK && root->kind != STET_VALUE_OBJECT) {
        return stet__fail(err, STET_E_INVALID, 0,
                          "the result is not a json object");
    }
    if (st == STET_OK) {
        f->state = root;
    }
    return st;
}

/* The folder. */

static void folder_init(stet_folder *f, const stet_allocator *a)
{
    f->alloc = a;
    f->state = NULL;
    stet__doc_init(&f->doc, a);
}

stet_status stet__folder_create(const stet_allocator *a, stet_folder **out,
                                stet_error *err)
{
    stet_folder *f = stet__alloc(a, sizeof *f);
    if (f == NULL) {
        return fail_nomem(err);
    }
    folder_init(f, a);
    *out = f;
    return STET_OK;
}

void stet__folder_destroy(stet_folder *f)
{
    if (f != NULL) {
        stet__doc_deinit(&f->doc);
        stet__free(f->alloc, f, sizeof *f);
    }
}

static stet_status read_object(stet_doc *d, stet_slice text, size_t values_max,
                               stet_value **out, stet_error *err)
{
    stet_value *v = NULL;
    stet_status st = stet__json_read(d, text, values_max, &v, err);
    if (st == STET_OK && v->kind != STET_VALUE_OBJECT) {
        return stet__fail(err, STET_E_INVALID, 0, "not a json object");
    }
    if (st == STET_OK) {
        *out = v;
    }
    return st;
}

stet_status stet__folder_load(stet_folder *f, stet_slice state, stet_error *err)
{
    f->state = NULL;
    stet__doc_reset(&f->doc);
    if (state.len == 0) {
        f->state = stet__value_new(&f->doc, STET_VALUE_OBJECT);
        return f->state == NULL ? fail_nomem(err) : STET_OK;
    }
    stet_status st = read_object(&f->doc, state, SIZE_MAX, &f->state, err);
    return st == STET_OK ? st : stet__wrap(err, st, "state");
}

static stet_status apply(stet_folder *f, stet_reducer reducer,
                         stet_slice payload, stet_error *err)
{
    stet_value *v = NULL;
    stet_doc *d = &f->doc;
    if (reducer == STET_REDUCER_PATCH) {
        stet_status st =
            stet__json_read(d, payload, STET_JSON_VALUES_MAX, &v, err);
        return st == STET_OK ? patch(f, v, err) : st;
    }
    STET_ASSERT(reducer == STET_REDUCER_MERGE ||
                reducer == STET_REDUCER_ASSIGN);
    stet_status st = read_object(d, payload, STET_JSON_VALUES_MAX, &v, err);
    if (st != STET_OK) {
        return st;
    }
    bool is_done = reducer == STET_REDUCER_MERGE ? merge(d, f->state, v)
                                                 : assign(d, f->state, v);
    return is_done ? STET_OK : fail_nomem(err);
}

stet_status stet__folder_apply(stet_folder *f, stet_reducer reducer,
                               stet_slice payload, stet_error *err)
{
    STET_ASSERT(f->state != NULL);
    stet_status st = apply(f, reducer, payload, err);
    if (st != STET_OK) {
        f->state = NULL;
        return stet__wrap(err, st, "payload");
    }
    return STET_OK;
}

stet_status stet__folder_write(const stet_folder *f, stet_buf *out,
                               stet_error *err)
{
    STET_ASSERT(f->state != NULL);
    STET_ASSERT(!out->is_failed);
    size_t len = out->len;
    stet__json_write(f->state, out);
    if (out->is_failed) {
        out->len = len;
        out->is_failed = false;
        return fail_nomem(err);
    }
    return STET_OK;
}

static stet_status fold_once(const stet_allocator *a, stet_reducer reducer,
                             stet_slice state, stet_slice payload,
                             stet_buf *out, stet_error *err)
{
    stet_folder f;
    folder_init(&f, a);
    stet_status st = stet__folder_load(&f, state, err);
    if (st == STET_OK) {
        st = stet__folder_apply(&f, reducer, payload, err);
    }
    if (st == STET_OK) {
        st = stet__folder_write(&f, out, err);
    }
    stet__doc_deinit(&f.doc);
    return st;
}

stet_status stet__fold_merge(const stet_allocator *a, stet_slice state,
                             stet_slice payload, stet_buf *out, stet_error *err)
{
    return fold_once(a, STET_REDUCER_MERGE, state, payload, out, err);
}

stet_status stet__fold_assign(const stet_allocator *a, stet_slice state,
                              stet_slice payload, stet_buf *out,
                              stet_error *err)
{
    return fold_once(a, STET_REDUCER_ASSIGN, state, payload, out, err);
}

stet_status stet__fold_patch(const stet_allocator *a, stet_slice state,
                             stet_slice payload, stet_buf *out, stet_error *err)
{
    return fold_once(a, STET_REDUCER_PATCH, state, payload, out, err);
}
