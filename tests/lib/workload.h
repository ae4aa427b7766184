/*
 * Workload: random writes that make sense to a model often enough, and do not
 * often enough.
 *
 * Few machines, so that they meet; states that grow out of each other; times
 * out of order and twice the same; every verb, reducer and expectation.
 */
#ifndef STET_TESTS_WORKLOAD_H
#define STET_TESTS_WORKLOAD_H

#include "lib/model.h"
#include "lib/rng.h"

/* Everything made lives in the model's arena. */
typedef struct workload {
    rng random;
    model *m;
    bool has_forks; /* else no change forks */
    uint64_t forks; /* ids used for forks so far */
} workload;

/* One or a few changes, some with conditions, some with a key. */
const stet_batch *workload_batch(workload *w);
/* A batch whose key was used: the same, or with other content; or NULL. */
const stet_batch *workload_repeat(workload *w);
/* One change. */
stet_change workload_change(workload *w);
/* What may go with a write besides its verb, id and payload. */
void workload_decorate(workload *w, stet_change *c);

/* A text in the arena. */
stet_slice workload_text(workload *w, const char *format, ...)
    STET_PRINTF(2, 3);

#endif
