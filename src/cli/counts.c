#include "cli/counts.h"

#include <inttypes.h>

void cli_json_counts(json_out *j, const cli_count *counts, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        json_u64(j, counts[i].name, counts[i].n);
    }
}

void cli_put_counts(FILE *out, int column, const cli_count *counts,
                    size_t count)
{
    for (size_t i = 0; i < count; i++) {
        fprintf(out, "%-*s %" PRIu64 "\n", column, counts[i].name, counts[i].n);
    }
}
