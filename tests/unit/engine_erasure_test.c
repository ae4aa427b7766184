#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "lib/store_under_test.h"

enum { SEGMENT_BYTES = 16 * 1024 }; /* three events of one frame each */

/* A store of small segments on a disk in memory, closed. */
static void begin(store_under_test *t)
{
    store_init_simulated(t);
    t->opts.segment_bytes = SEGMENT_BYTES;
    t->opts.settle_segments = 2;
}

/* Each event but the first is folded onto the one before. */
static void write_events(store_under_test *t, const char *id, int count)
{
    for (int i = 1; i <= count; i++) {
        char json[32];
        (void)snprintf(json, sizeof json, "{\"m%d\":%d}", i, i);
        stet_change change = {
            .verb = i == 1 ? STET_VERB_SAVE : STET_VERB_UPDATE,
            .id = stet_str(id),
            .payload = stet_str(json),
        };
        (void)store_write(t, &change);
    }
}

static void erase_ok(store_under_test *t, const char *id, uint64_t up_to_seq)
{
    stet_error err;
    assert_status(stet_erase(t->s, stet_str(id), 0, up_to_seq, &err), STET_OK,
                  &err);
}

/* Looks at what is being erased while that is written. */
typedef struct onlooker {
    store_under_test *t;
    bool is_looking;
    unsigned looks;
    stet_status seen;
} onlooker;

static int look(void *ctx, memdisk_call call)
{
    onlooker *o = ctx;
    if (call == MEMDISK_WRITE && !o->is_looking) {
        const stet_state *got = NULL;
        stet_read_opts opts = {.at = at_seq(2)};
        o->is_looking = true;
        o->seen = stet_load(o->t->s, stet_str("m"), &opts, &got, NULL);
        o->looks++;
        stet_state_release(got);
        o->is_looking = false;
    }
    return 0;
}

/* What was said to be erased and is there again after a crash was no answer. */
static void test_no_read_tells_of_an_erasure_that_may_vanish(void **state)
{
    (void)state;
    store_under_test t;
    onlooker o = {.t = &t};
    begin(&t);
    store_open(&t);
    write_events(&t, "m", 4);
    memdisk_set_faults(t.disk, look, &o);
    erase_ok(&t, "m", 2);
    memdisk_set_faults(t.disk, NULL, NULL);
    assert_int_equal(o.looks, 1);
    assert_int_equal(o.seen, STET_OK);
    stet_error err;
    const stet_state *got = NULL;
    stet_read_opts opts = {.at = at_seq(2)};
    assert_status(stet_load(t.s, stet_str("m"), &opts, &got, &err),
                  STET_E_ERASED, &err);
    store_deinit(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_read_tells_of_an_erasure_that_may_vanish),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
