/*
 * Merging small sets, on a disk that behaves as badly as one may. What the log
 * answers is compared with a plain search, before, meanwhile and after.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "lib/rounds.h"
#include "lib/settler.h"
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sets_stay_few_and_answers_the_same),
        cmocka_unit_test(test_whole_sets_are_left_alone),
        cmocka_unit_test(test_a_walk_outlives_merging),
        cmocka_unit_test(test_verifying_goes_on_beside_merging),
        cmocka_unit_test(test_a_crash_anywhere_in_merging_loses_nothing),
        cmocka_unit_test(test_a_failed_call_anywhere_in_merging_loses_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
