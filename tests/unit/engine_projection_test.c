/*
 * Projections: each event counts exactly once in the state that the store
 * keeps, whoever folds it and whenever the process dies; and a rebuild leaves
 * the old state or the new one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "engine/handle.h"
#include "lib/store_under_test.h"

/* ---- folds ---- */

/* Append the event's id and seq: the state tells what was folded, and when. */
static stet_status tell_all(void *ctx, stet_slice state, const stet_event *e,
                            stet_output *out)
{
    const char *mark = ctx;
    char seq[32];
    (void)snprintf(seq, sizeof seq, "%s%llu ", mark,
                   (unsigned long long)e->seq);
    stet_output_put(out, state);
    stet_output_put(out, e->state_machine_id);
    stet_output_put(out, stet_str(seq));
    return STET_OK;
}

/* Refuse what has the action "bad", pass what has "dull". */
static stet_status tell_good(void *ctx, stet_slice state, const stet_event *e,
                             stet_output *out)
{
    if (stet__slice_eq(e->action, stet_str("bad"))) {
        return STET_E_INVALID;
    }
    return stet__slice_eq(e->action, stet_str("dull"))
               ? STET_DONE
               : tell_all(ctx, state, e, out);
}

/* What the folds of two versions put between an id and a seq. */
static char old_mark[] = ".";
static char new_mark[] = ":";

static stet_projection_def def_of(uint32_t version, uint32_t flags)
{
    return (stet_projection_def){
        .name = stet_str("all"),
        .fn = tell_all,
        .ctx = version == 1 ? old_mark : new_mark,
        .version = version,
        .flags = flags,
    };
}

static stet_projection *open_def(store_under_test *t,
                                 const stet_projection_def *def)
{
    stet_error err;
    stet_projection *p = NULL;
    assert_status(stet_projection_open(t->s, def, &p, &err), STET_OK, &err);
    return p;
}

static stet_projection *open_it(store_under_test *t, uint32_t version,
                                uint32_t flags)
{
    stet_projection_def def = def_of(version, flags);
    return open_def(t, &def);
}

static void run(stet_projection *p)
{
    stet_error err;
    bool is_more = true;
    while (is_more) {
        assert_status(stet_projection_run(p, &is_more, &err), STET_OK, &err);
    }
}

static stet_projection_info claim_made(store_under_test *t, const char *text)
{
    stet_error err;
    stet_projection_info info = {0};
    const stet_state *state = NULL;
    assert_status(
        stet_projection_load(t->s, stet_str("all"), &state, &info, &err),
        STET_OK, &err);
    assert_says(state->state_data, text);
    stet_state_release(state);
    return info;
}

static void append(store_under_test *t, const char *id, const char *action)
{
    stet_change change = {.verb = STET_VERB_APPEND,
                          .id = stet_str(id),
                          .payload = stet_str("x"),
                          .action = stet_str(action)};
    store_write(t, &change);
}

/* ---- once ---- */

/* What it is for: one state out of many machines, here and after a reopen. */
static void test_each_event_counts_once(void **state)
{
    store_under_test *t = *state;
    store_save(t, "a", "1");
    store_save(t, "b", "1");
    stet_projection *p = open_it(t, 1, 0);
    claim_made(t, "");
    run(p);
    run(p);
    assert_int_equal(claim_made(t, "a.1 b.1 ").position, 3);
    stet_projection_close(p);
    if (t->is_kept) {
        store_reopen(t);
    }
    store_save(t, "a", "2");
    p = open_it(t, 1, 0);
    claim_made(t, "a.1 b.1 ");
    run(p);
    claim_made(t, "a.1 b.1 a.2 ");
    stet_projection_close(p);
}

/* It folds what it asked for, and nothing that the store writes for itself. */
static void test_it_folds_the_events_of_its_choice(void **state)
{
    store_under_test *t = *state;
    stet_projection_def def = def_of(1, STET_PROJECTION_ALL_NAMESPACES);
    def.pattern = stet_str("b*");
    def.kinds = 1u << STET_EVENT_SAVED;
    stet_projection *p = open_def(t, &def);
    store_save(t, "a", "1");
    store_save(t, "b", "1");
    append(t, "b", "x");
    stet_change other = {.verb = STET_VERB_SAVE,
                         .ns = 9,
                         .id = stet_str("b9"),
                         .payload = stet_str("1")};
    store_write(t, &other);
    run(p);
    claim_made(t, "b.1 b9.1 ");
    uint64_t end = stet__watermark(&t->s->pipeline);
    run(p);
    assert_int_equal(stet__watermark(&t->s->pipeline), end);
    stet_projection_close(p);
}

enum { MANY = 1025 }; /* one more than a run takes */

/* As one batch; all but the last are dull. */
static void append_many(store_under_test *t)
{
    static stet_change changes[MANY];
    stet_error err;
    for (size_t i = 0; i < MANY; i++) {
        changes[i] = (stet_change){.verb = STET_VERB_APPEND,
                                   .id = stet_str("a"),
                                   .payload = stet_str("x"),
                                   .action = stet_str("dull")};
    }
    changes[MANY - 1].action = stet_str("last");
    stet_batch batch = {.changes = changes, .change_count = MANY};
    assert_status(stet_commit(t->s, &batch, NULL, &err), STET_OK, &err);
}

/* More than a run takes: it says that there is more. */
static void test_a_run_ends(void **state)
{
    store_under_test *t = *state;
    stet_error err;
    bool is_more = false;
    append_many(t);
    stet_projection_def def = def_of(1, 0);
    def.fn = tell_good;
    stet_projection *p = open_def(t, &def);
    assert_status(stet_projection_run(p, &is_more, &err), STET_OK, &err);
    assert_true(is_more);
    assert_int_equal(claim_made(t, "").position, MANY - 1);
    assert_status(stet_projection_run(p, &is_more, &err), STET_OK, &err);
    assert_false(is_more);
    claim_made(t, "a.1025 ");
    stet_projection_close(p);
}

/* A fold that refuses stands before the event; what was before it is saved. */
static void test_a_refused_event_is_tried_again(void **state)
{
    store_under_test *t = *state;
    stet_error err;
    bool is_more = false;
    append(t, "a", "good");
    append(t, "a", "bad");
    append(t, "a", "dull");
    append(t, "a", "good");
    stet_projection_def def = def_of(1, 0);
    def.fn = tell_good;
    stet_projection *p = open_def(t, &def);
    for (int i = 0; i < 2; i++) {
        assert_status(stet_projection_run(p, &is_more, &err), STET_E_INVALID,
                      &err);
        assert_names(&err, "projection all at position 2");
        assert_int_equal(claim_made(t, "a.1 ").position, 1);
    }
    stet_projection_close(p);
    def.fn = tell_all; /* mended, and of the same meaning */
    p = open_def(t, &def);
    run(p);
    claim_made(t, "a.1 a.2 a.3 a.4 ");
    stet_projection_close(p);
}

/* A state has a limit, and what is below it is kept. */
static void test_a_state_that_grows_too_large_is_refused(void **state)
{
    store_under_test *t = *state;
    stet_error err;
    store_close(t);
    t->opts.state_bytes_max = 8;
    store_open(t);
    stet_projection *p = open_it(t, 1, 0);
    for (int i = 0; i < 3; i++) {
        append(t, "a", "x"); /* four bytes each */
    }
    assert_status(stet_projection_run(p, NULL, &err), STET_E_TOO_LARGE, &err);
    claim_made(t, "a.1 a.2 ");
    stet_projection_close(p);
}

/* ---- who folds ---- */

/* Who is told OK finds his write in it. */
static void test_an_inline_projection_has_what_was_acknowledged(void **state)
{
    store_under_test *t = *state;
    stet_error err;
    stet_projection *p = open_it(t, 1, STET_PROJECTION_INLINE);
    store_save(t, "a", "1");
    claim_made(t, "a.1 ");
    stet_change two[2] = {
        {.verb = STET_VERB_APPEND,
         .id = stet_str("b"),
         .action = stet_str("x")},
        {.verb = STET_VERB_APPEND,
         .id = stet_str("c"),
         .action = stet_str("x")},
    };
    stet_batch batch = {.changes = two, .change_count = 2};
    assert_status(stet_commit(t->s, &batch, NULL, &err), STET_OK, &err);
    claim_made(t, "a.1 b.1 c.1 ");
    assert_status(stet_save_many(t->s, two, 2, NULL, NULL, &err), STET_OK,
                  &err);
    claim_made(t, "a.1 b.1 c.1 b.2 c.2 ");
    stet_projection_close(p);
    store_save(t, "a", "2");
    claim_made(t, "a.1 b.1 c.1 b.2 c.2 ");
}

/* A fold that fails takes nothing back from the writer. */
static void test_a_write_is_ok_whatever_an_inline_fold_says(void **state)
{
    store_under_test *t = *state;
    stet_error err;
    stet_projection_def def = def_of(1, STET_PROJECTION_INLINE);
    def.fn = tell_good;
    stet_projection *p = open_def(t, &def);
    append(t, "a", "bad");
    append(t, "a", "good");
    claim_made(t, "");
    assert_status(stet_projection_run(p, NULL, &err), STET_E_INVALID, &err);
    stet_projection_close(p);
}

/* Without threads stet_step is the background. */
static void test_a_step_folds_in_the_background(void **state)
{
    store_under_test *t = *state;
    stet_error err;
    bool is_more = true;
    store_close(t);
    t->opts.flags = STET_NO_THREADS;
    store_open(t);
    stet_projection *p = open_it(t, 1, STET_PROJECTION_BACKGROUND);
    store_save(t, "a", "1");
    claim_made(t, "");
    while (is_more) {
        assert_status(stet_step(t->s, &is_more, &err), STET_OK, &err);
    }
    claim_made(t, "a.1 ");
    stet_projection_close(p);
}

enum { WRITERS = 3, ROUNDS = 40 };

typedef struct writer {
    store_under_test *t;
    uint64_t thread;
    char id[4];
    bool is_right;
} writer;

static void write_some(void *ctx)
{
    writer *w = ctx;
    w->is_right = true;
    for (uint64_t i = 1; i <= ROUNDS; i++) {
        w->is_right =
            w->is_right && stet_append(w->t->s, stet_str(w->id), stet_str("x"),
                                       NULL, NULL, NULL) == STET_OK;
    }
}

/* Count events, and claim that each machine's come in order. */
typedef struct tally {
    uint64_t seqs[WRITERS];
    _Atomic uint64_t count;
    _Atomic bool is_wrong;
} tally;

static stet_status count_one(void *ctx, stet_slice state, const stet_event *e,
                             stet_output *out)
{
    (void)state;
    tally *n = ctx;
    size_t idx = (size_t)(((const char *)e->state_machine_id.ptr)[1] - '0');
    if (e->seq != n->seqs[idx]++ + 1) {
        atomic_store(&n->is_wrong, true);
    }
    char text[24];
    (void)snprintf(text, sizeof text, "%llu",
                   (unsigned long long)(atomic_fetch_add(&n->count, 1) + 1));
    stet_output_put(out, stet_str(text));
    return STET_OK;
}

static void write_at_once(store_under_test *t)
{
    writer writers[WRITERS];
    for (size_t i = 0; i < WRITERS; i++) {
        writers[i] = (writer){.t = t, .id = {'w', (char)('0' + i), '\0'}};
        assert_int_equal(t->os.thread_start(&t->os, write_some, &writers[i],
                                            &writers[i].thread),
                         0);
    }
    for (size_t i = 0; i < WRITERS; i++) {
        t->os.thread_join(&t->os, writers[i].thread);
        assert_true(writers[i].is_right);
    }
}

/* Those who fold for each other fold nothing twice, and in order. */
static void test_many_writers_fold_each_event_once(void **state)
{
    store_under_test *t = *state;
    const uint32_t flags[] = {STET_PROJECTION_INLINE,
                              STET_PROJECTION_BACKGROUND};
    for (size_t i = 0; i < 2; i++) {
        tally n = {{0}, 0, false};
        stet_projection_def def = def_of(1, flags[i]);
        def.fn = count_one;
        def.ctx = &n;
        for (size_t k = 0; k < WRITERS; k++) {
            n.seqs[k] = 0;
        }
        stet_projection *p = open_def(t, &def);
        if (i == 1) {
            stet_error err;
            assert_status(stet_projection_rebuild(p, &err), STET_OK, &err);
        }
        write_at_once(t);
        run(p); /* the background may have some before it */
        char want[24];
        (void)snprintf(want, sizeof want, "%zu",
                       (i + 1) * (size_t)(WRITERS * ROUNDS));
        claim_made(t, want);
        assert_false(atomic_load(&n.is_wrong));
        stet_projection_close(p);
    }
}

/* ---- rebuilding ---- */

/* Another fold is not mixed with what the old one made. */
static void test_another_version_asks_for_a_rebuild(void **state)
{
    store_under_test *t = *state;
    stet_error err;
    stet_projection *p = open_it(t, 1, 0);
    store_save(t, "a", "1");
    run(p);
    stet_projection_close(p);
    stet_projection_def other = def_of(2, 0);
    assert_status(stet_projection_open(t->s, &other, &p, &err), STET_E_CONFLICT,
                  &err);
    assert_names(&err, "rebuild it");
    other = def_of(1, 0);
    other.pattern = stet_str("b");
    assert_status(stet_projection_open(t->s, &other, &p, &err), STET_E_CONFLICT,
                  &err);
    p = open_it(t, 2, STET_PROJECTION_REBUILD);
    stet_projection_info info = claim_made(t, "a.1 ");
    assert_int_equal(info.version, 1);
    assert_int_equal(info.rebuild_version, 2);
    stet_projection_close(p);
    p = open_it(t, 2, 0); /* it was begun: it goes on */
    run(p);
    info = claim_made(t, "a:1 ");
    assert_int_equal(info.version, 2);
    assert_int_equal(info.rebuild_version, 0);
    stet_projection_close(p);
}

/* Who changes his mind gets the old one, and no rest of the new. */
static void test_the_old_fold_ends_a_rebuild_by_the_new_one(void **state)
{
    store_under_test *t = *state;
    stet_projection *p = open_it(t, 1, 0);
    store_save(t, "a", "1");
    run(p);
    stet_projection_close(p);
    stet_projection_close(open_it(t, 2, STET_PROJECTION_REBUILD));
    p = open_it(t, 1, 0);
    store_save(t, "a", "2");
    run(p);
    assert_int_equal(claim_made(t, "a.1 a.2 ").rebuild_version, 0);
    stet_projection_close(p);
}

/* Rebuild by the second version until it is done or the disk dies. */
static stet_status rebuild(store_under_test *t)
{
    stet_projection_def def = def_of(2, STET_PROJECTION_REBUILD);
    stet_projection *p = NULL;
    bool is_more = true;
    def.fn = tell_good;
    stet_status st = stet_projection_open(t->s, &def, &p, NULL);
    while (st == STET_OK && is_more) {
        st = stet_projection_run(p, &is_more, NULL);
    }
    stet_projection_close(p);
    return st;
}

/* Have a power cut at the nth step of a rebuild; false: it has not so many. */
static bool cut_rebuild(store_under_test *t, unsigned nth)
{
    stet_projection_def def = def_of(1, 0);
    def.fn = tell_good;
    store_init_simulated(t);
    store_open(t);
    append_many(t);
    append(t, "b", "good");
    stet_projection *p = open_def(t, &def);
    run(p);
    stet_projection_close(p);
    memdisk_die_at(t->disk, nth);
    bool is_done = rebuild(t) == STET_OK;
    bool is_over = !memdisk_is_dead(t->disk);
    assert_true(is_done || !is_over);
    store_abandon(t);
    memdisk_die_at(t->disk, 0);
    memdisk_crash(t->disk, true);
    store_open(t);
    return !is_over;
}

/* At any step there is the old state or the new one, whole, and a way on. */
static void test_a_crash_in_a_rebuild_leaves_the_old_or_the_new(void **state)
{
    (void)state;
    bool has_more = true;
    unsigned left[4] = {0}; /* by version, and whether a rebuild is on */
    for (unsigned nth = 1; has_more; nth++) {
        store_under_test t;
        stet_error err;
        stet_projection_info info = {0};
        const stet_state *made = NULL;
        has_more = cut_rebuild(&t, nth);
        assert_status(
            stet_projection_load(t.s, stet_str("all"), &made, &info, &err),
            STET_OK, &err);
        assert_says(made->state_data,
                    info.version == 1 ? "a.1025 b.1 " : "a:1025 b:1 ");
        stet_state_release(made);
        left[(info.version - 1) * 2 + (info.rebuild_version != 0)]++;
        append(&t, "c", "good");
        assert_int_equal(rebuild(&t), STET_OK);
        claim_made(&t, "a:1025 b:1 c:1 ");
        store_deinit(&t);
    }
    /* Before it, in it and behind it; the new one is never still on. */
    assert_true(left[0] > 0 && left[1] > 0 && left[2] > 0);
    assert_int_equal(left[3], 0);
}

/* Killed between folding and saving, or after it: no event counts twice. */
static void test_a_crash_counts_nothing_twice(void **state)
{
    (void)state;
    for (unsigned nth = 1;; nth++) {
        store_under_test t;
        store_init_simulated(&t);
        store_open(&t);
        stet_projection *p = open_it(&t, 1, STET_PROJECTION_INLINE);
        memdisk_die_at(t.disk, nth);
        stet_status st = STET_OK;
        for (int i = 0; i < 3 && st == STET_OK; i++) {
            st = stet_append(t.s, stet_str("a"), stet_str("x"), NULL, NULL,
                             NULL);
        }
        stet_projection_close(p);
        bool is_over = !memdisk_is_dead(t.disk);
        store_abandon(&t);
        memdisk_die_at(t.disk, 0);
        memdisk_crash(t.disk, true);
        store_open(&t);
        p = open_it(&t, 1, 0);
        run(p);
        char want[32] = "";
        uint64_t seq = 0;
        stet_status there = stet_exists(t.s, stet_str("a"), NULL, &seq, NULL);
        assert_true(there == STET_OK || there == STET_E_NOT_FOUND);
        for (uint64_t i = 1; i <= seq; i++) {
            (void)snprintf(want + strlen(want), sizeof want - strlen(want),
                           "a.%llu ", (unsigned long long)i);
        }
        claim_made(&t, want);
        stet_projection_close(p);
        store_deinit(&t);
        if (is_over) {
            break;
        }
    }
}

/* ---- who may, and what there is ---- */

/* Nothing that makes no sense is taken for something else. */
static void test_what_makes_no_sense_is_refused(void **state)
{
    store_under_test *t = *state;
    stet_error err;
    stet_projection *p = NULL;
    stet_projection_def wrong[6];
    for (size_t i = 0; i < 6; i++) {
        wrong[i] = def_of(1, 0);
    }
    wrong[0].fn = NULL;
    wrong[1].version = 0;
    wrong[2].name = stet_str("");
    wrong[3].flags = STET_PROJECTION_INLINE | STET_PROJECTION_BACKGROUND;
    wrong[4].flags = 1u << 4;
    wrong[5].pattern = stet_str("[");
    for (size_t i = 0; i < 6; i++) {
        assert_status(stet_projection_open(t->s, &wrong[i], &p, &err),
                      STET_E_INVALID, &err);
    }
    const stet_state *made = NULL;
    assert_status(
        stet_projection_load(t->s, stet_str("all"), &made, NULL, &err),
        STET_E_NOT_FOUND, &err);
    assert_status(stet_projection_delete(t->s, stet_str("all"), &err),
                  STET_E_NOT_FOUND, &err);
    p = open_it(t, 1, 0);
    stet_projection *other = NULL;
    stet_projection_def def = def_of(1, 0);
    assert_status(stet_projection_open(t->s, &def, &other, &err), STET_E_LOCKED,
                  &err);
    assert_status(stet_projection_delete(t->s, stet_str("all"), &err),
                  STET_E_LOCKED, &err);
    stet_projection_close(p);
}

/* What is deleted is gone with its rebuild; what is left is listed. */
static void test_projections_are_listed_until_they_are_deleted(void **state)
{
    store_under_test *t = *state;
    stet_error err;
    stet_projections *list = NULL;
    const stet_projection_info *info = NULL;
    stet_projection_def def = def_of(3, 0);
    def.name = stet_str("other");
    stet_projection_close(open_it(t, 1, 0));
    stet_projection_close(open_it(t, 2, STET_PROJECTION_REBUILD));
    stet_projection_close(open_def(t, &def));
    assert_status(stet_projections_open(t->s, &list, &err), STET_OK, &err);
    assert_status(stet_projections_next(list, &info, &err), STET_OK, &err);
    assert_says(info->name, "all");
    assert_int_equal(info->version, 1);
    assert_int_equal(info->rebuild_version, 2);
    assert_status(stet_projections_next(list, &info, &err), STET_OK, &err);
    assert_says(info->name, "other");
    assert_int_equal(info->version, 3);
    assert_status(stet_projections_next(list, &info, &err), STET_DONE, &err);
    stet_projections_close(list);
    assert_status(stet_projection_delete(t->s, stet_str("all"), &err), STET_OK,
                  &err);
    stet_projection_close(open_it(t, 4, 0));
    assert_int_equal(claim_made(t, "").rebuild_version, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_BOTH_STORES(test_each_event_counts_once),
        ON_BOTH_STORES(test_it_folds_the_events_of_its_choice),
        ON_BOTH_STORES(test_a_run_ends),
        ON_BOTH_STORES(test_a_refused_event_is_tried_again),
        ON_BOTH_STORES(test_a_state_that_grows_too_large_is_refused),
        ON_BOTH_STORES(test_an_inline_projection_has_what_was_acknowledged),
        ON_BOTH_STORES(test_a_write_is_ok_whatever_an_inline_fold_says),
        ON_BOTH_STORES(test_a_step_folds_in_the_background),
        ON_BOTH_STORES(test_many_writers_fold_each_event_once),
        ON_BOTH_STORES(test_another_version_asks_for_a_rebuild),
        ON_BOTH_STORES(test_the_old_fold_ends_a_rebuild_by_the_new_one),
        cmocka_unit_test(test_a_crash_in_a_rebuild_leaves_the_old_or_the_new),
        cmocka_unit_test(test_a_crash_counts_nothing_twice),
        ON_BOTH_STORES(test_what_makes_no_sense_is_refused),
        ON_BOTH_STORES(test_projections_are_listed_until_they_are_deleted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
