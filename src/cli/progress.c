#include "cli/progress.h"

#include <time.h>
#include <unistd.h>

enum {
    SILENT_MS = 1000,
    REDRAW_MS = 100,
    BAR_COLUMNS = 30,
};

static const long ns_per_second = 1000000000;

/* A carriage return, the line, and whatever is right of it cleared. */
static void draw(const cli_progress *p, int elapsed_s)
{
    if (p->total == 0) {
        fprintf(stderr, "\r%s: %d s\x1b[K", p->what, elapsed_s);
        return;
    }
    double part = p->done < p->total ? (double)p->done / (double)p->total : 1.0;
    int filled = (int)(part * BAR_COLUMNS);
    char bar[BAR_COLUMNS + 1];
    for (int i = 0; i < BAR_COLUMNS; i++) {
        bar[i] = i < filled ? '#' : '.';
    }
    bar[BAR_COLUMNS] = '\0';
    fprintf(stderr, "\r%s [%s] %3d %%, %d s\x1b[K", p->what, bar,
            (int)(part * 100), elapsed_s);
}

static void add_ms(struct timespec *t, long ms)
{
    t->tv_nsec += ms * (ns_per_second / 1000);
    t->tv_sec += t->tv_nsec / ns_per_second;
    t->tv_nsec %= ns_per_second;
}

/* Draw from the first second on until the work has ended. */
static void *draw_until_ended(void *arg)
{
    cli_progress *p = arg;
    struct timespec next = {0};
    clock_gettime(CLOCK_MONOTONIC, &next);
    time_t start_s = next.tv_sec;
    bool is_drawn = false;
    add_ms(&next, SILENT_MS);
    pthread_mutex_lock(&p->mu);
    while (!p->is_ended) {
        if (pthread_cond_timedwait(&p->ended, &p->mu, &next) != 0) {
            draw(p, (int)(next.tv_sec - start_s));
            is_drawn = true;
            add_ms(&next, REDRAW_MS);
        }
    }
    pthread_mutex_unlock(&p->mu);
    if (is_drawn) {
        fputs("\r\x1b[K", stderr);
    }
    return NULL;
}

void cli_progress_begin(cli_progress *p, const char *what)
{
    *p = (cli_progress){.what = what};
    if (isatty(STDERR_FILENO) != 1) {
        return;
    }
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_mutex_init(&p->mu, NULL);
    pthread_cond_init(&p->ended, &attr);
    pthread_condattr_destroy(&attr);
    p->is_running = pthread_create(&p->thread, NULL, draw_until_ended, p) == 0;
}

void cli_progress_begin_beside(cli_progress *p, const char *what, FILE *data)
{
    if (isatty(fileno(data)) == 1) {
        *p = (cli_progress){.what = what};
    } else {
        cli_progress_begin(p, what);
    }
}

bool cli_progress_tell(void *ctx, uint64_t done, uint64_t total)
{
    cli_progress *p = ctx;
    if (p->is_running) {
        pthread_mutex_lock(&p->mu);
        p->done = done;
        p->total = total;
        pthread_mutex_unlock(&p->mu);
    }
    return true;
}

void cli_progress_end(cli_progress *p)
{
    if (!p->is_running) {
        return;
    }
    pthread_mutex_lock(&p->mu);
    p->is_ended = true;
    pthread_cond_signal(&p->ended);
    pthread_mutex_unlock(&p->mu);
    pthread_join(p->thread, NULL);
    pthread_cond_destroy(&p->ended);
    pthread_mutex_destroy(&p->mu);
    p->is_running = false;
}
