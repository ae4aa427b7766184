/*
 * Exporter: a machine's history on its way out of a store, into a file or, by
 * an importer, into another store.
 */
#ifndef STET_CLI_EXPORTER_H
#define STET_CLI_EXPORTER_H

#include <stet/read.h>

#include "formats/printer.h"

/* Whose history is printed, under which id, and how much of it. */
typedef struct exported {
    stet_slice id;
    stet_slice as;
    stet_history_opts opts;
} exported;

/* Print it; the printer goes on. As stet_history_open and _next. */
STET_NODISCARD stet_status exporter_print(stet_printer *printer, stet *s,
                                          const exported *what,
                                          stet_error *err);

#endif
