#include "stores/embedded/adopt.h"

#include <inttypes.h>

#include "base/assert.h"
#include "base/error.h"
#include "base/mark.h"
#include "core/imageread.h"
#include "stores/embedded/merged.h"
#include "stores/embedded/names.h"

enum { TABLE_STEP = 16 };

/* Segments. */

/* Make a segment of a file of the chain, with its content up to `end`. */
static stet_status take_segment(stet_embedded *e, stet_found *f, uint64_t end,
                                stet_segment **out, stet_error *err)
{
    stet_segment *s = stet__segment_create(e->alloc, e->os, f->fd, &f->header);
    if (s == NULL) {
        return stet__fail(err, STET_E_NOMEM, 0, "no memory for a segment");
    }
    f->fd = -1;
    stet_status st = STET_OK;
    if (f->is_sealed) {
        s->trailer = f->trailer;
        s->unpacked = f->is_set ? &e->unpacked : NULL;
        s->end = f->end;
    } else {
        s->image = f->image;
        f->image = NULL;
        st = stet__segment_index(s, end, err);
    }
    if (st != STET_OK) {
        stet__segment_unref(s);
        return st;
    }
    *out = s;
    return STET_OK;
}

/* The table of the chain's first `count` files, of the last up to known. */
static stet_status take_chain(stet_embedded *e, stet_recovery *r, size_t count,
                              stet_error *err)
{
    e->table = stet__files_create(e->alloc, (uint32_t)count + TABLE_STEP);
    if (e->table == NULL) {
        return stet__fail(err, STET_E_NOMEM, 0, "no memory for a file table");
    }
    for (size_t i = 0; i < count; i++) {
        stet_found *f = r->chain[i];
        bool is_last = f == stet__recovery_last(r);
        stet_segment *s = NULL;
        stet_status st =
            take_segment(e, f, is_last ? r->known_offset : f->end, &s, err);
        if (st != STET_OK) {
            return st;
        }
        stet__files_push(e->table, s);
    }
    stet__merged_adopt(e, r);
    return STET_OK;
}

/* The stamp of the last record below `known`. */
static int64_t recorded_below_known(const stet_recovery *r)
{
    if (r->known_recorded != 0 || r->chain_count < 2) {
        return r->known_recorded;
    }
    return r->chain[r->chain_count - 2]->last_recorded;
}

static void show_up_to(stet_embedded *e, uint64_t next)
{
    /* Relaxed: nobody else has the log yet. */
    atomic_store_explicit(&e->watermark, next, memory_order_relaxed);
    atomic_store_explicit(&e->synced, next, memory_order_relaxed);
}

static void tell_torn(const stet_embedded *e, const stet_recovery *r)
{
    if (r->torn_bytes > 0) {
        const stet_found *last = stet__recovery_last(r);
        stet__embedded_talk(e, STET_LOG_NOTICE,
                            "torn tail of %" PRIu64 " bytes left behind in "
                            "%" PRIu32 ".seg at offset %" PRIu64,
                            r->torn_bytes, last->number, last->end);
    }
}

/* Show what is known, and say what is not. */
static void show_known(stet_embedded *e, const stet_recovery *r,
                       stet_log_start *start)
{
    show_up_to(e, r->known);
    e->is_readonly = true;
    start->is_readonly = true;
    start->next_position = r->known;
    start->last_recorded = recorded_below_known(r);
    if (r->next > r->known) {
        STET_MARK("adopt.known_only");
        stet__embedded_talk(e, STET_LOG_NOTICE,
                            "positions %" PRIu64 " to %" PRIu64
                            " are not known durable and not shown",
                            r->known, r->next - 1);
    }
}

stet_status stet__adopt_reader(stet_embedded *e, stet_recovery *r,
                               stet_log_start *start, stet_error *err)
{
    memcpy(e->uuid, r->super->uuid, sizeof e->uuid);
    stet__files_destroy(e->table); /* of a try before */
    e->table = NULL;
    stet_status st = take_chain(e, r, r->chain_count, err);
    if (st == STET_OK) {
        show_known(e, r, start);
        e->torn_bytes = start->torn_bytes = r->torn_bytes;
    }
    return st;
}

/* Other files. */

static bool is_in_chain(const stet_recovery *r, const stet_found *f)
{
    for (size_t i = 0; i < r->chain_count; i++) {
        if (r->chain[i] == f) {
            return true;
        }
    }
    return false;
}

/*
 * Files off the chain: above it the spares, the lowest two; the rest is dead.
 * After a clean stop a spare is as it was made, or cut and synced.
 */
static void take_spares(stet_embedded *e, const stet_recovery *r)
{
    const stet_super *s = r->super;
    size_t count = 0;
    for (size_t i = 0; i < r->file_count; i++) {
        const stet_found *f = &r->files[i];
        uint64_t bytes = f->bytes - f->bytes % STET_W;
        bool is_spare =
            stet__recovery_is_above(r, f) && !f->is_set && bytes >= 2 * STET_W;
        if (is_spare && count < 2) {
            e->spares[count++] = (stet_spare){
                .file = f->number,
                .bytes = bytes < UINT32_MAX ? bytes : UINT32_MAX - STET_W + 1,
                .is_named =
                    s->spare[0] == f->number || s->spare[1] == f->number,
                /*
                 * The clean end still holds where all that was written behind
                 * it was lost, but for a header that a power cut tore.
                 */
                .is_fresh = r->is_clean && f->is_blank,
            };
        } else if (!is_in_chain(r, f)) {
            STET_MARK("adopt.dead_file");
            stet__embedded_doom(e, f->number,
                                f->is_set ? STET_NAME_SET : STET_NAME_SEGMENT);
        }
    }
}

static stet_status remove_temporaries(stet_embedded *e, const stet_recovery *r,
                                      stet_error *err)
{
    const uint32_t *numbers = (const void *)r->temporaries.ptr;
    for (size_t i = 0; i < r->temporaries.len / sizeof *numbers; i++) {
        char name[STET_OS_NAME_MAX];
        STET_MARK("adopt.temporary_removed");
        stet__name_temporary(numbers[i], name);
        int rc = e->os->unlink(e->os, e->dir, name);
        if (rc < 0) {
            return stet__os_fail(err, rc, "remove %s", name);
        }
    }
    return STET_OK;
}

/* After a crash. */

/* Does the last file hold nothing? Then its header may be nowhere but here. */
static bool is_last_dead(const stet_recovery *r)
{
    const stet_found *last = stet__recovery_last(r);
    return last != NULL && last->end_position == last->header.first_position;
}

/*
 * What was read may be in the page cache only: write `super` again, both slots
 * if they differ in the live file or if the last file, now dead, may be named.
 */
static stet_status rewrite_super(stet_embedded *e, bool is_dead,
                                 stet_error *err)
{
    const stet_slots *s = &e->slots;
    if (is_dead) {
        STET_MARK("adopt.last_file_dead");
    }
    bool is_twice = is_dead || !s->is_sound[0] || !s->is_sound[1] ||
                    s->slots[0].live != s->slots[1].live;
    stet_status st = stet__embedded_write_super(e, err);
    return st == STET_OK && is_twice ? stet__embedded_write_super(e, err) : st;
}

/* What is to be copied: from known on, or all of a file that is small. */
static stet_copy plan_copy(const stet_embedded *e, const stet_recovery *r)
{
    const stet_found *last = stet__recovery_last(r);
    stet_copy copy = {
        .source = e->table->items[stet__files_count(e->table) - 1],
        .from = r->known_offset,
        .to = last->end,
        .position = r->known,
        .end_position = last->end_position,
        .predecessor = last->number,
        .predecessor_end = r->known_offset,
    };
    if (r->known == last->header.first_position ||
        stet__copy_is_small(e, last->end)) {
        STET_MARK("adopt.copy_whole");
        copy.from = STET_W;
        copy.position = last->header.first_position;
        copy.predecessor = last->header.predecessor;
        copy.predecessor_end = last->header.predecessor_end;
    } else {
        STET_MARK("adopt.copy_part");
    }
    return copy;
}

/* A spare large enough for the copy; STET_E_NOSPACE: there is none. */
static stet_status find_spare(stet_embedded *e, stet_copy *copy,
                              stet_error *err)
{
    uint64_t need = STET_W + (copy->to - copy->from);
    while (e->spares[0].file != 0 && e->spares[0].bytes < need) {
        stet__embedded_doom(e, e->spares[0].file, STET_NAME_SEGMENT);
        e->spares[0] = e->spares[1];
        e->spares[1] = (stet_spare){0};
    }
    uint64_t want = stet__spare_capacity(e, 0);
    want = want > need ? want : need;
    if (e->spares[0].file == 0) {
        stet_status st = stet__spare_make(e, want, &e->spares[0], err);
        if (st != STET_OK) {
            return st;
        }
    }
    copy->capacity = want < e->spares[0].bytes ? want : e->spares[0].bytes;
    return STET_OK;
}

static stet_status copy_uncertain(stet_embedded *e, const stet_recovery *r,
                                  stet_log_start *start, stet_error *err)
{
    stet_copy copy = plan_copy(e, r);
    stet_status st = find_spare(e, &copy, err);
    if (st == STET_E_NOSPACE) {
        show_known(e, r, start);
        stet__error_reset(err);
        return STET_OK;
    }
    if (st == STET_OK) {
        st = stet__copy_frames(e, &copy, err);
    }
    return st;
}

static stet_status repair(stet_embedded *e, const stet_recovery *r,
                          stet_log_start *start, stet_error *err)
{
    bool is_dead = is_last_dead(r);
    stet_status st = rewrite_super(e, is_dead, err);
    if (st == STET_OK && is_dead) {
        stet__embedded_doom(e, stet__recovery_last(r)->number,
                            STET_NAME_SEGMENT);
    }
    if (st == STET_OK && r->next > r->known) {
        st = copy_uncertain(e, r, start, err);
    }
    if (st != STET_OK) {
        return st;
    }
    return e->is_readonly ? STET_OK : stet__embedded_remove_doomed(e, err);
}

/* The last segment, if the first writer should begin with a copy of it. */
static stet_segment *find_small(const stet_embedded *e)
{
    uint32_t count = stet__files_count(e->table);
    stet_segment *last = count == 0 ? NULL : e->table->items[count - 1];
    bool is_small = last != NULL && e->live == NULL && last->image == NULL &&
                    !stet__segment_is_set(last) &&
                    stet__copy_is_small(e, last->end);
    return is_small ? last : NULL;
}

/* What the first header is to name, if no segment is live by then. */
static void end_chain(stet_embedded *e)
{
    uint32_t count = stet__files_count(e->table);
    if (count > 0) {
        e->last_file = stet__segment_rank(e->table->items[count - 1]);
        e->last_end = stet__segment_end(e->table->items[count - 1]);
    }
}

stet_status stet__adopt_writer(stet_embedded *e, stet_recovery *r,
                               stet_log_start *start, stet_error *err)
{
    memcpy(e->uuid, r->super->uuid, sizeof e->uuid);
    e->file_max = r->file_max;
    stet_status st = remove_temporaries(e, r, err);
    if (st == STET_OK) {
        st = take_chain(e, r, r->chain_count - is_last_dead(r), err);
    }
    if (st != STET_OK) {
        return st;
    }
    take_spares(e, r);
    show_up_to(e, r->known);
    start->next_position = r->next;
    start->last_recorded = is_last_dead(r) || r->next == r->known
                               ? recorded_below_known(r)
                               : stet__recovery_last(r)->last_recorded;
    start->torn_bytes = e->torn_bytes = r->torn_bytes;
    if (!r->is_clean) {
        tell_torn(e, r);
        st = repair(e, r, start, err);
    }
    if (st == STET_OK && !e->is_readonly) {
        show_up_to(e, r->next);
        end_chain(e);
        e->small = find_small(e);
    }
    return st;
}
