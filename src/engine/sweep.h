/*
 * Sweep: fold every machine in one walk over the log.
 *
 * A machine's newest state so far is kept until its next record comes by, so
 * that each record is read once, in the order in which it lies on the storage.
 * What a sweep keeps has a limit, the handle's cache_bytes: machines beyond it
 * are passed over. So is a machine whose records do not fold or do not follow
 * each other: a sweep tells which machines are sound, and finds no reasons.
 *
 * After an event that was dropped or erased there is no state to fold onto: the
 * next one must be a base. A fork starts from what the sweep has of its parent,
 * or, where that has moved on, from a replay of the one state.
 *
 * Thread: one at a time.
 */
#ifndef STET_ENGINE_SWEEP_H
#define STET_ENGINE_SWEEP_H

#include "engine/handle.h"

typedef struct stet_sweep {
    stet *s;
    stet_bench *bench;
    stet_log_cursor *walk;
    stet_map machines;
    size_t bytes; /* of what is kept */
} stet_sweep;

/* What became of a machine. */
typedef struct stet_swept {
    uint64_t folded; /* events of its own */
    bool is_sound;   /* up to the head asked for */
} stet_swept;

/* Begin a sweep over the records below `below`. Deinit in any case. */
stet_status stet__sweep_init(stet_sweep *w, stet *s, uint64_t below,
                             stet_error *err);
void stet__sweep_deinit(stet_sweep *w);

/*
 * Fold the next record; `*out_folded`: it was, rather than passed over.
 * STET_DONE at the end; STET_E_CORRUPT, STET_E_IO: it cannot be read;
 * STET_E_NOMEM.
 */
stet_status stet__sweep_next(stet_sweep *w, bool *out_folded, stet_error *err);

/* After the end. */
stet_swept stet__sweep_of(const stet_sweep *w, const stet_head_entry *head);

#endif
