/*
 * Row: one key of the configuration, with all that is known of it.
 *
 * The table in row.c is the only place where a key is written down. The parser,
 * its errors and hints, the environment's names, what `config show` prints and
 * docs/CONFIG.md are made from it, or are held to it by a test.
 *
 * A key is a path, "cache.bytes". The items of a list have keys of their own:
 * "retention[].pattern" is the pattern of each item below `retention`.
 */
#ifndef STET_CONFIG_ROW_H
#define STET_CONFIG_ROW_H

#include <stdbool.h>
#include <stdint.h>

#include <stet/slice.h>

enum {
    STET_CONFIG_KEY_MAX = 128, /* bytes of a key as it is given, with its NUL */
    STET_CONFIG_VARIABLE_MAX = STET_CONFIG_KEY_MAX + 8,
    STET_CONFIG_PROFILES = 3
};

typedef enum stet_config_kind {
    STET_CONFIG_SWITCH = 1,   /* 0 or 1 */
    STET_CONFIG_NUMBER = 2,   /* decimal */
    STET_CONFIG_BYTES = 3,    /* 4096, 64KiB, 64MB */
    STET_CONFIG_DURATION = 4, /* nanoseconds; 300 (seconds), 5m, 1h30m, PT5M */
    STET_CONFIG_CHOICE = 5,   /* the word's place among the choices, from 1 */
    STET_CONFIG_CHOICES = 6, /* words in order: 4 bits each, the first lowest */
    STET_CONFIG_TEXT = 7
} stet_config_kind;

/* What becomes of a value. */
typedef enum stet_config_effect {
    STET_CONFIG_WORKS = 1,  /* it is as the value says */
    STET_CONFIG_WARNS = 2,  /* unless it is `built_as`, a notice tells */
    STET_CONFIG_REFUSES = 3 /* unless it is `built_as`, no store is opened */
} stet_config_effect;

typedef struct stet_config_row {
    const char *key;
    const char *aliases;  /* other keys for it, parted by spaces; or NULL */
    const char *variable; /* of the environment, besides STET_KEY; or NULL */
    stet_config_kind kind;
    const char *choices;  /* "a|b|c" */
    uint64_t least;       /* of a number */
    uint64_t most;        /* of a number */
    uint64_t step;        /* a multiple of it; 0: any */
    bool has_none;        /* 0 besides, for none */
    const char *fallback; /* NULL: nothing, unless a profile says */
    const char *profiles[STET_CONFIG_PROFILES]; /* instead; NULL: fallback */
    stet_config_effect effect;
    /* Values ("a|b|c") that this build has without asking; NULL: none. */
    const char *built_as;
    uint16_t member; /* offset in stet_opts; 0: none */
    uint8_t member_bytes;
    uint8_t first;        /* what the member is for the first choice */
    uint32_t flag_if_off; /* stet_open_option_flags that a 0 sets */
    const char *help;     /* one line, lower case */
} stet_config_row;

extern const stet_config_row stet__config_rows[];
extern const size_t stet__config_row_count;

/*
 * What a key stands for: the row itself, a mapping above rows, or the list
 * whose items rows are about.
 */
typedef enum stet_config_place {
    STET_CONFIG_UNKNOWN = 0,
    STET_CONFIG_LEAF = 1,
    STET_CONFIG_SECTION = 2,
    STET_CONFIG_LIST = 3
} stet_config_place;

/*
 * Find what a key or alias stands for. `*out` is the row of a LEAF; of the rest
 * it is untouched.
 */
stet_config_place stet__config_find(stet_slice key,
                                    const stet_config_row **out);

/*
 * The key that a section of the founding documents goes by here, or the key
 * itself: "simulation.state_management.persistence" is "persistence".
 */
stet_slice stet__config_section(stet_slice key);

/*
 * Find the name that a mistyped one most likely meant among those which may
 * stand below `above` (empty: at the top); else the key that has such a name
 * elsewhere. Empty: none is near.
 */
stet_slice stet__config_nearest(stet_slice above, stet_slice name);

/* Write the row's own variable: "STET_CACHE_BYTES"; empty for rows of items. */
void stet__config_variable(const stet_config_row *row,
                           char out[STET_CONFIG_VARIABLE_MAX]);

/*
 * Take the next word of "a|b|c" and the like; empty at the end. `*cursor` is
 * the text at first.
 */
stet_slice stet__config_word(const char **cursor, char between);

#endif
