/*
 * Config: a loaded configuration, and what is made of its settings.
 */
#ifndef STET_CONFIG_CONFIG_H
#define STET_CONFIG_CONFIG_H

#include "config/settings.h"

/* What was asked for; a reload asks again. */
typedef struct stet_config_request {
    const char *path;    /* NULL: no file */
    const char *profile; /* NULL: what else says so */
    stet_config_setting *settings;
    size_t setting_count;
    stet_slice text; /* ptr NULL: of the file */
} stet_config_request;

/* All that a reload replaces. */
typedef struct stet_config_state {
    stet_settings settings;
    stet_buf values;    /* stet_config_value, their texts in settings.arena */
    stet_buf notices;   /* texts, each with its NUL */
    stet_buf rules;     /* stet_machine_rule, their patterns in that arena */
    stet_buf retention; /* stet_retention_rule, likewise */
} stet_config_state;

struct stet_config {
    stet_allocator alloc;
    stet_arena arena; /* of the request */
    stet_config_request request;
    stet_config_state state;
};

/* Does this build do as a setting says? */
bool stet__config_is_effective(const stet_setting *setting);

/* Make the values and the notices of all settings. STET_E_NOMEM. */
STET_NODISCARD stet_status stet__config_make_values(stet_config_state *c,
                                                    stet_error *err);

/* Mark the values that are others than before; returns how many. */
uint64_t stet__config_mark_changes(const stet_config_state *before,
                                   stet_config_state *now);

/*
 * Make the rules, and check what only several values together can be wrong
 * about. STET_E_INVALID, STET_E_NOMEM.
 */
STET_NODISCARD stet_status stet__config_make_rules(stet_config_state *c,
                                                   stet_error *err);

/* The number of a row's setting; 0: there is none. `key` is in the table. */
uint64_t stet__config_number(const stet_settings *s, const char *key);

#endif
