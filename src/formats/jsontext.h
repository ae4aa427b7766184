/*
 * JSON text: objects taken apart and strings written, without touching a byte
 * of the values that are kept.
 *
 * A member is given twice over: `raw` is its value as it stands in the text,
 * for bytes that must be stored exactly; `text` is what it means, for names and
 * times. Parsing is strict (RFC 8259, UTF-8) and takes numbers of any size, for
 * it never computes with them. It does not recurse, so depth needs no limit.
 */
#ifndef STET_FORMATS_JSONTEXT_H
#define STET_FORMATS_JSONTEXT_H

#include <stdbool.h>

#include <stet/slice.h>
#include <stet/status.h>

#include "base/arena.h"
#include "base/buf.h"

typedef enum stet_jsontext_type {
    STET_JSONTEXT_NULL = 1,
    STET_JSONTEXT_BOOL = 2,
    STET_JSONTEXT_NUMBER = 3,
    STET_JSONTEXT_STRING = 4,
    STET_JSONTEXT_LIST = 5,
    STET_JSONTEXT_OBJECT = 6
} stet_jsontext_type;

/* One member; `name` and a string's `text` are lent by the arena. */
typedef struct stet_jsontext_member {
    stet_slice name; /* without quotes and escapes */
    stet_slice raw;  /* the value's bytes in the text, no white space around */
    stet_slice text; /* a string without quotes and escapes, else as `raw` */
    stet_jsontext_type type;
} stet_jsontext_member;

/* The members of one object. Thread: one at a time. */
typedef struct stet_jsontext_object {
    const char *ptr;  /* before the next member's name */
    const char *end;  /* of the text */
    const void *item; /* the next name as it was decoded */
    size_t left;      /* members not yet given */
} stet_jsontext_object;

/*
 * Open an object whose text and arena live as long as it is used.
 *
 * STET_E_INVALID: not JSON, or another type; the text says what and where.
 */
STET_NODISCARD stet_status stet__jsontext_open(stet_jsontext_object *o,
                                               stet_slice text,
                                               stet_arena *arena,
                                               stet_error *err);
/* Take the next member, in the order of the text; false at the end. */
bool stet__jsontext_next(stet_jsontext_object *o, stet_jsontext_member *out);

/* Check a text; STET_E_INVALID when it is not JSON. The arena is scratch. */
STET_NODISCARD stet_status stet__jsontext_check(stet_slice text,
                                                stet_arena *arena,
                                                stet_error *err);
/* Does the text read as one JSON number? */
bool stet__jsontext_is_number(stet_slice text);

/* Append a string with its quotes; `text` is UTF-8. */
void stet__jsontext_put_string(stet_buf *out, stet_slice text);

#endif
