#include "core/set.h"

#include <inttypes.h>

#include "base/assert.h"
#include "base/checksum.h"
#include "base/error.h"

enum { PLACE_BYTES = 12 };

void stet__piece_put(const stet_piece *p, stet_buf *out)
{
    stet__buf_put_u32le(out, p->raw_offset);
    stet__buf_put_u32le(out, p->offset);
    stet__buf_put_u32le(out, p->crc);
}

stet_piece stet__piece_get(const uint8_t *entry)
{
    return (stet_piece){
        .raw_offset = stet__get_u32le(entry),
        .offset = stet__get_u32le(entry + 4),
        .crc = stet__get_u32le(entry + 8),
    };
}

static uint32_t block_crc(uint64_t salt, uint32_t number, stet_slice bytes)
{
    uint8_t place[PLACE_BYTES];
    stet__put_u64le(place, salt);
    stet__put_u32le(place + 8, number);
    return stet__crc32c(stet__crc32c(0, place, sizeof place), bytes.ptr,
                        bytes.len);
}

/* Reading. */

stet_status stet__set_block_unpack(stet_zctx *z, const stet_set_block *block,
                                   stet_slice bytes, stet_buf *out,
                                   stet_error *err)
{
    if (block_crc(block->salt, block->number, bytes) != block->crc ||
        bytes.len > block->raw_bytes) {
        return stet__fail(err, STET_E_CORRUPT, 0, "checksum of block %" PRIu32,
                          block->number);
    }
    if (bytes.len < block->raw_bytes) {
        return stet__zstd_unpack(z, (stet_slice){NULL, 0}, bytes,
                                 block->raw_bytes, out, err);
    }
    uint8_t *room = stet__buf_extend(out, bytes.len);
    if (room == NULL) {
        out->is_failed = false;
        return stet__fail(err, STET_E_NOMEM, 0, "no memory for a block");
    }
    memcpy(room, bytes.ptr, bytes.len);
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
    *p = (stet_set_packer){.salt = salt};
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
    stet_status st =
        stet__zstd_pack(p->z, (stet_slice){NULL, 0}, raw, &p->packed, err);
    if (st != STET_OK) {
        return st;
    }
    if (p->packed.len - begin >= raw.len) {
        p->packed.len = begin;
        stet__buf_put_slice(&p->packed, raw);
    }
    stet_slice bytes =
        stet_slice_of(p->packed.ptr + begin, p->packed.len - begin);
    stet_piece piece = {p->raw_offset, p->offset,
                        block_crc(p->salt, p->number, bytes)};
    stet__piece_put(&piece, &p->pieces);
    p->raw_offset += (uint32_t)raw.len;
    p->offset += (uint32_t)bytes.len;
    p->number++;
    stet__buf_reset(&p->raw);
    return p->packed.is_failed || p->pieces.is_failed ? no_memory(err)
                                                      : STET_OK;
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
    stet_piece end = {p->raw_offset, p->offset, 0};
    stet__piece_put(&end, &p->pieces);
    return p->pieces.is_failed ? no_memory(err) : STET_OK;
}
