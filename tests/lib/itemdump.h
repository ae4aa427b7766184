/*
 * Item dump: what a parser gives, as text that a test can hold against another.
 *
 * An item is one line: the line where it begins, then its kind and all fields
 * that it has, "name=value", the payload or state last.
 */
#ifndef STET_TESTS_ITEMDUMP_H
#define STET_TESTS_ITEMDUMP_H

#include "base/buf.h"
#include "formats/parser.h"

typedef struct itemdump {
    stet_buf text;
    size_t items;
    bool has_lines;    /* begin each item with its line */
    bool has_from;     /* say the state before, as a store would */
    size_t fail_at;    /* refuse this item, from 1; 0: none */
    stet_item_fn then; /* give each item here too; NULL: nowhere */
    void *then_ctx;
    stet_ignored ignored; /* of the newest parse */
    stet_error err;       /* likewise */
    stet_buf id;          /* the newest item's machine */
    stet_buf state_name;  /* what it is in */
} itemdump;

void itemdump_init(itemdump *d);
void itemdump_deinit(itemdump *d);

/* The dump with a NUL behind it, until the next item. */
const char *itemdump_text(itemdump *d);

/* A stet_item_fn; `ctx` is the dump. */
stet_status itemdump_take(void *ctx, const stet_item *item, stet_error *err);

/* Parse an input in pieces of `piece` bytes (0: at once) into the dump. */
stet_status itemdump_parse(itemdump *d, stet_format format, stet_slice input,
                           size_t piece);

/* The same with options; their callback is replaced. */
stet_status itemdump_parse_opts(itemdump *d, stet_format format,
                                const stet_parser_opts *opts, stet_slice input,
                                size_t piece);

/*
 * Parse a file of the real inputs, gzip or not, in pieces of `piece` bytes.
 *
 * They lie in $STET_TEST_DATA, else in ../shared/data; false when the file is
 * not there, for a test to skip.
 */
bool itemdump_parse_real(itemdump *d, stet_format format, const char *name,
                         size_t piece, stet_status *out);

#endif
