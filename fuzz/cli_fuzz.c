/*
 * Command line: words that parse, written out in the plain order, parse to the
 * same; words that do not are told why and what to try instead.
 */
#include "fuzz.h"

#include <string.h>

#include "cli/parse.h"

enum { WORDS_MAX = 64, TEXT_BYTES_MAX = 16384, NAME_BYTES_MAX = 64 };

typedef struct line {
    char *words[WORDS_MAX + 1];
    int count;
    char text[2 * TEXT_BYTES_MAX];
    size_t used;
} line;

/* Add "--name=", or nothing, and a word, cut where there is no room. */
static void add(line *l, const char *front, stet_slice word)
{
    size_t front_len = strlen(front);
    size_t left = sizeof l->text - l->used - front_len;
    size_t len = word.len < left ? word.len : left - 1;
    if (l->count == WORDS_MAX || left < 2) {
        return;
    }
    char *p = l->text + l->used;
    memcpy(p, front, front_len);
    memcpy(p + front_len, word.ptr, len);
    p[front_len + len] = '\0';
    l->words[l->count++] = p;
    l->used += front_len + len + 1;
}

/* The plain order: the command, its options, its arguments. */
static void write_out(const cli_ctx *ctx, line *out)
{
    const cli_command *c = ctx->command;
    add(out, "", stet_str("stet"));
    add(out, "", stet_str(c->noun));
    if (c->verb != NULL) {
        add(out, "", stet_str(c->verb));
    }
    for (int id = CLI_OPT_END + 1; id < CLI_OPT_COUNT; id++) {
        const cli_option *o = &cli_options[id];
        char front[NAME_BYTES_MAX];
        if (ctx->options[id].text != NULL) {
            snprintf(front, sizeof front, "--%s%s", o->name,
                     o->kind == CLI_SWITCH ? "" : "=");
            add(out, front, stet_str(ctx->options[id].text));
        }
    }
    add(out, "", stet_str("--"));
    for (int i = 0; i < ctx->arg_count; i++) {
        add(out, "", stet_str(ctx->args[i]));
    }
}

static void check_same(const cli_ctx *a, const cli_ctx *b)
{
    FUZZ_CHECK(a->command == b->command && a->arg_count == b->arg_count);
    for (int i = 0; i < a->arg_count; i++) {
        FUZZ_CHECK(strcmp(a->args[i], b->args[i]) == 0);
    }
    for (int id = CLI_OPT_END + 1; id < CLI_OPT_COUNT; id++) {
        const cli_value *x = &a->options[id];
        const cli_value *y = &b->options[id];
        FUZZ_CHECK((x->text == NULL) == (y->text == NULL));
        FUZZ_CHECK(x->number == y->number && x->time == y->time);
        FUZZ_CHECK(x->at.kind == y->at.kind && x->at.seq == y->at.seq);
        FUZZ_CHECK(x->at.time == y->at.time);
    }
    FUZZ_CHECK(a->ns == b->ns && a->is_json == b->is_json);
    FUZZ_CHECK(strcmp(a->store_url, b->store_url) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static line given;
    static line plain;
    fuzz f;
    fuzz_begin(&f, data, size < TEXT_BYTES_MAX ? size : TEXT_BYTES_MAX);
    given.count = plain.count = 0;
    given.used = plain.used = 0;
    add(&given, "", stet_str("stet"));
    /* The plain order may take a word and some bytes more. */
    while (f.len > 0 && given.count < WORDS_MAX / 2) {
        add(&given, "", fuzz_text(&f));
    }
    cli_ctx ctx = {0};
    stet_error err = {0};
    stet_status st = cli_parse(&ctx, given.count, given.words, &err);
    FUZZ_CHECK(st == STET_OK || st == STET_E_INVALID);
    if (st != STET_OK) {
        FUZZ_CHECK(err.text[0] != '\0' && ctx.hint[0] != '\0');
    } else if (ctx.store_url == NULL ||
               ctx.options[CLI_OPT_HELP].text != NULL) {
        const char *noun = ctx.command->noun; /* the other words do not count */
        FUZZ_CHECK(strcmp(noun, "help") == 0 || strcmp(noun, "version") == 0);
    } else {
        cli_ctx again = {0};
        write_out(&ctx, &plain);
        st = cli_parse(&again, plain.count, plain.words, &err);
        FUZZ_CHECK(st == STET_OK);
        check_same(&ctx, &again);
    }
    fuzz_end(&f);
    return 0;
}
