#include "cli/importer.h"

#include <inttypes.h>

#include "base/assert.h"
#include "base/error.h"
#include "formats/batch.h"
#include "formats/gunzip.h"

/* While one batch is written the next is parsed; more gains nothing. */
enum { UNDER_WAY_MAX = 4 };

/* A batch that the store has taken and not yet made durable. */
typedef struct voyage {
    stet_ticket ticket;
    import_counts counts;
} voyage;

struct importer {
    stet *store;
    import_counts *stored; /* borrowed */
    stet_parser_opts parser_opts;
    stet_gunzip *gunzip;
    stet_parser *parser;
    stet_import_batch *batch;
    voyage under_way[UNDER_WAY_MAX]; /* a ring */
    size_t oldest;
    size_t count;
    stet_written written[STET_IMPORT_EVENTS_MAX];
};

static stet_status take_item(void *ctx, const stet_item *item, stet_error *err);

static stet_status take_bytes(void *ctx, stet_slice bytes, stet_error *err)
{
    importer *im = ctx;
    return stet__parser_feed(im->parser, bytes, err);
}

static stet_status open_stages(importer *im, const importer_opts *opts,
                               stet_error *err)
{
    stet_import_opts batch = {
        .format = opts->format, .prefix = opts->prefix, .ns = opts->ns};
    stet_status st = stet__batch_create(&stet__heap, &batch, &im->batch, err);
    if (st == STET_OK) {
        st = stet__parser_create(&stet__heap, opts->format, &im->parser_opts,
                                 &im->parser, err);
    }
    if (st == STET_OK) {
        st = stet__gunzip_create(&stet__heap, take_bytes, im, &im->gunzip, err);
    }
    return st;
}

stet_status importer_open(const importer_opts *opts, import_counts *counts,
                          importer **out, stet_error *err)
{
    importer *im = stet__alloc_zeroed(&stet__heap, 1, sizeof *im);
    if (im == NULL) {
        return stet__fail(err, STET_E_NOMEM, 0, "open an import");
    }
    im->store = opts->store;
    im->stored = counts;
    im->parser_opts = opts->parser;
    im->parser_opts.next = take_item;
    im->parser_opts.ctx = im;
    stet_status st = open_stages(im, opts, err);
    if (st != STET_OK) {
        importer_close(im);
        return st;
    }
    *out = im;
    return STET_OK;
}

/* Wait until the oldest batch is durable, and count it. */
static stet_status land(importer *im, stet_error *err)
{
    STET_ASSERT(im->count > 0);
    const voyage *v = &im->under_way[im->oldest];
    stet_status st = stet_wait(im->store, v->ticket, 0, err);
    im->oldest = (im->oldest + 1) % UNDER_WAY_MAX;
    im->count--;
    if (st == STET_OK) {
        im->stored->machines += v->counts.machines;
        im->stored->events += v->counts.events;
        im->stored->transitions += v->counts.transitions;
        im->stored->repeated += v->counts.repeated;
    }
    return st;
}

static import_counts count_batch(const stet_batch *batch,
                                 const stet_written *written)
{
    import_counts n = {0};
    for (size_t i = 0; i < batch->change_count; i++) {
        if (written[i].is_repeat) {
            n.repeated++;
            continue;
        }
        n.events++;
        n.machines += written[i].seq == 1;
        n.transitions += batch->changes[i].verb == STET_VERB_TRANSITION;
    }
    return n;
}

/* Hand the batch to the store and begin the next one. */
static stet_status launch(importer *im, stet_error *err)
{
    const stet_batch *batch = stet__batch_peek(im->batch);
    stet_status st = STET_OK;
    if (batch == NULL) {
        return STET_OK;
    }
    if (im->count == UNDER_WAY_MAX) {
        st = land(im, err);
    }
    voyage *v = &im->under_way[(im->oldest + im->count) % UNDER_WAY_MAX];
    if (st == STET_OK) {
        st = stet_commit_async(im->store, batch, im->written, &v->ticket, err);
        if (st != STET_OK) {
            stet_lines lines = stet__batch_lines(im->batch);
            return stet__wrap(err, st, "lines %" PRIu64 " to %" PRIu64,
                              lines.first, lines.last);
        }
        v->counts = count_batch(batch, im->written);
        im->count++;
        stet__batch_reset(im->batch);
    }
    return st;
}

/* Where every item goes: into the batch. */
static stet_status take_item(void *ctx, const stet_item *item, stet_error *err)
{
    importer *im = ctx;
    stet_status st = STET_OK;
    if (stet__batch_is_full_for(im->batch, item)) {
        st = launch(im, err);
    }
    if (st == STET_OK) {
        st = stet__batch_add(im->batch, item, err);
    }
    /* A malformed line that follows must not keep it back. */
    return st == STET_OK && stet__batch_is_full(im->batch) ? launch(im, err)
                                                           : st;
}

stet_status importer_feed(importer *im, stet_slice bytes, stet_error *err)
{
    return stet__gunzip_feed(im->gunzip, bytes, err);
}

stet_status importer_finish(importer *im, stet_error *err)
{
    stet_status st = stet__gunzip_finish(im->gunzip, err);
    if (st == STET_OK) {
        st = stet__parser_finish(im->parser, err);
    }
    if (st == STET_OK) {
        st = launch(im, err);
    }
    while (st == STET_OK && im->count > 0) {
        st = land(im, err);
    }
    return st;
}

const stet_ignored *importer_ignored(const importer *im)
{
    return stet__parser_ignored(im->parser);
}

void importer_close(importer *im)
{
    if (im == NULL) {
        return;
    }
    while (im->count > 0) {
        (void)land(im, NULL); /* what fails here is not counted as stored */
    }
    stet__gunzip_destroy(im->gunzip);
    stet__parser_destroy(im->parser);
    stet__batch_destroy(im->batch);
    stet__free(&stet__heap, im, sizeof *im);
}
