#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "core/doc.h"
#include "core/json.h"
#include "lib/failalloc.h"
#include "lib/json_random.h"

enum { NAMES = 60 };

static const char *name_of(size_t i)
{
    static char names[NAMES][8];
    snprintf(names[i], sizeof names[i], "n%zu", i);
    return names[i];
}

static stet_value *new_named(stet_doc *d, size_t i)
{
    stet_value *v = stet__value_new(d, STET_VALUE_NULL);
    assert_non_null(v);
    v->name = stet_str(name_of(i));
    return v;
}

static size_t list_find(stet_value *const *list, size_t count, stet_slice name)
{
    size_t i = 0;
    while (i < count && !stet__slice_eq(list[i]->name, name)) {
        i++;
    }
    return i;
}

static void list_remove(stet_value **list, size_t *count, size_t i)
{
    (*count)--;
    memmove(&list[i], &list[i + 1], (*count - i) * sizeof *list);
}

static void assert_holds(const stet_value *container, stet_value *const *list,
                         size_t count)
{
    uint32_t at = 0;
    assert_int_equal(container->live, count);
    for (size_t i = 0; i < count; i++) {
        assert_ptr_equal(stet__value_next(container, &at), list[i]);
    }
    assert_null(stet__value_next(container, &at));
}

/* Order, and being found by name, through index, gaps and replacements. */
static void test_an_object_is_a_list_without_twins(void **state)
{
    (void)state;
    rng r = {.state = 41};
    stet_doc d;
    stet__doc_init(&d, &stet__heap);
    stet_value *object = stet__value_new(&d, STET_VALUE_OBJECT);
    stet_value *list[NAMES];
    size_t count = 0;
    for (int i = 0; i < 20000; i++) {
        /* Grow and shrink by turns, past the limit of the index. */
        size_t likely_put = i / 300 % 2 == 0 ? 3 : 1;
        stet_value *v = new_named(&d, rng_below(&r, NAMES));
        size_t old = list_find(list, count, v->name);
        assert_ptr_equal(stet__value_member(object, v->name),
                         old == count ? NULL : list[old]);
        if (rng_below(&r, 4) < likely_put) {
            assert_true(stet__value_put(&d, object, v));
            count += old == count ? 1 : 0;
            list[old] = v;
        } else if (old < count) {
            stet__value_remove_member(object, list[old]);
            list_remove(list, &count, old);
        }
        assert_holds(object, list, count);
    }
    stet__doc_deinit(&d);
}

/* Elements are addressed by index: each must be where it was put. */
static void test_an_array_is_a_list(void **state)
{
    (void)state;
    rng r = {.state = 42};
    stet_doc d;
    stet__doc_init(&d, &stet__heap);
    stet_value *array = stet__value_new(&d, STET_VALUE_ARRAY);
    stet_value *list[200];
    size_t count = 0;
    for (int i = 0; i < 5000; i++) {
        size_t at = rng_below(&r, count + 1);
        if (count < 200 && rng_below(&r, 5) < 3) {
            stet_value *v = stet__value_new(&d, STET_VALUE_TRUE);
            assert_true(stet__value_insert(&d, array, (uint32_t)at, v));
            memmove(&list[at + 1], &list[at], (count - at) * sizeof *list);
            list[at] = v;
            count++;
        } else if (at < count) {
            stet__value_remove_element(array, (uint32_t)at);
            list_remove(list, &count, at);
        }
        assert_holds(array, list, count);
    }
    stet__doc_deinit(&d);
}

/* What a token names depends on what it is looked up in. */
static void test_a_step_goes_by_name_or_by_index(void **state)
{
    (void)state;
    stet_doc d;
    stet_value *v = NULL;
    stet__doc_init(&d, &stet__heap);
    static const char text[] = "{\"0\":[true,null],\"\":1}";
    assert_int_equal(stet__json_read(&d, stet_str(text), 100, &v, NULL),
                     STET_OK);
    const stet_value *array = stet__value_step(v, stet_str("0"));
    assert_non_null(array);
    assert_int_equal(array->kind, STET_VALUE_ARRAY);
    assert_non_null(stet__value_step(v, stet_str("")));
    assert_null(stet__value_step(v, stet_str("1")));
    assert_int_equal(stet__value_step(array, stet_str("1"))->kind,
                     STET_VALUE_NULL);
    assert_null(stet__value_step(array, stet_str("2")));
    assert_null(stet__value_step(array, stet_str("")));
    assert_null(stet__value_step(array->items[0], stet_str("0")));
    stet__doc_deinit(&d);
}

/* The depth of a result is checked by adding heights. */
static void test_the_height_is_the_deepest_nesting(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint32_t height;
    } rows[] = {{"1", 0},
                {"[]", 1},
                {"{\"a\":1}", 1},
                {"[[],[[{}]],[]]", 4},
                {"{\"a\":{\"b\":[1]},\"c\":[]}", 3}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        stet_doc d;
        stet_value *v = NULL;
        stet__doc_init(&d, &stet__heap);
        assert_int_equal(
            stet__json_read(&d, stet_str(rows[i].text), 100, &v, NULL),
            STET_OK);
        assert_int_equal(stet__value_height(v), rows[i].height);
        stet__doc_deinit(&d);
    }
}

/* Change one random value inside `v`; false: it has none to change. */
static bool change_one(rng *r, stet_value *v)
{
    while (stet__value_is_container(v) && v->live > 0) {
        uint32_t at = (uint32_t)rng_below(r, v->used);
        stet_value *next = stet__value_next(v, &at);
        at = 0;
        v = next == NULL ? stet__value_next(v, &at) : next;
    }
    if (stet__value_is_container(v)) {
        return false;
    }
    v->kind = STET_VALUE_STRING;
    v->text = stet_str("changed");
    return true;
}

/* A copy is equal until one of the two is changed, and then the other stays. */
static void test_a_copy_is_equal_and_apart(void **state)
{
    (void)state;
    rng r = {.state = 43};
    stet_buf text;
    stet__buf_init(&text, &stet__heap);
    for (int i = 0; i < 1000; i++) {
        stet_doc d;
        stet_value *v = NULL;
        stet_value *copy = NULL;
        stet_value *again = NULL;
        stet_copy_budget budget = {.values = 100000, .text_bytes = 1 << 20};
        stet__doc_init(&d, &stet__heap);
        stet__buf_reset(&text);
        json_random_value(&r, 6, &text);
        assert_int_equal(
            stet__json_read(&d, stet__buf_slice(&text), 100000, &v, NULL),
            STET_OK);
        assert_int_equal(stet__value_copy(&d, v, &budget, &copy), STET_OK);
        assert_int_equal(stet__value_copy(&d, copy, &budget, &again), STET_OK);
        assert_true(stet__value_eq(v, copy));
        if (change_one(&r, copy)) {
            assert_false(stet__value_eq(v, copy));
            assert_false(stet__value_eq(copy, v));
        }
        assert_true(stet__value_eq(v, again));
        stet__doc_deinit(&d);
    }
    stet__buf_deinit(&text);
}

/* Grow an object from 12 members to 40; how many are in at the end. */
static size_t put_many(stet_doc *d, stet_value *object)
{
    for (size_t i = 12; i < 40; i++) {
        stet_value *v = stet__value_new(d, STET_VALUE_TRUE);
        if (v == NULL) {
            return i;
        }
        v->name = stet_str(name_of(i));
        if (!stet__value_put(d, object, v)) {
            return i;
        }
    }
    return 40;
}

/*
 * A put that finds no memory must leave the object usable. Memory comes in
 * blocks: what is allocated first moves their ends over every allocation.
 */
static void test_a_failed_put_changes_nothing(void **state)
{
    (void)state;
    size_t failures = 0;
    for (size_t ahead = 16; ahead < 4096; ahead += 16) {
        failalloc f;
        failalloc_init(&f, 2);
        stet_allocator a = failalloc_allocator(&f);
        stet_doc d;
        stet__doc_init(&d, &a);
        assert_non_null(stet__arena_alloc(&d.arena, ahead));
        stet_value *object = stet__value_new(&d, STET_VALUE_OBJECT);
        size_t count = 0;
        for (; object != NULL && count < 12 && !f.is_hit; count++) {
            stet_value *v = stet__value_new(&d, STET_VALUE_NULL);
            if (v != NULL) {
                v->name = stet_str(name_of(count));
            }
            if (v == NULL || !stet__value_put(&d, object, v)) {
                break;
            }
        }
        if (!f.is_hit) {
            count = put_many(&d, object);
            failures += f.is_hit ? 1 : 0;
            assert_int_equal(object->live, count);
            for (size_t i = 0; i < 40; i++) {
                stet_value *found =
                    stet__value_member(object, stet_str(name_of(i)));
                assert_int_equal(found != NULL, i < count);
            }
            (void)put_many(&d, object); /* there is memory again */
            assert_int_equal(object->live, 40);
        }
        stet__doc_deinit(&d);
        failalloc_assert_clean(&f);
    }
    assert_true(failures > 100);
}

/* A copy that finds no memory or is over its budget gives no copy. */
static void test_a_failed_copy_gives_nothing(void **state)
{
    (void)state;
    rng r = {.state = 44};
    stet_buf text;
    stet_doc source;
    stet_value *v = NULL;
    stet__buf_init(&text, &stet__heap);
    stet__doc_init(&source, &stet__heap);
    stet__buf_put_str(&text, "[[true,[\"four\"]],{\"wide\":{");
    for (int i = 0; i < 20; i++) {
        stet__buf_printf(&text, "\"k%d\":", i);
        json_random_value(&r, 2, &text);
        stet__buf_put_u8(&text, ',');
    }
    stet__buf_put_str(&text, "\"z\":0}}]");
    assert_int_equal(
        stet__json_read(&source, stet__buf_slice(&text), 1000, &v, NULL),
        STET_OK);
    size_t failures = 0;
    for (size_t ahead = 16; ahead < 4096; ahead += 16) {
        failalloc f;
        failalloc_init(&f, 2);
        stet_allocator a = failalloc_allocator(&f);
        stet_copy_budget budget = {.values = 1000, .text_bytes = 1000};
        stet_value *copy = NULL;
        stet_doc d;
        stet__doc_init(&d, &a);
        assert_non_null(stet__arena_alloc(&d.arena, ahead));
        stet_status st = stet__value_copy(&d, v, &budget, &copy);
        failures += f.is_hit ? 1 : 0;
        assert_int_equal(st, f.is_hit ? STET_E_NOMEM : STET_OK);
        assert_true((copy == NULL) == f.is_hit);
        stet__doc_deinit(&d);
        failalloc_assert_clean(&f);
    }
    assert_true(failures > 100);

    const stet_value *four = v->items[0]->items[1];
    stet_copy_budget budget = {.values = 2, .text_bytes = 4};
    stet_value *copy = NULL;
    assert_int_equal(stet__value_copy(&source, four, &budget, &copy), STET_OK);
    assert_int_equal(budget.values, 0);
    assert_int_equal(budget.text_bytes, 0);
    copy = NULL;
    budget = (stet_copy_budget){.values = 1, .text_bytes = 4};
    assert_int_equal(stet__value_copy(&source, four, &budget, &copy),
                     STET_E_TOO_LARGE);
    budget = (stet_copy_budget){.values = 2, .text_bytes = 3};
    assert_int_equal(stet__value_copy(&source, four, &budget, &copy),
                     STET_E_TOO_LARGE);
    assert_null(copy);
    stet__doc_deinit(&source);
    stet__buf_deinit(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_object_is_a_list_without_twins),
        cmocka_unit_test(test_an_array_is_a_list),
        cmocka_unit_test(test_a_step_goes_by_name_or_by_index),
        cmocka_unit_test(test_the_height_is_the_deepest_nesting),
        cmocka_unit_test(test_a_copy_is_equal_and_apart),
        cmocka_unit_test(test_a_failed_put_changes_nothing),
        cmocka_unit_test(test_a_failed_copy_gives_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
