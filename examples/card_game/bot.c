#include "bot.h"

#include <assert.h>

game_move bot_move(const game *g)
{
    game_move m = {.action = game_action_of(g->phase), .seat = g->turn};
    int values[GAME_CARDS];
    uint64_t count = 0;
    for (m.value = 0; m.value < GAME_CARDS; m.value++) {
        if (game_allows(g, &m)) {
            values[count++] = m.value;
        }
    }
    assert(count > 0);
    m.value = values[game_chance(g->room, g->move) % count];
    return m;
}
