#include "stores/embedded/scan.h"

#include <inttypes.h>

#include "base/error.h"
#include "stores/embedded/names.h"

uint64_t stet__scan_limit(uint64_t bytes, const stet_segment_header *h)
{
    bytes -= bytes % STET_W;
    return bytes < h->capacity ? bytes : h->capacity;
}

stet_status stet__scan_load(stet_os *os, const stet_allocator *alloc, int fd,
                            const stet_segment_header *h, stet_image **out,
                            stet_error *err)
{
    int64_t bytes = os->size(os, fd);
    if (bytes < 0) {
        return stet__os_fail(err, (int)bytes, "read %" PRIu32 ".seg", h->file);
    }
    stet_image *image =
        stet__image_create(alloc, h->capacity, h->first_position);
    if (image == NULL) {
        return stet__fail(err, STET_E_NOMEM, 0,
                          "no memory for the image of %" PRIu32 ".seg",
                          h->file);
    }
    int64_t n = os->pread(os, fd, stet__image_bytes(image),
                          stet__scan_limit((uint64_t)bytes, h), 0);
    if (n < 0) {
        stet__image_destroy(image);
        return stet__os_fail(err, (int)n, "read %" PRIu32 ".seg", h->file);
    }
    *out = image;
    return STET_OK;
}

static bool is_of(const stet_segment_header *h, const stet_frame_header *frame)
{
    return frame->salt == h->salt && frame->file == h->file &&
           frame->segment_first == h->first_position &&
           frame->durable <= frame->first_position;
}

/* Is there a sound frame of this very segment at `offset`? */
static bool has_frame(const stet_image *image, const stet_segment_header *h,
                      uint64_t limit, uint64_t offset, stet_frame_header *out)
{
    const uint8_t *bytes = stet__image_bytes(image) + offset;
    return offset < limit && stet__frame_peek(bytes, limit - offset, out) &&
           is_of(h, out) && stet__frame_is_sound(bytes, limit - offset, out);
}

stet_scan stet__scan_begin(const stet_segment_header *h)
{
    return (stet_scan){
        .offset = STET_W,
        .position = h->first_position,
        .previous_crc = (uint32_t)h->salt,
    };
}

bool stet__scan_is_next(const stet_scan *s, const stet_segment_header *h,
                        const stet_frame_header *frame)
{
    uint64_t records = s->position - h->first_position + frame->events;
    return is_of(h, frame) && frame->first_position == s->position &&
           frame->previous_crc == s->previous_crc &&
           records <= h->capacity / STET_BYTES_PER_SLOT; /* (4) of an image */
}

void stet__scan_pass(stet_scan *s, const stet_frame_header *frame)
{
    s->offset += frame->length;
    s->position += frame->events;
    s->previous_crc = frame->crc;
    s->frames++;
    s->recorded = frame->recorded;
    s->durable = frame->durable > s->durable ? frame->durable : s->durable;
}

stet_scan stet__scan_frames(const stet_image *image,
                            const stet_segment_header *h, uint64_t limit,
                            uint64_t end)
{
    stet_scan s = stet__scan_begin(h);
    stet_frame_header frame;
    while (s.offset < end && has_frame(image, h, limit, s.offset, &frame) &&
           stet__scan_is_next(&s, h, &frame)) {
        stet__scan_pass(&s, &frame);
    }
    return s;
}

uint64_t stet__scan_beyond(const stet_image *image,
                           const stet_segment_header *h, uint64_t limit,
                           uint64_t stop)
{
    uint64_t durable = 0;
    stet_frame_header frame;
    for (uint64_t at = stop + STET_W; at < limit; at += STET_W) {
        if (has_frame(image, h, limit, at, &frame) && frame.durable > durable) {
            durable = frame.durable;
        }
    }
    return durable;
}
