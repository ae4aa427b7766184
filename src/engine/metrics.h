/*
 * Metrics: counting what a handle does, so that nobody waits for it.
 *
 * Each number is counted where its cache line is at hand anyway: loads under
 * their stripe (table.h), writes under `seq` (sequence.c, pipeline.h). Times
 * alone are added without a lock, and those of machines that share no stripe to
 * tallies of their own. Loads are timed now and then, see stet__table_load.
 */
#ifndef STET_ENGINE_METRICS_H
#define STET_ENGINE_METRICS_H

#include <stet/metrics.h>
#include <stet/sys/store.h>

#include "base/histogram.h"

enum { STET_METRICS_STRIPES = 8 };

/* Of a handle; what is atomic is so on any thread, in no order. */
typedef struct stet_counters {
    int64_t opened; /* monotonic */
    stet_tally save_ns[STET_METRICS_STRIPES];
    stet_tally load_ns[STET_METRICS_STRIPES];
    _Atomic uint64_t history_loads;
    _Atomic uint64_t failed;

    /* Under `seq`: changes of users' machines that were sequenced. */
    uint64_t saves;
    uint64_t bases;
    uint64_t restores;
    uint64_t raw_bytes;
} stet_counters;

/* Count a write or load that failed, and pass its status on. */
stet_status stet__metrics_note(stet *s, stet_status st);

/*
 * A write that began at `begun` is durable; `key` is its first machine. One to
 * the store's own machines is left out.
 */
void stet__metrics_saved(stet *s, stet_machine_key key, bool is_alone,
                         int64_t begun);
/* A load that is to be timed, of a machine with this hash, is over. */
void stet__metrics_loaded(stet *s, stet_machine_key key, uint64_t hash,
                          int64_t begun);

/* Everything that is told of one thing that was timed or counted. */
typedef enum stet_metrics_series {
    STET_SERIES_SAVE_NS = 0,
    STET_SERIES_LOAD_NS = 1,
    STET_SERIES_SYNC_NS = 2,
    STET_SERIES_BATCH_EVENTS = 3,
} stet_metrics_series;

void stet__metrics_gather(const stet *s, stet_metrics_series series,
                          stet_histogram *out);

#endif
