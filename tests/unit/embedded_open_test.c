#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/frame.h"
#include "lib/failalloc.h"
#include "lib/logbook.h"
#include "lib/memdisk.h"
#include "lib/rounds.h"
#include "lib/tmpdir.h"
#include "stores/embedded/embedded.h"

enum { NAMES_MAX = 256, SECOND = 1000000000 };

static void open_ok(logbook *b, memdisk *disk)
{
    logbook_open_ok(b, &stet__embedded_driver, "d", memdisk_os(disk));
}

static stet_status try_open(memdisk *disk, stet_open_mode mode, stet_error *err)
{
    logbook b;
    logbook_init(&b, 1);
    b.opts.mode = mode;
    stet_status st =
        logbook_open(&b, &stet__embedded_driver, "d", memdisk_os(disk), err);
    if (st == STET_OK) {
        logbook_close_ok(&b);
    }
    logbook_deinit(&b);
    return st;
}

static void put_file(memdisk *disk, const char *name, const void *bytes,
                     size_t len)
{
    stet_os *os = memdisk_os(disk);
    int dir = os->dir_open(os, "d", false);
    int fd = os->open(os, dir, name, STET_OPEN_WRITE | STET_OPEN_CREATE);
    assert_true(fd >= 0);
    assert_int_equal(os->pwrite(os, fd, bytes, len, 0), 0);
    assert_int_equal(os->close(os, fd), 0);
}

static size_t count_files(const memdisk *disk)
{
    const char *names[NAMES_MAX];
    return memdisk_names(disk, names, NAMES_MAX);
}

/*
 * Whether frames are read past the page cache may not depend on luck: after a
 * failed sync the cache shows what the media do not hold.
 */
static void test_no_open_goes_on_without_a_file_it_wants(void **state)
{
    (void)state;
    bool has_failed = true;
    for (unsigned nth = 1; has_failed; nth++) {
        logbook b;
        memdisk *disk = memdisk_create(nth);
        logbook_init(&b, nth);
        open_ok(&b, disk);
        logbook_write_ok(&b, 5);
        assert_int_equal(logbook_close(&b, false, NULL), STET_OK);
        memdisk_crash(disk, false);
        memdisk_fail_at(disk, MEMDISK_OPEN, nth, EMFILE);
        stet_status st = logbook_open(&b, &stet__embedded_driver, "d",
                                      memdisk_os(disk), NULL);
        has_failed = memdisk_has_failed(disk);
        assert_int_equal(st, has_failed ? STET_E_NOMEM : STET_OK);
        if (has_failed) {
            open_ok(&b, disk);
        }
        logbook_check(&b, b.next);
        logbook_close_ok(&b);
        logbook_deinit(&b);
        memdisk_destroy(disk);
    }
}

/* The promise itself, in its simplest form, on a real file system. */
static void test_what_was_written_is_there_after_reopening(void **state)
{
    (void)state;
    tmpdir dir;
    tmpdir_create(&dir);
    logbook b;
    logbook_init(&b, 1);
    for (int round = 0; round < 12; round++) {
        logbook_open_ok(&b, &stet__embedded_driver, dir.path, stet__os_posix());
        logbook_check(&b, b.next);
        for (int i = 0; i < 20; i++) {
            logbook_write_ok(&b, 5);
        }
        logbook_check(&b, b.next);
        logbook_close_ok(&b);
    }
    logbook_deinit(&b);
    tmpdir_remove(&dir);
}

/* A typing error in a path must not leave folders behind. */
static void test_only_the_default_mode_creates(void **state)
{
    (void)state;
    tmpdir dir;
    tmpdir_create(&dir);
    char path[600];
    (void)snprintf(path, sizeof path, "%s/absent", dir.path);
    stet_os *os = stet__os_posix();
    stet_open_mode modes[] = {STET_OPEN_EXISTING, STET_OPEN_READONLY};
    for (size_t i = 0; i < 2; i++) {
        logbook b;
        logbook_init(&b, 1);
        b.opts.mode = modes[i];
        assert_int_equal(
            logbook_open(&b, &stet__embedded_driver, path, os, NULL),
            STET_E_NOT_FOUND);
        assert_int_equal(
            logbook_open(&b, &stet__embedded_driver, dir.path, os, NULL),
            STET_E_NOT_FOUND);
        assert_int_equal(os->dir_open(os, path, false), -ENOENT);
        logbook_deinit(&b);
    }
    tmpdir_remove(&dir);
}

/* Somebody else's folder stays as it is, without so much as a lock file. */
static void test_a_folder_of_other_files_is_refused_and_untouched(void **state)
{
    (void)state;
    static const char *const others[] = {
        "thesis.txt", "a",     "12.txt", "4294967296.seg",
        "01.seg",     "tmp-x", ".set"};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        memdisk *disk = memdisk_create(1);
        put_file(disk, others[i], "x", 1);
        stet_error err = {0};
        char text[100];
        (void)snprintf(text, sizeof text, "d is not a stet store (it holds %s)",
                       others[i]);
        assert_int_equal(try_open(disk, STET_OPEN_DEFAULT, &err),
                         STET_E_EXISTS);
        assert_string_equal(err.text, text);
        assert_int_equal(count_files(disk), 1);
        memdisk_destroy(disk);
    }
}

/* Nor is a file taken for a folder. */
static void test_a_file_is_no_store(void **state)
{
    (void)state;
    tmpdir dir;
    tmpdir_create(&dir);
    stet_os *os = stet__os_posix();
    int folder = os->dir_open(os, dir.path, false);
    int fd = os->open(os, folder, "file", STET_OPEN_WRITE | STET_OPEN_CREATE);
    assert_true(fd >= 0);
    assert_int_equal(os->close(os, fd), 0);
    assert_int_equal(os->close(os, folder), 0);
    char path[600];
    (void)snprintf(path, sizeof path, "%s/file", dir.path);
    logbook b;
    logbook_init(&b, 1);
    assert_int_equal(logbook_open(&b, &stet__embedded_driver, path, os, NULL),
                     STET_E_EXISTS);
    assert_int_equal(logbook_open(&b, &stet__embedded_driver, "", os, NULL),
                     STET_E_INVALID);
    logbook_deinit(&b);
    tmpdir_remove(&dir);
}

/* A store without `super` has lost it; it is not a new store. */
static void test_segments_without_super_are_damage(void **state)
{
    (void)state;
    memdisk *disk = memdisk_create(1);
    logbook b;
    logbook_init(&b, 1);
    open_ok(&b, disk);
    logbook_write_ok(&b, 3);
    logbook_close_ok(&b);
    memdisk_remove(disk, "super");
    stet_open_mode modes[] = {STET_OPEN_DEFAULT, STET_OPEN_EXISTING,
                              STET_OPEN_READONLY};
    for (size_t i = 0; i < 3; i++) {
        stet_error err = {0};
        assert_int_equal(try_open(disk, modes[i], &err), STET_E_CORRUPT);
        assert_non_null(strstr(err.text, "super at offset 0"));
    }
    logbook_deinit(&b);
    memdisk_destroy(disk);
}

/* What a newer version wrote is not damage, and not to be guessed at. */
static void test_a_newer_format_is_told_apart_from_damage(void **state)
{
    (void)state;
    memdisk *disk = memdisk_create(1);
    logbook b;
    logbook_init(&b, 1);
    open_ok(&b, disk);
    logbook_write_ok(&b, 3);
    logbook_close_ok(&b);
    size_t len = 0;
    memdisk *copy = memdisk_copy(disk);
    uint8_t *bytes = memdisk_bytes(copy, "super", &len);
    stet_super slots[2];
    assert_int_equal(stet__super_get(bytes, &slots[0], NULL), STET_OK);
    assert_int_equal(stet__super_get(bytes + STET_W, &slots[1], NULL), STET_OK);
    unsigned newer = slots[1].generation > slots[0].generation;
    char segment[32];
    (void)snprintf(segment, sizeof segment, "%u.seg", slots[newer].live);
    slots[1].format = STET_FORMAT + 1;
    stet__super_put(&slots[1], bytes + STET_W);
    stet_error err = {0};
    assert_int_equal(try_open(copy, STET_OPEN_DEFAULT, &err), STET_E_FORMAT);
    assert_non_null(strstr(err.text, "super at offset 4096"));
    memdisk_destroy(copy);

    bytes = memdisk_bytes(disk, segment, &len);
    stet_segment_header h;
    assert_int_equal(stet__segment_header_get(bytes, &h, NULL), STET_OK);
    h.format = STET_FORMAT + 1;
    stet__segment_header_put(&h, bytes);
    assert_int_equal(try_open(disk, STET_OPEN_READONLY, &err), STET_E_FORMAT);
    assert_non_null(strstr(err.text, ".seg at offset 0"));
    logbook_deinit(&b);
    memdisk_destroy(disk);
}

/* Two writers would tear each other's frames. */
static void test_a_second_writer_is_told_who_the_first_is(void **state)
{
    (void)state;
    memdisk *disk = memdisk_create(1);
    logbook b;
    logbook_init(&b, 1);
    open_ok(&b, disk);
    stet_error err = {0};
    assert_int_equal(try_open(disk, STET_OPEN_DEFAULT, &err), STET_E_LOCKED);
    assert_string_equal(err.text, "d is open for writing in process 4711");
    memdisk_cut(disk, "LOCK", 0); /* before he wrote who he is */
    assert_int_equal(try_open(disk, STET_OPEN_DEFAULT, &err), STET_E_LOCKED);
    assert_string_equal(err.text, "d is open for writing in another process");
    logbook_close_ok(&b);
    assert_int_equal(try_open(disk, STET_OPEN_DEFAULT, &err), STET_OK);
    logbook_deinit(&b);
    memdisk_destroy(disk);
}

/* Bytes of all files but LOCK, in one sum: was anything written? */
static uint64_t sum_of_files(memdisk *disk)
{
    const char *names[NAMES_MAX];
    size_t count = memdisk_names(disk, names, NAMES_MAX);
    uint64_t sum = count;
    for (size_t i = 0; i < count; i++) {
        size_t len = 0;
        const uint8_t *bytes = memdisk_bytes(disk, names[i], &len);
        for (size_t at = 0; at < len && strcmp(names[i], "LOCK") != 0; at++) {
            sum = sum * 31 + bytes[at];
        }
    }
    return sum;
}

/* An inspection must not wear the disk, nor need one that can be written. */
static void test_opening_after_a_clean_stop_writes_nothing(void **state)
{
    (void)state;
    memdisk *disk = memdisk_create(1);
    logbook b;
    logbook_init(&b, 1);
    open_ok(&b, disk);
    for (int i = 0; i < 40; i++) {
        logbook_write_ok(&b, 5);
    }
    logbook_close_ok(&b);
    uint64_t before = sum_of_files(disk);
    for (int i = 0; i < 3; i++) {
        open_ok(&b, disk);
        logbook_check(&b, b.next);
        assert_int_equal(logbook_steps(&b, NULL), STET_OK);
        logbook_close_ok(&b);
        assert_int_equal(sum_of_files(disk), before);
    }
    logbook_deinit(&b);
    memdisk_destroy(disk);
}

/* Prewritten space is lent: a closed store takes what its content needs. */
static void test_a_clean_close_leaves_one_small_spare(void **state)
{
    (void)state;
    memdisk *disk = memdisk_create(1);
    logbook b;
    logbook_init(&b, 1);
    b.opts.segment_bytes = 4 * 1024 * 1024;
    b.body_max = 60000;
    open_ok(&b, disk);
    for (int i = 0; i < 200; i++) {
        logbook_write_ok(&b, 3);
        assert_int_equal(logbook_steps(&b, NULL), STET_OK);
    }
    logbook_close_ok(&b);
    const char *names[NAMES_MAX];
    size_t count = memdisk_names(disk, names, NAMES_MAX);
    size_t spares = 0;
    for (size_t i = 0; i < count; i++) {
        size_t len = 0;
        const uint8_t *bytes = memdisk_bytes(disk, names[i], &len);
        stet_segment_header h;
        bool is_spare = strstr(names[i], ".seg") != NULL &&
                        stet__segment_header_get(bytes, &h, NULL) != STET_OK;
        spares += is_spare;
        assert_true(!is_spare || len <= 1024 * 1024);
    }
    assert_int_equal(spares, 1);
    open_ok(&b, disk);
    logbook_check_records(&b, b.next);
    logbook_close_ok(&b);
    logbook_deinit(&b);
    memdisk_destroy(disk);
}

/* A shell loop of one-write commands must not slow its own next command. */
static void test_many_one_write_runs_leave_few_files(void **state)
{
    (void)state;
    memdisk *disk = memdisk_create(1);
    logbook b;
    logbook_init(&b, 1);
    b.opts.segment_bytes = 1024 * 1024;
    b.body_max = 50;
    for (int run = 0; run < 200; run++) {
        open_ok(&b, disk);
        logbook_write_ok(&b, 1);
        if (run % 10 == 9) {
            /* Killed now and then. */
            assert_int_equal(logbook_close(&b, false, NULL), STET_OK);
            memdisk_crash(disk, run % 20 == 9);
        } else {
            logbook_close_ok(&b);
        }
    }
    /* 4 KiB each: three or four segments of 256 KiB; super, LOCK, a spare. */
    assert_in_range(count_files(disk), 5, 10);
    open_ok(&b, disk);
    logbook_check(&b, b.next);
    logbook_close_ok(&b);
    logbook_deinit(&b);
    memdisk_destroy(disk);
}

/* Both may be at work at once; the reader sees what is known durable. */
static void test_a_reader_beside_a_writer_sees_a_prefix(void **state)
{
    (void)state;
    memdisk *disk = memdisk_create(1);
    logbook b;
    logbook_init(&b, 1);
    open_ok(&b, disk);
    for (int i = 0; i < 60; i++) {
        uint64_t before = b.next;
        logbook_write_ok(&b, 4);
        if (i % 3 == 0) {
            assert_int_equal(logbook_steps(&b, NULL), STET_OK);
        }
        logbook reader = b; /* shares the events, opens for itself */
        reader.opts.mode = STET_OPEN_READONLY;
        unsigned changes = memdisk_changes(disk);
        open_ok(&reader, disk);
        assert_true(reader.start.is_readonly);
        /* All but the last frame: the next one would say that it is durable. */
        assert_in_range(reader.start.next_position, before, b.next);
        logbook_check(&reader, reader.start.next_position);
        stet_frame frame;
        assert_int_equal(
            reader.log->ops->frame_open(reader.log, 10, b.next, &frame, NULL),
            STET_E_READONLY);
        logbook_close_ok(&reader);
        assert_int_equal(memdisk_changes(disk), changes);
    }
    logbook_close_ok(&b);
    logbook_deinit(&b);
    memdisk_destroy(disk);
}

/* A folder in which a creation failed is still as good as new. */
static void test_a_creation_that_fails_is_begun_again(void **state)
{
    (void)state;
    static const int errnos[] = {EIO, ENOSPC};
    for (unsigned call = 0; call < MEMDISK_CALLS; call++) {
        bool has_failed = true;
        for (unsigned nth = 1; has_failed; nth++) {
            memdisk *disk = memdisk_create(nth);
            logbook b;
            stet_error err = {0};
            logbook_init(&b, nth);
            memdisk_fail_at(disk, (memdisk_call)call, nth, errnos[nth % 2]);
            stet_status st = logbook_open(&b, &stet__embedded_driver, "d",
                                          memdisk_os(disk), &err);
            has_failed = memdisk_has_failed(disk);
            if (st == STET_OK) {
                (void)logbook_close(&b, false, NULL); /* may be poisoned */
            } else {
                assert_true(has_failed && err.text[0] != '\0');
            }
            memdisk_crash(disk, nth % 2 == 0);
            open_ok(&b, disk);
            logbook_write_ok(&b, 3);
            logbook_check(&b, b.next);
            logbook_close_ok(&b);
            logbook_deinit(&b);
            memdisk_destroy(disk);
        }
    }
}

/* What names no folder, or one that the system would cut. */
static void test_paths_that_cannot_be_are_refused(void **state)
{
    (void)state;
    static char endless[STET_OS_PATH_MAX + 1];
    memset(endless, 'x', sizeof endless - 1);
    const char *const paths[] = {"", endless};
    memdisk *disk = memdisk_create(1);
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        logbook b;
        logbook_init(&b, 1);
        assert_int_equal(logbook_open(&b, &stet__embedded_driver, paths[i],
                                      memdisk_os(disk), NULL),
                         STET_E_INVALID);
        logbook_deinit(&b);
    }
    memdisk_destroy(disk);
}

/* R10: a full disk opens, reads, refuses, and goes on when there is space. */
static void test_a_full_disk_opens_and_resumes(void **state)
{
    (void)state;
    for (unsigned killed = 0; killed < 2; killed++) {
        memdisk *disk = memdisk_create(1);
        logbook b;
        logbook_init(&b, 3);
        open_ok(&b, disk);
        for (int i = 0; i < 50; i++) {
            logbook_write_ok(&b, 4);
        }
        assert_int_equal(logbook_close(&b, killed == 0, NULL), STET_OK);
        memdisk_crash(disk, true);
        memdisk_set_space(disk, 0);
        open_ok(&b, disk);
        assert_false(b.start.is_readonly);
        logbook_check(&b, b.next);
        stet_error err = {0};
        uint64_t next = b.next;
        assert_int_equal(logbook_write(&b, 4, &err), STET_E_NOSPACE);
        assert_int_equal(b.next, next);
        assert_non_null(strstr(err.text, ".seg"));
        memdisk_set_space(disk, UINT64_MAX);
        logbook_write_ok(&b, 4);
        logbook_check(&b, b.next);
        logbook_close_ok(&b);
        logbook_deinit(&b);
        memdisk_destroy(disk);
    }
}

/* Turns, seals, a mark, a large batch: most of what there is. */
static stet_status run_session(logbook *b, memdisk *disk, stet_error *err)
{
    stet_status st =
        logbook_open(b, &stet__embedded_driver, "d", memdisk_os(disk), err);
    if (st != STET_OK) {
        return st;
    }
    for (int i = 0; i < 8 && st == STET_OK; i++) {
        st = logbook_write_many(b, 3, err);
        if (st == STET_OK && i == 5) {
            st = logbook_write_one(b, "large", 40000, err);
        }
        if (st == STET_OK && i % 2 == 1) {
            memdisk_advance(disk, SECOND);
            st = logbook_steps(b, err);
        }
    }
    stet_status closed =
        logbook_close(b, st == STET_OK, st == STET_OK ? err : NULL);
    return st == STET_OK ? closed : st;
}

static void begin_session(logbook *b, memdisk **disk, uint64_t seed)
{
    *disk = memdisk_create(seed);
    logbook_init(b, seed);
    b->opts.segment_bytes = 5 * 4096;
    b->body_max = 1500;
    assert_int_equal(run_session(b, *disk, NULL), STET_OK);
}

/* Have the power cut in the midst of a write: the next open recovers. */
static void leave_torn(logbook *b, memdisk *disk)
{
    open_ok(b, disk);
    logbook_write_ok(b, 3);
    memdisk_die_at(disk, 1);
    (void)logbook_write_many(b, 3, NULL); /* the disk dies in it */
    (void)logbook_close(b, false, NULL);
    memdisk_crash(disk, true);
}

/* After whatever went wrong the next open needs no help, and goes on. */
static void check_after(logbook *b, memdisk *disk)
{
    memdisk_set_space(disk, UINT64_MAX);
    open_ok(b, disk);
    logbook_check_records(b, b->next);
    logbook_write_ok(b, 2);
    logbook_check_records(b, b->next);
    logbook_close_ok(b);
    logbook_deinit(b);
    memdisk_destroy(disk);
}

/* Fault 1 and 2, exhaustively over one session: also while opening, closing. */
static void test_death_at_each_change_loses_nothing(void **state)
{
    (void)state;
    for (unsigned mode = 0; mode < 4; mode++) {
        bool is_power = mode % 2 == 1;
        bool is_dead = true;
        for (unsigned nth = 1; is_dead; nth += rounds_stride()) {
            logbook b;
            memdisk *disk = NULL;
            begin_session(&b, &disk, 5);
            memdisk_set_features(disk, mode < 2, mode < 2);
            memdisk_die_at(disk, nth);
            (void)run_session(&b, disk, NULL); /* the disk may die in it */
            is_dead = memdisk_is_dead(disk);
            memdisk_crash(disk, is_power);
            check_after(&b, disk);
        }
    }
}

/* A session whose nth call of a kind fails; false: there were fewer. */
static bool fail_nth(memdisk_call call, unsigned nth, int os_errno,
                     bool is_torn)
{
    logbook b;
    memdisk *disk = NULL;
    stet_error err = {0};
    begin_session(&b, &disk, 6);
    if (is_torn) {
        leave_torn(&b, disk);
    }
    memdisk_fail_at(disk, call, nth, os_errno);
    stet_status st = run_session(&b, disk, &err);
    bool has_failed = memdisk_has_failed(disk);
    assert_true(st == STET_OK || err.text[0] != '\0');
    assert_true(st != STET_E_CORRUPT && st != STET_E_NOT_FOUND);
    memdisk_crash(disk, nth % 2 == 0);
    check_after(&b, disk);
    return has_failed;
}

/* Faults 3 to 6: each call of each kind fails once, in four ways. */
static void test_each_failed_call_is_answered_and_loses_nothing(void **state)
{
    (void)state;
    static const int errnos[] = {EIO, ENOSPC, EMFILE, EROFS};
    for (unsigned call = 0; call < MEMDISK_CALLS; call++) {
        for (size_t i = 0; i < sizeof errnos / sizeof errnos[0]; i++) {
            unsigned nth = 1;
            while (fail_nth((memdisk_call)call, nth, errnos[i], i % 2 == 1)) {
                nth += rounds_stride();
            }
        }
    }
}

/* Fault 5: the disk fills at every point of a session. */
static void test_a_disk_that_fills_anywhere_loses_nothing(void **state)
{
    (void)state;
    for (uint64_t space = 0; space < 600000; space += 4096 * rounds_stride()) {
        logbook b;
        memdisk *disk = NULL;
        stet_error err = {0};
        begin_session(&b, &disk, 7);
        memdisk_set_space(disk, space);
        stet_status st = run_session(&b, disk, &err);
        assert_true(st == STET_OK || st == STET_E_NOSPACE);
        memdisk_crash(disk, space % 8192 == 0);
        check_after(&b, disk);
    }
}

/* Fault 7: without memory a call fails, and nothing else does. */
static void test_each_failed_allocation_is_answered(void **state)
{
    (void)state;
    bool is_hit = true;
    for (size_t nth = 1; is_hit; nth += rounds_stride() + nth / 40) {
        logbook b;
        memdisk *disk = NULL;
        begin_session(&b, &disk, 8);
        failalloc f;
        failalloc_init(&f, nth);
        b.opts.allocator = failalloc_allocator(&f);
        stet_status st = run_session(&b, disk, NULL);
        assert_true(st == STET_OK || st == STET_E_NOMEM);
        failalloc_assert_clean(&f);
        is_hit = f.is_hit;
        b.opts.allocator = (stet_allocator){0};
        memdisk_crash(disk, false);
        check_after(&b, disk);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_was_written_is_there_after_reopening),
        cmocka_unit_test(test_no_open_goes_on_without_a_file_it_wants),
        cmocka_unit_test(test_only_the_default_mode_creates),
        cmocka_unit_test(test_a_folder_of_other_files_is_refused_and_untouched),
        cmocka_unit_test(test_a_file_is_no_store),
        cmocka_unit_test(test_segments_without_super_are_damage),
        cmocka_unit_test(test_a_newer_format_is_told_apart_from_damage),
        cmocka_unit_test(test_a_second_writer_is_told_who_the_first_is),
        cmocka_unit_test(test_opening_after_a_clean_stop_writes_nothing),
        cmocka_unit_test(test_a_clean_close_leaves_one_small_spare),
        cmocka_unit_test(test_many_one_write_runs_leave_few_files),
        cmocka_unit_test(test_a_reader_beside_a_writer_sees_a_prefix),
        cmocka_unit_test(test_a_creation_that_fails_is_begun_again),
        cmocka_unit_test(test_paths_that_cannot_be_are_refused),
        cmocka_unit_test(test_a_full_disk_opens_and_resumes),
        cmocka_unit_test(test_death_at_each_change_loses_nothing),
        cmocka_unit_test(test_each_failed_call_is_answered_and_loses_nothing),
        cmocka_unit_test(test_a_disk_that_fills_anywhere_loses_nothing),
        cmocka_unit_test(test_each_failed_allocation_is_answered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
