/*
 * Super, and the header of a segment: a block that is read is written again to
 * the same bytes, and refused when one byte of it is another.
 */
#include "fuzz.h"

#include <string.h>

#include "base/bytes.h"
#include "base/checksum.h"
#include "core/frame.h"

/* Read a block of one kind and write what was read. */
typedef stet_status (*rewrite_fn)(const uint8_t *block, uint8_t *out);

static stet_status rewrite_super(const uint8_t *block, uint8_t *out)
{
    stet_super s;
    stet_status st = stet__super_get(block, &s, NULL);
    if (st == STET_OK) {
        stet__super_put(&s, out);
    }
    return st;
}

static stet_status rewrite_segment_header(const uint8_t *block, uint8_t *out)
{
    stet_segment_header h;
    stet_status st = stet__segment_header_get(block, &h, NULL);
    if (st == STET_OK) {
        stet__segment_header_put(&h, out);
    }
    return st;
}

static void check(fuzz *f, rewrite_fn rewrite, size_t used)
{
    uint8_t block[STET_W] = {0};
    uint8_t out[STET_W];
    uint16_t place = fuzz_u16(f);
    uint8_t change = fuzz_u8(f);
    stet_slice bytes = fuzz_bytes(f, sizeof block);
    memcpy(block, bytes.ptr, bytes.len);
    stet__put_u32le(block + 4, stet__crc32c(0, block + 8, used - 8));
    if (rewrite(block, out) == STET_OK) {
        FUZZ_CHECK(memcmp(block, out, sizeof block) == 0);
        block[place % sizeof block] ^= change;
        FUZZ_CHECK((rewrite(block, out) == STET_OK) == (change == 0));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz f;
    fuzz_begin(&f, data, size);
    if (fuzz_u8(&f) % 2 == 0) {
        check(&f, rewrite_super, STET_SUPER_BYTES);
    } else {
        check(&f, rewrite_segment_header, STET_SEGMENT_HEADER_BYTES);
    }
    fuzz_end(&f);
    return 0;
}
