#include "supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "audit.h"
#include "ledger.h"
#include "rules.h"

enum {
    EXIT_LOST = 1,
    PIPE_LINES = 1500,     /* more than the pipe holds while nobody reads */
    TORTURE_MOVES = 300,   /* most that a tortured server gets to make */
    TORTURE_YIELDS = 3000, /* most that it gets to open its store */
    NEVER = -1
};

/* One store and the ledger of its servers. */
typedef struct evening {
    const supervisor_opts *opts;
    char *store;
    char *ledger_path;
    FILE *ledger_file;
    ledger ledger;
} evening;

/* One process of the server, from its start to its end. */
typedef struct life {
    evening *evening;
    int64_t kill_at; /* how many lines are heard before; or NEVER */
    uint64_t yields; /* more patience after the last of them */
    bool has_audit;  /* audit once the server is ready */
    bool is_over;    /* it ended by itself: all games are over */
    pid_t pid;
    FILE *lines;
    int64_t heard;
    uint64_t facts[LEDGER_FACTS]; /* how many of each */
    int64_t began_ns;
    int64_t ready_ns; /* after it began; 0: it never was */
    int64_t ended_ns; /* after it began */
    audit_report report;
} life;

/* ---- small things ---- */

static bool complain(const char *what)
{
    fprintf(stderr, "card_game: %s: %s\n", what, strerror(errno));
    return false;
}

static int64_t now_ns(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t); /* this clock is always there */
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static double ms(int64_t ns)
{
    return (double)ns / 1e6;
}

/* ---- an evening ---- */

static bool evening_begin(evening *e, const supervisor_opts *opts, int number)
{
    *e = (evening){.opts = opts};
    if (mkdir(opts->dir, 0777) != 0 && errno != EEXIST) {
        return complain(opts->dir);
    }
    if (asprintf(&e->store, "%s/store-%d", opts->dir, number) < 0 ||
        asprintf(&e->ledger_path, "%s/ledger-%d", opts->dir, number) < 0) {
        return complain("names");
    }
    e->ledger_file = fopen(e->ledger_path, "wxe");
    return e->ledger_file != NULL || complain(e->ledger_path);
}

static bool evening_end(evening *e)
{
    bool is_kept = e->ledger_file == NULL || fclose(e->ledger_file) == 0 ||
                   complain(e->ledger_path);
    ledger_free(&e->ledger);
    free(e->ledger_path);
    free(e->store);
    return is_kept;
}

static bool audit(evening *e, audit_when when, audit_report *out)
{
    return audit_store(e->store, &e->ledger, when, out) && out->wrong == 0;
}

/* Once no server plays on, each move was made and answered exactly once. */
static bool is_complete(const evening *e)
{
    uint64_t moves = (uint64_t)e->opts->rooms * (1 + GAME_MOVES);
    if (e->ledger.moves == moves) {
        return true;
    }
    fprintf(stderr,
            "LOST    %" PRIu64 " moves acknowledged, %" PRIu64 " made\n",
            e->ledger.moves, moves);
    return false;
}

/* ---- a life ---- */

static bool spawn(life *l, int to_us, posix_spawn_file_actions_t *actions)
{
    char rooms[16];
    char workers[16];
    (void)snprintf(rooms, sizeof(rooms), "%d", l->evening->opts->rooms);
    (void)snprintf(workers, sizeof(workers), "%d", l->evening->opts->workers);
    /* Not written to: argv is const in all but its type. */
    char *argv[] = {(char *)"card_game",
                    (char *)"serve",
                    l->evening->store,
                    (char *)"--rooms",
                    rooms,
                    (char *)"--workers",
                    workers,
                    NULL};
    errno = posix_spawn_file_actions_adddup2(actions, to_us, STDOUT_FILENO);
    if (errno == 0) {
        errno = posix_spawn(&l->pid, "/proc/self/exe", actions, NULL, argv,
                            environ);
    }
    return errno == 0 || complain("start the server");
}

static bool life_start(life *l)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) {
        return complain("pipe");
    }
    l->began_ns = now_ns();
    posix_spawn_file_actions_t actions;
    errno = posix_spawn_file_actions_init(&actions);
    bool is_good = errno == 0 || complain("start the server");
    if (is_good) {
        is_good = spawn(l, ends[1], &actions);
        posix_spawn_file_actions_destroy(&actions);
    }
    close(ends[1]);
    if (!is_good) {
        close(ends[0]);
        return false;
    }
    l->lines = fdopen(ends[0], "r");
    return l->lines != NULL || complain("pipe");
}

/* Keep a line outside the server before anything else is done with it. */
static bool hear(life *l, const char *line)
{
    evening *e = l->evening;
    if (fputs(line, e->ledger_file) < 0) {
        return complain(e->ledger_path);
    }
    ledger_fact fact = ledger_take(&e->ledger, line);
    l->heard++;
    l->facts[fact]++;
    if (fact == LEDGER_READY) {
        l->ready_ns = now_ns() - l->began_ns;
        return !l->has_audit || audit(e, AUDIT_RUNNING, &l->report);
    }
    return fact != LEDGER_BROKEN;
}

static void end_server(const life *l)
{
    (void)kill(l->pid, SIGKILL); /* it may have ended by itself */
}

/* Hear the server out: also what it had said before it was killed. */
static bool hear_out(life *l)
{
    char line[LEDGER_LINE_MAX];
    while (fgets(line, sizeof(line), l->lines) != NULL) {
        if (!hear(l, line)) {
            end_server(l);
            return false;
        }
        if (l->heard == l->kill_at) {
            for (uint64_t i = 0; i < l->yields; i++) {
                sched_yield();
            }
            end_server(l);
        }
    }
    return !ferror(l->lines) || complain("listen to the server");
}

/* Only a kill of ours or the end of all games may end a server. */
static bool life_end(life *l)
{
    int status = 0;
    if (waitpid(l->pid, &status, 0) != l->pid) {
        return complain("wait for the server");
    }
    l->ended_ns = now_ns() - l->began_ns;
    l->is_over = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    if (l->is_over || (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL &&
                       l->kill_at != NEVER)) {
        return true;
    }
    fprintf(stderr, "card_game: the server ended with status %#x\n",
            (unsigned)status);
    return false;
}

static bool live(life *l)
{
    if (!life_start(l)) {
        return false;
    }
    bool is_good = hear_out(l);
    (void)fclose(l->lines); /* it was only read */
    return life_end(l) && is_good;
}

/* ---- playing ---- */

static void tell_life(int number, const life *l)
{
    uint64_t on_time = l->facts[LEDGER_RESUME];
    uint64_t later = l->facts[LEDGER_RESUME_LATER];
    uint64_t moves = l->facts[LEDGER_MOVE];
    printf("server %d   ready in %.0f ms", number, ms(l->ready_ns));
    if (on_time + later > 0) {
        printf("; %" PRIu64 " rooms go on at their last acknowledged move,\n"
               "           %" PRIu64 " one move later, which was stored but "
               "not yet answered;\n"
               "           all %" PRIu64 " acknowledged moves are there",
               on_time, later, l->report.moves);
    }
    printf("\n           %s after %" PRIu64 " moves",
           l->is_over ? "all games are over" : "killed with SIGKILL", moves);
    if (!l->has_audit) { /* which slows it down */
        printf(", %.0f a second",
               (double)moves * 1e9 / (double)(l->ended_ns - l->ready_ns));
    }
    putchar('\n');
    (void)fflush(stdout);
}

/* Lines heard before the kill: in each life about as many as in the others. */
static int64_t moment(const supervisor_opts *opts, int life_number)
{
    uint64_t chance = game_chance(opts->seed, life_number);
    int64_t most = 2 + (int64_t)opts->rooms * GAME_MOVES / (opts->kills + 1);
    return opts->rooms + most / 2 + (int64_t)(chance % (uint64_t)(most / 2));
}

static bool play(evening *e)
{
    const supervisor_opts *opts = e->opts;
    life l = {0};
    for (int i = 1; !l.is_over; i++) {
        l = (life){.evening = e,
                   .kill_at = i > opts->kills ? NEVER : moment(opts, i),
                   .has_audit = i > 1};
        if (!live(&l)) {
            return false;
        }
        tell_life(i, &l);
    }
    audit_report report;
    if (!audit(e, AUDIT_STOPPED, &report) || !is_complete(e)) {
        return false;
    }
    printf("in the end %" PRIu64 " games are over; all %" PRIu64
           " moves are there, each of them once\n",
           report.rooms, report.moves);
    return true;
}

int supervisor_play(const supervisor_opts *opts)
{
    printf("%d rooms of four bots, %d workers, seed %d\n", opts->rooms,
           opts->workers, opts->seed);
    evening e;
    bool is_good = evening_begin(&e, opts, 1) && play(&e);
    is_good = evening_end(&e) && is_good;
    return is_good ? EXIT_SUCCESS : EXIT_LOST;
}

/* ---- torture ---- */

/*
 * Draw a server's end: after some moves, while it loads its rooms, or, with one
 * line heard, while it opens its store. What it said during an audit is heard
 * all at once; it should be in full play again when it is killed.
 */
static life draw_life(evening *e, int round)
{
    uint64_t chance = game_chance(e->opts->seed, round);
    life l = {.evening = e, .kill_at = 1, .has_audit = chance & 1};
    chance >>= 1;
    if (chance % 4 == 0) {
        l.yields = (chance >> 2) % TORTURE_YIELDS;
    } else {
        uint64_t most = (uint64_t)e->opts->rooms + TORTURE_MOVES;
        l.kill_at += (int64_t)((chance >> 2) % most);
        l.kill_at += l.has_audit ? PIPE_LINES : 0;
    }
    return l;
}

/*
 * One round. Either the next server finds the store as the killed one left it
 * and is audited while it plays on, or the audit itself is what comes next.
 */
static bool torture_round(evening *e, int round, bool *out_is_over)
{
    life l = draw_life(e, round);
    if (!live(&l)) {
        return false;
    }
    if ((l.ready_ns == 0 || !l.has_audit) &&
        !audit(e, AUDIT_STOPPED, &l.report)) {
        return false;
    }
    printf("round %d: %s after %" PRId64 " lines, %" PRIu64
           " moves acknowledged, %" PRIu64 " audited\n",
           round, l.is_over ? "over" : "killed", l.heard, e->ledger.moves,
           l.report.moves);
    (void)fflush(stdout);
    *out_is_over = l.is_over;
    return true;
}

/* Let the games of a tortured store be played to their end. */
static bool finish(evening *e)
{
    life l = {.evening = e, .kill_at = NEVER};
    audit_report report;
    return live(&l) && l.is_over && audit(e, AUDIT_STOPPED, &report) &&
           is_complete(e);
}

static bool torture_evening(evening *e, int *round)
{
    bool is_over = false;
    while (!is_over && *round < e->opts->kills) {
        if (!torture_round(e, ++*round, &is_over)) {
            return false;
        }
    }
    return finish(e);
}

int supervisor_torture(const supervisor_opts *opts)
{
    printf("%d rounds, %d rooms, %d workers, seed %d\n", opts->kills,
           opts->rooms, opts->workers, opts->seed);
    uint64_t moves = 0;
    int round = 0;
    int evenings = 0;
    bool is_good = true;
    while (is_good && round < opts->kills) {
        evening e;
        is_good =
            evening_begin(&e, opts, ++evenings) && torture_evening(&e, &round);
        moves += e.ledger.moves;
        is_good = evening_end(&e) && is_good;
    }
    printf("%d rounds, %d stores, %" PRIu64 " moves acknowledged: %s\n", round,
           evenings, moves, is_good ? "all are there" : "FAILED");
    return is_good ? EXIT_SUCCESS : EXIT_LOST;
}
