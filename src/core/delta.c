#include "core/delta.h"

#include <string.h>

/* The magicless format, our allocator, matches that we found. */
#define ZSTD_STATIC_LINKING_ONLY
#include <zstd.h>
#include <zstd_errors.h>

#include "base/assert.h"
#include "base/error.h"
#include "base/outside.h"
#include "base/sized.h"

enum {
    /* Level 3 packs deltas no smaller and takes longer. */
    PACK_LEVEL = 1,
    /* Of a first state there is no delta: 4 KiB of JSON take 1 % less and 2 us
     * more. */
    PACK_LEVEL_FIRST = 3,
    FIRST_BYTES_MAX = 16 * 1024,
    /*
     * The window of level 1. Where prefix and bytes together are longer, its
     * table of 2^14 places has long forgotten the prefix, and matches far back
     * are left to zstd's long distance matcher: 1 MiB with three small changes
     * takes 120 bytes instead of 83,003.
     */
    NEAR_BYTES_MAX = 512 * 1024,
    /* What of a state stays in its place: pieces, and the bytes of one. */
    KEPT_MAX = 64,
    KEPT_BYTES_MIN = 16,
    /* New bytes beside them; of more zstd may find some that only moved. */
    NEW_BYTES_MAX = 256,
};

struct stet_zctx {
    const stet_allocator *alloc;
    ZSTD_CCtx *packer;   /* made when first needed: many contexts only read */
    ZSTD_DCtx *unpacker; /* likewise */
};

static void *zstd_alloc(void *ctx, size_t bytes)
{
    return stet__sized_alloc(((stet_zctx *)ctx)->alloc, bytes);
}

static void zstd_free(void *ctx, void *ptr)
{
    stet__sized_free(((stet_zctx *)ctx)->alloc, ptr);
}

static ZSTD_customMem memory_of(stet_zctx *z)
{
    return (ZSTD_customMem){
        .customAlloc = zstd_alloc, .customFree = zstd_free, .opaque = z};
}

stet_zctx *stet__zctx_create(const stet_allocator *a)
{
    stet_zctx *z = stet__alloc(a, sizeof *z);
    if (z != NULL) {
        *z = (stet_zctx){.alloc = a};
    }
    return z;
}

void stet__zctx_destroy(stet_zctx *z)
{
    if (z != NULL) {
        (void)ZSTD_freeCCtx(z->packer);   /* fails for static contexts only */
        (void)ZSTD_freeDCtx(z->unpacker); /* likewise */
        stet__free(z->alloc, z, sizeof *z);
    }
}

static stet_status fail_nomem(stet_error *err, const char *verb)
{
    return stet__fail(err, STET_E_NOMEM, 0, "no memory to %s a state", verb);
}

static void set_pack_option(ZSTD_CCtx *packer, ZSTD_cParameter option,
                            int value)
{
    size_t code = ZSTD_CCtx_setParameter(packer, option, value);
    STET_ASSERT(!ZSTD_isError(code)); /* between frames any value is taken */
}

static bool make_packer(stet_zctx *z)
{
    if (z->packer != NULL) {
        return true;
    }
    z->packer = ZSTD_createCCtx_advanced(memory_of(z));
    if (z->packer == NULL) {
        return false;
    }
    set_pack_option(z->packer, ZSTD_c_format, ZSTD_f_zstd1_magicless);
    set_pack_option(z->packer, ZSTD_c_contentSizeFlag, 0);
    set_pack_option(z->packer, ZSTD_c_dictIDFlag, 0);
    return true;
}

static bool make_unpacker(stet_zctx *z)
{
    if (z->unpacker != NULL) {
        return true;
    }
    z->unpacker = ZSTD_createDCtx_advanced(memory_of(z));
    if (z->unpacker == NULL) {
        return false;
    }
    size_t code = ZSTD_DCtx_setParameter(z->unpacker, ZSTD_d_format,
                                         ZSTD_f_zstd1_magicless);
    STET_ASSERT(!ZSTD_isError(code));
    return true;
}

/* How many bytes from the front are the same in both. */
static size_t same_bytes(const uint8_t *a, const uint8_t *b, size_t bytes_max)
{
    const size_t step = 128;
    size_t n = 0;
    while (bytes_max - n >= step && memcmp(a + n, b + n, step) == 0) {
        n += step;
    }
    while (n < bytes_max && a[n] == b[n]) {
        n++;
    }
    return n;
}

/*
 * What of `raw` is in `prefix` at the same distance from its start, or else
 * from its end: 0 bytes unless it is worth a match. zstd counts offsets as if
 * the prefix stood right before `raw`.
 */
static ZSTD_Sequence kept_at(stet_slice prefix, stet_slice raw, size_t at)
{
    const uint8_t *old = prefix.ptr;
    const uint8_t *new = (const uint8_t *)raw.ptr + at;
    ZSTD_Sequence s = {0};
    size_t left = raw.len - at;
    size_t end_at = at + prefix.len - raw.len; /* may wrap: then it is large */
    if (at < prefix.len) {
        size_t most = left < prefix.len - at ? left : prefix.len - at;
        s.offset = (unsigned)prefix.len;
        s.matchLength = (unsigned)same_bytes(old + at, new, most);
    }
    if (s.matchLength < KEPT_BYTES_MIN && end_at < prefix.len &&
        prefix.len != raw.len) {
        s.offset = (unsigned)raw.len;
        s.matchLength = (unsigned)same_bytes(old + end_at, new, left);
    }
    s.matchLength = s.matchLength < KEPT_BYTES_MIN ? 0 : s.matchLength;
    return s;
}

/*
 * Find what `raw` keeps of `prefix` in its place. Returns how many pieces; 0
 * where too much is new.
 */
static size_t find_kept(stet_slice prefix, stet_slice raw, ZSTD_Sequence *out)
{
    size_t count = 0;
    size_t literals = 0; /* before the next piece */
    size_t new_bytes = 0;
    for (size_t at = 0; at < raw.len;) {
        ZSTD_Sequence s = kept_at(prefix, raw, at);
        if (s.matchLength > 0 && count < KEPT_MAX) {
            s.litLength = (unsigned)literals;
            out[count++] = s;
            at += s.matchLength;
            literals = 0;
        } else if (++new_bytes > NEW_BYTES_MAX) {
            return 0;
        } else {
            literals++;
            at++;
        }
    }
    return count;
}

/*
 * Pack what changed in its place, as most states do: to make the table that
 * finds matches anywhere takes zstd three quarters of its time. Returns the
 * bytes written; 0: it has to search.
 */
static size_t pack_kept(stet_zctx *z, stet_slice prefix, stet_slice raw,
                        uint8_t *out, size_t cap)
{
    ZSTD_Sequence kept[KEPT_MAX];
    size_t count = find_kept(prefix, raw, kept);
    if (count == 0) {
        return 0;
    }
    size_t code = ZSTD_compressSequences(z->packer, out, cap, kept, count,
                                         raw.ptr, raw.len);
    /* It leaves the context as in the middle of a frame. */
    (void)ZSTD_CCtx_reset(z->packer, ZSTD_reset_session_only);
    if (ZSTD_isError(code)) {
        return 0;
    }
    stet__outside_sets(out, code);
    return code;
}

stet_status stet__zstd_pack(stet_zctx *z, stet_slice prefix, stet_slice raw,
                            stet_buf *out, stet_error *err)
{
    size_t bound = ZSTD_compressBound(raw.len);
    if (ZSTD_isError(bound) || !make_packer(z)) {
        return fail_nomem(err, "pack");
    }
    if (!stet__buf_reserve(out, bound)) {
        out->is_failed = false;
        return fail_nomem(err, "pack");
    }
    bool is_first = prefix.len == 0 && raw.len <= FIRST_BYTES_MAX;
    set_pack_option(z->packer, ZSTD_c_compressionLevel,
                    is_first ? PACK_LEVEL_FIRST : PACK_LEVEL);
    bool is_far = prefix.len > 0 && prefix.len + raw.len > NEAR_BYTES_MAX;
    set_pack_option(z->packer, ZSTD_c_enableLongDistanceMatching, is_far);
    size_t kept_bytes = prefix.len == 0 || is_far
                            ? 0
                            : pack_kept(z, prefix, raw, out->ptr + out->len,
                                        out->cap - out->len);
    if (kept_bytes > 0) {
        out->len += kept_bytes;
        return STET_OK;
    }
    size_t code = ZSTD_CCtx_refPrefix(z->packer, prefix.ptr, prefix.len);
    STET_ASSERT(!ZSTD_isError(code));
    code = ZSTD_compress2(z->packer, out->ptr + out->len, out->cap - out->len,
                          raw.ptr, raw.len);
    if (ZSTD_isError(code)) {
        /* With room for the bound, memory is all that can be missing. */
        STET_ASSERT(ZSTD_getErrorCode(code) == ZSTD_error_memory_allocation);
        (void)ZSTD_CCtx_reset(z->packer, ZSTD_reset_session_only);
        return fail_nomem(err, "pack");
    }
    stet__outside_sets(out->ptr + out->len, code);
    out->len += code;
    return STET_OK;
}

stet_status stet__zstd_unpack(stet_zctx *z, stet_slice prefix,
                              stet_slice packed, size_t raw_bytes,
                              stet_buf *out, stet_error *err)
{
    if (!make_unpacker(z)) {
        return fail_nomem(err, "unpack");
    }
    if (!stet__buf_reserve(out, raw_bytes)) {
        out->is_failed = false;
        return fail_nomem(err, "unpack");
    }
    size_t code = ZSTD_DCtx_refPrefix(z->unpacker, prefix.ptr, prefix.len);
    if (!ZSTD_isError(code)) {
        code = ZSTD_decompressDCtx(z->unpacker, out->ptr + out->len, raw_bytes,
                                   packed.ptr, packed.len);
    }
    if (ZSTD_isError(code)) {
        (void)ZSTD_DCtx_reset(z->unpacker, ZSTD_reset_session_only);
        return ZSTD_getErrorCode(code) == ZSTD_error_memory_allocation
                   ? fail_nomem(err, "unpack")
                   : stet__fail(err, STET_E_CORRUPT, 0, "packed state: %s",
                                ZSTD_getErrorName(code));
    }
    if (code != raw_bytes) {
        return stet__fail(err, STET_E_CORRUPT, 0,
                          "packed state: %zu bytes instead of %zu", code,
                          raw_bytes);
    }
    stet__outside_sets(out->ptr + out->len, code);
    out->len += code;
    return STET_OK;
}
