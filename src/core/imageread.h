/*
 * Image read: what a store answers from one image, whatever the store.
 *
 * Thread: as the image.
 */
#ifndef STET_CORE_IMAGEREAD_H
#define STET_CORE_IMAGEREAD_H

#include "core/lineage.h"

/* Slots of an image that hold positions below `below`. */
uint32_t stet__image_slots_below(const stet_image *image, uint64_t below);

/* A lineage view's `reach`. */
stet_status stet__image_reach(const stet_image *image,
                              const stet_target *target, stet_reach *out,
                              stet_error *err);

/* The record at a position; `file` is the caller's. False: above the end. */
bool stet__image_logged(const stet_image *image, uint64_t position,
                        stet_logged *out);

/* The last position below `below` recorded at or before `time`; 0: none. */
uint64_t stet__image_at_recorded(const stet_image *image, int64_t time,
                                 uint64_t below);

/* The position of a key's batch below `below`; 0: none. */
uint64_t stet__image_key_position(const stet_image *image,
                                  const uint8_t key[16], uint64_t below);

/* Offset at which the frames end that begin below the position `below`. */
uint64_t stet__image_end_below(const stet_image *image, uint64_t below);

/*
 * Check every indexed frame again, and count. False: the frame at `*out_offset`
 * is damaged.
 */
bool stet__image_verify(const stet_image *image, stet_verify_report *report,
                        uint64_t *out_offset);

#endif
