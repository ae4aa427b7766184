#include "core/set_draft.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "core/set.h"
#include "lib/failalloc.h"
#include "lib/history.h"

/* A history's records in the order of a set's content. */
typedef struct ordered {
    history *h;
    size_t order[HISTORY_EVENTS_MAX]; /* indexes of events */
    stet_buf index;                   /* of the segment */
    stet_trailer segment;
    stet_set_seeds seeds;
} ordered;

static const history *comparing; /* qsort gives no context */

static int compare_events(const void *a, const void *b)
{
    size_t x = *(const size_t *)a;
    size_t y = *(const size_t *)b;
    const history_event *e = comparing->events;
    const history_machine *m = comparing->machines;
    int order = stet__machine_key_cmp(m[e[x].machine].key, m[e[y].machine].key);
    return order != 0 ? order : (x > y) - (x < y);
}

static const uint8_t first_seed[STET_CHAIN_BYTES] = "a seed";

static ordered *order_events(uint64_t seed, size_t machines, size_t events)
{
    ordered *o = calloc(1, sizeof *o);
    assert_non_null(o);
    o->seeds.first = first_seed;
    o->h = history_create(seed);
    history_write(o->h, machines, events);
    history_index_all(o->h);
    for (size_t i = 0; i < o->h->event_count; i++) {
        o->order[i] = i;
    }
    comparing = o->h;
    qsort(o->order, o->h->event_count, sizeof o->order[0], compare_events);
    stet_index_input in = {.image = o->h->image,
                           .file = 7,
                           .end_offset = o->h->end,
                           .last_frame_crc = o->h->last_crc};
    stet__buf_init(&o->index, &stet__heap);
    assert_int_equal(stet__index_build(&stet__heap, &in, &o->index, NULL),
                     STET_OK);
    assert_int_equal(
        stet__trailer_get(o->index.ptr + o->index.len - STET_INDEX_BLOCK_BYTES,
                          &o->segment, NULL),
        STET_OK);
    return o;
}

static void end(ordered *o)
{
    history_destroy(o->h);
    stet__buf_deinit(&o->index);
    free(o);
}

/* The trailer of a set that stands for the one segment. */
static stet_trailer trailer_of(const ordered *o)
{
    stet_trailer t = o->segment;
    memset(t.sections, 0, sizeof t.sections);
    t.kind = STET_INDEX_OF_SET;
    t.file = 9;
    t.salt = 0x5e7;
    t.end_offset = 3 * (uint64_t)STET_W;
    t.set = (stet_set_part){
        .first_file = 7,
        .last_file = 7,
        .last_end = o->segment.end_offset,
        .predecessor = 3,
        .predecessor_end = 8192,
        .raw_bytes = 1000000,
        .times_bytes = 10,
        .seed = "a seed",
    };
    return t;
}

static stet_status chain_before(void *ctx, const stet_run *run,
                                uint8_t out[STET_CHAIN_BYTES], stet_error *err)
{
    (void)err;
    assert_true(run->previous.position > 0);
    assert_int_equal(run->previous.key.id.len, 0);
    (*(size_t *)ctx)++;
    memset(out, 0xcb, STET_CHAIN_BYTES);
    return STET_OK;
}

static stet_set_record record_at(const ordered *o, size_t i)
{
    uint32_t slot = (uint32_t)o->order[i];
    return (stet_set_record){
        .bytes = stet__image_record_bytes(o->h->image, slot),
        .position = o->h->first_position + slot,
        .recorded = o->h->events[slot].recorded,
        .raw_offset = 100 + (uint32_t)i * 7,
    };
}

static stet_status draft_all(const ordered *o, const stet_allocator *a,
                             stet_set_draft *d, stet_buf *out)
{
    size_t asked = 0;
    stet_trailer t = trailer_of(o);
    stet_set_links links = {.chain_before = chain_before, .ctx = &asked};
    stet_status st = stet__set_draft_init(d, a, &t, &o->seeds, &links, NULL);
    for (size_t i = 0; i < o->h->event_count && st == STET_OK; i++) {
        stet_set_record r = record_at(o, i);
        st = stet__set_draft_add(d, &r, NULL);
    }
    if (st == STET_OK) {
        st = stet__set_draft_end(d, NULL);
    }
    stet_piece pieces[] = {{0, STET_SET_HEAD_BYTES}, {t.set.raw_bytes, 9000}};
    for (size_t i = 0; i < 2 && st == STET_OK; i++) {
        stet__piece_put(&pieces[i], &d->index.pieces);
    }
    return st == STET_OK ? stet__index_draft_put(&d->index, out, NULL) : st;
}

/* An index, read back. */
typedef struct reading {
    const stet_buf *index;
    stet_trailer t;
} reading;

static void read_section(const reading *r, stet_section section, stet_buf *out)
{
    const stet_section_range *range = stet__trailer_range(&r->t, section);
    stet__buf_init(out, &stet__heap);
    for (uint32_t i = 0; i < range->blocks; i++) {
        uint32_t number = range->first_block + i;
        stet_slice payload;
        assert_int_equal(
            stet__index_block_check(r->index->ptr +
                                        (size_t)number * STET_INDEX_BLOCK_BYTES,
                                    section, number, r->t.salt, &payload, NULL),
            STET_OK);
        stet__buf_put_slice(out, payload);
    }
}

static void assert_same_section(const reading *a, const reading *b,
                                stet_section section)
{
    stet_buf x;
    stet_buf y;
    read_section(a, section, &x);
    read_section(b, section, &y);
    assert_int_equal(x.len, y.len);
    assert_true(x.len == 0 || memcmp(x.ptr, y.ptr, x.len) == 0);
    stet__buf_deinit(&x);
    stet__buf_deinit(&y);
}

static void assert_same_key(stet_machine_key a, stet_machine_key b)
{
    assert_int_equal(a.id.len, b.id.len);
    assert_true(a.id.len == 0 || stet__machine_key_eq(a, b));
}

static void assert_same_run(const stet_run *a, const stet_run *b)
{
    assert_same_key(a->key, b->key);
    assert_memory_equal(&a->first, &b->first, sizeof a->first);
    assert_memory_equal(&a->last, &b->last, sizeof a->last);
    assert_int_equal(a->count, b->count);
    assert_int_equal(a->list, b->list);
    assert_int_equal(a->is_deleted, b->is_deleted);
    assert_int_equal(a->has_state_name, b->has_state_name);
    assert_true(stet__slice_eq(a->state_name, b->state_name));
    assert_int_equal(a->previous.position, b->previous.position);
    assert_same_key(a->previous.key, b->previous.key);
}

static void assert_same_directory(const reading *segment, const reading *set)
{
    stet_buf x;
    stet_buf y;
    read_section(segment, STET_SECTION_DIRECTORY, &x);
    read_section(set, STET_SECTION_DIRECTORY, &y);
    stet_reader a = stet__reader_of(stet__buf_slice(&x));
    stet_reader b = stet__reader_of(stet__buf_slice(&y));
    while (stet__read_left(&a) > 0) {
        stet_run due;
        stet_run got;
        assert_int_equal(stet__run_decode(&a, &segment->t, &due, NULL),
                         STET_OK);
        assert_int_equal(stet__run_decode(&b, &set->t, &got, NULL), STET_OK);
        assert_same_run(&due, &got);
        assert_true(got.has_chain);
        assert_false(due.has_chain);
    }
    assert_int_equal(stet__read_left(&b), 0);
    stet__buf_deinit(&x);
    stet__buf_deinit(&y);
}

static void assert_slots(const ordered *o, const reading *set)
{
    stet_buf slots;
    read_section(set, STET_SECTION_SLOTS, &slots);
    assert_int_equal(slots.len, o->h->event_count * STET_SLOT_BYTES);
    for (size_t i = 0; i < o->h->event_count; i++) {
        stet_set_record r = record_at(o, i);
        const uint8_t *slot = slots.ptr + o->order[i] * STET_SLOT_BYTES;
        assert_int_equal(stet__get_u32le(slot), r.raw_offset);
        assert_memory_equal(slot + 4, r.bytes.ptr, 4);
    }
    stet__buf_deinit(&slots);
}

static void read_trailer(const stet_buf *index, reading *out)
{
    out->index = index;
    assert_int_equal(
        stet__trailer_get(index->ptr + index->len - STET_INDEX_BLOCK_BYTES,
                          &out->t, NULL),
        STET_OK);
}

/* A set's index that was drafted, and read back. */
typedef struct drafted {
    stet_buf bytes;
    uint8_t *trailer; /* its block */
    reading set;
} drafted;

static drafted *draft_ok(const ordered *o)
{
    stet_set_draft d;
    drafted *x = calloc(1, sizeof *x);
    assert_non_null(x);
    stet__buf_init(&x->bytes, &stet__heap);
    assert_int_equal(draft_all(o, &stet__heap, &d, &x->bytes), STET_OK);
    stet__set_draft_deinit(&d);
    x->trailer = x->bytes.ptr + x->bytes.len - STET_INDEX_BLOCK_BYTES;
    read_trailer(&x->bytes, &x->set);
    return x;
}

static void drop(drafted *x)
{
    stet__buf_deinit(&x->bytes);
    free(x);
}

static void assert_trailer(const stet_trailer *t, stet_status want)
{
    uint8_t block[STET_INDEX_BLOCK_BYTES];
    stet_trailer got;
    stet__trailer_put(t, block);
    assert_int_equal(stet__trailer_get(block, &got, NULL), want);
}

/* What a segment's index told is what its set's must tell. */
static void test_a_set_indexes_what_its_segment_did(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        ordered *o = order_events(seed, 1 + seed * 7, 1500);
        drafted *x = draft_ok(o);
        reading segment;
        read_trailer(&o->index, &segment);
        assert_same_directory(&segment, &x->set);
        assert_same_section(&segment, &x->set, STET_SECTION_LISTS);
        assert_same_section(&segment, &x->set, STET_SECTION_KEYS);
        assert_same_section(&segment, &x->set, STET_SECTION_FILTER);
        assert_slots(o, &x->set);
        assert_int_equal(x->set.t.state_bytes, segment.t.state_bytes);
        drop(x);
        end(o);
    }
}

/* The chains that a segment's records make if they have these seeds. */
static void assert_chains(const ordered *o, const reading *set)
{
    stet_buf runs;
    stet_chain c;
    size_t i = 0;
    read_section(set, STET_SECTION_DIRECTORY, &runs);
    assert_int_equal(stet__chain_init(&c, &stet__heap, NULL), STET_OK);
    stet_reader in = stet__reader_of(stet__buf_slice(&runs));
    while (stet__read_left(&in) > 0) {
        stet_run run;
        assert_int_equal(stet__run_decode(&in, &set->t, &run, NULL), STET_OK);
        bool is_first = run.previous.position == 0 ||
                        run.previous.key.id.len > 0; /* a fork's */
        memset(c.value, is_first ? 0 : 0xcb, sizeof c.value);
        for (uint32_t n = 0; n < run.count; n++, i++) {
            stet_set_record r = record_at(o, i);
            uint32_t slot = (uint32_t)o->order[i];
            stet__chain_reseed(&c, stet__set_seed_at(&o->seeds, slot), run.key);
            assert_int_equal(
                stet__chain_add(&c, r.bytes, r.position, r.recorded, NULL),
                STET_OK);
        }
        assert_memory_equal(run.chain, c.value, sizeof c.value);
    }
    stet__chain_deinit(&c);
    stet__buf_deinit(&runs);
}

/* What was told of a chain must stay true when its sets are merged. */
static void test_each_record_keeps_the_seed_of_its_first_set(void **state)
{
    (void)state;
    static const stet_set_seed items[] = {
        {1, "1"}, {2, "2"}, {90, "90"}, {150, "150"}, {151, "151"}};
    ordered *o = order_events(6, 9, 200);
    for (uint32_t count = 0; count <= 5; count++) {
        o->seeds.items = items;
        o->seeds.count = count;
        drafted *x = draft_ok(o);
        assert_chains(o, &x->set);
        drop(x);
    }
    end(o);
}

/* A set's trailer comes back as it was put; any other bit is told. */
static void test_a_changed_bit_of_a_trailer_is_told(void **state)
{
    (void)state;
    ordered *o = order_events(3, 5, 200);
    drafted *x = draft_ok(o);
    const stet_trailer *set = &x->set.t;
    stet_trailer due = trailer_of(o);
    stet_trailer t;
    due.set.blocks = set->set.blocks;
    assert_true(stet__trailer_is_of_set(set));
    assert_memory_equal(&set->set, &due.set, sizeof due.set);
    assert_int_equal(set->set.blocks.entries, 2);
    for (size_t bit = 0; bit < 8 * (size_t)STET_INDEX_BLOCK_BYTES; bit++) {
        uint8_t *byte = &x->trailer[bit / 8];
        *byte = (uint8_t)(*byte ^ 1U << bit % 8);
        assert_true(stet__trailer_get(x->trailer, &t, NULL) != STET_OK);
        *byte = (uint8_t)(*byte ^ 1U << bit % 8);
    }
    x->trailer[252] = 1; /* has no use yet, nor under a right checksum */
    stet__index_block_seal(x->trailer, STET_SECTION_TRAILER,
                           stet__trailer_number(set), 296, set->salt);
    assert_int_equal(stet__trailer_get(x->trailer, &t, NULL), STET_E_CORRUPT);
    drop(x);
    end(o);
}

/* Room is taken for as many times as the trailer says that there are. */
static void test_a_set_has_no_more_frames_than_records(void **state)
{
    (void)state;
    ordered *o = order_events(3, 5, 200);
    drafted *x = draft_ok(o);
    stet_trailer t = x->set.t;
    t.frames = (uint32_t)o->h->event_count;
    assert_trailer(&t, STET_OK);
    t.frames++;
    assert_trailer(&t, STET_E_CORRUPT);
    drop(x);
    end(o);
}

/* Readers divide and index by what a trailer says. */
static void test_trailers_of_sets_that_cannot_be_are_refused(void **state)
{
    (void)state;
    ordered *o = order_events(3, 5, 200);
    drafted *x = draft_ok(o);
    stet_trailer bad[11];
    enum { BAD = sizeof bad / sizeof *bad };
    for (size_t i = 0; i < BAD; i++) {
        bad[i] = x->set.t;
    }
    bad[0].set.first_file = 0;
    bad[1].set.last_file = bad[1].set.first_file - 1;
    bad[2].set.predecessor = bad[2].set.first_file;
    bad[3].set.last_file = bad[3].file;
    bad[4].set.last_end++;
    bad[5].set.blocks.entries = 1;
    bad[6].set.raw_bytes = UINT32_MAX;
    bad[7].set.times_bytes = bad[7].set.raw_bytes;
    bad[8].frames = 0;
    bad[9].set.blocks.first_block++;
    bad[10].set.blocks.blocks++;
    for (size_t i = 0; i < BAD; i++) {
        assert_trailer(&bad[i], STET_E_CORRUPT);
    }
    drop(x);
    end(o);
}

/* A position of another set has no slot to be in. */
static void test_records_from_outside_are_refused(void **state)
{
    (void)state;
    ordered *o = order_events(4, 6, 300);
    uint64_t first = o->h->first_position;
    const uint64_t outside[] = {first - 1, first + o->h->event_count,
                                UINT64_MAX};
    for (size_t i = 0; i < sizeof outside / sizeof outside[0]; i++) {
        stet_set_draft d;
        size_t asked = 0;
        stet_trailer t = trailer_of(o);
        stet_set_links links = {.chain_before = chain_before, .ctx = &asked};
        assert_int_equal(
            stet__set_draft_init(&d, &stet__heap, &t, &o->seeds, &links, NULL),
            STET_OK);
        stet_set_record r = record_at(o, 0);
        r.position = outside[i];
        assert_int_equal(stet__set_draft_add(&d, &r, NULL), STET_E_CORRUPT);
        stet__set_draft_deinit(&d);
    }
    end(o);
}

/* A set that lacks a record, or has one where it is not its turn, is none. */
static void test_records_out_of_place_are_refused(void **state)
{
    (void)state;
    ordered *o = order_events(4, 6, 300);
    size_t last = o->h->event_count - 1;
    for (size_t i = 0; i + 2 <= last; i += 7) {
        stet_set_draft d;
        stet_buf out;
        stet__buf_init(&out, &stet__heap);
        size_t other = i + 1 + i % (last - i);
        size_t kept = o->order[i];
        o->order[i] = o->order[other]; /* once more, and this one never */
        assert_int_equal(draft_all(o, &stet__heap, &d, &out), STET_E_CORRUPT);
        o->order[i] = kept;
        stet__set_draft_deinit(&d);
        stet__buf_deinit(&out);
    }
    end(o);
}

/* Without memory there is no index, and nothing leaks. */
static void test_drafting_survives_every_allocation_failure(void **state)
{
    (void)state;
    ordered *o = order_events(5, 4, 100);
    bool is_hit = true;
    for (size_t nth = 1; is_hit; nth++) {
        failalloc f;
        stet_set_draft d;
        stet_buf out;
        failalloc_init(&f, nth);
        stet_allocator a = failalloc_allocator(&f);
        stet__buf_init(&out, &a);
        stet_status st = draft_all(o, &a, &d, &out);
        stet__set_draft_deinit(&d);
        stet__buf_deinit(&out);
        is_hit = f.is_hit;
        assert_int_equal(st, is_hit ? STET_E_NOMEM : STET_OK);
        failalloc_assert_clean(&f);
    }
    end(o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_set_indexes_what_its_segment_did),
        cmocka_unit_test(test_each_record_keeps_the_seed_of_its_first_set),
        cmocka_unit_test(test_a_changed_bit_of_a_trailer_is_told),
        cmocka_unit_test(test_a_set_has_no_more_frames_than_records),
        cmocka_unit_test(test_trailers_of_sets_that_cannot_be_are_refused),
        cmocka_unit_test(test_records_from_outside_are_refused),
        cmocka_unit_test(test_records_out_of_place_are_refused),
        cmocka_unit_test(test_drafting_survives_every_allocation_failure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
