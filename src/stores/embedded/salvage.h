/*
 * Salvage: a new store with what can be told of a damaged one.
 *
 *   wreck.h          what the files still hold
 *   salvage_plan.h   what the new store has at each position
 *   salvage.c        its frames, written by the log's own way
 *
 * The new store is an ordinary one, with the old positions, seqs and stamps.
 */
#ifndef STET_STORES_EMBEDDED_SALVAGE_H
#define STET_STORES_EMBEDDED_SALVAGE_H

#include <stet/sys/store.h>

/* stet_driver.salvage */
stet_status stet__embedded_salvage(const char *from, const char *to,
                                   const stet_log_config *config,
                                   const stet_salvage_opts *opts,
                                   stet_salvage_report *report,
                                   stet_error *err);

#endif
