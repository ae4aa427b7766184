#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/checksum.h"
#include "core/frame.h"
#include "core/record.h"
#include "lib/logbook.h"
#include "lib/memdisk.h"
#include "lib/tmpdir.h"
#include "stores/embedded/embedded.h"

enum { NAMES_MAX = 256 };

static void open_ok(logbook *b, memdisk *disk)
{
    logbook_open_ok(b, &stet__embedded_driver, "d", memdisk_os(disk));
}

static void begin(logbook *b, memdisk **disk, uint64_t seed)
{
    *disk = memdisk_create(seed);
    logbook_init(b, seed);
    open_ok(b, *disk);
}

static void end(logbook *b, memdisk *disk)
{
    logbook_close_ok(b);
    logbook_deinit(b);
    memdisk_destroy(disk);
}

/*
 * Close a store whose last frame is a large one, where there is no space for an
 * index, and die at the nth change.
 */
static bool die_in_close(logbook *b, memdisk *disk, unsigned nth)
{
    open_ok(b, disk);
    logbook_write_ok(b, 5);
    assert_int_equal(logbook_write_one(b, "large", 60000, NULL), STET_OK);
    memdisk_set_space(disk, memdisk_used(disk));
    memdisk_fail_at(disk, MEMDISK_WRITE, 3, ENOSPC); /* after that of 1.seg */
    memdisk_die_at(disk, nth);
    (void)logbook_close(b, true, NULL); /* as far as it comes */
    bool is_dead = memdisk_is_dead(disk);
    memdisk_crash(disk, true);
    memdisk_set_space(disk, memdisk_used(disk)); /* others took what was cut */
    return is_dead;
}

/* (L1) to the end: a close that is cut short needs no space to be mended. */
static void test_a_close_gives_the_reserve_back_when_it_is_clean(void **state)
{
    (void)state;
    bool is_dead = true;
    for (unsigned nth = 1; is_dead; nth++) {
        logbook b;
        memdisk *disk = memdisk_create(nth);
        logbook_init(&b, nth);
        b.opts.segment_bytes = 5 * STET_W;
        is_dead = die_in_close(&b, disk, nth);
        open_ok(&b, disk);
        assert_false(b.start.is_readonly);
        end(&b, disk);
    }
}

/* Somebody who wants room whenever the worker is at the disk. */
typedef struct asker {
    logbook *b;
    bool is_over; /* the source of the copy goes: it was named */
    unsigned asked;
    unsigned lent;
} asker;

static int ask_for_room(void *ctx, memdisk_call call)
{
    asker *a = ctx;
    stet_frame frame;
    a->is_over = a->is_over || call == MEMDISK_UNLINK;
    if (!a->is_over && (call == MEMDISK_WRITE || call == MEMDISK_SYNC)) {
        a->asked++;
        a->lent += a->b->log->ops->frame_open(a->b->log, 100, a->b->next,
                                              &frame, NULL) == STET_OK;
    }
    return 0;
}

/* A frame in a copy that no slot names would be lost with it. */
static void
test_nothing_is_written_to_a_copy_before_super_names_it(void **state)
{
    (void)state;
    logbook b;
    memdisk *disk = NULL;
    begin(&b, &disk, 3);
    logbook_write_ok(&b, 5);
    logbook_close_ok(&b);
    open_ok(&b, disk);
    asker a = {.b = &b};
    memdisk_set_faults(disk, ask_for_room, &a);
    assert_int_equal(b.log->ops->make_room(b.log, 100, NULL), STET_OK);
    memdisk_set_faults(disk, NULL, NULL);
    assert_true(a.asked > 4);
    assert_int_equal(a.lent, 0);
    logbook_write_ok(&b, 5);
    end(&b, disk);
}

/* Change a byte of a file on the media, too. */
static void spoil(memdisk *disk, const char *name, uint64_t at)
{
    static const uint8_t junk = 0xa5;
    stet_os *os = memdisk_os(disk);
    int dir = os->dir_open(os, "d", false);
    int fd = os->open(os, dir, name, STET_OPEN_WRITE);
    assert_true(fd >= 0);
    assert_int_equal(os->pwrite(os, fd, &junk, 1, at), 0);
    assert_int_equal(os->sync(os, fd), 0);
    assert_int_equal(os->close(os, fd), 0);
}

/* The file that the newest event lies in. */
static void name_of_newest(const logbook *b, char name[32])
{
    stet_logged got;
    stet_log_reader *r = b->log->ops->reader_create(b->log);
    assert_int_equal(b->log->ops->reader_read(r, b->next - 1, &got, NULL),
                     STET_OK);
    (void)snprintf(name, 32, "%u.seg", got.file);
    b->log->ops->reader_destroy(r);
}

/* The disk is dead: what was not synced may be gone. */
static void crash(logbook *b, memdisk *disk)
{
    (void)logbook_close(b, false, NULL); /* is dead */
    memdisk_crash(disk, true);
    logbook_power_cut(b);
}

/*
 * Write an event that begins a file, and have a power cut tear its header in
 * the padding, and perhaps its frame.
 */
static void tear_first_write(logbook *b, memdisk *disk, bool is_frame_torn)
{
    char name[32];
    logbook_write_ok(b, 1);
    name_of_newest(b, name);
    memdisk_die_at(disk, 1);
    crash(b, disk);
    spoil(disk, name, 3000);
    if (is_frame_torn) {
        spoil(disk, name, STET_W + 3000);
    }
}

/*
 * Zeros over a torn header and frame, torn too, may mend both: what was told to
 * be gone would be back. So it is in a store that was never closed, and in one
 * whose last clean end still is the end of what is there.
 */
static void test_a_spare_that_is_cleared_mends_no_torn_frame(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 1800; i++) {
        logbook b;
        memdisk *disk = memdisk_create(1 + i / 6);
        uint64_t before = i % 2 == 0 ? 0 : 5;
        logbook_init(&b, i);
        open_ok(&b, disk);
        if (before > 0) {
            logbook_write_ok(&b, 4);
            assert_int_equal(logbook_write_one(&b, "large", 300000, NULL),
                             STET_OK); /* a small segment would be copied */
            logbook_close_ok(&b);
        } else {
            crash(&b, disk);
        }
        b.opts.level = STET_LEVEL_OS; /* `super` goes on naming the other */
        open_ok(&b, disk);
        tear_first_write(&b, disk, i % 4 < 2);
        b.opts.level = STET_LEVEL_DISK;
        open_ok(&b, disk);
        assert_int_equal(b.start.next_position, before + 1);
        memdisk_die_at(disk, 1 + i % 3);
        bool is_lost = logbook_write(&b, 1, NULL) != STET_OK;
        crash(&b, disk);
        open_ok(&b, disk);
        assert_int_equal(b.start.next_position, before + 1 + !is_lost);
        end(&b, disk);
    }
}

static stet_super super_of(memdisk *disk)
{
    size_t len = 0;
    const uint8_t *bytes = memdisk_bytes(disk, "super", &len);
    stet_super s[2];
    assert_int_equal(len, 2 * STET_W);
    assert_int_equal(stet__super_get(bytes, &s[0], NULL), STET_OK);
    assert_int_equal(stet__super_get(bytes + STET_W, &s[1], NULL), STET_OK);
    return s[1].generation > s[0].generation ? s[1] : s[0];
}

static size_t bytes_of(memdisk *disk, uint32_t file)
{
    char name[32];
    size_t len = 0;
    (void)snprintf(name, sizeof name, "%u.seg", file);
    (void)memdisk_bytes(disk, name, &len);
    return len;
}

static stet_segment_header header_of(memdisk *disk, uint32_t file)
{
    char name[32];
    size_t len = 0;
    stet_segment_header h;
    (void)snprintf(name, sizeof name, "%u.seg", file);
    assert_int_equal(
        stet__segment_header_get(memdisk_bytes(disk, name, &len), &h, NULL),
        STET_OK);
    return h;
}

/* (L1): what recovery must copy has a place, whatever happens next. */
static void test_a_named_spare_as_large_stays_behind_the_live_file(void **state)
{
    (void)state;
    logbook b;
    memdisk *disk = NULL;
    begin(&b, &disk, 1);
    for (int i = 0; i < 200; i++) {
        uint64_t position = b.next;
        if (i % 37 == 5) {
            assert_int_equal(
                logbook_write_one(&b, "large",
                                  20000 + rng_below(&b.random, 150000), NULL),
                STET_OK);
        } else {
            logbook_write_ok(&b, 5);
        }
        if (i % 5 == 0) {
            assert_int_equal(logbook_steps(&b, NULL), STET_OK);
        }
        stet_log_reader *r = b.log->ops->reader_create(b.log);
        stet_logged got;
        assert_int_equal(b.log->ops->reader_read(r, position, &got, NULL),
                         STET_OK);
        b.log->ops->reader_destroy(r);
        uint64_t capacity = header_of(disk, got.file).capacity;
        stet_super s = super_of(disk);
        bool is_behind = false;
        for (size_t k = 0; k < 2; k++) {
            is_behind = is_behind || (s.spare[k] > got.file &&
                                      bytes_of(disk, s.spare[k]) >= capacity);
        }
        assert_true(is_behind);
    }
    end(&b, disk);
}

/*
 * Asked for room that is there now, a log that says it made some lends it: else
 * whoever asks goes on asking for ever.
 */
static bool is_lent_soon(logbook *b, size_t need)
{
    const stet_log_ops *ops = b->log->ops;
    stet_frame frame;
    for (int tries = 0; tries < 8; tries++) {
        stet_status st = ops->frame_open(b->log, need, b->next, &frame, NULL);
        if (st == STET_OK) {
            return true;
        }
        assert_int_equal(st, STET_E_BUSY);
        st = ops->make_room(b->log, need, NULL);
        if (st != STET_OK) {
            assert_int_equal(st, STET_E_NOSPACE);
            return false;
        }
    }
    fail_msg("no room for %zu bytes, however often it is made", need);
    return false;
}

/* Spares of all sizes, some made for others, some that a full disk unmade. */
static void test_room_that_was_made_is_lent(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        logbook b;
        memdisk *disk = memdisk_create(seed);
        logbook_init(&b, seed);
        b.opts.segment_bytes = 4 * STET_W;
        open_ok(&b, disk);
        for (int i = 0; i < 60; i++) {
            static const size_t bytes[] = {100, 5000, 14000, 18000, 26000};
            size_t need = bytes[rng_below(&b.random, 5)];
            bool is_short = rng_below(&b.random, 3) > 0;
            uint64_t left = rng_below(&b.random, 16) * STET_W;
            memdisk_set_space(disk, is_short ? memdisk_used(disk) + left
                                             : UINT64_MAX);
            if (rng_below(&b.random, 2) == 0) {
                /* Made for somebody who gave up, or was refused. */
                stet_status st = b.log->ops->make_room(b.log, need, NULL);
                assert_true(st == STET_OK || st == STET_E_NOSPACE);
            } else if (is_lent_soon(&b, need + 200)) {
                memdisk_set_space(disk, UINT64_MAX);
                assert_int_equal(logbook_write_one(&b, "m", need, NULL),
                                 STET_OK);
            }
        }
        memdisk_set_space(disk, UINT64_MAX);
        end(&b, disk);
    }
}

/* Segments begin small, for short runs, and grow to what the option says. */
static void test_segments_double_up_to_their_limit(void **state)
{
    (void)state;
    memdisk *disk = memdisk_create(2);
    logbook b;
    logbook_init(&b, 2);
    b.opts.segment_bytes = 4 * 1024 * 1024;
    b.body_max = 90000;
    open_ok(&b, disk);
    uint64_t capacities[8];
    size_t count = 0;
    uint32_t last = 0;
    while (count < 6) {
        uint64_t position = b.next;
        logbook_write_ok(&b, 3);
        assert_int_equal(logbook_steps(&b, NULL), STET_OK);
        stet_log_reader *r = b.log->ops->reader_create(b.log);
        stet_logged got;
        assert_int_equal(b.log->ops->reader_read(r, position, &got, NULL),
                         STET_OK);
        b.log->ops->reader_destroy(r);
        if (got.file != last) {
            capacities[count++] = header_of(disk, got.file).capacity;
            last = got.file;
        }
    }
    static const uint64_t mib[] = {1, 1, 2, 4, 4, 4};
    for (size_t i = 0; i < 6; i++) {
        assert_int_equal(capacities[i], mib[i] * 1024 * 1024);
    }
    end(&b, disk);
}

/* A frame that was opened and never filled leaves nothing behind. */
static void test_a_turn_without_a_frame_is_taken_back(void **state)
{
    (void)state;
    logbook b;
    memdisk *disk = NULL;
    begin(&b, &disk, 3);
    logbook_write_ok(&b, 3);
    logbook_close_ok(&b);
    for (int round = 0; round < 3; round++) {
        open_ok(&b, disk);
        stet_frame frame;
        const stet_log_ops *ops = b.log->ops;
        /* More than is left: the next one is a turn. */
        size_t need = round == 0 ? 100 : 40000;
        while (ops->frame_open(b.log, need, b.next, &frame, NULL) ==
               STET_E_BUSY) {
            assert_int_equal(ops->make_room(b.log, need, NULL), STET_OK);
        }
        assert_int_equal(frame.first_position, b.next);
        logbook_close_ok(&b);
    }
    open_ok(&b, disk);
    logbook_check(&b, b.next);
    logbook_write_ok(&b, 3);
    logbook_check(&b, b.next);
    end(&b, disk);
}

/* A full segment whose only frame is on its way: there is no room, yet. */
static void test_a_turn_waits_for_the_first_frame_before_it(void **state)
{
    (void)state;
    logbook b;
    memdisk *disk = NULL;
    begin(&b, &disk, 4);
    const stet_log_ops *ops = b.log->ops;
    stet_frame first;
    stet_frame second;
    size_t need = 60000;
    while (ops->frame_open(b.log, need, 1, &first, NULL) == STET_E_BUSY) {
        assert_int_equal(ops->make_room(b.log, need, NULL), STET_OK);
    }
    /* Any record will do: one of another book. */
    logbook other;
    memdisk *elsewhere = NULL;
    begin(&other, &elsewhere, 5);
    assert_int_equal(logbook_write_one(&other, "m", 59000, NULL), STET_OK);
    memcpy(first.records, other.events[0].bytes, other.events[0].len);
    first.recorded = 5;
    ops->frame_close(b.log, &first, other.events[0].len, 1);
    assert_int_equal(ops->frame_seal(b.log, &first, 1, NULL), STET_OK);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(ops->frame_open(b.log, need, 2, &second, NULL),
                         STET_E_BUSY);
        assert_int_equal(ops->make_room(b.log, need, NULL), STET_E_BUSY);
    }
    assert_int_equal(ops->frame_write(b.log, &first, NULL), STET_OK);
    ops->published(b.log, 2, 2);
    while (ops->frame_open(b.log, need, 2, &second, NULL) == STET_E_BUSY) {
        assert_int_equal(ops->make_room(b.log, need, NULL), STET_OK);
    }
    assert_true(second.is_turn);
    assert_true(second.file > first.file);
    end(&other, elsewhere);
    end(&b, disk);
}

/* The shortest records fill a segment's slots before its bytes. */
static void test_the_shortest_records_overflow_no_segment(void **state)
{
    (void)state;
    memdisk *disk = memdisk_create(6);
    logbook b;
    logbook_init(&b, 6);
    b.body_max = 1;
    b.machine_count = 2;
    open_ok(&b, disk);
    for (int i = 0; i < 12; i++) {
        logbook_write_ok(&b, 700);
        assert_int_equal(logbook_steps(&b, NULL), STET_OK);
    }
    logbook_check_records(&b, b.next);
    logbook_close_ok(&b);
    open_ok(&b, disk);
    logbook_check_records(&b, b.next);
    end(&b, disk);
}

/* Damage in a small closed segment is reported, and no reason not to write. */
static void test_a_damaged_small_segment_is_not_copied(void **state)
{
    (void)state;
    logbook b;
    memdisk *disk = NULL;
    begin(&b, &disk, 7);
    logbook_write_ok(&b, 3);
    logbook_write_ok(&b, 3);
    logbook_close_ok(&b);
    char name[32];
    size_t len = 0;
    (void)snprintf(name, sizeof name, "%u.seg", super_of(disk).live);
    memdisk_bytes(disk, name, &len)[STET_W + 100] ^= 1;
    open_ok(&b, disk);
    b.is_damaged = true;
    logbook_write_ok(&b, 3);
    logbook_check(&b, b.next);
    assert_true(b.refusals > 0);
    (void)memdisk_bytes(disk, name, &len); /* is still there */
    end(&b, disk);
}

/* What no writer of ours does: (L1). */
static void remove_spares(memdisk *disk)
{
    const char *names[NAMES_MAX];
    for (size_t i = memdisk_names(disk, names, NAMES_MAX); i > 0; i--) {
        size_t len = 0;
        stet_segment_header h;
        const uint8_t *bytes = memdisk_bytes(disk, names[i - 1], &len);
        if (strstr(names[i - 1], ".seg") != NULL &&
            stet__segment_header_get(bytes, &h, NULL) != STET_OK) {
            memdisk_remove(disk, names[i - 1]);
        }
    }
    size_t len = 0;
    uint8_t *slots = memdisk_bytes(disk, "super", &len);
    for (size_t i = 0; i < 2; i++) {
        stet_super s;
        assert_int_equal(stet__super_get(slots + i * STET_W, &s, NULL),
                         STET_OK);
        s.spare[0] = 0;
        s.spare[1] = 0;
        stet__super_put(&s, slots + i * STET_W);
    }
}

/* Without a spare and without space what is known is shown, and no more. */
static void test_without_spare_and_space_only_the_known_is_shown(void **state)
{
    (void)state;
    logbook b;
    memdisk *disk = NULL;
    begin(&b, &disk, 8);
    logbook_write_ok(&b, 3);
    uint64_t known = b.next;
    logbook_write_ok(&b, 3);
    assert_int_equal(logbook_close(&b, false, NULL), STET_OK);
    memdisk_crash(disk, false);
    remove_spares(disk);
    memdisk_set_space(disk, 0);
    b.acked = known;
    b.opts.mode = STET_OPEN_READONLY; /* the book must not forget the rest */
    open_ok(&b, disk);
    assert_int_equal(b.start.next_position, known);
    logbook_close_ok(&b);
    b.opts.mode = STET_OPEN_DEFAULT;
    stet_log *log = NULL;
    stet_log_start start;
    assert_int_equal(
        stet__embedded_driver.open("d", &b.config, &log, &start, NULL),
        STET_OK);
    assert_true(start.is_readonly);
    assert_int_equal(start.next_position, known);
    assert_int_equal(log->ops->close(log, true, NULL), STET_OK);
    memdisk_set_space(disk, UINT64_MAX);
    open_ok(&b, disk);
    assert_int_equal(b.start.next_position, b.next);
    logbook_check(&b, b.next);
    end(&b, disk);
}

/* A number is never used again: behind the last one there is no room. */
static void test_numbers_of_files_do_not_wrap(void **state)
{
    (void)state;
    logbook b;
    memdisk *disk = NULL;
    begin(&b, &disk, 10);
    logbook_close_ok(&b);
    stet_os *os = memdisk_os(disk);
    int fd = os->open(os, os->dir_open(os, "d", false), "tmp-4294967295",
                      STET_OPEN_WRITE | STET_OPEN_CREATE);
    assert_true(fd >= 0);
    assert_int_equal(os->close(os, fd), 0);
    open_ok(&b, disk);
    stet_error err = {0};
    assert_int_equal(logbook_write(&b, 1, &err), STET_E_NOSPACE);
    assert_string_equal(err.text, "no file number is left above 4294967295");
    logbook_close_ok(&b);
    open_ok(&b, disk); /* the file was removed, and its number with it */
    logbook_write_ok(&b, 1);
    logbook_check(&b, b.next);
    end(&b, disk);
}

/* Without O_DIRECT writes take turns: a sync tells its error to one caller. */
typedef struct writer {
    stet_log *log;
    stet_frame frame;
    stet_status status;
} writer;

static void write_frame(void *ctx)
{
    writer *w = ctx;
    w->status = w->log->ops->frame_write(w->log, &w->frame, NULL);
}

/* Put one record of `id` into the frame that was opened, and seal it. */
static void fill_frame(writer *w, const logbook *b, const char *id,
                       int64_t recorded)
{
    stet_record r = {
        .kind = STET_EVENT_CREATED,
        .flags = STET_RECORD_BASE,
        .form = STET_BODY_WHOLE,
        .id = stet_str(id),
        .seq = 1,
    };
    uint8_t tail = 0;
    size_t len = stet__record_put_head(&r, 1, stet__crc32c(0, &tail, 1),
                                       w->frame.records);
    w->frame.records[len] = tail;
    w->frame.recorded = recorded;
    w->log->ops->frame_close(w->log, &w->frame, len + 1, 1);
    assert_int_equal(w->log->ops->frame_seal(w->log, &w->frame, b->next, NULL),
                     STET_OK);
}

static int open_cached(stet_os *os, int dir, const char *name, unsigned flags)
{
    return (flags & STET_OPEN_DIRECT) != 0
               ? -EINVAL
               : stet__os_posix()->open(os, dir, name, flags);
}

static void test_cached_writes_take_turns(void **state)
{
    (void)state;
    tmpdir dir;
    tmpdir_create(&dir);
    stet_os os = *stet__os_posix();
    os.open = open_cached;
    logbook b;
    logbook_init(&b, 9);
    logbook_open_ok(&b, &stet__embedded_driver, dir.path, &os);
    logbook_write_ok(&b, 1);
    stet_info info = {0};
    assert_int_equal(b.log->ops->info(b.log, &info, NULL), STET_OK);
    assert_false(info.is_direct);
    const stet_log_ops *ops = b.log->ops;
    enum { WRITERS = 4 };
    writer writers[WRITERS];
    uint64_t threads[WRITERS];
    for (size_t i = 0; i < WRITERS; i++) {
        writer *w = &writers[i];
        w->log = b.log;
        uint64_t position = b.next + i;
        assert_int_equal(ops->frame_open(b.log, 500, position, &w->frame, NULL),
                         STET_OK);
        char id[32];
        (void)snprintf(id, sizeof id, "twin:%zu", i);
        fill_frame(w, &b, id, b.recorded + 1 + (int64_t)i);
    }
    for (size_t i = 0; i < WRITERS; i++) {
        assert_int_equal(
            os.thread_start(&os, write_frame, &writers[i], &threads[i]), 0);
    }
    for (size_t i = 0; i < WRITERS; i++) {
        os.thread_join(&os, threads[i]);
        assert_int_equal(writers[i].status, STET_OK);
    }
    ops->published(b.log, b.next + WRITERS, b.next + WRITERS);
    stet_machine_key key = {.id = stet_str("twin:3")};
    stet_bound newest = {STET_BY_SEQ, UINT64_MAX, 0};
    stet_point p;
    assert_int_equal(ops->seek(b.log, key, newest, b.next + WRITERS, &p, NULL),
                     STET_OK);
    assert_int_equal(p.position, b.next + 3);
    logbook_close_ok(&b);
    logbook_deinit(&b);
    tmpdir_remove(&dir);
}

/* A system whose next sync of data waits until it may go on. */
static _Atomic bool holds_next;
static _Atomic bool is_held;
static _Atomic bool may_go_on;
static _Atomic unsigned writes;

static int held_datasync(stet_os *os, int fd)
{
    (void)os;
    stet_os *posix = stet__os_posix();
    if (atomic_exchange(&holds_next, false)) {
        atomic_store(&is_held, true);
        while (!atomic_load(&may_go_on)) {
            posix->yield(posix);
        }
    }
    return posix->datasync(posix, fd);
}

static int counted_pwrite(stet_os *os, int fd, const void *ptr, size_t len,
                          uint64_t off)
{
    (void)os;
    stet_os *posix = stet__os_posix();
    atomic_fetch_add(&writes, 1);
    return posix->pwrite(posix, fd, ptr, len, off);
}

static void sync_log(void *ctx)
{
    writer *w = ctx;
    w->status = w->log->ops->sync(w->log, NULL);
}

/*
 * At level os a segment begins when the one before is on the disk: not when
 * somebody else is about to bring it there, and may fail.
 */
static void test_a_turn_waits_for_the_sync_of_another(void **state)
{
    (void)state;
    tmpdir dir;
    tmpdir_create(&dir);
    stet_os os = *stet__os_posix();
    os.datasync = held_datasync;
    os.pwrite = counted_pwrite;
    logbook b;
    logbook_init(&b, 13);
    b.opts.level = STET_LEVEL_OS;
    logbook_open_ok(&b, &stet__embedded_driver, dir.path, &os);
    logbook_write_ok(&b, 3);
    const stet_log_ops *ops = b.log->ops;
    writer turn = {.log = b.log};
    writer syncer = {.log = b.log};
    uint64_t threads[2];
    /* The next segment is made ready; then the live one is written to. */
    assert_int_equal(ops->frame_open(b.log, 70000, b.next, &turn.frame, NULL),
                     STET_E_BUSY);
    assert_int_equal(ops->make_room(b.log, 70000, NULL), STET_OK);
    logbook_write_ok(&b, 1);
    assert_int_equal(ops->frame_open(b.log, 70000, b.next, &turn.frame, NULL),
                     STET_OK);
    assert_true(turn.frame.is_turn);
    fill_frame(&turn, &b, "m", b.recorded + 1);
    atomic_store(&holds_next, true);
    assert_int_equal(os.thread_start(&os, sync_log, &syncer, &threads[0]), 0);
    while (!atomic_load(&is_held)) {
        os.yield(&os);
    }
    unsigned before = atomic_load(&writes);
    assert_int_equal(os.thread_start(&os, write_frame, &turn, &threads[1]), 0);
    for (int i = 0; i < 200; i++) { /* nothing rests on how long that is */
        os.yield(&os);
    }
    assert_int_equal(atomic_load(&writes), before);
    atomic_store(&may_go_on, true);
    os.thread_join(&os, threads[0]);
    os.thread_join(&os, threads[1]);
    assert_int_equal(syncer.status, STET_OK);
    assert_int_equal(turn.status, STET_OK);
    ops->published(b.log, b.next + 1, b.next);
    logbook_close_ok(&b);
    logbook_deinit(&b);
    tmpdir_remove(&dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            test_a_named_spare_as_large_stays_behind_the_live_file),
        cmocka_unit_test(test_a_close_gives_the_reserve_back_when_it_is_clean),
        cmocka_unit_test(
            test_nothing_is_written_to_a_copy_before_super_names_it),
        cmocka_unit_test(test_a_spare_that_is_cleared_mends_no_torn_frame),
        cmocka_unit_test(test_room_that_was_made_is_lent),
        cmocka_unit_test(test_segments_double_up_to_their_limit),
        cmocka_unit_test(test_a_turn_without_a_frame_is_taken_back),
        cmocka_unit_test(test_a_turn_waits_for_the_first_frame_before_it),
        cmocka_unit_test(test_the_shortest_records_overflow_no_segment),
        cmocka_unit_test(test_a_damaged_small_segment_is_not_copied),
        cmocka_unit_test(test_without_spare_and_space_only_the_known_is_shown),
        cmocka_unit_test(test_numbers_of_files_do_not_wrap),
        cmocka_unit_test(test_cached_writes_take_turns),
        cmocka_unit_test(test_a_turn_waits_for_the_sync_of_another),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
