#include "engine/retention.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/error.h"
#include "core/image.h"
#include "core/retain.h"
#include "core/rewrite.h"
#include "engine/erasure.h"
#include "engine/hold.h"
#include "engine/own.h"
#include "engine/replay.h"
#include "engine/rules.h"

/* A lineage that runs through a machine, up to a seq. */
typedef struct stretch {
    stet_machine_key lineage;
    uint64_t end_seq;
} stretch;

/* What was found when a settle began, and what it is being told. */
typedef struct stet_retainer {
    stet *s;
    stet_retention told;
    uint64_t below;  /* the least position that was not durable then */
    uint64_t pinned; /* stet_pins.last then */
    int64_t now;
    stet_arena arena; /* holds the keys */
    stet_buf pins;    /* uint64_t, rising; likewise cuts */
    stet_buf cuts;
    stet_buf forks;  /* stet_fork_edge by parent, then parent_position */
    stet_buf left;   /* the same by parent_position, then first_position */
    stet_buf holds;  /* stet_machine_key */
    stet_buf erased; /* stet_erased, by key */
    bool is_all_held;
    bool has_warned;
    /* Of the machine asked for last. */
    stet_buf stretches;
    stet_buf claims;
    stet_box *box;
} stet_retainer;

static stet_buf *part(stet_retainer *r, unsigned i)
{
    stet_buf *parts[] = {&r->pins,  &r->cuts,   &r->forks,     &r->left,
                         &r->holds, &r->erased, &r->stretches, &r->claims};
    return i < sizeof parts / sizeof *parts ? parts[i] : NULL;
}

static stet_status no_memory(stet_error *err)
{
    return stet__fail(err, STET_E_NOMEM, 0, "no memory for what is kept");
}

static bool copy_key(stet_retainer *r, stet_machine_key *key)
{
    key->id = stet__arena_copy(&r->arena, key->id);
    return key->id.ptr != NULL;
}

/* ---- order ---- */

static int cmp_u64(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

static int by_position(const void *a, const void *b)
{
    return cmp_u64(*(const uint64_t *)a, *(const uint64_t *)b);
}

static int by_parent(const void *a, const void *b)
{
    const stet_fork_edge *x = a;
    const stet_fork_edge *y = b;
    int order = stet__machine_key_cmp(x->parent, y->parent);
    return order != 0 ? order : cmp_u64(x->parent_position, y->parent_position);
}

static int by_place(const void *a, const void *b)
{
    const stet_fork_edge *x = a;
    const stet_fork_edge *y = b;
    int order = cmp_u64(x->parent_position, y->parent_position);
    return order != 0 ? order : cmp_u64(x->first_position, y->first_position);
}

static int by_key(const void *a, const void *b)
{
    return stet__machine_key_cmp(((const stet_erased *)a)->key,
                                 ((const stet_erased *)b)->key);
}

static void sort(stet_buf *items, size_t bytes,
                 int (*order)(const void *, const void *))
{
    if (items->len > 0) {
        qsort(items->ptr, items->len / bytes, bytes, order);
    }
}

/* ---- looking around ---- */

static stet_status take_checkpoint(void *ctx, const stet_own *own,
                                   stet_error *err)
{
    stet_retainer *r = ctx;
    uint64_t position = stet__own_number(own->content, "position");
    bool is_of_store = *(const char *)own->id.ptr == 's';
    stet__buf_put(is_of_store ? &r->cuts : &r->pins, &position,
                  sizeof position);
    (void)err;
    return STET_OK;
}

static stet_status take_hold(void *ctx, const stet_hold *hold, stet_error *err)
{
    stet_retainer *r = ctx;
    stet_machine_key key = {hold->state_machine_id, hold->ns};
    if (key.id.len == 0) {
        r->is_all_held = true;
        return STET_OK;
    }
    if (!copy_key(r, &key)) {
        return no_memory(err);
    }
    stet__buf_put(&r->holds, &key, sizeof key);
    return STET_OK;
}

static stet_status take_fork(void *ctx, const stet_fork_edge *edge,
                             stet_error *err)
{
    stet_retainer *r = ctx;
    stet_fork_edge copy = *edge;
    if (!copy_key(r, &copy.child) || !copy_key(r, &copy.parent)) {
        return no_memory(err);
    }
    stet__buf_put(&r->forks, &copy, sizeof copy);
    stet__buf_put(&r->left, &copy, sizeof copy);
    stet__buf_put(&r->pins, &copy.parent_position, sizeof(uint64_t));
    return STET_OK;
}

static void forget(stet_retainer *r)
{
    for (unsigned i = 0; part(r, i) != NULL; i++) {
        stet__buf_reset(part(r, i));
    }
    stet__arena_reset(&r->arena);
    r->is_all_held = false;
    stet__box_unref(r->box);
    r->box = NULL;
}

static stet_status look_around(stet_retainer *r, stet_error *err)
{
    stet *s = r->s;
    forget(r);
    r->now = s->os->now(s->os);
    stet_status st = stet__erasures_list(s, &r->erased, err);
    if (st == STET_OK) {
        st = stet__own_each(s, stet_str("c"), take_checkpoint, r, err);
    }
    if (st == STET_OK) {
        st = stet__own_each(s, stet_str("s"), take_checkpoint, r, err);
    }
    if (st == STET_OK) {
        st = stet__holds_each(s, take_hold, r, err);
    }
    if (st == STET_OK) {
        st = s->log->ops->forks(s->log, stet__watermark(&s->pipeline),
                                take_fork, r, err);
    }
    for (unsigned i = 0; st == STET_OK && part(r, i) != NULL; i++) {
        st = part(r, i)->is_failed ? no_memory(err) : STET_OK;
    }
    sort(&r->pins, sizeof(uint64_t), by_position);
    sort(&r->cuts, sizeof(uint64_t), by_position);
    sort(&r->forks, sizeof(stet_fork_edge), by_parent);
    sort(&r->left, sizeof(stet_fork_edge), by_place);
    sort(&r->erased, sizeof(stet_erased), by_key);
    return st;
}

/* Is there any reason for anything to go? */
static stet_status look_for_reasons(stet *s, bool *out, stet_error *err)
{
    stet_status st = stet__erasures_load(s, err);
    *out =
        st == STET_OK && (stet__rules_drop(&s->opts) || stet__erasures_any(s));
    return st;
}

stet_status stet__retain_all(stet *s, uint64_t below, stet_error *err)
{
    bool may_go = false;
    stet_status st =
        s->retainer == NULL ? STET_OK : look_for_reasons(s, &may_go, err);
    if (may_go) {
        stet__turn_take(s->os, &s->settle_turn);
        s->log->ops->retain_all(s->log, below);
        stet__turn_give(s->os, &s->settle_turn);
    }
    return st;
}

static stet_status begin(void *ctx, uint64_t durable, bool *out_any,
                         stet_error *err)
{
    stet_retainer *r = ctx;
    stet *s = r->s;
    stet_pipeline *p = &s->pipeline;
    *out_any = false;
    bool may_go = false;
    stet_status st = look_for_reasons(s, &may_go, err);
    if (st != STET_OK || !may_go) {
        return st;
    }
    stet__mutex_lock(p->os, &p->seq);
    r->pinned = s->pins.last;
    stet__mutex_unlock(p->os, &p->seq);
    if (r->pinned > 0) {
        st = stet__pipeline_wait(p, NULL, r->pinned, 0, err);
    }
    r->below = durable;
    if (st == STET_OK) {
        st = look_around(r, err);
    }
    *out_any = st == STET_OK;
    return st;
}

/* ---- what wants a machine ---- */

static bool is_held(const stet_retainer *r, stet_machine_key key)
{
    const stet_machine_key *held = (const void *)r->holds.ptr;
    size_t count = r->holds.len / sizeof *held;
    bool is = r->is_all_held;
    for (size_t i = 0; i < count && !is; i++) {
        is = stet__machine_key_eq(held[i], key);
    }
    return is;
}

static stet_status head_seq(stet_retainer *r, stet_machine_key key,
                            uint64_t *out, stet_error *err)
{
    stet_log *log = r->s->log;
    stet_bound bound = {STET_BY_POSITION, r->below - 1, 0};
    stet_point head = {0};
    stet_status st = log->ops->seek(log, key, bound, r->below, &head, err);
    if (st == STET_E_NOT_FOUND) { /* it is not visible yet: all of it stays */
        stet__error_reset(err);
        st = STET_OK;
    }
    *out = head.seq;
    return st;
}

/* The first position that is young enough. */
static stet_status young_from(stet_retainer *r, int64_t keep_ns, uint64_t *out,
                              stet_error *err)
{
    stet_log *log = r->s->log;
    uint64_t old = 0;
    if (r->now < INT64_MIN + keep_ns) {
        *out = 0;
        return STET_OK;
    }
    stet_status st =
        log->ops->at_recorded(log, r->now - keep_ns, r->below, &old, err);
    *out = old + 1;
    return st;
}

/* Nothing goes of a machine whose strategy is to keep all; say so once. */
static void warn_once(stet_retainer *r, stet_machine_key key)
{
    if (r->has_warned || r->s->opts.log == NULL) {
        return;
    }
    char text[160];
    (void)snprintf(text, sizeof text,
                   "%s is event_sourced: the limit of retention that matches "
                   "it drops nothing",
                   stet__id_text(key.id).text);
    r->has_warned = true;
    r->s->opts.log(r->s->opts.log_ctx, STET_LOG_WARNING, text);
}

/* What a lineage claims of the machine that it runs through up to `end_seq`. */
static stet_status claim_of(stet_retainer *r, const stretch *of,
                            stet_lineage_claim *out, stet_error *err)
{
    stet_status st = STET_OK;
    stet_limits limits = stet__limits_of(&r->s->opts, of->lineage);
    *out = (stet_lineage_claim){.end_seq = of->end_seq};
    if (limits.is_refused) {
        warn_once(r, of->lineage);
    }
    if (!limits.is_any || is_held(r, of->lineage)) {
        return STET_OK;
    }
    if (limits.keep_events < UINT64_MAX) {
        uint64_t head = 0;
        st = head_seq(r, of->lineage, &head, err);
        out->floor_seq =
            head > limits.keep_events ? head - limits.keep_events : 0;
    }
    if (st == STET_OK && limits.keep_ns > 0) {
        st = young_from(r, limits.keep_ns, &out->floor_position, err);
    }
    return st;
}

/* The forks of a machine: edges [from, to). */
static void children_of(const stet_retainer *r, stet_machine_key key,
                        size_t *out_from, size_t *out_to)
{
    const stet_fork_edge *edges = (const void *)r->forks.ptr;
    size_t count = r->forks.len / sizeof *edges;
    size_t from = 0;
    size_t to = count;
    while (from < to) {
        size_t middle = from + (to - from) / 2;
        if (stet__machine_key_cmp(edges[middle].parent, key) < 0) {
            from = middle + 1;
        } else {
            to = middle;
        }
    }
    *out_from = from;
    while (to < count && stet__machine_key_eq(edges[to].parent, key)) {
        to++;
    }
    *out_to = to;
}

/*
 * List the lineages through a machine: its own, its forks', and theirs, which
 * all end in it where the first of them left.
 */
static bool list_lineages(stet_retainer *r, stet_machine_key key)
{
    stretch own = {key, UINT64_MAX};
    stet__buf_reset(&r->stretches);
    stet__buf_put(&r->stretches, &own, sizeof own);
    for (size_t at = 0; at < r->stretches.len; at += sizeof(stretch)) {
        stretch of;
        size_t from = 0;
        size_t to = 0;
        memcpy(&of, r->stretches.ptr + at, sizeof of);
        children_of(r, of.lineage, &from, &to);
        for (; from < to; from++) {
            const stet_fork_edge *edge =
                (const stet_fork_edge *)(const void *)r->forks.ptr + from;
            stretch next = {edge->child,
                            at == 0 ? edge->first_seq : of.end_seq};
            stet__buf_put(&r->stretches, &next, sizeof next);
        }
    }
    return !r->stretches.is_failed;
}

static stet_status list_claims(stet_retainer *r, bool *out_is_held,
                               stet_error *err)
{
    const stretch *of = (const void *)r->stretches.ptr;
    size_t count = r->stretches.len / sizeof *of;
    stet__buf_reset(&r->claims);
    for (size_t i = 0; i < count; i++) {
        stet_lineage_claim claim;
        stet_status st = claim_of(r, &of[i], &claim, err);
        if (st != STET_OK) {
            return st;
        }
        *out_is_held = *out_is_held || is_held(r, of[i].lineage);
        stet__buf_put(&r->claims, &claim, sizeof claim);
    }
    return r->claims.is_failed ? no_memory(err) : STET_OK;
}

static const stet_erased *find_erased(const stet_retainer *r,
                                      stet_machine_key key)
{
    stet_erased wanted = {key, 0};
    return r->erased.len == 0
               ? NULL
               : bsearch(&wanted, r->erased.ptr, r->erased.len / sizeof wanted,
                         sizeof wanted, by_key);
}

static stet_status wants(void *ctx, stet_machine_key key,
                         struct stet_wants *out, stet_error *err)
{
    stet_retainer *r = ctx;
    uint64_t head = 0;
    bool is_any_held = false;
    stet_status st = list_lineages(r, key) ? STET_OK : no_memory(err);
    if (st == STET_OK) {
        st = list_claims(r, &is_any_held, err);
    }
    if (st == STET_OK) {
        st = head_seq(r, key, &head, err);
    }
    if (st != STET_OK) {
        return st;
    }
    const stet_erased *e = is_any_held ? NULL : find_erased(r, key);
    uint64_t erase_end = e == NULL ? 0 : e->end;
    *out = (stet_wants){
        .claims = (const void *)r->claims.ptr,
        .claim_count = r->claims.len / sizeof(stet_lineage_claim),
        .pins = (const void *)r->pins.ptr,
        .pin_count = r->pins.len / sizeof(uint64_t),
        .cuts = (const void *)r->cuts.ptr,
        .cut_count = r->cuts.len / sizeof(uint64_t),
        .head_seq = head,
        /* What comes behind the head may be lost, and end the lineage here. */
        .erase_end = erase_end < head ? erase_end : head,
    };
    return STET_OK;
}

static uint64_t fork_at(void *ctx, uint64_t position, uint64_t after)
{
    const stet_retainer *r = ctx;
    const stet_fork_edge *edges = (const void *)r->left.ptr;
    size_t from = 0;
    size_t count = r->left.len / sizeof *edges;
    size_t to = count;
    stet_fork_edge wanted = {.parent_position = position,
                             .first_position = after + 1};
    while (from < to) {
        size_t middle = from + (to - from) / 2;
        if (by_place(&edges[middle], &wanted) < 0) {
            from = middle + 1;
        } else {
            to = middle;
        }
    }
    return from < count && edges[from].parent_position == position
               ? edges[from].first_position
               : 0;
}

static uint64_t erased_end(void *ctx, stet_machine_key key)
{
    const stet_erased *e = find_erased(ctx, key);
    return e == NULL ? 0 : e->end;
}

static bool nth_erased(void *ctx, size_t i, stet_machine_key *out_key,
                       uint64_t *out_end)
{
    const stet_retainer *r = ctx;
    const stet_erased *e = (const void *)r->erased.ptr;
    if (i >= r->erased.len / sizeof *e) {
        return false;
    }
    *out_key = e[i].key;
    *out_end = e[i].end;
    return true;
}

static stet_status base_of(void *ctx, stet_machine_key key, stet_point point,
                           struct stet_base_parts *out, stet_error *err)
{
    stet_retainer *r = ctx;
    stet_replayed replayed = {0};
    stet_replay_of of = {.key = key, .point = point, .is_as_stored = true};
    stet__box_unref(r->box);
    r->box = NULL;
    stet_bench *bench = stet__bench_take(&r->s->benches);
    if (bench == NULL) {
        return no_memory(err);
    }
    stet_status st = stet__replay(r->s, bench, &of, &replayed, err);
    stet__bench_give(&r->s->benches, bench);
    if (st != STET_OK) {
        return st;
    }
    if (replayed.box == NULL) { /* only of bases, by who wrote it */
        return stet__fail(err, STET_E_CORRUPT, 0,
                          "position %" PRIu64 ": a deletion that is no base",
                          point.position);
    }
    r->box = replayed.box;
    const stet_state *v = &r->box->view;
    *out = (stet_base_parts){
        .state = v->state_data,
        .name = v->current_state,
        .type = v->state_type,
        .version = v->version,
        .metadata = v->metadata,
        .created_at = v->created_at,
    };
    return STET_OK;
}

/* ---- the gate ---- */

static bool close_gate(void *ctx)
{
    stet_retainer *r = ctx;
    stet_pipeline *p = &r->s->pipeline;
    stet__mutex_lock(p->os, &p->seq);
    bool is_as_it_was = r->s->pins.last == r->pinned;
    r->s->pins.is_gate_closed = is_as_it_was;
    stet__mutex_unlock(p->os, &p->seq);
    return is_as_it_was;
}

static void outdate_locked(stet_pins *pins)
{
    /* Release: who prepares a pin after it finds what is there. */
    atomic_fetch_add_explicit(&pins->cuts, 1, memory_order_release);
}

void stet__pins_outdate(stet *s)
{
    stet_pipeline *p = &s->pipeline;
    stet__mutex_lock(p->os, &p->seq);
    outdate_locked(&s->pins);
    stet__mutex_unlock(p->os, &p->seq);
}

static void open_gate(void *ctx)
{
    stet *s = ((stet_retainer *)ctx)->s;
    stet_pipeline *p = &s->pipeline;
    stet__mutex_lock(p->os, &p->seq);
    outdate_locked(&s->pins);
    s->pins.is_gate_closed = false;
    stet__mutex_unlock(p->os, &p->seq);
}

/* ---- life ---- */

stet_status stet__retainer_create(stet *s, stet_error *err)
{
    if (s->log->ops->retain == NULL || s->start.is_readonly) {
        return STET_OK;
    }
    stet_retainer *r = stet__alloc_zeroed(&s->alloc, 1, sizeof *r);
    if (r == NULL) {
        return no_memory(err);
    }
    r->s = s;
    stet__arena_init(&r->arena, &s->alloc);
    for (unsigned i = 0; part(r, i) != NULL; i++) {
        stet__buf_init(part(r, i), &s->alloc);
    }
    r->told = (stet_retention){
        .ctx = r,
        .begin = begin,
        .wants = wants,
        .fork_at = fork_at,
        .erased_end = erased_end,
        .erased = nth_erased,
        .base_of = base_of,
        .close_gate = close_gate,
        .open_gate = open_gate,
    };
    s->retainer = r;
    s->log->ops->retain(s->log, &r->told);
    return STET_OK;
}

void stet__retainer_destroy(stet *s)
{
    stet_retainer *r = s->retainer;
    if (r == NULL) {
        return;
    }
    s->log->ops->retain(s->log, NULL);
    forget(r);
    for (unsigned i = 0; part(r, i) != NULL; i++) {
        stet__buf_deinit(part(r, i));
    }
    stet__arena_deinit(&r->arena);
    stet__free(&s->alloc, r, sizeof *r);
    s->retainer = NULL;
}
