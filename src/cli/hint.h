/*
 * Hint: the next step after an error, where the command itself said none.
 */
#ifndef STET_CLI_HINT_H
#define STET_CLI_HINT_H

#include "cli/cli.h"

/*
 * Set ctx->hint by the status of a failed run. `is_opening`: the store could
 * not be opened.
 */
void hint_set(cli_ctx *ctx, stet_status status, bool is_opening);

#endif
