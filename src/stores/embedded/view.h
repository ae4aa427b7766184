/*
 * View: one state of the table, as searches see it.
 */
#ifndef STET_STORES_EMBEDDED_VIEW_H
#define STET_STORES_EMBEDDED_VIEW_H

#include "core/lineage.h"
#include "stores/embedded/sealed.h"

typedef struct stet_view_ctx {
    const stet_files *table;
    stet_sealed_reader *reader;
} stet_view_ctx;

/* Make a view over a table that is lent for its life. */
void stet__view_init(stet_lineage_view *view, stet_view_ctx *ctx,
                     const stet_files *table, stet_sealed_reader *reader);

/*
 * Read the record at a position of a segment, which holds it or is the newest;
 * lent until r's next use, or until the segment goes.
 */
stet_status stet__segment_logged(const stet_segment *s, uint64_t position,
                                 stet_sealed_reader *r, stet_logged *out,
                                 stet_error *err);

/* The same over a table. */
stet_status stet__view_read(const stet_files *table, uint64_t position,
                            stet_sealed_reader *r, stet_logged *out,
                            stet_error *err);

#endif
