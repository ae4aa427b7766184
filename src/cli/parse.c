#include "cli/parse.h"

#include <string.h>

#include "base/error.h"
#include "base/nearest.h"
#include "cli/value.h"

/* Walks over the words of a command line. */
typedef struct words {
    char **argv;
    int argc;
    int next;
    bool is_past_options; /* "--" was met */
} words;

/* One word: an argument, or an option by name. */
typedef struct token {
    char *text;       /* the whole word */
    const char *name; /* of an option; NULL: an argument */
    size_t name_len;
    const char *value; /* after "=", or NULL */
} token;

static bool next_token(words *w, token *out)
{
    if (w->next < w->argc && !w->is_past_options &&
        strcmp(w->argv[w->next], "--") == 0) {
        w->is_past_options = true;
        w->next++;
    }
    if (w->next >= w->argc) {
        return false;
    }
    token t = {.text = w->argv[w->next++]};
    if (!w->is_past_options && t.text[0] == '-' && t.text[1] != '\0') {
        t.name = strcmp(t.text, "-h") == 0 ? "help" : t.text + 1;
        t.name += *t.name == '-';
        t.name_len = strcspn(t.name, "=");
        t.value = t.name[t.name_len] == '=' ? t.name + t.name_len + 1 : NULL;
    }
    *out = t;
    return true;
}

static bool is_named(cli_option_id id, const token *t)
{
    const char *name = cli_options[id].name;
    return strlen(name) == t->name_len &&
           memcmp(name, t->name, t->name_len) == 0;
}

/* Find the option that a command means by a token, or CLI_OPT_END. */
static cli_option_id find_option(const cli_command *command, const token *t)
{
    cli_option_id ids[CLI_OPT_COUNT];
    size_t count = cli_command_options(command, ids);
    for (size_t i = 0; i < count; i++) {
        if (is_named(ids[i], t)) {
            return ids[i];
        }
    }
    return CLI_OPT_END;
}

/* Find any option of that name; all of one name agree in taking a value. */
static cli_option_id find_any_option(const token *t)
{
    for (int id = CLI_OPT_END + 1; id < CLI_OPT_COUNT; id++) {
        if (is_named((cli_option_id)id, t)) {
            return (cli_option_id)id;
        }
    }
    return CLI_OPT_END;
}

static stet_status no_such_option(cli_ctx *ctx, const token *t, stet_error *err)
{
    stet_nearest n = stet__nearest_to(stet_slice_of(t->name, t->name_len));
    cli_option_id ids[CLI_OPT_COUNT];
    size_t count = cli_command_options(ctx->command, ids);
    for (size_t i = 0; i < count; i++) {
        stet__nearest_offer(&n, stet_str(cli_options[ids[i]].name));
    }
    char name[CLI_NAME_MAX] = "stet";
    if (ctx->command != NULL) {
        cli_command_name(ctx->command, name);
    }
    if (n.best_len > 0) {
        cli_try(ctx, "--%.*s", (int)n.best_len, n.best);
    } else if (ctx->command != NULL) {
        cli_try(ctx, "stet %s --help", name);
    } else {
        cli_try(ctx, "stet help");
    }
    return stet__fail(err, STET_E_INVALID, 0, "%s: no such option of %s",
                      t->text, name);
}

static stet_status no_such_noun(cli_ctx *ctx, const char *noun, stet_error *err)
{
    stet_nearest n = stet__nearest_to(stet_str(noun));
    for (size_t i = 0; i < cli_command_count; i++) {
        stet__nearest_offer(&n, stet_str(cli_commands[i].noun));
    }
    if (n.best_len > 0) {
        cli_try(ctx, "stet %.*s", (int)n.best_len, n.best);
    } else {
        cli_try(ctx, "stet help");
    }
    return stet__fail(err, STET_E_INVALID, 0, "%s: no such command", noun);
}

static stet_status no_such_verb(cli_ctx *ctx, const char *noun,
                                const char *verb, stet_error *err)
{
    if (verb == NULL) {
        cli_try(ctx, "stet help %s", noun);
        return stet__fail(err, STET_E_INVALID, 0, "%s: no verb given", noun);
    }
    stet_nearest n = stet__nearest_to(stet_str(verb));
    for (size_t i = 0; i < cli_command_count; i++) {
        if (strcmp(cli_commands[i].noun, noun) == 0) {
            stet__nearest_offer(&n, stet_str(cli_commands[i].verb));
        }
    }
    if (n.best_len > 0) {
        cli_try(ctx, "stet %s %.*s", noun, (int)n.best_len, n.best);
    } else {
        cli_try(ctx, "stet help %s", noun);
    }
    return stet__fail(err, STET_E_INVALID, 0, "%s %s: no such verb", noun,
                      verb);
}

/* Make this run the help command about at most two words. */
static void turn_to_help(cli_ctx *ctx, const char *noun, const char *verb)
{
    ctx->command = cli_command_find("help", NULL);
    ctx->arg_count = 0;
    if (noun != NULL) {
        ctx->args[ctx->arg_count++] = noun;
    }
    if (verb != NULL) {
        ctx->args[ctx->arg_count++] = verb;
    }
}

/* The words that name a command, and what stands before and between them. */
typedef struct naming {
    const char *noun; /* NULL: not given */
    const char *verb;
    bool is_help;    /* --help is among them */
    bool is_version; /* --version is before the noun */
} naming;

/* Look for the first two words that are neither options nor their values. */
static stet_status find_names(cli_ctx *ctx, words w, naming *out,
                              stet_error *err)
{
    token t;
    while (out->verb == NULL && next_token(&w, &t)) {
        if (t.name == NULL) {
            *(out->noun == NULL ? &out->noun : &out->verb) = t.text;
            continue;
        }
        cli_option_id id = find_any_option(&t);
        if (out->noun == NULL && id == CLI_OPT_VERSION) {
            out->is_version = true;
            return STET_OK;
        }
        if (out->noun == NULL && id == CLI_OPT_END) {
            return no_such_option(ctx, &t, err);
        }
        out->is_help = out->is_help || id == CLI_OPT_HELP;
        bool takes_next = id != CLI_OPT_END && t.value == NULL &&
                          cli_options[id].kind != CLI_SWITCH;
        w.next += takes_next;
    }
    return STET_OK;
}

/*
 * Find the command, so that its options can be judged. `*out_is_done`: the run
 * is known already, and nothing is left to parse.
 */
static stet_status find_command(cli_ctx *ctx, words w, bool *out_is_done,
                                stet_error *err)
{
    naming n = {0};
    stet_status st = find_names(ctx, w, &n, err);
    if (st != STET_OK) {
        return st;
    }
    if (n.is_version) {
        ctx->command = cli_command_find("version", NULL);
        *out_is_done = true;
        return STET_OK;
    }
    const cli_command *first = n.noun == NULL ? NULL : cli_noun_find(n.noun);
    if (n.noun != NULL && first == NULL) {
        return no_such_noun(ctx, n.noun, err);
    }
    if (n.is_help && n.verb == NULL && (first == NULL || first->verb != NULL)) {
        turn_to_help(ctx, n.noun, NULL);
        *out_is_done = true;
        return STET_OK;
    }
    if (first == NULL) {
        cli_try(ctx, "stet help");
        return stet__fail(err, STET_E_INVALID, 0, "no command given");
    }
    ctx->command =
        first->verb == NULL ? first : cli_command_find(n.noun, n.verb);
    return ctx->command != NULL ? STET_OK
                                : no_such_verb(ctx, n.noun, n.verb, err);
}

/* Say what a value could have been. */
static void try_value(cli_ctx *ctx, const cli_option *o, const char *value)
{
    stet_nearest n = stet__nearest_to(stet_str(value));
    if (o->kind == CLI_CHOICE) {
        const char *cursor = o->choices;
        stet_slice choice = value_next_choice(&cursor);
        while (choice.len > 0) {
            stet__nearest_offer(&n, choice);
            choice = value_next_choice(&cursor);
        }
    }
    if (n.best_len > 0) {
        cli_try(ctx, "--%s %.*s", o->name, (int)n.best_len, n.best);
    } else {
        cli_try(ctx, "--%s %s", o->name, cli_option_metavar(o));
    }
}

/* Take one option, and its value where it wants one. */
static stet_status take_option(cli_ctx *ctx, words *w, const token *t,
                               stet_error *err)
{
    cli_option_id id = find_option(ctx->command, t);
    if (id == CLI_OPT_END) {
        return no_such_option(ctx, t, err);
    }
    const cli_option *o = &cli_options[id];
    if (o->kind == CLI_SWITCH && t->value != NULL) {
        cli_try(ctx, "--%s", o->name);
        return stet__fail(err, STET_E_INVALID, 0, "%s: takes no value",
                          t->text);
    }
    const char *value = t->value;
    if (o->kind == CLI_SWITCH) {
        value = "";
    } else if (value == NULL && w->next < w->argc) {
        value = w->argv[w->next++];
    }
    if (value == NULL) {
        cli_try(ctx, "--%s %s", o->name, cli_option_metavar(o));
        return stet__fail(err, STET_E_INVALID, 0, "%s: no value given",
                          t->text);
    }
    stet_status st = value_parse(id, value, &ctx->options[id], err);
    if (st != STET_OK) {
        try_value(ctx, o, value);
    }
    return st;
}

static stet_status check_arguments(cli_ctx *ctx, stet_error *err)
{
    const cli_command *c = ctx->command;
    bool is_few = ctx->arg_count < c->args_min;
    bool is_many = c->args_max >= 0 && ctx->arg_count > c->args_max;
    if (!is_few && !is_many) {
        return STET_OK;
    }
    char name[CLI_NAME_MAX];
    cli_command_name(c, name);
    cli_try(ctx, "stet %s %s", name, c->args);
    if (is_few) {
        return stet__fail(err, STET_E_INVALID, 0, "%s: an argument is missing",
                          name);
    }
    return stet__fail(err, STET_E_INVALID, 0, "%s: one argument too many",
                      ctx->args[c->args_max]);
}

/* What every command reads from its options. */
static void set_common(cli_ctx *ctx)
{
    bool has_store = cli_is_given(ctx, CLI_OPT_STORE);
    ctx->store_url = has_store ? ctx->options[CLI_OPT_STORE].text : "";
    ctx->is_json = cli_is_given(ctx, CLI_OPT_JSON);
    ctx->ns = (uint8_t)cli_number(ctx, CLI_OPT_NAMESPACE, 0);
}

stet_status cli_parse(cli_ctx *ctx, int argc, char **argv, stet_error *err)
{
    words w = {.argv = argv, .argc = argc, .next = 1};
    /* Arguments move to the front of argv, where no word is needed again. */
    ctx->args = (const char **)argv;
    bool is_done = false;
    stet_status st = find_command(ctx, w, &is_done, err);
    if (st != STET_OK || is_done) {
        return st;
    }
    int command_words = ctx->command->verb == NULL ? 1 : 2;
    token t;
    while (st == STET_OK && next_token(&w, &t)) {
        if (t.name != NULL) {
            st = take_option(ctx, &w, &t, err);
        } else if (command_words > 0) {
            command_words--;
        } else {
            ctx->args[ctx->arg_count++] = t.text;
        }
    }
    if (st != STET_OK) {
        return st;
    }
    set_common(ctx);
    if (cli_is_given(ctx, CLI_OPT_HELP)) {
        turn_to_help(ctx, ctx->command->noun, ctx->command->verb);
        return STET_OK;
    }
    return check_arguments(ctx, err);
}
