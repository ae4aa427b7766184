/*
 * checkpoint set, list, show, restore, delete.
 */
#include <inttypes.h>

#include "base/bytes.h"
#include "base/error.h"
#include "cli/change.h"
#include "cli/value.h"
#include "cli/view.h"

static void put_json(FILE *out, const stet_checkpoint *c)
{
    json_out j = json_out_to(out);
    json_begin_object(&j, NULL);
    json_str(&j, "name", c->name);
    json_str_or_null(&j, "state_machine_id", c->state_machine_id);
    json_u64(&j, "turn_number", c->turn_number);
    json_u64(&j, "history_size", c->history_size);
    json_position(&j, "position", c->position);
    json_time(&j, "created_at", c->created_at);
    json_embed_if(&j, "metadata", c->metadata);
    json_end_object(&j);
    json_end_line(&j);
}

/* What a checkpoint names: "game:1 seq 7", or the whole store. */
static void put_point(FILE *out, const stet_checkpoint *c)
{
    if (c->state_machine_id.len == 0) {
        fprintf(out, "the whole store at position %" PRIu64, c->position);
    } else {
        cli_put_text(out, c->state_machine_id);
        fprintf(out, " seq %" PRIu64, c->turn_number);
    }
}

static void put_text(FILE *out, const stet_checkpoint *c)
{
    cli_put_text(out, c->name);
    fputc('\t', out);
    put_point(out, c);
    fputc('\t', out);
    view_time(out, c->created_at);
    if (c->metadata.len > 0) {
        fputc('\t', out);
        cli_put_text(out, c->metadata);
    }
    fputc('\n', out);
}

static void put(const cli_ctx *ctx, const stet_checkpoint *c)
{
    if (ctx->is_json) {
        put_json(ctx->out, c);
    } else {
        put_text(ctx->out, c);
    }
}

stet_status cli_checkpoint_list(cli_ctx *ctx, stet_error *err)
{
    stet_status st = cli_open(ctx, err);
    if (st != STET_OK) {
        return st;
    }
    stet_checkpoints *list = NULL;
    st =
        stet_checkpoints_open(ctx->store, cli_arg(ctx, 0), ctx->ns, &list, err);
    while (st == STET_OK && !ferror(ctx->out)) {
        const stet_checkpoint *c = NULL;
        st = stet_checkpoints_next(list, &c, err);
        if (st == STET_OK) {
            put(ctx, c);
        }
    }
    stet_checkpoints_close(list);
    return st == STET_DONE ? STET_OK : st;
}

/*
 * Find the checkpoint NAME [ID] of the arguments. `*out` is lent until `*list`,
 * which the caller closes in any case, is closed.
 */
static stet_status find(cli_ctx *ctx, stet_checkpoints **list,
                        const stet_checkpoint **out, stet_error *err)
{
    stet_slice name = cli_arg(ctx, 0);
    stet_status st =
        stet_checkpoints_open(ctx->store, cli_arg(ctx, 1), ctx->ns, list, err);
    while (st == STET_OK) {
        const stet_checkpoint *c = NULL;
        st = stet_checkpoints_next(*list, &c, err);
        if (st == STET_OK && stet__slice_eq(c->name, name)) {
            *out = c;
            return STET_OK;
        }
    }
    if (st != STET_DONE) {
        return st;
    }
    return stet__fail(err, STET_E_NOT_FOUND, 0,
                      "checkpoint %s of %s: not found", ctx->args[0],
                      ctx->arg_count > 1 ? ctx->args[1] : "the whole store");
}

stet_status cli_checkpoint_show(cli_ctx *ctx, stet_error *err)
{
    stet_checkpoints *list = NULL;
    const stet_checkpoint *c = NULL;
    stet_status st = cli_open(ctx, err);
    if (st == STET_OK) {
        st = find(ctx, &list, &c, err);
    }
    if (st == STET_OK) {
        put(ctx, c);
    }
    stet_checkpoints_close(list);
    return st;
}

static void put_set(cli_ctx *ctx, const stet_checkpoint_name *name)
{
    if (!ctx->is_json) {
        cli_put_text(ctx->out, stet_str(name->text));
        fputc('\n', ctx->out);
        return;
    }
    json_out j = json_out_to(ctx->out);
    json_begin_object(&j, NULL);
    json_str(&j, "name", stet_str(name->text));
    json_str_or_null(&j, "state_machine_id", cli_arg(ctx, 1));
    json_end_object(&j);
    json_end_line(&j);
}

stet_status cli_checkpoint_set(cli_ctx *ctx, stet_error *err)
{
    stet_read_opts at = {0};
    stet_status st =
        value_read_opts(ctx, ctx->options[CLI_OPT_AT_POINT].at, &at, err);
    if (st != STET_OK) {
        return st;
    }
    stet_checkpoint_opts opts = {
        .struct_size = sizeof opts,
        .name = cli_arg(ctx, 0),
        .metadata = cli_text(ctx, CLI_OPT_METADATA),
        .at = at.at,
        .ns = ctx->ns,
        .is_replace = cli_is_given(ctx, CLI_OPT_REPLACE),
    };
    stet_checkpoint_name name = {0};
    st = cli_open(ctx, err);
    if (st == STET_OK) {
        st =
            stet_checkpoint_set(ctx->store, cli_arg(ctx, 1), &opts, &name, err);
    }
    if (st == STET_OK) {
        put_set(ctx, &name);
    }
    return st;
}

stet_status cli_checkpoint_restore(cli_ctx *ctx, stet_error *err)
{
    stet_write_opts opts = {
        .struct_size = sizeof opts,
        .more = change_of_options(ctx, STET_VERB_RESTORE),
        .key = cli_text(ctx, CLI_OPT_KEY),
    };
    stet_written written = {0};
    stet_status st = cli_open(ctx, err);
    if (st == STET_OK) {
        st = stet_checkpoint_restore(ctx->store, cli_arg(ctx, 1),
                                     cli_arg(ctx, 0), &opts, &written, err);
    }
    if (st == STET_OK) {
        view_written(ctx, cli_arg(ctx, 1), &written);
    }
    return st;
}

/* Say what is about to be lost, so that it can be set again by hand. */
static void tell_plan(const stet_checkpoint *c)
{
    fputs("stet: takes away the name ", stderr);
    cli_put_text(stderr, c->name);
    fputs(" of ", stderr);
    put_point(stderr, c);
    fputs("; the history stays\n", stderr);
}

static void put_deleted(cli_ctx *ctx)
{
    json_out j = json_out_to(ctx->out);
    json_begin_object(&j, NULL);
    json_str(&j, "name", cli_arg(ctx, 0));
    json_str_or_null(&j, "state_machine_id", cli_arg(ctx, 1));
    json_bool(&j, "is_deleted", true);
    json_end_object(&j);
    json_end_line(&j);
}

stet_status cli_checkpoint_delete(cli_ctx *ctx, stet_error *err)
{
    stet_checkpoints *list = NULL;
    const stet_checkpoint *c = NULL;
    stet_status st = cli_open(ctx, err);
    if (st == STET_OK) {
        st = find(ctx, &list, &c, err);
    }
    if (st == STET_OK) {
        tell_plan(c);
    }
    stet_checkpoints_close(list);
    if (st != STET_OK) {
        return st;
    }
    if (!cli_is_given(ctx, CLI_OPT_YES)) {
        cli_try(ctx, "the same with --yes");
        return stet__fail(err, STET_E_INVALID, 0,
                          "checkpoint %s: not deleted without --yes",
                          ctx->args[0]);
    }
    st = stet_checkpoint_delete(ctx->store, cli_arg(ctx, 1), ctx->ns,
                                cli_arg(ctx, 0), err);
    if (st == STET_OK && ctx->is_json) {
        put_deleted(ctx);
    }
    return st;
}
