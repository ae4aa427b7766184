#include "stores/embedded/merged.h"

#include <errno.h>
#include <inttypes.h>

#include "base/assert.h"
#include "base/error.h"
#include "base/mark.h"
#include "stores/embedded/names.h"
#include "stores/embedded/sealed_index.h"

/* Looking up. */

const stet_segment *stet__merged_of(const stet_files *table, uint64_t position)
{
    uint32_t from = 0;
    uint32_t to = table->merged_count;
    while (from < to) {
        uint32_t middle = from + (to - from) / 2;
        if (table->merged[middle]->header.first_position <= position) {
            from = middle + 1;
        } else {
            to = middle;
        }
    }
    const stet_segment *m = from == 0 ? NULL : table->merged[from - 1];
    /* Relaxed: a hint, which nothing else follows from. */
    return m != NULL && position < m->trailer.end_position &&
                   !atomic_load_explicit(&m->is_unsound, memory_order_relaxed)
               ? m
               : NULL;
}

void stet__merged_distrust(const stet_segment *index)
{
    /* A cache of what was found out does not change the segment. */
    _Atomic bool *place = (_Atomic bool *)&index->is_unsound;
    atomic_store_explicit(place, true, memory_order_relaxed);
}

uint64_t stet__merged_narrow(const stet_files *table, stet_machine_key key,
                             uint64_t position, stet_sealed_reader *r)
{
    const stet_segment *m = stet__merged_of(table, position);
    stet_run run;
    stet_error ignored = {0};
    stet_status st =
        m == NULL ? STET_E_UNSUPPORTED
                  : stet__index_find(m, key, &r->directory, &run, &ignored);
    switch (st) {
    case STET_OK:
        STET_MARK("merged.found");
        return run.last.position < position ? run.last.position : position;
    case STET_E_NOT_FOUND:
        STET_MARK("merged.not_here");
        return m->header.first_position - 1;
    case STET_E_CORRUPT:
        STET_MARK("merged.unsound");
        stet__merged_distrust(m);
        return position;
    default:
        return position; /* the sets are asked one by one */
    }
}

/* Adopting. */

/* What stands for a segment in a search has the index's place. */
static stet_segment_header header_of(const stet_trailer *t)
{
    stet_segment_header h = {
        .format = t->format,
        .file = t->file,
        .salt = t->salt,
        .first_position = t->first_position,
    };
    memcpy(h.uuid, t->uuid, sizeof h.uuid);
    return h;
}

stet_status stet__merged_open(stet_embedded *e, int fd, uint32_t number,
                              stet_segment **out, stet_error *err)
{
    uint8_t block[STET_INDEX_BLOCK_BYTES] = {0}; /* of a shorter file */
    stet_trailer t;
    int64_t bytes = e->os->size(e->os, fd);
    int64_t at = bytes - (int64_t)sizeof block;
    int64_t n =
        at < 0 ? bytes
               : e->os->pread(e->os, fd, block, sizeof block, (uint64_t)at);
    if (n < 0) {
        return stet__os_fail(err, (int)n, "read %" PRIu32 ".idx", number);
    }
    stet_status st = stet__trailer_get(block, &t, err);
    if (st == STET_E_FORMAT) {
        return st;
    }
    if (st != STET_OK || t.kind != STET_INDEX_MERGED || t.file != number ||
        memcmp(t.uuid, e->uuid, sizeof t.uuid) != 0 ||
        (uint64_t)bytes != stet__index_bytes(&t)) {
        return stet__fail(err, STET_E_CORRUPT, 0,
                          "%" PRIu32 ".idx: the trailer is damaged", number);
    }
    stet_segment_header header = header_of(&t);
    stet_segment *s = stet__segment_create(e->alloc, e->os, fd, &header);
    if (s == NULL) {
        return stet__fail(err, STET_E_NOMEM, 0, "no memory for an index");
    }
    s->trailer = t;
    *out = s;
    return STET_OK;
}

bool stet__merged_fits(const stet_files *table, const stet_trailer *t)
{
    uint32_t first = stet__files_locate(table, t->first_position);
    uint32_t last = stet__files_locate(table, t->end_position - 1);
    if (first == UINT32_MAX) {
        return false;
    }
    STET_ASSERT(last != UINT32_MAX); /* it is not below the first */
    const stet_segment *from = table->items[first];
    const stet_segment *to = table->items[last];
    return stet__segment_is_set(from) && stet__segment_is_set(to) &&
           from->header.first_position == t->first_position &&
           to->trailer.end_position == t->end_position &&
           to->trailer.last_frame_crc == t->last_frame_crc;
}

/* One that is about a part of `t`'s range, or about more than it. */
static stet_segment *find_overlap(const stet_files *table,
                                  const stet_trailer *t)
{
    for (uint32_t i = 0; i < table->merged_count; i++) {
        stet_segment *m = table->merged[i];
        if (m->trailer.first_position < t->end_position &&
            t->first_position < m->trailer.end_position) {
            return m;
        }
    }
    return NULL;
}

static void remove_from(stet_files *table, stet_segment *index)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < table->merged_count; i++) {
        if (table->merged[i] != index) {
            table->merged[kept++] = table->merged[i];
        }
    }
    table->merged_count = kept;
}

/*
 * Take one that fits, with those in its range out of the way: a crash came
 * between the name of an index and the end of those it was made of.
 */
static bool take(stet_embedded *e, stet_segment *index)
{
    const stet_trailer *t = &index->trailer;
    stet_files *table = e->table;
    stet_segment *other = NULL;
    if (!stet__merged_fits(table, t)) {
        return false;
    }
    while ((other = find_overlap(table, t)) != NULL) {
        if (other->trailer.level >= t->level) {
            return false;
        }
        STET_MARK("merged.made_of_others");
        stet__embedded_doom(e, other->header.file, STET_NAME_INDEX);
        remove_from(table, other);
        stet__segment_unref(other);
    }
    if (table->merged_count == STET_MERGED_MAX) {
        return false;
    }
    stet__files_push_merged(table, stet__segment_ref(index));
    return true;
}

static void adopt(stet_embedded *e, uint32_t number)
{
    char name[STET_OS_NAME_MAX];
    stet_segment *index = NULL;
    stet_error ignored = {0};
    stet__name_file(STET_NAME_INDEX, number, name);
    int fd = e->os->open(e->os, e->dir, name, 0);
    if (fd < 0) {
        return;
    }
    stet_status st = stet__merged_open(e, fd, number, &index, &ignored);
    if (st != STET_OK) {
        (void)e->os->close(e->os, fd); /* was only read */
    }
    if (st == STET_E_CORRUPT || (st == STET_OK && !take(e, index))) {
        STET_MARK("merged.not_believed");
        stet__embedded_doom(e, number, STET_NAME_INDEX);
    }
    stet__segment_unref(index);
}

void stet__merged_adopt(stet_embedded *e, const stet_recovery *r)
{
    const uint32_t *numbers = (const void *)r->indexes.ptr;
    for (size_t i = 0; i < r->indexes.len / sizeof *numbers; i++) {
        adopt(e, numbers[i]);
    }
}

/* Verifying. */

stet_status stet__merged_check_blocks(const stet_segment *index, uint32_t most,
                                      uint32_t *at, stet_error *err)
{
    stet_block block;
    block.segment = NULL;
    uint32_t end = stet__trailer_number(&index->trailer);
    stet_status st = STET_OK;
    unsigned section = STET_SECTION_SLOTS;
    for (; most > 0 && *at < end && st == STET_OK; (*at)++, most--) {
        const stet_section_range *range =
            stet__index_section(index, (stet_section)section);
        while (*at >= range->first_block + range->blocks) {
            range = stet__index_section(index, (stet_section)++section);
        }
        st = stet__index_load(index, (stet_section)section,
                              *at - range->first_block, &block, err);
    }
    return st;
}

static stet_status wrong(const stet_segment *index, const char *what,
                         uint64_t position, stet_error *err)
{
    return stet__segment_damage(index, 0, err,
                                "%s at position %" PRIu64
                                " is not what the sets say; reindex repairs it",
                                what, position);
}

/*
 * Of each machine of a set: the index has what the set has, or what is later.
 * Of the index, which is `from` then: the sets have the newest where it says.
 */
static stet_status check_runs(const stet_files *table, const stet_segment *from,
                              const stet_segment *index, stet_sealed_reader *r,
                              stet_error *err)
{
    stet_run_walk walk;
    stet_run run;
    stet_run found;
    stet_block block;
    block.segment = NULL;
    stet__sealed_reader_rest(r);
    stet__run_walk_init(&walk, from, r, 0);
    stet_status st = STET_OK;
    while (st == STET_OK &&
           (st = stet__run_walk_next(&walk, &run, err)) == STET_OK) {
        stet_point due = run.last;
        uint32_t file = stet__files_locate(table, due.position);
        const stet_segment *to = from == index ? table->items[file] : index;
        st = stet__index_find(to, run.key, &block, &found, err);
        if (st == STET_E_NOT_FOUND ||
            (st == STET_OK &&
             (from == index ? found.last.position != due.position ||
                                  found.last.seq != due.seq
                            : found.last.position < due.position))) {
            st = wrong(index, "a machine", due.position, err);
        }
    }
    return st == STET_DONE ? STET_OK : st;
}

/* The same of keys. */
static stet_status check_keys(const stet_files *table, const stet_segment *from,
                              const stet_segment *index, stet_error *err)
{
    stet_key_walk walk;
    const uint8_t *entry = NULL;
    stet__key_walk_init(&walk, from);
    stet_status st = STET_OK;
    while (st == STET_OK &&
           (st = stet__key_walk_next(&walk, &entry, err)) == STET_OK) {
        uint64_t position =
            from->trailer.first_position + stet__key_entry_slot(entry);
        uint32_t file = stet__files_locate(table, position);
        const stet_segment *to = from == index ? table->items[file] : index;
        uint64_t found = 0;
        st = stet__sealed_find_key(to, entry, UINT64_MAX, &found, err);
        if (st == STET_E_NOT_FOUND ||
            (st == STET_OK &&
             (from == index ? found != position : found < position))) {
            st = wrong(index, "a key", position, err);
        }
    }
    return st == STET_DONE ? STET_OK : st;
}

/* All that a set says, or the index itself. */
static stet_status check_all(const stet_files *table, const stet_segment *from,
                             const stet_segment *index, stet_sealed_reader *r,
                             stet_error *err)
{
    stet_status st = check_runs(table, from, index, r, err);
    return st == STET_OK ? check_keys(table, from, index, err) : st;
}

stet_status stet__merged_verify(const stet_embedded *e, const stet_files *table,
                                const stet_segment *index,
                                stet_verify_report *report, stet_error *err)
{
    stet_sealed_reader reader;
    uint32_t at = 0;
    stet__sealed_reader_init(&reader, e->alloc);
    stet_status st = stet__merged_check_blocks(index, UINT32_MAX, &at, err);
    report->index_blocks += at + 1; /* the trailer was read at the open */
    uint32_t i = stet__files_locate(table, index->header.first_position);
    for (; st == STET_OK && i < stet__files_count(table) &&
           table->items[i]->header.first_position < index->trailer.end_position;
         i++) {
        st = check_all(table, table->items[i], index, &reader, err);
    }
    st = st == STET_OK ? check_all(table, index, index, &reader, err) : st;
    stet__sealed_reader_deinit(&reader);
    return st;
}
