#include "engine/table.h"

#include <string.h>

#include "base/assert.h"
#include "base/error.h"
#include "base/mark.h"
#include "core/image.h"

enum {
    HEAD_NAME_ROOM = 24, /* of a head that can be used again */
    HEADS_IDLE_MAX = 256,
    STAYED_MAX = 64,      /* entries in a row that cannot be evicted */
    LOADS_PER_TIMED = 64, /* two looks at the clock cost a third of a load */
};

static size_t stripe_number(uint64_t hash)
{
    /* The map takes the low bits; the stripe takes the high ones. */
    return (size_t)(hash >> 60);
}

static stet_stripe *stripe_of(stet_table *t, uint64_t hash)
{
    return &t->stripes[stripe_number(hash)];
}

_Static_assert(STET_TABLE_STRIPES == 16, "a stripe is four bits of the hash");

/* What readers see at most. Under a stripe, see table.h. */
static uint64_t watermark_of(const stet_table *t)
{
    /* Acquire: as stet__watermark. */
    return atomic_load_explicit(t->watermark, memory_order_acquire);
}

static bool entry_is(const void *item, const void *key)
{
    const stet_entry *e = item;
    return stet__machine_key_eq(stet__entry_key(e),
                                *(const stet_machine_key *)key);
}

static size_t head_bytes(const stet_head *v)
{
    return sizeof(*v) + v->name_room;
}

static size_t entry_bytes(const stet_entry *e)
{
    return sizeof(*e) + e->id_bytes;
}

static size_t weight(const stet_head *v)
{
    return head_bytes(v) + (v->box == NULL ? 0 : stet__box_weight(v->box));
}

void stet__table_init(stet_table *t, const stet_allocator *alloc, stet_os *os,
                      const stet_table_limits *limits,
                      const _Atomic uint64_t *watermark)
{
    memset(t, 0, sizeof(*t));
    t->alloc = alloc;
    t->os = os;
    t->watermark = watermark;
    t->ttl_ns = limits->ttl_ns == 0 ? INT64_MAX : limits->ttl_ns;
    if (limits->is_off) {
        t->ttl_ns = 0;
    } else {
        t->stripe_bytes_max = (size_t)(limits->bytes / STET_TABLE_STRIPES);
    }
    uint64_t entries = limits->entries == 0 ? UINT64_MAX : limits->entries;
    STET_ASSERT(entries >= STET_TABLE_STRIPES);
    for (size_t i = 0; i < STET_TABLE_STRIPES; i++) {
        /* Shares that add up to what is allowed. */
        t->stripes[i].entries_max =
            (size_t)(entries / STET_TABLE_STRIPES +
                     (i < entries % STET_TABLE_STRIPES ? 1 : 0));
        stet__mutex_init(&t->stripes[i].mu, STET_RANK_STRIPE);
        stet__map_init(&t->stripes[i].map, alloc);
    }
}

static void destroy_chain(const stet_allocator *alloc, stet_head *v)
{
    while (v != NULL) {
        stet_head *older = v->older;
        stet__head_destroy(alloc, v);
        v = older;
    }
}

static void entry_destroy(const stet_allocator *alloc, stet_entry *e)
{
    destroy_chain(alloc, e->newest);
    stet__free(alloc, e, entry_bytes(e));
}

void stet__table_deinit(stet_table *t)
{
    for (size_t i = 0; i < STET_TABLE_STRIPES; i++) {
        size_t cursor = 0;
        stet_entry *e = NULL;
        while ((e = stet__map_next(&t->stripes[i].map, &cursor)) != NULL) {
            entry_destroy(t->alloc, e);
        }
        stet__map_deinit(&t->stripes[i].map);
    }
}

static void head_init(stet_head *v, stet_slice name, size_t name_room)
{
    STET_ASSERT(name.len <= name_room);
    memset(v, 0, sizeof(*v));
    v->name_room = name_room;
    v->name_bytes = name.len;
    if (name.len > 0) {
        memcpy(v->name, name.ptr, name.len);
    }
}

stet_head *stet__head_create(const stet_allocator *alloc, stet_slice name)
{
    size_t room = name.len > HEAD_NAME_ROOM ? name.len : HEAD_NAME_ROOM;
    stet_head *v = stet__alloc(alloc, sizeof(*v) + room);
    if (v != NULL) {
        head_init(v, name, room);
    }
    return v;
}

void stet__head_destroy(const stet_allocator *alloc, stet_head *v)
{
    if (v == NULL) {
        return;
    }
    stet__box_unref(v->box);
    stet__free(alloc, v, head_bytes(v));
}

stet_head *stet__heads_take(stet_heads *heads, const stet_allocator *alloc,
                            stet_slice name)
{
    if (heads->idle == NULL || name.len > HEAD_NAME_ROOM) {
        return stet__head_create(alloc, name);
    }
    stet_head *v = heads->idle;
    heads->idle = v->older;
    heads->count--;
    head_init(v, name, HEAD_NAME_ROOM);
    return v;
}

void stet__heads_give(stet_heads *heads, const stet_allocator *alloc,
                      stet_head *v)
{
    if (v == NULL || v->name_room > HEAD_NAME_ROOM ||
        heads->count == HEADS_IDLE_MAX) {
        stet__head_destroy(alloc, v);
        return;
    }
    stet__box_unref(v->box);
    v->box = NULL;
    v->older = heads->idle;
    heads->idle = v;
    heads->count++;
}

void stet__heads_deinit(stet_heads *heads, const stet_allocator *alloc)
{
    while (heads->idle != NULL) {
        stet_head *v = heads->idle;
        heads->idle = v->older;
        stet__head_destroy(alloc, v);
    }
    heads->count = 0;
}

void stet__head_view(const stet_head *h, stet_head_view *out)
{
    memset(out, 0, offsetof(stet_head_view, name));
    if (h == NULL) {
        return;
    }
    STET_ASSERT(h->name_bytes <= sizeof(out->name));
    out->is_written = true;
    out->is_deleted = h->is_deleted;
    out->seq = h->seq;
    out->position = h->position;
    out->depth = h->depth;
    out->body_bytes = h->body_bytes;
    out->state_bytes = h->state_bytes;
    out->turns = h->turns;
    out->shape = h->shape;
    out->name_bytes = h->name_bytes;
    memcpy(out->name, h->name, h->name_bytes);
}

stet_machine_key stet__entry_key(const stet_entry *e)
{
    return (stet_machine_key){stet_slice_of(e->id, e->id_bytes), e->ns};
}

/* Under the stripe, so that nobody evicts what is about to be pinned. */
static void pin_locked(stet_entry *e)
{
    /* Relaxed: whoever evicts holds the stripe. */
    atomic_fetch_add_explicit(&e->pins, 1, memory_order_relaxed);
    e->is_recent = true;
}

/* Account for more or fewer bytes of an entry; the stripe is locked. */
static void account_locked(stet_stripe *s, stet_entry *e, size_t bytes)
{
    /* Relaxed: only a hint to those who do not hold the stripe. */
    size_t all = atomic_load_explicit(&s->bytes, memory_order_relaxed);
    atomic_store_explicit(&s->bytes, all - e->bytes + bytes,
                          memory_order_relaxed);
    e->bytes = bytes;
}

static bool is_over(const stet_table *t, const stet_stripe *s)
{
    return atomic_load_explicit(&s->bytes, memory_order_relaxed) >
               t->stripe_bytes_max ||
           atomic_load_explicit(&s->entries, memory_order_relaxed) >
               s->entries_max;
}

/* The clock, where entries grow old; it costs a fifth of a load. */
static int64_t now_of(const stet_table *t)
{
    return t->ttl_ns == INT64_MAX || t->ttl_ns == 0 ? 0
                                                    : t->os->monotonic(t->os);
}

static bool is_old(const stet_table *t, const stet_entry *e, int64_t now)
{
    return t->ttl_ns != INT64_MAX && now - e->since >= t->ttl_ns;
}

stet_entry *stet__table_pin(stet_table *t, stet_machine_key key,
                            uint64_t *out_evictions)
{
    uint64_t hash = stet__machine_hash(key);
    stet_stripe *s = stripe_of(t, hash);
    stet__mutex_lock(t->os, &s->mu);
    stet_entry *e = stet__map_find(&s->map, hash, &key, entry_is);
    if (e != NULL) {
        pin_locked(e);
        __builtin_prefetch(e->newest); /* a batch views it some pins later */
    }
    *out_evictions = s->evictions;
    stet__mutex_unlock(t->os, &s->mu);
    return e;
}

void stet__table_pin_again(stet_entry *e)
{
    /* Relaxed: nobody evicts it meanwhile, it is pinned. */
    uint32_t pins =
        atomic_fetch_add_explicit(&e->pins, 1, memory_order_relaxed);
    STET_ASSERT(pins > 0);
}

void stet__claims_add(stet_claims *claims, stet_claim *claim)
{
    claim->hash = stet__machine_hash(claim->key);
    claim->next = NULL;
    claim->entry = NULL;
    size_t i = stripe_number(claim->hash);
    if (claims->first[i] == NULL) {
        claims->first[i] = claim;
    } else {
        claims->last[i]->next = claim;
    }
    claims->last[i] = claim;
}

/* In rounds, each of which fetches what the next one looks at. */
static void pin_claims_locked(const stet_stripe *s, stet_claim *first)
{
    for (const stet_claim *c = first; c != NULL; c = c->next) {
        stet__map_prefetch(&s->map, c->hash);
    }
    for (const stet_claim *c = first; c != NULL; c = c->next) {
        stet__map_prefetch_item(&s->map, c->hash);
    }
    for (stet_claim *c = first; c != NULL; c = c->next) {
        c->entry = stet__map_find(&s->map, c->hash, &c->key, entry_is);
        if (c->entry != NULL) {
            pin_locked(c->entry);
            __builtin_prefetch(c->entry->newest);
        }
    }
    for (stet_claim *c = first; c != NULL; c = c->next) {
        if (c->entry != NULL) {
            stet__head_view(c->entry->newest, c->view);
        }
        if (c->entry != NULL && c->entry->newest != NULL) {
            __builtin_prefetch(c->entry->newest->older); /* linking looks */
        }
    }
}

void stet__table_pin_all(stet_table *t, const stet_claims *claims)
{
    for (size_t i = 0; i < STET_TABLE_STRIPES; i++) {
        if (claims->first[i] != NULL) {
            stet__mutex_lock(t->os, &t->stripes[i].mu);
            pin_claims_locked(&t->stripes[i], claims->first[i]);
            stet__mutex_unlock(t->os, &t->stripes[i].mu);
        }
    }
}

static void count_entries_locked(stet_stripe *s)
{
    /* Relaxed: only a hint to those who do not hold the stripe. */
    atomic_store_explicit(&s->entries, s->map.count, memory_order_relaxed);
}

static void ring_add(stet_stripe *s, stet_entry *e)
{
    if (s->hand == NULL) {
        e->next = e;
        e->prev = e;
        s->hand = e;
        return;
    }
    e->next = s->hand;
    e->prev = s->hand->prev;
    e->prev->next = e;
    e->next->prev = e;
}

static void ring_remove(stet_stripe *s, stet_entry *e)
{
    if (e->next == e) {
        s->hand = NULL;
        return;
    }
    if (s->hand == e) {
        s->hand = e->next;
    }
    e->prev->next = e->next;
    e->next->prev = e->prev;
}

static stet_entry *entry_create(const stet_allocator *alloc,
                                stet_machine_key key, uint64_t hash)
{
    stet_entry *e = stet__alloc(alloc, sizeof(*e) + key.id.len);
    if (e == NULL) {
        return NULL;
    }
    memset(e, 0, sizeof(*e));
    e->hash = hash;
    e->ns = key.ns;
    e->id_bytes = key.id.len;
    memcpy(e->id, key.id.ptr, key.id.len);
    e->bytes = entry_bytes(e);
    return e;
}

stet_status stet__table_insert(stet_table *t, stet_machine_key key,
                               uint64_t evictions, stet_head *newest,
                               stet_entry **out, stet_error *err)
{
    uint64_t hash = stet__machine_hash(key);
    stet_stripe *s = stripe_of(t, hash);
    stet_entry *fresh = entry_create(t->alloc, key, hash);
    if (fresh == NULL) {
        stet__head_destroy(t->alloc, newest);
        return stet__fail(err, STET_E_NOMEM, 0, "table of machines");
    }
    fresh->newest = newest;
    size_t bytes = fresh->bytes + (newest == NULL ? 0 : weight(newest));
    fresh->bytes = 0; /* nothing of it is accounted yet */
    fresh->since = now_of(t);

    stet__mutex_lock(t->os, &s->mu);
    stet_entry *e = stet__map_find(&s->map, hash, &key, entry_is);
    /* Growing allocates under the lock: once in a doubling, and only here. */
    bool is_full = e == NULL && !stet__map_reserve(&s->map);
    if (e == NULL && s->evictions != evictions) {
        STET_MARK("table.evicted_meanwhile");
    }
    if (e == NULL && !is_full && s->evictions == evictions) {
        stet__map_put(&s->map, hash, fresh);
        ring_add(s, fresh);
        count_entries_locked(s);
        account_locked(s, fresh, bytes);
        e = fresh;
        fresh = NULL;
    }
    if (e != NULL) {
        pin_locked(e);
    }
    stet__mutex_unlock(t->os, &s->mu);
    if (fresh != NULL) {
        entry_destroy(t->alloc, fresh);
    }
    if (is_full) {
        return stet__fail(err, STET_E_NOMEM, 0, "table of machines");
    }
    *out = e;
    return STET_OK;
}

static bool is_evictable(const stet_entry *e, uint64_t watermark)
{
    /* Acquire: what was done to it under the last pin came before. */
    return atomic_load_explicit(&e->pins, memory_order_acquire) == 0 &&
           (e->newest == NULL || e->newest->position < watermark);
}

/* Take an entry out; it is the caller's to destroy, outside the lock. */
static void remove_locked(stet_stripe *s, stet_entry *e)
{
    bool was_there = stet__map_remove(&s->map, e->hash, e);
    STET_ASSERT(was_there);
    ring_remove(s, e);
    count_entries_locked(s);
    account_locked(s, e, 0);
    s->evictions++;
}

/*
 * Turn the hand until the stripe is within its share, at most twice around, and
 * not on and on past what has to stay. Returns the evicted entries chained by
 * `next`.
 */
static stet_entry *evict_locked(stet_table *t, stet_stripe *s, int64_t now)
{
    uint64_t watermark = watermark_of(t);
    stet_entry *gone = NULL;
    unsigned stayed = 0;
    for (size_t steps = 2 * s->map.count;
         steps > 0 && stayed < STAYED_MAX && is_over(t, s) && s->hand != NULL;
         steps--) {
        stet_entry *e = s->hand;
        s->hand = e->next;
        if (!is_evictable(e, watermark)) {
            stayed++;
            continue;
        }
        stayed = 0;
        if (e->is_recent && !is_old(t, e, now)) {
            e->is_recent = false;
            continue;
        }
        STET_MARK("table.evicted");
        remove_locked(s, e);
        e->next = gone;
        gone = e;
    }
    return gone;
}

void stet__table_unpin(stet_table *t, stet_entry *e)
{
    stet_stripe *s = stripe_of(t, e->hash);
    /* Release: pairs with is_evictable. From here on it may be gone. */
    uint32_t pins =
        atomic_fetch_sub_explicit(&e->pins, 1, memory_order_release);
    STET_ASSERT(pins > 0);
    if (pins > 1 || !is_over(t, s)) {
        return;
    }
    int64_t now = now_of(t);
    stet__mutex_lock(t->os, &s->mu);
    stet_entry *gone = evict_locked(t, s, now);
    stet__mutex_unlock(t->os, &s->mu);
    while (gone != NULL) {
        stet_entry *next = gone->next;
        entry_destroy(t->alloc, gone);
        gone = next;
    }
}

/* The newest head below the watermark, or NULL. */
static stet_head *visible_of(stet_head *v, uint64_t watermark)
{
    while (v != NULL && v->position >= watermark) {
        v = v->older;
    }
    return v;
}

/* Put a chain of heads before another one. */
static stet_head *join(stet_head *first, stet_head *rest)
{
    while (first != NULL) {
        stet_head *next = first->older;
        first->older = rest;
        rest = first;
        first = next;
    }
    return rest;
}

/*
 * Cut off what neither readers nor folds need: all behind the visible head,
 * but for the newest older state when the visible one is not folded. A head
 * that was visible before has nothing but its anchor behind it, which so need
 * not be touched.
 */
static stet_head *prune(stet_entry *e, uint64_t watermark)
{
    stet_head *visible = visible_of(e->newest, watermark);
    if (visible == NULL || visible->is_tidy) {
        return NULL;
    }
    visible->is_tidy = true;
    stet_head *rest = visible->older;
    visible->older = NULL;
    if (visible->box != NULL || visible->is_deleted) {
        return rest;
    }
    stet_head *gone = NULL;
    while (rest != NULL && visible->older == NULL) {
        stet_head *next = rest->older;
        if (rest->box != NULL) {
            visible->older = rest;
            rest->older = NULL;
            return join(next, gone);
        }
        visible->is_carried = visible->is_carried && rest->is_carried;
        if (rest->is_tidy) {
            visible->older = next;
            next = NULL;
        }
        rest->older = gone;
        gone = rest;
        rest = next;
    }
    return gone;
}

/* Link the next head of an entry; returns what nobody needs any more. */
static stet_head *link_locked(stet_stripe *s, stet_entry *e, stet_head *v,
                              uint64_t watermark)
{
    STET_ASSERT(e->newest == NULL || (v->seq == e->newest->seq + 1 &&
                                      v->position > e->newest->position));
    v->older = e->newest;
    e->newest = v;
    stet_head *gone = prune(e, watermark);
    size_t bytes = e->bytes + weight(v);
    for (const stet_head *g = gone; g != NULL; g = g->older) {
        bytes -= weight(g);
    }
    account_locked(s, e, bytes);
    return gone;
}

stet_head *stet__table_link_all(stet_table *t, const stet_claims *claims)
{
    stet_head *gone = NULL;
    int64_t now = now_of(t);
    for (size_t i = 0; i < STET_TABLE_STRIPES; i++) {
        stet_stripe *s = &t->stripes[i];
        if (claims->first[i] == NULL) {
            continue;
        }
        stet__mutex_lock(t->os, &s->mu);
        uint64_t watermark = watermark_of(t);
        for (stet_claim *c = claims->first[i]; c != NULL; c = c->next) {
            gone = join(link_locked(s, c->entry, c->head, watermark), gone);
            c->entry->since = now;
            c->head = NULL;
        }
        stet__mutex_unlock(t->os, &s->mu);
    }
    return gone;
}

static void stamp_of(const stet_head *v, stet_stamp *out)
{
    STET_ASSERT(v->name_bytes <= sizeof(out->name));
    out->occurred = v->occurred;
    out->recorded = v->recorded;
    out->name_bytes = v->name_bytes;
    memcpy(out->name, v->name, v->name_bytes);
}

static stet_found found_in(stet_entry *e, uint64_t watermark, stet_stamp *stamp)
{
    stet_found f = {.lookup = STET_LOOKUP_NONE};
    const stet_head *v = visible_of(e->newest, watermark);
    if (v == NULL) {
        return f;
    }
    f.head = (stet_point){v->seq, v->position, v->occurred_max};
    if (v->is_deleted) {
        f.lookup = STET_LOOKUP_DELETED;
        return f;
    }
    const stet_head *anchor = v;
    bool is_carried = v->is_carried;
    while (anchor != NULL && anchor->box == NULL && !anchor->is_deleted) {
        is_carried = is_carried && anchor->is_carried;
        anchor = anchor->older;
    }
    f.lookup = v->box != NULL ? STET_LOOKUP_STATE : STET_LOOKUP_UNFOLDED;
    if (anchor != NULL && anchor->box != NULL) {
        f.box = stet__box_ref(anchor->box);
        f.lookup =
            v->box == NULL && is_carried ? STET_LOOKUP_CARRIED : f.lookup;
    }
    if (f.lookup == STET_LOOKUP_CARRIED && stamp != NULL) {
        stamp_of(v, stamp);
    }
    return f;
}

stet_box *stet__carry(const stet_table *t, const stet_found *f,
                      const stet_stamp *stamp)
{
    STET_ASSERT(f->lookup == STET_LOOKUP_CARRIED);
    stet_box_parts parts = stet__box_parts_of(f->box);
    parts.lender = f->box;
    parts.name = stet_slice_of(stamp->name, stamp->name_bytes);
    stet_box *box = stet__box_create(t->alloc, &parts);
    if (box != NULL) {
        box->view.seq = f->head.seq;
        box->view.position = f->head.position;
        box->view.updated_at = stamp->occurred;
        box->view.recorded_at = stamp->recorded;
        /* Relaxed: a function of immutable bytes. */
        atomic_store_explicit(
            &box->shape,
            atomic_load_explicit(&f->box->shape, memory_order_relaxed),
            memory_order_relaxed);
    }
    return box;
}

static stet_entry *look_locked(stet_table *t, stet_stripe *s, uint64_t hash,
                               stet_machine_key key, stet_found *out)
{
    stet_entry *e = stet__map_find(&s->map, hash, &key, entry_is);
    *out = (stet_found){.lookup = STET_LOOKUP_ABSENT};
    if (e != NULL) {
        e->is_recent = true;
        *out = found_in(e, watermark_of(t), NULL);
    }
    return e;
}

stet_found stet__table_find(stet_table *t, stet_machine_key key)
{
    uint64_t hash = stet__machine_hash(key);
    stet_stripe *s = stripe_of(t, hash);
    stet_found f;
    stet__mutex_lock(t->os, &s->mu);
    (void)look_locked(t, s, hash, key, &f); /* nothing of it is counted */
    stet__mutex_unlock(t->os, &s->mu);
    return f;
}

/* Take out the entry that a load looks for, if it is too old; else NULL. */
static stet_entry *take_old_locked(stet_table *t, stet_stripe *s, uint64_t hash,
                                   stet_machine_key key, int64_t now)
{
    if (t->ttl_ns == INT64_MAX) {
        return NULL;
    }
    stet_entry *e = stet__map_find(&s->map, hash, &key, entry_is);
    if (e == NULL || !is_old(t, e, now) || !is_evictable(e, watermark_of(t))) {
        return NULL;
    }
    remove_locked(s, e);
    return e;
}

/* `e` is nullable. */
static void count_load_locked(stet_stripe *s, stet_entry *e, bool is_miss)
{
    /* Relaxed: only a hint to those who do not hold the stripe. */
    uint64_t loads = atomic_load_explicit(&s->loads, memory_order_relaxed);
    atomic_store_explicit(&s->loads, loads + 1, memory_order_relaxed);
    s->misses += is_miss;
    if (e != NULL) {
        e->counts.loads++;
        e->counts.misses += is_miss;
    }
}

stet_found stet__table_load(stet_table *t, stet_machine_key key, uint64_t hash)
{
    stet_stripe *s = stripe_of(t, hash);
    stet_found f;
    int64_t now = now_of(t);
    stet__mutex_lock(t->os, &s->mu);
    stet_entry *old = take_old_locked(t, s, hash, key, now);
    stet_entry *e = look_locked(t, s, hash, key, &f);
    bool is_miss =
        f.lookup == STET_LOOKUP_ABSENT || f.lookup == STET_LOOKUP_UNFOLDED;
    if (key.ns != STET_STORE_NAMESPACE) {
        count_load_locked(s, e, is_miss);
    }
    stet__mutex_unlock(t->os, &s->mu);
    if (old != NULL) {
        entry_destroy(t->alloc, old);
    }
    return f;
}

void stet__table_count_hit(stet_table *t, stet_machine_key key)
{
    uint64_t hash = stet__machine_hash(key);
    stet_stripe *s = stripe_of(t, hash);
    stet__mutex_lock(t->os, &s->mu);
    count_load_locked(s, stet__map_find(&s->map, hash, &key, entry_is), false);
    stet__mutex_unlock(t->os, &s->mu);
}

bool stet__table_is_load_timed(stet_table *t, uint64_t hash)
{
    const stet_stripe *s = stripe_of(t, hash);
    return atomic_load_explicit(&s->loads, memory_order_relaxed) %
               LOADS_PER_TIMED ==
           0;
}

void stet__table_count(stet_table *t, stet_machine_key key,
                       const stet_entry_counts *more)
{
    uint64_t hash = stet__machine_hash(key);
    stet_stripe *s = stripe_of(t, hash);
    stet__mutex_lock(t->os, &s->mu);
    stet_entry *e = stet__map_find(&s->map, hash, &key, entry_is);
    if (e != NULL) {
        e->counts.save_ns += more->save_ns;
        e->counts.load_ns += more->load_ns;
        e->counts.saves_timed += more->saves_timed;
        e->counts.loads_timed += more->loads_timed;
        e->counts.misses += more->misses;
        e->counts.loads += more->loads;
    }
    stet__mutex_unlock(t->os, &s->mu);
}

bool stet__table_counts_of(stet_table *t, stet_machine_key key,
                           stet_entry_counts *out)
{
    uint64_t hash = stet__machine_hash(key);
    stet_stripe *s = stripe_of(t, hash);
    stet__mutex_lock(t->os, &s->mu);
    const stet_entry *e = stet__map_find(&s->map, hash, &key, entry_is);
    if (e != NULL) {
        *out = e->counts;
    }
    stet__mutex_unlock(t->os, &s->mu);
    return e != NULL;
}

stet_found stet__table_peek(stet_table *t, stet_entry *e, stet_stamp *stamp)
{
    stet_stripe *s = stripe_of(t, e->hash);
    stet__mutex_lock(t->os, &s->mu);
    stet_found f = found_in(e, watermark_of(t), stamp);
    stet__mutex_unlock(t->os, &s->mu);
    return f;
}

stet_found stet__table_peek_pending(stet_table *t, stet_entry *e,
                                    stet_stamp *stamp)
{
    stet_stripe *s = stripe_of(t, e->hash);
    stet__mutex_lock(t->os, &s->mu);
    stet_found f = found_in(e, UINT64_MAX, stamp);
    stet__mutex_unlock(t->os, &s->mu);
    return f;
}

void stet__table_view(stet_table *t, stet_entry *e, stet_head_view *out)
{
    stet_stripe *s = stripe_of(t, e->hash);
    stet__mutex_lock(t->os, &s->mu);
    stet__head_view(e->newest, out);
    if (e->newest != NULL) {
        __builtin_prefetch(e->newest->older); /* and links behind it */
    }
    stet__mutex_unlock(t->os, &s->mu);
}

void stet__table_attach(stet_table *t, stet_entry *e, uint64_t position,
                        stet_box *box)
{
    stet_stripe *s = stripe_of(t, e->hash);
    stet__mutex_lock(t->os, &s->mu);
    for (stet_head *v = e->newest; v != NULL; v = v->older) {
        if (v->position == position && v->box == NULL && !v->is_deleted) {
            v->box = stet__box_ref(box);
            account_locked(s, e, e->bytes + stet__box_weight(box));
        }
    }
    stet__mutex_unlock(t->os, &s->mu);
}

stet_table_sums stet__table_sums(stet_table *t)
{
    stet_table_sums sums = {0};
    for (size_t i = 0; i < STET_TABLE_STRIPES; i++) {
        stet_stripe *s = &t->stripes[i];
        stet__mutex_lock(t->os, &s->mu);
        sums.entries += s->map.count;
        sums.bytes += atomic_load_explicit(&s->bytes, memory_order_relaxed);
        sums.evictions += s->evictions;
        sums.loads += atomic_load_explicit(&s->loads, memory_order_relaxed);
        sums.misses += s->misses;
        stet__mutex_unlock(t->os, &s->mu);
    }
    return sums;
}
