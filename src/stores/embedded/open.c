/*
 * Opening. A writer takes the lock, makes the folder's entries durable before
 * it believes them, recovers, and leaves the store so that the next crash finds
 * it as well as this one did. A reader changes nothing.
 */
#include "stores/embedded/embedded.h"

#include <errno.h>
#include <stdio.h>

#include "base/error.h"
#include "base/mark.h"
#include "stores/embedded/adopt.h"
#include "stores/embedded/backup.h"
#include "stores/embedded/names.h"
#include "stores/embedded/salvage.h"
#include "stores/embedded/settle.h"

enum {
    /* A reader begins again while a writer moves on under it. */
    READER_TRIES_MAX = 100,
};

static const char lock_name[] = "LOCK";

static const stet_log_ops embedded_ops = {
    .struct_size = sizeof(stet_log_ops),
    .name = "embedded",
    .frame_open = stet__room_frame_open,
    .frame_close = stet__room_frame_close,
    .frame_seal = stet__write_frame_seal,
    .frame_write = stet__write_frame,
    .published = stet__write_published,
    .make_room = stet__room_make,
    .sync = stet__write_sync,
    .step = stet__keeper_step,
    .close = stet__embedded_close,
    .seek = stet__read_seek,
    .reader_create = stet__log_reader_create,
    .reader_read = stet__log_reader_read,
    .reader_rest = stet__log_reader_rest,
    .reader_destroy = stet__log_reader_destroy,
    .walk_open = stet__walk_open,
    .walk_next = stet__walk_next,
    .walk_close = stet__walk_close,
    .find_key = stet__read_find_key,
    .at_recorded = stet__read_at_recorded,
    .heads_open = stet__listing_open,
    .heads_next = stet__listing_next,
    .heads_close = stet__listing_close,
    .chain_open = stet__chained_open,
    .chain_next = stet__chained_next,
    .chain_close = stet__chained_close,
    .info = stet__embedded_info,
    .verify = stet__embedded_verify,
    .reindex = stet__embedded_reindex,
    .settle = stet__embedded_settle,
    .is_pressed = stet__room_is_pressed,
    .backup = stet__backup_create,
    .retain = stet__embedded_retain,
    .forks = stet__embedded_forks,
    .retain_all = stet__embedded_retain_all,
};

/* What a folder holds, told without opening anything in it. */
typedef struct content {
    bool has_super;
    bool is_restoring;
    char file[STET_OS_NAME_MAX]; /* one with records; empty: none */
    char foreign[STET_OS_NAME_MAX];
} content;

static bool take_name(void *ctx, const char *name)
{
    content *c = ctx;
    uint32_t number = 0;
    switch (stet__name_kind(name, &number)) {
    case STET_NAME_SUPER:
        c->has_super = true;
        break;
    case STET_NAME_SEGMENT:
    case STET_NAME_SET:
        (void)snprintf(c->file, sizeof c->file, "%s", name); /* fits */
        break;
    case STET_NAME_RESTORING:
        c->is_restoring = true;
        break;
    case STET_NAME_FOREIGN:
        (void)snprintf(c->foreign, sizeof c->foreign, "%s", name); /* cut */
        break;
    case STET_NAME_TEMPORARY:
    case STET_NAME_LOCK:
    case STET_NAME_INDEX:
        break; /* of a creation that was cut short, or without meaning alone */
    }
    return true;
}

/* Is there a store, room for one, or something else that must stay? */
static stet_status look_around(const stet_embedded *e, const char *path,
                               stet_open_mode mode, bool *out_is_new,
                               stet_error *err)
{
    content c = {0};
    int rc = e->os->list(e->os, e->dir, take_name, &c);
    if (rc < 0) {
        return stet__os_fail(err, rc, "list %s", path);
    }
    if (c.is_restoring && !e->is_restoring) {
        return stet__fail(err, STET_E_EXISTS, 0,
                          "a restore into %s did not end; restore again", path);
    }
    *out_is_new = !c.has_super;
    if (c.has_super) {
        return STET_OK;
    }
    if (c.file[0] != '\0') {
        return stet__fail(err, STET_E_CORRUPT, 0,
                          "super at offset 0: the file is missing; %s holds "
                          "%s",
                          path, c.file);
    }
    if (c.foreign[0] != '\0') {
        return stet__fail(err, STET_E_EXISTS, 0,
                          "%s is not a stet store (it holds %s)", path,
                          c.foreign);
    }
    return mode == STET_OPEN_DEFAULT ? STET_OK
                                     : stet__fail(err, STET_E_NOT_FOUND, 0,
                                                  "%s holds no store", path);
}

static stet_status open_folder(stet_embedded *e, const char *path,
                               stet_open_mode mode, stet_error *err)
{
    int dir = e->os->dir_open(e->os, path, false);
    if (dir == -ENOENT && mode == STET_OPEN_DEFAULT) {
        dir = e->os->dir_open(e->os, path, true);
    }
    if (dir == -ENOENT) {
        return stet__fail(err, STET_E_NOT_FOUND, ENOENT, "there is no store");
    }
    if (dir == -ENOTDIR) {
        return stet__fail(err, STET_E_EXISTS, 0,
                          "%s is not a stet store (it is no folder)", path);
    }
    if (dir < 0) {
        return stet__os_fail(err, dir, "the folder");
    }
    e->dir = dir;
    return STET_OK;
}

/* The lock. */

static stet_status refuse_second(stet_embedded *e, const char *path,
                                 stet_error *err)
{
    char text[32] = {0};
    int64_t n = e->os->pread(e->os, e->lock, text, sizeof text - 1, 0);
    size_t digits = n > 0 ? strspn(text, "0123456789") : 0;
    if (digits == 0) {
        return stet__fail(err, STET_E_LOCKED, 0,
                          "%s is open for writing in another process", path);
    }
    return stet__fail(err, STET_E_LOCKED, 0,
                      "%s is open for writing in process %.*s", path,
                      (int)digits, text);
}

static stet_status take_lock(stet_embedded *e, const char *path,
                             stet_error *err)
{
    e->lock = e->os->open(e->os, e->dir, lock_name,
                          STET_OPEN_WRITE | STET_OPEN_CREATE);
    if (e->lock < 0) {
        return stet__os_fail(err, e->lock, "%s", lock_name);
    }
    int rc = e->os->lock(e->os, e->lock, STET_LOCK_EXCLUSIVE);
    if (rc == -EWOULDBLOCK) {
        return refuse_second(e, path, err);
    }
    if (rc < 0) {
        return stet__os_fail(err, rc, "lock %s/%s", path, lock_name);
    }
    char pid[32];
    int len = snprintf(pid, sizeof pid, "%d\n", e->os->pid(e->os));
    /* Only told to who comes second: a full disk need not stop the first. */
    (void)e->os->truncate(e->os, e->lock, 0);
    (void)e->os->pwrite(e->os, e->lock, pid, (size_t)len, 0);
    return STET_OK;
}

/* Creation. */

static stet_status create_store(stet_embedded *e, const char *path,
                                stet_error *err)
{
    stet_super super = {.format = STET_FORMAT, .mark = 1};
    int rc = e->os->random(e->os, super.uuid, sizeof super.uuid);
    if (rc < 0) {
        return stet__os_fail(err, rc, "draw a uuid");
    }
    stet_status st = stet__slots_create(e->os, e->dir, &super, err);
    if (st != STET_OK) {
        return stet__wrap(err, st, "create %s", path);
    }
    /* Also the folder's own entry, whoever made it. */
    int again = e->os->dir_open(e->os, path, true);
    if (again < 0) {
        return stet__os_fail(err, again, "create %s", path);
    }
    (void)e->os->close(e->os, again); /* is a folder */
    return STET_OK;
}

/*
 * Do writes past the page cache work here? To be told for sure: who reads what
 * was written past it from the cache may see what a failed sync left there.
 */
static stet_status probe_direct(stet_embedded *e, stet_error *err)
{
    int fd = e->level == STET_LEVEL_DISK
                 ? e->os->open(e->os, e->dir, "super", STET_OPEN_DIRECT)
                 : -EINVAL;
    if (fd < 0 && fd != -EINVAL) {
        return stet__os_fail(err, fd, "open super");
    }
    e->is_direct = fd >= 0;
    if (fd >= 0) {
        (void)e->os->close(e->os, fd); /* nothing was done with it */
    }
    return STET_OK;
}

static stet_status remove_creation(stet_embedded *e, stet_error *err)
{
    int rc = e->os->unlink(e->os, e->dir, "tmp-0");
    if (rc == -ENOENT) {
        return STET_OK;
    }
    rc = rc < 0 ? rc : e->os->sync(e->os, e->dir);
    return rc < 0 ? stet__os_fail(err, rc, "remove tmp-0") : STET_OK;
}

static stet_status open_writer(stet_embedded *e, const char *path,
                               stet_open_mode mode, stet_log_start *start,
                               stet_error *err)
{
    stet_status st = take_lock(e, path, err);
    if (st != STET_OK) {
        return st;
    }
    int rc = e->os->sync(e->os, e->dir);
    if (rc < 0) {
        return stet__os_fail(err, rc, "sync %s", path);
    }
    bool is_new = false;
    st = look_around(e, path, mode, &is_new, err); /* now nobody writes it */
    if (st == STET_OK && is_new) {
        st = remove_creation(e, err);
    }
    if (st == STET_OK && is_new) {
        st = create_store(e, path, err);
    }
    if (st == STET_OK) {
        st = stet__slots_open(&e->slots, e->os, e->dir, false, err);
    }
    if (st == STET_OK) {
        st = probe_direct(e, err);
    }
    if (st != STET_OK) {
        return st;
    }
    stet_recovery r = {
        .os = e->os,
        .alloc = e->alloc,
        .dir = e->dir,
        .is_direct = e->is_direct,
        .super = stet__slots_newest(&e->slots),
    };
    st = stet__recovery_run(&r, err);
    if (st == STET_OK) {
        st = stet__adopt_writer(e, &r, start, err);
    }
    stet__recovery_deinit(&r);
    return st;
}

/* Look at the store once, as the newest slot of `super` says. */
static stet_status look_once(stet_embedded *e, stet_log_start *start,
                             stet_error *err)
{
    stet_super super = *stet__slots_newest(&e->slots);
    stet_recovery r = {
        .os = e->os,
        .alloc = e->alloc,
        .dir = e->dir,
        .is_readonly = true,
        .super = &super,
    };
    stet_status st = stet__recovery_run(&r, err);
    if (st == STET_OK) {
        st = stet__adopt_reader(e, &r, start, err);
    }
    stet__recovery_deinit(&r);
    return st;
}

/*
 * The order is the protocol: `super`, then the listing, then the files. A
 * writer may move on under the look: frames appear, a segment is begun, sealed
 * and cut. So nothing is wrong with a store before the same thing is found
 * wrong twice in a row, with `super` where it was.
 */
static stet_status open_reader(stet_embedded *e, stet_log_start *start,
                               stet_error *err)
{
    stet_error now = {0};
    stet_error before = {0};
    stet_status st = stet__slots_open(&e->slots, e->os, e->dir, true, &now);
    bool is_moving = st == STET_OK;
    for (unsigned i = 0; i < READER_TRIES_MAX && is_moving; i++) {
        uint64_t generation = stet__slots_newest(&e->slots)->generation;
        before = now;
        now = (stet_error){0};
        st = look_once(e, start, &now);
        stet_error ignored = {0};
        bool is_unread = stet__slots_read(&e->slots, &ignored) != STET_OK;
        bool is_same = strcmp(now.text, before.text) == 0 && !is_unread &&
                       stet__slots_newest(&e->slots)->generation == generation;
        is_moving = st != STET_OK && !is_same;
        if (is_moving) {
            STET_MARK("open.reader_looks_again");
        }
        e->os->yield(e->os);
    }
    if (st != STET_OK && err != NULL) {
        *err = now;
    }
    return st;
}

static stet_embedded *create_log(const stet_log_config *config)
{
    const stet_opts *opts = config->opts;
    stet_embedded *e = stet__alloc_zeroed(config->alloc, 1, sizeof *e);
    if (e == NULL) {
        return NULL;
    }
    e->log.ops = &embedded_ops;
    e->os = config->os;
    e->alloc = config->alloc;
    e->talk = config->talk;
    e->talk_ctx = config->talk_ctx;
    e->dir = -1;
    e->lock = -1;
    e->slots.fd = -1;
    e->level = opts->level == STET_LEVEL_OS ? STET_LEVEL_OS : STET_LEVEL_DISK;
    e->is_readonly = opts->mode == STET_OPEN_READONLY;
    e->segment_bytes = opts->segment_bytes;
    e->settle_segments = opts->settle_segments;
    e->index_sets = opts->index_sets;
    stet__mutex_init(&e->files, STET_RANK_FILES);
    stet__unpacked_init(&e->unpacked, e->os);
    return e;
}

static stet_status open_log(const char *path, const stet_log_config *config,
                            bool is_restoring, stet_log **out,
                            stet_log_start *out_start, stet_error *err)
{
    stet_open_mode mode = config->opts->mode;
    if (path[0] == '\0' || strlen(path) >= STET_OS_PATH_MAX) {
        return stet__fail(err, STET_E_INVALID, 0,
                          "the path of a store has 1 to %d bytes",
                          STET_OS_PATH_MAX - 1);
    }
    stet_embedded *e = create_log(config);
    if (e == NULL) {
        return stet__fail(err, STET_E_NOMEM, 0, "no memory for a store");
    }
    e->is_restoring = is_restoring;
    stet_log_start start = {.level = e->level, .is_readonly = e->is_readonly};
    bool is_new = false;
    stet_status st = open_folder(e, path, mode, err);
    if (st == STET_OK) {
        st = look_around(e, path, mode, &is_new, err);
    }
    if (st == STET_OK) {
        st = e->is_readonly ? open_reader(e, &start, err)
                            : open_writer(e, path, mode, &start, err);
    }
    if (st != STET_OK) {
        stet__embedded_destroy(e);
        return st;
    }
    *out = &e->log;
    *out_start = start;
    return STET_OK;
}

static stet_status embedded_open(const char *path,
                                 const stet_log_config *config, stet_log **out,
                                 stet_log_start *out_start, stet_error *err)
{
    return open_log(path, config, false, out, out_start, err);
}

stet_status stet__embedded_open_restored(const char *path,
                                         const stet_log_config *config,
                                         stet_log **out,
                                         stet_log_start *out_start,
                                         stet_error *err)
{
    return open_log(path, config, true, out, out_start, err);
}

const stet_driver stet__embedded_driver = {
    .scheme = "stet",
    .open = embedded_open,
    .salvage = stet__embedded_salvage,
};
