/*
 * Configure: the configuration of a run, before it reaches its store.
 *
 * The file is --config, else STET_CONFIG, else ./stet.yaml if that is there;
 * the environment is this process's. What the command line itself says goes
 * before all of it.
 */
#ifndef STET_CLI_CONFIGURE_H
#define STET_CLI_CONFIGURE_H

#include "cli/cli.h"

/* The file of this run, or NULL. `given` (nullable) goes before the others. */
const char *configure_path(const char *given);

/*
 * Load the configuration at a path (nullable). STET_E_INVALID also where there
 * is no such file; the next step is said.
 */
STET_NODISCARD stet_status configure_load(cli_ctx *ctx, const char *path,
                                          stet_error *err);

/* Load ctx->config for a command with a store, and set ctx->store_url by it. */
STET_NODISCARD stet_status configure_run(cli_ctx *ctx, stet_error *err);

#endif
