/*
 * Backup target: the folder that a store is restored into.
 *
 * From the first to the last step it holds a file RESTORING, so that nobody
 * opens what is half a store; its text says where the store comes from. The end
 * is that the file becomes RESTORED. What an interrupted restore left is known
 * by RESTORING, and cleared away.
 */
#ifndef STET_STORES_EMBEDDED_BACKUP_TARGET_H
#define STET_STORES_EMBEDDED_BACKUP_TARGET_H

#include <stet/status.h>

#include "base/buf.h"
#include "os/os.h"

typedef struct stet_backup_target {
    stet_os *os;
    const stet_allocator *alloc;
    const char *path; /* borrowed */
    int dir;          /* -1: not open */
    int marker;       /* RESTORING, locked; -1: not open */
} stet_backup_target;

/*
 * Open the folder, made if need be, mark it, and leave nothing else in it.
 * STET_E_EXISTS: it is not empty; STET_E_LOCKED: another process restores into
 * it. Close follows in any case.
 */
stet_status stet__backup_target_open(stet_backup_target *t, const char *path,
                                     const char *origin, stet_error *err);
void stet__backup_target_init(stet_backup_target *t, stet_os *os,
                              const stet_allocator *alloc);
/* The store is there, all of it synced: now it may be opened. */
stet_status stet__backup_target_commit(stet_backup_target *t, stet_error *err);
void stet__backup_target_close(stet_backup_target *t);

#endif
