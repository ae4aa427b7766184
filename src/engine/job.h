/*
 * Job: a batch on its way from a caller to its frame.
 *
 * It is prepared without a lock (job.c), given seqs, positions and room under
 * `seq` (sequence.c), then copied into its frame without one. What was prepared
 * against a head that moved meanwhile, or could not be while a state was not
 * to be had, is prepared again: three times as small as possible, then plainly;
 * after STET_ATTEMPTS_MAX in all the caller hears STET_E_BUSY.
 */
#ifndef STET_ENGINE_JOB_H
#define STET_ENGINE_JOB_H

#include "engine/plan.h"

/* Preparations of one batch. */
enum {
    STET_ATTEMPTS_SMALL = 3,
    STET_ATTEMPTS_MAX = 64,
};

struct stet_taken;    /* deferred.h */
struct stet_deferral; /* likewise */

typedef struct stet_job {
    stet *s;
    const stet_batch *batch; /* borrowed */
    size_t carried;          /* of its changes, those that were deferred */
    struct stet_deferral *deferral; /* it goes there, not into a frame; or NULL
                                     */
    const stet_at *fork_at; /* how its one fork named a point; or NULL */
    stet_bench *bench;
    stet_plan *plans;        /* change_count of them */
    stet_claims claims;      /* theirs */
    stet_entry **conditions; /* condition_count of them, pinned */
    uint32_t attempts;       /* preparations so far */
    stet_batch_key key;
    stet_key_item *key_item;  /* goes to the ring; NULL: no key, or it went */
    uint64_t keys_seen_below; /* the log was asked for the key below this */
    stet_written *written;    /* change_count answers: `one`, or allocated */
    stet_written one;
    stet_room room;
    stet_head *garbage;      /* heads that nobody needs, chained by older */
    stet_key_item *old_keys; /* from the ring, to be freed */
    bool is_pin;             /* it keeps something from being dropped */
    uint64_t cuts_seen;      /* and rests on what was left by these; 0: any */
    uint64_t judged;         /* a refusal rests on the head at this position */
    uint64_t queued_most;    /* it does not wait for room beyond; 0: it does */
    bool is_shed;            /* and was refused for that */
    uint64_t repeats; /* position of what was asked for first with this key */
    bool met_backlog; /* STET_E_BUSY: take it, see deferred.h */
    bool is_refused_on_carried;   /* by what a crash may still take back */
    struct stet_backlog *emptied; /* it was sequenced; chained by next */
} stet_job;

/*
 * Begin a batch: check it, pin and link what it touches. `fork_at` (nullable)
 * is how the caller of a batch of one fork named the point, see content_check.
 * `taken` (nullable) is what of the batch was deferred before.
 */
stet_status stet__job_init(stet_job *job, stet *s, const stet_batch *batch,
                           const struct stet_taken *taken,
                           const stet_at *fork_at, stet_error *err);
/*
 * Give all but the answers back, so that it serves others while the frame is
 * waited for; the frame has been filled, or nothing was taken.
 */
void stet__job_rest(stet_job *job);
/* Free and unpin what is left. */
void stet__job_deinit(stet_job *job);

/*
 * Prepare and sequence, again while heads move, and fill. On STET_OK either
 * `repeats` is set, or `written` is. On a refusal, `judged` (if not
 * 0) must be durable before the caller may hear of it.
 */
stet_status stet__job_run(stet_job *job, stet_error *err);

/*
 * Wait until what a refusal or another attempt rests on is durable (0:
 * nothing). STET_E_READONLY: it was lost, and the job is not stored.
 */
stet_status stet__job_await(const stet_job *job, uint64_t position,
                            stet_error *err);

/*
 * The answer of a job that was refused: no answer reveals what may vanish, so
 * wait for the head it was judged by.
 */
stet_status stet__job_refuse(const stet_job *job, stet_status st,
                             stet_error *err);

/* Look for the key among those sequenced lately; sets `repeats`. */
void stet__job_find_key(stet_job *job);

/* Does something wait to be written that has to go before the job? */
bool stet__job_meets_backlog(const stet_job *job);

/* What a job lacks that cannot be sequenced now. */
typedef struct stet_lack {
    bool is_shed;        /* room, and it does not wait for that */
    bool is_stale;       /* a head moved: prepare again */
    bool met_backlog;    /* it is to be taken along */
    bool is_gate_closed; /* what it pins may be about to go */
    size_t ring_slots;   /* of a larger map for the keys; 0: it has room */
    size_t room_bytes;   /* else: what stet__pipeline_make_room is asked for */
} stet_lack;

/* Sequence a prepared job. STET_E_BUSY: not before it has what it lacks. */
stet_status stet__job_sequence(stet_job *job, stet_lack *lack, stet_error *err);

/* Have the ring of keys grow to so many slots. */
stet_status stet__job_grow_ring(stet_job *job, size_t slots, stet_error *err);

#endif
