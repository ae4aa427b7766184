/*
 * A game as the store keeps it: a JSON object, and merge patches between two.
 *
 *   {"room":7,"phase":"turn","move":31,"round":3,"dealer":"south",
 *    "turn":"west","lead":"west","trump":"H",
 *    "north":{"hand":"9C QH","card":"2C","declared":1,"won":0,"score":11},
 *    "east":{...},"south":{...},"west":{...}}
 *
 * What is none (no card on the table, nothing declared) is absent; in a patch
 * it is null, which takes the member away (RFC 7386).
 */
#ifndef STET_CARD_GAME_GAME_JSON_H
#define STET_CARD_GAME_GAME_JSON_H

#include <stet/slice.h>

#include "rules.h"

enum { GAME_JSON_MAX = 1024 };

typedef struct game_json {
    char text[GAME_JSON_MAX];
    size_t len;
} game_json;

/* The whole game. */
game_json game_to_json(const game *g);

/* What a move changed. */
game_json game_to_patch(const game *before, const game *after);

/* False when it is not such a game; `out` is then untouched. */
bool game_from_json(stet_slice json, game *out);

/* A number that differs when anything in the game does. */
uint64_t game_digest(const game *g);

/* A card's two letters, rank and suit; the seven of hearts is "7H". */
void game_card_name(int card, char out[3]);

#endif
