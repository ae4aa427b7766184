/*
 * JSON: RFC 8259 text, read strictly and written in one way.
 *
 * Refused: anything around the one value but blanks, a byte order mark, what is
 * not UTF-8, lone surrogates, two members of one name, containers nested more
 * than STET_JSON_DEPTH_MAX deep, more values than a limit. Numbers are any size
 * and keep their text.
 *
 * Written: no blanks, numbers as they were read, strings with the shortest
 * escapes: \" \\ \b \f \n \r \t, other characters below U+0020 as \u and four
 * lower-case hex digits, everything else as it is.
 */
#ifndef STET_CORE_JSON_H
#define STET_CORE_JSON_H

#include <stet/export.h>
#include <stet/status.h>

#include "base/buf.h"
#include "core/doc.h"

enum {
    /* In text from outside; the names of members do not count. */
    STET_JSON_VALUES_MAX = 1000000,
};

typedef enum stet_json_kind {
    STET_JSON_OBJECT = 1,
    STET_JSON_ARRAY = 2,
    STET_JSON_OTHER = 3
} stet_json_kind;

/*
 * Read a text into values of `d`, at most `values_max` of them.
 *
 *   STET_E_INVALID    not JSON; the error names reason and byte offset
 *   STET_E_TOO_LARGE  too deep or too many values
 *   STET_E_NOMEM
 */
STET_NODISCARD stet_status stet__json_read(stet_doc *d, stet_slice text,
                                           size_t values_max, stet_value **out,
                                           stet_error *err);

/* Append a value's text; a failure shows in `out`. */
void stet__json_write(const stet_value *v, stet_buf *out);
/* Append a string's text, with quotes and escapes. */
void stet__json_write_string(stet_slice s, stet_buf *out);

/*
 * Check a text from outside, and tell what it is. Statuses of stet__json_read.
 */
STET_NODISCARD stet_status stet__json_check(const stet_allocator *a,
                                            stet_slice text,
                                            stet_json_kind *out_kind,
                                            stet_error *err);

/* Are these JSON pointers (RFC 6901), separated by single spaces? */
bool stet__json_pointers_are_valid(stet_slice pointers);

/*
 * Append the string that the first of some valid pointers names, the first that
 * names a string, that is. STET_E_NOT_FOUND when none does, when members on the
 * way share its name, or when the text, which may be anything, is not JSON or
 * has too many values; what lies beside the way is not looked at, so depth and
 * other names do not matter. STET_E_NOMEM.
 */
STET_NODISCARD stet_status stet__json_string_at(const stet_allocator *a,
                                                stet_slice text,
                                                stet_slice pointers,
                                                stet_buf *out);

#endif
