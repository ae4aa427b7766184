#include "engine/lease.h"

#include "base/bytes.h"
#include "base/error.h"
#include "engine/handle.h"

stet_status stet__lease_take(stet *s, stet_lease *lease, stet_slice id,
                             const char *what, stet_error *err)
{
    bool is_taken = false;
    stet__mutex_lock(s->os, &s->leases.mu);
    for (const stet_lease *l = s->leases.first; l != NULL; l = l->next) {
        is_taken = is_taken || stet__slice_eq(l->id, id);
    }
    if (!is_taken) {
        *lease = (stet_lease){s->leases.first, id};
        s->leases.first = lease;
    }
    stet__mutex_unlock(s->os, &s->leases.mu);
    /* Behind the letter that says what kind of machine it is. */
    stet_slice name = stet_slice_of((const char *)id.ptr + 1, id.len - 1);
    return is_taken ? stet__fail(err, STET_E_LOCKED, 0,
                                 "%s %s is open in this process", what,
                                 stet__id_text(name).text)
                    : STET_OK;
}

void stet__lease_give(stet *s, stet_lease *lease)
{
    stet__mutex_lock(s->os, &s->leases.mu);
    stet_lease **link = &s->leases.first;
    while (*link != NULL && *link != lease) {
        link = &(*link)->next;
    }
    if (*link != NULL) {
        *link = lease->next;
    }
    stet__mutex_unlock(s->os, &s->leases.mu);
}
