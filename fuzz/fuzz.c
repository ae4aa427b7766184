#include "fuzz.h"

#include <string.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/checksum.h"

void fuzz_begin(fuzz *f, const uint8_t *data, size_t size)
{
    f->ptr = data;
    f->len = size;
    f->memory_max = 64 << 20;
    failalloc_init(&f->memory, 0);
    f->alloc = failalloc_allocator(&f->memory);
}

void fuzz_end(const fuzz *f)
{
    failalloc_assert_clean(&f->memory);
    FUZZ_CHECK(atomic_load(&f->memory.bytes_max) <= f->memory_max);
}

stet_slice fuzz_bytes(fuzz *f, size_t len)
{
    stet_slice s = stet_slice_of(f->ptr, len < f->len ? len : f->len);
    f->ptr += s.len;
    f->len -= s.len;
    return s;
}

uint8_t fuzz_u8(fuzz *f)
{
    return f->len == 0 ? 0 : *(const uint8_t *)fuzz_bytes(f, 1).ptr;
}

uint16_t fuzz_u16(fuzz *f)
{
    uint16_t low = fuzz_u8(f);
    return (uint16_t)(low | fuzz_u8(f) << 8);
}

stet_slice fuzz_text(fuzz *f)
{
    const uint8_t *end = f->len == 0 ? NULL : memchr(f->ptr, 0, f->len);
    stet_slice s = fuzz_bytes(f, end == NULL ? f->len : (size_t)(end - f->ptr));
    (void)fuzz_u8(f); /* the 0, if there is one */
    return s;
}

stet_slice fuzz_rest(fuzz *f)
{
    return fuzz_bytes(f, f->len);
}

size_t fuzz_tail_at(const stet_record *r, size_t len)
{
    size_t head_max = STET_RECORD_HEAD_BYTES_MAX;
    size_t tail_bytes = len < head_max ? 0 : len - head_max;
    while (stet__record_head_bytes(r, tail_bytes) + tail_bytes < len) {
        tail_bytes++;
    }
    return len - tail_bytes;
}

/* Make the checksum right, where head and tail can be told apart. */
static void seal(uint8_t *bytes, size_t len)
{
    stet_record r;
    size_t whole = 0;
    stet_slice s = stet_slice_of(bytes, len);
    if (stet__record_parse(s, &r, &whole, NULL) == STET_OK) {
        size_t head = fuzz_tail_at(&r, len);
        uint32_t crc = stet__crc32c(0, bytes + head, len - head);
        stet__put_u32le(bytes, stet__crc32c(crc, bytes + 4, head - 4));
    }
}

stet_slice fuzz_record(fuzz *f)
{
    uint32_t crc = 0;
    size_t len = 0;
    if (!stet__record_peek(stet_slice_of(f->ptr, f->len), &crc, &len)) {
        return (stet_slice){0};
    }
    uint8_t *copy = stet__alloc(&f->alloc, len);
    FUZZ_CHECK(copy != NULL);
    memcpy(copy, fuzz_bytes(f, len).ptr, len);
    seal(copy, len);
    return stet_slice_of(copy, len);
}

void fuzz_free(fuzz *f, stet_slice bytes)
{
    stet__free(&f->alloc, (void *)(uintptr_t)bytes.ptr, bytes.len);
}
