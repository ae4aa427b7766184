/*
 * On x86-64 the switch is written by hand: swapcontext asks the kernel for the
 * signal mask each time, which takes longer than all that a switch has to do.
 */
#include "sim/fiber.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#ifndef __x86_64__
#include <ucontext.h>
#endif

#include "sim/asan.h"

enum {
    STACK_BYTES = 256 * 1024, /* touched pages only cost memory */
    GUARD_BYTES = 4096,
};

/* Where a stack stands while it does not run. */
typedef struct place {
#ifdef __x86_64__
    void *stack_pointer;
#else
    ucontext_t context;
#endif
} place;

struct fiber {
    uint8_t *stack;
    place here;
    fiber_fn fn;
    void *ctx;
    void *asan_stack; /* what the address sanitizer remembers of it */
    bool is_done;
    fiber *next_free;
};

static fiber *running;
static fiber *pool;
static place resumer;
static const void *resumer_stack;
static size_t resumer_bytes;

static void after_switch(void *asan_stack)
{
#ifdef HAS_ASAN
    __sanitizer_finish_switch_fiber(asan_stack, &resumer_stack, &resumer_bytes);
#else
    (void)asan_stack;
#endif
}

static void before_switch(void **asan_stack, const void *to, size_t bytes)
{
#ifdef HAS_ASAN
    __sanitizer_start_switch_fiber(asan_stack, to, bytes);
#else
    (void)asan_stack;
    (void)to;
    (void)bytes;
#endif
}

/* Never returns: a fiber that is done is not resumed. */
static void run(void)
{
    fiber *f = running;
    after_switch(NULL);
    f->fn(f->ctx);
    f->is_done = true;
    fiber_suspend();
    abort();
}

#ifdef __x86_64__

/* Leave `from`, go on at `to`: the registers that a callee keeps are pushed. */
void sim_fiber_switch(place *from, const place *to);
__asm__(".text\n"
        ".globl sim_fiber_switch\n"
        ".hidden sim_fiber_switch\n"
        ".type sim_fiber_switch, @function\n"
        "sim_fiber_switch:\n"
        "    pushq %rbp\n"
        "    pushq %rbx\n"
        "    pushq %r12\n"
        "    pushq %r13\n"
        "    pushq %r14\n"
        "    pushq %r15\n"
        "    movq %rsp, (%rdi)\n"
        "    movq (%rsi), %rsp\n"
        "    popq %r15\n"
        "    popq %r14\n"
        "    popq %r13\n"
        "    popq %r12\n"
        "    popq %rbx\n"
        "    popq %rbp\n"
        "    ret\n"
        ".size sim_fiber_switch, .-sim_fiber_switch\n");

/* As if it had just been left, about to return into `run`. */
static void prepare(fiber *f)
{
    enum { SAVED_REGISTERS = 6 };
    uintptr_t top = (uintptr_t)f->stack + GUARD_BYTES + STACK_BYTES;
    void **at = (void **)top;
    *--at = NULL; /* `run` has nobody to return to, and is aligned as called */
    *--at = (void *)(uintptr_t)run;
    for (int i = 0; i < SAVED_REGISTERS; i++) {
        *--at = NULL;
    }
    f->here.stack_pointer = at;
}

static void jump(place *from, place *to)
{
    sim_fiber_switch(from, to);
}

#else

static void prepare(fiber *f)
{
    (void)getcontext(&f->here.context);
    f->here.context.uc_stack.ss_sp = f->stack + GUARD_BYTES;
    f->here.context.uc_stack.ss_size = STACK_BYTES;
    f->here.context.uc_link = NULL;
    makecontext(&f->here.context, run, 0);
}

static void jump(place *from, place *to)
{
    (void)swapcontext(&from->context, &to->context);
}

#endif

static fiber *make(void)
{
    fiber *f = calloc(1, sizeof *f);
    uint8_t *stack =
        mmap(NULL, GUARD_BYTES + STACK_BYTES, PROT_READ | PROT_WRITE,
             MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (f == NULL || stack == MAP_FAILED ||
        mprotect(stack, GUARD_BYTES, PROT_NONE) != 0) {
        perror("fiber");
        abort();
    }
    f->stack = stack;
    return f;
}

fiber *fiber_create(fiber_fn fn, void *ctx)
{
    fiber *f = pool;
    if (f == NULL) {
        f = make();
    } else {
        pool = f->next_free;
    }
    f->fn = fn;
    f->ctx = ctx;
    f->is_done = false;
    f->asan_stack = NULL;
    prepare(f);
    return f;
}

void fiber_destroy(fiber *f)
{
    if (f == NULL) {
        return;
    }
    /* Frames that were never left still poison what they guarded. */
    asan_lend(f->stack + GUARD_BYTES, STACK_BYTES);
    f->next_free = pool;
    pool = f;
}

void fiber_resume(fiber *f)
{
    void *asan_stack = NULL;
    running = f;
    before_switch(&asan_stack, f->stack + GUARD_BYTES, STACK_BYTES);
    jump(&resumer, &f->here);
#ifdef HAS_ASAN
    __sanitizer_finish_switch_fiber(asan_stack, NULL, NULL);
#endif
    running = NULL;
}

void fiber_suspend(void)
{
    fiber *f = running;
    before_switch(&f->asan_stack, resumer_stack, resumer_bytes);
    jump(&f->here, &resumer);
    after_switch(f->asan_stack);
}

bool fiber_is_done(const fiber *f)
{
    return f->is_done;
}

bool fiber_is_running(void)
{
    return running != NULL;
}
