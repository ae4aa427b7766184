#include "stores/embedded/log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/assert.h"
#include "base/error.h"
#include "base/mark.h"
#include "stores/embedded/merged.h"
#include "stores/embedded/names.h"

enum { TABLE_STEP = 16 };

void stet__embedded_poison(stet_embedded *e)
{
    /* Release: who sees it sees what was written before. */
    atomic_store_explicit(&e->is_poisoned, true, memory_order_release);
}

bool stet__embedded_is_poisoned(const stet_embedded *e)
{
    return atomic_load_explicit(&e->is_poisoned, memory_order_acquire);
}

stet_status stet__embedded_after_work(stet_embedded *e, stet_status st)
{
    if (st != STET_OK && st != STET_E_NOSPACE && st != STET_E_NOMEM) {
        stet__embedded_poison(e);
    }
    if (st == STET_E_NOSPACE) {
        stet__spare_give_up(e);
    }
    return st;
}

stet_status stet__embedded_refuse(const stet_embedded *e, stet_error *err)
{
    if (e->is_readonly) {
        return stet__fail(err, STET_E_READONLY, 0,
                          "the store is open read-only");
    }
    if (stet__embedded_is_poisoned(e)) {
        return stet__fail(err, STET_E_READONLY, 0,
                          "an earlier write or sync failed; reopen the store");
    }
    return STET_OK;
}

uint64_t stet__embedded_synced(const stet_embedded *e)
{
    return atomic_load_explicit(&e->synced, memory_order_acquire);
}

uint64_t stet__embedded_watermark(const stet_embedded *e)
{
    return atomic_load_explicit(&e->watermark, memory_order_acquire);
}

void stet__embedded_talk(const stet_embedded *e, stet_log_level level,
                         const char *format, ...)
{
    char text[STET_ERROR_TEXT_MAX];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args); /* cut when too long */
    va_end(args);
    e->talk(e->talk_ctx, level, text);
}

/* Table. */

stet_files *stet__embedded_lend(stet_embedded *e)
{
    stet__mutex_lock(e->os, &e->files);
    stet_files *table = e->table;
    table->refs++;
    stet__mutex_unlock(e->os, &e->files);
    return table;
}

void stet__embedded_unlend(stet_embedded *e, stet_files *table)
{
    stet__mutex_lock(e->os, &e->files);
    bool is_last = --table->refs == 0;
    stet__mutex_unlock(e->os, &e->files);
    if (is_last) {
        stet__files_destroy(table);
    }
}

/* What leaves the table, and what comes in its place. */
typedef struct exchange {
    stet_segment *const *old; /* neighbours */
    uint32_t count;
    stet_segment *new;   /* NULL: nothing */
    stet_segment *index; /* a merged one that comes besides; or NULL */
} exchange;

/* What the new table has where the present one has `s`; NULL: nothing. */
static stet_segment *exchanged(const exchange *x, stet_segment *s)
{
    for (uint32_t i = 0; i < x->count; i++) {
        if (x->old[i] == s) {
            return i == 0 ? x->new : NULL;
        }
    }
    return s;
}

/*
 * Put a table with room for `cap` segments in place of the present one. Only
 * the worker does so; a turn may append to the present one until the swap.
 */
static stet_status rebuild(stet_embedded *e, const exchange *x, uint32_t cap,
                           stet_error *err)
{
    stet_files *from = e->table;
    stet_files *to = stet__files_create(e->alloc, cap);
    if (to == NULL) {
        return stet__fail(err, STET_E_NOMEM, 0, "no memory for a file table");
    }
    stet__mutex_lock(e->os, &e->files);
    uint32_t count = stet__files_count(from);
    for (uint32_t i = 0; i < count; i++) {
        stet_segment *s = exchanged(x, from->items[i]);
        if (s != NULL) {
            stet__files_push(to, stet__segment_ref(s));
        }
    }
    for (uint32_t i = 0; i < from->merged_count; i++) {
        stet_segment *s = exchanged(x, from->merged[i]);
        if (s != NULL && stet__merged_fits(to, &s->trailer)) {
            stet__files_push_merged(to, stet__segment_ref(s));
        } else if (s != NULL) { /* sets were merged across its end */
            STET_MARK("merged.outlived");
            stet__embedded_doom(e, s->header.file, STET_NAME_INDEX);
        }
    }
    if (x->index != NULL) {
        stet__files_push_merged(to, stet__segment_ref(x->index));
    }
    e->table = to;
    stet__mutex_unlock(e->os, &e->files);
    stet__embedded_unlend(e, from);
    return STET_OK;
}

stet_status stet__embedded_replace(stet_embedded *e, const stet_segment *old,
                                   stet_segment *new, stet_error *err)
{
    STET_ASSERT(old != NULL);
    stet_segment *leaving = (stet_segment *)(uintptr_t)old; /* only compared */
    return stet__embedded_replace_many(e, &leaving, 1, new, err);
}

stet_status stet__embedded_replace_many(stet_embedded *e,
                                        stet_segment *const *old,
                                        uint32_t count, stet_segment *new,
                                        stet_error *err)
{
    exchange x = {old, count, new, NULL};
    return rebuild(e, &x, e->table->cap, err);
}

stet_status stet__embedded_show_index(stet_embedded *e,
                                      stet_segment *const *old, uint32_t count,
                                      stet_segment *index, stet_error *err)
{
    exchange x = {old, count, NULL, index};
    return rebuild(e, &x, e->table->cap, err);
}

stet_status stet__embedded_reserve(stet_embedded *e, stet_error *err)
{
    uint32_t cap = e->table->cap;
    exchange nothing = {0};
    return stet__files_count(e->table) < cap
               ? STET_OK
               : rebuild(e, &nothing, cap + TABLE_STEP, err);
}

/* Super. */

/* The newest file whose header is known durable: by content, or by `super`. */
static uint32_t durable_live(stet_embedded *e)
{
    uint64_t synced = stet__embedded_synced(e);
    uint32_t named = stet__slots_newest(&e->slots)->live;
    uint32_t file = 0;
    for (uint32_t i = 0; i < stet__files_count(e->table); i++) {
        const stet_segment *s = e->table->items[i];
        if (!stet__segment_is_set(s) &&
            (s->header.first_position < synced || s->header.file == named)) {
            file = s->header.file;
        }
    }
    return file;
}

stet_status stet__embedded_write_super(stet_embedded *e, stet_error *err)
{
    const stet_super *before = stet__slots_newest(&e->slots);
    stet_super super = {
        .format = STET_FORMAT,
        .mark = stet__embedded_synced(e),
        .clean_file = before->clean_file,
        .clean_end = before->clean_end,
        .clean_position = before->clean_position,
    };
    memcpy(super.uuid, e->uuid, sizeof super.uuid);
    size_t named = 0;
    stet__mutex_lock(e->os, &e->files);
    super.live = durable_live(e);
    if (e->live != NULL && e->live->header.file != super.live) {
        super.spare[named++] = e->live->header.file; /* keeps (L2) */
    }
    for (size_t i = 0; i < 2; i++) {
        if (e->spares[i].file != 0) {
            STET_ASSERT(named < 2);
            super.spare[named++] = e->spares[i].file;
        }
    }
    stet__mutex_unlock(e->os, &e->files);
    if (super.clean_file != super.live) {
        super.clean_file = 0; /* the log went on in another file */
        super.clean_end = 0;
        super.clean_position = 0;
    }
    return stet__embedded_put_super(e, &super, err);
}

stet_status stet__embedded_put_super(stet_embedded *e, stet_super *super,
                                     stet_error *err)
{
    e->is_touched = true;
    stet_status st = stet__slots_write(&e->slots, super, err);
    if (st != STET_OK) {
        stet__embedded_poison(e);
        return st;
    }
    stet__mutex_lock(e->os, &e->files);
    for (size_t i = 0; i < 2; i++) {
        stet_spare *s = &e->spares[i];
        s->is_named = s->file != 0 && (s->file == super->spare[0] ||
                                       s->file == super->spare[1]);
    }
    stet__mutex_unlock(e->os, &e->files);
    return STET_OK;
}

/* Numbers, names and removal of files. */

stet_status stet__embedded_take_number(stet_embedded *e, uint32_t *out,
                                       stet_error *err)
{
    if (e->file_max == UINT32_MAX) {
        return stet__fail(err, STET_E_NOSPACE, 0,
                          "no file number is left above %" PRIu32, e->file_max);
    }
    *out = ++e->file_max;
    return STET_OK;
}

stet_status stet__embedded_rename(stet_embedded *e, const char *from,
                                  const char *to, stet_error *err)
{
    int rc = e->os->rename(e->os, e->dir, from, to);
    bool is_named = rc >= 0;
    rc = is_named ? e->os->sync(e->os, e->dir) : rc;
    if (rc >= 0) {
        return STET_OK;
    }
    stet_status st = stet__os_fail(err, rc, "name %s", to);
    if (is_named || st != STET_E_NOSPACE) {
        stet__embedded_poison(e);
    }
    return st;
}

void stet__embedded_doom(stet_embedded *e, uint32_t file, stet_name_kind kind)
{
    STET_ASSERT(file != 0);
    if (e->doomed_count < STET_DOOMED_MAX) {
        e->doomed[e->doomed_count++] = (stet_doomed){file, kind};
    }
}

stet_status stet__embedded_confirm_super(stet_embedded *e, stet_error *err)
{
    if (e->is_touched) {
        return STET_OK;
    }
    STET_MARK("super.confirmed");
    return stet__embedded_write_super(e, err);
}

stet_status stet__embedded_remove_doomed(stet_embedded *e, stet_error *err)
{
    uint32_t kept = 0;
    int rc = 0;
    stet_status st =
        e->doomed_count > 0 ? stet__embedded_confirm_super(e, err) : STET_OK;
    if (st != STET_OK) {
        return st;
    }
    bool is_changed = false;
    for (uint32_t i = 0; i < e->doomed_count; i++) {
        char name[STET_OS_NAME_MAX];
        stet_doomed d = e->doomed[i];
        if (rc < 0 || stet__slots_name(&e->slots, d.file)) {
            e->doomed[kept++] = d; /* keeps (L3) */
            continue;
        }
        stet__name_file(d.kind, d.file, name);
        rc = e->os->unlink(e->os, e->dir, name);
        rc = rc == -ENOENT ? 0 : rc;
        is_changed = true;
    }
    e->doomed_count = kept;
    if (rc >= 0 && is_changed) {
        rc = e->os->sync(e->os, e->dir);
    }
    if (rc < 0) {
        stet__embedded_poison(e);
        return stet__os_fail(err, rc, "remove a file of the store");
    }
    return STET_OK;
}
