#include "core/set_draft.h"

#include <inttypes.h>

#include "base/assert.h"
#include "base/error.h"

enum { NO_SLOT = 0 }; /* no record lies at raw offset 0: the times do */

static uint64_t slot_count(const stet_set_draft *d)
{
    const stet_trailer *t = &d->index.trailer;
    return t->end_position - t->first_position;
}

stet_status stet__set_draft_init(stet_set_draft *d, const stet_allocator *alloc,
                                 const stet_trailer *trailer,
                                 const stet_set_seeds *seeds,
                                 const stet_set_links *links, stet_error *err)
{
    stet__index_draft_init(&d->index, alloc);
    stet_status st = stet__chain_init(&d->chain, alloc, err);
    if (st != STET_OK) {
        return st;
    }
    d->index.trailer = *trailer;
    d->index.trailer.state_bytes = 0;
    memset(d->index.trailer.sections, 0, sizeof d->index.trailer.sections);
    d->index.trailer.set.blocks = (stet_section_range){0};
    d->seeds = *seeds;
    d->links = *links;
    d->has_run = false;
    size_t bytes = (size_t)slot_count(d) * STET_SLOT_BYTES;
    uint8_t *slots = stet__buf_extend(&d->index.slots, bytes);
    if (slots == NULL) {
        return stet__fail(err, STET_E_NOMEM, 0, "no memory for an index");
    }
    memset(slots, NO_SLOT, bytes);
    return STET_OK;
}

void stet__set_draft_deinit(stet_set_draft *d)
{
    stet__index_draft_deinit(&d->index);
    stet__chain_deinit(&d->chain);
}

/* Runs. */

static stet_slice copy_to(uint8_t *copy, stet_slice s)
{
    if (s.len > 0) {
        memcpy(copy, s.ptr, s.len);
    }
    return stet_slice_of(copy, s.len);
}

static uint32_t list_count(const stet_set_draft *d)
{
    return (uint32_t)(d->index.lists.len / STET_LIST_BYTES);
}

static const uint8_t *seed_at(const stet_set_draft *d, uint64_t position)
{
    uint64_t slot = position - d->index.trailer.first_position;
    return stet__set_seed_at(&d->seeds, (uint32_t)slot);
}

static void end_run(stet_set_draft *d)
{
    if (!d->has_run) {
        return;
    }
    stet_run *run = &d->run;
    stet_run_link jump = {0};
    if (run->count == 1) { /* has no list */
        d->index.lists.len -= d->index.lists.is_failed ? 0 : STET_LIST_BYTES;
    }
    if (d->links.jump != NULL && d->links.jump(d->links.ctx, run, &jump)) {
        run->jump = jump;
    }
    run->has_chain = true;
    memcpy(run->chain, d->chain.value, sizeof run->chain);
    stet__index_draft_add_run(&d->index, run);
    d->has_run = false;
}

static stet_status begin_run(stet_set_draft *d, const stet_record *r,
                             stet_point first, stet_error *err)
{
    stet_run *run = &d->run;
    *run = (stet_run){
        .key = {.id = copy_to(d->id, r->id), .ns = r->ns},
        .first = first,
        .list = list_count(d),
        /* A lineage that begins here without a name has none. */
        .has_state_name = r->back == 0,
    };
    d->has_run = true;
    if (r->back > 0) {
        run->previous.position = first.position - r->back;
    }
    bool is_fork = (r->tags & 1U << STET_TAG_PARENT) != 0;
    if (is_fork) {
        run->previous.key.id = copy_to(d->parent_id, r->parent_id);
        run->previous.key.ns = r->parent_ns;
    }
    d->seed = seed_at(d, first.position);
    stet__chain_begin(&d->chain, d->seed, run->key);
    return r->back > 0 && !is_fork
               ? d->links.chain_before(d->links.ctx, run, d->chain.value, err)
               : STET_OK;
}

/* Records. */

static bool follows(const stet_set_draft *d, const stet_record *r, stet_point p)
{
    const stet_run *run = &d->run;
    return run->count == 0 || (r->seq == run->last.seq + 1 &&
                               r->back == p.position - run->last.position &&
                               (r->tags & 1U << STET_TAG_PARENT) == 0);
}

static stet_status misplaced(const stet_set_record *r, stet_error *err)
{
    return stet__fail(err, STET_E_CORRUPT, 0,
                      "position %" PRIu64 " is not where it belongs",
                      r->position);
}

static bool take_slot(stet_set_draft *d, const stet_set_record *r)
{
    const stet_trailer *t = &d->index.trailer;
    uint64_t slot = r->position - t->first_position; /* wraps below it */
    if (slot >= slot_count(d)) {
        return false;
    }
    uint8_t *entry = d->index.slots.ptr + slot * STET_SLOT_BYTES;
    bool is_free = stet__get_u32le(entry) == NO_SLOT;
    stet__put_u32le(entry, r->raw_offset);
    memcpy(entry + 4, r->bytes.ptr, 4); /* crc */
    stet__buf_put_u32le(&d->index.lists, (uint32_t)slot);
    return is_free;
}

/* The run goes on to the record. */
static void take_record(stet_set_draft *d, const stet_record *r, stet_point p)
{
    stet_run *run = &d->run;
    stet_slice name;
    run->last = p;
    run->count++;
    run->is_deleted = r->kind == STET_EVENT_DELETED;
    if (stet__record_says_name(r, &name)) {
        run->has_state_name = true;
        run->state_name = copy_to(d->name, name);
    }
    d->index.trailer.state_bytes += stet__record_state_bytes(r);
    if ((r->tags & 1U << STET_TAG_KEY) != 0) {
        uint64_t slot = p.position - d->index.trailer.first_position;
        stet__index_draft_add_key(&d->index, r->key, r->key_check,
                                  (uint32_t)slot);
    }
}

stet_status stet__set_draft_add(stet_set_draft *d, const stet_set_record *in,
                                stet_error *err)
{
    stet_record r;
    size_t bytes = 0;
    stet_status st = stet__record_decode(in->bytes, &r, &bytes, err);
    if (st != STET_OK) {
        return st;
    }
    stet_machine_key key = {.id = r.id, .ns = r.ns};
    stet_point p = {
        .seq = r.seq,
        .position = in->position,
        .occurred_max = stet__record_occurred_max(&r, in->recorded),
    };
    int order = d->has_run ? stet__machine_key_cmp(d->run.key, key) : -1;
    if (order > 0 || r.back >= in->position) {
        return misplaced(in, err);
    }
    if (order < 0) {
        end_run(d);
        st = begin_run(d, &r, p, err);
    }
    if (st == STET_OK && (!follows(d, &r, p) || !take_slot(d, in))) {
        st = misplaced(in, err);
    }
    if (st != STET_OK) {
        return st;
    }
    take_record(d, &r, p);
    const uint8_t *seed = seed_at(d, p.position);
    if (seed != d->seed) {
        d->seed = seed;
        stet__chain_reseed(&d->chain, seed, key);
    }
    return stet__chain_add(&d->chain, in->bytes, in->position, in->recorded,
                           err);
}

stet_status stet__set_draft_end(stet_set_draft *d, stet_error *err)
{
    end_run(d);
    uint64_t slots = slot_count(d);
    for (uint64_t i = 0; i < slots; i++) {
        const uint8_t *entry = d->index.slots.ptr + i * STET_SLOT_BYTES;
        if (stet__get_u32le(entry) == NO_SLOT) {
            return stet__fail(err, STET_E_CORRUPT, 0,
                              "position %" PRIu64 " is missing",
                              d->index.trailer.first_position + i);
        }
    }
    return stet__index_draft_is_failed(&d->index)
               ? stet__fail(err, STET_E_NOMEM, 0, "no memory for an index")
               : STET_OK;
}
