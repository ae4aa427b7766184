/*
 * Life: what happens to one store from one seed.
 *
 * It is opened, compared with the oracle, written by several clients, and
 * closed or brought down; then opened again. The last life is calm: nothing
 * fails, so everything that was begun must end.
 */
#ifndef STET_TESTS_SIM_LIFE_H
#define STET_TESTS_SIM_LIFE_H

#include "sim/swarm.h"

/* What a run came to; plain data. */
typedef struct life_report {
    uint64_t digest;
    uint64_t calls; /* of the system */
    uint64_t crashes;
    uint64_t acknowledged; /* events */
} life_report;

/* Ends the process with status 1 when the store broke its promise. */
life_report life_run(const swarm *s, bool is_traced);

#endif
