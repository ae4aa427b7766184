/*
 * Values: the texts that options and arguments are given, by their kind.
 */
#ifndef STET_CLI_VALUE_H
#define STET_CLI_VALUE_H

#include "cli/cli.h"

/* Parse what option `id` was given; STET_E_INVALID says what it should be. */
STET_NODISCARD stet_status value_parse(cli_option_id id, const char *text,
                                       cli_value *out, stet_error *err);

/* Parse SEQ, an RFC 3339 time, @NAME or "newest". */
STET_NODISCARD stet_status value_parse_point(const char *text, stet_at *out,
                                             stet_error *err);

/*
 * Make the point of a read from --at and --recorded; `at` is what --at or an
 * argument was parsed to.
 */
STET_NODISCARD stet_status value_read_opts(const cli_ctx *ctx, stet_at at,
                                           stet_read_opts *out,
                                           stet_error *err);

/*
 * The choice of a --format, by default `json`, which --json insists on.
 *
 * STET_E_INVALID: --json and another format.
 */
STET_NODISCARD stet_status value_format(cli_ctx *ctx, cli_option_id id,
                                        uint64_t json, uint64_t *out,
                                        stet_error *err);

/* Find `word` in "a|b|c"; false when it is none of them. */
bool value_find_choice(const char *choices, const char *word, uint64_t *out);

/* Take the next word off the front of "a|b|c"; empty at the end. */
stet_slice value_next_choice(const char **cursor);

#endif
