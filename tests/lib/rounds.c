#include "lib/rounds.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum {
    LONG_TIMES = 20,
    SHORT_PART = 6,
    SHORT_STRIDE = 7 /* a prime, to meet odd places and even ones */
};

static bool is_short(void)
{
    const char *preset = getenv("STET_PRESET");
    return preset != NULL && strcmp(preset, "tsan") == 0 &&
           getenv("STET_LONG") == NULL;
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
    return is_short() ? SHORT_STRIDE : 1;
}
