/*
 * Value: what is written behind a key, to a number and back.
 *
 * Every kind but TEXT is a number: of a switch 0 or 1, of a duration
 * nanoseconds, of a choice its word's place from 1, of choices the places of up
 * to 16 words, 4 bits each, the first word's lowest.
 */
#ifndef STET_CONFIG_VALUE_H
#define STET_CONFIG_VALUE_H

#include <stet/status.h>

#include "config/row.h"

enum { STET_CONFIG_TEXT_MAX = 4096 }; /* bytes of a value as it is given */

/*
 * Read a value of a row; of TEXT `*out` is 0 and the text itself is meant. An
 * error names the row and what would do. STET_E_INVALID.
 */
STET_NODISCARD stet_status stet__config_value_read(const stet_config_row *row,
                                                   stet_slice text,
                                                   uint64_t *out,
                                                   stet_error *err);

/*
 * Append one word to a row's choices, of which there are `*number` so far.
 * STET_E_INVALID: it is none of them, there already, or one too many.
 */
STET_NODISCARD stet_status stet__config_value_add(const stet_config_row *row,
                                                  stet_slice word,
                                                  uint64_t *number,
                                                  stet_error *err);

/* A text of this room, which fits. */
typedef struct stet_config_line {
    char text[192];
} stet_config_line;

/* A value so that it reads as the same; of TEXT nothing. */
stet_config_line stet__config_value_text(const stet_config_row *row,
                                         uint64_t number);

/* What values a row takes: "a number, 1 to 16". */
stet_config_line stet__config_value_range(const stet_config_row *row);

#endif
