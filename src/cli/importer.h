/*
 * Importer: the items of files into a store, in batches that go on while
 * earlier ones are still being written.
 *
 * Each file is its own run of batches with its own keys (formats/batch.h). What
 * is counted is durable.
 */
#ifndef STET_CLI_IMPORTER_H
#define STET_CLI_IMPORTER_H

#include <stet/stet.h>

#include "formats/parser.h"

/* What an import came to. */
typedef struct import_counts {
    uint64_t machines;    /* begun by the events stored */
    uint64_t events;      /* stored */
    uint64_t transitions; /* of them */
    uint64_t repeated;    /* events that an earlier import had stored */
} import_counts;

/* Thread: one at a time. */
typedef struct importer importer;

typedef struct importer_opts {
    stet *store; /* borrowed */
    stet_format format;
    stet_slice prefix;       /* borrowed */
    stet_parser_opts parser; /* its callback is replaced */
    uint8_t ns;
} importer_opts;

/* Begin a file; `counts` is added to as batches become durable. */
STET_NODISCARD stet_status importer_open(const importer_opts *opts,
                                         import_counts *counts, importer **out,
                                         stet_error *err);

/* Take the file's next bytes, gzip or not. */
STET_NODISCARD stet_status importer_feed(importer *im, stet_slice bytes,
                                         stet_error *err);

/* End the file: returns when all of it is durable. */
STET_NODISCARD stet_status importer_finish(importer *im, stet_error *err);

/* Lend what the file has that no event can hold. */
const stet_ignored *importer_ignored(const importer *im);

/*
 * Free it, once what is under way is written. After an error, items of a batch
 * that was not full are dropped. Accepts NULL.
 */
void importer_close(importer *im);

#endif
