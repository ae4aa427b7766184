/*
 * Building an index: collect and sort the image's machines and keys, then put
 * the sections in the order of the file. A buffer that found no memory stays
 * failed and takes nothing more, so that failures are asked for once.
 */
#include "core/index.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/error.h"

/* Runs are read in the order of keys, which in the image is none at all. */
enum { PREFETCH = 8 };

/* Puts entries into blocks, section by section. */
typedef struct block_writer {
    stet_buf *out;
    stet_trailer *trailer; /* takes the sections' ranges */
    stet_section section;
    uint32_t number; /* of the block being filled, or of the next one */
    size_t at;       /* where the block being filled begins in `out` */
    size_t used;     /* bytes of its payload; 0: there is no such block */
} block_writer;

/*
 * A machine on the way into the directory. `chunk` are the eight bytes of its
 * key behind what all keys begin with, so that most comparisons need not reach
 * for the key's own bytes: 56,000 machines sort in 9 ms instead of 30.
 */
typedef struct entry {
    uint64_t chunk;
    const uint8_t *id; /* in the image */
    uint32_t newest;   /* slot */
    uint16_t id_bytes;
    uint8_t ns;
} entry;

typedef struct builder {
    const stet_index_input *in;
    const stet_image *image;
    uint32_t slot_count;
    stet_buf entries;   /* of entry, sorted */
    stet_buf keys;      /* as they are put, sorted */
    stet_buf lists;     /* of uint32_t, as they are put */
    uint32_t next_list; /* where the next run's slots begin in it */
    stet_buf fences;
    stet_buf filter; /* lines */
    stet_trailer trailer;
    block_writer w;
} builder;

/* Blocks. */

static void close_block(block_writer *w)
{
    if (w->used == 0) {
        return;
    }
    if (!w->out->is_failed) {
        stet__index_block_seal(w->out->ptr + w->at, w->section, w->number,
                               w->used, w->trailer->salt);
    }
    w->number++;
    w->used = 0;
}

/* Will an entry of `len` bytes be the first of a block? */
static bool begins_block(const block_writer *w, size_t len)
{
    return w->used == 0 || len > STET_INDEX_PAYLOAD_BYTES - w->used;
}

/* Put an entry, which lies in one block. */
static void put_entry(block_writer *w, const void *bytes, size_t len)
{
    STET_ASSERT(len > 0 && len <= STET_INDEX_PAYLOAD_BYTES);
    if (begins_block(w, len)) {
        close_block(w);
        w->at = w->out->len;
        (void)stet__buf_extend(w->out, STET_INDEX_BLOCK_BYTES); /* is_failed */
    }
    if (!w->out->is_failed) {
        uint8_t *payload = w->out->ptr + w->at + STET_INDEX_HEADER_BYTES;
        memcpy(payload + w->used, bytes, len);
    }
    w->used += len;
}

static void open_section(block_writer *w, stet_section section)
{
    STET_ASSERT(w->used == 0);
    w->section = section;
    w->trailer->sections[section - 1].first_block = w->number;
}

static void close_section(block_writer *w, uint64_t entries)
{
    close_block(w);
    stet_section_range *range = &w->trailer->sections[w->section - 1];
    range->blocks = w->number - range->first_block;
    range->entries = entries;
}

/* Put a section of entries that have one size. */
static void put_section(block_writer *w, stet_section section,
                        const stet_buf *entries, size_t entry_bytes)
{
    open_section(w, section);
    for (size_t at = 0; at < entries->len; at += entry_bytes) {
        put_entry(w, entries->ptr + at, entry_bytes);
    }
    close_section(w, entries->len / entry_bytes);
}

/* Collecting. */

static stet_machine_key key_of(const entry *e)
{
    return (stet_machine_key){.id = stet_slice_of(e->id, e->id_bytes),
                              .ns = e->ns};
}

static bool take_machine(void *ctx, uint32_t newest_slot)
{
    builder *b = ctx;
    stet_machine_key key = stet__image_key(b->image, newest_slot);
    entry e = {.id = key.id.ptr,
               .id_bytes = (uint16_t)key.id.len,
               .ns = key.ns,
               .newest = newest_slot};
    stet__buf_put(&b->entries, &e, sizeof e);
    return !b->entries.is_failed;
}

static size_t entry_count(const builder *b)
{
    return b->entries.len / sizeof(entry);
}

static entry *entry_at(const builder *b, size_t idx)
{
    STET_DEBUG_ASSERT(idx < entry_count(b));
    return (entry *)(void *)b->entries.ptr + idx;
}

/* Bytes that all ids begin with; 0 where there are several namespaces. */
static size_t common_bytes(const builder *b)
{
    const entry *first = entry_at(b, 0);
    size_t common = first->id_bytes;
    for (size_t i = 1; i < entry_count(b); i++) {
        const entry *e = entry_at(b, i);
        size_t most = e->ns != first->ns     ? 0
                      : e->id_bytes < common ? e->id_bytes
                                             : common;
        common = 0;
        while (common < most && e->id[common] == first->id[common]) {
            common++;
        }
    }
    return common;
}

/* Big-endian, zeros behind the end: as keys are ordered, or equal. */
static void set_chunks(const builder *b)
{
    size_t common = common_bytes(b);
    for (size_t i = 0; i < entry_count(b); i++) {
        entry *e = entry_at(b, i);
        e->chunk = e->ns;
        for (size_t at = common; at < common + 7; at++) {
            e->chunk = e->chunk << 8 | (at < e->id_bytes ? e->id[at] : 0);
        }
    }
}

static int compare_entries(const void *a, const void *b)
{
    const entry *one = a;
    const entry *other = b;
    return one->chunk != other->chunk
               ? (one->chunk > other->chunk) - (one->chunk < other->chunk)
               : stet__machine_key_cmp(key_of(one), key_of(other));
}

static void take_key(void *ctx, const uint8_t key[16], uint32_t slot)
{
    builder *b = ctx;
    stet_record r;
    int64_t recorded = 0;
    stet__image_record(b->image, slot, &r, &recorded);
    stet__buf_put(&b->keys, key, sizeof r.key);
    stet__buf_put_u64le(&b->keys, r.key_check);
    stet__buf_put_u32le(&b->keys, slot);
    stet__buf_put_u32le(&b->keys, 0);
}

static int compare_keys(const void *a, const void *b)
{
    return memcmp(a, b, sizeof((stet_record *)0)->key);
}

static uint32_t record_count(const builder *b, const entry *e)
{
    return stet__image_slot(b->image, e->newest)->ordinal + 1;
}

/* Append the slots of a machine with several, in rising order. */
static void take_list(builder *b, const entry *e)
{
    uint32_t slot = e->newest;
    uint32_t count = record_count(b, e);
    if (count == 1) {
        return;
    }
    uint8_t *list =
        stet__buf_extend(&b->lists, (size_t)count * STET_LIST_BYTES);
    for (uint32_t i = count; list != NULL && i > 0; i--) {
        stet__put_u32le(list + (size_t)(i - 1) * STET_LIST_BYTES, slot);
        slot = stet__image_slot(b->image, slot)->previous;
    }
}

static void collect(builder *b)
{
    stet__image_machines(b->image, b->slot_count, take_machine, b);
    stet__image_keys(b->image, take_key, b);
    if (b->entries.is_failed || b->keys.is_failed) {
        return;
    }
    size_t count = entry_count(b);
    set_chunks(b);
    qsort(b->entries.ptr, count, sizeof(entry), compare_entries);
    if (b->keys.len > 0) {
        qsort(b->keys.ptr, b->keys.len / STET_KEY_ENTRY_BYTES,
              STET_KEY_ENTRY_BYTES, compare_keys);
    }
    for (size_t i = 0; i < count; i++) {
        take_list(b, entry_at(b, i));
    }
    size_t filter_bytes = stet__filter_lines(count) * STET_FILTER_LINE_BYTES;
    uint8_t *filter = stet__buf_extend(&b->filter, filter_bytes);
    if (filter != NULL) {
        memset(filter, 0, filter_bytes);
    }
}

/* Runs. */

/* Read the record of a slot; gives its point. */
static stet_point read_slot(const builder *b, uint32_t slot, stet_record *out)
{
    int64_t recorded = 0;
    stet__image_record(b->image, slot, out, &recorded);
    return (stet_point){
        .seq = out->seq,
        .position = b->trailer.first_position + slot,
        .occurred_max = stet__record_occurred_max(out, recorded),
    };
}

/* The newest record that says the name decides; `r` is that of `slot`. */
static void find_name(const builder *b, uint32_t slot, stet_record *r,
                      stet_run *run)
{
    while (!stet__record_says_name(r, &run->state_name)) {
        slot = stet__image_slot(b->image, slot)->previous;
        if (slot == STET_SLOT_NONE) {
            /* A lineage that begins here without a name has none. */
            run->has_state_name = r->back == 0;
            return;
        }
        (void)read_slot(b, slot, r); /* its point is not asked for */
    }
    run->has_state_name = true;
}

/* The run of an entry; asked for in the order of the entries. */
static stet_run run_of(builder *b, const entry *e)
{
    stet_run run = {.key = key_of(e), .count = record_count(b, e)};
    uint32_t first = e->newest;
    if (run.count > 1) {
        const uint8_t *lists = b->lists.ptr;
        run.list = b->next_list;
        first = stet__get_u32le(lists + (size_t)run.list * STET_LIST_BYTES);
        b->next_list += run.count;
    }
    stet_record r;
    run.last = read_slot(b, e->newest, &r);
    run.is_deleted = r.kind == STET_EVENT_DELETED;
    find_name(b, e->newest, &r, &run);
    run.first = run.count == 1 ? run.last : read_slot(b, first, &r);
    STET_ASSERT(r.back < run.first.position);
    if (r.back > 0) {
        run.previous.position = run.first.position - r.back;
    }
    if ((r.tags & 1U << STET_TAG_PARENT) != 0) {
        run.previous.key =
            (stet_machine_key){.id = r.parent_id, .ns = r.parent_ns};
    }
    stet_run_link jump = {0};
    if (b->in->jump != NULL && b->in->jump(b->in->jump_ctx, &run, &jump)) {
        run.jump = jump;
    }
    return run;
}

/* Sections. */

static void put_slots(builder *b)
{
    open_section(&b->w, STET_SECTION_SLOTS);
    for (uint32_t i = 0; i < b->slot_count; i++) {
        uint8_t slot[STET_SLOT_BYTES];
        uint32_t offset = stet__image_slot(b->image, i)->offset;
        stet__put_u32le(slot, offset);
        memcpy(slot + 4, stet__image_bytes(b->image) + offset, 4); /* crc */
        put_entry(&b->w, slot, sizeof slot);
    }
    close_section(&b->w, b->slot_count);
}

static void add_to_filter(builder *b, stet_machine_key key)
{
    uint64_t hash = stet__machine_hash(key);
    uint32_t block = 0;
    uint32_t offset = 0;
    stet__filter_place(hash, b->filter.len / STET_FILTER_LINE_BYTES, &block,
                       &offset);
    size_t blocks_bytes =
        (size_t)block * STET_FILTER_LINES_PER_BLOCK * STET_FILTER_LINE_BYTES;
    stet__filter_add(b->filter.ptr + blocks_bytes + offset, hash);
}

static void put_directory(builder *b)
{
    open_section(&b->w, STET_SECTION_DIRECTORY);
    size_t count = entry_count(b);
    for (size_t i = 0; i < count; i++) {
        if (i + PREFETCH < count) {
            stet__image_prefetch(b->image, entry_at(b, i + PREFETCH)->newest);
        }
        uint8_t bytes[STET_RUN_BYTES_MAX];
        stet_run run = run_of(b, entry_at(b, i));
        size_t len = stet__run_put(&run, &b->trailer, bytes);
        if (begins_block(&b->w, len)) {
            stet__buf_put_varint(&b->fences, 1 + run.key.id.len);
            stet__buf_put_u8(&b->fences, run.key.ns);
            stet__buf_put_slice(&b->fences, run.key.id);
        }
        put_entry(&b->w, bytes, len);
        add_to_filter(b, run.key);
    }
    close_section(&b->w, count);
}

/* Joined: as many bytes a block as it holds. */
static void put_fences(builder *b)
{
    open_section(&b->w, STET_SECTION_FENCES);
    size_t left = b->fences.len;
    while (left > 0) {
        size_t len =
            left < STET_INDEX_PAYLOAD_BYTES ? left : STET_INDEX_PAYLOAD_BYTES;
        const uint8_t *p = b->fences.ptr + (b->fences.len - left);
        put_entry(&b->w, p, len);
        left -= len;
    }
    close_section(&b->w,
                  b->trailer.sections[STET_SECTION_DIRECTORY - 1].blocks);
}

static void put_times(builder *b)
{
    open_section(&b->w, STET_SECTION_TIMES);
    for (uint32_t i = 0; i < b->trailer.frames; i++) {
        stet_image_frame frame = stet__image_frame(b->image, i);
        uint8_t bytes[STET_TIME_BYTES];
        stet__put_u32le(bytes, frame.first_slot);
        stet__put_u32le(bytes + 4, frame.offset / STET_W);
        stet__put_u64le(bytes + 8, (uint64_t)frame.recorded);
        put_entry(&b->w, bytes, sizeof bytes);
    }
    close_section(&b->w, b->trailer.frames);
}

static void put_all(builder *b)
{
    put_slots(b);
    put_section(&b->w, STET_SECTION_LISTS, &b->lists, STET_LIST_BYTES);
    put_directory(b);
    put_fences(b);
    put_section(&b->w, STET_SECTION_FILTER, &b->filter, STET_FILTER_LINE_BYTES);
    put_times(b);
    put_section(&b->w, STET_SECTION_KEYS, &b->keys, STET_KEY_ENTRY_BYTES);
    uint8_t *block = stet__buf_extend(b->w.out, STET_INDEX_BLOCK_BYTES);
    if (block != NULL) {
        stet__trailer_put(&b->trailer, block);
    }
}

static stet_trailer trailer_of(const stet_index_input *in)
{
    uint32_t frames = stet__image_frame_count(in->image);
    uint32_t slots = stet__image_slot_count(in->image);
    uint64_t first_position = stet__image_first_position(in->image);
    STET_ASSERT(frames > 0);
    stet_trailer t = {
        .format = STET_FORMAT,
        .file = in->file,
        .salt = in->salt,
        .first_position = first_position,
        .end_position = first_position + slots,
        .end_offset = in->end_offset,
        .state_bytes = stet__image_state_bytes(in->image),
        .first_recorded = stet__image_frame(in->image, 0).recorded,
        .last_recorded = stet__image_frame(in->image, frames - 1).recorded,
        .last_frame_crc = in->last_frame_crc,
        .frames = frames,
    };
    memcpy(t.uuid, in->uuid, sizeof t.uuid);
    return t;
}

stet_status stet__index_build(const stet_allocator *alloc,
                              const stet_index_input *in, stet_buf *out,
                              stet_error *err)
{
    builder b = {
        .in = in,
        .image = in->image,
        .slot_count = stet__image_slot_count(in->image),
        .trailer = trailer_of(in),
        .w = {.out = out},
    };
    b.w.trailer = &b.trailer;
    stet_buf *parts[] = {&b.entries, &b.keys, &b.lists, &b.fences, &b.filter};
    enum { PARTS = sizeof parts / sizeof *parts };
    for (size_t i = 0; i < PARTS; i++) {
        stet__buf_init(parts[i], alloc);
    }
    bool is_failed = false;
    collect(&b);
    for (size_t i = 0; i < PARTS; i++) {
        is_failed = is_failed || parts[i]->is_failed;
    }
    if (!is_failed) {
        put_all(&b);
        is_failed = b.fences.is_failed || out->is_failed;
    }
    for (size_t i = 0; i < PARTS; i++) {
        stet__buf_deinit(parts[i]);
    }
    return is_failed ? stet__fail(err, STET_E_NOMEM, 0, "index") : STET_OK;
}
