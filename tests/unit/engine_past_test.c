/* Reading: any point of any history, walks in both directions, lists. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "lib/store_under_test.h"

static uint64_t save_at(store_under_test *t, const char *id, const char *text,
                        int64_t time)
{
    stet_change c = {.verb = STET_VERB_SAVE,
                     .id = stet_str(id),
                     .payload = stet_str(text),
                     .timestamp = time};
    return store_write(t, &c);
}

static uint64_t fork_at(store_under_test *t, const char *parent, stet_at at,
                        const char *id)
{
    stet_error err = {0};
    stet_fork_opts o = {.at = at};
    stet_written w = {0};
    assert_status(stet_fork(t->s, stet_str(parent), stet_str(id), &o, &w, &err),
                  STET_OK, &err);
    return w.seq;
}

/* ---- times ---- */

/* As-of is a prefix of the history: never a state that was not there once. */
static void test_as_of_is_the_longest_prefix_without_later_events(void **state)
{
    store_under_test *t = *state;
    (void)save_at(t, "m", "1 at 100", 100);
    (void)save_at(t, "m", "2 at 300", 300);
    (void)save_at(t, "m", "3 at 200, late", 200);
    (void)save_at(t, "m", "4 at 400", 400);
    (void)save_at(t, "m", "5 at 350, late", 350);
    store_claim_missing_at(t, "m", at_time(99));
    store_claim_state_at(t, "m", at_time(100), "1 at 100");
    store_claim_state_at(t, "m", at_time(250), "1 at 100");
    store_claim_state_at(t, "m", at_time(299), "1 at 100");
    store_claim_state_at(t, "m", at_time(300), "3 at 200, late");
    store_claim_state_at(t, "m", at_time(399), "3 at 200, late");
    store_claim_state_at(t, "m", at_time(400), "5 at 350, late");
}

/* Of two events at one time the one with the greater seq is the answer. */
static void test_of_two_events_at_one_time_the_later_seq_counts(void **state)
{
    store_under_test *t = *state;
    (void)save_at(t, "m", "first", 100);
    (void)save_at(t, "m", "second", 100);
    (void)save_at(t, "m", "third", 101);
    store_claim_state_at(t, "m", at_time(100), "second");
}

/* The store's own clock rises with every frame, whatever the system's does. */
static void test_recorded_times_rise_and_find_what_was_held(void **state)
{
    store_under_test *t = *state;
    int64_t recorded[4];
    for (uint64_t i = 0; i < 4; i++) {
        char text[8];
        (void)snprintf(text, sizeof text, "%d", (int)i);
        (void)save_at(t, "m", text, 1000 - (int64_t)i);
        atomic_fetch_add(&t->clock, i == 1 ? -3600000000000 : 1000000);
        const stet_state *got = store_load(t, "m");
        recorded[i] = got->recorded_at;
        assert_true(i == 0 || recorded[i] > recorded[i - 1]);
        stet_state_release(got);
    }
    store_claim_missing_at(t, "m", at_recorded(recorded[0] - 1));
    store_claim_state_at(t, "m", at_recorded(recorded[0]), "0");
    store_claim_state_at(t, "m", at_recorded(recorded[1] - 1), "0");
    store_claim_state_at(t, "m", at_recorded(recorded[2]), "2");
    store_claim_state_at(t, "m", at_recorded(INT64_MAX), "3");
}

/* A position is a cut through all machines. */
static void test_a_position_shows_all_machines_as_they_were_then(void **state)
{
    store_under_test *t = *state;
    (void)store_save(t, "a", "1");
    (void)store_save(t, "b", "2");
    (void)store_save(t, "a", "3");
    store_claim_missing_at(t, "a", at_position(0));
    store_claim_state_at(t, "a", at_position(1), "1");
    store_claim_missing_at(t, "b", at_position(1));
    store_claim_state_at(t, "a", at_position(2), "1");
    store_claim_state_at(t, "b", at_position(2), "2");
    store_claim_state_at(t, "a", at_position(99), "3");
}

/* A seq is exactly that one, or none: never a neighbour. */
static void test_a_seq_that_is_not_there_is_not_found(void **state)
{
    store_under_test *t = *state;
    (void)store_save(t, "m", "1");
    store_claim_missing_at(t, "m", at_seq(0));
    store_claim_missing_at(t, "m", at_seq(2));
    store_claim_missing_at(t, "other", at_seq(1));
    stet_error err = {0};
    stet_read_opts o = {.at = at_seq(2)};
    const stet_state *got = NULL;
    assert_status(stet_load(t->s, stet_str("m"), &o, &got, &err),
                  STET_E_NOT_FOUND, &err);
    assert_names(&err, "m has no seq 2");
    o.at.kind = (stet_at_kind)6;
    assert_status(stet_load(t->s, stet_str("m"), &o, &got, &err),
                  STET_E_INVALID, &err);
    assert_names(&err, "point of kind 6");
}

/* ---- forks ---- */

/* A fork shares what was before it, and goes its own way from there. */
static void test_a_fork_shares_its_past_and_not_its_future(void **state)
{
    store_under_test *t = *state;
    (void)save_at(t, "m", "1", 100);
    (void)save_at(t, "m", "2", 200);
    (void)save_at(t, "m", "3", 300);
    assert_int_equal(fork_at(t, "m", at_seq(2), "f"), 3);
    store_claim_state(t, "f", "2");
    assert_int_equal(store_save(t, "f", "f4"), 4);
    assert_int_equal(store_save(t, "m", "4"), 4);
    store_claim_state_at(t, "f", at_seq(1), "1");
    store_claim_state_at(t, "f", at_seq(3), "2");
    store_claim_state_at(t, "f", at_time(150), "1");
    store_claim_state_at(t, "f", at_time(350), "2"); /* m is at 3 by then */
    store_claim_state_at(t, "f", at_position(1), "1");
    const stet_state *got = store_load_at(t, "f", at_seq(1));
    assert_says(got->state_machine_id, "f");
    assert_int_equal(got->created_at, 100);
    stet_state_release(got);
}

/* A fork may begin at any point, also one that its parent inherited. */
static void test_a_fork_of_a_fork_begins_at_any_point(void **state)
{
    store_under_test *t = *state;
    (void)save_at(t, "m", "1", 100);
    (void)save_at(t, "m", "2", 200);
    (void)fork_at(t, "m", at_time(199), "f");
    store_claim_state(t, "f", "1");
    (void)store_save(t, "f", "f3");
    (void)fork_at(t, "f", at_seq(3), "g");
    store_claim_state(t, "g", "f3");
    assert_int_equal(fork_at(t, "g", at_seq(1), "h"), 2);
    store_claim_state(t, "h", "1");
    assert_int_equal(store_save(t, "h", "h3"), 3);
    store_claim_state_at(t, "h", at_position(1), "1");
    store_claim_missing_at(t, "h", at_position(0));
    store_claim_state(t, "m", "2");
}

/* There is nothing to begin from, or the id is taken: nothing is stored. */
static void test_a_fork_needs_a_state_and_a_new_id(void **state)
{
    store_under_test *t = *state;
    (void)store_save(t, "m", "1");
    (void)store_save(t, "taken", "x");
    stet_error err = {0};
    assert_status(stet_delete(t->s, stet_str("m"), NULL, NULL, &err), STET_OK,
                  &err);
    const struct {
        const char *parent;
        stet_at at;
        const char *id;
        stet_status st;
        const char *named;
    } cases[] = {
        {"m", {0}, "f", STET_E_NOT_FOUND, "m has no state at seq 2"},
        {"m", at_seq(2), "f", STET_E_NOT_FOUND, "m has no state at seq 2"},
        {"m", at_seq(3), "f", STET_E_NOT_FOUND, "m has no seq 3"},
        {"none", {0}, "f", STET_E_NOT_FOUND, "none is not there"},
        {"taken", {0}, "taken", STET_E_EXISTS, "taken is there"},
        {"taken", {0}, "m", STET_E_EXISTS, "m was used before"},
        {"taken", {0}, "a\n", STET_E_INVALID, "id a?"},
        {"\n", {0}, "f", STET_E_INVALID, "id ?"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        stet_fork_opts o = {.at = cases[i].at};
        assert_status(stet_fork(t->s, stet_str(cases[i].parent),
                                stet_str(cases[i].id), &o, NULL, &err),
                      cases[i].st, &err);
        assert_names(&err, cases[i].named);
    }
    store_claim_missing(t, "f");
    assert_int_equal(fork_at(t, "m", at_seq(1), "f"), 2); /* the past serves */
}

/* A fork is an event like others: it has an author, and a key of its own. */
static void test_a_fork_says_who_made_it_and_is_made_once(void **state)
{
    store_under_test *t = *state;
    stet_error err = {0};
    stet_change c = {.verb = STET_VERB_SAVE,
                     .ns = 7,
                     .id = stet_str("m"),
                     .payload = stet_str("{\"turn\":1}")};
    (void)store_write(t, &c);
    stet_fork_opts o = {.at = at_seq(1)};
    o.write.key = stet_str("once");
    o.write.more = (stet_change){.ns = 7,
                                 .actor_id = stet_str("ada"),
                                 .metadata = stet_str("{\"why\":\"test\"}"),
                                 .version = stet_str("2.0.0"),
                                 .timestamp = 5};
    for (int i = 0; i < 2; i++) {
        stet_written w = {0};
        assert_status(
            stet_fork(t->s, stet_str("m"), stet_str("f"), &o, &w, &err),
            STET_OK, &err);
        assert_int_equal(w.seq, 2);
        assert_int_equal(w.is_repeat, i == 1);
    }
    stet_history_opts own = {.from_seq = 2, .ns = 7};
    stet_history *h = NULL;
    const stet_event *e = NULL;
    assert_status(stet_history_open(t->s, stet_str("f"), &own, &h, &err),
                  STET_OK, &err);
    assert_status(stet_history_next(h, &e, &err), STET_OK, &err);
    assert_int_equal(e->kind, STET_EVENT_FORKED);
    assert_says(e->actor_id, "ada");
    assert_says(e->metadata, "{\"why\":\"test\"}");
    assert_int_equal(e->timestamp, 5);
    assert_status(stet_history_next(h, &e, &err), STET_DONE, &err);
    stet_history_close(h);
    const stet_state *got = NULL;
    stet_read_opts newest = {.ns = 7};
    assert_status(stet_load(t->s, stet_str("f"), &newest, &got, &err), STET_OK,
                  &err);
    assert_says(got->state_data, "{\"turn\":1}");
    assert_says(got->version, "2.0.0");
    stet_state_release(got);
}

/*
 * Where "the newest" is moves on between a lost answer and its retry; the retry
 * says the same all the same, and is answered so.
 */
static void test_a_fork_by_a_moving_point_is_repeated(void **state)
{
    store_under_test *t = *state;
    stet_error err = {0};
    stet_written first = {0};
    stet_written again = {0};
    (void)store_save(t, "m", "1");
    stet_fork_opts o = {.write.key = stet_str("once")};
    const stet_slice m = stet_str("m");
    const stet_slice f = stet_str("f");
    assert_status(stet_fork(t->s, m, f, &o, &first, &err), STET_OK, &err);
    assert_int_equal(first.seq, 2);
    for (int i = 0; i < 2; i++) {
        if (i == 0) {
            (void)store_save(t, "m", "2");
        } else {
            assert_status(stet_delete(t->s, m, NULL, NULL, &err), STET_OK,
                          &err);
        }
        if (t->is_kept) {
            store_reopen(t);
        }
        assert_status(stet_fork(t->s, m, f, &o, &again, &err), STET_OK, &err);
        assert_true(again.is_repeat);
        assert_int_equal(again.seq, first.seq);
        assert_int_equal(again.position, first.position);
    }
    store_claim_state(t, "f", "1");
    o.at = at_time(store_now(t)); /* named otherwise: something else is meant */
    assert_status(stet_fork(t->s, m, f, &o, &again, &err), STET_E_INVALID,
                  &err);
    assert_names(&err, "used for other content");
}

/* What lies behind options of another size is another caller's. */
static void test_options_of_writes_have_this_librarys_size(void **state)
{
    store_under_test *t = *state;
    stet_error err = {0};
    (void)store_save(t, "m", "1");
    assert_status(
        stet_checkpoint_set(t->s, stet_str("m"),
                            &(stet_checkpoint_opts){.name = stet_str("here")},
                            NULL, &err),
        STET_OK, &err);
    stet_fork_opts fork = {.struct_size = sizeof fork - 8};
    stet_write_opts write = {.struct_size = sizeof write - 8};
    stet_batch batch = {.struct_size = sizeof batch - 8};
    assert_status(
        stet_fork(t->s, stet_str("m"), stet_str("f"), &fork, NULL, &err),
        STET_E_UNSUPPORTED, &err);
    assert_status(
        stet_save(t->s, stet_str("m"), stet_str("2"), &write, NULL, &err),
        STET_E_UNSUPPORTED, &err);
    assert_status(stet_checkpoint_restore(t->s, stet_str("m"), stet_str("here"),
                                          &write, NULL, &err),
                  STET_E_UNSUPPORTED, &err);
    assert_status(stet_commit(t->s, &batch, NULL, &err), STET_E_UNSUPPORTED,
                  &err);
    store_claim_missing(t, "f");
    store_claim_missing_at(t, "m", at_seq(2));
}

/* ---- walks ---- */

static void claim_walk(store_under_test *t, const char *id, stet_history_opts o,
                       const char *seqs)
{
    stet_error err = {0};
    stet_history *h = NULL;
    const stet_event *e = NULL;
    char text[64] = "";
    size_t len = 0;
    assert_status(stet_history_open(t->s, stet_str(id), &o, &h, &err), STET_OK,
                  &err);
    stet_status st = stet_history_next(h, &e, &err);
    for (; st == STET_OK; st = stet_history_next(h, &e, &err)) {
        len +=
            (size_t)snprintf(text + len, sizeof text - len, "%d ", (int)e->seq);
    }
    assert_status(st, STET_DONE, &err);
    assert_status(stet_history_next(h, &e, &err), STET_DONE, &err);
    assert_string_equal(text, seqs);
    stet_history_close(h);
}

/* Bounds are half-open seqs; limit and direction cut what lies in them. */
static void test_a_history_is_walked_in_any_piece_and_direction(void **state)
{
    store_under_test *t = *state;
    for (int i = 0; i < 5; i++) {
        (void)store_save(t, "m", "{}");
    }
    const uint32_t back = STET_HISTORY_NEWEST_FIRST;
    claim_walk(t, "m", (stet_history_opts){0}, "1 2 3 4 5 ");
    claim_walk(t, "m", (stet_history_opts){.flags = back}, "5 4 3 2 1 ");
    claim_walk(t, "m", (stet_history_opts){.from_seq = 2, .to_seq = 4}, "2 3 ");
    claim_walk(t, "m",
               (stet_history_opts){.from_seq = 2, .to_seq = 4, .flags = back},
               "3 2 ");
    claim_walk(t, "m", (stet_history_opts){.limit = 2}, "1 2 ");
    claim_walk(t, "m", (stet_history_opts){.limit = 2, .flags = back}, "5 4 ");
    claim_walk(t, "m", (stet_history_opts){.from_seq = 6}, "");
    claim_walk(t, "m", (stet_history_opts){.from_seq = 4, .to_seq = 2}, "");
    claim_walk(t, "m", (stet_history_opts){.to_seq = 99}, "1 2 3 4 5 ");
}

/* A walk is as of when it was opened; a deleted machine has one, too. */
static void test_a_walk_shows_what_was_there_when_it_was_opened(void **state)
{
    store_under_test *t = *state;
    stet_error err = {0};
    (void)store_save(t, "m", "1");
    assert_status(stet_delete(t->s, stet_str("m"), NULL, NULL, &err), STET_OK,
                  &err);
    stet_history *h = NULL;
    const stet_event *e = NULL;
    stet_history_opts o = {.flags = STET_HISTORY_STATES};
    assert_status(stet_history_open(t->s, stet_str("m"), &o, &h, &err), STET_OK,
                  &err);
    (void)store_save(t, "m", "3");
    assert_status(stet_history_next(h, &e, &err), STET_OK, &err);
    assert_int_equal(e->kind, STET_EVENT_SAVED);
    assert_says(e->state->state_data, "1");
    assert_status(stet_history_next(h, &e, &err), STET_OK, &err);
    assert_int_equal(e->kind, STET_EVENT_DELETED);
    assert_null(e->state);
    assert_status(stet_history_next(h, &e, &err), STET_DONE, &err);
    stet_history_close(h);
    assert_status(stet_history_open(t->s, stet_str("none"), NULL, &h, &err),
                  STET_E_NOT_FOUND, &err);
    assert_names(&err, "none is not there");
}

/* ---- lists ---- */

static void claim_keys(store_under_test *t, stet_keys_opts o, const char *ids)
{
    stet_error err = {0};
    stet_keys *keys = NULL;
    const stet_key *key = NULL;
    char text[128] = "";
    size_t len = 0;
    assert_status(stet_keys_open(t->s, &o, &keys, &err), STET_OK, &err);
    stet_status st = stet_keys_next(keys, &key, &err);
    for (; st == STET_OK; st = stet_keys_next(keys, &key, &err)) {
        len += (size_t)snprintf(text + len, sizeof text - len, "%.*s%s ",
                                (int)key->id.len, (const char *)key->id.ptr,
                                key->is_deleted ? "-" : "");
    }
    assert_status(st, STET_DONE, &err);
    assert_string_equal(text, ids);
    stet_keys_close(keys);
}

/* Listing is by bytes, so that a cursor of one call serves the next. */
static void test_ids_are_listed_by_glob_in_order_from_a_cursor(void **state)
{
    store_under_test *t = *state;
    static const char *const ids[] = {"room:9", "room:10", "Room:1", "a", "z"};
    stet_error err = {0};
    for (size_t i = 0; i < 5; i++) {
        (void)store_save(t, ids[i], "{}");
    }
    assert_status(stet_delete(t->s, stet_str("a"), NULL, NULL, &err), STET_OK,
                  &err);
    stet_change c = {
        .verb = STET_VERB_SAVE, .id = stet_str("elsewhere"), .ns = 9};
    (void)store_write(t, &c);
    claim_keys(t, (stet_keys_opts){0}, "Room:1 room:10 room:9 z ");
    claim_keys(t, (stet_keys_opts){.with_deleted = true},
               "Room:1 a- room:10 room:9 z ");
    claim_keys(t, (stet_keys_opts){.pattern = stet_str("room:*")},
               "room:10 room:9 ");
    claim_keys(t, (stet_keys_opts){.pattern = stet_str("[rR]oom:?")},
               "Room:1 room:9 ");
    claim_keys(t, (stet_keys_opts){.after = stet_str("room:10"), .limit = 1},
               "room:9 ");
    claim_keys(t, (stet_keys_opts){.ns = 9}, "elsewhere ");
    claim_keys(t, (stet_keys_opts){.ns = 254}, "");

    stet_keys *keys = NULL;
    stet_keys_opts bad = {.pattern = stet_str("[a")};
    assert_status(stet_keys_open(t->s, &bad, &keys, &err), STET_E_INVALID,
                  &err);
    assert_names(&err, "pattern [a");
    bad = (stet_keys_opts){.ns = 255};
    assert_status(stet_keys_open(t->s, &bad, &keys, &err), STET_E_INVALID,
                  &err);
    assert_names(&err, "namespace 255");
}

/* Many loads in one call: what is missing is told apart from what failed. */
static void test_load_many_lends_all_or_nothing(void **state)
{
    store_under_test *t = *state;
    (void)store_save(t, "a", "1");
    (void)store_save(t, "b", "2");
    const stet_slice ids[] = {stet_str("a"), stet_str("none"), stet_str("b"),
                              stet_str("")};
    const stet_state *states[4] = {0};
    stet_error err = {0};
    assert_status(stet_load_many(t->s, ids, 3, NULL, states, &err), STET_OK,
                  &err);
    assert_says(states[0]->state_data, "1");
    assert_null(states[1]);
    assert_says(states[2]->state_data, "2");
    stet_state_release(states[0]);
    stet_state_release(states[2]);
    const stet_slice bad_second[] = {ids[0], ids[3], ids[2], ids[1]};
    memset(states, 0xff, sizeof states); /* as what is not set may be */
    assert_status(stet_load_many(t->s, bad_second, 4, NULL, states, &err),
                  STET_E_INVALID, &err);
    assert_names(&err, "the id is empty");
    for (size_t i = 0; i < 4; i++) {
        assert_null(states[i]);
    }
}

/* ---- comparing ---- */

/* Each thing that an event says can be where two runs part. */
static void test_histories_part_where_any_word_or_state_differs(void **state)
{
    store_under_test *t = *state;
    stet_change same = {.verb = STET_VERB_APPEND,
                        .id = stet_str("a"),
                        .payload = stet_str("p"),
                        .timestamp = 5};
    stet_change other[10];
    for (size_t i = 0; i < 10; i++) {
        other[i] = same;
    }
    other[1].payload = stet_str("q");
    other[2].metadata = stet_str("{}");
    other[3].action = stet_str("x");
    other[4].correlation_id = stet_str("x");
    other[5].event_id = stet_str("x");
    other[6].duration_ns = 1;
    other[7].type = STET_TYPE_TIMEOUT;
    other[8].flags = STET_CHANGE_PHASE;
    other[9].machine_metadata = stet_str("{}");
    (void)store_write(t, &same);
    (void)store_write(t, &same);
    stet_error err = {0};
    for (size_t i = 0; i < 10; i++) {
        char id[8];
        (void)snprintf(id, sizeof id, "b%zu", i);
        stet_change first = same;
        first.id = stet_str(id);
        other[i].id = stet_str(id);
        (void)store_write(t, &first);
        (void)store_write(t, &other[i]);
        uint64_t parts_at = 99;
        assert_status(
            stet_compare(t->s, stet_str("a"), stet_str(id), 0, &parts_at, &err),
            STET_OK, &err);
        assert_int_equal(parts_at, i == 0 ? 0 : 2);
    }
    uint64_t parts_at = 0;
    (void)store_write(t, &same);
    assert_status(
        stet_compare(t->s, stet_str("b0"), stet_str("a"), 0, &parts_at, &err),
        STET_OK, &err);
    assert_int_equal(parts_at, 3); /* only one goes on */
    assert_status(
        stet_compare(t->s, stet_str("a"), stet_str("none"), 0, &parts_at, &err),
        STET_E_NOT_FOUND, &err);
    assert_names(&err, "none");
}

static void claim_diff(store_under_test *t, uint64_t a, uint64_t b,
                       const char *text)
{
    stet_error err = {0};
    const stet_state *x = store_load_at(t, "m", at_seq(a));
    const stet_state *y = store_load_at(t, "m", at_seq(b));
    stet_buffer made = {0};
    assert_status(stet_diff(x, y, &made, &err), STET_OK, &err);
    assert_says(stet_slice_of(made.ptr, made.len), text);
    stet_buffer_free(&made);
    stet_buffer_free(&made); /* accepts an empty one */
    stet_state_release(x);
    stet_state_release(y);
}

/* A diff of JSON is a patch that leads from one to the other. */
static void test_a_diff_leads_from_one_state_to_another(void **state)
{
    store_under_test *t = *state;
    (void)store_save(t, "m", "{\"a\":1,\"b\":2}");
    (void)store_save(t, "m", "{\"a\":1,\"b\":3}");
    (void)store_save(t, "m", "abcde");
    (void)store_save(t, "m", "abXde");
    claim_diff(t, 1, 2, "[{\"op\":\"replace\",\"path\":\"/b\",\"value\":3}]");
    claim_diff(t, 1, 1, "[]");
    claim_diff(t, 3, 4,
               "{\"bytes_before\":5,\"bytes_after\":5,\"first_difference\":2,"
               "\"common_suffix\":2}");
}

/* ---- lending ---- */

/* A state that was lent is the reader's, whatever the store does meanwhile. */
static void test_a_lent_state_stays_as_it_is_until_released(void **state)
{
    store_under_test *t = *state;
    (void)store_save(t, "m", "first");
    const stet_state *first = store_load(t, "m");
    const stet_state *again = stet_state_ref(first);
    for (int i = 0; i < 100; i++) {
        (void)store_save(t, "m", "other");
    }
    assert_says(first->state_data, "first");
    uint8_t hash[32];
    stet_state_hash(first, hash);
    assert_int_equal(hash[0], 0xa7); /* SHA-256 of "first" */
    assert_int_equal(hash[31], 0x8e);
    store_close(t);
    assert_says(first->state_data, "first");
    assert_says(first->state_machine_id, "m");
    stet_state_release(first);
    assert_says(again->state_data, "first");
    stet_state_release(again);
    stet_state_release(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_BOTH_STORES(test_as_of_is_the_longest_prefix_without_later_events),
        ON_BOTH_STORES(test_of_two_events_at_one_time_the_later_seq_counts),
        ON_BOTH_STORES(test_recorded_times_rise_and_find_what_was_held),
        ON_BOTH_STORES(test_a_position_shows_all_machines_as_they_were_then),
        ON_BOTH_STORES(test_a_seq_that_is_not_there_is_not_found),
        ON_BOTH_STORES(test_a_fork_shares_its_past_and_not_its_future),
        ON_BOTH_STORES(test_a_fork_of_a_fork_begins_at_any_point),
        ON_BOTH_STORES(test_a_fork_needs_a_state_and_a_new_id),
        ON_BOTH_STORES(test_a_fork_says_who_made_it_and_is_made_once),
        ON_BOTH_STORES(test_a_fork_by_a_moving_point_is_repeated),
        ON_BOTH_STORES(test_options_of_writes_have_this_librarys_size),
        ON_BOTH_STORES(test_a_history_is_walked_in_any_piece_and_direction),
        ON_BOTH_STORES(test_a_walk_shows_what_was_there_when_it_was_opened),
        ON_BOTH_STORES(test_ids_are_listed_by_glob_in_order_from_a_cursor),
        ON_BOTH_STORES(test_load_many_lends_all_or_nothing),
        ON_BOTH_STORES(test_histories_part_where_any_word_or_state_differs),
        ON_BOTH_STORES(test_a_diff_leads_from_one_state_to_another),
        ON_BOTH_STORES(test_a_lent_state_stays_as_it_is_until_released),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
