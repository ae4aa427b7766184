/*
 * Model: what a store must hold, kept the naive way.
 *
 * A machine is the full list of its events, what a fork inherits copied into
 * it; an event comes with the whole state after it. Every question is answered
 * by walking such a list.
 *
 * A write happens in three steps: model_judge tells what a store may answer,
 * model_take makes it happen, and model_stamp tells when the store took it.
 *
 * The model lends everything until model_deinit. One thread.
 */
#ifndef STET_TESTS_MODEL_H
#define STET_TESTS_MODEL_H

#include "lib/model_event.h"

enum { MODEL_BATCH_MAX = 8 };

typedef struct model_machine {
    stet_slice id;
    uint8_t ns;
    model_event **events; /* [seq - 1] */
    size_t count;
    size_t cap;
} model_machine;

typedef struct model_checkpoint {
    stet_slice id; /* empty: the whole store */
    stet_slice name;
    stet_slice metadata;
    uint64_t turn_number;
    uint64_t history_size;
    uint64_t position;
    uint64_t set_at; /* position of the event that set it */
    int64_t created_at;
    uint8_t ns;
    bool is_there;
} model_checkpoint;

typedef struct model_key {
    const stet_batch *batch;
    uint64_t position; /* of its first event */
} model_key;

typedef struct model {
    stet_arena arena;
    model_machine *machines;
    size_t machine_count;
    size_t machine_cap;
    model_event **log; /* [position - 1]; NULL: the store's own event */
    size_t log_count;
    size_t log_cap;
    model_checkpoint *checkpoints;
    size_t checkpoint_count;
    size_t checkpoint_cap;
    model_key *keys;
    size_t key_count;
    size_t key_cap;
    uint64_t stamped;  /* positions up to here know when they were recorded */
    int64_t *recorded; /* [position - 1] */
    size_t recorded_cap;
    uint64_t seed; /* told when a claim fails */
    uint64_t step;
} model;

void model_init(model *m, uint64_t seed);
void model_deinit(model *m);

/* What a store may answer to a batch. */
typedef struct model_verdict {
    uint64_t refusals;   /* 1 << status for each one; 0: it must be done */
    uint64_t repeats_at; /* not 0: a repeat of the batch that begins there */
    model_event *events[MODEL_BATCH_MAX];
    uint64_t seqs[MODEL_BATCH_MAX];
    uint64_t positions[MODEL_BATCH_MAX];
} model_verdict;

/* `batch` must live as long as the model, for its key. */
void model_judge(model *m, const stet_batch *batch, model_verdict *out);
void model_take(model *m, const stet_batch *batch, const model_verdict *v);
/* The next position without a stamp was recorded then. */
void model_stamp(model *m, int64_t recorded);

/* NULL: never written. */
model_machine *model_find(const model *m, uint8_t ns, stet_slice id);

/*
 * How many of a machine's events a point takes in; 0: none, or no such point.
 * A checkpoint is the machine's, else the whole store's.
 */
size_t model_prefix(const model *m, const model_machine *mm, const stet_at *at);
/* The state after that many events is there. */
bool model_is_there(const model_machine *mm, size_t prefix);
/* The last position recorded at or before a time; 0: none. */
uint64_t model_position_at(const model *m, int64_t recorded);

/* NULL: there is none (now). */
const model_checkpoint *model_checkpoint_find(const model *m, uint8_t ns,
                                              stet_slice id, stet_slice name);
/* A checkpoint was set (again), which is one event of the store's own. */
void model_checkpoint_put(model *m, const model_checkpoint *c);
/* It was deleted, which is one too. */
void model_checkpoint_drop(model *m, uint8_t ns, stet_slice id,
                           stet_slice name);

/* The first seq at which two histories part; 0: nowhere. */
uint64_t model_parting(const model_machine *a, const model_machine *b);

/* Fail, telling seed and step, unless it is true. */
#define model_claim(m, claim)                                                  \
    model_claim_that((m), (claim), #claim, __FILE__, __LINE__)
void model_claim_that(const model *m, bool is_true, const char *claim,
                      const char *file, int line);

/* The same of a status; the error's text is shown, too. */
#define model_claim_status(m, got, want, err)                                  \
    model_claim_status_is((m), (got), (want), (err), __FILE__, __LINE__)
void model_claim_status_is(const model *m, stet_status got, stet_status want,
                           const stet_error *err, const char *file, int line);

#endif
