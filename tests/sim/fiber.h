/*
 * Fiber: a stack of its own that runs until it suspends itself.
 *
 * The threads of a simulated store are fibers of one real thread: whoever
 * resumes them decides who runs, so a seed decides it. A fiber that is never
 * resumed again is a thread that was killed; what it held is its owner's to
 * free.
 *
 * One thread.
 */
#ifndef STET_TESTS_SIM_FIBER_H
#define STET_TESTS_SIM_FIBER_H

#include <stdbool.h>

typedef struct fiber fiber;
typedef void (*fiber_fn)(void *ctx);

/* Make a fiber that will run `fn`; its stack comes from a pool. */
fiber *fiber_create(fiber_fn fn, void *ctx);
/* Give the stack back, whatever still was on it. Accepts NULL. */
void fiber_destroy(fiber *f);

/* Run until it suspends itself or is done; not from within a fiber. */
void fiber_resume(fiber *f);
/* From within a fiber: back to whoever resumed it. */
void fiber_suspend(void);

bool fiber_is_done(const fiber *f);
/* Are we within one? */
bool fiber_is_running(void);

#endif
