/*
 * The past: states as of a seq or a time in a long history, the history in
 * order, and forks and checkpoints, which cost one append however long it is.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "row.h"
#include "sample.h"

enum {
    BATCH = 500,
    NAME_BYTES = 24,
    FILLER_BYTES = 64 * 1024, /* 20 MiB of them: the fifth segment of 16 */
    FILLER_EVENTS = 320,
};

/* Events occur a second apart, the first at the second itself. */
static const int64_t second = 1000000000;
static const int64_t first_occurred = 1700000000 * 1000000000LL;

/* One machine with a long history. */
typedef struct past {
    const run *run;
    const bench_row *row;
    stet *store;
    samples *texts;
    uint32_t events;
    uint64_t random;
    uint32_t next; /* fork or checkpoint not made yet */
} past;

static stet_slice the_machine(void)
{
    return stet_str("m:1");
}

static stet_status write_history(past *p, stet_error *err)
{
    static const stet_change blank = {
        .verb = STET_VERB_TRANSITION,
        .action = {"play_card", 9},
        .to_state = {"turn", 4},
    };
    stet_change changes[BATCH];
    stet_batch batch = {.struct_size = sizeof(batch), .changes = changes};
    stet_status st = STET_OK;
    for (uint32_t done = 0; done < p->events && st == STET_OK;) {
        uint32_t left = p->events - done;
        batch.change_count = left < BATCH ? left : BATCH;
        for (size_t i = 0; i < batch.change_count; i++, done++) {
            changes[i] = blank;
            changes[i].id = the_machine();
            changes[i].payload = samples_payload(p->texts, done);
            changes[i].timestamp = first_occurred + done * second;
        }
        st = stet_commit(p->store, &batch, NULL, err);
    }
    return st;
}

static stet_status past_open(const run *r, const bench_row *row, past **out,
                             stet_error *err)
{
    past *p = run_alloc(1, sizeof(*p));
    *out = p;
    p->run = r;
    p->row = row;
    p->random = 11;
    p->events = row_sizes_in(r, row).events;
    p->texts = samples_create();
    return run_open(r, row->name, &p->store, err);
}

static stet_status past_begin(const run *r, const bench_row *row, void **out,
                              stet_error *err)
{
    past *p = NULL;
    stet_status st = past_open(r, row, &p, err);
    *out = p;
    if (st == STET_OK) {
        st = write_history(p, err);
    }
    return st == STET_OK ? run_reopen(r, row->name, &p->store, err) : st;
}

/* Segments begin at 1 MiB and double: go on until one holds all that comes. */
static stet_status write_filler(past *p, stet_error *err)
{
    static char payload[FILLER_BYTES];
    stet_status st = STET_OK;
    for (uint32_t i = 0; i < FILLER_EVENTS && st == STET_OK; i++) {
        st = stet_append(p->store, stet_str("filler"),
                         stet_slice_of(payload, sizeof(payload)), NULL, NULL,
                         err);
    }
    return st;
}

static stet_status unsealed_begin(const run *r, const bench_row *row,
                                  void **out, stet_error *err)
{
    past *p = NULL;
    stet_status st = past_open(r, row, &p, err);
    *out = p;
    if (st == STET_OK) {
        st = write_filler(p, err);
    }
    return st == STET_OK ? write_history(p, err) : st;
}

static stet_status settled_begin(const run *r, const bench_row *row, void **out,
                                 stet_error *err)
{
    stet_status st = past_begin(r, row, out, err);
    return st == STET_OK ? stet_compact(((past *)*out)->store, err) : st;
}

static void past_end(void *ctx)
{
    past *p = ctx;
    if (p == NULL) {
        return;
    }
    (void)stet_close(p->store, NULL); /* it is removed next */
    samples_destroy(p->texts);
    run_remove(p->run, p->row->name);
    free(p);
}

/* ---- as of ---- */

static uint64_t random_seq(past *p)
{
    return 1 + random_below(&p->random, p->events);
}

static stet_status load_at(past *p, const stet_at *at, uint64_t seq,
                           stet_error *err)
{
    stet_read_opts opts = {.struct_size = sizeof(opts), .at = *at};
    const stet_state *state = NULL;
    stet_status st = stet_load(p->store, the_machine(), &opts, &state, err);
    if (st != STET_OK) {
        return st;
    }
    uint64_t found = state->seq;
    stet_state_release(state);
    return found == seq
               ? STET_OK
               : run_fail(err, 0, "seq %" PRIu64 ", not %" PRIu64, found, seq);
}

static stet_status load_at_seq(void *ctx, stet_error *err)
{
    past *p = ctx;
    uint64_t seq = random_seq(p);
    return load_at(p, &(stet_at){.kind = STET_AT_SEQ, .seq = seq}, seq, err);
}

static stet_status load_at_time(void *ctx, stet_error *err)
{
    past *p = ctx;
    uint64_t seq = random_seq(p);
    int64_t time = first_occurred + (int64_t)(seq - 1) * second + second / 2;
    stet_at at = {.kind = STET_AT_TIME, .time = time};
    return load_at(p, &at, seq, err);
}

static stet_status by_seq(void *ctx, figures *out, stet_error *err)
{
    past *p = ctx;
    return run_measure(p->run, &(call){load_at_seq, p, 1}, out, err);
}

static stet_status by_time(void *ctx, figures *out, stet_error *err)
{
    past *p = ctx;
    return run_measure(p->run, &(call){load_at_time, p, 1}, out, err);
}

/* ---- in order ---- */

static stet_status walk(void *ctx, stet_error *err)
{
    past *p = ctx;
    stet_history *history = NULL;
    stet_status st =
        stet_history_open(p->store, the_machine(), NULL, &history, err);
    if (st != STET_OK) {
        return st;
    }
    uint64_t seen = 0;
    const stet_event *event = NULL;
    while ((st = stet_history_next(history, &event, err)) == STET_OK &&
           event->seq == seen + 1) {
        seen++;
    }
    stet_history_close(history);
    if (st != STET_DONE && st != STET_OK) {
        return st;
    }
    return seen == p->events
               ? STET_OK
               : run_fail(err, 0, "seq %" PRIu64 " is missing", seen + 1);
}

static stet_status in_order(void *ctx, figures *out, stet_error *err)
{
    past *p = ctx;
    return run_measure(p->run, &(call){walk, p, p->events}, out, err);
}

/* ---- forks and checkpoints ---- */

static stet_status fork_anywhere(void *ctx, stet_error *err)
{
    past *p = ctx;
    char id[NAME_BYTES];
    snprintf(id, sizeof(id), "f:%" PRIu32, p->next++);
    stet_fork_opts opts = {
        .struct_size = sizeof(opts),
        .at = {.kind = STET_AT_SEQ, .seq = random_seq(p)},
    };
    return stet_fork(p->store, the_machine(), stet_str(id), &opts, NULL, err);
}

static stet_status forks(void *ctx, figures *out, stet_error *err)
{
    past *p = ctx;
    return run_measure(p->run, &(call){fork_anywhere, p, 1}, out, err);
}

static stet_status checkpoint_all(void *ctx, stet_error *err)
{
    past *p = ctx;
    char name[NAME_BYTES];
    snprintf(name, sizeof(name), "c%" PRIu32, p->next++);
    stet_checkpoint_opts opts = {.struct_size = sizeof(opts),
                                 .name = stet_str(name)};
    stet_slice whole_store = {NULL, 0};
    return stet_checkpoint_set(p->store, whole_store, &opts, NULL, err);
}

static stet_status checkpoints(void *ctx, figures *out, stet_error *err)
{
    past *p = ctx;
    return run_measure(p->run, &(call){checkpoint_all, p, 1}, out, err);
}

static const row_kind asof_seq = {past_begin, by_seq, past_end};
static const row_kind asof_time = {past_begin, by_time, past_end};
static const row_kind unsealed = {unsealed_begin, in_order, past_end};
static const row_kind sealed = {past_begin, in_order, past_end};
static const row_kind settled = {settled_begin, in_order, past_end};
static const row_kind fork_kind = {past_begin, forks, past_end};
static const row_kind checkpoint = {past_begin, checkpoints, past_end};

const bench_row past_rows[] = {
    {
        .name = "asof_seq_100k",
        .text = "as of a random seq in 100,000 events",
        .unit = "load",
        .kind = &asof_seq,
        .sizes = {.threads = 1, .machines = 1, .events = 100000},
        .is_large = true,
        .marks = {{METRIC_P50_US, NULL, false, 100, 40}},
    },
    {
        .name = "asof_time_100k",
        .text = "as of a random time in 100,000 events",
        .unit = "load",
        .kind = &asof_time,
        .sizes = {.threads = 1, .machines = 1, .events = 100000},
        .is_large = true,
        .marks = {{METRIC_P50_US, NULL, false, 100, 40}},
    },
    {
        .name = "asof_seq_1m",
        .text = "as of a random seq in 1,000,000 events",
        .unit = "load",
        .kind = &asof_seq,
        .sizes = {.threads = 1, .machines = 1, .events = 1000000},
        .is_large = true,
        .marks = {{METRIC_P50_US, NULL, false, 100, 40}},
    },
    {
        .name = "asof_time_1m",
        .text = "as of a random time in 1,000,000 events",
        .unit = "load",
        .kind = &asof_time,
        .sizes = {.threads = 1, .machines = 1, .events = 1000000},
        .is_large = true,
        .marks = {{METRIC_P50_US, NULL, false, 100, 40}},
    },
    {
        .name = "history_unsealed",
        .text = "10,000 events of one machine in order, in the live segment",
        .unit = "event",
        .kind = &unsealed,
        .sizes = {.threads = 1, .machines = 1, .events = 10000},
        .marks = {{METRIC_P50_US, NULL, false, 500, 150}},
    },
    {
        .name = "history_sealed",
        .text = "the same in sealed segments",
        .unit = "event",
        .kind = &sealed,
        .sizes = {.threads = 1, .machines = 1, .events = 10000},
    },
    {
        .name = "history_settled",
        .text = "the same in a set",
        .unit = "event",
        .kind = &settled,
        .sizes = {.threads = 1, .machines = 1, .events = 10000},
        .marks = {{METRIC_P50_US, NULL, false, 1500, 600}},
    },
    /* One append, whatever the history: as far from ref as append_1x1. */
    {
        .name = "fork_100k",
        .text = "fork at a random seq of 100,000 events",
        .unit = "fork",
        .kind = &fork_kind,
        .sizes = {.threads = 1, .machines = 1, .events = 100000},
        .is_large = true,
        .marks = {{METRIC_P50_PER_REF, NULL, false, 1.25, 0}},
    },
    {
        .name = "checkpoint_100k",
        .text = "name a cut of the whole store, 100,000 events",
        .unit = "checkpoint",
        .kind = &checkpoint,
        .sizes = {.threads = 1, .machines = 1, .events = 100000},
        .is_large = true,
        .marks = {{METRIC_P50_PER_REF, NULL, false, 1.25, 0}},
    },
    {0},
};
