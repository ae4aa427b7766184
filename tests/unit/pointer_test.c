#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "core/pointer.h"
#include "lib/failalloc.h"

static void assert_slice(stet_slice got, const char *want)
{
    assert_int_equal(got.len, strlen(want));
    assert_memory_equal(got.ptr, want, got.len);
}

/* A typing error in a configured pointer must be told, not ignored. */
static void test_only_rfc_6901_pointers_are_valid(void **state)
{
    (void)state;
    static const char *const good[] = {"",     "/",    "//",       "/a/b",
                                       "/~0",  "/~1b", "/~01~10",  "/ ",
                                       "/a b", "/-",   "/\xc3\xa4"};
    static const char *const bad[] = {"a",   "a/b",  "/~", "/~2",
                                      "/a~", "/~/0", " /a"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_true(stet__pointer_is_valid(stet_str(good[i])));
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_false(stet__pointer_is_valid(stet_str(bad[i])));
    }
}

/* "/" names the member "", not the whole document. */
static void test_tokens_come_in_order_and_may_be_empty(void **state)
{
    (void)state;
    stet_slice rest = stet_str("/a//b~1c/");
    stet_slice token;
    assert_true(stet__pointer_next(&rest, &token));
    assert_slice(token, "a");
    assert_true(stet__pointer_next(&rest, &token));
    assert_slice(token, "");
    assert_true(stet__pointer_next(&rest, &token));
    assert_slice(token, "b~1c");
    assert_true(stet__pointer_next(&rest, &token));
    assert_slice(token, "");
    assert_false(stet__pointer_next(&rest, &token));
    rest = stet_str("");
    assert_false(stet__pointer_next(&rest, &token));
}

/* "~01" is "~1" and not "/": the order of undoing matters. */
static void test_escapes_are_undone_once(void **state)
{
    (void)state;
    failalloc f;
    failalloc_init(&f, 0);
    stet_allocator a = failalloc_allocator(&f);
    stet_arena arena;
    stet__arena_init(&arena, &a);
    assert_slice(stet__pointer_decode(stet_str("plain"), &arena), "plain");
    assert_slice(stet__pointer_decode(stet_str("~01"), &arena), "~1");
    assert_slice(stet__pointer_decode(stet_str("~10"), &arena), "/0");
    assert_slice(stet__pointer_decode(stet_str("a~1b~0c"), &arena), "a/b~c");
    stet__arena_deinit(&arena);
    failalloc_assert_clean(&f);

    failalloc_init(&f, 1);
    a = failalloc_allocator(&f);
    stet__arena_init(&arena, &a);
    assert_null(stet__pointer_decode(stet_str("~0"), &arena).ptr);
    stet__arena_deinit(&arena);
}

/* RFC 6901, section 4: "00" and "+1" name no element. */
static void test_an_index_has_one_spelling(void **state)
{
    (void)state;
    uint32_t index = 0;
    assert_true(stet__pointer_index(stet_str("0"), &index));
    assert_int_equal(index, 0);
    assert_true(stet__pointer_index(stet_str("4294967295"), &index));
    assert_int_equal(index, UINT32_MAX);
    static const char *const bad[] = {
        "",   "00", "01",  "-",          "-1",
        "+1", "1 ", "1e0", "4294967296", "99999999999999999999999"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_false(stet__pointer_index(stet_str(bad[i]), &index));
    }
    assert_int_equal(index, UINT32_MAX);
}

/* A value moved into itself would vanish. */
static void test_inside_means_below_and_not_beginning_alike(void **state)
{
    (void)state;
    assert_true(stet__pointer_is_inside(stet_str("/a/b"), stet_str("/a")));
    assert_true(stet__pointer_is_inside(stet_str("/a"), stet_str("")));
    assert_true(stet__pointer_is_inside(stet_str("/a/"), stet_str("/a")));
    assert_false(stet__pointer_is_inside(stet_str("/ab"), stet_str("/a")));
    assert_false(stet__pointer_is_inside(stet_str("/a"), stet_str("/a")));
    assert_false(stet__pointer_is_inside(stet_str("/a"), stet_str("/a/b")));
    assert_false(stet__pointer_is_inside(stet_str("/b/a"), stet_str("/a")));
}

/* What is put together is taken apart again, whatever the name. */
static void test_a_name_put_comes_back(void **state)
{
    (void)state;
    static const char *const names[] = {"", "a", "~", "/", "~1", "a/b~c", "~0"};
    stet_buf buf;
    stet__buf_init(&buf, &stet__heap);
    stet_arena arena;
    stet__arena_init(&arena, &stet__heap);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        stet__buf_reset(&buf);
        stet__pointer_put_name(&buf, stet_str(names[i]));
        stet__pointer_put_index(&buf, (uint32_t)i * 1000);
        stet_slice rest = stet__buf_slice(&buf);
        assert_true(stet__pointer_is_valid(rest));
        stet_slice token;
        uint32_t index = 0;
        assert_true(stet__pointer_next(&rest, &token));
        assert_slice(stet__pointer_decode(token, &arena), names[i]);
        assert_true(stet__pointer_next(&rest, &token));
        assert_true(stet__pointer_index(token, &index));
        assert_int_equal(index, i * 1000);
        assert_int_equal(rest.len, 0);
    }
    stet__arena_deinit(&arena);
    stet__buf_deinit(&buf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_only_rfc_6901_pointers_are_valid),
        cmocka_unit_test(test_tokens_come_in_order_and_may_be_empty),
        cmocka_unit_test(test_escapes_are_undone_once),
        cmocka_unit_test(test_an_index_has_one_spelling),
        cmocka_unit_test(test_inside_means_below_and_not_beginning_alike),
        cmocka_unit_test(test_a_name_put_comes_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
