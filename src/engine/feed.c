#include "engine/feed.h"

#include <inttypes.h>

#include "base/error.h"
#include "engine/erasure.h"
#include "engine/event.h"
#include "engine/options.h"

struct stet_feed {
    stet *s;
    stet_buf pattern;
    stet_event_look look; /* without a bench: nothing is lent */
    uint64_t next;
    _Atomic uint32_t is_stopped;
    _Atomic uint32_t is_signalled;
    int fd;                /* -1: none */
    stet_feed *next_to_fd; /* of stet_feeds */
};

/* ---- opening ---- */

static stet_status check(stet *s, const stet_feed_opts *o, stet_error *err)
{
    const uint32_t kinds = (2u << STET_EVENT_DELETED) - 2u;
    const uint32_t flags = STET_FEED_ALL_NAMESPACES | STET_FEED_FROM_END;
    bool is_all = (o->flags & STET_FEED_ALL_NAMESPACES) != 0;
    uint64_t end = stet__watermark(&s->pipeline);
    if ((o->flags & ~flags) != 0 || (o->kinds & ~kinds) != 0) {
        return stet__fail(err, STET_E_INVALID, 0,
                          "flags 0x%x, kinds 0x%x of a feed", o->flags,
                          o->kinds);
    }
    if (is_all && o->ns != 0) {
        return stet__fail(err, STET_E_INVALID, 0,
                          "a feed of all namespaces, and of namespace %u",
                          o->ns);
    }
    if (o->from_position > end) {
        return stet__fail(err, STET_E_INVALID, 0,
                          "a feed from position %" PRIu64
                          "; the next event will have %" PRIu64,
                          o->from_position, end);
    }
    if (o->from_position != 0 && (o->flags & STET_FEED_FROM_END) != 0) {
        return stet__fail(err, STET_E_INVALID, 0,
                          "a feed from the end, and from a position");
    }
    return stet__pattern_check(o->pattern, o->ns, err);
}

static void settle_start(stet_feed *f, const stet_feed_opts *o)
{
    bool is_all = (o->flags & STET_FEED_ALL_NAMESPACES) != 0;
    f->look.s = f->s;
    f->look.filter = (stet_event_filter){
        .pattern = stet__buf_slice(&f->pattern),
        .kinds = o->kinds,
        .ns = o->ns,
        .ns_last = is_all ? STET_NAMESPACE_MAX : o->ns,
        .with_gone = true,
    };
    f->next = o->from_position == 0 ? 1 : o->from_position;
    if ((o->flags & STET_FEED_FROM_END) != 0) {
        f->next = stet__watermark(&f->s->pipeline);
    }
}

stet_status stet_feed_open(stet *s, const stet_feed_opts *opts, stet_feed **out,
                           stet_error *err)
{
    stet__error_reset(err);
    stet_feed_opts o;
    stet_status st = stet__options_copy(opts, sizeof o, &o, err);
    if (st == STET_OK) {
        st = check(s, &o, err);
    }
    if (st == STET_OK) {
        st = stet__erasures_load(s, err);
    }
    if (st != STET_OK) {
        return st;
    }
    stet_feed *f = stet__alloc_zeroed(&s->alloc, 1, sizeof *f);
    if (f == NULL) {
        return stet__fail(err, STET_E_NOMEM, 0, "feed");
    }
    f->s = s;
    f->fd = -1;
    stet__buf_init(&f->pattern, &s->alloc);
    stet__buf_put_slice(&f->pattern, o.pattern);
    if (f->pattern.is_failed) {
        stet_feed_close(f);
        return stet__fail(err, STET_E_NOMEM, 0, "feed");
    }
    settle_start(f, &o);
    *out = f;
    return STET_OK;
}

/* ---- taking ---- */

static bool is_stopped(const stet_feed *f)
{
    return atomic_load_explicit(&f->is_stopped, memory_order_acquire) != 0;
}

/* Lend nothing any more: who waits holds no memory and no file. */
static void rest(stet_feed *f)
{
    stet__bench_give(&f->s->benches, f->look.bench);
    f->look.bench = NULL;
}

/*
 * Look for an event among what is published. STET_E_BUSY: there is none, and
 * nothing is held any more.
 */
static stet_status take_published(stet_feed *f, stet_error *err)
{
    stet *s = f->s;
    bool is_wanted = false;
    while (!is_stopped(f) && f->next < stet__watermark(&s->pipeline)) {
        if (f->look.bench == NULL) {
            f->look.bench = stet__bench_take(&s->benches);
        }
        if (f->look.bench == NULL) {
            return stet__fail(err, STET_E_NOMEM, 0, "feed");
        }
        stet_status st = stet__event_look(&f->look, f->next, &is_wanted, err);
        if (st != STET_OK) {
            return st;
        }
        f->next++;
        if (is_wanted) {
            return STET_OK;
        }
    }
    rest(f);
    return is_stopped(f) ? STET_DONE : STET_E_BUSY;
}

/*
 * There is nothing to take: have the descriptor say so. What is published
 * meanwhile is either seen by the look that follows, for whoever published it
 * saw the flag still up, or signals.
 */
static void clear_signal(stet_feed *f)
{
    if (f->fd >= 0) {
        f->s->os->event_clear(f->s->os, f->fd);
        (void)atomic_exchange_explicit(&f->is_signalled, 0,
                                       memory_order_acq_rel);
    }
}

static stet_status wait_for_more(stet_feed *f, int64_t deadline_ns,
                                 stet_error *err)
{
    stet *s = f->s;
    if (s->start.is_readonly) {
        return STET_DONE;
    }
    clear_signal(f);
    stet_pipeline_more more = {
        .position = f->next,
        .stop = &f->is_stopped,
        .deadline_ns = deadline_ns,
    };
    return stet__pipeline_await(&s->pipeline, &more, err);
}

stet_status stet_feed_next(stet_feed *feed, int64_t timeout_ns,
                           const stet_event **out, stet_error *err)
{
    stet__error_reset(err);
    if (timeout_ns < 0) {
        return stet__fail(err, STET_E_INVALID, 0, "timeout_ns is %" PRId64,
                          timeout_ns);
    }
    int64_t deadline_ns =
        stet__pipeline_deadline(&feed->s->pipeline, timeout_ns);
    stet_status st = take_published(feed, err);
    while (st == STET_E_BUSY) {
        st = wait_for_more(feed, deadline_ns, err);
        if (st == STET_OK) {
            st = take_published(feed, err);
        }
    }
    if (st == STET_OK) {
        *out = &feed->look.lent;
    }
    return st;
}

uint64_t stet_feed_position(const stet_feed *feed)
{
    return feed->next;
}

void stet__feed_seek(stet_feed *feed, uint64_t position)
{
    feed->next = position;
}

stet_status stet__feed_again(const stet_feed *feed, uint64_t position,
                             stet_feed **out, stet_error *err)
{
    const stet_event_filter *f = &feed->look.filter;
    bool is_all = f->ns != f->ns_last;
    stet_feed_opts opts = {
        .pattern = f->pattern,
        .from_position = position,
        .kinds = f->kinds,
        .flags = is_all ? (uint32_t)STET_FEED_ALL_NAMESPACES : 0,
        .ns = f->ns,
    };
    return stet_feed_open(feed->s, &opts, out, err);
}

stet_status stet__feed_pause(stet_feed *feed, int64_t until_ns, stet_error *err)
{
    rest(feed);
    stet_pipeline_more more = {
        .position = UINT64_MAX,
        .stop = &feed->is_stopped,
        .deadline_ns = until_ns,
    };
    return stet__pipeline_await(&feed->s->pipeline, &more, err);
}

/* ---- descriptors ---- */

void stet__feeds_notify(stet *s)
{
    /* Relaxed: who links a feed nudges the pipeline, which orders the two. */
    if (atomic_load_explicit(&s->feeds.count, memory_order_relaxed) == 0) {
        return;
    }
    stet__turn_take(s->os, &s->feeds.turn);
    for (stet_feed *f = s->feeds.first; f != NULL; f = f->next_to_fd) {
        /* Acq_rel: pairs with clear_signal, which then sees the watermark. */
        if (atomic_exchange_explicit(&f->is_signalled, 1,
                                     memory_order_acq_rel) == 0) {
            s->os->event_signal(s->os, f->fd);
        }
    }
    stet__turn_give(s->os, &s->feeds.turn);
}

int stet_feed_fd(stet_feed *feed)
{
    stet *s = feed->s;
    if (feed->fd >= 0) {
        return feed->fd;
    }
    feed->fd = s->os->event_create(s->os);
    if (feed->fd < 0) {
        return -1;
    }
    stet__turn_take(s->os, &s->feeds.turn);
    feed->next_to_fd = s->feeds.first;
    s->feeds.first = feed;
    atomic_fetch_add_explicit(&s->feeds.count, 1, memory_order_relaxed);
    stet__turn_give(s->os, &s->feeds.turn);
    stet__pipeline_nudge(&s->pipeline);
    /* There may be something already; whoever looks clears it if not. */
    stet__feeds_notify(s);
    return feed->fd;
}

static void unlink_fd(stet_feed *f)
{
    stet *s = f->s;
    stet__turn_take(s->os, &s->feeds.turn);
    stet_feed **link = &s->feeds.first;
    while (*link != f) {
        link = &(*link)->next_to_fd;
    }
    *link = f->next_to_fd;
    atomic_fetch_sub_explicit(&s->feeds.count, 1, memory_order_relaxed);
    stet__turn_give(s->os, &s->feeds.turn);
    (void)s->os->close(s->os, f->fd); /* carries no data */
}

/* ---- ending ---- */

void stet_feed_stop(stet_feed *feed)
{
    /* Release: who sees the word move sees this. */
    atomic_store_explicit(&feed->is_stopped, 1, memory_order_release);
    stet__pipeline_nudge(&feed->s->pipeline);
    stet__feeds_notify(feed->s);
}

void stet_feed_close(stet_feed *feed)
{
    if (feed == NULL) {
        return;
    }
    stet *s = feed->s;
    if (feed->fd >= 0) {
        unlink_fd(feed);
    }
    stet__bench_give(&s->benches, feed->look.bench);
    stet__buf_deinit(&feed->pattern);
    stet__free(&s->alloc, feed, sizeof *feed);
}
