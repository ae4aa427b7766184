/*
 * Proof: the pieces in which one comes make no difference, and of one that is
 * right no byte is another. Of a stranger's text, or of any events whose hashes
 * are right, which are taken or refused.
 */
#include "fuzz.h"

#include <string.h>

#include "base/error.h"
#include "core/proof_check.h"

static const uint8_t seed[STET_CHAIN_BYTES] = "of the salts";

/* A header with one byte changed, and its place in the chain. */
static void put_event(fuzz *f, stet_chain *chain, const stet_leaf *leaf,
                      uint64_t seq, uint8_t value[STET_CHAIN_BYTES],
                      stet_buf *out)
{
    stet_buf header;
    stet_buf shown;
    stet__buf_init(&header, &f->alloc);
    stet__buf_init(&shown, &f->alloc);
    stet__buf_put_slice(&header, leaf->header);
    size_t place = fuzz_u8(f) % header.len;
    header.ptr[place] ^= fuzz_u8(f);
    stet__buf_put_slice(&shown, stet__buf_slice(&header));
    FUZZ_CHECK(
        stet__chain_step(chain->hasher, &header, leaf->commitment, value));
    stet_proof_event event = {
        .seq = seq,
        .header = stet__buf_slice(&shown),
        .salt = seq % 5 == 0 ? NULL : leaf->salt,
        .body = leaf->body,
        .commitment = leaf->commitment,
        .value = value,
    };
    stet__proof_put_event(out, &event);
    stet__buf_deinit(&shown);
    stet__buf_deinit(&header);
}

/* The proof of a machine that has these records, each with a change. */
static void put_proof(fuzz *f, stet_buf *out)
{
    stet_chain chain;
    stet_record r = {0};
    size_t len = 0;
    uint8_t value[STET_CHAIN_BYTES] = {0};
    uint64_t position = 1 + (uint64_t)fuzz_u8(f);
    stet_slice bytes = fuzz_record(f);
    FUZZ_CHECK(stet__chain_init(&chain, &f->alloc, NULL) == STET_OK);
    stet__proof_put_begin(out);
    while (bytes.ptr != NULL &&
           stet__record_decode(bytes, &r, &len, NULL) == STET_OK) {
        stet_leaf leaf;
        stet_machine_key key = {.id = r.id, .ns = r.ns};
        if (position < 258) {
            stet__chain_begin(&chain, seed, key);
            stet__proof_put_machine(out, key);
            position += 258;
        }
        stet_set_record in = {
            .bytes = bytes, .position = position++, .recorded = 7};
        FUZZ_CHECK(stet__chain_add_leaf(&chain, &in, &leaf, NULL) == STET_OK);
        put_event(f, &chain, &leaf, r.seq, value, out);
        fuzz_free(f, bytes);
        bytes = fuzz_record(f);
    }
    fuzz_free(f, bytes);
    stet__proof_put_head(out, r.seq, value);
    stet__proof_put_end(out, 1);
    FUZZ_CHECK(!out->is_failed);
    stet__chain_deinit(&chain);
}

static stet_status check(fuzz *f, stet_slice text, size_t piece,
                         stet_error *err)
{
    stet_proof_check_opts opts = {.struct_size = sizeof opts};
    stet_proof_check *c = stet__proof_check_create(&f->alloc, &opts);
    FUZZ_CHECK(c != NULL);
    const uint8_t *p = text.ptr;
    stet_status st = STET_OK;
    for (size_t at = 0; at < text.len && st == STET_OK; at += piece) {
        size_t left = text.len - at;
        st = stet__proof_check_feed(
            c, stet_slice_of(p + at, left < piece ? left : piece), err);
    }
    st = st == STET_OK ? stet__proof_check_finish(c, err) : st;
    stet__proof_check_destroy(c);
    return st;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz f;
    fuzz_begin(&f, data, size);
    size_t piece = 1 + (size_t)fuzz_u8(&f);
    uint16_t place = fuzz_u16(&f);
    uint8_t change = fuzz_u8(&f);
    stet_buf text;
    stet__buf_init(&text, &f.alloc);
    if (fuzz_u8(&f) % 2 == 0) {
        put_proof(&f, &text);
    } else {
        stet__buf_put_slice(&text, fuzz_rest(&f));
    }
    stet_error whole = {0};
    stet_error pieces = {0};
    stet_slice bytes = stet__buf_slice(&text);
    stet_status st = check(&f, bytes, text.len + 1, &whole);
    FUZZ_CHECK(check(&f, bytes, piece, &pieces) == st);
    FUZZ_CHECK(strcmp(whole.text, pieces.text) == 0);
    if (st == STET_OK && change != 0) {
        text.ptr[place % text.len] ^= change;
        FUZZ_CHECK(check(&f, bytes, piece, &pieces) != STET_OK);
    }
    stet__buf_deinit(&text);
    fuzz_end(&f);
    return 0;
}
