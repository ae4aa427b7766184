/*
 * Handle: what stet_open gives, and what every room of the engine works on.
 *
 *     writers --> prepare --> sequence --> fill --> lead --> publish
 *     (write.c)   (plan.c)    (sequence.c)          (pipeline.c)
 *     readers --> table --> log.seek --> replay
 *     (load.c)    (table.c)             (replay.c)
 *
 * Threads: callers lead their own writes; the keeper does the log's background
 * work, the settler settles; the committer leads for asynchronous writers. With
 * STET_NO_THREADS the application calls stet_step instead of these.
 */
#ifndef STET_ENGINE_HANDLE_H
#define STET_ENGINE_HANDLE_H

#include <stet/stet.h>
#include <stet/sys/store.h>

#include "engine/bench.h"
#include "engine/callbacks.h"
#include "engine/feed.h"
#include "engine/keyring.h"
#include "engine/lease.h"
#include "engine/metrics.h"
#include "engine/pipeline.h"
#include "engine/projection.h"
#include "engine/table.h"

/* Asynchronous writes are taken only while it runs: else nobody led them. */
typedef enum stet_committer_phase {
    STET_COMMITTER_NONE = 0,
    STET_COMMITTER_STARTS = 1, /* one caller starts it, the others wait */
    STET_COMMITTER_RUNS = 2,
} stet_committer_phase;

/* How far machines are erased: erasure.h. */
typedef struct stet_erasures {
    stet_mutex mu;
    stet_map map; /* under mu */
    _Atomic uint32_t is_loaded;
    _Atomic uint32_t has_any; /* the map had one: else nobody need look */
    stet_turn turn;           /* of who erases */
} stet_erasures;

/*
 * What pins something against what drops it (retention.h), both under `seq`. A
 * pin is an event: a fork, or one of the store's own.
 */
typedef struct stet_pins {
    uint64_t last;         /* position of the last pin sequenced; 0: none yet */
    bool is_gate_closed;   /* none may be sequenced */
    _Atomic uint64_t cuts; /* how often what may be pinned became less */
} stet_pins;

struct stet_retainer;

enum { STET_DEFERRED_TURNS = 16 };

/* What waits to be written: deferred.h. Under `seq` but for the turns. */
typedef struct stet_deferred {
    /* By when they are due: one for each rule, whose wait is always the same,
       and one for the policies of calls. */
    struct stet_backlogs *lists;
    size_t list_count;
    _Atomic uint64_t count; /* of changes; a hint without the lock */
    uint64_t bytes;
    uint64_t round; /* of flushing, which has a turn that is taken first */
    stet_turn flush_turn;
    stet_turn turns[STET_DEFERRED_TURNS]; /* of who defers, by machine */
} stet_deferred;

struct stet {
    stet_allocator alloc;
    stet_os *os;
    stet_opts opts; /* defaults filled in */
    stet_log *log;
    stet_log_start start;
    stet_table table;
    stet_pipeline pipeline;
    stet_keyring keys;
    stet_erasures erasures;
    stet_pins pins;
    stet_deferred deferred;
    struct stet_retainer *retainer; /* owned; NULL: nothing ever goes */
    stet_callbacks callbacks;
    stet_feeds feeds;
    stet_leases leases;
    stet_projectors projectors;
    stet_benches benches;
    stet_counters counters;
    stet_reducer_def *reducers; /* opts.reducer_count of them, in `pointed` */
    void *pointed;              /* what opts points at, copied */
    size_t pointed_bytes;
    _Atomic uint32_t is_stopping;
    _Atomic uint32_t keeper_word;       /* futex: work for the keeper */
    _Atomic uint32_t committer_word;    /* futex: work for the committer */
    _Atomic uint32_t committer_phase;   /* stet_committer_phase, and futex */
    _Atomic uint32_t is_committer_idle; /* it sleeps, or is about to */
    _Atomic uint32_t settler_word;      /* futex: work for the settler */
    _Atomic uint32_t settled_word; /* futex: a piece of settling was done */
    stet_turn settle_turn;         /* taken before the pipeline's work */
    _Atomic uint64_t throttled;    /* as stet_info has it */
    _Atomic uint64_t throttled_ns;
    uint64_t settler;
    bool has_settler;
    uint64_t keeper;
    uint64_t committer;
    bool has_keeper;
};

/* stet_open on another environment than the real one. */
stet_status stet__open_on(stet_os *os, const char *url, const stet_opts *opts,
                          stet **out, stet_error *err);

/* stet_salvage on another environment; nothing is nullable. */
stet_status stet__salvage_on(stet_os *os, const char *from_url,
                             const char *to_url, const stet_salvage_opts *opts,
                             stet_salvage_report *report, stet_error *err);

/*
 * Check options (NULL: none are given) and fill in the defaults; what they
 * point at stays the caller's.
 */
stet_status stet__open_opts(const stet_opts *opts, stet_opts *out,
                            stet_error *err);

/*
 * Commit on behalf of a caller, namespace 255 included. `ticket` NULL waits
 * until durable.
 */
stet_status stet__commit(stet *s, const stet_batch *batch, stet_written *out,
                         stet_ticket *ticket, stet_error *err);

/*
 * The same until durable, of a pin that rests on what was left when `cuts_seen`
 * cuts were counted. STET_E_BUSY: less is left; look again.
 */
stet_status stet__commit_pin(stet *s, const stet_batch *batch,
                             uint64_t cuts_seen, stet_error *err);

/*
 * Commit a batch of one restored event, also where the machine's newest state
 * cannot be read: then it stands on `instead`, and needs nothing from before.
 */
stet_status stet__commit_onto_damage(stet *s, const stet_batch *batch,
                                     stet_box *instead, stet_written *out,
                                     stet_error *err);

struct stet_taken;
/* Commit what was taken of deferred writes (deferred.h) until durable. */
stet_status stet__commit_taken(stet *s, struct stet_taken *taken,
                               stet_error *err);

/*
 * Commit a batch of one: verb, id, payload (but for a transition), parent and
 * parent_seq of `what`, the rest of `opts` (nullable).
 */
stet_status stet__write_one(stet *s, const stet_change *what,
                            const stet_write_opts *opts, stet_written *out,
                            stet_error *err);

/* The same of a fork, whose point the caller named as `at`. */
stet_status stet__write_fork(stet *s, const stet_change *what,
                             const stet_at *at, const stet_write_opts *opts,
                             stet_written *out, stet_error *err);

/* Are these options of this library's size? Accepts NULL. */
stet_status stet__write_opts_check(const stet_write_opts *opts,
                                   stet_error *err);

/* Is this an id a user may give? The text names the id. */
stet_status stet__id_check(stet_slice id, uint8_t ns, stet_error *err);

/* Is this a glob over the ids of a user's namespace? The text names it. */
stet_status stet__pattern_check(stet_slice pattern, uint8_t ns,
                                stet_error *err);

/* Printable start of an id for error texts. */
typedef struct stet_id_text {
    char text[64];
} stet_id_text;
stet_id_text stet__id_text(stet_slice id);

/* Wake the keeper: there may be work. Any thread. */
void stet__keeper_poke(stet *s);
stet_status stet__keeper_start(stet *s, stet_error *err);
void stet__keeper_stop(stet *s);

/* Do one piece of settling, whoever else wants to. As stet_log_ops.settle. */
stet_status stet__settle_once(stet *s, unsigned flags, uint64_t below,
                              stet_settle_answer *out, stet_error *err);
/* Wake the settler: there may be work. Any thread. */
void stet__settler_poke(stet *s);
stet_status stet__settler_start(stet *s, stet_error *err);
/* Once the handle is stopping. Accepts that it never started. */
void stet__settler_stop(stet *s);
/*
 * Before a writer has a segment made: wait while too much is to be settled, a
 * second at most.
 */
void stet__settler_throttle(stet *s, size_t need);

/* Has the log given up writing? Blocks on storage. */
bool stet__is_log_poisoned(stet *s);

/*
 * Have the committer run, if this handle has threads: the first asynchronous
 * write starts it. STET_E_NOMEM: it could not be; the next call tries again.
 */
stet_status stet__committer_start(stet *s, stet_error *err);
/* Wake it if there is work. */
void stet__committer_poke(stet *s);

#endif
