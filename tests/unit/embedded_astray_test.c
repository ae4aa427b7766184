/*
 * Files that are not what their names say, or say that they are what nobody
 * names: an open tells damage from what is left of an attempt, and goes on
 * where nothing is missing.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/frame.h"
#include "core/index.h"
#include "lib/failalloc.h"
#include "lib/questions.h"
#include "lib/settler.h"
#include "stores/embedded/embedded.h"

enum { STRAY = 900, STRAY_BYTES = 4 * STET_W };

static const char stray_name[] = "900.seg";

static stet_status open_store(logbook *b, memdisk *disk, stet_error *err)
{
    return logbook_open(b, &stet__embedded_driver, "d", memdisk_os(disk), err);
}

/* All that is there must be right, and another open must find it so. */
static void check_whole(logbook *b, memdisk *disk)
{
    for (int i = 0; i < 2; i++) {
        settler_open_ok(b, disk);
        logbook_check_records(b, b->next);
        settler_verify_ok(b);
        logbook_close_ok(b);
    }
}

static void check_damaged(logbook *b, memdisk *disk, const char *file)
{
    stet_error err = {0};
    assert_int_equal(open_store(b, disk, &err), STET_E_CORRUPT);
    assert_non_null(strstr(err.text, file));
}

static void put_file(memdisk *disk, const char *name, const uint8_t *bytes,
                     size_t len)
{
    stet_os *os = memdisk_os(disk);
    int dir = os->dir_open(os, "d", false);
    int fd = os->open(os, dir, name, STET_OPEN_WRITE | STET_OPEN_CREATE);
    assert_true(fd >= 0);
    assert_int_equal(os->pwrite(os, fd, bytes, len, 0), 0);
    assert_int_equal(os->close(os, fd), 0);
    assert_int_equal(os->close(os, dir), 0);
}

/* The first file whose name ends so, and that has an index. */
static const char *find_file(memdisk *disk, const char *suffix,
                             stet_trailer *out)
{
    const char *names[100];
    size_t count = memdisk_names(disk, names, 100);
    for (size_t i = 0; i < count; i++) {
        size_t len = 0;
        const uint8_t *bytes = memdisk_bytes(disk, names[i], &len);
        if (strstr(names[i], suffix) != NULL && len > STET_W &&
            stet__trailer_get(bytes + len - STET_W, out, NULL) == STET_OK) {
            return names[i];
        }
    }
    fail();
    return NULL;
}

static void remove_files(memdisk *disk, const char *suffix)
{
    const char *names[100];
    size_t count = memdisk_names(disk, names, 100);
    for (size_t i = 0; i < count; i++) {
        if (strstr(names[i], suffix) != NULL) {
            memdisk_remove(disk, names[i]);
        }
    }
}

/* A store never becomes an empty one, whichever of its files are gone. */
static void test_a_store_without_its_files_is_damaged(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        logbook b;
        memdisk *disk = NULL;
        questions_begin(&b, &disk, true);
        settler_open_ok(&b, disk);
        if (i == 0) { /* `super` names no file that holds events */
            assert_int_equal(settler_settle_all(&b, NULL), STET_OK);
        }
        logbook_close_ok(&b);
        memdisk *first = memdisk_copy(disk);
        remove_files(disk, ".set");
        if (i == 1) {
            remove_files(disk, ".seg");
        }
        check_damaged(&b, disk, i == 0 ? "" : "super names it");
        check_whole(&b, first);
        logbook_deinit(&b);
        memdisk_destroy(first);
        memdisk_destroy(disk);
    }
}

/* What a file is stands in it: a set is no segment, nor a segment a set. */
static void test_a_file_of_another_kind_is_not_believed(void **state)
{
    (void)state;
    static const char *const suffixes[] = {".seg", ".set"};
    for (size_t i = 0; i < 2; i++) {
        logbook b;
        memdisk *disk = NULL;
        stet_trailer t;
        size_t len = 0;
        char name[STET_OS_NAME_MAX];
        questions_begin(&b, &disk, true);
        memdisk *first = memdisk_copy(disk);
        const char *old = find_file(disk, suffixes[i], &t);
        const uint8_t *bytes = memdisk_bytes(disk, old, &len);
        (void)snprintf(name, sizeof name, "%u%s", t.file, suffixes[1 - i]);
        put_file(disk, name, bytes, len);
        memdisk_remove(disk, old);
        check_damaged(&b, disk, " at offset ");
        check_whole(&b, first);
        logbook_deinit(&b);
        memdisk_destroy(first);
        memdisk_destroy(disk);
    }
}

/* Only a segment whose events were known has an index: its header was lost. */
static void test_an_index_without_a_header_is_a_lost_segment(void **state)
{
    (void)state;
    logbook b;
    memdisk *disk = NULL;
    stet_trailer t;
    size_t len = 0;
    static uint8_t copy[1 << 20];
    questions_begin(&b, &disk, true);
    memdisk *first = memdisk_copy(disk);
    const char *name = find_file(disk, ".seg", &t);
    const uint8_t *bytes = memdisk_bytes(disk, name, &len);
    assert_true(len <= sizeof copy);
    memcpy(copy, bytes, len);
    memset(copy, 0, STET_W);
    t.file = STRAY;
    stet__trailer_put(&t, copy + len - STET_W);
    put_file(disk, stray_name, copy, len);
    check_damaged(&b, disk, stray_name);
    t.uuid[0] ^= 1; /* of another store it tells nothing */
    stet__trailer_put(&t, copy + len - STET_W);
    put_file(disk, stray_name, copy, len);
    check_whole(&b, disk);
    check_whole(&b, first);
    logbook_deinit(&b);
    memdisk_destroy(first);
    memdisk_destroy(disk);
}

/* A frame in a file without a header, which says that others are durable. */
static void put_stray_frame(memdisk *disk, bool is_sound)
{
    static uint8_t stray[STRAY_BYTES];
    stet_trailer t;
    size_t len = 0;
    stet_frame_header h;
    const char *name = find_file(disk, ".seg", &t);
    const uint8_t *frame = memdisk_bytes(disk, name, &len) + STET_W;
    assert_true(stet__frame_is_sound(frame, len - STET_W, &h));
    assert_true(h.length <= STRAY_BYTES - STET_W);
    memset(stray, 0, sizeof stray);
    memcpy(stray + STET_W, frame, h.length);
    size_t used = h.length;
    while (frame[used - 1] == 0) {
        used--;
    }
    h.file = STRAY;
    h.durable = h.segment_first + 1;
    stet__frame_seal(stray + STET_W, used, &h);
    stray[STET_W + STET_FRAME_HEADER_BYTES + 9] ^= is_sound ? 0 : 1;
    put_file(disk, stray_name, stray, sizeof stray);
}

/*
 * A torn frame was never acknowledged: its file is a spare again. A sound one
 * was; nor is that forgotten where there is no memory to look at it.
 */
static void test_only_a_sound_frame_tells_of_a_lost_header(void **state)
{
    (void)state;
    logbook b;
    memdisk *first = NULL;
    questions_begin(&b, &first, true);
    memdisk *torn = memdisk_copy(first);
    put_stray_frame(torn, false);
    check_whole(&b, torn);
    memdisk *sound = memdisk_copy(first);
    put_stray_frame(sound, true);
    check_damaged(&b, sound, stray_name);
    bool is_hit = true;
    for (size_t nth = 1; is_hit; nth++) {
        failalloc f;
        failalloc_init(&f, nth);
        b.opts.allocator = failalloc_allocator(&f);
        stet_status st = open_store(&b, sound, NULL);
        is_hit = f.is_hit;
        assert_int_equal(st, is_hit ? STET_E_NOMEM : STET_E_CORRUPT);
        failalloc_assert_clean(&f);
    }
    b.opts.allocator = (stet_allocator){0};
    check_whole(&b, first);
    logbook_deinit(&b);
    memdisk_destroy(sound);
    memdisk_destroy(torn);
    memdisk_destroy(first);
}

/* A recovery that ended before it was named did not happen. */
static void test_a_recovery_that_nobody_names_is_a_spare(void **state)
{
    (void)state;
    static uint8_t stray[STRAY_BYTES];
    logbook b;
    memdisk *disk = NULL;
    stet_trailer t;
    size_t len = 0;
    stet_segment_header h;
    questions_begin(&b, &disk, true);
    const char *name = find_file(disk, ".seg", &t);
    assert_int_equal(
        stet__segment_header_get(memdisk_bytes(disk, name, &len), &h, NULL),
        STET_OK);
    h.predecessor = h.file;
    h.predecessor_end = t.end_offset;
    h.first_position = t.end_position;
    h.file = STRAY;
    h.flags = STET_SEGMENT_RECOVERY;
    h.capacity = STRAY_BYTES;
    memset(stray, 0, sizeof stray);
    stet__segment_header_put(&h, stray);
    put_file(disk, stray_name, stray, sizeof stray);
    check_whole(&b, disk);
    logbook_deinit(&b);
    memdisk_destroy(disk);
}

/* A reader that finds a file being recycled looks again. */
static void test_a_file_that_is_being_recycled_stops_no_reader(void **state)
{
    (void)state;
    logbook b;
    memdisk *disk = NULL;
    questions_begin(&b, &disk, true);
    b.opts.mode = STET_OPEN_READONLY;
    bool has_failed = true;
    for (unsigned nth = 1; has_failed; nth++) {
        memdisk_fail_at(disk, MEMDISK_LOCK, nth, EWOULDBLOCK);
        settler_open_ok(&b, disk);
        has_failed = memdisk_has_failed(disk);
        logbook_check_records(&b, b.next);
        assert_int_equal(logbook_close(&b, false, NULL), STET_OK);
    }
    memdisk_fail_at(disk, MEMDISK_LOCK, 0, 0);
    b.opts.mode = STET_OPEN_EXISTING;
    check_whole(&b, disk);
    logbook_deinit(&b);
    memdisk_destroy(disk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_store_without_its_files_is_damaged),
        cmocka_unit_test(test_a_file_of_another_kind_is_not_believed),
        cmocka_unit_test(test_an_index_without_a_header_is_a_lost_segment),
        cmocka_unit_test(test_only_a_sound_frame_tells_of_a_lost_header),
        cmocka_unit_test(test_a_recovery_that_nobody_names_is_a_spare),
        cmocka_unit_test(test_a_file_that_is_being_recycled_stops_no_reader),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
