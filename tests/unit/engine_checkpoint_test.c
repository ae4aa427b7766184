/* Checkpoints: names for points, of one machine and of the whole store. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "base/timetext.h"
#include "lib/store_under_test.h"

static stet_status set(store_under_test *t, const char *id, const char *name,
                       stet_at at, stet_error *err)
{
    stet_checkpoint_opts o = {.name = stet_str(name), .at = at};
    return stet_checkpoint_set(t->s, stet_str(id), &o, NULL, err);
}

static void must_set(store_under_test *t, const char *id, const char *name)
{
    stet_error err = {0};
    assert_status(set(t, id, name, (stet_at){0}, &err), STET_OK, &err);
}

/* A name leads to its point as long as it is there; loading changes nothing. */
static void test_a_checkpoint_leads_to_its_point(void **state)
{
    store_under_test *t = *state;
    (void)store_save(t, "m", "1");
    must_set(t, "m", "first");
    (void)store_save(t, "m", "2");
    stet_error err = {0};
    assert_status(set(t, "m", "also first", at_seq(1), &err), STET_OK, &err);
    (void)store_save(t, "m", "3");
    store_claim_state_at(t, "m", at_name("first"), "1");
    store_claim_state_at(t, "m", at_name("also first"), "1");
    store_claim_state(t, "m", "3");
    assert_status(stet_delete(t->s, stet_str("m"), NULL, NULL, &err), STET_OK,
                  &err);
    store_claim_state_at(t, "m", at_name("first"), "1");
    assert_int_equal(store_save(t, "m", "5"), 5);
    assert_status(
        stet_checkpoint_delete(t->s, stet_str("m"), 0, stet_str("first"), &err),
        STET_OK, &err);
    store_claim_missing_at(t, "m", at_name("first"));
    store_claim_state_at(t, "m", at_seq(1), "1");
    assert_status(
        stet_checkpoint_delete(t->s, stet_str("m"), 0, stet_str("first"), &err),
        STET_E_NOT_FOUND, &err);
    assert_names(&err, "m has no checkpoint first");
}

/* Without a name it is called by the time, as people look for it. */
static void test_the_default_name_is_the_time(void **state)
{
    store_under_test *t = *state;
    stet_error err = {0};
    stet_checkpoint_name name = {{0}};
    (void)store_save(t, "m", "1");
    atomic_store(&t->tick, 0);
    atomic_store(&t->clock, STORE_CLOCK + 1500000000);
    assert_status(stet_checkpoint_set(t->s, stet_str("m"), NULL, &name, &err),
                  STET_OK, &err);
    assert_string_equal(name.text, "checkpoint_2026-01-01T00:00:01.500Z");
    store_claim_state_at(t, "m", at_name(name.text), "1");
}

/* A name is not moved by accident. */
static void test_a_taken_name_is_moved_only_on_demand(void **state)
{
    store_under_test *t = *state;
    stet_error err = {0};
    (void)store_save(t, "m", "1");
    must_set(t, "m", "name");
    (void)store_save(t, "m", "2");
    assert_status(set(t, "m", "name", (stet_at){0}, &err), STET_E_EXISTS, &err);
    assert_names(&err, "checkpoint name is taken");
    store_claim_state_at(t, "m", at_name("name"), "1");
    stet_checkpoint_opts o = {.name = stet_str("name"), .is_replace = true};
    assert_status(stet_checkpoint_set(t->s, stet_str("m"), &o, NULL, &err),
                  STET_OK, &err);
    store_claim_state_at(t, "m", at_name("name"), "2");
}

/* Another machine, namespace or the store may use the same name. */
static void test_each_machine_has_its_own_names(void **state)
{
    store_under_test *t = *state;
    (void)store_save(t, "a", "a1");
    (void)store_save(t, "ab", "ab1");
    must_set(t, "", "name");
    (void)store_save(t, "a", "a2");
    must_set(t, "a", "name");
    (void)store_save(t, "a", "a3");
    (void)store_save(t, "ab", "ab2");
    store_claim_state_at(t, "a", at_name("name"), "a2");   /* its own first */
    store_claim_state_at(t, "ab", at_name("name"), "ab1"); /* the store's */
    stet_error err = {0};
    stet_read_opts o = {.at = at_name("name"), .ns = 3};
    const stet_state *got = NULL;
    stet_change c = {.verb = STET_VERB_SAVE, .id = stet_str("a"), .ns = 3};
    (void)store_write(t, &c);
    assert_status(stet_load(t->s, stet_str("a"), &o, &got, &err),
                  STET_E_NOT_FOUND, &err); /* not there at the store's cut */
}

/* A whole store's checkpoint is one cut: what came later is not there. */
static void test_a_cut_of_the_whole_store_is_consistent(void **state)
{
    store_under_test *t = *state;
    stet_error err = {0};
    (void)store_save(t, "a", "a1");
    (void)store_save(t, "b", "b1");
    must_set(t, "", "cut");
    (void)store_save(t, "a", "a2");
    (void)store_save(t, "c", "c1");
    assert_status(stet_delete(t->s, stet_str("b"), NULL, NULL, &err), STET_OK,
                  &err);
    assert_status(set(t, "", "early", at_position(1), &err), STET_OK, &err);
    store_claim_state_at(t, "a", at_name("cut"), "a1");
    store_claim_state_at(t, "b", at_name("cut"), "b1");
    store_claim_missing_at(t, "c", at_name("cut"));
    store_claim_state_at(t, "a", at_name("early"), "a1");
    store_claim_missing_at(t, "b", at_name("early"));
    assert_status(set(t, "", "no", at_seq(1), &err), STET_E_INVALID, &err);
    assert_names(&err, "a cut of the whole store is at a position");
    assert_status(set(t, "", "no", at_position(1000), &err), STET_E_INVALID,
                  &err);
}

/* What is told of a checkpoint: VOCABULARY's turn_number and history_size. */
static void test_a_listing_tells_where_each_name_points(void **state)
{
    store_under_test *t = *state;
    stet_error err = {0};
    (void)store_save(t, "other", "x");
    (void)store_save(t, "m", "1");
    (void)store_save(t, "m", "2");
    stet_checkpoint_opts o = {.name = stet_str("b"),
                              .metadata = stet_str("{\"why\":[1, null]}"),
                              .at = at_seq(1)};
    assert_status(stet_checkpoint_set(t->s, stet_str("m"), &o, NULL, &err),
                  STET_OK, &err);
    must_set(t, "m", "a");
    must_set(t, "m", "gone");
    must_set(t, "other", "c");
    assert_status(
        stet_checkpoint_delete(t->s, stet_str("m"), 0, stet_str("gone"), &err),
        STET_OK, &err);
    stet_checkpoints *list = NULL;
    const stet_checkpoint *got = NULL;
    assert_status(stet_checkpoints_open(t->s, stet_str("m"), 0, &list, &err),
                  STET_OK, &err);
    assert_status(stet_checkpoints_next(list, &got, &err), STET_OK, &err);
    assert_says(got->name, "a");
    assert_says(got->state_machine_id, "m");
    assert_says(got->metadata, "");
    assert_int_equal(got->turn_number, 2);
    assert_int_equal(got->history_size, 2);
    assert_int_equal(got->position, 3);
    assert_true(got->created_at > STORE_CLOCK);
    assert_status(stet_checkpoints_next(list, &got, &err), STET_OK, &err);
    assert_says(got->name, "b");
    assert_says(got->metadata, "{\"why\":[1,null]}");
    assert_int_equal(got->turn_number, 1);
    assert_int_equal(got->position, 2);
    assert_status(stet_checkpoints_next(list, &got, &err), STET_DONE, &err);
    stet_checkpoints_close(list);
    stet_checkpoints_close(NULL);
}

/* Going back is one more event: what happened since stays in the history. */
static void test_restore_is_one_restored_event(void **state)
{
    store_under_test *t = *state;
    stet_change c = {.verb = STET_VERB_SAVE,
                     .id = stet_str("m"),
                     .payload = stet_str("{\"turn\":1}"),
                     .to_state = stet_str("play"),
                     .state_type = stet_str("cards"),
                     .version = stet_str("1.0.0"),
                     .machine_metadata = stet_str("{\"v\":1}")};
    (void)store_write(t, &c);
    must_set(t, "m", "good");
    c.payload = stet_str("{\"turn\":2}");
    c.to_state = stet_str("over");
    c.state_type = stet_str("dice");
    c.version = stet_str("2.0.0");
    c.machine_metadata = stet_str("{\"v\":2}");
    (void)store_write(t, &c);

    stet_error err = {0};
    stet_written w = {0};
    stet_write_opts o = {.more = {.actor_id = stet_str("admin"),
                                  .expect = {STET_EXPECT_EXACT, 2}}};
    assert_status(stet_checkpoint_restore(t->s, stet_str("m"), stet_str("good"),
                                          &o, &w, &err),
                  STET_OK, &err);
    assert_int_equal(w.seq, 3);
    const stet_state *got = store_load(t, "m");
    assert_says(got->state_data, "{\"turn\":1}");
    assert_says(got->current_state, "play");
    assert_says(got->state_type, "cards");
    assert_says(got->version, "1.0.0");
    assert_says(got->metadata, "{\"v\":1}");
    stet_state_release(got);
    store_claim_state_at(t, "m", at_seq(2), "{\"turn\":2}");
    stet_history_opts ho = {.from_seq = 3};
    stet_history *h = NULL;
    const stet_event *e = NULL;
    assert_status(stet_history_open(t->s, stet_str("m"), &ho, &h, &err),
                  STET_OK, &err);
    assert_status(stet_history_next(h, &e, &err), STET_OK, &err);
    assert_int_equal(e->kind, STET_EVENT_RESTORED);
    assert_says(e->actor_id, "admin");
    assert_status(stet_history_next(h, &e, &err), STET_DONE, &err);
    stet_history_close(h);
    assert_status(stet_checkpoint_restore(t->s, stet_str("m"), stet_str("good"),
                                          &o, &w, &err),
                  STET_E_CONFLICT, &err);
}

static void claim_bare(store_under_test *t)
{
    const stet_state *got = store_load(t, "m");
    assert_says(got->state_data, "{\"turn\":1}");
    assert_says(got->current_state, "");
    assert_says(got->state_type, "");
    assert_says(got->version, "");
    assert_says(got->metadata, "");
    stet_state_release(got);
}

/* As it was then means also: without what was not said of it yet. */
static void test_restore_clears_what_was_not_there_then(void **state)
{
    store_under_test *t = *state;
    stet_error err = {0};
    (void)store_save(t, "m", "{\"turn\":1}");
    must_set(t, "m", "bare");
    stet_change c = {.verb = STET_VERB_SAVE,
                     .id = stet_str("m"),
                     .payload = stet_str("{\"turn\":2,\"phase\":\"play\"}"),
                     .state_type = stet_str("cards"),
                     .version = stet_str("1.0.0"),
                     .machine_metadata = stet_str("{\"v\":1}")};
    (void)store_write(t, &c);
    assert_status(stet_checkpoint_restore(t->s, stet_str("m"), stet_str("bare"),
                                          NULL, NULL, &err),
                  STET_OK, &err);
    claim_bare(t);
    if (t->is_kept) {
        store_reopen(t); /* from its record, not from memory */
        claim_bare(t);
    }
    stet_keys *keys = NULL;
    const stet_key *key = NULL;
    assert_status(stet_keys_open(t->s, NULL, &keys, &err), STET_OK, &err);
    assert_status(stet_keys_next(keys, &key, &err), STET_OK, &err);
    assert_says(key->current_state, "");
    stet_keys_close(keys);
    stet_change step = {.verb = STET_VERB_APPEND, .id = stet_str("m")};
    (void)store_write(t, &step);
    claim_bare(t); /* and it stays so */
    store_claim_state_at(t, "m", at_seq(2), "{\"turn\":2,\"phase\":\"play\"}");
}

/* A name in the state's bytes is no name of the state, unless it was one. */
static void test_restore_takes_the_name_and_looks_for_none(void **state)
{
    store_under_test *t = *state;
    stet_error err = {0};
    stet_change c = {.verb = STET_VERB_TRANSITION,
                     .id = stet_str("m"),
                     .to_state = stet_str("over")};
    (void)store_save(t, "m", "{\"phase\":\"play\"}");
    (void)store_write(t, &c); /* the bytes still say "play" */
    must_set(t, "m", "end");
    c.to_state = stet_str("again");
    (void)store_write(t, &c);
    assert_status(stet_checkpoint_restore(t->s, stet_str("m"), stet_str("end"),
                                          NULL, NULL, &err),
                  STET_OK, &err);
    const stet_state *got = store_load(t, "m");
    assert_says(got->current_state, "over");
    assert_says(got->state_data, "{\"phase\":\"play\"}");
    stet_state_release(got);
    stet_change bare = {.verb = STET_VERB_RESTORE,
                        .id = stet_str("m"),
                        .payload = stet_str("{\"phase\":\"play\"}")};
    (void)store_write(t, &bare);
    got = store_load(t, "m");
    assert_says(got->current_state, "");
    stet_state_release(got);
}

/* A deleted machine comes back, and one can go on from a name by a fork. */
static void test_going_on_from_a_checkpoint_is_a_restore_or_a_fork(void **s)
{
    store_under_test *t = *s;
    stet_error err = {0};
    (void)store_save(t, "m", "1");
    must_set(t, "m", "name");
    (void)store_save(t, "m", "2");
    assert_status(stet_delete(t->s, stet_str("m"), NULL, NULL, &err), STET_OK,
                  &err);
    stet_fork_opts o = {.at = at_name("name")};
    assert_status(stet_fork(t->s, stet_str("m"), stet_str("f"), &o, NULL, &err),
                  STET_OK, &err);
    store_claim_state(t, "f", "1");
    assert_status(stet_checkpoint_restore(t->s, stet_str("m"), stet_str("name"),
                                          NULL, NULL, &err),
                  STET_OK, &err);
    store_claim_state(t, "m", "1");
    const stet_state *got = store_load(t, "m");
    assert_int_equal(got->seq, 4);
    stet_state_release(got);
    assert_status(stet_checkpoint_restore(t->s, stet_str("m"), stet_str("no"),
                                          NULL, NULL, &err),
                  STET_E_NOT_FOUND, &err);
    assert_names(&err, "m has no checkpoint no");
}

/* A key answers as the first time, also when the name is not there any more. */
static void test_a_repeated_fork_needs_its_point_no_more(void **s)
{
    store_under_test *t = *s;
    stet_error err = {0};
    stet_written first = {0};
    stet_written again = {0};
    (void)store_save(t, "m", "1");
    must_set(t, "m", "name");
    stet_fork_opts o = {.at = at_name("name")};
    o.write.key = stet_str("once");
    assert_status(
        stet_fork(t->s, stet_str("m"), stet_str("f"), &o, &first, &err),
        STET_OK, &err);
    assert_status(
        stet_checkpoint_delete(t->s, stet_str("m"), 0, stet_str("name"), &err),
        STET_OK, &err);
    assert_status(
        stet_fork(t->s, stet_str("m"), stet_str("f"), &o, &again, &err),
        STET_OK, &err);
    assert_int_equal(again.position, first.position);
    assert_true(again.is_repeat);
    assert_status(stet_fork(t->s, stet_str("m"), stet_str("g"), &o, NULL, &err),
                  STET_E_INVALID, &err);
    assert_names(&err, "other content");
    o.write.key = stet_str("another");
    assert_status(stet_fork(t->s, stet_str("m"), stet_str("g"), &o, NULL, &err),
                  STET_E_NOT_FOUND, &err);
    assert_names(&err, "name");
    assert_status(stet_fork(t->s, stet_str("m"), stet_str("g"), &o, NULL, NULL),
                  STET_E_NOT_FOUND, NULL);
}

/* What could not be read back later is refused now. */
static void test_names_and_metadata_of_checkpoints_are_checked(void **state)
{
    store_under_test *t = *state;
    stet_error err = {0};
    char text[300];
    memset(text, 'n', sizeof text);
    (void)store_save(t, "m", "1");
    static const char *const names[] = {"a\nb", "\xff", "\x7f"};
    for (size_t i = 0; i < 3; i++) {
        assert_status(set(t, "m", names[i], (stet_at){0}, &err), STET_E_INVALID,
                      &err);
        assert_names(&err, "a checkpoint's name");
    }
    stet_checkpoint_opts o = {.name = stet_slice_of(text, 256)};
    assert_status(stet_checkpoint_set(t->s, stet_str("m"), &o, NULL, &err),
                  STET_E_INVALID, &err);
    o.name.len = 255;
    static const char *const metadata[] = {"{", "1,\"seq\":2", "no JSON", "{}}",
                                           "\"\\ud800\""};
    for (size_t i = 0; i < 5; i++) {
        o.metadata = stet_str(metadata[i]);
        assert_status(stet_checkpoint_set(t->s, stet_str("m"), &o, NULL, &err),
                      STET_E_INVALID, &err);
        assert_names(&err, "metadata");
    }
    /* As deep as JSON may be here: it is kept one level deeper. */
    char deep[2 * STET_JSON_DEPTH_MAX + 1] = "";
    memset(deep, '[', STET_JSON_DEPTH_MAX);
    memset(deep + STET_JSON_DEPTH_MAX, ']', STET_JSON_DEPTH_MAX);
    o.metadata = stet_str(deep);
    stet_status st = stet_checkpoint_set(t->s, stet_str("m"), &o, NULL, &err);
    assert_status(st, STET_E_TOO_LARGE, &err);
    o.metadata = stet_slice_of(deep + 1, sizeof deep - 3);
    assert_status(stet_checkpoint_set(t->s, stet_str("m"), &o, NULL, &err),
                  STET_OK, &err);
    stet_read_opts at = {.at = {.kind = STET_AT_CHECKPOINT, .name = o.name}};
    const stet_state *got = NULL;
    assert_status(stet_load(t->s, stet_str("m"), &at, &got, &err), STET_OK,
                  &err);
    stet_state_release(got);
}

/* The longest id with the longest name still makes a key of the store's. */
static void test_the_longest_id_takes_the_longest_name(void **state)
{
    store_under_test *t = *state;
    stet_error err = {0};
    char id[256] = "";
    char name[256] = "";
    memset(id, 'i', 255);
    memset(name, 'n', 255);
    (void)store_save(t, id, "1");
    must_set(t, id, name);
    store_claim_state_at(t, id, at_name(name), "1");
    stet_checkpoints *list = NULL;
    const stet_checkpoint *got = NULL;
    assert_status(stet_checkpoints_open(t->s, stet_str(id), 0, &list, &err),
                  STET_OK, &err);
    assert_status(stet_checkpoints_next(list, &got, &err), STET_OK, &err);
    assert_says(got->name, name);
    stet_checkpoints_close(list);
}

/* There is no point to name: nothing is stored under the name. */
static void test_a_checkpoint_of_nothing_is_refused(void **state)
{
    store_under_test *t = *state;
    stet_error err = {0};
    assert_status(set(t, "none", "name", (stet_at){0}, &err), STET_E_NOT_FOUND,
                  &err);
    assert_names(&err, "none is not there");
    (void)store_save(t, "m", "1");
    assert_status(set(t, "m", "name", at_seq(2), &err), STET_E_NOT_FOUND, &err);
    assert_status(stet_delete(t->s, stet_str("m"), NULL, NULL, &err), STET_OK,
                  &err);
    assert_status(set(t, "m", "name", (stet_at){0}, &err), STET_E_NOT_FOUND,
                  &err);
    store_claim_missing_at(t, "m", at_name("name"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_BOTH_STORES(test_a_checkpoint_leads_to_its_point),
        ON_BOTH_STORES(test_the_default_name_is_the_time),
        ON_BOTH_STORES(test_a_taken_name_is_moved_only_on_demand),
        ON_BOTH_STORES(test_each_machine_has_its_own_names),
        ON_BOTH_STORES(test_a_cut_of_the_whole_store_is_consistent),
        ON_BOTH_STORES(test_a_listing_tells_where_each_name_points),
        ON_BOTH_STORES(test_restore_is_one_restored_event),
        ON_BOTH_STORES(test_restore_clears_what_was_not_there_then),
        ON_BOTH_STORES(test_restore_takes_the_name_and_looks_for_none),
        ON_BOTH_STORES(test_going_on_from_a_checkpoint_is_a_restore_or_a_fork),
        ON_BOTH_STORES(test_a_repeated_fork_needs_its_point_no_more),
        ON_BOTH_STORES(test_names_and_metadata_of_checkpoints_are_checked),
        ON_BOTH_STORES(test_the_longest_id_takes_the_longest_name),
        ON_BOTH_STORES(test_a_checkpoint_of_nothing_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
