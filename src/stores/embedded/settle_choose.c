/*
 * Settling: which files are next.
 */
#include "stores/embedded/settling.h"

/* Has the segment ended for good, and its successor begun? Keeps (S3). */
static bool is_settleable(const stet_embedded *e, const stet_files *table,
                          uint32_t i)
{
    const stet_segment *s = table->items[i];
    return s->image == NULL && !stet__segment_is_set(s) && s != e->small &&
           !stet__slots_name(&e->slots, s->header.file) &&
           i + 1 < stet__files_count(table) &&
           table->items[i + 1]->header.first_position <
               stet__embedded_synced(e);
}

uint32_t stet__settle_first(const stet_files *table)
{
    uint32_t i = 0;
    while (i < stet__files_count(table) &&
           stet__segment_is_set(table->items[i])) {
        i++;
    }
    return i;
}

uint32_t stet__settle_sets_below(const stet_files *table, uint64_t below)
{
    uint32_t end = stet__settle_first(table);
    while (end > 0 && table->items[end - 1]->header.first_position >= below) {
        end--;
    }
    return end;
}

/* Whoever wants all to be settled is to hear of what cannot be read. */
static bool is_unreadable(const stet_embedded *e, const stet_segment *s,
                          stet_settle_zeal zeal)
{
    return !zeal.is_any && s->header.file == e->unreadable &&
           e->os->monotonic(e->os) < e->unreadable_due;
}

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t log_bytes(const stet_segment *s)
{
    return s->trailer.end_offset - STET_W;
}

static bool has_live(stet_embedded *e)
{
    stet__mutex_lock(e->os, &e->files);
    bool has = e->live != NULL;
    stet__mutex_unlock(e->os, &e->files);
    return has;
}

/*
 * Which segments are next. Without a live one all may be, whatever names them:
 * then `super` is written before they go.
 */
static stet_settle_order choose_segments(stet_embedded *e,
                                         const stet_files *table,
                                         stet_settle_zeal zeal)
{
    bool is_at_rest = zeal.is_any && !has_live(e);
    uint32_t most = e->settle_segments < STET_SETTLE_SEGMENTS_MAX
                        ? e->settle_segments
                        : STET_SETTLE_SEGMENTS_MAX;
    stet_settle_order order = {.first = stet__settle_first(table)};
    uint64_t bytes = 0;
    bool is_cut = false; /* by one that cannot be read */
    for (uint32_t i = order.first;
         i < stet__files_count(table) && order.count < most; i++) {
        const stet_segment *s = table->items[i];
        bool is_fit =
            s->header.first_position < zeal.below &&
            (is_at_rest ? s->image == NULL : is_settleable(e, table, i));
        if (is_unreadable(e, s, zeal)) {
            is_cut = true;
            break;
        }
        bytes += is_fit ? log_bytes(s) : 0;
        if (!is_fit || (order.count > 0 && bytes > STET_SET_LOG_BYTES_MAX)) {
            break;
        }
        order.count++;
    }
    bool is_worth = zeal.is_any || is_cut || order.count == most ||
                    bytes > STET_SET_LOG_BYTES_MAX;
    order.count = is_worth ? order.count : 0;
    return order;
}

/*
 * The small sets below `end` that are worth merging with the newest of them.
 *
 * A set is added while it holds no more than the newer ones together, so that
 * what is written again comes to lie in a set at least twice as large: a record
 * is written log2 times, and since no more than three sets stay between one and
 * the next twice as large, their number is logarithmic, too. What holds half as
 * much as STET_SETTLE_SEGMENTS_MAX segments is large enough.
 */
static stet_settle_order choose_sets(const stet_embedded *e,
                                     const stet_files *table, uint32_t end,
                                     stet_settle_zeal zeal)
{
    uint64_t whole = least(e->segment_bytes * STET_SETTLE_SEGMENTS_MAX,
                           STET_SET_LOG_BYTES_MAX);
    uint64_t bytes = 0;
    stet_settle_order order = {.first = end};
    while (order.first > 0 && order.count < STET_SETTLE_SEGMENTS_MAX) {
        const stet_segment *s = table->items[order.first - 1];
        uint64_t more = s->trailer.set.raw_bytes;
        if (more >= whole / 2 || is_unreadable(e, s, zeal) ||
            (order.count > 0 && more > bytes) || bytes + more > whole) {
            break;
        }
        bytes += more;
        order.first--;
        order.count++;
    }
    return order;
}

stet_settle_order stet__settle_choose_merge(const stet_embedded *e,
                                            const stet_files *table,
                                            stet_settle_zeal zeal)
{
    uint32_t end = stet__settle_sets_below(table, zeal.below);
    while (end > 0) {
        stet_settle_order order = choose_sets(e, table, end, zeal);
        if (order.count >= STET_MERGE_SETS_MIN) {
            return order;
        }
        end -= order.count > 0 ? order.count : 1;
    }
    return (stet_settle_order){0};
}

stet_settle_order stet__settle_choose(stet_embedded *e, const stet_files *table,
                                      stet_settle_zeal zeal)
{
    stet_settle_order order = choose_segments(e, table, zeal);
    return order.count > 0 ? order : stet__settle_choose_merge(e, table, zeal);
}
