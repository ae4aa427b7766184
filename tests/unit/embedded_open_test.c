#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "lib/logbook.h"
#include "lib/tmpdir.h"
#include "os/os.h"
#include "stores/embedded/embedded.h"

static void open_ok(logbook *b, const char *path)
{
    stet_error err = {0};
    stet_status st = logbook_open(b, &stet__embedded_driver, path,
                                  stet__os_posix(), &err);
    if (st != STET_OK) {
        print_error("open: %s\n", err.text);
    }
    assert_int_equal(st, STET_OK);
}

static void close_ok(logbook *b)
{
    stet_error err = {0};
    stet_status st = logbook_close(b, true, &err);
    if (st != STET_OK) {
        print_error("close: %s\n", err.text);
    }
    assert_int_equal(st, STET_OK);
}

static void write_ok(logbook *b, unsigned count)
{
    stet_error err = {0};
    stet_status st = logbook_write(b, count, &err);
    if (st != STET_OK) {
        print_error("write: %s\n", err.text);
    }
    assert_int_equal(st, STET_OK);
}

/* The promise itself, in its simplest form. */
static void test_what_was_written_is_there_after_reopening(void **state)
{
    (void)state;
    tmpdir dir;
    tmpdir_create(&dir);
    logbook b;
    logbook_init(&b, 1);
    for (int round = 0; round < 20; round++) {
        open_ok(&b, dir.path);
        logbook_check(&b, b.next);
        for (int i = 0; i < 20; i++) {
            write_ok(&b, 5);
        }
        logbook_check(&b, b.next);
        close_ok(&b);
    }
    logbook_deinit(&b);
    tmpdir_remove(&dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_was_written_is_there_after_reopening),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
