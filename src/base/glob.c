/*
 * A pattern is a row of pieces. All but * stand for exactly one byte, so on a
 * mismatch only the last * needs to take one byte more: whatever an earlier *
 * could give up, the last one can take instead.
 *
 * Inside a set \x is x, the first ] closes it, and a - is itself where it
 * comes first or last. A range given backwards is turned round, as in Redis.
 * A piece that is not well formed matches nothing.
 */
#include "base/glob.h"

#include <stdint.h>

/* Take one byte of a set, unescaped; false at the end of the pattern. */
static bool set_byte(const uint8_t **p, const uint8_t *end, uint8_t *out)
{
    if (*p < end && **p == '\\') {
        (*p)++;
    }
    if (*p == end) {
        return false;
    }
    *out = *(*p)++;
    return true;
}

/*
 * Read the set behind its [ and move behind its ]; `is_in` says whether it
 * holds `c`. False when it is not closed.
 */
static bool set_read(const uint8_t **p, const uint8_t *end, uint8_t c,
                     bool *is_in)
{
    bool is_outside = *p < end && **p == '^';
    bool is_found = false;
    if (is_outside) {
        (*p)++;
    }
    while (*p < end && **p != ']') {
        uint8_t from = 0;
        if (!set_byte(p, end, &from)) {
            return false;
        }
        uint8_t to = from;
        bool is_range = end - *p >= 2 && **p == '-' && (*p)[1] != ']';
        if (is_range) {
            (*p)++;
            if (!set_byte(p, end, &to)) {
                return false;
            }
        }
        is_found |= (from <= c && c <= to) || (to <= c && c <= from);
    }
    if (*p == end) {
        return false;
    }
    (*p)++;
    *is_in = is_found != is_outside;
    return true;
}

/*
 * Read the piece at *p, which is not a *, and move behind it; `is_in` says
 * whether it matches `c`. False when it is not well formed.
 */
static bool piece_read(const uint8_t **p, const uint8_t *end, uint8_t c,
                       bool *is_in)
{
    uint8_t first = *(*p)++;
    if (first == '[') {
        return set_read(p, end, c, is_in);
    }
    if (first == '\\') {
        if (*p == end) {
            return false;
        }
        *is_in = *(*p)++ == c;
        return true;
    }
    *is_in = first == '?' || first == c;
    return true;
}

bool stet__glob_is_valid(stet_slice pattern)
{
    if (pattern.len > STET_GLOB_BYTES_MAX) {
        return false;
    }
    const uint8_t *p = pattern.ptr;
    const uint8_t *end = pattern.len == 0 ? p : p + pattern.len;
    while (p < end) {
        bool is_in = false;
        if (*p == '*') {
            p++;
        } else if (!piece_read(&p, end, 0, &is_in)) {
            return false;
        }
    }
    return true;
}

bool stet__glob_match(stet_slice pattern, stet_slice text)
{
    if (pattern.len == 0 || pattern.len > STET_GLOB_BYTES_MAX) {
        return pattern.len == 0 && text.len == 0;
    }
    const uint8_t *p = pattern.ptr;
    const uint8_t *end = p + pattern.len;
    const uint8_t *after_star = NULL;
    const uint8_t *bytes = text.ptr;
    size_t at = 0;
    size_t star_at = 0; /* text that the last * does not take begins here */
    while (at < text.len) {
        bool is_in = false;
        if (p < end && *p == '*') {
            after_star = ++p;
            star_at = at;
        } else if (p < end && piece_read(&p, end, bytes[at], &is_in) && is_in) {
            at++;
        } else if (after_star != NULL) {
            p = after_star;
            at = ++star_at;
        } else {
            return false;
        }
    }
    while (p < end && *p == '*') {
        p++;
    }
    return p == end;
}

static bool is_special(uint8_t c)
{
    return c == '*' || c == '?' || c == '[' || c == '\\';
}

stet_slice stet__glob_prefix(stet_slice pattern)
{
    const uint8_t *p = pattern.ptr;
    size_t len = 0;
    while (len < pattern.len && !is_special(p[len])) {
        len++;
    }
    return stet_slice_of(p, len);
}

bool stet__glob_is_literal(stet_slice pattern)
{
    return stet__glob_prefix(pattern).len == pattern.len;
}
