#include "core/set.h"

#include <inttypes.h>

#include "base/assert.h"
#include "base/checksum.h"
#include "base/error.h"

enum {
    CRC_FROM = 8,            /* of a head and of a block's header */
    HEAD_MAGIC = 0x48535453, /* STSH */
    BLOCK_MAGIC = 0x4c425453 /* STBL */
};

void stet__piece_put(const stet_piece *p, stet_buf *out)
{
    stet__buf_put_u32le(out, p->raw_offset);
    stet__buf_put_u32le(out, p->offset);
}

stet_piece stet__piece_get(const uint8_t *entry)
{
    return (stet_piece){
        .raw_offset = stet__get_u32le(entry),
        .offset = stet__get_u32le(entry + 4),
    };
}

/* Of a block, whose header is at `header`, all but its crc. */
static uint32_t block_crc(uint64_t salt, const uint8_t *header, size_t bytes)
{
    uint8_t place[8];
    stet__put_u64le(place, salt);
    return stet__crc32c(stet__crc32c(0, place, sizeof place), header + CRC_FROM,
                        STET_SET_BLOCK_HEADER_BYTES - CRC_FROM + bytes);
}

/* The head. */

void stet__set_head_put(const stet_trailer *t, uint8_t out[STET_SET_HEAD_BYTES])
{
    memset(out, 0, STET_SET_HEAD_BYTES);
    stet__put_u32le(out, HEAD_MAGIC);
    stet__put_u32le(out + 8, t->format);
    stet__put_u32le(out + 12, t->file);
    memcpy(out + 16, t->uuid, sizeof t->uuid);
    stet__put_u64le(out + 32, t->salt);
    stet__put_u64le(out + 40, t->first_position);
    stet__put_u64le(out + 48, t->end_position);
    stet__put_u64le(out + 56, (uint64_t)t->first_recorded);
    stet__put_u64le(out + 64, (uint64_t)t->last_recorded);
    stet__put_u32le(out + 72, t->frames);
    stet__put_u32le(out + 76, t->set.times_bytes);
    stet__put_u32le(out + 80, t->set.first_file);
    stet__put_u32le(out + 84, t->set.last_file);
    stet__put_u64le(out + 88, t->set.last_end);
    stet__put_u32le(out + 96, t->set.predecessor);
    stet__put_u32le(out + 100, 0);
    stet__put_u64le(out + 104, t->set.predecessor_end);
    stet__put_u32le(out + 4, stet__crc32c(0, out + CRC_FROM,
                                          STET_SET_HEAD_BYTES - CRC_FROM));
}

static bool is_sane_head(const stet_trailer *t)
{
    return t->first_position > 0 && t->end_position > t->first_position &&
           t->end_position - t->first_position <= UINT32_MAX && t->frames > 0 &&
           t->set.first_file > 0 && t->set.last_file >= t->set.first_file &&
           t->set.last_file < t->file && t->set.predecessor < t->set.first_file;
}

stet_status stet__set_head_get(const uint8_t head[STET_SET_HEAD_BYTES],
                               stet_trailer *out, stet_error *err)
{
    if (stet__get_u32le(head) != HEAD_MAGIC ||
        stet__get_u32le(head + 4) !=
            stet__crc32c(0, head + CRC_FROM, STET_SET_HEAD_BYTES - CRC_FROM)) {
        return stet__fail(err, STET_E_CORRUPT, 0, "checksum of a set's head");
    }
    if (stet__get_u32le(head + 8) > STET_FORMAT) {
        return stet__fail(err, STET_E_FORMAT, 0, "a set of format %" PRIu32,
                          stet__get_u32le(head + 8));
    }
    stet_trailer t = {
        .kind = STET_INDEX_OF_SET,
        .format = stet__get_u32le(head + 8),
        .file = stet__get_u32le(head + 12),
        .salt = stet__get_u64le(head + 32),
        .first_position = stet__get_u64le(head + 40),
        .end_position = stet__get_u64le(head + 48),
        .first_recorded = (int64_t)stet__get_u64le(head + 56),
        .last_recorded = (int64_t)stet__get_u64le(head + 64),
        .frames = stet__get_u32le(head + 72),
        .set = {.times_bytes = stet__get_u32le(head + 76),
                .first_file = stet__get_u32le(head + 80),
                .last_file = stet__get_u32le(head + 84),
                .last_end = stet__get_u64le(head + 88),
                .predecessor = stet__get_u32le(head + 96),
                .predecessor_end = stet__get_u64le(head + 104)},
    };
    memcpy(t.uuid, head + 16, sizeof t.uuid);
    if (!is_sane_head(&t)) {
        return stet__fail(err, STET_E_CORRUPT, 0, "a set's head");
    }
    *out = t;
    return STET_OK;
}

/* Reading. */

bool stet__set_block_peek(uint64_t salt, stet_slice bytes, stet_set_block *out)
{
    const uint8_t *header = bytes.ptr;
    if (bytes.len < STET_SET_BLOCK_HEADER_BYTES) {
        return false;
    }
    *out = (stet_set_block){
        .raw_offset = stet__get_u32le(header + 8),
        .bytes = stet__get_u32le(header + 12),
        .raw_bytes = stet__get_u32le(header + 16),
    };
    return stet__get_u32le(header) == BLOCK_MAGIC && out->bytes > 0 &&
           out->bytes <= out->raw_bytes &&
           out->raw_bytes < UINT32_MAX - out->raw_offset &&
           out->bytes <= bytes.len - STET_SET_BLOCK_HEADER_BYTES &&
           stet__get_u32le(header + 4) == block_crc(salt, header, out->bytes);
}

stet_status stet__set_block_unpack(stet_zctx *z, uint64_t salt,
                                   const stet_set_block *block,
                                   stet_slice bytes, stet_buf *out,
                                   stet_error *err)
{
    stet_set_block told;
    if (!stet__set_block_peek(salt, bytes, &told) ||
        told.raw_offset != block->raw_offset || told.bytes != block->bytes ||
        told.raw_bytes != block->raw_bytes) {
        return stet__fail(err, STET_E_CORRUPT, 0, "checksum of a block");
    }
    stet_slice packed = stet_slice_of(
        (const uint8_t *)bytes.ptr + STET_SET_BLOCK_HEADER_BYTES, block->bytes);
    if (packed.len < block->raw_bytes) {
        return stet__zstd_unpack(z, (stet_slice){NULL, 0}, packed,
                                 block->raw_bytes, out, err);
    }
    uint8_t *room = stet__buf_extend(out, packed.len);
    if (room == NULL) {
        out->is_failed = false;
        return stet__fail(err, STET_E_NOMEM, 0, "no memory for a block");
    }
    memcpy(room, packed.ptr, packed.len);
    return STET_OK;
}

void stet__set_read_time(stet_reader *in, uint32_t *out_records,
                         uint64_t *out_since)
{
    uint64_t records = stet__read_varint(in);
    in->is_bad = in->is_bad || records == 0 || records > UINT32_MAX;
    *out_records = (uint32_t)records;
    *out_since = stet__read_varint(in);
}

stet_status stet__set_read_seed(stet_reader *in, stet_set_seed *out,
                                stet_error *err)
{
    stet_reader r = *in;
    if (stet__read_left(in) == 0 || stet__read_varint(&r) != 0 || r.is_bad ||
        stet__read_varint(&r) != STET_NOTE_SEED) {
        return STET_DONE;
    }
    uint64_t slot = stet__read_varint(&r);
    stet_slice bytes = stet__read_bytes(&r, sizeof out->bytes);
    if (r.is_bad || slot == 0 || slot > UINT32_MAX) {
        return stet__fail(err, STET_E_CORRUPT, 0, "a seed of a set");
    }
    out->first_slot = (uint32_t)slot;
    memcpy(out->bytes, bytes.ptr, bytes.len);
    *in = r;
    return STET_OK;
}

const uint8_t *stet__set_seed_at(const stet_set_seeds *s, uint32_t slot)
{
    uint32_t from = 0; /* seeds that begin at or below the slot */
    uint32_t to = s->count;
    while (from < to) {
        uint32_t middle = from + (to - from) / 2;
        if (s->items[middle].first_slot <= slot) {
            from = middle + 1;
        } else {
            to = middle;
        }
    }
    return from == 0 ? s->first : s->items[from - 1].bytes;
}

stet_status stet__set_read_item(stet_reader *in, uint32_t *out_slot,
                                stet_slice *out_record, stet_error *err)
{
    uint64_t code = stet__read_varint(in);
    if (!in->is_bad && code == 0) {
        return stet__fail(err, STET_E_FORMAT, 0, "an item of another kind");
    }
    uint32_t crc = 0;
    size_t bytes = 0;
    stet_slice left = stet_slice_of(in->ptr, stet__read_left(in));
    if (in->is_bad || code > UINT32_MAX ||
        !stet__record_peek(left, &crc, &bytes)) {
        return stet__fail(err, STET_E_CORRUPT, 0, "an item of a set");
    }
    *out_slot = (uint32_t)(code - 1);
    *out_record = stet__read_bytes(in, bytes);
    return STET_OK;
}

/* Packing. */

stet_status stet__set_packer_init(stet_set_packer *p,
                                  const stet_allocator *alloc, uint64_t salt,
                                  stet_error *err)
{
    *p = (stet_set_packer){.salt = salt, .offset = STET_SET_HEAD_BYTES};
    stet__buf_init(&p->raw, alloc);
    stet__buf_init(&p->packed, alloc);
    stet__buf_init(&p->pieces, alloc);
    p->z = stet__zctx_create(alloc);
    return p->z != NULL
               ? STET_OK
               : stet__fail(err, STET_E_NOMEM, 0, "no memory for a set");
}

void stet__set_packer_deinit(stet_set_packer *p)
{
    stet__zctx_destroy(p->z);
    p->z = NULL;
    stet__buf_deinit(&p->raw);
    stet__buf_deinit(&p->packed);
    stet__buf_deinit(&p->pieces);
}

uint32_t stet__set_packer_bytes(const stet_set_packer *p)
{
    return p->raw_offset + (uint32_t)p->raw.len;
}

static stet_status no_memory(stet_error *err)
{
    return stet__fail(err, STET_E_NOMEM, 0, "no memory for a block");
}

/* Pack the block that was filled; as it is where packing does not help. */
static stet_status close_block(stet_set_packer *p, stet_error *err)
{
    stet_slice raw = stet__buf_slice(&p->raw);
    if (raw.len == 0) {
        return STET_OK;
    }
    size_t begin = p->packed.len;
    if (stet__buf_extend(&p->packed, STET_SET_BLOCK_HEADER_BYTES) == NULL) {
        return no_memory(err);
    }
    size_t from = p->packed.len;
    stet_status st =
        stet__zstd_pack(p->z, (stet_slice){NULL, 0}, raw, &p->packed, err);
    if (st != STET_OK) {
        return st;
    }
    if (p->packed.len - from >= raw.len) {
        p->packed.len = from;
        stet__buf_put_slice(&p->packed, raw);
    }
    stet_piece piece = {p->raw_offset, p->offset};
    stet__piece_put(&piece, &p->pieces);
    if (p->packed.is_failed || p->pieces.is_failed) {
        return no_memory(err);
    }
    size_t bytes = p->packed.len - from;
    uint8_t *header = p->packed.ptr + begin;
    stet__put_u32le(header, BLOCK_MAGIC);
    stet__put_u32le(header + 8, p->raw_offset);
    stet__put_u32le(header + 12, (uint32_t)bytes);
    stet__put_u32le(header + 16, (uint32_t)raw.len);
    stet__put_u32le(header + 4, block_crc(p->salt, header, bytes));
    p->raw_offset += (uint32_t)raw.len;
    p->offset += (uint32_t)(p->packed.len - begin);
    stet__buf_reset(&p->raw);
    return STET_OK;
}

/* Make room for an item in a block, which it may overfill if it is alone. */
static stet_status begin_item(stet_set_packer *p, size_t bytes, stet_error *err)
{
    STET_ASSERT(bytes < UINT32_MAX - stet__set_packer_bytes(p));
    stet_status st = STET_OK;
    if (p->raw.len + bytes > STET_SET_BLOCK_BYTES) {
        st = close_block(p, err);
    }
    if (st == STET_OK && !stet__buf_reserve(&p->raw, bytes)) {
        st = no_memory(err);
    }
    return st;
}

stet_status stet__set_put_time(stet_set_packer *p, uint32_t records,
                               uint64_t since, stet_error *err)
{
    size_t bytes = stet__varint_bytes(records) + stet__varint_bytes(since);
    stet_status st = begin_item(p, bytes, err);
    if (st == STET_OK) {
        stet__buf_put_varint(&p->raw, records);
        stet__buf_put_varint(&p->raw, since);
    }
    return st;
}

stet_status stet__set_put_seed(stet_set_packer *p, const stet_set_seed *seed,
                               stet_error *err)
{
    size_t bytes = stet__varint_bytes(0) + stet__varint_bytes(STET_NOTE_SEED) +
                   stet__varint_bytes(seed->first_slot) + sizeof seed->bytes;
    stet_status st = begin_item(p, bytes, err);
    if (st == STET_OK) {
        stet__buf_put_varint(&p->raw, 0);
        stet__buf_put_varint(&p->raw, STET_NOTE_SEED);
        stet__buf_put_varint(&p->raw, seed->first_slot);
        stet__buf_put(&p->raw, seed->bytes, sizeof seed->bytes);
    }
    return st;
}

stet_status stet__set_put_record(stet_set_packer *p, uint32_t slot,
                                 stet_slice record, uint32_t *out_raw_offset,
                                 stet_error *err)
{
    uint64_t code = (uint64_t)slot + 1;
    stet_status st = begin_item(p, stet__varint_bytes(code) + record.len, err);
    if (st == STET_OK) {
        stet__buf_put_varint(&p->raw, code);
        *out_raw_offset = stet__set_packer_bytes(p);
        stet__buf_put_slice(&p->raw, record);
    }
    return st;
}

stet_status stet__set_packer_end(stet_set_packer *p, stet_error *err)
{
    stet_status st = close_block(p, err);
    if (st != STET_OK) {
        return st;
    }
    stet_piece end = {p->raw_offset, p->offset};
    stet__piece_put(&end, &p->pieces);
    return p->pieces.is_failed ? no_memory(err) : STET_OK;
}
