/*
 * Loads of the newest 4 KiB state: from the cache, and from a disk whose pages
 * were dropped.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cache.h"
#include "fleet.h"
#include "row.h"

enum { BATCH = 100 };

/* A store with one state for each machine. */
typedef struct loader {
    const run *run;
    const bench_row *row;
    stet *store;
    fleet fleet;
    uint64_t random;
    uint32_t next;
    char *copies; /* the ceiling's states, one behind the other */
    cache cache;
} loader;

static stet_status save_batch(loader *l, uint32_t from, uint32_t count,
                              stet_error *err)
{
    size_t bytes = l->row->sizes.state_bytes;
    stet_change changes[BATCH] = {{.struct_size = 0}};
    for (uint32_t i = 0; i < count; i++) {
        const machine *m = &l->fleet.machines[from + i];
        char *copy = l->copies + (from + i) * bytes;
        sample_state state;
        sample_state_init(&state, bytes, from + i);
        memcpy(copy, state.text, bytes);
        sample_state_deinit(&state);
        changes[i].verb = STET_VERB_CREATE;
        changes[i].id = stet_slice_of(m->id, m->id_bytes);
        changes[i].payload = stet_slice_of(copy, bytes);
    }
    stet_batch batch = {.struct_size = sizeof(batch),
                        .changes = changes,
                        .change_count = count};
    return stet_commit(l->store, &batch, NULL, err);
}

static stet_status load_begin(const run *r, const bench_row *row, void **out,
                              stet_error *err)
{
    loader *l = run_alloc(1, sizeof(*l));
    *out = l;
    l->run = r;
    l->row = row;
    l->random = 7;
    uint32_t machines = row->sizes.machines;
    l->copies = run_alloc(machines, row->sizes.state_bytes);
    fleet_init(&l->fleet, "m", machines);
    stet_status st = run_open(r, row->name, &l->store, err);
    for (uint32_t i = 0; i < machines && st == STET_OK; i += BATCH) {
        uint32_t left = machines - i;
        st = save_batch(l, i, left < BATCH ? left : BATCH, err);
    }
    return st == STET_OK ? run_reopen(r, row->name, &l->store, err) : st;
}

static void load_end(void *ctx)
{
    loader *l = ctx;
    if (l == NULL) {
        return;
    }
    (void)stet_close(l->store, NULL); /* it is removed next */
    cache_deinit(&l->cache);
    fleet_deinit(&l->fleet);
    free(l->copies);
    run_remove(l->run, l->row->name);
    free(l);
}

/* Load and compare; comparing the ends touches what a reader would. */
static stet_status load_one(loader *l, uint32_t number, stet_error *err)
{
    const machine *m = &l->fleet.machines[number];
    size_t bytes = l->row->sizes.state_bytes;
    const char *copy = l->copies + number * bytes;
    const stet_state *state = NULL;
    stet_status st = stet_load(l->store, stet_slice_of(m->id, m->id_bytes),
                               NULL, &state, err);
    if (st != STET_OK) {
        return st;
    }
    const char *text = state->state_data.ptr;
    bool is_same =
        state->state_data.len == bytes && text[bytes - 3] == copy[bytes - 3];
    stet_state_release(state);
    return is_same ? STET_OK
                   : run_fail(err, 0, "%.*s differs", (int)m->id_bytes, m->id);
}

/* ---- hot ---- */

static stet_status load_random(void *ctx, stet_error *err)
{
    loader *l = ctx;
    uint64_t number = random_below(&l->random, l->fleet.count);
    return load_one(l, (uint32_t)number, err);
}

/*
 * What no store can beat: an index into an array, and a copy of the state. A
 * load that lends may, since it copies nothing.
 */
static double ceiling(loader *l)
{
    size_t bytes = l->row->sizes.state_bytes;
    char *into = run_alloc(1, bytes);
    uint64_t count = 0;
    int64_t begun = measure_clock();
    int64_t ended = begun;
    while (ended - begun < l->run->window_ns / 4) {
        for (int i = 0; i < 1000; i++) {
            uint64_t number = random_below(&l->random, l->fleet.count);
            memcpy(into, l->copies + number * bytes, bytes);
            __asm__ volatile("" : : "r"(into) : "memory");
        }
        count += 1000;
        ended = measure_clock();
    }
    free(into);
    return (double)count * 1e9 / (double)(ended - begun);
}

/* The rate is taken without a clock between the loads. */
static stet_status untimed_loads(loader *l, figures *out, stet_error *err)
{
    out->units = 0;
    int64_t begun = measure_clock();
    stet_status st = STET_OK;
    do {
        for (int i = 0; i < 1000 && st == STET_OK; i++) {
            st = load_random(l, err);
        }
        out->units += 1000;
        out->elapsed_ns = measure_clock() - begun;
    } while (st == STET_OK && out->elapsed_ns < l->run->window_ns);
    return st;
}

static stet_status hot_take(void *ctx, figures *out, stet_error *err)
{
    loader *l = ctx;
    stet_status st = STET_OK;
    for (uint32_t i = 0; i < l->fleet.count && st == STET_OK; i++) {
        st = load_one(l, i, err);
    }
    if (st == STET_OK) {
        st = run_measure(l->run, &(call){load_random, l, 1}, out, err);
    }
    if (st == STET_OK) {
        st = untimed_loads(l, out, err);
    }
    double raw = ceiling(l);
    figures_fact(out, "raw_rate", raw);
    figures_fact(out, "per_raw_rate", figures_rate(out) / raw);
    return st;
}

/* ---- cold ---- */

/* Reads that this process asked the system for, this one included. */
static double reads_so_far(void)
{
    char text[512] = "";
    int fd = open("/proc/self/io", O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return 0;
    }
    ssize_t used = read(fd, text, sizeof(text) - 1);
    close(fd);
    const char *at = used > 0 ? strstr(text, "syscr: ") : NULL;
    return at == NULL ? 0 : strtod(at + strlen("syscr: "), NULL);
}

static stet_status load_cold(loader *l, figures *out, stet_error *err)
{
    /* A fresh handle knows no state; each machine is loaded once. */
    int64_t until = measure_clock() + l->run->window_ns;
    stet_status st = STET_OK;
    for (uint32_t i = 0; i < l->fleet.count && st == STET_OK; i++) {
        cache_drop(&l->cache);
        int64_t begun = measure_clock();
        st = load_one(l, l->next++ % l->fleet.count, err);
        int64_t took = measure_clock() - begun;
        hist_add(&out->latency, (uint64_t)took);
        out->elapsed_ns += took;
        out->units++;
        if (begun >= until) {
            break;
        }
    }
    return st;
}

static stet_status cold_take(void *ctx, figures *out, stet_error *err)
{
    loader *l = ctx;
    char path[RUN_PATH_MAX];
    run_path(l->run, l->row->name, path);
    stet_info info = {.segments = 0};
    stet_status st = run_reopen(l->run, l->row->name, &l->store, err);
    if (st == STET_OK) {
        st = stet_get_info(l->store, &info, err);
    }
    if (st == STET_OK) {
        st = cache_init(&l->cache, path, err);
    }
    double before = reads_so_far();
    if (st == STET_OK) {
        st = load_cold(l, out, err);
    }
    double loads = (double)out->units;
    double reads = (reads_so_far() - before - 1) / loads;
    if (st == STET_OK && before > 0) {
        figures_fact(out, "segments", (double)info.segments);
        figures_fact(out, "reads_per_load", reads);
        figures_fact(out, "reads_per_bound",
                     reads / (1 + (double)info.segments));
    }
    cache_deinit(&l->cache);
    return st;
}

static const row_kind hot = {load_begin, hot_take, load_end};
static const row_kind cold = {load_begin, cold_take, load_end};

const bench_row load_rows[] = {
    {
        .name = "load_hot_4k",
        .text = "newest 4 KiB state of one of 10,000 machines, cached",
        .unit = "load",
        .kind = &hot,
        .sizes = {.threads = 1, .state_bytes = 4096, .machines = 10000},
        .marks = {{METRIC_P99_US, NULL, false, 1, 0},
                  {METRIC_FACT, "per_raw_rate", true, .8, 1}},
    },
    {
        .name = "load_cold_4k",
        .text = "the same from a fresh handle, page cache dropped",
        .unit = "load",
        .kind = &cold,
        .sizes = {.threads = 1, .state_bytes = 4096, .machines = 10000},
        /* At most one read and one for each segment crossed; the goal is of
           settled stores. */
        .marks = {{METRIC_FACT, "reads_per_bound", false, 1, 0}},
    },
    {0},
};
