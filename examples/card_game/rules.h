/*
 * The rules: Oh Hell for four seats, as pure functions of a game.
 *
 * A game has GAME_ROUNDS rounds; in round r each seat holds r cards. Every seat
 * declares how many tricks it will take, then the cards are played: follow the
 * suit that was led if you can, the highest trump takes the trick, else the
 * highest card of that suit. Who took exactly what it declared scores.
 *
 *   lobby -> deal -> declaration -> turn -> scoring -> game_over
 *             ^                               |
 *             +-------------------------------+
 */
#ifndef STET_CARD_GAME_RULES_H
#define STET_CARD_GAME_RULES_H

#include <stdbool.h>
#include <stdint.h>

enum {
    GAME_SEATS = 4,
    GAME_ROUNDS = 4,
    GAME_SUITS = 4,
    GAME_RANKS = 13,
    GAME_CARDS = GAME_SUITS * GAME_RANKS,
    GAME_NONE = -1 /* no card, no seat, no suit, nothing declared */
};

/* Joins; then in each round a deal, declarations and a scoring; then cards. */
enum {
    GAME_MOVES = GAME_SEATS + GAME_ROUNDS * (GAME_SEATS + 2) +
                 GAME_SEATS * GAME_ROUNDS * (GAME_ROUNDS + 1) / 2
};

typedef enum game_phase {
    GAME_LOBBY,
    GAME_DEAL,
    GAME_DECLARATION,
    GAME_TURN,
    GAME_SCORING,
    GAME_OVER,
    GAME_PHASES /* how many there are */
} game_phase;

typedef enum game_action {
    GAME_ACT_JOIN,
    GAME_ACT_DEAL,
    GAME_ACT_DECLARE,
    GAME_ACT_PLAY,
    GAME_ACT_SCORE
} game_action;

/* A card is suit * GAME_RANKS + rank; a hand is a set: bit c is card c. */
typedef struct game_seat {
    uint64_t hand;
    int card;     /* on the table, or none */
    int declared; /* tricks, or none */
    int won;      /* tricks */
    int score;    /* none: nobody sits here */
} game_seat;

typedef struct game {
    int room;
    game_phase phase;
    int move;   /* moves made so far */
    int round;  /* 0 before the first deal */
    int dealer; /* a seat */
    int turn;   /* the seat whose move it is */
    int lead;   /* the seat that led the trick on the table, or none */
    int trump;  /* a suit, or none */
    game_seat seats[GAME_SEATS];
} game;

typedef struct game_move {
    game_action action;
    int seat;
    int value; /* tricks declared, or the card played; else 0 */
} game_move;

/* A new game: an empty lobby. */
game game_new(int room);

bool game_is_over(const game *g);

/* Do the rules let this seat do this now? */
bool game_allows(const game *g, const game_move *m);

/* Make a move that the rules allow. */
void game_make(game *g, const game_move *m);

/* The action that a phase waits for; there is none when the game is over. */
game_action game_action_of(game_phase phase);

/*
 * Chance: the same arguments give the same number for ever, so that a game goes
 * on after a restart as it would have without one.
 */
uint64_t game_chance(int room, int draw);

const char *game_phase_name(game_phase phase);
const char *game_action_name(game_action action);
const char *game_seat_name(int seat);

#endif
