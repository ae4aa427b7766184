#include "game_json.h"

#include <assert.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { VALUE_MAX = 32 };
_Static_assert(VALUE_MAX > 3 * GAME_ROUNDS + 2, "a hand with its quotes fits");

typedef enum top_field {
    TOP_ROOM,
    TOP_PHASE,
    TOP_MOVE,
    TOP_ROUND,
    TOP_DEALER,
    TOP_TURN,
    TOP_LEAD,
    TOP_TRUMP,
    TOP_FIELDS
} top_field;

typedef enum seat_field {
    SEAT_HAND,
    SEAT_CARD,
    SEAT_DECLARED,
    SEAT_WON,
    SEAT_SCORE,
    SEAT_FIELDS
} seat_field;

static const char *const TOP_NAMES[TOP_FIELDS] = {
    "room", "phase", "move", "round", "dealer", "turn", "lead", "trump"};

static const char *const SEAT_NAMES[SEAT_FIELDS] = {"hand", "card", "declared",
                                                    "won", "score"};

/* Between a game and its text: the JSON of each member, "" where absent. */
typedef struct fields {
    char top[TOP_FIELDS][VALUE_MAX];
    char seats[GAME_SEATS][SEAT_FIELDS][VALUE_MAX];
} fields;

static const char RANKS[] = "23456789TJQKA";
static const char SUITS[] = "CDHS";

void game_card_name(int card, char out[3])
{
    out[0] = RANKS[card % GAME_RANKS];
    out[1] = SUITS[card / GAME_RANKS];
    out[2] = '\0';
}

/* ---- from a game to fields ---- */

static void put_number(char value[VALUE_MAX], int number)
{
    if (number != GAME_NONE) {
        (void)snprintf(value, VALUE_MAX, "%d", number);
    }
}

static void put_word(char value[VALUE_MAX], const char *word)
{
    (void)snprintf(value, VALUE_MAX, "\"%s\"", word);
}

static void put_seat(char value[VALUE_MAX], int seat)
{
    if (seat != GAME_NONE) {
        put_word(value, game_seat_name(seat));
    }
}

static void put_hand(char value[VALUE_MAX], uint64_t hand)
{
    char text[VALUE_MAX - 2] = "";
    size_t len = 0;
    for (int card = 0; card < GAME_CARDS; card++) {
        if (hand >> card & 1) {
            assert(len + 3 < sizeof(text));
            game_card_name(card, text + len);
            len += 2;
            text[len++] = ' ';
        }
    }
    if (len > 0) {
        text[len - 1] = '\0';
        put_word(value, text);
    }
}

static void put_card(char value[VALUE_MAX], int card)
{
    if (card != GAME_NONE) {
        put_hand(value, UINT64_C(1) << card);
    }
}

static fields fields_of(const game *g)
{
    fields f = {0};
    put_number(f.top[TOP_ROOM], g->room);
    put_word(f.top[TOP_PHASE], game_phase_name(g->phase));
    put_number(f.top[TOP_MOVE], g->move);
    put_number(f.top[TOP_ROUND], g->round);
    put_seat(f.top[TOP_DEALER], g->dealer);
    put_seat(f.top[TOP_TURN], g->turn);
    put_seat(f.top[TOP_LEAD], g->lead);
    if (g->trump != GAME_NONE) {
        put_word(f.top[TOP_TRUMP], (char[]){SUITS[g->trump], '\0'});
    }
    for (int i = 0; i < GAME_SEATS; i++) {
        const game_seat *seat = &g->seats[i];
        if (seat->score == GAME_NONE) {
            continue;
        }
        put_hand(f.seats[i][SEAT_HAND], seat->hand);
        put_card(f.seats[i][SEAT_CARD], seat->card);
        put_number(f.seats[i][SEAT_DECLARED], seat->declared);
        put_number(f.seats[i][SEAT_WON], seat->won);
        put_number(f.seats[i][SEAT_SCORE], seat->score);
    }
    return f;
}

/* ---- from fields to text ---- */

static void put(game_json *out, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void put(game_json *out, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    size_t room = sizeof(out->text) - out->len;
    int len = vsnprintf(out->text + out->len, room, format, args);
    va_end(args);
    assert(len >= 0 && (size_t)len < room);
    out->len += (size_t)len;
}

/* Separate from what is there, unless that only opened an object. */
static void put_name(game_json *out, const char *name)
{
    const char *comma = out->text[out->len - 1] == '{' ? "" : ",";
    put(out, "%s\"%s\":", comma, name);
}

static void put_change(game_json *out, const char *name, const char *before,
                       const char *after)
{
    if (strcmp(before, after) != 0) {
        put_name(out, name);
        put(out, "%s", *after == '\0' ? "null" : after);
    }
}

/* An object of what differs, or all of `after` where `before` is empty. */
static game_json json_between(const fields *before, const fields *after)
{
    game_json out = {.len = 0};
    put(&out, "{");
    for (int i = 0; i < TOP_FIELDS; i++) {
        put_change(&out, TOP_NAMES[i], before->top[i], after->top[i]);
    }
    for (int s = 0; s < GAME_SEATS; s++) {
        if (memcmp(before->seats[s], after->seats[s],
                   sizeof(after->seats[s])) == 0) {
            continue;
        }
        put_name(&out, game_seat_name(s));
        put(&out, "{");
        for (int i = 0; i < SEAT_FIELDS; i++) {
            put_change(&out, SEAT_NAMES[i], before->seats[s][i],
                       after->seats[s][i]);
        }
        put(&out, "}");
    }
    put(&out, "}");
    return out;
}

game_json game_to_json(const game *g)
{
    const fields none = {0};
    fields f = fields_of(g);
    return json_between(&none, &f);
}

game_json game_to_patch(const game *before, const game *after)
{
    fields a = fields_of(before);
    fields b = fields_of(after);
    return json_between(&a, &b);
}

uint64_t game_digest(const game *g)
{
    game_json json = game_to_json(g);
    uint64_t hash = UINT64_C(0xcbf29ce484222325); /* FNV-1a */
    for (size_t i = 0; i < json.len; i++) {
        hash = (hash ^ (unsigned char)json.text[i]) * UINT64_C(0x100000001b3);
    }
    return hash;
}

/* ---- from text to fields ---- */

/* No escapes and no nesting but that of the seats: nobody else writes here. */
typedef struct cursor {
    const char *at;
    const char *end;
    bool is_bad;
} cursor;

static int peek(const cursor *c)
{
    return c->at < c->end ? *c->at : '\0';
}

static bool take(cursor *c, int byte)
{
    if (peek(c) != byte) {
        return false;
    }
    c->at++;
    return true;
}

static void need(cursor *c, int byte)
{
    c->is_bad |= !take(c, byte);
}

/* Copy bytes up to one of `stops`, which stays. */
static void take_until(cursor *c, const char *stops, char out[VALUE_MAX])
{
    size_t len = 0;
    while (c->at < c->end && strchr(stops, *c->at) == NULL &&
           len + 1 < VALUE_MAX) {
        out[len++] = *c->at++;
    }
    out[len] = '\0';
}

/* Inside an object: take the name of the next member; false at its end. */
static bool next_member(cursor *c, char name[VALUE_MAX])
{
    if (c->is_bad || take(c, '}')) {
        return false;
    }
    if (c->at[-1] != '{') {
        need(c, ',');
    }
    need(c, '"');
    take_until(c, "\"", name);
    need(c, '"');
    need(c, ':');
    return !c->is_bad;
}

static int index_of(const char *name, const char *const names[], int count)
{
    for (int i = 0; i < count; i++) {
        if (strcmp(name, names[i]) == 0) {
            return i;
        }
    }
    return GAME_NONE;
}

/* Take the value of a member that must be one of `names`. */
static void take_value(cursor *c, const char *name, const char *const names[],
                       int count, char values[][VALUE_MAX])
{
    int i = index_of(name, names, count);
    if (i == GAME_NONE) {
        c->is_bad = true;
        return;
    }
    take_until(c, ",}", values[i]);
}

static int seat_named(const char *name)
{
    for (int i = 0; i < GAME_SEATS; i++) {
        if (strcmp(name, game_seat_name(i)) == 0) {
            return i;
        }
    }
    return GAME_NONE;
}

static bool read_fields(stet_slice json, fields *f)
{
    cursor c = {.at = json.ptr, .end = (const char *)json.ptr + json.len};
    char name[VALUE_MAX];
    need(&c, '{');
    while (next_member(&c, name)) {
        int seat = seat_named(name);
        if (seat == GAME_NONE) {
            take_value(&c, name, TOP_NAMES, TOP_FIELDS, f->top);
            continue;
        }
        need(&c, '{');
        while (next_member(&c, name)) {
            take_value(&c, name, SEAT_NAMES, SEAT_FIELDS, f->seats[seat]);
        }
    }
    return !c.is_bad && c.at == c.end;
}

/* ---- from fields to a game ---- */

/* Each get_ leaves `out` alone where the value is absent. */

static bool get_number(const char *value, int *out)
{
    if (*value == '\0') {
        return true;
    }
    char *end;
    long number = strtol(value, &end, 10);
    if (*end != '\0' || number < 0 || number > INT_MAX) {
        return false;
    }
    *out = (int)number;
    return true;
}

static bool get_seat(const char *value, int *out)
{
    for (int i = 0; i < GAME_SEATS; i++) {
        char quoted[VALUE_MAX];
        put_seat(quoted, i);
        if (strcmp(value, quoted) == 0) {
            *out = i;
            return true;
        }
    }
    return *value == '\0';
}

static bool get_phase(const char *value, game_phase *out)
{
    for (int i = 0; i < GAME_PHASES; i++) {
        char quoted[VALUE_MAX];
        put_word(quoted, game_phase_name((game_phase)i));
        if (strcmp(value, quoted) == 0) {
            *out = (game_phase)i;
            return true;
        }
    }
    return false;
}

/* The place of `letter` in `letters`, or none. */
static int place_of(char letter, const char *letters)
{
    const char *found = letter == '\0' ? NULL : strchr(letters, letter);
    return found == NULL ? GAME_NONE : (int)(found - letters);
}

static bool get_trump(const char *value, int *out)
{
    if (*value == '\0') {
        return true;
    }
    *out = place_of(value[1], SUITS);
    return *out != GAME_NONE && value[0] == '"' && strcmp(value + 2, "\"") == 0;
}

/* A quote, cards with one blank between them, a quote. */
static bool get_hand(const char *value, uint64_t *out)
{
    if (*value == '\0') {
        return true;
    }
    if (*value != '"') {
        return false;
    }
    do {
        int rank = place_of(*++value, RANKS);
        int suit = rank == GAME_NONE ? GAME_NONE : place_of(*++value, SUITS);
        if (suit == GAME_NONE) {
            return false;
        }
        *out |= UINT64_C(1) << (suit * GAME_RANKS + rank);
    } while (*++value == ' ');
    return strcmp(value, "\"") == 0;
}

static bool get_card(const char *value, int *out)
{
    uint64_t set = 0;
    if (!get_hand(value, &set) || (set & (set - 1)) != 0) {
        return false;
    }
    for (int card = 0; set >> card != 0; card++) {
        *out = card;
    }
    return true;
}

static bool game_of(const fields *f, game *g)
{
    bool is_good = get_number(f->top[TOP_ROOM], &g->room) &&
                   get_phase(f->top[TOP_PHASE], &g->phase) &&
                   get_number(f->top[TOP_MOVE], &g->move) &&
                   get_number(f->top[TOP_ROUND], &g->round) &&
                   g->round <= GAME_ROUNDS &&
                   get_seat(f->top[TOP_DEALER], &g->dealer) &&
                   get_seat(f->top[TOP_TURN], &g->turn) &&
                   get_seat(f->top[TOP_LEAD], &g->lead) &&
                   get_trump(f->top[TOP_TRUMP], &g->trump);
    for (int i = 0; i < GAME_SEATS && is_good; i++) {
        game_seat *seat = &g->seats[i];
        is_good = get_hand(f->seats[i][SEAT_HAND], &seat->hand) &&
                  get_card(f->seats[i][SEAT_CARD], &seat->card) &&
                  get_number(f->seats[i][SEAT_DECLARED], &seat->declared) &&
                  get_number(f->seats[i][SEAT_WON], &seat->won) &&
                  get_number(f->seats[i][SEAT_SCORE], &seat->score);
    }
    return is_good;
}

bool game_from_json(stet_slice json, game *out)
{
    fields f = {0};
    game g = game_new(0);
    if (!read_fields(json, &f) || !game_of(&f, &g)) {
        return false;
    }
    *out = g;
    return true;
}
