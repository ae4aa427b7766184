/*
 * Failing allocator: counts, tracks what is outstanding, and fails one call.
 *
 * A test that fails every allocation once runs until nothing was left to fail:
 *
 *   for (size_t nth = 1;; nth++) {
 *       failalloc f;
 *       failalloc_init(&f, nth);
 *       stet_allocator a = failalloc_allocator(&f);
 *       ... run; when f.is_hit, claim that it failed cleanly ...
 *       failalloc_assert_clean(&f);
 *       if (!f.is_hit) {
 *           break;
 *       }
 *   }
 *
 * It aborts when `old_bytes` is not the size a block has, and has no memory for
 * more than 1 GiB at once. Every resize moves the block, new bytes are filled
 * with junk and freed ones too, so that code which rests on stale pointers or
 * on zeros fails. Thread-safe.
 */
#ifndef STET_TESTS_FAILALLOC_H
#define STET_TESTS_FAILALLOC_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include <stet/alloc.h>

typedef struct failalloc {
    size_t nth;               /* the allocation to fail, from 1; 0: none */
    _Atomic size_t calls;     /* allocations and resizes asked for */
    _Atomic size_t blocks;    /* outstanding */
    _Atomic size_t bytes;     /* outstanding */
    _Atomic size_t bytes_max; /* the most that was outstanding */
    _Atomic bool is_hit;      /* the nth was asked for, and failed */
} failalloc;

void failalloc_init(failalloc *f, size_t nth);

/* Lend an allocator over `f`. */
stet_allocator failalloc_allocator(failalloc *f);

/* Abort unless all was freed. */
void failalloc_assert_clean(const failalloc *f);

#endif
