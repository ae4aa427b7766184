/*
 * XES level: an open element of XES, and the JSON that it becomes.
 *
 * JSON is written while elements come. Whether an attribute has attributes of
 * its own is known only at the first of them; `{"value":` is then put in front
 * of the value, which is still the last thing written.
 *
 *   <string key="a" value="v"/>                    "a":"v"
 *   <string key="a" value="v"> with attributes     "a":{"value":"v",
 *                                                       "children":{...}}
 *   <container key="a"> with attributes            "a":{"children":{...}}
 *   <list key="a"> with attributes                 "a":[{"KEY":...},...]
 */
#ifndef STET_FORMATS_XES_LEVEL_H
#define STET_FORMATS_XES_LEVEL_H

#include <stdbool.h>

#include "base/buf.h"

typedef enum stet_xes_kind {
    STET_XES_LOG = 1,
    STET_XES_TRACE = 2,
    STET_XES_EVENT = 3,
    STET_XES_SCALAR = 4,    /* an attribute with a value */
    STET_XES_CONTAINER = 5, /* one without */
    STET_XES_LIST = 6,
    STET_XES_VALUES = 7, /* <values>: its children are the list's */
    STET_XES_FIELD = 8,  /* an attribute that is a field of the item */
    STET_XES_SKIPPED = 9
} stet_xes_kind;

typedef struct stet_xes_level {
    stet_xes_kind kind;
    uint32_t children;   /* attributes in it that were written */
    size_t value_offset; /* SCALAR: where its value begins in the JSON */
    size_t keys_offset;  /* where the keys of its children begin */
    bool is_in_list;     /* it is wrapped as {"key": ...} */
} stet_xes_level;

/* The kind of an attribute's element; STET_XES_SKIPPED when it is none. */
stet_xes_kind stet__xes_attribute_kind(stet_slice tag);

/* Write a value as JSON can say it, else as a string. */
void stet__xes_put_value(stet_buf *json, stet_slice tag, stet_slice value);

/* Write what goes in front of a child of a level, and count the child. */
void stet__xes_open_child(stet_buf *json, stet_xes_level *in);

/* Write what goes behind the last child, or all of it when there is none. */
void stet__xes_close_children(stet_buf *json, const stet_xes_level *of);

#endif
