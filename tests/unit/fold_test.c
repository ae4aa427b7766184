#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "core/fold.h"
#include "core/json.h"
#include "lib/failalloc.h"
#include "lib/json_random.h"

typedef stet_status (*fold_fn)(const stet_allocator *a, stet_slice state,
                               stet_slice payload, stet_buf *out,
                               stet_error *err);

/* The golden vectors: tests/golden/fold, read from the root of the tree. */

static void read_file(const char *path, stet_buf *out)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        fail_msg("open %s: run from the root of the tree", path);
    }
    size_t len = 0;
    do {
        uint8_t *room = stet__buf_extend(out, 65536);
        assert_non_null(room);
        len = fread(room, 1, 65536, file);
        out->len -= 65536 - len;
    } while (len > 0);
    assert_int_equal(fclose(file), 0);
}

static stet_slice member_text(const stet_value *object, const char *name)
{
    const stet_value *v = stet__value_member(object, stet_str(name));
    assert_non_null(v);
    assert_int_equal(v->kind, STET_VALUE_STRING);
    return v->text;
}

static void check_case(fold_fn fold, const stet_value *vector)
{
    stet_buf out;
    stet_error err = {.status = STET_OK};
    stet__buf_init(&out, &stet__heap);
    stet_status st = fold(&stet__heap, member_text(vector, "state"),
                          member_text(vector, "payload"), &out, &err);
    stet_status want = STET_OK;
    if (stet__value_member(vector, stet_str("refused")) != NULL) {
        bool is_invalid =
            stet__slice_eq(member_text(vector, "refused"), stet_str("invalid"));
        want = is_invalid ? STET_E_INVALID : STET_E_TOO_LARGE;
    }
    stet_slice result = want == STET_OK ? member_text(vector, "result")
                                        : stet_slice_of(NULL, 0);
    if (st != want || !stet__slice_eq(stet__buf_slice(&out), result)) {
        fail_msg("%s: %s %s, %.*s", (char *)member_text(vector, "name").ptr,
                 stet_status_name(st), err.text, (int)out.len,
                 out.len == 0 ? "" : (char *)out.ptr);
    }
    stet__buf_deinit(&out);
}

static void check_vectors(const char *path, const char *reducer, fold_fn fold)
{
    stet_buf text;
    stet_doc d;
    stet_value *file = NULL;
    stet__buf_init(&text, &stet__heap);
    stet__doc_init(&d, &stet__heap);
    read_file(path, &text);
    assert_int_equal(
        stet__json_read(&d, stet__buf_slice(&text), 100000, &file, NULL),
        STET_OK);
    assert_true(
        stet__slice_eq(member_text(file, "reducer"), stet_str(reducer)));
    const stet_value *cases = stet__value_member(file, stet_str("cases"));
    assert_non_null(cases);
    assert_true(cases->live > 10);
    uint32_t at = 0;
    const stet_value *vector = NULL;
    while ((vector = stet__value_next(cases, &at)) != NULL) {
        check_case(fold, vector);
    }
    stet__doc_deinit(&d);
    stet__buf_deinit(&text);
}

/* Fold 1 is on disk: these bytes must come out of every version. */
static void test_merge_gives_the_golden_bytes(void **state)
{
    (void)state;
    check_vectors("tests/golden/fold/merge.json", "merge", stet__fold_merge);
}

/* As above: assign keeps null, and looks at the top level only. */
static void test_assign_gives_the_golden_bytes(void **state)
{
    (void)state;
    check_vectors("tests/golden/fold/assign.json", "assign", stet__fold_assign);
}

/* As above: the appendix of RFC 6902, and what it leaves open. */
static void test_patch_gives_the_golden_bytes(void **state)
{
    (void)state;
    check_vectors("tests/golden/fold/patch.json", "patch", stet__fold_patch);
}

/* Random states and payloads, folded. */

static void fold_ok(fold_fn fold, const stet_buf *before,
                    const stet_buf *payload, stet_buf *after)
{
    stet__buf_reset(after);
    assert_int_equal(fold(&stet__heap, stet__buf_slice(before),
                          stet__buf_slice(payload), after, NULL),
                     STET_OK);
}

static void assert_same(const stet_buf *a, const stet_buf *b)
{
    assert_int_equal(a->len, b->len);
    assert_memory_equal(a->ptr, b->ptr, a->len);
}

static void init_bufs(stet_buf *bufs, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        stet__buf_init(&bufs[i], &stet__heap);
    }
}

static void deinit_bufs(stet_buf *bufs, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        stet__buf_deinit(&bufs[i]);
    }
}

/* A delivery that comes twice must not change a state twice. */
static void test_merge_and_assign_twice_are_once(void **state)
{
    (void)state;
    static const fold_fn folds[] = {stet__fold_merge, stet__fold_assign};
    rng r = {.state = 11};
    stet_buf bufs[4];
    init_bufs(bufs, 4);
    for (int i = 0; i < 2000; i++) {
        stet__buf_reset(&bufs[0]);
        stet__buf_reset(&bufs[1]);
        json_random_object(&r, 5, &bufs[0]);
        json_random_object(&r, 5, &bufs[1]);
        fold_fn fold = folds[i % 2];
        fold_ok(fold, &bufs[0], &bufs[1], &bufs[2]);
        fold_ok(fold, &bufs[2], &bufs[1], &bufs[3]);
        assert_same(&bufs[2], &bufs[3]);
    }
    deinit_bufs(bufs, 4);
}

/* What a member of the merged object must be, by RFC 7386's own words. */
static void check_merged(const stet_value *target, const stet_value *patch,
                         const stet_value *result);

static void check_merged_member(const stet_value *target,
                                const stet_value *patch,
                                const stet_value *result)
{
    if (patch == NULL) {
        assert_non_null(result);
        assert_true(stet__value_eq(target, result));
    } else if (patch->kind == STET_VALUE_NULL) {
        assert_null(result);
    } else {
        assert_non_null(result);
        check_merged(target, patch, result);
    }
}

static void check_merged(const stet_value *target, const stet_value *patch,
                         const stet_value *result)
{
    if (patch->kind != STET_VALUE_OBJECT) {
        assert_true(stet__value_eq(patch, result));
        return;
    }
    assert_int_equal(result->kind, STET_VALUE_OBJECT);
    const stet_value *sources[] = {target, patch, result};
    for (int i = 0; i < 3; i++) {
        uint32_t at = 0;
        const stet_value *v = NULL;
        while (sources[i] != NULL && sources[i]->kind == STET_VALUE_OBJECT &&
               (v = stet__value_next(sources[i], &at)) != NULL) {
            check_merged_member(
                target == NULL ? NULL : stet__value_member(target, v->name),
                stet__value_member(patch, v->name),
                stet__value_member(result, v->name));
        }
    }
}

static const stet_value *read_buf(stet_doc *d, const stet_buf *text)
{
    stet_value *v = NULL;
    assert_int_equal(
        stet__json_read(d, stet__buf_slice(text), 100000, &v, NULL), STET_OK);
    return v;
}

/* The iterative merge must be the recursive definition. */
static void test_merge_is_what_rfc_7386_defines(void **state)
{
    (void)state;
    rng r = {.state = 12};
    stet_buf bufs[3];
    init_bufs(bufs, 3);
    for (int i = 0; i < 2000; i++) {
        stet__buf_reset(&bufs[0]);
        stet__buf_reset(&bufs[1]);
        json_random_object(&r, 6, &bufs[0]);
        json_random_object(&r, 6, &bufs[1]);
        fold_ok(stet__fold_merge, &bufs[0], &bufs[1], &bufs[2]);
        stet_doc d;
        stet__doc_init(&d, &stet__heap);
        const stet_value *target = read_buf(&d, &bufs[0]);
        const stet_value *patch = read_buf(&d, &bufs[1]);
        check_merged(target, patch, read_buf(&d, &bufs[2]));
        stet__doc_deinit(&d);
    }
    deinit_bufs(bufs, 3);
}

/*
 * A patch on what a random object has: removes a member, moves and copies
 * others.
 */
static void put_random_patch(rng *r, stet_buf *out)
{
    stet__buf_put_str(out, "[{\"op\":\"add\",\"path\":\"/n0\",\"value\":");
    json_random_value(r, 3, out);
    stet__buf_put_str(out, "},{\"op\":\"copy\",\"from\":\"/n0\",\"path\":\"/c");
    stet__buf_printf(out, "%zu\"}", rng_below(r, 30));
    stet__buf_printf(out,
                     ",{\"op\":\"move\",\"from\":\"/n0\",\"path\":\"/n%zu\"}",
                     rng_below(r, 8));
    stet__buf_put_str(out, "]");
}

/* A history read in one go must give what reading it event by event gives. */
static void test_a_folder_equals_folding_one_by_one(void **state)
{
    (void)state;
    rng r = {.state = 13};
    stet_folder *f = NULL;
    assert_int_equal(stet__folder_create(&stet__heap, &f, NULL), STET_OK);
    stet_buf bufs[4];
    init_bufs(bufs, 4);
    for (int history = 0; history < 100; history++) {
        stet_buf *now = &bufs[0];
        stet_buf *next = &bufs[1];
        stet__buf_reset(now);
        json_random_object(&r, 5, now);
        assert_int_equal(stet__folder_load(f, stet__buf_slice(now), NULL),
                         STET_OK);
        for (int event = 0; event < 40; event++) {
            stet_reducer reducer =
                (stet_reducer)(STET_REDUCER_MERGE + rng_below(&r, 3));
            stet_buf *payload = &bufs[2];
            stet__buf_reset(payload);
            if (reducer == STET_REDUCER_PATCH) {
                put_random_patch(&r, payload);
            } else {
                json_random_object(&r, 4, payload);
            }
            assert_int_equal(
                stet__folder_apply(f, reducer, stet__buf_slice(payload), NULL),
                STET_OK);
            fold_ok(reducer == STET_REDUCER_MERGE    ? stet__fold_merge
                    : reducer == STET_REDUCER_ASSIGN ? stet__fold_assign
                                                     : stet__fold_patch,
                    now, payload, next);
            stet_buf *swap = now;
            now = next;
            next = swap;
        }
        stet__buf_reset(&bufs[3]);
        assert_int_equal(stet__folder_write(f, &bufs[3], NULL), STET_OK);
        assert_same(now, &bufs[3]);
    }
    deinit_bufs(bufs, 4);
    stet__folder_destroy(f);
    stet__folder_destroy(NULL);
}

/* Objects grow and shrink past where members are indexed and gaps closed. */
static void test_many_members_come_and_go_in_order(void **state)
{
    (void)state;
    stet_folder *f = NULL;
    stet_buf text;
    stet__buf_init(&text, &stet__heap);
    assert_int_equal(stet__folder_create(&stet__heap, &f, NULL), STET_OK);
    assert_int_equal(stet__folder_load(f, stet_str("{\"first\":1}"), NULL),
                     STET_OK);
    for (int i = 0; i < 500; i++) {
        stet__buf_reset(&text);
        stet__buf_printf(&text, "{\"n%d\":%d", i, i);
        if (i >= 20) {
            stet__buf_printf(&text, ",\"n%d\":null", i - 20);
        }
        stet__buf_put_u8(&text, '}');
        assert_int_equal(stet__folder_apply(f, STET_REDUCER_MERGE,
                                            stet__buf_slice(&text), NULL),
                         STET_OK);
    }
    stet_buf want;
    stet__buf_init(&want, &stet__heap);
    stet__buf_put_str(&want, "{\"first\":1");
    for (int i = 480; i < 500; i++) {
        stet__buf_printf(&want, ",\"n%d\":%d", i, i);
    }
    stet__buf_put_u8(&want, '}');
    stet__buf_reset(&text);
    assert_int_equal(stet__folder_write(f, &text, NULL), STET_OK);
    assert_same(&text, &want);
    stet__buf_deinit(&want);
    stet__buf_deinit(&text);
    stet__folder_destroy(f);
}

/* Fine merges must never add up to a state that cannot be read again. */
static void test_a_state_may_outgrow_what_a_payload_may_be(void **state)
{
    (void)state;
    stet_buf bufs[3];
    init_bufs(bufs, 3);
    for (int i = 0; i < 2; i++) {
        stet__buf_printf(&bufs[i], "{\"a%d\":[0", i);
        for (int k = 0; k < 600000; k++) {
            stet__buf_put_str(&bufs[i], ",0");
        }
        stet__buf_put_str(&bufs[i], "]}");
    }
    fold_ok(stet__fold_merge, &bufs[0], &bufs[1], &bufs[2]);
    stet__buf_reset(&bufs[0]);
    stet__buf_put_str(&bufs[0], "{\"b\":1}");
    fold_ok(stet__fold_merge, &bufs[2], &bufs[0], &bufs[1]);
    assert_int_equal(bufs[1].len, bufs[2].len + 6);
    stet_error err;
    assert_int_equal(stet__fold_merge(&stet__heap, stet_str("{}"),
                                      stet__buf_slice(&bufs[2]), &bufs[0],
                                      &err),
                     STET_E_TOO_LARGE);
    assert_string_equal(err.text, "payload: json has more than 1000000 values");
    deinit_bufs(bufs, 3);
}

/* Fold twice one member into others; say what the second copy answers. */
static stet_status copy_twice(const stet_buf *before)
{
    static const char once[] = "[{\"op\":\"copy\",\"from\":\"/a\","
                               "\"path\":\"/b\"}]";
    static const char twice[] = "[{\"op\":\"copy\",\"from\":\"/a\","
                                "\"path\":\"/b\"},"
                                "{\"op\":\"copy\",\"from\":\"/a\","
                                "\"path\":\"/c\"}]";
    stet_buf out;
    stet__buf_init(&out, &stet__heap);
    assert_int_equal(stet__fold_patch(&stet__heap, stet__buf_slice(before),
                                      stet_str(once), &out, NULL),
                     STET_OK);
    stet_status st = stet__fold_patch(&stet__heap, stet__buf_slice(before),
                                      stet_str(twice), &out, NULL);
    stet__buf_deinit(&out);
    return st;
}

/* A payload of a few bytes must not fill the memory. */
static void test_copies_are_limited_in_values_and_in_text(void **state)
{
    (void)state;
    stet_buf before;
    stet__buf_init(&before, &stet__heap);
    stet__buf_put_str(&before, "{\"a\":[0");
    for (int i = 0; i < 600000; i++) {
        stet__buf_put_str(&before, ",0");
    }
    stet__buf_put_str(&before, "]}");
    assert_int_equal(copy_twice(&before), STET_E_TOO_LARGE);

    size_t bytes = (size_t)40 << 20;
    stet__buf_reset(&before);
    stet__buf_put_str(&before, "{\"a\":\"");
    memset(stet__buf_extend(&before, bytes), 'x', bytes);
    stet__buf_put_str(&before, "\"}");
    assert_int_equal(copy_twice(&before), STET_E_TOO_LARGE);
    stet__buf_deinit(&before);
}

/* Who reads the message must know which text to look into. */
static void test_errors_name_state_payload_and_operation(void **state)
{
    (void)state;
    stet_error err;
    stet_buf out;
    stet__buf_init(&out, &stet__heap);
    assert_int_equal(stet__fold_merge(&stet__heap, stet_str("[1]"),
                                      stet_str("{}"), &out, &err),
                     STET_E_INVALID);
    assert_string_equal(err.text, "state: not a json object");
    assert_int_equal(stet__fold_assign(&stet__heap, stet_str("{}"),
                                       stet_str("3"), &out, &err),
                     STET_E_INVALID);
    assert_string_equal(err.text, "payload: not a json object");
    assert_int_equal(
        stet__fold_patch(&stet__heap, stet_str("{}"),
                         stet_str("[{\"op\":\"add\",\"path\":\"/a\","
                                  "\"value\":1},"
                                  "{\"op\":\"remove\",\"path\":\"/b/c\"}]"),
                         &out, &err),
        STET_E_INVALID);
    assert_string_equal(
        err.text, "payload: operation 1: remove \"/b/c\": nothing is there");
    assert_int_equal(
        stet__fold_patch(&stet__heap, stet_str("{}"),
                         stet_str("[{\"op\":\"add\",\"path\":\"x\"}]"), &out,
                         &err),
        STET_E_INVALID);
    assert_string_equal(err.text,
                        "payload: operation 0: \"path\" is no json pointer");
    assert_int_equal(out.len, 0);
    stet__buf_deinit(&out);
}

/* Appending is how several states share a buffer. */
static void test_the_result_is_appended_and_nothing_on_failure(void **state)
{
    (void)state;
    stet_buf out;
    stet__buf_init(&out, &stet__heap);
    stet__buf_put_str(&out, "before");
    assert_int_equal(stet__fold_merge(&stet__heap, stet_str("{"),
                                      stet_str("{}"), &out, NULL),
                     STET_E_INVALID);
    assert_int_equal(stet__fold_merge(&stet__heap, stet_str(""),
                                      stet_str("{\"a\":1}"), &out, NULL),
                     STET_OK);
    assert_int_equal(out.len, 13);
    assert_memory_equal(out.ptr, "before{\"a\":1}", 13);
    stet__buf_deinit(&out);
}

/* One history with every reducer, whose every allocation may fail. */
static stet_status fold_history(const stet_allocator *a, const stet_buf *texts,
                                stet_buf *out, stet_error *err)
{
    stet_folder *f = NULL;
    stet_status st = stet__folder_create(a, &f, err);
    if (st == STET_OK) {
        st = stet__folder_load(f, stet__buf_slice(&texts[0]), err);
    }
    for (int i = 0; i < 3 && st == STET_OK; i++) {
        st = stet__folder_apply(f, (stet_reducer)(STET_REDUCER_MERGE + i),
                                stet__buf_slice(&texts[1 + i]), err);
    }
    if (st == STET_OK) {
        st = stet__folder_write(f, out, err);
    }
    stet__folder_destroy(f);
    return st;
}

/* Fail each allocation of a history in turn; else the result is `want`. */
static void fail_each_allocation(const stet_buf *texts, const stet_buf *want)
{
    bool is_hit = true;
    for (size_t nth = 1; is_hit; nth++) {
        failalloc f;
        failalloc_init(&f, nth);
        stet_allocator a = failalloc_allocator(&f);
        stet_buf out;
        stet_error err = {.status = STET_OK};
        stet__buf_init(&out, &a);
        stet_status st = fold_history(&a, texts, &out, &err);
        is_hit = f.is_hit;
        assert_int_equal(st, is_hit ? STET_E_NOMEM : STET_OK);
        assert_int_equal(err.status, st);
        assert_int_equal(out.len, is_hit ? 0 : want->len);
        assert_false(out.is_failed);
        if (!is_hit) {
            assert_same(&out, want);
        }
        stet__buf_deinit(&out);
        failalloc_assert_clean(&f);
    }
}

/* Objects of `members` that share some names, and a patch. */
static void put_history(rng *r, int members, stet_buf *texts)
{
    for (int i = 0; i < 3; i++) {
        stet__buf_put_str(&texts[i], "{\"wide\":{");
        for (int k = 0; k < members; k++) {
            stet__buf_printf(&texts[i], "\"k%d\":", k + members / 3 * i);
            json_random_value(r, 3, &texts[i]);
            stet__buf_put_u8(&texts[i], ',');
        }
        stet__buf_put_str(&texts[i], "\"z\":0}}");
    }
    put_random_patch(r, &texts[3]);
}

/*
 * A fold that runs out of memory gives nothing, and leaks nothing. Memory comes
 * in large blocks: so that each place asks for one, sizes are many.
 */
static void test_no_allocation_failure_gives_a_wrong_state(void **state)
{
    (void)state;
    rng r = {.state = 14};
    for (int members = 100; members > 0; members--) {
        stet_buf texts[4];
        stet_buf want;
        init_bufs(texts, 4);
        put_history(&r, members, texts);
        stet__buf_init(&want, &stet__heap);
        if (fold_history(&stet__heap, texts, &want, NULL) == STET_OK) {
            fail_each_allocation(texts, &want);
        }
        stet__buf_deinit(&want);
        deinit_bufs(texts, 4);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_merge_gives_the_golden_bytes),
        cmocka_unit_test(test_assign_gives_the_golden_bytes),
        cmocka_unit_test(test_patch_gives_the_golden_bytes),
        cmocka_unit_test(test_merge_and_assign_twice_are_once),
        cmocka_unit_test(test_merge_is_what_rfc_7386_defines),
        cmocka_unit_test(test_a_folder_equals_folding_one_by_one),
        cmocka_unit_test(test_many_members_come_and_go_in_order),
        cmocka_unit_test(test_a_state_may_outgrow_what_a_payload_may_be),
        cmocka_unit_test(test_copies_are_limited_in_values_and_in_text),
        cmocka_unit_test(test_errors_name_state_payload_and_operation),
        cmocka_unit_test(test_the_result_is_appended_and_nothing_on_failure),
        cmocka_unit_test(test_no_allocation_failure_gives_a_wrong_state),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
