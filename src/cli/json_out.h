/*
 * Json out: JSON written as it comes, on one line, never held as a whole.
 *
 *     json_out j = json_out_to(ctx->out);
 *     json_begin_object(&j, NULL);
 *     json_str(&j, "state_machine_id", id);
 *     json_u64(&j, "seq", 7);
 *     json_end_object(&j);
 *     json_end_line(&j);
 *
 * A member's name is NULL inside a list and for the outermost value. Text that
 * is not UTF-8 is written with U+FFFD in place of what is wrong. Integers that
 * may pass 2^53 (positions) go out as strings: json_position.
 */
#ifndef STET_CLI_JSON_OUT_H
#define STET_CLI_JSON_OUT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include <stet/slice.h>

typedef struct json_out {
    FILE *out;
    bool needs_comma;
} json_out;

json_out json_out_to(FILE *out);

void json_begin_object(json_out *j, const char *name);
void json_end_object(json_out *j);
void json_begin_list(json_out *j, const char *name);
void json_end_list(json_out *j);
/* End the outermost value: one a line. */
void json_end_line(json_out *j);

void json_null(json_out *j, const char *name);
void json_bool(json_out *j, const char *name, bool v);
void json_u64(json_out *j, const char *name, uint64_t v);
void json_double(json_out *j, const char *name, double v);
void json_str(json_out *j, const char *name, stet_slice v);
/* The same, but null when empty. */
void json_str_or_null(json_out *j, const char *name, stet_slice v);
/* The same, but nothing at all when empty. */
void json_str_if(json_out *j, const char *name, stet_slice v);
void json_position(json_out *j, const char *name, uint64_t v);
/* RFC 3339 in UTC. */
void json_time(json_out *j, const char *name, int64_t ns);
/* Lower-case hexadecimal. */
void json_hex(json_out *j, const char *name, stet_slice v);

/*
 * Embed bytes: as they are, but for white space between tokens, when they are
 * valid JSON; else in base64 as a member named `name`_base64.
 */
void json_embed(json_out *j, const char *name, stet_slice bytes);
/* The same, but nothing at all when empty. */
void json_embed_if(json_out *j, const char *name, stet_slice bytes);

/* Write JSON on one line; false, with nothing written, when it is none. */
bool json_put_minified(FILE *out, stet_slice bytes);

#endif
