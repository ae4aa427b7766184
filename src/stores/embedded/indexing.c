#include "stores/embedded/indexing.h"

#include <inttypes.h>

#include "base/error.h"
#include "base/mark.h"
#include "core/merged.h"
#include "stores/embedded/making.h"
#include "stores/embedded/merged.h"
#include "stores/embedded/sealed_index.h"
#include "stores/embedded/settling.h"

/*
 * Sets are taken while twice as many newer ones are left: among these are the
 * small ones, which are still to be merged.
 */
enum { INDEXED_REST = 2 };

enum { KEY_BYTES = 16 };

typedef enum indexing_stage {
    INDEXING_RUNS = 1,
    INDEXING_KEYS = 2,
    INDEXING_CHECKS = 3,
    INDEXING_ENDS = 4,
} indexing_stage;

/* A set, or an index, being read by key. */
typedef struct indexing_input {
    stet_segment *s; /* one reference */
    stet_sealed_reader reader;
    stet_run_walk runs;
    stet_run run; /* the next one */
    stet_key_walk keys;
    const uint8_t *key; /* likewise */
    bool is_at_end;     /* of the runs, then of the keys */
} indexing_input;

struct stet_indexing {
    stet_embedded *e;
    indexing_stage stage;
    uint32_t count;
    stet_making file;
    stet_merged_draft draft;
    uint32_t checked; /* blocks */
    stet_segment *index;
    indexing_input inputs[]; /* `count`, 13 KB each */
};

typedef struct stet_indexing indexing;

/* Neighbours, sets or indexes. */
typedef struct choice {
    stet_segment *const *items;
    uint32_t count; /* 0: there is nothing to do */
} choice;

/* Choosing. */

/* Machines of a file, each counted where it is. */
static uint64_t machines_of(const stet_segment *s)
{
    return stet__index_section(s, STET_SECTION_DIRECTORY)->entries;
}

/* As many of them as there is room for. */
static choice cut_to_limit(choice c)
{
    uint64_t machines = 0;
    uint32_t fit = 0;
    while (fit < c.count) {
        machines += machines_of(c.items[fit]);
        if (machines > STET_MERGED_MACHINES_MAX) {
            break;
        }
        fit++;
    }
    c.count = fit > 1 || fit == c.count ? fit : 0;
    return c;
}

/* The first `want` neighbours of one level. */
static choice choose_indexes(const stet_embedded *e, const stet_files *table,
                             uint64_t below)
{
    uint32_t want = e->index_sets > 1 ? e->index_sets : 2;
    uint32_t from = 0;
    for (uint32_t i = 1; i < table->merged_count; i++) {
        const stet_segment *m = table->merged[i];
        const stet_segment *before = table->merged[i - 1];
        if (m->header.first_position >= below) {
            break;
        }
        if (m->trailer.level != before->trailer.level ||
            m->header.first_position != before->trailer.end_position) {
            from = i;
        } else if (i + 1 - from == want) {
            return cut_to_limit((choice){table->merged + from, want});
        }
    }
    return (choice){0};
}

/* The oldest sets that no index is about. */
static choice choose_sets(const stet_embedded *e, const stet_files *table,
                          uint64_t below)
{
    uint32_t sets = stet__settle_sets_below(table, below);
    uint32_t want = e->index_sets;
    uint32_t end = 0;
    for (uint32_t from = 0; from < sets; from = end + 1) {
        end = from;
        while (end < sets &&
               stet__merged_of(
                   table, table->items[end]->header.first_position) == NULL) {
            end++;
        }
        uint32_t need = end < sets ? want : want * (1 + INDEXED_REST);
        if (want > 0 && end - from >= need) {
            return cut_to_limit((choice){table->items + from, want});
        }
    }
    return (choice){0};
}

/* Beginning. */

stet_status stet__indexing_remove(stet_embedded *e, stet_segment *index,
                                  stet_error *err)
{
    stet_status st = stet__embedded_show_index(e, &index, 1, NULL, err);
    if (st == STET_OK) {
        STET_MARK("indexing.removed");
        stet__embedded_doom(e, index->header.file, STET_NAME_INDEX);
    }
    return st;
}

static stet_status remove_unsound(stet_embedded *e, const stet_files *table,
                                  stet_error *err)
{
    stet_status st = STET_OK;
    for (uint32_t i = 0; st == STET_OK && i < table->merged_count; i++) {
        stet_segment *m = table->merged[i];
        if (stet__merged_of(table, m->header.first_position) != m) {
            stet__embedded_talk(e, STET_LOG_WARNING,
                                "%" PRIu32 ".idx is damaged; it is made anew",
                                m->header.file);
            st = stet__indexing_remove(e, m, err);
        }
    }
    return st;
}

/* What the trailer says before anything is read. */
static stet_status begin_draft(indexing *w, stet_error *err)
{
    const stet_segment *first = w->inputs[0].s;
    const stet_segment *last = w->inputs[w->count - 1].s;
    stet_trailer t = {
        .file = w->file.number,
        .first_position = first->header.first_position,
        .end_position = last->trailer.end_position,
        .last_frame_crc = last->trailer.last_frame_crc,
        .level = first->trailer.level + 1,
    };
    uint64_t machines = 0;
    for (uint32_t i = 0; i < w->count; i++) {
        machines += machines_of(w->inputs[i].s);
    }
    memcpy(t.uuid, w->e->uuid, sizeof t.uuid);
    int rc = w->e->os->random(w->e->os, &t.salt, sizeof t.salt);
    return rc < 0 ? stet__os_fail(err, rc, "draw a salt")
                  : stet__merged_draft_init(&w->draft, w->e->alloc, &t,
                                            machines, err);
}

/* Take the next run, or key, in hand. */
static stet_status next_entry(const indexing *w, indexing_input *in,
                              stet_error *err)
{
    stet_status st = w->stage == INDEXING_RUNS
                         ? stet__run_walk_next(&in->runs, &in->run, err)
                         : stet__key_walk_next(&in->keys, &in->key, err);
    in->is_at_end = st == STET_DONE;
    return in->is_at_end ? STET_OK : st;
}

static stet_status next_of_all(indexing *w, stet_error *err)
{
    stet_status st = STET_OK;
    for (uint32_t i = 0; i < w->count && st == STET_OK; i++) {
        st = next_entry(w, &w->inputs[i], err);
    }
    return st;
}

static size_t bytes_with(uint32_t inputs)
{
    return sizeof(indexing) + inputs * sizeof(indexing_input);
}

static indexing *create(stet_embedded *e, choice c)
{
    indexing *w = stet__alloc_zeroed(e->alloc, 1, bytes_with(c.count));
    if (w == NULL) {
        return NULL;
    }
    w->e = e;
    w->file.fd = -1;
    w->stage = INDEXING_RUNS;
    w->count = c.count;
    for (uint32_t i = 0; i < c.count; i++) {
        indexing_input *in = &w->inputs[i];
        in->s = stet__segment_ref(c.items[i]);
        stet__sealed_reader_init(&in->reader, e->alloc);
        stet__run_walk_init(&in->runs, in->s, &in->reader, 0);
        stet__key_walk_init(&in->keys, in->s);
    }
    return w;
}

stet_status stet__indexing_begin(stet_embedded *e, const stet_files *table,
                                 uint64_t below, stet_error *err)
{
    stet_status st = remove_unsound(e, table, err);
    choice c = choose_indexes(e, table, below);
    if (c.count == 0 && table->merged_count < STET_MERGED_MAX) {
        c = choose_sets(e, table, below);
    }
    if (st != STET_OK || c.count == 0) {
        return st;
    }
    e->indexing = create(e, c);
    if (e->indexing == NULL) {
        return stet__fail(err, STET_E_NOMEM, 0, "no memory for an index");
    }
    st = stet__making_begin(&e->indexing->file, e, err);
    if (st == STET_OK) {
        st = begin_draft(e->indexing, err);
    }
    if (st == STET_OK) {
        st = next_of_all(e->indexing, err);
    }
    return st == STET_OK ? stet__making_create(&e->indexing->file, err) : st;
}

void stet__indexing_drop(stet_embedded *e)
{
    indexing *w = e->indexing;
    if (w == NULL) {
        return;
    }
    stet__making_drop(&w->file);
    for (uint32_t i = 0; i < w->count; i++) {
        stet__sealed_reader_deinit(&w->inputs[i].reader);
        stet__segment_unref(w->inputs[i].s);
    }
    stet__merged_draft_deinit(&w->draft);
    stet__segment_unref(w->index);
    stet__free(e->alloc, w, bytes_with(w->count));
    e->indexing = NULL;
}

/* Merging. */

static int compare(const indexing *w, const indexing_input *a,
                   const indexing_input *b)
{
    return w->stage == INDEXING_RUNS
               ? stet__machine_key_cmp(a->run.key, b->run.key)
               : memcmp(a->key, b->key, KEY_BYTES);
}

/* Of inputs with the least key the newest one; NULL: all are at their end. */
static indexing_input *find_least(indexing *w)
{
    indexing_input *least = NULL;
    for (uint32_t i = w->count; i > 0; i--) {
        indexing_input *in = &w->inputs[i - 1];
        if (!in->is_at_end && (least == NULL || compare(w, in, least) < 0)) {
            least = in;
        }
    }
    return least;
}

static stet_status add(indexing *w, const indexing_input *in, stet_error *err)
{
    if (w->stage == INDEXING_RUNS) {
        return stet__merged_draft_add_run(&w->draft, in->run.key, in->run.last,
                                          err);
    }
    uint64_t position =
        in->s->trailer.first_position + stet__key_entry_slot(in->key);
    return stet__merged_draft_add_key(&w->draft, in->key,
                                      stet__get_u64le(in->key + KEY_BYTES),
                                      position, err);
}

/* Add what is next, and pass by what older inputs say of it. */
static stet_status merge_entry(indexing *w, stet_error *err)
{
    indexing_input *newest = find_least(w);
    if (newest == NULL) {
        return STET_DONE;
    }
    stet_status st = add(w, newest, err);
    for (indexing_input *in = w->inputs; st == STET_OK && in < newest; in++) {
        if (!in->is_at_end && compare(w, in, newest) == 0) {
            st = next_entry(w, in, err);
        }
    }
    return st == STET_OK ? next_entry(w, newest, err) : st;
}

/* Write the blocks that are full. */
static stet_status write_full(indexing *w, bool is_whole, stet_error *err)
{
    stet_merged_draft *d = &w->draft;
    size_t len = stet__index_writer_full(&d->writer);
    if (len < STET_MAKING_PIECE_BYTES && !is_whole) {
        return STET_OK;
    }
    stet_status st =
        stet__making_write(&w->file, stet_slice_of(d->out.ptr, len), err);
    stet__index_writer_taken(&d->writer);
    return st == STET_OK ? stet__making_sync(&w->file, is_whole, err) : st;
}

static stet_status begin_keys(indexing *w, stet_error *err)
{
    stet__merged_draft_end_runs(&w->draft);
    w->stage = INDEXING_KEYS;
    return next_of_all(w, err);
}

/* All is written: have it read back before it is named. */
static stet_status end_file(indexing *w, stet_error *err)
{
    stet_status st = stet__merged_draft_end(&w->draft, err);
    if (st == STET_OK) {
        st = write_full(w, true, err);
    }
    if (st == STET_OK) {
        st =
            stet__merged_open(w->e, w->file.fd, w->file.number, &w->index, err);
    }
    if (st == STET_OK) {
        w->file.fd = -1; /* the segment's; until it is named, both are ours */
    }
    w->stage = INDEXING_CHECKS;
    return st;
}

static stet_status merge_some(indexing *w, stet_error *err)
{
    uint64_t before = w->draft.entries;
    uint64_t most = STET_SETTLE_STEP_BYTES / STET_KEY_ENTRY_BYTES;
    bool is_runs = w->stage == INDEXING_RUNS;
    stet_status st = STET_OK;
    while (st == STET_OK && w->draft.entries - before < most) {
        st = merge_entry(w, err);
    }
    if (st == STET_DONE) {
        return is_runs ? begin_keys(w, err) : end_file(w, err);
    }
    return st == STET_OK ? write_full(w, false, err) : st;
}

static stet_status check_some(indexing *w, stet_error *err)
{
    stet_status st = stet__merged_check_blocks(
        w->index, STET_SETTLE_STEP_BYTES / STET_INDEX_BLOCK_BYTES, &w->checked,
        err);
    if (w->checked == stet__trailer_number(&w->index->trailer)) {
        w->stage = INDEXING_ENDS;
    }
    return st;
}

stet_status stet__indexing_go_on(stet_embedded *e, stet_error *err)
{
    indexing *w = e->indexing;
    return w->stage == INDEXING_CHECKS ? check_some(w, err)
                                       : merge_some(w, err);
}

bool stet__indexing_is_whole(const stet_embedded *e)
{
    return e->indexing->stage == INDEXING_ENDS;
}

/* Naming. */

stet_status stet__indexing_install(stet_embedded *e, stet_error *err)
{
    indexing *w = e->indexing;
    stet_segment *old[STET_SETTLE_SEGMENTS_MAX];
    uint32_t count = 0;
    stet_status st = stet__making_name(&w->file, STET_NAME_INDEX, err);
    if (st != STET_OK) {
        return st;
    }
    for (uint32_t i = 0; i < w->count && w->index->trailer.level > 1; i++) {
        old[count++] = w->inputs[i].s;
    }
    st = stet__embedded_show_index(e, old, count, w->index, err);
    if (st != STET_OK) {
        stet__embedded_doom(e, w->file.number, STET_NAME_INDEX);
        return st;
    }
    STET_MARK("indexing.named");
    for (uint32_t i = 0; i < count; i++) {
        STET_MARK("indexing.of_indexes");
        stet__embedded_doom(e, old[i]->header.file, STET_NAME_INDEX);
    }
    return STET_OK;
}
