#include "core/merged.h"

#include "base/assert.h"
#include "base/error.h"

static stet_status answer(const stet_merged_draft *d, stet_error *err)
{
    return d->out.is_failed || d->fences.is_failed || d->filter.is_failed
               ? stet__fail(err, STET_E_NOMEM, 0, "no memory for an index")
               : STET_OK;
}

stet_status stet__merged_draft_init(stet_merged_draft *d,
                                    const stet_allocator *alloc,
                                    const stet_trailer *trailer,
                                    uint64_t machines_max, stet_error *err)
{
    STET_ASSERT(machines_max <= STET_MERGED_MACHINES_MAX);
    *d = (stet_merged_draft){.trailer = *trailer};
    d->trailer.kind = STET_INDEX_MERGED;
    d->trailer.format = STET_FORMAT;
    d->writer = (stet_index_writer){.out = &d->out, .trailer = &d->trailer};
    d->lines = stet__filter_lines(machines_max);
    stet__buf_init(&d->out, alloc);
    stet__buf_init(&d->fences, alloc);
    stet__buf_init(&d->filter, alloc);
    size_t bytes = (size_t)d->lines * STET_FILTER_LINE_BYTES;
    uint8_t *bits = stet__buf_extend(&d->filter, bytes);
    if (bits != NULL) {
        memset(bits, 0, bytes);
    }
    stet__index_writer_begin(&d->writer, STET_SECTION_SLOTS);
    stet__index_writer_end(&d->writer, 0);
    stet__index_writer_begin(&d->writer, STET_SECTION_LISTS);
    stet__index_writer_end(&d->writer, 0);
    stet__index_writer_begin(&d->writer, STET_SECTION_DIRECTORY);
    return answer(d, err);
}

void stet__merged_draft_deinit(stet_merged_draft *d)
{
    stet__buf_deinit(&d->out);
    stet__buf_deinit(&d->fences);
    stet__buf_deinit(&d->filter);
}

stet_status stet__merged_draft_add_run(stet_merged_draft *d,
                                       stet_machine_key key, stet_point newest,
                                       stet_error *err)
{
    uint8_t bytes[STET_RUN_BYTES_MAX];
    newest.occurred_max = d->trailer.first_recorded; /* says nothing */
    stet_run run = {.key = key, .first = newest, .count = 1};
    size_t len = stet__run_put(&run, &d->trailer, bytes);
    uint64_t hash = stet__machine_hash(key);
    stet__index_writer_put_run(&d->writer, stet_slice_of(bytes, len),
                               &d->fences);
    stet__filter_add(d->filter.ptr + stet__filter_line(hash, d->lines) *
                                         STET_FILTER_LINE_BYTES,
                     hash);
    d->entries++;
    return answer(d, err);
}

void stet__merged_draft_end_runs(stet_merged_draft *d)
{
    stet__index_writer_end(&d->writer, d->entries);
    stet__index_writer_put_fences(&d->writer, &d->fences);
    stet__index_writer_begin(&d->writer, STET_SECTION_FILTER);
    stet__index_writer_put_many(&d->writer, &d->filter, STET_FILTER_LINE_BYTES);
    stet__index_writer_end(&d->writer, d->lines);
    stet__index_writer_begin(&d->writer, STET_SECTION_TIMES);
    stet__index_writer_end(&d->writer, 0);
    stet__index_writer_begin(&d->writer, STET_SECTION_KEYS);
    d->entries = 0;
}

stet_status stet__merged_draft_add_key(stet_merged_draft *d,
                                       const uint8_t key[16], uint64_t check,
                                       uint64_t position, stet_error *err)
{
    uint8_t entry[STET_KEY_ENTRY_BYTES];
    stet__key_entry_put(entry, key, check,
                        position - d->trailer.first_position);
    stet__index_writer_put(&d->writer, stet_slice_of(entry, sizeof entry));
    d->entries++;
    return answer(d, err);
}

stet_status stet__merged_draft_end(stet_merged_draft *d, stet_error *err)
{
    stet__index_writer_end(&d->writer, d->entries);
    stet__index_writer_put_trailer(&d->writer);
    return answer(d, err);
}
