/*
 * Question: something that is asked of a store, and a digest of the answer: the
 * store's, or the one that the model gives.
 *
 * Each is answered as of one moment, also those that are told in many steps
 * while others write. So an answer is right if it is the model's at some
 * moment: oracle.h says at which ones.
 */
#ifndef STET_TESTS_SIM_QUESTION_H
#define STET_TESTS_SIM_QUESTION_H

#include "lib/workload.h"

enum { QUESTION_IDS_MAX = 6 };

typedef enum question_kind {
    QUESTION_STATE = 0, /* stet_load */
    QUESTION_SEQ,       /* stet_exists */
    QUESTION_STATES,    /* stet_load_many */
    QUESTION_KEYS,
    QUESTION_HISTORY,
    QUESTION_SCAN,
    QUESTION_CHECKPOINTS,
} question_kind;

/* What it asks lives as long as the model does. */
typedef struct question {
    question_kind kind;
    stet_slice id; /* of what asks about one machine */
    uint8_t ns;
    stet_slice ids[QUESTION_IDS_MAX]; /* of QUESTION_STATES */
    size_t id_count;
    stet_read_opts read;
    stet_keys_opts keys;
    stet_history_opts history;
    stet_scan_opts scan;
} question;

typedef struct answer {
    uint64_t digest;   /* of all that was told; 0: there is none */
    uint64_t position; /* the highest one that was told; 0: none */
} answer;

/* Any question, mostly about what was written. */
question question_draw(workload *w);
/* The state of a machine at a point. */
question question_of_state(uint8_t ns, stet_slice id, stet_at at);
const char *question_name(const question *q);

/*
 * Ask the store. STET_OK also where nothing is found; anything else leaves
 * `*out` as it was.
 */
stet_status question_ask(const question *q, stet *s, answer *out,
                         stet_error *err);
/* The digest of what the store should have told, were this the moment. */
uint64_t question_answer(const question *q, const model *m);

/* The digest of a state by itself; NULL: of none. */
uint64_t question_digest_of_state(const stet_state *s);

#endif
