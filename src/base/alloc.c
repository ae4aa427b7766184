#include "base/alloc.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"

static void *heap_alloc(void *ctx, void *ptr, size_t old_bytes,
                        size_t new_bytes)
{
    (void)ctx;
    (void)old_bytes;
    if (new_bytes == 0) {
        free(ptr);
        return NULL;
    }
    return realloc(ptr, new_bytes);
}

const stet_allocator stet__heap = {.fn = heap_alloc, .ctx = NULL};

static void *call(const stet_allocator *a, void *ptr, size_t old_bytes,
                  size_t new_bytes)
{
    stet_alloc_fn fn = a->fn == NULL ? heap_alloc : a->fn;
    return fn(a->ctx, ptr, old_bytes, new_bytes);
}

void *stet__alloc(const stet_allocator *a, size_t bytes)
{
    STET_ASSERT(bytes > 0);
    return call(a, NULL, 0, bytes);
}

void *stet__alloc_zeroed(const stet_allocator *a, size_t count, size_t bytes)
{
    size_t total = 0;
    if (!stet__mul(count, bytes, &total)) {
        return NULL;
    }
    if (a->fn == NULL || a->fn == heap_alloc) {
        /* Fresh pages are zeros: large tables stay untouched until used. */
        STET_ASSERT(total > 0);
        return calloc(1, total);
    }
    void *ptr = stet__alloc(a, total);
    if (ptr != NULL) {
        memset(ptr, 0, total);
    }
    return ptr;
}

void *stet__realloc(const stet_allocator *a, void *ptr, size_t old_bytes,
                    size_t new_bytes)
{
    STET_ASSERT(new_bytes > 0);
    return call(a, ptr, old_bytes, new_bytes);
}

void stet__free(const stet_allocator *a, void *ptr, size_t bytes)
{
    if (ptr != NULL) {
        (void)call(a, ptr, bytes, 0); /* NULL by contract */
    }
}

bool stet__mul(size_t a, size_t b, size_t *out)
{
    size_t product = 0;
    if (__builtin_mul_overflow(a, b, &product)) {
        return false;
    }
    *out = product;
    return true;
}

bool stet__add(size_t a, size_t b, size_t *out)
{
    size_t sum = 0;
    if (__builtin_add_overflow(a, b, &sum)) {
        return false;
    }
    *out = sum;
    return true;
}
