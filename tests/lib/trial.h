/*
 * Trial: a store and its model side by side, written at random, compared.
 *
 * One thread of the test's; the store may have its own.
 */
#ifndef STET_TESTS_TRIAL_H
#define STET_TESTS_TRIAL_H

#include "lib/model.h"
#include "lib/store_under_test.h"
#include "lib/workload.h"

typedef struct trial {
    store_under_test store;
    model m;
    workload w;
    int64_t last_recorded;
    const stet_batch *unsure; /* nobody knows whether it was stored; NULL */
    model_verdict unsure_verdict;
} trial;

/* Options by the seed; the store is the caller's to open. */
void trial_begin(trial *t, uint64_t seed, void (*init)(store_under_test *));
void trial_end(trial *t);

/* Write something, or not, and compare some answers. */
void trial_step(trial *t);

/* Write something on a disk that may die, or fail, on the way. */
void trial_step_to_the_end(trial *t);
/* Did it? Then nothing more can be written before the store is reopened. */
bool trial_is_broken(const trial *t);
/* After the reopen: was the last batch stored? Wholly, or not at all. */
void trial_settle(trial *t);

#endif
