/*
 * Reading: newest states, past states, ids, histories, differences.
 *
 * Reads show only what is durable at the store's level. A not-found is a claim
 * that rests on checksummed tables; damage answers STET_E_CORRUPT with file and
 * offset, never another seq's state. Outputs are untouched on failure, but
 * where it says otherwise; `opts` is nullable; slices are borrowed until the
 * call returns. Reads wait for storage, never for a write.
 */
#ifndef STET_READ_H
#define STET_READ_H

#include <stet/handle.h>
#include <stet/state.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum stet_at_kind {
    STET_AT_NEWEST = 0,
    STET_AT_SEQ = 1,       /* exactly `seq` */
    STET_AT_TIME = 2,      /* the longest prefix of the history in which
                              nothing occurred after `time` */
    STET_AT_RECORDED = 3,  /* what the store held at `time` by its own clock */
    STET_AT_POSITION = 4,  /* what the store held at position `seq`; beyond the
                              newest: what it holds */
    STET_AT_CHECKPOINT = 5 /* the machine's checkpoint `name`, or, where it
                              has none, the whole store's */
} stet_at_kind;

/* A point of a machine's history. Zeroed: the newest. */
typedef struct stet_at {
    stet_at_kind kind;
    uint64_t seq; /* or position */
    int64_t time; /* nanoseconds since 1970 */
    stet_slice name;
} stet_at;

/* Options of reads; zeroed: namespace 0, newest. */
typedef struct stet_read_opts {
    size_t struct_size; /* sizeof(stet_read_opts) */
    stet_at at;
    uint8_t ns;
    /*
     * Show deferred writes of this handle (stet/policy.h), which a crash may
     * undo; only with the newest. The state's position is 0 then, and its seq
     * what it will be.
     */
    bool with_deferred;
} stet_read_opts;

/*
 * Load a machine's state.
 *
 * `*out` is lent until stet_state_release; it may be kept across other calls
 * and after stet_close. A cached newest state is lent without copying.
 *
 *   STET_E_NOT_FOUND    no such machine, deleted there, or nothing that early
 *   STET_E_CORRUPT      damaged; names file and offset
 *   STET_E_UNSUPPORTED  a custom reducer of its history is not registered, or
 *                       refuses what it took when that was written
 *   STET_E_INVALID      id, namespace or point is wrong
 *   STET_E_IO, STET_E_NOMEM
 *
 * Thread-safe. Since 0.1.
 */
STET_API STET_NODISCARD stet_status
stet_load(stet *s, stet_slice id, const stet_read_opts *opts,
          const stet_state **out, stet_error *err);

/*
 * Load many machines at once; `out[i]` is NULL where ids[i] is not found.
 *
 * All are as of one moment: of a batch that is committed meanwhile either all
 * shows or nothing. Only where a checkpoint's name leads is looked up for each.
 * On any status but STET_OK, which are those of stet_load, nothing is lent and
 * all of `out` is NULL. Thread-safe. Since 0.1.
 */
STET_API STET_NODISCARD stet_status
stet_load_many(stet *s, const stet_slice *ids, size_t count,
               const stet_read_opts *opts, const stet_state **out,
               stet_error *err);

/*
 * Is the machine there? STET_OK or STET_E_NOT_FOUND, as stet_load would say.
 *
 * `out_seq` (nullable) takes its seq. Folds nothing. Other statuses are those
 * of stet_load. Thread-safe. Since 0.1.
 */
STET_API STET_NODISCARD stet_status
stet_exists(stet *s, stet_slice id, const stet_read_opts *opts,
            uint64_t *out_seq, stet_error *err);

/* Ids in order of their bytes. One thread at a time. */
typedef struct stet_keys stet_keys;

typedef struct stet_keys_opts {
    size_t struct_size;
    stet_slice pattern; /* glob, up to 256 bytes; empty: all */
    stet_slice after;   /* only ids above this one: a cursor */
    uint64_t limit;     /* 0: none */
    uint8_t ns;
    bool with_deleted;
} stet_keys_opts;

/* One machine of a listing; lent until the next call. */
typedef struct stet_key {
    stet_slice id;
    stet_slice current_state;
    uint64_t seq;
    uint64_t position;
    bool is_deleted;
} stet_key;

/*
 * List the ids that match a glob, as of now: later writes do not show.
 *
 * `*out` is owned by the caller until stet_keys_close. STET_E_INVALID: pattern
 * or namespace is wrong; STET_E_CORRUPT, STET_E_IO, STET_E_NOMEM. Thread-safe.
 * Since 0.1.
 */
STET_API STET_NODISCARD stet_status
stet_keys_open(stet *s, const stet_keys_opts *opts, stet_keys **out,
               stet_error *err);

/*
 * Take the next id, lent until the next call; STET_DONE at the end.
 *
 * STET_E_CORRUPT, STET_E_IO, STET_E_NOMEM. Thread: one at a time per listing.
 * Since 0.1.
 */
STET_API STET_NODISCARD stet_status
stet_keys_next(stet_keys *keys, const stet_key **out, stet_error *err);

/*
 * End a listing. Accepts NULL.
 *
 * Thread: one at a time per listing. Since 0.1.
 */
STET_API void stet_keys_close(stet_keys *keys);

/* Events of one machine or of the whole store. One thread at a time. */
typedef struct stet_history stet_history;

typedef enum stet_history_flags {
    STET_HISTORY_NEWEST_FIRST = 1 << 0,
    STET_HISTORY_STATES = 1 << 1 /* give the state after each event */
} stet_history_flags;

typedef struct stet_history_opts {
    size_t struct_size;
    uint64_t from_seq; /* first seq, or 0 for the machine's first */
    uint64_t to_seq;   /* one past the last seq, or 0 for no bound */
    uint64_t limit;    /* 0: none */
    uint32_t flags;    /* stet_history_flags */
    uint8_t ns;
} stet_history_opts;

/*
 * Walk one machine's events, a fork's inherited ones included.
 *
 * As of now: later writes do not show. A cursor is the seq to go on from:
 * from_seq = last + 1, or to_seq = last when newest comes first. Deleted
 * machines have a history too. `*out` is owned by the caller until
 * stet_history_close.
 *
 *   STET_E_NOT_FOUND  the machine was never written
 *   STET_E_INVALID    id, namespace or flags are wrong
 *   STET_E_CORRUPT, STET_E_IO, STET_E_NOMEM
 *
 * Thread-safe. Since 0.1.
 */
STET_API STET_NODISCARD stet_status
stet_history_open(stet *s, stet_slice id, const stet_history_opts *opts,
                  stet_history **out, stet_error *err);

typedef struct stet_scan_opts {
    size_t struct_size;
    stet_slice pattern;     /* glob over ids; empty: all */
    uint64_t from_position; /* 0: the first */
    uint64_t to_position;   /* one past the last, or 0 for no bound */
    uint64_t limit;         /* events given; 0: none */
    uint32_t flags;         /* STET_HISTORY_NEWEST_FIRST */
    uint8_t ns;
} stet_scan_opts;

/*
 * Walk the events of the whole store in order of position, as of now.
 *
 * `*out` is owned by the caller until stet_history_close. STET_E_INVALID:
 * pattern, namespace or flags are wrong (states are for one machine's walk);
 * STET_E_NOMEM. Thread-safe. Since 0.1.
 */
STET_API STET_NODISCARD stet_status
stet_scan_open(stet *s, const stet_scan_opts *opts, stet_history **out,
               stet_error *err);

/*
 * Take the next event, lent until the next call; STET_DONE at the end.
 *
 * The state of an event is lent as long, and may be kept with stet_state_ref.
 * After any other status the walk stands where it stood: the next call tries
 * again. STET_E_CORRUPT, STET_E_UNSUPPORTED (where states are asked for),
 * STET_E_IO, STET_E_NOMEM. Thread: one at a time per walk. Since 0.1.
 */
STET_API STET_NODISCARD stet_status stet_history_next(stet_history *history,
                                                      const stet_event **out,
                                                      stet_error *err);

/*
 * End a walk. Accepts NULL.
 *
 * Thread: one at a time per walk. Since 0.1.
 */
STET_API void stet_history_close(stet_history *history);

/*
 * Tell how to get from state `a` to state `b`.
 *
 * Two JSON states give an RFC 6902 patch; anything else gives a JSON object
 * {"bytes_before", "bytes_after", "first_difference", "common_suffix"}. Neither
 * state is NULL. `out` is owned by the caller, who frees it with
 * stet_buffer_free. STET_E_NOMEM. Thread-safe. Since 0.1.
 */
STET_API STET_NODISCARD stet_status
stet_diff(const stet_state *a, const stet_state *b, stet_buffer *out,
          stet_error *err);

/*
 * Name the first seq at which two histories part: at which the event or the
 * state after it differs, or only one of the two goes on. 0: they are the same.
 *
 * When an event occurred is a part of it, when the store took it is not.
 *
 *   STET_E_NOT_FOUND    one was never written
 *   STET_E_UNSUPPORTED  a custom reducer of a history is not registered
 *   STET_E_INVALID, STET_E_CORRUPT, STET_E_IO, STET_E_NOMEM
 *
 * Thread-safe. Since 0.1.
 */
STET_API STET_NODISCARD stet_status
stet_compare(stet *s, stet_slice a, stet_slice b, uint8_t ns,
             uint64_t *out_parts_at, stet_error *err);

#ifdef __cplusplus
}
#endif

#endif
