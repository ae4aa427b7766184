/*
 * Sized blocks: for libraries whose free function is not told the size.
 *
 * Each block carries its size in front of what the library sees, since the
 * handle's allocator wants it back.
 */
#ifndef STET_BASE_SIZED_H
#define STET_BASE_SIZED_H

#include "base/alloc.h"

/* NULL when there is no memory. */
void *stet__sized_alloc(const stet_allocator *a, size_t bytes);
/* As realloc: NULL `ptr` allocates; on failure NULL and `ptr` stays valid. */
void *stet__sized_realloc(const stet_allocator *a, void *ptr, size_t bytes);
/* Accepts NULL. */
void stet__sized_free(const stet_allocator *a, void *ptr);

#endif
