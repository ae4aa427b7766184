/*
 * Sample: payloads and states as applications have them.
 *
 * JSON, half of it words that repeat and half of it noise, so that neither a
 * compressor nor its absence is flattered. The same seed gives the same bytes.
 */
#ifndef STET_BENCH_SAMPLE_H
#define STET_BENCH_SAMPLE_H

#include <stddef.h>
#include <stdint.h>

#include <stet/slice.h>

enum { SAMPLE_PAYLOAD_BYTES = 200, SAMPLE_PAYLOADS = 1024 };

/* Payloads to write in turn, so that making them costs no measured time. */
typedef struct samples {
    char payloads[SAMPLE_PAYLOADS][SAMPLE_PAYLOAD_BYTES];
} samples;

samples *samples_create(void);
void samples_destroy(samples *s);
stet_slice samples_payload(const samples *s, uint64_t number);

/* A state of exactly so many bytes, at least 512. */
typedef struct sample_state {
    char *text;
    size_t bytes;
    size_t players;
    uint64_t random;
    uint32_t turn;
} sample_state;

void sample_state_init(sample_state *s, size_t bytes, uint64_t seed);
void sample_state_deinit(sample_state *s);
stet_slice sample_state_slice(const sample_state *s);

/* One step of the game: the turn, and one player's score and hand. */
void sample_state_step(sample_state *s);

#endif
