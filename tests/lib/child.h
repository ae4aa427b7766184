/*
 * Child: code that ends its process, run in one of its own.
 */
#ifndef STET_TESTS_CHILD_H
#define STET_TESTS_CHILD_H

#include <stdbool.h>

/*
 * Does `fn` abort, as a broken assertion does? Its stderr is thrown away. The
 * caller must have one thread only.
 */
bool child_aborts(void (*fn)(void *ctx), void *ctx);

#endif
