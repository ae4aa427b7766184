/*
 * Forks: all of a log, from the directories of its files, and of what has none
 * yet from the records.
 */
#include "base/error.h"
#include "stores/embedded/log.h"
#include "stores/embedded/sealed_index.h"

/* Whom to tell, and of what. */
typedef struct telling {
    uint64_t below;
    stet_fork_fn fn;
    void *ctx;
} telling;

static stet_status tell_of_sealed(const telling *to, const stet_segment *s,
                                  stet_error *err)
{
    stet_run_walk walk;
    stet_sealed_reader reader;
    stet_status st = STET_OK;
    stet__sealed_reader_init(&reader, s->alloc);
    stet__run_walk_init(&walk, s, &reader, 0);
    while (st == STET_OK) {
        stet_run run;
        st = stet__run_walk_next(&walk, &run, err);
        if (st == STET_OK && run.previous.key.id.len > 0 &&
            run.first.position < to->below) {
            stet_fork_edge edge = {
                .child = run.key,
                .parent = run.previous.key,
                .first_seq = run.first.seq,
                .first_position = run.first.position,
                .parent_position = run.previous.position,
            };
            st = to->fn(to->ctx, &edge, err);
        }
    }
    stet__sealed_reader_deinit(&reader);
    return st == STET_DONE ? STET_OK : st;
}

static stet_status tell_of_image(const telling *to, const stet_image *image,
                                 stet_error *err)
{
    uint32_t count = stet__image_slot_count(image);
    uint64_t first = stet__image_first_position(image);
    stet_status st = STET_OK;
    for (uint32_t slot = 0;
         st == STET_OK && slot < count && first + slot < to->below; slot++) {
        stet_record r;
        int64_t recorded = 0;
        stet__image_record(image, slot, &r, &recorded);
        if ((r.tags & 1u << STET_TAG_PARENT) != 0) {
            stet_fork_edge edge = {
                .child = {r.id, r.ns},
                .parent = {r.parent_id, r.parent_ns},
                .first_seq = r.seq,
                .first_position = first + slot,
                .parent_position = first + slot - r.back,
            };
            st = to->fn(to->ctx, &edge, err);
        }
    }
    return st;
}

stet_status stet__embedded_forks(stet_log *log, uint64_t below, stet_fork_fn fn,
                                 void *ctx, stet_error *err)
{
    stet_embedded *e = stet__embedded_of(log);
    stet_files *table = stet__embedded_lend(e);
    telling to = {below, fn, ctx};
    stet_status st = STET_OK;
    for (uint32_t i = 0; i < stet__files_count(table) && st == STET_OK; i++) {
        const stet_segment *s = table->items[i];
        st = s->image == NULL ? tell_of_sealed(&to, s, err)
                              : tell_of_image(&to, s->image, err);
    }
    stet__embedded_unlend(e, table);
    return st;
}
