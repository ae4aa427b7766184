/*
 * machine list, show, load, diff, compare: states.
 */
#include <inttypes.h>

#include "base/error.h"
#include "cli/hint.h"
#include "cli/progress.h"
#include "cli/value.h"
#include "cli/view.h"

static void put_key(cli_ctx *ctx, const stet_key *key)
{
    if (!ctx->is_json) {
        cli_put_text(ctx->out, key->id);
        fputc('\t', ctx->out);
        cli_put_text(ctx->out, key->current_state);
        fprintf(ctx->out, "\t%" PRIu64 "%s\n", key->seq,
                key->is_deleted ? "\tdeleted" : "");
        return;
    }
    json_out j = json_out_to(ctx->out);
    json_begin_object(&j, NULL);
    json_str(&j, "state_machine_id", key->id);
    json_str_or_null(&j, "current_state", key->current_state);
    json_u64(&j, "seq", key->seq);
    json_position(&j, "position", key->position);
    json_bool(&j, "is_deleted", key->is_deleted);
    json_end_object(&j);
    json_end_line(&j);
}

stet_status cli_machine_list(cli_ctx *ctx, stet_error *err)
{
    stet_status st = cli_open(ctx, err);
    if (st != STET_OK) {
        return st;
    }
    stet_keys_opts opts = {
        .struct_size = sizeof opts,
        .pattern = cli_arg(ctx, 0),
        .after = cli_text(ctx, CLI_OPT_AFTER),
        .limit = cli_number(ctx, CLI_OPT_LIMIT, 0),
        .ns = ctx->ns,
        .with_deleted = cli_is_given(ctx, CLI_OPT_DELETED),
    };
    stet_keys *keys = NULL;
    cli_progress progress;
    cli_progress_begin_beside(&progress, "list", ctx->out);
    st = stet_keys_open(ctx->store, &opts, &keys, err);
    while (st == STET_OK && !ferror(ctx->out)) {
        const stet_key *key = NULL;
        st = stet_keys_next(keys, &key, err);
        if (st == STET_OK) {
            put_key(ctx, key);
        }
    }
    stet_keys_close(keys);
    cli_progress_end(&progress);
    return st == STET_DONE ? STET_OK : st;
}

/* Open the store and load the machine named first, at --at. */
static stet_status load(cli_ctx *ctx, const stet_state **out, stet_error *err)
{
    stet_read_opts opts = {0};
    stet_status st =
        value_read_opts(ctx, ctx->options[CLI_OPT_AT_POINT].at, &opts, err);
    if (st == STET_OK) {
        st = cli_open(ctx, err);
    }
    if (st == STET_OK) {
        st = stet_load(ctx->store, cli_arg(ctx, 0), &opts, out, err);
    }
    return st;
}

/* Find where the machine's hash chain ends; of a past state nothing is told. */
static stet_status find_head(cli_ctx *ctx, stet_chain_head *out, bool *out_has,
                             stet_error *err)
{
    *out_has = false;
    if (cli_is_given(ctx, CLI_OPT_AT_POINT)) {
        return STET_OK;
    }
    stet_error why;
    stet_status st =
        stet_get_chain_head(ctx->store, cli_arg(ctx, 0), ctx->ns, out, &why);
    *out_has = st == STET_OK;
    if (st == STET_E_NOT_FOUND || st == STET_E_UNSUPPORTED) {
        return STET_OK;
    }
    *err = st == STET_OK ? *err : why;
    return st;
}

stet_status cli_machine_show(cli_ctx *ctx, stet_error *err)
{
    const stet_state *state = NULL;
    stet_chain_head head;
    bool has_head = false;
    stet_status st = load(ctx, &state, err);
    if (st == STET_OK) {
        st = find_head(ctx, &head, &has_head, err);
    }
    if (st == STET_OK && ctx->is_json) {
        view_state_json(ctx->out, state, has_head ? &head : NULL);
    } else if (st == STET_OK) {
        view_state_text(ctx->out, state, has_head ? &head : NULL);
    }
    stet_state_release(state);
    return st;
}

stet_status cli_machine_load(cli_ctx *ctx, stet_error *err)
{
    const stet_state *state = NULL;
    stet_status st = load(ctx, &state, err);
    if (st == STET_OK && ctx->is_json) {
        view_state_json(ctx->out, state, NULL);
    } else if (st == STET_OK) {
        fwrite(state->state_data.ptr, 1, state->state_data.len, ctx->out);
    }
    stet_state_release(state);
    return st;
}

/* One side of a diff. */
typedef struct side {
    stet_slice id;
    stet_read_opts opts;
} side;

static stet_status set_side(const cli_ctx *ctx, int id_arg, int at_arg,
                            side *out, stet_error *err)
{
    stet_at at = {0};
    stet_status st = STET_OK;
    if (at_arg >= 0) {
        st = value_parse_point(ctx->args[at_arg], &at, err);
    }
    if (st == STET_OK) {
        out->id = cli_arg(ctx, id_arg);
        st = value_read_opts(ctx, at, &out->opts, err);
    }
    return st;
}

/* Where the two sides stand among 2, 3 or 4 arguments; -1: newest. */
static stet_status set_sides(const cli_ctx *ctx, side *a, side *b,
                             stet_error *err)
{
    static const struct {
        int a_id, a_at, b_id, b_at;
    } forms[] = {{0, -1, 1, -1}, {0, 1, 0, 2}, {0, 1, 2, 3}};
    int form = ctx->arg_count - ctx->command->args_min;
    stet_status st = set_side(ctx, forms[form].a_id, forms[form].a_at, a, err);
    if (st == STET_OK) {
        st = set_side(ctx, forms[form].b_id, forms[form].b_at, b, err);
    }
    return st;
}

static stet_status load_side(cli_ctx *ctx, const side *from,
                             const stet_state **out, stet_error *err)
{
    stet_status st = stet_load(ctx->store, from->id, &from->opts, out, err);
    stet_at at = {0};
    if (st != STET_E_NOT_FOUND) {
        return st;
    }
    bool is_point = ctx->arg_count == 2 && from->id.ptr == ctx->args[1] &&
                    value_parse_point(ctx->args[1], &at, NULL) == STET_OK;
    if (is_point) {
        cli_try_command(ctx, "machine", " diff %s %s newest",
                        cli_quote(cli_arg(ctx, 0)).text, ctx->args[1]);
    } else {
        hint_no_point(ctx, from->id, from->opts.at.kind);
    }
    return st;
}

stet_status cli_machine_diff(cli_ctx *ctx, stet_error *err)
{
    side a = {0};
    side b = {0};
    const stet_state *before = NULL;
    const stet_state *after = NULL;
    stet_buffer diff = {0};
    stet_status st = set_sides(ctx, &a, &b, err);
    if (st == STET_OK) {
        st = cli_open(ctx, err);
    }
    if (st == STET_OK) {
        st = load_side(ctx, &a, &before, err);
    }
    if (st == STET_OK) {
        st = load_side(ctx, &b, &after, err);
    }
    if (st == STET_OK) {
        st = stet_diff(before, after, &diff, err);
    }
    if (st == STET_OK) {
        fwrite(diff.ptr, 1, diff.len, ctx->out);
        fputc('\n', ctx->out);
    }
    stet_buffer_free(&diff);
    stet_state_release(after);
    stet_state_release(before);
    return st;
}

stet_status cli_machine_compare(cli_ctx *ctx, stet_error *err)
{
    uint64_t parts_at = 0;
    stet_status st = cli_open(ctx, err);
    if (st == STET_OK) {
        st = stet_compare(ctx->store, cli_arg(ctx, 0), cli_arg(ctx, 1), ctx->ns,
                          &parts_at, err);
    }
    if (st != STET_OK) {
        return st;
    }
    if (!ctx->is_json) {
        fprintf(ctx->out, "%" PRIu64 "\n", parts_at);
        return STET_OK;
    }
    json_out j = json_out_to(ctx->out);
    json_begin_object(&j, NULL);
    json_bool(&j, "is_same", parts_at == 0);
    if (parts_at == 0) {
        json_null(&j, "parts_at");
    } else {
        json_u64(&j, "parts_at", parts_at);
    }
    json_end_object(&j);
    json_end_line(&j);
    return STET_OK;
}
