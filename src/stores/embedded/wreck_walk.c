#include <inttypes.h>
#include <stdlib.h>

#include "base/error.h"
#include "stores/embedded/settled.h"
#include "stores/embedded/wreck.h"

/* A record of a set that is loaded. */
typedef struct wreck_item {
    uint32_t slot;
    uint32_t bytes;
    size_t at; /* in the content */
} wreck_item;

static stet_status no_memory(stet_error *err)
{
    return stet__fail(err, STET_E_NOMEM, 0, "no memory to salvage");
}

void stet__wreck_walk_init(stet_wreck_walk *k, stet_wreck *w, bool is_telling)
{
    *k = (stet_wreck_walk){
        .w = w, .is_telling = is_telling, .position = 1, .loaded = UINT32_MAX};
    stet__buf_init(&k->bytes, w->alloc);
    stet__buf_init(&k->items, w->alloc);
}

/* The set at hand was read: its file stays the wreck's. */
static void leave_set(stet_wreck_walk *k)
{
    stet__sealed_tables_destroy(k->w->alloc, k->tables);
    k->tables = NULL;
    stet__wreck_segment_free(k->segment);
    k->segment = NULL;
}

void stet__wreck_walk_deinit(stet_wreck_walk *k)
{
    leave_set(k);
    stet__buf_deinit(&k->bytes);
    stet__buf_deinit(&k->items);
}

static void tell(stet_wreck_walk *k, uint64_t from, uint64_t to,
                 const char *why)
{
    stet_wreck_file *f = &stet__wreck_files(k->w)[k->extent->file];
    if (k->is_telling) {
        k->w->report->damaged_files += !f->is_damaged;
        f->is_damaged = true;
        stet__wreck_tell(k->w, f, from, to, why);
    }
}

/* Sets. */

/* Take the records of a block that was loaded. */
static void take_block(stet_wreck_walk *k, const stet_window *win)
{
    stet_reader in = stet__settled_records(k->segment, win);
    size_t begin = k->bytes.len;
    stet_slice items = stet_slice_of(in.ptr, stet__read_left(&in));
    stet__buf_put_slice(&k->bytes, items);
    uint64_t slots =
        k->segment->trailer.end_position - k->segment->trailer.first_position;
    stet_slice record = {0};
    wreck_item item = {0};
    size_t whole = 0;
    while (stet__read_left(&in) > 0 &&
           stet__set_read_item(&in, &item.slot, &record, NULL) == STET_OK) {
        item.bytes = (uint32_t)record.len;
        item.at = begin + (size_t)((const uint8_t *)record.ptr -
                                   (const uint8_t *)items.ptr);
        if (item.slot < slots && stet__record_is_sound(record, &whole)) {
            stet__buf_put(&k->items, &item, sizeof item);
        }
    }
}

static stet_status take_blocks(stet_wreck_walk *k, stet_window *win,
                               stet_error *err)
{
    const stet_piece *pieces = k->tables->pieces;
    for (uint32_t i = 0; i < k->tables->block_count; i++) {
        stet_status st = stet__settled_load(k->segment, k->tables, i, win, err);
        if (st == STET_OK) {
            take_block(k, win);
        } else if (st == STET_E_NOMEM) {
            return st;
        } else {
            tell(k, pieces[i].offset, pieces[i + 1].offset,
                 "a block is damaged");
        }
    }
    return k->bytes.is_failed || k->items.is_failed ? no_memory(err) : STET_OK;
}

static int compare_items(const void *a, const void *b)
{
    const wreck_item *x = a;
    const wreck_item *y = b;
    return (x->slot > y->slot) - (x->slot < y->slot);
}

static stet_status load_set(stet_wreck_walk *k, stet_error *err)
{
    const stet_wreck_file *f = &stet__wreck_files(k->w)[k->extent->file];
    k->loaded = UINT32_MAX;
    k->next_item = 0;
    stet__buf_reset(&k->bytes);
    stet__buf_reset(&k->items);
    k->segment = stet__wreck_segment(k->w, f);
    if (k->segment == NULL) {
        return no_memory(err);
    }
    stet_status st = stet__settled_tables(k->segment, &k->tables, err);
    if (st == STET_E_NOMEM) {
        return st;
    }
    if (st != STET_OK) {
        tell(k, 0, f->bytes,
             "where its records lie, or when they were "
             "recorded, is damaged");
        return STET_OK;
    }
    stet_window win;
    stet__window_init(&win, k->w->alloc);
    win.is_scan = true;
    st = take_blocks(k, &win, err);
    stet__window_deinit(&win);
    if (st == STET_OK && k->items.len > 0) {
        qsort(k->items.ptr, k->items.len / sizeof(wreck_item),
              sizeof(wreck_item), compare_items);
    }
    return st;
}

/* STET_DONE: the set has no more. */
static stet_status next_of_set(stet_wreck_walk *k, stet_logged *out)
{
    const wreck_item *items = (const wreck_item *)(const void *)k->items.ptr;
    if (k->next_item == k->items.len / sizeof *items) {
        leave_set(k);
        return STET_DONE;
    }
    const wreck_item *item = &items[k->next_item++];
    *out = (stet_logged){
        .bytes = stet_slice_of(k->bytes.ptr + item->at, item->bytes),
        .position = k->extent->first + item->slot,
        .recorded = stet__sealed_recorded(k->tables, item->slot),
    };
    return STET_OK;
}

/* Frames. */

static stet_status load_frame(stet_wreck_walk *k, stet_error *err)
{
    if (k->loaded != k->extent->file) {
        k->loaded = k->extent->file;
        if (!stet__wreck_load(k->w, &stet__wreck_files(k->w)[k->loaded],
                              &k->bytes)) {
            return no_memory(err);
        }
    }
    k->at = (size_t)k->extent->offset + STET_FRAME_HEADER_BYTES;
    k->frame_position = k->extent->first;
    return STET_OK;
}

static stet_status next_of_frame(stet_wreck_walk *k, stet_logged *out)
{
    size_t end = (size_t)k->extent->offset + k->extent->length;
    while (k->frame_position < k->extent->end) {
        stet_slice left = stet_slice_of(k->bytes.ptr + k->at, end - k->at);
        size_t bytes = 0;
        uint32_t crc = 0;
        size_t at = k->at;
        uint64_t position = k->frame_position++;
        if (!stet__record_peek(left, &crc, &bytes)) {
            return STET_DONE; /* it changed since it was scanned */
        }
        k->at += bytes;
        if (stet__record_is_sound(left, &bytes)) {
            *out = (stet_logged){
                .bytes = stet_slice_of(left.ptr, bytes),
                .position = position,
                .recorded = k->extent->recorded,
            };
            return STET_OK;
        }
        tell(k, at, k->at, "a record is damaged");
    }
    return STET_DONE;
}

/* Both. */

static bool next_extent(stet_wreck_walk *k)
{
    const stet_extent *extents =
        (const stet_extent *)(const void *)k->w->extents.ptr;
    size_t count = k->w->extents.len / sizeof *extents;
    while (k->next < count && extents[k->next].end <= k->position) {
        k->next++; /* the same again, in an older file */
    }
    k->extent = k->next < count ? &extents[k->next++] : NULL;
    return k->extent != NULL;
}

stet_status stet__wreck_walk_next(stet_wreck_walk *k, stet_logged *out,
                                  stet_error *err)
{
    for (;;) {
        stet_status st = STET_OK;
        if (k->extent == NULL) {
            if (!next_extent(k)) {
                return STET_DONE;
            }
            st = k->extent->length > 0 ? load_frame(k, err) : load_set(k, err);
        }
        if (st == STET_OK) {
            st = k->extent->length > 0 ? next_of_frame(k, out)
                                       : next_of_set(k, out);
        }
        if (st == STET_DONE) {
            k->extent = NULL;
        } else if (st != STET_OK) {
            return st;
        } else if (out->position >= k->position) {
            k->position = out->position + 1;
            return STET_OK;
        }
    }
}
