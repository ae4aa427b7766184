#include "server.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <stet/stet.h>

#include "bot.h"
#include "game_json.h"
#include "ledger.h"

enum {
    EXIT_ENVIRONMENT = 3,
    NAME_BYTES_MAX = 32,
    TRIES_MAX = 100 /* of a write that the store is too busy for */
};

/*
 * One room, touched by its worker only. Its first event opens it, each later
 * one is a move, so the newest seq is always one above game.move.
 */
typedef struct room {
    game game;
    bool is_open; /* the store has it */
} room;

typedef struct server {
    const server_opts *opts;
    stet *store;
    room *rooms;
    atomic_bool is_failed; /* a worker gave up; the others stop, too */
} server;

typedef struct worker {
    server *server;
    pthread_t thread;
    int first_room;
} worker;

/* A machine's id or an idempotency key. */
typedef struct name {
    char text[NAME_BYTES_MAX];
} name;

static bool complain(const char *about, const char *what)
{
    fprintf(stderr, "card_game: %s: %s\n", about, what);
    return false;
}

/* ---- names ---- */

static name machine_id(int number)
{
    name id;
    (void)snprintf(id.text, sizeof(id.text), "game:%d", number);
    return id;
}

static uint64_t newest_seq(const game *g)
{
    return (uint64_t)g->move + 1;
}

/*
 * One key for each move there will ever be: asked again after a crash, the
 * store answers what it answered first, and does not store the move twice.
 */
static name move_key(int number, int move)
{
    name key;
    (void)snprintf(key.text, sizeof(key.text), "game:%d/move/%d", number, move);
    return key;
}

/* ---- writing ---- */

/* The kind RETRY says that nothing happened: the same call may succeed. */
static stet_status transition(server *s, const char *id,
                              const stet_write_opts *opts, stet_written *out,
                              stet_error *err)
{
    stet_status st = STET_E_BUSY;
    for (int i = 0; i < TRIES_MAX && stet_status_kind(st) == STET_KIND_RETRY;
         i++) {
        st = stet_transition(s->store, stet_str(id), opts, out, err);
    }
    return st;
}

/*
 * Tell the world that a move is stored. Only after STET_OK: from here on the
 * players count on it.
 */
static bool acknowledge(server *s, const game *g, const stet_written *w,
                        const char *what)
{
    return ledger_write(s->opts->ledger_fd,
                        "move %d %" PRIu64 " %" PRIu64 " %016" PRIx64 " %s",
                        g->room, w->seq, w->position, game_digest(g), what);
}

/* The room's first event. Asked again, it is answered again. */
static bool open_room(server *s, const game *g, stet_written *out)
{
    name id = machine_id(g->room);
    name key = move_key(g->room, 0);
    game_json state = game_to_json(g);
    stet_error err;

    stet_write_opts opts = {.struct_size = sizeof(opts)};
    opts.key = stet_str(key.text);
    opts.more.action = stet_str("open");
    opts.more.actor_id = stet_str("system");
    opts.more.type = STET_TYPE_SYSTEM_EVENT;
    opts.more.state_type = stet_str("card_game");
    opts.more.version = stet_str("1.0.0");
    opts.more.to_state = stet_str(game_phase_name(g->phase));
    stet_status st =
        stet_create(s->store, stet_str(id.text),
                    stet_slice_of(state.text, state.len), &opts, out, &err);
    if (st != STET_OK) {
        return complain(id.text, err.text);
    }
    return acknowledge(s, g, out, "open system - lobby");
}

/*
 * Store the move from `before` to `after`, then acknowledge it. Should anybody
 * else have written to the room since `before`, the store refuses.
 */
static bool store_move(server *s, const game *before, const game_move *m,
                       const game *after, stet_written *out)
{
    name id = machine_id(after->room);
    name key = move_key(after->room, after->move);
    game_json patch = game_to_patch(before, after);
    const char *from = game_phase_name(before->phase);
    const char *to = game_phase_name(after->phase);
    const char *action = game_action_name(m->action);
    bool is_player = m->action != GAME_ACT_SCORE;
    const char *actor = is_player ? game_seat_name(m->seat) : "system";
    stet_error err;

    stet_write_opts opts = {.struct_size = sizeof(opts)};
    opts.key = stet_str(key.text);
    opts.more.payload = stet_slice_of(patch.text, patch.len);
    opts.more.expect.kind = STET_EXPECT_EXACT;
    opts.more.expect.seq = newest_seq(before);
    opts.more.from_state = stet_str(from);
    opts.more.to_state = stet_str(to);
    opts.more.action = stet_str(action);
    opts.more.actor_id = stet_str(actor);
    opts.more.type = is_player ? STET_TYPE_USER_ACTION : STET_TYPE_SYSTEM_EVENT;
    opts.more.flags = before->phase == after->phase ? 0 : STET_CHANGE_PHASE;
    if (transition(s, id.text, &opts, out, &err) != STET_OK) {
        return complain(id.text, err.text);
    }
    char what[LEDGER_WHAT_MAX];
    (void)snprintf(what, sizeof(what), "%s %s %s %s", action, actor, from, to);
    return acknowledge(s, after, out, what);
}

/* ---- going on after a restart ---- */

/* The game of a room at a seq; 0: the newest. */
static bool load_game(server *s, int number, uint64_t seq, game *out)
{
    name id = machine_id(number);
    stet_read_opts opts = {.struct_size = sizeof(opts)};
    const stet_state *state;
    stet_error err;

    if (seq > 0) {
        opts.at = (stet_at){.kind = STET_AT_SEQ, .seq = seq};
    }
    if (stet_load(s->store, stet_str(id.text), &opts, &state, &err) !=
        STET_OK) {
        return complain(id.text, err.text);
    }
    bool is_game = game_from_json(state->state_data, out) &&
                   out->room == number && newest_seq(out) == state->seq;
    stet_state_release(state);
    return is_game || complain(id.text, "the stored state is no game");
}

/* The number behind "game:"; false when there is another text. */
static bool room_number(stet_slice id, int *out)
{
    static const char prefix[] = "game:";
    char text[NAME_BYTES_MAX] = "";
    if (id.len >= sizeof(text)) {
        return false;
    }
    memcpy(text, id.ptr, id.len);
    char *end;
    long number = strtol(text + sizeof(prefix) - 1, &end, 10);
    *out = (int)number;
    return number >= 0 && *end == '\0' &&
           strcmp(text, machine_id(*out).text) == 0;
}

static bool resume_room(server *s, stet_slice id)
{
    int number;
    if (!room_number(id, &number) || number >= s->opts->rooms) {
        fprintf(stderr, "card_game: %.*s: no room of this server\n",
                (int)id.len, (const char *)id.ptr);
        return false;
    }
    room *r = &s->rooms[number];
    if (!load_game(s, number, 0, &r->game)) {
        return false;
    }
    r->is_open = true;
    return ledger_write(s->opts->ledger_fd, "resume %d %" PRIu64 " %016" PRIx64,
                        number, newest_seq(&r->game), game_digest(&r->game));
}

static bool resume_rooms(server *s)
{
    stet_keys_opts opts = {.struct_size = sizeof(opts)};
    stet_keys *keys;
    const stet_key *key;
    stet_error err;

    opts.pattern = stet_str("game:*");
    if (stet_keys_open(s->store, &opts, &keys, &err) != STET_OK) {
        return complain("list the rooms", err.text);
    }
    stet_status st;
    bool is_good = true;
    while (is_good && (st = stet_keys_next(keys, &key, &err)) != STET_DONE) {
        is_good = st == STET_OK ? resume_room(s, key->id)
                                : complain("list the rooms", err.text);
    }
    stet_keys_close(keys);
    return is_good;
}

/*
 * The server may have been killed between storing a move and answering: the
 * players do not know whether their move counts, and ask again. They ask with
 * the same key, so the store answers what it would have answered then.
 */
static bool answer_again(server *s, const room *r)
{
    const game *g = &r->game;
    stet_written w;
    if (g->move == 0) {
        game fresh = game_new(g->room);
        if (!open_room(s, &fresh, &w)) {
            return false;
        }
    } else {
        game before;
        if (!load_game(s, g->room, newest_seq(g) - 1, &before)) {
            return false;
        }
        game_move m = bot_move(&before);
        game after = before;
        game_make(&after, &m);
        if (!store_move(s, &before, &m, &after, &w)) {
            return false;
        }
    }
    return (w.is_repeat && w.seq == newest_seq(g)) ||
           complain(machine_id(g->room).text, "the same move is stored twice");
}

/* ---- playing ---- */

static bool start_room(server *s, room *r, int number)
{
    if (r->is_open) {
        return answer_again(s, r);
    }
    stet_written w;
    r->game = game_new(number);
    r->is_open = open_room(s, &r->game, &w);
    return r->is_open;
}

static bool play_move(server *s, room *r)
{
    game_move m = bot_move(&r->game);
    game after = r->game;
    game_make(&after, &m);
    stet_written w;
    if (!store_move(s, &r->game, &m, &after, &w)) {
        return false;
    }
    r->game = after;
    return true;
}

/* One move in each room in turn, until every game is over. */
static bool play_rooms(worker *w)
{
    server *s = w->server;
    int step = s->opts->workers;
    for (int i = w->first_room; i < s->opts->rooms; i += step) {
        if (!start_room(s, &s->rooms[i], i)) {
            return false;
        }
    }
    bool is_playing = true;
    while (is_playing && !atomic_load(&s->is_failed)) {
        is_playing = false;
        for (int i = w->first_room; i < s->opts->rooms; i += step) {
            if (game_is_over(&s->rooms[i].game)) {
                continue;
            }
            if (!play_move(s, &s->rooms[i])) {
                return false;
            }
            is_playing = true;
        }
    }
    return true;
}

static void *work(void *ctx)
{
    worker *w = ctx;
    if (!play_rooms(w)) {
        atomic_store(&w->server->is_failed, true);
    }
    return NULL;
}

static bool play(server *s)
{
    int count = s->opts->workers;
    worker *workers = calloc((size_t)count, sizeof(*workers));
    int started = 0;
    bool is_good = workers != NULL;
    while (is_good && started < count) {
        worker *w = &workers[started];
        *w = (worker){.server = s, .first_room = started};
        int error = pthread_create(&w->thread, NULL, work, w);
        is_good = error == 0 || complain("start a worker", strerror(error));
        started += is_good;
    }
    if (!is_good) {
        atomic_store(&s->is_failed, true);
    }
    for (int i = 0; i < started; i++) {
        pthread_join(workers[i].thread, NULL);
    }
    free(workers);
    return !atomic_load(&s->is_failed);
}

static bool run(server *s)
{
    stet_error err;
    if (!ledger_write(s->opts->ledger_fd, "starting")) {
        return false;
    }
    if (stet_open(s->opts->store, NULL, &s->store, &err) != STET_OK) {
        return complain("serve", err.text);
    }
    bool is_good =
        resume_rooms(s) &&
        ledger_write(s->opts->ledger_fd, "ready %d", s->opts->rooms) && play(s);
    if (stet_close(s->store, &err) != STET_OK) {
        is_good = complain("serve", err.text);
    }
    return is_good;
}

int server_run(const server_opts *opts)
{
    server s = {.opts = opts};
    s.rooms = calloc((size_t)opts->rooms, sizeof(*s.rooms));
    bool is_good =
        s.rooms != NULL ? run(&s) : complain("rooms", strerror(ENOMEM));
    free(s.rooms);
    return is_good ? EXIT_SUCCESS : EXIT_ENVIRONMENT;
}
