/*
 * Gunzip: the pieces in which a stream comes make no difference; what is no
 * gzip goes through as it is; what zlib packed comes back.
 */
#include "fuzz.h"

#include <string.h>

#include <zlib.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/outside.h"
#include "formats/gunzip.h"

enum { OUT_BYTES_MAX = 4 << 20 };

typedef struct run {
    stet_buf out;
    stet_status status;
    stet_error err;
} run;

static stet_status take(void *ctx, stet_slice bytes, stet_error *err)
{
    run *r = ctx;
    FUZZ_CHECK(bytes.len > 0 && bytes.len <= STET_GUNZIP_BYTES);
    if (r->out.len + bytes.len > OUT_BYTES_MAX) {
        return stet__fail(err, STET_E_NOSPACE, 0, "enough");
    }
    stet__buf_put_slice(&r->out, bytes);
    return STET_OK;
}

static void push(fuzz *f, run *r, stet_slice input, size_t piece)
{
    const uint8_t *p = input.ptr;
    stet_gunzip *g = NULL;
    stet__buf_init(&r->out, &f->alloc);
    stet__error_reset(&r->err);
    r->status = stet__gunzip_create(&f->alloc, take, r, &g, &r->err);
    for (size_t at = 0; at < input.len && r->status == STET_OK; at += piece) {
        size_t left = input.len - at;
        r->status = stet__gunzip_feed(
            g, stet_slice_of(p + at, left < piece ? left : piece), &r->err);
    }
    if (r->status == STET_OK) {
        r->status = stet__gunzip_finish(g, &r->err);
    }
    stet__gunzip_destroy(g);
}

static void check_pieces(fuzz *f, stet_slice input, size_t piece)
{
    static const uint8_t magic[] = {0x1f, 0x8b};
    run whole;
    run pieces;
    push(f, &whole, input, input.len + 1);
    push(f, &pieces, input, piece);
    FUZZ_CHECK(whole.status == pieces.status);
    FUZZ_CHECK(strcmp(whole.err.text, pieces.err.text) == 0);
    if (whole.status != STET_E_NOSPACE) {
        FUZZ_CHECK(stet__slice_eq(stet__buf_slice(&whole.out),
                                  stet__buf_slice(&pieces.out)));
    }
    if (input.len < 2 || memcmp(input.ptr, magic, 2) != 0) {
        FUZZ_CHECK(whole.status == STET_OK);
        FUZZ_CHECK(stet__slice_eq(stet__buf_slice(&whole.out), input));
    }
    stet__buf_deinit(&whole.out);
    stet__buf_deinit(&pieces.out);
}

static void check_packing(fuzz *f, stet_slice text, size_t piece)
{
    z_stream z = {0};
    const int gzip = 16 + MAX_WBITS;
    FUZZ_CHECK(deflateInit2(&z, 1, Z_DEFLATED, gzip, 1, Z_FIXED) == Z_OK);
    size_t bound = deflateBound(&z, text.len);
    uint8_t *packed = stet__alloc(&f->alloc, bound);
    FUZZ_CHECK(packed != NULL);
    z.next_in = (Bytef *)(uintptr_t)text.ptr;
    z.avail_in = (uInt)text.len;
    z.next_out = packed;
    z.avail_out = (uInt)bound;
    FUZZ_CHECK(deflate(&z, Z_FINISH) == Z_STREAM_END);
    stet__outside_sets(packed, z.total_out);
    run r;
    push(f, &r, stet_slice_of(packed, z.total_out), piece);
    FUZZ_CHECK(r.status == STET_OK);
    FUZZ_CHECK(stet__slice_eq(stet__buf_slice(&r.out), text));
    stet__buf_deinit(&r.out);
    stet__free(&f->alloc, packed, bound);
    FUZZ_CHECK(deflateEnd(&z) == Z_OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz f;
    fuzz_begin(&f, data, size);
    size_t piece = (size_t)fuzz_u8(&f) + 1;
    stet_slice input = fuzz_rest(&f);
    check_pieces(&f, input, piece);
    check_packing(&f, input, piece);
    fuzz_end(&f);
    return 0;
}
