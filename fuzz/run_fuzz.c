/*
 * Run: an entry of a directory that decodes is encoded again to the same bytes,
 * lies in the range of its file, and so does a trailer.
 */
#include "fuzz.h"

#include <string.h>

#include "base/bytes.h"
#include "core/index.h"

static void check_run(const stet_trailer *t, const stet_run *run)
{
    FUZZ_CHECK(run->key.id.len > 0 && run->first.seq > 0);
    FUZZ_CHECK(run->first.position >= t->first_position);
    FUZZ_CHECK(run->last.position < t->end_position);
    FUZZ_CHECK(run->last.position - run->first.position >= run->count - 1);
    FUZZ_CHECK(run->previous.position < run->first.position);
    FUZZ_CHECK(run->jump.position < run->first.position);
    FUZZ_CHECK(run->has_chain == stet__trailer_is_of_set(t));
}

static void check_directory(fuzz *f, const stet_trailer *t)
{
    uint8_t out[STET_RUN_BYTES_MAX];
    stet_reader in = stet__reader_of(fuzz_rest(f));
    stet_run run;
    const uint8_t *from = in.ptr;
    while (stet__read_left(&in) > 0 &&
           stet__run_decode(&in, t, &run, NULL) == STET_OK) {
        check_run(t, &run);
        size_t len = stet__run_put(&run, t, out);
        FUZZ_CHECK(
            stet__slice_eq(stet_slice_of(out, len),
                           stet_slice_of(from, (size_t)(in.ptr - from))));
        from = in.ptr;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum { TRAILER_BYTES = 304 };
    uint8_t block[STET_INDEX_BLOCK_BYTES] = {0};
    uint8_t again[STET_INDEX_BLOCK_BYTES] = {0};
    fuzz f;
    fuzz_begin(&f, data, size);
    uint16_t place = fuzz_u16(&f);
    uint8_t change = fuzz_u8(&f);
    bool is_of_set = fuzz_u8(&f) % 2 == 1;
    stet_slice bytes = fuzz_bytes(&f, is_of_set ? TRAILER_BYTES : 216);
    memcpy(block, bytes.ptr, bytes.len);
    stet__index_block_seal(
        block, STET_SECTION_TRAILER, stet__get_u32le(block + 16),
        (is_of_set ? TRAILER_BYTES : 216) - 8, stet__get_u64le(block + 40));
    stet_trailer t;
    if (stet__trailer_get(block, &t, NULL) == STET_OK) {
        stet__trailer_put(&t, again);
        FUZZ_CHECK(memcmp(block, again, sizeof block) == 0);
        check_directory(&f, &t);
        block[place % sizeof block] ^= change;
        FUZZ_CHECK((stet__trailer_get(block, &t, NULL) == STET_OK) ==
                   (change == 0));
    }
    fuzz_end(&f);
    return 0;
}
