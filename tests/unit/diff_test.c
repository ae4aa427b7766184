#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "core/diff.h"
#include "core/fold.h"
#include "core/json.h"
#include "lib/failalloc.h"
#include "lib/json_random.h"

static void assert_diff(const char *a, const char *b, const char *want)
{
    stet_buf out;
    stet__buf_init(&out, &stet__heap);
    assert_int_equal(
        stet__diff_json(&stet__heap, stet_str(a), stet_str(b), &out, NULL),
        STET_OK);
    stet__buf_put_u8(&out, 0);
    assert_string_equal(out.ptr, want);
    stet__buf_deinit(&out);
}

/* A person reads these: a small change must be told in few words. */
static void test_a_change_is_told_where_it_is(void **state)
{
    (void)state;
    assert_diff("{\"a\":1}", "{\"a\":1}", "[]");
    assert_diff("{\"a\":{\"b\":1,\"c\":2}}", "{\"a\":{\"b\":1,\"c\":3}}",
                "[{\"op\":\"replace\",\"path\":\"/a/c\",\"value\":3}]");
    assert_diff("{\"a\":1,\"b\":2}", "{\"b\":2,\"c\":3}",
                "[{\"op\":\"remove\",\"path\":\"/a\"},"
                "{\"op\":\"add\",\"path\":\"/c\",\"value\":3}]");
    assert_diff("{\"a\":[1]}", "{\"a\":{\"b\":1}}",
                "[{\"op\":\"replace\",\"path\":\"/a\",\"value\":{\"b\":1}}]");
    assert_diff("{\"a/~\":1}", "{\"a/~\":\"\\\"\"}",
                "[{\"op\":\"replace\",\"path\":\"/a~1~0\",\"value\":\"\\\"\"}"
                "]");
    assert_diff("{\"\":{\"\\n\":1}}", "{\"\":{}}",
                "[{\"op\":\"remove\",\"path\":\"//\\n\"}]");
}

/* One card drawn from the middle of a hand is one operation. */
static void test_elements_are_matched_from_both_ends(void **state)
{
    (void)state;
    assert_diff("{\"a\":[1,2,3,4]}", "{\"a\":[1,3,4]}",
                "[{\"op\":\"remove\",\"path\":\"/a/1\"}]");
    assert_diff("{\"a\":[1,3]}", "{\"a\":[0,1,2,3]}",
                "[{\"op\":\"replace\",\"path\":\"/a/0\",\"value\":0},"
                "{\"op\":\"add\",\"path\":\"/a/1\",\"value\":1},"
                "{\"op\":\"add\",\"path\":\"/a/2\",\"value\":2}]");
    assert_diff("{\"a\":[1,2,3,4,5]}", "{\"a\":[1,9,5]}",
                "[{\"op\":\"replace\",\"path\":\"/a/1\",\"value\":9},"
                "{\"op\":\"remove\",\"path\":\"/a/2\"},"
                "{\"op\":\"remove\",\"path\":\"/a/2\"}]");
    assert_diff("{\"a\":[{\"s\":1,\"t\":[1]},{\"s\":2}]}",
                "{\"a\":[{\"s\":1,\"t\":[1,2]},{\"s\":2}]}",
                "[{\"op\":\"add\",\"path\":\"/a/0/t/1\",\"value\":2}]");
    assert_diff("{\"a\":[1,1,1]}", "{\"a\":[1,1]}",
                "[{\"op\":\"remove\",\"path\":\"/a/2\"}]");
    assert_diff("{\"a\":[]}", "{\"a\":[[]]}",
                "[{\"op\":\"add\",\"path\":\"/a/0\",\"value\":[]}]");
}

/* Values count, not how they are written. */
static void test_order_and_spelling_are_no_difference(void **state)
{
    (void)state;
    assert_diff("{\"a\":1.0,\"b\":[1e2]}", "{ \"b\":[100], \"a\":1 }", "[]");
    assert_diff("{\"\\u0061\":\"\\u0062\"}", "{\"a\":\"b\"}", "[]");
    assert_diff("", "{}", "[]");
    assert_diff("", "{\"a\":null}",
                "[{\"op\":\"add\",\"path\":\"/a\",\"value\":null}]");
}

/* Such states are never folded; the difference is still an RFC 6902 patch. */
static void test_other_documents_are_replaced_whole(void **state)
{
    (void)state;
    assert_diff("[1,2]", "[1,3]",
                "[{\"op\":\"replace\",\"path\":\"\",\"value\":[1,3]}]");
    assert_diff("{\"a\":1}", "2",
                "[{\"op\":\"replace\",\"path\":\"\",\"value\":2}]");
    assert_diff("[1,{}]", "[1.0,{}]", "[]");
}

/* A state may be any bytes. */
static void test_what_is_not_json_gets_a_summary(void **state)
{
    (void)state;
    assert_diff("saved", "saver",
                "{\"bytes_before\":5,\"bytes_after\":5,"
                "\"first_difference\":4,\"common_suffix\":0}");
    assert_diff("{\"a\":1", "{\"a\":12}",
                "{\"bytes_before\":6,\"bytes_after\":8,"
                "\"first_difference\":6,\"common_suffix\":0}");
    assert_diff("{\"a\":1,\"a\":1}", "{\"a\":1,\"a\":1}",
                "{\"bytes_before\":13,\"bytes_after\":13,"
                "\"first_difference\":null,\"common_suffix\":0}");
    assert_diff("xaay", "xaaay",
                "{\"bytes_before\":4,\"bytes_after\":5,"
                "\"first_difference\":3,\"common_suffix\":1}");
    assert_diff("", "x",
                "{\"bytes_before\":0,\"bytes_after\":1,"
                "\"first_difference\":0,\"common_suffix\":0}");
}

/* Append a copy of a text's value with some values replaced by others. */
static void put_changed(rng *r, const stet_buf *text, stet_buf *out)
{
    stet_doc d;
    stet_value *root = NULL;
    stet_value *other = NULL;
    stet_buf scratch;
    stet__doc_init(&d, &stet__heap);
    stet__buf_init(&scratch, &stet__heap);
    assert_int_equal(
        stet__json_read(&d, stet__buf_slice(text), 100000, &root, NULL),
        STET_OK);
    for (size_t changes = rng_below(r, 4); changes > 0; changes--) {
        stet_value *v = root; /* walk down a random way */
        while (v->live > 0 && rng_below(r, 3) > 0) {
            uint32_t at = (uint32_t)rng_below(r, v->used);
            stet_value *next = stet__value_next(v, &at);
            if (next == NULL || !stet__value_is_container(next)) {
                break;
            }
            v = next;
        }
        stet__buf_reset(&scratch);
        json_random_value(r, 3, &scratch);
        assert_int_equal(stet__json_read(&d, stet__buf_slice(&scratch), 100000,
                                         &other, NULL),
                         STET_OK);
        if (v->kind == STET_VALUE_OBJECT) {
            other->name = stet_str("n1");
            assert_true(stet__value_put(&d, v, other));
        } else if (v->live > 0 && rng_below(r, 2) == 0) {
            stet__value_remove_element(v, (uint32_t)rng_below(r, v->live));
        } else {
            assert_true(stet__value_insert(
                &d, v, (uint32_t)rng_below(r, v->live + 1), other));
        }
    }
    stet__json_write(root, out);
    stet__buf_deinit(&scratch);
    stet__doc_deinit(&d);
}

static void check_leads_to(const stet_buf *a, const stet_buf *b)
{
    stet_buf patch;
    stet_buf result;
    stet_doc d;
    stet_value *value_b = NULL;
    stet_value *value_result = NULL;
    stet__buf_init(&patch, &stet__heap);
    stet__buf_init(&result, &stet__heap);
    stet__doc_init(&d, &stet__heap);
    assert_int_equal(stet__diff_json(&stet__heap, stet__buf_slice(a),
                                     stet__buf_slice(b), &patch, NULL),
                     STET_OK);
    assert_int_equal(stet__fold_patch(&stet__heap, stet__buf_slice(a),
                                      stet__buf_slice(&patch), &result, NULL),
                     STET_OK);
    assert_int_equal(
        stet__json_read(&d, stet__buf_slice(b), 100000, &value_b, NULL),
        STET_OK);
    assert_int_equal(stet__json_read(&d, stet__buf_slice(&result), 100000,
                                     &value_result, NULL),
                     STET_OK);
    assert_true(stet__value_eq(value_b, value_result));
    stet__buf_deinit(&patch);
    stet__buf_deinit(&result);
    stet__doc_deinit(&d);
}

/* The difference is worth something because it can be applied. */
static void test_a_diff_applied_to_a_gives_b(void **state)
{
    (void)state;
    rng r = {.state = 21};
    stet_buf a;
    stet_buf b;
    stet__buf_init(&a, &stet__heap);
    stet__buf_init(&b, &stet__heap);
    for (int i = 0; i < 3000; i++) {
        stet__buf_reset(&a);
        stet__buf_reset(&b);
        json_random_object(&r, 6, &a);
        if (i % 3 == 0) {
            json_random_object(&r, 6, &b);
        } else {
            put_changed(&r, &a, &b);
        }
        check_leads_to(&a, &b);
        check_leads_to(&b, &a);
        check_leads_to(&a, &a);
    }
    stet__buf_deinit(&a);
    stet__buf_deinit(&b);
}

/* Without memory nothing is said, rather than that nothing differs. */
static void test_no_memory_gives_no_diff(void **state)
{
    (void)state;
    rng r = {.state = 22};
    stet_buf texts[2];
    for (int i = 0; i < 2; i++) {
        stet__buf_init(&texts[i], &stet__heap);
        stet__buf_put_str(&texts[i], "{\"list\":[");
        for (int k = 0; k < 60; k++) {
            json_random_object(&r, 5, &texts[i]);
            stet__buf_put_u8(&texts[i], ',');
        }
        stet__buf_put_str(&texts[i], "0]}");
    }
    bool is_hit = true;
    for (size_t nth = 1; is_hit; nth++) {
        failalloc f;
        failalloc_init(&f, nth);
        stet_allocator a = failalloc_allocator(&f);
        stet_buf out;
        stet__buf_init(&out, &a);
        stet_status st =
            stet__diff_json(&a, stet__buf_slice(&texts[0]),
                            stet__buf_slice(&texts[1]), &out, NULL);
        is_hit = f.is_hit;
        assert_int_equal(st, is_hit ? STET_E_NOMEM : STET_OK);
        assert_int_equal(out.len > 0, !is_hit);
        assert_false(out.is_failed);
        stet__buf_deinit(&out);
        failalloc_assert_clean(&f);
    }
    failalloc f;
    failalloc_init(&f, 1);
    stet_allocator a = failalloc_allocator(&f);
    stet_buf out;
    stet__buf_init(&out, &a);
    assert_int_equal(stet__diff_bytes(stet_str("a"), stet_str("b"), &out, NULL),
                     STET_E_NOMEM);
    assert_int_equal(out.len, 0);
    stet__buf_deinit(&out);
    stet__buf_deinit(&texts[0]);
    stet__buf_deinit(&texts[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_change_is_told_where_it_is),
        cmocka_unit_test(test_elements_are_matched_from_both_ends),
        cmocka_unit_test(test_order_and_spelling_are_no_difference),
        cmocka_unit_test(test_other_documents_are_replaced_whole),
        cmocka_unit_test(test_what_is_not_json_gets_a_summary),
        cmocka_unit_test(test_a_diff_applied_to_a_gives_b),
        cmocka_unit_test(test_no_memory_gives_no_diff),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
