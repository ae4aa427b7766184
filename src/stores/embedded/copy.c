/*
 * Copying frames into a segment of our own. Recovery copies what may be in the
 * page cache only; the first writer after a clean stop copies a small segment,
 * so that many short runs leave few files. The way is the same: whole frames,
 * with their positions and stamps, under a fresh salt; then the header, flagged
 * as recovery; then `super`, both slots. Until it names the copy, the copy is
 * still a spare.
 */
#include <inttypes.h>

#include "base/assert.h"
#include "base/error.h"
#include "stores/embedded/log.h"
#include "stores/embedded/names.h"

bool stet__copy_is_small(const stet_embedded *e, uint64_t end)
{
    uint64_t most = e->segment_bytes / 4;
    return end <=
           (most < STET_SMALL_SEGMENT_BYTES ? most : STET_SMALL_SEGMENT_BYTES);
}

/* Fetch the source's bytes to where the copy's frames begin. */
static stet_status fetch(const stet_copy *copy, uint8_t *to, stet_error *err)
{
    const stet_segment *source = copy->source;
    uint64_t len = copy->to - copy->from;
    if (source->image == NULL) {
        return stet__segment_pread(source, to, len, copy->from, err);
    }
    memcpy(to, stet__image_bytes(source->image) + copy->from, len);
    return STET_OK;
}

/* Where a sound frame's records end. */
static size_t used_bytes(const uint8_t *frame, const stet_frame_header *h)
{
    size_t at = STET_FRAME_HEADER_BYTES;
    for (uint32_t i = 0; i < h->events; i++) {
        uint32_t crc = 0;
        size_t bytes = 0;
        bool is_there = stet__record_peek(
            stet_slice_of(frame + at, h->length - at), &crc, &bytes);
        STET_ASSERT(is_there);
        at += bytes;
    }
    return at;
}

/*
 * Make the frame at the copy's end one of the copy, and index it. What it says
 * is durable is cut to the copy's first position: it proves nothing about a
 * file that is not a segment yet.
 */
static stet_status adopt_frame(stet_segment *s, const stet_frame_header *from,
                               stet_error *err)
{
    stet_tail *tail = &s->tail;
    uint8_t *frame = stet__image_bytes(s->image) + tail->end;
    stet_frame_header h = *from;
    h.salt = tail->salt;
    h.file = tail->file;
    h.previous_crc = tail->last_crc;
    h.segment_first = s->header.first_position;
    h.durable = h.durable < h.segment_first ? h.durable : h.segment_first;
    stet__frame_seal(frame, used_bytes(frame, from), &h);
    tail->last_crc = h.crc;
    stet_status st = stet__image_index(s->image, (uint32_t)tail->end, err);
    tail->end += h.length;
    tail->events += h.events;
    return st;
}

static stet_status fill(stet_segment *s, const stet_copy *copy, stet_error *err)
{
    const stet_segment_header *source = &copy->source->header;
    uint8_t *bytes = stet__image_bytes(s->image);
    stet_status st = fetch(copy, bytes + STET_W, err);
    uint64_t end = STET_W + (copy->to - copy->from);
    while (st == STET_OK && s->tail.end < end) {
        uint64_t at = s->tail.end;
        stet_frame_header h;
        if (!stet__frame_is_sound(bytes + at, end - at, &h) ||
            h.salt != source->salt) {
            return stet__damage(err, source->file, at - STET_W + copy->from,
                                "frame is damaged");
        }
        st = adopt_frame(s, &h, err);
        if (st != STET_OK) {
            return stet__damage_wrap(err, st, source->file,
                                     at - STET_W + copy->from);
        }
    }
    return st;
}

/* Frames first, synced; the header after them, synced. */
static stet_status write_copy(stet_embedded *e, stet_segment *s,
                              stet_error *err)
{
    uint8_t *bytes = stet__image_bytes(s->image);
    uint64_t capacity = stet__image_capacity(s->image);
    stet__segment_header_put(&s->header, bytes);
    /*
     * To the end, so that what the spare held goes; zeros, whatever the image
     * was before.
     */
    memset(bytes + s->tail.end, 0, capacity - s->tail.end);
    int rc =
        e->os->pwrite(e->os, s->fd, bytes + STET_W, capacity - STET_W, STET_W);
    rc = rc < 0 ? rc : e->os->sync(e->os, s->fd);
    rc = rc < 0 ? rc : e->os->pwrite(e->os, s->fd, bytes, STET_W, 0);
    rc = rc < 0 ? rc : e->os->datasync(e->os, s->fd);
    return rc < 0
               ? stet__os_fail(err, rc, "write %" PRIu32 ".seg", s->header.file)
               : STET_OK;
}

/*
 * Show the copy: in the table, as the live segment, spares[0] no more. But lend
 * no room in it yet.
 */
static stet_status install(stet_embedded *e, const stet_copy *copy,
                           stet_segment *s, stet_error *err)
{
    bool is_whole = copy->from == STET_W;
    stet_status st = is_whole ? stet__embedded_replace(e, copy->source, s, err)
                              : stet__embedded_reserve(e, err);
    if (st != STET_OK) {
        return st;
    }
    stet__mutex_lock(e->os, &e->files);
    if (!is_whole) {
        stet__files_push(e->table, stet__segment_ref(s));
    }
    e->live = s;
    e->is_copying = true;
    e->spares[0] = e->spares[1];
    e->spares[1] = (stet_spare){0};
    stet__mutex_unlock(e->os, &e->files);
    if (copy->end_position > stet__embedded_synced(e)) {
        atomic_store_explicit(&e->synced, copy->end_position,
                              memory_order_release);
    }
    return STET_OK;
}

/* Name the copy in both slots; then it may be written to. Keeps (L5). */
static stet_status commit(stet_embedded *e, stet_error *err)
{
    stet_status st = stet__embedded_write_super(e, err);
    if (st == STET_OK) {
        st = stet__embedded_write_super(e, err);
    }
    if (st == STET_OK) {
        stet__mutex_lock(e->os, &e->files);
        e->is_copying = false;
        stet__mutex_unlock(e->os, &e->files);
    }
    return st;
}

stet_status stet__copy_frames(stet_embedded *e, const stet_copy *copy,
                              stet_error *err)
{
    STET_ASSERT(STET_W + (copy->to - copy->from) <= copy->capacity);
    uint32_t source = copy->source->header.file;
    stet_segment *s = NULL;
    stet_status st =
        stet__spare_open(e, &e->spares[0], copy->capacity, &s, err);
    if (st != STET_OK) {
        return st;
    }
    s->header.first_position = copy->position;
    s->header.predecessor = copy->predecessor;
    s->header.predecessor_end = copy->predecessor_end;
    s->header.flags = STET_SEGMENT_RECOVERY;
    s->header.copied_end = copy->end_position;
    stet__image_set_first_position(s->image, copy->position);
    st = fill(s, copy, err);
    if (st != STET_OK) {
        stet__segment_unref(s);
        return st;
    }
    e->made++;
    st = write_copy(e, s, err);
    if (st == STET_OK) {
        st = install(e, copy, s, err);
    }
    if (st == STET_OK) {
        st = commit(e, err);
    }
    stet__segment_unref(s);
    if (st != STET_OK) {
        stet__embedded_poison(e);
        return st;
    }
    if (copy->from == STET_W) {
        stet__embedded_doom(e, source, STET_NAME_SEGMENT);
    }
    return STET_OK;
}
