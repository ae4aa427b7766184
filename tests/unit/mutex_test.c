#include "os/mutex.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "lib/child.h"

enum { THREADS = 4, ROUNDS = 20000 };

typedef struct shared {
    stet_os *os;
    stet_mutex mutex;
    uint64_t count; /* guarded by `mutex`, and so not atomic */
    uint64_t twin;  /* equals `count` whenever the lock is free */
    bool is_torn;
} shared;

static void add(void *ctx)
{
    shared *s = ctx;
    for (int i = 0; i < ROUNDS; i++) {
        stet__mutex_lock(s->os, &s->mutex);
        s->is_torn |= s->count != s->twin;
        s->count++;
        if (i % 64 == 0) {
            s->os->yield(s->os); /* so that others find it held */
        }
        s->twin++;
        stet__mutex_unlock(s->os, &s->mutex);
    }
}

/* What a lock is for; a thread sanitizer also sees whether it orders. */
static void test_one_thread_is_inside_at_a_time(void **state)
{
    (void)state;
    shared s = {.os = stet__os_posix()};
    uint64_t threads[THREADS];
    stet__mutex_init(&s.mutex, STET_RANK_LEAF);
    for (size_t i = 0; i < THREADS; i++) {
        assert_int_equal(s.os->thread_start(s.os, add, &s, &threads[i]), 0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        s.os->thread_join(s.os, threads[i]);
    }
    assert_int_equal(s.count, THREADS * ROUNDS);
    assert_false(s.is_torn);
    assert_int_equal(atomic_load(&s.mutex.word), 0);
}

/* A system that plays the other threads, at the moments they matter. */
typedef struct stage {
    stet_os os;
    stet_mutex *mutex;
    unsigned waits;
    unsigned wakes;
    unsigned releases_after; /* the holder leaves in this wait */
} stage;

static void stage_wait(stet_os *os, _Atomic uint32_t *word, uint32_t expected,
                       int64_t deadline_ns)
{
    stage *st = (stage *)os;
    assert_ptr_equal(word, &st->mutex->word);
    assert_int_equal(expected, 2);
    assert_int_equal(atomic_load(word), 2);
    assert_int_equal(deadline_ns, 0);
    if (++st->waits == st->releases_after) {
        atomic_store(word, 0);
    }
}

static void stage_wake(stet_os *os, _Atomic uint32_t *word, int count)
{
    stage *st = (stage *)os;
    assert_ptr_equal(word, &st->mutex->word);
    assert_int_equal(count, 1);
    st->wakes++;
}

/* The usual lock is free: two calls into the kernel would cost more than it. */
static void test_free_lock_makes_no_system_call(void **state)
{
    (void)state;
    stet_os none = {0}; /* any call through it would crash */
    stet_mutex m;
    stet__mutex_init(&m, STET_RANK_LEAF);
    for (int i = 0; i < 3; i++) {
        stet__mutex_lock(&none, &m);
        assert_int_equal(atomic_load(&m.word), 1);
        stet__mutex_unlock(&none, &m);
    }
}

/*
 * A sleeper may wake without cause and others may sleep behind it, so it looks
 * again, and wakes the next when it leaves.
 */
static void test_sleeper_takes_the_lock_as_waited_for(void **state)
{
    (void)state;
    stet_mutex m;
    stet__mutex_init(&m, STET_RANK_LEAF);
    stage st = {.os = {.futex_wait = stage_wait, .futex_wake = stage_wake},
                .mutex = &m,
                .releases_after = 3};
    atomic_store(&m.word, 1);
    stet__mutex_lock(&st.os, &m);
    assert_int_equal(st.waits, 3);
    assert_int_equal(atomic_load(&m.word), 2);
    stet__mutex_unlock(&st.os, &m);
    assert_int_equal(st.wakes, 1);
    assert_int_equal(atomic_load(&m.word), 0);
}

static void unlock_free(void *ctx)
{
    (void)ctx;
    stet_os none = {0};
    stet_mutex m;
    stet__mutex_init(&m, STET_RANK_LEAF);
    stet__mutex_unlock(&none, &m);
}

/* Who unlocks twice frees another's lock: that must not go unseen. */
static void test_unlocking_a_free_lock_stops_the_process(void **state)
{
    (void)state;
    assert_true(child_aborts(unlock_free, NULL));
}

#ifdef STET_DEBUG

static void lock_two(stet_lock_rank first, stet_lock_rank second)
{
    stet_os none = {0};
    stet_mutex a;
    stet_mutex b;
    stet__mutex_init(&a, first);
    stet__mutex_init(&b, second);
    stet__mutex_lock(&none, &a);
    stet__mutex_lock(&none, &b);
    stet__mutex_unlock(&none, &b);
    stet__mutex_unlock(&none, &a);
}

static void lock_falling(void *ctx)
{
    (void)ctx;
    lock_two(STET_RANK_STRIPE, STET_RANK_SEQ);
}

static void lock_two_stripes(void *ctx)
{
    (void)ctx;
    lock_two(STET_RANK_STRIPE, STET_RANK_STRIPE);
}

static void unlock_of_another_rank(void *ctx)
{
    (void)ctx;
    stet_os none = {0};
    stet_mutex a;
    stet_mutex b;
    stet__mutex_init(&a, STET_RANK_SEQ);
    stet__mutex_init(&b, STET_RANK_LEAF);
    stet__mutex_lock(&none, &a);
    atomic_store(&b.word, 1); /* another thread's */
    stet__mutex_unlock(&none, &b);
}

/* A deadlock needs two orders; the second is refused on its first use. */
static void test_ranks_may_only_rise(void **state)
{
    (void)state;
    lock_two(STET_RANK_SEQ, STET_RANK_STRIPE);
    lock_two(STET_RANK_FILES, STET_RANK_LEAF);
    assert_true(child_aborts(lock_falling, NULL));
    assert_true(child_aborts(lock_two_stripes, NULL));
    assert_true(child_aborts(unlock_of_another_rank, NULL));
}

/* Locks may be released in any order, and what stays held still counts. */
static void test_ranks_are_released_in_any_order(void **state)
{
    (void)state;
    stet_os none = {0};
    stet_mutex a;
    stet_mutex b;
    stet__mutex_init(&a, STET_RANK_SEQ);
    stet__mutex_init(&b, STET_RANK_STRIPE);
    stet__mutex_lock(&none, &a);
    stet__mutex_lock(&none, &b);
    stet__mutex_unlock(&none, &a);
    assert_true(child_aborts(lock_falling, NULL));
    stet_held_ranks held = stet__mutex_swap_held((stet_held_ranks){0});
    assert_int_equal(held.count, 1);
    assert_int_equal(held.ranks[0], STET_RANK_STRIPE);
    lock_two(STET_RANK_SEQ, STET_RANK_STRIPE); /* as another fiber */
    held = stet__mutex_swap_held(held);
    assert_int_equal(held.count, 0);
    stet__mutex_unlock(&none, &b);
    lock_two(STET_RANK_SEQ, STET_RANK_STRIPE);
}

#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_thread_is_inside_at_a_time),
        cmocka_unit_test(test_free_lock_makes_no_system_call),
        cmocka_unit_test(test_sleeper_takes_the_lock_as_waited_for),
        cmocka_unit_test(test_unlocking_a_free_lock_stops_the_process),
#ifdef STET_DEBUG
        cmocka_unit_test(test_ranks_may_only_rise),
        cmocka_unit_test(test_ranks_are_released_in_any_order),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
