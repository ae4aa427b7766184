#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "lib/failalloc.h"
#include "lib/logbook.h"
#include "lib/memdisk.h"
#include "lib/rounds.h"
#include "stores/embedded/embedded.h"

enum { NAMES_MAX = 64, SECOND = 1000000000 };

static void open_ok(logbook *b, memdisk *disk)
{
    logbook_open_ok(b, &stet__embedded_driver, "d", memdisk_os(disk));
}

static stet_info info_of(logbook *b)
{
    stet_info info = {0};
    assert_int_equal(b->log->ops->info(b->log, &info, NULL), STET_OK);
    return info;
}

static void begin(logbook *b, memdisk **disk, uint64_t seed)
{
    *disk = memdisk_create(seed);
    logbook_init(b, seed);
    open_ok(b, *disk);
}

static void end(logbook *b, memdisk *disk)
{
    logbook_close_ok(b);
    logbook_deinit(b);
    memdisk_destroy(disk);
}

/* A segment must answer alike from its image and from its index. */
static void test_sealing_changes_no_answer(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 4; seed++) {
        logbook b;
        memdisk *disk = NULL;
        begin(&b, &disk, seed);
        while (info_of(&b).segments < 3) {
            logbook_write_ok(&b, 7);
        }
        assert_true(info_of(&b).unsealed > 1);
        logbook_check(&b, b.next);
        stet_info before = info_of(&b);
        assert_int_equal(logbook_steps(&b, NULL), STET_OK);
        stet_info after = info_of(&b);
        assert_int_equal(after.unsealed, 1);
        assert_int_equal(after.segments, before.segments);
        assert_int_equal(after.log_bytes, before.log_bytes);
        assert_int_equal(after.state_raw_bytes, before.state_raw_bytes);
        assert_true(after.index_bytes > before.index_bytes);
        logbook_check(&b, b.next);
        end(&b, disk);
    }
}

/* Memory is bounded by three images also where no keeper comes by. */
static void test_writers_seal_where_no_keeper_does(void **state)
{
    (void)state;
    logbook b;
    memdisk *disk = NULL;
    begin(&b, &disk, 2);
    uint64_t most = 0;
    for (int i = 0; i < 300; i++) {
        logbook_write_ok(&b, 5);
        uint64_t unsealed = info_of(&b).unsealed;
        most = unsealed > most ? unsealed : most;
    }
    assert_int_equal(most, 3);
    assert_true(info_of(&b).segments > 6);
    logbook_check_records(&b, b.next);
    end(&b, disk);
}

static uint64_t used_space(memdisk *disk)
{
    const char *names[NAMES_MAX];
    uint64_t used = 0;
    for (size_t i = memdisk_names(disk, names, NAMES_MAX); i > 0; i--) {
        size_t len = 0;
        (void)memdisk_bytes(disk, names[i - 1], &len);
        used += len;
    }
    return used;
}

/* Sealing gives memory back, also where there is no space for a spare. */
static void test_segments_are_sealed_where_no_spare_can_be(void **state)
{
    (void)state;
    logbook b;
    memdisk *disk = NULL;
    begin(&b, &disk, 8);
    while (info_of(&b).segments < 2) {
        logbook_write_ok(&b, 7);
    }
    for (int i = 0; i < 6; i++) {
        logbook_write_ok(&b, 7); /* so that the next segment is due */
    }
    memdisk_set_space(disk, used_space(disk) + 32 * 1024);
    assert_int_equal(info_of(&b).unsealed, 2);
    assert_int_equal(logbook_steps(&b, NULL), STET_E_NOSPACE);
    assert_int_equal(info_of(&b).unsealed, 1);
    memdisk_set_space(disk, UINT64_MAX);
    assert_int_equal(logbook_steps(&b, NULL), STET_OK);
    logbook_check(&b, b.next);
    end(&b, disk);
}

/* A busy machine's past is reached in hops, not segment by segment. */
static void test_an_old_version_is_reached_by_jumps(void **state)
{
    (void)state;
    logbook b;
    memdisk *disk = NULL;
    begin(&b, &disk, 3);
    b.machine_count = 1;
    b.body_max = 60;
    while (info_of(&b).segments < 60) {
        logbook_write_ok(&b, 80);
        assert_int_equal(logbook_steps(&b, NULL), STET_OK);
    }
    logbook_seek_first(&b, "machine:0"); /* for the tables, which stay */
    unsigned reads = memdisk_reads(disk);
    logbook_seek_first(&b, "machine:0");
    assert_in_range(memdisk_reads(disk) - reads, 1, 30);
    logbook_check(&b, b.next);
    end(&b, disk);
}

/* The jumps of a fork's long runs lead into its parent's. */
static void test_jumps_cross_from_a_fork_into_its_parent(void **state)
{
    (void)state;
    logbook b;
    memdisk *disk = NULL;
    begin(&b, &disk, 7);
    for (int i = 0; i < 900; i++) {
        assert_int_equal(logbook_write_one(&b, "parent", 100, NULL), STET_OK);
    }
    uint64_t at = b.next - 1;
    assert_int_equal(logbook_fork(&b, "child", at, NULL), STET_OK);
    for (int i = 0; i < 900; i++) {
        assert_int_equal(logbook_write_one(&b, "parent", 100, NULL), STET_OK);
        assert_int_equal(logbook_write_one(&b, "child", 100, NULL), STET_OK);
        assert_int_equal(logbook_steps(&b, NULL), STET_OK);
    }
    stet_machine_key key = {.id = stet_str("child")};
    stet_bound bound = {STET_BY_SEQ, 0, 0};
    for (bound.value = 1; bound.value <= 1801; bound.value += 60) {
        stet_point p;
        assert_int_equal(b.log->ops->seek(b.log, key, bound, b.next, &p, NULL),
                         STET_OK);
        assert_int_equal(p.seq, bound.value);
        assert_true(bound.value > 900 || p.position == bound.value);
    }
    end(&b, disk);
}

/* An index that cannot be written is not needed: the next open makes it. */
static void test_a_close_without_space_for_an_index_is_clean(void **state)
{
    (void)state;
    logbook b;
    memdisk *disk = NULL;
    begin(&b, &disk, 4);
    b.opts.segment_bytes = 1024 * 1024;
    for (int i = 0; i < 3; i++) {
        logbook_write_ok(&b, 5);
    }
    /* The index would lie within the prewritten file: fill it first. */
    while (info_of(&b).log_bytes < 60000) {
        logbook_write_ok(&b, 5);
    }
    memdisk_fail_at(disk, MEMDISK_WRITE, 1, ENOSPC);
    logbook_close_ok(&b);
    uint64_t next = b.next;
    open_ok(&b, disk);
    assert_int_equal(b.start.next_position, next);
    assert_int_equal(b.start.torn_bytes, 0);
    assert_int_equal(info_of(&b).unsealed, 1);
    logbook_check(&b, b.next);
    logbook_write_ok(&b, 3);
    assert_int_equal(logbook_steps(&b, NULL), STET_OK);
    assert_int_equal(info_of(&b).unsealed, 1);
    logbook_check(&b, b.next);
    end(&b, disk);
}

/* Write until the disk dies, and cut the power. */
static void write_until_death(logbook *b, memdisk *disk, unsigned nth)
{
    memdisk_die_at(disk, nth);
    while (!memdisk_is_dead(disk)) {
        (void)logbook_write(b, 5, NULL);
    }
    (void)logbook_close(b, false, NULL);
    logbook_power_cut(b);
    memdisk_crash(disk, true);
}

/* What a cut file's end rests on must outlive the tearing of a slot. */
static void test_a_file_cut_without_an_index_outlives_a_power_cut(void **state)
{
    (void)state;
    uint64_t seeds = rounds(40);
    for (uint64_t seed = 1; seed <= seeds; seed++) {
        logbook b;
        memdisk *disk = NULL;
        begin(&b, &disk, seed);
        logbook_write_ok(&b, 5);
        memdisk_fail_at(disk, MEMDISK_WRITE, 1, ENOSPC);
        logbook_close_ok(&b);
        assert_true(memdisk_has_failed(disk));
        open_ok(&b, disk);
        write_until_death(&b, disk, 1 + (unsigned)(seed % 10));
        open_ok(&b, disk);
        logbook_check(&b, b.next);
        end(&b, disk);
    }
}

/*
 * Where memory ran out the file may have its index already. It is written once
 * more, and that fails: then the one that was there must not count either.
 */
static void test_sealing_again_may_fail_without_damage(void **state)
{
    (void)state;
    bool is_hit = true;
    for (unsigned nth = 1; is_hit; nth += rounds_stride()) {
        logbook b;
        memdisk *disk = memdisk_create(nth);
        failalloc f;
        failalloc_init(&f, 0);
        logbook_init(&b, nth);
        b.opts.allocator = failalloc_allocator(&f);
        open_ok(&b, disk);
        while (info_of(&b).segments < 2) {
            logbook_write_ok(&b, 5);
        }
        f.nth = f.calls + nth;
        (void)logbook_steps(&b, NULL); /* as far as it comes */
        is_hit = f.is_hit;
        f.nth = 0;
        memdisk_fail_at(disk, MEMDISK_WRITE, 1, EIO);
        (void)logbook_steps(&b, NULL);
        (void)logbook_close(&b, false, NULL);
        memdisk_crash(disk, true);
        open_ok(&b, disk);
        logbook_check(&b, b.next);
        end(&b, disk);
        failalloc_assert_clean(&f);
    }
}

/* An idle store says what is durable: from then on damage to it shows. */
static void test_an_idle_store_marks_what_is_durable(void **state)
{
    (void)state;
    logbook b;
    memdisk *disk = NULL;
    begin(&b, &disk, 5);
    logbook_write_ok(&b, 5);
    logbook_write_ok(&b, 5);
    uint64_t last = b.next - 5;
    logbook reader = b;
    reader.opts.mode = STET_OPEN_READONLY;
    open_ok(&reader, disk);
    assert_int_equal(reader.start.next_position, last);
    logbook_close_ok(&reader);

    bool has_more = true;
    int64_t due = 0;
    while (has_more) {
        assert_int_equal(b.log->ops->step(b.log, &has_more, &due, NULL),
                         STET_OK);
    }
    assert_true(due > 0);
    memdisk_advance(disk, SECOND);
    assert_int_equal(logbook_steps(&b, NULL), STET_OK);
    assert_int_equal(b.log->ops->step(b.log, &has_more, &due, NULL), STET_OK);
    assert_int_equal(due, 0);
    open_ok(&reader, disk);
    assert_int_equal(reader.start.next_position, b.next);
    logbook_close_ok(&reader);
    end(&b, disk);
}

/* Verifying counts what there is and finds a sound store sound. */
static void test_a_sound_log_verifies(void **state)
{
    (void)state;
    logbook b;
    memdisk *disk = NULL;
    begin(&b, &disk, 6);
    for (int i = 0; i < 100; i++) {
        logbook_write_ok(&b, 5);
    }
    assert_int_equal(logbook_steps(&b, NULL), STET_OK);
    stet_verify_report report = {0};
    stet_error err = {0};
    assert_int_equal(b.log->ops->verify(b.log, NULL, NULL, &report, &err),
                     STET_OK);
    assert_int_equal(report.records, b.next - 1);
    assert_int_equal(report.frames, 100);
    assert_true(report.index_blocks > 0);
    assert_int_equal(report.index_damaged, 0);
    uint64_t rebuilt = 7;
    assert_int_equal(b.log->ops->reindex(b.log, &rebuilt, &err), STET_OK);
    assert_int_equal(rebuilt, 0);
    end(&b, disk);
}

static bool stop_at_the_second(void *ctx, uint64_t done, uint64_t total)
{
    *(uint64_t *)ctx = total;
    return done < 2;
}

/* Who stops it hears where; what was counted by then is told. */
static void test_verifying_can_be_stopped(void **state)
{
    (void)state;
    logbook b;
    memdisk *disk = NULL;
    begin(&b, &disk, 6);
    while (info_of(&b).segments < 4) {
        logbook_write_ok(&b, 5);
    }
    uint64_t total = 0;
    stet_verify_report report = {0};
    stet_error err = {0};
    assert_int_equal(
        b.log->ops->verify(b.log, stop_at_the_second, &total, &report, &err),
        STET_E_PARTIAL);
    assert_int_equal(total, 4);
    assert_string_equal(err.text, "stopped after 2 of 4 files");
    assert_in_range(report.records, 1, b.next - 2);
    end(&b, disk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sealing_changes_no_answer),
        cmocka_unit_test(test_writers_seal_where_no_keeper_does),
        cmocka_unit_test(test_segments_are_sealed_where_no_spare_can_be),
        cmocka_unit_test(test_an_old_version_is_reached_by_jumps),
        cmocka_unit_test(test_jumps_cross_from_a_fork_into_its_parent),
        cmocka_unit_test(test_a_close_without_space_for_an_index_is_clean),
        cmocka_unit_test(test_a_file_cut_without_an_index_outlives_a_power_cut),
        cmocka_unit_test(test_an_idle_store_marks_what_is_durable),
        cmocka_unit_test(test_sealing_again_may_fail_without_damage),
        cmocka_unit_test(test_a_sound_log_verifies),
        cmocka_unit_test(test_verifying_can_be_stopped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
