/*
 * XES: what items.h says of every format.
 */
#include "fuzz.h"

#include "items.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    items_check(STET_FORMAT_XES, data, size);
    return 0;
}
