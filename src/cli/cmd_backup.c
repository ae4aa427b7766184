/*
 * backup create, list, verify, restore, prune.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/error.h"
#include "cli/backup_machine.h"
#include "cli/cli.h"
#include "cli/json_out.h"
#include "cli/progress.h"
#include "cli/view.h"

/* Where the command writes. */
static stet_slice written_to(const cli_ctx *ctx)
{
    return cli_is_given(ctx, CLI_OPT_OUT)       ? cli_text(ctx, CLI_OPT_OUT)
           : cli_is_given(ctx, CLI_OPT_MACHINE) ? stet_str(ctx->store_url)
                                                : cli_arg(ctx, 0);
}

/* What went wrong has to do with the backup folder: say the next step. */
static stet_status hint(cli_ctx *ctx, stet_status st)
{
    const char *folder = cli_quote(cli_arg(ctx, 0)).text;
    if (ctx->hint[0] != '\0') {
        return st;
    }
    switch (st) {
    case STET_E_NOT_FOUND:
        cli_try(ctx, "stet backup list %s", folder);
        break;
    case STET_E_LOCKED:
        cli_try(ctx, "again when that process is done");
        break;
    case STET_E_CORRUPT:
    case STET_E_FORMAT:
        cli_try(ctx,
                "stet backup list %s, then an older one: --backup NUMBER; "
                "stet backup create --full %s makes a whole new one",
                folder, folder);
        break;
    case STET_E_NOSPACE:
        cli_try(ctx, "df -h %s, make room and do it again",
                cli_quote(written_to(ctx)).text);
        break;
    default:
        break; /* as of any command */
    }
    return st;
}

/* ---- printing ---- */

static void put_time_or_null(json_out *j, const char *name, int64_t time,
                             bool is_there)
{
    if (is_there) {
        json_time(j, name, time);
    } else {
        json_null(j, name);
    }
}

static void put_json(FILE *out, const stet_backup *b)
{
    json_out j = json_out_to(out);
    json_begin_object(&j, NULL);
    json_u64(&j, "backup", b->number);
    json_bool(&j, "is_damaged", b->is_damaged);
    if (!b->is_damaged) {
        json_str(&j, "store_uuid", stet_str(b->store_uuid));
        json_u64(&j, "previous", b->previous);
        json_position(&j, "position", b->position);
        put_time_or_null(&j, "recorded_at", b->recorded_at, b->position > 0);
        json_time(&j, "created_at", b->created_at);
        json_u64(&j, "files", b->files);
        json_u64(&j, "new_files", b->new_files);
        json_u64(&j, "bytes", b->bytes);
        json_u64(&j, "new_bytes", b->new_bytes);
    }
    json_end_object(&j);
    json_end_line(&j);
}

static void put_text(FILE *out, const stet_backup *b)
{
    if (b->is_damaged) {
        fprintf(out, "%" PRIu32 "\tdamaged\n", b->number);
        return;
    }
    fprintf(out, "%" PRIu32 "\tposition %" PRIu64 "\t", b->number, b->position);
    view_time(out, b->created_at);
    fprintf(out,
            "\t%" PRIu32 " files, %" PRIu64 " bytes\t%" PRIu32 " new, %" PRIu64
            " bytes\n",
            b->files, b->bytes, b->new_files, b->new_bytes);
}

static void put(const cli_ctx *ctx, const stet_backup *b)
{
    if (ctx->is_json) {
        put_json(ctx->out, b);
    } else {
        put_text(ctx->out, b);
    }
}

/* ---- create, list ---- */

stet_status cli_backup_create(cli_ctx *ctx, stet_error *err)
{
    cli_allow_folder(ctx, ctx->args[0], SANDBOX_WRITE, true);
    stet_status st = cli_open(ctx, err);
    if (st != STET_OK) {
        return st;
    }
    cli_progress progress;
    stet_backup_opts opts = {
        .struct_size = sizeof opts,
        .flags = cli_is_given(ctx, CLI_OPT_FULL) ? STET_BACKUP_FULL : 0,
        .progress = cli_progress_tell,
        .ctx = &progress,
    };
    stet_backup made = {.struct_size = sizeof made};
    cli_progress_begin(&progress, "backup");
    st = stet_backup_create(ctx->store, ctx->args[0], &opts, &made, err);
    cli_progress_end(&progress);
    if (st == STET_OK) {
        put(ctx, &made);
    } else if (st == STET_E_EXISTS) {
        cli_try(ctx, "an empty folder, or one not there yet");
    } else if (st == STET_E_UNSUPPORTED) {
        cli_try(ctx, "cp -a, of the folder that holds the backup");
    }
    return hint(ctx, st);
}

stet_status cli_backup_list(cli_ctx *ctx, stet_error *err)
{
    stet_backups *list = NULL;
    cli_allow_folder(ctx, ctx->args[0], SANDBOX_READ, false);
    sandbox_enter(&ctx->sandbox);
    stet_status st = stet_backups_open(ctx->args[0], NULL, &list, err);
    if (st == STET_E_NOT_FOUND && err->os_errno == ENOENT) {
        cli_try(ctx, "stet --store URL backup create %s",
                cli_quote(cli_arg(ctx, 0)).text);
    } else if (st == STET_E_NOT_FOUND) {
        cli_try(ctx, "a folder of backups");
    }
    while (st == STET_OK && !ferror(ctx->out)) {
        const stet_backup *b = NULL;
        st = stet_backups_next(list, &b, err);
        if (st == STET_OK) {
            put(ctx, b);
        }
    }
    stet_backups_close(list);
    return st == STET_DONE ? STET_OK : hint(ctx, st);
}

/* ---- verify ---- */

static void put_report(const cli_ctx *ctx, const stet_verify_report *report,
                       bool is_sound)
{
    if (!ctx->is_json) {
        fprintf(ctx->out, "%" PRIu64 " records, %" PRIu64 " histories, %s\n",
                report->records, report->machines,
                is_sound ? "sound" : "damaged");
        return;
    }
    json_out j = json_out_to(ctx->out);
    json_begin_object(&j, NULL);
    json_u64(&j, "records", report->records);
    json_u64(&j, "histories", report->machines);
    json_u64(&j, "unfolded", report->unfolded);
    json_u64(&j, "index_damaged", report->index_damaged);
    json_bool(&j, "is_sound", is_sound);
    json_end_object(&j);
    json_end_line(&j);
}

stet_status cli_backup_verify(cli_ctx *ctx, stet_error *err)
{
    cli_progress progress;
    stet_verify_report report = {0};
    stet_restore_opts opts = {
        .struct_size = sizeof opts,
        .number = (uint32_t)cli_number(ctx, CLI_OPT_BACKUP, 0),
        .progress = cli_progress_tell,
        .ctx = &progress,
    };
    cli_allow_folder(ctx, ctx->args[0], SANDBOX_READ, false);
    sandbox_enter(&ctx->sandbox);
    cli_progress_begin(&progress, "verify");
    stet_status st = stet_backup_verify(ctx->args[0], &opts, &report, err);
    cli_progress_end(&progress);
    if (st == STET_OK && report.index_damaged > 0) {
        st = stet__fail(err, STET_E_CORRUPT, 0,
                        "%" PRIu64 " index blocks are damaged, no record is",
                        report.index_damaged);
        cli_try(ctx, "stet store reindex, of what is restored from it or of "
                     "the store, then another backup");
    }
    if (st == STET_OK || st == STET_E_CORRUPT) {
        put_report(ctx, &report, st == STET_OK);
    }
    return hint(ctx, st);
}

/* ---- restore ---- */

/* The point of --to, as a store is restored to it: position or time. */
static stet_status find_point(cli_ctx *ctx, stet_at *out, stet_error *err)
{
    stet_at at = ctx->options[CLI_OPT_TO_POINT].at;
    if (at.kind == STET_AT_SEQ) {
        at.kind = STET_AT_POSITION;
    } else if (at.kind == STET_AT_TIME) {
        at.kind = STET_AT_RECORDED;
    } else if (at.kind == STET_AT_CHECKPOINT) {
        return backup_machine_checkpoint(ctx, out, err);
    }
    *out = at;
    return STET_OK;
}

static void put_restored(const cli_ctx *ctx, const stet_restored *r)
{
    const char *out = ctx->options[CLI_OPT_OUT].text;
    if (!ctx->is_json) {
        cli_put_text(ctx->out, stet_str(out));
        fprintf(ctx->out,
                "\tposition %" PRIu64 "\tfrom backup %" PRIu32 "\tuuid %s\n",
                r->position, r->number, r->uuid);
        return;
    }
    json_out j = json_out_to(ctx->out);
    json_begin_object(&j, NULL);
    json_str(&j, "store", stet_str(out));
    json_str(&j, "uuid", stet_str(r->uuid));
    json_u64(&j, "backup", r->number);
    json_position(&j, "position", r->position);
    put_time_or_null(&j, "recorded_at", r->recorded_at, r->position > 0);
    json_u64(&j, "bytes", r->bytes);
    json_end_object(&j);
    json_end_line(&j);
}

static stet_status restore_store(cli_ctx *ctx, const stet_at *at,
                                 stet_error *err)
{
    cli_progress progress;
    stet_restored restored = {.struct_size = sizeof restored};
    stet_restore_opts opts = {
        .struct_size = sizeof opts,
        .number = (uint32_t)cli_number(ctx, CLI_OPT_BACKUP, 0),
        .at = *at,
        .progress = cli_progress_tell,
        .ctx = &progress,
    };
    cli_progress_begin(&progress, "restore");
    stet_status st = stet_backup_restore(
        ctx->args[0], ctx->options[CLI_OPT_OUT].text, &opts, &restored, err);
    cli_progress_end(&progress);
    if (st == STET_OK) {
        put_restored(ctx, &restored);
    } else if (st == STET_E_EXISTS) {
        cli_try(ctx, "--out with an empty folder, or one not there yet");
    }
    return st;
}

stet_status cli_backup_restore(cli_ctx *ctx, stet_error *err)
{
    bool is_store = cli_is_given(ctx, CLI_OPT_OUT);
    bool is_machine = cli_is_given(ctx, CLI_OPT_MACHINE);
    if (is_store == is_machine || is_machine != cli_is_given(ctx, CLI_OPT_AS)) {
        return stet__fail(err, STET_E_INVALID, 0,
                          "give --out DIR for a store, or --machine ID and "
                          "--as NEWID for one machine");
    }
    stet_at at = {0};
    stet_status st = STET_OK;
    cli_allow_folder(ctx, ctx->args[0], SANDBOX_READ, false);
    if (is_store) {
        cli_allow_folder(ctx, ctx->options[CLI_OPT_OUT].text, SANDBOX_WRITE,
                         true);
        sandbox_enter(&ctx->sandbox);
    } else {
        st = cli_open(ctx, err);
    }
    if (st == STET_OK) {
        st = find_point(ctx, &at, err);
    }
    if (st == STET_OK) {
        st = is_store ? restore_store(ctx, &at, err)
                      : backup_machine_restore(ctx, &at, err);
    }
    return hint(ctx, st);
}

/* ---- prune ---- */

static void tell_plan(const cli_ctx *ctx, uint64_t keep)
{
    fputs("stet: removes all backups in ", stderr);
    cli_put_text(stderr, cli_arg(ctx, 0));
    fprintf(stderr, " but the newest %" PRIu64 "\n", keep);
}

static void put_pruned(const cli_ctx *ctx, const stet_pruned *p)
{
    if (!ctx->is_json) {
        fprintf(ctx->out,
                "removed: backups %" PRIu64 ", files %" PRIu64
                ", bytes %" PRIu64 "\n",
                p->backups, p->files, p->bytes);
        return;
    }
    json_out j = json_out_to(ctx->out);
    json_begin_object(&j, NULL);
    json_u64(&j, "backups", p->backups);
    json_u64(&j, "files", p->files);
    json_u64(&j, "bytes", p->bytes);
    json_end_object(&j);
    json_end_line(&j);
}

stet_status cli_backup_prune(cli_ctx *ctx, stet_error *err)
{
    uint64_t keep = cli_number(ctx, CLI_OPT_KEEP, 0);
    if (keep == 0) {
        return stet__fail(err, STET_E_INVALID, 0,
                          "--keep: how many are to be kept is not said");
    }
    tell_plan(ctx, keep);
    if (!cli_is_given(ctx, CLI_OPT_YES)) {
        cli_try(ctx, "the same with --yes");
        return stet__fail(err, STET_E_INVALID, 0, "not removed without --yes");
    }
    stet_pruned pruned = {.struct_size = sizeof pruned};
    cli_allow_folder(ctx, ctx->args[0], SANDBOX_WRITE, false);
    sandbox_enter(&ctx->sandbox);
    stet_status st =
        stet_backup_prune(ctx->args[0], (uint32_t)keep, NULL, &pruned, err);
    if (st == STET_OK) {
        put_pruned(ctx, &pruned);
    } else if (st == STET_E_CORRUPT) {
        cli_try(ctx, "a larger --keep; or remove the damaged manifest by hand, "
                     "if no backup needs its files");
    }
    return hint(ctx, st);
}
