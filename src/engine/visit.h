/*
 * Visit: all machines of some namespaces, one by one, in order of their keys.
 */
#ifndef STET_ENGINE_VISIT_H
#define STET_ENGINE_VISIT_H

#include "engine/handle.h"

/*
 * Deleted machines are visited, too; `entry` is lent for the call, its state's
 * name may be missing.
 */
typedef stet_status (*stet_visit_fn)(stet *s, const stet_head_entry *entry,
                                     void *ctx, stet_error *err);

typedef struct stet_visit {
    uint8_t ns_last; /* from 0 on; 255: with the store's own */
    uint64_t below;  /* a position: nothing from there on exists */
    stet_visit_fn fn;
    void *ctx;
} stet_visit;

/* Stops at the first that fails, with its status. */
stet_status stet__visit_machines(stet *s, const stet_visit *visit,
                                 stet_error *err);

#endif
