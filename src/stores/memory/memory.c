/*
 * Images in a list, the newest first; the list only grows, at its front. The
 * next image is made ahead by make_room and takes its place under the caller's
 * lock, in frame_open. Frames are sealed as on disk, since it is sealing that
 * indexes them.
 *
 * Thread: as stet/sys/store.h says. Readers walk the list while it grows: a
 * segment is complete before the list's head is released.
 */
#include "stores/memory/memory.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>

#include "base/assert.h"
#include "base/error.h"
#include "core/heads.h"
#include "core/imageread.h"
#include "core/tail.h"
#include "os/mutex.h"

enum { FIRST_BYTES = 1024 * 1024 };

typedef struct segment {
    struct segment *older;
    stet_image *image;
    stet_tail tail;
} segment;

typedef struct memory_log {
    stet_log log; /* first */
    stet_os *os;
    const stet_allocator *alloc;
    uint64_t segment_bytes; /* at most, but for one large batch */
    uint64_t bytes_max;
    uint64_t bytes;      /* of all images; make_room's */
    uint32_t made_count; /* make_room's */
    stet_mutex files;
    segment *next; /* under files: made, not yet in the list */
    _Atomic(segment *) newest;
    _Atomic uint64_t watermark;
} memory_log;

typedef struct memory_cursor {
    const stet_allocator *alloc;
    stet_heads *heads;
} memory_cursor;

static segment *newest_segment(const memory_log *m)
{
    /* Acquire: pairs with the release in take_next. */
    return atomic_load_explicit(&m->newest, memory_order_acquire);
}

static void destroy_segment(memory_log *m, segment *s)
{
    if (s != NULL) {
        stet__image_destroy(s->image);
        stet__free(m->alloc, s, sizeof *s);
    }
}

/* Writing. */

static bool fits(segment *s, size_t need, stet_frame *out)
{
    size_t room = s == NULL ? 0 : stet__tail_room(&s->tail, need);
    if (room == 0) {
        return false;
    }
    stet__tail_lend(&s->tail, room, out);
    out->segment = s;
    return true;
}

/* Put the segment made ahead into the list, if it is large enough. */
static segment *take_next(memory_log *m, size_t need, uint64_t first_position)
{
    stet__mutex_lock(m->os, &m->files);
    segment *s = m->next;
    bool is_fit = s != NULL && stet__tail_room(&s->tail, need) > 0;
    if (is_fit) {
        m->next = NULL;
    }
    stet__mutex_unlock(m->os, &m->files);
    if (!is_fit) {
        return NULL;
    }
    stet__image_set_first_position(s->image, first_position);
    s->older = newest_segment(m);
    /* Release: readers find the segment whole. */
    atomic_store_explicit(&m->newest, s, memory_order_release);
    return s;
}

static stet_status memory_frame_open(stet_log *log, size_t need,
                                     uint64_t first_position, stet_frame *out,
                                     stet_error *err)
{
    (void)err;
    memory_log *m = (memory_log *)log;
    stet_frame frame = {.first_position = first_position};
    if (!fits(newest_segment(m), need, &frame) &&
        !fits(take_next(m, need, first_position), need, &frame)) {
        return STET_E_BUSY;
    }
    *out = frame;
    return STET_OK;
}

static void memory_frame_close(stet_log *log, stet_frame *frame, size_t used,
                               uint32_t events)
{
    (void)log;
    segment *s = frame->segment;
    stet__tail_take(&s->tail, frame, used, events);
}

static stet_status memory_frame_seal(stet_log *log, stet_frame *frame,
                                     uint64_t durable, stet_error *err)
{
    (void)log;
    segment *s = frame->segment;
    return stet__tail_seal(&s->tail, frame, durable, err);
}

static stet_status memory_frame_write(stet_log *log, stet_frame *frame,
                                      stet_error *err)
{
    (void)log;
    (void)frame;
    (void)err;
    return STET_OK; /* the image is the store */
}

static void memory_published(stet_log *log, uint64_t watermark, uint64_t synced)
{
    (void)synced;
    memory_log *m = (memory_log *)log;
    /* Relaxed: only told as a number. */
    atomic_store_explicit(&m->watermark, watermark, memory_order_relaxed);
}

/* Capacity of the next segment: from 1 MiB it doubles with every one made. */
static uint64_t next_capacity(const memory_log *m, size_t need)
{
    uint64_t least = stet__segment_bytes_for(need);
    uint64_t capacity = FIRST_BYTES;
    for (uint32_t i = 0; i < m->made_count && capacity < m->segment_bytes;
         i++) {
        capacity *= 2;
    }
    capacity = capacity < m->segment_bytes ? capacity : m->segment_bytes;
    return capacity > least ? capacity : least;
}

static segment *create_segment(memory_log *m, uint64_t capacity)
{
    segment *s = stet__alloc_zeroed(m->alloc, 1, sizeof *s);
    if (s == NULL) {
        return NULL;
    }
    s->image = stet__image_create(m->alloc, capacity, 0);
    if (s->image == NULL) {
        destroy_segment(m, s);
        return NULL;
    }
    m->made_count++;
    stet__tail_init(&s->tail, s->image, m->made_count, m->made_count);
    return s;
}

static stet_status memory_make_room(stet_log *log, size_t need, stet_error *err)
{
    memory_log *m = (memory_log *)log;
    uint64_t capacity = next_capacity(m, need);
    if (capacity > m->bytes_max - m->bytes) {
        return stet__fail(err, STET_E_NOSPACE, 0,
                          "memory_bytes_max of %" PRIu64 " reached",
                          m->bytes_max);
    }
    segment *s = create_segment(m, capacity);
    if (s == NULL) {
        return stet__fail(err, STET_E_NOMEM, 0,
                          "no memory for a segment of %" PRIu64 " bytes",
                          capacity);
    }
    stet__mutex_lock(m->os, &m->files);
    segment *unused = m->next; /* too small for this batch, or it were taken */
    m->next = s;
    stet__mutex_unlock(m->os, &m->files);
    m->bytes += capacity;
    if (unused != NULL) {
        m->bytes -= stet__image_capacity(unused->image);
        destroy_segment(m, unused);
    }
    return STET_OK;
}

static stet_status memory_sync(stet_log *log, stet_error *err)
{
    (void)log;
    (void)err;
    return STET_OK; /* nothing is more durable than memory here */
}

static stet_status memory_step(stet_log *log, bool *out_more, int64_t *out_due,
                               stet_error *err)
{
    (void)log;
    (void)err;
    *out_more = false;
    if (out_due != NULL) {
        *out_due = 0;
    }
    return STET_OK;
}

static stet_status memory_close(stet_log *log, bool is_clean, stet_error *err)
{
    (void)is_clean;
    (void)err;
    memory_log *m = (memory_log *)log;
    destroy_segment(m, m->next);
    segment *s = newest_segment(m);
    while (s != NULL) {
        segment *older = s->older;
        destroy_segment(m, s);
        s = older;
    }
    stet__free(m->alloc, m, sizeof *m);
    return STET_OK;
}

/* Reading. */

/* The segment that holds a position, or NULL. */
static const segment *locate(const memory_log *m, uint64_t position)
{
    const segment *s = newest_segment(m);
    while (s != NULL && stet__image_first_position(s->image) > position) {
        s = s->older;
    }
    return s;
}

static const void *view_locate(void *ctx, uint64_t position,
                               uint64_t *out_first)
{
    const segment *s = locate(ctx, position);
    if (s != NULL) {
        *out_first = stet__image_first_position(s->image);
    }
    return s;
}

static stet_status view_reach(void *ctx, const void *s,
                              const stet_target *target, stet_reach *out,
                              stet_error *err)
{
    (void)ctx;
    return stet__image_reach(((const segment *)s)->image, target, out, err);
}

static stet_status memory_seek(stet_log *log, stet_machine_key key,
                               stet_bound bound, uint64_t below,
                               stet_point *out, stet_error *err)
{
    stet_lineage_view view = {log, view_locate, view_reach, NULL};
    return stet__lineage_seek(&view, key, bound, below, out, err);
}

/* Records never move: a reader keeps nothing but the log. */
static stet_log_reader *memory_reader_create(stet_log *log)
{
    return (stet_log_reader *)log;
}

static stet_status memory_reader_read(stet_log_reader *reader,
                                      uint64_t position, stet_logged *out,
                                      stet_error *err)
{
    const segment *s = locate((memory_log *)reader, position);
    if (s == NULL || !stet__image_logged(s->image, position, out)) {
        return stet__fail(err, STET_E_NOT_FOUND, 0, "no position %" PRIu64,
                          position);
    }
    out->file = s->tail.file;
    return STET_OK;
}

static void memory_reader_let_go(stet_log_reader *reader)
{
    (void)reader;
}

typedef struct memory_walk {
    memory_log *m;
    uint64_t position; /* of the next record */
    uint64_t below;
} memory_walk;

static stet_status memory_walk_open(stet_log *log, uint64_t below,
                                    stet_log_cursor **out, stet_error *err)
{
    memory_log *m = (memory_log *)log;
    memory_walk *w = stet__alloc(m->alloc, sizeof *w);
    if (w == NULL) {
        return stet__fail(err, STET_E_NOMEM, 0, "no memory for a walk");
    }
    *w = (memory_walk){.m = m, .position = 1, .below = below};
    *out = (stet_log_cursor *)w;
    return STET_OK;
}

static stet_status memory_walk_next(stet_log_cursor *walk, stet_logged *out,
                                    stet_error *err)
{
    memory_walk *w = (memory_walk *)walk;
    if (w->position >= w->below) {
        return STET_DONE;
    }
    return memory_reader_read((stet_log_reader *)w->m, w->position++, out, err);
}

static void memory_walk_close(stet_log_cursor *walk)
{
    memory_walk *w = (memory_walk *)walk;
    if (w != NULL) {
        stet__free(w->m->alloc, w, sizeof *w);
    }
}

static stet_status memory_find_key(stet_log *log, const uint8_t key[16],
                                   uint64_t below, uint64_t *out_position,
                                   stet_error *err)
{
    for (const segment *s = newest_segment((memory_log *)log); s != NULL;
         s = s->older) {
        uint64_t position = stet__image_key_position(s->image, key, below);
        if (position != 0) {
            *out_position = position;
            return STET_OK;
        }
    }
    return stet__fail(err, STET_E_NOT_FOUND, 0, "no such idempotency key");
}

static stet_status memory_at_recorded(stet_log *log, int64_t time,
                                      uint64_t below, uint64_t *out_position,
                                      stet_error *err)
{
    (void)err;
    uint64_t position = 0;
    for (const segment *s = newest_segment((memory_log *)log);
         s != NULL && position == 0; s = s->older) {
        position = stet__image_at_recorded(s->image, time, below);
    }
    *out_position = position;
    return STET_OK;
}

/* Listing. */

static stet_status add_sources(memory_log *m, stet_heads *heads,
                               const stet_heads_range *range, stet_error *err)
{
    stet_status st = STET_OK;
    for (const segment *s = locate(m, range->below - 1);
         s != NULL && st == STET_OK; s = s->older) {
        stet_head_source *source =
            stet__heads_of_image(m->alloc, s->image, range);
        st = source == NULL
                 ? stet__fail(err, STET_E_NOMEM, 0, "no memory for a listing")
                 : stet__heads_add(heads, source, err);
    }
    return st;
}

static size_t count_segments(const memory_log *m)
{
    size_t count = 0;
    for (const segment *s = newest_segment(m); s != NULL; s = s->older) {
        count++;
    }
    return count;
}

static stet_status memory_heads_open(stet_log *log,
                                     const stet_heads_range *range,
                                     stet_log_cursor **out, stet_error *err)
{
    memory_log *m = (memory_log *)log;
    memory_cursor *c = stet__alloc_zeroed(m->alloc, 1, sizeof *c);
    stet_log *names = range->is_nameless ? NULL : log;
    stet_heads *heads =
        c == NULL ? NULL
                  : stet__heads_create(m->alloc, names, count_segments(m));
    if (heads == NULL) {
        stet__free(m->alloc, c, sizeof *c);
        return stet__fail(err, STET_E_NOMEM, 0, "no memory for a listing");
    }
    *c = (memory_cursor){m->alloc, heads};
    stet_status st = add_sources(m, heads, range, err);
    if (st != STET_OK) {
        stet__heads_destroy(heads);
        stet__free(m->alloc, c, sizeof *c);
        return st;
    }
    *out = (stet_log_cursor *)c;
    return STET_OK;
}

static stet_status memory_heads_next(stet_log_cursor *cursor,
                                     stet_head_entry *out, stet_error *err)
{
    return stet__heads_next(((memory_cursor *)cursor)->heads, out, err);
}

static void memory_heads_close(stet_log_cursor *cursor)
{
    memory_cursor *c = (memory_cursor *)cursor;
    if (c != NULL) {
        stet__heads_destroy(c->heads);
        stet__free(c->alloc, c, sizeof *c);
    }
}

/* Numbers. */

static stet_status memory_info(stet_log *log, stet_info *out, stet_error *err)
{
    (void)err;
    memory_log *m = (memory_log *)log;
    for (const segment *s = newest_segment(m); s != NULL; s = s->older) {
        out->segments++;
        out->log_bytes += stet__image_end_below(s->image, UINT64_MAX) - STET_W;
        out->state_raw_bytes += stet__image_state_bytes(s->image);
    }
    out->unsealed = out->segments;
    out->events = atomic_load_explicit(&m->watermark, memory_order_relaxed) - 1;
    out->level = STET_LEVEL_MEMORY;
    out->format = STET_FORMAT;
    (void)snprintf(out->driver, sizeof out->driver, "memory"); /* fits */
    return STET_OK;
}

static stet_status memory_verify(stet_log *log, stet_progress_fn progress,
                                 void *ctx, stet_verify_report *report,
                                 stet_error *err)
{
    memory_log *m = (memory_log *)log;
    uint64_t total = count_segments(m);
    uint64_t done = 0;
    for (const segment *s = newest_segment(m); s != NULL; s = s->older) {
        uint64_t offset = 0;
        if (!stet__image_verify(s->image, report, &offset)) {
            return stet__fail(err, STET_E_CORRUPT, 0,
                              "image %" PRIu32 " at offset %" PRIu64
                              ": frame is damaged",
                              s->tail.file, offset);
        }
        done++;
        if (progress != NULL && !progress(ctx, done, total)) {
            return stet__fail(err, STET_E_PARTIAL, 0,
                              "stopped after %" PRIu64 " of %" PRIu64
                              " segments",
                              done, total);
        }
    }
    return STET_OK;
}

static stet_status memory_reindex(stet_log *log, uint64_t *out_rebuilt,
                                  stet_error *err)
{
    (void)log;
    (void)err;
    *out_rebuilt = 0; /* nothing is sealed */
    return STET_OK;
}

static const stet_log_ops memory_ops = {
    .struct_size = sizeof(stet_log_ops),
    .name = "memory",
    .frame_open = memory_frame_open,
    .frame_close = memory_frame_close,
    .frame_seal = memory_frame_seal,
    .frame_write = memory_frame_write,
    .published = memory_published,
    .make_room = memory_make_room,
    .sync = memory_sync,
    .step = memory_step,
    .close = memory_close,
    .seek = memory_seek,
    .reader_create = memory_reader_create,
    .reader_read = memory_reader_read,
    .reader_rest = memory_reader_let_go,
    .reader_destroy = memory_reader_let_go,
    .walk_open = memory_walk_open,
    .walk_next = memory_walk_next,
    .walk_close = memory_walk_close,
    .find_key = memory_find_key,
    .at_recorded = memory_at_recorded,
    .heads_open = memory_heads_open,
    .heads_next = memory_heads_next,
    .heads_close = memory_heads_close,
    .info = memory_info,
    .verify = memory_verify,
    .reindex = memory_reindex,
};

static stet_status memory_open(const char *path, const stet_log_config *config,
                               stet_log **out, stet_log_start *out_start,
                               stet_error *err)
{
    const stet_opts *opts = config->opts;
    if (path[0] != '\0') {
        return stet__fail(err, STET_E_INVALID, 0,
                          "memory:%s names something; a memory store has no "
                          "name",
                          path);
    }
    if (opts->mode != STET_OPEN_DEFAULT) {
        return stet__fail(err, STET_E_NOT_FOUND, 0,
                          "a memory store is always new");
    }
    memory_log *m = stet__alloc_zeroed(config->alloc, 1, sizeof *m);
    if (m == NULL) {
        return stet__fail(err, STET_E_NOMEM, 0, "no memory for a store");
    }
    m->log.ops = &memory_ops;
    m->os = config->os;
    m->alloc = config->alloc;
    m->segment_bytes = opts->segment_bytes;
    m->bytes_max = opts->memory_bytes_max;
    stet__mutex_init(&m->files, STET_RANK_FILES);
    atomic_init(&m->newest, NULL);
    atomic_init(&m->watermark, 1);
    *out = &m->log;
    *out_start = (stet_log_start){
        .next_position = 1,
        .level = STET_LEVEL_MEMORY,
    };
    return STET_OK;
}

const stet_driver stet__memory_driver = {
    .scheme = "memory",
    .open = memory_open,
};
