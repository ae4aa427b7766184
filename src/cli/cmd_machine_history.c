/*
 * machine history and replay: events, one machine's.
 */
#include "cli/progress.h"
#include "cli/view.h"

/* Walk the events that the options choose; `flags` besides the order. */
static stet_status walk(cli_ctx *ctx, uint32_t flags, stet_error *err)
{
    stet_status st = cli_open(ctx, err);
    if (st != STET_OK) {
        return st;
    }
    if (cli_is_given(ctx, CLI_OPT_NEWEST_FIRST)) {
        flags |= STET_HISTORY_NEWEST_FIRST;
    }
    stet_history_opts opts = {
        .struct_size = sizeof opts,
        .from_seq = cli_number(ctx, CLI_OPT_FROM_SEQ, 0),
        .to_seq = cli_number(ctx, CLI_OPT_TO_SEQ, 0),
        .limit = cli_number(ctx, CLI_OPT_LIMIT, 0),
        .flags = flags,
        .ns = ctx->ns,
    };
    bool with_state = (flags & STET_HISTORY_STATES) != 0;
    stet_history *history = NULL;
    cli_progress progress;
    cli_progress_begin_beside(&progress, ctx->command->verb, ctx->out);
    st = stet_history_open(ctx->store, cli_arg(ctx, 0), &opts, &history, err);
    while (st == STET_OK && !ferror(ctx->out)) {
        const stet_event *event = NULL;
        st = stet_history_next(history, &event, err);
        if (st == STET_OK && ctx->is_json) {
            view_event_json(ctx->out, event, with_state);
        } else if (st == STET_OK) {
            view_event_text(ctx->out, event, with_state);
        }
    }
    stet_history_close(history);
    cli_progress_end(&progress);
    return st == STET_DONE ? STET_OK : st;
}

stet_status cli_machine_history(cli_ctx *ctx, stet_error *err)
{
    return walk(ctx, 0, err);
}

stet_status cli_machine_replay(cli_ctx *ctx, stet_error *err)
{
    return walk(ctx, STET_HISTORY_STATES, err);
}
