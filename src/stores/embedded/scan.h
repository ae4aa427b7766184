/*
 * Scan: walking over the frames of a segment whose bytes are in memory.
 *
 * A frame counts when it lies wholly within the file and the segment's
 * capacity, is sound, and carries the segment's salt, file number and first
 * position. It is content when it also follows the frame before it.
 */
#ifndef STET_STORES_EMBEDDED_SCAN_H
#define STET_STORES_EMBEDDED_SCAN_H

#include "core/image.h"
#include "os/os.h"

/* Where a scan stopped. */
typedef struct stet_scan {
    uint64_t offset;
    uint64_t position;     /* one past the last record */
    uint32_t previous_crc; /* of the last frame */
    uint32_t frames;
    uint64_t durable; /* the greatest that a frame says */
    int64_t recorded; /* of the last frame; 0: there was none */
} stet_scan;

/* Before the first frame. */
stet_scan stet__scan_begin(const stet_segment_header *h);

/* Bytes of a file of `bytes` in which frames may lie. */
uint64_t stet__scan_limit(uint64_t bytes, const stet_segment_header *h);

/* Create an image and read the file into it, up to its limit. */
stet_status stet__scan_load(stet_os *os, const stet_allocator *alloc, int fd,
                            const stet_segment_header *h, stet_image **out,
                            stet_error *err);

/* Walk from the first frame up to `end`, or while frames follow. */
stet_scan stet__scan_frames(const stet_image *image,
                            const stet_segment_header *h, uint64_t limit,
                            uint64_t end);

/* Is this frame of the segment, and does it go on where the scan is? */
bool stet__scan_is_next(const stet_scan *s, const stet_segment_header *h,
                        const stet_frame_header *frame);
/* Move the scan behind the frame. */
void stet__scan_pass(stet_scan *s, const stet_frame_header *frame);

/* The greatest `durable` of frames behind `stop`: proof, never content. */
uint64_t stet__scan_beyond(const stet_image *image,
                           const stet_segment_header *h, uint64_t limit,
                           uint64_t stop);

#endif
