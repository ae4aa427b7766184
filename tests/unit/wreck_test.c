/*
 * Wrecks in which files contradict each other: which of them is believed is
 * told by what the new store says.
 */
#include "stores/embedded/wreck.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/index.h"
#include "core/record.h"
#include "core/set.h"
#include "engine/handle.h"
#include "lib/memdisk.h"

static stet *open_store(memdisk *disk, const char *url)
{
    stet_opts opts = {.struct_size = sizeof opts,
                      .flags = STET_NO_THREADS,
                      .segment_bytes = 64 * 1024};
    stet *s = NULL;
    assert_int_equal(stet__open_on(memdisk_os(disk), url, &opts, &s, NULL),
                     STET_OK);
    return s;
}

/*
 * An event for each letter, in a frame of W bytes: a digit is the new state of
 * "m0", anything else one of "m1". Then the process is killed.
 */
static memdisk *save_and_kill(const char *letters)
{
    char text[32];
    memdisk *disk = memdisk_create(7);
    memdisk_add_folder(disk, "saved");
    stet *s = open_store(disk, "d");
    for (const char *p = letters; *p != '\0'; p++) {
        const char *id = *p >= '0' && *p <= '9' ? "m0" : "m1";
        (void)snprintf(text, sizeof text, "{\"n\":\"%c\"}", *p);
        assert_int_equal(
            stet_save(s, stet_str(id), stet_str(text), NULL, NULL, NULL),
            STET_OK);
    }
    memdisk_die_at(disk, 1);
    (void)stet_close(s, NULL); /* dies on the way */
    memdisk_crash(disk, false);
    return disk;
}

static void claim_newest(stet *s, const char *due)
{
    const stet_state *state = NULL;
    assert_int_equal(stet_load(s, stet_str("m0"), NULL, &state, NULL), STET_OK);
    assert_true(stet__slice_eq(state->state_data, stet_str(due)));
    stet_state_release(state);
}

/* Gives how many positions are lost; `due` NULL: the newest are. */
static uint64_t claim_salvaged(memdisk *disk, const char *due)
{
    stet_salvage_opts opts = {.struct_size = sizeof opts};
    stet_salvage_report report = {0};
    assert_int_equal(
        stet__salvage_on(memdisk_os(disk), "d", "saved", &opts, &report, NULL),
        STET_OK);
    stet *s = open_store(disk, "saved");
    if (due != NULL) {
        claim_newest(s, due);
    }
    assert_int_equal(stet_verify(s, NULL, NULL, NULL, NULL), STET_OK);
    assert_int_equal(stet_close(s, NULL), STET_OK);
    return report.lost;
}

/* Copy a frame of one event, as one of a file of that salt and number. */
static void copy_frame(memdisk *from, size_t nth, uint8_t *to,
                       stet_frame_header as)
{
    size_t len = 0;
    size_t used = 0;
    uint32_t crc = 0;
    stet_frame_header h;
    const uint8_t *frame = memdisk_bytes(from, "1.seg", &len) + nth * STET_W;
    assert_true(stet__frame_is_sound(frame, STET_W, &h));
    assert_int_equal(h.events, 1);
    assert_true(
        stet__record_peek(stet_slice_of(frame + STET_FRAME_HEADER_BYTES,
                                        STET_W - STET_FRAME_HEADER_BYTES),
                          &crc, &used));
    memcpy(to, frame, STET_W);
    as.events = 1;
    as.length = STET_W;
    as.first_position = h.first_position;
    as.recorded = h.recorded;
    stet__frame_seal(to, STET_FRAME_HEADER_BYTES + used, &as);
}

/* Copy the second frame into a spare, as a recovery begins to: headless. */
static void begin_copy(memdisk *from, memdisk *to)
{
    size_t len = 0;
    uint8_t *spare = memdisk_bytes(to, "2.seg", &len);
    assert_true(stet__is_zeros(spare, len));
    copy_frame(from, 2, spare + STET_W,
               (stet_frame_header){.salt = 1,
                                   .file = 2,
                                   .previous_crc = 1,
                                   .durable = 2,
                                   .segment_first = 2});
}

/*
 * A recovery copied a frame that was in the page cache only, and was cut off:
 * the copy reached the media, the frame did not, and another was acknowledged
 * at its position. What the copy says was given up.
 */
static void test_a_copy_that_nobody_named_gives_way(void **state)
{
    (void)state;
    memdisk *disk = save_and_kill("12");
    memdisk *other = save_and_kill("19");
    begin_copy(other, disk);
    assert_int_equal(claim_salvaged(disk, "{\"n\":\"2\"}"), 0);
    memdisk_destroy(other);
    memdisk_destroy(disk);
}

/* But where nobody else tells of its positions it is all that there is. */
static void test_frames_without_header_count_where_no_other_does(void **state)
{
    (void)state;
    memdisk *disk = save_and_kill("1");
    memdisk *other = save_and_kill("19");
    begin_copy(other, disk);
    assert_int_equal(claim_salvaged(disk, "{\"n\":\"9\"}"), 0);
    memdisk_destroy(other);
    memdisk_destroy(disk);
}

/*
 * A disk that lied about its syncs may have parts of two histories. A state
 * that one of them had is kept, one that is folded from both there never was.
 */
static void test_of_two_histories_the_first_counts(void **state)
{
    (void)state;
    memdisk *disk = save_and_kill("123");
    memdisk *other = save_and_kill("1-9"); /* "9" is the second of "m0" */
    size_t len = 0;
    stet_frame_header third;
    uint8_t *frame = memdisk_bytes(disk, "1.seg", &len) + 3 * STET_W;
    assert_true(stet__frame_is_sound(frame, STET_W, &third));
    copy_frame(other, 3, frame, third);
    assert_int_equal(claim_salvaged(disk, "{\"n\":\"2\"}"), 1);
    memdisk_destroy(other);
    memdisk_destroy(disk);
}

enum { TICKS = 10000, TICK_NS = 1 << 30 };

/*
 * A store settled into one set, of events a second apart: its times alone take
 * several blocks.
 */
static memdisk *save_for_long(void)
{
    memdisk *disk = memdisk_create(9);
    memdisk_add_folder(disk, "saved");
    stet_opts opts = {.struct_size = sizeof opts,
                      .flags = STET_NO_THREADS,
                      .segment_bytes = 64 * 1024 * 1024};
    stet *s = NULL;
    assert_int_equal(stet__open_on(memdisk_os(disk), "d", &opts, &s, NULL),
                     STET_OK);
    for (int i = 0; i < TICKS; i++) {
        const char *id = i % 4 == 0 ? "m0" : "m1";
        memdisk_advance(disk, (int64_t)TICK_NS << (i % 16));
        assert_int_equal(stet_save(s, stet_str(id), stet_str("{\"n\":\"1\"}"),
                                   NULL, NULL, NULL),
                         STET_OK);
    }
    assert_int_equal(stet_close(s, NULL), STET_OK);
    s = open_store(disk, "d");
    assert_int_equal(stet_compact(s, NULL), STET_OK);
    assert_int_equal(stet_close(s, NULL), STET_OK);
    return disk;
}

/* The only set's name and its blocks' offsets, the times' first. */
static const char *find_blocks(memdisk *disk, size_t *out, size_t max,
                               size_t *out_times)
{
    const char *names[100];
    size_t count = memdisk_names(disk, names, 100);
    const char *found = NULL;
    size_t len = 0;
    stet_trailer t;
    stet_set_block b;
    for (size_t i = 0; i < count; i++) {
        found = strstr(names[i], ".set") != NULL ? names[i] : found;
    }
    assert_non_null(found);
    const uint8_t *bytes = memdisk_bytes(disk, found, &len);
    assert_int_equal(stet__trailer_get(bytes + len - STET_W, &t, NULL),
                     STET_OK);
    size_t n = 0;
    *out_times = 0;
    for (size_t at = STET_SET_HEAD_BYTES;
         n < max &&
         stet__set_block_peek(t.salt, stet_slice_of(bytes + at, len - at), &b);
         at += STET_SET_BLOCK_HEADER_BYTES + b.bytes) {
        out[n++] = at;
        *out_times += b.raw_offset < t.set.times_bytes;
    }
    return found;
}

/*
 * Times say how long after the one before them an event came. Where a block of
 * them is lost, those in front of it are told from the first, those behind it
 * from the last; between two that are lost nothing is told.
 */
static void test_times_around_a_lost_block_are_told(void **state)
{
    (void)state;
    size_t at[64];
    size_t times = 0;
    memdisk *first = save_for_long();
    const char *name = find_blocks(first, at, 64, &times);
    assert_true(times >= 3);
    for (size_t i = 0; i < times; i++) {
        for (size_t k = i; k < times; k++) {
            size_t len = 0;
            memdisk *disk = memdisk_copy(first);
            uint8_t *bytes = memdisk_bytes(disk, name, &len);
            bytes[at[i] + STET_SET_BLOCK_HEADER_BYTES] ^= 1;
            bytes[at[k] + STET_SET_BLOCK_HEADER_BYTES + 1] ^= 1;
            bool has_newest = k + 1 < times;
            uint64_t lost =
                claim_salvaged(disk, has_newest ? "{\"n\":\"1\"}" : NULL);
            assert_in_range(lost, 1, i == k ? TICKS / 2 : TICKS);
            assert_int_equal(lost<TICKS, i> 0 || has_newest);
            memdisk_destroy(disk);
        }
    }
    memdisk_destroy(first);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_copy_that_nobody_named_gives_way),
        cmocka_unit_test(test_frames_without_header_count_where_no_other_does),
        cmocka_unit_test(test_of_two_histories_the_first_counts),
        cmocka_unit_test(test_times_around_a_lost_block_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
