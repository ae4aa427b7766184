#include "lib/model.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"

static const stet_slice nothing = {NULL, 0};

void model_init(model *m, uint64_t seed)
{
    memset(m, 0, sizeof *m);
    m->seed = seed;
    stet__arena_init(&m->arena, &stet__heap);
}

void model_deinit(model *m)
{
    for (size_t i = 0; i < m->machine_count; i++) {
        free(m->machines[i].events);
    }
    free(m->machines);
    free(m->log);
    free(m->checkpoints);
    free(m->keys);
    free(m->recorded);
    stet__arena_deinit(&m->arena);
}

void model_claim_that(const model *m, bool is_true, const char *claim,
                      const char *file, int line)
{
    if (!is_true) {
        print_error("seed %llu, step %llu: not so: %s\n",
                    (unsigned long long)m->seed, (unsigned long long)m->step,
                    claim);
        _fail(file, line);
    }
}

void model_claim_status_is(const model *m, stet_status got, stet_status want,
                           const stet_error *err, const char *file, int line)
{
    if (got != want) {
        print_error("%s: %s\n", stet_status_name(got), err->text);
        model_claim_that(m, false, stet_status_name(want), file, line);
    }
}

/* ---- lists ---- */

/* Make room for one more item; returns where the list is now. */
static void *grown(void *list, size_t count, size_t *cap, size_t item_bytes)
{
    if (count < *cap) {
        return list;
    }
    *cap = *cap == 0 ? 16 : *cap * 2;
    void *moved = realloc(list, *cap * item_bytes);
    if (moved == NULL) {
        abort();
    }
    return moved;
}

static void add_event(model_machine *mm, model_event *e)
{
    mm->events = grown(mm->events, mm->count, &mm->cap, sizeof(model_event *));
    mm->events[mm->count++] = e;
}

/* Put the event (NULL: the store's own) at the next position. */
static void add_to_log(model *m, model_event *e)
{
    m->log = grown(m->log, m->log_count, &m->log_cap, sizeof(model_event *));
    m->log[m->log_count++] = e;
}

static model_machine *add_machine(model *m, uint8_t ns, stet_slice id)
{
    m->machines = grown(m->machines, m->machine_count, &m->machine_cap,
                        sizeof(model_machine));
    model_machine *mm = &m->machines[m->machine_count++];
    *mm = (model_machine){.id = id, .ns = ns};
    return mm;
}

model_machine *model_find(const model *m, uint8_t ns, stet_slice id)
{
    for (size_t i = 0; i < m->machine_count; i++) {
        model_machine *mm = &m->machines[i];
        if (mm->ns == ns && stet__slice_eq(mm->id, id)) {
            return mm;
        }
    }
    return NULL;
}

/* ---- judging ---- */

static uint64_t refusal(stet_status st)
{
    return (uint64_t)1 << st;
}

static uint64_t judge_expect(const model_machine *mm, stet_expect expect)
{
    bool is_there = mm != NULL && mm->events[mm->count - 1]->is_there;
    switch (expect.kind) {
    case STET_EXPECT_ANY:
        return 0;
    case STET_EXPECT_NONE:
        return is_there ? refusal(STET_E_EXISTS) : 0;
    case STET_EXPECT_EXISTS:
        return is_there ? 0 : refusal(STET_E_NOT_FOUND);
    case STET_EXPECT_EXACT:
        if (!is_there) {
            return refusal(STET_E_NOT_FOUND);
        }
        return mm->count == expect.seq ? 0 : refusal(STET_E_CONFLICT);
    }
    return refusal(STET_E_INVALID);
}

static stet_expect expectation_of(const stet_change *c)
{
    stet_expect expect = c->expect;
    if (expect.kind == STET_EXPECT_ANY && c->verb == STET_VERB_CREATE) {
        expect.kind = STET_EXPECT_NONE;
    }
    if (expect.kind == STET_EXPECT_ANY && c->verb == STET_VERB_DELETE) {
        expect.kind = STET_EXPECT_EXISTS;
    }
    return expect;
}

/* Whoever makes a machine expects none; whoever deletes one, any other. */
static bool is_senseless(const stet_change *c)
{
    bool makes = c->verb == STET_VERB_CREATE || c->verb == STET_VERB_FORK;
    bool wants_none = c->expect.kind == STET_EXPECT_NONE;
    return makes ? !wants_none && c->expect.kind != STET_EXPECT_ANY
                 : wants_none && c->verb == STET_VERB_DELETE;
}

/* The change of the same machine before the one at `idx`; -1: none. */
static int change_before(const stet_batch *b, size_t idx)
{
    for (size_t i = idx; i-- > 0;) {
        if (b->changes[i].ns == b->changes[idx].ns &&
            stet__slice_eq(b->changes[i].id, b->changes[idx].id)) {
            return (int)i;
        }
    }
    return -1;
}

static bool is_same_change(const stet_change *a, const stet_change *b)
{
    const stet_slice pairs[][2] = {
        {a->id, b->id},
        {a->payload, b->payload},
        {a->from_state, b->from_state},
        {a->to_state, b->to_state},
        {a->action, b->action},
        {a->actor_id, b->actor_id},
        {a->error, b->error},
        {a->correlation_id, b->correlation_id},
        {a->causation_id, b->causation_id},
        {a->metadata, b->metadata},
        {a->event_id, b->event_id},
        {a->state_type, b->state_type},
        {a->version, b->version},
        {a->machine_metadata, b->machine_metadata},
        {a->reducer_name, b->reducer_name},
        {a->parent, b->parent},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        if (!stet__slice_eq(pairs[i][0], pairs[i][1])) {
            return false;
        }
    }
    return a->verb == b->verb && a->reducer == b->reducer &&
           a->type == b->type && a->flags == b->flags && a->ns == b->ns &&
           a->timestamp == b->timestamp && a->duration_ns == b->duration_ns &&
           a->parent_seq == b->parent_seq &&
           a->reducer_version == b->reducer_version;
}

static bool is_same_batch(const stet_batch *a, const stet_batch *b)
{
    bool is_same = a->change_count == b->change_count;
    for (size_t i = 0; is_same && i < a->change_count; i++) {
        is_same = is_same_change(&a->changes[i], &b->changes[i]);
    }
    return is_same;
}

static const model_key *find_key(const model *m, const stet_batch *b)
{
    for (size_t i = 0; b->key.len > 0 && i < m->key_count; i++) {
        const stet_batch *first = m->keys[i].batch;
        if (first->changes[0].ns == b->changes[0].ns &&
            stet__slice_eq(first->key, b->key)) {
            return &m->keys[i];
        }
    }
    return NULL;
}

static void judge_repeat(const model *m, const stet_batch *b,
                         const model_key *known, model_verdict *out)
{
    if (!is_same_batch(known->batch, b)) {
        out->refusals = refusal(STET_E_INVALID);
        return;
    }
    out->repeats_at = known->position;
    for (size_t i = 0; i < b->change_count; i++) {
        out->positions[i] = known->position + i;
        out->seqs[i] = m->log[out->positions[i] - 1]->said.seq;
    }
}

/* What a verb expects by itself, after a change of the same batch. */
static uint64_t judge_after(const stet_change *c, const stet_change *before)
{
    bool is_there = before->verb != STET_VERB_DELETE;
    if (c->verb == STET_VERB_CREATE && is_there) {
        return refusal(STET_E_EXISTS);
    }
    return c->verb == STET_VERB_DELETE && !is_there ? refusal(STET_E_NOT_FOUND)
                                                    : 0;
}

static uint64_t judge_all_expected(const model *m, const stet_batch *b)
{
    uint64_t refusals = 0;
    for (size_t i = 0; i < b->condition_count; i++) {
        const stet_condition *c = &b->conditions[i];
        refusals |= judge_expect(model_find(m, c->ns, c->id), c->expect);
    }
    for (size_t i = 0; i < b->change_count; i++) {
        const stet_change *c = &b->changes[i];
        const model_machine *mm = model_find(m, c->ns, c->id);
        int before = change_before(b, i);
        refusals |= before < 0 ? judge_expect(mm, expectation_of(c))
                               : judge_after(c, &b->changes[before]);
        if (c->verb == STET_VERB_FORK && (mm != NULL || before >= 0)) {
            refusals |= refusal(STET_E_EXISTS);
        }
        refusals |= is_senseless(c) ? refusal(STET_E_INVALID) : 0;
    }
    return refusals;
}

/* The event of a change; `newest` is the machine's last one, or NULL. */
static stet_status make_event(model *m, const stet_change *c,
                              const model_event *newest, model_event **out)
{
    const model_event *before =
        newest != NULL && newest->is_there ? newest : NULL;
    if (c->verb == STET_VERB_FORK) {
        const model_machine *parent = model_find(m, c->ns, c->parent);
        if (parent == NULL || c->parent_seq == 0 ||
            c->parent_seq > parent->count ||
            !parent->events[c->parent_seq - 1]->is_there) {
            return STET_E_NOT_FOUND;
        }
        before = parent->events[c->parent_seq - 1];
    }
    return model_event_make(&m->arena, c, before, out);
}

void model_judge(model *m, const stet_batch *b, model_verdict *out)
{
    *out = (model_verdict){0};
    const model_key *known = find_key(m, b);
    if (known != NULL) {
        judge_repeat(m, b, known, out);
        return;
    }
    out->refusals = judge_all_expected(m, b);
    for (size_t i = 0; i < b->change_count; i++) {
        const stet_change *c = &b->changes[i];
        const model_machine *mm = model_find(m, c->ns, c->id);
        int before = change_before(b, i);
        const model_event *newest =
            mm == NULL ? NULL : mm->events[mm->count - 1];
        if (before >= 0) {
            newest = out->events[before];
        }
        stet_status st = make_event(m, c, newest, &out->events[i]);
        if (st != STET_OK) {
            /* Which of several reasons is told is the store's choice. */
            out->refusals |= refusal(st);
            return;
        }
        uint64_t seq = before >= 0  ? out->seqs[before]
                       : mm == NULL ? 0
                                    : mm->count;
        seq = c->verb == STET_VERB_FORK ? c->parent_seq : seq;
        out->seqs[i] = out->events[i]->said.seq = seq + 1;
        out->positions[i] = out->events[i]->said.position =
            m->log_count + 1 + i;
    }
}

/* ---- taking ---- */

static void begin_fork(model *m, const stet_change *c)
{
    const stet_slice id = c->id;
    add_machine(m, c->ns, id);
    const model_machine *parent = model_find(m, c->ns, c->parent);
    model_machine *fork = model_find(m, c->ns, id);
    for (uint64_t seq = 1; seq <= c->parent_seq; seq++) {
        add_event(fork, parent->events[seq - 1]);
    }
}

void model_take(model *m, const stet_batch *b, const model_verdict *v)
{
    if (v->repeats_at != 0) {
        return;
    }
    if (b->key.len > 0) {
        m->keys = grown(m->keys, m->key_count, &m->key_cap, sizeof(model_key));
        m->keys[m->key_count++] = (model_key){b, v->positions[0]};
    }
    for (size_t i = 0; i < b->change_count; i++) {
        const stet_change *c = &b->changes[i];
        if (c->verb == STET_VERB_FORK) {
            begin_fork(m, c);
        } else if (model_find(m, c->ns, c->id) == NULL) {
            add_machine(m, c->ns, c->id);
        }
        model_event *e = v->events[i];
        e->said.flags |= i == 0 ? (uint32_t)STET_EVENT_BATCH_FIRST : 0;
        e->said.flags |=
            i + 1 == b->change_count ? (uint32_t)STET_EVENT_BATCH_LAST : 0;
        add_event(model_find(m, c->ns, c->id), e);
        add_to_log(m, e);
    }
}

void model_stamp(model *m, int64_t recorded)
{
    uint64_t position = ++m->stamped;
    m->recorded = grown(m->recorded, (size_t)position - 1, &m->recorded_cap,
                        sizeof(int64_t));
    m->recorded[position - 1] = recorded;
    model_event *e = m->log[position - 1];
    if (e != NULL) {
        e->said.recorded_at = recorded;
        e->said.timestamp = e->has_time ? e->said.timestamp : recorded;
        e->created_at =
            e->before == NULL ? e->said.timestamp : e->before->created_at;
        return;
    }
    for (size_t i = 0; i < m->checkpoint_count; i++) {
        if (m->checkpoints[i].set_at == position) {
            m->checkpoints[i].created_at = recorded;
        }
    }
}

/* ---- points ---- */

bool model_is_there(const model_machine *mm, size_t prefix)
{
    return prefix > 0 && mm->events[prefix - 1]->is_there;
}

uint64_t model_position_at(const model *m, int64_t recorded)
{
    uint64_t position = m->stamped;
    while (position > 0 && m->recorded[position - 1] > recorded) {
        position--;
    }
    return position;
}

static size_t prefix_at_time(const model_machine *mm, int64_t time)
{
    size_t count = 0;
    while (count < mm->count && mm->events[count]->said.timestamp <= time) {
        count++;
    }
    return count;
}

static size_t prefix_at_position(const model_machine *mm, uint64_t position)
{
    size_t count = 0;
    while (count < mm->count && mm->events[count]->said.position <= position) {
        count++;
    }
    return count;
}

size_t model_prefix(const model *m, const model_machine *mm, const stet_at *at)
{
    const model_checkpoint *c = NULL;
    switch (at->kind) {
    case STET_AT_NEWEST:
        return mm->count;
    case STET_AT_SEQ:
        return at->seq <= mm->count ? (size_t)at->seq : 0;
    case STET_AT_TIME:
        return prefix_at_time(mm, at->time);
    case STET_AT_RECORDED:
        return prefix_at_position(mm, model_position_at(m, at->time));
    case STET_AT_POSITION:
        return prefix_at_position(mm, at->seq);
    case STET_AT_CHECKPOINT:
        c = model_checkpoint_find(m, mm->ns, mm->id, at->name);
        if (c != NULL) {
            return (size_t)c->turn_number;
        }
        c = model_checkpoint_find(m, 0, nothing, at->name);
        return c == NULL ? 0 : prefix_at_position(mm, c->position);
    }
    return 0;
}

/* ---- checkpoints ---- */

static model_checkpoint *checkpoint_of(const model *m, uint8_t ns,
                                       stet_slice id, stet_slice name)
{
    for (size_t i = 0; i < m->checkpoint_count; i++) {
        model_checkpoint *c = &m->checkpoints[i];
        if (stet__slice_eq(c->id, id) && stet__slice_eq(c->name, name) &&
            (id.len == 0 || c->ns == ns)) {
            return c;
        }
    }
    return NULL;
}

const model_checkpoint *model_checkpoint_find(const model *m, uint8_t ns,
                                              stet_slice id, stet_slice name)
{
    const model_checkpoint *c = checkpoint_of(m, ns, id, name);
    return c != NULL && c->is_there ? c : NULL;
}

void model_checkpoint_put(model *m, const model_checkpoint *given)
{
    model_checkpoint *c = checkpoint_of(m, given->ns, given->id, given->name);
    if (c == NULL) {
        m->checkpoints = grown(m->checkpoints, m->checkpoint_count,
                               &m->checkpoint_cap, sizeof(model_checkpoint));
        c = &m->checkpoints[m->checkpoint_count++];
    }
    *c = *given;
    add_to_log(m, NULL);
    c->set_at = m->log_count;
    c->is_there = true;
}

void model_checkpoint_drop(model *m, uint8_t ns, stet_slice id, stet_slice name)
{
    checkpoint_of(m, ns, id, name)->is_there = false;
    add_to_log(m, NULL);
}

/* ---- comparing histories ---- */

static bool is_same_event(const model_event *a, const model_event *b)
{
    const stet_event *x = &a->said;
    const stet_event *y = &b->said;
    const stet_slice pairs[][2] = {
        {x->from_state, y->from_state},
        {x->to_state, y->to_state},
        {x->action, y->action},
        {x->payload, y->payload},
        {x->actor_id, y->actor_id},
        {x->correlation_id, y->correlation_id},
        {x->causation_id, y->causation_id},
        {x->error, y->error},
        {x->metadata, y->metadata},
        {x->event_id, y->event_id},
        {x->reducer_name, y->reducer_name},
        {a->data, b->data},
        {a->name, b->name},
        {a->type, b->type},
        {a->version, b->version},
        {a->metadata, b->metadata},
    };
    size_t count = sizeof pairs / sizeof pairs[0];
    count -= a->is_there ? 0 : 5; /* what a deleted machine was is no matter */
    for (size_t i = 0; i < count; i++) {
        if (!stet__slice_eq(pairs[i][0], pairs[i][1])) {
            return false;
        }
    }
    return a->is_there == b->is_there && x->kind == y->kind &&
           x->type == y->type && x->reducer == y->reducer &&
           x->reducer_version == y->reducer_version &&
           x->timestamp == y->timestamp && x->duration_ns == y->duration_ns &&
           (x->flags & STET_EVENT_PHASE_CHANGE) ==
               (y->flags & STET_EVENT_PHASE_CHANGE);
}

uint64_t model_parting(const model_machine *a, const model_machine *b)
{
    size_t both = a->count < b->count ? a->count : b->count;
    for (size_t i = 0; i < both; i++) {
        if (!is_same_event(a->events[i], b->events[i])) {
            return i + 1;
        }
    }
    return a->count == b->count ? 0 : both + 1;
}
