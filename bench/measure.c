#include "measure.h"

#include <time.h>

int64_t measure_clock(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

window measure_window(int64_t warm_ns, int64_t window_ns)
{
    int64_t from = measure_clock() + warm_ns;
    return (window){from, from + window_ns};
}

stet_status measure_loop(const window *w, const call *c, figures *out,
                         stet_error *err)
{
    /* The end of one call is the begin of the next: one clock read a call. */
    int64_t begun = measure_clock();
    int64_t first = 0;
    while (begun < w->until_ns || first == 0) {
        stet_status st = c->fn(c->ctx, err);
        if (st != STET_OK) {
            return st;
        }
        int64_t ended = measure_clock();
        if (begun >= w->from_ns) {
            first = first == 0 ? begun : first;
            hist_add(&out->latency, (uint64_t)(ended - begun));
            out->units += c->units;
        }
        begun = ended;
    }
    out->elapsed_ns += begun - first;
    return STET_OK;
}

double figures_rate(const figures *f)
{
    return f->elapsed_ns == 0 ? 0
                              : (double)f->units * 1e9 / (double)f->elapsed_ns;
}

void figures_merge(figures *into, const figures *from)
{
    into->units += from->units;
    hist_merge(&into->latency, &from->latency);
    if (from->elapsed_ns > into->elapsed_ns) {
        into->elapsed_ns = from->elapsed_ns;
    }
}

void figures_fact(figures *f, const char *name, double value)
{
    if (f->fact_count < FACTS_MAX) {
        f->facts[f->fact_count++] = (fact){name, value};
    }
}
