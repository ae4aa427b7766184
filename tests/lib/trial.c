#include "lib/trial.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "engine/handle.h"
#include "lib/model_check.h"

void trial_begin(trial *t, uint64_t seed, void (*init)(store_under_test *))
{
    memset(t, 0, sizeof *t);
    init(&t->store);
    model_init(&t->m, seed);
    t->w = (workload){.random = {seed}, .m = &t->m, .has_forks = true};
    rng *r = &t->w.random;
    /* All small, so that caches run over, bases come and segments turn. */
    stet_opts *o = &t->store.opts;
    o->cache_bytes = (uint64_t)4096 << (rng_below(r, 4) * 3);
    o->segment_bytes = rng_below(&t->w.random, 2) == 0 ? 16384 : 65536;
    o->settle_segments = 1 + (uint32_t)rng_below(&t->w.random, 4);
    o->index_sets = 1 + (uint32_t)rng_below(&t->w.random, 2);
    o->base_events = (uint32_t)(1 + rng_below(r, 20));
    o->base_bytes = (uint32_t)(200 + rng_below(r, 20000));
    o->frames_in_flight = (uint32_t)(1 + rng_below(r, 4));
    o->flags |= rng_below(r, 2) == 0 ? (uint32_t)STET_NO_THREADS : 0;
    o->reducers = model_reducers;
    o->reducer_count = MODEL_REDUCERS;
    /* Nothing happens between two looks at the clock within one write. */
    atomic_store(&t->store.tick, 0);
}

void trial_end(trial *t)
{
    store_deinit(&t->store);
    model_deinit(&t->m);
}

bool trial_is_broken(const trial *t)
{
    return (t->store.disk != NULL && memdisk_is_dead(t->store.disk)) ||
           stet__pipeline_is_poisoned(&t->store.s->pipeline);
}

/* ---- times ---- */

/* The clock goes on, stands still, or goes back. */
static void move_clock(trial *t)
{
    static const int64_t steps[] = {0, 1, 1000, 1000, 1000000, -500000};
    store_advance(&t->store, steps[rng_below(&t->w.random, 6)]);
}

/* Stamp what one frame took: the clock, but never twice the same time. */
static void stamp_frame(trial *t)
{
    int64_t now = store_now(&t->store);
    int64_t stamp = now > t->last_recorded ? now : t->last_recorded + 1;
    t->last_recorded = t->m.stamped < t->m.log_count ? stamp : t->last_recorded;
    while (t->m.stamped < t->m.log_count) {
        model_stamp(&t->m, stamp);
    }
}

/* Stamp what several frames took, as the store says; never falling. */
static void learn_stamps(trial *t)
{
    stet_error err = {0};
    while (t->m.stamped < t->m.log_count) {
        const stet_event *said = &t->m.log[t->m.stamped]->said;
        stet_history_opts o = {
            .from_seq = said->seq, .limit = 1, .ns = said->ns};
        stet_history *h = NULL;
        const stet_event *e = NULL;
        model_claim_status(
            &t->m,
            stet_history_open(t->store.s, said->state_machine_id, &o, &h, &err),
            STET_OK, &err);
        model_claim_status(&t->m, stet_history_next(h, &e, &err), STET_OK,
                           &err);
        model_claim(&t->m, e->recorded_at >= t->last_recorded);
        t->last_recorded = e->recorded_at;
        stet_history_close(h);
        model_stamp(&t->m, t->last_recorded);
    }
}

/* ---- writes ---- */

/*
 * Is this the answer of a store that broke, which says nothing? Then the batch,
 * if it was to be done, is there after the next open, wholly or not at all.
 */
static bool is_lost(trial *t, const stet_batch *b, const model_verdict *v,
                    stet_status got)
{
    if (got == STET_OK || !trial_is_broken(t)) {
        return false;
    }
    if (v->refusals == 0 && v->repeats_at == 0) {
        t->unsure = b;
        t->unsure_verdict = *v;
    }
    return true;
}

static void check_answer(trial *t, const model_verdict *v, stet_status got,
                         const stet_error *err)
{
    uint64_t may = v->refusals == 0 ? (uint64_t)1 << STET_OK : v->refusals;
    bool is_allowed = (may & (uint64_t)1 << got) != 0;
    if (!is_allowed) {
        print_error("%s: %s; of the statuses %llx one is right\n",
                    stet_status_name(got), err->text, (unsigned long long)may);
    }
    model_claim(&t->m, is_allowed);
}

static void check_written(trial *t, const stet_batch *b, const model_verdict *v,
                          const stet_written *out)
{
    for (size_t i = 0; i < b->change_count; i++) {
        model_claim(&t->m, out[i].seq == v->seqs[i]);
        model_claim(&t->m, out[i].position == v->positions[i]);
        model_claim(&t->m, out[i].is_repeat == (v->repeats_at != 0));
    }
}

/* Through the call of its own that a verb has. */
static stet_status write_by_verb(stet *s, const stet_batch *b,
                                 stet_written *out, stet_error *err)
{
    const stet_change *c = b->changes;
    stet_write_opts o = {.more = *c, .key = b->key, .level = b->level};
    switch (c->verb) {
    case STET_VERB_SAVE:
        return stet_save(s, c->id, c->payload, &o, out, err);
    case STET_VERB_CREATE:
        return stet_create(s, c->id, c->payload, &o, out, err);
    case STET_VERB_TRANSITION:
        return stet_transition(s, c->id, &o, out, err);
    case STET_VERB_UPDATE:
        return stet_update(s, c->id, c->payload, &o, out, err);
    case STET_VERB_PATCH:
        return stet_patch(s, c->id, c->payload, &o, out, err);
    case STET_VERB_APPEND:
        return stet_append(s, c->id, c->payload, &o, out, err);
    case STET_VERB_DELETE:
        return stet_delete(s, c->id, &o, out, err);
    case STET_VERB_FAIL:
    case STET_VERB_RESTORE:
    case STET_VERB_FORK:
        break;
    }
    return stet_commit(s, b, out, err);
}

static void write_batch(trial *t, const stet_batch *b)
{
    model_verdict v;
    model_judge(&t->m, b, &v);
    stet_written out[MODEL_BATCH_MAX];
    stet_written junk[MODEL_BATCH_MAX];
    memset(out, 0xee, sizeof out);
    memset(junk, 0xee, sizeof junk);
    stet_error err = {0};
    bool is_one = b->change_count == 1 && b->condition_count == 0;
    stet_status st = is_one ? write_by_verb(t->store.s, b, out, &err)
                            : stet_commit(t->store.s, b, out, &err);
    if (is_lost(t, b, &v, st)) {
        return;
    }
    check_answer(t, &v, st, &err);
    if (st == STET_OK) {
        check_written(t, b, &v, out);
        model_take(&t->m, b, &v);
        stamp_frame(t);
    } else {
        assert_memory_equal(out, junk, sizeof out);
    }
}

/* Independent writes that share flushes: each is judged after the ones before
 * it. */
static void write_many(trial *t)
{
    enum { COUNT = 6 };
    stet_change *changes =
        stet__arena_alloc(&t->m.arena, COUNT * sizeof *changes);
    model_verdict v[COUNT];
    t->w.has_forks = false; /* a fork goes on from what is durable */
    for (size_t i = 0; i < COUNT; i++) {
        changes[i] = workload_change(&t->w);
        stet_batch b = {.changes = &changes[i], .change_count = 1};
        model_judge(&t->m, &b, &v[i]);
        if (v[i].refusals == 0) {
            model_take(&t->m, &b, &v[i]);
        }
    }
    t->w.has_forks = true;
    stet_written out[COUNT];
    stet_status each[COUNT];
    stet_error err = {0};
    stet_status first = STET_OK;
    stet_status st =
        stet_save_many(t->store.s, changes, COUNT, out, each, &err);
    for (size_t i = 0; i < COUNT; i++) {
        check_answer(t, &v[i], each[i], &err);
        model_claim(&t->m, each[i] != STET_OK ||
                               (out[i].seq == v[i].seqs[0] &&
                                out[i].position == v[i].positions[0]));
        first = first == STET_OK ? each[i] : first;
    }
    model_claim(&t->m, st == first);
    learn_stamps(t);
}

/* Writes that nobody waits for, then one who waits for them all. */
static void write_async(trial *t)
{
    stet_ticket ticket = {0};
    stet_error err = {0};
    t->w.has_forks = false;
    for (size_t i = rng_below(&t->w.random, 12); i > 0; i--) {
        const stet_batch *b = rng_below(&t->w.random, 8) == 0
                                  ? workload_repeat(&t->w)
                                  : workload_batch(&t->w);
        if (b == NULL) {
            continue;
        }
        model_verdict v;
        model_judge(&t->m, b, &v);
        stet_written out[MODEL_BATCH_MAX];
        stet_status st = stet_commit_async(t->store.s, b, out, &ticket, &err);
        check_answer(t, &v, st, &err);
        if (st == STET_OK) {
            check_written(t, b, &v, out);
            size_t last = b->change_count - 1;
            model_claim(&t->m, ticket.position == v.positions[last]);
            model_claim(&t->m, ticket.seq == v.seqs[last]);
            model_claim(&t->m, (ticket.repeat != 0) == (v.repeats_at != 0));
            model_take(&t->m, b, &v);
        }
    }
    t->w.has_forks = true;
    stet_ticket newest = {.position = t->m.log_count};
    model_claim_status(&t->m, stet_wait(t->store.s, newest, 0, &err), STET_OK,
                       &err);
    learn_stamps(t);
}

/* ---- forks and checkpoints ---- */

static const model_machine *some_machine(trial *t)
{
    return &t->m.machines[rng_below(&t->w.random, t->m.machine_count)];
}

static void write_fork(trial *t)
{
    const model_machine *parent = some_machine(t);
    stet_fork_opts o = {.at = model_some_point(&t->m, parent, &t->w.random)};
    o.write.more.ns = parent->ns;
    size_t prefix = model_prefix(&t->m, parent, &o.at);
    stet_change *c = stet__arena_alloc(&t->m.arena, sizeof *c);
    *c = (stet_change){
        .verb = STET_VERB_FORK,
        .ns = parent->ns,
        .parent = parent->id,
        .parent_seq = prefix,
        .expect = {.kind = STET_EXPECT_NONE},
        .id = rng_below(&t->w.random, 10) == 0
                  ? parent->id
                  : workload_text(&t->w, "f%llu",
                                  (unsigned long long)++t->w.forks),
    };
    stet_batch *b = stet__arena_alloc(&t->m.arena, sizeof *b);
    *b = (stet_batch){.changes = c, .change_count = 1};
    model_verdict v;
    model_judge(&t->m, b, &v);
    stet_written out = {0};
    stet_error err = {0};
    stet_status st = stet_fork(t->store.s, parent->id, c->id, &o, &out, &err);
    if (is_lost(t, b, &v, st)) {
        return;
    }
    check_answer(t, &v, st, &err);
    if (st == STET_OK) {
        check_written(t, b, &v, &out);
        model_take(&t->m, b, &v);
        stamp_frame(t);
    }
}

static stet_slice some_name(trial *t)
{
    static const char *const names[] = {"start", "end", "before the deal",
                                        "\xc3\xa4"};
    return stet_str(names[rng_below(&t->w.random, 4)]);
}

/* What a checkpoint of a machine there, or of the store, would hold. */
static bool foresee_checkpoint(const trial *t, const model_machine *mm,
                               const stet_at *at, model_checkpoint *out)
{
    if (mm != NULL) {
        size_t prefix = model_prefix(&t->m, mm, at);
        if (!model_is_there(mm, prefix)) {
            return false;
        }
        out->id = mm->id;
        out->ns = mm->ns;
        out->turn_number = prefix;
        out->history_size = prefix;
        out->position = mm->events[prefix - 1]->said.position;
        return true;
    }
    out->position = at->kind == STET_AT_POSITION ? at->seq
                    : at->kind == STET_AT_RECORDED
                        ? model_position_at(&t->m, at->time)
                        : t->m.log_count;
    out->history_size = out->position;
    return out->position <= t->m.log_count && at->kind != STET_AT_SEQ &&
           at->kind != STET_AT_TIME && at->kind != STET_AT_CHECKPOINT;
}

static void set_checkpoint(trial *t)
{
    rng *r = &t->w.random;
    const model_machine *machine = some_machine(t);
    const model_machine *mm = rng_below(r, 4) == 0 ? NULL : machine;
    stet_checkpoint_opts o = {
        .name = some_name(t),
        .at = model_some_point(&t->m, machine, r),
        .ns = machine->ns,
        .is_replace = rng_below(r, 3) == 0,
        .metadata = stet_str(rng_below(r, 2) == 0 ? "" : "{\"by\":\"test\"}"),
    };
    model_checkpoint c = {.name = o.name, .metadata = o.metadata};
    model_verdict v = {0};
    if (!foresee_checkpoint(t, mm, &o.at, &c)) {
        v.refusals |= (uint64_t)1
                      << (mm == NULL ? STET_E_INVALID : STET_E_NOT_FOUND);
    }
    if (!o.is_replace &&
        model_checkpoint_find(&t->m, c.ns, c.id, c.name) != NULL) {
        v.refusals |= (uint64_t)1 << STET_E_EXISTS;
    }
    stet_checkpoint_name given = {{0}};
    stet_error err = {0};
    stet_slice id = mm == NULL ? stet_str("") : mm->id;
    stet_status st = stet_checkpoint_set(t->store.s, id, &o, &given, &err);
    check_answer(t, &v, st, &err);
    if (st == STET_OK) {
        model_claim(&t->m, stet__slice_eq(stet_str(given.text), o.name));
        model_checkpoint_put(&t->m, &c);
        stamp_frame(t);
    }
}

static void delete_checkpoint(trial *t)
{
    const model_machine *mm = some_machine(t);
    stet_slice name = some_name(t);
    bool is_whole = rng_below(&t->w.random, 4) == 0;
    stet_slice id = is_whole ? stet_str("") : mm->id;
    uint8_t ns = is_whole ? 0 : mm->ns;
    bool is_there = model_checkpoint_find(&t->m, ns, id, name) != NULL;
    stet_error err = {0};
    model_claim_status(&t->m,
                       stet_checkpoint_delete(t->store.s, id, ns, name, &err),
                       is_there ? STET_OK : STET_E_NOT_FOUND, &err);
    if (is_there) {
        model_checkpoint_drop(&t->m, ns, id, name);
        stamp_frame(t);
    }
}

static void restore_checkpoint(trial *t)
{
    const model_machine *mm = some_machine(t);
    stet_at at = {.kind = STET_AT_CHECKPOINT, .name = some_name(t)};
    size_t prefix = model_prefix(&t->m, mm, &at);
    stet_change *c = stet__arena_alloc(&t->m.arena, sizeof *c);
    *c = (stet_change){.ns = mm->ns};
    workload_decorate(&t->w, c);
    stet_write_opts o = {.more = *c};
    stet_written out = {0};
    stet_error err = {0};
    stet_status st =
        stet_checkpoint_restore(t->store.s, mm->id, at.name, &o, &out, &err);
    if (!model_is_there(mm, prefix)) {
        model_claim_status(&t->m, st, STET_E_NOT_FOUND, &err);
        return;
    }
    const model_event *e = mm->events[prefix - 1];
    c->verb = STET_VERB_RESTORE;
    c->id = mm->id;
    c->payload = e->data;
    c->to_state = e->name;
    c->state_type = e->type;
    c->version = e->version;
    c->machine_metadata = e->metadata;
    stet_batch b = {.changes = c, .change_count = 1};
    model_verdict v;
    model_judge(&t->m, &b, &v);
    check_answer(t, &v, st, &err);
    check_written(t, &b, &v, &out);
    model_take(&t->m, &b, &v);
    stamp_frame(t);
}

/* ---- steps ---- */

static void work_in_background(trial *t)
{
    stet_error err = {0};
    bool is_more = true;
    stet_status st = STET_OK;
    while (is_more && st == STET_OK) {
        st = stet_step(t->store.s, &is_more, &err);
    }
    st = st == STET_OK ? stet_sync(t->store.s, &err) : st;
    if (!trial_is_broken(t)) {
        model_claim_status(&t->m, st, STET_OK, &err);
    }
}

/* Settle all that may be; at rest too, where the store was just opened. */
static void compact(trial *t)
{
    stet_error err = {0};
    stet_status st = stet_compact(t->store.s, &err);
    /* What fails on the way to a set harms nothing. */
    bool is_excused = st == STET_E_IO && t->store.disk != NULL &&
                      memdisk_has_failed(t->store.disk);
    if (!trial_is_broken(t) && !is_excused) {
        model_claim_status(&t->m, st, STET_OK, &err);
    }
}

static void repeat(trial *t)
{
    const stet_batch *b = workload_repeat(&t->w);
    if (b != NULL) {
        write_batch(t, b);
    }
}

void trial_step(trial *t)
{
    size_t dice = rng_below(&t->w.random, 100);
    move_clock(t);
    t->m.step++;
    if (t->m.machine_count == 0 || dice < 64) {
        write_batch(t, workload_batch(&t->w));
    } else if (dice < 70) {
        repeat(t);
    } else if (dice < 75) {
        write_fork(t);
    } else if (dice < 80) {
        set_checkpoint(t);
    } else if (dice < 83) {
        delete_checkpoint(t);
    } else if (dice < 87) {
        restore_checkpoint(t);
    } else if (dice < 90) {
        write_many(t);
    } else if (dice < 93) {
        write_async(t);
    } else if (dice < 95) {
        work_in_background(t);
    } else if (dice < 97) {
        compact(t);
    }
    model_check_some(&t->m, t->store.s, &t->w.random);
}

void trial_step_to_the_end(trial *t)
{
    size_t dice = rng_below(&t->w.random, 100);
    move_clock(t);
    t->m.step++;
    if (t->m.machine_count == 0 || dice < 70) {
        write_batch(t, workload_batch(&t->w));
    } else if (dice < 76) {
        repeat(t);
    } else if (dice < 84) {
        write_fork(t);
    } else if (dice < 94) {
        work_in_background(t);
    } else {
        compact(t);
    }
}

void trial_settle(trial *t)
{
    stet_info info = {0};
    stet_error err = {0};
    model_claim_status(&t->m, stet_get_info(t->store.s, &info, &err), STET_OK,
                       &err);
    if (info.events == t->m.log_count) {
        t->unsure = NULL;
        return;
    }
    model_claim(&t->m, t->unsure != NULL);
    model_claim(&t->m, info.events == t->m.log_count + t->unsure->change_count);
    model_take(&t->m, t->unsure, &t->unsure_verdict);
    learn_stamps(t);
    t->unsure = NULL;
}
