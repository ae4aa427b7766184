/*
 * The driver API: what a store must do to hold the log of an engine.
 *
 * A *log* keeps records in the order of their positions, in frames that are
 * durable as a whole. The engine gives positions, seqs and the bytes of
 * records; it is a log's only writer. The log finds room, writes, indexes and
 * reads. It has no threads of its own: the engine's threads call it.
 *
 * The way of a frame, and who calls what under which lock:
 *
 *   frame_open    under `seq`   lend room; no I/O, no allocation
 *   frame_close   under `seq`   fix the length; the next frame begins behind it
 *   frame_seal    no lock       strictly in frame order: chain, checksum, index
 *   frame_write   no lock       several at once, in any order; blocks on
 *                               storage. A frame with `is_turn` only when all
 *                               before it is published.
 *   published     under `seq`   what readers will see next, what is synced
 *
 * Reads take `below`, a position: nothing at or above it exists for them. They
 * run beside writes and each other. This header is for authors of stores; it
 * may change with a minor version until 1.0.
 */
#ifndef STET_SYS_STORE_H
#define STET_SYS_STORE_H

#include <stdbool.h>

#include <stet/backup.h>
#include <stet/salvage.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A log, open; a driver's own struct begins with it. */
typedef struct stet_log stet_log;
struct stet_os;
struct stet_wants;
struct stet_base_parts;

/* A machine's key; namespace 255 holds the store's own machines. */
typedef struct stet_machine_key {
    stet_slice id;
    uint8_t ns;
} stet_machine_key;

/* A point on the three monotone scales of a lineage. */
typedef struct stet_point {
    uint64_t seq;
    uint64_t position;
    int64_t occurred_max;
} stet_point;

/* Which of them a search compares. */
typedef enum stet_dimension {
    STET_BY_SEQ = 1,
    STET_BY_POSITION = 2,
    STET_BY_OCCURRED = 3
} stet_dimension;

/* A value on one of the scales. */
typedef struct stet_bound {
    stet_dimension dimension;
    uint64_t value;   /* seq or position */
    int64_t occurred; /* for STET_BY_OCCURRED */
} stet_bound;

/* A frame being built in room that the log lends until frame_write is over. */
typedef struct stet_frame {
    uint8_t *records; /* where the first record goes */
    size_t cap;       /* room for records from there */
    size_t used;      /* set by frame_close */
    uint64_t first_position;
    uint32_t events;  /* set by frame_close */
    int64_t recorded; /* the frame's stamp, set by the engine */
    bool is_turn;     /* first of a segment: write when all before is durable */
    bool has_work;    /* once it is published, step has something to do */
    void *segment;    /* the log's own */
    uint64_t offset;  /* the log's own */
    uint32_t file;    /* number of the segment, which grows with every turn */
    uint32_t length;  /* padded; set by frame_close */
} stet_frame;

/* One record as read. */
typedef struct stet_logged {
    stet_slice bytes; /* whole record, its checksum compared */
    uint64_t position;
    int64_t recorded; /* its frame's stamp */
    uint32_t file;
    bool is_settled; /* the file is N.set; else N.seg */
    uint64_t offset;
} stet_logged;

/* Where a machine's hash chain ends. */
typedef struct stet_chain_end {
    stet_point point; /* of its newest settled event */
    uint8_t value[32];
} stet_chain_end;

/* What one link of a hash chain is made from. */
typedef struct stet_chained {
    stet_logged logged; /* the record */
    uint8_t seed[32];   /* of the set's salts */
    bool has_value;     /* the log knows the chain's value after it */
    uint8_t value[32];
} stet_chained;

/* One machine of a listing. */
typedef struct stet_head_entry {
    stet_machine_key key;
    stet_slice state_name;
    uint64_t seq;
    uint64_t position;
    bool is_deleted;
} stet_head_entry;

/* Which machines a listing is about; slices are borrowed for its start. */
typedef struct stet_heads_range {
    uint8_t ns;
    /* Above `ns`: all namespaces up to it, without a prefix or an `after`. */
    uint8_t ns_last;
    stet_slice prefix; /* of the ids */
    stet_slice after;  /* ids at or below it are left out; empty: none */
    uint64_t below;    /* a position: nothing from there on exists */
    bool is_nameless;  /* nobody asks for names of states, which may cost */
} stet_heads_range;

/* What opening found. */
typedef struct stet_log_start {
    uint64_t next_position; /* one past the last record that may be shown */
    int64_t last_recorded;
    uint64_t torn_bytes;
    stet_level level; /* what frame_write reaches */
    bool is_readonly;
} stet_log_start;

/* A walk over a log's records; a driver's own struct begins with it. */
typedef struct stet_log_cursor stet_log_cursor;
typedef struct stet_log_reader stet_log_reader;

/* How settling is asked for. */
typedef enum stet_settle_flags {
    /* What may be settled, up to a position; else what is worth it, when. */
    STET_SETTLE_ALL = 1 << 0,
    /* The caller sees to it that none of the log's other work runs beside. */
    STET_SETTLE_TURN = 1 << 1,
} stet_settle_flags;

/* What a piece of settling answers. */
typedef struct stet_settle_answer {
    bool is_more;    /* there is another piece */
    bool needs_turn; /* it needs STET_SETTLE_TURN; this one did nothing */
    int64_t due;     /* monotonic: there may be one then; 0: nobody knows */
} stet_settle_answer;

/* A fork, as its first record tells of it; the key is lent for the call. */
typedef struct stet_fork_edge {
    stet_machine_key child;
    stet_machine_key parent;  /* whose own record it left behind */
    uint64_t first_seq;       /* of the child's own */
    uint64_t first_position;  /* likewise */
    uint64_t parent_position; /* of the record that it goes on from */
} stet_fork_edge;

/* Hears of a fork, which is lent for the call. */
typedef stet_status (*stet_fork_fn)(void *ctx, const stet_fork_edge *edge,
                                    stet_error *err);

/*
 * What a log asks while it settles: the engine knows what wants what, and it
 * folds. All are called by who settles, without a lock, and may block.
 */
typedef struct stet_retention {
    void *ctx; /* the first argument of each */
    /*
     * A settle begins. `*out_any`: something may go in it, so the others may be
     * asked until it ends; what they answer is as of now. `durable`: position
     * below which all is; a head that may vanish lets nothing go.
     */
    stet_status (*begin)(void *ctx, uint64_t durable, bool *out_any,
                         stet_error *err);
    /* What wants a machine's records: core/retain.h. Lent until the next. */
    stet_status (*wants)(void *ctx, stet_machine_key key,
                         struct stet_wants *out, stet_error *err);
    /*
     * The first record of a fork that goes on from `position`, the next above
     * `after`; 0: there is none.
     */
    uint64_t (*fork_at)(void *ctx, uint64_t position, uint64_t after);
    /* One past the last seq to be erased of a machine's own; 0: nothing is. */
    uint64_t (*erased_end)(void *ctx, stet_machine_key key);
    /* The machines of which something is to be erased; false: no i-th one. */
    bool (*erased)(void *ctx, size_t i, stet_machine_key *out_key,
                   uint64_t *out_end);
    /*
     * The state after a record, which is not dropped, as a base restates it.
     * Lent until the next. STET_E_UNSUPPORTED: it cannot be folded here.
     */
    stet_status (*base_of)(void *ctx, stet_machine_key key, stet_point point,
                           struct stet_base_parts *out, stet_error *err);
    /*
     * From here on nothing new is pinned; false: something was since `begin`,
     * and nothing may be dropped by what was answered.
     */
    bool (*close_gate)(void *ctx);
    /* Things may be pinned again: of what is there now. */
    void (*open_gate)(void *ctx);
} stet_retention;

typedef struct stet_log_ops {
    size_t struct_size;
    const char *name; /* "embedded" */

    /*
     * Lend room for at least `need` bytes of records in the next frame.
     *
     * STET_E_BUSY: the log must work first; call make_room without a lock, then
     * try again. STET_E_NOSPACE: there is none. STET_E_READONLY.
     */
    stet_status (*frame_open)(stet_log *log, size_t need,
                              uint64_t first_position, stet_frame *out,
                              stet_error *err);

    /*
     * Fix a frame's length: `used` bytes of records, `events` of them; and say
     * whether it has work.
     */
    void (*frame_close)(stet_log *log, stet_frame *frame, size_t used,
                        uint32_t events);

    /*
     * Chain, checksum and index a closed frame whose records are all in place.
     * `durable`: position below which all was synced just before.
     */
    stet_status (*frame_seal)(stet_log *log, stet_frame *frame,
                              uint64_t durable, stet_error *err);

    /*
     * Write a sealed frame, as durable as the log's level. Any failure means
     * unknown: the engine writes nothing more.
     */
    stet_status (*frame_write)(stet_log *log, stet_frame *frame,
                               stet_error *err);

    /*
     * Everything below `watermark` may be read, everything below `synced` is
     * durable at level disk; synced <= watermark. Said before the engine shows
     * it. Of two calls the later one may say less: what was said stays. Does
     * no I/O.
     */
    void (*published)(stet_log *log, uint64_t watermark, uint64_t synced);

    /*
     * Do the work that frame_open asked for. Blocks on storage. Of make_room,
     * sync, step and reindex one runs at a time: the engine sees to that.
     * STET_E_BUSY: only frames in flight can make the room; ask again when one
     * was published.
     */
    stet_status (*make_room)(stet_log *log, size_t need, stet_error *err);

    /*
     * Make all frames written so far durable at level disk. Not while a frame
     * is being written. Any failure means unknown.
     */
    stet_status (*sync)(stet_log *log, stet_error *err);

    /*
     * One piece of background work: spares, sealing, mark. One thread at a
     * time. `*out_more`: call again at once. `*out_due` (nullable): monotonic
     * time at which there may be work again, 0 for none. A failure other than
     * STET_E_NOSPACE poisons.
     */
    stet_status (*step)(stet_log *log, bool *out_more, int64_t *out_due,
                        stet_error *err);

    /*
     * Leave the log clean (`is_clean`: nothing was lost, all was published) and
     * free it.
     */
    stet_status (*close)(stet_log *log, bool is_clean, stet_error *err);

    /*
     * Find the newest record of a machine's lineage that lies below `below` and
     * whose scale is not above the bound. Crosses forks.
     *
     * STET_E_NOT_FOUND: the machine has no record so early, or none at all;
     * STET_E_GONE, STET_E_CORRUPT, STET_E_IO, STET_E_NOMEM.
     */
    stet_status (*seek)(stet_log *log, stet_machine_key key, stet_bound bound,
                        uint64_t below, stet_point *out, stet_error *err);

    /*
     * Make a reader: reads of records that lie near each other share what it
     * keeps. One thread at a time; NULL when there is no memory.
     */
    stet_log_reader *(*reader_create)(stet_log *log);
    /*
     * Read the record at a position; its bytes are lent until the reader's next
     * call. STET_E_NOT_FOUND: above the end; STET_E_CORRUPT, STET_E_IO,
     * STET_E_NOMEM.
     */
    stet_status (*reader_read)(stet_log_reader *reader, uint64_t position,
                               stet_logged *out, stet_error *err);
    /* Let go of segments, keep the memory: a reader that waits for work. */
    void (*reader_rest)(stet_log_reader *reader);
    /* Accepts NULL. */
    void (*reader_destroy)(stet_log_reader *reader);

    /*
     * Walk over all records below `below`, each once and in whatever order
     * costs least, in which those of one machine come by rising seq. What is
     * written, sealed or settled meanwhile changes nothing in it. STET_E_NOMEM.
     */
    stet_status (*walk_open)(stet_log *log, uint64_t below,
                             stet_log_cursor **out, stet_error *err);
    /*
     * STET_DONE at the end; bytes of `out` are lent until the next call. After
     * a failure a walk can only be closed. STET_E_CORRUPT, STET_E_IO,
     * STET_E_NOMEM.
     */
    stet_status (*walk_next)(stet_log_cursor *walk, stet_logged *out,
                             stet_error *err);
    /* Accepts NULL. */
    void (*walk_close)(stet_log_cursor *walk);

    /*
     * Find the first record of the batch that carries an idempotency key, which
     * at most one in a log does. STET_E_NOT_FOUND: no such key below `below`;
     * STET_E_CORRUPT, STET_E_IO, STET_E_NOMEM.
     */
    stet_status (*find_key)(stet_log *log, const uint8_t key[16],
                            uint64_t below, uint64_t *out_position,
                            stet_error *err);

    /*
     * The last position below `below` recorded at or before `time`; 0: none.
     * STET_E_CORRUPT, STET_E_IO, STET_E_NOMEM.
     */
    stet_status (*at_recorded)(stet_log *log, int64_t time, uint64_t below,
                               uint64_t *out_position, stet_error *err);

    /*
     * List the newest heads of a range, in order of namespaces and ids, those
     * of deleted machines too. What is written or sealed meanwhile changes
     * nothing in it.
     * STET_E_CORRUPT, STET_E_IO, STET_E_NOMEM.
     */
    stet_status (*heads_open)(stet_log *log, const stet_heads_range *range,
                              stet_log_cursor **out, stet_error *err);
    /*
     * STET_DONE at the end; slices of `out` are lent until the next call. After
     * a failure, of which there are the same, a cursor can only be closed.
     */
    stet_status (*heads_next)(stet_log_cursor *cursor, stet_head_entry *out,
                              stet_error *err);
    /* Accepts NULL. */
    void (*heads_close)(stet_log_cursor *cursor);

    /*
     * Walk over a machine's own settled records by rising seq, as its hash
     * chain does. What is settled meanwhile changes nothing in it. `out_end` is
     * filled. STET_E_NOT_FOUND: there are none; STET_E_CORRUPT, STET_E_IO,
     * STET_E_NOMEM. NULL: the log settles nothing.
     */
    stet_status (*chain_open)(stet_log *log, stet_machine_key key,
                              stet_chain_end *out_end, stet_log_cursor **out,
                              stet_error *err);
    /* As walk_next and walk_close. */
    stet_status (*chain_next)(stet_log_cursor *chain, stet_chained *out,
                              stet_error *err);
    void (*chain_close)(stet_log_cursor *chain);

    /* Fill the log's part of the numbers, which were zeroed. */
    stet_status (*info)(stet_log *log, stet_info *out, stet_error *err);

    /*
     * Check files, frames, records and indexes (not folds). Counts into
     * `report`, also when it fails: STET_E_CORRUPT is the first damage,
     * STET_E_PARTIAL that `progress` (nullable), which hears of each segment,
     * said stop; STET_E_IO, STET_E_NOMEM.
     */
    stet_status (*verify)(stet_log *log, stet_progress_fn progress, void *ctx,
                          stet_verify_report *report, stet_error *err);

    /*
     * Rebuild what can be computed from the records and is damaged;
     * `*out_rebuilt` counts segments. STET_E_READONLY, and as verify.
     */
    stet_status (*reindex)(stet_log *log, uint64_t *out_rebuilt,
                           stet_error *err);

    /*
     * One piece of settling, bounded in time. One runs at a time; beside
     * make_room, sync, step and reindex, unless it has STET_SETTLE_TURN. With
     * STET_SETTLE_ALL files that begin at `below` or above are left alone: so
     * there comes a piece that is the last, whoever writes meanwhile.
     * Nullable: there is nothing to settle. After STET_E_IO info tells whether
     * the log is poisoned: by a sync that failed, not by a read.
     * STET_E_NOSPACE, STET_E_NOMEM; STET_E_CORRUPT and STET_E_FORMAT only with
     * STET_SETTLE_ALL.
     */
    stet_status (*settle)(stet_log *log, unsigned flags, uint64_t below,
                          stet_settle_answer *out, stet_error *err);

    /*
     * Is so much to be settled that a writer who needs a segment for a frame of
     * `need` bytes ought to wait? Nullable: never. Thread-safe, does no I/O.
     */
    bool (*is_pressed)(stet_log *log, size_t need);

    /*
     * Add a backup of everything that was synced to a folder, as
     * stet_backup_create says. `opts` is filled in. Beside all other calls, but
     * for close. Nullable: there are no files.
     */
    stet_status (*backup)(stet_log *log, const char *folder,
                          const stet_backup_opts *opts, stet_backup *out,
                          stet_error *err);

    /*
     * Have settling ask `retention`, which is borrowed until this is called
     * again; NULL: nothing goes, and what was begun is given up. As a piece of
     * settling with STET_SETTLE_TURN; so is retain_all.
     * Nullable, as the two below: nothing ever goes.
     */
    void (*retain)(stet_log *log, const stet_retention *retention);

    /*
     * Tell of all forks below `below`, in any order, until `fn` fails, whose
     * status is the answer. STET_E_CORRUPT, STET_E_IO, STET_E_NOMEM.
     */
    stet_status (*forks)(stet_log *log, uint64_t below, stet_fork_fn fn,
                         void *ctx, stet_error *err);

    /*
     * Begin a pass of `settle` that also takes sets in hand of which something
     * may go, the newest first of those that begin below `below`.
     */
    void (*retain_all)(stet_log *log, uint64_t below);
} stet_log_ops;

/* Embedded first in a driver's own struct. */
struct stet_log {
    const stet_log_ops *ops;
};

/* What a driver is opened with. All borrowed for the log's life. */
typedef struct stet_log_config {
    struct stet_os *os;
    const stet_allocator *alloc;
    const stet_opts *opts; /* defaults filled in */
    stet_log_fn talk;      /* never NULL */
    void *talk_ctx;
} stet_log_config;

/* A driver: a URL scheme and how to open it; `path` follows "scheme:". */
typedef struct stet_driver {
    const char *scheme;
    stet_status (*open)(const char *path, const stet_log_config *config,
                        stet_log **out, stet_log_start *out_start,
                        stet_error *err);
    /* stet_salvage between two paths of this scheme; NULL: it has none. */
    stet_status (*salvage)(const char *from, const char *to,
                           const stet_log_config *config,
                           const stet_salvage_opts *opts,
                           stet_salvage_report *report, stet_error *err);
} stet_driver;

#ifdef __cplusplus
}
#endif

#endif
