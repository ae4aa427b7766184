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
 * Thread: the settler's; and the worker's where a step says so.
 */
#ifndef STET_STORES_EMBEDDED_SETTLE_H
#define STET_STORES_EMBEDDED_SETTLE_H

#include "stores/embedded/log.h"

enum {
    STET_SETTLE_SEGMENTS_MAX = 16, /* or sets, into one */
    STET_MERGE_SETS_MIN = 4,       /* fewer small ones may lie side by side */
    /* What one step packs, writes or reads back. */
    STET_SETTLE_STEP_BYTES = 512 * 1024,
    /* More than that are not put into one set. */
    STET_SET_LOG_BYTES_MAX = 1024 * 1024 * 1024,
    /*
     * Settling takes a processor and the disk from those who write, so it waits
     * for a pause; until so many sets' worth of segments waits that there may
     * be none. Where so many more do, writers wait for it.
     */
    STET_SETTLE_SETS_PRESSING = 8,
    STET_SETTLE_SETS_MAX = 16,
};

/*
 * How eagerly: as many segments as a set is made of; or any that may be, the
 * last one if none is live, of those that begin below a position.
 */
typedef struct stet_settle_zeal {
    bool is_any;
    uint64_t below;
} stet_settle_zeal;

static inline stet_settle_zeal stet__settle_whole(void)
{
    return (stet_settle_zeal){.below = UINT64_MAX};
}

/*
 * Do one piece of settling; `has_turn`: the caller is the worker, too.
 *
 * After a failure what was begun is gone and may be begun again.
 * STET_E_NOSPACE, STET_E_NOMEM; STET_E_CORRUPT, STET_E_FORMAT, STET_E_IO: an
 * input cannot be read, or the set not be written; or, which poisons, a sync
 * failed, or naming the set.
 */
stet_status stet__settle_step(stet_embedded *e, stet_settle_zeal zeal,
                              bool has_turn, stet_settle_answer *out,
                              stet_error *err);

/* stet_log_ops.settle */
stet_status stet__embedded_settle(stet_log *log, unsigned flags, uint64_t below,
                                  stet_settle_answer *out, stet_error *err);

/* At a close: settle whole sets for a moment. */
stet_status stet__settle_at_close(stet_embedded *e, stet_error *err);

/* stet_log_ops.retain, retain_all */
void stet__embedded_retain(stet_log *log, const stet_retention *retention);
void stet__embedded_retain_all(stet_log *log, uint64_t below);

/* Give up what is under way; accepts that nothing is. */
void stet__settle_drop(stet_embedded *e);

/* settle_pace.c */

/* Is it time to settle what is worth it? Else `*out_due` may say when. */
bool stet__settle_is_time(stet_embedded *e, int64_t *out_due);

/*
 * The pace of writers while too much waits: for each segment that they begin
 * the settler is to merge as many records as the one before has. The worker
 * asks for it, any thread may ask whether it was done.
 */
void stet__settle_ask(stet_embedded *e);
bool stet__settle_is_behind(stet_embedded *e);

#endif
