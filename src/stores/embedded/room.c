/*
 * Room for frames: lending it under the caller's lock, and the work that must
 * be done before there is any. What frame_open needs and what make_room makes:
 *
 *   in the live segment   a reserve behind it: spares[0], named, as large (L1)
 *   for a turn            `next`, opened on spares[0], and behind it spares[1],
 *                         named, as large; less than STET_UNSEALED_MAX segments
 *                         with an image; a place in the table; no worker who
 *                         is at spares and `next` himself
 */
#include "base/assert.h"
#include "base/error.h"
#include "base/mark.h"
#include "stores/embedded/settle.h"

/* Is the spare a reserve for a live segment of this capacity? */
static bool is_reserve(const stet_spare *spare, uint64_t capacity)
{
    return spare->file != 0 && spare->is_named && spare->bytes >= capacity;
}

/* Lending. */

static bool lend_locked(stet_embedded *e, size_t need, stet_frame *out)
{
    stet_segment *live = e->live;
    size_t room = live == NULL ? 0 : stet__tail_room(&live->tail, need);
    if (room == 0 || e->is_copying || /* keeps (L5) */
        !is_reserve(&e->spares[0], live->header.capacity)) {
        return false;
    }
    stet__tail_lend(&live->tail, room, out);
    out->segment = live;
    out->is_turn = live->tail.end == STET_W;
    return true;
}

static uint32_t count_unsealed_locked(const stet_embedded *e)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < stet__files_count(e->table); i++) {
        count += e->table->items[i]->image != NULL;
    }
    return count;
}

static bool is_full_locked(const stet_embedded *e, size_t need)
{
    return e->live == NULL || stet__tail_room(&e->live->tail, need) == 0;
}

/* Its reserve may be a smaller one than the one that it was made with. */
static bool is_next_usable(const stet_embedded *e, size_t need)
{
    const stet_segment *next = e->next;
    return next != NULL && stet__tail_room(&next->tail, need) > 0 &&
           is_reserve(&e->spares[1], next->header.capacity);
}

static bool may_turn_locked(const stet_embedded *e, size_t need)
{
    return is_next_usable(e, need) && !e->is_making &&
           stet__files_count(e->table) < e->table->cap &&
           count_unsealed_locked(e) < STET_UNSEALED_MAX;
}

/* Go on in the next segment, whose header names where this one ends. */
static void turn_locked(stet_embedded *e, uint64_t first_position)
{
    stet_segment *live = e->live;
    stet_segment *next = e->next;
    STET_MARK("room.turn");
    if (live != NULL) {
        STET_ASSERT(live->tail.end > STET_W);
        live->end = live->tail.end;
        e->last_file = live->header.file;
        e->last_end = live->end;
    }
    next->header.first_position = first_position;
    next->header.predecessor = e->last_file;
    next->header.predecessor_end = e->last_end;
    stet__image_set_first_position(next->image, first_position);
    stet__files_push(e->table, next); /* the reference moves with it */
    e->live = next;
    e->next = NULL;
    e->spares[0] = e->spares[1];
    e->spares[1] = (stet_spare){0};
}

stet_status stet__room_frame_open(stet_log *log, size_t need,
                                  uint64_t first_position, stet_frame *out,
                                  stet_error *err)
{
    stet_embedded *e = stet__embedded_of(log);
    stet_status st = stet__embedded_refuse(e, err);
    if (st != STET_OK) {
        return st;
    }
    stet_frame frame = {.first_position = first_position};
    stet__mutex_lock(e->os, &e->files);
    if (is_full_locked(e, need) && may_turn_locked(e, need)) {
        turn_locked(e, first_position);
    }
    bool is_lent = lend_locked(e, need, &frame);
    stet__mutex_unlock(e->os, &e->files);
    if (!is_lent) {
        return STET_E_BUSY;
    }
    *out = frame;
    return STET_OK;
}

/* Is it time to make the next segment, so that no writer has to? */
static bool is_ahead_due(const stet_segment *live)
{
    return live->tail.end > live->header.capacity / 4;
}

bool stet__room_is_pressed(stet_log *log, size_t need)
{
    stet_embedded *e = stet__embedded_of(log);
    stet__mutex_lock(e->os, &e->files);
    bool needs_next =
        is_full_locked(e, need) && e->live != NULL && e->next == NULL;
    stet__mutex_unlock(e->os, &e->files);
    return needs_next && stet__settle_is_behind(e);
}

void stet__room_frame_close(stet_log *log, stet_frame *frame, size_t used,
                            uint32_t events)
{
    stet_embedded *e = stet__embedded_of(log);
    stet_segment *s = frame->segment;
    stet__mutex_lock(e->os, &e->files);
    stet__tail_take(&s->tail, frame, used, events);
    frame->has_work = frame->is_turn || (is_ahead_due(s) && !s->is_ahead_asked);
    s->is_ahead_asked = s->is_ahead_asked || is_ahead_due(s);
    stet__mutex_unlock(e->os, &e->files);
}

/* Making. While the worker is at spares and next, nobody turns. */

static void end_making(stet_embedded *e)
{
    stet__mutex_lock(e->os, &e->files);
    e->is_making = false;
    stet__mutex_unlock(e->os, &e->files);
}

/* Is the live segment's header known durable? */
static bool is_live_durable(const stet_embedded *e, const stet_segment *live)
{
    return live == NULL ||
           live->header.first_position < stet__embedded_synced(e);
}

/*
 * `super` has places for the durable live file and two more: so before there
 * are two spares to name the live one must be durable. Keeps (L2).
 */
static stet_status make_live_durable(stet_embedded *e, const stet_segment *live,
                                     stet_error *err)
{
    bool is_due = e->level == STET_LEVEL_OS && !is_live_durable(e, live);
    return is_due ? stet__write_sync_published(e, err) : STET_OK;
}

static void drop_spare(stet_embedded *e, size_t i)
{
    STET_MARK("room.spare_too_small");
    stet__mutex_lock(e->os, &e->files);
    stet_segment *unused = i == 0 ? e->next : NULL;
    e->next = i == 0 ? NULL : e->next;
    uint32_t file = e->spares[i].file;
    if (i == 0) {
        e->spares[0] = e->spares[1];
    }
    e->spares[1] = (stet_spare){0};
    stet__mutex_unlock(e->os, &e->files);
    stet__segment_unref(unused);
    stet__embedded_doom(e, file, STET_NAME_SEGMENT);
}

static stet_status add_spare(stet_embedded *e, size_t i, uint64_t bytes,
                             stet_error *err)
{
    stet_spare spare = {0};
    stet_status st = stet__spare_make(e, bytes, &spare, err);
    if (st == STET_OK) {
        stet__mutex_lock(e->os, &e->files);
        e->spares[i] = spare;
        stet__mutex_unlock(e->os, &e->files);
    }
    return st;
}

/* Have `super` name the spares, if one of them is not named yet. */
static stet_status name_spares(stet_embedded *e, stet_error *err)
{
    for (size_t i = 0; i < 2; i++) {
        if (e->spares[i].file != 0 && !e->spares[i].is_named) {
            return stet__embedded_write_super(e, err);
        }
    }
    return STET_OK;
}

/* Have a reserve behind the live segment. */
static stet_status make_reserve(stet_embedded *e, uint64_t capacity,
                                stet_error *err)
{
    while (e->spares[0].file != 0 && e->spares[0].bytes < capacity) {
        drop_spare(e, 0);
    }
    stet_status st = STET_OK;
    if (e->spares[0].file == 0) {
        uint64_t ahead = stet__spare_capacity(e, e->made);
        st = add_spare(e, 0, ahead > capacity ? ahead : capacity, err);
    }
    return st == STET_OK ? name_spares(e, err) : st;
}

/*
 * Have two spares, the first one large enough for a segment that takes `least`
 * bytes; `*out` is the capacity it may have, so that the second one covers it.
 */
static stet_status make_spares(stet_embedded *e, uint64_t least, uint64_t *out,
                               stet_error *err)
{
    uint64_t want = stet__spare_capacity(e, e->made);
    want = want > least ? want : least;
    for (size_t i = 2; i > 0; i--) {
        if (e->spares[i - 1].file != 0 && e->spares[i - 1].bytes < least) {
            drop_spare(e, i - 1);
        }
    }
    stet_status st = STET_OK;
    if (e->spares[0].file == 0) {
        st = add_spare(e, 0, want, err);
    } else if (!e->spares[0].is_fresh) {
        st = stet__spare_rewrite(e, &e->spares[0], err);
    }
    if (st == STET_OK && e->spares[1].file == 0) {
        uint64_t ahead = stet__spare_capacity(e, e->made + 1);
        st = add_spare(e, 1, ahead > want ? ahead : want, err);
    }
    if (st == STET_OK) {
        st = name_spares(e, err);
    }
    if (st == STET_OK) {
        uint64_t both = e->spares[0].bytes < e->spares[1].bytes
                            ? e->spares[0].bytes
                            : e->spares[1].bytes;
        *out = want < both ? want : both;
    }
    return st;
}

static stet_status make_next(stet_embedded *e, size_t need, stet_error *err)
{
    uint64_t capacity = 0;
    stet_status st =
        make_spares(e, stet__segment_bytes_for(need), &capacity, err);
    if (st == STET_OK) {
        st = stet__embedded_reserve(e, err);
    }
    if (st != STET_OK || is_next_usable(e, need)) {
        return st;
    }
    stet_segment *next = NULL;
    st = stet__spare_open(e, &e->spares[0], capacity, &next, err);
    if (st != STET_OK) {
        return st;
    }
    e->made++;
    stet__settle_ask(e);
    stet__mutex_lock(e->os, &e->files);
    stet_segment *unused = e->next;
    e->next = next;
    stet__mutex_unlock(e->os, &e->files);
    stet__segment_unref(unused);
    return STET_OK;
}

/* Begin with the frames of a small closed segment, which then can go. */
static stet_status copy_small(stet_embedded *e, size_t need, stet_error *err)
{
    stet_segment *small = e->small;
    stet_copy copy = {
        .source = small,
        .from = STET_W,
        .to = small->trailer.end_offset,
        .position = small->trailer.first_position,
        .end_position = small->trailer.end_position,
        .predecessor = small->header.predecessor,
        .predecessor_end = small->header.predecessor_end,
    };
    uint64_t least = stet__segment_bytes_for(need);
    least = least > copy.to ? least : stet__round_up_w(copy.to);
    stet_error why = {0};
    stet_status st = make_spares(e, least, &copy.capacity, err);
    if (st != STET_OK) {
        return st;
    }
    STET_MARK("room.small_copied");
    e->small = NULL;
    st = stet__copy_frames(e, &copy, &why);
    if (st == STET_E_CORRUPT) {
        stet__embedded_talk(e, STET_LOG_WARNING, "%s; the file stays as it is",
                            why.text);
        return STET_OK;
    }
    if (st != STET_OK) {
        return stet__fail(err, st, why.os_errno, "%s", why.text);
    }
    return stet__embedded_remove_doomed(e, err);
}

/* Seal the oldest segment that may be, when there are too many images. */
static stet_status make_unsealed_fewer(stet_embedded *e, stet_error *err)
{
    stet__mutex_lock(e->os, &e->files);
    uint32_t count = count_unsealed_locked(e);
    stet__mutex_unlock(e->os, &e->files);
    if (count < STET_UNSEALED_MAX) {
        return STET_OK;
    }
    STET_MARK("room.too_many_unsealed");
    bool did = false;
    return stet__seal_oldest(e, &did, err);
}

static stet_status make_room(stet_embedded *e, size_t need, stet_error *err)
{
    if (e->small != NULL) {
        stet_status st = copy_small(e, need, err);
        if (st != STET_OK) {
            return st;
        }
    }
    stet__mutex_lock(e->os, &e->files);
    stet_segment *live = e->live;
    bool is_full = is_full_locked(e, need);
    stet__mutex_unlock(e->os, &e->files);
    if (!is_full) {
        return make_reserve(e, live->header.capacity, err);
    }
    stet_status st = make_live_durable(e, live, err);
    if (st == STET_OK && !is_live_durable(e, live)) {
        STET_MARK("room.live_not_durable");
        return STET_E_BUSY; /* its first frame is being written */
    }
    if (st == STET_OK) {
        st = make_unsealed_fewer(e, err);
    }
    return st == STET_OK ? make_next(e, need, err) : st;
}

stet_status stet__room_make(stet_log *log, size_t need, stet_error *err)
{
    stet_embedded *e = stet__embedded_of(log);
    stet_status st = stet__embedded_refuse(e, err);
    if (st != STET_OK) {
        return st;
    }
    stet__mutex_lock(e->os, &e->files);
    /* Another caller may have made it since this one found none. */
    bool is_made = is_full_locked(e, need) && may_turn_locked(e, need);
    e->is_making = !is_made;
    stet__mutex_unlock(e->os, &e->files);
    if (!is_made) {
        st = make_room(e, need, err);
        st = st == STET_E_BUSY ? st : stet__embedded_after_work(e, st);
        end_making(e);
    }
    return st;
}

stet_status stet__room_ahead(stet_embedded *e, bool *out_did, stet_error *err)
{
    stet__mutex_lock(e->os, &e->files);
    stet_segment *live = e->live;
    bool is_due = live != NULL && e->next == NULL && is_ahead_due(live);
    e->is_making = is_due;
    stet__mutex_unlock(e->os, &e->files);
    *out_did = false;
    if (!is_due) {
        return STET_OK;
    }
    if (stet__settle_is_behind(e)) { /* writers who need it wait for that */
        end_making(e);
        return STET_OK;
    }
    stet_status st = make_live_durable(e, live, err);
    if (st == STET_OK && is_live_durable(e, live)) {
        STET_MARK("room.made_ahead");
        *out_did = true;
        st = make_next(e, 1, err);
    }
    st = stet__embedded_after_work(e, st);
    end_making(e);
    return st;
}
