/*
 * Turn: a lock for work that takes long and may block: one does it at a time,
 * the others sleep until it is theirs. Who came first goes first, so nobody
 * waits for ever for one who gives it up only to take it again. It has no rank:
 * whoever holds one takes mutexes inside, never the other way round.
 */
#ifndef STET_OS_TURN_H
#define STET_OS_TURN_H

#include <stdatomic.h>

#include "os/os.h"

typedef struct stet_turn {
    _Atomic uint32_t drawn; /* by all who came */
    _Atomic uint32_t given; /* to all who left; futex */
} stet_turn;

/* A turn of zeros is free. Thread-safe. */
void stet__turn_take(stet_os *os, stet_turn *t);
void stet__turn_give(stet_os *os, stet_turn *t);

#endif
