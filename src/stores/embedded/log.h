/*
 * The embedded log: one directory, described in docs/FORMAT.md.
 *
 *   LOCK     the writer's; its text is the writer's pid
 *   super    two slots: what is known durable, live file, spares, clean end
 *   N.seg    segments and spares; N rises and is never reused
 *   N.set    sets: what segments were settled into
 *   N.idx    merged indexes over sets, which could be made anew
 *   tmp-N    a set being made, or a spare, where the file system has no unnamed
 *            files
 *
 * A segment's life, and who moves it on:
 *
 *              make_room            frame_open        seal.c
 *   (nothing) -----------> spare[1] ----------> live ----------> sealed
 *              spare.c     spare[0]    turn      |  successor's first frame
 *                          next                  v  durable, or close
 *                                             unsealed
 *
 * Sealed segments are settled into sets, see settle.h.
 *
 * Invariants, as CORE.md numbers them, and our own
 *  (2) acknowledged at level disk => position < watermark => synced.
 *  (4) frame.durable <= its first position.
 *  (5) no sector that holds acknowledged bytes is written again.
 *  (L1) Room is lent only while a spare that `super` names and that is at least
 *       as large as the live segment remains behind it: what recovery copies
 *       has a place, also on a full disk.
 *  (L2) `super` names every file that holds acknowledged frames, or a later
 *       file's header reaches it: so a missing file is noticed.
 *  (L3) A file that either slot of `super` names is not removed.
 *  (L4) After a failed sync, or a failed write over what is there, nothing is
 *       written any more; a new file that cannot be made is given up.
 *  (L5) A copy takes no frame before both slots of `super` name it: until then
 *       it is a spare.
 *
 * Locks: `files` guards what its members say, for pointer swaps only.
 * make_room, step, sync, reindex and close are one caller's at a time, "the
 * worker's"; members so marked need no lock. Settling is one caller's at a
 * time, too, "the settler's", who may be at it beside the worker, and is the
 * worker as well where he touches what is the worker's.
 */
#ifndef STET_STORES_EMBEDDED_LOG_H
#define STET_STORES_EMBEDDED_LOG_H

#include <stdatomic.h>

#include <stet/sys/store.h>

#include "base/buf.h"
#include "os/mutex.h"
#include "stores/embedded/files.h"
#include "stores/embedded/slots.h"

enum {
    /* The first segment after an open; the ones after it double. */
    STET_FIRST_SEGMENT_BYTES = 1024 * 1024,
    /*
     * A closed segment up to this is copied into the next one, and in recovery
     * whole; a quarter of what segments may have, where that is less.
     */
    STET_SMALL_SEGMENT_BYTES = 256 * 1024,
    /* Segments with an image, the live one included; a turn waits for less. */
    STET_UNSEALED_MAX = 3,
    STET_DOOMED_MAX = 64,
    /* Settled segments that are kept to become spares. */
    STET_IDLE_MAX = 2,
};

/* A prewritten file that is to become a segment. */
typedef struct stet_spare {
    uint32_t file; /* 0: none */
    uint64_t bytes;
    bool is_named; /* in the newest `super` */
    bool is_fresh; /* zeros on the media too; else rewrite before use */
} stet_spare;

/* Since when nothing was published. */
typedef struct stet_lull {
    uint64_t watermark; /* as it was all that time */
    int64_t since;      /* monotonic */
} stet_lull;

/* A file that is to go. */
typedef struct stet_doomed {
    uint32_t file;
    stet_name_kind kind;
} stet_doomed;

typedef struct stet_embedded {
    stet_log log; /* first */
    stet_os *os;
    const stet_allocator *alloc;
    stet_log_fn talk;
    void *talk_ctx;

    /* Fixed once open. */
    struct stet_backup_view *view; /* of a backup: owns the os; or NULL */
    int dir;
    int lock; /* -1 when read-only */
    uint8_t uuid[16];
    stet_level level;
    bool is_readonly;
    bool is_restoring; /* by whoever holds RESTORING */
    bool is_direct;
    uint64_t segment_bytes;
    uint64_t torn_bytes;

    stet_mutex files;
    stet_files *table;    /* under files */
    stet_segment *live;   /* under files; in the table too; NULL: none yet */
    stet_segment *next;   /* under files; spare[0], ready to turn to */
    stet_spare spares[2]; /* under files; written by the worker or a turn */
    bool is_making;       /* under files: the worker is at these; no turn */
    bool is_copying;      /* under files: super names no live one; no room */
    uint32_t last_file;   /* under files: what the next header is to name */
    uint64_t last_end;    /* as its predecessor, and that one's end */

    stet_unpacked unpacked; /* shared by the sets' readers */

    _Atomic uint64_t watermark;
    _Atomic uint64_t synced;
    _Atomic bool is_poisoned;
    stet_idle_image idle_image;
    _Atomic uint32_t write_turn; /* futex: without O_DIRECT one at a time */

    /* The worker's. */
    stet_slots slots;
    bool is_touched;     /* this open wrote `super` */
    uint32_t file_max;   /* highest number ever seen */
    uint32_t made;       /* segments this open has made ready */
    stet_segment *small; /* in the table: to be copied first; NULL: none */
    stet_doomed doomed[STET_DOOMED_MAX]; /* to be removed when not named */
    uint32_t doomed_count;
    stet_segment *idle[STET_IDLE_MAX]; /* a reference each; none is named */
    uint32_t idle_count;
    uint32_t settle_segments; /* that make a set; 0: nothing is settled */
    uint32_t index_sets;      /* that one merged index is made of */
    stet_lull lull;           /* before the mark is written */

    /* The settler's. */
    struct stet_settling *settling;  /* under way; NULL: nothing is */
    struct stet_indexing *indexing;  /* likewise; never both */
    stet_lull settle_lull;           /* before anything is settled */
    int64_t settle_due;              /* monotonic: not before that */
    uint32_t unreadable;             /* a file not to settle; 0: none */
    int64_t unreadable_due;          /* monotonic: until then */
    _Atomic bool is_settling_stuck;  /* nothing can be done just now */
    _Atomic uint64_t settle_pace;    /* records merged out of segments */
    _Atomic uint64_t settle_wanted;  /* `settle_pace` that writers wait for */
    const stet_retention *retention; /* NULL: nothing goes */
    bool is_settling_awaited;        /* by who wants all to be settled */
    bool is_retention_off;           /* a state could not be folded */
    bool is_next_plain;              /* a pin came to the last settle */
    uint64_t retain_below;           /* sets a pass has yet to look at; 0: no */
    bool is_retain_due;              /* the newest of them has work */
    uint32_t retain_tries;           /* of it */
} stet_embedded;

static inline stet_embedded *stet__embedded_of(stet_log *log)
{
    return (stet_embedded *)log;
}

/* After this every write answers STET_E_READONLY. Keeps (L4). */
void stet__embedded_poison(stet_embedded *e);
bool stet__embedded_is_poisoned(const stet_embedded *e);
/*
 * Answer how the worker's work ended; poison where it failed for good: that
 * there is no space or memory only stands in its way.
 */
stet_status stet__embedded_after_work(stet_embedded *e, stet_status st);
/* STET_E_READONLY when nothing may be written, and why. */
stet_status stet__embedded_refuse(const stet_embedded *e, stet_error *err);

/* Everything below it is durable at level disk. */
uint64_t stet__embedded_synced(const stet_embedded *e);
uint64_t stet__embedded_watermark(const stet_embedded *e);

/* Say a line through the handle's log callback. */
void stet__embedded_talk(const stet_embedded *e, stet_log_level level,
                         const char *format, ...) STET_PRINTF(3, 4);

/* Lend the file table until stet__embedded_unlend. */
stet_files *stet__embedded_lend(stet_embedded *e);
void stet__embedded_unlend(stet_embedded *e, stet_files *table);
/* Put `new` (one more reference is taken; NULL: nothing) where `old` is. */
stet_status stet__embedded_replace(stet_embedded *e, const stet_segment *old,
                                   stet_segment *new, stet_error *err);
/* The same for `count` neighbours, all of which are in the table. */
stet_status stet__embedded_replace_many(stet_embedded *e,
                                        stet_segment *const *old,
                                        uint32_t count, stet_segment *new,
                                        stet_error *err);
/* Put a merged index (NULL: nothing) where `count` of them are. */
stet_status stet__embedded_show_index(stet_embedded *e,
                                      stet_segment *const *old, uint32_t count,
                                      stet_segment *index, stet_error *err);
/* Have room in the table for one segment more. */
stet_status stet__embedded_reserve(stet_embedded *e, stet_error *err);

/*
 * Write `super` with what is so now: live file, spares, mark; the clean end
 * stays what it was while its file is the live one. Poisons when it fails.
 */
stet_status stet__embedded_write_super(stet_embedded *e, stet_error *err);

/* The same with given content; `spares` learn what it names. */
stet_status stet__embedded_put_super(stet_embedded *e, stet_super *super,
                                     stet_error *err);

/* Draw the number of a new file. STET_E_NOSPACE: none is left. */
stet_status stet__embedded_take_number(stet_embedded *e, uint32_t *out,
                                       stet_error *err);

/*
 * Give a file of the folder another name, durably. Poisons when it fails, for
 * who knows what the folder holds then; but not for want of space.
 */
stet_status stet__embedded_rename(stet_embedded *e, const char *from,
                                  const char *to, stet_error *err);
/*
 * Before a file goes for which `super` must not stand: unless this open wrote
 * `super`, what was read of it may be in the page cache only, and on the media
 * what it said before. Poisons when it fails. Keeps (L3).
 */
stet_status stet__embedded_confirm_super(stet_embedded *e, stet_error *err);

/* Note a file for removal; one too many is left to the next open. */
void stet__embedded_doom(stet_embedded *e, uint32_t file, stet_name_kind kind);
/* Remove the doomed files that no slot names. Keeps (L3). */
stet_status stet__embedded_remove_doomed(stet_embedded *e, stet_error *err);

/* open.c */

/* The driver's open, for the restore that makes the store. */
stet_status stet__embedded_open_restored(const char *path,
                                         const stet_log_config *config,
                                         stet_log **out,
                                         stet_log_start *out_start,
                                         stet_error *err);

/* spare.c */

/* Capacity of the nth segment (from 0) of this open: 1, 1, 2, 4 ... MiB. */
uint64_t stet__spare_capacity(const stet_embedded *e, uint32_t nth);
/*
 * Make a spare of `bytes`; synced, under its final name, not yet in `super`: of
 * an idle segment, if one is free, else of a new file.
 */
stet_status stet__spare_make(stet_embedded *e, uint64_t bytes, stet_spare *out,
                             stet_error *err);
/* A segment was settled: keep its file for a spare, or doom it. */
void stet__spare_offer(stet_embedded *e, stet_segment *s);
/* Doom the files that are kept. */
void stet__spare_give_up(stet_embedded *e);
/* Write an inherited spare anew: page cache and media may differ under it. */
stet_status stet__spare_rewrite(stet_embedded *e, stet_spare *spare,
                                stet_error *err);
/* Open the spare as a segment to be written, with an image of `capacity`. */
stet_status stet__spare_open(stet_embedded *e, const stet_spare *spare,
                             uint64_t capacity, stet_segment **out,
                             stet_error *err);

/* seal.c */

/*
 * Write the index of an ended segment behind its frames and swap the table's
 * entry for a sealed one. STET_E_NOSPACE leaves it as it was.
 */
stet_status stet__seal_segment(stet_embedded *e, stet_segment *segment,
                               stet_error *err);
/*
 * Before an index that ends at `bytes` is written again: a trailer that is not
 * at the file's end is none, so a crash on the way finds an unsealed segment.
 */
stet_status stet__seal_undo(stet_embedded *e, const stet_segment_header *h,
                            uint64_t bytes, stet_error *err);
/* Cut a file to `bytes`, or extend it with zeros; synced. */
stet_status stet__segment_resize(stet_embedded *e, uint32_t file,
                                 uint64_t bytes, stet_error *err);
/* Seal the oldest segment whose successor is durable; `*out_did`: there was. */
stet_status stet__seal_oldest(stet_embedded *e, bool *out_did, stet_error *err);

/* copy.c */

/* Is a segment that ends at the offset `end` to be copied as a whole? */
bool stet__copy_is_small(const stet_embedded *e, uint64_t end);

/* Frames that are to leave their segment for one that this open writes. */
typedef struct stet_copy {
    stet_segment *source; /* in the table */
    uint64_t from;        /* offsets of its frames */
    uint64_t to;
    uint64_t position; /* of the first one */
    uint64_t end_position;
    uint32_t predecessor; /* what the copy's header names */
    uint64_t predecessor_end;
    uint64_t capacity; /* of the copy; spares[0] has it */
} stet_copy;

/*
 * Copy frames into spares[0], which becomes the live segment, and have both
 * slots of `super` name it: that is the commit. A source that is copied whole
 * leaves the table and, with the next removal, the folder.
 *
 * STET_E_CORRUPT: a frame of the source is not sound; nothing happened, as
 * where the source cannot be read. After a failed write the log is poisoned.
 */
stet_status stet__copy_frames(stet_embedded *e, const stet_copy *copy,
                              stet_error *err);

/* room.c */

stet_status stet__room_frame_open(stet_log *log, size_t need,
                                  uint64_t first_position, stet_frame *out,
                                  stet_error *err);
void stet__room_frame_close(stet_log *log, stet_frame *frame, size_t used,
                            uint32_t events);
/* stet_log_ops.is_pressed */
bool stet__room_is_pressed(stet_log *log, size_t need);
stet_status stet__room_make(stet_log *log, size_t need, stet_error *err);
/* Have a second spare before the live segment is full. */
stet_status stet__room_ahead(stet_embedded *e, bool *out_did, stet_error *err);

/* write.c */

stet_status stet__write_frame_seal(stet_log *log, stet_frame *frame,
                                   uint64_t durable, stet_error *err);
stet_status stet__write_frame(stet_log *log, stet_frame *frame,
                              stet_error *err);
void stet__write_published(stet_log *log, uint64_t watermark, uint64_t synced);
stet_status stet__write_sync(stet_log *log, stet_error *err);
/* At level os: make what is published durable at level disk. */
stet_status stet__write_sync_published(stet_embedded *e, stet_error *err);

/* keeper.c */

/*
 * Was nothing published for `delay_ns`? Else `*out_due` becomes the time to
 * look again.
 */
bool stet__embedded_is_idle(const stet_embedded *e, stet_lull *lull,
                            int64_t delay_ns, int64_t *out_due);

stet_status stet__keeper_step(stet_log *log, bool *out_more, int64_t *out_due,
                              stet_error *err);

/* close.c */

stet_status stet__embedded_close(stet_log *log, bool is_clean, stet_error *err);
/* Free everything, writing nothing. */
void stet__embedded_destroy(stet_embedded *e);

/* read.c */

stet_status stet__read_seek(stet_log *log, stet_machine_key key,
                            stet_bound bound, uint64_t below, stet_point *out,
                            stet_error *err);
stet_status stet__read_find_key(stet_log *log, const uint8_t key[16],
                                uint64_t below, uint64_t *out_position,
                                stet_error *err);
stet_status stet__read_at_recorded(stet_log *log, int64_t time, uint64_t below,
                                   uint64_t *out_position, stet_error *err);

/* reader.c */

stet_log_reader *stet__log_reader_create(stet_log *log);
stet_status stet__log_reader_read(stet_log_reader *r, uint64_t position,
                                  stet_logged *out, stet_error *err);
void stet__log_reader_rest(stet_log_reader *r);
void stet__log_reader_destroy(stet_log_reader *r);

/* forks.c */

stet_status stet__embedded_forks(stet_log *log, uint64_t below, stet_fork_fn fn,
                                 void *ctx, stet_error *err);

/* walk.c */

stet_status stet__walk_open(stet_log *log, uint64_t below,
                            stet_log_cursor **out, stet_error *err);
stet_status stet__walk_next(stet_log_cursor *walk, stet_logged *out,
                            stet_error *err);
void stet__walk_close(stet_log_cursor *walk);

/* listing.c */

stet_status stet__listing_open(stet_log *log, const stet_heads_range *range,
                               stet_log_cursor **out, stet_error *err);
stet_status stet__listing_next(stet_log_cursor *cursor, stet_head_entry *out,
                               stet_error *err);
void stet__listing_close(stet_log_cursor *cursor);

/* chained.c */

stet_status stet__chained_open(stet_log *log, stet_machine_key key,
                               stet_chain_end *out_end, stet_log_cursor **out,
                               stet_error *err);
stet_status stet__chained_next(stet_log_cursor *chain, stet_chained *out,
                               stet_error *err);
void stet__chained_close(stet_log_cursor *chain);

/* info.c */

stet_status stet__embedded_info(stet_log *log, stet_info *out, stet_error *err);

/* verify.c */

stet_status stet__embedded_verify(stet_log *log, stet_progress_fn progress,
                                  void *ctx, stet_verify_report *report,
                                  stet_error *err);
stet_status stet__embedded_reindex(stet_log *log, uint64_t *out_rebuilt,
                                   stet_error *err);

#endif
