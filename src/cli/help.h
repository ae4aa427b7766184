/*
 * Help: what is made of the tables for people and for shells.
 */
#ifndef STET_CLI_HELP_H
#define STET_CLI_HELP_H

#include "cli/cli.h"

/* One exit code and what it says; the list ends with a NULL meaning. */
typedef struct help_exit {
    int code;
    const char *meaning;
} help_exit;

extern const help_exit help_exits[];

enum { HELP_BYTES_MAX = 256 }; /* of an option, with its NUL */

/* An option's help, with the words it takes where its metavar hides them. */
void help_of_option(cli_option_id id, char out[HELP_BYTES_MAX]);

/* All commands; those of one noun; one command. */
void help_all(FILE *out);
void help_noun(FILE *out, const char *noun);
void help_command(FILE *out, const cli_command *command);

/* The man page stet.1, in roff. */
void man_page(FILE *out);

/* Completion for bash: a script to source. */
void completion_bash(FILE *out);

#endif
