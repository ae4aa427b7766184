/* The whole engine against the model, on both stores, from seeds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "lib/model_check.h"
#include "lib/rounds.h"
#include "lib/trial.h"

/* Half-way and at the end everything is compared, before and after a reopen. */
static void run_seed(uint64_t seed, unsigned steps,
                     void (*init)(store_under_test *))
{
    trial t;
    trial_begin(&t, seed, init);
    store_open(&t.store);
    for (unsigned i = 0; i < steps; i++) {
        trial_step(&t);
        if (i == steps / 2 || i + 1 == steps) {
            model_check_all(&t.m, t.store.s, &t.w.random);
        }
        if (t.store.is_kept && (i + 1 == steps || i % 97 == 96)) {
            store_reopen(&t.store);
            if (i % 2 == 0) {
                assert_int_equal(stet_compact(t.store.s, NULL), STET_OK);
            }
            model_check_some(&t.m, t.store.s, &t.w.random);
        }
    }
    if (t.store.is_kept) {
        model_check_all(&t.m, t.store.s, &t.w.random);
        assert_int_equal(stet_compact(t.store.s, NULL), STET_OK);
        model_check_all(&t.m, t.store.s, &t.w.random);
    }
    trial_end(&t);
}

/*
 * The contract in one: whatever is written in whatever order, every read of
 * every past is what a full list of events says.
 */
static void test_memory_store_equals_a_full_list_of_events(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= rounds(30); seed++) {
        run_seed(seed, 500, store_init_memory);
    }
}

/* The same through files, and through closing and opening them again. */
static void test_embedded_store_equals_a_full_list_of_events(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= rounds(4); seed++) {
        run_seed(1000 + seed, 400, store_init_embedded);
    }
    for (uint64_t seed = 1; seed <= rounds(12); seed++) {
        run_seed(2000 + seed, 400, store_init_simulated);
    }
}

/* ---- crashes ---- */

/* The disk dies, or fails once, at some call from now. */
static void arm(trial *t)
{
    memdisk *disk = t->store.disk;
    rng *r = &t->w.random;
    unsigned calls = rng_below(r, 3) == 0 ? 12 : 300;
    if (rng_below(r, 3) > 0) {
        memdisk_die_at(disk, 1 + (unsigned)rng_below(r, calls));
    } else {
        memdisk_call call = rng_below(r, 2) == 0 ? MEMDISK_WRITE : MEMDISK_SYNC;
        memdisk_fail_at(disk, call, 1 + (unsigned)rng_below(r, calls / 3), 5);
    }
}

static void disarm(trial *t)
{
    memdisk_die_at(t->store.disk, 0);
    memdisk_fail_at(t->store.disk, MEMDISK_WRITE, 0, 0);
    memdisk_fail_at(t->store.disk, MEMDISK_SYNC, 0, 0);
}

/* Fall, get up, perhaps fall again on the way up, and look around. */
static void crash_and_open(trial *t)
{
    rng *r = &t->w.random;
    bool has_power_cuts = t->store.opts.level == STET_LEVEL_DISK;
    if (rng_below(r, 3) > 0) { /* not even the close comes to its end */
        memdisk_die_at(t->store.disk, 1 + (unsigned)rng_below(r, 12));
    }
    store_abandon(&t->store);
    memdisk_crash(t->store.disk, has_power_cuts && rng_below(r, 4) > 0);
    disarm(t);
    while (rng_below(r, 3) == 0) {
        memdisk_die_at(t->store.disk, 1 + (unsigned)rng_below(r, 20));
        if (store_try_open(&t->store)) {
            store_abandon(&t->store);
        }
        memdisk_crash(t->store.disk, has_power_cuts && rng_below(r, 4) > 0);
        disarm(t);
    }
    store_open(&t->store);
    trial_settle(t);
    for (int i = 0; i < 4; i++) {
        model_check_some(&t->m, t->store.s, r);
    }
}

static void crash_seed(uint64_t seed, stet_level level)
{
    trial t;
    trial_begin(&t, seed, store_init_simulated);
    t.store.opts.level = level;
    store_open(&t.store);
    for (int life = 0; life < 8; life++) {
        arm(&t);
        for (int i = 0; i < 60 && !trial_is_broken(&t); i++) {
            trial_step_to_the_end(&t);
        }
        crash_and_open(&t);
    }
    model_check_all(&t.m, t.store.s, &t.w.random);
    trial_end(&t);
}

/* The promise: what was acknowledged is there, a batch wholly or not at all. */
static void test_power_cuts_lose_nothing_acknowledged_at_disk(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= rounds(30); seed++) {
        crash_seed(3000 + seed, STET_LEVEL_DISK);
    }
}

/* One level lower a killed process loses nothing. */
static void test_kills_lose_nothing_acknowledged_at_os(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= rounds(20); seed++) {
        crash_seed(4000 + seed, STET_LEVEL_OS);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_memory_store_equals_a_full_list_of_events),
        cmocka_unit_test(test_embedded_store_equals_a_full_list_of_events),
        cmocka_unit_test(test_power_cuts_lose_nothing_acknowledged_at_disk),
        cmocka_unit_test(test_kills_lose_nothing_acknowledged_at_os),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
