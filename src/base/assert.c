#include "base/assert.h"

#include <stdio.h>
#include <stdlib.h>

void stet__assert_failed(const char *claim, const char *file, int line)
{
    fprintf(stderr, "stet: %s:%d: broken assertion: %s\n", file, line, claim);
    abort();
}
