/*
 * Adopting what recovery found: the table of segments, the spares, and the work
 * that makes the store safe against the next crash before anything is shown.
 */
#ifndef STET_STORES_EMBEDDED_ADOPT_H
#define STET_STORES_EMBEDDED_ADOPT_H

#include "stores/embedded/log.h"
#include "stores/embedded/recover.h"

/*
 * For a writer. Content that may be in the page cache only is copied and named
 * in `super` before it is shown; where that finds neither spare nor space the
 * log is read-only and shows what is known durable.
 */
stet_status stet__adopt_writer(stet_embedded *e, stet_recovery *r,
                               stet_log_start *start, stet_error *err);

/* For a reader: what is known durable, and nothing is written. */
stet_status stet__adopt_reader(stet_embedded *e, stet_recovery *r,
                               stet_log_start *start, stet_error *err);

#endif
