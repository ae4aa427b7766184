#include "engine/keyring.h"

#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"

static uint64_t hash_of(const uint8_t key[16])
{
    return stet__get_u64le(key); /* a hash already */
}

static bool has_key(const void *item, const void *key)
{
    return memcmp(((const stet_key_item *)item)->key, key, 16) == 0;
}

void stet__keyring_init(stet_keyring *k, const stet_allocator *alloc,
                        uint64_t floor)
{
    memset(k, 0, sizeof(*k));
    k->alloc = alloc;
    k->floor = floor;
    stet__map_init(&k->map, alloc);
}

void stet__key_items_free(const stet_allocator *alloc, stet_key_item *items)
{
    while (items != NULL) {
        stet_key_item *next = items->next;
        stet__free(alloc, items, sizeof(*items));
        items = next;
    }
}

void stet__keyring_deinit(stet_keyring *k)
{
    stet__key_items_free(k->alloc, k->oldest);
    stet__map_deinit(&k->map);
}

stet_key_item *stet__keyring_find(const stet_keyring *k, const uint8_t key[16])
{
    return stet__map_find(&k->map, hash_of(key), key, has_key);
}

size_t stet__keyring_wants(const stet_keyring *k)
{
    return stet__map_wants(&k->map);
}

void stet__keyring_grow(stet_keyring *k, stet_map *map)
{
    if (map->cap > k->map.cap) {
        stet__map_move(&k->map, map);
    }
}

void stet__keyring_put(stet_keyring *k, stet_key_item *item)
{
    STET_ASSERT(k->newest == NULL || item->position > k->newest->position);
    stet__map_put(&k->map, hash_of(item->key), item);
    item->next = NULL;
    if (k->newest == NULL) {
        k->oldest = item;
    } else {
        k->newest->next = item;
    }
    k->newest = item;
    k->count++;
}

stet_key_item *stet__keyring_trim(stet_keyring *k, uint64_t watermark)
{
    stet_key_item *gone = NULL;
    while (k->count > STET_KEYRING_KEPT && k->oldest->position < watermark) {
        stet_key_item *item = k->oldest;
        k->oldest = item->next;
        k->count--;
        k->floor = item->position + 1;
        bool was_there = stet__map_remove(&k->map, hash_of(item->key), item);
        STET_ASSERT(was_there);
        item->next = gone;
        gone = item;
    }
    return gone;
}
