/*
 * Reader: one read of a record after the other.
 *
 * It holds on to the segment it read last, so that neighbours cost no look at
 * the table, and an image is lent without a copy: sealing puts another segment
 * in the table, but this one stays whole while it is held.
 */
#include <inttypes.h>

#include "base/error.h"
#include "stores/embedded/log.h"
#include "stores/embedded/view.h"

struct stet_log_reader {
    stet_embedded *e;
    stet_segment *held; /* one reference, or NULL */
    uint64_t held_end;  /* no position from here on is in it */
    stet_sealed_reader sealed;
};

stet_log_reader *stet__log_reader_create(stet_log *log)
{
    stet_embedded *e = stet__embedded_of(log);
    stet_log_reader *r = stet__alloc(e->alloc, sizeof *r);
    if (r != NULL) {
        r->e = e;
        r->held = NULL;
        r->held_end = 0;
        stet__sealed_reader_init(&r->sealed, e->alloc);
    }
    return r;
}

void stet__log_reader_rest(stet_log_reader *r)
{
    stet__segment_unref(r->held);
    r->held = NULL;
    stet__sealed_reader_rest(&r->sealed);
}

void stet__log_reader_destroy(stet_log_reader *r)
{
    if (r == NULL) {
        return;
    }
    stet__segment_unref(r->held);
    stet__sealed_reader_deinit(&r->sealed);
    stet__free(r->e->alloc, r, sizeof *r);
}

/* Hold the segment of a position instead of the one held. */
static bool hold(stet_log_reader *r, uint64_t position)
{
    stet_files *table = stet__embedded_lend(r->e);
    uint32_t idx = stet__files_locate(table, position);
    stet_segment *s = NULL;
    if (idx != UINT32_MAX) {
        s = stet__segment_ref(table->items[idx]);
        r->held_end = idx + 1 < stet__files_count(table)
                          ? table->items[idx + 1]->header.first_position
                          : UINT64_MAX;
    }
    stet__embedded_unlend(r->e, table);
    stet__log_reader_rest(r);
    r->held = s;
    return s != NULL;
}

static stet_status nothing_at(uint64_t position, stet_error *err)
{
    return stet__fail(err, STET_E_NOT_FOUND, 0, "no position %" PRIu64,
                      position);
}

stet_status stet__log_reader_read(stet_log_reader *r, uint64_t position,
                                  stet_logged *out, stet_error *err)
{
    if (position >= stet__embedded_watermark(r->e)) {
        return nothing_at(position, err);
    }
    bool is_held = r->held != NULL && position < r->held_end &&
                   position >= r->held->header.first_position;
    if (is_held) {
        stet_status st =
            stet__segment_logged(r->held, position, &r->sealed, out, err);
        if (st != STET_E_NOT_FOUND) {
            return st;
        }
        /* It was the newest once; a later one has the position. */
    }
    return hold(r, position)
               ? stet__segment_logged(r->held, position, &r->sealed, out, err)
               : nothing_at(position, err);
}
