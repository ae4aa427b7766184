#include "base/nearest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const char *const verbs[] = {"list", "load", "save",   "step",
                                    "fork", "diff", "history"};

/* The name nearest to a word, NUL-terminated; "" for none. */
static const char *nearest_verb(const char *word)
{
    stet_nearest n = stet__nearest_to(stet_str(word));
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++) {
        stet__nearest_offer(&n, stet_str(verbs[i]));
    }
    return n.best_len > 0 ? n.best : "";
}

/* The four slips of a finger are each one edit. */
static void test_one_slip_finds_the_name(void **state)
{
    (void)state;
    assert_string_equal(nearest_verb("lisst"), "list");
    assert_string_equal(nearest_verb("ste"), "step");
    assert_string_equal(nearest_verb("dift"), "diff");
    assert_string_equal(nearest_verb("sxve"), "save");
    assert_string_equal(nearest_verb("saev"), "save");
    assert_string_equal(nearest_verb("tsep"), "step");
}

/* A longer word may have more slips, in proportion. */
static void test_long_words_bear_more_slips(void **state)
{
    (void)state;
    assert_string_equal(nearest_verb("hisotyr"), "history");
    assert_string_equal(nearest_verb("hxsxory"), "history");
    assert_string_equal(nearest_verb("hxsxoxy"), "");
}

/* Who stopped too early meant the name begun, not one that looks like it. */
static void test_the_start_of_a_name_finds_it(void **state)
{
    (void)state;
    assert_string_equal(nearest_verb("h"), "history");
    assert_string_equal(nearest_verb("hist"), "history");
}

/* Of two names the one with fewer slips is meant, else the earlier one. */
static void test_the_nearer_name_wins(void **state)
{
    (void)state;
    stet_nearest n = stet__nearest_to(stet_str("machne"));
    stet__nearest_offer(&n, stet_str("machines"));
    stet__nearest_offer(&n, stet_str("machine"));
    stet__nearest_offer(&n, stet_str("machined"));
    stet__nearest_offer(&n, stet_str("machone"));
    assert_memory_equal(n.best, "machine", 8);
}

/* A guess that has nothing to do with the word is worse than none. */
static void test_far_words_find_nothing(void **state)
{
    (void)state;
    assert_string_equal(nearest_verb("xylophone"), "");
    assert_string_equal(nearest_verb(""), "");
    assert_string_equal(nearest_verb("historyhistoryhistoryhistoryhistory"),
                        "");
}

/* Choices are lent out of a longer text and have no NUL. */
static void test_names_need_no_nul(void **state)
{
    (void)state;
    static const char choices[] = "json|dot|svg";
    stet_nearest n = stet__nearest_to(stet_str("dto"));
    stet__nearest_offer(&n, stet_slice_of(choices, 4));
    stet__nearest_offer(&n, stet_slice_of(choices + 5, 3));
    assert_int_equal(n.best_len, 3);
    assert_ptr_equal(n.best, choices + 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_slip_finds_the_name),
        cmocka_unit_test(test_long_words_bear_more_slips),
        cmocka_unit_test(test_the_start_of_a_name_finds_it),
        cmocka_unit_test(test_the_nearer_name_wins),
        cmocka_unit_test(test_far_words_find_nothing),
        cmocka_unit_test(test_names_need_no_nul),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
