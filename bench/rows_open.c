/*
 * Opening after kill -9, and reading everything.
 *
 * A child process fills the store and is killed while it goes on writing. Other
 * children then open it, one after the other: each tells how long it took to
 * the first load and the first append, writes on, and is killed as well.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cache.h"
#include "fleet.h"
#include "row.h"

enum {
    ROUNDS = 10, /* events of each machine */
    KILLS = 7,
    TAIL_MACHINES = 1000, /* written while the kill is on its way */
    TAIL_BATCHES = 2000,
};

typedef struct opener {
    const run *run;
    const bench_row *row;
    samples *texts;
    uint32_t machines;
    uint32_t kills; /* so far; each life uses machines of its own */
} opener;

/* What a child tells before it is killed. */
typedef struct life {
    stet_status status;
    stet_error error;
    int64_t open_ns;
    int64_t load_ns;   /* from the begin of open */
    int64_t append_ns; /* as well */
} life;

typedef stet_status (*life_fn)(const opener *o, stet **store, life *out);

/* ---- in the child ---- */

static stet_status fill(const opener *o, stet **store, life *out)
{
    stet_status st = run_open(o->run, o->row->name, store, &out->error);
    if (st != STET_OK) {
        return st;
    }
    fleet f;
    fleet_init(&f, "m", o->machines);
    st = fleet_fill(&f, *store, o->texts, ROUNDS, &out->error);
    fleet_deinit(&f);
    return st;
}

static stet_status first_load(const opener *o, stet *store, stet_error *err)
{
    char id[FLEET_ID_BYTES];
    uint32_t number = o->machines - o->kills;
    uint64_t seq = 0;
    const stet_state *state = NULL;
    stet_status st =
        stet_load(store, fleet_id(id, "m", number), NULL, &state, err);
    if (st == STET_OK) {
        seq = state->seq;
        stet_state_release(state);
    }
    return st != STET_OK || seq == ROUNDS
               ? st
               : run_fail(err, 0, "%s is at seq %d", id, (int)seq);
}

static stet_status first_append(const opener *o, stet *store, stet_error *err)
{
    char id[FLEET_ID_BYTES];
    stet_write_opts opts = {
        .struct_size = sizeof(opts),
        .more = {.expect = {STET_EXPECT_EXACT, ROUNDS}},
    };
    return stet_append(store, fleet_id(id, "m", o->kills),
                       samples_payload(o->texts, o->kills), &opts, NULL, err);
}

static stet_status reopen(const opener *o, stet **store, life *out)
{
    int64_t begun = measure_clock();
    stet_status st = run_open(o->run, o->row->name, store, &out->error);
    out->open_ns = measure_clock() - begun;
    if (st == STET_OK) {
        st = first_load(o, *store, &out->error);
    }
    out->load_ns = measure_clock() - begun;
    if (st == STET_OK) {
        st = first_append(o, *store, &out->error);
    }
    out->append_ns = measure_clock() - begun;
    return st;
}

/* Tell the parent after a while, and write on until it kills. */
static void write_until_killed(const opener *o, stet *store, life *l, int pipe)
{
    char prefix[8] = {'t', (char)('a' + o->kills % 26),
                      (char)('a' + o->kills / 26 % 26), 0};
    fleet f;
    fleet_init(&f, prefix, TAIL_MACHINES);
    writer w;
    writer_init(&w, store, o->texts, (writing){STET_VERB_APPEND, 10});
    writer_take_share(&w, &f, 0, f.count);
    for (uint32_t i = 0; l->status == STET_OK; i++) {
        l->status = writer_commit_async(&w, &l->error);
        if (i == TAIL_BATCHES && write(pipe, l, sizeof(*l)) < 0) {
            return;
        }
    }
    (void)!write(pipe, l, sizeof(*l)); /* the parent sees an early end */
}

static void live(const opener *o, life_fn begin, int pipe)
{
    stet *store = NULL;
    life l = {.status = STET_OK};
    l.status = begin(o, &store, &l);
    if (l.status == STET_OK) {
        write_until_killed(o, store, &l, pipe);
    } else {
        (void)!write(pipe, &l, sizeof(l)); /* the parent sees an early end */
    }
}

/* ---- in the parent ---- */

static stet_status hear_and_kill(pid_t child, int pipe, life *out,
                                 stet_error *err)
{
    ssize_t got = read(pipe, out, sizeof(*out));
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    if (got != (ssize_t)sizeof(*out)) {
        return run_fail(err, got < 0 ? errno : EPIPE, "child that writes");
    }
    if (out->status != STET_OK) {
        *err = out->error;
    }
    return out->status;
}

static stet_status live_and_die(opener *o, life_fn begin, life *out,
                                stet_error *err)
{
    int ends[2];
    if (pipe(ends) != 0) {
        return run_fail(err, errno, "pipe");
    }
    pid_t child = fork();
    if (child == 0) {
        close(ends[0]);
        live(o, begin, ends[1]);
        _exit(0);
    }
    close(ends[1]);
    stet_status st = child < 0 ? run_fail(err, errno, "fork")
                               : hear_and_kill(child, ends[0], out, err);
    close(ends[0]);
    o->kills++;
    return st;
}

static stet_status open_begin(const run *r, const bench_row *row, void **out,
                              stet_error *err)
{
    opener *o = run_alloc(1, sizeof(*o));
    *out = o;
    o->run = r;
    o->row = row;
    o->texts = samples_create();
    o->machines = row_sizes_in(r, row).machines;
    life filled;
    return live_and_die(o, fill, &filled, err);
}

static stet_status open_take(void *ctx, figures *out, stet_error *err)
{
    opener *o = ctx;
    hist *opens = run_alloc(1, sizeof(*opens));
    hist *appends = run_alloc(1, sizeof(*appends));
    stet_status st = STET_OK;
    for (int i = 0; i < KILLS && st == STET_OK && !run_is_stopped(); i++) {
        life l;
        st = live_and_die(o, reopen, &l, err);
        if (st == STET_OK) {
            hist_add(opens, (uint64_t)l.open_ns);
            hist_add(&out->latency, (uint64_t)l.load_ns);
            hist_add(appends, (uint64_t)l.append_ns);
            out->units++;
            out->elapsed_ns += l.append_ns;
        }
    }
    figures_fact(out, "open_ms", (double)hist_at(opens, 0.5) / 1e6);
    figures_fact(out, "first_load_ms",
                 (double)hist_at(&out->latency, 0.5) / 1e6);
    figures_fact(out, "first_append_ms", (double)hist_at(appends, 0.5) / 1e6);
    free(opens);
    free(appends);
    return st;
}

static void open_end(void *ctx)
{
    opener *o = ctx;
    if (o == NULL) {
        return;
    }
    samples_destroy(o->texts);
    run_remove(o->run, o->row->name);
    free(o);
}

/* ---- verification ---- */

typedef struct verifier {
    const run *run;
    const bench_row *row;
    stet *store;
    cache cache;
} verifier;

static stet_status verify_begin(const run *r, const bench_row *row, void **out,
                                stet_error *err)
{
    verifier *v = run_alloc(1, sizeof(*v));
    *out = v;
    v->run = r;
    v->row = row;
    row_sizes sizes = row_sizes_in(r, row);
    samples *texts = samples_create();
    fleet f;
    fleet_init(&f, "m", sizes.machines);
    stet_status st = run_open(r, row->name, &v->store, err);
    if (st == STET_OK) {
        st =
            fleet_fill(&f, v->store, texts, sizes.events / sizes.machines, err);
    }
    fleet_deinit(&f);
    samples_destroy(texts);
    if (st == STET_OK) {
        st = run_reopen(r, row->name, &v->store, err);
    }
    char path[RUN_PATH_MAX];
    run_path(r, row->name, path);
    return st == STET_OK ? cache_init(&v->cache, path, err) : st;
}

static stet_status verify_take(void *ctx, figures *out, stet_error *err)
{
    verifier *v = ctx;
    uint64_t bytes = 0;
    cache_drop(&v->cache);
    int64_t begun = measure_clock();
    stet_status st = cache_read_all(&v->cache, &bytes, err);
    int64_t read_ns = measure_clock() - begun;
    cache_drop(&v->cache);
    stet_verify_report report = {.frames = 0};
    begun = measure_clock();
    if (st == STET_OK) {
        st = stet_verify(v->store, NULL, NULL, &report, err);
    }
    int64_t verify_ns = measure_clock() - begun;
    if (st == STET_OK && report.machines == 0) {
        st = run_fail(err, 0, "no machine was verified");
    }
    hist_add(&out->latency, (uint64_t)verify_ns);
    out->units = bytes;
    out->elapsed_ns = verify_ns;
    figures_fact(out, "read_bytes_per_s",
                 (double)bytes * 1e9 / (double)read_ns);
    figures_fact(out, "per_sequential_read",
                 (double)read_ns / (double)verify_ns);
    return st;
}

static void verify_end(void *ctx)
{
    verifier *v = ctx;
    if (v == NULL) {
        return;
    }
    cache_deinit(&v->cache);
    (void)stet_close(v->store, NULL); /* it is removed next */
    run_remove(v->run, v->row->name);
    free(v);
}

static const row_kind open_killed = {open_begin, open_take, open_end};
static const row_kind verify = {verify_begin, verify_take, verify_end};

const bench_row open_rows[] = {
    {
        .name = "open_killed",
        .text = "open after kill -9, 1,000,000 machines x 10, to first load",
        .unit = "open",
        .kind = &open_killed,
        .sizes = {.threads = 1, .machines = 1000000, .events = 10000000},
        .is_large = true,
        .is_single = true,
        .marks = {{METRIC_FACT, "first_load_ms", false, 20, 8},
                  {METRIC_FACT, "first_append_ms", false, 40, 8}},
    },
    {
        .name = "verify",
        .text = "full verification of 1,000,000 events, page cache dropped",
        .unit = "byte",
        .kind = &verify,
        .sizes = {.threads = 1, .machines = 10000, .events = 1000000},
        .is_large = true,
        .marks = {{METRIC_FACT, "per_sequential_read", true, .3, .7}},
    },
    {0},
};
