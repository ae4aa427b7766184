/*
 * stet-bench: measure a store beside the disk that it lies on.
 *
 * Each row is one workload, played in several takes. Ref (bench/ref.h) is
 * measured just before and after each take; while it was much slower there than
 * at its best, the take is made again. The take in the middle is reported.
 */
#include <fnmatch.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ref.h"
#include "report.h"

enum {
    ATTEMPTS_MAX = 3, /* of one take, while the disk is noisy */
    TAKES_MAX = 99,
    QUICK_SHRINK = 20,
    FIRST_REFS = 4, /* at the start, to know the disk at its best */
    COMMAND_BYTES = 512,
    ROW_NAME_BYTES = 64,
};

typedef struct options {
    const char *dir;
    const char *rows; /* NULL: all */
    double seconds;
    uint32_t takes;
    bool is_quick;
    bool is_table;
    bool is_list;
    char command[COMMAND_BYTES];
} options;

static const bench_row *const tables[] = {append_rows, save_rows, load_rows,
                                          past_rows,   key_rows,  open_rows};

static const char usage[] =
    "usage: stet-bench [OPTION...]\n"
    "\n"
    "Measure an embedded store; one line of JSON for each row on stdout.\n"
    "\n"
    "  --dir DIR        where the data go; default build/bench-data\n"
    "  --rows A,B,...   only these rows; * stands for any letters\n"
    "  --seconds S      measure each take so long; default 1\n"
    "  --takes N        takes of each row; default 3\n"
    "  --quick          one short take each, large rows 20 times smaller\n"
    "  --table          a table on stderr, also when that is no terminal\n"
    "  --list           name the rows and end\n"
    "  --help           this text\n";

/* ---- options ---- */

/* Is the name one of the comma-separated globs? No list: it is. */
static bool is_wanted(const options *o, const char *name)
{
    char glob[ROW_NAME_BYTES];
    for (const char *at = o->rows; at != NULL && *at != '\0';) {
        size_t len = strcspn(at, ",");
        snprintf(glob, sizeof(glob), "%.*s", (int)len, at);
        if (fnmatch(glob, name, 0) == 0) {
            return true;
        }
        at += len + (at[len] == ',');
    }
    return o->rows == NULL;
}

/* The wanted row number `number`; NULL: there are fewer. */
static const bench_row *row_number(const options *o, size_t number)
{
    for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
        for (const bench_row *row = tables[i]; row->name != NULL; row++) {
            if (is_wanted(o, row->name) && number-- == 0) {
                return row;
            }
        }
    }
    return NULL;
}

static int wrong(const char *text, const char *value)
{
    fprintf(stderr, "stet-bench: %s: %s\nTry --help.\n", text, value);
    return 2;
}

/* A number in (0, max]; 0 when it is none. */
static double number_in(const char *text, double max)
{
    char *end = NULL;
    double value = strtod(text, &end);
    return end != text && *end == '\0' && value > 0 && value <= max ? value : 0;
}

static void keep_command(options *o, int argc, char **argv)
{
    size_t used = 0;
    for (int i = 0; i < argc && used < sizeof(o->command); i++) {
        used += (size_t)snprintf(o->command + used, sizeof(o->command) - used,
                                 "%s%s", i == 0 ? "" : " ", argv[i]);
    }
}

/* -1 to go on, else an exit code. */
static int parse(options *o, int argc, char **argv)
{
    static const struct option known[] = {
        {"dir", required_argument, NULL, 'd'},
        {"rows", required_argument, NULL, 'r'},
        {"seconds", required_argument, NULL, 's'},
        {"takes", required_argument, NULL, 'n'},
        {"quick", no_argument, NULL, 'q'},
        {"table", no_argument, NULL, 't'},
        {"list", no_argument, NULL, 'l'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    keep_command(o, argc, argv);
    int letter = 0;
    while ((letter = getopt_long(argc, argv, "", known, NULL)) != -1) {
        switch (letter) {
        case 'd':
            o->dir = optarg;
            break;
        case 'r':
            o->rows = optarg;
            break;
        case 's':
            o->seconds = number_in(optarg, 3600);
            if (o->seconds == 0) {
                return wrong("not a time in seconds", optarg);
            }
            break;
        case 'n':
            o->takes = (uint32_t)number_in(optarg, TAKES_MAX);
            if (o->takes == 0) {
                return wrong("not 1 to 99 takes", optarg);
            }
            break;
        case 'q':
            o->is_quick = true;
            break;
        case 't':
            o->is_table = true;
            break;
        case 'l':
            o->is_list = true;
            break;
        case 'h':
            fputs(usage, stdout);
            return 0;
        default:
            fputs("Try --help.\n", stderr);
            return 2;
        }
    }
    return optind == argc ? -1 : wrong("not an option", argv[optind]);
}

row_sizes row_sizes_in(const run *r, const bench_row *row)
{
    row_sizes sizes = row->sizes;
    if (row->is_large && sizes.machines > 1) {
        sizes.machines /= r->shrink;
    }
    if (row->is_large) {
        sizes.events /= r->shrink;
    }
    return sizes;
}

/* ---- playing ---- */

typedef struct stage {
    run run;
    ref ref;
    report report;
} stage;

static stet_status attempt(stage *s, const bench_row *row, void *ctx, take *out,
                           stet_error *err)
{
    memset(out, 0, sizeof(*out));
    stet_status st = ref_measure(&s->ref, &out->ref, err);
    if (st == STET_OK) {
        st = row->kind->take(ctx, &out->figures, err);
    }
    if (st == STET_OK) {
        st = ref_measure(&s->ref, &out->ref, err);
    }
    out->is_noisy =
        ref_is_slow(hist_at(&out->ref.latency, .5), s->ref.best_p50_ns);
    return st;
}

/* Of attempts that are all noisy the one with the quietest disk is kept. */
static stet_status quiet_take(stage *s, const bench_row *row, void *ctx,
                              take *out, stet_error *err)
{
    take *now = run_alloc(1, sizeof(*now));
    stet_status st = STET_OK;
    for (int i = 0; i < ATTEMPTS_MAX && st == STET_OK; i++) {
        st = attempt(s, row, ctx, now, err);
        if (i == 0 ||
            hist_at(&now->ref.latency, .5) < hist_at(&out->ref.latency, .5)) {
            *out = *now;
        }
        if (!out->is_noisy || run_is_stopped()) {
            break;
        }
    }
    free(now);
    return st;
}

static void sort_takes(const bench_row *row, take *takes, uint32_t count)
{
    for (uint32_t i = 1; i < count; i++) {
        for (uint32_t j = i;
             j > 0 && take_rank(row, &takes[j]) < take_rank(row, &takes[j - 1]);
             j--) {
            take moved = takes[j];
            takes[j] = takes[j - 1];
            takes[j - 1] = moved;
        }
    }
}

static bool play(stage *s, const bench_row *row)
{
    stet_error err = {.status = STET_OK};
    void *ctx = NULL;
    uint32_t count = row->is_single ? 1 : s->run.takes;
    take *takes = run_alloc(count, sizeof(*takes));
    stet_status st = row->kind->begin(&s->run, row, &ctx, &err);
    for (uint32_t i = 0; i < count && st == STET_OK && !run_is_stopped(); i++) {
        st = quiet_take(s, row, ctx, &takes[i], &err);
    }
    row->kind->end(ctx);
    if (st != STET_OK) {
        report_failure(&s->report, row, &err);
    } else if (!run_is_stopped()) {
        sort_takes(row, takes, count);
        report_row(&s->report, row, takes, count);
    }
    free(takes);
    return st == STET_OK;
}

static double clock_cost_ns(void)
{
    enum { READINGS = 10000 };
    int64_t begun = measure_clock();
    for (int i = 0; i < READINGS; i++) {
        (void)measure_clock();
    }
    return (double)(measure_clock() - begun) / READINGS;
}

static stet_status describe(stage *s, const char *command, stet_error *err)
{
    figures *first = run_alloc(1, sizeof(*first));
    machine_facts facts = {
        .command = command, .ref = first, .clock_ns = clock_cost_ns()};
    stet *store = NULL;
    stet_status st = STET_OK;
    for (int i = 0; i < FIRST_REFS && st == STET_OK; i++) {
        st = ref_measure(&s->ref, first, err);
    }
    if (st == STET_OK) {
        st = run_open(&s->run, "probe", &store, err);
    }
    if (st == STET_OK) {
        st = stet_get_info(store, &facts.info, err);
    }
    (void)stet_close(store, NULL); /* it is removed next */
    run_remove(&s->run, "probe");
    if (st == STET_OK) {
        report_machine(&s->report, &facts);
    }
    free(first);
    return st;
}

static stet_status set_up(stage *s, const options *o, stet_error *err)
{
    stet_status st = run_init(&s->run, o->dir, err);
    if (st == STET_OK) {
        st = ref_init(&s->ref, &s->run, err);
    }
    return st == STET_OK ? describe(s, o->command, err) : st;
}

/* Exit code: 0 all rows are measured, 1 some are not, 3 none could be. */
static int play_all(stage *s, const options *o)
{
    stet_error err = {.status = STET_OK};
    stet_status st = set_up(s, o, &err);
    bool is_whole = true;
    for (size_t i = 0; st == STET_OK && !run_is_stopped(); i++) {
        const bench_row *row = row_number(o, i);
        if (row == NULL) {
            break;
        }
        is_whole &= play(s, row);
    }
    ref_deinit(&s->ref);
    run_deinit(&s->run);
    if (st != STET_OK) {
        fprintf(stderr, "stet-bench: %s\n", err.text);
        return 3;
    }
    report_end(&s->report, s->ref.best_p50_ns);
    return is_whole && !run_is_stopped() ? 0 : 1;
}

static int list(const options *o)
{
    const bench_row *row = NULL;
    for (size_t i = 0; (row = row_number(o, i)) != NULL; i++) {
        printf("%-20s %s\n", row->name, row->text);
    }
    return 0;
}

int main(int argc, char **argv)
{
    options o = {.dir = "build/bench-data", .seconds = 1, .takes = 3};
    int code = parse(&o, argc, argv);
    if (code >= 0) {
        return code;
    }
    if (row_number(&o, 0) == NULL) {
        return wrong("no such rows", o.rows);
    }
    if (o.is_list) {
        return list(&o);
    }
    double seconds = o.is_quick ? .1 : o.seconds;
    static stage s;
    s.run = (run){
        .is_quick = o.is_quick,
        .window_ns = (int64_t)(seconds * 1e9),
        .warm_ns = (int64_t)(seconds * 1e9 / 4),
        .takes = o.is_quick ? 1 : o.takes,
        .shrink = o.is_quick ? QUICK_SHRINK : 1,
    };
    s.ref.fd = -1;
    s.report = (report){.json = stdout, .run = &s.run};
    if (o.is_table || isatty(STDERR_FILENO)) {
        s.report.table = stderr;
    }
    return play_all(&s, &o);
}
