#include "engine/callbacks.h"

#include <string.h>

#include "base/error.h"
#include "base/mark.h"

void stet__callbacks_init(stet_callbacks *c, const stet_allocator *alloc,
                          stet_os *os, uint32_t cap)
{
    memset(c, 0, sizeof(*c));
    c->alloc = alloc;
    c->os = os;
    c->cap = cap;
    c->fd = -1;
    stet__mutex_init(&c->mu, STET_RANK_LEAF);
}

void stet__callbacks_deinit(stet_callbacks *c)
{
    if (c->ring != NULL) {
        stet__free(c->alloc, c->ring, c->cap * sizeof(*c->ring));
    }
    if (c->fd >= 0) {
        (void)c->os->close(c->os, c->fd); /* carries no data */
    }
}

static stet_callback *at(stet_callbacks *c, uint32_t place)
{
    return &c->ring[(c->first + place) % c->cap];
}

/* Insert so that positions rise; most callbacks belong at the end. */
static void insert_locked(stet_callbacks *c, const stet_callback *item)
{
    uint32_t place = c->count;
    c->count++;
    while (place > 0 &&
           at(c, place - 1)->ticket.position > item->ticket.position) {
        *at(c, place) = *at(c, place - 1);
        place--;
    }
    *at(c, place) = *item;
}

stet_status stet__callbacks_add(stet_callbacks *c, const stet_callback *item,
                                stet_error *err)
{
    /* The ring is made outside the lock; the loser of a race frees his. */
    stet_callback *fresh = NULL;
    stet__mutex_lock(c->os, &c->mu);
    bool is_first = c->ring == NULL;
    stet__mutex_unlock(c->os, &c->mu);
    if (is_first) {
        fresh = stet__alloc_zeroed(c->alloc, c->cap, sizeof(*fresh));
        if (fresh == NULL) {
            return stet__fail(err, STET_E_NOMEM, 0, "%u callbacks", c->cap);
        }
    }
    stet__mutex_lock(c->os, &c->mu);
    if (c->ring == NULL) {
        c->ring = fresh;
        fresh = NULL;
    }
    bool is_full = c->count == c->cap;
    if (!is_full) {
        insert_locked(c, item);
    }
    stet__mutex_unlock(c->os, &c->mu);
    stet__free(c->alloc, fresh, c->cap * sizeof(*fresh));
    if (is_full) {
        STET_MARK("callbacks.full");
        return stet__fail(err, STET_E_BUSY, 0,
                          "%u callbacks wait already; call stet_poll", c->cap);
    }
    return STET_OK;
}

static bool is_due(stet_callbacks *c, uint64_t watermark, bool is_poisoned)
{
    return c->count > 0 &&
           (is_poisoned || at(c, 0)->ticket.position < watermark);
}

void stet__callbacks_notify(stet_callbacks *c, uint64_t watermark,
                            bool is_poisoned)
{
    stet__mutex_lock(c->os, &c->mu);
    bool is_wanted =
        c->fd >= 0 && !c->is_signalled && is_due(c, watermark, is_poisoned);
    c->is_signalled = c->is_signalled || is_wanted;
    int fd = c->fd;
    stet__mutex_unlock(c->os, &c->mu);
    if (is_wanted) {
        STET_MARK("callbacks.signalled");
        c->os->event_signal(c->os, fd);
    }
}

void stet__callbacks_begin(stet_callbacks *c)
{
    stet__mutex_lock(c->os, &c->mu);
    int fd = c->fd;
    stet__mutex_unlock(c->os, &c->mu);
    if (fd < 0) {
        return;
    }
    /*
     * Clear first: a notice that comes before the flag falls belongs to a
     * watermark that the takes after this will see. Clear always: the signal
     * of a notice that an earlier poll already answered may come after it.
     */
    c->os->event_clear(c->os, fd);
    stet__mutex_lock(c->os, &c->mu);
    c->is_signalled = false;
    stet__mutex_unlock(c->os, &c->mu);
}

bool stet__callbacks_take(stet_callbacks *c, uint64_t watermark,
                          bool is_poisoned, stet_callback *out)
{
    stet__mutex_lock(c->os, &c->mu);
    bool is_taken = is_due(c, watermark, is_poisoned);
    if (is_taken) {
        *out = *at(c, 0);
        c->first = (c->first + 1) % c->cap;
        c->count--;
    }
    stet__mutex_unlock(c->os, &c->mu);
    return is_taken;
}

int stet__callbacks_fd(stet_callbacks *c)
{
    stet__mutex_lock(c->os, &c->mu);
    int fd = c->fd;
    stet__mutex_unlock(c->os, &c->mu);
    if (fd >= 0) {
        return fd;
    }
    int fresh = c->os->event_create(c->os);
    if (fresh < 0) {
        return -1;
    }
    stet__mutex_lock(c->os, &c->mu);
    if (c->fd < 0) {
        c->fd = fresh;
        fresh = -1;
    }
    fd = c->fd;
    stet__mutex_unlock(c->os, &c->mu);
    if (fresh >= 0) {
        (void)c->os->close(c->os, fresh); /* carries no data */
    }
    return fd;
}
