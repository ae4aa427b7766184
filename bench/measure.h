/*
 * Measure: call something again and again, and keep what it took.
 *
 * A *unit* is what a rate counts: an event, a load, a key, a byte. A call may
 * make many. Calls begun before a window are warm-up: made, but not counted.
 */
#ifndef STET_BENCH_MEASURE_H
#define STET_BENCH_MEASURE_H

#include <stddef.h>
#include <stdint.h>

#include <stet/status.h>

#include "hist.h"

enum { FACTS_MAX = 8 };

/* A number beside rate and latency; its unit ends its name. */
typedef struct fact {
    const char *name;
    double value;
} fact;

/* What was measured. Zeroed: nothing yet. */
typedef struct figures {
    uint64_t units;
    int64_t elapsed_ns;
    hist latency; /* of calls, in nanoseconds */
    fact facts[FACTS_MAX];
    size_t fact_count;
} figures;

/* Calls begun in [from, until) of the monotonic clock count. */
typedef struct window {
    int64_t from_ns;
    int64_t until_ns;
} window;

typedef stet_status (*call_fn)(void *ctx, stet_error *err);

typedef struct call {
    call_fn fn;
    void *ctx;
    uint64_t units; /* of each call */
} call;

/* The monotonic clock in nanoseconds. */
int64_t measure_clock(void);

/* A window that begins after `warm_ns` and is `window_ns` long. */
window measure_window(int64_t warm_ns, int64_t window_ns);

/*
 * Call until the window is over, and at least until one call counts. Adds to
 * `out`; stops at the first call that fails.
 */
stet_status measure_loop(const window *w, const call *c, figures *out,
                         stet_error *err);

/* Units a second; 0 when nothing was measured. */
double figures_rate(const figures *f);

/* Add what another thread measured in the same window. */
void figures_merge(figures *into, const figures *from);

/* `name` has static storage. */
void figures_fact(figures *f, const char *name, double value);

#endif
