/*
 * Settling: reading an input, run by run.
 */
#include "base/error.h"
#include "stores/embedded/settling.h"

/* Reads of this cost a disk hardly more than short ones. */
enum { PRIME_BYTES = 1024 * 1024 };

/* Take the next run in hand; STET_DONE: there is none. */
static stet_status next_run(stet_settle_input *in, stet_error *err)
{
    stet_status st = stet__run_walk_next(&in->walk, &in->q.run, err);
    in->has_run = st == STET_OK;
    in->ordinal = 0;
    return st;
}

static stet_status load_slots(stet_settle_input *in, stet_error *err)
{
    const stet_segment *s = in->s;
    stet_status st = stet__index_load_all(s, STET_SECTION_SLOTS,
                                          &in->reader.slots, &in->slots, err);
    uint64_t slots = s->trailer.end_position - s->trailer.first_position;
    return st == STET_OK && in->slots.len != slots * STET_SLOT_BYTES
               ? stet__index_damage(s, STET_SECTION_SLOTS, 0, err)
               : st;
}

stet_status stet__settle_input_open(stet_settle_input *in, stet_segment *s,
                                    stet_error *err)
{
    in->s = stet__segment_ref(s);
    stet__sealed_reader_init(&in->reader, s->alloc);
    stet__run_walk_init(&in->walk, s, &in->reader, 0);
    in->reader.window.is_scan = true;
    in->scan = (stet_settled_scan){.s = s};
    in->q = (stet_run_search){.s = s, .r = &in->reader};
    in->primed = stet__scan_begin(&s->header);
    stet__buf_init(&in->slots, s->alloc);
    stet__buf_init(&in->record, s->alloc);
    stet_status st = stet__index_tables(s, &in->tables, err);
    if (st == STET_OK && !stet__segment_is_set(s)) {
        st = load_slots(in, err);
    }
    return st == STET_OK ? next_run(in, err) : st;
}

/* Read on, behind what is there. */
static stet_status read_more(const stet_settle_input *in, size_t len,
                             stet_buf *out, stet_error *err)
{
    uint64_t offset = in->primed.offset + out->len;
    uint8_t *bytes = stet__buf_extend(out, len);
    return bytes == NULL
               ? stet__fail(err, STET_E_NOMEM, 0, "no memory to settle")
               : stet__segment_pread(in->s, bytes, len, offset, err);
}

/* Read as many frames as are worth it: of the first one all. */
static stet_status read_frames(const stet_settle_input *in, stet_buf *out,
                               stet_error *err)
{
    uint64_t left = in->s->trailer.end_offset - in->primed.offset;
    size_t len = left < PRIME_BYTES ? (size_t)left : PRIME_BYTES;
    stet_frame_header h;
    stet__buf_reset(out);
    stet_status st = read_more(in, len, out, err);
    if (st == STET_OK && stet__frame_peek(out->ptr, left, &h) &&
        h.length > len) {
        st = read_more(in, h.length - len, out, err);
    }
    return st;
}

/* Pass a frame, which must be the one that is due, recorded as indexed. */
static stet_status pass_frame(stet_settle_input *in, const stet_frame_header *h,
                              stet_error *err)
{
    const stet_segment *s = in->s;
    const stet_sealed_tables *t = in->tables;
    if (!stet__scan_is_next(&in->primed, &s->header, h)) {
        return stet__segment_damage(s, in->primed.offset, err,
                                    "frame is not the one that is due");
    }
    uint32_t last = t->time_count - 1;
    uint32_t nth = in->primed.frames < last ? in->primed.frames : last;
    const stet_frame_time *time = &t->times[nth];
    if (time->first_slot != h->first_position - h->segment_first ||
        time->recorded != h->recorded) {
        return stet__index_damage(s, STET_SECTION_TIMES,
                                  nth / STET_TIMES_PER_BLOCK, err);
    }
    stet__scan_pass(&in->primed, h);
    return STET_OK;
}

/* Behind the last frame: did the trailer tell of these? */
static stet_status check_trailer(const stet_settle_input *in, stet_error *err)
{
    const stet_trailer *told = &in->s->trailer;
    const stet_scan *s = &in->primed;
    return s->position == told->end_position && s->frames == told->frames &&
                   s->previous_crc == told->last_frame_crc &&
                   s->recorded == told->last_recorded &&
                   in->tables->times[0].recorded == told->first_recorded
               ? STET_OK
               : stet__segment_damage(
                     in->s, told->end_offset, err,
                     "frames and trailer do not belong together");
}

/* Pass the frames that are there as a whole. */
static stet_status pass_frames(stet_settle_input *in, stet_slice bytes,
                               stet_error *err)
{
    uint64_t end = in->s->trailer.end_offset;
    stet_status st = STET_OK;
    stet_frame_header h = {0};
    for (size_t at = 0; st == STET_OK && at < bytes.len; at += h.length) {
        const uint8_t *frame = (const uint8_t *)bytes.ptr + at;
        size_t len = bytes.len - at;
        if (stet__frame_peek(frame, end - in->primed.offset, &h) &&
            h.length > len) {
            return STET_OK; /* the next piece has all of it */
        }
        st = stet__frame_is_told(frame, len, &h)
                 ? pass_frame(in, &h, err)
                 : stet__segment_damage(in->s, in->primed.offset, err,
                                        "frame is damaged");
    }
    return st == STET_OK && in->primed.offset == end ? check_trailer(in, err)
                                                     : st;
}

stet_status stet__settle_input_prime(stet_settle_input *in, stet_buf *scratch,
                                     bool *out_is_done, stet_error *err)
{
    *out_is_done = stet__segment_is_set(in->s) ||
                   in->primed.offset == in->s->trailer.end_offset;
    if (*out_is_done) {
        return STET_OK;
    }
    stet_status st = read_frames(in, scratch, err);
    return st == STET_OK ? pass_frames(in, stet__buf_slice(scratch), err) : st;
}

void stet__settle_input_deinit(stet_settle_input *in)
{
    if (in->s == NULL) {
        return;
    }
    stet__sealed_reader_deinit(&in->reader);
    stet__buf_deinit(&in->slots);
    stet__buf_deinit(&in->record);
    stet__segment_unref(in->s);
    in->s = NULL;
}

static const uint8_t *slot_at(const stet_settle_input *in, uint64_t slot)
{
    return in->slots.ptr + slot * STET_SLOT_BYTES;
}

/* Read a record: the next one begins behind it, or behind a frame's end. */
static stet_status read_record(stet_settle_input *in, uint64_t position,
                               stet_set_record *out, stet_error *err)
{
    const stet_trailer *t = &in->s->trailer;
    uint64_t slot = position - t->first_position;
    uint64_t offset = stet__get_u32le(slot_at(in, slot));
    uint64_t end = position + 1 < t->end_position
                       ? stet__get_u32le(slot_at(in, slot + 1))
                       : t->end_offset;
    if (offset < STET_W || end <= offset || end > t->end_offset) {
        return stet__index_damage(in->s, STET_SECTION_SLOTS, 0, err);
    }
    stet__buf_reset(&in->record);
    uint8_t *bytes = stet__buf_extend(&in->record, (size_t)(end - offset));
    if (bytes == NULL) {
        return stet__fail(err, STET_E_NOMEM, 0, "no memory for a record");
    }
    stet_status st =
        stet__segment_pread(in->s, bytes, (size_t)(end - offset), offset, err);
    size_t whole = 0;
    if (st == STET_OK &&
        (!stet__record_is_sound(stet__buf_slice(&in->record), &whole) ||
         memcmp(bytes, slot_at(in, slot) + 4, 4) != 0)) {
        st = stet__segment_damage(in->s, offset, err, "record is damaged");
    }
    in->read_offset = offset;
    *out = (stet_set_record){
        .bytes = stet_slice_of(bytes, whole),
        .position = position,
        .recorded = stet__sealed_recorded(in->tables, (uint32_t)slot),
    };
    return st;
}

static stet_status next_of_segment(stet_settle_input *in, stet_set_record *out,
                                   stet_error *err)
{
    uint64_t position = 0;
    stet_status st = stet__run_position(&in->q, in->ordinal, &position, err);
    return st == STET_OK ? read_record(in, position, out, err) : st;
}

/* What lies next must be the run's: the directory is in the content's order. */
static stet_status next_of_set(stet_settle_input *in, stet_set_record *out,
                               stet_error *err)
{
    stet_logged l = {0};
    size_t whole = 0;
    const stet_run *run = &in->q.run;
    stet_status st =
        stet__settled_scan_next(&in->scan, &in->reader.window, &l, err);
    if (st == STET_DONE) {
        return stet__segment_damage(in->s, 0, err, "records are missing");
    }
    if (st != STET_OK) {
        return st;
    }
    bool is_first = in->ordinal == 0;
    bool is_last = in->ordinal + 1 == run->count;
    if (!stet__record_is_sound(l.bytes, &whole) ||
        (is_first && l.position != run->first.position) ||
        (is_last && l.position != run->last.position)) {
        return stet__segment_damage(in->s, l.offset, err,
                                    "record is not the one its index tells");
    }
    in->read_offset = l.offset;
    *out = (stet_set_record){
        .bytes = l.bytes,
        .position = l.position,
        .recorded = l.recorded,
    };
    return STET_OK;
}

stet_status stet__settle_input_next(stet_settle_input *in, stet_set_record *out,
                                    stet_error *err)
{
    if (in->ordinal == in->q.run.count) {
        stet_status st = next_run(in, err);
        return st == STET_OK ? STET_DONE : st;
    }
    stet_status st = stet__segment_is_set(in->s)
                         ? next_of_set(in, out, err)
                         : next_of_segment(in, out, err);
    in->ordinal += st == STET_OK;
    return st;
}
