#include "lib/questions.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "lib/settler.h"

static stet_machine_key key_of(const logbook_event *e)
{
    return (stet_machine_key){.id = stet_str(e->id), .ns = e->ns};
}

static stet_status ask_points(logbook *b, stet_buf *out, stet_error *err)
{
    stet_status st = STET_OK;
    for (uint64_t i = 0; i + 1 < b->next && st == STET_OK; i += 9) {
        const logbook_event *e = &b->events[i];
        stet_bound bounds[] = {
            {.dimension = STET_BY_SEQ, .value = 1 + e->seq / 2},
            {.dimension = STET_BY_OCCURRED, .occurred = e->occurred_max},
        };
        stet_point p = {0};
        st = b->log->ops->seek(b->log, key_of(e), bounds[i % 2], b->next, &p,
                               err);
        stet__buf_printf(out, "%s %" PRIu64 " %" PRIu64 "\n", e->id, p.seq,
                         p.position);
        st = st == STET_E_NOT_FOUND ? STET_OK : st;
    }
    return st;
}

static stet_status ask_records(logbook *b, stet_buf *out, stet_error *err)
{
    stet_log_reader *r = b->log->ops->reader_create(b->log);
    if (r == NULL) {
        return STET_E_NOMEM;
    }
    stet_status st = STET_OK;
    for (uint64_t at = 1; at < b->next && st == STET_OK; at += 13) {
        stet_logged l;
        st = b->log->ops->reader_read(r, at, &l, err);
        if (st == STET_OK) {
            stet__buf_put_slice(out, l.bytes);
        }
    }
    b->log->ops->reader_destroy(r);
    return st;
}

static stet_status ask_walk(logbook *b, stet_buf *out, stet_error *err)
{
    stet_log_cursor *walk = NULL;
    stet_logged l;
    stet_status st = b->log->ops->walk_open(b->log, b->next, &walk, err);
    while (st == STET_OK) {
        st = b->log->ops->walk_next(walk, &l, err);
        if (st == STET_OK) {
            stet__buf_printf(out, "%" PRIu64 " ", l.position);
            stet__buf_put_slice(out, l.bytes);
        }
    }
    b->log->ops->walk_close(walk);
    return st == STET_DONE ? STET_OK : st;
}

static stet_status ask_heads_below(logbook *b, uint64_t below, stet_buf *out,
                                   stet_error *err)
{
    stet_log_cursor *heads = NULL;
    stet_head_entry e;
    stet_heads_range range = {.ns = b->events[0].ns,
                              .prefix = stet_slice_of(b->events[0].id, 1),
                              .below = below};
    stet_status st = b->log->ops->heads_open(b->log, &range, &heads, err);
    while (st == STET_OK) {
        st = b->log->ops->heads_next(heads, &e, err);
        if (st == STET_OK) {
            stet__buf_put_slice(out, e.key.id);
            stet__buf_printf(out, " %" PRIu64 " %d ", e.position, e.is_deleted);
            stet__buf_put_slice(out, e.state_name);
        }
    }
    b->log->ops->heads_close(heads);
    return st == STET_DONE ? STET_OK : st;
}

static stet_status ask_heads(logbook *b, stet_buf *out, stet_error *err)
{
    return ask_heads_below(b, b->next, out, err);
}

/* As they were when half was written: runs go on above that. */
static stet_status ask_old_heads(logbook *b, stet_buf *out, stet_error *err)
{
    return ask_heads_below(b, b->next / 2, out, err);
}

static stet_status ask_keys(logbook *b, stet_buf *out, stet_error *err)
{
    static const uint8_t absent[16] = "in no event here";
    uint64_t at = 0;
    stet_status st = b->log->ops->find_key(b->log, absent, b->next, &at, err);
    st = st == STET_E_NOT_FOUND ? STET_OK : st;
    for (uint64_t i = 0; i + 1 < b->next && st == STET_OK; i++) {
        if (b->events[i].has_key) {
            st = b->log->ops->find_key(b->log, b->events[i].key, b->next, &at,
                                       err);
            stet__buf_printf(out, "%" PRIu64 "\n", at);
            i += 20;
        }
    }
    return st;
}

static stet_status ask_times(logbook *b, stet_buf *out, stet_error *err)
{
    stet_status st = STET_OK;
    for (uint64_t i = 0; i + 1 < b->next && st == STET_OK; i += 17) {
        uint64_t at = 0;
        st = b->log->ops->at_recorded(b->log, b->events[i].recorded - 1,
                                      b->next, &at, err);
        stet__buf_printf(out, "%" PRIu64 "\n", at);
    }
    return st;
}

static stet_status ask_chain(logbook *b, stet_buf *out, stet_error *err)
{
    stet_chain_end end;
    stet_log_cursor *chain = NULL;
    stet_chained c;
    stet_status st = b->log->ops->chain_open(b->log, key_of(&b->events[0]),
                                             &end, &chain, err);
    if (st == STET_OK) {
        stet__buf_put(out, end.value, sizeof end.value);
    }
    while (st == STET_OK) {
        st = b->log->ops->chain_next(chain, &c, err);
        if (st == STET_OK) {
            stet__buf_put_slice(out, c.logged.bytes);
            stet__buf_put(out, c.seed, sizeof c.seed);
        }
    }
    b->log->ops->chain_close(chain);
    return st == STET_DONE ? STET_OK : st;
}

static stet_status hear_fork(void *ctx, const stet_fork_edge *edge,
                             stet_error *err)
{
    (void)err;
    stet__buf_put_slice(ctx, edge->child.id);
    stet__buf_printf(ctx, " %" PRIu64 " at %" PRIu64 " of ", edge->first_seq,
                     edge->first_position);
    stet__buf_put_slice(ctx, edge->parent.id);
    stet__buf_printf(ctx, " at %" PRIu64 "\n", edge->parent_position);
    return STET_OK;
}

static stet_status ask_forks(logbook *b, stet_buf *out, stet_error *err)
{
    return b->log->ops->forks(b->log, b->next - 1, hear_fork, out, err);
}

static stet_status ask_verify(logbook *b, stet_buf *out, stet_error *err)
{
    stet_verify_report report = {.struct_size = sizeof report};
    stet_status st = b->log->ops->verify(b->log, NULL, NULL, &report, err);
    stet__buf_printf(out, "%" PRIu64, report.records);
    return st;
}

const questions_fn questions[QUESTIONS] = {
    ask_points, ask_records, ask_walk,  ask_heads, ask_old_heads,
    ask_keys,   ask_times,   ask_chain, ask_forks, ask_verify};

void questions_begin(logbook *b, memdisk **disk, bool is_closed)
{
    settler_begin(b, disk, 11);
    b->body_max = 900;
    settler_write_segments(b, 7);
    assert_int_equal(settler_settle_all(b, NULL), STET_OK);
    settler_write_segments(b, 4);
    assert_true(settler_info_of(b).sets > 0);
    assert_int_equal(logbook_close(b, is_closed, NULL), STET_OK);
    if (!is_closed) {
        memdisk_crash(*disk, false);
    }
}

void questions_ask_ok(logbook *b, questions_fn ask, stet_buf *out)
{
    stet_error err = {0};
    stet__buf_reset(out);
    stet_status st = ask(b, out, &err);
    if (st != STET_OK) {
        print_error("%s\n", err.text);
    }
    assert_int_equal(st, STET_OK);
    assert_true(out->len > 0);
}

void questions_assert_same(const stet_buf *got, const stet_buf *due)
{
    assert_int_equal(got->len, due->len);
    assert_memory_equal(got->ptr, due->ptr, due->len);
}
