#include "lib/settler.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "stores/embedded/embedded.h"

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
