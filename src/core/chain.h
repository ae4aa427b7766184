/*
 * Chain: the hash chain over a machine's own records, which tells whether one
 * of them was exchanged and outlives the erasure of bodies. docs/FORMAT.md,
 * section "Set".
 *
 * A record adds leaf = H(header, H(salt, body)): an erased body leaves its
 * inner hash, and without the salt nobody can try out what it was. The header
 * is the record but for what settling may change: whether it is a base.
 *
 * Of an erased event the record brings the inner hash itself. Of a stretch of
 * dropped ones the last brings the chain's value after it; between them the
 * value is of no use. A record that brings its salt does not need the seed's.
 *
 * Thread: one at a time per chain.
 */
#ifndef STET_CORE_CHAIN_H
#define STET_CORE_CHAIN_H

#include "base/checksum.h"
#include "core/index.h"

/* A record as the content has it. */
typedef struct stet_set_record {
    stet_slice bytes; /* sound */
    uint64_t position;
    int64_t recorded;
    uint32_t raw_offset;
} stet_set_record;

typedef struct stet_chain {
    uint8_t value[STET_CHAIN_BYTES]; /* after the last record; at first zeros */
    uint8_t seed[STET_CHAIN_BYTES];  /* the machine's */
    stet_buf scratch;
    stet_hasher *hasher;
} stet_chain;

/* STET_E_NOMEM; deinit may follow in any case. */
stet_status stet__chain_init(stet_chain *c, const stet_allocator *alloc,
                             stet_error *err);
void stet__chain_deinit(stet_chain *c);

/*
 * Begin a machine's chain, with the seed of a set; set `value` where it goes on
 * from older records.
 */
void stet__chain_begin(stet_chain *c, const uint8_t seed[STET_CHAIN_BYTES],
                       stet_machine_key key);

/* Go on with the same machine's records that have the seed of another set. */
void stet__chain_reseed(stet_chain *c, const uint8_t seed[STET_CHAIN_BYTES],
                        stet_machine_key key);

/*
 * Go on with the machine's next record, which is sound and whose position and
 * stamp are told. STET_E_NOMEM.
 */
stet_status stet__chain_add(stet_chain *c, stet_slice record, uint64_t position,
                            int64_t recorded, stet_error *err);

/* What a leaf is made of; slices are lent until the chain's next call. */
typedef struct stet_leaf {
    uint8_t salt[STET_SALT_BYTES]; /* of an erased body zeros */
    uint8_t commitment[STET_CHAIN_BYTES];
    stet_slice header;
    stet_slice body;
    bool is_erased;
    bool is_dropped; /* there was no leaf */
} stet_leaf;

/* The same, telling the leaf; zeros for a dropped event. */
stet_status stet__chain_add_leaf(stet_chain *c, const stet_set_record *r,
                                 stet_leaf *out, stet_error *err);

/*
 * One step of any chain, from `value` to the next: `header`, to which the
 * commitment is appended, is of no use then. False: no memory.
 */
bool stet__chain_step(stet_hasher *hasher, stet_buf *header,
                      const uint8_t commitment[STET_CHAIN_BYTES],
                      uint8_t value[STET_CHAIN_BYTES]);

#endif
