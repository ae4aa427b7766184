/*
 * What is done with backups, of which each allocation and each call of the
 * system fails once: the failure is told, and the same thing done again does
 * what it does where nothing fails.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "base/checksum.h"
#include "lib/failalloc.h"
#include "lib/questions.h"
#include "lib/rounds.h"
#include "lib/vault.h"

/* Backups in a folder, and the memory to read them with. */
typedef struct vault {
    stet_os *os;
    stet_opts store;
    stet_backup first;
} vault;

/* Do one thing with them and tell of it. */
typedef stet_status (*verb_fn)(const vault *v, stet_buf *out, stet_error *err);

static stet_status list_all(const vault *v, stet_buf *out, stet_error *err)
{
    stet_backups *l = NULL;
    const stet_backup *b = NULL;
    stet_status st =
        stet__backups_open_on(v->os, "backup", &v->store.allocator, &l, err);
    while (st == STET_OK) {
        st = stet_backups_next(l, &b, err);
        if (st == STET_OK) {
            stet__buf_printf(out, "%u %d\n", b->number, b->is_damaged);
        }
    }
    stet_backups_close(l);
    return st == STET_DONE ? STET_OK : st;
}

static stet_status verify(const vault *v, stet_buf *out, stet_error *err)
{
    stet_verify_report r = {.struct_size = sizeof r};
    stet_restore_opts opts = {.number = 1, .store = &v->store};
    stet_status st = stet__backup_verify_on(v->os, "backup", &opts, &r, err);
    stet__buf_printf(out, "%llu\n", (unsigned long long)r.records);
    return st;
}

static stet_status restore_to(const vault *v, stet_at at, stet_buf *out,
                              stet_error *err)
{
    stet_restored r = {0};
    stet_restore_opts opts = {.at = at, .store = &v->store};
    stet_status st =
        stet__backup_restore_on(v->os, "backup", "restored", &opts, &r, err);
    stet__buf_printf(out, "%llu\n", (unsigned long long)r.position);
    return st;
}

/* Within a file, so that it is rewritten. */
static stet_status restore_to_position(const vault *v, stet_buf *out,
                                       stet_error *err)
{
    return restore_to(v, at_position(v->first.position - 3), out, err);
}

/* Within a set. */
static stet_status restore_to_early_position(const vault *v, stet_buf *out,
                                             stet_error *err)
{
    return restore_to(v, at_position(v->first.position / 4), out, err);
}

static stet_status restore_to_time(const vault *v, stet_buf *out,
                                   stet_error *err)
{
    return restore_to(v, at_recorded(v->first.recorded_at - 1), out, err);
}

/* How much goes depends on what went before: what is left does not. */
static stet_status prune(const vault *v, stet_buf *out, stet_error *err)
{
    (void)out;
    return stet__backup_prune_on(v->os, "backup", 1, &v->store.allocator, NULL,
                                 err);
}

/* Of the disk: every name but those of what was begun. */
static void tell_names(const memdisk *disk, stet_buf *out)
{
    const char *names[VAULT_NAMES_MAX];
    size_t count = memdisk_names(disk, names, VAULT_NAMES_MAX);
    for (size_t i = 0; i < count; i++) {
        if (strstr(names[i], "LOCK") == NULL) {
            stet__buf_printf(out, "%s\n", names[i]);
        }
    }
}

typedef struct verb_trial {
    trial t;
    verb_fn verb;
    stet_backup first;
    stet_buf told; /* where nothing fails */
    stet_buf names;
} verb_trial;

static vault vault_of(const verb_trial *v, memdisk *disk)
{
    return (vault){
        .os = memdisk_os(disk), .store = v->t.store.opts, .first = v->first};
}

static void claim_due(const verb_trial *v, const memdisk *disk,
                      const stet_buf *told)
{
    stet_buf names;
    stet__buf_init(&names, &stet__heap);
    tell_names(disk, &names);
    questions_assert_same(&names, &v->names);
    stet__buf_deinit(&names);
    if (told->len > 0) {
        questions_assert_same(told, &v->told);
    }
}

/* A restore that failed when the store was there left it as it should be. */
static void claim_restored(const verb_trial *v, memdisk *disk)
{
    stet_error err = {0};
    assert_int_equal(vault_names(disk, "restored/RESTORED").count, 1);
    stet *s = vault_open_restored(memdisk_os(disk), &v->t);
    assert_status(stet_verify(s, NULL, NULL, NULL, &err), STET_OK, &err);
    assert_status(stet_close(s, &err), STET_OK, &err);
}

/* Once more, after it failed; false: it had been done. */
static bool try_again(const verb_trial *v, memdisk *disk, stet_buf *told)
{
    stet_error err = {0};
    stet__buf_reset(told);
    vault again = vault_of(v, disk);
    stet_status st = v->verb(&again, told, &err);
    if (st == STET_E_EXISTS) {
        claim_restored(v, disk);
        return false;
    }
    assert_status(st, STET_OK, &err);
    return true;
}

/* Do it with the nth call or (MEMDISK_CALLS) allocation failing, then again. */
static bool fail_nth(const verb_trial *v, memdisk_call call, size_t nth)
{
    memdisk *disk = memdisk_copy(v->t.store.disk);
    vault first = vault_of(v, disk);
    stet_buf told;
    stet_error err = {0};
    failalloc f;
    bool is_memory = call == MEMDISK_CALLS;
    stet__buf_init(&told, &stet__heap);
    failalloc_init(&f, is_memory ? nth : 0);
    first.store.allocator = failalloc_allocator(&f);
    if (!is_memory) {
        memdisk_fail_at(disk, call, (unsigned)nth, EIO);
    }
    stet_status st = v->verb(&first, &told, &err);
    bool has_failed = is_memory ? f.is_hit : memdisk_has_failed(disk);
    /* What it did without may be a spare too many, or too few. */
    bool is_due = st != STET_OK || !has_failed;
    failalloc_assert_clean(&f);
    if (st != STET_OK) {
        assert_true(has_failed);
        assert_status(st, is_memory ? STET_E_NOMEM : STET_E_IO, &err);
        assert_int_not_equal(err.text[0], '\0');
        is_due = try_again(v, disk, &told);
    }
    if (is_due) {
        claim_due(v, disk, &told);
    } else if (st == STET_OK) {
        questions_assert_same(&told, &v->told);
    }
    stet__buf_deinit(&told);
    memdisk_destroy(disk);
    return has_failed;
}

/* A restore that the power cut off leaves files for the next one to remove. */
static void leave_half(verb_trial *v)
{
    enum { CHANGES = 20 };
    stet_error err = {0};
    memdisk_die_at(v->t.store.disk, CHANGES);
    assert_status(vault_restore(vault_os(&v->t), NULL, NULL, &err), STET_E_IO,
                  &err);
    memdisk_crash(v->t.store.disk, false);
    assert_int_equal(vault_names(v->t.store.disk, "restored/RESTORING").count,
                     1);
}

static void fail_everything_by(verb_fn verb, bool is_begun, size_t stride)
{
    verb_trial v = {.verb = verb};
    stet_error err = {0};
    v.first = vault_begin_at_rest(&v.t, 31);
    store_open(&v.t.store);
    vault_create_ok(&v.t);
    store_close(&v.t.store);
    if (is_begun) {
        leave_half(&v);
    }
    stet__buf_init(&v.told, &stet__heap);
    stet__buf_init(&v.names, &stet__heap);
    memdisk *disk = memdisk_copy(v.t.store.disk);
    vault whole = vault_of(&v, disk);
    assert_status(verb(&whole, &v.told, &err), STET_OK, &err);
    tell_names(disk, &v.names);
    memdisk_destroy(disk);
    for (unsigned call = 0; call <= MEMDISK_CALLS; call++) {
        size_t nth = 1;
        while (fail_nth(&v, (memdisk_call)call, nth)) {
            nth += stride + nth / 20;
        }
    }
    stet__buf_deinit(&v.told);
    stet__buf_deinit(&v.names);
    trial_end(&v.t);
}

static void fail_everything(verb_fn verb, bool is_begun)
{
    fail_everything_by(verb, is_begun, rounds_stride());
}

/* A backup that cannot be read just now is not taken for a damaged one. */
static void test_listing_survives_each_failure(void **state)
{
    (void)state;
    fail_everything(list_all, false);
}

static void test_verifying_survives_each_failure(void **state)
{
    (void)state;
    fail_everything(verify, false);
}

/* Half a store is no store: the next restore makes it whole. */
static void test_restoring_survives_each_failure(void **state)
{
    (void)state;
    fail_everything(restore_to_position, false);
    fail_everything(restore_to_position, true);
    fail_everything_by(restore_to_early_position, false, 1);
    fail_everything(restore_to_time, false);
}

/* What another backup needs stays, whatever is known just now. */
static void test_pruning_survives_each_failure(void **state)
{
    (void)state;
    fail_everything(prune, false);
}

static void put_file(stet_os *os, const char *name)
{
    int dir = os->dir_open(os, "backup", false);
    int fd = os->open(os, dir, name, STET_OPEN_WRITE | STET_OPEN_CREATE);
    assert_true(fd >= 0);
    assert_int_equal(os->close(os, fd), 0);
}

/* Somebody's notes are not a copy that no backup needs. */
static void test_what_has_another_name_is_left_alone(void **state)
{
    (void)state;
    static const char *const others[] = {
        "notes",   "1-2",       "1.seg-2", "x-1.seg",  "1-x.set", "1-1.txt",
        "0-1.seg", "1.backups", ".backup", "x.backup", "01-1.set"};
    trial t;
    stet_error err = {0};
    vault_begin_at_rest(&t, 33);
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        put_file(vault_os(&t), others[i]);
    }
    store_open(&t.store);
    uint32_t number = vault_create_ok(&t).number;
    assert_status(vault_prune(vault_os(&t), 1, NULL, &err), STET_OK, &err);
    stet_backup all[VAULT_BACKUPS_MAX];
    assert_int_equal(vault_list(&t, all), 1);
    assert_int_equal(all[0].number, number);
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        char name[STET_OS_NAME_MAX];
        (void)snprintf(name, sizeof name, "backup/%s", others[i]);
        assert_int_equal(vault_names(t.store.disk, name).count, 1);
    }
    vault_restore_and_compare(&t, NULL, vault_end_of(&t));
    trial_end(&t);
}

/* Of two at once one would remove what the other one makes. */
static void test_a_folder_that_is_written_to_is_not_shared(void **state)
{
    (void)state;
    trial t;
    stet_error err = {0};
    vault_begin_at_rest(&t, 35);
    stet_os *os = vault_os(&t);
    int dir = os->dir_open(os, "backup", false);
    int fd = os->open(os, dir, "LOCK", STET_OPEN_WRITE);
    assert_int_equal(os->lock(os, fd, STET_LOCK_EXCLUSIVE), 0);
    assert_status(vault_prune(os, 1, NULL, &err), STET_E_LOCKED, &err);
    assert_names(&err, "another process");
    assert_status(vault_verify(os, 0, &t.store.opts, &err), STET_OK, &err);
    assert_int_equal(os->close(os, fd), 0);
    assert_status(vault_prune(os, 1, NULL, &err), STET_OK, &err);
    dir = os->dir_open(os, "restored", false);
    fd = os->open(os, dir, "RESTORING", STET_OPEN_WRITE | STET_OPEN_CREATE);
    assert_int_equal(os->lock(os, fd, STET_LOCK_EXCLUSIVE), 0);
    assert_status(vault_restore(os, NULL, NULL, &err), STET_E_LOCKED, &err);
    assert_names(&err, "another process");
    assert_int_equal(os->close(os, fd), 0);
    assert_status(vault_restore(os, NULL, NULL, &err), STET_OK, &err);
    trial_end(&t);
}

/* Pruning removes what nobody needs: that much is known without the copies. */
static void test_pruning_goes_on_where_copies_are_lost(void **state)
{
    (void)state;
    trial t;
    stet_error err = {0};
    vault_begin(&t, 37);
    vault_write_all_kinds(&t);
    vault_create_ok(&t);
    vault_write(&t, 5);
    vault_create_ok(&t);
    put_file(vault_os(&t), "7-1.seg"); /* of one that is being made */
    vault_name_list copies = vault_names(t.store.disk, "backup/1-");
    assert_true(copies.count > 1);
    for (size_t i = 0; i < copies.count; i++) {
        memdisk_remove(t.store.disk, copies.text[i]);
        assert_status(vault_prune(vault_os(&t), 1 + (i == 0), NULL, &err),
                      STET_OK, &err);
    }
    assert_int_equal(vault_names(t.store.disk, "backup/7-1.seg").count, 1);
    assert_status(vault_verify(vault_os(&t), 0, &t.store.opts, &err),
                  STET_E_CORRUPT, &err);
    uint32_t number = vault_create_ok(&t).number; /* copies them anew */
    assert_status(vault_prune(vault_os(&t), 1, NULL, &err), STET_OK, &err);
    stet_backup all[VAULT_BACKUPS_MAX];
    assert_int_equal(vault_list(&t, all), 1);
    assert_int_equal(all[0].number, number);
    vault_restore_and_compare(&t, NULL, vault_end_of(&t));
    trial_end(&t);
}

/* Number a manifest anew, under a right checksum, in a file of that name. */
static void renumber(const trial *t, uint32_t number, const char *name)
{
    size_t len = 0;
    const uint8_t *bytes =
        memdisk_bytes(t->store.disk, "backup/1.backup", &len);
    stet_os *os = vault_os(t);
    stet_buf copy;
    stet__buf_init(&copy, &stet__heap);
    stet__buf_put(&copy, bytes, len);
    stet__put_u32le(copy.ptr + 12, number);
    stet__put_u32le(copy.ptr + 4, stet__crc32c(0, copy.ptr + 8, copy.len - 8));
    int dir = os->dir_open(os, "backup", false);
    int fd = os->open(os, dir, name, STET_OPEN_WRITE | STET_OPEN_CREATE);
    assert_int_equal(os->pwrite(os, fd, copy.ptr, copy.len, 0), 0);
    assert_int_equal(os->close(os, fd), 0);
    stet__buf_deinit(&copy);
}

/* A number tells what is newer: none comes twice, and none is another's. */
static void test_numbers_of_backups_do_not_wrap(void **state)
{
    (void)state;
    trial t;
    stet_error err = {0};
    vault_begin_at_rest(&t, 39);
    store_open(&t.store);
    renumber(&t, 6, "5.backup");
    assert_status(vault_verify(vault_os(&t), 5, &t.store.opts, &err),
                  STET_E_CORRUPT, &err);
    assert_names(&err, "is of backup 6");
    memdisk_cut(t.store.disk, "backup/5.backup", 0);
    assert_status(vault_verify(vault_os(&t), 5, &t.store.opts, &err),
                  STET_E_CORRUPT, &err);
    renumber(&t, UINT32_MAX, "4294967295.backup");
    assert_status(vault_create(t.store.s, 0, NULL, &err), STET_E_NOSPACE, &err);
    assert_names(&err, "no backup number is left");
    trial_end(&t);
}

/* Nothing that has no name, or one that the system would cut, is a folder. */
static void test_paths_that_name_no_folder_are_refused(void **state)
{
    (void)state;
    static char endless[STET_OS_PATH_MAX + 1];
    memset(endless, 'x', sizeof endless - 1);
    const char *const paths[] = {NULL, "", endless};
    memdisk *disk = memdisk_create(1);
    stet_os *os = memdisk_os(disk);
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        stet_error err = {0};
        assert_status(
            stet__backup_prune_on(os, paths[i], 1, &stet__heap, NULL, &err),
            STET_E_INVALID, &err);
    }
    memdisk_destroy(disk);
    tmpdir dir;
    char absent[600];
    stet_error err = {0};
    tmpdir_create(&dir);
    (void)snprintf(absent, sizeof absent, "%s/absent", dir.path);
    assert_status(stet__backup_prune_on(stet__os_posix(), absent, 1,
                                        &stet__heap, NULL, &err),
                  STET_E_NOT_FOUND, &err);
    tmpdir_remove(&dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_listing_survives_each_failure),
        cmocka_unit_test(test_verifying_survives_each_failure),
        cmocka_unit_test(test_restoring_survives_each_failure),
        cmocka_unit_test(test_pruning_survives_each_failure),
        cmocka_unit_test(test_what_has_another_name_is_left_alone),
        cmocka_unit_test(test_a_folder_that_is_written_to_is_not_shared),
        cmocka_unit_test(test_pruning_goes_on_where_copies_are_lost),
        cmocka_unit_test(test_numbers_of_backups_do_not_wrap),
        cmocka_unit_test(test_paths_that_name_no_folder_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
