/*
 * Pruning: first the manifests go, for good; then the copies that none of those
 * left needs. What a backup under way has copied has a higher number than any
 * of them, and stays.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "base/error.h"
#include "stores/embedded/backup.h"
#include "stores/embedded/names.h"

typedef struct pruning {
    stet_backup_folder *f;
    stet_backup_copy *copies; /* in order */
    size_t copy_count;
    bool *is_needed; /* of each copy */
    uint32_t newest; /* number */
    stet_pruned done;
} pruning;

static int compare_copies(const void *a, const void *b)
{
    const stet_backup_copy *x = a;
    const stet_backup_copy *y = b;
    if (x->backup != y->backup) {
        return x->backup < y->backup ? -1 : 1;
    }
    if (x->file != y->file) {
        return x->file < y->file ? -1 : 1;
    }
    return x->is_set - y->is_set;
}

/* Mark what a backup needs. */
static void need(pruning *p, const stet_manifest *m)
{
    for (uint32_t i = 0; i < m->file_count && p->copy_count > 0; i++) {
        stet_backup_copy key = stet__backup_copy_of(&m->files[i]);
        const stet_backup_copy *copy =
            bsearch(&key, p->copies, p->copy_count, sizeof key, compare_copies);
        if (copy != NULL) {
            p->is_needed[copy - p->copies] = true;
        }
    }
}

static stet_status read_kept(pruning *p, size_t first, stet_error *err)
{
    for (size_t i = first; i < stet__backup_count(p->f); i++) {
        stet_manifest m;
        stet_status st = stet__backup_load(p->f, stet__backup_number(p->f, i),
                                           &m, NULL, err);
        if (st != STET_OK) {
            return st;
        }
        need(p, &m);
        stet__manifest_deinit(&m);
    }
    return STET_OK;
}

static stet_status remove_backup(pruning *p, uint32_t number, stet_error *err)
{
    char name[STET_OS_NAME_MAX];
    stet_os *os = p->f->os;
    stet__backup_name(number, name);
    int fd = os->open(os, p->f->dir, name, 0);
    int rc = fd < 0 ? fd : os->lock(os, fd, STET_LOCK_EXCLUSIVE);
    bool is_read = rc == -EWOULDBLOCK;
    rc = rc < 0 ? rc : os->unlink(os, p->f->dir, name);
    if (fd >= 0) {
        (void)os->close(os, fd); /* was only locked */
    }
    if (is_read) {
        return stet__fail(err, STET_E_LOCKED, 0,
                          "backup %" PRIu32 " is being read", number);
    }
    if (rc < 0) {
        return stet__os_fail(err, rc, "remove %s/%s", p->f->path, name);
    }
    p->done.backups++;
    return STET_OK;
}

static stet_status remove_copy(pruning *p, const stet_backup_copy *copy,
                               stet_error *err)
{
    char name[STET_OS_NAME_MAX];
    stet_os *os = p->f->os;
    stet__backup_copy_name(copy, name);
    int fd = os->open(os, p->f->dir, name, 0);
    int64_t bytes = fd < 0 ? fd : os->size(os, fd);
    if (fd >= 0) {
        (void)os->close(os, fd); /* was only asked */
    }
    int rc = bytes < 0 ? (int)bytes : os->unlink(os, p->f->dir, name);
    if (rc < 0) {
        return stet__os_fail(err, rc, "remove %s/%s", p->f->path, name);
    }
    p->done.files++;
    p->done.bytes += (uint64_t)bytes;
    return STET_OK;
}

static stet_status remove_copies(pruning *p, stet_error *err)
{
    stet_status st = STET_OK;
    for (size_t i = 0; i < p->copy_count && st == STET_OK; i++) {
        if (!p->is_needed[i] && p->copies[i].backup <= p->newest) {
            st = remove_copy(p, &p->copies[i], err);
        }
    }
    return st == STET_OK ? stet__backup_sync(p->f, err) : st;
}

static stet_status prune(pruning *p, uint32_t keep, stet_error *err)
{
    size_t count = stet__backup_count(p->f);
    size_t victims = count > keep ? count - keep : 0;
    p->newest = stet__backup_number(p->f, count - 1);
    if (p->copy_count > 0) {
        qsort(p->copies, p->copy_count, sizeof *p->copies, compare_copies);
    }
    stet_status st = read_kept(p, victims, err);
    for (size_t i = 0; i < victims && st == STET_OK; i++) {
        st = remove_backup(p, stet__backup_number(p->f, i), err);
    }
    if (st == STET_OK) {
        st = stet__backup_sync(p->f, err);
    }
    return st == STET_OK ? remove_copies(p, err) : st;
}

stet_status stet__backup_prune(stet_backup_folder *f, const char *path,
                               uint32_t keep, stet_pruned *out, stet_error *err)
{
    stet_status st = stet__backup_folder_open(f, path, STET_BACKUP_REMOVE, err);
    if (st != STET_OK || stet__backup_count(f) == 0) {
        return st; /* without a backup all copies belong to one under way */
    }
    pruning p = {
        .f = f,
        .copies = (stet_backup_copy *)(void *)f->copies.ptr,
        .copy_count = f->copies.len / sizeof *p.copies,
    };
    size_t bytes = p.copy_count + 1;
    p.is_needed = stet__alloc_zeroed(f->alloc, bytes, sizeof *p.is_needed);
    if (p.is_needed == NULL) {
        return stet__fail(err, STET_E_NOMEM, 0, "no memory for a listing");
    }
    st = prune(&p, keep, err);
    stet__free(f->alloc, p.is_needed, bytes * sizeof *p.is_needed);
    if (st == STET_OK) {
        *out = p.done;
    }
    return st;
}
