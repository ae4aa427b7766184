/*
 * Listing machines: a cursor lends the table for its life and merges what each
 * segment below the bound knows.
 */
#include "base/error.h"
#include "core/heads.h"
#include "stores/embedded/log.h"
#include "stores/embedded/sealed.h"

typedef struct listing_cursor {
    stet_embedded *e;
    stet_files *table;
    stet_heads *heads;
    stet_buf ids; /* copies that `range` points into */
    stet_heads_range range;
} listing_cursor;

static stet_status no_memory(stet_error *err)
{
    return stet__fail(err, STET_E_NOMEM, 0, "no memory for a listing");
}

static stet_status add_source(listing_cursor *c, stet_segment *s,
                              stet_error *err)
{
    stet_head_source *source = NULL;
    stet_status st = STET_OK;
    if (s->image == NULL) {
        st = stet__sealed_heads(s, &c->range, &source, err);
    } else {
        source = stet__heads_of_image(c->e->alloc, s->image, &c->range);
        st = source == NULL ? no_memory(err) : STET_OK;
    }
    return st == STET_OK ? stet__heads_add(c->heads, source, err) : st;
}

static bool copy_range(listing_cursor *c, const stet_heads_range *range)
{
    stet__buf_put_slice(&c->ids, range->prefix);
    stet__buf_put_slice(&c->ids, range->after);
    c->range = *range;
    if (c->ids.is_failed) {
        return false;
    }
    c->range.prefix = stet_slice_of(c->ids.ptr, range->prefix.len);
    c->range.after =
        range->after.len == 0
            ? (stet_slice){0}
            : stet_slice_of(c->ids.ptr + range->prefix.len, range->after.len);
    return true;
}

static stet_status fill(listing_cursor *c, const stet_heads_range *range,
                        stet_error *err)
{
    uint32_t count = stet__files_count(c->table);
    stet_log *names = range->is_nameless ? NULL : &c->e->log;
    c->heads = stet__heads_create(c->e->alloc, names, count);
    if (c->heads == NULL || !copy_range(c, range)) {
        return no_memory(err);
    }
    stet_status st = STET_OK;
    for (uint32_t i = count; i > 0 && st == STET_OK; i--) {
        if (c->table->items[i - 1]->header.first_position < range->below) {
            st = add_source(c, c->table->items[i - 1], err);
        }
    }
    return st;
}

stet_status stet__listing_open(stet_log *log, const stet_heads_range *range,
                               stet_log_cursor **out, stet_error *err)
{
    stet_embedded *e = stet__embedded_of(log);
    listing_cursor *c = stet__alloc_zeroed(e->alloc, 1, sizeof *c);
    if (c == NULL) {
        return no_memory(err);
    }
    c->e = e;
    c->table = stet__embedded_lend(e);
    stet__buf_init(&c->ids, e->alloc);
    stet_status st = fill(c, range, err);
    if (st != STET_OK) {
        stet__listing_close((stet_log_cursor *)c);
        return st;
    }
    *out = (stet_log_cursor *)c;
    return STET_OK;
}

stet_status stet__listing_next(stet_log_cursor *cursor, stet_head_entry *out,
                               stet_error *err)
{
    return stet__heads_next(((listing_cursor *)cursor)->heads, out, err);
}

void stet__listing_close(stet_log_cursor *cursor)
{
    listing_cursor *c = (listing_cursor *)cursor;
    if (c == NULL) {
        return;
    }
    stet_embedded *e = c->e;
    stet__heads_destroy(c->heads);
    stet__buf_deinit(&c->ids);
    stet__embedded_unlend(e, c->table);
    stet__free(e->alloc, c, sizeof *c);
}
