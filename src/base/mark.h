/*
 * Marks: places in the code that the simulator must have been at.
 *
 *   STET_MARK("recover.torn_tail");
 *
 * A rare case that no run reaches is not tested, whatever the number of runs.
 * Builds with STET_SIM count how often each mark is passed and know all of
 * them, passed or not; in every other build a mark is nothing.
 */
#ifndef STET_BASE_MARK_H
#define STET_BASE_MARK_H

#ifdef STET_SIM

#include <stdint.h>

typedef struct stet_mark {
    const char *name;
    uint64_t count;
} stet_mark;

/* Each is a variable in a section of its own, so that all can be listed. */
#define STET_MARK(text)                                                        \
    do {                                                                       \
        static stet_mark mark_ = {(text), 0};                                  \
        static stet_mark *const entry_                                         \
            __attribute__((section("stet_marks"), used)) = &mark_;             \
        (void)entry_;                                                          \
        mark_.count++;                                                         \
    } while (0)

#else
#define STET_MARK(text) ((void)0)
#endif

#endif
