#include "engine/metrics.h"

#include <string.h>

#include <stet/metrics.h>

#include "base/error.h"
#include "core/image.h"
#include "engine/load.h"
#include "engine/options.h"

stet_status stet__metrics_note(stet *s, stet_status st)
{
    stet_kind kind = stet_status_kind(st);
    if (kind != STET_KIND_OK && kind != STET_KIND_NO) {
        /* Relaxed: a number to look at. */
        atomic_fetch_add_explicit(&s->counters.failed, 1, memory_order_relaxed);
    }
    return st;
}

static size_t stripe_of(uint64_t hash)
{
    /* Bits in between those of the map and those of its stripes. */
    return (size_t)(hash >> 32) % STET_METRICS_STRIPES;
}

void stet__metrics_saved(stet *s, stet_machine_key key, bool is_alone,
                         int64_t begun)
{
    if (key.ns == STET_STORE_NAMESPACE) {
        return;
    }
    uint64_t took = (uint64_t)(s->os->monotonic(s->os) - begun);
    uint64_t hash = stet__machine_hash(key);
    stet__tally_add(&s->counters.save_ns[stripe_of(hash)], took);
    if (is_alone) {
        stet_entry_counts more = {.save_ns = took, .saves_timed = 1};
        stet__table_count(&s->table, key, &more);
    }
}

void stet__metrics_loaded(stet *s, stet_machine_key key, uint64_t hash,
                          int64_t begun)
{
    uint64_t took = (uint64_t)(s->os->monotonic(s->os) - begun);
    stet_entry_counts more = {.load_ns = took, .loads_timed = 1};
    stet__tally_add(&s->counters.load_ns[stripe_of(hash)], took);
    stet__table_count(&s->table, key, &more);
}

/* ---- gathering ---- */

static void gather(const stet_tally *tallies, size_t count, stet_histogram *out)
{
    memset(out, 0, sizeof(*out));
    for (size_t i = 0; i < count; i++) {
        stet__histogram_gather(out, &tallies[i]);
    }
}

void stet__metrics_gather(const stet *s, stet_metrics_series series,
                          stet_histogram *out)
{
    switch (series) {
    case STET_SERIES_SAVE_NS:
        gather(s->counters.save_ns, STET_METRICS_STRIPES, out);
        return;
    case STET_SERIES_LOAD_NS:
        gather(s->counters.load_ns, STET_METRICS_STRIPES, out);
        return;
    case STET_SERIES_SYNC_NS:
        gather(&s->pipeline.write_ns, 1, out);
        return;
    case STET_SERIES_BATCH_EVENTS:
        gather(&s->pipeline.group_events, 1, out);
        return;
    }
}

static stet_distribution distribution_of(const stet *s,
                                         stet_metrics_series series)
{
    stet_histogram h;
    stet__metrics_gather(s, series, &h);
    return (stet_distribution){.count = h.count,
                               .mean = stet__histogram_mean(&h),
                               .p50 = stet__histogram_at(&h, .5),
                               .p99 = stet__histogram_at(&h, .99),
                               .p999 = stet__histogram_at(&h, .999)};
}

static void put_writes(stet *s, stet_metrics *out)
{
    stet_pipeline *p = &s->pipeline;
    const stet_counters *c = &s->counters;
    stet__mutex_lock(p->os, &p->seq);
    out->total_saves = c->saves;
    out->total_snapshots = c->bases;
    out->total_recoveries = c->restores;
    out->raw_bytes = c->raw_bytes;
    stet__mutex_unlock(p->os, &p->seq);
    stet_pipeline_sums sums = stet__pipeline_sums(p);
    out->encoded_bytes = sums.taken_bytes;
    out->written_bytes = sums.frame_bytes;
    out->queue_events = sums.queued_events;
    out->queue_bytes = sums.queued_bytes;
    out->queue_waits = sums.full_waits;
    out->queue_refused = sums.refused;
    if (sums.taken_bytes > 0) {
        out->compression_ratio =
            (double)out->raw_bytes / (double)sums.taken_bytes;
    }
}

static void put_table(stet *s, stet_metrics *out)
{
    stet_table_sums sums = stet__table_sums(&s->table);
    out->total_loads = sums.loads;
    out->cache_hits = sums.loads - sums.misses;
    out->cache_misses = sums.misses;
    out->cache_entries = sums.entries;
    out->cache_bytes = sums.bytes;
    out->evictions = sums.evictions;
}

void stet_get_metrics(stet *s, stet_metrics *out)
{
    const double ns_per_ms = 1e6;
    stet_counters *c = &s->counters;
    stet_metrics m = {.struct_size = sizeof(m)};
    put_writes(s, &m);
    put_table(s, &m);
    m.failed_operations =
        atomic_load_explicit(&c->failed, memory_order_relaxed);
    m.history_loads =
        atomic_load_explicit(&c->history_loads, memory_order_relaxed);
    m.save_ns = distribution_of(s, STET_SERIES_SAVE_NS);
    m.load_ns = distribution_of(s, STET_SERIES_LOAD_NS);
    m.sync_ns = distribution_of(s, STET_SERIES_SYNC_NS);
    m.batch_events = distribution_of(s, STET_SERIES_BATCH_EVENTS);
    m.average_save_time_ms = m.save_ns.mean / ns_per_ms;
    m.average_load_time_ms = m.load_ns.mean / ns_per_ms;
    m.throttled = atomic_load_explicit(&s->throttled, memory_order_relaxed);
    m.throttled_ns =
        atomic_load_explicit(&s->throttled_ns, memory_order_relaxed);
    m.uptime_ns = s->os->monotonic(s->os) - c->opened;
    stet__options_give(&m, sizeof(m), out);
}

/* ---- one machine ---- */

static void count_event(const stet_event *e, stet_machine_metrics *out)
{
    out->total_saves++;
    out->total_snapshots += (e->flags & STET_EVENT_BASE) != 0;
    out->total_recoveries += e->kind == STET_EVENT_RESTORED;
    out->failed_operations += e->kind == STET_EVENT_FAILED || e->error.len > 0;
}

static stet_status count_history(stet *s, stet_machine_key key,
                                 stet_machine_metrics *out, stet_error *err)
{
    stet_history *history = NULL;
    const stet_event *event = NULL;
    stet_history_opts all = {.ns = key.ns};
    stet_status st = stet__history_open(s, key, &all, &history, err);
    while (st == STET_OK) {
        st = stet_history_next(history, &event, err);
        if (st == STET_OK) {
            count_event(event, out);
        }
    }
    stet_history_close(history);
    return st == STET_DONE ? STET_OK : st;
}

static double mean_ms(uint64_t sum_ns, uint32_t count)
{
    return count == 0 ? 0 : (double)sum_ns / (double)count / 1e6;
}

static void put_counts(const stet_entry_counts *c, stet_machine_metrics *out)
{
    out->is_cached = true;
    out->total_loads = c->loads;
    out->cache_hits = c->loads - c->misses;
    out->cache_misses = c->misses;
    out->average_save_time_ms = mean_ms(c->save_ns, c->saves_timed);
    out->average_load_time_ms = mean_ms(c->load_ns, c->loads_timed);
}

stet_status stet_get_machine_metrics(stet *s, stet_slice id, uint8_t ns,
                                     stet_machine_metrics *out, stet_error *err)
{
    stet__error_reset(err);
    stet_machine_key key = {id, ns};
    stet_machine_metrics m = {.struct_size = sizeof(m)};
    stet_entry_counts counts;
    stet_status st = stet__id_check(id, ns, err);
    if (st == STET_OK) {
        st = count_history(s, key, &m, err);
    }
    if (st != STET_OK) {
        return st;
    }
    if (stet__table_counts_of(&s->table, key, &counts)) {
        put_counts(&counts, &m);
    }
    stet__error_reset(err);
    stet__options_give(&m, sizeof(m), out);
    return STET_OK;
}
