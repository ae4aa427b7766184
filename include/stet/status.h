/*
 * Status codes and errors: what a call answers, and what the caller does next.
 *
 * Every status has a kind. The kind decides what a caller does and which exit
 * code the command-line tool ends with:
 *
 *   OK      done                                         exit 0
 *   NO      a true answer that says no                   exit 1
 *   CALLER  the call is wrong; change it                 exit 2
 *   ENV     the machine must be mended                   exit 3
 *   RETRY   nothing happened; the same call may succeed  exit 3
 *   MAYBE   stored wholly or not at all; ask again with
 *           the same idempotency key                     exit 3
 *   DATA    stored bytes are wrong                       exit 4
 */
#ifndef STET_STATUS_H
#define STET_STATUS_H

#include <stddef.h>
#include <stdint.h>

#include <stet/export.h>

#ifdef __cplusplus
extern "C" {
#endif

/* name, value in the ABI, kind, text. A value is never reused. */
#define STET_STATUS_MAP(X)                                                     \
    X(STET_OK, 0, STET_KIND_OK, "ok")                                          \
    X(STET_DONE, 1, STET_KIND_NO, "no more items")                             \
    X(STET_E_NOT_FOUND, 2, STET_KIND_NO, "not found")                          \
    X(STET_E_CONFLICT, 3, STET_KIND_NO, "expected version differs")            \
    X(STET_E_EXISTS, 4, STET_KIND_NO, "already there")                         \
    X(STET_E_GONE, 5, STET_KIND_NO, "dropped by retention")                    \
    X(STET_E_ERASED, 6, STET_KIND_NO, "erased")                                \
    X(STET_E_PARTIAL, 7, STET_KIND_NO, "only a part could be shown")           \
    X(STET_E_HELD, 8, STET_KIND_NO, "held")                                    \
    X(STET_E_INVALID, 16, STET_KIND_CALLER, "invalid")                         \
    X(STET_E_UNSUPPORTED, 17, STET_KIND_CALLER, "not supported here")          \
    X(STET_E_TOO_LARGE, 18, STET_KIND_CALLER, "over a limit")                  \
    X(STET_E_NOMEM, 32, STET_KIND_ENV, "out of memory")                        \
    X(STET_E_NOSPACE, 33, STET_KIND_ENV, "no space left")                      \
    X(STET_E_READONLY, 34, STET_KIND_ENV, "read-only")                         \
    X(STET_E_LOCKED, 35, STET_KIND_ENV, "in use by another process")           \
    X(STET_E_IO, 36, STET_KIND_ENV, "input/output error")                      \
    X(STET_E_BUSY, 37, STET_KIND_RETRY, "busy")                                \
    X(STET_E_TIMEOUT, 38, STET_KIND_MAYBE, "timed out")                        \
    X(STET_E_UNKNOWN, 39, STET_KIND_MAYBE, "outcome unknown")                  \
    X(STET_E_CORRUPT, 48, STET_KIND_DATA, "damaged data")                      \
    X(STET_E_FORMAT, 49, STET_KIND_DATA, "not a format this version reads")

/* What a status asks of the caller; see the top of this file. */
typedef enum stet_kind {
    STET_KIND_OK = 0,
    STET_KIND_NO = 1,
    STET_KIND_CALLER = 2,
    STET_KIND_ENV = 3,
    STET_KIND_RETRY = 4,
    STET_KIND_MAYBE = 5,
    STET_KIND_DATA = 6
} stet_kind;

/* What a call answers. */
typedef enum stet_status {
#define STET_STATUS_ENUM(name, value, kind, text) name = value,
    STET_STATUS_MAP(STET_STATUS_ENUM)
#undef STET_STATUS_ENUM
} stet_status;

/* Bytes of an error's text, its NUL included. */
enum { STET_ERROR_TEXT_MAX = 512 };

/*
 * What went wrong, in the caller's memory. Plain data; may be copied.
 *
 * `text` reads from the outermost step to the cause ("load game:1: open 7.seg:
 * No such file or directory"), is NUL-terminated and is cut when too long.
 */
typedef struct stet_error {
    stet_status status;
    int os_errno; /* errno of the cause, or 0 */
    char text[STET_ERROR_TEXT_MAX];
} stet_error;

/*
 * Give the name of a status, for example "STET_E_CONFLICT".
 *
 * Never NULL; static storage. Thread-safe. Since 0.1.
 */
STET_API const char *stet_status_name(stet_status status);

/*
 * Give the short text of a status, for example "expected version differs".
 *
 * Never NULL; static storage. Thread-safe. Since 0.1.
 */
STET_API const char *stet_status_text(stet_status status);

/*
 * Give the kind of a status; an unknown value is STET_KIND_ENV.
 *
 * Thread-safe. Since 0.1.
 */
STET_API stet_kind stet_status_kind(stet_status status);

#ifdef __cplusplus
}
#endif

#endif
