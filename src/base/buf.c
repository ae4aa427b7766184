#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"

enum { BUF_CAP_MIN = 64 };

void stet__buf_init(stet_buf *b, const stet_allocator *alloc)
{
    *b = (stet_buf){.alloc = alloc};
}

void stet__buf_deinit(stet_buf *b)
{
    /* Not through b->alloc when there is nothing: a zeroed one has none. */
    if (b->ptr != NULL) {
        stet__free(b->alloc, b->ptr, b->cap);
    }
    *b = (stet_buf){.alloc = b->alloc};
}

void stet__buf_reset(stet_buf *b)
{
    b->len = 0;
    b->is_failed = false;
}

/* Take a larger block for so much more. */
static bool move(stet_buf *b, size_t more)
{
    size_t need = 0;
    if (!stet__add(b->len, more, &need)) {
        return false;
    }
    size_t cap = b->cap <= SIZE_MAX / 2 ? b->cap * 2 : SIZE_MAX;
    cap = cap < need ? need : cap;
    cap = cap < BUF_CAP_MIN ? BUF_CAP_MIN : cap;
    uint8_t *ptr = stet__realloc(b->alloc, b->ptr, b->cap, cap);
    if (ptr == NULL) {
        return false;
    }
    b->ptr = ptr;
    b->cap = cap;
    return true;
}

bool stet__buf_grow(stet_buf *b, size_t more)
{
    b->is_failed = !move(b, more);
    return !b->is_failed;
}

void stet__buf_put(stet_buf *b, const void *ptr, size_t len)
{
    if (len == 0) {
        return; /* `ptr` may be NULL, which memcpy forbids */
    }
    uint8_t *p = stet__buf_extend(b, len);
    if (p != NULL) {
        memcpy(p, ptr, len);
    }
}

void stet__buf_put_slice(stet_buf *b, stet_slice s)
{
    stet__buf_put(b, s.ptr, s.len);
}

void stet__buf_put_str(stet_buf *b, const char *text)
{
    stet__buf_put(b, text, strlen(text));
}

void stet__buf_put_u16le(stet_buf *b, uint16_t v)
{
    uint8_t *p = stet__buf_extend(b, sizeof v);
    if (p != NULL) {
        stet__put_u16le(p, v);
    }
}

void stet__buf_put_u32le(stet_buf *b, uint32_t v)
{
    uint8_t *p = stet__buf_extend(b, sizeof v);
    if (p != NULL) {
        stet__put_u32le(p, v);
    }
}

void stet__buf_put_u64le(stet_buf *b, uint64_t v)
{
    uint8_t *p = stet__buf_extend(b, sizeof v);
    if (p != NULL) {
        stet__put_u64le(p, v);
    }
}

void stet__buf_put_varint(stet_buf *b, uint64_t v)
{
    if (stet__buf_reserve(b, STET_VARINT_BYTES_MAX)) {
        uint8_t *end = stet__put_varint(b->ptr + b->len, v);
        b->len = (size_t)(end - b->ptr);
    }
}

void stet__buf_printf(stet_buf *b, const char *format, ...)
{
    if (!stet__buf_reserve(b, 1)) {
        return;
    }
    va_list args;
    va_list again;
    va_start(args, format);
    va_copy(again, args);
    size_t room = b->cap - b->len;
    int full = vsnprintf((char *)b->ptr + b->len, room, format, args);
    va_end(args);
    if (full < 0) {
        b->is_failed = true; /* longer than an int counts */
    } else if ((size_t)full < room) {
        b->len += (size_t)full;
    } else if (stet__buf_reserve(b, (size_t)full + 1)) { /* and its NUL */
        (void)vsnprintf((char *)b->ptr + b->len, (size_t)full + 1, format,
                        again); /* the same text, which now fits */
        b->len += (size_t)full;
    }
    va_end(again);
}

stet_slice stet__buf_slice(const stet_buf *b)
{
    return stet_slice_of(b->ptr, b->len);
}

uint8_t *stet__buf_take(stet_buf *b, size_t *out_len, size_t *out_cap)
{
    uint8_t *ptr = b->ptr;
    *out_len = b->len;
    *out_cap = b->cap;
    *b = (stet_buf){.alloc = b->alloc};
    return ptr;
}
