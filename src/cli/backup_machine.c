#include "cli/backup_machine.h"

#include <inttypes.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/bytes.h"
#include "base/error.h"
#include "cli/exporter.h"
#include "cli/importer.h"
#include "cli/json_out.h"
#include "cli/progress.h"
#include "formats/printer.h"

/* Open the backup that is meant, as a store. */
static stet_status open_backup(const cli_ctx *ctx, stet **out, stet_error *err)
{
    stet_opts opts = {.struct_size = sizeof opts, .mode = STET_OPEN_READONLY};
    stet_buf url;
    stet__buf_init(&url, &stet__heap);
    stet__buf_printf(&url, "backup:%s", ctx->args[0]);
    if (cli_is_given(ctx, CLI_OPT_BACKUP)) {
        stet__buf_printf(&url, "#%" PRIu64, cli_number(ctx, CLI_OPT_BACKUP, 0));
    }
    stet__buf_put_u8(&url, '\0');
    stet_status st = url.is_failed
                         ? stet__fail(err, STET_E_NOMEM, 0, "open a backup")
                         : stet_open((const char *)url.ptr, &opts, out, err);
    stet__buf_deinit(&url);
    return st;
}

stet_status backup_machine_checkpoint(cli_ctx *ctx, stet_at *out,
                                      stet_error *err)
{
    stet *backup = NULL;
    stet_checkpoints *list = NULL;
    stet_slice name = ctx->options[CLI_OPT_TO_POINT].at.name;
    stet_status st = open_backup(ctx, &backup, err);
    if (st == STET_OK) {
        st = stet_checkpoints_open(backup, stet_str(""), 0, &list, err);
    }
    while (st == STET_OK) {
        const stet_checkpoint *c = NULL;
        st = stet_checkpoints_next(list, &c, err);
        if (st == STET_OK && stet__slice_eq(c->name, name)) {
            *out = (stet_at){.kind = STET_AT_POSITION, .seq = c->position};
            break;
        }
    }
    stet_checkpoints_close(list);
    (void)stet_close(backup, NULL); /* was only read */
    return st == STET_DONE ? stet__fail(err, STET_E_NOT_FOUND, 0,
                                        "the backup has no checkpoint %s of "
                                        "the whole store",
                                        ctx->options[CLI_OPT_TO_POINT].text + 1)
                           : st;
}

/* A machine on its way: from where, up to where. */
typedef struct passage {
    cli_ctx *ctx;
    stet *backup;
    stet_slice id;
    stet_slice new_id;
    uint64_t seq; /* the last one */
    bool is_fork;
    import_counts counts;
} passage;

static stet_status find_last(passage *p, const stet_at *at, stet_error *err)
{
    const stet_state *state = NULL;
    stet_read_opts opts = {
        .struct_size = sizeof opts, .at = *at, .ns = p->ctx->ns};
    stet_status st = stet_load(p->backup, p->id, &opts, &state, err);
    if (st == STET_OK) {
        p->seq = state->seq;
    }
    stet_state_release(state);
    return st;
}

/* Is the new id free, and was it always? */
static stet_status claim_free(const passage *p, stet_error *err)
{
    stet_history *history = NULL;
    stet_history_opts opts = {.struct_size = sizeof opts, .ns = p->ctx->ns};
    stet_status st =
        stet_history_open(p->ctx->store, p->new_id, &opts, &history, err);
    stet_history_close(history);
    if (st == STET_OK) {
        cli_try(p->ctx, "--as with an id that was never used");
        return stet__fail(err, STET_E_EXISTS, 0, "machine %s has a history",
                          p->ctx->options[CLI_OPT_AS].text);
    }
    return st == STET_E_NOT_FOUND ? STET_OK : st;
}

/* Does the store have the very event with which the history is to end? */
static bool has_same_event(const passage *p)
{
    stet_info ours = {.struct_size = sizeof ours};
    stet_info theirs = {.struct_size = sizeof theirs};
    if (stet_get_info(p->ctx->store, &ours, NULL) != STET_OK ||
        stet_get_info(p->backup, &theirs, NULL) != STET_OK ||
        strcmp(ours.uuid, theirs.uuid) != 0) {
        return false;
    }
    stet_read_opts opts = {.struct_size = sizeof opts,
                           .at = {.kind = STET_AT_SEQ, .seq = p->seq},
                           .ns = p->ctx->ns};
    const stet_state *a = NULL;
    const stet_state *b = NULL;
    bool is_same =
        stet_load(p->ctx->store, p->id, &opts, &a, NULL) == STET_OK &&
        stet_load(p->backup, p->id, &opts, &b, NULL) == STET_OK &&
        a->position == b->position &&
        stet__slice_eq(a->state_data, b->state_data);
    stet_state_release(a);
    stet_state_release(b);
    return is_same;
}

static stet_status fork_machine(passage *p, stet_error *err)
{
    stet_fork_opts opts = {.struct_size = sizeof opts,
                           .at = {.kind = STET_AT_SEQ, .seq = p->seq}};
    opts.write.more.ns = p->ctx->ns;
    stet_status st =
        stet_fork(p->ctx->store, p->id, p->new_id, &opts, NULL, err);
    p->is_fork = st == STET_OK;
    return st;
}

static stet_status feed(void *ctx, stet_slice bytes, stet_error *err)
{
    return importer_feed(ctx, bytes, err);
}

static stet_status print_history(const passage *p, stet_printer *printer,
                                 stet_error *err)
{
    exported what = {
        .id = p->id,
        .as = p->new_id,
        .opts = {.struct_size = sizeof what.opts,
                 .to_seq = p->seq + 1,
                 .flags = STET_HISTORY_STATES,
                 .ns = p->ctx->ns},
    };
    stet_status st = exporter_print(printer, p->backup, &what, err);
    return st == STET_OK ? stet__printer_finish(printer, err) : st;
}

/* What an export prints an import takes: the one feeds the other. */
static stet_status copy_machine(passage *p, stet_error *err)
{
    importer *im = NULL;
    stet_printer *printer = NULL;
    importer_opts opts = {
        .store = p->ctx->store, .format = STET_FORMAT_JSONL, .ns = p->ctx->ns};
    stet_status st = importer_open(&opts, &p->counts, &im, err);
    if (st == STET_OK) {
        st = stet__printer_create(&stet__heap, STET_FORMAT_JSONL, feed, im,
                                  &printer, err);
    }
    if (st == STET_OK) {
        st = print_history(p, printer, err);
    }
    if (st == STET_OK) {
        st = importer_finish(im, err);
    }
    stet__printer_destroy(printer);
    importer_close(im);
    return st;
}

static void put_machine(const passage *p)
{
    FILE *out = p->ctx->out;
    if (!p->ctx->is_json) {
        cli_put_text(out, p->new_id);
        fprintf(out, "\tseq %" PRIu64 "\t%s\n", p->seq + p->is_fork,
                p->is_fork ? "forked" : "copied");
        return;
    }
    json_out j = json_out_to(out);
    json_begin_object(&j, NULL);
    json_str(&j, "state_machine_id", p->new_id);
    json_u64(&j, "seq", p->seq + p->is_fork);
    json_bool(&j, "is_fork", p->is_fork);
    json_end_object(&j);
    json_end_line(&j);
}

stet_status backup_machine_restore(cli_ctx *ctx, const stet_at *at,
                                   stet_error *err)
{
    passage p = {
        .ctx = ctx,
        .id = cli_text(ctx, CLI_OPT_MACHINE),
        .new_id = cli_text(ctx, CLI_OPT_AS),
    };
    stet_status st = open_backup(ctx, &p.backup, err);
    if (st == STET_OK) {
        st = find_last(&p, at, err);
    }
    if (st == STET_OK) {
        st = claim_free(&p, err);
    }
    if (st == STET_OK) {
        cli_progress progress;
        cli_progress_begin(&progress, "restore");
        st = has_same_event(&p) ? fork_machine(&p, err) : copy_machine(&p, err);
        cli_progress_end(&progress);
    }
    (void)stet_close(p.backup, NULL); /* was only read */
    if (st == STET_OK) {
        put_machine(&p);
    }
    return st;
}
