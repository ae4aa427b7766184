/*
 * Parser, from inside: what the three formats share. For formats only.
 */
#ifndef STET_FORMATS_PARSER_IMPL_H
#define STET_FORMATS_PARSER_IMPL_H

#include "formats/parser.h"

/* A format; its own struct begins with a stet_parser. */
typedef struct stet_parser_ops {
    size_t struct_bytes; /* of the format's own struct, which starts zeroed */
    stet_status (*init)(stet_parser *p, stet_error *err);
    /* After a failed init too. */
    void (*deinit)(stet_parser *p);
    stet_status (*feed)(stet_parser *p, stet_slice bytes, stet_error *err);
    stet_status (*finish)(stet_parser *p, stet_error *err);
} stet_parser_ops;

struct stet_parser {
    const stet_parser_ops *ops;
    stet_allocator alloc;
    const stet_parser_opts *opts; /* borrowed */
    stet_arena arena;             /* what `item` borrows */
    stet_item item;               /* the one being made */
    stet_ignored ignored;
    size_t bom_bytes; /* of the mark, met at the very beginning so far */
    bool is_begun;    /* past where the mark may stand */
};

extern const stet_parser_ops stet__xes_parser_ops;
extern const stet_parser_ops stet__csv_parser_ops;
extern const stet_parser_ops stet__jsonl_parser_ops;

/* Count something left out, under a name. */
void stet__parser_ignore(stet_parser *p, stet_slice name);

/* Empty the arena and start an item. */
void stet__parser_begin_item(stet_parser *p, uint64_t line);

/* Put "line N" in front of an error. */
stet_status stet__parser_fail_at(uint64_t line, stet_status st,
                                 stet_error *err);

/*
 * Finish an item and give it to the callback.
 *
 * Errors of the item get its line; those of the callback stay as they are.
 */
STET_NODISCARD stet_status stet__parser_give(const stet_parser *p,
                                             stet_item *item,
                                             stet_event_kind otherwise,
                                             stet_error *err);

/* The error for a buffer that found no memory, else STET_OK. */
stet_status stet__parser_check(const stet_buf *b, stet_error *err);

#endif
