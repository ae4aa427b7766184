/*
 * The handle: opening and closing a store, its options, its own state.
 */
#ifndef STET_HANDLE_H
#define STET_HANDLE_H

#include <stdbool.h>

#include <stet/alloc.h>
#include <stet/export.h>
#include <stet/policy.h>
#include <stet/status.h>
#include <stet/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * A store, open. Thread-safe, but for close and stet_poll. A read-only one
 * shows the store as it was when it was opened.
 */
typedef struct stet stet;

typedef enum stet_open_mode {
    STET_OPEN_DEFAULT = 0,  /* read and write; create when there is nothing */
    STET_OPEN_EXISTING = 1, /* read and write; STET_E_NOT_FOUND when nothing */
    STET_OPEN_READONLY = 2  /* never writes; other processes may write */
} stet_open_mode;

typedef enum stet_open_option_flags {
    STET_NO_THREADS = 1 << 0,  /* no own threads: the caller calls stet_step */
    STET_NO_RECOVERY = 1 << 1, /* stet_recover is refused:
                                  STET_E_UNSUPPORTED */
    /* Keep no state in memory but what is in use or not durable yet. */
    STET_NO_CACHE = 1 << 2
} stet_open_option_flags;

/* What a write does that finds the queue full (stet_opts.queue_bytes). */
typedef enum stet_queue_full {
    STET_QUEUE_BLOCK = 0, /* wait for room; the default */
    /* Answer STET_E_BUSY at once; nothing is stored. */
    STET_QUEUE_REFUSE = 1,
    /*
     * Refuse what nobody waits for first: stet_commit_async answers STET_E_BUSY
     * once the queue is three quarters full, and leaves the rest to writes that
     * wait until they are durable, which wait for room, too.
     */
    STET_QUEUE_SHED = 2
} stet_queue_full;

/*
 * A reducer of the application: fold `payload` over `state` (empty for none).
 *
 * Must be a pure function of its arguments: it runs again when history is read.
 * Write the new state with stet_output_put; `state` and `payload` are lent
 * until it returns. It may not call the library otherwise.
 *
 * Returns STET_OK, or the status with which the write is refused: STET_E_NOMEM
 * or one of kind CALLER or NO. Anything else is taken as STET_E_INVALID. What
 * it took once it must take again: a refusal while history is read is told as
 * STET_E_UNSUPPORTED. Called on the writer's or reader's thread, on several at
 * once.
 */
typedef struct stet_output stet_output;
typedef stet_status (*stet_reduce_fn)(void *ctx, stet_slice state,
                                      stet_slice payload, stet_output *out);

/*
 * Append bytes to the state that a reducer makes.
 *
 * `bytes` are copied. A lack of memory is noticed after the reducer returned.
 * For use inside a stet_reduce_fn only. Thread: the one that called the
 * reducer. Since 0.1.
 */
STET_API void stet_output_put(stet_output *out, stet_slice bytes);

/* A reducer under its name and version, as each event records them. */
typedef struct stet_reducer_def {
    const char *name; /* 1 to 255 bytes */
    uint32_t version; /* from 1; replay asks for the very version recorded */
    stet_reduce_fn fn;
    void *ctx;
} stet_reducer_def;

/* How much a line of talk matters. */
typedef enum stet_log_level {
    STET_LOG_ERROR = 1,
    STET_LOG_WARNING = 2,
    STET_LOG_NOTICE = 3
} stet_log_level;

/*
 * One line of talk, for example that a torn tail was left behind at open.
 * `text` is lent until it returns. Called from any thread of the handle; may
 * not call the library.
 */
typedef void (*stet_log_fn)(void *ctx, stet_log_level level, const char *text);

/* A rule of retention: an event goes once either limit says so. */
typedef struct stet_retention_rule {
    const char *pattern;  /* glob over ids; NULL or empty: all */
    uint64_t keep_events; /* behind the newest, which stays; 0: no limit */
    int64_t keep_ns;      /* since recorded; 0: no limit */
    uint8_t ns;
} stet_retention_rule;

/* Options of stet_open; all they point at is copied, but for contexts. */
typedef struct stet_opts {
    size_t struct_size; /* sizeof(stet_opts) */
    stet_open_mode mode;
    stet_level level; /* default disk; memory only for memory: */
    uint32_t flags;   /* stet_open_option_flags */

    /* Limits. */
    uint32_t state_bytes_max;  /* a state; default and most 16 MiB */
    uint32_t batch_events_max; /* default and most 65,536 */
    uint32_t batch_bytes_max;  /* a batch, encoded; default and most 32 MiB */
    uint32_t callbacks_max;    /* waiting callbacks; default 65,536 */
    uint64_t cache_bytes;      /* states and heads; default 64 MiB */
    uint64_t queue_bytes;      /* writes not yet durable; default 16 MiB */
    uint64_t memory_bytes_max; /* the memory store; default 1 GiB */

    /* The log. */
    uint32_t segment_bytes;    /* default 16 MiB; 16 KiB to 1 GiB by 4 KiB */
    uint32_t settle_segments;  /* settled into one set: 1 to 16; default 16 */
    uint32_t index_sets;       /* of one merged index: 1 to 16; default 16 */
    uint32_t base_events;      /* records between bases; default 64 */
    uint32_t base_bytes;       /* bodies between bases; default 1 MiB */
    uint32_t frames_in_flight; /* 1 to 16; default 4 */

    /*
     * JSON pointers (RFC 6901) at which a state's name is looked for when the
     * call gives none, separated by spaces; default "/current_state /phase".
     * Copied. What is looked at is what the event brings: the payload of a
     * save, merge or assign; of a patch or custom reducer the result, where the
     * name found differs from the one in the state before. Where none is found
     * the state keeps its name.
     */
    const char *name_pointers;

    /* Copied with their names; each name and version once. */
    const stet_reducer_def *reducers;
    size_t reducer_count; /* at most STET_REDUCERS_MAX */

    stet_allocator allocator; /* default: the heap */
    stet_log_fn log;          /* default: silent */
    void *log_ctx;

    /*
     * What may be dropped, see stet/retention.h: of a machine the first rule
     * that matches its id decides; without one all of it is kept. Copied.
     */
    const stet_retention_rule *retention;
    size_t retention_count; /* at most STET_RETENTION_RULES_MAX */

    /*
     * How machines are kept, see stet/policy.h: of a machine the first rule
     * that matches its id decides; without one it is hybrid, and every write
     * durable at once. Copied.
     */
    const stet_machine_rule *rules;
    size_t rule_count;       /* at most STET_MACHINE_RULES_MAX */
    uint64_t deferred_bytes; /* of deferred writes; default 16 MiB; beyond it
                                a write is durable at once */

    stet_queue_full queue_full;

    /*
     * More limits of the cache, beside cache_bytes; 0: none. A machine is
     * looked for in the store again once this time has gone by since it was
     * read from there or written. What is in use or not durable yet stays, and
     * a load gives the newest state in any case.
     */
    uint64_t cache_entries; /* machines; from 16 */
    int64_t cache_ttl_ns;
} stet_opts;

/* Initialiser: STET_OPTS_INIT sets struct_size and leaves the rest default. */
#ifdef __cplusplus
#define STET_OPTS_INIT                                                         \
    {                                                                          \
        sizeof(stet_opts)                                                      \
    }
#else
/* Named, so that -Wextra does not ask for the other fields. */
#define STET_OPTS_INIT                                                         \
    {                                                                          \
        .struct_size = sizeof(stet_opts)                                       \
    }
#endif

/*
 * Open a store by URL: "stet:DIR" or a plain path (embedded), "memory:", or,
 * read-only, "backup:FOLDER" and "backup:FOLDER#NUMBER" (see stet/backup.h).
 *
 * `*out` is owned by the caller until stet_close, and untouched on failure. One
 * writer process at a time; any number of read-only ones. `opts` is nullable.
 *
 *   STET_E_INVALID      the URL or an option is wrong; also a level that the
 *                       store does not reach
 *   STET_E_UNSUPPORTED  the URL names a store this build lacks, or the options
 *                       say something that this version does not know
 *   STET_E_NOT_FOUND    nothing there, and the mode does not create
 *   STET_E_EXISTS       the folder holds something that is not a store
 *   STET_E_LOCKED       another process writes it; the text names its pid
 *   STET_E_CORRUPT      damage; the text names file and offset
 *   STET_E_FORMAT       written by a newer version
 *   STET_E_IO, STET_E_NOSPACE, STET_E_READONLY, STET_E_NOMEM
 *
 * Blocks on storage. Thread-safe. Since 0.1.
 */
STET_API STET_NODISCARD stet_status
stet_open(const char *url, const stet_opts *opts, stet **out, stet_error *err);

/*
 * Close a handle: wait for writes under way, write what was deferred, then
 * leave the store clean.
 *
 * Frees the handle whatever it answers. Accepts NULL. States still lent stay
 * valid until released; walks and listings must be closed before, and callbacks
 * that were not called are dropped.
 *
 *   STET_E_IO       the store was left as after a crash; what was acknowledged
 *                   is kept
 *   STET_E_UNKNOWN  likewise, and a write under way may be lost
 *   STET_E_NOSPACE, STET_E_NOMEM  likewise, nothing is lost
 *
 * Blocks on storage. Thread: no other call on the handle may be running. Since
 * 0.1.
 */
STET_API stet_status stet_close(stet *s, stet_error *err);

/*
 * Do background work on the calling thread: one step of writing queued frames,
 * of deferred writes that are due, spares, sealing, marks, settling and
 * background projections. For handles opened with STET_NO_THREADS.
 *
 * `*out_more` (nullable) says whether there is more to do at once. Writers who
 * wait do by themselves what they cannot go on without, so a step that comes
 * late costs time and space, never an answer. A read-only or poisoned handle
 * has nothing to do.
 *
 *   STET_E_NOSPACE, STET_E_NOMEM  no such step now; writes go on while there
 *                                 is room, and a later step tries again
 *   other                         the handle is poisoned; reopen
 *
 * Blocks on storage. Thread-safe. Since 0.1.
 */
STET_API STET_NODISCARD stet_status stet_step(stet *s, bool *out_more,
                                              stet_error *err);

/*
 * Make everything written so far durable at STET_LEVEL_DISK, whatever the
 * store's level; in a memory store, which has no disk, visible.
 *
 * Tickets given before are durable when this returns STET_OK, and so are
 * deferred writes: the statuses are those of stet_flush. Blocks on storage.
 * Thread-safe. Since 0.1.
 */
STET_API STET_NODISCARD stet_status stet_sync(stet *s, stet_error *err);

/*
 * Make the deferred writes (stet/policy.h) of all machines durable at the
 * store's level.
 *
 * Those of one machine become durable together, in order. Where some cannot be
 * committed the others are tried all the same, and the first status is the
 * answer, one of a write's (stet/write.h): what was not written still waits,
 * but after STET_E_UNKNOWN, when it may have been. Blocks on storage.
 * Thread-safe. Since 0.1.
 */
STET_API STET_NODISCARD stet_status stet_flush(stet *s, stet_error *err);

/* Numbers of a store; plain data, which grows at its end. */
typedef struct stet_info {
    size_t struct_size;       /* sizeof(stet_info); 0 is taken as that */
    uint64_t events;          /* = the newest position */
    uint64_t machines;        /* that are not deleted, all user namespaces */
    uint64_t log_bytes;       /* frames, or a set's blocks, with padding */
    uint64_t state_raw_bytes; /* sum of the whole states that events set */
    uint64_t index_bytes;     /* directories, slots, headers, super */
    uint64_t disk_bytes;      /* what the files take on disk */
    uint64_t segments;        /* files with records not settled yet */
    uint64_t unsealed;        /* of those, without an index yet */
    uint64_t sets;            /* files of settled records */
    uint64_t settled;         /* events in them */
    uint64_t torn_bytes;      /* left behind as a torn tail at open */
    uint64_t cache_used_bytes;
    stet_level level;
    bool is_direct; /* writes bypass the page cache (O_DIRECT) */
    bool is_readonly;
    bool is_poisoned; /* a sync failed; reopen */
    char uuid[40];
    char driver[16]; /* "embedded", "memory" */
    uint32_t format;
    /* Unsettled segments beyond which writers wait for the settler; 0: none. */
    uint64_t segments_max;
    uint64_t throttled;    /* times that a writer of this handle waited so */
    uint64_t throttled_ns; /* and how long, all together */
    uint64_t deferred;     /* writes of this handle that are not durable yet */
} stet_info;

/*
 * Fill in the numbers of a store.
 *
 * `out->struct_size` is the caller's, like that of options: what lies behind it
 * is not written to, and neither is what this library does not know. Counts
 * machines by reading the directories: time in proportion to their number.
 * `*out` is untouched on failure. STET_E_CORRUPT, STET_E_IO,
 * STET_E_NOMEM. Blocks on storage. Thread-safe. Since 0.1.
 */
STET_API STET_NODISCARD stet_status stet_get_info(stet *s, stet_info *out,
                                                  stet_error *err);

/*
 * Progress of long work: `done` of `total` units; false stops it. Called on the
 * thread that asked for the work.
 */
typedef bool (*stet_progress_fn)(void *ctx, uint64_t done, uint64_t total);

/* What was read by verifying; plain data, which grows at its end. */
typedef struct stet_verify_report {
    size_t struct_size; /* sizeof(stet_verify_report); 0 is taken as that */
    uint64_t frames;
    uint64_t records;
    uint64_t machines; /* histories folded and compared */
    uint64_t unfolded; /* not: a custom reducer is not registered here */
    uint64_t index_blocks;
    uint64_t index_damaged; /* blocks that reindex repairs */
} stet_verify_report;

/*
 * Read everything: every checksum, every index against its records, every state
 * against its check value.
 *
 * `progress` (nullable) hears of segments, then of events folded. `report`
 * (nullable) is filled as far as it got, whatever the answer; its struct_size
 * is the caller's, like that of stet_info. Takes as much memory for states as
 * `cache_bytes` allows the cache, beside it; the histories of machines beyond
 * that are read one by one, which takes longer.
 *
 *   STET_E_PARTIAL  `progress` stopped it; nothing wrong so far
 *   STET_E_CORRUPT  names the first damage by file and offset
 *   STET_E_IO, STET_E_NOMEM
 *
 * Blocks on storage; writers go on. Thread-safe. Since 0.1.
 */
STET_API STET_NODISCARD stet_status
stet_verify(stet *s, stet_progress_fn progress, void *ctx,
            stet_verify_report *report, stet_error *err);

/*
 * Rebuild the indexes of all sealed segments and sets from their own records.
 *
 * `*out_rebuilt` (nullable) counts files.
 *
 *   STET_E_CORRUPT   a record is damaged: no index can be made of it
 *   STET_E_READONLY  opened read-only, or poisoned
 *   STET_E_NOSPACE, STET_E_IO, STET_E_NOMEM
 *
 * Blocks on storage. Thread-safe. Since 0.1.
 */
STET_API STET_NODISCARD stet_status stet_reindex(stet *s, uint64_t *out_rebuilt,
                                                 stet_error *err);

/*
 * Settle what can be: pack the records of finished segments into sets, by
 * machine, merge small sets, and remove what these were made of.
 *
 * Of a store that was closed and that this handle has not written to that is
 * everything; else the segments that are not finished stay. What is written
 * after the call began is left for later, so it ends whoever writes. The
 * background work does the same, but only with as many segments as a set is
 * made of. Nothing is lost or changed but what was erased and what the handle's
 * rules let go, see stet/retention.h.
 *
 *   STET_E_READONLY
 *   STET_E_CORRUPT   a segment cannot be read; it stays as it is
 *   STET_E_NOSPACE   there is no room for the set beside its segments
 *   STET_E_IO        likewise; or a sync failed: then the store refuses writes,
 *                    as stet_get_info tells, until it is opened again
 *   STET_E_NOMEM
 *
 * Blocks on storage. Thread-safe; writers and readers go on. Since 0.1.
 */
STET_API STET_NODISCARD stet_status stet_compact(stet *s, stet_error *err);

/* Bytes that the library made and the caller frees with stet_buffer_free. */
typedef struct stet_buffer {
    void *ptr;
    size_t len;
    size_t cap;
    stet_allocator allocator;
} stet_buffer;

/*
 * Free a buffer's bytes and make it empty. Accepts a zeroed one.
 *
 * Thread-safe. Since 0.1.
 */
STET_API void stet_buffer_free(stet_buffer *buffer);

/*
 * Give the library's version, "MAJOR.MINOR.PATCH". Static storage.
 *
 * Thread-safe. Since 0.1.
 */
STET_API const char *stet_version(void);

#ifdef __cplusplus
}
#endif

#endif
