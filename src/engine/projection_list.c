/* Projections from outside: loading, listing, deleting. */
#include "base/error.h"
#include "core/json.h"
#include "core/record.h"
#include "engine/lease.h"
#include "engine/load.h"
#include "engine/own.h"
#include "engine/projection.h"

void stet__projection_put_id(stet_buf *out, char letter, stet_slice name)
{
    stet__buf_put(out, &letter, 1);
    stet__buf_put_slice(out, name);
}

stet_status stet__projected_visit(stet *s, stet_slice id, stet_projected_fn fn,
                                  void *ctx, stet_error *err)
{
    stet_box *box = NULL;
    stet_at newest = {0};
    stet_value *v = NULL;
    stet_doc doc;
    stet_machine_key key = {id, STET_STORE_NAMESPACE};
    stet_status st = stet__load(s, key, &newest, &box, err);
    if (st != STET_OK) {
        return st;
    }
    stet__doc_init(&doc, &s->alloc);
    st = stet__json_read(&doc, box->view.metadata, STET_JSON_VALUES_MAX, &v,
                         err);
    if (st == STET_OK) {
        stet_projected made = {
            .pattern = stet__own_string(v, "pattern"),
            .position = stet__own_number(v, "position"),
            .version = (uint32_t)stet__own_number(v, "version"),
            .kinds = (uint32_t)stet__own_number(v, "kinds"),
            .ns = (uint8_t)stet__own_number(v, "ns"),
            .ns_last = (uint8_t)stet__own_number(v, "ns_last"),
        };
        st = fn(ctx, &made, &box->view, err);
    }
    stet__doc_deinit(&doc);
    stet__box_unref(box);
    return st;
}

/* ---- loading ---- */

/* What is learned of one. */
typedef struct learned {
    stet *s;
    stet_projection_info info;
    const stet_state *state; /* referenced */
} learned;

static stet_status learn_current(void *ctx, const stet_projected *made,
                                 const stet_state *state, stet_error *err)
{
    (void)err;
    learned *l = ctx;
    l->info.position = made->position;
    l->info.positions_behind =
        stet__watermark(&l->s->pipeline) - 1 - made->position;
    l->info.version = made->version;
    l->info.updated_at = state->updated_at;
    l->state = stet_state_ref(state);
    return STET_OK;
}

static stet_status learn_rebuild(void *ctx, const stet_projected *made,
                                 const stet_state *state, stet_error *err)
{
    (void)state;
    (void)err;
    learned *l = ctx;
    l->info.rebuild_position = made->position;
    l->info.rebuild_version = made->version;
    return STET_OK;
}

static stet_status visit(stet *s, char letter, stet_slice name,
                         stet_projected_fn fn, void *ctx, stet_error *err)
{
    stet_buf id;
    stet__buf_init(&id, &s->alloc);
    stet__projection_put_id(&id, letter, name);
    stet_status st =
        id.is_failed
            ? stet__fail(err, STET_E_NOMEM, 0, "projection")
            : stet__projected_visit(s, stet__buf_slice(&id), fn, ctx, err);
    stet__buf_deinit(&id);
    return st;
}

/* Learn of one, whose state the caller releases. */
static stet_status learn(stet *s, stet_slice name, learned *out,
                         stet_error *err)
{
    *out = (learned){.s = s, .info.name = name};
    stet_status st = visit(s, 'p', name, learn_current, out, err);
    if (st != STET_OK) {
        return st;
    }
    st = visit(s, 'r', name, learn_rebuild, out, err);
    if (st == STET_E_NOT_FOUND) {
        stet__error_reset(err);
        st = STET_OK;
    }
    if (st != STET_OK) {
        stet_state_release(out->state);
    }
    return st;
}

static stet_status no_such(stet_slice name, stet_error *err)
{
    return stet__fail(err, STET_E_NOT_FOUND, 0, "no projection %s",
                      stet__id_text(name).text);
}

stet_status stet_projection_load(stet *s, stet_slice name,
                                 const stet_state **out,
                                 stet_projection_info *info, stet_error *err)
{
    stet__error_reset(err);
    learned l;
    stet_status st = stet__own_name_check("projection", name, err);
    if (st == STET_OK) {
        st = learn(s, name, &l, err);
    }
    if (st != STET_OK) {
        return st == STET_E_NOT_FOUND ? no_such(name, err) : st;
    }
    *out = l.state;
    if (info != NULL) {
        *info = l.info;
    }
    return STET_OK;
}

/* ---- deleting ---- */

static stet_status erase_both(stet *s, stet_slice id, stet_slice new_id,
                              stet_error *err)
{
    stet_change changes[2] = {
        {.verb = STET_VERB_DELETE, .ns = STET_STORE_NAMESPACE, .id = id},
        {.verb = STET_VERB_DELETE, .ns = STET_STORE_NAMESPACE, .id = new_id},
    };
    learned l = {.s = s};
    stet_status st = stet__projected_visit(s, new_id, learn_rebuild, &l, err);
    if (st != STET_OK && st != STET_E_NOT_FOUND) {
        return st;
    }
    stet__error_reset(err);
    stet_batch batch = {.changes = changes,
                        .change_count = st == STET_OK ? 2 : 1};
    return stet__commit(s, &batch, NULL, NULL, err);
}

stet_status stet_projection_delete(stet *s, stet_slice name, stet_error *err)
{
    stet__error_reset(err);
    stet_status st = stet__own_name_check("projection", name, err);
    if (st != STET_OK) {
        return st;
    }
    stet_lease lease = {0};
    stet_buf id;
    stet_buf new_id;
    stet__buf_init(&id, &s->alloc);
    stet__buf_init(&new_id, &s->alloc);
    stet__projection_put_id(&id, 'p', name);
    stet__projection_put_id(&new_id, 'r', name);
    st = id.is_failed || new_id.is_failed
             ? stet__fail(err, STET_E_NOMEM, 0, "projection")
             : stet__lease_take(s, &lease, stet__buf_slice(&id), "projection",
                                err);
    if (st == STET_OK) {
        st = erase_both(s, stet__buf_slice(&id), stet__buf_slice(&new_id), err);
    }
    stet__lease_give(s, &lease);
    stet__buf_deinit(&id);
    stet__buf_deinit(&new_id);
    return st == STET_E_NOT_FOUND ? no_such(name, err) : st;
}

/* ---- listing ---- */

struct stet_projections {
    stet *s;
    stet_own_list own;
    stet_buf name; /* that `lent` has */
    stet_projection_info lent;
};

stet_status stet_projections_open(stet *s, stet_projections **out,
                                  stet_error *err)
{
    stet__error_reset(err);
    stet_projections *list = stet__alloc_zeroed(&s->alloc, 1, sizeof *list);
    if (list == NULL) {
        return stet__fail(err, STET_E_NOMEM, 0, "list of projections");
    }
    list->s = s;
    stet__buf_init(&list->name, &s->alloc);
    stet_status st = stet__own_list_open(s, stet_str("p"), &list->own, err);
    if (st != STET_OK) {
        stet_projections_close(list);
        return st;
    }
    *out = list;
    return STET_OK;
}

stet_status stet_projections_next(stet_projections *list,
                                  const stet_projection_info **out,
                                  stet_error *err)
{
    stet__error_reset(err);
    learned l = {0};
    stet_status st = STET_E_NOT_FOUND;
    while (st == STET_E_NOT_FOUND) { /* deleted meanwhile */
        stet_slice id = {NULL, 0};
        stet__error_reset(err);
        st = stet__own_list_skip(&list->own, &id, err);
        if (st != STET_OK) {
            return st;
        }
        stet__buf_reset(&list->name);
        stet__buf_put(&list->name, (const char *)id.ptr + 1, id.len - 1);
        st = list->name.is_failed
                 ? stet__fail(err, STET_E_NOMEM, 0, "list of projections")
                 : learn(list->s, stet__buf_slice(&list->name), &l, err);
    }
    if (st == STET_OK) {
        stet_state_release(l.state);
        list->lent = l.info;
        *out = &list->lent;
    }
    return st;
}

void stet_projections_close(stet_projections *list)
{
    if (list == NULL) {
        return;
    }
    stet *s = list->s;
    stet__own_list_close(&list->own);
    stet__buf_deinit(&list->name);
    stet__free(&s->alloc, list, sizeof *list);
}
