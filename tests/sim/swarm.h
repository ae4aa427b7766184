/*
 * Swarm: the options of one run, drawn from its seed.
 *
 * No run has every fault at every rate: each seed first draws which kinds there
 * are, how often, how many clients write what, and how small everything is.
 * Runs that leave some faults out go deeper into the others.
 */
#ifndef STET_TESTS_SIM_SWARM_H
#define STET_TESTS_SIM_SWARM_H

#include <stdio.h>

#include <stet/handle.h>

#include "lib/rng.h"

/* name in the options, what there is when it is on */
#define FAULT_MAP(X)                                                           \
    X(FAULT_KILL, "kill", "the process is killed")                             \
    X(FAULT_POWER, "power", "power is cut: unsynced data is lost, or torn")    \
    X(FAULT_OPENING, "opening", "crashes while the store is opened, too")      \
    X(FAULT_WRITE, "write", "writes and changes of names fail with EIO")       \
    X(FAULT_SYNC, "sync", "syncs fail with EIO once, then lie")                \
    X(FAULT_READ, "read", "reads fail with EIO")                               \
    X(FAULT_SPACE, "space", "the disk is full, until more is given")           \
    X(FAULT_FILES, "files", "no more files can be opened (EMFILE)")            \
    X(FAULT_MEMORY, "memory", "allocations fail")                              \
    X(FAULT_CLOCK, "clock", "the clock jumps, days back and forth")            \
    X(FAULT_SLOW, "slow", "the disk is slow, or stands still for a while")     \
    X(FAULT_ROT, "rot", "at the end files are damaged at rest")                \
    X(FAULT_STRAY, "stray", "at the end a block goes astray in an open store") \
    X(FAULT_LIES, "lies",                                                      \
      "at the end the disk syncs nothing, and power is cut")                   \
    X(FAULT_THIN, "thin", "at the end rules drop events and users erase them")

typedef enum fault_class {
#define FAULT_ENUM(name, text, what) name,
    FAULT_MAP(FAULT_ENUM)
#undef FAULT_ENUM
        FAULT_CLASSES
} fault_class;

typedef struct swarm {
    uint64_t seed;
    unsigned faults;    /* 1 << fault_class */
    unsigned fault_in;  /* one call in so many fails, of those that may */
    unsigned switch_in; /* another thread runs after one call in so many */
    unsigned lives;     /* times that the store is opened, the last one calm */
    unsigned calls_max; /* of the system in a life that ends in a crash */
    unsigned clients;
    unsigned ops; /* that a client does in a life */
    bool has_direct;
    bool has_unnamed;
    bool has_deferred;  /* some writes wait in memory */
    bool has_large;     /* some frames are larger than a segment should be */
    bool is_sequential; /* the clients take turns, without own threads */
    stet_opts opts;     /* of the store */
} swarm;

swarm swarm_draw(uint64_t seed);
/* With or without a kind of fault, or with another number: "power", "ops=3". */
bool swarm_change(swarm *s, const char *how, bool is_without);
/* About how much it does. */
unsigned swarm_size(const swarm *s);
void swarm_print(const swarm *s, FILE *to);

static inline bool swarm_has(const swarm *s, fault_class f)
{
    return (s->faults & 1U << f) != 0;
}

#endif
