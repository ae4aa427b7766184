#include "base/histogram.h"

#include "base/assert.h"

static size_t bucket_of(uint64_t number)
{
    if (number < STET_HISTOGRAM_SUB) {
        return (size_t)number;
    }
    if (number >> STET_HISTOGRAM_BITS != 0) {
        return STET_HISTOGRAM_BUCKETS - 1;
    }
    unsigned shift =
        63 - (unsigned)__builtin_clzll(number) - STET_HISTOGRAM_SUB_BITS;
    /* The highest bit, which is set, counts this power of two as one more. */
    return (size_t)shift * STET_HISTOGRAM_SUB + (size_t)(number >> shift);
}

static uint64_t middle_of(size_t bucket)
{
    if (bucket < STET_HISTOGRAM_SUB) {
        return bucket;
    }
    unsigned shift = (unsigned)(bucket / STET_HISTOGRAM_SUB) - 1;
    uint64_t begin =
        (uint64_t)(STET_HISTOGRAM_SUB + bucket % STET_HISTOGRAM_SUB) << shift;
    return begin + (((uint64_t)1 << shift) - 1) / 2;
}

void stet__tally_add(stet_tally *t, uint64_t number)
{
    /* Relaxed: numbers to look at, which order nothing. */
    atomic_fetch_add_explicit(&t->buckets[bucket_of(number)], 1,
                              memory_order_relaxed);
    atomic_fetch_add_explicit(&t->sum, number, memory_order_relaxed);
}

void stet__histogram_gather(stet_histogram *h, const stet_tally *t)
{
    h->sum += atomic_load_explicit(&t->sum, memory_order_relaxed);
    for (size_t i = 0; i < STET_HISTOGRAM_BUCKETS; i++) {
        uint64_t n = atomic_load_explicit(&t->buckets[i], memory_order_relaxed);
        h->buckets[i] += n;
        h->count += n;
    }
}

void stet__histogram_merge(stet_histogram *into, const stet_histogram *from)
{
    into->count += from->count;
    into->sum += from->sum;
    for (size_t i = 0; i < STET_HISTOGRAM_BUCKETS; i++) {
        into->buckets[i] += from->buckets[i];
    }
}

uint64_t stet__histogram_at(const stet_histogram *h, double share)
{
    STET_ASSERT(share > 0 && share <= 1);
    double wanted = share * (double)h->count;
    uint64_t seen = 0;
    for (size_t i = 0; i < STET_HISTOGRAM_BUCKETS; i++) {
        seen += h->buckets[i];
        if (seen > 0 && (double)seen >= wanted) {
            return middle_of(i);
        }
    }
    return 0;
}

double stet__histogram_mean(const stet_histogram *h)
{
    return h->count == 0 ? 0 : (double)h->sum / (double)h->count;
}

uint64_t stet__histogram_below(const stet_histogram *h, unsigned bits)
{
    STET_ASSERT(bits < STET_HISTOGRAM_BITS);
    size_t end = bucket_of((uint64_t)1 << bits);
    uint64_t seen = 0;
    for (size_t i = 0; i < end; i++) {
        seen += h->buckets[i];
    }
    return seen;
}
