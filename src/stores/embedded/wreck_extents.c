/*
 * Wreck: which positions lie where in the files that count.
 */
#include <stdlib.h>

#include "base/error.h"
#include "stores/embedded/wreck.h"

static stet_status no_memory(stet_error *err)
{
    return stet__fail(err, STET_E_NOMEM, 0, "no memory to salvage");
}

static void raise_known(stet_wreck *w, uint64_t known)
{
    w->known = known > w->known ? known : w->known;
}

static bool has_frame(stet_wreck_file *f, const uint8_t *bytes, size_t max,
                      bool has_salt, stet_frame_header *out)
{
    return stet__frame_peek(bytes, max, out) && out->file == f->number &&
           (!has_salt || out->salt == f->salt) &&
           (!f->has_header || out->segment_first == f->header.first_position) &&
           out->durable <= out->first_position && out->first_position > 0 &&
           stet__frame_is_told(bytes, max, out);
}

/* Whose frames may lie there: those of one salt, up to the segment's end. */
static uint64_t limit_of(const stet_wreck_file *f)
{
    uint64_t limit = f->bytes - f->bytes % STET_W;
    if (f->has_header && f->header.capacity < limit) {
        limit = f->header.capacity;
    }
    return f->end < limit ? f->end : limit;
}

/* Take a segment's frames; `bytes` is for its content. */
static stet_status scan_segment(stet_wreck *w, uint32_t idx, stet_buf *bytes,
                                stet_error *err)
{
    stet_wreck_file *f = &stet__wreck_files(w)[idx];
    if (!stet__wreck_load(w, f, bytes)) {
        return no_memory(err);
    }
    bool has_salt = f->has_header || f->has_trailer;
    f->salt = f->has_header ? f->header.salt : f->trailer.salt;
    uint64_t limit = limit_of(f);
    uint64_t due = STET_W; /* where the next frame is expected */
    bool is_behind_gap = false;
    stet_frame_header h;
    f->is_guess = !has_salt;
    for (uint64_t at = STET_W; at < limit;) {
        if (!has_frame(f, bytes->ptr + at, (size_t)(limit - at), has_salt,
                       &h)) {
            at += STET_W;
            continue;
        }
        is_behind_gap = is_behind_gap || (at > due && f->end == UINT64_MAX);
        stet_extent e = {.first = h.first_position,
                         .end = h.first_position + h.events,
                         .file = idx,
                         .length = h.length,
                         .offset = at,
                         .recorded = h.recorded,
                         .gap = at > due ? due : 0,
                         .is_behind_gap = is_behind_gap};
        stet__buf_put(&w->extents, &e, sizeof e);
        raise_known(w, h.durable);
        f->is_guess = f->is_guess && h.durable <= h.segment_first;
        f->salt = h.salt;
        has_salt = true;
        at += h.length;
        due = at;
    }
    if (f->end != UINT64_MAX && due < f->end) {
        f->is_damaged = true;
        stet__wreck_tell(w, f, due, f->end, "no sound frame");
    }
    return STET_OK;
}

/* What the file's own tables prove. */
static void take_proof(stet_wreck *w, const stet_wreck_file *f)
{
    if (f->has_header) {
        raise_known(w, f->header.first_position);
        if (w->has_super && w->super.live == f->number) {
            raise_known(w, f->header.copied_end);
        }
    }
    if (f->has_trailer || f->is_set) {
        raise_known(w, f->trailer.end_position);
    }
}

/* Is the position one of which a set alone tells? */
static bool is_settled(const stet_wreck *w, uint64_t position)
{
    const stet_wreck_file *files = stet__wreck_files(w);
    for (size_t i = 0; i < stet__wreck_file_count(w); i++) {
        const stet_trailer *t = &files[i].trailer;
        if (files[i].is_set && !files[i].is_dead &&
            t->first_position <= position && position < t->end_position) {
            return true;
        }
    }
    return false;
}

/* By position; of the same ones the newer file's come first. */
static int compare_extents(const void *a, const void *b)
{
    const stet_extent *x = a;
    const stet_extent *y = b;
    return x->first == y->first ? (x->file < y->file) - (x->file > y->file)
                                : (x->first > y->first) - (x->first < y->first);
}

/* A file that is a guess gives way where another tells of its positions. */
static void leave_guesses(const stet_wreck *w, stet_extent *extents,
                          size_t count)
{
    const stet_wreck_file *files = stet__wreck_files(w);
    uint64_t reach = 0;
    for (size_t i = 0; i < count; i++) {
        stet_extent *e = &extents[i];
        if (files[e->file].is_guess) {
            e->is_left = e->first < reach;
        } else {
            reach = e->end > reach ? e->end : reach;
        }
    }
    uint64_t next = UINT64_MAX;
    for (size_t i = count; i > 0; i--) {
        stet_extent *e = &extents[i - 1];
        if (files[e->file].is_guess) {
            e->is_left = e->is_left || next < e->end;
        } else {
            next = e->first;
        }
    }
}

/* Leave what does not count, and tell of the gaps that do. */
static void choose_extents(stet_wreck *w)
{
    stet_extent *extents = (stet_extent *)(void *)w->extents.ptr;
    size_t count = w->extents.len / sizeof *extents;
    size_t kept = 0;
    if (count > 0) {
        qsort(extents, count, sizeof *extents, compare_extents);
    }
    leave_guesses(w, extents, count);
    for (size_t i = 0; i < count; i++) {
        const stet_extent e = extents[i];
        stet_wreck_file *f = &stet__wreck_files(w)[e.file];
        bool is_frame = e.length > 0;
        if (e.is_left || (is_frame && ((e.is_behind_gap && e.end > w->known) ||
                                       is_settled(w, e.first)))) {
            continue;
        }
        f->has_content = true;
        if (e.gap > 0) {
            f->is_damaged = true;
            stet__wreck_tell(w, f, e.gap, e.offset, "no sound frame");
        }
        w->end = e.end > w->end ? e.end : w->end;
        extents[kept++] = e;
    }
    w->extents.len = kept * sizeof *extents;
    w->end = w->known > w->end ? w->known : w->end;
}

stet_status stet__wreck_scan(stet_wreck *w, stet_error *err)
{
    stet_wreck_file *files = stet__wreck_files(w);
    stet_buf bytes;
    stet__buf_init(&bytes, w->alloc);
    stet_status st = STET_OK;
    raise_known(w, w->mark);
    for (uint32_t i = 0; i < stet__wreck_file_count(w) && st == STET_OK; i++) {
        stet_wreck_file *f = &files[i];
        if (f->is_dead) {
            continue;
        }
        take_proof(w, f);
        if (f->is_set) {
            stet_extent e = {.first = f->trailer.first_position,
                             .end = f->trailer.end_position,
                             .file = i};
            stet__buf_put(&w->extents, &e, sizeof e);
        } else {
            st = scan_segment(w, i, &bytes, err);
        }
    }
    stet__buf_deinit(&bytes);
    if (st == STET_OK && w->extents.is_failed) {
        st = no_memory(err);
    }
    if (st == STET_OK) {
        choose_extents(w);
    }
    return st;
}
