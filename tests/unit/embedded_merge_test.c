/*
 * Merging small sets, on a disk that behaves as badly as one may. What the log
 * answers is compared with a plain search, before, meanwhile and after.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "core/set.h"
#include "lib/rounds.h"
#include "lib/settler.h"
#include "stores/embedded/names.h"
#include "stores/embedded/settle.h"

/* Settle what a run of the store wrote into a set of its own. */
static void make_set(logbook *b, memdisk *disk, int frames)
{
    uint64_t sets = settler_info_of(b).sets;
    for (int i = 0; i < frames; i++) {
        logbook_write_ok(b, 5);
    }
    logbook_close_ok(b);
    settler_open_ok(b, disk);
    stet_settle_answer answer = {.is_more = true};
    while (settler_info_of(b).sets == sets) {
        assert_true(answer.is_more);
        assert_int_equal(
            logbook_settle(b, STET_SETTLE_ALL, b->next, &answer, NULL),
            STET_OK);
    }
}

/* As many small sets as are merged; at rest, or beside a segment. */
static void live_up_to_merging(logbook *b, memdisk **disk, uint64_t seed)
{
    settler_begin(b, disk, seed);
    b->body_max = 80;
    for (int i = 0; i < STET_MERGE_SETS_MIN; i++) {
        make_set(b, *disk, 3 + 2 * i);
    }
    assert_int_equal(settler_info_of(b).sets, STET_MERGE_SETS_MIN);
    if (seed % 2 == 0) {
        logbook_write_ok(b, 5);
        settler_make_a_pause(b, *disk);
    }
}

static stet_status merge(logbook *b, uint64_t seed)
{
    return seed % 2 == 0 ? logbook_steps(b, NULL) : settler_settle_all(b, NULL);
}

/* Many short runs must not leave many sets, nor may merging change an answer.
 */
static void test_sets_stay_few_and_answers_the_same(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 2; seed++) {
        logbook b;
        memdisk *disk = NULL;
        settler_begin(&b, &disk, seed);
        for (int i = 0; i < 60; i++) {
            make_set(&b, disk, 1 + i * 7 % 10);
            assert_int_equal(settler_settle_all(&b, NULL), STET_OK);
            stet_info info = settler_info_of(&b);
            assert_int_equal(info.settled, b.next - 1);
            assert_in_range(info.sets, 1, 3 * 5);
            if (i % 6 == 0) {
                logbook_check(&b, b.next);
                settler_verify_ok(&b);
            }
        }
        assert_int_equal(settler_count_names(disk, ".set"),
                         settler_info_of(&b).sets);
        logbook_close_ok(&b);
        settler_open_ok(&b, disk);
        logbook_check(&b, b.next);
        settler_end(&b, disk);
    }
}

/* A set that is large enough is written once. */
static void test_whole_sets_are_left_alone(void **state)
{
    (void)state;
    logbook b;
    memdisk *disk = NULL;
    settler_begin(&b, &disk, 4);
    logbook_close_ok(&b);
    b.body_max = 3000; /* or most of a segment is padding */
    b.opts.settle_segments = STET_SETTLE_SEGMENTS_MAX;
    b.opts.segment_bytes = 16384;
    settler_open_ok(&b, disk);
    for (uint64_t sets = 1; sets <= 6; sets++) {
        settler_write_segments(&b, STET_SETTLE_SEGMENTS_MAX + 3);
        settler_make_a_pause(&b, disk);
        assert_int_equal(logbook_steps(&b, NULL), STET_OK);
        assert_int_equal(settler_info_of(&b).sets, sets);
    }
    settler_end(&b, disk);
}

/* Who walks over sets that are merged meanwhile must not notice. */
static void test_a_walk_outlives_merging(void **state)
{
    (void)state;
    logbook b;
    memdisk *disk = NULL;
    live_up_to_merging(&b, &disk, 2);
    uint64_t below = b.next;
    stet_log_cursor *walk = NULL;
    assert_int_equal(b.log->ops->walk_open(b.log, below, &walk, NULL), STET_OK);
    assert_int_equal(merge(&b, 2), STET_OK);
    assert_int_equal(settler_info_of(&b).sets, 1);
    assert_int_equal(settler_count_names(disk, ".set"), 1);
    logbook_check_walk(&b, walk, below);
    settler_end(&b, disk);
}

static bool merge_meanwhile(void *ctx, uint64_t done, uint64_t total)
{
    (void)total;
    if (done == 1) {
        assert_int_equal(merge(ctx, 2), STET_OK);
    }
    return true;
}

/*
 * A set that is verified goes on from the one before it, which by then may be
 * in the middle of a larger one.
 */
static void test_verifying_goes_on_beside_merging(void **state)
{
    (void)state;
    logbook b;
    memdisk *disk = NULL;
    live_up_to_merging(&b, &disk, 2);
    stet_verify_report report = {0};
    stet_error err = {0};
    stet_status st =
        b.log->ops->verify(b.log, merge_meanwhile, &b, &report, &err);
    assert_string_equal(err.text, "");
    assert_int_equal(st, STET_OK);
    assert_int_equal(settler_info_of(&b).sets, 1);
    settler_end(&b, disk);
}

static const settler_life merging = {live_up_to_merging, merge};

/*
 * A set is written and synced a piece at a time, so that nobody waits for all
 * of it; where one is not written, none of it counts.
 */
static void test_a_long_set_is_written_in_pieces(void **state)
{
    (void)state;
    enum { EVENTS = 50, BODY_BYTES = 50000 };
    logbook b;
    memdisk *first = NULL;
    settler_begin(&b, &first, 9);
    for (int i = 0; i < EVENTS; i++) {
        stet_error err = {0};
        assert_int_equal(
            logbook_write_one(&b, i % 2 == 0 ? "m0" : "m1", BODY_BYTES, &err),
            STET_OK);
    }
    logbook_close_ok(&b);
    b.opts.settle_segments = EVENTS; /* all of them make one set */
    bool has_failed = true;
    for (unsigned nth = 0; has_failed; nth++) {
        memdisk *disk = memdisk_copy(first);
        settler_open_ok(&b, disk);
        memdisk_fail_at(disk, MEMDISK_WRITE, nth, ENOSPC);
        stet_status st = settler_settle_all(&b, NULL);
        has_failed = nth == 0 || memdisk_has_failed(disk);
        assert_true(st == STET_OK || (has_failed && st == STET_E_NOSPACE));
        memdisk_fail_at(disk, MEMDISK_WRITE, 0, 0);
        (void)logbook_close(&b, false, NULL);
        settler_open_ok(&b, disk);
        assert_int_equal(settler_settle_all(&b, NULL), STET_OK);
        assert_true(settler_info_of(&b).sets > 0);
        assert_int_equal(settler_info_of(&b).settled, EVENTS);
        logbook_check(&b, b.next);
        settler_verify_ok(&b);
        logbook_close_ok(&b);
        memdisk_destroy(disk);
    }
    settler_open_ok(&b, first);
    settler_end(&b, first);
}

static void test_a_crash_anywhere_in_merging_loses_nothing(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 2; seed++) {
        settler_crash_anywhere(&merging, seed, 1);
    }
}

static void test_a_failed_call_anywhere_in_merging_loses_nothing(void **state)
{
    (void)state;
    settler_fail_anywhere(
        &merging, 1, (settler_strides){rounds_stride(), 7 * rounds_stride()});
}

/* The newest set on the disk, and what its trailer says. */
static const char *newest_set(memdisk *disk, stet_trailer *out)
{
    const char *names[200];
    size_t count = memdisk_names(disk, names, 200);
    const char *found = NULL;
    for (size_t i = 0; i < count; i++) {
        size_t len = 0;
        stet_trailer t;
        const uint8_t *bytes = memdisk_bytes(disk, names[i], &len);
        if (strstr(names[i], ".set") != NULL &&
            stet__trailer_get(bytes + len - STET_W, &t, NULL) == STET_OK &&
            (found == NULL || t.first_position > out->first_position)) {
            found = names[i];
            *out = t;
        }
    }
    assert_non_null(found);
    return found;
}

/* Copy the file of a set; it becomes another one by its number alone. */
static stet_buf copy_set(memdisk *disk, const char *name)
{
    size_t len = 0;
    const uint8_t *bytes = memdisk_bytes(disk, name, &len);
    stet_buf copy;
    stet__buf_init(&copy, &stet__heap);
    stet__buf_put(&copy, bytes, len);
    return copy;
}

static void put_set(memdisk *disk, stet_buf *copy, stet_trailer t,
                    uint32_t number)
{
    char name[STET_OS_NAME_MAX];
    stet_os *os = memdisk_os(disk);
    t.file = number;
    stet__set_head_put(&t, copy->ptr);
    stet__trailer_put(&t, copy->ptr + copy->len - STET_W);
    stet__name_set(number, name);
    int dir = os->dir_open(os, "d", false);
    int fd = os->open(os, dir, name, STET_OPEN_WRITE | STET_OPEN_CREATE);
    assert_int_equal(os->pwrite(os, fd, copy->ptr, copy->len, 0), 0);
    assert_int_equal(os->close(os, fd), 0);
    assert_int_equal(os->close(os, dir), 0);
    stet__buf_deinit(copy);
}

/*
 * A crash may leave a set beside those that it was merged of, and beside one
 * that it was settled into again. What was dropped or erased is in the others.
 */
static void test_of_sets_with_one_end_the_longest_and_last_counts(void **state)
{
    (void)state;
    logbook b;
    memdisk *disk = NULL;
    stet_trailer part = {0};
    stet_trailer merged = {0};
    live_up_to_merging(&b, &disk, 1);
    stet_buf copy_of_part = copy_set(disk, newest_set(disk, &part));
    assert_int_equal(settler_settle_all(&b, NULL), STET_OK);
    logbook_close_ok(&b);
    stet_buf copy_of_merged = copy_set(disk, newest_set(disk, &merged));
    assert_int_equal(merged.set.last_file, part.set.last_file);
    assert_true(merged.first_position < part.first_position);
    put_set(disk, &copy_of_merged, merged, merged.file + 1);
    put_set(disk, &copy_of_part, part, merged.file + 2);
    for (int i = 0; i < 2; i++) { /* until no slot names the older */
        settler_open_ok(&b, disk);
        logbook_write_ok(&b, 1);
        logbook_check(&b, b.next);
        logbook_close_ok(&b);
    }
    stet_trailer left = {0};
    (void)newest_set(disk, &left);
    assert_int_equal(left.file, merged.file + 1);
    assert_int_equal(settler_count_names(disk, ".set"), 1);
    settler_open_ok(&b, disk);
    settler_end(&b, disk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sets_stay_few_and_answers_the_same),
        cmocka_unit_test(test_whole_sets_are_left_alone),
        cmocka_unit_test(test_a_walk_outlives_merging),
        cmocka_unit_test(test_verifying_goes_on_beside_merging),
        cmocka_unit_test(test_a_long_set_is_written_in_pieces),
        cmocka_unit_test(test_a_crash_anywhere_in_merging_loses_nothing),
        cmocka_unit_test(test_a_failed_call_anywhere_in_merging_loses_nothing),
        cmocka_unit_test(test_of_sets_with_one_end_the_longest_and_last_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
