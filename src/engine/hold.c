#include "engine/hold.h"

#include "base/bytes.h"
#include "base/error.h"
#include "core/image.h"
#include "engine/load.h"
#include "engine/own.h"

enum { PREFIX_BYTES = 1 };

static stet_hold hold_of(const stet_own *own)
{
    const char *id = own->id.ptr;
    return (stet_hold){
        .name = stet_slice_of(id + PREFIX_BYTES, own->id.len - PREFIX_BYTES),
        .state_machine_id = stet__own_string(own->content, "id"),
        .created_at = own->state->created_at,
        .ns = (uint8_t)stet__own_number(own->content, "ns"),
    };
}

/* ---- looking ---- */

typedef struct visit {
    stet_hold_fn fn;
    void *ctx;
} visit;

static stet_status visit_hold(void *ctx, const stet_own *own, stet_error *err)
{
    const visit *v = ctx;
    stet_hold hold = hold_of(own);
    return v->fn(v->ctx, &hold, err);
}

stet_status stet__holds_each(stet *s, stet_hold_fn fn, void *ctx,
                             stet_error *err)
{
    visit v = {fn, ctx};
    return stet__own_each(s, stet_str("h"), visit_hold, &v, err);
}

/* ---- setting ---- */

static stet_status check(stet *s, stet_slice name, stet_machine_key key,
                         stet_error *err)
{
    stet_at newest = {0};
    stet_point head = {0};
    stet_status st = stet__own_name_check("hold", name, err);
    if (st == STET_OK && s->log->ops->retain == NULL) {
        st = stet__fail(err, STET_E_UNSUPPORTED, 0, "a %s store drops nothing",
                        s->log->ops->name);
    }
    if (st != STET_OK || key.id.len == 0) {
        return st;
    }
    st = stet__id_check(key.id, key.ns, err);
    return st == STET_OK
               ? stet__find_point(s, key, &newest,
                                  stet__watermark(&s->pipeline), &head, err)
               : st;
}

/* Write or delete the machine that a hold is. */
static stet_status commit(stet *s, stet_slice name, stet_change *change,
                          stet_error *err)
{
    stet_buf id;
    stet__buf_init(&id, &s->alloc);
    stet__buf_put_str(&id, "h");
    stet__buf_put_slice(&id, name);
    change->id = stet__buf_slice(&id);
    change->ns = STET_STORE_NAMESPACE;
    stet_batch batch = {.changes = change, .change_count = 1};
    stet_status st = id.is_failed ? stet__fail(err, STET_E_NOMEM, 0, "hold")
                                  : stet__commit(s, &batch, NULL, NULL, err);
    stet__buf_deinit(&id);
    return st;
}

stet_status stet_hold_set(stet *s, stet_slice name, stet_slice id, uint8_t ns,
                          stet_error *err)
{
    stet__error_reset(err);
    stet_buf json;
    stet_status st = check(s, name, (stet_machine_key){id, ns}, err);
    if (st != STET_OK) {
        return st;
    }
    stet__buf_init(&json, &s->alloc);
    stet__buf_printf(&json, "{\"ns\":%u,\"id\":", ns);
    stet__json_write_string(id, &json);
    stet__buf_put_str(&json, "}");
    stet_change change = {.verb = STET_VERB_CREATE,
                          .payload = stet__buf_slice(&json)};
    st = json.is_failed ? stet__fail(err, STET_E_NOMEM, 0, "hold")
                        : commit(s, name, &change, err);
    stet__buf_deinit(&json);
    return st == STET_E_EXISTS ? stet__fail(err, st, 0, "hold %s is taken",
                                            stet__id_text(name).text)
                               : st;
}

stet_status stet_hold_release(stet *s, stet_slice name, stet_error *err)
{
    stet__error_reset(err);
    stet_change change = {.verb = STET_VERB_DELETE};
    stet_status st = stet__own_name_check("hold", name, err);
    if (st == STET_OK) {
        st = commit(s, name, &change, err);
    }
    return st == STET_E_NOT_FOUND
               ? stet__fail(err, st, 0, "no hold %s", stet__id_text(name).text)
               : st;
}

/* ---- listing ---- */

struct stet_holds {
    stet *s;
    stet_own_list own;
    stet_buf name;
    stet_buf id;
    stet_hold lent;
};

stet_status stet_holds_open(stet *s, stet_holds **out, stet_error *err)
{
    stet__error_reset(err);
    stet_holds *list = stet__alloc_zeroed(&s->alloc, 1, sizeof(*list));
    if (list == NULL) {
        return stet__fail(err, STET_E_NOMEM, 0, "list of holds");
    }
    list->s = s;
    stet__buf_init(&list->name, &s->alloc);
    stet__buf_init(&list->id, &s->alloc);
    stet_status st = stet__own_list_open(s, stet_str("h"), &list->own, err);
    if (st != STET_OK) {
        stet_holds_close(list);
        return st;
    }
    *out = list;
    return STET_OK;
}

static stet_status lend(void *ctx, const stet_own *own, stet_error *err)
{
    stet_holds *list = ctx;
    list->lent = hold_of(own);
    stet__buf_reset(&list->name);
    stet__buf_reset(&list->id);
    stet__buf_put_slice(&list->name, list->lent.name);
    stet__buf_put_slice(&list->id, list->lent.state_machine_id);
    list->lent.name = stet__buf_slice(&list->name);
    list->lent.state_machine_id = stet__buf_slice(&list->id);
    return list->name.is_failed || list->id.is_failed
               ? stet__fail(err, STET_E_NOMEM, 0, "list of holds")
               : STET_OK;
}

stet_status stet_holds_next(stet_holds *list, const stet_hold **out,
                            stet_error *err)
{
    stet_status st = stet__own_list_next(&list->own, lend, list, err);
    if (st == STET_OK) {
        *out = &list->lent;
    }
    return st;
}

void stet_holds_close(stet_holds *list)
{
    if (list == NULL) {
        return;
    }
    stet *s = list->s;
    stet__own_list_close(&list->own);
    stet__buf_deinit(&list->name);
    stet__buf_deinit(&list->id);
    stet__free(&s->alloc, list, sizeof(*list));
}
