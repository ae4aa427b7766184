#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/record.h"
#include "engine/handle.h"
#include "engine/retention.h"
#include "lib/records.h"
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

static void compact_ok(store_under_test *t)
{
    stet_error err;
    assert_status(stet_compact(t->s, &err), STET_OK, &err);
}

static void work_off(store_under_test *t)
{
    stet_error err;
    bool is_more = true;
    while (is_more) {
        assert_status(stet_step(t->s, &is_more, &err), STET_OK, &err);
    }
}

/* Is the record at a position without its content in the files? */
static bool is_taken(store_under_test *t, uint64_t position)
{
    stet_error err;
    stet_logged l;
    stet_record r;
    size_t bytes = 0;
    const stet_log_ops *ops = t->s->log->ops;
    stet_log_reader *reader = ops->reader_create(t->s->log);
    assert_non_null(reader);
    assert_status(ops->reader_read(reader, position, &l, &err), STET_OK, &err);
    assert_status(stet__record_parse(l.bytes, &r, &bytes, &err), STET_OK, &err);
    bool is = stet__record_is_erased(&r);
    ops->reader_destroy(reader);
    return is;
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

/* The event behind the erased ones may be lost yet, and with it their end. */
static void test_what_the_newest_durable_state_needs_stays(void **state)
{
    (void)state;
    store_under_test t;
    stet_error err;
    begin(&t);
    t.opts.level = STET_LEVEL_OS;
    store_open(&t);
    write_events(&t, "m", 3);
    (void)store_save(&t, "x", "1"); /* in the next segment */
    assert_status(stet_sync(t.s, &err), STET_OK, &err);
    work_off(&t);
    store_advance(&t, (int64_t)2 * 1000000000); /* then `super` is written */
    work_off(&t);
    stet_change change = {.verb = STET_VERB_UPDATE,
                          .id = stet_str("m"),
                          .payload = stet_str("{\"m4\":4}")};
    assert_int_equal(store_write(&t, &change), 4);
    erase_ok(&t, "m", 3);
    compact_ok(&t);
    assert_true(is_taken(&t, 2));
    assert_false(is_taken(&t, 3));
    store_reopen(&t);
    store_claim_state(&t, "m", "{\"m1\":1,\"m2\":2,\"m3\":3,\"m4\":4}");
    compact_ok(&t);
    compact_ok(&t);
    assert_true(is_taken(&t, 3));
    store_claim_state(&t, "m", "{\"m1\":1,\"m2\":2,\"m3\":3,\"m4\":4}");
    store_deinit(&t);
}

/*
 * Who compacts after erasing finds nothing of it left, though another pass over
 * the sets was under way: after so many steps of it. Tells whether that ended.
 */
static bool erase_after_steps(unsigned steps)
{
    store_under_test t;
    stet_error err;
    stet_settle_answer answer = {.is_more = true};
    begin(&t);
    store_open(&t);
    write_events(&t, "older", 6);
    store_reopen(&t);
    compact_ok(&t);
    write_events(&t, "m", 6);
    store_reopen(&t);
    compact_ok(&t);
    erase_ok(&t, "m", 2);
    uint64_t below = stet__watermark(&t.s->pipeline);
    assert_status(stet__retain_all(t.s, below, &err), STET_OK, &err);
    for (unsigned i = 0; i < steps && answer.is_more; i++) {
        assert_status(
            stet__settle_once(t.s, STET_SETTLE_ALL, below, &answer, &err),
            STET_OK, &err);
    }
    erase_ok(&t, "m", 4);
    compact_ok(&t);
    for (uint64_t seq = 1; seq <= 6; seq++) {
        assert_int_equal(is_taken(&t, 6 + seq), seq <= 4);
    }
    assert_status(stet_verify(t.s, NULL, NULL, NULL, &err), STET_OK, &err);
    store_deinit(&t);
    return !answer.is_more;
}

static void test_a_compaction_takes_what_was_erased_before_it(void **state)
{
    (void)state;
    unsigned steps = 0;
    while (!erase_after_steps(steps)) {
        steps++;
    }
    assert_true(steps > 10); /* it was under way */
}

/* Learns whether the gate for pins stays closed while a set is named. */
typedef struct gatekeeper {
    store_under_test *t;
    unsigned closed; /* how often it was */
    unsigned opened; /* by who erases */
} gatekeeper;

static int erase_while_named(void *ctx, memdisk_call call)
{
    gatekeeper *k = ctx;
    stet *s = k->t->s;
    if (call == MEMDISK_LINK && s->pins.is_gate_closed) {
        stet__pins_outdate(s); /* as an erasure does at its end */
        k->closed++;
        k->opened += !s->pins.is_gate_closed;
    }
    return 0;
}

/* Else a fork could begin at what the set that is being named has dropped. */
static void test_an_erasure_opens_no_gate(void **state)
{
    (void)state;
    store_under_test t;
    gatekeeper k = {.t = &t};
    begin(&t);
    store_open(&t);
    write_events(&t, "m", 6);
    erase_ok(&t, "m", 2);
    store_reopen(&t);
    memdisk_set_faults(t.disk, erase_while_named, &k);
    compact_ok(&t);
    memdisk_set_faults(t.disk, NULL, NULL);
    assert_int_equal(k.closed, 1);
    assert_int_equal(k.opened, 0);
    assert_false(t.s->pins.is_gate_closed);
    store_deinit(&t);
}

/* Have the log take a frame that no engine made, as its first. */
static void put_frame(store_under_test *t, const stet_record *records,
                      uint32_t count)
{
    stet_error err;
    stet_buf bytes;
    stet_frame frame = {0};
    stet_log *log = t->s->log;
    stet__buf_init(&bytes, &stet__heap);
    for (uint32_t i = 0; i < count; i++) {
        records_put(&records[i], &bytes);
    }
    assert_status(log->ops->make_room(log, bytes.len, &err), STET_OK, &err);
    assert_status(log->ops->frame_open(log, bytes.len, 1, &frame, &err),
                  STET_OK, &err);
    memcpy(frame.records, bytes.ptr, bytes.len);
    frame.recorded = STORE_CLOCK;
    log->ops->frame_close(log, &frame, bytes.len, count);
    assert_status(log->ops->frame_seal(log, &frame, 1, &err), STET_OK, &err);
    assert_status(log->ops->frame_write(log, &frame, &err), STET_OK, &err);
    log->ops->published(log, 1 + count, 1 + count);
    stet__buf_deinit(&bytes);
}

/* What settling relies on in a store of others it looks at before. */
static void test_a_deletion_that_is_no_base_is_damage(void **state)
{
    (void)state;
    store_under_test t;
    stet_error err;
    stet_record records[3];
    for (size_t i = 0; i < 3; i++) {
        records[i] =
            (stet_record){.kind = STET_EVENT_SAVED,
                          .form = STET_BODY_WHOLE,
                          .flags = STET_RECORD_BATCH_FIRST |
                                   STET_RECORD_BATCH_LAST | STET_RECORD_BASE,
                          .id = stet_str("m"),
                          .seq = i + 1,
                          .back = i == 0 ? 0 : 1,
                          .body = stet_str("{}")};
    }
    records[1].kind = STET_EVENT_DELETED;
    records[1].flags &= (uint8_t)~STET_RECORD_BASE;
    records[1].depth = 1;
    begin(&t);
    store_open(&t);
    put_frame(&t, records, 3);
    store_reopen(&t);
    erase_ok(&t, "m", 1);
    store_reopen(&t);
    assert_status(stet_compact(t.s, &err), STET_E_CORRUPT, &err);
    assert_names(&err, "a deletion that is no base");
    store_deinit(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_read_tells_of_an_erasure_that_may_vanish),
        cmocka_unit_test(test_what_the_newest_durable_state_needs_stays),
        cmocka_unit_test(test_a_compaction_takes_what_was_erased_before_it),
        cmocka_unit_test(test_an_erasure_opens_no_gate),
        cmocka_unit_test(test_a_deletion_that_is_no_base_is_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
