/*
 * Options: structs of a caller who may know fewer fields than this library, or
 * more of them.
 *
 * Each begins with its own size, grows at its end only, and zero means the
 * default for every field. So the bytes that the caller has not are zero, and
 * bytes that this library does not know must be.
 */
#ifndef STET_ENGINE_OPTIONS_H
#define STET_ENGINE_OPTIONS_H

#include <stddef.h>

#include <stet/status.h>

/*
 * Copy the options at `given` (NULL: all defaults) into the `known_bytes` at
 * `out`, whose size field becomes `known_bytes`. A size of 0 is taken as that.
 * STET_E_UNSUPPORTED: they say something that this library does not know.
 */
stet_status stet__options_copy(const void *given, size_t known_bytes, void *out,
                               stet_error *err);

/*
 * The other way, for a struct that the library fills: copy the `known_bytes` at
 * `own`, but for their size, as far as the caller's `out` goes.
 */
void stet__options_give(const void *own, size_t known_bytes, void *out);

#endif
