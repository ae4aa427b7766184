#include "blocks.h"

#include <string.h>

#include "fuzz.h"

/* Lend the payload of block `n` of a section. */
static stet_slice payload_of(const stet_buf *index, const stet_trailer *t,
                             stet_section section, uint32_t n)
{
    uint32_t number = stet__trailer_range(t, section)->first_block + n;
    size_t at = (size_t)number * STET_INDEX_BLOCK_BYTES;
    stet_slice payload;
    FUZZ_CHECK(at + STET_INDEX_BLOCK_BYTES < index->len);
    FUZZ_CHECK(stet__index_block_check(index->ptr + at, section, number,
                                       t->salt, &payload, NULL) == STET_OK);
    return payload;
}

static void check_filter(const stet_buf *index, const stet_trailer *t,
                         stet_machine_key key)
{
    uint64_t hash = stet__machine_hash(key);
    uint64_t line = stet__filter_line(
        hash, stet__trailer_range(t, STET_SECTION_FILTER)->entries);
    stet_slice lines =
        payload_of(index, t, STET_SECTION_FILTER,
                   (uint32_t)(line / STET_FILTER_LINES_PER_BLOCK));
    size_t at =
        (size_t)(line % STET_FILTER_LINES_PER_BLOCK) * STET_FILTER_LINE_BYTES;
    FUZZ_CHECK(at + STET_FILTER_LINE_BYTES <= lines.len);
    FUZZ_CHECK(stet__filter_may_hold((const uint8_t *)lines.ptr + at, hash));
}

static void check_keys(const stet_buf *index, const stet_trailer *t)
{
    const stet_section_range *keys = stet__trailer_range(t, STET_SECTION_KEYS);
    const uint8_t *before = NULL;
    for (uint64_t i = 0; i < keys->entries; i++) {
        stet_slice block = payload_of(index, t, STET_SECTION_KEYS,
                                      (uint32_t)(i / STET_KEYS_PER_BLOCK));
        const uint8_t *key = (const uint8_t *)block.ptr +
                             i % STET_KEYS_PER_BLOCK * STET_KEY_ENTRY_BYTES;
        FUZZ_CHECK(before == NULL || memcmp(before, key, 16) <= 0);
        FUZZ_CHECK(stet__get_u32le(key + 24) <
                   t->end_position - t->first_position);
        before = key;
    }
}

void blocks_check(const stet_buf *index, blocks_run_fn visit, void *ctx)
{
    stet_trailer t;
    stet_machine_key last = {0};
    uint64_t records = 0;
    FUZZ_CHECK(index->len >= STET_INDEX_BLOCK_BYTES);
    FUZZ_CHECK(
        stet__trailer_get(index->ptr + index->len - STET_INDEX_BLOCK_BYTES, &t,
                          NULL) == STET_OK);
    for (uint32_t n = 0;
         n < stet__trailer_range(&t, STET_SECTION_DIRECTORY)->blocks; n++) {
        stet_reader in =
            stet__reader_of(payload_of(index, &t, STET_SECTION_DIRECTORY, n));
        while (stet__read_left(&in) > 0) {
            stet_run run;
            FUZZ_CHECK(stet__run_decode(&in, &t, &run, NULL) == STET_OK);
            FUZZ_CHECK(last.id.len == 0 ||
                       stet__machine_key_cmp(last, run.key) < 0);
            check_filter(index, &t, run.key);
            visit(ctx, &run);
            records += run.count;
            last = run.key;
        }
    }
    check_keys(index, &t);
    FUZZ_CHECK(records == t.end_position - t.first_position);
}
