#include "stores/embedded/recover.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/error.h"
#include "base/mark.h"
#include "stores/embedded/files.h"
#include "stores/embedded/names.h"
#include "stores/embedded/scan.h"

enum {
    /*
     * Bytes without a frame after which a file without a header is believed to
     * be a spare: frames that were once durable begin at its second block and
     * follow each other.
     */
    QUIET_BYTES_MAX = 64 * STET_W,
};

/* Files. */

static bool grow(const stet_allocator *a, void **items, size_t *cap,
                 size_t count, size_t bytes)
{
    if (count < *cap) {
        return true;
    }
    size_t more = *cap == 0 ? 16 : 2 * *cap;
    void *p = stet__realloc(a, *items, *cap * bytes, more * bytes);
    if (p == NULL) {
        return false;
    }
    *items = p;
    *cap = more;
    return true;
}

typedef struct listing {
    stet_recovery *r;
    bool is_failed;
} listing;

static bool take_name(void *ctx, const char *name)
{
    listing *l = ctx;
    stet_recovery *r = l->r;
    uint32_t number = 0;
    stet_name_kind kind = stet__name_kind(name, &number);
    if (kind == STET_NAME_SEGMENT || kind == STET_NAME_SET) {
        l->is_failed = !grow(r->alloc, (void **)&r->files, &r->file_cap,
                             r->file_count, sizeof *r->files);
        if (!l->is_failed) {
            r->files[r->file_count++] = (stet_found){
                .number = number,
                .is_set = kind == STET_NAME_SET,
                .fd = -1,
            };
        }
    } else if (kind == STET_NAME_TEMPORARY) {
        stet__buf_put(&r->temporaries, &number, sizeof number);
    } else if (kind == STET_NAME_INDEX) {
        stet__buf_put(&r->indexes, &number, sizeof number);
    }
    l->is_failed =
        l->is_failed || r->temporaries.is_failed || r->indexes.is_failed;
    r->file_max = number > r->file_max ? number : r->file_max;
    return !l->is_failed;
}

/* Where two files have one number the segment comes first. */
static int compare_found(const void *a, const void *b)
{
    const stet_found *x = a;
    const stet_found *y = b;
    return x->number == y->number
               ? x->is_set - y->is_set
               : (x->number > y->number) - (x->number < y->number);
}

static stet_status list_files(stet_recovery *r, stet_error *err)
{
    listing l = {.r = r};
    stet__buf_init(&r->temporaries, r->alloc);
    stet__buf_init(&r->indexes, r->alloc);
    int rc = r->os->list(r->os, r->dir, take_name, &l);
    if (rc < 0) {
        return stet__os_fail(err, rc, "list the store's folder");
    }
    if (l.is_failed) {
        return stet__fail(err, STET_E_NOMEM, 0, "no memory for a listing");
    }
    if (r->file_count > 0) {
        qsort(r->files, r->file_count, sizeof *r->files, compare_found);
    }
    return STET_OK;
}

static stet_found *find_segment(const stet_recovery *r, uint32_t number)
{
    stet_found key = {.number = number};
    return r->file_count == 0 ? NULL
                              : bsearch(&key, r->files, r->file_count,
                                        sizeof *r->files, compare_found);
}

/* Start an error STET_E_CORRUPT that names the file. */
STET_PRINTF(4, 5)
static stet_status damage(const stet_found *f, uint64_t offset, stet_error *err,
                          const char *format, ...)
{
    char text[STET_ERROR_TEXT_MAX];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args); /* cut when too long */
    va_end(args);
    return f->is_set ? stet__damage_of_set(err, f->number, offset, "%s", text)
                     : stet__damage(err, f->number, offset, "%s", text);
}

/* Read the trailer at a file's end: STET_E_NOT_FOUND when none is sound. */
static stet_status get_trailer(const stet_recovery *r, const stet_found *f,
                               stet_trailer *out, stet_error *err)
{
    uint8_t block[STET_W] = {0}; /* where the file is cut meanwhile */
    if (f->bytes % STET_W != 0 || f->bytes < 3 * (uint64_t)STET_W) {
        return STET_E_NOT_FOUND;
    }
    uint64_t at = f->bytes - STET_W;
    stet_index_kind kind =
        f->is_set ? STET_INDEX_OF_SET : STET_INDEX_OF_SEGMENT;
    int64_t n = r->os->pread(r->os, f->fd, block, sizeof block, at);
    if (n < 0) {
        return stet__os_fail(err, (int)n, "read file %" PRIu32, f->number);
    }
    stet_status st = stet__trailer_get(block, out, err);
    if (st == STET_E_FORMAT) {
        return stet__wrap(err, st, "%" PRIu32 ".%s at offset %" PRIu64,
                          f->number, f->is_set ? "set" : "seg", at);
    }
    bool is_own =
        st == STET_OK && out->file == f->number && out->kind == kind &&
        out->end_offset < at &&
        at - out->end_offset == stet__index_bytes(out) - STET_INDEX_BLOCK_BYTES;
    return is_own ? STET_OK : STET_E_NOT_FOUND;
}

/* A set counts by its trailer. */
static stet_status read_set(stet_recovery *r, stet_found *f, stet_error *err)
{
    stet_status st = get_trailer(r, f, &f->trailer, err);
    if (st != STET_OK) {
        return st == STET_E_NOT_FOUND ? STET_OK : st;
    }
    if (memcmp(f->trailer.uuid, r->super->uuid, sizeof f->trailer.uuid) != 0) {
        return damage(f, f->bytes - STET_W, err, "the set is of another store");
    }
    f->header = stet__set_header(&f->trailer);
    f->is_counted = true;
    f->is_sealed = true;
    return STET_OK;
}

/* Read the header, if there is one; a header that does not count is none. */
static stet_status read_header(stet_recovery *r, stet_found *f, stet_error *err)
{
    uint8_t block[STET_W] = {0}; /* where the file is cut meanwhile */
    if (f->bytes < sizeof block) {
        return STET_OK;
    }
    int64_t n = r->os->pread(r->os, f->fd, block, sizeof block, 0);
    if (n < 0) {
        return stet__os_fail(err, (int)n, "read %" PRIu32 ".seg", f->number);
    }
    f->is_blank = stet__is_zeros(block, sizeof block);
    stet_status st = stet__segment_header_get(block, &f->header, err);
    if (st == STET_E_FORMAT) {
        return stet__damage_wrap(err, st, f->number, 0);
    }
    if (st != STET_OK || f->header.file != f->number) {
        return STET_OK;
    }
    const stet_segment_header *h = &f->header;
    if (memcmp(h->uuid, r->super->uuid, sizeof h->uuid) != 0) {
        return stet__damage(err, f->number, 0,
                            "the segment is of another store");
    }
    if (!stet__segment_header_is_sane(h)) {
        return stet__damage(err, f->number, 0, "content of a segment header");
    }
    f->is_counted = true;
    return STET_OK;
}

static stet_status open_file(stet_recovery *r, stet_found *f, stet_error *err)
{
    char name[STET_OS_NAME_MAX];
    if (f->is_set) {
        stet__name_set(f->number, name);
    } else {
        stet__name_segment(f->number, name);
    }
    f->fd = r->os->open(r->os, r->dir, name, 0);
    int rc = f->fd;
    if (rc >= 0 && r->is_readonly) {
        /* Before the header is read: from now on the file is not recycled. */
        rc = r->os->lock(r->os, f->fd, STET_LOCK_SHARED);
    }
    if (rc == -EWOULDBLOCK) {
        STET_MARK("recover.being_recycled");
        return STET_OK; /* it is: nothing stands in it any more */
    }
    int64_t bytes = rc < 0 ? rc : r->os->size(r->os, f->fd);
    if (bytes < 0) {
        return stet__os_fail(err, (int)bytes, "open %s", name);
    }
    f->bytes = (uint64_t)bytes;
    return f->is_set ? read_set(r, f, err) : read_header(r, f, err);
}

/* Chain. */

/* A recovery that nobody names did not happen: its file is still a spare. */
static void discount_recoveries(stet_recovery *r)
{
    for (size_t i = r->file_count; i > 0; i--) {
        stet_found *f = &r->files[i - 1];
        if ((f->header.flags & STET_SEGMENT_RECOVERY) == 0) {
            continue;
        }
        bool is_named = r->super->live == f->number;
        for (size_t j = i; j < r->file_count && !is_named; j++) {
            is_named = r->files[j].is_counted &&
                       r->files[j].header.predecessor == f->number;
        }
        if (f->is_counted && !is_named) {
            STET_MARK("recover.copy_not_named");
            f->is_counted = false;
        }
    }
}

/* Every file that `super` names must be there: it may hold what it promises. */
static stet_status check_named(const stet_recovery *r, stet_error *err)
{
    const stet_super *s = r->super;
    uint32_t named[] = {s->live, s->spare[0], s->spare[1]};
    for (size_t i = 0; i < sizeof named / sizeof named[0]; i++) {
        const stet_found *f = named[i] == 0 ? NULL : find_segment(r, named[i]);
        if (named[i] != 0 && f == NULL) {
            return stet__damage(err, named[i], 0,
                                "the file is missing; super names it");
        }
        if (f != NULL && f->bytes < 2 * (uint64_t)STET_W) {
            return stet__damage(err, named[i], f->bytes,
                                "the file ends here; super names it");
        }
    }
    if (s->live != 0 && !find_segment(r, s->live)->is_counted) {
        return stet__damage(err, s->live, 0,
                            "the segment header is damaged; super names it");
    }
    return STET_OK;
}

/*
 * The set whose last segment had this number: the one that reaches furthest
 * back, made last. NULL: there is none.
 */
static stet_found *find_set(const stet_recovery *r, uint32_t last_file)
{
    stet_found *best = NULL;
    for (size_t i = 0; i < r->file_count; i++) {
        stet_found *f = &r->files[i];
        if (f->is_set && f->is_counted &&
            f->trailer.set.last_file == last_file &&
            (best == NULL ||
             f->header.first_position <= best->header.first_position)) {
            best = f;
        }
    }
    return best;
}

/* What stands in the chain for the segment of this number, or NULL. */
static stet_found *find_link(const stet_recovery *r, uint32_t number)
{
    stet_found *f = find_set(r, number);
    if (f == NULL) {
        f = find_segment(r, number);
    }
    return f != NULL && f->is_counted ? f : NULL;
}

/* The number that the newest segment has, or had before it was settled. */
static uint32_t newest_number(const stet_recovery *r)
{
    uint32_t newest = 0;
    for (size_t i = 0; i < r->file_count; i++) {
        const stet_found *f = &r->files[i];
        uint32_t number = f->is_set ? f->trailer.set.last_file : f->number;
        newest = f->is_counted && number > newest ? number : newest;
    }
    return newest;
}

/* The chain does not go on at a number: because of a set, if one is unsound. */
static stet_status tell_missing(const stet_recovery *r, uint32_t number,
                                stet_error *err)
{
    for (size_t i = 0; i < r->file_count; i++) {
        const stet_found *f = &r->files[i];
        if (f->is_set && !f->is_counted) {
            uint64_t at = f->bytes < STET_W ? 0 : f->bytes - STET_W;
            return damage(f, at, err, "the trailer is damaged");
        }
    }
    return stet__damage(err, number, 0,
                        find_segment(r, number) == NULL
                            ? "the file is missing"
                            : "the segment header is damaged");
}

/* One past what `super` says is known. */
static uint64_t known_of_super(const stet_super *s)
{
    return s->mark > s->clean_position ? s->mark : s->clean_position;
}

/* Walk back from the newest header; the chain is filled oldest first. */
static stet_status find_chain(stet_recovery *r, stet_error *err)
{
    uint32_t number = newest_number(r);
    if (number == 0) {
        return known_of_super(r->super) <= 1
                   ? STET_OK
                   : stet__fail(err, STET_E_CORRUPT, 0,
                                "super at offset 0: positions below %" PRIu64
                                " are durable, but there is no segment",
                                known_of_super(r->super));
    }
    r->chain = stet__alloc_zeroed(r->alloc, r->file_count, sizeof *r->chain);
    if (r->chain == NULL) {
        return stet__fail(err, STET_E_NOMEM, 0, "no memory for a listing");
    }
    while (number != 0) {
        stet_found *f = find_link(r, number);
        if (f == NULL) {
            return tell_missing(r, number, err);
        }
        r->chain[r->chain_count++] = f;
        number = f->header.predecessor;
    }
    for (size_t i = 0; i < r->chain_count / 2; i++) {
        stet_found *t = r->chain[i];
        r->chain[i] = r->chain[r->chain_count - 1 - i];
        r->chain[r->chain_count - 1 - i] = t;
    }
    return STET_OK;
}

/* Trailers. */

/* Read a trailer that fits the file's size, of a segment of this store. */
static stet_status read_trailer(stet_recovery *r, stet_found *f,
                                stet_error *err)
{
    stet_trailer t;
    stet_status st = get_trailer(r, f, &t, err);
    if (st != STET_OK) {
        return st == STET_E_NOT_FOUND ? STET_OK : st;
    }
    if (memcmp(t.uuid, r->super->uuid, sizeof t.uuid) == 0) {
        f->is_sealed = t.end_offset >= 2 * (uint64_t)STET_W;
        f->trailer = t;
    }
    return STET_OK;
}

static bool trailer_fits_header(const stet_found *f)
{
    return f->is_sealed && f->trailer.salt == f->header.salt &&
           f->trailer.first_position == f->header.first_position &&
           f->trailer.end_offset <= f->header.capacity;
}

/* Scanning. */

static void raise_known(stet_recovery *r, uint64_t known)
{
    r->known = known > r->known ? known : r->known;
}

/* Read the file's bytes: a prewritten segment, written past the cache. */
static stet_status load_file(stet_recovery *r, stet_found *f, stet_error *err)
{
    char name[STET_OS_NAME_MAX];
    stet__name_segment(f->number, name);
    int fd = r->is_direct ? r->os->open(r->os, r->dir, name, STET_OPEN_DIRECT)
                          : -EINVAL;
    if (fd < 0 && fd != -EINVAL) {
        return stet__os_fail(err, fd, "open %s", name);
    }
    stet_status st = stet__scan_load(r->os, r->alloc, fd < 0 ? f->fd : fd,
                                     &f->header, &f->image, err);
    if (fd >= 0) {
        (void)r->os->close(r->os, fd); /* was only read */
    }
    return st;
}

/* Read the frames of an unsealed file; `end` UINT64_MAX: nobody names it. */
static stet_status scan_file(stet_recovery *r, stet_found *f, uint64_t end,
                             stet_error *err)
{
    f->is_sealed = false;
    stet_status st = load_file(r, f, err);
    if (st != STET_OK) {
        return st;
    }
    uint64_t limit = stet__scan_limit(f->bytes, &f->header);
    stet_scan s = stet__scan_frames(f->image, &f->header, limit, end);
    if (end != UINT64_MAX) {
        STET_MARK("recover.scan_to_named_end");
    }
    if (end != UINT64_MAX && s.offset != end) {
        return stet__damage(err, f->number, s.offset,
                            "frame is damaged; the segment goes on to %" PRIu64,
                            end);
    }
    raise_known(r, s.durable);
    if (end == UINT64_MAX) {
        raise_known(r,
                    stet__scan_beyond(f->image, &f->header, limit, s.offset));
    }
    f->end = s.offset;
    f->end_position = s.position;
    f->last_crc = s.previous_crc;
    f->last_recorded = s.recorded;
    return STET_OK;
}

static void take_trailer(stet_found *f)
{
    f->end = f->trailer.end_offset;
    f->end_position = f->trailer.end_position;
    f->last_crc = f->trailer.last_frame_crc;
    f->last_recorded = f->trailer.last_recorded;
}

/* A set ended when it was made: does its successor say so, too? */
static stet_status take_set(stet_recovery *r, stet_found *f, uint64_t end,
                            stet_error *err)
{
    raise_known(r, f->trailer.end_position);
    take_trailer(f);
    if (end == UINT64_MAX) {
        r->is_clean =
            r->super->clean_file == f->number && r->super->clean_end == f->end;
        return STET_OK;
    }
    return end == f->trailer.set.last_end
               ? STET_OK
               : damage(f, f->bytes - STET_W, err,
                        "the last segment of the set ended at %" PRIu64
                        ", its successor says %" PRIu64,
                        f->trailer.set.last_end, end);
}

/* Find where a file of the chain ends, and what it proves. */
static stet_status read_file(stet_recovery *r, size_t i, stet_error *err)
{
    stet_found *f = r->chain[i];
    bool is_last = i + 1 == r->chain_count;
    uint64_t end =
        is_last ? UINT64_MAX : r->chain[i + 1]->header.predecessor_end;
    if (f->is_set) {
        return take_set(r, f, end, err);
    }
    raise_known(r, f->header.first_position);
    if ((f->header.flags & STET_SEGMENT_RECOVERY) != 0 &&
        r->super->live == f->number) {
        raise_known(r, f->header.copied_end);
    }
    stet_status st = read_trailer(r, f, err);
    if (st != STET_OK) {
        return st;
    }
    f->is_sealed =
        trailer_fits_header(f) && (is_last || f->trailer.end_offset == end);
    if (f->is_sealed) {
        STET_MARK("recover.trailer");
        raise_known(r, f->trailer.end_position);
        end = f->trailer.end_offset;
    }
    if (is_last && r->super->clean_file == f->number) {
        f->is_sealed = f->is_sealed && end == r->super->clean_end;
        STET_MARK("recover.clean");
        end = r->super->clean_end;
        r->is_clean = true;
    }
    if (f->is_sealed) {
        take_trailer(f);
        return STET_OK;
    }
    if (end == UINT64_MAX && f->bytes < f->header.capacity) {
        return stet__damage(err, f->number, f->bytes,
                            "the file ends here; its segment may go on to "
                            "%" PRIu64,
                            f->header.capacity);
    }
    return scan_file(r, f, end, err);
}

static stet_status read_chain(stet_recovery *r, stet_error *err)
{
    r->next = 1;
    r->known = r->next;
    raise_known(r, known_of_super(r->super));
    for (size_t i = 0; i < r->chain_count; i++) {
        stet_found *f = r->chain[i];
        if (f->header.first_position != r->next) {
            return damage(f, 0, err,
                          "the file begins at position %" PRIu64
                          " where %" PRIu64 " is due",
                          f->header.first_position, r->next);
        }
        stet_status st = read_file(r, i, err);
        if (st != STET_OK) {
            return st;
        }
        r->next = f->end_position;
    }
    return STET_OK;
}

/* Files above the chain. */

/* Is what looks like a frame sound? Then its file was a segment. */
static stet_status check_stray_frame(stet_recovery *r, const stet_found *f,
                                     uint64_t at, uint32_t length,
                                     stet_error *err)
{
    uint8_t *bytes = stet__alloc(r->alloc, length);
    if (bytes == NULL) {
        return stet__fail(err, STET_E_NOMEM, 0, "no memory for a frame");
    }
    stet_frame_header h;
    int64_t n = r->os->pread(r->os, f->fd, bytes, length, at);
    bool is_sound =
        n == (int64_t)length && stet__frame_is_sound(bytes, length, &h);
    stet__free(r->alloc, bytes, length);
    return is_sound ? stet__damage(err, f->number, 0,
                                   "the segment header is damaged")
                    : STET_OK;
}

/*
 * A file without a header that counts must never have been a segment whose
 * frames were known durable: then its header was lost.
 */
static stet_status check_headless(stet_recovery *r, stet_found *f,
                                  stet_error *err)
{
    stet_status st = read_trailer(r, f, err);
    if (st != STET_OK || f->is_sealed) {
        return st != STET_OK ? st
                             : stet__damage(err, f->number, 0,
                                            "the segment header is damaged");
    }
    uint64_t give_up = STET_W + QUIET_BYTES_MAX;
    for (uint64_t at = STET_W; at + STET_W <= f->bytes && at < give_up;
         at += STET_W) {
        uint8_t start[STET_FRAME_HEADER_BYTES];
        stet_frame_header h;
        int64_t n = r->os->pread(r->os, f->fd, start, sizeof start, at);
        if (n < (int64_t)sizeof start) {
            return stet__os_fail(err, n < 0 ? (int)n : -EIO,
                                 "read %" PRIu32 ".seg at offset %" PRIu64,
                                 f->number, at);
        }
        if (!stet__frame_peek(start, f->bytes - at, &h) ||
            h.file != f->number) {
            continue;
        }
        STET_MARK("recover.frame_without_header");
        if (h.durable > h.segment_first) {
            st = check_stray_frame(r, f, at, h.length, err);
        }
        if (st != STET_OK) {
            return st;
        }
        uint64_t end = at + h.length;
        give_up =
            end + QUIET_BYTES_MAX > give_up ? end + QUIET_BYTES_MAX : give_up;
    }
    return STET_OK;
}

bool stet__recovery_is_above(const stet_recovery *r, const stet_found *f)
{
    const stet_found *last = stet__recovery_last(r);
    uint32_t newest = last == NULL   ? 0
                      : last->is_set ? last->trailer.set.last_file
                                     : last->number;
    return f->number > newest;
}

static stet_status check_above(stet_recovery *r, stet_error *err)
{
    /* Also when `super` says clean: it may not name yet what goes on. */
    for (size_t i = 0; i < r->file_count; i++) {
        stet_found *f = &r->files[i];
        if (stet__recovery_is_above(r, f) && !f->is_set) {
            STET_ASSERT(!f->is_counted); /* or the chain would end with it */
            stet_status st = check_headless(r, f, err);
            if (st != STET_OK) {
                return st;
            }
        }
    }
    return STET_OK;
}

/* Known. */

/* In the last file, find the frame at which the known content ends. */
static stet_status find_known(stet_recovery *r, stet_error *err)
{
    stet_found *f = stet__recovery_last(r);
    if (f == NULL) {
        STET_ASSERT(r->known == r->next); /* find_chain looked */
        return STET_OK;
    }
    if (r->known > r->next) {
        return damage(f, f->end, err,
                      "frame is damaged; positions below %" PRIu64
                      " are durable",
                      r->known);
    }
    r->known_offset = f->end;
    r->known_recorded = f->last_recorded;
    if (r->known == r->next) {
        return STET_OK;
    }
    stet_scan s = {.offset = STET_W, .position = f->header.first_position};
    while (s.position < r->known) {
        stet_frame_header h;
        bool is_frame = stet__frame_peek(stet__image_bytes(f->image) + s.offset,
                                         f->end - s.offset, &h);
        STET_ASSERT(is_frame); /* scan_frames was here */
        if (h.events > r->known - s.position) {
            return stet__damage(err, f->number, s.offset,
                                "positions below %" PRIu64
                                " are durable, which is within a frame",
                                r->known);
        }
        s.offset += h.length;
        s.position += h.events;
        s.recorded = h.recorded;
    }
    r->known_offset = s.offset;
    r->known_recorded = s.recorded;
    return STET_OK;
}

/* Bytes behind the content that were written once: a torn tail. */
static uint64_t count_torn(const stet_recovery *r)
{
    const stet_found *f = stet__recovery_last(r);
    if (f == NULL || f->is_sealed || r->is_clean) {
        return 0;
    }
    const uint8_t *bytes = stet__image_bytes(f->image);
    uint64_t end = stet__scan_limit(f->bytes, &f->header);
    while (end > f->end && stet__is_zeros(bytes + end - STET_W, STET_W)) {
        end -= STET_W;
    }
    return end > f->end ? end - f->end : 0;
}

/* A new store's `super`, as stet__slots_create leaves it. */
static bool is_untouched(const stet_recovery *r)
{
    return r->chain_count == 0 && r->super->generation == 2 &&
           r->super->live == 0;
}

stet_found *stet__recovery_last(const stet_recovery *r)
{
    return r->chain_count == 0 ? NULL : r->chain[r->chain_count - 1];
}

stet_status stet__recovery_run(stet_recovery *r, stet_error *err)
{
    stet_status st = list_files(r, err);
    for (size_t i = 0; i < r->file_count && st == STET_OK; i++) {
        st = open_file(r, &r->files[i], err);
    }
    if (st != STET_OK) {
        return st;
    }
    discount_recoveries(r);
    st = check_named(r, err);
    if (st == STET_OK) {
        st = find_chain(r, err);
    }
    if (st == STET_OK) {
        st = read_chain(r, err);
    }
    r->is_clean = r->is_clean || is_untouched(r);
    if (st == STET_OK) {
        st = check_above(r, err);
    }
    if (st == STET_OK) {
        st = find_known(r, err);
    }
    if (st == STET_OK) {
        r->torn_bytes = count_torn(r);
        if (r->torn_bytes > 0) {
            STET_MARK("recover.torn_tail");
        }
        stet__error_reset(err); /* of headers that were looked at in vain */
    }
    return st;
}

void stet__recovery_deinit(stet_recovery *r)
{
    for (size_t i = 0; i < r->file_count; i++) {
        if (r->files[i].fd >= 0) {
            (void)r->os->close(r->os, r->files[i].fd); /* was only read */
        }
        stet__image_destroy(r->files[i].image);
    }
    stet__free(r->alloc, r->files, r->file_cap * sizeof *r->files);
    stet__buf_deinit(&r->temporaries);
    stet__buf_deinit(&r->indexes);
    stet__free(r->alloc, r->chain, r->file_count * sizeof *r->chain);
}
