#include "engine/pipeline.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "lib/fakelog.h"

enum { CALLERS = 8, SMALL = 100, WORTHY = STET_GROUP_WORTH_BYTES };

/* A caller with one batch; on a thread, since it may have to wait. */
typedef struct caller {
    struct fixture *x;
    uint64_t thread;
    size_t bytes;
    uint32_t events;
    uint64_t position; /* of its last event */
    int64_t recorded;
    _Atomic uint32_t is_done;
    stet_status taken;
    stet_status st;
} caller;

typedef struct fixture {
    stet_os os;
    int64_t now;
    fakelog log;
    stet_pipeline p;
    caller callers[CALLERS];
    size_t count;
    _Atomic uint32_t publishes;
    _Atomic uint32_t works;
} fixture;

static int64_t now(stet_os *os)
{
    return ((fixture *)os)->now;
}

static void on_publish(void *ctx, bool has_work)
{
    fixture *x = ctx;
    atomic_fetch_add(&x->publishes, 1);
    atomic_fetch_add(&x->works, has_work);
}

static void begin_at(fixture *x, uint32_t depth, stet_level level)
{
    memset(x, 0, sizeof *x);
    x->os = *stet__os_posix();
    x->os.now = now;
    x->now = 1000;
    fakelog_init(&x->log, &x->os, 1024 * 1024);
    stet_log_start start = {.next_position = 1, .level = level};
    stet_pipeline_opts opts = {depth, UINT64_MAX};
    stet__pipeline_init(&x->p, &x->os, &x->log.log, &start, &opts);
    x->p.on_publish = on_publish;
    x->p.ctx = x;
}

static void begin(fixture *x, uint32_t depth)
{
    begin_at(x, depth, STET_LEVEL_DISK);
}

static void end(fixture *x)
{
    assert_int_equal(atomic_load(&x->log.broken), 0);
    fakelog_deinit(&x->log);
}

/* Take room as the sequenced section does. */
static stet_status take(caller *c, stet_room *room)
{
    stet_pipeline *p = &c->x->p;
    stet__mutex_lock(p->os, &p->seq);
    stet_status st = stet__pipeline_room_locked(p, c->bytes, room, NULL);
    if (st == STET_OK) {
        stet__pipeline_take_locked(p, room, c->bytes, c->events);
    }
    stet__mutex_unlock(p->os, &p->seq);
    if (st == STET_OK) {
        memset(room->at, 'r', c->bytes);
        c->position = room->first_position + c->events - 1;
        c->recorded = room->recorded;
        stet__pipeline_filled(p, room->group);
    }
    return st;
}

static void sequence(caller *c, stet_room *room)
{
    c->taken = take(c, room);
    while (c->taken == STET_E_BUSY) {
        c->taken = stet__pipeline_make_room(&c->x->p, c->bytes, NULL);
        c->taken = c->taken == STET_OK ? take(c, room) : c->taken;
    }
}

static void commit(void *ctx)
{
    caller *c = ctx;
    stet_room room = {0};
    sequence(c, &room);
    c->st = c->taken;
    if (c->taken == STET_OK) {
        c->st = stet__pipeline_wait(&c->x->p, room.group, c->position, 0, NULL);
    }
    atomic_store(&c->is_done, 1);
}

static caller *new_caller(fixture *x, size_t bytes, uint32_t events)
{
    caller *c = &x->callers[x->count++];
    *c = (caller){.x = x, .bytes = bytes, .events = events};
    return c;
}

/* Commit on a thread of its own; returns when the batch is sequenced. */
static caller *start(fixture *x, size_t bytes, uint32_t events)
{
    caller *c = new_caller(x, bytes, events);
    stet_pipeline *p = &x->p;
    stet__mutex_lock(p->os, &p->seq);
    uint64_t before = p->next_position;
    stet__mutex_unlock(p->os, &p->seq);
    assert_int_equal(x->os.thread_start(&x->os, commit, c, &c->thread), 0);
    for (bool is_sequenced = false; !is_sequenced;) {
        x->os.yield(&x->os);
        stet__mutex_lock(p->os, &p->seq);
        is_sequenced = p->next_position > before;
        stet__mutex_unlock(p->os, &p->seq);
        is_sequenced = is_sequenced || atomic_load(&c->is_done) != 0;
    }
    return c;
}

static void join_all(fixture *x)
{
    for (size_t i = 0; i < x->count; i++) {
        if (x->callers[i].thread != 0) {
            x->os.thread_join(&x->os, x->callers[i].thread);
        }
    }
}

/* Sequence a batch and do not wait for it. */
static caller *leave(fixture *x, size_t bytes, uint32_t events)
{
    caller *c = new_caller(x, bytes, events);
    stet_room room = {0};
    sequence(c, &room);
    assert_int_equal(c->taken, STET_OK);
    return c;
}

static stet_status status_of(fixture *x, const caller *c)
{
    return stet__pipeline_wait(&x->p, NULL, c->position, 1, NULL);
}

/* ---- sharing ---- */

/* Alone there is nobody to wait for: each batch is a frame at once. */
static void test_a_lone_writer_writes_at_once(void **state)
{
    (void)state;
    fixture x;
    begin(&x, 4);
    for (uint32_t i = 1; i <= 5; i++) {
        caller *c = new_caller(&x, SMALL, 2);
        commit(c);
        assert_int_equal(c->st, STET_OK);
        assert_int_equal(c->position, 2 * i);
        assert_int_equal(atomic_load(&x.log.written), i);
        assert_int_equal(stet__watermark(&x.p), 2 * i + 1);
        assert_int_equal(atomic_load(&x.log.watermark), 2 * i + 1);
        assert_int_equal(atomic_load(&x.publishes), i);
    }
    end(&x);
}

/* Whoever comes while a small frame is written shares the next one. */
static void test_writers_share_the_frame_after_the_one_in_flight(void **state)
{
    (void)state;
    fixture x;
    begin(&x, 4);
    atomic_store(&x.log.held, 1);
    (void)start(&x, SMALL, 1);
    fakelog_await_writing(&x.log, 1);
    for (int i = 0; i < 4; i++) {
        (void)start(&x, SMALL, 1);
    }
    assert_int_equal(atomic_load(&x.log.sealed), 1);
    fakelog_let_go(&x.log, 1);
    join_all(&x);
    assert_int_equal(atomic_load(&x.log.sealed), 2);
    assert_int_equal(x.log.events[1], 4);
    for (size_t i = 0; i < x.count; i++) {
        assert_int_equal(x.callers[i].st, STET_OK);
    }
    end(&x);
}

/* A frame's worth of bytes does not wait for the one before. */
static void test_enough_bytes_fly_beside_the_frame_before(void **state)
{
    (void)state;
    fixture x;
    begin(&x, 3);
    atomic_store(&x.log.held, UINT64_MAX);
    for (uint32_t i = 1; i <= 3; i++) {
        (void)start(&x, WORTHY, 1);
        fakelog_await_writing(&x.log, i);
    }
    (void)start(&x, WORTHY, 1); /* all places are taken */
    assert_int_equal(atomic_load(&x.log.sealed), 3);
    fakelog_let_go(&x.log, UINT64_MAX);
    join_all(&x);
    assert_int_equal(atomic_load(&x.log.sealed), 4);
    assert_int_equal(stet__watermark(&x.p), 5);
    end(&x);
}

/* A later frame may be written first; nobody hears of it before its turn. */
static void test_the_watermark_moves_in_order_of_frames(void **state)
{
    (void)state;
    fixture x;
    begin(&x, 3);
    atomic_store(&x.log.held, UINT64_MAX);
    caller *c[3];
    for (uint32_t i = 0; i < 3; i++) {
        c[i] = start(&x, WORTHY, 1);
        fakelog_await_writing(&x.log, i + 1);
    }
    fakelog_let_go(&x.log, 1 << 2);
    fakelog_let_go(&x.log, 1 << 1);
    while (atomic_load(&x.log.written) < 2) {
        x.os.yield(&x.os);
    }
    assert_int_equal(stet__watermark(&x.p), 1);
    assert_int_equal(status_of(&x, c[1]), STET_E_TIMEOUT);
    assert_int_equal(status_of(&x, c[2]), STET_E_TIMEOUT);
    fakelog_let_go(&x.log, 1);
    join_all(&x);
    assert_int_equal(stet__watermark(&x.p), 4);
    assert_int_equal(atomic_load(&x.publishes), 1); /* all three at once */
    end(&x);
}

/* A frame that begins a segment rests on the whole segment before it. */
static void test_a_turn_is_written_when_nothing_else_is(void **state)
{
    (void)state;
    fixture x;
    begin(&x, 4);
    atomic_store(&x.log.held, 1);
    (void)start(&x, SMALL, 1);
    fakelog_await_writing(&x.log, 1);
    x.log.turns = true;
    (void)leave(&x, WORTHY, 1);
    assert_false(stet__pipeline_lead(&x.p, false));
    assert_false(stet__pipeline_lead(&x.p, true));
    assert_false(stet__pipeline_has_work(&x.p));
    fakelog_let_go(&x.log, 1);
    join_all(&x);
    (void)stet__pipeline_lead(&x.p, false);
    assert_int_equal(stet__watermark(&x.p), 3);
    assert_int_equal(atomic_load(&x.works), 1);
    end(&x);
}

/* A refusal of the log is no cause: told as one it would say itself twice. */
static void test_a_refusal_is_not_told_as_a_cause(void **state)
{
    (void)state;
    fixture x;
    begin(&x, 4);
    stet_error refusal = {.status = STET_E_READONLY, .text = "refused"};
    stet__pipeline_poison(&x.p, &refusal);
    stet_error err = {0};
    assert_int_equal(stet__pipeline_wait(&x.p, NULL, 1, 0, &err),
                     STET_E_UNKNOWN);
    assert_string_equal(err.text,
                        "the write or its sync failed; reopen the store");
    end(&x);
}

/* A batch larger than a group goes alone; nobody overtakes it. */
static void test_a_large_batch_goes_alone(void **state)
{
    (void)state;
    fixture x;
    begin(&x, 4);
    x.log.cap = 16 * 1024 * 1024;
    atomic_store(&x.log.held, 1);
    (void)start(&x, SMALL, 1);
    fakelog_await_writing(&x.log, 1);
    (void)leave(&x, SMALL, 1);
    caller *large = start(&x, STET_GROUP_BYTES_MAX + 1, 1);
    (void)start(&x, SMALL, 1);
    assert_int_equal(large->position, 3);
    fakelog_let_go(&x.log, 1);
    join_all(&x);
    (void)stet__pipeline_lead(&x.p, false);
    assert_int_equal(stet__watermark(&x.p), 5);
    assert_int_equal(x.log.first_positions[2], 3);
    assert_int_equal(x.log.events[2], 1);
    end(&x);
}

/* Memory for what is not written yet has a limit, however many want it. */
static void test_the_queue_is_bounded_in_bytes(void **state)
{
    (void)state;
    fixture x;
    begin(&x, 4);
    x.p.queue_bytes = 3 * WORTHY;
    atomic_store(&x.log.held, 1);
    caller *first = start(&x, WORTHY, 1);
    fakelog_await_writing(&x.log, 1);
    (void)leave(&x, SMALL, 1);
    stet_room room = {0};
    caller large = {.x = &x, .bytes = 2 * WORTHY, .events = 1};
    assert_int_equal(take(&large, &room), STET_E_BUSY);
    caller fits = {.x = &x, .bytes = WORTHY, .events = 1};
    assert_int_equal(take(&fits, &room), STET_OK);
    caller *waits = new_caller(&x, 2 * WORTHY, 1);
    assert_int_equal(x.os.thread_start(&x.os, commit, waits, &waits->thread),
                     0);
    fakelog_let_go(&x.log, 1);
    join_all(&x);
    assert_int_equal(first->st, STET_OK);
    assert_int_equal(waits->st, STET_OK);
    assert_int_equal(atomic_load(&x.log.rooms), 0);
    assert_int_equal(x.p.queued_bytes, 0);
    caller *huge = new_caller(&x, 8 * WORTHY, 1); /* alone it goes */
    commit(huge);
    assert_int_equal(huge->st, STET_OK);
    end(&x);
}

/* Frames' stamps rise, also when the system's clock stands still or falls. */
static void test_the_stamps_of_frames_rise(void **state)
{
    (void)state;
    fixture x;
    begin(&x, 1);
    static const int64_t clocks[] = {1000, 1000, 500, 1001, 2000};
    static const int64_t stamps[] = {1000, 1001, 1002, 1003, 2000};
    for (size_t i = 0; i < 5; i++) {
        x.now = clocks[i];
        caller *c = new_caller(&x, SMALL, 1);
        commit(c);
        assert_int_equal(c->recorded, stamps[i]);
    }
    end(&x);
}

/* ---- failing ---- */

static void claim_poisoned(fixture *x, uint64_t watermark)
{
    assert_true(stet__pipeline_is_poisoned(&x->p));
    assert_int_equal(stet__watermark(&x->p), watermark);
    assert_int_equal(atomic_load(&x->log.watermark), watermark);
    uint32_t sealed = atomic_load(&x->log.sealed);
    caller late = {.x = x, .bytes = SMALL, .events = 1};
    stet_room room = {0};
    sequence(&late, &room);
    assert_int_equal(late.taken, STET_E_READONLY);
    assert_false(stet__pipeline_lead(&x->p, true));
    assert_false(stet__pipeline_has_work(&x->p));
    assert_int_equal(atomic_load(&x->log.sealed), sealed);
}

/*
 * After a failed write nobody knows what is on disk: all that is not durable is
 * lost to its callers, also what was written behind it, and nothing follows.
 */
static void test_a_failed_write_loses_all_that_is_not_durable(void **state)
{
    (void)state;
    fixture x;
    begin(&x, 3);
    caller *durable = new_caller(&x, SMALL, 1);
    commit(durable);
    atomic_store(&x.log.held, UINT64_MAX);
    caller *c[4];
    for (uint32_t i = 0; i < 3; i++) {
        c[i] = start(&x, WORTHY, 1);
        fakelog_await_writing(&x.log, i + 1);
    }
    c[3] = start(&x, SMALL, 1); /* still open */
    fakelog_let_go(&x.log, 1 << 3);
    atomic_store(&x.log.fails, 1 << 2);
    fakelog_let_go(&x.log, 1 << 2);
    while (!stet__pipeline_is_poisoned(&x.p)) {
        x.os.yield(&x.os);
    }
    fakelog_let_go(&x.log, 1 << 1); /* succeeds, and no longer matters */
    join_all(&x);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(c[i]->st, STET_E_UNKNOWN);
        assert_int_equal(status_of(&x, c[i]), STET_E_UNKNOWN);
    }
    assert_int_equal(durable->st, STET_OK);
    assert_int_equal(status_of(&x, durable), STET_OK);
    claim_poisoned(&x, 2);
    end(&x);
}

/* A frame that cannot be sealed is lost like one that cannot be written. */
static void test_a_failed_seal_loses_what_was_to_be_sealed(void **state)
{
    (void)state;
    fixture x;
    begin(&x, 3);
    commit(new_caller(&x, SMALL, 1));
    atomic_store(&x.log.bad, 1 << 1);
    caller *c = new_caller(&x, SMALL, 1);
    commit(c);
    assert_int_equal(c->st, STET_E_UNKNOWN);
    assert_int_equal(atomic_load(&x.log.written), 1);
    claim_poisoned(&x, 2);
    end(&x);
}

/* What is written before the failed one, in order, is durable and told so. */
static void test_what_came_before_the_failed_frame_is_kept(void **state)
{
    (void)state;
    fixture x;
    begin(&x, 3);
    atomic_store(&x.log.held, UINT64_MAX);
    caller *first = start(&x, WORTHY, 1);
    fakelog_await_writing(&x.log, 1);
    caller *second = start(&x, WORTHY, 1);
    fakelog_await_writing(&x.log, 2);
    fakelog_let_go(&x.log, 1);
    while (atomic_load(&first->is_done) == 0) {
        x.os.yield(&x.os);
    }
    atomic_store(&x.log.fails, 1 << 1);
    fakelog_let_go(&x.log, 1 << 1);
    join_all(&x);
    assert_int_equal(first->st, STET_OK);
    assert_int_equal(second->st, STET_E_UNKNOWN);
    claim_poisoned(&x, 2);
    end(&x);
}

/* Full is a state of the disk that passes; broken is not. */
static void test_only_a_broken_log_poisons_when_it_has_no_room(void **state)
{
    (void)state;
    static const stet_status passing[] = {STET_E_NOSPACE, STET_E_NOMEM};
    fixture x;
    begin(&x, 2);
    x.log.cap = 0;
    for (size_t i = 0; i < 2; i++) {
        atomic_store(&x.log.room_status, (uint32_t)passing[i]);
        caller full = {.x = &x, .bytes = SMALL, .events = 1};
        commit(&full);
        assert_int_equal(full.st, passing[i]);
        assert_false(stet__pipeline_is_poisoned(&x.p));
    }
    atomic_store(&x.log.room_status, STET_OK);
    caller again = {.x = &x, .bytes = SMALL, .events = 1};
    commit(&again);
    assert_int_equal(again.st, STET_OK);
    x.log.cap = 0;
    atomic_store(&x.log.room_status, STET_E_IO);
    caller broken = {.x = &x, .bytes = SMALL, .events = 1};
    commit(&broken);
    assert_int_equal(broken.st, STET_E_IO);
    claim_poisoned(&x, 2);
    end(&x);
}

/* ---- syncing ---- */

/* Below level disk a sync is what makes durable; nothing is written beside. */
static void test_a_sync_makes_all_durable_that_was_sequenced(void **state)
{
    (void)state;
    fixture x;
    begin_at(&x, 3, STET_LEVEL_OS);
    assert_int_equal(stet__pipeline_sync(&x.p, NULL), STET_OK);
    assert_int_equal(atomic_load(&x.log.syncs), 0); /* there is nothing */
    commit(new_caller(&x, SMALL, 1));
    (void)leave(&x, SMALL, 2);
    assert_int_equal(atomic_load(&x.log.synced), 1);
    assert_int_equal(stet__pipeline_sync(&x.p, NULL), STET_OK);
    assert_int_equal(atomic_load(&x.log.syncs), 1);
    assert_int_equal(atomic_load(&x.log.synced), 4);
    assert_int_equal(stet__pipeline_sync(&x.p, NULL), STET_OK);
    assert_int_equal(atomic_load(&x.log.syncs), 1); /* nothing is new */
    end(&x);
}

/* At level disk what is published is synced, and a sync costs nothing. */
static void test_a_durable_write_needs_no_sync(void **state)
{
    (void)state;
    fixture x;
    begin(&x, 3);
    commit(new_caller(&x, SMALL, 1));
    assert_int_equal(stet__pipeline_sync(&x.p, NULL), STET_OK);
    assert_int_equal(atomic_load(&x.log.syncs), 0);
    assert_int_equal(atomic_load(&x.log.synced), 2);
    end(&x);
}

/* A sync that failed is never tried again: the handle is done with writing. */
static void test_a_failed_sync_poisons(void **state)
{
    (void)state;
    fixture x;
    begin_at(&x, 3, STET_LEVEL_OS);
    caller *c = new_caller(&x, SMALL, 1);
    commit(c);
    atomic_store(&x.log.sync_fails, 1);
    assert_int_equal(stet__pipeline_sync(&x.p, NULL), STET_E_UNKNOWN);
    atomic_store(&x.log.sync_fails, 0);
    assert_int_not_equal(stet__pipeline_sync(&x.p, NULL), STET_OK);
    assert_int_equal(atomic_load(&x.log.syncs), 1);
    assert_int_equal(atomic_load(&x.log.synced), 1);
    assert_int_equal(status_of(&x, c), STET_OK); /* at the store's level */
    claim_poisoned(&x, 2);
    end(&x);
}

static void sync_it(void *ctx)
{
    caller *c = ctx;
    c->st = stet__pipeline_sync(&c->x->p, NULL);
    atomic_store(&c->is_done, 1);
}

/* Nothing is written beside a sync: neither what began before it, nor after. */
static void test_a_sync_and_writes_wait_for_each_other(void **state)
{
    (void)state;
    fixture x;
    begin_at(&x, 3, STET_LEVEL_OS);
    atomic_store(&x.log.held, UINT64_MAX);
    (void)start(&x, WORTHY, 1);
    fakelog_await_writing(&x.log, 1);
    caller *syncer = new_caller(&x, 0, 0);
    assert_int_equal(x.os.thread_start(&x.os, sync_it, syncer, &syncer->thread),
                     0);
    for (int i = 0; i < 1000; i++) { /* so that it asks for the first only */
        x.os.yield(&x.os);
    }
    (void)start(&x, WORTHY, 1);
    fakelog_await_writing(&x.log, 2);
    fakelog_let_go(&x.log, 1);
    for (int i = 0; i < 1000; i++) { /* the second one is in its way */
        x.os.yield(&x.os);
    }
    assert_int_equal(atomic_load(&x.log.syncs), 0);
    (void)start(&x, WORTHY, 1);
    fakelog_let_go(&x.log, UINT64_MAX);
    join_all(&x);
    assert_int_equal(syncer->st, STET_OK);
    assert_int_equal(atomic_load(&x.log.syncs), 1);
    assert_true(atomic_load(&x.log.synced) >= 2);
    assert_int_equal(stet__watermark(&x.p), 4);
    end(&x);
}

/* Writers go on after a sync that held them back, also those who slept. */
static void test_writers_go_on_after_a_sync(void **state)
{
    (void)state;
    fixture x;
    begin_at(&x, 2, STET_LEVEL_OS);
    for (int round = 0; round < 20; round++) {
        x.count = 0;
        caller *syncer = new_caller(&x, 0, 0);
        assert_int_equal(
            x.os.thread_start(&x.os, sync_it, syncer, &syncer->thread), 0);
        for (int i = 0; i < 3 && x.log.buffer_count < 60; i++) {
            (void)start(&x, SMALL, 1);
        }
        join_all(&x);
        for (size_t i = 0; i < x.count; i++) {
            assert_int_equal(x.callers[i].st, STET_OK);
        }
    }
    end(&x);
}

/* ---- waiting ---- */

/* Nobody waits longer than he said, nor for what will never come. */
static void test_a_wait_ends_at_its_deadline(void **state)
{
    (void)state;
    fixture x;
    begin(&x, 2);
    atomic_store(&x.log.held, 1);
    (void)start(&x, SMALL, 1);
    fakelog_await_writing(&x.log, 1);
    stet_error err = {0};
    int64_t soon = x.os.monotonic(&x.os) + 1000000;
    assert_int_equal(stet__pipeline_wait(&x.p, NULL, 1, soon, &err),
                     STET_E_TIMEOUT);
    assert_true(x.os.monotonic(&x.os) >= soon);
    assert_string_equal(err.text, "position 1 is not durable yet");
    fakelog_let_go(&x.log, 1);
    join_all(&x);
    assert_int_equal(stet__pipeline_wait(&x.p, NULL, 1, 1, &err), STET_OK);
    end(&x);
}

/* Who only waits for a ticket writes it himself when nobody else does. */
static void test_a_waiter_leads_what_nobody_leads(void **state)
{
    (void)state;
    fixture x;
    begin(&x, 2);
    caller *c = leave(&x, SMALL, 1);
    assert_int_equal(atomic_load(&x.log.sealed), 0);
    assert_true(stet__pipeline_has_work(&x.p));
    assert_int_equal(stet__pipeline_wait(&x.p, NULL, c->position, 0, NULL),
                     STET_OK);
    assert_false(stet__pipeline_has_work(&x.p));
    end(&x);
}

static void background(void *ctx)
{
    caller *c = ctx;
    stet_pipeline *p = &c->x->p;
    for (int i = 0; i < 2000; i++) {
        stet__pipeline_work_begin(p);
        c->bytes++; /* not atomic: theirs alone while they work */
        stet__pipeline_work_end(p);
    }
}

/* Background work is one caller's at a time, whoever does it. */
static void test_background_work_is_one_callers_at_a_time(void **state)
{
    (void)state;
    fixture x;
    begin(&x, 2);
    caller *shared = new_caller(&x, 0, 0);
    uint64_t threads[3];
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(
            x.os.thread_start(&x.os, background, shared, &threads[i]), 0);
    }
    for (size_t i = 0; i < 3; i++) {
        x.os.thread_join(&x.os, threads[i]);
    }
    assert_int_equal(shared->bytes, 6000);
    end(&x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_lone_writer_writes_at_once),
        cmocka_unit_test(test_writers_share_the_frame_after_the_one_in_flight),
        cmocka_unit_test(test_enough_bytes_fly_beside_the_frame_before),
        cmocka_unit_test(test_the_watermark_moves_in_order_of_frames),
        cmocka_unit_test(test_a_turn_is_written_when_nothing_else_is),
        cmocka_unit_test(test_a_refusal_is_not_told_as_a_cause),
        cmocka_unit_test(test_a_large_batch_goes_alone),
        cmocka_unit_test(test_the_queue_is_bounded_in_bytes),
        cmocka_unit_test(test_the_stamps_of_frames_rise),
        cmocka_unit_test(test_a_failed_write_loses_all_that_is_not_durable),
        cmocka_unit_test(test_a_failed_seal_loses_what_was_to_be_sealed),
        cmocka_unit_test(test_what_came_before_the_failed_frame_is_kept),
        cmocka_unit_test(test_only_a_broken_log_poisons_when_it_has_no_room),
        cmocka_unit_test(test_a_sync_makes_all_durable_that_was_sequenced),
        cmocka_unit_test(test_a_durable_write_needs_no_sync),
        cmocka_unit_test(test_a_failed_sync_poisons),
        cmocka_unit_test(test_a_sync_and_writes_wait_for_each_other),
        cmocka_unit_test(test_writers_go_on_after_a_sync),
        cmocka_unit_test(test_a_wait_ends_at_its_deadline),
        cmocka_unit_test(test_a_waiter_leads_what_nobody_leads),
        cmocka_unit_test(test_background_work_is_one_callers_at_a_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
