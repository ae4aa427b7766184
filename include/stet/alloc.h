/*
 * Allocator: where a handle takes its memory from.
 */
#ifndef STET_ALLOC_H
#define STET_ALLOC_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * One function allocates, resizes and frees:
 *
 *   ptr NULL               allocate `new_bytes`
 *   new_bytes 0            free `ptr`; returns NULL
 *   otherwise              resize; on failure returns NULL and `ptr` stays
 *
 * `old_bytes` is the size `ptr` was last given. New bytes are not cleared.
 * Blocks are aligned as malloc aligns them, for any type.
 * Called from any thread of the handle, so it must be thread-safe.
 */
typedef void *(*stet_alloc_fn)(void *ctx, void *ptr, size_t old_bytes,
                               size_t new_bytes);

/* `fn` NULL means the C library's heap. */
typedef struct stet_allocator {
    stet_alloc_fn fn;
    void *ctx;
} stet_allocator;

#ifdef __cplusplus
}
#endif

#endif
