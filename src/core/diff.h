/*
 * Diff: how to get from one state to another.
 *
 * Between two JSON objects: an RFC 6902 patch that stet__fold_patch takes.
 * Where both have an object, members are compared by name; where both have an
 * array, what is alike at both ends is left, the elements between are compared
 * in order, and what one has more is removed or added. Equality is
 * stet__value_eq's: neither the order of members nor the spelling of a number
 * is a difference. A value nested more than 62 deep makes a patch that is too
 * deep to be taken. Of two other JSON values that differ: one operation that
 * replaces the document.
 *
 * Between anything else: a summary of bytes.
 *
 *   {"bytes_before":N,"bytes_after":N,"first_difference":N,"common_suffix":N}
 *
 * `first_difference` is an offset, null when the two are the same;
 * `common_suffix` counts bytes behind it.
 */
#ifndef STET_CORE_DIFF_H
#define STET_CORE_DIFF_H

#include <stet/export.h>
#include <stet/status.h>

#include "base/buf.h"

/*
 * Append the patch from `a` to `b` to `out`, or the summary where one of them
 * is not JSON as core/json.h reads it. An empty state counts as {}. `out` is
 * untouched on failure. STET_E_NOMEM.
 */
STET_NODISCARD stet_status stet__diff_json(const stet_allocator *alloc,
                                           stet_slice a, stet_slice b,
                                           stet_buf *out, stet_error *err);

/* Append the summary. STET_E_NOMEM, with `out` untouched. */
STET_NODISCARD stet_status stet__diff_bytes(stet_slice a, stet_slice b,
                                            stet_buf *out, stet_error *err);

#endif
