/*
 * Sealed: reading a segment through the index in its file.
 *
 * Fences, filter and times are loaded whole at a segment's first use and stay:
 * so that a machine is not here costs no I/O, and finding its run costs one
 * block. Slots, lists and keys are read block by block. Every block is checked
 * as it is read; a bad one is STET_E_CORRUPT, never a not-found.
 *
 * Thread: any number at once, each with its own reader.
 */
#ifndef STET_STORES_EMBEDDED_SEALED_H
#define STET_STORES_EMBEDDED_SEALED_H

#include "base/buf.h"
#include "core/delta.h"
#include "core/heads.h"
#include "core/lineage.h"
#include "stores/embedded/files.h"

/* A block of an index, read and checked; kept for the next look. */
typedef struct stet_block {
    const stet_segment *segment; /* NULL: none is loaded */
    uint32_t number;
    stet_slice payload;
    uint8_t bytes[STET_INDEX_BLOCK_BYTES];
} stet_block;

/*
 * Bytes of a segment around the record read last. A read near them takes in a
 * larger piece, in the direction the reads go. Of a set it is one block of the
 * content.
 */
typedef struct stet_window {
    const stet_segment *segment; /* NULL: holds nothing */
    uint64_t offset;             /* of its first byte in the file, or content */
    stet_buf bytes;
    /* Of a set: */
    uint64_t file_offset;      /* of the block */
    stet_slice content;        /* the block, in `bytes` or `held` */
    stet_unpacked_block *held; /* one reference, or NULL */
    bool is_scan;              /* goes over all blocks: none is kept */
    stet_buf packed;           /* as in the file */
    stet_zctx *z;              /* made when first needed */
} stet_window;

void stet__window_init(stet_window *w, const stet_allocator *alloc);
/* Forget what was loaded, keep the memory. */
void stet__window_rest(stet_window *w);
void stet__window_deinit(stet_window *w);

/* What one search needs room for. */
typedef struct stet_sealed_reader {
    stet_block directory; /* the run found lies in it */
    stet_block slots;
    stet_block lists;
    stet_window window;
} stet_sealed_reader;

void stet__sealed_reader_init(stet_sealed_reader *r,
                              const stet_allocator *alloc);
void stet__sealed_reader_deinit(stet_sealed_reader *r);
/* Forget what was loaded, keep the memory: its segments may go. */
void stet__sealed_reader_rest(stet_sealed_reader *r);

void stet__sealed_tables_destroy(const stet_allocator *alloc,
                                 stet_sealed_tables *tables);

/* A lineage view's `reach`. */
stet_status stet__sealed_reach(const stet_segment *s, const stet_target *target,
                               stet_sealed_reader *r, stet_reach *out,
                               stet_error *err);

/* Read the record at a position of the segment; lent until r's next use. */
stet_status stet__sealed_logged(const stet_segment *s, uint64_t position,
                                stet_sealed_reader *r, stet_logged *out,
                                stet_error *err);

/* STET_E_NOT_FOUND, without a text: not here below `below`. */
stet_status stet__sealed_find_key(const stet_segment *s, const uint8_t key[16],
                                  uint64_t below, uint64_t *out_position,
                                  stet_error *err);

/* As stet__image_at_recorded. */
stet_status stet__sealed_at_recorded(const stet_segment *s, int64_t time,
                                     uint64_t below, uint64_t *out_position,
                                     stet_error *err);

/*
 * A source of heads; refers to the segment. `range` is borrowed for its life.
 */
stet_status stet__sealed_heads(stet_segment *s, const stet_heads_range *range,
                               stet_head_source **out, stet_error *err);

/*
 * The jump that the index has for a machine's run, whose slices lie in `r`;
 * position 0: none. STET_E_NOT_FOUND, without a text: there is no such run.
 */
stet_status stet__sealed_jump(const stet_segment *s, stet_machine_key key,
                              stet_sealed_reader *r, stet_run_link *out,
                              stet_error *err);

#endif
