/*
 * Backup view: a backup read in its folder, as the store that it was.
 *
 * URL "backup:FOLDER" (the newest) or "backup:FOLDER#NUMBER", read-only.
 */
#ifndef STET_STORES_EMBEDDED_BACKUP_VIEW_H
#define STET_STORES_EMBEDDED_BACKUP_VIEW_H

#include "core/frame.h"
#include "stores/embedded/backup.h"

typedef struct stet_backup_view stet_backup_view;

extern const stet_driver stet__backup_driver;

/*
 * Open a backup (0: the newest) with os and allocator of `config`; all copies
 * are there and as long as they were. STET_E_NOT_FOUND; STET_E_CORRUPT.
 */
stet_status stet__backup_view_open(const stet_log_config *config,
                                   const char *path, uint32_t number,
                                   stet_backup_view **out, stet_error *err);
/* The same, and open it as a log, which owns the view; `opts` say read-only. */
stet_status stet__backup_view_log(const stet_log_config *config,
                                  const char *path, uint32_t number,
                                  stet_log **out, stet_log_start *out_start,
                                  stet_error *err);
/* Accepts NULL. */
void stet__backup_view_close(stet_backup_view *v);

const stet_manifest *stet__backup_view_manifest(const stet_backup_view *v);
const stet_backup_folder *stet__backup_view_folder(const stet_backup_view *v);

/* Compare all copies with their sums. STET_E_PARTIAL: `progress` said stop. */
stet_status stet__backup_view_check(const stet_backup_view *v,
                                    stet_progress_fn progress, void *ctx,
                                    stet_error *err);

/*
 * `super`, but for its uuid, of a store that has the first `files` of a backup,
 * the last of which ends there.
 */
stet_super stet__backup_super(const stet_manifest *m, uint32_t files,
                              uint64_t end_position, uint64_t end_offset);

#endif
