/*
 * Salvage from a small store of which anything may be wrong, also under right
 * checksums: it ends, and what it makes verifies. A record that is there is the
 * one that was at its position, byte for byte, unless it is itself what was
 * forged.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/record.h"
#include "lib/failalloc.h"
#include "lib/forgery.h"
#include "lib/rounds.h"
#include "lib/settler.h"
#include "stores/embedded/embedded.h"

/* A store at rest, and what can be forged in it. */
typedef struct ruin {
    logbook b;
    memdisk *first;
    stet_buf places;
    unsigned forks;
    bool is_alone; /* nobody hears of losses */
} ruin;

/* Write until so many segments wait; forks live on, and are forked. */
static void write_more(ruin *r, uint64_t segments)
{
    char fork[16];
    stet_error err = {0};
    while (settler_info_of(&r->b).segments < segments) {
        uint64_t at = r->b.next;
        logbook_write_ok(&r->b, 4);
        (void)snprintf(fork, sizeof fork, "f%u", r->forks / 2);
        stet_status st = r->forks % 2 == 0
                             ? logbook_fork(&r->b, fork, at - at / 3, &err)
                             : logbook_write_one(&r->b, fork, 300, &err);
        assert_int_equal(st, STET_OK);
        r->forks++;
    }
}

/* Two sets, the newer one merged from others, sealed segments and a live one.
 */
static void begin(ruin *r, bool is_closed)
{
    *r = (ruin){.forks = 0};
    r->first = memdisk_create(21);
    memdisk_add_folder(r->first, "saved");
    memdisk_add_folder(r->first, "again");
    logbook_init(&r->b, 21);
    r->b.machine_count = 4;
    r->b.body_max = 2600;
    r->b.opts.segment_bytes = 16384; /* a few frames each */
    r->b.opts.settle_segments = 2;
    for (int i = 0; i < 2; i++) {
        settler_open_ok(&r->b, r->first);
        write_more(r, 4);
        assert_int_equal(settler_settle_all(&r->b, NULL), STET_OK);
        logbook_close_ok(&r->b);
    }
    settler_open_ok(&r->b, r->first);
    write_more(r, 3);
    assert_true(settler_info_of(&r->b).sets > 0);
    assert_int_equal(logbook_close(&r->b, is_closed, NULL), STET_OK);
    memdisk_crash(r->first, false);
    stet__buf_init(&r->places, &stet__heap);
    forgery_find(r->first, &r->places);
}

static void end(ruin *r)
{
    stet__buf_deinit(&r->places);
    logbook_deinit(&r->b);
    memdisk_destroy(r->first);
}

static void count_loss(void *ctx, const stet_loss *loss)
{
    assert_non_null(loss->why);
    ++*(unsigned *)ctx;
}

static stet_status salvage(const ruin *r, memdisk *disk,
                           const stet_allocator *alloc,
                           stet_salvage_report *report, stet_error *err)
{
    unsigned losses = 0;
    stet_salvage_opts opts = {.loss = r->is_alone ? NULL : count_loss,
                              .ctx = &losses};
    stet_opts store = r->b.opts;
    stet_log_config config = r->b.config;
    store.mode = STET_OPEN_DEFAULT;
    config.os = memdisk_os(disk);
    config.alloc = alloc;
    config.opts = &store;
    *report = (stet_salvage_report){0};
    *err = (stet_error){0};
    stet_status st = stet__embedded_driver.salvage("d", "saved", &config, &opts,
                                                   report, err);
    bool is_heard = losses > 0 || r->is_alone;
    assert_true(st != STET_OK || report->lost == 0 || is_heard);
    return st;
}

/*
 * Memory for so many positions at most: a forged end may be any, and each
 * position below it that is nowhere gets a stub.
 */
static void *cap_memory(void *ctx, void *ptr, size_t old_bytes,
                        size_t new_bytes)
{
    enum { BYTES_MAX = 240 * 1024 };
    (void)ctx;
    return new_bytes > BYTES_MAX
               ? NULL
               : stet__heap.fn(stet__heap.ctx, ptr, old_bytes, new_bytes);
}

/* What of the truth the forger left alone. */
typedef enum ruin_truth {
    RUIN_WHOLE = 0, /* nothing but what tells of records */
    RUIN_RECORD,    /* a record is another one */
    RUIN_PLACES,    /* records may be said to lie elsewhere, or later */
} ruin_truth;

/* Compare a new store's records; gives how many are as they were. */
static uint64_t compare(const ruin *r, stet_log *log, uint64_t next,
                        ruin_truth truth)
{
    stet_log_reader *reader = log->ops->reader_create(log);
    uint64_t same = 0;
    uint64_t other = 0;
    assert_true(truth == RUIN_PLACES || next <= r->b.next);
    for (uint64_t p = 1; p < next && p < r->b.next; p++) {
        const logbook_event *e = &r->b.events[p - 1];
        stet_logged l;
        stet_record record;
        size_t bytes = 0;
        stet_error err = {0};
        assert_int_equal(log->ops->reader_read(reader, p, &l, &err), STET_OK);
        assert_int_equal(stet__record_parse(l.bytes, &record, &bytes, &err),
                         STET_OK);
        bool is_same = l.bytes.len == e->len && l.recorded == e->recorded &&
                       memcmp(l.bytes.ptr, e->bytes, e->len) == 0;
        same += is_same;
        other += !is_same && !stet__record_is_dropped(&record);
    }
    log->ops->reader_destroy(reader);
    assert_true(truth == RUIN_PLACES || other <= (truth == RUIN_RECORD));
    return same;
}

/* Open what was saved, verify and compare it. */
static uint64_t check_saved(const ruin *r, memdisk *disk, ruin_truth truth)
{
    stet_log *log = NULL;
    stet_log_start start;
    stet_log_config config = r->b.config;
    stet_error err = {0};
    stet_verify_report report = {.struct_size = sizeof report};
    config.os = memdisk_os(disk);
    stet_status st =
        stet__embedded_driver.open("saved", &config, &log, &start, &err);
    if (st == STET_OK) {
        st = log->ops->verify(log, NULL, NULL, &report, &err);
    }
    if (st != STET_OK) {
        print_error("saved: %s\n", err.text);
    }
    assert_int_equal(st, STET_OK);
    uint64_t same = compare(r, log, start.next_position, truth);
    assert_int_equal(log->ops->close(log, true, NULL), STET_OK);
    return same;
}

static ruin_truth truth_of(const forgery_place *p)
{
    switch (p->kind) {
    case FORGERY_INDEX:
        return RUIN_WHOLE;
    case FORGERY_RECORD:
        return RUIN_RECORD;
    case FORGERY_SLOT:
    case FORGERY_HEADER:
    case FORGERY_HEAD:
    case FORGERY_FRAME:
    case FORGERY_BLOCK:
    case FORGERY_TRAILER:
        break;
    }
    return RUIN_PLACES;
}

/* Salvage a store with one byte forged. */
static void try_forged(const ruin *r, memdisk *damaged, const forgery_place *p,
                       size_t at)
{
    memdisk *disk = memdisk_copy(damaged);
    stet_allocator capped = {.fn = cap_memory};
    stet_salvage_report report;
    stet_error err;
    if (!forgery_change(disk, p, at)) {
        memdisk_destroy(disk);
        return; /* it is damaged */
    }
    stet_status st = salvage(r, disk, &capped, &report, &err);
    if (st == STET_OK) {
        (void)check_saved(r, disk, truth_of(p));
    } else {
        bool is_told = st == STET_E_FORMAT || st == STET_E_CORRUPT ||
                       (truth_of(p) == RUIN_PLACES && st == STET_E_NOMEM);
        if (!is_told) {
            print_error("%s, kind %d at %zu, byte %zu: %s\n", p->name, p->kind,
                        p->offset, at, err.text);
        }
        assert_true(is_told);
    }
    memdisk_destroy(disk);
}

/* Forge bytes of each place of some kinds: many of the first ones. */
static void forge_places(const ruin *r, memdisk *damaged, forgery_kind first,
                         forgery_kind last)
{
    enum { NEAR = 40, STEP = 499, PLACES = 3 };
    for (size_t i = 0; i < forgery_count(&r->places); i++) {
        const forgery_place *p = forgery_at(&r->places, i);
        bool is_short = p->kind != FORGERY_RECORD && p->kind != FORGERY_INDEX;
        size_t stride = is_short ? PLACES : 2 * (size_t)PLACES;
        size_t near = p->from + (is_short ? 2 : 1) * (size_t)NEAR;
        if (p->kind < first || p->kind > last) {
            continue;
        }
        for (size_t at = p->from + i % stride; at < p->to;
             at += at < near ? stride : STEP) {
            try_forged(r, damaged, p, at);
        }
    }
}

/* Damage every nth place of a kind. */
static void damage_some(const ruin *r, memdisk *disk, forgery_kind kind,
                        size_t nth)
{
    size_t seen = 0;
    for (size_t i = 0; i < forgery_count(&r->places); i++) {
        const forgery_place *p = forgery_at(&r->places, i);
        if (p->kind == kind && ++seen % nth == 0) {
            forgery_damage(disk, p);
        }
    }
}

static void test_a_forged_store_is_saved_or_refused(void **state)
{
    (void)state;
    ruin r;
    begin(&r, true);
    forge_places(&r, r.first, FORGERY_SLOT, FORGERY_TRAILER);
    end(&r);
}

/* Where much is gone what is left is all that tells. */
static void test_a_forged_remainder_is_saved_or_refused(void **state)
{
    (void)state;
    ruin r;
    begin(&r, false);
    memdisk *disk = memdisk_copy(r.first);
    damage_some(&r, disk, FORGERY_TRAILER, 1);
    damage_some(&r, disk, FORGERY_SLOT, 1);
    forge_places(&r, disk, FORGERY_HEADER, FORGERY_BLOCK);
    memdisk_destroy(disk);
    disk = memdisk_copy(r.first);
    damage_some(&r, disk, FORGERY_FRAME, 2);
    damage_some(&r, disk, FORGERY_BLOCK, 2);
    forge_places(&r, disk, FORGERY_RECORD, FORGERY_TRAILER);
    memdisk_destroy(disk);
    end(&r);
}

/* What a salvage tells where nothing fails. */
typedef struct due {
    stet_salvage_report report;
    uint64_t same; /* records */
} due;

static due find_due(const ruin *r, memdisk *damaged)
{
    memdisk *disk = memdisk_copy(damaged);
    due d = {.same = 0};
    stet_error err;
    assert_int_equal(salvage(r, disk, &stet__heap, &d.report, &err), STET_OK);
    d.same = check_saved(r, disk, RUIN_WHOLE);
    memdisk_destroy(disk);
    return d;
}

/* With the nth call or (MEMDISK_CALLS) allocation failing, then once more. */
static bool fail_nth(const ruin *r, memdisk *damaged, const due *d,
                     memdisk_call call, size_t nth)
{
    memdisk *disk = memdisk_copy(damaged);
    bool is_memory = call == MEMDISK_CALLS;
    stet_salvage_report report;
    stet_error err;
    failalloc f;
    failalloc_init(&f, is_memory ? nth : 0);
    stet_allocator alloc = failalloc_allocator(&f);
    if (!is_memory) {
        memdisk_fail_at(disk, call, (unsigned)nth, EIO);
    }
    stet_status st = salvage(r, disk, &alloc, &report, &err);
    bool has_failed = is_memory ? f.is_hit : memdisk_has_failed(disk);
    if (!is_memory) {
        memdisk_fail_at(disk, call, 0, 0);
    }
    failalloc_assert_clean(&f);
    if (st != STET_OK) {
        assert_true(has_failed);
        assert_int_equal(st, is_memory ? STET_E_NOMEM : STET_E_IO);
        memdisk_empty_folder(disk, "saved");
        st = salvage(r, disk, &stet__heap, &report, &err);
    }
    assert_int_equal(st, STET_OK);
    /* What could not be read once may be lost, but is not made up. */
    uint64_t same = check_saved(r, disk, RUIN_WHOLE);
    if (call != MEMDISK_READ) {
        assert_int_equal(same, d->same);
        assert_memory_equal(&report, &d->report, sizeof report);
    }
    memdisk_destroy(disk);
    return has_failed;
}

static int fail_from(void *ctx, memdisk_call call)
{
    unsigned *left = ctx;
    *left -= call == MEMDISK_READ && *left > 0;
    return call == MEMDISK_READ && *left == 0 ? -EIO : 0;
}

/* From some read on a disk gives nothing more: what it gave counts. */
static void test_a_disk_that_dies_gives_what_it_gave(void **state)
{
    (void)state;
    ruin r;
    begin(&r, false);
    uint64_t same = 0;
    for (unsigned nth = 1; same < r.b.next - 1; nth += rounds_stride()) {
        memdisk *disk = memdisk_copy(r.first);
        unsigned left = nth;
        stet_salvage_report report;
        stet_error err;
        memdisk_set_faults(disk, fail_from, &left);
        stet_status st = salvage(&r, disk, &stet__heap, &report, &err);
        memdisk_set_faults(disk, NULL, NULL);
        assert_true(st == STET_OK || st == STET_E_IO);
        if (st == STET_OK) {
            same = check_saved(&r, disk, RUIN_WHOLE);
        }
        memdisk_destroy(disk);
    }
    end(&r);
}

/* Half a rescue is told, and the next one is whole. */
static void test_each_failure_is_told(void **state)
{
    (void)state;
    ruin r;
    begin(&r, false);
    for (size_t part = 2; part < 5; part++) {
        memdisk *disk = memdisk_copy(r.first);
        damage_some(&r, disk, FORGERY_FRAME, part);
        damage_some(&r, disk, FORGERY_BLOCK, part);
        due d = find_due(&r, disk);
        assert_true(d.report.lost > 0);
        int call = part == 2 ? 0 : MEMDISK_CALLS;
        for (; call <= MEMDISK_CALLS; call++) {
            size_t nth = 1;
            while (fail_nth(&r, disk, &d, (memdisk_call)call, nth)) {
                nth += call == MEMDISK_CALLS ? 1 : rounds_stride();
            }
        }
        memdisk_destroy(disk);
    }
    end(&r);
}

/* Salvage what was salvaged: its stubs are records, and nothing more is lost.
 */
static void salvage_again(const ruin *r, memdisk *disk, uint64_t same)
{
    stet_opts store = r->b.opts;
    stet_log_config config = r->b.config;
    stet_salvage_opts opts = {.struct_size = sizeof opts};
    stet_salvage_report report = {0};
    stet_error err = {0};
    config.os = memdisk_os(disk);
    config.opts = &store;
    assert_int_equal(stet__embedded_driver.salvage("saved", "again", &config,
                                                   &opts, &report, &err),
                     STET_OK);
    assert_int_equal(report.lost + report.unreadable, 0);
    assert_true(report.events >= same);
}

/* Salvage with two places damaged; what is not in them is there. */
static void lose_two(const ruin *r, const forgery_place *a,
                     const forgery_place *b)
{
    memdisk *disk = memdisk_copy(r->first);
    stet_salvage_report report;
    stet_error err;
    forgery_damage(disk, a);
    forgery_damage(disk, b);
    assert_int_equal(salvage(r, disk, &stet__heap, &report, &err), STET_OK);
    uint64_t same = check_saved(r, disk, RUIN_WHOLE);
    assert_int_equal(same + report.lost + report.unreadable, r->b.next - 1);
    salvage_again(r, disk, same);
    memdisk_destroy(disk);
}

/* Forks whose parents are gone, and parents whose forks are, among them. */
static void test_lost_places_cost_no_others(void **state)
{
    (void)state;
    ruin r;
    begin(&r, true);
    size_t count = forgery_count(&r.places);
    for (size_t i = 0; i < count; i += rounds_stride()) {
        const forgery_place *p = forgery_at(&r.places, i);
        if (p->kind != FORGERY_FRAME && p->kind != FORGERY_BLOCK &&
            p->kind != FORGERY_RECORD) {
            continue;
        }
        r.is_alone = i % 2 == 0;
        for (size_t k = i; k < count; k += 7 + k % 5) {
            lose_two(&r, p, forgery_at(&r.places, k));
        }
    }
    end(&r);
}

/* Each file is gone, and another one with it. */
static void test_lost_files_cost_no_others(void **state)
{
    (void)state;
    ruin r;
    begin(&r, true);
    const char *names[40];
    size_t count = memdisk_names(r.first, names, 40);
    for (size_t i = 0; i < count; i++) {
        for (size_t k = i; k < count; k++) {
            memdisk *disk = memdisk_copy(r.first);
            memdisk_remove(disk, names[i]);
            memdisk_remove(disk, names[k]);
            stet_salvage_report report;
            stet_error err;
            assert_int_equal(salvage(&r, disk, &stet__heap, &report, &err),
                             STET_OK);
            uint64_t same = check_saved(&r, disk, RUIN_WHOLE);
            assert_true(same + report.lost + report.unreadable < r.b.next);
            memdisk_destroy(disk);
        }
    }
    end(&r);
}

/* Put files of one disk on another, also under the names of the other kind. */
static void put_files(memdisk *from, memdisk *to, bool is_renamed)
{
    const char *names[100];
    size_t count = memdisk_names(from, names, 100);
    stet_os *os = memdisk_os(to);
    int dir = os->dir_open(os, "d", false);
    for (size_t i = 0; i < count; i++) {
        char name[STET_OS_NAME_MAX];
        size_t len = 0;
        const uint8_t *bytes = memdisk_bytes(from, names[i], &len);
        bool is_set = strstr(names[i], ".set") != NULL;
        (void)snprintf(name, sizeof name, "%s", names[i]);
        if (strchr(name, '.') != NULL && is_renamed) {
            memcpy(strchr(name, '.'), is_set ? ".seg" : ".set", 4);
        }
        int fd =
            os->open(os, dir, name,
                     STET_OPEN_WRITE | STET_OPEN_CREATE | STET_OPEN_EXCLUSIVE);
        if (fd >= 0) {
            assert_int_equal(os->pwrite(os, fd, bytes, len, 0), 0);
            assert_int_equal(os->close(os, fd), 0);
        }
    }
    assert_int_equal(os->close(os, dir), 0);
}

/*
 * Files that were to be removed are there as well, and some under names that
 * are not theirs, as a careless restore from a copy leaves them.
 */
static void test_files_from_before_add_nothing(void **state)
{
    (void)state;
    ruin r;
    begin(&r, true);
    memdisk *before = memdisk_copy(r.first);
    for (int i = 0; i < 3; i++) {
        settler_open_ok(&r.b, r.first);
        write_more(&r, 2);
        assert_int_equal(settler_settle_all(&r.b, NULL), STET_OK);
        logbook_close_ok(&r.b);
        memdisk *disk = memdisk_copy(r.first);
        put_files(before, disk, false);
        put_files(before, disk, true);
        put_files(r.first, disk, true);
        due d = find_due(&r, disk);
        assert_int_equal(d.same, r.b.next - 1);
        memdisk_destroy(disk);
    }
    memdisk_destroy(before);
    end(&r);
}

/* A store that was killed, and killed again while it was recovered. */
static void test_a_store_that_died_in_recovery_is_saved(void **state)
{
    (void)state;
    ruin r;
    begin(&r, false);
    bool is_reached = true;
    for (unsigned nth = 1; is_reached; nth++) {
        memdisk *disk = memdisk_copy(r.first);
        memdisk_die_at(disk, nth);
        stet_log_start start;
        stet_log *log = NULL;
        stet_log_config config = r.b.config;
        config.os = memdisk_os(disk);
        stet_status st =
            stet__embedded_driver.open("d", &config, &log, &start, NULL);
        if (st == STET_OK) {
            (void)log->ops->close(log, false, NULL);
        }
        is_reached = memdisk_is_dead(disk);
        memdisk_crash(disk, nth % 2 == 0);
        assert_int_equal(find_due(&r, disk).same, r.b.next - 1);
        if (!is_reached || nth % 3 == 0) {
            memdisk_remove(disk, "super");
            assert_int_equal(find_due(&r, disk).same, r.b.next - 1);
        }
        memdisk_destroy(disk);
    }
    end(&r);
}

/* Of what is written to just now, or is no store, nothing is made. */
static void test_what_is_in_use_or_no_store_is_refused(void **state)
{
    (void)state;
    ruin r;
    begin(&r, true);
    stet_salvage_report report;
    stet_error err;
    memdisk *disk = memdisk_copy(r.first);
    stet_os *os = memdisk_os(disk);
    int dir = os->dir_open(os, "d", false);
    int fd = os->open(os, dir, "LOCK", STET_OPEN_WRITE);
    assert_int_equal(os->lock(os, fd, STET_LOCK_EXCLUSIVE), 0);
    assert_int_equal(salvage(&r, disk, &stet__heap, &report, &err),
                     STET_E_LOCKED);
    assert_non_null(strstr(err.text, "another process"));
    memdisk_destroy(disk);
    disk = memdisk_create(1);
    memdisk_add_folder(disk, "saved");
    assert_int_equal(salvage(&r, disk, &stet__heap, &report, &err),
                     STET_E_NOT_FOUND);
    memdisk_destroy(disk);
    end(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_forged_store_is_saved_or_refused),
        cmocka_unit_test(test_a_forged_remainder_is_saved_or_refused),
        cmocka_unit_test(test_each_failure_is_told),
        cmocka_unit_test(test_a_disk_that_dies_gives_what_it_gave),
        cmocka_unit_test(test_lost_places_cost_no_others),
        cmocka_unit_test(test_lost_files_cost_no_others),
        cmocka_unit_test(test_files_from_before_add_nothing),
        cmocka_unit_test(test_a_store_that_died_in_recovery_is_saved),
        cmocka_unit_test(test_what_is_in_use_or_no_store_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
