/*
 * Settling: what may go meanwhile. The rule is core/retain.h's, the engine says
 * what wants what (stet_retention), this puts the two to a machine's records as
 * they go by, and rewrites those that do not stay as they are.
 *
 * A trial is a settle that writes nothing: it ends at the first record that
 * would change, and tells whether there was one.
 */
#ifndef STET_STORES_EMBEDDED_SETTLE_RETAIN_H
#define STET_STORES_EMBEDDED_SETTLE_RETAIN_H

#include "core/chain.h"
#include "core/retain.h"
#include "core/set.h"
#include "stores/embedded/log.h"

/* The records of one machine in all inputs. */
typedef struct stet_retained_run {
    stet_machine_key key;
    uint8_t id[STET_RECORD_ID_BYTES_MAX];
    stet_buf places; /* uint64_t position of each, rising */
    uint64_t first_seq;
    size_t next;      /* index of the record that comes next */
    size_t gone;      /* those below it go with the ones before them */
    uint64_t outside; /* position of the one behind them all; 0: none */
    bool is_outside_free;
    bool is_untouched; /* nothing of it changes */
    stet_wants wants;
} stet_retained_run;

typedef struct stet_settle_retain {
    const stet_retention *ask; /* NULL: nothing goes */
    bool is_of_pass;           /* over all sets: see retain_all */
    bool is_trial;
    bool has_cut;    /* something goes: the gate must be closed */
    bool is_due;     /* of a trial */
    bool is_salted;  /* something is erased: seeds go, salts stay */
    bool is_begun;   /* the machine at hand */
    bool is_chained; /* its chain is needed beside the set's */
    stet_retained_run run;
    stet_chain chain; /* over the records as they were */
    uint8_t seed[STET_CHAIN_BYTES];
    stet_set_seeds seeds; /* as they were */
    const uint8_t *seed_at;
    stet_buf rewritten;
    stet_buf salted;
} stet_settle_retain;

#endif
