/*
 * export: histories as an event log.
 */
#include <errno.h>

#include "base/error.h"
#include "cli/cli.h"
#include "cli/exporter.h"
#include "cli/progress.h"
#include "cli/value.h"
#include "formats/printer.h"

static stet_status write_out(void *ctx, stet_slice bytes, stet_error *err)
{
    const cli_ctx *cli = ctx;
    errno = 0;
    if (fwrite(bytes.ptr, 1, bytes.len, cli->out) != bytes.len) {
        return stet__fail(err, STET_E_IO, errno, "write the output");
    }
    return STET_OK;
}

static stet_status print_machines(cli_ctx *ctx, stet_printer *printer,
                                  stet_error *err)
{
    stet_keys_opts opts = {
        .struct_size = sizeof opts,
        .pattern = cli_arg(ctx, 0),
        .ns = ctx->ns,
        .with_deleted = cli_is_given(ctx, CLI_OPT_DELETED),
    };
    stet_keys *keys = NULL;
    stet_status st = stet_keys_open(ctx->store, &opts, &keys, err);
    while (st == STET_OK) {
        const stet_key *key = NULL;
        st = stet_keys_next(keys, &key, err);
        if (st == STET_OK) {
            exported what = {.id = key->id,
                             .as = key->id,
                             .opts = {.struct_size = sizeof what.opts,
                                      .flags = STET_HISTORY_STATES,
                                      .ns = ctx->ns}};
            st = exporter_print(printer, ctx->store, &what, err);
        }
    }
    stet_keys_close(keys);
    return st == STET_DONE ? STET_OK : st;
}

stet_status cli_export(cli_ctx *ctx, stet_error *err)
{
    if (cli_is_given(ctx, CLI_OPT_PROOF)) {
        return cli_export_proof(ctx, err);
    }
    stet_printer *printer = NULL;
    /* The choices are the formats in the order of their values. */
    uint64_t choice = 0;
    stet_status st =
        value_format(ctx, CLI_OPT_LOG_FORMAT,
                     STET_FORMAT_JSONL - STET_FORMAT_XES, &choice, err);
    if (st == STET_OK) {
        st = cli_open(ctx, err);
    }
    if (st == STET_OK) {
        st = stet__printer_create(&stet__heap,
                                  (stet_format)(choice + STET_FORMAT_XES),
                                  write_out, ctx, &printer, err);
    }
    if (st == STET_OK) {
        cli_progress progress;
        cli_progress_begin_beside(&progress, "export", ctx->out);
        st = print_machines(ctx, printer, err);
        cli_progress_end(&progress);
    }
    if (st == STET_OK) {
        st = stet__printer_finish(printer, err);
    }
    stet__printer_destroy(printer);
    return st;
}
