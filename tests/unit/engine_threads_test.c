/*
 * Many threads on one handle. A thread sanitizer sees here whether the engine
 * orders what it shares; the claims see whether it counts right.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "engine/handle.h"
#include "lib/rng.h"
#include "lib/store_under_test.h"

enum { THREADS = 4, MACHINES = 3, ROUNDS = 400 };

typedef struct crew crew;

/* One thread of a crew. */
typedef struct member {
    crew *crew;
    size_t idx;
    rng random;
    uint64_t thread;
    uint64_t *seqs; /* what it was told, ROUNDS of them */
} member;

/* Threads that do the same on one store. */
struct crew {
    store_under_test *t;
    member members[THREADS + 1];
    _Atomic uint64_t acked[MACHINES]; /* greatest seq told to a writer */
    _Atomic uint32_t wrong;           /* claims that did not hold */
    _Atomic uint32_t writing;         /* writers not done yet */
};

/* cmocka's claims jump, which threads may not: they note, main claims. */
static bool note(crew *c, bool is_right, const char *claim, int line)
{
    if (!is_right) {
        print_error("line %d: not so: %s\n", line, claim);
        atomic_fetch_add(&c->wrong, 1);
    }
    return is_right;
}
#define NOTE(c, claim) note((c), (claim), #claim, __LINE__)

static void begin(crew *c, store_under_test *t)
{
    memset(c, 0, sizeof *c);
    c->t = t;
    for (size_t i = 0; i <= THREADS; i++) {
        c->members[i] = (member){.crew = c, .idx = i, .random = {i + 1}};
        c->members[i].seqs = calloc(ROUNDS, sizeof(uint64_t));
        assert_non_null(c->members[i].seqs);
    }
}

static void start(crew *c, size_t idx, stet_os_thread_fn fn)
{
    stet_os *os = &c->t->os;
    assert_int_equal(
        os->thread_start(os, fn, &c->members[idx], &c->members[idx].thread), 0);
}

static void join(crew *c, size_t idx)
{
    c->t->os.thread_join(&c->t->os, c->members[idx].thread);
}

static void run(crew *c, stet_os_thread_fn fn)
{
    atomic_store(&c->writing, THREADS);
    for (size_t i = 0; i < THREADS; i++) {
        start(c, i, fn);
    }
    for (size_t i = 0; i < THREADS; i++) {
        join(c, i);
    }
}

static void end(crew *c)
{
    for (size_t i = 0; i <= THREADS; i++) {
        free(c->members[i].seqs);
    }
    assert_int_equal(atomic_load(&c->wrong), 0);
}

static stet_slice machine(size_t idx)
{
    static const char *const ids[MACHINES] = {"m0", "m1", "m2"};
    return stet_str(ids[idx]);
}

static void open_small(store_under_test *t)
{
    store_close(t);
    t->opts.cache_bytes = 4096;
    t->opts.segment_bytes = 16 * 1024;
    t->opts.settle_segments = 2;
    t->opts.base_events = 7;
    store_open(t);
}

/* ---- every write once ---- */

/* Append "thread:round" to some machine. */
static void append(void *ctx)
{
    member *me = ctx;
    crew *c = me->crew;
    for (size_t i = 0; i < ROUNDS; i++) {
        char text[32];
        (void)snprintf(text, sizeof text, "%zu:%zu", me->idx, i);
        stet_written w = {0};
        stet_status st = stet_append(c->t->s, machine(i % MACHINES),
                                     stet_str(text), NULL, &w, NULL);
        NOTE(c, st == STET_OK);
        me->seqs[i] = w.seq;
    }
}

/* Each event of a machine is the one that some thread was told of. */
static void claim_events(crew *c, size_t idx)
{
    stet_error err = {0};
    stet_history *h = NULL;
    const stet_event *e = NULL;
    assert_status(stet_history_open(c->t->s, machine(idx), NULL, &h, &err),
                  STET_OK, &err);
    uint64_t seq = 0;
    stet_status st = stet_history_next(h, &e, &err);
    for (; st == STET_OK; st = stet_history_next(h, &e, &err)) {
        char text[32] = {0};
        memcpy(text, e->payload.ptr, e->payload.len);
        char *round = NULL;
        size_t thread = strtoul(text, &round, 10);
        size_t i = strtoul(round + 1, NULL, 10);
        assert_int_equal(e->seq, ++seq);
        assert_int_equal(i % MACHINES, idx);
        assert_int_equal(c->members[thread].seqs[i], seq);
        c->members[thread].seqs[i] = 0; /* and no other is the same */
    }
    assert_status(st, STET_DONE, &err);
    stet_history_close(h);
}

/* An acknowledged write is there, once, at the seq that was told. */
static void test_each_acknowledged_write_is_there_exactly_once(void **state)
{
    crew c;
    begin(&c, *state);
    open_small(*state);
    run(&c, append);
    for (size_t i = 0; i < MACHINES; i++) {
        claim_events(&c, i);
    }
    for (size_t i = 0; i < THREADS; i++) {
        for (size_t k = 0; k < ROUNDS; k++) {
            assert_int_equal(c.members[i].seqs[k], 0); /* all were found */
        }
    }
    end(&c);
}

/* Add one to the machine's number, if nobody else did meanwhile. */
static bool increment(crew *c, stet_slice id)
{
    const stet_state *state = NULL;
    stet_write_opts o = {.more = {.expect = {STET_EXPECT_NONE, 0}}};
    unsigned long n = 0;
    if (stet_load(c->t->s, id, NULL, &state, NULL) == STET_OK) {
        char text[32] = {0};
        memcpy(text, state->state_data.ptr, state->state_data.len);
        n = strtoul(text, NULL, 10);
        o.more.expect = (stet_expect){STET_EXPECT_EXACT, state->seq};
        NOTE(c, n == state->seq);
        stet_state_release(state);
    }
    char text[32];
    (void)snprintf(text, sizeof text, "%lu", n + 1);
    stet_written w = {0};
    stet_status st = stet_save(c->t->s, id, stet_str(text), &o, &w, NULL);
    NOTE(c, st == STET_OK || st == STET_E_CONFLICT || st == STET_E_EXISTS);
    NOTE(c, st != STET_OK || w.seq == n + 1);
    return st == STET_OK;
}

static void count_up(void *ctx)
{
    member *me = ctx;
    for (size_t i = 0; i < ROUNDS / 4; i++) {
        while (!increment(me->crew, machine(rng_below(&me->random, 2)))) {
        }
    }
}

/* Two who read the same state cannot both write on it. */
static void test_expected_versions_lose_no_update(void **state)
{
    crew c;
    begin(&c, *state);
    open_small(*state);
    run(&c, count_up);
    uint64_t sum = 0;
    for (size_t i = 0; i < 2; i++) {
        const stet_state *got = store_load(c.t, i == 0 ? "m0" : "m1");
        char text[32] = {0};
        memcpy(text, got->state_data.ptr, got->state_data.len);
        assert_int_equal(strtoul(text, NULL, 10), got->seq);
        sum += got->seq;
        stet_state_release(got);
    }
    assert_int_equal(sum, THREADS * (ROUNDS / 4));
    end(&c);
}

/* The same keys from all threads at once, for writes that only one can do. */
static void write_keyed(void *ctx)
{
    member *me = ctx;
    crew *c = me->crew;
    for (size_t i = 0; i < ROUNDS; i++) {
        char key[32];
        (void)snprintf(key, sizeof key, "key %zu", i);
        stet_change change = {.verb = STET_VERB_APPEND,
                              .id = machine(i % MACHINES),
                              .payload = stet_str(key)};
        stet_batch b = {
            .changes = &change, .change_count = 1, .key = stet_str(key)};
        stet_written w = {0};
        stet_status st = stet_commit(c->t->s, &b, &w, NULL);
        NOTE(c, st == STET_OK);
        me->seqs[i] = w.position;
    }
}

/* However many retry at the same time, it happens once and all hear of it. */
static void test_one_key_is_stored_once_for_all_who_use_it(void **state)
{
    crew c;
    begin(&c, *state);
    open_small(*state);
    run(&c, write_keyed);
    for (size_t k = 0; k < ROUNDS; k++) {
        for (size_t i = 1; i < THREADS; i++) {
            assert_int_equal(c.members[i].seqs[k], c.members[0].seqs[k]);
        }
    }
    stet_info info = {0};
    stet_error err = {0};
    assert_status(stet_get_info(c.t->s, &info, &err), STET_OK, &err);
    assert_int_equal(info.events, ROUNDS);
    end(&c);
}

/* ---- readers beside writers ---- */

static void move_on(void *ctx)
{
    member *me = ctx;
    crew *c = me->crew;
    for (size_t i = 0; i < ROUNDS; i++) {
        size_t idx = rng_below(&me->random, MACHINES);
        char text[64];
        (void)snprintf(text, sizeof text, "{\"by\":%zu,\"i\":%zu}", me->idx, i);
        stet_write_opts o = {.more = {.payload = stet_str(text)}};
        stet_written w = {0};
        stet_status st =
            rng_below(&me->random, 8) == 0
                ? stet_save(c->t->s, machine(idx), stet_str(text), NULL, &w,
                            NULL)
                : stet_transition(c->t->s, machine(idx), &o, &w, NULL);
        NOTE(c, st == STET_OK);
        uint64_t known = atomic_load(&c->acked[idx]);
        while (known < w.seq &&
               !atomic_compare_exchange_weak(&c->acked[idx], &known, w.seq)) {
        }
    }
    atomic_fetch_sub(&c->writing, 1);
}

static void read_newest(crew *c, size_t idx)
{
    uint64_t acked = atomic_load(&c->acked[idx]);
    const stet_state *got = NULL;
    stet_error err = {0};
    stet_status st = stet_load(c->t->s, machine(idx), NULL, &got, &err);
    if (acked > 0 && !NOTE(c, st == STET_OK)) {
        print_error("%s, seq %llu is acknowledged\n", err.text,
                    (unsigned long long)acked);
    }
    if (st == STET_OK) {
        NOTE(c, got->seq >= acked);
        NOTE(c, got->position < stet__watermark(&c->t->s->pipeline));
        stet_state_release(got);
    }
    uint64_t seq = 0;
    acked = atomic_load(&c->acked[idx]);
    st = stet_exists(c->t->s, machine(idx), NULL, &seq, &err);
    NOTE(c, acked == 0 || (st == STET_OK && seq >= acked));
}

static void read_past(crew *c, size_t idx, rng *r)
{
    uint64_t acked = atomic_load(&c->acked[idx]);
    if (acked == 0) {
        return;
    }
    stet_read_opts o = {.at = at_seq(1 + rng_below(r, acked))};
    const stet_state *got = NULL;
    stet_status st = stet_load(c->t->s, machine(idx), &o, &got, NULL);
    NOTE(c, st == STET_OK && got->seq == o.at.seq);
    stet_state_release(got);
}

static void read_along(void *ctx)
{
    member *me = ctx;
    crew *c = me->crew;
    while (atomic_load(&c->writing) > 0) {
        size_t idx = rng_below(&me->random, MACHINES);
        read_newest(c, idx);
        if (rng_below(&me->random, 8) == 0) {
            read_past(c, idx, &me->random);
        }
    }
}

/*
 * Readers see all that was acknowledged before they began, and nothing that is
 * not durable yet.
 */
static void test_readers_see_what_is_acknowledged_and_no_more(void **state)
{
    crew c;
    begin(&c, *state);
    open_small(*state);
    atomic_store(&c.writing, THREADS - 1);
    for (size_t i = 0; i <= THREADS; i++) {
        start(&c, i, i < THREADS - 1 ? move_on : read_along);
    }
    for (size_t i = 0; i <= THREADS; i++) {
        join(&c, i);
    }
    end(&c);
}

/* ---- batches ---- */

/* Move one from a machine to another: both saves or none. */
static bool transfer(crew *c, size_t from, size_t to)
{
    const stet_state *states[2] = {0};
    stet_slice ids[2] = {machine(from), machine(to)};
    stet_change changes[2] = {{0}};
    char texts[2][32];
    stet_status st = stet_load_many(c->t->s, ids, 2, NULL, states, NULL);
    if (!NOTE(c, st == STET_OK)) {
        return true;
    }
    for (size_t i = 0; i < 2; i++) {
        char text[32] = {0};
        memcpy(text, states[i]->state_data.ptr, states[i]->state_data.len);
        long n = strtol(text, NULL, 10) + (i == 0 ? -1 : 1);
        (void)snprintf(texts[i], sizeof texts[i], "%ld", n);
        changes[i] =
            (stet_change){.verb = STET_VERB_SAVE,
                          .id = ids[i],
                          .payload = stet_str(texts[i]),
                          .expect = {STET_EXPECT_EXACT, states[i]->seq}};
        stet_state_release(states[i]);
    }
    stet_batch b = {.changes = changes, .change_count = 2};
    st = stet_commit(c->t->s, &b, NULL, NULL);
    NOTE(c, st == STET_OK || st == STET_E_CONFLICT);
    return st == STET_OK;
}

static long sum_at(crew *c, stet_at at)
{
    stet_read_opts o = {.at = at};
    long sum = 0;
    for (size_t i = 0; i < MACHINES; i++) {
        const stet_state *got = NULL;
        stet_status st = stet_load(c->t->s, machine(i), &o, &got, NULL);
        if (NOTE(c, st == STET_OK)) {
            char text[32] = {0};
            memcpy(text, got->state_data.ptr, got->state_data.len);
            sum += strtol(text, NULL, 10);
            stet_state_release(got);
        }
    }
    return sum;
}

static void transfer_around(void *ctx)
{
    member *me = ctx;
    crew *c = me->crew;
    for (size_t i = 0; i < ROUNDS / 4; i++) {
        size_t from = rng_below(&me->random, MACHINES);
        while (!transfer(c, from, (from + 1) % MACHINES)) {
        }
        /* Positions of a batch are together, so each cut of the store that a
         * batch ends has all of it. */
        uint64_t end = stet__watermark(&c->t->s->pipeline) - 1;
        end -= (end - MACHINES) % 2;
        NOTE(c, sum_at(c, at_position(end)) == 0);
    }
}

/* What a batch holds together no reader of a cut ever sees apart. */
static void test_batches_are_whole_at_every_cut(void **state)
{
    crew c;
    begin(&c, *state);
    open_small(*state);
    for (size_t i = 0; i < MACHINES; i++) {
        char id[8];
        (void)snprintf(id, sizeof id, "m%zu", i);
        (void)store_save(c.t, id, "0");
    }
    run(&c, transfer_around);
    assert_int_equal(sum_at(&c, (stet_at){0}), 0);
    end(&c);
}

/* ---- everything at once ---- */

static void list_all(crew *c)
{
    stet_keys *keys = NULL;
    const stet_key *key = NULL;
    NOTE(c, stet_keys_open(c->t->s, NULL, &keys, NULL) == STET_OK);
    while (stet_keys_next(keys, &key, NULL) == STET_OK) {
        NOTE(c, key->seq > 0);
    }
    stet_keys_close(keys);
    stet_scan_opts o = {.limit = 20, .flags = STET_HISTORY_NEWEST_FIRST};
    stet_history *h = NULL;
    const stet_event *e = NULL;
    NOTE(c, stet_scan_open(c->t->s, &o, &h, NULL) == STET_OK);
    uint64_t position = UINT64_MAX;
    while (stet_history_next(h, &e, NULL) == STET_OK) {
        NOTE(c, e->position < position);
        position = e->position;
    }
    stet_history_close(h);
}

static void do_one_thing(member *me, size_t i)
{
    stet *s = me->crew->t->s;
    crew *c = me->crew;
    char name[32];
    (void)snprintf(name, sizeof name, "%zu-%zu", me->idx, i);
    stet_checkpoint_opts o = {.name = stet_str(name)};
    stet_info info = {0};
    switch (rng_below(&me->random, 8)) {
    case 0:
        NOTE(c, stet_checkpoint_set(s, machine(0), &o, NULL, NULL) == STET_OK);
        break;
    case 1:
        NOTE(c, stet_fork(s, machine(0), stet_str(name), NULL, NULL, NULL) ==
                    STET_OK);
        break;
    case 2:
        NOTE(c, stet_sync(s, NULL) == STET_OK);
        break;
    case 3:
        NOTE(c, stet_step(s, NULL, NULL) == STET_OK);
        break;
    case 4:
        NOTE(c, stet_get_info(s, &info, NULL) == STET_OK);
        break;
    case 5:
        list_all(c);
        break;
    default:
        NOTE(c, stet_append(s, machine(0), stet_str(name), NULL, NULL, NULL) ==
                    STET_OK);
        break;
    }
}

static void do_anything(void *ctx)
{
    member *me = ctx;
    for (size_t i = 0; i < ROUNDS / 4; i++) {
        do_one_thing(me, i);
    }
}

/* Every call says that it is thread-safe. */
static void test_all_calls_go_on_beside_each_other(void **state)
{
    crew c;
    begin(&c, *state);
    open_small(*state);
    (void)store_save(c.t, "m0", "{}");
    run(&c, do_anything);
    end(&c);
    stet_error err = {0};
    stet_verify_report report = {0};
    assert_status(stet_verify(c.t->s, NULL, NULL, &report, &err), STET_OK,
                  &err);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_BOTH_STORES(test_each_acknowledged_write_is_there_exactly_once),
        ON_BOTH_STORES(test_expected_versions_lose_no_update),
        ON_BOTH_STORES(test_one_key_is_stored_once_for_all_who_use_it),
        ON_BOTH_STORES(test_readers_see_what_is_acknowledged_and_no_more),
        ON_BOTH_STORES(test_batches_are_whole_at_every_cut),
        ON_BOTH_STORES(test_all_calls_go_on_beside_each_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
