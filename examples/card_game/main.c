/*
 * card_game: the command line of the example.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "audit.h"
#include "server.h"
#include "show.h"
#include "supervisor.h"

enum { EXIT_LOST = 1, EXIT_USAGE = 2, SEEDS = 1000000 };

static const char HELP[] =
    "usage: card_game play DIR [--kills N] [--seed S] [--rooms N] "
    "[--workers N]\n"
    "           play every room to its end, kill the server on the way,\n"
    "           audit the store; leaves DIR/store-1 and DIR/ledger-1\n"
    "       card_game torture DIR [--rounds N] [--seed S] [--rooms N] "
    "[--workers N]\n"
    "           kill the server at N random moments, audit after each\n"
    "       card_game serve STORE [--rooms N] [--workers N]\n"
    "           the server itself; what it acknowledges goes to stdout\n"
    "       card_game check STORE LEDGER\n"
    "           is everything in the store that LEDGER says was "
    "acknowledged?\n"
    "       card_game show STORE ROOM [--at SEQ]\n"
    "           print a room's history, a past state and the flow\n";

/* What a command line says; 0 where it says nothing. */
typedef struct arguments {
    const char *words[2];
    int word_count;
    int rooms;
    int workers;
    int kills;
    int seed;
    int at;
} arguments;

static int usage(const char *what)
{
    fprintf(stderr, "card_game: %s\n%s", what, HELP);
    return EXIT_USAGE;
}

static bool parse_number(const char *text, int *out)
{
    char *end;
    errno = 0;
    long number = strtol(text, &end, 10);
    if (*text == '\0' || *end != '\0' || errno != 0 || number < 0 ||
        number > INT_MAX) {
        return false;
    }
    *out = (int)number;
    return true;
}

static bool parse(int argc, char **argv, arguments *out)
{
    static const struct option options[] = {
        {"rooms", required_argument, NULL, 'r'},
        {"workers", required_argument, NULL, 'w'},
        {"kills", required_argument, NULL, 'k'},
        {"rounds", required_argument, NULL, 'k'},
        {"seed", required_argument, NULL, 's'},
        {"at", required_argument, NULL, 'a'},
        {NULL, 0, NULL, 0}};
    int *numbers[UCHAR_MAX] = {['r'] = &out->rooms,
                               ['w'] = &out->workers,
                               ['k'] = &out->kills,
                               ['s'] = &out->seed,
                               ['a'] = &out->at};
    int option;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (option == '?' || !parse_number(optarg, numbers[option])) {
            return false;
        }
    }
    while (optind < argc && out->word_count < 2) {
        out->words[out->word_count++] = argv[optind++];
    }
    return optind == argc && out->rooms <= LEDGER_ROOMS_MAX;
}

static int or_default(int given, int otherwise)
{
    return given > 0 ? given : otherwise;
}

/* ---- commands ---- */

static int serve(const arguments *a)
{
    server_opts opts = {.store = a->words[0],
                        .rooms = or_default(a->rooms, 300),
                        .workers = or_default(a->workers, 16),
                        .ledger_fd = STDOUT_FILENO};
    return server_run(&opts);
}

/* Another one each second; it is printed, to be given again. */
static int fresh_seed(void)
{
    return 1 + (int)(time(NULL) % SEEDS);
}

static supervisor_opts supervised(const arguments *a)
{
    return (supervisor_opts){.dir = a->words[0],
                             .rooms = or_default(a->rooms, 300),
                             .workers = or_default(a->workers, 16),
                             .kills = or_default(a->kills, 2),
                             .seed = or_default(a->seed, fresh_seed())};
}

static int play(const arguments *a)
{
    supervisor_opts opts = supervised(a);
    return supervisor_play(&opts);
}

static int torture(const arguments *a)
{
    supervisor_opts opts = supervised(a);
    return supervisor_torture(&opts);
}

static int check(const arguments *a)
{
    ledger l = {0};
    audit_report report;
    int status = EXIT_LOST;
    if (ledger_load(&l, a->words[1]) &&
        audit_store(a->words[0], &l, AUDIT_STOPPED, &report) &&
        report.wrong == 0) {
        printf("%" PRIu64 " acknowledged moves of %" PRIu64
               " rooms: all are there\n",
               report.moves, report.rooms);
        status = EXIT_SUCCESS;
    }
    ledger_free(&l);
    return status;
}

static int show(const arguments *a)
{
    show_opts opts = {.store = a->words[0], .seq = (uint64_t)a->at};
    if (!parse_number(a->words[1], &opts.room)) {
        return usage("ROOM is a number");
    }
    return show_run(&opts);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        int words;
        int (*run)(const arguments *a);
    } commands[] = {{"play", 1, play},
                    {"torture", 1, torture},
                    {"serve", 1, serve},
                    {"check", 2, check},
                    {"show", 2, show}};

    for (size_t i = 0; argc > 1 && i < sizeof(commands) / sizeof(*commands);
         i++) {
        if (strcmp(argv[1], commands[i].name) != 0) {
            continue;
        }
        arguments a = {.word_count = 0};
        if (!parse(argc - 1, argv + 1, &a) ||
            a.word_count != commands[i].words) {
            return usage(argv[1]);
        }
        return commands[i].run(&a);
    }
    return usage("which command?");
}
