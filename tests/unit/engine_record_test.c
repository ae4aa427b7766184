/* The records that writes become: checks, bases, small bodies. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/checksum.h"
#include "core/record.h"
#include "engine/handle.h"
#include "lib/rng.h"
#include "lib/store_under_test.h"

enum { STATE_BYTES = 4000 };

/* Read the record at a position; its slices live until the next call. */
static void read_record(store_under_test *t, stet_log_reader *reader,
                        uint64_t position, stet_record *out)
{
    stet_logged l = {0};
    stet_error err = {0};
    size_t bytes = 0;
    assert_status(t->s->log->ops->reader_read(reader, position, &l, &err),
                  STET_OK, &err);
    assert_status(stet__record_decode(l.bytes, out, &bytes, &err), STET_OK,
                  &err);
}

static bool has(const stet_record *r, stet_record_tag tag)
{
    return (r->tags & (1u << tag)) != 0;
}

static bool is_base(const stet_record *r)
{
    return (r->flags & STET_RECORD_BASE) != 0;
}

/* Go through all records of the store, which are all m's. */
typedef void (*visit_fn)(store_under_test *t, const stet_record *r, void *ctx);

static void visit_all(store_under_test *t, visit_fn visit, void *ctx)
{
    const stet_log_ops *ops = t->s->log->ops;
    stet_log_reader *reader = ops->reader_create(t->s->log);
    assert_non_null(reader);
    uint64_t end = stet__watermark(&t->s->pipeline);
    for (uint64_t position = 1; position < end; position++) {
        stet_record r;
        read_record(t, reader, position, &r);
        visit(t, &r, ctx);
    }
    ops->reader_destroy(reader);
}

static void reopen_with_bases(store_under_test *t, uint32_t events,
                              uint32_t bytes)
{
    store_close(t);
    t->opts.base_events = events;
    t->opts.base_bytes = bytes;
    store_open(t);
}

/* A state of random bytes, which does not pack. */
static void make_noise(rng *r, char *state)
{
    rng_fill(r, state, STATE_BYTES);
}

static void save_bytes(store_under_test *t, const char *state)
{
    stet_error err = {0};
    assert_status(stet_save(t->s, stet_str("m"),
                            stet_slice_of(state, STATE_BYTES), NULL, NULL,
                            &err),
                  STET_OK, &err);
}

static void write_all_kinds(store_under_test *t, int rounds)
{
    rng r = {1};
    char state[STATE_BYTES];
    make_noise(&r, state);
    stet_change c = {.verb = STET_VERB_APPEND,
                     .id = stet_str("m"),
                     .payload = stet_str("raw")};
    stet_change patch = {.verb = STET_VERB_PATCH,
                         .id = stet_str("m"),
                         .payload = stet_str("[{\"op\":\"add\",\"path\":\"/a\","
                                             "\"value\":1}]")};
    for (int i = 0; i < rounds; i++) {
        state[i % STATE_BYTES]++;
        save_bytes(t, state);
        (void)store_write(t, &c);
        (void)store_save(t, "m", "{\"phase\":\"p\"}");
        (void)store_write(t, &patch);
    }
}

/* ---- checks ---- */

static void claim_check(store_under_test *t, const stet_record *r, void *ctx)
{
    uint64_t *count = ctx;
    bool says_state = is_base(r) || r->form == STET_BODY_WHOLE ||
                      r->form == STET_BODY_DELTA || r->form == STET_BODY_PATCH;
    assert_int_equal(has(r, STET_TAG_CHECK), says_state);
    if (says_state) {
        const stet_state *state = store_load_at(t, "m", at_seq(r->seq));
        assert_int_equal(r->check, stet__hash64(state->state_data.ptr,
                                                state->state_data.len));
        stet_state_release(state);
        (*count)++;
    }
}

/* Damage that no checksum of a file sees must not become a state. */
static void test_each_record_that_says_a_state_has_a_check_of_it(void **state)
{
    uint64_t count = 0;
    reopen_with_bases(*state, 7, 0);
    write_all_kinds(*state, 20);
    visit_all(*state, claim_check, &count);
    assert_int_equal(count, 60); /* all but the raw events */
}

static stet_status impure(void *ctx, stet_slice state, stet_slice payload,
                          stet_output *out)
{
    (void)state;
    (void)payload;
    char text[16];
    int len = snprintf(text, sizeof text, "%d", ++*(int *)ctx);
    stet_output_put(out, stet_slice_of(text, (size_t)len));
    return STET_OK;
}

/* A reducer that is not the same function any more is found out. */
static void test_a_reducer_that_changed_does_not_change_the_past(void **state)
{
    store_under_test *t = *state;
    int calls = 0;
    const stet_reducer_def defs[] = {{"impure", 1, impure, &calls}};
    store_close(t);
    t->opts.reducers = defs;
    t->opts.reducer_count = 1;
    store_open(t);
    stet_change c = {.verb = STET_VERB_APPEND,
                     .reducer = STET_REDUCER_CUSTOM,
                     .reducer_name = stet_str("impure"),
                     .reducer_version = 1,
                     .id = stet_str("m"),
                     .payload = stet_str("x")};
    (void)store_save(t, "m", "{}");
    (void)store_write(t, &c);
    stet_error err = {0};
    stet_read_opts o = {.at = at_seq(2)};
    const stet_state *got = NULL;
    assert_status(stet_load(t->s, stet_str("m"), &o, &got, &err),
                  STET_E_CORRUPT, &err);
    assert_names(&err, "history of m");
    assert_names(&err, "seq 2 folds to other bytes than were saved");
}

/* ---- bases ---- */

/* How far a record may be from a base. */
typedef struct spread {
    uint64_t since; /* records since the last base */
    uint64_t bytes; /* bodies of them */
    uint64_t most;
    uint64_t bytes_most;
    uint64_t bases;
} spread;

static void measure(store_under_test *t, const stet_record *r, void *ctx)
{
    (void)t;
    spread *s = ctx;
    s->since = is_base(r) ? 0 : s->since + 1;
    s->bytes = is_base(r) ? 0 : s->bytes + r->body.len;
    s->bases += is_base(r);
    s->most = s->since > s->most ? s->since : s->most;
    s->bytes_most = s->bytes > s->bytes_most ? s->bytes : s->bytes_most;
    assert_int_equal(r->depth, s->since);
}

static void write_merges(store_under_test *t, size_t count)
{
    char text[64];
    for (size_t i = 0; i < count; i++) {
        (void)snprintf(text, sizeof text, "{\"n\":%zu,\"k%zu\":1}", i, i % 5);
        stet_change c = {.verb = STET_VERB_UPDATE,
                         .id = stet_str("m"),
                         .payload = stet_str(text)};
        (void)store_write(t, &c);
    }
}

/* No state is further from a whole one than the option says. */
static void test_bases_come_after_so_many_records(void **state)
{
    reopen_with_bases(*state, 10, 0);
    write_merges(*state, 200);
    spread s = {0};
    visit_all(*state, measure, &s);
    assert_int_equal(s.most, 9);
    assert_int_equal(s.bases, 20);
}

/* Nor does it take more bytes than the option says to fold it. */
static void test_bases_come_after_so_many_bytes(void **state)
{
    reopen_with_bases(*state, 1000, 500);
    write_merges(*state, 200);
    spread s = {0};
    visit_all(*state, measure, &s);
    assert_true(s.bytes_most <= 500);
    assert_true(s.bases > 5 && s.bases < 40);
}

/* Nor does it take more than eight segments. */
static void test_bases_come_after_so_many_segments(void **state)
{
    store_under_test *t = *state;
    stet_error err = {0};
    t->opts.segment_bytes = 64 * 1024;
    reopen_with_bases(t, 60000, 0);
    (void)store_save(t, "m", "{}");
    spread s = {0};
    for (int i = 0; i < 12; i++) {
        char noise[STATE_BYTES];
        rng r = {(uint64_t)i};
        for (int k = 0; k < 9; k++) { /* fill a segment with frames of others */
            make_noise(&r, noise);
            stet_write_opts o = {.more = {.ns = 1}};
            assert_status(stet_save(t->s, stet_str("other"),
                                    stet_slice_of(noise, sizeof noise), &o,
                                    NULL, &err),
                          STET_OK, &err);
        }
        write_merges(t, 1);
    }
    stet_info info = {0};
    assert_status(stet_get_info(t->s, &info, &err), STET_OK, &err);
    assert_true(info.segments >= 10);
    stet_history *h = NULL;
    const stet_event *e = NULL;
    assert_status(stet_history_open(t->s, stet_str("m"), NULL, &h, &err),
                  STET_OK, &err);
    while (stet_history_next(h, &e, &err) == STET_OK) {
        s.since = (e->flags & STET_EVENT_BASE) != 0 ? 0 : s.since + 1;
        s.bases += (e->flags & STET_EVENT_BASE) != 0;
        s.most = s.since > s.most ? s.since : s.most;
    }
    stet_history_close(h);
    assert_true(s.bases >= 2);
    assert_true(s.most <= 9);
}

/* ---- sizes ---- */

static void add_body(store_under_test *t, const stet_record *r, void *ctx)
{
    (void)t;
    *(uint64_t *)ctx += r->body.len + r->base_state.len;
}

/* Versions of a large state are stored as how they differ. */
static void test_versions_of_a_state_take_what_they_differ_in(void **state)
{
    rng r = {2};
    char noise[STATE_BYTES];
    uint64_t bytes = 0;
    reopen_with_bases(*state, 64, 0);
    make_noise(&r, noise);
    for (int i = 0; i < 60; i++) {
        noise[(i * 71) % STATE_BYTES]++;
        save_bytes(*state, noise);
    }
    visit_all(*state, add_body, &bytes);
    assert_true(bytes < STATE_BYTES + 60 * 100);
}

/* ---- what bases restate ---- */

/*
 * A base says again what the machine is; an event says what it was told. Where
 * a base lies must not show in a history.
 */
static void test_a_base_does_not_put_words_into_its_event(void **state)
{
    store_under_test *t = *state;
    reopen_with_bases(t, 2, 0);
    stet_change c = {.verb = STET_VERB_SAVE,
                     .id = stet_str("m"),
                     .payload = stet_str("{}"),
                     .state_type = stet_str("cards"),
                     .version = stet_str("1.0.0"),
                     .machine_metadata = stet_str("{\"v\":1}")};
    (void)store_write(t, &c);
    for (int i = 0; i < 4; i++) {
        (void)store_save(t, "m", "{\"n\":1}");
    }
    if (t->is_kept) {
        store_reopen(t);
    }
    stet_error err = {0};
    stet_history *h = NULL;
    const stet_event *e = NULL;
    uint32_t bases = 0;
    stet_history_opts o = {.flags = STET_HISTORY_STATES};
    assert_status(stet_history_open(t->s, stet_str("m"), &o, &h, &err), STET_OK,
                  &err);
    while (stet_history_next(h, &e, &err) == STET_OK) {
        bases += (e->flags & STET_EVENT_BASE) != 0 ? 1 : 0;
        assert_says(e->state_type, e->seq == 1 ? "cards" : "");
        assert_says(e->version, e->seq == 1 ? "1.0.0" : "");
        assert_says(e->state->state_type, "cards");
        assert_says(e->state->version, "1.0.0");
        assert_says(e->state->metadata, "{\"v\":1}");
    }
    stet_history_close(h);
    assert_true(bases > 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_BOTH_STORES(test_each_record_that_says_a_state_has_a_check_of_it),
        ON_BOTH_STORES(test_a_reducer_that_changed_does_not_change_the_past),
        ON_BOTH_STORES(test_bases_come_after_so_many_records),
        ON_BOTH_STORES(test_bases_come_after_so_many_bytes),
        ON_BOTH_STORES(test_bases_come_after_so_many_segments),
        ON_BOTH_STORES(test_versions_of_a_state_take_what_they_differ_in),
        ON_BOTH_STORES(test_a_base_does_not_put_words_into_its_event),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
