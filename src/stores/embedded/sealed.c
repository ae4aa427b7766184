#include "stores/embedded/sealed.h"

#include <inttypes.h>

#include "base/assert.h"
#include "base/error.h"
#include "stores/embedded/names.h"
#include "stores/embedded/settled.h"

enum {
    /* Read of a record before its length is known: most are shorter. */
    RECORD_GUESS_BYTES = 1024,
    /* Read once reads turn out to go along the file, */
    WINDOW_BYTES = 64 * 1024,
    /* which they do in steps of up to so much: from there on each alone costs
     * less. */
    STEP_BYTES_MAX = 16 * 1024,
};

void stet__window_init(stet_window *w, const stet_allocator *alloc)
{
    *w = (stet_window){.segment = NULL};
    stet__buf_init(&w->bytes, alloc);
    stet__buf_init(&w->packed, alloc);
}

void stet__window_rest(stet_window *w)
{
    w->segment = NULL;
    stet__unpacked_unref(w->held);
    w->held = NULL;
}

void stet__window_deinit(stet_window *w)
{
    stet__window_rest(w);
    stet__zctx_destroy(w->z);
    stet__buf_deinit(&w->bytes);
    stet__buf_deinit(&w->packed);
}

void stet__sealed_reader_init(stet_sealed_reader *r,
                              const stet_allocator *alloc)
{
    stet__window_init(&r->window, alloc);
    stet__sealed_reader_rest(r);
}

void stet__sealed_reader_rest(stet_sealed_reader *r)
{
    r->directory.segment = NULL;
    r->slots.segment = NULL;
    r->lists.segment = NULL;
    stet__window_rest(&r->window);
}

void stet__sealed_reader_deinit(stet_sealed_reader *r)
{
    stet__window_deinit(&r->window);
}

/* Records. */

int64_t stet__sealed_recorded(const stet_sealed_tables *t, uint32_t slot)
{
    uint32_t from = 0;
    uint32_t to = t->time_count;
    while (to - from > 1) {
        uint32_t middle = from + (to - from) / 2;
        if (t->times[middle].first_slot <= slot) {
            from = middle;
        } else {
            to = middle;
        }
    }
    return t->times[from].recorded;
}

/* The size of a record of which only the first bytes are there; 0: unclear. */
static uint64_t bytes_told(stet_slice start)
{
    stet_reader in = stet__reader_of(start);
    (void)stet__read_u32le(&in); /* its checksum */
    uint64_t length = stet__read_varint(&in);
    size_t before = start.len - stet__read_left(&in);
    return in.is_bad || length > UINT32_MAX ? 0 : before + length;
}

/* The bytes of the window from `offset` on; empty when it does not reach. */
static stet_slice window_from(const stet_window *w, const stet_segment *s,
                              uint64_t offset)
{
    if (w->segment != s || offset < w->offset ||
        offset - w->offset >= w->bytes.len) {
        return (stet_slice){NULL, 0};
    }
    size_t skip = (size_t)(offset - w->offset);
    return stet_slice_of(w->bytes.ptr + skip, w->bytes.len - skip);
}

/*
 * Which bytes to load for the record at `offset`: [*from, *to) of the frames.
 */
static void choose_window(const stet_window *w, const stet_segment *s,
                          uint64_t offset, uint64_t *from, uint64_t *to)
{
    uint64_t end = w->offset + w->bytes.len;
    *from = offset;
    *to = offset + RECORD_GUESS_BYTES;
    if (w->segment == s && offset >= w->offset &&
        offset < end + STEP_BYTES_MAX) {
        *to = offset + WINDOW_BYTES;
    } else if (w->segment == s && offset < w->offset &&
               w->offset - offset < STEP_BYTES_MAX) {
        uint64_t back = WINDOW_BYTES - RECORD_GUESS_BYTES;
        *from = offset > back + STET_W ? offset - back : STET_W;
    }
    if (*to > s->trailer.end_offset) {
        *to = s->trailer.end_offset;
    }
}

static stet_status load_window(stet_window *w, const stet_segment *s,
                               uint64_t from, uint64_t to, stet_error *err)
{
    w->segment = NULL;
    stet__buf_reset(&w->bytes);
    uint8_t *bytes = stet__buf_extend(&w->bytes, (size_t)(to - from));
    if (bytes == NULL) {
        return stet__fail(err, STET_E_NOMEM, 0, "no memory for a record");
    }
    stet_status st =
        stet__segment_pread(s, bytes, (size_t)(to - from), from, err);
    if (st == STET_OK) {
        w->segment = s;
        w->offset = from;
    }
    return st;
}

/* Lend a record's bytes from the window, loading it as often as it takes. */
static stet_status read_record(const stet_segment *s, uint64_t offset,
                               stet_window *w, stet_slice *out, stet_error *err)
{
    if (offset < STET_W || offset >= s->trailer.end_offset) {
        return stet__index_damage(s, STET_SECTION_SLOTS, 0, err);
    }
    uint64_t left = s->trailer.end_offset - offset;
    stet_slice have = window_from(w, s, offset);
    uint64_t need = have.len == 0 ? 0 : bytes_told(have);
    if (need == 0 || need > have.len) {
        uint64_t from = 0;
        uint64_t to = 0;
        choose_window(w, s, offset, &from, &to);
        stet_status st = load_window(w, s, from, to, err);
        if (st != STET_OK) {
            return st;
        }
        have = window_from(w, s, offset);
        need = bytes_told(have);
    }
    if (need > have.len && need <= left) {
        stet_status st = load_window(w, s, offset, offset + need, err);
        if (st != STET_OK) {
            return st;
        }
        have = window_from(w, s, offset);
    }
    size_t whole = 0;
    if (!stet__record_is_sound(have, &whole)) {
        return stet__damage(err, s->header.file, offset, "record is damaged");
    }
    *out = stet_slice_of(have.ptr, whole);
    return STET_OK;
}

stet_status stet__sealed_logged(const stet_segment *s, uint64_t position,
                                stet_sealed_reader *r, stet_logged *out,
                                stet_error *err)
{
    STET_ASSERT(position >= s->trailer.first_position &&
                position < s->trailer.end_position);
    uint32_t slot = (uint32_t)(position - s->trailer.first_position);
    const stet_sealed_tables *t = NULL;
    const uint8_t *entry = NULL;
    stet_slice bytes = {0};
    stet_status st = stet__index_tables(s, &t, err);
    if (st == STET_OK) {
        st = stet__index_entry(s, STET_SECTION_SLOTS, slot, &r->slots, &entry,
                               err);
    }
    if (st != STET_OK) {
        return st;
    }
    uint64_t offset = stet__get_u32le(entry);
    uint32_t crc = stet__get_u32le(entry + 4);
    st = stet__segment_is_set(s)
             ? stet__settled_record(s, offset, &r->window, &bytes, &offset, err)
             : read_record(s, offset, &r->window, &bytes, err);
    if (st == STET_OK && stet__get_u32le(bytes.ptr) != crc) {
        st = stet__segment_damage(s, offset, err,
                                  "record is not the one its index tells");
    }
    if (st == STET_OK) {
        *out = (stet_logged){
            .bytes = bytes,
            .position = position,
            .recorded = stet__sealed_recorded(t, slot),
            .file = s->header.file,
            .is_settled = stet__segment_is_set(s),
            .offset = offset,
        };
    }
    return st;
}

/* Searching a run. */

stet_status stet__run_position(stet_run_search *q, uint32_t ordinal,
                               uint64_t *out, stet_error *err)
{
    STET_ASSERT(ordinal < q->run.count);
    const stet_trailer *t = &q->s->trailer;
    const uint8_t *entry = NULL;
    if (ordinal == 0) {
        *out = q->run.first.position;
        return STET_OK;
    }
    stet_status st = stet__index_entry(q->s, STET_SECTION_LISTS,
                                       (uint64_t)q->run.list + ordinal,
                                       &q->r->lists, &entry, err);
    if (st != STET_OK) {
        return st;
    }
    *out = t->first_position + stet__get_u32le(entry);
    if (*out <= q->run.first.position || *out > q->run.last.position) {
        return stet__index_damage(q->s, STET_SECTION_LISTS, 0, err);
    }
    return STET_OK;
}

/* The whole point; its record is read for its occurred maximum. */
static stet_status point_at(stet_run_search *q, uint32_t ordinal,
                            stet_point *out, stet_error *err)
{
    if (ordinal == 0 || ordinal == q->run.count - 1) {
        *out = ordinal == 0 ? q->run.first : q->run.last;
        return STET_OK;
    }
    uint64_t position = 0;
    stet_logged logged;
    stet_record record;
    size_t bytes = 0;
    stet_status st = stet__run_position(q, ordinal, &position, err);
    if (st == STET_OK) {
        st = stet__sealed_logged(q->s, position, q->r, &logged, err);
    }
    if (st != STET_OK) {
        return st;
    }
    st = stet__record_decode(logged.bytes, &record, &bytes, err);
    if (st != STET_OK) {
        return stet__segment_damage_wrap(q->s, logged.offset, st, err);
    }
    *out = (stet_point){
        .seq = q->run.first.seq + ordinal,
        .position = position,
        .occurred_max = stet__record_occurred_max(&record, logged.recorded),
    };
    stet_machine_key key = {.id = record.id, .ns = record.ns};
    if (record.seq != out->seq || !stet__machine_key_eq(key, q->run.key)) {
        return stet__segment_damage(q->s, logged.offset, err,
                                    "record is not the one its index tells");
    }
    return STET_OK;
}

/* A point on one scale, so that a difference of two is a distance. */
static uint64_t on_scale(stet_point p, stet_dimension scale)
{
    switch (scale) {
    case STET_BY_SEQ:
        return p.seq;
    case STET_BY_POSITION:
        return p.position;
    case STET_BY_OCCURRED:
        return (uint64_t)p.occurred_max;
    }
    STET_ASSERT(false);
    return 0;
}

/* A record's point as far as the scale asks for it. */
static stet_status point_on_scale(stet_run_search *q, uint32_t ordinal,
                                  stet_dimension scale, stet_point *out,
                                  stet_error *err)
{
    *out = (stet_point){.seq = q->run.first.seq + ordinal};
    switch (scale) {
    case STET_BY_SEQ:
        break;
    case STET_BY_POSITION:
        return stet__run_position(q, ordinal, &out->position, err);
    case STET_BY_OCCURRED:
        return point_at(q, ordinal, out, err);
    }
    return STET_OK;
}

/*
 * A hunt for a bound in a run. A look costs I/O, little where it is near the
 * one before: so the first goes where the bound ought to be if the scale runs
 * evenly, the next ones gallop on from there until they are past it, and the
 * rest halve what lies between. At most twice as many looks as halving takes,
 * two where the scale is even.
 */
typedef enum hunt_pace {
    HUNT_GUESS = 0,
    HUNT_GALLOP = 1,
    HUNT_HALVE = 2,
} hunt_pace;

typedef struct hunt {
    stet_bound bound;
    hunt_pace pace;
    uint32_t from; /* a record that is not above the bound */
    uint32_t to;   /* one that is */
    uint64_t low;  /* the two on the bound's scale */
    uint64_t high;
    uint32_t step; /* of the gallop */
    bool is_upward;
} hunt;

/* How far behind `from` the bound ought to be, in records. */
static uint32_t distance(const hunt *h)
{
    uint64_t value = h->bound.dimension == STET_BY_OCCURRED
                         ? (uint64_t)h->bound.occurred
                         : h->bound.value;
    double part = (double)(value - h->low) / (double)(h->high - h->low);
    return (uint32_t)(part * (double)(h->to - h->from));
}

/* The record to look at next, between the two. */
static uint32_t next_look(const hunt *h)
{
    uint32_t width = h->to - h->from;
    uint32_t skip = width / 2;
    if (h->pace == HUNT_GUESS) {
        skip = distance(h);
    } else if (h->pace == HUNT_GALLOP) {
        uint32_t step = h->step < width ? h->step : width;
        skip = h->is_upward ? step : width - step;
    }
    skip = skip < 1 ? 1 : skip;
    return h->from + (skip < width ? skip : width - 1);
}

static void take_look(hunt *h, uint32_t at, stet_point p)
{
    bool is_above = stet__point_is_above(p, h->bound);
    if (is_above) {
        h->to = at;
        h->high = on_scale(p, h->bound.dimension);
    } else {
        h->from = at;
        h->low = on_scale(p, h->bound.dimension);
    }
    if (h->pace == HUNT_GUESS) {
        uint32_t off = distance(h);
        h->pace = HUNT_GALLOP;
        h->is_upward = !is_above;
        h->step = 2 * (is_above ? h->to - h->from - off : off) + 1;
    } else if (h->pace == HUNT_GALLOP) {
        h->pace = is_above == h->is_upward ? HUNT_HALVE : HUNT_GALLOP;
        h->step *= 2;
    }
}

stet_status stet__run_count(stet_run_search *q, uint32_t last, stet_bound bound,
                            uint32_t *out, stet_error *err)
{
    const stet_run *run = &q->run;
    STET_ASSERT(last < run->count);
    if (stet__point_is_above(run->first, bound)) {
        *out = 0;
        return STET_OK;
    }
    if (!stet__point_is_above(run->last, bound)) {
        *out = last + 1;
        return STET_OK;
    }
    hunt h = {
        .bound = bound,
        .to = run->count - 1,
        .low = on_scale(run->first, bound.dimension),
        .high = on_scale(run->last, bound.dimension),
    };
    while (h.to - h.from > 1) {
        uint32_t at = next_look(&h);
        stet_point p;
        stet_status st = point_on_scale(q, at, bound.dimension, &p, err);
        if (st != STET_OK) {
            return st;
        }
        take_look(&h, at, p);
    }
    *out = h.from < last ? h.from + 1 : last + 1;
    return STET_OK;
}

stet_status stet__sealed_reach(const stet_segment *s, const stet_target *target,
                               stet_sealed_reader *r, stet_reach *out,
                               stet_error *err)
{
    stet_run_search q = {.s = s, .r = r};
    stet_status st =
        stet__index_find(s, target->key, &r->directory, &q.run, err);
    if (st != STET_OK) {
        return st;
    }
    uint32_t count = q.run.count;
    uint64_t top = q.run.last.position;
    if (top > target->top) {
        stet_bound by_top = {STET_BY_POSITION, target->top, 0};
        st = stet__run_count(&q, count - 1, by_top, &count, err);
        if (st == STET_OK && count > 0) {
            st = stet__run_position(&q, count - 1, &top, err);
        }
    }
    if (st != STET_OK || count == 0) {
        return st != STET_OK ? st : STET_E_NOT_FOUND;
    }
    uint64_t top_seq = q.run.first.seq + count - 1;
    if (target->seq != 0 && (top != target->top || top_seq != target->seq)) {
        return stet__segment_damage(s, stet__index_offset(s, 0), err,
                                    "position %" PRIu64 " holds seq %" PRIu64
                                    ", a link to %" PRIu64 " says %" PRIu64,
                                    top, top_seq, target->top, target->seq);
    }
    st = stet__run_count(&q, count - 1, target->bound, &count, err);
    if (st != STET_OK) {
        return st;
    }
    *out = (stet_reach){.is_found = count > 0};
    if (count > 0) {
        return point_at(&q, count - 1, &out->point, err);
    }
    out->first = q.run.first;
    out->previous = q.run.previous;
    out->jump = q.run.jump;
    return STET_OK;
}

stet_status stet__sealed_jump(const stet_segment *s, stet_machine_key key,
                              stet_sealed_reader *r, stet_run_link *out,
                              stet_error *err)
{
    stet_run run;
    stet_status st = stet__index_find(s, key, &r->directory, &run, err);
    if (st == STET_OK) {
        *out = run.jump;
    }
    return st;
}

/* Keys and times. */

static uint64_t key_prefix(const uint8_t key[16])
{
    return (uint64_t)key[0] << 24 | (uint64_t)key[1] << 16 |
           (uint64_t)key[2] << 8 | key[3];
}

/* The block that holds the key if any does. Keys are hashes: so guess first. */
static stet_status find_key_block(const stet_segment *s, const uint8_t key[16],
                                  stet_block *block, stet_error *err)
{
    uint32_t from = 0;
    uint32_t to = stet__index_section(s, STET_SECTION_KEYS)->blocks;
    uint32_t guess = (uint32_t)((key_prefix(key) * to) >> 32);
    while (from < to) {
        stet_status st =
            stet__index_load(s, STET_SECTION_KEYS, guess, block, err);
        if (st != STET_OK) {
            return st;
        }
        const uint8_t *first = block->payload.ptr;
        size_t len = block->payload.len;
        if (len == 0 || len % STET_KEY_ENTRY_BYTES != 0) {
            return stet__index_damage(s, STET_SECTION_KEYS, guess, err);
        }
        if (memcmp(key, first, 16) < 0) {
            to = guess;
        } else if (memcmp(key, first + len - STET_KEY_ENTRY_BYTES, 16) > 0) {
            from = guess + 1;
        } else {
            return STET_OK;
        }
        guess = from + (to - from) / 2;
    }
    return STET_E_NOT_FOUND;
}

stet_status stet__sealed_find_key(const stet_segment *s, const uint8_t key[16],
                                  uint64_t below, uint64_t *out_position,
                                  stet_error *err)
{
    stet_block block;
    block.segment = NULL;
    stet_status st = find_key_block(s, key, &block, err);
    if (st != STET_OK) {
        return st;
    }
    const uint8_t *entries = block.payload.ptr;
    size_t from = 0;
    size_t to = block.payload.len / STET_KEY_ENTRY_BYTES;
    while (from < to) {
        size_t middle = from + (to - from) / 2;
        const uint8_t *entry = entries + middle * STET_KEY_ENTRY_BYTES;
        int order = memcmp(key, entry, 16);
        if (order == 0) {
            uint64_t slot = stet__key_entry_slot(entry);
            if (slot >= s->trailer.end_position - s->trailer.first_position) {
                return stet__segment_damage(s,
                                            stet__index_offset(s, block.number),
                                            err, "a key leads out of the file");
            }
            uint64_t position = s->trailer.first_position + slot;
            if (position >= below) {
                return STET_E_NOT_FOUND;
            }
            *out_position = position;
            return STET_OK;
        }
        if (order > 0) {
            from = middle + 1;
        } else {
            to = middle;
        }
    }
    return STET_E_NOT_FOUND;
}

stet_status stet__sealed_at_recorded(const stet_segment *s, int64_t time,
                                     uint64_t below, uint64_t *out_position,
                                     stet_error *err)
{
    const stet_sealed_tables *t = NULL;
    *out_position = 0;
    if (time < s->trailer.first_recorded ||
        below <= s->trailer.first_position) {
        return STET_OK;
    }
    stet_status st = stet__index_tables(s, &t, err);
    if (st != STET_OK) {
        return st;
    }
    uint32_t from = 0;
    uint32_t to = t->time_count;
    while (from < to) {
        uint32_t middle = from + (to - from) / 2;
        if (t->times[middle].recorded <= time) {
            from = middle + 1;
        } else {
            to = middle;
        }
    }
    uint64_t end = from < t->time_count
                       ? s->trailer.first_position + t->times[from].first_slot
                       : s->trailer.end_position;
    *out_position = (end < below ? end : below) - 1;
    return STET_OK;
}
