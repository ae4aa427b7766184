/*
 * Row: one workload of the benchmark, its sizes, and what it should reach.
 *
 * The *first mark* is what a sound first version reaches, the *goal* where we
 * are going; both are ratios within one run wherever a ratio says more than a
 * time. docs/PERFORMANCE.md.
 */
#ifndef STET_BENCH_ROW_H
#define STET_BENCH_ROW_H

#include "measure.h"
#include "run.h"

typedef struct bench_row bench_row;

/* How rows of one kind are played. */
typedef struct row_kind {
    /* Make the store; `*out` goes to take and end, also when begin fails. */
    stet_status (*begin)(const run *r, const bench_row *row, void **out,
                         stet_error *err);
    /* Measure once. */
    stet_status (*take)(void *ctx, figures *out, stet_error *err);
    /* Close and remove the store. Accepts NULL. */
    void (*end)(void *ctx);
} row_kind;

typedef enum metric {
    METRIC_NONE = 0,
    METRIC_RATE,         /* units a second */
    METRIC_RATE_PER_REF, /* the same / (ref's rate x batch) */
    METRIC_P50_PER_REF,  /* p50 of a call / ref's p50 */
    METRIC_P50_US,
    METRIC_P99_US,
    METRIC_FACT /* the fact that the mark names */
} metric;

/* Zero for a first mark or a goal: none that this row could show. */
typedef struct mark {
    metric metric;
    const char *fact;
    bool is_floor; /* at least so much, else at most */
    double first;
    double goal;
} mark;

enum { ROW_MARKS_MAX = 2 };

/* Sizes; zero where a kind has no use for one. */
typedef struct row_sizes {
    uint32_t threads;
    uint32_t batch;
    uint32_t state_bytes;
    uint32_t machines;
    uint32_t events;
} row_sizes;

struct bench_row {
    const char *name;
    const char *text; /* for people */
    const char *unit; /* what its rate counts */
    const row_kind *kind;
    row_sizes sizes;
    stet_verb verb;
    bool is_large;  /* --quick shrinks its sizes, and then no mark is judged */
    bool is_single; /* has its own repetitions: one take */
    mark marks[ROW_MARKS_MAX];
};

/* A table of rows; the last one has no name. */
extern const bench_row append_rows[];
extern const bench_row save_rows[];
extern const bench_row load_rows[];
extern const bench_row past_rows[];
extern const bench_row key_rows[];
extern const bench_row open_rows[];

/* The sizes with which a row is played in this run. */
row_sizes row_sizes_in(const run *r, const bench_row *row);

#endif
