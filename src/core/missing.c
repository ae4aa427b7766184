#include "core/missing.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/error.h"

/*
 * From the highest position down. A stretch comes up at its last position and
 * stays open until all its events have a place; of those open the one whose
 * room ends first goes first.
 */
typedef struct placing {
    stet_stretch *stretches;
    uint64_t *left; /* of each stretch: events without a place */
    uint32_t *heap; /* open ones, the one with the greatest `above` on top */
    uint32_t open;
} placing;

static uint64_t above_of(const placing *p, uint32_t i)
{
    return p->stretches[p->heap[i]].above;
}

static void swap(placing *p, uint32_t a, uint32_t b)
{
    uint32_t t = p->heap[a];
    p->heap[a] = p->heap[b];
    p->heap[b] = t;
}

static void push(placing *p, uint32_t stretch)
{
    uint32_t i = p->open++;
    p->heap[i] = stretch;
    while (i > 0 && above_of(p, (i - 1) / 2) < above_of(p, i)) {
        swap(p, i, (i - 1) / 2);
        i = (i - 1) / 2;
    }
}

static void pop(placing *p)
{
    p->heap[0] = p->heap[--p->open];
    uint32_t i = 0;
    for (;;) {
        uint32_t child = 2 * i + 1;
        if (child + 1 < p->open &&
            above_of(p, child + 1) > above_of(p, child)) {
            child++;
        }
        if (child >= p->open || above_of(p, child) <= above_of(p, i)) {
            return;
        }
        swap(p, i, child);
        i = child;
    }
}

static stet_status no_room(const stet_stretch *s, stet_error *err)
{
    return stet__fail(err, STET_E_CORRUPT, 0,
                      "%.*s: no room for %" PRIu64 " lost events up to "
                      "position %" PRIu64,
                      (int)(s->key.id.len > 64 ? 64 : s->key.id.len),
                      (const char *)s->key.id.ptr,
                      s->last_seq - s->first_seq + 1, s->last_position);
}

/* Stretches by falling last position. */
static int compare_last(const void *a, const void *b)
{
    const stet_stretch *const *x = a;
    const stet_stretch *const *y = b;
    return ((*x)->last_position < (*y)->last_position) -
           ((*x)->last_position > (*y)->last_position);
}

/* Give lost[i] away; `*next` walks over the stretches that come up. */
static stet_status place(placing *p, uint64_t position,
                         stet_stretch *const **next, stet_stretch *const *end,
                         uint32_t *out, stet_error *err)
{
    *out = STET_MISSING_NONE;
    if (*next < end && (**next)->last_position == position) {
        *out = (uint32_t)(**next - p->stretches);
        (*next)++;
        if (--p->left[*out] > 0) {
            push(p, *out);
        }
        return STET_OK;
    }
    if (*next < end && (**next)->last_position > position) {
        return no_room(**next, err); /* it is not lost, or another's last */
    }
    if (p->open == 0) {
        return STET_OK;
    }
    uint32_t top = p->heap[0];
    if (p->stretches[top].above >= position) {
        return no_room(&p->stretches[top], err);
    }
    *out = top;
    if (--p->left[top] == 0) {
        pop(p);
    }
    return STET_OK;
}

static stet_status place_all(placing *p, stet_stretch *const *order,
                             uint32_t count, const stet_places *places,
                             stet_error *err)
{
    stet_stretch *const *next = order;
    for (size_t i = places->count; i > 0; i--) {
        stet_status st = place(p, places->positions[i - 1], &next,
                               order + count, &places->stretches[i - 1], err);
        if (st != STET_OK) {
            return st;
        }
    }
    if (next < order + count) {
        return no_room(*next, err);
    }
    for (; p->open > 0; p->open--) {
        stet_stretch *s = &p->stretches[p->heap[p->open - 1]];
        if (s->above > 0) {
            return no_room(s, err);
        }
        s->first_seq += p->left[s - p->stretches];
    }
    return STET_OK;
}

stet_status stet__missing_place(const stet_allocator *alloc,
                                stet_stretch *stretches, uint32_t count,
                                const stet_places *places, stet_error *err)
{
    size_t room = (size_t)count + 1;
    stet_stretch **order = stet__alloc_zeroed(alloc, room, sizeof *order);
    placing p = {
        .stretches = stretches,
        .left = stet__alloc_zeroed(alloc, room, sizeof *p.left),
        .heap = stet__alloc_zeroed(alloc, room, sizeof *p.heap),
    };
    stet_status st = STET_E_NOMEM;
    if (order == NULL || p.left == NULL || p.heap == NULL) {
        st = stet__fail(err, st, 0, "no memory to place what is lost");
        goto out;
    }
    for (uint32_t i = 0; i < count; i++) {
        order[i] = &stretches[i];
        p.left[i] = stretches[i].last_seq - stretches[i].first_seq + 1;
    }
    qsort(order, count, sizeof(stet_stretch *), compare_last);
    st = place_all(&p, order, count, places, err);
out:
    stet__free(alloc, order, room * sizeof *order);
    stet__free(alloc, p.left, room * sizeof *p.left);
    stet__free(alloc, p.heap, room * sizeof *p.heap);
    return st;
}
