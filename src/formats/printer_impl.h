/*
 * Printer, from inside: what the three formats share. For formats only.
 */
#ifndef STET_FORMATS_PRINTER_IMPL_H
#define STET_FORMATS_PRINTER_IMPL_H

#include "formats/printer.h"

/*
 * A format. Its functions append to `out`, whose failed appends are found
 * later; where one finds no memory besides, it marks `out` as failed. NULL: the
 * format has nothing to print there.
 */
typedef struct stet_printer_ops {
    void (*begin)(stet_printer *p);
    void (*begin_machine)(stet_printer *p);
    void (*put)(stet_printer *p, const stet_item *item);
    void (*end_machine)(stet_printer *p);
    void (*end)(stet_printer *p);
} stet_printer_ops;

struct stet_printer {
    const stet_printer_ops *ops;
    stet_allocator alloc;
    stet_bytes_fn next;
    void *ctx;
    stet_buf out;        /* printed and not yet handed on */
    stet_arena arena;    /* scratch of one item */
    stet_buf scratch;    /* likewise */
    stet_buf keys;       /* likewise */
    stet_buf id;         /* of the machine */
    stet_buf state_name; /* of the machine before the item */
    stet_buf metadata;   /* of the machine before the item */
    uint64_t items;      /* of the machine, so far */
    uint64_t last_seq;   /* of its last event that is all there; 0: none */
    bool is_begun;
    bool has_machine;
};

extern const stet_printer_ops stet__xes_printer_ops;
extern const stet_printer_ops stet__csv_printer_ops;
extern const stet_printer_ops stet__jsonl_printer_ops;

/* Lend the text of a field's value until the next call; empty for none. */
stet_slice stet__printer_value(stet_printer *p, const stet_item *item,
                               stet_field field);

#endif
