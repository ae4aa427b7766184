/*
 * Lease: who of this handle works with one of the store's own machines, a
 * consumer or a projection. One at a time; other processes only read.
 * Thread-safe.
 */
#ifndef STET_ENGINE_LEASE_H
#define STET_ENGINE_LEASE_H

#include <stet/handle.h>

#include "os/mutex.h"

/* In what the holder works with. */
typedef struct stet_lease {
    struct stet_lease *next;
    stet_slice id; /* the machine's, borrowed while it is held */
} stet_lease;

/* In a handle. */
typedef struct stet_leases {
    stet_mutex mu;
    stet_lease *first; /* under mu */
} stet_leases;

/* STET_E_LOCKED, told of `what` ("consumer"): somebody has it. */
stet_status stet__lease_take(stet *s, stet_lease *lease, stet_slice id,
                             const char *what, stet_error *err);
/* Accepts one that was not taken, zeroed. */
void stet__lease_give(stet *s, stet_lease *lease);

#endif
