/*
 * Lineage: the search for a point of a machine's history, across segments.
 *
 * A store keeps records in segments by rising position. In each a machine has
 * at most one *run*: its records there, by rising seq. Below its run a lineage
 * goes on at a position that the run names: in an older segment, for a fork in
 * its parent's run. The search enters at the machine's newest run and, while
 * all of a run lies above the bound, lands further down: on the run's jump if
 * that too lies above the bound, else on what precedes the run. Of a run landed
 * on at position p only what is not above p belongs to the lineage: later
 * records of a parent are not its fork's.
 *
 * How a run is found and searched is the segment's business (`reach`).
 */
#ifndef STET_CORE_LINEAGE_H
#define STET_CORE_LINEAGE_H

#include "core/image.h"
#include "core/index.h"

/* What to look for in one segment. */
typedef struct stet_target {
    stet_machine_key key;
    uint64_t top; /* greatest position that counts */
    uint64_t seq; /* not 0: a link says that the record at `top` has this seq */
    stet_bound bound;
} stet_target;

/* What a segment answers. Slices are lent until the view's next call. */
typedef struct stet_reach {
    bool is_found;
    stet_point point; /* found: the newest that is not above the bound */
    stet_point first; /* else: the oldest of the run, above the bound */
    stet_run_link previous;
    stet_run_link jump;
} stet_reach;

typedef struct stet_lineage_view {
    void *ctx;
    /* The segment that holds a position; NULL when it is below the first. */
    const void *(*locate)(void *ctx, uint64_t position, uint64_t *out_first);
    /*
     * Search a machine's run. STET_E_NOT_FOUND, without a text: no record of it
     * here up to `top`. STET_E_CORRUPT: also when `seq` is not what lies there.
     */
    stet_status (*reach)(void *ctx, const void *segment,
                         const stet_target *target, stet_reach *out,
                         stet_error *err);
    /*
     * Say from where down the machine's newest record up to a position is to
     * be looked for: never below it; 0: it has none. NULL: nobody knows.
     */
    uint64_t (*narrow)(void *ctx, stet_machine_key key, uint64_t position);
} stet_lineage_view;

/* stet_log_ops.seek over a view. */
stet_status stet__lineage_seek(const stet_lineage_view *view,
                               stet_machine_key key, stet_bound bound,
                               uint64_t below, stet_point *out,
                               stet_error *err);

#endif
