#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"

/* Bytes of the last UTF-8 character of a text when it was cut in two, or 0. */
static size_t broken_tail(const char *text, size_t len)
{
    size_t tail = 0;
    while (tail < 3 && tail + 1 < len &&
           (text[len - 1 - tail] & 0xc0) == 0x80) {
        tail++;
    }
    unsigned char lead = (unsigned char)text[len - 1 - tail];
    size_t whole = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc0 ? 2 : 1;
    return whole > tail + 1 ? tail + 1 : 0;
}

/*
 * Set the text of `err` to the formatted one, ": " and `cause`, or without the
 * last two where `cause` is empty. Either may point into the old text.
 */
STET_PRINTF(3, 0)
static void set_text(stet_error *err, const char *cause, const char *format,
                     va_list args)
{
    char text[STET_ERROR_TEXT_MAX];
    if (vsnprintf(text, sizeof text, format, args) < 0) {
        text[0] = '\0';
    }
    size_t len = strlen(text);
    if (cause[0] != '\0') {
        (void)snprintf(text + len, sizeof text - len, ": %s", cause); /* cut */
        len = strlen(text);
    }
    if (len == sizeof text - 1) {
        text[len - broken_tail(text, len)] = '\0';
    }
    memcpy(err->text, text, strlen(text) + 1);
}

stet_status stet__fail(stet_error *err, stet_status status, int os_errno,
                       const char *format, ...)
{
    STET_ASSERT(os_errno >= 0);
    if (err == NULL) {
        return status;
    }
    char message[128];
    const char *cause =
        os_errno == 0 ? "" : strerror_r(os_errno, message, sizeof message);
    va_list args;
    va_start(args, format);
    set_text(err, cause, format, args);
    va_end(args);
    err->status = status;
    err->os_errno = os_errno;
    return status;
}

stet_status stet__wrap(stet_error *err, stet_status status, const char *format,
                       ...)
{
    if (err == NULL) {
        return status;
    }
    va_list args;
    va_start(args, format);
    set_text(err, err->text, format, args);
    va_end(args);
    err->status = status;
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
