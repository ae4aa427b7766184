/*
 * Items: what must hold of each text format that event logs come in.
 */
#ifndef STET_FUZZ_ITEMS_H
#define STET_FUZZ_ITEMS_H

#include <stddef.h>
#include <stdint.h>

#include "formats/format.h"

/*
 * Claim of an input, whose first byte says how long its pieces are: however it
 * is cut, the items are the same, and so is the error; and items that were
 * printed read back as the same items.
 */
void items_check(stet_format format, const uint8_t *data, size_t size);

#endif
