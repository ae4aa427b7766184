#include "lib/vault.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

stet_os *vault_os(const trial *t)
{
    return memdisk_os(t->store.disk);
}

void vault_begin(trial *t, uint64_t seed)
{
    trial_begin(t, seed, store_init_simulated);
    t->store.opts.segment_bytes = 16384;
    t->store.opts.settle_segments = 2;
    memdisk_add_folder(t->store.disk, "backup");
    memdisk_add_folder(t->store.disk, "restored");
    memdisk_add_folder(t->store.disk, "other");
    store_open(&t->store);
}

void vault_write(trial *t, unsigned steps)
{
    for (unsigned i = 0; i < steps; i++) {
        trial_step(t);
    }
}

uint64_t vault_end_of(const trial *t)
{
    return stet__watermark(&t->store.s->pipeline);
}

void vault_write_all_kinds(trial *t)
{
    stet_info info = {0};
    stet_error err = {0};
    do {
        vault_write(t, 20);
        assert_status(stet_get_info(t->store.s, &info, &err), STET_OK, &err);
    } while (info.segments < 2);
    assert_status(stet_compact(t->store.s, &err), STET_OK, &err);
    do {
        vault_write(t, 10);
        assert_status(stet_get_info(t->store.s, &info, &err), STET_OK, &err);
    } while (info.sets == 0 || info.segments < 3 || info.unsealed == 0);
}

stet_status vault_create(stet *s, uint32_t flags, stet_backup *out,
                         stet_error *err)
{
    stet_backup_opts opts = {.flags = flags};
    memset(err, 0, sizeof *err);
    return stet_backup_create(s, "backup", &opts, out, err);
}

stet_backup vault_create_ok(const trial *t)
{
    stet_backup b = {0};
    stet_error err = {0};
    assert_status(vault_create(t->store.s, 0, &b, &err), STET_OK, &err);
    assert_int_equal(b.position, vault_end_of(t) - 1);
    return b;
}

stet_status vault_restore(stet_os *os, const stet_restore_opts *opts,
                          stet_restored *out, stet_error *err)
{
    memset(err, 0, sizeof *err);
    return stet__backup_restore_on(os, "backup", "restored", opts, out, err);
}

stet_status vault_verify(stet_os *os, uint32_t number, const stet_opts *store,
                         stet_error *err)
{
    stet_restore_opts opts = {.number = number, .store = store};
    memset(err, 0, sizeof *err);
    return stet__backup_verify_on(os, "backup", &opts, NULL, err);
}

stet *vault_open(stet_os *os, const char *url, const trial *t,
                 stet_open_mode mode)
{
    stet_opts opts = t->store.opts;
    opts.mode = mode;
    stet *s = NULL;
    stet_error err = {0};
    assert_status(stet__open_on(os, url, &opts, &s, &err), STET_OK, &err);
    return s;
}

stet *vault_open_restored(stet_os *os, const trial *t)
{
    return vault_open(os, "restored", t, STET_OPEN_READONLY);
}

/* Read a record's bytes; the copy is the caller's to free. */
static uint8_t *read_record(stet_log_reader *reader, stet *s, uint64_t position,
                            stet_logged *out)
{
    stet_error err = {0};
    assert_status(s->log->ops->reader_read(reader, position, out, &err),
                  STET_OK, &err);
    uint8_t *copy = malloc(out->bytes.len);
    assert_non_null(copy);
    memcpy(copy, out->bytes.ptr, out->bytes.len);
    return copy;
}

void vault_claim_same(stet *got, stet *whole, uint64_t end)
{
    assert_int_equal(stet__watermark(&got->pipeline), end);
    stet_log_reader *theirs = got->log->ops->reader_create(got->log);
    stet_log_reader *ours = whole->log->ops->reader_create(whole->log);
    for (uint64_t p = 1; p < end; p++) {
        stet_logged a;
        stet_logged b;
        uint8_t *x = read_record(theirs, got, p, &a);
        uint8_t *y = read_record(ours, whole, p, &b);
        assert_int_equal(a.recorded, b.recorded);
        assert_int_equal(a.bytes.len, b.bytes.len);
        assert_memory_equal(x, y, b.bytes.len);
        free(x);
        free(y);
    }
    got->log->ops->reader_destroy(theirs);
    whole->log->ops->reader_destroy(ours);
    stet_verify_report report = {0};
    stet_error err = {0};
    assert_status(stet_verify(got, NULL, NULL, &report, &err), STET_OK, &err);
    assert_int_equal(report.records, end - 1);
    assert_int_equal(report.index_damaged, 0);
}

stet_restored vault_restore_and_compare(const trial *t,
                                        const stet_restore_opts *opts,
                                        uint64_t end)
{
    stet_restored r = {0};
    stet_error err = {0};
    assert_status(vault_restore(vault_os(t), opts, &r, &err), STET_OK, &err);
    assert_int_equal(r.position, end - 1);
    stet *s = vault_open_restored(vault_os(t), t);
    vault_claim_same(s, t->store.s, end);
    assert_status(stet_close(s, &err), STET_OK, &err);
    memdisk_empty_folder(t->store.disk, "restored");
    return r;
}

size_t vault_list(const trial *t, stet_backup out[VAULT_BACKUPS_MAX])
{
    stet_backups *l = NULL;
    const stet_backup *b = NULL;
    stet_error err = {0};
    size_t count = 0;
    assert_status(
        stet__backups_open_on(vault_os(t), "backup", &stet__heap, &l, &err),
        STET_OK, &err);
    while (stet_backups_next(l, &b, &err) == STET_OK) {
        assert_true(count < VAULT_BACKUPS_MAX);
        out[count++] = *b;
    }
    stet_backups_close(l);
    return count;
}

uint64_t vault_copied_bytes(memdisk *disk)
{
    const char *names[VAULT_NAMES_MAX];
    size_t count = memdisk_names(disk, names, VAULT_NAMES_MAX);
    uint64_t bytes = 0;
    for (size_t i = 0; i < count; i++) {
        if (strncmp(names[i], "backup/", 7) == 0 &&
            strchr(names[i], '-') != NULL) {
            size_t len = 0;
            (void)memdisk_bytes(disk, names[i], &len);
            bytes += len;
        }
    }
    return bytes;
}

stet_backup vault_begin_at_rest(trial *t, uint64_t seed)
{
    vault_begin(t, seed);
    vault_write_all_kinds(t);
    stet_backup b = vault_create_ok(t);
    vault_write(t, 60);
    store_reopen(&t->store);
    vault_write(t, 5);
    store_close(&t->store);
    return b;
}

stet_status vault_prune(stet_os *os, uint32_t keep, stet_pruned *out,
                        stet_error *err)
{
    memset(err, 0, sizeof *err);
    return stet__backup_prune_on(os, "backup", keep, &stet__heap, out, err);
}

vault_name_list vault_names(const memdisk *disk, const char *begin)
{
    vault_name_list n = {.count = 0};
    const char *all[VAULT_NAMES_MAX];
    size_t count = memdisk_names(disk, all, VAULT_NAMES_MAX);
    for (size_t i = 0; i < count; i++) {
        if (strncmp(all[i], begin, strlen(begin)) == 0 &&
            strstr(all[i], "LOCK") == NULL) {
            (void)snprintf(n.text[n.count++], sizeof n.text[0], "%s", all[i]);
        }
    }
    return n;
}
