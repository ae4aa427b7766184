/*
 * Probe: what the promise rests on here, found out by trying.
 */
#ifndef STET_CLI_PROBE_H
#define STET_CLI_PROBE_H

#include <stdbool.h>
#include <stdint.h>

typedef struct probe {
    bool is_known; /* the file system told what it is */
    char fs_name[32];
    const char *fs_warning; /* what it means for the promise, or NULL */
    uint64_t free_bytes;
    bool has_direct; /* it takes O_DIRECT|O_DSYNC */
    bool has_locks;  /* a second flock(2) of one file is refused */
    double sync_us;  /* median of a write of 4 KiB and its sync; 0: failed */
} probe;

/* Try the directory, which must exist. Nothing is left in it. */
void probe_directory(const char *path, probe *out);

/*
 * A warning about syncs this fast, or NULL: what no device can have written
 * in that time is in somebody's memory.
 */
const char *probe_sync_warning(const probe *p);

#endif
