/*
 * Index draft: what an index will hold, collected in any order, then put into
 * blocks in the order of the file.
 *
 * A buffer that found no memory stays failed and takes nothing more, so that
 * failures are asked for once, in the end. Thread: one at a time.
 */
#ifndef STET_CORE_INDEX_DRAFT_H
#define STET_CORE_INDEX_DRAFT_H

#include "core/index.h"

typedef struct stet_index_draft {
    stet_trailer trailer; /* all but its sections is the caller's */
    stet_buf slots;       /* entries as they are put, and so on */
    stet_buf lists;
    stet_buf times;
    stet_buf keys;   /* in any order */
    stet_buf pieces; /* of a set's blocks */
    stet_buf runs;   /* u16 length of each, then its entry */
    stet_buf hashes; /* of the machines: u64, as in memory */
} stet_index_draft;

void stet__index_draft_init(stet_index_draft *d, const stet_allocator *alloc);
void stet__index_draft_deinit(stet_index_draft *d);
bool stet__index_draft_is_failed(const stet_index_draft *d);

/*
 * Add the next run, by rising key. What a run is told from must be right in the
 * trailer: first position and first recorded.
 */
void stet__index_draft_add_run(stet_index_draft *d, const stet_run *run);

/* Add a key, of 16 bytes, and what it leads to. */
void stet__index_draft_add_key(stet_index_draft *d, const uint8_t *key,
                               uint64_t check, uint32_t slot);

/* Append all blocks, the trailer last, to `out`. STET_E_NOMEM. */
stet_status stet__index_draft_put(stet_index_draft *d, stet_buf *out,
                                  stet_error *err);

#endif
