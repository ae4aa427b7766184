/*
 * Sealing: the index goes behind the frames, the trailer after it, at the end
 * of the file. A sound trailer proves that all before it is durable, so each
 * part is synced before the next is written:
 *
 *   frames | index -> sync | trailer -> sync | file cut behind it -> sync
 *
 * Until it is cut the trailer is not at the file's end, and the file counts as
 * unsealed; what lies behind the frames' end, which its successor or a clean
 * `super` names, does not exist. So a file that is shorter than its capacity is
 * sealed, or named so in both slots: or somebody else cut it.
 */
#include <inttypes.h>

#include "base/assert.h"
#include "base/error.h"
#include "base/mark.h"
#include "stores/embedded/jump.h"
#include "stores/embedded/log.h"
#include "stores/embedded/names.h"

static stet_status build_index(stet_embedded *e, const stet_segment *s,
                               stet_buf *out, stet_error *err)
{
    stet_jumps jumps;
    stet_index_input in = {
        .image = s->image,
        .file = s->header.file,
        .salt = s->header.salt,
        .end_offset = s->end,
        .last_frame_crc = s->is_own ? s->tail.last_crc : s->last_crc,
        .jump = stet__jump_of_run,
        .jump_ctx = &jumps,
    };
    memcpy(in.uuid, e->uuid, sizeof in.uuid);
    stet__jumps_init(&jumps, e);
    stet_status st = stet__index_build(e->alloc, &in, out, err);
    stet__jumps_deinit(&jumps);
    return st;
}

/*
 * A sync that failed has lost what it was for, whatever it says is the cause.
 */
static stet_status after_sync(stet_embedded *e, int rc, uint32_t file,
                              stet_error *err)
{
    if (rc < 0) {
        stet__embedded_poison(e);
        return stet__fail(err, STET_E_IO, -rc, "sync %" PRIu32 ".seg", file);
    }
    return STET_OK;
}

/* Nothing is lost by a write that fails: behind the end there is nothing. */
static stet_status write_blocks(stet_embedded *e, int fd, uint64_t offset,
                                stet_slice blocks, uint32_t file,
                                stet_error *err)
{
    int rc = e->os->pwrite(e->os, fd, blocks.ptr, blocks.len, offset);
    return rc < 0 ? stet__os_fail(err, rc, "index %" PRIu32 ".seg", file)
                  : after_sync(e, e->os->datasync(e->os, fd), file, err);
}

static stet_status write_index(stet_embedded *e, int fd, uint64_t end,
                               const stet_buf *index, uint32_t file,
                               stet_error *err)
{
    size_t len = index->len - STET_INDEX_BLOCK_BYTES;
    stet_slice trailer =
        stet_slice_of(index->ptr + len, STET_INDEX_BLOCK_BYTES);
    stet_status st =
        write_blocks(e, fd, end, stet_slice_of(index->ptr, len), file, err);
    if (st == STET_OK) {
        st = write_blocks(e, fd, end + len, trailer, file, err);
    }
    if (st != STET_OK) {
        return st;
    }
    int rc = e->os->truncate(e->os, fd, end + index->len);
    return rc < 0 ? stet__os_fail(err, rc, "cut %" PRIu32 ".seg", file)
                  : after_sync(e, e->os->sync(e->os, fd), file, err);
}

/* Swap the table's entry for one that reads the index just written. */
static stet_status install(stet_embedded *e, const stet_segment *s, int fd,
                           const stet_buf *index, stet_error *err)
{
    stet_trailer trailer;
    stet_status st = stet__trailer_get(
        index->ptr + index->len - STET_INDEX_BLOCK_BYTES, &trailer, err);
    STET_ASSERT(st == STET_OK); /* it was built a moment ago */
    stet_segment *sealed =
        stet__segment_create(e->alloc, e->os, fd, &s->header);
    if (sealed == NULL) {
        (void)e->os->close(e->os, fd); /* all was synced */
        return stet__fail(err, STET_E_NOMEM, 0, "no memory for a segment");
    }
    sealed->trailer = trailer;
    sealed->end = s->end;
    st = stet__embedded_replace(e, s, sealed, err);
    stet__segment_unref(sealed);
    return st;
}

stet_status stet__seal_undo(stet_embedded *e, const stet_segment_header *h,
                            uint64_t bytes, stet_error *err)
{
    bytes += STET_W;
    return stet__segment_resize(e, h->file,
                                bytes > h->capacity ? bytes : h->capacity, err);
}

stet_status stet__seal_segment(stet_embedded *e, stet_segment *s,
                               stet_error *err)
{
    STET_ASSERT(s->image != NULL && s->end > STET_W);
    char name[STET_OS_NAME_MAX];
    stet_buf index;
    stet__buf_init(&index, e->alloc);
    stet_status st = build_index(e, s, &index, err);
    if (st == STET_OK && s->sealed_bytes > 0) {
        STET_MARK("seal.again");
        st = stet__seal_undo(e, &s->header, s->sealed_bytes, err);
    }
    if (st == STET_OK) {
        stet__name_segment(s->header.file, name);
        int fd = e->os->open(e->os, e->dir, name, STET_OPEN_WRITE);
        if (fd < 0) {
            st = stet__os_fail(err, fd, "open %s", name);
        } else {
            st = write_index(e, fd, s->end, &index, s->header.file, err);
            if (st == STET_OK) {
                s->sealed_bytes = s->end + index.len;
                st = install(e, s, fd, &index, err);
            } else {
                (void)e->os->close(e->os, fd); /* is not a sealed file */
            }
        }
    }
    stet__buf_deinit(&index);
    return st;
}

stet_status stet__segment_resize(stet_embedded *e, uint32_t file,
                                 uint64_t bytes, stet_error *err)
{
    char name[STET_OS_NAME_MAX];
    stet__name_segment(file, name);
    int fd = e->os->open(e->os, e->dir, name, STET_OPEN_WRITE);
    int rc = fd < 0 ? fd : e->os->truncate(e->os, fd, bytes);
    rc = rc < 0 ? rc : e->os->sync(e->os, fd);
    int closed = fd < 0 ? 0 : e->os->close(e->os, fd);
    rc = rc < 0 ? rc : closed;
    return rc < 0 ? stet__os_fail(err, rc, "resize %s", name) : STET_OK;
}

/* Has the segment ended for good, its successor's first frame durable? */
static bool is_sealable(const stet_embedded *e, const stet_files *table,
                        uint32_t i)
{
    if (table->items[i]->image == NULL || i + 1 >= stet__files_count(table)) {
        return false;
    }
    uint64_t next = table->items[i + 1]->header.first_position;
    return next <= stet__embedded_synced(e) &&
           next < stet__embedded_watermark(e);
}

stet_status stet__seal_oldest(stet_embedded *e, bool *out_did, stet_error *err)
{
    stet_status st = STET_OK;
    stet_files *table = stet__embedded_lend(e);
    *out_did = false;
    for (uint32_t i = 0; i < stet__files_count(table) && !*out_did; i++) {
        if (is_sealable(e, table, i)) {
            STET_MARK("seal.behind_the_live_one");
            *out_did = true;
            st = stet__seal_segment(e, table->items[i], err);
        }
    }
    stet__embedded_unlend(e, table);
    return st;
}
