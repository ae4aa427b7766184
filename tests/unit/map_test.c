#include "base/map.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "lib/failalloc.h"
#include "lib/rng.h"

enum { ITEM_COUNT = 600 };

typedef struct item {
    uint64_t hash;
    size_t key;
    bool is_in; /* the naive model: is it in the map? */
    bool is_seen;
} item;

static bool has_key(const void *ptr, const void *key)
{
    const item *it = ptr;
    return it->key == *(const size_t *)key;
}

/* Items with `hash_count` different hashes that share their low bits. */
static void make_items(rng *r, item items[ITEM_COUNT], size_t hash_count)
{
    uint64_t low = rng_next(r);
    for (size_t i = 0; i < ITEM_COUNT; i++) {
        uint64_t hash = low + (uint64_t)rng_below(r, hash_count);
        hash ^= (uint64_t)rng_below(r, 2) << 40;
        items[i] = (item){.hash = hash, .key = i};
    }
}

static void assert_equals_model(const stet_map *m, item items[ITEM_COUNT])
{
    size_t count = 0;
    for (size_t i = 0; i < ITEM_COUNT; i++) {
        item *it = &items[i];
        it->is_seen = false;
        count += it->is_in;
        assert_ptr_equal(stet__map_find(m, it->hash, &it->key, has_key),
                         it->is_in ? it : NULL);
    }
    assert_int_equal(m->count, count);
    size_t cursor = 0;
    item *it = NULL;
    while ((it = stet__map_next(m, &cursor)) != NULL) {
        assert_true(it->is_in);
        assert_false(it->is_seen);
        it->is_seen = true;
        count--;
    }
    assert_int_equal(count, 0);
}

/* Put it in when it is out, take it out when it is in. */
static void toggle(stet_map *m, item *it)
{
    if (it->is_in) {
        assert_true(stet__map_remove(m, it->hash, it));
    } else {
        assert_true(stet__map_reserve(m));
        stet__map_put(m, it->hash, it);
    }
    it->is_in = !it->is_in;
}

/*
 * Machines are found through this map, so one lost in a run of collisions, or
 * behind a removal, would be an empty machine.
 */
static void test_map_equals_a_naive_set_under_any_operations(void **state)
{
    (void)state;
    static const size_t hash_counts[] = {1, 3, 20, 400, 1000000};
    static item items[ITEM_COUNT];
    rng r = {7};
    for (size_t h = 0; h < 5; h++) {
        failalloc f;
        failalloc_init(&f, 0);
        stet_allocator a = failalloc_allocator(&f);
        stet_map m;
        stet__map_init(&m, &a);
        make_items(&r, items, hash_counts[h]);
        for (int round = 0; round < 6000; round++) {
            /* Grow and shrink in turns, over few items and over all. */
            size_t among = (round / 1500) % 2 == 0 ? ITEM_COUNT : 20;
            toggle(&m, &items[rng_below(&r, among)]);
            if (round % 50 == 0) {
                assert_equals_model(&m, items);
            }
        }
        assert_equals_model(&m, items);
        stet__map_deinit(&m);
        failalloc_assert_clean(&f);
    }
}

/* A commit reserves in front, so that publishing cannot fail half-way. */
static void test_put_after_reserve_never_allocates(void **state)
{
    (void)state;
    static item items[ITEM_COUNT];
    rng r = {8};
    failalloc f;
    failalloc_init(&f, 0);
    stet_allocator a = failalloc_allocator(&f);
    stet_map m;
    stet__map_init(&m, &a);
    make_items(&r, items, ITEM_COUNT);
    for (size_t i = 0; i < ITEM_COUNT; i++) {
        assert_true(stet__map_reserve(&m));
        size_t calls = f.calls;
        stet__map_put(&m, items[i].hash, &items[i]);
        assert_int_equal(f.calls, calls);
        assert_true(m.count <= m.cap / 8 * 7);
    }
    stet__map_deinit(&m);
    failalloc_assert_clean(&f);
}

/* A table that could not grow still holds and finds all it had. */
static void test_failed_reserve_changes_nothing(void **state)
{
    (void)state;
    static item items[ITEM_COUNT];
    rng r = {9};
    for (size_t nth = 1;; nth++) {
        failalloc f;
        failalloc_init(&f, nth);
        stet_allocator a = failalloc_allocator(&f);
        stet_map m;
        stet__map_init(&m, &a);
        make_items(&r, items, ITEM_COUNT);
        for (size_t i = 0; i < ITEM_COUNT; i++) {
            bool was_hit = f.is_hit;
            if (!stet__map_reserve(&m)) {
                assert_true(f.is_hit && !was_hit);
                assert_equals_model(&m, items);
                assert_true(stet__map_reserve(&m));
            }
            toggle(&m, &items[i]);
        }
        assert_equals_model(&m, items);
        stet__map_deinit(&m);
        failalloc_assert_clean(&f);
        if (!f.is_hit) {
            break;
        }
    }
}

/* Two items may share a hash: taking out one must not take the other. */
static void test_remove_takes_out_this_very_item(void **state)
{
    (void)state;
    item twins[3] = {{.hash = 5, .key = 1}, {.hash = 5, .key = 2}, {.hash = 5}};
    stet_map m;
    stet__map_init(&m, &stet__heap);
    assert_false(stet__map_remove(&m, 5, &twins[0]));
    assert_true(stet__map_reserve(&m));
    stet__map_put(&m, 5, &twins[0]);
    assert_true(stet__map_reserve(&m));
    stet__map_put(&m, 5, &twins[1]);
    assert_false(stet__map_remove(&m, 5, &twins[2]));
    assert_true(stet__map_remove(&m, 5, &twins[0]));
    assert_false(stet__map_remove(&m, 5, &twins[0]));
    assert_ptr_equal(stet__map_find(&m, 5, &twins[1].key, has_key), &twins[1]);
    assert_null(stet__map_find(&m, 5, &twins[0].key, has_key));
    stet__map_deinit(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_map_equals_a_naive_set_under_any_operations),
        cmocka_unit_test(test_put_after_reserve_never_allocates),
        cmocka_unit_test(test_failed_reserve_changes_nothing),
        cmocka_unit_test(test_remove_takes_out_this_very_item),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
