/*
 * Backup: copies of a store's files in a folder of their own, from which the
 * store can be made again. docs/FORMAT.md, section "Backup".
 *
 *   LOCK        held by who adds or removes backups; its text is the pid
 *   B.backup    manifest of backup B: from its name on that one is there
 *   B-N.seg     the store's file N as backup B copied it, never changed; later
 *   B-N.set     backups that need the same file name this copy
 *   tmp-N       a file being made
 *
 * A backup is the store at a position that was durable, P. Its files are sets,
 * sealed segments, and the rest of the segments up to P: all of them immutable,
 * so that the copies of different times fit together, and a file that an
 * earlier backup has is not copied again. Copying reads descriptors that are
 * open, those of the table that was lent: a writer goes on, and what settling
 * removes meanwhile is still there.
 *
 *   create   copy -> sync -> name, each file; sync the folder; manifest -> sync
 *            -> name; sync the folder
 *   restore  RESTORING, synced; copy -> sync; sync the folder; `super`; the
 *            records that come from a part of a file; RESTORING becomes
 *            RESTORED: from then on it is a store
 *
 * Where create stops before the manifest has its name, nothing counts; the next
 * one takes the copies up. A restored store gets a uuid of its own: two that go
 * on from the same past never pass for one.
 *
 * Who reads a backup holds its manifest with a shared lock; who removes one
 * takes an exclusive lock first.
 */
#ifndef STET_STORES_EMBEDDED_BACKUP_H
#define STET_STORES_EMBEDDED_BACKUP_H

#include <stet/backup.h>
#include <stet/sys/store.h>

#include "os/os.h"
#include "stores/embedded/backup_manifest.h"

/* backup_folder.c */

/* A copy's name, taken apart. */
typedef struct stet_backup_copy {
    uint32_t backup;
    uint32_t file;
    bool is_set;
} stet_backup_copy;

/* A folder of backups, open, and what was in it then. */
typedef struct stet_backup_folder {
    stet_os *os;
    const stet_allocator *alloc;
    const char *path; /* borrowed */
    int dir;          /* -1: not open */
    int lock;         /* -1: for reading */

    stet_buf numbers;     /* uint32_t each, rising: of the manifests */
    stet_buf copies;      /* stet_backup_copy each */
    stet_buf temporaries; /* uint32_t each */
} stet_backup_folder;

/* Backups in the folder, and the number of one of them. */
static inline size_t stet__backup_count(const stet_backup_folder *f)
{
    return f->numbers.len / sizeof(uint32_t);
}

static inline uint32_t stet__backup_number(const stet_backup_folder *f,
                                           size_t idx)
{
    return ((const uint32_t *)(const void *)f->numbers.ptr)[idx];
}

/* What a folder of backups is opened for. */
typedef enum stet_backup_use {
    STET_BACKUP_READ = 1,
    STET_BACKUP_ADD = 2, /* makes the folder, if there is none */
    STET_BACKUP_REMOVE = 3,
} stet_backup_use;

/*
 * Open a folder and list it. `path` is borrowed. Deinit follows in any case.
 * STET_E_NOT_FOUND: there is none; STET_E_EXISTS: backups are to be added to
 * what is a store (else that is STET_E_NOT_FOUND, too);
 * STET_E_LOCKED: another process adds or removes, and this one is to.
 */
stet_status stet__backup_folder_open(stet_backup_folder *f, const char *path,
                                     stet_backup_use use, stet_error *err);
void stet__backup_folder_init(stet_backup_folder *f, stet_os *os,
                              const stet_allocator *alloc);
void stet__backup_folder_deinit(stet_backup_folder *f);
/* Make the names in it durable. */
stet_status stet__backup_sync(const stet_backup_folder *f, stet_error *err);

void stet__backup_name(uint32_t number, char out[STET_OS_NAME_MAX]);
void stet__backup_copy_name(const stet_backup_copy *c,
                            char out[STET_OS_NAME_MAX]);
static inline stet_backup_copy stet__backup_copy_of(const stet_backup_file *f)
{
    return (stet_backup_copy){f->copied_by, f->number, f->is_set};
}

/*
 * Read the manifest of a backup, which has a manifest in the listing. With
 * `out_held` (nullable) its file stays open under a shared lock, the caller's
 * to close. STET_E_CORRUPT names file and offset; STET_E_NOT_FOUND.
 */
stet_status stet__backup_load(const stet_backup_folder *f, uint32_t number,
                              stet_manifest *out, int *out_held,
                              stet_error *err);

/* Open a copy for reading and compare its size. STET_E_CORRUPT. */
stet_status stet__backup_open_copy(const stet_backup_folder *f,
                                   const stet_backup_file *file, int *out_fd,
                                   stet_error *err);
/* A chunk of a copy that is open. */
typedef struct stet_backup_chunk {
    const stet_backup_file *file;
    int fd;
    uint64_t idx;
} stet_backup_chunk;

/* Less at the file's end. */
static inline size_t stet__backup_chunk_bytes(const stet_backup_file *f,
                                              uint64_t idx)
{
    uint64_t left = f->bytes - idx * STET_BACKUP_CHUNK_BYTES;
    return left < STET_BACKUP_CHUNK_BYTES ? (size_t)left
                                          : STET_BACKUP_CHUNK_BYTES;
}

/*
 * Read a chunk into room for one and compare its sum. STET_E_CORRUPT names file
 * and offset.
 */
stet_status stet__backup_read_chunk(const stet_backup_folder *f,
                                    const stet_manifest *m,
                                    const stet_backup_chunk *chunk,
                                    uint8_t *out, stet_error *err);

/* How far long work is, and whom to tell. */
typedef struct stet_backup_pace {
    stet_progress_fn progress; /* nullable */
    void *ctx;
    uint64_t done_bytes;
    uint64_t total_bytes;
} stet_backup_pace;

/* So many bytes more are done. STET_E_PARTIAL: it is to stop. */
stet_status stet__backup_go_on(stet_backup_pace *pace, size_t bytes,
                               stet_error *err);

/* Does a backup need this copy? */
bool stet__manifest_has(const stet_manifest *m, const stet_backup_copy *copy);
/* What users hear of a backup. */
stet_backup stet__backup_of(const stet_manifest *m);

/* backup_create.c: a log's `backup` */

stet_status stet__backup_create(stet_log *log, const char *folder,
                                const stet_backup_opts *opts, stet_backup *out,
                                stet_error *err);

/* backup_prune.c */

/* As stet_backup_prune says. */
stet_status stet__backup_prune(stet_backup_folder *f, const char *path,
                               uint32_t keep, stet_pruned *out,
                               stet_error *err);

#endif
