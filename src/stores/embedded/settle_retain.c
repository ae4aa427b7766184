/*
 * Settling: what may go. See settle_retain.h.
 */
#include "stores/embedded/settle_retain.h"

#include "base/assert.h"
#include "base/error.h"
#include "base/mark.h"
#include "core/rewrite.h"
#include "stores/embedded/settled.h"
#include "stores/embedded/settling.h"
#include "stores/embedded/view.h"

enum {
    /* Settles of a set that pins may come to before a pass goes on. */
    TRIES_MAX = 8,
};

/* The pass. */

void stet__embedded_retain(stet_log *log, const stet_retention *retention)
{
    stet_embedded *e = stet__embedded_of(log);
    e->retention = retention;
    if (retention == NULL && e->settling != NULL) {
        stet__settle_drop(e); /* it may go on asking */
    }
}

void stet__embedded_retain_all(stet_log *log, uint64_t below)
{
    stet_embedded *e = stet__embedded_of(log);
    if (e->settling != NULL && e->settling->retain.is_of_pass) {
        stet__settle_drop(e); /* it looked around too early */
    }
    e->retain_below = below;
    e->is_retain_due = false;
    e->retain_tries = 0;
}

stet_settle_order stet__settle_retain_choose(stet_embedded *e,
                                             const stet_files *table,
                                             bool *out_is_trial)
{
    uint32_t i = stet__settle_first(table);
    while (i > 0 &&
           table->items[i - 1]->header.first_position >= e->retain_below) {
        i--;
    }
    *out_is_trial = !e->is_retain_due;
    if (i == 0 || e->retention == NULL || e->is_retention_off) {
        e->retain_below = 0;
        return (stet_settle_order){0};
    }
    return (stet_settle_order){.first = i - 1, .count = 1};
}

void stet__settle_retain_note(const stet_settling *w)
{
    stet_embedded *e = w->e;
    const stet_settle_retain *k = &w->retain;
    if (!k->is_of_pass) {
        return;
    }
    e->is_retain_due = k->is_trial && k->is_due;
    e->retain_tries += !k->is_trial && !w->is_installed;
    if (k->is_trial ? !k->is_due
                    : w->is_installed || e->retain_tries == TRIES_MAX) {
        e->retain_below = w->segments[0]->header.first_position;
        e->retain_tries = 0;
    }
}

bool stet__settle_retain_is_tried(const stet_settling *w)
{
    const stet_settle_retain *k = &w->retain;
    return k->is_trial && (k->is_due || k->ask == NULL);
}

/* Beginning. */

/* Does an input hold a machine's events below `end`? */
static stet_status look_for(stet_settling *w, stet_settle_input *in,
                            stet_machine_key key, uint64_t end, stet_error *err)
{
    stet_block block;
    stet_run run;
    block.segment = NULL;
    w->reading = in->s->header.file;
    stet_status st = stet__index_find(in->s, key, &block, &run, err);
    if (st == STET_OK) {
        w->retain.is_salted = run.first.seq < end;
    }
    return st == STET_E_NOT_FOUND ? STET_OK : st;
}

/* Is something of the inputs to be erased? */
static stet_status find_erased(stet_settling *w, stet_error *err)
{
    stet_settle_retain *k = &w->retain;
    stet_machine_key key;
    uint64_t end = 0;
    stet_status st = STET_OK;
    for (size_t i = 0;
         st == STET_OK && k->ask->erased(k->ask->ctx, i, &key, &end); i++) {
        for (uint32_t n = 0; st == STET_OK && n < w->count && !k->is_salted;
             n++) {
            st = look_for(w, &w->inputs[n], key, end, err);
        }
    }
    return st;
}

stet_status stet__settle_retain_begin(stet_settling *w, stet_error *err)
{
    stet_embedded *e = w->e;
    stet_settle_retain *k = &w->retain;
    bool is_any = false;
    stet__buf_init(&k->run.places, e->alloc);
    stet__buf_init(&k->rewritten, e->alloc);
    stet__buf_init(&k->salted, e->alloc);
    if (e->retention == NULL || e->is_retention_off || e->is_next_plain) {
        e->is_next_plain = false;
        return STET_OK;
    }
    stet_status st = e->retention->begin(
        e->retention->ctx, stet__embedded_synced(e), &is_any, err);
    if (st != STET_OK || !is_any) {
        return st;
    }
    k->ask = e->retention;
    st = stet__chain_init(&k->chain, e->alloc, err);
    return st == STET_OK ? find_erased(w, err) : st;
}

void stet__settle_retain_deinit(stet_settling *w)
{
    stet_settle_retain *k = &w->retain;
    stet__buf_deinit(&k->run.places);
    stet__buf_deinit(&k->rewritten);
    stet__buf_deinit(&k->salted);
    if (k->chain.hasher != NULL) {
        stet__chain_deinit(&k->chain);
    }
}

void stet__settle_retain_seeds(stet_settling *w, stet_set_seeds *seeds)
{
    stet_settle_retain *k = &w->retain;
    memcpy(k->seed, w->trailer.set.seed, sizeof k->seed);
    k->seeds = *seeds;
    k->seeds.first = k->seed;
    if (k->is_salted) {
        memset(w->trailer.set.seed, 0, sizeof w->trailer.set.seed);
        seeds->count = 0;
    }
}

/* A machine. */

static size_t place_count(const stet_retained_run *run)
{
    return run->places.len / sizeof(uint64_t);
}

static uint64_t place_at(const stet_retained_run *run, size_t i)
{
    return ((const uint64_t *)(const void *)run->places.ptr)[i];
}

static stet_place place_of(const stet_retained_run *run, size_t i)
{
    return (stet_place){
        .seq = run->first_seq + i,
        .position = place_at(run, i),
        .next_position =
            i + 1 < place_count(run) ? place_at(run, i + 1) : run->outside,
    };
}

/* List the positions of the machine's records in all inputs. */
static stet_status list_places(stet_settling *w, stet_error *err)
{
    stet_retained_run *run = &w->retain.run;
    stet__buf_reset(&run->places);
    for (uint32_t i = w->active; i < w->count; i++) {
        stet_settle_input *in = &w->inputs[i];
        for (uint32_t n = 0; in->is_in && n < in->q.run.count; n++) {
            uint64_t position = 0;
            w->reading = in->s->header.file;
            stet_status st = stet__run_position(&in->q, n, &position, err);
            if (st != STET_OK) {
                return st;
            }
            stet__buf_put(&run->places, &position, sizeof position);
        }
    }
    return run->places.is_failed
               ? stet__fail(err, STET_E_NOMEM, 0, "no memory to settle")
               : STET_OK;
}

static bool is_free(const stet_record *r)
{
    return (r->flags & STET_RECORD_BASE) != 0 || !stet__record_is_whole(r);
}

/* Read a record of the log as it is now. */
static stet_status read_at(stet_settling *w, uint64_t position,
                           stet_record *out, stet_error *err)
{
    stet_logged l = {0};
    size_t bytes = 0;
    stet_status st =
        stet__view_read(w->jumps.table, position, &w->jumps.reader, &l, err);
    return st == STET_OK ? stet__record_parse(l.bytes, out, &bytes, err) : st;
}

/* Look for the record behind those of the inputs. */
static stet_status look_outside(stet_settling *w, stet_error *err)
{
    stet_retained_run *run = &w->retain.run;
    uint64_t next_seq = run->first_seq + place_count(run);
    run->outside = 0;
    run->is_outside_free = true;
    if (next_seq > run->wants.head_seq) {
        return STET_OK;
    }
    stet_lineage_view view;
    stet_view_ctx ctx;
    stet_point point;
    stet_record r;
    stet_bound bound = {STET_BY_SEQ, next_seq, 0};
    stet__view_init(&view, &ctx, w->jumps.table, &w->jumps.reader);
    stet_status st = stet__lineage_seek(
        &view, run->key, bound, stet__embedded_watermark(w->e), &point, err);
    if (st == STET_OK) {
        st = read_at(w, point.position, &r, err);
    }
    if (st == STET_OK) {
        run->outside = point.position;
        run->is_outside_free =
            is_free(&r) && point.position < stet__embedded_synced(w->e);
    }
    return st;
}

static uint64_t erased_end(const stet_settle_retain *k, stet_machine_key key)
{
    return k->ask->erased_end(k->ask->ctx, key);
}

/* Can it be seen at a glance that all of the machine stays as it is? */
static bool is_untouched(const stet_settle_retain *k, const stet_run *first)
{
    const stet_retained_run *run = &k->run;
    bool is_fork = first->previous.key.id.len > 0;
    uint64_t before = first->previous.position;
    bool is_all = false;
    for (size_t i = 0; i < run->wants.claim_count && !is_all; i++) {
        const stet_lineage_claim *c = &run->wants.claims[i];
        is_all = c->end_seq == UINT64_MAX && c->floor_seq < run->first_seq &&
                 c->floor_position <= before;
    }
    return is_all && run->wants.erase_end < run->first_seq &&
           !(is_fork && erased_end(k, first->previous.key) >= run->first_seq);
}

/* Begin the chain over the machine's records as they were. */
static stet_status begin_chain(stet_settling *w, const stet_run *first,
                               stet_error *err)
{
    stet_settle_retain *k = &w->retain;
    uint64_t slot = first->first.position - w->trailer.first_position;
    k->seed_at = stet__set_seed_at(&k->seeds, (uint32_t)slot);
    stet__chain_begin(&k->chain, k->seed_at, k->run.key);
    bool goes_on =
        first->previous.position > 0 && first->previous.key.id.len == 0;
    return goes_on
               ? stet__chain_before_run(&w->jumps, first, k->chain.value, err)
               : STET_OK;
}

static stet_status begin_machine(stet_settling *w, stet_error *err)
{
    stet_settle_retain *k = &w->retain;
    stet_retained_run *run = &k->run;
    const stet_run *first = &w->inputs[w->active].q.run;
    memcpy(run->id, first->key.id.ptr, first->key.id.len);
    run->key = (stet_machine_key){
        .id = stet_slice_of(run->id, first->key.id.len), .ns = first->key.ns};
    run->first_seq = first->first.seq;
    run->next = 0;
    run->gone = 0;
    k->is_begun = true;
    stet_status st = k->ask->wants(k->ask->ctx, run->key, &run->wants, err);
    if (st != STET_OK) {
        return st;
    }
    run->is_untouched = is_untouched(k, first);
    k->is_chained = !k->is_trial && (k->is_salted || !run->is_untouched);
    if (k->is_chained) {
        st = begin_chain(w, first, err);
    }
    if (st != STET_OK || run->is_untouched) {
        return st;
    }
    st = list_places(w, err);
    return st == STET_OK ? look_outside(w, err) : st;
}

/* A record. */

static bool is_inside(const stet_settling *w, uint64_t position)
{
    return position >= w->segments[0]->trailer.first_position &&
           position < w->segments[w->count - 1]->trailer.end_position;
}

/* Do all forks that leave at a record need nothing of it? */
static stet_status are_forks_free(stet_settling *w, uint64_t position,
                                  bool *out, stet_error *err)
{
    const stet_retention *ask = w->retain.ask;
    uint64_t first = 0;
    *out = true;
    while (*out && (first = ask->fork_at(ask->ctx, position, first)) != 0) {
        stet_record r;
        if (is_inside(w, first)) {
            continue; /* it becomes a base in this settle */
        }
        stet_status st = read_at(w, first, &r, err);
        if (st != STET_OK) {
            return st;
        }
        *out = is_free(&r) && first < stet__embedded_synced(w->e);
    }
    return STET_OK;
}

static stet_status choose_fate(stet_settling *w, const stet_record *r,
                               stet_fate *out, stet_error *err)
{
    stet_settle_retain *k = &w->retain;
    stet_retained_run *run = &k->run;
    size_t i = run->next;
    if (run->is_untouched) {
        *out = STET_FATE_KEEP;
        return STET_OK;
    }
    bool is_fork = (r->tags & 1u << STET_TAG_PARENT) != 0;
    stet_machine_key parent = {r->parent_id, r->parent_ns};
    stet_retained it = {
        .at = place_of(run, i),
        .is_first_own = is_fork || r->back == 0,
        .is_base = (r->flags & STET_RECORD_BASE) != 0,
        .is_dropped = stet__record_is_dropped(r),
        .is_erased = stet__record_is_erased(r),
        .is_next_free = i + 1 < place_count(run) || run->is_outside_free,
    };
    it.previous_position = r->back == 0 ? 0 : it.at.position - r->back;
    it.is_previous_erased = is_fork && r->parent_seq < erased_end(k, parent);
    if (it.is_next_free && r->seq < run->wants.erase_end) {
        stet_status st =
            are_forks_free(w, it.at.position, &it.is_next_free, err);
        if (st != STET_OK) {
            return st;
        }
    }
    *out = stet__retain_fate(&run->wants, &it);
    if (*out == STET_FATE_ERASE && r->kind == STET_EVENT_DELETED) {
        *out = STET_FATE_KEEP; /* there is nothing in it */
    }
    return STET_OK;
}

/* How many go right behind the one that comes next. */
static uint64_t count_behind(stet_retained_run *run)
{
    size_t count = place_count(run);
    if (run->gone <= run->next) {
        run->gone = run->next + 1;
        while (run->gone < count &&
               (run->gone + 1 < count || run->is_outside_free) &&
               !stet__retain_wants(&run->wants, place_of(run, run->gone))) {
            run->gone++;
        }
    }
    return run->gone - run->next - 1;
}

static stet_status make_base(stet_settling *w, const stet_set_record *r,
                             stet_error *err)
{
    stet_settle_retain *k = &w->retain;
    stet_place at = place_of(&k->run, k->run.next);
    stet_point point = {.seq = at.seq, .position = at.position};
    stet_base_parts parts;
    stet_status st =
        k->ask->base_of(k->ask->ctx, k->run.key, point, &parts, err);
    STET_MARK("settle.made_a_base");
    return st == STET_OK
               ? stet__rewrite_base(r->bytes, &parts, &k->rewritten, err)
               : st;
}

static stet_status rewrite(stet_settling *w, stet_fate fate,
                           const stet_leaf *leaf, stet_set_record *r,
                           stet_error *err)
{
    stet_settle_retain *k = &w->retain;
    stet_status st = STET_OK;
    uint64_t behind = 0;
    stet__buf_reset(&k->rewritten);
    switch (fate) {
    case STET_FATE_KEEP:
        return STET_OK;
    case STET_FATE_BASE:
        st = make_base(w, r, err);
        break;
    case STET_FATE_DROP:
        STET_MARK("settle.dropped");
        k->has_cut = true;
        behind = count_behind(&k->run);
        st = stet__rewrite_dropped(r->bytes, behind,
                                   behind == 0 ? k->chain.value : NULL,
                                   &k->rewritten, err);
        break;
    case STET_FATE_ERASE:
        STET_MARK("settle.erased");
        k->has_cut = true;
        st = stet__rewrite_erased(r->bytes, leaf->commitment, &k->rewritten,
                                  err);
        break;
    }
    r->bytes = stet__buf_slice(&k->rewritten);
    return st;
}

/* In place of the seed, what is whole brings its salt. */
static stet_status salt(stet_settle_retain *k, const stet_leaf *leaf,
                        stet_set_record *r, stet_error *err)
{
    stet_record record;
    size_t bytes = 0;
    if (!k->is_salted) {
        return STET_OK;
    }
    stet_status st = stet__record_parse(r->bytes, &record, &bytes, err);
    STET_ASSERT(st == STET_OK); /* it was read before, or made here */
    if (!stet__record_is_whole(&record) || record.salt.len > 0) {
        return STET_OK;
    }
    stet__buf_reset(&k->salted);
    st = stet__rewrite_salted(r->bytes, leaf->salt, &k->salted, err);
    r->bytes = stet__buf_slice(&k->salted);
    return st;
}

static stet_status go_on_with_chain(stet_settling *w, const stet_set_record *r,
                                    stet_leaf *out, stet_error *err)
{
    stet_settle_retain *k = &w->retain;
    uint64_t slot = r->position - w->trailer.first_position;
    const uint8_t *seed = stet__set_seed_at(&k->seeds, (uint32_t)slot);
    if (seed != k->seed_at) {
        k->seed_at = seed;
        stet__chain_reseed(&k->chain, seed, k->run.key);
    }
    return stet__chain_add_leaf(&k->chain, r, out, err);
}

stet_status stet__settle_retain_record(stet_settling *w, stet_set_record *r,
                                       stet_error *err)
{
    stet_settle_retain *k = &w->retain;
    stet_record record;
    stet_leaf leaf;
    size_t bytes = 0;
    stet_fate fate = STET_FATE_KEEP;
    stet_status st = k->is_begun ? STET_OK : begin_machine(w, err);
    if (st == STET_OK) {
        st = stet__record_parse(r->bytes, &record, &bytes, err);
    }
    if (st == STET_OK) {
        st = choose_fate(w, &record, &fate, err);
    }
    k->is_due = k->is_due || fate != STET_FATE_KEEP;
    if (st == STET_OK && k->is_chained) {
        st = go_on_with_chain(w, r, &leaf, err);
        if (st == STET_OK) {
            st = rewrite(w, fate, &leaf, r, err);
        }
        if (st == STET_OK) {
            st = salt(k, &leaf, r, err);
        }
    }
    k->run.next++;
    return st;
}
