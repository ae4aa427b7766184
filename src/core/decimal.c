/*
 * A number is taken apart into sign * 0.DIGITS * 10^(exponent + shift), where
 * DIGITS neither begins nor ends with 0. That form is unique, so two values are
 * equal when sign, digits and exponent + shift are. The written exponent stays
 * text, since it may have any length; `shift` comes from the point's place and
 * is no larger than the text is long.
 */
#include "core/decimal.h"

#include <stdint.h>

#include "base/assert.h"
#include "base/bytes.h"

/* Digits as written, perhaps with a point among them. */
typedef struct digits {
    const char *at;
    const char *end;
} digits;

typedef struct decimal {
    bool is_negative;
    digits significant; /* empty: the number is 0 */
    int64_t shift;
    bool is_exponent_negative;
    digits exponent; /* without a point; empty: 0 */
} decimal;

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Drop zeros and the point from both ends. */
static digits trim(digits d)
{
    while (d.at < d.end && (*d.at == '0' || *d.at == '.')) {
        d.at++;
    }
    while (d.at < d.end && (d.end[-1] == '0' || d.end[-1] == '.')) {
        d.end--;
    }
    return d;
}

static void take_exponent(decimal *out, const char *p, const char *end)
{
    STET_ASSERT(p < end && (*p == 'e' || *p == 'E'));
    p++;
    if (p < end && (*p == '+' || *p == '-')) {
        out->is_exponent_negative = *p == '-';
        p++;
    }
    out->exponent = (digits){.at = p, .end = end};
}

static decimal take_apart(stet_slice text)
{
    const char *p = text.ptr;
    const char *end = p + text.len;
    decimal d = {.is_negative = false};
    if (p < end && *p == '-') {
        d.is_negative = true;
        p++;
    }
    const char *first = p;
    const char *point = NULL;
    while (p < end && (is_digit(*p) || *p == '.')) {
        point = *p == '.' ? p : point;
        p++;
    }
    STET_ASSERT(p > first);
    point = point == NULL ? p : point;
    d.significant = trim((digits){.at = first, .end = p});
    d.shift = d.significant.at < point ? point - d.significant.at
                                       : point + 1 - d.significant.at;
    if (p < end) {
        take_exponent(&d, p, end);
    }
    return d;
}

static bool has_same_digits(digits a, digits b)
{
    while (a.at < a.end && b.at < b.end) {
        if (*a.at == '.') {
            a.at++;
        } else if (*b.at == '.') {
            b.at++;
        } else if (*a.at++ != *b.at++) {
            return false;
        }
    }
    return a.at == a.end && b.at == b.end;
}

/* The digit of value 10^place, with the exponent's sign. */
static int64_t exponent_digit(const decimal *d, int64_t place)
{
    if (place >= d->exponent.end - d->exponent.at) {
        return 0;
    }
    int64_t digit = d->exponent.end[-1 - place] - '0';
    return d->is_exponent_negative ? -digit : digit;
}

/* exponent + shift of `a` against the same of `b`, by long subtraction. */
static bool has_same_power(const decimal *a, const decimal *b)
{
    /* Once further apart than any shift, later digits cannot close the gap. */
    const int64_t too_far = INT64_MAX / 100;
    int64_t places = a->exponent.end - a->exponent.at;
    int64_t places_b = b->exponent.end - b->exponent.at;
    places = places > places_b ? places : places_b;
    int64_t apart = 0;
    while (places > 0 && apart < too_far && apart > -too_far) {
        places--;
        apart =
            apart * 10 + exponent_digit(a, places) - exponent_digit(b, places);
    }
    return apart == b->shift - a->shift;
}

bool stet__decimal_eq(stet_slice a, stet_slice b)
{
    if (stet__slice_eq(a, b)) {
        return true;
    }
    decimal da = take_apart(a);
    decimal db = take_apart(b);
    bool is_zero_a = da.significant.at == da.significant.end;
    bool is_zero_b = db.significant.at == db.significant.end;
    if (is_zero_a || is_zero_b) {
        return is_zero_a && is_zero_b;
    }
    return da.is_negative == db.is_negative &&
           has_same_digits(da.significant, db.significant) &&
           has_same_power(&da, &db);
}
