/*
 * Delta: packed bytes of a stranger unpack to exactly as many bytes as were
 * asked for, or leave nothing behind; what came out packs and unpacks again.
 */
#include "fuzz.h"

#include <string.h>

#include "base/bytes.h"
#include "core/delta.h"

enum { RAW_BYTES_MAX = 1 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz f;
    fuzz_begin(&f, data, size);
    size_t raw_bytes = (size_t)fuzz_u16(&f) << fuzz_u8(&f) % 5;
    stet_slice prefix = fuzz_bytes(&f, fuzz_u16(&f));
    stet_slice packed = fuzz_rest(&f);
    stet_zctx *z = stet__zctx_create(&f.alloc);
    stet_buf out;
    stet_buf again;
    stet__buf_init(&out, &f.alloc);
    stet__buf_init(&again, &f.alloc);
    FUZZ_CHECK(z != NULL && raw_bytes < RAW_BYTES_MAX);
    stet__buf_put_str(&out, "before");
    stet_status st =
        stet__zstd_unpack(z, prefix, packed, raw_bytes, &out, NULL);
    FUZZ_CHECK(st == STET_OK || st == STET_E_CORRUPT);
    FUZZ_CHECK(out.len == 6 + (st == STET_OK ? raw_bytes : 0));
    FUZZ_CHECK(memcmp(out.ptr, "before", 6) == 0);
    stet_slice raw = st == STET_OK ? stet__buf_slice(&out) : packed;
    FUZZ_CHECK(stet__zstd_pack(z, prefix, raw, &again, NULL) == STET_OK);
    stet_buf back;
    stet__buf_init(&back, &f.alloc);
    FUZZ_CHECK(stet__zstd_unpack(z, prefix, stet__buf_slice(&again), raw.len,
                                 &back, NULL) == STET_OK);
    FUZZ_CHECK(stet__slice_eq(stet__buf_slice(&back), raw));
    stet__buf_deinit(&back);
    stet__buf_deinit(&again);
    stet__buf_deinit(&out);
    stet__zctx_destroy(z);
    fuzz_end(&f);
    return 0;
}
