#include "sim/question.h"

#include <stdlib.h>

#include "base/bytes.h"
#include "base/checksum.h"
#include "base/glob.h"
#include "engine/handle.h"
#include "lib/model_check.h"

/* ---- drawing ---- */

static size_t below(workload *w, size_t end)
{
    return rng_below(&w->random, end);
}

/* Of what was settled: a position, a time, a name. */
static stet_at some_point(workload *w)
{
    const model *m = w->m;
    stet_at at = {.kind = STET_AT_NEWEST};
    size_t dice = below(w, 8);
    if (dice == 0) {
        at.kind = STET_AT_SEQ;
        at.seq = below(w, 12);
    } else if (dice == 1) {
        at.kind = STET_AT_POSITION;
        at.seq = below(w, m->log_count + 1);
    } else if (dice == 2 && m->log_count > 0) {
        size_t position = 1 + below(w, m->log_count);
        const model_event *e = m->log[position - 1];
        bool is_recorded = e == NULL || below(w, 2) == 0;
        at.kind = is_recorded ? STET_AT_RECORDED : STET_AT_TIME;
        at.time = is_recorded ? m->recorded[position - 1] : e->said.timestamp;
    } else if (dice == 3 && m->checkpoint_count > 0) {
        at.kind = STET_AT_CHECKPOINT;
        at.name = m->checkpoints[below(w, m->checkpoint_count)].name;
    }
    return at;
}

/* Some machines of one namespace; twice the same one, perhaps. */
static void draw_ids(question *q, workload *w)
{
    q->ids[q->id_count++] = q->id;
    for (int i = 0; i < 12 && q->id_count < QUESTION_IDS_MAX; i++) {
        stet_change other = workload_change(w);
        if (other.ns == q->ns) {
            q->ids[q->id_count++] = other.id;
        }
    }
    if (q->read.at.kind == STET_AT_CHECKPOINT) {
        q->read.at = (stet_at){0}; /* is looked up for each by itself */
    }
}

static void draw_walk(question *q, workload *w)
{
    uint32_t order = below(w, 2) == 0 ? STET_HISTORY_NEWEST_FIRST : 0;
    uint32_t states = below(w, 4) == 0 ? STET_HISTORY_STATES : 0;
    q->history = (stet_history_opts){
        .from_seq = below(w, 6),
        .limit = below(w, 10),
        .flags = order | states,
        .ns = q->ns,
    };
    uint64_t settled = w->m->log_count;
    uint64_t back = below(w, 12);
    q->scan = (stet_scan_opts){
        .pattern = stet_str(below(w, 2) == 0 ? "" : "m*"),
        .from_position = back < settled ? settled - back : 0,
        .limit = below(w, 30),
        .flags = order,
        .ns = q->ns,
    };
}

question question_draw(workload *w)
{
    static const char *const patterns[] = {"", "*", "m*", "*1", "f*"};
    static const question_kind kinds[] = {
        QUESTION_STATE,  QUESTION_STATE, QUESTION_STATE,       QUESTION_STATE,
        QUESTION_STATE,  QUESTION_STATE, QUESTION_SEQ,         QUESTION_STATES,
        QUESTION_STATES, QUESTION_KEYS,  QUESTION_HISTORY,     QUESTION_HISTORY,
        QUESTION_SCAN,   QUESTION_SCAN,  QUESTION_CHECKPOINTS,
    };
    stet_change some = workload_change(w);
    question q = question_of_state(some.ns, some.id, some_point(w));
    q.kind = kinds[below(w, sizeof kinds / sizeof kinds[0])];
    q.keys = (stet_keys_opts){
        .pattern = stet_str(patterns[below(w, 5)]),
        .limit = below(w, 3) == 0 ? 1 + below(w, 4) : 0,
        .ns = q.ns,
        .with_deleted = below(w, 2) == 0,
    };
    if (q.kind == QUESTION_STATES) {
        draw_ids(&q, w);
    } else if (q.kind == QUESTION_HISTORY || q.kind == QUESTION_SCAN) {
        draw_walk(&q, w);
    } else if (q.kind == QUESTION_CHECKPOINTS && below(w, 4) == 0) {
        q.id = (stet_slice){NULL, 0}; /* of the whole store */
        q.ns = 0;
    }
    return q;
}

question question_of_state(uint8_t ns, stet_slice id, stet_at at)
{
    return (question){
        .kind = QUESTION_STATE,
        .id = id,
        .ns = ns,
        .read = {.at = at, .ns = ns},
    };
}

const char *question_name(const question *q)
{
    static const char *const names[] = {
        [QUESTION_STATE] = "state",
        [QUESTION_SEQ] = "seq",
        [QUESTION_STATES] = "states",
        [QUESTION_KEYS] = "keys",
        [QUESTION_HISTORY] = "history",
        [QUESTION_SCAN] = "scan",
        [QUESTION_CHECKPOINTS] = "checkpoints",
    };
    return names[q->kind];
}

/* ---- digests ---- */

/* What is told one after the other. */
enum { FIRST = 1 };

static uint64_t mix(uint64_t hash, uint64_t number)
{
    return (hash ^ number) * 0x9e3779b97f4a7c15U;
}

static uint64_t mix_text(uint64_t hash, stet_slice s)
{
    return stet__hash64_seed(s.ptr, s.len, mix(hash, s.len));
}

uint64_t question_digest_of_state(const stet_state *s)
{
    if (s == NULL) {
        return 0;
    }
    uint64_t hash = mix_text(s->ns, s->state_machine_id);
    hash = mix_text(hash, s->state_data);
    hash = mix_text(hash, s->current_state);
    hash = mix_text(hash, s->state_type);
    hash = mix_text(hash, s->version);
    hash = mix_text(hash, s->metadata);
    hash = mix(hash, (uint64_t)s->created_at);
    hash = mix(hash, (uint64_t)s->updated_at);
    hash = mix(hash, (uint64_t)s->recorded_at);
    return mix(mix(hash, s->seq), s->position);
}

static uint64_t mix_key(uint64_t hash, const stet_key *k)
{
    hash = mix_text(hash, k->id);
    hash = k->is_deleted ? mix(hash, 1) : mix_text(hash, k->current_state);
    return mix(mix(hash, k->seq), k->position);
}

static uint64_t mix_event(uint64_t hash, const stet_event *e, uint64_t state)
{
    hash = mix_text(hash, e->state_machine_id);
    hash = mix_text(hash, e->payload);
    hash = mix_text(hash, e->causation_id);
    hash = mix_text(hash, e->from_state);
    hash = mix_text(hash, e->to_state);
    hash = mix(hash, (uint64_t)e->timestamp);
    hash = mix(hash, (uint64_t)e->recorded_at);
    hash = mix(mix(hash, e->seq), e->position);
    return mix(mix(hash, (uint64_t)e->kind), state);
}

static uint64_t mix_checkpoint(uint64_t hash, const stet_checkpoint *c)
{
    hash = mix_text(hash, c->name);
    hash = mix_text(hash, c->state_machine_id);
    hash = mix(hash, c->turn_number);
    hash = mix(hash, c->history_size);
    return mix(mix(hash, c->position), (uint64_t)c->created_at);
}

/* ---- the store's answers ---- */

static void raise_position(answer *out, uint64_t position)
{
    out->position = position > out->position ? position : out->position;
}

/* Others may write between two steps of a list. */
static void let_others_run(stet *s, uint64_t step)
{
    if (step % 4 == 3) {
        s->os->yield(s->os);
    }
}

static stet_status ask_state(const question *q, stet *s, answer *out,
                             stet_error *err)
{
    const stet_state *state = NULL;
    stet_status st = stet_load(s, q->id, &q->read, &state, err);
    if (st == STET_OK) {
        out->digest = question_digest_of_state(state);
        out->position = state->position;
    }
    stet_state_release(state);
    return st;
}

static stet_status ask_states(const question *q, stet *s, answer *out,
                              stet_error *err)
{
    const stet_state *states[QUESTION_IDS_MAX] = {0};
    stet_status st =
        stet_load_many(s, q->ids, q->id_count, &q->read, states, err);
    uint64_t hash = FIRST;
    for (size_t i = 0; i < q->id_count && st == STET_OK; i++) {
        hash = mix(hash, question_digest_of_state(states[i]));
        if (states[i] != NULL) {
            raise_position(out, states[i]->position);
        }
        stet_state_release(states[i]);
    }
    out->digest = hash;
    return st;
}

static stet_status ask_keys(const question *q, stet *s, answer *out,
                            stet_error *err)
{
    stet_keys *keys = NULL;
    const stet_key *k = NULL;
    stet_status st = stet_keys_open(s, &q->keys, &keys, err);
    out->digest = FIRST;
    for (uint64_t step = 0; st == STET_OK; step++) {
        st = stet_keys_next(keys, &k, err);
        if (st == STET_OK) {
            out->digest = mix_key(out->digest, k);
            raise_position(out, k->position);
            let_others_run(s, step);
        }
    }
    stet_keys_close(keys);
    return st;
}

/* A history or a scan, which it closes. */
static stet_status take_events(stet *s, stet_history *h, answer *out,
                               stet_error *err)
{
    const stet_event *e = NULL;
    stet_status st = STET_OK;
    out->digest = FIRST;
    for (uint64_t step = 0; st == STET_OK; step++) {
        st = stet_history_next(h, &e, err);
        if (st == STET_OK) {
            uint64_t state = question_digest_of_state(e->state);
            out->digest = mix_event(out->digest, e, state);
            raise_position(out, e->position);
            let_others_run(s, step);
        }
    }
    stet_history_close(h);
    return st;
}

static stet_status ask_events(const question *q, stet *s, answer *out,
                              stet_error *err)
{
    stet_history *h = NULL;
    stet_status st = q->kind == QUESTION_SCAN
                         ? stet_scan_open(s, &q->scan, &h, err)
                         : stet_history_open(s, q->id, &q->history, &h, err);
    return st == STET_OK ? take_events(s, h, out, err) : st;
}

static stet_status ask_checkpoints(const question *q, stet *s, answer *out,
                                   stet_error *err)
{
    stet_checkpoints *list = NULL;
    const stet_checkpoint *c = NULL;
    stet_status st = stet_checkpoints_open(s, q->id, q->ns, &list, err);
    out->digest = FIRST;
    for (uint64_t step = 0; st == STET_OK; step++) {
        st = stet_checkpoints_next(list, &c, err);
        if (st == STET_OK) {
            out->digest = mix_checkpoint(out->digest, c);
            let_others_run(s, step);
        }
    }
    stet_checkpoints_close(list);
    return st;
}

static stet_status ask(const question *q, stet *s, answer *out, stet_error *err)
{
    switch (q->kind) {
    case QUESTION_STATE:
        return ask_state(q, s, out, err);
    case QUESTION_SEQ:
        return stet_exists(s, q->id, &q->read, &out->digest, err);
    case QUESTION_STATES:
        return ask_states(q, s, out, err);
    case QUESTION_KEYS:
        return ask_keys(q, s, out, err);
    case QUESTION_HISTORY:
    case QUESTION_SCAN:
        return ask_events(q, s, out, err);
    case QUESTION_CHECKPOINTS:
        return ask_checkpoints(q, s, out, err);
    }
    abort();
}

stet_status question_ask(const question *q, stet *s, answer *out,
                         stet_error *err)
{
    answer told = {0};
    stet_status st = ask(q, s, &told, err);
    if (st == STET_E_NOT_FOUND) {
        told = (answer){0};
    } else if (st != STET_OK && st != STET_DONE) {
        return st;
    }
    *out = told;
    return STET_OK;
}

/* ---- the model's ---- */

static uint64_t state_after(const model_machine *mm, size_t prefix)
{
    if (!model_is_there(mm, prefix)) {
        return 0;
    }
    const model_event *e = mm->events[prefix - 1];
    const stet_state s = {
        .state_machine_id = mm->id,
        .ns = mm->ns,
        .state_data = e->data,
        .current_state = e->name,
        .state_type = e->type,
        .version = e->version,
        .metadata = e->metadata,
        .created_at = e->created_at,
        .updated_at = e->said.timestamp,
        .recorded_at = e->said.recorded_at,
        .seq = prefix,
        .position = e->said.position,
    };
    return question_digest_of_state(&s);
}

static uint64_t state_of(const question *q, const model *m, stet_slice id)
{
    const model_machine *mm = model_find(m, q->ns, id);
    return mm == NULL ? 0 : state_after(mm, model_prefix(m, mm, &q->read.at));
}

static uint64_t seq_of(const question *q, const model *m)
{
    const model_machine *mm = model_find(m, q->ns, q->id);
    size_t prefix = mm == NULL ? 0 : model_prefix(m, mm, &q->read.at);
    return mm != NULL && model_is_there(mm, prefix) ? prefix : 0;
}

static uint64_t keys_of(const question *q, const model *m)
{
    size_t count = 0;
    const model_machine **list = model_list_keys(m, &q->keys, &count);
    uint64_t hash = FIRST;
    for (size_t i = 0; i < count; i++) {
        const model_event *e = list[i]->events[list[i]->count - 1];
        const stet_key k = {
            .id = list[i]->id,
            .current_state = e->name,
            .seq = list[i]->count,
            .position = e->said.position,
            .is_deleted = !e->is_there,
        };
        hash = mix_key(hash, &k);
    }
    free(list);
    return hash;
}

/* The nth of `count` things from `from` on, or from behind. */
static uint64_t nth(uint64_t from, uint64_t count, uint64_t n, uint32_t flags)
{
    bool is_newest_first = (flags & STET_HISTORY_NEWEST_FIRST) != 0;
    return is_newest_first ? from + count - 1 - n : from + n;
}

static uint64_t lesser(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t history_of(const question *q, const model *m)
{
    const stet_history_opts *o = &q->history;
    const model_machine *mm = model_find(m, q->ns, q->id);
    if (mm == NULL) {
        return 0;
    }
    uint64_t from = o->from_seq == 0 ? 1 : o->from_seq;
    uint64_t end = mm->count + 1;
    uint64_t to = o->to_seq == 0 ? end : lesser(o->to_seq, end);
    uint64_t count = to > from ? to - from : 0;
    uint64_t given = o->limit == 0 ? count : lesser(o->limit, count);
    uint64_t hash = FIRST;
    for (uint64_t i = 0; i < given; i++) {
        uint64_t seq = nth(from, count, i, o->flags);
        bool has_state = (o->flags & STET_HISTORY_STATES) != 0;
        hash = mix_event(hash, &mm->events[seq - 1]->said,
                         has_state ? state_after(mm, (size_t)seq) : 0);
    }
    return hash;
}

static bool is_scanned(const stet_scan_opts *o, const model_event *e)
{
    return e != NULL && e->said.ns == o->ns &&
           (o->pattern.len == 0 ||
            stet__glob_match(o->pattern, e->said.state_machine_id));
}

static uint64_t scan_of(const question *q, const model *m)
{
    const stet_scan_opts *o = &q->scan;
    uint64_t from = o->from_position == 0 ? 1 : o->from_position;
    uint64_t end = m->log_count + 1;
    uint64_t to = o->to_position == 0 ? end : lesser(o->to_position, end);
    uint64_t count = to > from ? to - from : 0;
    uint64_t left = o->limit == 0 ? UINT64_MAX : o->limit;
    uint64_t hash = FIRST;
    for (uint64_t i = 0; i < count && left > 0; i++) {
        const model_event *e = m->log[nth(from, count, i, o->flags) - 1];
        if (is_scanned(o, e)) {
            hash = mix_event(hash, &e->said, 0);
            left--;
        }
    }
    return hash;
}

static uint64_t checkpoints_of(const question *q, const model *m)
{
    size_t count = 0;
    const model_checkpoint **list =
        model_list_checkpoints(m, q->ns, q->id, &count);
    uint64_t hash = FIRST;
    for (size_t i = 0; i < count; i++) {
        const stet_checkpoint c = {
            .name = list[i]->name,
            .state_machine_id = list[i]->id,
            .turn_number = list[i]->turn_number,
            .history_size = list[i]->history_size,
            .position = list[i]->position,
            .created_at = list[i]->created_at,
        };
        hash = mix_checkpoint(hash, &c);
    }
    free(list);
    return hash;
}

uint64_t question_answer(const question *q, const model *m)
{
    switch (q->kind) {
    case QUESTION_STATE:
        return state_of(q, m, q->id);
    case QUESTION_SEQ:
        return seq_of(q, m);
    case QUESTION_STATES: {
        uint64_t hash = FIRST;
        for (size_t i = 0; i < q->id_count; i++) {
            hash = mix(hash, state_of(q, m, q->ids[i]));
        }
        return hash;
    }
    case QUESTION_KEYS:
        return keys_of(q, m);
    case QUESTION_HISTORY:
        return history_of(q, m);
    case QUESTION_SCAN:
        return scan_of(q, m);
    case QUESTION_CHECKPOINTS:
        return checkpoints_of(q, m);
    }
    abort();
}
