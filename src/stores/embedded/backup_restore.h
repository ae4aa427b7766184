/*
 * Restoring: a store of its own from a backup's files, as a whole or up to an
 * earlier point. backup.h says in which order.
 */
#ifndef STET_STORES_EMBEDDED_BACKUP_RESTORE_H
#define STET_STORES_EMBEDDED_BACKUP_RESTORE_H

#include "stores/embedded/backup.h"

/*
 * As stet_backup_restore says. `config` lends os, allocator and options, with
 * the defaults filled in; of `opts` all is filled in but `store`.
 */
stet_status stet__backup_restore(const stet_log_config *config,
                                 const char *folder, const char *to,
                                 const stet_restore_opts *opts,
                                 stet_restored *out, stet_error *err);

#endif
