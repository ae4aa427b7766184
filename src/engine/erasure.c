#include "engine/erasure.h"

#include <inttypes.h>
#include <string.h>

#include "base/error.h"
#include "core/image.h"
#include "core/record.h"
#include "engine/hold.h"
#include "engine/load.h"
#include "engine/own.h"
#include "engine/retention.h"

/* One of them as it is kept; the id lies behind it. */
typedef stet_erased erasure;

static size_t bytes_of(const erasure *e)
{
    return sizeof *e + e->key.id.len;
}

static bool is_same(const void *item, const void *key)
{
    return stet__machine_key_eq(((const erasure *)item)->key,
                                *(const stet_machine_key *)key);
}

static erasure *find(const stet_map *map, stet_machine_key key)
{
    return stet__map_find(map, stet__machine_hash(key), &key, is_same);
}

static void free_all(stet_map *map)
{
    size_t cursor = 0;
    erasure *e = NULL;
    while ((e = stet__map_next(map, &cursor)) != NULL) {
        stet__free(map->alloc, e, bytes_of(e));
    }
    stet__map_deinit(map);
}

void stet__erasures_init(stet_erasures *e, const stet_allocator *alloc)
{
    stet__mutex_init(&e->mu, STET_RANK_LEAF);
    stet__map_init(&e->map, alloc);
}

void stet__erasures_deinit(stet_erasures *e)
{
    free_all(&e->map);
}

/* Add one to a map that no other thread reads or writes meanwhile. */
static stet_status add(stet_map *map, stet_machine_key key, uint64_t end,
                       stet_error *err)
{
    erasure *e = stet__alloc(map->alloc, sizeof *e + key.id.len);
    if (e == NULL || !stet__map_reserve(map)) {
        stet__free(map->alloc, e, sizeof *e + key.id.len);
        return stet__fail(err, STET_E_NOMEM, 0, "list of erasures");
    }
    memcpy(e + 1, key.id.ptr, key.id.len);
    *e = (erasure){{stet_slice_of(e + 1, key.id.len), key.ns}, end};
    stet__map_put(map, stet__machine_hash(e->key), e);
    return STET_OK;
}

/* ---- reading ---- */

static uint8_t nibble(char c)
{
    return (uint8_t)(c <= '9' ? c - '0' : c - 'a' + 10);
}

static stet_status take(void *ctx, const stet_own *own, stet_error *err)
{
    stet_map *map = ctx;
    const char *id = own->id.ptr;
    if (own->id.len < 4) {
        return stet__fail(err, STET_E_CORRUPT, 0, "an erasure of nothing");
    }
    stet_machine_key key = {
        .id = stet_slice_of(id + 3, own->id.len - 3),
        .ns = (uint8_t)(nibble(id[1]) << 4 | nibble(id[2])),
    };
    return add(map, key, stet__own_number(own->content, "end"), err);
}

stet_status stet__erasures_load(stet *s, stet_error *err)
{
    stet_erasures *e = &s->erasures;
    if (atomic_load_explicit(&e->is_loaded, memory_order_acquire) != 0) {
        return STET_OK;
    }
    stet_map map;
    stet__map_init(&map, &s->alloc);
    stet_status st = stet__own_each(s, stet_str("e"), take, &map, err);
    stet__mutex_lock(s->os, &e->mu);
    /* Who came first may have been told of one since. */
    if (st == STET_OK &&
        atomic_load_explicit(&e->is_loaded, memory_order_relaxed) == 0) {
        stet_map none = e->map;
        e->map = map;
        map = none;
        atomic_store_explicit(&e->has_any, e->map.count > 0,
                              memory_order_release);
        /* Release: who sees it sees the map. */
        atomic_store_explicit(&e->is_loaded, 1, memory_order_release);
    }
    stet__mutex_unlock(s->os, &e->mu);
    free_all(&map);
    return st;
}

bool stet__erasures_any(stet *s)
{
    /* Acquire: who was told of an erasure finds it. */
    return atomic_load_explicit(&s->erasures.has_any, memory_order_acquire) !=
           0;
}

stet_status stet__erasures_list(stet *s, stet_buf *out, stet_error *err)
{
    stet_erasures *all = &s->erasures;
    stet_erased *items = NULL;
    size_t room = 0;
    size_t count = 0;
    do {
        room = count; /* that there were more is learned under the lock */
        items = (void *)stet__buf_extend(out, room * sizeof *items);
        if (room > 0 && items == NULL) {
            return stet__fail(err, STET_E_NOMEM, 0, "list of erasures");
        }
        size_t cursor = 0;
        stet__mutex_lock(s->os, &all->mu);
        count = all->map.count;
        for (size_t i = 0; i < count && count <= room; i++) {
            const erasure *e = stet__map_next(&all->map, &cursor);
            items[i] = *e;
        }
        stet__mutex_unlock(s->os, &all->mu);
        out->len -= (count <= room ? room - count : room) * sizeof *items;
    } while (count > room);
    return STET_OK;
}

uint64_t stet__erased_end(stet *s, stet_machine_key key)
{
    if (!stet__erasures_any(s)) {
        return 0;
    }
    stet__mutex_lock(s->os, &s->erasures.mu);
    const erasure *e = find(&s->erasures.map, key);
    uint64_t end = e == NULL ? 0 : e->end;
    stet__mutex_unlock(s->os, &s->erasures.mu);
    return end;
}

/* ---- erasing ---- */

/* Have a place for one: once it is durable, nothing stands in its way. */
static stet_status reserve(stet *s, stet_machine_key key, stet_error *err)
{
    stet_status st = STET_OK;
    stet__mutex_lock(s->os, &s->erasures.mu);
    if (find(&s->erasures.map, key) == NULL) {
        st = add(&s->erasures.map, key, 0, err);
    }
    stet__mutex_unlock(s->os, &s->erasures.mu);
    return st;
}

static void set_end(stet *s, stet_machine_key key, uint64_t end)
{
    stet__mutex_lock(s->os, &s->erasures.mu);
    find(&s->erasures.map, key)->end = end;
    stet__mutex_unlock(s->os, &s->erasures.mu);
    /* Release: who sees it finds the erasure. */
    atomic_store_explicit(&s->erasures.has_any, 1, memory_order_release);
}

static stet_status write_end(stet *s, stet_machine_key key, uint64_t end,
                             stet_error *err)
{
    stet_buf id;
    stet_buf json;
    stet__buf_init(&id, &s->alloc);
    stet__buf_init(&json, &s->alloc);
    stet__buf_printf(&id, "e%02x", key.ns);
    stet__buf_put_slice(&id, key.id);
    stet__buf_printf(&json, "{\"end\":%" PRIu64 "}", end);
    stet_change change = {.verb = STET_VERB_SAVE,
                          .ns = STET_STORE_NAMESPACE,
                          .id = stet__buf_slice(&id),
                          .payload = stet__buf_slice(&json)};
    stet_batch batch = {.changes = &change, .change_count = 1};
    stet_status st = id.is_failed || json.is_failed
                         ? stet__fail(err, STET_E_NOMEM, 0, "erasure")
                         : stet__commit(s, &batch, NULL, NULL, err);
    stet__buf_deinit(&id);
    stet__buf_deinit(&json);
    return st;
}

/* Has a lineage, at a seq, a record that is this machine's own? */
static stet_status is_of(stet *s, stet_machine_key lineage, uint64_t seq,
                         stet_machine_key owner, bool *out, stet_error *err)
{
    stet_bound bound = {STET_BY_SEQ, seq, 0};
    stet_point point = {0};
    stet_logged l = {0};
    stet_record r = {0};
    size_t bytes = 0;
    stet_bench *bench = stet__bench_take(&s->benches);
    if (bench == NULL) {
        return stet__fail(err, STET_E_NOMEM, 0, "erasure");
    }
    stet_status st = s->log->ops->seek(
        s->log, lineage, bound, stet__watermark(&s->pipeline), &point, err);
    if (st == STET_OK) {
        st = s->log->ops->reader_read(bench->reader, point.position, &l, err);
    }
    if (st == STET_OK) {
        st = stet__record_parse(l.bytes, &r, &bytes, err);
    }
    *out = st == STET_OK && r.seq == seq &&
           stet__machine_key_eq((stet_machine_key){r.id, r.ns}, owner);
    stet__bench_give(&s->benches, bench);
    return st;
}

/* Find the first seq of a machine's own, of which `own` is one. */
static stet_status first_own(stet *s, stet_machine_key key, uint64_t own,
                             uint64_t *out, stet_error *err)
{
    uint64_t from = 1;
    stet_status st = STET_OK;
    while (from < own && st == STET_OK) {
        uint64_t middle = from + (own - from) / 2;
        bool is_own = false;
        st = is_of(s, key, middle, key, &is_own, err);
        own = is_own ? middle : own;
        from = is_own ? from : middle + 1;
    }
    *out = own;
    return st;
}

/* What may be held: a machine's events from its first own one on. */
typedef struct holding {
    stet *s;
    stet_machine_key key;
    uint64_t first_own;
} holding;

/* A hold is on the machine too where it is on a fork that shares its events. */
static stet_status refuse_held(void *ctx, const stet_hold *hold,
                               stet_error *err)
{
    const holding *h = ctx;
    stet_machine_key held = {hold->state_machine_id, hold->ns};
    bool is_held = held.id.len == 0 || stet__machine_key_eq(held, h->key);
    if (!is_held) {
        stet_status st = is_of(h->s, held, h->first_own, h->key, &is_held, err);
        if (st == STET_E_NOT_FOUND) { /* it has not so many events */
            stet__error_reset(err);
            st = STET_OK;
        }
        if (st != STET_OK) {
            return st;
        }
    }
    return is_held ? stet__fail(err, STET_E_HELD, 0, "%s is held by %s",
                                stet__id_text(h->key.id).text,
                                stet__id_text(hold->name).text)
                   : STET_OK;
}

static stet_status check_own(stet *s, stet_machine_key key, uint64_t seq,
                             stet_error *err)
{
    bool is_own = false;
    stet_status st = is_of(s, key, seq, key, &is_own, err);
    return st == STET_OK && !is_own
               ? stet__fail(err, STET_E_INVALID, 0,
                            "%s inherited seq %" PRIu64
                            "; erase it where it comes from",
                            stet__id_text(key.id).text, seq)
               : st;
}

static stet_status check_held(stet *s, stet_machine_key key, uint64_t up_to_seq,
                              stet_error *err)
{
    holding h = {.s = s, .key = key};
    stet_status st = first_own(s, key, up_to_seq, &h.first_own, err);
    return st == STET_OK ? stet__holds_each(s, refuse_held, &h, err) : st;
}

static stet_status check(stet *s, stet_machine_key key, uint64_t up_to_seq,
                         stet_error *err)
{
    stet_id_text id = stet__id_text(key.id);
    stet_at newest = {0};
    stet_point head = {0};
    stet_status st = stet__find_point(
        s, key, &newest, stet__watermark(&s->pipeline), &head, err);
    if (st == STET_OK && (up_to_seq == 0 || up_to_seq >= head.seq)) {
        st = stet__fail(err, STET_E_INVALID, 0,
                        "%s is at seq %" PRIu64
                        ", which stays: erase up to a seq from 1 to %" PRIu64
                        ", or save or delete it first",
                        id.text, head.seq, head.seq - 1);
    }
    if (st == STET_OK) {
        st = check_own(s, key, up_to_seq, err);
    }
    return st == STET_OK ? check_held(s, key, up_to_seq, err) : st;
}

static stet_status erase(stet *s, stet_machine_key key, uint64_t up_to_seq,
                         stet_error *err)
{
    stet_status st = check(s, key, up_to_seq, err);
    if (st != STET_OK || stet__erased_end(s, key) > up_to_seq) {
        return st;
    }
    st = reserve(s, key, err);
    if (st == STET_OK) {
        st = write_end(s, key, up_to_seq + 1, err);
    }
    if (st == STET_OK) {
        /* From here on no read shows it and no fork begins there. */
        set_end(s, key, up_to_seq + 1);
        stet__pins_outdate(s);
    }
    return st;
}

stet_status stet_erase(stet *s, stet_slice id, uint8_t ns, uint64_t up_to_seq,
                       stet_error *err)
{
    stet__error_reset(err);
    stet_status st = stet__id_check(id, ns, err);
    if (st == STET_OK && s->log->ops->retain == NULL) {
        st = stet__fail(err, STET_E_UNSUPPORTED, 0, "a %s store erases nothing",
                        s->log->ops->name);
    }
    if (st == STET_OK) {
        st = stet__erasures_load(s, err);
    }
    if (st == STET_OK) {
        /*
         * One at a time: of a machine's erasures the one that is durable last
         * reaches the farthest.
         */
        stet__turn_take(s->os, &s->erasures.turn);
        st = erase(s, (stet_machine_key){id, ns}, up_to_seq, err);
        stet__turn_give(s->os, &s->erasures.turn);
    }
    return st;
}
