/*
 * Run: what the rows of one benchmark run share: a directory of their own, how
 * long to measure, stores with the library's default options, memory,
 * pseudo-random numbers, errors.
 */
#ifndef STET_BENCH_RUN_H
#define STET_BENCH_RUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <stet/stet.h>

#include "measure.h"

enum { RUN_PATH_MAX = 4096 };

typedef struct run {
    char dir[RUN_PATH_MAX]; /* of this process; removed at the end */
    bool is_parent_made;    /* by us, so that it goes as well if empty */
    bool is_quick;
    int64_t warm_ns;
    int64_t window_ns;
    uint32_t takes;  /* measurements of each row */
    uint32_t shrink; /* divides the sizes of large rows */
} run;

/* Make DIR/PID, and DIR if need be. */
stet_status run_init(run *r, const char *dir, stet_error *err);
/* Remove everything that was made. */
void run_deinit(run *r);

/* True once the user asked to stop; rows end at their next pause. */
bool run_is_stopped(void);

/* Warm up, then measure for one window on this thread. */
stet_status run_measure(const run *r, const call *c, figures *out,
                        stet_error *err);

/* Open the store `name` of this run, all options at their defaults. */
stet_status run_open(const run *r, const char *name, stet **out,
                     stet_error *err);

/* Close a store of this run, and open it again. */
stet_status run_reopen(const run *r, const char *name, stet **store,
                       stet_error *err);

/* Remove a store and wait until the disk has settled. */
void run_remove(const run *r, const char *name);

/* Path of a store or file of this run; `out` has RUN_PATH_MAX bytes. */
void run_path(const run *r, const char *name, char *out);

/* Zeroed memory; without any there is no benchmark, so it ends the program. */
void *run_alloc(size_t count, size_t bytes);

/* splitmix64; any state will do to begin with. */
uint64_t random_next(uint64_t *state);
/* Below `bound`, which is at most 2^32. */
uint64_t random_below(uint64_t *state, uint64_t bound);

/* Fill `err` and return its status: STET_E_IO with errno, else CORRUPT. */
stet_status run_fail(stet_error *err, int os_errno, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
