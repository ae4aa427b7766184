#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "base/utf8.h"
#include "core/json.h"
#include "core/patch.h"
#include "lib/failalloc.h"

/* What patches do is pinned by tests/golden/fold/patch.json. */

static const char document[] = "{\"a\":{\"b\":[1,2]},\"c\":\"d\"}";

static stet_status apply(stet_doc *d, const char *patch, stet_buf *out,
                         stet_error *err)
{
    stet_value *root = NULL;
    stet_value *operations = NULL;
    stet_status st = stet__json_read(d, stet_str(document), 1000, &root, err);
    if (st == STET_OK) {
        st = stet__json_read(d, stet_str(patch), 1000, &operations, err);
    }
    if (st == STET_OK) {
        st = stet__patch_apply(d, &root, operations, err);
    }
    if (st == STET_OK) {
        stet__json_write(root, out);
    }
    return st;
}

/* Out of a hundred operations someone must find the wrong one. */
static void test_errors_name_operation_path_and_reason(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"{}", "not an array of operations"},
        {"[1]", "operation 0: not an object"},
        {"[{}]", "operation 0: no string \"op\""},
        {"[{\"op\":7}]", "operation 0: no string \"op\""},
        {"[{\"op\":\"Add\",\"path\":\"\"}]",
         "operation 0: \"op\" is none of add, remove, replace, move, copy, "
         "test"},
        {"[{\"op\":\"add\",\"value\":1}]", "operation 0: no string \"path\""},
        {"[{\"op\":\"add\",\"path\":\"/x\"}]", "operation 0: no \"value\""},
        {"[{\"op\":\"test\",\"path\":\"/c\",\"value\":\"d\"},"
         "{\"op\":\"move\",\"path\":\"/x\",\"from\":\"c\"}]",
         "operation 1: \"from\" is no json pointer"},
        {"[{\"op\":\"copy\",\"path\":\"/x\"}]",
         "operation 0: no string \"from\""},
        {"[{\"op\":\"remove\",\"path\":\"/a/x\"}]",
         "operation 0: remove \"/a/x\": nothing is there"},
        {"[{\"op\":\"add\",\"path\":\"/c/x/y\",\"value\":1}]",
         "operation 0: add \"/c/x/y\": nothing is there"},
        {"[{\"op\":\"replace\",\"path\":\"/a/b/2\",\"value\":1}]",
         "operation 0: replace \"/a/b/2\": nothing is there"},
        {"[{\"op\":\"add\",\"path\":\"/a/b/x\",\"value\":1}]",
         "operation 0: add \"/a/b/x\": no such index"},
        {"[{\"op\":\"remove\",\"path\":\"\"}]",
         "operation 0: remove \"\": the document must stay"},
        {"[{\"op\":\"move\",\"from\":\"/a\",\"path\":\"/a/x\"}]",
         "operation 0: move \"/a/x\": is inside what is moved"},
        {"[{\"op\":\"test\",\"path\":\"/c\",\"value\":\"e\"}]",
         "operation 0: test \"/c\": the value differs"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        stet_doc d;
        stet_buf out;
        stet_error err;
        stet__doc_init(&d, &stet__heap);
        stet__buf_init(&out, &stet__heap);
        assert_int_equal(apply(&d, rows[i][0], &out, &err), STET_E_INVALID);
        assert_string_equal(err.text, rows[i][1]);
        stet__buf_deinit(&out);
        stet__doc_deinit(&d);
    }
}

/* A pointer in an error is cut before it pushes the reason out. */
static void test_a_long_pointer_leaves_room_for_the_reason(void **state)
{
    (void)state;
    stet_buf patch;
    stet_buf out;
    stet_doc d;
    stet_error err;
    stet__buf_init(&patch, &stet__heap);
    stet__buf_init(&out, &stet__heap);
    stet__doc_init(&d, &stet__heap);
    stet__buf_put_str(&patch, "[{\"op\":\"remove\",\"path\":\"/");
    for (int i = 0; i < 3000; i++) {
        stet__buf_put_str(&patch, "\xe2\x82\xac");
    }
    stet__buf_put(&patch, "\"}]", 4);
    assert_int_equal(apply(&d, (const char *)patch.ptr, &out, &err),
                     STET_E_INVALID);
    assert_non_null(strstr(err.text, "\xe2\x82\xac\": nothing is there"));
    assert_true(stet__utf8_is_valid(stet_str(err.text)));
    stet__doc_deinit(&d);
    stet__buf_deinit(&out);
    stet__buf_deinit(&patch);
}

static const char every_operation[] =
    "[{\"op\":\"add\",\"path\":\"/~0\",\"value\":{}},"
    "{\"op\":\"add\",\"path\":\"/a/b/0\",\"value\":0},"
    "{\"op\":\"add\",\"path\":\"/a/b/-\",\"value\":3},"
    "{\"op\":\"copy\",\"from\":\"/a\",\"path\":\"/~0/~1\"},"
    "{\"op\":\"remove\",\"path\":\"/a/b/1\"},"
    "{\"op\":\"replace\",\"path\":\"/a/b/0\",\"value\":[null]},"
    "{\"op\":\"move\",\"from\":\"/c\",\"path\":\"/a/b/-\"},"
    "{\"op\":\"test\",\"path\":\"/~0\",\"value\":{\"/\":{\"b\":[0,1,2,3]}}}]";

static const char every_result[] =
    "{\"a\":{\"b\":[[null],2,3,\"d\"]},\"~\":{\"/\":{\"b\":[0,1,2,3]}}}";

/*
 * Lack of memory must not look like a patch that does not apply. What is
 * allocated first moves the ends of the arena's blocks over every allocation.
 */
static void test_no_memory_is_told_from_a_wrong_patch(void **state)
{
    (void)state;
    size_t failures = 0;
    for (size_t ahead = 16; ahead < 8192; ahead += 16) {
        for (size_t nth = 1; nth < 8; nth++) {
            failalloc f;
            failalloc_init(&f, nth);
            stet_allocator a = failalloc_allocator(&f);
            stet_doc d;
            stet_buf out;
            stet_error err;
            stet__doc_init(&d, &a);
            stet__buf_init(&out, &stet__heap);
            (void)stet__arena_alloc(&d.arena, ahead);
            bool is_hit_before = f.is_hit;
            stet_status st = apply(&d, every_operation, &out, &err);
            if (f.is_hit && !is_hit_before) {
                assert_int_equal(st, STET_E_NOMEM);
                failures++;
            } else {
                assert_int_equal(st, STET_OK);
                assert_true(stet__slice_eq(stet__buf_slice(&out),
                                           stet_str(every_result)));
            }
            stet__buf_deinit(&out);
            stet__doc_deinit(&d);
            failalloc_assert_clean(&f);
        }
    }
    assert_true(failures > 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_errors_name_operation_path_and_reason),
        cmocka_unit_test(test_a_long_pointer_leaves_room_for_the_reason),
        cmocka_unit_test(test_no_memory_is_told_from_a_wrong_patch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
