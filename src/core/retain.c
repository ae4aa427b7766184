#include "core/retain.h"

#include "base/assert.h"

/* The first of rising positions that is not below `at`; `count`: none is. */
static size_t first_from(const uint64_t *rising, size_t count, uint64_t at)
{
    size_t from = 0;
    size_t to = count;
    while (from < to) {
        size_t middle = from + (to - from) / 2;
        if (rising[middle] < at) {
            from = middle + 1;
        } else {
            to = middle;
        }
    }
    return from;
}

static bool is_pinned(const stet_wants *w, uint64_t position)
{
    size_t i = first_from(w->pins, w->pin_count, position);
    return i < w->pin_count && w->pins[i] == position;
}

/* Is there a cut at which it was the newest? */
static bool is_newest_at_a_cut(const stet_wants *w, stet_place at)
{
    size_t i = first_from(w->cuts, w->cut_count, at.position);
    return i < w->cut_count && w->cuts[i] < at.next_position;
}

bool stet__retain_wants(const stet_wants *w, stet_place at)
{
    if (at.seq >= w->head_seq) {
        return true;
    }
    for (size_t i = 0; i < w->claim_count; i++) {
        const stet_lineage_claim *c = &w->claims[i];
        if (at.seq < c->end_seq && at.seq >= c->floor_seq &&
            at.position >= c->floor_position) {
            return true;
        }
    }
    return is_pinned(w, at.position) || is_newest_at_a_cut(w, at);
}

/* Is what comes before it going, now or later? */
static bool is_left_alone(const stet_wants *w, const stet_retained *r)
{
    if (r->previous_position == 0) {
        return false;
    }
    if (r->is_first_own) {
        return r->is_previous_erased; /* this fork pins it */
    }
    stet_place before = {
        .seq = r->at.seq - 1,
        .position = r->previous_position,
        .next_position = r->at.position,
    };
    return r->at.seq <= w->erase_end || !stet__retain_wants(w, before);
}

stet_fate stet__retain_fate(const stet_wants *w, const stet_retained *r)
{
    STET_ASSERT(r->at.seq > 0 && r->at.position > r->previous_position);
    if (r->is_dropped) {
        return STET_FATE_KEEP;
    }
    if (r->is_next_free && !stet__retain_wants(w, r->at)) {
        return STET_FATE_DROP;
    }
    if (r->is_erased) {
        return STET_FATE_KEEP;
    }
    if (r->is_next_free && r->at.seq < w->erase_end) {
        return STET_FATE_ERASE;
    }
    return !r->is_base && is_left_alone(w, r) ? STET_FATE_BASE : STET_FATE_KEEP;
}
