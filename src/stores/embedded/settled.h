/*
 * Settled: reading the content of a set, which lies in packed blocks. All else
 * of a set is read as of a sealed segment.
 *
 * A window holds one block, unpacked: the records of a machine lie in one or
 * few, so that a walk along its history unpacks each block once.
 *
 * Thread: any number at once, each with its own window.
 */
#ifndef STET_STORES_EMBEDDED_SETTLED_H
#define STET_STORES_EMBEDDED_SETTLED_H

#include "stores/embedded/sealed_index.h"

/* Take a set's blocks into its tables; of a segment there is nothing. */
stet_status stet__settled_parse_pieces(const stet_segment *s,
                                       stet_sealed_tables *t, stet_slice bytes,
                                       stet_error *err);
/* Take what the content begins with into the tables: times and seeds. */
stet_status stet__settled_load_front(const stet_segment *s,
                                     stet_sealed_tables *t, stet_error *err);

/*
 * Create tables of no more than the content needs, for whoever doubts the rest
 * of the index: blocks, times and seeds. Freed by stet__sealed_tables_destroy.
 */
stet_status stet__settled_tables(const stet_segment *s,
                                 stet_sealed_tables **out, stet_error *err);

/* The block that holds a raw offset, which is one of the content. */
uint32_t stet__settled_locate(const stet_sealed_tables *t, uint64_t raw_offset);

/* Load a block into the window, unless it is there. */
stet_status stet__settled_load(const stet_segment *s,
                               const stet_sealed_tables *t, uint32_t number,
                               stet_window *w, stet_error *err);

/* The seeds of the set, which the tables hold; lent as long as these. */
stet_set_seeds stet__settled_seeds(const stet_segment *s,
                                   const stet_sealed_tables *t);

/* The records of the block in the window; before them it may hold its front. */
stet_reader stet__settled_records(const stet_segment *s, const stet_window *w);
/*
 * Take the record at the front of them, the window's block being `number`. Its
 * checksum is not compared, the block's was.
 */
stet_status stet__settled_take(const stet_segment *s,
                               const stet_sealed_tables *t, uint32_t number,
                               stet_reader *in, stet_logged *out,
                               stet_error *err);

/* A scan over all records of a set, in the order of the content. */
typedef struct stet_settled_scan {
    const stet_segment *s;
    uint32_t next_block;
    stet_reader items; /* left of the block before that */
} stet_settled_scan;

/*
 * Take the next record, which is lent until the window's next use; STET_DONE:
 * that was all. The window is the scan's alone.
 */
stet_status stet__settled_scan_next(stet_settled_scan *scan, stet_window *w,
                                    stet_logged *out, stet_error *err);

/*
 * Lend the record at a raw offset; `*out_offset` is that of its block in the
 * file.
 */
stet_status stet__settled_record(const stet_segment *s, uint64_t raw_offset,
                                 stet_window *w, stet_slice *out,
                                 uint64_t *out_offset, stet_error *err);

#endif
