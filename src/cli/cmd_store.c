/*
 * store info, verify, reindex, compact.
 */
#include <inttypes.h>

#include "base/error.h"
#include "cli/cli.h"
#include "cli/counts.h"
#include "cli/json_out.h"
#include "cli/progress.h"

enum { NAME_COLUMN = 16 };

static void put_info_json(cli_ctx *ctx, const stet_info *info,
                          const cli_count *counts, size_t n)
{
    json_out j = json_out_to(ctx->out);
    json_begin_object(&j, NULL);
    json_str(&j, "store", stet_str(ctx->store_url));
    json_str(&j, "driver", stet_str(info->driver));
    json_str(&j, "uuid", stet_str(info->uuid));
    json_str(&j, "level", stet_str(stet_level_name(info->level)));
    cli_json_counts(&j, counts, n);
    json_end_object(&j);
    json_end_line(&j);
}

static void put_info_text(cli_ctx *ctx, const stet_info *info,
                          const cli_count *counts, size_t n)
{
    FILE *out = ctx->out;
    fprintf(out, "%-16s ", "store");
    cli_put_text(out, stet_str(ctx->store_url));
    fprintf(out, "\n%-16s %s\n", "driver", info->driver);
    fprintf(out, "%-16s %s\n", "uuid", info->uuid);
    fprintf(out, "%-16s %s\n", "level", stet_level_name(info->level));
    cli_put_counts(out, NAME_COLUMN, counts, n);
}

/* Of the store, not of the handle: that one lives no longer than this. */
stet_status cli_store_info(cli_ctx *ctx, stet_error *err)
{
    stet_info info = {0};
    stet_status st = cli_open(ctx, err);
    if (st == STET_OK) {
        cli_progress progress;
        cli_progress_begin(&progress, "count");
        st = stet_get_info(ctx->store, &info, err);
        cli_progress_end(&progress);
    }
    if (st != STET_OK) {
        return st;
    }
    const cli_count counts[] = {
        {"format", info.format},
        {"machines", info.machines},
        {"events", info.events},
        {"log_bytes", info.log_bytes},
        {"state_raw_bytes", info.state_raw_bytes},
        {"index_bytes", info.index_bytes},
        {"disk_bytes", info.disk_bytes},
        {"segments", info.segments},
        {"segments_max", info.segments_max},
        {"throttled", info.throttled},
        {"unsealed", info.unsealed},
        {"sets", info.sets},
        {"settled", info.settled},
        {"torn_bytes", info.torn_bytes},
    };
    size_t n = sizeof counts / sizeof counts[0];
    if (ctx->is_json) {
        put_info_json(ctx, &info, counts, n);
    } else {
        put_info_text(ctx, &info, counts, n);
    }
    return STET_OK;
}

/* Print what was read, also when damage ended it. */
static void put_report(cli_ctx *ctx, const stet_verify_report *report,
                       bool is_sound)
{
    const cli_count counts[] = {
        {"frames", report->frames},
        {"records", report->records},
        {"histories", report->machines},
        {"unfolded", report->unfolded},
        {"index_blocks", report->index_blocks},
        {"index_damaged", report->index_damaged},
    };
    size_t n = sizeof counts / sizeof counts[0];
    if (!ctx->is_json) {
        cli_put_counts(ctx->out, NAME_COLUMN, counts, n);
        fprintf(ctx->out, "%-16s %s\n", "is_sound", is_sound ? "yes" : "no");
        return;
    }
    json_out j = json_out_to(ctx->out);
    json_begin_object(&j, NULL);
    cli_json_counts(&j, counts, n);
    json_bool(&j, "is_sound", is_sound);
    json_end_object(&j);
    json_end_line(&j);
}

stet_status cli_store_verify(cli_ctx *ctx, stet_error *err)
{
    stet_status st = cli_open(ctx, err);
    if (st != STET_OK) {
        return st;
    }
    stet_verify_report report = {0};
    cli_progress progress;
    cli_progress_begin(&progress, "verify");
    st = stet_verify(ctx->store, cli_progress_tell, &progress, &report, err);
    cli_progress_end(&progress);
    if (st == STET_OK && report.index_damaged > 0) {
        cli_try_command(ctx, "store", " reindex");
        st = stet__fail(err, STET_E_CORRUPT, 0,
                        "%" PRIu64 " index blocks are damaged, no record is",
                        report.index_damaged);
    } else if (st == STET_E_CORRUPT) {
        cli_try(ctx, "put the damaged file back from a copy of %s",
                ctx->store_url);
    }
    if (st == STET_OK || st == STET_E_CORRUPT) {
        put_report(ctx, &report, st == STET_OK);
    }
    return st;
}

/* Print what was done, in numbers. */
static void put_answer(cli_ctx *ctx, const cli_count *counts, size_t n)
{
    if (!ctx->is_json) {
        cli_put_counts(ctx->out, NAME_COLUMN, counts, n);
        return;
    }
    json_out j = json_out_to(ctx->out);
    json_begin_object(&j, NULL);
    cli_json_counts(&j, counts, n);
    json_end_object(&j);
    json_end_line(&j);
}

stet_status cli_store_reindex(cli_ctx *ctx, stet_error *err)
{
    uint64_t rebuilt = 0;
    stet_status st = cli_open(ctx, err);
    if (st == STET_OK) {
        cli_progress progress;
        cli_progress_begin(&progress, "reindex");
        st = stet_reindex(ctx->store, &rebuilt, err);
        cli_progress_end(&progress);
    }
    if (st != STET_OK) {
        return st;
    }
    const cli_count counts[] = {{"files_rebuilt", rebuilt}};
    put_answer(ctx, counts, 1);
    return STET_OK;
}

/* Say what may be lost. */
static void tell_plan(const cli_ctx *ctx, const stet_retention_rule *rule)
{
    fputs("stet: drops of every machine", stderr);
    if (rule->pattern != NULL) {
        fputs(" like ", stderr);
        cli_put_text(stderr, stet_str(rule->pattern));
    }
    if (rule->keep_events > 0) {
        fprintf(stderr,
                " what is more than %" PRIu64 " events behind the newest",
                rule->keep_events);
    }
    if (rule->keep_ns > 0) {
        fprintf(stderr, "%s what is older than %s",
                rule->keep_events > 0 ? " and" : "",
                ctx->options[CLI_OPT_KEEP_AGE].text);
    }
    fputs("; newest states, checkpoints, forks and holds stay\n", stderr);
}

/* Take what may go from the options; none: nothing. */
static stet_status take_rule(cli_ctx *ctx, stet_error *err)
{
    stet_retention_rule *rule = &ctx->rule;
    *rule = (stet_retention_rule){
        .pattern = ctx->options[CLI_OPT_MATCH].text,
        .keep_events = cli_number(ctx, CLI_OPT_KEEP_EVENTS, 0),
        .keep_ns = ctx->options[CLI_OPT_KEEP_AGE].time,
        .ns = ctx->ns,
    };
    if (rule->keep_events == 0 && rule->keep_ns == 0) {
        return rule->pattern == NULL
                   ? STET_OK
                   : stet__fail(err, STET_E_INVALID, 0,
                                "--match goes with --keep-events or "
                                "--keep-age");
    }
    tell_plan(ctx, rule);
    if (!cli_is_given(ctx, CLI_OPT_YES)) {
        cli_try(ctx, "the same with --yes");
        return stet__fail(err, STET_E_INVALID, 0,
                          "nothing is dropped without --yes");
    }
    ctx->has_rule = true;
    return STET_OK;
}

stet_status cli_store_compact(cli_ctx *ctx, stet_error *err)
{
    stet_info before = {0};
    stet_info after = {0};
    stet_status st = take_rule(ctx, err);
    if (st == STET_OK) {
        st = cli_open(ctx, err);
    }
    if (st == STET_OK) {
        st = stet_get_info(ctx->store, &before, err);
    }
    if (st == STET_OK) {
        cli_progress progress;
        cli_progress_begin(&progress, "compact");
        st = stet_compact(ctx->store, err);
        cli_progress_end(&progress);
    }
    if (st == STET_OK) {
        st = stet_get_info(ctx->store, &after, err);
    }
    if (st != STET_OK) {
        return st;
    }
    const cli_count counts[] = {
        {"settled", after.settled - before.settled},
        {"log_bytes_before", before.log_bytes},
        {"log_bytes", after.log_bytes},
    };
    put_answer(ctx, counts, sizeof counts / sizeof counts[0]);
    return STET_OK;
}
