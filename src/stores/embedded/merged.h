/*
 * Merged: looking machines and keys up in the indexes that are about many sets
 * (core/merged.h), instead of in each set.
 *
 * A merged index is about a range of positions, in which it knows the newest
 * record of each machine. What it says stays true when the sets are settled
 * again, and everything that it says could be found without it: so one that is
 * unsound is passed by, and made anew. docs/FORMAT.md, section "Merged index".
 *
 * Thread: any number at once, each with its own reader; adopting is the open's.
 */
#ifndef STET_STORES_EMBEDDED_MERGED_H
#define STET_STORES_EMBEDDED_MERGED_H

#include "stores/embedded/log.h"
#include "stores/embedded/recover.h"
#include "stores/embedded/sealed.h"

/*
 * Open those that are about sets of the table, and doom the others. One that
 * cannot be read now is left out, and left alone.
 */
void stet__merged_adopt(stet_embedded *e, const stet_recovery *r);

/* A lineage view's `narrow`. */
uint64_t stet__merged_narrow(const stet_files *table, stet_machine_key key,
                             uint64_t position, stet_sealed_reader *r);

/* The index that is about a position and is not known unsound, or NULL. */
const stet_segment *stet__merged_of(const stet_files *table, uint64_t position);
/* From now on it is passed by. */
void stet__merged_distrust(const stet_segment *index);

/*
 * Does its range begin and end with a set of the table, and is the last frame
 * in it the one that the index was made of? Else it is of no use any more.
 */
bool stet__merged_fits(const stet_files *table, const stet_trailer *t);

/* Make a segment of a file that is one; takes over fd unless it fails. */
stet_status stet__merged_open(stet_embedded *e, int fd, uint32_t number,
                              stet_segment **out, stet_error *err);

/*
 * Is all that it says what the table's sets say, and nothing left out?
 * STET_E_CORRUPT.
 */
stet_status stet__merged_verify(const stet_embedded *e, const stet_files *table,
                                const stet_segment *index,
                                stet_verify_report *report, stet_error *err);
/* Check block after block: the next `most` from `*at` on, which is moved. */
stet_status stet__merged_check_blocks(const stet_segment *index, uint32_t most,
                                      uint32_t *at, stet_error *err);

#endif
