/*
 * A clean close: everything durable, every segment sealed and cut to its size,
 * one spare left, and `super` says where the log ends. Whatever is skipped, or
 * fails, leaves the store as after a crash, which the next open repairs.
 */
#include <inttypes.h>

#include "base/error.h"
#include "base/mark.h"
#include "stores/embedded/backup_view.h"
#include "stores/embedded/names.h"
#include "stores/embedded/settle.h"

void stet__embedded_destroy(stet_embedded *e)
{
    stet__settle_drop(e);
    stet__segment_unref(e->next);
    while (e->idle_count > 0) {
        stet__segment_unref(e->idle[--e->idle_count]);
    }
    stet__files_destroy(e->table);
    stet__unpacked_deinit(&e->unpacked);
    stet__image_destroy(
        atomic_load_explicit(&e->idle_image, memory_order_acquire));
    stet__slots_close(&e->slots);
    if (e->lock >= 0) {
        (void)e->os->close(e->os, e->lock); /* gives the lock back */
    }
    if (e->dir >= 0) {
        (void)e->os->close(e->os, e->dir); /* is a folder */
    }
    stet_backup_view *view = e->view;
    stet__free(e->alloc, e, sizeof *e);
    stet__backup_view_close(view);
}

/* A live segment whose first frame never came is still a spare. */
static stet_status end_live(stet_embedded *e, stet_error *err)
{
    stet_segment *live = e->live;
    if (live == NULL || live->tail.end > STET_W) {
        if (live != NULL) {
            live->end = live->tail.end;
        }
        return STET_OK;
    }
    if (e->spares[1].file != 0) {
        stet__embedded_doom(e, e->spares[1].file, STET_NAME_SEGMENT);
    }
    e->spares[1] = e->spares[0];
    e->spares[0] = (stet_spare){
        .file = live->header.file,
        .bytes = live->header.capacity,
        .is_fresh = true,
    };
    e->live = NULL;
    return stet__embedded_replace(e, live, NULL, err);
}

static stet_status seal_all(stet_embedded *e, stet_error *err)
{
    stet_status st = STET_OK;
    stet_files *table = stet__embedded_lend(e);
    for (uint32_t i = 0; i < stet__files_count(table) && st == STET_OK; i++) {
        stet_segment *s = table->items[i];
        if (s->image == NULL) {
            continue;
        }
        st = stet__seal_segment(e, s, err);
        if (st == STET_E_NOSPACE || st == STET_E_NOMEM) {
            STET_MARK("close.not_sealed");
            st = STET_OK; /* the next open does it */
        }
    }
    e->live = NULL; /* takes no more; a sealed one is not the segment it was */
    stet__embedded_unlend(e, table);
    return st;
}

/* Leave one spare: prewritten space is lent, not taken. */
static void drop_second_spare(stet_embedded *e)
{
    if (e->spares[1].file != 0) {
        stet__embedded_doom(e, e->spares[1].file, STET_NAME_SEGMENT);
        e->spares[1] = (stet_spare){0};
    }
}

/*
 * And that a small one. Not before `super` says clean: until then it is the
 * reserve of (L1), for a close that fails is mended like a crash.
 */
static stet_status cut_spare(stet_embedded *e, stet_error *err)
{
    stet_spare *spare = &e->spares[0];
    uint64_t bytes = stet__spare_capacity(e, 0);
    if (spare->file == 0 || spare->bytes <= bytes) {
        return STET_OK;
    }
    spare->bytes = bytes;
    return stet__segment_resize(e, spare->file, bytes, err);
}

static bool has_unsealed(const stet_embedded *e)
{
    bool has_image = false;
    for (uint32_t i = 0; i < stet__files_count(e->table); i++) {
        has_image = has_image || e->table->items[i]->image != NULL;
    }
    return has_image;
}

/*
 * Give back what is behind the frames of segments that could not be sealed. Not
 * before `super` names the last one's end, in both slots: see seal.c.
 */
static stet_status cut_unsealed(stet_embedded *e, stet_error *err)
{
    stet_status st = STET_OK;
    for (uint32_t i = 0; i < stet__files_count(e->table) && st == STET_OK;
         i++) {
        const stet_segment *s = e->table->items[i];
        if (s->image != NULL) {
            st = stet__segment_resize(e, s->header.file, s->end, err);
        }
    }
    return st;
}

static stet_status write_clean_super(stet_embedded *e, stet_error *err)
{
    const stet_files *table = e->table;
    uint32_t count = stet__files_count(table);
    stet_super super = {
        .format = STET_FORMAT,
        .mark = stet__embedded_synced(e),
        .spare = {e->spares[0].file},
    };
    memcpy(super.uuid, e->uuid, sizeof super.uuid);
    if (count > 0) {
        const stet_segment *last = table->items[count - 1];
        super.live = stet__segment_is_set(last) ? 0 : last->header.file;
        super.clean_file = last->header.file;
        super.clean_end = last->end;
        super.clean_position = super.mark;
    }
    return stet__embedded_put_super(e, &super, err);
}

/* Is all as the newest slot says, so that there is nothing to write? */
static bool is_as_opened(const stet_embedded *e)
{
    return e->live == NULL && !e->is_touched;
}

static stet_status leave_clean(stet_embedded *e, stet_error *err)
{
    stet_status st = STET_OK;
    if (e->level == STET_LEVEL_OS) {
        st = stet__write_sync_published(e, err);
    }
    if (st == STET_OK) {
        st = end_live(e, err);
    }
    if (st == STET_OK) {
        st = seal_all(e, err);
    }
    if (st == STET_OK) {
        st = stet__settle_at_close(e, err);
    }
    if (st == STET_OK) {
        stet__spare_give_up(e);
        drop_second_spare(e);
        st = write_clean_super(e, err);
    }
    if (st == STET_OK && (e->doomed_count > 0 || has_unsealed(e))) {
        /* The other slot names what goes, or not the end of what is cut. */
        st = write_clean_super(e, err);
    }
    if (st == STET_OK) {
        st = cut_unsealed(e, err);
    }
    if (st == STET_OK) {
        st = cut_spare(e, err);
    }
    return st == STET_OK ? stet__embedded_remove_doomed(e, err) : st;
}

stet_status stet__embedded_close(stet_log *log, bool is_clean, stet_error *err)
{
    stet_embedded *e = stet__embedded_of(log);
    stet_status st = STET_OK;
    bool is_written = !e->is_readonly && !is_as_opened(e);
    if (is_clean && is_written && !stet__embedded_is_poisoned(e)) {
        st = leave_clean(e, err);
    }
    stet__embedded_destroy(e);
    return st;
}
