/*
 * Saves of whole JSON states that change a little from one to the next, and
 * the bytes that events and states take in the log.
 */
#include <stdlib.h>
#include <string.h>

#include "fleet.h"
#include "row.h"

enum {
    SAVE_MACHINES = 100,
    GROUP_EVENTS = 400, /* of 200 B: over 64 KiB, which one frame takes */
    GROUPS = 250,
    STATES_BATCH = 1000, /* so that padding does not show */
    BATCHES = 2,
};

/* ---- durable saves ---- */

typedef struct saver {
    const run *run;
    const bench_row *row;
    stet *store;
    sample_state states[SAVE_MACHINES];
    uint32_t next;
} saver;

static stet_status save_next(void *ctx, stet_error *err)
{
    saver *s = ctx;
    char id[FLEET_ID_BYTES];
    uint32_t number = s->next++ % SAVE_MACHINES;
    sample_state *state = &s->states[number];
    sample_state_step(state);
    return stet_save(s->store, fleet_id(id, "m", number),
                     sample_state_slice(state), NULL, NULL, err);
}

static stet_status save_begin(const run *r, const bench_row *row, void **out,
                              stet_error *err)
{
    saver *s = run_alloc(1, sizeof(*s));
    *out = s;
    s->run = r;
    s->row = row;
    for (uint32_t i = 0; i < SAVE_MACHINES; i++) {
        sample_state_init(&s->states[i], row->sizes.state_bytes, i + 1);
    }
    stet_status st = run_open(r, row->name, &s->store, err);
    for (uint32_t i = 0; i < SAVE_MACHINES && st == STET_OK; i++) {
        st = save_next(s, err);
    }
    return st;
}

static stet_status save_take(void *ctx, figures *out, stet_error *err)
{
    saver *s = ctx;
    return run_measure(s->run, &(call){save_next, s, 1}, out, err);
}

static void save_end(void *ctx)
{
    saver *s = ctx;
    if (s == NULL) {
        return;
    }
    (void)stet_close(s->store, NULL); /* it is removed next */
    for (uint32_t i = 0; i < SAVE_MACHINES; i++) {
        sample_state_deinit(&s->states[i]);
    }
    run_remove(s->run, s->row->name);
    free(s);
}

/* ---- bytes in the log ---- */

typedef struct weigher {
    const run *run;
    const bench_row *row;
    stet *store;
    samples *texts;
    fleet fleet;
    sample_state state;
    uint32_t next; /* machine that was not used before */
} weigher;

static stet_status weigh_begin(const run *r, const bench_row *row, void **out,
                               stet_error *err)
{
    weigher *w = run_alloc(1, sizeof(*w));
    *out = w;
    w->run = r;
    w->row = row;
    w->texts = samples_create();
    fleet_init(&w->fleet, "m", row->sizes.machines);
    if (row->sizes.state_bytes > 0) {
        sample_state_init(&w->state, row->sizes.state_bytes, 1);
    }
    return run_open(r, row->name, &w->store, err);
}

static void weigh_end(void *ctx)
{
    weigher *w = ctx;
    if (w == NULL) {
        return;
    }
    (void)stet_close(w->store, NULL); /* it is removed next */
    samples_destroy(w->texts);
    sample_state_deinit(&w->state);
    fleet_deinit(&w->fleet);
    run_remove(w->run, w->row->name);
    free(w);
}

static stet_status log_bytes(const weigher *w, double *out, stet_error *err)
{
    stet_info info = {0};
    stet_status st = stet_get_info(w->store, &info, err);
    *out = st == STET_OK ? (double)info.log_bytes : 0;
    return st;
}

static stet_status commit_groups(weigher *w, figures *out, stet_error *err)
{
    writer one;
    writer_init(&one, w->store, w->texts,
                (writing){STET_VERB_APPEND, GROUP_EVENTS});
    writer_take_share(&one, &w->fleet, 0, w->fleet.count);
    stet_status st = STET_OK;
    int64_t begun = measure_clock();
    for (uint32_t i = 0; i < GROUPS && st == STET_OK; i++) {
        int64_t at = measure_clock();
        st = writer_commit(&one, err);
        hist_add(&out->latency, (uint64_t)(measure_clock() - at));
    }
    out->elapsed_ns = measure_clock() - begun;
    out->units = (uint64_t)GROUPS * GROUP_EVENTS;
    writer_deinit(&one);
    return st;
}

static stet_status weigh_events(void *ctx, figures *out, stet_error *err)
{
    weigher *w = ctx;
    double before = 0;
    double after = 0;
    stet_status st = log_bytes(w, &before, err);
    if (st == STET_OK) {
        st = commit_groups(w, out, err);
    }
    if (st == STET_OK) {
        st = log_bytes(w, &after, err);
    }
    if (st == STET_OK) {
        double each = (after - before) / (double)out->units;
        figures_fact(out, "bytes_per_event", each);
        figures_fact(out, "per_payload", each / SAMPLE_PAYLOAD_BYTES);
    }
    return st;
}

/* What is left of them once all are settled, their index included. */
static stet_status weigh_settled(void *ctx, figures *out, stet_error *err)
{
    weigher *w = ctx;
    stet_info info = {0};
    stet_status st = commit_groups(w, out, err);
    if (st == STET_OK) {
        st = run_reopen(w->run, w->row->name, &w->store, err);
    }
    if (st == STET_OK) {
        st = stet_compact(w->store, err);
    }
    if (st == STET_OK) {
        st = stet_get_info(w->store, &info, err);
    }
    if (st == STET_OK) {
        uint64_t bytes = info.log_bytes + info.index_bytes;
        figures_fact(out, "bytes_per_event",
                     (double)bytes / (double)info.events);
    }
    return st;
}

/* New states of one machine, or one state each of many. */
static void compose(weigher *w, stet_change *changes, char *texts)
{
    size_t bytes = w->row->sizes.state_bytes;
    for (uint32_t i = 0; i < STATES_BATCH; i++) {
        const machine *m = &w->fleet.machines[w->next++ % w->fleet.count];
        if (w->fleet.count > 1) {
            sample_state_deinit(&w->state);
            sample_state_init(&w->state, bytes, w->next);
        } else {
            sample_state_step(&w->state);
        }
        memcpy(texts + i * bytes, w->state.text, bytes);
        changes[i].verb = STET_VERB_SAVE;
        changes[i].id = stet_slice_of(m->id, m->id_bytes);
        changes[i].payload = stet_slice_of(texts + i * bytes, bytes);
    }
}

static stet_status save_states(weigher *w, figures *out, stet_error *err)
{
    char *texts = run_alloc(STATES_BATCH, w->row->sizes.state_bytes);
    stet_change *changes = run_alloc(STATES_BATCH, sizeof(*changes));
    stet_batch batch = {.struct_size = sizeof(batch),
                        .changes = changes,
                        .change_count = STATES_BATCH};
    stet_status st = STET_OK;
    for (uint32_t i = 0; i < BATCHES && st == STET_OK; i++) {
        compose(w, changes, texts);
        int64_t begun = measure_clock();
        st = stet_commit(w->store, &batch, NULL, err);
        int64_t took = measure_clock() - begun;
        out->elapsed_ns += took;
        hist_add(&out->latency, (uint64_t)took);
    }
    out->units = (uint64_t)BATCHES * STATES_BATCH;
    free(changes);
    free(texts);
    return st;
}

static stet_status weigh_states(void *ctx, figures *out, stet_error *err)
{
    weigher *w = ctx;
    double before = 0;
    double after = 0;
    stet_status st = log_bytes(w, &before, err);
    if (st == STET_OK) {
        st = save_states(w, out, err);
    }
    if (st == STET_OK) {
        st = log_bytes(w, &after, err);
    }
    if (st == STET_OK) {
        double raw = (double)out->units * w->row->sizes.state_bytes;
        figures_fact(out, "bytes_per_state",
                     (after - before) / (double)out->units);
        figures_fact(out, "percent_smaller",
                     100 - 100 * (after - before) / raw);
    }
    return st;
}

static const row_kind save = {save_begin, save_take, save_end};
static const row_kind bytes_of_events = {weigh_begin, weigh_events, weigh_end};
static const row_kind bytes_of_settled = {weigh_begin, weigh_settled,
                                          weigh_end};
static const row_kind bytes_of_states = {weigh_begin, weigh_states, weigh_end};

const bench_row save_rows[] = {
    {
        .name = "save_4k",
        .text = "a 4 KiB JSON state with a small change",
        .unit = "save",
        .kind = &save,
        .sizes = {.threads = 1, .state_bytes = 4096, .machines = SAVE_MACHINES},
        .marks = {{METRIC_P50_PER_REF, NULL, false, 1.3, 1.1}},
    },
    {
        .name = "save_64k",
        .text = "a 64 KiB JSON state with a small change",
        .unit = "save",
        .kind = &save,
        .sizes = {.threads = 1,
                  .state_bytes = 65536,
                  .machines = SAVE_MACHINES},
        .marks = {{METRIC_P50_PER_REF, NULL, false, 1.5, 1.25}},
    },
    {
        .name = "bytes_events",
        .text = "log bytes of a 200 B event in groups over 64 KiB",
        .unit = "event",
        .kind = &bytes_of_events,
        .sizes = {.threads = 1, .batch = GROUP_EVENTS, .machines = 10000},
        .marks = {{METRIC_FACT, "per_payload", false, 1.15, 0}},
    },
    {
        .name = "bytes_settled",
        .text = "bytes on disk of a 200 B event once settled, with its index",
        .unit = "event",
        .kind = &bytes_of_settled,
        .sizes = {.threads = 1, .batch = GROUP_EVENTS, .machines = 10000},
        .marks = {{METRIC_FACT, "bytes_per_event", false, 130, 90}},
    },
    {
        .name = "bytes_states_whole",
        .text = "log bytes of first states, 4 KiB of JSON",
        .unit = "save",
        .kind = &bytes_of_states,
        .sizes = {.threads = 1,
                  .batch = STATES_BATCH,
                  .state_bytes = 4096,
                  .machines = 100000},
        .marks = {{METRIC_FACT, "percent_smaller", true, 74, 0}},
    },
    {
        .name = "bytes_states_delta",
        .text = "log bytes of later states with a small change",
        .unit = "save",
        .kind = &bytes_of_states,
        .sizes = {.threads = 1,
                  .batch = STATES_BATCH,
                  .state_bytes = 4096,
                  .machines = 1},
        .marks = {{METRIC_FACT, "percent_smaller", true, 95, 97}},
    },
    {0},
};
