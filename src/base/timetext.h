/*
 * Time text: RFC 3339 and Unix seconds to nanoseconds since 1970-01-01T00:00Z
 * and back. Range: years 1678 to 2262 (what a signed 64-bit count holds).
 */
#ifndef STET_BASE_TIMETEXT_H
#define STET_BASE_TIMETEXT_H

#include <stdbool.h>
#include <stdint.h>

#include <stet/slice.h>

/* "2262-04-11T23:47:16.854775807Z" and a NUL. */
enum { STET_TIME_TEXT_MAX = 40 };

/*
 * Read "2026-11-20T05:24:08Z", with up to 9 digits of fraction (more are cut),
 * an offset in place of Z, and a space or t in place of T. False, with `out_ns`
 * untouched, when it is anything else or out of range; a leap second is, since
 * Unix time does not count it.
 */
bool stet__time_parse_rfc3339(stet_slice text, int64_t *out_ns);
/* Read Unix seconds, with an optional sign and fraction: "1268753493.5". */
bool stet__time_parse_unix(stet_slice text, int64_t *out_ns);
/* Either of the two. */
bool stet__time_parse(stet_slice text, int64_t *out_ns);
/* Write UTC with as many groups of three fraction digits as needed (0 to 9). */
void stet__time_format(int64_t ns, char out[STET_TIME_TEXT_MAX]);

/* Days since 1970-01-01 of a proleptic Gregorian date, and back. */
int64_t stet__days_from_civil(int64_t year, unsigned month, unsigned day);

#endif
