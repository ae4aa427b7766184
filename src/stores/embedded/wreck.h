/*
 * Wreck: what is left of a store whose files are damaged or missing, read
 * without a rule that the files fit each other.
 *
 * What counts, as in recover.h, as far as what says so is there:
 *
 *   set       one whose trailer is sound, or its head, which says as much of
 *             the whole; of two that overlap the one made last. It alone tells
 *             of its positions: what an older file says of them may have been
 *             erased since. The segments it stands for are dead
 *   segment   any other with a sound header, or, where that is damaged, with
 *             sound frames of its own number. Its end is the first of: what its
 *             successor's header names, what a clean `super` says, its trailer
 *             A file without a header may be a spare that a recovery began to
 *             copy into and did not name: unless a frame says that something
 *             of its segment was durable, it gives way to the others
 *   frame     one that is sound, up to the segment's end. Where nobody names an
 *             end, those that follow each other from the first on; behind the
 *             first gap only what is known durable, since what was never
 *             acknowledged must not come back
 *   record    one that is sound, in a frame whose header is sound, or in a
 *             sound block of a set
 *
 * Nothing is written. Thread: one at a time.
 */
#ifndef STET_STORES_EMBEDDED_WRECK_H
#define STET_STORES_EMBEDDED_WRECK_H

#include <stet/salvage.h>

#include "stores/embedded/files.h"

/* A file of the store. */
typedef struct stet_wreck_file {
    uint32_t number;
    bool is_set;
    bool is_dead;    /* nothing in it counts */
    bool has_header; /* of a set: its head or trailer says what it is */
    bool has_trailer;
    bool has_content; /* something in it counts */
    bool is_guess;    /* nothing but unproved frames says it is a segment */
    bool is_damaged;
    int fd;
    uint64_t bytes;
    stet_segment_header header;
    stet_trailer trailer;
    uint64_t salt; /* of the frames */
    uint64_t end;  /* offset of it; UINT64_MAX: nobody tells */
} stet_wreck_file;

/* Positions that lie together in a file. */
typedef struct stet_extent {
    uint64_t first;
    uint64_t end;
    uint32_t file;   /* index into files */
    uint32_t length; /* of a frame; 0: a whole set */
    uint64_t offset;
    int64_t recorded;
    uint64_t gap;       /* offset of one in front of it; 0: there is none */
    bool is_behind_gap; /* of a segment whose end nobody names */
    bool is_left;       /* it does not count */
} stet_extent;

typedef struct stet_wreck {
    stet_os *os;
    const stet_allocator *alloc;
    const stet_salvage_opts *opts; /* who hears of losses */
    stet_salvage_report *report;
    int dir;
    int lock; /* -1: there is none */
    bool has_super;
    stet_super super;
    uint64_t mark; /* the greatest that a sound slot says */
    bool has_uuid;
    uint8_t uuid[16];
    stet_buf files;   /* stet_wreck_file, by number */
    stet_buf extents; /* stet_extent, by position */
    uint64_t known;   /* everything below it was durable once */
    uint64_t end;     /* one past the last position that there was */
} stet_wreck;

/*
 * Look at all files; what is lost is told. os, alloc, opts and report are set.
 *
 * STET_E_NOT_FOUND, STET_E_LOCKED, STET_E_FORMAT, STET_E_IO, STET_E_NOMEM;
 * close may follow in any case.
 */
stet_status stet__wreck_open(stet_wreck *w, const char *path, stet_error *err);
void stet__wreck_close(stet_wreck *w);

static inline stet_wreck_file *stet__wreck_files(const stet_wreck *w)
{
    return (stet_wreck_file *)(void *)w->files.ptr;
}

static inline size_t stet__wreck_file_count(const stet_wreck *w)
{
    return w->files.len / sizeof(stet_wreck_file);
}

/* wreck_extents.c: find the extents that count, and how far was known. */
stet_status stet__wreck_scan(stet_wreck *w, stet_error *err);

/* Tell that bytes of a file are lost. */
void stet__wreck_tell(stet_wreck *w, const stet_wreck_file *file, uint64_t from,
                      uint64_t to, const char *why);

/* The same of what turns out while records are read: the file is damaged. */
void stet__wreck_blame(stet_wreck *w, stet_wreck_file *file, uint64_t from,
                       uint64_t to, const char *why);

/* Read a file; what cannot be read is zeros. False: no memory. */
bool stet__wreck_load(const stet_wreck *w, const stet_wreck_file *file,
                      stet_buf *out);

/*
 * Make a segment of a file with a trailer, to read it by its index; NULL: no
 * memory. It is freed before the wreck is closed.
 */
stet_segment *stet__wreck_segment(const stet_wreck *w,
                                  const stet_wreck_file *file);
/* Accepts NULL. */
void stet__wreck_segment_free(stet_segment *s);

#endif
