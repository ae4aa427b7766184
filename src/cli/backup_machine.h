/*
 * One machine out of a backup, into a store that is in use.
 */
#ifndef STET_CLI_BACKUP_MACHINE_H
#define STET_CLI_BACKUP_MACHINE_H

#include "cli/cli.h"

/*
 * Give machine --machine of the backup, as it was at the point, to ctx->store
 * as --as, which must never have been written. Where the store itself still has
 * that history it is a fork, which copies nothing; else the events are written
 * again, each with what it said and when it occurred.
 */
STET_NODISCARD stet_status backup_machine_restore(cli_ctx *ctx,
                                                  const stet_at *at,
                                                  stet_error *err);

/* The position that --to @NAME means: the whole store's checkpoint. */
STET_NODISCARD stet_status backup_machine_checkpoint(cli_ctx *ctx, stet_at *out,
                                                     stet_error *err);

#endif
