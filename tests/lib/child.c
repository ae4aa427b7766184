#include "lib/child.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static void die(const char *what)
{
    perror(what);
    abort();
}

/* An abort on purpose leaves no core file and no word. */
static void be_quiet(void)
{
    const struct rlimit no_core = {0, 0};
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (null < 0 || dup2(null, STDERR_FILENO) < 0 ||
        setrlimit(RLIMIT_CORE, &no_core) < 0) {
        _exit(EXIT_FAILURE);
    }
}

int child_signal(void (*fn)(void *ctx), void *ctx)
{
    pid_t child = fork();
    if (child < 0) {
        die("fork");
    }
    if (child == 0) {
        be_quiet();
        signal(SIGABRT, SIG_DFL);
        fn(ctx);
        _exit(EXIT_SUCCESS);
    }
    int status = 0;
    if (waitpid(child, &status, 0) != child) {
        die("waitpid");
    }
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

bool child_aborts(void (*fn)(void *ctx), void *ctx)
{
    const char *preset = getenv("STET_PRESET");
    if (preset != NULL &&
        (strcmp(preset, "cov") == 0 || strcmp(preset, "mcdc") == 0)) {
        skip();
    }
    return child_signal(fn, ctx) == SIGABRT;
}
