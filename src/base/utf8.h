/*
 * UTF-8 (RFC 3629): strict, no surrogates, no overlong forms.
 */
#ifndef STET_BASE_UTF8_H
#define STET_BASE_UTF8_H

#include <stdbool.h>

#include <stet/slice.h>

bool stet__utf8_is_valid(stet_slice text);
/* Valid, and without controls (U+0000 to U+001F, U+007F to U+009F). */
bool stet__utf8_is_printable(stet_slice text);

#endif
