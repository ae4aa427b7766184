/* Backups: what the public calls check, and who does the work. */
#include "engine/backup.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/error.h"
#include "engine/handle.h"
#include "engine/options.h"
#include "stores/embedded/backup_restore.h"
#include "stores/embedded/backup_view.h"

/* ---- create ---- */

stet_status stet_backup_create(stet *s, const char *folder,
                               const stet_backup_opts *opts, stet_backup *out,
                               stet_error *err)
{
    stet__error_reset(err);
    stet_backup_opts o;
    stet_backup made;
    stet_status st = stet__options_copy(opts, sizeof(o), &o, err);
    if (st != STET_OK) {
        return st;
    }
    if ((o.flags & ~(uint32_t)STET_BACKUP_FULL) != 0) {
        return stet__fail(err, STET_E_INVALID, 0, "flags of a backup");
    }
    if (s->log->ops->backup == NULL) {
        return stet__fail(err, STET_E_UNSUPPORTED, 0,
                          "a %s store has no files to back up",
                          s->log->ops->name);
    }
    if (s->start.level == STET_LEVEL_OS && !s->start.is_readonly) {
        st = stet_sync(s, err);
    }
    if (st == STET_OK) {
        st = s->log->ops->backup(s->log, folder, &o, &made, err);
    }
    if (st != STET_OK) {
        return stet__wrap(err, st, "back up");
    }
    if (out != NULL) {
        stet__options_give(&made, sizeof(made), out);
    }
    return STET_OK;
}

/* ---- list ---- */

struct stet_backups {
    const stet_allocator *alloc;
    stet_backup_folder folder;
    size_t next;
    stet_backup now;
};

stet_status stet_backups_open(const char *folder, const stet_allocator *alloc,
                              stet_backups **out, stet_error *err)
{
    return stet__backups_open_on(stet__os_posix(), folder,
                                 alloc == NULL ? &stet__heap : alloc, out, err);
}

stet_status stet__backups_open_on(stet_os *os, const char *folder,
                                  const stet_allocator *alloc,
                                  stet_backups **out, stet_error *err)
{
    stet__error_reset(err);
    stet_backups *list = stet__alloc_zeroed(alloc, 1, sizeof(*list));
    if (list == NULL) {
        return stet__fail(err, STET_E_NOMEM, 0, "no memory for a listing");
    }
    list->alloc = alloc;
    stet__backup_folder_init(&list->folder, os, alloc);
    stet_status st =
        stet__backup_folder_open(&list->folder, folder, STET_BACKUP_READ, err);
    if (st != STET_OK) {
        stet_backups_close(list);
        return st;
    }
    *out = list;
    return STET_OK;
}

stet_status stet_backups_next(stet_backups *list, const stet_backup **out,
                              stet_error *err)
{
    stet__error_reset(err);
    while (list->next < stet__backup_count(&list->folder)) {
        stet_manifest m;
        uint32_t number = stet__backup_number(&list->folder, list->next++);
        stet_status st =
            stet__backup_load(&list->folder, number, &m, NULL, err);
        if (st == STET_E_NOT_FOUND) {
            continue; /* removed since the listing began */
        }
        if (st == STET_OK) {
            list->now = stet__backup_of(&m);
            stet__manifest_deinit(&m);
        } else if (st == STET_E_CORRUPT || st == STET_E_FORMAT) {
            list->now = (stet_backup){.struct_size = sizeof(list->now),
                                      .number = number,
                                      .is_damaged = true};
        } else {
            return st;
        }
        stet__error_reset(err);
        *out = &list->now;
        return STET_OK;
    }
    stet__error_reset(err);
    return STET_DONE;
}

void stet_backups_close(stet_backups *list)
{
    if (list != NULL) {
        stet__backup_folder_deinit(&list->folder);
        stet__free(list->alloc, list, sizeof(*list));
    }
}

/* ---- verify and restore ---- */

static void talk_to_nobody(void *ctx, stet_log_level level, const char *text)
{
    (void)ctx;
    (void)level;
    (void)text;
}

/* What a log is opened with, from the options that the caller gave. */
static stet_status fill_config(stet_os *os, const stet_restore_opts *o,
                               stet_opts *store, stet_log_config *out,
                               stet_error *err)
{
    stet_status st = stet__open_opts(o->store, store, err);
    *out = (stet_log_config){
        .os = os,
        .alloc = &store->allocator,
        .opts = store,
        .talk = store->log == NULL ? talk_to_nobody : store->log,
        .talk_ctx = store->log_ctx,
    };
    return st;
}

/* Compare the copies with their checksums; `*number` becomes the backup's. */
static stet_status check_copies(const stet_log_config *config,
                                const char *folder, const stet_restore_opts *o,
                                uint32_t *number, stet_error *err)
{
    stet_backup_view *view = NULL;
    stet_status st =
        stet__backup_view_open(config, folder, o->number, &view, err);
    if (st == STET_OK) {
        *number = stet__backup_view_manifest(view)->number;
        st = stet__backup_view_check(view, o->progress, o->ctx, err);
    }
    stet__backup_view_close(view);
    return st;
}

stet_status stet_backup_verify(const char *folder,
                               const stet_restore_opts *opts,
                               stet_verify_report *report, stet_error *err)
{
    return stet__backup_verify_on(stet__os_posix(), folder, opts, report, err);
}

stet_status stet__backup_verify_on(stet_os *os, const char *folder,
                                   const stet_restore_opts *opts,
                                   stet_verify_report *report, stet_error *err)
{
    stet__error_reset(err);
    stet_restore_opts o;
    stet_opts store;
    stet_log_config config;
    uint32_t number = 0;
    char url[STET_OS_PATH_MAX + 32];
    stet *s = NULL;
    stet_status st = stet__options_copy(opts, sizeof(o), &o, err);
    if (st == STET_OK) {
        st = fill_config(os, &o, &store, &config, err);
    }
    if (st == STET_OK) {
        st = check_copies(&config, folder, &o, &number, err);
    }
    if (st == STET_OK) {
        (void)snprintf(url, sizeof(url), "backup:%s#%" PRIu32, folder,
                       number); /* fits: it was opened */
        store.mode = STET_OPEN_READONLY;
        store.flags = 0;
        store.level = STET_LEVEL_DEFAULT;
        st = stet__open_on(os, url, &store, &s, err);
    }
    if (st != STET_OK) {
        return st;
    }
    st = stet_verify(s, o.progress, o.ctx, report, err);
    (void)stet_close(s, NULL); /* was only read */
    return st == STET_E_CORRUPT ? stet__wrap(err, st, "backup %" PRIu32, number)
                                : st;
}

stet_status stet_backup_restore(const char *folder, const char *to,
                                const stet_restore_opts *opts,
                                stet_restored *out, stet_error *err)
{
    return stet__backup_restore_on(stet__os_posix(), folder, to, opts, out,
                                   err);
}

static stet_status check_point(const stet_at *at, stet_error *err)
{
    bool is_known = at->kind == STET_AT_NEWEST ||
                    at->kind == STET_AT_RECORDED ||
                    (at->kind == STET_AT_POSITION && at->seq > 0);
    return is_known ? STET_OK
                    : stet__fail(err, STET_E_INVALID, 0,
                                 "a store is restored to a position, from 1, "
                                 "or to a recorded time");
}

stet_status stet__backup_restore_on(stet_os *os, const char *folder,
                                    const char *to,
                                    const stet_restore_opts *opts,
                                    stet_restored *out, stet_error *err)
{
    stet__error_reset(err);
    stet_restore_opts o;
    stet_opts store;
    stet_log_config config;
    stet_restored restored;
    stet_status st = stet__options_copy(opts, sizeof(o), &o, err);
    if (st == STET_OK) {
        st = fill_config(os, &o, &store, &config, err);
    }
    if (st == STET_OK) {
        st = check_point(&o.at, err);
    }
    if (st == STET_OK && (to == NULL || to[0] == '\0')) {
        st = stet__fail(err, STET_E_INVALID, 0, "no folder to restore into");
    }
    if (st == STET_OK) {
        st = stet__backup_restore(&config, folder, to, &o, &restored, err);
    }
    if (st == STET_OK && out != NULL) {
        stet__options_give(&restored, sizeof(restored), out);
    }
    return st == STET_OK ? st : stet__wrap(err, st, "restore");
}

/* ---- prune ---- */

stet_status stet_backup_prune(const char *folder, uint32_t keep,
                              const stet_allocator *alloc, stet_pruned *out,
                              stet_error *err)
{
    return stet__backup_prune_on(stet__os_posix(), folder, keep,
                                 alloc == NULL ? &stet__heap : alloc, out, err);
}

stet_status stet__backup_prune_on(stet_os *os, const char *folder,
                                  uint32_t keep, const stet_allocator *alloc,
                                  stet_pruned *out, stet_error *err)
{
    stet__error_reset(err);
    if (keep == 0) {
        return stet__fail(err, STET_E_INVALID, 0,
                          "of the backups 1 or more are kept");
    }
    stet_pruned pruned = {0};
    stet_backup_folder f;
    stet__backup_folder_init(&f, os, alloc);
    stet_status st = stet__backup_prune(&f, folder, keep, &pruned, err);
    stet__backup_folder_deinit(&f);
    if (st == STET_OK && out != NULL) {
        stet__options_give(&pruned, sizeof(pruned), out);
    }
    return st;
}
