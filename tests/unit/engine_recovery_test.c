/*
 * Recovery: what can be had of a machine, and what is said to be missing.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine/handle.h"
#include "lib/failalloc.h"
#include "lib/memdisk.h"
#include "lib/store_under_test.h"

enum { EVENTS = 20, EVERY = 8 }; /* bases at 1, 9 and 17 */

/* Each event has its seq in a text that is nowhere else in its file before. */
static void write_life_with(store_under_test *t, const char *id, int error_at)
{
    for (int i = 1; i <= EVENTS; i++) {
        char json[64];
        (void)snprintf(json, sizeof json, "{\"n\":%d,\"m\":\"MARK-%s-%03d\"}",
                       i, id, i);
        stet_change c = {.verb = STET_VERB_TRANSITION,
                         .id = stet_str(id),
                         .payload = stet_str(json),
                         .action = stet_str("go"),
                         .error = stet_str(i == error_at ? "oh" : "")};
        assert_int_equal(store_write(t, &c), i);
        store_advance(t, 1000000);
    }
}

static void write_life(store_under_test *t, const char *id)
{
    write_life_with(t, id, 0);
}

static const char *state_at(const char *id, uint64_t seq)
{
    static char text[64];
    (void)snprintf(text, sizeof text, "{\"n\":%d,\"m\":\"MARK-%s-%03d\"}",
                   (int)seq, id, (int)seq);
    return text;
}

static stet_recovery *recover_with(store_under_test *t, const char *id,
                                   const stet_recovery_opts *opts)
{
    stet_error err;
    stet_recovery *r = NULL;
    assert_status(stet_recover(t->s, stet_str(id), opts, &r, &err), STET_OK,
                  &err);
    return r;
}

static stet_recovery *recover(store_under_test *t, const char *id,
                              stet_recovery_mode mode)
{
    stet_recovery_opts o = {.modes = &mode, .mode_count = 1};
    return recover_with(t, id, &o);
}

static void claim_reached(const stet_recovery *r, const char *id,
                          stet_recovery_status status, uint64_t seq)
{
    assert_int_equal(r->status, status);
    assert_int_equal(r->reached_seq, seq);
    assert_non_null(r->state);
    assert_int_equal(r->state->seq, seq);
    assert_says(r->state->state_data, state_at(id, seq));
    assert_int_equal(r->skipped, r->wanted_seq - seq);
    assert_int_equal(r->base_seq + r->replayed, seq);
    assert_int_equal(r->cause == STET_OK, status == STET_RECOVERY_SUCCESS);
    assert_int_equal(r->reason[0] == '\0', status == STET_RECOVERY_SUCCESS);
}

static void claim_none(stet_recovery *r, stet_recovery_status status,
                       stet_status cause)
{
    assert_int_equal(r->status, status);
    assert_int_equal(r->cause, cause);
    assert_null(r->state);
    assert_int_equal(r->reached_seq, 0);
    assert_int_not_equal(r->reason[0], 0);
    stet_recovery_free(r);
}

/* ---- sound machines ---- */

/* What is sound is reached by every mode, and told how. */
static void test_each_mode_reaches_its_point(void **state)
{
    store_under_test *t = *state;
    stet_error err;
    write_life(t, "m");
    stet_checkpoint_opts named = {.name = stet_str("here"), .at = at_seq(5)};
    assert_status(stet_checkpoint_set(t->s, stet_str("m"), &named, NULL, &err),
                  STET_OK, &err);
    const stet_state *s = store_load_at(t, "m", at_seq(12));
    int64_t time = s->updated_at;
    stet_state_release(s);
    const struct {
        stet_recovery_mode mode;
        uint64_t snapshot_seq;
        int64_t time;
        uint64_t seq;
        stet_recovery_means means;
    } table[] = {
        {STET_RECOVER_LATEST, 0, 0, EVENTS, STET_RECOVERED_FROM_BOTH},
        {STET_RECOVER_SNAPSHOT, 0, 0, 17, STET_RECOVERED_FROM_SNAPSHOT},
        {STET_RECOVER_SNAPSHOT, 9, 0, 9, STET_RECOVERED_FROM_SNAPSHOT},
        {STET_RECOVER_POINT_IN_TIME, 0, time, 12, STET_RECOVERED_FROM_BOTH},
        {STET_RECOVER_POINT_IN_TIME, 0, time - 1, 11, STET_RECOVERED_FROM_BOTH},
        {STET_RECOVER_BEFORE_ERROR, 0, 0, EVENTS, STET_RECOVERED_FROM_BOTH},
        {STET_RECOVER_CHECKPOINT, 0, 0, 5, STET_RECOVERED_FROM_EVENTS},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        stet_recovery_opts o = {.modes = &table[i].mode,
                                .mode_count = 1,
                                .snapshot_seq = table[i].snapshot_seq,
                                .time = table[i].time,
                                .checkpoint = stet_str("here")};
        stet_recovery *r = recover_with(t, "m", &o);
        claim_reached(r, "m", STET_RECOVERY_SUCCESS, table[i].seq);
        assert_int_equal(r->mode, table[i].mode);
        assert_int_equal(r->means, table[i].means);
        assert_int_equal(r->error_seq, 0);
        stet_recovery_free(r);
    }
    store_claim_state(t, "m", state_at("m", EVENTS)); /* nothing changed */
}

/* A point that is not there is not found, whatever lies near it. */
static void test_what_is_not_there_is_not_found(void **state)
{
    store_under_test *t = *state;
    stet_error err;
    claim_none(recover(t, "none", STET_RECOVER_LATEST), STET_RECOVERY_NOT_FOUND,
               STET_E_NOT_FOUND);
    int64_t before = store_now(t);
    store_advance(t, 1000000);
    write_life(t, "m");
    stet_recovery_mode mode = STET_RECOVER_POINT_IN_TIME;
    stet_recovery_opts o = {.modes = &mode,
                            .mode_count = 1,
                            .time = before,
                            .snapshot_seq = 10,
                            .version = stet_str("9.9.9"),
                            .checkpoint = stet_str("none")};
    static const stet_recovery_mode modes[] = {
        STET_RECOVER_POINT_IN_TIME, STET_RECOVER_SNAPSHOT, STET_RECOVER_VERSION,
        STET_RECOVER_CHECKPOINT};
    for (size_t i = 0; i < 4; i++) {
        mode = modes[i];
        claim_none(recover_with(t, "m", &o), STET_RECOVERY_NOT_FOUND,
                   STET_E_NOT_FOUND);
    }
    mode = STET_RECOVER_SNAPSHOT;
    o.snapshot_seq = EVENTS + 1;
    claim_none(recover_with(t, "m", &o), STET_RECOVERY_NOT_FOUND,
               STET_E_NOT_FOUND);
    assert_status(stet_delete(t->s, stet_str("m"), NULL, NULL, &err), STET_OK,
                  &err);
    claim_none(recover(t, "m", STET_RECOVER_LATEST), STET_RECOVERY_NOT_FOUND,
               STET_E_NOT_FOUND);
}

/* Of errors the newest counts; those before it stay in. */
static void test_before_error_is_the_seq_before_the_newest_one(void **state)
{
    store_under_test *t = *state;
    static const stet_change errors[] = {
        {.verb = STET_VERB_FAIL},
        {.verb = STET_VERB_TRANSITION,
         .error = {"oh", 2},
         .payload = {"{\"x\":1}", 7}},
        {.verb = STET_VERB_UPDATE,
         .metadata = {"{\"is_error\":true}", 17},
         .payload = {"{\"x\":1}", 7}},
        {.verb = STET_VERB_UPDATE,
         .metadata = {"{\"is_error\":false}", 18},
         .payload = {"{\"x\":1}", 7}},
    };
    for (size_t i = 0; i < 4; i++) {
        char id[8];
        (void)snprintf(id, sizeof id, "m%zu", i);
        stet_change c = errors[i];
        c.id = stet_str(id);
        write_life(t, id);
        assert_int_equal(store_write(t, &c), EVENTS + 1);
        (void)store_save(t, id, "{\"after\":1}");
        stet_recovery *r = recover(t, id, STET_RECOVER_BEFORE_ERROR);
        if (i < 3) {
            claim_reached(r, id, STET_RECOVERY_SUCCESS, EVENTS);
            assert_int_equal(r->error_seq, EVENTS + 1);
        } else {
            assert_says(r->state->state_data, "{\"after\":1}");
            assert_int_equal(r->error_seq, 0);
        }
        stet_recovery_free(r);
        c.id = stet_str("first");
        if (i == 0) {
            assert_int_equal(store_write(t, &c), 1);
            (void)store_save(t, "first", "{}");
            r = recover(t, "first", STET_RECOVER_BEFORE_ERROR);
            assert_int_equal(r->error_seq, 1);
            claim_none(r, STET_RECOVERY_NOT_FOUND, STET_E_NOT_FOUND);
        }
    }
}

/* The newest state of a schema version, not the event that set it. */
static void test_a_version_is_the_newest_state_that_has_it(void **state)
{
    store_under_test *t = *state;
    static const char *const versions[] = {"1.0.0", "", "",      "2.0.0", "",
                                           "1.0.0", "", "3.0.0", ""};
    for (int i = 0; i < 9; i++) {
        stet_change c = {.verb = STET_VERB_SAVE,
                         .id = stet_str("m"),
                         .payload = stet_str(state_at("m", (uint64_t)i + 1)),
                         .version = stet_str(versions[i])};
        (void)store_write(t, &c);
    }
    static const char *const asked[] = {"1.0.0", "2.0.0", "3.0.0"};
    static const uint64_t seqs[] = {7, 5, 9};
    for (int i = 0; i < 3; i++) {
        stet_recovery_mode mode = STET_RECOVER_VERSION;
        stet_recovery_opts o = {
            .modes = &mode, .mode_count = 1, .version = stet_str(asked[i])};
        stet_recovery *r = recover_with(t, "m", &o);
        claim_reached(r, "m", STET_RECOVERY_SUCCESS, seqs[i]);
        assert_says(r->state->version, asked[i]);
        stet_recovery_free(r);
    }
}

/* ---- limits, validity, several modes ---- */

/* From the base on, oldest first, and no further than the limit. */
static void test_no_more_is_replayed_than_the_limit(void **state)
{
    store_under_test *t = *state;
    write_life(t, "m");
    for (uint64_t most = 1; most <= 4; most++) {
        stet_recovery_opts o = {.transitions_max = most};
        stet_recovery *r = recover_with(t, "m", &o);
        bool is_all = most >= 3; /* 18 to 20 lie behind 17 */
        claim_reached(r, "m",
                      is_all ? STET_RECOVERY_SUCCESS : STET_RECOVERY_PARTIAL,
                      is_all ? EVENTS : 17 + most);
        if (!is_all) {
            assert_int_equal(r->cause, STET_E_PARTIAL);
            assert_int_equal(r->replayed, most);
        }
        stet_recovery_free(r);
    }
}

/* Refuses states beyond a seq. */
static stet_status is_old(void *ctx, const stet_state *state, stet_error *err)
{
    const uint64_t *most = ctx;
    if (state->seq <= *most) {
        return STET_OK;
    }
    if (err != NULL) {
        (void)snprintf(err->text, sizeof err->text, "too new");
    }
    return STET_E_INVALID;
}

/* The first mode whose state is valid wins, in the order given. */
static void test_the_first_valid_mode_wins(void **state)
{
    store_under_test *t = *state;
    write_life(t, "m");
    static const stet_recovery_mode modes[] = {
        STET_RECOVER_CHECKPOINT, STET_RECOVER_LATEST, STET_RECOVER_SNAPSHOT,
        STET_RECOVER_VERSION};
    uint64_t most = 18;
    stet_recovery_opts o = {.modes = modes,
                            .mode_count = 4,
                            .checkpoint = stet_str("none"),
                            .version = stet_str("1"),
                            .validate = is_old,
                            .validate_ctx = &most};
    stet_recovery *r = recover_with(t, "m", &o);
    claim_reached(r, "m", STET_RECOVERY_SUCCESS, 17);
    assert_int_equal(r->mode, STET_RECOVER_SNAPSHOT);
    stet_recovery_free(r);
    most = 3; /* none is valid: the first state there is, and why not */
    r = recover_with(t, "m", &o);
    claim_reached(r, "m", STET_RECOVERY_PARTIAL, EVENTS);
    assert_int_equal(r->mode, STET_RECOVER_LATEST);
    assert_int_equal(r->cause, STET_E_INVALID);
    assert_string_equal(r->reason, "too new");
    stet_recovery_free(r);
    o.mode_count = 1;
    claim_none(recover_with(t, "m", &o), STET_RECOVERY_NOT_FOUND,
               STET_E_NOT_FOUND);
}

/* Wrong questions are told from answers. */
static void test_wrong_options_are_refused(void **state)
{
    store_under_test *t = *state;
    stet_error err;
    stet_recovery *r = NULL;
    stet_recovery_mode modes[STET_RECOVERY_MODES_MAX + 1] = {0};
    stet_recovery_opts o = {.modes = modes, .mode_count = 1};
    assert_status(stet_recover(t->s, stet_str("m"), &o, &r, &err),
                  STET_E_INVALID, &err);
    modes[0] = STET_RECOVER_VERSION;
    assert_status(stet_recover(t->s, stet_str("m"), &o, &r, &err),
                  STET_E_INVALID, &err);
    o.mode_count = STET_RECOVERY_MODES_MAX + 1;
    assert_status(stet_recover(t->s, stet_str("m"), &o, &r, &err),
                  STET_E_INVALID, &err);
    assert_status(stet_recover(t->s, stet_str(""), NULL, &r, &err),
                  STET_E_INVALID, &err);
    assert_null(r);
}

/* ---- damage ---- */

/* Change one byte of a text, at the first place in a file that has it. */
static bool damage_file(const char *path, const char *text)
{
    static char bytes[1 << 20];
    FILE *file = fopen(path, "r+b");
    if (file == NULL) {
        return false;
    }
    size_t len = fread(bytes, 1, sizeof bytes, file);
    const char *at = memmem(bytes, len, text, strlen(text));
    if (at != NULL) {
        assert_int_equal(fseek(file, at - bytes, SEEK_SET), 0);
        assert_int_equal(fputc('X', file), 'X');
    }
    assert_int_equal(fclose(file), 0);
    return at != NULL;
}

static void damage(store_under_test *t, const char *text)
{
    bool did = false;
    for (int file = 1; file < 10 && !did; file++) {
        char path[600];
        (void)snprintf(path, sizeof path, "%s/store/%d.seg", t->dir.path, file);
        did = damage_file(path, text);
    }
    assert_true(did);
}

static void rebuild_with(store_under_test *t, int error_at)
{
    store_deinit(t);
    store_init_embedded(t);
    t->opts.base_events = EVERY;
    store_open(t);
    write_life_with(t, "m", error_at);
    store_close(t);
}

static void rebuild(store_under_test *t)
{
    rebuild_with(t, 0);
}

static uint64_t newest_base(uint64_t upto)
{
    return (upto - 1) / EVERY * EVERY + 1;
}

/*
 * Each event damaged in turn: any point is reached that needs it not, and of
 * the others the one right before it.
 */
static void test_damage_costs_what_folds_through_it(void **state)
{
    store_under_test *t = *state;
    for (uint64_t bad = 1; bad <= EVENTS; bad++) {
        char mark[32];
        rebuild(t);
        (void)snprintf(mark, sizeof mark, "MARK-m-%03d", (int)bad);
        damage(t, mark);
        store_open(t);
        stet_recovery *r = recover(t, "m", STET_RECOVER_LATEST);
        if (bad < newest_base(EVENTS)) {
            claim_reached(r, "m", STET_RECOVERY_SUCCESS, EVENTS);
        } else {
            claim_reached(r, "m", STET_RECOVERY_PARTIAL, bad - 1);
            assert_int_equal(r->cause, STET_E_CORRUPT);
            assert_non_null(strstr(r->reason, ".seg at offset"));
        }
        stet_recovery_free(r);
        r = recover(t, "m", STET_RECOVER_SNAPSHOT);
        uint64_t sound = bad == 17 ? 9 : 17;
        claim_reached(r, "m", STET_RECOVERY_SUCCESS, sound);
        stet_recovery_free(r);
        stet_recovery_opts o = {0};
        stet_recovery_mode mode = STET_RECOVER_SNAPSHOT;
        o.modes = &mode;
        o.mode_count = 1;
        o.snapshot_seq = 1;
        r = recover_with(t, "m", &o);
        if (bad == 1) {
            assert_int_equal(r->status, STET_RECOVERY_FAILED);
            assert_int_equal(r->cause, STET_E_CORRUPT);
        } else {
            claim_reached(r, "m", STET_RECOVERY_SUCCESS, 1);
        }
        stet_recovery_free(r);
        store_close(t);
    }
}

/* Several places: from one to the next, down to the first sound state. */
static void test_recovery_goes_on_past_several_damages(void **state)
{
    store_under_test *t = *state;
    rebuild(t);
    damage(t, "MARK-m-020");
    damage(t, "MARK-m-019");
    damage(t, "MARK-m-017");
    damage(t, "MARK-m-014");
    store_open(t);
    stet_recovery *r = recover(t, "m", STET_RECOVER_LATEST);
    claim_reached(r, "m", STET_RECOVERY_PARTIAL, 13);
    assert_non_null(strstr(r->reason, "seg at offset"));
    stet_recovery_free(r);
}

/* An error is found beside damage; one that is damaged itself is not seen. */
static void test_errors_are_looked_for_past_damage(void **state)
{
    store_under_test *t = *state;
    for (int bad = 8; bad <= 13; bad++) {
        char mark[32];
        rebuild_with(t, 10);
        (void)snprintf(mark, sizeof mark, "MARK-m-%03d", bad);
        damage(t, mark);
        store_open(t);
        stet_recovery *r = recover(t, "m", STET_RECOVER_BEFORE_ERROR);
        if (bad == 10) {
            claim_reached(r, "m", STET_RECOVERY_SUCCESS, EVENTS);
        } else if (bad == 9) { /* the base that seq 9 is */
            claim_reached(r, "m", STET_RECOVERY_PARTIAL, 8);
        } else {
            claim_reached(r, "m", STET_RECOVERY_SUCCESS, 9);
        }
        assert_int_equal(r->error_seq, bad == 10 ? 0 : 10);
        stet_recovery_free(r);
        store_close(t);
    }
}

/* What is adopted is the newest state, and what was there is still there. */
static void test_adopting_restores_even_behind_damage(void **state)
{
    store_under_test *t = *state;
    stet_error err;
    rebuild(t);
    damage(t, "MARK-m-019");
    store_open(t);
    const stet_state *s = NULL;
    assert_status(stet_load(t->s, stet_str("m"), NULL, &s, &err),
                  STET_E_CORRUPT, &err);
    s = store_load_at(t, "m", at_seq(18));
    int64_t created_at = s->created_at;
    stet_state_release(s);
    stet_recovery *r = recover(t, "m", STET_RECOVER_LATEST);
    claim_reached(r, "m", STET_RECOVERY_PARTIAL, 18);
    stet_written w = {0};
    stet_write_opts o = {.more = {.actor_id = stet_str("me")}};
    assert_status(stet_recovery_adopt(t->s, r, &o, &w, &err), STET_OK, &err);
    assert_int_equal(w.seq, EVENTS + 1);
    /* The machine moved on: the report is of what was. */
    assert_status(stet_recovery_adopt(t->s, r, &o, &w, &err), STET_E_CONFLICT,
                  &err);
    stet_recovery_free(r);
    for (int again = 0; again < 2; again++) {
        s = store_load(t, "m");
        assert_says(s->state_data, state_at("m", 18));
        assert_int_equal(s->created_at, created_at);
        stet_state_release(s);
        store_claim_state_at(t, "m", at_seq(18), state_at("m", 18));
        assert_status(stet_load(t->s, stet_str("m"),
                                &(stet_read_opts){.at = at_seq(19)}, &s, &err),
                      STET_E_CORRUPT, &err);
        store_reopen(t);
    }
    stet_change c = {.verb = STET_VERB_UPDATE,
                     .id = stet_str("m"),
                     .payload = stet_str("{\"n\":99}")};
    assert_int_equal(store_write(t, &c), EVENTS + 2);
    store_claim_state(t, "m", "{\"n\":99,\"m\":\"MARK-m-018\"}");
}

/* Nothing else may be written behind what cannot be read. */
static void test_other_writes_are_refused_behind_damage(void **state)
{
    store_under_test *t = *state;
    stet_error err;
    rebuild(t);
    damage(t, "MARK-m-020");
    store_open(t);
    stet_recovery *r = recover(t, "m", STET_RECOVER_LATEST);
    stet_write_opts wrong = {.more = {.expect = {STET_EXPECT_EXACT, 3}}};
    assert_status(stet_recovery_adopt(t->s, r, &wrong, NULL, &err),
                  STET_E_CONFLICT, &err); /* it is in memory now */
    stet_recovery_free(r);
    stet_change c = {.verb = STET_VERB_UPDATE,
                     .id = stet_str("m"),
                     .payload = stet_str("{\"n\":99}")};
    stet_batch b = {.changes = &c, .change_count = 1};
    assert_status(stet_commit(t->s, &b, NULL, &err), STET_E_CORRUPT, &err);
    const stet_state *s = NULL;
    assert_status(stet_load(t->s, stet_str("m"), NULL, &s, &err),
                  STET_E_CORRUPT, &err);
}

/* Of a deleted machine a past state is adopted, too. */
static void test_what_was_deleted_can_be_adopted(void **state)
{
    store_under_test *t = *state;
    stet_error err;
    write_life(t, "m");
    const stet_state *s = store_load(t, "m");
    stet_recovery_mode mode = STET_RECOVER_POINT_IN_TIME;
    stet_recovery_opts o = {
        .modes = &mode, .mode_count = 1, .time = s->updated_at};
    stet_state_release(s);
    assert_status(stet_delete(t->s, stet_str("m"), NULL, NULL, &err), STET_OK,
                  &err);
    stet_recovery *r = recover_with(t, "m", &o);
    claim_reached(r, "m", STET_RECOVERY_SUCCESS, EVENTS);
    stet_written w = {0};
    assert_status(stet_recovery_adopt(t->s, r, NULL, &w, &err), STET_OK, &err);
    assert_int_equal(w.seq, EVENTS + 2);
    store_claim_state(t, "m", state_at("m", EVENTS));
    stet_recovery_free(r);
    stet_recovery *none = recover(t, "none", STET_RECOVER_LATEST);
    assert_status(stet_recovery_adopt(t->s, none, NULL, &w, &err),
                  STET_E_INVALID, &err);
    stet_recovery_free(none);
}

/* What retention dropped is told from what is damaged. */
static void test_what_was_dropped_is_said_to_be(void **state)
{
    store_under_test *t = *state;
    stet_error err;
    static const stet_retention_rule few = {.keep_events = 4};
    write_life(t, "m");
    t->opts.retention = &few;
    t->opts.retention_count = 1;
    store_reopen(t);
    assert_status(stet_compact(t->s, &err), STET_OK, &err);
    stet_recovery_mode mode = STET_RECOVER_SNAPSHOT;
    stet_recovery_opts o = {.modes = &mode, .mode_count = 1};
    stet_recovery *r = recover_with(t, "m", &o);
    assert_int_equal(r->status, STET_RECOVERY_SUCCESS);
    assert_true(r->reached_seq >= EVENTS - 4);
    stet_recovery_free(r);
    mode = STET_RECOVER_POINT_IN_TIME;
    o.time = STORE_CLOCK + 5000000;
    claim_none(recover_with(t, "m", &o), STET_RECOVERY_FAILED, STET_E_GONE);
}

/* ---- points ---- */

/* Bases and checkpoints, in order, each with what led to it. */
static void test_points_are_bases_and_checkpoints(void **state)
{
    store_under_test *t = *state;
    stet_error err;
    write_life(t, "m");
    (void)store_save(t, "m", "{}");
    stet_checkpoint_opts o = {.name = stet_str("five"), .at = at_seq(5)};
    assert_status(stet_checkpoint_set(t->s, stet_str("m"), &o, NULL, &err),
                  STET_OK, &err);
    o = (stet_checkpoint_opts){.name = stet_str("nine"), .at = at_seq(9)};
    assert_status(stet_checkpoint_set(t->s, stet_str("m"), &o, NULL, &err),
                  STET_OK, &err);
    o = (stet_checkpoint_opts){.name = stet_str("end")};
    assert_status(stet_checkpoint_set(t->s, stet_str("m"), &o, NULL, &err),
                  STET_OK, &err);
    static const struct {
        const char *id;
        uint64_t seq;
        uint64_t transitions;
        bool is_snapshot;
    } want[] = {
        {"1", 1, 1, true},       {"@five", 5, 5, false}, {"9", 9, 9, true},
        {"@nine", 9, 9, false},  {"17", 17, 17, true},   {"21", 21, 20, true},
        {"@end", 21, 20, false},
    };
    stet_recovery_points *list = NULL;
    const stet_recovery_point *p = NULL;
    assert_status(
        stet_recovery_points_open(t->s, stet_str("m"), 0, &list, &err), STET_OK,
        &err);
    for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
        assert_status(stet_recovery_points_next(list, &p, &err), STET_OK, &err);
        assert_string_equal(p->recovery_id, want[i].id);
        assert_int_equal(p->seq, want[i].seq);
        assert_int_equal(p->transition_count, want[i].transitions);
        assert_int_equal(p->is_snapshot, want[i].is_snapshot);
        assert_true(p->timestamp >= STORE_CLOCK);
    }
    assert_status(stet_recovery_points_next(list, &p, &err), STET_DONE, &err);
    stet_recovery_points_close(list);
    assert_status(
        stet_recovery_points_open(t->s, stet_str("none"), 0, &list, &err),
        STET_E_NOT_FOUND, &err);
}

/* Every lack of memory is told, and nothing is left behind. */
static void test_a_lack_of_memory_is_told(void **state)
{
    (void)state;
    memdisk *disk = memdisk_create(1);
    for (size_t nth = 0;; nth++) {
        failalloc f;
        stet_error err;
        stet *s = NULL;
        failalloc_init(&f, 0);
        stet_opts o = STET_OPTS_INIT;
        o.flags = STET_NO_THREADS;
        o.base_events = EVERY;
        o.allocator = failalloc_allocator(&f);
        assert_status(stet__open_on(memdisk_os(disk), "stet:d", &o, &s, &err),
                      STET_OK, &err);
        for (int i = 0; nth == 0 && i < EVENTS; i++) {
            assert_status(stet_save(s, stet_str("m"), stet_str("{\"a\":1}"),
                                    NULL, NULL, &err),
                          STET_OK, &err);
        }
        static const stet_recovery_mode modes[] = {STET_RECOVER_VERSION,
                                                   STET_RECOVER_BEFORE_ERROR};
        stet_recovery_opts ro = {
            .modes = modes, .mode_count = 2, .version = stet_str("1")};
        f.nth = atomic_load(&f.calls) + nth;
        stet_recovery *r = NULL;
        stet_recovery_points *list = NULL;
        const stet_recovery_point *p = NULL;
        stet_status st = stet_recover(s, stet_str("m"), &ro, &r, &err);
        if (st == STET_OK) {
            assert_int_equal(r->status, STET_RECOVERY_SUCCESS);
            st = stet_recovery_points_open(s, stet_str("m"), 0, &list, &err);
        }
        while (st == STET_OK) {
            st = stet_recovery_points_next(list, &p, &err);
        }
        assert_true(st == STET_DONE || st == STET_E_NOMEM);
        stet_recovery_points_close(list);
        stet_recovery_free(r);
        bool is_over = nth > 0 && !f.is_hit;
        f.nth = 0;
        assert_status(stet_close(s, &err), STET_OK, &err);
        failalloc_assert_clean(&f);
        if (is_over) {
            break;
        }
    }
    memdisk_destroy(disk);
}

static int setup_memory(void **state)
{
    int rc = store_setup_memory(state);
    store_under_test *t = *state;
    store_close(t);
    t->opts.base_events = EVERY;
    store_open(t);
    return rc;
}

static int setup_embedded(void **state)
{
    int rc = store_setup_embedded(state);
    store_under_test *t = *state;
    store_close(t);
    t->opts.base_events = EVERY;
    store_open(t);
    return rc;
}

#define EMBEDDED(test)                                                         \
    {                                                                          \
#test "_on_embedded", test, setup_embedded, store_teardown, NULL       \
    }
#define BOTH(test)                                                             \
    {#test "_on_memory", test, setup_memory, store_teardown, NULL},            \
        EMBEDDED(test)

/* Who switched it off has to be told what to switch on. */
static void test_recovering_that_is_switched_off_is_refused(void **state)
{
    (void)state;
    stet_opts o = STET_OPTS_INIT;
    stet *s = NULL;
    stet_recovery *r = NULL;
    stet_error err;
    o.flags = STET_NO_RECOVERY;
    assert_int_equal(stet_open("memory:", &o, &s, NULL), STET_OK);
    assert_int_equal(
        stet_save(s, stet_str("a"), stet_str("{}"), NULL, NULL, NULL), STET_OK);
    assert_int_equal(stet_recover(s, stet_str("a"), NULL, &r, &err),
                     STET_E_UNSUPPORTED);
    assert_null(r);
    assert_non_null(strstr(err.text, "STET_NO_RECOVERY"));
    assert_int_equal(stet_close(s, NULL), STET_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(test_each_mode_reaches_its_point),
        BOTH(test_what_is_not_there_is_not_found),
        BOTH(test_before_error_is_the_seq_before_the_newest_one),
        BOTH(test_a_version_is_the_newest_state_that_has_it),
        BOTH(test_no_more_is_replayed_than_the_limit),
        BOTH(test_the_first_valid_mode_wins),
        BOTH(test_wrong_options_are_refused),
        EMBEDDED(test_damage_costs_what_folds_through_it),
        EMBEDDED(test_recovery_goes_on_past_several_damages),
        EMBEDDED(test_errors_are_looked_for_past_damage),
        EMBEDDED(test_adopting_restores_even_behind_damage),
        EMBEDDED(test_other_writes_are_refused_behind_damage),
        BOTH(test_what_was_deleted_can_be_adopted),
        EMBEDDED(test_what_was_dropped_is_said_to_be),
        BOTH(test_points_are_bases_and_checkpoints),
        cmocka_unit_test(test_a_lack_of_memory_is_told),
        cmocka_unit_test(test_recovering_that_is_switched_off_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
