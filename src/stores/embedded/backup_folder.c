/* The folder of backups: its lock, its names, its manifests. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/checksum.h"
#include "base/error.h"
#include "stores/embedded/backup.h"
#include "stores/embedded/names.h"

static const char lock_name[] = "LOCK";

/* Names. */

void stet__backup_name(uint32_t number, char out[STET_OS_NAME_MAX])
{
    (void)snprintf(out, STET_OS_NAME_MAX, "%" PRIu32 ".backup",
                   number); /* fits */
}

void stet__backup_copy_name(const stet_backup_copy *c,
                            char out[STET_OS_NAME_MAX])
{
    (void)snprintf(out, STET_OS_NAME_MAX, "%" PRIu32 "-%" PRIu32 ".%s",
                   c->backup, c->file, c->is_set ? "set" : "seg"); /* fits */
}

/* B-N.seg or B-N.set */
static bool parse_copy(const char *name, stet_backup_copy *out)
{
    const char *dash = strchr(name, '-');
    const char *dot = strchr(name, '.');
    if (dash == NULL || dot == NULL || dot < dash) {
        return false;
    }
    out->is_set = strcmp(dot, ".set") == 0;
    return (out->is_set || strcmp(dot, ".seg") == 0) &&
           stet__name_number(name, dash, &out->backup) &&
           stet__name_number(dash + 1, dot, &out->file);
}

/* B.backup */
static bool parse_backup(const char *name, uint32_t *out)
{
    const char *dot = strchr(name, '.');
    return dot != NULL && strcmp(dot, ".backup") == 0 &&
           stet__name_number(name, dot, out);
}

/* Listing. */

typedef struct listing {
    stet_backup_folder *f;
    bool has_super;
} listing;

static bool take_name(void *ctx, const char *name)
{
    listing *l = ctx;
    stet_backup_folder *f = l->f;
    uint32_t number = 0;
    stet_backup_copy copy;
    stet_name_kind kind = stet__name_kind(name, &number);
    if (kind == STET_NAME_SUPER) {
        l->has_super = true;
    } else if (kind == STET_NAME_TEMPORARY) {
        stet__buf_put(&f->temporaries, &number, sizeof number);
    } else if (parse_backup(name, &number)) {
        stet__buf_put(&f->numbers, &number, sizeof number);
    } else if (parse_copy(name, &copy)) {
        stet__buf_put(&f->copies, &copy, sizeof copy);
    }
    return true;
}

static int compare_numbers(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a;
    uint32_t y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static stet_status list(stet_backup_folder *f, stet_backup_use use,
                        stet_error *err)
{
    listing l = {.f = f};
    stet__buf_reset(&f->numbers);
    stet__buf_reset(&f->copies);
    stet__buf_reset(&f->temporaries);
    int rc = f->os->list(f->os, f->dir, take_name, &l);
    if (rc < 0) {
        return stet__os_fail(err, rc, "list %s", f->path);
    }
    if (f->temporaries.is_failed || f->numbers.is_failed ||
        f->copies.is_failed) {
        return stet__fail(err, STET_E_NOMEM, 0, "no memory for a listing");
    }
    if (l.has_super) {
        return use == STET_BACKUP_ADD
                   ? stet__fail(err, STET_E_EXISTS, 0,
                                "%s is a store; backups want a folder of "
                                "their own",
                                f->path)
                   : stet__fail(err, STET_E_NOT_FOUND, 0,
                                "%s is a store and holds no backups", f->path);
    }
    if (f->numbers.len > 0) {
        qsort(f->numbers.ptr, stet__backup_count(f), sizeof(uint32_t),
              compare_numbers);
    }
    return STET_OK;
}

/* Opening. */

static stet_status take_lock(stet_backup_folder *f, stet_error *err)
{
    f->lock = f->os->open(f->os, f->dir, lock_name,
                          STET_OPEN_WRITE | STET_OPEN_CREATE);
    if (f->lock < 0) {
        return stet__os_fail(err, f->lock, "%s/%s", f->path, lock_name);
    }
    int rc = f->os->lock(f->os, f->lock, STET_LOCK_EXCLUSIVE);
    if (rc == -EWOULDBLOCK) {
        return stet__fail(err, STET_E_LOCKED, 0,
                          "another process adds or removes backups in %s",
                          f->path);
    }
    return rc < 0 ? stet__os_fail(err, rc, "lock %s/%s", f->path, lock_name)
                  : STET_OK;
}

void stet__backup_folder_init(stet_backup_folder *f, stet_os *os,
                              const stet_allocator *alloc)
{
    *f = (stet_backup_folder){.os = os, .alloc = alloc, .dir = -1, .lock = -1};
    stet__buf_init(&f->numbers, alloc);
    stet__buf_init(&f->copies, alloc);
    stet__buf_init(&f->temporaries, alloc);
}

stet_status stet__backup_folder_open(stet_backup_folder *f, const char *path,
                                     stet_backup_use use, stet_error *err)
{
    f->path = path;
    if (path == NULL || path[0] == '\0' || strlen(path) >= STET_OS_PATH_MAX) {
        return stet__fail(err, STET_E_INVALID, 0,
                          "the path of a backup folder has 1 to %d bytes",
                          STET_OS_PATH_MAX - 1);
    }
    f->dir = f->os->dir_open(f->os, path, use == STET_BACKUP_ADD);
    if (f->dir == -ENOENT) {
        return stet__fail(err, STET_E_NOT_FOUND, ENOENT, "backup folder %s",
                          path);
    }
    if (f->dir < 0) {
        return stet__os_fail(err, f->dir, "backup folder %s", path);
    }
    stet_status st = list(f, use, err); /* before a store's lock is touched */
    if (st == STET_OK && use != STET_BACKUP_READ) {
        st = take_lock(f, err);
    }
    if (st != STET_OK || use == STET_BACKUP_READ) {
        return st;
    }
    /* What is believed from here on must be so after a power cut, too. */
    st = stet__backup_sync(f, err);
    return st == STET_OK ? list(f, use, err) : st;
}

stet_status stet__backup_sync(const stet_backup_folder *f, stet_error *err)
{
    int rc = f->os->sync(f->os, f->dir);
    return rc < 0 ? stet__os_fail(err, rc, "sync %s", f->path) : STET_OK;
}

void stet__backup_folder_deinit(stet_backup_folder *f)
{
    if (f->lock >= 0) {
        (void)f->os->close(f->os, f->lock); /* gives the lock back */
    }
    if (f->dir >= 0) {
        (void)f->os->close(f->os, f->dir); /* is a folder */
    }
    stet__buf_deinit(&f->numbers);
    stet__buf_deinit(&f->copies);
    stet__buf_deinit(&f->temporaries);
    f->dir = -1;
    f->lock = -1;
}

/* Manifests. */

static stet_status parse_manifest(const stet_backup_folder *f, uint32_t number,
                                  const stet_buf *bytes, stet_manifest *out,
                                  stet_error *err)
{
    stet_status st =
        stet__manifest_get(stet__buf_slice(bytes), f->alloc, out, err);
    if (st == STET_OK && out->number != number) {
        stet__manifest_deinit(out);
        st = stet__fail(err, STET_E_CORRUPT, 0,
                        "the manifest is of backup "
                        "%" PRIu32,
                        out->number);
    }
    return st == STET_OK || st == STET_E_NOMEM
               ? st
               : stet__wrap(err, st, "%" PRIu32 ".backup at offset 0", number);
}

static stet_status read_manifest(const stet_backup_folder *f, uint32_t number,
                                 int fd, stet_manifest *out, stet_error *err)
{
    int64_t bytes = f->os->size(f->os, fd);
    if (bytes < 0) {
        return stet__os_fail(err, (int)bytes, "read %" PRIu32 ".backup",
                             number);
    }
    if (bytes > STET_BACKUP_MANIFEST_BYTES_MAX) {
        return stet__fail(err, STET_E_CORRUPT, 0,
                          "%" PRIu32 ".backup at offset %d: the file goes on",
                          number, STET_BACKUP_MANIFEST_BYTES_MAX);
    }
    stet_buf buf;
    stet__buf_init(&buf, f->alloc);
    uint8_t *p = stet__buf_extend(&buf, (size_t)bytes);
    stet_status st = STET_OK;
    if (p == NULL && bytes > 0) {
        st = stet__fail(err, STET_E_NOMEM, 0, "no memory for a manifest");
    } else {
        int64_t n = f->os->pread(f->os, fd, p, (size_t)bytes, 0);
        buf.len = n < 0 ? 0 : (size_t)n;
        st = n < 0
                 ? stet__os_fail(err, (int)n, "read %" PRIu32 ".backup", number)
                 : parse_manifest(f, number, &buf, out, err);
    }
    stet__buf_deinit(&buf);
    return st;
}

/* Keep an open manifest from being removed. -ENOENT: it was, before that. */
static int hold(const stet_backup_folder *f, int fd, const char *name)
{
    int rc = f->os->lock(f->os, fd, STET_LOCK_SHARED);
    int again = rc < 0 ? rc : f->os->open(f->os, f->dir, name, 0);
    if (again >= 0) {
        (void)f->os->close(f->os, again); /* was only looked for */
    }
    return again < 0 ? again : 0;
}

stet_status stet__backup_load(const stet_backup_folder *f, uint32_t number,
                              stet_manifest *out, int *out_held,
                              stet_error *err)
{
    char name[STET_OS_NAME_MAX];
    stet__backup_name(number, name);
    int fd = f->os->open(f->os, f->dir, name, 0);
    if (fd == -ENOENT) {
        return stet__fail(err, STET_E_NOT_FOUND, 0, "%s has no backup %" PRIu32,
                          f->path, number);
    }
    int rc = fd < 0 || out_held == NULL ? fd : hold(f, fd, name);
    stet_status st =
        rc == -EWOULDBLOCK || rc == -ENOENT
            ? stet__fail(err, STET_E_NOT_FOUND, 0,
                         "backup %" PRIu32 " is being removed", number)
        : rc < 0 ? stet__os_fail(err, rc, "open %s", name)
                 : read_manifest(f, number, fd, out, err);
    if (fd >= 0 && (st != STET_OK || out_held == NULL)) {
        (void)f->os->close(f->os, fd); /* was only read */
    } else if (fd >= 0) {
        *out_held = fd;
    }
    return st;
}

/* Copies. */

stet_status stet__backup_open_copy(const stet_backup_folder *f,
                                   const stet_backup_file *file, int *out_fd,
                                   stet_error *err)
{
    char name[STET_OS_NAME_MAX];
    stet_backup_copy copy = stet__backup_copy_of(file);
    stet__backup_copy_name(&copy, name);
    int fd = f->os->open(f->os, f->dir, name, 0);
    if (fd == -ENOENT) {
        return stet__fail(err, STET_E_CORRUPT, 0,
                          "%s at offset 0: the file is missing", name);
    }
    int64_t bytes = fd < 0 ? fd : f->os->size(f->os, fd);
    if (bytes >= 0 && (uint64_t)bytes == file->bytes) {
        *out_fd = fd;
        return STET_OK;
    }
    if (fd >= 0) {
        (void)f->os->close(f->os, fd); /* was only read */
    }
    return bytes < 0
               ? stet__os_fail(err, (int)bytes, "open %s", name)
               : stet__fail(err, STET_E_CORRUPT, 0,
                            "%s at offset %" PRIu64 ": the file %s", name,
                            (uint64_t)bytes < file->bytes ? (uint64_t)bytes
                                                          : file->bytes,
                            (uint64_t)bytes < file->bytes ? "ends here"
                                                          : "goes on");
}

stet_status stet__backup_read_chunk(const stet_backup_folder *f,
                                    const stet_manifest *m,
                                    const stet_backup_chunk *chunk,
                                    uint8_t *out, stet_error *err)
{
    uint64_t at = chunk->idx * STET_BACKUP_CHUNK_BYTES;
    size_t len = stet__backup_chunk_bytes(chunk->file, chunk->idx);
    int64_t n = f->os->pread(f->os, chunk->fd, out, len, at);
    bool is_sound =
        n == (int64_t)len && stet__hash64(out, len) ==
                                 stet__manifest_sum(m, chunk->file, chunk->idx);
    if (is_sound) {
        return STET_OK;
    }
    char name[STET_OS_NAME_MAX];
    stet_backup_copy copy = stet__backup_copy_of(chunk->file);
    stet__backup_copy_name(&copy, name);
    return n < 0 ? stet__os_fail(err, (int)n, "read %s at offset %" PRIu64,
                                 name, at)
                 : stet__fail(err, STET_E_CORRUPT, 0,
                              "%s at offset %" PRIu64 ": checksum of %zu bytes",
                              name, at, len);
}

stet_status stet__backup_go_on(stet_backup_pace *pace, size_t bytes,
                               stet_error *err)
{
    pace->done_bytes += bytes;
    return pace->progress == NULL || pace->progress(pace->ctx, pace->done_bytes,
                                                    pace->total_bytes)
               ? STET_OK
               : stet__fail(err, STET_E_PARTIAL, 0, "stopped on request");
}

bool stet__manifest_has(const stet_manifest *m, const stet_backup_copy *copy)
{
    for (uint32_t i = 0; i < m->file_count; i++) {
        const stet_backup_file *f = &m->files[i];
        if (f->copied_by == copy->backup && f->number == copy->file &&
            f->is_set == copy->is_set) {
            return true;
        }
    }
    return false;
}

stet_backup stet__backup_of(const stet_manifest *m)
{
    stet_backup b = {
        .struct_size = sizeof b,
        .number = m->number,
        .previous = m->previous,
        .position = m->end_position - 1,
        .recorded_at = m->recorded,
        .created_at = m->created,
        .bytes = stet__manifest_bytes(m),
        .new_bytes = m->new_bytes,
        .files = m->file_count,
        .new_files = m->new_files,
    };
    stet__name_uuid(m->uuid, b.store_uuid);
    return b;
}
