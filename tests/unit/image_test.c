#include "core/image.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/assert.h"
#include "lib/failalloc.h"
#include "lib/history.h"
#include "lib/records.h"

/* Everything below runs over images of many machines and of few, hot ones. */
static const struct {
    uint64_t seed;
    size_t machines;
    size_t events;
} shapes[] = {{1, 300, 3000}, {2, 3, 3000}, {3, 40, 1500},
              {4, 1, 500},    {5, 5, 20},   {6, 1, 1}};

enum { SHAPES = sizeof shapes / sizeof *shapes };

static history *make(size_t shape)
{
    history *h = history_create(shapes[shape].seed);
    history_write(h, shapes[shape].machines, shapes[shape].events);
    history_index_all(h);
    return h;
}

static uint32_t slot_of(int event)
{
    return event == HISTORY_NONE ? STET_SLOT_NONE : (uint32_t)event;
}

/* J by its definition: take the greatest terms off, leave out the last. */
static uint64_t naive_jump(uint64_t seq)
{
    uint64_t terms[70];
    size_t count = 0;
    for (uint64_t left = seq; left > 0; left -= terms[count++]) {
        uint64_t term = 1;
        while (term * 2 + 1 <= left) {
            term = term * 2 + 1;
        }
        terms[count] = term;
    }
    return seq - terms[count - 1];
}

/* Every search for a past state follows J: it must be this very function. */
static void test_jump_takes_off_the_least_term(void **state)
{
    (void)state;
    for (uint64_t seq = 1; seq < 5000; seq++) {
        assert_int_equal(stet__jump_seq(seq), naive_jump(seq));
    }
    assert_int_equal(stet__jump_seq(UINT64_MAX), 0);
    assert_int_equal(stet__jump_seq(UINT64_MAX - 1), UINT64_MAX / 2);
    assert_int_equal(stet__jump_seq(UINT64_C(1) << 63),
                     (UINT64_C(1) << 63) - 1);
    /* The recursion of DESIGN: two equal spans become one. */
    for (uint64_t seq = 3; seq < 5000; seq++) {
        uint64_t a = stet__jump_seq(seq - 1);
        uint64_t b = a == 0 ? 0 : stet__jump_seq(a);
        uint64_t want = seq - 1 - a == a - b && a > 0 ? b : seq - 1;
        assert_int_equal(stet__jump_seq(seq), want);
    }
}

/* A load starts at the newest event that may be seen: no older, no newer. */
static void test_find_gives_the_newest_slot_below_the_end(void **state)
{
    (void)state;
    for (size_t shape = 0; shape < SHAPES; shape++) {
        history *h = make(shape);
        rng r = {shape};
        for (size_t i = 0; i < h->machine_count; i++) {
            for (int n = 0; n < 20; n++) {
                size_t end = rng_below(&r, h->event_count + 2);
                int want = history_newest(h, i, end);
                assert_int_equal(stet__image_find(h->image, h->machines[i].key,
                                                  (uint32_t)end),
                                 slot_of(want));
            }
        }
        stet_machine_key none = {.id = stet_str("nobody"), .ns = 0};
        assert_int_equal(stet__image_find(h->image, none, UINT32_MAX),
                         STET_SLOT_NONE);
        none = h->machines[0].key;
        none.ns = 99;
        assert_int_equal(stet__image_find(h->image, none, UINT32_MAX),
                         STET_SLOT_NONE);
        history_destroy(h);
    }
}

/* The oracle of seek: one step at a time. */
static int naive_seek(const history *h, int at, stet_bound bound,
                      int *out_first)
{
    while (at != HISTORY_NONE &&
           stet__point_is_above(h->events[at].point, bound)) {
        *out_first = at;
        at = h->events[at].before;
    }
    return at;
}

/* As-of in all three dimensions must land on the very event, or say that it
   lies further below. */
static void test_seek_equals_a_walk_of_single_steps(void **state)
{
    (void)state;
    for (size_t shape = 0; shape < SHAPES; shape++) {
        history *h = make(shape);
        rng r = {shape + 100};
        for (int n = 0; n < 4000; n++) {
            stet_bound bound = history_random_bound(h, &r);
            int at = (int)rng_below(&r, h->event_count);
            int first = HISTORY_NONE;
            uint32_t out_first = STET_SLOT_NONE;
            int want = naive_seek(h, at, bound, &first);
            uint32_t got =
                stet__image_seek(h->image, (uint32_t)at, bound, &out_first);
            assert_int_equal(got, slot_of(want));
            if (got == STET_SLOT_NONE) {
                assert_int_equal(out_first, first);
            } else {
                assert_int_equal(out_first, STET_SLOT_NONE);
            }
        }
        history_destroy(h);
    }
}

/* The bound itself is not above the bound, on any scale. */
static void test_a_point_is_not_above_itself(void **state)
{
    (void)state;
    stet_point p = {.seq = 5, .position = 50, .occurred_max = -500};
    stet_bound seq = {.dimension = STET_BY_SEQ, .value = 5};
    stet_bound position = {.dimension = STET_BY_POSITION, .value = 50};
    stet_bound occurred = {.dimension = STET_BY_OCCURRED, .occurred = -500};
    assert_false(stet__point_is_above(p, seq));
    assert_false(stet__point_is_above(p, position));
    assert_false(stet__point_is_above(p, occurred));
    seq.value--;
    position.value--;
    occurred.occurred--;
    assert_true(stet__point_is_above(p, seq));
    assert_true(stet__point_is_above(p, position));
    assert_true(stet__point_is_above(p, occurred));
}

/* The links are what makes O(log n): each must be J of its ordinal. */
static void test_slots_keep_their_invariants(void **state)
{
    (void)state;
    for (size_t shape = 0; shape < SHAPES; shape++) {
        history *h = make(shape);
        assert_int_equal(stet__image_slot_count(h->image), h->event_count);
        static uint32_t run[HISTORY_EVENTS_MAX];
        for (size_t i = 0; i < h->machine_count; i++) {
            size_t count = 0;
            for (int at = h->machines[i].newest; at != HISTORY_NONE;
                 at = h->events[at].before) {
                count++;
            }
            int at = h->machines[i].newest;
            for (size_t n = count; n > 0; n--, at = h->events[at].before) {
                run[n - 1] = (uint32_t)at;
            }
            for (size_t n = 0; n < count; n++) {
                const stet_slot *s = stet__image_slot(h->image, run[n]);
                assert_int_equal(s->ordinal, n);
                assert_int_equal(s->previous,
                                 n == 0 ? STET_SLOT_NONE : run[n - 1]);
                assert_int_equal(s->jump,
                                 n == 0 ? STET_SLOT_NONE : run[naive_jump(n)]);
            }
        }
        history_destroy(h);
    }
}

/* A slot answers for its record: who, where, when, and the bytes. */
static void claim_slots(const history *h)
{
    uint64_t state_bytes = 0;
    for (uint32_t i = 0; i < h->event_count; i++) {
        const history_event *e = &h->events[i];
        stet_machine_key key = h->machines[e->machine].key;
        stet_record r;
        stet_record whole;
        int64_t recorded = 0;
        size_t bytes = 0;
        stet__image_record(h->image, i, &r, &recorded);
        assert_int_equal(recorded, e->recorded);
        stet_machine_key got = {.id = r.id, .ns = r.ns};
        assert_true(stet__machine_key_eq(got, key));
        assert_true(stet__machine_key_eq(stet__image_key(h->image, i), key));
        assert_int_equal(r.seq, e->point.seq);
        stet_slice slice = stet__image_record_bytes(h->image, i);
        assert_int_equal(stet__record_decode(slice, &whole, &bytes, NULL),
                         STET_OK);
        assert_int_equal(bytes, slice.len);
        records_assert_equal(&r, &whole);
        stet_point p = stet__image_point(h->image, i);
        assert_int_equal(p.seq, e->point.seq);
        assert_int_equal(p.position, e->point.position);
        assert_int_equal(p.occurred_max, e->point.occurred_max);
        state_bytes += e->state_bytes;
    }
    assert_int_equal(stet__image_state_bytes(h->image), state_bytes);
    assert_int_equal(stet__image_frame_count(h->image), h->frame_count);
    for (uint32_t i = 0; i < h->frame_count; i++) {
        stet_image_frame f = stet__image_frame(h->image, i);
        assert_int_equal(f.offset, h->frames[i].offset);
        assert_int_equal(f.first_slot, h->frames[i].first_event);
        assert_int_equal(f.recorded, h->frames[i].recorded);
    }
}

static void test_slots_give_their_records(void **state)
{
    (void)state;
    history *h = make(0);
    claim_slots(h);
    history_destroy(h);
}

/* An image serves one segment after another: nothing of the last one shows. */
static void test_a_reset_image_is_as_good_as_new(void **state)
{
    (void)state;
    history *h = make(0);
    stet__image_reset(h->image, h->first_position);
    assert_int_equal(stet__image_slot_count(h->image), 0);
    assert_int_equal(stet__image_frame_count(h->image), 0);
    for (size_t i = 0; i < h->machine_count; i++) {
        assert_int_equal(
            stet__image_find(h->image, h->machines[i].key, UINT32_MAX),
            STET_SLOT_NONE);
    }
    for (size_t i = 0; i < h->event_count; i++) {
        assert_int_equal(
            stet__image_find_key(h->image, h->events[i].key, UINT32_MAX),
            STET_SLOT_NONE);
    }
    const uint8_t *bytes = stet__image_bytes(h->image);
    for (size_t i = 0; i < STET_W; i++) {
        assert_int_equal(bytes[i], 0);
    }
    history_index_all(h);
    claim_slots(h);
    history_destroy(h);
}

/* Directories tell a machine's name without reading all its records. */
static void test_the_newest_record_with_a_name_is_known(void **state)
{
    (void)state;
    for (size_t shape = 0; shape < SHAPES; shape++) {
        history *h = make(shape);
        for (size_t i = 0; i < h->machine_count; i++) {
            int newest = h->machines[i].newest;
            int named = newest;
            while (named != HISTORY_NONE && !h->events[named].has_name) {
                named = h->events[named].before;
            }
            if (newest != HISTORY_NONE) {
                assert_int_equal(stet__image_named(h->image, (uint32_t)newest),
                                 slot_of(named));
            }
        }
        history_destroy(h);
    }
}

/* A repeated key must find the first answer, and only once it may be seen. */
static void test_keys_are_found_below_the_end(void **state)
{
    (void)state;
    history *h = make(0);
    size_t key_count = 0;
    for (uint32_t i = 0; i < h->event_count; i++) {
        history_event *e = &h->events[i];
        uint32_t want = e->has_key ? i : STET_SLOT_NONE;
        assert_int_equal(stet__image_find_key(h->image, e->key, UINT32_MAX),
                         want);
        assert_int_equal(stet__image_find_key(h->image, e->key, i + 1), want);
        assert_int_equal(stet__image_find_key(h->image, e->key, i),
                         STET_SLOT_NONE);
        key_count += e->has_key;
        e->key[15] ^= 1; /* a neighbour in the same bucket */
        assert_int_equal(stet__image_find_key(h->image, e->key, UINT32_MAX),
                         STET_SLOT_NONE);
        e->key[15] ^= 1;
    }
    assert_true(key_count > 100);
    history_destroy(h);
}

typedef struct visits {
    const history *h;
    size_t end;
    size_t left;
    size_t count;
    bool is_seen[HISTORY_EVENTS_MAX];
} visits;

static bool visit_machine(void *ctx, uint32_t newest_slot)
{
    visits *v = ctx;
    const history_event *e = &v->h->events[newest_slot];
    assert_int_equal(history_newest(v->h, (size_t)e->machine, v->end),
                     newest_slot);
    assert_false(v->is_seen[e->machine]);
    v->is_seen[e->machine] = true;
    v->count++;
    return --v->left > 0;
}

static void visit_key(void *ctx, const uint8_t key[16], uint32_t slot)
{
    visits *v = ctx;
    assert_true(v->h->events[slot].has_key);
    assert_memory_equal(key, v->h->events[slot].key, 16);
    assert_false(v->is_seen[slot]);
    v->is_seen[slot] = true;
}

/* Listings and the index are made of these walks: nobody may be left out. */
static void test_walks_visit_everyone_once(void **state)
{
    (void)state;
    history *h = make(0);
    size_t ends[] = {0, 1, h->event_count / 3, h->event_count};
    for (size_t i = 0; i < 4; i++) {
        visits v = {.h = h, .end = ends[i], .left = SIZE_MAX};
        stet__image_machines(h->image, (uint32_t)ends[i], visit_machine, &v);
        for (size_t m = 0; m < h->machine_count; m++) {
            assert_int_equal(v.is_seen[m],
                             history_newest(h, m, ends[i]) != HISTORY_NONE);
        }
    }
    visits some = {.h = h, .end = h->event_count, .left = 7};
    stet__image_machines(h->image, UINT32_MAX, visit_machine, &some);
    assert_int_equal(some.count, 7);
    visits keys = {.h = h};
    stet__image_keys(h->image, visit_key, &keys);
    for (size_t i = 0; i < h->event_count; i++) {
        assert_int_equal(keys.is_seen[i], h->events[i].has_key);
    }
    history_destroy(h);
}

/* Put one record into a frame of its own and index it. */
static stet_status index_one(stet_image *image, uint32_t offset,
                             uint64_t position, const stet_record *r)
{
    stet_buf b;
    stet__buf_init(&b, &stet__heap);
    records_put(r, &b);
    uint8_t *bytes = stet__image_bytes(image) + offset;
    stet_frame_header h = {
        .length = STET_W, .events = 1, .first_position = position};
    memcpy(bytes + STET_FRAME_HEADER_BYTES, b.ptr, b.len);
    stet__frame_seal(bytes, STET_FRAME_HEADER_BYTES + b.len, &h);
    stet__buf_deinit(&b);
    stet_error err = {0};
    stet_status st = stet__image_index(image, offset, &err);
    assert_int_equal(err.status, st);
    return st;
}

/* A log that contradicts itself is reported, not searched. */
static void test_index_refuses_what_does_not_follow(void **state)
{
    (void)state;
    const stet_record second = {.kind = STET_EVENT_SAVED,
                                .form = STET_BODY_NONE,
                                .id = stet_str("m"),
                                .seq = 6,
                                .back = 1};
    for (int i = 0; i < 7; i++) {
        stet_image *image = stet__image_create(&stet__heap, 16384, 10);
        assert_non_null(image);
        stet_record r = second;
        r.seq = 5;
        r.back = i == 1 ? 10 : 9;
        if (i == 1) {
            assert_int_equal(index_one(image, 4096, 10, &r), STET_E_CORRUPT);
            stet__image_destroy(image);
            continue;
        }
        assert_int_equal(index_one(image, 4096, 10, &r), STET_OK);
        r = second;
        uint64_t position = 11;
        stet_status want = STET_E_CORRUPT;
        switch (i) {
        case 0:
            want = STET_OK;
            break;
        case 2:
            r.seq = 7;
            break;
        case 3:
            r.back = 2;
            break;
        case 4:
            position = 12;
            break;
        case 5:
            r.flags = STET_RECORD_BASE;
            r.depth = 1;
            break;
        default:
            r.kind = (stet_event_kind)99;
            want = STET_E_FORMAT;
            break;
        }
        assert_int_equal(index_one(image, 8192, position, &r), want);
        assert_int_equal(stet__image_slot_count(image),
                         want == STET_OK ? 2 : 1);
        stet__image_destroy(image);
    }
}

/* Two ids whose hashes agree in all that is kept and in the bucket are still
   two machines. */
static void test_a_shared_hash_does_not_join_machines(void **state)
{
    (void)state;
    stet_image *image = stet__image_create(&stet__heap, 16384, 1);
    assert_non_null(image);
    const stet_machine_key keys[] = {{.id = stet_str("118988")},
                                     {.id = stet_str("1209609")}};
    uint64_t differ = stet__machine_hash(keys[0]) ^ stet__machine_hash(keys[1]);
    assert_true(differ != 0 && differ >> 32 == 0 && (differ & 63) == 0);
    for (uint32_t i = 0; i < 2; i++) {
        stet_record r = {.kind = STET_EVENT_SAVED,
                         .form = STET_BODY_NONE,
                         .id = keys[i].id,
                         .seq = 1};
        uint32_t offset = (i + 1) * STET_W;
        assert_int_equal(stet__image_find(image, keys[i], UINT32_MAX),
                         STET_SLOT_NONE);
        assert_int_equal(index_one(image, offset, i + 1, &r), STET_OK);
    }
    for (uint32_t i = 0; i < 2; i++) {
        assert_int_equal(stet__image_find(image, keys[i], UINT32_MAX), i);
    }
    stet__image_destroy(image);
}

/* Direct I/O writes from these bytes; padding comes from them. */
static void test_bytes_are_aligned_and_cleared(void **state)
{
    (void)state;
    for (uint64_t capacity = STET_W; capacity < 20 * STET_W;
         capacity += STET_W) {
        stet_image *image = stet__image_create(&stet__heap, capacity, 1);
        assert_non_null(image);
        assert_int_equal(stet__image_capacity(image), capacity);
        uint8_t *bytes = stet__image_bytes(image);
        assert_int_equal((uintptr_t)bytes % STET_W, 0);
        assert_true(stet__is_zeros(bytes, capacity));
        bytes[capacity - 1] = 1;
        stet__image_set_first_position(image, 77);
        assert_int_equal(stet__image_first_position(image), 77);
        stet__image_destroy(image);
    }
    stet__image_destroy(NULL);
}

/* Whatever is missing, nothing is left behind. */
static void test_create_without_memory_leaves_nothing(void **state)
{
    (void)state;
    for (size_t nth = 1;; nth++) {
        failalloc f;
        failalloc_init(&f, nth);
        stet_allocator a = failalloc_allocator(&f);
        stet_image *image = stet__image_create(&a, 16384, 1);
        assert_int_equal(image == NULL, f.is_hit);
        stet__image_destroy(image);
        failalloc_assert_clean(&f);
        if (!f.is_hit) {
            break;
        }
    }
}

/* Put `count` of the smallest records, each of its own machine, into a frame
   that fills the image. */
static void put_smallest(stet_image *image, uint32_t count)
{
    uint8_t *bytes = stet__image_bytes(image);
    size_t used = STET_FRAME_HEADER_BYTES;
    stet_frame_header h = {
        .length = (uint32_t)stet__image_capacity(image),
        .events = count,
        .first_position = stet__image_first_position(image),
    };
    for (uint32_t i = 0; i < count; i++) {
        stet_buf b;
        uint8_t id = (uint8_t)(i % 256);
        stet_record r = {.kind = STET_EVENT_SAVED,
                         .ns = (uint8_t)(i / 256),
                         .form = STET_BODY_NONE,
                         .id = stet_slice_of(&id, 1),
                         .seq = 1};
        stet__buf_init(&b, &stet__heap);
        records_put(&r, &b);
        assert_int_equal(b.len, STET_RECORD_BYTES_MIN);
        memcpy(bytes + used, b.ptr, b.len);
        used += b.len;
        stet__buf_deinit(&b);
    }
    stet__frame_seal(bytes, used, &h);
}

/* Tables are as large as the rule says; a file that breaks it is refused. */
static void test_a_segment_has_a_slot_for_each_32_bytes(void **state)
{
    (void)state;
    const uint32_t most = 16384 / STET_BYTES_PER_SLOT;
    stet_image *image = stet__image_create(&stet__heap, 16384, 1);
    assert_non_null(image);
    put_smallest(image, most + 1);
    assert_int_equal(stet__image_index(image, 0, NULL), STET_E_CORRUPT);
    assert_int_equal(stet__image_slot_count(image), 0);
    put_smallest(image, most);
    assert_int_equal(stet__image_index(image, 0, NULL), STET_OK);
    assert_int_equal(stet__image_slot_count(image), 512);
    for (uint32_t i = 0; i < most; i++) {
        uint8_t id = (uint8_t)(i % 256);
        stet_machine_key key = {.id = stet_slice_of(&id, 1),
                                .ns = (uint8_t)(i / 256)};
        assert_int_equal(stet__image_find(image, key, UINT32_MAX), i);
    }
    stet__image_destroy(image);
}

/* One thread indexes, readers run beside it. */
typedef struct beside {
    history *h;
    _Atomic uint32_t published;
    _Atomic uint32_t seed;
} beside;

typedef struct walk {
    const history *h;
    uint32_t end;
    uint32_t count;
} walk;

static bool check_machine(void *ctx, uint32_t newest_slot)
{
    walk *w = ctx;
    const history_event *e = &w->h->events[newest_slot];
    STET_ASSERT(history_newest(w->h, (size_t)e->machine, w->end) ==
                (int)newest_slot);
    w->count++;
    return true;
}

static void count_key(void *ctx, const uint8_t key[16], uint32_t slot)
{
    walk *w = ctx;
    STET_ASSERT(memcmp(key, w->h->events[slot].key, 16) == 0);
    w->count += slot < w->end;
}

static void walk_beside(const history *h, uint32_t end)
{
    walk machines = {.h = h, .end = end};
    stet__image_machines(h->image, end, check_machine, &machines);
    walk keys = {.h = h, .end = end};
    stet__image_keys(h->image, count_key, &keys);
    for (size_t i = 0; i < h->machine_count; i++) {
        machines.count -= history_newest(h, i, end) != HISTORY_NONE;
    }
    for (size_t i = 0; i < end; i++) {
        keys.count -= h->events[i].has_key;
    }
    STET_ASSERT(machines.count == 0);
    STET_ASSERT(keys.count == 0);
}

static void *read_beside(void *ctx)
{
    beside *b = ctx;
    const history *h = b->h;
    rng r = {atomic_fetch_add(&b->seed, 1)};
    uint32_t end = 0;
    while (end < h->event_count) {
        /* What is published is a truth; what is beyond may be half made. */
        end = atomic_load_explicit(&b->published, memory_order_acquire);
        size_t m = rng_below(&r, h->machine_count);
        int want = history_newest(h, m, end);
        uint32_t slot = stet__image_find(h->image, h->machines[m].key, end);
        STET_ASSERT(slot == slot_of(want));
        size_t at = rng_below(&r, h->event_count);
        const history_event *e = &h->events[at];
        uint32_t key = stet__image_find_key(h->image, e->key, end);
        STET_ASSERT(key == (e->has_key && at < end ? at : STET_SLOT_NONE));
        if (slot != STET_SLOT_NONE) {
            stet_bound bound = history_random_bound(h, &r);
            int first = HISTORY_NONE;
            uint32_t out_first = STET_SLOT_NONE;
            int below = naive_seek(h, want, bound, &first);
            STET_ASSERT(stet__image_seek(h->image, slot, bound, &out_first) ==
                        slot_of(below));
        }
        STET_ASSERT(stet__image_slot_count(h->image) >= end);
        if (rng_below(&r, 16) == 0) {
            walk_beside(h, end);
        }
    }
    return NULL;
}

/* Reads take no lock; only order of memory keeps them from what is half made.
   TSan is the judge, the contents are compared as well. */
static void test_readers_beside_the_writer_see_what_is_published(void **state)
{
    (void)state;
    enum { READERS = 3 };
    for (size_t shape = 0; shape < 2; shape++) {
        history *h = history_create(shapes[shape].seed);
        history_write(h, shapes[shape].machines, shapes[shape].events);
        beside b = {.h = h, .seed = 1};
        pthread_t readers[READERS];
        for (size_t i = 0; i < READERS; i++) {
            assert_int_equal(pthread_create(&readers[i], NULL, read_beside, &b),
                             0);
        }
        for (size_t i = 0; i < h->frame_count; i++) {
            /* One frame ahead of what is published, so that readers meet it. */
            if (i > 0) {
                atomic_store_explicit(&b.published, h->frames[i].first_event,
                                      memory_order_release);
            }
            history_index(h, i);
        }
        atomic_store_explicit(&b.published, (uint32_t)h->event_count,
                              memory_order_release);
        for (size_t i = 0; i < READERS; i++) {
            assert_int_equal(pthread_join(readers[i], NULL), 0);
        }
        history_destroy(h);
    }
}

/* Directories are sorted by this order, and searched by it. */
static void test_keys_are_ordered_by_namespace_then_bytes(void **state)
{
    (void)state;
    const stet_machine_key keys[] = {
        {.id = stet_str("b"), .ns = 0},    {.id = stet_str("a"), .ns = 1},
        {.id = stet_str("ab"), .ns = 1},   {.id = stet_str("b"), .ns = 1},
        {.id = stet_str("\xff"), .ns = 1}, {.id = stet_str("a"), .ns = 255}};
    enum { KEYS = sizeof keys / sizeof *keys };
    for (size_t i = 0; i < KEYS; i++) {
        for (size_t j = 0; j < KEYS; j++) {
            int order = stet__machine_key_cmp(keys[i], keys[j]);
            assert_int_equal((order > 0) - (order < 0), (i > j) - (i < j));
            assert_int_equal(stet__machine_key_eq(keys[i], keys[j]), i == j);
            assert_int_equal(stet__machine_hash(keys[i]) ==
                                 stet__machine_hash(keys[j]),
                             i == j);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_jump_takes_off_the_least_term),
        cmocka_unit_test(test_find_gives_the_newest_slot_below_the_end),
        cmocka_unit_test(test_seek_equals_a_walk_of_single_steps),
        cmocka_unit_test(test_a_point_is_not_above_itself),
        cmocka_unit_test(test_slots_keep_their_invariants),
        cmocka_unit_test(test_slots_give_their_records),
        cmocka_unit_test(test_a_reset_image_is_as_good_as_new),
        cmocka_unit_test(test_the_newest_record_with_a_name_is_known),
        cmocka_unit_test(test_keys_are_found_below_the_end),
        cmocka_unit_test(test_walks_visit_everyone_once),
        cmocka_unit_test(test_index_refuses_what_does_not_follow),
        cmocka_unit_test(test_a_shared_hash_does_not_join_machines),
        cmocka_unit_test(test_bytes_are_aligned_and_cleared),
        cmocka_unit_test(test_create_without_memory_leaves_nothing),
        cmocka_unit_test(test_a_segment_has_a_slot_for_each_32_bytes),
        cmocka_unit_test(test_readers_beside_the_writer_see_what_is_published),
        cmocka_unit_test(test_keys_are_ordered_by_namespace_then_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
