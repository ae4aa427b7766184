#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/decimal.h"
#include "lib/rng.h"

static bool is_eq(const char *a, const char *b)
{
    bool is_forward = stet__decimal_eq(stet_str(a), stet_str(b));
    bool is_backward = stet__decimal_eq(stet_str(b), stet_str(a));
    assert_int_equal(is_forward, is_backward);
    return is_forward;
}

/* RFC 6902, section 4.6: numbers are equal when their values are. */
static void test_spellings_of_one_value_are_equal(void **state)
{
    (void)state;
    static const char *const same[][2] = {
        {"1", "1.0"},
        {"1e2", "100"},
        {"1.0e+2", "100"},
        {"1E-2", "0.01"},
        {"-0", "0"},
        {"0.000", "0e99"},
        {"-0.0e5", "0"},
        {"10.50", "1.05e1"},
        {"0.00123", "123e-5"},
        {"123000", "0.00123e8"},
        {"1e400", "10e399"},
        {"1e0000000000000000000000000000000000001", "10"},
        {"1e99999999999999999999999", "10e99999999999999999999998"},
        {"1e100000000000000000000000", "10e99999999999999999999999"},
        {"1e-100000000000000000000000", "0.1e-99999999999999999999999"},
        {"0.1e1", "10e-1"},
        {"18446744073709551616", "18446744073709551616.0"},
    };
    for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
        assert_true(is_eq(same[i][0], same[i][1]));
    }
}

/* Values that one double cannot tell apart are still two values. */
static void test_different_values_are_told_apart(void **state)
{
    (void)state;
    static const char *const other[][2] = {
        {"1", "-1"},
        {"1", "10"},
        {"0", "1e-400"},
        {"1e400", "1e401"},
        {"18446744073709551616", "18446744073709551617"},
        {"0.1", "0.1000000000000000055511151231257827"},
        {"9007199254740993", "9007199254740992"},
        {"12", "1.02"},
        {"1.1", "11"},
        {"101", "1001"},
        {"1e99999999999999999999999", "1e99999999999999999999998"},
        {"1e99999999999999999999999", "1e-99999999999999999999999"},
        {"1e18446744073709551616", "1"},
        {"1e18446744073709551617", "10"},
    };
    for (size_t i = 0; i < sizeof other / sizeof *other; i++) {
        assert_false(is_eq(other[i][0], other[i][1]));
    }
}

/* Write digits * 10^power with the point at a random place. */
static void spell(rng *r, char out[128], int64_t digits, int power)
{
    int places = (int)rng_below(r, 6);
    int zeros = (int)rng_below(r, 4);
    int64_t scale = 1;
    for (int i = 0; i < places; i++) {
        scale *= 10;
    }
    const char *sign = digits < 0 ? "-" : "";
    int64_t size = digits < 0 ? -digits : digits;
    if (places == 0) {
        snprintf(out, 128, "%s%lld%.*se%d", sign, (long long)size, zeros, "000",
                 power - zeros);
    } else {
        snprintf(out, 128, "%s%lld.%0*lld%.*se%s%d", sign,
                 (long long)(size / scale), places, (long long)(size % scale),
                 zeros, "000", power + places >= 0 ? "+" : "", power + places);
    }
}

/* Equality of text must be equality of (digits, power), whatever the form. */
static void test_random_spellings_compare_by_value(void **state)
{
    (void)state;
    rng r = {.state = 42};
    for (int i = 0; i < 20000; i++) {
        int64_t digits = (int64_t)rng_below(&r, 2000) - 1000;
        int power = (int)rng_below(&r, 40) - 20;
        char a[128];
        char b[128];
        spell(&r, a, digits, power);
        spell(&r, b, digits, power);
        assert_true(is_eq(a, b));
        if (digits != 0) {
            spell(&r, b, digits, power + 1);
            assert_false(is_eq(a, b));
            spell(&r, b, -digits, power);
            assert_false(is_eq(a, b));
        }
        spell(&r, b, digits + 1, power);
        assert_false(is_eq(a, b));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_spellings_of_one_value_are_equal),
        cmocka_unit_test(test_different_values_are_told_apart),
        cmocka_unit_test(test_random_spellings_compare_by_value),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
