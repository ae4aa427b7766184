#include "os/turn.h"

void stet__turn_take(stet_os *os, stet_turn *t)
{
    uint32_t idle = 0;
    /* Acquire: see what the one before did. */
    while (!atomic_compare_exchange_strong_explicit(
        &t->is_taken, &idle, 1, memory_order_acquire, memory_order_relaxed)) {
        os->futex_wait(os, &t->is_taken, idle, 0);
        idle = 0;
    }
}

void stet__turn_give(stet_os *os, stet_turn *t)
{
    atomic_store_explicit(&t->is_taken, 0, memory_order_release);
    os->futex_wake(os, &t->is_taken, 1);
}
