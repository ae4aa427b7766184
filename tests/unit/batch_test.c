#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "formats/batch.h"
#include "lib/failalloc.h"

static stet_item item_of(const char *id, const char *payload)
{
    stet_item item = {.change = {.struct_size = sizeof(stet_change),
                                 .verb = STET_VERB_SAVE,
                                 .id = stet_str(id),
                                 .payload = stet_str(payload)},
                      .kind = STET_EVENT_SAVED,
                      .line = 7};
    return item;
}

static stet_import_batch *open_batch(const char *prefix)
{
    stet_import_opts opts = {
        .format = STET_FORMAT_JSONL, .prefix = stet_str(prefix), .ns = 3};
    stet_import_batch *b = NULL;
    assert_int_equal(stet__batch_create(&stet__heap, &opts, &b, NULL), STET_OK);
    return b;
}

static void add(stet_import_batch *b, stet_item item)
{
    assert_false(stet__batch_is_full_for(b, &item));
    assert_int_equal(stet__batch_add(b, &item, NULL), STET_OK);
}

/* The key of the batch so far. */
static const char *key_of(stet_import_batch *b)
{
    static char key[80];
    const stet_batch *batch = stet__batch_peek(b);
    assert_non_null(batch);
    assert_true(batch->key.len < sizeof key);
    memcpy(key, batch->key.ptr, batch->key.len);
    key[batch->key.len] = '\0';
    return key;
}

/* Parsers lend their slices for the call only. */
static void test_a_batch_owns_what_it_was_given(void **state)
{
    (void)state;
    char id[] = "a";
    char payload[] = "{\"x\":1}";
    stet_import_batch *b = open_batch("p:");
    assert_null(stet__batch_peek(b));
    add(b, item_of(id, payload));
    memset(id, '!', sizeof id);
    memset(payload, '!', sizeof payload);
    const stet_batch *batch = stet__batch_peek(b);
    assert_int_equal(batch->change_count, 1);
    const stet_change *c = &batch->changes[0];
    assert_true(stet__slice_eq(c->id, stet_str("p:a")));
    assert_true(stet__slice_eq(c->payload, stet_str("{\"x\":1}")));
    assert_int_equal(c->ns, 3);
    assert_int_equal(c->verb, STET_VERB_SAVE);
    stet__batch_destroy(b);
}

/* Two imports of one file must ask for the same; so the bytes are frozen. */
static void test_the_key_is_a_function_of_the_content(void **state)
{
    (void)state;
    stet_import_batch *b = open_batch("");
    add(b, item_of("a", "1"));
    assert_string_equal(
        key_of(b),
        "import-"
        "27d53118e98b3a48b5afe8c8d3e951bce03973b6bb4ee4b09d6b7e883a4666ad");
    add(b, item_of("b", "2"));
    assert_string_equal(
        key_of(b),
        "import-"
        "9539ce67c2f2200a9430d1c40ed473eff4b5ce3f3cf3c7c6ba77ddfe0146150f");
    stet__batch_destroy(b);
}

/* Where the earlier content differs, all later batches are other ones. */
static void test_the_key_covers_all_before(void **state)
{
    (void)state;
    char keys[2][80];
    for (int i = 0; i < 2; i++) {
        stet_import_batch *b = open_batch("");
        add(b, item_of("a", i == 0 ? "1" : "2"));
        stet__batch_reset(b);
        add(b, item_of("b", "2"));
        memcpy(keys[i], key_of(b), sizeof keys[i]);
        stet__batch_destroy(b);
    }
    assert_string_not_equal(keys[0], keys[1]);
}

static void test_the_key_covers_every_field(void **state)
{
    (void)state;
    static const size_t slices[] = {offsetof(stet_change, id),
                                    offsetof(stet_change, payload),
                                    offsetof(stet_change, from_state),
                                    offsetof(stet_change, to_state),
                                    offsetof(stet_change, action),
                                    offsetof(stet_change, actor_id),
                                    offsetof(stet_change, error),
                                    offsetof(stet_change, metadata),
                                    offsetof(stet_change, event_id),
                                    offsetof(stet_change, version),
                                    offsetof(stet_change, state_type),
                                    offsetof(stet_change, causation_id),
                                    offsetof(stet_change, correlation_id),
                                    offsetof(stet_change, machine_metadata)};
    enum { SLICES = sizeof slices / sizeof slices[0], OTHERS = 6 };
    char keys[1 + SLICES + OTHERS][80];
    for (size_t i = 0; i < 1 + SLICES + OTHERS; i++) {
        stet_item item = item_of("a", "");
        stet_change *c = &item.change;
        if (i >= 1 && i <= SLICES) {
            stet_slice text = stet_str("b");
            memcpy((char *)c + slices[i - 1], &text, sizeof text);
        }
        c->verb = i == SLICES + 1 ? STET_VERB_CREATE : c->verb;
        c->reducer = i == SLICES + 2 ? STET_REDUCER_SET : c->reducer;
        c->type = i == SLICES + 3 ? STET_TYPE_TIMEOUT : c->type;
        c->flags = i == SLICES + 4 ? STET_CHANGE_PHASE : 0;
        c->timestamp = i == SLICES + 5 ? 1 : 0;
        c->duration_ns = i == SLICES + 6 ? 1 : 0;
        stet_import_batch *b = open_batch("");
        add(b, item);
        memcpy(keys[i], key_of(b), sizeof keys[i]);
        stet__batch_destroy(b);
        for (size_t j = 0; j < i; j++) {
            assert_string_not_equal(keys[i], keys[j]);
        }
    }
}

/* The same events under other ids are another import. */
static void test_the_key_covers_prefix_and_format(void **state)
{
    (void)state;
    char keys[3][80];
    const stet_import_opts opts[] = {
        {.format = STET_FORMAT_JSONL},
        {.format = STET_FORMAT_XES},
        {.format = STET_FORMAT_JSONL, .prefix = stet_str("p")}};
    for (size_t i = 0; i < 3; i++) {
        stet_import_batch *b = NULL;
        assert_int_equal(stet__batch_create(&stet__heap, &opts[i], &b, NULL),
                         STET_OK);
        add(b, item_of("a", "1"));
        memcpy(keys[i], key_of(b), sizeof keys[i]);
        stet__batch_destroy(b);
    }
    assert_string_not_equal(keys[0], keys[1]);
    assert_string_not_equal(keys[0], keys[2]);
    assert_string_not_equal(keys[1], keys[2]);
}

static void test_a_batch_is_full_by_count(void **state)
{
    (void)state;
    stet_import_batch *b = open_batch("");
    stet_item item = item_of("a", "1");
    for (int i = 0; i < STET_IMPORT_EVENTS_MAX; i++) {
        assert_false(stet__batch_is_full(b));
        add(b, item);
    }
    assert_true(stet__batch_is_full(b));
    assert_true(stet__batch_is_full_for(b, &item));
    stet__batch_reset(b);
    assert_false(stet__batch_is_full_for(b, &item));
    assert_null(stet__batch_peek(b));
    stet__batch_destroy(b);
}

/* A batch stays far below what a store takes, but for one large item. */
static void test_a_batch_is_full_by_bytes(void **state)
{
    (void)state;
    static char large[STET_IMPORT_BYTES_MAX + 2];
    memset(large, 'x', sizeof large - 1);
    stet_import_batch *b = open_batch("");
    stet_item over = item_of("a", large);
    add(b, over);
    stet_item small = item_of("a", "");
    assert_true(stet__batch_is_full_for(b, &small));
    stet__batch_reset(b);

    stet_item fits = item_of("a", large + 3);
    add(b, fits); /* one byte is left */
    assert_false(stet__batch_is_full_for(b, &small));
    stet_item two = item_of("a", "1");
    assert_true(stet__batch_is_full_for(b, &two));
    stet__batch_destroy(b);
}

/* The store would refuse a second create too, but could not name the line. */
static void test_a_batch_creates_a_machine_once(void **state)
{
    (void)state;
    stet_error err = {0};
    stet_import_batch *b = open_batch("p:");
    stet_item item = item_of("a", "1");
    item.change.verb = STET_VERB_CREATE;
    add(b, item);
    item.line = 9;
    assert_int_equal(stet__batch_add(b, &item, &err), STET_E_EXISTS);
    assert_string_equal(err.text, "line 9: p:a is created twice");
    assert_int_equal(stet__batch_peek(b)->change_count, 1);
    stet__batch_reset(b);
    add(b, item);
    stet__batch_destroy(b);
}

static void test_an_id_has_room_for_its_prefix(void **state)
{
    (void)state;
    char id[STET_ID_BYTES_MAX + 1];
    memset(id, 'x', sizeof id);
    for (size_t len = 253; len <= 254; len++) {
        stet_error err = {0};
        stet_import_batch *b = open_batch("p:");
        stet_item item = item_of("", "1");
        item.change.id = stet_slice_of(id, len);
        stet_status st = stet__batch_add(b, &item, &err);
        assert_string_equal(err.text, len == 253
                                          ? ""
                                          : "line 7: the id has 256 bytes with "
                                            "its prefix, 255 at most");
        assert_int_equal(st, len == 253 ? STET_OK : STET_E_INVALID);
        stet__batch_destroy(b);
    }
}

static stet_status fill(const stet_allocator *a)
{
    stet_import_opts opts = {.format = STET_FORMAT_XES,
                             .prefix = stet_str("p")};
    stet_import_batch *b = NULL;
    stet_status st = stet__batch_create(a, &opts, &b, NULL);
    for (int i = 0; st == STET_OK && i < 20; i++) {
        char id[16];
        snprintf(id, sizeof id, "%d", i);
        stet_item item = item_of(id, "{\"a\":\"some longer text\"}");
        item.change.verb = STET_VERB_CREATE;
        st = stet__batch_add(b, &item, NULL);
    }
    stet__batch_destroy(b);
    return st;
}

static void test_each_allocation_may_fail(void **state)
{
    (void)state;
    for (size_t nth = 1;; nth++) {
        failalloc f;
        failalloc_init(&f, nth);
        stet_allocator a = failalloc_allocator(&f);
        stet_status st = fill(&a);
        assert_int_equal(st, f.is_hit ? STET_E_NOMEM : STET_OK);
        failalloc_assert_clean(&f);
        if (!f.is_hit) {
            break;
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_batch_owns_what_it_was_given),
        cmocka_unit_test(test_the_key_is_a_function_of_the_content),
        cmocka_unit_test(test_the_key_covers_all_before),
        cmocka_unit_test(test_the_key_covers_every_field),
        cmocka_unit_test(test_the_key_covers_prefix_and_format),
        cmocka_unit_test(test_a_batch_is_full_by_count),
        cmocka_unit_test(test_a_batch_is_full_by_bytes),
        cmocka_unit_test(test_a_batch_creates_a_machine_once),
        cmocka_unit_test(test_an_id_has_room_for_its_prefix),
        cmocka_unit_test(test_each_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
