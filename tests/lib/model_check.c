#include "lib/model_check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "base/glob.h"
#include "lib/store_under_test.h"

static const stet_slice nothing = {NULL, 0};

static bool same(stet_slice a, stet_slice b)
{
    return stet__slice_eq(a, b);
}

/* ---- states ---- */

static void check_state(const model *m, const model_machine *mm, size_t prefix,
                        const stet_state *got)
{
    const model_event *e = mm->events[prefix - 1];
    model_claim(m, same(got->state_machine_id, mm->id));
    model_claim(m, got->ns == mm->ns);
    model_claim(m, got->seq == prefix);
    model_claim(m, got->position == e->said.position);
    model_claim(m, same(got->state_data, e->data));
    model_claim(m, same(got->current_state, e->name));
    model_claim(m, same(got->state_type, e->type));
    model_claim(m, same(got->version, e->version));
    model_claim(m, same(got->metadata, e->metadata));
    model_claim(m, got->created_at == e->created_at);
    model_claim(m, got->updated_at == e->said.timestamp);
    model_claim(m, got->recorded_at == e->said.recorded_at);
}

void model_check_load(const model *m, stet *s, const model_machine *mm,
                      stet_at at)
{
    size_t prefix = model_prefix(m, mm, &at);
    bool is_there = model_is_there(mm, prefix);
    stet_status want = is_there ? STET_OK : STET_E_NOT_FOUND;
    stet_read_opts o = {.at = at, .ns = mm->ns};
    stet_error err = {0};
    uint64_t seq = 0;
    model_claim_status(m, stet_exists(s, mm->id, &o, &seq, &err), want, &err);
    model_claim(m, seq == (is_there ? prefix : 0));
    const stet_state *state = NULL;
    model_claim_status(m, stet_load(s, mm->id, &o, &state, &err), want, &err);
    if (is_there) {
        check_state(m, mm, prefix, state);
    }
    stet_state_release(state);
}

/* Load them all at once, and one that was never there. */
static void check_load_many(const model *m, stet *s, uint8_t ns)
{
    const stet_state *states[64] = {0};
    stet_slice ids[64];
    const model_machine *machines[64];
    size_t count = 0;
    for (size_t i = 0; i < m->machine_count && count < 60; i++) {
        if (m->machines[i].ns == ns) {
            machines[count] = &m->machines[i];
            ids[count++] = m->machines[i].id;
        }
    }
    ids[count] = stet_str("never there");
    stet_read_opts o = {.ns = ns};
    stet_error err = {0};
    model_claim_status(m, stet_load_many(s, ids, count + 1, &o, states, &err),
                       STET_OK, &err);
    model_claim(m, states[count] == NULL);
    for (size_t i = 0; i < count; i++) {
        bool is_there = model_is_there(machines[i], machines[i]->count);
        model_claim(m, (states[i] != NULL) == is_there);
        if (is_there) {
            check_state(m, machines[i], machines[i]->count, states[i]);
        }
        stet_state_release(states[i]);
    }
}

/* ---- events ---- */

static void check_event(const model *m, const model_event *e,
                        const stet_event *got)
{
    const stet_event *want = &e->said;
    model_claim(m, got->seq == want->seq);
    model_claim(m, got->position == want->position);
    model_claim(m, got->ns == want->ns);
    model_claim(m, got->kind == want->kind);
    model_claim(m, got->type == want->type);
    model_claim(m, got->reducer == want->reducer);
    model_claim(m, got->reducer_version == want->reducer_version);
    model_claim(m, got->timestamp == want->timestamp);
    model_claim(m, got->recorded_at == want->recorded_at);
    model_claim(m, got->duration_ns == want->duration_ns);
    model_claim(m, (got->flags & ~(uint32_t)STET_EVENT_BASE) == want->flags);
    model_claim(m, same(got->state_machine_id, want->state_machine_id));
    model_claim(m, same(got->from_state, want->from_state));
    model_claim(m, same(got->to_state, want->to_state));
    model_claim(m, same(got->action, want->action));
    model_claim(m, same(got->payload, want->payload));
    model_claim(m, same(got->actor_id, want->actor_id));
    model_claim(m, same(got->correlation_id, want->correlation_id));
    model_claim(m, same(got->causation_id, want->causation_id));
    model_claim(m, same(got->error, want->error));
    model_claim(m, same(got->metadata, want->metadata));
    model_claim(m, same(got->event_id, want->event_id));
    model_claim(m, same(got->reducer_name, want->reducer_name));
    model_claim(m, same(got->version, want->version));
    model_claim(m, same(got->state_type, want->state_type));
}

/* Events [from, to) that a walk gives; returns how many. */
static size_t check_walk(const model *m, stet *s, const model_machine *mm,
                         const stet_history_opts *o, uint64_t *out_last)
{
    uint64_t from = o->from_seq == 0 ? 1 : o->from_seq;
    uint64_t to =
        o->to_seq == 0 || o->to_seq > mm->count ? mm->count + 1 : o->to_seq;
    bool is_newest_first = (o->flags & STET_HISTORY_NEWEST_FIRST) != 0;
    uint64_t count = to > from ? to - from : 0;
    count = o->limit != 0 && o->limit < count ? o->limit : count;
    stet_error err = {0};
    stet_history *h = NULL;
    const stet_event *got = NULL;
    model_claim_status(m, stet_history_open(s, mm->id, o, &h, &err), STET_OK,
                       &err);
    for (uint64_t i = 0; i < count; i++) {
        uint64_t seq = is_newest_first ? to - 1 - i : from + i;
        model_claim_status(m, stet_history_next(h, &got, &err), STET_OK, &err);
        check_event(m, mm->events[seq - 1], got);
        bool has_state =
            (o->flags & STET_HISTORY_STATES) != 0 && model_is_there(mm, seq);
        model_claim(m, (got->state != NULL) == has_state);
        if (has_state) {
            check_state(m, mm, seq, got->state);
        }
        *out_last = seq;
    }
    model_claim_status(m, stet_history_next(h, &got, &err), STET_DONE, &err);
    stet_history_close(h);
    return count;
}

void model_check_history(const model *m, stet *s, const model_machine *mm,
                         const stet_history_opts *opts)
{
    uint64_t last = 0;
    (void)check_walk(m, s, mm, opts, &last);
}

void model_check_history_in_pieces(const model *m, stet *s,
                                   const model_machine *mm, size_t piece,
                                   uint32_t flags)
{
    stet_history_opts o = {.flags = flags, .limit = piece, .ns = mm->ns};
    bool is_newest_first = (flags & STET_HISTORY_NEWEST_FIRST) != 0;
    uint64_t last = 0;
    size_t given = 0;
    while (given < mm->count) {
        size_t count = check_walk(m, s, mm, &o, &last);
        model_claim(m, count > 0);
        given += count;
        o.from_seq = is_newest_first ? 0 : last + 1;
        o.to_seq = is_newest_first ? last : 0;
    }
    model_claim(m, given == mm->count);
}

void model_check_scan(const model *m, stet *s, const stet_scan_opts *o)
{
    bool is_newest_first = (o->flags & STET_HISTORY_NEWEST_FIRST) != 0;
    uint64_t from = o->from_position == 0 ? 1 : o->from_position;
    uint64_t to = o->to_position == 0 || o->to_position > m->log_count
                      ? m->log_count + 1
                      : o->to_position;
    uint64_t left = o->limit == 0 ? UINT64_MAX : o->limit;
    stet_error err = {0};
    stet_history *h = NULL;
    const stet_event *got = NULL;
    model_claim_status(m, stet_scan_open(s, o, &h, &err), STET_OK, &err);
    for (uint64_t i = 0; from + i < to && left > 0; i++) {
        uint64_t position = is_newest_first ? to - 1 - i : from + i;
        const model_event *e = m->log[position - 1];
        if (e != NULL && e->said.ns == o->ns &&
            (o->pattern.len == 0 ||
             stet__glob_match(o->pattern, e->said.state_machine_id))) {
            model_claim_status(m, stet_history_next(h, &got, &err), STET_OK,
                               &err);
            check_event(m, e, got);
            left--;
        }
    }
    model_claim_status(m, stet_history_next(h, &got, &err), STET_DONE, &err);
    stet_history_close(h);
}

/* ---- lists ---- */

static int by_id(const void *a, const void *b)
{
    const model_machine *x = *(const model_machine *const *)a;
    const model_machine *y = *(const model_machine *const *)b;
    return stet__slice_cmp(x->id, y->id);
}

static bool is_listed(const model_machine *mm, const stet_keys_opts *o)
{
    return mm->ns == o->ns &&
           (o->with_deleted || model_is_there(mm, mm->count)) &&
           (o->pattern.len == 0 || stet__glob_match(o->pattern, mm->id)) &&
           (o->after.len == 0 || stet__slice_cmp(mm->id, o->after) > 0);
}

const model_machine **model_list_keys(const model *m, const stet_keys_opts *o,
                                      size_t *out_count)
{
    const model_machine **list =
        malloc((m->machine_count + 1) * sizeof(model_machine *));
    size_t count = 0;
    for (size_t i = 0; i < m->machine_count; i++) {
        if (is_listed(&m->machines[i], o)) {
            list[count++] = &m->machines[i];
        }
    }
    qsort(list, count, sizeof(model_machine *), by_id);
    *out_count = o->limit != 0 && o->limit < count ? (size_t)o->limit : count;
    return list;
}

void model_check_keys(const model *m, stet *s, const stet_keys_opts *o)
{
    size_t count = 0;
    const model_machine **want = model_list_keys(m, o, &count);
    stet_error err = {0};
    stet_keys *keys = NULL;
    const stet_key *got = NULL;
    model_claim_status(m, stet_keys_open(s, o, &keys, &err), STET_OK, &err);
    for (size_t i = 0; i < count; i++) {
        const model_machine *mm = want[i];
        const model_event *e = mm->events[mm->count - 1];
        model_claim_status(m, stet_keys_next(keys, &got, &err), STET_OK, &err);
        model_claim(m, same(got->id, mm->id));
        model_claim(m, got->seq == mm->count);
        model_claim(m, got->position == e->said.position);
        model_claim(m, got->is_deleted == !e->is_there);
        model_claim(m, !e->is_there || same(got->current_state, e->name));
    }
    model_claim_status(m, stet_keys_next(keys, &got, &err), STET_DONE, &err);
    stet_keys_close(keys);
    free(want);
}

static int by_name(const void *a, const void *b)
{
    const model_checkpoint *x = *(const model_checkpoint *const *)a;
    const model_checkpoint *y = *(const model_checkpoint *const *)b;
    return stet__slice_cmp(x->name, y->name);
}

const model_checkpoint **model_list_checkpoints(const model *m, uint8_t ns,
                                                stet_slice id,
                                                size_t *out_count)
{
    const model_checkpoint **list =
        malloc((m->checkpoint_count + 1) * sizeof(model_checkpoint *));
    size_t count = 0;
    for (size_t i = 0; i < m->checkpoint_count; i++) {
        const model_checkpoint *c = &m->checkpoints[i];
        if (c->is_there && same(c->id, id) && (id.len == 0 || c->ns == ns)) {
            list[count++] = c;
        }
    }
    qsort(list, count, sizeof(model_checkpoint *), by_name);
    *out_count = count;
    return list;
}

void model_check_checkpoints(const model *m, stet *s, uint8_t ns, stet_slice id)
{
    size_t count = 0;
    const model_checkpoint **want = model_list_checkpoints(m, ns, id, &count);
    stet_error err = {0};
    stet_checkpoints *list = NULL;
    const stet_checkpoint *got = NULL;
    model_claim_status(m, stet_checkpoints_open(s, id, ns, &list, &err),
                       STET_OK, &err);
    for (size_t i = 0; i < count; i++) {
        const model_checkpoint *c = want[i];
        model_claim_status(m, stet_checkpoints_next(list, &got, &err), STET_OK,
                           &err);
        model_claim(m, same(got->name, c->name));
        model_claim(m, same(got->state_machine_id, c->id));
        model_claim(m, same(got->metadata, c->metadata));
        model_claim(m, got->turn_number == c->turn_number);
        model_claim(m, got->history_size == c->history_size);
        model_claim(m, got->position == c->position);
        model_claim(m, got->created_at == c->created_at);
        model_claim(m, id.len == 0 || got->ns == ns);
    }
    model_claim_status(m, stet_checkpoints_next(list, &got, &err), STET_DONE,
                       &err);
    stet_checkpoints_close(list);
    free(want);
}

void model_check_compare(const model *m, stet *s, const model_machine *a,
                         const model_machine *b)
{
    stet_error err = {0};
    uint64_t parts_at = UINT64_MAX;
    model_claim_status(m, stet_compare(s, a->id, b->id, a->ns, &parts_at, &err),
                       STET_OK, &err);
    model_claim(m, parts_at == model_parting(a, b));
}

/* ---- many questions ---- */

/* A moment of the machine's history, or one next to it. */
static int64_t some_time(const model_machine *mm, rng *r, bool is_recorded)
{
    const stet_event *e = &mm->events[rng_below(r, mm->count)]->said;
    int64_t time = is_recorded ? e->recorded_at : e->timestamp;
    return time + (int64_t)rng_below(r, 3) - 1;
}

stet_at model_some_point(const model *m, const model_machine *mm, rng *r)
{
    stet_at at = {.kind = (stet_at_kind)rng_below(r, 6)};
    switch (at.kind) {
    case STET_AT_NEWEST:
        break;
    case STET_AT_SEQ:
        at.seq = rng_below(r, mm->count + 3);
        break;
    case STET_AT_TIME:
        at.time = some_time(mm, r, false);
        break;
    case STET_AT_RECORDED:
        at.time = some_time(mm, r, true);
        break;
    case STET_AT_POSITION:
        at.seq = rng_below(r, m->log_count + 3);
        break;
    case STET_AT_CHECKPOINT:
        at.name = stet_str("no such name");
        if (m->checkpoint_count > 0) {
            at.name = m->checkpoints[rng_below(r, m->checkpoint_count)].name;
        }
        break;
    }
    return at;
}

static stet_slice some_pattern(rng *r)
{
    static const char *const patterns[] = {
        "", "*", "m*", "*1", "m[0-3]", "?0", "f*", "m1", "nothing*", "f?",
    };
    return stet_str(patterns[rng_below(r, 10)]);
}

static void check_some_history(const model *m, stet *s, const model_machine *mm,
                               rng *r)
{
    stet_history_opts o = {
        .from_seq = rng_below(r, mm->count + 3),
        .to_seq = rng_below(r, mm->count + 3),
        .limit = rng_below(r, 4) == 0 ? 0 : rng_below(r, 9),
        .flags = (uint32_t)rng_below(r, 4),
        .ns = mm->ns,
    };
    model_check_history(m, s, mm, &o);
}

static void check_some_list(const model *m, stet *s, const model_machine *mm,
                            rng *r)
{
    stet_keys_opts keys = {
        .pattern = some_pattern(r),
        .after = rng_below(r, 2) == 0 ? nothing : mm->id,
        .limit = rng_below(r, 4),
        .ns = mm->ns,
        .with_deleted = rng_below(r, 2) == 0,
    };
    model_check_keys(m, s, &keys);
    stet_scan_opts scan = {
        .pattern = some_pattern(r),
        .from_position = rng_below(r, m->log_count + 3),
        .to_position = rng_below(r, m->log_count + 3),
        .limit = 1 + rng_below(r, 9),
        .flags = rng_below(r, 2) == 0 ? STET_HISTORY_NEWEST_FIRST : 0,
        .ns = mm->ns,
    };
    model_check_scan(m, s, &scan);
}

void model_check_some(const model *m, stet *s, rng *r)
{
    if (m->machine_count == 0) {
        return;
    }
    const model_machine *mm = &m->machines[rng_below(r, m->machine_count)];
    for (int i = 0; i < 4; i++) {
        model_check_load(m, s, mm, model_some_point(m, mm, r));
    }
    check_some_history(m, s, mm, r);
    if (rng_below(r, 4) == 0) {
        check_some_list(m, s, mm, r);
        model_check_checkpoints(m, s, mm->ns,
                                rng_below(r, 2) == 0 ? nothing : mm->id);
    }
}

static void check_machine(const model *m, stet *s, const model_machine *mm,
                          rng *r)
{
    model_check_load(m, s, mm, (stet_at){0});
    for (uint64_t seq = 0; seq <= mm->count + 1; seq++) {
        model_check_load(m, s, mm, at_seq(seq));
    }
    for (int i = 0; i < 40; i++) {
        model_check_load(m, s, mm, model_some_point(m, mm, r));
    }
    size_t piece = 1 + rng_below(r, 70);
    model_check_history_in_pieces(m, s, mm, piece, STET_HISTORY_STATES);
    model_check_history_in_pieces(m, s, mm, piece, STET_HISTORY_NEWEST_FIRST);
    check_some_history(m, s, mm, r);
    model_check_checkpoints(m, s, mm->ns, mm->id);
    const model_machine *other = &m->machines[rng_below(r, m->machine_count)];
    if (other->ns == mm->ns) {
        model_check_compare(m, s, mm, other);
    }
}

void model_check_all(const model *m, stet *s, rng *r)
{
    static const uint8_t namespaces[] = {0, 7, 254};
    for (size_t i = 0; i < m->machine_count; i++) {
        check_machine(m, s, &m->machines[i], r);
    }
    for (size_t i = 0; i < sizeof namespaces; i++) {
        stet_keys_opts keys = {.ns = namespaces[i], .with_deleted = true};
        model_check_keys(m, s, &keys);
        stet_scan_opts scan = {.ns = namespaces[i]};
        model_check_scan(m, s, &scan);
        check_load_many(m, s, namespaces[i]);
    }
    model_check_checkpoints(m, s, 0, nothing);
}
