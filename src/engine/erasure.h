/*
 * Erasures: how far each machine's content is erased. As events: a machine
 * "e" NS ID (two hex digits) of namespace 255, {"end": one past the last seq}.
 *
 * All of them are in memory, once somebody asked: each read of the past does.
 * One counts once it is durable: no read tells of what may vanish, and nothing
 * is taken from the files for it.
 *
 * Thread-safe.
 */
#ifndef STET_ENGINE_ERASURE_H
#define STET_ENGINE_ERASURE_H

#include "engine/handle.h"

void stet__erasures_init(stet_erasures *e, const stet_allocator *alloc);
void stet__erasures_deinit(stet_erasures *e);

/* Have all of them in memory. STET_E_CORRUPT, STET_E_IO, STET_E_NOMEM. */
stet_status stet__erasures_load(stet *s, stet_error *err);

/* Is anything erased? Once they are loaded. */
bool stet__erasures_any(stet *s);

/* A machine, and one past the last seq erased of its own. */
typedef struct stet_erased {
    stet_machine_key key; /* its bytes live as long as the handle */
    uint64_t end;
} stet_erased;

/* Append all that are loaded to a list of stet_erased. STET_E_NOMEM. */
stet_status stet__erasures_list(stet *s, stet_buf *out, stet_error *err);

/* One past the last seq erased of a machine's own; 0: nothing is. The same. */
uint64_t stet__erased_end(stet *s, stet_machine_key key);

#endif
