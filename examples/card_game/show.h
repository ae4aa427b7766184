/*
 * What the store knows afterwards, as tables: a room's history, its state as of
 * an earlier move, the flow of all games, and what all of it takes on disk.
 */
#ifndef STET_CARD_GAME_SHOW_H
#define STET_CARD_GAME_SHOW_H

#include <stdint.h>

typedef struct show_opts {
    const char *store;
    int room;
    uint64_t seq; /* of the past state; 0: from the middle of the history */
} show_opts;

/* Print it. Returns an exit status. */
int show_run(const show_opts *opts);

#endif
