/*
 * Glob: patterns over ids, as Redis users know them.
 *
 *   *       any run of bytes, also empty     ?       any one byte
 *   [a-z]   one byte of a set                [^a-z]  one byte outside it
 *   \x      x itself
 *
 * Matching takes time linear in the text times the pattern's literal pieces
 * and never recurses; a pattern is at most STET_GLOB_BYTES_MAX long.
 */
#ifndef STET_BASE_GLOB_H
#define STET_BASE_GLOB_H

#include <stdbool.h>

#include <stet/slice.h>

enum { STET_GLOB_BYTES_MAX = 256 };

/* Is the pattern well formed (closed sets, nothing after a lone backslash)? */
bool stet__glob_is_valid(stet_slice pattern);
/* Does the whole text match? An empty pattern matches an empty text only. */
bool stet__glob_match(stet_slice pattern, stet_slice text);
/* Lend the literal bytes before the first special character. */
stet_slice stet__glob_prefix(stet_slice pattern);
/* Is there no special character in it at all? */
bool stet__glob_is_literal(stet_slice pattern);

#endif
