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

/* stet_log_ops.read over a table. */
stet_status stet__view_read(const stet_files *table, uint64_t position,
                            stet_block *slots, stet_buf *scratch,
                            stet_logged *out, stet_error *err);

#endif
