/*
 * logdisk: a disk that keeps a log of what is done to it, so that a test can
 * ask what it would hold had the power been cut at any moment.
 *
 *   logdisk IMAGE LOG MOUNTPOINT
 *
 * MOUNTPOINT gets two files: `disk`, which begins as IMAGE, never writes to it,
 * and is to be put under a loop device; and `notes`, which takes lines of what
 * was acknowledged. One thread serves both, so that LOG has one order:
 *
 *   kind u32, length u32, offset u64, then `length` bytes; host byte order
 *   kind 1: a write to the disk, 2: a flush of it, 3: a note
 *
 * Says "ready" on stdout; ends with LOG complete when it is unmounted.
 */
#define FUSE_USE_VERSION 31
#include <errno.h>
#include <fcntl.h>
#include <fuse.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static const char disk_path[] = "/disk";
static const char notes_path[] = "/notes";

typedef enum record_kind {
    RECORD_WRITE = 1,
    RECORD_FLUSH = 2,
    RECORD_NOTE = 3,
} record_kind;

typedef struct record_head {
    uint32_t kind;
    uint32_t len;
    uint64_t offset;
} record_head;

/* The one disk: libfuse hands it to every call. */
typedef struct logdisk {
    uint8_t *bytes;
    size_t len;
    FILE *log;
} logdisk;

static logdisk *mine(void)
{
    return fuse_get_context()->private_data;
}

static bool is_disk(const char *path)
{
    return strcmp(path, disk_path) == 0;
}

static int note_down(record_kind kind, uint64_t offset, const void *bytes,
                     size_t len)
{
    record_head head = {kind, (uint32_t)len, offset};
    FILE *log = mine()->log;
    bool is_kept = fwrite(&head, sizeof head, 1, log) == 1 &&
                   (len == 0 || fwrite(bytes, len, 1, log) == 1);
    return is_kept ? 0 : -EIO;
}

static int get_attributes(const char *path, struct stat *out,
                          struct fuse_file_info *file)
{
    (void)file;
    memset(out, 0, sizeof *out);
    if (strcmp(path, "/") == 0) {
        out->st_mode = S_IFDIR | 0700;
        return 0;
    }
    if (!is_disk(path) && strcmp(path, notes_path) != 0) {
        return -ENOENT;
    }
    out->st_mode = S_IFREG | 0600;
    out->st_nlink = 1;
    out->st_size = is_disk(path) ? (off_t)mine()->len : 0;
    return 0;
}

/* A note is here when its write returns. */
static int open_file(const char *path, struct fuse_file_info *file)
{
    file->direct_io = !is_disk(path);
    return 0;
}

/* Bytes from `offset` on that lie within the disk. */
static size_t within(off_t offset, size_t len)
{
    size_t left =
        (size_t)offset < mine()->len ? mine()->len - (size_t)offset : 0;
    return len < left ? len : left;
}

static int read_disk(const char *path, char *out, size_t len, off_t offset,
                     struct fuse_file_info *file)
{
    (void)file;
    len = is_disk(path) ? within(offset, len) : 0;
    memcpy(out, mine()->bytes + offset, len);
    return (int)len;
}

static int write_file(const char *path, const char *bytes, size_t len,
                      off_t offset, struct fuse_file_info *file)
{
    (void)file;
    int rc = 0;
    if (is_disk(path)) {
        if (within(offset, len) < len) {
            return -ENOSPC;
        }
        memcpy(mine()->bytes + offset, bytes, len);
        rc = note_down(RECORD_WRITE, (uint64_t)offset, bytes, len);
    } else {
        rc = note_down(RECORD_NOTE, 0, bytes, len);
    }
    return rc < 0 ? rc : (int)len;
}

static int flush_disk(const char *path, int is_data_only,
                      struct fuse_file_info *file)
{
    (void)is_data_only;
    (void)file;
    return is_disk(path) ? note_down(RECORD_FLUSH, 0, NULL, 0) : 0;
}

static void *begin(struct fuse_conn_info *connection, struct fuse_config *c)
{
    (void)connection;
    (void)c;
    puts("ready");
    fflush(stdout);
    return mine();
}

static bool open_disk(logdisk *d, const char *image, const char *log)
{
    struct stat st;
    int fd = open(image, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) != 0) {
        return false;
    }
    d->len = (size_t)st.st_size;
    d->bytes = mmap(NULL, d->len, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    (void)close(fd); /* the mapping stays */
    d->log = fopen(log, "wbe");
    return d->bytes != MAP_FAILED && d->log != NULL;
}

int main(int argc, char **argv)
{
    static const struct fuse_operations operations = {
        .getattr = get_attributes,
        .open = open_file,
        .read = read_disk,
        .write = write_file,
        .fsync = flush_disk,
        .init = begin,
    };
    logdisk d = {0};
    if (argc != 4) {
        fprintf(stderr, "usage: logdisk IMAGE LOG MOUNTPOINT\n");
        return 2;
    }
    if (!open_disk(&d, argv[1], argv[2])) {
        fprintf(stderr, "logdisk: %s, %s: %s\n", argv[1], argv[2],
                strerror(errno));
        return 1;
    }
    char foreground[] = "-f";
    char one_thread[] = "-s";
    char *words[] = {argv[0], foreground, one_thread, argv[3], NULL};
    int rc = fuse_main(4, words, &operations, &d);
    return fclose(d.log) == 0 ? rc : 1;
}
