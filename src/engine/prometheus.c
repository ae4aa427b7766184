/*
 * The text format of Prometheus, version 0.0.4: of each family its HELP, its
 * TYPE, its samples.
 *
 * Numbers are put together of integers, for the C library's printf may write a
 * comma where the application's locale has one.
 */
#include <inttypes.h>

#include <stet/metrics.h>

#include "base/error.h"
#include "engine/handle.h"

enum {
    NS_PER_S = 1000000000,
    /* Powers of two, all of them bounds of buckets, that are told of: */
    TIME_BITS_FIRST = 8, /* 256 ns */
    TIME_BITS_LAST = 36, /* 69 s */
    EVENTS_BITS_FIRST = 1,
    EVENTS_BITS_LAST = 16,
};

typedef enum unit {
    UNIT_ONE = 1,
    UNIT_MILLI = 1000,
    UNIT_NANO = NS_PER_S,
} unit;

/* A family of one sample: `value` counts `1 / unit` each. */
typedef struct number {
    const char *name;
    const char *type;
    unit unit;
    uint64_t value;
    const char *help;
} number;

typedef struct series {
    const char *name;
    stet_metrics_series of;
    unit unit;
    unsigned bits_first;
    unsigned bits_last;
    const char *help;
} series;

static const series all_series[] = {
    {"stet_save_duration_seconds", STET_SERIES_SAVE_NS, UNIT_NANO,
     TIME_BITS_FIRST, TIME_BITS_LAST,
     "Writes that waited, from the call until durable."},
    {"stet_load_duration_seconds", STET_SERIES_LOAD_NS, UNIT_NANO,
     TIME_BITS_FIRST, TIME_BITS_LAST,
     "One in 64 of the loads of newest states."},
    {"stet_sync_duration_seconds", STET_SERIES_SYNC_NS, UNIT_NANO,
     TIME_BITS_FIRST, TIME_BITS_LAST,
     "Frames, from the write until durable at the store's level."},
    {"stet_batch_events", STET_SERIES_BATCH_EVENTS, UNIT_ONE, EVENTS_BITS_FIRST,
     EVENTS_BITS_LAST, "Events that shared a frame, and its sync."},
};

static void put_head(stet_buf *out, const char *name, const char *type,
                     const char *help)
{
    stet__buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name,
                     type);
}

static void put_value(stet_buf *out, uint64_t value, unit u)
{
    switch (u) {
    case UNIT_ONE:
        stet__buf_printf(out, "%" PRIu64, value);
        return;
    case UNIT_MILLI:
        stet__buf_printf(out, "%" PRIu64 ".%03" PRIu64, value / UNIT_MILLI,
                         value % UNIT_MILLI);
        return;
    case UNIT_NANO:
        stet__buf_printf(out, "%" PRIu64 ".%09" PRIu64, value / UNIT_NANO,
                         value % UNIT_NANO);
        return;
    }
}

static void put_number(stet_buf *out, const number *n)
{
    put_head(out, n->name, n->type, n->help);
    stet__buf_printf(out, "%s ", n->name);
    put_value(out, n->value, n->unit);
    stet__buf_put_u8(out, '\n');
}

static void put_series(stet_buf *out, const series *s, const stet_histogram *h)
{
    put_head(out, s->name, "histogram", s->help);
    for (unsigned bits = s->bits_first; bits <= s->bits_last; bits++) {
        /* What is below a power of two is at most one less. */
        stet__buf_printf(out, "%s_bucket{le=\"", s->name);
        put_value(out, ((uint64_t)1 << bits) - 1, s->unit);
        stet__buf_printf(out, "\"} %" PRIu64 "\n",
                         stet__histogram_below(h, bits));
    }
    stet__buf_printf(out, "%s_bucket{le=\"+Inf\"} %" PRIu64 "\n%s_sum ",
                     s->name, h->count, s->name);
    put_value(out, h->sum, s->unit);
    stet__buf_printf(out, "\n%s_count %" PRIu64 "\n", s->name, h->count);
}

static void put_handle(stet_buf *out, const stet_metrics *m)
{
    const number numbers[] = {
        {"stet_saves_total", "counter", UNIT_ONE, m->total_saves,
         "Changes that got a seq."},
        {"stet_loads_total", "counter", UNIT_ONE, m->total_loads,
         "Loads of newest states."},
        {"stet_history_loads_total", "counter", UNIT_ONE, m->history_loads,
         "Loads of states at a point of history."},
        {"stet_snapshots_total", "counter", UNIT_ONE, m->total_snapshots,
         "Events stored with the whole state."},
        {"stet_recoveries_total", "counter", UNIT_ONE, m->total_recoveries,
         "Events that took an older state up again."},
        {"stet_failed_operations_total", "counter", UNIT_ONE,
         m->failed_operations, "Writes and loads that failed."},
        {"stet_cache_hits_total", "counter", UNIT_ONE, m->cache_hits,
         "Loads that read and folded nothing."},
        {"stet_cache_misses_total", "counter", UNIT_ONE, m->cache_misses,
         "Loads that were no hits."},
        {"stet_cache_evictions_total", "counter", UNIT_ONE, m->evictions,
         "Machines that left the cache."},
        {"stet_cache_entries", "gauge", UNIT_ONE, m->cache_entries,
         "Machines in the cache."},
        {"stet_cache_bytes", "gauge", UNIT_ONE, m->cache_bytes,
         "Bytes that the cache takes."},
        {"stet_raw_bytes_total", "counter", UNIT_ONE, m->raw_bytes,
         "Payloads as they were given."},
        {"stet_encoded_bytes_total", "counter", UNIT_ONE, m->encoded_bytes,
         "Records made of them."},
        {"stet_written_bytes_total", "counter", UNIT_ONE, m->written_bytes,
         "Frames made of these, with padding."},
        {"stet_compression_ratio", "gauge", UNIT_MILLI,
         (uint64_t)(m->compression_ratio * UNIT_MILLI),
         "Raw bytes to encoded bytes."},
        {"stet_queue_events", "gauge", UNIT_ONE, m->queue_events,
         "Events that are not durable yet."},
        {"stet_queue_bytes", "gauge", UNIT_ONE, m->queue_bytes,
         "Bytes of their records."},
        {"stet_queue_waits_total", "counter", UNIT_ONE, m->queue_waits,
         "Times that a write waited for room in the queue."},
        {"stet_queue_refused_total", "counter", UNIT_ONE, m->queue_refused,
         "Times that a write was refused for lack of room in the queue."},
        {"stet_throttled_total", "counter", UNIT_ONE, m->throttled,
         "Times that a write waited for the settler."},
        {"stet_throttled_seconds_total", "counter", UNIT_NANO, m->throttled_ns,
         "How long, all together."},
        {"stet_uptime_seconds", "gauge", UNIT_NANO, (uint64_t)m->uptime_ns,
         "Since the store was opened."},
    };
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        put_number(out, &numbers[i]);
    }
}

static void put_store(stet_buf *out, const stet_info *info)
{
    const number numbers[] = {
        {"stet_store_events", "gauge", UNIT_ONE, info->events,
         "Events in the store, whoever wrote them."},
        {"stet_store_state_raw_bytes", "gauge", UNIT_ONE, info->state_raw_bytes,
         "Whole states that events set."},
        {"stet_store_log_bytes", "gauge", UNIT_ONE, info->log_bytes,
         "Frames and blocks with padding."},
        {"stet_store_index_bytes", "gauge", UNIT_ONE, info->index_bytes,
         "Directories, slots and headers."},
        {"stet_store_disk_bytes", "gauge", UNIT_ONE, info->disk_bytes,
         "What the files take on disk."},
        {"stet_store_segments", "gauge", UNIT_ONE, info->segments,
         "Files with records that are not settled."},
        {"stet_store_sets", "gauge", UNIT_ONE, info->sets,
         "Files of settled records."},
        {"stet_store_poisoned", "gauge", UNIT_ONE, info->is_poisoned ? 1 : 0,
         "1 once a write or sync failed: reopen."},
    };
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        put_number(out, &numbers[i]);
    }
}

stet_status stet_metrics_prometheus(stet *s, stet_buffer *out, stet_error *err)
{
    stet__error_reset(err);
    stet_metrics m = {.struct_size = sizeof(m)};
    stet_info info = {0};
    stet_status st = s->log->ops->info(s->log, &info, err);
    if (st != STET_OK) {
        return st;
    }
    info.is_poisoned = stet__pipeline_is_poisoned(&s->pipeline);
    stet_get_metrics(s, &m);
    stet_buf text;
    stet__buf_init(&text, &s->alloc);
    put_handle(&text, &m);
    for (size_t i = 0; i < sizeof(all_series) / sizeof(all_series[0]); i++) {
        stet_histogram h;
        stet__metrics_gather(s, all_series[i].of, &h);
        put_series(&text, &all_series[i], &h);
    }
    put_store(&text, &info);
    if (text.is_failed) {
        stet__buf_deinit(&text);
        return stet__fail(err, STET_E_NOMEM, 0, "metrics");
    }
    stet_buffer made = {.allocator = s->alloc};
    made.ptr = stet__buf_take(&text, &made.len, &made.cap);
    *out = made;
    return STET_OK;
}
