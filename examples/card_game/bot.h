/*
 * The players: bots that choose by chance among the moves that the rules allow.
 */
#ifndef STET_CARD_GAME_BOT_H
#define STET_CARD_GAME_BOT_H

#include "rules.h"

/*
 * The move of the seat whose turn it is. Depends on the game alone, so a bot
 * that is asked again says the same again. The game must not be over.
 */
game_move bot_move(const game *g);

#endif
