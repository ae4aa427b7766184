/*
 * Run: one command from its words to its exit code.
 */
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/error.h"
#include "cli/cli.h"
#include "cli/configure.h"
#include "cli/hint.h"
#include "cli/parse.h"

enum {
    STORE_MODE = 0700,
    PRIVATE_UMASK = 077, /* what a command makes is its user's alone */
};

int cli_exit_code(stet_status status)
{
    switch (stet_status_kind(status)) {
    case STET_KIND_OK:
        return 0;
    case STET_KIND_NO:
        return 1;
    case STET_KIND_CALLER:
        return 2;
    case STET_KIND_ENV:
    case STET_KIND_RETRY:
    case STET_KIND_MAYBE:
        return 3;
    case STET_KIND_DATA:
        return 4;
    }
    return 3;
}

/* Append to the hint; what is too long is cut: it is talk. */
static STET_PRINTF(2, 0) void put_hint(cli_ctx *ctx, const char *format,
                                       va_list args)
{
    size_t used = strlen(ctx->hint);
    (void)vsnprintf(ctx->hint + used, sizeof ctx->hint - used, format, args);
    /* A hint may end with a word that is not known. */
    size_t len = strlen(ctx->hint);
    while (len > 0 && ctx->hint[len - 1] == ' ') {
        ctx->hint[--len] = '\0';
    }
}

void cli_try(cli_ctx *ctx, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    ctx->hint[0] = '\0';
    put_hint(ctx, format, args);
    va_end(args);
}

cli_quoted cli_quote(stet_slice word)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyz"
                                "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./:@%+-";
    const char *p = word.ptr;
    size_t plain_bytes = 0;
    while (plain_bytes < word.len && p[plain_bytes] != '\0' &&
           strchr(plain, p[plain_bytes]) != NULL) {
        plain_bytes++;
    }
    cli_quoted out = {""};
    if (word.len > 0 && plain_bytes == word.len) {
        (void)snprintf(out.text, sizeof out.text, "%.*s", (int)word.len, p);
        return out;
    }
    size_t len = 0;
    out.text[len++] = '\'';
    for (size_t i = 0; i < word.len && len + 6 < sizeof out.text; i++) {
        /* A quote ends the quotes, stands behind a backslash, begins them. */
        const char *escape = p[i] == '\'' ? "'\\'" : "";
        len += (size_t)snprintf(out.text + len, sizeof out.text - len, "%s%c",
                                escape, p[i]);
    }
    out.text[len] = '\'';
    return out;
}

void cli_command_line(const cli_ctx *ctx, const char *noun,
                      char out[CLI_HINT_BYTES_MAX])
{
    bool has_store = cli_is_given(ctx, CLI_OPT_STORE);
    bool has_config = cli_is_given(ctx, CLI_OPT_CONFIG);
    bool has_ns = cli_is_given(ctx, CLI_OPT_NAMESPACE) &&
                  cli_noun_find(noun)->names_machine;
    (void)snprintf(
        out, CLI_HINT_BYTES_MAX, "stet%s%s%s%s%s%s %s",
        has_config ? " --config " : "",
        has_config ? cli_quote(cli_text(ctx, CLI_OPT_CONFIG)).text : "",
        has_store ? " --store " : "",
        has_store ? cli_quote(cli_text(ctx, CLI_OPT_STORE)).text : "",
        has_ns ? " --namespace " : "",
        has_ns ? ctx->options[CLI_OPT_NAMESPACE].text : "", noun);
}

void cli_try_command(cli_ctx *ctx, const char *noun, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    cli_command_line(ctx, noun, ctx->hint);
    put_hint(ctx, format, args);
    va_end(args);
}

const char *cli_store_path(const char *url)
{
    static const char scheme[] = "stet:";
    if (strncmp(url, scheme, sizeof scheme - 1) == 0) {
        return url + sizeof scheme - 1;
    }
    size_t before_colon = strcspn(url, ":/");
    return url[before_colon] == ':' ? NULL : url;
}

const char *cli_backup_path(const char *url)
{
    static const char scheme[] = "backup:";
    return strncmp(url, scheme, sizeof scheme - 1) == 0
               ? url + sizeof scheme - 1
               : NULL;
}

bool cli_is_given(const cli_ctx *ctx, cli_option_id id)
{
    return ctx->options[id].text != NULL;
}

stet_slice cli_text(const cli_ctx *ctx, cli_option_id id)
{
    return stet_str(ctx->options[id].text);
}

uint64_t cli_number(const cli_ctx *ctx, cli_option_id id, uint64_t otherwise)
{
    return cli_is_given(ctx, id) ? ctx->options[id].number : otherwise;
}

stet_slice cli_arg(const cli_ctx *ctx, int i)
{
    return stet_str(i < ctx->arg_count ? ctx->args[i] : NULL);
}

stet_status cli_flush(FILE *out, stet_error *err)
{
    if (fflush(out) != 0) {
        return stet__fail(err, STET_E_IO, errno, "write the output");
    }
    if (ferror(out)) {
        return stet__fail(err, STET_E_IO, 0, "write the output");
    }
    return STET_OK;
}

/* Read until the end or one byte above the limit. */
static stet_status read_all(FILE *f, size_t bytes_max, stet_buf *out)
{
    enum { STEP_BYTES = 64 * 1024 };
    size_t got = 0;
    do {
        size_t left = bytes_max + 1 - out->len;
        size_t step = left < STEP_BYTES ? left : STEP_BYTES;
        uint8_t *room = stet__buf_extend(out, step);
        if (room == NULL) {
            return STET_E_NOMEM;
        }
        got = fread(room, 1, step, f);
        out->len -= step - got;
        if (out->len > bytes_max) {
            return STET_E_TOO_LARGE;
        }
    } while (got > 0);
    return ferror(f) ? STET_E_IO : STET_OK;
}

stet_status cli_read_file(const char *path, size_t bytes_max, stet_buf *out,
                          stet_error *err)
{
    bool is_stdin = strcmp(path, "-") == 0;
    const char *name = is_stdin ? "stdin" : path;
    FILE *f = is_stdin ? stdin : fopen(path, "rb");
    if (f == NULL) {
        return stet__fail(err, STET_E_IO, errno, "open %s", name);
    }
    errno = 0;
    stet_status st = read_all(f, bytes_max, out);
    int os_errno = st == STET_E_IO ? errno : 0;
    if (!is_stdin) {
        fclose(f);
    }
    if (st == STET_E_TOO_LARGE) {
        return stet__fail(err, st, 0, "%s: over the limit of %zu bytes", name,
                          bytes_max);
    }
    return st == STET_OK ? st : stet__fail(err, st, os_errno, "read %s", name);
}

/* What the library says by itself, for example that it left a torn tail. */
static void on_log(void *ctx, stet_log_level level, const char *text)
{
    (void)ctx;
    const char *mark = level == STET_LOG_ERROR     ? "error: "
                       : level == STET_LOG_WARNING ? "warning: "
                                                   : "";
    fprintf(stderr, "stet: %s", mark);
    cli_put_text(stderr, stet_str(text));
    fputc('\n', stderr);
}

void cli_allow_folder(cli_ctx *ctx, const char *path, sandbox_access access,
                      bool is_made)
{
    char parent[PATH_MAX + sizeof "/.."];
    if (is_made) {
        (void)mkdir(path, STORE_MODE); /* opening tells why it could not */
    }
    (void)snprintf(parent, sizeof parent, "%s/..", path);
    sandbox_allow(&ctx->sandbox, parent, SANDBOX_LIST);
    sandbox_allow(&ctx->sandbox, path, access);
}

/* Leave the store, or the backup that is read in its place, within reach. */
static void enter_sandbox(cli_ctx *ctx)
{
    const char *path = cli_store_path(ctx->store_url);
    const char *backup = cli_backup_path(ctx->store_url);
    if (path != NULL) {
        bool is_read = ctx->store_use <= CLI_STORE_READ;
        cli_allow_folder(ctx, path, is_read ? SANDBOX_READ : SANDBOX_WRITE,
                         ctx->command->store == CLI_STORE_CREATE);
    } else if (backup != NULL) {
        /* Behind the last # may be a number, which is not the folder's. */
        const char *mark = strrchr(backup, '#');
        char folder[PATH_MAX];
        (void)snprintf(folder, sizeof folder, "%.*s",
                       mark == NULL ? 0 : (int)(mark - backup), backup);
        cli_allow_folder(ctx, backup, SANDBOX_READ, false);
        if (mark != NULL) {
            cli_allow_folder(ctx, folder, SANDBOX_READ, false);
        }
    }
    sandbox_enter(&ctx->sandbox);
}

static bool is_memory(const cli_ctx *ctx)
{
    return strncmp(ctx->store_url, "memory:", 7) == 0;
}

/* What the command's row and its options say goes before the configuration. */
static void override(const cli_ctx *ctx, stet_opts *opts)
{
    switch (ctx->store_use) {
    case CLI_STORE_NONE:
    case CLI_STORE_READ:
        opts->mode = STET_OPEN_READONLY;
        break;
    case CLI_STORE_EXISTING:
        opts->mode = STET_OPEN_EXISTING;
        break;
    case CLI_STORE_CREATE:
        opts->mode = STET_OPEN_DEFAULT;
        break;
    }
    if (cli_is_given(ctx, CLI_OPT_LEVEL)) {
        bool is_os = cli_number(ctx, CLI_OPT_LEVEL, 0) == 0;
        opts->level = is_os ? STET_LEVEL_OS : STET_LEVEL_DISK;
    } else if (is_memory(ctx) || opts->mode == STET_OPEN_READONLY) {
        opts->level = STET_LEVEL_DEFAULT; /* whatever there is */
    }
}

/* What the rules of an opening are, where they differ from the options'. */
typedef struct own_rules {
    stet_buf machines;
    stet_buf retention;
} own_rules;

/*
 * A command ends before a deferred write would be due, and prints a seq: it
 * defers nothing. Its own rule of retention stands before the others.
 */
static stet_status take_rules(const cli_ctx *ctx, stet_opts *opts,
                              own_rules *own, stet_error *err)
{
    for (size_t i = 0; i < opts->rule_count; i++) {
        stet_machine_rule rule = opts->rules[i];
        rule.policy = (stet_policy){0};
        stet__buf_put(&own->machines, &rule, sizeof rule);
    }
    if (ctx->has_rule) {
        stet__buf_put(&own->retention, &ctx->rule, sizeof ctx->rule);
    }
    for (size_t i = 0; i < opts->retention_count; i++) {
        stet__buf_put(&own->retention, &opts->retention[i], sizeof ctx->rule);
    }
    opts->rules = (const void *)own->machines.ptr;
    opts->retention = (const void *)own->retention.ptr;
    opts->retention_count += ctx->has_rule;
    return own->machines.is_failed || own->retention.is_failed
               ? stet__fail(err, STET_E_NOMEM, 0, "rules")
               : STET_OK;
}

stet_status cli_open(cli_ctx *ctx, stet_error *err)
{
    stet_opts opts = {.struct_size = sizeof opts, .log = on_log};
    own_rules own;
    stet__buf_init(&own.machines, &stet__heap);
    stet__buf_init(&own.retention, &stet__heap);
    stet_status st = stet_config_opts(ctx->config, &opts, err);
    if (st != STET_OK) {
        cli_try(ctx, "stet config show");
        return st;
    }
    override(ctx, &opts);
    st = take_rules(ctx, &opts, &own, err);
    if (st == STET_OK) {
        enter_sandbox(ctx);
        st = stet_open(ctx->store_url, &opts, &ctx->store, err);
    }
    stet__buf_deinit(&own.retention);
    stet__buf_deinit(&own.machines);
    if (st != STET_OK) {
        hint_opening(ctx, st);
    } else if (is_memory(ctx)) {
        fputs("stet: what is in memory ends with this command\n", stderr);
    }
    return st;
}

/* Close what the handler opened; its own error goes before that of closing. */
static stet_status close_store(cli_ctx *ctx, stet_status st, stet_error *err)
{
    stet_error close_err = {0};
    stet_status closed = stet_close(ctx->store, &close_err);
    if (st == STET_OK && closed != STET_OK) {
        *err = close_err;
        return stet__wrap(err, closed, "close %s", ctx->store_url);
    }
    return st;
}

static void tell_error(const cli_ctx *ctx, stet_status st,
                       const stet_error *err)
{
    fputs("stet: ", stderr);
    cli_put_text(stderr, stet_str(err->text[0] != '\0' ? err->text
                                                       : stet_status_text(st)));
    fputs("\ntry: ", stderr);
    cli_put_text(stderr, stet_str(ctx->hint));
    fputc('\n', stderr);
}

/*
 * A command that writes goes on to close its store when nobody reads its
 * output any more; one that only reads ends there, as others in a pipe do.
 */
static void ignore_closed_pipe(const cli_command *command)
{
    if (command->store == CLI_STORE_EXISTING ||
        command->store == CLI_STORE_CREATE) {
        signal(SIGPIPE, SIG_IGN);
    }
}

int cli_main(int argc, char **argv)
{
    cli_ctx ctx = {.out = stdout};
    stet_error err = {0};
    (void)umask(PRIVATE_UMASK);
    stet_status st = cli_parse(&ctx, argc, argv, &err);
    if (st == STET_OK) {
        ctx.store_use = ctx.command->store;
        ignore_closed_pipe(ctx.command);
        st = configure_run(&ctx, &err);
    }
    if (st == STET_OK) {
        st = ctx.command->run(&ctx, &err);
        hint_failing(&ctx, st); /* it may ask the store */
        st = close_store(&ctx, st, &err);
        hint_failing(&ctx, st);
    }
    if (st == STET_OK) {
        st = cli_flush(stdout, &err);
        if (st != STET_OK) {
            cli_try(&ctx, "again, with somewhere for the output to go");
        }
    }
    if (st != STET_OK) {
        tell_error(&ctx, st, &err);
    }
    stet_config_destroy(ctx.config); /* it lent the store's name until here */
    return cli_exit_code(st);
}
