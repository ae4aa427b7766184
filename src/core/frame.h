/*
 * Frames, segment headers and `super`: the fixed structures of the log's files.
 * docs/FORMAT.md. All integers little-endian; W = 4096 is the write unit.
 *
 * Segment file: a header of W bytes, then frames, each starting at a multiple
 * of W and padded with zeros to one.
 *
 * Segment header (88 bytes; the rest of W is zero)
 *    0 u32 magic "STSG"        4 u32 crc over [8, 88)
 *    8 u32 format             12 u32 file number
 *   16 uuid[16]               32 u64 salt
 *   40 u64 first position     48 u64 capacity in bytes
 *   56 u32 predecessor's file (0: none)   60 u32 flags (1: recovery)
 *   64 u64 predecessor's end, an offset   72 u64 copied end, a position
 *   80 u64 reserved, 0
 *
 * Frame header (64 bytes), then `events` records, then zeros up to `length`
 *    0 u32 magic "STFR"        4 u32 crc over [8, 64), then over the crc
 *                                    fields of the records in order
 *    8 u64 salt               16 u32 file number
 *   20 u32 length, padded     24 u32 events
 *   28 u32 crc of the previous frame (of the first: low half of the salt)
 *   32 u64 first position     40 u64 durable: position below which all was
 *                                    synced when this frame was built
 *   48 i64 recorded, ns       56 u32 first position minus the segment's
 *   60 u32 flags, 0
 *
 * super: two slots of W bytes (80 bytes used; the rest is zero)
 *    0 u32 magic "STSU"        4 u32 crc over [8, 80)
 *    8 u32 format             12 u32 live file (0: none)
 *   16 u64 generation         24 u64 mark: position below which all is synced
 *   32 uuid[16]               48 u32 spare, 52 u32 second spare (0: none)
 *   56 u32 file that a clean stop ended (0: none)   60 u32 reserved, 0
 *   64 u64 its end, an offset 72 u64 its end, a position
 */
#ifndef STET_CORE_FRAME_H
#define STET_CORE_FRAME_H

#include <stdbool.h>
#include <stdint.h>

#include <stet/status.h>

#include "base/buf.h"

enum {
    STET_W = 4096,
    STET_FORMAT = 1,
    STET_FRAME_HEADER_BYTES = 64,
    STET_SEGMENT_HEADER_BYTES = 88,
    STET_SUPER_BYTES = 80,
    STET_SEGMENT_RECOVERY = 1, /* a flag */
};

typedef struct stet_segment_header {
    uint32_t format;
    uint32_t file;
    uint8_t uuid[16];
    uint64_t salt;
    uint64_t first_position;
    uint64_t capacity;
    uint32_t predecessor;
    uint32_t flags;
    uint64_t predecessor_end;
    uint64_t copied_end;
} stet_segment_header;

typedef struct stet_frame_header {
    uint32_t crc; /* given by decode and seal */
    uint64_t salt;
    uint32_t file;
    uint32_t length;
    uint32_t events;
    uint32_t previous_crc;
    uint64_t first_position;
    uint64_t durable;
    int64_t recorded;
    uint64_t segment_first;
} stet_frame_header;

typedef struct stet_super {
    uint32_t format;
    uint64_t generation;
    uint8_t uuid[16];
    uint64_t mark;
    uint32_t live;
    uint32_t spare[2];
    uint32_t clean_file;
    uint64_t clean_end;
    uint64_t clean_position;
} stet_super;

/* Round up to a multiple of W. */
uint64_t stet__round_up_w(uint64_t bytes);
/* Is it all zeros, as padding must be? */
bool stet__is_zeros(const uint8_t *p, size_t len);

/* Write a header block of W bytes, zeros included. */
void stet__segment_header_put(const stet_segment_header *h, uint8_t *block);
/*
 * Read a block of W bytes. STET_E_NOT_FOUND: no header (wrong magic, also all
 * zeros); STET_E_CORRUPT: a header whose checksum or padding is wrong;
 * STET_E_FORMAT: sound, of a newer format. Sizes and positions are the caller's
 * to compare.
 */
stet_status stet__segment_header_get(const uint8_t *block,
                                     stet_segment_header *out, stet_error *err);
/* Is it possible what a header says, whatever else there is? */
bool stet__segment_header_is_sane(const stet_segment_header *h);

void stet__super_put(const stet_super *s, uint8_t *block);
/* As for a segment header. */
stet_status stet__super_get(const uint8_t *block, stet_super *out,
                            stet_error *err);

/*
 * Seal a frame: `bytes` holds room for the header, then records that end at
 * `used`; zeros are written up to h->length, then header and crc. Sets h->crc.
 * Asserts that exactly h->events records lie in [64, used).
 */
void stet__frame_seal(uint8_t *bytes, size_t used, stet_frame_header *h);

/*
 * Read a frame header only: magic, sane length (a multiple of W, at most
 * `bytes_max`) and count; no checksum. False: no frame can start here.
 */
bool stet__frame_peek(const uint8_t *bytes, size_t bytes_max,
                      stet_frame_header *out);

/*
 * Is the whole frame at `bytes` sound: header, chain of record crcs, each
 * record's own crc, zeros behind? `bytes_max` is what is left of the file.
 * Salt, file number and chain are the caller's to compare.
 */
bool stet__frame_is_sound(const uint8_t *bytes, size_t bytes_max,
                          stet_frame_header *out);

/*
 * Is the header sound, and with it the checksums that its records ought to
 * have? The records themselves need not be.
 */
bool stet__frame_is_told(const uint8_t *bytes, size_t bytes_max,
                         stet_frame_header *out);

#endif
