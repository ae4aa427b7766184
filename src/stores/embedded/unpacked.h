/*
 * Unpacked: the blocks of sets that were unpacked last. Unpacking one takes
 * longer than all else in a look into the past (45 us for 32 KiB), and who
 * looks once looks near it again: a search, the fold after it, the next window
 * of a history.
 *
 * Thread: any number at once. A block is counted and never changes.
 */
#ifndef STET_STORES_EMBEDDED_UNPACKED_H
#define STET_STORES_EMBEDDED_UNPACKED_H

#include <stet/slice.h>

#include "base/alloc.h"
#include "os/mutex.h"

enum {
    /* 4 MiB of usual ones: the history of some 10,000 small events. */
    STET_UNPACKED_BLOCKS = 128,
    /* A block of one long record is not kept: so many were too much. */
    STET_UNPACKED_BYTES_MAX = 64 * 1024,
};

typedef struct stet_unpacked_block {
    const stet_allocator *alloc;
    _Atomic uint32_t refs;
    size_t len;
    uint8_t bytes[];
} stet_unpacked_block;

/* Where one is kept. What is looked for stands here, and not in the block. */
typedef struct stet_unpacked_place {
    stet_unpacked_block *block; /* one reference, or NULL */
    uint64_t used_at;
    uint32_t file; /* numbers are never used again */
    uint32_t number;
} stet_unpacked_place;

typedef struct stet_unpacked {
    stet_os *os;
    stet_mutex lock;                                  /* a leaf */
    stet_unpacked_place places[STET_UNPACKED_BLOCKS]; /* under lock */
    uint64_t clock;                                   /* under lock */
} stet_unpacked;

void stet__unpacked_init(stet_unpacked *u, stet_os *os);
/* Nobody looks any more; blocks that are held stay with who holds them. */
void stet__unpacked_deinit(stet_unpacked *u);

/* Look a block up; the caller gets a reference. NULL: not here. */
stet_unpacked_block *stet__unpacked_find(stet_unpacked *u, uint32_t file,
                                         uint32_t number);

/*
 * Keep a copy of a block; the caller gets a reference to it. NULL: it is too
 * long, or there is no memory.
 */
stet_unpacked_block *stet__unpacked_keep(stet_unpacked *u,
                                         const stet_allocator *alloc,
                                         uint32_t file, uint32_t number,
                                         stet_slice content);

/* Accepts NULL. */
void stet__unpacked_unref(stet_unpacked_block *block);

#endif
