/*
 * Image: an unsealed segment in memory, with the index that its records make.
 *
 * The bytes are what the file holds or will hold. The index is a function of
 * the frames alone: recovery, writing and the memory store all build it with
 * stet__image_index. For each record there is a slot (its number is position -
 * first position): where the record lies, the slot of the same machine before
 * it in this image, and a skew-binary jump, so that any point of a machine's
 * run is found in O(log n). Machines are found through hash buckets,
 * idempotency keys through another set of them.
 *
 * Thread: one thread indexes; any number read at the same time, as far as the
 * positions that they were told are published. The arrays never move.
 *
 * Invariants
 *  (1) slots below `slot_count` are complete before `slot_count` is released.
 *  (2) slot.previous < slot and slot.jump <= slot.previous, or STET_SLOT_NONE.
 *  (3) the slots of one machine have consecutive seqs.
 *  (4) a segment holds at most capacity / STET_BYTES_PER_SLOT records: whoever
 *      lays out frames sees to it.
 */
#ifndef STET_CORE_IMAGE_H
#define STET_CORE_IMAGE_H

#include <stdatomic.h>

#include <stet/sys/store.h>

#include "core/frame.h"
#include "core/record.h"

#define STET_SLOT_NONE UINT32_MAX

enum { STET_BYTES_PER_SLOT = 32 };

/* 24 bytes a record. */
typedef struct stet_slot {
    uint32_t offset;   /* of the record in the file */
    uint32_t previous; /* the machine's record before, in this image */
    uint32_t jump;     /* its record of ordinal stet__jump_seq(ordinal) */
    uint32_t ordinal;  /* 0 for the machine's first record here */
    uint32_t machine;  /* index into machines, see image.c */
    uint32_t frame;    /* index into frames */
} stet_slot;

typedef struct stet_image_frame {
    uint32_t offset;
    uint32_t first_slot;
    int64_t recorded;
} stet_image_frame;

typedef struct stet_image stet_image;

uint64_t stet__machine_hash(stet_machine_key key);
bool stet__machine_key_eq(stet_machine_key a, stet_machine_key b);
/* Order of directories: by namespace, then by the id's bytes. */
int stet__machine_key_cmp(stet_machine_key a, stet_machine_key b);

/*
 * Create an image for a segment of `capacity` bytes (a multiple of W). The
 * bytes are aligned to W and cleared. NULL when there is no memory.
 */
stet_image *stet__image_create(const stet_allocator *alloc, uint64_t capacity,
                               uint64_t first_position);
/* Free it; accepts NULL. */
void stet__image_destroy(stet_image *image);
/*
 * Make an image that nobody reads any more empty and usable for another segment
 * of its capacity. Of the bytes only the first W are cleared; a frame clears
 * its own padding.
 */
void stet__image_reset(stet_image *image, uint64_t first_position);

uint8_t *stet__image_bytes(const stet_image *image);
uint64_t stet__image_capacity(const stet_image *image);
uint64_t stet__image_first_position(const stet_image *image);
/* Before the first frame is indexed. */
void stet__image_set_first_position(stet_image *image, uint64_t first_position);

/*
 * Index the sound frame that lies at `offset`. Records must follow the last one
 * indexed. STET_E_CORRUPT when a record does not decode, its seq or `back` does
 * not lead to its machine's last one here, or there are too many for (4);
 * STET_E_FORMAT when it is of a newer version. The image takes no more frames
 * then.
 */
stet_status stet__image_index(stet_image *image, uint32_t offset,
                              stet_error *err);

/* Slots indexed so far (acquire). */
uint32_t stet__image_slot_count(const stet_image *image);
uint32_t stet__image_frame_count(const stet_image *image);
stet_image_frame stet__image_frame(const stet_image *image, uint32_t idx);

/* Lend a slot that was indexed. */
const stet_slot *stet__image_slot(const stet_image *image, uint32_t slot);

/* Say that this record is about to be read. */
void stet__image_prefetch(const stet_image *image, uint32_t slot);

/* The key of a slot's machine, which points into the image. */
stet_machine_key stet__image_key(const stet_image *image, uint32_t slot);

/* A record by slot; `out` points into the image. Asserts that it decodes. */
void stet__image_record(const stet_image *image, uint32_t slot,
                        stet_record *out, int64_t *out_recorded);
stet_slice stet__image_record_bytes(const stet_image *image, uint32_t slot);

/*
 * Find the newest slot of a machine below `slot_end`; STET_SLOT_NONE when it
 * has none there.
 */
uint32_t stet__image_find(const stet_image *image, stet_machine_key key,
                          uint32_t slot_end);

stet_point stet__image_point(const stet_image *image, uint32_t slot);

/* Is the point above the bound, on the bound's scale? */
bool stet__point_is_above(stet_point p, stet_bound bound);

/*
 * From `slot` go back along its machine to the newest slot whose point is not
 * above the bound: O(log n). STET_SLOT_NONE when even the machine's first one
 * here is above; then `*out_first` takes that first slot.
 */
uint32_t stet__image_seek(const stet_image *image, uint32_t slot,
                          stet_bound bound, uint32_t *out_first);

/*
 * The newest record of a slot's machine in the whole image that says what its
 * state's name is; STET_SLOT_NONE when none here does. Once no more frames are
 * indexed.
 */
uint32_t stet__image_named(const stet_image *image, uint32_t slot);

/*
 * Find an idempotency key below `slot_end`: the slot of the first event of its
 * batch, or STET_SLOT_NONE.
 */
uint32_t stet__image_find_key(const stet_image *image, const uint8_t key[16],
                              uint32_t slot_end);

/*
 * Visit the newest slot of each machine below `slot_end`, in no order, once
 * each, until `visit` answers false.
 */
typedef bool (*stet_image_machine_fn)(void *ctx, uint32_t newest_slot);
void stet__image_machines(const stet_image *image, uint32_t slot_end,
                          stet_image_machine_fn visit, void *ctx);

/* Visit all idempotency keys and the records that carry them, in no order. */
typedef void (*stet_image_key_fn)(void *ctx, const uint8_t key[16],
                                  uint32_t slot);
void stet__image_keys(const stet_image *image, stet_image_key_fn visit,
                      void *ctx);

/* Sum of stet__record_state_bytes over all slots. */
uint64_t stet__image_state_bytes(const stet_image *image);

/*
 * Skew-binary jump: the seq that J leads to from seq s >= 1; 0 for none. With
 * s = a sum of terms 2^k - 1, greatest first, J(s) = s minus its least term.
 */
uint64_t stet__jump_seq(uint64_t seq);

#endif
