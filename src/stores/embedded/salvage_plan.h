/*
 * Salvage plan: what the new store has at each position, found in one walk over
 * what is left of the old one.
 *
 *   kept        the record as it was
 *   unreadable  it is there, but what it is folded onto is not: a stub
 *   lost        a stub, of the machine that is known to have had an event
 *               there; else of the new store's own
 *
 * Records name what precedes them by position. That never moves: the last lost
 * event of a stretch has the position that the record behind it names. So what
 * is kept is kept byte for byte.
 */
#ifndef STET_STORES_EMBEDDED_SALVAGE_PLAN_H
#define STET_STORES_EMBEDDED_SALVAGE_PLAN_H

#include "base/arena.h"
#include "base/map.h"
#include "core/missing.h"
#include "stores/embedded/wreck.h"

typedef struct stet_salvage_plan {
    stet_wreck *w;
    stet_arena arena;
    stet_map machines;
    uint8_t *fates;     /* of each position below w->end: stet_salvage_fate */
    stet_buf stretches; /* stet_stretch */
    uint64_t *lost;     /* positions, rising */
    uint32_t *places;   /* of each: its stretch */
    size_t lost_count;
} stet_salvage_plan;

typedef enum stet_salvage_fate {
    STET_SALVAGE_LOST = 0,
    STET_SALVAGE_KEPT = 1,      /* and its state can be told */
    STET_SALVAGE_STATELESS = 2, /* kept: dropped or erased before */
    STET_SALVAGE_UNREADABLE = 3,
} stet_salvage_fate;

/*
 * Make the plan; what is lost is told. deinit may follow in any case.
 * STET_E_CORRUPT, STET_E_FORMAT, STET_E_NOMEM.
 */
stet_status stet__salvage_plan(stet_salvage_plan *p, stet_wreck *w,
                               stet_error *err);
void stet__salvage_plan_deinit(stet_salvage_plan *p);

static inline stet_stretch *stet__salvage_stretches(const stet_salvage_plan *p)
{
    return (stet_stretch *)(void *)p->stretches.ptr;
}

#endif
