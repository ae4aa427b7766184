/*
 * Batch: items on their way into a store, with a key made of their content.
 *
 * An import commits its items in batches. Where a batch ends depends on the
 * items alone, and its key is a SHA-256 over the format, the prefix and every
 * field of every item up to its last one. So the same file imported again asks
 * for the same batches under the same keys, and the store answers that it has
 * them; one changed byte, and from there on the keys are new. A batch that is
 * not full is committed at the end of the file only: an import that stopped at
 * a malformed line goes on, once the line is mended, as if it had never
 * stopped.
 *
 * The encoding under the hash is fixed: changing it would store again what
 * older versions imported.
 */
#ifndef STET_FORMATS_BATCH_H
#define STET_FORMATS_BATCH_H

#include <stdbool.h>

#include <stet/write.h>

#include "base/alloc.h"
#include "formats/format.h"
#include "formats/item.h"

enum {
    STET_IMPORT_EVENTS_MAX = 1000,
    /* Above this a batch ends before its next item, which may be larger. */
    STET_IMPORT_BYTES_MAX = 4 * 1024 * 1024
};

typedef struct stet_import_opts {
    stet_format format;
    stet_slice prefix; /* goes in front of each id; borrowed */
    uint8_t ns;
} stet_import_opts;

/* The items of one batch, and the hash of all before. Thread: one at a time. */
typedef struct stet_import_batch stet_import_batch;

STET_NODISCARD stet_status stet__batch_create(const stet_allocator *alloc,
                                              const stet_import_opts *opts,
                                              stet_import_batch **out,
                                              stet_error *err);
/* Accepts NULL. */
void stet__batch_destroy(stet_import_batch *b);

/* Does the batch have all the items it may have? */
bool stet__batch_is_full(const stet_import_batch *b);
/* Must the batch be committed before this item is added? */
bool stet__batch_is_full_for(const stet_import_batch *b, const stet_item *item);

/*
 * Copy an item into the batch.
 *
 * STET_E_INVALID: its id is too long with the prefix. STET_E_EXISTS: the batch
 * creates that machine already. Both texts begin with the item's line.
 */
STET_NODISCARD stet_status stet__batch_add(stet_import_batch *b,
                                           const stet_item *item,
                                           stet_error *err);

/* Lend the batch for stet_commit until the next call; NULL: it is empty. */
const stet_batch *stet__batch_peek(stet_import_batch *b);

/* The lines of its first and last item. */
typedef struct stet_lines {
    uint64_t first;
    uint64_t last;
} stet_lines;
stet_lines stet__batch_lines(const stet_import_batch *b);

/* Drop the items; the hash goes on. */
void stet__batch_reset(stet_import_batch *b);

#endif
