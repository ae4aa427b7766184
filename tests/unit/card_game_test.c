/*
 * The example's rules, its JSON and its ledger. Users copy from it, and rounds
 * of kills prove nothing if a game or the ledger is wrong in itself.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/fold.h"

/* An example is a program, not a library: its sources become part of this. */
#include "../../examples/card_game/bot.c"
#include "../../examples/card_game/game_json.c"
#include "../../examples/card_game/ledger.c"
#include "../../examples/card_game/rules.c"

enum { ROOMS = 200 };

/* A card by its name. */
static int card_of(const char *name)
{
    char text[3];
    for (int card = 0; card < GAME_CARDS; card++) {
        game_card_name(card, text);
        if (strcmp(text, name) == 0) {
            return card;
        }
    }
    fail_msg("no card %s", name);
    return GAME_NONE;
}

static game read_game(const char *json)
{
    game g;
    assert_true(game_from_json(stet_str(json), &g));
    return g;
}

/* North has led; it is east's turn. */
static game trick(const char *trump, const char *north, const char *east,
                  const char *south, const char *west)
{
    char json[GAME_JSON_MAX];
    (void)snprintf(json, sizeof(json),
                   "{\"room\":1,\"phase\":\"turn\",\"move\":20,\"round\":2,"
                   "\"dealer\":\"west\",\"turn\":\"east\",\"lead\":\"north\","
                   "\"trump\":\"%s\","
                   "\"north\":{\"card\":\"%s\",\"hand\":\"2C\","
                   "\"declared\":0,\"won\":0,\"score\":0},"
                   "\"east\":{\"hand\":\"%s\",\"declared\":0,\"won\":0,"
                   "\"score\":0},"
                   "\"south\":{\"hand\":\"%s\",\"declared\":0,\"won\":0,"
                   "\"score\":0},"
                   "\"west\":{\"hand\":\"%s\",\"declared\":0,\"won\":0,"
                   "\"score\":0}}",
                   trump, north, east, south, west);
    return read_game(json);
}

static bool allows(const game *g, const char *card)
{
    game_move m = {GAME_ACT_PLAY, g->turn, card_of(card)};
    return game_allows(g, &m);
}

static void play_card(game *g, const char *card)
{
    game_move m = {GAME_ACT_PLAY, g->turn, card_of(card)};
    assert_true(game_allows(g, &m));
    game_make(g, &m);
}

/* The supervisor counts on the number of moves of a game. */
static void test_every_game_ends_after_its_moves(void **state)
{
    (void)state;
    for (int room = 0; room < ROOMS; room++) {
        game g = game_new(room);
        for (int i = 0; i < GAME_MOVES; i++) {
            assert_false(game_is_over(&g));
            assert_int_equal(g.move, i);
            game_move m = bot_move(&g);
            game_make(&g, &m);
        }
        assert_true(game_is_over(&g));
    }
}

/* A card dealt twice would make two moves of one hand look the same. */
static void test_deal_gives_each_card_once(void **state)
{
    (void)state;
    for (int room = 0; room < ROOMS; room++) {
        game g = game_new(room);
        while (!game_is_over(&g)) {
            game_move m = bot_move(&g);
            game_make(&g, &m);
            if (m.action != GAME_ACT_DEAL) {
                continue;
            }
            uint64_t all = 0;
            for (int i = 0; i < GAME_SEATS; i++) {
                assert_int_equal(__builtin_popcountll(g.seats[i].hand),
                                 g.round);
                assert_true((all & g.seats[i].hand) == 0);
                all |= g.seats[i].hand;
            }
        }
    }
}

/* The rule that makes a hand more than a choice among its cards. */
static void test_seat_follows_suit_if_it_can(void **state)
{
    (void)state;
    game g = trick("S", "7H", "2H AS", "3D 4S", "5H 6C");
    assert_true(allows(&g, "2H"));
    assert_false(allows(&g, "AS"));
    assert_false(allows(&g, "5H")); /* not in this hand */
    play_card(&g, "2H");
    assert_true(allows(&g, "3D"));
    assert_true(allows(&g, "4S"));
}

/* Who takes the trick leads the next, and its cards stay until then. */
static void test_highest_trump_takes_the_trick(void **state)
{
    (void)state;
    game g = trick("S", "7H", "AH 2D", "3S 2C", "4S 3C");
    play_card(&g, "AH");
    play_card(&g, "3S");
    play_card(&g, "4S");
    assert_int_equal(g.seats[3].won, 1);
    assert_int_equal(g.turn, 3);
    assert_int_equal(g.seats[0].card, card_of("7H"));
    play_card(&g, "3C");
    assert_int_equal(g.seats[0].card, GAME_NONE);
    assert_int_equal(g.lead, 3);
}

/* Without a trump the suit that was led decides, not the highest card. */
static void test_other_suits_take_nothing(void **state)
{
    (void)state;
    game g = trick("S", "7H", "AD 2D", "8H 2C", "AC 3C");
    play_card(&g, "AD");
    play_card(&g, "8H");
    play_card(&g, "AC");
    assert_int_equal(g.turn, 2);
    assert_int_equal(g.seats[2].won, 1);
}

/* Declarations that add up would let everybody be right. */
static void test_dealer_must_leave_somebody_wrong(void **state)
{
    (void)state;
    game g = trick("S", "7H", "AD 2D", "8H 2C", "AC 3C");
    g.phase = GAME_DECLARATION;
    g.turn = g.dealer;
    g.seats[0].declared = 1;
    game_move one = {GAME_ACT_DECLARE, g.dealer, 1};
    game_move two = {GAME_ACT_DECLARE, g.dealer, 2};
    game_move three = {GAME_ACT_DECLARE, g.dealer, 3};
    assert_false(game_allows(&g, &one));
    assert_true(game_allows(&g, &two));
    assert_false(game_allows(&g, &three)); /* more than there are tricks */
}

/* Moves come from outside: the rules are the server's only guard. */
static void test_moves_out_of_turn_are_refused(void **state)
{
    (void)state;
    game g = trick("S", "7H", "2H AS", "3D 4S", "5H 6C");
    game_move other_seat = {GAME_ACT_PLAY, 2, card_of("3D")};
    game_move other_action = {GAME_ACT_DECLARE, g.turn, 1};
    game_move no_card = {GAME_ACT_PLAY, g.turn, GAME_CARDS};
    assert_false(game_allows(&g, &other_seat));
    assert_false(game_allows(&g, &other_action));
    assert_false(game_allows(&g, &no_card));
    no_card.value = GAME_NONE;
    assert_false(game_allows(&g, &no_card));
}

/* The score is all that is left of a round once the next is dealt. */
static void test_only_exact_declarations_score(void **state)
{
    (void)state;
    game g = trick("S", "7H", "2H", "3D", "5H");
    g.phase = GAME_SCORING;
    g.turn = g.dealer;
    g.seats[0].declared = 2;
    g.seats[0].won = 2;
    g.seats[1].won = 1;
    game_move m = {GAME_ACT_SCORE, g.turn, 0};
    game_make(&g, &m);
    assert_int_equal(g.seats[0].score, 12);
    assert_int_equal(g.seats[1].score, 0);
    assert_int_equal(g.seats[2].score, 10);
}

/* What a server loads after a crash must be what it had before. */
static void test_json_gives_every_game_back(void **state)
{
    (void)state;
    for (int room = 0; room < ROOMS; room++) {
        game g = game_new(room);
        while (!game_is_over(&g)) {
            game_move m = bot_move(&g);
            game_make(&g, &m);
            game_json json = game_to_json(&g);
            game back;
            assert_true(
                game_from_json(stet_slice_of(json.text, json.len), &back));
            assert_memory_equal(&back, &g, sizeof(g));
        }
    }
}

/* The store folds patches: the sum of them must be the game. */
static void test_patches_fold_to_the_game(void **state)
{
    (void)state;
    for (int room = 0; room < ROOMS; room++) {
        game before = game_new(room);
        game_json first = game_to_json(&before);
        stet_buf folded;
        stet__buf_init(&folded, &stet__heap);
        stet__buf_put(&folded, first.text, first.len);
        while (!game_is_over(&before)) {
            game_move m = bot_move(&before);
            game after = before;
            game_make(&after, &m);
            game_json patch = game_to_patch(&before, &after);
            stet_buf next;
            stet__buf_init(&next, &stet__heap);
            stet_error err;
            assert_int_equal(
                stet__fold_merge(&stet__heap, stet__buf_slice(&folded),
                                 stet_slice_of(patch.text, patch.len), &next,
                                 &err),
                STET_OK);
            stet__buf_deinit(&folded);
            folded = next;
            game back;
            assert_true(game_from_json(stet__buf_slice(&folded), &back));
            assert_memory_equal(&back, &after, sizeof(after));
            before = after;
        }
        stet__buf_deinit(&folded);
    }
}

/* Any byte that differs is refused or seen: the digest rests on it. */
static void test_no_changed_byte_gives_the_same_game(void **state)
{
    (void)state;
    game g = trick("S", "7H", "2H AS", "3D 4S", "5H 6C");
    game_json json = game_to_json(&g);
    for (size_t i = 0; i < json.len; i++) {
        game other;
        assert_false(game_from_json(stet_slice_of(json.text, i), &other));
        for (int byte = 0; byte < 256; byte++) {
            game_json changed = json;
            changed.text[i] = (char)byte;
            if (changed.text[i] != json.text[i] &&
                game_from_json(stet_slice_of(changed.text, changed.len),
                               &other)) {
                assert_true(game_digest(&other) != game_digest(&g));
            }
        }
    }
}

/* The ledger is the witness: it must notice what a store got wrong. */
static void test_ledger_notices_broken_promises(void **state)
{
    (void)state;
    ledger l = {0};
    const char *first = "move 3 1 10 00000000000000aa open system - lobby\n";
    const char *second =
        "move 3 2 11 00000000000000bb join north lobby lobby\n";
    assert_int_equal(ledger_take(&l, first), LEDGER_MOVE);
    assert_int_equal(ledger_take(&l, second), LEDGER_MOVE);
    assert_int_equal(ledger_take(&l, second), LEDGER_MOVE_AGAIN);
    assert_int_equal(
        ledger_take(&l,
                    "move 3 2 12 00000000000000bb join north lobby lobby\n"),
        LEDGER_BROKEN);
    assert_int_equal(
        ledger_take(&l,
                    "move 3 2 11 00000000000000bc join north lobby lobby\n"),
        LEDGER_BROKEN);
    assert_int_equal(
        ledger_take(&l,
                    "move 3 2 11 00000000000000bb join south lobby lobby\n"),
        LEDGER_BROKEN);
    assert_int_equal(
        ledger_take(&l, "move 3 4 12 00000000000000cc join east lobby lobby\n"),
        LEDGER_BROKEN);
    assert_int_equal(ledger_take(&l, "resume 3 2 00000000000000bb\n"),
                     LEDGER_RESUME);
    assert_int_equal(ledger_take(&l, "resume 3 1 00000000000000aa\n"),
                     LEDGER_BROKEN);
    assert_int_equal(ledger_take(&l, "resume 3 2 00000000000000bc\n"),
                     LEDGER_BROKEN);
    assert_int_equal(ledger_take(&l, "resume 3 3 00000000000000cc\n"),
                     LEDGER_RESUME_LATER);
    /* Once shown, it may not vanish either. */
    assert_int_equal(ledger_take(&l, "resume 3 2 00000000000000bb\n"),
                     LEDGER_BROKEN);
    assert_int_equal(ledger_take(&l, "resume 3 4 00000000000000cc\n"),
                     LEDGER_BROKEN);
    assert_int_equal(ledger_take(&l, "move 3 3 12 00000000000000cc jo"),
                     LEDGER_BROKEN);
    assert_int_equal(l.moves, 2);
    ledger_free(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_game_ends_after_its_moves),
        cmocka_unit_test(test_deal_gives_each_card_once),
        cmocka_unit_test(test_seat_follows_suit_if_it_can),
        cmocka_unit_test(test_highest_trump_takes_the_trick),
        cmocka_unit_test(test_other_suits_take_nothing),
        cmocka_unit_test(test_dealer_must_leave_somebody_wrong),
        cmocka_unit_test(test_moves_out_of_turn_are_refused),
        cmocka_unit_test(test_only_exact_declarations_score),
        cmocka_unit_test(test_json_gives_every_game_back),
        cmocka_unit_test(test_patches_fold_to_the_game),
        cmocka_unit_test(test_no_changed_byte_gives_the_same_game),
        cmocka_unit_test(test_ledger_notices_broken_promises)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
