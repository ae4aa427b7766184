#include "lib/records.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/assert.h"
#include "base/checksum.h"

enum { POOL_BYTES = 4096 };

static const size_t slices[] = {
    offsetof(stet_record, event_id),
    offsetof(stet_record, metadata),
    offsetof(stet_record, state_type),
    offsetof(stet_record, version),
    offsetof(stet_record, to),
    offsetof(stet_record, action),
    offsetof(stet_record, actor),
    offsetof(stet_record, correlation),
    offsetof(stet_record, causation),
    offsetof(stet_record, error),
    offsetof(stet_record, reducer_name),
    offsetof(stet_record, base_name),
    offsetof(stet_record, machine_metadata),
    offsetof(stet_record, base_type),
    offsetof(stet_record, base_version),
    offsetof(stet_record, base_metadata),
};

/* The tag of each of them. */
static const stet_record_tag slice_tags[] = {
    STET_TAG_EVENT_ID,
    STET_TAG_METADATA,
    STET_TAG_STATE_TYPE,
    STET_TAG_VERSION,
    STET_TAG_TO,
    STET_TAG_ACTION,
    STET_TAG_ACTOR,
    STET_TAG_CORRELATION,
    STET_TAG_CAUSATION,
    STET_TAG_ERROR,
    STET_TAG_REDUCER,
    STET_TAG_BASE_NAME,
    STET_TAG_MACHINE_METADATA,
    STET_TAG_BASE_TYPE,
    STET_TAG_BASE_VERSION,
    STET_TAG_BASE_METADATA,
};

enum { SLICES = sizeof slices / sizeof *slices };

/* Some bytes that stay; mostly few. */
static stet_slice random_bytes(rng *r, size_t min, size_t max)
{
    static uint8_t pool[POOL_BYTES];
    if (pool[0] == 0) {
        rng fixed = {1};
        rng_fill(&fixed, pool, sizeof pool);
        pool[0] = 1;
    }
    size_t most = rng_below(r, 8) == 0 || min + 12 > max ? max : min + 12;
    size_t len = min + rng_below(r, most - min + 1);
    return stet_slice_of(pool + rng_below(r, sizeof pool - len), len);
}

/* Any width, so that varints of all lengths come up. */
static uint64_t random_number(rng *r)
{
    return rng_next(r) >> rng_below(r, 64);
}

static bool is_given(rng *r, stet_record *out, stet_record_tag tag)
{
    bool is = rng_below(r, 3) == 0;
    out->tags |= is ? 1U << tag : 0;
    return is;
}

static void add_slices(rng *r, stet_record *out)
{
    for (size_t i = 0; i < SLICES; i++) {
        if (is_given(r, out, slice_tags[i])) {
            stet_slice s = random_bytes(r, 0, STET_NAME_BYTES_MAX);
            memcpy((char *)out + slices[i], &s, sizeof s);
        }
    }
}

static void add_numbers(rng *r, stet_record *out)
{
    if (is_given(r, out, STET_TAG_CHECK)) {
        out->check = rng_next(r);
    }
    if (is_given(r, out, STET_TAG_KEY)) {
        rng_fill(r, out->key, sizeof out->key);
        out->key_check = rng_next(r);
    }
    if (is_given(r, out, STET_TAG_TYPE)) {
        out->type = (stet_transition_type)(1 + rng_below(r, 5));
    }
    if (is_given(r, out, STET_TAG_DURATION)) {
        out->duration_ns = random_number(r);
    }
    if (is_given(r, out, STET_TAG_CREATED_AT)) {
        out->created_at = (int64_t)rng_next(r);
    }
    if ((out->tags & 1U << STET_TAG_REDUCER) != 0) {
        out->reducer_version = (uint32_t)random_number(r);
    }
    if (is_given(r, out, STET_TAG_PARENT)) {
        out->parent_seq = random_number(r) | 1;
        out->parent_ns = (uint8_t)rng_next(r);
        out->parent_id = random_bytes(r, 1, STET_ID_BYTES_MAX);
    }
}

static void add_states(rng *r, stet_record *out)
{
    out->form = (stet_body_form)(1 + rng_below(r, STET_BODY_CUSTOM));
    out->is_packed = out->form == STET_BODY_DELTA ||
                     (out->form == STET_BODY_WHOLE && rng_below(r, 2) == 0);
    if (out->is_packed) {
        out->tags |= 1U << STET_TAG_RAW_BYTES;
        out->raw_bytes = random_number(r);
    }
    out->body = random_bytes(r, 0, POOL_BYTES / 4);
    if (rng_below(r, 3) > 0) {
        out->depth = random_number(r);
        return;
    }
    out->flags |= STET_RECORD_BASE;
    if (is_given(r, out, STET_TAG_BASE_STATE)) {
        out->base_state = random_bytes(r, 0, POOL_BYTES / 4);
        out->is_base_packed = rng_below(r, 2) == 0;
        out->base_raw_bytes =
            out->is_base_packed ? random_number(r) : out->base_state.len;
    }
}

void records_random(rng *r, stet_record *out)
{
    *out = (stet_record){
        .kind = (stet_event_kind)(1 + rng_below(r, STET_EVENT_DELETED)),
        .ns = (uint8_t)rng_next(r),
        .id = random_bytes(r, 1, STET_RECORD_ID_BYTES_MAX),
        .seq = random_number(r) | 1,
        .back = random_number(r),
        .occurred_delta = (int64_t)rng_next(r) >> rng_below(r, 64),
    };
    out->flags = (uint8_t)(rng_next(r) &
                           (STET_RECORD_PHASE_CHANGE | STET_RECORD_BATCH_FIRST |
                            STET_RECORD_BATCH_LAST));
    if (rng_below(r, 3) == 0) {
        out->flags |= STET_RECORD_HAS_OCCURRED_MAX;
        out->occurred_max_over = random_number(r) | 1;
    }
    if (rng_below(r, 3) == 0) {
        out->flags |= STET_RECORD_HAS_FROM;
        out->from = random_bytes(r, 1, STET_NAME_BYTES_MAX);
    }
    add_slices(r, out);
    add_numbers(r, out);
    add_states(r, out);
}

void records_put_raw(const stet_record *r, stet_slice tail, stet_buf *out)
{
    uint8_t *head = stet__buf_extend(out, STET_RECORD_HEAD_BYTES_MAX);
    STET_ASSERT(head != NULL);
    size_t bytes = stet__record_put_head(
        r, tail.len, stet__crc32c(0, tail.ptr, tail.len), head);
    out->len -= STET_RECORD_HEAD_BYTES_MAX - bytes;
    stet__buf_put_slice(out, tail);
    STET_ASSERT(!out->is_failed);
}

void records_put(const stet_record *r, stet_buf *out)
{
    stet_buf tail;
    stet__buf_init(&tail, out->alloc);
    uint8_t *at = stet__buf_extend(&tail, stet__record_tail_bytes_max(r));
    STET_ASSERT(at != NULL);
    tail.len = stet__record_put_tail(r, at);
    STET_ASSERT(tail.len <= stet__record_tail_bytes_max(r));
    records_put_raw(r, stet__buf_slice(&tail), out);
    stet__buf_deinit(&tail);
}

stet_record records_golden(void)
{
    return (stet_record){
        .kind = STET_EVENT_TRANSITIONED,
        .flags = STET_RECORD_FLAGS_KNOWN & ~STET_RECORD_BASE,
        .form = STET_BODY_WHOLE,
        .is_packed = true,
        .ns = 7,
        .id = stet_str("game:1"),
        .seq = 300,
        .back = 1,
        .depth = 12,
        .occurred_delta = -5,
        .occurred_max_over = 9,
        .from = stet_str("open"),
        .tags = 1U << STET_TAG_CHECK | 1U << STET_TAG_RAW_BYTES |
                1U << STET_TAG_KEY | 1U << STET_TAG_TO |
                1U << STET_TAG_REDUCER | 1U << STET_TAG_PARENT,
        .check = 0x8877665544332211,
        .raw_bytes = 1000,
        .key = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
        .key_check = 0x0807060504030201,
        .to = stet_str("won"),
        .reducer_version = 2,
        .reducer_name = stet_str("sum"),
        .parent_seq = 5,
        .parent_ns = 7,
        .parent_id = stet_str("p"),
        .body = stet_str("body"),
    };
}

stet_slice records_golden_bytes(void)
{
    static const char golden[] =
        "\x4e\x5e\xb3\xcd\x53\x03\x3e\x12\x07\x06\x67\x61\x6d\x65\x3a\x31"
        "\xac\x02\x01\x0c\x09\x09\x04\x6f\x70\x65\x6e\x02\x08\x11\x22\x33"
        "\x44\x55\x66\x77\x88\x05\x02\xe8\x07\x06\x18\x00\x01\x02\x03\x04"
        "\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x01\x02\x03\x04\x05"
        "\x06\x07\x08\x10\x03\x77\x6f\x6e\x21\x04\x02\x73\x75\x6d\x2f\x03"
        "\x05\x07\x70\x00\x62\x6f\x64\x79";
    return stet_slice_of(golden, sizeof golden - 1);
}

static void assert_same_bytes(stet_slice a, stet_slice b)
{
    assert_int_equal(a.len, b.len);
    if (a.len > 0) {
        assert_memory_equal(a.ptr, b.ptr, a.len);
    }
}

void records_assert_equal(const stet_record *a, const stet_record *b)
{
    assert_int_equal(a->kind, b->kind);
    assert_int_equal(a->flags, b->flags);
    assert_int_equal(a->form, b->form);
    assert_int_equal(a->is_packed, b->is_packed);
    assert_int_equal(a->ns, b->ns);
    assert_same_bytes(a->id, b->id);
    assert_int_equal(a->seq, b->seq);
    assert_int_equal(a->back, b->back);
    assert_int_equal(a->depth, b->depth);
    assert_int_equal(a->occurred_delta, b->occurred_delta);
    assert_int_equal(a->occurred_max_over, b->occurred_max_over);
    assert_same_bytes(a->from, b->from);
    assert_int_equal(a->tags, b->tags);
    for (size_t i = 0; i < SLICES; i++) {
        stet_slice of_a;
        stet_slice of_b;
        memcpy(&of_a, (const char *)a + slices[i], sizeof of_a);
        memcpy(&of_b, (const char *)b + slices[i], sizeof of_b);
        assert_same_bytes(of_a, of_b);
    }
    assert_int_equal(a->check, b->check);
    assert_int_equal(a->raw_bytes, b->raw_bytes);
    assert_memory_equal(a->key, b->key, sizeof a->key);
    assert_int_equal(a->key_check, b->key_check);
    assert_int_equal(a->type, b->type);
    assert_int_equal(a->duration_ns, b->duration_ns);
    assert_int_equal(a->reducer_version, b->reducer_version);
    assert_int_equal(a->is_base_packed, b->is_base_packed);
    assert_int_equal(a->base_raw_bytes, b->base_raw_bytes);
    assert_same_bytes(a->base_state, b->base_state);
    assert_int_equal(a->created_at, b->created_at);
    assert_int_equal(a->parent_seq, b->parent_seq);
    assert_int_equal(a->parent_ns, b->parent_ns);
    assert_same_bytes(a->parent_id, b->parent_id);
    assert_same_bytes(a->body, b->body);
}
