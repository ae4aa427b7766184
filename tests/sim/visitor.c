#include "sim/visitor.h"

#include "engine/handle.h"

enum { LOOKS_MAX = 5 };

/* The newest records, which were made durable a moment ago. */
static stet_status look_at_records(oracle *o, stet *s, rng *r, stet_error *err)
{
    uint64_t end = stet__watermark(&s->pipeline);
    uint64_t count = 1 + rng_below(r, LOOKS_MAX);
    uint64_t from = end > count ? end - count : 1;
    stet_log_reader *reader = s->log->ops->reader_create(s->log);
    stet_status st = reader == NULL ? STET_E_NOMEM : STET_OK;
    for (uint64_t at = from; at < end && st == STET_OK; at++) {
        stet_logged l = {0};
        st = s->log->ops->reader_read(reader, at, &l, err);
        if (st == STET_OK) {
            oracle_glimpsed(o, &l);
        }
    }
    s->log->ops->reader_destroy(reader);
    return st;
}

static stet_status look_at_states(oracle *o, stet *s, rng *r, stet_error *err)
{
    stet_status st = STET_OK;
    for (size_t i = rng_below(r, LOOKS_MAX); i > 0 && st == STET_OK; i--) {
        if (o->m.machine_count == 0) {
            return STET_OK;
        }
        size_t which = rng_below(r, o->m.machine_count);
        stet_slice id = o->m.machines[which].id;
        question q = question_of_state(o->m.machines[which].ns, id,
                                       (stet_at){.kind = STET_AT_NEWEST});
        sighting seen = oracle_look(o, &q);
        seen.floor = o->m.log_count; /* what was durable at the last open */
        answer told = {0};
        st = question_ask(&q, s, &told, err);
        if (st == STET_OK) {
            oracle_seen(o, &seen, &told);
        }
    }
    return st;
}

static stet_status open_as(oracle *o, stet_open_mode mode, stet **out,
                           stet_error *err)
{
    world *w = o->w;
    stet_opts opts = w->s.opts;
    opts.mode = mode;
    opts.allocator = world_allocator(w);
    return stet__open_on(&w->os, "stet:store", &opts, out, err);
}

stet_status visitor_intrude(oracle *o, stet_error *err)
{
    stet *s = NULL;
    stet_status st = open_as(o, o->w->s.opts.mode, &s, err);
    return st == STET_OK ? stet_close(s, err) : st;
}

stet_status visitor_call(oracle *o, rng *r, stet_error *err)
{
    stet *s = NULL;
    stet_status st = open_as(o, STET_OPEN_READONLY, &s, err);
    if (st != STET_OK) {
        return st;
    }
    st = look_at_records(o, s, r, err);
    if (st == STET_OK) {
        st = look_at_states(o, s, r, err);
    }
    (void)stet_close(s, NULL); /* was only read */
    return st;
}
