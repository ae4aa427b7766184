/*
 * Bytes on disk and wire: little-endian integers and varints.
 *
 * A varint is LEB128: seven bits a byte, least significant first, the high bit
 * says that more follow; at most 10 bytes, and the shortest form only (a longer
 * one is refused, so that a value has one encoding). A signed value is zigzag
 * coded first: 0, -1, 1, -2 become 0, 1, 2, 3.
 */
#ifndef STET_BASE_BYTES_H
#define STET_BASE_BYTES_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include <stet/slice.h>

enum { STET_VARINT_BYTES_MAX = 10 };

/* Written out, since compilers join these, and no loops, into one access. */
static inline void stet__put_u16le(uint8_t *p, uint16_t v)
{
    p[0] = (uint8_t)v;
    p[1] = (uint8_t)(v >> 8);
}

static inline void stet__put_u32le(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)v;
    p[1] = (uint8_t)(v >> 8);
    p[2] = (uint8_t)(v >> 16);
    p[3] = (uint8_t)(v >> 24);
}

static inline void stet__put_u64le(uint8_t *p, uint64_t v)
{
    p[0] = (uint8_t)v;
    p[1] = (uint8_t)(v >> 8);
    p[2] = (uint8_t)(v >> 16);
    p[3] = (uint8_t)(v >> 24);
    p[4] = (uint8_t)(v >> 32);
    p[5] = (uint8_t)(v >> 40);
    p[6] = (uint8_t)(v >> 48);
    p[7] = (uint8_t)(v >> 56);
}

static inline uint16_t stet__get_u16le(const uint8_t *p)
{
    return (uint16_t)(p[0] | (uint16_t)(p[1] << 8));
}

static inline uint32_t stet__get_u32le(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
           (uint32_t)p[3] << 24;
}

static inline uint64_t stet__get_u64le(const uint8_t *p)
{
    return (uint64_t)p[0] | (uint64_t)p[1] << 8 | (uint64_t)p[2] << 16 |
           (uint64_t)p[3] << 24 | (uint64_t)p[4] << 32 | (uint64_t)p[5] << 40 |
           (uint64_t)p[6] << 48 | (uint64_t)p[7] << 56;
}

static inline uint64_t stet__zigzag(int64_t v)
{
    return ((uint64_t)v << 1) ^ (uint64_t)(v < 0 ? -1 : 0);
}

static inline int64_t stet__unzigzag(uint64_t v)
{
    return (int64_t)(v >> 1) ^ -(int64_t)(v & 1);
}

/* Bytes that `v` takes as a varint: 1 to 10. */
size_t stet__varint_bytes(uint64_t v);
/* Write `v` at `p` (10 bytes of room) and return the end. */
uint8_t *stet__put_varint(uint8_t *p, uint64_t v);

/*
 * Reader: takes values off the front of given bytes. A read past the end, or of
 * a varint that is too long, marks it `is_bad` and gives zeros from then on, so
 * that a decoder reads all fields and checks once. A decoder may mark it too.
 */
typedef struct stet_reader {
    const uint8_t *ptr;
    const uint8_t *end;
    bool is_bad;
} stet_reader;

static inline stet_reader stet__reader_of(stet_slice s)
{
    /* A place to point at when there are no bytes: NULL has no arithmetic. */
    static const uint8_t nothing[1];
    const uint8_t *ptr = s.len == 0 ? nothing : (const uint8_t *)s.ptr;
    return (stet_reader){.ptr = ptr, .end = ptr + s.len};
}

static inline size_t stet__read_left(const stet_reader *r)
{
    return (size_t)(r->end - r->ptr);
}

/* Step over `len` bytes and lend them; NULL and bad when there are fewer. */
static inline const uint8_t *stet__read_over(stet_reader *r, size_t len)
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

static inline uint16_t stet__read_u16le(stet_reader *r)
{
    const uint8_t *p = stet__read_over(r, 2);
    return p == NULL ? 0 : stet__get_u16le(p);
}

static inline uint32_t stet__read_u32le(stet_reader *r)
{
    const uint8_t *p = stet__read_over(r, 4);
    return p == NULL ? 0 : stet__get_u32le(p);
}

static inline uint64_t stet__read_u64le(stet_reader *r)
{
    const uint8_t *p = stet__read_over(r, 8);
    return p == NULL ? 0 : stet__get_u64le(p);
}

/*
 * Decode a varint at `p`, which has bytes up to `end`. Returns what is behind
 * it; NULL when it is cut or not one. Not of a reader, which a compiler so can
 * keep in registers.
 */
const uint8_t *stet__get_varint(const uint8_t *p, const uint8_t *end,
                                uint64_t *out);

/* Inline: most of a record's numbers take one byte or two. */
static inline uint8_t stet__read_u8(stet_reader *r)
{
    if (r->is_bad || r->ptr == r->end) {
        r->is_bad = true;
        return 0;
    }
    return *r->ptr++;
}

static inline uint64_t stet__read_varint(stet_reader *r)
{
    const uint8_t *p = r->ptr;
    size_t left = r->is_bad ? 0 : stet__read_left(r);
    if (left > 0 && p[0] < 0x80) {
        r->ptr = p + 1;
        return p[0];
    }
    if (left > 1 && p[1] > 0 && p[1] < 0x80) {
        r->ptr = p + 2;
        return (uint64_t)(p[0] & 0x7f) | (uint64_t)p[1] << 7;
    }
    uint64_t v = 0;
    const uint8_t *next = left == 0 ? NULL : stet__get_varint(p, r->end, &v);
    r->is_bad = next == NULL;
    r->ptr = next == NULL ? r->end : next;
    return next == NULL ? 0 : v;
}

static inline int64_t stet__read_signed(stet_reader *r)
{
    return stet__unzigzag(stet__read_varint(r));
}

/* Lend the next `len` bytes; empty and bad when there are fewer. */
static inline stet_slice stet__read_bytes(stet_reader *r, size_t len)
{
    const uint8_t *p = stet__read_over(r, len);
    return stet_slice_of(p, p == NULL ? 0 : len);
}

bool stet__slice_eq(stet_slice a, stet_slice b);
/* Order by unsigned bytes, the shorter first where one begins the other. */
int stet__slice_cmp(stet_slice a, stet_slice b);

#endif
