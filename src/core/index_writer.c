#include "core/index_writer.h"

#include "base/assert.h"

static void close_block(stet_index_writer *w)
{
    if (w->used == 0) {
        return;
    }
    if (!w->out->is_failed) {
        stet__index_block_seal(w->out->ptr + w->at, w->section, w->number,
                               w->used, w->trailer->salt);
    }
    w->number++;
    w->used = 0;
}

/* Will an entry of `len` bytes be the first of a block? */
static bool begins_block(const stet_index_writer *w, size_t len)
{
    return w->used == 0 || len > STET_INDEX_PAYLOAD_BYTES - w->used;
}

void stet__index_writer_put(stet_index_writer *w, stet_slice entry)
{
    STET_ASSERT(entry.len > 0 && entry.len <= STET_INDEX_PAYLOAD_BYTES);
    if (begins_block(w, entry.len)) {
        close_block(w);
        w->at = w->out->len;
        (void)stet__buf_extend(w->out, STET_INDEX_BLOCK_BYTES); /* is_failed */
    }
    if (!w->out->is_failed) {
        uint8_t *payload = w->out->ptr + w->at + STET_INDEX_HEADER_BYTES;
        memcpy(payload + w->used, entry.ptr, entry.len);
    }
    w->used += entry.len;
}

/* Where a section's range is kept. */
static stet_section_range *range_of(stet_index_writer *w)
{
    stet_trailer *t = w->trailer;
    return w->section == STET_SECTION_BLOCKS ? &t->set.blocks
                                             : &t->sections[w->section - 1];
}

void stet__index_writer_begin(stet_index_writer *w, stet_section section)
{
    STET_ASSERT(w->used == 0);
    w->section = section;
    range_of(w)->first_block = w->number;
}

void stet__index_writer_end(stet_index_writer *w, uint64_t entries)
{
    close_block(w);
    stet_section_range *range = range_of(w);
    range->blocks = w->number - range->first_block;
    range->entries = entries;
}

/* Put bytes in pieces that fill a block each, but the last. */
static void put_pieces(stet_index_writer *w, const stet_buf *bytes,
                       size_t piece)
{
    for (size_t at = 0; at < bytes->len; at += piece) {
        size_t left = bytes->len - at;
        stet__index_writer_put(
            w, stet_slice_of(bytes->ptr + at, left < piece ? left : piece));
        close_block(w);
    }
}

void stet__index_writer_put_many(stet_index_writer *w, const stet_buf *entries,
                                 size_t entry_bytes)
{
    put_pieces(w, entries,
               STET_INDEX_PAYLOAD_BYTES -
                   STET_INDEX_PAYLOAD_BYTES % entry_bytes);
}

/* The key at the front of a run's entry, as fences have it. */
static void put_fence(stet_slice run, stet_buf *fences)
{
    stet_reader in = stet__reader_of(run);
    uint8_t ns = stet__read_u8(&in);
    size_t id_bytes = (size_t)stet__read_varint(&in);
    stet__buf_put_varint(fences, 1 + id_bytes);
    stet__buf_put_u8(fences, ns);
    stet__buf_put_slice(fences, stet__read_bytes(&in, id_bytes));
}

void stet__index_writer_put_run(stet_index_writer *w, stet_slice run,
                                stet_buf *fences)
{
    if (begins_block(w, run.len)) {
        put_fence(run, fences);
    }
    stet__index_writer_put(w, run);
}

void stet__index_writer_put_fences(stet_index_writer *w, const stet_buf *fences)
{
    stet__index_writer_begin(w, STET_SECTION_FENCES);
    put_pieces(w, fences, STET_INDEX_PAYLOAD_BYTES);
    stet__index_writer_end(
        w, w->trailer->sections[STET_SECTION_DIRECTORY - 1].blocks);
}

void stet__index_writer_put_trailer(stet_index_writer *w)
{
    STET_ASSERT(w->used == 0);
    uint8_t *block = stet__buf_extend(w->out, STET_INDEX_BLOCK_BYTES);
    if (block != NULL) {
        stet__trailer_put(w->trailer, block);
    }
}

size_t stet__index_writer_full(const stet_index_writer *w)
{
    return w->used > 0 ? w->at : w->out->len;
}

void stet__index_writer_taken(stet_index_writer *w)
{
    size_t full = stet__index_writer_full(w);
    memmove(w->out->ptr, w->out->ptr + full, w->out->len - full);
    w->out->len -= full;
    w->at = 0;
}
