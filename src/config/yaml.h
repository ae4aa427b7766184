/*
 * Yaml: a file as a run of parts, each with its place.
 *
 * The one file of this room that knows the YAML library. What comes out is
 * plain: mappings, lists and scalars of one document. Anchors, aliases, tags
 * and directives are refused by name, so a short file never grows into a long
 * one, and a value never means what it does not show.
 *
 * What is not UTF-8 text is refused before the library sees it, since it loops
 * on some of it, and so are long runs of quotes, over which it loses memory.
 */
#ifndef STET_CONFIG_YAML_H
#define STET_CONFIG_YAML_H

#include <stdbool.h>
#include <stdint.h>

#include <stet/slice.h>
#include <stet/status.h>

#include "base/alloc.h"

enum {
    STET_CONFIG_BYTES_MAX = 256 * 1024, /* of a file */
    STET_CONFIG_DEPTH_MAX = 16 /* of mappings and lists in each other */
};

typedef enum stet_yaml_kind {
    STET_YAML_END = 0, /* of the file */
    STET_YAML_MAP = 1,
    STET_YAML_MAP_END = 2,
    STET_YAML_LIST = 3,
    STET_YAML_LIST_END = 4,
    STET_YAML_SCALAR = 5
} stet_yaml_kind;

/* One part; the text is lent until the next is taken. */
typedef struct stet_yaml_part {
    stet_yaml_kind kind;
    stet_slice text; /* of a scalar, without quotes */
    bool is_null;    /* nothing, null or ~, without quotes */
    uint32_t line;   /* from 1; of an end that of the part before */
    uint32_t column; /* likewise */
} stet_yaml_part;

typedef struct stet_yaml stet_yaml;

/*
 * Begin to read `text`, which is lent until it is closed, as is `name`. Errors
 * begin with the place, as in "name:3:5: ...". STET_E_INVALID,
 * STET_E_TOO_LARGE, STET_E_NOMEM. The library takes memory of its own from the
 * heap.
 */
STET_NODISCARD stet_status stet__yaml_open(stet_slice text, const char *name,
                                           const stet_allocator *alloc,
                                           stet_yaml **out, stet_error *err);

/* Take the next part; STET_YAML_END again and again at the end. */
STET_NODISCARD stet_status stet__yaml_next(stet_yaml *y, stet_yaml_part *out,
                                           stet_error *err);

/* Accepts NULL. */
void stet__yaml_close(stet_yaml *y);

#endif
