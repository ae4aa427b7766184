#include "sim/swarm.h"

#include <stdlib.h>
#include <string.h>

#include "lib/model.h"
#include "lib/model_event.h"

static const char *const fault_names[] = {
#define FAULT_NAME(name, text, what) text,
    FAULT_MAP(FAULT_NAME)
#undef FAULT_NAME
};

/* One of the numbers from `least` to `most`, the small ones more often. */
static unsigned skewed(rng *r, unsigned least, unsigned most)
{
    unsigned range = most - least + 1;
    size_t a = rng_below(r, range);
    size_t b = rng_below(r, range);
    return least + (unsigned)(a < b ? a : b);
}

static unsigned one_of(rng *r, const unsigned *numbers, size_t count)
{
    return numbers[rng_below(r, count)];
}

static unsigned draw_faults(rng *r)
{
    unsigned faults = 0;
    for (unsigned f = 0; f < FAULT_THIN; f++) {
        bool is_crash = f <= FAULT_OPENING;
        faults |= rng_below(r, 10) < (is_crash ? 7 : 3) ? 1U << f : 0;
    }
    return faults;
}

/* All small, so that caches run over, bases come and segments turn. */
static stet_opts draw_opts(rng *r)
{
    static const unsigned segments[] = {16384, 16384, 24576, 65536};
    static const unsigned settled[] = {1, 2, 2, 3, 5, 16};
    static const unsigned callbacks[] = {1, 2, 8, 64};
    return (stet_opts){
        .struct_size = sizeof(stet_opts),
        .level = rng_below(r, 4) == 0 ? STET_LEVEL_OS : STET_LEVEL_DISK,
        .callbacks_max = one_of(r, callbacks, 4),
        .cache_bytes = (uint64_t)4096 << (rng_below(r, 4) * 3),
        .queue_bytes = (uint64_t)8192 << (rng_below(r, 3) * 4),
        .segment_bytes = one_of(r, segments, 4),
        .settle_segments = one_of(r, settled, 6),
        .base_events = skewed(r, 1, 20),
        .base_bytes = skewed(r, 200, 20000),
        .frames_in_flight = skewed(r, 1, 6),
        .reducers = model_reducers,
        .reducer_count = MODEL_REDUCERS,
    };
}

swarm swarm_draw(uint64_t seed)
{
    static const unsigned rates[] = {10, 40, 150, 600};
    static const unsigned switches[] = {1, 1, 3, 12};
    static const unsigned indexed[] = {1, 2, 16, 16};
    rng r = {seed};
    (void)rng_next(&r);
    swarm s = {.seed = seed};
    s.faults = draw_faults(&r);
    rng thin = {seed ^ 0x74686e};
    s.faults |= rng_below(&thin, 12) == 0 ? 1U << FAULT_THIN : 0;
    s.fault_in = one_of(&r, rates, 4);
    s.switch_in = one_of(&r, switches, 4);
    s.lives = skewed(&r, 2, 12);
    s.calls_max = rng_below(&r, 3) == 0 ? 150 : 600;
    s.clients = skewed(&r, 1, 5);
    s.ops = skewed(&r, 1, 24);
    s.has_direct = rng_below(&r, 4) > 0;
    s.has_unnamed = rng_below(&r, 4) > 0;
    s.has_large = rng_below(&r, 3) == 0;
    s.is_sequential = rng_below(&r, 8) == 0;
    s.opts = draw_opts(&r);
    rng deferred = {seed ^ 0x646566};
    s.has_deferred = rng_below(&deferred, 5) == 0;
    if (s.has_deferred) {
        s.opts.deferred_bytes = rng_below(&deferred, 2) == 0 ? 4096 : 1 << 20;
        s.opts.batch_events_max = MODEL_BATCH_MAX;
    }
    rng merged = {seed ^ 0x696478};
    s.opts.index_sets = one_of(&merged, indexed, 4);
    if (s.is_sequential) {
        s.opts.flags |= STET_NO_THREADS;
        s.clients = 1;
    }
    return s;
}

typedef struct number {
    const char *name;
    unsigned *at;
} number;

enum { NUMBERS = 6 };

static void list_numbers(swarm *s, number out[NUMBERS])
{
    const number all[NUMBERS] = {
        {"fault_in", &s->fault_in}, {"switch_in", &s->switch_in},
        {"lives", &s->lives},       {"calls_max", &s->calls_max},
        {"clients", &s->clients},   {"ops", &s->ops},
    };
    memcpy(out, all, sizeof all);
}

bool swarm_change(swarm *s, const char *how, bool is_without)
{
    for (unsigned f = 0; f < FAULT_CLASSES; f++) {
        if (strcmp(how, fault_names[f]) == 0) {
            unsigned bit = 1U << f;
            s->faults = is_without ? s->faults & ~bit : s->faults | bit;
            return true;
        }
    }
    number numbers[NUMBERS];
    list_numbers(s, numbers);
    const char *equals = strchr(how, '=');
    for (size_t i = 0; !is_without && equals != NULL && i < NUMBERS; i++) {
        size_t len = strlen(numbers[i].name);
        if (len == (size_t)(equals - how) &&
            memcmp(how, numbers[i].name, len) == 0) {
            *numbers[i].at = (unsigned)strtoul(equals + 1, NULL, 10);
            return *numbers[i].at > 0;
        }
    }
    return false;
}

unsigned swarm_size(const swarm *s)
{
    return s->lives * (1 + s->clients * s->ops);
}

void swarm_print(const swarm *s, FILE *to)
{
    const stet_opts *o = &s->opts;
    swarm copy = *s;
    number numbers[NUMBERS];
    list_numbers(&copy, numbers);
    fprintf(to, "seed %llu of %s: level %s, segments of %u, cache %llu, ",
            (unsigned long long)s->seed, STET_COMMIT, stet_level_name(o->level),
            o->segment_bytes, (unsigned long long)o->cache_bytes);
    fprintf(to, "queue %llu, sets of %u, indexes of %u, ",
            (unsigned long long)o->queue_bytes, o->settle_segments,
            o->index_sets);
    fprintf(to, "bases %u/%u, in flight %u%s%s%s%s%s\n ", o->base_events,
            o->base_bytes, o->frames_in_flight,
            s->has_direct ? "" : ", no O_DIRECT",
            s->has_unnamed ? "" : ", no O_TMPFILE",
            s->has_large ? ", large frames" : "",
            s->has_deferred ? ", deferred writes" : "",
            s->is_sequential ? ", one thread" : "");
    for (size_t i = 0; i < NUMBERS; i++) {
        fprintf(to, " %s=%u", numbers[i].name, *numbers[i].at);
    }
    fprintf(to, "; faults:");
    for (unsigned f = 0; f < FAULT_CLASSES; f++) {
        if (swarm_has(s, (fault_class)f)) {
            fprintf(to, " %s", fault_names[f]);
        }
    }
    fprintf(to, "\n");
}
