#include "stores/embedded/settle.h"

#include <inttypes.h>

#include "base/assert.h"
#include "base/error.h"
#include "base/mark.h"
#include "core/set.h"
#include "core/set_draft.h"
#include "stores/embedded/jump.h"
#include "stores/embedded/names.h"
#include "stores/embedded/sealed_index.h"

/* What is packed is written in pieces of this, and synced by as much. */
enum { WRITE_BYTES = 1024 * 1024 };

/* A close settles this long, and a failure is thought over. */
static const int64_t close_ns = 100000000;
static const int64_t retry_ns = (int64_t)30 * 1000000000;

/*
 * A segment being read, by machine: here and there in the file, so that each
 * record is read by itself. Its slots are kept: they also tell how far it may
 * reach.
 */
typedef struct input {
    stet_segment *s; /* one reference */
    stet_buf slots;
    stet_buf record; /* the one being copied */
    stet_sealed_reader reader;
    stet_run_walk walk;
    stet_run_search q; /* its run is the next one */
    bool has_run;
    bool is_in; /* its run is of the machine being copied */
} input;

struct stet_settling {
    stet_embedded *e;
    uint32_t count;
    stet_segment *segments[STET_SETTLE_SEGMENTS_MAX]; /* of the inputs */
    input inputs[STET_SETTLE_SEGMENTS_MAX];
    bool is_final; /* the last segment is among them */
    uint32_t number;
    int fd;
    uint64_t written;
    stet_trailer trailer;
    stet_set_packer packer;
    stet_set_draft draft;
    stet_jumps jumps;
    /* The record copied next, while some input is in. */
    uint32_t active;
    uint32_t ordinal;
};

/* Choosing. */

/* Has the segment ended for good, and its successor begun? Keeps (S3). */
static bool is_settleable(const stet_embedded *e, const stet_files *table,
                          uint32_t i)
{
    const stet_segment *s = table->items[i];
    return s->image == NULL && !stet__segment_is_set(s) && s != e->small &&
           !stet__slots_name(&e->slots, s->header.file) &&
           i + 1 < stet__files_count(table) &&
           table->items[i + 1]->header.first_position <
               stet__embedded_synced(e);
}

static uint32_t first_unsettled(const stet_files *table)
{
    uint32_t i = 0;
    while (i < stet__files_count(table) &&
           stet__segment_is_set(table->items[i])) {
        i++;
    }
    return i;
}

static uint64_t log_bytes(const stet_segment *s)
{
    return s->trailer.end_offset - STET_W;
}

static bool has_live(stet_embedded *e)
{
    stet__mutex_lock(e->os, &e->files);
    bool has = e->live != NULL;
    stet__mutex_unlock(e->os, &e->files);
    return has;
}

/*
 * Which segments are next, from `*out_first` on; 0: none. Without a live one
 * all may be, whatever names them: then `super` is written before they go.
 */
static uint32_t choose(stet_embedded *e, const stet_files *table,
                       stet_settle_zeal zeal, uint32_t *out_first)
{
    bool is_at_rest = zeal == STET_SETTLE_ANY && !has_live(e);
    uint32_t most = e->settle_segments < STET_SETTLE_SEGMENTS_MAX
                        ? e->settle_segments
                        : STET_SETTLE_SEGMENTS_MAX;
    uint32_t count = 0;
    uint64_t bytes = 0;
    *out_first = first_unsettled(table);
    for (uint32_t i = *out_first; i < stet__files_count(table) && count < most;
         i++) {
        const stet_segment *s = table->items[i];
        bool is_fit =
            is_at_rest ? s->image == NULL : is_settleable(e, table, i);
        bytes += is_fit ? log_bytes(s) : 0;
        if (!is_fit || (count > 0 && bytes > STET_SET_LOG_BYTES_MAX)) {
            break;
        }
        count++;
    }
    bool is_worth = zeal == STET_SETTLE_ANY || count == most ||
                    bytes > STET_SET_LOG_BYTES_MAX;
    return is_worth ? count : 0;
}

/* Beginning. */

static stet_status open_input(input *in, stet_segment *s, stet_error *err)
{
    const stet_sealed_tables *tables = NULL;
    in->s = stet__segment_ref(s);
    stet__sealed_reader_init(&in->reader, s->alloc);
    stet__run_walk_init(&in->walk, s, &in->reader, 0);
    in->q = (stet_run_search){.s = s, .r = &in->reader};
    stet__buf_init(&in->slots, s->alloc);
    stet__buf_init(&in->record, s->alloc);
    stet_status st = stet__index_tables(s, &tables, err);
    if (st == STET_OK) {
        st = stet__index_load_all(s, STET_SECTION_SLOTS, &in->reader.slots,
                                  &in->slots, err);
    }
    uint64_t slots = s->trailer.end_position - s->trailer.first_position;
    if (st == STET_OK && in->slots.len != slots * STET_SLOT_BYTES) {
        st = stet__index_damage(s, STET_SECTION_SLOTS, 0, err);
    }
    if (st == STET_OK) {
        st = stet__run_walk_next(&in->walk, &in->q.run, err);
    }
    in->has_run = st == STET_OK;
    return st;
}

/* What the trailer says before anything is read. */
static stet_status begin_trailer(struct stet_settling *w, stet_error *err)
{
    const stet_trailer *first = &w->segments[0]->trailer;
    const stet_segment *last = w->segments[w->count - 1];
    stet_os *os = w->e->os;
    w->trailer = (stet_trailer){
        .format = STET_FORMAT,
        .file = w->number,
        .first_position = first->first_position,
        .end_position = last->trailer.end_position,
        .first_recorded = first->first_recorded,
        .last_recorded = last->trailer.last_recorded,
        .last_frame_crc = last->trailer.last_frame_crc,
        .set = {
            .first_file = w->segments[0]->header.file,
            .last_file = last->header.file,
            .last_end = last->trailer.end_offset,
            .predecessor = w->segments[0]->header.predecessor,
            .predecessor_end = w->segments[0]->header.predecessor_end,
        }};
    for (uint32_t i = 0; i < w->count; i++) {
        w->trailer.frames += w->segments[i]->trailer.frames;
    }
    memcpy(w->trailer.uuid, w->e->uuid, sizeof w->trailer.uuid);
    int rc = os->random(os, &w->trailer.salt, sizeof w->trailer.salt);
    rc = rc < 0
             ? rc
             : os->random(os, w->trailer.set.seed, sizeof w->trailer.set.seed);
    return rc < 0 ? stet__os_fail(err, rc, "draw a salt") : STET_OK;
}

static stet_status put_times(struct stet_settling *w, stet_error *err)
{
    int64_t before = w->trailer.first_recorded;
    stet_status st = STET_OK;
    for (uint32_t i = 0; i < w->count && st == STET_OK; i++) {
        const stet_sealed_tables *t = NULL;
        const stet_segment *s = w->segments[i];
        uint64_t slots = s->trailer.end_position - s->trailer.first_position;
        st = stet__index_tables(s, &t, err);
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

static stet_status create_file(struct stet_settling *w, stet_error *err)
{
    char name[STET_OS_NAME_MAX];
    stet__name_temporary(w->number, name);
    w->fd = w->e->os->open(w->e->os, w->e->dir, name,
                           STET_OPEN_WRITE | STET_OPEN_CREATE |
                               STET_OPEN_EXCLUSIVE);
    return w->fd < 0 ? stet__os_fail(err, w->fd, "create %s", name) : STET_OK;
}

static stet_status begin(struct stet_settling *w, stet_error *err)
{
    stet_status st = begin_trailer(w, err);
    if (st == STET_OK) {
        st = stet__set_packer_init(&w->packer, w->e->alloc, w->trailer.salt,
                                   err);
    }
    for (uint32_t i = 0; i < w->count && st == STET_OK; i++) {
        st = open_input(&w->inputs[i], w->segments[i], err);
    }
    if (st == STET_OK) {
        st = put_times(w, err);
    }
    stet_set_links links = {stet__chain_before_run, stet__jump_of_run,
                            &w->jumps};
    if (st == STET_OK) {
        st = stet__set_draft_init(&w->draft, w->e->alloc, &w->trailer, &links,
                                  err);
    }
    return st == STET_OK ? create_file(w, err) : st;
}

static stet_status create(stet_embedded *e, const stet_files *table,
                          stet_settle_zeal zeal, stet_error *err)
{
    uint32_t first = 0;
    uint32_t count = choose(e, table, zeal, &first);
    if (count == 0) {
        return STET_OK;
    }
    struct stet_settling *w = stet__alloc_zeroed(e->alloc, 1, sizeof *w);
    if (w == NULL) {
        return stet__fail(err, STET_E_NOMEM, 0, "no memory to settle");
    }
    w->e = e;
    w->fd = -1;
    w->count = count;
    for (uint32_t i = 0; i < count; i++) {
        w->segments[i] = table->items[first + i];
    }
    w->is_final = first + count == stet__files_count(table);
    e->settling = w;
    stet_status st = stet__embedded_take_number(e, &w->number, err);
    return st == STET_OK ? begin(w, err) : st;
}

void stet__settle_drop(stet_embedded *e)
{
    struct stet_settling *w = e->settling;
    if (w == NULL) {
        return;
    }
    if (w->fd >= 0) {
        char name[STET_OS_NAME_MAX];
        stet__name_temporary(w->number, name);
        (void)e->os->close(e->os, w->fd); /* means nothing yet */
        if (!stet__embedded_is_poisoned(e)) {
            (void)e->os->unlink(e->os, e->dir, name); /* or the next open */
        }
    }
    for (uint32_t i = 0; i < w->count && w->inputs[i].s != NULL; i++) {
        stet__sealed_reader_deinit(&w->inputs[i].reader);
        stet__buf_deinit(&w->inputs[i].slots);
        stet__buf_deinit(&w->inputs[i].record);
        stet__segment_unref(w->inputs[i].s);
    }
    stet__set_packer_deinit(&w->packer);
    stet__set_draft_deinit(&w->draft);
    stet__free(e->alloc, w, sizeof *w);
    e->settling = NULL;
}

/* Copying. */

/* Go to the machine with the least key; false: all were copied. */
static bool next_machine(struct stet_settling *w)
{
    const input *least = NULL;
    for (uint32_t i = w->count; i > 0; i--) {
        const input *in = &w->inputs[i - 1];
        if (in->has_run &&
            (least == NULL ||
             stet__machine_key_cmp(in->q.run.key, least->q.run.key) <= 0)) {
            least = in;
            w->active = i - 1;
        }
    }
    for (uint32_t i = 0; i < w->count && least != NULL; i++) {
        input *in = &w->inputs[i];
        in->is_in = in->has_run &&
                    stet__machine_key_eq(in->q.run.key, least->q.run.key);
    }
    w->ordinal = 0;
    return least != NULL;
}

static const uint8_t *slot_at(const input *in, uint64_t slot)
{
    return in->slots.ptr + slot * STET_SLOT_BYTES;
}

/* Read a record: the next one begins behind it, or behind a frame's end. */
static stet_status read_record(input *in, uint64_t position,
                               stet_set_record *out, uint64_t *out_offset,
                               stet_error *err)
{
    const stet_trailer *t = &in->s->trailer;
    const stet_sealed_tables *tables = NULL;
    uint64_t slot = position - t->first_position;
    uint64_t offset = stet__get_u32le(slot_at(in, slot));
    uint64_t end = position + 1 < t->end_position
                       ? stet__get_u32le(slot_at(in, slot + 1))
                       : t->end_offset;
    stet_status st = stet__index_tables(in->s, &tables, err);
    if (st != STET_OK) {
        return st;
    }
    if (offset < STET_W || end <= offset || end > t->end_offset) {
        return stet__index_damage(in->s, STET_SECTION_SLOTS, 0, err);
    }
    stet__buf_reset(&in->record);
    uint8_t *bytes = stet__buf_extend(&in->record, (size_t)(end - offset));
    if (bytes == NULL) {
        return stet__fail(err, STET_E_NOMEM, 0, "no memory for a record");
    }
    st = stet__segment_pread(in->s, bytes, (size_t)(end - offset), offset, err);
    size_t whole = 0;
    if (st == STET_OK &&
        (!stet__record_is_sound(stet__buf_slice(&in->record), &whole) ||
         memcmp(bytes, slot_at(in, slot) + 4, 4) != 0)) {
        st = stet__segment_damage(in->s, offset, err, "record is damaged");
    }
    *out_offset = offset;
    *out = (stet_set_record){
        .bytes = stet_slice_of(bytes, whole),
        .position = position,
        .recorded = stet__sealed_recorded(tables, (uint32_t)slot),
    };
    return st;
}

static stet_status copy_record(struct stet_settling *w, input *in,
                               stet_error *err)
{
    uint64_t position = 0;
    uint64_t offset = 0;
    stet_set_record r;
    stet_status st = stet__run_position(&in->q, w->ordinal, &position, err);
    if (st == STET_OK) {
        st = read_record(in, position, &r, &offset, err);
    }
    if (st != STET_OK) {
        return st;
    }
    uint32_t slot = (uint32_t)(position - w->trailer.first_position);
    st = stet__set_put_record(&w->packer, slot, r.bytes, &r.raw_offset, err);
    if (st == STET_OK) {
        st = stet__set_draft_add(&w->draft, &r, err);
        return st == STET_E_CORRUPT || st == STET_E_FORMAT
                   ? stet__segment_damage_wrap(in->s, offset, st, err)
                   : st;
    }
    return st;
}

/* Copy the next record; STET_DONE when there is none. */
static stet_status copy_next(struct stet_settling *w, stet_error *err)
{
    while (w->active < w->count && !w->inputs[w->active].is_in) {
        w->active++;
        w->ordinal = 0;
    }
    if (w->active == w->count && !next_machine(w)) {
        return STET_DONE;
    }
    input *in = &w->inputs[w->active];
    stet_status st = copy_record(w, in, err);
    if (st == STET_OK && ++w->ordinal == in->q.run.count) {
        st = stet__run_walk_next(&in->walk, &in->q.run, err);
        in->has_run = st == STET_OK;
        in->is_in = false;
        st = st == STET_DONE ? STET_OK : st;
    }
    return st;
}

/* Writing. */

/* Nothing that counts was written; but who knows what the disk is up to. */
static stet_status write_failed(struct stet_settling *w, int rc,
                                const char *verb, stet_error *err)
{
    stet_status st = stet__os_fail(err, rc, "%s tmp-%" PRIu32, verb, w->number);
    if (st != STET_E_NOSPACE) {
        stet__embedded_poison(w->e);
    }
    return st;
}

static stet_status write_bytes(struct stet_settling *w, stet_buf *bytes,
                               stet_error *err)
{
    stet_os *os = w->e->os;
    int rc = os->pwrite(os, w->fd, bytes->ptr, bytes->len, w->written);
    if (rc < 0) {
        return write_failed(w, rc, "write", err);
    }
    w->written += bytes->len;
    stet__buf_reset(bytes);
    return STET_OK;
}

/* Synced piece by piece: a flush of all at once would hold others up. */
static stet_status write_packed(struct stet_settling *w, stet_error *err)
{
    if (w->packer.packed.len < WRITE_BYTES) {
        return STET_OK;
    }
    stet_status st = write_bytes(w, &w->packer.packed, err);
    int rc = st == STET_OK ? w->e->os->datasync(w->e->os, w->fd) : 0;
    return rc < 0 ? write_failed(w, rc, "sync", err) : st;
}

/* Pack what is left, and zeros up to where the index begins. */
static stet_status end_content(struct stet_settling *w, stet_error *err)
{
    stet_status st = stet__set_packer_end(&w->packer, err);
    if (st != STET_OK) {
        return st;
    }
    stet_trailer *t = &w->draft.index.trailer;
    t->end_offset = stet__round_up_w(w->packer.offset);
    t->set.raw_bytes = stet__set_packer_bytes(&w->packer);
    size_t padding = (size_t)(t->end_offset - w->packer.offset);
    uint8_t *zeros = stet__buf_extend(&w->packer.packed, padding);
    if (zeros == NULL) {
        return stet__fail(err, STET_E_NOMEM, 0, "no memory to settle");
    }
    memset(zeros, 0, padding);
    return write_bytes(w, &w->packer.packed, err);
}

/* What was written must be what is read; keeps (S1). */
static stet_status read_back(struct stet_settling *w, const stet_buf *index,
                             uint64_t offset, stet_error *err)
{
    stet_os *os = w->e->os;
    for (size_t at = 0; at < index->len; at += STET_INDEX_BLOCK_BYTES) {
        uint8_t block[STET_INDEX_BLOCK_BYTES];
        int64_t n = os->pread(os, w->fd, block, sizeof block, offset + at);
        if (n < 0) {
            return write_failed(w, (int)n, "read back", err);
        }
        if ((size_t)n < sizeof block ||
            memcmp(block, index->ptr + at, sizeof block) != 0) {
            return stet__fail(err, STET_E_IO, 0,
                              "tmp-%" PRIu32 " at offset %" PRIu64
                              ": differs from what was written",
                              w->number, offset + at);
        }
    }
    return STET_OK;
}

static stet_status write_index(struct stet_settling *w, stet_buf *index,
                               stet_error *err)
{
    uint64_t offset = w->written;
    stet_os *os = w->e->os;
    int rc = os->pwrite(os, w->fd, index->ptr, index->len, offset);
    if (rc < 0) {
        return write_failed(w, rc, "write", err);
    }
    rc = os->sync(os, w->fd);
    return rc < 0 ? write_failed(w, rc, "sync", err)
                  : read_back(w, index, offset, err);
}

/* Naming. */

static stet_status name_file(struct stet_settling *w, stet_error *err)
{
    stet_embedded *e = w->e;
    char name[STET_OS_NAME_MAX];
    char temporary[STET_OS_NAME_MAX];
    stet__name_set(w->number, name);
    stet__name_temporary(w->number, temporary);
    int rc = e->os->rename(e->os, e->dir, temporary, name);
    if (rc < 0) {
        return write_failed(w, rc, "name", err);
    }
    rc = e->os->sync(e->os, e->dir);
    if (rc < 0) {
        stet__embedded_poison(e); /* who knows what the folder holds now */
        return stet__os_fail(err, rc, "name %s", name);
    }
    return STET_OK;
}

/* Are the segments still those of the table? One may have been reindexed. */
static bool are_in_table(const struct stet_settling *w)
{
    const stet_files *table = w->e->table;
    uint32_t first = first_unsettled(table);
    bool are_in = first + w->count <= stet__files_count(table);
    for (uint32_t i = 0; i < w->count && are_in; i++) {
        are_in = table->items[first + i] == w->segments[i];
    }
    return are_in;
}

/*
 * Name the set, then show it. From the name on it counts at the next open; if
 * it cannot be shown in this one, it goes again.
 */
static stet_status install(struct stet_settling *w, stet_segment *set,
                           stet_error *err)
{
    stet_embedded *e = w->e;
    stet_status st = name_file(w, err);
    if (st != STET_OK) {
        return st;
    }
    w->fd = -1; /* the set's */
    st = stet__embedded_replace_many(e, w->segments, w->count, set, err);
    if (st != STET_OK) {
        stet__embedded_doom(e, w->number, true);
        return st;
    }
    for (uint32_t i = 0; i < w->count; i++) {
        e->small = e->small == w->segments[i] ? NULL : e->small;
        stet__embedded_doom(e, w->segments[i]->header.file, false);
    }
    STET_MARK("settle.named");
    if (w->is_final) {
        STET_MARK("settle.the_last_segment_too");
    }
    /* Both slots, for one of them may name the last segment: keeps (S2). */
    for (unsigned i = 0; i < 2 && w->is_final && st == STET_OK; i++) {
        st = stet__embedded_write_super(e, err);
    }
    return st;
}

static stet_status finish_with(struct stet_settling *w, stet_buf *index,
                               stet_error *err)
{
    stet_status st = stet__set_draft_end(&w->draft, err);
    if (st == STET_OK) {
        st = end_content(w, err);
    }
    if (st == STET_OK) {
        stet_buf pieces = w->draft.index.pieces;
        w->draft.index.pieces = w->packer.pieces;
        w->packer.pieces = pieces;
        st = stet__index_draft_put(&w->draft.index, index, err);
    }
    return st == STET_OK ? write_index(w, index, err) : st;
}

static stet_status finish(struct stet_settling *w, stet_error *err)
{
    stet_embedded *e = w->e;
    stet_buf index;
    stet__buf_init(&index, e->alloc);
    stet_status st = finish_with(w, &index, err);
    stet__buf_deinit(&index);
    if (st != STET_OK || !are_in_table(w)) {
        return st;
    }
    stet_segment_header header = stet__set_header(&w->draft.index.trailer);
    stet_segment *set = stet__segment_create(e->alloc, e->os, w->fd, &header);
    if (set == NULL) {
        return stet__fail(err, STET_E_NOMEM, 0, "no memory for a set");
    }
    set->trailer = w->draft.index.trailer;
    set->unpacked = &e->unpacked;
    set->end = set->trailer.end_offset;
    st = install(w, set, err);
    if (w->fd >= 0) {
        set->fd = -1; /* still ours */
    }
    stet__segment_unref(set);
    return st;
}

/* Steps. */

static stet_status copy_some(struct stet_settling *w, bool *out_is_done,
                             stet_error *err)
{
    uint32_t begin_bytes = stet__set_packer_bytes(&w->packer);
    stet_status st = STET_OK;
    while (st == STET_OK && stet__set_packer_bytes(&w->packer) - begin_bytes <
                                STET_SETTLE_STEP_BYTES) {
        st = copy_next(w, err);
        if (st == STET_OK) {
            st = write_packed(w, err);
        }
    }
    *out_is_done = st == STET_DONE;
    return st == STET_DONE ? STET_OK : st;
}

static stet_status go_on(struct stet_settling *w, stet_error *err)
{
    bool is_done = false;
    stet__jumps_init(&w->jumps, w->e);
    stet_status st = copy_some(w, &is_done, err);
    if (st == STET_OK && is_done) {
        st = finish(w, err);
    }
    stet__jumps_deinit(&w->jumps);
    if (is_done) {
        stet__settle_drop(w->e);
    }
    return st;
}

stet_status stet__settle_step(stet_embedded *e, stet_settle_zeal zeal,
                              bool *out_did, stet_error *err)
{
    stet_status st = STET_OK;
    *out_did = false;
    if (e->settling != NULL) {
        *out_did = true;
        st = go_on(e->settling, err);
    } else if (e->settle_segments > 0) {
        /* What the last set stands for goes before the next one is made. */
        st = stet__embedded_remove_doomed(e, err);
        stet_files *table = stet__embedded_lend(e);
        st = st == STET_OK ? create(e, table, zeal, err) : st;
        stet__embedded_unlend(e, table);
        *out_did = e->settling != NULL;
    }
    if (st != STET_OK) {
        stet__settle_drop(e);
    }
    return st;
}

stet_status stet__settle_quietly(stet_embedded *e, bool *out_did,
                                 stet_error *err)
{
    *out_did = false;
    if (e->is_settling_off ||
        (e->settle_due != 0 && e->os->monotonic(e->os) < e->settle_due)) {
        return STET_OK;
    }
    stet_error why = {0};
    stet_status st = stet__settle_step(e, STET_SETTLE_WHOLE, out_did, &why);
    if (st == STET_OK) {
        return st;
    }
    if (st == STET_E_NOSPACE || st == STET_E_NOMEM) {
        e->settle_due = e->os->monotonic(e->os) + retry_ns;
    } else if (!stet__embedded_is_poisoned(e)) {
        e->is_settling_off = true;
        stet__embedded_talk(e, STET_LOG_WARNING, "%s; nothing is settled",
                            why.text);
        return STET_OK;
    }
    if (err != NULL) {
        *err = why;
    }
    return st;
}

stet_status stet__embedded_settle(stet_log *log, bool *out_more,
                                  stet_error *err)
{
    stet_embedded *e = stet__embedded_of(log);
    *out_more = false;
    stet_status st = stet__embedded_refuse(e, err);
    if (st == STET_OK) {
        st = stet__settle_step(e, STET_SETTLE_ANY, out_more, err);
    }
    if (st == STET_E_IO) {
        stet__embedded_poison(e);
    }
    return st;
}

uint32_t stet__settle_waiting(stet_embedded *e)
{
    stet_files *table = stet__embedded_lend(e);
    uint32_t count = 0;
    for (uint32_t i = first_unsettled(table); i < stet__files_count(table);
         i++) {
        count += table->items[i]->image == NULL;
    }
    stet__embedded_unlend(e, table);
    return count;
}

stet_status stet__settle_down(stet_embedded *e, stet_error *err)
{
    bool did = true;
    stet_status st = STET_OK;
    while (did && st == STET_OK &&
           stet__settle_waiting(e) > STET_UNSETTLED_MAX) {
        st = stet__settle_quietly(e, &did, err);
    }
    /* Without space or memory to settle there may still be some to write. */
    return st == STET_E_NOSPACE || st == STET_E_NOMEM ? STET_OK : st;
}

stet_status stet__settle_at_close(stet_embedded *e, stet_error *err)
{
    int64_t end = e->os->monotonic(e->os) + close_ns;
    bool did = true;
    stet_status st = STET_OK;
    while (did && st == STET_OK && e->os->monotonic(e->os) < end) {
        st = stet__settle_quietly(e, &did, err);
    }
    stet__settle_drop(e);
    return st == STET_E_NOSPACE || st == STET_E_NOMEM ? STET_OK : st;
}
