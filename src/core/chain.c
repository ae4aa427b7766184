#include "core/chain.h"

#include "base/assert.h"
#include "base/error.h"

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

void stet__chain_reseed(stet_chain *c, const uint8_t seed[STET_CHAIN_BYTES],
                        stet_machine_key key)
{
    uint8_t bytes[STET_CHAIN_BYTES + 1 + STET_RECORD_ID_BYTES_MAX];
    STET_ASSERT(key.id.len <= STET_RECORD_ID_BYTES_MAX);
    memcpy(bytes, seed, STET_CHAIN_BYTES);
    bytes[STET_CHAIN_BYTES] = key.ns;
    memcpy(bytes + STET_CHAIN_BYTES + 1, key.id.ptr, key.id.len);
    stet__hasher_sha256(c->hasher, bytes, STET_CHAIN_BYTES + 1 + key.id.len,
                        c->seed);
}

void stet__chain_begin(stet_chain *c, const uint8_t seed[STET_CHAIN_BYTES],
                       stet_machine_key key)
{
    stet__chain_reseed(c, seed, key);
    memset(c->value, 0, sizeof c->value);
}

/* What a leaf needs of a record's encoding. */
typedef struct parts {
    stet_slice key; /* id with its length */
    uint64_t seq;
    stet_slice told; /* of the head, from the time on */
    stet_slice tail;
} parts;

/* What takes the place of something in a leaf; slices point into the record. */
typedef struct rest {
    stet_slice body;
    stet_slice commitment; /* the body was erased */
    stet_slice salt;
    stet_slice chain_after;
    bool is_dropped;
} rest;

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
    return tag == STET_TAG_CHECK || tag == STET_TAG_BASE_STATE ||
           tag == STET_TAG_BASE_NAME || tag == STET_TAG_CREATED_AT ||
           tag == STET_TAG_BASE_TYPE || tag == STET_TAG_BASE_VERSION ||
           tag == STET_TAG_BASE_METADATA || tag == STET_TAG_DROPPED ||
           tag == STET_TAG_ERASED || tag == STET_TAG_SALT;
}

/* What settling put into a record in place of something else. */
static void note_rest(uint64_t tag, stet_slice value, rest *out)
{
    switch (tag) {
    case STET_TAG_DROPPED:
        out->is_dropped = true;
        out->chain_after = value;
        break;
    case STET_TAG_ERASED:
        out->commitment = value;
        break;
    case STET_TAG_SALT:
        out->salt = value;
        break;
    default:
        break;
    }
}

/* Put the tags that count; tells the body behind them. */
static void put_tags(stet_slice tail, stet_buf *out, rest *left)
{
    stet_reader in = stet__reader_of(tail);
    const uint8_t *from = in.ptr;
    uint64_t code = 0;
    while ((code = stet__read_varint(&in)) != 0) {
        stet_slice value =
            stet__read_bytes(&in, (size_t)stet__read_varint(&in));
        if (is_left_out(code >> 1)) {
            note_rest(code >> 1, value, left);
        } else {
            stet__buf_put_slice(out, between(from, &in));
        }
        from = in.ptr;
    }
    STET_ASSERT(!in.is_bad);
    left->body = stet_slice_of(in.ptr, stet__read_left(&in));
}

static void draw_salt(const stet_chain *c, uint64_t seq,
                      uint8_t out[STET_SALT_BYTES])
{
    uint8_t bytes[STET_CHAIN_BYTES + 8];
    uint8_t hash[STET_CHAIN_BYTES];
    memcpy(bytes, c->seed, sizeof c->seed);
    stet__put_u64le(bytes + sizeof c->seed, seq);
    stet__hasher_sha256(c->hasher, bytes, sizeof bytes, hash);
    memcpy(out, hash, STET_SALT_BYTES);
}

/* H(salt, body), or what an erased event brings of it. */
static bool commit(stet_chain *c, uint64_t seq, const rest *left,
                   stet_leaf *out)
{
    size_t begin = c->scratch.len;
    *out = (stet_leaf){.body = left->body};
    out->is_erased = left->commitment.len > 0;
    if (out->is_erased) {
        memcpy(out->commitment, left->commitment.ptr, sizeof out->commitment);
        return true;
    }
    if (left->salt.len > 0) {
        memcpy(out->salt, left->salt.ptr, sizeof out->salt);
    } else {
        draw_salt(c, seq, out->salt);
    }
    stet__buf_put(&c->scratch, out->salt, sizeof out->salt);
    stet__buf_put_slice(&c->scratch, left->body);
    if (c->scratch.is_failed) {
        return false;
    }
    stet__hasher_sha256(c->hasher, c->scratch.ptr + begin,
                        c->scratch.len - begin, out->commitment);
    c->scratch.len = begin;
    return true;
}

bool stet__chain_step(stet_hasher *hasher, stet_buf *header,
                      const uint8_t commitment[STET_CHAIN_BYTES],
                      uint8_t value[STET_CHAIN_BYTES])
{
    uint8_t both[2 * STET_CHAIN_BYTES];
    stet__buf_put(header, commitment, STET_CHAIN_BYTES);
    if (header->is_failed) {
        return false;
    }
    memcpy(both, value, STET_CHAIN_BYTES);
    stet__hasher_sha256(hasher, header->ptr, header->len,
                        both + STET_CHAIN_BYTES);
    stet__hasher_sha256(hasher, both, sizeof both, value);
    return true;
}

/* The scratch holds the header. */
static stet_status add_leaf(stet_chain *c, uint64_t seq, const rest *left,
                            stet_leaf *out, stet_error *err)
{
    size_t header_bytes = c->scratch.len;
    if (!commit(c, seq, left, out) ||
        !stet__chain_step(c->hasher, &c->scratch, out->commitment, c->value)) {
        return no_memory(err);
    }
    out->header = stet_slice_of(c->scratch.ptr, header_bytes);
    return STET_OK;
}

stet_status stet__chain_add_leaf(stet_chain *c, const stet_set_record *r,
                                 stet_leaf *out, stet_error *err)
{
    uint8_t fixed[4];
    rest left = {0};
    parts p = take_apart(r->bytes, fixed);
    fixed[1] = (uint8_t)(fixed[1] & ~STET_RECORD_BASE);
    stet__buf_reset(&c->scratch);
    stet__buf_put(&c->scratch, fixed, sizeof fixed);
    stet__buf_put_slice(&c->scratch, p.key);
    stet__buf_put_varint(&c->scratch, p.seq);
    stet__buf_put_u64le(&c->scratch, r->position);
    stet__buf_put_u64le(&c->scratch, (uint64_t)r->recorded);
    stet__buf_put_slice(&c->scratch, p.told);
    put_tags(p.tail, &c->scratch, &left);
    if (!left.is_dropped) {
        return add_leaf(c, p.seq, &left, out, err);
    }
    *out = (stet_leaf){.is_dropped = true};
    if (left.chain_after.len > 0) {
        memcpy(c->value, left.chain_after.ptr, sizeof c->value);
    }
    return STET_OK;
}

stet_status stet__chain_add(stet_chain *c, stet_slice record, uint64_t position,
                            int64_t recorded, stet_error *err)
{
    stet_set_record r = {
        .bytes = record, .position = position, .recorded = recorded};
    return stet__chain_add_leaf(c, &r, &(stet_leaf){.is_dropped = false}, err);
}
