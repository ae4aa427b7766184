#include "core/image.h"

#include <inttypes.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/checksum.h"
#include "base/error.h"

/*
 * Machines and keys are compact arrays that only grow, joined into buckets by
 * links to the front: an entry's link is set before the entry can be found and
 * never changes. So a machine of many records is one entry, and looking past
 * it touches none of them. Entries are numbered from 1, so that zeros are empty
 * buckets.
 *
 * What readers find by themselves is released and acquired in pairs:
 *
 *   written                   before the release of    acquired in
 *   slots, frames             slot_count, frame_count  the getters
 *   a machine's entry         its bucket               find_machine
 *   a machine's entry         machine_count            stet__image_machines
 *   its newest record's slot  machine.newest           newest_below
 *   a key's entry             its bucket               stet__image_find_key
 *   a key's entry             key_count                stet__image_keys
 *
 * A reader bounded by a published position would see all below it without that:
 * these pairs are for what it meets above it and steps back from.
 */

enum {
    BYTES_PER_BUCKET = 256, /* about one machine each where each writes once */
    BUCKETS_MIN = 64,
    SHORT_ID_BYTES = 34, /* a machine takes 64 bytes */
};

typedef struct machine {
    uint64_t first_seq;      /* of its first record here */
    _Atomic uint32_t newest; /* slot */
    uint32_t next;           /* in the bucket */
    uint32_t hash;           /* the upper half */
    uint32_t key_at; /* offset of namespace, id length, id in some record */
    uint32_t named;  /* slot of its newest record that says the state's name */
    uint8_t ns;
    uint8_t id_bytes; /* of a short id, which is here, too; 0: a longer one */
    uint8_t id[SHORT_ID_BYTES]; /* so that finding it is one cache miss less */
} machine;

typedef struct key_entry {
    uint8_t key[16];
    uint32_t slot;
    uint32_t next; /* in the bucket */
} key_entry;

struct stet_image {
    const stet_allocator *alloc; /* borrowed */
    uint8_t *block;              /* as allocated */
    uint8_t *bytes;              /* the first multiple of W in it */
    uint64_t capacity;
    uint64_t first_position;
    uint32_t slot_cap; /* also of machines and keys */
    uint32_t frame_cap;
    uint32_t bucket_mask;
    stet_slot *slots;
    stet_image_frame *frames;
    machine *machines;
    key_entry *keys;
    _Atomic uint32_t *machine_buckets;
    _Atomic uint32_t *key_buckets;
    _Atomic uint32_t machine_count;
    _Atomic uint32_t key_count;
    _Atomic uint32_t slot_count;
    _Atomic uint32_t frame_count;
    _Atomic uint64_t state_bytes;
};

/* Machine keys. */

uint64_t stet__machine_hash(stet_machine_key key)
{
    return stet__hash64_seed(key.id.ptr, key.id.len, key.ns);
}

bool stet__machine_key_eq(stet_machine_key a, stet_machine_key b)
{
    return a.ns == b.ns && stet__slice_eq(a.id, b.id);
}

int stet__machine_key_cmp(stet_machine_key a, stet_machine_key b)
{
    return a.ns != b.ns ? (a.ns > b.ns) - (a.ns < b.ns)
                        : stet__slice_cmp(a.id, b.id);
}

/* Life. */

static uint32_t bucket_count_for(uint64_t capacity)
{
    uint32_t count = BUCKETS_MIN;
    while (count < capacity / BYTES_PER_BUCKET) {
        count *= 2;
    }
    return count;
}

/*
 * Only what must be cleared is: tables for as many records as there may be cost
 * address space, not memory, while they stay untouched.
 */
static bool alloc_parts(stet_image *image)
{
    const stet_allocator *a = image->alloc;
    size_t buckets = (size_t)image->bucket_mask + 1;
    image->block = stet__alloc_zeroed(a, 1, image->capacity + STET_W);
    image->slots = stet__alloc(a, image->slot_cap * sizeof *image->slots);
    image->frames = stet__alloc(a, image->frame_cap * sizeof *image->frames);
    image->machines = stet__alloc(a, image->slot_cap * sizeof *image->machines);
    image->keys = stet__alloc(a, image->slot_cap * sizeof *image->keys);
    image->machine_buckets =
        stet__alloc_zeroed(a, buckets, sizeof *image->machine_buckets);
    image->key_buckets =
        stet__alloc_zeroed(a, buckets, sizeof *image->key_buckets);
    return image->block != NULL && image->slots != NULL &&
           image->frames != NULL && image->machines != NULL &&
           image->keys != NULL && image->machine_buckets != NULL &&
           image->key_buckets != NULL;
}

stet_image *stet__image_create(const stet_allocator *alloc, uint64_t capacity,
                               uint64_t first_position)
{
    STET_ASSERT(capacity > 0 && capacity % STET_W == 0);
    STET_ASSERT(capacity <= UINT32_MAX);
    stet_image *image = stet__alloc_zeroed(alloc, 1, sizeof *image);
    if (image == NULL) {
        return NULL;
    }
    image->alloc = alloc;
    image->capacity = capacity;
    image->first_position = first_position;
    image->slot_cap = (uint32_t)(capacity / STET_BYTES_PER_SLOT);
    image->frame_cap = (uint32_t)(capacity / STET_W);
    image->bucket_mask = bucket_count_for(capacity) - 1;
    if (!alloc_parts(image)) {
        stet__image_destroy(image);
        return NULL;
    }
    uintptr_t start = (uintptr_t)image->block;
    image->bytes = image->block + (STET_W - start % STET_W);
    return image;
}

void stet__image_destroy(stet_image *image)
{
    if (image == NULL) {
        return;
    }
    const stet_allocator *a = image->alloc;
    size_t slot_cap = image->slot_cap;
    size_t buckets = (size_t)image->bucket_mask + 1;
    stet__free(a, image->block, image->capacity + STET_W);
    stet__free(a, image->slots, slot_cap * sizeof *image->slots);
    stet__free(a, image->frames, image->frame_cap * sizeof *image->frames);
    stet__free(a, image->machines, slot_cap * sizeof *image->machines);
    stet__free(a, image->keys, slot_cap * sizeof *image->keys);
    stet__free(a, image->machine_buckets,
               buckets * sizeof *image->machine_buckets);
    stet__free(a, image->key_buckets, buckets * sizeof *image->key_buckets);
    stet__free(a, image, sizeof *image);
}

void stet__image_reset(stet_image *image, uint64_t first_position)
{
    size_t buckets = (size_t)image->bucket_mask + 1;
    memset(image->bytes, 0, STET_W);
    memset(image->machine_buckets, 0, buckets * sizeof *image->machine_buckets);
    memset(image->key_buckets, 0, buckets * sizeof *image->key_buckets);
    image->first_position = first_position;
    atomic_init(&image->machine_count, 0);
    atomic_init(&image->key_count, 0);
    atomic_init(&image->slot_count, 0);
    atomic_init(&image->frame_count, 0);
    atomic_init(&image->state_bytes, 0);
}

uint8_t *stet__image_bytes(const stet_image *image)
{
    return image->bytes;
}

uint64_t stet__image_capacity(const stet_image *image)
{
    return image->capacity;
}

uint64_t stet__image_first_position(const stet_image *image)
{
    return image->first_position;
}

void stet__image_set_first_position(stet_image *image, uint64_t first_position)
{
    STET_ASSERT(stet__image_slot_count(image) == 0);
    image->first_position = first_position;
}

uint32_t stet__image_slot_count(const stet_image *image)
{
    return atomic_load_explicit(&image->slot_count, memory_order_acquire);
}

uint32_t stet__image_frame_count(const stet_image *image)
{
    return atomic_load_explicit(&image->frame_count, memory_order_acquire);
}

stet_image_frame stet__image_frame(const stet_image *image, uint32_t idx)
{
    STET_ASSERT(idx < stet__image_frame_count(image));
    return image->frames[idx];
}

uint64_t stet__image_state_bytes(const stet_image *image)
{
    /* Relaxed: a number to tell, not one to find anything by. */
    return atomic_load_explicit(&image->state_bytes, memory_order_relaxed);
}

/* Machines. */

static stet_machine_key key_of(const stet_image *image, const machine *m)
{
    stet_reader in = stet__reader_of(stet_slice_of(
        image->bytes + m->key_at, (size_t)image->capacity - m->key_at));
    stet_machine_key key = {.ns = stet__read_u8(&in)};
    key.id = stet__read_bytes(&in, (size_t)stet__read_varint(&in));
    return key;
}

static bool has_key(const stet_image *image, const machine *m,
                    stet_machine_key key)
{
    if (m->id_bytes == 0) {
        return stet__machine_key_eq(key_of(image, m), key);
    }
    return m->ns == key.ns && m->id_bytes == key.id.len &&
           memcmp(m->id, key.id.ptr, key.id.len) == 0;
}

/* The number of a machine's entry; 0: none. */
static uint32_t find_machine(const stet_image *image, uint64_t hash,
                             stet_machine_key key)
{
    uint32_t number =
        atomic_load_explicit(&image->machine_buckets[hash & image->bucket_mask],
                             memory_order_acquire);
    while (number != 0) {
        const machine *m = &image->machines[number - 1];
        if (m->hash == (uint32_t)(hash >> 32) && has_key(image, m, key)) {
            break;
        }
        number = m->next;
    }
    return number;
}

/* From a machine's newest slot step back until it is below `slot_end`. */
static uint32_t newest_below(const stet_image *image, const machine *m,
                             uint32_t slot_end)
{
    uint32_t slot = atomic_load_explicit(&m->newest, memory_order_acquire);
    while (slot != STET_SLOT_NONE && slot >= slot_end) {
        const stet_slot *s = &image->slots[slot];
        bool is_far = s->jump != STET_SLOT_NONE && s->jump >= slot_end;
        slot = is_far ? s->jump : s->previous;
    }
    return slot;
}

uint32_t stet__image_find(const stet_image *image, stet_machine_key key,
                          uint32_t slot_end)
{
    uint32_t number = find_machine(image, stet__machine_hash(key), key);
    return number == 0
               ? STET_SLOT_NONE
               : newest_below(image, &image->machines[number - 1], slot_end);
}

uint32_t stet__image_named(const stet_image *image, uint32_t slot)
{
    return image->machines[stet__image_slot(image, slot)->machine].named;
}

void stet__image_machines(const stet_image *image, uint32_t slot_end,
                          stet_image_machine_fn visit, void *ctx)
{
    uint32_t count =
        atomic_load_explicit(&image->machine_count, memory_order_acquire);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t slot = newest_below(image, &image->machines[i], slot_end);
        if (slot != STET_SLOT_NONE && !visit(ctx, slot)) {
            return;
        }
    }
}

/* Indexing: one thread. */

uint64_t stet__jump_seq(uint64_t seq)
{
    STET_ASSERT(seq > 0);
    uint64_t left = seq;
    uint64_t term = 0;
    while (left > 0) {
        /* The greatest 2^k - 1 that is not above it; all ones is one. */
        unsigned ones = 63U - (unsigned)__builtin_clzll(left);
        term = (UINT64_C(2) << ones) - 1;
        if (term > left) {
            term >>= 1;
        }
        left -= term;
    }
    return seq - term;
}

/* Where a machine's next record jumps: J(ordinal). */
static uint32_t jump_of(const stet_image *image, uint32_t previous)
{
    uint32_t ordinal = image->slots[previous].ordinal + 1;
    if (stet__jump_seq(ordinal) == ordinal - 1) {
        return previous;
    }
    /* Its span joins two equal ones: keeps (2), without touching more slots. */
    return image->slots[image->slots[previous].jump].jump;
}

static void add_machine(stet_image *image, uint64_t hash, const stet_record *r,
                        uint32_t slot)
{
    uint32_t count =
        atomic_load_explicit(&image->machine_count, memory_order_relaxed);
    machine *m = &image->machines[count];
    const uint8_t *id = r->id.ptr;
    const uint8_t *key = id - stet__varint_bytes(r->id.len) - 1;
    _Atomic uint32_t *bucket =
        &image->machine_buckets[hash & image->bucket_mask];
    m->first_seq = r->seq;
    m->hash = (uint32_t)(hash >> 32);
    m->key_at = (uint32_t)(key - image->bytes);
    m->ns = r->ns;
    m->id_bytes = r->id.len <= SHORT_ID_BYTES ? (uint8_t)r->id.len : 0;
    memcpy(m->id, r->id.ptr, m->id_bytes);
    m->next = atomic_load_explicit(bucket, memory_order_relaxed);
    m->named = STET_SLOT_NONE;
    atomic_init(&m->newest, slot);
    image->slots[slot].machine = count;
    /* Release: find_machine and stet__image_machines acquire the entry. */
    atomic_store_explicit(bucket, count + 1, memory_order_release);
    atomic_store_explicit(&image->machine_count, count + 1,
                          memory_order_release);
}

/* Join a record to the machine's ones before it. */
static stet_status add_slot(stet_image *image, const stet_record *r,
                            uint64_t hash, uint32_t slot, stet_error *err)
{
    stet_machine_key key = {.id = r->id, .ns = r->ns};
    stet_slot *s = &image->slots[slot];
    uint32_t number = find_machine(image, hash, key);
    if (number == 0) {
        s->previous = STET_SLOT_NONE;
        s->jump = STET_SLOT_NONE;
        s->ordinal = 0;
        add_machine(image, hash, r, slot);
        if (r->back >= image->first_position + slot) {
            return stet__fail(err, STET_E_CORRUPT, 0,
                              "a step back of %" PRIu64
                              " from position %" PRIu64,
                              r->back, image->first_position + slot);
        }
        return STET_OK;
    }
    machine *m = &image->machines[number - 1];
    /* Relaxed: this thread wrote it. */
    s->previous = atomic_load_explicit(&m->newest, memory_order_relaxed);
    s->jump = jump_of(image, s->previous);
    s->ordinal = image->slots[s->previous].ordinal + 1;
    s->machine = number - 1;
    if (r->seq != m->first_seq + s->ordinal) { /* keeps (3) */
        return stet__fail(err, STET_E_CORRUPT, 0,
                          "seq %" PRIu64 " where %" PRIu64 " is due", r->seq,
                          m->first_seq + s->ordinal);
    }
    if (r->back != slot - s->previous) {
        return stet__fail(err, STET_E_CORRUPT, 0,
                          "a step back of %" PRIu64 " where %" PRIu32 " is due",
                          r->back, slot - s->previous);
    }
    /* Release: newest_below acquires the slot. */
    atomic_store_explicit(&m->newest, slot, memory_order_release);
    return STET_OK;
}

static _Atomic uint32_t *key_bucket(const stet_image *image, const uint8_t *key)
{
    return &image->key_buckets[stet__get_u32le(key) & image->bucket_mask];
}

static void add_key(stet_image *image, const uint8_t key[16], uint32_t slot)
{
    uint32_t count =
        atomic_load_explicit(&image->key_count, memory_order_relaxed);
    key_entry *entry = &image->keys[count];
    _Atomic uint32_t *bucket = key_bucket(image, key);
    memcpy(entry->key, key, sizeof entry->key);
    entry->slot = slot;
    entry->next = atomic_load_explicit(bucket, memory_order_relaxed);
    /* Release: stet__image_find_key and stet__image_keys acquire the entry. */
    atomic_store_explicit(bucket, count + 1, memory_order_release);
    atomic_store_explicit(&image->key_count, count + 1, memory_order_release);
}

void stet__image_keys(const stet_image *image, stet_image_key_fn visit,
                      void *ctx)
{
    uint32_t count =
        atomic_load_explicit(&image->key_count, memory_order_acquire);
    for (uint32_t i = 0; i < count; i++) {
        visit(ctx, image->keys[i].key, image->keys[i].slot);
    }
}

uint32_t stet__image_find_key(const stet_image *image, const uint8_t key[16],
                              uint32_t slot_end)
{
    uint32_t number =
        atomic_load_explicit(key_bucket(image, key), memory_order_acquire);
    while (number != 0) {
        const key_entry *entry = &image->keys[number - 1];
        if (entry->slot < slot_end &&
            memcmp(entry->key, key, sizeof entry->key) == 0) {
            return entry->slot;
        }
        number = entry->next;
    }
    return STET_SLOT_NONE;
}

/* A record of the frame being indexed, and the hash of its machine. */
typedef struct incoming {
    stet_record record;
    uint64_t hash;
    uint32_t offset;
} incoming;

/*
 * Each look-up misses the cache three times in a row: bucket, machine, key. So
 * records are parsed some ahead of being joined to their machines, and what
 * they will need is fetched in between.
 */
enum { AHEAD = 8, AHEAD_BUCKET = 4 };

/* Parse the record at `*at`, which moves behind it. */
static stet_status take_record(const stet_image *image, uint32_t frame_end,
                               uint32_t *at, incoming *out, stet_error *err)
{
    size_t bytes = 0;
    stet_status st =
        stet__record_parse(stet_slice_of(image->bytes + *at, frame_end - *at),
                           &out->record, &bytes, err);
    if (st != STET_OK) {
        return stet__wrap(err, st, "offset %" PRIu32, *at);
    }
    stet_machine_key key = {.id = out->record.id, .ns = out->record.ns};
    out->hash = stet__machine_hash(key);
    out->offset = *at;
    *at += (uint32_t)bytes;
    __builtin_prefetch(&image->machine_buckets[out->hash & image->bucket_mask]);
    return STET_OK;
}

static void prefetch_machine(const stet_image *image, uint64_t hash)
{
    uint32_t number =
        atomic_load_explicit(&image->machine_buckets[hash & image->bucket_mask],
                             memory_order_relaxed);
    if (number != 0) {
        const machine *m = &image->machines[number - 1];
        __builtin_prefetch(m);
    }
}

static stet_status join_record(stet_image *image, uint32_t slot,
                               const incoming *in, stet_error *err)
{
    const stet_record *r = &in->record;
    image->slots[slot].offset = in->offset;
    stet_status st = add_slot(image, r, in->hash, slot, err);
    if (st != STET_OK) {
        return stet__wrap(err, st, "offset %" PRIu32, in->offset);
    }
    stet_slice name = {0};
    if (stet__record_says_name(r, &name)) {
        image->machines[image->slots[slot].machine].named = slot;
    }
    if ((r->tags & (1U << STET_TAG_KEY)) != 0) {
        add_key(image, r->key, slot);
    }
    /* Relaxed: see its getter. */
    atomic_fetch_add_explicit(&image->state_bytes, stet__record_state_bytes(r),
                              memory_order_relaxed);
    return STET_OK;
}

/* Index the records of the frame that `h` heads. */
static stet_status index_records(stet_image *image, uint32_t frame,
                                 const stet_frame_header *h, stet_error *err)
{
    incoming ring[AHEAD];
    uint32_t first = image->frames[frame].first_slot;
    uint32_t offset = image->frames[frame].offset;
    uint32_t at = offset + STET_FRAME_HEADER_BYTES;
    stet_status st = STET_OK;
    for (uint32_t i = 0; st == STET_OK && i < h->events + AHEAD - 1; i++) {
        if (i < h->events) {
            image->slots[first + i].frame = frame;
            st = take_record(image, offset + h->length, &at, &ring[i % AHEAD],
                             err);
        }
        if (i >= AHEAD_BUCKET && i - AHEAD_BUCKET < h->events) {
            prefetch_machine(image, ring[(i - AHEAD_BUCKET) % AHEAD].hash);
        }
        if (st == STET_OK && i >= AHEAD - 1) {
            uint32_t nth = i - (AHEAD - 1);
            st = join_record(image, first + nth, &ring[nth % AHEAD], err);
        }
    }
    return st;
}

stet_status stet__image_index(stet_image *image, uint32_t offset,
                              stet_error *err)
{
    STET_ASSERT(offset % STET_W == 0 && offset < image->capacity);
    stet_frame_header h;
    bool is_frame = stet__frame_peek(image->bytes + offset,
                                     (size_t)image->capacity - offset, &h);
    STET_ASSERT(is_frame);
    uint32_t first = stet__image_slot_count(image);
    uint32_t frame = stet__image_frame_count(image);
    if (h.first_position != image->first_position + first) {
        return stet__fail(err, STET_E_CORRUPT, 0,
                          "offset %" PRIu32 ": frame of position %" PRIu64
                          " where %" PRIu64 " is due",
                          offset, h.first_position,
                          image->first_position + first);
    }
    if (h.events > image->slot_cap - first) { /* keeps (4) */
        return stet__fail(err, STET_E_CORRUPT, 0,
                          "offset %" PRIu32 ": more records than a segment of "
                          "%" PRIu64 " bytes has",
                          offset, image->capacity);
    }
    image->frames[frame] = (stet_image_frame){
        .offset = offset, .first_slot = first, .recorded = h.recorded};
    stet_status st = index_records(image, frame, &h, err);
    if (st != STET_OK) {
        return st;
    }
    /* Release: keeps (1); the getters acquire them. */
    atomic_store_explicit(&image->frame_count, frame + 1, memory_order_release);
    atomic_store_explicit(&image->slot_count, first + h.events,
                          memory_order_release);
    return STET_OK;
}

/* Reading. */

const stet_slot *stet__image_slot(const stet_image *image, uint32_t slot)
{
    STET_DEBUG_ASSERT(slot < stet__image_slot_count(image));
    return &image->slots[slot];
}

void stet__image_prefetch(const stet_image *image, uint32_t slot)
{
    const uint8_t *record = image->bytes + image->slots[slot].offset;
    __builtin_prefetch(record);
    __builtin_prefetch(record + 64);
}

stet_machine_key stet__image_key(const stet_image *image, uint32_t slot)
{
    const stet_slot *s = stet__image_slot(image, slot);
    return key_of(image, &image->machines[s->machine]);
}

stet_slice stet__image_record_bytes(const stet_image *image, uint32_t slot)
{
    uint32_t at = image->slots[slot].offset;
    uint32_t crc = 0;
    size_t bytes = 0;
    bool is_there = stet__record_peek(
        stet_slice_of(image->bytes + at, (size_t)image->capacity - at), &crc,
        &bytes);
    STET_ASSERT(is_there);
    return stet_slice_of(image->bytes + at, bytes);
}

void stet__image_record(const stet_image *image, uint32_t slot,
                        stet_record *out, int64_t *out_recorded)
{
    size_t bytes = 0;
    stet_status st = stet__record_parse(stet__image_record_bytes(image, slot),
                                        out, &bytes, NULL);
    STET_ASSERT(st == STET_OK);
    *out_recorded = image->frames[image->slots[slot].frame].recorded;
}

static uint64_t seq_of(const stet_image *image, uint32_t slot)
{
    const stet_slot *s = &image->slots[slot];
    return image->machines[s->machine].first_seq + s->ordinal;
}

static int64_t occurred_max_of(const stet_image *image, uint32_t slot)
{
    stet_record r;
    int64_t recorded = 0;
    stet__image_record(image, slot, &r, &recorded);
    return stet__record_occurred_max(&r, recorded);
}

stet_point stet__image_point(const stet_image *image, uint32_t slot)
{
    return (stet_point){
        .seq = seq_of(image, slot),
        .position = image->first_position + slot,
        .occurred_max = occurred_max_of(image, slot),
    };
}

bool stet__point_is_above(stet_point p, stet_bound bound)
{
    switch (bound.dimension) {
    case STET_BY_SEQ:
        return p.seq > bound.value;
    case STET_BY_POSITION:
        return p.position > bound.value;
    case STET_BY_OCCURRED:
        return p.occurred_max > bound.occurred;
    }
    STET_ASSERT(false);
    return false;
}

/* The same for a slot; only an occurred time is read from its record. */
static bool slot_is_above(const stet_image *image, uint32_t slot,
                          stet_bound bound)
{
    switch (bound.dimension) {
    case STET_BY_SEQ:
        return seq_of(image, slot) > bound.value;
    case STET_BY_POSITION:
        return image->first_position + slot > bound.value;
    case STET_BY_OCCURRED:
        return occurred_max_of(image, slot) > bound.occurred;
    }
    STET_ASSERT(false);
    return false;
}

uint32_t stet__image_seek(const stet_image *image, uint32_t slot,
                          stet_bound bound, uint32_t *out_first)
{
    while (slot_is_above(image, slot, bound)) {
        const stet_slot *s = &image->slots[slot];
        if (s->previous == STET_SLOT_NONE) {
            *out_first = slot;
            return STET_SLOT_NONE;
        }
        bool is_far = slot_is_above(image, s->jump, bound);
        slot = is_far ? s->jump : s->previous;
    }
    return slot;
}
