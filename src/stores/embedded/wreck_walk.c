#include "stores/embedded/wreck_walk.h"

#include "base/error.h"
#include "core/record.h"

static stet_status no_memory(stet_error *err)
{
    return stet__fail(err, STET_E_NOMEM, 0, "no memory to salvage");
}

void stet__wreck_walk_init(stet_wreck_walk *k, stet_wreck *w, bool is_telling)
{
    *k = (stet_wreck_walk){
        .w = w, .is_telling = is_telling, .position = 1, .loaded = UINT32_MAX};
    stet__buf_init(&k->bytes, w->alloc);
    stet__wreck_set_init(&k->set, w, is_telling);
}

void stet__wreck_walk_deinit(stet_wreck_walk *k)
{
    stet__wreck_set_deinit(&k->set);
    stet__buf_deinit(&k->bytes);
}

static stet_wreck_file *file_of(const stet_wreck_walk *k)
{
    return &stet__wreck_files(k->w)[k->extent->file];
}

/* Frames. */

static stet_status load_frame(stet_wreck_walk *k, stet_error *err)
{
    if (k->loaded != k->extent->file) {
        k->loaded = k->extent->file;
        if (!stet__wreck_load(k->w, file_of(k), &k->bytes)) {
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
        if (k->is_telling) {
            stet__wreck_blame(k->w, file_of(k), at, k->at,
                              "a record is damaged");
        }
    }
    return STET_DONE;
}

/* Both. */

static stet_status load(stet_wreck_walk *k, stet_error *err)
{
    return k->extent->length > 0
               ? load_frame(k, err)
               : stet__wreck_set_load(&k->set, file_of(k), err);
}

/* STET_DONE: the extent has no more. */
static stet_status next_of_extent(stet_wreck_walk *k, stet_logged *out)
{
    if (k->extent->length > 0) {
        return next_of_frame(k, out);
    }
    return stet__wreck_set_next(&k->set, out) ? STET_OK : STET_DONE;
}

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
            st = load(k, err);
        }
        if (st == STET_OK) {
            st = next_of_extent(k, out);
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
