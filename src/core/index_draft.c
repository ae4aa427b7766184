#include "core/index_draft.h"

#include <stdlib.h>

#include "base/error.h"
#include "core/index_writer.h"

enum { KEY_HASH_BYTES = 16 };

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
    uint8_t entry[STET_KEY_ENTRY_BYTES];
    stet__key_entry_put(entry, key, check, slot);
    stet__buf_put(&d->keys, entry, sizeof entry);
}

/* Sections. */

/* Put a section of entries that have one size. */
static void put_section(stet_index_writer *w, stet_section section,
                        const stet_buf *entries, size_t entry_bytes)
{
    stet__index_writer_begin(w, section);
    stet__index_writer_put_many(w, entries, entry_bytes);
    stet__index_writer_end(w, entries->len / entry_bytes);
}

static void put_directory(stet_index_writer *w, const stet_index_draft *d,
                          stet_buf *fences)
{
    stet__index_writer_begin(w, STET_SECTION_DIRECTORY);
    for (size_t at = 0; at < d->runs.len;) {
        size_t len = stet__get_u16le(d->runs.ptr + at);
        stet_slice run = stet_slice_of(d->runs.ptr + at + 2, len);
        stet__index_writer_put_run(w, run, fences);
        at += 2 + len;
    }
    stet__index_writer_end(w, d->hashes.len / sizeof(uint64_t));
}

static void put_filter(stet_index_writer *w, const stet_index_draft *d,
                       stet_buf *filter)
{
    size_t machines = d->hashes.len / sizeof(uint64_t);
    uint64_t lines = stet__filter_lines(machines);
    uint8_t *bits =
        stet__buf_extend(filter, (size_t)lines * STET_FILTER_LINE_BYTES);
    if (bits == NULL) {
        return;
    }
    memset(bits, 0, filter->len);
    for (size_t i = 0; i < machines; i++) {
        uint64_t hash = 0;
        memcpy(&hash, d->hashes.ptr + i * sizeof hash, sizeof hash);
        stet__filter_add(bits + stet__filter_line(hash, lines) *
                                    STET_FILTER_LINE_BYTES,
                         hash);
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
    stet_index_writer w = {.out = out, .trailer = &d->trailer};
    bool is_failed = stet__index_draft_is_failed(d);
    if (!is_failed) {
        sort_keys(&d->keys);
        put_section(&w, STET_SECTION_SLOTS, &d->slots, STET_SLOT_BYTES);
        put_section(&w, STET_SECTION_LISTS, &d->lists, STET_LIST_BYTES);
        put_directory(&w, d, &fences);
        stet__index_writer_put_fences(&w, &fences);
        put_filter(&w, d, &filter);
        put_section(&w, STET_SECTION_TIMES, &d->times, STET_TIME_BYTES);
        put_section(&w, STET_SECTION_KEYS, &d->keys, STET_KEY_ENTRY_BYTES);
        put_section(&w, STET_SECTION_BLOCKS, &d->pieces, STET_PIECE_BYTES);
        stet__index_writer_put_trailer(&w);
        is_failed = fences.is_failed || filter.is_failed || out->is_failed;
    }
    stet__buf_deinit(&fences);
    stet__buf_deinit(&filter);
    return is_failed ? stet__fail(err, STET_E_NOMEM, 0, "index") : STET_OK;
}
