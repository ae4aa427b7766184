#include "core/merged.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "lib/failalloc.h"

enum {
    MACHINES = 700, /* some blocks of each section */
    KEYS = 300,
    FIRST = 1001, /* position; each machine's newest is two behind the last's */
    TRAILER_USED = 216,
};

static const uint64_t salt = 0x3a17;

static stet_trailer trailer_of_sets(void)
{
    return (stet_trailer){
        .file = 12,
        .salt = salt,
        .uuid = "sixteen letters",
        .first_position = FIRST,
        .end_position = FIRST + 2 * MACHINES,
        .last_frame_crc = 0xc0ffee,
        .level = 2,
    };
}

static stet_machine_key key_of(size_t i, char text[16])
{
    (void)snprintf(text, 16, "m%05zu", i);
    return (stet_machine_key){.id = stet_str(text), .ns = 3};
}

static stet_point newest_of(size_t i)
{
    return (stet_point){.position = FIRST + 2 * i, .seq = 1 + i % 9};
}

static void hash_of(size_t i, uint8_t out[16])
{
    memset(out, 0, 16);
    out[0] = (uint8_t)(i / 256);
    out[1] = (uint8_t)i;
}

/* Write an index; `out` takes its bytes. */
static stet_status write_index(const stet_allocator *a, stet_merged_draft *d,
                               stet_buf *out)
{
    char text[16];
    uint8_t hash[16];
    stet_trailer t = trailer_of_sets();
    stet_status st = stet__merged_draft_init(d, a, &t, MACHINES, NULL);
    for (size_t i = 0; i < MACHINES && st == STET_OK; i++) {
        st = stet__merged_draft_add_run(d, key_of(i, text), newest_of(i), NULL);
    }
    if (st == STET_OK) {
        stet__merged_draft_end_runs(d);
    }
    for (size_t i = 0; i < KEYS && st == STET_OK; i++) {
        hash_of(i, hash);
        st = stet__merged_draft_add_key(d, hash, i, FIRST + i, NULL);
    }
    if (st == STET_OK) {
        st = stet__merged_draft_end(d, NULL);
    }
    stet__buf_put_slice(out, stet__buf_slice(&d->out));
    return st == STET_OK && out->is_failed ? STET_E_NOMEM : st;
}

/* An index that was written, read back. */
typedef struct written {
    stet_buf bytes;
    uint8_t *trailer; /* its block */
    stet_trailer t;
} written;

static written write_ok(void)
{
    written w;
    stet_merged_draft d;
    stet__buf_init(&w.bytes, &stet__heap);
    assert_int_equal(write_index(&stet__heap, &d, &w.bytes), STET_OK);
    stet__merged_draft_deinit(&d);
    w.trailer = w.bytes.ptr + w.bytes.len - STET_INDEX_BLOCK_BYTES;
    assert_int_equal(stet__trailer_get(w.trailer, &w.t, NULL), STET_OK);
    assert_int_equal(w.bytes.len, (stet__trailer_number(&w.t) + 1) *
                                      (size_t)STET_INDEX_BLOCK_BYTES);
    return w;
}

static stet_slice payload_of(const written *w, stet_section section,
                             uint32_t nth)
{
    uint32_t number = stet__trailer_range(&w->t, section)->first_block + nth;
    const uint8_t *block =
        w->bytes.ptr + (size_t)number * STET_INDEX_BLOCK_BYTES;
    stet_slice payload;
    assert_int_equal(
        stet__index_block_check(block, section, number, salt, &payload, NULL),
        STET_OK);
    return payload;
}

/* Whoever looks a machine up goes to what is found here. */
static void test_each_machine_is_told_with_its_newest(void **state)
{
    (void)state;
    written w = write_ok();
    const stet_section_range *range =
        stet__trailer_range(&w.t, STET_SECTION_DIRECTORY);
    char text[16];
    size_t i = 0;
    assert_true(range->blocks > 1);
    for (uint32_t n = 0; n < range->blocks; n++) {
        stet_reader in =
            stet__reader_of(payload_of(&w, STET_SECTION_DIRECTORY, n));
        for (; stet__read_left(&in) > 0; i++) {
            stet_run run;
            assert_int_equal(stet__run_decode(&in, &w.t, &run, NULL), STET_OK);
            assert_true(stet__machine_key_eq(run.key, key_of(i, text)));
            assert_int_equal(run.last.position, newest_of(i).position);
            assert_int_equal(run.last.seq, newest_of(i).seq);
        }
    }
    assert_int_equal(i, MACHINES);
    assert_int_equal(range->entries, MACHINES);
    stet__buf_deinit(&w.bytes);
}

/* The filter must not hide what is there. */
static void test_the_filter_holds_every_machine(void **state)
{
    (void)state;
    written w = write_ok();
    uint64_t lines = stet__trailer_range(&w.t, STET_SECTION_FILTER)->entries;
    char text[16];
    for (size_t i = 0; i < MACHINES; i++) {
        uint64_t hash = stet__machine_hash(key_of(i, text));
        uint64_t line = stet__filter_line(hash, lines);
        stet_slice block =
            payload_of(&w, STET_SECTION_FILTER,
                       (uint32_t)(line / STET_FILTER_LINES_PER_BLOCK));
        size_t at = line % STET_FILTER_LINES_PER_BLOCK * STET_FILTER_LINE_BYTES;
        assert_true(
            stet__filter_may_hold((const uint8_t *)block.ptr + at, hash));
    }
    stet__buf_deinit(&w.bytes);
}

/* A repeated idempotency key is answered from the position that it had. */
static void test_each_key_is_told_with_its_position(void **state)
{
    (void)state;
    written w = write_ok();
    assert_int_equal(stet__trailer_range(&w.t, STET_SECTION_KEYS)->entries,
                     KEYS);
    for (size_t i = 0; i < KEYS; i++) {
        uint8_t hash[16];
        stet_slice block = payload_of(&w, STET_SECTION_KEYS,
                                      (uint32_t)(i / STET_KEYS_PER_BLOCK));
        const uint8_t *entry = (const uint8_t *)block.ptr +
                               i % STET_KEYS_PER_BLOCK * STET_KEY_ENTRY_BYTES;
        hash_of(i, hash);
        assert_memory_equal(entry, hash, sizeof hash);
        assert_int_equal(stet__get_u64le(entry + 16), i);
        assert_int_equal(stet__key_entry_slot(entry), i);
    }
    stet__buf_deinit(&w.bytes);
}

/* A trailer comes back as it was put; any other bit is told. */
static void test_a_changed_bit_of_a_trailer_is_told(void **state)
{
    (void)state;
    written w = write_ok();
    stet_trailer due = trailer_of_sets();
    assert_int_equal(w.t.kind, STET_INDEX_MERGED);
    assert_int_equal(w.t.file, due.file);
    assert_int_equal(w.t.level, due.level);
    assert_int_equal(w.t.first_position, due.first_position);
    assert_int_equal(w.t.end_position, due.end_position);
    assert_int_equal(w.t.last_frame_crc, due.last_frame_crc);
    assert_memory_equal(w.t.uuid, due.uuid, sizeof due.uuid);
    for (size_t bit = 0; bit < 8 * (size_t)STET_INDEX_BLOCK_BYTES; bit++) {
        stet_trailer t;
        w.trailer[bit / 8] = (uint8_t)(w.trailer[bit / 8] ^ 1U << bit % 8);
        assert_true(stet__trailer_get(w.trailer, &t, NULL) != STET_OK);
        w.trailer[bit / 8] = (uint8_t)(w.trailer[bit / 8] ^ 1U << bit % 8);
    }
    stet__buf_deinit(&w.bytes);
}

/*
 * What is to be 0 must be, under a right checksum, too: it may come to mean
 * something that we would pass over. And there is no level 0.
 */
static void test_what_a_trailer_has_no_use_for_is_zero(void **state)
{
    (void)state;
    static const size_t zeros[] = {64, 72, 80, 88, 100, 220};
    enum { LEVEL_AT = 216 };
    written w = write_ok();
    uint32_t number = stet__trailer_number(&w.t);
    stet_trailer t;
    for (size_t i = 0; i < sizeof zeros / sizeof zeros[0]; i++) {
        w.trailer[zeros[i] + 1] = 0x10; /* 4096, where it is an offset */
        stet__index_block_seal(w.trailer, STET_SECTION_TRAILER, number,
                               TRAILER_USED, salt);
        assert_int_equal(stet__trailer_get(w.trailer, &t, NULL),
                         STET_E_CORRUPT);
        w.trailer[zeros[i] + 1] = 0;
    }
    w.trailer[LEVEL_AT] = 0;
    stet__index_block_seal(w.trailer, STET_SECTION_TRAILER, number,
                           TRAILER_USED, salt);
    assert_int_equal(stet__trailer_get(w.trailer, &t, NULL), STET_E_CORRUPT);
    w.trailer[LEVEL_AT] = 2;
    stet__index_block_seal(w.trailer, STET_SECTION_TRAILER, number,
                           TRAILER_USED, salt);
    assert_int_equal(stet__trailer_get(w.trailer, &t, NULL), STET_OK);
    stet__buf_deinit(&w.bytes);
}

/* Without memory there is no index, and nothing leaks. */
static void test_drafting_survives_every_allocation_failure(void **state)
{
    (void)state;
    bool is_hit = true;
    for (size_t nth = 1; is_hit; nth++) {
        failalloc f;
        stet_merged_draft d;
        stet_buf out;
        failalloc_init(&f, nth);
        stet_allocator a = failalloc_allocator(&f);
        stet__buf_init(&out, &a);
        stet_status st = write_index(&a, &d, &out);
        stet__merged_draft_deinit(&d);
        stet__buf_deinit(&out);
        is_hit = f.is_hit;
        assert_int_equal(st, is_hit ? STET_E_NOMEM : STET_OK);
        failalloc_assert_clean(&f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_machine_is_told_with_its_newest),
        cmocka_unit_test(test_the_filter_holds_every_machine),
        cmocka_unit_test(test_each_key_is_told_with_its_position),
        cmocka_unit_test(test_a_changed_bit_of_a_trailer_is_told),
        cmocka_unit_test(test_what_a_trailer_has_no_use_for_is_zero),
        cmocka_unit_test(test_drafting_survives_every_allocation_failure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
