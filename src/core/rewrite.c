#include "core/rewrite.h"

#include <string.h>

#include "base/assert.h"
#include "base/checksum.h"
#include "base/error.h"

#define TAG_BIT(tag) (1u << (tag))
#define TAGS_OF_BASE                                                           \
    (TAG_BIT(STET_TAG_BASE_STATE) | TAG_BIT(STET_TAG_BASE_NAME) |              \
     TAG_BIT(STET_TAG_CREATED_AT) | TAG_BIT(STET_TAG_BASE_TYPE) |              \
     TAG_BIT(STET_TAG_BASE_VERSION) | TAG_BIT(STET_TAG_BASE_METADATA))

static stet_status put(const stet_record *r, stet_buf *out, stet_error *err)
{
    size_t begin = out->len;
    size_t head_max = STET_RECORD_HEAD_BYTES_MAX;
    size_t tail_max = stet__record_tail_bytes_max(r);
    uint8_t *room = stet__buf_extend(out, head_max + tail_max);
    if (room == NULL) {
        return stet__fail(err, STET_E_NOMEM, 0, "no memory for a record");
    }
    /* The tail first, since the head covers its checksum. */
    uint8_t *tail = room + head_max;
    size_t tail_bytes = stet__record_put_tail(r, tail);
    uint32_t crc = stet__crc32c(0, tail, tail_bytes);
    size_t head_bytes = stet__record_put_head(r, tail_bytes, crc, room);
    memmove(room + head_bytes, tail, tail_bytes);
    out->len = begin + head_bytes + tail_bytes;
    return STET_OK;
}

/* Take a record apart of which nothing is lost if it is put together again. */
static stet_status take_apart(stet_slice bytes, stet_record *out, stet_buf *buf,
                              stet_error *err)
{
    size_t begin = buf->len;
    size_t whole = 0;
    stet_status st = stet__record_parse(bytes, out, &whole, err);
    if (st == STET_OK) {
        st = put(out, buf, err);
    }
    if (st != STET_OK) {
        return st;
    }
    bool is_same = buf->len - begin == whole &&
                   memcmp(buf->ptr + begin, bytes.ptr, whole) == 0;
    buf->len = begin;
    return is_same ? STET_OK
                   : stet__fail(err, STET_E_FORMAT, 0,
                                "a record with parts that are not known");
}

static void set(stet_record *r, stet_record_tag tag, stet_slice *member,
                stet_slice value)
{
    *member = value;
    r->tags |= TAG_BIT(tag);
}

/* Restate what the event does not say itself. */
static void restate(stet_record *r, stet_record_tag own, stet_record_tag tag,
                    stet_slice *member, stet_slice value)
{
    if ((r->tags & TAG_BIT(own)) == 0 && value.len > 0) {
        set(r, tag, member, value);
    }
}

stet_status stet__rewrite_base(stet_slice record, const stet_base_parts *parts,
                               stet_buf *out, stet_error *err)
{
    stet_record r;
    stet_status st = take_apart(record, &r, out, err);
    if (st != STET_OK) {
        return st;
    }
    STET_ASSERT(stet__record_is_whole(&r));
    STET_ASSERT((r.flags & STET_RECORD_BASE) == 0);
    r.flags |= STET_RECORD_BASE;
    r.depth = 0;
    restate(&r, STET_TAG_TO, STET_TAG_BASE_NAME, &r.base_name, parts->name);
    restate(&r, STET_TAG_STATE_TYPE, STET_TAG_BASE_TYPE, &r.base_type,
            parts->type);
    restate(&r, STET_TAG_VERSION, STET_TAG_BASE_VERSION, &r.base_version,
            parts->version);
    restate(&r, STET_TAG_MACHINE_METADATA, STET_TAG_BASE_METADATA,
            &r.base_metadata, parts->metadata);
    r.created_at = parts->created_at;
    r.tags |= TAG_BIT(STET_TAG_CREATED_AT);
    if (r.form != STET_BODY_WHOLE && parts->state.len > 0) {
        set(&r, STET_TAG_BASE_STATE, &r.base_state, parts->state);
        r.base_raw_bytes = parts->state.len;
    }
    return put(&r, out, err);
}

stet_status stet__rewrite_dropped(stet_slice record, uint64_t behind,
                                  const uint8_t *chain, stet_buf *out,
                                  stet_error *err)
{
    stet_record r;
    stet_status st = take_apart(record, &r, out, err);
    if (st != STET_OK) {
        return st;
    }
    STET_ASSERT((chain != NULL) == (behind == 0));
    r.flags &= (uint8_t) ~(STET_RECORD_BASE | STET_RECORD_HAS_FROM |
                           STET_RECORD_PHASE_CHANGE);
    r.form = STET_BODY_NONE;
    r.is_packed = false;
    r.depth = behind;
    r.tags &= TAG_BIT(STET_TAG_KEY) | TAG_BIT(STET_TAG_PARENT);
    set(&r, STET_TAG_DROPPED, &r.chain_after,
        stet_slice_of(chain, chain == NULL ? 0 : STET_COMMITMENT_BYTES));
    r.body = (stet_slice){NULL, 0};
    return put(&r, out, err);
}

stet_status
stet__rewrite_erased(stet_slice record,
                     const uint8_t commitment[STET_COMMITMENT_BYTES],
                     stet_buf *out, stet_error *err)
{
    stet_record r;
    stet_status st = take_apart(record, &r, out, err);
    if (st != STET_OK) {
        return st;
    }
    r.flags &= (uint8_t)~STET_RECORD_BASE;
    r.tags &=
        ~(TAGS_OF_BASE | TAG_BIT(STET_TAG_CHECK) | TAG_BIT(STET_TAG_SALT));
    set(&r, STET_TAG_ERASED, &r.commitment,
        stet_slice_of(commitment, STET_COMMITMENT_BYTES));
    r.body = (stet_slice){NULL, 0};
    return put(&r, out, err);
}

stet_status stet__rewrite_salted(stet_slice record,
                                 const uint8_t salt[STET_SALT_BYTES],
                                 stet_buf *out, stet_error *err)
{
    stet_record r;
    stet_status st = take_apart(record, &r, out, err);
    if (st != STET_OK) {
        return st;
    }
    set(&r, STET_TAG_SALT, &r.salt, stet_slice_of(salt, STET_SALT_BYTES));
    return put(&r, out, err);
}
