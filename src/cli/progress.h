/*
 * Progress: one line on a terminal for work that takes more than a second.
 *
 * Shown on stderr, and only when that is a terminal. Nothing is drawn in the
 * first second, so that quick work stays silent, and at most ten times a second
 * after it.
 */
#ifndef STET_CLI_PROGRESS_H
#define STET_CLI_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

typedef struct cli_progress {
    const char *what; /* "verify", "import receipt.xes.gz" */
    int64_t start_ns;
    int64_t drawn_ns; /* when it was drawn last; 0: never */
    bool is_terminal;
} cli_progress;

/* Start the clock. `what` is borrowed until the end. */
void cli_progress_begin(cli_progress *p, const char *what);

/*
 * Tell how far it got: `done` of `total` units; `total` 0 means not known.
 *
 * `ctx` is the cli_progress; fits stet_progress_fn. Always true: go on.
 */
bool cli_progress_tell(void *ctx, uint64_t done, uint64_t total);

/* Take the line away, if one was drawn. */
void cli_progress_end(cli_progress *p);

#endif
