/*
 * Change: the event that a writing command's options describe.
 */
#ifndef STET_CLI_CHANGE_H
#define STET_CLI_CHANGE_H

#include "cli/cli.h"

/* Fill a change in from the options; id and payload are the caller's. */
stet_change change_of_options(const cli_ctx *ctx, stet_verb verb);

#endif
