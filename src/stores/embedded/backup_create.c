/*
 * Creating a backup: the table is lent, which holds every file of one moment;
 * what an earlier backup lacks of them is copied, and the manifest makes it
 * count. Of a segment without an index the frames are taken from memory, up to
 * the position of the backup.
 */
#include <inttypes.h>

#include "base/assert.h"
#include "base/checksum.h"
#include "base/error.h"
#include "base/mark.h"
#include "core/imageread.h"
#include "stores/embedded/backup.h"
#include "stores/embedded/log.h"
#include "stores/embedded/names.h"
#include "stores/embedded/view.h"

typedef struct creation {
    stet_embedded *e;
    const stet_backup_opts *opts;
    stet_backup_folder folder;
    stet_manifest before; /* the newest there; number 0: none */
    stet_manifest made;
    stet_files *table;
    uint8_t *chunk;        /* room for one */
    stet_backup_pace pace; /* of bytes that are to be copied */
} creation;

/* The cut. */

/* Bytes of a file of the table that belong to the backup. */
static uint64_t copied_bytes(const stet_segment *s, uint64_t below)
{
    return s->image == NULL
               ? s->trailer.end_offset + stet__index_bytes(&s->trailer)
               : stet__image_end_below(s->image, below);
}

static stet_status find_recorded(creation *c, uint64_t position,
                                 stet_error *err)
{
    stet_logged last;
    stet_sealed_reader reader;
    stet__sealed_reader_init(&reader, c->e->alloc);
    stet_status st = stet__view_read(c->table, position, &reader, &last, err);
    if (st == STET_OK) {
        c->made.recorded = last.recorded;
    }
    stet__sealed_reader_deinit(&reader);
    return st;
}

/*
 * Where the files end that begin below `end`: the last of them may have been
 * sealed, all of it durable, since that was looked up, and is copied whole.
 */
static uint64_t end_of_files(const stet_files *table, uint32_t count,
                             uint64_t end)
{
    const stet_segment *last = count == 0 ? NULL : table->items[count - 1];
    return last == NULL || last->image != NULL ? end
                                               : last->trailer.end_position;
}

/* Choose the position, and list the files that hold everything below it. */
static stet_status cut(creation *c, stet_error *err)
{
    /* Before the position is: all that was recorded by then is below it. */
    int64_t now = c->e->os->now(c->e->os);
    uint64_t end = stet__embedded_synced(c->e);
    c->table = stet__embedded_lend(c->e);
    uint32_t count = stet__files_count(c->table);
    while (count > 0 &&
           c->table->items[count - 1]->header.first_position >= end) {
        count--;
    }
    end = end_of_files(c->table, count, end);
    stet_manifest *m = &c->made;
    stet_status st = stet__manifest_init(m, c->e->alloc, count, err);
    if (st != STET_OK) {
        return st;
    }
    m->created = now;
    m->end_position = end;
    memcpy(m->uuid, c->e->uuid, sizeof m->uuid);
    for (uint32_t i = 0; i < count; i++) {
        const stet_segment *s = c->table->items[i];
        m->files[i] = (stet_backup_file){
            .number = s->header.file,
            .is_set = stet__segment_is_set(s),
            .salt = s->header.salt,
            .bytes = copied_bytes(s, end),
            .first_position = s->header.first_position,
        };
        m->end_offset =
            s->image == NULL ? s->trailer.end_offset : m->files[i].bytes;
    }
    return count == 0 ? STET_OK : find_recorded(c, end - 1, err);
}

/* What is there already. */

static stet_status remove_temporaries(creation *c, stet_error *err)
{
    const stet_buf *left = &c->folder.temporaries;
    for (size_t i = 0; i < left->len / sizeof(uint32_t); i++) {
        char name[STET_OS_NAME_MAX];
        stet__name_temporary(((const uint32_t *)(const void *)left->ptr)[i],
                             name);
        int rc = c->folder.os->unlink(c->folder.os, c->folder.dir, name);
        if (rc < 0) {
            return stet__os_fail(err, rc, "remove %s/%s", c->folder.path, name);
        }
    }
    return STET_OK;
}

/* Read the newest manifest; a full backup can do without it. */
static stet_status look_back(creation *c, stet_error *err)
{
    size_t count = stet__backup_count(&c->folder);
    uint32_t newest =
        count == 0 ? 0 : stet__backup_number(&c->folder, count - 1);
    if (newest == UINT32_MAX) {
        return stet__fail(err, STET_E_NOSPACE, 0,
                          "no backup number is left above %" PRIu32, newest);
    }
    c->made.number = newest + 1;
    if (newest == 0) {
        return STET_OK;
    }
    bool is_full = (c->opts->flags & STET_BACKUP_FULL) != 0;
    stet_status st =
        stet__backup_load(&c->folder, newest, &c->before, NULL, err);
    if (st == STET_E_CORRUPT && is_full) {
        stet__error_reset(err);
        return STET_OK;
    }
    if (st != STET_OK) {
        return st;
    }
    if (memcmp(c->before.uuid, c->made.uuid, sizeof c->made.uuid) != 0) {
        char uuid[STET_NAME_UUID_MAX];
        stet__name_uuid(c->before.uuid, uuid);
        return stet__fail(err, STET_E_EXISTS, 0,
                          "%s holds backups of another store, %s",
                          c->folder.path, uuid);
    }
    c->made.previous = is_full ? 0 : newest;
    return STET_OK;
}

/* The file in the backup before that is this one, if its copy is there. */
static const stet_backup_file *find_copy(creation *c, uint32_t *cursor,
                                         const stet_backup_file *f)
{
    const stet_manifest *b = &c->before;
    while (*cursor < b->file_count &&
           b->files[*cursor].first_position < f->first_position) {
        (*cursor)++;
    }
    if (c->made.previous == 0 || *cursor == b->file_count) {
        return NULL;
    }
    const stet_backup_file *old = &b->files[*cursor];
    if (old->number != f->number || old->salt != f->salt ||
        old->bytes != f->bytes) {
        return NULL; /* the salt tells a set from a segment, too */
    }
    int fd = -1;
    stet_error ignored = {0};
    if (stet__backup_open_copy(&c->folder, old, &fd, &ignored) != STET_OK) {
        return NULL; /* so there will be a sound one again */
    }
    (void)c->folder.os->close(c->folder.os, fd); /* was only opened */
    return old;
}

/* Choose what to copy: files without `copied_by` are to be. */
static void plan(creation *c)
{
    uint32_t cursor = 0;
    for (uint32_t i = 0; i < c->made.file_count; i++) {
        stet_backup_file *f = &c->made.files[i];
        const stet_backup_file *old = find_copy(c, &cursor, f);
        if (old != NULL) {
            f->copied_by = old->copied_by;
            f->first_sum = old->first_sum; /* in the manifest before */
        } else {
            c->pace.total_bytes += f->bytes;
            c->made.new_files++;
        }
    }
    c->made.new_bytes = c->pace.total_bytes;
}

/* Copying. */

/* Fetch bytes of a file as they are to be in the copy. */
static stet_status fetch(const stet_segment *s, uint64_t at, uint8_t *to,
                         size_t len, stet_error *err)
{
    if (s->image == NULL) {
        return stet__segment_pread(s, to, len, at, err);
    }
    memcpy(to, stet__image_bytes(s->image) + at, len);
    if (at == 0) {
        STET_ASSERT(len >= STET_W);
        stet__segment_header_put(&s->header, to);
    }
    return STET_OK;
}

/* Note the sum of the chunk in hand, and give it. */
static uint64_t put_sum(creation *c, size_t len)
{
    uint64_t sum = stet__hash64(c->chunk, len);
    stet__buf_put_u64le(&c->made.sums, sum);
    return sum;
}

static stet_status write_chunks(creation *c, const stet_segment *s,
                                const stet_backup_file *f, int fd,
                                stet_error *err)
{
    stet_os *os = c->folder.os;
    stet_status st = STET_OK;
    for (uint64_t i = 0; st == STET_OK && i < stet__backup_chunks(f->bytes);
         i++) {
        uint64_t at = i * STET_BACKUP_CHUNK_BYTES;
        size_t len = stet__backup_chunk_bytes(f, i);
        st = fetch(s, at, c->chunk, len, err);
        if (st != STET_OK) {
            return st;
        }
        (void)put_sum(c, len); /* is noted */
        int rc = os->pwrite(os, fd, c->chunk, len, at);
        st = rc < 0 ? stet__os_fail(err, rc, "write to %s", c->folder.path)
                    : stet__backup_go_on(&c->pace, len, err);
    }
    return st;
}

/* Make `to` of a temporary file that is complete: synced, then named. */
static stet_status name_file(const stet_backup_folder *f, int fd,
                             const char *temporary, const char *to,
                             stet_error *err)
{
    int rc = f->os->sync(f->os, fd);
    int closed = f->os->close(f->os, fd);
    rc = rc < 0 ? rc : closed;
    rc = rc < 0 ? rc : f->os->rename(f->os, f->dir, temporary, to);
    return rc < 0 ? stet__os_fail(err, rc, "write %s/%s", f->path, to)
                  : STET_OK;
}

static int create_temporary(const stet_backup_folder *f, const char *name)
{
    return f->os->open(f->os, f->dir, name,
                       STET_OPEN_WRITE | STET_OPEN_CREATE |
                           STET_OPEN_EXCLUSIVE);
}

static stet_status write_copy(creation *c, const stet_segment *s,
                              const stet_backup_file *f, stet_error *err)
{
    char temporary[STET_OS_NAME_MAX];
    char name[STET_OS_NAME_MAX];
    stet_backup_copy copy = stet__backup_copy_of(f);
    stet__name_temporary(f->number, temporary);
    stet__backup_copy_name(&copy, name);
    int fd = create_temporary(&c->folder, temporary);
    if (fd < 0) {
        return stet__os_fail(err, fd, "create %s/%s", c->folder.path,
                             temporary);
    }
    stet_status st = write_chunks(c, s, f, fd, err);
    if (st != STET_OK) {
        (void)c->folder.os->close(c->folder.os, fd); /* is given up */
    } else {
        st = name_file(&c->folder, fd, temporary, name, err);
    }
    if (st != STET_OK) {
        /* Or the next backup does it. */
        (void)c->folder.os->unlink(c->folder.os, c->folder.dir, temporary);
    }
    return st;
}

/* Note the sums of a file, while the copy has the same; else undo. */
static stet_status compare(creation *c, const stet_segment *s,
                           const stet_backup_file *f, int fd, bool *out_is_same,
                           stet_error *err)
{
    stet_os *os = c->folder.os;
    size_t sums = c->made.sums.len;
    uint64_t done = c->pace.done_bytes;
    stet_status st = STET_OK;
    *out_is_same = true;
    for (uint64_t i = 0; st == STET_OK && i < stet__backup_chunks(f->bytes);
         i++) {
        uint64_t at = i * STET_BACKUP_CHUNK_BYTES;
        size_t len = stet__backup_chunk_bytes(f, i);
        st = fetch(s, at, c->chunk, len, err);
        if (st != STET_OK) {
            return st;
        }
        uint64_t sum = put_sum(c, len);
        if (os->pread(os, fd, c->chunk, len, at) != (int64_t)len ||
            stet__hash64(c->chunk, len) != sum) {
            c->made.sums.len = sums;
            c->pace.done_bytes = done;
            *out_is_same = false;
            return STET_OK;
        }
        st = stet__backup_go_on(&c->pace, len, err);
    }
    return st;
}

/*
 * Take up what a backup of this number copied before it was interrupted: it got
 * its name when it was whole and synced, but nobody noted what was in it.
 */
static stet_status take_up(creation *c, const stet_segment *s,
                           const stet_backup_file *f, bool *out_did,
                           stet_error *err)
{
    int fd = -1;
    stet_error ignored = {0};
    *out_did = false;
    if (stet__backup_open_copy(&c->folder, f, &fd, &ignored) != STET_OK) {
        return STET_OK;
    }
    stet_status st = compare(c, s, f, fd, out_did, err);
    if (*out_did) {
        STET_MARK("backup.taken_up");
    }
    (void)c->folder.os->close(c->folder.os, fd); /* was only read */
    return st;
}

static stet_status copy_files(creation *c, stet_error *err)
{
    stet_status st = STET_OK;
    for (uint32_t i = 0; i < c->made.file_count && st == STET_OK; i++) {
        stet_backup_file *f = &c->made.files[i];
        uint64_t first_sum = c->made.sums.len / STET_BACKUP_SUM_BYTES;
        if (f->copied_by != 0) {
            size_t chunks = (size_t)stet__backup_chunks(f->bytes);
            stet__buf_put(&c->made.sums,
                          c->before.sums.ptr +
                              f->first_sum * STET_BACKUP_SUM_BYTES,
                          chunks * STET_BACKUP_SUM_BYTES);
        } else {
            f->copied_by = c->made.number;
            bool did = false;
            st = take_up(c, c->table->items[i], f, &did, err);
            if (st == STET_OK && !did) {
                st = write_copy(c, c->table->items[i], f, err);
            }
        }
        f->first_sum = first_sum;
    }
    return st;
}

/* The manifest. */

static stet_status write_manifest(creation *c, const stet_buf *bytes,
                                  stet_error *err)
{
    static const char temporary[] = "tmp-0";
    char name[STET_OS_NAME_MAX];
    const stet_backup_folder *f = &c->folder;
    stet__backup_name(c->made.number, name);
    int fd = create_temporary(f, temporary);
    int rc = fd < 0 ? fd : f->os->pwrite(f->os, fd, bytes->ptr, bytes->len, 0);
    if (rc < 0) {
        if (fd >= 0) {
            (void)f->os->close(f->os, fd);                 /* is given up */
            (void)f->os->unlink(f->os, f->dir, temporary); /* or the next one */
        }
        return stet__os_fail(err, rc, "write %s/%s", f->path, name);
    }
    return name_file(f, fd, temporary, name, err);
}

/* The copies have their names for good before the manifest says so. */
static stet_status commit(creation *c, stet_error *err)
{
    stet_buf bytes;
    stet__buf_init(&bytes, c->e->alloc);
    stet__manifest_put(&c->made, &bytes);
    stet_status st =
        bytes.is_failed || c->made.sums.is_failed
            ? stet__fail(err, STET_E_NOMEM, 0, "no memory for a manifest")
            : stet__backup_sync(&c->folder, err);
    if (st == STET_OK && bytes.len > STET_BACKUP_MANIFEST_BYTES_MAX) {
        st = stet__fail(err, STET_E_TOO_LARGE, 0,
                        "the manifest would have %zu bytes", bytes.len);
    }
    if (st == STET_OK) {
        st = write_manifest(c, &bytes, err);
    }
    stet__buf_deinit(&bytes);
    return st == STET_OK ? stet__backup_sync(&c->folder, err) : st;
}

/* Remove what a backup of this number copied in vain; best effort. */
static void tidy(creation *c)
{
    const stet_backup_copy *copies =
        (const stet_backup_copy *)(const void *)c->folder.copies.ptr;
    size_t count = c->folder.copies.len / sizeof *copies;
    for (size_t i = 0; i < count; i++) {
        if (copies[i].backup == c->made.number &&
            !stet__manifest_has(&c->made, &copies[i])) {
            char name[STET_OS_NAME_MAX];
            STET_MARK("backup.tidied");
            stet__backup_copy_name(&copies[i], name);
            /* What stays is removed with the backup. */
            (void)c->folder.os->unlink(c->folder.os, c->folder.dir, name);
        }
    }
}

static stet_status create(creation *c, const char *folder, stet_error *err)
{
    stet_status st = cut(c, err);
    if (st == STET_OK) {
        st = stet__backup_folder_open(&c->folder, folder, STET_BACKUP_ADD, err);
    }
    if (st == STET_OK) {
        st = remove_temporaries(c, err);
    }
    if (st == STET_OK) {
        st = look_back(c, err);
    }
    if (st == STET_OK) {
        plan(c);
        c->chunk = stet__alloc(c->e->alloc, STET_BACKUP_CHUNK_BYTES);
        st = c->chunk == NULL
                 ? stet__fail(err, STET_E_NOMEM, 0, "no memory for a backup")
                 : copy_files(c, err);
    }
    if (st == STET_OK) {
        st = commit(c, err);
    }
    if (st == STET_OK) {
        tidy(c);
    }
    return st;
}

stet_status stet__backup_create(stet_log *log, const char *folder,
                                const stet_backup_opts *opts, stet_backup *out,
                                stet_error *err)
{
    creation c = {
        .e = stet__embedded_of(log),
        .opts = opts,
        .pace = {.progress = opts->progress, .ctx = opts->ctx},
    };
    if (c.e->view != NULL) {
        return stet__fail(err, STET_E_UNSUPPORTED, 0,
                          "of a backup there is none; its folder is copied");
    }
    stet__backup_folder_init(&c.folder, c.e->os, c.e->alloc);
    stet_status st = create(&c, folder, err);
    if (st == STET_OK) {
        *out = stet__backup_of(&c.made);
    }
    stet__free(c.e->alloc, c.chunk, STET_BACKUP_CHUNK_BYTES);
    stet__manifest_deinit(&c.made);
    stet__manifest_deinit(&c.before);
    stet__backup_folder_deinit(&c.folder);
    STET_ASSERT(c.table != NULL); /* the cut is the first thing */
    stet__embedded_unlend(c.e, c.table);
    return st;
}
