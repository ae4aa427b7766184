#include "cli/parse.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum { WORDS_MAX = 16 };

/* One command line, with room to be reordered in. */
typedef struct line {
    char *words[WORDS_MAX];
    int count;
    cli_ctx ctx;
    stet_error err;
} line;

/* Parse words that are parted by single spaces; `text` is cut up. */
static stet_status parse(line *l, char *text)
{
    memset(l, 0, sizeof *l);
    l->words[l->count++] = text;
    for (char *p = text; *p != '\0'; p++) {
        if (*p == ' ') {
            *p = '\0';
            assert_true(l->count < WORDS_MAX);
            l->words[l->count++] = p + 1;
        }
    }
    return cli_parse(&l->ctx, l->count, l->words, &l->err);
}

static void assert_command(const line *l, const char *name)
{
    char found[CLI_NAME_MAX];
    assert_non_null(l->ctx.command);
    cli_command_name(l->ctx.command, found);
    assert_string_equal(found, name);
}

/* Where options stand makes no difference to what is run. */
static void test_options_stand_anywhere(void **state)
{
    (void)state;
    char lines[][80] = {
        "stet --json --store s machine load m --at 3",
        "stet machine --json load --at 3 m --store s",
        "stet machine load m --at=3 --store=s --json",
        "stet --store s --at 3 machine --json load -- m",
    };
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        line l;
        assert_int_equal(parse(&l, lines[i]), STET_OK);
        assert_command(&l, "machine load");
        assert_int_equal(l.ctx.arg_count, 1);
        assert_string_equal(l.ctx.args[0], "m");
        assert_string_equal(l.ctx.store_url, "s");
        assert_true(l.ctx.is_json);
        assert_int_equal(l.ctx.options[CLI_OPT_AT_POINT].at.kind, STET_AT_SEQ);
        assert_int_equal(l.ctx.options[CLI_OPT_AT_POINT].at.seq, 3);
    }
}

/* The same word is a point of a history here and a time of an event there. */
static void test_an_option_means_what_its_command_says(void **state)
{
    (void)state;
    char load[] = "stet machine load m --at @deal";
    char step[] = "stet machine step m --at 1.5 --from a";
    line l;
    assert_int_equal(parse(&l, load), STET_OK);
    stet_at at = l.ctx.options[CLI_OPT_AT_POINT].at;
    assert_int_equal(at.kind, STET_AT_CHECKPOINT);
    assert_int_equal(at.name.len, 4);
    assert_memory_equal(at.name.ptr, "deal", 4);
    assert_int_equal(parse(&l, step), STET_OK);
    assert_int_equal(l.ctx.options[CLI_OPT_AT_TIME].time, 1500000000);
    assert_false(cli_is_given(&l.ctx, CLI_OPT_AT_POINT));
}

/* Everything behind two dashes is an argument, as ids may begin with one. */
static void test_two_dashes_end_the_options(void **state)
{
    (void)state;
    char text[] = "stet machine diff -- --at --";
    line l;
    assert_int_equal(parse(&l, text), STET_OK);
    assert_int_equal(l.ctx.arg_count, 2);
    assert_string_equal(l.ctx.args[0], "--at");
    assert_string_equal(l.ctx.args[1], "--");
}

/* A value is a value, whatever it looks like. */
static void test_a_value_may_look_like_an_option(void **state)
{
    (void)state;
    char text[] = "stet machine step m --action --to --to -";
    line l;
    assert_int_equal(parse(&l, text), STET_OK);
    assert_string_equal(l.ctx.options[CLI_OPT_ACTION].text, "--to");
    assert_string_equal(l.ctx.options[CLI_OPT_TO].text, "-");
    assert_int_equal(l.ctx.arg_count, 1);
}

/* Each kind of value goes where its handler looks for it. */
static void test_values_are_parsed_by_kind(void **state)
{
    (void)state;
    char text[] = "stet machine step m --expect 12 --type timeout "
                  "--duration-ms 0 --phase-change --namespace 254";
    line l;
    assert_int_equal(parse(&l, text), STET_OK);
    assert_int_equal(l.ctx.options[CLI_OPT_EXPECT].expect.kind,
                     STET_EXPECT_EXACT);
    assert_int_equal(l.ctx.options[CLI_OPT_EXPECT].expect.seq, 12);
    assert_int_equal(cli_number(&l.ctx, CLI_OPT_TYPE, 9), 2);
    assert_int_equal(cli_number(&l.ctx, CLI_OPT_DURATION_MS, 9), 0);
    assert_int_equal(cli_number(&l.ctx, CLI_OPT_LIMIT, 9), 9);
    assert_true(cli_is_given(&l.ctx, CLI_OPT_PHASE_CHANGE));
    assert_int_equal(l.ctx.ns, 254);
}

/* Help takes the place of the run, however little of the line is right. */
static void test_help_is_about_what_was_named(void **state)
{
    (void)state;
    char top[] = "stet --help";
    char noun[] = "stet machine -h";
    char verb[] = "stet --json machine --store s step --help";
    line l;
    assert_int_equal(parse(&l, top), STET_OK);
    assert_command(&l, "help");
    assert_int_equal(l.ctx.arg_count, 0);
    assert_int_equal(parse(&l, noun), STET_OK);
    assert_command(&l, "help");
    assert_int_equal(l.ctx.arg_count, 1);
    assert_string_equal(l.ctx.args[0], "machine");
    assert_int_equal(parse(&l, verb), STET_OK);
    assert_command(&l, "help");
    assert_int_equal(l.ctx.arg_count, 2);
    assert_string_equal(l.ctx.args[1], "step");
}

/* A line that is wrong names the word, and the next step is never empty. */
static void test_a_wrong_line_names_the_word(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *names;
    } lines[] = {
        {"stet", "command"},
        {"stet -", "-"},
        {"stet machin", "machin"},
        {"stet machine", "machine"},
        {"stet machine lod m", "lod"},
        {"stet machine load", "machine load"},
        {"stet machine load m n", "n"},
        {"stet machine load m --ta 1", "--ta"},
        {"stet machine load m --at", "--at"},
        {"stet machine load m --at 0", "0"},
        {"stet machine load m --at @", "@"},
        {"stet machine load m --json=1", "--json=1"},
        {"stet machine list --limit -1", "-1"},
        {"stet machine list --limit 1x", "1x"},
        {"stet machine list --limit 18446744073709551616",
         "to 18446744073709551615"},
        {"stet machine list --namespace 255", "254"},
        {"stet store info --namespace 1", "--namespace"},
        {"stet version --store s", "--store"},
        {"stet log flow --format ps", "ps"},
        {"stet machine step m --expect some", "some"},
        {"stet machine step m --at now", "now"},
    };
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        char text[80];
        (void)snprintf(text, sizeof text, "%s", lines[i].text);
        line l;
        assert_int_equal(parse(&l, text), STET_E_INVALID);
        assert_non_null(strstr(l.err.text, lines[i].names));
        assert_true(l.ctx.hint[0] != '\0');
    }
}

/* The tables' own order is what the parser and the handlers rest on. */
static void test_the_tables_are_whole(void **state)
{
    (void)state;
    for (int id = CLI_OPT_END + 1; id < CLI_OPT_COUNT; id++) {
        const cli_option *o = &cli_options[id];
        assert_non_null(o->name);
        assert_non_null(o->help);
        assert_true((o->kind == CLI_CHOICE) == (o->choices != NULL));
        assert_true((o->kind == CLI_SWITCH) == (cli_option_metavar(o) == NULL));
        for (int k = CLI_OPT_END + 1; k < id; k++) {
            bool is_same = strcmp(cli_options[k].name, o->name) == 0;
            assert_true(!is_same || (cli_options[k].kind == CLI_SWITCH) ==
                                        (o->kind == CLI_SWITCH));
        }
    }
    for (size_t i = 0; i < cli_command_count; i++) {
        const cli_command *c = &cli_commands[i];
        assert_non_null(c->run);
        assert_ptr_equal(cli_command_find(c->noun, c->verb), c);
        /* No command has two options of one name. */
        cli_option_id ids[CLI_OPT_COUNT];
        size_t count = cli_command_options(c, ids);
        for (size_t a = 0; a < count; a++) {
            for (size_t b = 0; b < a; b++) {
                assert_string_not_equal(cli_options[ids[a]].name,
                                        cli_options[ids[b]].name);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_options_stand_anywhere),
        cmocka_unit_test(test_an_option_means_what_its_command_says),
        cmocka_unit_test(test_two_dashes_end_the_options),
        cmocka_unit_test(test_a_value_may_look_like_an_option),
        cmocka_unit_test(test_values_are_parsed_by_kind),
        cmocka_unit_test(test_help_is_about_what_was_named),
        cmocka_unit_test(test_a_wrong_line_names_the_word),
        cmocka_unit_test(test_the_tables_are_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
