/*
 * doctor: the store, and the file system and machine it is on.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/error.h"
#include "cli/cli.h"
#include "cli/json_out.h"
#include "cli/text.h"

/* What a file system is called, and what it means for the promise. */
typedef struct fs_kind {
    unsigned long magic; /* statfs(2) */
    const char *name;
    const char *warning; /* or NULL */
} fs_kind;

#define OF_A_NETWORK                                                           \
    "a network file system: locks and flushes are as good as its server's"

static const fs_kind fs_kinds[] = {
    {0xEF53, "ext4", NULL},
    {0x58465342, "xfs", NULL},
    {0x9123683E, "btrfs", NULL},
    {0xF2F52010, "f2fs", NULL},
    {0x2FC12FC1, "zfs", NULL},
    {0x794C7630, "overlayfs",
     "a container's own layer: it goes when the container goes"},
    {0x01021994, "tmpfs", "in memory: nothing survives power loss or reboot"},
    {0x858458F6, "ramfs", "in memory: nothing survives power loss or reboot"},
    {0x6969, "nfs", OF_A_NETWORK},
    {0xFF534D42, "cifs", OF_A_NETWORK},
    {0xFE534D42, "smb2", OF_A_NETWORK},
    {0x01021997, "9p", OF_A_NETWORK},
    {0x65735546, "fuse", "as good as the program that serves it"},
};

/* What was found, in the order in which it is told. */
typedef struct findings {
    const char *path; /* of the store's folder; NULL: it has none */
    char fs_name[32];
    const char *fs_warning; /* or NULL */
    uint64_t free_bytes;
    bool is_fs_known;
    bool has_direct; /* the file system takes O_DIRECT */
    bool is_open;    /* the store opened */
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

static void look_at_fs(const char *folder, findings *f)
{
    struct statfs fs = {0};
    if (statfs(folder, &fs) != 0) {
        return;
    }
    f->is_fs_known = true;
    f->free_bytes = (uint64_t)fs.f_bavail * (uint64_t)fs.f_bsize;
    unsigned long magic = (unsigned long)fs.f_type & 0xFFFFFFFF;
    snprintf(f->fs_name, sizeof f->fs_name, "0x%lx", magic);
    for (size_t i = 0; i < sizeof fs_kinds / sizeof fs_kinds[0]; i++) {
        if (fs_kinds[i].magic == magic) {
            snprintf(f->fs_name, sizeof f->fs_name, "%s", fs_kinds[i].name);
            f->fs_warning = fs_kinds[i].warning;
        }
    }
}

/* Try with a file without a name, so that nothing is left and nothing seen. */
static bool takes_direct_writes(const char *folder)
{
    int fd =
        open(folder, O_TMPFILE | O_RDWR | O_DIRECT | O_DSYNC | O_CLOEXEC, 0600);
    if (fd < 0) {
        return false;
    }
    close(fd);
    return true;
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

static void put_text(cli_ctx *ctx, const findings *f, const stet_error *err)
{
    FILE *out = ctx->out;
    put_line(out, "stet", stet_version());
    put_line(out, "store", ctx->store_url);
    if (f->is_fs_known) {
        put_line(out, "file system", f->fs_name);
        put_name(out, "free");
        put_size(out, f->free_bytes);
        put_line(out, "direct writes", f->has_direct ? "yes" : "no, slower");
    }
    if (f->fs_warning != NULL) {
        put_line(out, "warning", f->fs_warning);
    }
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
    if (f->is_fs_known) {
        json_str(&j, "file_system", stet_str(f->fs_name));
        json_u64(&j, "free_bytes", f->free_bytes);
        json_bool(&j, "is_direct", f->has_direct);
    }
    json_str_if(&j, "warning", stet_str(f->fs_warning));
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
        look_at_fs(folder, &f);
        f.has_direct = takes_direct_writes(folder);
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
