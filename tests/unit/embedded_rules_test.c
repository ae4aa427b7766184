/*
 * Rules by which recovery believes files, one at a time: docs/FORMAT.md,
 * sections 4, 8, 9 and 12. In a sound store one thing is made to contradict the
 * others, under a right checksum; the claim is the file and the offset that an
 * open must name or, where the rest of the store is proof enough, that every
 * answer is exact.
 */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/index.h"
#include "lib/settler.h"
#include "stores/embedded/embedded.h"
#include "stores/embedded/names.h"

enum { FILES_MAX = 32, FRAME_EVENTS = 6, SECTOR_BYTES = 512 };

/* A file of the store; what it says is decoded where it is sound. */
typedef struct file {
    char name[STET_OS_NAME_MAX];
    stet_name_kind kind;
    uint8_t *bytes; /* on the disk */
    size_t len;
    stet_segment_header header; /* file 0: none that counts */
    stet_trailer trailer;       /* file 0: none */
} file;

typedef struct store {
    memdisk *disk;
    logbook book;
    uint8_t *slots; /* the file super */
    stet_super super;
    file files[FILES_MAX];
    size_t file_count;
} store;

/* Stores. */

/* Frames of W bytes, four to a segment. */
static void begin(store *s)
{
    *s = (store){.disk = memdisk_create(17)};
    logbook_init(&s->book, 17);
    s->book.opts.segment_bytes = 5 * STET_W;
    s->book.opts.settle_segments = 2;
    s->book.body_max = 120;
    settler_open_ok(&s->book, s->disk);
}

static void write_frames(store *s, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        logbook_write_ok(&s->book, FRAME_EVENTS);
        assert_int_equal(logbook_steps(&s->book, NULL), STET_OK);
    }
}

static void look_at_file(store *s, const char *name)
{
    uint32_t number = 0;
    file f = {.kind = stet__name_kind(name, &number)};
    (void)snprintf(f.name, sizeof f.name, "%s", name);
    f.bytes = memdisk_bytes(s->disk, name, &f.len);
    if (f.kind == STET_NAME_SUPER) {
        stet_super second;
        s->slots = f.bytes;
        assert_int_equal(stet__super_get(f.bytes, &s->super, NULL), STET_OK);
        assert_int_equal(stet__super_get(f.bytes + STET_W, &second, NULL),
                         STET_OK);
        if (second.generation > s->super.generation) {
            s->super = second;
        }
    }
    if (f.kind != STET_NAME_SEGMENT && f.kind != STET_NAME_SET) {
        return;
    }
    if (stet__segment_header_get(f.bytes, &f.header, NULL) != STET_OK ||
        f.header.file != number) {
        f.header.file = 0;
    }
    (void)stet__trailer_get(f.bytes + f.len - STET_W, &f.trailer, NULL);
    assert_true(s->file_count < FILES_MAX);
    s->files[s->file_count++] = f;
}

/* The store is closed, or killed as it is; then look at what it left. */
static void stop(store *s, bool is_clean)
{
    const char *names[FILES_MAX];
    assert_int_equal(logbook_close(&s->book, is_clean, NULL), STET_OK);
    memdisk_crash(s->disk, false);
    size_t count = memdisk_names(s->disk, names, FILES_MAX);
    for (size_t i = 0; i < count; i++) {
        look_at_file(s, names[i]);
    }
}

static void end(store *s)
{
    logbook_deinit(&s->book);
    memdisk_destroy(s->disk);
}

/* Sealed segments and a spare. */
static void make_sealed(store *s)
{
    begin(s);
    write_frames(s, 11);
    stop(s, true);
}

/* Killed with two frames in the live segment, or more. */
static void make_live(store *s)
{
    begin(s);
    write_frames(s, 11);
    stop(s, false);
}

/* Sets of all there is. */
static void begin_settled(store *s)
{
    begin(s);
    write_frames(s, 16);
    logbook_close_ok(&s->book);
    settler_open_ok(&s->book, s->disk);
    assert_int_equal(settler_settle_all(&s->book, NULL), STET_OK);
}

/* The same with a spare, and super says how it ended. */
static void make_settled(store *s)
{
    begin_settled(s);
    stop(s, true);
}

/* Sets and, with a lower number, a live segment that goes on from them. */
static void make_sets_and_live(store *s)
{
    begin_settled(s);
    write_frames(s, 2);
    stop(s, false);
}

/* Killed, and killed again when what was uncertain had been copied. */
static void make_copied(store *s)
{
    begin(s);
    write_frames(s, 10);
    assert_int_equal(logbook_close(&s->book, false, NULL), STET_OK);
    memdisk_crash(s->disk, false);
    settler_open_ok(&s->book, s->disk);
    stop(s, false);
}

/* Files: the one that is meant has the greatest rank; 0: no such file. */

static uint64_t newest_segment(const file *f)
{
    return f->header.file == 0 ? 0 : f->header.first_position;
}

static uint64_t oldest_segment(const file *f)
{
    return f->header.file == 0 ? 0 : UINT64_MAX - f->header.first_position;
}

static uint64_t any_spare(const file *f)
{
    return f->header.file == 0 && f->kind == STET_NAME_SEGMENT;
}

static uint64_t newest_set(const file *f)
{
    return f->kind == STET_NAME_SET ? f->trailer.end_position : 0;
}

static file *find_file(store *s, uint64_t (*rank)(const file *f))
{
    file *found = NULL;
    uint64_t greatest = 0;
    for (size_t i = 0; i < s->file_count; i++) {
        uint64_t here = rank(&s->files[i]);
        if (here > greatest) {
            found = &s->files[i];
            greatest = here;
        }
    }
    assert_non_null(found);
    return found;
}

/* Where the last frame that follows from the first one begins. */
static uint64_t newest_frame(const file *f)
{
    uint64_t newest = 0;
    stet_frame_header h;
    for (uint64_t at = STET_W;
         at < f->len && stet__frame_is_sound(f->bytes + at, f->len - at, &h) &&
         h.file == f->header.file && h.salt == f->header.salt;
         at += h.length) {
        newest = at;
    }
    assert_true(newest > 0);
    return newest;
}

static void put_trailer(const file *f, const stet_trailer *t)
{
    stet__trailer_put(t, f->bytes + f->len - STET_W);
}

/* In both slots: one alone is outvoted by the generation. */
static void put_super(const store *s, const stet_super *super)
{
    stet__super_put(super, s->slots);
    stet__super_put(super, s->slots + STET_W);
}

/* Nothing was stopped cleanly, and no more is known than that. */
static stet_super super_without_proof(const store *s)
{
    stet_super super = s->super;
    super.mark = 1;
    super.clean_file = 0;
    super.clean_end = 0;
    super.clean_position = 0;
    return super;
}

/* Claims. */

static const stet_open_mode modes[] = {STET_OPEN_READONLY, STET_OPEN_DEFAULT};

enum { MODES = sizeof modes / sizeof modes[0] };

/* Readers and writers alike find this very place, and open nothing. */
static void claim_told(const store *s, const file *f, uint64_t offset)
{
    char due[STET_OS_NAME_MAX + 40];
    (void)snprintf(due, sizeof due, "%s at offset %" PRIu64 ": ", f->name,
                   offset);
    for (size_t i = 0; i < MODES; i++) {
        logbook b = s->book; /* shares the events */
        stet_error err = {0};
        memdisk *disk = memdisk_copy(s->disk);
        b.opts.mode = modes[i];
        assert_int_equal(logbook_open(&b, &stet__embedded_driver, "d",
                                      memdisk_os(disk), &err),
                         STET_E_CORRUPT);
        err.text[strlen(due)] = '\0';
        assert_string_equal(err.text, due);
        memdisk_destroy(disk);
    }
}

/* There is all below the position `next`, and every answer is exact. */
static void claim_answers(const store *s, stet_open_mode mode, uint64_t next)
{
    logbook b = s->book; /* shares the events */
    stet_error err = {0};
    memdisk *disk = memdisk_copy(s->disk);
    b.opts.mode = mode;
    assert_int_equal(
        logbook_open(&b, &stet__embedded_driver, "d", memdisk_os(disk), &err),
        STET_OK);
    assert_int_equal(b.start.next_position, next);
    logbook_check(&b, next);
    assert_int_equal(logbook_close(&b, false, NULL), STET_OK);
    memdisk_destroy(disk);
}

/* Readers and writers alike answer as if nothing had happened. */
static void claim_whole(const store *s)
{
    for (size_t i = 0; i < MODES; i++) {
        claim_answers(s, modes[i], s->book.next);
    }
}

/* Section 4: what a header may say, of itself and of the one before. */
static void test_a_header_without_sense_is_told(void **state)
{
    (void)state;
    enum { ROWS = 7 };
    store s;
    make_live(&s);
    file *f = find_file(&s, newest_segment);
    stet_segment_header forged[ROWS];
    for (size_t i = 0; i < ROWS; i++) {
        forged[i] = f->header;
    }
    forged[0].uuid[0] ^= 1; /* another store's */
    forged[1].capacity += SECTOR_BYTES;
    forged[2].capacity = STET_W; /* without a frame */
    forged[3].capacity = UINT64_C(1) << 32;
    forged[4].first_position = 0;
    forged[5].first_position++; /* one is missing before it */
    forged[6].predecessor = f->header.file;
    for (size_t i = 0; i < ROWS; i++) {
        stet__segment_header_put(&forged[i], f->bytes);
        claim_told(&s, f, 0);
    }
    end(&s);
}

/* Sections 4 and 12: a spare that was a segment has what was in that, yet. */
static void test_what_has_another_number_does_not_count(void **state)
{
    (void)state;
    store s;
    make_sealed(&s);
    const file *spare = find_file(&s, any_spare);
    const file *f = find_file(&s, oldest_segment);
    assert_true(newest_frame(f) < spare->len && spare->len < f->len);
    memcpy(spare->bytes, f->bytes, spare->len);
    claim_whole(&s);
    end(&s);
}

/* Section 12: a header is written only when all before it is durable. */
static void test_a_header_proves_what_lies_before_it(void **state)
{
    (void)state;
    store s;
    begin(&s);
    for (int i = 0; i < 9; i++) {
        logbook_write_ok(&s.book, FRAME_EVENTS); /* nothing is sealed */
    }
    stop(&s, false);
    const file *f = find_file(&s, newest_segment);
    assert_int_equal(newest_frame(f), STET_W);
    stet_super forged = super_without_proof(&s);
    put_super(&s, &forged);
    f->bytes[STET_W] ^= 1; /* its only frame */
    claim_answers(&s, STET_OPEN_READONLY, f->header.first_position);
    end(&s);
}

/*
 * Section 8: a file that was another segment before may end in a trailer still.
 * Its index would answer for that one.
 */
static void test_a_trailer_of_something_else_is_passed_over(void **state)
{
    (void)state;
    enum { ROWS = 4 };
    store s;
    make_sealed(&s);
    file *f = find_file(&s, oldest_segment);
    stet_trailer forged[ROWS] = {f->trailer, f->trailer, f->trailer,
                                 f->trailer};
    forged[0].uuid[0] ^= 1;
    forged[1].salt ^= 1;
    forged[2].first_position++;
    forged[2].end_position++;
    forged[3].file++;
    size_t end_offset = (size_t)f->trailer.end_offset;
    memset(f->bytes + end_offset, 0xff, f->len - STET_W - end_offset);
    for (size_t i = 0; i < ROWS; i++) {
        put_trailer(f, &forged[i]);
        claim_whole(&s);
    }
    end(&s);
}

/* Section 4: where a file ends its successor says; its trailer may be older. */
static void test_a_trailer_too_early_is_passed_over(void **state)
{
    (void)state;
    store s;
    make_sealed(&s);
    file *f = find_file(&s, oldest_segment);
    stet_trailer forged = f->trailer;
    forged.end_offset -= STET_W;
    f->len -= STET_W;
    memdisk_cut(s.disk, f->name, f->len);
    put_trailer(f, &forged);
    claim_whole(&s);
    end(&s);
}

/* The same of the last file, of whose end nobody else tells. */
static void test_a_trailer_before_all_frames_is_passed_over(void **state)
{
    (void)state;
    store s;
    make_sealed(&s);
    file *f = find_file(&s, newest_segment);
    stet_super super = super_without_proof(&s);
    put_super(&s, &super);
    stet_trailer forged = f->trailer;
    forged.end_offset = STET_W;
    f->len -= (size_t)(f->trailer.end_offset - forged.end_offset);
    memdisk_cut(s.disk, f->name, f->len);
    put_trailer(f, &forged);
    claim_answers(&s, STET_OPEN_DEFAULT, s.book.next);
    end(&s);
}

/* Section 8: frames lie within the capacity, whatever a trailer says. */
static void test_a_trailer_beyond_the_capacity_is_told(void **state)
{
    (void)state;
    store s;
    make_sealed(&s);
    file *f = find_file(&s, oldest_segment);
    stet_segment_header forged = f->header;
    forged.capacity = f->trailer.end_offset - STET_W;
    stet__segment_header_put(&forged, f->bytes);
    claim_told(&s, f, forged.capacity);
    end(&s);
}

/* Section 4: the clean end counts before the trailer, which still proves. */
static void test_a_clean_end_that_is_not_the_trailers_is_told(void **state)
{
    (void)state;
    enum { ROWS = 3 };
    store s;
    make_sealed(&s);
    const file *f = find_file(&s, newest_segment);
    uint64_t end_offset = s.super.clean_end;
    stet_super forged[ROWS] = {s.super, s.super, s.super};
    uint64_t due[ROWS] = {end_offset - STET_W, end_offset, end_offset};
    forged[0].clean_end -= STET_W;
    forged[0].clean_position -= FRAME_EVENTS;
    forged[0].mark = forged[0].clean_position;
    forged[1].clean_end += STET_W;
    forged[2].clean_position += FRAME_EVENTS;
    for (size_t i = 0; i < ROWS; i++) {
        put_super(&s, &forged[i]);
        claim_told(&s, f, due[i]);
    }
    end(&s);
}

/* Section 12: a batch is durable as a whole, or not at all. */
static void test_a_mark_within_a_frame_is_told(void **state)
{
    (void)state;
    store s;
    make_live(&s);
    const file *f = find_file(&s, newest_segment);
    stet_super forged = super_without_proof(&s);
    forged.mark = s.book.next - FRAME_EVENTS / 2;
    put_super(&s, &forged);
    claim_told(&s, f, newest_frame(f));
    end(&s);
}

/* Section 9: a set goes on from what is before it, and what follows from it. */
static void test_a_set_that_does_not_join_is_told(void **state)
{
    (void)state;
    enum { ROWS = 5 };
    store s;
    make_sets_and_live(&s);
    const file *f = find_file(&s, newest_set);
    stet_trailer forged[ROWS] = {f->trailer, f->trailer, f->trailer, f->trailer,
                                 f->trailer};
    uint64_t at = f->len - STET_W;
    uint64_t due[ROWS] = {at, at, at, at, 0};
    forged[0].uuid[0] ^= 1; /* another store's */
    forged[1].file++;
    forged[2].end_offset -= STET_W; /* that leaves a gap */
    forged[3].set.last_end += STET_W;
    forged[4].first_position++;
    forged[4].end_position++;
    for (size_t i = 0; i < ROWS; i++) {
        put_trailer(f, &forged[i]);
        claim_told(&s, f, due[i]);
    }
    end(&s);
}

/* Section 12: a set is named only when all of it is durable. */
static void test_a_set_proves_its_own_range(void **state)
{
    (void)state;
    store s;
    make_settled(&s);
    stet_super forged = super_without_proof(&s);
    put_super(&s, &forged);
    claim_whole(&s);
    end(&s);
}

/* Section 12: what a recovery copied is durable, though its frames say less. */
static void test_a_copy_proves_what_it_copied(void **state)
{
    (void)state;
    store s;
    make_copied(&s);
    const file *f = find_file(&s, newest_segment);
    assert_int_equal(f->header.flags, STET_SEGMENT_RECOVERY);
    assert_int_equal(f->header.copied_end, s.book.next);
    stet_super forged = super_without_proof(&s);
    put_super(&s, &forged);
    uint64_t at = newest_frame(f);
    f->bytes[at + STET_FRAME_HEADER_BYTES] ^= 1;
    claim_told(&s, f, at);
    end(&s);
}

/* Section 12: who lost its header is no spare, if `super` names it live. */
static void test_a_live_file_without_its_header_is_told(void **state)
{
    (void)state;
    store s;
    begin(&s);
    write_frames(&s, 9); /* the newest one says that those before it last */
    stop(&s, false);
    const file *f = find_file(&s, newest_segment);
    assert_int_equal(newest_frame(f), STET_W);
    stet_super forged = super_without_proof(&s);
    forged.live = f->header.file;
    put_super(&s, &forged);
    f->bytes[0] ^= 1;
    claim_told(&s, f, 0);
    end(&s);
}

/*
 * Section 12: nor if its own frames prove that it was a segment behind a set,
 * which as the younger file has the higher number.
 */
static void test_a_lost_header_behind_a_set_is_told(void **state)
{
    (void)state;
    store s;
    make_sets_and_live(&s);
    const file *f = find_file(&s, newest_segment);
    assert_true(newest_frame(f) > STET_W);
    assert_true(f->header.file < find_file(&s, newest_set)->trailer.file);
    stet_super forged = super_without_proof(&s);
    forged.live = 0;
    put_super(&s, &forged);
    f->bytes[0] ^= 1;
    claim_told(&s, f, 0);
    end(&s);
}

/* The same by its trailer, where nothing is left of its frames. */
static void test_a_lost_header_before_a_trailer_is_told(void **state)
{
    (void)state;
    store s;
    make_sealed(&s);
    const file *f = find_file(&s, newest_segment);
    stet_super forged = super_without_proof(&s);
    forged.live = 0;
    put_super(&s, &forged);
    memset(f->bytes, 0, (size_t)f->trailer.end_offset);
    claim_told(&s, f, 0);
    end(&s);
}

/*
 * But a power cut may leave frames without their header. The first one says
 * nothing of itself, the second one is torn: neither was acknowledged.
 */
static void test_a_header_that_never_was_is_not_missed(void **state)
{
    (void)state;
    store s;
    begin(&s);
    write_frames(&s, 10);
    stop(&s, false);
    const file *f = find_file(&s, newest_segment);
    uint64_t at = newest_frame(f);
    assert_int_equal(at, 2 * STET_W);
    stet_super forged = super_without_proof(&s);
    forged.live = 0;
    put_super(&s, &forged);
    f->bytes[0] ^= 1;
    f->bytes[at + STET_FRAME_HEADER_BYTES] ^= 1;
    claim_answers(&s, STET_OPEN_READONLY, f->header.first_position);
    end(&s);
}

/* Does opening write `super`? Every answer is exact, anyhow. */
static bool writes_super(const store *s)
{
    uint8_t before[2 * STET_W];
    size_t len = 0;
    logbook b = s->book; /* shares the events */
    memcpy(before, s->slots, sizeof before);
    claim_whole(s);
    memdisk *disk = memdisk_copy(s->disk);
    settler_open_ok(&b, disk);
    assert_int_equal(logbook_close(&b, false, NULL), STET_OK);
    const uint8_t *after = memdisk_bytes(disk, "super", &len);
    bool is_written =
        len != sizeof before || memcmp(after, before, sizeof before) != 0;
    memdisk_destroy(disk);
    return is_written;
}

/*
 * Section 12: after a clean stop nothing is to be done, and an open writes
 * nothing; after anything else `super` is made durable again.
 */
static void test_only_a_clean_end_is_left_as_it_is(void **state)
{
    (void)state;
    store s;
    make_settled(&s);
    assert_false(writes_super(&s));
    stet_super forged = s.super;
    forged.clean_end += STET_W;
    put_super(&s, &forged);
    assert_true(writes_super(&s));
    forged = s.super;
    forged.clean_file = s.super.spare[0];
    put_super(&s, &forged);
    assert_true(writes_super(&s));
    forged = super_without_proof(&s);
    forged.generation = 2; /* as if nothing had been written to it */
    put_super(&s, &forged);
    assert_true(writes_super(&s));
    end(&s);
}

/* A store that was made and never written to: a crash has nothing to undo. */
static void test_a_new_store_is_left_as_it_is(void **state)
{
    (void)state;
    store s;
    begin(&s);
    stop(&s, false);
    assert_false(writes_super(&s));
    stet_super forged = s.super;
    forged.generation++;
    put_super(&s, &forged);
    assert_true(writes_super(&s)); /* spares were named, perhaps a live file */
    end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_header_without_sense_is_told),
        cmocka_unit_test(test_what_has_another_number_does_not_count),
        cmocka_unit_test(test_a_header_proves_what_lies_before_it),
        cmocka_unit_test(test_a_trailer_of_something_else_is_passed_over),
        cmocka_unit_test(test_a_trailer_too_early_is_passed_over),
        cmocka_unit_test(test_a_trailer_before_all_frames_is_passed_over),
        cmocka_unit_test(test_a_trailer_beyond_the_capacity_is_told),
        cmocka_unit_test(test_a_clean_end_that_is_not_the_trailers_is_told),
        cmocka_unit_test(test_a_mark_within_a_frame_is_told),
        cmocka_unit_test(test_a_set_that_does_not_join_is_told),
        cmocka_unit_test(test_a_set_proves_its_own_range),
        cmocka_unit_test(test_a_copy_proves_what_it_copied),
        cmocka_unit_test(test_a_live_file_without_its_header_is_told),
        cmocka_unit_test(test_a_lost_header_behind_a_set_is_told),
        cmocka_unit_test(test_a_lost_header_before_a_trailer_is_told),
        cmocka_unit_test(test_a_header_that_never_was_is_not_missed),
        cmocka_unit_test(test_only_a_clean_end_is_left_as_it_is),
        cmocka_unit_test(test_a_new_store_is_left_as_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
