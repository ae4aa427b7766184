#include <string.h>

#include "cli/help.h"

/*
 * Write text as roff shows it: a backslash and a leading dot or quote lose
 * their meaning, hyphens stay hyphens when they are copied, a line may break
 * behind a bar. An empty line begins a paragraph.
 */
static void put_roff(FILE *out, const char *text)
{
    bool is_line_start = true;
    for (const char *p = text; *p != '\0'; p++) {
        if (is_line_start && (*p == '.' || *p == '\'')) {
            fputs("\\&", out);
        }
        is_line_start = *p == '\n';
        if (*p == '\\') {
            fputs("\\e", out);
        } else if (*p == '-') {
            fputs("\\-", out);
        } else if (*p == '|') {
            fputs("|\\:", out);
        } else if (*p == '\n' && p[1] == '\n') {
            fputs("\n.PP\n", out);
            p++;
        } else {
            fputc(*p, out);
        }
    }
}

static void put_option(FILE *out, cli_option_id id)
{
    const char *metavar = cli_option_metavar(&cli_options[id]);
    fputs(".TP\n\\fB\\-\\-", out);
    put_roff(out, cli_options[id].name);
    fputs("\\fR", out);
    if (metavar != NULL) {
        fputs(" \\fI", out);
        put_roff(out, metavar);
        fputs("\\fR", out);
    }
    char text[HELP_BYTES_MAX];
    help_of_option(id, text);
    fputc('\n', out);
    put_roff(out, text);
    fputc('\n', out);
}

/* Examples stand as they are typed. */
static void put_examples(FILE *out, const char *examples)
{
    fputs(".PP\nExamples:\n.PP\n.nf\n", out);
    const char *line = examples;
    while (*line != '\0') {
        char text[256];
        size_t len = strcspn(line, "\n");
        snprintf(text, sizeof text, "    stet %.*s", (int)len, line);
        put_roff(out, text);
        fputc('\n', out);
        line += len + (line[len] == '\n');
    }
    fputs(".fi\n", out);
}

static void put_command(FILE *out, const cli_command *c)
{
    char name[CLI_NAME_MAX];
    cli_command_name(c, name);
    fputs(".SS stet ", out);
    put_roff(out, name);
    fputs(c->args[0] != '\0' ? " " : "", out);
    put_roff(out, c->args);
    fputc('\n', out);
    put_roff(out, c->summary);
    fputc('\n', out);
    if (c->help != NULL) {
        fputs(".PP\n", out);
        put_roff(out, c->help);
        fputc('\n', out);
    }
    for (size_t i = 0; c->options[i] != CLI_OPT_END; i++) {
        put_option(out, c->options[i]);
    }
    if (c->example != NULL) {
        put_examples(out, c->example);
    }
}

static void put_exits(FILE *out)
{
    fputs(".SH EXIT STATUS\n", out);
    for (const help_exit *e = help_exits; e->meaning != NULL; e++) {
        fprintf(out, ".TP\n\\fB%d\\fR\n", e->code);
        put_roff(out, e->meaning);
        fputc('\n', out);
    }
}

void man_page(FILE *out)
{
    fprintf(out, ".TH STET 1 \"\" \"stet %s\" \"User Commands\"\n",
            stet_version());
    fputs(".SH NAME\n"
          "stet \\- keep the state of every state machine you run\n"
          ".SH SYNOPSIS\n"
          ".B stet\n"
          ".I NOUN VERB\n"
          "[\\fIARGUMENTS\\fR] [\\fIOPTIONS\\fR]\n"
          ".SH DESCRIPTION\n"
          "stet keeps machines, their states and their whole history in a\n"
          "store. A write is durable before its command ends, and every past\n"
          "state can be loaded. Data goes to stdout, talk to stderr. An\n"
          "error is one line that says what and why, and a line that begins\n"
          "with \\(lqtry:\\(rq and says the next step.\n"
          ".PP\n"
          "Options are \\fB\\-\\-name\\fR \\fIVALUE\\fR or\n"
          "\\fB\\-\\-name=\\fR\\fIVALUE\\fR, anywhere; \\fB\\-\\-\\fR ends "
          "them.\n"
          ".SH COMMON OPTIONS\n",
          out);
    cli_option_id ids[CLI_OPT_COUNT];
    size_t count = cli_command_options(NULL, ids);
    for (size_t i = 0; i < count; i++) {
        put_option(out, ids[i]);
    }
    fputs(".SH COMMANDS\n", out);
    for (size_t i = 0; i < cli_command_count; i++) {
        put_command(out, &cli_commands[i]);
    }
    put_exits(out);
    fputs(".SH ENVIRONMENT\n"
          ".TP\n"
          ".B STET_STORE\n"
          "the store where \\-\\-store is not given\n"
          ".TP\n"
          ".B STET_CONFIG\n"
          "the configuration where \\-\\-config is not given\n"
          ".TP\n"
          ".B STET_KEY\n"
          "a key of the configuration: STET_CACHE_BYTES is cache.bytes;\n"
          "config show tells all of them\n"
          ".TP\n"
          ".B STET_SANDBOX\n"
          "\\(lqoff\\(rq leaves out the sandbox, in which a command reaches\n"
          "its store and the files it was given, and starts no program\n"
          ".SH FILES\n"
          ".TP\n"
          ".I ./stet\\-data\n"
          "the store where neither they nor the configuration name one\n"
          ".TP\n"
          ".I ./stet.yaml\n"
          "the configuration where none is named\n",
          out);
}
