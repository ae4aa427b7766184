/*
 * Settling: the runs of one machine after the other, each input's behind the
 * older one's.
 */
#include "base/error.h"
#include "stores/embedded/settling.h"

static stet_status put_times(stet_settling *w, stet_error *err)
{
    int64_t before = w->trailer.first_recorded;
    stet_status st = STET_OK;
    for (uint32_t i = 0; st == STET_OK && i < w->count; i++) {
        const stet_sealed_tables *t = w->inputs[i].tables;
        const stet_trailer *told = &w->segments[i]->trailer;
        uint64_t slots = told->end_position - told->first_position;
        for (uint32_t n = 0; st == STET_OK && n < t->time_count; n++) {
            uint64_t next =
                n + 1 < t->time_count ? t->times[n + 1].first_slot : slots;
            st = stet__set_put_time(
                &w->packer, (uint32_t)(next - t->times[n].first_slot),
                (uint64_t)t->times[n].recorded - (uint64_t)before, err);
            before = t->times[n].recorded;
        }
    }
    w->trailer.set.times_bytes = stet__set_packer_bytes(&w->packer);
    return st;
}

/*
 * A record of a merged set keeps the seed that it had: so its chain has the
 * values that were told before. The first set's is the trailer's.
 */
static void collect_seeds(stet_settling *w, const stet_segment *s,
                          const stet_sealed_tables *t)
{
    stet_set_seeds seeds = stet__settled_seeds(s, t);
    uint32_t before =
        (uint32_t)(s->trailer.first_position - w->trailer.first_position);
    stet_set_seed seed = {.first_slot = before};
    memcpy(seed.bytes, seeds.first, sizeof seed.bytes);
    if (before > 0) {
        stet__buf_put(&w->seeds, &seed, sizeof seed);
    }
    for (uint32_t i = 0; i < seeds.count; i++) {
        seed = seeds.items[i];
        seed.first_slot += before;
        stet__buf_put(&w->seeds, &seed, sizeof seed);
    }
}

static stet_status put_seeds(stet_settling *w, stet_set_seeds *out,
                             stet_error *err)
{
    stet_status st = STET_OK;
    for (uint32_t i = 0; i < w->count; i++) {
        const stet_settle_input *in = &w->inputs[i];
        if (stet__segment_is_set(in->s)) {
            collect_seeds(w, in->s, in->tables);
        }
    }
    if (w->seeds.is_failed) {
        st = stet__fail(err, STET_E_NOMEM, 0, "no memory to settle");
    }
    *out = (stet_set_seeds){
        .first = w->trailer.set.seed,
        .items = (const void *)w->seeds.ptr,
        .count = (uint32_t)(w->seeds.len / sizeof(stet_set_seed)),
    };
    stet__settle_retain_seeds(w, out);
    for (uint32_t i = 0; st == STET_OK && i < out->count; i++) {
        st = stet__set_put_seed(&w->packer, &out->items[i], err);
    }
    return st;
}

stet_status stet__settle_merge_begin(stet_settling *w, stet_error *err)
{
    stet_set_links links = {stet__chain_before_run, stet__jump_of_run,
                            &w->jumps};
    stet_set_seeds seeds;
    stet_status st = put_times(w, err);
    if (st == STET_OK) {
        st = put_seeds(w, &seeds, err);
    }
    return st == STET_OK
               ? stet__set_draft_init(&w->draft, w->e->alloc, &w->trailer,
                                      &seeds, &links, err)
               : st;
}

/* Go to the machine with the least key; false: all were copied. */
static bool next_machine(stet_settling *w)
{
    const stet_settle_input *least = NULL;
    for (uint32_t i = w->count; i > 0; i--) {
        const stet_settle_input *in = &w->inputs[i - 1];
        if (in->has_run &&
            (least == NULL ||
             stet__machine_key_cmp(in->q.run.key, least->q.run.key) <= 0)) {
            least = in;
            w->active = i - 1;
        }
    }
    for (uint32_t i = 0; i < w->count && least != NULL; i++) {
        stet_settle_input *in = &w->inputs[i];
        in->is_in = in->has_run &&
                    stet__machine_key_eq(in->q.run.key, least->q.run.key);
    }
    w->retain.is_begun = false;
    return least != NULL;
}

/* The chain of a set's run ends as it did: what was told of it stays true. */
static stet_status check_chain(const stet_settling *w,
                               const stet_settle_input *in, stet_error *err)
{
    const stet_run *run = &in->q.run;
    const stet_settle_retain *k = &w->retain;
    const stet_chain *chain = k->is_chained ? &k->chain : &w->draft.chain;
    bool is_last = in->ordinal == run->count;
    return is_last && run->has_chain &&
                   memcmp(run->chain, chain->value, sizeof run->chain) != 0
               ? stet__segment_damage(in->s, in->read_offset, err,
                                      "the hash chain of a run")
               : STET_OK;
}

/* The one place where a machine's record goes into the set. */
static stet_status keep_record(stet_settling *w, const stet_settle_input *in,
                               stet_set_record *r, stet_error *err)
{
    uint32_t slot = (uint32_t)(r->position - w->trailer.first_position);
    w->taken += r->bytes.len;
    stet_status st =
        w->retain.ask != NULL ? stet__settle_retain_record(w, r, err) : STET_OK;
    if (st != STET_OK || w->retain.is_trial) {
        return st;
    }
    st = stet__set_put_record(&w->packer, slot, r->bytes, &r->raw_offset, err);
    if (st != STET_OK) {
        return st;
    }
    st = stet__set_draft_add(&w->draft, r, err);
    if (st == STET_E_CORRUPT || st == STET_E_FORMAT) {
        return stet__segment_damage_wrap(in->s, in->read_offset, st, err);
    }
    if (!stet__segment_is_set(in->s)) { /* writers may wait for it */
        atomic_fetch_add_explicit(&w->e->settle_pace, 1, memory_order_relaxed);
    }
    return st == STET_OK ? check_chain(w, in, err) : st;
}

/* Turn to the next input that has a run of the machine at hand, or the next. */
static bool next_input(stet_settling *w)
{
    while (w->active < w->count && !w->inputs[w->active].is_in) {
        w->active++;
    }
    return w->active < w->count || next_machine(w);
}

stet_status stet__settle_merge_next(stet_settling *w, stet_error *err)
{
    while (!stet__settle_retain_is_tried(w) && next_input(w)) {
        stet_settle_input *in = &w->inputs[w->active];
        stet_set_record r;
        w->reading = in->s->header.file;
        stet_status st = stet__settle_input_next(in, &r, err);
        if (st != STET_DONE) {
            return st == STET_OK ? keep_record(w, in, &r, err) : st;
        }
        in->is_in = false;
    }
    return STET_DONE;
}
