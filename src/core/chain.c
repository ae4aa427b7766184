#include "core/chain.h"

#include "base/assert.h"
#include "base/error.h"

enum { SALT_BYTES = 16 };

static stet_status no_memory(stet_error *err)
{
    return stet__fail(err, STET_E_NOMEM, 0, "no memory for a hash chain");
}

stet_status stet__chain_init(stet_chain *c, const stet_allocator *alloc,
                             stet_error *err)
{
    memset(c->value, 0, sizeof c->value);
    memset(c->seed, 0, sizeof c->seed);
    stet__buf_init(&c->scratch, alloc);
    c->hasher = stet__hasher_create();
    return c->hasher != NULL ? STET_OK : no_memory(err);
}

void stet__chain_deinit(stet_chain *c)
{
    stet__buf_deinit(&c->scratch);
    stet__hasher_destroy(c->hasher);
}

void stet__chain_begin(stet_chain *c, const uint8_t seed[STET_CHAIN_BYTES],
                       stet_machine_key key)
{
    uint8_t bytes[STET_CHAIN_BYTES + 1 + STET_RECORD_ID_BYTES_MAX];
    STET_ASSERT(key.id.len <= STET_RECORD_ID_BYTES_MAX);
    memcpy(bytes, seed, STET_CHAIN_BYTES);
    bytes[STET_CHAIN_BYTES] = key.ns;
    memcpy(bytes + STET_CHAIN_BYTES + 1, key.id.ptr, key.id.len);
    stet__hasher_sha256(c->hasher, bytes, STET_CHAIN_BYTES + 1 + key.id.len,
                        c->seed);
    memset(c->value, 0, sizeof c->value);
}

/* What a leaf needs of a record's encoding. */
typedef struct parts {
    stet_slice key; /* id with its length */
    uint64_t seq;
    stet_slice told; /* of the head, from the time on */
    stet_slice tail;
} parts;

static stet_slice between(const uint8_t *from, const stet_reader *in)
{
    return stet_slice_of(from, (size_t)(in->ptr - from));
}

static parts take_apart(stet_slice record, uint8_t fixed[4])
{
    stet_reader in = stet__reader_of(record);
    parts p = {0};
    (void)stet__read_u32le(&in); /* its checksum */
    (void)stet__read_varint(&in);
    stet_slice four = stet__read_bytes(&in, 4); /* kind to namespace */
    STET_ASSERT(!in.is_bad);
    memcpy(fixed, four.ptr, 4);
    const uint8_t *key = in.ptr;
    (void)stet__read_bytes(&in, (size_t)stet__read_varint(&in));
    p.key = between(key, &in);
    p.seq = stet__read_varint(&in);
    (void)stet__read_varint(&in); /* back */
    (void)stet__read_varint(&in); /* depth */
    const uint8_t *told = in.ptr;
    (void)stet__read_signed(&in);
    if ((fixed[1] & STET_RECORD_HAS_OCCURRED_MAX) != 0) {
        (void)stet__read_varint(&in);
    }
    if ((fixed[1] & STET_RECORD_HAS_FROM) != 0) {
        (void)stet__read_bytes(&in, (size_t)stet__read_varint(&in));
    }
    p.told = between(told, &in);
    p.tail = stet_slice_of(in.ptr, stet__read_left(&in));
    STET_ASSERT(!in.is_bad); /* the record is sound */
    return p;
}

/*
 * What a base has besides goes and comes with it. A state's check follows from
 * the bodies, and goes with them.
 */
static bool is_left_out(uint64_t tag)
{
    return tag == STET_TAG_CHECK || tag == STET_TAG_BASE_STATE || tag == STET_TAG_BASE_NAME ||
           tag == STET_TAG_CREATED_AT || tag == STET_TAG_BASE_TYPE ||
           tag == STET_TAG_BASE_VERSION || tag == STET_TAG_BASE_METADATA ||
           tag == STET_TAG_ERASED || tag == STET_TAG_SALT;
}

/* Put the tags that count; answers the body behind them. */
static stet_slice put_tags(stet_slice tail, stet_buf *out)
{
    stet_reader in = stet__reader_of(tail);
    const uint8_t *from = in.ptr;
    uint64_t code = 0;
    while ((code = stet__read_varint(&in)) != 0) {
        (void)stet__read_bytes(&in, (size_t)stet__read_varint(&in));
        if (!is_left_out(code >> 1)) {
            stet__buf_put_slice(out, between(from, &in));
        }
        from = in.ptr;
    }
    STET_ASSERT(!in.is_bad);
    return stet_slice_of(in.ptr, stet__read_left(&in));
}

/* H(salt, body), the salt being of this seq. */
static bool put_commitment(stet_chain *c, uint64_t seq, stet_slice body)
{
    uint8_t bytes[STET_CHAIN_BYTES + 8];
    uint8_t hash[STET_CHAIN_BYTES];
    size_t begin = c->scratch.len;
    memcpy(bytes, c->seed, sizeof c->seed);
    stet__put_u64le(bytes + sizeof c->seed, seq);
    stet__hasher_sha256(c->hasher, bytes, sizeof bytes, hash);
    stet__buf_put(&c->scratch, hash, SALT_BYTES);
    stet__buf_put_slice(&c->scratch, body);
    if (c->scratch.is_failed) {
        return false;
    }
    stet__hasher_sha256(c->hasher, c->scratch.ptr + begin,
                        c->scratch.len - begin, hash);
    c->scratch.len = begin;
    stet__buf_put(&c->scratch, hash, sizeof hash);
    return !c->scratch.is_failed;
}

stet_status stet__chain_add(stet_chain *c, stet_slice record, uint64_t position,
                            int64_t recorded, stet_error *err)
{
    uint8_t fixed[4];
    parts p = take_apart(record, fixed);
    fixed[1] = (uint8_t)(fixed[1] & ~STET_RECORD_BASE);
    stet__buf_reset(&c->scratch);
    stet__buf_put(&c->scratch, fixed, sizeof fixed);
    stet__buf_put_slice(&c->scratch, p.key);
    stet__buf_put_varint(&c->scratch, p.seq);
    stet__buf_put_u64le(&c->scratch, position);
    stet__buf_put_u64le(&c->scratch, (uint64_t)recorded);
    stet__buf_put_slice(&c->scratch, p.told);
    stet_slice body = put_tags(p.tail, &c->scratch);
    if (!put_commitment(c, p.seq, body)) {
        return no_memory(err);
    }
    uint8_t both[2 * STET_CHAIN_BYTES];
    memcpy(both, c->value, sizeof c->value);
    stet__hasher_sha256(c->hasher, c->scratch.ptr, c->scratch.len,
                        both + sizeof c->value);
    stet__hasher_sha256(c->hasher, both, sizeof both, c->value);
    return STET_OK;
}
