#include "run.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static volatile sig_atomic_t is_stopped;

static void stop(int signal_number)
{
    (void)signal_number;
    is_stopped = 1;
}

bool run_is_stopped(void)
{
    return is_stopped != 0;
}

static stet_status make_directory(const char *path, bool *out_is_made,
                                  stet_error *err)
{
    *out_is_made = mkdir(path, 0777) == 0;
    return *out_is_made || errno == EEXIST ? STET_OK
                                           : run_fail(err, errno, "%s", path);
}

stet_status run_init(run *r, const char *dir, stet_error *err)
{
    stet_status st = make_directory(dir, &r->is_parent_made, err);
    if (st != STET_OK) {
        return st;
    }
    if ((size_t)snprintf(r->dir, sizeof(r->dir), "%s/%d", dir, (int)getpid()) >=
        sizeof(r->dir)) {
        return run_fail(err, ENAMETOOLONG, "%s", dir);
    }
    bool is_made = false;
    st = make_directory(r->dir, &is_made, err);
    if (st == STET_OK && !is_made) {
        st = run_fail(err, EEXIST, "%s", r->dir);
    }
    /* A run leaves gigabytes behind unless it may tidy up. */
    struct sigaction action = {.sa_handler = stop, .sa_flags = SA_RESTART};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    return st;
}

static int remove_one(const char *path, const struct stat *info, int type,
                      struct FTW *place)
{
    (void)info;
    (void)type;
    (void)place;
    return remove(path);
}

static void remove_tree(const char *path)
{
    if (nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS) != 0 &&
        errno != ENOENT) {
        fprintf(stderr, "stet-bench: %s stays: %s\n", path, strerror(errno));
    }
}

void run_deinit(run *r)
{
    remove_tree(r->dir);
    if (r->is_parent_made) {
        *strrchr(r->dir, '/') = '\0';
        (void)rmdir(r->dir); /* another run may be using it */
    }
}

stet_status run_measure(const run *r, const call *c, figures *out,
                        stet_error *err)
{
    window w = measure_window(r->warm_ns, r->window_ns);
    return measure_loop(&w, c, out, err);
}

void run_path(const run *r, const char *name, char *out)
{
    if ((size_t)snprintf(out, RUN_PATH_MAX, "%s/%s", r->dir, name) >=
        RUN_PATH_MAX) {
        fprintf(stderr, "stet-bench: %s: path too long\n", r->dir);
        exit(2);
    }
}

stet_status run_open(const run *r, const char *name, stet **out,
                     stet_error *err)
{
    char path[RUN_PATH_MAX];
    run_path(r, name, path);
    return stet_open(path, NULL, out, err);
}

stet_status run_reopen(const run *r, const char *name, stet **store,
                       stet_error *err)
{
    stet_status st = stet_close(*store, err);
    *store = NULL;
    return st == STET_OK ? run_open(r, name, store, err) : st;
}

void run_remove(const run *r, const char *name)
{
    char path[RUN_PATH_MAX];
    run_path(r, name, path);
    remove_tree(path);
    /* Freed blocks are discarded with the journal: not in the next row. */
    int fd = open(r->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        (void)syncfs(fd); /* only for calm */
        close(fd);
    }
}

void *run_alloc(size_t count, size_t bytes)
{
    void *ptr = calloc(count, bytes);
    if (ptr == NULL) {
        fprintf(stderr, "stet-bench: no memory for %zu times %zu bytes\n",
                count, bytes);
        exit(3);
    }
    return ptr;
}

uint64_t random_next(uint64_t *state)
{
    *state += 0x9e3779b97f4a7c15;
    uint64_t z = *state;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
}

uint64_t random_below(uint64_t *state, uint64_t bound)
{
    return (random_next(state) >> 32) * bound >> 32;
}

stet_status run_fail(stet_error *err, int os_errno, const char *format, ...)
{
    stet_status st = os_errno == 0 ? STET_E_CORRUPT : STET_E_IO;
    if (err == NULL) {
        return st;
    }
    err->status = st;
    err->os_errno = os_errno;
    va_list args;
    va_start(args, format);
    int used = vsnprintf(err->text, sizeof(err->text), format, args);
    va_end(args);
    if (os_errno != 0 && used >= 0 && (size_t)used < sizeof(err->text)) {
        snprintf(err->text + used, sizeof(err->text) - (size_t)used, ": %s",
                 strerror(os_errno));
    }
    return st;
}
