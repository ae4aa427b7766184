#include "lib/rounds.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum {
    LONG_TIMES = 20,
    SHORT_PART = 6,
    /* Primes, to meet odd places and even ones. */
    SHORT_STRIDE = 7,
    COVERAGE_STRIDE = 3,
};

/* Is it this preset, and no long run? */
static bool is_preset(const char *name)
{
    const char *preset = getenv("STET_PRESET");
    return preset != NULL && strcmp(preset, name) == 0 &&
           getenv("STET_LONG") == NULL;
}

static bool is_short(void)
{
    return is_preset("tsan");
}

size_t rounds(size_t count)
{
    if (getenv("STET_LONG") != NULL) {
        return count * LONG_TIMES;
    }
    if (is_short()) {
        return count < SHORT_PART ? 1 : count / SHORT_PART;
    }
    return count;
}

unsigned rounds_stride(void)
{
    return is_short() ? SHORT_STRIDE : is_preset("cov") ? COVERAGE_STRIDE : 1;
}
