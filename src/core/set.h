/*
 * Set: the content of a set file, packed in blocks, behind a head that says
 * whose it is. docs/FORMAT.md, section "Set".
 *
 * The content is one stream of items: the time table, then the records of one
 * machine after the other. Blocks hold whole items, STET_SET_BLOCK_BYTES of
 * them or one that is longer; each is packed by itself and lies behind the one
 * before. An offset in the stream is a *raw offset*. In front of its bytes a
 * block has a header, so that it can be found and read without an index:
 *
 *   0 u32 magic
 *   4 u32 crc over: u64 salt of the set, [8, 20) of the header, the bytes
 *   8 u32 raw offset   12 u32 bytes   16 u32 bytes unpacked
 *
 * The index's last section has a *piece* for each block and one that ends them:
 *
 *   0 u32 raw offset   4 u32 offset of the header in the file
 *
 * An item of the times is varint records, varint recorded since the frame
 * before; a record's is varint slot + 1, then the record. What begins with 0 is
 * a note, of a kind that follows:
 *
 *   1 seed   varint first slot, 32 bytes: the records from there on came from
 *            another set, whose seed this was. They stand between the times and
 *            the records, by rising slot
 */
#ifndef STET_CORE_SET_H
#define STET_CORE_SET_H

#include "core/delta.h"
#include "core/index.h"

enum {
    STET_SET_HEAD_BYTES = 512,
    STET_SET_BLOCK_BYTES = 32 * 1024,
    STET_SET_BLOCK_HEADER_BYTES = 20,
    STET_SET_SLOT_BYTES_MAX = 5, /* in front of a record */
};

/* Kinds of notes; values are the format's. */
typedef enum stet_set_note {
    STET_NOTE_SEED = 1,
} stet_set_note;

/* The seed of the salts from a slot on. */
typedef struct stet_set_seed {
    uint32_t first_slot;
    uint8_t bytes[STET_CHAIN_BYTES];
} stet_set_seed;

/* All seeds of a set. */
typedef struct stet_set_seeds {
    const uint8_t *first; /* the trailer's: of the slots below all items */
    const stet_set_seed *items;
    uint32_t count;
} stet_set_seeds;

/* The seed of a slot. */
const uint8_t *stet__set_seed_at(const stet_set_seeds *s, uint32_t slot);

typedef struct stet_piece {
    uint32_t raw_offset;
    uint32_t offset;
} stet_piece;

void stet__piece_put(const stet_piece *p, stet_buf *out);
stet_piece stet__piece_get(const uint8_t *entry);

/* A block, as its header tells it. */
typedef struct stet_set_block {
    uint32_t raw_offset;
    uint32_t bytes; /* behind the header */
    uint32_t raw_bytes;
} stet_set_block;

/*
 * Does a block of the set with this salt begin with these bytes, and end within
 * them?
 */
bool stet__set_block_peek(uint64_t salt, stet_slice bytes, stet_set_block *out);

/*
 * Check a block, its header included, against what is known of it and append
 * its content to `out`, which is untouched on failure. STET_E_CORRUPT;
 * STET_E_NOMEM.
 */
stet_status stet__set_block_unpack(stet_zctx *z, uint64_t salt,
                                   const stet_set_block *block,
                                   stet_slice bytes, stet_buf *out,
                                   stet_error *err);

/*
 * The head of a set: what its trailer says of the whole, as far as that was
 * known before the content was: all but sections, sums, seed and ends.
 */
void stet__set_head_put(const stet_trailer *t,
                        uint8_t out[STET_SET_HEAD_BYTES]);
/* STET_E_CORRUPT; STET_E_FORMAT: of a newer version. */
stet_status stet__set_head_get(const uint8_t head[STET_SET_HEAD_BYTES],
                               stet_trailer *out, stet_error *err);

/* Take a frame's time off the front of the content. */
void stet__set_read_time(stet_reader *in, uint32_t *out_records,
                         uint64_t *out_since);

/*
 * Take a seed off the front of the content; STET_DONE: none is there.
 * STET_E_CORRUPT.
 */
stet_status stet__set_read_seed(stet_reader *in, stet_set_seed *out,
                                stet_error *err);

/*
 * Take a record's item off the front of the content. STET_E_CORRUPT;
 * STET_E_FORMAT: an item that this version does not know.
 */
stet_status stet__set_read_item(stet_reader *in, uint32_t *out_slot,
                                stet_slice *out_record, stet_error *err);

/* Packs a stream of items. Thread: one at a time. */
typedef struct stet_set_packer {
    stet_zctx *z; /* owned */
    uint64_t salt;
    stet_buf raw;        /* of the block being filled */
    uint32_t raw_offset; /* where it begins */
    stet_buf packed;     /* of blocks: whoever writes them takes them away */
    uint32_t offset;     /* behind the last block, or the head, in the file */
    stet_buf pieces;
} stet_set_packer;

/* STET_E_NOMEM; deinit may follow in any case. */
stet_status stet__set_packer_init(stet_set_packer *p,
                                  const stet_allocator *alloc, uint64_t salt,
                                  stet_error *err);
void stet__set_packer_deinit(stet_set_packer *p);

/* Raw bytes so far. */
uint32_t stet__set_packer_bytes(const stet_set_packer *p);

/* Put the time of a frame. STET_E_NOMEM. */
stet_status stet__set_put_time(stet_set_packer *p, uint32_t records,
                               uint64_t since, stet_error *err);
/* Put a seed. STET_E_NOMEM. */
stet_status stet__set_put_seed(stet_set_packer *p, const stet_set_seed *seed,
                               stet_error *err);
/* Put a record; gives its raw offset. STET_E_NOMEM. */
stet_status stet__set_put_record(stet_set_packer *p, uint32_t slot,
                                 stet_slice record, uint32_t *out_raw_offset,
                                 stet_error *err);
/* Pack what is left and end the pieces. STET_E_NOMEM. */
stet_status stet__set_packer_end(stet_set_packer *p, stet_error *err);

#endif
