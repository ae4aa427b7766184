/*
 * A backup seen as a disk: what it answers to those who do not read as a store
 * does, and manifests that are sound and list other files than there are.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "lib/questions.h"
#include "lib/vault.h"
#include "stores/embedded/backup.h"
#include "stores/embedded/backup_manifest.h"
#include "stores/embedded/backup_view.h"
#include "stores/embedded/embedded.h"
#include "stores/embedded/log.h"

static void talk(void *ctx, stet_log_level level, const char *text)
{
    (void)ctx;
    (void)level;
    (void)text;
}

static stet_log_config config_of(trial *t, stet_open_mode mode)
{
    t->store.opts.mode = mode;
    return (stet_log_config){
        .os = vault_os(t),
        .alloc = &stet__heap,
        .opts = &t->store.opts,
        .talk = talk,
    };
}

/* It is read as a store is, and can be nothing else. */
static void test_a_view_is_a_disk_that_is_only_read(void **state)
{
    (void)state;
    trial t;
    vault_begin_at_rest(&t, 51);
    stet_log_config config = config_of(&t, STET_OPEN_READONLY);
    stet_log *log = NULL;
    stet_log_start start;
    stet_error err = {0};
    assert_status(
        stet__backup_view_log(&config, "backup", 0, &log, &start, &err),
        STET_OK, &err);
    stet_os *os = stet__embedded_of(log)->os;
    int dir = os->dir_open(os, "backup", false);
    assert_true(dir >= 0);
    assert_int_equal(os->open(os, dir, "super", STET_OPEN_WRITE), -EROFS);
    assert_int_equal(os->open(os, dir, "4000000.seg", 0), -ENOENT);
    assert_int_equal(os->open(os, dir, "notes", 0), -ENOENT);
    int fd = os->open(os, dir, "super", 0);
    uint8_t block[16];
    assert_int_equal(os->size(os, fd), 2 * STET_W);
    assert_int_equal(os->disk_bytes(os, fd), 0);
    assert_int_equal(os->lock(os, fd, STET_LOCK_SHARED), 0);
    assert_int_equal(os->pread(os, fd, block, sizeof block, 2 * STET_W - 8), 8);
    assert_int_equal(os->pread(os, fd, block, sizeof block, 3 * STET_W), 0);
    assert_int_equal(os->close(os, fd), 0);
    const stet_backup_file *f =
        &stet__backup_view_manifest(stet__embedded_of(log)->view)->files[0];
    char name[STET_OS_NAME_MAX];
    (void)snprintf(name, sizeof name, "%u.%s", f->number,
                   f->is_set ? "set" : "seg");
    fd = os->open(os, dir, name, 0);
    assert_int_equal(os->size(os, fd), f->bytes);
    assert_true(os->disk_bytes(os, fd) > 0);
    assert_int_equal(os->close(os, fd), 0);
    assert_int_equal(os->close(os, dir), 0);
    assert_int_equal(log->ops->close(log, false, NULL), STET_OK);
    trial_end(&t);
}

/* What a URL of a backup may be, and what is told of the others. */
static void test_only_a_folder_and_its_number_name_a_backup(void **state)
{
    (void)state;
    static char endless[STET_OS_PATH_MAX + 8];
    memset(endless, 'x', sizeof endless - 1);
    static const struct {
        const char *url;
        stet_open_mode mode;
        stet_status due;
    } cases[] = {
        {"backup", STET_OPEN_READONLY, STET_OK},
        {"backup#1", STET_OPEN_READONLY, STET_OK},
        {"backup#9", STET_OPEN_READONLY, STET_E_NOT_FOUND},
        {"backup#x", STET_OPEN_READONLY, STET_OK}, /* a folder's name */
        {"backup#1", STET_OPEN_EXISTING, STET_E_READONLY},
        {endless, STET_OPEN_READONLY, STET_E_INVALID},
    };
    trial t;
    vault_begin_at_rest(&t, 53);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        stet_log_config config = config_of(&t, cases[i].mode);
        stet_log *log = NULL;
        stet_log_start start;
        stet_error err = {0};
        stet_status st =
            stet__backup_driver.open(cases[i].url, &config, &log, &start, &err);
        if (strcmp(cases[i].url, "backup#x") == 0) {
            assert_int_not_equal(st, STET_E_INVALID);
        } else {
            assert_status(st, cases[i].due, &err);
        }
        if (st == STET_OK) {
            assert_int_equal(log->ops->close(log, false, NULL), STET_OK);
        }
    }
    trial_end(&t);
}

/* Change one thing that a manifest says; its checksum is right. */
static void forge_manifest(memdisk *disk, void (*change)(stet_manifest *m))
{
    static const char name[] = "1.backup";
    size_t len = 0;
    stet_manifest m;
    stet_buf bytes;
    stet_error err = {0};
    const uint8_t *old = memdisk_bytes(disk, "backup/1.backup", &len);
    assert_status(
        stet__manifest_get(stet_slice_of(old, len), &stet__heap, &m, &err),
        STET_OK, &err);
    change(&m);
    stet__buf_init(&bytes, &stet__heap);
    stet__manifest_put(&m, &bytes);
    stet_os *os = memdisk_os(disk);
    int dir = os->dir_open(os, "backup", false);
    int fd = os->open(os, dir, name, STET_OPEN_WRITE);
    assert_int_equal(os->pwrite(os, fd, bytes.ptr, bytes.len, 0), 0);
    assert_int_equal(os->close(os, fd), 0);
    assert_int_equal(os->close(os, dir), 0);
    stet__buf_deinit(&bytes);
    stet__manifest_deinit(&m);
}

static void change_salt(stet_manifest *m)
{
    m->files[0].salt++;
}

static void change_begin(stet_manifest *m)
{
    m->files[m->file_count - 1].first_position--;
}

static void change_end(stet_manifest *m)
{
    m->end_position++;
}

static void change_end_offset(stet_manifest *m)
{
    m->end_offset += STET_W;
}

static void change_sum(stet_manifest *m)
{
    m->sums.ptr[3] ^= 1;
}

static void change_number(stet_manifest *m)
{
    m->files[m->file_count - 1].number++;
}

static void change_bytes(stet_manifest *m)
{
    m->files[0].bytes++;
}

/* A list that is not of these files is believed by nobody. */
static void test_a_forged_manifest_is_told(void **state)
{
    (void)state;
    static void (*const changes[])(stet_manifest * m) = {
        change_salt, change_begin,  change_end,  change_end_offset,
        change_sum,  change_number, change_bytes};
    trial t;
    vault_begin_at_rest(&t, 55);
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        memdisk *disk = memdisk_copy(t.store.disk);
        stet_error err = {0};
        forge_manifest(disk, changes[i]);
        assert_status(vault_verify(memdisk_os(disk), 1, &t.store.opts, &err),
                      STET_E_CORRUPT, &err);
        assert_int_not_equal(err.text[0], '\0');
        stet_restore_opts how = {.number = 1, .store = &t.store.opts};
        assert_status(vault_restore(memdisk_os(disk), &how, NULL, &err),
                      STET_E_CORRUPT, &err);
        assert_int_equal(vault_names(disk, "restored/super").count, 0);
        memdisk_destroy(disk);
    }
    trial_end(&t);
}

/* Where nobody wants to know what was wrong it is not looked for. */
static void test_damage_is_told_also_without_a_text(void **state)
{
    (void)state;
    trial t;
    vault_begin_at_rest(&t, 57);
    stet_log_config config = config_of(&t, STET_OPEN_READONLY);
    vault_name_list copies = vault_names(t.store.disk, "backup/1-");
    stet_log *log = NULL;
    stet_log_start start;
    for (size_t i = 0; i < copies.count; i++) {
        size_t len = 0;
        uint8_t *bytes = memdisk_bytes(t.store.disk, copies.text[i], &len);
        bytes[20] ^= 1;
        bytes[len - STET_W + 20] ^= 1;
    }
    assert_int_equal(
        stet__backup_view_log(&config, "backup", 1, &log, &start, NULL),
        STET_E_CORRUPT);
    trial_end(&t);
}

/* Of a folder whose backups are all damaged nothing reaches any point. */
static void test_a_point_that_no_backup_reaches_is_told(void **state)
{
    (void)state;
    trial t;
    stet_error err = {0};
    stet_backup first = vault_begin_at_rest(&t, 59);
    const stet_at points[] = {at_position(first.position + 1),
                              at_recorded(first.recorded_at + 1),
                              at_recorded(1)};
    for (size_t i = 0; i < sizeof points / sizeof points[0]; i++) {
        stet_restore_opts how = {.at = points[i], .store = &t.store.opts};
        assert_status(vault_restore(vault_os(&t), &how, NULL, &err),
                      STET_E_NOT_FOUND, &err);
        how.number = first.number;
        assert_status(vault_restore(vault_os(&t), &how, NULL, &err),
                      STET_E_NOT_FOUND, &err);
    }
    memdisk_cut(t.store.disk, "backup/1.backup", 10);
    stet_restore_opts how = {.at = at_position(1), .store = &t.store.opts};
    assert_status(vault_restore(vault_os(&t), &how, NULL, &err),
                  STET_E_NOT_FOUND, &err);
    assert_names(&err, "no backup that can be read");
    trial_end(&t);
    vault_begin(&t, 61); /* nothing was ever written */
    vault_create_ok(&t);
    how = (stet_restore_opts){.at = at_recorded(INT64_MAX)};
    assert_status(vault_restore(vault_os(&t), &how, NULL, &err),
                  STET_E_NOT_FOUND, &err);
    trial_end(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_view_is_a_disk_that_is_only_read),
        cmocka_unit_test(test_only_a_folder_and_its_number_name_a_backup),
        cmocka_unit_test(test_a_forged_manifest_is_told),
        cmocka_unit_test(test_damage_is_told_also_without_a_text),
        cmocka_unit_test(test_a_point_that_no_backup_reaches_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
