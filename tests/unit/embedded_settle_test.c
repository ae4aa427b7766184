/*
 * Settling on a disk that behaves as badly as one may. What the log answers is
 * compared with a plain search, before, meanwhile and after.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/index.h"
#include "lib/logbook.h"
#include "lib/memdisk.h"
#include "lib/rounds.h"
#include "lib/settler.h"
#include "stores/embedded/embedded.h"
#include "stores/embedded/settle.h"

/* What was read from segments must be what is read from their set. */
static void test_settling_changes_no_answer(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 4; seed++) {
        logbook b;
        memdisk *disk = NULL;
        settler_begin(&b, &disk, seed);
        for (int round = 1; round <= 3; round++) {
            settler_write_segments(&b, 7);
            logbook_check(&b, b.next);
            stet_info before = settler_info_of(&b);
            settler_make_a_pause(&b, disk);
            assert_int_equal(logbook_steps(&b, NULL), STET_OK);
            stet_info after = settler_info_of(&b);
            assert_true(after.sets > before.sets);
            assert_true(after.settled > before.settled);
            assert_int_equal(after.state_raw_bytes, before.state_raw_bytes);
            logbook_check(&b, b.next);
            settler_verify_ok(&b);
        }
        logbook_close_ok(&b);
        settler_open_ok(&b, disk);
        assert_true(settler_info_of(&b).sets >= 3);
        logbook_check(&b, b.next);
        settler_end(&b, disk);
    }
}

/*
 * Settling takes what writers need: it waits until they pause, but not for ever
 * while more and more waits for it.
 */
static void test_settling_waits_for_a_pause_but_not_for_ever(void **state)
{
    (void)state;
    logbook b;
    memdisk *disk = NULL;
    settler_begin(&b, &disk, 6);
    settler_write_segments(&b, 8);
    assert_int_equal(logbook_steps(&b, NULL), STET_OK);
    memdisk_advance(disk, 99999999);
    logbook_write_ok(&b, 1);
    assert_int_equal(logbook_steps(&b, NULL), STET_OK);
    memdisk_advance(disk, 99999999);
    int64_t due = 0;
    bool has_more = false;
    assert_int_equal(logbook_step(&b, &has_more, &due, NULL), STET_OK);
    assert_int_equal(settler_info_of(&b).sets, 0);
    stet_os *os = memdisk_os(disk);
    assert_int_equal(due - os->monotonic(os), 1); /* to look again */
    memdisk_advance(disk, 1);
    assert_int_equal(logbook_steps(&b, NULL), STET_OK);
    assert_true(settler_info_of(&b).sets > 0);

    uint64_t sets = settler_info_of(&b).sets;
    settler_write_segments(&b,
                           28); /* 3 make a set; 8 sets' worth is pressing */
    assert_int_equal(logbook_steps(&b, NULL), STET_OK);
    assert_true(settler_info_of(&b).sets > sets);
    settler_end(&b, disk);
}

/* The segments go, and a set takes less: else settling would be for nothing. */
static void test_the_disk_is_given_back(void **state)
{
    (void)state;
    logbook b;
    memdisk *disk = NULL;
    settler_begin(&b, &disk, 5);
    b.body_max = 20;
    b.machine_count = 2;
    settler_write_segments(&b, 12);
    stet_info before = settler_info_of(&b);
    size_t files = settler_count_names(disk, ".seg");
    settler_make_a_pause(&b, disk);
    assert_int_equal(logbook_steps(&b, NULL), STET_OK);
    stet_info after = settler_info_of(&b);
    assert_true(after.log_bytes < before.log_bytes * 2 / 3);
    assert_true(after.disk_bytes < before.disk_bytes * 2 / 3);
    assert_int_equal(settler_count_names(disk, ".seg"),
                     files - (before.segments - after.segments) +
                         STET_IDLE_MAX); /* kept for spares */
    assert_int_equal(settler_count_names(disk, ".set"), after.sets);
    settler_end(&b, disk);
}

/* A store at rest can be settled whole, and go on, and be settled again. */
static void test_a_store_at_rest_is_settled_whole(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 6; seed++) {
        logbook b;
        memdisk *disk = NULL;
        settler_begin(&b, &disk, seed);
        for (int round = 0; round < 4; round++) {
            settler_write_segments(&b, 1 + seed % 3);
            logbook_close_ok(&b);
            settler_open_ok(&b, disk);
            assert_int_equal(settler_settle_all(&b, NULL), STET_OK);
            assert_int_equal(settler_info_of(&b).segments, 0);
            assert_int_equal(settler_info_of(&b).settled, b.next - 1);
            logbook_check(&b, b.next);
            logbook_close_ok(&b);
            assert_true(settler_count_names(disk, ".seg") <= 1); /* a spare */
            settler_open_ok(&b, disk);
            assert_int_equal(b.start.torn_bytes, 0);
            logbook_check(&b, b.next);
            logbook_write_ok(&b, 5);
            if (round % 2 == 0) { /* and is killed */
                b.log->ops->close(b.log, false, NULL);
                memdisk_crash(disk, true);
                settler_open_ok(&b, disk);
            }
            logbook_check(&b, b.next);
        }
        settler_verify_ok(&b);
        settler_end(&b, disk);
    }
}

/* A past far away is reached in hops, from set to set. */
static void test_an_old_version_is_reached_through_sets(void **state)
{
    (void)state;
    logbook b;
    memdisk *disk = NULL;
    settler_begin(&b, &disk, 3);
    b.machine_count = 1;
    b.body_max = 60;
    while (settler_info_of(&b).sets < 20) {
        logbook_write_ok(&b, 80);
        assert_int_equal(logbook_steps(&b, NULL), STET_OK);
    }
    logbook_seek_first(&b, "machine:0"); /* for the tables, which stay */
    unsigned reads = memdisk_reads(disk);
    logbook_seek_first(&b, "machine:0");
    assert_in_range(memdisk_reads(disk) - reads, 1, 30);
    logbook_check(&b, b.next);
    settler_end(&b, disk);
}

/* Who reads while segments go must not notice, in this process or another. */
static void test_readers_do_not_notice(void **state)
{
    (void)state;
    logbook b;
    memdisk *disk = NULL;
    settler_begin(&b, &disk, 8);
    settler_write_segments(&b, 9);
    uint64_t synced = b.next;
    logbook other = b;
    other.opts.mode = STET_OPEN_READONLY;
    settler_open_ok(&other, disk);
    stet_log_reader *reader = b.log->ops->reader_create(b.log);
    stet_log_cursor *cursor = NULL;
    stet_heads_range range = {.below = b.next};
    stet_head_entry head;
    stet_logged logged;
    stet_error err = {0};
    assert_int_equal(b.log->ops->reader_read(reader, 3, &logged, &err),
                     STET_OK);
    assert_int_equal(b.log->ops->heads_open(b.log, &range, &cursor, &err),
                     STET_OK);
    settler_make_a_pause(&b, disk);
    bool has_more = true;
    while (has_more) {
        assert_int_equal(logbook_step(&b, &has_more, NULL, NULL), STET_OK);
        logbook_check_records(&b, b.next);
        logbook late = b;
        late.opts.mode = STET_OPEN_READONLY;
        settler_open_ok(&late, disk);
        assert_true(late.start.next_position + 14 >= synced);
        logbook_check_records(&late, late.start.next_position);
        logbook_close_ok(&late);
    }
    assert_true(settler_info_of(&b).sets > 0);
    for (uint64_t p = 1; p < synced; p += 5) {
        assert_int_equal(b.log->ops->reader_read(reader, p, &logged, &err),
                         STET_OK);
        assert_int_equal(logged.position, p);
    }
    unsigned heads = 0;
    while (b.log->ops->heads_next(cursor, &head, &err) == STET_OK) {
        heads++;
    }
    assert_true(heads > 5);
    b.log->ops->heads_close(cursor);
    b.log->ops->reader_destroy(reader);
    logbook_check_records(&other, other.start.next_position);
    logbook_close_ok(&other);
    settler_end(&b, disk);
}

/* A walk shows what was there when it began, in files that go meanwhile. */
static void test_a_walk_outlives_settling(void **state)
{
    (void)state;
    logbook b;
    memdisk *disk = NULL;
    settler_begin(&b, &disk, 9);
    settler_write_segments(&b, 7);
    uint64_t below = b.next;
    stet_log_cursor *walk = NULL;
    assert_int_equal(b.log->ops->walk_open(b.log, below, &walk, NULL), STET_OK);
    settler_make_a_pause(&b, disk);
    assert_int_equal(logbook_steps(&b, NULL), STET_OK);
    assert_true(settler_info_of(&b).sets > 0);
    settler_write_segments(&b, 4);
    logbook_check_walk(&b, walk, below);
    settler_end(&b, disk);
}

/* As the first segment was verified, the others are written, and settled. */
static bool settle_meanwhile(void *ctx, uint64_t done, uint64_t total)
{
    logbook *b = ctx;
    (void)total;
    for (int i = 0; done == 1 && i < 3; i++) {
        settler_write_segments(b, 8);
        assert_int_equal(settler_settle_all(b, NULL), STET_OK);
    }
    return true;
}

/* What was the live segment when it began may be a part of a set by then. */
static void test_verifying_goes_on_beside_settling(void **state)
{
    (void)state;
    logbook b;
    memdisk *disk = NULL;
    settler_begin(&b, &disk, 12);
    settler_write_segments(&b, 3);
    stet_verify_report report = {0};
    stet_error err = {0};
    stet_status st =
        b.log->ops->verify(b.log, settle_meanwhile, &b, &report, &err);
    assert_string_equal(err.text, "");
    assert_int_equal(st, STET_OK);
    assert_true(settler_info_of(&b).settled > 0);
    settler_end(&b, disk);
}

/* The same life up to its settling, for a fault at any place in it. */
static void live_up_to_settling(logbook *b, memdisk **disk, uint64_t seed)
{
    settler_begin(b, disk, seed);
    b->opts.settle_segments = 0;
    logbook_close_ok(b);
    settler_open_ok(b, *disk);
    settler_write_segments(b, 8);
    if (seed % 3 == 0) { /* at rest */
        logbook_close_ok(b);
        b->opts.settle_segments = 3;
        settler_open_ok(b, *disk);
        return;
    }
    b->opts.settle_segments = 3;
    b->log->ops->close(b->log, false, NULL);
    settler_open_ok(b, *disk);
    settler_write_segments(b, 8);
    settler_make_a_pause(b, *disk);
}

static stet_status settle_some(logbook *b, uint64_t seed)
{
    stet_status st =
        seed % 3 == 0 ? settler_settle_all(b, NULL) : logbook_steps(b, NULL);
    return st == STET_OK && seed % 2 == 0 ? settler_settle_all(b, NULL) : st;
}

static const settler_life settling = {live_up_to_settling, settle_some};

static void test_a_crash_anywhere_in_settling_loses_nothing(void **state)
{
    (void)state;
    uint64_t seeds = rounds(3);
    for (uint64_t seed = 1; seed <= seeds; seed++) {
        settler_crash_anywhere(&settling, seed, rounds_stride());
    }
}

static void test_a_failed_call_anywhere_in_settling_loses_nothing(void **state)
{
    (void)state;
    settler_fail_anywhere(&settling, 2,
                          (settler_strides){3 * rounds_stride(), 97});
}

/*
 * Segments that wait are bounded also where no settler comes by: writers keep
 * pace with what is merged, so that no more than another set's worth is added.
 */
static void test_writers_keep_pace_with_settling(void **state)
{
    (void)state;
    logbook b;
    memdisk *disk = NULL;
    settler_begin(&b, &disk, 6);
    logbook_close_ok(&b);
    b.opts.segment_bytes = 16384;
    b.opts.settle_segments = 16;
    settler_open_ok(&b, disk);
    uint64_t most = 0;
    for (int i = 0; i < 900; i++) {
        logbook_write_ok(&b, 2);
        uint64_t waiting = settler_info_of(&b).segments;
        most = waiting > most ? waiting : most;
    }
    assert_in_range(most, 257, 256 + 16 + 4);
    assert_true(settler_info_of(&b).sets > 0);
    logbook_check_records(&b, b.next);
    settler_end(&b, disk);
}

static void write_eagerly(logbook *b)
{
    for (int i = 0; i < 4; i++) {
        logbook_write_ok(b, 7);
    }
    bool has_more = true;
    while (has_more) { /* the keeper's */
        assert_int_equal(b->log->ops->step(b->log, &has_more, NULL, NULL),
                         STET_OK);
    }
}

/*
 * Whoever has the store compacted has what was there settled, and no more: also
 * beside a writer who fills segments as fast as they are settled.
 */
static void test_a_compaction_ends_whoever_writes(void **state)
{
    (void)state;
    logbook b;
    memdisk *disk = NULL;
    settler_begin(&b, &disk, 7);
    settler_write_segments(&b, 26);
    uint64_t finished = b.next - 1;
    settler_write_segments(&b, 30); /* the last ones are not finished */
    uint64_t below = b.next;
    stet_settle_answer answer = {.is_more = true};
    for (int pieces = 0; answer.is_more; pieces++) {
        assert_in_range(pieces, 0, 500);
        assert_int_equal(
            logbook_settle(&b, STET_SETTLE_ALL, below, &answer, NULL), STET_OK);
        write_eagerly(&b);
    }
    assert_true(settler_info_of(&b).settled >= finished);
    logbook_check_records(&b, b.next);
    settler_end(&b, disk);
}

/* Nor does a settler who always has more to do keep him from it. */
static void test_a_settler_gives_way_to_a_compaction(void **state)
{
    (void)state;
    logbook b;
    memdisk *disk = NULL;
    settler_begin(&b, &disk, 7);
    logbook_close_ok(&b);
    b.opts.settle_segments = 1; /* so many wait that it does not, for a pause */
    settler_open_ok(&b, disk);
    settler_write_segments(&b, 14);
    stet_settle_answer settler = {0};
    stet_settle_answer answer = {0};
    assert_int_equal(logbook_settle(&b, 0, 0, &settler, NULL), STET_OK);
    assert_true(settler.is_more);
    uint64_t sets = settler_info_of(&b).sets;
    assert_int_equal(logbook_settle(&b, STET_SETTLE_ALL, 2, &answer, NULL),
                     STET_OK);
    while (settler.is_more) { /* it ends what it began */
        assert_int_equal(logbook_settle(&b, 0, 0, &settler, NULL), STET_OK);
    }
    assert_int_equal(settler_info_of(&b).sets, sets + 1);
    assert_true(answer.is_more);
    assert_int_equal(logbook_settle(&b, STET_SETTLE_ALL, 2, &answer, NULL),
                     STET_OK);
    assert_false(answer.is_more);
    assert_int_equal(logbook_settle(&b, 0, 0, &settler, NULL), STET_OK);
    assert_true(settler.is_more);
    settler_end(&b, disk);
}

/* What a short run leaves behind is settled when it ends. */
static void test_a_close_settles_whole_sets(void **state)
{
    (void)state;
    logbook b;
    memdisk *disk = NULL;
    settler_begin(&b, &disk, 7);
    settler_write_segments(&b, 9);
    logbook_close_ok(&b);
    assert_true(settler_count_names(disk, ".set") >= 2);
    assert_in_range(settler_count_names(disk, ".seg"), 2, 4); /* with a spare */
    settler_open_ok(&b, disk);
    logbook_check(&b, b.next);
    settler_end(&b, disk);
}

/* A full disk must not stop a writer who has room, nor be asked all the time.
 */
static void test_a_full_disk_only_puts_settling_off(void **state)
{
    (void)state;
    logbook b;
    memdisk *disk = NULL;
    live_up_to_settling(&b, &disk, 3); /* nothing else is to be done */
    settler_make_a_pause(&b, disk);
    memdisk_set_space(disk, 1000);
    assert_int_equal(logbook_steps(&b, NULL), STET_E_NOSPACE);
    assert_int_equal(settler_info_of(&b).sets, 0);
    unsigned changes = memdisk_changes(disk);
    assert_int_equal(logbook_steps(&b, NULL), STET_OK);
    assert_int_equal(memdisk_changes(disk), changes);
    memdisk_set_space(disk, UINT64_MAX);
    memdisk_advance(disk, (int64_t)31 * 1000000000);
    assert_int_equal(logbook_steps(&b, NULL), STET_OK);
    assert_true(settler_info_of(&b).sets > 0);
    logbook_close_ok(&b);
    settler_go_on(&b, disk);
}

/* Settle three segments, which are idle from then on. */
static void live_up_to_idle_segments(logbook *b, memdisk **disk, uint64_t seed)
{
    settler_begin(b, disk, seed);
    settler_write_segments(b, 6);
    settler_make_a_pause(b, *disk);
    assert_int_equal(logbook_steps(b, NULL), STET_OK);
    assert_int_equal(settler_info_of(b).sets, 1);
}

/*
 * The space of what was settled is written again: not under those who still
 * read it, be it here or in another process.
 */
static void test_a_segment_that_is_read_becomes_no_spare(void **state)
{
    (void)state;
    for (int reads_here = 0; reads_here < 2; reads_here++) {
        logbook b;
        memdisk *disk = NULL;
        settler_begin(&b, &disk, 15);
        settler_write_segments(&b, 6);
        uint64_t below = b.next;
        logbook other = b;
        other.opts.mode = STET_OPEN_READONLY;
        stet_log_cursor *walk = NULL;
        if (reads_here) {
            assert_int_equal(b.log->ops->walk_open(b.log, below, &walk, NULL),
                             STET_OK);
        } else {
            settler_open_ok(&other, disk);
        }
        settler_make_a_pause(&b, disk);
        assert_int_equal(logbook_steps(&b, NULL), STET_OK);
        assert_int_equal(settler_info_of(&b).sets, 1);
        settler_write_segments(&b, 9);
        if (reads_here) {
            logbook_check_walk(&b, walk, below);
        } else {
            other.events = b.events; /* they have grown, and moved */
            logbook_check_records(&other, other.start.next_position);
            logbook_close_ok(&other);
        }
        logbook_check(&b, b.next);
        settler_end(&b, disk);
    }
}

/* Write until the idle segments are spares, and written to. */
static stet_status recycle(logbook *b, uint64_t seed)
{
    (void)seed;
    uint64_t segments = settler_info_of(b).segments;
    stet_status st = STET_OK;
    while (st == STET_OK && settler_info_of(b).segments < segments + 3) {
        st = logbook_write(b, 7, NULL);
    }
    return st;
}

static const settler_life recycling = {live_up_to_idle_segments, recycle};

/* Nor does it come back as what it was, wherever the power is cut. */
static void test_a_crash_anywhere_in_recycling_loses_nothing(void **state)
{
    (void)state;
    settler_crash_anywhere(&recycling, 16, rounds_stride());
}

static void test_a_failed_call_anywhere_in_recycling_loses_nothing(void **state)
{
    (void)state;
    settler_fail_anywhere(&recycling, 16,
                          (settler_strides){rounds_stride(), 5});
}

/* Write until the nth change of the disk kills the process; was it reached? */
static bool write_until(logbook *b, memdisk *disk, unsigned nth, bool is_power)
{
    settler_open_ok(b, disk);
    memdisk_die_at(disk, nth);
    (void)logbook_write_one(b, "large", 100000, NULL); /* wants new spares */
    bool is_reached = memdisk_is_dead(disk);
    (void)logbook_close(b, false, NULL);
    memdisk_die_at(disk, 0);
    memdisk_crash(disk, is_power);
    return is_reached;
}

/*
 * What is read of `super` after a kill may be in the page cache only: who goes
 * by it and removes a file finds, once the power was cut, that `super` names
 * the file.
 */
static void test_a_power_cut_after_a_kill_misses_no_file(void **state)
{
    (void)state;
    for (unsigned first = 1; first <= 16; first++) {
        bool is_reached = true;
        for (unsigned nth = 1; is_reached; nth++) {
            logbook b;
            memdisk *disk = NULL;
            settler_begin(&b, &disk, first);
            logbook_write_ok(&b, 5);
            logbook_close_ok(&b);
            (void)write_until(&b, disk, first, true);
            is_reached = write_until(&b, disk, nth, false);
            settler_open_ok(&b, disk);
            assert_int_equal(logbook_steps(&b, NULL), STET_OK);
            (void)logbook_close(&b, false, NULL);
            memdisk_crash(disk, true);
            settler_go_on(&b, disk);
        }
    }
}

typedef struct verified {
    logbook b;
    memdisk *disk;
} verified;

/* Settle all there is, then stop on the way from a segment to a spare. */
static bool recycle_meanwhile(void *ctx, uint64_t done, uint64_t total)
{
    verified *v = ctx;
    (void)total;
    if (done == 1) {
        assert_int_equal(recycle(&v->b, 0), STET_OK);
        assert_int_equal(settler_settle_all(&v->b, NULL), STET_OK);
        memdisk_fail_at(v->disk, MEMDISK_LINK, 1, ENOSPC);
        (void)recycle(&v->b, 0);
        assert_true(memdisk_has_failed(v->disk));
        memdisk_fail_at(v->disk, MEMDISK_LINK, 0, 0);
    }
    return true;
}

/*
 * A segment that verifying has yet to compare with its file may be settled
 * meanwhile, and its file be about to be another one's: that is no damage.
 */
static void test_verifying_goes_on_beside_recycling(void **state)
{
    (void)state;
    verified v;
    settler_begin(&v.b, &v.disk, 1);
    assert_int_equal(recycle(&v.b, 0), STET_OK);
    stet_verify_report report = {0};
    stet_error err = {0};
    stet_status st =
        v.b.log->ops->verify(v.b.log, recycle_meanwhile, &v, &report, &err);
    assert_string_equal(err.text, "");
    assert_int_equal(st, STET_OK);
    settler_end(&v.b, v.disk);
}

/* The name of the nth oldest segment or spare. */
static const char *nth_segment(const memdisk *disk, uint32_t n)
{
    static char name[32];
    const char *names[200];
    uint32_t numbers[200];
    size_t count = memdisk_names(disk, names, 200);
    size_t found = 0;
    for (size_t i = 0; i < count; i++) {
        char rest[8] = "";
        unsigned number = 0;
        if (sscanf(names[i], "%u.%7s", &number, rest) == 2 &&
            strcmp(rest, "seg") == 0) {
            size_t at = found++;
            for (; at > 0 && numbers[at - 1] > number; at--) {
                numbers[at] = numbers[at - 1];
            }
            numbers[at] = number;
        }
    }
    assert_true(n < found);
    (void)snprintf(name, sizeof name, "%u.seg", numbers[n]);
    return name;
}

static void settle_in_a_pause(logbook *b, memdisk *disk, int64_t seconds)
{
    assert_int_equal(logbook_steps(b, NULL), STET_OK);
    memdisk_advance(disk, seconds * 1000000000);
    assert_int_equal(logbook_steps(b, NULL), STET_OK);
}

/*
 * A file that cannot be read is told and left alone; what is older is settled
 * without it, and it is tried again: it may have been the cable.
 */
static void test_what_cannot_be_read_does_not_stop_the_rest(void **state)
{
    (void)state;
    logbook b;
    memdisk *disk = NULL;
    settler_begin(&b, &disk, 14);
    settler_write_segments(&b, 8);
    const char *broken = nth_segment(disk, 2);
    memdisk_break(disk, broken, 8192, 4096);
    settle_in_a_pause(&b, disk, 1);
    assert_int_equal(settler_info_of(&b).sets, 0);
    settle_in_a_pause(&b, disk, 31);
    assert_int_equal(settler_info_of(&b).sets, 1); /* of two segments */
    assert_int_equal(settler_info_of(&b).segments, 6);
    logbook_write_ok(&b, 3);

    stet_error err = {0};
    assert_int_equal(settler_settle_all(&b, &err), STET_E_IO);
    assert_non_null(strstr(err.text, broken));
    assert_false(settler_info_of(&b).is_poisoned);
    logbook_write_ok(&b, 3);

    memdisk_break(disk, broken, 0, 0);
    settle_in_a_pause(&b, disk, 601);
    assert_true(settler_info_of(&b).sets > 1);
    logbook_check(&b, b.next);
    settler_end(&b, disk);
}

/* Settling ends the frames: nobody could tell of damage to one any more. */
static void test_a_damaged_frame_is_not_settled(void **state)
{
    (void)state;
    logbook b;
    memdisk *disk = NULL;
    settler_begin(&b, &disk, 16);
    logbook_close_ok(&b);
    b.opts.settle_segments = STET_SETTLE_SEGMENTS_MAX; /* not in a close */
    settler_open_ok(&b, disk);
    settler_write_segments(&b, 5);
    logbook_close_ok(&b);
    const char *name = nth_segment(disk, 2);
    for (size_t at = 0; at < STET_FRAME_HEADER_BYTES; at++) {
        size_t len = 0;
        stet_error err = {0};
        memdisk *damaged = memdisk_copy(disk);
        memdisk_bytes(damaged, name, &len)[STET_W + at] ^= 1U << at % 8;
        settler_open_ok(&b, damaged);
        assert_int_equal(settler_settle_all(&b, &err), STET_E_CORRUPT);
        assert_non_null(strstr(err.text, name));
        assert_true(logbook_names_damage(&err));
        logbook_close_ok(&b);
        memdisk_destroy(damaged);
    }
    settler_open_ok(&b, disk);
    assert_int_equal(settler_settle_all(&b, NULL), STET_OK);
    logbook_check(&b, b.next);
    settler_end(&b, disk);
}

static const char *find_set(const memdisk *disk)
{
    const char *names[200];
    size_t count = memdisk_names(disk, names, 200);
    for (size_t i = 0; i < count; i++) {
        size_t len = strlen(names[i]);
        if (len > 4 && strcmp(names[i] + len - 4, ".set") == 0) {
            return names[i];
        }
    }
    fail();
    return NULL;
}

/* A small store of two sets, one of which was merged, and a segment; closed. */
static void make_small(logbook *b, memdisk **disk)
{
    settler_begin(b, disk, 9);
    b->body_max = 40;
    for (int i = 0; i < STET_MERGE_SETS_MIN + 1; i++) {
        for (int n = 0; n < 2 + i % STET_MERGE_SETS_MIN; n++) {
            logbook_write_ok(b, 4);
        }
        logbook_close_ok(b);
        settler_open_ok(b, *disk);
        assert_int_equal(settler_settle_all(b, NULL), STET_OK);
    }
    logbook_write_ok(b, 4);
    logbook_close_ok(b);
    assert_int_equal(settler_count_names(*disk, ".set"), 2);
}

/* Ask all there is to ask of a copy; true: it was told, false: no harm done. */
static bool is_told(const logbook *b, memdisk *copy)
{
    logbook reader = *b;
    stet_error err = {0};
    reader.opts.mode = STET_OPEN_READONLY;
    reader.is_damaged = true;
    reader.refusals = 0;
    stet_status st = logbook_open(&reader, &stet__embedded_driver, "d",
                                  memdisk_os(copy), &err);
    if (st != STET_OK) {
        assert_int_equal(st, STET_E_CORRUPT);
        assert_true(logbook_names_damage(&err));
        return true;
    }
    stet_verify_report report = {0};
    logbook_check(&reader, reader.next);
    st = reader.log->ops->verify(reader.log, NULL, NULL, &report, &err);
    if (st != STET_OK) {
        assert_int_equal(st, STET_E_CORRUPT);
        assert_true(logbook_names_damage(&err));
    }
    logbook_close_ok(&reader);
    assert_true(st != STET_OK || reader.refusals == 0);
    return st != STET_OK;
}

/* No bit of a set may change without being told: by an answer, by verify. */
static void test_rot_of_a_set_is_told(void **state)
{
    (void)state;
    logbook b;
    memdisk *disk = NULL;
    make_small(&b, &disk);
    const char *name = find_set(disk);
    size_t len = 0;
    (void)memdisk_bytes(disk, name, &len);
    size_t step = len > 60000 ? 101 : 37;
    for (size_t at = 0; at < len; at += step) {
        memdisk *copy = memdisk_copy(disk);
        memdisk_bytes(copy, name, &len)[at] ^= (uint8_t)(1U << at % 8);
        assert_true(is_told(&b, copy));
        memdisk_destroy(copy);
    }
    logbook_deinit(&b);
    memdisk_destroy(disk);
}

/* All of an index but where the content lies can be made again. */
static void test_a_damaged_index_of_a_set_is_repaired(void **state)
{
    (void)state;
    logbook b;
    memdisk *disk = NULL;
    make_small(&b, &disk);
    char name[64];
    (void)snprintf(name, sizeof name, "%s", find_set(disk));
    size_t len = 0;
    (void)memdisk_bytes(disk, name, &len);
    stet_trailer t;
    assert_int_equal(
        stet__trailer_get(memdisk_bytes(disk, name, &len) + len - STET_W, &t,
                          NULL),
        STET_OK);
    for (size_t number = 0; number <= stet__trailer_number(&t); number++) {
        bool is_head = number == stet__trailer_number(&t);
        size_t block = (size_t)t.end_offset + number * STET_W;
        size_t at = (is_head ? 0 : block) + 100;
        memdisk_bytes(disk, name, &len)[at] ^= 4;
        settler_open_ok(&b, disk);
        uint64_t rebuilt = 0;
        stet_error err = {0};
        stet_status st = b.log->ops->reindex(b.log, &rebuilt, &err);
        if (number == t.set.blocks.first_block) {
            assert_int_equal(st, STET_E_CORRUPT);
            assert_true(logbook_names_damage(&err));
            memdisk_bytes(disk, name, &len)[at] ^= 4;
            b.log->ops->close(b.log, false, NULL);
            continue;
        }
        assert_int_equal(st, STET_OK);
        assert_int_equal(rebuilt, 1);
        logbook_check(&b, b.next);
        settler_verify_ok(&b);
        logbook_close_ok(&b);
    }
    settler_go_on(&b, disk);
}

/* A set that is cut, swapped for another or gone is never an empty store. */
static void test_a_set_that_is_not_there_whole_is_told(void **state)
{
    (void)state;
    logbook b;
    memdisk *disk = NULL;
    make_small(&b, &disk);
    const char *name = find_set(disk);
    size_t len = 0;
    (void)memdisk_bytes(disk, name, &len);
    for (size_t cut = 0; cut < len; cut += 4096 / 2) {
        memdisk *copy = memdisk_copy(disk);
        memdisk_cut(copy, name, cut);
        assert_true(is_told(&b, copy));
        memdisk_destroy(copy);
    }
    memdisk *copy = memdisk_copy(disk);
    memdisk_remove(copy, name);
    assert_true(is_told(&b, copy));
    memdisk_destroy(copy);
    logbook_deinit(&b);
    memdisk_destroy(disk);
}

/* A writer who finds a set damaged leaves all files as they are. */
static void test_a_damaged_set_is_not_removed(void **state)
{
    (void)state;
    logbook b;
    memdisk *disk = NULL;
    make_small(&b, &disk);
    const char *name = find_set(disk);
    size_t len = 0;
    uint8_t *bytes = memdisk_bytes(disk, name, &len);
    bytes[len - 100] ^= 1; /* of the trailer */
    stet_error err = {0};
    assert_int_equal(
        logbook_open(&b, &stet__embedded_driver, "d", memdisk_os(disk), &err),
        STET_E_CORRUPT);
    assert_non_null(strstr(err.text, name));
    assert_int_equal(settler_count_names(disk, ".set"), 2);
    memdisk_bytes(disk, name, &len)[len - 100] ^= 1;
    settler_go_on(&b, disk);
}

/* A number is never used again: without one left nothing is settled. */
static void test_numbers_of_sets_do_not_wrap(void **state)
{
    (void)state;
    logbook b;
    memdisk *disk = NULL;
    settler_begin(&b, &disk, 12);
    b.opts.settle_segments = 0;
    settler_write_segments(&b, 5);
    logbook_close_ok(&b);
    stet_os *os = memdisk_os(disk);
    int fd = os->open(os, os->dir_open(os, "d", false), "tmp-4294967295",
                      STET_OPEN_WRITE | STET_OPEN_CREATE);
    assert_true(fd >= 0);
    assert_int_equal(os->close(os, fd), 0);
    b.opts.settle_segments = 3;
    settler_open_ok(&b, disk);
    assert_int_equal(settler_settle_all(&b, NULL), STET_E_NOSPACE);
    logbook_close_ok(&b);
    settler_open_ok(&b,
                    disk); /* the file was removed, and its number with it */
    logbook_check(&b, b.next);
    assert_int_equal(settler_settle_all(&b, NULL), STET_OK);
    logbook_check(&b, b.next);
    settler_end(&b, disk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_settling_changes_no_answer),
        cmocka_unit_test(test_settling_waits_for_a_pause_but_not_for_ever),
        cmocka_unit_test(test_the_disk_is_given_back),
        cmocka_unit_test(test_a_store_at_rest_is_settled_whole),
        cmocka_unit_test(test_an_old_version_is_reached_through_sets),
        cmocka_unit_test(test_readers_do_not_notice),
        cmocka_unit_test(test_verifying_goes_on_beside_settling),
        cmocka_unit_test(test_a_walk_outlives_settling),
        cmocka_unit_test(test_a_crash_anywhere_in_settling_loses_nothing),
        cmocka_unit_test(test_a_failed_call_anywhere_in_settling_loses_nothing),
        cmocka_unit_test(test_writers_keep_pace_with_settling),
        cmocka_unit_test(test_a_compaction_ends_whoever_writes),
        cmocka_unit_test(test_a_settler_gives_way_to_a_compaction),
        cmocka_unit_test(test_a_close_settles_whole_sets),
        cmocka_unit_test(test_a_full_disk_only_puts_settling_off),
        cmocka_unit_test(test_what_cannot_be_read_does_not_stop_the_rest),
        cmocka_unit_test(test_a_damaged_frame_is_not_settled),
        cmocka_unit_test(test_a_segment_that_is_read_becomes_no_spare),
        cmocka_unit_test(test_a_crash_anywhere_in_recycling_loses_nothing),
        cmocka_unit_test(
            test_a_failed_call_anywhere_in_recycling_loses_nothing),
        cmocka_unit_test(test_a_power_cut_after_a_kill_misses_no_file),
        cmocka_unit_test(test_verifying_goes_on_beside_recycling),
        cmocka_unit_test(test_rot_of_a_set_is_told),
        cmocka_unit_test(test_a_damaged_index_of_a_set_is_repaired),
        cmocka_unit_test(test_a_set_that_is_not_there_whole_is_told),
        cmocka_unit_test(test_a_damaged_set_is_not_removed),
        cmocka_unit_test(test_numbers_of_sets_do_not_wrap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
