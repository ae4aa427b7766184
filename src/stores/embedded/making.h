/*
 * Making: a file that has no name yet. It is written as tmp-N, synced as it
 * grows, and means nothing until it is named N.set or N.idx; the folder is
 * synced then.
 *
 * Thread: the settler's; naming and dropping are the worker's, too.
 */
#ifndef STET_STORES_EMBEDDED_MAKING_H
#define STET_STORES_EMBEDDED_MAKING_H

#include "stores/embedded/log.h"
#include "stores/embedded/names.h"

/* What is written in one piece, and synced. */
enum { STET_MAKING_PIECE_BYTES = 1024 * 1024 };

typedef struct stet_making {
    stet_embedded *e;
    uint32_t number;
    int fd;        /* -1: none, or it became another's */
    bool is_there; /* under its temporary name */
    uint64_t written;
} stet_making;

/* Draw a number; the worker's. STET_E_NOSPACE: none is left. */
stet_status stet__making_begin(stet_making *m, stet_embedded *e,
                               stet_error *err);
stet_status stet__making_create(stet_making *m, stet_error *err);
/* Write behind what was written; `bytes` is left as it is. */
stet_status stet__making_write(stet_making *m, stet_slice bytes,
                               stet_error *err);
/*
 * Make what was written durable; `is_whole`: the file's size, too. Poisons when
 * it fails: nothing that counts was synced, but who knows what else was not.
 */
stet_status stet__making_sync(stet_making *m, bool is_whole, stet_error *err);
/* Say that a call on the file failed. */
stet_status stet__making_failed(const stet_making *m, int rc, const char *verb,
                                stet_error *err);
/*
 * Give the file its name: from now on it counts. Poisons as
 * stet__embedded_rename.
 */
stet_status stet__making_name(stet_making *m, stet_name_kind kind,
                              stet_error *err);
/* Close and remove what has no name yet; accepts that there is no file. */
void stet__making_drop(stet_making *m);

#endif
