#include "sim/world.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sim/packers.h"

enum {
    US = 1000, /* in nanoseconds */
    MS = 1000 * US,
    PID = 4711,
    DAY_S = 86400,
    /*
     * Where memory fails zstd's contexts are new in one run of so many: what
     * they allocate by themselves fails there, too. It takes as long as the
     * rest, see packers.h.
     */
    NEW_PACKERS_IN = 8,
    EVENT_FD = 2000000, /* the first of descriptors that are no files */
};

static world *world_of(stet_os *os)
{
    return (world *)os;
}

static task *current(world *w)
{
    return &w->tasks[w->current];
}

/* Telling. */

void world_tell_line(const world *w, const char *format, ...)
{
    va_list args;
    printf("%7llu %12.6f t%zu  ", (unsigned long long)w->calls,
           (double)w->monotonic / 1e9, w->current);
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    printf("\n");
    fflush(stdout); /* the process may end in an assertion */
}

void world_note(world *w, uint64_t what)
{
    w->digest = (w->digest ^ what) * 0x9e3779b97f4a7c15U;
    w->digest ^= w->digest >> 29;
}

void world_fail(const world *w, const char *format, ...)
{
    va_list args;
    fprintf(stderr, "seed %llu, call %llu: ", (unsigned long long)w->s.seed,
            (unsigned long long)w->calls);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fprintf(stderr, "\n");
    fflush(NULL);
    _exit(1);
}

/* Threads. */

static bool one_in(rng *r, unsigned count)
{
    return rng_below(r, count) == 0;
}

/* Is it ready, or was it to wait for what has come meanwhile? */
static bool can_run(const world *w, const task *t)
{
    switch (t->state) {
    case TASK_READY:
        return true;
    case TASK_ASLEEP:
        return t->wake_at != 0 && t->wake_at <= w->monotonic;
    case TASK_JOINING:
        return w->tasks[t->joins].state == TASK_DONE;
    case TASK_NONE:
    case TASK_DONE:
        break;
    }
    return false;
}

static bool pick(world *w)
{
    size_t ready[WORLD_TASKS_MAX];
    size_t count = 0;
    for (size_t i = 0; i < w->task_count; i++) {
        if (can_run(w, &w->tasks[i])) {
            w->tasks[i].state = TASK_READY;
            ready[count++] = i;
        }
    }
    if (count > 0) {
        w->current = ready[rng_below(&w->schedule, count)];
    }
    return count > 0;
}

/* Nobody can run: the clock goes on to when somebody can. */
static void pass_time(world *w)
{
    const task *next = NULL;
    for (size_t i = 0; i < w->task_count; i++) {
        const task *t = &w->tasks[i];
        if (t->state == TASK_ASLEEP && t->wake_at != 0 &&
            (next == NULL || t->wake_at < next->wake_at)) {
            next = t;
        }
    }
    if (next == NULL) {
        world_fail(w, "all threads wait for each other");
    }
    w->monotonic = next->wake_at;
    /* A disk that works is no sign of a hang; a timer that goes round is. */
    w->idle = next->word == NULL ? 0 : w->idle + 1;
    if (w->idle > WORLD_IDLE_MAX) {
        world_fail(w, "nothing happens any more but timers");
    }
}

/* Say who runs next. */
static void choose(world *w)
{
    while (!pick(w)) {
        pass_time(w);
    }
}

static void leave_fiber(void)
{
#ifdef STET_DEBUG
    stet_held_ranks held = stet__mutex_swap_held((stet_held_ranks){0});
    fiber_suspend();
    (void)stet__mutex_swap_held(held);
#else
    fiber_suspend();
#endif
}

/*
 * Let others run; returns when the seed picks this thread again. Where it does
 * so at once nothing is switched.
 */
static void suspend(world *w)
{
    const task *t = current(w);
    if (!w->has_crashed) {
        choose(w);
    }
    if (w->has_crashed || current(w) != t) {
        leave_fiber();
    }
}

static void crash_here(world *w, const char *what)
{
    world_tell(w, "crash in %s", what);
    w->has_crashed = true;
    suspend(w); /* for ever */
}

/* Each call begins here: the crash may come, another thread may run. */
static void enter(world *w, const char *what)
{
    w->calls++;
    w->monotonic += 200 + (int64_t)rng_below(&w->schedule, 2000);
    w->risky += !w->is_calm;
    if (w->risky == w->crash_at && !w->is_calm) {
        crash_here(w, what);
    }
    if (w->calls > WORLD_CALLS_MAX) {
        world_fail(w, "after %d calls it has not come to an end",
                   WORLD_CALLS_MAX);
    }
    if (one_in(&w->schedule, w->s.switch_in)) {
        suspend(w);
    }
}

/* The same, for a call that makes something durable or changes names. */
static void enter_settling(world *w, const char *what)
{
    enter(w, what);
    if (w->crash_in > 0 && !w->is_calm && --w->crash_in == 0) {
        crash_here(w, what);
    }
}

static int64_t latency(world *w)
{
    rng *r = &w->schedule;
    if (swarm_has(&w->s, FAULT_SLOW) && !w->is_calm && one_in(r, 20)) {
        return one_in(r, 20) ? (int64_t)rng_below(r, 8000) * MS
                             : (int64_t)rng_below(r, 60) * MS;
    }
    /* Long ones now and then, so that much can happen beside them. */
    return (int64_t)(5 + rng_below(r, one_in(r, 8) ? 4000 : 200)) * US;
}

/* The disk is at work: others run meanwhile. */
static void dwell(world *w)
{
    task *t = current(w);
    t->state = TASK_ASLEEP;
    t->word = NULL;
    t->wake_at = w->monotonic + latency(w);
    suspend(w);
}

static int64_t leave(world *w, const char *what, int64_t rc)
{
    world_note(w, (uint64_t)rc * 31 + w->current);
    if (rc < 0) {
        world_tell(w, "%s: %s", what, strerror((int)-rc));
    }
    return rc;
}

static void run_task(void *ctx)
{
    world *w = ctx;
    task *t = current(w);
    t->fn(t->ctx);
    t->state = TASK_DONE;
    if (t != w->tasks) { /* the life ends with the first one */
        choose(w);
    }
}

static size_t add_task(world *w, stet_os_thread_fn fn, void *ctx)
{
    size_t i = 0;
    while (i < w->task_count && w->tasks[i].state != TASK_NONE) {
        i++;
    }
    if (i == WORLD_TASKS_MAX) {
        world_fail(w, "more than %d threads", WORLD_TASKS_MAX);
    }
    w->task_count += i == w->task_count;
    task *t = &w->tasks[i];
    *t = (task){.state = TASK_READY, .fn = fn, .ctx = ctx};
    t->fiber = fiber_create(run_task, w);
    return i;
}

static void end_tasks(world *w)
{
    for (size_t i = 0; i < w->task_count; i++) {
        task *t = &w->tasks[i];
        if (!w->has_crashed && t->state != TASK_DONE && t->state != TASK_NONE) {
            world_fail(w, "thread %zu outlives the store", i);
        }
        fiber_destroy(t->fiber);
        t->fiber = NULL;
    }
}

void world_doom(world *w, unsigned calls)
{
    w->crash_at = 0;
    w->crash_in = 0;
    if (one_in(&w->faults, 2)) {
        w->crash_at = w->risky + 1 + rng_below(&w->faults, calls);
    } else {
        w->crash_in = 1 + (unsigned)rng_below(&w->faults, 1 + calls / 8);
    }
}

bool world_live(world *w, void (*fn)(void *), void *ctx)
{
    memset(w->tasks, 0, sizeof w->tasks);
    memset(w->events, 0, sizeof w->events);
    w->task_count = 0;
    w->calls = 0;
    w->risky = 0;
    w->crash_at = 0;
    w->crash_in = 0;
    w->idle = 0;
    w->has_crashed = false;
    w->has_failed = false;
    w->has_strayed = false;
    const task *first = &w->tasks[add_task(w, fn, ctx)];
    choose(w);
    while (first->state != TASK_DONE && !w->has_crashed) {
        fiber_resume(current(w)->fiber); /* says who is next when it stops */
    }
    if (!w->has_crashed) {
        end_tasks(w);
        return true;
    }
    return false;
}

static int os_thread_start(stet_os *os, stet_os_thread_fn fn, void *ctx,
                           uint64_t *out_thread)
{
    world *w = world_of(os);
    enter(w, "thread_start");
    if (swarm_has(&w->s, FAULT_MEMORY) && !w->is_calm &&
        one_in(&w->faults, w->s.fault_in)) {
        w->has_failed = true;
        return (int)leave(w, "thread_start", -EAGAIN);
    }
    *out_thread = add_task(w, fn, ctx);
    return 0;
}

static void os_thread_join(stet_os *os, uint64_t thread)
{
    world *w = world_of(os);
    enter(w, "thread_join");
    task *other = &w->tasks[thread];
    if (other->state != TASK_DONE) {
        current(w)->joins = (size_t)thread;
        current(w)->state = TASK_JOINING;
        suspend(w);
    }
    fiber_destroy(other->fiber);
    other->fiber = NULL;
    other->state = TASK_NONE;
}

static void os_futex_wait(stet_os *os, _Atomic uint32_t *word,
                          uint32_t expected, int64_t deadline_ns)
{
    world *w = world_of(os);
    enter(w, "futex_wait");
    /* Now and then it wakes for no reason, as it may. */
    if (atomic_load(word) != expected || one_in(&w->schedule, 50)) {
        return;
    }
    task *t = current(w);
    t->state = TASK_ASLEEP;
    t->word = word;
    t->wake_at = deadline_ns;
    suspend(w);
    t->word = NULL;
}

static void os_futex_wake(stet_os *os, _Atomic uint32_t *word, int count)
{
    world *w = world_of(os);
    /* From a random one on, so that nobody is always first. */
    size_t from = rng_below(&w->schedule, w->task_count);
    for (size_t i = 0; i < w->task_count && count > 0; i++) {
        task *t = &w->tasks[(from + i) % w->task_count];
        if (t->state == TASK_ASLEEP && t->word == word) {
            t->state = TASK_READY;
            t->word = NULL;
            w->idle = 0;
            count--;
        }
    }
    enter(w, "futex_wake");
}

static void os_yield(stet_os *os)
{
    world *w = world_of(os);
    enter(w, "yield");
    suspend(w);
}

/* Clock and randomness. */

static int64_t os_now(stet_os *os)
{
    world *w = world_of(os);
    enter(w, "now");
    if (swarm_has(&w->s, FAULT_CLOCK) && !w->is_calm &&
        one_in(&w->faults, 50)) {
        int64_t s = (int64_t)rng_below(&w->faults, 8 * DAY_S) - 4 * DAY_S;
        w->epoch += s * 1000 * MS;
        world_tell(w, "clock jumps by %lld s", (long long)s);
    }
    return w->epoch + w->monotonic;
}

static int64_t os_monotonic(stet_os *os)
{
    world *w = world_of(os);
    enter(w, "monotonic");
    return w->monotonic;
}

static int os_random(stet_os *os, void *ptr, size_t len)
{
    world *w = world_of(os);
    enter(w, "random");
    rng_fill(&w->schedule, ptr, len);
    return 0;
}

static int os_pid(stet_os *os)
{
    (void)os;
    return PID;
}

/* Events. */

enum event_state { EVENT_NONE = 0, EVENT_CLEAR, EVENT_READABLE };

static _Atomic uint32_t *event_of(world *w, int fd)
{
    return &w->events[fd - EVENT_FD];
}

static int os_event_create(stet_os *os)
{
    world *w = world_of(os);
    enter(w, "event_create");
    for (int i = 0; i < WORLD_EVENTS_MAX; i++) {
        if (w->events[i] == EVENT_NONE) {
            w->events[i] = EVENT_CLEAR;
            return EVENT_FD + i;
        }
    }
    return -EMFILE;
}

static void os_event_signal(stet_os *os, int fd)
{
    world *w = world_of(os);
    *event_of(w, fd) = EVENT_READABLE;
    os_futex_wake(os, event_of(w, fd), INT_MAX);
}

static void os_event_clear(stet_os *os, int fd)
{
    world *w = world_of(os);
    enter(w, "event_clear");
    *event_of(w, fd) = EVENT_CLEAR;
}

void world_await_readable(world *w, int fd)
{
    while (*event_of(w, fd) != EVENT_READABLE) {
        os_futex_wait(&w->os, event_of(w, fd), EVENT_CLEAR, 0);
    }
}

/* Files. */

/* What fails, of the calls that may: the disk asks. */
static int decide_fault(void *ctx, memdisk_call call)
{
    static const struct {
        fault_class class;
        int os_errno;
    } kinds[MEMDISK_CALLS] = {
        [MEMDISK_OPEN] = {FAULT_FILES, EMFILE},
        [MEMDISK_READ] = {FAULT_READ, EIO},
        [MEMDISK_WRITE] = {FAULT_WRITE, EIO},
        [MEMDISK_SYNC] = {FAULT_SYNC, EIO},
        [MEMDISK_TRUNCATE] = {FAULT_WRITE, EIO},
        [MEMDISK_LINK] = {FAULT_WRITE, EIO},
        [MEMDISK_UNLINK] = {FAULT_WRITE, EIO},
        [MEMDISK_LIST] = {FAULT_READ, EIO},
        [MEMDISK_LOCK] = {FAULT_READ, EIO},
    };
    world *w = ctx;
    if (w->is_calm || kinds[call].os_errno == 0 ||
        !swarm_has(&w->s, kinds[call].class) ||
        !one_in(&w->faults, w->s.fault_in)) {
        return 0;
    }
    w->has_failed = true;
    return -kinds[call].os_errno;
}

/* Where a write or read of a file goes: now and then elsewhere, once. */
static uint64_t led_astray(world *w, int fd, size_t len, uint64_t off)
{
    enum { UNIT = 4096 };
    if (!w->may_stray || !one_in(&w->faults, 40)) {
        return off;
    }
    int64_t size = w->files->size(w->files, fd);
    if (size < 0 || (uint64_t)size < len) {
        return off;
    }
    size_t places = ((size_t)size - len) / UNIT + 1;
    uint64_t stray = rng_below(&w->faults, places) * UNIT;
    world_tell(w, "%zu bytes at %llu of %d go astray, to %llu", len,
               (unsigned long long)off, fd, (unsigned long long)stray);
    w->may_stray = false;
    w->has_strayed = true;
    w->has_failed = true;
    return stray;
}

static int os_dir_open(stet_os *os, const char *path, bool is_create)
{
    world *w = world_of(os);
    enter(w, "dir_open");
    return (int)leave(w, "dir_open",
                      w->files->dir_open(w->files, path, is_create));
}

static int os_open(stet_os *os, int dir, const char *name, unsigned flags)
{
    world *w = world_of(os);
    enter(w, "open");
    int fd = w->files->open(w->files, dir, name, flags);
    world_tell(w, "open %s%s%s%s%s = %d", name == NULL ? "(unnamed)" : name,
               (flags & STET_OPEN_WRITE) != 0 ? " write" : "",
               (flags & STET_OPEN_CREATE) != 0 ? " create" : "",
               (flags & STET_OPEN_DIRECT) != 0 ? " direct" : "",
               (flags & STET_OPEN_UNCACHED) != 0 ? " uncached" : "", fd);
    return (int)leave(w, "open", fd);
}

static int os_close(stet_os *os, int fd)
{
    world *w = world_of(os);
    enter(w, "close");
    if (fd >= EVENT_FD) {
        w->events[fd - EVENT_FD] = EVENT_NONE;
        return 0;
    }
    return (int)leave(w, "close", w->files->close(w->files, fd));
}

static int64_t os_pread(stet_os *os, int fd, void *ptr, size_t len,
                        uint64_t off)
{
    world *w = world_of(os);
    enter(w, "pread");
    if (one_in(&w->schedule, 4)) { /* else it is in the page cache */
        dwell(w);
    }
    off = led_astray(w, fd, len, off);
    return leave(w, "pread", w->files->pread(w->files, fd, ptr, len, off));
}

static int os_pwrite(stet_os *os, int fd, const void *ptr, size_t len,
                     uint64_t off)
{
    world *w = world_of(os);
    enter(w, "pwrite");
    task *t = current(w);
    world_tell(w, "pwrite %d, %zu bytes at %llu", fd, len,
               (unsigned long long)off);
    t->fd = fd;
    t->ptr = ptr;
    t->len = len;
    t->off = off;
    dwell(w);
    t->len = 0;
    off = led_astray(w, fd, len, off);
    int rc = w->files->pwrite(w->files, fd, ptr, len, off);
    world_tell(w, "pwrite %d, %zu bytes at %llu: done", fd, len,
               (unsigned long long)off);
    return (int)leave(w, "pwrite", rc);
}

/*
 * What a sync carries over is what was written before it began, and perhaps
 * what is written before it ends.
 */
static int sync_file(world *w, int fd, const char *what)
{
    enter_settling(w, what);
    bool is_early = one_in(&w->schedule, 2);
    int rc = is_early ? w->files->sync(w->files, fd) : 0;
    dwell(w);
    rc = is_early ? rc : w->files->sync(w->files, fd);
    world_tell(w, "%s %d: done", what, fd);
    return (int)leave(w, what, rc);
}

static int os_datasync(stet_os *os, int fd)
{
    return sync_file(world_of(os), fd, "datasync");
}

static int os_sync(stet_os *os, int fd)
{
    return sync_file(world_of(os), fd, "sync");
}

static int os_truncate(stet_os *os, int fd, uint64_t size)
{
    world *w = world_of(os);
    enter_settling(w, "truncate");
    world_tell(w, "truncate %d to %llu", fd, (unsigned long long)size);
    return (int)leave(w, "truncate", w->files->truncate(w->files, fd, size));
}

static int64_t os_size(stet_os *os, int fd)
{
    world *w = world_of(os);
    enter(w, "size");
    return leave(w, "size", w->files->size(w->files, fd));
}

static int os_link(stet_os *os, int dir, int fd, const char *name)
{
    world *w = world_of(os);
    enter_settling(w, "link");
    world_tell(w, "link %d as %s", fd, name);
    return (int)leave(w, "link", w->files->link(w->files, dir, fd, name));
}

static int os_rename(stet_os *os, int dir, const char *from, const char *to)
{
    world *w = world_of(os);
    enter_settling(w, "rename");
    world_tell(w, "rename %s to %s", from, to);
    return (int)leave(w, "rename", w->files->rename(w->files, dir, from, to));
}

static int os_unlink(stet_os *os, int dir, const char *name)
{
    world *w = world_of(os);
    enter_settling(w, "unlink");
    world_tell(w, "unlink %s", name);
    return (int)leave(w, "unlink", w->files->unlink(w->files, dir, name));
}

static int os_list(stet_os *os, int dir, stet_os_name_fn visit, void *ctx)
{
    world *w = world_of(os);
    enter(w, "list");
    return (int)leave(w, "list", w->files->list(w->files, dir, visit, ctx));
}

static int os_lock(stet_os *os, int fd, stet_lock_kind kind)
{
    world *w = world_of(os);
    enter(w, "lock");
    return (int)leave(w, "lock", w->files->lock(w->files, fd, kind));
}

/* Memory. */

static void *allocate(void *ctx, void *ptr, size_t old_bytes, size_t new_bytes)
{
    world *w = ctx;
    if (ptr != NULL && memory_bytes(ptr) != old_bytes) {
        world_fail(w, "a block of %zu bytes is said to have %zu",
                   memory_bytes(ptr), old_bytes);
    }
    if (new_bytes == 0) {
        memory_give(w->memory, ptr);
        return NULL;
    }
    if (swarm_has(&w->s, FAULT_MEMORY) && !w->is_calm &&
        one_in(&w->faults, 20 * w->s.fault_in)) {
        world_tell(w, "no memory for %zu bytes", new_bytes);
        w->has_failed = true;
        return NULL;
    }
    void *moved = memory_take(w->memory, new_bytes);
    if (moved == NULL) {
        world_fail(w, "the store takes more memory than there is");
    }
    if (ptr != NULL) {
        memcpy(moved, ptr, old_bytes < new_bytes ? old_bytes : new_bytes);
        memory_give(w->memory, ptr);
    }
    return moved;
}

stet_allocator world_allocator(world *w)
{
    return (stet_allocator){allocate, w};
}

/* The world. */

void world_crash(world *w, bool is_power)
{
    for (size_t i = 0; i < w->task_count; i++) {
        const task *t = &w->tasks[i];
        if (t->len > 0) {
            memdisk_interrupt_write(w->disk, t->fd, t->ptr, t->len, t->off);
        }
    }
    end_tasks(w);
    packers_reset();
    memory_reset(w->memory);
    world_tell(w, "%s", is_power ? "power cut" : "process killed");
    memdisk_crash(w->disk, is_power);
}

static void set_methods(world *w)
{
    w->os = (stet_os){
        .dir_open = os_dir_open,
        .open = os_open,
        .close = os_close,
        .pread = os_pread,
        .pwrite = os_pwrite,
        .datasync = os_datasync,
        .sync = os_sync,
        .truncate = os_truncate,
        .size = os_size,
        .disk_bytes = os_size,
        .link = os_link,
        .rename = os_rename,
        .unlink = os_unlink,
        .list = os_list,
        .lock = os_lock,
        .now = os_now,
        .monotonic = os_monotonic,
        .random = os_random,
        .pid = os_pid,
        .thread_start = os_thread_start,
        .thread_join = os_thread_join,
        .futex_wait = os_futex_wait,
        .futex_wake = os_futex_wake,
        .yield = os_yield,
        .event_create = os_event_create,
        .event_signal = os_event_signal,
        .event_clear = os_event_clear,
    };
}

/* The address space of all worlds, one after the other. */
static memory *shared_memory(void)
{
    static memory shared;
    if (shared.bytes == NULL) {
        memory_init(&shared);
    }
    memory_reset(&shared);
    return &shared;
}

world *world_create(const swarm *s)
{
    world *w = calloc(1, sizeof *w);
    if (w == NULL) {
        abort();
    }
    w->s = *s;
    w->memory = shared_memory();
    set_methods(w);
    packers_keep(!swarm_has(s, FAULT_MEMORY) || s->seed % NEW_PACKERS_IN != 0);
    w->schedule.state = s->seed * 3 + 1;
    w->faults.state = s->seed * 3 + 2;
    w->disk = memdisk_create(s->seed * 3);
    w->files = memdisk_os(w->disk);
    memdisk_add_folder(w->disk, "backup");
    memdisk_add_folder(w->disk, "restored");
    memdisk_add_folder(w->disk, "salvaged");
    memdisk_set_faults(w->disk, decide_fault, w);
    memdisk_set_features(w->disk, s->has_direct, s->has_unnamed);
    w->monotonic = 1000 * MS;
    w->epoch = (int64_t)(1 + rng_below(&w->schedule, 2000000000)) * 1000 * MS;
    return w;
}

memdisk *world_copy_disk(world *w)
{
    memdisk *before = w->disk;
    w->disk = memdisk_copy(before);
    w->files = memdisk_os(w->disk);
    return before;
}

void world_take_disk(world *w, memdisk *before)
{
    memdisk_destroy(w->disk);
    w->disk = before;
    w->files = memdisk_os(before);
}

void world_destroy(world *w)
{
    memdisk_destroy(w->disk);
    free(w);
}
