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

static inline void stet__put_u16le(uint8_t *p, uint16_t v)
{
    p[0] = (uint8_t)v;
    p[1] = (uint8_t)(v >> 8);
}

static inline void stet__put_u32le(uint8_t *p, uint32_t v)
{
    for (int i = 0; i < 4; i++) {
        p[i] = (uint8_t)(v >> (8 * i));
    }
}

static inline void stet__put_u64le(uint8_t *p, uint64_t v)
{
    for (int i = 0; i < 8; i++) {
        p[i] = (uint8_t)(v >> (8 * i));
    }
}

static inline uint16_t stet__get_u16le(const uint8_t *p)
{
    return (uint16_t)(p[0] | (uint16_t)(p[1] << 8));
}

static inline uint32_t stet__get_u32le(const uint8_t *p)
{
    uint32_t v = 0;
    for (int i = 3; i >= 0; i--) {
        v = (v << 8) | p[i];
    }
    return v;
}

static inline uint64_t stet__get_u64le(const uint8_t *p)
{
    uint64_t v = 0;
    for (int i = 7; i >= 0; i--) {
        v = (v << 8) | p[i];
    }
    return v;
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

stet_reader stet__reader_of(stet_slice s);
static inline size_t stet__read_left(const stet_reader *r)
{
    return (size_t)(r->end - r->ptr);
}
uint16_t stet__read_u16le(stet_reader *r);
uint32_t stet__read_u32le(stet_reader *r);
uint64_t stet__read_u64le(stet_reader *r);
/* A varint of any length; see stet__read_varint. */
uint64_t stet__read_long_varint(stet_reader *r);
/* Inline: most of a record's numbers take one byte. */
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
    if (!r->is_bad && r->ptr < r->end && *r->ptr < 0x80) {
        return *r->ptr++;
    }
    return stet__read_long_varint(r);
}

static inline int64_t stet__read_signed(stet_reader *r)
{
    return stet__unzigzag(stet__read_varint(r));
}

/* Lend the next `len` bytes; empty and bad when there are fewer. */
stet_slice stet__read_bytes(stet_reader *r, size_t len);

bool stet__slice_eq(stet_slice a, stet_slice b);
/* Order by unsigned bytes, the shorter first where one begins the other. */
int stet__slice_cmp(stet_slice a, stet_slice b);

#endif
