#include "stores/embedded/slots.h"

#include <errno.h>
#include <string.h>

#include "base/assert.h"
#include "base/error.h"
#include "base/mark.h"
#include "stores/embedded/names.h"

static const char super_name[] = "super";
static const char temporary_name[] = "tmp-0";

stet_status stet__slots_read(stet_slots *s, stet_error *err)
{
    uint8_t block[2 * STET_W];
    int64_t n = s->os->pread(s->os, s->fd, block, sizeof block, 0);
    if (n < 0) {
        return stet__os_fail(err, (int)n, "read %s", super_name);
    }
    stet_status slot_st[2];
    for (unsigned i = 0; i < 2; i++) {
        /* A slot that is not all there is not sound. */
        bool is_there = (uint64_t)n >= (i + 1) * (uint64_t)STET_W;
        slot_st[i] =
            is_there ? stet__super_get(block + i * STET_W, &s->slots[i], err)
                     : STET_E_CORRUPT;
        if (slot_st[i] == STET_E_FORMAT) {
            return stet__wrap(err, STET_E_FORMAT, "%s at offset %u", super_name,
                              i * (unsigned)STET_W);
        }
        s->is_sound[i] = slot_st[i] == STET_OK;
        if (!s->is_sound[i]) {
            s->slots[i] = (stet_super){0}; /* it names and promises nothing */
        }
    }
    if (!s->is_sound[0] && !s->is_sound[1]) {
        return stet__fail(err, STET_E_CORRUPT, 0,
                          "%s at offset 0: neither slot is sound", super_name);
    }
    if (!s->is_sound[0] || !s->is_sound[1]) {
        STET_MARK("super.one_slot_unsound");
    }
    stet__error_reset(err);
    s->newer =
        !s->is_sound[0] ||
        (s->is_sound[1] && s->slots[1].generation > s->slots[0].generation);
    s->next = s->is_sound[!s->newer] ? s->newer : !s->newer;
    return STET_OK;
}

stet_status stet__slots_open(stet_slots *s, stet_os *os, int dir,
                             bool is_readonly, stet_error *err)
{
    *s = (stet_slots){.os = os, .fd = -1};
    int fd = os->open(os, dir, super_name, is_readonly ? 0 : STET_OPEN_WRITE);
    if (fd == -ENOENT) {
        return stet__fail(err, STET_E_NOT_FOUND, 0, "no %s", super_name);
    }
    if (fd < 0) {
        return stet__os_fail(err, fd, "open %s", super_name);
    }
    s->fd = fd;
    stet_status st = stet__slots_read(s, err);
    if (st != STET_OK) {
        stet__slots_close(s);
    }
    return st;
}

void stet__slots_close(stet_slots *s)
{
    if (s->fd >= 0) {
        (void)s->os->close(s->os, s->fd); /* all writes were synced */
        s->fd = -1;
    }
}

/* Fill both slots of a new file and sync it. */
static int fill(stet_os *os, int fd, const stet_super *first)
{
    uint8_t block[2 * STET_W];
    stet_super super = *first;
    super.generation = 1;
    stet__super_put(&super, block);
    super.generation = 2;
    stet__super_put(&super, block + STET_W);
    int rc = os->pwrite(os, fd, block, sizeof block, 0);
    return rc < 0 ? rc : os->sync(os, fd);
}

stet_status stet__slots_create(stet_os *os, int dir, const stet_super *first,
                               stet_error *err)
{
    int fd = os->open(os, dir, temporary_name,
                      STET_OPEN_WRITE | STET_OPEN_CREATE | STET_OPEN_EXCLUSIVE);
    if (fd < 0) {
        return stet__os_fail(err, fd, "create %s", super_name);
    }
    int rc = fill(os, fd, first);
    int closed = os->close(os, fd);
    rc = rc < 0 ? rc : closed;
    if (rc < 0) {
        (void)os->unlink(os, dir, temporary_name); /* the next open does it */
        return stet__os_fail(err, rc, "write %s", super_name);
    }
    rc = os->rename(os, dir, temporary_name, super_name);
    rc = rc < 0 ? rc : os->sync(os, dir);
    return rc < 0 ? stet__os_fail(err, rc, "name %s", super_name) : STET_OK;
}

const stet_super *stet__slots_newest(const stet_slots *s)
{
    return &s->slots[s->newer];
}

uint64_t stet__slots_mark(const stet_slots *s)
{
    return s->slots[0].mark < s->slots[1].mark ? s->slots[0].mark
                                               : s->slots[1].mark;
}

stet_status stet__slots_write(stet_slots *s, stet_super *super, stet_error *err)
{
    uint8_t block[STET_W];
    unsigned slot = s->next;
    super->generation = stet__slots_newest(s)->generation + 1;
    stet__super_put(super, block);
    int rc = s->os->pwrite(s->os, s->fd, block, sizeof block,
                           (uint64_t)slot * STET_W);
    rc = rc < 0 ? rc : s->os->datasync(s->os, s->fd);
    if (rc < 0) {
        return stet__os_fail(err, rc, "write %s", super_name);
    }
    s->slots[slot] = *super;
    s->is_sound[slot] = true;
    s->newer = slot;
    s->next = !slot;
    return STET_OK;
}

static bool names(const stet_super *s, uint32_t file)
{
    return s->live == file || s->spare[0] == file || s->spare[1] == file ||
           s->clean_file == file;
}

bool stet__slots_name(const stet_slots *s, uint32_t file)
{
    STET_ASSERT(file != 0);
    return names(&s->slots[0], file) || names(&s->slots[1], file);
}
