/*
 * Pointer: RFC 6901, the path to one value of a JSON document.
 *
 * "" is the whole document. Otherwise each "/" is followed by a token: the name
 * of a member or the index of an element. In a token "~1" stands for "/" and
 * "~0" for "~".
 */
#ifndef STET_CORE_POINTER_H
#define STET_CORE_POINTER_H

#include <stdbool.h>
#include <stdint.h>

#include <stet/slice.h>

#include "base/arena.h"
#include "base/buf.h"

bool stet__pointer_is_valid(stet_slice pointer);

/*
 * Take the first token, still escaped, off a valid pointer; false at its end.
 * What remains in `*rest` is a valid pointer.
 */
bool stet__pointer_next(stet_slice *rest, stet_slice *out_token);

/*
 * Undo the escapes of a token. Lends the token itself where there are none,
 * else bytes in `arena`; `ptr` NULL: no memory.
 */
stet_slice stet__pointer_decode(stet_slice token, stet_arena *arena);

/* Read a token as an index: decimal digits without a leading zero. */
bool stet__pointer_index(stet_slice token, uint32_t *out);

/* Is `a` the path to something inside what `b` is the path to? */
bool stet__pointer_is_inside(stet_slice a, stet_slice b);

/* Append "/" and a member's name, escaped. */
void stet__pointer_put_name(stet_buf *out, stet_slice name);
/* Append "/" and an index. */
void stet__pointer_put_index(stet_buf *out, uint32_t index);

#endif
