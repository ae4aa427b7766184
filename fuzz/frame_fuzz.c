/*
 * Frame: one that is sound is sealed again to the same bytes, holds sound
 * records only, and is refused when one byte of it is another.
 */
#include "fuzz.h"

#include "base/checksum.h"
#include "core/frame.h"

/* Make the checksum right, if the records can be found. */
static void seal(uint8_t *bytes, size_t len)
{
    stet_frame_header h;
    if (!stet__frame_peek(bytes, len, &h)) {
        return;
    }
    uint32_t crc = stet__crc32c(0, bytes + 8, STET_FRAME_HEADER_BYTES - 8);
    size_t at = STET_FRAME_HEADER_BYTES;
    for (uint32_t i = 0; i < h.events && at < h.length; i++) {
        uint32_t record_crc = 0;
        size_t record_bytes = 0;
        if (!stet__record_peek(stet_slice_of(bytes + at, h.length - at),
                               &record_crc, &record_bytes)) {
            return;
        }
        crc = stet__crc32c(crc, bytes + at, 4);
        at += record_bytes;
    }
    stet__put_u32le(bytes + 4, crc);
}

/* The header as it was given, the records with right checksums, zeros. */
static stet_slice frame_of(fuzz *f)
{
    stet_buf b;
    stet__buf_init(&b, &f->alloc);
    stet__buf_put_slice(&b, fuzz_bytes(f, STET_FRAME_HEADER_BYTES));
    stet_slice record = fuzz_record(f);
    while (record.ptr != NULL) {
        stet__buf_put_slice(&b, record);
        fuzz_free(f, record);
        record = fuzz_record(f);
    }
    stet__buf_put_slice(&b, fuzz_rest(f));
    size_t len = (size_t)stet__round_up_w(b.len);
    uint8_t *bytes = stet__alloc_zeroed(&f->alloc, 1, len);
    FUZZ_CHECK(bytes != NULL && !b.is_failed);
    memcpy(bytes, b.ptr, b.len);
    stet__buf_deinit(&b);
    seal(bytes, len);
    return stet_slice_of(bytes, len);
}

static void check_sealing(fuzz *f, stet_slice bytes, stet_frame_header *h)
{
    uint8_t *copy = stet__alloc(&f->alloc, h->length);
    FUZZ_CHECK(copy != NULL);
    memcpy(copy, bytes.ptr, h->length);
    size_t used = STET_FRAME_HEADER_BYTES;
    for (uint32_t i = 0; i < h->events; i++) {
        size_t len = 0;
        FUZZ_CHECK(stet__record_is_sound(
            stet_slice_of(copy + used, h->length - used), &len));
        used += len;
    }
    memset(copy, 0, STET_FRAME_HEADER_BYTES);
    memset(copy + used, 0xee, h->length - used);
    stet__frame_seal(copy, used, h);
    FUZZ_CHECK(memcmp(copy, bytes.ptr, h->length) == 0);
    stet__free(&f->alloc, copy, h->length);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz f;
    fuzz_begin(&f, data, size);
    uint16_t place = fuzz_u16(&f);
    uint8_t change = fuzz_u8(&f);
    if (f.len >= STET_FRAME_HEADER_BYTES) {
        stet_slice bytes = frame_of(&f);
        uint8_t *p = (uint8_t *)(uintptr_t)bytes.ptr;
        stet_frame_header h;
        if (stet__frame_is_sound(p, bytes.len, &h)) {
            check_sealing(&f, bytes, &h);
            p[place % h.length] ^= change;
            FUZZ_CHECK(stet__frame_is_sound(p, bytes.len, &h) == (change == 0));
        }
        fuzz_free(&f, bytes);
    }
    fuzz_end(&f);
    return 0;
}
