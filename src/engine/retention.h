/*
 * Retention: what wants what of the store's histories, told to a log that
 * settles (stet_retention in stet/sys/store.h; the rule is core/retain.h's).
 *
 * Pins and cuts race. A pin rests on a record that is there when it is
 * sequenced, and a settle drops nothing that was pinned before it is named:
 *
 *   settling                              pinning
 *   begin: note the last pin, wait until
 *     it is visible, then look around
 *   read, fold, write
 *   close the gate, unless a pin came     while the gate is closed: wait
 *   name the set, show it
 *   open the gate, count a cut            a cut was counted since it looked for
 *                                         its record: look again
 *
 * A settle that a pin came to is discarded, and done again without dropping
 * anything, so that what is settled never waits for quiet.
 */
#ifndef STET_ENGINE_RETENTION_H
#define STET_ENGINE_RETENTION_H

#include "engine/handle.h"

/* Have the log ask this handle, if it drops at all. STET_E_NOMEM. */
stet_status stet__retainer_create(stet *s, stet_error *err);
/* Have it ask no more; accepts that it never did. */
void stet__retainer_destroy(stet *s);

/* Have the compaction that follows, up to `below`, look at all that may go. */
stet_status stet__retain_all(stet *s, uint64_t below, stet_error *err);

/* Look again before anything is pinned: less is there. */
void stet__pins_outdate(stet *s);

#endif
