#include "show.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <stet/stet.h>

#include "game_json.h"

enum { EXIT_ENVIRONMENT = 3, BAR_MAX = 30 };

static bool complain(const char *what, const stet_error *err)
{
    fprintf(stderr, "card_game: %s: %s\n", what, err->text);
    return false;
}

/* Print `text` and pad it to `width` columns; its bytes are ASCII here. */
static void put(stet_slice text, int width)
{
    printf("%-*.*s", width, (int)text.len,
           text.len > 0 ? (const char *)text.ptr : "");
}

static void put_time(int64_t ns)
{
    time_t seconds = (time_t)(ns / 1000000000);
    struct tm utc;
    char text[16];
    if (gmtime_r(&seconds, &utc) == NULL ||
        strftime(text, sizeof(text), "%H:%M:%S", &utc) == 0) {
        return;
    }
    printf("%s.%03d", text, (int)(ns / 1000000 % 1000));
}

static const char *card_or_none(int card, char name[3])
{
    if (card == GAME_NONE) {
        return "-";
    }
    game_card_name(card, name);
    return name;
}

/* ---- the history ---- */

static bool is_action(const stet_event *e, game_action action)
{
    const char *name = game_action_name(action);
    return e->action.len == strlen(name) &&
           memcmp(e->action.ptr, name, e->action.len) == 0;
}

/* What came of a move: found in the state after it, at the seat that acted. */
static void put_outcome(const stet_event *e)
{
    game g;
    if (e->state == NULL || !game_from_json(e->state->state_data, &g)) {
        return;
    }
    char name[3];
    for (int i = 0; i < GAME_SEATS; i++) {
        const game_seat *seat = &g.seats[i];
        const char *seat_name = game_seat_name(i);
        bool is_actor =
            e->actor_id.len == strlen(seat_name) &&
            memcmp(e->actor_id.ptr, seat_name, e->actor_id.len) == 0;
        if (is_actor && is_action(e, GAME_ACT_DECLARE)) {
            printf(" %d", seat->declared);
        } else if (is_actor && is_action(e, GAME_ACT_PLAY)) {
            printf(" %s", card_or_none(seat->card, name));
        } else if (is_action(e, GAME_ACT_SCORE)) {
            printf(" %s %d", seat_name, seat->score);
        }
    }
}

static void put_event(const stet_event *e)
{
    bool is_phase_change = (e->flags & STET_EVENT_PHASE_CHANGE) != 0;
    printf("%4" PRIu64 "  ", e->seq);
    put_time(e->timestamp);
    printf("  ");
    put(e->from_state, 11);
    printf(is_phase_change ? " => " : "    ");
    put(e->to_state, 13);
    put(e->actor_id, 8);
    put(e->action, 0);
    put_outcome(e);
    putchar('\n');
}

/* Print the history; `*out_newest` takes its last seq. */
static bool show_history(stet *s, const char *id, uint64_t *out_newest)
{
    stet_history_opts opts = {.struct_size = sizeof(opts),
                              .flags = STET_HISTORY_STATES};
    stet_history *history;
    const stet_event *e;
    stet_error err;
    stet_status st = stet_history_open(s, stet_str(id), &opts, &history, &err);
    if (st != STET_OK) {
        return complain(id, &err);
    }
    printf("History of %s\n\n seq  time (UTC)    from            to"
           "           who     does\n",
           id);
    while ((st = stet_history_next(history, &e, &err)) == STET_OK) {
        put_event(e);
        *out_newest = e->seq;
    }
    stet_history_close(history);
    return st == STET_DONE || complain(id, &err);
}

/* ---- a past state ---- */

static void put_hand(uint64_t hand)
{
    int width = 0;
    for (int card = 0; card < GAME_CARDS; card++) {
        if (hand >> card & 1) {
            char name[3];
            game_card_name(card, name);
            width += printf("%s ", name);
        }
    }
    printf("%*s", 3 * GAME_ROUNDS + 2 - width, "");
}

static void put_game(const game *g)
{
    printf("\n seat   hand          table  declared  won  score\n");
    for (int i = 0; i < GAME_SEATS; i++) {
        const game_seat *seat = &g->seats[i];
        char name[3];
        printf("%c%-6s ", i == g->turn ? '>' : ' ', game_seat_name(i));
        put_hand(seat->hand);
        printf("%-5s  %8d  %3d  %5d\n", card_or_none(seat->card, name),
               seat->declared, seat->won, seat->score);
    }
}

static bool show_past(stet *s, const char *id, uint64_t seq)
{
    stet_read_opts opts = {.struct_size = sizeof(opts)};
    const stet_state *state;
    stet_error err;
    opts.at = (stet_at){.kind = STET_AT_SEQ, .seq = seq};
    if (stet_load(s, stet_str(id), &opts, &state, &err) != STET_OK) {
        return complain(id, &err);
    }
    printf("\n%s as of seq %" PRIu64 "\n\n", id, seq);
    put(state->state_data, 0);
    putchar('\n');
    game g;
    if (game_from_json(state->state_data, &g)) {
        put_game(&g);
    }
    stet_state_release(state);
    return true;
}

/* ---- all games ---- */

static void put_edge(const stet_flow_edge *edge, uint64_t most)
{
    int bar = (int)(edge->count * BAR_MAX / most);
    putchar(' ');
    put(edge->from.len > 0 ? edge->from : stet_str("(start)"), 12);
    printf("-> ");
    put(edge->to, 12);
    printf("%7" PRIu64 " %8.1f ms %.*s\n", edge->count,
           edge->mean_seconds * 1e3, bar, "##############################");
}

static bool show_flow(stet *s)
{
    stet_scan_opts opts = {.struct_size = sizeof(opts),
                           .pattern = stet_str("game:*")};
    const stet_flow *flow;
    stet_error err;
    if (stet_flow_discover(s, &opts, &flow, &err) != STET_OK) {
        return complain("flow", &err);
    }
    printf("\nThe flow of %" PRIu64 " games, %" PRIu64 " transitions\n\n"
           " from           to           count       mean\n",
           flow->machines, flow->transitions);
    uint64_t most = 1;
    for (size_t i = 0; i < flow->edge_count; i++) {
        most = flow->edges[i].count > most ? flow->edges[i].count : most;
    }
    for (size_t i = 0; i < flow->edge_count; i++) {
        put_edge(&flow->edges[i], most);
    }
    stet_flow_free(flow);
    return true;
}

static bool show_numbers(stet *s)
{
    stet_info info = {0};
    stet_error err;
    if (stet_get_info(s, &info, &err) != STET_OK) {
        return complain("numbers", &err);
    }
    printf("\nThe store: %" PRIu64 " machines, %" PRIu64 " events; "
           "%.1f MiB on disk, of which\n%.1f MiB log and %.1f MiB index\n",
           info.machines, info.events, (double)info.disk_bytes / (1 << 20),
           (double)info.log_bytes / (1 << 20),
           (double)info.index_bytes / (1 << 20));
    return true;
}

int show_run(const show_opts *opts)
{
    stet_opts open = {.struct_size = sizeof(open), .mode = STET_OPEN_READONLY};
    stet *s;
    stet_error err;
    if (stet_open(opts->store, &open, &s, &err) != STET_OK) {
        complain("show", &err);
        return EXIT_ENVIRONMENT;
    }
    char id[32];
    (void)snprintf(id, sizeof(id), "game:%d", opts->room);
    uint64_t newest = 0;
    bool is_good = show_history(s, id, &newest) &&
                   show_past(s, id, opts->seq > 0 ? opts->seq : newest / 2) &&
                   show_flow(s) && show_numbers(s);
    if (stet_close(s, &err) != STET_OK) {
        is_good = complain("show", &err);
    }
    return is_good ? EXIT_SUCCESS : EXIT_ENVIRONMENT;
}
