/*
 * Progress: one line on a terminal for work that takes more than a second.
 *
 * Shown on stderr, and only when that is a terminal. Nothing is drawn in the
 * first second, so that quick work stays silent. A thread of its own draws it,
 * so that work which never tells how far it got shows at least its seconds.
 * Nothing else may be written to the terminal between begin and end.
 */
#ifndef STET_CLI_PROGRESS_H
#define STET_CLI_PROGRESS_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* One piece of work; stays where it is between begin and end. */
typedef struct cli_progress {
    const char *what; /* "verify", "receipt.xes.gz" */
    bool is_running;  /* there is a thread */
    pthread_t thread;
    pthread_mutex_t mu;
    pthread_cond_t ended;
    bool is_ended;  /* guarded by mu, as are the two below */
    uint64_t done;  /* units */
    uint64_t total; /* units; 0: not known */
} cli_progress;

/* Start the clock. `what` is borrowed until the end. */
void cli_progress_begin(cli_progress *p, const char *what);

/*
 * The same for work that writes data meanwhile: silent where they go to a
 * terminal, which shows by them that something happens.
 */
void cli_progress_begin_beside(cli_progress *p, const char *what, FILE *data);

/*
 * Tell how far it got: `done` of `total` units; `total` 0 means not known.
 *
 * `ctx` is the cli_progress; the type fits stet_progress_fn. Always true.
 */
bool cli_progress_tell(void *ctx, uint64_t done, uint64_t total);

/* Take the line away, if one was drawn. */
void cli_progress_end(cli_progress *p);

#endif
