#include "base/bytes.h"

size_t stet__varint_bytes(uint64_t v)
{
    /* Seven bits a byte; zero still takes one. */
    return (size_t)(63 - __builtin_clzll(v | 1)) / 7 + 1;
}

uint8_t *stet__put_varint(uint8_t *p, uint64_t v)
{
    while (v >= 0x80) {
        *p++ = (uint8_t)(v | 0x80);
        v >>= 7;
    }
    *p++ = (uint8_t)v;
    return p;
}

/* The seven low bits of each byte, joined. */
static uint64_t join_sevens(uint64_t word)
{
    uint64_t v = word & UINT64_C(0x7f7f7f7f7f7f7f7f);
    v = (v & UINT64_C(0x007f007f007f007f)) |
        (v & UINT64_C(0x7f007f007f007f00)) >> 1;
    v = (v & UINT64_C(0x00003fff00003fff)) |
        (v & UINT64_C(0x3fff00003fff0000)) >> 2;
    return (v & UINT64_C(0x0fffffff)) | (v & UINT64_C(0x0fffffff00000000)) >> 4;
}

/*
 * Decode one of at most 9 bytes where 9 can be read, without a loop whose end
 * no processor foresees; returns the bytes it took, 0: it is none of these.
 */
static size_t get_short(const uint8_t *p, uint64_t *out)
{
    uint64_t word = stet__get_u64le(p);
    uint64_t ends = ~word & UINT64_C(0x8080808080808080);
    if (ends == 0) {
        *out = join_sevens(word) | (uint64_t)p[8] << 56;
        return p[8] == 0 || p[8] >= 0x80 ? 0 : 9;
    }
    size_t bytes = (size_t)__builtin_ctzll(ends) / 8 + 1;
    *out = join_sevens(word & (ends ^ (ends - 1)));
    return bytes > 1 && p[bytes - 1] == 0 ? 0 : bytes;
}

/* Decode one of any size; the same answer. */
static size_t get_any(const uint8_t *p, size_t left, uint64_t *out)
{
    uint64_t v = 0;
    size_t max = left < STET_VARINT_BYTES_MAX ? left : STET_VARINT_BYTES_MAX;
    for (size_t i = 0; i < max; i++) {
        uint64_t bits = p[i] & 0x7f;
        v |= bits << (7 * i);
        if (p[i] >= 0x80) {
            continue;
        }
        bool is_padded = i > 0 && bits == 0;
        bool is_over = i == STET_VARINT_BYTES_MAX - 1 && bits > 1;
        *out = v;
        return is_padded || is_over ? 0 : i + 1;
    }
    return 0;
}

const uint8_t *stet__get_varint(const uint8_t *p, const uint8_t *end,
                                uint64_t *out)
{
    size_t left = (size_t)(end - p);
    size_t bytes = left < 9 ? 0 : get_short(p, out);
    if (bytes == 0) {
        bytes = get_any(p, left, out);
    }
    return bytes == 0 ? NULL : p + bytes;
}

bool stet__slice_eq(stet_slice a, stet_slice b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

int stet__slice_cmp(stet_slice a, stet_slice b)
{
    size_t both = a.len < b.len ? a.len : b.len;
    int order = both == 0 ? 0 : memcmp(a.ptr, b.ptr, both);
    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}
