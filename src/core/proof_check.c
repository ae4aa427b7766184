#include "core/proof_check.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/assert.h"
#include "base/error.h"
#include "core/proof_lines.h"

typedef enum check_state {
    AT_BEGIN = 1,
    AT_PART = 2,
    AT_EVENTS = 3,
    AT_END = 4,
} check_state;

struct stet_proof_check {
    const stet_allocator *alloc;
    stet_proof_check_opts opts;
    stet_hasher *hasher;
    check_state state;
    bool is_failed;
    uint64_t line_number; /* of the line at hand, from 1 */
    stet_buf line;        /* what was fed of it, where it came in pieces */
    stet_buf header;
    stet_buf body; /* salt and body */
    uint8_t value[STET_CHAIN_BYTES];

    /* The part at hand, or the one before; its slices point into the ids. */
    uint64_t parts;
    stet_proof_part part;
    uint8_t id[STET_RECORD_ID_BYTES_MAX];
    uint8_t parent_id[STET_RECORD_ID_BYTES_MAX];
    /* Where the part before ended. */
    uint8_t last_id[STET_RECORD_ID_BYTES_MAX];
    stet_machine_key last_key;
    uint64_t last_seq;
};

/* Refuse the line at hand. */
STET_PRINTF(3, 4)
static stet_status refuse(const stet_proof_check *c, stet_error *err,
                          const char *format, ...)
{
    char text[STET_ERROR_TEXT_MAX];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args); /* cut when too long */
    va_end(args);
    return stet__fail(err, STET_E_CORRUPT, 0, "line %" PRIu64 ": %s",
                      c->line_number, text);
}

static stet_status no_memory(stet_error *err)
{
    return stet__fail(err, STET_E_NOMEM, 0, "no memory to check a proof");
}

/* Taking a line apart. */

static bool take(stet_reader *in, const char *text)
{
    size_t len = strlen(text);
    bool is_there =
        stet__read_left(in) >= len && memcmp(in->ptr, text, len) == 0;
    in->ptr += is_there ? len : 0;
    return is_there;
}

/* Is that next? Else the line is no line of a proof. */
static void expect(stet_reader *in, const char *text)
{
    in->is_bad = in->is_bad || !take(in, text);
}

static uint64_t take_number(stet_reader *in)
{
    const uint8_t *from = in->ptr;
    uint64_t n = 0;
    while (in->ptr < in->end && *in->ptr >= '0' && *in->ptr <= '9') {
        uint64_t digit = (uint64_t)(*in->ptr++ - '0');
        in->is_bad = in->is_bad || n > (UINT64_MAX - digit) / 10;
        n = 10 * n + digit;
    }
    bool is_shortest = in->ptr > from && (*from != '0' || in->ptr - from == 1);
    in->is_bad = in->is_bad || !is_shortest;
    return n;
}

/* -1: no lower-case digit. */
static int digit_of(uint8_t c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                  : -1;
}

/* Take `len` bytes as digits. */
static void take_bytes(stet_reader *in, uint8_t *out, size_t len)
{
    in->is_bad = in->is_bad || stet__read_left(in) / 2 < len;
    for (size_t i = 0; i < len && !in->is_bad; i++, in->ptr += 2) {
        int high = digit_of(in->ptr[0]);
        int low = digit_of(in->ptr[1]);
        in->is_bad = high < 0 || low < 0;
        out[i] = (uint8_t)(high * 16 + low);
    }
}

/* Append the bytes up to a quote; false: no memory. */
static bool take_all_bytes(stet_reader *in, stet_buf *out)
{
    const uint8_t *quote =
        in->ptr == in->end ? NULL : memchr(in->ptr, '"', stet__read_left(in));
    if (in->is_bad || quote == NULL || (quote - in->ptr) % 2 != 0) {
        in->is_bad = true;
        return true;
    }
    size_t len = (size_t)(quote - in->ptr) / 2;
    uint8_t *bytes = stet__buf_extend(out, len);
    if (bytes == NULL) {
        return len == 0;
    }
    take_bytes(in, bytes, len);
    return true;
}

/* Headers. */

/* What a header says. */
typedef struct header {
    uint8_t fixed[4]; /* kind, flags, form, namespace */
    stet_machine_key key;
    uint64_t seq;
    uint64_t position;
    int64_t recorded;
    uint64_t parent_seq; /* 0: it is no fork's first */
    stet_machine_key parent;
} header;

static void read_parent(stet_slice value, stet_reader *in, header *out)
{
    stet_reader parent = stet__reader_of(value);
    out->parent_seq = stet__read_varint(&parent);
    out->parent.ns = stet__read_u8(&parent);
    out->parent.id = stet_slice_of(parent.ptr, stet__read_left(&parent));
    in->is_bad = in->is_bad || parent.is_bad || out->parent_seq == 0 ||
                 out->parent.id.len == 0 ||
                 out->parent.id.len > STET_RECORD_ID_BYTES_MAX;
}

/* False: it is none. */
static bool read_header(stet_slice bytes, header *out)
{
    stet_reader in = stet__reader_of(bytes);
    *out = (header){0};
    for (size_t i = 0; i < sizeof out->fixed; i++) {
        out->fixed[i] = stet__read_u8(&in);
    }
    out->key.ns = out->fixed[3];
    out->key.id = stet__read_bytes(&in, (size_t)stet__read_varint(&in));
    out->seq = stet__read_varint(&in);
    out->position = stet__read_u64le(&in);
    out->recorded = (int64_t)stet__read_u64le(&in);
    (void)stet__read_signed(&in); /* when it occurred */
    if ((out->fixed[1] & STET_RECORD_HAS_OCCURRED_MAX) != 0) {
        (void)stet__read_varint(&in);
    }
    if ((out->fixed[1] & STET_RECORD_HAS_FROM) != 0) {
        (void)stet__read_bytes(&in, (size_t)stet__read_varint(&in));
    }
    uint64_t last = 0;
    while (stet__read_left(&in) > 0 && !in.is_bad) {
        uint64_t code = stet__read_varint(&in);
        stet_slice value =
            stet__read_bytes(&in, (size_t)stet__read_varint(&in));
        in.is_bad = in.is_bad || code >> 1 <= last;
        last = code >> 1;
        if (last == STET_TAG_PARENT) {
            read_parent(value, &in, out);
        }
    }
    return !in.is_bad && out->seq > 0 && out->position > 0;
}

/* Following. */

static stet_machine_key part_key(const stet_proof_check *c)
{
    return (stet_machine_key){.id = c->part.id, .ns = c->part.ns};
}

/* May a part begin with this event? Only what forked has no seq 1. */
static stet_status check_first(stet_proof_check *c, const header *h,
                               stet_error *err)
{
    stet_proof_part *p = &c->part;
    if (h->seq != h->parent_seq + 1 || (h->seq == 1 && c->parts > 0)) {
        return refuse(c, err, "no history begins with this event");
    }
    if (h->parent_seq > 0) {
        p->parent_seq = h->parent_seq;
        p->parent_ns = h->parent.ns;
        p->parent_id = stet_slice_of(c->parent_id, h->parent.id.len);
        memcpy(c->parent_id, h->parent.id.ptr, h->parent.id.len);
        p->is_joined = c->parts > 0 && h->parent_seq == c->last_seq &&
                       stet__machine_key_eq(h->parent, c->last_key);
    }
    return STET_OK;
}

static stet_status check_header(stet_proof_check *c, const header *h,
                                stet_error *err)
{
    const stet_proof_part *p = &c->part;
    if (!stet__machine_key_eq(h->key, part_key(c))) {
        return refuse(c, err, "the event is another machine's");
    }
    if (p->last_seq == 0) {
        return check_first(c, h, err);
    }
    if (h->seq != p->last_seq + 1) {
        return refuse(c, err, "event %" PRIu64 " where %" PRIu64 " is due",
                      h->seq, p->last_seq + 1);
    }
    if (h->parent_seq != 0) {
        return refuse(c, err, "a fork in the middle of a history");
    }
    if (p->events > 0 &&
        (h->position <= p->last_position || h->recorded < p->last_recorded)) {
        return refuse(c, err, "the event was stored before its predecessor");
    }
    return STET_OK;
}

/* The event is right: it belongs to the part. */
static void count_event(stet_proof_check *c, const header *h, bool is_erased)
{
    stet_proof_part *p = &c->part;
    if (p->events == 0) {
        p->first_seq = h->seq;
        p->first_position = h->position;
        p->first_recorded = h->recorded;
    }
    p->events++;
    p->erased += is_erased;
    p->last_seq = h->seq;
    p->last_position = h->position;
    p->last_recorded = h->recorded;
    bool is_met = c->opts.head != NULL &&
                  memcmp(c->value, c->opts.head, sizeof c->value) == 0;
    p->met_seq = is_met ? h->seq : p->met_seq;
}

/* Lines. */

static stet_status take_begin(stet_proof_check *c, stet_reader *in,
                              stet_error *err)
{
    uint64_t format = take_number(in);
    expect(in, "}");
    if (!in->is_bad && format > STET_PROOF_FORMAT) {
        return stet__fail(err, STET_E_FORMAT, 0,
                          "line 1: a proof of format %" PRIu64
                          ", %d is the newest known",
                          format, STET_PROOF_FORMAT);
    }
    in->is_bad = in->is_bad || format != STET_PROOF_FORMAT;
    c->state = AT_PART;
    return STET_OK;
}

static stet_status take_machine(stet_proof_check *c, stet_reader *in,
                                stet_error *err)
{
    stet_proof_part *p = &c->part;
    stet__buf_reset(&c->header);
    if (!take_all_bytes(in, &c->header)) {
        return no_memory(err);
    }
    expect(in, "\",\"namespace\":");
    uint64_t ns = take_number(in);
    expect(in, "}");
    stet_slice id = stet__buf_slice(&c->header);
    if (in->is_bad || ns > UINT8_MAX || id.len == 0 ||
        id.len > STET_RECORD_ID_BYTES_MAX) {
        in->is_bad = true;
        return STET_OK;
    }
    if (c->parts > 0) {
        memcpy(c->last_id, p->id.ptr, p->id.len);
        c->last_key.id = stet_slice_of(c->last_id, p->id.len);
        c->last_key.ns = p->ns;
        c->last_seq = p->last_seq;
    }
    memcpy(c->id, id.ptr, id.len);
    *p = (stet_proof_part){.id = stet_slice_of(c->id, id.len),
                           .ns = (uint8_t)ns};
    memset(c->value, 0, sizeof c->value);
    c->state = AT_EVENTS;
    return STET_OK;
}

/* Take what is committed to: salt and body, or nothing but their hash. */
static bool take_commitment(stet_proof_check *c, stet_reader *in,
                            bool *out_is_erased, uint8_t out[STET_CHAIN_BYTES])
{
    *out_is_erased = take(in, ",\"commitment\":\"");
    if (*out_is_erased) {
        take_bytes(in, out, STET_CHAIN_BYTES);
        return true;
    }
    uint8_t salt[STET_SALT_BYTES];
    stet__buf_reset(&c->body);
    expect(in, ",\"salt\":\"");
    take_bytes(in, salt, sizeof salt);
    expect(in, "\",\"body\":\"");
    if (in->is_bad) {
        return true;
    }
    stet__buf_put(&c->body, salt, sizeof salt);
    if (c->body.is_failed || !take_all_bytes(in, &c->body)) {
        return false;
    }
    stet__hasher_sha256(c->hasher, c->body.ptr, c->body.len, out);
    return true;
}

static stet_status take_event(stet_proof_check *c, stet_reader *in,
                              stet_error *err)
{
    uint64_t seq = take_number(in);
    uint8_t commitment[STET_CHAIN_BYTES];
    uint8_t value[STET_CHAIN_BYTES];
    bool is_erased = false;
    expect(in, ",\"header\":\"");
    stet__buf_reset(&c->header);
    bool has_memory = take_all_bytes(in, &c->header);
    expect(in, "\"");
    has_memory = has_memory && take_commitment(c, in, &is_erased, commitment);
    if (!has_memory) {
        return no_memory(err);
    }
    expect(in, "\",\"chain\":\"");
    take_bytes(in, value, sizeof value);
    expect(in, "\"}");
    if (in->is_bad) {
        return STET_OK;
    }
    header h;
    if (!read_header(stet__buf_slice(&c->header), &h) || h.seq != seq) {
        return refuse(c, err, "the header is not one of event %" PRIu64, seq);
    }
    stet_status st = check_header(c, &h, err);
    if (st != STET_OK) {
        return st;
    }
    if (!stet__chain_step(c->hasher, &c->header, commitment, c->value)) {
        return no_memory(err);
    }
    if (memcmp(c->value, value, sizeof value) != 0) {
        return refuse(c, err, "the chain does not fit event %" PRIu64, seq);
    }
    count_event(c, &h, is_erased);
    return STET_OK;
}

static stet_status take_cut(stet_proof_check *c, stet_reader *in,
                            stet_error *err)
{
    stet_proof_part *p = &c->part;
    uint64_t last_seq = take_number(in);
    expect(in, ",\"chain\":\"");
    take_bytes(in, c->value, sizeof c->value);
    expect(in, "\"}");
    if (in->is_bad) {
        return STET_OK;
    }
    bool goes_on =
        c->parts == 0 || (last_seq > c->last_seq &&
                          stet__machine_key_eq(c->last_key, part_key(c)));
    if (last_seq == 0 || p->last_seq > 0 || !goes_on) {
        return refuse(c, err, "nothing was dropped here");
    }
    p->cut_seq = last_seq;
    p->last_seq = last_seq;
    return STET_OK;
}

static stet_status take_head(stet_proof_check *c, stet_reader *in,
                             stet_error *err)
{
    stet_proof_part *p = &c->part;
    take_bytes(in, p->head, sizeof p->head);
    expect(in, "\",\"seq\":");
    uint64_t seq = take_number(in);
    expect(in, "}");
    if (in->is_bad) {
        return STET_OK;
    }
    if (p->events == 0 || seq != p->last_seq ||
        memcmp(p->head, c->value, sizeof p->head) != 0) {
        return refuse(c, err, "the head is not that of the events");
    }
    c->parts++;
    c->state = AT_PART;
    if (c->opts.part != NULL) {
        c->opts.part(c->opts.ctx, p);
    }
    return STET_OK;
}

static stet_status take_end(stet_proof_check *c, stet_reader *in,
                            stet_error *err)
{
    uint64_t parts = take_number(in);
    expect(in, "}");
    if (!in->is_bad && (parts != c->parts || parts == 0)) {
        return refuse(c, err, "%" PRIu64 " parts, not %" PRIu64, c->parts,
                      parts);
    }
    c->state = AT_END;
    return STET_OK;
}

typedef stet_status (*take_fn)(stet_proof_check *c, stet_reader *in,
                               stet_error *err);

static stet_status take_line(stet_proof_check *c, stet_slice line,
                             stet_error *err)
{
    static const struct {
        check_state state;
        const char *begin;
        take_fn take;
    } lines[] = {
        {AT_BEGIN, "{\"stet_proof\":", take_begin},
        {AT_PART, "{\"machine\":\"", take_machine},
        {AT_PART, "{\"end\":", take_end},
        {AT_EVENTS, "{\"seq\":", take_event},
        {AT_EVENTS, "{\"cut\":", take_cut},
        {AT_EVENTS, "{\"head\":\"", take_head},
    };
    stet_reader in = stet__reader_of(line);
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        if (lines[i].state == c->state && take(&in, lines[i].begin)) {
            stet_status st = lines[i].take(c, &in, err);
            bool is_line = !in.is_bad && stet__read_left(&in) == 0;
            return st != STET_OK || is_line ? st
                                            : refuse(c, err, "not as written");
        }
    }
    return refuse(c, err, "no line of a proof belongs here");
}

/* Take the bytes up to an end of line, together with what came before. */
static stet_status end_line(stet_proof_check *c, stet_slice bytes,
                            stet_error *err)
{
    stet_slice line = bytes;
    c->line_number++;
    if (c->line.len > 0) {
        stet__buf_put_slice(&c->line, bytes);
        line = stet__buf_slice(&c->line);
    }
    if (c->line.is_failed) {
        return no_memory(err);
    }
    stet_status st = take_line(c, line, err);
    stet__buf_reset(&c->line);
    return st;
}

static stet_status feed(stet_proof_check *c, stet_slice bytes, stet_error *err)
{
    const uint8_t *p = bytes.ptr;
    size_t left = bytes.len;
    while (left > 0) {
        const uint8_t *end = memchr(p, '\n', left);
        size_t len = end == NULL ? left : (size_t)(end - p);
        if (len > STET_PROOF_LINE_BYTES_MAX - c->line.len) {
            c->line_number++;
            return refuse(c, err, "longer than %d bytes",
                          STET_PROOF_LINE_BYTES_MAX);
        }
        if (end == NULL) {
            stet__buf_put(&c->line, p, len);
            return c->line.is_failed ? no_memory(err) : STET_OK;
        }
        stet_status st = end_line(c, stet_slice_of(p, len), err);
        if (st != STET_OK) {
            return st;
        }
        p = end + 1;
        left -= len + 1;
    }
    return STET_OK;
}

/* A check. */

stet_proof_check *stet__proof_check_create(const stet_allocator *alloc,
                                           const stet_proof_check_opts *opts)
{
    stet_proof_check *c = stet__alloc_zeroed(alloc, 1, sizeof *c);
    if (c == NULL) {
        return NULL;
    }
    c->alloc = alloc;
    c->opts = *opts;
    c->state = AT_BEGIN;
    stet__buf_init(&c->line, alloc);
    stet__buf_init(&c->header, alloc);
    stet__buf_init(&c->body, alloc);
    c->hasher = stet__hasher_create();
    if (c->hasher == NULL) {
        stet__proof_check_destroy(c);
        return NULL;
    }
    return c;
}

stet_status stet__proof_check_feed(stet_proof_check *c, stet_slice bytes,
                                   stet_error *err)
{
    if (c->is_failed) {
        return stet__fail(err, STET_E_INVALID, 0,
                          "the proof was refused before");
    }
    stet_status st = feed(c, bytes, err);
    c->is_failed = st != STET_OK;
    return st;
}

stet_status stet__proof_check_finish(stet_proof_check *c, stet_error *err)
{
    if (!c->is_failed && c->state == AT_END && c->line.len == 0) {
        return STET_OK;
    }
    c->line_number += !c->is_failed;
    c->is_failed = true;
    return refuse(c, err, "the proof ends here");
}

void stet__proof_check_destroy(stet_proof_check *c)
{
    if (c == NULL) {
        return;
    }
    stet__buf_deinit(&c->line);
    stet__buf_deinit(&c->header);
    stet__buf_deinit(&c->body);
    stet__hasher_destroy(c->hasher);
    stet__free(c->alloc, c, sizeof *c);
}
