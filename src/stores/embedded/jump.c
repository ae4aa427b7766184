#include "stores/embedded/jump.h"

#include <inttypes.h>

#include "base/assert.h"
#include "base/error.h"
#include "stores/embedded/sealed_index.h"
#include "stores/embedded/view.h"

enum {
    /*
     * A run shorter than this gets no jump: looking its target up costs some
     * 20 us, and its machine's next longer run jumps over it.
     */
    RUN_RECORDS_MIN = 32,
};

void stet__jumps_init_in(stet_jumps *j, stet_embedded *e, stet_files *table)
{
    j->e = e;
    j->table = table;
    j->is_lent = false;
    stet__sealed_reader_init(&j->reader, e->alloc);
}

void stet__jumps_init(stet_jumps *j, stet_embedded *e)
{
    stet__jumps_init_in(j, e, stet__embedded_lend(e));
    j->is_lent = true;
}

void stet__jumps_deinit(stet_jumps *j)
{
    stet__sealed_reader_deinit(&j->reader);
    if (j->is_lent) {
        stet__embedded_unlend(j->e, j->table);
    }
}

/* Of the jumps of a run's records, the one that reaches furthest below it. */
static uint64_t furthest(const stet_run *run)
{
    uint64_t least = run->first.seq;
    for (uint64_t seq = run->first.seq; seq <= run->last.seq; seq++) {
        uint64_t to = stet__jump_seq(seq);
        least = to > 0 && to < least ? to : least;
    }
    return least;
}

/* Tell the key of the machine at a position, if it is not the run's own. */
static bool take_key(stet_jumps *j, const stet_run *run, uint64_t position,
                     stet_machine_key *out)
{
    stet_logged logged;
    stet_record record;
    size_t bytes = 0;
    if (stet__view_read(j->table, position, &j->reader, &logged, NULL) !=
            STET_OK ||
        stet__record_decode(logged.bytes, &record, &bytes, NULL) != STET_OK) {
        return false;
    }
    stet_machine_key key = {.id = record.id, .ns = record.ns};
    if (!stet__machine_key_eq(key, run->key)) {
        memcpy(j->id, key.id.ptr, key.id.len);
        *out = (stet_machine_key){
            .id = stet_slice_of(j->id, key.id.len),
            .ns = key.ns,
        };
    }
    return true;
}

bool stet__jump_of_run(void *jumps, const stet_run *run, stet_run_link *out)
{
    stet_jumps *j = jumps;
    const stet_run_link *previous = &run->previous;
    if (run->count < RUN_RECORDS_MIN || previous->position == 0) {
        return false;
    }
    uint64_t seq = furthest(run);
    stet_machine_key key = previous->key.id.len > 0 ? previous->key : run->key;
    stet_bound bound = {STET_BY_SEQ, seq, 0};
    stet_point p;
    stet_lineage_view view;
    stet_view_ctx ctx;
    stet__view_init(&view, &ctx, j->table, &j->reader);
    /* Whatever stands in the way: an index without this jump is complete. */
    if (stet__lineage_seek(&view, key, bound, previous->position + 1, &p,
                           NULL) != STET_OK ||
        p.seq != seq ||
        stet__files_locate(j->table, p.position) ==
            stet__files_locate(j->table, previous->position)) {
        return false;
    }
    *out = (stet_run_link){
        .position = p.position,
        .seq = p.seq,
        .occurred_max = p.occurred_max,
    };
    return take_key(j, run, p.position, &out->key);
}

void stet__old_jumps_init(stet_old_jumps *o, const stet_allocator *alloc,
                          const stet_segment *s)
{
    o->s = s;
    o->has_next = false;
    o->is_astray = false;
    stet__sealed_reader_init(&o->reader, alloc);
    stet__run_walk_init(&o->walk, s, &o->reader, 0);
}

void stet__old_jumps_deinit(stet_old_jumps *o)
{
    stet__sealed_reader_deinit(&o->reader);
}

/* Bring the walk to the first run that is not below the key. */
static stet_status catch_up(stet_old_jumps *o, stet_machine_key key)
{
    stet_status st = STET_OK;
    while (st == STET_OK &&
           !(o->has_next && stet__machine_key_cmp(o->next.key, key) >= 0)) {
        st = stet__run_walk_next(&o->walk, &o->next, NULL);
        o->has_next = st == STET_OK;
    }
    return st;
}

stet_status stet__old_jump(stet_old_jumps *o, stet_machine_key key,
                           stet_run_link *out)
{
    stet_status st = o->is_astray ? STET_E_CORRUPT : catch_up(o, key);
    if (st == STET_DONE ||
        (st == STET_OK && !stet__machine_key_eq(o->next.key, key))) {
        return STET_E_NOT_FOUND;
    }
    if (st == STET_OK) {
        *out = o->next.jump;
        return STET_OK;
    }
    o->is_astray = true;
    return stet__sealed_jump(o->s, key, &o->reader, out, NULL);
}

stet_status stet__chain_before_run(void *jumps, const stet_run *run,
                                   uint8_t out[STET_CHAIN_BYTES],
                                   stet_error *err)
{
    stet_jumps *j = jumps;
    uint64_t position = run->previous.position;
    uint32_t idx = stet__files_locate(j->table, position);
    STET_ASSERT(idx != UINT32_MAX); /* the first file begins with 1 */
    const stet_segment *s = j->table->items[idx];
    stet_run before;
    stet_status st =
        !stet__segment_is_set(s)
            ? STET_E_NOT_FOUND
            : stet__index_find(s, run->key, &j->reader.directory, &before, err);
    if (st == STET_OK && before.last.position == position) {
        memcpy(out, before.chain, sizeof before.chain);
        return STET_OK;
    }
    return st == STET_OK || st == STET_E_NOT_FOUND
               ? stet__fail(err, STET_E_CORRUPT, 0,
                            "no chain ends at position %" PRIu64, position)
               : st;
}
