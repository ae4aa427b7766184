#include "formats/parser.h"

#include <inttypes.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/error.h"
#include "formats/parser_impl.h"

enum { BOM_BYTES = 3 };
static const uint8_t bom[BOM_BYTES] = {0xef, 0xbb, 0xbf}; /* in UTF-8 */

static const stet_parser_ops *ops_of(stet_format format)
{
    switch (format) {
    case STET_FORMAT_XES:
        return &stet__xes_parser_ops;
    case STET_FORMAT_CSV:
        return &stet__csv_parser_ops;
    case STET_FORMAT_JSONL:
        return &stet__jsonl_parser_ops;
    }
    STET_ASSERT(false); /* the enum is closed */
    return NULL;
}

stet_status stet__parser_create(const stet_allocator *alloc, stet_format format,
                                const stet_parser_opts *opts, stet_parser **out,
                                stet_error *err)
{
    STET_ASSERT(opts->next != NULL);
    const stet_parser_ops *ops = ops_of(format);
    stet_parser *p = stet__alloc_zeroed(alloc, 1, ops->struct_bytes);
    if (p == NULL) {
        return stet__fail(err, STET_E_NOMEM, 0, "open a parser");
    }
    p->ops = ops;
    p->alloc = *alloc;
    p->opts = opts;
    stet__arena_init(&p->arena, &p->alloc);
    stet_status st = ops->init(p, err);
    if (st != STET_OK) {
        stet__parser_destroy(p);
        return st;
    }
    *out = p;
    return STET_OK;
}

void stet__parser_destroy(stet_parser *p)
{
    if (p != NULL) {
        p->ops->deinit(p);
        stet__arena_deinit(&p->arena);
        stet_allocator alloc = p->alloc;
        stet__free(&alloc, p, p->ops->struct_bytes);
    }
}

/* Go past the byte order mark; what only looked like one is fed after all. */
static stet_status begin(stet_parser *p, stet_error *err)
{
    p->is_begun = true;
    return p->bom_bytes == 0 || p->bom_bytes == BOM_BYTES
               ? STET_OK
               : p->ops->feed(p, stet_slice_of(bom, p->bom_bytes), err);
}

stet_status stet__parser_feed(stet_parser *p, stet_slice bytes, stet_error *err)
{
    const uint8_t *at = bytes.ptr;
    const uint8_t *end = at + bytes.len;
    stet_status st = STET_OK;
    while (!p->is_begun && at < end) {
        if (p->bom_bytes < BOM_BYTES && *at == bom[p->bom_bytes]) {
            p->bom_bytes++;
            at++;
        } else {
            st = begin(p, err);
        }
    }
    return st == STET_OK && at < end
               ? p->ops->feed(p, stet_slice_of(at, (size_t)(end - at)), err)
               : st;
}

stet_status stet__parser_finish(stet_parser *p, stet_error *err)
{
    stet_status st = p->is_begun ? STET_OK : begin(p, err);
    return st == STET_OK ? p->ops->finish(p, err) : st;
}

const stet_ignored *stet__parser_ignored(const stet_parser *p)
{
    return &p->ignored;
}

void stet__parser_ignore(stet_parser *p, stet_slice name)
{
    stet_ignored *ig = &p->ignored;
    char cut[STET_IGNORED_NAME_BYTES] = {0};
    size_t len = name.len < sizeof cut - 1 ? name.len : sizeof cut - 1;
    if (len > 0) {
        memcpy(cut, name.ptr, len);
    }
    ig->count++;
    for (size_t i = 0; i < ig->name_count; i++) {
        if (memcmp(ig->names[i], cut, sizeof cut) == 0) {
            return;
        }
    }
    if (ig->name_count < STET_IGNORED_NAMES_MAX) {
        memcpy(ig->names[ig->name_count++], cut, sizeof cut);
    }
}

void stet__parser_begin_item(stet_parser *p, uint64_t line)
{
    stet__arena_reset(&p->arena);
    stet__item_reset(&p->item, line);
}

stet_status stet__parser_fail_at(uint64_t line, stet_status st, stet_error *err)
{
    return stet__wrap(err, st, "line %" PRIu64, line);
}

stet_status stet__parser_give(const stet_parser *p, stet_item *item,
                              stet_event_kind otherwise, stet_error *err)
{
    stet_status st = stet__item_finish(item, otherwise, err);
    if (st != STET_OK) {
        return stet__parser_fail_at(item->line, st, err);
    }
    return p->opts->next(p->opts->ctx, item, err);
}

stet_status stet__parser_check(const stet_buf *b, stet_error *err)
{
    return b->is_failed ? stet__fail(err, STET_E_NOMEM, 0, "parse an item")
                        : STET_OK;
}
