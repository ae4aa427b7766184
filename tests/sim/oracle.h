/*
 * Oracle: what clients asked and were told, and whether a store that was opened
 * again agrees.
 *
 * The order of all events is their position, and everybody sees it. So after
 * each open the oracle walks what is there from position to position, has the
 * naive model (lib/model.h) do the same write, and at each step asks:
 *
 *   a write that was acknowledged is there, at the seq and position told, once
 *   a write whose answer was lost or unknown is there wholly, or not at all
 *   a write that was refused is not there, and was right to be refused at some
 *     moment between its call and its answer
 *   an answer to a question was right at such a moment, too
 *
 * A moment is a position: not before the highest one that anybody had been told
 * of when the call began (its *floor*), and before the first one that was
 * written by a call which began after this one's answer.
 *
 * An event names the batch it is of in its causation id.
 *
 * A write that was deferred is unknown until something has made it durable; it
 * is not overtaken by a later write to its machine, which goes into one batch
 * with it.
 */
#ifndef STET_TESTS_SIM_ORACLE_H
#define STET_TESTS_SIM_ORACLE_H

#include <stet/sys/store.h>

#include "lib/model.h"
#include "sim/question.h"
#include "sim/world.h"

typedef enum call_outcome {
    CALL_UNKNOWN = 0, /* under way, or nobody knows */
    CALL_DONE,
    CALL_REFUSED, /* nothing was stored */
} call_outcome;

/* One write of a client. */
typedef struct call {
    const stet_batch *batch;
    size_t number; /* of the batch */
    call_outcome outcome;
    stet_status status;
    bool is_placed;   /* `out` is told, though perhaps not durable yet */
    bool is_synced;   /* acknowledged at level disk */
    bool is_deferred; /* answered, and not durable yet: like an unknown one */
    bool is_found;
    bool is_judged;    /* if refused: at some moment */
    bool is_justified; /* likewise: rightly */
    uint64_t began;    /* instants */
    uint64_t ended;
    uint64_t floor;
    stet_slice restores; /* the checkpoint that the batch is made from */
    stet_written out[MODEL_BATCH_MAX];
} call;

/*
 * A checkpoint, set once and deleted at most once: its name, which ends in #
 * and its number, is like no other.
 */
typedef struct checkpoint_call {
    model_checkpoint what;
    call_outcome set_outcome;
    call_outcome delete_outcome;
    uint64_t set_began;
    uint64_t delete_began; /* 0: nobody has */
    bool is_set;           /* found so */
    bool is_deleted;
} checkpoint_call;

/* What a client asked, and what it was told. */
typedef struct sighting {
    question asked;
    uint64_t digest; /* of the answer */
    uint64_t began;
    uint64_t ended;
    uint64_t floor;
    bool is_justified;
} sighting;

/* A record that another process was shown. */
typedef struct glimpse {
    uint64_t position;
    uint64_t digest; /* of its bytes */
} glimpse;

/* The last backup that was acknowledged. */
typedef struct deposit {
    uint32_t number; /* 0: none was */
    uint64_t position;
} deposit;

typedef struct oracle {
    world *w;
    model m;
    stet_batch **batches; /* by number; they live in the model's arena */
    size_t batch_count;
    size_t batch_cap;
    call *calls; /* since the last open */
    size_t call_count;
    size_t call_cap;
    checkpoint_call *checkpoints; /* of the whole run, by number */
    size_t checkpoint_count;
    size_t checkpoint_cap;
    sighting *sightings;
    size_t sighting_count;
    size_t sighting_cap;
    glimpse *glimpses;
    size_t glimpse_count;
    size_t glimpse_cap;
    deposit deposit;
    bool may_carry;        /* the next batch may be one with that before it */
    unsigned compactions;  /* under way */
    uint64_t floor;        /* the highest position that anybody was told of */
    uint64_t acknowledged; /* events, in all */
} oracle;

void oracle_init(oracle *o, world *w);
void oracle_deinit(oracle *o);

/* Give a batch a number, which its events will carry; returns it. */
size_t oracle_add_batch(oracle *o, const stet_batch *batch);

/* A client begins to write; the answer is the call's index. */
size_t oracle_begin(oracle *o, size_t batch_number);
/* It is placed, but not durable yet. */
void oracle_placed(oracle *o, size_t idx, const stet_written *out);
/* It has its answer; `is_synced`: at level disk. */
void oracle_end(oracle *o, size_t idx, stet_status st, const stet_written *out,
                bool is_synced);

/* It was deferred, or declined on top of what is. */
void oracle_deferred(oracle *o, size_t idx, stet_status st);
/* What was deferred before is durable now, at level disk if `is_synced`. */
void oracle_flushed(oracle *o, uint64_t began, bool is_synced);

/* The same of checkpoints; false: it cannot be deleted now. */
size_t oracle_set_checkpoint(oracle *o, const model_checkpoint *what);
void oracle_checkpoint_set(oracle *o, size_t number, stet_status st);
bool oracle_delete_checkpoint(oracle *o, size_t number);
void oracle_checkpoint_deleted(oracle *o, size_t number, stet_status st);

/* A client begins to ask, and has its answer. */
sighting oracle_look(oracle *o, const question *asked);
void oracle_seen(oracle *o, const sighting *begun, const answer *told);

/* Another process was shown a record. */
void oracle_glimpsed(oracle *o, const stet_logged *record);

/* Everything placed so far was made durable by a call that began then. */
void oracle_synced(oracle *o, uint64_t began);

/* The store was closed, and left clean. */
void oracle_closed(oracle *o);

/* Power was cut: what was acknowledged below level disk may be gone. */
void oracle_power_cut(oracle *o);

/*
 * What was told since the last open is of a store that is gone. Answers that
 * nothing could change any more must have been right nevertheless.
 */
void oracle_forget(oracle *o);

/*
 * The store is open again, and nothing is under way: compare it with what was
 * told, and take over what is there.
 */
void oracle_settle(oracle *o, stet *s);

#endif
