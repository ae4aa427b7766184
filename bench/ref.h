/*
 * Ref: the disk's own rate, beside which every row stands.
 *
 * 4 KiB pwrite and fdatasync, one after the other, on a file written before.
 * The figures of a machine that is shared move; a row is measured again when
 * ref beside it was much slower than the best seen.
 */
#ifndef STET_BENCH_REF_H
#define STET_BENCH_REF_H

#include "measure.h"
#include "run.h"

typedef struct ref {
    int fd;
    uint64_t offset;
    uint64_t random;
    uint64_t best_p50_ns; /* of all measurements so far */
    int64_t window_ns;
    uint8_t *block;
} ref;

stet_status ref_init(ref *f, const run *r, stet_error *err);
void ref_deinit(ref *f);

/* Measure once and add to `out`. */
stet_status ref_measure(ref *f, figures *out, stet_error *err);

/* Was the disk more than 1.5 times slower than at its best? */
bool ref_is_slow(uint64_t p50_ns, uint64_t best_p50_ns);

#endif
