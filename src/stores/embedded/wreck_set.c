#include "stores/embedded/wreck_set.h"

#include <stdlib.h>

#include "base/error.h"
#include "core/record.h"
#include "core/set.h"

/* A block of which the content is there. */
typedef struct wreck_piece {
    uint32_t raw_offset;
    uint32_t len;
    size_t at; /* in the content */
} wreck_piece;

/* The stamp of the slots [first, end). */
typedef struct wreck_time {
    uint64_t first;
    uint64_t end;
    int64_t recorded;
} wreck_time;

typedef struct wreck_item {
    uint32_t slot;
    uint32_t bytes;
    size_t at; /* in the content */
} wreck_item;

static stet_status no_memory(stet_error *err)
{
    return stet__fail(err, STET_E_NOMEM, 0, "no memory to salvage");
}

void stet__wreck_set_init(stet_wreck_set *s, stet_wreck *w, bool is_telling)
{
    *s = (stet_wreck_set){.w = w, .is_telling = is_telling};
    stet__buf_init(&s->bytes, w->alloc);
    stet__buf_init(&s->content, w->alloc);
    stet__buf_init(&s->pieces, w->alloc);
    stet__buf_init(&s->times, w->alloc);
    stet__buf_init(&s->items, w->alloc);
}

void stet__wreck_set_deinit(stet_wreck_set *s)
{
    stet__buf_deinit(&s->bytes);
    stet__buf_deinit(&s->content);
    stet__buf_deinit(&s->pieces);
    stet__buf_deinit(&s->times);
    stet__buf_deinit(&s->items);
}

static size_t piece_count(const stet_wreck_set *s)
{
    return s->pieces.len / sizeof(wreck_piece);
}

static const wreck_piece *pieces_of(const stet_wreck_set *s)
{
    return (const wreck_piece *)(const void *)s->pieces.ptr;
}

static uint64_t slot_count(const stet_wreck_set *s)
{
    const stet_trailer *t = &s->file->trailer;
    return t->end_position - t->first_position;
}

/* Blocks. */

static void tell_gap(stet_wreck_set *s, size_t from, size_t to)
{
    if (s->is_telling) {
        stet__wreck_blame(s->w, s->file, from, to, "no sound block");
    }
}

static stet_status take_block(stet_wreck_set *s, stet_zctx *z,
                              const stet_set_block *block, stet_slice bytes,
                              stet_error *err)
{
    wreck_piece piece = {block->raw_offset, block->raw_bytes, s->content.len};
    stet_status st = stet__set_block_unpack(z, s->file->trailer.salt, block,
                                            bytes, &s->content, err);
    if (st == STET_OK) {
        stet__buf_put(&s->pieces, &piece, sizeof piece);
    }
    return st;
}

/*
 * Find all blocks that are sound. They lie without gaps: where none begins, one
 * was lost, and the next may begin at any byte.
 */
static stet_status find_blocks(stet_wreck_set *s, stet_zctx *z, stet_error *err)
{
    const stet_trailer *t = &s->file->trailer;
    size_t end = s->file->has_trailer ? (size_t)t->end_offset : s->bytes.len;
    size_t due = STET_SET_HEAD_BYTES;
    uint64_t raw = 0; /* of the content, up to `due` */
    stet_set_block block;
    for (size_t at = due; at < end;) {
        stet_slice left = stet_slice_of(s->bytes.ptr + at, end - at);
        if (!stet__set_block_peek(t->salt, left, &block) ||
            block.raw_offset < raw) {
            at++;
            continue;
        }
        if (at > due) {
            tell_gap(s, due, at);
        }
        stet_status st = take_block(s, z, &block, left, err);
        if (st == STET_E_NOMEM) {
            return st;
        }
        at += STET_SET_BLOCK_HEADER_BYTES + block.bytes;
        if (st != STET_OK) {
            tell_gap(s, due, at);
        }
        raw = (uint64_t)block.raw_offset + block.raw_bytes;
        due = at;
    }
    if (s->file->has_trailer && raw < t->set.raw_bytes) {
        tell_gap(s, due, end);
    }
    return s->pieces.is_failed ? no_memory(err) : STET_OK;
}

/* The times. */

/* Bytes at the front of a piece that are times. */
static size_t times_in(const stet_wreck_set *s, const wreck_piece *p)
{
    uint32_t end = s->file->trailer.set.times_bytes;
    uint32_t left = end > p->raw_offset ? end - p->raw_offset : 0;
    return left < p->len ? left : p->len;
}

/*
 * Take the times of pieces [from, to), which lie without a gap, as if the first
 * slot were 0 and the stamp before it 0. Gives the slots that they are of.
 */
static uint64_t take_times(stet_wreck_set *s, size_t from, size_t to)
{
    uint64_t slot = 0;
    uint64_t recorded = 0;
    for (size_t i = from; i < to; i++) {
        const wreck_piece *p = &pieces_of(s)[i];
        stet_reader in = stet__reader_of(
            stet_slice_of(s->content.ptr + p->at, times_in(s, p)));
        while (stet__read_left(&in) > 0) {
            uint32_t records = 0;
            uint64_t since = 0;
            stet__set_read_time(&in, &records, &since);
            recorded += since;
            wreck_time time = {slot, slot + records, (int64_t)recorded};
            if (in.is_bad) {
                return slot;
            }
            stet__buf_put(&s->times, &time, sizeof time);
            slot += records;
        }
    }
    return slot;
}

/* Move times, from the nth on, to where they belong. */
static void shift_times(stet_wreck_set *s, size_t nth, uint64_t first_slot,
                        uint64_t recorded)
{
    wreck_time *times = (wreck_time *)(void *)s->times.ptr;
    size_t count = s->times.len / sizeof *times;
    for (size_t i = nth; i < count; i++) {
        times[i].first += first_slot;
        times[i].end += first_slot;
        times[i].recorded = (int64_t)((uint64_t)times[i].recorded + recorded);
    }
}

/* The pieces from the ith on that have times and lie without a gap. */
static size_t stretch_of(const stet_wreck_set *s, size_t i)
{
    const wreck_piece *p = pieces_of(s);
    size_t end = i;
    while (end < piece_count(s) && times_in(s, &p[end]) > 0 &&
           (end == i ||
            p[end - 1].raw_offset + p[end - 1].len == p[end].raw_offset)) {
        end++;
    }
    return end;
}

/* Are the last times among those of pieces [from, to)? */
static bool has_last_time(const stet_wreck_set *s, size_t from, size_t to)
{
    const wreck_piece *last = &pieces_of(s)[to - 1];
    return to > from && (uint64_t)last->raw_offset + last->len >=
                            s->file->trailer.set.times_bytes;
}

static void find_times(stet_wreck_set *s)
{
    const stet_trailer *t = &s->file->trailer;
    const wreck_piece *p = pieces_of(s);
    size_t from = 0;
    if (piece_count(s) > 0 && p[0].raw_offset == 0) {
        from = stretch_of(s, 0);
        (void)take_times(s, 0, from);
        shift_times(s, 0, 0, (uint64_t)t->first_recorded);
    }
    bool is_whole = from > 0 && has_last_time(s, 0, from);
    for (size_t to = from; !is_whole && from < piece_count(s); from = to) {
        to = stretch_of(s, from);
        if (to == from) {
            return; /* the records begin */
        }
        if (has_last_time(s, from, to)) {
            size_t nth = s->times.len / sizeof(wreck_time);
            uint64_t slots = take_times(s, from, to);
            if (slots == 0 || slots > slot_count(s) || s->times.is_failed) {
                return;
            }
            const wreck_time *times = (const void *)s->times.ptr;
            int64_t last = times[s->times.len / sizeof *times - 1].recorded;
            shift_times(s, nth, slot_count(s) - slots,
                        (uint64_t)t->last_recorded - (uint64_t)last);
        }
    }
}

/* The records. */

static void take_records(stet_wreck_set *s, const wreck_piece *p)
{
    size_t front = times_in(s, p);
    stet_reader in = stet__reader_of(
        stet_slice_of(s->content.ptr + p->at + front, p->len - front));
    stet_set_seed ignored;
    while (stet__set_read_seed(&in, &ignored, NULL) == STET_OK) {
    }
    stet_slice record = {0};
    wreck_item item = {0};
    size_t whole = 0;
    while (stet__read_left(&in) > 0 &&
           stet__set_read_item(&in, &item.slot, &record, NULL) == STET_OK) {
        item.bytes = (uint32_t)record.len;
        item.at = (size_t)((const uint8_t *)record.ptr - s->content.ptr);
        if (item.slot < slot_count(s) &&
            stet__record_is_sound(record, &whole)) {
            stet__buf_put(&s->items, &item, sizeof item);
        }
    }
}

static int compare_items(const void *a, const void *b)
{
    const wreck_item *x = a;
    const wreck_item *y = b;
    return (x->slot > y->slot) - (x->slot < y->slot);
}

stet_status stet__wreck_set_load(stet_wreck_set *s, stet_wreck_file *file,
                                 stet_error *err)
{
    s->file = file;
    s->next_time = 0;
    s->next_item = 0;
    stet__buf_reset(&s->content);
    stet__buf_reset(&s->pieces);
    stet__buf_reset(&s->times);
    stet__buf_reset(&s->items);
    stet_zctx *z = stet__zctx_create(s->w->alloc);
    stet_status st = z == NULL || !stet__wreck_load(s->w, file, &s->bytes)
                         ? no_memory(err)
                         : find_blocks(s, z, err);
    stet__zctx_destroy(z);
    if (st != STET_OK) {
        return st;
    }
    find_times(s);
    for (size_t i = 0; i < piece_count(s); i++) {
        take_records(s, &pieces_of(s)[i]);
    }
    if (s->times.is_failed || s->items.is_failed) {
        return no_memory(err);
    }
    if (s->items.len > 0) {
        qsort(s->items.ptr, s->items.len / sizeof(wreck_item),
              sizeof(wreck_item), compare_items);
    }
    return STET_OK;
}

/* The stamp of a slot, asked by rising slots; NULL: it is gone. */
static const wreck_time *time_of(stet_wreck_set *s, uint32_t slot)
{
    const wreck_time *times = (const wreck_time *)(const void *)s->times.ptr;
    size_t count = s->times.len / sizeof *times;
    while (s->next_time < count && times[s->next_time].end <= slot) {
        s->next_time++;
    }
    return s->next_time < count && times[s->next_time].first <= slot
               ? &times[s->next_time]
               : NULL;
}

bool stet__wreck_set_next(stet_wreck_set *s, stet_logged *out)
{
    const wreck_item *items = (const wreck_item *)(const void *)s->items.ptr;
    size_t count = s->items.len / sizeof *items;
    while (s->next_item < count) {
        const wreck_item *item = &items[s->next_item++];
        const wreck_time *time = time_of(s, item->slot);
        if (time != NULL) {
            *out = (stet_logged){
                .bytes = stet_slice_of(s->content.ptr + item->at, item->bytes),
                .position = s->file->trailer.first_position + item->slot,
                .recorded = time->recorded,
            };
            return true;
        }
    }
    return false;
}
