/*
 * Base64: what decodes is encoded again to the same text, and any bytes that
 * were encoded decode to themselves.
 */
#include "fuzz.h"

#include "base/bytes.h"
#include "formats/base64.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz f;
    fuzz_begin(&f, data, size);
    stet_slice text = fuzz_rest(&f);
    stet_buf out;
    stet_arena arena;
    stet__buf_init(&out, &f.alloc);
    stet__arena_init(&arena, &f.alloc);
    stet_slice bytes;
    if (stet__base64_decode(text, &arena, &bytes)) {
        stet__base64_put(&out, bytes);
        FUZZ_CHECK(stet__slice_eq(stet__buf_slice(&out), text));
    }
    stet__buf_reset(&out);
    stet__base64_put(&out, text);
    FUZZ_CHECK(stet__base64_decode(stet__buf_slice(&out), &arena, &bytes));
    FUZZ_CHECK(stet__slice_eq(bytes, text));
    stet__arena_deinit(&arena);
    stet__buf_deinit(&out);
    fuzz_end(&f);
    return 0;
}
