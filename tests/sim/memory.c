#include "sim/memory.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "sim/asan.h"

/* A store of the simulator's has 64 MiB of cache at most. */
static const size_t SPACE_BYTES = (size_t)4 << 30;

enum {
    SMALLEST_LOG2 = 4,
    STEPS_LOG2 = 2, /* four classes between two powers of two */
    KEPT_BYTES = 64 << 20,
};

/* Untouchable bytes behind each block, where somebody looks. */
#ifdef HAS_ASAN
enum { GAP_BYTES = 32 };
#else
enum { GAP_BYTES = 0 };
#endif

#ifdef HAS_ASAN
/*
 * Blocks here are never lent twice; what is freed of the simulation itself need
 * not be kept from use for 256 MiB, which takes a tenth of the time.
 */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "quarantine_size_mb=4";
}
#endif

/* In front of each block, lent or not. */
typedef struct header {
    size_t bytes; /* that were asked for */
    size_t class;
} header;

struct memory_free {
    memory_free *next;
};

void memory_init(memory *m)
{
    *m = (memory){.lent = 0};
    m->bytes = mmap(NULL, SPACE_BYTES, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (m->bytes == MAP_FAILED) {
        perror("memory");
        abort();
    }
}

/* The smallest class that holds so many bytes, and what its blocks have. */
static size_t class_of(size_t bytes, size_t *out_room)
{
    size_t least = (size_t)1 << SMALLEST_LOG2;
    size_t units = bytes <= least ? least : bytes;
    size_t log2 = 63 - (size_t)__builtin_clzll(units);
    size_t step = (size_t)1 << (log2 - STEPS_LOG2);
    size_t steps = (units - ((size_t)1 << log2) + step - 1) / step;
    *out_room = (((size_t)1 << log2) + steps * step + 15) / 16 * 16;
    return ((log2 - SMALLEST_LOG2) << STEPS_LOG2) + steps;
}

void *memory_take(memory *m, size_t bytes)
{
    size_t room = 0;
    size_t class = class_of(bytes, &room);
    memory_free *old = m->free[class];
    if (old != NULL) {
        m->free[class] = old->next;
        m->lent++;
        header *h = (header *)(void *)old - 1;
        *h = (header){bytes, class};
        return old;
    }
    size_t whole = sizeof(header) + room + GAP_BYTES;
    if (SPACE_BYTES - m->used < whole) {
        return NULL;
    }
    header *h = (header *)(void *)(m->bytes + m->used);
    asan_take_back(h, whole);
    asan_lend(h, sizeof *h + bytes);
    *h = (header){bytes, class};
    m->used += whole;
    m->lent++;
    return h + 1;
}

size_t memory_bytes(const void *block)
{
    return ((const header *)block - 1)->bytes;
}

void memory_give(memory *m, void *block)
{
    const header *h = (const header *)block - 1;
    m->lent--;
#ifdef HAS_ASAN
    asan_take_back(block, h->bytes);
#else
    memory_free *now_free = block;
    now_free->next = m->free[h->class];
    m->free[h->class] = now_free;
#endif
}

void memory_reset(memory *m)
{
    if (m->used > KEPT_BYTES) {
        (void)madvise(m->bytes, m->used, MADV_DONTNEED); /* a hint */
    }
    unsigned char *bytes = m->bytes;
    asan_take_back(bytes, m->used);
    *m = (memory){.bytes = bytes};
}
