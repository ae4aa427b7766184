/*
 * Checkpoints and forks: names for points of histories, and new machines that
 * begin at one.
 *
 * A checkpoint names (machine, seq), or a position of the whole store: a
 * consistent cut over all machines. Setting one is one append, whatever the
 * size of the history. Loading one (STET_AT_CHECKPOINT) changes nothing.
 */
#ifndef STET_CHECKPOINT_H
#define STET_CHECKPOINT_H

#include <stet/read.h>
#include <stet/write.h>

#ifdef __cplusplus
extern "C" {
#endif

/* One checkpoint; slices are lent until the next call of the iterator. */
typedef struct stet_checkpoint {
    stet_slice name;
    stet_slice state_machine_id; /* empty: the whole store */
    stet_slice metadata;         /* JSON, or empty */
    uint64_t turn_number;        /* the seq named; 0 for the whole store */
    uint64_t history_size;       /* events up to there, of machine or store */
    uint64_t position;           /* of the event named, or of the cut */
    int64_t created_at;
    uint8_t ns;
} stet_checkpoint;

typedef struct stet_checkpoint_opts {
    size_t struct_size;
    stet_slice name;     /* default: "checkpoint_" and the RFC 3339 time */
    stet_slice metadata; /* JSON */
    stet_at at;          /* default: the newest */
    uint8_t ns;
    bool is_replace; /* take a name that is in use */
} stet_checkpoint_opts;

/* A checkpoint's name in the caller's memory, NUL-terminated. */
typedef struct stet_checkpoint_name {
    char text[STET_NAME_BYTES_MAX + 1];
} stet_checkpoint_name;

/*
 * Name a point of a machine, or of the whole store when `id` is empty.
 *
 * `out_name` (nullable) takes the name given. `opts` is nullable. A cut of the
 * whole store is at the newest, a position or a recorded time.
 *
 *   STET_E_EXISTS     the name is taken
 *   STET_E_NOT_FOUND  the machine has no state there
 *   STET_E_INVALID    name, metadata, id or point is wrong
 *   else as any write, see stet/write.h
 *
 * Blocks until durable. Thread-safe. Since 0.1.
 */
STET_API STET_NODISCARD stet_status
stet_checkpoint_set(stet *s, stet_slice id, const stet_checkpoint_opts *opts,
                    stet_checkpoint_name *out_name, stet_error *err);

/*
 * Take a name away; the history stays.
 *
 * `id` empty: one of the whole store, and `ns` is ignored. STET_E_NOT_FOUND:
 * there is none; STET_E_INVALID: id or name is wrong; else as any write. Blocks
 * until durable. Thread-safe. Since 0.1.
 */
STET_API STET_NODISCARD stet_status
stet_checkpoint_delete(stet *s, stet_slice id, uint8_t ns, stet_slice name,
                       stet_error *err);

/*
 * Make the machine's state what it was at a checkpoint: one restored event;
 * later history stays.
 *
 * Bytes, name, type, version and metadata become what they were, also where
 * there was none; those of `opts->more` (nullable) are ignored. The name is the
 * machine's, or, where it has none, the whole store's. `out` (nullable) takes
 * the new event's answer.
 *
 *   STET_E_NOT_FOUND  no such checkpoint, or no state there
 *   else as any write, see stet/write.h
 *
 * Blocks until durable. Thread-safe. Since 0.1.
 */
STET_API STET_NODISCARD stet_status
stet_checkpoint_restore(stet *s, stet_slice id, stet_slice name,
                        const stet_write_opts *opts, stet_written *out,
                        stet_error *err);

/* Checkpoints in order of their names. One thread at a time. */
typedef struct stet_checkpoints stet_checkpoints;

/*
 * List the checkpoints of a machine, or of the whole store when `id` is empty,
 * as of now.
 *
 * `*out` is owned by the caller until stet_checkpoints_close. A machine without
 * any, or one never written, has an empty list. STET_E_INVALID: id or namespace
 * is wrong; STET_E_CORRUPT, STET_E_IO, STET_E_NOMEM. Thread-safe. Since 0.1.
 */
STET_API STET_NODISCARD stet_status
stet_checkpoints_open(stet *s, stet_slice id, uint8_t ns,
                      stet_checkpoints **out, stet_error *err);

/*
 * Take the next checkpoint, lent until the next call; STET_DONE at the end.
 *
 * STET_E_CORRUPT, STET_E_IO, STET_E_NOMEM. Thread: one at a time per listing.
 * Since 0.1.
 */
STET_API STET_NODISCARD stet_status
stet_checkpoints_next(stet_checkpoints *list, const stet_checkpoint **out,
                      stet_error *err);

/*
 * End a listing. Accepts NULL.
 *
 * Thread: one at a time per listing. Since 0.1.
 */
STET_API void stet_checkpoints_close(stet_checkpoints *list);

/* Options of stet_fork. Zeroed or NULL: from the newest, nothing more said. */
typedef struct stet_fork_opts {
    size_t struct_size;    /* sizeof(stet_fork_opts); 0 is taken as that */
    stet_at at;            /* the point of the parent */
    stet_write_opts write; /* of the fork's own event; no payload, to_state */
} stet_fork_opts;

/*
 * Begin machine `id` as `parent` is at a point: O(1), shares everything before.
 *
 * The fork's history is the parent's up to there; its first own event is the
 * fork. Both are in namespace `opts->write.more.ns`. `out` (nullable) takes the
 * fork's answer. A repeat with the same key must name the point as the first
 * call did; where that leads by now, if anywhere, does not matter.
 *
 *   STET_E_EXISTS     `id` is there, or was used before
 *   STET_E_NOT_FOUND  the parent has no such point, or was deleted there
 *   else as any write, see stet/write.h
 *
 * Blocks. Thread-safe. Since 0.1.
 */
STET_API STET_NODISCARD stet_status
stet_fork(stet *s, stet_slice parent, stet_slice id, const stet_fork_opts *opts,
          stet_written *out, stet_error *err);

#ifdef __cplusplus
}
#endif

#endif
