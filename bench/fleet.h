/*
 * Fleet: many machines whose seqs are known, and writers that go through them.
 *
 * Each writer has a share of the fleet to itself and walks it in shuffled
 * order, so that every write can name the exact version it expects, and a batch
 * never touches a machine twice.
 */
#ifndef STET_BENCH_FLEET_H
#define STET_BENCH_FLEET_H

#include <stet/stet.h>

#include "sample.h"

enum { FLEET_ID_BYTES = 15 };

typedef struct machine {
    char id[FLEET_ID_BYTES];
    uint8_t id_bytes;
    uint64_t seq; /* 0: not written yet */
} machine;

typedef struct fleet {
    machine *machines;
    uint32_t count;
} fleet;

/* Machines "m:0" ... of `prefix` "m", shuffled, none of them written. */
void fleet_init(fleet *f, const char *prefix, uint32_t count);
void fleet_deinit(fleet *f);
/* The id of machine `number` before shuffling; `out` has FLEET_ID_BYTES. */
stet_slice fleet_id(char *out, const char *prefix, uint32_t number);

/* One share and what is written to it. One thread at a time. */
typedef struct writer {
    stet *store;          /* borrowed */
    const samples *texts; /* borrowed */
    machine *share;       /* borrowed */
    size_t share_count;
    size_t next;
    uint64_t payload;
    stet_batch batch;
    stet_change *changes;
    stet_written *written;
    stet_ticket ticket; /* of the last asynchronous commit */
} writer;

/* What a writer writes: raw events or transitions, `batch` at a time. */
typedef struct writing {
    stet_verb verb;
    uint32_t batch; /* at most the share */
} writing;

void writer_init(writer *w, stet *store, const samples *texts, writing what);
void writer_deinit(writer *w);
/* Give a writer the machines [from, to) of a fleet. */
void writer_take_share(writer *w, const fleet *f, uint32_t from, uint32_t to);

/*
 * Commit the next batch; `ctx` is a writer. The answer's seqs are compared with
 * what they must be. STET_E_CORRUPT when one differs.
 */
stet_status writer_commit(void *ctx, stet_error *err);
/* The same without waiting. */
stet_status writer_commit_async(void *ctx, stet_error *err);
/* Wait for the last asynchronous commit, which waits for all before. */
stet_status writer_wait(const writer *w, stet_error *err);

/*
 * Write every machine of the fleet `rounds` times, in large batches: part by
 * part of the fleet, so that filling is not what is measured elsewhere, writing
 * to machines that are not in memory.
 */
stet_status fleet_fill(fleet *f, stet *store, const samples *texts,
                       uint32_t rounds, stet_error *err);

#endif
