#include "stores/embedded/wreck.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/error.h"
#include "core/set.h"
#include "stores/embedded/names.h"

static stet_status no_memory(stet_error *err)
{
    return stet__fail(err, STET_E_NOMEM, 0, "no memory to salvage");
}

static void name_of(const stet_wreck_file *f, char out[STET_OS_NAME_MAX])
{
    if (f->is_set) {
        stet__name_set(f->number, out);
    } else {
        stet__name_segment(f->number, out);
    }
}

static void tell(stet_wreck *w, const char *name, uint64_t from, uint64_t to,
                 const char *why)
{
    stet_loss loss = {.kind = STET_LOSS_FILE,
                      .file = name,
                      .why = why,
                      .from = from,
                      .to = to};
    if (w->opts->loss != NULL) {
        w->opts->loss(w->opts->ctx, &loss);
    }
}

void stet__wreck_tell(stet_wreck *w, const stet_wreck_file *file, uint64_t from,
                      uint64_t to, const char *why)
{
    char name[STET_OS_NAME_MAX];
    name_of(file, name);
    tell(w, name, from, to, why);
}

void stet__wreck_blame(stet_wreck *w, stet_wreck_file *file, uint64_t from,
                       uint64_t to, const char *why)
{
    w->report->damaged_files += !file->is_damaged;
    file->is_damaged = true;
    stet__wreck_tell(w, file, from, to, why);
}

/* Reading. */

/* Read as much as can be read; the rest becomes zeros. */
static void read_all(const stet_wreck *w, int fd, uint8_t *out, uint64_t bytes)
{
    int64_t n = w->os->pread(w->os, fd, out, (size_t)bytes, 0);
    if (n == (int64_t)bytes) {
        return;
    }
    for (uint64_t at = 0; at < bytes; at += STET_W) {
        size_t len = (size_t)(bytes - at < STET_W ? bytes - at : STET_W);
        n = w->os->pread(w->os, fd, out + at, len, at);
        size_t got = n < 0 ? 0 : (size_t)n;
        memset(out + at + got, 0, len - got);
    }
}

bool stet__wreck_load(const stet_wreck *w, const stet_wreck_file *file,
                      stet_buf *out)
{
    stet__buf_reset(out);
    uint8_t *bytes = stet__buf_extend(out, (size_t)file->bytes);
    if (bytes != NULL) {
        read_all(w, file->fd, bytes, file->bytes);
    }
    return !out->is_failed;
}

stet_segment *stet__wreck_segment(const stet_wreck *w,
                                  const stet_wreck_file *file)
{
    stet_segment_header h =
        file->is_set ? stet__set_header(&file->trailer) : file->header;
    h.file = file->number;
    stet_segment *s = stet__segment_create(w->alloc, w->os, file->fd, &h);
    if (s != NULL) {
        s->trailer = file->trailer;
    }
    return s;
}

void stet__wreck_segment_free(stet_segment *s)
{
    if (s != NULL) {
        s->fd = -1; /* the wreck's */
        stet__segment_unref(s);
    }
}

static bool take_name(void *ctx, const char *name)
{
    stet_wreck *w = ctx;
    uint32_t number = 0;
    stet_name_kind kind = stet__name_kind(name, &number);
    if (kind == STET_NAME_SEGMENT || kind == STET_NAME_SET) {
        stet_wreck_file f = {
            .number = number, .is_set = kind == STET_NAME_SET, .fd = -1};
        stet__buf_put(&w->files, &f, sizeof f);
    }
    return !w->files.is_failed;
}

static int compare_files(const void *a, const void *b)
{
    const stet_wreck_file *x = a;
    const stet_wreck_file *y = b;
    return x->number == y->number
               ? x->is_set - y->is_set
               : (x->number > y->number) - (x->number < y->number);
}

static stet_status list_files(stet_wreck *w, stet_error *err)
{
    int rc = w->os->list(w->os, w->dir, take_name, w);
    if (rc < 0) {
        return stet__os_fail(err, rc, "list the store's folder");
    }
    if (w->files.is_failed) {
        return no_memory(err);
    }
    if (stet__wreck_file_count(w) > 0) {
        qsort(w->files.ptr, stet__wreck_file_count(w), sizeof(stet_wreck_file),
              compare_files);
    }
    return STET_OK;
}

static void take_uuid(stet_wreck *w, const uint8_t uuid[16])
{
    if (!w->has_uuid) {
        memcpy(w->uuid, uuid, sizeof w->uuid);
        w->has_uuid = true;
    }
}

static void take_slot(stet_wreck *w, const stet_super *s)
{
    uint64_t mark = s->mark > s->clean_position ? s->mark : s->clean_position;
    w->mark = mark > w->mark ? mark : w->mark;
    if (!w->has_super || s->generation > w->super.generation) {
        w->super = *s;
        w->has_super = true;
    }
}

/* Take what the sound slots say. */
static stet_status read_super(stet_wreck *w, const char *path, stet_error *err)
{
    uint8_t slots[2 * STET_W] = {0};
    unsigned sound = 0;
    int fd = w->os->open(w->os, w->dir, "super", 0);
    if (fd == -ENOENT && stet__wreck_file_count(w) == 0) {
        return stet__fail(err, STET_E_NOT_FOUND, 0, "%s holds no store", path);
    }
    if (fd == -ENOENT) {
        tell(w, "super", 0, UINT64_MAX, "the file is missing");
    } else if (fd < 0) {
        return stet__os_fail(err, fd, "open super");
    }
    if (fd >= 0) {
        read_all(w, fd, slots, sizeof slots);
        (void)w->os->close(w->os, fd); /* was only read */
    }
    for (unsigned i = 0; i < 2 && fd >= 0; i++) {
        stet_super s;
        stet_status st = stet__super_get(slots + i * STET_W, &s, err);
        if (st == STET_E_FORMAT) {
            return st;
        }
        if (st == STET_OK) {
            take_slot(w, &s);
            sound++;
        }
    }
    if (w->has_super) {
        take_uuid(w, w->super.uuid);
    }
    if (sound == 0 && fd >= 0) {
        tell(w, "super", 0, sizeof slots, "no slot is sound");
    }
    w->report->damaged_files += sound == 0;
    return STET_OK;
}

static stet_status read_header(stet_wreck *w, stet_wreck_file *f,
                               stet_error *err)
{
    uint8_t block[STET_W];
    if (f->bytes < sizeof block) {
        return STET_OK;
    }
    read_all(w, f->fd, block, sizeof block);
    stet_status st = stet__segment_header_get(block, &f->header, err);
    if (st == STET_E_FORMAT) {
        return st;
    }
    const stet_segment_header *h = &f->header;
    f->has_header = st == STET_OK && h->file == f->number &&
                    stet__segment_header_is_sane(h);
    f->salt = h->salt;
    return STET_OK;
}

/* A trailer that is where its index ends, of this very file. */
static stet_status read_trailer(stet_wreck *w, stet_wreck_file *f,
                                stet_error *err)
{
    uint8_t block[STET_W];
    if (f->bytes % STET_W != 0 || f->bytes < 3 * (uint64_t)STET_W) {
        return STET_OK;
    }
    uint64_t at = f->bytes - STET_W;
    int64_t n = w->os->pread(w->os, f->fd, block, sizeof block, at);
    stet_trailer *t = &f->trailer;
    stet_status st = n == (int64_t)sizeof block
                         ? stet__trailer_get(block, t, err)
                         : STET_E_NOT_FOUND;
    if (st == STET_E_FORMAT) {
        return st;
    }
    f->has_trailer =
        st == STET_OK && t->file == f->number &&
        t->kind == (f->is_set ? STET_INDEX_OF_SET : STET_INDEX_OF_SEGMENT) &&
        t->end_offset < at &&
        at - t->end_offset == stet__index_bytes(t) - STET_INDEX_BLOCK_BYTES &&
        (!f->has_header || (t->salt == f->header.salt &&
                            t->first_position == f->header.first_position));
    return STET_OK;
}

/* What is not in the trailer of a set is in its head, as far as is needed. */
static stet_status read_head(stet_wreck *w, stet_wreck_file *f, stet_error *err)
{
    uint8_t head[STET_SET_HEAD_BYTES];
    int64_t n = w->os->pread(w->os, f->fd, head, sizeof head, 0);
    stet_trailer t;
    stet_status st = n == (int64_t)sizeof head
                         ? stet__set_head_get(head, &t, err)
                         : STET_E_NOT_FOUND;
    if (st == STET_OK && t.file == f->number) {
        f->has_header = true;
        f->trailer = t;
    }
    return st == STET_E_FORMAT ? st : STET_OK;
}

static stet_status open_file(stet_wreck *w, stet_wreck_file *f, stet_error *err)
{
    char name[STET_OS_NAME_MAX];
    name_of(f, name);
    f->fd = w->os->open(w->os, w->dir, name, 0);
    int64_t bytes = f->fd < 0 ? f->fd : w->os->size(w->os, f->fd);
    if (bytes < 0) {
        return stet__os_fail(err, (int)bytes, "open %s", name);
    }
    f->bytes = (uint64_t)bytes;
    f->end = UINT64_MAX;
    w->report->files++;
    stet_status st = f->is_set ? STET_OK : read_header(w, f, err);
    if (st == STET_OK) {
        st = read_trailer(w, f, err);
    }
    if (st != STET_OK || !f->is_set) {
        return st;
    }
    f->has_header = f->has_trailer;
    return f->has_trailer ? STET_OK : read_head(w, f, err);
}

/* What counts. */

static bool is_foreign(const stet_wreck *w, const stet_wreck_file *f)
{
    const uint8_t *uuid = f->is_set ? f->trailer.uuid : f->header.uuid;
    return f->has_header && memcmp(uuid, w->uuid, sizeof w->uuid) != 0;
}

/* Files of another store tell nothing of this one. */
static void leave_foreign(stet_wreck *w)
{
    stet_wreck_file *files = stet__wreck_files(w);
    for (size_t i = stet__wreck_file_count(w); i > 0; i--) {
        const stet_wreck_file *f = &files[i - 1];
        if (f->has_header) {
            take_uuid(w, f->is_set ? f->trailer.uuid : f->header.uuid);
        }
    }
    for (size_t i = 0; i < stet__wreck_file_count(w); i++) {
        if (is_foreign(w, &files[i])) {
            files[i].is_dead = true;
            files[i].is_damaged = true;
            stet__wreck_tell(w, &files[i], 0, files[i].bytes,
                             "it is of another store");
        }
    }
}

/* A recovery that nobody names did not happen; without `super` it may have. */
static void leave_unnamed_copies(stet_wreck *w)
{
    stet_wreck_file *files = stet__wreck_files(w);
    for (size_t i = stet__wreck_file_count(w); i > 0; i--) {
        stet_wreck_file *f = &files[i - 1];
        bool is_copy = f->has_header && !f->is_dead &&
                       (f->header.flags & STET_SEGMENT_RECOVERY) != 0;
        bool is_named = !w->has_super || w->super.live == f->number;
        for (size_t j = i; j < stet__wreck_file_count(w) && !is_named; j++) {
            is_named = files[j].has_header && !files[j].is_dead &&
                       files[j].header.predecessor == f->number;
        }
        f->is_dead = f->is_dead || (is_copy && !is_named);
    }
}

static bool overlap(const stet_trailer *a, const stet_trailer *b)
{
    return a->first_position < b->end_position &&
           b->first_position < a->end_position;
}

/* Of sets that overlap the one made last counts. */
static void choose_sets(stet_wreck *w)
{
    stet_wreck_file *files = stet__wreck_files(w);
    for (size_t i = stet__wreck_file_count(w); i > 0; i--) {
        stet_wreck_file *f = &files[i - 1];
        if (!f->is_set || f->is_dead) {
            continue;
        }
        if (!f->has_trailer) {
            f->is_dead = !f->has_header;
            f->is_damaged = true;
            uint64_t trailer = f->bytes < STET_W ? 0 : f->bytes - STET_W;
            stet__wreck_tell(w, f, f->has_header ? trailer : 0, f->bytes,
                             f->has_header ? "the trailer is damaged"
                                           : "head and trailer are damaged");
        }
        for (size_t j = i; j < stet__wreck_file_count(w) && !f->is_dead; j++) {
            f->is_dead = files[j].is_set && !files[j].is_dead &&
                         overlap(&f->trailer, &files[j].trailer);
        }
    }
}

static const stet_wreck_file *set_of(const stet_wreck *w, uint32_t number)
{
    const stet_wreck_file *files = stet__wreck_files(w);
    for (size_t i = 0; i < stet__wreck_file_count(w); i++) {
        const stet_trailer *t = &files[i].trailer;
        if (files[i].is_set && !files[i].is_dead &&
            t->set.first_file <= number && number <= t->set.last_file) {
            return &files[i];
        }
    }
    return NULL;
}

/* Segments that a set stands for are dead. */
static void leave_settled(stet_wreck *w)
{
    stet_wreck_file *files = stet__wreck_files(w);
    for (size_t i = 0; i < stet__wreck_file_count(w); i++) {
        if (!files[i].is_set && set_of(w, files[i].number) != NULL) {
            files[i].is_dead = true;
        }
    }
}

/* Does the file's header, or trailer, say where this one ends? */
static bool names_end(const stet_wreck *w, const stet_wreck_file *next,
                      const stet_wreck_file *f, uint64_t *out)
{
    if (next->is_set) {
        *out = next->trailer.set.predecessor_end;
        return next->trailer.set.predecessor == f->number;
    }
    /* Without `super` a copy may be cut short: its source counts, too. */
    bool is_doubtful =
        !w->has_super && (next->header.flags & STET_SEGMENT_RECOVERY) != 0;
    *out = next->header.predecessor_end;
    return next->has_header && !is_doubtful &&
           next->header.predecessor == f->number;
}

/* Where a segment ends, as far as somebody says so. */
static void find_end(const stet_wreck *w, stet_wreck_file *f)
{
    const stet_wreck_file *files = stet__wreck_files(w);
    uint64_t end = 0;
    if (f->has_trailer) {
        f->end = f->trailer.end_offset;
    }
    if (w->has_super && w->super.clean_file == f->number) {
        f->end = w->super.clean_end;
    }
    for (size_t i = 0; i < stet__wreck_file_count(w); i++) {
        if (!files[i].is_dead && names_end(w, &files[i], f, &end)) {
            f->end = end;
        }
    }
}

/* Files. */

static bool is_there(const stet_wreck *w, uint32_t number)
{
    const stet_wreck_file *files = stet__wreck_files(w);
    for (size_t i = 0; i < stet__wreck_file_count(w); i++) {
        if (!files[i].is_set && files[i].number == number) {
            return true;
        }
    }
    return set_of(w, number) != NULL;
}

static void tell_missing(stet_wreck *w, uint32_t number)
{
    if (number != 0 && !is_there(w, number)) {
        stet_wreck_file missing = {.number = number};
        w->report->damaged_files++;
        stet__wreck_tell(w, &missing, 0, UINT64_MAX, "the file is missing");
    }
}

static void tell_damage(stet_wreck *w)
{
    stet_wreck_file *files = stet__wreck_files(w);
    tell_missing(w, w->has_super ? w->super.live : 0);
    for (size_t i = 0; i < stet__wreck_file_count(w); i++) {
        stet_wreck_file *f = &files[i];
        if (f->is_dead) {
            continue;
        }
        bool is_live = w->has_super && w->super.live == f->number;
        if (!f->is_set && !f->has_header && (f->has_content || is_live)) {
            f->is_damaged = true;
            stet__wreck_tell(w, f, 0, STET_W, "the header is damaged");
        }
        if (f->is_set) {
            tell_missing(w, f->trailer.set.predecessor);
        } else if (f->has_header && f->header.predecessor != 0) {
            tell_missing(w, f->header.predecessor);
        }
    }
    for (size_t i = 0; i < stet__wreck_file_count(w); i++) {
        w->report->damaged_files += files[i].is_damaged;
    }
}

static stet_status open_folder(stet_wreck *w, const char *path, stet_error *err)
{
    w->dir = w->os->dir_open(w->os, path, false);
    if (w->dir == -ENOENT || w->dir == -ENOTDIR) {
        return stet__fail(err, STET_E_NOT_FOUND, -w->dir, "%s", path);
    }
    if (w->dir < 0) {
        return stet__os_fail(err, w->dir, "open %s", path);
    }
    w->lock = w->os->open(w->os, w->dir, "LOCK", 0);
    int rc = w->lock < 0 ? 0 : w->os->lock(w->os, w->lock, STET_LOCK_SHARED);
    return rc == -EWOULDBLOCK
               ? stet__fail(err, STET_E_LOCKED, 0,
                            "%s is open for writing in another process", path)
               : STET_OK;
}

static stet_status read_files(stet_wreck *w, const char *path, stet_error *err)
{
    stet_status st = list_files(w, err);
    if (st == STET_OK) {
        st = read_super(w, path, err);
    }
    for (size_t i = 0; i < stet__wreck_file_count(w) && st == STET_OK; i++) {
        st = open_file(w, &stet__wreck_files(w)[i], err);
    }
    return st;
}

stet_status stet__wreck_open(stet_wreck *w, const char *path, stet_error *err)
{
    w->dir = -1;
    w->lock = -1;
    w->known = 1;
    w->end = 1;
    stet__buf_init(&w->files, w->alloc);
    stet__buf_init(&w->extents, w->alloc);
    stet_status st = open_folder(w, path, err);
    if (st == STET_OK) {
        st = read_files(w, path, err);
    }
    if (st != STET_OK) {
        return st;
    }
    leave_foreign(w);
    choose_sets(w);
    leave_settled(w);
    leave_unnamed_copies(w);
    for (size_t i = 0; i < stet__wreck_file_count(w); i++) {
        find_end(w, &stet__wreck_files(w)[i]);
    }
    st = stet__wreck_scan(w, err);
    if (st == STET_OK) {
        tell_damage(w);
        stet__error_reset(err); /* of what was looked at in vain */
    }
    return st;
}

void stet__wreck_close(stet_wreck *w)
{
    stet_wreck_file *files = stet__wreck_files(w);
    for (size_t i = 0; i < stet__wreck_file_count(w); i++) {
        if (files[i].fd >= 0) {
            (void)w->os->close(w->os, files[i].fd); /* was only read */
        }
    }
    if (w->lock >= 0) {
        (void)w->os->close(w->os, w->lock);
    }
    if (w->dir >= 0) {
        (void)w->os->close(w->os, w->dir);
    }
    stet__buf_deinit(&w->files);
    stet__buf_deinit(&w->extents);
}
