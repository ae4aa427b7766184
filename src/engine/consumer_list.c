/* Consumers from outside: what the store keeps of them, and deleting one. */
#include <inttypes.h>

#include "base/error.h"
#include "core/record.h"
#include "engine/consumer.h"
#include "engine/lease.h"
#include "engine/own.h"

enum {
    PREFIX_BYTES = 1,          /* before a consumer's name */
    STET_POSITION_DIGITS = 16, /* behind a parked event's */
};

/* ---- content ---- */

void stet__consumer_put_id(stet_buf *out, stet_slice name)
{
    stet__buf_put_str(out, "n");
    stet__buf_put_slice(out, name);
}

void stet__parked_put_prefix(stet_buf *out, stet_slice name)
{
    stet__buf_put_str(out, "k");
    stet__buf_put_slice(out, name);
    stet__buf_put_u8(out, 0);
}

void stet__parked_put_position(stet_buf *out, uint64_t position)
{
    stet__buf_printf(out, "%016" PRIx64, position);
}

uint64_t stet__parked_position(stet_slice id)
{
    const char *p = id.ptr;
    uint64_t position = 0;
    size_t from =
        id.len < STET_POSITION_DIGITS ? id.len : id.len - STET_POSITION_DIGITS;
    for (size_t i = from; i < id.len; i++) {
        unsigned digit = (unsigned)(p[i] <= '9' ? p[i] - '0' : p[i] - 'a' + 10);
        position = position << 4 | digit;
    }
    return position;
}

stet_consumer_content stet__consumer_content_of(const stet_value *json)
{
    const stet_value *retry = stet__value_member(json, stet_str("retry"));
    stet_consumer_content c = {
        .pattern = stet__own_string(json, "pattern"),
        .kinds = (uint32_t)stet__own_number(json, "kinds"),
        .ns = (uint8_t)stet__own_number(json, "ns"),
        .ns_last = (uint8_t)stet__own_number(json, "ns_last"),
        .place.acked = stet__own_number(json, "acked"),
    };
    if (retry != NULL) {
        c.reason = stet__own_string(retry, "reason");
        c.place.retry = (stet_retry){
            .position = stet__own_number(retry, "position"),
            .due = (int64_t)stet__own_number(retry, "due"),
            .attempts = (uint32_t)stet__own_number(retry, "attempts"),
        };
    }
    return c;
}

stet_feed_opts stet__consumer_feed_of(const stet_consumer_content *c)
{
    bool is_all = c->ns != c->ns_last;
    return (stet_feed_opts){
        .pattern = c->pattern,
        .from_position = c->place.acked + 1,
        .kinds = c->kinds,
        .flags = is_all ? (uint32_t)STET_FEED_ALL_NAMESPACES : 0,
        .ns = c->ns,
    };
}

/* ---- listing ---- */

struct stet_consumers {
    stet *s;
    stet_own_list own; /* without a name */
    stet_buf id;       /* of the one asked for; empty: all, or it was given */
    bool is_one;
    stet_buf texts; /* that `lent` points into */
    stet_consumer_info lent;
};

stet_status stet_consumers_open(stet *s, stet_slice name, stet_consumers **out,
                                stet_error *err)
{
    stet__error_reset(err);
    stet_status st =
        name.len == 0 ? STET_OK : stet__own_name_check("consumer", name, err);
    if (st != STET_OK) {
        return st;
    }
    stet_consumers *list = stet__alloc_zeroed(&s->alloc, 1, sizeof *list);
    if (list == NULL) {
        return stet__fail(err, STET_E_NOMEM, 0, "list of consumers");
    }
    list->s = s;
    list->is_one = name.len > 0;
    stet__buf_init(&list->id, &s->alloc);
    stet__buf_init(&list->texts, &s->alloc);
    stet__consumer_put_id(&list->id, name);
    if (list->id.is_failed) {
        st = stet__fail(err, STET_E_NOMEM, 0, "list of consumers");
    } else if (!list->is_one) {
        st =
            stet__own_list_open(s, stet__buf_slice(&list->id), &list->own, err);
    }
    if (st != STET_OK) {
        stet_consumers_close(list);
        return st;
    }
    *out = list;
    return STET_OK;
}

static stet_status count_parked(stet *s, stet_slice name, uint64_t *out,
                                stet_error *err)
{
    stet_own_list own = {0};
    stet_slice id = {NULL, 0};
    uint64_t count = 0;
    stet_buf prefix;
    stet__buf_init(&prefix, &s->alloc);
    stet__parked_put_prefix(&prefix, name);
    stet_status st =
        prefix.is_failed
            ? stet__fail(err, STET_E_NOMEM, 0, "list of consumers")
            : stet__own_list_open(s, stet__buf_slice(&prefix), &own, err);
    while (st == STET_OK) {
        st = stet__own_list_skip(&own, &id, err);
        count += st == STET_OK ? 1 : 0;
    }
    stet__own_list_close(&own);
    stet__buf_deinit(&prefix);
    *out = count;
    return st == STET_DONE ? STET_OK : st;
}

/* Keep texts in one buffer, where they lie one behind the other. */
static stet_status keep_texts(stet_buf *texts, stet_slice **items, size_t count,
                              stet_error *err)
{
    stet__buf_reset(texts);
    for (size_t i = 0; i < count; i++) {
        stet__buf_put_slice(texts, *items[i]);
    }
    if (texts->is_failed) {
        return stet__fail(err, STET_E_NOMEM, 0, "list");
    }
    const uint8_t *at = texts->ptr;
    for (size_t i = 0; i < count; i++) {
        *items[i] = stet_slice_of(at, items[i]->len);
        at += items[i]->len;
    }
    return STET_OK;
}

static stet_status lend_consumer(void *ctx, const stet_own *own,
                                 stet_error *err)
{
    stet_consumers *list = ctx;
    stet *s = list->s;
    stet_consumer_content c = stet__consumer_content_of(own->content);
    stet_consumer_info info = {
        .name = stet_slice_of((const char *)own->id.ptr + PREFIX_BYTES,
                              own->id.len - PREFIX_BYTES),
        .pattern = c.pattern,
        .retry_reason = c.reason,
        .acked_position = c.place.acked,
        .positions_behind = stet__watermark(&s->pipeline) - 1 - c.place.acked,
        .retry_position = c.place.retry.position,
        .retry_due = c.place.retry.due,
        .retry_attempts = c.place.retry.attempts,
        .created_at = own->state->created_at,
        .kinds = c.kinds,
        .ns = c.ns,
        .is_all_namespaces = c.ns != c.ns_last,
    };
    stet_slice *texts[] = {&info.name, &info.pattern, &info.retry_reason};
    stet_status st = keep_texts(&list->texts, texts, 3, err);
    if (st == STET_OK) {
        st = count_parked(s, info.name, &info.parked_count, err);
    }
    if (st == STET_OK) {
        list->lent = info;
    }
    return st;
}

static stet_status next_one(stet_consumers *list, stet_error *err)
{
    stet_status st = STET_DONE;
    if (list->id.len > 0) {
        st = stet__own_visit(list->s, stet__own_key(&list->id), lend_consumer,
                             list, err);
    }
    if (st == STET_OK || st == STET_E_NOT_FOUND) {
        stet__buf_reset(&list->id);
    }
    if (st == STET_E_NOT_FOUND) {
        stet__error_reset(err);
        st = STET_DONE;
    }
    return st;
}

stet_status stet_consumers_next(stet_consumers *list,
                                const stet_consumer_info **out, stet_error *err)
{
    stet__error_reset(err);
    stet_status st =
        list->is_one
            ? next_one(list, err)
            : stet__own_list_next(&list->own, lend_consumer, list, err);
    if (st == STET_OK) {
        *out = &list->lent;
    }
    return st;
}

void stet_consumers_close(stet_consumers *list)
{
    if (list == NULL) {
        return;
    }
    stet *s = list->s;
    stet__own_list_close(&list->own);
    stet__buf_deinit(&list->id);
    stet__buf_deinit(&list->texts);
    stet__free(&s->alloc, list, sizeof *list);
}

/* ---- lag ---- */

/* Have a feed of what a consumer has before it. */
typedef struct lag {
    stet *s;
    stet_feed *feed;
} lag;

static stet_status begin_lag(void *ctx, const stet_own *own, stet_error *err)
{
    lag *l = ctx;
    stet_consumer_content c = stet__consumer_content_of(own->content);
    stet_feed_opts opts = stet__consumer_feed_of(&c);
    return stet_feed_open(l->s, &opts, &l->feed, err);
}

static stet_status no_such(stet_slice name, stet_error *err)
{
    return stet__fail(err, STET_E_NOT_FOUND, 0, "no consumer %s",
                      stet__id_text(name).text);
}

stet_status stet_consumer_lag(stet *s, stet_slice name, uint64_t limit,
                              uint64_t *out_events, stet_error *err)
{
    stet__error_reset(err);
    stet_status st = stet__own_name_check("consumer", name, err);
    if (st != STET_OK) {
        return st;
    }
    lag l = {s, NULL};
    uint64_t events = 0;
    stet_buf id;
    stet__buf_init(&id, &s->alloc);
    stet__consumer_put_id(&id, name);
    st = id.is_failed
             ? stet__fail(err, STET_E_NOMEM, 0, "consumer")
             : stet__own_visit(s, stet__own_key(&id), begin_lag, &l, err);
    stet__buf_deinit(&id);
    if (st == STET_E_NOT_FOUND) {
        return no_such(name, err);
    }
    while (st == STET_OK && (limit == 0 || events < limit)) {
        const stet_event *event = NULL;
        st = stet_feed_next(l.feed, 0, &event, err);
        events += st == STET_OK ? 1 : 0;
    }
    stet_feed_close(l.feed);
    if (st == STET_DONE || st == STET_E_TIMEOUT || st == STET_E_READONLY) {
        stet__error_reset(err); /* it has caught up */
        st = STET_OK;
    }
    if (st == STET_OK) {
        *out_events = events;
    }
    return st;
}

/* ---- deleting ---- */

/* The ids of machines to be deleted, as a batch takes them. */
typedef struct doomed {
    stet_buf ids;     /* one behind the other */
    stet_buf changes; /* of stet_change, without ids; their lengths only */
} doomed;

static void doom(doomed *d, stet_slice id)
{
    stet_change change = {.verb = STET_VERB_DELETE,
                          .ns = STET_STORE_NAMESPACE,
                          .id = {NULL, id.len}};
    stet__buf_put_slice(&d->ids, id);
    stet__buf_put(&d->changes, &change, sizeof change);
}

static stet_status doom_parked(stet *s, stet_slice name, doomed *d,
                               stet_error *err)
{
    stet_own_list own = {0};
    stet_slice id = {NULL, 0};
    stet_buf prefix;
    stet__buf_init(&prefix, &s->alloc);
    stet__parked_put_prefix(&prefix, name);
    stet_status st =
        prefix.is_failed
            ? stet__fail(err, STET_E_NOMEM, 0, "consumer")
            : stet__own_list_open(s, stet__buf_slice(&prefix), &own, err);
    while (st == STET_OK) {
        st = stet__own_list_skip(&own, &id, err);
        if (st == STET_OK) {
            doom(d, id);
        }
    }
    stet__own_list_close(&own);
    stet__buf_deinit(&prefix);
    return st == STET_DONE ? STET_OK : st;
}

static stet_status commit_doomed(stet *s, doomed *d, stet_error *err)
{
    if (d->ids.is_failed || d->changes.is_failed) {
        return stet__fail(err, STET_E_NOMEM, 0, "consumer");
    }
    stet_change *changes = (void *)d->changes.ptr;
    size_t count = d->changes.len / sizeof *changes;
    const uint8_t *at = d->ids.ptr;
    for (size_t i = 0; i < count; i++) {
        changes[i].id.ptr = at;
        at += changes[i].id.len;
    }
    stet_batch batch = {.changes = changes, .change_count = count};
    return stet__commit(s, &batch, NULL, NULL, err);
}

stet_status stet_consumer_delete(stet *s, stet_slice name, stet_error *err)
{
    stet__error_reset(err);
    stet_status st = stet__own_name_check("consumer", name, err);
    if (st != STET_OK) {
        return st;
    }
    stet_lease lease = {0};
    doomed d;
    stet_buf id;
    stet__buf_init(&id, &s->alloc);
    stet__buf_init(&d.ids, &s->alloc);
    stet__buf_init(&d.changes, &s->alloc);
    stet__consumer_put_id(&id, name);
    doom(&d, stet__buf_slice(&id));
    st = id.is_failed ? stet__fail(err, STET_E_NOMEM, 0, "consumer")
                      : stet__lease_take(s, &lease, stet__buf_slice(&id),
                                         "consumer", err);
    if (st == STET_OK) {
        st = doom_parked(s, name, &d, err);
    }
    if (st == STET_OK) {
        st = commit_doomed(s, &d, err);
    }
    stet__lease_give(s, &lease);
    stet__buf_deinit(&id);
    stet__buf_deinit(&d.ids);
    stet__buf_deinit(&d.changes);
    return st == STET_E_NOT_FOUND ? no_such(name, err) : st;
}

/* ---- what is parked ---- */

struct stet_parkeds {
    stet *s;
    stet_own_list own;
    stet_buf texts; /* that `lent` points into */
    stet_parked lent;
};

stet_status stet_parkeds_open(stet *s, stet_slice name, stet_parkeds **out,
                              stet_error *err)
{
    stet__error_reset(err);
    stet_status st = stet__own_name_check("consumer", name, err);
    if (st != STET_OK) {
        return st;
    }
    stet_parkeds *list = stet__alloc_zeroed(&s->alloc, 1, sizeof *list);
    if (list == NULL) {
        return stet__fail(err, STET_E_NOMEM, 0, "list of parked events");
    }
    stet_buf prefix;
    list->s = s;
    stet__buf_init(&list->texts, &s->alloc);
    stet__buf_init(&prefix, &s->alloc);
    stet__parked_put_prefix(&prefix, name);
    st =
        prefix.is_failed
            ? stet__fail(err, STET_E_NOMEM, 0, "list of parked events")
            : stet__own_list_open(s, stet__buf_slice(&prefix), &list->own, err);
    stet__buf_deinit(&prefix);
    if (st != STET_OK) {
        stet_parkeds_close(list);
        return st;
    }
    *out = list;
    return STET_OK;
}

static stet_status lend_parked(void *ctx, const stet_own *own, stet_error *err)
{
    stet_parkeds *list = ctx;
    list->lent = (stet_parked){
        .state_machine_id = stet__own_string(own->content, "id"),
        .reason = stet__own_string(own->content, "reason"),
        .position = stet__parked_position(own->id),
        .seq = stet__own_number(own->content, "seq"),
        .parked_at = own->state->updated_at,
        .attempts = (uint32_t)stet__own_number(own->content, "attempts"),
        .ns = (uint8_t)stet__own_number(own->content, "ns"),
    };
    stet_slice *texts[] = {&list->lent.state_machine_id, &list->lent.reason};
    return keep_texts(&list->texts, texts, 2, err);
}

stet_status stet_parkeds_next(stet_parkeds *list, const stet_parked **out,
                              stet_error *err)
{
    stet__error_reset(err);
    stet_status st = stet__own_list_next(&list->own, lend_parked, list, err);
    if (st == STET_OK) {
        *out = &list->lent;
    }
    return st;
}

void stet_parkeds_close(stet_parkeds *list)
{
    if (list == NULL) {
        return;
    }
    stet *s = list->s;
    stet__own_list_close(&list->own);
    stet__buf_deinit(&list->texts);
    stet__free(&s->alloc, list, sizeof *list);
}
