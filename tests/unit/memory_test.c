#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "lib/failalloc.h"
#include "lib/logbook.h"
#include "os/os.h"
#include "stores/memory/memory.h"

static void open_book(logbook *b, uint64_t seed)
{
    stet_error err = {0};
    logbook_init(b, seed);
    assert_int_equal(
        logbook_open(b, &stet__memory_driver, "", stet__os_posix(), &err),
        STET_OK);
}

static void close_book(logbook *b)
{
    assert_int_equal(logbook_close(b, true, NULL), STET_OK);
    logbook_deinit(b);
}

/* Everything else rests on this: the memory store is the engine's other leg. */
static void test_every_answer_is_that_of_a_plain_search(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 3; seed++) {
        logbook b;
        open_book(&b, seed);
        while (b.next < 2000) {
            assert_int_equal(
                logbook_write(&b, 1 + (unsigned)(b.next % 9), NULL), STET_OK);
        }
        logbook_check(&b, b.next);
        stet_info info = {0};
        assert_int_equal(b.log->ops->info(b.log, &info, NULL), STET_OK);
        assert_true(info.segments > 2);
        assert_int_equal(info.events, b.next - 1);
        close_book(&b);
    }
}

/* A cut of the store shows it as it was: nothing above it shines through. */
static void test_nothing_at_or_above_the_bound_is_seen(void **state)
{
    (void)state;
    logbook b;
    open_book(&b, 7);
    while (b.next < 1000) {
        assert_int_equal(logbook_write(&b, 5, NULL), STET_OK);
    }
    for (uint64_t below = 1; below <= b.next; below += 83) {
        logbook_check(&b, below);
    }
    close_book(&b);
}

/* A full store says so, keeps what it has and goes on to answer. */
static void test_a_full_store_refuses_writes_and_keeps_the_rest(void **state)
{
    (void)state;
    logbook b;
    logbook_init(&b, 11);
    b.opts.memory_bytes_max = 3 * 64 * 1024;
    assert_int_equal(
        logbook_open(&b, &stet__memory_driver, "", stet__os_posix(), NULL),
        STET_OK);
    stet_error err = {0};
    stet_status st = STET_OK;
    while (st == STET_OK) {
        st = logbook_write(&b, 4, &err);
    }
    assert_int_equal(st, STET_E_NOSPACE);
    assert_non_null(strstr(err.text, "memory_bytes_max of 196608 reached"));
    assert_true(b.next > 100);
    logbook_check(&b, b.next);
    close_book(&b);
}

/* A batch larger than a segment gets a segment of its own size. */
static void test_a_batch_larger_than_a_segment_is_kept_whole(void **state)
{
    (void)state;
    logbook b;
    open_book(&b, 13);
    assert_int_equal(logbook_write(&b, 3, NULL), STET_OK);
    assert_int_equal(logbook_write_one(&b, "large", 300 * 1024, NULL), STET_OK);
    assert_int_equal(logbook_write(&b, 3, NULL), STET_OK);
    logbook_check(&b, b.next);
    close_book(&b);
}

/* The shortest records fill the slots of a segment before its bytes. */
static void test_the_shortest_records_overflow_no_segment(void **state)
{
    (void)state;
    logbook b;
    logbook_init(&b, 17);
    b.body_max = 1;
    b.machine_count = 2;
    assert_int_equal(
        logbook_open(&b, &stet__memory_driver, "", stet__os_posix(), NULL),
        STET_OK);
    for (int i = 0; i < 12; i++) {
        assert_int_equal(logbook_write(&b, 700, NULL), STET_OK);
    }
    logbook_check_records(&b, b.next);
    close_book(&b);
}

/* Running out of memory is an answer, and costs nothing but that call. */
static void test_each_failed_allocation_is_answered_and_loses_nothing(void **s)
{
    (void)s;
    for (size_t nth = 1;; nth++) {
        failalloc f;
        failalloc_init(&f, nth);
        logbook b;
        logbook_init(&b, 19);
        b.opts.allocator = failalloc_allocator(&f);
        stet_status st =
            logbook_open(&b, &stet__memory_driver, "", stet__os_posix(), NULL);
        if (st == STET_OK) {
            for (int i = 0; i < 40; i++) {
                st = logbook_write(&b, 9, NULL);
                assert_true(st == STET_OK || st == STET_E_NOMEM);
            }
            stet_log_cursor *c = NULL;
            st = b.log->ops->heads_open(
                b.log, &(stet_heads_range){.below = b.next}, &c, NULL);
            assert_true(st == STET_OK || st == STET_E_NOMEM);
            b.log->ops->heads_close(c);
            c = NULL;
            st = b.log->ops->walk_open(b.log, b.next, &c, NULL);
            assert_int_equal(st, c == NULL ? STET_E_NOMEM : STET_OK);
            b.log->ops->walk_close(c);
            logbook_check_records(&b, b.next);
            assert_int_equal(logbook_close(&b, true, NULL), STET_OK);
        } else {
            assert_int_equal(st, STET_E_NOMEM);
        }
        logbook_deinit(&b);
        failalloc_assert_clean(&f);
        if (!f.is_hit) {
            break;
        }
    }
}

/* A store before its first event has answers, too. */
static void test_an_empty_store_holds_nothing(void **state)
{
    (void)state;
    logbook b;
    open_book(&b, 21);
    const stet_log_ops *ops = b.log->ops;
    stet_machine_key key = {.id = stet_str("m")};
    stet_bound newest = {.dimension = STET_BY_SEQ, .value = UINT64_MAX};
    stet_point p = {0};
    stet_logged l;
    stet_log_reader *r = ops->reader_create(b.log);
    assert_int_equal(ops->seek(b.log, key, newest, 1, &p, NULL),
                     STET_E_NOT_FOUND);
    assert_int_equal(ops->reader_read(r, 0, &l, NULL), STET_E_NOT_FOUND);
    assert_int_equal(ops->reader_read(r, 1, &l, NULL), STET_E_NOT_FOUND);
    assert_int_equal(logbook_write(&b, 1, NULL), STET_OK);
    assert_int_equal(ops->reader_read(r, 0, &l, NULL), STET_E_NOT_FOUND);
    assert_int_equal(ops->reader_read(r, 1, &l, NULL), STET_OK);
    assert_int_equal(ops->reader_read(r, 2, &l, NULL), STET_E_NOT_FOUND);
    ops->reader_destroy(r);
    close_book(&b);
}

/* Memory rots as well, and whoever verifies is told where. */
static void test_a_changed_byte_is_told(void **state)
{
    (void)state;
    logbook b;
    open_book(&b, 23);
    while (b.next < 900) {
        assert_int_equal(logbook_write(&b, 9, NULL), STET_OK);
    }
    const stet_log_ops *ops = b.log->ops;
    stet_logged l;
    stet_log_reader *r = ops->reader_create(b.log);
    assert_int_equal(ops->reader_read(r, 450, &l, NULL), STET_OK);
    uint8_t *byte = (uint8_t *)(uintptr_t)l.bytes.ptr + l.bytes.len - 1;
    stet_verify_report report = {0};
    stet_error err = {0};
    *byte ^= 1;
    assert_int_equal(ops->verify(b.log, NULL, NULL, &report, &err),
                     STET_E_CORRUPT);
    assert_non_null(strstr(err.text, "image "));
    assert_non_null(strstr(err.text, " at offset "));
    *byte ^= 1;
    assert_int_equal(ops->verify(b.log, NULL, NULL, &report, &err), STET_OK);
    ops->reader_destroy(r);
    close_book(&b);
}

/* A name or a mode that promises old content is refused, not ignored. */
static void test_a_memory_store_is_new_and_has_no_name(void **state)
{
    (void)state;
    logbook b;
    logbook_init(&b, 1);
    assert_int_equal(
        logbook_open(&b, &stet__memory_driver, "x", stet__os_posix(), NULL),
        STET_E_INVALID);
    b.opts.mode = STET_OPEN_EXISTING;
    assert_int_equal(
        logbook_open(&b, &stet__memory_driver, "", stet__os_posix(), NULL),
        STET_E_NOT_FOUND);
    logbook_deinit(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_answer_is_that_of_a_plain_search),
        cmocka_unit_test(test_nothing_at_or_above_the_bound_is_seen),
        cmocka_unit_test(test_a_full_store_refuses_writes_and_keeps_the_rest),
        cmocka_unit_test(test_a_batch_larger_than_a_segment_is_kept_whole),
        cmocka_unit_test(test_the_shortest_records_overflow_no_segment),
        cmocka_unit_test(
            test_each_failed_allocation_is_answered_and_loses_nothing),
        cmocka_unit_test(test_an_empty_store_holds_nothing),
        cmocka_unit_test(test_a_changed_byte_is_told),
        cmocka_unit_test(test_a_memory_store_is_new_and_has_no_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
