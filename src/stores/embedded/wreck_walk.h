/*
 * Wreck walk: all records that are left, by rising position.
 *
 * Thread: one at a time.
 */
#ifndef STET_STORES_EMBEDDED_WRECK_WALK_H
#define STET_STORES_EMBEDDED_WRECK_WALK_H

#include "stores/embedded/wreck.h"
#include "stores/embedded/wreck_set.h"

typedef struct stet_wreck_walk {
    stet_wreck *w;
    bool is_telling; /* of what turns out to be lost */
    size_t next;     /* extent */
    uint64_t position;
    const stet_extent *extent; /* at hand; NULL: the next one's turn */
    uint32_t loaded;           /* file whose bytes these are */
    stet_buf bytes;            /* of a segment */
    size_t at;                 /* of the next record of a frame */
    uint64_t frame_position;   /* and its position */
    stet_wreck_set set;
} stet_wreck_walk;

void stet__wreck_walk_init(stet_wreck_walk *k, stet_wreck *w, bool is_telling);
void stet__wreck_walk_deinit(stet_wreck_walk *k);
/* Take the next record, lent until the next call; STET_DONE. STET_E_NOMEM. */
stet_status stet__wreck_walk_next(stet_wreck_walk *k, stet_logged *out,
                                  stet_error *err);

#endif
