/*
 * World: the second stet_os. A disk, a clock, randomness, threads and memory
 * that do what a seed says.
 *
 * Threads are fibers. Every call of the system, and with it every lock and
 * every wait, is a point at which another thread may run; the seed picks who.
 * Reads, writes and syncs take time, in which others run: so frames in flight
 * end in any order, and a crash finds some of them half done. Between two calls
 * a thread is alone: data races are the thread sanitizer's to find.
 *
 * A crash may come at any call. Nothing of the program goes on after it: the
 * fibers are not resumed, and the memory is taken back.
 */
#ifndef STET_TESTS_SIM_WORLD_H
#define STET_TESTS_SIM_WORLD_H

#include "lib/memdisk.h"
#include "os/mutex.h"
#include "os/os.h"
#include "sim/fiber.h"
#include "sim/memory.h"
#include "sim/swarm.h"

enum {
    WORLD_TASKS_MAX = 16,
    WORLD_EVENTS_MAX = 4,
    /* Calls after which a life that should have ended is said to hang. */
    WORLD_CALLS_MAX = 400000,
    /* Times in a row that only a clock can go on. */
    WORLD_IDLE_MAX = 2000,
};

typedef enum task_state {
    TASK_NONE = 0,
    TASK_READY,
    TASK_ASLEEP,  /* at a futex, or until a time */
    TASK_JOINING, /* until another one is done */
    TASK_DONE,
} task_state;

typedef struct task {
    task_state state;
    fiber *fiber;
    stet_os_thread_fn fn;
    void *ctx;
    const _Atomic uint32_t *word; /* asleep at it; NULL: at none */
    int64_t wake_at;              /* monotonic; 0: never by itself */
    size_t joins;                 /* joining: whom */
    /* A write under way: `len` 0 for none. */
    int fd;
    const void *ptr;
    size_t len;
    uint64_t off;
} task;

typedef struct world {
    stet_os os; /* first */
    memdisk *disk;
    stet_os *files;
    swarm s;
    rng schedule; /* who runs, and how long things take */
    rng faults;   /* what fails, and when */
    task tasks[WORLD_TASKS_MAX];
    size_t task_count;
    size_t current;
    uint64_t calls;    /* in this life */
    uint64_t risky;    /* of those, that were not calm */
    uint64_t crash_at; /* the risky call that is the last one; 0: none */
    unsigned crash_in; /* or the last one that settles something; 0: none */
    unsigned idle;
    bool is_calm;     /* nothing fails, nothing crashes */
    bool is_scarce;   /* the disk may be full, also when it is calm */
    bool has_crashed; /* in this life */
    bool has_failed;  /* a call did, in this life */
    bool may_stray;   /* the next write or read may be of another place */
    bool has_strayed; /* one was, in this life */
    int64_t monotonic;
    int64_t epoch;    /* wall clock at monotonic 0 */
    uint64_t instant; /* counts what clients do: see oracle.h */
    _Atomic uint32_t events[WORLD_EVENTS_MAX]; /* an event_state each */
    memory *memory;  /* of the process that lives now */
    uint64_t digest; /* of all that happened */
    bool is_traced;
} world;

world *world_create(const swarm *s);
void world_destroy(world *w);

/* Memory of the store's; what a crash leaves behind is taken back by it. */
stet_allocator world_allocator(world *w);

/* A life: run `fn` as the first thread until it is done; false: it crashed. */
bool world_live(world *w, void (*fn)(void *), void *ctx);
/*
 * Crash within so many calls from now, unless it is calm; or at one of those
 * that make something durable, or change names: there more is at stake.
 */
void world_doom(world *w, unsigned calls);
/* After a crash, bring the machine up: power was cut, or the process killed. */
void world_crash(world *w, bool is_power);

/*
 * Go on with a copy of the disk, all of it synced; the one before is the
 * caller's until world_take_disk puts it back and drops the copy.
 */
memdisk *world_copy_disk(world *w);
void world_take_disk(world *w, memdisk *before);

/* Wait until a descriptor of `event_create` is readable, as epoll does. */
void world_await_readable(world *w, int fd);

/* A line of the trace; costs nothing when there is none. */
#define world_tell(w, ...)                                                     \
    ((w)->is_traced ? world_tell_line((w), __VA_ARGS__) : (void)0)
void world_tell_line(const world *w, const char *format, ...) STET_PRINTF(2, 3);
/* Mix what happened into the digest. */
void world_note(world *w, uint64_t what);

/* The promise is broken: say how, and end the process with status 1. */
_Noreturn void world_fail(const world *w, const char *format, ...)
    STET_PRINTF(2, 3);

#endif
