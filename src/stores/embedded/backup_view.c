/*
 * A backup as a store: an os that shows the copies of one backup under the
 * names that the store gave them, and a `super` that says it was stopped
 * cleanly at the backup's position. The log that opens it reads, and only that:
 * of the methods there are those that a read-only log calls.
 */
#include "stores/embedded/backup_view.h"

#include <errno.h>
#include <inttypes.h>

#include "base/assert.h"
#include "base/error.h"
#include "core/frame.h"
#include "stores/embedded/embedded.h"
#include "stores/embedded/log.h"
#include "stores/embedded/names.h"

/* What opening `super` gives: no file that the system has. */
enum { SUPER_FD = INT32_MAX };

struct stet_backup_view {
    stet_os os; /* first */
    stet_os *under;
    const stet_allocator *alloc;
    stet_backup_folder folder;
    stet_manifest manifest;
    int held; /* the manifest's file, locked; -1: not yet */
    uint8_t super[2 * STET_W];
};

static stet_backup_view *view_of(stet_os *os)
{
    return (stet_backup_view *)os;
}

/* The methods. */

static int view_dir_open(stet_os *os, const char *path, bool is_create)
{
    STET_ASSERT(!is_create);
    stet_os *under = view_of(os)->under;
    return under->dir_open(under, path, false);
}

static const stet_backup_file *find_file(const stet_manifest *m,
                                         const char *name)
{
    uint32_t number = 0;
    stet_name_kind kind = stet__name_kind(name, &number);
    for (uint32_t i = 0; i < m->file_count; i++) {
        const stet_backup_file *f = &m->files[i];
        if (f->number == number &&
            kind == (f->is_set ? STET_NAME_SET : STET_NAME_SEGMENT)) {
            return f;
        }
    }
    return NULL;
}

static int view_open(stet_os *os, int dir, const char *name, unsigned flags)
{
    stet_backup_view *v = view_of(os);
    uint32_t number = 0;
    if (flags != 0) {
        return -EROFS;
    }
    if (stet__name_kind(name, &number) == STET_NAME_SUPER) {
        return SUPER_FD;
    }
    const stet_backup_file *f = find_file(&v->manifest, name);
    if (f == NULL) {
        return -ENOENT;
    }
    char copy_name[STET_OS_NAME_MAX];
    stet_backup_copy copy = stet__backup_copy_of(f);
    stet__backup_copy_name(&copy, copy_name);
    return v->under->open(v->under, dir, copy_name, 0);
}

static int view_close(stet_os *os, int fd)
{
    stet_os *under = view_of(os)->under;
    return fd == SUPER_FD ? 0 : under->close(under, fd);
}

static int64_t view_pread(stet_os *os, int fd, void *ptr, size_t len,
                          uint64_t off)
{
    stet_backup_view *v = view_of(os);
    if (fd != SUPER_FD) {
        return v->under->pread(v->under, fd, ptr, len, off);
    }
    if (off >= sizeof v->super) {
        return 0;
    }
    size_t left = sizeof v->super - (size_t)off;
    len = len < left ? len : left;
    memcpy(ptr, v->super + off, len);
    return (int64_t)len;
}

static int64_t view_size(stet_os *os, int fd)
{
    stet_backup_view *v = view_of(os);
    return fd == SUPER_FD ? (int64_t)sizeof v->super
                          : v->under->size(v->under, fd);
}

static int64_t view_disk_bytes(stet_os *os, int fd)
{
    stet_os *under = view_of(os)->under;
    return fd == SUPER_FD ? 0 : under->disk_bytes(under, fd);
}

static int view_list(stet_os *os, int dir, stet_os_name_fn visit, void *ctx)
{
    (void)dir;
    const stet_manifest *m = &view_of(os)->manifest;
    bool goes_on = visit(ctx, "super");
    for (uint32_t i = 0; i < m->file_count && goes_on; i++) {
        char name[STET_OS_NAME_MAX];
        if (m->files[i].is_set) {
            stet__name_set(m->files[i].number, name);
        } else {
            stet__name_segment(m->files[i].number, name);
        }
        goes_on = visit(ctx, name);
    }
    return 0;
}

static int view_lock(stet_os *os, int fd, stet_lock_kind kind)
{
    stet_os *under = view_of(os)->under;
    return fd == SUPER_FD ? 0 : under->lock(under, fd, kind);
}

static int64_t view_now(stet_os *os)
{
    stet_os *under = view_of(os)->under;
    return under->now(under);
}

static int64_t view_monotonic(stet_os *os)
{
    stet_os *under = view_of(os)->under;
    return under->monotonic(under);
}

static int view_pid(stet_os *os)
{
    stet_os *under = view_of(os)->under;
    return under->pid(under);
}

static void view_futex_wait(stet_os *os, _Atomic uint32_t *word,
                            uint32_t expected, int64_t deadline_ns)
{
    stet_os *under = view_of(os)->under;
    under->futex_wait(under, word, expected, deadline_ns);
}

static void view_futex_wake(stet_os *os, _Atomic uint32_t *word, int count)
{
    stet_os *under = view_of(os)->under;
    under->futex_wake(under, word, count);
}

static void view_yield(stet_os *os)
{
    stet_os *under = view_of(os)->under;
    under->yield(under);
}

static const stet_os view_methods = {
    .dir_open = view_dir_open,
    .open = view_open,
    .close = view_close,
    .pread = view_pread,
    .size = view_size,
    .disk_bytes = view_disk_bytes,
    .list = view_list,
    .lock = view_lock,
    .now = view_now,
    .monotonic = view_monotonic,
    .pid = view_pid,
    .futex_wait = view_futex_wait,
    .futex_wake = view_futex_wake,
    .yield = view_yield,
};

/* The view. */

static void put_super(stet_backup_view *v)
{
    const stet_manifest *m = &v->manifest;
    stet_super super =
        stet__backup_super(m, m->file_count, m->end_position, m->end_offset);
    memcpy(super.uuid, m->uuid, sizeof super.uuid);
    super.generation = 1;
    stet__super_put(&super, v->super);
    super.generation = 2;
    stet__super_put(&super, v->super + STET_W);
}

stet_super stet__backup_super(const stet_manifest *m, uint32_t files,
                              uint64_t end_position, uint64_t end_offset)
{
    stet_super super = {.format = STET_FORMAT, .mark = end_position};
    if (files > 0) {
        const stet_backup_file *last = &m->files[files - 1];
        super.live = last->is_set ? 0 : last->number;
        super.clean_file = last->number;
        super.clean_end = end_offset;
        super.clean_position = end_position;
    }
    return super;
}

static stet_status find_newest(const stet_backup_folder *f, uint32_t *number,
                               stet_error *err)
{
    size_t count = stet__backup_count(f);
    if (*number == 0 && count == 0) {
        return stet__fail(err, STET_E_NOT_FOUND, 0, "%s holds no backup",
                          f->path);
    }
    if (*number == 0) {
        *number = stet__backup_number(f, count - 1);
    }
    return STET_OK;
}

/* Are all copies there, and as long as they were? */
static stet_status check_sizes(const stet_backup_view *v, stet_error *err)
{
    for (uint32_t i = 0; i < v->manifest.file_count; i++) {
        int fd = -1;
        stet_status st =
            stet__backup_open_copy(&v->folder, &v->manifest.files[i], &fd, err);
        if (st != STET_OK) {
            return st;
        }
        (void)v->under->close(v->under, fd); /* was only opened */
    }
    return STET_OK;
}

stet_status stet__backup_view_open(const stet_log_config *config,
                                   const char *path, uint32_t number,
                                   stet_backup_view **out, stet_error *err)
{
    stet_backup_view *v = stet__alloc_zeroed(config->alloc, 1, sizeof *v);
    if (v == NULL) {
        return stet__fail(err, STET_E_NOMEM, 0, "no memory for a backup");
    }
    v->os = view_methods;
    v->under = config->os;
    v->alloc = config->alloc;
    v->held = -1;
    stet__backup_folder_init(&v->folder, config->os, config->alloc);
    stet_status st =
        stet__backup_folder_open(&v->folder, path, STET_BACKUP_READ, err);
    if (st == STET_OK) {
        st = find_newest(&v->folder, &number, err);
    }
    if (st == STET_OK) {
        st = stet__backup_load(&v->folder, number, &v->manifest, &v->held, err);
    }
    if (st == STET_OK) {
        st = check_sizes(v, err);
    }
    if (st != STET_OK) {
        stet__backup_view_close(v);
        return st;
    }
    put_super(v);
    *out = v;
    return STET_OK;
}

void stet__backup_view_close(stet_backup_view *v)
{
    if (v == NULL) {
        return;
    }
    if (v->held >= 0) {
        (void)v->under->close(v->under, v->held); /* gives the lock back */
    }
    stet__manifest_deinit(&v->manifest);
    stet__backup_folder_deinit(&v->folder);
    stet__free(v->alloc, v, sizeof *v);
}

const stet_manifest *stet__backup_view_manifest(const stet_backup_view *v)
{
    return &v->manifest;
}

const stet_backup_folder *stet__backup_view_folder(const stet_backup_view *v)
{
    return &v->folder;
}

/* Checksums. */

static stet_status check_file(const stet_backup_view *v,
                              const stet_backup_file *f, stet_backup_pace *pace,
                              uint8_t *room, stet_error *err)
{
    stet_backup_chunk chunk = {.file = f};
    stet_status st = stet__backup_open_copy(&v->folder, f, &chunk.fd, err);
    if (st != STET_OK) {
        return st;
    }
    for (; st == STET_OK && chunk.idx < stet__backup_chunks(f->bytes);
         chunk.idx++) {
        st = stet__backup_read_chunk(&v->folder, &v->manifest, &chunk, room,
                                     err);
        if (st == STET_OK) {
            st = stet__backup_go_on(
                pace, stet__backup_chunk_bytes(f, chunk.idx), err);
        }
    }
    (void)v->under->close(v->under, chunk.fd); /* was only read */
    return st;
}

stet_status stet__backup_view_check(const stet_backup_view *v,
                                    stet_progress_fn progress, void *ctx,
                                    stet_error *err)
{
    stet_backup_pace pace = {
        .progress = progress,
        .ctx = ctx,
        .total_bytes = stet__manifest_bytes(&v->manifest),
    };
    uint8_t *room = stet__alloc(v->alloc, STET_BACKUP_CHUNK_BYTES);
    if (room == NULL) {
        return stet__fail(err, STET_E_NOMEM, 0, "no memory for a check");
    }
    stet_status st = STET_OK;
    for (uint32_t i = 0; i < v->manifest.file_count && st == STET_OK; i++) {
        st = check_file(v, &v->manifest.files[i], &pace, room, err);
    }
    stet__free(v->alloc, room, STET_BACKUP_CHUNK_BYTES);
    return st;
}

/* The driver. */

/* Take FOLDER#NUMBER apart; any other text is a folder, and the number 0. */
static stet_status parse_url(const char *url, char path[STET_OS_PATH_MAX],
                             uint32_t *out_number, stet_error *err)
{
    const char *end = url + strlen(url);
    const char *mark = strrchr(url, '#');
    bool has_number =
        mark != NULL && stet__name_number(mark + 1, end, out_number);
    size_t len = (size_t)((has_number ? mark : end) - url);
    *out_number = has_number ? *out_number : 0;
    if (len >= STET_OS_PATH_MAX) {
        return stet__fail(err, STET_E_INVALID, 0,
                          "the path of a backup folder has 1 to %d bytes",
                          STET_OS_PATH_MAX - 1);
    }
    memcpy(path, url, len);
    path[len] = '\0';
    return STET_OK;
}

/* Damage may lie in a copy: then say in which one, and where. */
static stet_status tell_damage(const stet_backup_view *v, stet_status st,
                               stet_error *err)
{
    stet_error closer = {0};
    if (st == STET_E_CORRUPT &&
        stet__backup_view_check(v, NULL, NULL, &closer) == STET_E_CORRUPT &&
        err != NULL) {
        *err = closer;
    }
    return stet__wrap(err, st, "backup %" PRIu32, v->manifest.number);
}

/* Is the log made of the files that are listed, and does it end there? */
static stet_status check_files(const stet_backup_view *v, stet_log *log,
                               const stet_log_start *start, stet_error *err)
{
    const stet_manifest *m = &v->manifest;
    const stet_files *table = stet__embedded_of(log)->table;
    bool is = stet__files_count(table) == m->file_count &&
              start->next_position == m->end_position;
    for (uint32_t i = 0; i < m->file_count && is; i++) {
        const stet_segment_header *h = &table->items[i]->header;
        const stet_backup_file *f = &m->files[i];
        is = h->file == f->number && h->salt == f->salt &&
             h->first_position == f->first_position;
    }
    return is ? STET_OK
              : stet__fail(err, STET_E_CORRUPT, 0,
                           "%" PRIu32 ".backup at offset %d: its files are "
                           "other ones than it lists",
                           m->number, STET_BACKUP_HEADER_BYTES);
}

stet_status stet__backup_view_log(const stet_log_config *config,
                                  const char *path, uint32_t number,
                                  stet_log **out, stet_log_start *out_start,
                                  stet_error *err)
{
    stet_backup_view *v = NULL;
    stet_status st = stet__backup_view_open(config, path, number, &v, err);
    if (st != STET_OK) {
        return st;
    }
    stet_log_config own = *config;
    own.os = &v->os;
    stet_log *log = NULL;
    stet_log_start start;
    st = stet__embedded_driver.open(path, &own, &log, &start, err);
    if (st != STET_OK) {
        st = tell_damage(v, st, err);
        stet__backup_view_close(v);
        return st;
    }
    stet__embedded_of(log)->view = v;
    st = check_files(v, log, &start, err);
    if (st != STET_OK) {
        (void)log->ops->close(log, false, NULL); /* was only read */
        return st;
    }
    *out = log;
    *out_start = start;
    return STET_OK;
}

static stet_status backup_open(const char *url, const stet_log_config *config,
                               stet_log **out, stet_log_start *out_start,
                               stet_error *err)
{
    char path[STET_OS_PATH_MAX];
    uint32_t number = 0;
    stet_status st = parse_url(url, path, &number, err);
    if (st == STET_OK && config->opts->mode != STET_OPEN_READONLY) {
        st = stet__fail(err, STET_E_READONLY, 0, "a backup is read-only");
    }
    return st == STET_OK ? stet__backup_view_log(config, path, number, out,
                                                 out_start, err)
                         : st;
}

const stet_driver stet__backup_driver = {
    .scheme = "backup",
    .open = backup_open,
};
