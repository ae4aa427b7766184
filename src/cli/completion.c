#include <string.h>

#include "cli/help.h"
#include "cli/value.h"

/* Write each noun once; a noun's commands stand together in the table. */
static void put_nouns(FILE *out, bool only_with_verbs, const char *between)
{
    const char *last = "";
    const char *gap = "";
    for (size_t i = 0; i < cli_command_count; i++) {
        const cli_command *c = &cli_commands[i];
        bool is_wanted = !only_with_verbs || c->verb != NULL;
        if (is_wanted && strcmp(c->noun, last) != 0) {
            fprintf(out, "%s%s", gap, c->noun);
            gap = between;
        }
        last = c->noun;
    }
}

static void put_verbs(FILE *out)
{
    const char *noun = "";
    for (size_t i = 0; i < cli_command_count; i++) {
        const cli_command *c = &cli_commands[i];
        if (c->verb == NULL) {
            continue;
        }
        bool is_first = strcmp(c->noun, noun) != 0;
        if (is_first) {
            fprintf(out, "    %s) words='%s", c->noun, c->verb);
        } else {
            fprintf(out, " %s", c->verb);
        }
        noun = c->noun;
        bool is_last = i + 1 == cli_command_count ||
                       strcmp(cli_commands[i + 1].noun, noun) != 0;
        fputs(is_last ? "' ;;\n" : "", out);
    }
}

static void put_command_options(FILE *out)
{
    for (size_t i = 0; i < cli_command_count; i++) {
        const cli_command *c = &cli_commands[i];
        bool has_verb = c->verb != NULL;
        fprintf(out, "    '%s%s%s') words='", c->noun, has_verb ? " " : "",
                has_verb ? c->verb : "");
        cli_option_id ids[CLI_OPT_COUNT];
        size_t count = cli_command_options(c, ids);
        for (size_t k = 0; k < count; k++) {
            fprintf(out, "%s--%s", k > 0 ? " " : "", cli_options[ids[k]].name);
        }
        fputs("' ;;\n", out);
    }
}

/* The words of every option that takes one of a few, by command. */
static void put_choices(FILE *out)
{
    for (size_t i = 0; i < cli_command_count; i++) {
        const cli_command *c = &cli_commands[i];
        bool has_verb = c->verb != NULL;
        for (size_t k = 0; c->options[k] != CLI_OPT_END; k++) {
            const cli_option *o = &cli_options[c->options[k]];
            if (o->kind != CLI_CHOICE) {
                continue;
            }
            fprintf(out, "    '%s%s%s --%s') words='", c->noun,
                    has_verb ? " " : "", has_verb ? c->verb : "", o->name);
            const char *cursor = o->choices;
            stet_slice word = value_next_choice(&cursor);
            while (word.len > 0) {
                fprintf(out, "%.*s ", (int)word.len, (const char *)word.ptr);
                word = value_next_choice(&cursor);
            }
            fputs("' ;;\n", out);
        }
    }
}

/* The options after which comes a value, each name once. */
static void put_valued(FILE *out)
{
    const char *gap = "";
    for (int id = CLI_OPT_END + 1; id < CLI_OPT_COUNT; id++) {
        bool is_again = false;
        for (int k = CLI_OPT_END + 1; k < id; k++) {
            is_again = is_again ||
                       strcmp(cli_options[k].name, cli_options[id].name) == 0;
        }
        if (cli_options[id].kind != CLI_SWITCH && !is_again) {
            fprintf(out, "%s--%s", gap, cli_options[id].name);
            gap = "|";
        }
    }
}

void completion_bash(FILE *out)
{
    fputs("# bash completion for stet, made by: stet help --completion bash\n"
          "_stet()\n"
          "{\n"
          "    local cur=${COMP_WORDS[COMP_CWORD]} words='' key='' i\n"
          "    local prev=${COMP_WORDS[COMP_CWORD - 1]} noun='' verb=''\n"
          "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
          "        case ${COMP_WORDS[i]} in\n"
          "        ",
          out);
    put_valued(out);
    fputs(") ((i++)) ;;\n"
          "        -*) ;;\n"
          "        *)\n"
          "            if [[ -z $noun ]]; then noun=${COMP_WORDS[i]}\n"
          "            elif [[ -z $verb ]]; then verb=${COMP_WORDS[i]}; fi ;;\n"
          "        esac\n"
          "    done\n"
          "    key=$noun\n"
          "    case $noun in\n"
          "    ",
          out);
    put_nouns(out, true, "|");
    fputs(") key=\"$noun $verb\" ;;\n"
          "    esac\n"
          "    case $key in\n"
          "    '') words='",
          out);
    put_nouns(out, false, " ");
    fputs("' ;;\n"
          "    esac\n"
          "    [[ $noun && -z $verb ]] && case $noun in\n",
          out);
    put_verbs(out);
    fputs("    esac\n"
          "    [[ $cur == -* ]] && case $key in\n",
          out);
    put_command_options(out);
    fputs("    esac\n"
          "    case $prev in\n"
          "    ",
          out);
    put_valued(out);
    fputs(") words='' ;;\n"
          "    esac\n"
          "    case \"$key $prev\" in\n",
          out);
    put_choices(out);
    fputs("    esac\n"
          "    COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n"
          "}\n"
          "complete -o default -F _stet stet\n",
          out);
}
