/*
 * Walking over all records, each file as it lies on the disk: a segment by
 * position, a set block by block, which has its records by machine. Files come
 * by rising position, so a machine's records do, too.
 *
 * A walk lends the table for its life: what is sealed or settled meanwhile
 * stays whole in the files that it holds.
 */
#include "base/error.h"
#include "stores/embedded/log.h"
#include "stores/embedded/settled.h"
#include "stores/embedded/view.h"

typedef struct log_walk {
    stet_embedded *e;
    stet_files *table;
    uint64_t below;
    uint32_t next_file;     /* in the table */
    const stet_segment *s;  /* the file at hand; NULL: the next one's turn */
    uint64_t position;      /* of a segment's next record */
    uint64_t end;           /* of a segment, as far as the walk goes */
    stet_settled_scan scan; /* of a set */
    stet_sealed_reader reader;
} log_walk;

stet_status stet__walk_open(stet_log *log, uint64_t below,
                            stet_log_cursor **out, stet_error *err)
{
    stet_embedded *e = stet__embedded_of(log);
    log_walk *w = stet__alloc_zeroed(e->alloc, 1, sizeof *w);
    if (w == NULL) {
        return stet__fail(err, STET_E_NOMEM, 0, "no memory for a walk");
    }
    w->e = e;
    w->below = below;
    w->table = stet__embedded_lend(e);
    stet__sealed_reader_init(&w->reader, e->alloc);
    w->reader.window.is_scan = true;
    *out = (stet_log_cursor *)w;
    return STET_OK;
}

void stet__walk_close(stet_log_cursor *walk)
{
    log_walk *w = (log_walk *)walk;
    if (w == NULL) {
        return;
    }
    stet_embedded *e = w->e;
    stet__sealed_reader_deinit(&w->reader);
    stet__embedded_unlend(e, w->table);
    stet__free(e->alloc, w, sizeof *w);
}

/* Take the next file in hand; false: there is none with records to walk. */
static bool turn_page(log_walk *w)
{
    uint32_t count = stet__files_count(w->table);
    if (w->next_file == count) {
        return false;
    }
    const stet_segment *s = w->table->items[w->next_file++];
    w->position = s->header.first_position;
    w->end = w->below;
    if (w->next_file < count) {
        uint64_t next = w->table->items[w->next_file]->header.first_position;
        w->end = next < w->below ? next : w->below;
    }
    w->scan = (stet_settled_scan){.s = s};
    w->s = s;
    return w->position < w->below;
}

static stet_status next_of_segment(log_walk *w, stet_logged *out,
                                   stet_error *err)
{
    if (w->position == w->end) {
        return STET_DONE;
    }
    return stet__segment_logged(w->s, w->position++, &w->reader, out, err);
}

stet_status stet__walk_next(stet_log_cursor *walk, stet_logged *out,
                            stet_error *err)
{
    log_walk *w = (log_walk *)walk;
    stet_logged logged;
    for (;;) {
        if (w->s == NULL && !turn_page(w)) {
            return STET_DONE;
        }
        stet_status st = stet__segment_is_set(w->s)
                             ? stet__settled_scan_next(
                                   &w->scan, &w->reader.window, &logged, err)
                             : next_of_segment(w, &logged, err);
        if (st == STET_DONE) {
            w->s = NULL;
        } else if (st != STET_OK) {
            return st;
        } else if (logged.position < w->below) {
            *out = logged;
            return STET_OK;
        }
    }
}
