/*
 * stet-sim: run the store through simulated lives, one seed after the other.
 *
 * Each worker is a process, so that a broken assertion, a crash or a hang is a
 * finding like any other: whoever waits for the worker knows its seed.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/fleet.h"
#include "sim/shrink.h"

static const char usage[] =
    "usage: stet-sim [--seed S | --seeds N [--from S]] [OPTION...]\n"
    "  --seed S      run one seed and tell its options\n"
    "  --seeds N     run N seeds from S (default 1), in parallel\n"
    "  --file NAME   run the seeds that a file lists, one in each line\n"
    "  --jobs N      worker processes (default: one for each processor)\n"
    "  --trace       tell every call of the system and every answer\n"
    "  --without F   leave a kind of fault out; see --faults\n"
    "  --with F      have it in each run\n"
    "  --with N=V    another number than the seed drew: ops, lives, clients,\n"
    "                calls_max, fault_in, switch_in\n"
    "  --shrink      find the smallest run of the seed that still fails\n"
    "  --short-first run those that promise to be short first\n"
    "  --twice       fail if a seed does not do the same again\n"
    "  --marks       fail if a mark of the library was never passed\n"
    "  --list-marks  tell how often each mark was passed\n"
    "  --keep-going  go on after a seed that failed\n"
    "  --faults      list the kinds of faults\n";

enum {
    OPTION_SEED = 1,
    OPTION_SEEDS,
    OPTION_FROM,
    OPTION_FILE,
    OPTION_JOBS,
    OPTION_TRACE,
    OPTION_WITHOUT,
    OPTION_WITH,
    OPTION_SHRINK,
    OPTION_SHORT_FIRST,
    OPTION_TWICE,
    OPTION_MARKS,
    OPTION_LIST_MARKS,
    OPTION_KEEP_GOING,
    OPTION_FAULTS,
};

static const struct option long_options[] = {
    {"seed", required_argument, NULL, OPTION_SEED},
    {"seeds", required_argument, NULL, OPTION_SEEDS},
    {"from", required_argument, NULL, OPTION_FROM},
    {"file", required_argument, NULL, OPTION_FILE},
    {"jobs", required_argument, NULL, OPTION_JOBS},
    {"trace", no_argument, NULL, OPTION_TRACE},
    {"without", required_argument, NULL, OPTION_WITHOUT},
    {"with", required_argument, NULL, OPTION_WITH},
    {"shrink", no_argument, NULL, OPTION_SHRINK},
    {"short-first", no_argument, NULL, OPTION_SHORT_FIRST},
    {"twice", no_argument, NULL, OPTION_TWICE},
    {"marks", no_argument, NULL, OPTION_MARKS},
    {"list-marks", no_argument, NULL, OPTION_LIST_MARKS},
    {"keep-going", no_argument, NULL, OPTION_KEEP_GOING},
    {"faults", no_argument, NULL, OPTION_FAULTS},
    {NULL, 0, NULL, 0},
};

static uint64_t number(const char *text)
{
    char *end = NULL;
    unsigned long long n = strtoull(text, &end, 10);
    if (*text == '\0' || *end != '\0') {
        fprintf(stderr, "stet-sim: %s is no number\n", text);
        exit(2);
    }
    return n;
}

static void list_faults(void)
{
#define FAULT_LINE(name, text, what) printf("%-8s %s\n", text, what);
    FAULT_MAP(FAULT_LINE)
#undef FAULT_LINE
    exit(0);
}

static void add_change(fleet_opts *o, const char *how, bool is_without)
{
    swarm probe = swarm_draw(1);
    if (o->change_count == FLEET_CHANGES_MAX ||
        !swarm_change(&probe, how, is_without)) {
        fprintf(stderr, "stet-sim: there is no %s\n", how);
        exit(2);
    }
    o->changes[o->change_count++] = (swarm_diff){how, is_without};
}

/* Read one option; false: it is not known. */
static bool take_option(int option, fleet_opts *o, bool *out_shrink)
{
    switch (option) {
    case OPTION_SEED:
        o->from = number(optarg);
        o->count = 1;
        o->is_single = true;
        break;
    case OPTION_SEEDS:
        o->count = number(optarg);
        break;
    case OPTION_FROM:
        o->from = number(optarg);
        break;
    case OPTION_FILE:
        o->file = optarg;
        break;
    case OPTION_JOBS:
        o->jobs = (unsigned)number(optarg);
        break;
    case OPTION_TRACE:
        o->is_traced = true;
        break;
    case OPTION_WITHOUT:
    case OPTION_WITH:
        add_change(o, optarg, option == OPTION_WITHOUT);
        break;
    case OPTION_SHRINK:
        *out_shrink = true;
        break;
    case OPTION_SHORT_FIRST:
        o->is_short_first = true;
        break;
    case OPTION_TWICE:
        o->is_twice = true;
        break;
    case OPTION_MARKS:
        o->wants_all_marks = true;
        break;
    case OPTION_LIST_MARKS:
        o->lists_marks = true;
        break;
    case OPTION_KEEP_GOING:
        o->keeps_going = true;
        break;
    case OPTION_FAULTS:
        list_faults();
        break;
    default:
        return false;
    }
    return true;
}

int main(int argc, char **argv)
{
    fleet_opts o = {.from = 1, .count = 1000};
    bool shrinks = false;
    int option = 0;
    while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
        if (!take_option(option, &o, &shrinks)) {
            fputs(usage, stderr);
            return 2;
        }
    }
    if (optind < argc) {
        fputs(usage, stderr);
        return 2;
    }
    return shrinks ? shrink_seed(&o) : fleet_run(&o);
}
