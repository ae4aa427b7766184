#include "core/frame.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/checksum.h"
#include "lib/records.h"
#include "lib/rng.h"

static const uint8_t uuid[16] = "0123456789:;<=>?";

static stet_segment_header some_segment_header(void)
{
    stet_segment_header h = {
        .format = STET_FORMAT,
        .file = 7,
        .salt = 0x1122334455667788,
        .first_position = 1001,
        .capacity = 65536,
        .predecessor = 6,
        .flags = STET_SEGMENT_RECOVERY,
        .predecessor_end = 8192,
        .copied_end = 1003,
    };
    memcpy(h.uuid, uuid, sizeof h.uuid);
    return h;
}

static stet_super some_super(void)
{
    stet_super s = {
        .format = STET_FORMAT,
        .generation = 44,
        .mark = 1003,
        .live = 7,
        .spare = {8, 9},
        .clean_file = 6,
        .clean_end = 8192,
        .clean_position = 1001,
    };
    memcpy(s.uuid, uuid, sizeof s.uuid);
    return s;
}

static stet_frame_header some_frame_header(void)
{
    return (stet_frame_header){
        .salt = 0x1122334455667788,
        .file = 7,
        .previous_crc = 0x55667788,
        .first_position = 1001,
        .durable = 1000,
        .recorded = 1600000000000000000,
        .segment_first = 1000,
    };
}

/* A frame of random records; its bytes are free()d. */
static uint8_t *random_frame(rng *r, stet_frame_header *h)
{
    stet_buf b;
    stet__buf_init(&b, &stet__heap);
    memset(stet__buf_extend(&b, STET_FRAME_HEADER_BYTES), 0,
           STET_FRAME_HEADER_BYTES);
    *h = some_frame_header();
    h->events = 1 + (uint32_t)rng_below(r, rng_below(r, 4) == 0 ? 60 : 4);
    for (uint32_t i = 0; i < h->events; i++) {
        stet_record record;
        records_random(r, &record);
        records_put(&record, &b);
    }
    h->length = (uint32_t)stet__round_up_w(b.len);
    uint8_t *bytes = malloc(h->length);
    assert_non_null(bytes);
    memset(bytes, 0xee, h->length);
    memcpy(bytes, b.ptr, b.len);
    stet__frame_seal(bytes, b.len, h);
    stet__buf_deinit(&b);
    return bytes;
}

/* These bytes never change meaning; made as in record_test. */
static void test_golden_blocks_mean_what_they_always_meant(void **state)
{
    (void)state;
    static const char segment[] =
        "\x53\x54\x53\x47\x37\xfe\x50\xe7\x01\x00\x00\x00\x07\x00\x00\x00"
        "\x30\x31\x32\x33\x34\x35\x36\x37\x38\x39\x3a\x3b\x3c\x3d\x3e\x3f"
        "\x88\x77\x66\x55\x44\x33\x22\x11\xe9\x03\x00\x00\x00\x00\x00\x00"
        "\x00\x00\x01\x00\x00\x00\x00\x00\x06\x00\x00\x00\x01\x00\x00\x00"
        "\x00\x20\x00\x00\x00\x00\x00\x00\xeb\x03\x00\x00\x00\x00\x00\x00"
        "\x00\x00\x00\x00\x00\x00\x00\x00";
    static const char super[] =
        "\x53\x54\x53\x55\xc8\x66\xa0\x1c\x01\x00\x00\x00\x07\x00\x00\x00"
        "\x2c\x00\x00\x00\x00\x00\x00\x00\xeb\x03\x00\x00\x00\x00\x00\x00"
        "\x30\x31\x32\x33\x34\x35\x36\x37\x38\x39\x3a\x3b\x3c\x3d\x3e\x3f"
        "\x08\x00\x00\x00\x09\x00\x00\x00\x06\x00\x00\x00\x00\x00\x00\x00"
        "\x00\x20\x00\x00\x00\x00\x00\x00\xe9\x03\x00\x00\x00\x00\x00\x00";
    uint8_t block[STET_W];
    stet_segment_header h = some_segment_header();
    memset(block, 0xee, sizeof block);
    stet__segment_header_put(&h, block);
    assert_memory_equal(block, segment, STET_SEGMENT_HEADER_BYTES);
    assert_true(stet__is_zeros(block + STET_SEGMENT_HEADER_BYTES,
                               STET_W - STET_SEGMENT_HEADER_BYTES));
    stet_super s = some_super();
    memset(block, 0xee, sizeof block);
    stet__super_put(&s, block);
    assert_memory_equal(block, super, STET_SUPER_BYTES);
    assert_true(
        stet__is_zeros(block + STET_SUPER_BYTES, STET_W - STET_SUPER_BYTES));
}

/* Likewise for a frame, of the golden record twice. */
static void test_golden_frame_means_what_it_always_meant(void **state)
{
    (void)state;
    static const char header[] =
        "\x53\x54\x46\x52\x0a\x48\xe8\x51\x88\x77\x66\x55\x44\x33\x22\x11"
        "\x07\x00\x00\x00\x00\x10\x00\x00\x02\x00\x00\x00\x88\x77\x66\x55"
        "\xe9\x03\x00\x00\x00\x00\x00\x00\xe8\x03\x00\x00\x00\x00\x00\x00"
        "\x00\x00\xa0\xd8\x85\x57\x34\x16\x01\x00\x00\x00\x00\x00\x00\x00";
    uint8_t bytes[STET_W];
    stet_slice record = records_golden_bytes();
    memset(bytes, 0xee, sizeof bytes);
    size_t used = STET_FRAME_HEADER_BYTES;
    for (int i = 0; i < 2; i++) {
        memcpy(bytes + used, record.ptr, record.len);
        used += record.len;
    }
    stet_frame_header h = some_frame_header();
    h.length = STET_W;
    h.events = 2;
    stet__frame_seal(bytes, used, &h);
    assert_memory_equal(bytes, header, STET_FRAME_HEADER_BYTES);
    stet_frame_header out;
    assert_true(stet__frame_is_sound(bytes, STET_W, &out));
    assert_int_equal(out.crc, h.crc);
    assert_int_equal(out.crc, 0x51e8480a);
}

/* Recovery follows these fields: what cannot be is not followed. */
static void test_a_header_that_cannot_be_is_not_sane(void **state)
{
    (void)state;
    static const stet_segment_header sane = {
        .file = 7, .first_position = 1, .capacity = 2 * STET_W};
    assert_true(stet__segment_header_is_sane(&sane));
    stet_segment_header h = sane;
    h.capacity = 2 * STET_W + 1;
    assert_false(stet__segment_header_is_sane(&h));
    h.capacity = STET_W;
    assert_false(stet__segment_header_is_sane(&h));
    h.capacity = (uint64_t)UINT32_MAX + 1;
    assert_false(stet__segment_header_is_sane(&h));
    h = sane;
    h.first_position = 0;
    assert_false(stet__segment_header_is_sane(&h));
    h = sane;
    h.predecessor = 7;
    assert_false(stet__segment_header_is_sane(&h));
    h.predecessor = 6;
    assert_true(stet__segment_header_is_sane(&h));
}

/* Recovery decides by these fields: each must come back as it was put. */
static void test_headers_come_back_as_they_were_put(void **state)
{
    (void)state;
    uint8_t block[STET_W];
    stet_segment_header h = some_segment_header();
    stet_segment_header h_out;
    stet__segment_header_put(&h, block);
    assert_int_equal(stet__segment_header_get(block, &h_out, NULL), STET_OK);
    assert_int_equal(h_out.format, h.format);
    assert_int_equal(h_out.file, h.file);
    assert_memory_equal(h_out.uuid, h.uuid, sizeof h.uuid);
    assert_int_equal(h_out.salt, h.salt);
    assert_int_equal(h_out.first_position, h.first_position);
    assert_int_equal(h_out.capacity, h.capacity);
    assert_int_equal(h_out.predecessor, h.predecessor);
    assert_int_equal(h_out.flags, h.flags);
    assert_int_equal(h_out.predecessor_end, h.predecessor_end);
    assert_int_equal(h_out.copied_end, h.copied_end);

    stet_super s = some_super();
    stet_super s_out;
    stet__super_put(&s, block);
    assert_int_equal(stet__super_get(block, &s_out, NULL), STET_OK);
    assert_int_equal(s_out.format, s.format);
    assert_int_equal(s_out.generation, s.generation);
    assert_memory_equal(s_out.uuid, s.uuid, sizeof s.uuid);
    assert_int_equal(s_out.mark, s.mark);
    assert_int_equal(s_out.live, s.live);
    assert_int_equal(s_out.spare[0], s.spare[0]);
    assert_int_equal(s_out.spare[1], s.spare[1]);
    assert_int_equal(s_out.clean_file, s.clean_file);
    assert_int_equal(s_out.clean_end, s.clean_end);
    assert_int_equal(s_out.clean_position, s.clean_position);
}

/* Rot anywhere in a block is seen; without the magic there is no block. */
static void test_every_changed_byte_of_a_block_is_refused(void **state)
{
    (void)state;
    uint8_t header[STET_W];
    uint8_t super[STET_W];
    stet_segment_header h = some_segment_header();
    stet_super s = some_super();
    stet__segment_header_put(&h, header);
    stet__super_put(&s, super);
    for (size_t at = 0; at < STET_W; at++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            stet_status want = at < 4 ? STET_E_NOT_FOUND : STET_E_CORRUPT;
            header[at] ^= (uint8_t)(1U << bit);
            super[at] ^= (uint8_t)(1U << bit);
            assert_int_equal(stet__segment_header_get(header, &h, NULL), want);
            assert_int_equal(stet__super_get(super, &s, NULL), want);
            header[at] ^= (uint8_t)(1U << bit);
            super[at] ^= (uint8_t)(1U << bit);
        }
    }
    memset(header, 0, sizeof header);
    assert_int_equal(stet__segment_header_get(header, &h, NULL),
                     STET_E_NOT_FOUND);
    assert_int_equal(stet__super_get(header, &s, NULL), STET_E_NOT_FOUND);
}

/* Put the checksum right again after a change in [8, used). */
static void reseal_block(uint8_t *block, size_t used)
{
    stet__put_u32le(block + 4, stet__crc32c(0, block + 8, used - 8));
}

/* A newer format is named as such: nobody shall repair what is not broken. */
static void test_newer_blocks_are_told_from_damage(void **state)
{
    (void)state;
    uint8_t block[STET_W];
    stet_segment_header h = some_segment_header();
    stet_super s = some_super();
    static const size_t segment_at[] = {8, 60, 61, 80, 87};
    for (size_t i = 0; i < sizeof segment_at / sizeof *segment_at; i++) {
        stet__segment_header_put(&h, block);
        block[segment_at[i]] = 2;
        reseal_block(block, STET_SEGMENT_HEADER_BYTES);
        assert_int_equal(stet__segment_header_get(block, &h, NULL),
                         STET_E_FORMAT);
    }
    static const size_t super_at[] = {8, 60, 63};
    for (size_t i = 0; i < sizeof super_at / sizeof *super_at; i++) {
        stet__super_put(&s, block);
        block[super_at[i]] = 2;
        reseal_block(block, STET_SUPER_BYTES);
        assert_int_equal(stet__super_get(block, &s, NULL), STET_E_FORMAT);
    }
}

/* What was sealed is sound, and says what it was sealed with. */
static void test_sealed_frames_are_sound(void **state)
{
    (void)state;
    rng r = {1};
    for (int i = 0; i < 300; i++) {
        stet_frame_header h;
        stet_frame_header out;
        uint8_t *bytes = random_frame(&r, &h);
        assert_true(stet__frame_is_sound(bytes, h.length, &out));
        assert_int_equal(out.crc, h.crc);
        assert_int_equal(out.salt, h.salt);
        assert_int_equal(out.file, h.file);
        assert_int_equal(out.length, h.length);
        assert_int_equal(out.events, h.events);
        assert_int_equal(out.previous_crc, h.previous_crc);
        assert_int_equal(out.first_position, h.first_position);
        assert_int_equal(out.durable, h.durable);
        assert_int_equal(out.recorded, h.recorded);
        assert_int_equal(out.segment_first, h.segment_first);
        /* A frame that would go on behind the file's end is none. */
        assert_false(stet__frame_is_sound(bytes, h.length - 1, &out));
        assert_false(stet__frame_is_sound(bytes, 0, &out));
        free(bytes);
    }
}

/* A frame is durable as a whole: its padding, too, is acknowledged bytes. */
static void test_every_changed_byte_of_a_frame_is_refused(void **state)
{
    (void)state;
    rng r = {2};
    for (int i = 0; i < 6; i++) {
        stet_frame_header h;
        stet_frame_header out;
        uint8_t *bytes = random_frame(&r, &h);
        for (size_t at = 0; at < h.length; at++) {
            uint8_t was = bytes[at];
            for (int n = 0; n < 3; n++) {
                bytes[at] = (uint8_t)(was + 1 + rng_below(&r, 255));
                assert_false(stet__frame_is_sound(bytes, h.length, &out));
            }
            bytes[at] = was;
        }
        assert_true(stet__frame_is_sound(bytes, h.length, &out));
        free(bytes);
    }
}

/* CRC of the header and the first `events` records, wherever they lead. */
static void forge(uint8_t *bytes, uint32_t events)
{
    stet__put_u32le(bytes + 24, events);
    uint32_t crc = stet__crc32c(0, bytes + 8, STET_FRAME_HEADER_BYTES - 8);
    size_t at = STET_FRAME_HEADER_BYTES;
    size_t length = stet__get_u32le(bytes + 20);
    for (uint32_t i = 0; i < events; i++) {
        uint32_t record_crc = 0;
        size_t record_bytes = 0;
        crc = stet__crc32c(crc, bytes + at, 4);
        assert_true(stet__record_peek(stet_slice_of(bytes + at, length - at),
                                      &record_crc, &record_bytes));
        at += record_bytes;
    }
    stet__put_u32le(bytes + 4, crc);
}

/* All or nothing: a frame that leaves out a record, or counts its padding as
   one, is not sound even when its checksum fits. */
static void test_frames_hold_exactly_their_events(void **state)
{
    (void)state;
    rng r = {3};
    stet_frame_header h;
    stet_frame_header out;
    uint8_t *bytes = random_frame(&r, &h);
    while (h.events < 3 || h.length > STET_W) {
        free(bytes);
        bytes = random_frame(&r, &h);
    }
    forge(bytes, h.events);
    assert_true(stet__frame_is_sound(bytes, h.length, &out));
    forge(bytes, h.events - 1);
    assert_false(stet__frame_is_sound(bytes, h.length, &out));
    forge(bytes, 0);
    assert_false(stet__frame_is_sound(bytes, h.length, &out));
    forge(bytes, h.events);
    stet__put_u32le(bytes + 24, h.events + 1);
    assert_false(stet__frame_is_sound(bytes, h.length, &out));
    free(bytes);
}

/* A header says how much is read and what readers compute from: sizes and
   counts that cannot be are no frame, whatever the checksum says. */
static void test_headers_that_cannot_be_are_no_frames(void **state)
{
    (void)state;
    static const struct {
        size_t at;
        uint32_t v;
    } bad[] = {{20, 0},          {20, STET_W - 512}, {20, 2 * STET_W}, {24, 0},
               {24, UINT32_MAX}, {24, 253},          {56, 1002},       {60, 1},
               {60, 1U << 31}};
    uint8_t bytes[2 * STET_W];
    stet_frame_header out;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        stet_slice record = records_golden_bytes();
        stet_frame_header h = some_frame_header();
        h.length = STET_W;
        h.events = 1;
        memset(bytes, 0, sizeof bytes);
        memcpy(bytes + STET_FRAME_HEADER_BYTES, record.ptr, record.len);
        stet__frame_seal(bytes, STET_FRAME_HEADER_BYTES + record.len, &h);
        assert_true(stet__frame_peek(bytes, STET_W, &out));
        stet__put_u32le(bytes + bad[i].at, bad[i].v);
        assert_false(stet__frame_peek(bytes, STET_W, &out));
        stet__put_u32le(bytes + 4,
                        stet__crc32c(stet__crc32c(0, bytes + 8, 56), record.ptr,
                                     bad[i].v == 0 ? 0 : 4));
        assert_false(stet__frame_is_sound(bytes, STET_W, &out));
    }
    uint8_t *few = malloc(4); /* where a file ends, for ASan */
    assert_non_null(few);
    memcpy(few, bytes, 4);
    assert_false(stet__frame_peek(few, 4, &out));
    free(few);
}

/* Recovery looks for frames at every W of a file that may hold anything; it
   must stay inside, and find nothing. */
static void test_any_bytes_are_looked_at_safely(void **state)
{
    (void)state;
    rng r = {4};
    for (int i = 0; i < 20000; i++) {
        stet_frame_header h;
        stet_frame_header out;
        uint8_t *bytes = random_frame(&r, &h);
        for (size_t n = 1 + rng_below(&r, 4); n > 0; n--) {
            size_t front = rng_below(&r, 2) == 0 ? 100 : h.length;
            bytes[4 + rng_below(&r, front - 4)] ^=
                (uint8_t)(1 + rng_below(&r, 255));
        }
        uint32_t events = stet__get_u32le(bytes + 24);
        if (events < 8 && rng_below(&r, 2) == 0) {
            uint32_t crc = stet__crc32c(0, bytes + 8, 56);
            stet__put_u32le(bytes + 4, crc); /* right, for no events */
        }
        (void)stet__frame_peek(bytes, h.length, &out); /* it returns */
        if (stet__frame_is_sound(bytes, h.length, &out)) {
            /* Changes that undid each other. */
            assert_int_equal(out.crc, h.crc);
        }
        free(bytes);
    }
    uint8_t junk[STET_W] = {0};
    for (int i = 0; i < 20000; i++) {
        stet_frame_header out;
        rng_fill(&r, junk, 64 + rng_below(&r, 64));
        stet__put_u32le(junk, 0x52465453);
        stet__put_u32le(junk + 20, STET_W);
        stet__put_u32le(junk + 24, (uint32_t)rng_below(&r, 4));
        stet__put_u32le(junk + 60, 0);
        assert_false(stet__frame_is_sound(junk, sizeof junk, &out));
    }
}

/* A newer version's records must not look like a torn tail: that is cut off. */
static void test_frames_of_newer_records_are_sound(void **state)
{
    (void)state;
    uint8_t bytes[STET_W];
    stet_record record = {.kind = (stet_event_kind)200,
                          .form = (stet_body_form)15,
                          .id = stet_str("a"),
                          .seq = 1};
    stet_buf b;
    stet__buf_init(&b, &stet__heap);
    records_put_raw(&record, stet_slice_of("\x81\x40\x01x\x00", 5), &b);
    memcpy(bytes + STET_FRAME_HEADER_BYTES, b.ptr, b.len);
    stet_frame_header h = some_frame_header();
    h.length = STET_W;
    h.events = 1;
    stet__frame_seal(bytes, STET_FRAME_HEADER_BYTES + b.len, &h);
    stet_frame_header out;
    assert_true(stet__frame_is_sound(bytes, STET_W, &out));
    stet__buf_deinit(&b);
}

/* Frames start at multiples of W, whatever they hold. */
static void test_rounding_goes_up_to_the_write_unit(void **state)
{
    (void)state;
    assert_int_equal(stet__round_up_w(0), 0);
    assert_int_equal(stet__round_up_w(1), STET_W);
    assert_int_equal(stet__round_up_w(STET_W), STET_W);
    assert_int_equal(stet__round_up_w(STET_W + 1), 2 * STET_W);
    uint8_t zeros[40] = {0};
    assert_true(stet__is_zeros(zeros, 0));
    for (size_t at = 0; at < sizeof zeros; at++) {
        zeros[at] = 1;
        assert_true(stet__is_zeros(zeros, at));
        assert_false(stet__is_zeros(zeros, at + 1));
        assert_false(stet__is_zeros(zeros, sizeof zeros));
        zeros[at] = 0;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden_blocks_mean_what_they_always_meant),
        cmocka_unit_test(test_golden_frame_means_what_it_always_meant),
        cmocka_unit_test(test_a_header_that_cannot_be_is_not_sane),
        cmocka_unit_test(test_headers_come_back_as_they_were_put),
        cmocka_unit_test(test_every_changed_byte_of_a_block_is_refused),
        cmocka_unit_test(test_newer_blocks_are_told_from_damage),
        cmocka_unit_test(test_sealed_frames_are_sound),
        cmocka_unit_test(test_every_changed_byte_of_a_frame_is_refused),
        cmocka_unit_test(test_frames_hold_exactly_their_events),
        cmocka_unit_test(test_headers_that_cannot_be_are_no_frames),
        cmocka_unit_test(test_any_bytes_are_looked_at_safely),
        cmocka_unit_test(test_frames_of_newer_records_are_sound),
        cmocka_unit_test(test_rounding_goes_up_to_the_write_unit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
