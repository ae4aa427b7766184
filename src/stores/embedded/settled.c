#include "stores/embedded/settled.h"

#include <inttypes.h>

#include "base/assert.h"
#include "base/error.h"

/* Blocks. */

/* Do the pieces follow each other, from the content's begin to its end? */
static bool are_sane(const stet_segment *s, const stet_sealed_tables *t)
{
    const stet_piece *p = t->pieces;
    for (uint32_t i = 0; i < t->block_count; i++) {
        uint32_t raw = p[i + 1].raw_offset - p[i].raw_offset;
        uint32_t packed = p[i + 1].offset - p[i].offset;
        if (p[i + 1].raw_offset <= p[i].raw_offset ||
            p[i + 1].offset <= p[i].offset || packed > raw) {
            return false;
        }
    }
    const stet_piece *end = &p[t->block_count];
    return p[0].raw_offset == 0 && p[0].offset == 0 &&
           end->raw_offset == s->trailer.set.raw_bytes &&
           stet__round_up_w(end->offset) == s->trailer.end_offset;
}

stet_status stet__settled_parse_pieces(const stet_segment *s,
                                       stet_sealed_tables *t, stet_slice bytes,
                                       stet_error *err)
{
    if (!stet__segment_is_set(s)) {
        return STET_OK;
    }
    size_t count = bytes.len / STET_PIECE_BYTES;
    if (count < 2 || count * STET_PIECE_BYTES != bytes.len ||
        count != s->trailer.set.blocks.entries) {
        return stet__index_damage(s, STET_SECTION_BLOCKS, 0, err);
    }
    t->block_count = (uint32_t)count - 1;
    t->pieces = stet__arena_alloc(&t->arena, count * sizeof *t->pieces);
    if (t->pieces == NULL) {
        return stet__index_no_memory(s, err);
    }
    const uint8_t *entry = bytes.ptr;
    for (size_t i = 0; i < count; i++, entry += STET_PIECE_BYTES) {
        t->pieces[i] = stet__piece_get(entry);
    }
    return are_sane(s, t) ? STET_OK
                          : stet__index_damage(s, STET_SECTION_BLOCKS, 0, err);
}

uint32_t stet__settled_locate(const stet_sealed_tables *t, uint64_t raw_offset)
{
    STET_ASSERT(raw_offset < t->pieces[t->block_count].raw_offset);
    uint32_t from = 0;
    uint32_t to = t->block_count;
    while (to - from > 1) {
        uint32_t middle = from + (to - from) / 2;
        if (t->pieces[middle].raw_offset <= raw_offset) {
            from = middle;
        } else {
            to = middle;
        }
    }
    return from;
}

/* Read a block's bytes as they are in the file. */
static stet_status fetch(const stet_segment *s, const stet_piece *piece,
                         stet_window *w, stet_error *err)
{
    size_t len = piece[1].offset - piece[0].offset;
    stet__buf_reset(&w->packed);
    uint8_t *bytes = stet__buf_extend(&w->packed, len);
    if (w->z == NULL) {
        w->z = stet__zctx_create(s->alloc);
    }
    if (bytes == NULL || w->z == NULL) {
        return stet__fail(err, STET_E_NOMEM, 0, "no memory for a block");
    }
    return stet__segment_pread(s, bytes, len, piece->offset, err);
}

/* Unpack a block into the window's own memory. */
static stet_status unpack(const stet_segment *s, const stet_sealed_tables *t,
                          uint32_t number, stet_window *w, stet_error *err)
{
    const stet_piece *piece = &t->pieces[number];
    stet_set_block block = {
        .salt = s->trailer.salt,
        .number = number,
        .crc = piece->crc,
        .raw_bytes = piece[1].raw_offset - piece[0].raw_offset,
    };
    stet_status st = fetch(s, piece, w, err);
    if (st != STET_OK) {
        return st;
    }
    stet__buf_reset(&w->bytes);
    st = stet__set_block_unpack(w->z, &block, stet__buf_slice(&w->packed),
                                &w->bytes, err);
    return st == STET_OK ? st
                         : stet__segment_damage_wrap(s, piece->offset, st, err);
}

stet_status stet__settled_load(const stet_segment *s,
                               const stet_sealed_tables *t, uint32_t number,
                               stet_window *w, stet_error *err)
{
    STET_ASSERT(number < t->block_count);
    const stet_piece *piece = &t->pieces[number];
    if (w->segment == s && w->offset == piece->raw_offset) {
        return STET_OK;
    }
    stet_unpacked *kept = w->is_scan ? NULL : s->unpacked;
    uint32_t file = s->header.file;
    stet__window_rest(w);
    w->held = kept == NULL ? NULL : stet__unpacked_find(kept, file, number);
    if (w->held == NULL) {
        stet_status st = unpack(s, t, number, w, err);
        if (st != STET_OK) {
            return st;
        }
        w->content = stet__buf_slice(&w->bytes);
        w->held = kept == NULL ? NULL
                               : stet__unpacked_keep(kept, s->alloc, file,
                                                     number, w->content);
    }
    if (w->held != NULL) {
        w->content = stet_slice_of(w->held->bytes, w->held->len);
    }
    w->segment = s;
    w->offset = piece->raw_offset;
    return STET_OK;
}

stet_reader stet__settled_records(const stet_segment *s, const stet_window *w)
{
    stet_slice items = w->content;
    stet_reader in = stet__reader_of(items);
    uint64_t times_end = s->trailer.set.times_bytes;
    if (times_end > w->offset) {
        uint64_t skip = times_end - w->offset;
        in.ptr += skip < items.len ? (size_t)skip : items.len;
    }
    return in;
}

stet_status stet__settled_take(const stet_segment *s,
                               const stet_sealed_tables *t, uint32_t number,
                               stet_reader *in, stet_logged *out,
                               stet_error *err)
{
    uint32_t slot = 0;
    stet_slice bytes = {0};
    uint64_t offset = t->pieces[number].offset;
    stet_status st = stet__set_read_item(in, &slot, &bytes, err);
    if (st != STET_OK) {
        return stet__segment_damage_wrap(s, offset, st, err);
    }
    *out = (stet_logged){
        .bytes = bytes,
        .position = s->trailer.first_position + slot,
        .recorded = stet__sealed_recorded(t, slot),
        .file = s->header.file,
        .is_settled = true,
        .offset = offset,
    };
    return STET_OK;
}

stet_status stet__settled_record(const stet_segment *s, uint64_t raw_offset,
                                 stet_window *w, stet_slice *out,
                                 uint64_t *out_offset, stet_error *err)
{
    const stet_sealed_tables *t = NULL;
    stet_status st = stet__index_tables(s, &t, err);
    if (st != STET_OK) {
        return st;
    }
    if (raw_offset >= s->trailer.set.raw_bytes) {
        return stet__index_damage(s, STET_SECTION_SLOTS, 0, err);
    }
    uint32_t number = stet__settled_locate(t, raw_offset);
    st = stet__settled_load(s, t, number, w, err);
    if (st != STET_OK) {
        return st;
    }
    size_t skip = (size_t)(raw_offset - w->offset);
    size_t whole = 0;
    stet_slice left = stet_slice_of((const uint8_t *)w->content.ptr + skip,
                                    w->content.len - skip);
    *out_offset = t->pieces[number].offset;
    if (!stet__record_is_sound(left, &whole)) {
        return stet__segment_damage(s, *out_offset, err, "record is damaged");
    }
    *out = stet_slice_of(left.ptr, whole);
    return STET_OK;
}

/* Times. */

/* Take the times that one block holds; `*slot` counts records. */
static bool take_times(const stet_segment *s, stet_sealed_tables *t,
                       stet_slice items, uint64_t *slot)
{
    stet_reader in = stet__reader_of(items);
    while (stet__read_left(&in) > 0 && t->time_count < s->trailer.frames) {
        uint32_t records = 0;
        uint64_t since = 0;
        stet__set_read_time(&in, &records, &since);
        int64_t before = t->time_count == 0
                             ? s->trailer.first_recorded
                             : t->times[t->time_count - 1].recorded;
        t->times[t->time_count++] = (stet_frame_time){
            .first_slot = (uint32_t)*slot,
            .recorded = (int64_t)((uint64_t)before + since),
        };
        *slot += records;
    }
    return !in.is_bad && stet__read_left(&in) == 0 && *slot <= UINT32_MAX;
}

static stet_status load_times(const stet_segment *s, stet_sealed_tables *t,
                              stet_window *w, stet_error *err)
{
    uint64_t slot = 0;
    uint32_t times_bytes = s->trailer.set.times_bytes;
    for (uint32_t i = 0; t->pieces[i].raw_offset < times_bytes; i++) {
        stet_status st = stet__settled_load(s, t, i, w, err);
        if (st != STET_OK) {
            return st;
        }
        size_t left = times_bytes - t->pieces[i].raw_offset;
        stet_slice items = w->content;
        items.len = items.len < left ? items.len : left;
        if (!take_times(s, t, items, &slot)) {
            return stet__segment_damage(s, t->pieces[i].offset, err,
                                        "content of the times");
        }
    }
    uint64_t slots = s->trailer.end_position - s->trailer.first_position;
    return slot == slots && t->time_count == s->trailer.frames
               ? STET_OK
               : stet__segment_damage(s, 0, err, "times are missing");
}

stet_status stet__settled_load_times(const stet_segment *s,
                                     stet_sealed_tables *t, stet_error *err)
{
    t->times =
        stet__arena_alloc(&t->arena, s->trailer.frames * sizeof *t->times);
    t->time_count = 0;
    if (t->times == NULL) {
        return stet__index_no_memory(s, err);
    }
    stet_window w;
    stet__window_init(&w, s->alloc);
    w.is_scan = true;
    stet_status st = load_times(s, t, &w, err);
    stet__window_deinit(&w);
    return st;
}

static stet_status fill_tables(const stet_segment *s, stet_sealed_tables *t,
                               stet_error *err)
{
    stet_block block;
    stet_buf bytes;
    block.segment = NULL;
    stet__buf_init(&bytes, s->alloc);
    stet_status st =
        stet__index_load_all(s, STET_SECTION_BLOCKS, &block, &bytes, err);
    if (st == STET_OK) {
        st = stet__settled_parse_pieces(s, t, stet__buf_slice(&bytes), err);
    }
    stet__buf_deinit(&bytes);
    return st == STET_OK ? stet__settled_load_times(s, t, err) : st;
}

stet_status stet__settled_tables(const stet_segment *s,
                                 stet_sealed_tables **out, stet_error *err)
{
    stet_sealed_tables *t = stet__alloc_zeroed(s->alloc, 1, sizeof *t);
    if (t == NULL) {
        return stet__index_no_memory(s, err);
    }
    stet__arena_init(&t->arena, s->alloc);
    stet_status st = fill_tables(s, t, err);
    if (st != STET_OK) {
        stet__sealed_tables_destroy(s->alloc, t);
        return st;
    }
    *out = t;
    return STET_OK;
}
