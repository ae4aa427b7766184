#include "stores/embedded/making.h"

#include <inttypes.h>

#include "base/error.h"

stet_status stet__making_begin(stet_making *m, stet_embedded *e,
                               stet_error *err)
{
    *m = (stet_making){.e = e, .fd = -1};
    return stet__embedded_take_number(e, &m->number, err);
}

stet_status stet__making_create(stet_making *m, stet_error *err)
{
    char name[STET_OS_NAME_MAX];
    stet_os *os = m->e->os;
    stet__name_temporary(m->number, name);
    m->fd = os->open(os, m->e->dir, name,
                     STET_OPEN_WRITE | STET_OPEN_CREATE | STET_OPEN_EXCLUSIVE);
    m->is_there = m->fd >= 0;
    return m->is_there ? STET_OK : stet__os_fail(err, m->fd, "create %s", name);
}

stet_status stet__making_failed(const stet_making *m, int rc, const char *verb,
                                stet_error *err)
{
    return stet__os_fail(err, rc, "%s tmp-%" PRIu32, verb, m->number);
}

stet_status stet__making_write(stet_making *m, stet_slice bytes,
                               stet_error *err)
{
    stet_os *os = m->e->os;
    int rc = os->pwrite(os, m->fd, bytes.ptr, bytes.len, m->written);
    if (rc < 0) {
        return stet__making_failed(m, rc, "write", err);
    }
    m->written += bytes.len;
    return STET_OK;
}

stet_status stet__making_sync(stet_making *m, bool is_whole, stet_error *err)
{
    stet_os *os = m->e->os;
    int rc = is_whole ? os->sync(os, m->fd) : os->datasync(os, m->fd);
    if (rc >= 0) {
        return STET_OK;
    }
    stet__embedded_poison(m->e);
    return stet__making_failed(m, rc, "sync", err);
}

stet_status stet__making_name(stet_making *m, stet_name_kind kind,
                              stet_error *err)
{
    char name[STET_OS_NAME_MAX];
    char temporary[STET_OS_NAME_MAX];
    stet__name_file(kind, m->number, name);
    stet__name_temporary(m->number, temporary);
    stet_status st = stet__embedded_rename(m->e, temporary, name, err);
    m->is_there = st != STET_OK;
    return st;
}

void stet__making_drop(stet_making *m)
{
    if (m->fd >= 0) {
        (void)m->e->os->close(m->e->os, m->fd); /* means nothing yet */
        m->fd = -1;
    }
    if (m->is_there && !stet__embedded_is_poisoned(m->e)) {
        char name[STET_OS_NAME_MAX];
        stet__name_temporary(m->number, name);
        (void)m->e->os->unlink(m->e->os, m->e->dir, name); /* or open does */
    }
    m->is_there = false;
}
