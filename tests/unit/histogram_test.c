#include "base/histogram.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/rng.h"
#include "os/os.h"

enum { NUMBERS = 5000 };

/* A number of any size below 2^STET_HISTOGRAM_BITS, all sizes alike. */
static uint64_t any_number(rng *r)
{
    return rng_next(r) >> (64 - 1 - rng_below(r, STET_HISTOGRAM_BITS));
}

static int by_size(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static void add_any(rng *r, stet_tally *t, uint64_t *numbers, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        numbers[i] = any_number(r);
        stet__tally_add(t, numbers[i]);
    }
}

static uint64_t distance(uint64_t a, uint64_t b)
{
    return a < b ? b - a : a - b;
}

/* Whatever the size of a number, what is told is within 1/32 of it. */
static void
test_percentiles_are_within_a_32nd_of_the_number_at_their_rank(void **state)
{
    (void)state;
    static const double shares[] = {.001, .01, .1, .5, .9, .99, .999, 1};
    rng r = {1};
    static uint64_t numbers[NUMBERS];
    for (int round = 0; round < 20; round++) {
        static stet_tally t;
        static stet_histogram h;
        memset(&t, 0, sizeof t);
        memset(&h, 0, sizeof h);
        size_t count = 1 + rng_below(&r, NUMBERS);
        add_any(&r, &t, numbers, count);
        stet__histogram_gather(&h, &t);
        qsort(numbers, count, sizeof *numbers, by_size);
        for (size_t i = 0; i < sizeof shares / sizeof *shares; i++) {
            double wanted = shares[i] * (double)count;
            size_t rank = 0;
            while ((double)(rank + 1) < wanted) {
                rank++;
            }
            uint64_t told = stet__histogram_at(&h, shares[i]);
            assert_true(distance(told, numbers[rank]) <= numbers[rank] / 32);
        }
    }
}

/* Each bucket's ends and neighbours: no number falls between two of them. */
static void test_numbers_at_powers_of_two_are_told_apart(void **state)
{
    (void)state;
    for (unsigned bits = 0; bits + 1 < STET_HISTOGRAM_BITS; bits++) {
        static stet_tally t;
        static stet_histogram h;
        memset(&t, 0, sizeof t);
        memset(&h, 0, sizeof h);
        uint64_t power = (uint64_t)1 << bits;
        stet__tally_add(&t, power - 1);
        stet__tally_add(&t, power);
        stet__tally_add(&t, power + power / 2);
        stet__histogram_gather(&h, &t);
        assert_int_equal(stet__histogram_below(&h, bits), 1);
        assert_int_equal(stet__histogram_below(&h, bits + 1), 3);
        uint64_t told = stet__histogram_at(&h, .01);
        assert_true(distance(told, power - 1) <= power / 32);
    }
}

/* The mean is of the numbers themselves, not of their buckets. */
static void test_the_mean_is_exact(void **state)
{
    (void)state;
    static stet_tally t;
    static stet_histogram h;
    assert_true(stet__histogram_mean(&h) == 0);
    stet__tally_add(&t, 1000001);
    stet__tally_add(&t, 1000004);
    stet__histogram_gather(&h, &t);
    assert_int_equal(h.count, 2);
    assert_int_equal(h.sum, 2000005);
    assert_true(stet__histogram_mean(&h) == 1000002.5);
}

/* Nothing recorded is 0, and what is too large is counted all the same. */
static void test_the_ends_of_the_scale_are_counted(void **state)
{
    (void)state;
    static stet_tally t;
    static stet_histogram h;
    assert_int_equal(stet__histogram_at(&h, .5), 0);
    stet__tally_add(&t, 0);
    stet__tally_add(&t, (uint64_t)1 << STET_HISTOGRAM_BITS);
    stet__tally_add(&t, UINT64_MAX);
    stet__histogram_gather(&h, &t);
    assert_int_equal(h.count, 3);
    assert_int_equal(stet__histogram_at(&h, .3), 0);
    uint64_t top = (uint64_t)1 << STET_HISTOGRAM_BITS;
    assert_true(distance(stet__histogram_at(&h, 1), top) <= top / 32);
}

static void claim_equal(const stet_histogram *a, const stet_histogram *b)
{
    assert_int_equal(a->count, b->count);
    assert_int_equal(a->sum, b->sum);
    assert_memory_equal(a->buckets, b->buckets, sizeof a->buckets);
}

/* Two parts merged, or gathered one after the other, are the whole. */
static void test_merged_parts_are_the_whole(void **state)
{
    (void)state;
    rng r = {2};
    static uint64_t numbers[NUMBERS];
    static stet_tally whole;
    static stet_tally parts[2];
    static stet_histogram h[3];
    static stet_histogram gathered;
    add_any(&r, &whole, numbers, NUMBERS);
    for (size_t i = 0; i < NUMBERS; i++) {
        stet__tally_add(&parts[rng_below(&r, 2)], numbers[i]);
    }
    stet__histogram_gather(&h[0], &whole);
    stet__histogram_gather(&h[1], &parts[0]);
    stet__histogram_gather(&h[2], &parts[1]);
    stet__histogram_merge(&h[1], &h[2]);
    claim_equal(&h[1], &h[0]);
    stet__histogram_gather(&gathered, &parts[0]);
    stet__histogram_gather(&gathered, &parts[1]);
    claim_equal(&gathered, &h[0]);
}

/* ---- threads ---- */

enum { THREADS = 4, ROUNDS = 20000 };

typedef struct writer {
    stet_tally *tally;
    uint64_t seed;
    uint64_t thread;
} writer;

static void write_many(void *ctx)
{
    writer *w = ctx;
    rng r = {w->seed};
    for (int i = 0; i < ROUNDS; i++) {
        stet__tally_add(w->tally, any_number(&r));
    }
}

/* Writers who share tallies lose no number, nor does who reads meanwhile. */
static void test_nothing_is_lost_between_threads(void **state)
{
    (void)state;
    static stet_tally tallies[2];
    static stet_tally alone;
    static stet_histogram got;
    static stet_histogram want;
    static stet_histogram meanwhile;
    writer writers[THREADS];
    stet_os *os = stet__os_posix();
    for (size_t i = 0; i < THREADS; i++) {
        writers[i] = (writer){.tally = &tallies[i % 2], .seed = i};
        assert_int_equal(
            os->thread_start(os, write_many, &writers[i], &writers[i].thread),
            0);
    }
    stet__histogram_gather(&meanwhile, &tallies[0]);
    assert_true(meanwhile.count <= THREADS / 2 * ROUNDS);
    for (size_t i = 0; i < THREADS; i++) {
        os->thread_join(os, writers[i].thread);
        writers[i].tally = &alone;
        write_many(&writers[i]);
    }
    stet__histogram_gather(&got, &tallies[0]);
    stet__histogram_gather(&got, &tallies[1]);
    stet__histogram_gather(&want, &alone);
    assert_int_equal(got.count, THREADS * ROUNDS);
    claim_equal(&got, &want);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            test_percentiles_are_within_a_32nd_of_the_number_at_their_rank),
        cmocka_unit_test(test_numbers_at_powers_of_two_are_told_apart),
        cmocka_unit_test(test_the_mean_is_exact),
        cmocka_unit_test(test_the_ends_of_the_scale_are_counted),
        cmocka_unit_test(test_merged_parts_are_the_whole),
        cmocka_unit_test(test_nothing_is_lost_between_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
