/*
 * The real system: Linux, with glibc or another C library that has its calls.
 */
#include "os/os.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/assert.h"

enum { FILE_MODE = 0600, DIR_MODE = 0700, BLOCK_BYTES = 512 };

static const int64_t ns_per_second = 1000000000;

/* Do `call` again while a signal interrupts it; gives its result. */
#define UNINTERRUPTED(call)                                                    \
    __extension__({                                                            \
        __typeof__(call) got_;                                                 \
        do {                                                                   \
            got_ = (call);                                                     \
        } while (got_ == -1 && errno == EINTR);                                \
        got_;                                                                  \
    })

/* What a method answers for a call that gave `result`. */
static int answer(int result)
{
    return result < 0 ? -errno : 0;
}

static bool is_name(const char *name)
{
    return name[0] != '\0' && strchr(name, '/') == NULL;
}

/* Make the entry of the open directory `dir` in its parent durable. */
static int sync_parent(int dir, bool is_made)
{
    int parent =
        UNINTERRUPTED(openat(dir, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (parent < 0) {
        /* Who may not read the parent has not made the directory either. */
        return errno == EACCES && !is_made ? 0 : -errno;
    }
    int rc = answer(UNINTERRUPTED(fsync(parent)));
    (void)close(parent); /* was only read */
    return rc;
}

static int os_dir_open(stet_os *os, const char *path, bool is_create)
{
    (void)os;
    bool is_made = is_create && mkdir(path, DIR_MODE) == 0;
    if (is_create && !is_made && errno != EEXIST) {
        return -errno;
    }
    /* Links are followed: a store may live where its user points one. */
    int dir = UNINTERRUPTED(open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (dir < 0) {
        return -errno;
    }
    /* Also of one that was there: who made it may have died before this. */
    int rc = is_create ? sync_parent(dir, is_made) : 0;
    if (rc < 0) {
        (void)close(dir); /* was only read */
        return rc;
    }
    return dir;
}

/* The flags of openat that `flags` ask for. */
static int open_how(unsigned flags)
{
    int how = O_CLOEXEC | O_NOFOLLOW | O_NOCTTY;
    how |= (flags & STET_OPEN_DIRECT) != 0 ? O_DIRECT | O_DSYNC : 0;
    how |= (flags & STET_OPEN_UNCACHED) != 0 ? O_DIRECT : 0;
    if ((flags & STET_OPEN_UNNAMED) != 0) {
        return how | O_RDWR | O_TMPFILE;
    }
    how |= (flags & STET_OPEN_WRITE) != 0 ? O_RDWR : O_RDONLY;
    how |= (flags & STET_OPEN_CREATE) != 0 ? O_CREAT : 0;
    how |= (flags & STET_OPEN_EXCLUSIVE) != 0 ? O_EXCL : 0;
    return how;
}

static int os_open(stet_os *os, int dir, const char *name, unsigned flags)
{
    (void)os;
    bool is_unnamed = (flags & STET_OPEN_UNNAMED) != 0;
    STET_ASSERT(is_unnamed || is_name(name));
    const char *path = is_unnamed ? "." : name;
    int fd = UNINTERRUPTED(openat(dir, path, open_how(flags), FILE_MODE));
    if (fd < 0) {
        /* A file system that ignores O_TMPFILE sees a directory opened. */
        return is_unnamed && errno == EISDIR ? -EOPNOTSUPP : -errno;
    }
    return fd;
}

static int os_close(stet_os *os, int fd)
{
    (void)os;
    /*
     * Never again: the number is free after any answer, EINTR included, and
     * may be another thread's file by then.
     */
    return close(fd) == 0 || errno == EINTR ? 0 : -errno;
}

static int64_t os_pread(stet_os *os, int fd, void *ptr, size_t len,
                        uint64_t off)
{
    (void)os;
    size_t done = 0;
    while (done < len) {
        ssize_t n = UNINTERRUPTED(
            pread(fd, (uint8_t *)ptr + done, len - done, (off_t)(off + done)));
        if (n < 0) {
            return -errno;
        }
        if (n == 0) {
            break;
        }
        done += (size_t)n;
    }
    return (int64_t)done;
}

static int os_pwrite(stet_os *os, int fd, const void *ptr, size_t len,
                     uint64_t off)
{
    (void)os;
    size_t done = 0;
    while (done < len) {
        ssize_t n = UNINTERRUPTED(pwrite(fd, (const uint8_t *)ptr + done,
                                         len - done, (off_t)(off + done)));
        if (n <= 0) {
            return n < 0 ? -errno : -EIO;
        }
        done += (size_t)n;
    }
    return 0;
}

/*
 * A sync that failed is never repeated: the kernel forgets the error and the
 * next one would lie. EINTR is not such a failure, it says nothing was decided.
 */
static int os_datasync(stet_os *os, int fd)
{
    (void)os;
    return answer(UNINTERRUPTED(fdatasync(fd)));
}

static int os_sync(stet_os *os, int fd)
{
    (void)os;
    return answer(UNINTERRUPTED(fsync(fd)));
}

static int os_truncate(stet_os *os, int fd, uint64_t size)
{
    (void)os;
    return answer(UNINTERRUPTED(ftruncate(fd, (off_t)size)));
}

static int64_t os_size(stet_os *os, int fd)
{
    (void)os;
    struct stat st;
    return fstat(fd, &st) < 0 ? -errno : (int64_t)st.st_size;
}

static int64_t os_disk_bytes(stet_os *os, int fd)
{
    (void)os;
    struct stat st;
    return fstat(fd, &st) < 0 ? -errno : (int64_t)st.st_blocks * BLOCK_BYTES;
}

static int os_link(stet_os *os, int dir, int fd, const char *name)
{
    (void)os;
    STET_ASSERT(is_name(name));
    /* Through /proc: naming the descriptor itself takes a capability. */
    char path[32];
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd); /* fits */
    return answer(linkat(AT_FDCWD, path, dir, name, AT_SYMLINK_FOLLOW));
}

static int os_rename(stet_os *os, int dir, const char *from, const char *to)
{
    (void)os;
    STET_ASSERT(is_name(from) && is_name(to));
    return answer(renameat(dir, from, dir, to));
}

static int os_unlink(stet_os *os, int dir, const char *name)
{
    (void)os;
    STET_ASSERT(is_name(name));
    return answer(unlinkat(dir, name, 0));
}

static bool is_dots(const char *name)
{
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

static int os_list(stet_os *os, int dir, stet_os_name_fn visit, void *ctx)
{
    (void)os;
    /* Opened anew: a stream has a position and closes what it was given. */
    int fd =
        UNINTERRUPTED(openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (fd < 0) {
        return -errno;
    }
    DIR *stream = fdopendir(fd);
    if (stream == NULL) {
        int rc = -errno;
        (void)close(fd); /* was only read */
        return rc;
    }
    struct dirent *entry = NULL;
    do {
        errno = 0;
        entry = readdir(stream);
    } while (entry != NULL &&
             (is_dots(entry->d_name) || visit(ctx, entry->d_name)));
    int rc = entry == NULL ? -errno : 0;
    (void)closedir(stream); /* was only read */
    return rc;
}

static int os_lock(stet_os *os, int fd, stet_lock_kind kind)
{
    (void)os;
    int how = LOCK_UN;
    switch (kind) {
    case STET_LOCK_SHARED:
        how = LOCK_SH | LOCK_NB;
        break;
    case STET_LOCK_EXCLUSIVE:
        how = LOCK_EX | LOCK_NB;
        break;
    case STET_LOCK_NONE:
        break;
    }
    return answer(UNINTERRUPTED(flock(fd, how)));
}

static int64_t clock_ns(clockid_t id)
{
    struct timespec t;
    int rc = clock_gettime(id, &t);
    STET_ASSERT(rc == 0);
    return (int64_t)t.tv_sec * ns_per_second + t.tv_nsec;
}

static int64_t os_now(stet_os *os)
{
    (void)os;
    return clock_ns(CLOCK_REALTIME);
}

static int64_t os_monotonic(stet_os *os)
{
    (void)os;
    return clock_ns(CLOCK_MONOTONIC);
}

static int os_random(stet_os *os, void *ptr, size_t len)
{
    (void)os;
    size_t done = 0;
    while (done < len) {
        ssize_t n =
            UNINTERRUPTED(getrandom((uint8_t *)ptr + done, len - done, 0));
        if (n < 0) {
            return -errno;
        }
        done += (size_t)n;
    }
    return 0;
}

static int os_pid(stet_os *os)
{
    (void)os;
    return getpid();
}

/* Lives on the starter's stack until the new thread has taken its copy. */
typedef struct start {
    stet_os *os;
    stet_os_thread_fn fn;
    void *ctx;
    _Atomic uint32_t is_taken;
} start;

static void *thread_main(void *arg)
{
    start *s = arg;
    stet_os *os = s->os;
    stet_os_thread_fn fn = s->fn;
    void *ctx = s->ctx;
    /* Release: the copies come before it. After it only the address counts. */
    atomic_store_explicit(&s->is_taken, 1, memory_order_release);
    os->futex_wake(os, &s->is_taken, 1);
    fn(ctx);
    return NULL;
}

/*
 * A program's signals are for its own threads. The signals of a fault stay
 * open: a blocked one kills the process without running its crash handler.
 */
static void fill_sigmask(sigset_t *mask)
{
    static const int faults[] = {SIGSEGV, SIGBUS,  SIGFPE, SIGILL,
                                 SIGABRT, SIGTRAP, SIGSYS};
    (void)sigfillset(mask); /* fails for a bad number only, as sigdelset */
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        (void)sigdelset(mask, faults[i]);
    }
}

_Static_assert(sizeof(pthread_t) <= sizeof(uint64_t), "a thread fits its name");

static int os_thread_start(stet_os *os, stet_os_thread_fn fn, void *ctx,
                           uint64_t *out_thread)
{
    start s = {.os = os, .fn = fn, .ctx = ctx};
    pthread_t thread;
    sigset_t mask;
    sigset_t old;
    fill_sigmask(&mask);
    int rc = pthread_sigmask(SIG_SETMASK, &mask, &old);
    STET_ASSERT(rc == 0);
    int started = pthread_create(&thread, NULL, thread_main, &s);
    rc = pthread_sigmask(SIG_SETMASK, &old, NULL);
    STET_ASSERT(rc == 0);
    if (started != 0) {
        return -started;
    }
    while (atomic_load_explicit(&s.is_taken, memory_order_acquire) == 0) {
        os->futex_wait(os, &s.is_taken, 0, 0);
    }
    *out_thread = (uint64_t)thread;
    return 0;
}

static void os_thread_join(stet_os *os, uint64_t thread)
{
    (void)os;
    int rc = pthread_join((pthread_t)thread, NULL);
    STET_ASSERT(rc == 0);
}

_Static_assert(sizeof(struct timespec) == 2 * sizeof(long),
               "the C library's timespec is the one of SYS_futex");

static void os_futex_wait(stet_os *os, _Atomic uint32_t *word,
                          uint32_t expected, int64_t deadline_ns)
{
    (void)os;
    struct timespec deadline = {.tv_sec = deadline_ns / ns_per_second,
                                .tv_nsec = deadline_ns % ns_per_second};
    /* _BITSET, for its deadline is a point in monotonic time, not a span. */
    (void)syscall(SYS_futex, word, FUTEX_WAIT_BITSET_PRIVATE, expected,
                  deadline_ns == 0 ? NULL : &deadline, NULL,
                  FUTEX_BITSET_MATCH_ANY); /* may wake without cause */
}

static void os_futex_wake(stet_os *os, _Atomic uint32_t *word, int count)
{
    (void)os;
    (void)syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, count); /* the woken */
}

static void os_yield(stet_os *os)
{
    (void)os;
    (void)sched_yield(); /* always succeeds */
}

static int os_event_create(stet_os *os)
{
    (void)os;
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return fd < 0 ? -errno : fd;
}

static void os_event_signal(stet_os *os, int fd)
{
    (void)os;
    uint64_t one = 1;
    ssize_t n = UNINTERRUPTED(write(fd, &one, sizeof one));
    STET_ASSERT(n > 0 || errno == EAGAIN); /* full is readable too */
}

static void os_event_clear(stet_os *os, int fd)
{
    (void)os;
    uint64_t count = 0;
    ssize_t n = UNINTERRUPTED(read(fd, &count, sizeof count));
    STET_ASSERT(n > 0 || errno == EAGAIN); /* was clear */
}

stet_os *stet__os_posix(void)
{
    static stet_os posix = {
        .dir_open = os_dir_open,
        .open = os_open,
        .close = os_close,
        .pread = os_pread,
        .pwrite = os_pwrite,
        .datasync = os_datasync,
        .sync = os_sync,
        .truncate = os_truncate,
        .size = os_size,
        .disk_bytes = os_disk_bytes,
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
    return &posix;
}
