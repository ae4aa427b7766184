#include "cache.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "run.h"

enum { READ_BYTES = 1024 * 1024, ALIGN_BYTES = 4096 };

stet_status cache_init(cache *c, const char *path, stet_error *err)
{
    *c = (cache){.fds = run_alloc(CACHE_FILES_MAX, sizeof(int))};
    DIR *dir = opendir(path);
    if (dir == NULL) {
        return run_fail(err, errno, "list %s", path);
    }
    stet_status st = STET_OK;
    const struct dirent *entry = NULL;
    while (st == STET_OK && (entry = readdir(dir)) != NULL) {
        if (entry->d_type != DT_REG) {
            continue;
        }
        int fd = c->count == CACHE_FILES_MAX
                     ? -1
                     : openat(dirfd(dir), entry->d_name, O_RDONLY | O_CLOEXEC);
        if (fd < 0) {
            st = run_fail(err, errno, "open %s in %s", entry->d_name, path);
        } else {
            c->fds[c->count++] = fd;
        }
    }
    closedir(dir);
    return st;
}

void cache_deinit(cache *c)
{
    for (size_t i = 0; i < c->count; i++) {
        close(c->fds[i]);
    }
    free(c->fds);
    *c = (cache){.count = 0};
}

void cache_drop(const cache *c)
{
    for (size_t i = 0; i < c->count; i++) {
        (void)posix_fadvise(c->fds[i], 0, 0, POSIX_FADV_DONTNEED);
    }
}

static stet_status read_file(int fd, char *into, uint64_t *bytes,
                             stet_error *err)
{
    off_t at = 0;
    for (;;) {
        ssize_t got = pread(fd, into, READ_BYTES, at);
        if (got < 0) {
            return run_fail(err, errno, "read");
        }
        if (got == 0) {
            return STET_OK;
        }
        at += got;
        *bytes += (uint64_t)got;
    }
}

stet_status cache_read_all(const cache *c, uint64_t *out_bytes, stet_error *err)
{
    char *into = aligned_alloc(ALIGN_BYTES, READ_BYTES);
    uint64_t bytes = 0;
    stet_status st = into == NULL ? run_fail(err, errno, "1 MiB") : STET_OK;
    for (size_t i = 0; i < c->count && st == STET_OK; i++) {
        char path[64];
        snprintf(path, sizeof(path), "/proc/self/fd/%d", c->fds[i]);
        int direct = open(path, O_RDONLY | O_DIRECT | O_CLOEXEC);
        st = read_file(direct < 0 ? c->fds[i] : direct, into, &bytes, err);
        if (direct >= 0) {
            close(direct);
        }
    }
    free(into);
    *out_bytes = bytes;
    return st;
}
