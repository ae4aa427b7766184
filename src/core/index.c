/*
 * A directory entry is a run: one machine's records in this segment. Positions,
 * seqs and times are told from what comes before them, so that most take one to
 * five bytes.
 *
 *   u8      namespace
 *   varint  id length, id
 *   u8      flags, see run_flags
 *   varint  first position minus the segment's
 *   varint  first seq
 *   signed  first occurred maximum minus the segment's first recorded
 *   [MANY] two records or more; their seqs follow each other
 *     varint  count - 2
 *     varint  last position minus the first
 *     signed  last occurred maximum minus the first
 *     varint  index into lists
 *   [NAME] u8 length, the state's name after the last record
 *   [PREVIOUS] the lineage's record before the first
 *     varint  first position minus its
 *     [PREVIOUS_KEY] its key, where it is another machine's
 *   [JUMP] a record further below
 *     varint  first position minus its
 *     varint  first seq minus its
 *     signed  first occurred maximum minus its
 *     [JUMP_KEY] its key, where it is another machine's
 *   [CHAIN] 32 bytes: the value of the hash chain after the last record
 *
 * The trailer's payload; offsets are those in its block:
 *
 *     8 u32 magic "STIX"        12 u32 format
 *    16 u32 number of the block 20 u32 file
 *    24 uuid[16]                40 u64 salt
 *    48 u64 first position      56 u64 end position, one past the last
 *    64 u64 end offset: frames end, the index begins
 *    72 u64 state bytes         80 i64 first recorded
 *    88 i64 last recorded       96 u32 crc of the last frame
 *   100 u32 frames
 *   104 of each section in order: u32 first block, u32 blocks, u64 entries
 *   216 end; of a set, whose magic is "STST":
 *   216 of section blocks: as above
 *   232 u32 first file        236 u32 last file
 *   240 u64 last file's end   248 u32 predecessor
 *   252 u32 0                 256 u64 predecessor's end
 *   264 u32 raw bytes         268 u32 times bytes
 *   272 seed[32]              304 end; of a merged index, "STMI":
 *   216 u32 level             220 u32 0
 *   224 end
 */
#include "core/index.h"

#include <inttypes.h>

#include "base/assert.h"
#include "base/checksum.h"
#include "base/error.h"

/* By kind: "STIX", "STST", "STMI". */

enum {
    CRC_BYTES = 4,
    RANGE_BYTES = 16,
    TRAILER_SECTIONS_AT = 104,
    TRAILER_END = TRAILER_SECTIONS_AT + RANGE_BYTES * STET_SECTION_COUNT,
    SET_TRAILER_END = TRAILER_END + RANGE_BYTES + 72,
    MERGED_TRAILER_END = TRAILER_END + 8,
    KINDS = STET_INDEX_MERGED + 1,
    FILTER_BITS_PER_MACHINE = 10,
    FILTER_LINE_BITS = STET_FILTER_LINE_BYTES * 8,
    FILTER_PROBES = 8,
};

/* By kind: "STIX", "STST", "STMI". */
static const uint32_t trailer_magic[KINDS] = {0x58495453U, 0x54535453U,
                                              0x494D5453U};
static const size_t trailer_end[KINDS] = {TRAILER_END, SET_TRAILER_END,
                                          MERGED_TRAILER_END};

_Static_assert(STET_RUN_BYTES_MAX <= STET_INDEX_PAYLOAD_BYTES,
               "a block holds any run");

typedef enum run_flags {
    RUN_DELETED = 1 << 0,
    RUN_MANY = 1 << 1,
    RUN_NAME = 1 << 2,
    RUN_PREVIOUS = 1 << 3,
    RUN_PREVIOUS_KEY = 1 << 4,
    RUN_JUMP = 1 << 5,
    RUN_JUMP_KEY = 1 << 6,
    RUN_CHAIN = 1 << 7,
} run_flags;

/* Blocks. */

static uint32_t block_crc(const uint8_t *block, uint32_t number, uint64_t salt)
{
    uint8_t place[12];
    stet__put_u64le(place, salt);
    stet__put_u32le(place + 8, number);
    uint32_t crc = stet__crc32c(0, place, sizeof place);
    return stet__crc32c(crc, block + CRC_BYTES,
                        STET_INDEX_BLOCK_BYTES - CRC_BYTES);
}

void stet__index_block_seal(uint8_t *block, stet_section section,
                            uint32_t number, size_t used, uint64_t salt)
{
    STET_ASSERT(used <= STET_INDEX_PAYLOAD_BYTES);
    memset(block + STET_INDEX_HEADER_BYTES + used, 0,
           STET_INDEX_PAYLOAD_BYTES - used);
    stet__put_u16le(block + 4, (uint16_t)section);
    stet__put_u16le(block + 6, (uint16_t)used);
    stet__put_u32le(block, block_crc(block, number, salt));
}

stet_status stet__index_block_check(const uint8_t *block, stet_section section,
                                    uint32_t number, uint64_t salt,
                                    stet_slice *out_payload, stet_error *err)
{
    if (stet__get_u32le(block) != block_crc(block, number, salt)) {
        return stet__fail(err, STET_E_CORRUPT, 0,
                          "checksum of index block %" PRIu32, number);
    }
    uint16_t used = stet__get_u16le(block + 6);
    if (stet__get_u16le(block + 4) != section ||
        used > STET_INDEX_PAYLOAD_BYTES) {
        return stet__fail(err, STET_E_CORRUPT, 0,
                          "index block %" PRIu32 " is not of section %d",
                          number, (int)section);
    }
    const uint8_t *payload = block + STET_INDEX_HEADER_BYTES;
    if (!stet__is_zeros(payload + used, STET_INDEX_PAYLOAD_BYTES - used)) {
        return stet__fail(err, STET_E_CORRUPT, 0,
                          "padding of index block %" PRIu32, number);
    }
    *out_payload = stet_slice_of(payload, used);
    return STET_OK;
}

/* Filter. */

uint64_t stet__filter_lines(uint64_t machines)
{
    uint64_t bits = machines * FILTER_BITS_PER_MACHINE;
    return bits / FILTER_LINE_BITS + 1;
}

uint64_t stet__filter_line(uint64_t hash, uint64_t lines)
{
    STET_ASSERT(lines > 0 && lines <= UINT32_MAX);
    return ((hash >> 32) * lines) >> 32;
}

/*
 * The i-th bit of a hash in its line. The lower half gives them, since the
 * upper one picked the line; an odd step never meets the same bit twice.
 */
static unsigned filter_bit(uint64_t hash, unsigned i)
{
    unsigned start = (unsigned)hash & (FILTER_LINE_BITS - 1);
    unsigned step = ((unsigned)(hash >> 9) & (FILTER_LINE_BITS - 1)) | 1;
    return (start + i * step) & (FILTER_LINE_BITS - 1);
}

bool stet__filter_may_hold(const uint8_t line[STET_FILTER_LINE_BYTES],
                           uint64_t hash)
{
    for (unsigned i = 0; i < FILTER_PROBES; i++) {
        unsigned bit = filter_bit(hash, i);
        if ((line[bit / 8] >> (bit % 8) & 1) == 0) {
            return false;
        }
    }
    return true;
}

void stet__filter_add(uint8_t line[STET_FILTER_LINE_BYTES], uint64_t hash)
{
    for (unsigned i = 0; i < FILTER_PROBES; i++) {
        unsigned bit = filter_bit(hash, i);
        line[bit / 8] = (uint8_t)(line[bit / 8] | 1U << (bit % 8));
    }
}

/* Runs. */

static uint8_t *put_key(uint8_t *p, stet_machine_key key)
{
    *p++ = key.ns;
    p = stet__put_varint(p, key.id.len);
    memcpy(p, key.id.ptr, key.id.len);
    return p + key.id.len;
}

static stet_machine_key read_key(stet_reader *in)
{
    stet_machine_key key = {.ns = stet__read_u8(in)};
    uint64_t len = stet__read_varint(in);
    in->is_bad = in->is_bad || len - 1 >= STET_RECORD_ID_BYTES_MAX;
    key.id = stet__read_bytes(in, (size_t)len);
    return key;
}

static unsigned flags_of(const stet_run *run)
{
    unsigned flags = 0;
    flags |= run->is_deleted ? RUN_DELETED : 0;
    flags |= run->count > 1 ? RUN_MANY : 0;
    flags |= run->has_state_name ? RUN_NAME : 0;
    if (run->previous.position != 0) {
        flags |= RUN_PREVIOUS;
        flags |= run->previous.key.id.len > 0 ? RUN_PREVIOUS_KEY : 0;
    }
    if (run->jump.position != 0) {
        flags |= RUN_JUMP;
        flags |= run->jump.key.id.len > 0 ? RUN_JUMP_KEY : 0;
    }
    flags |= run->has_chain ? RUN_CHAIN : 0;
    return flags;
}

/* Of two times, how far the second is behind the first; wraps. */
static int64_t time_since(int64_t from, int64_t to)
{
    return (int64_t)((uint64_t)to - (uint64_t)from);
}

static int64_t time_after(int64_t from, int64_t by)
{
    return (int64_t)((uint64_t)from + (uint64_t)by);
}

static uint8_t *put_signed(uint8_t *p, int64_t v)
{
    return stet__put_varint(p, stet__zigzag(v));
}

static uint8_t *put_links(uint8_t *p, const stet_run *run, unsigned flags)
{
    if ((flags & RUN_PREVIOUS) != 0) {
        p = stet__put_varint(p, run->first.position - run->previous.position);
    }
    if ((flags & RUN_PREVIOUS_KEY) != 0) {
        p = put_key(p, run->previous.key);
    }
    if ((flags & RUN_JUMP) != 0) {
        p = stet__put_varint(p, run->first.position - run->jump.position);
        p = stet__put_varint(p, run->first.seq - run->jump.seq);
        p = put_signed(
            p, time_since(run->jump.occurred_max, run->first.occurred_max));
    }
    if ((flags & RUN_JUMP_KEY) != 0) {
        p = put_key(p, run->jump.key);
    }
    return p;
}

size_t stet__run_put(const stet_run *run, const stet_trailer *t, uint8_t *out)
{
    unsigned flags = flags_of(run);
    uint8_t *p = out;
    p = put_key(p, run->key);
    *p++ = (uint8_t)flags;
    p = stet__put_varint(p, run->first.position - t->first_position);
    p = stet__put_varint(p, run->first.seq);
    p = put_signed(p, time_since(t->first_recorded, run->first.occurred_max));
    if ((flags & RUN_MANY) != 0) {
        p = stet__put_varint(p, run->count - 2);
        p = stet__put_varint(p, run->last.position - run->first.position);
        p = put_signed(
            p, time_since(run->first.occurred_max, run->last.occurred_max));
        p = stet__put_varint(p, run->list);
    }
    if ((flags & RUN_NAME) != 0) {
        *p++ = (uint8_t)run->state_name.len;
        if (run->state_name.len > 0) {
            memcpy(p, run->state_name.ptr, run->state_name.len);
        }
        p += run->state_name.len;
    }
    p = put_links(p, run, flags);
    if (run->has_chain) {
        memcpy(p, run->chain, sizeof run->chain);
        p += sizeof run->chain;
    }
    return (size_t)(p - out);
}

static bool has_sane_flags(unsigned flags, const stet_trailer *t)
{
    return ((flags & RUN_CHAIN) != 0) == stet__trailer_is_of_set(t) &&
           ((flags & RUN_PREVIOUS) != 0 || (flags & RUN_PREVIOUS_KEY) == 0) &&
           ((flags & RUN_JUMP) != 0 || (flags & RUN_JUMP_KEY) == 0);
}

static void read_many(stet_reader *in, const stet_trailer *t, stet_run *run)
{
    uint64_t between = stet__read_varint(in);
    uint64_t span = stet__read_varint(in);
    int64_t time = stet__read_signed(in);
    uint64_t list = stet__read_varint(in);
    uint64_t lists = t->sections[STET_SECTION_LISTS - 1].entries;
    /* The records between first and last have positions between theirs. */
    bool is_sane = span > between &&
                   span < t->end_position - run->first.position &&
                   list < lists && between + 2 <= lists - list;
    in->is_bad = in->is_bad || !is_sane;
    run->count = (uint32_t)between + 2;
    run->list = (uint32_t)list;
    run->last.seq = run->first.seq + between + 1;
    run->last.position = run->first.position + span;
    run->last.occurred_max = time_after(run->first.occurred_max, time);
}

/* Read how far below `from` a link leads; never 0. */
static uint64_t read_below(stet_reader *in, uint64_t from)
{
    uint64_t distance = stet__read_varint(in);
    in->is_bad = in->is_bad || distance - 1 >= from - 1;
    return from - distance;
}

static void read_chain(stet_reader *in, stet_run *run)
{
    stet_slice chain = stet__read_bytes(in, sizeof run->chain);
    run->has_chain = !in->is_bad;
    if (run->has_chain) {
        memcpy(run->chain, chain.ptr, sizeof run->chain);
    }
}

static void read_links(stet_reader *in, unsigned flags, stet_run *run)
{
    if ((flags & RUN_PREVIOUS) != 0) {
        run->previous.position = read_below(in, run->first.position);
    }
    if ((flags & RUN_PREVIOUS_KEY) != 0) {
        run->previous.key = read_key(in);
    }
    if ((flags & RUN_JUMP) != 0) {
        run->jump.position = read_below(in, run->first.position);
        run->jump.seq = read_below(in, run->first.seq);
        run->jump.occurred_max =
            time_since(stet__read_signed(in), run->first.occurred_max);
    }
    if ((flags & RUN_JUMP_KEY) != 0) {
        run->jump.key = read_key(in);
    }
}

stet_status stet__run_decode(stet_reader *r, const stet_trailer *t,
                             stet_run *out, stet_error *err)
{
    stet_run run = {.key = read_key(r), .count = 1};
    unsigned flags = stet__read_u8(r);
    uint64_t slot = stet__read_varint(r);
    run.is_deleted = (flags & RUN_DELETED) != 0;
    run.has_state_name = (flags & RUN_NAME) != 0;
    run.first.position = t->first_position + slot;
    run.first.seq = stet__read_varint(r);
    run.first.occurred_max =
        time_after(t->first_recorded, stet__read_signed(r));
    run.last = run.first;
    r->is_bad = r->is_bad || !has_sane_flags(flags, t) || run.first.seq == 0 ||
                slot >= t->end_position - t->first_position;
    if ((flags & RUN_MANY) != 0) {
        read_many(r, t, &run);
    }
    if (run.has_state_name) {
        run.state_name = stet__read_bytes(r, stet__read_u8(r));
    }
    read_links(r, flags, &run);
    if ((flags & RUN_CHAIN) != 0) {
        read_chain(r, &run);
    }
    if (r->is_bad) {
        return stet__fail(err, STET_E_CORRUPT, 0, "entry of a directory");
    }
    *out = run;
    return STET_OK;
}

/* Step over some varints, whatever they say. */
static void pass_varints(stet_reader *in, unsigned count)
{
    const uint8_t *p = in->ptr;
    while (count > 0 && p < in->end) {
        count -= *p++ < 0x80 ? 1 : 0; /* the last byte of one */
    }
    in->ptr = p;
    in->is_bad = in->is_bad || count > 0;
}

stet_machine_key stet__run_pass(stet_reader *r)
{
    stet_machine_key key = read_key(r);
    unsigned flags = stet__read_u8(r);
    pass_varints(r, (flags & RUN_MANY) != 0 ? 7 : 3);
    if ((flags & RUN_NAME) != 0) {
        (void)stet__read_over(r, stet__read_u8(r));
    }
    pass_varints(r, (flags & RUN_PREVIOUS) != 0 ? 1 : 0);
    if ((flags & RUN_PREVIOUS_KEY) != 0) {
        (void)read_key(r);
    }
    pass_varints(r, (flags & RUN_JUMP) != 0 ? 3 : 0);
    if ((flags & RUN_JUMP_KEY) != 0) {
        (void)read_key(r);
    }
    if ((flags & RUN_CHAIN) != 0) {
        (void)stet__read_over(r, STET_CHAIN_BYTES);
    }
    return key;
}

/* Keys. */

void stet__key_entry_put(uint8_t out[STET_KEY_ENTRY_BYTES],
                         const uint8_t hash[16], uint64_t check, uint64_t slot)
{
    memcpy(out, hash, 16);
    stet__put_u64le(out + 16, check);
    stet__put_u64le(out + 24, slot);
}

/* Trailer. */

uint32_t stet__trailer_number(const stet_trailer *t)
{
    uint32_t number = t->set.blocks.blocks;
    for (unsigned i = 0; i < STET_SECTION_COUNT; i++) {
        number += t->sections[i].blocks;
    }
    return number;
}

static void put_range(uint8_t *p, const stet_section_range *range)
{
    stet__put_u32le(p, range->first_block);
    stet__put_u32le(p + 4, range->blocks);
    stet__put_u64le(p + 8, range->entries);
}

static stet_section_range get_range(const uint8_t *p)
{
    return (stet_section_range){
        .first_block = stet__get_u32le(p),
        .blocks = stet__get_u32le(p + 4),
        .entries = stet__get_u64le(p + 8),
    };
}

static void put_set_part(const stet_set_part *s, uint8_t *block)
{
    put_range(block + 216, &s->blocks);
    stet__put_u32le(block + 232, s->first_file);
    stet__put_u32le(block + 236, s->last_file);
    stet__put_u64le(block + 240, s->last_end);
    stet__put_u32le(block + 248, s->predecessor);
    stet__put_u32le(block + 252, 0);
    stet__put_u64le(block + 256, s->predecessor_end);
    stet__put_u32le(block + 264, s->raw_bytes);
    stet__put_u32le(block + 268, s->times_bytes);
    memcpy(block + 272, s->seed, sizeof s->seed);
}

static stet_set_part get_set_part(const uint8_t *block)
{
    stet_set_part s = {
        .blocks = get_range(block + 216),
        .first_file = stet__get_u32le(block + 232),
        .last_file = stet__get_u32le(block + 236),
        .last_end = stet__get_u64le(block + 240),
        .predecessor = stet__get_u32le(block + 248),
        .predecessor_end = stet__get_u64le(block + 256),
        .raw_bytes = stet__get_u32le(block + 264),
        .times_bytes = stet__get_u32le(block + 268),
    };
    memcpy(s.seed, block + 272, sizeof s.seed);
    return s;
}

void stet__trailer_put(const stet_trailer *t, uint8_t *block)
{
    uint32_t number = stet__trailer_number(t);
    stet__put_u32le(block + 8, trailer_magic[t->kind]);
    stet__put_u32le(block + 12, t->format);
    stet__put_u32le(block + 16, number);
    stet__put_u32le(block + 20, t->file);
    memcpy(block + 24, t->uuid, sizeof t->uuid);
    stet__put_u64le(block + 40, t->salt);
    stet__put_u64le(block + 48, t->first_position);
    stet__put_u64le(block + 56, t->end_position);
    stet__put_u64le(block + 64, t->end_offset);
    stet__put_u64le(block + 72, t->state_bytes);
    stet__put_u64le(block + 80, (uint64_t)t->first_recorded);
    stet__put_u64le(block + 88, (uint64_t)t->last_recorded);
    stet__put_u32le(block + 96, t->last_frame_crc);
    stet__put_u32le(block + 100, t->frames);
    for (unsigned i = 0; i < STET_SECTION_COUNT; i++) {
        put_range(block + TRAILER_SECTIONS_AT + (size_t)RANGE_BYTES * i,
                  &t->sections[i]);
    }
    if (t->kind == STET_INDEX_OF_SET) {
        put_set_part(&t->set, block);
    } else if (t->kind == STET_INDEX_MERGED) {
        stet__put_u32le(block + TRAILER_END, t->level);
        stet__put_u32le(block + TRAILER_END + 4, 0);
    }
    stet__index_block_seal(block, STET_SECTION_TRAILER, number,
                           trailer_end[t->kind] - STET_INDEX_HEADER_BYTES,
                           t->salt);
}

/* Entries of a section that has full blocks of them; 0: it has not. */
static uint32_t entries_per_block(stet_section section)
{
    switch (section) {
    case STET_SECTION_SLOTS:
        return STET_SLOTS_PER_BLOCK;
    case STET_SECTION_LISTS:
        return STET_LISTS_PER_BLOCK;
    case STET_SECTION_FILTER:
        return STET_FILTER_LINES_PER_BLOCK;
    case STET_SECTION_TIMES:
        return STET_TIMES_PER_BLOCK;
    case STET_SECTION_KEYS:
        return STET_KEYS_PER_BLOCK;
    case STET_SECTION_BLOCKS:
        return STET_PIECES_PER_BLOCK;
    case STET_SECTION_DIRECTORY:
    case STET_SECTION_FENCES:
    case STET_SECTION_TRAILER:
        break;
    }
    return 0;
}

/* Does a section begin at block `next`, and is it as large as it says? */
static bool is_sane_range(const stet_trailer *t, stet_section section,
                          uint64_t next)
{
    const stet_section_range *range = stet__trailer_range(t, section);
    uint32_t per_block = entries_per_block(section);
    uint64_t blocks = per_block == 0 ? range->blocks
                                     : range->entries / per_block +
                                           (range->entries % per_block > 0);
    return range->first_block == next && range->blocks == blocks;
}

/* Do sections follow each other up to block `number`? */
static bool have_sections_a_place(const stet_trailer *t, uint32_t number)
{
    uint64_t next = 0;
    for (unsigned i = 1; i <= STET_SECTION_COUNT; i++) {
        if (!is_sane_range(t, (stet_section)i, next)) {
            return false;
        }
        next += t->sections[i - 1].blocks;
    }
    if (stet__trailer_is_of_set(t) &&
        !is_sane_range(t, STET_SECTION_BLOCKS, next)) {
        return false;
    }
    return next + t->set.blocks.blocks == number;
}

/* Are there as many entries of each kind as go together? */
static bool are_sane_entries(const stet_trailer *t)
{
    const stet_section_range *s = t->sections;
    uint64_t slots = s[STET_SECTION_SLOTS - 1].entries;
    uint64_t lists = s[STET_SECTION_LISTS - 1].entries;
    uint64_t times = s[STET_SECTION_TIMES - 1].entries;
    bool is_merged = t->kind == STET_INDEX_MERGED;
    uint64_t records = t->end_position - t->first_position;
    return t->first_position > 0 && t->end_position > t->first_position &&
           slots == (is_merged ? 0 : records) && slots <= UINT32_MAX &&
           lists <= slots &&
           s[STET_SECTION_FENCES - 1].entries ==
               s[STET_SECTION_DIRECTORY - 1].blocks &&
           s[STET_SECTION_FILTER - 1].entries > 0 &&
           (is_merged ? t->frames == 0
                      : t->frames > 0 && t->frames <= records) &&
           times == (t->kind == STET_INDEX_OF_SEGMENT ? t->frames : 0);
}

/* Is what only a set says possible? */
static bool is_sane_set(const stet_trailer *t)
{
    const stet_set_part *s = &t->set;
    return s->first_file > 0 && s->last_file >= s->first_file &&
           s->predecessor < s->first_file && s->last_file < t->file &&
           s->last_end % STET_W == 0 && s->blocks.entries >= 2 &&
           s->raw_bytes < UINT32_MAX && s->times_bytes < s->raw_bytes;
}

/* Is it possible what the trailer says in block `number`? */
static bool is_sane(const stet_trailer *t, uint32_t number)
{
    bool is = have_sections_a_place(t, number) && are_sane_entries(t) &&
              t->end_offset % STET_W == 0;
    switch (t->kind) {
    case STET_INDEX_OF_SEGMENT:
        break;
    case STET_INDEX_OF_SET:
        return is && is_sane_set(t);
    case STET_INDEX_MERGED:
        return is && t->end_offset == 0 && t->state_bytes == 0 &&
               t->first_recorded == 0 && t->last_recorded == 0 && t->level > 0;
    }
    return is;
}

/* What kind of trailer begins so; false: none. */
static bool find_kind(const uint8_t *block, stet_index_kind *out)
{
    for (unsigned i = 0; i < KINDS; i++) {
        if (stet__get_u32le(block + 8) == trailer_magic[i]) {
            *out = (stet_index_kind)i;
            return stet__get_u16le(block + 4) == STET_SECTION_TRAILER;
        }
    }
    return false;
}

/* What all kinds have in common. */
static stet_trailer get_common(const uint8_t *block)
{
    stet_trailer t = {
        .format = stet__get_u32le(block + 12),
        .file = stet__get_u32le(block + 20),
        .salt = stet__get_u64le(block + 40),
        .first_position = stet__get_u64le(block + 48),
        .end_position = stet__get_u64le(block + 56),
        .end_offset = stet__get_u64le(block + 64),
        .state_bytes = stet__get_u64le(block + 72),
        .first_recorded = (int64_t)stet__get_u64le(block + 80),
        .last_recorded = (int64_t)stet__get_u64le(block + 88),
        .last_frame_crc = stet__get_u32le(block + 96),
        .frames = stet__get_u32le(block + 100),
    };
    memcpy(t.uuid, block + 24, sizeof t.uuid);
    for (unsigned i = 0; i < STET_SECTION_COUNT; i++) {
        t.sections[i] =
            get_range(block + TRAILER_SECTIONS_AT + (size_t)RANGE_BYTES * i);
    }
    return t;
}

/* Is what the kind has no use for 0? */
static bool has_zeros(const uint8_t *block, stet_index_kind kind)
{
    switch (kind) {
    case STET_INDEX_OF_SEGMENT:
        break;
    case STET_INDEX_OF_SET:
        return stet__get_u32le(block + 252) == 0;
    case STET_INDEX_MERGED:
        return stet__get_u32le(block + TRAILER_END + 4) == 0;
    }
    return true;
}

stet_status stet__trailer_get(const uint8_t *block, stet_trailer *out,
                              stet_error *err)
{
    stet_index_kind kind = STET_INDEX_OF_SEGMENT;
    if (!find_kind(block, &kind)) {
        return stet__fail(err, STET_E_NOT_FOUND, 0, "no trailer");
    }
    uint32_t number = stet__get_u32le(block + 16);
    stet_trailer t = get_common(block);
    t.kind = kind;
    if (kind == STET_INDEX_OF_SET) {
        t.set = get_set_part(block);
    } else if (kind == STET_INDEX_MERGED) {
        t.level = stet__get_u32le(block + TRAILER_END);
    }
    stet_slice payload;
    stet_status st = stet__index_block_check(block, STET_SECTION_TRAILER,
                                             number, t.salt, &payload, err);
    if (st != STET_OK) {
        return stet__wrap(err, st, "trailer");
    }
    if (t.format != STET_FORMAT) {
        return stet__fail(err, STET_E_FORMAT, 0, "trailer of format %" PRIu32,
                          t.format);
    }
    if (payload.len != trailer_end[kind] - STET_INDEX_HEADER_BYTES ||
        !has_zeros(block, kind) || !is_sane(&t, number)) {
        return stet__fail(err, STET_E_CORRUPT, 0, "content of a trailer");
    }
    *out = t;
    return STET_OK;
}
