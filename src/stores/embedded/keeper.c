/*
 * The keeper's step: one piece of the work that nobody waits for.
 */
#include "base/error.h"
#include "base/mark.h"
#include "stores/embedded/log.h"

/*
 * An idle store says in `super` what is durable, so that damage to it shows: in
 * both slots, so that damage to one of them does not hide it again.
 */
static const int64_t mark_delay_ns = 1000000000;

/* Does `super` say all there is to say? After a clean stop trailers do, too. */
static bool is_marked(const stet_embedded *e)
{
    const stet_super *newest = stet__slots_newest(&e->slots);
    uint64_t synced = stet__embedded_synced(e);
    return synced <= stet__slots_mark(&e->slots) ||
           (newest->clean_file != 0 && synced <= newest->mark);
}

bool stet__embedded_is_idle(const stet_embedded *e, stet_lull *lull,
                            int64_t delay_ns, int64_t *out_due)
{
    uint64_t watermark = stet__embedded_watermark(e);
    int64_t now = e->os->monotonic(e->os);
    if (watermark != lull->watermark) {
        *lull = (stet_lull){watermark, now};
    }
    int64_t due = lull->since + delay_ns;
    if (now >= due) {
        return true;
    }
    *out_due = due;
    return false;
}

/* Write the mark once nothing was published for a while. */
static stet_status keep_mark(stet_embedded *e, int64_t *out_due,
                             stet_error *err)
{
    if (is_marked(e) ||
        !stet__embedded_is_idle(e, &e->lull, mark_delay_ns, out_due)) {
        return STET_OK;
    }
    stet_status st = STET_OK;
    while (st == STET_OK && !is_marked(e)) {
        STET_MARK("keeper.idle_mark");
        st = stet__embedded_write_super(e, err);
    }
    return st;
}

/* What no writer waits for; it gives space back or needs none. */
static stet_status step_behind(stet_embedded *e, bool *out_did,
                               int64_t *out_due, stet_error *err)
{
    stet_status st = stet__seal_oldest(e, out_did, err);
    if (st == STET_OK && !*out_did) {
        st = stet__embedded_remove_doomed(e, err);
    }
    if (st == STET_OK && !*out_did) {
        st = keep_mark(e, out_due, err);
    }
    return st;
}

static stet_status step(stet_embedded *e, bool *out_did, int64_t *out_due,
                        stet_error *err)
{
    *out_due = 0;
    stet_status room = stet__room_ahead(e, out_did, err); /* writers wait */
    bool is_in_need = room == STET_E_NOSPACE || room == STET_E_NOMEM;
    if (!is_in_need && (room != STET_OK || *out_did)) {
        return room;
    }
    stet_status st = step_behind(e, out_did, out_due, err);
    return st == STET_OK && !*out_did ? room : st;
}

stet_status stet__keeper_step(stet_log *log, bool *out_more, int64_t *out_due,
                              stet_error *err)
{
    stet_embedded *e = stet__embedded_of(log);
    bool did = false;
    int64_t due = 0;
    stet_status st = STET_OK;
    if (!e->is_readonly && !stet__embedded_is_poisoned(e)) {
        st = step(e, &did, &due, err);
    }
    st = stet__embedded_after_work(e, st);
    *out_more = did && st == STET_OK;
    if (out_due != NULL) {
        *out_due = due;
    }
    return st;
}
