/*
 * Forgery: changes bytes of a store's files and makes their checksums right, as
 * a bug or somebody with a mind to it would.
 *
 * Of sets only blocks that did not pack are forged: a changed byte leaves their
 * length alone. A logbook's bodies are random, so most of its blocks are such.
 */
#ifndef STET_TESTS_FORGERY_H
#define STET_TESTS_FORGERY_H

#include "base/buf.h"
#include "lib/memdisk.h"

typedef enum forgery_kind {
    FORGERY_SLOT = 0, /* of `super` */
    FORGERY_HEADER,   /* of a segment */
    FORGERY_HEAD,     /* of a set */
    FORGERY_FRAME,    /* its header */
    FORGERY_BLOCK,    /* of a set: its header and what is in it */
    FORGERY_RECORD,   /* of a frame or a block */
    FORGERY_INDEX,    /* a block of an index */
    FORGERY_TRAILER,
} forgery_kind;

/* Something that has a checksum of its own. */
typedef struct forgery_place {
    char name[STET_OS_NAME_MAX];
    forgery_kind kind;
    size_t offset; /* in the file */
    size_t from;   /* bytes [from, to) of it may be changed */
    size_t to;
    bool is_of_set;
    size_t outer;  /* of a record: offset of its frame, or block */
    uint64_t salt; /* of a block, of an index */
    uint32_t number;
} forgery_place;

/* Append all places of the store in the disk's first folder to `out`. */
void forgery_find(memdisk *disk, stet_buf *out);

static inline size_t forgery_count(const stet_buf *places)
{
    return places->len / sizeof(forgery_place);
}

static inline const forgery_place *forgery_at(const stet_buf *places, size_t i)
{
    return &((const forgery_place *)(const void *)places->ptr)[i];
}

/*
 * Flip bits of the place's byte `at`, from its own begin on; false: it is a
 * frame or a record that is not sound.
 */
bool forgery_change(memdisk *disk, const forgery_place *p, size_t at);

/* The same without a checksum that is right: damage. */
void forgery_damage(memdisk *disk, const forgery_place *p);

#endif
