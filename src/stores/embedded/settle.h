/*
 * Settling: the records of adjacent sealed segments go into one set, by
 * machine, packed; then the segments go. Small sets that lie side by side are
 * merged into one in the same way. docs/FORMAT.md, section "Set".
 *
 *   choose -> times -> runs, a piece a step -> index -> sync -> read back
 *          -> name, sync the folder -> swap the table -> remove the inputs
 *
 * Until the set is named it is a temporary file without meaning; from then on
 * it stands for its inputs, whether they are still there or not. So a crash
 * leaves the one or the other, and both hold the same records.
 *
 * Segments are settled oldest first: what a set's chains go on from lies in
 * older sets. The last segment stays, since the next header names its end,
 * unless nothing is to be written any more.
 *
 * Invariants
 *  (S1) A set is named only when all of it is durable and was read back.
 *  (S2) An input is removed only when the set's name is durable, and no slot
 *       of `super` names the input. (L3)
 *  (S3) What is settled is durable: its successor's first frame is.
 *
 * Thread: the worker's.
 */
#ifndef STET_STORES_EMBEDDED_SETTLE_H
#define STET_STORES_EMBEDDED_SETTLE_H

#include "stores/embedded/log.h"

enum {
    STET_SETTLE_SEGMENTS_MAX = 16, /* or sets, into one */
    STET_MERGE_SETS_MIN = 4,       /* fewer small ones may lie side by side */
    /* What one step packs: whoever needs the worker waits for as much. */
    STET_SETTLE_STEP_BYTES = 512 * 1024,
    /* More than that are not put into one set. */
    STET_SET_LOG_BYTES_MAX = 1024 * 1024 * 1024,
    /* Segments that may wait to be settled before writers wait, too. */
    STET_UNSETTLED_MAX = 256,
};

/* How eagerly. */
typedef enum stet_settle_zeal {
    STET_SETTLE_WHOLE = 1, /* as many segments as a set is made of */
    STET_SETTLE_ANY = 2,   /* any that may be, the last one if none is live */
} stet_settle_zeal;

/*
 * Do one piece of settling; `*out_did`: there was something to do.
 *
 * After a failure what was begun is gone and may be begun again.
 * STET_E_NOSPACE, STET_E_NOMEM; STET_E_CORRUPT, STET_E_FORMAT, STET_E_IO: an
 * input cannot be read, or the set not be written; or, which poisons, a sync
 * failed, or naming the set.
 */
stet_status stet__settle_step(stet_embedded *e, stet_settle_zeal zeal,
                              bool *out_did, stet_error *err);

/* Is there something to settle, or to merge? */
bool stet__settle_is_due(stet_embedded *e);

/* Sealed segments that are not settled. */
uint32_t stet__settle_waiting(stet_embedded *e);

/* stet_log_ops.settle */
stet_status stet__embedded_settle(stet_log *log, bool *out_more,
                                  stet_error *err);

/*
 * The keeper's: settle whole sets, and wait after a failure. A file that cannot
 * be read is left alone for a while, so that others are settled.
 */
stet_status stet__settle_quietly(stet_embedded *e, bool *out_did,
                                 stet_error *err);

/* Have no more than STET_UNSETTLED_MAX segments wait, if that can be had. */
stet_status stet__settle_down(stet_embedded *e, stet_error *err);

/* At a close: settle whole sets for a moment. */
stet_status stet__settle_at_close(stet_embedded *e, stet_error *err);

/* Give up what is under way; accepts that nothing is. */
void stet__settle_drop(stet_embedded *e);

#endif
