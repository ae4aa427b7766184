#include "base/glob.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/rng.h"

static bool matches(const char *pattern, const char *text)
{
    return stet__glob_match(stet_str(pattern), stet_str(text));
}

/* The cases that Redis users have in their fingers. */
static void test_patterns_mean_what_redis_users_expect(void **state)
{
    (void)state;
    static const struct {
        const char *pattern;
        const char *text;
        bool is_match;
    } cases[] = {
        {"", "", true},
        {"", "a", false},
        {"*", "", true},
        {"***", "", true},
        {"*", "game:1", true},
        {"?", "", false},
        {"?", "a", true},
        {"??", "a", false},
        {"h?llo", "hello", true},
        {"h*llo", "hllo", true},
        {"h*llo", "heeeello", true},
        {"h*llo", "heeeellox", false},
        {"h[ae]llo", "hallo", true},
        {"h[ae]llo", "hillo", false},
        {"h[^e]llo", "hallo", true},
        {"h[^e]llo", "hello", false},
        {"h[a-b]llo", "hbllo", true},
        {"h[b-a]llo", "hallo", true},
        {"h[a-b]llo", "hcllo", false},
        {"[a-]", "-", true},
        {"[-a]", "-", true},
        {"[a-]", "b", false},
        {"[]", "]", false},
        {"[^]", "x", true},
        {"[^]", "", false},
        {"[\\]]", "]", true},
        {"[\\^a]", "^", true},
        {"[a\\-z]", "m", false},
        {"[a\\-z]", "-", true},
        {"[*?]", "*", true},
        {"[*?]", "x", false},
        {"\\*", "*", true},
        {"\\*", "x", false},
        {"\\a", "a", true},
        {"*:1", "game:1", true},
        {"*:1", "game:11", false},
        {"game:*:end", "game:1:end", true},
        {"*ab*ab", "abab", true},
        {"*ab*ab", "ab", false},
        {"a*b*c", "aXbXbXc", true},
        {"[\xc3-\xc4]", "\xc3", true},
        {"]", "]", true},
        {"a-z", "a-z", true},
        {"^a", "^a", true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(matches(cases[i].pattern, cases[i].text),
                         cases[i].is_match);
        assert_true(stet__glob_is_valid(stet_str(cases[i].pattern)));
    }
}

/* A malformed pattern is refused up front and selects nothing if it is not. */
static void test_malformed_patterns_match_nothing(void **state)
{
    (void)state;
    static const char *const patterns[] = {"[",   "a[",  "[^",    "[a-",
                                           "[\\", "[a",  "[a\\]", "\\",
                                           "a\\", "*\\", "*[",    "[a-\\"};
    static const char *const texts[] = {"", "[", "a", "a[", "\\", "a\\", "]"};
    for (size_t i = 0; i < sizeof patterns / sizeof patterns[0]; i++) {
        assert_false(stet__glob_is_valid(stet_str(patterns[i])));
        for (size_t k = 0; k < sizeof texts / sizeof texts[0]; k++) {
            assert_false(matches(patterns[i], texts[k]));
        }
    }
}

/* The definition, for patterns of a, b, ?, * and \ that are well formed. */
static bool matches_naively(const char *p, const char *t)
{
    if (*p == '\0') {
        return *t == '\0';
    }
    if (*p == '*') {
        return matches_naively(p + 1, t) ||
               (*t != '\0' && matches_naively(p, t + 1));
    }
    if (*t == '\0') {
        return false;
    }
    if (*p == '\\') {
        return p[1] == *t && matches_naively(p + 2, t + 1);
    }
    return (*p == '?' || *p == *t) && matches_naively(p + 1, t + 1);
}

/* Going back to the last * only must lose no match. */
static void test_matching_equals_trying_everything(void **state)
{
    (void)state;
    static const char *const pieces[] = {"a", "b", "?", "*", "*", "\\*"};
    static const char letters[] = "aab*";
    rng r = {10};
    size_t match_count = 0;
    for (int round = 0; round < 200000; round++) {
        char pattern[24] = "";
        size_t used = 0;
        char text[12] = "";
        for (size_t left = rng_below(&r, 9); left > 0; left--) {
            const char *piece = pieces[rng_below(&r, 6)];
            memcpy(pattern + used, piece, strlen(piece) + 1);
            used += strlen(piece);
        }
        for (size_t left = rng_below(&r, 11); left > 0; left--) {
            text[left - 1] = letters[rng_below(&r, 4)];
        }
        bool wanted = matches_naively(pattern, text);
        match_count += wanted;
        assert_int_equal(matches(pattern, text), wanted);
    }
    assert_in_range(match_count, 20000, 180000);
}

/* A pattern from the network must not stop the server (CVE-2022-36021). */
static void test_many_stars_over_a_long_text_end_soon(void **state)
{
    (void)state;
    enum { TEXT_BYTES = 1 << 20 };
    char *text = malloc(TEXT_BYTES);
    assert_non_null(text);
    memset(text, 'a', TEXT_BYTES);
    char pattern[STET_GLOB_BYTES_MAX];
    for (size_t i = 0; i < sizeof pattern; i += 2) {
        memcpy(pattern + i, "a*", 2);
    }
    stet_slice whole = stet_slice_of(text, TEXT_BYTES);
    assert_true(stet__glob_match(stet_slice_of(pattern, 256), whole));
    pattern[255] = 'b';
    assert_false(stet__glob_match(stet_slice_of(pattern, 256), whole));
    free(text);
}

/* The limit is what bounds the time. */
static void test_patterns_over_the_limit_are_refused(void **state)
{
    (void)state;
    char pattern[STET_GLOB_BYTES_MAX + 1];
    memset(pattern, 'a', sizeof pattern);
    stet_slice at = stet_slice_of(pattern, STET_GLOB_BYTES_MAX);
    stet_slice over = stet_slice_of(pattern, STET_GLOB_BYTES_MAX + 1);
    assert_true(stet__glob_is_valid(at));
    assert_true(stet__glob_match(at, at));
    assert_false(stet__glob_is_valid(over));
    assert_false(stet__glob_match(over, over));
}

/* A scan starts at the prefix and skips the rest of a sorted file. */
static void test_prefix_is_what_every_match_begins_with(void **state)
{
    (void)state;
    static const struct {
        const char *pattern;
        const char *prefix;
    } cases[] = {
        {"", ""},       {"game:*", "game:"}, {"*", ""},
        {"a?", "a"},    {"a[b]", "a"},       {"a\\*", "a"},
        {"a]b", "a]b"}, {"^", "^"},          {"plain", "plain"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        stet_slice pattern = stet_str(cases[i].pattern);
        stet_slice prefix = stet__glob_prefix(pattern);
        assert_int_equal(prefix.len, strlen(cases[i].prefix));
        assert_true(prefix.len == 0 ||
                    memcmp(prefix.ptr, cases[i].prefix, prefix.len) == 0);
        assert_int_equal(stet__glob_is_literal(pattern),
                         strcmp(cases[i].pattern, cases[i].prefix) == 0);
    }
}

/* Slices are not strings: no NUL ends them, and an empty one has no bytes. */
static void test_matching_reads_inside_its_slices_only(void **state)
{
    (void)state;
    stet_slice none = {0};
    assert_true(stet__glob_match(none, none));
    assert_true(stet__glob_is_valid(none));
    assert_true(stet__glob_match(stet_str("*"), none));
    assert_true(
        stet__glob_match(stet_slice_of("a\0*", 3), stet_slice_of("a\0b", 3)));
    static const char *const patterns[] = {"[", "[a-", "[\\", "\\", "[^", "*"};
    for (size_t i = 0; i < sizeof patterns / sizeof patterns[0]; i++) {
        size_t len = strlen(patterns[i]);
        char *copy = malloc(len);
        assert_non_null(copy);
        memcpy(copy, patterns[i], len);
        assert_int_equal(
            stet__glob_match(stet_slice_of(copy, len), stet_str("a")),
            *copy == '*');
        free(copy);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_patterns_mean_what_redis_users_expect),
        cmocka_unit_test(test_malformed_patterns_match_nothing),
        cmocka_unit_test(test_matching_equals_trying_everything),
        cmocka_unit_test(test_many_stars_over_a_long_text_end_soon),
        cmocka_unit_test(test_patterns_over_the_limit_are_refused),
        cmocka_unit_test(test_prefix_is_what_every_match_begins_with),
        cmocka_unit_test(test_matching_reads_inside_its_slices_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
