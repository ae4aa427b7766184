/*
 * Child: code that ends its process, run in one of its own.
 */
#ifndef STET_TESTS_CHILD_H
#define STET_TESTS_CHILD_H

#include <stdbool.h>

/*
 * The signal that ends a process which runs `fn`, 0 when `fn` returns. Its
 * stderr is thrown away. The caller must have one thread only.
 */
int child_signal(void (*fn)(void *ctx), void *ctx);

/*
 * Does `fn` abort, as a broken assertion does? Skips the test in builds that
 * leave assertions out to count branches.
 */
bool child_aborts(void (*fn)(void *ctx), void *ctx);

#endif
