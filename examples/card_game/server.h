/*
 * The game server: rooms of four bots, each room one machine `game:N` of a
 * store, each move one transition.
 */
#ifndef STET_CARD_GAME_SERVER_H
#define STET_CARD_GAME_SERVER_H

typedef struct server_opts {
    const char *store; /* folder or URL */
    int rooms;
    int workers;   /* threads; room N belongs to worker N % workers */
    int ledger_fd; /* takes the lines of ledger.h */
} server_opts;

/*
 * Open the store, go on with every room where it stands, open those that are
 * missing, play until every game is over, close. Returns an exit status.
 *
 * There is nothing to call on the way down: the server may be killed at any
 * moment and loses no move that it acknowledged.
 */
int server_run(const server_opts *opts);

#endif
