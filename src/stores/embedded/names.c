#include "stores/embedded/names.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/error.h"

/* What follows a file's number in its name. */
static const struct {
    const char *text;
    stet_name_kind kind;
} suffixes[] = {
    {".seg", STET_NAME_SEGMENT},
    {".set", STET_NAME_SET},
    {".idx", STET_NAME_INDEX},
};

/* Read a number without leading zeros up to `end`, not 0 unless `may_be_0`. */
static bool parse_number(const char *text, const char *end, bool may_be_0,
                         uint32_t *out)
{
    uint64_t n = 0;
    if (text == end || (*text == '0' && (!may_be_0 || end - text > 1))) {
        return false;
    }
    for (; text < end; text++) {
        if (*text < '0' || *text > '9') {
            return false;
        }
        n = 10 * n + (uint64_t)(*text - '0');
        if (n > UINT32_MAX) {
            return false;
        }
    }
    *out = (uint32_t)n;
    return true;
}

bool stet__name_number(const char *text, const char *end, uint32_t *out)
{
    return parse_number(text, end, false, out);
}

void stet__name_uuid(const uint8_t uuid[16], char out[STET_NAME_UUID_MAX])
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10) {
            *out++ = '-';
        }
        *out++ = digits[uuid[i] >> 4];
        *out++ = digits[uuid[i] & 15];
    }
    *out = '\0';
}

stet_name_kind stet__name_kind(const char *name, uint32_t *out_number)
{
    size_t len = strlen(name);
    if (strcmp(name, "super") == 0) {
        return STET_NAME_SUPER;
    }
    if (strcmp(name, "LOCK") == 0) {
        return STET_NAME_LOCK;
    }
    if (strcmp(name, "RESTORING") == 0) {
        return STET_NAME_RESTORING;
    }
    if (strncmp(name, "tmp-", 4) == 0 &&
        parse_number(name + 4, name + len, true, out_number)) {
        return STET_NAME_TEMPORARY;
    }
    if (len > 4 && parse_number(name, name + len - 4, false, out_number)) {
        for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
            if (strcmp(name + len - 4, suffixes[i].text) == 0) {
                return suffixes[i].kind;
            }
        }
    }
    return STET_NAME_FOREIGN;
}

const char *stet__name_suffix(stet_name_kind kind)
{
    for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
        if (kind == suffixes[i].kind) {
            return suffixes[i].text;
        }
    }
    STET_ASSERT(false); /* has no number in front */
    return "";
}

void stet__name_file(stet_name_kind kind, uint32_t number,
                     char out[STET_OS_NAME_MAX])
{
    (void)snprintf(out, STET_OS_NAME_MAX, "%" PRIu32 "%s", number,
                   stet__name_suffix(kind)); /* fits */
}

void stet__name_segment(uint32_t number, char out[STET_OS_NAME_MAX])
{
    stet__name_file(STET_NAME_SEGMENT, number, out);
}

void stet__name_set(uint32_t number, char out[STET_OS_NAME_MAX])
{
    stet__name_file(STET_NAME_SET, number, out);
}

void stet__name_temporary(uint32_t number, char out[STET_OS_NAME_MAX])
{
    (void)snprintf(out, STET_OS_NAME_MAX, "tmp-%" PRIu32, number); /* fits */
}

static stet_status status_of(int os_errno)
{
    switch (os_errno) {
    case ENOSPC:
    case EDQUOT:
        return STET_E_NOSPACE;
    case EROFS:
    case EACCES:
    case EPERM:
        return STET_E_READONLY;
    case ENOMEM:
    case EMFILE:
    case ENFILE:
        return STET_E_NOMEM;
    default:
        return STET_E_IO;
    }
}

stet_status stet__os_fail(stet_error *err, int rc, const char *format, ...)
{
    char text[STET_ERROR_TEXT_MAX];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args); /* cut when too long */
    va_end(args);
    return stet__fail(err, status_of(-rc), -rc, "%s", text);
}

STET_PRINTF(5, 0)
static stet_status damage(stet_error *err, stet_name_kind kind, uint32_t number,
                          uint64_t offset, const char *format, va_list args)
{
    char text[STET_ERROR_TEXT_MAX];
    char name[STET_OS_NAME_MAX];
    (void)vsnprintf(text, sizeof text, format, args); /* cut when too long */
    stet__name_file(kind, number, name);
    return stet__fail(err, STET_E_CORRUPT, 0, "%s at offset %" PRIu64 ": %s",
                      name, offset, text);
}

stet_status stet__damage(stet_error *err, uint32_t file, uint64_t offset,
                         const char *format, ...)
{
    va_list args;
    va_start(args, format);
    stet_status st = damage(err, STET_NAME_SEGMENT, file, offset, format, args);
    va_end(args);
    return st;
}

stet_status stet__damage_of_set(stet_error *err, uint32_t file, uint64_t offset,
                                const char *format, ...)
{
    va_list args;
    va_start(args, format);
    stet_status st = damage(err, STET_NAME_SET, file, offset, format, args);
    va_end(args);
    return st;
}

stet_status stet__damage_wrap(stet_error *err, stet_status st, uint32_t file,
                              uint64_t offset)
{
    return stet__wrap(err, st, "%" PRIu32 ".seg at offset %" PRIu64, file,
                      offset);
}
