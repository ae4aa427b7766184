/*
 * metrics: what the store's handle counted, and what the store knows for good.
 *
 * A command is a process of its own, whose handle is as old as it. What it
 * counts is therefore told apart from what is in the store.
 */
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "cli/cli.h"
#include "cli/counts.h"

enum { NAME_COLUMN = 24 };

/* A mean, or a share, that may not be known. */
static void json_rate(json_out *j, const char *name, uint64_t part,
                      uint64_t whole)
{
    if (whole == 0) {
        json_null(j, name);
    } else {
        json_double(j, name, (double)part / (double)whole);
    }
}

static void json_distribution(json_out *j, const char *name,
                              const stet_distribution *d)
{
    const cli_count counts[] = {
        {"count", d->count},
        {"p50", d->p50},
        {"p99", d->p99},
        {"p999", d->p999},
    };
    json_begin_object(j, name);
    cli_json_counts(j, counts, sizeof counts / sizeof counts[0]);
    json_double(j, "mean", d->mean);
    json_end_object(j);
}

/* ---- of the whole store ---- */

enum { HANDLE_COUNTS = 20, STORED_COUNTS = 10 };

static void handle_counts(const stet_metrics *m, cli_count out[HANDLE_COUNTS])
{
    const cli_count counts[HANDLE_COUNTS] = {
        {"total_saves", m->total_saves},
        {"total_loads", m->total_loads},
        {"total_snapshots", m->total_snapshots},
        {"total_recoveries", m->total_recoveries},
        {"failed_operations", m->failed_operations},
        {"cache_hits", m->cache_hits},
        {"cache_misses", m->cache_misses},
        {"history_loads", m->history_loads},
        {"raw_bytes", m->raw_bytes},
        {"encoded_bytes", m->encoded_bytes},
        {"written_bytes", m->written_bytes},
        {"queue_events", m->queue_events},
        {"queue_bytes", m->queue_bytes},
        {"queue_waits", m->queue_waits},
        {"queue_refused", m->queue_refused},
        {"cache_entries", m->cache_entries},
        {"cache_bytes", m->cache_bytes},
        {"evictions", m->evictions},
        {"throttled", m->throttled},
        {"throttled_ns", m->throttled_ns},
    };
    memcpy(out, counts, sizeof counts);
}

static void stored_counts(const stet_info *i, cli_count out[STORED_COUNTS])
{
    const cli_count counts[STORED_COUNTS] = {
        {"machines", i->machines},
        {"events", i->events},
        {"state_raw_bytes", i->state_raw_bytes},
        {"log_bytes", i->log_bytes},
        {"index_bytes", i->index_bytes},
        {"disk_bytes", i->disk_bytes},
        {"segments", i->segments},
        {"sets", i->sets},
        {"settled", i->settled},
        {"torn_bytes", i->torn_bytes},
    };
    memcpy(out, counts, sizeof counts);
}

static void put_store_json(cli_ctx *ctx, const stet_metrics *m,
                           const stet_info *info)
{
    cli_count counts[HANDLE_COUNTS];
    cli_count stored[STORED_COUNTS];
    handle_counts(m, counts);
    stored_counts(info, stored);
    json_out j = json_out_to(ctx->out);
    json_begin_object(&j, NULL);
    json_str(&j, "store", stet_str(ctx->store_url));
    json_str(&j, "since", stet_str("this process opened the store"));
    cli_json_counts(&j, counts, HANDLE_COUNTS);
    json_double(&j, "average_save_time_ms", m->average_save_time_ms);
    json_double(&j, "average_load_time_ms", m->average_load_time_ms);
    json_rate(&j, "cache_hit_rate", m->cache_hits, m->total_loads);
    json_double(&j, "compression_ratio", m->compression_ratio);
    json_distribution(&j, "save_ns", &m->save_ns);
    json_distribution(&j, "load_ns", &m->load_ns);
    json_distribution(&j, "sync_ns", &m->sync_ns);
    json_distribution(&j, "batch_events", &m->batch_events);
    json_u64(&j, "uptime_ns", (uint64_t)m->uptime_ns);
    json_begin_object(&j, "stored");
    cli_json_counts(&j, stored, STORED_COUNTS);
    json_end_object(&j);
    json_end_object(&j);
    json_end_line(&j);
}

static void put_store_text(cli_ctx *ctx, const stet_metrics *m,
                           const stet_info *info)
{
    cli_count counts[HANDLE_COUNTS];
    cli_count stored[STORED_COUNTS];
    handle_counts(m, counts);
    stored_counts(info, stored);
    fputs("in the store\n", ctx->out);
    cli_put_counts(ctx->out, NAME_COLUMN, stored, STORED_COUNTS);
    fputs("\nsince this process opened it\n", ctx->out);
    cli_put_counts(ctx->out, NAME_COLUMN, counts, HANDLE_COUNTS);
}

static stet_status put_prometheus(cli_ctx *ctx, stet_error *err)
{
    stet_buffer text = {0};
    stet_status st = stet_metrics_prometheus(ctx->store, &text, err);
    if (st == STET_OK) {
        fwrite(text.ptr, 1, text.len, ctx->out);
    }
    stet_buffer_free(&text);
    return st;
}

static stet_status put_store(cli_ctx *ctx, stet_error *err)
{
    stet_metrics m = {.struct_size = sizeof m};
    stet_info info = {.struct_size = sizeof info};
    stet_status st = stet_get_info(ctx->store, &info, err);
    if (st != STET_OK) {
        return st;
    }
    stet_get_metrics(ctx->store, &m);
    if (ctx->is_json) {
        put_store_json(ctx, &m, &info);
    } else {
        put_store_text(ctx, &m, &info);
    }
    return STET_OK;
}

/* ---- of one machine ---- */

/*
 * Of its history alone: of what is counted while a machine is in memory, this
 * process has nothing to tell but zeros.
 */
static stet_status put_machine(cli_ctx *ctx, stet_error *err)
{
    stet_machine_metrics m = {.struct_size = sizeof m};
    stet_slice id = cli_arg(ctx, 0);
    stet_status st = stet_get_machine_metrics(ctx->store, id, ctx->ns, &m, err);
    if (st != STET_OK) {
        return st;
    }
    const cli_count counts[] = {
        {"total_saves", m.total_saves},
        {"total_snapshots", m.total_snapshots},
        {"total_recoveries", m.total_recoveries},
        {"failed_operations", m.failed_operations},
        {"total_loads", m.total_loads},
        {"cache_hits", m.cache_hits},
        {"cache_misses", m.cache_misses},
    };
    size_t n = sizeof counts / sizeof counts[0];
    if (!ctx->is_json) {
        cli_put_counts(ctx->out, NAME_COLUMN, counts, n);
        return STET_OK;
    }
    json_out j = json_out_to(ctx->out);
    json_begin_object(&j, NULL);
    json_str(&j, "state_machine_id", id);
    cli_json_counts(&j, counts, n);
    json_double(&j, "average_save_time_ms", m.average_save_time_ms);
    json_double(&j, "average_load_time_ms", m.average_load_time_ms);
    json_rate(&j, "cache_hit_rate", m.cache_hits, m.total_loads);
    json_bool(&j, "is_cached", m.is_cached);
    json_end_object(&j);
    json_end_line(&j);
    return STET_OK;
}

stet_status cli_metrics(cli_ctx *ctx, stet_error *err)
{
    bool is_prometheus = cli_is_given(ctx, CLI_OPT_PROMETHEUS);
    if (is_prometheus && (ctx->arg_count > 0 || ctx->is_json)) {
        cli_try_command(ctx, "metrics", " --prometheus");
        return stet__fail(err, STET_E_INVALID, 0,
                          "--prometheus is of the whole store, and no JSON");
    }
    stet_status st = cli_open(ctx, err);
    if (st != STET_OK) {
        return st;
    }
    if (is_prometheus) {
        return put_prometheus(ctx, err);
    }
    return ctx->arg_count > 0 ? put_machine(ctx, err) : put_store(ctx, err);
}
