/*
 * doctor: the store, and the file system and machine it is on.
 */
#include <inttypes.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/json_out.h"
#include "cli/probe.h"
#include "cli/text.h"

/* What was found, in the order in which it is told. */
typedef struct findings {
    const char *path; /* of the store's folder; NULL: it has none */
    probe disk;
    bool is_open; /* the store opened */
    stet_info info;
} findings;

/* The folder where a missing one would be made: its nearest parent. */
static void existing_folder(const char *path, char out[PATH_MAX])
{
    snprintf(out, PATH_MAX, "%s", path);
    while (access(out, F_OK) != 0) {
        char *slash = strrchr(out, '/');
        if (slash == NULL) {
            snprintf(out, PATH_MAX, ".");
        } else if (slash == out) {
            snprintf(out, PATH_MAX, "/");
        } else {
            *slash = '\0';
            continue;
        }
        return;
    }
}

static void put_size(FILE *out, uint64_t bytes)
{
    static const char units[][4] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
    double n = (double)bytes;
    size_t unit = 0;
    while (n >= 1024 && unit + 1 < sizeof units / sizeof units[0]) {
        n /= 1024;
        unit++;
    }
    fprintf(out, "%.*f %s\n", unit > 0, n, units[unit]);
}

static void put_name(FILE *out, const char *name)
{
    fprintf(out, "%-14s ", name);
}

static void put_line(FILE *out, const char *name, const char *value)
{
    put_name(out, name);
    cli_put_text(out, stet_str(value));
    fputc('\n', out);
}

static void put_warning(FILE *out, const char *text)
{
    if (text != NULL) {
        put_line(out, "warning", text);
    }
}

static void put_text(cli_ctx *ctx, const findings *f, const stet_error *err)
{
    FILE *out = ctx->out;
    put_line(out, "stet", stet_version());
    put_line(out, "store", ctx->store_url);
    const probe *disk = &f->disk;
    if (disk->is_known) {
        put_line(out, "file system", disk->fs_name);
        put_name(out, "free");
        put_size(out, disk->free_bytes);
        put_line(out, "direct writes", disk->has_direct ? "yes" : "no, slower");
        put_line(out, "locks", disk->has_locks ? "hold" : "not shown to hold");
    }
    if (disk->sync_us > 0) {
        put_name(out, "a sync takes");
        fprintf(out, "%.0f us\n", disk->sync_us);
    }
    put_warning(out, disk->fs_warning);
    put_warning(out, probe_sync_warning(disk));
    put_line(out, "sandbox", sandbox_text(&ctx->sandbox));
    put_line(out, "opens", f->is_open ? "yes" : err->text);
    if (!f->is_open) {
        return;
    }
    put_name(out, "format");
    fprintf(out, "%" PRIu32 "\n", f->info.format);
    put_line(out, "level", stet_level_name(f->info.level));
    put_name(out, "machines");
    fprintf(out, "%" PRIu64 "\n", f->info.machines);
    put_name(out, "events");
    fprintf(out, "%" PRIu64 "\n", f->info.events);
    put_name(out, "on disk");
    put_size(out, f->info.disk_bytes);
    if (f->info.torn_bytes > 0) {
        put_name(out, "torn tail");
        put_size(out, f->info.torn_bytes);
    }
    put_name(out, "to check it");
    char command[CLI_HINT_BYTES_MAX];
    cli_command_line(ctx, "store", command);
    cli_put_text(out, stet_str(command));
    fputs(" verify\n", out);
}

static void put_json(cli_ctx *ctx, const findings *f, const stet_error *err)
{
    json_out j = json_out_to(ctx->out);
    json_begin_object(&j, NULL);
    json_str(&j, "stet", stet_str(stet_version()));
    json_str(&j, "store", stet_str(ctx->store_url));
    if (f->disk.is_known) {
        json_str(&j, "file_system", stet_str(f->disk.fs_name));
        json_u64(&j, "free_bytes", f->disk.free_bytes);
        json_bool(&j, "is_direct", f->disk.has_direct);
        json_bool(&j, "locks_hold", f->disk.has_locks);
        json_double(&j, "sync_us", f->disk.sync_us);
    }
    json_str_if(&j, "warning", stet_str(f->disk.fs_warning));
    json_str_if(&j, "sync_warning", stet_str(probe_sync_warning(&f->disk)));
    json_str(&j, "sandbox", stet_str(sandbox_text(&ctx->sandbox)));
    json_bool(&j, "is_open", f->is_open);
    if (f->is_open) {
        json_u64(&j, "format", f->info.format);
        json_str(&j, "level", stet_str(stet_level_name(f->info.level)));
        json_u64(&j, "machines", f->info.machines);
        json_u64(&j, "events", f->info.events);
        json_u64(&j, "disk_bytes", f->info.disk_bytes);
        json_u64(&j, "torn_bytes", f->info.torn_bytes);
    } else {
        json_str(&j, "error", stet_str(err->text));
    }
    json_end_object(&j);
    json_end_line(&j);
}

stet_status cli_doctor(cli_ctx *ctx, stet_error *err)
{
    findings f = {.path = cli_store_path(ctx->store_url)};
    if (f.path != NULL) {
        char folder[PATH_MAX];
        existing_folder(f.path, folder);
        probe_directory(folder, &f.disk);
    }
    stet_error found = {0};
    stet_status st = cli_open(ctx, &found);
    if (st == STET_OK) {
        st = stet_get_info(ctx->store, &f.info, &found);
    }
    f.is_open = st == STET_OK;
    if (ctx->is_json) {
        put_json(ctx, &f, &found);
    } else {
        put_text(ctx, &f, &found);
    }
    *err = found;
    return st;
}
