/*
 * Jumps: a run's link far down its lineage, found while its segment is sealed
 * or settled; and what a set's hash chains go on from.
 */
#ifndef STET_STORES_EMBEDDED_JUMP_H
#define STET_STORES_EMBEDDED_JUMP_H

#include "core/set_draft.h"
#include "stores/embedded/log.h"
#include "stores/embedded/sealed_index.h"

/* What finding jumps needs; on the stack of who builds an index. */
typedef struct stet_jumps {
    stet_embedded *e;
    stet_files *table;
    bool is_lent; /* to us; else the caller keeps it */
    stet_sealed_reader reader;
    uint8_t id[STET_RECORD_ID_BYTES_MAX]; /* of another machine's key */
} stet_jumps;

void stet__jumps_init(stet_jumps *j, stet_embedded *e);
/* In a table that is lent until after deinit: of a segment that may be gone
 * from the newest one. */
void stet__jumps_init_in(stet_jumps *j, stet_embedded *e, stet_files *table);
void stet__jumps_deinit(stet_jumps *j);

/* A stet_index_jump_fn; its context is a stet_jumps. */
bool stet__jump_of_run(void *jumps, const stet_run *run, stet_run_link *out);

/*
 * The jumps that an index has, asked for in the order of its runs: one pass
 * over its directory.
 */
typedef struct stet_old_jumps {
    const stet_segment *s;
    stet_sealed_reader reader;
    stet_run_walk walk;
    stet_run next; /* of the walk; its slices lie in the reader */
    bool has_next;
    bool is_astray; /* the walk met damage: each run is looked up by itself */
} stet_old_jumps;

void stet__old_jumps_init(stet_old_jumps *o, const stet_allocator *alloc,
                          const stet_segment *s);
void stet__old_jumps_deinit(stet_old_jumps *o);

/*
 * The jump of a machine's run, position 0: none. STET_E_NOT_FOUND: no such run;
 * STET_E_CORRUPT: it cannot be told.
 */
stet_status stet__old_jump(stet_old_jumps *o, stet_machine_key key,
                           stet_run_link *out);

/* A stet_chain_before_fn; its context is a stet_jumps. */
stet_status stet__chain_before_run(void *jumps, const stet_run *run,
                                   uint8_t out[STET_CHAIN_BYTES],
                                   stet_error *err);

#endif
