#include "engine/checkpoint.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <stet/checkpoint.h>

#include "base/error.h"
#include "base/timetext.h"
#include "base/utf8.h"
#include "core/json.h"
#include "core/record.h"
#include "engine/load.h"
#include "engine/options.h"
#include "engine/own.h"

/* Looks for what a checkpoint names while settling drops it. */
enum { PIN_TRIES = 8 };

/* ---- names ---- */

/*
 * The id of a checkpoint, or with an empty name what all of a machine's share.
 */
static void put_id(stet_buf *out, stet_slice id, uint8_t ns, stet_slice name)
{
    if (id.len == 0) {
        stet__buf_put_str(out, "s");
    } else {
        stet__buf_printf(out, "c%02x", ns);
        stet__buf_put_slice(out, id);
        stet__buf_put_u8(out, 0);
    }
    stet__buf_put_slice(out, name);
}

/* ---- content ---- */

typedef struct content {
    uint64_t seq;
    uint64_t position;
    uint64_t history_size;
} content;

static void put_content(stet_buf *out, const content *c, stet_slice metadata)
{
    stet__buf_printf(out,
                     "{\"seq\":%" PRIu64 ",\"position\":%" PRIu64
                     ",\"history_size\":%" PRIu64,
                     c->seq, c->position, c->history_size);
    if (metadata.len > 0) {
        stet__buf_put_str(out, ",\"metadata\":");
        stet__buf_put_slice(out, metadata);
    }
    stet__buf_put_str(out, "}");
}

static stet_status get_content(stet *s, stet_slice json, content *out,
                               stet_buf *out_metadata, stet_error *err)
{
    stet_doc doc;
    stet__doc_init(&doc, &s->alloc);
    stet_value *v = NULL;
    stet_status st = stet__json_read(&doc, json, STET_JSON_VALUES_MAX, &v, err);
    if (st == STET_OK) {
        out->seq = stet__own_number(v, "seq");
        out->position = stet__own_number(v, "position");
        out->history_size = stet__own_number(v, "history_size");
        const stet_value *m = stet__value_member(v, stet_str("metadata"));
        if (m != NULL && out_metadata != NULL) {
            stet__json_write(m, out_metadata);
        }
    }
    stet__doc_deinit(&doc);
    return st;
}

/* ---- resolving ---- */

static stet_status load_content(stet *s, stet_slice id, uint8_t ns,
                                stet_slice name, content *out, stet_error *err)
{
    stet_buf full;
    stet__buf_init(&full, &s->alloc);
    put_id(&full, id, ns, name);
    stet_box *box = NULL;
    stet_at newest = {0};
    stet_status st =
        full.is_failed
            ? stet__fail(err, STET_E_NOMEM, 0, "checkpoint")
            : stet__load(s, stet__own_key(&full), &newest, &box, err);
    if (st == STET_OK) {
        st = get_content(s, box->view.state_data, out, NULL, err);
    }
    stet__box_unref(box);
    stet__buf_deinit(&full);
    return st;
}

static stet_status no_such(stet_slice id, stet_slice name, stet_error *err)
{
    if (id.len == 0) {
        return stet__fail(err, STET_E_NOT_FOUND, 0,
                          "the store has no checkpoint %.*s", (int)name.len,
                          (const char *)name.ptr);
    }
    return stet__fail(err, STET_E_NOT_FOUND, 0, "%s has no checkpoint %.*s",
                      stet__id_text(id).text, (int)name.len,
                      (const char *)name.ptr);
}

stet_status stet__checkpoint_resolve(stet *s, stet_machine_key key,
                                     stet_slice name, stet_at *out,
                                     stet_error *err)
{
    content c = {0};
    stet_status st = stet__own_name_check("checkpoint", name, err);
    if (st != STET_OK) {
        return st;
    }
    st = load_content(s, key.id, key.ns, name, &c, err);
    if (st == STET_OK) {
        *out = (stet_at){.kind = STET_AT_SEQ, .seq = c.seq};
        return STET_OK;
    }
    if (st == STET_E_NOT_FOUND) {
        stet_slice whole = {NULL, 0};
        st = load_content(s, whole, 0, name, &c, err);
        *out = (stet_at){.kind = STET_AT_POSITION, .seq = c.position};
    }
    return st == STET_E_NOT_FOUND ? no_such(key.id, name, err) : st;
}

/* ---- setting ---- */

/* What the checkpoint names: a seq of the machine, or a cut of the store. */
static stet_status find_content(stet *s, stet_slice id,
                                const stet_checkpoint_opts *o, content *out,
                                stet_error *err)
{
    uint64_t watermark = stet__watermark(&s->pipeline);
    if (id.len == 0) {
        uint64_t end = watermark - 1;
        if (o->at.kind == STET_AT_POSITION && o->at.seq <= end) {
            end = o->at.seq;
        } else if (o->at.kind == STET_AT_RECORDED) {
            stet_status st = s->log->ops->at_recorded(s->log, o->at.time,
                                                      watermark, &end, err);
            if (st != STET_OK) {
                return st;
            }
        } else if (o->at.kind != STET_AT_NEWEST) {
            return stet__fail(err, STET_E_INVALID, 0,
                              "a cut of the whole store is at a position up to "
                              "%" PRIu64 " or at a recorded time",
                              end);
        }
        *out = (content){.position = end, .history_size = end};
        return STET_OK;
    }
    stet_point point = {0};
    stet_machine_key key = {id, o->ns};
    stet_status st = stet__find_alive(s, key, &o->at, watermark, &point, err);
    if (st == STET_OK) {
        *out = (content){point.seq, point.position, point.seq};
    }
    return st;
}

static stet_status settle_name(stet *s, stet_slice given,
                               stet_checkpoint_name *out, stet_error *err)
{
    if (given.len > 0) {
        stet_status st = stet__own_name_check("checkpoint", given, err);
        if (st == STET_OK) {
            memcpy(out->text, given.ptr, given.len);
            out->text[given.len] = '\0';
        }
        return st;
    }
    char now[STET_TIME_TEXT_MAX];
    stet__time_format(s->os->now(s->os), now);
    (void)snprintf(out->text, sizeof(out->text), "checkpoint_%s", now);
    return STET_OK;
}

/* Metadata becomes a part of the checkpoint's own state: JSON there, too. */
static stet_status check_metadata(stet *s, stet_slice metadata, stet_error *err)
{
    const content nowhere = {0};
    stet_json_kind kind = STET_JSON_OTHER;
    stet_status st = stet__json_check(&s->alloc, metadata, &kind, err);
    if (st == STET_OK) {
        stet_buf whole;
        stet__buf_init(&whole, &s->alloc);
        put_content(&whole, &nowhere, metadata);
        st = whole.is_failed
                 ? stet__fail(err, STET_E_NOMEM, 0, "checkpoint")
                 : stet__json_check(&s->alloc, stet__buf_slice(&whole), &kind,
                                    err);
        stet__buf_deinit(&whole);
    }
    return st == STET_OK ? st : stet__wrap(err, st, "metadata");
}

static stet_status check_opts(stet *s, stet_slice id,
                              const stet_checkpoint_opts *o, stet_error *err)
{
    if (o->metadata.len > 0) {
        stet_status st = check_metadata(s, o->metadata, err);
        if (st != STET_OK) {
            return st;
        }
    }
    return id.len == 0 ? STET_OK : stet__id_check(id, o->ns, err);
}

/* Write the checkpoint's event, unless what it names may have gone since. */
static stet_status write_checkpoint(stet *s, stet_slice id,
                                    const stet_checkpoint_opts *o,
                                    const content *c, uint64_t cuts_seen,
                                    stet_error *err)
{
    stet_buf full;
    stet_buf json;
    stet__buf_init(&full, &s->alloc);
    stet__buf_init(&json, &s->alloc);
    put_id(&full, id, o->ns, o->name);
    put_content(&json, c, o->metadata);
    stet_change change = {.verb = STET_VERB_SAVE,
                          .ns = STET_STORE_NAMESPACE,
                          .id = stet__buf_slice(&full),
                          .payload = stet__buf_slice(&json)};
    change.expect.kind = o->is_replace ? STET_EXPECT_ANY : STET_EXPECT_NONE;
    stet_batch batch = {.changes = &change, .change_count = 1};
    stet_status st = full.is_failed || json.is_failed
                         ? stet__fail(err, STET_E_NOMEM, 0, "checkpoint")
                         : stet__commit_pin(s, &batch, cuts_seen, err);
    stet__buf_deinit(&full);
    stet__buf_deinit(&json);
    return st;
}

/* Find what it names and write it, again while that may be going. */
static stet_status pin_content(stet *s, stet_slice id,
                               const stet_checkpoint_opts *o, stet_error *err)
{
    content c = {0};
    stet_status st = STET_E_BUSY;
    for (int tries = 0; st == STET_E_BUSY && tries < PIN_TRIES; tries++) {
        stet__error_reset(err);
        /* Acquire: what is found from here on is what those cuts left. */
        uint64_t seen =
            atomic_load_explicit(&s->pins.cuts, memory_order_acquire);
        st = find_content(s, id, o, &c, err);
        if (st == STET_OK) {
            st = write_checkpoint(s, id, o, &c, seen, err);
        }
    }
    return st;
}

stet_status stet_checkpoint_set(stet *s, stet_slice id,
                                const stet_checkpoint_opts *opts,
                                stet_checkpoint_name *out_name, stet_error *err)
{
    stet__error_reset(err);
    stet_checkpoint_opts o;
    stet_checkpoint_name name = {{0}};
    stet_status st = stet__options_copy(opts, sizeof(o), &o, err);
    if (st == STET_OK) {
        st = check_opts(s, id, &o, err);
    }
    if (st == STET_OK) {
        st = settle_name(s, o.name, &name, err);
    }
    if (st == STET_OK) {
        o.name = stet_str(name.text);
        st = pin_content(s, id, &o, err);
    }
    if (st == STET_E_EXISTS) {
        st = stet__fail(err, STET_E_EXISTS, 0,
                        "checkpoint %s is taken; replace it, or choose "
                        "another name",
                        name.text);
    }
    if (st == STET_OK && out_name != NULL) {
        *out_name = name;
    }
    return st;
}

stet_status stet_checkpoint_delete(stet *s, stet_slice id, uint8_t ns,
                                   stet_slice name, stet_error *err)
{
    stet__error_reset(err);
    stet_status st = stet__own_name_check("checkpoint", name, err);
    if (st == STET_OK && id.len > 0) {
        st = stet__id_check(id, ns, err);
    }
    if (st != STET_OK) {
        return st;
    }
    stet_buf full;
    stet__buf_init(&full, &s->alloc);
    put_id(&full, id, ns, name);
    stet_change change = {.verb = STET_VERB_DELETE,
                          .ns = STET_STORE_NAMESPACE,
                          .id = stet__buf_slice(&full)};
    stet_batch batch = {.changes = &change, .change_count = 1};
    st = full.is_failed ? stet__fail(err, STET_E_NOMEM, 0, "checkpoint")
                        : stet__commit(s, &batch, NULL, NULL, err);
    stet__buf_deinit(&full);
    return st == STET_E_NOT_FOUND ? no_such(id, name, err) : st;
}

stet_status stet_checkpoint_restore(stet *s, stet_slice id, stet_slice name,
                                    const stet_write_opts *opts,
                                    stet_written *out, stet_error *err)
{
    stet__error_reset(err);
    stet_write_opts o = {0};
    stet_status st = stet__write_opts_check(opts, err);
    if (st == STET_OK && opts != NULL) {
        o = *opts;
    }
    stet_read_opts at = {.ns = o.more.ns};
    at.at.kind = STET_AT_CHECKPOINT;
    at.at.name = name;
    const stet_state *state = NULL;
    if (st == STET_OK) {
        st = stet_load(s, id, &at, &state, err);
    }
    if (st != STET_OK) {
        return st;
    }
    o.more.to_state = state->current_state;
    o.more.state_type = state->state_type;
    o.more.version = state->version;
    o.more.machine_metadata = state->metadata;
    stet_change what = {
        .verb = STET_VERB_RESTORE, .id = id, .payload = state->state_data};
    st = stet__write_one(s, &what, &o, out, err);
    stet_state_release(state);
    return st;
}

/* ---- listing ---- */

struct stet_checkpoints {
    stet *s;
    stet_log_cursor *heads;
    stet_buf prefix;
    stet_buf metadata;
    stet_buf id;
    stet_box *box; /* of the one lent */
    stet_slice machine;
    uint8_t ns;
    stet_checkpoint lent;
};

void stet_checkpoints_close(stet_checkpoints *list)
{
    if (list == NULL) {
        return;
    }
    stet *s = list->s;
    if (list->heads != NULL) {
        s->log->ops->heads_close(list->heads);
    }
    stet__box_unref(list->box);
    stet__buf_deinit(&list->prefix);
    stet__buf_deinit(&list->metadata);
    stet__buf_deinit(&list->id);
    stet__free(&s->alloc, list, sizeof(*list));
}

stet_status stet_checkpoints_open(stet *s, stet_slice id, uint8_t ns,
                                  stet_checkpoints **out, stet_error *err)
{
    stet__error_reset(err);
    if (id.len > 0) {
        stet_status st = stet__id_check(id, ns, err);
        if (st != STET_OK) {
            return st;
        }
    }
    stet_checkpoints *list =
        stet__alloc_zeroed(&s->alloc, 1, sizeof(stet_checkpoints));
    if (list == NULL) {
        return stet__fail(err, STET_E_NOMEM, 0, "list of checkpoints");
    }
    list->s = s;
    list->ns = ns;
    stet__buf_init(&list->prefix, &s->alloc);
    stet__buf_init(&list->metadata, &s->alloc);
    stet__buf_init(&list->id, &s->alloc);
    put_id(&list->prefix, id, ns, (stet_slice){NULL, 0});
    stet__buf_put_slice(&list->id, id);
    list->machine = stet__buf_slice(&list->id);
    stet_heads_range range = {.ns = STET_STORE_NAMESPACE,
                              .prefix = stet__buf_slice(&list->prefix),
                              .below = stet__watermark(&s->pipeline)};
    stet_status st =
        list->prefix.is_failed || list->id.is_failed
            ? stet__fail(err, STET_E_NOMEM, 0, "list of checkpoints")
            : s->log->ops->heads_open(s->log, &range, &list->heads, err);
    if (st != STET_OK) {
        stet_checkpoints_close(list);
        return st;
    }
    *out = list;
    return STET_OK;
}

static stet_status lend(stet_checkpoints *list, stet_error *err)
{
    const stet_state *v = &list->box->view;
    content c = {0};
    stet__buf_reset(&list->metadata);
    stet_status st =
        get_content(list->s, v->state_data, &c, &list->metadata, err);
    if (st != STET_OK) {
        return st;
    }
    stet_slice id = v->state_machine_id;
    size_t skip = list->prefix.len;
    list->lent = (stet_checkpoint){
        .name = stet_slice_of((const char *)id.ptr + skip, id.len - skip),
        .state_machine_id = list->machine,
        .metadata = stet__buf_slice(&list->metadata),
        .turn_number = c.seq,
        .history_size = c.history_size,
        .position = c.position,
        .created_at = v->updated_at,
        .ns = list->ns,
    };
    return STET_OK;
}

stet_status stet_checkpoints_next(stet_checkpoints *list,
                                  const stet_checkpoint **out, stet_error *err)
{
    stet__error_reset(err);
    stet__box_unref(list->box);
    list->box = NULL;
    stet_head_entry entry = {0};
    stet_status st = STET_OK;
    do {
        st = list->s->log->ops->heads_next(list->heads, &entry, err);
    } while (st == STET_OK && entry.is_deleted);
    if (st != STET_OK) {
        return st;
    }
    stet_at at = {.kind = STET_AT_SEQ, .seq = entry.seq};
    st = stet__load(list->s, entry.key, &at, &list->box, err);
    if (st == STET_OK) {
        st = lend(list, err);
    }
    if (st == STET_OK) {
        *out = &list->lent;
    }
    return st;
}

/* ---- forks ---- */

stet_status stet_fork(stet *s, stet_slice parent, stet_slice id,
                      const stet_fork_opts *opts, stet_written *out,
                      stet_error *err)
{
    stet__error_reset(err);
    const stet_fork_opts none = {0};
    const stet_fork_opts *o = opts == NULL ? &none : opts;
    if (o->struct_size != 0 && o->struct_size != sizeof(*o)) {
        return stet__fail(err, STET_E_UNSUPPORTED, 0,
                          "fork options of another size than this library's");
    }
    const stet_read_opts given = {.at = o->at, .ns = o->write.more.ns};
    stet_read_opts at;
    stet_status st = stet__read_opts(&given, &at, err);
    if (st == STET_OK) {
        st = stet__id_check(parent, at.ns, err);
    }
    if (st != STET_OK) {
        return st;
    }
    stet_point point = {0};
    stet_change what = {.verb = STET_VERB_FORK, .id = id, .parent = parent};
    st = stet__find_point(s, (stet_machine_key){parent, at.ns}, &at.at,
                          stet__watermark(&s->pipeline), &point, err);
    if (st == STET_E_NOT_FOUND && o->write.key.len > 0) {
        /* Gone since the first call, maybe: no event is at seq 0. */
        stet_error repeat_err = {0};
        stet_status repeated =
            stet__write_fork(s, &what, &at.at, &o->write, out, &repeat_err);
        if (repeated != STET_E_NOT_FOUND) {
            if (err != NULL) {
                *err = repeat_err;
            }
            st = repeated;
        }
        return st;
    }
    if (st != STET_OK) {
        return st;
    }
    what.parent_seq = point.seq;
    return stet__write_fork(s, &what, &at.at, &o->write, out, err);
}
