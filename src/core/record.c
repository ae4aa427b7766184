#include "core/record.h"

#include <inttypes.h>
#include <stddef.h>

#include "base/assert.h"
#include "base/checksum.h"
#include "base/error.h"

/* The byte `form`; its other bits are not in use. */
enum { FORM_MASK = 0x0f, FORM_PACKED = 0x10 };

enum {
    CRC_BYTES = 4,
    KEY_HASH_BYTES = 16,
    /* Of a tag's value, what comes before its bytes of any length. */
    TAG_START_BYTES_MAX = KEY_HASH_BYTES + 8,
    /* Of a tag, all but its bytes of any length: code, length, start. */
    TAG_BYTES_MAX = 2 * STET_VARINT_BYTES_MAX + TAG_START_BYTES_MAX,
};

#define TAG_BIT(tag) (1u << (tag))
#define TAGS_KNOWN                                                             \
    ((TAG_BIT(STET_TAG_LAST + 1) - TAG_BIT(STET_TAG_CHECK)) &                  \
     ~(TAG_BIT(17) | TAG_BIT(18) | TAG_BIT(24)))

/* What a dropped event may still have. */
#define TAGS_OF_STUB                                                           \
    (TAG_BIT(STET_TAG_KEY) | TAG_BIT(STET_TAG_PARENT) |                        \
     TAG_BIT(STET_TAG_DROPPED))

/* Where a tag's bytes of any length go; 0: it has none. */
static const size_t slice_at[STET_TAG_LAST + 1] = {
    [STET_TAG_EVENT_ID] = offsetof(stet_record, event_id),
    [STET_TAG_METADATA] = offsetof(stet_record, metadata),
    [STET_TAG_STATE_TYPE] = offsetof(stet_record, state_type),
    [STET_TAG_VERSION] = offsetof(stet_record, version),
    [STET_TAG_TO] = offsetof(stet_record, to),
    [STET_TAG_ACTION] = offsetof(stet_record, action),
    [STET_TAG_ACTOR] = offsetof(stet_record, actor),
    [STET_TAG_CORRELATION] = offsetof(stet_record, correlation),
    [STET_TAG_CAUSATION] = offsetof(stet_record, causation),
    [STET_TAG_ERROR] = offsetof(stet_record, error),
    [STET_TAG_REDUCER] = offsetof(stet_record, reducer_name),
    [STET_TAG_BASE_STATE] = offsetof(stet_record, base_state),
    [STET_TAG_BASE_NAME] = offsetof(stet_record, base_name),
    [STET_TAG_MACHINE_METADATA] = offsetof(stet_record, machine_metadata),
    [STET_TAG_PARENT] = offsetof(stet_record, parent_id),
    [STET_TAG_BASE_TYPE] = offsetof(stet_record, base_type),
    [STET_TAG_BASE_VERSION] = offsetof(stet_record, base_version),
    [STET_TAG_BASE_METADATA] = offsetof(stet_record, base_metadata),
    [STET_TAG_DROPPED] = offsetof(stet_record, chain_after),
    [STET_TAG_ERASED] = offsetof(stet_record, commitment),
    [STET_TAG_SALT] = offsetof(stet_record, salt),
};

/* A known tag as it is written. */
static unsigned code_of(unsigned tag)
{
    return tag * 2 + (STET_TAGS_CRITICAL >> tag & 1);
}

/* Writing. */

/* Write what a tag's value starts with; returns the end. */
static uint8_t *put_tag_start(const stet_record *r, unsigned tag, uint8_t *p)
{
    switch (tag) {
    case STET_TAG_CHECK:
        stet__put_u64le(p, r->check);
        return p + 8;
    case STET_TAG_RAW_BYTES:
        return stet__put_varint(p, r->raw_bytes);
    case STET_TAG_KEY:
        memcpy(p, r->key, KEY_HASH_BYTES);
        stet__put_u64le(p + KEY_HASH_BYTES, r->key_check);
        return p + KEY_HASH_BYTES + 8;
    case STET_TAG_TYPE:
        *p = (uint8_t)r->type;
        return p + 1;
    case STET_TAG_DURATION:
        return stet__put_varint(p, r->duration_ns);
    case STET_TAG_REDUCER:
        return stet__put_varint(p, r->reducer_version);
    case STET_TAG_BASE_STATE:
        *p = r->is_base_packed ? 1 : 0;
        return stet__put_varint(p + 1, r->base_raw_bytes);
    case STET_TAG_CREATED_AT:
        stet__put_u64le(p, (uint64_t)r->created_at);
        return p + 8;
    case STET_TAG_PARENT:
        p = stet__put_varint(p, r->parent_seq);
        *p = r->parent_ns;
        return p + 1;
    default:
        return p;
    }
}

/* What a tag has after its start. */
static stet_slice rest_of_tag(const stet_record *r, unsigned tag)
{
    stet_slice rest = {0};
    if (slice_at[tag] != 0) {
        memcpy(&rest, (const char *)r + slice_at[tag], sizeof rest);
    }
    return rest;
}

static uint8_t *put_raw(uint8_t *p, const void *bytes, size_t len)
{
    if (len > 0) {
        memcpy(p, bytes, len);
    }
    return p + len;
}

static uint8_t *put_tag(const stet_record *r, unsigned tag, uint8_t *p)
{
    uint8_t start[TAG_START_BYTES_MAX];
    size_t start_bytes = (size_t)(put_tag_start(r, tag, start) - start);
    stet_slice rest = rest_of_tag(r, tag);
    p = stet__put_varint(p, code_of(tag));
    p = stet__put_varint(p, start_bytes + rest.len);
    p = put_raw(p, start, start_bytes);
    return put_raw(p, rest.ptr, rest.len);
}

size_t stet__record_tail_bytes_max(const stet_record *r)
{
    size_t bytes = 1 + r->body.len;
    for (uint32_t left = r->tags; left != 0; left &= left - 1) {
        bytes +=
            TAG_BYTES_MAX + rest_of_tag(r, (unsigned)__builtin_ctz(left)).len;
    }
    return bytes;
}

size_t stet__record_put_tail(const stet_record *r, uint8_t *out)
{
    STET_ASSERT((r->tags & ~TAGS_KNOWN) == 0);
    uint8_t *p = out;
    for (uint32_t left = r->tags; left != 0; left &= left - 1) {
        p = put_tag(r, (unsigned)__builtin_ctz(left), p);
    }
    *p++ = 0;
    return (size_t)(put_raw(p, r->body.ptr, r->body.len) - out);
}

/* Bytes of the head behind `length`. */
static size_t head_rest_bytes(const stet_record *r)
{
    size_t bytes = 4 + stet__varint_bytes(r->id.len) + r->id.len +
                   stet__varint_bytes(r->seq) + stet__varint_bytes(r->back) +
                   stet__varint_bytes(r->depth) +
                   stet__varint_bytes(stet__zigzag(r->occurred_delta));
    if ((r->flags & STET_RECORD_HAS_OCCURRED_MAX) != 0) {
        bytes += stet__varint_bytes(r->occurred_max_over);
    }
    if ((r->flags & STET_RECORD_HAS_FROM) != 0) {
        bytes += stet__varint_bytes(r->from.len) + r->from.len;
    }
    return bytes;
}

size_t stet__record_head_bytes(const stet_record *r, size_t tail_bytes)
{
    size_t rest = head_rest_bytes(r);
    return CRC_BYTES + stet__varint_bytes(rest + tail_bytes) + rest;
}

static uint8_t *put_bytes(uint8_t *p, stet_slice s)
{
    p = stet__put_varint(p, s.len);
    memcpy(p, s.ptr, s.len);
    return p + s.len;
}

size_t stet__record_put_head(const stet_record *r, size_t tail_bytes,
                             uint32_t tail_crc, uint8_t *out)
{
    STET_ASSERT(r->id.len - 1 < STET_RECORD_ID_BYTES_MAX);
    STET_ASSERT((r->flags & ~STET_RECORD_FLAGS_KNOWN) == 0);
    uint8_t *p = out + CRC_BYTES;
    p = stet__put_varint(p, head_rest_bytes(r) + tail_bytes);
    *p++ = (uint8_t)r->kind;
    *p++ = r->flags;
    *p++ = (uint8_t)(r->form | (r->is_packed ? FORM_PACKED : 0));
    *p++ = r->ns;
    p = put_bytes(p, r->id);
    p = stet__put_varint(p, r->seq);
    p = stet__put_varint(p, r->back);
    p = stet__put_varint(p, r->depth);
    p = stet__put_varint(p, stet__zigzag(r->occurred_delta));
    if ((r->flags & STET_RECORD_HAS_OCCURRED_MAX) != 0) {
        STET_ASSERT(r->occurred_max_over > 0);
        p = stet__put_varint(p, r->occurred_max_over);
    }
    if ((r->flags & STET_RECORD_HAS_FROM) != 0) {
        STET_ASSERT(r->from.len - 1 < STET_NAME_BYTES_MAX);
        p = put_bytes(p, r->from);
    }
    uint8_t *covered = out + CRC_BYTES;
    stet__put_u32le(out,
                    stet__crc32c(tail_crc, covered, (size_t)(p - covered)));
    return (size_t)(p - out);
}

/* Reading. */

/* A record's parts, found before anything in it is believed. */
typedef struct record_parts {
    uint32_t crc;
    size_t bytes;           /* of the whole record */
    const uint8_t *covered; /* where `length` begins */
    stet_reader rest;       /* behind it: head and tail, then the tail alone */
} record_parts;

static inline bool find_end(stet_slice bytes, record_parts *out)
{
    stet_reader in = stet__reader_of(bytes);
    uint32_t crc = stet__read_u32le(&in);
    const uint8_t *covered = in.ptr;
    uint64_t length = stet__read_varint(&in);
    if (in.is_bad || length > stet__read_left(&in)) {
        return false;
    }
    out->crc = crc;
    out->covered = covered;
    out->rest.ptr = in.ptr;
    out->rest.end = in.ptr + length;
    out->rest.is_bad = false;
    out->bytes = CRC_BYTES + (size_t)(out->rest.end - covered);
    return true;
}

bool stet__record_peek(stet_slice bytes, uint32_t *out_crc, size_t *out_bytes)
{
    record_parts parts;
    if (!find_end(bytes, &parts)) {
        return false;
    }
    *out_crc = parts.crc;
    *out_bytes = parts.bytes;
    return true;
}

/* Lend the bytes behind a length. */
static inline stet_slice read_sized(stet_reader *in)
{
    uint64_t len = stet__read_varint(in);
    /* Here, since a small size_t would cut it. */
    if (len > stet__read_left(in)) {
        in->is_bad = true;
        return (stet_slice){0};
    }
    stet_slice s = stet_slice_of(in->ptr, (size_t)len);
    in->ptr += len;
    return s;
}

/*
 * Read the head from `kind` on, whatever kind, flags and form it names: where
 * it ends must be known before the checksum can be compared.
 */
static inline void read_head(stet_reader *in, stet_record *out)
{
    out->kind = (stet_event_kind)stet__read_u8(in);
    out->flags = stet__read_u8(in);
    uint8_t form = stet__read_u8(in);
    out->form = (stet_body_form)(form & ~FORM_PACKED);
    out->is_packed = (form & FORM_PACKED) != 0;
    out->ns = stet__read_u8(in);
    out->id = read_sized(in);
    in->is_bad = in->is_bad || out->id.len - 1 >= STET_RECORD_ID_BYTES_MAX;
    out->seq = stet__read_varint(in);
    out->back = stet__read_varint(in);
    out->depth = stet__read_varint(in);
    out->occurred_delta = stet__read_signed(in);
    if ((out->flags & STET_RECORD_HAS_OCCURRED_MAX) != 0) {
        out->occurred_max_over = stet__read_varint(in);
        in->is_bad = in->is_bad || out->occurred_max_over == 0;
    }
    if ((out->flags & STET_RECORD_HAS_FROM) != 0) {
        out->from = read_sized(in);
        in->is_bad = in->is_bad || out->from.len - 1 >= STET_NAME_BYTES_MAX;
    }
}

bool stet__record_peek_link(stet_slice bytes, stet_record_link *out)
{
    record_parts parts;
    if (!find_end(bytes, &parts)) {
        return false;
    }
    stet_reader *in = &parts.rest;
    (void)stet__read_over(in, 4); /* kind, flags, form, namespace */
    (void)read_sized(in);         /* id */
    out->seq = stet__read_varint(in);
    out->back = stet__read_varint(in);
    return !in->is_bad;
}

static bool take_apart(stet_slice bytes, stet_record *out, record_parts *parts)
{
    if (!find_end(bytes, parts)) {
        return false;
    }
    *out = (stet_record){0};
    stet_reader in = parts->rest;
    read_head(&in, out);
    parts->rest.ptr = in.ptr;
    return !in.is_bad;
}

static bool has_right_crc(const record_parts *parts)
{
    const stet_reader *tail = &parts->rest;
    uint32_t crc = stet__crc32c(0, tail->ptr, stet__read_left(tail));
    crc =
        stet__crc32c(crc, parts->covered, (size_t)(tail->ptr - parts->covered));
    return crc == parts->crc;
}

bool stet__record_is_sound(stet_slice bytes, size_t *out_bytes)
{
    stet_record record;
    record_parts parts;
    if (!take_apart(bytes, &record, &parts) || !has_right_crc(&parts)) {
        return false;
    }
    *out_bytes = parts.bytes;
    return true;
}

/* Read what a tag's value starts with. */
static void read_tag_start(stet_reader *in, unsigned tag, stet_record *out)
{
    switch (tag) {
    case STET_TAG_CHECK:
        out->check = stet__read_u64le(in);
        break;
    case STET_TAG_RAW_BYTES:
        out->raw_bytes = stet__read_varint(in);
        break;
    case STET_TAG_KEY: {
        stet_slice hash = stet__read_bytes(in, KEY_HASH_BYTES);
        if (hash.len > 0) {
            memcpy(out->key, hash.ptr, KEY_HASH_BYTES);
        }
        out->key_check = stet__read_u64le(in);
        break;
    }
    case STET_TAG_TYPE:
        out->type = (stet_transition_type)stet__read_u8(in);
        break;
    case STET_TAG_DURATION:
        out->duration_ns = stet__read_varint(in);
        break;
    case STET_TAG_REDUCER: {
        uint64_t version = stet__read_varint(in);
        in->is_bad = in->is_bad || version > UINT32_MAX;
        out->reducer_version = (uint32_t)version;
        break;
    }
    case STET_TAG_BASE_STATE: {
        uint8_t is_packed = stet__read_u8(in);
        in->is_bad = in->is_bad || is_packed > 1;
        out->is_base_packed = is_packed == 1;
        out->base_raw_bytes = stet__read_varint(in);
        break;
    }
    case STET_TAG_CREATED_AT:
        out->created_at = (int64_t)stet__read_u64le(in);
        break;
    case STET_TAG_PARENT:
        out->parent_seq = stet__read_varint(in);
        out->parent_ns = stet__read_u8(in);
        break;
    default:
        break;
    }
}

/* Read a known tag's value; false when it is not exactly that. */
static bool read_tag(stet_reader in, unsigned tag, stet_record *out)
{
    read_tag_start(&in, tag, out);
    if (slice_at[tag] != 0) {
        stet_slice rest = stet__read_bytes(&in, stet__read_left(&in));
        memcpy((char *)out + slice_at[tag], &rest, sizeof rest);
    }
    out->tags |= TAG_BIT(tag);
    return !in.is_bad && stet__read_left(&in) == 0;
}

/* Take one tag, whose code was read; unknown ones are skipped or refused. */
static stet_status take_tag(stet_reader *in, uint64_t code, stet_record *out,
                            stet_error *err)
{
    uint64_t tag = code / 2;
    stet_reader value = stet__reader_of(read_sized(in));
    if (in->is_bad) {
        return stet__fail(err, STET_E_CORRUPT, 0, "record ends within tags");
    }
    if (tag > STET_TAG_LAST || (TAGS_KNOWN & TAG_BIT(tag)) == 0) {
        return code % 2 == 0
                   ? STET_OK
                   : stet__fail(err, STET_E_FORMAT, 0,
                                "record with critical tag %" PRIu64, tag);
    }
    if (code != code_of((unsigned)tag) ||
        !read_tag(value, (unsigned)tag, out)) {
        return stet__fail(err, STET_E_CORRUPT, 0, "tag %" PRIu64 " of a record",
                          tag);
    }
    return STET_OK;
}

static stet_status read_tail(stet_reader *in, stet_record *out, stet_error *err)
{
    uint64_t last = 0;
    uint64_t code = 0;
    while ((code = stet__read_varint(in)) != 0) {
        if (code / 2 <= last) {
            return stet__fail(err, STET_E_CORRUPT, 0,
                              "order of tags in a record");
        }
        last = code / 2;
        stet_status st = take_tag(in, code, out, err);
        if (st != STET_OK) {
            return st;
        }
    }
    if (in->is_bad) {
        return stet__fail(err, STET_E_CORRUPT, 0, "record ends within tags");
    }
    out->body = stet__read_bytes(in, stet__read_left(in));
    return STET_OK;
}

static bool has(const stet_record *r, stet_record_tag tag)
{
    return (r->tags & TAG_BIT(tag)) != 0;
}

static stet_status check_known(const stet_record *r, stet_error *err)
{
    if ((r->flags & ~STET_RECORD_FLAGS_KNOWN) != 0) {
        return stet__fail(err, STET_E_FORMAT, 0, "record with flags 0x%x",
                          r->flags);
    }
    if (r->kind < STET_EVENT_CREATED || r->kind > STET_EVENT_DELETED) {
        return stet__fail(err, STET_E_FORMAT, 0, "record of kind %u", r->kind);
    }
    if (r->form < STET_BODY_NONE || r->form > STET_BODY_CUSTOM) {
        return stet__fail(err, STET_E_FORMAT, 0, "record with body form %u",
                          r->form);
    }
    if (r->is_packed && r->form != STET_BODY_WHOLE &&
        r->form != STET_BODY_DELTA) {
        return stet__fail(err, STET_E_FORMAT, 0,
                          "record with a packed body of form %u", r->form);
    }
    return STET_OK;
}

static stet_status check_type(const stet_record *r, stet_error *err)
{
    if (has(r, STET_TAG_TYPE) && (r->type < STET_TYPE_USER_ACTION ||
                                  r->type > STET_TYPE_ADMIN_OVERRIDE)) {
        return stet__fail(err, STET_E_FORMAT, 0, "record of transition type %u",
                          r->type);
    }
    return STET_OK;
}

/* The same of one of which settling took something. */
static const char *contradiction_of_rest(const stet_record *r)
{
    if ((r->flags & STET_RECORD_BASE) != 0 || r->body.len > 0) {
        return "a state that was taken from it";
    }
    if (stet__record_is_dropped(r) && (r->tags & ~TAGS_OF_STUB) != 0) {
        return "more than is left of a dropped one";
    }
    if (stet__record_is_dropped(r) && r->depth >= UINT64_MAX - r->seq) {
        return "more dropped behind it than there are seqs";
    }
    if (r->chain_after.len != 0 &&
        r->chain_after.len != STET_COMMITMENT_BYTES) {
        return "a chain's value that cannot be";
    }
    if (stet__record_is_erased(r) &&
        r->commitment.len != STET_COMMITMENT_BYTES) {
        return "a commitment that cannot be";
    }
    return NULL;
}

/* What a record claims that cannot be, or NULL. */
static const char *contradiction(const stet_record *r)
{
    bool is_base = (r->flags & STET_RECORD_BASE) != 0;
    if (r->seq == 0) {
        return "seq 0";
    }
    if (is_base && r->depth != 0) {
        return "a depth in a base";
    }
    if (has(r, STET_TAG_BASE_STATE) && !is_base) {
        return "a base's state but no base";
    }
    if (has(r, STET_TAG_BASE_STATE) && !r->is_base_packed &&
        r->base_raw_bytes != r->base_state.len) {
        return "a base of another size than it says";
    }
    if (r->to.len > STET_NAME_BYTES_MAX ||
        r->action.len > STET_NAME_BYTES_MAX ||
        r->base_name.len > STET_NAME_BYTES_MAX) {
        return "a name that is too long";
    }
    if (r->is_packed != has(r, STET_TAG_RAW_BYTES)) {
        return "a size unpacked that does not fit its form";
    }
    if (r->form == STET_BODY_DELTA && !r->is_packed) {
        return "an unpacked delta";
    }
    if (has(r, STET_TAG_PARENT) &&
        (r->parent_seq == 0 ||
         r->parent_id.len - 1 >= STET_RECORD_ID_BYTES_MAX)) {
        return "a parent that cannot be";
    }
    if (has(r, STET_TAG_SALT) && r->salt.len != STET_SALT_BYTES) {
        return "a salt that cannot be";
    }
    return stet__record_is_whole(r) ? NULL : contradiction_of_rest(r);
}

static stet_status parse(record_parts *parts, stet_record *out,
                         size_t *out_bytes, stet_error *err)
{
    /* Another version's head may have ended elsewhere: judge it first. */
    stet_status st = check_known(out, err);
    if (st == STET_OK) {
        st = read_tail(&parts->rest, out, err);
    }
    if (st == STET_OK) {
        st = check_type(out, err);
    }
    if (st != STET_OK) {
        return st;
    }
    const char *what = contradiction(out);
    if (what != NULL) {
        return stet__fail(err, STET_E_CORRUPT, 0, "record with %s", what);
    }
    *out_bytes = parts->bytes;
    return STET_OK;
}

stet_status stet__record_parse(stet_slice bytes, stet_record *out,
                               size_t *out_bytes, stet_error *err)
{
    record_parts parts;
    if (!take_apart(bytes, out, &parts)) {
        return stet__fail(err, STET_E_CORRUPT, 0, "head of a record");
    }
    return parse(&parts, out, out_bytes, err);
}

stet_status stet__record_decode(stet_slice bytes, stet_record *out,
                                size_t *out_bytes, stet_error *err)
{
    record_parts parts;
    if (!take_apart(bytes, out, &parts)) {
        return stet__fail(err, STET_E_CORRUPT, 0, "head of a record");
    }
    if (!has_right_crc(&parts)) {
        return stet__fail(err, STET_E_CORRUPT, 0, "checksum of a record");
    }
    return parse(&parts, out, out_bytes, err);
}

uint64_t stet__record_state_bytes(const stet_record *r)
{
    if (!stet__record_is_whole(r)) {
        return 0;
    }
    if (r->form == STET_BODY_WHOLE || r->form == STET_BODY_DELTA) {
        return r->is_packed ? r->raw_bytes : r->body.len;
    }
    return has(r, STET_TAG_BASE_STATE) ? r->base_raw_bytes : 0;
}

bool stet__record_says_name(const stet_record *r, stet_slice *out)
{
    if (has(r, STET_TAG_TO)) {
        *out = r->to;
        return true;
    }
    if ((r->flags & STET_RECORD_BASE) != 0) {
        *out = r->base_name; /* empty: it has none */
        return true;
    }
    return false;
}
