/*
 * Slice: a run of bytes that somebody else owns.
 */
#ifndef STET_SLICE_H
#define STET_SLICE_H

#include <stddef.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

/* `ptr` may be NULL only where `len` is 0. An empty slice means "not given". */
typedef struct stet_slice {
    const void *ptr;
    size_t len;
} stet_slice;

/* Lend `len` bytes at `ptr`. */
static inline stet_slice stet_slice_of(const void *ptr, size_t len)
{
    stet_slice s;
    s.ptr = ptr;
    s.len = len;
    return s;
}

/* Lend a NUL-terminated string without its NUL; NULL gives an empty slice. */
static inline stet_slice stet_str(const char *text)
{
    return stet_slice_of(text, text == NULL ? 0 : strlen(text));
}

#ifdef __cplusplus
}
#endif

#endif
