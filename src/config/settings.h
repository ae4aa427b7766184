/*
 * Settings: what was said of which row, and by whom.
 *
 * A later layer's word goes before an earlier one's (the order of
 * stet_config_origin), whichever was put first. Items of a list belong to the
 * layer of the file alone.
 */
#ifndef STET_CONFIG_SETTINGS_H
#define STET_CONFIG_SETTINGS_H

#include <stet/config.h>

#include "base/arena.h"
#include "base/buf.h"
#include "config/row.h"

enum { STET_CONFIG_ITEMS_MAX = 512 }; /* of one list */

/* Who said it. `name` is the file, the variable or the profile. */
typedef struct stet_config_source {
    stet_config_origin origin;
    const char *name;
    uint32_t line; /* of a file; 0: it has none */
    uint32_t column;
} stet_config_source;

typedef struct stet_setting {
    const stet_config_row *row;
    uint32_t item;   /* of a list, from 0 */
    uint64_t number; /* see config/value.h */
    stet_slice text; /* of TEXT; NUL behind it */
    stet_config_source source;
} stet_setting;

typedef struct stet_settings {
    stet_arena arena; /* texts and names */
    stet_buf items;   /* stet_setting */
} stet_settings;

void stet__settings_init(stet_settings *s, const stet_allocator *alloc);
void stet__settings_deinit(stet_settings *s);

size_t stet__settings_count(const stet_settings *s);
const stet_setting *stet__settings_at(const stet_settings *s, size_t i);

/* The setting of a row, and of an item of its list; NULL: nobody said one. */
const stet_setting *stet__settings_find(const stet_settings *s,
                                        const stet_config_row *row,
                                        uint32_t item);

/*
 * Put a value, of which the source says where it stands. It is dropped if a
 * later layer has spoken. STET_E_INVALID: the same file has set it before;
 * STET_E_NOMEM.
 */
STET_NODISCARD stet_status stet__settings_put(stet_settings *s,
                                              const stet_setting *setting,
                                              stet_error *err);

/* Read a value's text and put it; errors begin with the source. */
STET_NODISCARD stet_status stet__settings_read(stet_settings *s,
                                               const stet_setting *setting,
                                               stet_slice text,
                                               stet_error *err);

/* "stet.yaml:3:5", or the name; into an error's front. */
STET_NODISCARD stet_status stet__settings_blame(
    const stet_config_source *source, stet_status st, stet_error *err);

#endif
