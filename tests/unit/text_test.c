#include "cli/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cli/cli.h"

/* What text_wrap writes; freed by the caller. */
static char *wrap(const char *words, int indent, int at)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    assert_non_null(out);
    text_wrap(out, words, indent, at);
    assert_int_equal(fclose(out), 0);
    return text;
}

/* What cli_put_text writes; freed by the caller. */
static char *put(stet_slice words)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    assert_non_null(out);
    cli_put_text(out, words);
    assert_int_equal(fclose(out), 0);
    return text;
}

/* Nothing that a name holds may move a terminal's cursor. */
static void test_control_characters_are_shown_not_sent(void **state)
{
    (void)state;
    char *text = put(stet_slice_of("a\0\x1b[2J\x7f\xc2\x9b\xff\xc3\xa9z", 13));
    assert_string_equal(text, "a\\x00\\x1b[2J\\x7f\\xc2\\x9b\\xff\xc3\xa9z");
    free(text);
}

/* A line is at most 79 columns wide and ends in no space. */
static void test_lines_fit_and_lose_no_word(void **state)
{
    (void)state;
    char words[60 * 5 + 1] = "";
    for (size_t i = 0; i < 60; i++) {
        memcpy(words + i * 5, "word ", 6);
    }
    char *text = wrap(words, 7, 20);
    size_t count = 0;
    int column = 20;
    for (const char *p = text; *p != '\0'; p++) {
        count += *p == 'w';
        assert_false(p[0] == ' ' && p[1] == '\n');
        column = *p == '\n' ? 0 : column + 1;
        assert_true(column < TEXT_COLUMNS);
    }
    assert_int_equal(count, 60);
    free(text);
}

/* A list of choices has no spaces, and must break all the same. */
static void test_lines_break_behind_bars(void **state)
{
    (void)state;
    char *text = wrap("one|two|three", 4, 72);
    assert_string_equal(text, "one|\n    two|three\n");
    free(text);
}

/* A word longer than the line is not broken, and not waited for for ever. */
static void test_a_word_longer_than_the_line_stays_whole(void **state)
{
    (void)state;
    char words[120];
    memset(words, 'x', sizeof words - 1);
    words[sizeof words - 1] = '\0';
    char *text = wrap(words, 4, 4);
    assert_int_equal(strlen(text), sizeof words);
    assert_memory_equal(text, words, sizeof words - 1);
    free(text);
}

/* Paragraphs stay apart. */
static void test_an_empty_line_is_kept(void **state)
{
    (void)state;
    char *text = wrap("one\n\ntwo", 2, 2);
    assert_string_equal(text, "one\n\n  two\n");
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_control_characters_are_shown_not_sent),
        cmocka_unit_test(test_lines_fit_and_lose_no_word),
        cmocka_unit_test(test_lines_break_behind_bars),
        cmocka_unit_test(test_a_word_longer_than_the_line_stays_whole),
        cmocka_unit_test(test_an_empty_line_is_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
