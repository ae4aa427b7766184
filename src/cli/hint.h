/*
 * Hint: the next step after an error, where the command itself said none.
 */
#ifndef STET_CLI_HINT_H
#define STET_CLI_HINT_H

#include "cli/cli.h"

/* Set ctx->hint by the status of a store that could not be opened. */
void hint_opening(cli_ctx *ctx, stet_status status);

/*
 * Set ctx->hint by the status of what failed, unless it is set or nothing
 * failed. The store is asked what it has, where it is open.
 */
void hint_failing(cli_ctx *ctx, stet_status status);

/* Set ctx->hint after a machine, or a point of its history, was not found. */
void hint_no_point(cli_ctx *ctx, stet_slice id, stet_at_kind at);

#endif
