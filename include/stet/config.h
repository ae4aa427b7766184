/*
 * Configuration: options of a store from a file, the environment and the
 * program, in a library of its own (libstet-config, pkg-config stet-config).
 *
 *     stet_config *c;
 *     stet_opts opts = STET_OPTS_INIT;
 *     stet_config_load("stet.yaml", environ, NULL, &c, &err);
 *     opts.log = ...;
 *     stet_config_opts(c, &opts, &err);
 *     stet_open(stet_config_url(c, NULL), &opts, &s, &err);
 *     stet_config_destroy(c);
 *
 * A *value* stands behind a *key*, "cache.bytes". Of several who say one, the
 * program goes before the environment, the environment before the file, the
 * file before a profile, and a profile before the default. docs/CONFIG.md lists
 * the keys.
 *
 * A key whose part this build does not have is known and checked all the same:
 * a notice tells that it has no effect, and where leaving it out would break
 * what the store promises, stet_config_opts refuses.
 */
#ifndef STET_CONFIG_H
#define STET_CONFIG_H

#include <stet/handle.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Effective values. One thread at a time. */
typedef struct stet_config stet_config;

/* Who said a value, the weakest first. */
typedef enum stet_config_origin {
    STET_CONFIG_FROM_DEFAULT = 1,
    STET_CONFIG_FROM_PROFILE = 2,
    STET_CONFIG_FROM_FILE = 3,
    STET_CONFIG_FROM_ENVIRONMENT = 4,
    STET_CONFIG_FROM_PROGRAM = 5
} stet_config_origin;

/* One value that the program says. */
typedef struct stet_config_setting {
    const char *key; /* as in the file, but for items of lists */
    const char *value;
} stet_config_setting;

/* Options of stet_config_load; all they point at is copied. */
typedef struct stet_config_load_opts {
    size_t struct_size;  /* sizeof(stet_config_load_opts) */
    const char *profile; /* development, staging, production; default: what
                            else says so */
    const stet_config_setting *settings;
    size_t setting_count; /* at most 1,024 */
    /* Read this in place of the file, which then is a name for errors only. */
    stet_slice text;
    stet_allocator allocator; /* default: the heap; the YAML library takes its
                                 own memory from the heap while it reads */
} stet_config_load_opts;

/*
 * Load a configuration: the YAML file at `path` (nullable: no file), variables
 * of the environment, and what the program says.
 *
 * `variables` (nullable) is an environment as main is given it: "NAME=VALUE"
 * each, NULL at the end; nothing else of the process is read. A variable
 * without a value says nothing. `opts` is nullable. Owned by the caller until
 * stet_config_destroy; `*out` is untouched on failure. A file has at most
 * 256 KiB, 16 mappings and lists in each other, and 512 items in a list; no
 * anchors, aliases, tags, directives or second document.
 *
 *   STET_E_INVALID      an unknown key, a value that is wrong, or a key set
 *                       twice: the text names file, line and column, or the
 *                       variable, and the nearest name
 *   STET_E_TOO_LARGE    the file is larger than that
 *   STET_E_UNSUPPORTED  an option that this version does not know
 *   STET_E_NOT_FOUND    there is no such file
 *   STET_E_IO, STET_E_NOMEM
 *
 * Blocks on storage. Thread-safe. Since 0.1.
 */
STET_API STET_NODISCARD stet_status
stet_config_load(const char *path, char *const *variables,
                 const stet_config_load_opts *opts, stet_config **out,
                 stet_error *err);

/*
 * Load again from the same file and `variables`, with what the program said
 * first; on failure everything stays as it was.
 *
 * `*out_changed` (nullable) counts values that are others now, which
 * stet_config_get marks. A store that is open goes on with the options that it
 * was opened with: no option changes while it is open. What was lent by
 * `config` is no longer. Statuses as with stet_config_load.
 *
 * Blocks on storage. Thread: one at a time per configuration. Since 0.1.
 */
STET_API STET_NODISCARD stet_status
stet_config_reload(stet_config *config, char *const *variables,
                   uint64_t *out_changed, stet_error *err);

/*
 * Free a configuration. Accepts NULL.
 *
 * Thread: no other call on it may be running. Since 0.1.
 */
STET_API void stet_config_destroy(stet_config *config);

/*
 * Put the effective values into options of stet_open.
 *
 * Only members that somebody set are written; the rest, which the caller may
 * fill before or after, stays. `opts` began with STET_OPTS_INIT. Texts and
 * rules are lent until `config` is loaded again or destroyed; stet_open copies
 * them. If `opts->log` is set it hears each notice, as a warning.
 *
 *   STET_E_UNSUPPORTED  a value asks for what this build does not have, and the
 *                       store would promise less without it; or `opts` is of
 *                       an older version; it is untouched
 *
 * Thread: one at a time per configuration. Since 0.1.
 */
STET_API STET_NODISCARD stet_status
stet_config_opts(const stet_config *config, stet_opts *opts, stet_error *err);

/*
 * Give the URL to open: `given` (nullable), else what `store` says; "memory:"
 * where `persistence.enabled` is false, whatever is given.
 *
 * Lent until `config` is loaded again or destroyed; `given` is the caller's.
 * Thread: one at a time per configuration. Since 0.1.
 */
STET_API const char *
stet_config_url(const stet_config *config, const char *given);

/*
 * One effective value. Lent with its texts, as those of stet_config_opts are;
 * grows at its end.
 */
typedef struct stet_config_value {
    const char *key;   /* "cache.bytes"; of a list "retention[0].pattern", or
                        "retention[].pattern" where it has no item */
    const char *value; /* NULL: nothing, and there is no default */
    stet_config_origin origin;
    const char *where;          /* "stet.yaml:3", "CACHE_SIZE", "default" */
    const char *allowed;        /* "bytes, 4KiB to 1TiB" */
    const char *default_value;  /* NULL: none */
    const char *variable;       /* "STET_CACHE_BYTES"; "" for items */
    const char *other_variable; /* "CACHE_SIZE"; "" when there is none */
    const char *other_keys;     /* parted by spaces; "" when there are none */
    const char *help;           /* one line */
    const char *built_as; /* NULL: every value has its effect; else the value
                             that this build has without asking, "" for none */
    bool is_effective;    /* this build does as the value says */
    bool is_changed;      /* another than before the last reload */
} stet_config_value;

/*
 * Give the value at an index from 0, NULL behind the last: every key in the
 * order of docs/CONFIG.md, and of lists what each item says.
 *
 * Thread: one at a time per configuration. Since 0.1.
 */
STET_API const stet_config_value *
stet_config_get(const stet_config *config, size_t index);

/*
 * Give the notice at an index from 0, NULL behind the last: of each value that
 * somebody set and that has no effect in this build, and of variables that look
 * like one of these but are none.
 *
 * Lent as texts of stet_config_opts are. Thread: one at a time per
 * configuration. Since 0.1.
 */
STET_API const char *
stet_config_notice(const stet_config *config, size_t index);

#ifdef __cplusplus
}
#endif

#endif
