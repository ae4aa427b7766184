/*
 * Base64 (RFC 4648, section 4, with padding): bytes that a text format cannot
 * hold as they are.
 */
#ifndef STET_FORMATS_BASE64_H
#define STET_FORMATS_BASE64_H

#include <stdbool.h>

#include <stet/slice.h>

#include "base/arena.h"
#include "base/buf.h"

void stet__base64_put(stet_buf *out, stet_slice bytes);

/*
 * Decode into the arena. False when the text is not base64 or not its shortest
 * form, so that a value has one encoding; out->ptr NULL: no memory.
 */
bool stet__base64_decode(stet_slice text, stet_arena *arena, stet_slice *out);

#endif
