#include "core/proof_lines.h"

#include <inttypes.h>

/* Append bytes as digits. */
static void put_hex(stet_buf *out, stet_slice bytes)
{
    static const char digits[] = "0123456789abcdef";
    uint8_t *p = bytes.len > 0 ? stet__buf_extend(out, 2 * bytes.len) : NULL;
    for (size_t i = 0; p != NULL && i < bytes.len; i++) {
        uint8_t byte = ((const uint8_t *)bytes.ptr)[i];
        p[2 * i] = (uint8_t)digits[byte >> 4];
        p[2 * i + 1] = (uint8_t)digits[byte & 15];
    }
}

static void put_hash(stet_buf *out, const uint8_t hash[STET_CHAIN_BYTES])
{
    put_hex(out, stet_slice_of(hash, STET_CHAIN_BYTES));
}

void stet__proof_put_begin(stet_buf *out)
{
    stet__buf_printf(out, "{\"stet_proof\":%d}\n", STET_PROOF_FORMAT);
}

void stet__proof_put_machine(stet_buf *out, stet_machine_key key)
{
    stet__buf_put_str(out, "{\"machine\":\"");
    put_hex(out, key.id);
    stet__buf_printf(out, "\",\"namespace\":%d}\n", key.ns);
}

void stet__proof_put_event(stet_buf *out, const stet_proof_event *event)
{
    stet__buf_printf(out, "{\"seq\":%" PRIu64 ",\"header\":\"", event->seq);
    put_hex(out, event->header);
    if (event->salt != NULL) {
        stet__buf_put_str(out, "\",\"salt\":\"");
        put_hex(out, stet_slice_of(event->salt, STET_SALT_BYTES));
        stet__buf_put_str(out, "\",\"body\":\"");
        put_hex(out, event->body);
    } else {
        stet__buf_put_str(out, "\",\"commitment\":\"");
        put_hash(out, event->commitment);
    }
    stet__buf_put_str(out, "\",\"chain\":\"");
    put_hash(out, event->value);
    stet__buf_put_str(out, "\"}\n");
}

void stet__proof_put_cut(stet_buf *out, uint64_t last_seq,
                         const uint8_t value[STET_CHAIN_BYTES])
{
    stet__buf_printf(out, "{\"cut\":%" PRIu64 ",\"chain\":\"", last_seq);
    put_hash(out, value);
    stet__buf_put_str(out, "\"}\n");
}

void stet__proof_put_head(stet_buf *out, uint64_t seq,
                          const uint8_t value[STET_CHAIN_BYTES])
{
    stet__buf_put_str(out, "{\"head\":\"");
    put_hash(out, value);
    stet__buf_printf(out, "\",\"seq\":%" PRIu64 "}\n", seq);
}

void stet__proof_put_end(stet_buf *out, uint64_t parts)
{
    stet__buf_printf(out, "{\"end\":%" PRIu64 "}\n", parts);
}
