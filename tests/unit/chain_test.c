#include "core/chain.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/checksum.h"
#include "core/rewrite.h"
#include "lib/failalloc.h"
#include "lib/records.h"

static const uint8_t seed[STET_CHAIN_BYTES] =
    "a seed that nobody can guess ...";

typedef struct value {
    uint8_t bytes[STET_CHAIN_BYTES];
} value;

/* The chain's value after one record, the first of its machine's. */
static value value_of(const stet_record *r, uint64_t position, int64_t recorded)
{
    stet_chain c;
    stet_buf bytes;
    value v;
    stet__buf_init(&bytes, &stet__heap);
    records_put(r, &bytes);
    assert_int_equal(stet__chain_init(&c, &stet__heap, NULL), STET_OK);
    stet__chain_begin(&c, seed, (stet_machine_key){.id = r->id, .ns = r->ns});
    assert_int_equal(
        stet__chain_add(&c, stet__buf_slice(&bytes), position, recorded, NULL),
        STET_OK);
    memcpy(v.bytes, c.value, sizeof v.bytes);
    stet__chain_deinit(&c);
    stet__buf_deinit(&bytes);
    return v;
}

static stet_record simple(void)
{
    return (stet_record){
        .kind = STET_EVENT_TRANSITIONED,
        .form = STET_BODY_MERGE,
        .flags = STET_RECORD_HAS_FROM | STET_RECORD_BATCH_FIRST,
        .ns = 3,
        .id = stet_str("m"),
        .seq = 5,
        .back = 2,
        .depth = 4,
        .occurred_delta = -7,
        .from = stet_str("open"),
        .tags = 1U << STET_TAG_TO | 1U << STET_TAG_STATE_TYPE,
        .to = stet_str("paid"),
        .state_type = stet_str("order"),
        .body = stet_str("{\"a\":1}"),
    };
}

static void append(stet_buf *b, const char *bytes, size_t len)
{
    stet__buf_put(b, bytes, len);
}

/* The page that says how must be enough to come to the same value. */
static void test_the_value_is_what_the_format_says(void **state)
{
    (void)state;
    stet_buf b;
    uint8_t salts[32];
    uint8_t hash[32];
    uint8_t leaf[32];
    stet__buf_init(&b, &stet__heap);
    stet__buf_put(&b, seed, sizeof seed);
    append(&b, "\3m", 2);
    stet__sha256(b.ptr, b.len, hash); /* the machine's seed */
    stet__buf_reset(&b);
    stet__buf_put(&b, hash, sizeof hash);
    stet__buf_put_u64le(&b, 5);
    stet__sha256(b.ptr, b.len, salts);
    stet__buf_reset(&b);
    stet__buf_put(&b, salts, 16);
    append(&b, "{\"a\":1}", 7);
    stet__sha256(b.ptr, b.len, hash);
    stet__buf_reset(&b);
    append(&b, "\3\30\4\3\1m\5", 7); /* kind to seq */
    stet__buf_put_u64le(&b, 12);
    stet__buf_put_u64le(&b, 1000);
    append(&b, "\15\4open", 6); /* -7, from */
    append(&b, "\14\5order\20\4paid", 13);
    stet__buf_put(&b, hash, sizeof hash);
    stet__sha256(b.ptr, b.len, leaf);
    stet__buf_reset(&b);
    memset(hash, 0, sizeof hash);
    stet__buf_put(&b, hash, sizeof hash);
    stet__buf_put(&b, leaf, sizeof leaf);
    stet__sha256(b.ptr, b.len, hash);
    stet_record r = simple();
    value v = value_of(&r, 12, 1000);
    assert_memory_equal(v.bytes, hash, sizeof hash);
    stet__buf_deinit(&b);
}

/* Settling may make any record a base, and later no base again. */
static void test_a_record_that_becomes_a_base_keeps_its_value(void **state)
{
    (void)state;
    stet_record r = simple();
    value before = value_of(&r, 12, 1000);
    r.flags |= STET_RECORD_BASE;
    r.depth = 0;
    r.tags |= 1U << STET_TAG_BASE_STATE | 1U << STET_TAG_BASE_NAME |
              1U << STET_TAG_CREATED_AT | 1U << STET_TAG_BASE_TYPE |
              1U << STET_TAG_BASE_VERSION | 1U << STET_TAG_BASE_METADATA;
    r.base_type = stet_str("cards");
    r.base_version = stet_str("1.0.0");
    r.base_metadata = stet_str("{}");
    r.base_state = stet_str("{\"all\":2}");
    r.base_raw_bytes = r.base_state.len;
    r.base_name = stet_str("paid");
    r.created_at = 77;
    r.tags |= 1U << STET_TAG_CHECK; /* follows from the bodies */
    r.check = 5;
    value after = value_of(&r, 12, 1000);
    assert_memory_equal(before.bytes, after.bytes, sizeof before.bytes);
}

static stet_set_record at_12(const stet_buf *bytes)
{
    return (stet_set_record){
        .bytes = stet__buf_slice(bytes), .position = 12, .recorded = 1000};
}

/*
 * Whoever holds the value from before can still tell that nothing else of the
 * history was exchanged; the seed is of no use for that any more.
 */
static void test_an_event_without_its_body_keeps_the_value(void **state)
{
    (void)state;
    static const uint8_t other[STET_CHAIN_BYTES] = "no seed of anything ...";
    stet_record r = simple();
    value whole = value_of(&r, 12, 1000);
    stet_chain c;
    stet_leaf leaf;
    stet_buf in;
    stet_buf out;
    stet__buf_init(&in, &stet__heap);
    stet__buf_init(&out, &stet__heap);
    records_put(&r, &in);
    assert_int_equal(stet__chain_init(&c, &stet__heap, NULL), STET_OK);
    stet_machine_key key = {.id = r.id, .ns = r.ns};
    stet__chain_begin(&c, seed, key);
    stet_set_record record = at_12(&in);
    assert_int_equal(stet__chain_add_leaf(&c, &record, &leaf, NULL), STET_OK);
    assert_int_equal(
        stet__rewrite_erased(stet__buf_slice(&in), leaf.commitment, &out, NULL),
        STET_OK);
    for (int i = 0; i < 2; i++) {
        stet__chain_begin(&c, other, key);
        record = at_12(&out);
        assert_int_equal(stet__chain_add_leaf(&c, &record, &leaf, NULL),
                         STET_OK);
        assert_memory_equal(c.value, whole.bytes, sizeof c.value);
        stet__buf_reset(&out);
        stet__chain_begin(&c, seed, key);
        record = at_12(&in);
        assert_int_equal(stet__chain_add_leaf(&c, &record, &leaf, NULL),
                         STET_OK);
        assert_int_equal(
            stet__rewrite_salted(stet__buf_slice(&in), leaf.salt, &out, NULL),
            STET_OK);
    }
    stet__chain_deinit(&c);
    stet__buf_deinit(&in);
    stet__buf_deinit(&out);
}

/* Behind what is gone the chain goes on as if all were there. */
static void test_the_last_of_a_stretch_dropped_brings_the_value(void **state)
{
    (void)state;
    stet_record r = simple();
    value whole = value_of(&r, 12, 1000);
    stet_chain c;
    stet_buf in;
    stet_buf out;
    stet__buf_init(&in, &stet__heap);
    stet__buf_init(&out, &stet__heap);
    records_put(&r, &in);
    assert_int_equal(stet__chain_init(&c, &stet__heap, NULL), STET_OK);
    stet__chain_begin(&c, seed, (stet_machine_key){.id = r.id, .ns = r.ns});
    for (uint64_t behind = 2; behind > 0; behind--) {
        stet__buf_reset(&out);
        assert_int_equal(stet__rewrite_dropped(stet__buf_slice(&in), behind - 1,
                                               behind == 1 ? whole.bytes : NULL,
                                               &out, NULL),
                         STET_OK);
        assert_int_equal(
            stet__chain_add(&c, stet__buf_slice(&out), 12, 1000, NULL),
            STET_OK);
    }
    assert_memory_equal(c.value, whole.bytes, sizeof c.value);
    stet__chain_deinit(&c);
    stet__buf_deinit(&in);
    stet__buf_deinit(&out);
}

/* Whatever else a record says belongs to what cannot be exchanged. */
static void test_every_other_change_changes_the_value(void **state)
{
    (void)state;
    enum { CHANGES = 14 };
    stet_record changed[CHANGES];
    for (size_t i = 0; i < CHANGES; i++) {
        changed[i] = simple();
    }
    changed[0].kind = STET_EVENT_UPDATED;
    changed[1].form = STET_BODY_ASSIGN;
    changed[2].flags |= STET_RECORD_PHASE_CHANGE;
    changed[3].ns = 4;
    changed[4].id = stet_str("n");
    changed[5].seq = 6;
    changed[6].occurred_delta = -8;
    changed[7].flags |= STET_RECORD_HAS_OCCURRED_MAX;
    changed[7].occurred_max_over = 1;
    changed[8].from = stet_str("opem");
    changed[9].to = stet_str("paie");
    changed[10].tags &= ~(1U << STET_TAG_STATE_TYPE);
    changed[11].tags |= 1U << STET_TAG_ACTION;
    changed[12].body = stet_str("{\"a\":2}");
    changed[13].body = stet_str("");
    stet_record r = simple();
    value v = value_of(&r, 12, 1000);
    for (size_t i = 0; i < CHANGES; i++) {
        value other = value_of(&changed[i], 12, 1000);
        assert_memory_not_equal(v.bytes, other.bytes, sizeof v.bytes);
    }
    value moved = value_of(&r, 13, 1000);
    value restamped = value_of(&r, 12, 1001);
    assert_memory_not_equal(v.bytes, moved.bytes, sizeof v.bytes);
    assert_memory_not_equal(v.bytes, restamped.bytes, sizeof v.bytes);
}

/* Any record there can be has a value, also without memory: or it says so. */
static void test_any_record_is_chained_or_no_memory_is_told(void **state)
{
    (void)state;
    rng random = {1};
    stet_buf bytes;
    stet__buf_init(&bytes, &stet__heap);
    for (size_t i = 0; i < 300; i++) {
        stet_record r;
        records_random(&random, &r);
        stet__buf_reset(&bytes);
        records_put(&r, &bytes);
        bool is_hit = true;
        for (size_t nth = 1; is_hit; nth++) {
            failalloc f;
            stet_chain c;
            failalloc_init(&f, nth);
            stet_allocator a = failalloc_allocator(&f);
            assert_int_equal(stet__chain_init(&c, &a, NULL), STET_OK);
            stet__chain_begin(&c, seed,
                              (stet_machine_key){.id = r.id, .ns = r.ns});
            stet_status st =
                stet__chain_add(&c, stet__buf_slice(&bytes), 9, 9, NULL);
            stet__chain_deinit(&c);
            is_hit = f.is_hit;
            assert_int_equal(st, is_hit ? STET_E_NOMEM : STET_OK);
            failalloc_assert_clean(&f);
        }
    }
    stet__buf_deinit(&bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_value_is_what_the_format_says),
        cmocka_unit_test(test_a_record_that_becomes_a_base_keeps_its_value),
        cmocka_unit_test(test_an_event_without_its_body_keeps_the_value),
        cmocka_unit_test(test_the_last_of_a_stretch_dropped_brings_the_value),
        cmocka_unit_test(test_every_other_change_changes_the_value),
        cmocka_unit_test(test_any_record_is_chained_or_no_memory_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
