#include "cli/json_out.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/timetext.h"
#include "cli/text.h"
#include "formats/base64.h"
#include "formats/jsontext.h"

json_out json_out_to(FILE *out)
{
    json_out j = {.out = out};
    return j;
}

static void put_string(FILE *out, stet_slice v)
{
    fputc('"', out);
    for (size_t at = 0; at < v.len;) {
        const char *p = (const char *)v.ptr + at;
        size_t bytes = text_char_bytes(stet_slice_of(p, v.len - at));
        if (*p == '"' || *p == '\\') {
            fprintf(out, "\\%c", *p);
        } else if (bytes == 1 && (unsigned char)*p < 0x20) {
            fprintf(out, "\\u%04x", (unsigned)*p);
        } else if (bytes == 0) {
            fputs("\\ufffd", out);
            bytes = 1;
        } else {
            fwrite(p, 1, bytes, out);
        }
        at += bytes;
    }
    fputc('"', out);
}

/* What goes before a value: the comma, and the name inside an object. */
static void begin_value(json_out *j, const char *name, const char *suffix)
{
    if (j->needs_comma) {
        fputc(',', j->out);
    }
    if (name != NULL) {
        fprintf(j->out, "\"%s%s\":", name, suffix);
    }
    j->needs_comma = true;
}

static void begin_nest(json_out *j, const char *name, char bracket)
{
    begin_value(j, name, "");
    fputc(bracket, j->out);
    j->needs_comma = false;
}

static void end_nest(json_out *j, char bracket)
{
    fputc(bracket, j->out);
    j->needs_comma = true;
}

void json_begin_object(json_out *j, const char *name)
{
    begin_nest(j, name, '{');
}

void json_end_object(json_out *j)
{
    end_nest(j, '}');
}

void json_begin_list(json_out *j, const char *name)
{
    begin_nest(j, name, '[');
}

void json_end_list(json_out *j)
{
    end_nest(j, ']');
}

void json_end_line(json_out *j)
{
    fputc('\n', j->out);
    j->needs_comma = false;
}

void json_null(json_out *j, const char *name)
{
    begin_value(j, name, "");
    fputs("null", j->out);
}

void json_bool(json_out *j, const char *name, bool v)
{
    begin_value(j, name, "");
    fputs(v ? "true" : "false", j->out);
}

void json_u64(json_out *j, const char *name, uint64_t v)
{
    begin_value(j, name, "");
    fprintf(j->out, "%" PRIu64, v);
}

void json_double(json_out *j, const char *name, double v)
{
    begin_value(j, name, "");
    /* The shorter text where it reads back as the same number. */
    char text[32];
    snprintf(text, sizeof text, "%.15g", v);
    if (strtod(text, NULL) < v || strtod(text, NULL) > v) {
        snprintf(text, sizeof text, "%.17g", v);
    }
    fputs(text, j->out);
}

void json_str(json_out *j, const char *name, stet_slice v)
{
    begin_value(j, name, "");
    put_string(j->out, v);
}

void json_str_or_null(json_out *j, const char *name, stet_slice v)
{
    if (v.len == 0) {
        json_null(j, name);
    } else {
        json_str(j, name, v);
    }
}

void json_str_if(json_out *j, const char *name, stet_slice v)
{
    if (v.len > 0) {
        json_str(j, name, v);
    }
}

void json_position(json_out *j, const char *name, uint64_t v)
{
    begin_value(j, name, "");
    fprintf(j->out, "\"%" PRIu64 "\"", v);
}

void json_time(json_out *j, const char *name, int64_t ns)
{
    char text[STET_TIME_TEXT_MAX];
    stet__time_format(ns, text);
    json_str(j, name, stet_str(text));
}

void json_hex(json_out *j, const char *name, stet_slice v)
{
    begin_value(j, name, "");
    fputc('"', j->out);
    for (size_t i = 0; i < v.len; i++) {
        fprintf(j->out, "%02x", ((const unsigned char *)v.ptr)[i]);
    }
    fputc('"', j->out);
}

static bool is_json(stet_slice bytes)
{
    stet_arena arena;
    stet__arena_init(&arena, &stet__heap);
    stet_status st = stet__jsontext_check(bytes, &arena, NULL);
    stet__arena_deinit(&arena);
    return st == STET_OK;
}

/* Write valid JSON without the white space between its tokens. */
static void put_minified(FILE *out, stet_slice json)
{
    const char *p = json.ptr;
    const char *end = p + json.len;
    bool is_string = false;
    for (; p < end; p++) {
        bool is_space = *p == ' ' || *p == '\t' || *p == '\n' || *p == '\r';
        if (is_string && *p == '\\') {
            fputc(*p++, out); /* an escape is never the string's end */
        } else if (*p == '"') {
            is_string = !is_string;
        } else if (is_space && !is_string) {
            continue;
        }
        fputc(*p, out);
    }
}

bool json_put_minified(FILE *out, stet_slice bytes)
{
    if (!is_json(bytes)) {
        return false;
    }
    put_minified(out, bytes);
    return true;
}

void json_embed(json_out *j, const char *name, stet_slice bytes)
{
    if (is_json(bytes)) {
        begin_value(j, name, "");
        put_minified(j->out, bytes);
        return;
    }
    stet_buf text;
    stet__buf_init(&text, &stet__heap);
    stet__base64_put(&text, bytes);
    begin_value(j, name, "_base64");
    put_string(j->out, stet__buf_slice(&text));
    stet__buf_deinit(&text);
}

void json_embed_if(json_out *j, const char *name, stet_slice bytes)
{
    if (bytes.len > 0) {
        json_embed(j, name, bytes);
    }
}
