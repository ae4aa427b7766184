/*
 * Walking events: one machine's, in windows of seqs, or the whole store's by
 * position.
 *
 * A machine's records are linked backwards only. A window is found by its last
 * seq, read back to its first, and then given out in either direction, so that
 * each record is read once.
 */
#include <string.h>

#include <stet/read.h>

#include "base/assert.h"
#include "base/error.h"
#include "engine/erasure.h"
#include "engine/event.h"
#include "engine/load.h"
#include "engine/lost.h"
#include "engine/options.h"
#include "engine/replay.h"

enum {
    STET_WINDOW_EVENTS = 256,
    STET_WINDOW_STATES = 32, /* where each event comes with its state */
};

/* An event of a window. It is taken apart when it is given out, or folded. */
typedef struct window_item {
    stet_slice bytes; /* of its record, in the arena */
    int64_t recorded;
    uint64_t position;
    stet_box *box; /* the state after it, where asked for */
} window_item;

struct stet_history {
    stet *s;
    stet_buf key; /* the machine's id, or the pattern of a scan */
    uint8_t ns;
    bool is_scan;
    bool is_newest_first;
    bool with_states;
    uint64_t watermark;
    uint64_t from; /* seqs or positions left: [from, to) */
    uint64_t to;
    uint64_t left; /* of the limit */
    stet_arena arena;
    window_item *items; /* of the window: item_count of them, by seq */
    size_t item_count;
    size_t given;
    stet_event_look look; /* of a scan; else its event only */
};

/* ---- one machine's windows ---- */

static void drop_window(stet_history *h)
{
    for (size_t i = 0; h->with_states && i < h->item_count; i++) {
        stet__box_unref(h->items[i].box);
    }
    h->item_count = 0;
    h->given = 0;
    stet__arena_reset(&h->arena);
}

/* Keep the record at `position` as an item; `*out_link` is its link back. */
static stet_status read_item(stet_history *h, uint64_t position,
                             window_item *out, stet_record_link *out_link,
                             stet_error *err)
{
    stet_logged l = {0};
    stet_status st =
        h->s->log->ops->reader_read(h->look.bench->reader, position, &l, err);
    if (st != STET_OK) {
        return st;
    }
    stet_slice bytes = stet__arena_copy(&h->arena, l.bytes);
    if (bytes.ptr == NULL) {
        return stet__fail(err, STET_E_NOMEM, 0, "read a history");
    }
    *out = (window_item){bytes, l.recorded, position, NULL};
    return stet__record_peek_link(bytes, out_link)
               ? STET_OK
               : stet__fail(err, STET_E_CORRUPT, 0, "head of a record");
}

/*
 * Does the history begin with this item, above its first seq? That is so where
 * a store was salvaged and lost the beginning, which a stub says.
 */
static bool is_lost_beginning(const window_item *item,
                              const stet_record_link *link)
{
    if (link->back != 0) {
        return false; /* before a record is cleared: each one comes by here */
    }
    stet_record r;
    size_t bytes = 0;
    return stet__record_parse(item->bytes, &r, &bytes, NULL) == STET_OK &&
           stet__record_is_dropped(&r);
}

/* Read the records of seqs [first, first + count), from the last one back. */
static stet_status read_window(stet_history *h, uint64_t first, size_t count,
                               stet_error *err)
{
    stet_machine_key key = {stet__buf_slice(&h->key), h->ns};
    stet_bound bound = {STET_BY_SEQ, first + count - 1, 0};
    stet_point point = {0};
    stet_status st =
        h->s->log->ops->seek(h->s->log, key, bound, h->watermark, &point, err);
    if (st == STET_E_NOT_FOUND) {
        stet__error_reset(err);
        return STET_OK; /* all of it is below a beginning that is lost */
    }
    if (st != STET_OK) {
        return st;
    }
    h->items = stet__arena_alloc(&h->arena, count * sizeof(window_item));
    if (h->items == NULL) {
        return stet__fail(err, STET_E_NOMEM, 0, "read a history");
    }
    uint64_t position = point.position;
    for (size_t i = count; i-- > 0;) {
        stet_record_link link = {0};
        st = read_item(h, position, &h->items[i], &link, err);
        if (st != STET_OK) {
            return st;
        }
        bool is_end = i > 0 && link.seq == first + i &&
                      is_lost_beginning(&h->items[i], &link);
        if (is_end) {
            h->item_count = count - i;
            memmove(h->items, h->items + i, h->item_count * sizeof *h->items);
            return STET_OK;
        }
        if (link.seq != first + i || (i > 0 && link.back == 0)) {
            return stet__fail(err, STET_E_CORRUPT, 0,
                              "history of %s: position %llu is not seq %llu",
                              stet__id_text(key.id).text,
                              (unsigned long long)position,
                              (unsigned long long)first + i);
        }
        position -= link.back;
    }
    h->item_count = count;
    return STET_OK;
}

/* The state before the window as far as the log has it, or nothing. */
static stet_status state_before_window(stet_history *h, uint64_t first,
                                       stet_box **out, stet_error *err)
{
    if (first == 1) {
        return STET_OK;
    }
    stet_replayed r = {0};
    stet_bound bound = {STET_BY_SEQ, first - 1, 0};
    stet_replay_of of = {.key = {stet__buf_slice(&h->key), h->ns},
                         .is_as_stored = true};
    stet_status st = h->s->log->ops->seek(h->s->log, of.key, bound,
                                          h->watermark, &of.point, err);
    if (st == STET_OK) {
        st = stet__replay(h->s, h->look.bench, &of, &r, err);
    }
    if (st == STET_E_GONE || st == STET_E_ERASED) {
        stet__error_reset(err);
        return STET_OK;
    }
    *out = r.box; /* NULL: deleted there */
    return st;
}

/*
 * Fold an event onto the states before it, and keep what that gives where it is
 * to be shown. STET_E_BUSY: what it needs was taken since it was read.
 */
static stet_status fold_item(stet_history *h, stet_folding *f,
                             window_item *item, stet_error *err)
{
    stet_record r;
    size_t bytes = 0;
    stet_status st = stet__record_parse(item->bytes, &r, &bytes, err);
    if (st != STET_OK) {
        return st;
    }
    if (!stet__record_is_whole(&r)) {
        f->is_deleted = true; /* the next one is a base, or not there either */
        return STET_OK;
    }
    if (f->is_deleted && (r.flags & STET_RECORD_BASE) == 0) {
        return STET_E_BUSY;
    }
    int64_t occurred = item->recorded + r.occurred_delta;
    st = stet__folding_step(f, &r, occurred, err);
    if (st == STET_OK && stet__lost_of(h->s, &r) == STET_OK) {
        st = stet__folding_box(f, &item->box, err);
    }
    if (item->box != NULL) {
        stet_state *v = &item->box->view;
        v->seq = r.seq;
        v->position = item->position;
        v->updated_at = occurred;
        v->recorded_at = item->recorded;
    }
    return st;
}

static stet_status fold_window(stet_history *h, uint64_t first, stet_error *err)
{
    stet_box *before = NULL;
    stet_status st = state_before_window(h, first, &before, err);
    stet_folding f;
    stet_machine_key key = {stet__buf_slice(&h->key), h->ns};
    stet__folding_init(&f, h->s, h->look.bench, key, before);
    for (size_t i = 0; st == STET_OK && i < h->item_count; i++) {
        st = fold_item(h, &f, &h->items[i], err);
    }
    stet__box_unref(before);
    return st;
}

/*
 * Read a window, and fold it where that is asked for: again if a settle took
 * what it needs after newer records were read.
 */
static stet_status take_window(stet_history *h, uint64_t first, size_t count,
                               stet_error *err)
{
    stet_status st = STET_E_BUSY;
    for (int tries = 0; st == STET_E_BUSY && tries < STET_REPLAY_TRIES;
         tries++) {
        drop_window(h);
        if (tries > 0) {
            h->s->log->ops->reader_rest(h->look.bench->reader);
        }
        st = read_window(h, first, count, err);
        if (st == STET_OK && h->with_states) {
            st = fold_window(h, first, err);
        }
    }
    return st == STET_E_BUSY
               ? stet__fail(err, STET_E_CORRUPT, 0,
                            "history of %.*s: a state is needed and was taken",
                            (int)h->key.len, (const char *)h->key.ptr)
               : st;
}

static stet_status next_window(stet_history *h, stet_error *err)
{
    uint64_t most = h->with_states ? STET_WINDOW_STATES : STET_WINDOW_EVENTS;
    most = most < h->left ? most : h->left;
    uint64_t count = h->to - h->from < most ? h->to - h->from : most;
    uint64_t first = h->is_newest_first ? h->to - count : h->from;
    stet_status st = take_window(h, first, (size_t)count, err);
    if (st != STET_OK) {
        drop_window(h); /* what was read of it is not given out */
        return st;
    }
    if (h->is_newest_first) {
        h->to -= count;
    } else {
        h->from += count;
    }
    return STET_OK;
}

/* Lend the next event of the window, if more is left of it than a stub. */
static stet_status lend_item(stet_history *h, bool *out_is_there,
                             stet_error *err)
{
    size_t i = h->is_newest_first ? h->item_count - 1 - h->given : h->given;
    const window_item *item = &h->items[i];
    stet_record *r = &h->look.record;
    size_t bytes = 0;
    stet_status st = stet__record_parse(item->bytes, r, &bytes, err);
    if (st != STET_OK) {
        return st;
    }
    stet_status lost = stet__lost_of(h->s, r);
    stet_event_place place = {item->recorded, item->position};
    h->given++;
    *out_is_there = lost != STET_E_GONE;
    stet__event_of(r, lost, place, &h->look.lent);
    h->look.lent.state = item->box == NULL ? NULL : &item->box->view;
    return STET_OK;
}

static stet_status next_of_machine(stet_history *h, stet_error *err)
{
    bool is_there = false;
    stet_status st = STET_OK;
    while (st == STET_OK && !is_there) {
        if (h->given < h->item_count) {
            st = lend_item(h, &is_there, err);
        } else {
            st = h->from < h->to ? next_window(h, err) : STET_DONE;
        }
    }
    return st;
}

/* ---- the whole store ---- */

static stet_status next_of_store(stet_history *h, stet_error *err)
{
    bool is_wanted = false;
    while (h->from < h->to && !is_wanted) {
        uint64_t position = h->is_newest_first ? h->to - 1 : h->from;
        stet_status st = stet__event_look(&h->look, position, &is_wanted, err);
        if (st != STET_OK) {
            return st;
        }
        h->to -= h->is_newest_first ? 1 : 0;
        h->from += h->is_newest_first ? 0 : 1;
    }
    return is_wanted ? STET_OK : STET_DONE;
}

/* ---- public ---- */

static stet_status create(stet *s, stet_slice key, uint8_t ns,
                          stet_history **out, stet_error *err)
{
    stet_history *h = stet__alloc_zeroed(&s->alloc, 1, sizeof(*h));
    if (h == NULL) {
        return stet__fail(err, STET_E_NOMEM, 0, "walk of events");
    }
    stet_status st = stet__erasures_load(s, err);
    if (st != STET_OK) {
        stet__free(&s->alloc, h, sizeof(*h));
        return st;
    }
    h->s = s;
    h->ns = ns;
    h->watermark = stet__watermark(&s->pipeline);
    h->look.bench = stet__bench_take(&s->benches);
    stet__arena_init(&h->arena, &s->alloc);
    stet__buf_init(&h->key, &s->alloc);
    stet__buf_put_slice(&h->key, key);
    if (h->key.is_failed || h->look.bench == NULL) {
        stet_history_close(h);
        return stet__fail(err, STET_E_NOMEM, 0, "walk of events");
    }
    *out = h;
    return STET_OK;
}

static uint64_t limit_of(uint64_t limit)
{
    return limit == 0 ? UINT64_MAX : limit;
}

stet_status stet__history_open(stet *s, stet_machine_key key,
                               const stet_history_opts *o, stet_history **out,
                               stet_error *err)
{
    stet_history *h = NULL;
    stet_status st = create(s, key.id, key.ns, &h, err);
    if (st != STET_OK) {
        return st;
    }
    stet_point head = {0};
    stet_at newest = {0};
    st = stet__find_point(s, key, &newest, h->watermark, &head, err);
    if (st != STET_OK) {
        stet_history_close(h);
        return st;
    }
    h->is_newest_first = (o->flags & STET_HISTORY_NEWEST_FIRST) != 0;
    h->with_states = (o->flags & STET_HISTORY_STATES) != 0;
    h->left = limit_of(o->limit);
    h->from = o->from_seq == 0 ? 1 : o->from_seq;
    h->to = o->to_seq == 0 || o->to_seq > head.seq ? head.seq + 1 : o->to_seq;
    *out = h;
    return STET_OK;
}

static stet_status check_flags(uint32_t flags, uint32_t known, stet_error *err)
{
    return (flags & ~known) == 0 ? STET_OK
                                 : stet__fail(err, STET_E_INVALID, 0,
                                              "flags 0x%x of a walk", flags);
}

stet_status stet_history_open(stet *s, stet_slice id,
                              const stet_history_opts *opts, stet_history **out,
                              stet_error *err)
{
    stet__error_reset(err);
    stet_history_opts o;
    stet_status st = stet__options_copy(opts, sizeof(o), &o, err);
    if (st == STET_OK) {
        st = stet__id_check(id, o.ns, err);
    }
    if (st == STET_OK) {
        st = check_flags(o.flags,
                         STET_HISTORY_NEWEST_FIRST | STET_HISTORY_STATES, err);
    }
    return st == STET_OK ? stet__history_open(s, (stet_machine_key){id, o.ns},
                                              &o, out, err)
                         : st;
}

stet_status stet_scan_open(stet *s, const stet_scan_opts *opts,
                           stet_history **out, stet_error *err)
{
    stet__error_reset(err);
    stet_scan_opts o;
    stet_history *h = NULL;
    stet_status st = stet__options_copy(opts, sizeof(o), &o, err);
    if (st == STET_OK) {
        st = stet__pattern_check(o.pattern, o.ns, err);
    }
    if (st == STET_OK) {
        st = check_flags(o.flags, STET_HISTORY_NEWEST_FIRST, err);
    }
    if (st == STET_OK) {
        st = create(s, o.pattern, o.ns, &h, err);
    }
    if (st != STET_OK) {
        return st;
    }
    h->is_scan = true;
    h->look.s = s;
    h->look.filter = (stet_event_filter){
        .pattern = stet__buf_slice(&h->key), .ns = o.ns, .ns_last = o.ns};
    h->is_newest_first = (o.flags & STET_HISTORY_NEWEST_FIRST) != 0;
    h->left = limit_of(o.limit);
    h->from = o.from_position == 0 ? 1 : o.from_position;
    h->to = o.to_position == 0 || o.to_position > h->watermark ? h->watermark
                                                               : o.to_position;
    *out = h;
    return STET_OK;
}

stet_status stet_history_next(stet_history *history, const stet_event **out,
                              stet_error *err)
{
    stet__error_reset(err);
    if (history->left == 0) {
        return STET_DONE;
    }
    stet_status st = history->is_scan ? next_of_store(history, err)
                                      : next_of_machine(history, err);
    if (st == STET_OK) {
        history->left--;
        *out = &history->look.lent;
    }
    return st;
}

void stet_history_close(stet_history *history)
{
    if (history == NULL) {
        return;
    }
    stet *s = history->s;
    drop_window(history);
    stet__arena_deinit(&history->arena);
    stet__buf_deinit(&history->key);
    stet__bench_give(&s->benches, history->look.bench);
    stet__free(&s->alloc, history, sizeof(*history));
}
