#include "engine/consumer.h"

#include <inttypes.h>
#include <string.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/utf8.h"
#include "core/image.h"
#include "core/json.h"
#include "engine/feed.h"
#include "engine/lease.h"
#include "engine/options.h"
#include "engine/own.h"

#define STET_RETRY_NS ((int64_t)1000000000)

enum { STET_ATTEMPTS = 5 };

/* An event on the list, as far as those behind it are told of it. */
typedef struct parked {
    uint64_t machine; /* hash of its key: two that share one only tell more */
    uint64_t position;
} parked;

struct stet_consumer {
    stet *s;
    stet_lease lease;
    stet_buf id; /* of its machine: a letter, then the name */
    stet_feed *feed;
    stet_consumer_place place; /* as the caller was told */
    stet_retry written;        /* as the log has it */
    uint32_t waiting_acks;     /* not written yet */
    uint64_t handed;           /* position of the last event handed out */
    stet_buf parked;           /* of parked, by position */
    uint32_t attempts_max;
    uint32_t acks_a_write;
    int64_t retry_ns;
};

static stet_slice name_of(const stet_consumer *c)
{
    return stet_slice_of(c->id.ptr + 1, c->id.len - 1);
}

/* ---- opening ---- */

static stet_status settle_opts(const stet_consumer_opts *opts,
                               stet_consumer_opts *o, stet_error *err)
{
    const uint32_t flags = STET_CONSUMER_EXISTING |
                           STET_CONSUMER_ALL_NAMESPACES |
                           STET_CONSUMER_FROM_END;
    stet_status st = stet__options_copy(opts, sizeof *o, o, err);
    if (st != STET_OK) {
        return st;
    }
    o->attempts_max = o->attempts_max == 0 ? STET_ATTEMPTS : o->attempts_max;
    o->acks_a_write = o->acks_a_write == 0 ? 1 : o->acks_a_write;
    o->retry_ns = o->retry_ns == 0 ? STET_RETRY_NS : o->retry_ns;
    if (o->attempts_max > STET_CONSUMER_ATTEMPTS_MAX ||
        o->acks_a_write > STET_CONSUMER_ACKS_MAX || o->retry_ns < 0 ||
        (o->flags & ~flags) != 0) {
        return stet__fail(err, STET_E_INVALID, 0,
                          "a consumer of %u attempts, %u acknowledgements a "
                          "write, %" PRId64 " ns until a retry, flags 0x%x",
                          o->attempts_max, o->acks_a_write, o->retry_ns,
                          o->flags);
    }
    return stet__utf8_is_valid(o->pattern)
               ? STET_OK
               : stet__fail(err, STET_E_INVALID, 0,
                            "the pattern of a consumer is UTF-8");
}

/* A consumer and what its opener asks for. */
typedef struct opening {
    stet_consumer *c;
    const stet_consumer_opts *o;
} opening;

/* Are these the events that it was made for, as far as anything is said? */
static bool is_same(const stet_consumer_opts *o, const stet_consumer_content *c)
{
    bool is_all = (o->flags & STET_CONSUMER_ALL_NAMESPACES) != 0;
    return (o->pattern.len == 0 || stet__slice_eq(o->pattern, c->pattern)) &&
           (o->kinds == 0 || o->kinds == c->kinds) &&
           (o->ns == 0 || o->ns == c->ns) &&
           (!is_all || c->ns_last == STET_NAMESPACE_MAX);
}

static stet_status take_existing(void *ctx, const stet_own *own,
                                 stet_error *err)
{
    const opening *p = ctx;
    stet_consumer_content content = stet__consumer_content_of(own->content);
    if (!is_same(p->o, &content)) {
        return stet__fail(err, STET_E_INVALID, 0,
                          "consumer %s is there, for other events",
                          stet__id_text(name_of(p->c)).text);
    }
    p->c->place = content.place;
    p->c->written = content.place.retry;
    stet_feed_opts feed = stet__consumer_feed_of(&content);
    return stet_feed_open(p->c->s, &feed, &p->c->feed, err);
}

/* Commit changes of the store's own machines; ids and payloads are in bufs. */
static stet_status commit(stet *s, const stet_change *changes, size_t count,
                          stet_error *err)
{
    stet_batch batch = {.changes = changes, .change_count = count};
    return stet__commit(s, &batch, NULL, NULL, err);
}

static stet_status create(stet_consumer *c, const stet_consumer_opts *o,
                          stet_error *err)
{
    bool is_all = (o->flags & STET_CONSUMER_ALL_NAMESPACES) != 0;
    uint32_t flags = is_all ? (uint32_t)STET_FEED_ALL_NAMESPACES : 0;
    flags |= (o->flags & STET_CONSUMER_FROM_END) != 0
                 ? (uint32_t)STET_FEED_FROM_END
                 : 0;
    stet_feed_opts feed = {
        .pattern = o->pattern,
        .from_position = o->from_position,
        .kinds = o->kinds,
        .flags = flags,
        .ns = o->ns,
    };
    stet_status st = stet_feed_open(c->s, &feed, &c->feed, err);
    if (st != STET_OK) {
        return st;
    }
    c->place.acked = stet_feed_position(c->feed) - 1;
    stet_buf json;
    stet__buf_init(&json, &c->s->alloc);
    stet__buf_put_str(&json, "{\"pattern\":");
    stet__json_write_string(o->pattern, &json);
    stet__buf_printf(
        &json, ",\"kinds\":%u,\"ns\":%u,\"ns_last\":%u,\"acked\":%" PRIu64 "}",
        o->kinds, o->ns, is_all ? (unsigned)STET_NAMESPACE_MAX : o->ns,
        c->place.acked);
    stet_change change = {.verb = STET_VERB_CREATE,
                          .ns = STET_STORE_NAMESPACE,
                          .id = stet__buf_slice(&c->id),
                          .payload = stet__buf_slice(&json)};
    st = json.is_failed ? stet__fail(err, STET_E_NOMEM, 0, "consumer")
                        : commit(c->s, &change, 1, err);
    stet__buf_deinit(&json);
    return st;
}

static stet_status load_or_create(stet_consumer *c, const stet_consumer_opts *o,
                                  stet_error *err)
{
    opening p = {c, o};
    stet_status st =
        stet__own_visit(c->s, stet__own_key(&c->id), take_existing, &p, err);
    if (st != STET_E_NOT_FOUND) {
        return st;
    }
    stet__error_reset(err);
    return (o->flags & STET_CONSUMER_EXISTING) == 0
               ? create(c, o, err)
               : stet__fail(err, STET_E_NOT_FOUND, 0, "no consumer %s",
                            stet__id_text(name_of(c)).text);
}

static uint64_t machine_hash(uint64_t ns, stet_slice id)
{
    return stet__machine_hash((stet_machine_key){id, (uint8_t)ns});
}

static stet_status take_parked(void *ctx, const stet_own *own, stet_error *err)
{
    stet_consumer *c = ctx;
    parked item = {
        machine_hash(stet__own_number(own->content, "ns"),
                     stet__own_string(own->content, "id")),
        stet__parked_position(own->id),
    };
    stet__buf_put(&c->parked, &item, sizeof item);
    return c->parked.is_failed
               ? stet__fail(err, STET_E_NOMEM, 0, "list of parked events")
               : STET_OK;
}

static stet_status load_parked(stet_consumer *c, stet_error *err)
{
    stet_buf prefix;
    stet__buf_init(&prefix, &c->s->alloc);
    stet__parked_put_prefix(&prefix, name_of(c));
    stet_status st = prefix.is_failed
                         ? stet__fail(err, STET_E_NOMEM, 0, "consumer")
                         : stet__own_each(c->s, stet__buf_slice(&prefix),
                                          take_parked, c, err);
    stet__buf_deinit(&prefix);
    return st;
}

static void destroy(stet_consumer *c)
{
    stet *s = c->s;
    stet_feed_close(c->feed);
    stet__lease_give(s, &c->lease);
    stet__buf_deinit(&c->id);
    stet__buf_deinit(&c->parked);
    stet__free(&s->alloc, c, sizeof *c);
}

static stet_status set_up(stet_consumer *c, stet_slice name,
                          const stet_consumer_opts *o, stet_error *err)
{
    stet__buf_init(&c->parked, &c->s->alloc);
    stet__buf_init(&c->id, &c->s->alloc);
    stet__consumer_put_id(&c->id, name);
    if (c->id.is_failed) {
        return stet__fail(err, STET_E_NOMEM, 0, "consumer");
    }
    c->attempts_max = o->attempts_max;
    c->acks_a_write = o->acks_a_write;
    c->retry_ns = o->retry_ns;
    stet_status st = stet__lease_take(c->s, &c->lease, stet__buf_slice(&c->id),
                                      "consumer", err);
    if (st == STET_OK) {
        st = load_or_create(c, o, err);
    }
    if (st == STET_OK) {
        c->handed = c->place.acked;
        st = load_parked(c, err);
    }
    return st;
}

stet_status stet_consumer_open(stet *s, stet_slice name,
                               const stet_consumer_opts *opts,
                               stet_consumer **out, stet_error *err)
{
    stet__error_reset(err);
    stet_consumer_opts o;
    stet_status st = settle_opts(opts, &o, err);
    if (st == STET_OK) {
        st = stet__own_name_check("consumer", name, err);
    }
    if (st == STET_OK && s->start.is_readonly) {
        st = stet__fail(err, STET_E_READONLY, 0,
                        "a consumer writes where it stands");
    }
    if (st != STET_OK) {
        return st;
    }
    stet_consumer *c = stet__alloc_zeroed(&s->alloc, 1, sizeof *c);
    if (c == NULL) {
        return stet__fail(err, STET_E_NOMEM, 0, "consumer");
    }
    c->s = s;
    st = set_up(c, name, &o, err);
    if (st != STET_OK) {
        destroy(c);
        return st;
    }
    *out = c;
    return STET_OK;
}

/* ---- handing out ---- */

/*
 * Wait until the event given back is due, and no longer than a delay from now:
 * the clock may have been set back.
 */
static stet_status await_due(stet_consumer *c, int64_t deadline_ns,
                             stet_error *err)
{
    stet *s = c->s;
    int64_t now = s->os->now(s->os);
    if (c->place.retry.due - now > c->retry_ns) {
        c->place.retry.due = now + c->retry_ns;
    }
    int64_t left = c->place.retry.due - now;
    if (left <= 0) {
        return STET_OK;
    }
    int64_t due = stet__pipeline_deadline(&s->pipeline, left);
    bool is_in_time = deadline_ns >= due;
    stet_status st =
        stet__feed_pause(c->feed, is_in_time ? due : deadline_ns, err);
    if (st != STET_E_TIMEOUT) {
        return st;
    }
    if (!is_in_time) {
        return stet__fail(err, STET_E_TIMEOUT, 0,
                          "position %" PRIu64 " was given back and is not due",
                          c->place.retry.position);
    }
    stet__error_reset(err);
    return STET_OK;
}

static uint64_t parked_of(const stet_consumer *c, const stet_event *e)
{
    const parked *items = (const void *)c->parked.ptr;
    uint64_t machine =
        c->parked.len == 0 ? 0 : machine_hash(e->ns, e->state_machine_id);
    for (size_t i = 0; i < c->parked.len / sizeof *items; i++) {
        if (items[i].machine == machine && items[i].position < e->position) {
            return items[i].position;
        }
    }
    return 0;
}

stet_status stet_consumer_fetch(stet_consumer *consumer, int64_t timeout_ns,
                                stet_delivery *out, stet_error *err)
{
    stet__error_reset(err);
    const stet_event *event = NULL;
    stet_retry *retry = &consumer->place.retry;
    int64_t deadline_ns =
        stet__pipeline_deadline(&consumer->s->pipeline, timeout_ns);
    stet_status st = stet_feed_next(consumer->feed, timeout_ns, &event, err);
    if (st == STET_OK && event->position == retry->position) {
        /* The wait ends the loan, so it is taken again behind it. */
        stet__feed_seek(consumer->feed, event->position);
        st = await_due(consumer, deadline_ns, err);
        if (st == STET_OK) {
            st = stet_feed_next(consumer->feed, 0, &event, err);
        }
    }
    if (st != STET_OK) {
        return st;
    }
    bool is_again = event->position == retry->position;
    consumer->handed = event->position;
    *out = (stet_delivery){
        .event = event,
        .parked_position = parked_of(consumer, event),
        .attempt = is_again ? retry->attempts + 1 : 1,
    };
    return STET_OK;
}

void stet_consumer_stop(stet_consumer *consumer)
{
    stet_feed_stop(consumer->feed);
}

/* ---- telling how far it is ---- */

/* A merge onto the consumer's state. */
static void put_place(const stet_consumer *c, const stet_consumer_place *p,
                      stet_slice reason, stet_buf *out)
{
    stet__buf_printf(out, "{\"acked\":%" PRIu64, p->acked);
    bool is_as_written = p->retry.position == c->written.position &&
                         p->retry.attempts == c->written.attempts;
    if (p->retry.position == 0 && !is_as_written) {
        stet__buf_put_str(out, ",\"retry\":null");
    } else if (!is_as_written) {
        stet__buf_printf(out,
                         ",\"retry\":{\"position\":%" PRIu64
                         ",\"attempts\":%u,\"due\":%" PRId64 ",\"reason\":",
                         p->retry.position, p->retry.attempts, p->retry.due);
        stet__json_write_string(reason, out);
        stet__buf_put_str(out, "}");
    }
    stet__buf_put_str(out, "}");
}

/* Write where it stands, in one batch with `more` (nullable). */
static stet_status write_place(stet_consumer *c, const stet_consumer_place *p,
                               stet_slice reason, const stet_change *more,
                               stet_error *err)
{
    stet_buf json;
    stet__buf_init(&json, &c->s->alloc);
    put_place(c, p, reason, &json);
    stet_change changes[2] = {{.verb = STET_VERB_UPDATE,
                               .ns = STET_STORE_NAMESPACE,
                               .id = stet__buf_slice(&c->id),
                               .payload = stet__buf_slice(&json)}};
    if (more != NULL) {
        changes[1] = *more;
    }
    stet_status st = json.is_failed
                         ? stet__fail(err, STET_E_NOMEM, 0, "consumer")
                         : commit(c->s, changes, more == NULL ? 1 : 2, err);
    stet__buf_deinit(&json);
    if (st == STET_OK) {
        c->place = *p;
        c->written = p->retry;
        c->waiting_acks = 0;
    }
    return st;
}

static stet_level level_of(const stet_consumer *c)
{
    return c->waiting_acks == 0 ? c->s->start.level : STET_LEVEL_MEMORY;
}

stet_status stet_consumer_ack(stet_consumer *consumer, uint64_t position,
                              stet_level *out_level, stet_error *err)
{
    stet__error_reset(err);
    stet_status st = STET_OK;
    if (position > consumer->handed) {
        return stet__fail(err, STET_E_INVALID, 0,
                          "position %" PRIu64 " was not handed out; %" PRIu64
                          " was last",
                          position, consumer->handed);
    }
    if (position > consumer->place.acked) {
        stet_consumer_place place = consumer->place;
        place.acked = position;
        if (place.retry.position <= position) {
            place.retry = (stet_retry){0};
        }
        if (consumer->waiting_acks + 1 < consumer->acks_a_write) {
            consumer->place = place;
            consumer->waiting_acks++;
        } else {
            st = write_place(consumer, &place, stet_str(""), NULL, err);
        }
    }
    if (st == STET_OK && out_level != NULL) {
        *out_level = level_of(consumer);
    }
    return st;
}

stet_status stet_consumer_flush(stet_consumer *consumer, stet_error *err)
{
    stet__error_reset(err);
    stet_consumer_place place = consumer->place;
    return consumer->waiting_acks == 0
               ? STET_OK
               : write_place(consumer, &place, stet_str(""), NULL, err);
}

stet_status stet_consumer_close(stet_consumer *consumer, stet_error *err)
{
    stet__error_reset(err);
    if (consumer == NULL) {
        return STET_OK;
    }
    stet_status st = stet_consumer_flush(consumer, err);
    destroy(consumer);
    return st;
}

stet_status stet_consumer_reset(stet_consumer *consumer, uint64_t position,
                                stet_error *err)
{
    stet__error_reset(err);
    uint64_t end = stet__watermark(&consumer->s->pipeline);
    if (position >= end) {
        return stet__fail(err, STET_E_INVALID, 0,
                          "position %" PRIu64 "; the newest is %" PRIu64,
                          position, end - 1);
    }
    stet_consumer_place place = {.acked = position};
    stet_status st = write_place(consumer, &place, stet_str(""), NULL, err);
    if (st == STET_OK) {
        consumer->handed = position;
        stet__feed_seek(consumer->feed, position + 1);
    }
    return st;
}

/* ---- giving back ---- */

/* For one more there is room. */
static void keep_parked(stet_consumer *c, const parked *item)
{
    parked *items = (void *)c->parked.ptr;
    size_t count = c->parked.len / sizeof *items;
    size_t i = 0;
    while (i < count && items[i].position < item->position) {
        i++;
    }
    if (i < count && items[i].position == item->position) {
        return; /* after a reset: once more */
    }
    (void)stet__buf_extend(&c->parked, sizeof *items); /* there is room */
    memmove(items + i + 1, items + i, (count - i) * sizeof *items);
    items[i] = *item;
}

/* Put an event on the list, and pass it. */
static stet_status park(stet_consumer *c, const stet_event *e,
                        const stet_consumer_place *next, stet_slice reason,
                        stet_error *err)
{
    if (c->parked.len / sizeof(parked) >= STET_CONSUMER_PARKED_MAX) {
        return stet__fail(err, STET_E_TOO_LARGE, 0,
                          "consumer %s has parked %d events; release some",
                          stet__id_text(name_of(c)).text,
                          STET_CONSUMER_PARKED_MAX);
    }
    stet_consumer_place place = {.acked = e->position};
    parked item = {machine_hash(e->ns, e->state_machine_id), e->position};
    stet_buf id;
    stet_buf json;
    stet__buf_init(&id, &c->s->alloc);
    stet__buf_init(&json, &c->s->alloc);
    stet__parked_put_prefix(&id, name_of(c));
    stet__parked_put_position(&id, e->position);
    stet__buf_printf(&json, "{\"ns\":%u,\"id\":", e->ns);
    stet__json_write_string(e->state_machine_id, &json);
    stet__buf_printf(&json,
                     ",\"seq\":%" PRIu64 ",\"attempts\":%u,\"reason\":", e->seq,
                     next->retry.attempts);
    stet__json_write_string(reason, &json);
    stet__buf_put_str(&json, "}");
    stet_change change = {.verb = STET_VERB_SAVE,
                          .ns = STET_STORE_NAMESPACE,
                          .id = stet__buf_slice(&id),
                          .payload = stet__buf_slice(&json)};
    /* Room first: what is durable must be known here, too. */
    stet_status st = id.is_failed || json.is_failed ||
                             !stet__buf_reserve(&c->parked, sizeof item)
                         ? stet__fail(err, STET_E_NOMEM, 0, "parked event")
                         : write_place(c, &place, reason, &change, err);
    if (st == STET_OK) {
        keep_parked(c, &item);
    }
    stet__buf_deinit(&id);
    stet__buf_deinit(&json);
    return st;
}

/* Give back `e`, the first that is not acknowledged. */
static stet_status give_back(stet_consumer *c, const stet_event *e,
                             stet_slice reason, bool *out_is_parked,
                             stet_error *err)
{
    const stet_retry *before = &c->place.retry;
    bool is_again = before->position == e->position;
    stet_consumer_place place = {
        .acked = c->place.acked,
        .retry = {.position = e->position,
                  .due = c->s->os->now(c->s->os) + c->retry_ns,
                  .attempts = is_again ? before->attempts + 1 : 1},
    };
    *out_is_parked = place.retry.attempts >= c->attempts_max;
    return *out_is_parked ? park(c, e, &place, reason, err)
                          : write_place(c, &place, reason, NULL, err);
}

stet_status stet_consumer_nack(stet_consumer *consumer, stet_slice reason,
                               bool *out_is_parked, stet_error *err)
{
    stet__error_reset(err);
    stet_consumer *c = consumer;
    if (c->handed <= c->place.acked) {
        return stet__fail(err, STET_E_INVALID, 0,
                          "nothing that was handed out is to be given back");
    }
    if (reason.len > STET_CONSUMER_REASON_BYTES_MAX ||
        !stet__utf8_is_valid(reason)) {
        return stet__fail(err, STET_E_INVALID, 0,
                          "a reason is UTF-8 of at most %d bytes",
                          STET_CONSUMER_REASON_BYTES_MAX);
    }
    stet_feed *feed = NULL; /* the own one may be stopped */
    const stet_event *event = NULL;
    bool is_parked = false;
    stet_status st = stet__feed_again(c->feed, c->place.acked + 1, &feed, err);
    if (st == STET_OK) {
        st = stet_feed_next(feed, 0, &event, err);
    }
    if (st == STET_OK) {
        st = give_back(c, event, reason, &is_parked, err);
    }
    if (st == STET_OK) {
        c->handed = c->place.acked;
        stet__feed_seek(c->feed, event->position + (is_parked ? 1 : 0));
        if (out_is_parked != NULL) {
            *out_is_parked = is_parked;
        }
    }
    stet_feed_close(feed);
    return st;
}

stet_status stet_consumer_release(stet_consumer *consumer, uint64_t position,
                                  stet_error *err)
{
    stet__error_reset(err);
    stet_consumer *c = consumer;
    parked *items = (void *)c->parked.ptr;
    size_t count = c->parked.len / sizeof *items;
    size_t i = 0;
    while (i < count && items[i].position != position) {
        i++;
    }
    if (i == count) {
        return stet__fail(err, STET_E_NOT_FOUND, 0,
                          "consumer %s has parked nothing at position %" PRIu64,
                          stet__id_text(name_of(c)).text, position);
    }
    stet_buf id;
    stet__buf_init(&id, &c->s->alloc);
    stet__parked_put_prefix(&id, name_of(c));
    stet__parked_put_position(&id, position);
    stet_change change = {.verb = STET_VERB_DELETE,
                          .ns = STET_STORE_NAMESPACE,
                          .id = stet__buf_slice(&id)};
    stet_status st = id.is_failed
                         ? stet__fail(err, STET_E_NOMEM, 0, "parked event")
                         : commit(c->s, &change, 1, err);
    stet__buf_deinit(&id);
    if (st == STET_OK) {
        memmove(items + i, items + i + 1, (count - i - 1) * sizeof *items);
        c->parked.len -= sizeof *items;
    }
    return st;
}
