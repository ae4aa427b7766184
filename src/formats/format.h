/*
 * Format: the text formats that event logs come in.
 *
 * Reading and writing both are pipes: bytes are pushed in or handed on in
 * pieces of any size, and no file is ever held as a whole.
 */
#ifndef STET_FORMATS_FORMAT_H
#define STET_FORMATS_FORMAT_H

#include <stdbool.h>

#include <stet/slice.h>
#include <stet/status.h>

/* Takes the next bytes, lent for the call. */
typedef stet_status (*stet_bytes_fn)(void *ctx, stet_slice bytes,
                                     stet_error *err);

typedef enum stet_format {
    STET_FORMAT_XES = 1,
    STET_FORMAT_CSV = 2,
    STET_FORMAT_JSONL = 3
} stet_format;

/* "xes", "csv" or "jsonl"; static storage. */
const char *stet__format_name(stet_format format);
/* Find the format that a file name's end tells, ".gz" left aside. */
bool stet__format_of_path(stet_slice path, stet_format *out);

#endif
