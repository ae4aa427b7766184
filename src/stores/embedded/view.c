#include "stores/embedded/view.h"

#include <inttypes.h>

#include "base/error.h"
#include "core/imageread.h"
#include "stores/embedded/merged.h"
#include "stores/embedded/names.h"

static const void *view_locate(void *ctx, uint64_t position,
                               uint64_t *out_first)
{
    const stet_files *table = ((const stet_view_ctx *)ctx)->table;
    uint32_t idx = stet__files_locate(table, position);
    if (idx == UINT32_MAX) {
        return NULL;
    }
    *out_first = table->items[idx]->header.first_position;
    return table->items[idx];
}

static stet_status view_reach(void *ctx, const void *segment,
                              const stet_target *target, stet_reach *out,
                              stet_error *err)
{
    const stet_segment *s = segment;
    if (s->image == NULL) {
        return stet__sealed_reach(s, target, ((stet_view_ctx *)ctx)->reader,
                                  out, err);
    }
    stet_status st = stet__image_reach(s->image, target, out, err);
    return st == STET_E_CORRUPT ? stet__damage_wrap(err, st, s->header.file, 0)
                                : st;
}

static uint64_t view_narrow(void *ctx, stet_machine_key key, uint64_t position)
{
    const stet_view_ctx *v = ctx;
    return stet__merged_narrow(v->table, key, position, v->reader);
}

void stet__view_init(stet_lineage_view *view, stet_view_ctx *ctx,
                     const stet_files *table, stet_sealed_reader *reader)
{
    *ctx = (stet_view_ctx){table, reader};
    *view = (stet_lineage_view){ctx, view_locate, view_reach, view_narrow};
}

stet_status stet__segment_logged(const stet_segment *s, uint64_t position,
                                 stet_sealed_reader *r, stet_logged *out,
                                 stet_error *err)
{
    if (s->image == NULL && position < s->trailer.end_position) {
        return stet__sealed_logged(s, position, r, out, err);
    }
    if (s->image == NULL || !stet__image_logged(s->image, position, out)) {
        return stet__fail(err, STET_E_NOT_FOUND, 0, "no position %" PRIu64,
                          position);
    }
    out->file = s->header.file;
    return STET_OK;
}

stet_status stet__view_read(const stet_files *table, uint64_t position,
                            stet_sealed_reader *r, stet_logged *out,
                            stet_error *err)
{
    uint32_t idx = stet__files_locate(table, position);
    if (idx == UINT32_MAX) {
        return stet__fail(err, STET_E_NOT_FOUND, 0, "no position %" PRIu64,
                          position);
    }
    return stet__segment_logged(table->items[idx], position, r, out, err);
}
