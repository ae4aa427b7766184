#include "engine/bench.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "lib/failalloc.h"
#include "stores/memory/memory.h"

/* A pool over an empty log. */
typedef struct fixture {
    failalloc f;
    stet_allocator alloc;
    stet_opts opts;
    stet_benches pool;
} fixture;

static void talk(void *ctx, stet_log_level level, const char *text)
{
    (void)ctx;
    (void)level;
    (void)text;
}

static void begin(fixture *x)
{
    memset(x, 0, sizeof *x);
    failalloc_init(&x->f, 0);
    x->alloc = failalloc_allocator(&x->f);
    x->opts.segment_bytes = 64 * 1024;
    x->opts.memory_bytes_max = 1024 * 1024;
    stet_log_config config = {.os = stet__os_posix(),
                              .alloc = &x->alloc,
                              .opts = &x->opts,
                              .talk = talk};
    stet_log_start start;
    stet__benches_init(&x->pool, &x->alloc, config.os);
    assert_int_equal(
        stet__memory_driver.open("", &config, &x->pool.log, &start, NULL),
        STET_OK);
}

static void end(fixture *x)
{
    stet_log *log = x->pool.log;
    stet__benches_deinit(&x->pool);
    assert_int_equal(log->ops->close(log, true, NULL), STET_OK);
    failalloc_assert_clean(&x->f);
}

/* Making a bench costs more than most calls: it is made once. */
static void test_a_bench_given_back_is_taken_again(void **state)
{
    (void)state;
    fixture x;
    begin(&x);
    stet_bench *first = stet__bench_take(&x.pool);
    stet_bench *second = stet__bench_take(&x.pool);
    assert_non_null(first);
    assert_non_null(second);
    assert_ptr_not_equal(first, second); /* one caller's at a time */
    stet__bench_give(&x.pool, first);
    size_t calls = atomic_load(&x.f.calls);
    assert_ptr_equal(stet__bench_take(&x.pool), first);
    assert_int_equal(atomic_load(&x.f.calls), calls);
    stet__bench_give(&x.pool, second);
    stet__bench_give(&x.pool, first);
    stet__bench_give(&x.pool, NULL);
    end(&x);
}

/* A storm of callers does not leave its benches behind for ever. */
static void test_the_pool_keeps_a_bounded_number(void **state)
{
    (void)state;
    fixture x;
    begin(&x);
    stet_bench *benches[2 * STET_BENCHES_MAX];
    size_t at_most = 0;
    for (size_t i = 0; i < 2 * STET_BENCHES_MAX; i++) {
        benches[i] = stet__bench_take(&x.pool);
        assert_non_null(benches[i]);
        if (i + 1 == STET_BENCHES_MAX) {
            at_most = atomic_load(&x.f.blocks);
        }
    }
    for (size_t i = 0; i < 2 * STET_BENCHES_MAX; i++) {
        stet__bench_give(&x.pool, benches[i]);
    }
    assert_int_equal(atomic_load(&x.f.blocks), at_most);
    end(&x);
}

/* One large state may not hold its memory in each bench ever after. */
static void test_large_buffers_are_not_kept(void **state)
{
    (void)state;
    fixture x;
    begin(&x);
    size_t large = 4 * STET_BENCH_KEEP_BYTES;
    stet_bench *bench = stet__bench_take(&x.pool);
    size_t before = atomic_load(&x.f.bytes);
    (void)stet__arena_alloc(&bench->arena, 100);
    assert_non_null(stet__arena_alloc(&bench->arena, large));
    assert_non_null(stet__buf_extend(&bench->state, large));
    assert_non_null(stet__buf_extend(&bench->spare, large));
    stet__bench_give(&x.pool, bench);
    assert_true(atomic_load(&x.f.bytes) < before + STET_BENCH_KEEP_BYTES);
    end(&x);
}

/* A buffer that found no memory would refuse whoever takes the bench next. */
static void test_a_failed_buffer_serves_again(void **state)
{
    (void)state;
    fixture x;
    begin(&x);
    stet_bench *bench = stet__bench_take(&x.pool);
    x.f.nth = atomic_load(&x.f.calls) + 1;
    assert_null(stet__buf_extend(&bench->state, 100));
    assert_true(bench->state.is_failed);
    stet__bench_give(&x.pool, bench);
    assert_ptr_equal(stet__bench_take(&x.pool), bench);
    assert_non_null(stet__buf_extend(&bench->state, 100));
    assert_int_equal(bench->state.len, 100);
    stet__bench_give(&x.pool, bench);
    end(&x);
}

/* Half a bench is none. */
static void test_a_bench_without_memory_leaves_no_trace(void **state)
{
    (void)state;
    for (size_t nth = 1;; nth++) {
        fixture x;
        begin(&x);
        x.f.nth = atomic_load(&x.f.calls) + nth;
        stet_bench *bench = stet__bench_take(&x.pool);
        bool is_hit = atomic_load(&x.f.is_hit);
        assert_int_equal(bench == NULL, is_hit);
        stet__bench_give(&x.pool, bench);
        end(&x);
        if (!is_hit) {
            break;
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_bench_given_back_is_taken_again),
        cmocka_unit_test(test_the_pool_keeps_a_bounded_number),
        cmocka_unit_test(test_large_buffers_are_not_kept),
        cmocka_unit_test(test_a_failed_buffer_serves_again),
        cmocka_unit_test(test_a_bench_without_memory_leaves_no_trace),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
