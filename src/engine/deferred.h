/*
 * Deferred: writes that wait in memory until their policy has them made
 * durable (stet/policy.h).
 *
 * Each is prepared and folded when it comes, so that it is refused at once if
 * it ever would be, then put into its machine's *backlog*. A backlog hangs on
 * the machine's entry. A batch that is about to be sequenced onto a machine
 * with a backlog has to *take* it: what waited goes in front, as part of the
 * batch.
 *
 *   defer                                  commit, flush
 *   take the machine's turn                prepare, find a backlog when
 *   prepare, on the backlog's last head      sequencing: take the turns of all
 *     or on the machine's newest             backlogs, put their changes in
 *   under `seq`: neither moved? append;      front, prepare again
 *     else again                           under `seq`: still those? sequence,
 *   give the turn                            and let go of the backlogs
 *
 * Invariants
 *  (1) entry->backlog changes under `seq`; an entry with one is pinned
 *  (2) nothing is sequenced onto a machine with a backlog but the backlog
 *  (3) so the backlog's head is what its machine will be, its seqs the next
 *  (4) what is in a backlog stays as it is; it only grows, by one caller at a
 *      time, who has the turn
 */
#ifndef STET_ENGINE_DEFERRED_H
#define STET_ENGINE_DEFERRED_H

#include "engine/job.h"

/* One deferred write, with what its change points at behind it. */
typedef struct stet_deferred_item {
    struct stet_deferred_item *next;
    size_t bytes;
    stet_change change;
} stet_deferred_item;

typedef struct stet_backlog stet_backlog;

/* In the order in which they are due. */
typedef struct stet_backlogs {
    stet_backlog *first;
    stet_backlog *last;
} stet_backlogs;

/* What waits for one machine. */
struct stet_backlog {
    stet_backlog *next; /* of its list */
    stet_backlog *prev;
    stet_backlogs *list;
    stet *s;
    _Atomic uint32_t refs; /* the entry's, and of those at work with it */
    stet_entry *entry;     /* pinned by the entry's reference */
    stet_deferred_item *first;
    stet_deferred_item *last;
    size_t count;
    size_t bytes;
    int64_t due;     /* monotonic; INT64_MAX: never by itself */
    uint64_t round;  /* of flushing, that tried it last */
    stet_head *head; /* what the last one leaves; its box is set and whole */
};

/* Before anything is deferred, once the rules are known. STET_E_NOMEM. */
stet_status stet__deferred_init(stet *s, stet_error *err);

/* Under `seq`, or by who has a reference. */
stet_backlog *stet__backlog_ref(stet_backlog *backlog);
/* Accepts NULL. */
void stet__backlog_unref(stet_backlog *backlog);

/*
 * Take it off its entry, as what waited is sequenced; the entry's reference is
 * the caller's then. Under `seq`.
 */
void stet__backlog_end_locked(stet_backlog *backlog);

/* Have it tried again later, unless it was sequenced meanwhile. */
void stet__backlog_put_off(stet_backlog *backlog, int64_t due);

/* What a change takes while it waits; SIZE_MAX: more than there is. */
size_t stet__deferred_bytes(const stet_change *change);

/* May the batch be deferred, by policy and by what else it asks? */
bool stet__may_defer(const stet *s, const stet_batch *batch);

/*
 * Defer a batch of one that may be. `*out_is_full`: there is no room for it;
 * nothing was done, commit it. The statuses of a write.
 */
stet_status stet__defer(stet *s, const stet_batch *batch, stet_written *out,
                        bool *out_is_full, stet_error *err);

/* A batch with the backlogs of its machines in front of what was asked for. */
typedef struct stet_taken {
    stet *s;
    stet_batch batch;
    stet_change *changes;    /* the batch's */
    stet_backlog **backlogs; /* referenced; room for backlogs_max */
    size_t *counts;          /* changes of each */
    size_t *asked;           /* which change asked for is its machine's first */
    size_t backlogs_max;
    size_t backlog_count;
    size_t carried; /* changes in front of what was asked for */
    uint32_t turns; /* bits of the turns that are held */
} stet_taken;

/* A job's way into a backlog instead of the log. */
typedef struct stet_deferral {
    stet_deferred_item *item; /* the change; owned until it is in */
    stet_deferred_item *sum;  /* goes in instead, for all that waits; or NULL */
    stet_backlog *onto;       /* referenced; NULL: there is none yet */
    stet_backlog *fresh;      /* to be the machine's; or NULL */
    stet_plan under;          /* the head of `onto`, as a plan before */
    int64_t due;              /* of this write */
    bool is_full;
} stet_deferral;

/* Before the job's plan is prepared: have it go on from the backlog. */
void stet__deferral_begin(stet_job *job);
/*
 * Append what was prepared. STET_E_BUSY: something moved, prepare again, or
 * `is_full`.
 */
stet_status stet__deferral_append(stet_job *job, stet_error *err);

/*
 * Take the backlogs that a batch met when it was to be sequenced; what is too
 * much for one batch is flushed first. `taken` is empty; the job's batch is
 * what was asked for.
 */
stet_status stet__taken_collect(stet_taken *taken, const stet_job *job,
                                stet_error *err);
/*
 * Commit what was taken by itself; `taken` is empty then. No answer reveals
 * what may vanish, so what a refusal rests on is made durable first.
 */
stet_status stet__taken_flush(stet_taken *taken, stet_error *err);
/* Others may defer again: it was sequenced, or was not. Accepts zeros. */
void stet__taken_give_turns(stet_taken *taken);
/* Accepts zeros. */
void stet__taken_deinit(stet_taken *taken);

/* The newest state with what waits; one reference, or NULL: nothing waits. */
stet_box *stet__deferred_state(stet *s, stet_machine_key key);

/*
 * Commit what is due; `*out_due` is when more will be (0: nobody knows),
 * `*out_did` whether there was anything.
 */
stet_status stet__deferred_step(stet *s, bool *out_did, int64_t *out_due,
                                stet_error *err);
/* Commit everything that waits. */
stet_status stet__deferred_flush(stet *s, stet_error *err);
/* Drop what still waits; nothing else uses the handle. Accepts zeros. */
void stet__deferred_deinit(stet *s);

#endif
