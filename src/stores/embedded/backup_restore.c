#include "stores/embedded/backup_restore.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/assert.h"
#include "base/error.h"
#include "base/mark.h"
#include "core/index.h"
#include "core/record.h"
#include "core/set.h"
#include "stores/embedded/backup_target.h"
#include "stores/embedded/backup_view.h"
#include "stores/embedded/log.h"
#include "stores/embedded/names.h"

enum {
    /* Frames that are written anew: batches are put together up to this. */
    FRAME_BYTES = 256 * 1024,
};

typedef struct restoration {
    const stet_log_config *config;
    const stet_restore_opts *opts;
    uint32_t number; /* of the backup */
    stet_log *source;
    const stet_backup_view *view;
    const stet_manifest *manifest;
    stet_backup_target target;
    uint64_t end;   /* one past the last position that is restored */
    uint32_t whole; /* files of the backup that lie below it */
    uint8_t uuid[16];
    uint8_t *chunk;        /* room for one */
    stet_backup_pace pace; /* of the whole files */
    int64_t recorded;
} restoration;

/* Which backup. */

/* Does the backup have everything up to the point? */
static bool reaches(const stet_manifest *m, const stet_at *at)
{
    return at->kind == STET_AT_POSITION
               ? m->end_position > at->seq
               : m->end_position > 1 && m->recorded >= at->time;
}

static stet_status tell_too_late(const stet_backup_folder *f, const stet_at *at,
                                 const stet_backup *newest, stet_error *err)
{
    if (newest->number == 0) {
        return stet__fail(err, STET_E_NOT_FOUND, 0,
                          "%s holds no backup that can be read", f->path);
    }
    if (at->kind == STET_AT_POSITION) {
        return stet__fail(err, STET_E_NOT_FOUND, 0,
                          "no backup reaches position %" PRIu64
                          "; number %" PRIu32 " ends at %" PRIu64,
                          at->seq, newest->number, newest->position);
    }
    return stet__fail(err, STET_E_NOT_FOUND, 0,
                      "no backup reaches that time; the newest event in "
                      "number %" PRIu32 " is older",
                      newest->number);
}

/* The oldest backup that reaches a point: it has lost least to retention. */
static stet_status find_backup(restoration *r, const stet_backup_folder *f,
                               stet_error *err)
{
    stet_backup newest = {0};
    for (size_t i = 0; i < stet__backup_count(f); i++) {
        stet_manifest m;
        uint32_t number = stet__backup_number(f, i);
        stet_error why = {0};
        stet_status st = stet__backup_load(f, number, &m, NULL, &why);
        if (st != STET_OK && st != STET_E_CORRUPT && st != STET_E_FORMAT &&
            st != STET_E_NOT_FOUND) {
            return stet__fail(err, st, why.os_errno, "%s", why.text);
        }
        if (st != STET_OK) {
            continue; /* another one may do */
        }
        newest = stet__backup_of(&m);
        bool is_found = reaches(&m, &r->opts->at);
        stet__manifest_deinit(&m);
        if (is_found) {
            r->number = number;
            return STET_OK;
        }
    }
    return tell_too_late(f, &r->opts->at, &newest, err);
}

static stet_status choose_backup(restoration *r, const char *folder,
                                 stet_error *err)
{
    r->number = r->opts->number;
    if (r->number != 0 || r->opts->at.kind == STET_AT_NEWEST) {
        return STET_OK;
    }
    stet_backup_folder f;
    stet__backup_folder_init(&f, r->config->os, r->config->alloc);
    stet_status st =
        stet__backup_folder_open(&f, folder, STET_BACKUP_READ, err);
    if (st == STET_OK) {
        st = find_backup(r, &f, err);
    }
    stet__backup_folder_deinit(&f);
    return st;
}

static stet_status open_source(restoration *r, const char *folder,
                               stet_error *err)
{
    stet_opts opts = *r->config->opts;
    opts.mode = STET_OPEN_READONLY;
    stet_log_config config = *r->config;
    config.opts = &opts;
    stet_log_start start;
    stet_status st = stet__backup_view_log(&config, folder, r->number,
                                           &r->source, &start, err);
    if (st != STET_OK) {
        return st;
    }
    r->view = stet__embedded_of(r->source)->view;
    r->manifest = stet__backup_view_manifest(r->view);
    r->number = r->manifest->number;
    return STET_OK;
}

/* Up to where. */

static stet_status find_position(restoration *r, uint64_t *out, stet_error *err)
{
    const stet_at *at = &r->opts->at;
    uint64_t newest = r->manifest->end_position - 1;
    *out = newest;
    if (at->kind != STET_AT_NEWEST && !reaches(r->manifest, at)) {
        stet_backup b = stet__backup_of(r->manifest);
        return tell_too_late(stet__backup_view_folder(r->view), at, &b, err);
    }
    if (at->kind == STET_AT_POSITION) {
        *out = at->seq;
    } else if (at->kind == STET_AT_RECORDED) {
        return r->source->ops->at_recorded(r->source, at->time, newest + 1, out,
                                           err);
    }
    return STET_OK;
}

/* Does a batch end with the record? */
static stet_status ends_batch(const stet_logged *l, bool *out, stet_error *err)
{
    stet_record record;
    size_t bytes = 0;
    stet_status st = stet__record_parse(l->bytes, &record, &bytes, err);
    *out = st == STET_OK && (record.flags & STET_RECORD_BATCH_LAST) != 0;
    return st == STET_OK
               ? st
               : stet__wrap(err, st, "position %" PRIu64, l->position);
}

/* The last position at or before `from` with which a batch ends; 0: none. */
static stet_status find_batch_end(restoration *r, uint64_t from, uint64_t *out,
                                  stet_error *err)
{
    const stet_log_ops *ops = r->source->ops;
    stet_log_reader *reader = ops->reader_create(r->source);
    if (reader == NULL) {
        return stet__fail(err, STET_E_NOMEM, 0, "no memory for a restore");
    }
    stet_status st = STET_OK;
    bool is_end = false;
    uint64_t first =
        r->manifest->file_count == 0 ? 1 : r->manifest->files[0].first_position;
    while (from >= first && st == STET_OK && !is_end) {
        stet_logged l;
        st = ops->reader_read(reader, from, &l, err);
        if (st == STET_OK) {
            st = ends_batch(&l, &is_end, err);
        }
        if (st == STET_OK && is_end) {
            r->recorded = l.recorded;
        } else {
            from--;
        }
    }
    ops->reader_destroy(reader);
    *out = is_end ? from : 0;
    return st;
}

static stet_status find_end(restoration *r, stet_error *err)
{
    uint64_t position = 0;
    stet_status st = find_position(r, &position, err);
    if (st == STET_OK && r->opts->at.kind != STET_AT_NEWEST) {
        st = find_batch_end(r, position, &position, err);
        if (st == STET_OK && position == 0) {
            return stet__fail(err, STET_E_NOT_FOUND, 0,
                              "backup %" PRIu32 " holds nothing from by then",
                              r->number);
        }
    } else if (st == STET_OK) {
        r->recorded = r->manifest->recorded;
    }
    if (st != STET_OK) {
        return st;
    }
    const stet_manifest *m = r->manifest;
    r->end = position + 1;
    while (r->whole < m->file_count &&
           stet__manifest_file_end(m, r->whole) <= r->end) {
        r->pace.total_bytes += m->files[r->whole].bytes;
        r->whole++;
    }
    if (r->whole == 0 && m->file_count > 0 && m->files[0].first_position > 1) {
        return stet__fail(err, STET_E_NOT_FOUND, 0,
                          "backup %" PRIu32 " cannot go back before position "
                          "%" PRIu64,
                          r->number, stet__manifest_file_end(m, 0) - 1);
    }
    return STET_OK;
}

/* Does the record, a machine's newest, still say what came of it? */
static stet_status check_head(const stet_logged *l, stet_error *err)
{
    stet_record record;
    size_t bytes = 0;
    stet_status st = stet__record_parse(l->bytes, &record, &bytes, err);
    if (st != STET_OK) {
        return stet__wrap(err, st, "position %" PRIu64, l->position);
    }
    if (!stet__record_is_dropped(&record) && !stet__record_is_erased(&record)) {
        return STET_OK;
    }
    st = stet__record_is_dropped(&record) ? STET_E_GONE : STET_E_ERASED;
    return stet__fail(err, st, 0,
                      "the backup was made after position %" PRIu64
                      " was %s: the state of a machine",
                      l->position, st == STET_E_GONE ? "dropped" : "erased");
}

static stet_status check_each_head(restoration *r, stet_log_reader *reader,
                                   stet_error *err)
{
    const stet_log_ops *ops = r->source->ops;
    stet_heads_range range = {
        .ns_last = STET_STORE_NAMESPACE,
        .below = r->end,
        .is_nameless = true,
    };
    stet_log_cursor *heads = NULL;
    stet_status st = ops->heads_open(r->source, &range, &heads, err);
    while (st == STET_OK) {
        stet_head_entry head;
        stet_logged l;
        st = ops->heads_next(heads, &head, err);
        if (st == STET_OK && !head.is_deleted) {
            st = ops->reader_read(reader, head.position, &l, err);
            st = st == STET_OK ? check_head(&l, err) : st;
        }
    }
    ops->heads_close(heads);
    return st == STET_DONE ? STET_OK : st;
}

/*
 * At an earlier point each machine must have its state: what retention dropped
 * since was not the newest when it went, but is the newest there.
 */
static stet_status check_heads(restoration *r, stet_error *err)
{
    if (r->end == r->manifest->end_position) {
        return STET_OK;
    }
    const stet_log_ops *ops = r->source->ops;
    stet_log_reader *reader = ops->reader_create(r->source);
    if (reader == NULL) {
        return stet__fail(err, STET_E_NOMEM, 0, "no memory for a restore");
    }
    stet_status st = check_each_head(r, reader, err);
    ops->reader_destroy(reader);
    return st;
}

/* Whole files. */

/* The view's segment of the backup's nth file: they are the same files. */
static const stet_segment *segment_of(const restoration *r, uint32_t idx)
{
    const stet_files *table = stet__embedded_of(r->source)->table;
    STET_ASSERT(idx < stet__files_count(table));
    return table->items[idx];
}

/*
 * The store's uuid stands in a segment's header, a set's head and an index's
 * trailer: put the new one there, where the chunk has them.
 */
static void put_uuid(const restoration *r, const stet_segment *s,
                     const stet_backup_chunk *chunk)
{
    size_t len = stet__backup_chunk_bytes(chunk->file, chunk->idx);
    if (chunk->idx == 0 && !chunk->file->is_set) {
        stet_segment_header h = s->header;
        memcpy(h.uuid, r->uuid, sizeof h.uuid);
        stet__segment_header_put(&h, r->chunk);
    }
    if (chunk->idx == 0 && chunk->file->is_set) {
        stet_trailer t = s->trailer;
        memcpy(t.uuid, r->uuid, sizeof t.uuid);
        stet__set_head_put(&t, r->chunk);
    }
    if (s->image == NULL &&
        chunk->idx + 1 == stet__backup_chunks(chunk->file->bytes)) {
        stet_trailer t = s->trailer;
        memcpy(t.uuid, r->uuid, sizeof t.uuid);
        stet__trailer_put(&t, r->chunk + len - STET_INDEX_BLOCK_BYTES);
    }
}

static stet_status copy_chunks(restoration *r, uint32_t idx, int from, int to,
                               stet_error *err)
{
    stet_os *os = r->target.os;
    const stet_backup_file *f = &r->manifest->files[idx];
    stet_backup_chunk chunk = {.file = f, .fd = from};
    stet_status st = STET_OK;
    for (; st == STET_OK && chunk.idx < stet__backup_chunks(f->bytes);
         chunk.idx++) {
        size_t len = stet__backup_chunk_bytes(f, chunk.idx);
        st = stet__backup_read_chunk(stet__backup_view_folder(r->view),
                                     r->manifest, &chunk, r->chunk, err);
        if (st != STET_OK) {
            return stet__wrap(err, st, "backup %" PRIu32, r->number);
        }
        put_uuid(r, segment_of(r, idx), &chunk);
        int rc = os->pwrite(os, to, r->chunk, len,
                            chunk.idx * STET_BACKUP_CHUNK_BYTES);
        st = rc < 0 ? stet__os_fail(err, rc, "write to %s", r->target.path)
                    : stet__backup_go_on(&r->pace, len, err);
    }
    return st;
}

static stet_status copy_file(restoration *r, uint32_t idx, stet_error *err)
{
    const stet_backup_file *f = &r->manifest->files[idx];
    stet_os *os = r->target.os;
    char name[STET_OS_NAME_MAX];
    if (f->is_set) {
        stet__name_set(f->number, name);
    } else {
        stet__name_segment(f->number, name);
    }
    int from = -1;
    stet_status st = stet__backup_open_copy(stet__backup_view_folder(r->view),
                                            f, &from, err);
    if (st != STET_OK) {
        return st;
    }
    int to = os->open(os, r->target.dir, name,
                      STET_OPEN_WRITE | STET_OPEN_CREATE | STET_OPEN_EXCLUSIVE);
    if (to < 0) {
        st = stet__os_fail(err, to, "create %s/%s", r->target.path, name);
    } else {
        st = copy_chunks(r, idx, from, to, err);
        int rc = st == STET_OK ? os->sync(os, to) : 0;
        int closed = os->close(os, to);
        rc = rc < 0 ? rc : closed;
        if (st == STET_OK && rc < 0) {
            st = stet__os_fail(err, rc, "write %s/%s", r->target.path, name);
        }
    }
    (void)os->close(os, from); /* was only read */
    return st;
}

static stet_status copy_files(restoration *r, stet_error *err)
{
    stet_status st = STET_OK;
    for (uint32_t i = 0; i < r->whole && st == STET_OK; i++) {
        st = copy_file(r, i, err);
    }
    return st;
}

/* Say that the files so far are a store that was stopped cleanly. */
static stet_status write_super(restoration *r, stet_error *err)
{
    uint64_t position = 1;
    uint64_t offset = 0;
    if (r->whole > 0) {
        position = stet__manifest_file_end(r->manifest, r->whole - 1);
        offset = segment_of(r, r->whole - 1)->end;
    }
    stet_super super =
        stet__backup_super(r->manifest, r->whole, position, offset);
    memcpy(super.uuid, r->uuid, sizeof super.uuid);
    int rc = r->target.os->sync(r->target.os, r->target.dir);
    return rc < 0
               ? stet__os_fail(err, rc, "sync %s", r->target.path)
               : stet__slots_create(r->target.os, r->target.dir, &super, err);
}

/* Part of a file: its records, under their positions, in new frames. */

typedef struct rewriting {
    restoration *r;
    stet_log *log;
    stet_log_reader *reader;
    uint64_t next;   /* position */
    uint64_t synced; /* below it the log said so when it was opened */
    stet_buf records;
    uint32_t events;
    int64_t recorded;
} rewriting;

/* Take whole batches that were recorded together. */
static stet_status take_batches(rewriting *w, stet_error *err)
{
    const stet_log_ops *ops = w->r->source->ops;
    bool is_end = true;
    stet__buf_reset(&w->records);
    w->events = 0;
    for (uint64_t at = w->next; at < w->r->end; at++) {
        stet_logged l;
        stet_status st = ops->reader_read(w->reader, at, &l, err);
        if (st != STET_OK) {
            return st;
        }
        if (is_end && w->events > 0 &&
            (l.recorded != w->recorded ||
             w->records.len + l.bytes.len > FRAME_BYTES)) {
            return STET_OK;
        }
        w->recorded = l.recorded;
        w->events++;
        stet__buf_put_slice(&w->records, l.bytes);
        st = ends_batch(&l, &is_end, err);
        if (st != STET_OK) {
            return st;
        }
    }
    STET_ASSERT(is_end); /* `end` was chosen so */
    return STET_OK;
}

static stet_status open_frame(rewriting *w, stet_frame *out, stet_error *err)
{
    const stet_log_ops *ops = w->log->ops;
    size_t need = w->records.len;
    stet_status st = STET_E_BUSY;
    while (st == STET_E_BUSY) {
        st = ops->frame_open(w->log, need, w->next, out, err);
        if (st == STET_E_BUSY) {
            st = ops->make_room(w->log, need, err);
            st = st == STET_OK ? STET_E_BUSY : st;
        }
    }
    return st;
}

static stet_status write_frame(rewriting *w, stet_error *err)
{
    const stet_log_ops *ops = w->log->ops;
    stet_frame frame = {0};
    if (w->records.is_failed) {
        return stet__fail(err, STET_E_NOMEM, 0, "no memory for a frame");
    }
    stet_status st = open_frame(w, &frame, err);
    if (st != STET_OK) {
        return st;
    }
    STET_ASSERT(frame.cap >= w->records.len);
    memcpy(frame.records, w->records.ptr, w->records.len);
    frame.recorded = w->recorded;
    ops->frame_close(w->log, &frame, w->records.len, w->events);
    st = ops->frame_seal(w->log, &frame, w->synced, err);
    if (st == STET_OK) {
        st = ops->frame_write(w->log, &frame, err);
    }
    if (st == STET_OK) {
        w->next += w->events;
        ops->published(w->log, w->next, w->synced);
    }
    return st;
}

static stet_status rewrite(rewriting *w, stet_error *err)
{
    stet_status st = STET_OK;
    while (w->next < w->r->end && st == STET_OK) {
        st = take_batches(w, err);
        if (st == STET_OK) {
            st = write_frame(w, err);
        }
    }
    return st == STET_OK ? w->log->ops->sync(w->log, err) : st;
}

/* The log opens what is there so far, and goes on. */
static stet_status rewrite_part(restoration *r, stet_error *err)
{
    stet_opts opts = *r->config->opts;
    opts.mode = STET_OPEN_EXISTING;
    opts.level = STET_LEVEL_OS; /* one sync at the end */
    stet_log_config config = *r->config;
    config.opts = &opts;
    rewriting w = {.r = r};
    stet_log_start start;
    stet_status st = stet__embedded_open_restored(r->target.path, &config,
                                                  &w.log, &start, err);
    if (st != STET_OK) {
        return st;
    }
    STET_MARK("restore.part_of_a_file");
    w.next = start.next_position;
    w.synced = start.next_position;
    stet__buf_init(&w.records, r->config->alloc);
    w.reader = r->source->ops->reader_create(r->source);
    st = w.reader == NULL
             ? stet__fail(err, STET_E_NOMEM, 0, "no memory for a restore")
             : rewrite(&w, err);
    stet_error ignored = {0};
    stet_status closed =
        w.log->ops->close(w.log, st == STET_OK, st == STET_OK ? err : &ignored);
    r->source->ops->reader_destroy(w.reader);
    stet__buf_deinit(&w.records);
    return st == STET_OK ? closed : st;
}

/* All of it. */

static stet_status open_target(restoration *r, const char *to, stet_error *err)
{
    char uuid[STET_NAME_UUID_MAX];
    char origin[256];
    int rc = r->config->os->random(r->config->os, r->uuid, sizeof r->uuid);
    if (rc < 0) {
        return stet__os_fail(err, rc, "draw a uuid");
    }
    stet__name_uuid(r->manifest->uuid, uuid);
    (void)snprintf(origin, sizeof origin,
                   "store %s, backup %" PRIu32 ", up to position %" PRIu64 "\n",
                   uuid, r->number, r->end - 1); /* fits */
    return stet__backup_target_open(&r->target, to, origin, err);
}

static stet_status restore(restoration *r, const char *folder, const char *to,
                           stet_error *err)
{
    stet_status st = choose_backup(r, folder, err);
    if (st == STET_OK) {
        st = open_source(r, folder, err);
    }
    if (st == STET_OK) {
        st = find_end(r, err);
    }
    if (st == STET_OK) {
        st = check_heads(r, err);
    }
    if (st == STET_OK) {
        st = open_target(r, to, err);
    }
    if (st != STET_OK) {
        return st;
    }
    r->chunk = stet__alloc(r->config->alloc, STET_BACKUP_CHUNK_BYTES);
    st = r->chunk == NULL
             ? stet__fail(err, STET_E_NOMEM, 0, "no memory for a restore")
             : copy_files(r, err);
    if (st == STET_OK) {
        st = write_super(r, err);
    }
    if (st == STET_OK && r->whole < r->manifest->file_count &&
        r->manifest->files[r->whole].first_position < r->end) {
        st = rewrite_part(r, err);
    }
    return st == STET_OK ? stet__backup_target_commit(&r->target, err) : st;
}

stet_status stet__backup_restore(const stet_log_config *config,
                                 const char *folder, const char *to,
                                 const stet_restore_opts *opts,
                                 stet_restored *out, stet_error *err)
{
    restoration r = {
        .config = config,
        .opts = opts,
        .pace = {.progress = opts->progress, .ctx = opts->ctx},
    };
    stet__backup_target_init(&r.target, config->os, config->alloc);
    stet_status st = restore(&r, folder, to, err);
    if (st == STET_OK) {
        *out = (stet_restored){
            .struct_size = sizeof *out,
            .number = r.number,
            .position = r.end - 1,
            .recorded_at = r.recorded,
            .bytes = r.pace.done_bytes,
        };
        stet__name_uuid(r.uuid, out->uuid);
    }
    stet__backup_target_close(&r.target);
    stet__free(config->alloc, r.chunk, STET_BACKUP_CHUNK_BYTES);
    if (r.source != NULL) {
        (void)r.source->ops->close(r.source, false, NULL); /* was only read */
    }
    return st;
}
