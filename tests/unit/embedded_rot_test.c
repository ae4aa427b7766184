/*
 * Damage at rest: every answer of a damaged store is the exact one or
 * STET_E_CORRUPT with file and offset; never another one, never a shorter
 * history than what is known durable.
 *
 * The loops step over most bytes to be quick; with STET_ALL in the environment
 * they take every one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/logbook.h"
#include "lib/memdisk.h"
#include "lib/rounds.h"
#include "stores/embedded/embedded.h"

enum { NAMES_MAX = 64, SECOND = 1000000000 };

typedef struct store {
    memdisk *disk;
    logbook book;
    uint64_t known; /* below it nothing may be missing */
} store;

static void open_book(logbook *b, memdisk *disk)
{
    stet_error err = {0};
    stet_status st =
        logbook_open(b, &stet__embedded_driver, "d", memdisk_os(disk), &err);
    if (st != STET_OK) {
        print_error("open: %s\n", err.text);
    }
    assert_int_equal(st, STET_OK);
}

static void do_steps(logbook *b)
{
    bool has_more = true;
    while (has_more) {
        assert_int_equal(logbook_step(b, &has_more, NULL, NULL), STET_OK);
    }
}

static void kill_book(store *s)
{
    assert_int_equal(logbook_close(&s->book, false, NULL), STET_OK);
    memdisk_crash(s->disk, false);
    /* What is not known durable may be taken for a torn tail. */
    s->book.acked = s->known;
    s->book.synced = s->known;
}

typedef void (*make_fn)(store *s);
static void make_clean(store *s);
static void make_killed(store *s);
static void make_turned(store *s);
static const make_fn makers[] = {make_clean, make_killed, make_turned};

enum { MAKERS = sizeof makers / sizeof makers[0] };

/* Three sealed segments and more, and a spare, cleanly closed. */
static void make_clean(store *s)
{
    s->disk = memdisk_create(1);
    logbook_init(&s->book, 1);
    s->book.opts.segment_bytes = 5 * 4096;
    s->book.body_max = 120;
    open_book(&s->book, s->disk);
    for (int i = 0; i < 12; i++) {
        assert_int_equal(logbook_write(&s->book, 6, NULL), STET_OK);
        do_steps(&s->book);
    }
    assert_int_equal(logbook_close(&s->book, true, NULL), STET_OK);
    s->known = s->book.next;
}

/* The same, killed while it ran, its last segment half full and known. */
static void make_killed(store *s)
{
    s->disk = memdisk_create(2);
    logbook_init(&s->book, 2);
    s->book.opts.segment_bytes = 5 * 4096;
    s->book.body_max = 120;
    open_book(&s->book, s->disk);
    for (int i = 0; i < 10; i++) {
        assert_int_equal(logbook_write(&s->book, 6, NULL), STET_OK);
        if (i < 6) {
            do_steps(&s->book);
        }
    }
    memdisk_advance(s->disk, SECOND);
    do_steps(&s->book);
    memdisk_advance(s->disk, SECOND);
    do_steps(&s->book);
    s->known = s->book.next;
    assert_int_equal(logbook_write(&s->book, 6, NULL), STET_OK);
    kill_book(s);
}

/* Killed after a turn that `super` says nothing of yet: frames alone prove. */
static void make_turned(store *s)
{
    s->disk = memdisk_create(3);
    logbook_init(&s->book, 3);
    s->book.opts.segment_bytes = 6 * 4096;
    s->book.body_max = 120;
    open_book(&s->book, s->disk);
    for (int i = 0; i < 7; i++) {
        assert_int_equal(logbook_write(&s->book, 6, NULL), STET_OK);
    }
    /* The next frame and the one after it both say so: one may be damaged. */
    s->known = s->book.next;
    assert_int_equal(logbook_write(&s->book, 6, NULL), STET_OK);
    assert_int_equal(logbook_write(&s->book, 6, NULL), STET_OK);
    kill_book(s);
}

static void destroy(store *s)
{
    logbook_deinit(&s->book);
    memdisk_destroy(s->disk);
}

/* Open the damaged disk, ask everything, verify; false: it was noticed. */
static bool look_at(store *s, memdisk *disk, stet_open_mode mode)
{
    logbook b = s->book; /* shares the events; opening frees none of them */
    stet_error err = {0};
    b.opts.mode = mode;
    b.is_damaged = true;
    stet_status st =
        logbook_open(&b, &stet__embedded_driver, "d", memdisk_os(disk), &err);
    if (st == STET_E_CORRUPT) {
        if (!logbook_names_damage(&err)) {
            print_error("open: %s\n", err.text);
        }
        assert_true(logbook_names_damage(&err));
        return false;
    }
    assert_int_equal(st, STET_OK);
    assert_in_range(b.start.next_position, s->known, s->book.next);
    logbook_check(&b, s->known);
    stet_verify_report report = {0};
    st = b.log->ops->verify(b.log, NULL, NULL, &report, &err);
    assert_true(st == STET_OK || st == STET_E_CORRUPT);
    assert_true(st == STET_OK || logbook_names_damage(&err));
    bool is_noticed = st == STET_E_CORRUPT || b.refusals > 0;
    assert_int_equal(logbook_close(&b, false, NULL), STET_OK);
    return !is_noticed;
}

static size_t stride(size_t usual)
{
    return getenv("STET_ALL") == NULL ? usual * rounds_stride() : 1;
}

static void flip_each_byte(store *s)
{
    const char *names[NAMES_MAX];
    size_t count = memdisk_names(s->disk, names, NAMES_MAX);
    for (size_t i = 0; i < count; i++) {
        size_t len = 0;
        (void)memdisk_bytes(s->disk, names[i], &len);
        size_t step = stride(strcmp(names[i], "super") == 0 ? 13 : 211);
        for (size_t at = 0; at < len; at += step) {
            memdisk *disk = memdisk_copy(s->disk);
            uint8_t *bytes = memdisk_bytes(disk, names[i], &len);
            bytes[at] ^= (uint8_t)(1U << (at % 8));
            (void)look_at(s, disk, STET_OPEN_READONLY);
            memdisk_destroy(disk);
        }
    }
}

static void cut_at_each_length(store *s)
{
    const char *names[NAMES_MAX];
    size_t count = memdisk_names(s->disk, names, NAMES_MAX);
    for (size_t i = 0; i < count; i++) {
        size_t len = 0;
        (void)memdisk_bytes(s->disk, names[i], &len);
        for (size_t at = 0; at < len; at += stride(509)) {
            memdisk *disk = memdisk_copy(s->disk);
            memdisk_cut(disk, names[i], at);
            (void)look_at(s, disk, STET_OPEN_READONLY);
            memdisk_destroy(disk);
        }
    }
}

/* RELIABILITY.md, fault 8: bit rot at any byte at rest. */
static void test_a_changed_byte_is_never_believed(void **state)
{
    (void)state;
    for (size_t i = 0; i < MAKERS; i++) {
        store s;
        makers[i](&s);
        flip_each_byte(&s);
        destroy(&s);
    }
}

/* Fault 11: a truncated file never makes history shorter. */
static void test_a_file_cut_short_is_never_believed(void **state)
{
    (void)state;
    for (size_t i = 0; i < MAKERS; i++) {
        store s;
        makers[i](&s);
        cut_at_each_length(&s);
        destroy(&s);
    }
}

/* Fault 12: a deleted file is noticed; LOCK holds nothing. */
static void test_a_deleted_file_is_noticed(void **state)
{
    (void)state;
    for (size_t maker = 0; maker < MAKERS; maker++) {
        store s;
        makers[maker](&s);
        const char *names[NAMES_MAX];
        size_t count = memdisk_names(s.disk, names, NAMES_MAX);
        for (size_t i = 0; i < count; i++) {
            memdisk *disk = memdisk_copy(s.disk);
            memdisk_remove(disk, names[i]);
            assert_int_equal(look_at(&s, disk, STET_OPEN_READONLY),
                             strcmp(names[i], "LOCK") == 0);
            memdisk_destroy(disk);
        }
        destroy(&s);
    }
}

static uint32_t file_of(logbook *b, uint64_t position)
{
    stet_logged logged = {0};
    stet_log_reader *reader = b->log->ops->reader_create(b->log);
    assert_non_null(reader);
    assert_int_equal(b->log->ops->reader_read(reader, position, &logged, NULL),
                     STET_OK);
    b->log->ops->reader_destroy(reader);
    return logged.file;
}

/*
 * A segment that lost its header is told from a spare by its frames, also where
 * the first one, which proves nothing, is a large one.
 */
static void test_a_lost_header_is_noticed_behind_a_large_frame(void **state)
{
    (void)state;
    store s = {.disk = memdisk_create(4)};
    logbook_init(&s.book, 4);
    open_book(&s.book, s.disk);
    assert_int_equal(logbook_write_one(&s.book, "large", 600000, NULL),
                     STET_OK);
    s.known = s.book.next;
    assert_int_equal(logbook_write(&s.book, 6, NULL), STET_OK);
    char name[32];
    (void)snprintf(name, sizeof name, "%u.seg", file_of(&s.book, s.known));
    kill_book(&s);
    size_t len = 0;
    memdisk_bytes(s.disk, name, &len)[40] ^= 1;
    assert_false(look_at(&s, s.disk, STET_OPEN_READONLY));
    destroy(&s);
}

/* Two files that changed names would answer for each other. */
static void test_swapped_files_are_noticed(void **state)
{
    (void)state;
    store s;
    make_clean(&s);
    const char *names[NAMES_MAX];
    size_t count = memdisk_names(s.disk, names, NAMES_MAX);
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < i; j++) {
            if (strstr(names[i], ".seg") == NULL ||
                strstr(names[j], ".seg") == NULL) {
                continue;
            }
            memdisk *disk = memdisk_copy(s.disk);
            stet_os *os = memdisk_os(disk);
            int dir = os->dir_open(os, "d", false);
            assert_int_equal(os->rename(os, dir, names[i], "x"), 0);
            assert_int_equal(os->rename(os, dir, names[j], names[i]), 0);
            assert_int_equal(os->rename(os, dir, "x", names[j]), 0);
            assert_false(look_at(&s, disk, STET_OPEN_READONLY));
            memdisk_destroy(disk);
        }
    }
    destroy(&s);
}

/* Copy a piece of one file over a place in another, or in the same. */
static void misdirect(memdisk *disk, rng *random)
{
    const char *names[NAMES_MAX];
    size_t count = memdisk_names(disk, names, NAMES_MAX);
    size_t unit = rng_below(random, 2) == 0 ? 512 : 4096;
    size_t from_len = 0;
    size_t to_len = 0;
    const uint8_t *from =
        memdisk_bytes(disk, names[rng_below(random, count)], &from_len);
    uint8_t *to = memdisk_bytes(disk, names[rng_below(random, count)], &to_len);
    if (from_len >= unit && to_len >= unit) {
        memmove(to + rng_below(random, to_len / unit) * unit,
                from + rng_below(random, from_len / unit) * unit, unit);
    }
}

/* Fault 9: what lands in the wrong place is sound and not what is due there. */
static void test_a_misdirected_write_is_never_believed(void **state)
{
    (void)state;
    size_t times = getenv("STET_ALL") == NULL ? rounds(400) : 20000;
    for (size_t i = 0; i < MAKERS; i++) {
        store s;
        makers[i](&s);
        rng random = {i + 1};
        for (size_t k = 0; k < times; k++) {
            memdisk *disk = memdisk_copy(s.disk);
            misdirect(disk, &random);
            (void)look_at(&s, disk, STET_OPEN_READONLY);
            memdisk_destroy(disk);
        }
        destroy(&s);
    }
}

/* A writer meets the same damage, and may repair an index, never content. */
static void test_a_writer_believes_no_changed_byte_either(void **state)
{
    (void)state;
    store s;
    make_clean(&s);
    const char *names[NAMES_MAX];
    size_t count = memdisk_names(s.disk, names, NAMES_MAX);
    for (size_t i = 0; i < count; i++) {
        size_t len = 0;
        (void)memdisk_bytes(s.disk, names[i], &len);
        for (size_t at = 0; at < len; at += stride(1009)) {
            memdisk *disk = memdisk_copy(s.disk);
            uint8_t *bytes = memdisk_bytes(disk, names[i], &len);
            bytes[at] ^= 0x40;
            (void)look_at(&s, disk, STET_OPEN_DEFAULT);
            memdisk_destroy(disk);
        }
    }
    destroy(&s);
}

/* Fault 27: an index is a function of the records, so its damage is undone. */
static void test_reindex_repairs_every_index_block(void **state)
{
    (void)state;
    store s;
    make_clean(&s);
    const char *names[NAMES_MAX];
    size_t count = memdisk_names(s.disk, names, NAMES_MAX);
    uint64_t repaired = 0;
    for (size_t i = 0; i < count; i++) {
        size_t len = 0;
        (void)memdisk_bytes(s.disk, names[i], &len);
        for (size_t at = 100; at < len; at += 4096) {
            memdisk *disk = memdisk_copy(s.disk);
            memdisk_bytes(disk, names[i], &len)[at] ^= 1;
            logbook b = s.book;
            stet_error err = {0};
            stet_verify_report report = {0};
            if (logbook_open(&b, &stet__embedded_driver, "d", memdisk_os(disk),
                             &err) != STET_OK) {
                memdisk_destroy(disk);
                continue;
            }
            (void)b.log->ops->verify(b.log, NULL, NULL, &report, &err);
            uint64_t rebuilt = 0;
            if (report.index_damaged > 0) {
                assert_int_equal(b.log->ops->reindex(b.log, &rebuilt, &err),
                                 STET_OK);
                assert_int_equal(rebuilt, 1);
                report = (stet_verify_report){0};
                assert_int_equal(
                    b.log->ops->verify(b.log, NULL, NULL, &report, &err),
                    STET_OK);
                logbook_check(&b, b.next);
                repaired++;
            }
            assert_int_equal(logbook_close(&b, true, NULL), STET_OK);
            memdisk_destroy(disk);
        }
    }
    assert_true(repaired > 20);
    destroy(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_changed_byte_is_never_believed),
        cmocka_unit_test(test_a_file_cut_short_is_never_believed),
        cmocka_unit_test(test_a_deleted_file_is_noticed),
        cmocka_unit_test(test_a_lost_header_is_noticed_behind_a_large_frame),
        cmocka_unit_test(test_swapped_files_are_noticed),
        cmocka_unit_test(test_a_misdirected_write_is_never_believed),
        cmocka_unit_test(test_a_writer_believes_no_changed_byte_either),
        cmocka_unit_test(test_reindex_repairs_every_index_block),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
