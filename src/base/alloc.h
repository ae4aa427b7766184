/*
 * Memory through the handle's allocator. Nothing in the library calls malloc
 * directly except the default allocator here.
 */
#ifndef STET_BASE_ALLOC_H
#define STET_BASE_ALLOC_H

#include <stdbool.h>
#include <stddef.h>

#include <stet/alloc.h>

/* The C library's heap. Immutable. */
extern const stet_allocator stet__heap;

/* Allocate `bytes` > 0, not cleared; NULL when there is none. */
void *stet__alloc(const stet_allocator *a, size_t bytes);

/* Allocate `count` * `bytes` > 0, cleared; NULL on overflow or no memory. */
void *stet__alloc_zeroed(const stet_allocator *a, size_t count, size_t bytes);

/* Resize; on failure NULL and `ptr` stays valid. */
void *stet__realloc(const stet_allocator *a, void *ptr, size_t old_bytes,
                    size_t new_bytes);

/* Free; accepts NULL. `bytes` is the size it was allocated with. */
void stet__free(const stet_allocator *a, void *ptr, size_t bytes);

/* out = a * b; false on overflow, with `out` untouched. */
bool stet__mul(size_t a, size_t b, size_t *out);

/* out = a + b; false on overflow, with `out` untouched. */
bool stet__add(size_t a, size_t b, size_t *out);

#endif
