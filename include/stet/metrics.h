/*
 * Metrics: what a handle did since it was opened, in numbers.
 *
 * A handle counts for itself alone: nothing of it is stored, and of what other
 * processes do it knows nothing. What the store knows for good is asked for
 * with stet_get_info, and of one machine with stet_get_machine_metrics.
 * Counting never waits and costs a few nanoseconds a call.
 */
#ifndef STET_METRICS_H
#define STET_METRICS_H

#include <stdbool.h>

#include <stet/handle.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * How numbers were distributed. The mean is exact, the others are within 3.2 %
 * of the number at their rank (log-linear buckets, 16 to each power of two). No
 * number from 2^42 on is told as more than that. All 0 when `count` is.
 */
typedef struct stet_distribution {
    uint64_t count;
    double mean;
    uint64_t p50;
    uint64_t p99;
    uint64_t p999;
} stet_distribution;

/*
 * Numbers of a handle; plain data, which grows at its end. total_loads is
 * cache_hits + cache_misses exactly, whoever loads meanwhile.
 */
typedef struct stet_metrics {
    size_t struct_size; /* sizeof(stet_metrics); 0 is taken as that */

    /* Changes that got a seq, each of a batch, whatever the verb. */
    uint64_t total_saves;
    uint64_t total_loads;      /* of newest states, also where there was none */
    uint64_t total_snapshots;  /* events that carry the whole state (bases) */
    uint64_t total_recoveries; /* events that took an older state up again */
    /* Writes and loads that ended with another status than OK or a NO. */
    uint64_t failed_operations;
    double average_save_time_ms; /* of save_ns */
    double average_load_time_ms; /* of load_ns */
    uint64_t cache_hits;         /* loads that read and folded nothing */
    uint64_t cache_misses;
    uint64_t history_loads; /* of states at a point; they ask no cache */

    /*
     * Times, in nanoseconds of the monotonic clock. Of writes, those that
     * waited until they were durable; of loads one in 64, as the clock
     * costs a third of one.
     */
    stet_distribution save_ns;
    stet_distribution load_ns;
    stet_distribution sync_ns; /* a frame, from its write to the level's sync;
                                  none in memory stores */
    stet_distribution batch_events; /* in each frame: writes that shared it */

    /* Bytes. */
    uint64_t raw_bytes;     /* payloads, as callers gave them */
    uint64_t encoded_bytes; /* of their records, packed, with all they carry */
    uint64_t written_bytes; /* frames, with padding */
    double compression_ratio; /* raw_bytes / encoded_bytes; 0: nothing yet */

    /* The queue of writes that are not durable yet. */
    uint64_t queue_events;
    uint64_t queue_bytes;
    uint64_t queue_waits;   /* times that a write found it full and waited */
    uint64_t queue_refused; /* times that one was refused instead */

    /* The cache. */
    uint64_t cache_entries; /* machines in it */
    uint64_t cache_bytes;
    uint64_t evictions; /* machines that left it */

    uint64_t throttled; /* as in stet_info */
    uint64_t throttled_ns;
    int64_t uptime_ns; /* since it was opened */
} stet_metrics;

/*
 * Fill in the numbers of a handle.
 *
 * `out->struct_size` is the caller's, like that of stet_info. Reads no storage.
 * Thread-safe; each number is exact for some moment during the call. Since 0.1.
 */
STET_API void stet_get_metrics(stet *s, stet_metrics *out);

/* Numbers of a machine; plain data, which grows at its end. */
typedef struct stet_machine_metrics {
    size_t struct_size; /* sizeof(stet_machine_metrics); 0 is taken as that */

    /* Of its whole durable history, a fork's inherited events included. */
    uint64_t total_saves;       /* events */
    uint64_t total_snapshots;   /* of those, bases */
    uint64_t total_recoveries;  /* restored events */
    uint64_t failed_operations; /* events that tell an error */

    /*
     * Since it is in this handle's cache, and all 0 while it is not. A machine
     * that leaves the cache is forgotten.
     */
    bool is_cached;
    uint64_t total_loads; /* = cache_hits + cache_misses */
    uint64_t cache_hits;
    uint64_t cache_misses;
    double average_save_time_ms; /* of writes that waited, to it alone */
    double average_load_time_ms; /* of one in 64, as in stet_metrics */
} stet_machine_metrics;

/*
 * Fill in the numbers of machine `id` of namespace `ns`: what is kept of it in
 * memory, and what its history tells, which is read for it: time in proportion
 * to its events. Deleted machines have numbers, too.
 *
 * `out->struct_size` is the caller's. `*out` is untouched on failure.
 *
 *   STET_E_NOT_FOUND  never written
 *   STET_E_INVALID    id or namespace is wrong
 *   STET_E_CORRUPT, STET_E_IO, STET_E_NOMEM
 *
 * Blocks on storage. Thread-safe. Since 0.1.
 */
STET_API STET_NODISCARD stet_status
stet_get_machine_metrics(stet *s, stet_slice id, uint8_t ns,
                         stet_machine_metrics *out, stet_error *err);

/*
 * Write the numbers of a handle, and those of the store that cost no search, in
 * the text format of Prometheus, version 0.0.4: HELP, TYPE and samples, names
 * that begin with "stet_", times in seconds, distributions as histograms.
 *
 * `out` is owned by the caller, who frees it with stet_buffer_free; untouched
 * on failure. STET_E_IO, STET_E_NOMEM. May block on storage. Thread-safe. Since
 * 0.1.
 */
STET_API STET_NODISCARD stet_status
stet_metrics_prometheus(stet *s, stet_buffer *out, stet_error *err);

#ifdef __cplusplus
}
#endif

#endif
