/*
 * Backups that are cut off at every call, fail in each, have no space and no
 * memory, or are damaged: the others stay whole, and the next one does too.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/checksum.h"
#include "lib/failalloc.h"
#include "lib/rounds.h"
#include "lib/vault.h"
#include "stores/embedded/backup_manifest.h"

/* The backup that is there is whole, and so is a second one, if it counts. */
static void claim_backups_whole(const trial *t, memdisk *disk, stet *whole,
                                const stet_backup *first)
{
    stet_os *os = memdisk_os(disk);
    stet_error err = {0};
    stet_status st = vault_verify(os, 2, &t->store.opts, &err);
    assert_true(st == STET_OK || st == STET_E_NOT_FOUND);
    for (uint32_t number = 1; number <= (st == STET_OK ? 2 : 1); number++) {
        stet_restore_opts opts = {.number = number};
        stet_restored r = {0};
        assert_status(vault_restore(os, &opts, &r, &err), STET_OK, &err);
        stet *s = vault_open_restored(os, t);
        vault_claim_same(s, whole,
                         number == 1 ? first->position + 1
                                     : stet__watermark(&whole->pipeline));
        assert_status(stet_close(s, &err), STET_OK, &err);
        memdisk_empty_folder(disk, "restored");
    }
}

/* An interrupted backup does not count, hurts none, and the next one is whole.
 */
static void test_a_backup_may_be_cut_off_at_every_call(void **state)
{
    (void)state;
    trial t;
    stet_backup first = vault_begin_at_rest(&t, 11);
    bool has_ended = false;
    for (unsigned nth = 1; !has_ended; nth += rounds_stride()) {
        memdisk *disk = memdisk_copy(t.store.disk);
        stet_os *os = memdisk_os(disk);
        stet_error err = {0};
        stet *s = vault_open(os, "store", &t, STET_OPEN_READONLY);
        memdisk_die_at(disk, nth);
        stet_status st = vault_create(s, 0, NULL, &err);
        has_ended = !memdisk_is_dead(disk);
        assert_true(has_ended == (st == STET_OK));
        (void)stet_close(s, NULL); /* perhaps on a dead disk */
        memdisk_crash(disk, nth % 3 > 0);
        s = vault_open(os, "store", &t, STET_OPEN_READONLY);
        claim_backups_whole(&t, disk, s, &first);
        stet_backup b = {0};
        assert_status(vault_create(s, 0, &b, &err), STET_OK, &err);
        assert_true(b.number == 2 || b.number == 3);
        claim_backups_whole(&t, disk, s, &first);
        assert_status(stet_close(s, &err), STET_OK, &err);
        memdisk_destroy(disk);
    }
    trial_end(&t);
}

/* Writes that a full backup makes of a store at rest. */
static unsigned changes_of_full(memdisk *disk, stet *s)
{
    stet_error err = {0};
    unsigned before = memdisk_changes(disk);
    assert_status(vault_create(s, STET_BACKUP_FULL, NULL, &err), STET_OK, &err);
    return memdisk_changes(disk) - before;
}

/* What was copied before the end came is not copied again. */
static void test_an_interrupted_backup_is_gone_on_with(void **state)
{
    (void)state;
    trial t;
    vault_begin_at_rest(&t, 11);
    memdisk *disk = t.store.disk;
    stet *s = vault_open(vault_os(&t), "store", &t, STET_OPEN_READONLY);
    stet_error err = {0};
    unsigned all = changes_of_full(disk, s);
    memdisk_fail_at(disk, MEMDISK_WRITE, 3, EIO);
    assert_status(vault_create(s, STET_BACKUP_FULL, NULL, &err), STET_E_IO,
                  &err);
    /* Two files: made, written, synced and named. */
    assert_int_equal(changes_of_full(disk, s), all - 8);
    memdisk_fail_at(disk, MEMDISK_WRITE, 3, EIO);
    assert_status(vault_create(s, STET_BACKUP_FULL, NULL, &err), STET_E_IO,
                  &err);
    /* What is not as it was copied is copied again. */
    vault_name_list left = vault_names(disk, "backup/4-");
    assert_int_equal(left.count, 2);
    size_t len = 0;
    memdisk_bytes(disk, left.text[0], &len)[len / 2] ^= 1;
    assert_int_equal(changes_of_full(disk, s), all - 4);
    assert_status(vault_verify(vault_os(&t), 0, &t.store.opts, &err), STET_OK,
                  &err);
    assert_status(stet_close(s, &err), STET_OK, &err);
    trial_end(&t);
}

/* Half a store is never opened; the restore begins again and ends. */
static void test_a_restore_may_be_cut_off_at_every_call(void **state)
{
    (void)state;
    trial t;
    stet_backup first = vault_begin_at_rest(&t, 13);
    store_open(&t.store);
    vault_create_ok(&t);
    stet_restore_opts opts = {
        .at = {STET_AT_POSITION, first.position - 3, 0, {0}}};
    stet_restored r = {0};
    stet_error err = {0};
    assert_status(vault_restore(vault_os(&t), &opts, &r, &err), STET_OK, &err);
    uint64_t end = r.position + 1;
    memdisk_empty_folder(t.store.disk, "restored");
    store_close(&t.store);
    bool has_ended = false;
    for (unsigned nth = 1; !has_ended; nth += rounds_stride()) {
        memdisk *disk = memdisk_copy(t.store.disk);
        stet_os *os = memdisk_os(disk);
        memdisk_die_at(disk, nth);
        stet_status st = vault_restore(os, &opts, NULL, &err);
        has_ended = !memdisk_is_dead(disk);
        assert_true(has_ended == (st == STET_OK));
        memdisk_crash(disk, nth % 3 > 0);
        stet_opts how = t.store.opts;
        how.mode = STET_OPEN_EXISTING;
        stet *s = NULL;
        st = stet__open_on(os, "restored", &how, &s, &err);
        if (st != STET_OK) {
            assert_true(st == STET_E_EXISTS || st == STET_E_NOT_FOUND);
            assert_status(vault_restore(os, &opts, &r, &err), STET_OK, &err);
            s = vault_open_restored(os, &t);
        }
        stet *whole = vault_open(os, "store", &t, STET_OPEN_READONLY);
        vault_claim_same(s, whole, end);
        assert_status(stet_close(whole, &err), STET_OK, &err);
        assert_status(stet_close(s, &err), STET_OK, &err);
        memdisk_destroy(disk);
    }
    trial_end(&t);
}

/* Makes a store where one is restored to, before the nth call of that. */
typedef struct intruder {
    trial *t;
    memdisk *disk;
    unsigned nth;
    unsigned calls;
    bool has_come;
    bool is_busy;
    stet_status st; /* of opening it */
} intruder;

static int intrude(void *ctx, memdisk_call call)
{
    intruder *i = ctx;
    (void)call;
    if (i->is_busy || ++i->calls != i->nth) {
        return 0;
    }
    stet_error err = {0};
    stet *s = NULL;
    i->has_come = true;
    i->is_busy = true;
    i->st = stet__open_on(memdisk_os(i->disk), "restored", &i->t->store.opts,
                          &s, &err);
    if (i->st == STET_OK) {
        assert_status(
            stet_save(s, stet_str("mine"), stet_str("1"), NULL, NULL, &err),
            STET_OK, &err);
        assert_status(stet_close(s, &err), STET_OK, &err);
    }
    i->is_busy = false;
    return 0;
}

/* A restore and a new store want one folder: nobody's events are removed. */
static void test_a_restore_beside_a_new_store_takes_nothing(void **state)
{
    (void)state;
    trial t;
    (void)vault_begin_at_rest(&t, 14);
    intruder i = {.t = &t, .has_come = true};
    unsigned refusals = 0;
    for (unsigned nth = 1; i.has_come; nth++) {
        stet_error err = {0};
        i = (intruder){.t = &t, .nth = nth, .st = STET_E_EXISTS};
        i.disk = memdisk_copy(t.store.disk);
        memdisk_set_faults(i.disk, intrude, &i);
        stet_status st = vault_restore(memdisk_os(i.disk), NULL, NULL, &err);
        memdisk_set_faults(i.disk, NULL, NULL);
        assert_true(st == STET_OK || st == STET_E_EXISTS);
        assert_true(st == STET_OK || i.st == STET_OK);
        refusals += st != STET_OK;
        stet *s = vault_open_restored(memdisk_os(i.disk), &t);
        assert_status(stet_exists(s, stet_str("mine"), NULL, NULL, &err),
                      i.st == STET_OK ? STET_OK : STET_E_NOT_FOUND, &err);
        assert_status(stet_close(s, &err), STET_OK, &err);
        memdisk_destroy(i.disk);
    }
    assert_true(refusals > 1);
    trial_end(&t);
}

/* Removes the backup that is read, before the nth call of who reads it. */
typedef struct remover {
    memdisk *disk;
    unsigned nth;
    unsigned calls;
    bool has_come;
    bool is_busy;
    stet_status st;
} remover;

static int remove_first(void *ctx, memdisk_call call)
{
    remover *r = ctx;
    (void)call;
    if (!r->is_busy && ++r->calls == r->nth) {
        stet_error err = {0};
        stet_pruned pruned = {.struct_size = sizeof pruned};
        r->has_come = true;
        r->is_busy = true;
        r->st = vault_prune(memdisk_os(r->disk), 1, &pruned, &err);
        r->is_busy = false;
    }
    return 0;
}

/* It is read to its end or was not there: it is never taken for damaged. */
static void test_a_backup_that_is_removed_meanwhile_is_not_damaged(void **state)
{
    (void)state;
    trial t;
    (void)vault_begin_at_rest(&t, 18);
    store_open(&t.store);
    vault_create_ok(&t);
    store_close(&t.store);
    remover r = {.has_come = true};
    unsigned refusals = 0;
    for (unsigned nth = 1; r.has_come; nth++) {
        stet_error err = {0};
        stet_restore_opts opts = {.number = 1};
        r = (remover){.disk = memdisk_copy(t.store.disk), .nth = nth};
        memdisk_set_faults(r.disk, remove_first, &r);
        stet_status st = vault_restore(memdisk_os(r.disk), &opts, NULL, &err);
        memdisk_set_faults(r.disk, NULL, NULL);
        assert_true(r.st == STET_OK || r.st == STET_E_LOCKED);
        if (st != STET_OK) {
            assert_status(st, STET_E_NOT_FOUND, &err);
            assert_int_equal(r.st, STET_OK);
        }
        refusals += r.st == STET_E_LOCKED;
        memdisk_destroy(r.disk);
    }
    assert_true(refusals > 10);
    trial_end(&t);
}

/* A full disk stops it; with space it goes on; what was there stays. */
static void test_a_full_disk_hurts_no_backup(void **state)
{
    (void)state;
    trial t;
    stet_backup first = vault_begin_at_rest(&t, 15);
    stet_status st = STET_E_NOSPACE;
    for (uint64_t more = 0; st != STET_OK; more += 4096 * rounds_stride()) {
        memdisk *disk = memdisk_copy(t.store.disk);
        stet_error err = {0};
        stet *s = vault_open(memdisk_os(disk), "store", &t, STET_OPEN_READONLY);
        memdisk_set_space(disk, memdisk_used(disk) + more);
        st = vault_create(s, 0, NULL, &err);
        assert_true(st == STET_OK || st == STET_E_NOSPACE);
        memdisk_set_space(disk, UINT64_MAX);
        claim_backups_whole(&t, disk, s, &first);
        assert_status(vault_create(s, 0, NULL, &err), STET_OK, &err);
        claim_backups_whole(&t, disk, s, &first);
        assert_status(stet_close(s, &err), STET_OK, &err);
        memdisk_destroy(disk);
    }
    st = STET_E_NOSPACE;
    for (uint64_t more = 0; st != STET_OK; more += 4096 * rounds_stride()) {
        memdisk *disk = memdisk_copy(t.store.disk);
        stet_error err = {0};
        stet_restore_opts opts = {
            .at = {STET_AT_POSITION, first.position - 1, 0, {0}}};
        memdisk_set_space(disk, memdisk_used(disk) + more);
        st = vault_restore(memdisk_os(disk), &opts, NULL, &err);
        assert_true(st == STET_OK || st == STET_E_NOSPACE);
        memdisk_set_space(disk, UINT64_MAX);
        assert_status(vault_restore(memdisk_os(disk), &opts, NULL, &err),
                      st == STET_OK ? STET_E_EXISTS : STET_OK, &err);
        memdisk_destroy(disk);
    }
    trial_end(&t);
}

/* Each call that fails is told, and what was there stays whole. */
static void test_a_failed_call_hurts_no_backup(void **state)
{
    (void)state;
    trial t;
    stet_backup first = vault_begin_at_rest(&t, 17);
    for (int call = 0; call < MEMDISK_CALLS; call++) {
        bool has_failed = true;
        for (unsigned nth = 1; has_failed; nth += rounds_stride()) {
            memdisk *disk = memdisk_copy(t.store.disk);
            stet_error err = {0};
            stet *s =
                vault_open(memdisk_os(disk), "store", &t, STET_OPEN_READONLY);
            memdisk_fail_at(disk, (memdisk_call)call, nth, EIO);
            stet_status st = vault_create(s, 0, NULL, &err);
            has_failed = memdisk_has_failed(disk);
            memdisk_fail_at(disk, (memdisk_call)call, 0, 0);
            assert_true(st == STET_OK || (has_failed && st == STET_E_IO));
            assert_status(stet_close(s, &err), STET_OK, &err);
            memdisk_crash(disk, true);
            s = vault_open(memdisk_os(disk), "store", &t, STET_OPEN_READONLY);
            claim_backups_whole(&t, disk, s, &first);
            assert_status(stet_close(s, &err), STET_OK, &err);
            memdisk_destroy(disk);
        }
    }
    trial_end(&t);
}

/* Without memory nothing happens, and nothing is left behind. */
static void test_each_lack_of_memory_is_told(void **state)
{
    (void)state;
    trial t;
    stet_backup first = vault_begin_at_rest(&t, 19);
    bool is_hit = true;
    for (size_t nth = 1; is_hit; nth += rounds_stride()) {
        memdisk *disk = memdisk_copy(t.store.disk);
        stet_os *os = memdisk_os(disk);
        failalloc f;
        failalloc_init(&f, 0);
        stet_opts opts = t.store.opts;
        opts.mode = STET_OPEN_READONLY;
        opts.allocator = failalloc_allocator(&f);
        stet *s = NULL;
        stet_error err = {0};
        assert_status(stet__open_on(os, "store", &opts, &s, &err), STET_OK,
                      &err);
        f.nth = f.calls + nth;
        stet_status st = vault_create(s, 0, NULL, &err);
        assert_true(st == (f.is_hit ? STET_E_NOMEM : STET_OK));
        assert_status(stet_close(s, &err), STET_OK, &err);
        failalloc_assert_clean(&f);
        is_hit = f.is_hit;
        memdisk_destroy(disk);
    }
    is_hit = true;
    for (size_t nth = 1; is_hit; nth += rounds_stride()) {
        memdisk *disk = memdisk_copy(t.store.disk);
        stet_os *os = memdisk_os(disk);
        failalloc f;
        failalloc_init(&f, nth);
        stet_opts opts = t.store.opts;
        opts.allocator = failalloc_allocator(&f);
        stet_restore_opts how = {
            .at = {STET_AT_POSITION, first.position - 1, 0, {0}},
            .store = &opts};
        stet_error err = {0};
        stet_status st = vault_restore(os, &how, NULL, &err);
        assert_true(st == STET_OK || (f.is_hit && st == STET_E_NOMEM));
        failalloc_assert_clean(&f);
        is_hit = f.is_hit;
        f.nth = 0;
        if (st != STET_OK) {
            assert_status(vault_restore(os, &how, NULL, &err), STET_OK, &err);
        }
        memdisk_destroy(disk);
    }
    trial_end(&t);
}

/* Damage is found where it is, before anything is made of it. */
static void test_damage_of_any_file_is_told_by_name_and_offset(void **state)
{
    (void)state;
    trial t;
    vault_begin(&t, 21);
    vault_write_all_kinds(&t);
    vault_create_ok(&t);
    store_close(&t.store);
    vault_name_list n = vault_names(t.store.disk, "backup/");
    assert_true(n.count >= 5);
    rng r = {7};
    for (size_t i = 0; i < n.count; i++) {
        for (int kind = 0; kind < 8; kind++) {
            memdisk *disk = memdisk_copy(t.store.disk);
            stet_error err = {0};
            size_t len = 0;
            uint8_t *bytes = memdisk_bytes(disk, n.text[i], &len);
            bool is_manifest = strstr(n.text[i], ".backup") != NULL;
            stet_status expected = STET_E_CORRUPT;
            if (kind == 0) {
                memdisk_remove(disk, n.text[i]);
                expected = is_manifest ? STET_E_NOT_FOUND : expected;
            } else if (kind == 1) {
                memdisk_cut(disk, n.text[i], len - 1);
            } else if (kind == 2) {
                memdisk_cut(disk, n.text[i], len + 4096);
            } else {
                bytes[rng_below(&r, len)] ^= (uint8_t)(1 + rng_below(&r, 255));
            }
            stet_status st =
                vault_verify(memdisk_os(disk), 0, &t.store.opts, &err);
            assert_status(st, expected, &err);
            if (expected == STET_E_CORRUPT) {
                assert_names(&err, n.text[i] + strlen("backup/"));
                assert_names(&err, " at offset ");
            }
            st = vault_restore(memdisk_os(disk), NULL, NULL, &err);
            assert_status(st, expected, &err);
            if (expected == STET_E_CORRUPT) {
                assert_names(&err, n.text[i] + strlen("backup/"));
            }
            memdisk_destroy(disk);
        }
    }
    trial_end(&t);
}

/* The damage of one backup leaves the one before as it is. */
static void
test_an_older_backup_restores_where_the_newest_is_damaged(void **state)
{
    (void)state;
    trial t;
    vault_begin(&t, 23);
    vault_write_all_kinds(&t);
    uint64_t older = vault_create_ok(&t).position;
    vault_write(&t, 40);
    vault_create_ok(&t);
    size_t len = 0;
    vault_name_list n = vault_names(t.store.disk, "backup/2-");
    assert_true(n.count > 0);
    memdisk_bytes(t.store.disk, n.text[0], &len)[len / 2] ^= 1;
    stet_error err = {0};
    assert_status(vault_restore(vault_os(&t), NULL, NULL, &err), STET_E_CORRUPT,
                  &err);
    memdisk_empty_folder(t.store.disk, "restored");
    stet_restore_opts first = {.number = 1};
    vault_restore_and_compare(&t, &first, older + 1);
    memdisk_bytes(t.store.disk, "backup/2.backup", &len)[40] ^= 1;
    assert_status(vault_restore(vault_os(&t), NULL, NULL, &err), STET_E_CORRUPT,
                  &err);
    vault_restore_and_compare(&t, &first, older + 1);
    stet_backup all[VAULT_BACKUPS_MAX];
    assert_int_equal(vault_list(&t, all), 2);
    assert_false(all[0].is_damaged);
    assert_true(all[1].is_damaged && all[1].number == 2);
    /* The next one says so, too, and a full one goes on without it. */
    assert_status(vault_create(t.store.s, 0, NULL, &err), STET_E_CORRUPT, &err);
    stet_backup full = {0};
    assert_status(vault_create(t.store.s, STET_BACKUP_FULL, &full, &err),
                  STET_OK, &err);
    assert_int_equal(full.number, 3);
    vault_restore_and_compare(&t, NULL, full.position + 1);
    trial_end(&t);
}

static void put_file(memdisk *disk, const char *name, stet_slice bytes)
{
    stet_os *os = memdisk_os(disk);
    int dir = os->dir_open(os, "backup", false);
    int fd = os->open(os, dir, name, STET_OPEN_WRITE | STET_OPEN_CREATE);
    assert_true(dir >= 0 && fd >= 0);
    assert_int_equal(os->truncate(os, fd, 0), 0);
    assert_int_equal(os->pwrite(os, fd, bytes.ptr, bytes.len, 0), 0);
    assert_int_equal(os->close(os, fd), 0);
    assert_int_equal(os->close(os, dir), 0);
}

static void put_manifest(memdisk *disk, const stet_manifest *m)
{
    stet_buf bytes;
    stet__buf_init(&bytes, &stet__heap);
    stet__manifest_put(m, &bytes);
    put_file(disk, "1.backup", stet__buf_slice(&bytes));
    stet__buf_deinit(&bytes);
}

static void claim_refused(const trial *t)
{
    stet_error err = {0};
    assert_status(vault_verify(vault_os(t), 1, &t->store.opts, &err),
                  STET_E_CORRUPT, &err);
    assert_names(&err, "1.backup");
    assert_status(vault_restore(vault_os(t), NULL, NULL, &err), STET_E_CORRUPT,
                  &err);
    assert_names(&err, "1.backup");
}

/* A manifest names the store's files, each where it begins, and no others. */
static void test_a_manifest_of_other_files_is_damage(void **state)
{
    (void)state;
    static const uint8_t zeros[8192];
    trial t;
    size_t len = 0;
    stet_manifest m;
    stet_manifest more;
    vault_begin(&t, 26);
    vault_write_all_kinds(&t);
    vault_create_ok(&t);
    const uint8_t *bytes = memdisk_bytes(t.store.disk, "backup/1.backup", &len);
    assert_int_equal(
        stet__manifest_get(stet_slice_of(bytes, len), &stet__heap, &m, NULL),
        STET_OK);
    m.files[1].first_position++;
    put_manifest(t.store.disk, &m);
    claim_refused(&t);
    m.files[1].first_position--;
    assert_int_equal(
        stet__manifest_init(&more, &stet__heap, m.file_count + 1, NULL),
        STET_OK);
    stet_backup_file *files = more.files;
    more = m;
    more.files = files;
    more.file_count = m.file_count + 1;
    memcpy(files, m.files, sizeof *files);
    memcpy(files + 2, m.files + 1, (m.file_count - 1) * sizeof *files);
    files[1] = (stet_backup_file){.number = 4000,
                                  .bytes = sizeof zeros,
                                  .first_position = files[0].first_position + 1,
                                  .copied_by = 1};
    stet__buf_init(&more.sums, &stet__heap);
    size_t before =
        (size_t)stet__backup_chunks(files[0].bytes) * STET_BACKUP_SUM_BYTES;
    stet__buf_put(&more.sums, m.sums.ptr, before);
    stet__buf_put_u64le(&more.sums, stet__hash64(zeros, sizeof zeros));
    stet__buf_put(&more.sums, m.sums.ptr + before, m.sums.len - before);
    put_file(t.store.disk, "1-4000.seg", stet_slice_of(zeros, sizeof zeros));
    put_manifest(t.store.disk, &more);
    claim_refused(&t);
    stet__manifest_deinit(&more);
    stet__manifest_deinit(&m);
    trial_end(&t);
}

/* A copy that went missing is made again by the next backup. */
static void test_a_lost_copy_is_copied_again(void **state)
{
    (void)state;
    trial t;
    vault_begin(&t, 25);
    vault_write_all_kinds(&t);
    store_reopen(&t.store);
    vault_create_ok(&t);
    vault_name_list n = vault_names(t.store.disk, "backup/1-");
    memdisk_remove(t.store.disk, n.text[0]);
    stet_backup b = vault_create_ok(&t);
    assert_int_equal(b.new_files, 1);
    vault_restore_and_compare(&t, NULL, b.position + 1);
    trial_end(&t);
}

/* Cut off anywhere, the backups that are left are whole. */
static void test_pruning_may_be_cut_off_at_every_call(void **state)
{
    (void)state;
    trial t;
    vault_begin_at_rest(&t, 29);
    store_open(&t.store);
    vault_create_ok(&t);
    vault_write(&t, 30);
    uint64_t newest = vault_create_ok(&t).position;
    store_close(&t.store);
    bool has_ended = false;
    for (unsigned nth = 1; !has_ended; nth += rounds_stride()) {
        memdisk *disk = memdisk_copy(t.store.disk);
        stet_os *os = memdisk_os(disk);
        stet_error err = {0};
        memdisk_die_at(disk, nth);
        stet_status st = vault_prune(os, 1, NULL, &err);
        has_ended = !memdisk_is_dead(disk);
        assert_true(has_ended == (st == STET_OK));
        memdisk_crash(disk, nth % 3 > 0);
        for (uint32_t number = 1; number <= 3; number++) {
            st = vault_verify(os, number, &t.store.opts, &err);
            assert_true(st == STET_OK ||
                        (number < 3 && st == STET_E_NOT_FOUND));
        }
        assert_status(vault_prune(os, 1, NULL, &err), STET_OK, &err);
        stet_restored r = {0};
        assert_status(vault_restore(os, NULL, &r, &err), STET_OK, &err);
        assert_int_equal(r.position, newest);
        memdisk_destroy(disk);
    }
    trial_end(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_backup_may_be_cut_off_at_every_call),
        cmocka_unit_test(test_an_interrupted_backup_is_gone_on_with),
        cmocka_unit_test(test_a_restore_may_be_cut_off_at_every_call),
        cmocka_unit_test(test_a_restore_beside_a_new_store_takes_nothing),
        cmocka_unit_test(
            test_a_backup_that_is_removed_meanwhile_is_not_damaged),
        cmocka_unit_test(test_a_full_disk_hurts_no_backup),
        cmocka_unit_test(test_a_failed_call_hurts_no_backup),
        cmocka_unit_test(test_each_lack_of_memory_is_told),
        cmocka_unit_test(test_damage_of_any_file_is_told_by_name_and_offset),
        cmocka_unit_test(
            test_an_older_backup_restores_where_the_newest_is_damaged),
        cmocka_unit_test(test_a_manifest_of_other_files_is_damage),
        cmocka_unit_test(test_a_lost_copy_is_copied_again),
        cmocka_unit_test(test_pruning_may_be_cut_off_at_every_call),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
