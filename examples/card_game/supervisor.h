/*
 * The supervisor: starts the game server as a process of its own, keeps the
 * ledger of what it acknowledges, kills it and audits the store.
 *
 * Moments are counted in acknowledged moves, never in time.
 */
#ifndef STET_CARD_GAME_SUPERVISOR_H
#define STET_CARD_GAME_SUPERVISOR_H

#include <stdint.h>

typedef struct supervisor_opts {
    const char *dir; /* takes the store and the ledger; made when missing */
    int rooms;
    int workers;
    int kills; /* how often the server is killed */
    int seed;  /* draws the moments of the kills */
} supervisor_opts;

/*
 * Play one evening: DIR/store and DIR/ledger. The server is killed `kills`
 * times in mid-game and started again; what it acknowledged is audited each
 * time; then the games are played to their end. Returns an exit status: 1 when
 * anything acknowledged is not there.
 */
int supervisor_play(const supervisor_opts *opts);

/*
 * Kill the server `kills` times at random moments, also while it opens its
 * store, and audit after each. When all games of a store are over it goes on
 * with a fresh one. Returns an exit status.
 */
int supervisor_torture(const supervisor_opts *opts);

#endif
