/*
 * Building errors: fill where the cause is, add one step per layer.
 */
#ifndef STET_BASE_ERROR_H
#define STET_BASE_ERROR_H

#include <stet/status.h>

/*
 * Start an error: `err` (nullable) gets `status`, `os_errno` and the text; when
 * `os_errno` is not 0, ": " and its message follow the text. Returns `status`.
 */
stet_status stet__fail(stet_error *err, stet_status status, int os_errno,
                       const char *format, ...) STET_PRINTF(4, 5);

/*
 * Put "text: " in front of what a lower layer said; its `os_errno` stays, the
 * status becomes `status`, which is returned. Texts that grow too long are cut
 * at their end, between characters.
 */
stet_status stet__wrap(stet_error *err, stet_status status, const char *format,
                       ...) STET_PRINTF(3, 4);

/* Make `err` (nullable) say nothing: status OK, empty text. */
void stet__error_reset(stet_error *err);

#endif
