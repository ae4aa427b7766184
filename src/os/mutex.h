/*
 * Mutex: a lock of one word over the environment's futex, with a rank.
 *
 * Locks are taken in rising rank; a debug build asserts it per thread. Nothing
 * that blocks, allocates or calls back runs under one.
 *
 *   rank  lock
 *   10    seq: the sequenced section of a handle's commit pipeline
 *   20    stripe: one of 16 parts of the machine table
 *   30    files: the swap of a store's file table
 *   40    leaf: anything that takes no other lock inside
 */
#ifndef STET_OS_MUTEX_H
#define STET_OS_MUTEX_H

#include <stdatomic.h>

#include "os/os.h"

typedef enum stet_lock_rank {
    STET_RANK_SEQ = 10,
    STET_RANK_STRIPE = 20,
    STET_RANK_FILES = 30,
    STET_RANK_LEAF = 40,
} stet_lock_rank;

typedef struct stet_mutex {
    _Atomic uint32_t word; /* 0 free, 1 held, 2 held and waited for */
    stet_lock_rank rank;
} stet_mutex;

void stet__mutex_init(stet_mutex *m, stet_lock_rank rank);
void stet__mutex_lock(stet_os *os, stet_mutex *m);
void stet__mutex_unlock(stet_os *os, stet_mutex *m);

#ifdef STET_DEBUG

enum { STET_RANKS_HELD_MAX = 8 };

/* The ranks of the locks that a thread holds, rising. */
typedef struct stet_held_ranks {
    uint32_t count;
    stet_lock_rank ranks[STET_RANKS_HELD_MAX];
} stet_held_ranks;

/*
 * Set what this thread is taken to hold; returns what it was. For a simulator
 * whose threads are fibers of one: it calls this at each switch.
 */
stet_held_ranks stet__mutex_swap_held(stet_held_ranks mine);

#endif

#endif
