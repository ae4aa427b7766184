/*
 * After Ulrich Drepper, "Futexes Are Tricky", the third mutex: who must wait
 * writes 2 before sleeping, and who unlocks a 2 wakes one sleeper. A woken one
 * takes the lock as 2 again, since it cannot know whether more sleep behind it.
 */
#include "os/mutex.h"

#include <stddef.h>

#include "base/assert.h"

/*
 * Looks at a held lock before sleeping. What is done under a lock takes less
 * than a microsecond, about as long as these; sleeping and waking take ten.
 */
enum { SPINS_MAX = 40 };

#ifdef STET_DEBUG

static _Thread_local stet_held_ranks held;

stet_held_ranks stet__mutex_swap_held(stet_held_ranks mine)
{
    stet_held_ranks before = held;
    held = mine;
    return before;
}

static void rank_push(stet_lock_rank rank)
{
    STET_ASSERT(held.count < STET_RANKS_HELD_MAX);
    STET_ASSERT(held.count == 0 || held.ranks[held.count - 1] < rank);
    held.ranks[held.count++] = rank;
}

static void rank_pop(stet_lock_rank rank)
{
    size_t i = held.count;
    while (i > 0 && held.ranks[i - 1] != rank) {
        i--;
    }
    STET_ASSERT(i > 0);
    held.count--;
    for (i--; i < held.count; i++) {
        held.ranks[i] = held.ranks[i + 1];
    }
}

#else

static void rank_push(stet_lock_rank rank)
{
    (void)rank;
}

static void rank_pop(stet_lock_rank rank)
{
    (void)rank;
}

#endif

/* Tell the processor that this is a wait, so that its sibling may run. */
static inline void relax(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/* Acquire: what the last holder did comes before what this one does. */
static bool try_lock(stet_mutex *m)
{
    uint32_t is_free = 0;
    return atomic_compare_exchange_strong_explicit(
        &m->word, &is_free, 1, memory_order_acquire, memory_order_relaxed);
}

void stet__mutex_init(stet_mutex *m, stet_lock_rank rank)
{
    atomic_init(&m->word, 0);
    m->rank = rank;
}

void stet__mutex_lock(stet_os *os, stet_mutex *m)
{
    rank_push(m->rank);
    if (try_lock(m)) {
        return;
    }
    for (int i = 0; i < SPINS_MAX; i++) {
        relax();
        /* A plain look first: a failed exchange takes the line for writing. */
        if (atomic_load_explicit(&m->word, memory_order_relaxed) == 0 &&
            try_lock(m)) {
            return;
        }
    }
    while (atomic_exchange_explicit(&m->word, 2, memory_order_acquire) != 0) {
        os->futex_wait(os, &m->word, 2, 0);
    }
}

void stet__mutex_unlock(stet_os *os, stet_mutex *m)
{
    rank_pop(m->rank);
    /* Release: pairs with the acquire of whoever takes it next. */
    uint32_t was = atomic_exchange_explicit(&m->word, 0, memory_order_release);
    STET_ASSERT(was != 0);
    if (was == 2) {
        os->futex_wake(os, &m->word, 1);
    }
}
