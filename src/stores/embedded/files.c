#include "stores/embedded/files.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/assert.h"
#include "base/error.h"
#include "stores/embedded/names.h"
#include "stores/embedded/sealed.h"

stet_segment *stet__segment_create(const stet_allocator *alloc, stet_os *os,
                                   int fd, const stet_segment_header *header)
{
    stet_segment *s = stet__alloc_zeroed(alloc, 1, sizeof *s);
    if (s == NULL) {
        return NULL;
    }
    s->alloc = alloc;
    s->os = os;
    s->fd = fd;
    s->header = *header;
    atomic_init(&s->refs, 1);
    atomic_init(&s->is_dirty, false);
    atomic_init(&s->tables, NULL);
    atomic_init(&s->is_unsound, false);
    return s;
}

stet_segment *stet__segment_ref(stet_segment *s)
{
    /* Relaxed: the caller holds a reference, so nothing can happen before. */
    atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
    return s;
}

static void let_go_image(stet_segment *s)
{
    stet_image *none = NULL;
    /* Release: who takes it sees that nobody reads it any more. */
    if (s->idle == NULL || s->image == NULL ||
        !atomic_compare_exchange_strong_explicit(s->idle, &none, s->image,
                                                 memory_order_release,
                                                 memory_order_relaxed)) {
        stet__image_destroy(s->image);
    }
}

void stet__segment_unref(stet_segment *s)
{
    /* Both: what others did with it comes before what the last one frees. */
    if (s == NULL ||
        atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) > 1) {
        return;
    }
    if (s->fd >= 0) {
        (void)s->os->close(s->os, s->fd); /* what counts was synced before */
    }
    let_go_image(s);
    stet__sealed_tables_destroy(
        s->alloc, atomic_load_explicit(&s->tables, memory_order_relaxed));
    stet__free(s->alloc, s, sizeof *s);
}

uint32_t stet__segment_rank(const stet_segment *s)
{
    return stet__segment_is_set(s) ? s->trailer.set.last_file : s->header.file;
}

uint64_t stet__segment_end(const stet_segment *s)
{
    return stet__segment_is_set(s) ? s->trailer.set.last_end : s->end;
}

stet_segment_header stet__set_header(const stet_trailer *t)
{
    STET_ASSERT(stet__trailer_is_of_set(t));
    stet_segment_header h = {
        .format = t->format,
        .file = t->file,
        .salt = t->salt,
        .first_position = t->first_position,
        .predecessor = t->set.predecessor,
        .predecessor_end = t->set.predecessor_end,
    };
    memcpy(h.uuid, t->uuid, sizeof h.uuid);
    return h;
}

stet_name_kind stet__segment_kind(const stet_segment *s)
{
    static const stet_name_kind kinds[] = {
        [STET_INDEX_OF_SEGMENT] = STET_NAME_SEGMENT,
        [STET_INDEX_OF_SET] = STET_NAME_SET,
        [STET_INDEX_MERGED] = STET_NAME_INDEX,
    };
    return kinds[s->trailer.kind];
}

static const char *suffix(const stet_segment *s)
{
    return stet__name_suffix(stet__segment_kind(s));
}

stet_status stet__segment_damage(const stet_segment *s, uint64_t offset,
                                 stet_error *err, const char *format, ...)
{
    char text[STET_ERROR_TEXT_MAX];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args); /* cut when too long */
    va_end(args);
    return stet__fail(err, STET_E_CORRUPT, 0,
                      "%" PRIu32 "%s at offset %" PRIu64 ": %s", s->header.file,
                      suffix(s), offset, text);
}

stet_status stet__segment_damage_wrap(const stet_segment *s, uint64_t offset,
                                      stet_status st, stet_error *err)
{
    return stet__wrap(err, st, "%" PRIu32 "%s at offset %" PRIu64,
                      s->header.file, suffix(s), offset);
}

uint64_t stet__index_bytes(const stet_trailer *t)
{
    return ((uint64_t)stet__trailer_number(t) + 1) * STET_INDEX_BLOCK_BYTES;
}

stet_status stet__segment_pread(const stet_segment *s, void *ptr, size_t len,
                                uint64_t offset, stet_error *err)
{
    int64_t n = s->os->pread(s->os, s->fd, ptr, len, offset);
    if (n < 0) {
        return stet__os_fail(err, (int)n,
                             "read %" PRIu32 "%s at offset %" PRIu64,
                             s->header.file, suffix(s), offset);
    }
    if ((uint64_t)n < len) {
        return stet__segment_damage(s, offset + (uint64_t)n, err,
                                    "the file ends here");
    }
    return STET_OK;
}

stet_status stet__segment_index(stet_segment *s, uint64_t end, stet_error *err)
{
    const uint8_t *bytes = stet__image_bytes(s->image);
    s->last_crc = (uint32_t)s->header.salt;
    s->end = STET_W;
    while (s->end < end) {
        stet_frame_header h;
        bool is_frame = stet__frame_peek(bytes + s->end, end - s->end, &h);
        STET_ASSERT(is_frame); /* a scan was here */
        stet_status st = stet__image_index(s->image, (uint32_t)s->end, err);
        if (st != STET_OK) {
            return stet__damage_wrap(err, st, s->header.file, s->end);
        }
        s->last_crc = h.crc;
        s->end += h.length;
    }
    return STET_OK;
}

/* Tables. */

static size_t table_bytes(uint32_t cap)
{
    return sizeof(stet_files) + cap * sizeof(stet_segment *);
}

stet_files *stet__files_create(const stet_allocator *alloc, uint32_t cap)
{
    stet_files *t = stet__alloc_zeroed(alloc, 1, table_bytes(cap));
    if (t == NULL) {
        return NULL;
    }
    t->alloc = alloc;
    t->refs = 1;
    t->cap = cap;
    atomic_init(&t->count, 0);
    return t;
}

void stet__files_destroy(stet_files *t)
{
    if (t == NULL) {
        return;
    }
    uint32_t count = stet__files_count(t);
    for (uint32_t i = 0; i < count; i++) {
        stet__segment_unref(t->items[i]);
    }
    for (uint32_t i = 0; i < t->merged_count; i++) {
        stet__segment_unref(t->merged[i]);
    }
    stet__free(t->alloc, t, table_bytes(t->cap));
}

uint32_t stet__files_count(const stet_files *t)
{
    /* Acquire: pairs with stet__files_push. */
    return atomic_load_explicit(&t->count, memory_order_acquire);
}

void stet__files_push(stet_files *t, stet_segment *s)
{
    uint32_t count = stet__files_count(t);
    STET_ASSERT(count < t->cap);
    STET_ASSERT(count == 0 || t->items[count - 1]->header.first_position <
                                  s->header.first_position);
    t->items[count] = s;
    /* Release: who sees the count sees the segment. */
    atomic_store_explicit(&t->count, count + 1, memory_order_release);
}

void stet__files_push_merged(stet_files *t, stet_segment *index)
{
    STET_ASSERT(t->merged_count < STET_MERGED_MAX);
    uint32_t i = t->merged_count++;
    while (i > 0 && t->merged[i - 1]->header.first_position >
                        index->header.first_position) {
        t->merged[i] = t->merged[i - 1];
        i--;
    }
    t->merged[i] = index;
}

uint32_t stet__files_locate(const stet_files *t, uint64_t position)
{
    uint32_t from = 0;
    uint32_t to = stet__files_count(t);
    while (from < to) {
        uint32_t middle = from + (to - from) / 2;
        if (t->items[middle]->header.first_position <= position) {
            from = middle + 1;
        } else {
            to = middle;
        }
    }
    return from == 0 ? UINT32_MAX : from - 1;
}
