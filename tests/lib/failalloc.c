#include "lib/failalloc.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { JUNK_NEW = 0xa5, JUNK_FREED = 0x5a, BLOCK_BYTES_MAX = 1 << 30 };

/* In front of each block; keeps its alignment. */
typedef struct header {
    _Alignas(max_align_t) size_t bytes;
    uint64_t magic;
} header;

static const uint64_t magic_live = 0x6c69766520626c6bU;
static const uint64_t magic_freed = 0x6672656564626c6bU;

static void check(bool is_true, const char *claim, size_t a, size_t b)
{
    if (!is_true) {
        fprintf(stderr, "failalloc: %s: %zu, %zu\n", claim, a, b);
        abort();
    }
}

static void *block_new(failalloc *f, size_t bytes)
{
    header *h = malloc(sizeof *h + bytes);
    check(h != NULL, "the heap itself is out of memory", bytes, 0);
    h->bytes = bytes;
    h->magic = magic_live;
    memset(h + 1, JUNK_NEW, bytes);
    atomic_fetch_add(&f->blocks, 1);
    size_t now = atomic_fetch_add(&f->bytes, bytes) + bytes;
    size_t max = atomic_load(&f->bytes_max);
    while (now > max &&
           !atomic_compare_exchange_weak(&f->bytes_max, &max, now)) {
    }
    return h + 1;
}

static void block_free(failalloc *f, void *ptr)
{
    header *h = (header *)ptr - 1;
    size_t bytes = h->bytes;
    atomic_fetch_sub(&f->blocks, 1);
    atomic_fetch_sub(&f->bytes, bytes);
    memset(ptr, JUNK_FREED, bytes);
    h->magic = magic_freed;
    free(h);
}

static void *block_move(failalloc *f, void *ptr, size_t old_bytes,
                        size_t new_bytes)
{
    void *moved = block_new(f, new_bytes);
    memcpy(moved, ptr, old_bytes < new_bytes ? old_bytes : new_bytes);
    block_free(f, ptr);
    return moved;
}

static void *failalloc_fn(void *ctx, void *ptr, size_t old_bytes,
                          size_t new_bytes)
{
    failalloc *f = ctx;
    if (ptr == NULL) {
        check(old_bytes == 0, "NULL has no old bytes", old_bytes, new_bytes);
        check(new_bytes > 0, "freed NULL", old_bytes, new_bytes);
    } else {
        const header *h = (const header *)ptr - 1;
        check(h->magic == magic_live, "not a live block", old_bytes, new_bytes);
        check(h->bytes == old_bytes, "old bytes, but has", old_bytes, h->bytes);
    }
    if (new_bytes == 0) {
        block_free(f, ptr);
        return NULL;
    }
    if (atomic_fetch_add(&f->calls, 1) + 1 == f->nth) {
        atomic_store(&f->is_hit, true);
        return NULL;
    }
    if (new_bytes > BLOCK_BYTES_MAX) {
        return NULL;
    }
    return ptr == NULL ? block_new(f, new_bytes)
                       : block_move(f, ptr, old_bytes, new_bytes);
}

void failalloc_init(failalloc *f, size_t nth)
{
    f->nth = nth;
    atomic_init(&f->calls, 0);
    atomic_init(&f->blocks, 0);
    atomic_init(&f->bytes, 0);
    atomic_init(&f->bytes_max, 0);
    atomic_init(&f->is_hit, false);
}

stet_allocator failalloc_allocator(failalloc *f)
{
    return (stet_allocator){.fn = failalloc_fn, .ctx = f};
}

void failalloc_assert_clean(const failalloc *f)
{
    size_t blocks = atomic_load(&f->blocks);
    size_t bytes = atomic_load(&f->bytes);
    check(blocks == 0 && bytes == 0, "blocks and bytes leaked", blocks, bytes);
}
