#include "sim/client.h"

#include <string.h>

#include "engine/deferred.h"
#include "engine/handle.h"
#include "sim/archive.h"
#include "sim/visitor.h"

enum { ASYNC_MAX = 6, MANY_MAX = 5, WRITES_BESIDE_MAX = 2000 };

void client_init(client *c, oracle *o, stet *s, unsigned number, unsigned life)
{
    *c = (client){
        .w = o->w,
        .o = o,
        .s = s,
        .ops = o->w->s.ops,
        .is_polling = number == 0 && !o->w->s.is_sequential,
    };
    c->work = (workload){
        .m = &o->m,
        .has_forks = true,
        .forks = 1000 * (8 * (uint64_t)life + number),
    };
    c->work.random.state = o->w->s.seed * 1000 + life * 16 + number;
    (void)rng_next(&c->work.random);
}

static size_t below(client *c, size_t end)
{
    return rng_below(&c->work.random, end);
}

/* ---- answers ---- */

/* May a call that is no refusal be answered so, as things are? */
static bool is_excused(const world *w, const stet *s, stet_status st)
{
    switch (st) {
    case STET_E_BUSY:
    case STET_E_TIMEOUT:
        return true;
    case STET_E_NOMEM:
        return w->has_failed;
    case STET_E_NOSPACE:
        return w->is_scarce;
    case STET_E_READONLY:
        return w->has_failed || s->start.is_readonly;
    case STET_E_IO:
    case STET_E_UNKNOWN:
        return w->has_failed;
    case STET_E_CORRUPT:
        return w->has_strayed;
    default:
        return false;
    }
}

static void check_answer_of(const world *w, const stet *s, const char *what,
                            stet_status st, const stet_error *err)
{
    bool is_no = stet_status_kind(st) == STET_KIND_NO || st == STET_E_INVALID ||
                 st == STET_E_UNSUPPORTED;
    if (st != STET_OK && !is_no && !is_excused(w, s, st)) {
        world_fail(w, "%s: %s", what, err->text);
    }
    world_tell(w, "%s: %s%s%s", what, stet_status_name(st),
               st == STET_OK ? "" : ": ", st == STET_OK ? "" : err->text);
}

static void check_answer(const client *c, const char *what, stet_status st,
                         const stet_error *err)
{
    check_answer_of(c->w, c->s, what, st, err);
    world_note(c->w, (uint64_t)st);
}

static bool is_at_disk(const client *c, const stet_batch *b)
{
    return c->s->start.level == STET_LEVEL_DISK || b->level == STET_LEVEL_DISK;
}

/* ---- writes ---- */

/* A save of bytes that do not pack, up to more than a segment takes. */
static size_t some_large(client *c)
{
    size_t len = 1 + below(c, 6) * below(c, 6000);
    uint8_t *bytes = stet__arena_alloc(&c->o->m.arena, len);
    stet_change change = workload_change(&c->work);
    rng_fill(&c->work.random, bytes, len);
    change.verb = STET_VERB_SAVE;
    change.reducer = STET_REDUCER_DEFAULT;
    change.reducer_name = (stet_slice){NULL, 0};
    change.reducer_version = 0;
    change.parent = (stet_slice){NULL, 0};
    change.parent_seq = 0;
    change.payload = stet_slice_of(bytes, len);
    const stet_batch one = {.changes = &change, .change_count = 1};
    return oracle_add_batch(c->o, &one);
}

static size_t some_batch(client *c)
{
    c->o->m.step++; /* makes keys differ */
    return c->w->s.has_large && below(c, 8) == 0
               ? some_large(c)
               : oracle_add_batch(c->o, workload_batch(&c->work));
}

/* One that has a key and was begun before, or one with its key; or any. */
static size_t some_repeat(client *c)
{
    for (int i = 0; i < 20 && c->o->batch_count > 0; i++) {
        size_t number = below(c, c->o->batch_count);
        const stet_batch *b = c->o->batches[number];
        if (b->key.len == 0) {
            continue;
        }
        return below(c, 4) > 0 ? number : oracle_add_batch(c->o, b);
    }
    return some_batch(c);
}

static void write_one(client *c, size_t number)
{
    size_t idx = oracle_begin(c->o, number);
    stet_batch b = *c->o->batches[number];
    stet_written out[MODEL_BATCH_MAX];
    stet_error err = {0};
    b.level = below(c, 10) == 0 ? STET_LEVEL_DISK : STET_LEVEL_DEFAULT;
    world_tell(c->w, "batch %zu: %zu changes, first of %.*s", number,
               b.change_count, (int)b.changes[0].id.len,
               (const char *)b.changes[0].id.ptr);
    stet_status st = stet_commit(c->s, &b, out, &err);
    oracle_end(c->o, idx, st, out, is_at_disk(c, &b));
    check_answer(c, "batch", st, &err);
}

/* When it occurs is the caller's to say: the model knows only when it lands. */
static void write_deferred(client *c)
{
    static const int64_t waits[] = {0, 1000000, 1000000000, STET_NEVER};
    stet_policy policy = {STET_SWITCH_OFF, STET_SWITCH_OFF, STET_SWITCH_OFF,
                          STET_SWITCH_OFF, waits[below(c, 4)]};
    stet_change change = workload_change(&c->work);
    if (change.timestamp == 0 && (change.flags & STET_CHANGE_EPOCH) == 0) {
        change.timestamp = c->w->os.now(&c->w->os);
        change.flags |= STET_CHANGE_EPOCH;
    }
    stet_batch b = {.changes = &change, .change_count = 1};
    size_t number = oracle_add_batch(c->o, &b);
    size_t idx = oracle_begin(c->o, number);
    stet_written out = {0};
    stet_error err = {0};
    b = *c->o->batches[number];
    b.policy = &policy;
    world_tell(c->w, "deferred batch %zu: of %.*s", number,
               (int)b.changes->id.len, (const char *)b.changes->id.ptr);
    stet_status st = stet_commit(c->s, &b, &out, &err);
    if (stet__may_defer(c->s, &b) && (st != STET_OK || out.seq == 0)) {
        oracle_deferred(c->o, idx, st);
    } else {
        oracle_end(c->o, idx, st, &out, is_at_disk(c, &b));
    }
    check_answer(c, "deferred batch", st, &err);
}

/* What a callback was told. */
typedef struct callback_answer {
    bool is_called;
    stet_status st;
} callback_answer;

static void take_callback(void *ctx, stet_ticket ticket, stet_status st)
{
    (void)ticket;
    *(callback_answer *)ctx = (callback_answer){true, st};
}

/* Wait until it may be worth polling: for the descriptor, or a while. */
static void pause(client *c, int fd, int64_t *pause_ns)
{
    stet_os *os = &c->w->os;
    if (fd >= 0) {
        world_await_readable(c->w, fd);
        return;
    }
    _Atomic uint32_t word = 0;
    os->futex_wait(os, &word, 0, os->monotonic(os) + *pause_ns);
    *pause_ns = *pause_ns < 1000000000 ? 2 * *pause_ns : *pause_ns;
}

/*
 * Have a callback called, and poll; nobody else waits for the write, so it is
 * the committer's.
 */
static stet_status await_callback(client *c, stet_ticket ticket,
                                  stet_error *err)
{
    callback_answer *t = stet__arena_alloc(&c->o->m.arena, sizeof *t);
    int64_t pause_ns = 100000;
    *t = (callback_answer){false, STET_OK};
    int fd = below(c, 2) == 0 ? stet_poll_fd(c->s) : -1;
    stet_status st = stet_on_durable(c->s, ticket, take_callback, t, err);
    if (st != STET_OK) {
        return st;
    }
    (void)stet_poll(c->s);
    while (!t->is_called) {
        pause(c, fd, &pause_ns);
        (void)stet_poll(c->s);
    }
    return t->st;
}

/* Ask again and again, which is nobody's wait either. */
static stet_status await_status(client *c, stet_ticket ticket)
{
    int64_t pause_ns = 100000;
    stet_status st = stet_ticket_status(c->s, ticket);
    while (st == STET_E_BUSY) {
        pause(c, -1, &pause_ns);
        st = stet_ticket_status(c->s, ticket);
    }
    return st;
}

/*
 * By a callback where this client is the one that polls, by asking where
 * somebody works in the background, or by waiting.
 */
static stet_status await(client *c, stet_ticket ticket, stet_error *err)
{
    bool has_threads = !c->w->s.is_sequential;
    if (c->is_polling && below(c, 2) == 0) {
        stet_status st = await_callback(c, ticket, err);
        if (st != STET_E_BUSY && st != STET_E_NOMEM) {
            return st;
        }
    } else if (has_threads && below(c, 4) == 0) {
        return await_status(c, ticket);
    }
    return stet_wait(c->s, ticket, below(c, 4) == 0 ? 1000 : 0, err);
}

static void ignore_callback(void *ctx, stet_ticket ticket, stet_status st)
{
    (void)ctx;
    (void)ticket;
    (void)st;
}

/* A callback that comes whenever somebody polls. */
static void leave_callback(client *c, stet_ticket ticket)
{
    stet_error err = {0};
    stet_status st = stet_on_durable(c->s, ticket, ignore_callback, NULL, &err);
    check_answer(c, "callback", st, &err);
}

/* Several that nobody waits for at first. */
static void write_async(client *c)
{
    size_t idx[ASYNC_MAX];
    stet_ticket tickets[ASYNC_MAX];
    stet_written outs[ASYNC_MAX][MODEL_BATCH_MAX];
    size_t count = 0;
    stet_error err = {0};
    for (size_t i = 1 + below(c, ASYNC_MAX); i > 0; i--) {
        size_t number = below(c, 8) == 0 ? some_repeat(c) : some_batch(c);
        const stet_batch *b = c->o->batches[number];
        idx[count] = oracle_begin(c->o, number);
        stet_status st =
            stet_commit_async(c->s, b, outs[count], &tickets[count], &err);
        check_answer(c, "async batch", st, &err);
        if (st == STET_OK) {
            if (below(c, 8) == 0) {
                leave_callback(c, tickets[count]);
            }
            oracle_placed(c->o, idx[count], outs[count]);
            count++;
        } else {
            oracle_end(c->o, idx[count], st, outs[count], false);
        }
    }
    for (size_t i = 0; i < count; i++) {
        stet_status st = await(c, tickets[i], &err);
        check_answer(c, "wait", st, &err);
        oracle_end(c->o, idx[i], st, outs[i],
                   c->s->start.level == STET_LEVEL_DISK);
    }
}

/* Independent writes that share flushes. */
static void write_many(client *c)
{
    stet_change changes[MANY_MAX];
    size_t idx[MANY_MAX];
    size_t count = 1 + below(c, MANY_MAX);
    for (size_t i = 0; i < count; i++) {
        stet_change change = workload_change(&c->work);
        const stet_batch one = {.changes = &change, .change_count = 1};
        size_t number = oracle_add_batch(c->o, &one);
        changes[i] = *c->o->batches[number]->changes;
        idx[i] = oracle_begin(c->o, number);
    }
    stet_written out[MANY_MAX];
    stet_status each[MANY_MAX];
    stet_error err = {0};
    stet_status st = stet_save_many(c->s, changes, count, out, each, &err);
    for (size_t i = 0; i < count; i++) {
        oracle_end(c->o, idx[i], each[i], &out[i],
                   c->s->start.level == STET_LEVEL_DISK);
    }
    check_answer(c, "many", st, &err);
}

/* ---- reads ---- */

static void ask(client *c)
{
    question q = question_draw(&c->work);
    sighting seen = oracle_look(c->o, &q);
    answer told = {0};
    stet_error err = {0};
    stet_status st = question_ask(&q, c->s, &told, &err);
    check_answer(c, question_name(&q), st, &err);
    if (st == STET_OK) {
        oracle_seen(c->o, &seen, &told);
    }
}

/* ---- checkpoints ---- */

/* Name a point that was settled: what is there does not change any more. */
static void set_checkpoint(client *c)
{
    oracle *o = c->o;
    if (o->m.machine_count == 0) {
        return;
    }
    const model_machine *mm = &o->m.machines[below(c, o->m.machine_count)];
    size_t prefix = 1 + below(c, mm->count);
    bool is_whole = below(c, 4) == 0;
    model_checkpoint what = {
        .name = workload_text(&c->work, "here #%zu", o->checkpoint_count),
        .position = is_whole ? below(c, o->m.log_count + 1)
                             : mm->events[prefix - 1]->said.position,
    };
    stet_checkpoint_opts opts = {.name = what.name, .ns = mm->ns};
    if (is_whole) {
        opts.at = (stet_at){.kind = STET_AT_POSITION, .seq = what.position};
        what.history_size = what.position;
    } else {
        opts.at = (stet_at){.kind = STET_AT_SEQ, .seq = prefix};
        what.ns = mm->ns;
        what.id = mm->id;
        what.turn_number = what.history_size = prefix;
    }
    bool is_there = is_whole || model_is_there(mm, prefix);
    size_t number = oracle_set_checkpoint(o, &what);
    stet_error err = {0};
    stet_status st = stet_checkpoint_set(c->s, what.id, &opts, NULL, &err);
    oracle_checkpoint_set(o, number, st);
    check_answer(c, "checkpoint", st, &err);
    if ((st == STET_OK && !is_there) || (st == STET_E_NOT_FOUND && is_there)) {
        world_fail(c->w, "checkpoint %zu: %s", number, stet_status_name(st));
    }
}

static void delete_checkpoint(client *c)
{
    oracle *o = c->o;
    size_t number = below(c, o->checkpoint_count + 1);
    if (number == o->checkpoint_count || !oracle_delete_checkpoint(o, number)) {
        return;
    }
    model_checkpoint what = o->checkpoints[number].what;
    stet_error err = {0};
    stet_status st =
        stet_checkpoint_delete(c->s, what.id, what.ns, what.name, &err);
    oracle_checkpoint_deleted(o, number, st);
    check_answer(c, "checkpoint's end", st, &err);
    if (stet_status_kind(st) == STET_KIND_NO) {
        world_fail(c->w, "checkpoint %zu was set: %s", number, err.text);
    }
}

/*
 * What a restore writes is the state at the checkpoint, which is settled; the
 * checkpoint may be deleted meanwhile.
 */
static void restore(client *c)
{
    const model *m = &c->o->m;
    if (m->checkpoint_count == 0 || m->machine_count == 0) {
        return;
    }
    const model_checkpoint *from =
        &m->checkpoints[below(c, m->checkpoint_count)];
    const model_machine *mm = from->id.len > 0
                                  ? model_find(m, from->ns, from->id)
                                  : &m->machines[below(c, m->machine_count)];
    const stet_at at = {.kind = STET_AT_CHECKPOINT, .name = from->name};
    size_t prefix = model_prefix(m, mm, &at);
    if (!model_is_there(mm, prefix)) {
        return;
    }
    const model_event *e = mm->events[prefix - 1];
    stet_change change = {.ns = mm->ns};
    workload_decorate(&c->work, &change);
    change.verb = STET_VERB_RESTORE;
    change.id = mm->id;
    change.payload = e->data;
    change.to_state = e->name;
    change.state_type = e->type;
    change.version = e->version;
    change.machine_metadata = e->metadata;
    const stet_batch one = {.changes = &change, .change_count = 1};
    size_t number = oracle_add_batch(c->o, &one);
    size_t idx = oracle_begin(c->o, number);
    c->o->calls[idx].restores = from->name;
    const stet_write_opts opts = {.more = *c->o->batches[number]->changes};
    stet_written out = {0};
    stet_error err = {0};
    world_tell(c->w, "batch %zu restores %.*s", number, (int)mm->id.len,
               (const char *)mm->id.ptr);
    stet_status st =
        stet_checkpoint_restore(c->s, mm->id, from->name, &opts, &out, &err);
    oracle_end(c->o, idx, st, &out, c->s->start.level == STET_LEVEL_DISK);
    check_answer(c, "restore", st, &err);
}

/* ---- the rest ---- */

static void sync_all(client *c)
{
    uint64_t began = ++c->w->instant;
    stet_error err = {0};
    stet_status st = stet_sync(c->s, &err);
    check_answer(c, "sync", st, &err);
    if (st == STET_OK) {
        oracle_synced(c->o, began);
    }
}

static void work(client *c)
{
    bool is_more = true;
    stet_status st = STET_OK;
    stet_error err = {0};
    for (size_t i = below(c, 6); i > 0 && st == STET_OK && is_more; i--) {
        st = stet_step(c->s, &is_more, &err);
    }
    check_answer(c, "step", st, &err);
}

static void inspect(client *c)
{
    stet_verify_report report = {0};
    stet_error err = {0};
    stet_status st = below(c, 2) == 0
                         ? stet_verify(c->s, NULL, NULL, &report, &err)
                         : stet_reindex(c->s, NULL, &err);
    check_answer(c, "inspection", st, &err);
}

void client_compact(oracle *o, stet *s)
{
    stet_error err = {0};
    o->compactions++;
    stet_status st = stet_compact(s, &err);
    o->compactions--;
    check_answer_of(o->w, s, "compact", st, &err);
}

/* Numbers, which only have to fit what was told. */
static void inform(client *c)
{
    uint64_t floor = c->o->floor;
    stet_info info = {0};
    stet_error err = {0};
    stet_status st = stet_get_info(c->s, &info, &err);
    check_answer(c, "info", st, &err);
    if (st == STET_OK && info.events < floor) {
        world_fail(c->w, "%llu events are said to be there of %llu told",
                   (unsigned long long)info.events, (unsigned long long)floor);
    }
}

/* Nobody else may write. */
static void intrude(client *c)
{
    stet_error err = {0};
    if (c->s->start.is_readonly) {
        return;
    }
    stet_status st = visitor_intrude(c->o, &err);
    world_tell(c->w, "intrusion: %s", stet_status_name(st));
    if (st != STET_E_LOCKED && !is_excused(c->w, c->s, st)) {
        world_fail(c->w, "another process may write: %s", stet_status_name(st));
    }
}

static void visit(client *c)
{
    stet_error err = {0};
    stet_status st = visitor_call(c->o, &c->work.random, &err);
    check_answer(c, "visit", st, &err);
    if (stet_status_kind(st) == STET_KIND_NO) {
        world_fail(c->w, "a visit: %s", err.text);
    }
}

static void back_up(client *c)
{
    stet_error err = {0};
    bool is_restore = below(c, 3) == 0;
    stet_status st = is_restore
                         ? archive_restore(c->o, &c->work.random, &err)
                         : archive_back_up(c->o, c->s, &c->work.random, &err);
    if (st != STET_E_LOCKED) { /* another client is at it */
        check_answer(c, is_restore ? "restore" : "backup", st, &err);
    }
}

static void flush_all(client *c)
{
    uint64_t began = ++c->w->instant;
    stet_error err = {0};
    stet_status st = stet_flush(c->s, &err);
    check_answer(c, "flush", st, &err);
    if (st == STET_OK) {
        oracle_flushed(c->o, began, c->s->start.level == STET_LEVEL_DISK);
    }
}

static void write_some(client *c)
{
    size_t dice = c->w->s.has_deferred ? below(c, 20) : 20;
    if (dice == 0) {
        flush_all(c);
    } else if (dice < 8) {
        write_deferred(c);
    } else {
        write_one(c, some_batch(c));
    }
}

static void write_again(client *c)
{
    write_one(c, some_repeat(c));
}

static void compact(client *c)
{
    client_compact(c->o, c->s);
}

/* What a client does, and how often. */
static const struct {
    unsigned weight;
    void (*act)(client *c);
} acts[] = {
    {460, write_some}, {80, write_again},    {100, write_async},
    {60, write_many},  {207, ask},           {20, sync_all},
    {10, restore},     {10, set_checkpoint}, {10, delete_checkpoint},
    {8, work},         {4, inspect},         {2, inform},
    {8, visit},        {6, intrude},         {10, compact},
    {5, back_up},
};

enum { ACTS = sizeof acts / sizeof acts[0], WEIGHTS = 1000 };

static void act(client *c)
{
    size_t dice = below(c, WEIGHTS);
    for (size_t i = 0; i < ACTS; i++) {
        if (dice < acts[i].weight) {
            acts[i].act(c);
            return;
        }
        dice -= acts[i].weight;
    }
    world_fail(c->w, "the weights of the acts are no %d", WEIGHTS);
}

void client_run(void *ctx)
{
    client *c = ctx;
    for (unsigned i = 0; i < c->ops; i++) {
        act(c);
    }
    /* Others go on writing, if they can, for as long as somebody compacts. */
    bool may_write = !c->w->is_scarce;
    for (unsigned i = 0; c->o->compactions > 0 && may_write; i++) {
        if (i == WRITES_BESIDE_MAX) {
            world_fail(c->w, "a compaction does not end beside a writer");
        }
        write_some(c);
        c->w->os.yield(&c->w->os); /* what is refused takes no time */
        may_write = !stet__pipeline_is_poisoned(&c->s->pipeline);
    }
}
