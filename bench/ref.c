#include "ref.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    BLOCK_BYTES = 4096,
    FILE_BYTES = 64 * 1024 * 1024, /* larger than a run goes through */
};

static stet_status write_block(ref *f, stet_error *err)
{
    uint64_t stamp = random_next(&f->random);
    memcpy(f->block, &stamp, sizeof(stamp)); /* no block like the one before */
    ssize_t written =
        pwrite(f->fd, f->block, BLOCK_BYTES, (off_t)(f->offset % FILE_BYTES));
    if (written != BLOCK_BYTES) {
        return run_fail(err, written < 0 ? errno : ENOSPC, "write ref");
    }
    f->offset += BLOCK_BYTES;
    return STET_OK;
}

stet_status ref_init(ref *f, const run *r, stet_error *err)
{
    char path[RUN_PATH_MAX];
    run_path(r, "ref", path);
    *f = (ref){.random = 1, .block = run_alloc(1, BLOCK_BYTES)};
    f->window_ns = r->is_quick ? 50000000 : 250000000;
    f->fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (f->fd < 0) {
        return run_fail(err, errno, "create %s", path);
    }
    stet_status st = STET_OK;
    while (st == STET_OK && f->offset < FILE_BYTES) {
        st = write_block(f, err);
    }
    if (st == STET_OK && fsync(f->fd) != 0) {
        st = run_fail(err, errno, "sync %s", path);
    }
    return st;
}

void ref_deinit(ref *f)
{
    if (f->fd >= 0) {
        close(f->fd);
    }
    free(f->block);
}

static stet_status write_and_sync(void *ctx, stet_error *err)
{
    ref *f = ctx;
    stet_status st = write_block(f, err);
    if (st == STET_OK && fdatasync(f->fd) != 0) {
        st = run_fail(err, errno, "sync ref");
    }
    return st;
}

stet_status ref_measure(ref *f, figures *out, stet_error *err)
{
    window w = measure_window(f->window_ns / 10, f->window_ns);
    figures *now = run_alloc(1, sizeof(*now));
    stet_status st = measure_loop(&w, &(call){write_and_sync, f, 1}, now, err);
    if (st == STET_OK) {
        uint64_t p50 = hist_at(&now->latency, 0.5);
        if (f->best_p50_ns == 0 || p50 < f->best_p50_ns) {
            f->best_p50_ns = p50;
        }
        out->units += now->units;
        out->elapsed_ns += now->elapsed_ns;
        hist_merge(&out->latency, &now->latency);
    }
    free(now);
    return st;
}

bool ref_is_slow(uint64_t p50_ns, uint64_t best_p50_ns)
{
    return p50_ns * 2 > best_p50_ns * 3;
}
