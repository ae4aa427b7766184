/*
 * Keyset: the keys met so far in one object, to find one that comes twice.
 *
 * It is a run of {length, bytes} at the end of a buffer, so that the sets of
 * objects in each other can share one: a set begins at an offset, and cutting
 * the buffer there ends it. Searching is linear: users bound their sets.
 */
#ifndef STET_FORMATS_KEYSET_H
#define STET_FORMATS_KEYSET_H

#include <stdbool.h>

#include "base/buf.h"

/*
 * Add a key to the set that begins at `from`; false when it is there already.
 * Without memory the buffer is marked as failed.
 */
bool stet__keyset_add(stet_buf *keys, size_t from, stet_slice key);

#endif
