/*
 * Record: what parses is written again byte for byte, but for tags of newer
 * versions, and no byte of it changes unnoticed.
 */
#include "fuzz.h"

#include "core/record.h"
#include "lib/records.h"

/* Does the tail have a tag that put_tail cannot know of? */
static bool has_unknown_tag(stet_slice tail)
{
    stet_reader in = stet__reader_of(tail);
    uint64_t code = 0;
    while ((code = stet__read_varint(&in)) != 0) {
        uint64_t tag = code / 2;
        if (tag > STET_TAG_LAST || tag == 17 || tag == 18 || tag == 24) {
            return true;
        }
        (void)stet__read_bytes(&in, (size_t)stet__read_varint(&in));
    }
    return false;
}

static void check_rewriting(fuzz *f, stet_slice bytes, const stet_record *r)
{
    stet_buf out;
    stet__buf_init(&out, &f->alloc);
    records_put(r, &out);
    stet_record again;
    size_t len = 0;
    FUZZ_CHECK(stet__record_decode(stet__buf_slice(&out), &again, &len, NULL) ==
               STET_OK);
    FUZZ_CHECK(len == out.len);
    records_assert_equal(r, &again);
    if (!stet__slice_eq(stet__buf_slice(&out), bytes)) {
        size_t at = fuzz_tail_at(r, bytes.len);
        const uint8_t *p = bytes.ptr;
        FUZZ_CHECK(out.len < bytes.len);
        FUZZ_CHECK(has_unknown_tag(stet_slice_of(p + at, bytes.len - at)));
    }
    stet__buf_deinit(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz f;
    fuzz_begin(&f, data, size);
    uint16_t place = fuzz_u16(&f);
    uint8_t change = fuzz_u8(&f);
    stet_slice bytes = fuzz_record(&f);
    stet_record r;
    size_t len = 0;
    if (bytes.ptr != NULL &&
        stet__record_parse(bytes, &r, &len, NULL) == STET_OK) {
        FUZZ_CHECK(len == bytes.len);
        FUZZ_CHECK(stet__record_decode(bytes, &r, &len, NULL) == STET_OK);
        check_rewriting(&f, bytes, &r);
        ((uint8_t *)(uintptr_t)bytes.ptr)[place % len] ^= change;
        FUZZ_CHECK(stet__record_is_sound(bytes, &len) == (change == 0));
    }
    fuzz_free(&f, bytes);
    fuzz_end(&f);
    return 0;
}
