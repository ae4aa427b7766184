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
            p[i + 1].offset <= p[i].offset ||
            packed <= STET_SET_BLOCK_HEADER_BYTES ||
            packed - STET_SET_BLOCK_HEADER_BYTES > raw) {
            return false;
        }
    }
    const stet_piece *end = &p[t->block_count];
    return p[0].raw_offset == 0 && p[0].offset == STET_SET_HEAD_BYTES &&
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
    uint64_t count = s->trailer.set.blocks.entries;
    STET_ASSERT(count >= 2); /* or the trailer would not be sane */
    if (bytes.len != count * STET_PIECE_BYTES) {
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
        .raw_offset = piece->raw_offset,
        .bytes =
            piece[1].offset - piece[0].offset - STET_SET_BLOCK_HEADER_BYTES,
        .raw_bytes = piece[1].raw_offset - piece[0].raw_offset,
    };
    stet_status st = fetch(s, piece, w, err);
    if (st != STET_OK) {
        return st;
    }
    stet__buf_reset(&w->bytes);
    st = stet__set_block_unpack(w->z, s->trailer.salt, &block,
                                stet__buf_slice(&w->packed), &w->bytes, err);
    return st == STET_OK ? st
                         : stet__segment_damage_wrap(s, piece->offset, st, err);
}

stet_status stet__settled_load(const stet_segment *s,
                               const stet_sealed_tables *t, uint32_t number,
                               stet_window *w, stet_error *err)
{
    STET_ASSERT(number < t->block_count);
    const stet_piece *piece = &t->pieces[number];
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
    w->file_offset = piece->offset;
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
    stet_set_seed ignored;
    while (stet__set_read_seed(&in, &ignored, NULL) == STET_OK) {
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

stet_status stet__settled_scan_next(stet_settled_scan *scan, stet_window *w,
                                    stet_logged *out, stet_error *err)
{
    const stet_sealed_tables *t = NULL;
    stet_status st = stet__index_tables(scan->s, &t, err);
    while (st == STET_OK && stet__read_left(&scan->items) == 0) {
        if (scan->next_block == t->block_count) {
            return STET_DONE;
        }
        st = stet__settled_load(scan->s, t, scan->next_block++, w, err);
        if (st == STET_OK) {
            scan->items = stet__settled_records(scan->s, w);
        }
    }
    return st == STET_OK ? stet__settled_take(scan->s, t, scan->next_block - 1,
                                              &scan->items, out, err)
                         : st;
}

/* Does the window hold the block with this offset of the set's content? */
static bool holds(const stet_window *w, const stet_segment *s,
                  uint64_t raw_offset)
{
    return w->segment == s && raw_offset >= w->offset &&
           raw_offset - w->offset < w->content.len;
}

/* The record's own checksum is not run over it: its block's was. */
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
    if (!holds(w, s, raw_offset)) {
        st = stet__settled_load(s, t, stet__settled_locate(t, raw_offset), w,
                                err);
    }
    if (st != STET_OK) {
        return st;
    }
    size_t skip = (size_t)(raw_offset - w->offset);
    uint32_t crc = 0;
    size_t whole = 0;
    stet_slice left = stet_slice_of((const uint8_t *)w->content.ptr + skip,
                                    w->content.len - skip);
    *out_offset = w->file_offset;
    if (!stet__record_peek(left, &crc, &whole)) {
        return stet__segment_damage(s, *out_offset, err, "record is damaged");
    }
    *out = stet_slice_of(left.ptr, whole);
    return STET_OK;
}

/* The front. */

/* What is read of it, block by block. */
typedef struct front {
    const stet_segment *s;
    stet_sealed_tables *t;
    stet_window window;
    uint64_t slot;  /* records that the times so far are of */
    stet_buf seeds; /* stet_set_seed each */
} front;

/* Take the times that the block has, up to the offset `end` in it. */
static bool take_times(front *f, size_t end)
{
    stet_sealed_tables *t = f->t;
    stet_slice items = f->window.content;
    items.len = items.len < end ? items.len : end;
    stet_reader in = stet__reader_of(items);
    while (stet__read_left(&in) > 0 && t->time_count < f->s->trailer.frames) {
        uint32_t records = 0;
        uint64_t since = 0;
        stet__set_read_time(&in, &records, &since);
        int64_t before = t->time_count == 0
                             ? f->s->trailer.first_recorded
                             : t->times[t->time_count - 1].recorded;
        t->times[t->time_count++] = (stet_frame_time){
            .first_slot = (uint32_t)f->slot,
            .recorded = (int64_t)((uint64_t)before + since),
        };
        f->slot += records;
    }
    return !in.is_bad && stet__read_left(&in) == 0;
}

/* Take the seeds behind the offset `at` of the block; false: they end in it. */
static stet_status take_seeds(front *f, size_t at, bool *out_has_more,
                              stet_error *err)
{
    stet_set_seed seed;
    stet_slice content = f->window.content;
    stet_reader in = stet__reader_of(content);
    (void)stet__read_bytes(&in, at);
    stet_status st = STET_OK;
    while ((st = stet__set_read_seed(&in, &seed, err)) == STET_OK) {
        size_t count = f->seeds.len / sizeof seed;
        const stet_set_seed *before = (const void *)f->seeds.ptr;
        if (seed.first_slot >= f->slot ||
            (count > 0 && seed.first_slot <= before[count - 1].first_slot)) {
            return stet__fail(err, STET_E_CORRUPT, 0, "a seed of a set");
        }
        stet__buf_put(&f->seeds, &seed, sizeof seed);
    }
    *out_has_more = stet__read_left(&in) == 0;
    return st == STET_DONE ? STET_OK : st;
}

static stet_status take_block(front *f, uint32_t number, bool *out_has_more,
                              stet_error *err)
{
    stet_status st = stet__settled_load(f->s, f->t, number, &f->window, err);
    if (st != STET_OK) {
        return st;
    }
    const stet_piece *piece = &f->t->pieces[number];
    uint64_t times_end = f->s->trailer.set.times_bytes;
    size_t end = piece->raw_offset < times_end
                     ? (size_t)(times_end - piece->raw_offset)
                     : 0;
    if (!take_times(f, end)) {
        return stet__segment_damage(f->s, piece->offset, err,
                                    "content of the times");
    }
    if (end >= f->window.content.len) {
        *out_has_more = true;
        return STET_OK;
    }
    st = take_seeds(f, end, out_has_more, err);
    return st == STET_OK
               ? st
               : stet__segment_damage_wrap(f->s, piece->offset, st, err);
}

static stet_status keep_seeds(front *f, stet_error *err)
{
    stet_sealed_tables *t = f->t;
    stet_slice seeds = stet__arena_copy(&t->arena, stet__buf_slice(&f->seeds));
    if (f->seeds.is_failed || seeds.ptr == NULL) {
        return stet__index_no_memory(f->s, err);
    }
    t->seeds = (const void *)seeds.ptr;
    t->seed_count = (uint32_t)(seeds.len / sizeof *t->seeds);
    return STET_OK;
}

static stet_status load_front(front *f, stet_error *err)
{
    stet_status st = STET_OK;
    bool has_more = true;
    for (uint32_t i = 0; i < f->t->block_count && has_more && st == STET_OK;
         i++) {
        st = take_block(f, i, &has_more, err);
    }
    if (st != STET_OK) {
        return st;
    }
    const stet_trailer *t = &f->s->trailer;
    return f->slot == t->end_position - t->first_position &&
                   f->t->time_count == t->frames
               ? keep_seeds(f, err)
               : stet__segment_damage(f->s, 0, err, "times are missing");
}

stet_status stet__settled_load_front(const stet_segment *s,
                                     stet_sealed_tables *t, stet_error *err)
{
    t->times =
        stet__arena_alloc(&t->arena, s->trailer.frames * sizeof *t->times);
    t->time_count = 0;
    if (t->times == NULL) {
        return stet__index_no_memory(s, err);
    }
    front f = {.s = s, .t = t};
    stet__window_init(&f.window, s->alloc);
    stet__buf_init(&f.seeds, s->alloc);
    f.window.is_scan = true;
    stet_status st = load_front(&f, err);
    stet__buf_deinit(&f.seeds);
    stet__window_deinit(&f.window);
    return st;
}

stet_set_seeds stet__settled_seeds(const stet_segment *s,
                                   const stet_sealed_tables *t)
{
    return (stet_set_seeds){s->trailer.set.seed, t->seeds, t->seed_count};
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
    return st == STET_OK ? stet__settled_load_front(s, t, err) : st;
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
