/*
 * Glob: the matcher agrees with one that tries everything, for patterns that
 * are well formed.
 */
#include "fuzz.h"

#include <string.h>

#include "base/bytes.h"
#include "base/glob.h"

enum { PATTERN_MAX = STET_GLOB_BYTES_MAX, TEXT_MAX = 256 };

static uint8_t take(const uint8_t *p, size_t *at)
{
    *at += p[*at] == '\\';
    return p[(*at)++];
}

/* Does the piece of `p` at `*at` match `c`? Moves behind it. */
static bool matches_one(const uint8_t *p, size_t *at, uint8_t c)
{
    if (p[*at] == '?') {
        (*at)++;
        return true;
    }
    if (p[*at] != '[') {
        return take(p, at) == c;
    }
    bool is_outside = p[++*at] == '^';
    bool is_in = false;
    *at += is_outside;
    while (p[*at] != ']') {
        uint8_t a = take(p, at);
        uint8_t b = a;
        if (p[*at] == '-' && p[*at + 1] != ']') {
            ++*at;
            b = take(p, at);
        }
        is_in = is_in || (a <= c && c <= b) || (b <= c && c <= a);
    }
    ++*at;
    return is_in != is_outside;
}

/* row[j]: do the pieces so far match the first j bytes of the text? */
static bool matches(stet_slice pattern, stet_slice text)
{
    bool row[TEXT_MAX + 1] = {true};
    const uint8_t *p = pattern.ptr;
    const uint8_t *c = text.ptr;
    size_t at = 0;
    while (at < pattern.len) {
        bool is_star = p[at] == '*';
        size_t next = at + 1;
        bool next_row[TEXT_MAX + 1] = {is_star && row[0]};
        for (size_t j = 0; j < text.len; j++) {
            size_t end = at;
            bool is_one = !is_star && matches_one(p, &end, c[j]);
            next = is_star ? next : end;
            next_row[j + 1] =
                is_star ? row[j + 1] || next_row[j] : is_one && row[j];
        }
        if (text.len == 0 && !is_star) {
            return false;
        }
        memcpy(row, next_row, sizeof row);
        at = next;
    }
    return row[text.len];
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz f;
    fuzz_begin(&f, data, size);
    stet_slice pattern = fuzz_text(&f);
    stet_slice text = fuzz_bytes(&f, TEXT_MAX);
    bool is_match = stet__glob_match(pattern, text);
    stet_slice prefix = stet__glob_prefix(pattern);
    if (stet__glob_is_valid(pattern)) {
        FUZZ_CHECK(pattern.len <= PATTERN_MAX);
        FUZZ_CHECK(is_match == matches(pattern, text));
        FUZZ_CHECK(stet__glob_match(prefix, prefix));
    }
    if (is_match) {
        FUZZ_CHECK(prefix.len <= text.len);
        FUZZ_CHECK(stet__slice_eq(prefix, stet_slice_of(text.ptr, prefix.len)));
        FUZZ_CHECK(!stet__glob_is_literal(pattern) || prefix.len == text.len);
    }
    fuzz_end(&f);
    return 0;
}
