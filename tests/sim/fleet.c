#include "sim/fleet.h"

#include <fcntl.h>
#include <inttypes.h>
#include <malloc.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/mark.h"
#include "sim/life.h"

enum {
    JOBS_MAX = 64,
    MARKS_MAX = 512,
    SEED_SECONDS_MAX = 60, /* after which a seed is said to hang */
};

/* What the workers share with who started them. */
typedef struct shared {
    _Atomic uint64_t next; /* index of the next seed */
    _Atomic uint64_t seed[JOBS_MAX];
    _Atomic uint64_t done;
    _Atomic uint64_t calls;
    _Atomic uint64_t crashes;
    _Atomic uint64_t acknowledged;
    _Atomic uint64_t marks[MARKS_MAX];
} shared;

typedef struct fleet {
    const fleet_opts *o;
    uint64_t *seeds; /* of a file */
    uint64_t count;
    shared *all;
    unsigned jobs;
    pid_t workers[JOBS_MAX];
    unsigned failed;
} fleet;

/* Marks. */

#ifdef STET_SIM

/* The linker gives a section of such a name its ends. */
extern stet_mark *const __start_stet_marks[];
extern stet_mark *const __stop_stet_marks[];

static size_t count_marks(void)
{
    return (size_t)(__stop_stet_marks - __start_stet_marks);
}

static stet_mark *mark_at(size_t i)
{
    return __start_stet_marks[i];
}

#else

static size_t count_marks(void)
{
    return 0;
}

static stet_mark *mark_at(size_t i)
{
    (void)i;
    return NULL;
}

#endif

static void add_marks(shared *all)
{
    for (size_t i = 0; i < count_marks() && i < MARKS_MAX; i++) {
        atomic_fetch_add(&all->marks[i], mark_at(i)->count);
        mark_at(i)->count = 0;
    }
}

/* Tell of the marks; how many were never passed? */
static unsigned tell_marks(const fleet *f)
{
    unsigned missing = 0;
    for (size_t i = 0; i < count_marks(); i++) {
        uint64_t passed = atomic_load(&f->all->marks[i]);
        if (f->o->lists_marks) {
            printf("%10" PRIu64 "  %s\n", passed, mark_at(i)->name);
        }
        if (passed == 0 && f->o->wants_all_marks) {
            printf("never passed: %s\n", mark_at(i)->name);
            missing++;
        }
    }
    return missing;
}

/* Workers. */

swarm fleet_draw(const fleet_opts *o, uint64_t seed)
{
    swarm s = swarm_draw(seed);
    for (size_t i = 0; i < o->change_count; i++) {
        (void)swarm_change(&s, o->changes[i].how, o->changes[i].is_without);
    }
    return s;
}

static uint64_t seed_at(const fleet *f, uint64_t i)
{
    return f->seeds != NULL ? f->seeds[i] : f->o->from + i;
}

/* Who turns without a call of the system is ended; by its own time alone. */
static void limit_time(void)
{
    const struct itimerval limit = {.it_value = {.tv_sec = SEED_SECONDS_MAX}};
    (void)setitimer(ITIMER_VIRTUAL, &limit, NULL);
}

static void work(const fleet *f, unsigned job)
{
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* who waits for us may be ended */
    /* Memory comes and goes with each seed: keep it. */
    (void)mallopt(M_MMAP_THRESHOLD, 64 << 20);
    (void)mallopt(M_TRIM_THRESHOLD, 1 << 30);
    shared *all = f->all;
    uint64_t i = 0;
    while ((i = atomic_fetch_add(&all->next, 1)) < f->count) {
        uint64_t seed = seed_at(f, i);
        atomic_store(&all->seed[job], seed);
        swarm s = fleet_draw(f->o, seed);
        limit_time();
        life_report r = life_run(&s, false);
        if (f->o->is_twice && life_run(&s, false).digest != r.digest) {
            fprintf(stderr, "seed %" PRIu64 " is not the same twice\n", seed);
            exit(1);
        }
        atomic_fetch_add(&all->calls, r.calls);
        atomic_fetch_add(&all->crashes, r.crashes);
        atomic_fetch_add(&all->acknowledged, r.acknowledged);
        atomic_fetch_add(&all->done, 1);
        add_marks(all);
    }
}

static void start_worker(fleet *f, unsigned job)
{
    fflush(NULL);
    f->workers[job] = fork();
    if (f->workers[job] == 0) {
        work(f, job);
        fflush(NULL);
        _exit(0);
    }
    if (f->workers[job] < 0) {
        perror("fork");
        exit(3);
    }
}

static void tell_failure(const fleet *f, unsigned job, int status)
{
    uint64_t seed = atomic_load(&f->all->seed[job]);
    if (WIFSIGNALED(status)) {
        fprintf(stderr, "seed %" PRIu64 ": %s\n", seed,
                WTERMSIG(status) == SIGVTALRM ? "hangs"
                                              : strsignal(WTERMSIG(status)));
    }
    swarm s = fleet_draw(f->o, seed);
    swarm_print(&s, stderr);
    fprintf(stderr, "  replay: stet-sim --seed %" PRIu64 " --trace\n", seed);
}

static unsigned job_of(const fleet *f, pid_t pid)
{
    unsigned job = 0;
    while (job < f->jobs && f->workers[job] != pid) {
        job++;
    }
    return job;
}

static void await_workers(fleet *f)
{
    unsigned running = f->jobs;
    while (running > 0) {
        int status = 0;
        pid_t pid = wait(&status);
        unsigned job = job_of(f, pid);
        if (job == f->jobs) {
            continue;
        }
        running--;
        if (status == 0) {
            continue;
        }
        f->failed++;
        tell_failure(f, job, status);
        if (f->o->keeps_going) {
            start_worker(f, job);
            running++;
        } else { /* what is under way ends, nothing begins */
            atomic_store(&f->all->next, f->count);
        }
    }
}

/* Seeds. */

static void read_seeds(fleet *f)
{
    FILE *in = fopen(f->o->file, "r");
    char line[256];
    if (in == NULL) {
        perror(f->o->file);
        exit(2);
    }
    f->count = 0;
    while (fgets(line, sizeof line, in) != NULL) {
        char *end = NULL;
        uint64_t seed = strtoull(line, &end, 10);
        if (end == line) {
            continue; /* a comment */
        }
        f->seeds = realloc(f->seeds, (f->count + 1) * sizeof *f->seeds);
        if (f->seeds == NULL) {
            abort();
        }
        f->seeds[f->count++] = seed;
    }
    (void)fclose(in); /* was only read */
}

/* A seed, and how much it does. */
typedef struct sized_seed {
    uint64_t seed;
    unsigned size;
} sized_seed;

static int by_size(const void *a, const void *b)
{
    const sized_seed *x = a;
    const sized_seed *y = b;
    return x->size != y->size ? (x->size > y->size) - (x->size < y->size)
                              : (x->seed > y->seed) - (x->seed < y->seed);
}

static void sort_seeds(fleet *f)
{
    sized_seed *all = calloc(f->count, sizeof *all);
    uint64_t *seeds = calloc(f->count, sizeof *seeds);
    if (all == NULL || seeds == NULL) {
        abort();
    }
    for (uint64_t i = 0; i < f->count; i++) {
        uint64_t seed = seed_at(f, i);
        swarm s = fleet_draw(f->o, seed);
        all[i] = (sized_seed){seed, swarm_size(&s)};
    }
    qsort(all, f->count, sizeof *all, by_size);
    for (uint64_t i = 0; i < f->count; i++) {
        seeds[i] = all[i].seed;
    }
    free(all);
    free(f->seeds);
    f->seeds = seeds;
}

static double seconds(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static unsigned jobs_for(const fleet_opts *o, uint64_t count)
{
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    uint64_t jobs = o->jobs > 0 ? o->jobs : (uint64_t)processors;
    jobs = jobs < count ? jobs : count;
    return jobs < JOBS_MAX ? (unsigned)jobs : JOBS_MAX;
}

static int run_single(const fleet_opts *o)
{
    swarm s = fleet_draw(o, o->from);
    swarm_print(&s, stdout);
    life_report r = life_run(&s, o->is_traced);
    printf("%" PRIu64 " calls, %" PRIu64 " crashes, %" PRIu64
           " events acknowledged; digest %016" PRIx64 "\n",
           r.calls, r.crashes, r.acknowledged, r.digest);
    return 0;
}

static void tell_sum(const fleet *f, double took)
{
    const shared *all = f->all;
    uint64_t done = atomic_load(&all->done);
    printf("%" PRIu64 " seeds in %.1f s, %.0f a second and job; %" PRIu64
           " calls, %" PRIu64 " crashes, %" PRIu64 " events acknowledged; "
           "%u failed\n",
           done, took, (double)done / took / f->jobs, atomic_load(&all->calls),
           atomic_load(&all->crashes), atomic_load(&all->acknowledged),
           f->failed);
}

int fleet_run(const fleet_opts *o)
{
    if (o->is_single) {
        return run_single(o);
    }
    fleet f = {.o = o, .count = o->count};
    if (o->file != NULL) {
        read_seeds(&f);
    }
    if (o->is_short_first && f.count > 0) {
        sort_seeds(&f);
    }
    f.all = mmap(NULL, sizeof *f.all, PROT_READ | PROT_WRITE,
                 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (f.all == MAP_FAILED) {
        perror("mmap");
        return 3;
    }
    f.jobs = jobs_for(o, f.count);
    double began = seconds();
    for (unsigned job = 0; job < f.jobs; job++) {
        start_worker(&f, job);
    }
    await_workers(&f);
    unsigned missing = tell_marks(&f);
    tell_sum(&f, seconds() - began);
    free(f.seeds);
    return f.failed + missing > 0;
}

bool fleet_fails(const swarm *s)
{
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        int null = open("/dev/null", O_WRONLY);
        (void)dup2(null, STDOUT_FILENO);
        (void)dup2(null, STDERR_FILENO);
        limit_time();
        (void)life_run(s, false);
        _exit(0);
    }
    int status = 0;
    return pid < 0 || waitpid(pid, &status, 0) != pid || status != 0;
}
