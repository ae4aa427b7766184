/*
 * Index: what a sealed segment carries behind its last frame, and a set behind
 * its blocks, so that nothing of it need stay in memory. docs/FORMAT.md,
 * sections "Index" and "Set".
 *
 * Sections of 4 KiB blocks, in this order: slots, run lists, directory, fences,
 * filter, times, keys, blocks; the last block of the file is the trailer, which
 * says where each section lies. A block is
 *
 *   0 u32 crc over: u64 salt of the segment, u32 number of the block in the
 *                   index, then bytes [4, 4096)
 *   4 u16 section   6 u16 used payload bytes   8 payload, zeros behind `used`
 *
 *   slots      u32 offset of each record's start in the file, u32 its crc: a
 *              sound record that a misdirected write left there is another
 *   lists      u32 slot numbers of each run of two records or more, joined
 *   directory  runs in key order, none across a block (index.c has the entry)
 *   fences     varint length and key (namespace byte, id) of each directory
 *              block's first run; joined across blocks
 *   filter     blocked Bloom filter: lines of 64 bytes; a machine's hash picks
 *              a line and 8 bits in it
 *   times      u32 first slot, u32 offset / W, i64 recorded of each frame
 *   keys       16 bytes key hash, u64 content check, u64 slot; by hash
 *   blocks     of a set only: see core/set.h
 *   trailer    see index.c
 *
 * In slots, lists, filter, times, keys and blocks each block but the last is
 * full, and no entry lies across two: entry i is in block i / PER_BLOCK of its
 * section.
 *
 * The index is a function of the file's own records, except the jumps. In a set
 * offsets are those in its content, unpacked, and the times are content.
 */
#ifndef STET_CORE_INDEX_H
#define STET_CORE_INDEX_H

#include "core/image.h"

enum {
    STET_INDEX_BLOCK_BYTES = 4096,
    STET_INDEX_HEADER_BYTES = 8,
    STET_INDEX_PAYLOAD_BYTES = 4088,
    STET_SLOT_BYTES = 8,
    STET_SLOTS_PER_BLOCK = STET_INDEX_PAYLOAD_BYTES / STET_SLOT_BYTES,
    STET_LIST_BYTES = 4,
    STET_LISTS_PER_BLOCK = STET_INDEX_PAYLOAD_BYTES / STET_LIST_BYTES,
    STET_FILTER_LINE_BYTES = 64,
    STET_FILTER_LINES_PER_BLOCK =
        STET_INDEX_PAYLOAD_BYTES / STET_FILTER_LINE_BYTES,
    STET_TIME_BYTES = 16,
    STET_TIMES_PER_BLOCK = STET_INDEX_PAYLOAD_BYTES / STET_TIME_BYTES,
    STET_KEY_ENTRY_BYTES = 32,
    STET_KEYS_PER_BLOCK = STET_INDEX_PAYLOAD_BYTES / STET_KEY_ENTRY_BYTES,
    STET_PIECE_BYTES = 8,
    STET_PIECES_PER_BLOCK = STET_INDEX_PAYLOAD_BYTES / STET_PIECE_BYTES,
    STET_CHAIN_BYTES = 32, /* a value of a hash chain, or a seed of its salts */
    STET_RUN_BYTES_MAX = 3 * (1 + 2 + STET_RECORD_ID_BYTES_MAX) + 1 + 1 +
                         STET_NAME_BYTES_MAX + 11 * 10 + STET_CHAIN_BYTES,
};

typedef enum stet_section {
    STET_SECTION_SLOTS = 1,
    STET_SECTION_LISTS = 2,
    STET_SECTION_DIRECTORY = 3,
    STET_SECTION_FENCES = 4,
    STET_SECTION_FILTER = 5,
    STET_SECTION_TIMES = 6,
    STET_SECTION_KEYS = 7,
    STET_SECTION_TRAILER = 8,
    STET_SECTION_BLOCKS = 9, /* of sets: stands before the trailer */
} stet_section;

enum { STET_SECTION_COUNT = 7 }; /* those of every index; not the trailer */

typedef struct stet_section_range {
    uint32_t first_block; /* number in the index */
    uint32_t blocks;
    uint64_t entries;
} stet_section_range;

/* What carries the index. */
typedef enum stet_index_kind {
    STET_INDEX_OF_SEGMENT = 0,
    STET_INDEX_OF_SET = 1,
    STET_INDEX_MERGED = 2, /* nothing: see core/merged.h */
} stet_index_kind;

/* What the trailer of a set says besides. */
typedef struct stet_set_part {
    uint32_t first_file; /* of the segments it stands for */
    uint32_t last_file;
    uint64_t last_end; /* offset where the last one's frames ended */
    uint32_t predecessor;
    uint64_t predecessor_end;
    uint32_t raw_bytes; /* of the content */
    uint32_t times_bytes;
    uint8_t seed[STET_CHAIN_BYTES];
    stet_section_range blocks;
} stet_set_part;

typedef struct stet_trailer {
    stet_index_kind kind;
    uint32_t format;
    uint32_t file;
    uint8_t uuid[16];
    uint64_t salt;
    uint64_t first_position;
    uint64_t end_position; /* one past the last */
    uint64_t end_offset;   /* where the frames end and the index begins */
    uint64_t state_bytes;  /* sum of stet__record_state_bytes */
    int64_t first_recorded;
    int64_t last_recorded;
    uint32_t last_frame_crc;
    uint32_t frames;
    stet_section_range sections[STET_SECTION_COUNT]; /* by section - 1 */
    stet_set_part set;
    uint32_t level; /* of a merged index */
} stet_trailer;

static inline bool stet__trailer_is_of_set(const stet_trailer *t)
{
    return t->kind == STET_INDEX_OF_SET;
}

static inline const stet_section_range *
stet__trailer_range(const stet_trailer *t, stet_section section)
{
    return section == STET_SECTION_BLOCKS ? &t->set.blocks
                                          : &t->sections[section - 1];
}

/* The trailer's number among the blocks of its index. */
uint32_t stet__trailer_number(const stet_trailer *t);

/* Where a run's lineage goes on below it. */
typedef struct stet_run_link {
    uint64_t position;    /* 0: none */
    uint64_t seq;         /* of a jump only */
    int64_t occurred_max; /* of a jump only */
    stet_machine_key key; /* id empty: the run's own */
} stet_run_link;

/* One machine's records in one file. Slices point into what was decoded. */
typedef struct stet_run {
    stet_machine_key key;
    stet_point first;
    stet_point last;
    uint32_t count;
    uint32_t list; /* index into lists when count > 1 */
    bool is_deleted;
    bool has_state_name;   /* false: no record here says it; ask previous */
    stet_slice state_name; /* after the last */
    stet_run_link previous;
    stet_run_link jump;
    bool has_chain; /* in a set */
    uint8_t chain[STET_CHAIN_BYTES];
} stet_run;

/* Gives a run's jump while an index is built; false: none worth having. */
typedef bool (*stet_index_jump_fn)(void *ctx, const stet_run *run,
                                   stet_run_link *out);

typedef struct stet_index_input {
    const stet_image *image;
    uint32_t file;
    uint8_t uuid[16];
    uint64_t salt;
    uint64_t end_offset;
    uint32_t last_frame_crc;
    stet_index_jump_fn jump; /* NULL: no jumps */
    void *jump_ctx;
} stet_index_input;

/*
 * Append all blocks, the trailer last, to `out` (in index_build.c). All of the
 * image is taken: nothing is indexed meanwhile. STET_E_NOMEM.
 */
stet_status stet__index_build(const stet_allocator *alloc,
                              const stet_index_input *in, stet_buf *out,
                              stet_error *err);

/*
 * Decode the last block of a file. STET_E_NOT_FOUND: no trailer;
 * STET_E_CORRUPT; STET_E_FORMAT: sound, of a newer format.
 */
stet_status stet__trailer_get(const uint8_t *block, stet_trailer *out,
                              stet_error *err);

/* Check a block against section, number and salt; lends its payload. */
stet_status stet__index_block_check(const uint8_t *block, stet_section section,
                                    uint32_t number, uint64_t salt,
                                    stet_slice *out_payload, stet_error *err);

/*
 * Decode the directory entry at the front of `r`, a reader of a block's
 * payload. STET_E_CORRUPT, also when it points outside of the segment.
 */
stet_status stet__run_decode(stet_reader *r, const stet_trailer *t,
                             stet_run *out, stet_error *err);
/*
 * Step over an entry and lend its key: a third of the work, for who looks for
 * another. `r` is bad where an entry ends outside; what it says is not judged.
 */
stet_machine_key stet__run_pass(stet_reader *r);

/* The number of a hash's line among `lines` > 0. */
uint64_t stet__filter_line(uint64_t hash, uint64_t lines);
/* May the line hold this hash? */
bool stet__filter_may_hold(const uint8_t line[STET_FILTER_LINE_BYTES],
                           uint64_t hash);

/* The slot in an entry of the keys. */
static inline uint64_t stet__key_entry_slot(const uint8_t *entry)
{
    return stet__get_u64le(entry + 24);
}

/* What a builder puts together. */

/* Put everything around `used` bytes of payload: header, zeros, checksum. */
void stet__index_block_seal(uint8_t *block, stet_section section,
                            uint32_t number, size_t used, uint64_t salt);
/* Encode an entry into room for STET_RUN_BYTES_MAX; returns its bytes. */
size_t stet__run_put(const stet_run *run, const stet_trailer *t, uint8_t *out);
/*
 * Encode an entry of the keys: of 16 bytes hash, what the content of its batch
 * is checked with, and the slot.
 */
void stet__key_entry_put(uint8_t out[STET_KEY_ENTRY_BYTES],
                         const uint8_t hash[16], uint64_t check, uint64_t slot);
/* Fill a block whose number is the sum of the sections' blocks. */
void stet__trailer_put(const stet_trailer *t, uint8_t *block);
/* Lines of a filter for so many machines. */
uint64_t stet__filter_lines(uint64_t machines);
void stet__filter_add(uint8_t line[STET_FILTER_LINE_BYTES], uint64_t hash);

#endif
