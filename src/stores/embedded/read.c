/*
 * Reading: each call lends the table for its time, so that sealing may go on
 * beside it.
 */
#include <inttypes.h>

#include "base/assert.h"
#include "base/error.h"
#include "core/imageread.h"
#include "stores/embedded/log.h"
#include "stores/embedded/merged.h"
#include "stores/embedded/view.h"

stet_status stet__read_seek(stet_log *log, stet_machine_key key,
                            stet_bound bound, uint64_t below, stet_point *out,
                            stet_error *err)
{
    stet_embedded *e = stet__embedded_of(log);
    stet_sealed_reader reader;
    stet_lineage_view view;
    stet_view_ctx ctx;
    stet_files *table = stet__embedded_lend(e);
    stet__sealed_reader_init(&reader, e->alloc);
    stet__view_init(&view, &ctx, table, &reader);
    stet_status st = stet__lineage_seek(&view, key, bound, below, out, err);
    stet__sealed_reader_deinit(&reader);
    stet__embedded_unlend(e, table);
    return st;
}

static stet_status find_key_in(const stet_segment *s, const uint8_t key[16],
                               uint64_t below, uint64_t *out_position,
                               stet_error *err)
{
    if (s->image == NULL) {
        return stet__sealed_find_key(s, key, below, out_position, err);
    }
    uint64_t position = stet__image_key_position(s->image, key, below);
    if (position == 0) {
        return STET_E_NOT_FOUND;
    }
    *out_position = position;
    return STET_OK;
}

/* STET_E_UNSUPPORTED: the index cannot tell, the sets are to be asked. */
static stet_status find_key_merged(const stet_segment *index,
                                   const uint8_t key[16], uint64_t below,
                                   uint64_t *out_position)
{
    stet_error ignored = {0};
    stet_status st =
        stet__sealed_find_key(index, key, below, out_position, &ignored);
    if (st == STET_E_CORRUPT) {
        stet__merged_distrust(index);
    }
    return st == STET_OK || st == STET_E_NOT_FOUND ? st : STET_E_UNSUPPORTED;
}

stet_status stet__read_find_key(stet_log *log, const uint8_t key[16],
                                uint64_t below, uint64_t *out_position,
                                stet_error *err)
{
    stet_embedded *e = stet__embedded_of(log);
    stet_files *table = stet__embedded_lend(e);
    stet_status st = STET_E_NOT_FOUND;
    uint64_t position = below - 1;
    while (position > 0 && st == STET_E_NOT_FOUND) {
        const stet_segment *asked = stet__merged_of(table, position);
        st = asked == NULL ? STET_E_UNSUPPORTED
                           : find_key_merged(asked, key, below, out_position);
        if (st == STET_E_UNSUPPORTED) {
            uint32_t idx = stet__files_locate(table, position);
            STET_ASSERT(idx != UINT32_MAX); /* the first file begins with 1 */
            asked = table->items[idx];
            st = find_key_in(asked, key, below, out_position, err);
        }
        position = asked->header.first_position - 1;
    }
    stet__embedded_unlend(e, table);
    return st == STET_E_NOT_FOUND
               ? stet__fail(err, st, 0, "no such idempotency key")
               : st;
}

stet_status stet__read_at_recorded(stet_log *log, int64_t time, uint64_t below,
                                   uint64_t *out_position, stet_error *err)
{
    stet_embedded *e = stet__embedded_of(log);
    stet_files *table = stet__embedded_lend(e);
    stet_status st = STET_OK;
    uint64_t position = 0;
    for (uint32_t i = stet__files_count(table);
         i > 0 && st == STET_OK && position == 0; i--) {
        const stet_segment *s = table->items[i - 1];
        if (s->image == NULL) {
            st = stet__sealed_at_recorded(s, time, below, &position, err);
        } else {
            position = stet__image_at_recorded(s->image, time, below);
        }
    }
    stet__embedded_unlend(e, table);
    if (st == STET_OK) {
        *out_position = position;
    }
    return st;
}
