/*
 * Missing: which of the positions that are lost were whose.
 *
 * A machine's events that are missing had positions, and the records beside
 * them bound these: they lie above the one before, and the last of them is the
 * one that the next record, or a fork, names as its predecessor. All events had
 * a place once, so there is a way to give each one a place that nobody else
 * wants; a lost position that nobody claims was an event of an unknown machine.
 *
 * Where no record before a stretch is left, its beginning is not known either:
 * a fork's events begin above seq 1. Such a stretch takes what others leave.
 *
 * Thread: one at a time.
 */
#ifndef STET_CORE_MISSING_H
#define STET_CORE_MISSING_H

#include <stet/sys/store.h>

#include "base/buf.h"

#define STET_MISSING_NONE UINT32_MAX

/* A stretch of a machine's events that are lost. */
typedef struct stet_stretch {
    stet_machine_key key; /* borrowed */
    uint64_t first_seq; /* after `stet__missing_place` of those with a place */
    uint64_t last_seq;
    uint64_t above;         /* position of the event before; 0: not known */
    uint64_t last_position; /* of the last one */
    int64_t occurred_max;   /* of all of them: that of a neighbour */
    uint32_t before; /* the machine's stretch before; STET_MISSING_NONE */
    stet_machine_key parent; /* the first one forked that machine's event of */
    uint64_t parent_seq; /* this seq, which lies at `above`; 0: it did not */
} stet_stretch;

/* Positions that are lost, and who had them. */
typedef struct stet_places {
    const uint64_t *positions; /* rising */
    size_t count;
    uint32_t *stretches; /* of each position, or STET_MISSING_NONE */
} stet_places;

/*
 * Give places to `count` stretches: fills places->stretches. Of a stretch the
 * places rise with the seqs. STET_E_CORRUPT: there is no way; STET_E_NOMEM.
 */
stet_status stet__missing_place(const stet_allocator *alloc,
                                stet_stretch *stretches, uint32_t count,
                                const stet_places *places, stet_error *err);

#endif
