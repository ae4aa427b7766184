#include "base/arena.h"

#include <stdalign.h>
#include <string.h>

#include "base/assert.h"

enum {
    ARENA_ALIGN = 16,
    ARENA_BLOCK_MIN = 4 * 1024,
    ARENA_BLOCK_MAX = 256 * 1024,
};

struct stet_arena_block {
    alignas(ARENA_ALIGN) stet_arena_block *older;
    size_t bytes; /* of the whole block, this header included */
    size_t used;  /* likewise */
};

_Static_assert(sizeof(stet_arena_block) % ARENA_ALIGN == 0,
               "the first address behind the header is aligned");
_Static_assert(alignof(max_align_t) >= ARENA_ALIGN,
               "an allocator's blocks are aligned enough");

void stet__arena_init(stet_arena *a, const stet_allocator *alloc)
{
    *a = (stet_arena){.alloc = alloc};
}

static void free_from(stet_arena *a, stet_arena_block *b)
{
    while (b != NULL) {
        stet_arena_block *older = b->older;
        stet__free(a->alloc, b, b->bytes);
        b = older;
    }
}

void stet__arena_deinit(stet_arena *a)
{
    free_from(a, a->newest);
    a->newest = NULL;
}

void stet__arena_reset(stet_arena *a)
{
    if (a->newest != NULL) {
        free_from(a, a->newest->older);
        a->newest->older = NULL;
        a->newest->used = sizeof(stet_arena_block);
    }
}

/* The size of the block to make for `need` bytes, header included. */
static size_t block_bytes(const stet_arena *a, size_t need)
{
    if (need > ARENA_BLOCK_MAX) {
        return need;
    }
    size_t bytes = a->newest == NULL ? ARENA_BLOCK_MIN : a->newest->bytes * 2;
    while (bytes < need) {
        bytes *= 2;
    }
    return bytes < ARENA_BLOCK_MAX ? bytes : ARENA_BLOCK_MAX;
}

static stet_arena_block *add_block(stet_arena *a, size_t need)
{
    size_t bytes = block_bytes(a, need);
    stet_arena_block *b = stet__alloc(a->alloc, bytes);
    if (b == NULL) {
        return NULL;
    }
    b->bytes = bytes;
    b->used = sizeof *b;
    if (need > ARENA_BLOCK_MAX && a->newest != NULL) {
        /* It is full at once: the newest block keeps serving small ones. */
        b->older = a->newest->older;
        a->newest->older = b;
    } else {
        b->older = a->newest;
        a->newest = b;
    }
    return b;
}

void *stet__arena_alloc(stet_arena *a, size_t bytes)
{
    if (bytes > SIZE_MAX - sizeof(stet_arena_block) - ARENA_ALIGN) {
        return NULL;
    }
    size_t rounded = (bytes + ARENA_ALIGN - 1) / ARENA_ALIGN * ARENA_ALIGN;
    stet_arena_block *b = a->newest;
    if (b == NULL || rounded > b->bytes - b->used) {
        b = add_block(a, sizeof *b + rounded);
    }
    if (b == NULL) {
        return NULL;
    }
    void *ptr = (uint8_t *)b + b->used;
    b->used += rounded;
    STET_DEBUG_ASSERT((uintptr_t)ptr % ARENA_ALIGN == 0);
    return ptr;
}

stet_slice stet__arena_copy(stet_arena *a, stet_slice s)
{
    char *copy = s.len == SIZE_MAX ? NULL : stet__arena_alloc(a, s.len + 1);
    if (copy == NULL) {
        return stet_slice_of(NULL, 0);
    }
    if (s.len > 0) {
        memcpy(copy, s.ptr, s.len);
    }
    copy[s.len] = '\0';
    return stet_slice_of(copy, s.len);
}
