/*
 * Feeds that are to be told of what is published: those with a descriptor. Who
 * waits in stet_feed_next sleeps on the pipeline's word and is none of them.
 */
#ifndef STET_ENGINE_FEED_H
#define STET_ENGINE_FEED_H

#include <stdatomic.h>

#include <stet/feed.h>

#include "os/turn.h"

/* In a handle. A turn, for the system is called inside. */
typedef struct stet_feeds {
    stet_turn turn;
    stet_feed *first;       /* under turn */
    _Atomic uint32_t count; /* of them; 0: nobody need look */
} stet_feeds;

/*
 * Have a feed look next at a position, which is not beyond the next event's;
 * nothing is lent any more.
 */
void stet__feed_seek(stet_feed *feed, uint64_t position);

/* Open a feed of the same events from a position on. As stet_feed_open. */
stet_status stet__feed_again(const stet_feed *feed, uint64_t position,
                             stet_feed **out, stet_error *err);

/*
 * Wait, with nothing lent, until a time on the monotonic clock, 0: not at all.
 * STET_E_TIMEOUT: it came; STET_DONE: the feed was stopped; STET_E_READONLY: a
 * write failed meanwhile.
 */
stet_status stet__feed_pause(stet_feed *feed, int64_t until_ns,
                             stet_error *err);

/* Make descriptors readable: something was published, or never will be. */
void stet__feeds_notify(stet *s);

#endif
