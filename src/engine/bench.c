#include "engine/bench.h"

#include <string.h>

void stet__benches_init(stet_benches *b, const stet_allocator *alloc,
                        stet_os *os)
{
    memset(b, 0, sizeof(*b));
    b->alloc = alloc;
    b->os = os;
    stet__mutex_init(&b->mu, STET_RANK_LEAF);
}

static void destroy(const stet_benches *b, stet_bench *bench)
{
    const stet_allocator *alloc = b->alloc;
    if (bench->reader != NULL) {
        b->log->ops->reader_destroy(bench->reader);
    }
    stet__zctx_destroy(bench->z);
    stet__folder_destroy(bench->folder);
    stet__arena_deinit(&bench->arena);
    stet__arena_deinit(&bench->batch);
    stet__map_deinit(&bench->touched);
    stet__heads_deinit(&bench->heads, alloc);
    stet__buf_deinit(&bench->state);
    stet__buf_deinit(&bench->spare);
    stet__free(alloc, bench, sizeof(*bench));
}

void stet__benches_deinit(stet_benches *b)
{
    while (b->idle != NULL) {
        stet_bench *bench = b->idle;
        b->idle = bench->next;
        destroy(b, bench);
    }
}

static stet_bench *create(const stet_benches *b)
{
    const stet_allocator *alloc = b->alloc;
    stet_bench *bench = stet__alloc(alloc, sizeof(*bench));
    if (bench == NULL) {
        return NULL;
    }
    memset(bench, 0, sizeof(*bench));
    stet__arena_init(&bench->arena, alloc);
    stet__arena_init(&bench->batch, alloc);
    stet__map_init(&bench->touched, alloc);
    stet__buf_init(&bench->state, alloc);
    stet__buf_init(&bench->spare, alloc);
    bench->z = stet__zctx_create(alloc);
    bench->reader = b->log->ops->reader_create(b->log);
    if (bench->z == NULL || bench->reader == NULL ||
        stet__folder_create(alloc, &bench->folder, NULL) != STET_OK) {
        destroy(b, bench);
        return NULL;
    }
    return bench;
}

static void trim(stet_buf *buf)
{
    if (buf->cap > STET_BENCH_KEEP_BYTES || buf->is_failed) {
        const stet_allocator *alloc = buf->alloc;
        stet__buf_deinit(buf);
        stet__buf_init(buf, alloc);
    } else {
        stet__buf_reset(buf);
    }
}

stet_bench *stet__bench_take(stet_benches *b)
{
    stet__mutex_lock(b->os, &b->mu);
    stet_bench *bench = b->idle;
    if (bench != NULL) {
        b->idle = bench->next;
        b->idle_count--;
    }
    stet__mutex_unlock(b->os, &b->mu);
    return bench != NULL ? bench : create(b);
}

void stet__bench_give(stet_benches *b, stet_bench *bench)
{
    if (bench == NULL) {
        return;
    }
    stet__arena_reset(&bench->arena);
    stet__arena_reset(&bench->batch);
    if (bench->touched.cap > STET_BENCH_KEEP_SLOTS) {
        stet__map_deinit(&bench->touched);
    } else {
        stet__map_reset(&bench->touched);
    }
    b->log->ops->reader_rest(bench->reader);
    trim(&bench->state);
    trim(&bench->spare);
    stet__mutex_lock(b->os, &b->mu);
    bool is_kept = b->idle_count < STET_BENCHES_MAX;
    if (is_kept) {
        bench->next = b->idle;
        b->idle = bench;
        b->idle_count++;
    }
    stet__mutex_unlock(b->os, &b->mu);
    if (!is_kept) {
        destroy(b, bench);
    }
}
