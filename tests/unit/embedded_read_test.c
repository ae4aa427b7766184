#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "lib/logbook.h"
#include "lib/memdisk.h"
#include "lib/tmpdir.h"
#include "stores/embedded/embedded.h"

static void begin(logbook *b, memdisk **disk, uint64_t seed)
{
    *disk = memdisk_create(seed);
    logbook_init(b, seed);
    logbook_open_ok(b, &stet__embedded_driver, "d", memdisk_os(*disk));
}

static void end(logbook *b, memdisk *disk)
{
    logbook_close_ok(b);
    logbook_deinit(b);
    memdisk_destroy(disk);
}

/* A cut of the store may fall anywhere, also within a sealed segment. */
static void test_nothing_at_or_above_the_bound_is_seen(void **state)
{
    (void)state;
    logbook b;
    memdisk *disk = NULL;
    begin(&b, &disk, 1);
    for (int i = 0; i < 160; i++) {
        logbook_write_ok(&b, 6);
        if (i < 120) {
            assert_int_equal(logbook_steps(&b, NULL), STET_OK);
        }
    }
    for (uint64_t below = 1; below <= b.next; below += 61) {
        logbook_check(&b, below);
    }
    end(&b, disk);
}

/* What is above the watermark is not there yet, whoever asks for it. */
static void test_a_position_that_is_not_published_is_not_found(void **state)
{
    (void)state;
    logbook b;
    memdisk *disk = NULL;
    begin(&b, &disk, 2);
    logbook_write_ok(&b, 3);
    stet_log_reader *r = b.log->ops->reader_create(b.log);
    assert_non_null(r);
    stet_logged got;
    uint64_t at[] = {0, b.next, b.next + 1, UINT64_MAX};
    for (size_t i = 0; i < sizeof at / sizeof at[0]; i++) {
        assert_int_equal(b.log->ops->reader_read(r, at[i], &got, NULL),
                         STET_E_NOT_FOUND);
    }
    b.log->ops->reader_destroy(r);
    end(&b, disk);
}

/* A listing is of one moment, whatever is written and sealed meanwhile. */
static void test_a_listing_outlives_sealing(void **state)
{
    (void)state;
    logbook b;
    memdisk *disk = NULL;
    begin(&b, &disk, 3);
    for (int i = 0; i < 60; i++) {
        logbook_write_ok(&b, 6);
    }
    stet_log_cursor *cursor = NULL;
    stet_heads_range range = {.below = b.next};
    assert_int_equal(b.log->ops->heads_open(b.log, &range, &cursor, NULL),
                     STET_OK);
    stet_head_entry got;
    size_t count = 0;
    uint64_t below = b.next;
    while (b.log->ops->heads_next(cursor, &got, NULL) == STET_OK) {
        assert_true(got.position < below);
        count++;
        logbook_write_ok(&b, 6);
        assert_int_equal(logbook_steps(&b, NULL), STET_OK);
    }
    assert_true(count > 6);
    b.log->ops->heads_close(cursor);
    logbook_check(&b, b.next);
    end(&b, disk);
}

/* Lent bytes stay while their segment is sealed under the reader. */
static void test_a_reader_outlives_sealing(void **state)
{
    (void)state;
    logbook b;
    memdisk *disk = NULL;
    begin(&b, &disk, 4);
    for (int i = 0; i < 40; i++) {
        logbook_write_ok(&b, 6);
    }
    stet_log_reader *r = b.log->ops->reader_create(b.log);
    assert_non_null(r);
    stet_logged got;
    for (uint64_t p = 1; p < 200; p += 7) {
        assert_int_equal(b.log->ops->reader_read(r, p, &got, NULL), STET_OK);
        logbook_write_ok(&b, 6);
        assert_int_equal(logbook_steps(&b, NULL), STET_OK);
        assert_int_equal(got.bytes.len, b.events[p - 1].len);
        assert_memory_equal(got.bytes.ptr, b.events[p - 1].bytes,
                            got.bytes.len);
    }
    b.log->ops->reader_rest(r);
    assert_int_equal(b.log->ops->reader_read(r, 1, &got, NULL), STET_OK);
    assert_memory_equal(got.bytes.ptr, b.events[0].bytes, got.bytes.len);
    b.log->ops->reader_destroy(r);
    end(&b, disk);
}

/* The newest record of machine:0 in whose history nothing is after `time`. */
static uint64_t newest_by(const logbook *b, int64_t time)
{
    uint64_t p = b->next - 1;
    while (p > 0 && (strcmp(b->events[p - 1].id, "machine:0") != 0 ||
                     b->events[p - 1].occurred_max > time)) {
        p--;
    }
    return p;
}

/* A sealed segment of one machine, its times evenly apart or ever further. */
static void write_times(logbook *b, bool is_even)
{
    b->machine_count = 1;
    for (int i = 0; i < 240; i++) {
        b->recorded += is_even ? 100000 : b->recorded / 8;
        logbook_write_ok(b, 1);
    }
    logbook_close_ok(b);
}

/* The most reads that finding a time takes, once tables are loaded. */
static unsigned most_reads(logbook *b, memdisk *disk)
{
    unsigned most = 0;
    stet_machine_key key = {.id = stet_str("machine:0")};
    for (uint64_t position = 1; position < b->next; position++) {
        int64_t time = b->events[position - 1].occurred_max;
        stet_bound bound = {STET_BY_OCCURRED, 0, time};
        stet_point got;
        unsigned before = memdisk_reads(disk);
        assert_int_equal(
            b->log->ops->seek(b->log, key, bound, b->next, &got, NULL),
            STET_OK);
        assert_int_equal(got.position, newest_by(b, time));
        unsigned reads = memdisk_reads(disk) - before;
        most = position > 1 && reads > most ? reads : most;
    }
    return most;
}

/* A past time is looked for where it ought to be, and found wherever it is. */
static void test_a_time_is_found_in_few_reads(void **state)
{
    (void)state;
    for (int is_even = 0; is_even < 2; is_even++) {
        logbook b;
        memdisk *disk = memdisk_create(5);
        logbook_init(&b, 5);
        b.opts.segment_bytes = 1024 * 1024;
        logbook_open_ok(&b, &stet__embedded_driver, "d", memdisk_os(disk));
        write_times(&b, is_even);
        logbook_open_ok(&b, &stet__embedded_driver, "d", memdisk_os(disk));
        unsigned most = most_reads(&b, disk);
        /* Blocks of directory, list and slots; the rest are looks. */
        assert_in_range(most, 3, is_even ? 3 + 7 : 3 + 2 * 8);
        end(&b, disk);
    }
}

/* Readers, a writer and a keeper at once: run it with a race detector. */
typedef struct crew {
    stet_log *log;
    _Atomic uint64_t watermark;
    _Atomic bool is_over;
    _Atomic uint64_t reads;
    _Atomic uint64_t faults;
} crew;

static void read_along(void *ctx)
{
    crew *c = ctx;
    rng random = {99};
    const stet_log_ops *ops = c->log->ops;
    stet_log_reader *r = ops->reader_create(c->log);
    while (!atomic_load(&c->is_over)) {
        uint64_t below = atomic_load(&c->watermark);
        if (below < 2) {
            continue;
        }
        uint64_t position = 1 + rng_below(&random, below - 1);
        char id[32];
        (void)snprintf(id, sizeof id, "machine:%u",
                       (unsigned)rng_below(&random, 3));
        stet_machine_key key = {.id = stet_str(id)};
        stet_bound bound = {STET_BY_POSITION, position, 0};
        stet_point point;
        stet_logged logged;
        uint64_t at = 0;
        stet_status st = ops->seek(c->log, key, bound, below, &point, NULL);
        bool is_fault = st != STET_OK && st != STET_E_NOT_FOUND;
        is_fault = is_fault || (st == STET_OK && point.position > position);
        is_fault = is_fault || ops->reader_read(r, position, &logged, NULL);
        is_fault = is_fault || ops->at_recorded(c->log, 2000, below, &at, NULL);
        atomic_fetch_add(&c->faults, is_fault);
        atomic_fetch_add(&c->reads, 1);
    }
    ops->reader_destroy(r);
}

/* Reads need no lock of the writer, and find what they were told is there. */
static void test_readers_run_beside_writing_and_sealing(void **state)
{
    (void)state;
    tmpdir dir;
    tmpdir_create(&dir);
    stet_os *os = stet__os_posix();
    logbook b;
    logbook_init(&b, 5);
    logbook_open_ok(&b, &stet__embedded_driver, dir.path, os);
    crew c = {.log = b.log};
    uint64_t threads[2];
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(os->thread_start(os, read_along, &c, &threads[i]), 0);
    }
    for (int i = 0; i < 200 || atomic_load(&c.reads) < 500; i++) {
        logbook_write_ok(&b, 6);
        atomic_store(&c.watermark, b.next);
        if (i % 3 == 0) {
            assert_int_equal(logbook_steps(&b, NULL), STET_OK);
        }
    }
    atomic_store(&c.is_over, true);
    for (size_t i = 0; i < 2; i++) {
        os->thread_join(os, threads[i]);
    }
    assert_int_equal(atomic_load(&c.faults), 0);
    logbook_check_records(&b, b.next);
    logbook_close_ok(&b);
    logbook_deinit(&b);
    tmpdir_remove(&dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_at_or_above_the_bound_is_seen),
        cmocka_unit_test(test_a_position_that_is_not_published_is_not_found),
        cmocka_unit_test(test_a_listing_outlives_sealing),
        cmocka_unit_test(test_a_reader_outlives_sealing),
        cmocka_unit_test(test_a_time_is_found_in_few_reads),
        cmocka_unit_test(test_readers_run_beside_writing_and_sealing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
