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

#include "core/index.h"
#include "lib/forgery.h"
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
    forgery_place p = {
        .kind = FORGERY_INDEX,
        .offset =
            (size_t)t->end_offset + (size_t)number * STET_INDEX_BLOCK_BYTES,
        .from = STET_INDEX_HEADER_BYTES,
        .to = STET_INDEX_BLOCK_BYTES,
        .salt = t->salt,
        .number = number,
    };
    (void)snprintf(p.name, sizeof p.name, "%s", name);
    assert_true(forgery_change(g->disk, &p, STET_INDEX_HEADER_BYTES + at));
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

/* Forge bytes of each block: the first ones, here and there, the last ones. */
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
        size_t tail = used - NEAR;
        for (size_t at = 0; at < used;) {
            g->disk = memdisk_copy(g->first);
            forge_block(g, name, &t, n, at);
            check_forged(g, is_mended);
            memdisk_destroy(g->disk);
            bool is_dense = at < NEAR || at >= tail;
            at = is_dense ? at + 1 : at + STEP < tail ? at + STEP : tail;
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

/* Forge each byte of all places of a kind, but for those [skip, skip_end). */
static void forge_each(forging *g, forgery_kind kind, size_t skip,
                       size_t skip_end)
{
    stet_buf places;
    stet__buf_init(&places, &stet__heap);
    forgery_find(g->first, &places);
    for (size_t i = 0; i < forgery_count(&places); i++) {
        const forgery_place *p = forgery_at(&places, i);
        if (p->kind != kind || p->offset > 3 * (size_t)STET_W) {
            continue;
        }
        for (size_t at = p->from; at < p->to; at++) {
            if (at < skip || at >= skip_end) {
                g->disk = memdisk_copy(g->first);
                assert_true(forgery_change(g->disk, p, at));
                check_believed(g, false);
                memdisk_destroy(g->disk);
            }
        }
    }
    stet__buf_deinit(&places);
}

static void test_a_forged_header_is_never_followed(void **state)
{
    (void)state;
    forging g = {0};
    begin(&g);
    forge_each(&g, FORGERY_HEADER, 0, 0);
    end(&g);
}

/* Both slots alike: one alone is outvoted by the generation. */
static void test_a_forged_super_is_never_followed(void **state)
{
    (void)state;
    forging g = {0};
    stet_buf places;
    begin(&g);
    stet__buf_init(&places, &stet__heap);
    forgery_find(g.first, &places);
    const forgery_place *slots = forgery_at(&places, 0);
    while (slots->kind != FORGERY_SLOT) {
        slots++;
    }
    for (size_t at = slots->from; at < slots->to; at++) {
        g.disk = memdisk_copy(g.first);
        assert_true(forgery_change(g.disk, &slots[0], at));
        assert_true(forgery_change(g.disk, &slots[1], at));
        check_believed(&g, false);
        memdisk_destroy(g.disk);
    }
    stet__buf_deinit(&places);
    end(&g);
}

/*
 * A sound frame that belongs elsewhere, as a misdirected write leaves it; its
 * time is content.
 */
static void test_a_forged_frame_is_never_followed(void **state)
{
    (void)state;
    enum { TIME_AT = 48, TIME_END = 56 };
    forging g = {0};
    begin(&g);
    forge_each(&g, FORGERY_FRAME, TIME_AT, TIME_END);
    end(&g);
}

/* A store of few events, each so long that it is a block, and does not pack. */
static void begin_long(forging *g)
{
    enum { BODY_BYTES = 34000 };
    g->first = memdisk_create(31);
    logbook_init(&g->b, 31);
    g->b.opts.segment_bytes = 128 * 1024;
    g->b.opts.settle_segments = 2;
    for (int i = 0; i < 3; i++) {
        char id[8];
        stet_error err = {0};
        settler_open_ok(&g->b, g->first);
        while (settler_info_of(&g->b).segments < 2) {
            (void)snprintf(id, sizeof id, "m%u", (unsigned)g->b.next % 3);
            assert_int_equal(logbook_write_one(&g->b, id, BODY_BYTES, &err),
                             STET_OK);
        }
        assert_int_equal(settler_settle_all(&g->b, NULL), STET_OK);
        logbook_close_ok(&g->b);
    }
}

/* Each record is what it was, or none is given. */
static void check_records(forging *g)
{
    stet_log_reader *r = g->b.log->ops->reader_create(g->b.log);
    assert_non_null(r);
    for (uint64_t p = 1; p < g->b.next; p++) {
        const logbook_event *e = &g->b.events[p - 1];
        stet_logged l;
        assert_int_equal(g->b.log->ops->reader_read(r, p, &l, NULL), STET_OK);
        assert_int_equal(l.bytes.len, e->len);
        assert_memory_equal(l.bytes.ptr, e->bytes, e->len);
    }
    g->b.log->ops->reader_destroy(r);
}

/*
 * Whoever asks, settles or verifies gets an answer; where verifying finds
 * nothing wrong all records are there, unless one was itself what was forged.
 */
static void check_content(forging *g, forgery_kind kind)
{
    stet_verify_report report = {.struct_size = sizeof report};
    stet_status st = logbook_open(&g->b, &stet__embedded_driver, "d",
                                  memdisk_os(g->disk), NULL);
    if (st != STET_OK) {
        assert_true(is_refusal(st));
        return;
    }
    ask_all(g);
    st = settler_settle_all(&g->b, NULL);
    assert_true(st == STET_OK || is_refusal(st));
    st = g->b.log->ops->verify(g->b.log, NULL, NULL, &report, NULL);
    if (st == STET_OK && kind != FORGERY_RECORD) {
        check_records(g);
    }
    assert_true(st == STET_OK || is_refusal(st));
    (void)logbook_close(&g->b, false, NULL); /* it may be too damaged */
}

/* What is in a block: its times, its items, and the records themselves. */
static void test_forged_content_is_never_followed(void **state)
{
    (void)state;
    enum { NEAR = 70, STEP = 9973 };
    forging g = {0};
    stet_buf places;
    begin_long(&g);
    stet__buf_init(&places, &stet__heap);
    forgery_find(g.first, &places);
    for (size_t i = 0; i < forgery_count(&places); i++) {
        const forgery_place *p = forgery_at(&places, i);
        bool is_record = p->kind == FORGERY_RECORD;
        size_t stride = is_record ? 3 : 1;
        if (p->kind != FORGERY_BLOCK && !is_record) {
            continue;
        }
        for (size_t at = p->from + i % stride; at < p->to;
             at += at < p->from + NEAR ? stride : STEP) {
            g.disk = memdisk_copy(g.first);
            assert_true(forgery_change(g.disk, p, at));
            check_content(&g, p->kind);
            memdisk_destroy(g.disk);
        }
    }
    stet__buf_deinit(&places);
    logbook_deinit(&g.b);
    memdisk_destroy(g.first);
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
        cmocka_unit_test(test_forged_content_is_never_followed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
