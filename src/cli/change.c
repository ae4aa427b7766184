#include "cli/change.h"

static const int64_t ns_per_ms = 1000000;

static stet_transition_type type_of(const cli_ctx *ctx)
{
    if (!cli_is_given(ctx, CLI_OPT_TYPE)) {
        return STET_TYPE_NONE;
    }
    /* The choices are the types in the order of their values. */
    uint64_t choice = cli_number(ctx, CLI_OPT_TYPE, 0);
    return (stet_transition_type)(choice + STET_TYPE_USER_ACTION);
}

static stet_reducer reducer_of(const cli_ctx *ctx)
{
    if (!cli_is_given(ctx, CLI_OPT_REDUCER)) {
        return STET_REDUCER_DEFAULT;
    }
    uint64_t choice = cli_number(ctx, CLI_OPT_REDUCER, 0);
    return (stet_reducer)(choice + STET_REDUCER_NONE);
}

static uint32_t flags_of(const cli_ctx *ctx)
{
    uint32_t flags = 0;
    if (cli_is_given(ctx, CLI_OPT_PHASE_CHANGE)) {
        flags |= STET_CHANGE_PHASE;
    }
    if (cli_is_given(ctx, CLI_OPT_AT_TIME)) {
        flags |= STET_CHANGE_EPOCH; /* a given 1970 is not "now" */
    }
    return flags;
}

stet_change change_of_options(const cli_ctx *ctx, stet_verb verb)
{
    stet_change change = {
        .struct_size = sizeof change,
        .verb = verb,
        .reducer = reducer_of(ctx),
        .type = type_of(ctx),
        .flags = flags_of(ctx),
        .ns = ctx->ns,
        .expect = ctx->options[CLI_OPT_EXPECT].expect,
        .from_state = cli_text(ctx, CLI_OPT_FROM),
        .to_state = cli_text(ctx, CLI_OPT_TO),
        .action = cli_text(ctx, CLI_OPT_ACTION),
        .actor_id = cli_text(ctx, CLI_OPT_ACTOR),
        .correlation_id = cli_text(ctx, CLI_OPT_CORRELATION),
        .causation_id = cli_text(ctx, CLI_OPT_CAUSATION),
        .error = cli_text(ctx, CLI_OPT_ERROR),
        .metadata = cli_text(ctx, CLI_OPT_METADATA),
        .event_id = cli_text(ctx, CLI_OPT_EVENT_ID),
        .state_type = cli_text(ctx, CLI_OPT_STATE_TYPE),
        .version = cli_text(ctx, CLI_OPT_VERSION),
        .machine_metadata = cli_text(ctx, CLI_OPT_MACHINE_METADATA),
        .timestamp = ctx->options[CLI_OPT_AT_TIME].time,
        .duration_ns =
            (int64_t)cli_number(ctx, CLI_OPT_DURATION_MS, 0) * ns_per_ms,
    };
    return change;
}
