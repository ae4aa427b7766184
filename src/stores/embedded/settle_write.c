/*
 * Settling: the set's file, temporary until it is named.
 */
#include <inttypes.h>

#include "base/error.h"
#include "stores/embedded/names.h"
#include "stores/embedded/settling.h"

static stet_status draw_salts(stet_settling *w, bool has_seed, stet_error *err)
{
    stet_os *os = w->e->os;
    stet_trailer *t = &w->trailer;
    int rc = os->random(os, &t->salt, sizeof t->salt);
    if (rc >= 0 && has_seed) {
        rc = os->random(os, t->set.seed, sizeof t->set.seed);
    }
    return rc < 0 ? stet__os_fail(err, rc, "draw a salt") : STET_OK;
}

/* What the trailer says before anything is read. */
static stet_status begin_trailer(stet_settling *w, stet_error *err)
{
    const stet_segment *oldest = w->segments[0];
    const stet_trailer *first = &oldest->trailer;
    const stet_segment *last = w->segments[w->count - 1];
    bool is_merge = stet__segment_is_set(oldest);
    w->trailer =
        (stet_trailer){.kind = STET_INDEX_OF_SET,
                       .format = STET_FORMAT,
                       .file = w->file.number,
                       .first_position = first->first_position,
                       .end_position = last->trailer.end_position,
                       .first_recorded = first->first_recorded,
                       .last_recorded = last->trailer.last_recorded,
                       .last_frame_crc = last->trailer.last_frame_crc,
                       .set = {
                           .first_file = is_merge ? first->set.first_file
                                                  : oldest->header.file,
                           .last_file = stet__segment_rank(last),
                           .last_end = stet__segment_end(last),
                           .predecessor = oldest->header.predecessor,
                           .predecessor_end = oldest->header.predecessor_end,
                       }};
    for (uint32_t i = 0; i < w->count; i++) {
        w->trailer.frames += w->segments[i]->trailer.frames;
    }
    memcpy(w->trailer.uuid, w->e->uuid, sizeof w->trailer.uuid);
    if (is_merge) {
        memcpy(w->trailer.set.seed, first->set.seed, sizeof first->set.seed);
    }
    return draw_salts(w, !is_merge, err);
}

stet_status stet__settle_file_create(stet_settling *w, stet_error *err)
{
    stet_status st = begin_trailer(w, err);
    if (st == STET_OK) {
        st = stet__set_packer_init(&w->packer, w->e->alloc, w->trailer.salt,
                                   err);
    }
    return st == STET_OK ? stet__making_create(&w->file, err) : st;
}

void stet__settle_file_drop(stet_settling *w)
{
    stet__making_drop(&w->file);
    stet__set_packer_deinit(&w->packer);
}

/* Write and forget; no input is to blame when it fails. */
static stet_status write_bytes(stet_settling *w, stet_buf *bytes,
                               stet_error *err)
{
    stet_status st = stet__making_write(&w->file, stet__buf_slice(bytes), err);
    w->reading = st == STET_OK ? w->reading : 0;
    stet__buf_reset(bytes);
    return st;
}

static stet_status sync_file(stet_settling *w, bool is_whole, stet_error *err)
{
    stet_status st = stet__making_sync(&w->file, is_whole, err);
    w->reading = st == STET_OK ? w->reading : 0;
    return st;
}

stet_status stet__settle_file_begin(stet_settling *w, stet_error *err)
{
    uint8_t head[STET_SET_HEAD_BYTES];
    stet__set_head_put(&w->trailer, head);
    stet_status st =
        stet__making_write(&w->file, stet_slice_of(head, sizeof head), err);
    w->reading = st == STET_OK ? w->reading : 0;
    return st;
}

/* Synced piece by piece: a flush of all at once would hold others up. */
stet_status stet__settle_file_write(stet_settling *w, stet_error *err)
{
    if (w->packer.packed.len < STET_MAKING_PIECE_BYTES) {
        return STET_OK;
    }
    stet_status st = write_bytes(w, &w->packer.packed, err);
    return st == STET_OK ? sync_file(w, false, err) : st;
}

/* Pack what is left, and zeros up to where the index begins. */
static stet_status end_content(stet_settling *w, stet_error *err)
{
    stet_status st = stet__set_packer_end(&w->packer, err);
    if (st != STET_OK) {
        return st;
    }
    stet_trailer *t = &w->draft.index.trailer;
    t->end_offset = stet__round_up_w(w->packer.offset);
    t->set.raw_bytes = stet__set_packer_bytes(&w->packer);
    size_t padding = (size_t)(t->end_offset - w->packer.offset);
    uint8_t *zeros = stet__buf_extend(&w->packer.packed, padding);
    if (zeros == NULL) {
        return stet__fail(err, STET_E_NOMEM, 0, "no memory to settle");
    }
    memset(zeros, 0, padding);
    return write_bytes(w, &w->packer.packed, err);
}

/* Put the index together, the blocks' pieces with the rest of it. */
static stet_status put_index(stet_settling *w, stet_error *err)
{
    stet_buf pieces = w->draft.index.pieces;
    w->draft.index.pieces = w->packer.pieces;
    w->packer.pieces = pieces;
    return stet__index_draft_put(&w->draft.index, &w->index, err);
}

stet_status stet__settle_file_index(stet_settling *w, stet_error *err)
{
    stet_status st = stet__set_draft_end(&w->draft, err);
    if (st == STET_OK) {
        st = end_content(w, err);
    }
    return st == STET_OK ? put_index(w, err) : st;
}

/* The index's bytes that a step is about. */
static stet_slice next_piece(const stet_settling *w)
{
    size_t left = w->index.len - w->index_at;
    return stet_slice_of(
        w->index.ptr + w->index_at,
        left < STET_MAKING_PIECE_BYTES ? left : STET_MAKING_PIECE_BYTES);
}

stet_status stet__settle_file_write_index(stet_settling *w, stet_error *err)
{
    stet_slice piece = next_piece(w);
    stet_status st = stet__making_write(&w->file, piece, err);
    if (st != STET_OK) {
        w->reading = 0;
        return st;
    }
    w->index_at += piece.len;
    bool is_whole = w->index_at == w->index.len;
    if (is_whole) {
        w->index_at = 0;
        w->stage = STET_SETTLING_CHECKS;
    }
    return sync_file(w, is_whole, err);
}

static stet_status check_block(stet_settling *w, const uint8_t *due,
                               uint64_t offset, stet_error *err)
{
    uint8_t block[STET_INDEX_BLOCK_BYTES];
    stet_os *os = w->e->os;
    int64_t n = os->pread(os, w->file.fd, block, sizeof block, offset);
    w->reading = 0;
    if (n < 0) {
        return stet__making_failed(&w->file, (int)n, "read back", err);
    }
    return (size_t)n < sizeof block || memcmp(block, due, sizeof block) != 0
               ? stet__fail(err, STET_E_IO, 0,
                            "tmp-%" PRIu32 " at offset %" PRIu64
                            ": differs from what was written",
                            w->file.number, offset)
               : STET_OK;
}

stet_status stet__settle_file_check(stet_settling *w, stet_error *err)
{
    stet_slice piece = next_piece(w);
    uint64_t offset = w->draft.index.trailer.end_offset + w->index_at;
    stet_status st = STET_OK;
    for (size_t at = 0; at < piece.len && st == STET_OK;
         at += STET_INDEX_BLOCK_BYTES) {
        st = check_block(w, (const uint8_t *)piece.ptr + at, offset + at, err);
    }
    w->index_at += piece.len;
    if (w->index_at == w->index.len) {
        w->stage = STET_SETTLING_ENDS;
    }
    return st;
}
