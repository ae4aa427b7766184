/*
 * Random numbers for tests: the same from the same seed, on every machine.
 */
#ifndef STET_TESTS_RNG_H
#define STET_TESTS_RNG_H

#include <stddef.h>
#include <stdint.h>

/* The seed, to start with. */
typedef struct rng {
    uint64_t state;
} rng;

/* The next 64 bits (splitmix64). */
static inline uint64_t rng_next(rng *r)
{
    r->state += 0x9e3779b97f4a7c15U;
    uint64_t z = r->state;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
    return z ^ (z >> 31);
}

/* A number in [0, end); `end` > 0, and small, so that the bias is too. */
static inline size_t rng_below(rng *r, size_t end)
{
    return (size_t)(rng_next(r) % end);
}

static inline void rng_fill(rng *r, void *ptr, size_t len)
{
    uint8_t *p = ptr;
    uint64_t bits = 0;
    for (size_t i = 0; i < len; i++) {
        bits = i % 8 == 0 ? rng_next(r) : bits >> 8;
        p[i] = (uint8_t)bits;
    }
}

#endif
