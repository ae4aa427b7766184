/*
 * Replay: any state, from the records of its lineage.
 *
 * From the record at a position, records are read backwards until a base (or a
 * state already in memory), then folded forwards; states that a record names by
 * a check value are compared with it.
 */
#ifndef STET_ENGINE_REPLAY_H
#define STET_ENGINE_REPLAY_H

#include "core/record.h"
#include "engine/handle.h"

enum {
    /* Looks for a state while settling drops what was just found. */
    STET_REPLAY_TRIES = 8,
};

/* What a replay ends with. */
typedef struct stet_replayed {
    stet_point point;
    stet_slice owner; /* id of the machine, or the ancestor, whose record that
                         is; lent until the bench's arena is reset */
    bool is_deleted;
    stet_box *box; /* one reference for the caller; NULL when deleted */
    /* Of the records since the last base, for stet_head. */
    uint64_t depth;
    uint64_t body_bytes;
    uint32_t file;
    uint32_t turns;
    uint64_t folded;     /* records, from the base on or behind the anchor */
    uint64_t failed_seq; /* of a failure: of the record it is about */
} stet_replayed;

/* Which state is asked for. */
typedef struct stet_replay_of {
    stet_machine_key key;
    stet_point point;
    stet_box *anchor; /* an older state of the lineage to start from, or NULL */
    bool is_as_stored; /* what is only to be erased is still there; of heads,
                          of which nothing is */
} stet_replay_of;

/*
 * Fold the state of a machine at the record at `of->point.position`.
 *
 * STET_E_GONE, STET_E_ERASED: it was dropped or erased; STET_E_CORRUPT,
 * STET_E_UNSUPPORTED (reducer not registered), STET_E_NOMEM, STET_E_IO. Of
 * `*out` then only `failed_seq` is set: no state from there up to the point can
 * be had.
 */
stet_status stet__replay(stet *s, stet_bench *bench, const stet_replay_of *of,
                         stet_replayed *out, stet_error *err);

/*
 * The same without the state, which is not folded: `box` is NULL, the name is
 * lent in `*out_name` as `owner` is, and the bytes and turns are those since
 * the record that says the name. The same statuses, but for UNSUPPORTED.
 */
stet_status stet__replay_head(stet *s, stet_bench *bench,
                              const stet_replay_of *of, stet_replayed *out,
                              stet_slice *out_name, stet_error *err);

/*
 * A state being folded step by step. Lives in a bench: at most one at a time.
 * `parts` slices point into the bench, or into what a step was given.
 */
typedef struct stet_folding {
    stet *s;
    stet_bench *bench;
    bool is_parsed; /* the state is in the bench's folder, not in parts.data */
    stet_box_parts parts;
    bool is_deleted;
} stet_folding;

/* Start from nothing, or from `from` (nullable, borrowed until the end). */
void stet__folding_init(stet_folding *f, stet *s, stet_bench *bench,
                        stet_machine_key key, const stet_box *from);

/* Fold one record, whose slices stay valid until the end. */
stet_status stet__folding_step(stet_folding *f, const stet_record *r,
                               int64_t occurred, stet_error *err);

/* Copy the state so far into a box, seq and times still unset. NULL in `*out`
 * when it is deleted. */
stet_status stet__folding_box(stet_folding *f, stet_box **out, stet_error *err);

/* What a callback of the application writes its state to. */
struct stet_output {
    stet_buf *buf;
};

/*
 * What a reducer's answer means to the caller. Some statuses steer the library
 * itself (a walk's end, a write to be prepared again): those, and what is no
 * status at all, are taken as a plain refusal.
 */
stet_status stet__callback_answer(stet_status said);

/*
 * Call the reducer that a custom record names; appends the new state. Held to
 * the most a state can have: the handle's own limit is for what is written.
 */
stet_status stet__reduce(stet *s, const stet_record *r, stet_slice state,
                         stet_buf *out, stet_error *err);

#endif
