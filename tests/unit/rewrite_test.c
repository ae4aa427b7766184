#include "core/rewrite.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "lib/failalloc.h"
#include "lib/records.h"
#include "lib/rounds.h"

static const uint8_t value[STET_COMMITMENT_BYTES] =
    "thirty-two bytes that say it....";

static stet_record decoded(const stet_buf *bytes)
{
    stet_record r;
    size_t whole = 0;
    assert_int_equal(
        stet__record_decode(stet__buf_slice(bytes), &r, &whole, NULL), STET_OK);
    assert_int_equal(whole, bytes->len);
    return r;
}

static stet_record merge(void)
{
    return (stet_record){
        .kind = STET_EVENT_TRANSITIONED,
        .form = STET_BODY_MERGE,
        .flags = STET_RECORD_HAS_FROM | STET_RECORD_BATCH_FIRST |
                 STET_RECORD_PHASE_CHANGE,
        .ns = 3,
        .id = stet_str("m"),
        .seq = 5,
        .back = 2,
        .depth = 4,
        .occurred_delta = -7,
        .from = stet_str("open"),
        .tags = 1U << STET_TAG_CHECK | 1U << STET_TAG_KEY |
                1U << STET_TAG_METADATA | 1U << STET_TAG_TO,
        .check = 17,
        .key = {1, 2, 3},
        .key_check = 19,
        .metadata = stet_str("{\"secret\":1}"),
        .to = stet_str("paid"),
        .body = stet_str("{\"a\":1}"),
    };
}

/* Have the record's bytes in `in`, and `out` empty. */
static stet_record begin(stet_buf *in, stet_buf *out)
{
    stet_record r = merge();
    stet__buf_init(in, &stet__heap);
    stet__buf_init(out, &stet__heap);
    records_put(&r, in);
    return r;
}

/* A base restates what its event does not say, and keeps what it does. */
static void test_a_base_has_the_event_and_the_state(void **state)
{
    (void)state;
    stet_buf in;
    stet_buf out;
    stet_record r = begin(&in, &out);
    stet_base_parts parts = {
        .state = stet_str("{\"a\":1,\"b\":2}"),
        .name = stet_str("paid"),
        .type = stet_str("order"),
        .metadata = stet_str("{}"),
        .created_at = 77,
    };
    assert_int_equal(
        stet__rewrite_base(stet__buf_slice(&in), &parts, &out, NULL), STET_OK);
    stet_record is = decoded(&out);
    r.flags |= STET_RECORD_BASE;
    r.depth = 0;
    r.tags |= 1U << STET_TAG_BASE_STATE | 1U << STET_TAG_BASE_TYPE |
              1U << STET_TAG_BASE_METADATA | 1U << STET_TAG_CREATED_AT;
    r.base_state = parts.state;
    r.base_raw_bytes = parts.state.len;
    r.base_type = parts.type;
    r.base_metadata = parts.metadata;
    r.created_at = 77;
    records_assert_equal(&is, &r);
    stet__buf_deinit(&in);
    stet__buf_deinit(&out);
}

/* Who looks for a neighbour, or for a repeated key, still finds it there. */
static void test_a_stub_keeps_the_place_and_the_key_alone(void **state)
{
    (void)state;
    stet_buf in;
    stet_buf out;
    stet_record r = begin(&in, &out);
    for (uint64_t behind = 0; behind < 2; behind++) {
        const uint8_t *chain = behind == 0 ? value : NULL;
        stet__buf_reset(&out);
        assert_int_equal(stet__rewrite_dropped(stet__buf_slice(&in), behind,
                                               chain, &out, NULL),
                         STET_OK);
        stet_record is = decoded(&out);
        stet_record ought = {
            .kind = r.kind,
            .flags = STET_RECORD_BATCH_FIRST,
            .form = STET_BODY_NONE,
            .ns = r.ns,
            .id = r.id,
            .seq = r.seq,
            .back = r.back,
            .depth = behind,
            .occurred_delta = r.occurred_delta,
            .tags = 1U << STET_TAG_KEY | 1U << STET_TAG_DROPPED,
            .key = {1, 2, 3},
            .key_check = 19,
            .chain_after = stet_slice_of(chain, behind == 0 ? 32 : 0),
        };
        records_assert_equal(&is, &ought);
        assert_true(stet__record_is_dropped(&is));
        assert_int_equal(is.chain_after.len, ought.chain_after.len);
        assert_true(behind > 0 ||
                    memcmp(is.chain_after.ptr, value, sizeof value) == 0);
    }
    stet__buf_deinit(&in);
    stet__buf_deinit(&out);
}

/* Not a byte of body, base or check is left; everything else is. */
static void test_an_erased_event_keeps_all_but_its_content(void **state)
{
    (void)state;
    rng random = {5};
    stet_buf in;
    stet_buf out;
    stet__buf_init(&in, &stet__heap);
    stet__buf_init(&out, &stet__heap);
    for (size_t i = 0; i < rounds(500); i++) {
        stet_record r;
        records_random(&random, &r);
        stet__buf_reset(&in);
        stet__buf_reset(&out);
        records_put(&r, &in);
        assert_int_equal(
            stet__rewrite_erased(stet__buf_slice(&in), value, &out, NULL),
            STET_OK);
        stet_record is = decoded(&out);
        r.flags &= (uint8_t)~STET_RECORD_BASE;
        r.tags &= ~(1U << STET_TAG_CHECK | 1U << STET_TAG_BASE_STATE |
                    1U << STET_TAG_BASE_NAME | 1U << STET_TAG_CREATED_AT |
                    1U << STET_TAG_BASE_TYPE | 1U << STET_TAG_BASE_VERSION |
                    1U << STET_TAG_BASE_METADATA);
        r.check = 0;
        r.is_base_packed = false;
        r.base_raw_bytes = 0;
        r.created_at = 0;
        r.base_state = r.base_name = r.base_type = r.base_version =
            r.base_metadata = r.body = (stet_slice){0};
        assert_memory_equal(is.commitment.ptr, value, sizeof value);
        is.tags &= ~(1U << STET_TAG_ERASED);
        records_assert_equal(&is, &r);
        assert_int_equal(stet__record_state_bytes(&is) == 0 ||
                             !stet__record_is_erased(&is),
                         1);
    }
    stet__buf_deinit(&in);
    stet__buf_deinit(&out);
}

/* The salt comes besides: nothing else of the record moves. */
static void test_a_salted_record_says_the_same(void **state)
{
    (void)state;
    stet_buf in;
    stet_buf out;
    stet_record r = begin(&in, &out);
    assert_int_equal(
        stet__rewrite_salted(stet__buf_slice(&in), value, &out, NULL), STET_OK);
    stet_record is = decoded(&out);
    assert_int_equal(is.salt.len, STET_SALT_BYTES);
    assert_memory_equal(is.salt.ptr, value, STET_SALT_BYTES);
    is.tags &= ~(1U << STET_TAG_SALT);
    records_assert_equal(&is, &r);
    stet__buf_deinit(&in);
    stet__buf_deinit(&out);
}

/* A newer version's tag must not get lost on the way. */
static void test_what_is_not_known_is_left_alone(void **state)
{
    (void)state;
    static const uint8_t tail[] = {2 * 40, 1, 'x', 0, '{', '}'};
    stet_buf in;
    stet_buf out;
    stet_record r = merge();
    stet__buf_init(&in, &stet__heap);
    stet__buf_init(&out, &stet__heap);
    records_put_raw(&r, stet_slice_of(tail, sizeof tail), &in);
    stet_slice bytes = stet__buf_slice(&in);
    assert_int_equal(stet__rewrite_dropped(bytes, 1, NULL, &out, NULL),
                     STET_E_FORMAT);
    assert_int_equal(stet__rewrite_erased(bytes, value, &out, NULL),
                     STET_E_FORMAT);
    assert_int_equal(out.len, 0);
    stet__buf_deinit(&in);
    stet__buf_deinit(&out);
}

/* Something taken that is still there is damage, whatever made it. */
static void test_what_was_taken_may_not_be_there(void **state)
{
    (void)state;
    stet_record cases[] = {merge(), merge(), merge(), merge(), merge()};
    cases[0].tags |= 1U << STET_TAG_ERASED; /* with its body */
    cases[0].commitment = stet_slice_of(value, sizeof value);
    cases[1].tags |= 1U << STET_TAG_ERASED;
    cases[1].commitment = stet_slice_of(value, 31);
    cases[1].body = (stet_slice){0};
    cases[2].tags |= 1U << STET_TAG_DROPPED; /* with its metadata */
    cases[2].body = (stet_slice){0};
    cases[3].tags = 1U << STET_TAG_DROPPED;
    cases[3].chain_after = stet_slice_of(value, 5);
    cases[3].body = (stet_slice){0};
    cases[4].tags |= 1U << STET_TAG_SALT;
    cases[4].salt = stet_slice_of(value, 15);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        stet_buf in;
        stet_record r;
        size_t whole = 0;
        stet__buf_init(&in, &stet__heap);
        records_put(&cases[i], &in);
        assert_int_equal(
            stet__record_decode(stet__buf_slice(&in), &r, &whole, NULL),
            STET_E_CORRUPT);
        stet__buf_deinit(&in);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_base_has_the_event_and_the_state),
        cmocka_unit_test(test_a_stub_keeps_the_place_and_the_key_alone),
        cmocka_unit_test(test_an_erased_event_keeps_all_but_its_content),
        cmocka_unit_test(test_a_salted_record_says_the_same),
        cmocka_unit_test(test_what_is_not_known_is_left_alone),
        cmocka_unit_test(test_what_was_taken_may_not_be_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
