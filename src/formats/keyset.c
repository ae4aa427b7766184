#include "formats/keyset.h"

#include "base/assert.h"
#include "base/bytes.h"

bool stet__keyset_add(stet_buf *keys, size_t from, stet_slice key)
{
    STET_ASSERT(from <= keys->len && key.len <= UINT32_MAX);
    stet_slice set = stet_slice_of(NULL, 0);
    if (keys->len > from) {
        set = stet_slice_of(keys->ptr + from, keys->len - from);
    }
    stet_reader r = stet__reader_of(set);
    while (stet__read_left(&r) > 0) {
        uint32_t len = stet__read_u32le(&r);
        if (stet__slice_eq(stet__read_bytes(&r, len), key)) {
            return false;
        }
    }
    stet__buf_put_u32le(keys, (uint32_t)key.len);
    stet__buf_put_slice(keys, key);
    return true;
}
