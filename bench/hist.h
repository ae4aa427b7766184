/*
 * Hist: a log-linear histogram of latencies.
 *
 * Every power of two is cut into 64 buckets of equal width, so that a value is
 * told within 0.8 % whatever its size. A zeroed histogram is empty.
 */
#ifndef STET_BENCH_HIST_H
#define STET_BENCH_HIST_H

#include <stdint.h>

enum {
    HIST_SUB_BITS = 6,
    HIST_SUB = 1 << HIST_SUB_BITS,
    HIST_BUCKETS = (64 - HIST_SUB_BITS + 1) * HIST_SUB
};

typedef struct hist {
    uint64_t count;
    uint64_t max;
    uint64_t buckets[HIST_BUCKETS];
} hist;

void hist_add(hist *h, uint64_t value);
void hist_merge(hist *into, const hist *from);

/* The value that `share` (0 to 1) of all do not exceed; 0 when empty. */
uint64_t hist_at(const hist *h, double share);

#endif
