/*
 * Box: a folded state, counted and immutable once it is shared.
 *
 * One allocation holds the box, the public view and the bytes the view points
 * at, but for a state that an event left as it was: that may stay in an older
 * box, the *lender*. A box belongs to whoever holds a reference, also after its
 * handle closed, so it carries its own copy of the allocator. Thread-safe once
 * shared.
 */
#ifndef STET_ENGINE_BOX_H
#define STET_ENGINE_BOX_H

#include <stdatomic.h>

#include <stet/state.h>

#include "base/alloc.h"

/* The time of an event that takes it from being sequenced, before that. */
#define STET_TIME_UNSET INT64_MIN

/* What is known of a state's bytes without parsing them again. */
typedef enum stet_shape {
    STET_SHAPE_UNKNOWN = 0,
    STET_SHAPE_OBJECT = 1, /* a JSON object within the limits, or empty */
    STET_SHAPE_OTHER = 2,
} stet_shape;

typedef struct stet_box {
    stet_state view; /* first: a public pointer is a pointer to the box */
    stet_allocator alloc;
    size_t bytes;            /* of the whole allocation */
    struct stet_box *lender; /* has the state's bytes, referenced; NULL: none */
    _Atomic uint32_t refs;
    _Atomic uint32_t shape; /* stet_shape; learned once, by whoever asks */
} stet_box;

/* What a box is made from; slices are copied, but for what is lent. */
typedef struct stet_box_parts {
    stet_box *lender; /* `data` is its state's bytes; NULL: copy them */
    uint8_t ns;
    stet_slice id;
    stet_slice data;
    stet_slice type;
    stet_slice name;
    stet_slice version;
    stet_slice metadata;
    int64_t created_at;
} stet_box_parts;

/* Create with one reference; seq, position and times are the caller's to set
 * before sharing it. NULL: no memory. */
stet_box *stet__box_create(const stet_allocator *alloc,
                           const stet_box_parts *parts);
stet_box *stet__box_ref(stet_box *box);
/* Accepts NULL. */
void stet__box_unref(stet_box *box);

/* Bytes that a box keeps in memory, those of its lender included. */
size_t stet__box_weight(const stet_box *box);

/* The parts of a box, to make the next one from. */
stet_box_parts stet__box_parts_of(const stet_box *box);

/*
 * Learn (once) whether the state is a JSON object that folds accept. UNKNOWN:
 * no memory.
 */
stet_shape stet__box_shape(stet_box *box);

#endif
