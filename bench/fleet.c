#include "fleet.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "run.h"

enum {
    FILL_BATCH = 500,
    FILL_PART = 10000, /* machines that stay in memory while they are written */
};

stet_slice fleet_id(char *out, const char *prefix, uint32_t number)
{
    int used = snprintf(out, FLEET_ID_BYTES, "%s:%" PRIu32, prefix, number);
    return stet_slice_of(out, (size_t)used);
}

void fleet_init(fleet *f, const char *prefix, uint32_t count)
{
    f->machines = run_alloc(count, sizeof(machine));
    f->count = count;
    uint64_t random = count;
    for (uint32_t i = 0; i < count; i++) {
        machine m = {.seq = 0};
        m.id_bytes = (uint8_t)fleet_id(m.id, prefix, i).len;
        size_t place = (size_t)random_below(&random, i + 1);
        f->machines[i] = f->machines[place];
        f->machines[place] = m;
    }
}

void fleet_deinit(fleet *f)
{
    free(f->machines);
}

void writer_init(writer *w, stet *store, const samples *texts, writing what)
{
    *w = (writer){.store = store, .texts = texts};
    w->changes = run_alloc(what.batch, sizeof(stet_change));
    w->written = run_alloc(what.batch, sizeof(stet_written));
    for (uint32_t i = 0; i < what.batch; i++) {
        w->changes[i].verb = what.verb;
        if (what.verb == STET_VERB_TRANSITION) {
            w->changes[i].action = stet_str("play_card");
            w->changes[i].to_state = stet_str("turn");
        }
    }
    w->batch = (stet_batch){.struct_size = sizeof(stet_batch),
                            .changes = w->changes,
                            .change_count = what.batch};
}

void writer_deinit(writer *w)
{
    free(w->changes);
    free(w->written);
}

void writer_take_share(writer *w, const fleet *f, uint32_t from, uint32_t to)
{
    w->share = f->machines + from;
    w->share_count = to - from;
    w->next = 0;
}

/* The machine that change number `i` of the next batch writes. */
static machine *machine_at(const writer *w, size_t i)
{
    return &w->share[(w->next + i) % w->share_count];
}

static void prepare(writer *w)
{
    for (size_t i = 0; i < w->batch.change_count; i++) {
        const machine *m = machine_at(w, i);
        stet_change *c = &w->changes[i];
        c->id = stet_slice_of(m->id, m->id_bytes);
        c->payload = samples_payload(w->texts, w->payload++);
        c->expect.kind = m->seq == 0 ? STET_EXPECT_NONE : STET_EXPECT_EXACT;
        c->expect.seq = m->seq;
    }
}

static stet_status take_answers(writer *w, stet_error *err)
{
    for (size_t i = 0; i < w->batch.change_count; i++) {
        machine *m = machine_at(w, i);
        m->seq++;
        if (w->written[i].seq != m->seq) {
            return run_fail(err, 0, "%.*s is at seq %" PRIu64 ", not %" PRIu64,
                            (int)m->id_bytes, m->id, w->written[i].seq, m->seq);
        }
    }
    w->next = (w->next + w->batch.change_count) % w->share_count;
    return STET_OK;
}

stet_status writer_commit(void *ctx, stet_error *err)
{
    writer *w = ctx;
    prepare(w);
    stet_status st = stet_commit(w->store, &w->batch, w->written, err);
    return st == STET_OK ? take_answers(w, err) : st;
}

stet_status writer_commit_async(void *ctx, stet_error *err)
{
    writer *w = ctx;
    prepare(w);
    stet_status st =
        stet_commit_async(w->store, &w->batch, w->written, &w->ticket, err);
    return st == STET_OK ? take_answers(w, err) : st;
}

stet_status writer_wait(const writer *w, stet_error *err)
{
    return stet_wait(w->store, w->ticket, 0, err);
}

/* Write `rounds` events to each of the machines [from, to). */
static stet_status fill_part(writer *w, const fleet *f, uint32_t from,
                             uint32_t to, uint32_t rounds, stet_error *err)
{
    stet_status st = STET_OK;
    for (uint32_t round = 0; round < rounds; round++) {
        for (uint32_t at = from; at < to && st == STET_OK;) {
            uint32_t left = to - at;
            w->batch.change_count = left < FILL_BATCH ? left : FILL_BATCH;
            writer_take_share(w, f, at, to);
            at += (uint32_t)w->batch.change_count;
            st = writer_commit_async(w, err);
        }
    }
    return st;
}

stet_status fleet_fill(fleet *f, stet *store, const samples *texts,
                       uint32_t rounds, stet_error *err)
{
    writer w;
    writer_init(&w, store, texts, (writing){STET_VERB_APPEND, FILL_BATCH});
    stet_status st = STET_OK;
    for (uint32_t from = 0; from < f->count && st == STET_OK;
         from += FILL_PART) {
        uint32_t left = f->count - from;
        uint32_t part = left < FILL_PART ? left : FILL_PART;
        st = fill_part(&w, f, from, from + part, rounds, err);
    }
    if (st == STET_OK) {
        st = writer_wait(&w, err);
    }
    writer_deinit(&w);
    return st;
}
