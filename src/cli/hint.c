#include "cli/hint.h"

#include <string.h>

/* Nothing is there to open: make the way to it, or name another. */
static void hint_no_store(cli_ctx *ctx)
{
    const char *path = cli_store_path(ctx->store_url);
    if (cli_backup_path(ctx->store_url) != NULL) {
        cli_try(ctx, "stet backup list DIR");
    } else if (path == NULL) {
        cli_try(ctx, "--store DIR; what is in memory ends with its command");
    } else if (ctx->command->store == CLI_STORE_CREATE) {
        cli_try(ctx, "mkdir -p %s, then again", cli_quote(stet_str(path)).text);
    } else {
        cli_try(ctx,
                "--store URL or STET_STORE to name another; the first write "
                "makes one: stet --store %s machine save ID FILE",
                cli_quote(stet_str(ctx->store_url)).text);
    }
}

void hint_opening(cli_ctx *ctx, stet_status status)
{
    switch (status) {
    case STET_E_NOT_FOUND:
        hint_no_store(ctx);
        break;
    case STET_E_EXISTS:
        cli_try(ctx, ctx->command->store == CLI_STORE_CREATE
                         ? "--store with an empty folder, or one not there yet"
                         : "--store with the folder of a store");
        break;
    case STET_E_INVALID:
    case STET_E_UNSUPPORTED:
        cli_try(ctx, ctx->has_rule ? "--match with another pattern"
                                   : "--store DIR, stet:DIR or memory:");
        break;
    case STET_E_LOCKED:
        cli_try(ctx, "again when that process is done; verbs that only read "
                     "do not wait for it");
        break;
    case STET_E_FORMAT:
        cli_try(ctx, "a newer stet; this one is %s", stet_version());
        break;
    case STET_E_CORRUPT:
        cli_try_command(ctx, "doctor",
                        "; put the damaged file back from a copy");
        break;
    case STET_E_NOSPACE:
        cli_try(ctx, "df -h %s, and make room there; reading goes on",
                cli_quote(stet_str(ctx->store_url)).text);
        break;
    case STET_E_NOMEM:
        cli_try(ctx, "again with more memory free, or more files that may be "
                     "open: ulimit -n");
        break;
    default: /* of the system: folder, disk */
        if (cli_backup_path(ctx->store_url) != NULL &&
            ctx->store_use > CLI_STORE_READ) {
            cli_try(ctx, "stet backup restore DIR --out NEWDIR, which makes "
                         "a store of it");
            break;
        }
        cli_try(ctx,
                "ls -ld %s; is its disk mounted for writing, and is the "
                "folder yours?",
                cli_quote(stet_str(ctx->store_url)).text);
        break;
    }
}

static bool is_there(cli_ctx *ctx, stet_slice id)
{
    stet_read_opts newest = {.struct_size = sizeof newest, .ns = ctx->ns};
    return stet_exists(ctx->store, id, &newest, NULL, NULL) == STET_OK;
}

/* A deleted machine is not there any more, and has a history. */
static bool has_history(cli_ctx *ctx, stet_slice id)
{
    stet_history_opts opts = {.struct_size = sizeof opts, .ns = ctx->ns};
    stet_history *history = NULL;
    stet_status st = stet_history_open(ctx->store, id, &opts, &history, NULL);
    stet_history_close(history);
    return st == STET_OK;
}

/* What keeps an id from being taken for an option. */
static const char *before_id(stet_slice id)
{
    return id.len > 0 && *(const char *)id.ptr == '-' ? "-- " : "";
}

static void try_about(cli_ctx *ctx, const char *noun, const char *verb,
                      stet_slice id, const char *then)
{
    cli_try_command(ctx, noun, " %s %s%s%s", verb, before_id(id),
                    cli_quote(id).text, then);
}

void hint_no_point(cli_ctx *ctx, stet_slice id, stet_at_kind at)
{
    bool is_listed = is_there(ctx, id);
    if (!is_listed && !has_history(ctx, id)) {
        cli_try_command(ctx, "machine", " list");
    } else if (is_listed && at == STET_AT_CHECKPOINT) {
        try_about(ctx, "checkpoint", "list", id, "");
    } else {
        try_about(ctx, "machine", "history", id, "");
    }
}

static bool is_about_checkpoints(const cli_ctx *ctx)
{
    return strcmp(ctx->command->noun, "checkpoint") == 0;
}

static bool is_about_holds(const cli_ctx *ctx)
{
    return strcmp(ctx->command->noun, "hold") == 0;
}

/* The machine that the command is about, or none. */
static stet_slice machine_of(const cli_ctx *ctx)
{
    bool is_named = is_about_checkpoints(ctx) || is_about_holds(ctx);
    return cli_arg(ctx, is_named ? 1 : 0);
}

static void hint_not_found(cli_ctx *ctx)
{
    stet_slice id = machine_of(ctx);
    stet_at_kind at = ctx->options[CLI_OPT_AT_POINT].at.kind;
    if (is_about_checkpoints(ctx) && !cli_is_given(ctx, CLI_OPT_AT_POINT)) {
        at = STET_AT_CHECKPOINT;
    } else if (ctx->command->run == cli_machine_compare && is_there(ctx, id)) {
        id = cli_arg(ctx, 1);
    }
    if (id.len > 0) {
        hint_no_point(ctx, id, at);
    } else {
        cli_try_command(ctx, is_about_holds(ctx) ? "hold" : "checkpoint",
                        " list");
    }
}

static void hint_exists(cli_ctx *ctx)
{
    if (is_about_holds(ctx)) {
        cli_try(ctx, "another name");
    } else if (is_about_checkpoints(ctx)) {
        cli_try(ctx, "--replace, or another name");
    } else if (cli_is_given(ctx, CLI_OPT_EXPECT)) {
        cli_try(ctx, "--expect exists, or another id");
    } else if (ctx->command->run == cli_machine_create) {
        try_about(ctx, "machine", "save", machine_of(ctx), ", or another id");
    } else {
        cli_try(ctx, "another id");
    }
}

void hint_failing(cli_ctx *ctx, stet_status status)
{
    if (ctx->hint[0] != '\0') {
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
        try_about(ctx, "machine", "show", machine_of(ctx),
                  ", then again with its seq");
        break;
    case STET_E_EXISTS:
        hint_exists(ctx);
        break;
    case STET_E_GONE:
    case STET_E_ERASED:
    case STET_E_PARTIAL:
        cli_try(ctx, "a later point; stet machine history tells what is kept");
        break;
    case STET_E_HELD:
        cli_try_command(ctx, "hold", " list, and release it if it may be");
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
                cli_quote(stet_str(ctx->store_url)).text);
        break;
    case STET_E_NOMEM:
        cli_try(ctx, "again with more memory free, or more files that may be "
                     "open (ulimit -n): nothing was stored");
        break;
    case STET_E_READONLY:
    case STET_E_IO:
        cli_try_command(ctx, "doctor", "; it tells what is wrong");
        break;
    case STET_E_LOCKED:
    case STET_E_BUSY:
        cli_try(ctx, "again: nothing was stored");
        break;
    case STET_E_TIMEOUT:
    case STET_E_UNKNOWN:
        cli_try_command(ctx, "doctor",
                        ", then again with the same --key: a key never stores "
                        "twice");
        break;
    case STET_E_CORRUPT:
    case STET_E_FORMAT:
        cli_try_command(ctx, "store", " verify");
        break;
    }
}
