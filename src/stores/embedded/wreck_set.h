/*
 * Wreck of a set: its records, as far as blocks are sound, found by the blocks'
 * own headers: neither the list of blocks nor any other index is asked.
 *
 * When a record was recorded stands in the times, in front of all records, each
 * frame's since the one before. With one piece of them gone those before it
 * count from the set's first stamp, and those behind it back from its last. A
 * record whose stamp is gone cannot be told.
 */
#ifndef STET_STORES_EMBEDDED_WRECK_SET_H
#define STET_STORES_EMBEDDED_WRECK_SET_H

#include "stores/embedded/wreck.h"

typedef struct stet_wreck_set {
    stet_wreck *w;
    stet_wreck_file *file; /* that is loaded */
    bool is_telling;       /* of what turns out to be lost */
    stet_buf bytes;        /* of the file */
    stet_buf content;      /* of all sound blocks, one behind the other */
    stet_buf pieces;       /* of it: wreck_piece */
    stet_buf times;        /* by slot: wreck_time */
    stet_buf items;        /* by slot: wreck_item */
    size_t next_time;
    size_t next_item;
} stet_wreck_set;

void stet__wreck_set_init(stet_wreck_set *s, stet_wreck *w, bool is_telling);
void stet__wreck_set_deinit(stet_wreck_set *s);
/* Load a set in place of the one before. STET_E_NOMEM. */
stet_status stet__wreck_set_load(stet_wreck_set *s, stet_wreck_file *file,
                                 stet_error *err);
/* Take its next record, lent until the next load; false: there is none. */
bool stet__wreck_set_next(stet_wreck_set *s, stet_logged *out);

#endif
