#include "cli/hint.h"

#include <string.h>

/* The store did not open: the step is about its folder and its processes. */
static void hint_opening(cli_ctx *ctx, stet_status status)
{
    switch (status) {
    case STET_E_NOT_FOUND:
        cli_try(ctx,
                "--store URL or STET_STORE to name another; the first "
                "write makes one: stet --store %s machine save ID FILE",
                ctx->store_url);
        break;
    case STET_E_EXISTS:
        cli_try(ctx, ctx->command->store == CLI_STORE_CREATE
                         ? "--store with an empty folder, or one not there yet"
                         : "--store with the folder of a store");
        break;
    case STET_E_INVALID:
    case STET_E_UNSUPPORTED:
        cli_try(ctx, "--store DIR, stet:DIR or memory:");
        break;
    case STET_E_LOCKED:
        cli_try(ctx, "again when that process is done; verbs that only read "
                     "do not wait for it");
        break;
    case STET_E_FORMAT:
        cli_try(ctx, "a newer stet; this one is %s", stet_version());
        break;
    case STET_E_CORRUPT:
        cli_try(ctx,
                "stet doctor --store %s; put the damaged file back from "
                "a copy",
                ctx->store_url);
        break;
    case STET_E_NOSPACE:
        cli_try(ctx, "df -h %s, and make room there; reading goes on",
                ctx->store_url);
        break;
    default: /* of the system: folder, disk, memory */
        cli_try(ctx,
                "ls -ld %s; is its disk mounted for writing, and is the "
                "folder yours?",
                ctx->store_url);
        break;
    }
}

static void hint_not_found(cli_ctx *ctx)
{
    bool is_checkpoint = strcmp(ctx->command->noun, "checkpoint") == 0;
    if (ctx->options[CLI_OPT_AT_POINT].at.kind == STET_AT_CHECKPOINT) {
        cli_try(ctx, "stet checkpoint list %s", ctx->args[0]);
    } else if (is_checkpoint && ctx->arg_count > 1) {
        cli_try(ctx, "stet checkpoint list %s", ctx->args[1]);
    } else if (is_checkpoint) {
        cli_try(ctx, "stet checkpoint list");
    } else if (ctx->arg_count > 0 && cli_is_given(ctx, CLI_OPT_AT_POINT)) {
        cli_try(ctx, "stet machine history %s", ctx->args[0]);
    } else {
        cli_try(ctx, "stet machine list");
    }
}

static void hint_exists(cli_ctx *ctx)
{
    if (strcmp(ctx->command->noun, "checkpoint") == 0) {
        cli_try(ctx, "--replace, or another name");
    } else if (cli_is_given(ctx, CLI_OPT_EXPECT)) {
        cli_try(ctx, "--expect exists, or another id");
    } else if (ctx->command->run == cli_machine_create) {
        cli_try(ctx, "stet machine save %s, or another id", ctx->args[0]);
    } else {
        cli_try(ctx, "another id");
    }
}

void hint_set(cli_ctx *ctx, stet_status status, bool is_opening)
{
    if (is_opening) {
        hint_opening(ctx, status);
        return;
    }
    char name[CLI_NAME_MAX];
    cli_command_name(ctx->command, name);
    switch (status) {
    case STET_OK:
    case STET_DONE:
        break;
    case STET_E_NOT_FOUND:
        hint_not_found(ctx);
        break;
    case STET_E_CONFLICT:
        cli_try(ctx, "stet machine show %s, then again with its seq",
                ctx->arg_count > 0 ? ctx->args[0] : "ID");
        break;
    case STET_E_EXISTS:
        hint_exists(ctx);
        break;
    case STET_E_GONE:
    case STET_E_ERASED:
    case STET_E_PARTIAL:
        cli_try(ctx, "a later point; stet machine history tells what is kept");
        break;
    case STET_E_INVALID:
    case STET_E_UNSUPPORTED:
        cli_try(ctx, "stet %s --help", name);
        break;
    case STET_E_TOO_LARGE:
        cli_try(ctx, "a smaller state: keep large parts elsewhere and save "
                     "their names");
        break;
    case STET_E_NOSPACE:
        cli_try(ctx,
                "df -h %s, make room there and do it again: nothing was "
                "stored",
                ctx->store_url);
        break;
    case STET_E_NOMEM:
        cli_try(ctx, "again with more memory free: nothing was stored");
        break;
    case STET_E_READONLY:
    case STET_E_IO:
        cli_try(ctx, "stet doctor --store %s", ctx->store_url);
        break;
    case STET_E_LOCKED:
    case STET_E_BUSY:
        cli_try(ctx, "again: nothing was stored");
        break;
    case STET_E_TIMEOUT:
    case STET_E_UNKNOWN:
        cli_try(ctx,
                "stet doctor --store %s, then again with the same --key: "
                "a key never stores twice",
                ctx->store_url);
        break;
    case STET_E_CORRUPT:
    case STET_E_FORMAT:
        cli_try(ctx, "stet store verify --store %s", ctx->store_url);
        break;
    }
}
