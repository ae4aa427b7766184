/*
 * Map: a hash table from a 64-bit hash to a pointer, with open addressing.
 *
 * The map owns no items. Two items may share a hash; `is_same` tells them
 * apart. Grows by doubling at 7/8 full; removal leaves no tombstones (backward
 * shift). Thread: one at a time.
 */
#ifndef STET_BASE_MAP_H
#define STET_BASE_MAP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/alloc.h"

typedef struct stet_map_slot {
    uint64_t hash;
    void *item; /* NULL: free */
} stet_map_slot;

typedef struct stet_map {
    const stet_allocator *alloc; /* borrowed */
    stet_map_slot *slots;
    size_t cap;   /* a power of two, or 0 */
    size_t count; /* items */
} stet_map;

/* Does `item` carry `key`? */
typedef bool (*stet_map_same)(const void *item, const void *key);

void stet__map_init(stet_map *m, const stet_allocator *alloc);
void stet__map_deinit(stet_map *m);
/* Make it empty and usable again; keeps the memory. */
void stet__map_reset(stet_map *m);

/* Find the item with this hash and key, or NULL. */
void *stet__map_find(const stet_map *m, uint64_t hash, const void *key,
                     stet_map_same is_same);
/* Say that a hash will be looked for; then, once that has come, its item. */
void stet__map_prefetch(const stet_map *m, uint64_t hash);
void stet__map_prefetch_item(const stet_map *m, uint64_t hash);

/* Make room for one more: the next put cannot fail. False: no memory. */
bool stet__map_reserve(stet_map *m);

/*
 * The same in pieces, for a map that is used under a lock: ask there how many
 * slots one more put wants (0: it has room), make an empty map of so many
 * outside (false: no memory), move to it under the lock, and deinit what
 * `larger` is then, the slots that were left.
 */
size_t stet__map_wants(const stet_map *m);
bool stet__map_init_slots(stet_map *m, const stet_allocator *alloc,
                          size_t slots);
void stet__map_move(stet_map *m, stet_map *larger);

/* Add an item that is not there; room was reserved. */
void stet__map_put(stet_map *m, uint64_t hash, void *item);
/* Take out this very item; false when it was not there. */
bool stet__map_remove(stet_map *m, uint64_t hash, const void *item);
/* Walk: start with *cursor 0; NULL at the end. Not across a put or remove. */
void *stet__map_next(const stet_map *m, size_t *cursor);

#endif
