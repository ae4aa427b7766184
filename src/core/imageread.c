#include "core/imageread.h"

#include <inttypes.h>

#include "base/assert.h"
#include "base/error.h"

uint32_t stet__image_slots_below(const stet_image *image, uint64_t below)
{
    uint32_t count = stet__image_slot_count(image);
    uint64_t first = stet__image_first_position(image);
    if (below <= first) {
        return 0;
    }
    return below - first < count ? (uint32_t)(below - first) : count;
}

/* Where the lineage goes on below the record in `slot`. */
static stet_run_link link_below(const stet_image *image, uint32_t slot)
{
    stet_record r;
    int64_t recorded = 0;
    stet__image_record(image, slot, &r, &recorded);
    uint64_t position = stet__image_first_position(image) + slot;
    stet_run_link link = {0};
    if (r.back == 0 || r.back >= position) {
        return link;
    }
    link.position = position - r.back;
    if ((r.tags & (1U << STET_TAG_PARENT)) != 0) {
        link.key = (stet_machine_key){.id = r.parent_id, .ns = r.parent_ns};
    }
    return link;
}

stet_status stet__image_reach(const stet_image *image,
                              const stet_target *target, stet_reach *out,
                              stet_error *err)
{
    uint32_t slot_end = stet__image_slots_below(image, target->top + 1);
    uint32_t newest = stet__image_find(image, target->key, slot_end);
    if (newest == STET_SLOT_NONE) {
        return STET_E_NOT_FOUND;
    }
    stet_point top = stet__image_point(image, newest);
    if (target->seq != 0 &&
        (top.position != target->top || top.seq != target->seq)) {
        return stet__fail(err, STET_E_CORRUPT, 0,
                          "position %" PRIu64 " holds seq %" PRIu64
                          ", a link to it says %" PRIu64,
                          top.position, top.seq, target->seq);
    }
    uint32_t first = STET_SLOT_NONE;
    uint32_t slot = stet__image_seek(image, newest, target->bound, &first);
    *out = (stet_reach){.is_found = slot != STET_SLOT_NONE};
    if (out->is_found) {
        out->point = stet__image_point(image, slot);
        return STET_OK;
    }
    out->first = stet__image_point(image, first);
    out->previous = link_below(image, first);
    return STET_OK;
}

bool stet__image_logged(const stet_image *image, uint64_t position,
                        stet_logged *out)
{
    uint64_t first = stet__image_first_position(image);
    STET_ASSERT(position >= first);
    if (position - first >= stet__image_slot_count(image)) {
        return false;
    }
    uint32_t number = (uint32_t)(position - first);
    const stet_slot *slot = stet__image_slot(image, number);
    if (slot->previous != STET_SLOT_NONE) {
        stet__image_prefetch(image, slot->previous); /* a history's next */
    }
    stet_slice bytes = stet__image_record_bytes(image, number);
    *out = (stet_logged){
        .bytes = bytes,
        .position = position,
        .recorded = stet__image_frame(image, slot->frame).recorded,
        .offset = slot->offset,
    };
    return true;
}

uint64_t stet__image_at_recorded(const stet_image *image, int64_t time,
                                 uint64_t below)
{
    uint32_t slot_end = stet__image_slots_below(image, below);
    uint32_t from = 0;
    uint32_t to = stet__image_frame_count(image);
    uint32_t frames = to;
    /* Frames before `from` count, frames from `to` on do not. */
    while (from < to) {
        uint32_t middle = from + (to - from) / 2;
        stet_image_frame f = stet__image_frame(image, middle);
        if (f.first_slot < slot_end && f.recorded <= time) {
            from = middle + 1;
        } else {
            to = middle;
        }
    }
    if (from == 0) {
        return 0;
    }
    uint32_t end =
        from < frames ? stet__image_frame(image, from).first_slot : slot_end;
    end = end < slot_end ? end : slot_end;
    return stet__image_first_position(image) + end - 1;
}

uint64_t stet__image_key_position(const stet_image *image,
                                  const uint8_t key[16], uint64_t below)
{
    uint32_t slot =
        stet__image_find_key(image, key, stet__image_slots_below(image, below));
    return slot == STET_SLOT_NONE ? 0
                                  : stet__image_first_position(image) + slot;
}

/* The header of an indexed frame. */
static stet_frame_header header_of(const stet_image *image, uint32_t frame)
{
    uint32_t at = stet__image_frame(image, frame).offset;
    stet_frame_header h;
    bool is_frame = stet__frame_peek(stet__image_bytes(image) + at,
                                     stet__image_capacity(image) - at, &h);
    STET_ASSERT(is_frame);
    return h;
}

uint64_t stet__image_end_below(const stet_image *image, uint64_t below)
{
    uint32_t slot_end = stet__image_slots_below(image, below);
    uint32_t count = stet__image_frame_count(image);
    while (count > 0 &&
           stet__image_frame(image, count - 1).first_slot >= slot_end) {
        count--;
    }
    return count == 0 ? STET_W
                      : stet__image_frame(image, count - 1).offset +
                            (uint64_t)header_of(image, count - 1).length;
}

bool stet__image_verify(const stet_image *image, stet_verify_report *report,
                        uint64_t *out_offset)
{
    uint32_t count = stet__image_frame_count(image);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t at = stet__image_frame(image, i).offset;
        stet_frame_header h;
        if (!stet__frame_is_sound(stet__image_bytes(image) + at,
                                  stet__image_capacity(image) - at, &h)) {
            *out_offset = at;
            return false;
        }
        report->frames++;
        report->records += h.events;
    }
    return true;
}
