/* Reducers of the application: what they may say, and where it is heard. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/store_under_test.h"

/* Adds its payload to the state, and answers what the test told it to. */
typedef struct adder {
    stet_status answer;
    char to; /* payloads that begin with this; 0: to all */
} adder;

static stet_status add_bytes(void *ctx, stet_slice state, stet_slice payload,
                             stet_output *out)
{
    const adder *a = ctx;
    stet_output_put(out, state);
    stet_output_put(out, payload);
    bool is_meant = a->to == 0 || a->to == *(const char *)payload.ptr;
    return is_meant ? a->answer : STET_OK;
}

static stet_change addition(const char *payload)
{
    return (stet_change){.verb = STET_VERB_APPEND,
                         .reducer = STET_REDUCER_CUSTOM,
                         .reducer_name = stet_str("add"),
                         .reducer_version = 1,
                         .id = stet_str("m"),
                         .payload = stet_str(payload)};
}

static void open_with(store_under_test *t, const stet_reducer_def *def)
{
    store_close(t);
    t->opts.reducers = def;
    t->opts.reducer_count = def == NULL ? 0 : 1;
    t->opts.base_events = 64;
    t->opts.cache_bytes = 4096; /* so that states are folded anew */
    store_open(t);
}

static void add_three(store_under_test *t)
{
    const char *const payloads[] = {"ab", "cd", "ef"};
    for (size_t i = 0; i < 3; i++) {
        stet_change c = addition(payloads[i]);
        (void)store_write(t, &c);
    }
}

static stet_history *walk_with_states(store_under_test *t)
{
    stet_error err = {0};
    stet_history *h = NULL;
    stet_history_opts o = {.flags = STET_HISTORY_STATES};
    assert_status(stet_history_open(t->s, stet_str("m"), &o, &h, &err), STET_OK,
                  &err);
    return h;
}

/*
 * A status is also how the library tells itself that a walk has ended or that a
 * write must be prepared again: a reducer that answers one of those would end
 * histories early.
 */
static void test_a_reducer_refuses_and_says_no_more(void **state)
{
    store_under_test *t = *state;
    adder a = {.to = 'x'};
    const stet_reducer_def def = {"add", 1, add_bytes, &a};
    open_with(t, &def);
    add_three(t);
    const struct {
        stet_status said;
        stet_status heard;
    } cases[] = {
        {STET_E_CONFLICT, STET_E_CONFLICT},
        {STET_E_NOT_FOUND, STET_E_NOT_FOUND},
        {STET_E_INVALID, STET_E_INVALID},
        {STET_E_TOO_LARGE, STET_E_TOO_LARGE},
        {STET_E_NOMEM, STET_E_NOMEM},
        {STET_DONE, STET_E_INVALID},
        {STET_E_BUSY, STET_E_INVALID},
        {STET_E_UNKNOWN, STET_E_INVALID},
        {STET_E_CORRUPT, STET_E_INVALID},
        {(stet_status)99, STET_E_INVALID},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        stet_error err = {0};
        stet_change c = addition("x");
        stet_batch b = {.changes = &c, .change_count = 1};
        a.answer = cases[i].said;
        assert_status(stet_commit(t->s, &b, NULL, &err), cases[i].heard, &err);
        assert_names(&err, "reducer add");
    }
    a.answer = STET_OK;
    store_claim_state(t, "m", "abcdef");
}

/* What was taken once is history: refusing it later hides no event of it. */
static void test_a_reducer_cannot_shorten_a_history(void **state)
{
    store_under_test *t = *state;
    adder a = {0};
    const stet_reducer_def def = {"add", 1, add_bytes, &a};
    open_with(t, &def);
    add_three(t);
    const stet_status answers[] = {STET_DONE, STET_E_NOT_FOUND, STET_E_BUSY,
                                   STET_E_INVALID};
    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
        stet_error err = {0};
        const stet_state *got = NULL;
        const stet_event *e = NULL;
        stet_read_opts third = {.at = at_seq(3)};
        a.answer = answers[i];
        assert_status(stet_load(t->s, stet_str("m"), &third, &got, &err),
                      STET_E_UNSUPPORTED, &err);
        assert_names(&err, "reducer add");
        stet_history *h = walk_with_states(t);
        assert_status(stet_history_next(h, &e, &err), STET_E_UNSUPPORTED, &err);
        stet_history_close(h);
    }
}

/* An error is not over because it was told: what follows is not made up. */
static void test_a_walk_that_cannot_go_on_says_so_each_time(void **state)
{
    store_under_test *t = *state;
    adder a = {0};
    const stet_reducer_def def = {"add", 1, add_bytes, &a};
    open_with(t, &def);
    add_three(t);
    a.answer = STET_E_NOMEM;
    stet_history *h = walk_with_states(t);
    for (int i = 0; i < 3; i++) {
        stet_error err = {0};
        const stet_event *e = NULL;
        assert_status(stet_history_next(h, &e, &err), STET_E_NOMEM, &err);
        assert_null(e);
    }
    a.answer = STET_OK;
    const char *const states[] = {"ab", "abcd", "abcdef"};
    stet_error err = {0};
    const stet_event *e = NULL;
    for (uint64_t i = 0; i < 3; i++) {
        assert_status(stet_history_next(h, &e, &err), STET_OK, &err);
        assert_int_equal(e->seq, i + 1);
        assert_says(e->state->state_data, states[i]);
    }
    assert_status(stet_history_next(h, &e, &err), STET_DONE, &err);
    stet_history_close(h);
}

/* A limit is for what is written; what is there is read. */
static void test_a_smaller_limit_reads_what_a_larger_one_wrote(void **state)
{
    store_under_test *t = *state;
    adder a = {0};
    const stet_reducer_def def = {"add", 1, add_bytes, &a};
    open_with(t, &def);
    add_three(t);
    t->opts.state_bytes_max = 5;
    open_with(t, &def);
    store_claim_state(t, "m", "abcdef");
    store_claim_state_at(t, "m", at_seq(2), "abcd");
    stet_error err = {0};
    stet_change c = addition("x");
    stet_batch b = {.changes = &c, .change_count = 1};
    assert_status(stet_commit(t->s, &b, NULL, &err), STET_E_TOO_LARGE, &err);
    assert_names(&err, "state_bytes_max");
}

/* What cannot be folded here is counted, and is no damage. */
static void test_verify_counts_what_it_cannot_fold(void **state)
{
    store_under_test *t = *state;
    adder a = {0};
    const stet_reducer_def def = {"add", 1, add_bytes, &a};
    stet_error err = {0};
    stet_verify_report report = {0};
    open_with(t, &def);
    add_three(t);
    (void)store_save(t, "n", "{}");
    assert_status(stet_verify(t->s, NULL, NULL, &report, &err), STET_OK, &err);
    assert_int_equal(report.machines, 2);
    assert_int_equal(report.unfolded, 0);
    open_with(t, NULL);
    assert_status(stet_verify(t->s, NULL, NULL, &report, &err), STET_OK, &err);
    assert_int_equal(report.machines, 1);
    assert_int_equal(report.unfolded, 1);
}

/* A name is for a point: whoever gives it need not be able to fold up to it. */
static void test_a_checkpoint_folds_nothing(void **state)
{
    store_under_test *t = *state;
    adder a = {0};
    const stet_reducer_def def = {"add", 1, add_bytes, &a};
    open_with(t, &def);
    add_three(t);
    open_with(t, NULL);
    stet_error err = {0};
    stet_checkpoint_opts o = {.name = stet_str("here")};
    assert_status(stet_checkpoint_set(t->s, stet_str("m"), &o, NULL, &err),
                  STET_OK, &err);
    open_with(t, &def);
    store_claim_state_at(t, "m", at_name("here"), "abcdef");
}

/* A fork is one append whatever it continues: nobody folds before he asks. */
static void test_a_fork_folds_nothing(void **state)
{
    store_under_test *t = *state;
    adder a = {0};
    const stet_reducer_def def = {"add", 1, add_bytes, &a};
    open_with(t, &def);
    add_three(t);
    open_with(t, NULL);
    stet_error err = {0};
    assert_status(
        stet_fork(t->s, stet_str("m"), stet_str("f"), NULL, NULL, &err),
        STET_OK, &err);
    open_with(t, &def);
    store_claim_state(t, "f", "abcdef");
}

/* What was given to open may be gone once that has returned. */
static void test_names_given_at_open_need_not_live_on(void **state)
{
    store_under_test *t = *state;
    adder a = {0};
    char name[] = "add";
    char pointers[] = "/here";
    const stet_reducer_def def = {name, 1, add_bytes, &a};
    t->opts.name_pointers = pointers;
    open_with(t, &def);
    memset(name, '?', sizeof name - 1);
    memset(pointers, '?', sizeof pointers - 1);
    add_three(t);
    store_claim_state(t, "m", "abcdef");
    (void)store_save(t, "n", "{\"here\":\"lobby\"}");
    const stet_state *got = store_load(t, "n");
    assert_says(got->current_state, "lobby");
    stet_state_release(got);
    t->opts.name_pointers = NULL;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_BOTH_STORES(test_a_reducer_refuses_and_says_no_more),
        ON_BOTH_STORES(test_a_reducer_cannot_shorten_a_history),
        ON_BOTH_STORES(test_a_walk_that_cannot_go_on_says_so_each_time),
        ON_EMBEDDED_STORE(test_a_smaller_limit_reads_what_a_larger_one_wrote),
        ON_EMBEDDED_STORE(test_a_checkpoint_folds_nothing),
        ON_EMBEDDED_STORE(test_a_fork_folds_nothing),
        ON_EMBEDDED_STORE(test_verify_counts_what_it_cannot_fold),
        ON_BOTH_STORES(test_names_given_at_open_need_not_live_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
