#include "stores/embedded/settled_verify.h"

#include <inttypes.h>

#include "base/assert.h"
#include "base/error.h"
#include "core/set_draft.h"
#include "stores/embedded/jump.h"
#include "stores/embedded/names.h"
#include "stores/embedded/settled.h"

typedef struct check {
    const stet_segment *s;
    bool is_repair;             /* jumps that cannot be read are found anew */
    stet_sealed_tables *tables; /* our own: the segment's may not load */
    stet_set_draft draft;       /* of the index that ought to be there */
    stet_window window;
    stet_jumps jumps;   /* for the chains */
    stet_old_jumps old; /* of the index that is there */
} check;

/* A jump is not a function of the records: the one that is there will do. */
static bool old_jump(void *ctx, const stet_run *run, stet_run_link *out)
{
    check *c = ctx;
    if (stet__old_jump(&c->old, run->key, out) == STET_OK) {
        return out->position != 0;
    }
    return c->is_repair && stet__jump_of_run(&c->jumps, run, out);
}

static stet_status chain_before(void *ctx, const stet_run *run,
                                uint8_t out[STET_CHAIN_BYTES], stet_error *err)
{
    return stet__chain_before_run(&((check *)ctx)->jumps, run, out, err);
}

static stet_status add_item(check *c, uint32_t number, stet_reader *in,
                            stet_error *err)
{
    stet_logged l = {0};
    stet_status st = stet__settled_take(c->s, c->tables, number, in, &l, err);
    if (st != STET_OK) {
        return st;
    }
    const uint8_t *content = c->window.content.ptr;
    size_t at = (size_t)((const uint8_t *)l.bytes.ptr - content);
    stet_set_record r = {
        .bytes = l.bytes,
        .position = l.position,
        .recorded = l.recorded,
        .raw_offset = (uint32_t)(c->window.offset + at),
    };
    st = stet__set_draft_add(&c->draft, &r, err);
    return st == STET_OK ? st
                         : stet__segment_damage_wrap(c->s, l.offset, st, err);
}

/* Add the records that a block holds. */
static stet_status add_block(check *c, uint32_t number,
                             stet_verify_report *report, stet_error *err)
{
    stet_status st =
        stet__settled_load(c->s, c->tables, number, &c->window, err);
    if (st != STET_OK) {
        return st;
    }
    stet_reader in = stet__settled_records(c->s, &c->window);
    while (st == STET_OK && stet__read_left(&in) > 0) {
        st = add_item(c, number, &in, err);
        report->records += st == STET_OK;
    }
    return st;
}

/* The head is a function of the trailer. */
static stet_status check_head(const stet_segment *s, bool *out_is_sound,
                              stet_error *err)
{
    uint8_t head[STET_SET_HEAD_BYTES];
    uint8_t due[STET_SET_HEAD_BYTES];
    stet__set_head_put(&s->trailer, due);
    stet_status st = stet__segment_pread(s, head, sizeof head, 0, err);
    *out_is_sound = st == STET_OK && memcmp(head, due, sizeof due) == 0;
    return st;
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
                                  &c->old.reader.lists, &c->draft.index.pieces,
                                  err);
    }
    return st == STET_OK ? stet__index_draft_put(&c->draft.index, out, err)
                         : st;
}

/* Draft the index that the set ought to have. */
static stet_status build_again(stet_embedded *e, stet_files *table, check *c,
                               stet_verify_report *report, stet_buf *out,
                               stet_error *err)
{
    stet_set_links links = {chain_before, old_jump, c};
    stet__window_init(&c->window, e->alloc);
    c->window.is_scan = true;
    stet__jumps_init_in(&c->jumps, e, table);
    stet__old_jumps_init(&c->old, e->alloc, c->s);
    stet_status st = stet__settled_tables(c->s, &c->tables, err);
    if (st == STET_OK) {
        stet_set_seeds seeds = stet__settled_seeds(c->s, c->tables);
        st = stet__set_draft_init(&c->draft, e->alloc, &c->s->trailer, &seeds,
                                  &links, err);
    }
    if (st == STET_OK) {
        st = draft_index(c, report, out, err);
    }
    stet__set_draft_deinit(&c->draft);
    stet__sealed_tables_destroy(e->alloc, c->tables);
    stet__old_jumps_deinit(&c->old);
    stet__jumps_deinit(&c->jumps);
    stet__window_deinit(&c->window);
    return st;
}

stet_status stet__settled_verify(stet_embedded *e, stet_files *table,
                                 const stet_segment *s,
                                 stet_verify_report *report, stet_error *err)
{
    check c = {.s = s};
    uint64_t damaged = 0;
    uint64_t first = 0;
    stet_buf index;
    stet__buf_init(&index, e->alloc);
    bool has_head = true;
    stet_status st = build_again(e, table, &c, report, &index, err);
    if (st == STET_OK) {
        st = check_head(s, &has_head, err);
    }
    if (st == STET_OK && !has_head) {
        st = stet__segment_damage(
            s, 0, err, "the head of the set is damaged; reindex repairs it");
    }
    if (st == STET_OK) {
        st = stet__verify_index(s, &index, &damaged, &first, err);
        report->index_blocks += index.len / STET_INDEX_BLOCK_BYTES;
        report->index_damaged += damaged;
    }
    stet__buf_deinit(&index);
    return st == STET_OK && damaged > 0
               ? stet__segment_damage(
                     s, first, err,
                     "index block is damaged; reindex repairs it")
               : st;
}

/* Repairing. */

/* Write what differs, and nothing else: what is sound stays. */
static int mend(stet_os *os, int fd, const uint8_t *due, size_t len,
                uint64_t offset)
{
    uint8_t there[STET_INDEX_BLOCK_BYTES];
    STET_ASSERT(len <= sizeof there);
    int64_t n = os->pread(os, fd, there, len, offset);
    bool is_sound = n == (int64_t)len && memcmp(there, due, len) == 0;
    return n < 0 || is_sound ? (int)n : os->pwrite(os, fd, due, len, offset);
}

static int write_blocks(stet_os *os, const stet_segment *s, int fd,
                        const stet_buf *index)
{
    uint8_t head[STET_SET_HEAD_BYTES];
    stet__set_head_put(&s->trailer, head);
    int rc = mend(os, fd, head, sizeof head, 0);
    for (size_t at = 0; at < index->len && rc >= 0;
         at += STET_INDEX_BLOCK_BYTES) {
        rc = mend(os, fd, index->ptr + at, STET_INDEX_BLOCK_BYTES,
                  s->trailer.end_offset + at);
    }
    return rc < 0 ? rc : os->sync(os, fd);
}

/* The segment has read of the index: another one takes its place. */
static stet_status reinstall(stet_embedded *e, const stet_segment *s, int fd,
                             stet_error *err)
{
    stet_segment *again = stet__segment_create(e->alloc, e->os, fd, &s->header);
    if (again == NULL) {
        (void)e->os->close(e->os, fd); /* all was synced */
        return stet__fail(err, STET_E_NOMEM, 0, "no memory for a set");
    }
    again->trailer = s->trailer;
    again->unpacked = s->unpacked;
    again->end = s->end;
    stet_status st = stet__embedded_replace(e, s, again, err);
    stet__segment_unref(again);
    return st;
}

static stet_status rewrite_index(stet_embedded *e, const stet_segment *s,
                                 const stet_buf *index, stet_error *err)
{
    char name[STET_OS_NAME_MAX];
    stet__name_set(s->header.file, name);
    int fd = e->os->open(e->os, e->dir, name, STET_OPEN_WRITE);
    if (fd < 0) {
        return stet__os_fail(err, fd, "open %s", name);
    }
    int rc = write_blocks(e->os, s, fd, index);
    if (rc < 0) {
        (void)e->os->close(e->os, fd); /* what was damaged still is */
        return stet__os_fail(err, rc, "index %s", name);
    }
    return reinstall(e, s, fd, err);
}

stet_status stet__settled_reindex(stet_embedded *e, stet_files *table,
                                  const stet_segment *s, bool *out_did,
                                  stet_error *err)
{
    check c = {.s = s, .is_repair = true};
    stet_verify_report report = {0};
    uint64_t damaged = 0;
    uint64_t first = 0;
    stet_buf index;
    stet__buf_init(&index, e->alloc);
    stet_status st = build_again(e, table, &c, &report, &index, err);
    bool has_head = true;
    if (st == STET_OK) {
        st = check_head(s, &has_head, err);
    }
    if (st == STET_OK) {
        st = stet__verify_index(s, &index, &damaged, &first, err);
    }
    *out_did = st == STET_OK && (damaged > 0 || !has_head);
    if (*out_did && index.len != stet__index_bytes(&s->trailer)) {
        st = stet__segment_damage(s, first, err,
                                  "the index has another length now");
    } else if (*out_did) {
        st = rewrite_index(e, s, &index, err);
    }
    stet__buf_deinit(&index);
    return st;
}
