/*
 * Writing: every write is a change; changes commit together or not at all.
 *
 * The single calls (stet_save, stet_transition, ...) commit a batch of one.
 * All of them answer when the write is durable at the store's level. Only
 * STET_OK and STET_E_UNKNOWN leave anything stored:
 *
 *   STET_OK             stored at `out->seq`, for ever
 *   STET_E_UNKNOWN      the write or its sync failed: stored wholly or not at
 *                       all. Reopen; a retry with the same key is safe.
 *   STET_E_CONFLICT     the expected version differs
 *   STET_E_EXISTS       expected none, but the machine is there
 *   STET_E_NOT_FOUND    expected the machine to be there
 *   STET_E_INVALID      id, JSON, reducer or option is wrong; or the key was
 *                       used for other content
 *   STET_E_UNSUPPORTED  the machine's state takes a custom reducer that is not
 *                       registered; or a struct of another size
 *   STET_E_TOO_LARGE    over a limit of stet_opts
 *   STET_E_NOSPACE      the disk is full; reads go on
 *   STET_E_READONLY     opened read-only; or an earlier write or sync failed,
 *                       also one that this write rested on: reopen
 *   STET_E_BUSY         out-raced by the machine's other writers; or the queue
 *                       is full and does not block (stet_opts.queue_full)
 *   STET_E_NOMEM
 *   STET_E_IO           the machine's history could not be read
 *   STET_E_CORRUPT      the machine's history is damaged
 *
 * A refusal that rests on a write not yet durable is told when that one is.
 * Every `out` is nullable and untouched unless the answer is STET_OK; so is
 * `opts`, whose NULL says nothing more. Slices are borrowed until the call
 * returns.
 */
#ifndef STET_WRITE_H
#define STET_WRITE_H

#include <stet/handle.h>
#include <stet/state.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum stet_verb {
    STET_VERB_SAVE = 1,       /* payload: the whole state, any bytes */
    STET_VERB_CREATE = 2,     /* the same, and expects none */
    STET_VERB_TRANSITION = 3, /* payload: input of the reducer, or empty */
    STET_VERB_UPDATE = 4,     /* payload: RFC 7386 merge patch */
    STET_VERB_PATCH = 5,      /* payload: RFC 6902 patch */
    STET_VERB_APPEND = 6,     /* payload: any bytes; the state stays */
    STET_VERB_FAIL = 7,       /* an error, told in `error`; the state stays */
    STET_VERB_DELETE = 8,     /* tombstone: reads say not found, seq goes on */
    STET_VERB_RESTORE = 9,    /* payload: the whole state taken up again; name,
                                 type, version and metadata that are not given
                                 are cleared */
    STET_VERB_FORK = 10       /* begin `id` as `parent` at `parent_seq`, which
                                 readers must see: not in the same batch */
} stet_verb;

typedef enum stet_change_flags {
    STET_CHANGE_PHASE = 1 << 0, /* mark a phase change */
    STET_CHANGE_EPOCH = 1 << 1  /* `timestamp` 0 means 1970, not "now" */
} stet_change_flags;

/*
 * One event to be written. Zero means "not given" for every field but `verb`
 * and `id`. All slices are borrowed until the call returns.
 */
typedef struct stet_change {
    size_t struct_size; /* sizeof(stet_change); 0 is taken as that */
    stet_verb verb;
    stet_reducer reducer;
    stet_transition_type type;
    uint32_t flags; /* stet_change_flags */
    uint8_t ns;
    stet_slice id;
    stet_slice payload;
    stet_expect expect;
    stet_slice from_state; /* of a transition, default: the name before */
    stet_slice to_state;   /* default: see stet_opts.name_pointers */
    /* These, like all names here: UTF-8, at most STET_NAME_BYTES_MAX bytes. */
    stet_slice action;
    stet_slice actor_id;
    stet_slice correlation_id;
    stet_slice causation_id;
    stet_slice error;    /* error text, UTF-8 of any length */
    stet_slice metadata; /* the event's, JSON */
    stet_slice event_id;
    stet_slice state_type;       /* set the machine's type */
    stet_slice version;          /* set the schema version */
    stet_slice machine_metadata; /* replace the machine's metadata, JSON */
    stet_slice reducer_name;     /* for STET_REDUCER_CUSTOM */
    uint32_t reducer_version;    /* of it, from 1 */
    int64_t timestamp; /* when it occurred, within 2^62 ns of 1970 (146 years);
                          0: when recorded */
    int64_t duration_ns; /* how long it took; not negative */
    stet_slice parent;   /* for STET_VERB_FORK, in the same namespace */
    uint64_t parent_seq;
} stet_change;

/* A machine that must be as expected for the batch to happen; only read. */
typedef struct stet_condition {
    stet_slice id;
    stet_expect expect;
    uint8_t ns;
} stet_condition;

/* Changes in order, on one or more machines, and conditions. Borrowed. */
typedef struct stet_batch {
    size_t struct_size; /* sizeof(stet_batch); 0 is taken as that */
    const stet_change *changes;
    size_t change_count; /* 1 to opts.batch_events_max */
    const stet_condition *conditions;
    size_t condition_count;
    /*
     * Idempotency key of at most STET_KEY_BYTES_MAX bytes, or empty. Per
     * namespace of the first change, without a time window: a repeat gives the
     * first answer; a repeat with other content is STET_E_INVALID. Content is
     * what is stored, so a repeat may expect another seq, have other conditions
     * or ask for another level, and is not judged again.
     */
    stet_slice key;
    /*
     * Raises the store's level for this call; a lower one is answered at the
     * store's. STET_E_INVALID where the store cannot reach it.
     */
    stet_level level;
    /* Instead of that of the machine's rule (stet/policy.h); nullable. */
    const stet_policy *policy;
} stet_batch;

/* What an acknowledged change got. Plain data. */
typedef struct stet_written {
    uint64_t seq; /* 0: deferred, see stet/policy.h; so is the position */
    uint64_t position;
    stet_level level; /* what it survives */
    bool is_repeat;   /* an earlier call with this key had stored it */
} stet_written;

/*
 * Commit a batch: all of its changes or none.
 *
 * `out` takes change_count answers. Conditions and expected versions are judged
 * against the store before the batch; several changes of one machine follow
 * each other, and of those only the first is judged. What a verb expects by
 * itself holds for all, against what the batch did before: a second create of a
 * machine is STET_E_EXISTS, a second deletion STET_E_NOT_FOUND. Blocks until
 * durable. Thread-safe. Since 0.1.
 */
STET_API STET_NODISCARD stet_status
stet_commit(stet *s, const stet_batch *batch, stet_written *out,
            stet_error *err);

/*
 * Options of a single write: the fields of a change that are not arguments,
 * plus key, level and policy.
 *
 * `more` supplies every field but verb, id, parent, parent_seq and, other than
 * for a transition, payload. Zeroed or NULL: nothing more is said.
 */
typedef struct stet_write_opts {
    size_t struct_size; /* sizeof(stet_write_opts); 0 is taken as that */
    stet_change more;
    stet_slice key;
    stet_level level;
    const stet_policy *policy;
} stet_write_opts;

/*
 * Save `state_data` (any bytes) as the machine's whole new state.
 *
 * The bytes are kept exactly. Creates the machine when it is not there. Blocks.
 * Thread-safe. Since 0.1.
 */
STET_API STET_NODISCARD stet_status
stet_save(stet *s, stet_slice id, stet_slice state_data,
          const stet_write_opts *opts, stet_written *out, stet_error *err);

/*
 * Create a machine; STET_E_EXISTS when it is there.
 *
 * As stet_save with expect none, and the event's kind is created;
 * STET_E_INVALID where `opts` expects anything else. Blocks. Thread-safe. Since
 * 0.1.
 */
STET_API STET_NODISCARD stet_status
stet_create(stet *s, stet_slice id, stet_slice state_data,
            const stet_write_opts *opts, stet_written *out, stet_error *err);

/*
 * Move a machine to another state: from, to, action, payload, actor in `opts`.
 *
 * `opts->more.payload` goes through `opts->more.reducer` (default merge). The
 * machine need not exist: its first state is then {}. Blocks. Thread-safe.
 * Since 0.1.
 */
STET_API STET_NODISCARD stet_status
stet_transition(stet *s, stet_slice id, const stet_write_opts *opts,
                stet_written *out, stet_error *err);

/*
 * Change a JSON state by an RFC 7386 merge patch.
 *
 * STET_E_INVALID when patch or state is not a JSON object. Blocks. Thread-safe.
 * Since 0.1.
 */
STET_API STET_NODISCARD stet_status
stet_update(stet *s, stet_slice id, stet_slice merge_patch,
            const stet_write_opts *opts, stet_written *out, stet_error *err);

/*
 * Change a JSON state by an RFC 6902 patch.
 *
 * STET_E_INVALID when the patch does not apply; nothing is stored then. Blocks.
 * Thread-safe. Since 0.1.
 */
STET_API STET_NODISCARD stet_status
stet_patch(stet *s, stet_slice id, stet_slice json_patch,
           const stet_write_opts *opts, stet_written *out, stet_error *err);

/*
 * Append a raw event; the state stays as it is.
 *
 * With `opts->more.reducer` the payload goes through that reducer. Blocks.
 * Thread-safe. Since 0.1.
 */
STET_API STET_NODISCARD stet_status
stet_append(stet *s, stet_slice id, stet_slice payload,
            const stet_write_opts *opts, stet_written *out, stet_error *err);

/*
 * Delete a machine: the newest load says not found, as-of reads still answer,
 * and a later save continues its seq.
 *
 * STET_E_NOT_FOUND when it is not there; STET_E_INVALID where `opts` expects
 * none, or gives a to_state. Blocks. Thread-safe. Since 0.1.
 */
STET_API STET_NODISCARD stet_status
stet_delete(stet *s, stet_slice id, const stet_write_opts *opts,
            stet_written *out, stet_error *err);

/*
 * Write many independent changes: each commits by itself.
 *
 * `each` (nullable) takes `count` statuses, and `out` (nullable) as many
 * answers, of which those count whose status is STET_OK. Returns the first
 * status that is not STET_OK, else that of waiting for all; the others are
 * tried all the same. Where a write failed, STET_E_UNKNOWN is told of all that
 * may be lost; without `out`, of all that were taken. Blocks until what was
 * taken is durable. Thread-safe. Since 0.1.
 */
STET_API STET_NODISCARD stet_status
stet_save_many(stet *s, const stet_change *changes, size_t count,
               stet_written *out, stet_status *each, stet_error *err);

/*
 * A write under way: wait for it, poll it, or have a callback called.
 * Plain data; valid until the handle is closed. Zeroed: nothing to wait for.
 */
typedef struct stet_ticket {
    uint64_t position; /* of the batch's last event */
    uint64_t seq;      /* of the batch's last event */
    uint64_t repeat;   /* not 0: an earlier call with this key stored it */
} stet_ticket;

/*
 * Commit a batch without waiting until it is durable.
 *
 * Seqs are given at once; nothing is visible before it is durable. `out`
 * (nullable) takes one answer for each change, whose level says what it will
 * survive; `ticket` takes what to wait for. Both count only once the ticket's
 * write is durable. STET_E_INVALID: also for a level above the store's.
 *
 * Blocks while the queue is full (opts.queue_bytes, but see queue_full), and
 * while a write is not durable on whose state this one, a refusal or a repeat
 * rests. With STET_NO_THREADS nothing is written before stet_step, stet_wait or
 * another write. Thread-safe. Since 0.1.
 */
STET_API STET_NODISCARD stet_status
stet_commit_async(stet *s, const stet_batch *batch, stet_written *out,
                  stet_ticket *ticket, stet_error *err);

/*
 * Wait until a ticket's write is durable.
 *
 * `timeout_ns` 0 waits for ever. The caller may have to write it himself, and
 * then takes as long as that takes.
 *
 *   STET_E_TIMEOUT  still under way
 *   STET_E_UNKNOWN  the write or its sync failed
 *   STET_E_INVALID  a ticket of no write of this handle; a negative timeout
 *
 * Blocks. Thread-safe. Since 0.1.
 */
STET_API STET_NODISCARD stet_status
stet_wait(stet *s, stet_ticket ticket, int64_t timeout_ns, stet_error *err);

/*
 * Ask without waiting: STET_OK when durable, STET_E_BUSY while under way,
 * STET_E_UNKNOWN when lost, STET_E_INVALID for a ticket of no write.
 *
 * Thread-safe. Since 0.1.
 */
STET_API stet_status stet_ticket_status(stet *s, stet_ticket ticket);

/* Called with the outcome of one ticket. */
typedef void (*stet_durable_fn)(void *ctx, stet_ticket ticket,
                                stet_status status);

/*
 * Have `fn` called from stet_poll once the ticket's write is durable or lost.
 *
 * One that is due already is called by the next stet_poll. Those that were not
 * called are dropped at stet_close.
 *
 *   STET_E_BUSY     opts.callbacks_max are waiting
 *   STET_E_INVALID  `fn` is NULL, or a ticket of no write of this handle
 *   STET_E_NOMEM
 *
 * Thread-safe. Since 0.1.
 */
STET_API STET_NODISCARD stet_status stet_on_durable(stet *s, stet_ticket ticket,
                                                    stet_durable_fn fn,
                                                    void *ctx, stet_error *err);

/*
 * Call the callbacks that are due and return how many were called.
 *
 * Callbacks run on the calling thread, in the order of their positions, and may
 * call the library. Thread: one at a time. Since 0.1.
 */
STET_API size_t stet_poll(stet *s);

/*
 * Give a file descriptor that turns readable when a callback is due; stet_poll
 * makes it unreadable again.
 *
 * Owned by the handle. -1 when the system has none. With STET_NO_THREADS it
 * turns readable by what stet_step and other calls write. Thread-safe. Since
 * 0.1.
 */
STET_API int stet_poll_fd(stet *s);

#ifdef __cplusplus
}
#endif

#endif
