/*
 * mason: builds a store of every shape that the library can give one, so that
 * an independent reader has something to read.
 *
 *   mason DIR SEED BATCHES [WORD...]
 *
 *   custom   register the reducers of the application, so that they are used
 *   os       level os: frames say less of what is durable
 *   kill     do not close: end as the store stands, by SIGKILL
 *
 * Segments are small, bases frequent, and several batches share a frame. The
 * same arguments write the same events.
 */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/model.h"
#include "lib/workload.h"

enum {
    BATCHES_UNDER_WAY = 6,
    BURST = 50, /* a run long enough for its segment's index to jump over it */
};

typedef struct mason {
    stet *s;
    model m;
    workload w;
    stet_ticket newest;
} mason;

static void must(stet_status st, const stet_error *err)
{
    if (st != STET_OK) {
        fprintf(stderr, "mason: %s: %s\n", stet_status_name(st), err->text);
        exit(1);
    }
}

static bool has_word(int argc, char **argv, const char *word)
{
    for (int i = 4; i < argc; i++) {
        if (strcmp(argv[i], word) == 0) {
            return true;
        }
    }
    return false;
}

static void open_store(mason *b, int argc, char **argv)
{
    stet_error err = {0};
    bool is_custom = has_word(argc, argv, "custom");
    rng *r = &b->w.random;
    stet_opts o = {
        .struct_size = sizeof o,
        .level = has_word(argc, argv, "os") ? STET_LEVEL_OS : STET_LEVEL_DISK,
        .segment_bytes = 32 * 1024,
        .settle_segments = (uint32_t)(1 + rng_below(r, 3)),
        .index_sets = (uint32_t)(1 + rng_below(r, 2)),
        .base_events = (uint32_t)(2 + rng_below(r, 40)),
        .reducers = model_reducers,
        .reducer_count = is_custom ? MODEL_REDUCERS : 0,
    };
    must(stet_open(argv[1], &o, &b->s, &err), &err);
}

static void wait_for_all(mason *b)
{
    stet_error err = {0};
    if (b->newest.position > 0) {
        must(stet_wait(b->s, b->newest, 0, &err), &err);
    }
}

/*
 * Commit without waiting. The model, which makes the workload go on from what
 * was written, follows where it can: it knows nothing of checkpoints and of
 * what the store held before this run.
 */
static stet_status commit(mason *b, const stet_batch *batch, stet_error *err)
{
    model_verdict v;
    model_judge(&b->m, batch, &v);
    stet_status st = stet_commit_async(b->s, batch, NULL, &b->newest, err);
    if (st == STET_OK && v.refusals == 0) {
        model_take(&b->m, batch, &v);
    }
    return st;
}

/* Much of it is refused: what matters is what the store then holds. */
static void write_batch(mason *b)
{
    stet_error err = {0};
    (void)commit(b, workload_batch(&b->w), &err);
}

/* One machine moves many times at once. */
static void write_burst(mason *b)
{
    stet_error err = {0};
    stet_change c = {
        .verb = STET_VERB_TRANSITION,
        .id = stet_str("m0"),
        .action = stet_str("burst"),
    };
    stet_batch batch = {.changes = &c, .change_count = 1};
    for (size_t i = 0; i < BURST; i++) {
        must(commit(b, &batch, &err), &err);
    }
}

/* A checkpoint of a machine, or of the whole store; sometimes one goes. */
static void write_checkpoint(mason *b)
{
    stet_error err = {0};
    rng *r = &b->w.random;
    const model_machine *mm = &b->m.machines[rng_below(r, b->m.machine_count)];
    stet_slice id = rng_below(r, 4) == 0 ? stet_str("") : mm->id;
    stet_checkpoint_opts o = {
        .name = workload_text(&b->w, "point \xc3\xa4 %zu", rng_below(r, 5)),
        .metadata = stet_str(rng_below(r, 2) == 0 ? "" : "{\"n\":1.50}"),
        .ns = id.len == 0 ? 0 : mm->ns,
        .is_replace = true,
    };
    stet_status st = rng_below(r, 5) == 0
                         ? stet_checkpoint_delete(b->s, id, o.ns, o.name, &err)
                         : stet_checkpoint_set(b->s, id, &o, NULL, &err);
    must(st == STET_E_NOT_FOUND ? STET_OK : st, &err);
}

/* Settle; before anything is written to the store that means all of it. */
static void compact(mason *b)
{
    stet_error err = {0};
    must(stet_compact(b->s, &err), &err);
}

static void build(mason *b, size_t batches)
{
    if (rng_below(&b->w.random, 2) == 0) {
        compact(b);
    }
    for (size_t i = 0; i < batches; i++) {
        b->m.step = i;
        write_batch(b);
        if (b->m.machine_count > 0 && rng_below(&b->w.random, 12) == 0) {
            write_checkpoint(b);
        }
        if (rng_below(&b->w.random, 30) == 0) {
            write_burst(b);
        }
        if (rng_below(&b->w.random, 12) == 0) {
            compact(b);
        }
        if (i % BATCHES_UNDER_WAY == 0) {
            wait_for_all(b);
        }
    }
    wait_for_all(b);
}

int main(int argc, char **argv)
{
    if (argc < 4) {
        fprintf(stderr, "usage: mason DIR SEED BATCHES [custom|os|kill]...\n");
        return 2;
    }
    mason b = {0};
    uint64_t seed = strtoull(argv[2], NULL, 10);
    model_init(&b.m, seed);
    b.w = (workload){.random = {seed}, .m = &b.m, .has_forks = true};
    open_store(&b, argc, argv);
    build(&b, (size_t)strtoull(argv[3], NULL, 10));
    if (has_word(argc, argv, "kill")) {
        raise(SIGKILL);
    }
    stet_error err = {0};
    must(stet_close(b.s, &err), &err);
    model_deinit(&b.m);
    return 0;
}
