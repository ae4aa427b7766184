/*
 * Record: one event as the log keeps it. docs/FORMAT.md, section "Record".
 *
 *   u32     crc      CRC32C over the tail, then over everything from `length`
 *                    to the end of the head
 *   varint  length   bytes that follow this field: head and tail
 *   head    what is known only when the event is sequenced
 *     u8      kind         stet_event_kind
 *     u8      flags        stet_record_flags
 *     u8      form         low four bits stet_body_form; 0x10: body is packed,
 *                          which a delta always and a whole one may be
 *     u8      namespace
 *     varint  id length, id
 *     varint  seq
 *     varint  back         position minus the lineage's previous one; 0: none
 *     varint  depth        records since the last base; 0 in a base
 *     signed  occurred minus the frame's recorded
 *     varint  [HAS_OCCURRED_MAX] the lineage's occurred maximum minus occurred
 *     varint  [HAS_FROM] length of the name it came from, then the name
 *   tail    what the writer prepares without a lock
 *     tags    varint number * 2 + critical, varint length, bytes; each at most
 *             once, in rising order; then one byte 0
 *     body    the rest
 *
 * The order of the checksum lets a writer run it over a large body outside the
 * lock. An unknown tag is skipped, or refused when it is critical. A value that
 * is not given has no flag and no tag; RAW_BYTES is there where the body is
 * packed, and only there; a key is in the first record of its batch.
 *
 * A *base* (flag BASE) carries its whole resulting state: as its body when the
 * form is whole, else in tag BASE_STATE; without either the state is empty. It
 * restates name, type, version, metadata and creation time, so that a fold
 * needs nothing before it: in tags of their own, so that what the event itself
 * said stays apart, and a record may become a base later. A deleted event is a
 * base of nothing.
 *
 * Of an event that retention *dropped* its record stays as a *stub*: who, when
 * and where in the lineage, its key, no more. An *erased* one stays but for its
 * body. Neither can be folded.
 */
#ifndef STET_CORE_RECORD_H
#define STET_CORE_RECORD_H

#include <stdbool.h>
#include <stdint.h>

#include <stet/status.h>
#include <stet/types.h>

#include "base/buf.h"
#include "base/bytes.h"

enum {
    STET_COMMITMENT_BYTES = 32, /* as long as a chain's value */
    STET_SALT_BYTES = 16,
    /* Ids of namespace 255 join a name to a user's id. */
    STET_RECORD_ID_BYTES_MAX = 2 * 255 + 8,
    STET_RECORD_HEAD_BYTES_MAX = 4 + 10 + 4 + (2 + STET_RECORD_ID_BYTES_MAX) +
                                 5 * 10 + (2 + STET_NAME_BYTES_MAX),
    /* An id of one byte and nothing else. */
    STET_RECORD_BYTES_MIN = 16,
    STET_STORE_NAMESPACE = 255,
    /* Begins the id of its machine of events of which nobody knows whose. */
    STET_NOBODYS_ID = 'l',
};

typedef enum stet_record_flags {
    STET_RECORD_BASE = 1 << 0,
    STET_RECORD_PHASE_CHANGE = 1 << 1,
    STET_RECORD_HAS_OCCURRED_MAX = 1 << 2,
    STET_RECORD_HAS_FROM = 1 << 3,
    STET_RECORD_BATCH_FIRST = 1 << 4,
    STET_RECORD_BATCH_LAST = 1 << 5,
    STET_RECORD_FLAGS_KNOWN = (1 << 6) - 1,
} stet_record_flags;

typedef enum stet_body_form {
    STET_BODY_NONE = 1,   /* the state stays; bytes, if any, are a payload */
    STET_BODY_WHOLE = 2,  /* the state */
    STET_BODY_DELTA = 3,  /* zstd with the state at seq-1 as prefix; packed */
    STET_BODY_MERGE = 4,  /* RFC 7386 */
    STET_BODY_ASSIGN = 5, /* top-level members replace */
    STET_BODY_PATCH = 6,  /* RFC 6902 */
    STET_BODY_CUSTOM = 7, /* input of the named reducer */
} stet_body_form;

/* Tag numbers. 17, 18 and 24 are reserved for expiry, timers, encryption. */
typedef enum stet_record_tag {
    STET_TAG_CHECK = 1,     /* u64: XXH3-64 of the resulting state */
    STET_TAG_RAW_BYTES = 2, /* varint: the packed body's size unpacked */
    STET_TAG_KEY = 3,       /* 16 bytes hash of the key, u64 content check */
    STET_TAG_EVENT_ID = 4,
    STET_TAG_METADATA = 5, /* the event's */
    STET_TAG_STATE_TYPE = 6,
    STET_TAG_VERSION = 7,
    STET_TAG_TO = 8, /* the state's name from here on */
    STET_TAG_ACTION = 9,
    STET_TAG_ACTOR = 10,
    STET_TAG_TYPE = 11, /* u8: stet_transition_type */
    STET_TAG_CORRELATION = 12,
    STET_TAG_CAUSATION = 13,
    STET_TAG_DURATION = 14, /* varint: nanoseconds */
    STET_TAG_ERROR = 15,
    STET_TAG_REDUCER = 16,    /* varint version, then the name */
    STET_TAG_BASE_STATE = 19, /* u8 packed, varint raw bytes, bytes */
    STET_TAG_BASE_NAME = 20,  /* in a base without TO */
    STET_TAG_CREATED_AT = 21, /* i64 ns, in bases */
    STET_TAG_MACHINE_METADATA = 22,
    STET_TAG_PARENT = 23,       /* a fork's: varint seq, u8 namespace, id */
    STET_TAG_BASE_TYPE = 25,    /* in a base without STATE_TYPE */
    STET_TAG_BASE_VERSION = 26, /* in a base without VERSION */
    /* In a base without MACHINE_METADATA. */
    STET_TAG_BASE_METADATA = 27,
    /* What settling leaves of an event: core/rewrite.h. */
    STET_TAG_DROPPED = 28, /* nothing, or the chain's value behind it */
    STET_TAG_ERASED = 29,  /* 32 bytes: the body's commitment */
    STET_TAG_SALT = 30,    /* 16 bytes: of the body's commitment */
    STET_TAG_LAST = STET_TAG_SALT,
} stet_record_tag;

/* Tags whose meaning a reader must know. */
#define STET_TAGS_CRITICAL                                                     \
    ((1u << STET_TAG_RAW_BYTES) | (1u << STET_TAG_REDUCER) |                   \
     (1u << STET_TAG_BASE_STATE) | (1u << STET_TAG_PARENT) |                   \
     (1u << STET_TAG_BASE_TYPE) | (1u << STET_TAG_BASE_VERSION) |              \
     (1u << STET_TAG_BASE_METADATA) | (1u << STET_TAG_DROPPED) |               \
     (1u << STET_TAG_ERASED))

/* A record taken apart, or about to be put together. Slices are borrowed. */
typedef struct stet_record {
    stet_event_kind kind;
    uint8_t flags;
    stet_body_form form;
    bool is_packed;
    uint8_t ns;
    stet_slice id;
    uint64_t seq;
    uint64_t back;
    uint64_t depth;
    int64_t occurred_delta;     /* occurred - recorded */
    uint64_t occurred_max_over; /* occurred maximum - occurred */
    stet_slice from;

    uint32_t tags; /* 1 << stet_record_tag of each that is there */
    uint64_t check;
    uint64_t raw_bytes; /* of a packed body */
    uint8_t key[16];
    uint64_t key_check;
    stet_slice event_id;
    stet_slice metadata;
    stet_slice state_type;
    stet_slice version;
    stet_slice to;
    stet_slice action;
    stet_slice actor;
    stet_transition_type type;
    stet_slice correlation;
    stet_slice causation;
    uint64_t duration_ns;
    stet_slice error;
    uint32_t reducer_version;
    stet_slice reducer_name;
    bool is_base_packed;
    uint64_t base_raw_bytes;
    stet_slice base_state;
    stet_slice base_name;
    stet_slice base_type;
    stet_slice base_version;
    stet_slice base_metadata;
    int64_t created_at;
    stet_slice machine_metadata;
    uint64_t parent_seq;
    uint8_t parent_ns;
    stet_slice parent_id;
    stet_slice chain_after; /* of a dropped event: empty, or a chain's value */
    stet_slice commitment;  /* of an erased one's body */
    stet_slice salt;        /* of the body's commitment; empty: the seed's */
    stet_slice body;
} stet_record;

/* Did settling leave no more than a stub of it? */
static inline bool stet__record_is_dropped(const stet_record *r)
{
    return (r->tags & 1u << STET_TAG_DROPPED) != 0;
}

/* Did it take the body? */
static inline bool stet__record_is_erased(const stet_record *r)
{
    return (r->tags & 1u << STET_TAG_ERASED) != 0;
}

/* Is there something to fold? */
static inline bool stet__record_is_whole(const stet_record *r)
{
    return !stet__record_is_dropped(r) && !stet__record_is_erased(r);
}

/* When it occurred, and the latest of its lineage up to here; both wrap. */
static inline int64_t stet__record_occurred(const stet_record *r,
                                            int64_t recorded)
{
    return (int64_t)((uint64_t)recorded + (uint64_t)r->occurred_delta);
}

static inline int64_t stet__record_occurred_max(const stet_record *r,
                                                int64_t recorded)
{
    return (int64_t)((uint64_t)stet__record_occurred(r, recorded) +
                     r->occurred_max_over);
}

/* The most bytes that a record's tail takes. */
size_t stet__record_tail_bytes_max(const stet_record *r);

/*
 * Write the tail (the tags that `r->tags` names, and the body) to `out`, which
 * has room for the most that it takes. Returns the bytes written.
 */
size_t stet__record_put_tail(const stet_record *r, uint8_t *out);

/*
 * Write crc, length and head for a tail of `tail_bytes` whose CRC32C is
 * `tail_crc`; the tail belongs right behind. `out` has room for
 * STET_RECORD_HEAD_BYTES_MAX. Returns the bytes written. Allocates nothing.
 */
size_t stet__record_put_head(const stet_record *r, size_t tail_bytes,
                             uint32_t tail_crc, uint8_t *out);

/* Bytes that put_head would write. */
size_t stet__record_head_bytes(const stet_record *r, size_t tail_bytes);

/*
 * Take apart the record at the start of `bytes` (which may go on behind it):
 * everything is bounds-checked and the checksum compared first.
 *
 * `*out_bytes` takes its whole size. Slices of `out` point into `bytes`.
 * STET_E_CORRUPT: checksum or structure; the text says which, without file or
 * offset (the caller wraps). STET_E_FORMAT: a critical tag, kind, form or flag
 * that this version does not know. `out` is of no use then.
 */
stet_status stet__record_decode(stet_slice bytes, stet_record *out,
                                size_t *out_bytes, stet_error *err);

/*
 * The same without comparing the checksum: for bytes that are known to be sound
 * but may come from a newer version.
 */
stet_status stet__record_parse(stet_slice bytes, stet_record *out,
                               size_t *out_bytes, stet_error *err);

/*
 * Is the checksum of the record at the start of `bytes` right? Says nothing of
 * what it means: records of a newer version are sound, too. Safe on any bytes.
 */
bool stet__record_is_sound(stet_slice bytes, size_t *out_bytes);

/*
 * Peek at crc and size without reading the rest: false when the length does not
 * fit into `bytes`.
 */
bool stet__record_peek(stet_slice bytes, uint32_t *out_crc, size_t *out_bytes);

/* What leads from a record to the lineage's one before. */
typedef struct stet_record_link {
    uint64_t seq;
    uint64_t back;
} stet_record_link;

/*
 * Peek at the link of a record without taking it apart: false when it does not
 * reach that far. For bytes that are known to be sound.
 */
bool stet__record_peek_link(stet_slice bytes, stet_record_link *out);

/*
 * Size of the whole resulting state where the record says so by itself (whole,
 * delta or base): what stet_info.state_raw_bytes adds up. 0 otherwise, and
 * where the state is no longer there.
 */
uint64_t stet__record_state_bytes(const stet_record *r);

/*
 * Does the record say the state's name after it? A base does; any other without
 * TO leaves the name as it was before, whatever FROM says it came from.
 */
bool stet__record_says_name(const stet_record *r, stet_slice *out);

#endif
