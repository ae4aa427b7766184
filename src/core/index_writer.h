/*
 * Index writer: puts entries into the blocks of an index, section by section,
 * and notes in the trailer where each section lies.
 *
 * The blocks are appended to `out`. Whoever writes them while there are more to
 * come takes those that are full with stet__index_writer_full, and moves what
 * is left to the front. A buffer that found no memory stays failed.
 */
#ifndef STET_CORE_INDEX_WRITER_H
#define STET_CORE_INDEX_WRITER_H

#include "core/index.h"

typedef struct stet_index_writer {
    stet_buf *out;         /* borrowed, and so is: */
    stet_trailer *trailer; /* takes the sections' ranges; its salt is set */
    stet_section section;
    uint32_t number; /* of the block being filled, or of the next one */
    size_t at;       /* where the block being filled begins in `out` */
    size_t used;     /* bytes of its payload; 0: there is no such block */
} stet_index_writer;

void stet__index_writer_begin(stet_index_writer *w, stet_section section);
/* End the section, which has so many entries. */
void stet__index_writer_end(stet_index_writer *w, uint64_t entries);

/* Put one entry, which lies in one block. */
void stet__index_writer_put(stet_index_writer *w, stet_slice entry);
/* Put entries of one size, as many a block as it holds. */
void stet__index_writer_put_many(stet_index_writer *w, const stet_buf *entries,
                                 size_t entry_bytes);
/* Put an encoded run; the first of a block adds to the fences. */
void stet__index_writer_put_run(stet_index_writer *w, stet_slice run,
                                stet_buf *fences);
/* The whole section of fences: as many bytes a block as it holds. */
void stet__index_writer_put_fences(stet_index_writer *w,
                                   const stet_buf *fences);
/* The last block. */
void stet__index_writer_put_trailer(stet_index_writer *w);

/* Bytes of `out` that no longer change. */
size_t stet__index_writer_full(const stet_index_writer *w);
/* These were taken: what is behind them moves to the front. */
void stet__index_writer_taken(stet_index_writer *w);

#endif
