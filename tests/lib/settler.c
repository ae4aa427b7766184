#include "lib/settler.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "stores/embedded/embedded.h"
#include "stores/embedded/log.h"

void settler_open_ok(logbook *b, memdisk *disk)
{
    logbook_open_ok(b, &stet__embedded_driver, "d", memdisk_os(disk));
}

stet_info settler_info_of(logbook *b)
{
    stet_info info = {0};
    assert_int_equal(b->log->ops->info(b->log, &info, NULL), STET_OK);
    return info;
}

void settler_begin(logbook *b, memdisk **disk, uint64_t seed)
{
    *disk = memdisk_create(seed);
    logbook_init(b, seed);
    b->opts.settle_segments = 3;
    settler_open_ok(b, *disk);
}

void settler_end(logbook *b, memdisk *disk)
{
    logbook_close_ok(b);
    logbook_deinit(b);
    memdisk_destroy(disk);
}

void settler_write_segments(logbook *b, uint64_t segments)
{
    while (settler_info_of(b).segments < segments) {
        logbook_write_ok(b, 7);
    }
}

void settler_make_a_pause(logbook *b, memdisk *disk)
{
    assert_int_equal(logbook_steps(b, NULL), STET_OK);
    memdisk_advance(disk, 100000000);
}

stet_status settler_settle_all(logbook *b, stet_error *err)
{
    stet_settle_answer answer = {.is_more = true};
    stet_status st = STET_OK;
    while (answer.is_more && st == STET_OK) {
        st = logbook_settle(b, STET_SETTLE_ALL, b->next, &answer, err);
    }
    return st;
}

void settler_verify_ok(logbook *b)
{
    stet_verify_report report = {0};
    stet_error err = {0};
    stet_status st = b->log->ops->verify(b->log, NULL, NULL, &report, &err);
    if (st != STET_OK) {
        print_error("%s\n", err.text);
    }
    assert_int_equal(st, STET_OK);
    assert_int_equal(report.records, b->next - 1);
}

size_t settler_count_names(const memdisk *disk, const char *part)
{
    const char *names[200];
    size_t count = memdisk_names(disk, names, 200);
    size_t found = 0;
    for (size_t i = 0; i < count; i++) {
        found += strstr(names[i], part) != NULL;
    }
    return found;
}

void settler_go_on(logbook *b, memdisk *disk)
{
    settler_open_ok(b, disk);
    logbook_check(b, b->next);
    settler_verify_ok(b);
    for (int i = 0; i < 4; i++) {
        logbook_write_ok(b, 5);
    }
    assert_int_equal(logbook_steps(b, NULL), STET_OK);
    assert_int_equal(settler_settle_all(b, NULL), STET_OK);
    logbook_close_ok(b);
    assert_int_equal(settler_count_names(disk, "tmp-"), 0);
    settler_open_ok(b, disk);
    logbook_check(b, b->next);
    settler_end(b, disk);
}

/* Die at the nth call; was there one? */
static bool crash_at(const settler_life *life, uint64_t seed, unsigned nth)
{
    logbook b;
    memdisk *disk = NULL;
    life->begin(&b, &disk, seed);
    memdisk_die_at(disk, nth);
    (void)life->work(&b, seed);
    bool is_reached = memdisk_is_dead(disk);
    (void)logbook_close(&b, !is_reached && nth % 2 == 0, NULL);
    memdisk_die_at(disk, 0);
    memdisk_crash(disk, (seed + nth) % 4 != 0);
    settler_go_on(&b, disk);
    return is_reached;
}

void settler_crash_anywhere(const settler_life *life, uint64_t seed,
                            unsigned stride)
{
    unsigned nth = 1;
    while (crash_at(life, seed, nth)) {
        nth += stride;
    }
}

typedef struct fault {
    memdisk_call call;
    int os_errno;
} fault;

/*
 * Fail the nth call of a kind; was there one? A lack of space stops no writer,
 * but where it kept something from being written over: after that, as after
 * any failed write, the log writes nothing.
 */
static bool fail_at(const settler_life *life, uint64_t seed, fault f,
                    unsigned nth)
{
    logbook b;
    memdisk *disk = NULL;
    life->begin(&b, &disk, seed);
    memdisk_fail_at(disk, f.call, nth, f.os_errno);
    stet_status st = life->work(&b, seed);
    bool is_reached = memdisk_has_failed(disk);
    memdisk_fail_at(disk, f.call, 0, 0);
    logbook_check_records(&b,
                          stet__embedded_watermark(stet__embedded_of(b.log)));
    bool is_poisoned = settler_info_of(&b).is_poisoned;
    bool is_lack = f.os_errno == EMFILE ||
                   (f.os_errno == ENOSPC && f.call != MEMDISK_WRITE);
    assert_false(is_poisoned && (st == STET_OK || is_lack));
    if (!is_poisoned) {
        logbook_write_ok(&b, 3);
    }
    b.log->ops->close(b.log, false, NULL);
    memdisk_crash(disk, true);
    settler_go_on(&b, disk);
    return is_reached;
}

void settler_fail_anywhere(const settler_life *life, uint64_t first_seed,
                           settler_strides strides)
{
    static const fault faults[] = {
        {MEMDISK_WRITE, ENOSPC}, {MEMDISK_WRITE, EIO},  {MEMDISK_SYNC, EIO},
        {MEMDISK_OPEN, EMFILE},  {MEMDISK_READ, EIO},   {MEMDISK_LINK, EIO},
        {MEMDISK_LINK, ENOSPC},  {MEMDISK_UNLINK, EIO}, {MEMDISK_SIZE, EIO},
        {MEMDISK_RANDOM, EIO}};
    for (unsigned i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        bool is_many = faults[i].call == MEMDISK_READ ||
                       faults[i].call == MEMDISK_OPEN ||
                       faults[i].call == MEMDISK_SIZE;
        unsigned stride = is_many ? strides.reads : strides.usual;
        unsigned nth = 1;
        while (fail_at(life, first_seed + (i + nth) % 2, faults[i], nth)) {
            nth += stride;
        }
    }
}
