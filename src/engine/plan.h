/*
 * Plan: a change made ready for the sequenced section, without a lock.
 *
 * Preparing reads the machine's head, checks the change against it, folds and
 * compresses where that is needed, and encodes the record's tail. What was
 * prepared against one head may be stale when it is sequenced: a plan that is
 * *bound* (its bytes depend on that very head: delta, base, patch, custom) must
 * be redone when the head moved; another one only when the head's existence,
 * shape or name changed. A state that was folded early, to be at hand later, is
 * then let go.
 */
#ifndef STET_ENGINE_PLAN_H
#define STET_ENGINE_PLAN_H

#include "core/record.h"
#include "engine/before.h"
#include "engine/rules.h"

/* A batch's idempotency key, hashed, and a hash of what the batch says. */
typedef struct stet_batch_key {
    uint8_t key[16];
    uint64_t check;
} stet_batch_key;

struct stet_plan {
    const stet_change *change; /* borrowed */
    const stet_machine_rule *rule;
    struct stet_plan *before;  /* change of this machine before, in the batch */
    struct stet_plan *after;   /* and the one after it */
    stet_claim claim;          /* on the machine, pinned by the batch */
    const stet_batch_key *key; /* of the batch, in its first asked plan only */
    /* What of its machine's is in the batch, from this plan on; or NULL. */
    struct stet_backlog *backlog;
    size_t backlog_count;
    bool is_viewed; /* `view` is what pinning saw, not used yet */
    bool is_bound;
    stet_head *head;    /* to be linked; owned until then, see the claim */
    stet_box *outdated; /* folded onto a head that moved; owned */
    uint8_t *tail;      /* in the bench's memory for the batch */
    size_t tail_bytes;
    size_t tail_room;
    uint32_t tail_crc;
    uint8_t *at;           /* where the tail goes in the frame */
    stet_point fork_point; /* the parent's record that a fork begins at */
    stet_box *instead;     /* of a state before that is damaged; or NULL */
    uint64_t cuts_seen;    /* stet_pins.cuts before it was looked for */
    stet_head_view view;   /* what it was prepared against */
    stet_record
        record; /* not cleared: preparing sets it, sequencing its head */
};

/* Begin with a change; the rest is the job's to set. */
void stet__plan_init(const stet *s, stet_plan *plan, const stet_change *change);

/* How hard to try for small records; rises with failed attempts. */
typedef struct stet_plan_mode {
    bool is_plain; /* no delta, no base that is not a must */
} stet_plan_mode;

/* Check all that depends on the change alone. */
stet_status stet__change_check(stet *s, const stet_change *c, stet_error *err);

/* Is it an expectation at all? */
stet_status stet__expect_check(stet_expect expect, stet_error *err);

/* When it occurs, as far as the caller said; else `otherwise`. */
int64_t stet__change_time(const stet_change *c, int64_t otherwise);

/*
 * Prepare a plan whose change, before and claim are set; what an earlier
 * attempt left is dropped first. The statuses of a write.
 */
stet_status stet__plan_prepare(stet *s, stet_bench *bench, stet_plan *plan,
                               stet_plan_mode mode, stet_error *err);

/* Free what a plan holds. */
void stet__plan_deinit(stet *s, stet_bench *bench, stet_plan *plan);

/* May the plan be sequenced onto this newest head (NULL: never written)? */
bool stet__plan_is_stale(const stet *s, const stet_plan *plan,
                         const stet_head *newest);

/*
 * Take from a plan what it cannot give to `newest`, its head to be. It is not
 * stale.
 */
void stet__plan_settle(stet_plan *plan, const stet_head *newest);

/* Bytes that the state has at most after a plan, having `before` at most. */
uint64_t stet__plan_state_bytes(const stet_plan *plan, uint64_t before);

#endif
