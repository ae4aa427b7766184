/*
 * Rewrite: what settling makes of a record that it does not copy as it is.
 *
 *   as a base     its state and all that a base restates are put in
 *   dropped       a stub is left: kind, key of the machine, seq, links and
 *                 time, its idempotency key and parent; so whoever comes along
 *                 the lineage finds the next record, and learns what is missing
 *   erased        body and base are taken; a commitment stands for the body, so
 *                 that the hash chain still holds
 *
 * A record that this version would not write as it stands has something that it
 * does not know: it is refused with STET_E_FORMAT and left alone.
 */
#ifndef STET_CORE_REWRITE_H
#define STET_CORE_REWRITE_H

#include "core/record.h"

/* What a base restates; slices are borrowed. Of its names empty ones, too. */
typedef struct stet_base_parts {
    stet_slice state;
    stet_slice name;
    stet_slice type;
    stet_slice version;
    stet_slice metadata;
    int64_t created_at;
} stet_base_parts;

/* Append the record as a base. STET_E_FORMAT, STET_E_NOMEM. */
stet_status stet__rewrite_base(stet_slice record, const stet_base_parts *parts,
                               stet_buf *out, stet_error *err);

/*
 * Append its stub. `behind` counts the machine's records right behind it that
 * are dropped, too; behind the last of them (0) the chain has the value
 * `chain`, which is NULL in all others.
 */
stet_status stet__rewrite_dropped(stet_slice record, uint64_t behind,
                                  const uint8_t *chain, stet_buf *out,
                                  stet_error *err);

/* Append it without its body, which `commitment` stands for. */
stet_status
stet__rewrite_erased(stet_slice record,
                     const uint8_t commitment[STET_COMMITMENT_BYTES],
                     stet_buf *out, stet_error *err);

/* Append it with the salt of its commitment, which no seed need tell then. */
stet_status stet__rewrite_salted(stet_slice record,
                                 const uint8_t salt[STET_SALT_BYTES],
                                 stet_buf *out, stet_error *err);

#endif
