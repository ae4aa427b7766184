/*
 * Memory: what the simulated process allocates, all of which goes at once when
 * it is killed.
 *
 * One piece of address space, filled from its start; a block that is given back
 * serves the next one of its size class. So a seed has the same addresses each
 * time, and a crash costs nothing. The address sanitizer is told what is lent;
 * for its sake blocks are not used twice before the process ends.
 */
#ifndef STET_TESTS_SIM_MEMORY_H
#define STET_TESTS_SIM_MEMORY_H

#include <stdbool.h>
#include <stddef.h>

enum { MEMORY_CLASSES = 160 };

typedef struct memory_free memory_free; /* a block that nobody has */

typedef struct memory {
    unsigned char *bytes;
    size_t used; /* of the address space */
    size_t lent; /* blocks */
    memory_free *free[MEMORY_CLASSES];
} memory;

/* Reserve the address space; what is not touched costs nothing. */
void memory_init(memory *m);

/* A block, aligned for any type; NULL: there is no room. */
void *memory_take(memory *m, size_t bytes);
/* How many bytes were asked for. */
size_t memory_bytes(const void *block);
void memory_give(memory *m, void *block);

/* Everything is given back. */
void memory_reset(memory *m);

#endif
