#include "stores/embedded/backup_target.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/mark.h"
#include "stores/embedded/names.h"

static const char restoring[] = "RESTORING";
static const char restored[] = "RESTORED";

/* A name of the folder. */
typedef struct entry {
    char text[STET_OS_NAME_MAX];
} entry;

typedef struct content {
    bool is_restoring;
    char other[STET_OS_NAME_MAX]; /* one that is not; empty: none */
    stet_buf leftovers;           /* entry each: files of a store */
} content;

static bool take_name(void *ctx, const char *name)
{
    content *c = ctx;
    uint32_t number = 0;
    stet_name_kind kind = stet__name_kind(name, &number);
    if (kind == STET_NAME_RESTORING) {
        c->is_restoring = true;
        return true;
    }
    entry e = {{0}};
    (void)snprintf(e.text, sizeof e.text, "%s", name); /* cut if foreign */
    (void)snprintf(c->other, sizeof c->other, "%s", name);
    if (kind != STET_NAME_FOREIGN) {
        stet__buf_put(&c->leftovers, &e, sizeof e);
    }
    return true;
}

static stet_status not_empty(const stet_backup_target *t, const content *c,
                             stet_error *err)
{
    return stet__fail(err, STET_E_EXISTS, 0, "%s is not empty (it holds %s)",
                      t->path, c->other);
}

static stet_status look_around(const stet_backup_target *t, content *c,
                               stet_error *err)
{
    *c = (content){0};
    stet__buf_init(&c->leftovers, t->alloc);
    int rc = t->os->list(t->os, t->dir, take_name, c);
    if (rc < 0) {
        return stet__os_fail(err, rc, "list %s", t->path);
    }
    if (c->leftovers.is_failed) {
        return stet__fail(err, STET_E_NOMEM, 0, "no memory for a listing");
    }
    if (c->other[0] != '\0' && !c->is_restoring) {
        return not_empty(t, c, err);
    }
    return STET_OK;
}

/* What an interrupted restore left: it was never a store. */
static stet_status clear(const stet_backup_target *t, const content *c,
                         stet_error *err)
{
    const entry *e = (const entry *)(const void *)c->leftovers.ptr;
    for (size_t i = 0; i < c->leftovers.len / sizeof *e; i++) {
        STET_MARK("restore.begun_again");
        int rc = t->os->unlink(t->os, t->dir, e[i].text);
        if (rc < 0) {
            return stet__os_fail(err, rc, "remove %s/%s", t->path, e[i].text);
        }
    }
    return STET_OK;
}

static stet_status take_marker(stet_backup_target *t, stet_error *err)
{
    t->marker = t->os->open(t->os, t->dir, restoring,
                            STET_OPEN_WRITE | STET_OPEN_CREATE);
    int rc = t->marker;
    rc = rc < 0 ? rc : t->os->lock(t->os, t->marker, STET_LOCK_EXCLUSIVE);
    if (rc == -EWOULDBLOCK) {
        return stet__fail(err, STET_E_LOCKED, 0,
                          "another process restores into %s", t->path);
    }
    return rc < 0 ? stet__os_fail(err, rc, "create %s/%s", t->path, restoring)
                  : STET_OK;
}

/*
 * Look again. Before the lock was ours another restore may have ended. And a
 * store may have been made: a marker without a text never was of a restore that
 * left anything. Who makes a store takes its lock before he looks for a marker,
 * so that one of the two sees the other.
 */
static stet_status look_again(const stet_backup_target *t, content *c,
                              stet_error *err)
{
    stet_status st = look_around(t, c, err);
    if (st != STET_OK) {
        return st;
    }
    if (!c->is_restoring) {
        return stet__fail(err, STET_E_EXISTS, 0,
                          "another process restored into %s", t->path);
    }
    int64_t bytes = t->os->size(t->os, t->marker);
    if (bytes > 0 || (bytes == 0 && c->other[0] == '\0')) {
        return STET_OK;
    }
    int rc = bytes < 0 ? (int)bytes : t->os->unlink(t->os, t->dir, restoring);
    return rc < 0 ? stet__os_fail(err, rc, "%s/%s", t->path, restoring)
                  : not_empty(t, c, err);
}

/* Never without a text on the way: there may be what it is to excuse. */
static stet_status write_origin(const stet_backup_target *t, const char *origin,
                                stet_error *err)
{
    stet_os *os = t->os;
    size_t len = strlen(origin);
    int rc = os->pwrite(os, t->marker, origin, len, 0);
    rc = rc < 0 ? rc : os->truncate(os, t->marker, len);
    rc = rc < 0 ? rc : os->sync(os, t->marker);
    rc = rc < 0 ? rc : os->sync(os, t->dir);
    return rc < 0 ? stet__os_fail(err, rc, "write %s/%s", t->path, restoring)
                  : STET_OK;
}

void stet__backup_target_init(stet_backup_target *t, stet_os *os,
                              const stet_allocator *alloc)
{
    *t =
        (stet_backup_target){.os = os, .alloc = alloc, .dir = -1, .marker = -1};
}

stet_status stet__backup_target_open(stet_backup_target *t, const char *path,
                                     const char *origin, stet_error *err)
{
    t->path = path;
    t->dir = t->os->dir_open(t->os, path, true);
    if (t->dir < 0) {
        return stet__os_fail(err, t->dir, "folder %s", path);
    }
    content c;
    stet_status st = look_around(t, &c, err);
    stet__buf_deinit(&c.leftovers);
    if (st == STET_OK) {
        st = take_marker(t, err);
    }
    if (st != STET_OK) {
        return st;
    }
    st = look_again(t, &c, err);
    if (st == STET_OK) {
        st = clear(t, &c, err);
    }
    stet__buf_deinit(&c.leftovers);
    return st == STET_OK ? write_origin(t, origin, err) : st;
}

stet_status stet__backup_target_commit(stet_backup_target *t, stet_error *err)
{
    int rc = t->os->rename(t->os, t->dir, restoring, restored);
    rc = rc < 0 ? rc : t->os->sync(t->os, t->dir);
    return rc < 0 ? stet__os_fail(err, rc, "name %s/%s", t->path, restored)
                  : STET_OK;
}

void stet__backup_target_close(stet_backup_target *t)
{
    if (t->marker >= 0) {
        (void)t->os->close(t->os, t->marker); /* gives the lock back */
    }
    if (t->dir >= 0) {
        (void)t->os->close(t->os, t->dir); /* is a folder */
    }
    t->marker = -1;
    t->dir = -1;
}
