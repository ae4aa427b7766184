#include "core/index.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/checksum.h"
#include "lib/failalloc.h"
#include "lib/history.h"

static const uint64_t salt = 0x5a17;
static const uint8_t uuid[16] = "sixteen letters";

/* A history, its index, and the sections as read back through every check. */
typedef struct sealed {
    history *h;
    stet_buf index;
    stet_trailer t;
    stet_buf sections[STET_SECTION_COUNT]; /* payloads, joined */
} sealed;

static stet_status build(const stet_allocator *a, const history *h,
                         stet_index_jump_fn jump, void *ctx, stet_buf *out)
{
    stet_index_input in = {.image = h->image,
                           .file = 7,
                           .salt = salt,
                           .end_offset = h->end,
                           .last_frame_crc = h->last_crc,
                           .jump = jump,
                           .jump_ctx = ctx};
    memcpy(in.uuid, uuid, sizeof in.uuid);
    return stet__index_build(a, &in, out, NULL);
}

static const uint8_t *block_of(const sealed *s, uint32_t number)
{
    return s->index.ptr + (size_t)number * STET_INDEX_BLOCK_BYTES;
}

static void read_sections(sealed *s)
{
    size_t blocks = s->index.len / STET_INDEX_BLOCK_BYTES;
    assert_int_equal(s->index.len % STET_INDEX_BLOCK_BYTES, 0);
    assert_int_equal(
        stet__trailer_get(block_of(s, (uint32_t)(blocks - 1)), &s->t, NULL),
        STET_OK);
    for (unsigned i = 0; i < STET_SECTION_COUNT; i++) {
        const stet_section_range *range = &s->t.sections[i];
        stet__buf_init(&s->sections[i], &stet__heap);
        for (uint32_t n = 0; n < range->blocks; n++) {
            uint32_t number = range->first_block + n;
            stet_slice payload;
            assert_int_equal(stet__index_block_check(
                                 block_of(s, number), (stet_section)(i + 1),
                                 number, salt, &payload, NULL),
                             STET_OK);
            stet__buf_put_slice(&s->sections[i], payload);
        }
    }
}

static sealed seal_long(uint64_t seed, size_t machines, size_t events,
                        stet_index_jump_fn jump, size_t id_bytes_min)
{
    sealed s = {.h = history_create(seed)};
    s.h->id_bytes_min = id_bytes_min;
    history_write(s.h, machines, events);
    history_index_all(s.h);
    stet__buf_init(&s.index, &stet__heap);
    assert_int_equal(build(&stet__heap, s.h, jump, s.h, &s.index), STET_OK);
    read_sections(&s);
    return s;
}

static sealed seal(uint64_t seed, size_t machines, size_t events,
                   stet_index_jump_fn jump)
{
    return seal_long(seed, machines, events, jump, 0);
}

static void unseal(sealed *s)
{
    for (unsigned i = 0; i < STET_SECTION_COUNT; i++) {
        stet__buf_deinit(&s->sections[i]);
    }
    stet__buf_deinit(&s->index);
    history_destroy(s->h);
}

static const uint8_t *section(const sealed *s, stet_section which,
                              size_t entry_bytes, size_t idx)
{
    const stet_buf *b = &s->sections[which - 1];
    assert_true((idx + 1) * entry_bytes <= b->len);
    return b->ptr + idx * entry_bytes;
}

static uint64_t entries(const sealed *s, stet_section which)
{
    return s->t.sections[which - 1].entries;
}

/* The machine of the history that has this key. */
static size_t machine_of(const history *h, stet_machine_key key)
{
    for (size_t i = 0; i < h->machine_count; i++) {
        if (stet__machine_key_eq(h->machines[i].key, key)) {
            return i;
        }
    }
    fail();
    return 0;
}

static void assert_same_point(stet_point a, stet_point b)
{
    assert_int_equal(a.seq, b.seq);
    assert_int_equal(a.position, b.position);
    assert_int_equal(a.occurred_max, b.occurred_max);
}

static void assert_same_key(stet_machine_key a, stet_machine_key b)
{
    assert_int_equal(a.id.len, b.id.len);
    if (a.id.len > 0) {
        assert_true(stet__machine_key_eq(a, b));
    }
}

/* What the run must say, from what is known of the history. */
static void assert_is_run(const sealed *s, const stet_run *run)
{
    const history *h = s->h;
    const history_machine *m = &h->machines[machine_of(h, run->key)];
    const history_event *first = &h->events[m->first];
    const history_event *last = &h->events[m->newest];
    assert_same_point(run->first, first->point);
    assert_same_point(run->last, last->point);
    assert_int_equal(run->is_deleted, last->is_deleted);
    int count = 0;
    int named = HISTORY_NONE;
    for (int at = m->newest; at != HISTORY_NONE; at = h->events[at].before) {
        count++;
        if (named == HISTORY_NONE && h->events[at].has_name) {
            named = at;
        }
    }
    assert_int_equal(run->count, count);
    int at = m->newest;
    for (int n = count; count > 1 && n > 0; n--, at = h->events[at].before) {
        size_t idx = run->list + (size_t)n - 1;
        assert_int_equal(stet__get_u32le(section(s, STET_SECTION_LISTS,
                                                 STET_LIST_BYTES, idx)),
                         at);
    }
    assert_int_equal(run->has_state_name,
                     named != HISTORY_NONE || first->back == 0);
    const char *name = named == HISTORY_NONE ? "" : h->events[named].name;
    assert_true(stet__slice_eq(run->state_name, stet_str(name)));
    assert_int_equal(run->previous.position,
                     first->back == 0 ? 0
                                      : first->point.position - first->back);
    assert_same_key(run->previous.key, m->parent);
}

/* Decode an entry; stepping over it must lead to the same place. */
static stet_status decode_entry(stet_reader *in, const stet_trailer *t,
                                stet_run *out)
{
    stet_reader over = *in;
    stet_machine_key key = stet__run_pass(&over);
    stet_status st = stet__run_decode(in, t, out, NULL);
    if (st == STET_OK) {
        assert_false(over.is_bad);
        assert_ptr_equal(over.ptr, in->ptr);
        assert_same_key(key, out->key);
    }
    return st;
}

/* Walk the directory as a reader does, block by block. */
static size_t check_directory(const sealed *s,
                              void (*check)(const sealed *, const stet_run *))
{
    const stet_section_range *range =
        &s->t.sections[STET_SECTION_DIRECTORY - 1];
    stet_reader fences =
        stet__reader_of(stet__buf_slice(&s->sections[STET_SECTION_FENCES - 1]));
    stet_machine_key last = {0};
    size_t count = 0;
    for (uint32_t n = 0; n < range->blocks; n++) {
        stet_slice payload;
        uint32_t number = range->first_block + n;
        assert_int_equal(stet__index_block_check(block_of(s, number),
                                                 STET_SECTION_DIRECTORY, number,
                                                 salt, &payload, NULL),
                         STET_OK);
        stet_reader in = stet__reader_of(payload);
        for (bool is_first = true; stet__read_left(&in) > 0; is_first = false) {
            stet_run run;
            assert_int_equal(decode_entry(&in, &s->t, &run), STET_OK);
            if (is_first) {
                size_t len = (size_t)stet__read_varint(&fences);
                assert_int_equal(stet__read_u8(&fences), run.key.ns);
                assert_true(stet__slice_eq(stet__read_bytes(&fences, len - 1),
                                           run.key.id));
            }
            assert_true(count == 0 || stet__machine_key_cmp(last, run.key) < 0);
            check(s, &run);
            last = run.key;
            count++;
        }
    }
    assert_false(fences.is_bad);
    assert_int_equal(stet__read_left(&fences), 0);
    assert_int_equal(range->entries, count);
    assert_int_equal(entries(s, STET_SECTION_FENCES), range->blocks);
    return count;
}

/* What is found in memory must be found on disk, to the last detail: after
   sealing nothing else remembers. */
static void test_directory_says_what_the_image_knows(void **state)
{
    (void)state;
    static const size_t machines[] = {300, 3, 60, 1, 1};
    static const size_t events[] = {4000, 3000, 500, 40, 1};
    for (size_t i = 0; i < 5; i++) {
        sealed s = seal(i, machines[i], events[i], NULL);
        assert_int_equal(check_directory(&s, assert_is_run),
                         s.h->machine_count);
        size_t alone = 0; /* runs of one record have no list */
        for (size_t m = 0; m < s.h->machine_count; m++) {
            alone += s.h->machines[m].first == s.h->machines[m].newest;
        }
        assert_int_equal(entries(&s, STET_SECTION_LISTS),
                         s.h->event_count - alone);
        unseal(&s);
    }
}

/* Fences of long ids fill blocks of their own, and lie across them. */
static void test_fences_are_joined_across_blocks(void **state)
{
    (void)state;
    sealed s = seal_long(9, 200, 2500, NULL, STET_RECORD_ID_BYTES_MAX);
    assert_int_equal(check_directory(&s, assert_is_run), s.h->machine_count);
    const stet_section_range *range = &s.t.sections[STET_SECTION_FENCES - 1];
    size_t bytes = s.sections[STET_SECTION_FENCES - 1].len;
    assert_true(range->blocks > 2);
    assert_int_equal(range->blocks, (bytes + STET_INDEX_PAYLOAD_BYTES - 1) /
                                        STET_INDEX_PAYLOAD_BYTES);
    unseal(&s);
}

/* Records, times and keys are looked up by number or by search. */
static void test_sections_say_what_the_image_knows(void **state)
{
    (void)state;
    sealed s = seal(11, 200, 4000, NULL);
    const history *h = s.h;
    assert_int_equal(entries(&s, STET_SECTION_SLOTS), h->event_count);
    for (uint32_t i = 0; i < h->event_count; i++) {
        const uint8_t *p = section(&s, STET_SECTION_SLOTS, STET_SLOT_BYTES, i);
        uint32_t offset = stet__image_slot(h->image, i)->offset;
        assert_int_equal(stet__get_u32le(p), offset);
        assert_memory_equal(p + 4, stet__image_bytes(h->image) + offset, 4);
    }
    assert_int_equal(entries(&s, STET_SECTION_TIMES), h->frame_count);
    for (size_t i = 0; i < h->frame_count; i++) {
        const uint8_t *p = section(&s, STET_SECTION_TIMES, STET_TIME_BYTES, i);
        assert_int_equal(stet__get_u32le(p), h->frames[i].first_event);
        assert_int_equal(stet__get_u32le(p + 4), h->frames[i].offset / STET_W);
        assert_int_equal(stet__get_u64le(p + 8), h->frames[i].recorded);
    }
    static bool is_seen[HISTORY_EVENTS_MAX];
    size_t key_count = (size_t)entries(&s, STET_SECTION_KEYS);
    for (size_t i = 0; i < key_count; i++) {
        const uint8_t *p =
            section(&s, STET_SECTION_KEYS, STET_KEY_ENTRY_BYTES, i);
        uint32_t slot = stet__get_u32le(p + 24);
        assert_true(slot < h->event_count && !is_seen[slot]);
        is_seen[slot] = true;
        assert_memory_equal(p, h->events[slot].key, 16);
        assert_int_equal(stet__get_u64le(p + 16), h->events[slot].key_check);
        assert_int_equal(stet__get_u32le(p + 28), 0);
        assert_true(i == 0 || memcmp(p - STET_KEY_ENTRY_BYTES, p, 16) < 0);
    }
    for (size_t i = 0; i < h->event_count; i++) {
        assert_int_equal(is_seen[i], h->events[i].has_key);
    }
    unseal(&s);
}

/* Entry i is read without reading others: blocks must be full. */
static void test_entries_lie_where_their_number_says(void **state)
{
    (void)state;
    static const struct {
        stet_section section;
        size_t bytes;
        size_t per_block;
    } fixed[] = {
        {STET_SECTION_SLOTS, STET_SLOT_BYTES, STET_SLOTS_PER_BLOCK},
        {STET_SECTION_LISTS, STET_LIST_BYTES, STET_LISTS_PER_BLOCK},
        {STET_SECTION_FILTER, STET_FILTER_LINE_BYTES,
         STET_FILTER_LINES_PER_BLOCK},
        {STET_SECTION_TIMES, STET_TIME_BYTES, STET_TIMES_PER_BLOCK},
        {STET_SECTION_KEYS, STET_KEY_ENTRY_BYTES, STET_KEYS_PER_BLOCK},
    };
    sealed s = seal(12, 300, 5000, NULL);
    for (size_t i = 0; i < sizeof fixed / sizeof *fixed; i++) {
        const stet_section_range *range = &s.t.sections[fixed[i].section - 1];
        assert_true(range->entries > 0);
        assert_int_equal(range->blocks,
                         (range->entries + fixed[i].per_block - 1) /
                             fixed[i].per_block);
        for (uint32_t n = 0; n + 1 < range->blocks; n++) {
            stet_slice payload;
            uint32_t number = range->first_block + n;
            assert_int_equal(stet__index_block_check(block_of(&s, number),
                                                     fixed[i].section, number,
                                                     salt, &payload, NULL),
                             STET_OK);
            assert_int_equal(payload.len, fixed[i].per_block * fixed[i].bytes);
        }
    }
    unseal(&s);
}

/* The trailer is all that an open reads of a sealed file. */
static void test_trailer_says_what_was_sealed(void **state)
{
    (void)state;
    sealed s = seal(13, 20, 700, NULL);
    const history *h = s.h;
    uint64_t state_bytes = 0;
    for (size_t i = 0; i < h->event_count; i++) {
        state_bytes += h->events[i].state_bytes;
    }
    assert_int_equal(s.t.format, STET_FORMAT);
    assert_int_equal(s.t.file, 7);
    assert_memory_equal(s.t.uuid, uuid, sizeof uuid);
    assert_int_equal(s.t.salt, salt);
    assert_int_equal(s.t.first_position, h->first_position);
    assert_int_equal(s.t.end_position, h->first_position + h->event_count);
    assert_int_equal(s.t.end_offset, h->end);
    assert_int_equal(s.t.state_bytes, state_bytes);
    assert_int_equal(s.t.first_recorded, h->frames[0].recorded);
    assert_int_equal(s.t.last_recorded, h->frames[h->frame_count - 1].recorded);
    assert_int_equal(s.t.last_frame_crc, h->last_crc);
    assert_int_equal(s.t.frames, h->frame_count);
    unseal(&s);
}

/* An absent machine is mostly told without reading the directory, and a
   machine that is there never is. */
static void test_filter_holds_every_machine_and_few_others(void **state)
{
    (void)state;
    sealed s = seal(14, 300, 4000, NULL);
    uint64_t lines = entries(&s, STET_SECTION_FILTER);
    size_t false_count = 0;
    for (size_t i = 0; i < 20000; i++) {
        char id[24];
        (void)snprintf(id, sizeof id, "absent%zu", i);
        stet_machine_key key = {.id = stet_str(id)};
        key = i < s.h->machine_count ? s.h->machines[i].key : key;
        uint64_t hash = stet__machine_hash(key);
        bool may = stet__filter_may_hold(
            section(&s, STET_SECTION_FILTER, STET_FILTER_LINE_BYTES,
                    (size_t)stet__filter_line(hash, lines)),
            hash);
        if (i < s.h->machine_count) {
            assert_true(may);
        } else {
            false_count += may;
        }
    }
    assert_in_range(false_count, 1, 20000 / 40); /* 1 to 2 % are expected */
    unseal(&s);
}

/* Readers of every version must look at the same bits. */
static void test_filter_bits_are_those_of_the_format(void **state)
{
    (void)state;
    const uint64_t hash = 0x0123456789abcdef;
    /* 0x01234567 * 1000 >> 32 */
    assert_int_equal(stet__filter_line(hash, 1000), 4);
    assert_int_equal(stet__filter_line(~UINT64_C(0), 1000), 999);
    uint8_t line[STET_FILTER_LINE_BYTES] = {0};
    stet__filter_add(line, hash);
    /* 0x1ef, then on by 0x89abcdef >> 9 made odd, 0x1e7, modulo 512. */
    static const unsigned bits[] = {495, 470, 445, 420, 395, 370, 345, 320};
    for (size_t i = 0; i < 8; i++) {
        assert_true(stet__filter_may_hold(line, hash));
        line[bits[i] / 8] ^= (uint8_t)(1U << (bits[i] % 8));
        assert_false(stet__filter_may_hold(line, hash));
        line[bits[i] / 8] ^= (uint8_t)(1U << (bits[i] % 8));
    }
    for (size_t i = 0; i < 8; i++) {
        line[bits[i] / 8] ^= (uint8_t)(1U << (bits[i] % 8));
    }
    assert_true(stet__is_zeros(line, sizeof line));
}

/* A jump that any reader of the run can check: derived from the run alone. */
static bool some_jump(void *ctx, const stet_run *run, stet_run_link *out)
{
    const history *h = ctx;
    if (run->first.seq < 3 || run->previous.position < 2) {
        out->position = 1; /* which nobody may use */
        return false;
    }
    *out = (stet_run_link){
        .position = 1 + run->previous.position / 2,
        .seq = 1 + run->first.seq / 3,
        .occurred_max = run->first.occurred_max - (int64_t)run->first.seq,
    };
    if (run->first.seq % 2 == 0) {
        out->key = h->machines[0].key;
    }
    return true;
}

static void assert_has_jump(const sealed *s, const stet_run *run)
{
    stet_run_link want = {0};
    stet_run without = *run;
    without.jump = (stet_run_link){0};
    if (!some_jump(s->h, &without, &want)) {
        want = (stet_run_link){0};
    }
    assert_int_equal(run->jump.position, want.position);
    assert_int_equal(run->jump.seq, want.seq);
    assert_int_equal(run->jump.occurred_max, want.occurred_max);
    assert_same_key(run->jump.key, want.key);
    assert_is_run(s, run);
}

/* As-of over many segments follows these links. */
static void test_jumps_come_back_as_they_were_given(void **state)
{
    (void)state;
    sealed s = seal(15, 300, 2000, some_jump);
    assert_int_equal(check_directory(&s, assert_has_jump), s.h->machine_count);
    unseal(&s);
}

/* Run entries hold any numbers, not only those of young stores. */
static void test_runs_of_any_numbers_come_back(void **state)
{
    (void)state;
    rng r = {16};
    stet_trailer t = {.first_position = UINT64_C(1) << 60,
                      .end_position = (UINT64_C(1) << 60) + UINT32_MAX,
                      .first_recorded = INT64_MIN};
    t.sections[STET_SECTION_LISTS - 1].entries = UINT32_MAX;
    static const char text[STET_RECORD_ID_BYTES_MAX] = "x";
    stet_slice longest = stet_slice_of(text, sizeof text);
    for (int i = 0; i < 2000; i++) {
        stet_run run = {.key = {.id = longest, .ns = 255}, .count = 1};
        run.first.position = t.first_position + rng_below(&r, UINT32_MAX / 2);
        run.first.seq = 2 + (rng_next(&r) >> (1 + rng_below(&r, 62)));
        run.first.occurred_max = (int64_t)rng_next(&r);
        run.last = run.first;
        if (rng_below(&r, 2) == 0) {
            run.count = 2 + (uint32_t)rng_below(&r, UINT32_MAX / 2 - 2);
            run.list = (uint32_t)rng_below(&r, UINT32_MAX - run.count);
            run.last.seq += run.count - 1;
            run.last.position += run.count - 1;
            run.last.occurred_max = (int64_t)rng_next(&r);
        }
        run.has_state_name = rng_below(&r, 2) == 0;
        if (run.has_state_name) {
            run.state_name = stet_slice_of(text, STET_NAME_BYTES_MAX);
        }
        run.previous.position = run.first.position - 1;
        run.previous.key = run.key;
        run.jump = (stet_run_link){.position = 1 + rng_below(&r, 9),
                                   .seq = 1,
                                   .occurred_max = (int64_t)rng_next(&r),
                                   .key = run.key};
        uint8_t bytes[STET_RUN_BYTES_MAX];
        size_t len = stet__run_put(&run, &t, bytes);
        assert_true(len <= sizeof bytes);
        stet_reader in = stet__reader_of(stet_slice_of(bytes, len));
        stet_run out;
        assert_int_equal(decode_entry(&in, &t, &out), STET_OK);
        assert_int_equal(stet__read_left(&in), 0);
        assert_same_key(out.key, run.key);
        assert_same_point(out.first, run.first);
        assert_same_point(out.last, run.last);
        assert_int_equal(out.count, run.count);
        assert_int_equal(out.list, run.list);
        assert_int_equal(out.has_state_name, run.has_state_name);
        assert_true(stet__slice_eq(out.state_name, run.state_name));
        assert_int_equal(out.previous.position, run.previous.position);
        assert_same_key(out.previous.key, run.previous.key);
        assert_int_equal(out.jump.position, run.jump.position);
        assert_int_equal(out.jump.seq, run.jump.seq);
        assert_int_equal(out.jump.occurred_max, run.jump.occurred_max);
        assert_same_key(out.jump.key, run.jump.key);
    }
}

/* A not-found rests on these bytes: no change of one may pass. */
static void test_every_changed_byte_of_an_index_is_detected(void **state)
{
    (void)state;
    rng r = {17};
    sealed s = seal(18, 30, 60, some_jump);
    uint32_t blocks = (uint32_t)(s.index.len / STET_INDEX_BLOCK_BYTES);
    assert_int_equal(blocks, 8);
    for (uint32_t n = 0; n < blocks; n++) {
        uint8_t *block = s.index.ptr + (size_t)n * STET_INDEX_BLOCK_BYTES;
        stet_section which = (stet_section)(n + 1);
        for (size_t at = 0; at < STET_INDEX_BLOCK_BYTES; at++) {
            uint8_t was = block[at];
            block[at] = (uint8_t)(was + 1 + rng_below(&r, 255));
            stet_slice payload;
            stet_trailer t;
            assert_int_equal(
                stet__index_block_check(block, which, n, salt, &payload, NULL),
                STET_E_CORRUPT);
            if (which == STET_SECTION_TRAILER) {
                assert_int_not_equal(stet__trailer_get(block, &t, NULL),
                                     STET_OK);
            }
            block[at] = was;
        }
    }
    unseal(&s);
}

/* A block that was written elsewhere, by a misdirected write or by the file's
   former life, is not this one. */
static void test_blocks_know_their_place(void **state)
{
    (void)state;
    sealed s = seal(19, 30, 60, NULL);
    stet_slice payload;
    const uint8_t *slots = block_of(&s, 0);
    assert_int_equal(stet__index_block_check(slots, STET_SECTION_SLOTS, 0, salt,
                                             &payload, NULL),
                     STET_OK);
    assert_int_equal(stet__index_block_check(slots, STET_SECTION_SLOTS, 1, salt,
                                             &payload, NULL),
                     STET_E_CORRUPT);
    assert_int_equal(stet__index_block_check(slots, STET_SECTION_SLOTS, 0,
                                             salt + 1, &payload, NULL),
                     STET_E_CORRUPT);
    assert_int_equal(stet__index_block_check(slots, STET_SECTION_LISTS, 0, salt,
                                             &payload, NULL),
                     STET_E_CORRUPT);
    stet_trailer t;
    assert_int_equal(stet__trailer_get(slots, &t, NULL), STET_E_NOT_FOUND);
    unseal(&s);
}

/* Put the checksum of a block right again. */
static void reseal(uint8_t *block, uint32_t number)
{
    uint8_t place[12];
    stet__put_u64le(place, salt);
    stet__put_u32le(place + 8, number);
    stet__put_u32le(block, stet__crc32c(stet__crc32c(0, place, sizeof place),
                                        block + 4, STET_INDEX_BLOCK_BYTES - 4));
}

/* Sizes are believed only within the block, and padding is zeros. */
static void test_blocks_that_cannot_be_are_refused(void **state)
{
    (void)state;
    uint8_t block[STET_INDEX_BLOCK_BYTES] = {0};
    stet_slice payload;
    stet__index_block_seal(block, STET_SECTION_SLOTS, 3, 8, salt);
    assert_int_equal(stet__index_block_check(block, STET_SECTION_SLOTS, 3, salt,
                                             &payload, NULL),
                     STET_OK);
    assert_int_equal(payload.len, 8);
    block[STET_INDEX_BLOCK_BYTES - 1] = 1;
    reseal(block, 3);
    assert_int_equal(stet__index_block_check(block, STET_SECTION_SLOTS, 3, salt,
                                             &payload, NULL),
                     STET_E_CORRUPT);
    stet__put_u16le(block + 6, STET_INDEX_PAYLOAD_BYTES + 1);
    reseal(block, 3);
    assert_int_equal(stet__index_block_check(block, STET_SECTION_SLOTS, 3, salt,
                                             &payload, NULL),
                     STET_E_CORRUPT);
}

/* Give sections the blocks that their entries take. */
static void lay_out(stet_trailer *t)
{
    static const uint32_t per_block[STET_SECTION_COUNT] = {
        STET_SLOTS_PER_BLOCK,
        STET_LISTS_PER_BLOCK,
        0,
        0,
        STET_FILTER_LINES_PER_BLOCK,
        STET_TIMES_PER_BLOCK,
        STET_KEYS_PER_BLOCK};
    uint32_t next = 0;
    for (size_t i = 0; i < STET_SECTION_COUNT; i++) {
        stet_section_range *range = &t->sections[i];
        range->first_block = next;
        if (per_block[i] > 0) {
            range->blocks =
                (uint32_t)((range->entries + per_block[i] - 1) / per_block[i]);
        }
        next += range->blocks;
    }
}

static void assert_trailer(const stet_trailer *t, stet_status want)
{
    uint8_t block[STET_INDEX_BLOCK_BYTES];
    stet_trailer out;
    stet__trailer_put(t, block);
    assert_int_equal(stet__trailer_get(block, &out, NULL), want);
}

/* A checksum that fits does not make a trailer believable: readers divide and
   index by what it says. */
static void test_trailers_that_cannot_be_are_refused(void **state)
{
    (void)state;
    sealed s = seal(20, 30, 60, NULL);
    stet_trailer bad[13];
    enum { BAD = sizeof bad / sizeof *bad };
    for (size_t i = 0; i < BAD; i++) {
        bad[i] = s.t;
    }
    bad[0].end_position = bad[0].first_position;
    bad[0].sections[STET_SECTION_SLOTS - 1].entries = 0;
    bad[0].sections[STET_SECTION_LISTS - 1].entries = 0;
    bad[1].end_position -= bad[1].first_position;
    bad[1].first_position = 0;
    bad[2].end_position++;
    bad[3].frames++;
    bad[4].end_offset++;
    bad[5].end_position = bad[5].first_position + (UINT64_C(1) << 32);
    bad[5].sections[STET_SECTION_SLOTS - 1].entries = UINT64_C(1) << 32;
    bad[6].sections[STET_SECTION_FENCES - 1].entries++;
    bad[7].sections[STET_SECTION_FILTER - 1].entries = 0;
    bad[8].sections[STET_SECTION_LISTS - 1].entries =
        bad[8].sections[STET_SECTION_SLOTS - 1].entries + 1;
    bad[9].sections[STET_SECTION_DIRECTORY - 1].blocks++;
    bad[10].frames = 0;
    bad[10].sections[STET_SECTION_TIMES - 1].entries = 0;
    bad[11].frames = 61; /* of 60 records */
    bad[11].sections[STET_SECTION_TIMES - 1].entries = 61;
    for (size_t i = 0; i < 12; i++) {
        lay_out(&bad[i]);
        assert_trailer(&bad[i], STET_E_CORRUPT);
    }
    bad[12].sections[STET_SECTION_LISTS - 1].first_block++;
    assert_trailer(&bad[12], STET_E_CORRUPT);
    lay_out(&s.t);
    assert_trailer(&s.t, STET_OK);
    /* Two sizes that are wrong, but right together. */
    stet_trailer pair = s.t;
    pair.sections[STET_SECTION_LISTS - 1].entries = 0;
    pair.sections[STET_SECTION_KEYS - 1].entries = STET_KEYS_PER_BLOCK + 1;
    lay_out(&pair);
    pair.sections[STET_SECTION_LISTS - 1].blocks = 1;
    pair.sections[STET_SECTION_KEYS - 1].blocks = 1;
    assert_trailer(&pair, STET_E_CORRUPT);
    s.t.format++;
    assert_trailer(&s.t, STET_E_FORMAT);
    unseal(&s);
}

/* The trailer is found by itself; its own number and size are judged, too. */
static void test_trailers_know_their_place(void **state)
{
    (void)state;
    sealed s = seal(20, 30, 60, NULL);
    uint8_t block[STET_INDEX_BLOCK_BYTES];
    stet_trailer out;
    uint32_t number = (uint32_t)(s.index.len / STET_INDEX_BLOCK_BYTES) - 1;
    stet__trailer_put(&s.t, block);
    reseal(block, number);
    assert_int_equal(stet__trailer_get(block, &out, NULL), STET_OK);
    stet__put_u32le(block + 16, number + 1);
    reseal(block, number + 1);
    assert_int_equal(stet__trailer_get(block, &out, NULL), STET_E_CORRUPT);
    stet__trailer_put(&s.t, block);
    stet__put_u16le(block + 6, 216);
    reseal(block, number);
    assert_int_equal(stet__trailer_get(block, &out, NULL), STET_E_CORRUPT);
    unseal(&s);
}

/* Entries are read from blocks that are sound; they are still only bytes. */
static void test_any_entry_is_looked_at_safely(void **state)
{
    (void)state;
    rng r = {21};
    sealed s = seal(22, 300, 2000, some_jump);
    const stet_buf *b = &s.sections[STET_SECTION_DIRECTORY - 1];
    size_t refused = 0;
    for (int i = 0; i < 50000; i++) {
        size_t at = rng_below(&r, b->len);
        size_t len = rng_below(&r, b->len - at);
        len = len < 60 ? len : 60;
        uint8_t *copy = malloc(len > 0 ? len : 1);
        assert_non_null(copy);
        memcpy(copy, b->ptr + at, len);
        stet_reader in = stet__reader_of(stet_slice_of(copy, len));
        stet_run run;
        if (decode_entry(&in, &s.t, &run) == STET_OK) {
            assert_true(run.first.position >= s.t.first_position);
            assert_true(run.last.position < s.t.end_position);
            assert_true(run.count == 1 || run.list + (uint64_t)run.count <=
                                              entries(&s, STET_SECTION_LISTS));
            assert_true(run.previous.position < run.first.position);
            assert_true(run.jump.position < run.first.position);
            assert_true(run.key.id.len > 0);
        } else {
            refused++;
        }
        free(copy);
    }
    assert_in_range(refused, 1, 49999);
    unseal(&s);
}

/* One violated rule at a time, in an entry that is otherwise right. */
static void test_entries_that_cannot_be_are_refused(void **state)
{
    (void)state;
    stet_trailer t = {.first_position = 100, .end_position = 110};
    t.sections[STET_SECTION_LISTS - 1].entries = 6;
    /* namespace, id, flags, slot, seq, time; count - 2, span, time, list */
    static const struct {
        const char *ptr;
        size_t len;
        bool is_good;
    } cases[] = {
#define CASE(is_good, bytes) {bytes, sizeof(bytes) - 1, is_good}
        CASE(true, "\x00\x01m\x00\x09\x01\x00"),
        CASE(false, "\x00\x00\x00\x09\x01\x00"),           /* no id */
        CASE(false, "\x00\x01m\x00\x0a\x01\x00"),          /* slot at the end */
        CASE(false, "\x00\x01m\x00\x09\x00\x00"),          /* seq 0 */
        CASE(false, "\x00\x01m\x80\x09\x01\x00"),          /* unknown flag */
        CASE(false, "\x00\x01m\x10\x09\x01\x00\x00\x01p"), /* key, no link */
        CASE(false, "\x00\x01m\x40\x09\x01\x00\x00\x01p"), /* likewise */
        CASE(true, "\x00\x01m\x02\x05\x01\x00\x02\x04\x00\x02"),
        CASE(false, "\x00\x01m\x02\x05\x01\x00\x02\x05\x00\x02"), /* span */
        CASE(false, "\x00\x01m\x02\x05\x01\x00\x02\x02\x00\x02"), /* count */
        CASE(false, "\x00\x01m\x02\x05\x01\x00\x02\x04\x00\x03"), /* list */
        CASE(false, "\x00\x01m\x02\x05\x01\x00\x02\x04\x00\x06"), /* list */
        CASE(true, "\x00\x01m\x04\x00\x01\x00\x02hi"),
        CASE(false, "\x00\x01m\x04\x00\x01\x00\x03hi"),
        CASE(true, "\x00\x01m\x08\x00\x01\x00\x63"),
        CASE(false, "\x00\x01m\x08\x00\x01\x00\x64"), /* position 0 */
        CASE(false, "\x00\x01m\x08\x00\x01\x00\x00"), /* itself */
        CASE(true, "\x00\x01m\x20\x00\x02\x00\x01\x01\x00"),
        CASE(false, "\x00\x01m\x20\x00\x02\x00\x01\x02\x00"), /* seq 0 */
#undef CASE
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        stet_reader in =
            stet__reader_of(stet_slice_of(cases[i].ptr, cases[i].len));
        stet_run run;
        assert_int_equal(stet__run_decode(&in, &t, &run, NULL),
                         cases[i].is_good ? STET_OK : STET_E_CORRUPT);
    }
}

/* Sealing runs in the background of a store that goes on without memory. */
static void test_build_without_memory_leaves_nothing(void **state)
{
    (void)state;
    history *h = history_create(23);
    history_write(h, 50, 600);
    history_index_all(h);
    for (size_t nth = 1;; nth++) {
        failalloc f;
        failalloc_init(&f, nth);
        stet_allocator a = failalloc_allocator(&f);
        stet_buf out;
        stet__buf_init(&out, &a);
        stet_status st = build(&a, h, NULL, NULL, &out);
        assert_int_equal(st, f.is_hit ? STET_E_NOMEM : STET_OK);
        stet__buf_deinit(&out);
        failalloc_assert_clean(&f);
        if (!f.is_hit) {
            break;
        }
    }
    history_destroy(h);
}

/* A repair compares by rebuilding: the same image, the same bytes. */
static void test_an_index_is_a_function_of_its_records(void **state)
{
    (void)state;
    sealed a = seal(24, 100, 1000, NULL);
    sealed b = seal(24, 100, 1000, NULL);
    assert_int_equal(a.index.len, b.index.len);
    assert_memory_equal(a.index.ptr, b.index.ptr, a.index.len);
    unseal(&a);
    unseal(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_directory_says_what_the_image_knows),
        cmocka_unit_test(test_fences_are_joined_across_blocks),
        cmocka_unit_test(test_sections_say_what_the_image_knows),
        cmocka_unit_test(test_entries_lie_where_their_number_says),
        cmocka_unit_test(test_trailer_says_what_was_sealed),
        cmocka_unit_test(test_filter_holds_every_machine_and_few_others),
        cmocka_unit_test(test_filter_bits_are_those_of_the_format),
        cmocka_unit_test(test_jumps_come_back_as_they_were_given),
        cmocka_unit_test(test_runs_of_any_numbers_come_back),
        cmocka_unit_test(test_every_changed_byte_of_an_index_is_detected),
        cmocka_unit_test(test_blocks_know_their_place),
        cmocka_unit_test(test_blocks_that_cannot_be_are_refused),
        cmocka_unit_test(test_trailers_that_cannot_be_are_refused),
        cmocka_unit_test(test_trailers_know_their_place),
        cmocka_unit_test(test_any_entry_is_looked_at_safely),
        cmocka_unit_test(test_entries_that_cannot_be_are_refused),
        cmocka_unit_test(test_build_without_memory_leaves_nothing),
        cmocka_unit_test(test_an_index_is_a_function_of_its_records),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
