#include "core/record.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/checksum.h"
#include "lib/records.h"
#include "lib/rng.h"

/* A copy that ends where its block ends, so that ASan sees a step too far. */
static uint8_t *exact_copy(const void *ptr, size_t len)
{
    uint8_t *copy = malloc(len > 0 ? len : 1);
    assert_non_null(copy);
    memcpy(copy, ptr, len);
    return copy;
}

static stet_status decode(const void *ptr, size_t len, stet_record *out)
{
    size_t bytes = 0;
    return stet__record_decode(stet_slice_of(ptr, len), out, &bytes, NULL);
}

static stet_status decode_of(const stet_record *r)
{
    stet_buf b;
    stet_record out;
    stet__buf_init(&b, &stet__heap);
    records_put(r, &b);
    stet_status st = decode(b.ptr, b.len, &out);
    stet__buf_deinit(&b);
    return st;
}

/* Decode a record with this tail behind a sound head. */
static stet_status decode_tail(const char *tail, size_t len)
{
    stet_record r = {.kind = STET_EVENT_SAVED,
                     .form = STET_BODY_NONE,
                     .id = stet_str("a"),
                     .seq = 1};
    stet_buf b;
    stet_record out;
    stet__buf_init(&b, &stet__heap);
    records_put_raw(&r, stet_slice_of(tail, len), &b);
    stet_status st = decode(b.ptr, b.len, &out);
    stet__buf_deinit(&b);
    return st;
}

#define DECODE_TAIL(tail) decode_tail(tail, sizeof(tail) - 1)

/* A log outlives the program that wrote it: these bytes never change meaning.
   They were made by a program that shares nothing with this one. */
static void test_golden_bytes_mean_what_they_always_meant(void **state)
{
    (void)state;
    stet_slice golden = records_golden_bytes();
    stet_record r = records_golden();
    stet_record out;
    stet_buf b;
    stet__buf_init(&b, &stet__heap);
    records_put(&r, &b);
    assert_int_equal(b.len, golden.len);
    assert_memory_equal(b.ptr, golden.ptr, b.len);
    assert_int_equal(decode(golden.ptr, golden.len, &out), STET_OK);
    records_assert_equal(&out, &r);
    stet__buf_deinit(&b);
}

/* What is acknowledged must be what was given, in every mix of its parts. */
static void test_decoding_gives_back_what_was_encoded(void **state)
{
    (void)state;
    rng rand = {1};
    stet_buf b;
    stet__buf_init(&b, &stet__heap);
    for (int i = 0; i < 3000; i++) {
        stet_record r;
        stet_record out;
        size_t bytes = 0;
        uint32_t crc = 0;
        records_random(&rand, &r);
        stet__buf_reset(&b);
        records_put(&r, &b);
        size_t len = b.len;
        stet__buf_put_str(&b, "the next record");
        stet_slice all = stet__buf_slice(&b);
        assert_int_equal(stet__record_decode(all, &out, &bytes, NULL), STET_OK);
        assert_int_equal(bytes, len);
        records_assert_equal(&out, &r);
        assert_int_equal(stet__record_parse(all, &out, &bytes, NULL), STET_OK);
        records_assert_equal(&out, &r);
        assert_true(stet__record_is_sound(all, &bytes));
        assert_int_equal(bytes, len);
        assert_true(stet__record_peek(all, &crc, &bytes));
        assert_int_equal(bytes, len);
        assert_int_equal(crc, stet__get_u32le(b.ptr));
    }
    stet__buf_deinit(&b);
}

/* Rot is a changed byte; no change of one may decode. */
static void test_every_changed_byte_is_refused(void **state)
{
    (void)state;
    rng rand = {2};
    stet_buf b;
    stet__buf_init(&b, &stet__heap);
    for (int i = 0; i < 30; i++) {
        stet_record r;
        stet_record out;
        size_t bytes = 0;
        records_random(&rand, &r);
        stet__buf_reset(&b);
        records_put(&r, &b);
        uint8_t *copy = exact_copy(b.ptr, b.len);
        for (size_t at = 0; at < b.len; at++) {
            uint8_t flip = (uint8_t)(1 + rng_below(&rand, 255));
            for (unsigned bit = 0; bit < 9; bit++) {
                copy[at] ^= bit < 8 ? (uint8_t)(1U << bit) : flip;
                assert_int_not_equal(decode(copy, b.len, &out), STET_OK);
                assert_false(
                    stet__record_is_sound(stet_slice_of(copy, b.len), &bytes));
                copy[at] = b.ptr[at];
            }
        }
        free(copy);
    }
    stet__buf_deinit(&b);
}

/* A torn write leaves the front of a record. */
static void test_truncations_are_refused(void **state)
{
    (void)state;
    rng rand = {3};
    stet_buf b;
    stet__buf_init(&b, &stet__heap);
    for (int i = 0; i < 100; i++) {
        stet_record r;
        stet_record out;
        records_random(&rand, &r);
        stet__buf_reset(&b);
        records_put(&r, &b);
        for (size_t len = 0; len < b.len; len++) {
            uint8_t *copy = exact_copy(b.ptr, len);
            size_t bytes = 0;
            uint32_t crc = 0;
            assert_int_equal(decode(copy, len, &out), STET_E_CORRUPT);
            assert_false(
                stet__record_peek(stet_slice_of(copy, len), &crc, &bytes));
            free(copy);
        }
    }
    stet__buf_deinit(&b);
}

/* Where checksums are not compared the bytes may still be anything: a parse
   stays within them, and what it takes has no other encoding. */
static void test_parse_takes_only_what_encodes_to_the_same_bytes(void **state)
{
    (void)state;
    rng rand = {4};
    stet_buf b;
    stet_buf again;
    size_t taken = 0;
    stet__buf_init(&b, &stet__heap);
    stet__buf_init(&again, &stet__heap);
    for (int i = 0; i < 60000; i++) {
        stet_record r;
        stet_record out;
        size_t bytes = 0;
        records_random(&rand, &r);
        stet__buf_reset(&b);
        records_put(&r, &b);
        for (size_t n = rng_below(&rand, 4); n > 0; n--) {
            size_t front = b.len < 64 ? b.len : 64;
            b.ptr[rng_below(&rand, front)] = (uint8_t)rng_next(&rand);
        }
        uint8_t *copy = exact_copy(b.ptr, b.len);
        stet_slice all = stet_slice_of(copy, b.len);
        if (stet__record_parse(all, &out, &bytes, NULL) == STET_OK) {
            stet__buf_reset(&again);
            records_put(&out, &again);
            /* A tag that is skipped is not there any more. */
            assert_true(again.len <= bytes);
            if (again.len == bytes) {
                assert_memory_equal(again.ptr + 4, copy + 4, bytes - 4);
                taken++;
            }
        }
        free(copy);
    }
    assert_true(taken > 20000);
    stet__buf_deinit(&b);
    stet__buf_deinit(&again);
}

/* Frames are laid out by the sizes told before they are written. */
static void test_heads_are_as_large_as_told(void **state)
{
    (void)state;
    static const char long_text[STET_RECORD_ID_BYTES_MAX];
    stet_record r = {
        .kind = STET_EVENT_SAVED,
        .flags = STET_RECORD_HAS_FROM | STET_RECORD_HAS_OCCURRED_MAX,
        .form = STET_BODY_NONE,
        .id = stet_slice_of(long_text, STET_RECORD_ID_BYTES_MAX),
        .seq = UINT64_MAX,
        .back = UINT64_MAX,
        .depth = UINT64_MAX,
        .occurred_delta = INT64_MIN,
        .occurred_max_over = UINT64_MAX,
        .from = stet_slice_of(long_text, STET_NAME_BYTES_MAX),
    };
    uint8_t *room = malloc(STET_RECORD_HEAD_BYTES_MAX);
    assert_non_null(room);
    size_t most = SIZE_MAX - STET_RECORD_HEAD_BYTES_MAX;
    assert_int_equal(stet__record_put_head(&r, most, 0, room),
                     STET_RECORD_HEAD_BYTES_MAX);
    assert_int_equal(stet__record_head_bytes(&r, most),
                     STET_RECORD_HEAD_BYTES_MAX);
    rng rand = {5};
    for (int i = 0; i < 1000; i++) {
        records_random(&rand, &r);
        size_t tail = (size_t)(rng_next(&rand) >> (1 + rng_below(&rand, 63)));
        assert_int_equal(stet__record_put_head(&r, tail, 0, room),
                         stet__record_head_bytes(&r, tail));
    }
    free(room);
    stet_buf b;
    stet__buf_init(&b, &stet__heap);
    r = (stet_record){.kind = STET_EVENT_SAVED,
                      .form = STET_BODY_NONE,
                      .id = stet_str("a"),
                      .seq = 1};
    records_put(&r, &b);
    assert_int_equal(b.len, STET_RECORD_BYTES_MIN);
    stet__buf_deinit(&b);
}

/* An older program must say that it is older, not that the log is damaged. */
static void test_records_of_a_newer_version_are_sound_but_not_read(void **state)
{
    (void)state;
    const stet_record plain = {.kind = STET_EVENT_SAVED,
                               .form = STET_BODY_NONE,
                               .id = stet_str("a"),
                               .seq = 1};
    const stet_event_kind kinds[] = {(stet_event_kind)0,
                                     (stet_event_kind)(STET_EVENT_DELETED + 1)};
    const stet_body_form forms[] = {(stet_body_form)0,
                                    (stet_body_form)(STET_BODY_CUSTOM + 1),
                                    (stet_body_form)0x22};
    stet_record r = plain;
    for (size_t i = 0; i < 2; i++) {
        r.kind = kinds[i];
        assert_int_equal(decode_of(&r), STET_E_FORMAT);
    }
    r = plain;
    for (size_t i = 0; i < 3; i++) {
        r.form = forms[i];
        assert_int_equal(decode_of(&r), STET_E_FORMAT);
    }
    r = plain;
    r.form = STET_BODY_MERGE;
    r.is_packed = true;
    r.tags = 1U << STET_TAG_RAW_BYTES;
    assert_int_equal(decode_of(&r), STET_E_FORMAT);
    r = plain;
    r.tags = 1U << STET_TAG_TYPE;
    r.type = (stet_transition_type)(STET_TYPE_ADMIN_OVERRIDE + 1);
    assert_int_equal(decode_of(&r), STET_E_FORMAT);
    r.type = STET_TYPE_NONE; /* which is told by leaving the tag out */
    assert_int_equal(decode_of(&r), STET_E_FORMAT);

    /* A flag is no other's bit: put it where it belongs, and the checksum. */
    stet_buf b;
    stet_record out;
    size_t bytes = 0;
    stet__buf_init(&b, &stet__heap);
    records_put(&plain, &b);
    b.ptr[6] = 0x80;
    uint32_t tail_crc = stet__crc32c(0, b.ptr + b.len - 1, 1);
    stet__put_u32le(b.ptr, stet__crc32c(tail_crc, b.ptr + 4, b.len - 5));
    assert_true(stet__record_is_sound(stet__buf_slice(&b), &bytes));
    assert_int_equal(decode(b.ptr, b.len, &out), STET_E_FORMAT);
    stet__buf_deinit(&b);
}

/* Later versions add tags: what may be passed over is, the rest is refused. */
static void test_unknown_tags_are_skipped_unless_critical(void **state)
{
    (void)state;
    assert_int_equal(DECODE_TAIL("\x22\x01x\x00"), STET_OK);       /* 17 */
    assert_int_equal(DECODE_TAIL("\x30\x00\x00"), STET_OK);        /* 24 */
    assert_int_equal(DECODE_TAIL("\x80\x40\x01x\x00"), STET_OK);   /* 4096 */
    assert_int_equal(DECODE_TAIL("\x23\x01x\x00"), STET_E_FORMAT); /* 17 */
    assert_int_equal(DECODE_TAIL("\x81\x40\x01x\x00"), STET_E_FORMAT);
}

/* One meaning, one encoding: else two stores could differ and both be right. */
static void test_malformed_tags_are_refused(void **state)
{
    (void)state;
    assert_int_equal(DECODE_TAIL("\x00"), STET_OK);
    assert_int_equal(DECODE_TAIL("\x08\x01x\x10\x01y\x00"), STET_OK);
    static const struct {
        const char *ptr;
        size_t len;
    } bad[] = {
#define BAD(tail) {tail, sizeof(tail) - 1}
        BAD(""),                       /* no end of tags */
        BAD("\x08\x01x"),              /* likewise */
        BAD("\x08\x02x"),              /* cut */
        BAD("\x08"),                   /* likewise */
        BAD("\x10\x01y\x08\x01x\x00"), /* falling */
        BAD("\x08\x01x\x08\x01x\x00"), /* twice */
        BAD("\x01\x00\x00"),           /* number 0 */
        BAD("\x09\x01x\x00"),          /* critical, which 4 is not */
        BAD("\x88\x00\x01x\x00"),      /* a padded number */
        BAD("\x08\x81\x00x\x00"),      /* a padded length */
        BAD("\x02\x07"
            "1234567\x00"), /* check too short */
        BAD("\x02\x09"
            "123456789\x00"),        /* and too long */
        BAD("\x06\x01x\x00"),        /* key too short */
        BAD("\x16\x02\x01\x01\x00"), /* type too long */
        BAD("\x1c\x02\x01\x01\x00"), /* duration with more behind */
        BAD("\x1c\x00\x00"),         /* no duration */
        BAD("\x20\x02\x01r\x00"),    /* reducer, which is critical */
        BAD("\x21\x05\x80\x80\x80\x80\x10\x00"), /* its version over 32 bits */
        BAD("\x2f\x03\x00\x01p\x00"),            /* parent's seq 0 */
        BAD("\x2f\x02\x01\x01\x00"),             /* parent without an id */
        BAD("\x05\x01\x05\x00"),                 /* unpacked size, not packed */
#undef BAD
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(decode_tail(bad[i].ptr, bad[i].len), STET_E_CORRUPT);
    }
}

/* A record that contradicts itself would be folded into a wrong state. */
static void test_contradictions_are_refused(void **state)
{
    (void)state;
    static const char long_name[STET_NAME_BYTES_MAX + 1] = "name";
    const stet_record plain = {.kind = STET_EVENT_SAVED,
                               .form = STET_BODY_MERGE,
                               .id = stet_str("a"),
                               .seq = 1,
                               .body = stet_str("{}")};
    assert_int_equal(decode_of(&plain), STET_OK);
    stet_record bad[9];
    for (size_t i = 0; i < 9; i++) {
        bad[i] = plain;
    }
    bad[0].seq = 0;
    bad[1].flags = STET_RECORD_BASE;
    bad[1].depth = 1;
    bad[2].tags = 1U << STET_TAG_BASE_STATE; /* no base */
    bad[3].flags = STET_RECORD_BASE;
    bad[3].tags = 1U << STET_TAG_BASE_STATE;
    bad[3].base_state = stet_str("{}");
    bad[3].base_raw_bytes = 3;
    bad[4].form = STET_BODY_WHOLE;
    bad[4].is_packed = true; /* without its size */
    bad[5].form = STET_BODY_DELTA;
    bad[6].tags = 1U << STET_TAG_TO;
    bad[6].to = stet_slice_of(long_name, sizeof long_name);
    bad[7].tags = 1U << STET_TAG_ACTION;
    bad[7].action = bad[6].to;
    bad[8].tags = 1U << STET_TAG_BASE_NAME;
    bad[8].base_name = bad[6].to;
    for (size_t i = 0; i < 9; i++) {
        assert_int_equal(decode_of(&bad[i]), STET_E_CORRUPT);
    }
}

/* Who looks for what comes after a dropped stretch goes on from its end. */
static void test_a_dropped_stretch_ends_at_a_seq(void **state)
{
    (void)state;
    stet_record stub = {.kind = STET_EVENT_SAVED,
                        .form = STET_BODY_NONE,
                        .id = stet_str("a"),
                        .seq = 7,
                        .tags = 1U << STET_TAG_DROPPED};
    stub.depth = UINT64_MAX - stub.seq - 1;
    assert_int_equal(decode_of(&stub), STET_OK);
    stub.depth++;
    assert_int_equal(decode_of(&stub), STET_E_CORRUPT);
}

/* A head that a longer varint or a wrong size could spell in another way. */
static void test_malformed_heads_are_refused(void **state)
{
    (void)state;
    /* crc, then: length, kind, flags, form, ns, id, seq, back, depth, time. */
    static const struct {
        const char *ptr;
        size_t len;
    } bad[] = {
#define BAD(rest) {"crc_" rest, sizeof(rest) + 3}
        BAD("\x0c\x02\x00\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00"),
        BAD("\x0c\x02\x00\x01\x00\x01"
            "a\x81\x00\x00\x00\x00\x00"),
        BAD("\x8b\x00\x02\x00\x01\x00\x01"
            "a\x01\x00\x00\x00\x00"),
        BAD("\x0c\x02\x04\x01\x00\x01"
            "a\x01\x00\x00\x00\x00\x00"),
        BAD("\x0c\x02\x08\x01\x00\x01"
            "a\x01\x00\x00\x00\x00\x00"),
        BAD("\x0b\x02\x00\x01\x00\x0b"
            "a\x01\x00\x00\x00\x00"),
#undef BAD
    };
    static const char good[] = "crc_\x0b\x02\x00\x01\x00\x01"
                               "a\x01\x00\x00\x00\x00";
    stet_record out;
    size_t bytes = 0;
    assert_int_equal(stet__record_parse(stet_slice_of(good, sizeof good - 1),
                                        &out, &bytes, NULL),
                     STET_OK);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        uint8_t *copy = exact_copy(bad[i].ptr, bad[i].len);
        assert_int_equal(stet__record_parse(stet_slice_of(copy, bad[i].len),
                                            &out, &bytes, NULL),
                         STET_E_CORRUPT);
        free(copy);
    }
}

/* Numbers of a store add these up; a base counts once, as the whole state. */
static void test_state_bytes_are_those_of_the_resulting_state(void **state)
{
    (void)state;
    stet_record r = {.form = STET_BODY_WHOLE, .body = stet_str("12345")};
    assert_int_equal(stet__record_state_bytes(&r), 5);
    r.is_packed = true;
    r.raw_bytes = 700;
    assert_int_equal(stet__record_state_bytes(&r), 700);
    r.form = STET_BODY_DELTA;
    assert_int_equal(stet__record_state_bytes(&r), 700);
    r.form = STET_BODY_MERGE;
    assert_int_equal(stet__record_state_bytes(&r), 0);
    r.flags = STET_RECORD_BASE;
    assert_int_equal(stet__record_state_bytes(&r), 0);
    r.tags = 1U << STET_TAG_BASE_STATE;
    r.base_raw_bytes = 900;
    assert_int_equal(stet__record_state_bytes(&r), 900);
}

/* Listings and loads must agree on a state's name. */
static void test_only_to_and_bases_say_a_name(void **state)
{
    (void)state;
    stet_slice name = stet_str("untouched");
    stet_record r = {.flags = STET_RECORD_HAS_FROM, .from = stet_str("open")};
    assert_false(stet__record_says_name(&r, &name));
    assert_true(stet__slice_eq(name, stet_str("untouched")));
    r.flags |= STET_RECORD_BASE;
    assert_true(stet__record_says_name(&r, &name));
    assert_int_equal(name.len, 0);
    r.tags = 1U << STET_TAG_BASE_NAME;
    r.base_name = stet_str("paid");
    assert_true(stet__record_says_name(&r, &name));
    assert_true(stet__slice_eq(name, stet_str("paid")));
    r.tags |= 1U << STET_TAG_TO;
    r.to = stet_str("sent");
    assert_true(stet__record_says_name(&r, &name));
    assert_true(stet__slice_eq(name, stet_str("sent")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden_bytes_mean_what_they_always_meant),
        cmocka_unit_test(test_decoding_gives_back_what_was_encoded),
        cmocka_unit_test(test_every_changed_byte_is_refused),
        cmocka_unit_test(test_truncations_are_refused),
        cmocka_unit_test(test_parse_takes_only_what_encodes_to_the_same_bytes),
        cmocka_unit_test(test_heads_are_as_large_as_told),
        cmocka_unit_test(
            test_records_of_a_newer_version_are_sound_but_not_read),
        cmocka_unit_test(test_unknown_tags_are_skipped_unless_critical),
        cmocka_unit_test(test_malformed_tags_are_refused),
        cmocka_unit_test(test_contradictions_are_refused),
        cmocka_unit_test(test_a_dropped_stretch_ends_at_a_seq),
        cmocka_unit_test(test_malformed_heads_are_refused),
        cmocka_unit_test(test_state_bytes_are_those_of_the_resulting_state),
        cmocka_unit_test(test_only_to_and_bases_say_a_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
