/*
 * Media file: one file of a simulated disk, as the page cache shows it and as
 * the media hold it. Between the two wait changes that no sync carried over.
 *
 * Where something fails only some of what was under way arrives: changes whole,
 * not at all, or by sectors that are kept, dropped, torn or junk.
 */
#ifndef STET_TESTS_MEDIAFILE_H
#define STET_TESTS_MEDIAFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/rng.h"

enum { MEDIAFILE_SECTOR_BYTES = 512 };

typedef struct mediafile_content {
    uint8_t *bytes;
    size_t len;
    size_t cap;
} mediafile_content;

/* A write, or with `is_cut` a truncation to `at`. */
typedef struct mediafile_change {
    bool is_cut;
    size_t at;
    size_t len;
    uint8_t *bytes;
} mediafile_change;

typedef struct mediafile {
    mediafile_content seen;
    mediafile_content media;
    mediafile_change *pending;
    size_t pending_count;
    size_t pending_cap;
    size_t broken_at;
    size_t broken_len;
    bool is_split; /* a sync or a write failed: the cache shows what is not */
} mediafile;

/* All zeros is an empty file. */
void mediafile_deinit(mediafile *f);
/* Empty again, for another use. */
void mediafile_reset(mediafile *f);
/* Become what the cache of `from` shows, on the media too. */
void mediafile_copy(mediafile *f, const mediafile *from);

/* Change what the cache shows; the bytes are copied. */
void mediafile_change_cached(mediafile *f, const mediafile_change *c);
/*
 * Write past the cache: durable, with what older changes it covers. `lossy` not
 * NULL: the write fails.
 */
void mediafile_write_through(mediafile *f, const mediafile_change *c,
                             rng *lossy);
/*
 * Read from the media (`is_direct`) or the cache: the bytes that were there, up
 * to `len`, or a negative errno.
 */
int64_t mediafile_read(mediafile *f, void *ptr, size_t len, uint64_t off,
                       bool is_direct);

/*
 * Carry all over. `lossy` not NULL: the sync fails, and what it was for is
 * forgotten all the same: the pages are clean now.
 */
void mediafile_sync(mediafile *f, rng *lossy);
/* Power is cut: the cache shows what the media have got. */
void mediafile_cut_power(mediafile *f, rng *r);

/* Damage at rest: the file ends there, or grows to there. */
void mediafile_cut(mediafile *f, size_t len);

#endif
