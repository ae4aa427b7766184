#include "rules.h"

#include <assert.h>

static const uint64_t SUIT_CARDS = (UINT64_C(1) << GAME_RANKS) - 1;

/* Draws below this are the bots'; the deals of the rounds lie above. */
enum { DEAL_DRAWS = GAME_MOVES };

static uint64_t set_of(int card)
{
    return UINT64_C(1) << card;
}

static uint64_t suit_set(int suit)
{
    return SUIT_CARDS << (suit * GAME_RANKS);
}

static int suit_of(int card)
{
    return card / GAME_RANKS;
}

static int next_seat(int seat)
{
    return (seat + 1) % GAME_SEATS;
}

uint64_t game_chance(int room, int draw)
{
    /* The output function of SplitMix64 over its counter. */
    uint64_t x = ((uint64_t)(unsigned)room << 32 | (unsigned)draw) + 1;
    x *= UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

game game_new(int room)
{
    game g = {.room = room,
              .phase = GAME_LOBBY,
              .lead = GAME_NONE,
              .trump = GAME_NONE};
    for (int i = 0; i < GAME_SEATS; i++) {
        g.seats[i] = (game_seat){
            .card = GAME_NONE, .declared = GAME_NONE, .score = GAME_NONE};
    }
    return g;
}

bool game_is_over(const game *g)
{
    return g->phase == GAME_OVER;
}

/* ---- what is allowed ---- */

static int cards_on_table(const game *g)
{
    int count = 0;
    for (int i = 0; i < GAME_SEATS; i++) {
        count += g->seats[i].card != GAME_NONE;
    }
    return count;
}

/* The next card is the first of a trick; the last trick may still lie there. */
static bool is_leading(const game *g)
{
    return cards_on_table(g) % GAME_SEATS == 0;
}

/* The dealer declares last and must leave somebody wrong. */
static bool allows_declaring(const game *g, int tricks)
{
    if (tricks < 0 || tricks > g->round) {
        return false;
    }
    if (g->turn != g->dealer) {
        return true;
    }
    int sum = tricks;
    for (int i = 0; i < GAME_SEATS; i++) {
        sum += i == g->dealer ? 0 : g->seats[i].declared;
    }
    return sum != g->round;
}

static bool allows_card(const game *g, int card)
{
    if (card < 0 || card >= GAME_CARDS) {
        return false;
    }
    uint64_t hand = g->seats[g->turn].hand;
    if ((hand & set_of(card)) == 0) {
        return false;
    }
    if (is_leading(g)) {
        return true;
    }
    int led = suit_of(g->seats[g->lead].card);
    return suit_of(card) == led || (hand & suit_set(led)) == 0;
}

game_action game_action_of(game_phase phase)
{
    static const game_action actions[GAME_OVER] = {
        [GAME_LOBBY] = GAME_ACT_JOIN,
        [GAME_DEAL] = GAME_ACT_DEAL,
        [GAME_DECLARATION] = GAME_ACT_DECLARE,
        [GAME_TURN] = GAME_ACT_PLAY,
        [GAME_SCORING] = GAME_ACT_SCORE};
    assert(phase < GAME_OVER);
    return actions[phase];
}

bool game_allows(const game *g, const game_move *m)
{
    if (game_is_over(g) || m->action != game_action_of(g->phase) ||
        m->seat != g->turn) {
        return false;
    }
    switch (m->action) {
    case GAME_ACT_DECLARE:
        return allows_declaring(g, m->value);
    case GAME_ACT_PLAY:
        return allows_card(g, m->value);
    case GAME_ACT_JOIN:
    case GAME_ACT_DEAL:
    case GAME_ACT_SCORE:
        return m->value == 0;
    }
    return false;
}

/* ---- what a move does ---- */

static void clear_table(game *g)
{
    for (int i = 0; i < GAME_SEATS; i++) {
        g->seats[i].card = GAME_NONE;
    }
    g->lead = GAME_NONE;
}

static void join(game *g)
{
    g->seats[g->turn].score = 0;
    g->turn = next_seat(g->turn);
    if (g->turn == 0) {
        g->phase = GAME_DEAL;
        g->turn = g->dealer;
    }
}

static void deal(game *g)
{
    clear_table(g);
    g->round++;
    uint64_t dealt = 0;
    int draw = DEAL_DRAWS + g->round * GAME_CARDS;
    for (int i = 0; i < GAME_SEATS; i++) {
        game_seat *seat = &g->seats[i];
        seat->declared = GAME_NONE;
        seat->won = 0;
        seat->hand = 0;
        for (int n = 0; n < g->round; n++) {
            int card = (int)(game_chance(g->room, draw++) % GAME_CARDS);
            while (dealt & set_of(card)) {
                card = (card + 1) % GAME_CARDS;
            }
            dealt |= set_of(card);
            seat->hand |= set_of(card);
        }
    }
    g->trump = (int)(game_chance(g->room, draw) % GAME_SUITS);
    g->phase = GAME_DECLARATION;
    g->turn = next_seat(g->dealer);
}

static void declare(game *g, int tricks)
{
    g->seats[g->turn].declared = tricks;
    if (g->turn == g->dealer) {
        g->phase = GAME_TURN;
    }
    g->turn = next_seat(g->turn);
}

/* Does `card` beat `best`, which lies on the table and followed the lead? */
static bool beats(int card, int best, int trump)
{
    if (suit_of(card) == suit_of(best)) {
        return card > best;
    }
    return suit_of(card) == trump;
}

static int trick_winner(const game *g)
{
    int winner = g->lead;
    for (int i = 0; i < GAME_SEATS; i++) {
        if (beats(g->seats[i].card, g->seats[winner].card, g->trump)) {
            winner = i;
        }
    }
    return winner;
}

static void play(game *g, int card)
{
    if (is_leading(g)) {
        clear_table(g);
        g->lead = g->turn;
    }
    g->seats[g->turn].hand &= ~set_of(card);
    g->seats[g->turn].card = card;
    g->turn = next_seat(g->turn);
    if (cards_on_table(g) < GAME_SEATS) {
        return;
    }
    g->turn = trick_winner(g);
    g->seats[g->turn].won++;
    if (g->seats[g->turn].hand == 0) {
        g->phase = GAME_SCORING;
        g->turn = g->dealer;
    }
}

static void score(game *g)
{
    for (int i = 0; i < GAME_SEATS; i++) {
        game_seat *seat = &g->seats[i];
        if (seat->won == seat->declared) {
            seat->score += 10 + seat->won;
        }
    }
    g->dealer = next_seat(g->dealer);
    g->turn = g->dealer;
    g->phase = g->round == GAME_ROUNDS ? GAME_OVER : GAME_DEAL;
}

void game_make(game *g, const game_move *m)
{
    assert(game_allows(g, m));
    switch (m->action) {
    case GAME_ACT_JOIN:
        join(g);
        break;
    case GAME_ACT_DEAL:
        deal(g);
        break;
    case GAME_ACT_DECLARE:
        declare(g, m->value);
        break;
    case GAME_ACT_PLAY:
        play(g, m->value);
        break;
    case GAME_ACT_SCORE:
        score(g);
        break;
    }
    g->move++;
}

/* ---- names ---- */

const char *game_phase_name(game_phase phase)
{
    static const char *const names[GAME_PHASES] = {[GAME_LOBBY] = "lobby",
                                                   [GAME_DEAL] = "deal",
                                                   [GAME_DECLARATION] =
                                                       "declaration",
                                                   [GAME_TURN] = "turn",
                                                   [GAME_SCORING] = "scoring",
                                                   [GAME_OVER] = "game_over"};
    return names[phase];
}

const char *game_action_name(game_action action)
{
    static const char *const names[] = {[GAME_ACT_JOIN] = "join",
                                        [GAME_ACT_DEAL] = "deal",
                                        [GAME_ACT_DECLARE] = "declare",
                                        [GAME_ACT_PLAY] = "play",
                                        [GAME_ACT_SCORE] = "score"};
    return names[action];
}

const char *game_seat_name(int seat)
{
    static const char *const names[GAME_SEATS] = {"north", "east", "south",
                                                  "west"};
    return names[seat];
}
