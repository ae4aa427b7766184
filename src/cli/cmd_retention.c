/*
 * machine erase; hold set, list, release.
 */
#include <inttypes.h>

#include "base/bytes.h"
#include "base/error.h"
#include "cli/view.h"

/* What is held, or erased: a machine, or everything. */
static void put_machine(FILE *out, stet_slice id)
{
    if (id.len == 0) {
        fputs("the whole store", out);
    } else {
        cli_put_text(out, id);
    }
}

static stet_status want_yes(cli_ctx *ctx, const char *what, stet_error *err)
{
    if (cli_is_given(ctx, CLI_OPT_YES)) {
        return STET_OK;
    }
    cli_try(ctx, "the same with --yes");
    return stet__fail(err, STET_E_INVALID, 0, "%s: not %s without --yes",
                      ctx->args[0], what);
}

static void put_answer(cli_ctx *ctx, const char *name, const char *did)
{
    if (!ctx->is_json) {
        return;
    }
    json_out j = json_out_to(ctx->out);
    json_begin_object(&j, NULL);
    json_str(&j, name, cli_arg(ctx, 0));
    json_bool(&j, did, true);
    json_end_object(&j);
    json_end_line(&j);
}

stet_status cli_machine_erase(cli_ctx *ctx, stet_error *err)
{
    uint64_t up_to = cli_number(ctx, CLI_OPT_UP_TO, 0);
    if (up_to == 0) {
        cli_try(ctx, "--up-to SEQ; machine history lists them");
        return stet__fail(err, STET_E_INVALID, 0,
                          "%s: up to which event is not said", ctx->args[0]);
    }
    fputs("stet: erases payloads and states of ", stderr);
    cli_put_text(stderr, cli_arg(ctx, 0));
    fprintf(stderr, " up to seq %" PRIu64 ", for good\n", up_to);
    stet_status st = want_yes(ctx, "erased", err);
    if (st == STET_OK) {
        st = cli_open(ctx, err);
    }
    if (st == STET_OK) {
        st = stet_erase(ctx->store, cli_arg(ctx, 0), ctx->ns, up_to, err);
    }
    if (st == STET_OK) {
        fputs("stet: gone from the disk once it is settled: store compact\n",
              stderr);
        put_answer(ctx, "state_machine_id", "is_erased");
    }
    return st;
}

stet_status cli_hold_set(cli_ctx *ctx, stet_error *err)
{
    stet_status st = cli_open(ctx, err);
    if (st == STET_OK) {
        st = stet_hold_set(ctx->store, cli_arg(ctx, 0), cli_arg(ctx, 1),
                           ctx->ns, err);
    }
    if (st == STET_OK) {
        put_answer(ctx, "name", "is_held");
    }
    return st;
}

static void put_hold(cli_ctx *ctx, const stet_hold *hold)
{
    if (!ctx->is_json) {
        cli_put_text(ctx->out, hold->name);
        fputc('\t', ctx->out);
        cli_put_text(ctx->out, hold->state_machine_id);
        fputc('\t', ctx->out);
        view_time(ctx->out, hold->created_at);
        fputc('\n', ctx->out);
        return;
    }
    json_out j = json_out_to(ctx->out);
    json_begin_object(&j, NULL);
    json_str(&j, "name", hold->name);
    json_str_or_null(&j, "state_machine_id", hold->state_machine_id);
    json_u64(&j, "namespace", hold->ns);
    json_time(&j, "created_at", hold->created_at);
    json_end_object(&j);
    json_end_line(&j);
}

stet_status cli_hold_list(cli_ctx *ctx, stet_error *err)
{
    stet_holds *list = NULL;
    const stet_hold *hold = NULL;
    stet_status st = cli_open(ctx, err);
    if (st == STET_OK) {
        st = stet_holds_open(ctx->store, &list, err);
    }
    while (st == STET_OK && !ferror(ctx->out)) {
        st = stet_holds_next(list, &hold, err);
        if (st == STET_OK) {
            put_hold(ctx, hold);
        }
    }
    stet_holds_close(list);
    return st == STET_DONE ? STET_OK : st;
}

/* Say what is about to be let go, so that it can be held again by hand. */
static stet_status tell_release(cli_ctx *ctx, stet_error *err)
{
    stet_holds *list = NULL;
    const stet_hold *hold = NULL;
    stet_status st = stet_holds_open(ctx->store, &list, err);
    while (st == STET_OK) {
        st = stet_holds_next(list, &hold, err);
        if (st == STET_OK && stet__slice_eq(hold->name, cli_arg(ctx, 0))) {
            fputs("stet: no longer holds ", stderr);
            put_machine(stderr, hold->state_machine_id);
            fputs(" by ", stderr);
            cli_put_text(stderr, hold->name);
            fputc('\n', stderr);
            break;
        }
    }
    stet_holds_close(list);
    return st == STET_DONE ? stet__fail(err, STET_E_NOT_FOUND, 0, "no hold %s",
                                        ctx->args[0])
                           : st;
}

stet_status cli_hold_release(cli_ctx *ctx, stet_error *err)
{
    stet_status st = cli_open(ctx, err);
    if (st == STET_OK) {
        st = tell_release(ctx, err);
    }
    if (st == STET_OK) {
        st = want_yes(ctx, "released", err);
    }
    if (st == STET_OK) {
        st = stet_hold_release(ctx->store, cli_arg(ctx, 0), err);
    }
    if (st == STET_OK) {
        put_answer(ctx, "name", "is_released");
    }
    return st;
}
