/*
 * Settled verify: a set's content read again, and the index that it makes held
 * against the one in the file, or put in its place.
 */
#ifndef STET_STORES_EMBEDDED_SETTLED_VERIFY_H
#define STET_STORES_EMBEDDED_SETTLED_VERIFY_H

#include "stores/embedded/log.h"

/*
 * Verify a set of a table that is lent: its chains go on from sets of the same
 * table, which may have been merged meanwhile. STET_E_CORRUPT names the first
 * damage by file and offset.
 */
stet_status stet__settled_verify(stet_embedded *e, stet_files *table,
                                 const stet_segment *s,
                                 stet_verify_report *report, stet_error *err);

/*
 * Write the blocks of a set's index that are damaged again, where they are: the
 * index that the content makes is as long. `*out_did`: there were some.
 * STET_E_CORRUPT: the content is damaged, or what says where it lies.
 */
stet_status stet__settled_reindex(stet_embedded *e, stet_files *table,
                                  const stet_segment *s, bool *out_did,
                                  stet_error *err);

/*
 * Count the blocks of a sealed segment's, or a set's, index that differ from
 * what they ought to be, and tell where the first one is.
 */
stet_status stet__verify_index(const stet_segment *s, const stet_buf *index,
                               uint64_t *out_damaged, uint64_t *out_first,
                               stet_error *err);

#endif
