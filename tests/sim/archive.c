#include "sim/archive.h"

#include <stdlib.h>
#include <string.h>

#include "engine/backup.h"
#include "engine/handle.h"

enum { KEPT = 3 };

static const char folder[] = "backup";
static const char restored[] = "restored";

stet_status archive_back_up(oracle *o, stet *s, rng *r, stet_error *err)
{
    stet_backup made = {0};
    stet_backup_opts opts = {
        .flags = rng_below(r, 8) == 0 ? (uint32_t)STET_BACKUP_FULL : 0};
    stet_status st = stet_backup_create(s, folder, &opts, &made, err);
    if (st == STET_OK && made.number > o->deposit.number) {
        o->deposit = (deposit){made.number, made.position};
    }
    return st;
}

/* A point that some backup may reach. */
static stet_restore_opts some_point(const oracle *o, rng *r, stet_opts *store)
{
    stet_restore_opts opts = {.store = store};
    *store = o->w->s.opts;
    store->allocator = world_allocator(o->w);
    if (rng_below(r, 3) > 0) {
        opts.at.kind = STET_AT_POSITION;
        opts.at.seq = 1 + rng_below(r, o->deposit.position + 1);
    }
    return opts;
}

stet_status archive_restore(const oracle *o, rng *r, stet_error *err)
{
    stet_opts store;
    stet_restore_opts opts = some_point(o, r, &store);
    return stet__backup_restore_on(&o->w->os, folder, restored, &opts, NULL,
                                   err);
}

/* The acknowledged one must be there, as it was told. */
static size_t find_deposit(const oracle *o)
{
    stet_backups *list = NULL;
    const stet_backup *b = NULL;
    stet_error err = {0};
    stet_allocator alloc = world_allocator(o->w);
    bool is_there = o->deposit.number == 0;
    size_t count = 0;
    stet_status st =
        stet__backups_open_on(&o->w->os, folder, &alloc, &list, &err);
    while (st == STET_OK) {
        st = stet_backups_next(list, &b, &err);
        if (st == STET_OK && b->is_damaged) {
            world_fail(o->w, "the manifest of backup %u is damaged", b->number);
        }
        count += st == STET_OK;
        is_there =
            is_there || (st == STET_OK && b->number == o->deposit.number &&
                         b->position == o->deposit.position);
    }
    stet_backups_close(list);
    if (st != STET_DONE || !is_there) {
        world_fail(o->w, "backup %u was acknowledged: %s", o->deposit.number,
                   err.text);
    }
    return count;
}

static void read_one(const world *w, stet *s, stet_log_reader *reader,
                     uint64_t position, stet_logged *out)
{
    stet_error err = {0};
    if (s->log->ops->reader_read(reader, position, out, &err) != STET_OK) {
        world_fail(w, "position %llu: %s", (unsigned long long)position,
                   err.text);
    }
}

/* Is what was restored the store, up to where it ends? */
static void compare(const oracle *o, stet *s, stet *got)
{
    uint64_t end = stet__watermark(&got->pipeline);
    if (end > stet__watermark(&s->pipeline)) {
        world_fail(o->w, "restored beyond what the store has: %llu",
                   (unsigned long long)end);
    }
    stet_log_reader *theirs = got->log->ops->reader_create(got->log);
    stet_log_reader *ours = s->log->ops->reader_create(s->log);
    for (uint64_t p = 1; p < end; p++) {
        stet_logged a = {0};
        stet_logged b = {0};
        read_one(o->w, got, theirs, p, &a);
        read_one(o->w, s, ours, p, &b);
        if (a.bytes.len != b.bytes.len || a.recorded != b.recorded ||
            memcmp(a.bytes.ptr, b.bytes.ptr, a.bytes.len) != 0) {
            world_fail(o->w, "restored otherwise: position %llu",
                       (unsigned long long)p);
        }
    }
    got->log->ops->reader_destroy(theirs);
    s->log->ops->reader_destroy(ours);
}

/* Open what was restored; a restore that did not end is ended first. */
static stet *open_restored(const oracle *o, rng *r)
{
    world *w = o->w;
    stet_opts opts = w->s.opts;
    opts.allocator = world_allocator(w);
    opts.mode = STET_OPEN_READONLY;
    stet *got = NULL;
    stet_error err = {0};
    stet_status st = stet__open_on(&w->os, restored, &opts, &got, &err);
    if (st == STET_E_EXISTS || st == STET_E_NOT_FOUND) {
        st = archive_restore(o, r, &err);
        if (st == STET_E_NOT_FOUND || (st == STET_E_NOSPACE && w->is_scarce)) {
            return NULL; /* no backup reaches so far, or there is no room */
        }
        if (st == STET_OK) {
            st = stet__open_on(&w->os, restored, &opts, &got, &err);
        }
    }
    if (st != STET_OK) {
        world_fail(w, "restore: %s", err.text);
    }
    return got;
}

static void check_restored(const oracle *o, stet *s, rng *r)
{
    stet_error err = {0};
    stet *got = open_restored(o, r);
    if (got == NULL) {
        return;
    }
    compare(o, s, got);
    if (rng_below(r, 4) == 0 &&
        stet_verify(got, NULL, NULL, NULL, &err) != STET_OK) {
        world_fail(o->w, "restored, and not sound: %s", err.text);
    }
    (void)stet_close(got, NULL); /* was only read */
    memdisk_empty_folder(o->w->disk, restored);
}

void archive_check(oracle *o, stet *s, rng *r)
{
    if (o->deposit.number == 0) {
        return;
    }
    world *w = o->w;
    stet_opts opts = w->s.opts;
    opts.allocator = world_allocator(w);
    stet_restore_opts newest = {.store = &opts};
    stet_error err = {0};
    size_t count = find_deposit(o);
    if (rng_below(r, 4) == 0 && stet__backup_verify_on(&w->os, folder, &newest,
                                                       NULL, &err) != STET_OK) {
        world_fail(w, "%s", err.text);
    }
    if (rng_below(r, 2) == 0) {
        check_restored(o, s, r);
    }
    if (count > KEPT &&
        stet__backup_prune_on(&w->os, folder, KEPT, &opts.allocator, NULL,
                              &err) != STET_OK) {
        world_fail(w, "%s", err.text);
    }
}
