/*
 * Rounds: how much of a long test to do.
 *
 * With STET_LONG set all of it; under the thread sanitizer little, for tests of
 * one thread have nothing to show it. Coverage goes the same ways in a third of
 * a sweep's places.
 */
#ifndef STET_TESTS_ROUNDS_H
#define STET_TESTS_ROUNDS_H

#include <stddef.h>

/* So many where nothing is said; at least one. */
size_t rounds(size_t count);

/*
 * What to go on by in a sweep over each of many places: 1, and more under the
 * thread sanitizer and for coverage.
 */
unsigned rounds_stride(void);

#endif
