#include "engine/options.h"

#include <stdint.h>
#include <string.h>

#include "base/assert.h"
#include "base/error.h"

stet_status stet__options_copy(const void *given, size_t known_bytes, void *out,
                               stet_error *err)
{
    size_t bytes = 0;
    STET_ASSERT(known_bytes > sizeof(bytes));
    if (given != NULL) {
        memcpy(&bytes, given, sizeof(bytes));
        bytes = bytes == 0 ? known_bytes : bytes;
    }
    const uint8_t *at = given;
    for (size_t i = known_bytes; i < bytes; i++) {
        if (at[i] != 0) {
            return stet__fail(err, STET_E_UNSUPPORTED, 0,
                              "an option that this version does not know");
        }
    }
    memset(out, 0, known_bytes);
    if (bytes > 0) {
        memcpy(out, given, bytes < known_bytes ? bytes : known_bytes);
    }
    memcpy(out, &known_bytes, sizeof(known_bytes));
    return STET_OK;
}

void stet__options_give(const void *own, size_t known_bytes, void *out)
{
    size_t bytes = 0;
    STET_ASSERT(known_bytes > sizeof(bytes));
    memcpy(&bytes, out, sizeof(bytes));
    if (bytes == 0 || bytes > known_bytes) {
        bytes = known_bytes;
    }
    if (bytes > sizeof(bytes)) {
        memcpy((uint8_t *)out + sizeof(bytes),
               (const uint8_t *)own + sizeof(bytes), bytes - sizeof(bytes));
    }
}
