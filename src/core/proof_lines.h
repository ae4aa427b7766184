/*
 * Proof lines: how a proof is written. docs/FORMAT.md, section "Proof".
 *
 *     {"stet_proof":1}
 *     {"machine":"<hex>","namespace":0}
 *     {"cut":4,"chain":"<hex>"}
 *     {"seq":5,"header":"<hex>","salt":"<hex>","body":"<hex>","chain":"<hex>"}
 *     {"seq":6,"header":"<hex>","commitment":"<hex>","chain":"<hex>"}
 *     {"head":"<hex>","seq":6}
 *     {"end":1}
 *
 * From `machine` to `head` is a part, which `end` counts: events of a machine
 * that follow each other. Each line is written in this one way, so that the
 * checker (proof_check.c) takes no other.
 */
#ifndef STET_CORE_PROOF_LINES_H
#define STET_CORE_PROOF_LINES_H

#include <stet/proof.h>

#include "core/chain.h"

enum {
    STET_PROOF_FORMAT = 1,
    /* A record has at most 32 MiB, each byte takes two digits. */
    STET_PROOF_LINE_BYTES_MAX = 66 * 1024 * 1024,
};

/* An event as its line has it. */
typedef struct stet_proof_event {
    uint64_t seq;
    stet_slice header;
    const uint8_t *salt;       /* NULL: the body was erased */
    stet_slice body;           /* of an event with a salt */
    const uint8_t *commitment; /* of one without */
    const uint8_t *value;      /* of the chain after it */
} stet_proof_event;

/* Each appends a line to `out`, which fails when there is no memory. */

void stet__proof_put_begin(stet_buf *out);
void stet__proof_put_machine(stet_buf *out, stet_machine_key key);
void stet__proof_put_event(stet_buf *out, const stet_proof_event *event);
/*
 * Events up to `last_seq` were dropped; behind them the chain had `value`. Only
 * where a part begins: a head says nothing of what is before a cut.
 */
void stet__proof_put_cut(stet_buf *out, uint64_t last_seq,
                         const uint8_t value[STET_CHAIN_BYTES]);
void stet__proof_put_head(stet_buf *out, uint64_t seq,
                          const uint8_t value[STET_CHAIN_BYTES]);
void stet__proof_put_end(stet_buf *out, uint64_t parts);

#endif
