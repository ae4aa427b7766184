#include "core/frame.h"

#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/checksum.h"
#include "base/error.h"
#include "core/record.h"

/* The little-endian words "STSG", "STFR" and "STSU". */
#define SEGMENT_MAGIC 0x47535453U
#define FRAME_MAGIC 0x52465453U
#define SUPER_MAGIC 0x55535453U

enum {
    CRC_AT = 4,
    CRC_FROM = 8, /* what a checksum covers begins behind it */
    UUID_BYTES = 16,
};

uint64_t stet__round_up_w(uint64_t bytes)
{
    return (bytes + STET_W - 1) / STET_W * STET_W;
}

bool stet__is_zeros(const uint8_t *p, size_t len)
{
    return len == 0 || (p[0] == 0 && memcmp(p, p + 1, len - 1) == 0);
}

/* Blocks: `used` bytes that begin with magic and crc, then zeros up to W. */

static void seal_block(uint8_t *block, size_t used)
{
    uint32_t crc = stet__crc32c(0, block + CRC_FROM, used - CRC_FROM);
    stet__put_u32le(block + CRC_AT, crc);
    memset(block + used, 0, STET_W - used);
}

/* Check magic, checksum and the format number that follows them. */
static stet_status check_block(const uint8_t *block, uint32_t magic,
                               size_t used, const char *what, stet_error *err)
{
    if (stet__get_u32le(block) != magic) {
        return stet__fail(err, STET_E_NOT_FOUND, 0, "no %s", what);
    }
    uint32_t crc = stet__crc32c(0, block + CRC_FROM, used - CRC_FROM);
    if (stet__get_u32le(block + CRC_AT) != crc) {
        return stet__fail(err, STET_E_CORRUPT, 0, "checksum of a %s", what);
    }
    uint32_t format = stet__get_u32le(block + CRC_FROM);
    if (format != STET_FORMAT) {
        return stet__fail(err, STET_E_FORMAT, 0, "%s of format %u", what,
                          format);
    }
    if (!stet__is_zeros(block + used, STET_W - used)) {
        return stet__fail(err, STET_E_CORRUPT, 0, "padding of a %s", what);
    }
    return STET_OK;
}

void stet__segment_header_put(const stet_segment_header *h, uint8_t *block)
{
    stet__put_u32le(block, SEGMENT_MAGIC);
    stet__put_u32le(block + 8, h->format);
    stet__put_u32le(block + 12, h->file);
    memcpy(block + 16, h->uuid, UUID_BYTES);
    stet__put_u64le(block + 32, h->salt);
    stet__put_u64le(block + 40, h->first_position);
    stet__put_u64le(block + 48, h->capacity);
    stet__put_u32le(block + 56, h->predecessor);
    stet__put_u32le(block + 60, h->flags);
    stet__put_u64le(block + 64, h->predecessor_end);
    stet__put_u64le(block + 72, h->copied_end);
    stet__put_u64le(block + 80, 0);
    seal_block(block, STET_SEGMENT_HEADER_BYTES);
}

stet_status stet__segment_header_get(const uint8_t *block,
                                     stet_segment_header *out, stet_error *err)
{
    stet_status st = check_block(
        block, SEGMENT_MAGIC, STET_SEGMENT_HEADER_BYTES, "segment header", err);
    if (st != STET_OK) {
        return st;
    }
    stet_segment_header h = {
        .format = stet__get_u32le(block + 8),
        .file = stet__get_u32le(block + 12),
        .salt = stet__get_u64le(block + 32),
        .first_position = stet__get_u64le(block + 40),
        .capacity = stet__get_u64le(block + 48),
        .predecessor = stet__get_u32le(block + 56),
        .flags = stet__get_u32le(block + 60),
        .predecessor_end = stet__get_u64le(block + 64),
        .copied_end = stet__get_u64le(block + 72),
    };
    memcpy(h.uuid, block + 16, UUID_BYTES);
    if ((h.flags & ~(uint32_t)STET_SEGMENT_RECOVERY) != 0 ||
        stet__get_u64le(block + 80) != 0) {
        return stet__fail(err, STET_E_FORMAT, 0,
                          "segment header with flags 0x%x", h.flags);
    }
    *out = h;
    return STET_OK;
}

bool stet__segment_header_is_sane(const stet_segment_header *h)
{
    return h->capacity % STET_W == 0 && h->capacity >= 2 * (uint64_t)STET_W &&
           h->capacity <= UINT32_MAX && h->first_position > 0 &&
           h->predecessor < h->file;
}

void stet__super_put(const stet_super *s, uint8_t *block)
{
    stet__put_u32le(block, SUPER_MAGIC);
    stet__put_u32le(block + 8, s->format);
    stet__put_u32le(block + 12, s->live);
    stet__put_u64le(block + 16, s->generation);
    stet__put_u64le(block + 24, s->mark);
    memcpy(block + 32, s->uuid, UUID_BYTES);
    stet__put_u32le(block + 48, s->spare[0]);
    stet__put_u32le(block + 52, s->spare[1]);
    stet__put_u32le(block + 56, s->clean_file);
    stet__put_u32le(block + 60, 0);
    stet__put_u64le(block + 64, s->clean_end);
    stet__put_u64le(block + 72, s->clean_position);
    seal_block(block, STET_SUPER_BYTES);
}

stet_status stet__super_get(const uint8_t *block, stet_super *out,
                            stet_error *err)
{
    stet_status st =
        check_block(block, SUPER_MAGIC, STET_SUPER_BYTES, "super slot", err);
    if (st != STET_OK) {
        return st;
    }
    if (stet__get_u32le(block + 60) != 0) {
        return stet__fail(err, STET_E_FORMAT, 0,
                          "super slot with unknown content");
    }
    stet_super s = {
        .format = stet__get_u32le(block + 8),
        .generation = stet__get_u64le(block + 16),
        .mark = stet__get_u64le(block + 24),
        .live = stet__get_u32le(block + 12),
        .spare = {stet__get_u32le(block + 48), stet__get_u32le(block + 52)},
        .clean_file = stet__get_u32le(block + 56),
        .clean_end = stet__get_u64le(block + 64),
        .clean_position = stet__get_u64le(block + 72),
    };
    memcpy(s.uuid, block + 32, UUID_BYTES);
    *out = s;
    return STET_OK;
}

/* Frames. */

static void put_header(const stet_frame_header *h, uint8_t *bytes)
{
    stet__put_u32le(bytes, FRAME_MAGIC);
    stet__put_u64le(bytes + 8, h->salt);
    stet__put_u32le(bytes + 16, h->file);
    stet__put_u32le(bytes + 20, h->length);
    stet__put_u32le(bytes + 24, h->events);
    stet__put_u32le(bytes + 28, h->previous_crc);
    stet__put_u64le(bytes + 32, h->first_position);
    stet__put_u64le(bytes + 40, h->durable);
    stet__put_u64le(bytes + 48, (uint64_t)h->recorded);
    stet__put_u32le(bytes + 56,
                    (uint32_t)(h->first_position - h->segment_first));
    stet__put_u32le(bytes + 60, 0);
}

static uint32_t header_crc(const uint8_t *bytes)
{
    return stet__crc32c(0, bytes + CRC_FROM,
                        STET_FRAME_HEADER_BYTES - CRC_FROM);
}

void stet__frame_seal(uint8_t *bytes, size_t used, stet_frame_header *h)
{
    STET_ASSERT(h->length % STET_W == 0);
    STET_ASSERT(used <= h->length);
    STET_ASSERT(h->first_position - h->segment_first <= UINT32_MAX);
    put_header(h, bytes);
    uint32_t crc = header_crc(bytes);
    size_t at = STET_FRAME_HEADER_BYTES;
    for (uint32_t i = 0; i < h->events; i++) {
        uint32_t record_crc = 0;
        size_t record_bytes = 0;
        bool is_there = stet__record_peek(stet_slice_of(bytes + at, used - at),
                                          &record_crc, &record_bytes);
        STET_ASSERT(is_there);
        crc = stet__crc32c(crc, bytes + at, sizeof record_crc);
        at += record_bytes;
    }
    STET_ASSERT(at == used);
    memset(bytes + used, 0, h->length - used);
    stet__put_u32le(bytes + CRC_AT, crc);
    h->crc = crc;
}

bool stet__frame_peek(const uint8_t *bytes, size_t bytes_max,
                      stet_frame_header *out)
{
    if (bytes_max < STET_W || stet__get_u32le(bytes) != FRAME_MAGIC ||
        stet__get_u32le(bytes + 60) != 0) {
        return false;
    }
    uint64_t first = stet__get_u64le(bytes + 32);
    stet_frame_header h = {
        .crc = stet__get_u32le(bytes + CRC_AT),
        .salt = stet__get_u64le(bytes + 8),
        .file = stet__get_u32le(bytes + 16),
        .length = stet__get_u32le(bytes + 20),
        .events = stet__get_u32le(bytes + 24),
        .previous_crc = stet__get_u32le(bytes + 28),
        .first_position = first,
        .durable = stet__get_u64le(bytes + 40),
        .recorded = (int64_t)stet__get_u64le(bytes + 48),
        .segment_first = first - stet__get_u32le(bytes + 56),
    };
    if (h.length == 0 || h.length % STET_W != 0 || h.length > bytes_max ||
        h.segment_first > first || h.events == 0 ||
        h.events >
            (h.length - STET_FRAME_HEADER_BYTES) / STET_RECORD_BYTES_MIN) {
        return false;
    }
    *out = h;
    return true;
}

/* Find how long a record is; false: there is none. */
typedef bool (*measure_fn)(stet_slice bytes, size_t *out_bytes);

static bool measure_told(stet_slice bytes, size_t *out_bytes)
{
    uint32_t crc = 0;
    return stet__record_peek(bytes, &crc, out_bytes);
}

/* Is the crc that of the header and its records? `*out_end` is behind them. */
static bool is_crc_right(const uint8_t *bytes, const stet_frame_header *h,
                         measure_fn measure, size_t *out_end)
{
    uint32_t crc = header_crc(bytes);
    size_t at = STET_FRAME_HEADER_BYTES;
    for (uint32_t i = 0; i < h->events; i++) {
        size_t record_bytes = 0;
        if (!measure(stet_slice_of(bytes + at, h->length - at),
                     &record_bytes)) {
            return false;
        }
        crc = stet__crc32c(crc, bytes + at, sizeof crc);
        at += record_bytes;
    }
    *out_end = at;
    return crc == h->crc;
}

bool stet__frame_is_sound(const uint8_t *bytes, size_t bytes_max,
                          stet_frame_header *out)
{
    stet_frame_header h;
    size_t end = 0;
    if (!stet__frame_peek(bytes, bytes_max, &h) ||
        !is_crc_right(bytes, &h, stet__record_is_sound, &end) ||
        !stet__is_zeros(bytes + end, h.length - end)) {
        return false;
    }
    *out = h;
    return true;
}

bool stet__frame_is_told(const uint8_t *bytes, size_t bytes_max,
                         stet_frame_header *out)
{
    stet_frame_header h;
    size_t end = 0;
    if (!stet__frame_peek(bytes, bytes_max, &h) ||
        !is_crc_right(bytes, &h, measure_told, &end)) {
        return false;
    }
    *out = h;
    return true;
}
