/*
 * machine create, save, step, update, patch, append, delete, fork.
 */
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/error.h"
#include "cli/change.h"
#include "cli/value.h"
#include "cli/view.h"

/* The most a state may have; more is not even read. */
enum { STATE_BYTES_MAX = 16 * 1024 * 1024 };

/* Where the bytes of a write come from. */
typedef enum source {
    SOURCE_FILE = 1,  /* a file's name, or - */
    SOURCE_INLINE = 2 /* the bytes themselves, @FILE, or - */
} source;

static stet_status read_stream(const char *path, stet_buf *buf, stet_slice *out,
                               stet_error *err)
{
    if (path[0] == '-' && path[1] == '\0' && isatty(STDIN_FILENO)) {
        fputs("stet: reading from the terminal; end with ctrl-d\n", stderr);
    }
    stet_status st = cli_read_file(path, STATE_BYTES_MAX, buf, err);
    if (st == STET_OK) {
        *out = stet__buf_slice(buf);
    }
    return st;
}

/* Lend what `text` says by its kind; `buf` holds what was read. */
static stet_status read_source(source kind, const char *text, stet_buf *buf,
                               stet_slice *out, stet_error *err)
{
    bool is_stdin = text[0] == '-' && text[1] == '\0';
    if (kind == SOURCE_FILE || is_stdin) {
        return read_stream(text, buf, out, err);
    }
    if (text[0] == '@') {
        return read_stream(text + 1, buf, out, err);
    }
    *out = stet_str(text);
    return STET_OK;
}

/*
 * Read the bytes of a write: the second argument, which is a `kind`, or
 * --payload, else `otherwise` (NULL: none).
 */
static stet_status read_body(cli_ctx *ctx, source kind, const char *otherwise,
                             stet_buf *buf, stet_slice *out, stet_error *err)
{
    const char *payload = ctx->options[CLI_OPT_PAYLOAD].text;
    if (ctx->arg_count > 1 && payload != NULL) {
        return stet__fail(err, STET_E_INVALID, 0, "%s: --payload is given too",
                          ctx->args[1]);
    }
    if (ctx->arg_count > 1) {
        return read_source(kind, ctx->args[1], buf, out, err);
    }
    if (payload != NULL) {
        return read_source(SOURCE_INLINE, payload, buf, out, err);
    }
    if (otherwise != NULL) {
        return read_source(SOURCE_INLINE, otherwise, buf, out, err);
    }
    return STET_OK;
}

static stet_status commit(cli_ctx *ctx, stet_verb verb, stet_slice payload,
                          stet_error *err)
{
    stet_change change = change_of_options(ctx, verb);
    change.id = cli_arg(ctx, 0);
    change.payload = payload;
    stet_batch batch = {
        .struct_size = sizeof batch,
        .changes = &change,
        .change_count = 1,
        .key = cli_text(ctx, CLI_OPT_KEY),
    };
    stet_written written = {0};
    stet_status st = cli_open(ctx, err);
    if (st == STET_OK) {
        st = stet_commit(ctx->store, &batch, &written, err);
    }
    if (st == STET_OK) {
        view_written(ctx, change.id, &written);
    }
    return st;
}

static stet_status write_body(cli_ctx *ctx, stet_verb verb, source kind,
                              const char *otherwise, stet_error *err)
{
    stet_buf buf;
    stet__buf_init(&buf, &stet__heap);
    stet_slice body = {0};
    stet_status st = read_body(ctx, kind, otherwise, &buf, &body, err);
    if (st == STET_OK) {
        st = commit(ctx, verb, body, err);
    } else if (st == STET_E_IO) {
        cli_try(ctx, "a file that can be read, or - for stdin");
    }
    stet__buf_deinit(&buf);
    return st;
}

/* A change of the state needs something to change it by. */
static stet_status write_patch(cli_ctx *ctx, stet_verb verb, stet_error *err)
{
    if (ctx->arg_count < 2 && !cli_is_given(ctx, CLI_OPT_PAYLOAD)) {
        cli_try_command(ctx, ctx->command->noun, " %s %s JSON",
                        ctx->command->verb, cli_quote(cli_arg(ctx, 0)).text);
        return stet__fail(err, STET_E_INVALID, 0, "%s: no patch given",
                          ctx->args[0]);
    }
    return write_body(ctx, verb, SOURCE_INLINE, NULL, err);
}

stet_status cli_machine_create(cli_ctx *ctx, stet_error *err)
{
    return write_body(ctx, STET_VERB_CREATE, SOURCE_FILE, "{}", err);
}

stet_status cli_machine_save(cli_ctx *ctx, stet_error *err)
{
    return write_body(ctx, STET_VERB_SAVE, SOURCE_FILE, "-", err);
}

stet_status cli_machine_step(cli_ctx *ctx, stet_error *err)
{
    return write_body(ctx, STET_VERB_TRANSITION, SOURCE_INLINE, NULL, err);
}

stet_status cli_machine_update(cli_ctx *ctx, stet_error *err)
{
    return write_patch(ctx, STET_VERB_UPDATE, err);
}

stet_status cli_machine_patch(cli_ctx *ctx, stet_error *err)
{
    return write_patch(ctx, STET_VERB_PATCH, err);
}

stet_status cli_machine_append(cli_ctx *ctx, stet_error *err)
{
    return write_body(ctx, STET_VERB_APPEND, SOURCE_INLINE, NULL, err);
}

stet_status cli_machine_delete(cli_ctx *ctx, stet_error *err)
{
    return commit(ctx, STET_VERB_DELETE, stet_slice_of(NULL, 0), err);
}

stet_status cli_machine_fork(cli_ctx *ctx, stet_error *err)
{
    stet_read_opts point = {0};
    stet_written written = {0};
    stet_status st =
        value_read_opts(ctx, ctx->options[CLI_OPT_AT_POINT].at, &point, err);
    stet_fork_opts opts = {.struct_size = sizeof opts, .at = point.at};
    opts.write.more = change_of_options(ctx, STET_VERB_FORK);
    opts.write.key = cli_text(ctx, CLI_OPT_KEY);
    if (st == STET_OK) {
        st = cli_open(ctx, err);
    }
    if (st == STET_OK) {
        st = stet_fork(ctx->store, cli_arg(ctx, 0), cli_arg(ctx, 1), &opts,
                       &written, err);
    }
    if (st == STET_OK) {
        view_written(ctx, cli_arg(ctx, 1), &written);
    }
    return st;
}
