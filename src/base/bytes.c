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

/* A place to point at when there are no bytes: NULL has no arithmetic. */
static const uint8_t nothing[1];

stet_reader stet__reader_of(stet_slice s)
{
    const uint8_t *ptr = s.len == 0 ? nothing : s.ptr;
    return (stet_reader){.ptr = ptr, .end = ptr + s.len};
}

/* Step over `len` bytes and lend them; NULL and bad when there are fewer. */
static const uint8_t *take(stet_reader *r, size_t len)
{
    if (r->is_bad || len > stet__read_left(r)) {
        r->is_bad = true;
        r->ptr = r->end;
        return NULL;
    }
    const uint8_t *p = r->ptr;
    r->ptr += len;
    return p;
}

uint16_t stet__read_u16le(stet_reader *r)
{
    const uint8_t *p = take(r, 2);
    return p == NULL ? 0 : stet__get_u16le(p);
}

uint32_t stet__read_u32le(stet_reader *r)
{
    const uint8_t *p = take(r, 4);
    return p == NULL ? 0 : stet__get_u32le(p);
}

uint64_t stet__read_u64le(stet_reader *r)
{
    const uint8_t *p = take(r, 8);
    return p == NULL ? 0 : stet__get_u64le(p);
}

/* Decode at `p`; returns the bytes it took, 0 when it is cut or too long. */
static size_t get_varint(const uint8_t *p, size_t left, uint64_t *out)
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

uint64_t stet__read_long_varint(stet_reader *r)
{
    uint64_t v = 0;
    size_t len = r->is_bad ? 0 : get_varint(r->ptr, stet__read_left(r), &v);
    if (len == 0) {
        r->is_bad = true;
        r->ptr = r->end;
        return 0;
    }
    r->ptr += len;
    return v;
}

stet_slice stet__read_bytes(stet_reader *r, size_t len)
{
    const uint8_t *p = take(r, len);
    return stet_slice_of(p, p == NULL ? 0 : len);
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
