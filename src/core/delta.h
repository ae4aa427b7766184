/*
 * Delta: bytes packed with zstd, perhaps against a prefix.
 *
 * The prefix, the state before, is raw content: matches may reach back into it
 * as if it stood in front of the packed bytes. Both sides must have the same.
 * Nothing is written that the record has anyway: no magic (format
 * ZSTD_f_zstd1_magicless), no content size, no dictionary id, no checksum.
 *
 * A packing context keeps zstd's tables between calls. Thread: one at a time.
 */
#ifndef STET_CORE_DELTA_H
#define STET_CORE_DELTA_H

#include <stet/export.h>
#include <stet/status.h>

#include "base/buf.h"

typedef struct stet_zctx stet_zctx;

/* NULL when there is no memory. */
stet_zctx *stet__zctx_create(const stet_allocator *a);
/* Accepts NULL. */
void stet__zctx_destroy(stet_zctx *z);

/*
 * Append `raw` packed to `out`, which is untouched on failure. The result may
 * be longer than `raw`. STET_E_NOMEM.
 */
STET_NODISCARD stet_status stet__zstd_pack(stet_zctx *z, stet_slice prefix,
                                           stet_slice raw, stet_buf *out,
                                           stet_error *err);

/*
 * Append what was packed to `out`, which is untouched on failure. The caller
 * has checked `raw_bytes` against its limit; no more than that is written.
 *
 *   STET_E_CORRUPT  damaged, another prefix, or not exactly `raw_bytes` long
 *   STET_E_NOMEM
 */
STET_NODISCARD stet_status stet__zstd_unpack(stet_zctx *z, stet_slice prefix,
                                             stet_slice packed,
                                             size_t raw_bytes, stet_buf *out,
                                             stet_error *err);

#endif
