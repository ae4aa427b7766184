/* Batches: all or nothing, conditions, idempotency keys. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "engine/handle.h"
#include "lib/store_under_test.h"

static stet_change save_of(const char *id, const char *text)
{
    return (stet_change){
        .verb = STET_VERB_SAVE, .id = stet_str(id), .payload = stet_str(text)};
}

static uint64_t events(store_under_test *t)
{
    stet_error err = {0};
    stet_info info = {0};
    assert_status(stet_get_info(t->s, &info, &err), STET_OK, &err);
    return info.events;
}

/* ---- all or nothing ---- */

/* One change that cannot be is enough: the store is as it was. */
static void test_a_batch_is_stored_wholly_or_not_at_all(void **state)
{
    store_under_test *t = *state;
    (void)store_save(t, "list", "[]");
    stet_change bad[6] = {
        {.verb = STET_VERB_UPDATE,
         .id = stet_str("list"),
         .payload = stet_str("{}")},
        {.verb = STET_VERB_PATCH,
         .id = stet_str("x"),
         .payload = stet_str("[{\"op\":\"remove\",\"path\":\"/a\"}]")},
        {.verb = STET_VERB_CREATE, .id = stet_str("list")},
        {.verb = STET_VERB_DELETE, .id = stet_str("none")},
        {.verb = STET_VERB_SAVE,
         .id = stet_str("list"),
         .expect = {STET_EXPECT_EXACT, 2}},
        {.verb = STET_VERB_FORK,
         .id = stet_str("f"),
         .parent = stet_str("none"),
         .parent_seq = 1},
    };
    const stet_status want[6] = {STET_E_INVALID,  STET_E_INVALID,
                                 STET_E_EXISTS,   STET_E_NOT_FOUND,
                                 STET_E_CONFLICT, STET_E_NOT_FOUND};
    for (size_t i = 0; i < 6; i++) {
        stet_error err = {0};
        stet_change c[3] = {save_of("a", "1"), bad[i], save_of("b", "2")};
        stet_batch b = {.changes = c, .change_count = 3};
        assert_status(stet_commit(t->s, &b, NULL, &err), want[i], &err);
        store_claim_missing(t, "a");
        store_claim_missing(t, "b");
        assert_int_equal(events(t), 1);
    }
}

/* Several changes of one machine build on each other, in order. */
static void test_changes_of_one_machine_follow_each_other(void **state)
{
    store_under_test *t = *state;
    stet_change c[5] = {
        {.verb = STET_VERB_CREATE,
         .id = stet_str("m"),
         .payload = stet_str("{\"a\":1,\"phase\":\"p\"}")},
        {.verb = STET_VERB_UPDATE,
         .id = stet_str("m"),
         .payload = stet_str("{\"b\":2}")},
        {.verb = STET_VERB_PATCH,
         .id = stet_str("m"),
         .payload =
             stet_str("[{\"op\":\"move\",\"from\":\"/b\",\"path\":\"/c\"}]")},
        {.verb = STET_VERB_TRANSITION,
         .id = stet_str("m"),
         .to_state = stet_str("q")},
        {.verb = STET_VERB_DELETE, .id = stet_str("m")},
    };
    stet_error err = {0};
    stet_written w[5];
    stet_batch b = {.changes = c, .change_count = 5};
    assert_status(stet_commit(t->s, &b, w, &err), STET_OK, &err);
    for (uint64_t i = 0; i < 5; i++) {
        assert_int_equal(w[i].seq, i + 1);
        assert_int_equal(w[i].position, i + 1);
    }
    store_claim_missing(t, "m");
    store_claim_state_at(t, "m", at_seq(4),
                         "{\"a\":1,\"phase\":\"p\",\"c\":2}");
    const stet_state *got = store_load_at(t, "m", at_seq(4));
    assert_says(got->current_state, "q");
    stet_state_release(got);
    got = store_load_at(t, "m", at_seq(3));
    assert_says(got->current_state, "p");
    stet_state_release(got);
}

/*
 * Only the first change of a machine is held to the seq it expects: of the
 * later ones nobody but the batch could know it.
 */
static void test_expectations_are_judged_against_the_store_before(void **state)
{
    store_under_test *t = *state;
    stet_error err = {0};
    stet_change c[3] = {save_of("m", "1"), save_of("m", "2"),
                        save_of("m", "3")};
    c[0].expect.kind = STET_EXPECT_NONE;
    c[1].expect = (stet_expect){STET_EXPECT_EXACT, 77};
    stet_batch b = {.changes = c, .change_count = 3};
    assert_status(stet_commit(t->s, &b, NULL, &err), STET_OK, &err);
    store_claim_state(t, "m", "3");
    assert_status(stet_commit(t->s, &b, NULL, &err), STET_E_EXISTS, &err);
}

/* Whatever made it or deleted it before, a verb means what it says. */
static void test_no_batch_makes_or_deletes_a_machine_twice(void **state)
{
    store_under_test *t = *state;
    (void)store_save(t, "old", "0");
    const stet_slice m = stet_str("m");
    const stet_slice old = stet_str("old");
    const stet_change create = {.verb = STET_VERB_CREATE, .id = m};
    const stet_change gone = {.verb = STET_VERB_DELETE, .id = old};
    const stet_change append = {.verb = STET_VERB_APPEND, .id = m};
    const struct {
        stet_change changes[2];
        stet_status st;
        const char *named;
    } cases[] = {
        {{create, create}, STET_E_EXISTS, "m is there by a change before it"},
        {{append, create}, STET_E_EXISTS, "m is there by a change before it"},
        {{gone, gone}, STET_E_NOT_FOUND, "old is deleted by a change before"},
    };
    stet_error err = {0};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        stet_change c[3] = {save_of("a", "1"), cases[i].changes[0],
                            cases[i].changes[1]};
        stet_batch b = {.changes = c, .change_count = 3};
        assert_status(stet_commit(t->s, &b, NULL, &err), cases[i].st, &err);
        assert_names(&err, cases[i].named);
        store_claim_missing(t, "a");
        assert_int_equal(events(t), 1);
    }
    const stet_change delete = {.verb = STET_VERB_DELETE, .id = m};
    const stet_change in_turn[4] = {create, delete, create, delete};
    stet_batch b = {.changes = in_turn, .change_count = 4};
    assert_status(stet_commit(t->s, &b, NULL, &err), STET_OK, &err);
    store_claim_missing(t, "m");
}

/* A fork in a batch is a machine like any other; it must be new there, too. */
static void test_a_fork_goes_on_in_its_own_batch(void **state)
{
    store_under_test *t = *state;
    stet_error err = {0};
    (void)store_save(t, "m", "{\"a\":1}");
    stet_change c[3] = {
        {.verb = STET_VERB_FORK,
         .id = stet_str("f"),
         .parent = stet_str("m"),
         .parent_seq = 1},
        {.verb = STET_VERB_UPDATE,
         .id = stet_str("f"),
         .payload = stet_str("{\"b\":2}")},
        save_of("f", "{\"c\":3}"),
    };
    stet_batch b = {.changes = c, .change_count = 3};
    assert_status(stet_commit(t->s, &b, NULL, &err), STET_OK, &err);
    store_claim_state_at(t, "f", at_seq(1), "{\"a\":1}");
    store_claim_state_at(t, "f", at_seq(2), "{\"a\":1}");
    store_claim_state_at(t, "f", at_seq(3), "{\"a\":1,\"b\":2}");
    store_claim_state(t, "f", "{\"c\":3}");
    stet_change late[2] = {save_of("g", "1"), c[0]};
    late[1].id = stet_str("g");
    b = (stet_batch){.changes = late, .change_count = 2};
    assert_status(stet_commit(t->s, &b, NULL, &err), STET_E_EXISTS, &err);
    assert_names(&err, "g");
    store_claim_missing(t, "g");
}

/* Conditions read machines that the batch does not write. */
static void test_conditions_bind_a_batch_to_machines_it_only_reads(void **state)
{
    store_under_test *t = *state;
    stet_error err = {0};
    (void)store_save(t, "lock", "free");
    stet_change c = save_of("m", "1");
    stet_condition conditions[2] = {
        {.id = stet_str("lock"), .expect = {STET_EXPECT_EXACT, 1}},
        {.id = stet_str("none"), .expect = {STET_EXPECT_NONE, 0}},
    };
    stet_batch b = {.changes = &c,
                    .change_count = 1,
                    .conditions = conditions,
                    .condition_count = 2};
    assert_status(stet_commit(t->s, &b, NULL, &err), STET_OK, &err);
    (void)store_save(t, "lock", "held");
    assert_status(stet_commit(t->s, &b, NULL, &err), STET_E_CONFLICT, &err);
    assert_names(&err, "lock is at seq 2, not at the expected 1");
    conditions[0].expect.seq = 2;
    conditions[1].expect.kind = STET_EXPECT_EXISTS;
    assert_status(stet_commit(t->s, &b, NULL, &err), STET_E_NOT_FOUND, &err);
    assert_names(&err, "none is not there");
    conditions[1].id = stet_str("");
    assert_status(stet_commit(t->s, &b, NULL, &err), STET_E_INVALID, &err);
    const stet_state *got = store_load(t, "m");
    assert_int_equal(got->seq, 1);
    stet_state_release(got);
}

/* ---- keys ---- */

static stet_status save_keyed(store_under_test *t, const char *key,
                              const char *text, stet_written *out,
                              stet_error *err)
{
    stet_write_opts o = {.key = stet_str(key)};
    return stet_save(t->s, stet_str("m"), stet_str(text), &o, out, err);
}

/* A retry after a lost answer is safe, however late it comes. */
static void test_a_repeated_key_gives_the_first_answer_for_ever(void **state)
{
    store_under_test *t = *state;
    stet_error err = {0};
    stet_written first = {0};
    stet_written again = {0};
    assert_status(save_keyed(t, "k", "x", &first, &err), STET_OK, &err);
    assert_false(first.is_repeat);
    for (int i = 0; i < 3000; i++) { /* more than are kept in memory */
        char key[16];
        (void)snprintf(key, sizeof key, "%d", i);
        stet_change c = save_of("other", "{}");
        stet_batch b = {.changes = &c, .change_count = 1, .key = stet_str(key)};
        assert_status(stet_commit(t->s, &b, NULL, &err), STET_OK, &err);
    }
    if (t->is_kept) {
        store_reopen(t);
    }
    assert_status(save_keyed(t, "k", "x", &again, &err), STET_OK, &err);
    assert_true(again.is_repeat);
    assert_int_equal(again.seq, first.seq);
    assert_int_equal(again.position, first.position);
    assert_int_equal(events(t), 3001);
}

/* The same key for something else is a mistake that must not pass as done. */
static void test_a_key_of_other_content_is_refused(void **state)
{
    store_under_test *t = *state;
    stet_error err = {0};
    assert_status(save_keyed(t, "k", "x", NULL, &err), STET_OK, &err);
    assert_status(save_keyed(t, "k", "y", NULL, &err), STET_E_INVALID, &err);
    assert_names(&err, "the key of m was used for other content");
    stet_change c[2] = {save_of("m", "x"), save_of("m", "x")};
    stet_batch b = {.changes = c, .change_count = 2, .key = stet_str("k")};
    assert_status(stet_commit(t->s, &b, NULL, &err), STET_E_INVALID, &err);
    store_claim_state(t, "m", "x");
    assert_int_equal(events(t), 1);
}

/* Namespaces do not see each other's keys. */
static void test_keys_are_per_namespace(void **state)
{
    store_under_test *t = *state;
    stet_error err = {0};
    stet_written w = {0};
    stet_change c = save_of("m", "1");
    stet_batch b = {.changes = &c, .change_count = 1, .key = stet_str("k")};
    assert_status(stet_commit(t->s, &b, &w, &err), STET_OK, &err);
    c.ns = 1;
    c.payload = stet_str("2");
    assert_status(stet_commit(t->s, &b, &w, &err), STET_OK, &err);
    assert_false(w.is_repeat);
    assert_int_equal(events(t), 2);
}

/* A repeat does nothing, so it is not held to what the first one expected. */
static void test_a_repeat_is_not_judged_again(void **state)
{
    store_under_test *t = *state;
    stet_error err = {0};
    stet_written w[2] = {{0}};
    stet_change c[2] = {
        {.verb = STET_VERB_CREATE,
         .id = stet_str("a"),
         .payload = stet_str("{\"n\":1}")},
        {.verb = STET_VERB_PATCH,
         .id = stet_str("a"),
         .payload = stet_str("[{\"op\":\"remove\",\"path\":\"/n\"}]")},
    };
    stet_batch b = {.changes = c, .change_count = 2, .key = stet_str("k")};
    assert_status(stet_commit(t->s, &b, NULL, &err), STET_OK, &err);
    (void)store_save(t, "a", "[]");
    assert_status(stet_commit(t->s, &b, w, &err), STET_OK, &err);
    assert_true(w[0].is_repeat && w[1].is_repeat);
    assert_int_equal(w[0].seq, 1);
    assert_int_equal(w[1].seq, 2);
    store_claim_state(t, "a", "[]");
}

/*
 * The first call is under way when the second comes: it, too, hears the first
 * answer, although what it asks for cannot be done twice.
 */
static void test_a_repeat_of_a_pending_write_is_known(void **state)
{
    store_under_test *t = *state;
    stet_error err = {0};
    store_close(t);
    t->opts.flags = STET_NO_THREADS; /* so that it stays pending */
    store_open(t);
    (void)store_save(t, "m", "{\"n\":1}");
    stet_change c = {.verb = STET_VERB_PATCH,
                     .id = stet_str("m"),
                     .payload =
                         stet_str("[{\"op\":\"remove\",\"path\":\"/n\"}]")};
    stet_batch b = {.changes = &c, .change_count = 1, .key = stet_str("k")};
    stet_ticket first = {0};
    stet_ticket again = {0};
    stet_written w = {0};
    assert_status(stet_commit_async(t->s, &b, NULL, &first, &err), STET_OK,
                  &err);
    assert_int_equal(stet_ticket_status(t->s, first), STET_E_BUSY);
    assert_status(stet_commit_async(t->s, &b, &w, &again, &err), STET_OK, &err);
    assert_true(w.is_repeat);
    assert_true(again.repeat != 0);
    assert_int_equal(w.seq, 2);
    assert_int_equal(again.position, first.position);
    c.payload = stet_str("[]");
    assert_status(stet_commit(t->s, &b, &w, &err), STET_E_INVALID, &err);
}

static int asked_under_lock; /* by a store without threads */

static void *watchful_alloc(void *ctx, void *ptr, size_t old_bytes,
                            size_t new_bytes)
{
    store_under_test *t = ctx;
    asked_under_lock +=
        t->s != NULL && atomic_load(&t->s->pipeline.seq.word) != 0;
    return stet__heap.fn(stet__heap.ctx, ptr, old_bytes, new_bytes);
}

/*
 * All writers go through the sequenced section one by one, and the allocator is
 * the application's: it may take its time, and is not called there, however
 * many keys are pending.
 */
static void test_nothing_is_allocated_in_the_sequenced_section(void **state)
{
    store_under_test *t = *state;
    stet_error err = {0};
    store_close(t);
    asked_under_lock = 0;
    t->opts.flags = STET_NO_THREADS; /* so that all stay pending */
    t->opts.allocator = (stet_allocator){watchful_alloc, t};
    store_open(t);
    char key[16];
    for (int i = 0; i < 3000; i++) {
        (void)snprintf(key, sizeof key, "%d", i);
        stet_change c = save_of("m", "{}");
        stet_batch b = {.changes = &c, .change_count = 1, .key = stet_str(key)};
        stet_ticket ticket = {0};
        assert_status(stet_commit_async(t->s, &b, NULL, &ticket, &err), STET_OK,
                      &err);
    }
    for (int i = 0; i < 3000; i++) {
        (void)snprintf(key, sizeof key, "%d", i);
        stet_written w = {0};
        assert_status(save_keyed(t, key, "{}", &w, &err), STET_OK, &err);
        assert_true(w.is_repeat);
        assert_int_equal(w.seq, i + 1);
    }
    assert_int_equal(asked_under_lock, 0);
}

/* ---- many ---- */

/* Independent writes: one that cannot be does not stop the others. */
static void test_save_many_tries_each_by_itself(void **state)
{
    store_under_test *t = *state;
    stet_error err = {0};
    stet_change c[4] = {save_of("a", "1"), save_of("b", "2"), save_of("", "3"),
                        save_of("d", "4")};
    c[1].expect.kind = STET_EXPECT_EXISTS;
    stet_written w[4] = {{0}};
    stet_status each[4];
    assert_status(stet_save_many(t->s, c, 4, w, each, &err), STET_E_NOT_FOUND,
                  &err);
    assert_names(&err, "b is not there"); /* the first one's reason */
    assert_int_equal(each[0], STET_OK);
    assert_int_equal(each[1], STET_E_NOT_FOUND);
    assert_int_equal(each[2], STET_E_INVALID);
    assert_int_equal(each[3], STET_OK);
    assert_int_equal(w[0].position, 1);
    assert_int_equal(w[3].position, 2);
    store_claim_state(t, "a", "1");
    store_claim_state(t, "d", "4");
    assert_status(stet_save_many(t->s, NULL, 0, NULL, NULL, &err), STET_OK,
                  &err);
    assert_status(stet_save_many(t->s, c, 1, NULL, NULL, &err), STET_OK, &err);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_BOTH_STORES(test_a_batch_is_stored_wholly_or_not_at_all),
        ON_BOTH_STORES(test_changes_of_one_machine_follow_each_other),
        ON_BOTH_STORES(test_expectations_are_judged_against_the_store_before),
        ON_BOTH_STORES(test_no_batch_makes_or_deletes_a_machine_twice),
        ON_BOTH_STORES(test_a_fork_goes_on_in_its_own_batch),
        ON_BOTH_STORES(test_conditions_bind_a_batch_to_machines_it_only_reads),
        ON_BOTH_STORES(test_a_repeated_key_gives_the_first_answer_for_ever),
        ON_BOTH_STORES(test_a_key_of_other_content_is_refused),
        ON_BOTH_STORES(test_keys_are_per_namespace),
        ON_BOTH_STORES(test_a_repeat_is_not_judged_again),
        ON_BOTH_STORES(test_a_repeat_of_a_pending_write_is_known),
        ON_BOTH_STORES(test_nothing_is_allocated_in_the_sequenced_section),
        ON_BOTH_STORES(test_save_many_tries_each_by_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
