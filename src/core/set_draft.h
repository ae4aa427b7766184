/*
 * Set draft: the index of a set, drafted while its records go by in the order
 * of the content: by machine, then by seq. To write a set, and to check one.
 *
 * Thread: one at a time.
 */
#ifndef STET_CORE_SET_DRAFT_H
#define STET_CORE_SET_DRAFT_H

#include "core/chain.h"
#include "core/index_draft.h"
#include "core/set.h"

/*
 * Gives the chain's value after the machine's record before `run`, which lies
 * in an older set; asked when a run begins.
 */
typedef stet_status (*stet_chain_before_fn)(void *ctx, const stet_run *run,
                                            uint8_t out[STET_CHAIN_BYTES],
                                            stet_error *err);

/* What a draft asks others; borrowed for its life. */
typedef struct stet_set_links {
    stet_chain_before_fn chain_before;
    stet_index_jump_fn jump; /* NULL: no jumps */
    void *ctx;               /* of both */
} stet_set_links;

typedef struct stet_set_draft {
    stet_index_draft index; /* its times stay empty; its pieces are others' */
    stet_set_seeds seeds;
    stet_set_links links;
    stet_chain chain;
    const uint8_t *seed; /* of the records at hand */
    bool has_run;
    stet_run run; /* being drafted: slices point into the copies */
    uint8_t id[STET_RECORD_ID_BYTES_MAX];
    uint8_t name[STET_NAME_BYTES_MAX];
    uint8_t parent_id[STET_RECORD_ID_BYTES_MAX];
} stet_set_draft;

/*
 * Begin with a trailer that says all but its sections and state bytes. What
 * `seeds` points to is borrowed for the draft's life. STET_E_NOMEM; deinit may
 * follow in any case.
 */
stet_status stet__set_draft_init(stet_set_draft *d, const stet_allocator *alloc,
                                 const stet_trailer *trailer,
                                 const stet_set_seeds *seeds,
                                 const stet_set_links *links, stet_error *err);
void stet__set_draft_deinit(stet_set_draft *d);

/*
 * Add the next record. STET_E_CORRUPT: it does not decode, or does not follow
 * the one before; STET_E_FORMAT; STET_E_NOMEM; what links answer.
 */
stet_status stet__set_draft_add(stet_set_draft *d, const stet_set_record *r,
                                stet_error *err);

/* All were added: every position of the trailer's range must have been. */
stet_status stet__set_draft_end(stet_set_draft *d, stet_error *err);

#endif
