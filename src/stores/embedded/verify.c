/*
 * Verifying and reindexing: both read a segment's frames again and build the
 * index that they make. An index is a function of its own file's records except
 * for the jumps, which are taken over from the index that is there.
 */
#include <errno.h>
#include <inttypes.h>

#include "base/error.h"
#include "core/imageread.h"
#include "stores/embedded/indexing.h"
#include "stores/embedded/jump.h"
#include "stores/embedded/log.h"
#include "stores/embedded/merged.h"
#include "stores/embedded/names.h"
#include "stores/embedded/scan.h"
#include "stores/embedded/settled_verify.h"

enum { CHUNK_BYTES = 64 * 1024 };

/* Frames. */

/* Read a sealed segment again, as if it had no index. */
static stet_status read_again(stet_embedded *e, const stet_segment *s,
                              stet_segment **out, uint32_t *out_frames,
                              stet_error *err)
{
    uint64_t end = s->trailer.end_offset;
    stet_image *image = NULL;
    stet_status st =
        stet__scan_load(e->os, e->alloc, s->fd, &s->header, &image, err);
    if (st != STET_OK) {
        return st;
    }
    stet_scan scan = stet__scan_frames(image, &s->header, end, end);
    stet_segment *again = stet__segment_create(e->alloc, e->os, -1, &s->header);
    if (again == NULL) {
        stet__image_destroy(image);
        return stet__fail(err, STET_E_NOMEM, 0, "no memory for a segment");
    }
    again->image = image;
    again->end = end;
    again->last_crc = scan.previous_crc;
    if (scan.offset != end) {
        st = stet__damage(err, s->header.file, scan.offset,
                          "frame is damaged; the segment goes on to %" PRIu64,
                          end);
    } else if (scan.position != s->trailer.end_position ||
               scan.previous_crc != s->trailer.last_frame_crc) {
        st = stet__damage(err, s->header.file, end,
                          "frames and trailer do not belong together");
    } else {
        st = stet__segment_index(again, end, err);
    }
    if (st != STET_OK) {
        stet__segment_unref(again);
        return st;
    }
    *out = again;
    *out_frames = scan.frames;
    return STET_OK;
}

/* Index. */

typedef struct index_jumps {
    stet_old_jumps old;
    stet_jumps *anew; /* for runs whose entry is damaged; NULL: none then */
} index_jumps;

static bool jump_of(void *ctx, const stet_run *run, stet_run_link *out)
{
    index_jumps *j = ctx;
    stet_status st = stet__old_jump(&j->old, run->key, out);
    if (st == STET_OK) {
        return out->position != 0;
    }
    return j->anew != NULL && stet__jump_of_run(j->anew, run, out);
}

/* Build the index that the segment ought to have. */
static stet_status build_again(stet_embedded *e, const stet_segment *s,
                               const stet_segment *again, bool is_repair,
                               stet_buf *out, stet_error *err)
{
    stet_jumps anew;
    index_jumps jumps = {.anew = is_repair ? &anew : NULL};
    stet_index_input in = {
        .image = again->image,
        .file = s->header.file,
        .salt = s->header.salt,
        .end_offset = again->end,
        .last_frame_crc = again->last_crc,
        .jump = jump_of,
        .jump_ctx = &jumps,
    };
    memcpy(in.uuid, e->uuid, sizeof in.uuid);
    stet__jumps_init(&anew, e);
    stet__old_jumps_init(&jumps.old, e->alloc, s);
    stet_status st = stet__index_build(e->alloc, &in, out, err);
    stet__old_jumps_deinit(&jumps.old);
    stet__jumps_deinit(&anew);
    return st;
}

stet_status stet__verify_index(const stet_segment *s, const stet_buf *index,
                               uint64_t *out_damaged, uint64_t *out_first,
                               stet_error *err)
{
    uint64_t end = s->trailer.end_offset;
    *out_damaged = 0;
    for (size_t at = 0; at < index->len; at += STET_INDEX_BLOCK_BYTES) {
        uint8_t block[STET_INDEX_BLOCK_BYTES];
        int64_t n = s->os->pread(s->os, s->fd, block, sizeof block, end + at);
        if (n < 0) {
            return stet__os_fail(err, (int)n, "read the index of file %" PRIu32,
                                 s->header.file);
        }
        if ((size_t)n < sizeof block ||
            memcmp(block, index->ptr + at, sizeof block) != 0) {
            *out_first = *out_damaged == 0 ? end + at : *out_first;
            (*out_damaged)++;
        }
    }
    return STET_OK;
}

/* Verifying. */

/* Is it one of the table's, as the table is now? */
static bool is_in_table(stet_embedded *e, const stet_segment *s)
{
    stet_files *table = stet__embedded_lend(e);
    bool is_in = false;
    for (uint32_t i = 0; !is_in && i < stet__files_count(table); i++) {
        is_in = table->items[i] == s;
    }
    stet__embedded_unlend(e, table);
    return is_in;
}

/*
 * What is in memory was written: does the file hold it? A file that was sealed
 * and settled since the verifying began may be gone, or be about to become
 * another one; what settling made of it was compared then.
 */
static stet_status compare_image(stet_embedded *e, const stet_segment *s,
                                 stet_error *err)
{
    char name[STET_OS_NAME_MAX];
    uint64_t end = stet__image_end_below(s->image, stet__embedded_watermark(e));
    if (end == STET_W) {
        return STET_OK; /* not even its header need be written yet */
    }
    uint8_t *chunk = stet__alloc(e->alloc, CHUNK_BYTES);
    if (chunk == NULL) {
        return stet__fail(err, STET_E_NOMEM, 0, "no memory for a buffer");
    }
    stet__name_segment(s->header.file, name);
    int fd = e->os->open(e->os, e->dir, name, 0);
    bool is_gone = fd == -ENOENT && !is_in_table(e, s);
    stet_status st =
        fd < 0 && !is_gone ? stet__os_fail(err, fd, "open %s", name) : STET_OK;
    end = is_gone ? 0 : end;
    for (uint64_t at = 0; at < end && st == STET_OK; at += CHUNK_BYTES) {
        size_t len = end - at < CHUNK_BYTES ? (size_t)(end - at) : CHUNK_BYTES;
        int64_t n = e->os->pread(e->os, fd, chunk, len, at);
        if (n < 0) {
            st = stet__os_fail(err, (int)n, "read %s", name);
        } else if ((size_t)n < len ||
                   memcmp(chunk, stet__image_bytes(s->image) + at, len) != 0) {
            st = stet__damage(err, s->header.file, at,
                              "the file differs from what was written");
        }
    }
    if (fd >= 0) {
        (void)e->os->close(e->os, fd); /* was only read */
    }
    stet__free(e->alloc, chunk, CHUNK_BYTES);
    if (st == STET_E_CORRUPT && !is_in_table(e, s)) {
        stet__error_reset(err);
        return STET_OK;
    }
    return st;
}

static stet_status verify_header(const stet_segment *s, stet_error *err)
{
    uint8_t block[STET_W];
    uint8_t expected[STET_W];
    stet_status st = stet__segment_pread(s, block, sizeof block, 0, err);
    if (st != STET_OK) {
        return st;
    }
    stet__segment_header_put(&s->header, expected);
    return memcmp(block, expected, sizeof block) == 0
               ? STET_OK
               : stet__damage(err, s->header.file, 0,
                              "the segment header is damaged");
}

static stet_status verify_sealed(stet_embedded *e, const stet_segment *s,
                                 stet_verify_report *report, stet_error *err)
{
    stet_segment *again = NULL;
    uint32_t frames = 0;
    stet_status st = verify_header(s, err);
    if (st == STET_OK) {
        st = read_again(e, s, &again, &frames, err);
    }
    if (st != STET_OK) {
        return st;
    }
    report->frames += frames;
    report->records += s->trailer.end_position - s->trailer.first_position;
    stet_buf index;
    stet__buf_init(&index, e->alloc);
    uint64_t damaged = 0;
    uint64_t first = 0;
    st = build_again(e, s, again, false, &index, err);
    if (st == STET_OK) {
        report->index_blocks += index.len / STET_INDEX_BLOCK_BYTES;
        st = stet__verify_index(s, &index, &damaged, &first, err);
    }
    if (st == STET_OK && damaged > 0) {
        report->index_damaged += damaged;
        st = stet__damage(err, s->header.file, first,
                          "index block is damaged; reindex repairs it");
    }
    stet__buf_deinit(&index);
    stet__segment_unref(again);
    return st;
}

static stet_status verify_segment(stet_embedded *e, stet_files *table,
                                  const stet_segment *s,
                                  stet_verify_report *report, stet_error *err)
{
    if (stet__segment_is_set(s)) {
        return stet__settled_verify(e, table, s, report, err);
    }
    if (s->image == NULL) {
        return verify_sealed(e, s, report, err);
    }
    uint64_t offset = 0;
    if (!stet__image_verify(s->image, report, &offset)) {
        return stet__damage(err, s->header.file, offset, "frame is damaged");
    }
    return compare_image(e, s, err);
}

stet_status stet__embedded_verify(stet_log *log, stet_progress_fn progress,
                                  void *ctx, stet_verify_report *report,
                                  stet_error *err)
{
    stet_embedded *e = stet__embedded_of(log);
    stet_files *table = stet__embedded_lend(e);
    uint32_t files = stet__files_count(table);
    uint32_t count = files + table->merged_count;
    stet_status st = STET_OK;
    for (uint32_t i = 0; i < count && st == STET_OK; i++) {
        st = i < files ? verify_segment(e, table, table->items[i], report, err)
                       : stet__merged_verify(e, table, table->merged[i - files],
                                             report, err);
        if (st == STET_OK && progress != NULL && !progress(ctx, i + 1, count)) {
            st = stet__fail(err, STET_E_PARTIAL, 0,
                            "stopped after %" PRIu32 " of %" PRIu32 " files",
                            i + 1, count);
        }
    }
    stet__embedded_unlend(e, table);
    return st;
}

/* Reindexing. */

static stet_status rewrite_index(stet_embedded *e, stet_segment *s,
                                 stet_segment *again, stet_error *err)
{
    uint64_t index_end = s->trailer.end_offset + stet__index_bytes(&s->trailer);
    stet_status st = stet__seal_undo(e, &s->header, index_end, err);
    if (st == STET_OK) {
        st = stet__embedded_replace(e, s, again, err);
    }
    return st == STET_OK ? stet__seal_segment(e, again, err) : st;
}

static stet_status reindex_segment(stet_embedded *e, stet_segment *s,
                                   bool *out_did, stet_error *err)
{
    stet_segment *again = NULL;
    uint32_t frames = 0;
    stet_status st = read_again(e, s, &again, &frames, err);
    if (st != STET_OK) {
        return st;
    }
    stet_buf index;
    stet__buf_init(&index, e->alloc);
    uint64_t damaged = 0;
    uint64_t first = 0;
    st = build_again(e, s, again, true, &index, err);
    if (st == STET_OK) {
        st = stet__verify_index(s, &index, &damaged, &first, err);
    }
    stet__buf_deinit(&index);
    *out_did = st == STET_OK && damaged > 0;
    if (*out_did) {
        e->small = e->small == s ? NULL : e->small;
        st = rewrite_index(e, s, again, err);
    }
    stet__segment_unref(again);
    return st;
}

/* What is wrong goes; settling makes it anew. */
static stet_status reindex_merged(stet_embedded *e, const stet_files *table,
                                  stet_segment *index, bool *out_did,
                                  stet_error *err)
{
    stet_verify_report report = {0};
    stet_error found = {0};
    stet_status st = stet__merged_verify(e, table, index, &report, &found);
    *out_did = st == STET_E_CORRUPT;
    if (*out_did) {
        return stet__indexing_remove(e, index, err);
    }
    if (st != STET_OK && err != NULL) {
        *err = found;
    }
    return st;
}

/*
 * Reindex the file that holds a position, in the table as it is now: what was
 * mended is another one there. Moves on to the next; 0: there is none.
 */
static stet_status reindex_at(stet_embedded *e, uint64_t *position,
                              uint64_t *rebuilt, stet_error *err)
{
    stet_files *table = stet__embedded_lend(e);
    uint32_t i = stet__files_locate(table, *position);
    stet_status st = STET_OK;
    *position = 0;
    if (i != UINT32_MAX) {
        stet_segment *s = table->items[i];
        bool did = false;
        if (stet__segment_is_set(s)) {
            st = stet__settled_reindex(e, table, s, &did, err);
        } else if (s->image == NULL) {
            st = reindex_segment(e, s, &did, err);
        }
        *rebuilt += did;
        *position = i + 1 < stet__files_count(table)
                        ? table->items[i + 1]->header.first_position
                        : 0;
    }
    stet__embedded_unlend(e, table);
    return st;
}

static stet_status reindex_all_merged(stet_embedded *e, uint64_t *rebuilt,
                                      stet_error *err)
{
    stet_files *table = stet__embedded_lend(e);
    stet_status st = STET_OK;
    for (uint32_t i = 0; i < table->merged_count && st == STET_OK; i++) {
        bool did = false;
        st = reindex_merged(e, table, table->merged[i], &did, err);
        *rebuilt += did;
    }
    stet__embedded_unlend(e, table);
    return st;
}

stet_status stet__embedded_reindex(stet_log *log, uint64_t *out_rebuilt,
                                   stet_error *err)
{
    stet_embedded *e = stet__embedded_of(log);
    stet_status st = stet__embedded_refuse(e, err);
    if (st != STET_OK) {
        return st;
    }
    uint64_t rebuilt = 0;
    for (uint64_t position = 1; position > 0 && st == STET_OK;) {
        st = reindex_at(e, &position, &rebuilt, err);
    }
    if (st == STET_OK) {
        st = reindex_all_merged(e, &rebuilt, err);
    }
    *out_rebuilt = rebuilt;
    return st;
}
