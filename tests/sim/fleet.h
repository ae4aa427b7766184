/*
 * Fleet: many seeds over a few worker processes, and what came of them.
 */
#ifndef STET_TESTS_SIM_FLEET_H
#define STET_TESTS_SIM_FLEET_H

#include "sim/swarm.h"

enum { FLEET_CHANGES_MAX = 16 };

/* A change of what the seed drew. */
typedef struct swarm_diff {
    const char *how; /* see swarm_change */
    bool is_without;
} swarm_diff;

typedef struct fleet_opts {
    uint64_t from;
    uint64_t count;
    const char *file; /* seeds, one in each line; NULL: from and count */
    unsigned jobs;    /* 0: one for each processor */
    bool is_single;   /* one seed, here: tells its options and digest */
    bool is_traced;
    bool keeps_going;
    bool is_short_first; /* those that promise to take little time */
    bool is_twice;       /* run each seed again: the same must happen */
    bool lists_marks;
    bool wants_all_marks;
    swarm_diff changes[FLEET_CHANGES_MAX];
    size_t change_count;
} fleet_opts;

/* Run them; the exit status: 0, or 1 when one failed. */
int fleet_run(const fleet_opts *o);

/* Run one in a process of its own, silently: does it fail? */
bool fleet_fails(const swarm *s);

/* What a seed draws, with the changes. */
swarm fleet_draw(const fleet_opts *o, uint64_t seed);

#endif
