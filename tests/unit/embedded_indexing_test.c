/*
 * Merged indexes: what they tell is what the sets would, they come and go
 * without a trace in any answer, and what is wrong with one is found.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "lib/fault.h"
#include "lib/forgery.h"
#include "lib/questions.h"
#include "lib/rounds.h"
#include "lib/settler.h"
#include "stores/embedded/embedded.h"

enum { SETS = 6 };

/*
 * Sets, each larger than all that are newer together: so they are not merged,
 * and settling goes on to index them. `index_sets` at a time.
 */
static void live_on(logbook *b, memdisk *disk, uint32_t index_sets, int frames)
{
    for (int i = 0; i < SETS; i++, frames /= 2) {
        for (int n = 0; n < frames; n++) {
            logbook_write_ok(b, 5);
        }
        logbook_close_ok(b);
        settler_open_ok(b, disk);
        assert_int_equal(settler_settle_all(b, NULL), STET_OK);
    }
    logbook_close_ok(b);
    b->opts.index_sets = index_sets;
    settler_open_ok(b, disk);
    assert_int_equal(settler_info_of(b).sets, SETS);
}

static void live(logbook *b, memdisk **disk, uint64_t seed, uint32_t index_sets)
{
    settler_begin(b, disk, seed);
    b->body_max = 80;
    live_on(b, *disk, index_sets, 96);
}

/* The only merged index's name, "d/N.idx". */
static const char *index_name(const memdisk *disk)
{
    const char *names[200];
    size_t count = memdisk_names(disk, names, 200);
    const char *found = NULL;
    for (size_t i = 0; i < count; i++) {
        if (strstr(names[i], ".idx") != NULL) {
            assert_null(found);
            found = names[i];
        }
    }
    assert_non_null(found);
    return found;
}

static void check_all(logbook *b)
{
    logbook_check(b, b->next);
    settler_verify_ok(b);
}

/* Of two sets, of one, of indexes: answers stay, and are there after a close.
 */
static void test_answers_are_the_same_with_indexes(void **state)
{
    (void)state;
    static const uint32_t index_sets[] = {1, 2};
    for (uint64_t i = 0; i < 2; i++) {
        logbook b;
        memdisk *disk = NULL;
        live(&b, &disk, i + 1, index_sets[i]);
        uint64_t before = settler_info_of(&b).index_bytes;
        assert_int_equal(settler_settle_all(&b, NULL), STET_OK);
        assert_int_equal(settler_count_names(disk, ".idx"), 1);
        assert_in_range(settler_info_of(&b).index_bytes, before + 1,
                        2 * before);
        check_all(&b);
        logbook_close_ok(&b);
        settler_open_ok(&b, disk);
        check_all(&b);
        logbook_write_ok(&b, 5);
        check_all(&b);
        logbook_close_ok(&b);
        assert_int_equal(settler_count_names(disk, ".idx"), 1);
        settler_open_ok(&b, disk);
        settler_end(&b, disk);
    }
}

/* Whoever has lent the index before it goes still looks up in it. */
static void test_sets_that_an_index_is_about_may_be_merged(void **state)
{
    (void)state;
    logbook b;
    memdisk *disk = NULL;
    live(&b, &disk, 3, 1);
    assert_int_equal(settler_settle_all(&b, NULL), STET_OK);
    for (int i = 0; i < 40; i++) {
        for (int n = 0; n < 8; n++) {
            logbook_write_ok(&b, 5);
        }
        logbook_close_ok(&b);
        settler_open_ok(&b, disk);
        assert_int_equal(settler_settle_all(&b, NULL), STET_OK);
        check_all(&b);
    }
    settler_end(&b, disk);
}

/*
 * An index holds nothing that is not elsewhere: with any byte of it changed all
 * answers stay, verify names it, and reindexing has it made anew.
 */
static void test_a_changed_byte_changes_no_answer(void **state)
{
    (void)state;
    logbook b;
    memdisk *disk = NULL;
    live(&b, &disk, 4, 2);
    assert_int_equal(settler_settle_all(&b, NULL), STET_OK);
    logbook_close_ok(&b);
    char name[32];
    (void)snprintf(name, sizeof name, "%s", index_name(disk));
    size_t len = 0;
    (void)memdisk_bytes(disk, name, &len);
    for (size_t at = 0; at < len; at += 97 * rounds_stride()) {
        memdisk_bytes(disk, name, &len)[at] ^= 0x10;
        settler_open_ok(&b, disk);
        logbook_check_records(&b, b.next);
        stet_verify_report report = {0};
        stet_error err = {0};
        stet_status st = b.log->ops->verify(b.log, NULL, NULL, &report, &err);
        bool is_left_out = settler_count_names(disk, ".idx") == 0;
        uint64_t rebuilt = 0;
        assert_int_equal(b.log->ops->reindex(b.log, &rebuilt, NULL), STET_OK);
        if (st == STET_E_CORRUPT) {
            assert_non_null(strstr(err.text, ".idx at offset"));
            assert_int_equal(rebuilt, 1);
        } else { /* in the trailer: it was no index */
            assert_int_equal(st, STET_OK);
            assert_true(at >= len - 4096);
        }
        assert_int_equal(settler_settle_all(&b, NULL), STET_OK);
        assert_true(is_left_out || settler_count_names(disk, ".idx") == 1);
        logbook_close_ok(&b);
        (void)snprintf(name, sizeof name, "%s", index_name(disk));
    }
    settler_open_ok(&b, disk);
    check_all(&b);
    settler_end(&b, disk);
}

/* Cut, removed, or of another store: it is not believed, and made anew. */
static void test_what_is_no_index_of_the_store_goes(void **state)
{
    (void)state;
    logbook b;
    memdisk *disk = NULL;
    live(&b, &disk, 5, 2);
    assert_int_equal(settler_settle_all(&b, NULL), STET_OK);
    for (int i = 0; i < 4; i++) {
        logbook_close_ok(&b);
        const char *name = index_name(disk);
        size_t len = 0;
        uint8_t *bytes = memdisk_bytes(disk, name, &len);
        if (i == 0) {
            memdisk_remove(disk, name);
        } else if (i < 3) {
            memdisk_cut(disk, name, i == 1 ? len - 4096 : 17);
        } else {
            memset(bytes, 0, len);
        }
        settler_open_ok(&b, disk);
        check_all(&b);
        assert_int_equal(settler_settle_all(&b, NULL), STET_OK);
        check_all(&b);
        logbook_close_ok(&b);
        assert_int_equal(settler_count_names(disk, ".idx"), 1);
        settler_open_ok(&b, disk);
    }
    settler_end(&b, disk);
}

/* Killed or cut off at any write, sync, naming or removal on the way. */
static void test_a_crash_anywhere_in_indexing_loses_nothing(void **state)
{
    (void)state;
    bool is_reached = true;
    for (unsigned nth = 1; is_reached; nth++) {
        logbook b;
        memdisk *disk = NULL;
        live(&b, &disk, 6, 1);
        memdisk_die_at(disk, nth);
        (void)settler_settle_all(&b, NULL);
        is_reached = memdisk_is_dead(disk);
        (void)logbook_close(&b, !is_reached, NULL);
        memdisk_die_at(disk, 0);
        memdisk_crash(disk, nth % 2 == 0);
        settler_go_on(&b, disk);
    }
}

/* A call that fails leaves the index for later; what was there stays. */
static void test_a_failed_call_anywhere_in_indexing_loses_nothing(void **state)
{
    (void)state;
    static const struct {
        memdisk_call call;
        int os_errno;
    } faults[] = {{MEMDISK_WRITE, ENOSPC}, {MEMDISK_WRITE, EIO},
                  {MEMDISK_SYNC, EIO},     {MEMDISK_OPEN, EMFILE},
                  {MEMDISK_READ, EIO},     {MEMDISK_LINK, ENOSPC},
                  {MEMDISK_UNLINK, EIO}};
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        bool is_reached = true;
        unsigned stride = faults[i].call == MEMDISK_READ ? 5 : 1;
        for (unsigned nth = 1; is_reached; nth += stride) {
            logbook b;
            memdisk *disk = NULL;
            live(&b, &disk, 7, 1);
            memdisk_fail_at(disk, faults[i].call, nth, faults[i].os_errno);
            (void)settler_settle_all(&b, NULL);
            is_reached = memdisk_has_failed(disk);
            memdisk_fail_at(disk, faults[i].call, 0, 0);
            logbook_check_records(&b, b.next);
            b.log->ops->close(b.log, false, NULL);
            memdisk_crash(disk, true);
            settler_go_on(&b, disk);
        }
    }
}

/* A small store of sets, closed, with or without an index over them. */
static void begin_small(logbook *b, memdisk **disk, bool has_index)
{
    settler_begin(b, disk, 8);
    b->body_max = 10;
    live_on(b, *disk, 2, 32);
    b->opts.allocator = (stet_allocator){0};
    if (has_index) {
        assert_int_equal(settler_settle_all(b, NULL), STET_OK);
        assert_int_equal(settler_count_names(*disk, ".idx"), 1);
    }
    logbook_close_ok(b);
}

static void end_small(logbook *b, memdisk *disk)
{
    b->opts.allocator = (stet_allocator){0};
    settler_open_ok(b, disk);
    settler_end(b, disk);
}

static fault faults_of_all_kinds[] = {
    {.is_memory = true, .status = STET_E_NOMEM},
    {.call = MEMDISK_READ, .os_errno = EIO, .status = STET_E_IO},
    {.call = MEMDISK_SIZE, .os_errno = EIO, .status = STET_E_IO},
    {.call = MEMDISK_RANDOM, .os_errno = EIO, .status = STET_E_IO},
    {.call = MEMDISK_OPEN, .os_errno = EMFILE, .status = STET_E_NOMEM},
    {.call = MEMDISK_LINK, .os_errno = EIO, .status = STET_E_IO},
    {.call = MEMDISK_WRITE, .os_errno = EIO, .status = STET_E_IO},
};

/* Do something with a copy of a store, the nth thing failing; then again. */
static bool do_with(logbook *b, fault *f, size_t nth,
                    stet_status (*work)(logbook *b, stet_error *err))
{
    f->disk = memdisk_copy(f->first);
    fault_open(b, f);
    fault_arm(f, nth);
    stet_error err = {0};
    stet_status st = work(b, &err);
    bool is_reached = fault_disarm(f);
    assert_true(st == STET_OK || (is_reached && st == f->status));
    assert_int_equal(st == STET_OK, err.text[0] == '\0');
    if (settler_info_of(b).is_poisoned) {
        (void)logbook_close(b, false, NULL);
        settler_open_ok(b, f->disk);
    }
    assert_int_equal(work(b, NULL), STET_OK);
    assert_int_equal(settler_settle_all(b, NULL), STET_OK);
    assert_int_equal(settler_count_names(f->disk, ".idx"), 1);
    settler_verify_ok(b);
    logbook_check_records(b, b->next);
    logbook_close_ok(b);
    failalloc_assert_clean(&f->memory);
    memdisk_destroy(f->disk);
    return is_reached;
}

static void survive_each_failure(bool has_index,
                                 stet_status (*work)(logbook *b,
                                                     stet_error *err))
{
    logbook b;
    memdisk *first = NULL;
    begin_small(&b, &first, has_index);
    for (size_t i = 0;
         i < sizeof faults_of_all_kinds / sizeof faults_of_all_kinds[0]; i++) {
        fault f = faults_of_all_kinds[i];
        f.first = first;
        size_t nth = 1;
        while (do_with(&b, &f, nth, work)) {
            nth += has_index ? 3 * rounds_stride() : 1;
        }
    }
    end_small(&b, first);
}

/* What it lacks once it has the next time; nothing is left of the attempt. */
static void test_making_an_index_survives_each_failure(void **state)
{
    (void)state;
    survive_each_failure(false, settler_settle_all);
}

static stet_status verify(logbook *b, stet_error *err)
{
    stet_verify_report report = {.struct_size = sizeof report};
    return b->log->ops->verify(b->log, NULL, NULL, &report, err);
}

/* An index that cannot be read just now is not told to be damaged. */
static void test_verifying_an_index_survives_each_failure(void **state)
{
    (void)state;
    survive_each_failure(true, verify);
}

static stet_status reindex(logbook *b, stet_error *err)
{
    uint64_t rebuilt = 0;
    stet_status st = b->log->ops->reindex(b->log, &rebuilt, err);
    assert_int_equal(rebuilt, 0); /* nothing is wrong */
    return st;
}

/* Nor does mending take away what it could not read. */
static void test_mending_beside_an_index_survives_each_failure(void **state)
{
    (void)state;
    survive_each_failure(true, reindex);
}

/* Ask a store with an index, the nth thing failing. */
static bool ask_with(logbook *b, fault *f, questions_fn ask, size_t nth)
{
    stet_buf got;
    stet_buf due;
    stet__buf_init(&got, &stet__heap);
    stet__buf_init(&due, &stet__heap);
    f->disk = memdisk_copy(f->first);
    fault_open(b, f);
    fault_arm(f, nth);
    stet_status st = ask(b, &got, NULL);
    bool is_reached = fault_disarm(f);
    questions_ask_ok(b, ask, &due);
    if (st == STET_OK) {
        questions_assert_same(&got, &due);
    } else {
        assert_true(is_reached && st == f->status);
    }
    logbook_close_ok(b);
    memdisk_destroy(f->disk);
    stet__buf_deinit(&got);
    stet__buf_deinit(&due);
    return is_reached;
}

/* Where the index cannot be read just now the sets are asked. */
static void test_a_question_survives_each_failure(void **state)
{
    (void)state;
    logbook b;
    memdisk *first = NULL;
    begin_small(&b, &first, true);
    for (size_t i = 0; i < 2; i++) { /* memory and reads */
        fault f = faults_of_all_kinds[i];
        f.first = first;
        for (size_t q = 0; q < QUESTIONS; q++) {
            size_t nth = 1;
            while (ask_with(&b, &f, questions[q], nth)) {
                nth += rounds_stride() + nth / 20;
            }
        }
    }
    end_small(&b, first);
}

static void put_file(memdisk *disk, const char *name, const stet_buf *bytes)
{
    stet_os *os = memdisk_os(disk);
    int dir = os->dir_open(os, "d", false);
    int fd = os->open(os, dir, name, STET_OPEN_WRITE | STET_OPEN_CREATE);
    assert_true(fd >= 0);
    assert_int_equal(os->pwrite(os, fd, bytes->ptr, bytes->len, 0), 0);
    assert_int_equal(os->close(os, fd), 0);
    assert_int_equal(os->close(os, dir), 0);
}

/* Open a copy of a store, the nth thing failing; then again. */
static bool open_with(logbook *b, fault *f, size_t nth)
{
    f->disk = memdisk_copy(f->first);
    failalloc_init(&f->memory, 0);
    b->opts.allocator = failalloc_allocator(&f->memory);
    fault_arm(f, nth);
    stet_status st =
        logbook_open(b, &stet__embedded_driver, "d", memdisk_os(f->disk), NULL);
    bool is_reached = fault_disarm(f);
    assert_true(st == STET_OK || (is_reached && st == f->status));
    if (st != STET_OK) {
        failalloc_assert_clean(&f->memory);
        settler_open_ok(b, f->disk);
    }
    logbook_check_records(b, b->next);
    (void)logbook_close(b, false, NULL); /* it may be poisoned */
    failalloc_assert_clean(&f->memory);
    memdisk_destroy(f->disk);
    return is_reached;
}

/* A file that does not open just now is not taken for one that is gone. */
static void test_opening_survives_each_failure(void **state)
{
    (void)state;
    logbook b;
    memdisk *first = NULL;
    stet_buf left;
    begin_small(&b, &first, true);
    stet__buf_init(&left, &stet__heap);
    stet__buf_put(&left, "left", 4);
    put_file(first, "tmp-900", &left);
    static const stet_open_mode modes[] = {STET_OPEN_EXISTING,
                                           STET_OPEN_READONLY};
    for (size_t m = 0; m < 2; m++) {
        b.opts.mode = modes[m];
        for (size_t i = 0;
             i < sizeof faults_of_all_kinds / sizeof faults_of_all_kinds[0];
             i++) {
            fault f = faults_of_all_kinds[i];
            f.first = first;
            for (size_t nth = 1; open_with(&b, &f, nth); nth++) {
            }
        }
    }
    b.opts.mode = STET_OPEN_EXISTING;
    stet__buf_deinit(&left);
    end_small(&b, first);
}

/* What a file is stands in it, not in its name; nor may it be longer. */
static void test_a_file_of_another_kind_is_no_index(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        logbook b;
        memdisk *disk = NULL;
        stet_buf copy;
        char name[32];
        size_t len = 0;
        begin_small(&b, &disk, i == 1);
        const char *names[200];
        size_t count = memdisk_names(disk, names, 200);
        const char *found = NULL;
        for (size_t n = 0; n < count; n++) {
            bool is = strstr(names[n], i == 0 ? ".set" : ".idx") != NULL;
            found = is ? names[n] : found;
        }
        assert_non_null(found);
        stet__buf_init(&copy, &stet__heap);
        memset(stet__buf_extend(&copy, 4096), 0, 4096);
        copy.len = i == 0 ? 0 : 4096; /* that many zeros in front */
        const uint8_t *bytes = memdisk_bytes(disk, found, &len);
        stet__buf_put(&copy, bytes, len);
        (void)snprintf(name, sizeof name, "%.*s.idx", (int)strcspn(found, "."),
                       found);
        put_file(disk, name, &copy);
        stet__buf_deinit(&copy);
        settler_open_ok(&b, disk);
        check_all(&b);
        assert_int_equal(settler_settle_all(&b, NULL), STET_OK);
        logbook_close_ok(&b);
        assert_int_equal(settler_count_names(disk, ".idx"), 1);
        end_small(&b, disk);
    }
}

/* Damage all blocks of the only index. */
static void damage_index(memdisk *disk)
{
    size_t len = 0;
    uint8_t *bytes = memdisk_bytes(disk, index_name(disk), &len);
    for (size_t at = 100; at + 4096 < len; at += 4096) {
        bytes[at] ^= 1;
    }
}

/* Ask something that looks into the index, and settle; the nth thing fails. */
static stet_status meet_and_settle(logbook *b, fault *f, questions_fn ask,
                                   size_t nth)
{
    stet_buf got;
    fault_open(b, f);
    stet__buf_init(&got, &stet__heap);
    questions_ask_ok(b, ask, &got);
    stet__buf_deinit(&got);
    fault_arm(f, nth);
    return settler_settle_all(b, NULL);
}

/*
 * An index that was found damaged is made anew without being asked; where
 * something fails on the way, the next time.
 */
static void test_a_damaged_index_that_was_met_is_made_anew(void **state)
{
    (void)state;
    enum { POINTS = 0, KEYS = 5, MEMORY = 0, WRITES = 6 };
    static const size_t kinds[] = {MEMORY, WRITES};
    logbook b;
    memdisk *first = NULL;
    begin_small(&b, &first, true);
    for (size_t i = 0; i < 2; i++) {
        fault f = faults_of_all_kinds[kinds[i]];
        bool is_reached = true;
        for (size_t nth = 1; is_reached; nth++) {
            questions_fn ask = questions[nth % 2 == 0 ? POINTS : KEYS];
            f.disk = memdisk_copy(first);
            damage_index(f.disk);
            stet_status st = meet_and_settle(&b, &f, ask, nth);
            is_reached = fault_disarm(&f);
            assert_true(st == STET_OK || (is_reached && st == f.status));
            (void)logbook_close(&b, false, NULL); /* it may be poisoned */
            assert_int_equal(meet_and_settle(&b, &f, ask, 0), STET_OK);
            check_all(&b);
            logbook_close_ok(&b);
            assert_int_equal(settler_count_names(f.disk, ".idx"), 1);
            memdisk_destroy(f.disk);
        }
    }
    end_small(&b, first);
}

/* Where there is nothing there is nothing to mend; a reader mends nothing. */
static void test_only_a_writer_mends(void **state)
{
    (void)state;
    logbook b;
    memdisk *disk = NULL;
    uint64_t rebuilt = 0;
    settler_begin(&b, &disk, 9);
    assert_int_equal(reindex(&b, NULL), STET_OK);
    logbook_write_ok(&b, 5);
    logbook_close_ok(&b);
    b.opts.mode = STET_OPEN_READONLY;
    settler_open_ok(&b, disk);
    assert_int_equal(b.log->ops->reindex(b.log, &rebuilt, NULL),
                     STET_E_READONLY);
    assert_int_equal(logbook_close(&b, false, NULL), STET_OK);
    b.opts.mode = STET_OPEN_EXISTING;
    settler_open_ok(&b, disk);
    check_all(&b);
    settler_end(&b, disk);
}

/*
 * Open a store with a byte forged, ask it, and settle it; what is told by
 * verifying is mended by reindexing, unless the sets are wrong.
 */
static void check_forged(logbook *b, memdisk *disk, bool is_of_index,
                         bool is_reindexed)
{
    uint64_t rebuilt = 0;
    if (logbook_open(b, &stet__embedded_driver, "d", memdisk_os(disk), NULL) !=
        STET_OK) {
        assert_false(is_of_index);
        return;
    }
    stet_error err = {0};
    stet_buf got;
    stet__buf_init(&got, &stet__heap);
    for (size_t i = 0; i < QUESTIONS; i++) {
        stet_status asked = questions[i](b, &got, NULL);
        assert_true(asked == STET_OK || asked == STET_E_CORRUPT ||
                    asked == STET_E_NOT_FOUND);
    }
    stet__buf_deinit(&got);
    stet_status st = verify(b, &err);
    bool was_told = st == STET_E_CORRUPT;
    assert_true(st == STET_OK || was_told);
    if (is_reindexed) {
        st = b->log->ops->reindex(b->log, &rebuilt, NULL);
        assert_true(st == STET_OK || !is_of_index);
    }
    st = settler_settle_all(b, &err);
    assert_true(st == STET_OK || (st == STET_E_CORRUPT && !is_of_index));
    if (is_of_index && is_reindexed) {
        assert_int_equal(rebuilt > 0, was_told);
        check_all(b);
    }
    (void)logbook_close(b, false, NULL);
}

/* Forge bytes of one kind of place in files of one kind. */
static void forge_places(bool has_index, const char *part, forgery_kind kind,
                         size_t near)
{
    enum { STEP = 389 };
    logbook b;
    memdisk *first = NULL;
    stet_buf places;
    begin_small(&b, &first, has_index);
    stet__buf_init(&places, &stet__heap);
    forgery_find(first, &places);
    for (size_t i = 0; i < forgery_count(&places); i++) {
        const forgery_place *p = forgery_at(&places, i);
        size_t stride = kind == FORGERY_TRAILER ? 1 : 3 * rounds_stride();
        if (p->kind != kind || strstr(p->name, part) == NULL) {
            continue;
        }
        for (size_t at = p->from + i % stride; at < p->to;
             at += at < p->from + near ? stride : STEP) {
            memdisk *disk = memdisk_copy(first);
            assert_true(forgery_change(disk, p, at));
            check_forged(&b, disk, has_index, at % 4 != 0);
            memdisk_destroy(disk);
        }
    }
    stet__buf_deinit(&places);
    end_small(&b, first);
}

/* Nobody who lies in an index is believed for long. */
static void test_a_forged_index_is_told_and_made_anew(void **state)
{
    (void)state;
    forge_places(true, ".idx", FORGERY_INDEX, 48);
    forge_places(true, ".idx", FORGERY_TRAILER, 160);
}

/* What sets say wrongly is told by them, whatever was made of it. */
static void test_an_index_of_forged_sets_is_no_harm(void **state)
{
    (void)state;
    forge_places(false, ".set", FORGERY_INDEX, 24);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers_are_the_same_with_indexes),
        cmocka_unit_test(test_sets_that_an_index_is_about_may_be_merged),
        cmocka_unit_test(test_a_changed_byte_changes_no_answer),
        cmocka_unit_test(test_what_is_no_index_of_the_store_goes),
        cmocka_unit_test(test_a_crash_anywhere_in_indexing_loses_nothing),
        cmocka_unit_test(test_a_failed_call_anywhere_in_indexing_loses_nothing),
        cmocka_unit_test(test_making_an_index_survives_each_failure),
        cmocka_unit_test(test_verifying_an_index_survives_each_failure),
        cmocka_unit_test(test_mending_beside_an_index_survives_each_failure),
        cmocka_unit_test(test_a_question_survives_each_failure),
        cmocka_unit_test(test_opening_survives_each_failure),
        cmocka_unit_test(test_a_file_of_another_kind_is_no_index),
        cmocka_unit_test(test_a_damaged_index_that_was_met_is_made_anew),
        cmocka_unit_test(test_only_a_writer_mends),
        cmocka_unit_test(test_a_forged_index_is_told_and_made_anew),
        cmocka_unit_test(test_an_index_of_forged_sets_is_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
