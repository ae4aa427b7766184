/*
 * Name: what is taken for a file of the store is what the store calls it.
 */
#include "fuzz.h"

#include <stdio.h>
#include <string.h>

#include "stores/embedded/names.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char name[64];
    char again[STET_OS_NAME_MAX] = "";
    uint32_t number = 0;
    snprintf(name, sizeof name, "%.*s", (int)size, (const char *)data);
    stet_name_kind kind = stet__name_kind(name, &number);
    switch (kind) {
    case STET_NAME_SEGMENT:
    case STET_NAME_SET:
    case STET_NAME_INDEX:
        stet__name_file(kind, number, again);
        break;
    case STET_NAME_TEMPORARY:
        stet__name_temporary(number, again);
        break;
    case STET_NAME_SUPER:
        FUZZ_CHECK(strcmp(name, "super") == 0);
        return 0;
    case STET_NAME_LOCK:
        FUZZ_CHECK(strcmp(name, "LOCK") == 0);
        return 0;
    case STET_NAME_RESTORING:
        FUZZ_CHECK(strcmp(name, "RESTORING") == 0);
        return 0;
    case STET_NAME_FOREIGN:
        return 0;
    }
    FUZZ_CHECK(strcmp(name, again) == 0);
    return 0;
}
