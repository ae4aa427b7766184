#include "stores/embedded/salvage_plan.h"

#include <inttypes.h>

#include "base/assert.h"
#include "base/error.h"
#include "core/record.h"
#include "stores/embedded/sealed_index.h"
#include "stores/embedded/wreck_walk.h"

/* What is known of a machine so far. */
typedef struct machine {
    stet_machine_key key;
    stet_point last;   /* of its own records, or of a lost one */
    uint32_t stretch;  /* its newest one; STET_MISSING_NONE */
    bool is_kept;      /* something of it */
    uint64_t gap_from; /* seqs that are not kept, while it goes on; 0: none */
    bool is_incomplete;
} machine;

static stet_status no_memory(stet_error *err)
{
    return stet__fail(err, STET_E_NOMEM, 0, "no memory to salvage");
}

static bool is_same(const void *item, const void *key)
{
    return stet__machine_key_eq(((const machine *)item)->key,
                                *(const stet_machine_key *)key);
}

static machine *find(const stet_salvage_plan *p, stet_machine_key key)
{
    return stet__map_find(&p->machines, stet__machine_hash(key), &key, is_same);
}

static machine *find_or_add(stet_salvage_plan *p, stet_machine_key key)
{
    machine *m = find(p, key);
    if (m != NULL) {
        return m;
    }
    m = stet__arena_alloc(&p->arena, sizeof *m);
    stet_slice id = stet__arena_copy(&p->arena, key.id);
    if (m == NULL || id.ptr == NULL || !stet__map_reserve(&p->machines)) {
        return NULL;
    }
    *m = (machine){.key = {.id = id, .ns = key.ns},
                   .stretch = STET_MISSING_NONE};
    stet__map_put(&p->machines, stet__machine_hash(key), m);
    return m;
}

static stet_stretch *stretch_at(const stet_salvage_plan *p, uint32_t i)
{
    return &stet__salvage_stretches(p)[i];
}

/* Losses. */

static void tell_events(stet_salvage_plan *p, machine *m, uint64_t from,
                        uint64_t to, const char *why)
{
    stet_loss loss = {.kind = STET_LOSS_EVENTS,
                      .ns = m->key.ns,
                      .id = m->key.id,
                      .why = why,
                      .from = from,
                      .to = to};
    p->w->report->incomplete += !m->is_incomplete;
    m->is_incomplete = true;
    if (p->w->opts->loss != NULL) {
        p->w->opts->loss(p->w->opts->ctx, &loss);
    }
}

/*
 * The machine's events up to `last` are lost: a record names the last of them.
 */
static stet_status add_stretch(stet_salvage_plan *p, machine *m,
                               stet_point last, stet_error *err)
{
    uint32_t idx = (uint32_t)(p->stretches.len / sizeof(stet_stretch));
    bool is_known = m->last.seq > 0;
    stet_stretch s = {
        .key = m->key,
        .first_seq = m->last.seq + 1,
        .last_seq = last.seq,
        .above = m->last.position,
        .last_position = last.position,
        .occurred_max = is_known ? m->last.occurred_max : last.occurred_max,
        .before = m->stretch,
    };
    stet__buf_put(&p->stretches, &s, sizeof s);
    if (p->stretches.is_failed) {
        return no_memory(err);
    }
    m->stretch = idx;
    m->last = last;
    m->last.occurred_max = s.occurred_max;
    return STET_OK;
}

/* A fork tells the place of an event in the middle of a stretch. */
static stet_status split_stretch(stet_salvage_plan *p, machine *m, uint64_t seq,
                                 uint64_t position, stet_error *err)
{
    uint32_t i = m->stretch;
    while (i != STET_MISSING_NONE && stretch_at(p, i)->first_seq > seq) {
        i = stretch_at(p, i)->before;
    }
    if (i == STET_MISSING_NONE || stretch_at(p, i)->last_seq < seq) {
        return stet__fail(err, STET_E_CORRUPT, 0,
                          "position %" PRIu64 " is lost, but not event "
                          "%" PRIu64 " of its machine",
                          position, seq);
    }
    stet_stretch lower = *stretch_at(p, i);
    if (lower.last_seq == seq) {
        return STET_OK;
    }
    lower.last_seq = seq;
    lower.last_position = position;
    uint32_t idx = (uint32_t)(p->stretches.len / sizeof lower);
    stet__buf_put(&p->stretches, &lower, sizeof lower);
    if (p->stretches.is_failed) {
        return no_memory(err);
    }
    stet_stretch *upper = stretch_at(p, i);
    upper->first_seq = seq + 1;
    upper->above = position;
    upper->parent_seq = 0;
    upper->before = idx;
    return STET_OK;
}

/* Walking. */

static stet_salvage_fate fate_at(const stet_salvage_plan *p, uint64_t position)
{
    return position < p->w->end ? (stet_salvage_fate)p->fates[position]
                                : STET_SALVAGE_LOST;
}

/* The machine has its event `last.seq` at `last.position`, as a fork tells. */
static stet_status claim(stet_salvage_plan *p, stet_machine_key key,
                         stet_point last, stet_error *err)
{
    if (fate_at(p, last.position) != STET_SALVAGE_LOST) {
        return STET_OK;
    }
    machine *m = find_or_add(p, key);
    if (m == NULL) {
        return no_memory(err);
    }
    return m->last.seq >= last.seq
               ? split_stretch(p, m, last.seq, last.position, err)
               : add_stretch(p, m, last, err);
}

/* A fork's first record: the event that it goes on from is the parent's. */
static stet_status take_parent(stet_salvage_plan *p, const stet_record *r,
                               stet_point at, stet_error *err)
{
    stet_machine_key key = {.id = r->parent_id, .ns = r->parent_ns};
    stet_point last = {r->parent_seq, at.position - r->back, at.occurred_max};
    return claim(p, key, last, err);
}

/*
 * A disk that lied may leave records of two histories of a machine: of these
 * the one that comes first counts, and what does not go on from it is lost.
 */
static bool contradicts(const stet_salvage_plan *p, const machine *m,
                        const stet_record *r, stet_point at)
{
    if (m->last.seq >= at.seq) {
        return true;
    }
    uint64_t before = at.position - r->back;
    if (r->back == 0 || (r->tags & 1U << STET_TAG_PARENT) != 0) {
        return false;
    }
    return m->last.seq + 1 == at.seq
               ? before != m->last.position
               : before <= m->last.position ||
                     fate_at(p, before) != STET_SALVAGE_LOST;
}

/* Any other record: the one before it is the machine's own. */
static stet_status take_before(stet_salvage_plan *p, machine *m,
                               const stet_record *r, stet_point at,
                               stet_error *err)
{
    if (r->back == 0 || m->last.seq + 1 == at.seq) {
        return STET_OK;
    }
    stet_point last = {at.seq - 1, at.position - r->back, at.occurred_max};
    return add_stretch(p, m, last, err);
}

/* What lost events occurred by must not be above what came behind them. */
static void lower_stretches(stet_salvage_plan *p, const machine *m,
                            int64_t occurred_max)
{
    for (uint32_t i = m->stretch; i != STET_MISSING_NONE &&
                                  stretch_at(p, i)->occurred_max > occurred_max;
         i = stretch_at(p, i)->before) {
        stretch_at(p, i)->occurred_max = occurred_max;
    }
}

static stet_salvage_fate fate_of(const stet_salvage_plan *p,
                                 const stet_record *r, uint64_t position)
{
    if (!stet__record_is_whole(r)) {
        return STET_SALVAGE_STATELESS;
    }
    bool is_base = (r->flags & STET_RECORD_BASE) != 0;
    bool is_told = is_base || (r->back > 0 && fate_at(p, position - r->back) ==
                                                  STET_SALVAGE_KEPT);
    return is_told ? STET_SALVAGE_KEPT : STET_SALVAGE_UNREADABLE;
}

/* Events in a row that cannot be read are told together. */
static void count(stet_salvage_plan *p, machine *m, uint64_t seq,
                  stet_salvage_fate fate)
{
    stet_salvage_report *report = p->w->report;
    bool is_unreadable = fate == STET_SALVAGE_UNREADABLE;
    if (m->gap_from > 0 && !is_unreadable) {
        tell_events(p, m, m->gap_from, seq,
                    "their states were told by one that is lost");
        m->gap_from = 0;
    } else if (m->gap_from == 0 && is_unreadable) {
        m->gap_from = seq;
    }
    report->unreadable += is_unreadable;
    report->events += !is_unreadable;
    report->machines +=
        !is_unreadable && !m->is_kept && m->key.ns != STET_STORE_NAMESPACE;
    m->is_kept = m->is_kept || !is_unreadable;
}

static stet_status take_record(stet_salvage_plan *p, const stet_logged *l,
                               stet_error *err)
{
    stet_record r;
    size_t bytes = 0;
    stet_status st = stet__record_parse(l->bytes, &r, &bytes, err);
    if (st == STET_E_CORRUPT) {
        return STET_OK; /* its checksum is right, but it says nothing: lost */
    }
    if (st != STET_OK) {
        return stet__wrap(err, st, "position %" PRIu64, l->position);
    }
    stet_point at = {.seq = r.seq,
                     .position = l->position,
                     .occurred_max =
                         stet__record_occurred_max(&r, l->recorded)};
    machine *m = find_or_add(p, (stet_machine_key){.id = r.id, .ns = r.ns});
    if (m == NULL) {
        return no_memory(err);
    }
    if (contradicts(p, m, &r, at)) {
        tell_events(p, m, r.seq, r.seq + 1,
                    "it does not go on from what came before it");
        return STET_OK;
    }
    st = (r.tags & 1U << STET_TAG_PARENT) != 0 ? take_parent(p, &r, at, err)
                                               : take_before(p, m, &r, at, err);
    if (st != STET_OK) {
        return st;
    }
    lower_stretches(p, m, at.occurred_max);
    stet_salvage_fate fate = fate_of(p, &r, l->position);
    p->fates[l->position] = (uint8_t)fate;
    count(p, m, r.seq, fate);
    m->last = at;
    return STET_OK;
}

/* What the indexes tell: newest events, which no record names, and forks. */

/*
 * The run begins with a fork. If its first event is lost, that tells where the
 * machine begins, and whose history it goes on from.
 */
static stet_status take_fork(stet_salvage_plan *p, const machine *m,
                             const stet_run *run, stet_error *err)
{
    uint32_t i = m->stretch;
    while (i != STET_MISSING_NONE &&
           stretch_at(p, i)->before != STET_MISSING_NONE) {
        i = stretch_at(p, i)->before;
    }
    stet_stretch *s = i == STET_MISSING_NONE ? NULL : stretch_at(p, i);
    if (s == NULL || s->first_seq > 1 || s->above > 0 ||
        s->last_seq < run->first.seq) {
        return STET_OK;
    }
    const stet_run_link *link = &run->previous;
    stet_slice id = stet__arena_copy(&p->arena, link->key.id);
    if (id.ptr == NULL) {
        return no_memory(err);
    }
    s->first_seq = run->first.seq;
    s->above = link->position;
    s->parent = (stet_machine_key){.id = id, .ns = link->key.ns};
    s->parent_seq = run->first.seq - 1;
    stet_point last = {s->parent_seq, s->above, s->occurred_max};
    return claim(p, s->parent, last, err);
}

/*
 * Of the store's own machines what was said before counts where what they said
 * last is lost: of an erasure with a stub in front of it nothing could be told.
 */
static stet_status take_run(stet_salvage_plan *p, const stet_run *run,
                            stet_error *err)
{
    if (run->key.ns == STET_STORE_NAMESPACE) {
        return STET_OK;
    }
    machine *m = find_or_add(p, run->key);
    if (m == NULL) {
        return no_memory(err);
    }
    stet_status st = STET_OK;
    if (run->last.seq > m->last.seq &&
        fate_at(p, run->last.position) == STET_SALVAGE_LOST) {
        st = add_stretch(p, m, run->last, err);
    }
    return st == STET_OK && run->previous.key.id.len > 0
               ? take_fork(p, m, run, err)
               : st;
}

/* Take the runs of a file's index, as far as its blocks are sound. */
static stet_status take_runs(stet_salvage_plan *p, stet_segment *s,
                             stet_error *err)
{
    stet_sealed_reader reader;
    stet_run_walk runs;
    stet_run run;
    stet_status st = STET_OK;
    stet__sealed_reader_init(&reader, p->w->alloc);
    stet__run_walk_init(&runs, s, &reader, 0);
    while (st != STET_DONE && st != STET_E_NOMEM) {
        st = stet__run_walk_next(&runs, &run, err);
        if (st == STET_OK) {
            st = take_run(p, &run, err);
        } else {
            runs.in = (stet_reader){0}; /* with the next block */
        }
    }
    stet__sealed_reader_deinit(&reader);
    return st == STET_DONE ? STET_OK : st;
}

static stet_status take_indexes(stet_salvage_plan *p, stet_error *err)
{
    stet_status st = STET_OK;
    size_t count = stet__wreck_file_count(p->w);
    for (size_t i = 0; i < count && st == STET_OK; i++) {
        const stet_wreck_file *f = &stet__wreck_files(p->w)[i];
        if (f->is_dead || !f->has_trailer) {
            continue;
        }
        stet_segment *s = stet__wreck_segment(p->w, f);
        st = s == NULL ? no_memory(err) : take_runs(p, s, err);
        stet__wreck_segment_free(s);
    }
    return st;
}

static stet_status walk(stet_salvage_plan *p, stet_error *err)
{
    stet_wreck_walk k;
    stet_logged l;
    stet__wreck_walk_init(&k, p->w, true);
    stet_status st = stet__wreck_walk_next(&k, &l, err);
    while (st == STET_OK) {
        st = take_record(p, &l, err);
        if (st == STET_OK) {
            st = stet__wreck_walk_next(&k, &l, err);
        }
    }
    stet__wreck_walk_deinit(&k);
    return st == STET_DONE ? STET_OK : st;
}

/* Stretches, what is unreadable up to a machine's end, lost positions. */
static void tell_rest(stet_salvage_plan *p)
{
    size_t stretches = p->stretches.len / sizeof(stet_stretch);
    for (uint32_t i = 0; i < stretches; i++) {
        const stet_stretch *s = stretch_at(p, i);
        STET_ASSERT(s->first_seq <= s->last_seq);
        tell_events(p, find(p, s->key), s->first_seq, s->last_seq + 1, "lost");
    }
    size_t cursor = 0;
    machine *m = NULL;
    while ((m = stet__map_next(&p->machines, &cursor)) != NULL) {
        if (m->gap_from > 0) {
            tell_events(p, m, m->gap_from, m->last.seq + 1,
                        "their states were told by one that is lost");
        }
    }
    for (size_t i = 0; i < p->lost_count && p->w->opts->loss != NULL;) {
        size_t next = i + 1;
        while (next < p->lost_count && p->lost[next] == p->lost[next - 1] + 1) {
            next++;
        }
        stet_loss loss = {.kind = STET_LOSS_POSITIONS,
                          .why = "lost",
                          .from = p->lost[i],
                          .to = p->lost[next - 1] + 1};
        p->w->opts->loss(p->w->opts->ctx, &loss);
        i = next;
    }
}

static stet_status place(stet_salvage_plan *p, stet_error *err)
{
    for (uint64_t at = 1; at < p->w->end; at++) {
        p->lost_count += p->fates[at] == STET_SALVAGE_LOST;
    }
    size_t room = p->lost_count + 1;
    p->lost = stet__alloc_zeroed(p->w->alloc, room, sizeof *p->lost);
    p->places = stet__alloc_zeroed(p->w->alloc, room, sizeof *p->places);
    if (p->lost == NULL || p->places == NULL) {
        return no_memory(err);
    }
    size_t n = 0;
    for (uint64_t at = 1; at < p->w->end; at++) {
        if (p->fates[at] == STET_SALVAGE_LOST) {
            p->lost[n++] = at;
        }
    }
    p->w->report->lost = p->lost_count;
    stet_places places = {p->lost, p->lost_count, p->places};
    return stet__missing_place(
        p->w->alloc, stet__salvage_stretches(p),
        (uint32_t)(p->stretches.len / sizeof(stet_stretch)), &places, err);
}

stet_status stet__salvage_plan(stet_salvage_plan *p, stet_wreck *w,
                               stet_error *err)
{
    *p = (stet_salvage_plan){.w = w};
    stet__arena_init(&p->arena, w->alloc);
    stet__map_init(&p->machines, w->alloc);
    stet__buf_init(&p->stretches, w->alloc);
    p->fates = stet__alloc_zeroed(w->alloc, (size_t)w->end, 1);
    if (p->fates == NULL) {
        return no_memory(err);
    }
    stet_status st = walk(p, err);
    if (st == STET_OK) {
        st = take_indexes(p, err);
    }
    if (st == STET_OK) {
        st = place(p, err);
    }
    if (st == STET_OK) {
        tell_rest(p);
    }
    return st;
}

void stet__salvage_plan_deinit(stet_salvage_plan *p)
{
    const stet_allocator *alloc = p->w->alloc;
    size_t room = p->lost_count + 1;
    stet__free(alloc, p->fates, (size_t)p->w->end);
    stet__free(alloc, p->lost, room * sizeof *p->lost);
    stet__free(alloc, p->places, room * sizeof *p->places);
    stet__buf_deinit(&p->stretches);
    stet__map_deinit(&p->machines);
    stet__arena_deinit(&p->arena);
}
