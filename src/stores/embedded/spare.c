/*
 * Spares are made ahead: prewritten with zeros, so that a frame's write changes
 * no metadata (a write into fallocated or growing space takes twice as long),
 * synced, and linked under their final name before `super` names them.
 */
#include <errno.h>
#include <inttypes.h>

#include "base/assert.h"
#include "base/error.h"
#include "base/mark.h"
#include "stores/embedded/log.h"
#include "stores/embedded/names.h"

enum { CHUNK_BYTES = 1024 * 1024 };

uint64_t stet__spare_capacity(const stet_embedded *e, uint32_t nth)
{
    uint64_t bytes = STET_FIRST_SEGMENT_BYTES;
    for (uint32_t i = 1; i < nth && bytes < e->segment_bytes; i++) {
        bytes *= 2;
    }
    return bytes < e->segment_bytes ? bytes : e->segment_bytes;
}

/* `value` from the start to `bytes`, in aligned chunks, as O_DIRECT wants. */
static int write_filled(stet_embedded *e, int fd, uint64_t bytes, uint8_t value)
{
    size_t chunk = bytes < CHUNK_BYTES ? (size_t)bytes : CHUNK_BYTES;
    uint8_t *block = stet__alloc(e->alloc, chunk + STET_W);
    if (block == NULL) {
        return -ENOMEM;
    }
    uint8_t *filled = block + (STET_W - (uintptr_t)block % STET_W);
    memset(filled, value, chunk);
    int rc = 0;
    for (uint64_t at = 0; rc >= 0 && at < bytes; at += chunk) {
        uint64_t left = bytes - at;
        size_t len = left < chunk ? (size_t)left : chunk;
        rc = e->os->pwrite(e->os, fd, filled, len, at);
    }
    stet__free(e->alloc, block, chunk + STET_W);
    return rc;
}

/*
 * What opens a file for the zeros where frames will go: they are synced
 * together. A flush for each chunk, as frames have one, took 20 ms for 16 MiB.
 */
static unsigned fill_flags(const stet_embedded *e)
{
    return STET_OPEN_WRITE | (e->is_direct ? (unsigned)STET_OPEN_UNCACHED : 0U);
}

static int open_spare(const stet_embedded *e, uint32_t number, unsigned flags)
{
    char name[STET_OS_NAME_MAX];
    stet__name_segment(number, name);
    return e->os->open(e->os, e->dir, name, flags);
}

/* A file without a name, or where there are none, with a temporary one. */
static int create_file(stet_embedded *e, uint32_t number, bool *out_is_named)
{
    unsigned flags = fill_flags(e);
    int fd = e->os->open(e->os, e->dir, NULL, flags | STET_OPEN_UNNAMED);
    *out_is_named = fd == -EOPNOTSUPP;
    if (*out_is_named) {
        STET_MARK("spare.by_temporary_name");
        char name[STET_OS_NAME_MAX];
        stet__name_temporary(number, name);
        fd = e->os->open(e->os, e->dir, name,
                         flags | STET_OPEN_CREATE | STET_OPEN_EXCLUSIVE);
    }
    return fd;
}

/* Give the file its final name, durably. */
static int name_file(stet_embedded *e, int fd, uint32_t number, bool is_named)
{
    char name[STET_OS_NAME_MAX];
    char temporary[STET_OS_NAME_MAX];
    stet__name_segment(number, name);
    stet__name_temporary(number, temporary);
    int rc = is_named ? e->os->rename(e->os, e->dir, temporary, name)
                      : e->os->link(e->os, e->dir, fd, name);
    if (rc < 0) {
        return rc;
    }
    rc = e->os->sync(e->os, e->dir);
    if (rc < 0) {
        stet__embedded_poison(e); /* who knows what the folder holds now */
    }
    return rc;
}

static stet_status make_new(stet_embedded *e, uint64_t bytes, stet_spare *out,
                            stet_error *err)
{
    uint32_t number = 0;
    stet_status st = stet__embedded_take_number(e, &number, err);
    if (st != STET_OK) {
        return st;
    }
    bool is_named = false;
    int fd = create_file(e, number, &is_named);
    if (fd < 0) {
        return stet__os_fail(err, fd, "create %" PRIu32 ".seg", number);
    }
    int rc = write_filled(e, fd, bytes, 0);
    rc = rc < 0 ? rc : e->os->sync(e->os, fd);
    rc = rc < 0 ? rc : name_file(e, fd, number, is_named);
    int closed = e->os->close(e->os, fd);
    rc = rc < 0 ? rc : closed;
    if (rc < 0) {
        if (is_named) {
            char name[STET_OS_NAME_MAX];
            stet__name_temporary(number, name);
            (void)e->os->unlink(e->os, e->dir, name); /* or the next open */
        }
        return stet__os_fail(err, rc, "make %" PRIu32 ".seg", number);
    }
    *out = (stet_spare){.file = number, .bytes = bytes, .is_fresh = true};
    return STET_OK;
}

/*
 * Where a power cut tore a header or a frame in what should be zeros, zeros
 * that are torn, too, could mend it. So the header's place gets anything but
 * zeros first, synced; without a header no frame counts.
 */
stet_status stet__spare_rewrite(stet_embedded *e, stet_spare *spare,
                                stet_error *err)
{
    STET_MARK("spare.rewritten");
    int fd = open_spare(e, spare->file, fill_flags(e));
    int rc = fd < 0 ? fd : write_filled(e, fd, STET_W, 0xff);
    rc = rc < 0 ? rc : e->os->sync(e->os, fd);
    rc = rc < 0 ? rc : write_filled(e, fd, spare->bytes, 0);
    rc = rc < 0 ? rc : e->os->sync(e->os, fd);
    int closed = fd < 0 ? 0 : e->os->close(e->os, fd);
    rc = rc < 0 ? rc : closed;
    if (rc < 0) {
        return stet__os_fail(err, rc, "rewrite %" PRIu32 ".seg", spare->file);
    }
    spare->is_fresh = true;
    return STET_OK;
}

/* Recycling: the space of a settled segment becomes a spare. */

void stet__spare_offer(stet_embedded *e, stet_segment *s)
{
    if (e->idle_count < STET_IDLE_MAX) {
        e->idle[e->idle_count++] = stet__segment_ref(s);
    } else {
        stet__embedded_doom(e, s->header.file, STET_NAME_SEGMENT);
    }
}

void stet__spare_give_up(stet_embedded *e)
{
    while (e->idle_count > 0) {
        stet_segment *s = e->idle[--e->idle_count];
        stet__embedded_doom(e, s->header.file, STET_NAME_SEGMENT);
        stet__segment_unref(s);
    }
}

/*
 * Is the file ours alone, and large enough? No slot of `super` names it since
 * its set took its place. Nobody here reads it once ours is the only reference,
 * for no table has it. Readers elsewhere lock it before they look at its
 * header; our lock ends with the reference.
 */
static bool is_free(const stet_embedded *e, const stet_segment *s,
                    uint64_t bytes)
{
    uint64_t size = s->trailer.end_offset + stet__index_bytes(&s->trailer);
    STET_ASSERT(!stet__slots_name(&e->slots, s->header.file)); /* keeps (L3) */
    /* Acquire: what others read comes before what is written here. */
    return atomic_load_explicit(&s->refs, memory_order_acquire) == 1 &&
           size >= bytes && e->os->lock(e->os, s->fd, STET_LOCK_EXCLUSIVE) == 0;
}

/* Give a spare a number above all others. */
static stet_status renumber(stet_embedded *e, stet_spare *spare,
                            stet_error *err)
{
    char old[STET_OS_NAME_MAX];
    char new[STET_OS_NAME_MAX];
    uint32_t number = 0;
    stet_status st = stet__embedded_take_number(e, &number, err);
    if (st != STET_OK) {
        return st;
    }
    stet__name_segment(spare->file, old);
    stet__name_segment(number, new);
    st = stet__embedded_rename(e, old, new, err);
    spare->file = st == STET_OK ? number : spare->file;
    return st;
}

/*
 * Clear the file, its header first, cut it, then give it its new number: on the
 * way a crash leaves a dead file, for which a set stands, or a spare. Cleared
 * to its last byte: what is erased from the set later must not be left here.
 */
static stet_status recycle(stet_embedded *e, uint32_t file, uint64_t bytes,
                           stet_spare *out, stet_error *err)
{
    stet_spare spare = {.file = file, .bytes = bytes};
    stet_status st = stet__spare_rewrite(e, &spare, err);
    if (st == STET_OK) {
        st = stet__segment_resize(e, file, bytes, err);
    }
    if (st == STET_OK) {
        st = renumber(e, &spare, err);
    }
    if (st != STET_OK) {
        stet__embedded_doom(e, file, STET_NAME_SEGMENT);
        return st;
    }
    STET_MARK("spare.recycled");
    *out = spare;
    return STET_OK;
}

/* STET_E_NOT_FOUND, without a text: there is none to recycle. */
static stet_status make_of_idle(stet_embedded *e, uint64_t bytes,
                                stet_spare *out, stet_error *err)
{
    stet_status st =
        e->idle_count > 0 ? stet__embedded_confirm_super(e, err) : STET_OK;
    st = st == STET_OK ? STET_E_NOT_FOUND : st;
    while (e->idle_count > 0 && st == STET_E_NOT_FOUND) {
        stet_segment *s = e->idle[--e->idle_count];
        if (is_free(e, s, bytes)) {
            st = recycle(e, s->header.file, bytes, out, err);
        } else {
            STET_MARK("spare.not_free");
            stet__embedded_doom(e, s->header.file, STET_NAME_SEGMENT);
        }
        stet__segment_unref(s);
    }
    return st;
}

stet_status stet__spare_make(stet_embedded *e, uint64_t bytes, stet_spare *out,
                             stet_error *err)
{
    STET_ASSERT(bytes % STET_W == 0);
    stet_status st = make_of_idle(e, bytes, out, err);
    return st == STET_E_NOT_FOUND ? make_new(e, bytes, out, err) : st;
}

/* A salt that was never used: so that what a file held before is not sound. */
static stet_status draw_salt(const stet_embedded *e, uint64_t *out,
                             stet_error *err)
{
    int rc = e->os->random(e->os, out, sizeof *out);
    return rc < 0 ? stet__os_fail(err, rc, "draw a salt") : STET_OK;
}

/* An image: the one that waits, if it has this capacity. */
static stet_image *take_image(stet_embedded *e, uint64_t capacity)
{
    /* Acquire: pairs with who let it go. */
    stet_image *idle =
        atomic_exchange_explicit(&e->idle_image, NULL, memory_order_acquire);
    if (idle != NULL && stet__image_capacity(idle) == capacity) {
        stet__image_reset(idle, 0);
        return idle;
    }
    stet__image_destroy(idle);
    return stet__image_create(e->alloc, capacity, 0);
}

stet_status stet__spare_open(stet_embedded *e, const stet_spare *spare,
                             uint64_t capacity, stet_segment **out,
                             stet_error *err)
{
    STET_ASSERT(capacity <= spare->bytes);
    stet_segment_header h = {
        .format = STET_FORMAT,
        .file = spare->file,
        .capacity = capacity,
    };
    memcpy(h.uuid, e->uuid, sizeof h.uuid);
    stet_status st = draw_salt(e, &h.salt, err);
    if (st != STET_OK) {
        return st;
    }
    unsigned flags = e->is_direct ? (unsigned)STET_OPEN_DIRECT : 0U;
    int fd = open_spare(e, spare->file, STET_OPEN_WRITE | flags);
    if (fd < 0) {
        return stet__os_fail(err, fd, "open %" PRIu32 ".seg", spare->file);
    }
    stet_segment *s = stet__segment_create(e->alloc, e->os, fd, &h);
    if (s == NULL) {
        (void)e->os->close(e->os, fd); /* nothing was written */
        return stet__fail(err, STET_E_NOMEM, 0, "no memory for a segment");
    }
    s->image = take_image(e, capacity);
    s->idle = &e->idle_image;
    if (s->image == NULL) {
        stet__segment_unref(s);
        return stet__fail(err, STET_E_NOMEM, 0,
                          "no memory for a segment of %" PRIu64 " bytes",
                          capacity);
    }
    s->is_own = true;
    s->end = STET_W;
    stet__tail_init(&s->tail, s->image, h.file, h.salt);
    *out = s;
    return STET_OK;
}
