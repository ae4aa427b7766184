/*
 * Jumps: a run's link far down its lineage, found while its segment is sealed
 * or settled; and what a set's hash chains go on from.
 */
#ifndef STET_STORES_EMBEDDED_JUMP_H
#define STET_STORES_EMBEDDED_JUMP_H

#include "core/set_draft.h"
#include "stores/embedded/log.h"
#include "stores/embedded/sealed.h"

/* What finding jumps needs; on the stack of who builds an index. */
typedef struct stet_jumps {
    stet_embedded *e;
    stet_files *table; /* lent */
    stet_sealed_reader reader;
    uint8_t id[STET_RECORD_ID_BYTES_MAX]; /* of another machine's key */
} stet_jumps;

void stet__jumps_init(stet_jumps *j, stet_embedded *e);
void stet__jumps_deinit(stet_jumps *j);

/* A stet_index_jump_fn; its context is a stet_jumps. */
bool stet__jump_of_run(void *jumps, const stet_run *run, stet_run_link *out);

/* A stet_chain_before_fn; its context is a stet_jumps. */
stet_status stet__chain_before_run(void *jumps, const stet_run *run,
                                   uint8_t out[STET_CHAIN_BYTES],
                                   stet_error *err);

#endif
