#include "cli/value.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/timetext.h"

/* Read decimal digits and nothing else. */
static bool parse_number(const char *text, uint64_t *out)
{
    uint64_t v = 0;
    const char *p = text;
    for (; *p >= '0' && *p <= '9'; p++) {
        if (__builtin_mul_overflow(v, 10, &v) ||
            __builtin_add_overflow(v, (uint64_t)(*p - '0'), &v)) {
            return false;
        }
    }
    if (p == text || *p != '\0') {
        return false;
    }
    *out = v;
    return true;
}

stet_slice value_next_choice(const char **cursor)
{
    stet_slice word = stet_slice_of(*cursor, strcspn(*cursor, "|"));
    *cursor += word.len;
    *cursor += **cursor == '|';
    return word;
}

bool value_find_choice(const char *choices, const char *word, uint64_t *out)
{
    const char *cursor = choices;
    stet_slice choice = value_next_choice(&cursor);
    for (uint64_t i = 0; choice.len > 0; i++) {
        if (stet__slice_eq(choice, stet_str(word))) {
            *out = i;
            return true;
        }
        choice = value_next_choice(&cursor);
    }
    return false;
}

stet_status value_parse_point(const char *text, stet_at *out, stet_error *err)
{
    stet_at at = {0};
    if (strcmp(text, "newest") == 0) {
        at.kind = STET_AT_NEWEST;
    } else if (text[0] == '@' && text[1] != '\0') {
        at.kind = STET_AT_CHECKPOINT;
        at.name = stet_str(text + 1);
    } else if (parse_number(text, &at.seq) && at.seq > 0) {
        at.kind = STET_AT_SEQ;
    } else if (stet__time_parse_rfc3339(stet_str(text), &at.time)) {
        at.kind = STET_AT_TIME;
    } else {
        return stet__fail(err, STET_E_INVALID, 0,
                          "%s: not a seq (1, 2, ...), an RFC 3339 time, @NAME "
                          "or newest",
                          text);
    }
    *out = at;
    return STET_OK;
}

stet_status value_read_opts(const cli_ctx *ctx, stet_at at, stet_read_opts *out,
                            stet_error *err)
{
    stet_read_opts opts = {.struct_size = sizeof opts, .at = at, .ns = ctx->ns};
    if (cli_is_given(ctx, CLI_OPT_RECORDED)) {
        if (at.kind != STET_AT_TIME) {
            return stet__fail(err, STET_E_INVALID, 0,
                              "--recorded: the point is not a time");
        }
        opts.at.kind = STET_AT_RECORDED;
    }
    *out = opts;
    return STET_OK;
}

static stet_slice choice_at(const char *choices, uint64_t i)
{
    stet_slice word = value_next_choice(&choices);
    while (i-- > 0) {
        word = value_next_choice(&choices);
    }
    return word;
}

stet_status value_format(cli_ctx *ctx, cli_option_id id, uint64_t json,
                         uint64_t *out, stet_error *err)
{
    uint64_t format = cli_number(ctx, id, json);
    if (ctx->is_json && format != json) {
        stet_slice wanted = choice_at(cli_options[id].choices, json);
        cli_try(ctx, "--format %.*s, or without --json", (int)wanted.len,
                (const char *)wanted.ptr);
        return stet__fail(err, STET_E_INVALID, 0, "--json: the format is %s",
                          ctx->options[id].text);
    }
    *out = format;
    return STET_OK;
}

static bool parse_expect(const char *text, stet_expect *out)
{
    uint64_t kind = 0;
    if (value_find_choice("any|none|exists", text, &kind)) {
        out->kind = (stet_expect_kind)kind;
        out->seq = 0;
        return true;
    }
    out->kind = STET_EXPECT_EXACT;
    return parse_number(text, &out->seq) && out->seq > 0;
}

static bool parse_hash(const char *text, uint8_t out[32])
{
    bool is_hash = strlen(text) == 64 && strspn(text, "0123456789abcdef") == 64;
    for (size_t i = 0; is_hash && i < 32; i++) {
        char digits[] = {text[2 * i], text[2 * i + 1], '\0'};
        out[i] = (uint8_t)strtoul(digits, NULL, 16);
    }
    return is_hash;
}

static bool parse_duration(const char *text, int64_t *out)
{
    static const struct {
        char unit;
        int64_t seconds;
    } units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}};
    size_t digits = strspn(text, "0123456789");
    char number[24] = {0};
    uint64_t n = 0;
    if (digits == 0 || digits >= sizeof number || text[digits] == '\0' ||
        text[digits + 1] != '\0') {
        return false;
    }
    memcpy(number, text, digits);
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        if (units[i].unit == text[digits]) {
            int64_t ns = 0;
            bool is_fit =
                parse_number(number, &n) && n > 0 &&
                !__builtin_mul_overflow(n, units[i].seconds * 1000000000, &ns);
            *out = ns;
            return is_fit;
        }
    }
    return false;
}

stet_status value_parse(cli_option_id id, const char *text, cli_value *out,
                        stet_error *err)
{
    const cli_option *o = &cli_options[id];
    cli_value v = {.text = text};
    const char *wants = NULL;
    uint64_t greatest = o->max > 0 ? o->max : UINT64_MAX;
    switch (o->kind) {
    case CLI_SWITCH:
    case CLI_TEXT:
        break;
    case CLI_WORD:
        if (text[0] == '\0') {
            return stet__fail(err, STET_E_INVALID, 0, "--%s: it is empty",
                              o->name);
        }
        break;
    case CLI_NUMBER:
        if (!parse_number(text, &v.number) || v.number < o->min ||
            v.number > greatest) {
            return stet__fail(err, STET_E_INVALID, 0,
                              "--%s %s: not a number from %" PRIu64
                              " to %" PRIu64,
                              o->name, text, o->min, greatest);
        }
        break;
    case CLI_CHOICE:
        if (!value_find_choice(o->choices, text, &v.number)) {
            return stet__fail(err, STET_E_INVALID, 0, "--%s %s: not one of %s",
                              o->name, text, o->choices);
        }
        break;
    case CLI_TIME:
        if (!stet__time_parse(stet_str(text), &v.time)) {
            wants = "a time from 1678 to 2261, as 2026-11-20T05:24:08Z or in "
                    "Unix seconds";
        }
        break;
    case CLI_POINT:
        if (value_parse_point(text, &v.at, err) != STET_OK) {
            return stet__wrap(err, STET_E_INVALID, "--%s", o->name);
        }
        break;
    case CLI_EXPECT:
        if (!parse_expect(text, &v.expect)) {
            wants = "any, none, exists or a seq";
        }
        break;
    case CLI_DURATION:
        if (!parse_duration(text, &v.time)) {
            wants = "a number and s, m, h or d, as 90d, up to 292 years";
        }
        break;
    case CLI_HASH:
        if (!parse_hash(text, v.hash)) {
            wants = "64 digits of 0 to 9 and a to f";
        }
        break;
    }
    if (wants != NULL) {
        return stet__fail(err, STET_E_INVALID, 0, "--%s %s: not %s", o->name,
                          text, wants);
    }
    *out = v;
    return STET_OK;
}
