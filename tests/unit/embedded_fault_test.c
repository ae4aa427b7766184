/*
 * Questions to a log with settled, sealed and live segments, of which each
 * allocation and each call of the disk fails once: the answer is the right one
 * or the failure, and the same question asked again is answered.
 */
#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "core/index.h"
#include "lib/failalloc.h"
#include "lib/logbook.h"
#include "lib/memdisk.h"
#include "lib/rounds.h"
#include "lib/settler.h"

/* Ask something and append the whole answer to `out`. */
typedef stet_status (*ask_fn)(logbook *b, stet_buf *out, stet_error *err);

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

static stet_status ask_heads(logbook *b, stet_buf *out, stet_error *err)
{
    stet_log_cursor *heads = NULL;
    stet_head_entry e;
    stet_heads_range range = {.ns = b->events[0].ns, .below = b->next};
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

static stet_status ask_verify(logbook *b, stet_buf *out, stet_error *err)
{
    stet_verify_report report = {.struct_size = sizeof report};
    stet_status st = b->log->ops->verify(b->log, NULL, NULL, &report, err);
    stet__buf_printf(out, "%" PRIu64, report.records);
    return st;
}

static const ask_fn questions[] = {ask_points, ask_records, ask_walk,
                                   ask_heads,  ask_keys,    ask_times,
                                   ask_chain,  ask_verify};
enum { QUESTIONS = sizeof questions / sizeof questions[0] };

/* A set, segments that are sealed, and a live one; forks and keys in all. */
static void begin(logbook *b, memdisk **disk)
{
    settler_begin(b, disk, 11);
    b->body_max = 900;
    settler_write_segments(b, 7);
    assert_int_equal(settler_settle_all(b, NULL), STET_OK);
    settler_write_segments(b, 4);
    assert_true(settler_info_of(b).sets > 0);
    logbook_close_ok(b);
}

static void ask_ok(logbook *b, ask_fn ask, stet_buf *out)
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

static void assert_same(const stet_buf *got, const stet_buf *due)
{
    assert_int_equal(got->len, due->len);
    assert_memory_equal(got->ptr, due->ptr, due->len);
}

/* The nth thing from here on fails; tell whether it was reached. */
typedef struct fault {
    failalloc memory;
    memdisk *disk;
    bool is_memory;
    memdisk_call call;
    int os_errno;
    stet_status status; /* that is due */
} fault;

static void arm(fault *f, size_t nth)
{
    if (f->is_memory) {
        f->memory.nth = atomic_load(&f->memory.calls) + nth;
    } else {
        memdisk_fail_at(f->disk, f->call, (unsigned)nth, f->os_errno);
    }
}

static bool disarm(fault *f)
{
    if (f->is_memory) {
        f->memory.nth = 0;
        return atomic_load(&f->memory.is_hit);
    }
    bool was_reached = memdisk_has_failed(f->disk);
    memdisk_fail_at(f->disk, f->call, 0, 0);
    return was_reached;
}

/* Open with the fault's allocator, which fails nothing yet. */
static void open_watched(logbook *b, fault *f)
{
    failalloc_init(&f->memory, 0);
    b->opts.allocator = failalloc_allocator(&f->memory);
    settler_open_ok(b, f->disk);
}

/* Ask once with the nth thing failing; false: there were fewer. */
static bool ask_with(logbook *b, fault *f, ask_fn ask, size_t nth,
                     const stet_buf *due)
{
    stet_buf got;
    stet_error err = {0};
    stet__buf_init(&got, &stet__heap);
    open_watched(b, f);
    arm(f, nth);
    stet_status st = ask(b, &got, &err);
    bool was_reached = disarm(f);
    if (st == STET_OK) {
        assert_same(&got, due);
    } else {
        assert_true(was_reached);
        assert_int_equal(st, f->status);
    }
    ask_ok(b, ask, &got);
    assert_same(&got, due);
    logbook_close_ok(b);
    failalloc_assert_clean(&f->memory);
    stet__buf_deinit(&got);
    return was_reached;
}

static void ask_all_with(fault *f)
{
    logbook b;
    begin(&b, &f->disk);
    stet_buf due;
    size_t reached = 0;
    stet__buf_init(&due, &stet__heap);
    for (size_t i = 0; i < QUESTIONS; i++) {
        settler_open_ok(&b, f->disk);
        ask_ok(&b, questions[i], &due);
        logbook_close_ok(&b);
        size_t nth = 1;
        while (ask_with(&b, f, questions[i], nth, &due)) {
            nth += rounds_stride() + nth / 40;
            reached++;
        }
        b.opts.allocator = (stet_allocator){0};
    }
    assert_true(reached > QUESTIONS);
    stet__buf_deinit(&due);
    settler_open_ok(&b, f->disk);
    settler_end(&b, f->disk);
}

/* A reader without memory is told so, and nobody else notices. */
static void test_a_question_survives_each_failed_allocation(void **state)
{
    (void)state;
    fault f = {.is_memory = true, .status = STET_E_NOMEM};
    ask_all_with(&f);
}

/* What a cable does once is not taken for damage, and not remembered. */
static void test_a_question_survives_each_failed_read(void **state)
{
    (void)state;
    fault f = {.call = MEMDISK_READ, .os_errno = EIO, .status = STET_E_IO};
    ask_all_with(&f);
}

/* Close, after whatever failed; the store goes on. */
static void go_on(logbook *b, fault *f)
{
    assert_int_equal(logbook_close(b, true, NULL), STET_OK);
    failalloc_assert_clean(&f->memory);
    b->opts.allocator = (stet_allocator){0};
    settler_go_on(b, f->disk);
}

/* A settler without memory gives up what it began; later it does it again. */
static void test_settling_survives_each_failed_allocation(void **state)
{
    (void)state;
    bool is_reached = true;
    for (size_t nth = 1; is_reached; nth += rounds_stride() + nth / 20) {
        logbook b;
        fault f = {.is_memory = true};
        settler_begin(&b, &f.disk, 5);
        settler_write_segments(&b, 4);
        logbook_close_ok(&b);
        open_watched(&b, &f);
        arm(&f, nth);
        stet_status st = settler_settle_all(&b, NULL);
        is_reached = disarm(&f);
        assert_true(st == STET_OK || (is_reached && st == STET_E_NOMEM));
        assert_int_equal(settler_settle_all(&b, NULL), STET_OK);
        assert_true(settler_info_of(&b).sets > 0);
        assert_int_equal(settler_info_of(&b).settled, b.next - 1);
        logbook_check(&b, b.next);
        go_on(&b, &f);
    }
}

/* Change a byte of the slots, with which the index of a sealed file begins. */
static void damage_indexes(memdisk *disk)
{
    const char *names[100];
    size_t count = memdisk_names(disk, names, 100);
    for (size_t i = 0; i < count; i++) {
        size_t len = 0;
        uint8_t *bytes = memdisk_bytes(disk, names[i], &len);
        stet_trailer t;
        if (len > STET_INDEX_BLOCK_BYTES &&
            stet__trailer_get(bytes + len - STET_INDEX_BLOCK_BYTES, &t, NULL) ==
                STET_OK) {
            bytes[t.end_offset + 100] ^= 1;
        }
    }
}

/* Mending that fails mends later, whatever it had done. */
static void reindex_with(fault *f, memdisk *first, logbook *b)
{
    bool is_reached = true;
    for (size_t nth = 1; is_reached; nth += rounds_stride() + nth / 20) {
        stet_verify_report report = {.struct_size = sizeof report};
        uint64_t rebuilt = 0;
        f->disk = memdisk_copy(first);
        damage_indexes(f->disk);
        open_watched(b, f);
        assert_int_equal(b->log->ops->verify(b->log, NULL, NULL, &report, NULL),
                         STET_E_CORRUPT);
        arm(f, nth);
        stet_status st = b->log->ops->reindex(b->log, &rebuilt, NULL);
        is_reached = disarm(f);
        assert_true(st == STET_OK || (is_reached && st == f->status));
        logbook_close(b, false, NULL);
        failalloc_assert_clean(&f->memory);
        open_watched(b, f);
        assert_int_equal(b->log->ops->reindex(b->log, &rebuilt, NULL), STET_OK);
        settler_verify_ok(b);
        logbook_check_records(b, b->next);
        logbook_close_ok(b);
        memdisk_destroy(f->disk);
    }
}

static void test_mending_an_index_survives_each_failure(void **state)
{
    (void)state;
    fault faults[] = {
        {.is_memory = true, .status = STET_E_NOMEM},
        {.call = MEMDISK_READ, .os_errno = EIO, .status = STET_E_IO},
        {.call = MEMDISK_WRITE, .os_errno = EIO, .status = STET_E_IO},
        {.call = MEMDISK_WRITE, .os_errno = ENOSPC, .status = STET_E_NOSPACE},
        {.call = MEMDISK_SYNC, .os_errno = EIO, .status = STET_E_IO},
    };
    logbook b;
    memdisk *first = NULL;
    begin(&b, &first);
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        reindex_with(&faults[i], first, &b);
    }
    b.opts.allocator = (stet_allocator){0};
    settler_open_ok(&b, first);
    settler_end(&b, first);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_question_survives_each_failed_allocation),
        cmocka_unit_test(test_a_question_survives_each_failed_read),
        cmocka_unit_test(test_settling_survives_each_failed_allocation),
        cmocka_unit_test(test_mending_an_index_survives_each_failure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
