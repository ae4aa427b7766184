#include "formats/base64.h"

#include <stdint.h>

static const char alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void stet__base64_put(stet_buf *out, stet_slice bytes)
{
    const uint8_t *p = bytes.ptr;
    for (size_t i = 0; i < bytes.len; i += 3) {
        size_t count = bytes.len - i < 3 ? bytes.len - i : 3;
        uint32_t v = 0;
        for (size_t j = 0; j < 3; j++) {
            v = (v << 8) | (j < count ? p[i + j] : 0U);
        }
        char group[4] = {alphabet[v >> 18], alphabet[(v >> 12) & 63],
                         count > 1 ? alphabet[(v >> 6) & 63] : '=',
                         count > 2 ? alphabet[v & 63] : '='};
        stet__buf_put(out, group, sizeof group);
    }
}

/* The six bits of a character, or -1. */
static int sextet(char c)
{
    const char *at = c == '\0' ? NULL : strchr(alphabet, c);
    return at == NULL ? -1 : (int)(at - alphabet);
}

/* Decode four characters that stand for `count` bytes. */
static bool decode_group(const char *group, size_t count, uint8_t *out)
{
    uint32_t v = 0;
    for (size_t i = 0; i < 4; i++) {
        int bits = i <= count ? sextet(group[i]) : 0;
        if (bits < 0 || (i > count && group[i] != '=')) {
            return false;
        }
        v = (v << 6) | (uint32_t)bits;
    }
    for (size_t i = 0; i < count; i++) {
        out[i] = (uint8_t)(v >> (16 - 8 * i));
    }
    uint32_t unused = (1U << (8 * (3 - count))) - 1;
    return (v & unused) == 0;
}

bool stet__base64_decode(stet_slice text, stet_arena *arena, stet_slice *out)
{
    const char *p = text.ptr;
    if (text.len % 4 != 0) {
        return false;
    }
    size_t len = text.len / 4 * 3;
    if (len > 0) {
        len -=
            (size_t)(p[text.len - 1] == '=') + (size_t)(p[text.len - 2] == '=');
    }
    uint8_t *bytes = stet__arena_alloc(arena, len + 1);
    for (size_t i = 0; bytes != NULL && i < text.len / 4; i++) {
        size_t count = len - 3 * i < 3 ? len - 3 * i : 3;
        if (!decode_group(p + 4 * i, count, bytes + 3 * i)) {
            return false;
        }
    }
    *out = stet_slice_of(bytes, bytes == NULL ? 0 : len);
    return true;
}
