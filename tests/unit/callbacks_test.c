#include "engine/callbacks.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "lib/failalloc.h"
#include "lib/rng.h"

/* A system whose descriptor is a flag, and that lets others in between. */
typedef struct stage {
    stet_os os;
    bool is_readable;
    int open; /* descriptors */
    void (*before_signal)(struct stage *stage);
    stet_callbacks callbacks;
    failalloc f;
    stet_allocator alloc;
} stage;

static int create(stet_os *os)
{
    ((stage *)os)->open++;
    return 7;
}

static int close_it(stet_os *os, int fd)
{
    assert_int_equal(fd, 7);
    ((stage *)os)->open--;
    return 0;
}

static void signal_it(stet_os *os, int fd)
{
    stage *s = (stage *)os;
    assert_int_equal(fd, 7);
    if (s->before_signal != NULL) {
        s->before_signal(s);
    }
    s->is_readable = true;
}

static void clear_it(stet_os *os, int fd)
{
    assert_int_equal(fd, 7);
    ((stage *)os)->is_readable = false;
}

static void begin(stage *s, uint32_t cap)
{
    memset(s, 0, sizeof *s);
    s->os = *stet__os_posix();
    s->os.event_create = create;
    s->os.event_signal = signal_it;
    s->os.event_clear = clear_it;
    s->os.close = close_it;
    failalloc_init(&s->f, 0);
    s->alloc = failalloc_allocator(&s->f);
    stet__callbacks_init(&s->callbacks, &s->alloc, &s->os, cap);
}

static void end(stage *s)
{
    stet__callbacks_deinit(&s->callbacks);
    assert_int_equal(s->open, 0);
    failalloc_assert_clean(&s->f);
}

static stet_status add(stage *s, uint64_t position)
{
    stet_callback item = {.ticket = {.position = position}};
    return stet__callbacks_add(&s->callbacks, &item, NULL);
}

/* Take all that is due below the watermark; the last position, or 0. */
static uint64_t poll_all(stage *s, uint64_t watermark, bool is_poisoned)
{
    uint64_t last = 0;
    stet_callback item;
    stet__callbacks_begin(&s->callbacks);
    while (stet__callbacks_take(&s->callbacks, watermark, is_poisoned, &item)) {
        assert_true(item.ticket.position >= last);
        last = item.ticket.position;
    }
    return last;
}

/* Positions may be asked for in any order and come in theirs. */
static void test_what_is_due_comes_by_position_and_nothing_else(void **state)
{
    (void)state;
    stage s;
    begin(&s, 16);
    rng r = {5};
    uint64_t waiting[64] = {0};
    uint64_t watermark = 1;
    for (int i = 0; i < 2000; i++) {
        uint64_t position = watermark + rng_below(&r, 60);
        if (s.callbacks.count < 16) {
            assert_int_equal(add(&s, position), STET_OK);
            waiting[position % 64]++;
        } else {
            assert_int_equal(add(&s, position), STET_E_BUSY);
        }
        if (rng_below(&r, 4) == 0) {
            uint64_t to = watermark + rng_below(&r, 10);
            stet_callback item;
            uint64_t last = 0;
            while (stet__callbacks_take(&s.callbacks, to, false, &item)) {
                assert_true(item.ticket.position >= last);
                last = item.ticket.position;
                assert_true(last < to);
                assert_true(waiting[last % 64]-- > 0);
            }
            for (uint64_t p = watermark; p < to; p++) {
                assert_int_equal(waiting[p % 64], 0);
            }
            watermark = to;
        }
    }
    end(&s);
}

/* After a failed write nothing more becomes durable: all hear of it. */
static void test_all_are_due_once_the_handle_is_poisoned(void **state)
{
    (void)state;
    stage s;
    begin(&s, 4);
    assert_int_equal(add(&s, 10), STET_OK);
    assert_int_equal(add(&s, 20), STET_OK);
    assert_int_equal(poll_all(&s, 11, false), 10);
    assert_int_equal(poll_all(&s, 11, false), 0);
    assert_int_equal(poll_all(&s, 11, true), 20);
    end(&s);
}

/* The descriptor is for event loops: readable if and only if there is work. */
static void test_the_descriptor_is_readable_while_one_is_due(void **state)
{
    (void)state;
    stage s;
    begin(&s, 4);
    assert_int_equal(add(&s, 10), STET_OK);
    stet__callbacks_notify(&s.callbacks, 11, false); /* nobody looks */
    assert_false(s.is_readable);
    assert_int_equal(stet__callbacks_fd(&s.callbacks), 7);
    assert_int_equal(stet__callbacks_fd(&s.callbacks), 7);
    stet__callbacks_notify(&s.callbacks, 10, false);
    assert_false(s.is_readable);
    stet__callbacks_notify(&s.callbacks, 11, false);
    assert_true(s.is_readable);
    assert_int_equal(poll_all(&s, 11, false), 10);
    assert_false(s.is_readable);
    stet__callbacks_notify(&s.callbacks, 11, false);
    assert_false(s.is_readable); /* nothing waits */
    assert_int_equal(add(&s, 12), STET_OK);
    stet__callbacks_notify(&s.callbacks, 11, true);
    assert_true(s.is_readable);
    end(&s);
}

static void poll_in_between(stage *s)
{
    s->before_signal = NULL;
    assert_int_equal(poll_all(s, 11, false), 10);
}

/* A signal that comes after its answer may not stay for ever. */
static void test_a_late_signal_is_cleared_by_the_next_poll(void **state)
{
    (void)state;
    stage s;
    begin(&s, 4);
    assert_int_equal(stet__callbacks_fd(&s.callbacks), 7);
    assert_int_equal(add(&s, 10), STET_OK);
    s.before_signal = poll_in_between;
    stet__callbacks_notify(&s.callbacks, 11, false);
    assert_true(s.is_readable); /* once for nothing */
    assert_int_equal(poll_all(&s, 11, false), 0);
    assert_false(s.is_readable);
    assert_int_equal(add(&s, 10), STET_OK);
    stet__callbacks_notify(&s.callbacks, 11, false);
    assert_true(s.is_readable);
    end(&s);
}

static int create_none(stet_os *os)
{
    (void)os;
    return -24; /* EMFILE */
}

/* Without a descriptor, polling still works. */
static void test_polling_works_where_the_system_has_no_descriptor(void **state)
{
    (void)state;
    stage s;
    begin(&s, 4);
    s.os.event_create = create_none;
    assert_int_equal(stet__callbacks_fd(&s.callbacks), -1);
    assert_int_equal(add(&s, 10), STET_OK);
    stet__callbacks_notify(&s.callbacks, 11, false);
    assert_int_equal(poll_all(&s, 11, false), 10);
    end(&s);
}

/* The queue takes memory with the first callback, or says there is none. */
static void test_a_queue_without_memory_refuses(void **state)
{
    (void)state;
    stage s;
    begin(&s, 4);
    s.f.nth = 1;
    assert_int_equal(add(&s, 10), STET_E_NOMEM);
    assert_int_equal(poll_all(&s, 11, false), 0);
    assert_int_equal(add(&s, 10), STET_OK);
    assert_int_equal(poll_all(&s, 11, false), 10);
    end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_due_comes_by_position_and_nothing_else),
        cmocka_unit_test(test_all_are_due_once_the_handle_is_poisoned),
        cmocka_unit_test(test_the_descriptor_is_readable_while_one_is_due),
        cmocka_unit_test(test_a_late_signal_is_cleared_by_the_next_poll),
        cmocka_unit_test(test_polling_works_where_the_system_has_no_descriptor),
        cmocka_unit_test(test_a_queue_without_memory_refuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
