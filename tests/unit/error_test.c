#include "base/error.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/utf8.h"

static const stet_status statuses[] = {
#define STATUS_OF(name, value, kind, text) name,
    STET_STATUS_MAP(STATUS_OF)
#undef STATUS_OF
};

enum { STATUS_COUNT = sizeof statuses / sizeof statuses[0] };

/* An operator reads from what was tried down to what the system said. */
static void test_text_reads_from_the_outermost_step_to_the_cause(void **state)
{
    (void)state;
    stet_error err = {0};
    stet_status st = stet__fail(&err, STET_E_IO, ENOENT, "open %d.seg", 7);
    assert_int_equal(st, STET_E_IO);
    assert_string_equal(err.text, "open 7.seg: No such file or directory");
    st = stet__wrap(&err, STET_E_CORRUPT, "load %s", "game:1");
    assert_int_equal(st, STET_E_CORRUPT);
    assert_int_equal(err.status, STET_E_CORRUPT);
    assert_int_equal(err.os_errno, ENOENT);
    assert_string_equal(err.text,
                        "load game:1: open 7.seg: No such file or directory");
}

/* What is not an answer of the system must not claim an errno. */
static void test_error_without_errno_has_the_given_text_only(void **state)
{
    (void)state;
    stet_error err = {.os_errno = EIO};
    stet__fail(&err, STET_E_INVALID, 0, "id is empty");
    assert_string_equal(err.text, "id is empty");
    assert_int_equal(err.os_errno, 0);
}

/* Callers that pass no error still get the status. */
static void test_error_is_optional(void **state)
{
    (void)state;
    assert_int_equal(stet__fail(NULL, STET_E_BUSY, EAGAIN, "x"), STET_E_BUSY);
    assert_int_equal(stet__wrap(NULL, STET_E_IO, "x"), STET_E_IO);
    stet__error_reset(NULL);
}

/* A step may have no lower text, and may quote the one that is there. */
static void test_wrap_takes_any_lower_text(void **state)
{
    (void)state;
    stet_error err = {0};
    stet__wrap(&err, STET_E_IO, "alone");
    assert_string_equal(err.text, "alone");
    stet__wrap(&err, STET_E_IO, "<%s>", err.text);
    assert_string_equal(err.text, "<alone>: alone");
    stet__fail(&err, STET_E_IO, 0, "again %s", err.text);
    assert_string_equal(err.text, "again <alone>: alone");
    stet__error_reset(&err);
    assert_int_equal(err.status, STET_OK);
    assert_string_equal(err.text, "");
}

/* Texts end up in JSON, which half a character would make invalid. */
static void test_long_texts_are_cut_between_characters(void **state)
{
    (void)state;
    static const char *const chars[] = {"x", "\xc3\xa4", "\xe2\x82\xac",
                                        "\xf0\x9f\x8e\xb2"};
    for (size_t c = 0; c < 4; c++) {
        for (size_t lead = 0; lead < 4; lead++) {
            char longer[800] = "____";
            longer[lead] = '\0';
            size_t used = strlen(longer);
            for (size_t n = strlen(chars[c]); used < 700; used += n) {
                memcpy(longer + used, chars[c], n + 1);
            }
            stet_error err = {0};
            stet__fail(&err, STET_E_IO, EIO, "%s", longer);
            assert_true(stet__utf8_is_valid(stet_str(err.text)));
            assert_memory_equal(err.text, longer, strlen(err.text));
            assert_true(strlen(err.text) >= STET_ERROR_TEXT_MAX - 4);

            stet__fail(&err, STET_E_IO, 0, "%.500s", "cause");
            stet__wrap(&err, STET_E_IO, "%s", longer + 300);
            stet__wrap(&err, STET_E_IO, "%s", longer + 300);
            assert_true(strlen(err.text) < STET_ERROR_TEXT_MAX);
            assert_true(strlen(err.text) >= STET_ERROR_TEXT_MAX - 4);
        }
    }
}

/* Logs and bindings tell statuses apart by name. */
static void test_every_status_has_a_name_and_text_of_its_own(void **state)
{
    (void)state;
    for (size_t i = 0; i < STATUS_COUNT; i++) {
        for (size_t j = 0; j < i; j++) {
            assert_true(statuses[i] != statuses[j]);
            assert_string_not_equal(stet_status_name(statuses[i]),
                                    stet_status_name(statuses[j]));
            assert_string_not_equal(stet_status_text(statuses[i]),
                                    stet_status_text(statuses[j]));
        }
    }
    assert_string_equal(stet_status_name(STET_E_CONFLICT), "STET_E_CONFLICT");
    assert_string_equal(stet_status_text(STET_E_CONFLICT),
                        "expected version differs");
}

/* A caller decides by kind, also about statuses newer than itself. */
static void test_kinds_tell_what_to_do_next(void **state)
{
    (void)state;
    assert_int_equal(stet_status_kind(STET_OK), STET_KIND_OK);
    assert_int_equal(stet_status_kind(STET_E_CONFLICT), STET_KIND_NO);
    assert_int_equal(stet_status_kind(STET_E_INVALID), STET_KIND_CALLER);
    assert_int_equal(stet_status_kind(STET_E_BUSY), STET_KIND_RETRY);
    assert_int_equal(stet_status_kind(STET_E_UNKNOWN), STET_KIND_MAYBE);
    assert_int_equal(stet_status_kind(STET_E_CORRUPT), STET_KIND_DATA);
    assert_int_equal(stet_status_kind((stet_status)63), STET_KIND_ENV);
    assert_string_equal(stet_status_name((stet_status)63), "STET_E_?");
    assert_string_equal(stet_status_text((stet_status)63), "unknown status");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text_reads_from_the_outermost_step_to_the_cause),
        cmocka_unit_test(test_error_without_errno_has_the_given_text_only),
        cmocka_unit_test(test_error_is_optional),
        cmocka_unit_test(test_wrap_takes_any_lower_text),
        cmocka_unit_test(test_long_texts_are_cut_between_characters),
        cmocka_unit_test(test_every_status_has_a_name_and_text_of_its_own),
        cmocka_unit_test(test_kinds_tell_what_to_do_next),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
