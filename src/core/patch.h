/*
 * Patch: RFC 6902 operations on a document.
 *
 * A patch is an array of objects, done in order, all or none. Each has "op" and
 * "path", a JSON pointer; further members are ignored:
 *
 *   add      "value"  put at `path`. A member takes the place of the one of
 *                     that name, else comes last; an element comes before the
 *                     one at the index, or last at "-" or the array's length
 *   remove            take away what is at `path`; never the document
 *   replace  "value"  put in the place of what is at `path`
 *   move     "from"   remove at `from`, then add at `path`, which is not inside
 *   copy     "from"   add a copy of what is at `from` at `path`
 *   test     "value"  refuse the patch unless what is at `path` is equal
 *                     (stet__value_eq)
 *
 * After no operation may containers nest more than STET_JSON_DEPTH_MAX deep.
 * Copies in one patch make at most STET_PATCH_COPY_VALUES_MAX values and
 * STET_PATCH_COPY_TEXT_BYTES_MAX bytes of names, strings and numbers, since a
 * few operations could double a document again and again.
 */
#ifndef STET_CORE_PATCH_H
#define STET_CORE_PATCH_H

#include <stet/export.h>
#include <stet/status.h>

#include "core/doc.h"

enum {
    STET_PATCH_COPY_VALUES_MAX = 1000000,
    STET_PATCH_COPY_TEXT_BYTES_MAX = 64 * 1024 * 1024,
};

/*
 * Do the operations of `patch`, a value of `d`, on `*root`. The values of the
 * patch become part of the document. On failure the document is left half done.
 *
 *   STET_E_INVALID    not a patch, or it does not apply; the error names the
 *                     operation, counted from 0
 *   STET_E_TOO_LARGE  nested too deep, or copies too much
 *   STET_E_NOMEM
 */
STET_NODISCARD stet_status stet__patch_apply(stet_doc *d, stet_value **root,
                                             const stet_value *patch,
                                             stet_error *err);

#endif
