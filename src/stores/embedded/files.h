/*
 * Files: segments that are open, and the table that readers look them up in.
 *
 * A segment is counted: whoever holds a reference may read it, also when its
 * file has left the directory. It is *unsealed*, with an image of all its bytes
 * and their index in memory, or *sealed*, with its index in the file (see
 * sealed.h), or a *set*, which holds the records of segments that were settled,
 * and is read as a sealed one (see settled.h). A *merged index* is an index
 * alone, about several sets; it passes for a segment where indexes are read.
 *
 * The table lists segments by rising position. It is counted too, and immutable
 * but for its end, where a turn appends; any other change is a new table in its
 * place. So a reader that lends it sees one state of the log, perhaps with
 * newer segments at the end, whose positions are above what it may see.
 */
#ifndef STET_STORES_EMBEDDED_FILES_H
#define STET_STORES_EMBEDDED_FILES_H

#include <stdatomic.h>

#include "core/index.h"
#include "core/tail.h"
#include "os/os.h"
#include "stores/embedded/names.h"
#include "stores/embedded/unpacked.h"

typedef struct stet_sealed_tables stet_sealed_tables;

/*
 * An image that waits for the next segment: its pages are there, which new ones
 * would have to be made. Atomic: the last reader of a segment lets it go.
 */
typedef _Atomic(stet_image *) stet_idle_image;

typedef struct stet_segment {
    const stet_allocator *alloc;
    stet_os *os;
    _Atomic uint32_t refs;
    int fd;
    stet_segment_header
        header; /* positions and predecessor are set at a turn */

    /* Unsealed. */
    stet_image *image;     /* NULL: sealed */
    stet_idle_image *idle; /* takes the image in the end; NULL: it is freed */
    stet_tail tail;        /* of one that this open writes */
    bool is_own;           /* it does */
    bool is_ahead_asked;   /* the keeper was told to make the next; under seq */
    uint64_t end;          /* offset where its frames end; under files if own */
    uint64_t sealed_bytes; /* the file has an index all the same; 0: none */
    uint32_t last_crc;     /* of its last frame, once it has ended */
    _Atomic bool is_dirty; /* written, perhaps not synced; level os only */

    /* Sealed, or a set: its header has no more than a segment's place. */
    stet_trailer trailer;
    stet_unpacked *unpacked; /* of a set: the log's; NULL: keeps nothing */
    _Atomic(stet_sealed_tables *) tables; /* loaded at first use */
    _Atomic bool is_unsound; /* a merged index, with which something is wrong */
} stet_segment;

/* Create one with one reference, that of the caller; it owns fd and image. */
stet_segment *stet__segment_create(const stet_allocator *alloc, stet_os *os,
                                   int fd, const stet_segment_header *header);
stet_segment *stet__segment_ref(stet_segment *s);
/* Accepts NULL. */
void stet__segment_unref(stet_segment *s);

static inline bool stet__segment_is_set(const stet_segment *s)
{
    return stet__trailer_is_of_set(&s->trailer);
}

/* What its name tells. */
stet_name_kind stet__segment_kind(const stet_segment *s);

/* The number by which a successor's header knows it. */
uint32_t stet__segment_rank(const stet_segment *s);
/* Where its frames end or, in a set, those of its last segment did. */
uint64_t stet__segment_end(const stet_segment *s);

/* What stands for a segment in a search has a set's trailer. */
stet_segment_header stet__set_header(const stet_trailer *t);

/* Start an error STET_E_CORRUPT that names the segment's file. */
stet_status stet__segment_damage(const stet_segment *s, uint64_t offset,
                                 stet_error *err, const char *format, ...)
    STET_PRINTF(4, 5);
/* The same in front of what a lower layer said; `st` stays. */
stet_status stet__segment_damage_wrap(const stet_segment *s, uint64_t offset,
                                      stet_status st, stet_error *err);

/* Bytes of a whole index, its trailer included. */
uint64_t stet__index_bytes(const stet_trailer *t);

/* Read exactly `len` bytes; fewer are damage. */
stet_status stet__segment_pread(const stet_segment *s, void *ptr, size_t len,
                                uint64_t offset, stet_error *err);

/*
 * Index an image's frames, which a scan found sound, up to the offset `end`;
 * sets end and last_crc. STET_E_CORRUPT, STET_E_FORMAT.
 */
stet_status stet__segment_index(stet_segment *s, uint64_t end, stet_error *err);

/* Sixteen of each of four levels: of sets by the ten thousand. */
enum { STET_MERGED_MAX = 64 };

typedef struct stet_files {
    const stet_allocator *alloc;
    uint32_t refs; /* under the log's files lock */
    uint32_t cap;
    uint32_t merged_count;
    stet_segment
        *merged[STET_MERGED_MAX]; /* by rising position, see merged.h */
    _Atomic uint32_t count;
    stet_segment *items[];
} stet_files;

/* An empty table with one reference. */
stet_files *stet__files_create(const stet_allocator *alloc, uint32_t cap);
/* Free it and drop its references to segments, once nobody refers to it. */
void stet__files_destroy(stet_files *t);

uint32_t stet__files_count(const stet_files *t);
/* Append; takes over the caller's reference. Asserts that there is room. */
void stet__files_push(stet_files *t, stet_segment *s);
/* The same of a merged index, in its place; before the table is shown. */
void stet__files_push_merged(stet_files *t, stet_segment *index);

/* Index of the segment that holds a position; UINT32_MAX: below the first. */
uint32_t stet__files_locate(const stet_files *t, uint64_t position);

#endif
