/*
 * Decimal: JSON numbers compared by value, exactly, on their text.
 *
 * Neither doubles nor any fixed width take part, so that 1e400,
 * 18446744073709551617 and 0.1 each equal themselves and nothing else.
 */
#ifndef STET_CORE_DECIMAL_H
#define STET_CORE_DECIMAL_H

#include <stdbool.h>

#include <stet/slice.h>

/*
 * Are two numbers (RFC 8259, section 6: checked before) the same value?
 * 1.0 is 1, 1e2 is 100, -0 is 0.
 */
bool stet__decimal_eq(stet_slice a, stet_slice b);

#endif
