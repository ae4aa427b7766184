#include "stores/embedded/settled_verify.h"

#include <inttypes.h>

#include "base/error.h"
#include "core/set_draft.h"
#include "stores/embedded/jump.h"
#include "stores/embedded/settled.h"

typedef struct check {
    const stet_segment *s;
    const stet_sealed_tables *tables;
    stet_set_draft draft; /* of the index that ought to be there */
    stet_window window;
    stet_jumps jumps;          /* for the chains */
    stet_sealed_reader reader; /* of the index that is there */
} check;

/* A jump is not a function of the records: the one that is there will do. */
static bool old_jump(void *ctx, const stet_run *run, stet_run_link *out)
{
    check *c = ctx;
    return stet__sealed_jump(c->s, run->key, &c->reader, out, NULL) ==
               STET_OK &&
           out->position != 0;
}

static stet_status chain_before(void *ctx, const stet_run *run,
                                uint8_t out[STET_CHAIN_BYTES], stet_error *err)
{
    return stet__chain_before_run(&((check *)ctx)->jumps, run, out, err);
}

static stet_status add_item(check *c, stet_reader *in, stet_error *err)
{
    uint32_t slot = 0;
    stet_set_record r = {0};
    stet_status st = stet__set_read_item(in, &slot, &r.bytes, err);
    if (st != STET_OK) {
        return st;
    }
    r.position = c->s->trailer.first_position + slot;
    r.recorded = stet__sealed_recorded(c->tables, slot);
    r.raw_offset =
        (uint32_t)(c->window.offset + (size_t)((const uint8_t *)r.bytes.ptr -
                                               c->window.bytes.ptr));
    return stet__set_draft_add(&c->draft, &r, err);
}

/* Add the records that a block holds; before them it may hold times. */
static stet_status add_block(check *c, uint32_t number,
                             stet_verify_report *report, stet_error *err)
{
    stet_status st =
        stet__settled_load(c->s, c->tables, number, &c->window, err);
    if (st != STET_OK) {
        return st;
    }
    stet_slice items = stet__buf_slice(&c->window.bytes);
    stet_reader in = stet__reader_of(items);
    uint64_t times_end = c->s->trailer.set.times_bytes;
    if (times_end > c->window.offset) {
        uint64_t skip = times_end - c->window.offset;
        in.ptr += skip < items.len ? (size_t)skip : items.len;
    }
    while (st == STET_OK && stet__read_left(&in) > 0) {
        st = add_item(c, &in, err);
        report->records += st == STET_OK;
    }
    return st == STET_OK ? st
                         : stet__segment_damage_wrap(
                               c->s, c->tables->pieces[number].offset, st, err);
}

/* What lies between the last block and the index must be zeros. */
static stet_status check_padding(const check *c, stet_error *err)
{
    uint8_t block[STET_W];
    uint64_t from = c->tables->pieces[c->tables->block_count].offset;
    size_t len = (size_t)(c->s->trailer.end_offset - from);
    stet_status st = stet__segment_pread(c->s, block, len, from, err);
    return st != STET_OK || stet__is_zeros(block, len)
               ? st
               : stet__segment_damage(c->s, from, err, "padding of the blocks");
}

static stet_status draft_index(check *c, stet_verify_report *report,
                               stet_buf *out, stet_error *err)
{
    stet_status st = STET_OK;
    for (uint32_t i = 0; i < c->tables->block_count && st == STET_OK; i++) {
        st = add_block(c, i, report, err);
    }
    if (st == STET_OK) {
        st = check_padding(c, err);
    }
    if (st == STET_OK) {
        st = stet__set_draft_end(&c->draft, err);
        st = st == STET_E_CORRUPT ? stet__segment_damage_wrap(c->s, 0, st, err)
                                  : st;
    }
    if (st == STET_OK) {
        st = stet__index_load_all(c->s, STET_SECTION_BLOCKS,
                                  &c->reader.directory, &c->draft.index.pieces,
                                  err);
    }
    return st == STET_OK ? stet__index_draft_put(&c->draft.index, out, err)
                         : st;
}

static stet_status compare(const stet_segment *s, const stet_buf *index,
                           stet_verify_report *report, stet_error *err)
{
    uint64_t damaged = 0;
    uint64_t first = 0;
    stet_status st = stet__verify_index(s, index, &damaged, &first, err);
    report->index_blocks += index->len / STET_INDEX_BLOCK_BYTES;
    return st == STET_OK && damaged > 0
               ? stet__segment_damage(s, first, err, "index block is damaged")
               : st;
}

stet_status stet__settled_verify(stet_embedded *e, const stet_segment *s,
                                 stet_verify_report *report, stet_error *err)
{
    check c = {.s = s};
    stet_set_links links = {chain_before, old_jump, &c};
    stet_buf index;
    stet__buf_init(&index, e->alloc);
    stet__window_init(&c.window, e->alloc);
    stet__jumps_init(&c.jumps, e);
    stet__sealed_reader_init(&c.reader, e->alloc);
    stet_status st = stet__index_tables(s, &c.tables, err);
    if (st == STET_OK) {
        st = stet__set_draft_init(&c.draft, e->alloc, &s->trailer, &links, err);
    }
    if (st == STET_OK) {
        st = draft_index(&c, report, &index, err);
    }
    if (st == STET_OK) {
        st = compare(s, &index, report, err);
    }
    stet__set_draft_deinit(&c.draft);
    stet__sealed_reader_deinit(&c.reader);
    stet__jumps_deinit(&c.jumps);
    stet__window_deinit(&c.window);
    stet__buf_deinit(&index);
    return st;
}
