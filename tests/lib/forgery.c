#include "lib/forgery.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "base/checksum.h"
#include "core/frame.h"
#include "core/index.h"
#include "core/record.h"
#include "core/set.h"

enum { CRC_AT = 4, CRC_FROM = 8, HEAD_USED = 112, TRAILER_USED = 304 };

/* A file in which places are looked for. */
typedef struct search {
    const char *name;
    const uint8_t *bytes;
    size_t len;
    stet_buf *out;
} search;

static forgery_place *add(const search *s, forgery_kind kind, size_t offset,
                          size_t from, size_t to)
{
    forgery_place p = {.kind = kind, .offset = offset, .from = from, .to = to};
    (void)snprintf(p.name, sizeof p.name, "%s", s->name);
    stet__buf_put(s->out, &p, sizeof p);
    assert_false(s->out->is_failed);
    return (forgery_place *)(void *)(s->out->ptr + s->out->len) - 1;
}

/* Records that follow each other from `at` on. */
static void find_records(const search *s, size_t outer, size_t at, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        size_t bytes = 0;
        assert_true(stet__record_is_sound(
            stet_slice_of(s->bytes + at, s->len - at), &bytes));
        add(s, FORGERY_RECORD, at, CRC_AT, bytes)->outer = outer;
        at += bytes;
    }
}

static void find_frames(const search *s)
{
    stet_frame_header h;
    for (size_t at = STET_W;
         at < s->len && stet__frame_is_sound(s->bytes + at, s->len - at, &h);
         at += h.length) {
        add(s, FORGERY_FRAME, at, CRC_FROM, STET_FRAME_HEADER_BYTES);
        find_records(s, at, at + STET_FRAME_HEADER_BYTES, h.events);
    }
}

/* The records of a block that lies unpacked; in front of them are times. */
static void find_items(const search *s, const stet_trailer *t, size_t at,
                       const stet_set_block *b)
{
    const uint8_t *content = s->bytes + at + STET_SET_BLOCK_HEADER_BYTES;
    stet_reader in = stet__reader_of(stet_slice_of(content, b->bytes));
    uint32_t slot = 0;
    stet_slice record = {0};
    stet_set_seed seed;
    if (b->raw_offset < t->set.times_bytes) {
        (void)stet__read_bytes(&in, t->set.times_bytes - b->raw_offset);
    }
    while (stet__set_read_seed(&in, &seed, NULL) == STET_OK) {
    }
    while (stet__read_left(&in) > 0 &&
           stet__set_read_item(&in, &slot, &record, NULL) == STET_OK) {
        size_t offset = (size_t)((const uint8_t *)record.ptr - s->bytes);
        forgery_place *p = add(s, FORGERY_RECORD, offset, CRC_AT, record.len);
        p->is_of_set = true;
        p->outer = at;
        p->salt = t->salt;
    }
}

static void find_blocks(const search *s, const stet_trailer *t)
{
    stet_set_block b;
    for (size_t at = STET_SET_HEAD_BYTES; stet__set_block_peek(
             t->salt, stet_slice_of(s->bytes + at, s->len - at), &b);
         at += STET_SET_BLOCK_HEADER_BYTES + b.bytes) {
        bool is_packed = b.bytes < b.raw_bytes;
        size_t used = STET_SET_BLOCK_HEADER_BYTES + (is_packed ? 0 : b.bytes);
        add(s, FORGERY_BLOCK, at, CRC_FROM, used)->salt = t->salt;
        if (!is_packed) {
            find_items(s, t, at, &b);
        }
    }
}

static void find_index(const search *s, const stet_trailer *t)
{
    for (uint32_t n = 0; n < stet__trailer_number(t); n++) {
        size_t at = (size_t)t->end_offset + (size_t)n * STET_INDEX_BLOCK_BYTES;
        size_t used = stet__get_u16le(s->bytes + at + 6);
        forgery_place *p = add(s, FORGERY_INDEX, at, STET_INDEX_HEADER_BYTES,
                               STET_INDEX_HEADER_BYTES + used);
        p->salt = t->salt;
        p->number = n;
    }
    forgery_place *p = add(s, FORGERY_TRAILER, s->len - STET_INDEX_BLOCK_BYTES,
                           STET_INDEX_HEADER_BYTES, TRAILER_USED);
    p->salt = t->salt;
    p->number = stet__trailer_number(t);
}

static void find_in(const search *s)
{
    stet_trailer t;
    bool has_trailer =
        s->len > STET_INDEX_BLOCK_BYTES &&
        stet__trailer_get(s->bytes + s->len - STET_INDEX_BLOCK_BYTES, &t,
                          NULL) == STET_OK;
    if (strcmp(s->name, "super") == 0) {
        add(s, FORGERY_SLOT, 0, CRC_FROM, STET_SUPER_BYTES);
        add(s, FORGERY_SLOT, STET_W, CRC_FROM, STET_SUPER_BYTES);
    } else if (strstr(s->name, ".seg") != NULL) {
        add(s, FORGERY_HEADER, 0, CRC_FROM, STET_SEGMENT_HEADER_BYTES);
        find_frames(s);
    } else if (strstr(s->name, ".set") != NULL) {
        assert_true(has_trailer);
        add(s, FORGERY_HEAD, 0, CRC_FROM, HEAD_USED);
        find_blocks(s, &t);
    }
    if (has_trailer) {
        find_index(s, &t);
    }
}

void forgery_find(memdisk *disk, stet_buf *out)
{
    const char *names[200];
    size_t count = memdisk_names(disk, names, 200);
    for (size_t i = 0; i < count; i++) {
        search s = {.name = names[i], .out = out};
        s.bytes = memdisk_bytes(disk, names[i], &s.len);
        if (strchr(names[i], '/') == NULL) {
            find_in(&s);
        }
    }
}

/* Sealing. */

static void seal_fixed(uint8_t *block, size_t used)
{
    stet__put_u32le(block + CRC_AT,
                    stet__crc32c(0, block + CRC_FROM, used - CRC_FROM));
}

/* As its header and its records' checksums make it. */
static void seal_frame(uint8_t *frame, const stet_frame_header *h)
{
    uint32_t crc =
        stet__crc32c(0, frame + CRC_FROM, STET_FRAME_HEADER_BYTES - CRC_FROM);
    size_t at = STET_FRAME_HEADER_BYTES;
    for (uint32_t i = 0; i < h->events; i++) {
        uint32_t record_crc = 0;
        size_t bytes = 0;
        crc = stet__crc32c(crc, frame + at, 4);
        if (!stet__record_peek(stet_slice_of(frame + at, h->length - at),
                               &record_crc, &bytes)) {
            break; /* its length was changed: nothing makes that right */
        }
        at += bytes;
    }
    stet__put_u32le(frame + CRC_AT, crc);
}

static void seal_block(uint8_t *block, uint64_t salt, size_t bytes)
{
    uint8_t salted[8];
    stet__put_u64le(salted, salt);
    uint32_t crc = stet__crc32c(0, salted, sizeof salted);
    crc = stet__crc32c(crc, block + CRC_FROM,
                       STET_SET_BLOCK_HEADER_BYTES - CRC_FROM + bytes);
    stet__put_u32le(block + CRC_AT, crc);
}

/*
 * A record's checksum begins with its tail, of which nothing tells the begin:
 * it is where the checksum as it was comes out; 0: nowhere.
 */
static size_t find_tail(const uint8_t *record, size_t len)
{
    uint32_t due = stet__get_u32le(record);
    for (size_t at = CRC_AT + 1; at < len; at++) {
        uint32_t crc = stet__crc32c(0, record + at, len - at);
        if (stet__crc32c(crc, record + CRC_AT, at - CRC_AT) == due) {
            return at;
        }
    }
    return 0;
}

static void change_byte(uint8_t *bytes, size_t at)
{
    bytes[at] ^= at % 3 == 0 ? 0x80 : 0x01;
}

static bool change_record(uint8_t *file, size_t file_len,
                          const forgery_place *p, size_t at)
{
    uint8_t *record = file + p->offset;
    uint8_t *outer = file + p->outer;
    size_t tail = find_tail(record, p->to);
    stet_frame_header h;
    if (tail == 0 || (!p->is_of_set &&
                      !stet__frame_is_told(outer, file_len - p->outer, &h))) {
        return false;
    }
    change_byte(record, at);
    uint32_t crc = stet__crc32c(0, record + tail, p->to - tail);
    stet__put_u32le(record, stet__crc32c(crc, record + CRC_AT, tail - CRC_AT));
    if (p->is_of_set) {
        seal_block(outer, p->salt, stet__get_u32le(outer + 12));
    } else {
        seal_frame(outer, &h);
    }
    return true;
}

bool forgery_change(memdisk *disk, const forgery_place *p, size_t at)
{
    size_t len = 0;
    uint8_t *file = memdisk_bytes(disk, p->name, &len);
    uint8_t *bytes = file + p->offset;
    stet_frame_header h;
    assert_in_range(at, p->from, p->to - 1);
    switch (p->kind) {
    case FORGERY_SLOT:
        change_byte(bytes, at);
        seal_fixed(bytes, STET_SUPER_BYTES);
        break;
    case FORGERY_HEADER:
        change_byte(bytes, at);
        seal_fixed(bytes, STET_SEGMENT_HEADER_BYTES);
        break;
    case FORGERY_HEAD:
        change_byte(bytes, at);
        seal_fixed(bytes, STET_SET_HEAD_BYTES);
        break;
    case FORGERY_FRAME:
        if (!stet__frame_is_told(bytes, len - p->offset, &h)) {
            return false;
        }
        change_byte(bytes, at);
        seal_frame(bytes, &h);
        break;
    case FORGERY_BLOCK: {
        uint32_t packed = stet__get_u32le(bytes + 12);
        change_byte(bytes, at);
        seal_block(bytes, p->salt, packed);
        break;
    }
    case FORGERY_RECORD:
        return change_record(file, len, p, at);
    case FORGERY_INDEX:
    case FORGERY_TRAILER: {
        stet_section section = (stet_section)stet__get_u16le(bytes + 4);
        size_t used = stet__get_u16le(bytes + 6);
        change_byte(bytes, at);
        stet__index_block_seal(bytes, section, p->number, used, p->salt);
        break;
    }
    }
    return true;
}

void forgery_damage(memdisk *disk, const forgery_place *p)
{
    size_t len = 0;
    memdisk_bytes(disk, p->name, &len)[p->offset + p->from] ^= 0x40;
}
