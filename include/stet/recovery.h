/*
 * Recovery: the best state of a machine that can be had, and what is missing.
 *
 * A load answers exactly or not at all. Recovery is a read with a report: it
 * goes to the point that a mode names, and where events there are damaged, to
 * the newest one before it that can be read. Modes are tried in order, and the
 * first that is reached and valid wins. Nothing is changed; stet_recovery_adopt
 * makes the machine's state what was recovered, stet_fork begins another
 * machine there.
 *
 * Events are replayed oldest first, from the nearest base at or before the
 * point.
 */
#ifndef STET_RECOVERY_H
#define STET_RECOVERY_H

#include <stet/read.h>
#include <stet/write.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
    STET_RECOVERY_MODES_MAX = 16,         /* tried in one call */
    STET_RECOVERY_TRANSITIONS_MAX = 1000, /* replayed, by default */
    STET_RECOVERY_DAMAGES_MAX = 1000,     /* passed by in one call */
    STET_RECOVERY_REASON_BYTES_MAX = 512, /* of a reason, with its NUL */
    STET_RECOVERY_ID_BYTES_MAX = 257      /* of a recovery id, likewise */
};

/* Which point is gone to. */
typedef enum stet_recovery_mode {
    STET_RECOVER_LATEST = 1,
    STET_RECOVER_SNAPSHOT = 2,      /* the newest sound base, or one by seq */
    STET_RECOVER_POINT_IN_TIME = 3, /* what had occurred by then, inclusive */
    STET_RECOVER_BEFORE_ERROR = 4,  /* the seq before the newest error: an event
                                       that is failed, or has an error text or
                                       is_error in its metadata; without one
                                       the latest */
    STET_RECOVER_VERSION = 5,       /* the newest state of a schema version */
    STET_RECOVER_CHECKPOINT = 6     /* as STET_AT_CHECKPOINT */
} stet_recovery_mode;

/* How it ended. */
typedef enum stet_recovery_status {
    STET_RECOVERY_SUCCESS = 1,
    STET_RECOVERY_PARTIAL = 2,  /* a state, but an earlier or an invalid one */
    STET_RECOVERY_FAILED = 3,   /* no state can be read, or not any more */
    STET_RECOVERY_NOT_FOUND = 4 /* there is no such point */
} stet_recovery_status;

/* What a state was made from. */
typedef enum stet_recovery_means {
    STET_RECOVERED_FROM_NOTHING = 0,
    STET_RECOVERED_FROM_SNAPSHOT = 1, /* a base alone */
    STET_RECOVERED_FROM_EVENTS = 2,   /* from the machine's first on */
    STET_RECOVERED_FROM_BOTH = 3      /* a base and the events behind it */
} stet_recovery_means;

/*
 * Is a recovered state one to go on with? STET_OK, or STET_E_INVALID with a
 * reason in `err`; anything else is taken as that. Called on the thread that
 * recovers; may not call the library.
 */
typedef stet_status (*stet_validate_fn)(void *ctx, const stet_state *state,
                                        stet_error *err);

/* Options of stet_recover. Zeroed or NULL: the latest. */
typedef struct stet_recovery_opts {
    size_t struct_size;              /* sizeof(stet_recovery_opts) */
    const stet_recovery_mode *modes; /* in order; NULL: the latest */
    size_t mode_count;               /* at most STET_RECOVERY_MODES_MAX */
    uint64_t snapshot_seq;           /* of SNAPSHOT; 0: the newest sound one */
    int64_t time;                    /* of POINT_IN_TIME */
    stet_slice version;              /* of VERSION */
    stet_slice checkpoint;           /* of CHECKPOINT */
    /*
     * Events replayed at most, counted from the base on; beyond them the state
     * is that after the last of them. 0: STET_RECOVERY_TRANSITIONS_MAX.
     */
    uint64_t transitions_max;
    stet_validate_fn validate; /* nullable */
    void *validate_ctx;
    uint8_t ns;
} stet_recovery_opts;

/* What came of it; made and freed by the library. Immutable. */
typedef struct stet_recovery {
    stet_recovery_status status;
    stet_recovery_mode mode; /* the one that won, else the first with the best
                                status */
    stet_recovery_means means;
    const stet_state *state; /* lent as long as this; NULL: there is none */
    uint64_t wanted_seq;     /* what the mode names; 0: nothing */
    uint64_t reached_seq;    /* of the state; 0: none */
    uint64_t base_seq;       /* from which it was replayed */
    uint64_t replayed;       /* events behind the base */
    uint64_t skipped;        /* events up to the wanted one that it lacks */
    uint64_t error_seq;      /* of BEFORE_ERROR; 0: there was no error */
    stet_status cause;       /* why it is no success; STET_OK */
    char reason[STET_RECOVERY_REASON_BYTES_MAX];
} stet_recovery;

/*
 * Recover a machine's state. Changes nothing.
 *
 * `*out` is owned by the caller until stet_recovery_free, and set whenever the
 * answer is STET_OK, also where nothing was found: the report says so. The
 * order of the modes decides between several that are not reached: a partial
 * state is better than none, and the first one better than a later one.
 *
 *   STET_E_INVALID      id, namespace, a mode or its point is wrong
 *   STET_E_UNSUPPORTED  the store was opened with STET_NO_RECOVERY
 *   STET_E_IO, STET_E_NOMEM
 *
 * Blocks on storage. Thread-safe. Since 0.1.
 */
STET_API STET_NODISCARD stet_status
stet_recover(stet *s, stet_slice id, const stet_recovery_opts *opts,
             stet_recovery **out, stet_error *err);

/*
 * Free a report. Accepts NULL. Its state goes with it, unless it was kept with
 * stet_state_ref. Thread-safe. Since 0.1.
 */
STET_API void stet_recovery_free(stet_recovery *recovery);

/*
 * Make the machine's state what was recovered: one restored event behind its
 * newest one, also where that one is damaged; history stays as it is.
 *
 * Bytes, name, type, version and metadata become those recovered. The event's
 * metadata says {"recovery":{"mode","seq","status"}}, `opts->more.metadata` is
 * ignored; of the rest of `opts` (nullable) what goes with a write counts.
 *
 *   STET_E_INVALID  the report has no state
 *   else as any write, see stet/write.h; STET_E_CONFLICT also where an event
 *   was written since the newest was looked at
 *
 * Blocks until durable. Thread-safe. Since 0.1.
 */
STET_API STET_NODISCARD stet_status
stet_recovery_adopt(stet *s, const stet_recovery *recovery,
                    const stet_write_opts *opts, stet_written *out,
                    stet_error *err);

/* A point that recovery can go to; slices are lent until the next call. */
typedef struct stet_recovery_point {
    char recovery_id[STET_RECOVERY_ID_BYTES_MAX]; /* a seq, or @ and the name of
                                                     a checkpoint */
    uint64_t seq;
    int64_t timestamp;         /* when the event there occurred */
    uint64_t transition_count; /* transitions up to there */
    stet_slice metadata;       /* the event's: JSON, or empty */
    bool is_snapshot;          /* a base; else a checkpoint */
} stet_recovery_point;

/* Recovery points of one machine. One thread at a time. */
typedef struct stet_recovery_points stet_recovery_points;

/*
 * List the bases and the checkpoints of a machine, by rising seq, as of now.
 *
 * `*out` is owned by the caller until stet_recovery_points_close.
 * STET_E_NOT_FOUND: never written; STET_E_INVALID, STET_E_CORRUPT, STET_E_IO,
 * STET_E_NOMEM. Thread-safe. Since 0.1.
 */
STET_API STET_NODISCARD stet_status
stet_recovery_points_open(stet *s, stet_slice id, uint8_t ns,
                          stet_recovery_points **out, stet_error *err);

/*
 * Take the next point, lent until the next call; STET_DONE at the end.
 *
 * STET_E_CORRUPT, STET_E_IO, STET_E_NOMEM. Thread: one at a time per listing.
 * Since 0.1.
 */
STET_API STET_NODISCARD stet_status
stet_recovery_points_next(stet_recovery_points *list,
                          const stet_recovery_point **out, stet_error *err);

/*
 * End a listing. Accepts NULL.
 *
 * Thread: one at a time per listing. Since 0.1.
 */
STET_API void stet_recovery_points_close(stet_recovery_points *list);

/*
 * Give the name of a mode, for example "before_error".
 *
 * Static storage; "unknown" for other values. Thread-safe. Since 0.1.
 */
STET_API const char *stet_recovery_mode_name(stet_recovery_mode mode);

/*
 * Give the name of a status, for example "partial".
 *
 * Static storage; "unknown" for other values. Thread-safe. Since 0.1.
 */
STET_API const char *stet_recovery_status_name(stet_recovery_status status);

/*
 * Give the name of a means: "", "snapshot", "event_replay" or "hybrid".
 *
 * Static storage. Thread-safe. Since 0.1.
 */
STET_API const char *stet_recovery_means_name(stet_recovery_means means);

#ifdef __cplusplus
}
#endif

#endif
