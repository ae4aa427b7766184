/*
 * Questions to a log with settled, sealed and live segments, of which each
 * allocation and each call of the disk fails once: the answer is the right one
 * or the failure, and the same question asked again is answered.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "core/index.h"
#include "lib/fault.h"
#include "lib/logbook.h"
#include "lib/questions.h"
#include "lib/rounds.h"
#include "lib/settler.h"

/*
 * Ask a store that was killed, with the nth thing failing; false: there were
 * fewer.
 */
static bool ask_with(logbook *b, fault *f, questions_fn ask, size_t nth,
                     const stet_buf *due)
{
    stet_buf got;
    stet_error err = {0};
    stet__buf_init(&got, &stet__heap);
    f->disk = memdisk_copy(f->first);
    fault_open(b, f);
    fault_arm(f, nth);
    stet_status st = ask(b, &got, &err);
    bool was_reached = fault_disarm(f);
    if (st == STET_OK) {
        questions_assert_same(&got, due);
    } else {
        assert_true(was_reached);
        assert_int_equal(st, f->status);
    }
    questions_ask_ok(b, ask, &got);
    questions_assert_same(&got, due);
    logbook_close_ok(b);
    failalloc_assert_clean(&f->memory);
    memdisk_destroy(f->disk);
    stet__buf_deinit(&got);
    return was_reached;
}

static size_t ask_all_with(fault *f)
{
    logbook b;
    stet_buf due;
    size_t reached = 0;
    questions_begin(&b, &f->first, false);
    stet__buf_init(&due, &stet__heap);
    for (size_t i = 0; i < QUESTIONS; i++) {
        f->disk = memdisk_copy(f->first);
        settler_open_ok(&b, f->disk);
        questions_ask_ok(&b, questions[i], &due);
        logbook_close_ok(&b);
        memdisk_destroy(f->disk);
        size_t nth = 1;
        while (ask_with(&b, f, questions[i], nth, &due)) {
            nth += rounds_stride() + nth / 40;
            reached++;
        }
        b.opts.allocator = (stet_allocator){0};
    }
    stet__buf_deinit(&due);
    settler_open_ok(&b, f->first);
    settler_end(&b, f->first);
    return reached;
}

/* A reader without memory is told so, and nobody else notices. */
static void test_a_question_survives_each_failed_allocation(void **state)
{
    (void)state;
    fault f = {.is_memory = true, .status = STET_E_NOMEM};
    assert_true(ask_all_with(&f) > QUESTIONS);
}

/* What a cable does once is not taken for damage, and not remembered. */
static void test_a_question_survives_each_failed_read(void **state)
{
    (void)state;
    fault f = {.call = MEMDISK_READ, .os_errno = EIO, .status = STET_E_IO};
    assert_true(ask_all_with(&f) > QUESTIONS);
}

/* Verifying opens files anew, to read them past the page cache. */
static void test_a_question_survives_each_file_that_does_not_open(void **state)
{
    (void)state;
    fault f = {
        .call = MEMDISK_OPEN, .os_errno = EMFILE, .status = STET_E_NOMEM};
    assert_true(ask_all_with(&f) > 0);
}

/* A store of segments that wait to be settled, closed. */
static void begin_unsettled(logbook *b, memdisk **disk, unsigned machines)
{
    *disk = memdisk_create(5);
    logbook_init(b, 5);
    b->opts.settle_segments = 3;
    b->machine_count = machines;
    settler_open_ok(b, *disk);
    settler_write_segments(b, 4);
    logbook_close_ok(b);
}

/* Settle a copy with the nth thing failing, then again; was it reached? */
static bool settle_with(logbook *b, fault *f, size_t nth)
{
    f->disk = memdisk_copy(f->first);
    fault_open(b, f);
    fault_arm(f, nth);
    stet_status st = settler_settle_all(b, NULL);
    bool is_reached = fault_disarm(f);
    assert_true(st == STET_OK || (is_reached && st == f->status));
    assert_int_equal(settler_settle_all(b, NULL), STET_OK);
    assert_true(settler_info_of(b).sets > 0);
    assert_int_equal(settler_info_of(b).settled, b->next - 1);
    settler_verify_ok(b);
    logbook_check_records(b, b->next);
    logbook_close_ok(b);
    failalloc_assert_clean(&f->memory);
    assert_int_equal(settler_count_names(f->disk, "tmp-"), 0);
    memdisk_destroy(f->disk);
    return is_reached;
}

/*
 * A settler that lacks something gives up what it began; later it does it
 * again. Of two machines the runs are long enough for jumps.
 */
static void test_settling_survives_each_failure(void **state)
{
    (void)state;
    static const unsigned machines[] = {8, 2};
    for (size_t i = 0; i < 2; i++) {
        logbook b;
        memdisk *first = NULL;
        begin_unsettled(&b, &first, machines[i]);
        fault faults[] = {
            {.is_memory = true, .status = STET_E_NOMEM},
            {.call = MEMDISK_READ, .os_errno = EIO, .status = STET_E_IO},
        };
        for (size_t k = 0; k < 2; k++) {
            faults[k].first = first;
            size_t nth = 1;
            while (settle_with(&b, &faults[k], nth)) {
                nth += rounds_stride() + nth / 20;
            }
        }
        b.opts.allocator = (stet_allocator){0};
        settler_open_ok(&b, first);
        settler_end(&b, first);
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
        fault_open(b, f);
        assert_int_equal(b->log->ops->verify(b->log, NULL, NULL, &report, NULL),
                         STET_E_CORRUPT);
        fault_arm(f, nth);
        stet_status st = b->log->ops->reindex(b->log, &rebuilt, NULL);
        is_reached = fault_disarm(f);
        assert_true(st == STET_OK || (is_reached && st == f->status));
        logbook_close(b, false, NULL);
        failalloc_assert_clean(&f->memory);
        fault_open(b, f);
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
        {.call = MEMDISK_OPEN, .os_errno = EMFILE, .status = STET_E_NOMEM},
        {.call = MEMDISK_LINK, .os_errno = EIO, .status = STET_E_IO},
        {.call = MEMDISK_SIZE, .os_errno = EIO, .status = STET_E_IO},
        {.call = MEMDISK_RANDOM, .os_errno = EIO, .status = STET_E_IO},
    };
    logbook b;
    memdisk *first = NULL;
    questions_begin(&b, &first, true);
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
        cmocka_unit_test(test_a_question_survives_each_file_that_does_not_open),
        cmocka_unit_test(test_settling_survives_each_failure),
        cmocka_unit_test(test_mending_an_index_survives_each_failure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
