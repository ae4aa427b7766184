#include "core/lineage.h"

#include <inttypes.h>

#include "base/assert.h"
#include "base/error.h"

/* A copy of a machine's key, which outlives the segment that told it. */
typedef struct key_copy {
    uint8_t id[STET_RECORD_ID_BYTES_MAX];
    stet_machine_key key;
} key_copy;

static void copy_key(key_copy *copy, stet_machine_key key)
{
    STET_ASSERT(key.id.len <= sizeof copy->id);
    memcpy(copy->id, key.id.ptr, key.id.len);
    copy->key = (stet_machine_key){
        .id = stet_slice_of(copy->id, key.id.len),
        .ns = key.ns,
    };
}

/* Find the machine's newest run that has a record up to target->top. */
static stet_status enter(const stet_lineage_view *view, stet_target *target,
                         stet_reach *out, stet_error *err)
{
    uint64_t position = target->top;
    while (true) {
        uint64_t first = 0;
        if (position > 0 && view->narrow != NULL) {
            position = view->narrow(view->ctx, target->key, position);
        }
        const void *segment =
            position == 0 ? NULL : view->locate(view->ctx, position, &first);
        if (segment == NULL) {
            break;
        }
        STET_ASSERT(first > 0 && first <= position);
        stet_status st = view->reach(view->ctx, segment, target, out, err);
        if (st != STET_E_NOT_FOUND) {
            return st;
        }
        position = first - 1;
    }
    return stet__fail(err, STET_E_NOT_FOUND, 0, "no such machine");
}

/* Which of a run's links leads towards the bound fastest? */
static const stet_run_link *choose(const stet_reach *reach, stet_bound bound)
{
    stet_point far = {
        .seq = reach->jump.seq,
        .position = reach->jump.position,
        .occurred_max = reach->jump.occurred_max,
    };
    bool is_far = far.position != 0 && stet__point_is_above(far, bound);
    return is_far ? &reach->jump : &reach->previous;
}

/* Follow a link: the run at its position must be there. */
static stet_status land(const stet_lineage_view *view, stet_target *target,
                        stet_reach *out, stet_error *err)
{
    uint64_t first = 0;
    const void *segment = view->locate(view->ctx, target->top, &first);
    stet_status st = segment == NULL
                         ? STET_E_NOT_FOUND
                         : view->reach(view->ctx, segment, target, out, err);
    if (st == STET_E_NOT_FOUND) {
        st = stet__fail(err, STET_E_CORRUPT, 0,
                        "position %" PRIu64 " is not what a link to it says",
                        target->top);
    }
    return st;
}

stet_status stet__lineage_seek(const stet_lineage_view *view,
                               stet_machine_key key, stet_bound bound,
                               uint64_t below, stet_point *out, stet_error *err)
{
    STET_ASSERT(below > 0);
    key_copy copy;
    stet_reach reach = {0};
    /* The newest run, also for an early position: that of a fork born after it
     * leads to its parent. */
    stet_target target = {.key = key, .top = below - 1, .bound = bound};
    stet_status st = enter(view, &target, &reach, err);
    while (st == STET_OK && !reach.is_found) {
        const stet_run_link *link = choose(&reach, bound);
        if (link->position == 0) {
            return stet__fail(err, STET_E_NOT_FOUND, 0,
                              "the machine has no event so early");
        }
        if (link->position >= reach.first.position) {
            return stet__fail(err, STET_E_CORRUPT, 0,
                              "position %" PRIu64 " links up, to %" PRIu64,
                              reach.first.position, link->position);
        }
        target.seq = link == &reach.jump ? link->seq : reach.first.seq - 1;
        target.top = link->position;
        if (link->key.id.len > 0) {
            copy_key(&copy, link->key);
            target.key = copy.key;
        }
        st = land(view, &target, &reach, err);
    }
    if (st == STET_OK) {
        *out = reach.point;
    }
    return st;
}
