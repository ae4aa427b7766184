#include "audit.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <stet/stet.h>

#include "game_json.h"

typedef struct audit {
    stet *store;
    audit_report *report;
    audit_when when;
    char id[32]; /* of the machine looked at */
    const ledger_room *room;
} audit;

static void wrong(audit *a, uint64_t seq, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void wrong(audit *a, uint64_t seq, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fprintf(stderr, "LOST    %s seq %" PRIu64 ": ", a->id, seq);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    a->report->wrong++;
}

/* Is this the game that was acknowledged at `seq`? */
static void check_state(audit *a, uint64_t seq, const stet_state *state,
                        const char *how)
{
    const ledger_ack *ack = &a->room->acks[seq - 1];
    game g;
    if (!game_from_json(state->state_data, &g)) {
        wrong(a, seq, "the state %s is no game", how);
    } else if (state->seq != seq || game_digest(&g) != ack->digest) {
        wrong(a, seq, "another state %s than was acknowledged", how);
    }
}

static int length(stet_slice text)
{
    return text.len > 0 ? (int)text.len : 1;
}

static const char *bytes(stet_slice text)
{
    return text.len > 0 ? text.ptr : "-";
}

/* Is this the event that was acknowledged at its seq? */
static void check_event(audit *a, const stet_event *e)
{
    const ledger_ack *ack = &a->room->acks[e->seq - 1];
    char what[LEDGER_WHAT_MAX];
    (void)snprintf(what, sizeof(what), "%.*s %.*s %.*s %.*s", length(e->action),
                   bytes(e->action), length(e->actor_id), bytes(e->actor_id),
                   length(e->from_state), bytes(e->from_state),
                   length(e->to_state), bytes(e->to_state));
    if (strcmp(what, ack->what) != 0) {
        wrong(a, e->seq, "acknowledged \"%s\", stored \"%s\"", ack->what, what);
    }
    if (e->position != ack->position) {
        wrong(a, e->seq,
              "acknowledged at position %" PRIu64 ", stored at %" PRIu64,
              ack->position, e->position);
    }
    check_state(a, e->seq, e->state, "in the history");
}

/* Walk the history; returns the newest seq, 0 when there is none. */
static uint64_t check_history(audit *a)
{
    stet_history_opts opts = {.struct_size = sizeof(opts),
                              .flags = STET_HISTORY_STATES};
    stet_history *history;
    stet_error err;
    stet_status st =
        stet_history_open(a->store, stet_str(a->id), &opts, &history, &err);
    if (st != STET_OK) {
        if (a->room->count > 0) {
            wrong(a, 1, "%s", err.text);
        }
        return 0;
    }
    uint64_t newest = 0;
    const stet_event *e;
    while ((st = stet_history_next(history, &e, &err)) == STET_OK) {
        if (e->seq != newest + 1) {
            wrong(a, newest + 1, "the history goes on at %" PRIu64, e->seq);
            break;
        }
        newest = e->seq;
        if (newest <= a->room->count) {
            check_event(a, e);
        }
    }
    if (st != STET_OK && st != STET_DONE) {
        wrong(a, newest + 1, "%s", err.text);
    }
    stet_history_close(history);
    return newest;
}

/* Load every past state by its seq: another way to the same bytes. */
static void check_past(audit *a, uint64_t newest)
{
    for (uint64_t seq = 1; seq <= newest && seq <= a->room->count; seq++) {
        stet_read_opts opts = {.struct_size = sizeof(opts)};
        const stet_state *state;
        stet_error err;
        opts.at = (stet_at){.kind = STET_AT_SEQ, .seq = seq};
        stet_status st =
            stet_load(a->store, stet_str(a->id), &opts, &state, &err);
        if (st != STET_OK) {
            wrong(a, seq, "%s", err.text);
            continue;
        }
        check_state(a, seq, state, "as of this seq");
        stet_state_release(state);
    }
}

static void check_room(audit *a)
{
    uint64_t newest = check_history(a);
    for (uint64_t seq = newest + 1; seq <= a->room->count; seq++) {
        wrong(a, seq, "acknowledged, but the history ends at %" PRIu64, newest);
    }
    if (newest < a->room->shown) {
        wrong(a, a->room->shown, "was shown once, is gone now");
    }
    if (newest > a->room->count + 1 && a->when == AUDIT_STOPPED) {
        wrong(a, newest, "the room has moves that nobody made");
    }
    check_past(a, newest);
    a->report->moves += a->room->count;
    a->report->rooms += newest > 0;
}

bool audit_store(const char *store, const ledger *l, audit_when when,
                 audit_report *out)
{
    *out = (audit_report){0};
    audit a = {.report = out, .when = when};
    stet_opts opts = {.struct_size = sizeof(opts),
                      .mode = when == AUDIT_STOPPED ? STET_OPEN_EXISTING
                                                    : STET_OPEN_READONLY};
    stet_error err;
    stet_status st = stet_open(store, &opts, &a.store, &err);
    if (st == STET_E_NOT_FOUND && l->moves == 0) {
        return true; /* killed before there was a store */
    }
    if (st != STET_OK) {
        fprintf(stderr, "card_game: audit: %s\n", err.text);
        return false;
    }
    for (size_t i = 0; i < l->room_count; i++) {
        (void)snprintf(a.id, sizeof(a.id), "game:%zu", i);
        a.room = &l->rooms[i];
        check_room(&a);
    }
    if (stet_close(a.store, &err) != STET_OK) {
        fprintf(stderr, "card_game: audit: %s\n", err.text);
        return false;
    }
    return true;
}
