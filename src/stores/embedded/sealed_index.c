#include "stores/embedded/sealed_index.h"

#include <inttypes.h>

#include "base/assert.h"
#include "base/error.h"
#include "stores/embedded/settled.h"

/* Blocks. */

const stet_section_range *stet__index_section(const stet_segment *s,
                                              stet_section section)
{
    return stet__trailer_range(&s->trailer, section);
}

uint64_t stet__index_offset(const stet_segment *s, uint32_t number)
{
    return s->trailer.end_offset + (uint64_t)number * STET_INDEX_BLOCK_BYTES;
}

stet_status stet__index_load(const stet_segment *s, stet_section section,
                             uint32_t idx, stet_block *out, stet_error *err)
{
    const stet_section_range *range = stet__index_section(s, section);
    STET_ASSERT(idx < range->blocks);
    uint32_t number = range->first_block + idx;
    if (out->segment == s && out->number == number) {
        return STET_OK;
    }
    out->segment = NULL;
    uint64_t offset = stet__index_offset(s, number);
    stet_status st =
        stet__segment_pread(s, out->bytes, sizeof out->bytes, offset, err);
    if (st != STET_OK) {
        return st;
    }
    st = stet__index_block_check(out->bytes, section, number, s->trailer.salt,
                                 &out->payload, err);
    if (st != STET_OK) {
        return stet__segment_damage_wrap(s, offset, st, err);
    }
    out->segment = s;
    out->number = number;
    return STET_OK;
}

stet_status stet__index_damage(const stet_segment *s, stet_section section,
                               uint32_t idx, stet_error *err)
{
    uint32_t number = stet__index_section(s, section)->first_block + idx;
    return stet__segment_damage(s, stet__index_offset(s, number), err,
                                "content of index block %" PRIu32, number);
}

/* Bytes of an entry, in the sections whose entries are looked up by number. */
static size_t entry_bytes(stet_section section)
{
    STET_ASSERT(section == STET_SECTION_SLOTS || section == STET_SECTION_LISTS);
    return section == STET_SECTION_SLOTS ? STET_SLOT_BYTES : STET_LIST_BYTES;
}

stet_status stet__index_entry(const stet_segment *s, stet_section section,
                              uint64_t idx, stet_block *block,
                              const uint8_t **out, stet_error *err)
{
    size_t bytes = entry_bytes(section);
    uint64_t per_block = STET_INDEX_PAYLOAD_BYTES / bytes;
    uint32_t block_idx = (uint32_t)(idx / per_block);
    size_t at = (size_t)(idx % per_block) * bytes;
    /* Trailer and runs were checked when they were read. */
    STET_ASSERT(idx < stet__index_section(s, section)->entries);
    stet_status st = stet__index_load(s, section, block_idx, block, err);
    if (st != STET_OK) {
        return st;
    }
    if (block->payload.len < at + bytes) { /* no more than a block has */
        return stet__index_damage(s, section, block_idx, err);
    }
    *out = (const uint8_t *)block->payload.ptr + at;
    return STET_OK;
}

/* Tables. */

stet_status stet__index_no_memory(const stet_segment *s, stet_error *err)
{
    return stet__fail(err, STET_E_NOMEM, 0,
                      "no memory for the index of file %" PRIu32,
                      s->header.file);
}

stet_status stet__index_load_all(const stet_segment *s, stet_section section,
                                 stet_block *block, stet_buf *out,
                                 stet_error *err)
{
    uint32_t blocks = stet__index_section(s, section)->blocks;
    stet__buf_reset(out);
    for (uint32_t i = 0; i < blocks; i++) {
        stet_status st = stet__index_load(s, section, i, block, err);
        if (st != STET_OK) {
            return st;
        }
        stet__buf_put_slice(out, block->payload);
    }
    return out->is_failed ? stet__index_no_memory(s, err) : STET_OK;
}

static stet_status parse_fences(const stet_segment *s, stet_sealed_tables *t,
                                stet_slice bytes, stet_error *err)
{
    t->fence_count = stet__index_section(s, STET_SECTION_DIRECTORY)->blocks;
    stet_slice copy = stet__arena_copy(&t->arena, bytes);
    t->fences =
        stet__arena_alloc(&t->arena, t->fence_count * sizeof *t->fences);
    if (copy.ptr == NULL || t->fences == NULL) {
        return stet__index_no_memory(s, err);
    }
    stet_reader in = stet__reader_of(copy);
    for (uint32_t i = 0; i < t->fence_count; i++) {
        uint64_t len = stet__read_varint(&in);
        in.is_bad = in.is_bad || len < 2 || len > stet__read_left(&in);
        t->fences[i].ns = stet__read_u8(&in);
        t->fences[i].id =
            stet__read_bytes(&in, in.is_bad ? 0 : (size_t)len - 1);
    }
    if (in.is_bad || stet__read_left(&in) > 0) {
        return stet__index_damage(s, STET_SECTION_FENCES, 0, err);
    }
    return STET_OK;
}

static stet_status parse_filter(const stet_segment *s, stet_sealed_tables *t,
                                stet_slice bytes, stet_error *err)
{
    t->line_count = stet__index_section(s, STET_SECTION_FILTER)->entries;
    if (bytes.len != t->line_count * STET_FILTER_LINE_BYTES) {
        return stet__index_damage(s, STET_SECTION_FILTER, 0, err);
    }
    t->lines = stet__arena_copy(&t->arena, bytes).ptr;
    return t->lines == NULL ? stet__index_no_memory(s, err) : STET_OK;
}

static stet_status parse_times(const stet_segment *s, stet_sealed_tables *t,
                               stet_slice bytes, stet_error *err)
{
    if (s->trailer.kind != STET_INDEX_OF_SEGMENT) {
        return STET_OK; /* of a set they are content */
    }
    t->time_count = s->trailer.frames;
    if (bytes.len != (uint64_t)t->time_count * STET_TIME_BYTES) {
        return stet__index_damage(s, STET_SECTION_TIMES, 0, err);
    }
    t->times = stet__arena_alloc(&t->arena, t->time_count * sizeof *t->times);
    if (t->times == NULL) {
        return stet__index_no_memory(s, err);
    }
    const uint8_t *p = bytes.ptr;
    for (uint32_t i = 0; i < t->time_count; i++, p += STET_TIME_BYTES) {
        t->times[i] = (stet_frame_time){
            .first_slot = stet__get_u32le(p),
            .recorded = (int64_t)stet__get_u64le(p + 8),
        };
    }
    return t->times[0].first_slot == 0
               ? STET_OK
               : stet__index_damage(s, STET_SECTION_TIMES, 0, err);
}

typedef stet_status (*parse_fn)(const stet_segment *s, stet_sealed_tables *t,
                                stet_slice bytes, stet_error *err);

static stet_status fill_tables(const stet_segment *s, stet_sealed_tables *t,
                               stet_buf *bytes, stet_error *err)
{
    static const struct {
        stet_section section;
        parse_fn parse;
    } parts[] = {
        {STET_SECTION_FENCES, parse_fences},
        {STET_SECTION_FILTER, parse_filter},
        {STET_SECTION_TIMES, parse_times},
        {STET_SECTION_BLOCKS, stet__settled_parse_pieces},
    };
    stet_block block;
    block.segment = NULL;
    stet_status st = STET_OK;
    for (size_t i = 0; i < sizeof parts / sizeof parts[0] && st == STET_OK;
         i++) {
        st = stet__index_load_all(s, parts[i].section, &block, bytes, err);
        if (st == STET_OK) {
            st = parts[i].parse(s, t, stet__buf_slice(bytes), err);
        }
    }
    return st == STET_OK && stet__segment_is_set(s)
               ? stet__settled_load_front(s, t, err)
               : st;
}

void stet__sealed_tables_destroy(const stet_allocator *alloc,
                                 stet_sealed_tables *tables)
{
    if (tables != NULL) {
        stet__arena_deinit(&tables->arena);
        stet__free(alloc, tables, sizeof *tables);
    }
}

static stet_status create_tables(const stet_segment *s,
                                 stet_sealed_tables **out, stet_error *err)
{
    stet_sealed_tables *t = stet__alloc_zeroed(s->alloc, 1, sizeof *t);
    if (t == NULL) {
        return stet__index_no_memory(s, err);
    }
    stet_buf bytes;
    stet__buf_init(&bytes, s->alloc);
    stet__arena_init(&t->arena, s->alloc);
    stet_status st = fill_tables(s, t, &bytes, err);
    stet__buf_deinit(&bytes);
    if (st != STET_OK) {
        stet__sealed_tables_destroy(s->alloc, t);
        return st;
    }
    *out = t;
    return STET_OK;
}

stet_status stet__index_tables(const stet_segment *s,
                               const stet_sealed_tables **out, stet_error *err)
{
    /* A cache: what readers may find filled in does not change the segment. */
    _Atomic(stet_sealed_tables *) *place =
        (_Atomic(stet_sealed_tables *) *)&s->tables;
    stet_sealed_tables *t = atomic_load_explicit(place, memory_order_acquire);
    if (t == NULL) {
        stet_sealed_tables *mine = NULL;
        stet_status st = create_tables(s, &mine, err);
        if (st != STET_OK) {
            return st;
        }
        /* Release what was filled in; acquire what another one did. */
        if (atomic_compare_exchange_strong_explicit(
                place, &t, mine, memory_order_acq_rel, memory_order_acquire)) {
            t = mine;
        } else {
            stet__sealed_tables_destroy(s->alloc, mine);
        }
    }
    *out = t;
    return STET_OK;
}

/* Runs. */

static bool may_hold(const stet_sealed_tables *t, stet_machine_key key)
{
    uint64_t hash = stet__machine_hash(key);
    uint64_t line = stet__filter_line(hash, t->line_count);
    const uint8_t *bits = t->lines + line * STET_FILTER_LINE_BYTES;
    return stet__filter_may_hold(bits, hash);
}

uint32_t stet__index_fences(const stet_sealed_tables *t, stet_machine_key key)
{
    uint32_t from = 0;
    uint32_t to = t->fence_count;
    while (from < to) {
        uint32_t middle = from + (to - from) / 2;
        if (stet__machine_key_cmp(t->fences[middle], key) <= 0) {
            from = middle + 1;
        } else {
            to = middle;
        }
    }
    return from;
}

static stet_status decode(const stet_segment *s, const stet_block *block,
                          stet_reader *in, stet_run *out, stet_error *err)
{
    stet_status st = stet__run_decode(in, &s->trailer, out, err);
    return st == STET_OK
               ? st
               : stet__segment_damage_wrap(
                     s, stet__index_offset(s, block->number), st, err);
}

stet_status stet__index_find(const stet_segment *s, stet_machine_key key,
                             stet_block *block, stet_run *out, stet_error *err)
{
    const stet_sealed_tables *t = NULL;
    stet_status st = stet__index_tables(s, &t, err);
    if (st != STET_OK) {
        return st;
    }
    uint32_t blocks = may_hold(t, key) ? stet__index_fences(t, key) : 0;
    if (blocks == 0) {
        return STET_E_NOT_FOUND;
    }
    st = stet__index_load(s, STET_SECTION_DIRECTORY, blocks - 1, block, err);
    if (st != STET_OK) {
        return st;
    }
    stet_reader in = stet__reader_of(block->payload);
    while (stet__read_left(&in) > 0) {
        stet_reader entry = in;
        int order = stet__machine_key_cmp(stet__run_pass(&in), key);
        if (order == 0 || in.is_bad) {
            return decode(s, block, &entry, out, err);
        }
        if (order > 0) {
            return STET_E_NOT_FOUND;
        }
    }
    return STET_E_NOT_FOUND;
}

void stet__run_walk_init(stet_run_walk *w, const stet_segment *s,
                         stet_sealed_reader *r, uint32_t block)
{
    *w = (stet_run_walk){.s = s, .r = r, .next_block = block};
}

stet_status stet__run_walk_next(stet_run_walk *w, stet_run *out,
                                stet_error *err)
{
    while (stet__read_left(&w->in) == 0) {
        if (w->next_block ==
            stet__index_section(w->s, STET_SECTION_DIRECTORY)->blocks) {
            return STET_DONE;
        }
        stet_status st =
            stet__index_load(w->s, STET_SECTION_DIRECTORY, w->next_block++,
                             &w->r->directory, err);
        if (st != STET_OK) {
            return st;
        }
        w->in = stet__reader_of(w->r->directory.payload);
    }
    return decode(w->s, &w->r->directory, &w->in, out, err);
}

/* Keys. */

void stet__key_walk_init(stet_key_walk *w, const stet_segment *s)
{
    w->s = s;
    w->block.segment = NULL;
    w->next_block = 0;
    w->left = (stet_slice){0};
}

stet_status stet__key_walk_next(stet_key_walk *w, const uint8_t **out,
                                stet_error *err)
{
    if (w->left.len == 0) {
        if (w->next_block ==
            stet__index_section(w->s, STET_SECTION_KEYS)->blocks) {
            return STET_DONE;
        }
        stet_status st = stet__index_load(w->s, STET_SECTION_KEYS,
                                          w->next_block, &w->block, err);
        if (st != STET_OK) {
            return st;
        }
        w->left = w->block.payload;
        w->next_block++;
    }
    if (w->left.len < STET_KEY_ENTRY_BYTES) {
        return stet__index_damage(w->s, STET_SECTION_KEYS, w->next_block - 1,
                                  err);
    }
    *out = w->left.ptr;
    w->left = stet_slice_of(*out + STET_KEY_ENTRY_BYTES,
                            w->left.len - STET_KEY_ENTRY_BYTES);
    return STET_OK;
}
