#include "lib/rounds.h"

#include <stdlib.h>
#include <string.h>

enum { LONG_TIMES = 20, SHORT_PART = 6 };

size_t rounds(size_t count)
{
    const char *preset = getenv("STET_PRESET");
    if (getenv("STET_LONG") != NULL) {
        return count * LONG_TIMES;
    }
    if (preset != NULL && strcmp(preset, "tsan") == 0) {
        return count < SHORT_PART ? 1 : count / SHORT_PART;
    }
    return count;
}
