/*
 * Parse: the words of a command line to a command, its options and arguments.
 *
 * Options are --name VALUE or --name=VALUE, anywhere; "--" ends them; "-" is an
 * argument; the last of a repeated option counts. --help anywhere turns the run
 * into the help command about what was named.
 */
#ifndef STET_CLI_PARSE_H
#define STET_CLI_PARSE_H

#include "cli/cli.h"

/*
 * Fill `ctx` in. Touches nothing outside; reorders `argv`, which ctx->args then
 * borrows. STET_E_INVALID: ctx->hint has the next step.
 */
STET_NODISCARD stet_status cli_parse(cli_ctx *ctx, int argc, char **argv,
                                     stet_error *err);

#endif
