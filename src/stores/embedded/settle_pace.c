/*
 * Settling: when it is time, and how writers keep pace with it.
 */
#include "stores/embedded/settling.h"

static const int64_t delay_ns = 100000000;

/* Sealed segments that are not settled. */
static uint32_t count_waiting(stet_embedded *e)
{
    stet_files *table = stet__embedded_lend(e);
    uint32_t count = 0;
    for (uint32_t i = stet__settle_first(table); i < stet__files_count(table);
         i++) {
        count += table->items[i]->image == NULL;
    }
    stet__embedded_unlend(e, table);
    return count;
}

static bool has_merge(stet_embedded *e)
{
    stet_files *table = stet__embedded_lend(e);
    stet_settle_order order =
        stet__settle_choose_merge(e, table, stet__settle_whole());
    stet__embedded_unlend(e, table);
    return order.count > 0;
}

bool stet__settle_is_time(stet_embedded *e, int64_t *out_due)
{
    int64_t now = e->os->monotonic(e->os);
    if (e->settle_due != 0 && now < e->settle_due) {
        *out_due = e->settle_due;
        return false;
    }
    uint32_t waiting = count_waiting(e);
    bool may_have_work = waiting >= e->settle_segments || has_merge(e) ||
                         (waiting > 0 && e->unreadable != 0);
    bool is_pressing =
        waiting >= STET_SETTLE_SETS_PRESSING * e->settle_segments;
    return e->settle_segments > 0 && may_have_work &&
           (is_pressing ||
            stet__embedded_is_idle(e, &e->settle_lull, delay_ns, out_due));
}

static bool is_too_much(stet_embedded *e)
{
    return e->settle_segments > 0 &&
           count_waiting(e) > STET_SETTLE_SETS_MAX * e->settle_segments;
}

static uint64_t records_of_live(stet_embedded *e)
{
    stet__mutex_lock(e->os, &e->files);
    uint64_t from =
        e->live == NULL ? UINT64_MAX : e->live->header.first_position;
    stet__mutex_unlock(e->os, &e->files);
    uint64_t end = stet__embedded_watermark(e);
    return from > end ? 0 : end - from;
}

void stet__settle_ask(stet_embedded *e)
{
    if (is_too_much(e)) {
        /* Relaxed, here and below: nothing is read by these numbers. */
        uint64_t pace =
            atomic_load_explicit(&e->settle_pace, memory_order_relaxed);
        atomic_store_explicit(&e->settle_wanted, pace + records_of_live(e),
                              memory_order_relaxed);
    }
}

bool stet__settle_is_behind(stet_embedded *e)
{
    return atomic_load_explicit(&e->settle_pace, memory_order_relaxed) <
               atomic_load_explicit(&e->settle_wanted, memory_order_relaxed) &&
           !atomic_load_explicit(&e->is_settling_stuck, memory_order_relaxed) &&
           is_too_much(e);
}
