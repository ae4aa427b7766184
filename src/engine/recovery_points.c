/* Recovery points: the bases and the checkpoints along a machine's history. */
#include <stet/recovery.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include <stet/checkpoint.h>

#include "base/arena.h"
#include "base/error.h"
#include "engine/handle.h"

static stet_status nomem(stet_error *err)
{
    return stet__fail(err, STET_E_NOMEM, 0, "list of recovery points");
}

/* A checkpoint of the machine. */
typedef struct mark {
    uint64_t seq;
    stet_slice name; /* in the arena */
} mark;

struct stet_recovery_points {
    stet *s;
    stet_history *events;
    stet_arena arena;
    stet_buf marks; /* mark, by seq */
    size_t mark_idx;
    const stet_event *event; /* whose points are being given; or NULL */
    bool is_base_given;
    uint64_t transitions;
    stet_recovery_point point;
};

static int by_seq(const void *a, const void *b)
{
    const mark *x = a;
    const mark *y = b;
    return (x->seq > y->seq) - (x->seq < y->seq);
}

static stet_status read_marks(stet_recovery_points *p, stet_slice id,
                              uint8_t ns, stet_error *err)
{
    stet_checkpoints *list = NULL;
    const stet_checkpoint *c = NULL;
    stet_status st = stet_checkpoints_open(p->s, id, ns, &list, err);
    while (st == STET_OK &&
           (st = stet_checkpoints_next(list, &c, err)) == STET_OK) {
        mark m = {c->turn_number, stet__arena_copy(&p->arena, c->name)};
        stet__buf_put(&p->marks, &m, sizeof m);
        st = m.name.ptr == NULL || p->marks.is_failed ? nomem(err) : STET_OK;
    }
    stet_checkpoints_close(list);
    if (p->marks.len > 0) {
        qsort(p->marks.ptr, p->marks.len / sizeof(mark), sizeof(mark), by_seq);
    }
    return st == STET_DONE ? STET_OK : st;
}

stet_status stet_recovery_points_open(stet *s, stet_slice id, uint8_t ns,
                                      stet_recovery_points **out,
                                      stet_error *err)
{
    stet__error_reset(err);
    stet_history_opts o = {.ns = ns};
    stet_recovery_points *p = stet__alloc_zeroed(&s->alloc, 1, sizeof *p);
    if (p == NULL) {
        return nomem(err);
    }
    p->s = s;
    stet__arena_init(&p->arena, &s->alloc);
    stet__buf_init(&p->marks, &s->alloc);
    stet_status st = stet_history_open(s, id, &o, &p->events, err);
    if (st == STET_OK) {
        st = read_marks(p, id, ns, err);
    }
    if (st != STET_OK) {
        stet_recovery_points_close(p);
        return st;
    }
    *out = p;
    return STET_OK;
}

/* Give the next point that the event at hand is; false: no more. */
static bool give_point(stet_recovery_points *p)
{
    const stet_event *e = p->event;
    stet_recovery_point *out = &p->point;
    const mark *marks = (const void *)p->marks.ptr;
    size_t count = p->marks.len / sizeof *marks;
    if (e == NULL) {
        return false;
    }
    *out = (stet_recovery_point){.seq = e->seq,
                                 .timestamp = e->timestamp,
                                 .transition_count = p->transitions,
                                 .metadata = e->metadata};
    if ((e->flags & STET_EVENT_BASE) != 0 && !p->is_base_given) {
        p->is_base_given = true;
        out->is_snapshot = true;
        (void)snprintf(out->recovery_id, sizeof out->recovery_id, "%" PRIu64,
                       e->seq);
        return true;
    }
    while (p->mark_idx < count && marks[p->mark_idx].seq < e->seq) {
        p->mark_idx++; /* its event was dropped or erased */
    }
    if (p->mark_idx < count && marks[p->mark_idx].seq == e->seq) {
        stet_slice name = marks[p->mark_idx++].name;
        (void)snprintf(out->recovery_id, sizeof out->recovery_id, "@%.*s",
                       (int)name.len, (const char *)name.ptr);
        return true;
    }
    return false;
}

stet_status stet_recovery_points_next(stet_recovery_points *p,
                                      const stet_recovery_point **out,
                                      stet_error *err)
{
    stet__error_reset(err);
    while (!give_point(p)) {
        stet_status st = stet_history_next(p->events, &p->event, err);
        if (st != STET_OK) {
            p->event = NULL;
            return st;
        }
        p->is_base_given = false;
        p->transitions += p->event->kind == STET_EVENT_TRANSITIONED;
    }
    *out = &p->point;
    return STET_OK;
}

void stet_recovery_points_close(stet_recovery_points *p)
{
    if (p == NULL) {
        return;
    }
    stet_history_close(p->events);
    stet__buf_deinit(&p->marks);
    stet__arena_deinit(&p->arena);
    stet__free(&p->s->alloc, p, sizeof *p);
}
