#include "stores/embedded/unpacked.h"

#include <string.h>

#include "base/mark.h"

static size_t block_bytes(size_t len)
{
    return sizeof(stet_unpacked_block) + len;
}

void stet__unpacked_init(stet_unpacked *u, stet_os *os)
{
    memset(u, 0, sizeof *u);
    u->os = os;
    stet__mutex_init(&u->lock, STET_RANK_LEAF);
}

void stet__unpacked_deinit(stet_unpacked *u)
{
    for (size_t i = 0; i < STET_UNPACKED_BLOCKS; i++) {
        stet__unpacked_unref(u->places[i].block);
        u->places[i].block = NULL;
    }
}

static stet_unpacked_block *ref(stet_unpacked_block *b)
{
    /* Relaxed: who gives a reference on holds one. */
    atomic_fetch_add_explicit(&b->refs, 1, memory_order_relaxed);
    return b;
}

void stet__unpacked_unref(stet_unpacked_block *b)
{
    /* Both: what others read comes before what the last one frees. */
    if (b != NULL &&
        atomic_fetch_sub_explicit(&b->refs, 1, memory_order_acq_rel) == 1) {
        stet__free(b->alloc, b, block_bytes(b->len));
    }
}

/* Where a block is kept; NULL: nowhere. */
static stet_unpacked_place *place_locked(stet_unpacked *u, uint32_t file,
                                         uint32_t number)
{
    for (size_t i = 0; i < STET_UNPACKED_BLOCKS; i++) {
        stet_unpacked_place *p = &u->places[i];
        if (p->number == number && p->file == file && p->block != NULL) {
            return p;
        }
    }
    return NULL;
}

stet_unpacked_block *stet__unpacked_find(stet_unpacked *u, uint32_t file,
                                         uint32_t number)
{
    stet_unpacked_block *found = NULL;
    stet__mutex_lock(u->os, &u->lock);
    stet_unpacked_place *p = place_locked(u, file, number);
    if (p != NULL) {
        found = ref(p->block);
        p->used_at = ++u->clock;
    }
    stet__mutex_unlock(u->os, &u->lock);
    return found;
}

/* Whose block was not used for the longest time. */
static stet_unpacked_place *oldest_locked(stet_unpacked *u)
{
    stet_unpacked_place *oldest = &u->places[0];
    for (size_t i = 1; i < STET_UNPACKED_BLOCKS; i++) {
        stet_unpacked_place *p = &u->places[i];
        oldest = p->used_at < oldest->used_at ? p : oldest;
    }
    return oldest;
}

stet_unpacked_block *stet__unpacked_keep(stet_unpacked *u,
                                         const stet_allocator *alloc,
                                         uint32_t file, uint32_t number,
                                         stet_slice content)
{
    stet_unpacked_block *b = content.len > STET_UNPACKED_BYTES_MAX
                                 ? NULL
                                 : stet__alloc(alloc, block_bytes(content.len));
    if (b == NULL) {
        return NULL;
    }
    b->alloc = alloc;
    b->len = content.len;
    memcpy(b->bytes, content.ptr, content.len);
    atomic_init(&b->refs, 1);
    stet__mutex_lock(u->os, &u->lock);
    /* Another one may have kept it meanwhile: then this one takes its place. */
    stet_unpacked_place *p = place_locked(u, file, number);
    if (p != NULL) {
        STET_MARK("unpacked.kept_meanwhile");
    }
    p = p != NULL ? p : oldest_locked(u);
    stet_unpacked_block *gone = p->block;
    *p = (stet_unpacked_place){ref(b), ++u->clock, file, number};
    stet__mutex_unlock(u->os, &u->lock);
    stet__unpacked_unref(gone);
    return b;
}
