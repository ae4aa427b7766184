#include "core/missing.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "lib/failalloc.h"
#include "lib/rng.h"

enum { EVENTS = 300, MACHINES = 9 };

/* Some events of some machines; of each machine the seqs rise by one. */
typedef struct world {
    unsigned machine[EVENTS + 1]; /* by position, from 1 */
    uint64_t seq[EVENTS + 1];
    bool is_lost[EVENTS + 1];
    stet_stretch stretches[EVENTS];
    uint32_t count;
    uint64_t lost[EVENTS];
    size_t lost_count;
    uint32_t out[EVENTS];
} world;

static stet_status place(stet_stretch *s, uint32_t count, const uint64_t *lost,
                         size_t lost_count, uint32_t *out, stet_error *err)
{
    stet_places places = {lost, lost_count, out};
    return stet__missing_place(&stet__heap, s, count, &places, err);
}

/* What records on both sides tell of a stretch, as a walk finds it. */
static void find_stretches(world *w)
{
    uint64_t kept_seq[MACHINES] = {0};
    uint64_t kept_at[MACHINES] = {0};
    uint64_t any_at[MACHINES] = {0};
    for (uint64_t at = 1; at <= EVENTS; at++) {
        unsigned m = w->machine[at];
        if (w->is_lost[at]) {
            w->lost[w->lost_count++] = at;
        } else {
            if (w->seq[at] > kept_seq[m] + 1) {
                w->stretches[w->count++] = (stet_stretch){
                    .key = {.id = stet_str("m"), .ns = (uint8_t)m},
                    .first_seq = kept_seq[m] + 1,
                    .last_seq = w->seq[at] - 1,
                    .above = kept_at[m],
                    .last_position = any_at[m],
                    .before = STET_MISSING_NONE,
                };
            }
            kept_seq[m] = w->seq[at];
            kept_at[m] = at;
        }
        any_at[m] = at;
    }
}

/* Lost in runs, as a damaged frame or file leaves it. */
static void make(world *w, rng *r)
{
    uint64_t seqs[MACHINES] = {0};
    *w = (world){.count = 0};
    bool is_lost = false;
    for (uint64_t at = 1; at <= EVENTS; at++) {
        is_lost = rng_below(r, 12) == 0 ? !is_lost : is_lost;
        w->is_lost[at] = is_lost;
        w->machine[at] = (unsigned)rng_below(r, MACHINES);
        w->seq[at] = ++seqs[w->machine[at]];
    }
    find_stretches(w);
}

/*
 * Every event that is known to be missing has a place, its own, between those
 * of its neighbours, and the last one that which the next record names.
 */
static void test_each_lost_event_has_a_place(void **state)
{
    (void)state;
    static world w;
    for (uint64_t seed = 1; seed <= 300; seed++) {
        rng r = {seed};
        make(&w, &r);
        assert_int_equal(
            place(w.stretches, w.count, w.lost, w.lost_count, w.out, NULL),
            STET_OK);
        uint64_t placed[EVENTS] = {0};
        uint64_t last[EVENTS] = {0};
        for (size_t i = 0; i < w.lost_count; i++) {
            uint32_t s = w.out[i];
            if (s == STET_MISSING_NONE) {
                continue;
            }
            assert_true(s < w.count);
            assert_true(w.lost[i] > w.stretches[s].above);
            placed[s]++;
            last[s] = w.lost[i];
        }
        for (uint32_t s = 0; s < w.count; s++) {
            const stet_stretch *x = &w.stretches[s];
            assert_int_equal(x->first_seq + placed[s] - 1, x->last_seq);
            assert_int_equal(last[s], x->last_position);
        }
    }
}

/* A fork's events begin above seq 1: how far down nobody knows. */
static void test_a_beginning_that_is_not_known_takes_what_is_left(void **state)
{
    (void)state;
    uint64_t lost[] = {3, 4, 5};
    uint32_t out[3];
    stet_stretch s[] = {
        {.first_seq = 1, .last_seq = 9, .last_position = 5},
        {.first_seq = 2, .last_seq = 2, .above = 2, .last_position = 3},
    };
    assert_int_equal(place(s, 2, lost, 3, out, NULL), STET_OK);
    assert_int_equal(out[0], 1);
    assert_int_equal(out[1], 0);
    assert_int_equal(out[2], 0);
    assert_int_equal(s[0].first_seq, 8);
    assert_int_equal(s[1].first_seq, 2);
}

/* What cannot have been is refused: nothing is made up to fit. */
static void test_what_contradicts_itself_is_refused(void **state)
{
    (void)state;
    uint64_t lost[] = {3, 5};
    uint32_t out[2];
    stet_error err = {0};
    stet_stretch many = {.key = {.id = stet_str("m")},
                         .first_seq = 2,
                         .last_seq = 4,
                         .above = 1,
                         .last_position = 5};
    assert_int_equal(place(&many, 1, lost, 2, out, &err), STET_E_CORRUPT);
    assert_string_equal(err.text,
                        "m: no room for 3 lost events up to position 5");
    stet_stretch above = {
        .first_seq = 2, .last_seq = 3, .above = 4, .last_position = 5};
    assert_int_equal(place(&above, 1, lost, 2, out, NULL), STET_E_CORRUPT);
    stet_stretch kept = {.first_seq = 2, .last_seq = 2, .last_position = 4};
    assert_int_equal(place(&kept, 1, lost, 2, out, NULL), STET_E_CORRUPT);
    stet_stretch two[] = {{.first_seq = 2, .last_seq = 2, .last_position = 5},
                          {.first_seq = 7, .last_seq = 7, .last_position = 5}};
    assert_int_equal(place(two, 2, lost, 2, out, NULL), STET_E_CORRUPT);
}

/* Nothing is left behind. */
static void test_each_allocation_may_fail(void **state)
{
    (void)state;
    uint64_t lost[] = {3};
    uint32_t out[1];
    for (size_t nth = 1;; nth++) {
        failalloc f;
        failalloc_init(&f, nth);
        stet_allocator a = failalloc_allocator(&f);
        stet_stretch s = {.first_seq = 2, .last_seq = 2, .last_position = 3};
        stet_status st =
            stet__missing_place(&a, &s, 1, &(stet_places){lost, 1, out}, NULL);
        assert_int_equal(st, f.is_hit ? STET_E_NOMEM : STET_OK);
        failalloc_assert_clean(&f);
        if (!f.is_hit) {
            break;
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_lost_event_has_a_place),
        cmocka_unit_test(test_a_beginning_that_is_not_known_takes_what_is_left),
        cmocka_unit_test(test_what_contradicts_itself_is_refused),
        cmocka_unit_test(test_each_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
