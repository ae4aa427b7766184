/*
 * Printer: the events of machines as the bytes of a file.
 *
 * What is printed reads back (formats/parser.h) as the same histories: the same
 * ids, and for each event the same kind, states, action, actor, times, payload
 * and state bytes, and all other fields of formats/item.h. Not kept are what
 * the store gives (positions, recorded times) and that a machine is a fork: its
 * history is printed in full.
 *
 * XES and CSV are made for tools that mine processes, which look at the usual
 * attributes and columns; what those cannot say exactly is said once more in
 * "stet:FIELD", which only our parser reads.
 */
#ifndef STET_FORMATS_PRINTER_H
#define STET_FORMATS_PRINTER_H

#include <stet/state.h>

#include "base/alloc.h"
#include "formats/format.h"
#include "formats/item.h"

/* Thread: one at a time. */
typedef struct stet_printer stet_printer;

/* `next` takes what is printed, some 64 KiB at a time. */
STET_NODISCARD stet_status stet__printer_create(const stet_allocator *alloc,
                                                stet_format format,
                                                stet_bytes_fn next, void *ctx,
                                                stet_printer **out,
                                                stet_error *err);
/* Accepts NULL. */
void stet__printer_destroy(stet_printer *p);

/* Begin a machine; its events follow, from the first on. */
STET_NODISCARD stet_status stet__printer_machine(stet_printer *p, stet_slice id,
                                                 stet_error *err);
/* Print the machine's next event, from a history with STET_HISTORY_STATES. */
STET_NODISCARD stet_status stet__printer_event(stet_printer *p,
                                               const stet_event *event,
                                               stet_error *err);
/* Print the machine's next event as an item; the item's id is not looked at. */
STET_NODISCARD stet_status stet__printer_item(stet_printer *p,
                                              const stet_item *item,
                                              stet_error *err);
/* End the file and hand on what is left. */
STET_NODISCARD stet_status stet__printer_finish(stet_printer *p,
                                                stet_error *err);

#endif
