#include "lib/mediafile.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
    SECTOR = MEDIAFILE_SECTOR_BYTES,
    CAP_BYTES = 32 * 1024, /* of a file, at first */
};

typedef mediafile_content content;
typedef mediafile_change change;

/* Contents. */

static void *taken(void *block)
{
    if (block == NULL) {
        abort(); /* no test is about the simulation's own memory */
    }
    return block;
}

static void reserve(content *c, size_t len)
{
    if (len > c->cap) {
        c->cap = len + len / 2 + CAP_BYTES;
        c->bytes = taken(realloc(c->bytes, c->cap));
    }
}

static void resize(content *c, size_t len)
{
    reserve(c, len);
    if (len > c->len) {
        memset(c->bytes + c->len, 0, len - c->len);
    }
    c->len = len;
}

static void copy_content(content *to, const content *from)
{
    reserve(to, from->len);
    to->len = from->len;
    if (from->len > 0) {
        memcpy(to->bytes, from->bytes, from->len);
    }
}

static void apply(content *c, const change *w)
{
    if (w->is_cut) {
        resize(c, w->at);
        return;
    }
    size_t end = w->at + w->len;
    if (w->at > c->len) {
        resize(c, w->at);
    }
    reserve(c, end);
    memcpy(c->bytes + w->at, w->bytes, w->len);
    c->len = end > c->len ? end : c->len;
}

/* The same, for the last time: a write of all there is gives its own bytes. */
static void settle(content *c, change *w)
{
    if (w->is_cut || w->at > 0 || w->len < c->len || w->len == 0) {
        apply(c, w);
    } else {
        free(c->bytes);
        *c = (content){.bytes = w->bytes, .len = w->len, .cap = w->len};
        w->bytes = NULL;
    }
}

/* One sector that the power cut caught: kept, lost, torn or junk. */
static void apply_sector(content *c, const change *w, size_t at, rng *r)
{
    size_t len = w->len - at < SECTOR ? w->len - at : SECTOR;
    change part = {.at = w->at + at, .len = len, .bytes = w->bytes + at};
    uint8_t junk[SECTOR];
    size_t kind = rng_below(r, 8);
    if (kind < 4) {
        apply(c, &part);
        return;
    }
    if (part.at + len > c->len) {
        resize(c, part.at + len); /* grown without its bytes */
    }
    if (kind < 6) {
        return;
    }
    memcpy(junk, c->bytes + part.at, len);
    if (kind == 6) {
        memcpy(junk, part.bytes, rng_below(r, len));
    } else {
        rng_fill(r, junk, len);
    }
    part.bytes = junk;
    apply(c, &part);
}

static void apply_lossy(content *c, const change *w, rng *r)
{
    size_t kind = rng_below(r, 4);
    if (kind == 0) {
        return;
    }
    if (kind == 1 || w->is_cut) {
        apply(c, w);
        return;
    }
    for (size_t at = 0; at < w->len; at += SECTOR) {
        apply_sector(c, w, at, r);
    }
}

static void arrive(mediafile *f, change *w, rng *lossy)
{
    if (lossy != NULL) {
        apply_lossy(&f->media, w, lossy);
    } else {
        settle(&f->media, w);
    }
}

/* Files. */

static void clear_pending(mediafile *f)
{
    for (size_t i = 0; i < f->pending_count; i++) {
        free(f->pending[i].bytes);
    }
    f->pending_count = 0;
}

void mediafile_deinit(mediafile *f)
{
    clear_pending(f);
    free(f->pending);
    free(f->seen.bytes);
    free(f->media.bytes);
}

void mediafile_reset(mediafile *f)
{
    clear_pending(f);
    f->seen.len = 0;
    f->media.len = 0;
    f->broken_at = 0; /* or reads that reach over it fail */
    f->broken_len = 0;
    f->is_split = false;
}

void mediafile_copy(mediafile *f, const mediafile *from)
{
    copy_content(&f->seen, &from->seen);
    copy_content(&f->media, &from->seen);
}

void mediafile_change_cached(mediafile *f, const mediafile_change *c)
{
    if (f->pending_count == f->pending_cap) {
        f->pending_cap = 2 * f->pending_cap + 8;
        f->pending =
            taken(realloc(f->pending, f->pending_cap * sizeof *f->pending));
    }
    change copy = *c;
    copy.bytes = NULL;
    if (c->len > 0) {
        copy.bytes = taken(malloc(c->len));
        memcpy(copy.bytes, c->bytes, c->len);
    }
    f->pending[f->pending_count++] = copy;
    apply(&f->seen, c);
}

/* What was written to a range so far goes to the media. */
static void carry_over(mediafile *f, size_t at, size_t len, rng *lossy)
{
    size_t kept = 0;
    for (size_t i = 0; i < f->pending_count; i++) {
        change *p = &f->pending[i];
        if (!p->is_cut && (p->at >= at + len || at >= p->at + p->len)) {
            f->pending[kept++] = *p;
            continue;
        }
        arrive(f, p, lossy);
        free(p->bytes);
    }
    f->pending_count = kept;
}

void mediafile_write_through(mediafile *f, const mediafile_change *c,
                             rng *lossy)
{
    carry_over(f, c->at, c->len, lossy);
    apply(&f->seen, c);
    if (lossy != NULL) {
        apply_lossy(&f->media, c, lossy);
        f->is_split = true;
    } else {
        apply(&f->media, c);
    }
}

int64_t mediafile_read(mediafile *f, void *ptr, size_t len, uint64_t off,
                       bool is_direct)
{
    if (off < f->broken_at + f->broken_len && off + len > f->broken_at) {
        return -EIO;
    }
    if (off >= f->seen.len) {
        return 0;
    }
    size_t left = f->seen.len - (size_t)off;
    size_t n = left < len ? left : len;
    if (!f->is_split || !is_direct) {
        memcpy(ptr, f->seen.bytes + off, n);
        return (int64_t)n;
    }
    carry_over(f, (size_t)off, n, NULL);
    resize(&f->media, f->media.len < f->seen.len ? f->seen.len : f->media.len);
    memcpy(ptr, f->media.bytes + off, n);
    return (int64_t)n;
}

void mediafile_sync(mediafile *f, rng *lossy)
{
    for (size_t i = 0; i < f->pending_count; i++) {
        arrive(f, &f->pending[i], lossy);
    }
    clear_pending(f);
    f->is_split = f->is_split || lossy != NULL;
}

void mediafile_cut_power(mediafile *f, rng *r)
{
    if (f->pending_count == 0 && !f->is_split) {
        return; /* cache and media are the same */
    }
    size_t kind = rng_below(r, 3);
    for (size_t i = 0; i < f->pending_count && kind > 0; i++) {
        arrive(f, &f->pending[i], kind == 1 ? NULL : r);
    }
    clear_pending(f);
    copy_content(&f->seen, &f->media);
    f->is_split = false;
}

void mediafile_cut(mediafile *f, size_t len)
{
    resize(&f->seen, len);
    resize(&f->media, len);
}
