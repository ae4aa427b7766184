#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/delta.h"
#include "lib/failalloc.h"
#include "lib/json_random.h"

static const stet_slice none = {NULL, 0};

static void pack(stet_zctx *z, stet_slice prefix, stet_slice raw, stet_buf *out)
{
    stet__buf_reset(out);
    assert_int_equal(stet__zstd_pack(z, prefix, raw, out, NULL), STET_OK);
}

static void assert_unpacks(stet_zctx *z, stet_slice prefix, stet_slice packed,
                           stet_slice raw)
{
    stet_buf out;
    stet__buf_init(&out, &stet__heap);
    assert_int_equal(stet__zstd_unpack(z, prefix, packed, raw.len, &out, NULL),
                     STET_OK);
    assert_int_equal(out.len, raw.len);
    if (raw.len > 0) {
        assert_memory_equal(out.ptr, raw.ptr, raw.len);
    }
    stet__buf_deinit(&out);
}

/* A state of about `bytes`, as a game or workflow would have it. */
static void put_state(rng *r, size_t bytes, stet_buf *out)
{
    stet__buf_put_str(out, "{\"current_state\":\"turn\",\"turn_number\":11,"
                           "\"log\":[");
    while (out->len < bytes - 110) {
        stet__buf_printf(out,
                         "{\"seq\":%zu,\"actor\":\"player%zu\",\"action\":"
                         "\"play_card\",\"card\":\"%c%zu\",\"ts\":%zu},",
                         rng_below(r, 1000), rng_below(r, 4),
                         "SHDC"[rng_below(r, 4)], rng_below(r, 13),
                         1700000000 + rng_below(r, 100000000));
    }
    stet__buf_put_str(out, "0]}");
}

/* Change a few places near front, middle and end, without changing the size. */
static void change_a_little(stet_buf *state)
{
    uint8_t *number = memmem(state->ptr, state->len, "number\":", 8);
    memcpy(number + 8, "12", 2);
    memcpy(state->ptr + state->len / 2, "99", 2);
    memcpy(state->ptr + state->len - 20, "77", 2);
}

/* Whatever the sizes, also with nothing in front or nothing to pack. */
static void test_every_size_comes_back(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 2, 17, 300, 4096, 70000, 300000};
    enum { SIZES = sizeof sizes / sizeof *sizes };
    rng r = {.state = 1};
    static uint8_t noise[300000];
    static uint8_t text[300000];
    rng_fill(&r, noise, sizeof noise);
    for (size_t i = 0; i < sizeof text; i++) {
        text[i] = (uint8_t) "abcd"[rng_below(&r, 4)];
    }
    stet_zctx *z = stet__zctx_create(&stet__heap);
    stet_buf packed;
    stet__buf_init(&packed, &stet__heap);
    for (size_t i = 0; i < SIZES * SIZES * 2; i++) {
        stet_slice prefix =
            stet_slice_of(i % 2 == 0 ? noise : text, sizes[i / 2 / SIZES]);
        stet_slice raw = stet_slice_of(text, sizes[i / 2 % SIZES]);
        pack(z, prefix, raw, &packed);
        assert_unpacks(z, prefix, stet__buf_slice(&packed), raw);
        pack(z, none, stet_slice_of(noise, raw.len), &packed);
        assert_unpacks(z, none, stet__buf_slice(&packed),
                       stet_slice_of(noise, raw.len));
    }
    stet__buf_deinit(&packed);
    stet__zctx_destroy(z);
}

/* A few edits: bytes change in their places, come between others, or go. */
static void edit(rng *r, stet_buf *state)
{
    for (size_t edits = rng_below(r, 4); edits > 0 && state->len > 0; edits--) {
        size_t at = rng_below(r, state->len);
        size_t left = state->len - at;
        size_t bytes = rng_below(r, 40);
        bytes = bytes < left ? bytes : left;
        switch (rng_below(r, 3)) {
        case 0:
            rng_fill(r, state->ptr + at, bytes);
            break;
        case 1:
            memmove(state->ptr + at, state->ptr + at + bytes, left - bytes);
            state->len -= bytes;
            break;
        default:
            (void)stet__buf_extend(state, bytes);
            memmove(state->ptr + at + bytes, state->ptr + at, left);
            rng_fill(r, state->ptr + at, bytes);
        }
    }
}

/*
 * States are packed by what stays in its place, or by zstd's own search, or
 * first tried the one way: no edit may come back as another state.
 */
static void test_every_edit_comes_back(void **state)
{
    (void)state;
    static const size_t sizes[] = {120, 200, 1000, 4096, 65536, 140000, 300000};
    enum { SIZES = sizeof sizes / sizeof *sizes, ROUNDS = 280 };
    rng r = {.state = 9};
    stet_zctx *z = stet__zctx_create(&stet__heap);
    stet_buf before;
    stet_buf after;
    stet_buf packed;
    stet__buf_init(&before, &stet__heap);
    stet__buf_init(&after, &stet__heap);
    stet__buf_init(&packed, &stet__heap);
    for (size_t i = 0; i < ROUNDS; i++) {
        stet__buf_reset(&before);
        stet__buf_reset(&after);
        put_state(&r, sizes[i % SIZES], &before);
        stet__buf_put_slice(&after, stet__buf_slice(&before));
        edit(&r, &after);
        pack(z, stet__buf_slice(&before), stet__buf_slice(&after), &packed);
        assert_true(packed.len <= 300);
        assert_unpacks(z, stet__buf_slice(&before), stet__buf_slice(&packed),
                       stet__buf_slice(&after));
    }
    stet__buf_deinit(&packed);
    stet__buf_deinit(&after);
    stet__buf_deinit(&before);
    stet__zctx_destroy(z);
}

/* What a save costs on disk: PERFORMANCE asks for 160 bytes at 4 KiB. */
static void test_a_small_change_takes_few_bytes_at_any_size(void **state)
{
    (void)state;
    static const struct {
        size_t state_bytes;
        size_t packed_bytes_max;
    } rows[] = {{300, 60},      {4096, 100},     {65536, 120},
                {262144, 150},  {600000, 200},   {1 << 20, 250},
                {4 << 20, 800}, {16 << 20, 3000}};
    stet_zctx *z = stet__zctx_create(&stet__heap);
    stet_buf packed;
    stet__buf_init(&packed, &stet__heap);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        rng r = {.state = 2};
        stet_buf before;
        stet_buf after;
        stet__buf_init(&before, &stet__heap);
        stet__buf_init(&after, &stet__heap);
        put_state(&r, rows[i].state_bytes, &before);
        stet__buf_put_slice(&after, stet__buf_slice(&before));
        change_a_little(&after);
        stet_slice prefix = stet__buf_slice(&before);
        pack(z, prefix, stet__buf_slice(&after), &packed);
        assert_true(packed.len <= rows[i].packed_bytes_max);
        assert_unpacks(z, prefix, stet__buf_slice(&packed),
                       stet__buf_slice(&after));
        stet__buf_deinit(&before);
        stet__buf_deinit(&after);
    }
    stet__buf_deinit(&packed);
    stet__zctx_destroy(z);
}

/* A state that lost most of what it had is still found in the one before. */
static void test_a_short_state_is_found_far_back_in_a_long_one(void **state)
{
    (void)state;
    rng r = {.state = 7};
    stet_buf before;
    stet_buf after;
    stet_buf packed;
    stet__buf_init(&before, &stet__heap);
    stet__buf_init(&after, &stet__heap);
    stet__buf_init(&packed, &stet__heap);
    put_state(&r, 16 << 20, &before);
    stet_slice prefix = stet__buf_slice(&before);
    stet_zctx *z = stet__zctx_create(&stet__heap);
    for (size_t bytes = 1000; bytes <= 4096000; bytes *= 8) {
        stet__buf_reset(&after);
        stet__buf_put(&after, before.ptr + bytes, bytes);
        pack(z, prefix, stet__buf_slice(&after), &packed);
        assert_true(packed.len <= 600);
        assert_unpacks(z, prefix, stet__buf_slice(&packed),
                       stet__buf_slice(&after));
        pack(z, stet__buf_slice(&after), prefix, &packed);
        assert_unpacks(z, stet__buf_slice(&after), stet__buf_slice(&packed),
                       prefix);
    }
    stet__zctx_destroy(z);
    stet__buf_deinit(&before);
    stet__buf_deinit(&after);
    stet__buf_deinit(&packed);
}

/* Who saves what was lent to him packs a state against its own memory. */
static void test_a_prefix_may_be_the_same_memory(void **state)
{
    (void)state;
    rng r = {.state = 8};
    stet_buf raw;
    stet_buf packed;
    stet__buf_init(&raw, &stet__heap);
    stet__buf_init(&packed, &stet__heap);
    put_state(&r, 700000, &raw);
    stet_zctx *z = stet__zctx_create(&stet__heap);
    static const size_t sizes[] = {100, 5000, 300000, 699000};
    for (size_t i = 0; i < 16; i++) {
        size_t from = 20 * (i % 3);
        stet_slice part =
            stet_slice_of(raw.ptr + from, sizes[i % 4] - 2 * from);
        stet_slice prefix = stet_slice_of(raw.ptr, sizes[i / 4]);
        pack(z, prefix, part, &packed);
        assert_unpacks(z, prefix, stet__buf_slice(&packed), part);
    }
    stet__zctx_destroy(z);
    stet__buf_deinit(&raw);
    stet__buf_deinit(&packed);
}

/* A far reach set for one state must not stay for the next. */
static void test_what_was_packed_before_changes_nothing(void **state)
{
    (void)state;
    rng r = {.state = 3};
    stet_buf large;
    stet_buf small;
    stet_buf first;
    stet_buf later;
    stet__buf_init(&large, &stet__heap);
    stet__buf_init(&small, &stet__heap);
    stet__buf_init(&first, &stet__heap);
    stet__buf_init(&later, &stet__heap);
    put_state(&r, 1 << 20, &large);
    put_state(&r, 4096, &small);
    stet_slice prefix = stet_slice_of(small.ptr, small.len / 2);
    stet_zctx *z = stet__zctx_create(&stet__heap);
    pack(z, prefix, stet__buf_slice(&small), &first);
    pack(z, stet__buf_slice(&large), stet__buf_slice(&large), &later);
    pack(z, prefix, stet__buf_slice(&small), &later);
    assert_int_equal(first.len, later.len);
    assert_memory_equal(first.ptr, later.ptr, first.len);
    /* Nor does the prefix: the reader of these has none. */
    pack(z, none, stet__buf_slice(&small), &later);
    assert_unpacks(z, none, stet__buf_slice(&later), stet__buf_slice(&small));
    stet__zctx_destroy(z);
    stet__buf_deinit(&large);
    stet__buf_deinit(&small);
    stet__buf_deinit(&first);
    stet__buf_deinit(&later);
}

static void assert_corrupt(stet_zctx *z, stet_slice prefix, stet_slice packed,
                           size_t raw_bytes)
{
    stet_buf out;
    stet_error err = {.status = STET_OK};
    stet__buf_init(&out, &stet__heap);
    stet__buf_put_str(&out, "before");
    assert_int_equal(
        stet__zstd_unpack(z, prefix, packed, raw_bytes, &out, &err),
        STET_E_CORRUPT);
    assert_int_equal(err.status, STET_E_CORRUPT);
    assert_int_equal(out.len, 6);
    assert_memory_equal(out.ptr, "before", 6);
    stet__buf_deinit(&out);
}

/* A record that lies about its size gives no state, and no overflow. */
static void test_another_size_is_corrupt(void **state)
{
    (void)state;
    rng r = {.state = 4};
    stet_buf raw;
    stet_buf packed;
    stet__buf_init(&raw, &stet__heap);
    stet__buf_init(&packed, &stet__heap);
    put_state(&r, 3000, &raw);
    stet_zctx *z = stet__zctx_create(&stet__heap);
    pack(z, none, stet__buf_slice(&raw), &packed);
    static const int off[] = {-3000, -1, 1, 1000};
    for (size_t i = 0; i < 4; i++) {
        size_t raw_bytes =
            off[i] == -3000 ? 0 : (size_t)((int)raw.len + off[i]);
        assert_corrupt(z, none, stet__buf_slice(&packed), raw_bytes);
    }
    for (size_t len = 0; len < packed.len; len++) {
        assert_corrupt(z, none, stet_slice_of(packed.ptr, len), raw.len);
    }
    /* The context is as good as new after each of them. */
    assert_unpacks(z, none, stet__buf_slice(&packed), stet__buf_slice(&raw));
    stet__buf_deinit(&raw);
    stet__buf_deinit(&packed);
    stet__zctx_destroy(z);
}

/* A packed bomb must end at the size the caller has allowed. */
static void test_a_bomb_stops_at_the_given_size(void **state)
{
    (void)state;
    size_t bytes = (size_t)64 << 20;
    stet_buf raw;
    stet_buf packed;
    stet__buf_init(&raw, &stet__heap);
    stet__buf_init(&packed, &stet__heap);
    memset(stet__buf_extend(&raw, bytes), 0, bytes);
    stet_zctx *z = stet__zctx_create(&stet__heap);
    pack(z, none, stet__buf_slice(&raw), &packed);
    assert_true(packed.len < 10000);
    failalloc f;
    failalloc_init(&f, 0);
    stet_allocator a = failalloc_allocator(&f);
    stet_zctx *reader = stet__zctx_create(&a);
    stet_buf out;
    stet__buf_init(&out, &a);
    assert_int_equal(stet__zstd_unpack(reader, none, stet__buf_slice(&packed),
                                       100000, &out, NULL),
                     STET_E_CORRUPT);
    assert_true(f.bytes_max < 1000000);
    stet__buf_deinit(&out);
    stet__zctx_destroy(reader);
    failalloc_assert_clean(&f);
    stet__zctx_destroy(z);
    stet__buf_deinit(&raw);
    stet__buf_deinit(&packed);
}

/*
 * Junk and damage give bytes of the right number or CORRUPT, never more bytes
 * or a crash; which it was is for the record's checksums to say.
 */
static void test_damage_is_survived(void **state)
{
    (void)state;
    rng r = {.state = 5};
    stet_buf raw;
    stet_buf packed;
    stet_buf out;
    stet__buf_init(&raw, &stet__heap);
    stet__buf_init(&packed, &stet__heap);
    stet__buf_init(&out, &stet__heap);
    put_state(&r, 2000, &raw);
    stet_zctx *z = stet__zctx_create(&stet__heap);
    stet_slice prefix = stet_slice_of(raw.ptr, 1200);
    pack(z, prefix, stet__buf_slice(&raw), &packed);
    for (size_t i = 0; i < packed.len * 8; i++) {
        packed.ptr[i / 8] ^= (uint8_t)(1 << i % 8);
        stet__buf_reset(&out);
        stet_status st = stet__zstd_unpack(z, prefix, stet__buf_slice(&packed),
                                           raw.len, &out, NULL);
        assert_true(st == STET_OK || st == STET_E_CORRUPT);
        assert_int_equal(out.len, st == STET_OK ? raw.len : 0);
        packed.ptr[i / 8] ^= (uint8_t)(1 << i % 8);
    }
    for (int i = 0; i < 5000; i++) {
        uint8_t junk[64];
        rng_fill(&r, junk, sizeof junk);
        stet__buf_reset(&out);
        stet_status st = stet__zstd_unpack(
            z, prefix, stet_slice_of(junk, rng_below(&r, sizeof junk)), 500,
            &out, NULL);
        assert_true(st == STET_OK || st == STET_E_CORRUPT);
        assert_int_equal(out.len, st == STET_OK ? 500 : 0);
    }
    assert_unpacks(z, prefix, stet__buf_slice(&packed), stet__buf_slice(&raw));
    stet__buf_deinit(&raw);
    stet__buf_deinit(&packed);
    stet__buf_deinit(&out);
    stet__zctx_destroy(z);
}

static stet_status pack_and_unpack(const stet_allocator *a, const stet_buf *raw,
                                   stet_buf *out)
{
    stet_zctx *z = stet__zctx_create(a);
    if (z == NULL) {
        return STET_E_NOMEM;
    }
    stet_buf packed;
    stet__buf_init(&packed, a);
    stet_slice prefix = stet_slice_of(raw->ptr, raw->len / 2);
    stet_status st =
        stet__zstd_pack(z, prefix, stet__buf_slice(raw), &packed, NULL);
    if (st != STET_OK) { /* a context that failed once still works */
        assert_int_equal(st, STET_E_NOMEM);
        assert_int_equal(packed.len, 0);
        assert_int_equal(
            stet__zstd_pack(z, prefix, stet__buf_slice(raw), &packed, NULL),
            STET_OK);
    }
    stet_status unpacked = stet__zstd_unpack(
        z, prefix, stet__buf_slice(&packed), raw->len, out, NULL);
    if (unpacked != STET_OK) {
        assert_int_equal(unpacked, STET_E_NOMEM);
        assert_int_equal(out->len, 0);
        assert_int_equal(stet__zstd_unpack(z, prefix, stet__buf_slice(&packed),
                                           raw->len, out, NULL),
                         STET_OK);
    }
    stet__buf_deinit(&packed);
    stet__zctx_destroy(z);
    return st == STET_OK ? unpacked : st;
}

/* Lack of memory is not damage, passes, and leaks nothing. */
static void test_no_memory_is_told_from_damage(void **state)
{
    (void)state;
    static const size_t sizes[] = {4096, 1 << 20};
    for (size_t i = 0; i < 2; i++) {
        rng r = {.state = 6};
        stet_buf raw;
        stet__buf_init(&raw, &stet__heap);
        put_state(&r, sizes[i], &raw);
        bool is_hit = true;
        for (size_t nth = 1; is_hit; nth++) {
            failalloc f;
            failalloc_init(&f, nth);
            stet_allocator a = failalloc_allocator(&f);
            stet_buf out;
            stet__buf_init(&out, &a);
            stet_status st = pack_and_unpack(&a, &raw, &out);
            is_hit = f.is_hit;
            assert_int_equal(st, is_hit ? STET_E_NOMEM : STET_OK);
            assert_true(nth == 1 || out.len == raw.len);
            if (out.len > 0) {
                assert_memory_equal(out.ptr, raw.ptr, raw.len);
            }
            stet__buf_deinit(&out);
            failalloc_assert_clean(&f);
        }
        stet__buf_deinit(&raw);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_size_comes_back),
        cmocka_unit_test(test_every_edit_comes_back),
        cmocka_unit_test(test_a_small_change_takes_few_bytes_at_any_size),
        cmocka_unit_test(test_a_short_state_is_found_far_back_in_a_long_one),
        cmocka_unit_test(test_a_prefix_may_be_the_same_memory),
        cmocka_unit_test(test_what_was_packed_before_changes_nothing),
        cmocka_unit_test(test_another_size_is_corrupt),
        cmocka_unit_test(test_a_bomb_stops_at_the_given_size),
        cmocka_unit_test(test_damage_is_survived),
        cmocka_unit_test(test_no_memory_is_told_from_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
