#include "core/retain.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "lib/rng.h"
#include "lib/rounds.h"

/*
 * A small store as it might be: machines, forks of forks, bases here and there,
 * files of a few positions, whatever wants something. The model knows the state
 * after each record, and who wants what, by looking at everything.
 */
enum {
    RECORDS = 48,
    MACHINES = 8,
    NAMES = 3,
    LIMITLESS = 1000,
};

typedef struct event {
    int machine;
    uint64_t seq;
    int previous; /* of its lineage; -1: none */
    int next;     /* of its machine; -1: none */
    int file;
    uint64_t state;
    uint64_t body; /* the state is the one before plus this */
    uint64_t base; /* the state, if is_base */
    bool is_base;
    bool is_dropped;
    bool is_erased;
} event;

typedef struct machine {
    int head;      /* -1: it was not begun */
    uint64_t keep; /* events behind the newest; LIMITLESS: all */
    int since;     /* no event older than this */
    uint64_t erase_end;
} machine;

typedef struct world {
    event events[RECORDS]; /* position - 1 */
    machine machines[MACHINES];
    int machine_count;
    int pins[NAMES];
    int cuts[NAMES];
    int files;
} world;

/* Making one. */

static void add(world *w, rng *r, int at, int m, int previous)
{
    event *e = &w->events[at];
    *e = (event){.machine = m, .previous = previous, .next = -1};
    const event *before = previous < 0 ? NULL : &w->events[previous];
    e->seq = before == NULL ? 1 : before->seq + 1;
    e->body = 1 + rng_below(r, 1000);
    e->state = e->body + (before == NULL ? 0 : before->state);
    e->is_base = before == NULL || rng_below(r, 6) == 0;
    e->base = e->is_base ? e->state : 0;
    if (w->machines[m].head >= 0) {
        w->events[w->machines[m].head].next = at;
    }
    w->machines[m].head = at;
}

static void begin_machine(world *w, rng *r, int at)
{
    int m = w->machine_count++;
    w->machines[m] = (machine){
        .head = -1,
        .keep = rng_below(r, 3) == 0 ? LIMITLESS : rng_below(r, 8),
        .since = rng_below(r, 2) == 0 ? 0 : (int)rng_below(r, RECORDS),
    };
    bool is_fork = at > 0 && rng_below(r, 3) != 0;
    add(w, r, at, m, is_fork ? (int)rng_below(r, (uint64_t)at) : -1);
}

static void make(world *w, rng *r)
{
    memset(w, 0, sizeof *w);
    for (int at = 0; at < RECORDS; at++) {
        if (w->machine_count == 0 ||
            (w->machine_count < MACHINES && rng_below(r, 7) == 0)) {
            begin_machine(w, r, at);
        } else {
            int m = (int)rng_below(r, (uint64_t)w->machine_count);
            add(w, r, at, m, w->machines[m].head);
        }
        w->files += at > 0 && rng_below(r, 5) == 0;
        w->events[at].file = w->files;
    }
    w->files++;
    for (int i = 0; i < NAMES; i++) {
        w->pins[i] = (int)rng_below(r, RECORDS);
        w->cuts[i] = (int)rng_below(r, RECORDS);
    }
    for (int m = 0; m < w->machine_count; m++) {
        const event *head = &w->events[w->machines[m].head];
        if (rng_below(r, 3) == 0) {
            w->machines[m].erase_end = 1 + rng_below(r, head->seq);
        }
    }
}

/* What the model knows. */

/* Is a record in a machine's lineage, and the newest there at a position? */
static bool is_in_lineage(const world *w, int m, int at)
{
    for (int i = w->machines[m].head; i >= 0; i = w->events[i].previous) {
        if (i == at) {
            return true;
        }
    }
    return false;
}

static bool is_wanted_by(const world *w, int m, int at)
{
    const machine *by = &w->machines[m];
    const event *e = &w->events[at];
    bool is_near =
        by->keep == LIMITLESS || e->seq + by->keep >= w->events[by->head].seq;
    return is_near && at >= by->since && is_in_lineage(w, m, at);
}

static bool is_newest_at(const world *w, int at, int cut)
{
    const event *e = &w->events[at];
    return at <= cut && (e->next < 0 || e->next > cut);
}

static bool is_fork_point(const world *w, int at)
{
    for (int i = 0; i < RECORDS; i++) {
        if (w->events[i].previous == at &&
            w->events[i].machine != w->events[at].machine) {
            return true;
        }
    }
    return false;
}

static bool is_wanted(const world *w, int at)
{
    bool is = w->events[at].next < 0 || is_fork_point(w, at);
    for (int i = 0; i < NAMES; i++) {
        is = is || w->pins[i] == at || is_newest_at(w, at, w->cuts[i]);
    }
    for (int m = 0; m < w->machine_count; m++) {
        is = is || is_wanted_by(w, m, at);
    }
    return is;
}

static bool is_to_be_erased(const world *w, int at)
{
    const event *e = &w->events[at];
    return e->seq < w->machines[e->machine].erase_end;
}

/* The state that the store makes of what it has; false: it has too little. */
static bool fold(const world *w, int at, uint64_t *out)
{
    uint64_t sum = 0;
    for (int i = at; i >= 0; i = w->events[i].previous) {
        const event *e = &w->events[i];
        if (e->is_dropped || e->is_erased) {
            return false;
        }
        if (e->is_base) {
            *out = sum + e->base;
            return true;
        }
        sum += e->body;
    }
    return false;
}

static void assert_is_readable(const world *w)
{
    for (int at = 0; at < RECORDS; at++) {
        const event *e = &w->events[at];
        uint64_t state = 0;
        if (!e->is_dropped && !e->is_erased) {
            assert_true(fold(w, at, &state));
            assert_true(state == e->state);
        }
        assert_false(e->is_dropped && is_wanted(w, at));
        assert_false(e->is_erased && !is_to_be_erased(w, at));
    }
}

/* Settling, as a store does it. */

typedef struct wants {
    stet_wants w;
    stet_lineage_claim claims[MACHINES];
    uint64_t pins[RECORDS + NAMES];
    uint64_t cuts[NAMES];
} wants;

static uint64_t floor_of(uint64_t seq, uint64_t keep)
{
    return keep == LIMITLESS || seq <= keep ? 0 : seq - keep;
}

static void put_rising(uint64_t *list, size_t count, uint64_t value)
{
    size_t i = count;
    for (; i > 0 && list[i - 1] > value; i--) {
        list[i] = list[i - 1];
    }
    list[i] = value;
}

/* Where a lineage has the last of its records of a machine; 0: none. */
static uint64_t end_in(const world *w, int lineage, int m)
{
    for (int i = w->machines[lineage].head; i >= 0; i = w->events[i].previous) {
        if (w->events[i].machine == m) {
            return w->events[i].seq + 1;
        }
    }
    return 0;
}

static void want(const world *w, int m, wants *out)
{
    memset(out, 0, sizeof *out);
    out->w = (stet_wants){
        .claims = out->claims,
        .pins = out->pins,
        .cuts = out->cuts,
        .cut_count = NAMES,
        .head_seq = w->events[w->machines[m].head].seq,
        .erase_end = w->machines[m].erase_end,
    };
    for (int by = 0; by < w->machine_count; by++) {
        uint64_t end = end_in(w, by, m);
        const machine *lineage = &w->machines[by];
        if (end > 0) {
            out->claims[out->w.claim_count++] = (stet_lineage_claim){
                .end_seq = end,
                .floor_seq =
                    floor_of(w->events[lineage->head].seq, lineage->keep),
                .floor_position = (uint64_t)lineage->since + 1,
            };
        }
    }
    for (int i = 0; i < NAMES; i++) {
        put_rising(out->pins, out->w.pin_count++, (uint64_t)w->pins[i] + 1);
        put_rising(out->cuts, (size_t)i, (uint64_t)w->cuts[i] + 1);
    }
    for (int at = 0; at < RECORDS; at++) {
        if (is_fork_point(w, at)) {
            put_rising(out->pins, out->w.pin_count++, (uint64_t)at + 1);
        }
    }
}

/* Needs a record nothing from before, now or once the file is settled? */
static bool is_free(const world *w, int at, int file)
{
    const event *e = &w->events[at];
    return e->file == file || e->is_base || e->is_dropped || e->is_erased;
}

static bool is_next_free(const world *w, int at, int file)
{
    bool is = true;
    for (int i = 0; i < RECORDS; i++) {
        /* Of forks only what is erased, for their points are pinned. */
        if (w->events[i].previous == at) {
            is = is && is_free(w, i, file);
        }
    }
    return is;
}

static void apply(world *w, int at, stet_fate fate)
{
    event *e = &w->events[at];
    switch (fate) {
    case STET_FATE_KEEP:
        break;
    case STET_FATE_BASE:
        assert_true(fold(w, at, &e->base));
        e->is_base = true;
        break;
    case STET_FATE_DROP:
        e->is_dropped = true;
        break;
    case STET_FATE_ERASE:
        e->is_erased = true;
        e->is_base = false;
        break;
    }
}

static void settle(world *w, int file)
{
    stet_fate fates[RECORDS] = {0};
    for (int at = 0; at < RECORDS; at++) {
        const event *e = &w->events[at];
        wants by;
        if (e->file != file) {
            continue;
        }
        const event *before = e->previous < 0 ? NULL : &w->events[e->previous];
        want(w, e->machine, &by);
        stet_retained r = {
            .at = {e->seq, (uint64_t)at + 1, (uint64_t)e->next + 1},
            .previous_position = (uint64_t)(e->previous + 1),
            .is_first_own = before == NULL || before->machine != e->machine,
            .is_base = e->is_base,
            .is_dropped = e->is_dropped,
            .is_erased = e->is_erased,
            .is_next_free = is_next_free(w, at, file),
        };
        r.is_previous_erased =
            before != NULL && is_to_be_erased(w, e->previous);
        fates[at] = stet__retain_fate(&by.w, &r);
    }
    /* All states that bases need are there before anything goes. */
    for (int at = 0; at < RECORDS; at++) {
        apply(w, at, fates[at] == STET_FATE_BASE ? fates[at] : STET_FATE_KEEP);
    }
    for (int at = 0; at < RECORDS; at++) {
        apply(w, at,
              fates[at] == 0 || fates[at] == STET_FATE_BASE ? STET_FATE_KEEP
                                                            : fates[at]);
    }
}

/* In whatever order files are settled: what is left is what it was. */
static void test_nothing_kept_is_unreadable(void **state)
{
    (void)state;
    static world w;
    for (uint64_t seed = 1; seed <= rounds(1500); seed++) {
        rng r = {seed};
        make(&w, &r);
        for (int i = 0; i < 2 * w.files; i++) {
            settle(&w, (int)rng_below(&r, (uint64_t)w.files));
            assert_is_readable(&w);
        }
    }
}

/* A store that is settled from its newest file down holds nothing it may drop
 * or erase. */
static void test_newest_first_everything_goes(void **state)
{
    (void)state;
    static world w;
    for (uint64_t seed = 1; seed <= rounds(1500); seed++) {
        rng r = {seed};
        make(&w, &r);
        for (int file = w.files; file > 0; file--) {
            settle(&w, file - 1);
        }
        assert_is_readable(&w);
        for (int at = 0; at < RECORDS; at++) {
            const event *e = &w.events[at];
            assert_true(e->is_dropped == !is_wanted(&w, at));
            assert_true(e->is_dropped ||
                        e->is_erased == is_to_be_erased(&w, at));
        }
    }
}

/* The default: no rule, no erasure, not a byte changes. */
static void test_who_claims_everything_keeps_it_as_it_is(void **state)
{
    (void)state;
    static world w;
    for (uint64_t seed = 1; seed <= 200; seed++) {
        rng r = {seed};
        make(&w, &r);
        for (int m = 0; m < w.machine_count; m++) {
            w.machines[m].keep = LIMITLESS;
            w.machines[m].since = 0;
            w.machines[m].erase_end = 0;
        }
        world before = w;
        for (int file = 0; file < w.files; file++) {
            settle(&w, file);
        }
        assert_memory_equal(&w, &before, sizeof w);
    }
}

/* It needs the one before still: that one waits until this file is settled. */
static void test_what_is_needed_from_outside_stays(void **state)
{
    (void)state;
    stet_lineage_claim claim = {.end_seq = 10, .floor_seq = 9};
    stet_wants w = {.claims = &claim, .claim_count = 1, .head_seq = 9};
    stet_retained r = {.at = {5, 50, 60}, .previous_position = 40};
    assert_int_equal(stet__retain_fate(&w, &r), STET_FATE_BASE);
    r.is_next_free = true;
    assert_int_equal(stet__retain_fate(&w, &r), STET_FATE_DROP);
    r.is_next_free = false;
    w.erase_end = 6;
    assert_int_equal(stet__retain_fate(&w, &r), STET_FATE_BASE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_kept_is_unreadable),
        cmocka_unit_test(test_newest_first_everything_goes),
        cmocka_unit_test(test_who_claims_everything_keeps_it_as_it_is),
        cmocka_unit_test(test_what_is_needed_from_outside_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
