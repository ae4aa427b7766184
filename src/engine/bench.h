/*
 * Bench: the working memory of one call, taken from a pool and given back.
 *
 * Compression contexts and scratch buffers are too large to make anew for each
 * call. A pool keeps up to STET_BENCHES_MAX idle ones. Thread: a bench is one
 * caller's at a time; the pool is thread-safe.
 */
#ifndef STET_ENGINE_BENCH_H
#define STET_ENGINE_BENCH_H

#include <stet/sys/store.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/map.h"
#include "core/delta.h"
#include "core/fold.h"
#include "engine/table.h"
#include "os/mutex.h"

enum {
    STET_BENCHES_MAX = 16,
    /* Buffers above this are not kept. */
    STET_BENCH_KEEP_BYTES = 1024 * 1024,
    STET_BENCH_KEEP_SLOTS = 4096, /* of the map, likewise */
};

typedef struct stet_bench {
    struct stet_bench *next;
    stet_zctx *z;
    stet_folder *folder;
    stet_arena arena;        /* of one step; reset when the bench is given */
    stet_arena batch;        /* plans and tails of a batch; likewise */
    stet_map touched;        /* machines of a batch; likewise */
    stet_heads heads;        /* to make pending heads of */
    stet_log_reader *reader; /* of the log; what it lends, the next read ends */
    stet_buf state;          /* a state being folded */
    stet_buf spare;          /* the other one, where a step reads and writes */
} stet_bench;

typedef struct stet_benches {
    const stet_allocator *alloc;
    stet_log *log; /* set once it is open */
    stet_os *os;
    stet_mutex mu;
    stet_bench *idle;
    uint32_t idle_count;
} stet_benches;

void stet__benches_init(stet_benches *b, const stet_allocator *alloc,
                        stet_os *os);
/* Before the log is closed. */
void stet__benches_deinit(stet_benches *b);

/* NULL: no memory. */
stet_bench *stet__bench_take(stet_benches *b);
/* Accepts NULL. */
void stet__bench_give(stet_benches *b, stet_bench *bench);

#endif
