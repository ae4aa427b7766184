/*
 * Histogram: how often which numbers came, told within 3.2 % of each.
 *
 * The scheme is that of HdrHistogram (hdrhistogram.org), with 16 buckets to
 * each power of two: a number below 16 has a bucket of its own; from there on
 * the highest bit chooses a power of two and the four bits behind it one of its
 * 16 buckets, of equal width. A bucket is at most 1/16 of what it begins with
 * wide and is told by its middle, so what is told is wrong by 1/32 at most. All
 * powers of two are bounds of buckets. Numbers from 2^STET_HISTOGRAM_BITS on
 * (of nanoseconds: 73 minutes) count as the highest bucket.
 *
 * Recording is separate from reading: writers add to a *tally*, of which there
 * may be several for one thing, so that they do not share cache lines; readers
 * gather tallies into a histogram. A tally takes writers from any number of
 * threads and needs no lock; what is gathered while they write has each number
 * wholly or not at all, but for its sum, which may be behind or ahead by those
 * being added. A histogram is one thread's at a time.
 */
#ifndef STET_BASE_HISTOGRAM_H
#define STET_BASE_HISTOGRAM_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

enum {
    STET_HISTOGRAM_SUB_BITS = 4,
    STET_HISTOGRAM_SUB = 1 << STET_HISTOGRAM_SUB_BITS,
    STET_HISTOGRAM_BITS = 42,
    STET_HISTOGRAM_BUCKETS =
        (STET_HISTOGRAM_BITS - STET_HISTOGRAM_SUB_BITS + 1) *
        STET_HISTOGRAM_SUB,
    STET_CACHE_LINE = 64,
};

/* A tally of zeros is empty. */
typedef struct stet_tally {
    _Atomic uint64_t sum;
    _Atomic uint64_t buckets[STET_HISTOGRAM_BUCKETS];
    uint8_t apart[STET_CACHE_LINE]; /* from the next one's sum */
} stet_tally;

/* A histogram of zeros is empty. */
typedef struct stet_histogram {
    uint64_t count;
    uint64_t sum;
    uint64_t buckets[STET_HISTOGRAM_BUCKETS];
} stet_histogram;

/* Count a number. Any thread. */
void stet__tally_add(stet_tally *t, uint64_t number);

/* Add what was tallied so far. */
void stet__histogram_gather(stet_histogram *h, const stet_tally *t);
void stet__histogram_merge(stet_histogram *into, const stet_histogram *from);

/*
 * The number that `share` (over 0, at most 1) of all do not exceed; 0 when it
 * is empty.
 */
uint64_t stet__histogram_at(const stet_histogram *h, double share);
/* 0 when it is empty. */
double stet__histogram_mean(const stet_histogram *h);
/* How many are below 2^bits, which is below 2^STET_HISTOGRAM_BITS; exact. */
uint64_t stet__histogram_below(const stet_histogram *h, unsigned bits);

#endif
