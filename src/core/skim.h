/*
 * Skim: what can be told of a JSON text without reading it.
 *
 * Whether a text is JSON shows at its end only, and to read 64 KiB takes longer
 * than to pack them. Most saves leave the state's name as it was, and then it
 * does not matter whether they are JSON: a text that is none gives no name, and
 * the old one stays, too.
 */
#ifndef STET_CORE_SKIM_H
#define STET_CORE_SKIM_H

#include <stdbool.h>

#include <stet/slice.h>

/*
 * Is it certain that stet__json_string_at finds `known` or nothing in `text`,
 * which may be anything? False where that would take longer to tell.
 */
bool stet__skim_says_no_other(stet_slice text, stet_slice pointers,
                              stet_slice known);

#endif
