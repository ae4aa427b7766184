/*
 * Frames on their way to the disk.
 */
#include <errno.h>
#include <inttypes.h>

#include "base/assert.h"
#include "base/error.h"
#include "base/mark.h"
#include "stores/embedded/log.h"
#include "stores/embedded/names.h"

stet_status stet__write_frame_seal(stet_log *log, stet_frame *frame,
                                   uint64_t durable, stet_error *err)
{
    stet_embedded *e = stet__embedded_of(log);
    stet_segment *s = frame->segment;
    STET_ASSERT(s->is_own);
    if (frame->is_turn) {
        stet__segment_header_put(&s->header, stet__image_bytes(s->image));
    }
    stet_status st = stet__tail_seal(&s->tail, frame, durable, err);
    if (st != STET_OK) {
        stet__embedded_poison(e); /* positions that no record will have */
        return stet__damage_wrap(err, st, s->header.file, frame->offset);
    }
    return STET_OK;
}

/*
 * Without O_DIRECT one write and sync at a time: a sync that fails tells one of
 * its callers only, and the pages are clean after it. Who finds nothing to be
 * synced must know that it was, not that somebody is about to.
 */
static void take_write_turn(stet_embedded *e)
{
    uint32_t is_free = 0;
    while (!atomic_compare_exchange_strong_explicit(&e->write_turn, &is_free, 1,
                                                    memory_order_acquire,
                                                    memory_order_relaxed)) {
        e->os->futex_wait(e->os, &e->write_turn, 1, 0);
        is_free = 0;
    }
}

static void give_write_turn(stet_embedded *e)
{
    atomic_store_explicit(&e->write_turn, 0, memory_order_release);
    e->os->futex_wake(e->os, &e->write_turn, 1);
}

/* Make everything before a frame's segment durable; level os only. */
static int sync_older(stet_embedded *e, const stet_segment *than)
{
    take_write_turn(e);
    int rc = stet__embedded_is_poisoned(e) ? -EIO : 0;
    stet_files *table = stet__embedded_lend(e);
    for (uint32_t i = stet__files_count(table); i > 0 && rc >= 0; i--) {
        stet_segment *s = table->items[i - 1];
        if (s == than || !s->is_own) {
            continue;
        }
        /* Cleared first: a frame written meanwhile sets it again. */
        if (atomic_exchange_explicit(&s->is_dirty, false,
                                     memory_order_acq_rel)) {
            STET_MARK("write.older_synced");
            rc = e->os->datasync(e->os, s->fd);
        }
    }
    stet__embedded_unlend(e, table);
    if (rc < 0) {
        stet__embedded_poison(e); /* before another one rests on it. (L4) */
    }
    give_write_turn(e);
    return rc;
}

static void raise(_Atomic uint64_t *value, uint64_t to)
{
    uint64_t now = atomic_load_explicit(value, memory_order_relaxed);
    /* Release: what was written below `to` is seen by who sees it. */
    while (now < to &&
           !atomic_compare_exchange_weak_explicit(
               value, &now, to, memory_order_release, memory_order_relaxed)) {
    }
}

static int write_synced(stet_embedded *e, int fd, const void *bytes, size_t len,
                        uint64_t offset)
{
    if (e->is_direct) {
        return e->os->pwrite(e->os, fd, bytes, len, offset);
    }
    take_write_turn(e);
    int rc = stet__embedded_is_poisoned(e)
                 ? -EIO
                 : e->os->pwrite(e->os, fd, bytes, len, offset);
    rc = rc < 0 ? rc : e->os->datasync(e->os, fd);
    if (rc < 0) {
        stet__embedded_poison(e); /* before another one can write. (L4) */
    }
    give_write_turn(e);
    return rc;
}

stet_status stet__write_frame(stet_log *log, stet_frame *frame, stet_error *err)
{
    stet_embedded *e = stet__embedded_of(log);
    stet_segment *s = frame->segment;
    stet_status st = stet__embedded_refuse(e, err);
    if (st != STET_OK) {
        return st;
    }
    /* A header goes out in one write with its first frame. */
    uint64_t offset = frame->is_turn ? 0 : frame->offset;
    size_t len = (size_t)(frame->offset - offset) + frame->length;
    const uint8_t *bytes = stet__image_bytes(s->image) + offset;
    int rc = 0;
    if (e->level == STET_LEVEL_DISK) {
        rc = write_synced(e, s->fd, bytes, len, offset);
    } else {
        rc = frame->is_turn ? sync_older(e, s) : 0;
        rc = rc < 0 ? rc : e->os->pwrite(e->os, s->fd, bytes, len, offset);
        atomic_store_explicit(&s->is_dirty, true, memory_order_release);
    }
    if (rc < 0) {
        stet__embedded_poison(e);
        return stet__os_fail(err, rc, "write %" PRIu32 ".seg", s->header.file);
    }
    if (frame->is_turn) {
        raise(&e->synced, frame->first_position);
    }
    return STET_OK;
}

void stet__write_published(stet_log *log, uint64_t watermark, uint64_t synced)
{
    stet_embedded *e = stet__embedded_of(log);
    STET_ASSERT(synced <= watermark);
    raise(&e->watermark, watermark);
    raise(&e->synced, synced);
}

stet_status stet__write_sync(stet_log *log, stet_error *err)
{
    stet_embedded *e = stet__embedded_of(log);
    stet_status st = stet__embedded_refuse(e, err);
    if (st != STET_OK || e->level == STET_LEVEL_DISK) {
        return st;
    }
    return stet__write_sync_published(e, err);
}

stet_status stet__write_sync_published(stet_embedded *e, stet_error *err)
{
    uint64_t watermark = stet__embedded_watermark(e);
    int rc = sync_older(e, NULL);
    if (rc < 0) {
        stet__embedded_poison(e);
        return stet__os_fail(err, rc, "sync");
    }
    raise(&e->synced, watermark);
    return STET_OK;
}
