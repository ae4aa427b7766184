#include "cli/progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

static const int64_t silent_ns = 1000000000;
static const int64_t redraw_ns = 100000000;

enum { BAR_COLUMNS = 30 };

static int64_t monotonic_ns(void)
{
    struct timespec now = {0};
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

void cli_progress_begin(cli_progress *p, const char *what)
{
    *p = (cli_progress){
        .what = what,
        .start_ns = monotonic_ns(),
        .is_terminal = isatty(STDERR_FILENO) == 1,
    };
}

/* A carriage return, the line, and whatever is right of it cleared. */
static void draw(const cli_progress *p, uint64_t done, uint64_t total)
{
    if (total == 0) {
        fprintf(stderr, "\r%s %" PRIu64 "\x1b[K", p->what, done);
        return;
    }
    double part = done < total ? (double)done / (double)total : 1.0;
    int filled = (int)(part * BAR_COLUMNS);
    char bar[BAR_COLUMNS + 1];
    for (int i = 0; i < BAR_COLUMNS; i++) {
        bar[i] = i < filled ? '#' : '.';
    }
    bar[BAR_COLUMNS] = '\0';
    fprintf(stderr, "\r%s [%s] %3d %%\x1b[K", p->what, bar, (int)(part * 100));
}

bool cli_progress_tell(void *ctx, uint64_t done, uint64_t total)
{
    cli_progress *p = ctx;
    if (!p->is_terminal) {
        return true;
    }
    int64_t now = monotonic_ns();
    if (now - p->start_ns >= silent_ns && now - p->drawn_ns >= redraw_ns) {
        draw(p, done, total);
        p->drawn_ns = now;
    }
    return true;
}

void cli_progress_end(cli_progress *p)
{
    if (p->drawn_ns != 0) {
        fputs("\r\x1b[K", stderr);
        p->drawn_ns = 0;
    }
}
