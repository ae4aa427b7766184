/*
 * Durable appends: one event of 200 B to one of many machines, at the exact
 * version that the writer expects, from one thread or many, alone or in
 * batches.
 */
#include <pthread.h>
#include <stdlib.h>

#include "fleet.h"
#include "row.h"

enum { SMALL_FLEET = 10000 };

/* One thread of a crew. */
typedef struct hand {
    pthread_t thread;
    window window;
    writer writer;
    figures figures;
    stet_status status;
    stet_error error;
} hand;

/* A store, its fleet, and the threads that write to it. */
typedef struct crew {
    const run *run;
    const char *name; /* of the store */
    stet *store;
    samples *texts;
    fleet fleet;
    hand *hands;
    uint32_t hand_count;
    uint32_t batch;
} crew;

static stet_status crew_init(crew *c, const run *r, const bench_row *row,
                             uint32_t machines, stet_error *err)
{
    c->run = r;
    c->texts = samples_create();
    c->batch = row->sizes.batch;
    c->hand_count = row->sizes.threads;
    c->hands = run_alloc(c->hand_count, sizeof(hand));
    fleet_init(&c->fleet, "m", machines);
    stet_status st = run_open(r, c->name, &c->store, err);
    if (st == STET_OK) {
        st = fleet_fill(&c->fleet, c->store, c->texts, 1, err);
    }
    uint32_t share = machines / c->hand_count;
    for (uint32_t i = 0; i < c->hand_count; i++) {
        writer *w = &c->hands[i].writer;
        writer_init(w, c->store, c->texts, (writing){row->verb, c->batch});
        writer_take_share(w, &c->fleet, i * share, (i + 1) * share);
    }
    return st;
}

/* Accepts a zeroed one. */
static void crew_deinit(crew *c)
{
    if (c->run == NULL) {
        return;
    }
    (void)stet_close(c->store, NULL); /* it is removed next */
    for (uint32_t i = 0; i < c->hand_count; i++) {
        writer_deinit(&c->hands[i].writer);
    }
    free(c->hands);
    fleet_deinit(&c->fleet);
    samples_destroy(c->texts);
    run_remove(c->run, c->name);
}

static void *write_on(void *ctx)
{
    hand *h = ctx;
    call c = {writer_commit, &h->writer, h->writer.batch.change_count};
    h->status = measure_loop(&h->window, &c, &h->figures, &h->error);
    return NULL;
}

static stet_status join(hand *h, figures *out, stet_error *err)
{
    pthread_join(h->thread, NULL);
    if (h->status != STET_OK) {
        *err = h->error;
        return h->status;
    }
    figures_merge(out, &h->figures);
    return STET_OK;
}

static stet_status crew_take(crew *c, figures *out, stet_error *err)
{
    window w = measure_window(c->run->warm_ns, c->run->window_ns);
    stet_status st = STET_OK;
    uint32_t started = 0;
    for (; started < c->hand_count && st == STET_OK; started++) {
        hand *h = &c->hands[started];
        h->window = w;
        h->figures = (figures){.units = 0};
        int failed = pthread_create(&h->thread, NULL, write_on, h);
        if (failed != 0) {
            st = run_fail(err, failed, "start thread %u", started);
            break;
        }
    }
    for (uint32_t i = 0; i < started; i++) {
        stet_status joined = join(&c->hands[i], out, err);
        st = st == STET_OK ? joined : st;
    }
    return st;
}

/* ---- threads that wait for each commit ---- */

static stet_status append_begin(const run *r, const bench_row *row, void **out,
                                stet_error *err)
{
    crew *c = run_alloc(1, sizeof(*c));
    *out = c;
    c->name = row->name;
    return crew_init(c, r, row, row->sizes.machines, err);
}

static stet_status append_take(void *ctx, figures *out, stet_error *err)
{
    return crew_take(ctx, out, err);
}

static void append_end(void *ctx)
{
    if (ctx != NULL) {
        crew_deinit(ctx);
        free(ctx);
    }
}

/* ---- one thread that does not wait ---- */

static stet_status async_take(void *ctx, figures *out, stet_error *err)
{
    crew *c = ctx;
    writer *w = &c->hands[0].writer;
    call submit = {writer_commit_async, w, 1};
    window warm = measure_window(0, c->run->warm_ns);
    stet_status st = measure_loop(&warm, &submit, &c->hands[0].figures, err);
    if (st == STET_OK) {
        st = writer_wait(w, err);
    }
    int64_t begun = measure_clock();
    window counted = {begun, begun + c->run->window_ns};
    if (st == STET_OK) {
        st = measure_loop(&counted, &submit, out, err);
    }
    if (st == STET_OK) {
        st = writer_wait(w, err);
    }
    /* Until the last of them is durable, not until it was handed over. */
    out->elapsed_ns = measure_clock() - begun;
    return st;
}

/* ---- many machines beside few ---- */

typedef struct crews {
    crew small;
    crew large;
    figures beside; /* of the small one */
} crews;

static stet_status many_begin(const run *r, const bench_row *row, void **out,
                              stet_error *err)
{
    crews *c = run_alloc(1, sizeof(*c));
    *out = c;
    c->small.name = "few_machines";
    c->large.name = row->name;
    uint32_t machines = row_sizes_in(r, row).machines;
    stet_status st = crew_init(&c->small, r, row, SMALL_FLEET, err);
    return st == STET_OK ? crew_init(&c->large, r, row, machines, err) : st;
}

static stet_status many_take(void *ctx, figures *out, stet_error *err)
{
    crews *c = ctx;
    c->beside = (figures){.units = 0};
    stet_status st = crew_take(&c->small, &c->beside, err);
    if (st == STET_OK) {
        st = crew_take(&c->large, out, err);
    }
    if (st == STET_OK) {
        double small = figures_rate(&c->beside);
        figures_fact(out, "rate_with_10000", small);
        figures_fact(out, "per_rate_with_10000", figures_rate(out) / small);
    }
    return st;
}

static void many_end(void *ctx)
{
    crews *c = ctx;
    if (c != NULL) {
        crew_deinit(&c->small);
        crew_deinit(&c->large);
        free(c);
    }
}

static const row_kind append = {append_begin, append_take, append_end};
static const row_kind async = {append_begin, async_take, append_end};
static const row_kind many = {many_begin, many_take, many_end};

const bench_row append_rows[] = {
    {
        .name = "append_1x1",
        .text = "one thread, one event at a time",
        .unit = "event",
        .kind = &append,
        .sizes = {.threads = 1, .batch = 1, .machines = SMALL_FLEET},
        .verb = STET_VERB_APPEND,
        .marks = {{METRIC_RATE_PER_REF, NULL, true, .85, 1},
                  {METRIC_P50_PER_REF, NULL, false, 1.25, 0}},
    },
    {
        .name = "append_8x1",
        .text = "8 threads, one event at a time",
        .unit = "event",
        .kind = &append,
        .sizes = {.threads = 8, .batch = 1, .machines = SMALL_FLEET},
        .verb = STET_VERB_APPEND,
        .marks = {{METRIC_RATE_PER_REF, NULL, true, 2.8, 4}},
    },
    {
        .name = "append_64x1",
        .text = "64 threads, one event at a time",
        .unit = "event",
        .kind = &append,
        .sizes = {.threads = 64, .batch = 1, .machines = SMALL_FLEET},
        .verb = STET_VERB_APPEND,
        .marks = {{METRIC_RATE_PER_REF, NULL, true, 9, 14}},
    },
    {
        .name = "append_1x100",
        .text = "one thread, batches of 100",
        .unit = "event",
        .kind = &append,
        .sizes = {.threads = 1, .batch = 100, .machines = SMALL_FLEET},
        .verb = STET_VERB_APPEND,
        .marks = {{METRIC_RATE_PER_REF, NULL, true, .55, .65}},
    },
    {
        .name = "append_8x100",
        .text = "8 threads, batches of 100",
        .unit = "event",
        .kind = &append,
        .sizes = {.threads = 8, .batch = 100, .machines = SMALL_FLEET},
        .verb = STET_VERB_APPEND,
        .marks = {{METRIC_RATE_PER_REF, NULL, true, 1.5, 2.2}},
    },
    {
        .name = "append_64x100",
        .text = "64 threads, batches of 100",
        .unit = "event",
        .kind = &append,
        .sizes = {.threads = 64, .batch = 100, .machines = SMALL_FLEET},
        .verb = STET_VERB_APPEND,
        .marks = {{METRIC_RATE_PER_REF, NULL, true, 2, 3.2}},
    },
    {
        .name = "transition_1x1",
        .text = "as append_1x1, with a merge patch",
        .unit = "event",
        .kind = &append,
        .sizes = {.threads = 1, .batch = 1, .machines = SMALL_FLEET},
        .verb = STET_VERB_TRANSITION,
        .marks = {{METRIC_RATE_PER_REF, NULL, true, .85, 1},
                  {METRIC_P50_PER_REF, NULL, false, 1.25, 0}},
    },
    {
        .name = "transition_64x100",
        .text = "as append_64x100, with merge patches",
        .unit = "event",
        .kind = &append,
        .sizes = {.threads = 64, .batch = 100, .machines = SMALL_FLEET},
        .verb = STET_VERB_TRANSITION,
        .marks = {{METRIC_RATE_PER_REF, NULL, true, 2, 3.2}},
    },
    {
        .name = "append_async",
        .text = "one thread that does not wait; p50 of handing over",
        .unit = "event",
        .kind = &async,
        .sizes = {.threads = 1, .batch = 1, .machines = SMALL_FLEET},
        .verb = STET_VERB_APPEND,
        .marks = {{METRIC_RATE, NULL, true, 1e6, 2e6}},
    },
    {
        .name = "append_many_machines",
        .text = "8 threads, batches of 100, among 1,000,000",
        .unit = "event",
        .kind = &many,
        .sizes = {.threads = 8, .batch = 100, .machines = 1000000},
        .verb = STET_VERB_APPEND,
        .is_large = true,
        .marks = {{METRIC_FACT, "per_rate_with_10000", true, .5, .7}},
    },
    {0},
};
