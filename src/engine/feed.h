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

/* Make descriptors readable: something was published, or never will be. */
void stet__feeds_notify(stet *s);

#endif
