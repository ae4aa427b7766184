#include "base/sized.h"

#include <stdalign.h>

#include "base/outside.h"

/* In front of each block; keeps its alignment. */
typedef struct header {
    alignas(max_align_t) size_t bytes; /* of the block, header included */
} header;

void *stet__sized_realloc(const stet_allocator *a, void *ptr, size_t bytes)
{
    size_t total = 0;
    if (!stet__add(bytes, sizeof(header), &total)) {
        return NULL;
    }
    header *old = ptr == NULL ? NULL : (header *)ptr - 1;
    header *h = old == NULL ? stet__alloc(a, total)
                            : stet__realloc(a, old, old->bytes, total);
    if (h == NULL) {
        return NULL;
    }
    h->bytes = total;
    stet__outside_sets(h + 1, bytes);
    return h + 1;
}

void *stet__sized_alloc(const stet_allocator *a, size_t bytes)
{
    return stet__sized_realloc(a, NULL, bytes);
}

void stet__sized_free(const stet_allocator *a, void *ptr)
{
    if (ptr != NULL) {
        header *h = (header *)ptr - 1;
        stet__free(a, h, h->bytes);
    }
}
