/*
 * Parser: the bytes of a file as items.
 *
 * Bytes are pushed in pieces of any size; each item goes to a callback as soon
 * as its last byte has come. The pieces make no difference to what comes out.
 * Memory is bounded by the largest item (STET_ITEM_BYTES_MAX), not by the file.
 *
 *   XES   (IEEE 1849) a trace is a machine. Its id is concept:name, else
 *         "trace-N" for the Nth trace of the file; its attributes are the state
 *         it is created with, at the time of its first event. An event is a
 *         transition: action and `to` are concept:name, the actor is
 *         org:resource, the time is time:timestamp; all other attributes are
 *         the payload. Attributes become JSON members: string, date and id as
 *         strings; int, float and boolean as numbers and true or false where
 *         JSON can write them so, else as strings. One with attributes of its
 *         own becomes {"value": V, "children": {...}}, a container
 *         {"children": {...}}, a list [{"key": V}, ...]. What stands outside of
 *         traces is skipped.
 *   CSV   (RFC 4180) a row is a transition of the machine that the case column
 *         names: action and `to` are the activity; all columns without a
 *         meaning of their own are the payload, as strings; an empty cell is
 *         not there.
 *   JSON Lines   a line is an item, its members the fields of formats/item.h.
 *         Without a kind, a line with a state is a save, any other a
 *         transition. A transition without a type takes it from what its
 *         metadata says is true (is_timeout, is_error_recovery, is_admin, in
 *         that order), else from its actor: a system event when that begins
 *         with "system", else a user action.
 *
 * In XES and CSV, attributes and columns "stet:FIELD" are the fields of
 * formats/item.h; "stet:payload" takes the place of all other attributes, and
 * is the state where there is one.
 */
#ifndef STET_FORMATS_PARSER_H
#define STET_FORMATS_PARSER_H

#include <stdbool.h>

#include "base/alloc.h"
#include "formats/format.h"
#include "formats/item.h"

/* Attributes of one trace, event or attribute of XES. */
enum { STET_XES_ATTRIBUTES_MAX = 1024 };

/* Takes one item, lent for the call. */
typedef stet_status (*stet_item_fn)(void *ctx, const stet_item *item,
                                    stet_error *err);

typedef struct stet_parser_opts {
    stet_item_fn next;
    void *ctx;
    /* CSV: the names of columns; empty: the usual ones are looked for. */
    stet_slice case_column;
    stet_slice activity_column;
    stet_slice timestamp_column;
    stet_slice resource_column;
    /* JSON Lines: members without a meaning go into the event's metadata. */
    bool keep_unknown;
} stet_parser_opts;

/* What the parser met and left out. */
enum { STET_IGNORED_NAMES_MAX = 8, STET_IGNORED_NAME_BYTES = 64 };
typedef struct stet_ignored {
    uint64_t count;
    size_t name_count; /* different names, the first ones met */
    char names[STET_IGNORED_NAMES_MAX][STET_IGNORED_NAME_BYTES]; /* maybe cut */
} stet_ignored;

/* Thread: one at a time. */
typedef struct stet_parser stet_parser;

/* `opts` and what it lends stay until stet__parser_destroy. */
STET_NODISCARD stet_status stet__parser_create(const stet_allocator *alloc,
                                               stet_format format,
                                               const stet_parser_opts *opts,
                                               stet_parser **out,
                                               stet_error *err);
/* Accepts NULL. */
void stet__parser_destroy(stet_parser *p);

/*
 * Parse the next bytes.
 *
 * STET_E_INVALID or STET_E_TOO_LARGE: the input is malformed; the text begins
 * with its line, and all items before it have been given. A status of `next` is
 * handed on as it is. After either the parser takes no more.
 */
STET_NODISCARD stet_status stet__parser_feed(stet_parser *p, stet_slice bytes,
                                             stet_error *err);
/* Say that there is no more. */
STET_NODISCARD stet_status stet__parser_finish(stet_parser *p, stet_error *err);

/* Lend what was left out so far. */
const stet_ignored *stet__parser_ignored(const stet_parser *p);

#endif
