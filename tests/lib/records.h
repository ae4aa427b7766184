/*
 * Records for tests: random ones, whole encodings, comparison.
 */
#ifndef STET_TESTS_RECORDS_H
#define STET_TESTS_RECORDS_H

#include "core/record.h"
#include "lib/rng.h"

/* A record with any mix of flags, forms, tags and sizes that may be. */
void records_random(rng *r, stet_record *out);

/* Append a whole record: head and tail. */
void records_put(const stet_record *r, stet_buf *out);

/* Append a head and a tail that is given as it is. */
void records_put_raw(const stet_record *r, stet_slice tail, stet_buf *out);

/* A record and its bytes, which were made apart from the library. */
stet_record records_golden(void);
stet_slice records_golden_bytes(void);

/* Fail unless both say the same. */
void records_assert_equal(const stet_record *a, const stet_record *b);

#endif
