#include "os/turn.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { THREADS = 4, ROUNDS = 5000 };

typedef struct shared {
    stet_os *os;
    stet_turn turn;
    uint64_t count; /* guarded by `turn`, and so not atomic */
} shared;

static void add(void *ctx)
{
    shared *s = ctx;
    for (int i = 0; i < ROUNDS; i++) {
        stet__turn_take(s->os, &s->turn);
        uint64_t before = s->count;
        if (i % 64 == 0) {
            s->os->yield(s->os); /* so that others find it taken */
        }
        s->count = before + 1;
        stet__turn_give(s->os, &s->turn);
    }
}

/* What it is for; a thread sanitizer also sees whether it orders. */
static void test_one_has_the_turn_at_a_time(void **state)
{
    (void)state;
    shared s = {.os = stet__os_posix()};
    uint64_t threads[THREADS];
    for (size_t i = 0; i < THREADS; i++) {
        assert_int_equal(s.os->thread_start(s.os, add, &s, &threads[i]), 0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        s.os->thread_join(s.os, threads[i]);
    }
    assert_int_equal(s.count, THREADS * ROUNDS);
}

/* A system in which others go on at the moments that matter. */
typedef struct stage {
    stet_os os;
    stet_turn *turn;
    uint32_t waits;
    uint32_t wakes;
} stage;

/* The one who waits sleeps while those before him come and leave. */
static void play_wait(stet_os *os, _Atomic uint32_t *word, uint32_t expected,
                      int64_t until)
{
    stage *s = (stage *)os;
    (void)word;
    (void)expected;
    (void)until;
    s->waits++;
    assert_in_range(s->waits, 1, 2); /* two were before him */
    stet__turn_give(os, s->turn);
}

static void play_wake(stet_os *os, _Atomic uint32_t *word, int count)
{
    (void)word;
    (void)count;
    ((stage *)os)->wakes++;
}

/*
 * A settler that has always more to do gives its turn up only to take it again;
 * whoever waits for it must come in between.
 */
static void test_who_came_first_goes_first(void **state)
{
    (void)state;
    stet_turn turn = {0};
    stage s = {
        .os = {.futex_wait = play_wait, .futex_wake = play_wake},
        .turn = &turn,
    };
    stet__turn_take(&s.os, &turn); /* free: nobody waits */
    assert_int_equal(s.waits, 0);
    atomic_fetch_add(&turn.drawn, 1); /* another one came */
    stet__turn_take(&s.os, &turn);    /* the first again: behind that one */
    assert_int_equal(s.waits, 2);
    stet__turn_give(&s.os, &turn);
    stet__turn_take(&s.os, &turn);
    assert_int_equal(s.waits, 2);
    assert_int_equal(s.wakes, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_has_the_turn_at_a_time),
        cmocka_unit_test(test_who_came_first_goes_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
