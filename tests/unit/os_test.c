#include "os/os.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/child.h"
#include "lib/tmpdir.h"

enum { BLOCK = 4096 };

static const unsigned new_file =
    STET_OPEN_WRITE | STET_OPEN_CREATE | STET_OPEN_EXCLUSIVE;

/* An open directory of its own for each test. */
typedef struct fixture {
    stet_os *os;
    tmpdir tmp;
    int dir;
} fixture;

static int setup(void **state)
{
    fixture *fx = calloc(1, sizeof *fx);
    assert_non_null(fx);
    fx->os = stet__os_posix();
    tmpdir_create(&fx->tmp);
    fx->dir = fx->os->dir_open(fx->os, fx->tmp.path, false);
    assert_true(fx->dir >= 0);
    *state = fx;
    return 0;
}

static int teardown(void **state)
{
    fixture *fx = *state;
    assert_int_equal(fx->os->close(fx->os, fx->dir), 0);
    tmpdir_remove(&fx->tmp);
    free(fx);
    return 0;
}

/* Open; the test ends here when that fails. */
static int open_file(fixture *fx, const char *name, unsigned flags)
{
    int fd = fx->os->open(fx->os, fx->dir, name, flags);
    assert_true(fd >= 0);
    return fd;
}

static void close_file(fixture *fx, int fd)
{
    assert_int_equal(fx->os->close(fx->os, fd), 0);
}

static void write_file(fixture *fx, const char *name, const char *text)
{
    int fd = open_file(fx, name, STET_OPEN_WRITE | STET_OPEN_CREATE);
    assert_int_equal(fx->os->truncate(fx->os, fd, 0), 0);
    assert_int_equal(fx->os->pwrite(fx->os, fd, text, strlen(text), 0), 0);
    close_file(fx, fd);
}

static void assert_file_is(fixture *fx, const char *name, const char *text)
{
    char read[256];
    int fd = open_file(fx, name, 0);
    int64_t len = fx->os->pread(fx->os, fd, read, sizeof read, 0);
    assert_int_equal(len, strlen(text));
    assert_memory_equal(read, text, strlen(text));
    close_file(fx, fd);
}

/* A store is private to its user, and opening it again is no error. */
static void test_directory_is_created_once_and_private(void **state)
{
    fixture *fx = *state;
    char path[600];
    (void)snprintf(path, sizeof path, "%s/store/", fx->tmp.path);
    assert_int_equal(fx->os->dir_open(fx->os, path, false), -ENOENT);
    for (int round = 0; round < 2; round++) {
        int dir = fx->os->dir_open(fx->os, path, true);
        assert_true(dir >= 0);
        assert_int_equal(fx->os->sync(fx->os, dir), 0);
        close_file(fx, dir);
    }
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
    (void)snprintf(path, sizeof path, "%s/no/store", fx->tmp.path);
    assert_int_equal(fx->os->dir_open(fx->os, path, true), -ENOENT);
    write_file(fx, "file", "");
    (void)snprintf(path, sizeof path, "%s/file", fx->tmp.path);
    assert_int_equal(fx->os->dir_open(fx->os, path, true), -ENOTDIR);
}

/* Two openers that create must not both believe that they were first. */
static void test_exclusive_create_succeeds_once(void **state)
{
    fixture *fx = *state;
    assert_int_equal(fx->os->open(fx->os, fx->dir, "1.seg", 0), -ENOENT);
    close_file(fx, open_file(fx, "1.seg", new_file));
    assert_int_equal(fx->os->open(fx->os, fx->dir, "1.seg", new_file), -EEXIST);
    close_file(fx, open_file(fx, "1.seg", STET_OPEN_WRITE | STET_OPEN_CREATE));
    char path[600];
    struct stat st;
    (void)snprintf(path, sizeof path, "%s/1.seg", fx->tmp.path);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
}

/* A link planted in the directory must not lead a write elsewhere. */
static void test_links_are_not_followed(void **state)
{
    fixture *fx = *state;
    char path[600];
    write_file(fx, "victim", "whole");
    (void)snprintf(path, sizeof path, "%s/link", fx->tmp.path);
    assert_int_equal(symlink("victim", path), 0);
    assert_int_equal(fx->os->open(fx->os, fx->dir, "link", STET_OPEN_WRITE),
                     -ELOOP);
    assert_file_is(fx, "victim", "whole");
}

/* A child that the program starts must not keep a store's lock. */
static void test_descriptors_are_closed_on_exec(void **state)
{
    fixture *fx = *state;
    int fds[] = {fx->dir, open_file(fx, "a", new_file),
                 fx->os->event_create(fx->os)};
    for (size_t i = 0; i < 3; i++) {
        assert_true((fcntl(fds[i], F_GETFD) & FD_CLOEXEC) != 0);
    }
    close_file(fx, fds[1]);
    close_file(fx, fds[2]);
}

/* A short count means the end of the file and nothing else. */
static void test_read_is_short_at_the_end_only(void **state)
{
    fixture *fx = *state;
    char text[16] = "";
    int fd = open_file(fx, "a", new_file);
    assert_int_equal(fx->os->pwrite(fx->os, fd, "0123456789", 10, 0), 0);
    assert_int_equal(fx->os->pread(fx->os, fd, text, 4, 3), 4);
    assert_memory_equal(text, "3456", 4);
    assert_int_equal(fx->os->pread(fx->os, fd, text, 16, 8), 2);
    assert_memory_equal(text, "89", 2);
    assert_int_equal(fx->os->pread(fx->os, fd, text, 16, 10), 0);
    assert_int_equal(fx->os->pread(fx->os, fd, text, 16, 99), 0);
    close_file(fx, fd);
    assert_int_equal(fx->os->pread(fx->os, -1, text, 1, 0), -EBADF);
    assert_int_equal(fx->os->pwrite(fx->os, -1, text, 1, 0), -EBADF);
    assert_int_equal(fx->os->sync(fx->os, -1), -EBADF);
    assert_int_equal(fx->os->datasync(fx->os, -1), -EBADF);
    assert_int_equal(fx->os->size(fx->os, -1), -EBADF);
    assert_int_equal(fx->os->close(fx->os, -1), -EBADF);
}

/*
 * The kernel may take a part of a write and answer with its length; a caller
 * that hears 0 must know that all is there. The limit makes it do so.
 */
static void test_short_write_is_continued_to_its_error(void **state)
{
    fixture *fx = *state;
    static char bytes[8000];
    int fd = open_file(fx, "a", new_file);
    struct rlimit old;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    struct rlimit low = {.rlim_cur = 6000, .rlim_max = old.rlim_max};
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &low), 0);
    int rc = fx->os->pwrite(fx->os, fd, bytes, sizeof bytes, 0);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    signal(SIGXFSZ, handler);
    assert_int_equal(rc, -EFBIG);
    assert_int_equal(fx->os->size(fx->os, fd), 6000);
    assert_int_equal(fx->os->pwrite(fx->os, fd, bytes, sizeof bytes, 0), 0);
    assert_int_equal(fx->os->size(fx->os, fd), 8000);
    close_file(fx, fd);
}

/* Retention shows what it gave back, which the size does not tell. */
static void test_disk_bytes_do_not_count_holes(void **state)
{
    fixture *fx = *state;
    static char bytes[BLOCK];
    memset(bytes, 'x', sizeof bytes);
    int fd = open_file(fx, "a", new_file);
    assert_int_equal(fx->os->truncate(fx->os, fd, 1 << 24), 0);
    assert_int_equal(fx->os->pwrite(fx->os, fd, bytes, BLOCK, 1 << 23), 0);
    assert_int_equal(fx->os->sync(fx->os, fd), 0);
    assert_int_equal(fx->os->size(fx->os, fd), 1 << 24);
    assert_in_range(fx->os->disk_bytes(fx->os, fd), BLOCK, 1 << 20);
    assert_int_equal(fx->os->truncate(fx->os, fd, 10), 0);
    assert_int_equal(fx->os->datasync(fx->os, fd), 0);
    assert_int_equal(fx->os->size(fx->os, fd), 10);
    close_file(fx, fd);
}

/* The commit path writes so; what it wrote is there for the other way. */
static void test_direct_write_is_seen_by_a_cached_read(void **state)
{
    fixture *fx = *state;
    int fd = fx->os->open(fx->os, fx->dir, "a", new_file | STET_OPEN_DIRECT);
    if (fd == -EINVAL) {
        skip(); /* a file system without O_DIRECT */
    }
    assert_true(fd >= 0);
    char *bytes = aligned_alloc(BLOCK, 2 * BLOCK);
    assert_non_null(bytes);
    memset(bytes, 'd', 2 * BLOCK);
    assert_int_equal(fx->os->pwrite(fx->os, fd, bytes, 2 * BLOCK, BLOCK), 0);
    memset(bytes, 0, 2 * BLOCK);
    int cached = open_file(fx, "a", 0);
    assert_int_equal(fx->os->pread(fx->os, cached, bytes, BLOCK, BLOCK), BLOCK);
    for (size_t i = 0; i < BLOCK; i++) {
        assert_int_equal(bytes[i], 'd');
    }
    /* Over the end, where the count is short and its rest not aligned. */
    assert_int_equal(fx->os->truncate(fx->os, fd, BLOCK + 100), 0);
    assert_int_equal(fx->os->pread(fx->os, fd, bytes, 2 * BLOCK, 0),
                     BLOCK + 100);
    free(bytes);
    close_file(fx, cached);
    close_file(fx, fd);
}

/* A file that is built without a name appears whole or never. */
static void test_unnamed_file_appears_when_it_is_linked(void **state)
{
    fixture *fx = *state;
    int fd = fx->os->open(fx->os, fx->dir, NULL, STET_OPEN_UNNAMED);
    if (fd == -EOPNOTSUPP) {
        skip(); /* a file system without O_TMPFILE */
    }
    assert_true(fd >= 0);
    assert_int_equal(fx->os->pwrite(fx->os, fd, "built", 5, 0), 0);
    assert_int_equal(fx->os->open(fx->os, fx->dir, "a", 0), -ENOENT);
    assert_int_equal(fx->os->link(fx->os, fx->dir, fd, "a"), 0);
    assert_file_is(fx, "a", "built");
    assert_int_equal(fx->os->link(fx->os, fx->dir, fd, "a"), -EEXIST);
    close_file(fx, fd);
}

/* A replaced file shows the old or the new text, and a removed one none. */
static void test_rename_replaces_and_unlink_removes(void **state)
{
    fixture *fx = *state;
    write_file(fx, "old", "old text");
    write_file(fx, "new", "new text");
    assert_int_equal(fx->os->rename(fx->os, fx->dir, "new", "old"), 0);
    assert_file_is(fx, "old", "new text");
    assert_int_equal(fx->os->rename(fx->os, fx->dir, "new", "old"), -ENOENT);
    assert_int_equal(fx->os->unlink(fx->os, fx->dir, "old"), 0);
    assert_int_equal(fx->os->unlink(fx->os, fx->dir, "old"), -ENOENT);
    assert_int_equal(fx->os->open(fx->os, fx->dir, "old", 0), -ENOENT);
}

typedef struct names {
    unsigned seen; /* bit n: the name n */
    int left;      /* stop after so many */
} names;

static bool see_name(void *ctx, const char *name)
{
    names *n = ctx;
    unsigned bit = 1U << strtoul(name, NULL, 10);
    assert_int_equal(n->seen & bit, 0);
    n->seen |= bit;
    return --n->left > 0;
}

/* Recovery trusts the listing: each file once, at each time anew. */
static void test_list_gives_each_name_once(void **state)
{
    fixture *fx = *state;
    write_file(fx, "1", "");
    write_file(fx, "2", "");
    write_file(fx, "5", "");
    for (int round = 0; round < 2; round++) {
        names all = {.left = 10};
        assert_int_equal(fx->os->list(fx->os, fx->dir, see_name, &all), 0);
        assert_int_equal(all.seen, 1U << 1 | 1U << 2 | 1U << 5);
    }
    names two = {.left = 2};
    assert_int_equal(fx->os->list(fx->os, fx->dir, see_name, &two), 0);
    assert_int_equal(two.left, 0);
    assert_int_equal(fx->os->list(fx->os, -1, see_name, &two), -EBADF);
}

/* One writer per store: the second opener is told so and does not wait. */
static void test_exclusive_lock_keeps_others_out(void **state)
{
    fixture *fx = *state;
    stet_os *os = fx->os;
    int a = open_file(fx, "lock", new_file);
    int b = open_file(fx, "lock", STET_OPEN_WRITE);
    assert_int_equal(os->lock(os, a, STET_LOCK_EXCLUSIVE), 0);
    assert_int_equal(os->lock(os, b, STET_LOCK_EXCLUSIVE), -EWOULDBLOCK);
    assert_int_equal(os->lock(os, b, STET_LOCK_SHARED), -EWOULDBLOCK);
    assert_int_equal(os->lock(os, a, STET_LOCK_SHARED), 0);
    assert_int_equal(os->lock(os, b, STET_LOCK_SHARED), 0);
    assert_int_equal(os->lock(os, a, STET_LOCK_EXCLUSIVE), -EWOULDBLOCK);
    assert_int_equal(os->lock(os, b, STET_LOCK_NONE), 0);
    assert_int_equal(os->lock(os, a, STET_LOCK_EXCLUSIVE), 0);
    close_file(fx, a);
    assert_int_equal(os->lock(os, b, STET_LOCK_EXCLUSIVE), 0);
    close_file(fx, b);
}

static void open_outside(void *ctx)
{
    fixture *fx = ctx;
    (void)fx->os->open(fx->os, fx->dir, "../a", 0); /* does not return */
}

static void rename_outside(void *ctx)
{
    fixture *fx = ctx;
    (void)fx->os->rename(fx->os, fx->dir, "a", "/a"); /* does not return */
}

static void unlink_outside(void *ctx)
{
    fixture *fx = ctx;
    (void)fx->os->unlink(fx->os, fx->dir, "b/a"); /* does not return */
}

/* A name with a slash would leave the store; none is ever made. */
static void test_name_with_a_slash_stops_the_process(void **state)
{
    assert_true(child_aborts(open_outside, *state));
    assert_true(child_aborts(rename_outside, *state));
    assert_true(child_aborts(unlink_outside, *state));
}

/* Deadlines are in monotonic time, events in the time since 1970. */
static void test_clocks_give_nanoseconds(void **state)
{
    fixture *fx = *state;
    int64_t last = fx->os->monotonic(fx->os);
    for (int i = 0; i < 10000; i++) {
        int64_t now = fx->os->monotonic(fx->os);
        assert_true(now >= last);
        last = now;
    }
    int64_t seconds = (int64_t)time(NULL);
    int64_t apart = fx->os->now(fx->os) / 1000000000 - seconds;
    assert_true(apart >= -1 && apart <= 5);
    assert_int_equal(fx->os->pid(fx->os), getpid());
}

/* Store ids come from here: two equal ones would mix two stores. */
static void test_random_bytes_differ(void **state)
{
    fixture *fx = *state;
    static uint8_t a[1000];
    static uint8_t b[1000];
    assert_int_equal(fx->os->random(fx->os, a, sizeof a), 0);
    assert_int_equal(fx->os->random(fx->os, b, sizeof b), 0);
    for (size_t i = 0; i + 8 <= sizeof a; i += 8) {
        assert_memory_not_equal(a + i, b + i, 8);
    }
}

typedef struct thread_report {
    pthread_t self;
    sigset_t mask;
    int is_done;
} thread_report;

static void report(void *ctx)
{
    thread_report *r = ctx;
    r->self = pthread_self();
    (void)pthread_sigmask(SIG_SETMASK, NULL, &r->mask);
    r->is_done = 1;
}

/* The program's signals are its own; its crash handler still works. */
static void test_thread_takes_no_signals_but_faults(void **state)
{
    fixture *fx = *state;
    sigset_t before;
    sigset_t after;
    (void)pthread_sigmask(SIG_SETMASK, NULL, &before);
    for (int round = 0; round < 50; round++) {
        thread_report r = {.is_done = 0};
        uint64_t thread = 0;
        assert_int_equal(fx->os->thread_start(fx->os, report, &r, &thread), 0);
        fx->os->thread_join(fx->os, thread);
        assert_int_equal(r.is_done, 1);
        assert_false(pthread_equal(r.self, pthread_self()));
        static const int blocked[] = {SIGINT,  SIGTERM, SIGHUP, SIGCHLD,
                                      SIGALRM, SIGUSR1, SIGPIPE};
        for (size_t i = 0; i < sizeof blocked / sizeof blocked[0]; i++) {
            assert_true(sigismember(&r.mask, blocked[i]));
        }
        assert_false(sigismember(&r.mask, SIGSEGV));
        assert_false(sigismember(&r.mask, SIGBUS));
    }
    (void)pthread_sigmask(SIG_SETMASK, NULL, &after);
    for (int signo = 1; signo < NSIG; signo++) {
        assert_int_equal(sigismember(&before, signo),
                         sigismember(&after, signo));
    }
}

typedef struct baton {
    stet_os *os;
    _Atomic uint32_t turn; /* even: the test's, odd: the thread's */
} baton;

enum { TURNS = 2000 };

static void pass(baton *b, uint32_t mine)
{
    for (uint32_t turn = mine; turn < TURNS; turn += 2) {
        uint32_t now = 0;
        while ((now = atomic_load(&b->turn)) != turn) {
            b->os->futex_wait(b->os, &b->turn, now, 0);
        }
        atomic_store(&b->turn, turn + 1);
        b->os->futex_wake(b->os, &b->turn, 1);
    }
}

static void pass_odd(void *ctx)
{
    pass(ctx, 1);
}

/* A wake that is lost would leave a committed write waiting for ever. */
static void test_futex_wakes_whoever_waits(void **state)
{
    fixture *fx = *state;
    baton b = {.os = fx->os};
    uint64_t thread = 0;
    atomic_init(&b.turn, 0);
    assert_int_equal(fx->os->thread_start(fx->os, pass_odd, &b, &thread), 0);
    pass(&b, 0);
    fx->os->thread_join(fx->os, thread);
    assert_int_equal(atomic_load(&b.turn), TURNS);
}

/* Timers and time limits are deadlines of this wait. */
static void test_futex_wait_ends_at_its_deadline(void **state)
{
    fixture *fx = *state;
    _Atomic uint32_t word;
    atomic_init(&word, 1);
    fx->os->futex_wait(fx->os, &word, 0, 0); /* differs: does not sleep */
    fx->os->futex_wait(fx->os, &word, 1, 1); /* long ago: does not either */
    int64_t deadline = fx->os->monotonic(fx->os) + 3000000;
    while (fx->os->monotonic(fx->os) < deadline) {
        fx->os->futex_wait(fx->os, &word, 1, deadline);
    }
    assert_true(fx->os->monotonic(fx->os) < deadline + 5000000000);
    fx->os->yield(fx->os);
}

static bool is_readable(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    return poll(&p, 1, 0) == 1 && (p.revents & POLLIN) != 0;
}

/* An event loop hears of many signals once, and of none after it cleared. */
static void test_event_is_readable_from_signal_to_clear(void **state)
{
    fixture *fx = *state;
    int fd = fx->os->event_create(fx->os);
    assert_true(fd >= 0);
    assert_false(is_readable(fd));
    for (int round = 0; round < 3; round++) {
        fx->os->event_signal(fx->os, fd);
        fx->os->event_signal(fx->os, fd);
        assert_true(is_readable(fd));
        fx->os->event_clear(fx->os, fd);
        assert_false(is_readable(fd));
        fx->os->event_clear(fx->os, fd);
    }
    close_file(fx, fd);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_directory_is_created_once_and_private),
        TEST(test_exclusive_create_succeeds_once),
        TEST(test_links_are_not_followed),
        TEST(test_descriptors_are_closed_on_exec),
        TEST(test_read_is_short_at_the_end_only),
        TEST(test_short_write_is_continued_to_its_error),
        TEST(test_disk_bytes_do_not_count_holes),
        TEST(test_direct_write_is_seen_by_a_cached_read),
        TEST(test_unnamed_file_appears_when_it_is_linked),
        TEST(test_rename_replaces_and_unlink_removes),
        TEST(test_list_gives_each_name_once),
        TEST(test_exclusive_lock_keeps_others_out),
        TEST(test_name_with_a_slash_stops_the_process),
        TEST(test_clocks_give_nanoseconds),
        TEST(test_random_bytes_differ),
        TEST(test_thread_takes_no_signals_but_faults),
        TEST(test_futex_wakes_whoever_waits),
        TEST(test_futex_wait_ends_at_its_deadline),
        TEST(test_event_is_readable_from_signal_to_clear),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
