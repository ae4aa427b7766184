/*
 * Arena: many small allocations, freed together.
 *
 * Blocks start at 4 KiB and double up to 256 KiB; a larger request gets a block
 * of its own. Addresses are aligned to 16. Thread: one at a time.
 */
#ifndef STET_BASE_ARENA_H
#define STET_BASE_ARENA_H

#include <stdint.h>

#include <stet/slice.h>

#include "base/alloc.h"

typedef struct stet_arena_block stet_arena_block;

typedef struct stet_arena {
    const stet_allocator *alloc; /* borrowed */
    stet_arena_block *newest;
} stet_arena;

void stet__arena_init(stet_arena *a, const stet_allocator *alloc);
void stet__arena_deinit(stet_arena *a);
/* Free all but the newest block. */
void stet__arena_reset(stet_arena *a);
/* Not cleared; NULL when there is no memory. */
void *stet__arena_alloc(stet_arena *a, size_t bytes);
/* Copy bytes into the arena and add a NUL behind them; ptr NULL: no memory. */
stet_slice stet__arena_copy(stet_arena *a, stet_slice s);

#endif
