#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"

/* Bytes of the last, unfinished UTF-8 character of a text that was cut. */
static size_t broken_tail(const char *text, size_t len)
{
    size_t tail = 0;
    while (tail < 3 && tail < len &&
           ((unsigned char)text[len - 1 - tail] & 0xc0) == 0x80) {
        tail++;
    }
    if (tail == len) {
        return 0;
    }
    unsigned char lead = (unsigned char)text[len - 1 - tail];
    size_t need = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc0 ? 2 : 1;
    return need > tail + 1 ? tail + 1 : 0;
}

/* Format into `out`, cut between characters; returns the length. */
STET_PRINTF(2, 0)
static size_t format_cut(char out[STET_ERROR_TEXT_MAX], const char *format,
                         va_list args)
{
    int full = vsnprintf(out, STET_ERROR_TEXT_MAX, format, args);
    if (full < 0) {
        out[0] = '\0';
        return 0;
    }
    size_t len = (size_t)full;
    if (len >= STET_ERROR_TEXT_MAX) {
        len = STET_ERROR_TEXT_MAX - 1;
        len -= broken_tail(out, len);
        out[len] = '\0';
    }
    return len;
}

/* Append to `text` of length `len`, cut between characters. */
static void append_cut(char text[STET_ERROR_TEXT_MAX], size_t len,
                       const char *more)
{
    size_t room = STET_ERROR_TEXT_MAX - 1 - len;
    size_t more_len = strlen(more);
    if (more_len > room) {
        more_len = room - broken_tail(more, room);
    }
    memcpy(text + len, more, more_len);
    text[len + more_len] = '\0';
}

stet_status stet__fail(stet_error *err, stet_status status, int os_errno,
                       const char *format, ...)
{
    STET_ASSERT(os_errno >= 0);
    if (err == NULL) {
        return status;
    }
    /* Into a copy first: an argument may point into the old text. */
    char text[STET_ERROR_TEXT_MAX];
    va_list args;
    va_start(args, format);
    size_t len = format_cut(text, format, args);
    va_end(args);
    if (os_errno != 0) {
        char message[128];
        append_cut(text, len, ": ");
        append_cut(text, strlen(text),
                   strerror_r(os_errno, message, sizeof message));
    }
    err->status = status;
    err->os_errno = os_errno;
    memcpy(err->text, text, sizeof text);
    return status;
}

stet_status stet__wrap(stet_error *err, stet_status status, const char *format,
                       ...)
{
    if (err == NULL) {
        return status;
    }
    char text[STET_ERROR_TEXT_MAX];
    va_list args;
    va_start(args, format);
    size_t len = format_cut(text, format, args);
    va_end(args);
    if (err->text[0] != '\0') {
        append_cut(text, len, ": ");
        append_cut(text, strlen(text), err->text);
    }
    err->status = status;
    memcpy(err->text, text, sizeof text);
    return status;
}

void stet__error_reset(stet_error *err)
{
    if (err != NULL) {
        err->status = STET_OK;
        err->os_errno = 0;
        err->text[0] = '\0';
    }
}
