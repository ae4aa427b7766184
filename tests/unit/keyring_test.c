#include "engine/keyring.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "lib/failalloc.h"

/* The key of a position; hashes of it are as good as any. */
static void put_key(uint8_t key[16], uint64_t position)
{
    stet__put_u64le(key, position * 0x9e3779b97f4a7c15U);
    stet__put_u64le(key + 8, position);
}

/* Give the ring room for one more, as its user does; false: no memory. */
static bool make_room(stet_keyring *k)
{
    size_t slots = stet__keyring_wants(k);
    stet_map larger;
    if (slots == 0) {
        return true;
    }
    if (!stet__map_init_slots(&larger, k->alloc, slots)) {
        return false;
    }
    stet__keyring_grow(k, &larger);
    stet__map_deinit(&larger);
    return stet__keyring_wants(k) == 0;
}

static void put(stet_keyring *k, uint64_t position)
{
    stet_key_item *item = stet__alloc(k->alloc, sizeof *item);
    assert_non_null(item);
    put_key(item->key, position);
    item->check = ~position;
    item->position = position;
    assert_true(make_room(k));
    stet__keyring_put(k, item);
}

static bool has(const stet_keyring *k, uint64_t position)
{
    uint8_t key[16];
    put_key(key, position);
    const stet_key_item *found = stet__keyring_find(k, key);
    assert_true(found == NULL ||
                (found->position == position && found->check == ~position));
    return found != NULL;
}

/*
 * A key is known to the ring or lies below its floor, where the log knows it:
 * if ever one were in neither, a retry would be stored twice.
 */
static void test_every_key_is_on_the_ring_or_published_below_its_floor(void **s)
{
    (void)s;
    failalloc f;
    failalloc_init(&f, 0);
    stet_allocator a = failalloc_allocator(&f);
    stet_keyring k;
    stet__keyring_init(&k, &a, 100);
    uint64_t watermark = 100;
    for (uint64_t position = 100; position < 6000; position += 3) {
        put(&k, position);
        watermark = position > 2500 ? position - 2000 : watermark;
        stet_key_item *gone = stet__keyring_trim(&k, watermark);
        for (const stet_key_item *g = gone; g != NULL; g = g->next) {
            assert_true(g->position < watermark && g->position < k.floor);
        }
        stet__key_items_free(&a, gone);
        assert_true(k.floor <= watermark);
        if (position % 50 == 0) {
            for (uint64_t p = 100; p <= position; p += 3) {
                assert_int_equal(has(&k, p), p >= k.floor);
            }
        }
    }
    assert_true(k.floor > 100);
    assert_true(k.count >= STET_KEYRING_KEPT);
    assert_false(has(&k, 101)); /* never put */
    stet__keyring_deinit(&k);
    failalloc_assert_clean(&f);
}

/* What is not durable is kept, however much of it there is. */
static void test_no_pending_key_is_let_go(void **state)
{
    (void)state;
    stet_keyring k;
    stet__keyring_init(&k, &stet__heap, 1);
    for (uint64_t position = 1; position <= 3 * STET_KEYRING_KEPT; position++) {
        put(&k, position);
    }
    assert_null(stet__keyring_trim(&k, 1));
    stet_key_item *gone = stet__keyring_trim(&k, UINT64_MAX);
    size_t count = 0;
    for (const stet_key_item *g = gone; g != NULL; g = g->next) {
        count++;
    }
    assert_int_equal(count, 2 * STET_KEYRING_KEPT);
    assert_int_equal(k.floor, 2 * STET_KEYRING_KEPT + 1);
    stet__key_items_free(&stet__heap, gone);
    stet__keyring_deinit(&k);
}

/* Two callers find it full and both make a larger map; one comes too late. */
static void test_a_ring_that_grew_meanwhile_keeps_its_keys(void **state)
{
    (void)state;
    stet_keyring k;
    stet__keyring_init(&k, &stet__heap, 1);
    uint64_t position = 1;
    do {
        put(&k, position++);
    } while (stet__keyring_wants(&k) == 0);
    stet_map late;
    assert_true(
        stet__map_init_slots(&late, &stet__heap, stet__keyring_wants(&k)));
    put(&k, position++);
    stet__keyring_grow(&k, &late);
    stet__map_deinit(&late);
    for (uint64_t p = 1; p < position; p++) {
        assert_true(has(&k, p));
    }
    stet__keyring_deinit(&k);
}

/* Reserving is told apart from putting, which happens under a lock. */
static void test_a_ring_without_memory_says_so_and_keeps_its_keys(void **state)
{
    (void)state;
    for (size_t nth = 1;; nth++) {
        failalloc f;
        failalloc_init(&f, 0);
        stet_allocator a = failalloc_allocator(&f);
        stet_keyring k;
        stet__keyring_init(&k, &a, 1);
        stet_key_item items[64];
        f.nth = nth;
        uint64_t count = 0;
        while (count < 64 && make_room(&k)) {
            items[count] = (stet_key_item){.position = count + 1};
            put_key(items[count].key, count + 1);
            items[count].check = ~(count + 1);
            stet__keyring_put(&k, &items[count]);
            count++;
        }
        assert_int_equal(count < 64, atomic_load(&f.is_hit));
        for (uint64_t p = 1; p <= 64; p++) {
            assert_int_equal(has(&k, p), p <= count);
        }
        k.oldest = NULL; /* the items are this frame's */
        stet__keyring_deinit(&k);
        failalloc_assert_clean(&f);
        if (!atomic_load(&f.is_hit)) {
            break;
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            test_every_key_is_on_the_ring_or_published_below_its_floor),
        cmocka_unit_test(test_no_pending_key_is_let_go),
        cmocka_unit_test(test_a_ring_that_grew_meanwhile_keeps_its_keys),
        cmocka_unit_test(test_a_ring_without_memory_says_so_and_keeps_its_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
