/*
 * Backups: copies of a store in a folder of their own, taken while it is in
 * use, from which it can be made again as it was at any position or time.
 *
 * A *backup folder* holds the backups of one store, numbered 1, 2, 3 …. They
 * share files: one that an earlier backup has is not copied again. It may lie
 * on another file system, and be copied away by any tool at any time: a backup
 * is there once its manifest is. Folders are given as plain paths.
 *
 * A backup can be read without restoring it: stet_open("backup:FOLDER") opens
 * the newest one, "backup:FOLDER#3" number 3, as a read-only store.
 */
#ifndef STET_BACKUP_H
#define STET_BACKUP_H

#include <stet/read.h>

#ifdef __cplusplus
extern "C" {
#endif

/* One backup; plain data, which grows at its end. */
typedef struct stet_backup {
    size_t struct_size;
    uint32_t number;
    uint32_t previous;   /* the one before, which it shares files with; or 0 */
    uint64_t position;   /* the newest event in it; 0: none */
    int64_t recorded_at; /* of that event; 0: there is none */
    int64_t created_at;  /* when the store was as it is in the backup */
    uint64_t bytes;      /* of its files */
    uint64_t new_bytes;  /* of those that it was the first to need */
    uint32_t files;
    uint32_t new_files;
    char store_uuid[40];
    bool is_damaged; /* the manifest cannot be read: only `number` counts */
} stet_backup;

typedef enum stet_backup_flags {
    STET_BACKUP_FULL = 1 << 0 /* copy every file, also those it has */
} stet_backup_flags;

/* Options of stet_backup_create. */
typedef struct stet_backup_opts {
    size_t struct_size; /* sizeof(stet_backup_opts); 0 is taken as that */
    uint32_t flags;     /* stet_backup_flags */
    stet_progress_fn progress; /* of bytes to be copied; nullable */
    void *ctx;
} stet_backup_opts;

/*
 * Add a backup of the store as it is now, into a folder that is made if need
 * be.
 *
 * All that the handle shows when the call begins is in it: of the writer's,
 * everything acknowledged. Writers, readers and the background work go on.
 * `out` (nullable) takes what was made. Where it fails or is stopped there is
 * no new backup; the next call goes on with what was copied. `opts` is
 * nullable.
 *
 *   STET_E_PARTIAL      `progress` stopped it
 *   STET_E_EXISTS       the folder is a store, or holds another one's backups
 *   STET_E_LOCKED       another process adds or removes backups there
 *   STET_E_CORRUPT      a file of the store ends too early; or the manifest of
 *                       the newest backup is damaged: see STET_BACKUP_FULL,
 *                       which does not need it
 *   STET_E_UNSUPPORTED  this kind of store has no files; or it is a backup,
 *                       whose folder any tool can copy
 *   STET_E_NOSPACE, STET_E_READONLY, STET_E_IO, STET_E_NOMEM
 *
 * At level os it makes everything written so far durable first: as stet_sync.
 * Blocks on storage. Thread-safe. Since 0.1.
 */
STET_API STET_NODISCARD stet_status
stet_backup_create(stet *s, const char *folder, const stet_backup_opts *opts,
                   stet_backup *out, stet_error *err);

/* Backups of a folder by rising number. One thread at a time. */
typedef struct stet_backups stet_backups;

/*
 * List the backups of a folder.
 *
 * `*out` is owned by the caller until stet_backups_close. `alloc` (nullable) is
 * borrowed until then. STET_E_NOT_FOUND: there is no such folder, or it is a
 * store; STET_E_IO, STET_E_NOMEM. Blocks on storage. Thread-safe. Since 0.1.
 */
STET_API STET_NODISCARD stet_status
stet_backups_open(const char *folder, const stet_allocator *alloc,
                  stet_backups **out, stet_error *err);

/*
 * Take the next backup, lent until the next call; STET_DONE at the end.
 *
 * One whose manifest is damaged, or of a newer format, is told as `is_damaged`.
 * STET_E_IO, STET_E_NOMEM. Blocks on storage. Thread: one at a time per
 * listing. Since 0.1.
 */
STET_API STET_NODISCARD stet_status
stet_backups_next(stet_backups *list, const stet_backup **out, stet_error *err);

/*
 * End a listing. Accepts NULL.
 *
 * Thread: one at a time per listing. Since 0.1.
 */
STET_API void stet_backups_close(stet_backups *list);

/* Options of stet_backup_verify and stet_backup_restore. */
typedef struct stet_restore_opts {
    size_t struct_size; /* sizeof(stet_restore_opts); 0 is taken as that */
    uint32_t number;    /* of the backup; 0: see the call */
    /*
     * Of a restore: the newest, a position, or a recorded time. Else
     * STET_E_INVALID.
     */
    stet_at at;
    stet_progress_fn progress; /* of bytes, then as stet_verify; nullable */
    void *ctx;
    /*
     * The allocator, reducers and cache for reading the backup, and the size of
     * new segments; mode, level and flags do not count. Nullable: defaults.
     */
    const stet_opts *store;
} stet_restore_opts;

/*
 * Read a whole backup: the checksum of every file, then everything that
 * stet_verify reads, as if it were restored.
 *
 * Of `opts` (nullable) `at` does not count; `number` 0 is the newest. `report`
 * (nullable) is filled as far as it got.
 *
 *   STET_E_NOT_FOUND  there is no such folder or backup
 *   STET_E_PARTIAL    `progress` stopped it; nothing wrong so far
 *   STET_E_CORRUPT    names the first damage by file and offset
 *   STET_E_FORMAT, STET_E_IO, STET_E_NOMEM
 *
 * Blocks on storage. Thread-safe. Since 0.1.
 */
STET_API STET_NODISCARD stet_status
stet_backup_verify(const char *folder, const stet_restore_opts *opts,
                   stet_verify_report *report, stet_error *err);

/* What stet_backup_restore made; plain data, which grows at its end. */
typedef struct stet_restored {
    size_t struct_size;  /* sizeof(stet_restored); 0 is taken as that */
    uint32_t number;     /* of the backup it was made from */
    uint64_t position;   /* the newest event in it; 0: none */
    int64_t recorded_at; /* of that event; 0: there is none */
    uint64_t bytes;      /* copied */
    char uuid[40];       /* of the new store */
} stet_restored;

/*
 * Make a store in the folder `to` as a backup has it, or as it was at an
 * earlier point.
 *
 * `to` is made if need be, and must be empty, or hold what an interrupted
 * restore left. The new store has a uuid of its own; a file RESTORED in it says
 * where it comes from. Until the last step it cannot be opened. Every byte that
 * is copied is compared with its checksum.
 *
 * `opts` is nullable. `number` 0 is the newest backup, and with a point the
 * oldest one that reaches it. At a position the store ends with the last event
 * at or before it whose batch ends there too: batches stay whole. A time is one
 * of the store's own clock. `out` (nullable) takes what was made.
 *
 *   STET_E_NOT_FOUND  no such folder or backup; none reaches the point; or
 *                     nothing is in it by then
 *   STET_E_GONE, STET_E_ERASED  the backup was made after the state that some
 *                     machine had at the point was dropped or erased; one made
 *                     before may have it
 *   STET_E_EXISTS     `to` is not empty
 *   STET_E_PARTIAL    `progress` stopped it; restore again
 *   STET_E_CORRUPT    the backup is damaged: the text names file and offset
 *   STET_E_INVALID    the point is of another kind
 *   STET_E_LOCKED     another process restores into `to`
 *   STET_E_FORMAT, STET_E_NOSPACE, STET_E_READONLY, STET_E_IO, STET_E_NOMEM
 *
 * Blocks on storage. Thread-safe. Since 0.1.
 */
STET_API STET_NODISCARD stet_status
stet_backup_restore(const char *folder, const char *to,
                    const stet_restore_opts *opts, stet_restored *out,
                    stet_error *err);

/* What stet_backup_prune removed. */
typedef struct stet_pruned {
    size_t struct_size; /* sizeof(stet_pruned); 0 is taken as that */
    uint64_t backups;
    uint64_t files; /* that no other backup needs */
    uint64_t bytes; /* of them */
} stet_pruned;

/*
 * Remove all backups but the newest `keep` ones, and the files that only they
 * need.
 *
 * `keep` is 1 or more. `alloc` and `out` are nullable. Where it is interrupted
 * the backups that are left are whole; the next call removes the rest.
 *
 *   STET_E_NOT_FOUND  there is no such folder
 *   STET_E_LOCKED     another process adds or removes backups there, or reads
 *                     one that was to go
 *   STET_E_CORRUPT    a manifest that stays is damaged: nobody knows what it
 *                     needs, so nothing was removed
 *   STET_E_INVALID, STET_E_READONLY, STET_E_IO, STET_E_NOMEM
 *
 * Blocks on storage. Thread-safe. Since 0.1.
 */
STET_API STET_NODISCARD stet_status
stet_backup_prune(const char *folder, uint32_t keep,
                  const stet_allocator *alloc, stet_pruned *out,
                  stet_error *err);

#ifdef __cplusplus
}
#endif

#endif
