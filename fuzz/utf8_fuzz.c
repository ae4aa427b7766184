/*
 * UTF-8: valid is what consists of shortest encodings of characters.
 */
#include "fuzz.h"

#include <string.h>

#include "base/utf8.h"

/* Encode a character, as RFC 3629 says; returns the bytes. */
static size_t encode(uint32_t c, uint8_t out[4])
{
    static const uint8_t lead[] = {0, 0, 0xc0, 0xe0, 0xf0};
    size_t len = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    for (size_t i = len - 1; i > 0; i--) {
        out[i] = (uint8_t)(0x80 | (c & 0x3f));
        c >>= 6;
    }
    out[0] = (uint8_t)(lead[len] | c);
    return len;
}

/* Read as many bytes as the first one says, without doubt. */
static uint32_t decode(const uint8_t *p, size_t left)
{
    size_t len = p[0] < 0x80 ? 1 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
    uint32_t c = len == 1 ? p[0] : p[0] & (0x7fU >> len);
    for (size_t i = 1; i < len && i < left; i++) {
        c = c << 6 | (p[i] & 0x3f);
    }
    return c;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    bool is_valid = true;
    bool has_control = false;
    size_t at = 0;
    while (at < size && is_valid) {
        uint8_t again[4];
        uint32_t c = decode(data + at, size - at);
        size_t len = encode(c, again);
        is_valid = c <= 0x10ffff && (c < 0xd800 || c > 0xdfff) &&
                   len <= size - at && memcmp(again, data + at, len) == 0;
        has_control = has_control || c < 0x20 || (c >= 0x7f && c < 0xa0);
        at += len;
    }
    stet_slice text = stet_slice_of(data, size);
    FUZZ_CHECK(stet__utf8_is_valid(text) == is_valid);
    FUZZ_CHECK(stet__utf8_is_printable(text) == (is_valid && !has_control));
    return 0;
}
