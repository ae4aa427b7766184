#include "cli/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/child.h"
#include "lib/tmpdir.h"

/*
 * Each case runs in a process of its own, for nobody leaves a sandbox: what it
 * finds wrong aborts it. A directory of each access, and a file in each.
 */
typedef struct places {
    tmpdir read;
    tmpdir write;
    tmpdir other;
} places;

static void make_file(const tmpdir *dir)
{
    char path[600];
    (void)snprintf(path, sizeof path, "%s/file", dir->path);
    int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    close(fd);
}

static int set_up(void **state)
{
    static places p;
    tmpdir_create(&p.read);
    tmpdir_create(&p.write);
    tmpdir_create(&p.other);
    make_file(&p.read);
    make_file(&p.write);
    make_file(&p.other);
    *state = &p;
    return 0;
}

static int tear_down(void **state)
{
    places *p = *state;
    tmpdir_remove(&p->read);
    tmpdir_remove(&p->write);
    tmpdir_remove(&p->other);
    return 0;
}

/* Children check; a check that does not hold ends them. */
static void check(bool holds)
{
    if (!holds) {
        abort();
    }
}

static sandbox enter(const places *p)
{
    sandbox s = {0};
    sandbox_allow(&s, p->read.path, SANDBOX_READ);
    sandbox_allow(&s, p->write.path, SANDBOX_WRITE);
    sandbox_allow(&s, "/nowhere/at/all", SANDBOX_WRITE);
    sandbox_enter(&s);
    return s;
}

/* 0, or the errno of opening "file", or another name, in a directory. */
static int open_in(const tmpdir *dir, const char *name, int how)
{
    char path[600];
    (void)snprintf(path, sizeof path, "%s/%s", dir->path, name);
    int fd = open(path, how | O_CLOEXEC, 0600);
    if (fd < 0) {
        return errno;
    }
    close(fd);
    return 0;
}

/* A kernel may have no landlock; instrumented builds go without. */
static void skip_without_sandbox(void)
{
    const char *word = getenv("STET_SANDBOX");
    if ((word != NULL && strcmp(word, "off") == 0) ||
        syscall(SYS_landlock_create_ruleset, NULL, 0,
                LANDLOCK_CREATE_RULESET_VERSION) < 1) {
        skip();
    }
}

static void say_what_holds(void *ctx)
{
    sandbox s = enter(ctx);
    check(strcmp(sandbox_text(&s), "files and calls") == 0);
}

static void touch_files(void *ctx)
{
    const places *p = ctx;
    (void)enter(p);
    check(open_in(&p->read, "file", O_RDONLY) == 0);
    check(open_in(&p->read, "file", O_WRONLY) == EACCES);
    check(open_in(&p->read, "new", O_CREAT | O_WRONLY) == EACCES);
    check(open_in(&p->write, "file", O_RDWR | O_TRUNC) == 0);
    check(open_in(&p->write, "new", O_CREAT | O_WRONLY) == 0);
    check(open_in(&p->other, "file", O_RDONLY) == EACCES);
    check(open_in(&p->other, "missing", O_RDONLY) == ENOENT);
    check(open("/etc/passwd", O_RDONLY | O_CLOEXEC) < 0 && errno == EACCES);
}

/* A parser that was taken over reads no key and writes no profile. */
static void test_only_what_was_allowed_is_reached(void **state)
{
    skip_without_sandbox();
    assert_int_equal(child_signal(say_what_holds, *state), 0);
    assert_int_equal(child_signal(touch_files, *state), 0);
}

static void start_a_program(void *ctx)
{
    (void)enter(ctx);
    (void)execl("/bin/true", "true", (char *)NULL);
}

static void start_a_process(void *ctx)
{
    (void)enter(ctx);
    (void)syscall(SYS_fork);
}

static void make_a_socket(void *ctx)
{
    (void)enter(ctx);
    (void)socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

/* It starts nothing and talks to nobody: asking ends it. */
static void test_programs_and_sockets_end_the_process(void **state)
{
    skip_without_sandbox();
    assert_int_equal(child_signal(start_a_program, *state), SIGSYS);
    assert_int_equal(child_signal(start_a_process, *state), SIGSYS);
    assert_int_equal(child_signal(make_a_socket, *state), SIGSYS);
}

static void make_memory_executable(void *ctx)
{
    (void)enter(ctx);
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    check(page != MAP_FAILED);
    check(mprotect(page, 4096, PROT_READ | PROT_EXEC) < 0 && errno == ENOSYS);
    check(mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS,
               -1, 0) == MAP_FAILED);
    check(syscall(SYS_sethostname, "x", 1) < 0 && errno == ENOSYS);
}

/* And runs no code but the one it was started with. */
static void test_memory_is_not_made_executable(void **state)
{
    skip_without_sandbox();
    assert_int_equal(child_signal(make_memory_executable, *state), 0);
}

static void *touch_other(void *arg)
{
    const places *p = arg;
    check(open_in(&p->other, "file", O_RDONLY) == EACCES);
    return NULL;
}

static void start_a_thread(void *ctx)
{
    pthread_t thread;
    (void)enter(ctx);
    check(pthread_create(&thread, NULL, touch_other, ctx) == 0);
    check(pthread_join(thread, NULL) == 0);
}

/* The store's threads start later, and are held as well. */
static void test_later_threads_are_inside_too(void **state)
{
    skip_without_sandbox();
    assert_int_equal(child_signal(start_a_thread, *state), 0);
}

static void go_without(void *ctx)
{
    const places *p = ctx;
    check(setenv("STET_SANDBOX", "off", 1) == 0);
    sandbox s = enter(p);
    check(!s.holds_files && !s.holds_calls);
    check(strcmp(sandbox_text(&s), "off: STET_SANDBOX says so") == 0);
    check(open_in(&p->other, "file", O_RDONLY) == 0);
}

/* Who has to look inside can. */
static void test_it_can_be_left_out(void **state)
{
    assert_int_equal(child_signal(go_without, *state), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_only_what_was_allowed_is_reached),
        cmocka_unit_test(test_programs_and_sockets_end_the_process),
        cmocka_unit_test(test_memory_is_not_made_executable),
        cmocka_unit_test(test_later_threads_are_inside_too),
        cmocka_unit_test(test_it_can_be_left_out),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
