/*
 * Probe: asked of the system, or tried with files that have no name.
 */
#include "cli/probe.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

enum { WRITE_BYTES = 4096, SYNCS = 15, FILE_MODE = 0600 };

/* A flush goes to a device and waits for its answer: never that fast. */
static const double fastest_sync_us = 5;

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

static void look_at_fs(const char *folder, probe *p)
{
    struct statfs fs = {0};
    if (statfs(folder, &fs) != 0) {
        return;
    }
    p->is_known = true;
    p->free_bytes = (uint64_t)fs.f_bavail * (uint64_t)fs.f_bsize;
    unsigned long magic = (unsigned long)fs.f_type & 0xFFFFFFFF;
    (void)snprintf(p->fs_name, sizeof p->fs_name, "0x%lx", magic);
    for (size_t i = 0; i < sizeof fs_kinds / sizeof fs_kinds[0]; i++) {
        if (fs_kinds[i].magic == magic) {
            (void)snprintf(p->fs_name, sizeof p->fs_name, "%s",
                           fs_kinds[i].name);
            p->fs_warning = fs_kinds[i].warning;
        }
    }
}

/* A new file without a name, so that nothing is left and nothing seen. */
static int open_unnamed(const char *folder, int how)
{
    return open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC | how, FILE_MODE);
}

static bool takes_direct_writes(const char *folder)
{
    int fd = open_unnamed(folder, O_DIRECT | O_DSYNC);
    if (fd < 0) {
        return false;
    }
    close(fd);
    return true;
}

/* Opened anew through /proc it is another opener's. */
static bool refuses_second_lock(int fd)
{
    char path[32];
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    int second = open(path, O_RDWR | O_CLOEXEC);
    if (second < 0) {
        return false;
    }
    bool is_refused = flock(fd, LOCK_EX | LOCK_NB) == 0 &&
                      flock(second, LOCK_EX | LOCK_NB) != 0;
    close(second);
    return is_refused;
}

static double now_us(void)
{
    struct timespec t = {0};
    (void)clock_gettime(CLOCK_MONOTONIC, &t); /* cannot fail */
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static int by_value(const void *a, const void *b)
{
    const double *x = a;
    const double *y = b;
    return (*x > *y) - (*x < *y);
}

/* The same block again and again: the file's size is durable before. */
static double median_sync_us(int fd)
{
    static const char block[WRITE_BYTES];
    double took[SYNCS];
    if (pwrite(fd, block, sizeof block, 0) != WRITE_BYTES || fsync(fd) != 0) {
        return 0;
    }
    for (int i = 0; i < SYNCS; i++) {
        double began = now_us();
        if (pwrite(fd, block, sizeof block, 0) != WRITE_BYTES ||
            fdatasync(fd) != 0) {
            return 0;
        }
        took[i] = now_us() - began;
    }
    qsort(took, SYNCS, sizeof took[0], by_value);
    return took[SYNCS / 2];
}

void probe_directory(const char *path, probe *out)
{
    *out = (probe){0};
    look_at_fs(path, out);
    out->has_direct = takes_direct_writes(path);
    int fd = open_unnamed(path, 0);
    if (fd < 0) {
        return;
    }
    out->has_locks = refuses_second_lock(fd);
    out->sync_us = median_sync_us(fd);
    close(fd);
}

const char *probe_sync_warning(const probe *p)
{
    return p->sync_us > 0 && p->sync_us < fastest_sync_us
               ? "syncs are faster than a device: power loss may lose writes"
               : NULL;
}
