/*
 * Cache: have the system forget what it keeps in memory of a store's files.
 */
#ifndef STET_BENCH_CACHE_H
#define STET_BENCH_CACHE_H

#include <stddef.h>
#include <stdint.h>

#include <stet/status.h>

enum { CACHE_FILES_MAX = 4096 };

/* The files of one directory, held open. Zeroed: none. */
typedef struct cache {
    int *fds;
    size_t count;
} cache;

/* Take the files that are in the directory now. */
stet_status cache_init(cache *c, const char *path, stet_error *err);
/* Accepts a zeroed one. */
void cache_deinit(cache *c);

/* Pages that are clean are dropped; those of a store at rest all are. */
void cache_drop(const cache *c);

/*
 * Read all files from begin to end, 1 MiB at a time and past the page cache
 * where the file system can. `*out_bytes` takes their bytes.
 */
stet_status cache_read_all(const cache *c, uint64_t *out_bytes,
                           stet_error *err);

#endif
