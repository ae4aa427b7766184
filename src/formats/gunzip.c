#include "formats/gunzip.h"

#include <inttypes.h>
#include <stdbool.h>

#include <zlib.h>

#include "base/assert.h"
#include "base/error.h"
#include "base/outside.h"
#include "base/sized.h"

enum {
    MAGIC_BYTES = 2,
    /* zlib's way to ask for a gzip header around a window of 32 KiB. */
    GZIP_WINDOW_BITS = 16 + MAX_WBITS,
    /* So that one call's length fits zlib's unsigned, also where it is 16. */
    FEED_BYTES_MAX = 32 * 1024
};

static const uint8_t magic[MAGIC_BYTES] = {0x1f, 0x8b};

typedef enum gunzip_phase {
    PHASE_START = 1,  /* fewer bytes than the magic have come */
    PHASE_PLAIN = 2,  /* not gzip */
    PHASE_MEMBER = 3, /* inside a gzip member */
    PHASE_BETWEEN = 4 /* behind one */
} gunzip_phase;

struct stet_gunzip {
    stet_allocator alloc;
    stet_bytes_fn next;
    void *ctx;
    gunzip_phase phase;
    uint8_t held[MAGIC_BYTES]; /* in START: what has come */
    size_t held_bytes;
    uint64_t offset; /* bytes taken in */
    z_stream z;
    uint8_t out[STET_GUNZIP_BYTES];
};

static void *zlib_alloc(void *opaque, unsigned count, unsigned bytes)
{
    size_t total = 0;
    return stet__mul(count, bytes, &total) ? stet__sized_alloc(opaque, total)
                                           : NULL;
}

static void zlib_free(void *opaque, void *ptr)
{
    stet__sized_free(opaque, ptr);
}

stet_status stet__gunzip_create(const stet_allocator *alloc, stet_bytes_fn next,
                                void *ctx, stet_gunzip **out, stet_error *err)
{
    stet_gunzip *g = stet__alloc_zeroed(alloc, 1, sizeof *g);
    if (g == NULL) {
        return stet__fail(err, STET_E_NOMEM, 0, "open a stream");
    }
    g->alloc = *alloc;
    g->next = next;
    g->ctx = ctx;
    g->phase = PHASE_START;
    g->z.zalloc = zlib_alloc;
    g->z.zfree = zlib_free;
    g->z.opaque = &g->alloc;
    if (inflateInit2(&g->z, GZIP_WINDOW_BITS) != Z_OK) {
        stet__free(alloc, g, sizeof *g);
        return stet__fail(err, STET_E_NOMEM, 0, "open a stream");
    }
    *out = g;
    return STET_OK;
}

void stet__gunzip_destroy(stet_gunzip *g)
{
    if (g != NULL) {
        (void)inflateEnd(&g->z); /* its answer says no more than we know */
        stet_allocator alloc = g->alloc;
        stet__free(&alloc, g, sizeof *g);
    }
}

static stet_status corrupt(const stet_gunzip *g, const char *what,
                           stet_error *err)
{
    return stet__fail(err, STET_E_CORRUPT, 0,
                      "broken gzip at byte %" PRIu64 ": %s", g->offset, what);
}

static stet_status fail_inflate(const stet_gunzip *g, int answer,
                                stet_error *err)
{
    return answer == Z_MEM_ERROR
               ? stet__fail(err, STET_E_NOMEM, 0, "inflate")
               : corrupt(g, g->z.msg == NULL ? "not deflated" : g->z.msg, err);
}

/* Inflate from what is fed; stops behind the member's end. */
static stet_status inflate_member(stet_gunzip *g, stet_slice *bytes,
                                  stet_error *err)
{
    size_t len = bytes->len < FEED_BYTES_MAX ? bytes->len : FEED_BYTES_MAX;
    /* zlib's input is not const by oversight; it only reads. */
    g->z.next_in = (uint8_t *)(uintptr_t)bytes->ptr;
    g->z.avail_in = (unsigned)len;
    int answer = Z_OK;
    do {
        g->z.next_out = g->out;
        g->z.avail_out = sizeof g->out;
        unsigned before = g->z.avail_in;
        answer = inflate(&g->z, Z_NO_FLUSH);
        g->offset += before - g->z.avail_in;
        /* What stands before a break counts, however it came in. */
        size_t made = sizeof g->out - g->z.avail_out;
        stet__outside_sets(g->out, made);
        stet_status st =
            made == 0 ? STET_OK
                      : g->next(g->ctx, stet_slice_of(g->out, made), err);
        if (st == STET_OK && answer != Z_OK && answer != Z_STREAM_END &&
            answer != Z_BUF_ERROR) {
            st = fail_inflate(g, answer, err);
        }
        if (st != STET_OK) {
            return st;
        }
    } while (answer != Z_STREAM_END && g->z.avail_in > 0);
    if (answer == Z_STREAM_END) {
        g->phase = PHASE_BETWEEN;
    }
    size_t taken = len - g->z.avail_in;
    *bytes =
        stet_slice_of((const uint8_t *)bytes->ptr + taken, bytes->len - taken);
    return STET_OK;
}

/* Another member may follow, or zeros that fill up a block. */
static stet_status begin_member(stet_gunzip *g, stet_slice *bytes,
                                stet_error *err)
{
    const uint8_t *p = bytes->ptr;
    if (*p == magic[0]) {
        int answer = inflateReset(&g->z);
        STET_ASSERT(answer == Z_OK);
        g->phase = PHASE_MEMBER;
        return STET_OK;
    }
    if (*p != 0) {
        return corrupt(g, "other bytes behind its end", err);
    }
    g->offset++;
    *bytes = stet_slice_of(p + 1, bytes->len - 1);
    return STET_OK;
}

/* Hand on what was held back to see whether it is the magic. */
static stet_status leave_start(stet_gunzip *g, stet_error *err)
{
    stet_slice held = stet_slice_of(g->held, g->held_bytes);
    if (held.len < MAGIC_BYTES || memcmp(g->held, magic, MAGIC_BYTES) != 0) {
        g->phase = PHASE_PLAIN;
        g->offset += held.len;
        return held.len == 0 ? STET_OK : g->next(g->ctx, held, err);
    }
    g->phase = PHASE_MEMBER;
    return inflate_member(g, &held, err);
}

static stet_status take_start(stet_gunzip *g, stet_slice *bytes,
                              stet_error *err)
{
    const uint8_t *p = bytes->ptr;
    g->held[g->held_bytes++] = *p;
    *bytes = stet_slice_of(p + 1, bytes->len - 1);
    return g->held_bytes < MAGIC_BYTES ? STET_OK : leave_start(g, err);
}

static stet_status take_plain(stet_gunzip *g, stet_slice *bytes,
                              stet_error *err)
{
    stet_slice all = *bytes;
    g->offset += all.len;
    *bytes = stet_slice_of(NULL, 0);
    return g->next(g->ctx, all, err);
}

stet_status stet__gunzip_feed(stet_gunzip *g, stet_slice bytes, stet_error *err)
{
    stet_status st = STET_OK;
    while (st == STET_OK && bytes.len > 0) {
        switch (g->phase) {
        case PHASE_START:
            st = take_start(g, &bytes, err);
            break;
        case PHASE_PLAIN:
            st = take_plain(g, &bytes, err);
            break;
        case PHASE_MEMBER:
            st = inflate_member(g, &bytes, err);
            break;
        case PHASE_BETWEEN:
            st = begin_member(g, &bytes, err);
            break;
        }
    }
    return st;
}

stet_status stet__gunzip_finish(stet_gunzip *g, stet_error *err)
{
    if (g->phase == PHASE_START) {
        return leave_start(g, err);
    }
    if (g->phase == PHASE_MEMBER) {
        return corrupt(g, "it is cut short", err);
    }
    return STET_OK;
}
