/*
 * Buffer: bytes that grow, from the handle's allocator.
 *
 * A failed append leaves the buffer as it was and marks it `is_failed`; later
 * appends do nothing, so that a caller can append many times and check once.
 * Thread: one at a time.
 */
#ifndef STET_BASE_BUF_H
#define STET_BASE_BUF_H

#include <stdbool.h>
#include <stdint.h>

#include <stet/export.h>
#include <stet/slice.h>

#include "base/alloc.h"
#include "base/assert.h"

typedef struct stet_buf {
    const stet_allocator *alloc; /* borrowed */
    uint8_t *ptr;
    size_t len;
    size_t cap;
    bool is_failed; /* an append found no memory */
} stet_buf;

/* Start empty, without allocating. */
void stet__buf_init(stet_buf *b, const stet_allocator *alloc);
/* Free the bytes; the buffer may be initialised again. Accepts a zeroed one. */
void stet__buf_deinit(stet_buf *b);
/* Make it empty and usable again; keeps the memory. */
void stet__buf_reset(stet_buf *b);

/* As stet__buf_reserve, where there is less room than that. */
bool stet__buf_grow(stet_buf *b, size_t more);

/* Make room for `more` bytes behind `len`; false when there is no memory. */
static inline bool stet__buf_reserve(stet_buf *b, size_t more)
{
    STET_DEBUG_ASSERT(b->len <= b->cap);
    /* Even for no bytes there is a block then, so that NULL means failure. */
    bool has_room = b->ptr != NULL && more <= b->cap - b->len;
    return !b->is_failed && (has_room || stet__buf_grow(b, more));
}

/* Append `len` bytes, not cleared; lent until the next call. NULL: none. */
static inline uint8_t *stet__buf_extend(stet_buf *b, size_t len)
{
    if (!stet__buf_reserve(b, len)) {
        return NULL;
    }
    uint8_t *p = b->ptr + b->len;
    b->len += len;
    return p;
}

void stet__buf_put(stet_buf *b, const void *ptr, size_t len);
void stet__buf_put_slice(stet_buf *b, stet_slice s);
void stet__buf_put_str(stet_buf *b, const char *text);
static inline void stet__buf_put_u8(stet_buf *b, uint8_t v)
{
    uint8_t *p = stet__buf_extend(b, 1);
    if (p != NULL) {
        *p = v;
    }
}

void stet__buf_put_u16le(stet_buf *b, uint16_t v);
void stet__buf_put_u32le(stet_buf *b, uint32_t v);
void stet__buf_put_u64le(stet_buf *b, uint64_t v);
/* LEB128, see base/bytes.h. */
void stet__buf_put_varint(stet_buf *b, uint64_t v);
/* Append formatted text. */
void stet__buf_printf(stet_buf *b, const char *format, ...) STET_PRINTF(2, 3);

/* Lend the content until the next append. */
stet_slice stet__buf_slice(const stet_buf *b);
/* Hand the bytes to the caller (free with stet__free(alloc, ptr, *out_cap)). */
uint8_t *stet__buf_take(stet_buf *b, size_t *out_len, size_t *out_cap);

#endif
