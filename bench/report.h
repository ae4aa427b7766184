/*
 * Report: what a row reached, as a line of JSON and a line of a table.
 *
 * Whether a mark was reached is computed here and nowhere else. A mark of a
 * shrunk row is not judged.
 */
#ifndef STET_BENCH_REPORT_H
#define STET_BENCH_REPORT_H

#include <stdio.h>

#include "row.h"

/* A row measured once, and the disk just before and after. */
typedef struct take {
    figures figures;
    figures ref;
    bool is_noisy; /* ref beside it was slow, in every attempt */
} take;

enum { REPORT_ROWS_MAX = 64 };

typedef struct report {
    FILE *json;
    FILE *table; /* NULL: none */
    const run *run;
    /* What the disk did beside each row, to be judged by its best at last. */
    const char *names[REPORT_ROWS_MAX];
    uint64_t ref_p50_ns[REPORT_ROWS_MAX];
    size_t row_count;
} report;

/* What is measured, and on what. */
typedef struct machine_facts {
    const char *command;
    stet_info info; /* of a store where the data go */
    const figures *ref;
    double clock_ns; /* a reading of the clock */
} machine_facts;

/* The first line: the machine; and the table's head. */
void report_machine(const report *p, const machine_facts *facts);

/* What ranks the takes of a row: its first mark's metric, or its rate. */
double take_rank(const bench_row *row, const take *t);

/* `takes` are in the order of their ranks; the middle one is shown. */
void report_row(report *p, const bench_row *row, const take *takes,
                uint32_t count);
void report_failure(const report *p, const bench_row *row,
                    const stet_error *err);
/* The last line: rows beside which the disk was slower than it turned out. */
void report_end(const report *p, uint64_t best_ref_p50_ns);

#endif
