/*
 * store salvage: what is left of a damaged store, as a new one.
 */
#include <inttypes.h>

#include "base/error.h"
#include "cli/cli.h"
#include "cli/json_out.h"
#include "cli/progress.h"

static void put_range(FILE *out, const char *what, const stet_loss *loss)
{
    if (loss->to == UINT64_MAX) {
        fprintf(out, " from %s %" PRIu64 " on", what, loss->from);
    } else if (loss->to == loss->from + 1) {
        fprintf(out, " %s %" PRIu64, what, loss->from);
    } else {
        fprintf(out, " %s %" PRIu64 " to %" PRIu64, what, loss->from,
                loss->to - 1);
    }
}

static void put_loss_text(FILE *out, const stet_loss *loss)
{
    switch (loss->kind) {
    case STET_LOSS_FILE:
        fprintf(out, "file %s", loss->file);
        put_range(out, "bytes", loss);
        break;
    case STET_LOSS_POSITIONS:
        fputs("store", out);
        put_range(out, "positions", loss);
        break;
    case STET_LOSS_EVENTS:
        fputs("machine ", out);
        cli_put_text(out, loss->id);
        put_range(out, "seq", loss);
        break;
    }
    fprintf(out, ": %s\n", loss->why);
}

static void put_loss_json(FILE *out, const stet_loss *loss)
{
    static const char *const ranges[][2] = {
        [STET_LOSS_FILE] = {"from_offset", "to_offset"},
        [STET_LOSS_POSITIONS] = {"from_position", "to_position"},
        [STET_LOSS_EVENTS] = {"from_seq", "to_seq"},
    };
    json_out j = json_out_to(out);
    json_begin_object(&j, NULL);
    if (loss->kind == STET_LOSS_FILE) {
        json_str(&j, "file", stet_str(loss->file));
    } else if (loss->kind == STET_LOSS_EVENTS) {
        json_str(&j, "state_machine_id", loss->id);
        json_u64(&j, "namespace", loss->ns);
    }
    json_position(&j, ranges[loss->kind][0], loss->from);
    if (loss->to != UINT64_MAX) {
        json_position(&j, ranges[loss->kind][1], loss->to);
    }
    json_str(&j, "why", stet_str(loss->why));
    json_end_object(&j);
    json_end_line(&j);
}

static void on_loss(void *ctx, const stet_loss *loss)
{
    const cli_ctx *cli = ctx;
    if (cli->is_json) {
        put_loss_json(cli->out, loss);
    } else {
        put_loss_text(cli->out, loss);
    }
}

static void put_report(cli_ctx *ctx, const stet_salvage_report *r)
{
    const struct {
        const char *name;
        uint64_t n;
    } counts[] = {
        {"files", r->files},
        {"damaged_files", r->damaged_files},
        {"events", r->events},
        {"machines", r->machines},
        {"lost", r->lost},
        {"unreadable", r->unreadable},
        {"incomplete", r->incomplete},
    };
    json_out j = json_out_to(ctx->out);
    if (ctx->is_json) {
        json_begin_object(&j, NULL);
    }
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        if (ctx->is_json) {
            json_u64(&j, counts[i].name, counts[i].n);
        } else {
            fprintf(ctx->out, "%-16s %" PRIu64 "\n", counts[i].name,
                    counts[i].n);
        }
    }
    if (ctx->is_json) {
        json_end_object(&j);
        json_end_line(&j);
    }
}

stet_status cli_store_salvage(cli_ctx *ctx, stet_error *err)
{
    const char *out = ctx->options[CLI_OPT_OUT].text;
    stet_salvage_opts opts = {
        .struct_size = sizeof opts, .loss = on_loss, .ctx = ctx};
    stet_salvage_report report = {0};
    if (out == NULL) {
        cli_try_command(ctx, "store", " salvage --out DIR");
        return stet__fail(err, STET_E_INVALID, 0,
                          "--out: where does the new store go?");
    }
    if (cli_store_path(ctx->store_url) != NULL) {
        cli_allow_folder(ctx, cli_store_path(ctx->store_url), SANDBOX_READ,
                         false);
    }
    if (cli_store_path(out) != NULL) {
        cli_allow_folder(ctx, cli_store_path(out), SANDBOX_WRITE, true);
    }
    sandbox_enter(&ctx->sandbox);
    cli_progress progress;
    cli_progress_begin_beside(&progress, "salvage", ctx->out);
    stet_status st = stet_salvage(ctx->store_url, out, &opts, &report, err);
    cli_progress_end(&progress);
    if (st == STET_E_EXISTS) {
        cli_try(ctx, "--out with a folder that is empty, or not there yet");
    } else if (st == STET_E_NOT_FOUND) {
        cli_try(ctx, "--store with the folder of the damaged store");
    }
    if (st != STET_OK) {
        return st;
    }
    put_report(ctx, &report);
    if (report.lost == 0 && report.unreadable == 0) {
        return STET_OK;
    }
    cli_try(ctx, "stet --store %s store verify, and work on with that one",
            cli_quote(stet_str(out)).text);
    return stet__fail(err, STET_E_CORRUPT, 0,
                      "%" PRIu64 " events are lost, and the states of %" PRIu64
                      " more",
                      report.lost, report.unreadable);
}
