#include "core/tail.h"

#include "base/assert.h"

void stet__tail_init(stet_tail *tail, stet_image *image, uint32_t file,
                     uint64_t salt)
{
    *tail = (stet_tail){
        .image = image,
        .file = file,
        .salt = salt,
        .end = STET_W,
        .last_crc = (uint32_t)salt,
    };
}

/* Most records that a batch of `bytes` can have. */
static uint64_t slots_for(uint64_t bytes)
{
    uint64_t slots = bytes / STET_RECORD_BYTES_MIN + 1;
    return slots < STET_BATCH_EVENTS_MAX ? slots : STET_BATCH_EVENTS_MAX;
}

uint64_t stet__segment_bytes_for(uint64_t need)
{
    uint64_t by_bytes =
        STET_W + stet__round_up_w(STET_FRAME_HEADER_BYTES + need);
    uint64_t by_slots = stet__round_up_w(slots_for(need) * STET_BYTES_PER_SLOT);
    return by_bytes > by_slots ? by_bytes : by_slots;
}

size_t stet__tail_room(const stet_tail *tail, size_t need)
{
    uint64_t capacity = stet__image_capacity(tail->image);
    STET_ASSERT(tail->end <= capacity);
    uint64_t bytes = capacity - tail->end;
    /* Keeps (4) of core/image.h. */
    uint64_t slots = capacity / STET_BYTES_PER_SLOT - tail->events;
    if (bytes < STET_FRAME_HEADER_BYTES ||
        bytes - STET_FRAME_HEADER_BYTES < need || slots < slots_for(need)) {
        return 0;
    }
    bytes -= STET_FRAME_HEADER_BYTES;
    /* Whoever joins the frame may bring the shortest records there are. */
    uint64_t more = (slots - slots_for(need)) * STET_RECORD_BYTES_MIN;
    return (size_t)(bytes - need < more ? bytes : need + more);
}

void stet__tail_lend(const stet_tail *tail, size_t cap, stet_frame *out)
{
    out->offset = tail->end;
    out->file = tail->file;
    out->records =
        stet__image_bytes(tail->image) + tail->end + STET_FRAME_HEADER_BYTES;
    out->cap = cap;
}

void stet__tail_take(stet_tail *tail, stet_frame *frame, size_t used,
                     uint32_t events)
{
    STET_ASSERT(frame->offset == tail->end && frame->file == tail->file);
    STET_ASSERT(used <= frame->cap && (events == 0) == (used == 0));
    frame->used = used;
    frame->events = events;
    frame->length =
        events == 0
            ? 0
            : (uint32_t)stet__round_up_w(STET_FRAME_HEADER_BYTES + used);
    tail->end += frame->length;
    tail->events += events;
}

stet_status stet__tail_seal(stet_tail *tail, const stet_frame *frame,
                            uint64_t durable, stet_error *err)
{
    STET_ASSERT(frame->events > 0 && frame->file == tail->file);
    STET_ASSERT(durable <= frame->first_position);
    stet_frame_header h = {
        .salt = tail->salt,
        .file = tail->file,
        .length = frame->length,
        .events = frame->events,
        .previous_crc = tail->last_crc,
        .first_position = frame->first_position,
        .durable = durable,
        .recorded = frame->recorded,
        .segment_first = stet__image_first_position(tail->image),
    };
    stet__frame_seal(stet__image_bytes(tail->image) + frame->offset,
                     STET_FRAME_HEADER_BYTES + frame->used, &h);
    tail->last_crc = h.crc;
    return stet__image_index(tail->image, (uint32_t)frame->offset, err);
}
