/*
 * Keyring: idempotency keys that were sequenced lately.
 *
 * The log finds keys that it has indexed. Between sequencing and that, and for
 * a while after, the ring knows them, so that two calls with one key can never
 * both be sequenced: a call looks into the log below a watermark, then, under
 * `seq`, into the ring for everything from there on. The ring holds all keys
 * from `floor` on; a look at the log that is older than `floor` must be
 * repeated.
 *
 * Thread: under `seq`, so nothing here allocates.
 */
#ifndef STET_ENGINE_KEYRING_H
#define STET_ENGINE_KEYRING_H

#include <stdint.h>

#include "base/map.h"

/* Published keys that are kept all the same. */
#ifdef STET_SIM
enum { STET_KEYRING_KEPT = 2 };
#else
enum { STET_KEYRING_KEPT = 1024 };
#endif

/* One keyed batch. */
typedef struct stet_key_item {
    struct stet_key_item *next; /* in order of position */
    uint8_t key[16];
    uint64_t check;    /* of the batch's content */
    uint64_t position; /* of its first event */
} stet_key_item;

typedef struct stet_keyring {
    const stet_allocator *alloc;
    stet_map map;
    stet_key_item *oldest;
    stet_key_item *newest;
    uint64_t count;
    uint64_t floor;
} stet_keyring;

void stet__keyring_init(stet_keyring *k, const stet_allocator *alloc,
                        uint64_t floor);
void stet__keyring_deinit(stet_keyring *k);

stet_key_item *stet__keyring_find(const stet_keyring *k, const uint8_t key[16]);

/* Slots that one more put wants of a larger map; 0: it has room. */
size_t stet__keyring_wants(const stet_keyring *k);
/*
 * Move into a larger map, which was made outside the lock and is freed there:
 * `map` takes the memory that is left. It may have come too late: the ring grew
 * as much meanwhile.
 */
void stet__keyring_grow(stet_keyring *k, stet_map *map);
/* Add an item, which moves to the ring; it has room. */
void stet__keyring_put(stet_keyring *k, stet_key_item *item);

/*
 * Take out what is published and no longer worth keeping, chained by `next`;
 * the caller frees it outside the lock with stet__key_items_free.
 */
stet_key_item *stet__keyring_trim(stet_keyring *k, uint64_t watermark);
void stet__key_items_free(const stet_allocator *alloc, stet_key_item *items);

#endif
