/*
 * Random JSON texts, small and alike enough that two of them share names and
 * values, with blanks, escapes and odd numbers.
 */
#ifndef STET_TESTS_JSON_RANDOM_H
#define STET_TESTS_JSON_RANDOM_H

#include "base/buf.h"
#include "lib/rng.h"

/* Append an object nested at most `depth` > 0 deep. */
void json_random_object(rng *r, uint32_t depth, stet_buf *out);

/* Append any value, nested at most `depth` deep. */
void json_random_value(rng *r, uint32_t depth, stet_buf *out);

#endif
