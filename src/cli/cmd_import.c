/*
 * import: event logs into the store.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "cli/cli.h"
#include "cli/importer.h"
#include "cli/json_out.h"
#include "cli/progress.h"

enum { READ_BYTES = 64 * 1024 };

/* An import of all files together. */
typedef struct import_run {
    cli_ctx *ctx;
    import_counts counts;
    uint64_t ignored;
} import_run;

/* One file of it. */
typedef struct input {
    const char *path;
    const char *name; /* the same, or "stdin" */
    stet_format format;
    FILE *file;
    uint64_t read_bytes;
    uint64_t total_bytes; /* 0: not known */
} input;

static bool is_stdin(const char *path)
{
    return strcmp(path, "-") == 0;
}

static stet_status find_format(cli_ctx *ctx, const char *path, stet_format *out,
                               stet_error *err)
{
    if (cli_is_given(ctx, CLI_OPT_LOG_FORMAT)) {
        /* The choices are the formats in the order of their values. */
        *out = (stet_format)(cli_number(ctx, CLI_OPT_LOG_FORMAT, 0) +
                             STET_FORMAT_XES);
        return STET_OK;
    }
    if (stet__format_of_path(stet_str(path), out)) {
        return STET_OK;
    }
    cli_try(ctx, "--format xes, csv or jsonl");
    return stet__fail(err, STET_E_INVALID, 0,
                      "the name %s does not tell the format", path);
}

static stet_status fail_input(cli_ctx *ctx, const char *what, int os_errno,
                              const input *in, stet_error *err)
{
    cli_try(ctx, "a file that can be read, or - for stdin");
    return stet__fail(err, STET_E_IO, os_errno, "%s %s", what, in->name);
}

static stet_status open_input(cli_ctx *ctx, input *in, stet_error *err)
{
    struct stat status = {0};
    stet_status st = find_format(ctx, in->path, &in->format, err);
    if (st != STET_OK) {
        return st;
    }
    in->name = is_stdin(in->path) ? "stdin" : in->path;
    in->file = is_stdin(in->path) ? stdin : fopen(in->path, "rb");
    if (in->file == NULL) {
        return fail_input(ctx, "open", errno, in, err);
    }
    if (fstat(fileno(in->file), &status) == 0 && S_ISREG(status.st_mode)) {
        in->total_bytes = (uint64_t)status.st_size;
    }
    return STET_OK;
}

/* Could it be opened later? Not now: a pipe has one reader only. */
static stet_status check_input(cli_ctx *ctx, const char *path, stet_error *err)
{
    input in = {.path = path, .name = path};
    struct stat status = {0};
    stet_status st = find_format(ctx, path, &in.format, err);
    if (st != STET_OK || is_stdin(path)) {
        return st;
    }
    if (stat(path, &status) != 0 || access(path, R_OK) != 0) {
        return fail_input(ctx, "open", errno, &in, err);
    }
    if (S_ISDIR(status.st_mode)) {
        return fail_input(ctx, "open", EISDIR, &in, err);
    }
    sandbox_allow(&ctx->sandbox, path, SANDBOX_READ);
    return STET_OK;
}

static void close_input(input *in)
{
    if (in->file != NULL && in->file != stdin) {
        fclose(in->file); /* it was only read */
    }
}

/* Push the file through the importer. */
static stet_status pump(cli_ctx *ctx, input *in, importer *im, stet_error *err)
{
    static uint8_t bytes[READ_BYTES];
    cli_progress progress;
    stet_status st = STET_OK;
    size_t len = 0;
    cli_progress_begin(&progress, in->name);
    do {
        errno = 0;
        len = fread(bytes, 1, sizeof bytes, in->file);
        if (ferror(in->file)) {
            st = fail_input(ctx, "read", errno, in, err);
        } else if (len > 0) {
            st = importer_feed(im, stet_slice_of(bytes, len), err);
        }
        in->read_bytes += len;
        cli_progress_tell(&progress, in->read_bytes, in->total_bytes);
    } while (st == STET_OK && len > 0);
    if (st == STET_OK) {
        st = importer_finish(im, err);
    }
    cli_progress_end(&progress);
    return st;
}

/* Nothing is left out in silence. */
static void tell_ignored(import_run *run, const input *in,
                         const stet_ignored *ignored)
{
    run->ignored += ignored->count;
    if (ignored->count == 0) {
        return;
    }
    fprintf(stderr, "stet: %s: %" PRIu64 " left out: ", in->name,
            ignored->count);
    for (size_t i = 0; i < ignored->name_count; i++) {
        fputs(i > 0 ? ", " : "", stderr);
        cli_put_text(stderr, stet_str(ignored->names[i]));
    }
    bool may_keep = in->format == STET_FORMAT_JSONL &&
                    !cli_is_given(run->ctx, CLI_OPT_KEEP_UNKNOWN);
    fputs(may_keep ? " (--keep-unknown puts them into the metadata)\n" : "\n",
          stderr);
}

/* The next step is about the input, where the input is what is wrong. */
static void hint_input(cli_ctx *ctx, const input *in, stet_status st)
{
    if (ctx->hint[0] != '\0') {
        return;
    }
    switch (st) {
    case STET_E_EXISTS:
        cli_try(ctx, "--prefix TEXT, which goes in front of every id");
        break;
    case STET_E_INVALID:
        if (in->format == STET_FORMAT_CSV) {
            cli_try(ctx, "mend the line and import again, or name the columns "
                         "with --case, --activity, --timestamp, --resource");
            break;
        }
        cli_try(ctx, "mend the line and import again: nothing is stored twice");
        break;
    case STET_E_CORRUPT:
        cli_try(ctx,
                "gzip -t %s, then fetch it again and import again: "
                "nothing is stored twice",
                cli_quote(stet_str(in->path)).text);
        break;
    case STET_E_TIMEOUT:
    case STET_E_UNKNOWN:
    case STET_E_NOSPACE:
    case STET_E_IO:
        cli_try_command(ctx, "doctor",
                        ", then import again: nothing is stored twice");
        break;
    default:
        break;
    }
}

static importer_opts opts_of(const import_run *run, stet_format format)
{
    const cli_ctx *ctx = run->ctx;
    importer_opts opts = {
        .store = ctx->store,
        .format = format,
        .prefix = cli_text(ctx, CLI_OPT_PREFIX),
        .ns = ctx->ns,
        .parser =
            {
                .case_column = cli_text(ctx, CLI_OPT_CASE_COLUMN),
                .activity_column = cli_text(ctx, CLI_OPT_ACTIVITY_COLUMN),
                .timestamp_column = cli_text(ctx, CLI_OPT_TIMESTAMP_COLUMN),
                .resource_column = cli_text(ctx, CLI_OPT_RESOURCE_COLUMN),
                .keep_unknown = cli_is_given(ctx, CLI_OPT_KEEP_UNKNOWN),
            },
    };
    return opts;
}

static stet_status import_file(import_run *run, const char *path,
                               stet_error *err)
{
    input in = {.path = path};
    importer *im = NULL;
    stet_status st = open_input(run->ctx, &in, err);
    if (st != STET_OK) {
        return st;
    }
    importer_opts opts = opts_of(run, in.format);
    st = importer_open(&opts, &run->counts, &im, err);
    if (st == STET_OK) {
        st = pump(run->ctx, &in, im, err);
    }
    if (st == STET_OK) {
        tell_ignored(run, &in, importer_ignored(im));
    }
    importer_close(im); /* counts what was still under way */
    close_input(&in);
    if (st != STET_OK) {
        hint_input(run->ctx, &in, st);
        return stet__wrap(err, st,
                          "%s: stored %" PRIu64 " events of %" PRIu64
                          " new machines, then",
                          in.name, run->counts.events, run->counts.machines);
    }
    return STET_OK;
}

static void put_summary(const import_run *run)
{
    const struct {
        const char *name;
        uint64_t n;
    } counts[] = {
        {"machines", run->counts.machines},
        {"events", run->counts.events},
        {"transitions", run->counts.transitions},
        {"repeated", run->counts.repeated},
        {"ignored", run->ignored},
    };
    FILE *out = run->ctx->out;
    json_out j = json_out_to(out);
    if (run->ctx->is_json) {
        json_begin_object(&j, NULL);
    }
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        if (run->ctx->is_json) {
            json_u64(&j, counts[i].name, counts[i].n);
        } else {
            fprintf(out, "%-12s %" PRIu64 "\n", counts[i].name, counts[i].n);
        }
    }
    if (run->ctx->is_json) {
        json_end_object(&j);
        json_end_line(&j);
    }
}

stet_status cli_import(cli_ctx *ctx, stet_error *err)
{
    import_run run = {.ctx = ctx};
    stet_status st = STET_OK;
    /* A wrong name must leave neither a new store nor half of the files. */
    for (int i = 0; st == STET_OK && i < ctx->arg_count; i++) {
        st = check_input(ctx, ctx->args[i], err);
    }
    if (st == STET_OK) {
        st = cli_open(ctx, err);
    }
    for (int i = 0; st == STET_OK && i < ctx->arg_count; i++) {
        st = import_file(&run, ctx->args[i], err);
    }
    if (st == STET_OK) {
        put_summary(&run);
    }
    return st;
}
