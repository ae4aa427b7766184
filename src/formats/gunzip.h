/*
 * Gunzip: a stream of bytes that may be gzip (RFC 1952) or not, as what it
 * holds.
 *
 * Bytes are pushed through: what does not begin with gzip's magic goes on as it
 * is, the rest is inflated, several members one after the other included.
 * Memory is one window and one buffer, whatever the size of the stream.
 */
#ifndef STET_FORMATS_GUNZIP_H
#define STET_FORMATS_GUNZIP_H

#include "base/alloc.h"
#include "formats/format.h"

enum { STET_GUNZIP_BYTES = 64 * 1024 }; /* the most that is given at once */

/* Thread: one at a time. */
typedef struct stet_gunzip stet_gunzip;

/* `next` is called from feed and finish only. */
STET_NODISCARD stet_status stet__gunzip_create(const stet_allocator *alloc,
                                               stet_bytes_fn next, void *ctx,
                                               stet_gunzip **out,
                                               stet_error *err);
/* Accepts NULL. */
void stet__gunzip_destroy(stet_gunzip *g);

/*
 * Push the next bytes through.
 *
 * STET_E_CORRUPT: broken gzip, with the offset in what was fed. A status of
 * `next` is handed on and ends the stream.
 */
STET_NODISCARD stet_status stet__gunzip_feed(stet_gunzip *g, stet_slice bytes,
                                             stet_error *err);
/* Say that there is no more; STET_E_CORRUPT when gzip is cut short. */
STET_NODISCARD stet_status stet__gunzip_finish(stet_gunzip *g, stet_error *err);

#endif
