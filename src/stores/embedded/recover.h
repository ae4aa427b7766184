/*
 * Recovery: what the files of a store say, without changing any of them.
 *
 * A set whose trailer is sound stands for the segments it was made of, in the
 * chain and in what it proves.
 *
 * The newest segment is the highest-numbered file whose header counts; from it
 * the chain goes back by predecessor. A header counts when it is sound and
 * carries its file's number; one flagged as recovery only when `super` names it
 * live or a counted header names it predecessor: until then it is still a
 * spare. A segment ends where its successor's header, its own trailer or a
 * clean `super` says; the last one, when nobody says, at the first frame that
 * is not sound or does not follow.
 *
 * *known* is the position below which everything was durable: the greatest of
 * the mark in `super`, each header's first position, each trailer's end, the
 * copied end of a recovery that `super` names, and what any sound frame says,
 * also beyond the end. Content that ends below known is damage; content at or
 * above it is whole, but may be in the page cache only.
 */
#ifndef STET_STORES_EMBEDDED_RECOVER_H
#define STET_STORES_EMBEDDED_RECOVER_H

#include "base/buf.h"
#include "core/index.h"
#include "os/os.h"

/*
 * A file N.seg, or N.set. Whatever is still here when recovery is over goes
 * with it.
 */
typedef struct stet_found {
    uint32_t number;
    bool is_set;    /* then `header` has its place in the chain */
    int fd;         /* -1: taken */
    uint64_t bytes; /* size of the file */
    bool is_counted;
    bool is_blank; /* of a segment: zeros are where its header would be */
    stet_segment_header header;
    bool is_sealed; /* a trailer tells, of what follows, all but the image */
    stet_trailer trailer;
    stet_image *image; /* its bytes, not indexed; NULL: not scanned, or taken */
    uint64_t end;
    uint64_t end_position;
    uint32_t last_crc;
    int64_t last_recorded;
} stet_found;

typedef struct stet_recovery {
    stet_os *os;
    const stet_allocator *alloc;
    int dir;
    bool is_readonly; /* take shared locks on the files */
    bool is_direct;   /* frames went past the page cache: read them so, too */
    const stet_super *super;

    stet_found *files; /* by rising number */
    size_t file_count;
    size_t file_cap;
    uint32_t file_max;    /* highest number of all names */
    stet_buf temporaries; /* uint32_t each: numbers of */
    stet_buf indexes;     /* likewise: of merged indexes, which prove nothing */

    stet_found **chain; /* oldest first */
    size_t chain_count;

    uint64_t known;
    uint64_t next; /* one past the last position of sound content */
    /* Of the last file: */
    uint64_t known_offset;  /* where the frame of position `known` begins */
    int64_t known_recorded; /* of the frame before it; 0: none in this file */
    uint64_t torn_bytes;
    bool is_clean; /* a clean `super` tells the end: nothing is to be done */
} stet_recovery;

/* `super` is borrowed; the files are opened, and closed by deinit. */
stet_status stet__recovery_run(stet_recovery *r, stet_error *err);
void stet__recovery_deinit(stet_recovery *r);

/* The last file of the chain; NULL: there is no segment. */
stet_found *stet__recovery_last(const stet_recovery *r);
/* Is the file's number above all that the chain's segments ever had? */
bool stet__recovery_is_above(const stet_recovery *r, const stet_found *f);

#endif
