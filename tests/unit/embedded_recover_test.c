/*
 * The embedded log on a disk that behaves as badly as one may: see
 * tests/lib/memdisk.h. Each seed is a life of a store: opened, written,
 * crashed, opened again, with what was acknowledged compared byte by byte.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/logbook.h"
#include "lib/memdisk.h"
#include "lib/rounds.h"
#include "stores/embedded/embedded.h"

enum { SECOND = 1000000000 };

typedef struct life {
    uint64_t seed;
    rng random;
    memdisk *disk;
    logbook book;
    bool has_errors; /* a write or sync fails now and then */
    bool is_tight;   /* the disk is full now and then */
    unsigned power_percent;
    unsigned opens;
} life;

static bool one_in(life *l, size_t n)
{
    return rng_below(&l->random, n) == 0;
}

static void life_begin(life *l, uint64_t seed)
{
    *l = (life){.seed = seed, .random = {seed}};
    l->disk = memdisk_create(rng_next(&l->random));
    logbook_init(&l->book, rng_next(&l->random));
    l->book.opts.segment_bytes =
        (uint32_t)(4 + rng_below(&l->random, 12)) * 4096;
    l->book.body_max = 40 + rng_below(&l->random, 3000);
    l->book.opts.settle_segments =
        one_in(l, 3) ? 0 : 1 + (uint32_t)rng_below(&l->random, 4);
    if (one_in(l, 5)) {
        l->book.opts.level = STET_LEVEL_OS;
    }
    memdisk_set_features(l->disk, !one_in(l, 4), !one_in(l, 4));
    l->has_errors = one_in(l, 3);
    l->is_tight = one_in(l, 3);
    l->power_percent =
        one_in(l, 3) ? 100 : (unsigned)rng_below(&l->random, 100);
}

static void life_end(life *l)
{
    logbook_deinit(&l->book);
    memdisk_destroy(l->disk);
}

static void set_faults(life *l)
{
    memdisk_die_at(
        l->disk, 1 + (unsigned)rng_below(&l->random, one_in(l, 4) ? 12 : 240));
    if (l->has_errors && one_in(l, 2)) {
        memdisk_call call = one_in(l, 2) ? MEMDISK_SYNC : MEMDISK_WRITE;
        memdisk_fail_at(l->disk, call, 1 + (unsigned)rng_below(&l->random, 60),
                        EIO);
    }
    bool is_full = l->is_tight && one_in(l, 2);
    memdisk_set_space(l->disk,
                      is_full ? rng_below(&l->random, 400000) : UINT64_MAX);
}

static void clear_faults(life *l)
{
    memdisk_die_at(l->disk, 0);
    memdisk_fail_at(l->disk, MEMDISK_SYNC, 0, 0);
    memdisk_fail_at(l->disk, MEMDISK_WRITE, 0, 0);
    memdisk_set_space(l->disk, UINT64_MAX);
}

static stet_status step(life *l)
{
    bool has_more = true;
    int64_t due = 0;
    stet_status st = STET_OK;
    while (has_more && st == STET_OK) {
        st = logbook_step(&l->book, &has_more, &due, NULL);
    }
    return st;
}

static stet_status settle(life *l)
{
    stet_settle_answer answer = {.is_more = true};
    stet_status st = STET_OK;
    while (answer.is_more && st == STET_OK && !one_in(l, 20)) {
        st = logbook_settle(&l->book, STET_SETTLE_ALL, l->book.next, &answer,
                            NULL);
    }
    return st;
}

/* Work until something goes wrong for good, or enough was done. */
static void work(life *l)
{
    for (int i = 0; i < 60 && !memdisk_is_dead(l->disk); i++) {
        size_t what = rng_below(&l->random, 100);
        stet_status st = STET_OK;
        if (l->book.opts.settle_segments > 0 && one_in(l, i == 0 ? 4 : 16)) {
            st = settle(l);
        } else if (what < 60) {
            st = logbook_write_many(
                &l->book, 1 + (unsigned)rng_below(&l->random, 6), NULL);
        } else if (what < 62) {
            st = logbook_write_one(&l->book, "large",
                                   rng_below(&l->random, 150000), NULL);
        } else if (what < 70) {
            st = logbook_sync(&l->book, NULL);
        } else if (what < 80) {
            memdisk_advance(l->disk, SECOND);
            st = step(l);
        } else {
            st = step(l);
        }
        if (st != STET_OK && st != STET_E_NOSPACE) {
            return;
        }
    }
}

/* A poisoned log must not write again, whatever the disk says by now. */
static void check_poisoned(life *l)
{
    stet_frame frame;
    if (l->book.is_lost) {
        assert_int_equal(l->book.log->ops->frame_open(
                             l->book.log, 10, l->book.next, &frame, NULL),
                         STET_E_READONLY);
    }
}

static void crash(life *l)
{
    bool is_power = rng_below(&l->random, 100) < l->power_percent;
    if (is_power) {
        logbook_power_cut(&l->book);
    }
    memdisk_crash(l->disk, is_power);
}

/* Open, check, work, and crash or close. False: the store is wrong. */
static void live_once(life *l)
{
    stet_error err = {0};
    set_faults(l);
    stet_status st = logbook_open(&l->book, &stet__embedded_driver, "d",
                                  memdisk_os(l->disk), &err);
    if (st != STET_OK) {
        bool is_excused = memdisk_is_dead(l->disk) ||
                          memdisk_has_failed(l->disk) || st == STET_E_NOSPACE;
        if (!is_excused) {
            print_error("seed %llu, open %u: %s\n", (unsigned long long)l->seed,
                        l->opens, err.text);
        }
        assert_true(is_excused);
        crash(l);
        return;
    }
    l->opens++;
    logbook_check_records(&l->book, l->book.start.next_position);
    if (!l->book.start.is_readonly) {
        work(l);
    }
    bool is_closed_in_peace = !one_in(l, 3);
    if (is_closed_in_peace) {
        clear_faults(l);
    }
    check_poisoned(l);
    if (memdisk_is_dead(l->disk) || one_in(l, 4)) {
        (void)logbook_close(&l->book, false, NULL);
        crash(l);
        return;
    }
    st = logbook_close(&l->book, !l->book.is_lost, &err);
    assert_true(st == STET_OK || l->book.is_lost || !is_closed_in_peace);
    if (memdisk_is_dead(l->disk) || one_in(l, 2)) {
        crash(l);
    }
}

static void live(uint64_t seed)
{
    life l;
    life_begin(&l, seed);
    unsigned rounds = 2 + (unsigned)rng_below(&l.random, 8);
    for (unsigned i = 0; i < rounds; i++) {
        live_once(&l);
    }
    clear_faults(&l);
    stet_error err = {0};
    stet_status st = logbook_open(&l.book, &stet__embedded_driver, "d",
                                  memdisk_os(l.disk), &err);
    if (st != STET_OK) {
        print_error("seed %llu: %s\n", (unsigned long long)seed, err.text);
    }
    assert_int_equal(st, STET_OK);
    assert_false(l.book.start.is_readonly);
    logbook_check(&l.book, l.book.next);
    assert_int_equal(logbook_write(&l.book, 3, NULL), STET_OK);
    logbook_check(&l.book, l.book.next);
    assert_int_equal(logbook_close(&l.book, true, NULL), STET_OK);
    life_end(&l);
}

/*
 * The promise of docs/PROMISES.md: what was acknowledged is there after any
 * crash, whole and in order, and the next open needs no help.
 */
static void test_no_crash_loses_an_acknowledged_event(void **state)
{
    (void)state;
    const char *first = getenv("STET_SEED");
    const char *count = getenv("STET_SEEDS");
    uint64_t from = first == NULL ? 1 : strtoull(first, NULL, 10);
    uint64_t seeds = count == NULL ? rounds(300) : strtoull(count, NULL, 10);
    for (uint64_t seed = from; seed < from + seeds; seed++) {
        live(seed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_crash_loses_an_acknowledged_event),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
