/*
 * Counts: numbers under their names, as JSON members or as lines for people.
 */
#ifndef STET_CLI_COUNTS_H
#define STET_CLI_COUNTS_H

#include <stdint.h>
#include <stdio.h>

#include "cli/json_out.h"

typedef struct cli_count {
    const char *name;
    uint64_t n;
} cli_count;

void cli_json_counts(json_out *j, const cli_count *counts, size_t count);
/* `column`: at which the numbers begin. */
void cli_put_counts(FILE *out, int column, const cli_count *counts,
                    size_t count);

#endif
