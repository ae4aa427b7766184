/*
 * Backups and what they restore to. The oracle is the store itself: see
 * lib/vault.h.
 */
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/record.h"
#include "lib/rounds.h"
#include "lib/vault.h"
#include "stores/embedded/log.h"

/* A backup must be the store, whatever kinds of files that consists of. */
static void test_every_backup_restores_to_the_store_it_was(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= rounds(12); seed++) {
        trial t;
        vault_begin(&t, seed);
        stet_backup made[VAULT_BACKUPS_MAX];
        size_t count = 1 + seed % 4;
        for (size_t i = 0; i < count; i++) {
            vault_write(&t, (unsigned)(seed * 37 + i * 61) % 150);
            if ((seed + i) % 3 == 0) {
                store_reopen(&t.store);
            }
            if ((seed + i) % 4 == 0) {
                stet_error err = {0};
                assert_status(stet_compact(t.store.s, &err), STET_OK, &err);
            }
            made[i] = vault_create_ok(&t);
            assert_int_equal(made[i].number, i + 1);
            assert_int_equal(made[i].previous, i);
        }
        vault_write(&t, 20);
        for (size_t i = 0; i < count; i++) {
            stet_error err = {0};
            stet_restore_opts opts = {.number = made[i].number};
            assert_status(
                vault_verify(vault_os(&t), made[i].number, &t.store.opts, &err),
                STET_OK, &err);
            vault_restore_and_compare(&t, &opts, made[i].position + 1);
        }
        trial_end(&t);
    }
}

/* It goes on as a store does, under a uuid of its own. */
static void test_a_restored_store_goes_on_as_another_one(void **state)
{
    (void)state;
    trial t;
    vault_begin(&t, 3);
    vault_write_all_kinds(&t);
    vault_create_ok(&t);
    stet_restored r = {0};
    stet_error err = {0};
    assert_status(vault_restore(vault_os(&t), NULL, &r, &err), STET_OK, &err);
    stet_info before = {0};
    assert_status(stet_get_info(t.store.s, &before, &err), STET_OK, &err);
    stet *s = vault_open(vault_os(&t), "restored", &t, STET_OPEN_EXISTING);
    stet_info after = {0};
    assert_status(stet_get_info(s, &after, &err), STET_OK, &err);
    assert_string_equal(after.uuid, r.uuid);
    assert_string_not_equal(after.uuid, before.uuid);
    uint64_t end = vault_end_of(&t);
    for (int i = 0; i < 200; i++) {
        assert_status(stet_save(s, stet_str("later"), stet_str("{\"a\":1}"),
                                NULL, NULL, &err),
                      STET_OK, &err);
    }
    assert_status(stet_compact(s, &err), STET_OK, &err);
    assert_status(stet_close(s, &err), STET_OK, &err);
    s = vault_open(vault_os(&t), "restored", &t, STET_OPEN_EXISTING);
    assert_int_equal(stet__watermark(&s->pipeline), end + 200);
    assert_status(stet_verify(s, NULL, NULL, NULL, &err), STET_OK, &err);
    /* Its backups are those of another store. */
    assert_status(vault_create(s, 0, NULL, &err), STET_E_EXISTS, &err);
    assert_names(&err, before.uuid);
    assert_status(stet_close(s, &err), STET_OK, &err);
    size_t len = 0;
    const uint8_t *origin =
        memdisk_bytes(t.store.disk, "restored/RESTORED", &len);
    assert_true(len > strlen(before.uuid) + 6 &&
                memcmp(origin + 6, before.uuid, strlen(before.uuid)) == 0);
    trial_end(&t);
}

/* Incremental: what is there is not copied again, and what is new is. */
static void test_only_what_is_new_is_copied(void **state)
{
    (void)state;
    trial t;
    vault_begin(&t, 5);
    vault_write_all_kinds(&t);
    store_reopen(&t.store); /* now all is sealed */
    stet_backup first = vault_create_ok(&t);
    assert_true(first.files >= 3);
    assert_int_equal(first.new_files, first.files);
    assert_int_equal(first.new_bytes, first.bytes);
    assert_int_equal(vault_copied_bytes(t.store.disk), first.bytes);

    stet_backup again = vault_create_ok(&t);
    assert_int_equal(again.new_files, 0);
    assert_int_equal(again.new_bytes, 0);
    assert_int_equal(again.bytes, first.bytes);
    assert_int_equal(vault_copied_bytes(t.store.disk), first.bytes);

    store_save(&t.store, "one more", "{}");
    stet_backup more = vault_create_ok(&t);
    assert_int_equal(more.new_files, 1);
    assert_true(more.new_bytes < 65536 && more.new_bytes < first.bytes);
    assert_int_equal(vault_copied_bytes(t.store.disk),
                     first.bytes + more.new_bytes);

    stet_backup full = {0};
    stet_error err = {0};
    assert_status(vault_create(t.store.s, STET_BACKUP_FULL, &full, &err),
                  STET_OK, &err);
    assert_int_equal(full.new_bytes, full.bytes);
    assert_int_equal(full.bytes, more.bytes);
    assert_int_equal(full.previous, 0);
    trial_end(&t);
}

/* Does a batch end with the record at a position? */
static bool is_batch_end(stet *s, uint64_t position)
{
    stet_log_reader *reader = s->log->ops->reader_create(s->log);
    stet_logged l;
    stet_record r;
    size_t bytes = 0;
    stet_error err = {0};
    assert_status(s->log->ops->reader_read(reader, position, &l, &err), STET_OK,
                  &err);
    assert_status(stet__record_decode(l.bytes, &r, &bytes, &err), STET_OK,
                  &err);
    s->log->ops->reader_destroy(reader);
    return (r.flags & STET_RECORD_BATCH_LAST) != 0;
}

/*
 * To any position: in sets, in segments, in what had no index, always behind
 * the last whole batch.
 */
static void test_a_store_restores_to_each_of_its_positions(void **state)
{
    (void)state;
    trial t;
    vault_begin(&t, 7);
    vault_write_all_kinds(&t);
    uint64_t half = vault_create_ok(&t).position;
    vault_write(&t, 30);
    uint64_t newest = vault_create_ok(&t).position;
    uint64_t whole = 0; /* the last position at which a batch ends */
    size_t cuts = 0;
    for (uint64_t p = 1; p <= newest; p += (uint64_t)rounds_stride()) {
        for (uint64_t q = p; q > whole; q--) {
            whole = is_batch_end(t.store.s, q) ? q : whole;
        }
        cuts += whole < p;
        stet_restore_opts opts = {.at = {STET_AT_POSITION, p, 0, {0}}};
        if (whole == 0) {
            continue;
        }
        stet_restored r = vault_restore_and_compare(&t, &opts, whole + 1);
        assert_int_equal(r.number, p <= half ? 1 : 2);
    }
    assert_true(cuts > 0);
    stet_error err = {0};
    stet_restore_opts beyond = {.at = {STET_AT_POSITION, newest + 1, 0, {0}}};
    assert_status(vault_restore(vault_os(&t), &beyond, NULL, &err),
                  STET_E_NOT_FOUND, &err);
    assert_names(&err, "no backup reaches position");
    trial_end(&t);
}

/* When the store took the record at a position. */
static int64_t recorded_at(stet *s, uint64_t position)
{
    stet_log_reader *reader = s->log->ops->reader_create(s->log);
    stet_logged l;
    stet_error err = {0};
    assert_status(s->log->ops->reader_read(reader, position, &l, &err), STET_OK,
                  &err);
    s->log->ops->reader_destroy(reader);
    return l.recorded;
}

/* To a time: what the store held then by its own clock. */
static void test_a_store_restores_to_a_time(void **state)
{
    (void)state;
    trial t;
    vault_begin(&t, 9);
    vault_write_all_kinds(&t);
    stet_backup b = vault_create_ok(&t);
    rng r = {4};
    for (int i = 0; i < 25; i++) {
        stet_error err = {0};
        int64_t time = recorded_at(t.store.s, 1 + rng_below(&r, b.position));
        stet_restore_opts opts = {.at = {STET_AT_RECORDED, 0, time, {0}}};
        uint64_t expected = 0;
        const stet_log_ops *ops = t.store.s->log->ops;
        assert_status(ops->at_recorded(t.store.s->log, time, b.position + 1,
                                       &expected, &err),
                      STET_OK, &err);
        stet_restored got = vault_restore_and_compare(&t, &opts, expected + 1);
        assert_int_equal(got.recorded_at, time);
    }
    stet_error err = {0};
    stet_restore_opts late = {
        .at = {STET_AT_RECORDED, 0, b.recorded_at + 1, {0}}};
    assert_status(vault_restore(vault_os(&t), &late, NULL, &err),
                  STET_E_NOT_FOUND, &err);
    stet_restore_opts early = {.at = {STET_AT_RECORDED, 0, 1, {0}}};
    assert_status(vault_restore(vault_os(&t), &early, NULL, &err),
                  STET_E_NOT_FOUND, &err);
    stet_restore_opts by_seq = {.at = {STET_AT_SEQ, 1, 0, {0}}};
    assert_status(vault_restore(vault_os(&t), &by_seq, NULL, &err),
                  STET_E_INVALID, &err);
    trial_end(&t);
}

/* What is kept needs files of what is not: those stay. */
static void test_pruning_keeps_what_the_kept_backups_need(void **state)
{
    (void)state;
    trial t;
    vault_begin(&t, 27);
    stet_backup made[5];
    for (int i = 0; i < 5; i++) {
        vault_write(&t, 50);
        if (i == 3) {
            store_reopen(&t.store);
        }
        made[i] = vault_create_ok(&t);
    }
    stet_pruned pruned = {0};
    stet_error err = {0};
    uint64_t before = vault_copied_bytes(t.store.disk);
    assert_status(vault_prune(vault_os(&t), 2, &pruned, &err), STET_OK, &err);
    assert_int_equal(pruned.backups, 3);
    assert_true(pruned.files > 0);
    assert_int_equal(vault_copied_bytes(t.store.disk), before - pruned.bytes);
    for (int i = 3; i < 5; i++) {
        stet_restore_opts opts = {.number = made[i].number};
        vault_restore_and_compare(&t, &opts, made[i].position + 1);
    }
    assert_status(vault_verify(vault_os(&t), 3, &t.store.opts, &err),
                  STET_E_NOT_FOUND, &err);
    assert_status(vault_prune(vault_os(&t), 2, &pruned, &err), STET_OK, &err);
    assert_int_equal(pruned.backups + pruned.files, 0);
    assert_status(vault_prune(vault_os(&t), 1, &pruned, &err), STET_OK, &err);
    /* Only what the newest needs is left. */
    assert_int_equal(vault_copied_bytes(t.store.disk), made[4].bytes);
    assert_status(vault_prune(vault_os(&t), 0, &pruned, &err), STET_E_INVALID,
                  &err);
    assert_int_equal(vault_create_ok(&t).number, 6);
    trial_end(&t);
}

/* Nobody takes a backup away from under its reader. */
static void test_a_backup_that_is_read_is_not_removed(void **state)
{
    (void)state;
    trial t;
    vault_begin(&t, 31);
    vault_write_all_kinds(&t);
    uint64_t position = vault_create_ok(&t).position;
    vault_write(&t, 40);
    vault_create_ok(&t);
    stet *s =
        vault_open(vault_os(&t), "backup:backup#1", &t, STET_OPEN_READONLY);
    stet_error err = {0};
    assert_status(vault_prune(vault_os(&t), 1, NULL, &err), STET_E_LOCKED,
                  &err);
    assert_names(&err, "backup 1 is being read");
    vault_claim_same(s, t.store.s, position + 1);
    assert_status(stet_save(s, stet_str("a"), stet_str("{}"), NULL, NULL, &err),
                  STET_E_READONLY, &err);
    assert_status(stet_close(s, &err), STET_OK, &err);
    assert_status(vault_prune(vault_os(&t), 1, NULL, &err), STET_OK, &err);
    trial_end(&t);
}

/* What is not for backups stays as it is, and says so. */
static void test_folders_of_other_things_are_refused(void **state)
{
    (void)state;
    trial t;
    vault_begin(&t, 33);
    vault_write(&t, 20);
    stet_error err = {0};
    assert_status(stet_backup_create(t.store.s, "store", NULL, NULL, &err),
                  STET_E_EXISTS, &err);
    assert_names(&err, "is a store");
    vault_create_ok(&t);
    assert_status(stet__backup_restore_on(vault_os(&t), "backup", "store", NULL,
                                          NULL, &err),
                  STET_E_EXISTS, &err);
    assert_names(&err, "is not empty");
    assert_status(stet__backup_restore_on(vault_os(&t), "backup", "backup",
                                          NULL, NULL, &err),
                  STET_E_EXISTS, &err);
    assert_status(stet__backup_restore_on(vault_os(&t), "other", "restored",
                                          NULL, NULL, &err),
                  STET_E_NOT_FOUND, &err);
    assert_names(&err, "holds no backup");
    stet_restore_opts none = {.number = 7};
    assert_status(vault_restore(vault_os(&t), &none, NULL, &err),
                  STET_E_NOT_FOUND, &err);
    stet_opts bad = t.store.opts;
    stet *s = NULL;
    assert_status(stet__open_on(vault_os(&t), "backup:backup", &bad, &s, &err),
                  STET_E_READONLY, &err);
    bad.mode = STET_OPEN_READONLY;
    assert_status(stet__open_on(vault_os(&t), "backup:store", &bad, &s, &err),
                  STET_E_NOT_FOUND, &err);
    assert_names(&err, "is a store");
    assert_status(stet__open_on(vault_os(&t), "backup:backup", &bad, &s, &err),
                  STET_OK, &err);
    assert_status(stet_backup_create(s, "other", NULL, NULL, &err),
                  STET_E_UNSUPPORTED, &err);
    assert_status(stet_close(s, &err), STET_OK, &err);
    trial_end(&t);
}

/* A thread that saves until it is told to stop. */
typedef struct writer {
    stet *s;
    _Atomic bool is_stopping;
    uint64_t saved;
} writer;

static void *save_on(void *arg)
{
    writer *w = arg;
    while (!atomic_load(&w->is_stopping)) {
        char text[32];
        (void)snprintf(text, sizeof text, "{\"n\":%llu}",
                       (unsigned long long)w->saved);
        assert_int_equal(
            stet_save(w->s, stet_str("m"), stet_str(text), NULL, NULL, NULL),
            STET_OK);
        w->saved++;
    }
    return NULL;
}

/* Through the writer's own handle: what was acknowledged is in it. */
static void test_writers_go_on_while_their_store_is_backed_up(void **state)
{
    (void)state;
    store_under_test t;
    store_init_embedded(&t);
    t.opts.segment_bytes = 65536;
    t.opts.settle_segments = 2;
    store_open(&t);
    char backup[640];
    char restored[640];
    (void)snprintf(backup, sizeof backup, "%s/backup", t.dir.path);
    stet_error err = {0};
    writer w = {.s = t.s};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, save_on, &w), 0);
    uint64_t positions[3];
    for (size_t i = 0; i < 3; i++) {
        stet_written last = {0};
        stet_backup made = {0};
        for (int n = 0; n < 60; n++) {
            assert_status(stet_save(t.s, stet_str("mine"), stet_str("{}"), NULL,
                                    &last, &err),
                          STET_OK, &err);
        }
        assert_status(stet_backup_create(t.s, backup, NULL, &made, &err),
                      STET_OK, &err);
        assert_true(made.position >= last.position);
        positions[i] = made.position;
    }
    atomic_store(&w.is_stopping, true);
    assert_int_equal(pthread_join(thread, NULL), 0);
    for (uint32_t i = 0; i < 3; i++) {
        stet_restore_opts how = {.number = i + 1};
        stet_opts opts = t.opts;
        opts.mode = STET_OPEN_READONLY;
        stet *s = NULL;
        (void)snprintf(restored, sizeof restored, "%s/r%u", t.dir.path, i);
        assert_status(stet_backup_restore(backup, restored, &how, NULL, &err),
                      STET_OK, &err);
        assert_status(stet_open(restored, &opts, &s, &err), STET_OK, &err);
        vault_claim_same(s, t.s, positions[i] + 1);
        assert_status(stet_close(s, &err), STET_OK, &err);
    }
    store_deinit(&t);
}

/* A writer who ends a segment while a backup waits for the table of files. */
typedef struct overtaker {
    store_under_test t; /* first: its os is what the hook gets */
    pthread_t backup;
    sem_t is_held;
    sem_t is_waited_for;
    sem_t is_done;
} overtaker;

static void wait_for_overtaker(stet_os *os, _Atomic uint32_t *word,
                               uint32_t expected, int64_t deadline_ns)
{
    overtaker *o = (overtaker *)os;
    if (!pthread_equal(pthread_self(), o->backup)) {
        stet_os *real = stet__os_posix();
        real->futex_wait(real, word, expected, deadline_ns);
        return;
    }
    assert_int_equal(sem_post(&o->is_waited_for), 0);
    assert_int_equal(sem_wait(&o->is_done), 0);
}

static void *overtake(void *arg)
{
    overtaker *o = arg;
    stet_embedded *e = stet__embedded_of(o->t.s->log);
    stet_error err;
    bool is_more = true;
    stet__mutex_lock(e->os, &e->files);
    assert_int_equal(sem_post(&o->is_held), 0);
    assert_int_equal(sem_wait(&o->is_waited_for), 0);
    stet__mutex_unlock(e->os, &e->files);
    for (int i = 0; i < 4; i++) { /* into the next segment */
        store_save(&o->t, "m", "2");
    }
    while (is_more) {
        assert_status(stet_step(o->t.s, &is_more, &err), STET_OK, &err);
    }
    assert_int_equal(sem_post(&o->is_done), 0);
    return NULL;
}

/* The files that are copied end where the backup says, whatever went on. */
static void test_a_segment_that_ends_meanwhile_is_in_it(void **state)
{
    (void)state;
    overtaker o;
    stet_error err = {0};
    char backup[640];
    char restored[640];
    stet *s = NULL;
    pthread_t thread;
    stet_backup made = {0};
    store_init_embedded(&o.t);
    o.t.os.futex_wait = wait_for_overtaker;
    o.t.opts.level = STET_LEVEL_DISK;
    o.t.opts.flags = STET_NO_THREADS;
    o.t.opts.segment_bytes = 16 * 1024; /* three frames */
    o.backup = pthread_self();
    assert_int_equal(sem_init(&o.is_held, 0, 0), 0);
    assert_int_equal(sem_init(&o.is_waited_for, 0, 0), 0);
    assert_int_equal(sem_init(&o.is_done, 0, 0), 0);
    store_open(&o.t);
    store_save(&o.t, "m", "1");
    assert_int_equal(pthread_create(&thread, NULL, overtake, &o), 0);
    assert_int_equal(sem_wait(&o.is_held), 0);
    (void)snprintf(backup, sizeof backup, "%s/backup", o.t.dir.path);
    assert_status(stet_backup_create(o.t.s, backup, NULL, &made, &err), STET_OK,
                  &err);
    assert_int_equal(pthread_join(thread, NULL), 0);
    (void)snprintf(restored, sizeof restored, "%s/restored", o.t.dir.path);
    assert_status(stet_backup_restore(backup, restored, NULL, NULL, &err),
                  STET_OK, &err);
    o.t.opts.mode = STET_OPEN_READONLY;
    assert_status(stet_open(restored, &o.t.opts, &s, &err), STET_OK, &err);
    vault_claim_same(s, o.t.s, made.position + 1);
    assert_status(stet_close(s, &err), STET_OK, &err);
    store_deinit(&o.t);
}

/* Write `count` states of "m", and between them others. */
static void save_numbers(trial *t, int count)
{
    for (int i = 1; i <= count; i++) {
        char text[32];
        (void)snprintf(text, sizeof text, "{\"n\":%d}", i);
        store_save(&t->store, "m", text);
        store_save(&t->store, i == 1 ? "once" : "other", text);
    }
}

/*
 * A machine without its state is not the machine: where a rule let go what was
 * the newest at the point, only a backup that was made before goes there.
 */
static void test_a_point_whose_states_were_dropped_is_refused(void **state)
{
    (void)state;
    static const stet_retention_rule keep_few = {.keep_events = 3};
    enum { EVENTS = 120, CUT = 90 };
    trial t;
    vault_begin(&t, 41);
    save_numbers(&t, EVENTS);
    uint32_t early = vault_create_ok(&t).number;
    t.store.opts.retention = &keep_few;
    t.store.opts.retention_count = 1;
    store_reopen(&t.store);
    stet_error err = {0};
    assert_status(stet_erase(t.store.s, stet_str("other"), 0, 10, &err),
                  STET_OK, &err);
    assert_status(stet_compact(t.store.s, &err), STET_OK, &err);
    stet_backup late = vault_create_ok(&t);
    vault_restore_and_compare(&t, &(stet_restore_opts){.number = late.number},
                              late.position + 1);
    stet_restore_opts how = {.number = late.number,
                             .at = {STET_AT_POSITION, CUT, 0, {0}}};
    assert_status(vault_restore(vault_os(&t), &how, NULL, &err), STET_E_GONE,
                  &err);
    how.number = 0; /* the one that was made before */
    stet_restored r = {0};
    assert_status(vault_restore(vault_os(&t), &how, &r, &err), STET_OK, &err);
    assert_int_equal(r.number, early);
    stet *s = vault_open(vault_os(&t), "restored", &t, STET_OPEN_EXISTING);
    const stet_state *found = NULL;
    assert_status(stet_load(s, stet_str("m"), NULL, &found, &err), STET_OK,
                  &err);
    assert_says(found->state_data, "{\"n\":45}");
    stet_state_release(found);
    assert_status(stet_close(s, &err), STET_OK, &err);
    trial_end(&t);
}

/* The same of what was erased. */
static void test_a_point_whose_states_were_erased_is_refused(void **state)
{
    (void)state;
    trial t;
    vault_begin(&t, 45);
    save_numbers(&t, 20);
    stet_error err = {0};
    assert_status(stet_erase(t.store.s, stet_str("m"), 0, 10, &err), STET_OK,
                  &err);
    assert_status(stet_compact(t.store.s, &err), STET_OK, &err);
    vault_create_ok(&t);
    stet_restore_opts how = {.at = at_position(11)};
    assert_status(vault_restore(vault_os(&t), &how, NULL, &err), STET_E_ERASED,
                  &err);
    assert_names(&err, "erased");
    assert_int_equal(vault_names(t.store.disk, "restored/super").count, 0);
    how.at = at_position(31);
    vault_restore_and_compare(&t, &how, 32);
    trial_end(&t);
}

/* What a file is copied in pieces of has its uuid in the first and the last. */
static void test_files_of_several_chunks_come_back(void **state)
{
    (void)state;
    enum { TEXT_BYTES = 20000, EVENTS = 160 };
    trial t;
    rng r = {47};
    vault_begin(&t, 47);
    t.store.opts.segment_bytes = 2 * 1024 * 1024;
    store_reopen(&t.store);
    char *text = malloc(TEXT_BYTES);
    assert_non_null(text);
    memset(text, '"', TEXT_BYTES);
    text[TEXT_BYTES - 1] = '\0';
    for (int i = 0; i < EVENTS; i++) {
        for (size_t k = 1; k < TEXT_BYTES - 2; k++) {
            text[k] = (char)('a' + (char)rng_below(&r, 26));
        }
        store_save(&t.store, "m", text);
    }
    free(text);
    stet_error err = {0};
    assert_status(stet_compact(t.store.s, &err), STET_OK, &err);
    store_save(&t.store, "m", "{}");
    vault_create_ok(&t);
    vault_restore_and_compare(&t, NULL, vault_end_of(&t));
    vault_restore_and_compare(&t, &(stet_restore_opts){.at = at_position(150)},
                              151);
    trial_end(&t);
}

/* Within what was settled under a rule, and written anew: it settles again. */
static void test_a_part_with_dropped_events_goes_on(void **state)
{
    (void)state;
    static const stet_retention_rule keep_few = {.keep_events = 3};
    trial t;
    vault_begin(&t, 43);
    save_numbers(&t, 120);
    t.store.opts.retention = &keep_few;
    t.store.opts.retention_count = 1;
    store_reopen(&t.store);
    stet_error err = {0};
    assert_status(stet_erase(t.store.s, stet_str("other"), 0, 10, &err),
                  STET_OK, &err);
    assert_status(stet_compact(t.store.s, &err), STET_OK, &err);
    stet_backup b = vault_create_ok(&t);
    stet_restore_opts how = {.at = {STET_AT_POSITION, b.position - 1, 0, {0}}};
    assert_status(vault_restore(vault_os(&t), &how, NULL, &err), STET_OK, &err);
    stet *s = vault_open(vault_os(&t), "restored", &t, STET_OPEN_EXISTING);
    vault_claim_same(s, t.store.s, b.position);
    for (int i = 0; i < 2; i++) {
        assert_status(
            stet_save(s, stet_str("m"), stet_str("{}"), NULL, NULL, &err),
            STET_OK, &err);
        assert_status(stet_compact(s, &err), STET_OK, &err);
        assert_status(stet_verify(s, NULL, NULL, NULL, &err), STET_OK, &err);
    }
    assert_status(stet_close(s, &err), STET_OK, &err);
    trial_end(&t);
}

/* A store without events has a backup without files, and comes back. */
static void test_an_empty_store_comes_back(void **state)
{
    (void)state;
    trial t;
    vault_begin(&t, 35);
    stet_backup b = vault_create_ok(&t);
    assert_int_equal(b.files, 0);
    vault_restore_and_compare(&t, NULL, 1);
    trial_end(&t);
}

static bool stop_at_once(void *ctx, uint64_t done, uint64_t total)
{
    *(uint64_t *)ctx = total;
    return done > total;
}

/* Who is told of the progress may stop it; nothing counts then. */
static void test_progress_may_stop_each_of_them(void **state)
{
    (void)state;
    trial t;
    vault_begin(&t, 37);
    vault_write_all_kinds(&t);
    uint64_t total = 0;
    stet_error err = {0};
    stet_backup_opts opts = {.progress = stop_at_once, .ctx = &total};
    assert_status(stet_backup_create(t.store.s, "backup", &opts, NULL, &err),
                  STET_E_PARTIAL, &err);
    stet_backup all[VAULT_BACKUPS_MAX];
    assert_int_equal(vault_list(&t, all), 0);
    stet_backup b = vault_create_ok(&t);
    assert_int_equal(total, b.bytes);
    stet_restore_opts stopped = {.progress = stop_at_once, .ctx = &total};
    assert_status(vault_restore(vault_os(&t), &stopped, NULL, &err),
                  STET_E_PARTIAL, &err);
    assert_int_equal(total, b.bytes);
    assert_status(
        stet__backup_verify_on(vault_os(&t), "backup", &stopped, NULL, &err),
        STET_E_PARTIAL, &err);
    vault_restore_and_compare(&t, NULL, b.position + 1);
    trial_end(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_backup_restores_to_the_store_it_was),
        cmocka_unit_test(test_a_restored_store_goes_on_as_another_one),
        cmocka_unit_test(test_only_what_is_new_is_copied),
        cmocka_unit_test(test_a_store_restores_to_each_of_its_positions),
        cmocka_unit_test(test_a_store_restores_to_a_time),
        cmocka_unit_test(test_pruning_keeps_what_the_kept_backups_need),
        cmocka_unit_test(test_a_backup_that_is_read_is_not_removed),
        cmocka_unit_test(test_folders_of_other_things_are_refused),
        cmocka_unit_test(test_writers_go_on_while_their_store_is_backed_up),
        cmocka_unit_test(test_a_segment_that_ends_meanwhile_is_in_it),
        cmocka_unit_test(test_a_point_whose_states_were_dropped_is_refused),
        cmocka_unit_test(test_a_point_whose_states_were_erased_is_refused),
        cmocka_unit_test(test_files_of_several_chunks_come_back),
        cmocka_unit_test(test_a_part_with_dropped_events_goes_on),
        cmocka_unit_test(test_an_empty_store_comes_back),
        cmocka_unit_test(test_progress_may_stop_each_of_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
