#include "os/turn.h"

#include <limits.h>

void stet__turn_take(stet_os *os, stet_turn *t)
{
    /* Relaxed: it orders nothing but who comes when. */
    uint32_t mine =
        atomic_fetch_add_explicit(&t->drawn, 1, memory_order_relaxed);
    /* Acquire: see what the one before did. */
    uint32_t given = atomic_load_explicit(&t->given, memory_order_acquire);
    while (given != mine) {
        os->futex_wait(os, &t->given, given, 0);
        given = atomic_load_explicit(&t->given, memory_order_acquire);
    }
}

void stet__turn_give(stet_os *os, stet_turn *t)
{
    atomic_fetch_add_explicit(&t->given, 1, memory_order_release);
    os->futex_wake(os, &t->given, INT_MAX); /* who is next is among them */
}
