/*
 * Indexing: settling, once all is settled, makes merged indexes (merged.h) of
 * the sets, oldest first, and of so many such indexes one of the next level.
 *
 *   choose -> runs by key -> keys by hash -> sync -> read back -> name, sync
 *          the folder -> show it -> remove the indexes it was made of
 *
 * Thread: the settler's; the worker's where a step says so.
 */
#ifndef STET_STORES_EMBEDDED_INDEXING_H
#define STET_STORES_EMBEDDED_INDEXING_H

#include "stores/embedded/log.h"

/*
 * Begin if there is something to do with what begins below a position; the
 * worker's. e->indexing tells.
 */
stet_status stet__indexing_begin(stet_embedded *e, const stet_files *table,
                                 uint64_t below, stet_error *err);
/* Is the index whole, so that what is left is its name? */
bool stet__indexing_is_whole(const stet_embedded *e);
/* Do one piece of what is before the name. */
stet_status stet__indexing_go_on(stet_embedded *e, stet_error *err);
/* Name the index and show it; the worker's. */
stet_status stet__indexing_install(stet_embedded *e, stet_error *err);
/* Give up what is under way; accepts that nothing is. */
void stet__indexing_drop(stet_embedded *e);

/* Take an unsound index out of the table, and doom it; the worker's. */
stet_status stet__indexing_remove(stet_embedded *e, stet_segment *index,
                                  stet_error *err);

#endif
