#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "core/flow.h"
#include "lib/failalloc.h"
#include "lib/rng.h"

static const int64_t second = 1000000000;

static stet_flow_event step(const char *id, const char *to, int64_t timestamp)
{
    return (stet_flow_event){.id = stet_str(id),
                             .to_state = stet_str(to),
                             .timestamp = timestamp,
                             .is_transition = true};
}

static const stet_flow *mine(const stet_flow_event *events, size_t count)
{
    stet_flow_miner *m = stet__flow_miner_create(&stet__heap);
    const stet_flow *flow = NULL;
    assert_non_null(m);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(stet__flow_mine(m, &events[i], NULL), STET_OK);
    }
    assert_int_equal(stet__flow_finish(m, &flow, NULL), STET_OK);
    stet__flow_miner_destroy(m);
    return flow;
}

static void assert_node(const stet_flow *flow, size_t i, const char *name,
                        uint64_t count)
{
    assert_true(i < flow->node_count);
    assert_true(stet__slice_eq(flow->nodes[i].state, stet_str(name)));
    assert_int_equal(flow->nodes[i].count, count);
}

typedef struct want_edge {
    const char *from;
    const char *to;
    uint64_t count;
    double mean_seconds;
} want_edge;

static void assert_edges(const stet_flow *flow, const want_edge *want,
                         size_t count)
{
    assert_int_equal(flow->edge_count, count);
    for (size_t i = 0; i < count; i++) {
        const stet_flow_edge *e = &flow->edges[i];
        assert_true(stet__slice_eq(e->from, stet_str(want[i].from)));
        assert_true(stet__slice_eq(e->to, stet_str(want[i].to)));
        assert_int_equal(e->count, want[i].count);
        assert_true(fabs(e->mean_seconds - want[i].mean_seconds) < 1e-9);
    }
}

/* Two rooms, played at once: each follows its own order. */
static void test_an_edge_joins_transitions_of_one_machine(void **state)
{
    (void)state;
    const stet_flow_event events[] = {
        step("room:1", "lobby", 10 * second),
        step("room:2", "lobby", 11 * second),
        step("room:1", "deal", 12 * second),
        step("room:1", "turn", 13 * second),
        step("room:2", "deal", 17 * second),
        step("room:1", "turn", 13 * second + second / 2),
    };
    const stet_flow *flow = mine(events, 6);
    assert_int_equal(flow->node_count, 3);
    assert_node(flow, 0, "deal", 2);
    assert_node(flow, 1, "lobby", 2);
    assert_node(flow, 2, "turn", 2);
    static const want_edge want[] = {{"", "lobby", 2, 0},
                                     {"deal", "turn", 1, 1},
                                     {"lobby", "deal", 2, 4},
                                     {"turn", "turn", 1, 0.5}};
    assert_edges(flow, want, 4);
    assert_int_equal(flow->machines, 2);
    assert_int_equal(flow->transitions, 6);
    assert_int_equal(flow->first_timestamp, 10 * second);
    assert_int_equal(flow->last_timestamp, 17 * second);
    stet__flow_free(flow);
}

/* The same id in two namespaces is two machines. */
static void test_namespaces_do_not_see_each_other(void **state)
{
    (void)state;
    stet_flow_event events[] = {step("m", "a", 0), step("m", "b", second),
                                step("m", "c", 2 * second)};
    events[1].ns = 1;
    const stet_flow *flow = mine(events, 3);
    static const want_edge want[] = {
        {"", "a", 1, 0}, {"", "b", 1, 0}, {"a", "c", 1, 2}};
    assert_edges(flow, want, 3);
    assert_int_equal(flow->machines, 2);
    stet__flow_free(flow);
}

/* Saves, errors and unnamed transitions are no steps of the flow. */
static void test_other_events_move_nothing(void **state)
{
    (void)state;
    stet_flow_event events[] = {
        step("m", "a", 5 * second), step("m", "x", 6 * second),
        step("m", "", 7 * second), step("m", "b", 9 * second),
        step("other", "", 1 * second)};
    events[1].is_transition = false;
    events[1].has_error = true;
    events[1].action = stet_str("not counted");
    events[3].has_error = true;
    const stet_flow *flow = mine(events, 5);
    static const want_edge want[] = {{"", "a", 1, 0}, {"a", "b", 1, 4}};
    assert_edges(flow, want, 2);
    assert_int_equal(flow->node_count, 2);
    assert_int_equal(flow->transitions, 4);
    assert_int_equal(flow->errors, 2);
    assert_int_equal(flow->machines, 2);
    assert_int_equal(flow->actions, 0);
    assert_int_equal(flow->first_timestamp, 1 * second);
    stet__flow_free(flow);
}

/* "Who did what" counts names, not events; no name is none. */
static void test_actions_and_actors_are_counted_once(void **state)
{
    (void)state;
    static const char *const names[] = {"bid", "", "pass", "bid", "bid"};
    stet_flow_event events[5];
    for (size_t i = 0; i < 5; i++) {
        events[i] = step("m", "a", 0);
        events[i].action = stet_str(names[i]);
        events[i].actor = stet_str(names[i % 2]);
    }
    const stet_flow *flow = mine(events, 5);
    assert_int_equal(flow->actions, 2);
    assert_int_equal(flow->actors, 1);
    stet__flow_free(flow);
}

/* Times reach from 1677 to 2262; sums of them must not wrap around. */
static void test_extreme_times_do_not_overflow(void **state)
{
    (void)state;
    stet_flow_event events[101];
    for (size_t i = 0; i < 101; i++) {
        events[i] = step("m", i % 2 == 0 ? "a" : "b",
                         i % 2 == 0 ? INT64_MIN : INT64_MAX);
    }
    const stet_flow *flow = mine(events, 101);
    double span = 18446744073.709551615;
    const want_edge want[] = {
        {"", "a", 1, 0}, {"a", "b", 50, span}, {"b", "a", 50, -span}};
    assert_int_equal(flow->edge_count, 3);
    for (size_t i = 0; i < 3; i++) {
        assert_true(fabs(flow->edges[i].mean_seconds - want[i].mean_seconds) <
                    1e-5);
    }
    assert_int_equal(flow->first_timestamp, INT64_MIN);
    stet__flow_free(flow);
}

/* No events, no flow, and the one difference of times is exact. */
static void test_nothing_adds_up_to_nothing(void **state)
{
    (void)state;
    const stet_flow *flow = mine(NULL, 0);
    assert_int_equal(flow->node_count, 0);
    assert_int_equal(flow->edge_count, 0);
    assert_int_equal(flow->machines, 0);
    stet__flow_free(flow);
    stet__flow_free(NULL);
    const stet_flow_event events[] = {step("m", "a", -1), step("m", "b", 1)};
    flow = mine(events, 2);
    static const want_edge want[] = {{"", "a", 1, 0}, {"a", "b", 1, 2e-9}};
    assert_edges(flow, want, 2);
    stet__flow_free(flow);
}

enum { MACHINES = 300, STATES = 40 };

/* The same numbers from a matrix: maps must not lose or mix anything up. */
static void test_many_machines_add_up_to_a_matrix(void **state)
{
    (void)state;
    static uint64_t counts[STATES + 1][STATES];
    static int64_t spans[STATES + 1][STATES];
    size_t at[MACHINES];
    int64_t since[MACHINES] = {0};
    rng r = {.state = 31};
    stet_flow_miner *m = stet__flow_miner_create(&stet__heap);
    for (size_t i = 0; i < MACHINES; i++) {
        at[i] = STATES;
    }
    for (int64_t now = 0; now < 20000; now++) {
        char id[16];
        char to[16];
        size_t who = rng_below(&r, MACHINES);
        size_t next = rng_below(&r, STATES);
        snprintf(id, sizeof id, "m%zu", who);
        snprintf(to, sizeof to, "s%02zu", next);
        stet_flow_event event = step(id, to, now * second);
        assert_int_equal(stet__flow_mine(m, &event, NULL), STET_OK);
        counts[at[who]][next]++;
        spans[at[who]][next] += at[who] == STATES ? 0 : now - since[who];
        at[who] = next;
        since[who] = now;
    }
    const stet_flow *flow = NULL;
    assert_int_equal(stet__flow_finish(m, &flow, NULL), STET_OK);
    stet__flow_miner_destroy(m);
    size_t edges = 0;
    for (size_t from = 0; from <= STATES; from++) {
        for (size_t to = 0; to < STATES; to++) {
            edges += counts[from][to] > 0 ? 1 : 0;
        }
    }
    assert_int_equal(flow->edge_count, edges);
    assert_int_equal(flow->machines, MACHINES);
    for (size_t i = 0; i < flow->edge_count; i++) {
        const stet_flow_edge *e = &flow->edges[i];
        size_t from = STATES;
        if (e->from.len > 0) {
            const char *name = e->from.ptr;
            from = (size_t)(name[1] - '0') * 10 + (size_t)(name[2] - '0');
        }
        const char *name = e->to.ptr;
        size_t to = (size_t)(name[1] - '0') * 10 + (size_t)(name[2] - '0');
        assert_int_equal(e->count, counts[from][to]);
        double mean = (double)spans[from][to] / (double)e->count;
        assert_true(fabs(e->mean_seconds - mean) < 1e-6);
        if (i > 0) {
            int order = stet__slice_cmp(e[-1].from, e->from);
            assert_true(order < 0 ||
                        (order == 0 && stet__slice_cmp(e[-1].to, e->to) < 0));
        }
    }
    stet__flow_free(flow);
}

/* A flow that lacks what did not fit into memory would be a lie. */
static void test_no_memory_gives_no_flow(void **state)
{
    (void)state;
    bool is_hit = true;
    for (size_t nth = 1; is_hit; nth++) {
        failalloc f;
        failalloc_init(&f, nth);
        stet_allocator a = failalloc_allocator(&f);
        stet_flow_miner *m = stet__flow_miner_create(&a);
        stet_status st = m == NULL ? STET_E_NOMEM : STET_OK;
        for (size_t i = 0; i < 300 && st == STET_OK; i++) {
            char id[16];
            snprintf(id, sizeof id, "m%zu", i % 100);
            stet_flow_event event = step(id, id, (int64_t)i);
            event.action = stet_str(id);
            event.actor = stet_str(id);
            st = stet__flow_mine(m, &event, NULL);
        }
        const stet_flow *flow = NULL;
        if (st == STET_OK) {
            st = stet__flow_finish(m, &flow, NULL);
        }
        stet__flow_miner_destroy(m);
        is_hit = f.is_hit;
        assert_int_equal(st, is_hit ? STET_E_NOMEM : STET_OK);
        assert_true((flow == NULL) == is_hit);
        if (flow != NULL) {
            assert_int_equal(flow->edge_count, 200);
        }
        stet__flow_free(flow);
        failalloc_assert_clean(&f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_edge_joins_transitions_of_one_machine),
        cmocka_unit_test(test_namespaces_do_not_see_each_other),
        cmocka_unit_test(test_other_events_move_nothing),
        cmocka_unit_test(test_actions_and_actors_are_counted_once),
        cmocka_unit_test(test_extreme_times_do_not_overflow),
        cmocka_unit_test(test_nothing_adds_up_to_nothing),
        cmocka_unit_test(test_many_machines_add_up_to_a_matrix),
        cmocka_unit_test(test_no_memory_gives_no_flow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
