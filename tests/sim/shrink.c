#include "sim/shrink.h"

#include <inttypes.h>
#include <string.h>

typedef struct shrinking {
    uint64_t seed;
    swarm s;
    char told[512]; /* the options that give this run */
} shrinking;

static void tell(shrinking *x, const char *option, const char *how)
{
    size_t len = strlen(x->told);
    (void)snprintf(x->told + len, sizeof x->told - len, " --%s %s", option,
                   how);
}

/* Change the run, if it still fails then. */
static bool try(shrinking *x, const char *how, bool is_without)
{
    swarm changed = x->s;
    if (!swarm_change(&changed, how, is_without) || !fleet_fails(&changed)) {
        return false;
    }
    x->s = changed;
    printf("still fails %s %s\n", is_without ? "without" : "with", how);
    fflush(stdout);
    return true;
}

static void drop_faults(shrinking *x)
{
#define FAULT_TEXT(name, text, what) text,
    static const char *const names[] = {FAULT_MAP(FAULT_TEXT)};
#undef FAULT_TEXT
    for (unsigned f = 0; f < FAULT_CLASSES; f++) {
        if (swarm_has(&x->s, (fault_class)f) && try(x, names[f], true)) {
            tell(x, "without", names[f]);
        }
    }
}

/* Bisect a number: the smallest at which it is seen to fail. */
static void lower(shrinking *x, const char *name, unsigned most)
{
    char how[64];
    unsigned fails = most;
    unsigned passes = 0;
    while (passes + 1 < fails) {
        unsigned middle = passes + (fails - passes) / 2;
        (void)snprintf(how, sizeof how, "%s=%u", name, middle);
        if (try(x, how, false)) {
            fails = middle;
        } else {
            passes = middle;
        }
    }
    if (fails < most) {
        (void)snprintf(how, sizeof how, "%s=%u", name, fails);
        tell(x, "with", how);
    }
}

int shrink_seed(const fleet_opts *o)
{
    shrinking x = {.seed = o->from, .s = fleet_draw(o, o->from)};
    for (size_t i = 0; i < o->change_count; i++) {
        tell(&x, o->changes[i].is_without ? "without" : "with",
             o->changes[i].how);
    }
    if (!fleet_fails(&x.s)) {
        printf("seed %" PRIu64 " does not fail\n", x.seed);
        return 0;
    }
    lower(&x, "ops", x.s.ops);
    lower(&x, "lives", x.s.lives);
    lower(&x, "clients", x.s.clients);
    drop_faults(&x);
    lower(&x, "calls_max", x.s.calls_max);
    swarm_print(&x.s, stdout);
    printf("replay: stet-sim --seed %" PRIu64 "%s --trace\n", x.seed, x.told);
    return 1;
}
