/*
 * Tail: the growing end of a segment, where frames find room.
 *
 * Frames are laid out one behind the other while their bytes are still being
 * filled in, and sealed later in the same order. Two threads may therefore be
 * at work: one lays out (`room`, `lend`, `take`), one seals.
 */
#ifndef STET_CORE_TAIL_H
#define STET_CORE_TAIL_H

#include "core/image.h"

typedef struct stet_tail {
    stet_image *image; /* borrowed */
    uint32_t file;
    uint64_t salt;
    /* The thread that lays out. */
    uint64_t end;    /* offset at which the next frame begins */
    uint32_t events; /* in the frames laid out */
    /* The thread that seals. */
    uint32_t last_crc; /* of the frame before; at first half of the salt */
} stet_tail;

/* Begin behind the header of an empty segment. */
void stet__tail_init(stet_tail *tail, stet_image *image, uint32_t file,
                     uint64_t salt);

/* Capacity that a segment needs to take one batch of `need` bytes. */
uint64_t stet__segment_bytes_for(uint64_t need);

/* Bytes of records that the next frame may take if `need` fit, else 0. */
size_t stet__tail_room(const stet_tail *tail, size_t need);

/* Lay out the next frame with room for `cap` bytes of records. */
void stet__tail_lend(const stet_tail *tail, size_t cap, stet_frame *out);

/* Fix the length of the frame lent last; without events it is taken back. */
void stet__tail_take(stet_tail *tail, stet_frame *frame, size_t used,
                     uint32_t events);

/* Seal and index a frame; in the order in which they were laid out. */
stet_status stet__tail_seal(stet_tail *tail, const stet_frame *frame,
                            uint64_t durable, stet_error *err);

#endif
