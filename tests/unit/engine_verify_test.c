/*
 * Verifying states: one sweep where there is room for it, machine by machine
 * where there is not. Whichever way, the answers must be the same.
 *
 * Records are forged on their way from the log to the engine: their checksums
 * are the log's to compare, what they mean is what is tested here.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/record.h"
#include "engine/handle.h"
#include "lib/store_under_test.h"

enum { FORGED_BYTES_MAX = 64 * 1024 };

typedef enum damage {
    DAMAGE_NONE = 0,
    DAMAGE_CHECK, /* another check value */
    DAMAGE_BODY,  /* its first byte */
    DAMAGE_BASE,  /* states in bases whose bodies are something else */
    DAMAGE_SEQ,   /* another seq: the history has a hole there */
    DAMAGE_BACK,  /* another record before it */
} damage;

/* The log between whoever reads and the real one. */
static struct {
    const stet_log_ops *real;
    stet_log_ops ops;
    damage damage;
    const char *id; /* of whose record is forged */
    uint64_t seq;
    unsigned reads; /* one by one */
    uint8_t bytes[FORGED_BYTES_MAX];
} between;

static uint8_t *find(stet_slice what)
{
    uint8_t *at = memmem(between.bytes, FORGED_BYTES_MAX, what.ptr, what.len);
    assert_non_null(at);
    return at;
}

static void forge(stet_logged *l)
{
    stet_record r;
    size_t bytes = 0;
    assert_int_equal(stet__record_parse(l->bytes, &r, &bytes, NULL), STET_OK);
    bool is_it = between.damage == DAMAGE_BASE
                     ? (r.tags & (1u << STET_TAG_BASE_STATE)) != 0
                     : r.seq == between.seq;
    if (between.damage == DAMAGE_NONE || !is_it ||
        !stet__slice_eq(r.id, stet_str(between.id))) {
        return;
    }
    assert_in_range(l->bytes.len, 1, FORGED_BYTES_MAX);
    memcpy(between.bytes, l->bytes.ptr, l->bytes.len);
    l->bytes.ptr = between.bytes;
    uint8_t check[8];
    stet__put_u64le(check, r.check);
    switch (between.damage) {
    case DAMAGE_NONE:
        break;
    case DAMAGE_CHECK:
        assert_true((r.tags & (1u << STET_TAG_CHECK)) != 0);
        *find(stet_slice_of(check, sizeof check)) ^= 1;
        break;
    case DAMAGE_BODY:
        *find(r.body) ^= 1;
        break;
    case DAMAGE_BASE:
        *find(r.base_state) ^= 1;
        break;
    case DAMAGE_SEQ:
        find(r.id)[r.id.len] ^= 1;
        break;
    case DAMAGE_BACK: /* behind a seq of one byte */
        assert_in_range(r.seq, 1, 127);
        find(r.id)[r.id.len + 1] ^= 1;
        break;
    }
}

static stet_status forged_walk_next(stet_log_cursor *walk, stet_logged *out,
                                    stet_error *err)
{
    stet_status st = between.real->walk_next(walk, out, err);
    if (st == STET_OK) {
        forge(out);
    }
    return st;
}

static stet_status forged_read(stet_log_reader *reader, uint64_t position,
                               stet_logged *out, stet_error *err)
{
    stet_status st = between.real->reader_read(reader, position, out, err);
    between.reads++;
    if (st == STET_OK) {
        forge(out);
    }
    return st;
}

/* What verifying answers, the store opened anew with so much memory. */
typedef struct answer {
    stet_status status;
    stet_verify_report report;
    stet_error err;
    unsigned reads;
} answer;

static answer verify(store_under_test *t, uint64_t cache_bytes)
{
    answer a = {.status = STET_OK};
    t->opts.cache_bytes = cache_bytes;
    t->opts.flags = STET_NO_THREADS; /* who else would call what is swapped */
    store_reopen(t);
    between.real = t->s->log->ops;
    between.ops = *between.real;
    between.ops.walk_next = forged_walk_next;
    between.ops.reader_read = forged_read;
    between.reads = 0;
    t->s->log->ops = &between.ops;
    a.status = stet_verify(t->s, NULL, NULL, &a.report, &a.err);
    a.reads = between.reads;
    t->s->log->ops = between.real;
    return a;
}

static void write_one(store_under_test *t, stet_verb verb, const char *id,
                      const char *payload)
{
    stet_change c = {
        .verb = verb, .id = stet_str(id), .payload = stet_str(payload)};
    if (verb == STET_VERB_TRANSITION) {
        c.action = stet_str("step");
        c.to_state = stet_str(payload);
        c.payload = (stet_slice){NULL, 0};
    }
    (void)store_write(t, &c);
}

/* One of each: deltas, folds, names, a deletion and what came after it. */
static void write_life(store_under_test *t, const char *id)
{
    static const char *const states[] = {
        "{\"hand\":[1,2,3,4,5,6,7,8,9,10,11,12,13,14],\"turn\":1}",
        "{\"hand\":[1,2,3,4,5,6,7,8,9,10,11,12,13,14],\"turn\":2}"};
    char patch[64];
    for (int i = 0; i < 90; i++) {
        (void)snprintf(patch, sizeof patch, "{\"turn\":%d}", i);
        switch (i % 6) {
        case 0:
        case 1:
            write_one(t, STET_VERB_SAVE, id, states[i % 2]);
            break;
        case 2:
            write_one(t, STET_VERB_TRANSITION, id, i % 4 == 2 ? "on" : "off");
            break;
        case 3:
            write_one(t, STET_VERB_APPEND, id, "noted");
            break;
        default:
            write_one(t, STET_VERB_UPDATE, id, patch);
            break;
        }
        if (i == 40) {
            write_one(t, STET_VERB_DELETE, id, "");
            write_one(t, STET_VERB_SAVE, id, states[0]);
        }
    }
}

/* Folds only, so that a base carries a state of its own. */
static void write_folds(store_under_test *t, const char *id)
{
    char patch[64];
    for (int i = 0; i < 80; i++) {
        (void)snprintf(patch, sizeof patch, "{\"turn\":%d}", i);
        write_one(t, STET_VERB_UPDATE, id, patch);
    }
}

static void fork_at(store_under_test *t, const char *parent, const char *id,
                    uint64_t seq)
{
    stet_error err = {0};
    stet_fork_opts o = {.struct_size = sizeof o, .at = at_seq(seq)};
    assert_status(
        stet_fork(t->s, stet_str(parent), stet_str(id), &o, NULL, &err),
        STET_OK, &err);
    write_one(t, STET_VERB_UPDATE, id, "{\"turn\":1000}");
}

enum { ROOM = 1024 * 1024, NO_ROOM = 4096, FILLER_BYTES = 3500 };

/* What there is room for where there is none for anything else. */
static void write_filler(store_under_test *t)
{
    char text[FILLER_BYTES + 1] = {0};
    memset(text, 'x', FILLER_BYTES);
    write_one(t, STET_VERB_SAVE, "0 filler", text); /* also in a set first */
}

/* Lives side by side, over several files; the first of them in a set. */
static void write_lives(store_under_test *t)
{
    stet_error err = {0};
    t->opts.segment_bytes = 64 * 1024; /* so few that none is settled */
    t->opts.settle_segments = 16;
    store_reopen(t);
    write_filler(t);
    write_life(t, "a");
    write_life(t, "b");
    write_folds(t, "folded");
    assert_status(stet_compact(t->s, &err), STET_OK, &err);
    fork_at(t, "a", "of a", 92);    /* its newest */
    fork_at(t, "a", "of old a", 7); /* from which it has moved on */
    fork_at(t, "of old a", "of that", 3);
    write_life(t, "of that");
    assert_status(
        stet_checkpoint_set(
            t->s, stet_str("a"),
            &(stet_checkpoint_opts){.struct_size = sizeof(stet_checkpoint_opts),
                                    .name = stet_str("here")},
            NULL, &err),
        STET_OK, &err);
    write_life(t, "c");
}

/* A sound store is proved by reading each record once, but where forks begin
 * from a state that has moved on. */
static void test_a_sweep_proves_what_walks_prove(void **state)
{
    store_under_test *t = *state;
    between.damage = DAMAGE_NONE;
    write_lives(t);
    answer swept = verify(t, ROOM);
    answer walked = verify(t, NO_ROOM);
    assert_status(swept.status, STET_OK, &swept.err);
    assert_status(walked.status, STET_OK, &walked.err);
    assert_true(swept.report.machines >= 8);
    assert_int_equal(walked.report.machines, swept.report.machines);
    assert_int_equal(walked.report.records, swept.report.records);
    assert_int_equal(swept.report.unfolded, 0);
    assert_true(swept.reads < 12);
    assert_true(walked.reads > swept.report.records / 2);
}

/* Whoever finds a state wrong, the answer names the same place. */
static void test_damage_is_named_alike_with_and_without_room(void **state)
{
    store_under_test *t = *state;
    static const struct {
        damage damage;
        const char *id;
        uint64_t seq;
        const char *says;
    } cases[] = {
        {DAMAGE_CHECK, "a", 2, "the state at seq 2 folds to other bytes"},
        {DAMAGE_CHECK, "b", 81, "the state at seq 81 folds to other bytes"},
        {DAMAGE_CHECK, "a", 88, "the state at seq 88"},
        {DAMAGE_BODY, "a", 1, "seq 1"}, /* a whole state, a base */
        {DAMAGE_BODY, "c", 8, NULL},    /* a delta */
        {DAMAGE_BODY, "b", 5, NULL},    /* a merge */
        {DAMAGE_BASE, "folded", 0, "the state at seq"},
        {DAMAGE_BODY, "of that", 5, NULL},
        {DAMAGE_SEQ, "b", 11, "is not seq 11"},
        {DAMAGE_SEQ, "of a", 93, "is not seq 93"},
        {DAMAGE_BACK, "b", 11, "is not seq 11"},
    };
    between.damage = DAMAGE_NONE;
    write_lives(t);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        between.damage = cases[i].damage;
        between.id = cases[i].id;
        between.seq = cases[i].seq;
        answer swept = verify(t, ROOM);
        answer walked = verify(t, NO_ROOM);
        assert_int_not_equal(swept.status, STET_OK);
        assert_status(walked.status, swept.status, &walked.err);
        assert_string_equal(swept.err.text, walked.err.text);
        if (cases[i].says != NULL) {
            assert_names(&swept.err, cases[i].says);
        }
    }
    between.damage = DAMAGE_NONE;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_EMBEDDED_STORE(test_a_sweep_proves_what_walks_prove),
        ON_EMBEDDED_STORE(test_damage_is_named_alike_with_and_without_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
