/*
 * Robin Hood hashing: of two items that want one slot, the one farther from its
 * home keeps it. A search for an absent key so ends at the first item nearer
 * to its home than the key would be, which keeps misses short at 7/8 full.
 *
 * Invariant (1): along a run of taken slots an item's distance from home is at
 * most one more than that of the item before it.
 */
#include "base/map.h"

#include <string.h>

#include "base/assert.h"

enum { MAP_CAP_MIN = 16 };

void stet__map_init(stet_map *m, const stet_allocator *alloc)
{
    *m = (stet_map){.alloc = alloc};
}

void stet__map_deinit(stet_map *m)
{
    if (m->slots != NULL) {
        stet__free(m->alloc, m->slots, m->cap * sizeof *m->slots);
    }
    *m = (stet_map){.alloc = m->alloc};
}

void stet__map_reset(stet_map *m)
{
    if (m->count > 0) {
        memset(m->slots, 0, m->cap * sizeof *m->slots);
        m->count = 0;
    }
}

/* How many slots behind its home the item in slot `i` is. */
static size_t distance(const stet_map *m, size_t i)
{
    return (i - (size_t)m->slots[i].hash) & (m->cap - 1);
}

void *stet__map_find(const stet_map *m, uint64_t hash, const void *key,
                     stet_map_same is_same)
{
    if (m->count == 0) {
        return NULL;
    }
    size_t mask = m->cap - 1;
    size_t i = (size_t)hash & mask;
    for (size_t far = 0; m->slots[i].item != NULL; far++, i = (i + 1) & mask) {
        const stet_map_slot *slot = &m->slots[i];
        if (slot->hash == hash && is_same(slot->item, key)) {
            return slot->item;
        }
        if (distance(m, i) < far) {
            return NULL; /* by (1) */
        }
    }
    return NULL;
}

void stet__map_prefetch(const stet_map *m, uint64_t hash)
{
    if (m->count > 0) {
        __builtin_prefetch(&m->slots[(size_t)hash & (m->cap - 1)]);
    }
}

void stet__map_prefetch_item(const stet_map *m, uint64_t hash)
{
    if (m->count == 0) {
        return;
    }
    size_t mask = m->cap - 1;
    size_t i = (size_t)hash & mask;
    for (size_t far = 0; m->slots[i].item != NULL && distance(m, i) >= far;
         far++, i = (i + 1) & mask) {
        if (m->slots[i].hash == hash) {
            __builtin_prefetch(m->slots[i].item);
            return;
        }
    }
}

/* Put into a table that has a free slot. */
static void place(stet_map *m, stet_map_slot moving)
{
    size_t mask = m->cap - 1;
    size_t i = (size_t)moving.hash & mask;
    size_t far = 0;
    while (m->slots[i].item != NULL && distance(m, i) >= far) {
        i = (i + 1) & mask;
        far++;
    }
    /* The rest of the run moves on by one, which keeps (1). */
    while (m->slots[i].item != NULL) {
        stet_map_slot taken = m->slots[i];
        m->slots[i] = moving;
        moving = taken;
        i = (i + 1) & mask;
    }
    m->slots[i] = moving;
}

size_t stet__map_wants(const stet_map *m)
{
    if (m->count < m->cap - m->cap / 8) {
        return 0;
    }
    return m->cap == 0 ? MAP_CAP_MIN : m->cap * 2;
}

bool stet__map_init_slots(stet_map *m, const stet_allocator *alloc,
                          size_t slots)
{
    STET_ASSERT(slots >= MAP_CAP_MIN && (slots & (slots - 1)) == 0);
    stet__map_init(m, alloc);
    m->slots = stet__alloc_zeroed(alloc, slots, sizeof *m->slots);
    m->cap = m->slots == NULL ? 0 : slots;
    return m->slots != NULL;
}

void stet__map_move(stet_map *m, stet_map *larger)
{
    STET_ASSERT(larger->count == 0 && larger->cap > m->cap);
    for (size_t i = 0; i < m->cap; i++) {
        if (m->slots[i].item != NULL) {
            place(larger, m->slots[i]);
        }
    }
    larger->count = m->count;
    stet_map left = *m;
    *m = *larger;
    *larger = left;
}

bool stet__map_reserve(stet_map *m)
{
    size_t wanted = stet__map_wants(m);
    if (wanted == 0) {
        return true;
    }
    stet_map larger;
    if (!stet__map_init_slots(&larger, m->alloc, wanted)) {
        return false;
    }
    stet__map_move(m, &larger);
    stet__map_deinit(&larger);
    return true;
}

void stet__map_put(stet_map *m, uint64_t hash, void *item)
{
    STET_ASSERT(item != NULL);
    STET_ASSERT(m->count < m->cap - m->cap / 8);
    place(m, (stet_map_slot){.hash = hash, .item = item});
    m->count++;
}

bool stet__map_remove(stet_map *m, uint64_t hash, const void *item)
{
    STET_ASSERT(item != NULL);
    if (m->count == 0) {
        return false;
    }
    size_t mask = m->cap - 1;
    size_t i = (size_t)hash & mask;
    for (size_t far = 0; m->slots[i].item != item; far++, i = (i + 1) & mask) {
        if (m->slots[i].item == NULL || distance(m, i) < far) {
            return false;
        }
    }
    size_t next = (i + 1) & mask;
    while (m->slots[next].item != NULL && distance(m, next) > 0) {
        m->slots[i] = m->slots[next];
        i = next;
        next = (next + 1) & mask;
    }
    m->slots[i] = (stet_map_slot){.item = NULL};
    m->count--;
    return true;
}

void *stet__map_next(const stet_map *m, size_t *cursor)
{
    while (*cursor < m->cap) {
        void *item = m->slots[(*cursor)++].item;
        if (item != NULL) {
            return item;
        }
    }
    return NULL;
}
