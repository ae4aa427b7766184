#include "base/error.h"
#include "base/mark.h"
#include "stores/embedded/names.h"
#include "stores/embedded/sealed.h"
#include "stores/embedded/sealed_index.h"

typedef struct directory_source {
    stet_head_source source; /* first */
    stet_segment *s;
    const stet_heads_range *range;
    stet_run_walk walk;
    stet_run_search q;
    stet_sealed_reader r;
} directory_source;

/* Of a run that goes on above `below`, the newest record under it. */
static stet_status cut_run(directory_source *d, stet_listed *out,
                           bool *out_is_in, stet_error *err)
{
    STET_MARK("listing.run_goes_on");
    stet_bound bound = {STET_BY_POSITION, d->range->below - 1, 0};
    uint32_t count = 0;
    stet_status st =
        stet__run_count(&d->q, d->q.run.count - 1, bound, &count, err);
    *out_is_in = count > 0;
    if (st != STET_OK || count == 0) {
        return st;
    }
    uint64_t position = 0;
    stet_logged logged;
    stet_record record;
    size_t bytes = 0;
    st = stet__run_position(&d->q, count - 1, &position, err);
    if (st == STET_OK) {
        st = stet__sealed_logged(d->s, position, &d->r, &logged, err);
    }
    if (st == STET_OK) {
        st = stet__record_decode(logged.bytes, &record, &bytes, err);
    }
    if (st != STET_OK) {
        return st;
    }
    out->entry.key = d->q.run.key;
    out->entry.seq = d->q.run.first.seq + count - 1;
    out->entry.position = position;
    out->entry.is_deleted = record.kind == STET_EVENT_DELETED;
    out->ask = position;
    return STET_OK;
}

static stet_status take_run(directory_source *d, stet_listed *out,
                            bool *out_is_in, stet_error *err)
{
    const stet_run *run = &d->q.run;
    *out = (stet_listed){0};
    if (run->last.position >= d->range->below) {
        return cut_run(d, out, out_is_in, err);
    }
    *out_is_in = true;
    out->entry = (stet_head_entry){
        .key = run->key,
        .state_name = run->state_name,
        .seq = run->last.seq,
        .position = run->last.position,
        .is_deleted = run->is_deleted,
    };
    out->ask = run->has_state_name ? 0 : run->previous.position;
    return STET_OK;
}

static stet_status directory_next(stet_head_source *source, stet_listed *out,
                                  stet_error *err)
{
    directory_source *d = (directory_source *)source;
    for (;;) {
        bool is_in = false;
        stet_status st = stet__run_walk_next(&d->walk, &d->q.run, err);
        if (st != STET_OK) {
            return st;
        }
        if (stet__heads_range_ends(d->range, d->q.run.key)) {
            return STET_DONE;
        }
        if (stet__heads_range_holds(d->range, d->q.run.key)) {
            st = take_run(d, out, &is_in, err);
        }
        if (st != STET_OK || is_in) {
            return st;
        }
    }
}

static void directory_destroy(stet_head_source *source)
{
    directory_source *d = (directory_source *)source;
    const stet_allocator *alloc = d->s->alloc;
    stet__sealed_reader_deinit(&d->r);
    stet__segment_unref(d->s);
    stet__free(alloc, d, sizeof *d);
}

stet_status stet__sealed_heads(stet_segment *s, const stet_heads_range *range,
                               stet_head_source **out, stet_error *err)
{
    const stet_sealed_tables *t = NULL;
    stet_status st = stet__index_tables(s, &t, err);
    if (st != STET_OK) {
        return st;
    }
    directory_source *d = stet__alloc_zeroed(s->alloc, 1, sizeof *d);
    if (d == NULL) {
        return stet__index_no_memory(s, err);
    }
    uint32_t fences = stet__index_fences(t, stet__heads_range_start(range));
    d->source = (stet_head_source){directory_next, directory_destroy};
    d->s = stet__segment_ref(s);
    d->range = range;
    stet__run_walk_init(&d->walk, s, &d->r, fences == 0 ? 0 : fences - 1);
    d->q = (stet_run_search){.s = s, .r = &d->r};
    stet__sealed_reader_init(&d->r, s->alloc);
    *out = &d->source;
    return STET_OK;
}
