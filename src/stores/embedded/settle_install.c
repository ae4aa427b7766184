/*
 * Settling: a finished set takes the place of its inputs.
 */
#include "base/error.h"
#include "base/mark.h"
#include "stores/embedded/names.h"
#include "stores/embedded/settling.h"

/* Are the inputs still those of the table? One may have been reindexed. */
static bool are_in_table(const stet_settling *w)
{
    const stet_files *table = w->e->table;
    uint32_t first =
        stet__files_locate(table, w->segments[0]->header.first_position);
    bool are_in = first + w->count <= stet__files_count(table);
    for (uint32_t i = 0; are_in && i < w->count; i++) {
        are_in = table->items[first + i] == w->segments[i];
    }
    return are_in;
}

/* Does a slot of `super` name an input? */
static bool is_named(const stet_settling *w)
{
    bool is = false;
    for (uint32_t i = 0; i < w->count; i++) {
        is = is || stet__slots_name(&w->e->slots, w->segments[i]->header.file);
    }
    return is;
}

static void mark_kind(const stet_settling *w)
{
    if (stet__segment_is_set(w->segments[0])) {
        STET_MARK("settle.merged");
    } else {
        STET_MARK("settle.named");
    }
    if (w->is_final) {
        STET_MARK("settle.the_last_segment_too");
    }
}

/*
 * Name the set, then show it. From the name on it counts at the next open; if
 * it cannot be shown in this one, it goes again.
 */
static stet_status name_and_show(stet_settling *w, stet_segment *set,
                                 stet_error *err)
{
    stet_embedded *e = w->e;
    stet_status st = stet__making_name(&w->file, STET_NAME_SET, err);
    if (st != STET_OK) {
        return st;
    }
    w->file.fd = -1; /* the set's */
    st = stet__embedded_replace_many(e, w->segments, w->count, set, err);
    if (st != STET_OK) {
        stet__embedded_doom(e, w->file.number, STET_NAME_SET);
        return st;
    }
    for (uint32_t i = 0; i < w->count; i++) {
        stet_segment *s = w->segments[i];
        e->small = e->small == s ? NULL : e->small;
        if (stet__segment_is_set(s) || w->retain.has_cut) {
            stet__embedded_doom(e, s->header.file, stet__segment_kind(s));
        } else {
            stet__spare_offer(e, s);
        }
    }
    if (w->retain.has_cut) { /* what went may be in what is kept, too */
        stet__spare_give_up(e);
    }
    mark_kind(w);
    /* Both slots, if need be, before what they name goes: keeps (S2). */
    for (unsigned i = 0; i < 2 && is_named(w) && st == STET_OK; i++) {
        st = stet__embedded_write_super(e, err);
    }
    return st;
}

/*
 * The same of a set in which something went, while nothing can be pinned. From
 * its name on it counts, so nothing may be pinned either until it is shown, or
 * is no more.
 */
static stet_status install_cut(stet_settling *w, stet_segment *set,
                               stet_error *err)
{
    stet_embedded *e = w->e;
    const stet_retention *ask = w->retain.ask;
    if (!ask->close_gate(ask->ctx)) {
        STET_MARK("settle.pinned_meanwhile");
        e->is_next_plain = !e->is_retain_due;
        return STET_OK;
    }
    stet_status st = name_and_show(w, set, err);
    if (st != STET_OK && w->file.fd < 0 && !stet__embedded_is_poisoned(e)) {
        (void)stet__embedded_remove_doomed(e, NULL); /* or it poisons */
    }
    ask->open_gate(ask->ctx);
    return st;
}

stet_status stet__settle_install(stet_settling *w, stet_error *err)
{
    stet_embedded *e = w->e;
    if (!are_in_table(w)) {
        return STET_OK;
    }
    stet_segment_header header = stet__set_header(&w->draft.index.trailer);
    stet_segment *set =
        stet__segment_create(e->alloc, e->os, w->file.fd, &header);
    if (set == NULL) {
        return stet__fail(err, STET_E_NOMEM, 0, "no memory for a set");
    }
    set->trailer = w->draft.index.trailer;
    set->unpacked = &e->unpacked;
    set->end = set->trailer.end_offset;
    stet_status st = w->retain.has_cut ? install_cut(w, set, err)
                                       : name_and_show(w, set, err);
    w->is_installed = st == STET_OK && w->file.fd < 0;
    if (w->file.fd >= 0) {
        set->fd = -1; /* still ours */
    }
    stet__segment_unref(set);
    return st;
}
