#include "hist.h"

#include <stddef.h>

static size_t bucket_of(uint64_t value)
{
    if (value < HIST_SUB) {
        return (size_t)value;
    }
    unsigned shift = 63 - (unsigned)__builtin_clzll(value) - HIST_SUB_BITS;
    return (size_t)shift * HIST_SUB + (size_t)(value >> shift);
}

static uint64_t middle_of(size_t bucket)
{
    if (bucket < HIST_SUB) {
        return bucket;
    }
    unsigned shift = (unsigned)(bucket / HIST_SUB) - 1;
    uint64_t low = (uint64_t)(HIST_SUB + bucket % HIST_SUB) << shift;
    return low + (1ULL << shift) / 2;
}

void hist_add(hist *h, uint64_t value)
{
    h->count++;
    h->buckets[bucket_of(value)]++;
    if (value > h->max) {
        h->max = value;
    }
}

void hist_merge(hist *into, const hist *from)
{
    into->count += from->count;
    if (from->max > into->max) {
        into->max = from->max;
    }
    for (size_t i = 0; i < HIST_BUCKETS; i++) {
        into->buckets[i] += from->buckets[i];
    }
}

uint64_t hist_at(const hist *h, double share)
{
    double wanted = share * (double)h->count;
    uint64_t seen = 0;
    for (size_t i = 0; i < HIST_BUCKETS; i++) {
        seen += h->buckets[i];
        if (seen > 0 && (double)seen >= wanted) {
            uint64_t middle = middle_of(i);
            return middle < h->max ? middle : h->max;
        }
    }
    return 0;
}
