#include "core/index_draft.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/error.h"

enum { KEY_HASH_BYTES = 16 };

/* Puts entries into blocks, section by section. */
typedef struct block_writer {
    stet_buf *out;
    stet_trailer *trailer; /* takes the sections' ranges */
    stet_section section;
    uint32_t number; /* of the block being filled, or of the next one */
    size_t at;       /* where the block being filled begins in `out` */
    size_t used;     /* bytes of its payload; 0: there is no such block */
} block_writer;

static stet_buf *part(stet_index_draft *d, unsigned i)
{
    stet_buf *parts[] = {&d->slots,  &d->lists, &d->times, &d->keys,
                         &d->pieces, &d->runs,  &d->hashes};
    return i < sizeof parts / sizeof *parts ? parts[i] : NULL;
}

void stet__index_draft_init(stet_index_draft *d, const stet_allocator *alloc)
{
    d->trailer = (stet_trailer){.format = STET_FORMAT};
    for (unsigned i = 0; part(d, i) != NULL; i++) {
        stet__buf_init(part(d, i), alloc);
    }
}

void stet__index_draft_deinit(stet_index_draft *d)
{
    for (unsigned i = 0; part(d, i) != NULL; i++) {
        stet__buf_deinit(part(d, i));
    }
}

bool stet__index_draft_is_failed(const stet_index_draft *d)
{
    return d->slots.is_failed || d->lists.is_failed || d->times.is_failed ||
           d->keys.is_failed || d->pieces.is_failed || d->runs.is_failed ||
           d->hashes.is_failed;
}

void stet__index_draft_add_run(stet_index_draft *d, const stet_run *run)
{
    uint8_t bytes[2 + STET_RUN_BYTES_MAX];
    size_t len = stet__run_put(run, &d->trailer, bytes + 2);
    stet__put_u16le(bytes, (uint16_t)len);
    stet__buf_put(&d->runs, bytes, 2 + len);
    uint64_t hash = stet__machine_hash(run->key);
    stet__buf_put(&d->hashes, &hash, sizeof hash);
}

void stet__index_draft_add_key(stet_index_draft *d, const uint8_t *key,
                               uint64_t check, uint32_t slot)
{
    stet__buf_put(&d->keys, key, KEY_HASH_BYTES);
    stet__buf_put_u64le(&d->keys, check);
    stet__buf_put_u32le(&d->keys, slot);
    stet__buf_put_u32le(&d->keys, 0);
}

/* Blocks. */

static void close_block(block_writer *w)
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
static bool begins_block(const block_writer *w, size_t len)
{
    return w->used == 0 || len > STET_INDEX_PAYLOAD_BYTES - w->used;
}

/* Put an entry, which lies in one block. */
static void put_entry(block_writer *w, const void *bytes, size_t len)
{
    STET_ASSERT(len > 0 && len <= STET_INDEX_PAYLOAD_BYTES);
    if (begins_block(w, len)) {
        close_block(w);
        w->at = w->out->len;
        (void)stet__buf_extend(w->out, STET_INDEX_BLOCK_BYTES); /* is_failed */
    }
    if (!w->out->is_failed) {
        uint8_t *payload = w->out->ptr + w->at + STET_INDEX_HEADER_BYTES;
        memcpy(payload + w->used, bytes, len);
    }
    w->used += len;
}

/* Where a section's range is kept. */
static stet_section_range *range_of(block_writer *w)
{
    stet_trailer *t = w->trailer;
    return w->section == STET_SECTION_BLOCKS ? &t->set.blocks
                                             : &t->sections[w->section - 1];
}

static void open_section(block_writer *w, stet_section section)
{
    STET_ASSERT(w->used == 0);
    w->section = section;
    range_of(w)->first_block = w->number;
}

static void close_section(block_writer *w, uint64_t entries)
{
    close_block(w);
    stet_section_range *range = range_of(w);
    range->blocks = w->number - range->first_block;
    range->entries = entries;
}

/* Put a section of entries that have one size, as many a block as it holds. */
static void put_section(block_writer *w, stet_section section,
                        const stet_buf *entries, size_t entry_bytes)
{
    const size_t block_bytes =
        STET_INDEX_PAYLOAD_BYTES - STET_INDEX_PAYLOAD_BYTES % entry_bytes;
    open_section(w, section);
    for (size_t at = 0; at < entries->len; at += block_bytes) {
        size_t left = entries->len - at;
        size_t len = left < block_bytes ? left : block_bytes;
        put_entry(w, entries->ptr + at, len);
        close_block(w);
    }
    close_section(w, entries->len / entry_bytes);
}

/* The key at the front of a run's entry, as fences have it. */
static void put_fence(const uint8_t *run, size_t len, stet_buf *fences)
{
    stet_reader in = stet__reader_of(stet_slice_of(run, len));
    uint8_t ns = stet__read_u8(&in);
    size_t id_bytes = (size_t)stet__read_varint(&in);
    stet__buf_put_varint(fences, 1 + id_bytes);
    stet__buf_put_u8(fences, ns);
    stet__buf_put_slice(fences, stet__read_bytes(&in, id_bytes));
}

static void put_directory(block_writer *w, const stet_index_draft *d,
                          stet_buf *fences)
{
    open_section(w, STET_SECTION_DIRECTORY);
    for (size_t at = 0; at < d->runs.len;) {
        size_t len = stet__get_u16le(d->runs.ptr + at);
        const uint8_t *run = d->runs.ptr + at + 2;
        if (begins_block(w, len)) {
            put_fence(run, len, fences);
        }
        put_entry(w, run, len);
        at += 2 + len;
    }
    close_section(w, d->hashes.len / sizeof(uint64_t));
}

/* Joined: as many bytes a block as it holds. */
static void put_fences(block_writer *w, const stet_buf *fences)
{
    open_section(w, STET_SECTION_FENCES);
    size_t left = fences->len;
    while (left > 0) {
        size_t len =
            left < STET_INDEX_PAYLOAD_BYTES ? left : STET_INDEX_PAYLOAD_BYTES;
        put_entry(w, fences->ptr + (fences->len - left), len);
        left -= len;
    }
    close_section(w, w->trailer->sections[STET_SECTION_DIRECTORY - 1].blocks);
}

static void put_filter(block_writer *w, const stet_index_draft *d,
                       stet_buf *filter)
{
    size_t machines = d->hashes.len / sizeof(uint64_t);
    uint64_t lines = stet__filter_lines(machines);
    size_t bytes = (size_t)lines * STET_FILTER_LINE_BYTES;
    uint8_t *bits = stet__buf_extend(filter, bytes);
    if (bits == NULL) {
        return;
    }
    memset(bits, 0, bytes);
    for (size_t i = 0; i < machines; i++) {
        uint64_t hash = 0;
        uint32_t block = 0;
        uint32_t offset = 0;
        memcpy(&hash, d->hashes.ptr + i * sizeof hash, sizeof hash);
        stet__filter_place(hash, lines, &block, &offset);
        size_t before = (size_t)block * STET_FILTER_LINES_PER_BLOCK *
                        STET_FILTER_LINE_BYTES;
        stet__filter_add(bits + before + offset, hash);
    }
    put_section(w, STET_SECTION_FILTER, filter, STET_FILTER_LINE_BYTES);
}

static int compare_keys(const void *a, const void *b)
{
    return memcmp(a, b, KEY_HASH_BYTES);
}

static void sort_keys(stet_buf *keys)
{
    if (keys->len > 0) {
        qsort(keys->ptr, keys->len / STET_KEY_ENTRY_BYTES, STET_KEY_ENTRY_BYTES,
              compare_keys);
    }
}

stet_status stet__index_draft_put(stet_index_draft *d, stet_buf *out,
                                  stet_error *err)
{
    stet_buf fences;
    stet_buf filter;
    stet__buf_init(&fences, out->alloc);
    stet__buf_init(&filter, out->alloc);
    block_writer w = {.out = out, .trailer = &d->trailer};
    bool is_failed = stet__index_draft_is_failed(d);
    if (!is_failed) {
        sort_keys(&d->keys);
        put_section(&w, STET_SECTION_SLOTS, &d->slots, STET_SLOT_BYTES);
        put_section(&w, STET_SECTION_LISTS, &d->lists, STET_LIST_BYTES);
        put_directory(&w, d, &fences);
        put_fences(&w, &fences);
        put_filter(&w, d, &filter);
        put_section(&w, STET_SECTION_TIMES, &d->times, STET_TIME_BYTES);
        put_section(&w, STET_SECTION_KEYS, &d->keys, STET_KEY_ENTRY_BYTES);
        put_section(&w, STET_SECTION_BLOCKS, &d->pieces, STET_PIECE_BYTES);
        uint8_t *block = stet__buf_extend(out, STET_INDEX_BLOCK_BYTES);
        if (block != NULL) {
            stet__trailer_put(&d->trailer, block);
        }
        is_failed = fences.is_failed || filter.is_failed || out->is_failed;
    }
    stet__buf_deinit(&fences);
    stet__buf_deinit(&filter);
    return is_failed ? stet__fail(err, STET_E_NOMEM, 0, "index") : STET_OK;
}
