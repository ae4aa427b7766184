/*
 * Files whose checksums are right and whose content makes no sense, as a bug or
 * somebody with a mind to it would leave them. Nothing is read out of bounds,
 * no state is made up, and verifying tells.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/checksum.h"
#include "core/index.h"
#include "lib/memdisk.h"
#include "lib/questions.h"
#include "lib/rounds.h"
#include "lib/settler.h"
#include "stores/embedded/embedded.h"

/* A store, what it answers, and the files of it that have an index. */
typedef struct forging {
    logbook b;
    memdisk *first; /* as it ought to be */
    memdisk *disk;  /* with what is forged */
    stet_buf due[QUESTIONS];
} forging;

static void begin(forging *g)
{
    questions_begin(&g->b, &g->first, true);
    settler_open_ok(&g->b, g->first);
    for (size_t i = 0; i < QUESTIONS; i++) {
        stet__buf_init(&g->due[i], &stet__heap);
        questions_ask_ok(&g->b, questions[i], &g->due[i]);
    }
    logbook_close_ok(&g->b);
}

static void end(forging *g)
{
    for (size_t i = 0; i < QUESTIONS; i++) {
        stet__buf_deinit(&g->due[i]);
    }
    settler_open_ok(&g->b, g->first);
    settler_end(&g->b, g->first);
}

/*
 * The oldest file of a kind that is sealed or settled: what follows goes on
 * from it.
 */
static const char *indexed_file(const forging *g, const char *kind,
                                stet_trailer *out)
{
    const char *names[100];
    size_t count = memdisk_names(g->first, names, 100);
    const char *found = NULL;
    for (size_t i = 0; i < count; i++) {
        size_t len = 0;
        stet_trailer t;
        uint8_t *bytes = memdisk_bytes(g->first, names[i], &len);
        if (strstr(names[i], kind) != NULL && len > STET_INDEX_BLOCK_BYTES &&
            stet__trailer_get(bytes + len - STET_INDEX_BLOCK_BYTES, &t, NULL) ==
                STET_OK &&
            (found == NULL || t.first_position < out->first_position)) {
            found = names[i];
            *out = t;
        }
    }
    assert_non_null(found);
    return found;
}

static bool is_refusal(stet_status st)
{
    return st == STET_E_CORRUPT || st == STET_E_FORMAT ||
           st == STET_E_NOT_FOUND;
}

/* Ask everything; an answer may be a lie of the index, but it comes. */
static void ask_all(forging *g)
{
    stet_buf got;
    stet__buf_init(&got, &stet__heap);
    for (size_t i = 0; i < QUESTIONS; i++) {
        stet_error err = {0};
        stet__buf_reset(&got);
        stet_status st = questions[i](&g->b, &got, &err);
        assert_true(st == STET_OK || is_refusal(st));
    }
    stet__buf_deinit(&got);
}

static void ask_all_ok(forging *g)
{
    stet_buf got;
    stet__buf_init(&got, &stet__heap);
    for (size_t i = 0; i < QUESTIONS; i++) {
        questions_ask_ok(&g->b, questions[i], &got);
        questions_assert_same(&got, &g->due[i]);
    }
    stet__buf_deinit(&got);
}

/* Change a byte of an index block and make its checksum right. */
static void forge_block(forging *g, const char *name, const stet_trailer *t,
                        uint32_t number, size_t at)
{
    size_t len = 0;
    uint8_t *file = memdisk_bytes(g->disk, name, &len);
    uint8_t *block =
        file + t->end_offset + (size_t)number * STET_INDEX_BLOCK_BYTES;
    stet_section section = (stet_section)stet__get_u16le(block + 4);
    size_t used = stet__get_u16le(block + 6);
    block[STET_INDEX_HEADER_BYTES + at] ^= at % 3 == 0 ? 0x80 : 0x01;
    stet__index_block_seal(block, section, number, used, t->salt);
}

/* Verifying tells what was forged; where it can be computed it is mended. */
static void check_forged(forging *g, bool is_mended)
{
    stet_verify_report report = {.struct_size = sizeof report};
    uint64_t rebuilt = 0;
    stet_status st = logbook_open(&g->b, &stet__embedded_driver, "d",
                                  memdisk_os(g->disk), NULL);
    if (st != STET_OK) {
        assert_int_equal(st, STET_E_CORRUPT);
        return;
    }
    ask_all(g);
    st = g->b.log->ops->verify(g->b.log, NULL, NULL, &report, NULL);
    assert_int_equal(st, STET_E_CORRUPT);
    if (is_mended) {
        assert_int_equal(g->b.log->ops->reindex(g->b.log, &rebuilt, NULL),
                         STET_OK);
        assert_true(rebuilt > 0);
        logbook_close_ok(&g->b);
        settler_open_ok(&g->b, g->disk);
        ask_all_ok(g);
    }
    logbook_close_ok(&g->b);
}

/* Forge bytes of each block: the first ones, then here and there. */
static void forge_index(forging *g, const char *kind)
{
    enum { NEAR = 12, STEP = 251 };
    stet_trailer t;
    const char *name = indexed_file(g, kind, &t);
    for (uint32_t n = 0; n < stet__trailer_number(&t); n++) {
        size_t len = 0;
        const uint8_t *file = memdisk_bytes(g->first, name, &len);
        const uint8_t *block =
            file + t.end_offset + (size_t)n * STET_INDEX_BLOCK_BYTES;
        size_t used = stet__get_u16le(block + 6);
        bool is_mended = stet__get_u16le(block + 4) != STET_SECTION_BLOCKS;
        for (size_t at = 0; at < used; at += at < NEAR ? 1 : STEP) {
            g->disk = memdisk_copy(g->first);
            forge_block(g, name, &t, n, at);
            check_forged(g, is_mended);
            memdisk_destroy(g->disk);
        }
    }
}

static void test_a_forged_index_is_told_and_mended(void **state)
{
    (void)state;
    forging g = {0};
    begin(&g);
    forge_index(&g, ".seg");
    forge_index(&g, ".set");
    end(&g);
}

/*
 * Not believed, or told by verifying, or it makes no difference; also when it
 * was settled.
 */
static void check_believed(forging *g, bool is_settled)
{
    stet_verify_report report = {.struct_size = sizeof report};
    stet_status st = logbook_open(&g->b, &stet__embedded_driver, "d",
                                  memdisk_os(g->disk), NULL);
    if (st != STET_OK) {
        assert_true(is_refusal(st));
        return;
    }
    if (is_settled) {
        st = settler_settle_all(&g->b, NULL);
        assert_true(st == STET_OK || is_refusal(st));
    }
    st = g->b.log->ops->verify(g->b.log, NULL, NULL, &report, NULL);
    if (st == STET_OK && is_settled) {
        logbook_check(&g->b, g->b.next); /* a walk goes another way */
    } else if (st == STET_OK) {
        ask_all_ok(g);
    } else {
        assert_int_equal(st, STET_E_CORRUPT);
        ask_all(g);
    }
    (void)logbook_close(&g->b, false, NULL); /* it may be too damaged */
}

/* The first bytes of a block tell the rest of it where it begins. */
static void settle_forged(forging *g, const char *name, const stet_trailer *t,
                          uint32_t number)
{
    enum { NEAR = 40 };
    for (size_t at = 0; at < NEAR; at += 1 + at / 4) {
        g->disk = memdisk_copy(g->first);
        forge_block(g, name, t, number, at);
        check_believed(g, true);
        memdisk_destroy(g->disk);
    }
}

/* What is merged is read, frames and all, before it is believed. */
static void test_a_forged_index_settles_to_nothing_false(void **state)
{
    (void)state;
    static const char *const kinds[] = {".seg", ".set"};
    forging g = {0};
    begin(&g);
    for (size_t i = 0; i < 2; i++) {
        stet_trailer t;
        const char *name = indexed_file(&g, kinds[i], &t);
        for (uint32_t n = 0; n < stet__trailer_number(&t); n++) {
            settle_forged(&g, name, &t, n);
        }
    }
    end(&g);
}

static void test_a_forged_trailer_is_never_followed(void **state)
{
    (void)state;
    static const char *const kinds[] = {".seg", ".set"};
    forging g = {0};
    begin(&g);
    for (size_t i = 0; i < 2; i++) {
        stet_trailer t;
        const char *name = indexed_file(&g, kinds[i], &t);
        for (size_t at = 0; at < 2 * (304 - STET_INDEX_HEADER_BYTES); at++) {
            g.disk = memdisk_copy(g.first);
            forge_block(&g, name, &t, stet__trailer_number(&t), at / 2);
            check_believed(&g, at % 2 != 0);
            memdisk_destroy(g.disk);
        }
    }
    end(&g);
}

/* Change a byte of a header or slot and make its checksum right. */
static void forge_fixed(uint8_t *block, size_t at, size_t used)
{
    block[at] ^= at % 3 == 0 ? 0x80 : 0x01;
    stet__put_u32le(block + 4, stet__crc32c(0, block + 8, used - 8));
}

static void test_a_forged_header_is_never_followed(void **state)
{
    (void)state;
    const char *names[100];
    forging g = {0};
    begin(&g);
    size_t count = memdisk_names(g.first, names, 100);
    for (size_t i = 0; i < count; i++) {
        if (strstr(names[i], ".seg") == NULL) {
            continue;
        }
        for (size_t at = 8; at < STET_SEGMENT_HEADER_BYTES; at++) {
            size_t len = 0;
            g.disk = memdisk_copy(g.first);
            forge_fixed(memdisk_bytes(g.disk, names[i], &len), at,
                        STET_SEGMENT_HEADER_BYTES);
            check_believed(&g, false);
            memdisk_destroy(g.disk);
        }
    }
    end(&g);
}

/* Both slots alike: one alone is outvoted by the generation. */
static void test_a_forged_super_is_never_followed(void **state)
{
    (void)state;
    forging g = {0};
    begin(&g);
    for (size_t at = 8; at < STET_SUPER_BYTES; at++) {
        size_t len = 0;
        g.disk = memdisk_copy(g.first);
        uint8_t *slots = memdisk_bytes(g.disk, "super", &len);
        assert_int_equal(len, 2 * STET_W);
        forge_fixed(slots, at, STET_SUPER_BYTES);
        forge_fixed(slots + STET_W, at, STET_SUPER_BYTES);
        check_believed(&g, false);
        memdisk_destroy(g.disk);
    }
    end(&g);
}

/* The checksum of a frame as its header and its records' checksums make it. */
static void seal_frame(uint8_t *frame, const stet_frame_header *h)
{
    uint32_t crc = stet__crc32c(0, frame + 8, STET_FRAME_HEADER_BYTES - 8);
    size_t at = STET_FRAME_HEADER_BYTES;
    for (uint32_t i = 0; i < h->events; i++) {
        uint32_t record_crc = 0;
        size_t bytes = 0;
        crc = stet__crc32c(crc, frame + at, 4);
        assert_true(stet__record_peek(stet_slice_of(frame + at, h->length - at),
                                      &record_crc, &bytes));
        at += bytes;
    }
    stet__put_u32le(frame + 4, crc);
}

/* Forge each byte of the header of the frame at `offset`, if one is there. */
static uint32_t forge_frame(forging *g, const char *name, size_t offset)
{
    enum { TIME_AT = 48, TIME_END = 56 }; /* is content */
    size_t len = 0;
    stet_frame_header h;
    uint8_t *file = memdisk_bytes(g->first, name, &len);
    if (!stet__frame_is_sound(file + offset, len - offset, &h)) {
        return 0;
    }
    for (size_t at = 8; at < STET_FRAME_HEADER_BYTES; at++) {
        if (at < TIME_AT || at >= TIME_END) {
            g->disk = memdisk_copy(g->first);
            uint8_t *frame = memdisk_bytes(g->disk, name, &len) + offset;
            frame[at] ^= at % 3 == 0 ? 0x80 : 0x01;
            seal_frame(frame, &h);
            check_believed(g, false);
            memdisk_destroy(g->disk);
        }
    }
    return h.length;
}

/* A sound frame that belongs elsewhere, as a misdirected write leaves it. */
static void test_a_forged_frame_is_never_followed(void **state)
{
    (void)state;
    const char *names[100];
    forging g = {0};
    begin(&g);
    size_t count = memdisk_names(g.first, names, 100);
    for (size_t i = 0; i < count; i++) {
        size_t offset = STET_W;
        uint32_t length = STET_W;
        for (int n = 0; n < 3 && length > 0; n++) {
            length = strstr(names[i], ".seg") == NULL
                         ? 0
                         : forge_frame(&g, names[i], offset);
            offset += length;
        }
    }
    end(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_forged_index_is_told_and_mended),
        cmocka_unit_test(test_a_forged_index_settles_to_nothing_false),
        cmocka_unit_test(test_a_forged_trailer_is_never_followed),
        cmocka_unit_test(test_a_forged_header_is_never_followed),
        cmocka_unit_test(test_a_forged_super_is_never_followed),
        cmocka_unit_test(test_a_forged_frame_is_never_followed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
