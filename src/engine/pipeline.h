/*
 * Pipeline: how sequenced records become durable and visible.
 *
 * Records go into *groups*; a group is one frame of the log. Callers fill, one
 * of them leads: closes the group, seals the frame and writes it on its own
 * thread.
 *
 *            open            close          seal             write
 *   FREE ----------> OPEN ----------> CLOSED -----> WRITING -------> WRITTEN
 *    ^                                                                  |
 *    +------------------- publish, in order ----------------------------+
 *
 *   any but FREE -> LOST, when a write, sync or seal fails: poisoned
 *
 * A group may be led when none before it waits for its seal, a place in flight
 * is free, and either nothing is in flight or enough bytes wait to be worth a
 * flush of their own. So a lone writer flushes at once, and many writers share
 * flushes.
 *
 * What is sequenced and not published is bounded in bytes, too: a writer who
 * finds the queue full waits until something is published.
 *
 * The *watermark* is the one thing that decides what is visible and
 * acknowledged: everything below it. It moves over the longest prefix of
 * WRITTEN groups.
 *
 * Invariants
 *  (1) position < watermark => written at the store's level, and all before it
 *  (2) groups are sealed in the order of their positions, one at a time
 *  (3) a frame that begins a segment is written when nothing else is in flight
 *  (4) after LOST no group is published and no frame opened
 *
 * Thread-safe.
 */
#ifndef STET_ENGINE_PIPELINE_H
#define STET_ENGINE_PIPELINE_H

#include <stdatomic.h>

#include <stet/sys/store.h>

#include "base/histogram.h"
#include "os/mutex.h"
#include "os/turn.h"

enum {
    STET_GROUPS_MAX = 18, /* frames_in_flight at most 16, one open, one spare */
    STET_GROUP_BYTES_MAX = 4 * 1024 * 1024, /* a larger batch goes alone */
    STET_GROUP_WORTH_BYTES = 32 * 1024,
};

typedef enum stet_group_state {
    STET_GROUP_FREE = 0,
    STET_GROUP_OPEN = 1,
    STET_GROUP_CLOSED = 2,
    STET_GROUP_WRITING = 3,
    STET_GROUP_WRITTEN = 4,
    STET_GROUP_LOST = 5,
} stet_group_state;

typedef struct stet_group {
    stet_group_state state; /* under seq */
    stet_frame frame;
    size_t used;
    size_t limit; /* bytes at which nobody joins any more */
    uint32_t events;
    _Atomic uint32_t fillers; /* records being copied in */
    _Atomic uint32_t word; /* futex: rises when who waits should look again */
} stet_group;

typedef struct stet_pipeline {
    stet_os *os;
    stet_log *log;
    uint32_t depth;       /* frames in flight at most */
    uint64_t queue_bytes; /* records not published at most, or one batch */
    stet_mutex seq;

    /* Under seq. */
    stet_group groups[STET_GROUPS_MAX];
    uint32_t first;        /* oldest group not FREE, if count > 0 */
    uint32_t count;        /* groups not FREE, in ring order from first */
    uint32_t in_flight;    /* of those, CLOSED or WRITING or WRITTEN */
    bool is_sealing;       /* one is CLOSED and not yet sealed */
    bool is_paused;        /* a sync wants nothing in flight */
    uint64_t queued_bytes; /* records in groups not FREE */
    uint64_t taken_bytes;  /* records sequenced so far */
    uint64_t frame_bytes;  /* frames written so far */
    uint64_t full_waits;   /* callers told to wait for room in the queue */
    uint64_t refused;      /* callers who did not want to */
    uint64_t next_position;
    int64_t last_recorded;
    stet_error cause; /* why it is poisoned; fixed before it is */

    stet_tally write_ns;     /* of a frame, but in memory stores */
    stet_tally group_events; /* in each frame */

    _Atomic uint64_t watermark;
    _Atomic uint64_t synced;
    _Atomic uint32_t is_poisoned;
    _Atomic uint32_t progress; /* futex: rises with every publish */
    stet_turn
        work; /* of the log: make_room, sync, step, reindex, some settle */
    stet_level level; /* at which frame_write makes durable */

    /* Told after every publish, without a lock; has the log work to do? */
    void (*on_publish)(void *ctx, bool has_work);
    void *ctx;
} stet_pipeline;

/* What of stet_opts the pipeline wants to know. */
typedef struct stet_pipeline_opts {
    uint32_t depth;
    uint64_t queue_bytes;
} stet_pipeline_opts;

void stet__pipeline_init(stet_pipeline *p, stet_os *os, stet_log *log,
                         const stet_log_start *start,
                         const stet_pipeline_opts *opts);

uint64_t stet__watermark(const stet_pipeline *p);
bool stet__pipeline_is_poisoned(const stet_pipeline *p);

/* Room in the open group, for records that the caller writes there. */
typedef struct stet_room {
    stet_group *group;
    uint8_t *at;
    int64_t recorded;
    uint64_t first_position;
} stet_room;

/*
 * Find room for `bytes` of records in the open group, opening one if needed;
 * the caller holds seq. STET_E_BUSY: call stet__pipeline_make_room without a
 * lock and begin again. STET_E_NOSPACE, STET_E_READONLY.
 */
stet_status stet__pipeline_room_locked(stet_pipeline *p, size_t bytes,
                                       stet_room *out, stet_error *err);

/*
 * Is a caller to be refused who brings `bytes` and does not wait once `most`
 * are queued? He is counted.
 */
bool stet__pipeline_refuses_locked(stet_pipeline *p, size_t bytes,
                                   uint64_t most);

/*
 * Take `bytes` and `events` of the room; the caller is one filler from now on.
 */
void stet__pipeline_take_locked(stet_pipeline *p, stet_room *room, size_t bytes,
                                uint32_t events);

/* The caller's records are all in place. */
void stet__pipeline_filled(stet_pipeline *p, stet_group *group);

/* What STET_E_BUSY asked for: lead, wait for a place, or have the log work. */
stet_status stet__pipeline_make_room(stet_pipeline *p, size_t bytes,
                                     stet_error *err);

/*
 * Lead the open group if it may be led now. False: it may not, or there is
 * none. `is_eager`: also when only a little waits behind what is in flight.
 */
bool stet__pipeline_lead(stet_pipeline *p, bool is_eager);

/* Was this position given to a record? 0, which waits for nothing, always. */
bool stet__pipeline_gave(stet_pipeline *p, uint64_t position);

/*
 * Wait until everything below `position` + 1 is published, leading where it is
 * this caller's turn. `deadline_ns` on the monotonic clock, 0 for none.
 * STET_E_UNKNOWN: lost; STET_E_TIMEOUT.
 */
stet_status stet__pipeline_wait(stet_pipeline *p, stet_group *group,
                                uint64_t position, int64_t deadline_ns,
                                stet_error *err);

/* What somebody waits for who writes nothing himself. */
typedef struct stet_pipeline_more {
    uint64_t position;            /* until it is published */
    const _Atomic uint32_t *stop; /* or this is not 0 */
    int64_t deadline_ns;          /* on the monotonic clock; 0: only look */
} stet_pipeline_more;

/*
 * Wait for more, without leading. STET_DONE: stopped; STET_E_READONLY:
 * poisoned, nothing more comes; STET_E_TIMEOUT.
 */
stet_status stet__pipeline_await(stet_pipeline *p,
                                 const stet_pipeline_more *more,
                                 stet_error *err);

/* Have all who wait for something published look again. */
void stet__pipeline_nudge(stet_pipeline *p);

/* When a timeout that begins now ends; 0 for 0. */
int64_t stet__pipeline_deadline(stet_pipeline *p, int64_t timeout_ns);

/* Wait until all that was sequenced is durable. As stet__pipeline_wait. */
stet_status stet__pipeline_drain(stet_pipeline *p, stet_error *err);

/* Publish everything sequenced so far and make it durable at level disk. */
stet_status stet__pipeline_sync(stet_pipeline *p, stet_error *err);

/*
 * Background work of the log (make_room, step, sync) is one caller's at a time:
 * these wait for it and give it on. Unlike a lock it is held across I/O.
 */
void stet__pipeline_work_begin(stet_pipeline *p);
void stet__pipeline_work_end(stet_pipeline *p);
/* Wait until what is being done, if anything, is done. */
void stet__pipeline_work_await(stet_pipeline *p);

/*
 * A write or sync of the log failed: nothing more is written, and all who wait
 * hear of the first cause.
 */
void stet__pipeline_poison(stet_pipeline *p, const stet_error *cause);

/* What it has and did. */
typedef struct stet_pipeline_sums {
    uint64_t queued_events;
    uint64_t queued_bytes;
    uint64_t taken_bytes;
    uint64_t frame_bytes;
    uint64_t full_waits;
    uint64_t refused;
} stet_pipeline_sums;

stet_pipeline_sums stet__pipeline_sums(stet_pipeline *p);

/* Is something waiting in the open group? (For the committer.) */
bool stet__pipeline_has_work(stet_pipeline *p);

#endif
