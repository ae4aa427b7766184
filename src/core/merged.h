/*
 * Merged index: of each machine in many files the newest position, and of each
 * idempotency key its position, so that one look tells what else each of the
 * files would have to be asked. docs/FORMAT.md, section "Merged index".
 *
 * It has the directory, fences, filter and keys of an index (core/index.h) and
 * no file content; a run in it is one record, the machine's newest in the
 * range of positions that the index is about. Positions never change their
 * records, so it stays true whatever becomes of the files it was made of.
 *
 * The draft is put piece by piece, since there may be more of it than memory:
 * what stays in memory is the fences and the filter.
 *
 * Thread: one at a time.
 */
#ifndef STET_CORE_MERGED_H
#define STET_CORE_MERGED_H

#include "core/index_writer.h"

/* Machines that one index may be about, 10 bits of filter each. */
enum { STET_MERGED_MACHINES_MAX = 16 * 1024 * 1024 };

typedef struct stet_merged_draft {
    stet_trailer trailer;
    stet_index_writer writer;
    stet_buf out; /* blocks; the last one may not be full yet */
    stet_buf fences;
    stet_buf filter;
    uint64_t lines; /* of the filter */
    uint64_t entries;
} stet_merged_draft;

/*
 * Begin with a trailer that says file, uuid, salt, range of positions, crc of
 * its last frame and level, for at most so many machines, which is not more
 * than STET_MERGED_MACHINES_MAX. STET_E_NOMEM; deinit may follow in any case.
 */
stet_status stet__merged_draft_init(stet_merged_draft *d,
                                    const stet_allocator *alloc,
                                    const stet_trailer *trailer,
                                    uint64_t machines_max, stet_error *err);
void stet__merged_draft_deinit(stet_merged_draft *d);

/* Add a machine's newest record, by rising key. STET_E_NOMEM. */
stet_status stet__merged_draft_add_run(stet_merged_draft *d,
                                       stet_machine_key key, stet_point newest,
                                       stet_error *err);
/* That was the last machine: keys follow. */
void stet__merged_draft_end_runs(stet_merged_draft *d);
/* Add an idempotency key, by rising hash. STET_E_NOMEM. */
stet_status stet__merged_draft_add_key(stet_merged_draft *d,
                                       const uint8_t key[16], uint64_t check,
                                       uint64_t position, stet_error *err);
/* That was the last key: puts the trailer. STET_E_NOMEM. */
stet_status stet__merged_draft_end(stet_merged_draft *d, stet_error *err);

#endif
