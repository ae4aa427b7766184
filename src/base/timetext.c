#include "base/timetext.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"

enum {
    SECONDS_PER_DAY = 86400,
    DAYS_PER_400_YEARS = 146097,
    /* From 0000-03-01, where the count below starts, to 1970-01-01. */
    DAYS_TO_1970 = 719468,
};

static const int64_t ns_per_second = 1000000000;

/* A text that is read from the front. */
typedef struct scanner {
    const char *ptr;
    size_t left;
} scanner;

typedef struct civil {
    int64_t year;
    unsigned month; /* 1 to 12 */
    unsigned day;   /* 1 to 31 */
} civil;

/* a / b, rounded down; b > 0. */
static int64_t div_floor(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

/* Days of a year that starts in March, before the month `m`, March being 0. */
static unsigned days_before(unsigned m)
{
    return (153 * m + 2) / 5; /* 31 30 31 30 31, twice, and what is left */
}

/*
 * The year is taken to start in March, so that the leap day is its last one
 * and neither a month's start nor a year's length depends on it.
 */
int64_t stet__days_from_civil(int64_t year, unsigned month, unsigned day)
{
    int64_t y = month <= 2 ? year - 1 : year;
    unsigned days = days_before((month + 9) % 12) + day - 1;
    return y * 365 + div_floor(y, 4) - div_floor(y, 100) + div_floor(y, 400) +
           days - DAYS_TO_1970;
}

static civil civil_from_days(int64_t days)
{
    int64_t since = days + DAYS_TO_1970;
    int64_t era = div_floor(since, DAYS_PER_400_YEARS);
    int64_t in_era = since - era * DAYS_PER_400_YEARS;
    /* Take out leap days: one each 1461 days, but not each 36525. */
    int64_t in_era_365 =
        in_era - in_era / 1460 + in_era / 36524 - in_era / 146096;
    int64_t year = in_era_365 / 365;
    unsigned in_year = (unsigned)(in_era - year * 365 - year / 4 + year / 100);
    unsigned month = (5 * in_year + 2) / 153;
    civil c = {
        .year = era * 400 + year + (month >= 10),
        .month = month < 10 ? month + 3 : month - 9,
        .day = in_year - days_before(month) + 1,
    };
    return c;
}

static bool is_date(civil c)
{
    static const uint8_t days[12] = {31, 28, 31, 30, 31, 30,
                                     31, 31, 30, 31, 30, 31};
    if (c.month < 1 || c.month > 12) {
        return false;
    }
    bool is_leap = c.year % 4 == 0 && (c.year % 100 != 0 || c.year % 400 == 0);
    unsigned leap_day = c.month == 2 && is_leap;
    return c.day >= 1 && c.day <= days[c.month - 1] + leap_day;
}

/* Read exactly `count` digits. */
static bool digits(scanner *s, size_t count, unsigned *out)
{
    unsigned v = 0;
    if (s->left < count) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        char c = s->ptr[i];
        if (c < '0' || c > '9') {
            return false;
        }
        v = v * 10 + (unsigned)(c - '0');
    }
    s->ptr += count;
    s->left -= count;
    *out = v;
    return true;
}

/* Read one character of `set` and say which; NUL when there is none. */
static char one_of(scanner *s, const char *set)
{
    if (s->left == 0 || s->ptr[0] == '\0' || strchr(set, s->ptr[0]) == NULL) {
        return '\0';
    }
    s->left--;
    return *s->ptr++;
}

/* Read "YYYY-MM-DD" into days. */
static bool read_date(scanner *s, int64_t *out_days)
{
    unsigned year = 0;
    civil c = {0};
    bool is_read = digits(s, 4, &year) && one_of(s, "-") &&
                   digits(s, 2, &c.month) && one_of(s, "-") &&
                   digits(s, 2, &c.day);
    c.year = year;
    if (!is_read || !is_date(c)) {
        return false;
    }
    *out_days = stet__days_from_civil(c.year, c.month, c.day);
    return true;
}

/* Read "HH:MM:SS" into seconds. A leap second has no place in Unix time. */
static bool read_clock(scanner *s, unsigned *out_seconds)
{
    unsigned hour = 0;
    unsigned minute = 0;
    unsigned second = 0;
    bool is_read = digits(s, 2, &hour) && one_of(s, ":") &&
                   digits(s, 2, &minute) && one_of(s, ":") &&
                   digits(s, 2, &second);
    if (!is_read || hour > 23 || minute > 59 || second > 59) {
        return false;
    }
    *out_seconds = hour * 3600 + minute * 60 + second;
    return true;
}

/* Read nothing, or a point and digits, of which the first nine count. */
static bool read_fraction(scanner *s, unsigned *out_ns)
{
    unsigned ns = 0;
    unsigned unit = 100000000;
    unsigned digit = 0;
    if (one_of(s, ".")) {
        if (!digits(s, 1, &digit)) {
            return false;
        }
        do {
            ns += digit * unit;
            unit /= 10;
        } while (digits(s, 1, &digit));
    }
    *out_ns = ns;
    return true;
}

/* Read "Z" or "+HH:MM" into seconds east of Greenwich. */
static bool read_offset(scanner *s, int *out_seconds)
{
    unsigned hour = 0;
    unsigned minute = 0;
    if (one_of(s, "Zz")) {
        *out_seconds = 0;
        return true;
    }
    char sign = one_of(s, "+-");
    bool is_read = sign != '\0' && digits(s, 2, &hour) && one_of(s, ":") &&
                   digits(s, 2, &minute);
    if (!is_read || hour > 23 || minute > 59) {
        return false;
    }
    int seconds = (int)(hour * 3600 + minute * 60);
    *out_seconds = sign == '-' ? -seconds : seconds;
    return true;
}

/* seconds * 10^9 + ns, 0 <= ns < 10^9; false when that does not fit. */
static bool to_ns(int64_t seconds, int64_t ns, int64_t *out_ns)
{
    /* Towards zero first, so that the lowest value overflows nowhere. */
    if (seconds < 0 && ns > 0) {
        seconds++;
        ns -= ns_per_second;
    }
    int64_t sum = 0;
    if (__builtin_mul_overflow(seconds, ns_per_second, &sum) ||
        __builtin_add_overflow(sum, ns, &sum)) {
        return false;
    }
    *out_ns = sum;
    return true;
}

bool stet__time_parse_rfc3339(stet_slice text, int64_t *out_ns)
{
    scanner s = {.ptr = text.ptr, .left = text.len};
    int64_t days = 0;
    unsigned seconds = 0;
    unsigned ns = 0;
    int offset = 0;
    bool is_read = read_date(&s, &days) && one_of(&s, "Tt ") &&
                   read_clock(&s, &seconds) && read_fraction(&s, &ns) &&
                   read_offset(&s, &offset) && s.left == 0;
    return is_read &&
           to_ns(days * SECONDS_PER_DAY + seconds - offset, ns, out_ns);
}

bool stet__time_parse_unix(stet_slice text, int64_t *out_ns)
{
    scanner s = {.ptr = text.ptr, .left = text.len};
    bool is_negative = one_of(&s, "+-") == '-';
    int64_t seconds = 0;
    unsigned digit = 0;
    unsigned ns = 0;
    size_t count = 0;
    for (; digits(&s, 1, &digit); count++) {
        if (__builtin_mul_overflow(seconds, 10, &seconds) ||
            __builtin_add_overflow(seconds, digit, &seconds)) {
            return false;
        }
    }
    if (count == 0 || !read_fraction(&s, &ns) || s.left != 0) {
        return false;
    }
    if (is_negative && ns > 0) { /* -1.5 is half a second after -2 */
        return to_ns(-seconds - 1, ns_per_second - ns, out_ns);
    }
    return to_ns(is_negative ? -seconds : seconds, ns, out_ns);
}

bool stet__time_parse(stet_slice text, int64_t *out_ns)
{
    return stet__time_parse_rfc3339(text, out_ns) ||
           stet__time_parse_unix(text, out_ns);
}

void stet__time_format(int64_t ns, char out[STET_TIME_TEXT_MAX])
{
    int64_t seconds = div_floor(ns, ns_per_second);
    int64_t days = div_floor(seconds, SECONDS_PER_DAY);
    unsigned clock = (unsigned)(seconds - days * SECONDS_PER_DAY);
    /* Unsigned: the second that holds INT64_MIN begins below it. */
    unsigned fraction =
        (unsigned)((uint64_t)ns - (uint64_t)seconds * (uint64_t)ns_per_second);
    civil c = civil_from_days(days);
    int len = snprintf(
        out, STET_TIME_TEXT_MAX, "%04" PRId64 "-%02u-%02uT%02u:%02u:%02u",
        c.year, c.month, c.day, clock / 3600, clock / 60 % 60, clock % 60);
    int groups = 3;
    for (; groups > 0 && fraction % 1000 == 0; groups--) {
        fraction /= 1000;
    }
    if (groups > 0) {
        len += snprintf(out + len, STET_TIME_TEXT_MAX - (size_t)len, ".%0*u",
                        groups * 3, fraction);
    }
    STET_ASSERT(len > 0 && len + 2 <= STET_TIME_TEXT_MAX);
    memcpy(out + len, "Z", 2);
}
