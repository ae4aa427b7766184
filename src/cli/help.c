#include "cli/help.h"

#include <string.h>

#include "base/assert.h"
#include "base/error.h"
#include "base/nearest.h"
#include "cli/json_out.h"
#include "cli/text.h"

enum {
    SUMMARY_COLUMN = 36, /* longer usages break the line before it */
    OPTION_COLUMN = 26,
};

const help_exit help_exits[] = {
    {0, "done"},
    {1, "a true answer that says no: not found, conflict, already there"},
    {2, "the command line or its input is wrong, or asks for what cannot be"},
    {3, "the machine must be mended, or the call repeated: disk, lock, memory"},
    {4, "stored bytes are damaged, or of a newer format"},
    {0, NULL},
};

/* Go on to `column`, on a new line where this one is already past it. */
static void go_to_column(FILE *out, int at, int column)
{
    if (at + 1 >= column) {
        fputc('\n', out);
        at = 0;
    }
    text_indent(out, column - at);
}

void help_of_option(cli_option_id id, char out[HELP_BYTES_MAX])
{
    const cli_option *o = &cli_options[id];
    bool has_list = o->metavar != NULL && o->choices != NULL;
    int len = snprintf(out, HELP_BYTES_MAX, "%s%s%s", o->help,
                       has_list ? ": " : "", has_list ? o->choices : "");
    STET_ASSERT(len > 0 && len < HELP_BYTES_MAX);
}

/* "  machine list [PATTERN]       list machines" */
static void put_summary(FILE *out, const cli_command *c)
{
    char name[CLI_NAME_MAX];
    cli_command_name(c, name);
    int at =
        fprintf(out, "  %s%s%s", name, c->args[0] != '\0' ? " " : "", c->args);
    go_to_column(out, at, SUMMARY_COLUMN);
    text_wrap(out, c->summary, SUMMARY_COLUMN, SUMMARY_COLUMN);
}

static void put_option(FILE *out, cli_option_id id)
{
    const cli_option *o = &cli_options[id];
    const char *metavar = cli_option_metavar(o);
    int at = fprintf(out, "  --%s%s%s", o->name, metavar != NULL ? " " : "",
                     metavar != NULL ? metavar : "");
    go_to_column(out, at, OPTION_COLUMN);
    char text[HELP_BYTES_MAX];
    help_of_option(id, text);
    text_wrap(out, text, OPTION_COLUMN, OPTION_COLUMN);
}

static void put_options_of_all(FILE *out)
{
    cli_option_id ids[CLI_OPT_COUNT];
    size_t count = cli_command_options(NULL, ids);
    fputs("\ncommon options:\n", out);
    for (size_t i = 0; i < count; i++) {
        put_option(out, ids[i]);
    }
}

void help_noun(FILE *out, const char *noun)
{
    fprintf(out, "usage: stet %s VERB [ARGUMENTS] [OPTIONS]\n\n", noun);
    for (size_t i = 0; i < cli_command_count; i++) {
        if (strcmp(cli_commands[i].noun, noun) == 0) {
            put_summary(out, &cli_commands[i]);
        }
    }
    fprintf(out, "\nstet %s VERB --help tells more.\n", noun);
}

void help_all(FILE *out)
{
    fputs("stet keeps the state of every state machine you run.\n\n"
          "usage: stet NOUN VERB [ARGUMENTS] [OPTIONS]\n\n",
          out);
    for (size_t i = 0; i < cli_command_count; i++) {
        const char *last = i > 0 ? cli_commands[i - 1].noun : "";
        bool is_new_noun = strcmp(cli_commands[i].noun, last) != 0;
        if (i > 0 && is_new_noun && cli_commands[i - 1].verb != NULL) {
            fputc('\n', out);
        }
        put_summary(out, &cli_commands[i]);
    }
    put_options_of_all(out);
    fputs("\nexit codes:\n", out);
    for (const help_exit *e = help_exits; e->meaning != NULL; e++) {
        fprintf(out, "  %d  %s\n", e->code, e->meaning);
    }
    fputs("\nThe store is --store, else STET_STORE, else what the "
          "configuration says, else\n./stet-data. stet NOUN VERB --help tells "
          "more.\n",
          out);
}

static void put_examples(FILE *out, const char *examples)
{
    const char *line = examples;
    fputs("\nexamples:\n", out);
    while (*line != '\0') {
        int len = (int)strcspn(line, "\n");
        fprintf(out, "  stet %.*s\n", len, line);
        line += len + (line[len] == '\n');
    }
}

void help_command(FILE *out, const cli_command *c)
{
    char name[CLI_NAME_MAX];
    cli_command_name(c, name);
    fprintf(out, "usage: stet %s%s%s [OPTIONS]\n\n", name,
            c->args[0] != '\0' ? " " : "", c->args);
    text_wrap(out, c->summary, 0, 0);
    if (c->help != NULL) {
        fputc('\n', out);
        text_wrap(out, c->help, 0, 0);
    }
    cli_option_id ids[CLI_OPT_COUNT];
    size_t count = cli_command_options(c, ids);
    fputs("\noptions:\n", out);
    for (size_t i = 0; i < count; i++) {
        put_option(out, ids[i]);
    }
    if (c->example != NULL) {
        put_examples(out, c->example);
    }
}

static stet_status help_topic(cli_ctx *ctx, stet_error *err)
{
    const char *noun = ctx->args[0];
    const char *verb = ctx->arg_count > 1 ? ctx->args[1] : NULL;
    const cli_command *command = cli_command_find(noun, verb);
    if (command != NULL) {
        help_command(ctx->out, command);
        return STET_OK;
    }
    if (verb == NULL && cli_noun_find(noun) != NULL) {
        help_noun(ctx->out, noun);
        return STET_OK;
    }
    stet_nearest n = stet__nearest_to(stet_str(noun));
    for (size_t i = 0; i < cli_command_count; i++) {
        stet__nearest_offer(&n, stet_str(cli_commands[i].noun));
    }
    cli_try(ctx, "stet help %.*s", (int)n.best_len, n.best);
    return stet__fail(err, STET_E_INVALID, 0, "help %s%s%s: no such command",
                      noun, verb == NULL ? "" : " ", verb == NULL ? "" : verb);
}

/* The commands as objects, one a line. */
static void help_json(FILE *out)
{
    for (size_t i = 0; i < cli_command_count; i++) {
        const cli_command *c = &cli_commands[i];
        json_out j = json_out_to(out);
        json_begin_object(&j, NULL);
        json_str(&j, "noun", stet_str(c->noun));
        json_str_or_null(&j, "verb", stet_str(c->verb));
        json_str(&j, "arguments", stet_str(c->args));
        json_str(&j, "summary", stet_str(c->summary));
        json_begin_list(&j, "options");
        cli_option_id ids[CLI_OPT_COUNT];
        size_t count = cli_command_options(c, ids);
        for (size_t k = 0; k < count; k++) {
            json_str(&j, NULL, stet_str(cli_options[ids[k]].name));
        }
        json_end_list(&j);
        json_end_object(&j);
        json_end_line(&j);
    }
}

stet_status cli_help(cli_ctx *ctx, stet_error *err)
{
    if (cli_is_given(ctx, CLI_OPT_MAN)) {
        man_page(ctx->out);
        return STET_OK;
    }
    if (cli_is_given(ctx, CLI_OPT_COMPLETION)) {
        completion_bash(ctx->out);
        return STET_OK;
    }
    if (ctx->arg_count > 0) {
        return help_topic(ctx, err);
    }
    if (ctx->is_json) {
        help_json(ctx->out);
    } else {
        help_all(ctx->out);
    }
    return STET_OK;
}

stet_status cli_version(cli_ctx *ctx, stet_error *err)
{
    (void)err; /* nothing here can fail */
    if (ctx->is_json) {
        json_out j = json_out_to(ctx->out);
        json_begin_object(&j, NULL);
        json_str(&j, "version", stet_str(stet_version()));
        json_end_object(&j);
        json_end_line(&j);
    } else {
        fprintf(ctx->out, "stet %s\n", stet_version());
    }
    return STET_OK;
}
