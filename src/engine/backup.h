/*
 * Backups on another environment than the real one: see stet/backup.h. The
 * allocator is given.
 */
#ifndef STET_ENGINE_BACKUP_H
#define STET_ENGINE_BACKUP_H

#include <stet/backup.h>

#include "os/os.h"

stet_status stet__backups_open_on(stet_os *os, const char *folder,
                                  const stet_allocator *alloc,
                                  stet_backups **out, stet_error *err);
stet_status stet__backup_verify_on(stet_os *os, const char *folder,
                                   const stet_restore_opts *opts,
                                   stet_verify_report *report, stet_error *err);
stet_status stet__backup_restore_on(stet_os *os, const char *folder,
                                    const char *to,
                                    const stet_restore_opts *opts,
                                    stet_restored *out, stet_error *err);

stet_status stet__backup_prune_on(stet_os *os, const char *folder,
                                  uint32_t keep, const stet_allocator *alloc,
                                  stet_pruned *out, stet_error *err);

#endif
