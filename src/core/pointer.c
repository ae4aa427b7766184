#include "core/pointer.h"

#include <string.h>

#include "base/assert.h"

bool stet__pointer_is_valid(stet_slice pointer)
{
    const char *p = pointer.ptr;
    if (pointer.len > 0 && p[0] != '/') {
        return false;
    }
    for (size_t i = 0; i < pointer.len; i++) {
        bool is_escape =
            i + 1 < pointer.len && (p[i + 1] == '0' || p[i + 1] == '1');
        if (p[i] == '~' && !is_escape) {
            return false;
        }
    }
    return true;
}

bool stet__pointer_next(stet_slice *rest, stet_slice *out_token)
{
    if (rest->len == 0) {
        return false;
    }
    const char *token = rest->ptr;
    STET_ASSERT(*token == '/');
    const char *end = token + rest->len;
    token++;
    const char *slash = memchr(token, '/', rest->len - 1);
    slash = slash == NULL ? end : slash;
    *out_token = stet_slice_of(token, (size_t)(slash - token));
    *rest = stet_slice_of(slash, (size_t)(end - slash));
    return true;
}

stet_slice stet__pointer_decode(stet_slice token, stet_arena *arena)
{
    if (token.len == 0 || memchr(token.ptr, '~', token.len) == NULL) {
        return token;
    }
    const char *from = token.ptr;
    const char *end = from + token.len;
    char *decoded = stet__arena_alloc(arena, token.len);
    if (decoded == NULL) {
        return stet_slice_of(NULL, 0);
    }
    char *to = decoded;
    while (from < end) {
        char c = *from++;
        if (c == '~') {
            STET_ASSERT(from < end);
            c = *from++ == '1' ? '/' : '~';
        }
        *to++ = c;
    }
    return stet_slice_of(decoded, (size_t)(to - decoded));
}

bool stet__pointer_index(stet_slice token, uint32_t *out)
{
    const char *p = token.ptr;
    if (token.len == 0 || (token.len > 1 && p[0] == '0')) {
        return false;
    }
    uint64_t index = 0;
    for (size_t i = 0; i < token.len; i++) {
        if (p[i] < '0' || p[i] > '9') {
            return false;
        }
        index = index * 10 + (uint64_t)(p[i] - '0');
        if (index > UINT32_MAX) {
            return false;
        }
    }
    *out = (uint32_t)index;
    return true;
}

bool stet__pointer_is_inside(stet_slice a, stet_slice b)
{
    if (a.len <= b.len || (b.len > 0 && memcmp(a.ptr, b.ptr, b.len) != 0)) {
        return false;
    }
    return ((const char *)a.ptr)[b.len] == '/';
}

void stet__pointer_put_name(stet_buf *out, stet_slice name)
{
    const char *p = name.ptr;
    stet__buf_put_u8(out, '/');
    for (size_t i = 0; i < name.len; i++) {
        if (p[i] == '~' || p[i] == '/') {
            stet__buf_put(out, p[i] == '~' ? "~0" : "~1", 2);
        } else {
            stet__buf_put(out, &p[i], 1);
        }
    }
}

void stet__pointer_put_index(stet_buf *out, uint32_t index)
{
    stet__buf_printf(out, "/%u", index);
}
