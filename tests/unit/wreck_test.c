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

#include "core/record.h"
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

/* Gives how many positions are lost. */
static uint64_t claim_salvaged(memdisk *disk, const char *due)
{
    stet_salvage_opts opts = {.struct_size = sizeof opts};
    stet_salvage_report report = {0};
    assert_int_equal(
        stet__salvage_on(memdisk_os(disk), "d", "saved", &opts, &report, NULL),
        STET_OK);
    stet *s = open_store(disk, "saved");
    claim_newest(s, due);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_copy_that_nobody_named_gives_way),
        cmocka_unit_test(test_frames_without_header_count_where_no_other_does),
        cmocka_unit_test(test_of_two_histories_the_first_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
